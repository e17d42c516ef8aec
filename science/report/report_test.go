package report_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/science/report"
)

var update = flag.Bool("update", false, "write the golden files of this package")

// load reads a manifest and a card written by hand in testdata: figures of the
// size that the credit table of examples/credit gives, not the output of a run.
func load(t testing.TB, name string) (m bundle.Manifest, c bundle.Card) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	v := struct {
		Manifest *bundle.Manifest
		Card     *bundle.Card
	}{&m, &c}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return m, c
}

func render(t testing.TB, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"credit", "price"} {
		m, c := load(t, name)
		r := report.New(m, c)
		for end, write := range map[string]func(io.Writer) error{"html": r.HTML, "md": r.Markdown, "report.json": r.JSON} {
			path := filepath.Join("testdata", "golden", name+"."+end)
			got := strings.Replace(render(t, write), chart.CSS, "CSS of package chart", 1)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s differs from what was read and agreed; see with git diff after go test -update", path)
			}
		}
	}
}

// The figures of these sentences are worked out by hand from the counts in
// credit.json: 205 caught, 46 missed, 163 false alarms, 477 right.
func TestWordsCarryTheFigures(t *testing.T) {
	t.Parallel()
	m, c := load(t, "credit")
	r := report.New(m, c)
	all := r.Verdict + "\n" + strings.Join(r.Decisions.Sentences, "\n")
	for _, want := range []string{
		"On 891 rows that it never saw",
		"AUC 0.839, 95% interval 0.812 to 0.866",
		// (205+477)/891 = 0.7654; always good: 640/891 = 0.7183
		"right in 76.5% of cases, against 71.8% for always saying good",
		// 205/251 = 0.8167
		"Of 100 cases that are bad, 82 are caught (205 of 251;",
		// 163/640 = 0.2547
		"Of 100 cases that are good, 25 are called bad in error (163 of 640;",
		// 205/368 = 0.5571
		"Of 100 cases called bad, 56 are (205 of 368;",
		// (163*1 + 46*5)/891 = 0.4411; always good 251*5/891 = 1.409; always bad 640/891 = 0.7183; 1-0.4411/0.7183 = 0.386
		"deciding by the model costs 0.4411 a case; calling every case good costs 1.409, calling every case bad costs 0.7183.",
		"38.6% less than the cheaper of the two rules",
		"It rests most on Records, Seniority and Income.",
		"It must not use Age and Marital",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("missing %q in\n%s", want, all)
		}
	}
}

// Wilson's interval of 205 of 251, worked out apart from the formula of his
// paper in Python: 0.76422 to 0.85970.
func TestShareInterval(t *testing.T) {
	t.Parallel()
	m, c := load(t, "credit")
	s := report.New(m, c).Decisions.Caught
	if math.Abs(s.Low-0.76422) > 1e-5 || math.Abs(s.High-0.85970) > 1e-5 {
		t.Errorf("interval of 205/251 is %.4f to %.4f", s.Low, s.High)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	base, card := load(t, "credit")
	good := card
	good.Split.Method, good.Alerts, good.Gates, good.Limits = "out-of-time", nil, nil, nil
	good.Holdout = map[string]bundle.Measure{}
	for k, v := range card.Holdout {
		good.Holdout[k] = v
	}
	set := func(c *bundle.Card, key string, v bundle.Measure) {
		h := map[string]bundle.Measure{}
		for k, x := range c.Holdout {
			h[k] = x
		}
		h[key] = v
		c.Holdout = h
	}
	complete := base
	complete.Complete = true
	if l := report.New(complete, good).Limits; len(l) != 0 {
		t.Fatalf("a good card has limits: %v", l)
	}
	for _, c := range []struct {
		name string
		edit func(*bundle.Manifest, *bundle.Card)
		want string // severity: what
	}{
		{"gate", func(_ *bundle.Manifest, c *bundle.Card) {
			c.Gates = []bundle.Gate{{Metric: "auc", Rule: ">= 0.9", Value: 0.839}}
		}, "high: A gate did not hold: AUC >= 0.9"},
		{"protected", func(_ *bundle.Manifest, c *bundle.Card) { c.Protected = []string{"Income"} }, "high: Protected column Income is among the model's inputs"},
		{"no holdout", func(_ *bundle.Manifest, c *bundle.Card) { c.Holdout = nil }, "high: The model was not evaluated on held-out rows"},
		{"small", func(_ *bundle.Manifest, c *bundle.Card) { c.Split.Holdout = 499 }, "medium: The holdout is small"},
		{"rare", func(_ *bundle.Manifest, c *bundle.Card) {
			c.Confusion = &bundle.Confusion{TP: 40, FN: 9, FP: 10, TN: 800}
		}, "medium: One class is rare in the holdout"},
		{"not later", func(_ *bundle.Manifest, c *bundle.Card) { c.Split.Method = "stratified" }, "medium: The model was not tested on later data"},
		{"rejects", func(m *bundle.Manifest, _ *bundle.Card) { m.Data.Rejects = 3 }, "medium: Rows of the source could not be read"},
		{"alert", func(_ *bundle.Manifest, c *bundle.Card) { c.Alerts = []string{"x is constant."} }, "medium: Warning about the data"},
		{"guessing", func(_ *bundle.Manifest, c *bundle.Card) {
			set(c, "auc", bundle.Measure{Value: 0.52, Low: 0.49, High: 0.55})
		}, "high: The model cannot be told from guessing"},
		{"wide", func(_ *bundle.Manifest, c *bundle.Card) {
			set(c, "auc", bundle.Measure{Value: 0.84, Low: 0.80, High: 0.88})
		}, "medium: The AUC is known only roughly"},
		{"too good", func(_ *bundle.Manifest, c *bundle.Card) {
			set(c, "auc", bundle.Measure{Value: 0.995, Low: 0.99, High: 0.999})
		}, "high: The result is too good"},
		{"below promise", func(_ *bundle.Manifest, c *bundle.Card) {
			set(c, "auc", bundle.Measure{Value: 0.8, Low: 0.78, High: 0.82})
		}, "medium: The holdout is below what training promised"},
		{"accuracy", func(_ *bundle.Manifest, c *bundle.Card) {
			set(c, "accuracy", bundle.Measure{Value: 0.72, Low: 0.70, High: 0.74})
		}, "medium: Accuracy is no better than always naming the larger class"},
		{"calibration", func(_ *bundle.Manifest, c *bundle.Card) {
			set(c, "calibration_error", bundle.Measure{Value: 0.08, Low: 0.05, High: 0.1})
		}, "medium: Probabilities are off"},
		{"cost", func(_ *bundle.Manifest, c *bundle.Card) { c.FalsePositive, c.FalseNegative = 20, 1 }, "high: Deciding by the model does not pay"},
		{"one column", func(_ *bundle.Manifest, c *bundle.Card) {
			c.Importance = []bundle.Importance{{Column: "a", Drop: 0.1}, {Column: "b", Drop: 0.01}}
		}, "low: The model rests mostly on one column"},
		{"cut", func(m *bundle.Manifest, _ *bundle.Card) { m.Complete = false }, "low: The search was cut by its time budget"},
		{"stated", func(_ *bundle.Manifest, c *bundle.Card) { c.Limits = []string{"Not for companies."} }, "medium: Not for companies"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m, card := complete, good
			c.edit(&m, &card)
			r := report.New(m, card)
			for _, l := range r.Limits {
				if l.Severity+": "+l.What == c.want {
					if l.Evidence == "" {
						t.Errorf("%q has no evidence", c.want)
					}
					return
				}
			}
			t.Errorf("limits %v, want %q", r.Limits, c.want)
		})
	}
}

// Whatever a card lacks is left out; nothing panics and nothing is invented.
func TestSparseCards(t *testing.T) {
	t.Parallel()
	_, full := load(t, "credit")
	for name, c := range map[string]bundle.Card{
		"empty":        {},
		"binary":       {Task: bundle.Binary, Target: "y"},
		"regression":   {Task: bundle.Regression, Target: "y", Holdout: map[string]bundle.Measure{"rmse": {Value: 3}}},
		"no rows":      {Task: bundle.Binary, Confusion: &bundle.Confusion{}},
		"one class":    {Task: bundle.Binary, Confusion: &bundle.Confusion{TN: 5}, FalsePositive: 1, FalseNegative: 1},
		"unknown keys": {Holdout: map[string]bundle.Measure{"gini_adjusted": {Value: 1}, "abc": {Value: 2}}},
		"no numbers":   {Holdout: map[string]bundle.Measure{"auc": {Value: math.NaN(), Low: math.Inf(-1), High: math.Inf(1)}}, Reliability: []bundle.ReliabilityBin{{Observed: math.NaN(), Rows: 3}}, ROC: [][2]float64{{math.NaN(), 0}, {1, 1}}, Importance: []bundle.Importance{{Column: "a", Drop: math.NaN()}, {Column: "b"}}},
		"no baseline":  {Task: bundle.Binary, Holdout: full.Holdout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := report.New(bundle.Manifest{}, c)
			page := render(t, r.HTML) + render(t, r.Markdown)
			for _, bad := range []string{"NaN", "Inf", "%!", "<nil>"} {
				if strings.Contains(page, bad) {
					t.Errorf("the report contains %q:\n%s", bad, page)
				}
			}
			err := r.JSON(io.Discard)
			if (err != nil) != (name == "no numbers") {
				t.Errorf("JSON: %v", err)
			}
		})
	}
}

func TestNothingFromTheDataIsObeyed(t *testing.T) {
	t.Parallel()
	const evil = "</script><script>alert(1)</script>|\n# x `*[a](javascript:b)"
	m, c := load(t, "credit")
	m.Name, m.Data.Source, m.Producer = evil, evil, evil
	c.Name, c.Target, c.Positive, c.Negative, c.Intended, c.Metric, c.Split.Method = evil, evil, evil, evil, evil, evil, evil
	c.Limits, c.Alerts, c.Protected = []string{evil}, []string{evil}, []string{evil}
	c.Leaderboard = []bundle.LeaderboardRow{{Learner: evil, Params: map[string]any{evil: evil}}}
	c.Importance = []bundle.Importance{{Column: evil, Drop: 1}}
	c.Hypotheses = []bundle.Hypothesis{{Question: evil, Test: evil, Sentence: evil, Why: evil, EffectName: evil,
		Checks: []bundle.Assumption{{Name: evil, Found: evil}}, NotTaken: []bundle.Alternative{{Test: evil, Why: evil}},
		Estimates: []bundle.Estimate{{Name: evil}}, Changes: []string{evil}}}
	c.Gates = []bundle.Gate{{Metric: evil, Rule: evil}}
	c.Holdout = map[string]bundle.Measure{evil: {Value: 1}, "auc": {Value: 0.8}}
	r := report.New(m, c)
	if page := render(t, r.HTML); strings.Contains(page, "<script") {
		t.Error("a script element got into the page")
	}
	md := render(t, r.Markdown)
	if regexp.MustCompile(`(?m)(^# x|[^\\]<script|[^\\]\]\()`).MatchString(md) {
		t.Errorf("Markdown from the data is obeyed:\n%s", md)
	}
}

func TestPageIsBoundedAndSelfContained(t *testing.T) {
	t.Parallel()
	m, c := load(t, "credit")
	for i := range 5000 {
		name := fmt.Sprintf("column %d %s", i, strings.Repeat("x", 500))
		c.Importance = append(c.Importance, bundle.Importance{Column: name, Drop: 1 / float64(i+1)})
		c.Leaderboard = append(c.Leaderboard, bundle.LeaderboardRow{Learner: name})
		c.Alerts = append(c.Alerts, name)
		c.Limits = append(c.Limits, name)
		c.Protected = append(c.Protected, name)
		h := bundle.Hypothesis{Question: name, Sentence: name}
		for range 5 {
			h.Checks = append(h.Checks, bundle.Assumption{Name: name, Found: name})
			h.NotTaken = append(h.NotTaken, bundle.Alternative{Test: name, Why: name})
			h.Estimates = append(h.Estimates, bundle.Estimate{Name: name})
			h.Changes = append(h.Changes, name)
		}
		c.Hypotheses = append(c.Hypotheses, h)
		c.Reliability = append(c.Reliability, bundle.ReliabilityBin{Rows: i, Score: float64(i) / 5000, Observed: 0.5})
	}
	page := render(t, report.New(m, c).HTML)
	if len(page) > 600_000 {
		t.Errorf("the page has %d bytes", len(page))
	}
	if m := regexp.MustCompile(`(?i)<script|<link|<img|@import|url\(|src=`).FindString(page); m != "" {
		t.Errorf("the page is not self-contained: %q", m)
	}
}

// The verdict must not praise what is not good.
func TestVerdictIsHonest(t *testing.T) {
	t.Parallel()
	m, c := load(t, "credit")
	c.Holdout = map[string]bundle.Measure{"auc": {Value: 0.51, Low: 0.47, High: 0.55}, "accuracy": {Value: 0.70, Low: 0.67, High: 0.73}}
	v := report.New(m, c).Verdict
	for _, want := range []string{"fewer than the 71.8% of always saying good", "serious limit"} {
		if !strings.Contains(v, want) {
			t.Errorf("missing %q in %q", want, v)
		}
	}
}

func ExampleNew() {
	m := bundle.Manifest{Name: "credit", Complete: true}
	c := bundle.Card{
		Name: "credit", Task: bundle.Binary, Metric: "auc", Target: "Status", Positive: "bad", Negative: "good",
		Split:      bundle.Split{Method: "out-of-time", Train: 2895, Calibration: 668, Holdout: 891},
		Baseline:   map[string]float64{"accuracy": 0.718},
		Holdout:    map[string]bundle.Measure{"auc": {Value: 0.839, Low: 0.812, High: 0.866}, "accuracy": {Value: 0.793, Low: 0.766, High: 0.819}},
		Threshold:  0.5,
		Importance: []bundle.Importance{{Column: "Records", Drop: 0.05, SD: 0.004}, {Column: "Income", Drop: 0.04, SD: 0.003}, {Column: "Home", Drop: 0.03, SD: 0.003}},
		Protected:  []string{"Age"},
	}
	fmt.Println(strings.ReplaceAll(report.New(m, c).Verdict, ". ", ".\n"))
	// Output:
	// On 891 later rows that it never saw, the model scores a bad case above a good one 83.9% of the time (AUC 0.839, 95% interval 0.812 to 0.866; guessing gives 0.5).
	// At its threshold of 0.500 it is right in 79.3% of cases, against 71.8% for always saying good.
	// It rests most on Records, Income and Home.
	// It must not use Age, which is kept out of scores and reasons and serves only to check fairness.
	// The run's own checks found no limit.
}
