package web

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"sort"
	"strconv"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/chart"
)

// modelPage is the address of a version's card.
func modelPage(project string, number int) string {
	return to("models", project) + "?version=" + strconv.Itoa(number)
}

// modelView is a version with its card.
type modelView struct {
	*project
	Shown    *version // nil: the project has no version
	Card     bundle.Card
	Manifest bundle.Manifest
	Subtitle string
	Figures  []figure
	Measures []measure
	Matrix   *matrix
	Facts    []fact

	ROC, Reliability, Cost, Importance template.HTML
	Columns                            []bundle.Importance
}

// measure is one metric of the holdout beside what it is without a model.
type measure struct {
	Key, Meaning, Better string
	bundle.Measure
	Baseline string
}

// matrix is decisions against outcomes on the holdout.
type matrix struct {
	bundle.Confusion
	Positive, Negative string
	Threshold          float64
	Rows               int
	Shares             []fact
}

// fact is a named piece of text.
type fact struct{ Name, Text string }

func (s *site) model(r *request, p *project) (any, error) {
	v := modelView{project: p, Shown: p.Champion}
	if text := r.URL.Query().Get("version"); text != "" {
		n, err := strconv.Atoi(text)
		if v.Shown = p.version(n); err != nil || v.Shown == nil {
			return nil, notFound("This project has no version of that number.")
		}
	} else if v.Shown == nil && len(p.Versions) > 0 {
		v.Shown = &p.Versions[0]
	}
	r.head.Title = p.Name + ": no model"
	if v.Shown == nil {
		return v, nil
	}
	r.head.Title = fmt.Sprintf("%s version %d", p.Name, v.Shown.Number)
	b, err := s.src.Bundle(v.Shown.Bundle)
	if err != nil {
		return nil, err
	}
	v.Card, v.Manifest = b.Card, b.Manifest
	c := &v.Card
	v.Subtitle = "Predicts " + c.Target
	if b.Decision.Positive != "" {
		v.Subtitle = "Predicts the probability that " + b.Manifest.Target + " is " + b.Decision.Positive
	}
	v.Measures = measures(c)
	v.Figures = headline(b, v.Measures)
	v.Facts = facts(b)
	if k := c.Confusion; k != nil {
		v.Matrix = newMatrix(*k, b.Decision)
	}
	v.charts()
	return v, nil
}

func (v *modelView) charts() {
	c := &v.Card
	if len(c.ROC) > 1 {
		var at *[2]float64
		if m := v.Matrix; m != nil && m.TP+m.FN > 0 && m.FP+m.TN > 0 {
			at = &[2]float64{float64(m.FP) / float64(m.FP+m.TN), float64(m.TP) / float64(m.TP+m.FN)}
		}
		v.ROC = chart.ROC(chart.Frame{Title: "ROC curve on the holdout"}, c.ROC, at)
	}
	var bins []chart.Observed
	for _, bin := range c.Reliability {
		o := chart.Observed{Score: bin.Score, Observed: bin.Observed, Rows: bin.Rows}
		o.Low, o.High = wilson(bin.Observed, bin.Rows)
		bins = append(bins, o)
	}
	if len(bins) > 0 {
		v.Reliability = chart.Reliability(chart.Frame{Title: "Reliability on the holdout"}, bins)
	}
	if len(c.Cost) > 1 {
		line := chart.Series{Name: "model"}
		for _, p := range c.Cost {
			line.X, line.Y = append(line.X, p.Threshold), append(line.Y, p.Cost)
		}
		v.Cost = chart.Line(chart.Frame{Title: "Cost of a case by threshold, on the holdout", X: "threshold", Y: "mean cost of a case", Width: 320, Height: 320},
			chart.Lines{Series: []chart.Series{line}, Zero: true, Vertical: []chart.Mark{{At: c.Threshold, Name: "threshold " + chart.Short(c.Threshold)}}})
	}
	v.Columns = slices.Clone(c.Importance)
	sort.SliceStable(v.Columns, func(i, j int) bool { return v.Columns[i].Drop > v.Columns[j].Drop })
	var bars []chart.Bar
	for _, i := range v.Columns[:min(len(v.Columns), 30)] {
		bar := chart.Bar{Label: i.Column, Value: i.Drop, Text: chart.Fixed(i.Drop)}
		if c.Task == bundle.Regression {
			bar.Text = chart.Short(i.Drop)
		}
		if i.SD > 0 {
			bar.Low, bar.High = max(i.Drop-2*i.SD, 0), i.Drop+2*i.SD
		}
		bars = append(bars, bar)
	}
	if len(bars) > 0 {
		axis := "loss of AUC"
		if c.Task == bundle.Regression {
			axis = "rise of RMSE"
		}
		v.Importance = chart.Bars(chart.Frame{Title: "Importance of columns", X: axis}, bars)
	}
}

func newMatrix(k bundle.Confusion, d bundle.Decision) *matrix {
	m := &matrix{Confusion: k, Positive: d.Positive, Negative: d.Negative, Threshold: d.Threshold, Rows: k.TP + k.FP + k.FN + k.TN}
	add := func(name string, hits, of int) {
		if of == 0 {
			return
		}
		share := float64(hits) / float64(of)
		low, high := wilson(share, of)
		m.Shares = append(m.Shares, fact{name, fmt.Sprintf("%s (%s to %s), %s of %s", chart.Percent(share), chart.Percent(low), chart.Percent(high),
			chart.Count(int64(hits)), chart.Count(int64(of)))})
	}
	add("Of the "+d.Positive+", called "+d.Positive, k.TP, k.TP+k.FN)
	add("Of the "+d.Negative+", called "+d.Positive+" in error", k.FP, k.FP+k.TN)
	add("Of those called "+d.Positive+", truly", k.TP, k.TP+k.FP)
	add("Of those called "+d.Negative+", truly", k.TN, k.TN+k.FN)
	return m
}

// wilson returns the 95% interval of a share of n rows: Wilson, "Probable
// inference, the law of succession, and statistical inference", JASA 22, 1927.
func wilson(p float64, n int) (low, high float64) {
	if n <= 0 || math.IsNaN(p) {
		return 0, 0
	}
	const z = 1.959963984540054
	size := float64(n)
	centre := (p + z*z/(2*size)) / (1 + z*z/size)
	half := z / (1 + z*z/size) * math.Sqrt(float64(p*(1-p))/size+z*z/(4*size*size))
	return max(centre-half, 0), min(centre+half, 1)
}

// measures lists the holdout's figures in the order of the table of metrics,
// then the others by name.
func measures(c *bundle.Card) []measure {
	place := func(key string) int {
		return slices.IndexFunc(metrics, func(m metric) bool { return m.key == key })
	}
	var keys []string
	for k := range c.Holdout {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool {
		a, b := place(keys[i]), place(keys[j])
		switch {
		case a >= 0 && b >= 0:
			return a < b
		case a < 0 && b < 0:
			return keys[i] < keys[j]
		}
		return a >= 0
	})
	var out []measure
	for _, k := range keys {
		m := metricOf(k)
		x := measure{Key: k, Meaning: m.meaning, Better: m.better, Measure: c.Holdout[k]}
		if base, known := c.Baseline[k]; known {
			x.Baseline = m.text(base)
		} else if k == "auc" {
			x.Baseline = m.text(0.5) // guessing, by definition
		}
		out = append(out, x)
	}
	return out
}

// headline picks the figures that stand at the top, each beside its interval
// and its baseline: an accuracy alone says nothing.
func headline(b *bundle.Bundle, ms []measure) []figure {
	without := map[string]string{"auc": "guessing: %s", "accuracy": "always the larger class: %s",
		"rmse": "the mean alone: %s", "mae": "the mean alone: %s"}
	var out []figure
	for _, m := range ms {
		if !slices.Contains([]string{"auc", "accuracy", "calibration_error", "rmse", "mae", "r2"}, m.Key) {
			continue
		}
		f := figure{Name: metricOf(m.Key).name, Text: metricOf(m.Key).text(m.Value)}
		if i := interval(m.Key, m.Measure); i != "" {
			f.Beside = "95% interval " + i
		}
		if m.Baseline != "" && without[m.Key] != "" {
			if f.Beside != "" {
				f.Beside += "; "
			}
			f.Beside += fmt.Sprintf(without[m.Key], m.Baseline)
		}
		out = append(out, f)
	}
	if k := b.Card.Confusion; k != nil && k.TP+k.FN > 0 {
		share := float64(k.TP) / float64(k.TP+k.FN)
		low, high := wilson(share, k.TP+k.FN)
		out = append(out, figure{Name: "Caught " + b.Decision.Positive, Text: chart.Percent(share),
			Beside: fmt.Sprintf("95%% interval %s to %s; false alarms %s", chart.Percent(low), chart.Percent(high),
				chart.Percent(float64(k.FP)/float64(max(k.FP+k.TN, 1))))})
	}
	return out
}

// facts says where a bundle comes from.
func facts(b *bundle.Bundle) []fact {
	m, c := &b.Manifest, &b.Card
	out := []fact{
		{"Source", m.Data.Source},
		{"Content (SHA-256)", m.Data.SHA256},
		{"Rows, columns", fmt.Sprintf("%s, %s; %s rows could not be read", chart.Count(int64(m.Data.Rows)), chart.Count(int64(m.Data.Columns)), chart.Count(int64(m.Data.Rejects)))},
		{"Split", fmt.Sprintf("%s: %s rows for training, %s for calibration, %s held out; %d folds", c.Split.Method,
			chart.Count(int64(c.Split.Train)), chart.Count(int64(c.Split.Calibration)), chart.Count(int64(c.Split.Holdout)), c.Split.Folds)},
	}
	inputs := make([]string, 0, b.Layout().Cols())
	for _, f := range b.Layout().Fields() {
		inputs = append(inputs, f.Name)
	}
	out = append(out, fact{"Inputs", list(inputs, 40)})
	if len(c.Protected) > 0 {
		out = append(out, fact{"Never scored", list(c.Protected, 40) + " (protected)"})
	}
	var members []string
	for _, member := range b.Members {
		members = append(members, member.Learner+" with weight "+chart.Short(member.Weight))
	}
	out = append(out, fact{"Members", list(members, 20)})
	search := "complete: the same data and seed give the same bundle"
	if !m.Complete {
		search = "cut by the time budget: another machine may find another model"
	}
	return append(out, fact{"Search", search}, fact{"Seed", strconv.FormatUint(m.Seed, 10)}, fact{"Made by", m.Producer}, fact{"Bundle id", b.ID()})
}
