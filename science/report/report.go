package report

import (
	"encoding/json"
	"fmt"
	"io"
	"sort"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/chart"
)

// Format is the version of the JSON form; a change that breaks readers raises it.
const Format = 1

// Report is everything a report says, in the order it says it. It is made by
// [New] and read by the writers; its JSON form is stable.
type Report struct {
	Format   int    `json:"format"`
	Name     string `json:"name"`
	Subtitle string `json:"subtitle"`           // what is predicted, in words
	Positive string `json:"positive,omitempty"` // the classes as sentences call them; "" for regression
	Negative string `json:"negative,omitempty"`
	Verdict  string `json:"verdict"` // one paragraph

	Figures     []Figure            `json:"figures"`
	Measures    []Measure           `json:"measures"`
	Decisions   *Decisions          `json:"decisions,omitempty"` // nil when nothing is decided
	Leaderboard []Candidate         `json:"leaderboard"`
	Importance  []bundle.Importance `json:"importance"`
	Rests       string              `json:"rests"` // what the model rests on, in words
	Hypotheses  []bundle.Hypothesis `json:"hypotheses"`
	Data        []Fact              `json:"data"`
	Limits      []Limit             `json:"limits"`
	Gates       []bundle.Gate       `json:"gates"`
	Card        []Section           `json:"card"`

	Reliability []bundle.ReliabilityBin `json:"reliability,omitempty"`
	ROC         [][2]float64            `json:"roc,omitempty"`
	Cost        []bundle.CostPoint      `json:"cost,omitempty"`

	m bundle.Manifest
	c bundle.Card
}

// Figure is one headline number.
type Figure struct {
	Name   string `json:"name"`
	Text   string `json:"text"`   // the number as shown
	Beside string `json:"beside"` // its interval, or what it must be compared with
}

// Measure is one metric of the holdout with what is needed to read it.
type Measure struct {
	Metric   string   `json:"metric"` // the card's key: "auc"
	Name     string   `json:"name"`   // "AUC"
	Value    float64  `json:"value"`
	Low      float64  `json:"low"`
	High     float64  `json:"high"`
	Baseline *float64 `json:"baseline,omitempty"` // the same metric without a model
	Better   string   `json:"better"`             // "higher" or "lower"
	Meaning  string   `json:"meaning"`
}

// Candidate is one row of the leaderboard.
type Candidate struct {
	Learner string `json:"learner"`
	Value   string `json:"value"` // the ordering metric out of fold, as shown
	Spread  string `json:"spread"`
	Other   string `json:"other"` // the second metric
	Params  string `json:"params"`
	Chosen  bool   `json:"chosen"`
}

// Fact is a named piece of text.
type Fact struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Limit is a weakness that the run found: what, the figure that shows it, and
// what can be done.
type Limit struct {
	Severity string `json:"severity"` // "high", "medium" or "low"
	What     string `json:"what"`
	Evidence string `json:"evidence"`
	Do       string `json:"do"`
}

// Section is one heading of the model card.
type Section struct {
	Heading string   `json:"heading"`
	Lines   []string `json:"lines"`
}

// New makes the report of a model from its manifest and card. Parts that the
// card does not hold are left out or said to be unknown; nothing is guessed.
func New(m bundle.Manifest, c bundle.Card) *Report {
	r := &Report{
		Format: Format, Name: c.Name, m: m, c: c,
		Leaderboard: leaderboard(c), Importance: ranked(c.Importance), Hypotheses: c.Hypotheses, Gates: c.Gates,
		Reliability: c.Reliability, ROC: c.ROC, Cost: c.Cost,
	}
	if r.Name == "" {
		r.Name = m.Name
	}
	r.Subtitle = subtitle(c)
	if c.Task != bundle.Regression {
		n := namesOf(c)
		r.Positive, r.Negative = n.positive, n.negative
	}
	r.Measures = measures(c)
	r.Decisions = decisions(c)
	r.Limits = limits(m, c, r.Decisions)
	r.Rests = rests(r.Importance)
	r.Figures = figures(c, r.Decisions)
	r.Data = facts(m, c)
	r.Verdict = verdict(r)
	r.Card = modelCard(r)
	return r
}

// JSON writes the report as one indented object. It returns an error if the
// card holds a figure that is not finite, which JSON cannot carry.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("write report of %q as JSON: %w", r.Name, err)
	}
	return nil
}

// ranked returns the columns by importance, best first, without touching the card.
func ranked(imp []bundle.Importance) []bundle.Importance {
	out := append([]bundle.Importance{}, imp...)
	sort.SliceStable(out, func(i, j int) bool { return out[i].Drop > out[j].Drop })
	return out
}

func subtitle(c bundle.Card) string {
	switch {
	case c.Task == bundle.Regression:
		return "Predicts the value of " + c.Target
	case c.Positive != "":
		return "Predicts the probability that " + c.Target + " is " + c.Positive
	}
	return "Predicts " + c.Target
}

// metric says how one of the card's figures is named, written and read.
type metric struct {
	key, name string
	text      func(float64) string
	lower     bool // lower is better
	meaning   string
}

var metricTable = []metric{
	{"auc", "AUC", chart.Fixed, false, "chance that a random positive scores above a random negative; 0.5 is guessing, 1 is perfect"},
	{"accuracy", "Accuracy", chart.Percent, false, "share of decisions that are right; read it beside the baseline"},
	{"log_loss", "Log loss", chart.Fixed, true, "how surprised the probabilities are by the outcomes"},
	{"brier", "Brier score", chart.Fixed, true, "mean squared gap between probability and outcome"},
	{"ks", "KS", chart.Fixed, false, "largest distance between the score distributions of the two classes"},
	{"calibration_error", "Calibration error", chart.Fixed, true, "mean gap between predicted and observed frequency"},
	{"rmse", "RMSE", chart.Short, true, "root of the mean squared error, in units of the target"},
	{"mae", "MAE", chart.Short, true, "mean absolute error, in units of the target"},
	{"r2", "R²", chart.Fixed, false, "share of the target's variance that is explained; 0 is the mean alone"},
}

// metricOf returns the row of the table, or a plain one for a key it lacks.
func metricOf(key string) metric {
	for _, m := range metricTable {
		if m.key == key {
			return m
		}
	}
	return metric{key: key, name: key, text: chart.Short}
}

// measures lists the holdout's figures in the table's order, then the others
// by name.
func measures(c bundle.Card) []Measure {
	keys := make([]string, 0, len(c.Holdout))
	known := make(map[string]bool)
	for _, m := range metricTable {
		known[m.key] = true
		if _, ok := c.Holdout[m.key]; ok {
			keys = append(keys, m.key)
		}
	}
	var other []string
	for k := range c.Holdout {
		if !known[k] {
			other = append(other, k)
		}
	}
	sort.Strings(other)
	var out []Measure
	for _, k := range append(keys, other...) {
		m, v := metricOf(k), c.Holdout[k]
		row := Measure{Metric: k, Name: m.name, Value: v.Value, Low: v.Low, High: v.High, Better: "higher", Meaning: m.meaning}
		if m.lower {
			row.Better = "lower"
		}
		if b, ok := c.Baseline[k]; ok {
			row.Baseline = &b
		}
		out = append(out, row)
	}
	return out
}

// interval writes a measure's 95% interval, "" if the card has none.
func interval(text func(float64) string, v bundle.Measure) string {
	if v.Low == 0 && v.High == 0 || v.Low == v.High && v.Low != v.Value {
		return ""
	}
	return text(v.Low) + " to " + text(v.High)
}

func leaderboard(c bundle.Card) []Candidate {
	out := []Candidate{}
	chosen := false
	for _, row := range c.Leaderboard {
		x := Candidate{Learner: row.Learner, Params: params(row.Params)}
		if c.Task == bundle.Regression {
			x.Value, x.Spread, x.Other = short(row.RMSE), short(row.RMSESD), short(row.MAE)
		} else {
			x.Value, x.Spread, x.Other = fixed(row.AUC), fixed(row.AUCSD), fixed(row.LogLoss)
		}
		if !chosen && row.Learner == c.Chosen {
			x.Chosen, chosen = true, true
		}
		out = append(out, x)
	}
	return out
}

func fixed(v *float64) string {
	if v == nil {
		return ""
	}
	return chart.Fixed(*v)
}

func short(v *float64) string {
	if v == nil {
		return ""
	}
	return chart.Short(*v)
}

// params writes a candidate's settings by name: "leaves 15, trees 212".
func params(p map[string]any) string {
	names := make([]string, 0, len(p))
	for k := range p {
		names = append(names, k)
	}
	sort.Strings(names)
	out := ""
	for i, k := range names {
		if i > 0 {
			out += ", "
		}
		v := p[k]
		if f, ok := v.(float64); ok {
			v = chart.Short(f)
		}
		out += fmt.Sprintf("%s %v", k, v)
	}
	return out
}
