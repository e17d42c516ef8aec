// Package evaluate answers how good a model will be on rows it has never seen.
//
// The main idea is that no row may serve two purposes. [Divide] cuts a table
// into three parts: the training part, from which models are learned (and
// compared, over the [Folds] of that part); the calibration part, on which
// [Calibrate] turns margins into probabilities and [Threshold] finds the
// cheapest decision; and the holdout, which nothing is chosen on, so that
// [Holdout] measures what production will see. [Baseline] says what guessing
// would have reached there.
//
// How the table is cut depends on how the model will be used. If rows have a
// time, the newest are the holdout: a model is always asked about rows that come
// after those it learned from. If rows form groups, such as several loans of one
// customer, no group lies in two parts: otherwise a model that recognises the
// customer looks better than it is.
//
// # Words
//
// A part is one of the three; a fold is a share of the training part, held out
// once. Out-of-time means that the training part is older than the holdout. A
// stratified division has the same share of positive rows in every part.
//
// # A small example
//
// Ten rows dated January to October, one each: January to July train (the cut
// nearest to 65%), August calibrates (to 80%), September and October are held
// out. Two rows of the same day are always in the same part.
//
// # What it does not do
//
// It trains nothing and drops nothing: which candidate wins is decided by
// package science/tune, on folds alone.
package evaluate
