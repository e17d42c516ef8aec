// Package report turns a model's card into the document that people outside
// the project read: a risk officer, a validator, an auditor.
//
// It answers: how good is this model, against what, what does it cost, what
// does it rest on, what must it not use, and where does it fail? Every figure
// comes from the [bundle.Card] and the [bundle.Manifest] of the run; nothing
// is computed from data, and no sentence is written without the figure that
// carries it. The same card gives the same bytes.
//
// # One report, three writers
//
// [New] makes the report model: the verdict, headline figures, decisions in
// words, limits, and the sections of a model card. [Report.HTML] draws it as
// one self-contained page, [Report.Markdown] as text for a repository,
// [Report.JSON] as data. All three say the same, since only New makes
// sentences.
//
// # What it insists on
//
//   - Accuracy never stands without the accuracy of always naming the larger
//     class.
//   - A figure stands with its 95% interval where the run measured one.
//   - The cost of deciding by the model stands beside the cost of the best rule
//     that needs no model.
//   - What weakens the result is a section of its own (Limits found by the
//     run): a small holdout, a wide interval, poor calibration, no test on later
//     data, a search that was cut, warnings about the data.
//
// Example, with c the card of a credit model:
//
//	r := report.New(m, c)
//	fmt.Println(r.Verdict)
//	// On 891 rows that it never saw, the model scores a bad case above a good
//	// one 83.9% of the time (AUC 0.839, 95% interval 0.812 to 0.866; ...
//
// The headings of the model card follow Mitchell et al., "Model Cards for
// Model Reporting", FAT* 2019. The package does not judge whether a model may
// be used: that is the gates' part, and a person's.
package report
