// Package data holds what every other part speaks about: a [Table] of typed
// columns, the [Contract] that says what its columns must be, and the
// [Profile] that says what they were.
//
// # Tables
//
// A table is a list of equally long columns. A column has one of four kinds:
//
//	Number    float64; NaN is missing; infinities are kept and counted
//	Category  a code into a dictionary of distinct values; -1 is missing
//	Text      free text that is not a category: names, notes, identifiers
//	Time      microseconds since 1970 in UTC; [MissingTime] is missing
//
// Booleans are categories "true" and "false". Integers beyond 2^53, which a
// float64 cannot hold, are text. Arrow and DuckDB stay at the edges: inside
// the program a column is a plain slice.
//
// # Contracts and profiles
//
// A contract is learned from the training table and then enforced: whoever
// sends a row without a required column, with text where a number belongs, or
// with a number far outside what was seen, is refused with the column's name.
// A profile is a small mergeable summary of a table; the exploration page
// draws it, the contract is learned from it, and the monitor compares the
// profile of last night's decisions with the one the model was trained on.
package data
