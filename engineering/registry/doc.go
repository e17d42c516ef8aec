// Package registry remembers which models a project has made, which of them is
// in force, and who changed that, when and why.
//
// The words:
//
//	bundle    the file that scoring needs; kept once, under its id, forever
//	version   a bundle's number in a project: 1, 2, 3, in the order of arrival
//	alias     a name that points at one version: champion, challenger, shadow,
//	          and canary, which has a percentage as well
//	run       one execution of the project's stages, with its outcome
//	event     one line of the audit trail
//
// A server asks for the alias champion and serves what it points at. To put
// another model into force is to change the alias; to roll back is to change
// it to what [Registry.Previous] remembers. A running server asks
// [Registry.Revision] and reloads when the number has grown.
//
// Promotions are remembered as a stack, so that rolling back never leads to a
// version that was just rejected:
//
//	promote 1, promote 2, promote 3     champion 3, previous 2
//	roll back (to 2)                    champion 2, previous 1
//	roll back (to 1)                    champion 1, previous none
//	promote 4                           champion 4, previous 1
//
// # The audit trail
//
// Every event carries a hash over its own content and the hash of the event
// before it. Whoever changes, removes, inserts or reorders an event breaks the
// chain from there on, which [Registry.VerifyAudit] finds; it also compares the
// versions and aliases in force with the events that made them. New versions
// and alias changes write their event in the same transaction. Someone who can
// write the database can also compute a new chain: to rule that out, keep the
// head's hash (the newest event's) somewhere else from time to time.
//
// # On disk
//
//	DIR/registry.db           SQLite, mode 0600
//	DIR/registry.db.lock      held for a moment while a process opens it
//	DIR/bundles/<id>.tandem   one file per bundle, mode 0600
//
// Several processes may use one registry at once, on a local disk. A bundle's
// file is complete and on the disk before a version names it. Nothing is ever
// deleted: a decision made years ago must find its bundle.
package registry
