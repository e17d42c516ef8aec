package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/linear"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/monitor"
	"github.com/tandem-ml/tandem/engineering/registry"
	"github.com/tandem-ml/tandem/engineering/retrain"
	"github.com/tandem-ml/tandem/engineering/web"
	"github.com/tandem-ml/tandem/project"
)

var start = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// hostile is put wherever a text comes from outside.
const hostile = `<script>alert(1)</script>"'&` + "\u202e" + `{{.}}`

// lender makes a bundle with the score sigmoid(-2 + weight * (300-Income)/100)
// and a card whose figures the tests look for.
func lender(t testing.TB, weight float64) *bundle.Bundle {
	t.Helper()
	contract := data.Contract{Fields: []data.Field{
		{Name: "application", Kind: data.Number, Role: data.ID},
		{Name: "Income", Kind: data.Number, Role: data.Feature, Required: true},
		{Name: "Job", Kind: data.Category, Role: data.Feature, Categories: []string{hostile, "fixed", "free"}},
		{Name: "Age", Kind: data.Number, Role: data.Protected},
		{Name: "Status", Kind: data.Category, Role: data.Target, Categories: []string{"bad", "good"}},
	}}
	m, err := bundle.NewModel(bundle.Model{
		Contract: contract,
		Members: []bundle.Member{{Learner: "logistic", Weight: 1,
			Plan: step.Plan{
				{Name: "Income", Input: 0, Op: step.Standard, Mean: 300, Scale: 100, Low: -100, High: 100},
				{Name: "Job = free", Input: 1, Op: step.OneHot, Index: 2},
			},
			Linear: &linear.Model{Intercept: -2, Weight: []float64{-weight, 1}, Mean: []float64{0, 0.3}},
		}},
		Calibration: bundle.Calibration{Method: "sigmoid", A: 1},
		Decision:    bundle.Decision{Positive: "bad", Negative: "good", Threshold: 0.25, FalsePositive: 1, FalseNegative: 5},
	})
	if err != nil {
		t.Fatal(err)
	}
	rng := seed.Stream(1, "training", 0)
	p := data.NewProfiler(m.Layout().Fields())
	scores := data.NewProfiler([]data.Field{{Name: monitor.ScoreColumn, Kind: data.Number}})
	for range 3000 {
		row := applicant(rng, 0)
		p.AddNumber(0, row[0])
		p.AddCategory(1, contract.Fields[2].Categories[int(row[1])])
		_, score := m.Score(row)
		scores.AddNumber(0, score)
	}
	f := func(v float64) *float64 { return &v }
	scoreProfile := scores.Profile()
	b, err := bundle.New(bundle.Bundle{
		Manifest: bundle.Manifest{Producer: "tandem test", Name: "credit", Task: bundle.Binary, Target: "Status", Reasons: 2,
			Data: data.Snapshot{Source: "loans " + hostile + ".csv", SHA256: strings.Repeat("ab", 32), Rows: 4454, Columns: 5}, Seed: 7, Complete: true},
		Model:   *m,
		Profile: p.Profile(),
		Scores:  scoreProfile.Columns[0],
		Tests:   m.TestRows(bundle.Rows{N: 1, Cols: 2, Data: []float64{120, 1}}),
		Card: bundle.Card{
			Name: "credit", Task: bundle.Binary, Metric: "auc", Target: "Status", Positive: "bad", Negative: "good",
			Intended: "Consumer loans. " + hostile, Limits: []string{"Not for " + hostile}, Alerts: []string{hostile + " is nearly constant"},
			FalsePositive: 1, FalseNegative: 5, Threshold: 0.25, Protected: []string{"Age"},
			Split:    bundle.Split{Method: "stratified", Train: 2895, Calibration: 668, Holdout: 891, Folds: 5},
			Baseline: map[string]float64{"accuracy": 0.718, "log_loss": 0.595},
			Holdout: map[string]bundle.Measure{"auc": {Value: 0.8391, Low: 0.811, High: 0.867}, "accuracy": {Value: 0.7542, Low: 0.726, High: 0.783},
				"calibration_error": {Value: 0.031, Low: 0.02, High: 0.06}, hostile: {Value: 1}},
			Confusion: &bundle.Confusion{TP: 211, FP: 179, FN: 40, TN: 461},
			Leaderboard: []bundle.LeaderboardRow{
				{Learner: "gbdt/" + hostile, Params: map[string]any{"leaves": 8.0, hostile: hostile}, AUC: f(0.8439), AUCSD: f(0.0052), LogLoss: f(0.4281)},
				{Learner: "logistic", AUC: f(0.8271), AUCSD: f(0.0091), LogLoss: f(0.4482)},
				{Learner: "baseline", AUC: f(0.5), AUCSD: f(0), LogLoss: f(0.594)},
			},
			Chosen:      "logistic",
			Reliability: []bundle.ReliabilityBin{{Rows: 400, Score: 0.1, Observed: 0.09}, {Rows: 300, Score: 0.4, Observed: 0.42}},
			ROC:         [][2]float64{{0, 0}, {0.2, 0.7}, {1, 1}},
			Cost:        []bundle.CostPoint{{Threshold: 0, Cost: 0.7}, {Threshold: 0.25, Cost: 0.4}, {Threshold: 1, Cost: 1.4}},
			Importance:  []bundle.Importance{{Column: "Income", Drop: 0.073, SD: 0.004, MeanAbs: 0.5}, {Column: "Job", Drop: 0.02, SD: 0.002, MeanAbs: 0.1}},
			Hypotheses:  []bundle.Hypothesis{{Question: "Do defaulters earn less? " + hostile, Test: "Mann-Whitney U", PCorrected: 0.0001, Sentence: "Yes."}},
			Gates:       []bundle.Gate{{Metric: "auc", Rule: ">= 0.8", Value: 0.8391, Held: true}, {Metric: "calibration_error", Rule: "<= 0.02", Value: 0.031}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// applicant draws an encoded row; shift lowers the incomes.
func applicant(rng *rand.Rand, shift float64) []float64 {
	job := float64(rng.IntN(3))
	return []float64{math.Round((300 + 100*rng.NormFloat64()) * (1 - shift)), job}
}

// world is a project in production, with a real registry, log and monitor.
type world struct {
	t        testing.TB
	registry *registry.Registry
	log      *decisions.Log
	bundles  map[string]*bundle.Bundle
	watched  map[string]*web.Watched
	monitors map[string]*monitor.Monitor
	refused  string
	now      time.Time
	newest   string // the newest decision's id
}

func newWorld(t testing.TB) *world {
	t.Helper()
	reg, err := registry.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	log, err := decisions.Open(t.TempDir(), decisions.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close(); reg.Close() })
	return &world{t: t, registry: reg, log: log, now: start, bundles: map[string]*bundle.Bundle{},
		watched: map[string]*web.Watched{}, monitors: map[string]*monitor.Monitor{}}
}

func (w *world) pages() http.Handler {
	return web.New(web.Source{
		Projects: func() []string { return []string{"credit"} },
		Registry: w.registry,
		Log:      w.log,
		Bundle: func(id string) (*bundle.Bundle, error) {
			if b := w.bundles[id]; b != nil {
				return b, nil
			}
			return nil, fmt.Errorf("bundle %s is gone", id)
		},
		Watched: func(_, id string) web.Watched {
			if seen := w.watched[id]; seen != nil {
				return *seen
			}
			return web.Watched{Of: 100}
		},
		Refused: func(string) string { return w.refused },
	}, web.Options{Now: func() time.Time { return w.now.Add(3 * time.Minute) }})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// add registers a bundle.
func (w *world) add(b *bundle.Bundle, note string) registry.Version {
	w.t.Helper()
	v, err := w.registry.AddVersion(context.Background(), "credit", b.ID(), []byte("the bytes of "+b.ID()), note)
	w.must(err)
	m, err := monitor.New(b, monitor.Options{Window: project.Window{Decisions: 200}, Outcomes: 100})
	w.must(err)
	w.bundles[b.ID()], w.monitors[b.ID()], w.watched[b.ID()] = b, m, &web.Watched{Of: 200}
	return v
}

func (w *world) promote(v registry.Version, reason string, evidence any) {
	w.t.Helper()
	w.must(w.registry.Promote(context.Background(), registry.Promotion{Project: "credit", Alias: registry.Champion, Version: v.Number, Reason: reason, Evidence: evidence}))
}

// decide logs n decisions, a minute apart, with an outcome for every second.
func (w *world) decide(b *bundle.Bundle, n int, shift float64) {
	w.t.Helper()
	rng := seed.Stream(2, "decisions", n)
	seen, watch := w.watched[b.ID()], w.monitors[b.ID()]
	for i := range n {
		row := applicant(rng, shift)
		job := b.Contract.Fields[2].Categories[int(row[1])]
		inputs, err := json.Marshal(map[string]any{"application": i, "Income": row[0], "Job": job, "Age": 41})
		w.must(err)
		w.now = w.now.Add(time.Minute)
		d := decisions.Decision{ID: w.log.NewID(w.now), Time: w.now, Project: "credit", Bundle: b.ID(), Model: "1", RequestID: "req " + hostile,
			Key: "applicant " + hostile, Inputs: inputs}
		d.Margin, d.Score = b.Score(row)
		d.Decision = b.Decide(d.Score)
		d.Reasons = b.Reasons(row, 2, d.Decision == "bad", map[string]string{"Income": "Income in relation " + hostile})
		w.must(w.log.Append(context.Background(), d))
		w.newest = d.ID
		if r := watch.Observe(d.Time, row, d.Score); r != nil {
			seen.Windows = append(seen.Windows, *r)
		}
		if i%2 == 1 {
			continue
		}
		value := "good"
		if rng.Float64() < d.Score {
			value = "bad"
		}
		_, err = w.log.AppendOutcomes(context.Background(), decisions.Outcome{Decision: d.ID, Value: value, At: w.now})
		w.must(err)
		p, err := watch.Outcome(d.Score, d.Decision, value)
		w.must(err)
		if p != nil {
			seen.Outcomes = append(seen.Outcomes, *p)
		}
	}
	seen.Seen, seen.Of = watch.Progress()
}

// lived is a world in which everything has happened: two versions, drift,
// alarms, a refused challenger.
func lived(t testing.TB) *world {
	w := newWorld(t)
	first, second, third := lender(t, 1), lender(t, 1.5), lender(t, 0.1)
	v := w.add(first, "run")
	w.promote(v, "the gates of the project held "+hostile, first.Card.Gates)
	w.decide(first, 450, 0)
	w.decide(first, 230, 0.4)
	verdict := &retrain.Verdict{Promote: true, Metric: "auc", Champion: 0.7024, Challenger: 0.746, Difference: 0.0436, Low: 0.0309, High: 0.0561,
		Rows: 868, Confidence: 0.95, NonInferior: 0.005, Reasons: []string{"better " + hostile}}
	evidence := retrain.Evidence{Champion: retrain.Version{Number: 1, Bundle: first.ID()}, Challenger: retrain.Version{Number: 2, Bundle: second.ID()},
		Train: 1934, Judge: 868, Young: 12, From: start, To: w.now, Maturity: "720h0m0s", Verdict: verdict}
	ctx := context.Background()
	w.must(w.registry.Audit(ctx, "credit", retrain.EventStarted, evidence))
	v = w.add(second, "challenger of version 1 "+hostile)
	w.must(w.registry.Audit(ctx, "credit", retrain.EventJudged, evidence))
	w.promote(v, "better "+hostile, evidence)
	w.decide(second, 410, 0.4)
	w.add(third, "challenger of version 2")
	evidence.Champion, evidence.Challenger = evidence.Challenger, retrain.Version{Number: 3, Bundle: third.ID()}
	result := retrain.Result{Outcome: retrain.Kept, Reason: "worse on the same decisions " + hostile, Evidence: evidence}
	w.must(w.registry.Audit(ctx, "credit", retrain.EventEnded, result))
	w.must(w.registry.Audit(ctx, "credit", "unknown "+hostile, map[string]any{"gates": hostile, "x": hostile}))
	end := time.Now().Add(time.Hour) // after the champion's promotion, whose time the registry takes from the clock
	_, err := w.registry.AddRun(ctx, registry.Run{Project: "credit", Kind: "retrain", Start: end, End: end, Outcome: "kept: " + result.Reason, Bundle: third.ID()})
	w.must(err)
	return w
}

// get asks for a page and returns its status and text.
func get(t testing.TB, h http.Handler, path string) (int, string) {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080"+path, nil))
	body, err := io.ReadAll(rec.Body)
	if err != nil {
		t.Fatal(err)
	}
	return rec.Code, string(body)
}

// words strips tags and joins white space, so that a test looks for what a
// reader sees.
func words(page string) string {
	var out strings.Builder
	inside := false
	for _, r := range page {
		switch {
		case r == '<':
			inside = true
			out.WriteByte(' ')
		case r == '>':
			inside = false
		case !inside:
			out.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// prices makes a bundle that predicts twice the area.
func prices(t testing.TB) *bundle.Bundle {
	t.Helper()
	m, err := bundle.NewModel(bundle.Model{
		Contract: data.Contract{Fields: []data.Field{{Name: "Area", Kind: data.Number, Role: data.Feature, Required: true}, {Name: "Price", Kind: data.Number, Role: data.Target}}},
		Members: []bundle.Member{{Learner: "linear", Weight: 1, Plan: step.Plan{{Name: "Area", Input: 0, Op: step.Standard, Scale: 1, Low: -1000, High: 1000}},
			Linear: &linear.Model{Weight: []float64{2}, Mean: []float64{0}}}},
		Calibration: bundle.Calibration{Method: "identity"},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := data.NewProfiler(m.Layout().Fields())
	for i := range 100 {
		p.AddNumber(0, float64(50+i))
	}
	rmse := 13.0
	b, err := bundle.New(bundle.Bundle{
		Manifest: bundle.Manifest{Producer: "tandem test", Name: "credit", Task: bundle.Regression, Target: "Price"},
		Model:    *m, Profile: p.Profile(), Tests: m.TestRows(bundle.Rows{N: 1, Cols: 1, Data: []float64{80}}),
		Card: bundle.Card{Name: "credit", Task: bundle.Regression, Metric: "rmse", Target: "Price", Baseline: map[string]float64{"rmse": 40},
			Holdout: map[string]bundle.Measure{"rmse": {Value: 12.5, Low: 11, High: 14}}, Leaderboard: []bundle.LeaderboardRow{{Learner: "linear", RMSE: &rmse}}, Chosen: "linear"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
