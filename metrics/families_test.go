package metrics_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/metrics"
)

func ExampleConfusion_Rates() {
	label := []bool{true, true, true, false, false, false, false, false}
	score := []float64{0.9, 0.7, 0.2, 0.6, 0.4, 0.3, 0.2, 0.1}
	c, err := metrics.Count(label, score, 0.5)
	if err != nil {
		fmt.Println(err)
		return
	}
	r := c.Rates()
	fmt.Printf("%+v\nprecision %.3f, recall %.3f, F2 %.3f\n", c, r.Precision, r.Recall, c.F(2))
	// Output:
	// {TP:2 FP:1 FN:1 TN:4}
	// precision 0.667, recall 0.667, F2 0.667
}

func ExampleConformalQuantile() {
	errors := []float64{0.4, 1.1, 0.2, 0.9, 0.7, 0.3, 1.4, 0.8, 0.5}
	q, k, err := metrics.ConformalQuantile(errors, 0.2)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("prediction +- %v, the error number %d of %d\n", q, k, len(errors))
	// Output: prediction +- 1.1, the error number 8 of 9
}

func normals(rng *rand.Rand, n int, shift float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64() + shift
	}
	return x
}

// Intervals of the conformal quantile hold new values as often as they promise.
func TestConformalCovers(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(20261127, "conformal", 0)
	const draws = 4000
	held := 0.0
	for range draws {
		x := normals(rng, 20, 0)
		for i := range x {
			x[i] = math.Abs(x[i])
		}
		q, _, err := metrics.ConformalQuantile(x[:19], 0.2) // of 20, exactly 16
		if err != nil {
			t.Fatal(err)
		}
		if x[19] <= q {
			held++
		}
	}
	if share := held / draws; math.Abs(share-0.8) > 4*math.Sqrt(0.16/draws) {
		t.Errorf("%.4f of the new values are held, want 0.8", share)
	}
	if q, k, err := metrics.ConformalQuantile([]float64{1, 2}, 0.1); err != nil || !math.IsInf(q, 1) || k != 3 {
		t.Errorf("two errors for 0.1: %v, %d, %v", q, k, err)
	}
}

// Two classes are a special case of several.
func TestTwoClassesAgree(t *testing.T) {
	t.Parallel()
	label, score := rows("two classes", 60)
	class, p := make([]int, len(label)), make([][]float64, len(label))
	for i, s := range score {
		p[i] = []float64{1 - s, s}
		if label[i] {
			class[i] = 1
		}
	}
	auc := must(metrics.AUC(label, score, nil))(t)
	macro, _, err := metrics.ClassAUC(class, p)
	near(t, "one against the rest", value(t, "ClassAUC", macro, err), auc)
	macro, _, err = metrics.PairAUC(class, p)
	near(t, "pairs", value(t, "PairAUC", macro, err), auc)
	near(t, "log loss", must(metrics.ClassLogLoss(class, p))(t), must(metrics.LogLoss(label, score, nil))(t))

	decided := make([]int, len(score))
	for i, s := range score {
		if s >= 0.5 {
			decided[i] = 1
		}
	}
	m := must(metrics.CountClasses(class, decided, 2))(t)
	r := must(metrics.Count(label, score, 0.5))(t).Rates()
	near(t, "mcc", m.MCC(), r.MCC)
	near(t, "kappa", must(m.Kappa(false))(t), r.Kappa)
	near(t, "balanced accuracy", m.BalancedAccuracy(), r.BalancedAccuracy)
}

// The names of the clusters do not matter, chance gives 0, and moving the rows
// does not change their shape.
func TestClusterLaws(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(20261127, "clusters", 0)
	var a, renamed, random []int
	var x, moved [][]float64
	for i := range 300 {
		a, renamed, random = append(a, i%3), append(renamed, 7-i%3), append(random, rng.IntN(3))
		row := normals(rng, 2, float64(i%3))
		x, moved = append(x, row), append(moved, []float64{row[1] + 5, 3 - row[0]})
	}
	same := must(metrics.CompareClusters(a, renamed))(t)
	for name, v := range map[string]float64{"rand": same.AdjustedRand, "mutual": same.AdjustedMutual, "normal": same.NormalMutual,
		"v": same.VMeasure, "fowlkes-mallows": same.FowlkesMallows} {
		near(t, name, v, 1)
	}
	if g := must(metrics.CompareClusters(a, random))(t); math.Abs(g.AdjustedRand) > 0.03 || math.Abs(g.AdjustedMutual) > 0.03 {
		t.Errorf("chance agrees: %+v", g)
	}
	s, r := must(metrics.ShapeOf(x, a))(t), must(metrics.ShapeOf(moved, renamed))(t)
	near(t, "silhouette", r.Silhouette, s.Silhouette)
	near(t, "davies-bouldin", r.DaviesBouldin, s.DaviesBouldin)
	near(t, "calinski-harabasz", r.CalinskiHarabasz/s.CalinskiHarabasz, 1)
}

// Recalibration undoes a known distortion, and the estimate without outcomes is
// right on calibrated scores.
func TestRecalibration(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(20261127, "recalibration", 0)
	var label []bool
	var truth, sure []float64
	for range 6000 {
		margin := 1.5 * rng.NormFloat64()
		p := 1 / (1 + math.Exp(-margin))
		label, truth = append(label, rng.Float64() < p), append(truth, p)
		sure = append(sure, 1/(1+math.Exp(-2*margin))) // the log-odds doubled
	}
	temperature := must(metrics.FitTemperature(label, sure))(t)
	beta := must(metrics.FitBeta(label, sure))(t)
	isotonic := must(metrics.FitIsotonic(label, sure))(t)
	if math.Abs(temperature-2) > 0.15 {
		t.Errorf("temperature %v, want 2", temperature)
	}
	if math.Abs(beta.A-0.5) > 0.1 || math.Abs(beta.B-0.5) > 0.1 || math.Abs(beta.C) > 0.2 {
		t.Errorf("beta calibration %+v, want 0.5, 0.5, 0", beta)
	}
	last := 0.0
	for _, p := range []float64{0.05, 0.3, 0.5, 0.7, 0.95} {
		want := 1 / (1 + math.Sqrt(1/p-1))
		if got := isotonic.At(p); math.Abs(got-want) > 0.08 || got < last {
			t.Errorf("isotonic at %v: %v, want about %v, not below %v", p, got, want, last)
		} else {
			last = got
		}
	}
	estimate := must(metrics.EstimatePerformance(truth, 0.4))(t)
	actual := must(metrics.Count(label, truth, 0.4))(t).Rates()
	auc := must(metrics.AUC(label, truth, nil))(t)
	for name, pair := range map[string][2]float64{"precision": {estimate.Precision, actual.Precision}, "recall": {estimate.Recall, actual.Recall}, "auc": {estimate.AUC, auc}} {
		if math.Abs(pair[0]-pair[1]) > 0.03 {
			t.Errorf("%s: estimate %v, %v in truth", name, pair[0], pair[1])
		}
	}
}

// Distances are 0 to oneself, do not depend on the side where they promise not to,
// and the p-value is uniform without drift.
func TestDriftLaws(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(20261127, "drift", 0)
	x, y := normals(rng, 50, 0), normals(rng, 70, 0.5)
	self := must(metrics.CompareNumbers(x, x))(t)
	for name, v := range map[string]float64{"ks": self.KS, "wasserstein": self.Wasserstein, "psi": self.PSI, "js": self.JensenShannon, "hellinger": self.Hellinger, "energy": self.Energy} {
		near(t, name, v, 0)
	}
	shifted := make([]float64, len(x))
	for i := range x {
		shifted[i] = x[i] + 3
	}
	near(t, "wasserstein of a shift", must(metrics.CompareNumbers(x, shifted))(t).Wasserstein, 3)
	there, back := must(metrics.CompareNumbers(x, y))(t), must(metrics.CompareNumbers(y, x))(t)
	near(t, "wasserstein", there.Wasserstein, back.Wasserstein)
	near(t, "energy", there.Energy, back.Energy)
	near(t, "ks", there.KSP, back.KSP)

	const draws = 300
	small := 0.0
	for range draws {
		if must(metrics.CompareNumbers(normals(rng, 60, 0), normals(rng, 80, 0)))(t).KSP < 0.2 {
			small++
		}
	}
	if share := small / draws; math.Abs(share-0.2) > 4*math.Sqrt(0.16/draws)+0.02 {
		t.Errorf("%.3f of the p-values are below 0.2", share)
	}

	d := must(metrics.CompareCategories(map[string]float64{"a": 5, "b": 5}, map[string]float64{"b": 5, "c": 5}))(t)
	if fmt.Sprint(d.New, d.Vanished) != "[c] [a]" {
		t.Errorf("new %v, vanished %v", d.New, d.Vanished)
	}
}

func TestFamilyErrors(t *testing.T) {
	t.Parallel()
	yes := []bool{true, false, true}
	y := []float64{1, 2, 3}
	second := func(_ any, err error) error { return err }
	third := func(_, _ any, err error) error { return err }
	fourth := func(_, _, _ any, err error) error { return err }
	for _, c := range []struct {
		name string
		got  error
		want error
	}{
		{"groups of lift", second(metrics.Lift(yes, y, 4)), metrics.ErrEmpty},
		{"lift without positives", second(metrics.Lift(make([]bool, 3), y, 2)), metrics.ErrOneClass},
		{"costs", third(metrics.CheapestThreshold(yes, y, -1, 1)), metrics.ErrValue},
		{"bins", third(metrics.CalibrationByWidth(yes, []float64{0, 1, 0.5}, 0)), metrics.ErrValue},
		{"class", second(metrics.CountClasses([]int{3}, []int{0}, 3)), metrics.ErrValue},
		{"probabilities", second(metrics.ClassLogLoss([]int{0}, [][]float64{{1.5, 0}})), metrics.ErrValue},
		{"class without rows", third(metrics.ClassAUC([]int{0, 1}, [][]float64{{1, 0, 0}, {0, 1, 0}})), metrics.ErrOneClass},
		{"log of negative", second(metrics.RMSLE([]float64{-3}, []float64{1})), metrics.ErrValue},
		{"deviance", second(metrics.Deviance(y, []float64{0, 1, 1}, 1)), metrics.ErrValue},
		{"power", second(metrics.Deviance(y, y, 3)), metrics.ErrValue},
		{"quantile", second(metrics.Pinball(y, y, 1)), metrics.ErrValue},
		{"zeros", third(metrics.MAPE([]float64{0, 0}, []float64{1, 1})), metrics.ErrEmpty},
		{"flat past", second(metrics.MASE([]float64{2, 2, 2}, y, y, 1)), metrics.ErrConstant},
		{"short past", second(metrics.RMSSE(y, y, y, 3)), metrics.ErrEmpty},
		{"interval", second(metrics.Intervals(y, y, []float64{0, 2, 3}, 0.9)), metrics.ErrValue},
		{"alpha", third(metrics.ConformalQuantile(y, 0)), metrics.ErrValue},
		{"one cluster", second(metrics.ShapeOf([][]float64{{1}, {2}, {3}}, []int{1, 1, 1})), metrics.ErrOneClass},
		{"one class", second(metrics.FitPlatt(make([]bool, 3), y)), metrics.ErrOneClass},
		{"flat score", second(metrics.FitPlatt(yes, []float64{1, 1, 1})), metrics.ErrConstant},
		{"no temperature", second(metrics.FitTemperature(yes, []float64{0.9, 0.1, 0.9})), metrics.ErrOneClass},
		{"no bad rows", fourth(metrics.WOE(y, []float64{0, 0, 0})), metrics.ErrOneClass},
		{"points", second(metrics.PointsScale(0, 600, 50)), metrics.ErrValue},
		{"one group", second(metrics.Fairness(yes, yes, []string{"a", "a", "a"})), metrics.ErrOneClass},
		{"histogram", second(metrics.PSI([]float64{1, -1}, []float64{1, 1})), metrics.ErrValue},
		{"empty histogram", second(metrics.Hellinger([]float64{0, 0}, []float64{1, 1})), metrics.ErrEmpty},
		{"flat reference", second(metrics.CompareNumbers([]float64{1, 1}, y)), metrics.ErrConstant},
		{"no scores", second(metrics.EstimatePerformance(nil, 0.5)), metrics.ErrEmpty},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, c.got, c.want)
		}
	}
}
