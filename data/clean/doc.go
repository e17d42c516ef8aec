// Package clean repairs columns in steps that a person can read, count and take
// back: the raw file is never changed.
//
// A [Step] is a line of the project file's clean section. Row-wise steps become
// [data.Repair]s of the contract's field, and one [Repairer] applies them to the
// cells of a training table, of a file to be scored and of a request: what
// training saw is what production sees. Dropping duplicates concerns the
// training table alone; flagged outliers become a feature whose bounds are
// fitted on training rows (science/prepare).
//
// Every repair leaves its own results as they are: repairing twice is repairing
// once. So a cleaned table goes through the same contract as raw requests do.
//
// [Propose] looks for steps in a table, with the evidence for each. Nothing that
// it proposes is applied but by the project file or on request.
package clean
