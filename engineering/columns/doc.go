// Package columns brings rows that come as Arrow record batches to a model, and
// answers back, without a detour over JSON.
//
//	bytes --Reader--> record batches --Decoder--> encoded rows, and their JSON for the log
//	answers --Writer--> bytes
//
// A stream comes from strangers. A [Reader] looks at every message before package
// arrow does: flat columns of a few types only, no compressed bodies, no
// dictionaries that grow, nothing larger than it may be. What package arrow makes
// of damaged bytes after that, a panic included, is an error here.
//
// What a value means is the contract's affair, and there is one reading of a
// contract for requests: [bundle.Layout.DecodeJSON]. A [Decoder] encodes the plain
// cases by itself, in which the two agree bit for bit, and gives every row that is
// anything but plain to DecodeJSON. So a decision is the same whatever way its row
// came, and its replay from the log, where the row stands as JSON, too.
package columns
