// Package workflow is the way through the house: it plugs the two halves
// together. Science makes a model and proves what it is worth; engineering
// keeps it, serves it, watches it and renews it; neither knows the other.
//
// [RunProject] takes a project's folder from raw file to verified bundle, in
// stages whose outputs are cached by content. [Train], [Predict], [Evaluate],
// [Explain] and the like do one thing each on plain files, by the same code.
package workflow
