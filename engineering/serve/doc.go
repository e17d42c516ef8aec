// Package serve answers over HTTP: it scores rows with a bundle, writes every
// decision to the decision log before it answers, and takes the outcomes that
// arrive later.
//
// # Main idea
//
// There is one scoring core and several doors to it:
//
//	POST /v1/score/{project}      rows in; scores, decisions and reasons out
//	POST /v1/explain/{project}    what each column does; decides nothing
//	GET  /openapi.json            all of this, typed by the contracts
//	POST /invocations, /score     MLflow, SageMaker, Azure: JSON, JSON lines, CSV
//	POST /v2/models/M/infer       the Open Inference Protocol, tensors as JSON or bytes
//	POST /v1/models/M:predict     KServe's first protocol, and Vertex AI's
//	GET  /v1/decisions/{id}       a logged decision, and its replay
//	POST /v1/outcomes/{project}   what turned out to be true
//	POST /v1/rollout/{project}    who answers: champion, canary, shadow
//	GET  /v1/bundles/{project}    the champion's bundle, for scorers that follow
//	POST /v1/erasures/{project}   erase a subject's decisions for good
//	GET  /health/live, /health/ready, /ping, /health, /version, /metrics
//
// A request goes through the same stations whatever its door:
//
//	Guard       Host and origin: is it meant for this server?
//	admitted    key or token, scope, rate
//	route       method, type and size of the body
//	enter       a place among those that are scored at once, or in the queue
//	frame       what stands around the rows, taken apart strictly; JSON objects, one a row
//	contract    bundle.Layout.DecodeJSON: every row, or none
//	divide      who answers which row, the champion or its canary
//	decide      score, decision, reasons; a score must be finite
//	log         Append returns: the decisions are kept
//	answer      and what was answered goes to the shadow, without waiting
//
// Score requests that are plainly written, which nearly all are, pass frame and contract
// in one pass (quickScore); of all others the strict reader has the last word.
//
// Requests of the first door that are plain HTTP/1.1 do not pass net/http: package
// plain brings them to the same handlers.
//
// It is answered by the models that were there when it began: [Server.Put]
// replaces an immutable snapshot and never waits. What has been replaced is let
// go with the last request that began with it. It is all or nothing: if one
// row breaks the contract, or the log cannot be written, no row is answered.
//
// Streams of rows, one a line or in Arrow record batches, go the same way in blocks,
// each row for itself.
//
// # What a stranger can do
//
// Without keys the server is for this machine: [Listen] takes loopback addresses
// only (but in a platform's container, see [DetectPlatform], which lets in whom
// it wants). With [Options].Keys every route but the probes asks for one.
// [Server.Guard] keeps other web sites from using a browser against it. What
// one request can ask for is bounded, and what all together can, see [Limits]. A panic is answered with 500 and the process lives. Values of
// rows stand in the decision log and in answers to those who sent or ask for
// them, never in errors, metrics or the program's own log.
//
// # What it does not do
//
// It trains nothing and watches nothing: Options.Decided
// and Options.Learned tell those who do.
//
// docs/http-api.md shows each route with an example, docs/security.md what attacks
// meet.
package serve
