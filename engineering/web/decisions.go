package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"regexp"
	"slices"
	"sort"
	"strconv"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/decisions"
)

const (
	newestDecisions = 100 // on the page of decisions
	liveSeconds     = 5   // between two drawings of a live page
	topReasons      = 2   // in a row of the table
)

// decisionsView lists the newest decisions of a project.
type decisionsView struct {
	*project
	Rows       []decisionRow
	Figures    []figure
	Histogram  template.HTML
	Live       bool
	Regression bool
	Try        string
}

// decisionRow is one decision in the table.
type decisionRow struct {
	decisions.Entry
	ScoreText string
	Bar       template.HTML
	Positive  bool // the decision is the positive class
	Why       []string
	Differs   bool // the outcome is not what was decided
}

func (s *site) decisions(r *request, p *project) (any, error) {
	r.head.Title = p.Name + " decisions"
	v := decisionsView{project: p, Live: r.URL.Query().Get("live") == "true"}
	if v.Live {
		r.head.Refresh = liveSeconds
	}
	entries, err := s.src.Log.Recent(p.Name, newestDecisions)
	if err != nil {
		return nil, err
	}
	b, err := s.champion(p)
	if err != nil {
		return nil, err
	}
	if b != nil {
		v.Regression = b.Manifest.Task == bundle.Regression
		if len(entries) == 0 {
			v.Try = curl(r, p.Name, b)
		}
	}
	opened := make(map[string]*bundle.Bundle)
	for _, e := range entries {
		maker, known := opened[e.Bundle]
		if !known {
			maker, _ = s.src.Bundle(e.Bundle) // nil: the decision is shown without its threshold
			opened[e.Bundle] = maker
		}
		v.Rows = append(v.Rows, rowOf(e, maker))
	}
	v.summarise(b)
	return v, nil
}

func rowOf(e decisions.Entry, b *bundle.Bundle) decisionRow {
	row := decisionRow{Entry: e, ScoreText: chart.Short(e.Score)}
	if e.Decision.Decision != "" {
		row.ScoreText = chart.Fixed(e.Score)
		threshold := math.NaN()
		if b != nil && b.Decision.Classes == nil {
			threshold = b.Decision.Threshold
			row.Positive = e.Decision.Decision == b.Decision.Positive
		}
		row.Bar = scoreBar(e.Score, threshold)
		row.Differs = e.Outcome != nil && !data.SameValue(e.Outcome.Value, e.Decision.Decision)
	}
	for _, reason := range e.Reasons[:min(len(e.Reasons), topReasons)] {
		row.Why = append(row.Why, reason.Text)
	}
	return row
}

// summarise makes the figures over the rows shown.
func (v *decisionsView) summarise(b *bundle.Bundle) {
	if len(v.Rows) == 0 || b == nil || v.Regression {
		return
	}
	n, positive, known, differs, sum := len(v.Rows), 0, 0, 0, 0.0
	hist := chart.Hist{Edges: make([]float64, 21), Counts: make([]float64, 20)}
	for i := range hist.Edges {
		hist.Edges[i] = float64(i) / 20
	}
	for i := range v.Rows {
		row := &v.Rows[i]
		sum += row.Score
		hist.Counts[min(max(int(row.Score*20), 0), 19)]++
		if row.Positive {
			positive++
		}
		if row.Outcome != nil {
			known++
			if row.Differs {
				differs++
			}
		}
	}
	v.Figures = []figure{
		{Name: "Shown", Text: chart.Count(int64(n)), Beside: "the newest, down to " + v.Rows[n-1].Time.Format("2 Jan 15:04") + " UTC"},
		{Name: "Decided " + b.Decision.Positive, Text: chart.Percent(float64(positive) / float64(n)), Beside: fmt.Sprintf("threshold %s", chart.Fixed(b.Decision.Threshold))},
		{Name: "Mean score", Text: chart.Fixed(sum / float64(n))},
		{Name: "With an outcome", Text: chart.Count(int64(known)), Beside: fmt.Sprintf("%s turned out otherwise than decided", chart.Count(int64(differs)))},
	}
	if b.Decision.Classes != nil { // there is no threshold
		v.Figures[1] = figure{Name: "Classes", Text: chart.Count(int64(len(b.Decision.Classes)))}
	}
	if b.Scores.Finite() > 0 {
		v.Figures[2].Beside = "on the holdout " + chart.Fixed(b.Scores.Mean)
	}
	v.Histogram = chart.Histogram(chart.Frame{Title: "Scores of the decisions shown", X: "score", Height: 130}, hist)
}

// scoreBar draws a score in [0, 1] with a mark at the threshold. It says
// nothing that the score beside it does not, so readers of the screen skip it.
func scoreBar(score, threshold float64) template.HTML {
	const width = 90.0
	px := func(v float64) string {
		return strconv.FormatFloat(math.Round(width*min(max(v, 0), 1)*10)/10, 'f', -1, 64)
	}
	if math.IsNaN(score) {
		return ""
	}
	svg := `<svg class="chart score" width="90" height="14" viewBox="0 0 90 14" aria-hidden="true">` +
		`<rect class="track" x="0" y="4" width="90" height="6"/><rect class="bar" x="0" y="4" width="` + px(score) + `" height="6"/>`
	if !math.IsNaN(threshold) {
		svg += `<path class="whisker" d="M` + px(threshold) + ` 1V13"/>`
	}
	return template.HTML(svg + "</svg>") // numbers alone
}

// decisionView is one decision.
type decisionView struct {
	decisions.Entry
	ScoreText string
	Bar       template.HTML
	Positive  bool
	Differs   bool
	Version   *version
	Bundle    *bundle.Bundle
	Threshold float64

	Replayed bool // the bundle is at hand
	Equal    bool // margin and score have the logged bits
	Again    struct{ Margin, Score float64 }
	Base     float64

	Parts  template.HTML
	Inputs []inputRow
	Others []inputRow // came with the request and are not scored
}

// inputRow is one field of a request.
type inputRow struct {
	Name, Value, Typical, Role string
	Part                       float64
}

var decisionID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func (s *site) decision(r *request) (any, error) {
	id := r.PathValue("id")
	if !decisionID.MatchString(id) {
		return nil, notFound("This is not the id of a decision.")
	}
	d, outcome, err := s.src.Log.Get(id)
	switch {
	case errors.Is(err, decisions.ErrErased):
		return nil, &failure{http.StatusGone, "Erased", "This decision was erased.", "That it was made is still in the log's chain; what it was about is gone."}
	case errors.Is(err, decisions.ErrUnknown):
		return nil, notFound("The log holds no decision of this id.")
	case err != nil:
		return nil, err
	}
	p, err := s.project(r, d.Project)
	if err != nil {
		return nil, err
	}
	r.head.Title = "Decision " + id
	row := rowOf(decisions.Entry{Decision: d, Outcome: outcome}, nil)
	v := decisionView{Entry: row.Entry, Version: p.ofBundle(d.Bundle), Differs: row.Differs, ScoreText: row.ScoreText, Bar: row.Bar}
	var given map[string]json.RawMessage
	if len(d.Inputs) > 0 {
		if err := json.Unmarshal(d.Inputs, &given); err != nil {
			return nil, fmt.Errorf("inputs of decision %s: they are not a JSON object", id)
		}
	}
	if b, err := s.src.Bundle(d.Bundle); err == nil {
		row = rowOf(v.Entry, b)
		v.Bundle, v.Positive, v.Bar, v.Threshold = b, row.Positive, row.Bar, b.Decision.Threshold
		v.replay(given)
	} else {
		v.parts(d.Reasons)
	}
	v.others(given)
	return v, nil
}

// replay computes the decision again, and every input's part in it.
func (v *decisionView) replay(given map[string]json.RawMessage) {
	layout := v.Bundle.Layout()
	row := make([]float64, layout.Cols())
	if _, err := layout.DecodeJSON(row, v.Entry.Inputs, false); err != nil {
		v.parts(v.Reasons)
		return
	}
	v.Replayed = true
	v.Again.Margin, v.Again.Score = v.Bundle.Score(row)
	v.Equal = math.Float64bits(v.Again.Margin) == math.Float64bits(v.Margin) && math.Float64bits(v.Again.Score) == math.Float64bits(v.Score)
	part := make([]float64, layout.Cols())
	v.Base, _ = v.Bundle.Contributions(part, row)
	for j, f := range layout.Fields() {
		v.Inputs = append(v.Inputs, inputRow{Name: f.Name, Value: valueText(given[f.Name]), Typical: typical(v.Bundle.Profile.Column(f.Name)), Part: part[j]})
	}
	sort.SliceStable(v.Inputs, func(i, j int) bool { return math.Abs(v.Inputs[i].Part) > math.Abs(v.Inputs[j].Part) })
	var bars []chart.Bar
	for _, in := range v.Inputs {
		bars = append(bars, chart.Bar{Label: chart.Clean(in.Name+" = "+in.Value, 26), Value: in.Part})
	}
	v.draw(bars)
}

// parts draws the logged reasons alone.
func (v *decisionView) parts(reasons []bundle.Reason) {
	var bars []chart.Bar
	for _, r := range reasons {
		bars = append(bars, chart.Bar{Label: r.Column, Value: r.Contribution})
	}
	v.draw(bars)
}

func (v *decisionView) draw(bars []chart.Bar) {
	if len(bars) == 0 {
		return
	}
	axis := "lower score  |  higher score"
	if v.Bundle != nil && v.Bundle.Decision.Positive != "" {
		axis = "towards " + v.Bundle.Decision.Negative + "  |  towards " + v.Bundle.Decision.Positive
	}
	v.Parts = chart.Diverging(chart.Frame{Title: "Parts of the inputs in the margin", X: axis}, bars)
}

// others lists what came with the request and is not an input of the model.
func (v *decisionView) others(given map[string]json.RawMessage) {
	names := make([]string, 0, len(given))
	for name := range given {
		if !slices.ContainsFunc(v.Inputs, func(in inputRow) bool { return in.Name == name }) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		in := inputRow{Name: name, Value: valueText(given[name]), Role: "not an input of this model"}
		if v.Bundle != nil {
			if f := v.Bundle.Contract.Field(name); f != nil && f.Role != data.Feature {
				in.Role = string(f.Role)
			}
		} else {
			in.Role = "the bundle is not at hand"
		}
		v.Others = append(v.Others, in)
	}
}

// typical says what the training data had: a number's middle half, a
// category's most frequent value.
func typical(c *data.ColumnProfile) string {
	switch {
	case c == nil || c.Count == 0:
		return ""
	case c.Kind == data.Number && c.Finite() > 0:
		return chart.Short(c.Sketch.Quantile(0.25)) + " to " + chart.Short(c.Sketch.Quantile(0.75))
	case c.Kind == data.Category && len(c.Top) > 0:
		return fmt.Sprintf("%s (%s)", c.Top[0].Value, chart.Percent(float64(c.Top[0].Count)/float64(c.Count)))
	}
	return ""
}
