package metrics_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/metrics"
)

func ExampleAUC() {
	defaulted := []bool{false, true, false, true}
	score := []float64{0.1, 0.3, 0.3, 0.9}
	auc, err := metrics.AUC(defaulted, score, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(auc)
	// Output: 0.875
}

// rows draws n labels and scores that rank them, with ties.
func rows(name string, n int) (label []bool, score []float64) {
	rng := seed.Stream(11, name, n)
	label, score = make([]bool, n), make([]float64, n)
	for i := range label {
		label[i] = rng.Float64() < 0.3
		z := rng.NormFloat64()
		if label[i] {
			z++
		}
		score[i] = math.Round(100/(1+math.Exp(1-z))) / 100
	}
	label[0], label[1], label[2], label[3] = true, false, true, false
	return label, score
}

func value(t *testing.T, name string, v float64, err error) float64 {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

func near(t *testing.T, name string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-12*math.Max(1, math.Abs(want))) {
		t.Errorf("%s = %.16g, want %.16g", name, got, want)
	}
}

func TestLaws(t *testing.T) {
	t.Parallel()
	ranking := map[string]func(label []bool, score, weight []float64) (float64, error){
		"auc": metrics.AUC, "gini": metrics.Gini, "ks": metrics.KS, "average precision": metrics.AveragePrecision,
	}
	all := map[string]func(label []bool, score, weight []float64) (float64, error){
		"log loss": metrics.LogLoss, "brier": metrics.Brier,
	}
	for name, f := range ranking {
		all[name] = f
	}
	of := func(name string, f func(label []bool, score, weight []float64) (float64, error), label []bool, score, weight []float64) float64 {
		t.Helper()
		v, err := f(label, score, weight)
		return value(t, name, v, err)
	}
	for _, n := range []int{4, 5, 17, 300} {
		label, score := rows("laws", n)
		flipped, stretched, odds := make([]bool, n), make([]float64, n), make([]float64, n)
		for i := range label {
			flipped[i] = !label[i]
			stretched[i] = math.Exp(3*score[i]) - 7
			odds[i] = math.Inf(-1)
			if score[i] > 0 {
				odds[i] = math.Log(score[i])
			}
		}
		for name, f := range ranking {
			want := of(name, f, label, score, nil)
			near(t, name+" after a monotone transform", of(name, f, label, stretched, nil), want)
			near(t, name+" after a logarithm", of(name, f, label, odds, nil), want)
		}
		auc := of("auc", metrics.AUC, label, score, nil)
		near(t, "auc of flipped labels", of("auc", metrics.AUC, flipped, score, nil), 1-auc)

		// Weight 2 is the row twice; weight 0 is the row left out; the order of
		// the rows does not matter.
		weight := make([]float64, n)
		var label2 []bool
		var score2 []float64
		for i := range weight {
			weight[i] = 1
			if i >= 4 {
				weight[i] = float64((i * 7) % 3)
			}
			for range int(weight[i]) {
				label2, score2 = append([]bool{label[i]}, label2...), append([]float64{score[i]}, score2...)
			}
		}
		for name, f := range all {
			near(t, fmt.Sprintf("%s of %d weighted rows", name, n), of(name, f, label, score, weight), of(name, f, label2, score2, nil))
		}
	}
}

// The AUC counts pairs.
func TestAUCIsTheShareOfPairs(t *testing.T) {
	t.Parallel()
	label, score := rows("pairs", 200)
	var wins, pairs float64
	for i := range label {
		for j := range label {
			if label[i] && !label[j] {
				pairs++
				if score[i] > score[j] {
					wins++
				} else if score[i] == score[j] {
					wins += 0.5
				}
			}
		}
	}
	auc, err := metrics.AUC(label, score, nil)
	near(t, "auc", value(t, "auc", auc, err), wins/pairs)
	auc, _, err = metrics.DeLong(label, score)
	near(t, "auc of DeLong", value(t, "DeLong", auc, err), wins/pairs)
}

// Four positive rows at 8, 6, 5, 3 and three negative ones at 7, 4, 2. By hand:
// the positive rows beat 3, 2, 2, 1 of 3, so the AUC is 8/12, and the variance
// of 1, 2/3, 2/3, 1/3 is 2/27, over 4 rows 1/54. The negative rows are beaten by
// 1, 3, 4 of 4: the variance of 1/4, 3/4, 1 is 7/48, over 3 rows 7/144.
func TestDeLongByHand(t *testing.T) {
	t.Parallel()
	label := []bool{true, false, true, true, false, true, false}
	score := []float64{8, 7, 6, 5, 4, 3, 2}
	auc, se, err := metrics.DeLong(label, score)
	near(t, "auc", value(t, "DeLong", auc, err), 8.0/12)
	near(t, "se", se, math.Sqrt(1.0/54+7.0/144))

	// Against itself, shifted: no difference and no doubt of it.
	shifted := make([]float64, len(score))
	for i, s := range score {
		shifted[i] = s + 100
	}
	diff, se, err := metrics.DeLongPaired(label, score, shifted)
	if err != nil || diff != 0 || se != 0 {
		t.Errorf("a model against itself: difference %v, standard error %v, %v", diff, se, err)
	}
}

// The standard errors are those that repeated samples show. Fixed seed; 1,000
// samples estimate a standard deviation to about 2%, the tolerance is 8%.
func TestDeLongAgainstRepeatedSamples(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(3, "delong", 0)
	const samples, n = 1000, 200
	var aucs, diffs [samples]float64
	var meanSE, meanPairedSE float64
	for k := range samples {
		label, a, b := make([]bool, n), make([]float64, n), make([]float64, n)
		for i := range label {
			label[i] = i%4 == 0
			signal := rng.NormFloat64()
			if label[i] {
				signal += 1
			}
			a[i], b[i] = signal+0.3*rng.NormFloat64(), signal+0.6*rng.NormFloat64()
		}
		auc, se, err := metrics.DeLong(label, a)
		if err != nil {
			t.Fatal(err)
		}
		diff, pairedSE, err := metrics.DeLongPaired(label, a, b)
		if err != nil {
			t.Fatal(err)
		}
		aucs[k], diffs[k] = auc, diff
		meanSE += se / samples
		meanPairedSE += pairedSE / samples
	}
	sd := func(x []float64) float64 {
		var mean, squares float64
		for _, v := range x {
			mean += v / float64(len(x))
		}
		for _, v := range x {
			squares += (v - mean) * (v - mean)
		}
		return math.Sqrt(squares / float64(len(x)-1))
	}
	if ratio := meanSE / sd(aucs[:]); math.Abs(ratio-1) > 0.08 {
		t.Errorf("the mean standard error is %.3f times the standard deviation of the AUC", ratio)
	}
	if ratio := meanPairedSE / sd(diffs[:]); math.Abs(ratio-1) > 0.08 {
		t.Errorf("the mean paired standard error is %.3f times the standard deviation of the difference", ratio)
	}
}

func TestReliability(t *testing.T) {
	t.Parallel()
	label, score := rows("bins", 123)
	bins, err := metrics.Reliability(label, score)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	var sum, positive float64
	for k, b := range bins {
		if want := 12; b.Rows != want && (k >= 3 || b.Rows != want+1) {
			t.Errorf("bin %d has %d rows", k, b.Rows)
		}
		if k > 0 && b.Score < bins[k-1].Score {
			t.Errorf("bin %d has a lower mean score than the one before", k)
		}
		n += b.Rows
		sum += b.Score * float64(b.Rows)
		positive += b.Observed * float64(b.Rows)
	}
	var wantSum, wantPositive float64
	for i := range label {
		wantSum += score[i]
		if label[i] {
			wantPositive++
		}
	}
	if n != 123 || len(bins) != 10 {
		t.Errorf("%d rows in %d bins", n, len(bins))
	}
	near(t, "sum of scores", sum, wantSum)
	near(t, "positive rows", positive, wantPositive)

	bins, err = metrics.Reliability([]bool{true, false}, []float64{0.9, 0.2})
	if err != nil || len(bins) != 2 || bins[0] != (metrics.Bin{Rows: 1, Score: 0.2}) {
		t.Errorf("two rows: %+v, %v", bins, err)
	}
}

func TestBoundaries(t *testing.T) {
	t.Parallel()
	// Certainty that is right costs (nearly) nothing, and that is wrong is not infinite.
	loss, err := metrics.LogLoss([]bool{true, false}, []float64{1, 0}, nil)
	if err != nil || loss < 0 || loss > 1e-15 {
		t.Errorf("log loss of a perfect model = %v, %v", loss, err)
	}
	loss, err = metrics.LogLoss([]bool{true}, []float64{0}, nil)
	near(t, "log loss of a certain error", value(t, "log loss", loss, err), 52*math.Ln2)
	// A constant score ranks nothing.
	auc, err := metrics.AUC([]bool{true, false, false}, []float64{0.4, 0.4, 0.4}, nil)
	near(t, "auc of a constant", value(t, "auc", auc, err), 0.5)
	r2, err := metrics.R2([]float64{1, 2, 3}, []float64{2, 2, 2})
	near(t, "r2 of the mean", value(t, "r2", r2, err), 0)
	// Infinite scores are the ends of the order.
	auc, se, err := metrics.DeLong([]bool{true, true, false, false}, []float64{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(1)})
	near(t, "auc with infinities", value(t, "DeLong", auc, err), 0.75)
	if !(se > 0) {
		t.Errorf("standard error %v", se)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	yes, both := []bool{true, true}, []bool{true, false}
	p := []float64{0.2, 0.7}
	first := func(_ any, err error) error { return err }
	delong := func(label []bool, score []float64) error { _, _, err := metrics.DeLong(label, score); return err }
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"auc: one class", first(metrics.AUC(yes, p, nil)), metrics.ErrOneClass},
		{"auc: one class has weight", first(metrics.AUC(both, p, []float64{1, 0})), metrics.ErrOneClass},
		{"auc: empty", first(metrics.AUC(nil, nil, nil)), metrics.ErrEmpty},
		{"auc: NaN", first(metrics.AUC(both, []float64{nan, 1}, nil)), metrics.ErrValue},
		{"auc: negative weight", first(metrics.AUC(both, p, []float64{1, -1})), metrics.ErrValue},
		{"auc: no weight", first(metrics.AUC(both, p, []float64{0, 0})), metrics.ErrEmpty},
		{"ks: one class", first(metrics.KS(yes, p, nil)), metrics.ErrOneClass},
		{"average precision: one class", first(metrics.AveragePrecision(yes, p, nil)), metrics.ErrOneClass},
		{"roc: one class", first(metrics.ROC(yes, p)), metrics.ErrOneClass},
		{"log loss: above 1", first(metrics.LogLoss(both, []float64{0, 1.1}, nil)), metrics.ErrValue},
		{"brier: NaN", first(metrics.Brier(both, []float64{0, nan}, nil)), metrics.ErrValue},
		{"calibration error: empty", first(metrics.CalibrationError(nil, nil)), metrics.ErrEmpty},
		{"accuracy: NaN", first(metrics.Accuracy(both, []float64{0, nan}, 0.5)), metrics.ErrValue},
		{"delong: one class", delong(yes, p), metrics.ErrOneClass},
		{"delong: one row of a class", delong(both, p), metrics.ErrEmpty},
		{"rmse: empty", first(metrics.RMSE(nil, nil)), metrics.ErrEmpty},
		{"rmse: NaN", first(metrics.RMSE([]float64{1}, []float64{nan})), metrics.ErrValue},
		{"mae: infinite", first(metrics.MAE([]float64{math.Inf(1)}, []float64{math.Inf(1)})), metrics.ErrValue},
		{"rmse: beyond float64", first(metrics.RMSE([]float64{1e200}, []float64{0})), metrics.ErrValue},
		{"r2: constant", first(metrics.R2([]float64{0.1, 0.1, 0.1}, []float64{1, 2, 3})), metrics.ErrConstant},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, c.err, c.want)
		}
	}
	if first(metrics.AUC(both, p[:1], nil)) == nil || first(metrics.RMSE(p, p[:1])) == nil || first(metrics.Brier(both, p, p[:1])) == nil {
		t.Error("slices of different lengths are accepted")
	}
}
