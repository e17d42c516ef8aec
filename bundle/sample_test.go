package bundle_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/linear"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/bundle/tree/treetest"
	"github.com/tandem-ml/tandem/data"
)

func bound(x float64) *float64 { return &x }

// lender is the contract of a small lender: every kind and role of field.
func lender() data.Contract {
	return data.Contract{Fields: []data.Field{
		{Name: "application", Kind: data.Number, Role: data.ID, Integer: true},
		{Name: "Income", Kind: data.Number, Role: data.Feature, Required: true, Integer: true, Min: bound(0), Max: bound(1000)},
		{Name: "Job", Kind: data.Category, Role: data.Feature, Categories: []string{"fixed", "freelance", "others"}},
		{Name: "Age", Kind: data.Number, Role: data.Protected},
		{Name: "Records", Kind: data.Category, Role: data.Feature, Categories: []string{"0", "1", "2"}},
		{Name: "applied_at", Kind: data.Time, Role: data.TimeRole},
		{Name: "employed_since", Kind: data.Time, Role: data.Feature},
		{Name: "Owner", Kind: data.Category, Role: data.Feature, Categories: []string{"false", "true"}},
		{Name: "Ratio", Kind: data.Number, Role: data.Feature, Infinite: true},
		{Name: "notes", Kind: data.Text, Role: data.Excluded, Why: "is free text"},
		{Name: "Status", Kind: data.Category, Role: data.Target, Categories: []string{"bad", "good"}},
	}}
}

// Positions in lender's encoded row.
const (
	income = iota
	job
	records
	since
	owner
	ratio
	inputs
)

// categories is what treetest needs to know of lender's raw features.
var categories = []int{0, 3, 3, 0, 2, 0}

// blend returns a model of trees and a linear model on lender's contract.
func blend(t testing.TB, rng *rand.Rand) *bundle.Model {
	t.Helper()
	raw := step.Plan{
		{Name: "Income", Input: income, Op: step.Number},
		{Name: "Job", Input: job, Op: step.Code, Categories: 3},
		{Name: "Records", Input: records, Op: step.Code, Categories: 3},
		{Name: "employed since: month", Input: since, Op: step.Month},
		{Name: "Owner", Input: owner, Op: step.Code, Categories: 2},
		{Name: "Ratio", Input: ratio, Op: step.Number},
	}
	dense := step.Plan{
		{Name: "Income", Input: income, Op: step.Standard, Mean: 120, Scale: 80, Fill: 110, Low: 0, High: 900},
		{Name: "Income missing", Input: income, Op: step.Missing},
		{Name: "Job = fixed", Input: job, Op: step.OneHot, Index: 0},
		{Name: "Ratio", Input: ratio, Op: step.Standard, Mean: 0.1, Scale: 0.3, Low: -5, High: 5},
		{Name: "hour 9", Input: since, Op: step.HourIs, Index: 9},
	}
	m := &linear.Model{Intercept: rng.NormFloat64()}
	for range dense {
		m.Weight = append(m.Weight, rng.NormFloat64())
		m.Mean = append(m.Mean, rng.Float64())
	}
	model, err := bundle.NewModel(bundle.Model{
		Contract: lender(),
		Members: []bundle.Member{
			{Learner: "gbdt", Weight: 0.7, Plan: raw, Trees: treetest.Random(rng, categories, 12, 9)},
			{Learner: "logistic", Weight: 0.3, Plan: dense, Linear: m},
		},
		Calibration: bundle.Calibration{Method: "sigmoid", A: 0.9, B: -0.2},
		Decision:    bundle.Decision{Positive: "bad", Negative: "good", Threshold: 0.25, FalsePositive: 1, FalseNegative: 5},
	})
	if err != nil {
		t.Fatal(err)
	}
	return model
}

// applicants draws encoded rows of lender's contract.
func applicants(rng *rand.Rand, n int) bundle.Rows {
	rows := bundle.Rows{N: n, Cols: inputs}
	for range n {
		row := treetest.Row(rng, categories)
		row[income] = float64(rng.IntN(1000))
		if !math.IsNaN(row[since]) {
			row[since] = math.Floor(rng.Float64() * 2e15)
		}
		rows.Data = append(rows.Data, row...)
	}
	return rows
}

// sample returns a whole bundle.
func sample(t testing.TB, seed uint64) *bundle.Bundle {
	t.Helper()
	b, err := bundle.New(parts(t, seed))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// parts returns what sample puts together.
func parts(t testing.TB, seed uint64) bundle.Bundle {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	m := blend(t, rng)
	auc := 0.83
	return bundle.Bundle{
		Manifest: bundle.Manifest{
			Producer: "tandem 0.1.0", Name: "credit", Task: bundle.Binary, Target: "Status",
			Data: data.Snapshot{Source: "credit.csv", SHA256: "ab12", Rows: 4454, Columns: 11},
			Seed: seed, Complete: true, Reasons: 4, Texts: map[string]string{"Records": "Previous payment defaults on record"},
		},
		Model: *m,
		Profile: data.Profile{Rows: 2, Columns: []data.ColumnProfile{
			{Name: "Job", Kind: data.Category, Count: 2, Top: []data.ValueCount{{Value: "fixed", Count: 2}}, Distinct: 1},
		}},
		Card: bundle.Card{
			Name: "credit", Task: bundle.Binary, Metric: "auc", Target: "Status", Positive: "bad",
			Holdout:     map[string]bundle.Measure{"auc": {Value: 0.83, Low: 0.8, High: 0.86}},
			Leaderboard: []bundle.LeaderboardRow{{Learner: "gbdt/shallow", Params: map[string]any{"trees": 100.0, "learning_rate": 0.05}, AUC: &auc}},
		},
		Tests: m.TestRows(applicants(rng, 6)),
	}
}

// A lender's model with one tree: scoring, deciding, explaining, storing.
func Example() {
	contract := data.Contract{Fields: []data.Field{
		{Name: "Income", Kind: data.Number, Role: data.Feature, Required: true},
		{Name: "Job", Kind: data.Category, Role: data.Feature, Categories: []string{"fixed", "freelance"}},
		{Name: "Status", Kind: data.Category, Role: data.Target, Categories: []string{"bad", "good"}},
	}}
	stump := &tree.Forest{ // Income <= 100: 1, else -1
		Features: 2, Root: []int32{0, 3},
		Feature: []int32{0, 0, 0}, Threshold: []float64{100, 0, 0},
		Left: []int32{1, -1, -1}, Right: []int32{2, -1, -1},
		MissingLeft: []bool{false, false, false}, Set: []int32{-1, -1, -1},
		Value: []float64{0, 1, -1}, Cover: []float64{10, 5, 5},
	}
	model, err := bundle.NewModel(bundle.Model{
		Contract: contract,
		Members: []bundle.Member{{Learner: "gbdt", Weight: 1, Trees: stump, Plan: step.Plan{
			{Name: "Income", Input: 0, Op: step.Number}, {Name: "Job", Input: 1, Op: step.Code, Categories: 2},
		}}},
		Calibration: bundle.Calibration{Method: "sigmoid", A: 1},
		Decision:    bundle.Decision{Positive: "bad", Negative: "good", Threshold: 0.5},
	})
	if err != nil {
		panic(err)
	}
	row := make([]float64, model.Layout().Cols())
	if _, err := model.Layout().DecodeJSON(row, []byte(`{"Income": 80, "Job": "fixed"}`), true); err != nil {
		panic(err)
	}
	margin, score := model.Score(row)
	decision := model.Decide(score)
	fmt.Printf("%s: score %.3f\n", decision, score)
	for _, r := range model.Reasons(row, 4, decision == model.Decision.Positive, nil) {
		fmt.Printf("because of %s (%+.1f)\n", r.Text, r.Contribution)
	}
	b, err := bundle.New(bundle.Bundle{
		Manifest: bundle.Manifest{Producer: "example", Name: "credit", Task: bundle.Binary, Target: "Status"},
		Model:    *model,
		Tests:    []bundle.TestRow{{Row: row, Margin: margin, Score: score}},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println("id of", len(b.ID()), "digits")
	// Output:
	// bad: score 0.731
	// because of Income: 80 (+1.0)
	// id of 64 digits
}
