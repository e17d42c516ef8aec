// Package explain says what a model rests on, over many rows and for one.
//
// Over many rows, [Permutation] shuffles one column at a time and measures how
// much worse the model becomes on rows it never saw: what is lost is what the
// model needs that column for. Its result is the importance on every report.
// For one row, [Row] gives the exact contribution of each column to the
// margin; production computes the same numbers for its reasons, by the same
// code in package bundle. A [bundle.Background] in the model's place gives the
// contributions to the difference from given rows, and [Pairs] sets apart what
// columns do together.
//
// The two answer different questions. A column can have large contributions
// and no importance: the model leans on it, but rows come out no better for
// it. Both are in [bundle.Importance], side by side.
//
// Example: AUC is 0.84; with the values of Records shuffled among the rows it
// is 0.79 on average over five shuffles, with a standard deviation of 0.004.
// Records has Drop 0.05 and SD 0.004.
//
// What to keep in mind: two columns that say the same share their importance,
// since each stands in for the other while it is shuffled, so neither looks
// important; the exploration page warns of such near-copies. Importance is
// about this model, not about cause and effect.
//
// Method: Breiman, "Random Forests", Machine Learning 45, 2001; model-agnostic
// as in Fisher, Rudin and Dominici, JMLR 20, 2019.
package explain
