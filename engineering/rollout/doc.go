// Package rollout says which model answers whom while one model takes another's
// place.
//
// The words:
//
//	champion  the model that decides
//	canary    a model that answers a share of the requests in the champion's place
//	shadow    a model that scores what was answered, and is never answered
//
// The room holds what can be said about that without a server: whom a canary
// answers ([Takes]), whether a model can follow another without breaking those
// who call it ([Compatible]), what has to happen before it answers ([Warm]), how
// a shadow is kept from being in the way ([Queue]), how it compares ([Tally]), and
// what a person may ask for ([Change]). Package serve does it, package workflow
// keeps it in the registry.
package rollout
