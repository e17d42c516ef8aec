// Package decisions keeps the decision log: every scored request with its
// inputs, score, outcome class and reasons, and the outcome that is learned
// later. It answers "what was decided about application 4711 last March, by
// which model, from which inputs, and why", and shows that nothing of it was
// changed since.
//
// # Main idea
//
// The log is a folder of append-only files, the segments. A record is written
// once, with a checksum, and is never moved. Many appenders at once share one
// write (group commit). Each record carries a link, the SHA-256 of the link
// before it and of its own head, so that a record that is changed, removed or
// put elsewhere breaks the chain.
//
// What a person may demand to have erased is not part of the chain. The chain
// covers only a commitment, SHA-256(salt, payload); payload and salt lie beside
// it. [Log.Erase] first writes an erasure record and then overwrites the two
// with zeros: the chain still holds, the content is gone, and without the salt
// the commitment does not tell whether a guessed content was the right one.
//
// # Words
//
//	decision    one scored request; see [Decision]
//	outcome     the label that arrives later; a later one corrects an earlier one
//	segment     one file of the log, 00000001.seg, 00000002.seg, ...
//	commitment  SHA-256 of salt and payload of one record
//	link        SHA-256 of the link before and of the record's head, commitment included
//	expiry      a record that says that the content of all segments before one is erased
//	removal     a record that says that all segments before one are removed
//	head        sequence number and link of the newest record; kept in the file "head"
//	            as well, so that an end that was cut off is noticed
//
// # Example
//
//	log, err := decisions.Open(dir, decisions.Options{})
//	...
//	d := decisions.Decision{ID: log.NewID(now), Time: now, Project: "credit", ...}
//	err = log.Append(ctx, d)          // returns when the decision is written
//	...
//	_, err = log.AppendOutcomes(ctx, decisions.Outcome{Decision: d.ID, Value: "bad", At: later})
//	report, err := decisions.Verify(dir)
//
// # What a chain cannot show
//
// Whoever can write all files of the folder can make a new chain from the
// first record on. Keep the head ([Log.Head]) outside from time to time, in
// the audit trail or on paper: [Verify] reports the head it found, and a log
// that was rewritten cannot have the same one. Records cut off at the end
// together with a forged head file are likewise noticed only by a head kept
// elsewhere.
//
// # What it does not do
//
// It does not encrypt: files are readable by their owner only (0600 in a 0700
// folder). It deletes nothing unless it is told to, see [Log.Retain], since a
// decision must be explainable for years. It holds an index in memory of about
// 50 bytes a decision, rebuilt by reading the log when it is opened.
//
// The format, byte by byte, is in docs/decision-log.md.
package decisions
