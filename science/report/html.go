package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/chart"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"text":     func(s string) string { return chart.Clean(s, 2000) },
	"clean":    func(s string) string { return chart.Clean(s, 300) },
	"short":    chart.Short,
	"fixed":    chart.Fixed,
	"percent":  chart.Percent,
	"count":    func(n int) string { return chart.Count(int64(n)) },
	"p":        pValue,
	"metric":   func(key string) string { return metricOf(key).name },
	"value":    func(key string, v float64) string { return metricOf(key).text(v) },
	"interval": intervalOf,
	"baseline": baselineOf,
}).Parse(pageText))

// view is what the page's template reads.
type view struct {
	*Report
	CSS                                          template.CSS
	ROCChart, ReliabilityChart, CostChart, Shape template.HTML
	ImportanceShown, ImportanceTotal             int
	First, Second, Spread                        string // headings of the leaderboard
	Chosen                                       string
}

// maxRows bounds the tables of the page, so that it stays readable and small
// whatever the card holds; the JSON form has everything.
const maxRows = 60

// HTML writes the report as one self-contained page: style and charts inside,
// no script, light and dark after the reader's system, fit to be printed.
func (r *Report) HTML(w io.Writer) error {
	v := view{Report: r, CSS: chart.CSS, First: "AUC", Spread: "SD over folds", Second: "Log loss", Chosen: r.c.Chosen}
	if r.c.Task == bundle.Regression {
		v.First, v.Second = "RMSE", "MAE"
	}
	v.ImportanceTotal = len(r.Importance)
	v.ImportanceShown = min(v.ImportanceTotal, 30)
	v.Shape = r.importanceChart()
	if len(r.ROC) > 1 {
		var at *[2]float64
		if d := r.Decisions; d != nil {
			at = &[2]float64{d.Alarms.Value, d.Caught.Value}
		}
		v.ROCChart = chart.ROC(chart.Frame{Title: "ROC curve on the holdout"}, r.ROC, at)
	}
	if len(r.Reliability) > 0 {
		v.ReliabilityChart = chart.Reliability(chart.Frame{Title: "Reliability on the holdout"}, r.observed())
	}
	if len(r.Cost) > 1 {
		v.CostChart = r.costChart()
	}
	if err := page.Execute(w, v); err != nil {
		return fmt.Errorf("write report of %q as HTML: %w", r.Name, err)
	}
	return nil
}

// Top returns the candidates that the page shows at once: the first ten, the
// chosen one and the baseline.
func (v view) Top() []Candidate {
	var out []Candidate
	for i, c := range v.Leaderboard {
		if i < 10 || c.Chosen || c.Learner == "baseline" {
			out = append(out, c)
		}
	}
	return out
}

// candidates is one table of the leaderboard with its headings.
type candidates struct {
	View view
	Rows []Candidate
}

// Table returns the rows as the template of a leaderboard wants them.
func (v view) Table(rows []Candidate) candidates { return candidates{v, rows} }

// Rest returns the candidates that the page folds away.
func (v view) Rest() []Candidate {
	var out []Candidate
	for i, c := range v.Leaderboard {
		if i >= 10 && i < maxRows && !c.Chosen && c.Learner != "baseline" {
			out = append(out, c)
		}
	}
	return out
}

// Columns returns the rows of the importance table that the page shows.
func (v view) Columns() []bundle.Importance { return v.Importance[:min(len(v.Importance), maxRows)] }

// Warnings returns the limits that the page shows.
func (v view) Warnings() []Limit { return v.Limits[:min(len(v.Limits), maxRows)] }

// maxDetails bounds the questions whose details the page shows, and the lines of
// each of their lists; the Markdown has them all.
const maxDetails = 10

// Questions returns the hypotheses that the page shows, with as much of what was
// looked at as it has room for.
func (v view) Questions() []bundle.Hypothesis {
	out := slices.Clone(v.Hypotheses[:min(len(v.Hypotheses), maxRows)])
	for i := range out {
		h, most := &out[i], maxDetails
		if i >= maxDetails {
			most = 0
		}
		h.Checks, h.NotTaken = h.Checks[:min(len(h.Checks), most)], h.NotTaken[:min(len(h.NotTaken), most)]
		h.Estimates, h.Changes = h.Estimates[:min(len(h.Estimates), most)], h.Changes[:min(len(h.Changes), most)]
	}
	return out
}

// Lines returns the lines of a model card's section that the page shows.
func (v view) Lines(s Section) []string { return s.Lines[:min(len(s.Lines), maxRows)] }

// Failed reports whether a gate did not hold.
func (v view) Failed() bool {
	for _, g := range v.Gates {
		if !g.Held {
			return true
		}
	}
	return false
}

func (r *Report) importanceChart() template.HTML {
	if len(r.Importance) == 0 {
		return ""
	}
	var bars []chart.Bar
	for _, i := range r.Importance[:min(len(r.Importance), 30)] {
		b := chart.Bar{Label: i.Column, Value: i.Drop, Text: chart.Fixed(i.Drop)}
		if r.c.Task == bundle.Regression {
			b.Text = chart.Short(i.Drop)
		}
		if i.SD > 0 {
			b.Low, b.High = max(i.Drop-2*i.SD, 0), i.Drop+2*i.SD
		}
		bars = append(bars, b)
	}
	axis := "loss of AUC when the column is shuffled"
	if r.c.Task == bundle.Regression {
		axis = "rise of RMSE when the column is shuffled"
	}
	return chart.Bars(chart.Frame{Title: "Importance of columns", X: axis, Width: 620}, bars)
}

// observed gives each bin Wilson's interval of its share.
func (r *Report) observed() []chart.Observed {
	var out []chart.Observed
	for _, b := range r.Reliability {
		o := chart.Observed{Score: b.Score, Observed: b.Observed, Rows: b.Rows}
		if b.Rows > 0 && !math.IsNaN(b.Observed) {
			s := share(int(math.Round(b.Observed*float64(b.Rows))), b.Rows)
			o.Low, o.High = s.Low, s.High
		}
		out = append(out, o)
	}
	return out
}

func (r *Report) costChart() template.HTML {
	s := chart.Series{Name: "model"}
	for _, p := range r.Cost {
		s.X, s.Y = append(s.X, p.Threshold), append(s.Y, p.Cost)
	}
	l := chart.Lines{Series: []chart.Series{s}, Zero: true}
	if d := r.Decisions; d != nil {
		l.Vertical = []chart.Mark{{At: d.Threshold, Name: "threshold " + chart.Fixed(d.Threshold)}}
		if d.Costs != nil {
			l.Horizontal = []chart.Mark{{At: d.Costs.Best, Name: "best rule without a model"}}
		}
	}
	return chart.Line(chart.Frame{Title: "Cost of a case by threshold, on the holdout", X: "threshold", Y: "mean cost of a case"}, l)
}

// intervalOf writes a measure's interval in the form of its metric.
func intervalOf(m Measure) string {
	return interval(metricOf(m.Metric).text, bundle.Measure{Value: m.Value, Low: m.Low, High: m.High})
}

// baselineOf writes the metric without a model, "" if the card lacks it.
func baselineOf(m Measure) string {
	if m.Baseline == nil {
		return ""
	}
	return metricOf(m.Metric).text(*m.Baseline)
}

// pValue writes a p-value the way papers do.
func pValue(p float64) string {
	switch {
	case math.IsNaN(p):
		return "–"
	case p < 0.001:
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", p)
}
