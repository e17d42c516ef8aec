package report

import (
	"fmt"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/chart"
)

// figures picks the headline numbers: what ranks, what is right, what is
// honest as a probability, what it costs.
func figures(c bundle.Card, d *Decisions) []Figure {
	out := []Figure{}
	add := func(key string, beside ...string) {
		v, ok := c.Holdout[key]
		if !ok {
			return
		}
		m := metricOf(key)
		var parts []string
		if iv := interval(m.text, v); iv != "" {
			parts = append(parts, "95% interval "+iv)
		}
		if b, ok := c.Baseline[key]; ok {
			parts = append(parts, fmt.Sprintf(beside[0], m.text(b)))
		}
		out = append(out, Figure{m.name, m.text(v.Value), strings.Join(parts, "; ")})
	}
	if c.Task == bundle.Regression {
		add("rmse", "the mean alone: %s")
		add("mae", "the mean alone: %s")
		add("r2", "the mean alone: %s")
		return out
	}
	add("auc", "guessing: %s")
	add("accuracy", "always "+escapePercent(namesOf(c).majority)+": %s")
	add("calibration_error", "baseline: %s")
	if d == nil {
		add("log_loss", "base rate alone: %s")
		return out
	}
	if d.Caught.Of > 0 {
		out = append(out, Figure{"Caught " + namesOf(c).positive, chart.Percent(d.Caught.Value),
			"95% interval " + chart.Percent(d.Caught.Low) + " to " + chart.Percent(d.Caught.High)})
	}
	if x := d.Costs; x != nil {
		out = append(out, Figure{"Cost a case", chart.Short(x.Model), "best rule without a model: " + chart.Short(x.Best)})
	}
	return out
}

// escapePercent keeps a class name from being read as a formatting verb.
func escapePercent(s string) string { return strings.ReplaceAll(s, "%", "%%") }

// verdict says in one paragraph what a decision maker must know. Each sentence
// is there only if the card holds its figure.
func verdict(r *Report) string {
	var s []string
	if r.c.Task == bundle.Regression {
		s = append(s, regressionVerdict(r.c)...)
	} else {
		s = append(s, binaryVerdict(r)...)
	}
	if len(s) == 0 {
		s = append(s, "The run holds no figures on rows that the model did not see, so nothing can be said of how good it is.")
	}
	if r.Rests != "" {
		s = append(s, r.Rests)
	}
	if p := r.c.Protected; len(p) > 0 {
		s = append(s, fmt.Sprintf("It must not use %s, which are kept out of scores and reasons and serve only to check fairness.", list(p)))
		if len(p) == 1 {
			s[len(s)-1] = fmt.Sprintf("It must not use %s, which is kept out of scores and reasons and serves only to check fairness.", p[0])
		}
	}
	return strings.Join(append(s, limitsVerdict(r.Limits)), " ")
}

func binaryVerdict(r *Report) []string {
	c, n := r.c, namesOf(r.c)
	var s []string
	if v, ok := c.Holdout["auc"]; ok {
		text := fmt.Sprintf("%she model scores a %s case above a %s one %s of the time (AUC %s", seen(c), n.positive, n.negative, chart.Percent(v.Value), chart.Fixed(v.Value))
		if iv := interval(chart.Fixed, v); iv != "" {
			text += ", 95% interval " + iv
		}
		s = append(s, text+"; guessing gives 0.5).")
	}
	if v, ok := c.Holdout["accuracy"]; ok {
		if base, known := c.Baseline["accuracy"]; known {
			how := "against %s for"
			switch {
			case v.Value < base:
				how = "fewer than the %s of"
			case v.Low <= base:
				how = "not clearly more than the %s of"
			}
			s = append(s, fmt.Sprintf("At its threshold of %s it is right in %s of cases, "+how+" always saying %s.",
				chart.Fixed(c.Threshold), chart.Percent(v.Value), chart.Percent(base), n.majority))
		}
	}
	if d := r.Decisions; d != nil && d.Costs != nil {
		x := d.Costs
		text := fmt.Sprintf("With the costs given (%s for a false alarm, %s for a miss) a case costs %s by the model and %s by the best rule without one",
			chart.Short(x.FalsePositive), chart.Short(x.FalseNegative), chart.Short(x.Model), chart.Short(x.Best))
		switch {
		case x.Best > 0 && x.Saving > 0:
			text += fmt.Sprintf(", a saving of %s", chart.Percent(x.Saving))
		case x.Best > 0 && x.Saving < 0:
			text += ": it does not pay"
		}
		s = append(s, text+".")
	}
	if v, ok := c.Holdout["calibration_error"]; ok {
		if v.Value <= poorCalibration {
			s = append(s, fmt.Sprintf("Its probabilities can be taken at face value (calibration error %s).", chart.Fixed(v.Value)))
		} else {
			s = append(s, fmt.Sprintf("Its probabilities should not be taken at face value (calibration error %s).", chart.Fixed(v.Value)))
		}
	}
	return s
}

func regressionVerdict(c bundle.Card) []string {
	v, ok := c.Holdout["rmse"]
	if !ok {
		return nil
	}
	text := fmt.Sprintf("%she model misses the true %s by %s (root mean squared error", seen(c), c.Target, chart.Short(v.Value))
	if iv := interval(chart.Short, v); iv != "" {
		text += ", 95% interval " + iv
	}
	text += ")"
	if base, ok := c.Baseline["rmse"]; ok {
		text += fmt.Sprintf(", against %s for always predicting the mean", chart.Short(base))
	}
	s := []string{text + "."}
	if r2, ok := c.Holdout["r2"]; ok {
		s = append(s, fmt.Sprintf("It explains %s of the variance.", chart.Percent(r2.Value)))
	}
	return s
}

// seen begins the verdict with the rows it rests on; the caller goes on with "he model".
func seen(c bundle.Card) string {
	if c.Split.Holdout == 0 {
		return "T"
	}
	later := ""
	if c.Split.Method == "out-of-time" {
		later = "later "
	}
	return fmt.Sprintf("On %s %srows that it never saw, t", chart.Count(int64(c.Split.Holdout)), later)
}

// rests names the leading columns that stand out of the noise of shuffling.
func rests(imp []bundle.Importance) string {
	var lead []string
	for _, i := range imp {
		if i.Drop > 2*i.SD && i.Drop > 0 && len(lead) < 3 {
			lead = append(lead, i.Column)
		}
	}
	if len(lead) == 0 {
		return ""
	}
	return "It rests most on " + list(lead) + "."
}

func limitsVerdict(limits []Limit) string {
	high := 0
	for _, l := range limits {
		if l.Severity == "high" {
			high++
		}
	}
	switch {
	case high == 1:
		return "The run found a serious limit (" + lowerFirst(limits[0].What) + "): read it before any use."
	case high > 1:
		return fmt.Sprintf("The run found %d serious limits: read them before any use.", high)
	case len(limits) == 1:
		return "The run found one limit, given below."
	case len(limits) > 1:
		return fmt.Sprintf("The run found %d limits, given below.", len(limits))
	}
	return "The run's own checks found no limit."
}

func lowerFirst(s string) string {
	if len(s) > 1 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'a' && s[1] <= 'z' {
		return string(s[0]+32) + s[1:]
	}
	return s
}
