// Package web draws the pages of a running server: is it healthy, what
// changed, which model answers and how good is it, what was decided and why,
// are the people still those of the training data, and who changed what.
//
// # Main idea
//
// A page is drawn on the server, when it is asked for, from the registry, the
// decision log, the bundles and the watch. Nothing is stored here and nothing
// can be changed from here. The pages hold no script at all, and the content
// policy forbids them: they work in any browser, on paper and with a screen
// reader, and a hostile text in somebody's data stays a text. Light and dark
// follow the reader's system.
//
//	/                        is it healthy, what changed
//	/models/{project}        the champion's card and the versions; ?version=N another one
//	/leaderboard/{project}   the candidates that were tried
//	/decisions/{project}     the newest decisions with their reasons; ?live=true draws them again every five seconds
//	/decision/{id}           one decision, recomputed while you look
//	/drift/{project}         windows of decisions against the training data; ?at=T the window that ended then
//	/audit/{project}         the trail with its evidence, and whether its chain holds; ?all=true all of it
//
// # Example
//
//	pages := web.New(web.Source{Projects: projects, Registry: reg, Log: log, Bundle: open, Watched: watched, Refused: refused}, web.Options{})
//	server := serve.New(serve.Options{Pages: pages, ...})
//
// # What it does not do
//
// It knows no users: whoever reaches it sees all decisions, so it belongs
// behind the same door as the scoring routes. It computes no statistics; the
// figures are those of the card, the monitor and the audit trail.
package web
