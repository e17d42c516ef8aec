// Package serve answers over HTTP: it scores rows with a bundle, writes every
// decision to the decision log before it answers, and takes the outcomes that
// arrive later.
//
// There is one scoring core ([Server.decide]) and several doors to it:
//
//	POST /v1/score/{project}      rows in, scores, decisions and reasons out
//	POST /invocations             MLflow's four JSON forms
//	GET  /v1/decisions/{id}       a logged decision, and its replay
//	POST /v1/outcomes/{project}   what turned out to be true
//	GET  /health/live, /health/ready, /metrics
//
// A request is answered by the model that was there when it began: [Server.Swap]
// replaces an immutable snapshot and never waits. A request is all or nothing:
// if one row breaks the contract, or the log cannot be written, no row is
// answered.
//
// Everything a stranger can reach is bounded: see [Limits]. Input values never
// appear in errors, metrics or the program's own log; they stand in the
// decision log alone. docs/http-api.md shows each route with an example.
package serve
