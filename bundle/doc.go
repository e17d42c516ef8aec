// Package bundle is the hand-over between training and production: one
// immutable value, and one file, with all that is needed to score a row and
// nothing that only training needed.
//
// # The way of a row
//
//	request or table
//	   |  Layout       contract: names, kinds, bounds, categories
//	encoded row        one float64 per input column, NaN missing
//	   |  step.Plan    per member: the features it reads
//	features
//	   |  tree.Forest or linear.Model, times the member's weight
//	margin             sum over members; log odds for a binary task
//	   |  Calibration
//	score              probability of the positive class, or the value
//	   |  Decision
//	label              positive if score >= threshold
//
// A model is a weighted sum of members in margin space, even with one member,
// so ensembles keep exact reasons: [Model.Contributions] gives each input
// column's part in the margin, and [Model.Reasons] turns the parts into
// sentences.
//
// The same code runs in training and in production, and it gives the same bits
// on every machine: sums have one order, products are rounded before they are
// added, and exp is [github.com/tandem-ml/tandem/bundle/num]'s. A bundle carries
// test rows with their exact scores and does not load where they come out
// otherwise.
//
// # Making and loading
//
// [NewModel] makes a model that scores from its parts; [New] makes a bundle
// from a model and what is known of it; [WriteFile] and [Open] store and load
// it. [Bundle.ID] names its content. The file is specified in
// docs/bundle-format.md.
//
//	model, err := bundle.NewModel(bundle.Model{Contract: c, Members: members, Calibration: cal, Decision: d})
//	b, err := bundle.New(bundle.Bundle{Manifest: m, Model: *model, Tests: model.TestRows(rows)})
//	err = bundle.WriteFile("credit.tandem", b)
//
// # What it does not do
//
// It fits nothing, knows no metric, reads no data files and keeps no log. The
// decoder of requests bounds neither their number nor their size: that is the
// server's part.
package bundle
