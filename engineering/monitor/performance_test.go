package monitor_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/engineering/monitor"
)

// outcome draws a score and a label so that the AUC is Phi(d / sqrt 2): 0.82 at
// d = 1.2945, since the scores of both classes are normal with means d apart.
func outcome(rng *rand.Rand, d float64) (float64, string) {
	if rng.Float64() < 0.3 {
		return 1 / (1 + math.Exp(-d-rng.NormFloat64())), "bad"
	}
	return 1 / (1 + math.Exp(-rng.NormFloat64())), "good"
}

const holdoutD = 1.2945 // AUC 0.82, as the card of trained says

func judge(t *testing.T, m *monitor.Monitor, n int, draw func() (float64, string)) *monitor.Performance {
	t.Helper()
	var last *monitor.Performance
	for range n {
		score, label := draw()
		p, err := m.Outcome(score, "", label)
		if err != nil {
			t.Fatal(err)
		}
		if p != nil {
			last = p
		}
	}
	return last
}

func TestRealisedPerformance(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(1, "performance", 0)
	m := watch(t, trained(lender(), 100, rng), monitor.Options{})
	alarms, worse := 0, 0
	const windows = 365
	for range windows {
		p := judge(t, m, 500, func() (float64, string) { return outcome(rng, holdoutD) })
		if p.Alarm {
			alarms++
		}
		if p.Worse {
			worse++
		}
		if !p.Judged || p.Metric != "auc" || p.Outcomes != 500 || p.Realised.Low >= p.Realised.Value || p.Realised.High <= p.Realised.Value {
			t.Fatalf("performance %+v", p)
		}
		if p.Others["accuracy"] <= 0.5 || p.Others["ks"] <= 0.3 || p.Others["log_loss"] <= 0.3 {
			t.Fatalf("other measures %v", p.Others)
		}
	}
	if alarms > 0 || worse > windows/50 {
		t.Errorf("%d alarms and %d suspicions in %d windows of an unchanged model", alarms, worse, windows)
	}
	// AUC 0.70: beyond doubt at once, or in the second window.
	first := judge(t, m, 500, func() (float64, string) { return outcome(rng, 0.7416) })
	second := judge(t, m, 500, func() (float64, string) { return outcome(rng, 0.7416) })
	if !first.Worse || !second.Alarm || second.Alarms[0].Kind != monitor.PerformanceDrop || !strings.Contains(second.Sentences[0], "worse than it was: AUC 0.7") {
		t.Errorf("after the drop %+v, %+v", first, second)
	}
	// A better model is no alarm.
	if p := judge(t, m, 500, func() (float64, string) { return outcome(rng, 2) }); p.Worse || p.Alarm {
		t.Errorf("a better model: %+v", p)
	}
}

func TestTooFewOfOneClass(t *testing.T) {
	t.Parallel()
	m := watch(t, trained(lender(), 100, seed.Stream(2, "performance", 0)), monitor.Options{Outcomes: 100})
	n := 0
	p := judge(t, m, 100, func() (float64, string) {
		n++
		if n <= 5 {
			return 0.1, "bad"
		}
		return 0.9, "good"
	})
	if p.Judged || p.Worse || p.Alarm || p.Realised != (bundle.Measure{}) || !strings.Contains(p.Sentences[0], "too few") {
		t.Errorf("five of one class: %+v", p)
	}
}

func TestRealisedRegression(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(3, "performance", 0)
	b := trained(lender(), 100, rng)
	b.Manifest.Task = bundle.Regression
	b.Decision = bundle.Decision{}
	b.Card.Holdout = map[string]bundle.Measure{"rmse": {Value: 10, Low: 9.7, High: 10.3}}
	m := watch(t, b, monitor.Options{})
	draw := func(sd float64) func() (float64, string) {
		return func() (float64, string) { return 100, fmt.Sprint(100 + sd*rng.NormFloat64()) }
	}
	for range 50 {
		if p := judge(t, m, 500, draw(10)); p.Worse || p.Metric != "rmse" || math.Abs(p.Realised.Value-10) > 1.5 || math.Abs(p.Others["mae"]-8) > 1.2 {
			t.Fatalf("an unchanged model: %+v", p)
		}
	}
	if p := judge(t, m, 500, draw(15)); !p.Alarm {
		t.Errorf("half again as large errors: %+v", p)
	}
	if p := judge(t, m, 500, func() (float64, string) { return 100, "100" }); !p.Judged || p.Worse || p.Realised.Value != 0 {
		t.Errorf("no errors at all: %+v", p)
	}
}

func TestOutcomesThatAreNone(t *testing.T) {
	t.Parallel()
	b := trained(lender(), 100, seed.Stream(4, "performance", 0))
	m := watch(t, b, monitor.Options{})
	for _, value := range []string{"", "Bad", "unknown", strings.Repeat("x", 1000)} {
		if _, err := m.Outcome(0.5, "", value); err == nil || !strings.Contains(err.Error(), `neither "bad" nor "good"`) || len(err.Error()) > 200 {
			t.Errorf("%.20q: %v", value, err)
		}
	}
	b.Decision.Positive, b.Decision.Negative = "1", "0"
	if _, err := watch(t, b, monitor.Options{}).Outcome(0.5, "", "1.0"); err != nil {
		t.Errorf("1.0 for 1: %v", err)
	}
	b.Manifest.Task = bundle.Regression
	for _, value := range []string{"", "many", "NaN", "Inf"} {
		if _, err := watch(t, b, monitor.Options{}).Outcome(0.5, "", value); err == nil {
			t.Errorf("regression: %q is accepted", value)
		}
	}
}

// TestClassesByAccuracy compares with Wilson's interval as R's binom package
// gives it: 80 of 100 are 0.7111708 to 0.8666331.
func TestClassesByAccuracy(t *testing.T) {
	t.Parallel()
	b := trained(lender(), 100, seed.Stream(9, "performance", 0))
	b.Manifest.Task = bundle.Multiclass
	b.Decision = bundle.Decision{Classes: []string{"a", "b", "1"}}
	m := watch(t, b, monitor.Options{Outcomes: 100})
	var p *monitor.Performance
	for i := range 100 {
		value := "a"
		if i%5 == 0 {
			value = "1.0"
		}
		var err error
		if p, err = m.Outcome(0.6, "a", value); err != nil {
			t.Fatal(err)
		}
	}
	if p == nil || p.Metric != "accuracy" || !p.Judged || p.Realised.Value != 0.8 ||
		math.Abs(p.Realised.Low-0.7111708) > 1e-6 || math.Abs(p.Realised.High-0.8666331) > 1e-6 {
		t.Errorf("%+v", p)
	}
	if _, err := m.Outcome(0.6, "a", "c"); err == nil || !strings.Contains(err.Error(), "none of the 3 classes") {
		t.Errorf("an outcome of no class: %v", err)
	}
}
