package evaluate_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/num"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/metrics"
	"github.com/tandem-ml/tandem/science/evaluate"
)

// golden is a case of testdata/golden/metrics.json (scikit-learn 1.9.1).
type golden struct {
	ID     string
	Inputs struct {
		Y, P, Grid []float64
		Cost       struct{ FP, FN float64 }
	}

	Expected   map[string]json.RawMessage
	RTol, ATol float64
}

func goldenCase(t *testing.T, id string) golden {
	t.Helper()
	raw, err := os.ReadFile("testdata/golden/metrics.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []golden }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	for _, c := range file.Cases {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("no case %s", id)
	return golden{}
}

func (c golden) numbers(t *testing.T, name string) []float64 {
	t.Helper()
	var one float64
	var many []float64
	if json.Unmarshal(c.Expected[name], &one) == nil {
		return []float64{one}
	}
	if err := json.Unmarshal(c.Expected[name], &many); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return many
}

func TestCalibrateAgainstPlatt(t *testing.T) {
	t.Parallel()
	c := goldenCase(t, "calibration")
	got, err := evaluate.Calibrate(c.Inputs.P, c.Inputs.Y)
	if err != nil {
		t.Fatal(err)
	}
	// The reference has P = 1/(1 + exp(A p + B)): the other sign.
	a, b := c.numbers(t, "platt_a")[0], c.numbers(t, "platt_b")[0]
	if math.Abs(got.A+a) > c.RTol*math.Abs(a) || math.Abs(got.B+b) > c.RTol*math.Abs(b) {
		t.Errorf("A = %v, B = %v, want %v, %v", got.A, got.B, -a, -b)
	}
	for i, want := range c.numbers(t, "platt_grid") {
		if p := num.Sigmoid(got.A*c.Inputs.Grid[i] + got.B); math.Abs(p-want) > c.RTol*want {
			t.Errorf("score at %v = %v, want %v", c.Inputs.Grid[i], p, want)
		}
	}
}

// Labels drawn from sigmoid(2 margin - 1) give back about A = 2, B = -1; the unit
// and the origin of the margin do not change the scores.
func TestCalibrateFindsTheTruth(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(4, "calibrate", 0)
	margin, other, y := make([]float64, 20000), make([]float64, 20000), make([]float64, 20000)
	for i := range margin {
		margin[i] = rng.NormFloat64()
		other[i] = 1e6*margin[i] + 3e7
		if rng.Float64() < 1/(1+math.Exp(1-2*margin[i])) {
			y[i] = 1
		}
	}
	c, err := evaluate.Calibrate(margin, y)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(c.A-2) > 0.1 || math.Abs(c.B+1) > 0.1 || c.Method != "sigmoid" {
		t.Errorf("%+v, want A = 2, B = -1", c)
	}
	d, err := evaluate.Calibrate(other, y)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		p, q := num.Sigmoid(c.A*margin[i]+c.B), num.Sigmoid(d.A*other[i]+d.B)
		if math.Abs(p-q) > 1e-8 {
			t.Fatalf("row %d scores %v, and %v in another unit", i, p, q)
		}
	}
}

func TestCalibrateBoundaries(t *testing.T) {
	t.Parallel()
	plain := bundle.Calibration{Method: "sigmoid", A: 1}
	for _, c := range []struct {
		name      string
		margin, y []float64
	}{
		{"inverted", []float64{3, 2, 1, 0}, []float64{0, 0, 1, 1}},
		{"constant", []float64{0.3, 0.3, 0.3}, []float64{0, 1, 1}},
		{"no relation", []float64{0, 1, 0, 1}, []float64{0, 0, 1, 1}},
	} {
		got, err := evaluate.Calibrate(c.margin, c.y)
		if err != nil || got.Method != plain.Method || got.A <= 0 || c.name != "no relation" && got != plain {
			t.Errorf("%s: %+v, %v; want the plain link", c.name, got, err)
		}
	}
	// Separation: Platt's targets keep the scores away from 0 and 1, at (n+1)/(n+2).
	got, err := evaluate.Calibrate([]float64{-5, -5, -5, 7, 7}, []float64{0, 0, 0, 1, 1})
	if err != nil {
		t.Fatal(err)
	}
	if high, low := num.Sigmoid(7*got.A+got.B), num.Sigmoid(-5*got.A+got.B); math.Abs(high-0.75) > 1e-6 || math.Abs(low-0.2) > 1e-6 {
		t.Errorf("scores of separated classes are %v and %v, want 3/4 and 1/5", high, low)
	}
	if _, err := evaluate.Calibrate([]float64{1, 2}, []float64{1, 1}); !errors.Is(err, metrics.ErrOneClass) {
		t.Errorf("one class: %v", err)
	}
	if _, err := evaluate.Calibrate(nil, nil); !errors.Is(err, metrics.ErrEmpty) {
		t.Errorf("no rows: %v", err)
	}
	for name, margin := range map[string]float64{"NaN": math.NaN(), "infinity": math.Inf(1)} {
		if _, err := evaluate.Calibrate([]float64{1, margin}, []float64{0, 1}); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := evaluate.Calibrate([]float64{1, 2}, []float64{0, 0.5}); err == nil {
		t.Error("a label of one half is accepted")
	}
}

func meanCost(score, y []float64, threshold, costFP, costFN float64) float64 {
	cost := 0.0
	for i, s := range score {
		if s >= threshold && y[i] == 0 {
			cost += costFP
		} else if s < threshold && y[i] == 1 {
			cost += costFN
		}
	}
	return cost
}

func TestThresholdAgainstGolden(t *testing.T) {
	t.Parallel()
	c := goldenCase(t, "binary.cost_threshold")
	p, y := c.Inputs.P, c.Inputs.Y
	got := evaluate.Threshold(p, y, c.Inputs.Cost.FP, c.Inputs.Cost.FN)
	want := c.numbers(t, "threshold")[0]
	if cost := meanCost(p, y, got, c.Inputs.Cost.FP, c.Inputs.Cost.FN); cost != c.numbers(t, "cost")[0] {
		t.Errorf("cost at %v is %v, want %s", got, cost, c.Expected["cost"])
	}
	for i, s := range p { // the reference names the score, we lie just below it
		if (s >= got) != (s >= want) {
			t.Errorf("row %d of score %v is decided differently at %v and %v", i, s, got, want)
		}
	}
	if got != (0.27+0.28)/2 {
		t.Errorf("threshold %v, want midway between 0.27 and 0.28", got)
	}
}

func TestThreshold(t *testing.T) {
	t.Parallel()
	tiny := math.Nextafter(0.5, 1)
	for _, c := range []struct {
		name     string
		score, y []float64
		fp, fn   float64
		want     float64
	}{
		{"separated", []float64{0.9, 0.1, 0.7, 0.3}, []float64{1, 0, 1, 0}, 1, 1, 0.5},
		{"all positive is cheapest", []float64{0.2, 0.6}, []float64{1, 0}, 1, 5, 0.1},
		{"all negative is cheapest", []float64{0.2, 0.6}, []float64{1, 0}, 5, 1, 0.8},
		{"all negative, score 1", []float64{1, 1}, []float64{0, 0}, 1, 1, math.Nextafter(1, 2)},
		{"equal costs: the lowest", []float64{0.2, 0.4, 0.6}, []float64{1, 0, 1}, 1, 1, 0.1},
		{"equal scores stay together", []float64{0.5, 0.5, 0.5}, []float64{0, 0, 1}, 1, 1, 0.75},
		{"neighbours without a middle", []float64{0.5, tiny}, []float64{0, 1}, 1, 1, tiny},
		{"no cost", []float64{0.4}, []float64{1}, 0, 0, 0.2},
		{"no rows", nil, nil, 1, 3, 0.25},
		{"no rows, no cost", nil, nil, 0, 0, 0.5},
	} {
		if got := evaluate.Threshold(c.score, c.y, c.fp, c.fn); math.Abs(got-c.want) > 1e-17 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// No other threshold costs less.
func TestThresholdIsCheapest(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(8, "threshold", 0)
	for range 200 {
		n := 1 + rng.IntN(30)
		score, y := make([]float64, n), make([]float64, n)
		for i := range score {
			score[i] = float64(rng.IntN(11)) / 10
			y[i] = float64(rng.IntN(2))
		}
		fp, fn := float64(rng.IntN(4)), float64(rng.IntN(4))
		got := meanCost(score, y, evaluate.Threshold(score, y, fp, fn), fp, fn)
		for k := -1; k <= 22; k++ {
			if other := meanCost(score, y, float64(k)/20, fp, fn); other < got {
				t.Fatalf("scores %v, labels %v, costs %v and %v: cost %v, but %v at %v", score, y, fp, fn, got, other, float64(k)/20)
			}
		}
	}
}

// scores draws n calibrated scores and their labels, with ties.
func scores(n int) (y, score []float64) {
	rng := seed.Stream(21, "scores", n)
	y, score = make([]float64, n), make([]float64, n)
	for i := range y {
		score[i] = math.Round(200/(1+math.Exp(1.2-1.5*rng.NormFloat64()))) / 200
		if rng.Float64() < score[i] {
			y[i] = 1
		}
	}
	return y, score
}

func TestHoldoutIsPackageMetrics(t *testing.T) {
	t.Parallel()
	for _, n := range []int{7, 103, 2000} {
		y, score := scores(n)
		y[0], y[1] = 0, 1
		d := bundle.Decision{Threshold: 0.3, FalsePositive: 1, FalseNegative: 5}
		f, err := evaluate.Holdout(bundle.Binary, y, score, d, 1)
		if err != nil {
			t.Fatal(err)
		}
		label := make([]bool, n)
		for i := range y {
			label[i] = y[i] == 1
		}
		want := map[string]func() (float64, error){
			"auc":               func() (float64, error) { return metrics.AUC(label, score, nil) },
			"accuracy":          func() (float64, error) { return metrics.Accuracy(label, score, 0.3) },
			"log_loss":          func() (float64, error) { return metrics.LogLoss(label, score, nil) },
			"brier":             func() (float64, error) { return metrics.Brier(label, score, nil) },
			"ks":                func() (float64, error) { return metrics.KS(label, score, nil) },
			"calibration_error": func() (float64, error) { return metrics.CalibrationError(label, score) },
		}
		if len(f.Measures) != len(want) {
			t.Errorf("%d rows: measures %v", n, f.Measures)
		}
		for name, of := range want {
			v, err := of()
			if err != nil {
				t.Fatal(name, err)
			}
			m := f.Measures[name]
			if math.Abs(m.Value-v) > 1e-12 || !(m.Low <= m.Value && m.Value <= m.High) {
				t.Errorf("%d rows: %s = %+v, want %v", n, name, m, v)
			}
			if n == 2000 && !(m.High-m.Low > 0.005 && m.High-m.Low < 0.1) {
				t.Errorf("%s = %+v: an odd interval for 2,000 rows", name, m)
			}
		}
		c, _ := metrics.Count(label, score, 0.3)
		if *f.Confusion != bundle.Confusion(c) {
			t.Errorf("%d rows: confusion %+v, want %+v", n, *f.Confusion, c)
		}
		if last := f.ROC[len(f.ROC)-1]; len(f.ROC) > 101 || f.ROC[0] != [2]float64{} || last != [2]float64{1, 1} {
			t.Errorf("%d rows: %d ROC points, from %v to %v", n, len(f.ROC), f.ROC[0], last)
		}
		for _, p := range f.Cost {
			if want := meanCost(score, y, p.Threshold, 1, 5) / float64(n); math.Abs(p.Cost-want) > 1e-12 {
				t.Errorf("%d rows: cost at %v is %v, want %v", n, p.Threshold, p.Cost, want)
			}
		}
		if len(f.Cost) != 101 || len(f.Reliability) != min(10, n) {
			t.Errorf("%d rows: %d cost points, %d bins", n, len(f.Cost), len(f.Reliability))
		}
		again, err := evaluate.Holdout(bundle.Binary, y, score, d, 1)
		if err != nil || !reflect.DeepEqual(f, again) {
			t.Errorf("%d rows: the same holdout gives other facts", n)
		}
	}
}

// The intervals hold the true figure in about 95% of samples. 200 samples, fixed
// seed: the share has a standard error of 1.5%.
func TestHoldoutIntervalsCover(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(2, "cover", 0)
	held := map[string]int{}
	const samples, n = 200, 250
	// Scores are uniform and true, so P(y) = s: the Brier score is E s(1-s) = 1/6,
	// the log loss 1/2, the accuracy at 1/2 E max(s, 1-s) = 3/4, and the AUC, from
	// densities 2s and 2(1-s), the integral of 2s (2s - s^2) = 4/3 - 1/2 = 5/6.
	truth := map[string]float64{"brier": 1.0 / 6, "log_loss": 0.5, "accuracy": 0.75, "auc": 5.0 / 6}
	for k := range samples {
		y, score := make([]float64, n), make([]float64, n)
		for i := range y {
			if score[i] = rng.Float64(); rng.Float64() < score[i] {
				y[i] = 1
			}
		}
		f, err := evaluate.Holdout(bundle.Binary, y, score, bundle.Decision{Threshold: 0.5}, uint64(k))
		if err != nil {
			t.Fatal(err)
		}
		if f.Cost != nil {
			t.Fatal("a cost curve without costs")
		}
		for name, v := range truth {
			if m := f.Measures[name]; m.Low <= v && v <= m.High {
				held[name]++
			}
		}
	}
	for name := range truth {
		if share := float64(held[name]) / samples; share < 0.90 || share > 0.99 {
			t.Errorf("the interval of %s held the truth in %.3f of samples", name, share)
		}
	}
}

func TestHoldoutRegression(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(9, "regression", 0)
	y, guess := make([]float64, 1500), make([]float64, 1500)
	for i := range y {
		guess[i] = 1000 + 10*rng.NormFloat64()
		y[i] = guess[i] + 5*rng.NormFloat64()
	}
	f, err := evaluate.Holdout(bundle.Regression, y, guess, bundle.Decision{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Measures) != 3 || f.Confusion != nil || f.ROC != nil {
		t.Errorf("facts %+v", f)
	}
	// The errors are normal with standard deviation 5: rmse 5, mae 5 sqrt(2/pi), r2 0.8.
	for name, truth := range map[string]float64{"rmse": 5, "mae": 5 * math.Sqrt(2/math.Pi), "r2": 0.8} {
		m := f.Measures[name]
		if !(m.Low <= truth && truth <= m.High) || m.High-m.Low > 0.12*truth {
			t.Errorf("%s = %+v, want about %v", name, m, truth)
		}
	}
	f, err = evaluate.Holdout(bundle.Regression, []float64{3, 3, 3}, []float64{2, 3, 4}, bundle.Decision{}, 1)
	if _, ok := f.Measures["r2"]; err != nil || ok || len(f.Measures) != 2 {
		t.Errorf("a constant target: %+v, %v; want no r2", f.Measures, err)
	}
}

func TestHoldoutBoundaries(t *testing.T) {
	t.Parallel()
	_, err := evaluate.Holdout(bundle.Binary, []float64{1, 1}, []float64{0.4, 0.6}, bundle.Decision{}, 1)
	if !errors.Is(err, metrics.ErrOneClass) {
		t.Errorf("one class: %v", err)
	}
	for name, s := range map[string]float64{"NaN": math.NaN(), "beyond 1": 1.5} {
		if _, err := evaluate.Holdout(bundle.Binary, []float64{1, 0}, []float64{0.4, s}, bundle.Decision{}, 1); !errors.Is(err, metrics.ErrValue) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := evaluate.Holdout(bundle.Binary, nil, nil, bundle.Decision{}, 1); !errors.Is(err, metrics.ErrEmpty) {
		t.Errorf("no rows: %v", err)
	}
	if _, err := evaluate.Holdout(bundle.Regression, nil, nil, bundle.Decision{}, 1); !errors.Is(err, metrics.ErrEmpty) {
		t.Errorf("no rows: %v", err)
	}
	if _, err := evaluate.Holdout("", nil, nil, bundle.Decision{}, 1); err == nil {
		t.Error("no task: accepted")
	}
	// Two rows, one of each class: the interval of the AUC says how little that is.
	f, err := evaluate.Holdout(bundle.Binary, []float64{1, 0}, []float64{0.9, 0.1}, bundle.Decision{Threshold: 0.5}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if m := f.Measures["auc"]; m.Value != 1 || m.High != 1 || m.Low > 0.5 {
		t.Errorf("auc of two rows = %+v", m)
	}
	f, err = evaluate.Holdout(bundle.Binary, []float64{1, 0, 1, 0}, []float64{0.9, 0.1, 0.8, 0.2}, bundle.Decision{Threshold: 0.5}, 1)
	if m := f.Measures["auc"]; err != nil || m.Value != 1 || m.Low > 0.8 {
		t.Errorf("auc of four separated rows = %+v, %v", m, err)
	}
	// One positive and one negative row of score 0.5 in every bin: calibrated to
	// the dot, and no resample is.
	f, err = evaluate.Holdout(bundle.Binary, slices.Repeat([]float64{1, 0}, 10), slices.Repeat([]float64{0.5}, 20), bundle.Decision{Threshold: 0.5}, 1)
	if m := f.Measures["calibration_error"]; err != nil || m.Value != 0 || m.Low != 0 || m.High < 0.1 {
		t.Errorf("calibration error %+v, %v; want 0 and an interval from 0", m, err)
	}
	// A model that gives everyone the same score, and values at the edge of float64.
	f, err = evaluate.Holdout(bundle.Binary, []float64{1, 0, 0, 0}, []float64{0.25, 0.25, 0.25, 0.25}, bundle.Decision{Threshold: 0.5}, 1)
	if err != nil || f.Measures["auc"].Value != 0.5 || f.Measures["ks"].Value != 0 {
		t.Errorf("a constant score: %+v, %v", f.Measures, err)
	}
	f, err = evaluate.Holdout(bundle.Regression, []float64{1e154, -1}, []float64{0, 0}, bundle.Decision{}, 1)
	if _, jsonErr := json.Marshal(f); err != nil || jsonErr != nil {
		t.Errorf("huge errors: %v, %v", err, jsonErr)
	}
}

func BenchmarkHoldout(b *testing.B) {
	y, score := scores(10000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := evaluate.Holdout(bundle.Binary, y, score, bundle.Decision{Threshold: 0.5}, 1); err != nil {
			b.Fatal(err)
		}
	}
}

func TestBaseline(t *testing.T) {
	t.Parallel()
	got := evaluate.Baseline(bundle.Binary, []float64{0, 0, 0, 1}, []float64{1, 0, 0, 0, 0})
	want := -(math.Log(0.25) + 4*math.Log(0.75)) / 5
	if math.Abs(got["log_loss"]-want) > 1e-12 || got["accuracy"] != 0.8 || len(got) != 2 {
		t.Errorf("baseline %v, want accuracy 0.8 and log_loss %v", got, want)
	}
	if got := evaluate.Baseline(bundle.Binary, []float64{1, 1, 0}, []float64{1, 0, 0, 0, 0})["accuracy"]; got != 0.2 {
		t.Errorf("accuracy of the training majority is %v, want 0.2", got)
	}
	if got := evaluate.Baseline(bundle.Binary, []float64{1, 0}, []float64{0})["accuracy"]; got != 1 {
		t.Errorf("equal classes: accuracy %v, want that of the negative one", got)
	}
	got = evaluate.Baseline(bundle.Regression, []float64{1, 3}, []float64{2, 5})
	if math.Abs(got["rmse"]-3/math.Sqrt2) > 1e-12 || got["mae"] != 1.5 || len(got) != 2 {
		t.Errorf("baseline %v, want rmse 2.12 and mae 1.5", got)
	}
	if got := evaluate.Baseline(bundle.Binary, nil, []float64{1}); len(got) != 0 {
		t.Errorf("baseline of nothing: %v", got)
	}
}
