// Package pipeline runs the stages of a project and does not run a stage again
// whose inputs have not changed.
//
// A stage is a step of the work with a name and a version: reading the data,
// training, evaluating. What it makes is files in a folder. The folder's
// address is its key: the SHA-256 over the stage's name and version, the
// hashes of its inputs, and its parameters. If the folder exists, the stage
// has been done; nobody compares times or remembers what ran when.
//
//	          inputs, params, version
//	                   |
//	                 key = SHA-256
//	                   |
//	exists? --yes--> Output{Cached: true}
//	   |no
//	work(ctx, KEY.tmp) --> record --> rename to KEY --> Output
//
// The hash of one stage's output is the next stage's input, so a change runs
// through the chain exactly as far as it makes a difference: a comment added
// to a file that leads to the same table stops after the reading.
//
// In the folder of a [Cache]:
//
//	train/6c0f.../output.json   key, inputs, parameters, and each file's SHA-256
//	train/6c0f.../files/...     what the stage wrote
//	train/6c0f....tmp           a stage at work, or one that was interrupted
//	train/6c0f....lock          held while the stage is at work
//
// The cache can be deleted at any time when no stage is at work. Two processes
// may use it at once: a stage is made by one of them while the other waits.
// What a crash leaves is a .tmp folder, which the next run of the same stage
// sweeps away. Of each stage the newest results are kept, ten by default.
//
// What the package does not do: it does not schedule, retry or run stages in
// parallel, and it takes the caller's word that work is a function of the
// inputs and parameters. Locks are flock(2), so the folder must be on a local
// disk of a Unix system.
package pipeline
