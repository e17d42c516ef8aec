package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/chart"
)

// The figures from which on something counts as a limit. They are conventions,
// stated so that a reader can disagree.
const (
	smallHoldout     = 500  // rows
	smallClass       = 50   // rows of the rarer class: its share of errors is then known to about 14 points
	wideInterval     = 0.06 // width of the AUC's 95% interval
	poorCalibration  = 0.05 // calibration error
	suspiciousAUC    = 0.99 // real decisions are rarely so predictable: look for leakage
	singleColumn     = 0.5  // share of the summed importance
	wideRegressionCI = 0.25 // width of the RMSE's interval relative to it
)

// limits lists what weakens the result, most severe first and otherwise in the
// order in which the run goes.
func limits(m bundle.Manifest, c bundle.Card, d *Decisions) []Limit {
	l := []Limit{}
	add := func(severity, what, evidence, do string) {
		l = append(l, Limit{severity, strings.TrimRight(what, ". "), strings.TrimRight(evidence, ". "), do})
	}

	for _, g := range c.Gates {
		if !g.Held {
			t := metricOf(g.Metric)
			add("high", "A gate did not hold: "+t.name+" "+g.Rule, t.name+" is "+t.text(g.Value),
				"do not promote this model; improve it or discuss the gate")
		}
	}
	for _, p := range c.Protected {
		if slices.ContainsFunc(c.Importance, func(i bundle.Importance) bool { return i.Column == p }) {
			add("high", "Protected column "+p+" is among the model's inputs", "it is listed in the importance of columns",
				"train again with it in data.protected, and do not use this model")
		}
	}
	if len(c.Holdout) == 0 {
		add("high", "The model was not evaluated on held-out rows", "the card holds no holdout figures", "evaluate it on rows it never saw before relying on it")
	}
	dataLimits(m, c, d, add)
	performanceLimits(c, d, add)
	if !m.Complete {
		add("low", "The search was cut by its time budget", fmt.Sprintf("%d candidates were finished", len(c.Leaderboard)),
			"raise model.budget; until then another run may choose another model")
	}
	for _, text := range c.Limits {
		add("medium", text, "stated by the project", "")
	}
	rank := map[string]int{"high": 0, "medium": 1, "low": 2}
	slices.SortStableFunc(l, func(a, b Limit) int { return rank[a.Severity] - rank[b.Severity] })
	return l
}

func dataLimits(m bundle.Manifest, c bundle.Card, d *Decisions, add func(severity, what, evidence, do string)) {
	if n := c.Split.Holdout; n > 0 && n < smallHoldout {
		add("medium", "The holdout is small", fmt.Sprintf("%s rows; below %d the figures move by several points with chance", chart.Count(int64(n)), smallHoldout),
			"collect more rows and evaluate again")
	}
	if d != nil {
		if rare := min(d.Caught.Of, d.Alarms.Of); rare < smallClass {
			add("medium", "One class is rare in the holdout", fmt.Sprintf("%s rows of it", chart.Count(int64(rare))), "read its share of errors as an indication only")
		}
	}
	switch c.Split.Method {
	case "out-of-time", "given", "":
	default:
		add("medium", "The model was not tested on later data", "the holdout was drawn "+c.Split.Method+", from the same time as the training rows",
			"name the time column in data.time, or watch realised performance closely after the start")
	}
	if m.Data.Rejects > 0 {
		add("medium", "Rows of the source could not be read", chart.Count(int64(m.Data.Rejects))+" rows were left out", "look at the rejects file of the run")
	}
	for _, a := range c.Alerts {
		add("medium", "Warning about the data", a, "see the exploration page of the run")
	}
}

func performanceLimits(c bundle.Card, d *Decisions, add func(severity, what, evidence, do string)) {
	if v, ok := c.Holdout["auc"]; ok {
		if v.Low <= 0.5 && v.High > 0 {
			add("high", "The model cannot be told from guessing", "the AUC's interval, "+interval(chart.Fixed, v)+", reaches 0.5", "do not use it")
		} else if v.High-v.Low > wideInterval {
			add("medium", "The AUC is known only roughly", fmt.Sprintf("its 95%% interval, %s, is %s wide", interval(chart.Fixed, v), chart.Fixed(v.High-v.Low)),
				"compare models by their intervals, not by their values")
		}
		if v.Value > suspiciousAUC {
			add("high", "The result is too good", "AUC "+chart.Fixed(v.Value)+"; columns known only after the outcome give such figures",
				"check when each of the leading columns becomes known")
		}
		if oof := chosenAUC(c); oof != nil && v.High > 0 && v.High < *oof {
			add("medium", "The holdout is below what training promised",
				fmt.Sprintf("AUC %s in cross-validation, %s on the holdout (interval %s)", chart.Fixed(*oof), chart.Fixed(v.Value), interval(chart.Fixed, v)),
				"expect the lower figure; look for drift between training and holdout rows")
		}
	}
	if v, ok := c.Holdout["accuracy"]; ok {
		if base, ok := c.Baseline["accuracy"]; ok && v.Low <= base {
			add("medium", "Accuracy is no better than always naming the larger class",
				fmt.Sprintf("%s (interval %s) against %s", chart.Percent(v.Value), interval(chart.Percent, v), chart.Percent(base)),
				"judge the model by its ranking, its probabilities and its cost; the threshold may serve cost at the expense of accuracy")
		}
	}
	if v, ok := c.Holdout["calibration_error"]; ok && v.Value > poorCalibration {
		add("medium", "Probabilities are off", fmt.Sprintf("predicted and observed frequency differ by %s on average", chart.Fixed(v.Value)),
			"use the score to rank, not as a probability")
	}
	if v, ok := c.Holdout["rmse"]; ok {
		if base, ok := c.Baseline["rmse"]; ok && v.High >= base {
			add("high", "The model cannot be told from the mean", fmt.Sprintf("RMSE %s (interval %s) against %s for the mean", chart.Short(v.Value), interval(chart.Short, v), chart.Short(base)), "do not use it")
		}
		if v.High-v.Low > wideRegressionCI*v.Value {
			add("medium", "The error is known only roughly", "RMSE "+interval(chart.Short, v), "collect more rows and evaluate again")
		}
	}
	if d != nil && d.Costs != nil && d.Costs.Best > 0 && d.Costs.Saving <= 0 {
		add("high", "Deciding by the model does not pay", fmt.Sprintf("%s a case against %s for a rule without a model", chart.Short(d.Costs.Model), chart.Short(d.Costs.Best)), "do not decide with it at this threshold")
	}
	if imp := ranked(c.Importance); len(imp) > 1 {
		sum := 0.0
		for _, i := range imp {
			sum += max(i.Drop, 0)
		}
		if imp[0].Drop > singleColumn*sum {
			add("low", "The model rests mostly on one column", fmt.Sprintf("%s carries %s of the importance", imp[0].Column, chart.Percent(imp[0].Drop/sum)),
				"make sure that "+imp[0].Column+" is known, right and lawful to use at the time of the decision")
		}
	}
}

// chosenAUC returns the chosen candidate's AUC out of fold, nil if unknown.
func chosenAUC(c bundle.Card) *float64 {
	for _, row := range c.Leaderboard {
		if row.Learner == c.Chosen {
			return row.AUC
		}
	}
	return nil
}

// list joins names the way a sentence does, "a, b and c", cutting long names
// and giving the number of those beyond twelve.
func list(names []string) string {
	const most = 12
	var words []string
	for _, n := range names[:min(len(names), most)] {
		words = append(words, chart.Clean(n, 60))
	}
	if more := len(names) - most; more > 0 {
		words = append(words, fmt.Sprintf("%d more", more))
	}
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}
