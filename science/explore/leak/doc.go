// Package leak asks of each column whether it could be known when the model has
// to answer. Leakage is the costliest error of all: the model looks perfect
// until it meets rows whose outcome nobody knows.
//
// [Find] gives back [Finding]s, each with the figure that shows it. What a
// column alone says of the target (an AUC near 1) is the caller's to judge, since
// it measures every column anyway; this package looks for the traces that
// leakage leaves without being so strong:
//
//   - after_outcome: whether there is a value, or another than 0, goes almost
//     only with one class: it was recorded after the outcome
//   - value_tells: some values go almost only with one class
//   - noisy_copy: few values that map to those of the target, errors aside
//   - target_encoded: numbers that are the target's rate among their own rows: an
//     encoding that saw the target, or another model's prediction
//   - judged_before: a grade, score or price with its own table of values, that
//     is, another model's opinion of the same outcome
//   - time_travel: times after the row's own moment, or whose distance from
//     another time tells the outcome; the target of the next row
//   - group_leakage: rows of one entity that share their outcome, so that a
//     random split puts the answer into the training rows
//   - row_order: the place of a row in the file tells its target
//   - identifier_tells: identifiers given out by outcome
//   - parts: columns whose sum, or difference, is the target
//
// # What it does not find
//
// Leaks that show in no column or pair of them: three columns that together give
// the target, an exclusive or, a ratio that does, an identifier whose hash was
// drawn by outcome, a copy with a fifth of its values wrong. The test set
// (testdata of package explore's tests: TestPlantedLeaks) lists its misses.
package leak
