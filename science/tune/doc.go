// Package tune finds the model for a table: it tries a fixed list of
// candidates in a good order, measures each on rows it has not seen, and fits
// the best one on all training rows.
//
// The list is short and always the same (see [Portfolio]): settings found to
// do well on many tables, tried in an order in which each is likely to add
// something to those before it. A random search over thousands of settings
// would win little but the luck of the draw, and a search that learns from its
// own results could not be repeated.
//
// # Words
//
// A candidate is a learner with its settings and the form of its features. The
// training rows come divided into folds; for each fold a candidate is fitted
// on the others, its plan of features included, and its margins on the fold
// are kept. Together they are the candidate's out-of-fold margins: one for
// each training row, by a model that has not seen the row. The leaderboard
// ranks by a metric of these pooled margins.
//
// # Trees
//
// Boosting is stopped early in each fold where the loss on the held-out rows is
// smallest; fitted on all rows the candidate gets the mean of these numbers of
// trees. That number must not flatter the out-of-fold margins: labels that are
// pure noise get an AUC of 0.53 where each fold keeps its own best number. So a
// fold gets the mean of the other folds' numbers, and is fitted again if it has
// stopped before.
//
// # The blend
//
// The last candidate is a weighted sum of the margins of up to three others,
// found by greedy forward selection with replacement (Caruana,
// Niculescu-Mizil, Crew and Ksikes, Ensemble selection from libraries of
// models, ICML 2004) by log loss or squared error. It costs more to score and
// to explain, so it is chosen only if it beats the best single candidate by
// more than a tenth of the standard error of that one's metric. Among single
// candidates the best metric wins, the earlier one in a tie.
//
// # The budget
//
// With a budget the search keeps back what the fit on all rows will take,
// leaves out candidates that would not fit in the rest, and stops those that
// prove slower than expected. If there is no time for the final fit on all rows,
// it is made on some of them, or a fold's model takes its place. Then the result
// says that
// it is not complete. A search that had enough time does not depend on the
// clock: the same rows, settings and seed give the same members, for any number
// of workers.
//
// Where the table is too large for the budget (see [Config]), the choice is
// made on a random sample of the training rows; only the chosen candidate is
// fitted on all of them.
package tune
