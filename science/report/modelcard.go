package report

import (
	"fmt"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/chart"
)

// facts lists what is known of the data and of the way it was divided.
func facts(m bundle.Manifest, c bundle.Card) []Fact {
	var f []Fact
	add := func(name, text string) {
		if text != "" {
			f = append(f, Fact{name, text})
		}
	}
	add("Source", m.Data.Source)
	add("Snapshot (SHA-256)", m.Data.SHA256)
	if m.Data.Rows > 0 {
		add("Rows and columns", chart.Count(int64(m.Data.Rows))+" rows, "+chart.Count(int64(m.Data.Columns))+" columns")
	}
	if m.Data.Rejects > 0 {
		add("Rows not read", chart.Count(int64(m.Data.Rejects)))
	}
	add("Target", target(c))
	if s := c.Split; s.Train+s.Calibration+s.Holdout > 0 {
		add("Split", fmt.Sprintf("%s: %s rows to train, %s to calibrate and choose the threshold, %s held out", orUnknown(s.Method),
			chart.Count(int64(s.Train)), chart.Count(int64(s.Calibration)), chart.Count(int64(s.Holdout))))
		if s.Folds > 0 {
			add("Cross-validation", fmt.Sprintf("%d folds of the training rows", s.Folds))
		}
	}
	add("Seed", fmt.Sprint(m.Seed))
	if len(c.Protected) > 0 {
		add("Protected columns", list(c.Protected))
	}
	return f
}

func target(c bundle.Card) string {
	if c.Positive == "" {
		return c.Target
	}
	return c.Target + ", positive class " + c.Positive
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// modelCard sorts the report's facts under the headings of a model card.
func modelCard(r *Report) []Section {
	m, c := r.m, r.c
	var members []string
	for _, x := range m.Members {
		text := x.Learner
		if len(m.Members) > 1 {
			text += " (weight " + chart.Short(x.Weight) + ")"
		}
		members = append(members, text)
	}
	details := []string{r.Subtitle + "."}
	if len(members) > 0 {
		details = append(details, "Model: "+list(members)+".")
	}
	if m.Producer != "" {
		details = append(details, "Made by "+m.Producer+".")
	}
	if c.Chosen != "" {
		details = append(details, fmt.Sprintf("Chosen as %s among %d candidates by %s.", c.Chosen, len(c.Leaderboard), metricOf(c.Metric).name))
	}

	intended := []string{"The project states no intended use."}
	if c.Intended != "" {
		intended = []string{c.Intended}
	}

	var training []string
	for _, f := range r.Data {
		training = append(training, f.Name+": "+f.Text+".")
	}

	var evaluation []string
	for _, x := range r.Measures {
		t := metricOf(x.Metric)
		line := x.Name + " " + t.text(x.Value)
		if iv := interval(t.text, bundle.Measure{Value: x.Value, Low: x.Low, High: x.High}); iv != "" {
			line += " (95% interval " + iv + ")"
		}
		if x.Baseline != nil {
			line += ", without a model " + t.text(*x.Baseline)
		}
		evaluation = append(evaluation, line+".")
	}
	if len(evaluation) == 0 {
		evaluation = []string{"Not evaluated on held-out rows."}
	}

	ethics := []string{"The project names no protected columns, so nothing was kept out of the score on that ground and fairness was not checked."}
	if len(c.Protected) > 0 {
		ethics = []string{
			"Protected columns: " + list(c.Protected) + ". They are typed and logged, never scored, never a reason, and used only to check fairness.",
			"Columns that stand in for a protected one may still be among the inputs; the list of importance shows what to ask about.",
		}
	}
	if m.Reasons > 0 {
		ethics = append(ethics, fmt.Sprintf("Each decision carries up to %d reasons, which name only columns that the model used.", m.Reasons))
	}

	var caveats []string
	for _, l := range r.Limits {
		caveats = append(caveats, l.What+": "+l.Evidence+".")
	}
	if len(caveats) == 0 {
		caveats = []string{"The run's own checks found none. They do not replace a validation by people who did not build the model."}
	}
	return []Section{
		{"Model details", details}, {"Intended use", intended}, {"Data", training},
		{"Evaluation", evaluation}, {"Ethical considerations", ethics}, {"Caveats", caveats},
	}
}
