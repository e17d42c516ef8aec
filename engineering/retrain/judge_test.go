package retrain_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/engineering/retrain"
	"github.com/tandem-ml/tandem/metrics"
)

// pair draws labels and the scores of two models: the better its skill, the
// higher a model's AUC; both err on the same people.
func pair(rng *rand.Rand, rows int, skillA, skillB float64) (a, b, y []float64) {
	for range rows {
		label, truth := 0.0, rng.NormFloat64()
		if rng.Float64() < 0.3 {
			label = 1
		}
		score := func(skill float64) float64 {
			return 1 / (1 + math.Exp(1-skill*label-0.8*truth-0.3*rng.NormFloat64()))
		}
		y = append(y, label)
		a = append(a, score(skillA))
		b = append(b, score(skillB))
	}
	return a, b, y
}

func judge(t *testing.T, a, b, y []float64, gate retrain.Gate) retrain.Verdict {
	t.Helper()
	v, err := retrain.Judge(bundle.Binary, a, b, y, gate)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestAgreesWithDeLong compares the bootstrap's bounds with those of another
// method for the same question, DeLong's normal approximation.
func TestAgreesWithDeLong(t *testing.T) {
	t.Parallel()
	for k := range 5 {
		a, b, y := pair(seed.Stream(1, "delong", k), 1500, 1, 1+0.2*float64(k))
		v := judge(t, a, b, y, retrain.DefaultGate())
		label := make([]bool, len(y))
		for i := range y {
			label[i] = y[i] == 1
		}
		diff, se, err := metrics.DeLongPaired(label, b, a)
		if err != nil {
			t.Fatal(err)
		}
		const z = 1.644854 // of 95%, one-sided
		if math.Abs(v.Difference-diff) > 1e-12 {
			t.Errorf("difference %v, DeLong has %v", v.Difference, diff)
		}
		// 2000 resamples know a 5% point to about 5% of the standard error, and
		// the two methods differ by as much again.
		if math.Abs(v.Low-(diff-z*se)) > 0.15*se || math.Abs(v.High-(diff+z*se)) > 0.15*se {
			t.Errorf("bounds %v to %v, DeLong has %v to %v", v.Low, v.High, diff-z*se, diff+z*se)
		}
	}
}

func TestAWorseModelDoesNotPass(t *testing.T) {
	t.Parallel()
	const runs = 40
	gate := retrain.DefaultGate()
	passed := map[string]int{}
	for k := range runs {
		for name, skill := range map[string]float64{"worse": 0.7, "slightly worse": 0.9, "better": 1.4} {
			a, b, y := pair(seed.Stream(2, name, k), 500, 1, skill)
			if judge(t, a, b, y, gate).Promote {
				passed[name]++
			}
		}
	}
	t.Logf("of %d challengers passed: %v", runs, passed)
	// At 95 percent confidence at most one in twenty passes whose loss is
	// at the margin; these lose more.
	if passed["worse"] > 0 || passed["slightly worse"] > 4 || passed["better"] < 36 {
		t.Errorf("of %d challengers passed: %v", runs, passed)
	}
}

func TestLaws(t *testing.T) {
	t.Parallel()
	gate := retrain.DefaultGate()
	a, b, y := pair(seed.Stream(3, "laws", 0), 800, 1, 1.2)
	v := judge(t, a, b, y, gate)
	if again := judge(t, a, b, y, gate); !reflect.DeepEqual(v, again) {
		t.Errorf("judged twice:\n%+v\n%+v", v, again)
	}
	other := gate
	other.Seed = 2
	if w := judge(t, a, b, y, other); w.Low == v.Low || math.Abs(w.Low-v.Low) > 0.005 {
		t.Errorf("another seed: lower bound %v, was %v", w.Low, v.Low)
	}
	swapped := judge(t, b, a, y, gate)
	if swapped.Difference != -v.Difference || math.Abs(swapped.Low+v.High) > 1e-12 || math.Abs(swapped.High+v.Low) > 1e-12 {
		t.Errorf("swapped %+v, was %+v", swapped, v)
	}
	if same := judge(t, a, a, y, gate); !same.Promote || same.Difference != 0 || same.Low != 0 || same.High != 0 {
		t.Errorf("the champion against itself: %+v", same)
	}
	strict := gate
	strict.NonInferior = 0
	if same := judge(t, a, a, y, strict); same.Promote {
		t.Error("with no loss allowed an equal model passes")
	}
	cubed := slices.Clone(b)
	for i := range cubed {
		cubed[i] = b[i] * b[i] * b[i]
	}
	if w := judge(t, a, cubed, y, gate); w.Difference != v.Difference || w.Low != v.Low {
		t.Errorf("an increasing transform changes the AUC's bounds: %+v, was %+v", w, v)
	}
	ties := make([]float64, len(y))
	if w := judge(t, ties, ties, y, gate); w.Champion != 0.5 || w.Challenger != 0.5 {
		t.Errorf("all scores equal: %+v, want AUC 0.5", w)
	}
}

func TestWrongProbabilitiesDoNotPass(t *testing.T) {
	t.Parallel()
	_, b, y := pair(seed.Stream(4, "probabilities", 0), 800, 1, 1.2)
	low := slices.Clone(b)
	for i := range low {
		low[i] /= 50 // ranks the same
	}
	v := judge(t, b, low, y, retrain.DefaultGate())
	if v.Promote || v.Difference != 0 || !strings.Contains(strings.Join(v.Reasons, ";"), "its probabilities are worse") {
		t.Errorf("%+v, want a refusal for its probabilities", v)
	}
	if v := judge(t, low, b, y, retrain.DefaultGate()); !v.Promote || v.LogLoss.Low <= 0 {
		t.Errorf("better probabilities: %+v", v)
	}
}

func TestTooLittleToJudgeBy(t *testing.T) {
	t.Parallel()
	gate := retrain.DefaultGate()
	rng := seed.Stream(5, "little", 0)
	for name, c := range map[string]struct {
		rows, positives int
		want            string // "" passes
	}{
		"none":           {0, 0, "only 0 decisions"},
		"one":            {1, 1, "only 1 decisions"},
		"one class":      {500, 0, "only 0 of them"},
		"the other":      {500, 500, "only 0 of them"},
		"199 rows":       {199, 60, "only 199 decisions"},
		"29 of a class":  {500, 29, "only 29 of them are of the rarer class"},
		"just enough":    {200, 30, ""},
		"few of both":    {100, 10, "only 100 decisions"},
		"rare negatives": {300, 271, "only 29 of them"},
	} {
		var a, b, y []float64
		for i := range c.rows {
			label := 0.0
			if i < c.positives {
				label = 1
			}
			score := min(max(0.4+0.2*label+0.1*rng.NormFloat64(), 0.01), 0.99)
			a, b, y = append(a, score), append(b, score), append(y, label)
		}
		v := judge(t, a, b, y, gate)
		if v.Promote != (c.want == "") || v.Rows != c.rows || v.Positives != c.positives {
			t.Errorf("%s: %+v", name, v)
		}
		if !strings.Contains(strings.Join(v.Reasons, "; "), c.want) {
			t.Errorf("%s: reasons %q, want %q", name, v.Reasons, c.want)
		}
	}
}

func TestRegression(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(6, "regression", 0)
	draw := func(rows int, sdA, sdB, unit float64) (a, b, y []float64) {
		for range rows {
			truth := rng.NormFloat64()
			y = append(y, unit*truth)
			a = append(a, unit*(truth+sdA*rng.NormFloat64()))
			b = append(b, unit*(truth+sdB*rng.NormFloat64()))
		}
		return a, b, y
	}
	for name, c := range map[string]struct {
		rows           int
		sdA, sdB, unit float64
		promote        bool
	}{
		"better":        {500, 1, 0.8, 1, true},
		"worse":         {500, 1, 1.2, 1, false},
		"huge units":    {500, 1, 0.8, 1e200, true},
		"tiny units":    {500, 1, 0.8, 1e-200, true},
		"too few":       {150, 1, 0.5, 1, false},
		"both perfect":  {500, 0, 0, 1, true},
		"a perfect one": {500, 0, 0.1, 1, false},
		"now perfect":   {500, 0.1, 0, 1, true},
	} {
		a, b, y := draw(c.rows, c.sdA, c.sdB, c.unit)
		v, err := retrain.Judge(bundle.Regression, a, b, y, retrain.DefaultGate())
		if err != nil {
			t.Fatal(err)
		}
		if v.Promote != c.promote || v.Metric != "rmse" || !(v.Low <= v.Difference && v.Difference <= v.High) {
			t.Errorf("%s: %+v, want promote %v", name, v, c.promote)
		}
		if rmse, err := metrics.RMSE(y, a); c.unit == 1 && (err != nil || math.Abs(rmse-v.Champion) > 1e-9*rmse) {
			t.Errorf("%s: the champion's RMSE is %v, metrics has %v, %v", name, v.Champion, rmse, err)
		}
	}
}

func TestJudgeRefuses(t *testing.T) {
	t.Parallel()
	fine := []float64{0.1, 0.9, 0.2, 0.8}
	y := []float64{0, 1, 0, 1}
	nan := []float64{0.1, 0.9, math.NaN(), 0.8}
	for name, c := range map[string]struct {
		task    bundle.Task
		a, b, y []float64
		gate    func(*retrain.Gate)
		want    string
	}{
		"lengths":    {bundle.Binary, fine, fine[:3], y, nil, "of the same rows"},
		"NaN score":  {bundle.Binary, fine, nan, y, nil, "row 3"},
		"NaN truth":  {bundle.Regression, fine, fine, nan, nil, "row 3"},
		"label":      {bundle.Binary, fine, fine, []float64{0, 1, 2, 1}, nil, "neither 0 nor 1"},
		"task":       {"forecast", fine, fine, y, nil, "cannot be judged"},
		"margin":     {bundle.Binary, fine, fine, y, func(g *retrain.Gate) { g.NonInferior = -1 }, "non_inferior -1"},
		"confidence": {bundle.Binary, fine, fine, y, func(g *retrain.Gate) { g.Confidence = 1 }, "confidence 1"},
		"rows":       {bundle.Binary, fine, fine, y, func(g *retrain.Gate) { g.MinRows = 0 }, "at least 2 rows"},
		"empty gate": {bundle.Binary, fine, fine, y, func(g *retrain.Gate) { *g = retrain.Gate{} }, "confidence 0"},
	} {
		gate := retrain.DefaultGate()
		if c.gate != nil {
			c.gate(&gate)
		}
		if _, err := retrain.Judge(c.task, c.a, c.b, c.y, gate); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func ExampleJudge() {
	// The challenger ranks 300 applicants as the champion does, and tells a few
	// more of the bad ones apart.
	var champion, challenger, y []float64
	for i := range 300 {
		bad := float64(i % 3 / 2)
		s := float64(i*37%100) / 100
		y = append(y, bad)
		champion = append(champion, 0.25*s+0.2*bad+0.1)
		challenger = append(challenger, 0.25*s+0.22*bad+0.1)
	}
	v, err := retrain.Judge(bundle.Binary, champion, challenger, y, retrain.DefaultGate())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(v.Promote)
	fmt.Println(v.Reasons[0])
	// Output:
	// true
	// AUC 0.9928 against the champion's 0.9803 on the same 300 decisions: better by +0.0125, at 95% confidence by at least +0.0074; a loss of 0.005 was allowed
}
