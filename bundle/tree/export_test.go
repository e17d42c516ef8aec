package tree

// NewInterventionalWithin is NewInterventional with a limit of its own, in
// words of 8 bytes.
var NewInterventionalWithin = newInterventional
