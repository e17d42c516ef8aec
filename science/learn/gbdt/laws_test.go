package gbdt_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/metrics"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt"
)

// pick returns the given rows of d, which may repeat. Its weights are w, per
// row of d, or d's own if w is nil.
func pick(d learn.Data, rows []int, w []float64) learn.Data {
	p := learn.Data{X: learn.Matrix{Rows: len(rows), Cols: d.X.Cols}}
	if w == nil {
		w = d.W
	}
	for _, r := range rows {
		p.X.Data, p.Y = append(p.X.Data, d.X.Row(r)...), append(p.Y, d.Y[r])
		if w != nil {
			p.W = append(p.W, w[r])
		}
	}
	return p
}

// copies returns each row of d as many times as it weighs, in any order and
// without weights.
func copies(rng *rand.Rand, d learn.Data, weights []float64) learn.Data {
	var rows []int
	for r, w := range weights {
		rows = append(rows, slices.Repeat([]int{r}, int(w))...)
	}
	rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	p := pick(d, rows, nil)
	p.W = nil
	return p
}

// exactCases are settings under which exact mode keeps its promise: all.
var exactCases = map[string]learn.Params{
	"binary": {}, "binary, weighed": {"positive_weight": 0.3}, "l2": {}, "l1": {"objective": "l1"}, "huber": {"objective": "huber"},
	"quantile": {"objective": "quantile", "quantile": 0.8}, "poisson": {"objective": "poisson"}, "tweedie": {"objective": "tweedie"},
	"classes": {}, "classes, balanced": {"class_weights": "balanced"},
	"binary, constrained": {"monotone": []int{1, -1, 0, 0, 0}, "interactions": [][]int{{0, 1}, {1, 2, 3}}, "growth": "depth", "lambda": 1, "alpha": 0.1},
	"binary, drawn":       {"row_fraction": 0.7, "feature_fraction": 0.7, "node_fraction": 0.7, "extra_random": 1},
	"l2, drawn":           {"gradient_fraction": 0.5},
	"l2, by a hair":       {"learning_rate": 2e-16, "early_stopping_rounds": 2}, // last bits of the validation loss decide when to stop
}

// exactTables returns rows to learn from and rows for validation, with missing
// values, categories and negative zeros.
func exactTables(name string) (in learn.Train, valid learn.Data) {
	draw := func(n int, root uint64) learn.Train {
		task := bundle.Regression
		if strings.HasPrefix(name, "binary") {
			task = bundle.Binary
		}
		t := table(task, n, root)
		for i, y := range t.Y {
			switch {
			case strings.HasPrefix(name, "classes"):
				t.Y[i] = float64(min(2, int(math.Abs(y)/2)))
			case name == "poisson" || name == "tweedie":
				t.Y[i] = math.Trunc(math.Abs(y))
			}
			if x := t.X.Row(i); i%2 == 0 && x[1] == 0 {
				x[1] = math.Copysign(0, -1)
			}
		}
		if strings.HasPrefix(name, "classes") {
			t.Task, t.Classes = bundle.Multiclass, 3
		}
		return t
	}
	return draw(400, 21), draw(200, 22).Data
}

// allForests returns what tells the forests of a fit from others.
func allForests(t *testing.T, in learn.Train, p learn.Params) string {
	t.Helper()
	if in.Task != bundle.Multiclass {
		return fingerprint(t, mustFit(t, in, p))
	}
	var all []string
	for _, m := range fitClasses(t, in, p) {
		all = append(all, fingerprint(t, m.Trees))
	}
	return strings.Join(all, " ")
}

// exactly returns the settings of a small fit in exact mode.
func exactly(p learn.Params) learn.Params {
	exact := learn.Params{"rounding": "nearest", "trees": 15, "leaves": 8, "cat_min_rows": 20, "early_stopping_rounds": 5}
	for name, v := range p {
		exact[name] = v
	}
	return exact
}

// In exact mode the order of the rows, weighted or not, changes no bit of the
// forest; neither does that of the validation rows.
func TestExactInAnyOrder(t *testing.T) {
	t.Parallel()
	for name, p := range exactCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, valid := exactTables(name)
			rng := seed.Stream(23, "exact order", 0)
			weigh := func(d learn.Data) learn.Data { // some rows several times, with weights that do not add up to the same in any order
				rows := slices.Concat(rng.Perm(d.X.Rows), rng.Perm(d.X.Rows)[:d.X.Rows/4], rng.Perm(d.X.Rows)[:d.X.Rows/4])
				d = pick(d, rows, nil)
				for range rows {
					d.W = append(d.W, rng.ExpFloat64()*float64(min(1, rng.IntN(20))))
				}
				return d
			}
			p := exactly(p)
			for _, weighted := range []bool{false, true} {
				if weighted {
					in.Data, valid = weigh(in.Data), weigh(valid)
				}
				in.Valid = &valid
				want := allForests(t, in, p)
				for order := range 3 {
					other, v := in, pick(valid, rng.Perm(valid.X.Rows), nil)
					other.Data, other.Valid, other.Workers = pick(in.Data, rng.Perm(in.X.Rows), nil), &v, 1+order
					if allForests(t, other, p) != want {
						t.Errorf("weighted %v: order %d gives another forest", weighted, order)
					}
					if p := (learn.Params{"trees": 15}); name == "binary" && order == 0 && allForests(t, other, p) == allForests(t, in, p) {
						t.Error("the order cannot be seen by default either: this test shows nothing")
					}
				}
			}
		})
	}
}

// In exact mode a row that comes k times is a row of weight k, to the last
// bit, whether all rows come as often or each as it likes.
func TestExactCopiesAreWeights(t *testing.T) {
	t.Parallel()
	for name, p := range exactCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, valid := exactTables(name)
			p := exactly(p)
			for round, draw := range []func(rng *rand.Rand) int{
				func(*rand.Rand) int { return 2 },
				func(rng *rand.Rand) int { return rng.IntN(4) },
				func(rng *rand.Rand) int { return 1 + 30*(rng.IntN(20)/19) },
			} {
				rng := seed.Stream(24, "exact copies", round)
				weights := func(d learn.Data) (w []float64) {
					for range d.X.Rows {
						w = append(w, float64(draw(rng)))
					}
					return w
				}
				w, v := weights(in.Data), weights(valid)
				weighted, repeated := in, in
				weighted.W, weighted.Valid = w, &learn.Data{X: valid.X, Y: valid.Y, W: v}
				repeatedValid := copies(rng, valid, v)
				repeated.Data, repeated.Valid = copies(rng, in.Data, w), &repeatedValid
				if allForests(t, weighted, p) != allForests(t, repeated, p) {
					t.Errorf("round %d: rows and weights give different forests", round)
				}
				if name == "binary" && round > 0 && allForests(t, weighted, p) == allForests(t, in, p) {
					t.Errorf("round %d: the weights have no say: this test shows nothing", round)
				}
			}
		})
	}
}

// Where nothing is drawn, exact mode does not ask the seed, not for rounding
// and not for the bins of a table from which they are otherwise sampled.
func TestExactWithoutSeed(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(25, "exact seed", 0)
	long := learn.Train{Task: bundle.Regression, Workers: 2, Data: learn.Data{X: learn.Matrix{Rows: 210_000, Cols: 1}}}
	for range long.X.Rows {
		x := rng.Float64()
		long.X.Data, long.Y = append(long.X.Data, x), append(long.Y, math.Round(x*8)+float64(rng.IntN(3)))
	}
	for name, in := range map[string]learn.Train{"short": table(bundle.Binary, 500, 25), "long": long} {
		trees := map[string]int{"short": 40, "long": 2}[name]
		prints := map[string]string{}
		for _, rounding := range []string{"stochastic", "nearest"} {
			for in.Seed = range uint64(2) {
				prints[fmt.Sprint(rounding, in.Seed)] = fingerprint(t, mustFit(t, in, learn.Params{"rounding": rounding, "trees": trees, "lambda": 0, "node_fraction": 1, "cat_single": 0}))
			}
		}
		if prints["nearest0"] != prints["nearest1"] {
			t.Errorf("%s: the seed changes the forest of exact mode", name)
		}
		if prints["stochastic0"] == prints["stochastic1"] {
			t.Errorf("%s: the seed has no say by default either: this test shows nothing", name)
		}
	}
}

// moments returns the mean and the variance of x.
func moments(x []float64) (mean, variance float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x)-1)
	}
	return mean, variance
}

// withinNoise compares fits with others that differ from them in the seed: the
// means are apart by less than one of the seeds' standard deviations, and the
// spread is about as large. With twenty of each, chance alone exceeds either
// once in some thousand times.
func withinNoise(seeds, fits []float64) error {
	m, v := moments(seeds)
	mean, variance := moments(fits)
	if d := math.Abs(mean - m); !(d < math.Sqrt(v)) {
		return fmt.Errorf("the means %.5f and %.5f differ by %.5f, the seeds by %.5f", m, mean, d, math.Sqrt(v))
	}
	if variance > 6*v || v > 6*variance {
		return fmt.Errorf("the standard deviations are %.5f and %.5f", math.Sqrt(v), math.Sqrt(variance))
	}
	return nil
}

// By default the order of the rows, and whether they come k times or weigh k,
// matters as the seed matters: by the noise of rounding, which decides between
// splits that are nearly as good. The AUCs on other rows show it, and fits that
// differ by more than noise are told apart.
func TestWithinSeedNoise(t *testing.T) {
	t.Parallel()
	test := table(bundle.Binary, 3000, 27)
	label := make([]bool, len(test.Y))
	for i, y := range test.Y {
		label[i] = y == 1
	}
	fits := func(make func(k int) learn.Train) []float64 {
		var list []float64
		for k := range 20 {
			auc, err := metrics.AUC(label, margins(mustFit(t, make(k), learn.Params{"trees": 20, "min_rows": 10, "lambda": 0, "node_fraction": 1}), test.X), nil)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, auc)
		}
		mean, variance := moments(list)
		t.Logf("AUC %.5f, standard deviation %.5f", mean, math.Sqrt(variance))
		return list
	}
	// A fifth of the labels is wrong, which only the weights know.
	in := table(bundle.Binary, 800, 26)
	rng := seed.Stream(26, "wrong labels", 0)
	for i, y := range in.Y {
		in.W = append(in.W, float64(2+i%2))
		if rng.IntN(5) == 0 {
			in.Y[i], in.W[i] = 1-y, 1
		}
	}
	seeds := fits(func(k int) learn.Train {
		in := in
		in.Seed = uint64(k)
		return in
	})
	if err := withinNoise(seeds, fits(func(k int) learn.Train {
		in := in
		in.Data = pick(in.Data, seed.Stream(26, "order", k).Perm(in.X.Rows), nil)
		return in
	})); err != nil {
		t.Errorf("other seeds and other orders: %v", err)
	}
	if err := withinNoise(seeds, fits(func(k int) learn.Train {
		in := in
		in.Data = copies(seed.Stream(26, "copies", k), in.Data, in.W)
		return in
	})); err != nil {
		t.Errorf("weights and copies: %v", err)
	}
	if withinNoise(seeds, fits(func(k int) learn.Train {
		in := in
		in.Seed, in.W = uint64(k), nil
		return in
	})) == nil {
		t.Error("fits that ignore the weights are not told apart")
	}
	if withinNoise(seeds, fits(func(k int) learn.Train {
		in := in
		in.Seed, in.Data = uint64(k), pick(in.Data, rng.Perm(in.X.Rows)[:in.X.Rows*3/4], nil)
		return in
	})) == nil {
		t.Error("fits to three quarters of the rows are not told apart")
	}
}

// The base of an explanation is the mean margin of the training rows, and the
// contributions add up to what a row's margin has more, missing values and
// unseen categories included.
func TestContributions(t *testing.T) {
	t.Parallel()
	for _, p := range []learn.Params{{"trees": 30}, {"trees": 30, "rounding": "nearest", "lambda": 1}} {
		in := table(bundle.Binary, 1000, 28)
		for i := range in.Y {
			in.W = append(in.W, float64(i%5)/2)
		}
		f := mustFit(t, in, p)
		e := tree.NewExplainer(f)
		part, mean, total := make([]float64, in.X.Cols), 0.0, 0.0
		for i, m := range margins(f, in.X) {
			mean, total = mean+m*in.W[i], total+in.W[i]
		}
		for i := range in.X.Rows {
			row := in.X.Row(i)
			if i%10 == 0 {
				row[3] = 40 // a category that was never seen
			}
			base, m := e.Contributions(part, row), f.Margin(row)
			if i == 0 && math.Abs(base-mean/total) > 1e-12 {
				t.Errorf("%v: the base is %v, the mean margin %v", p, base, mean/total)
			}
			sum, size := base, math.Abs(base)
			for _, v := range part {
				sum, size = sum+v, size+math.Abs(v)
			}
			if math.Abs(sum-m) > 1e-13*size {
				t.Fatalf("%v: base and contributions of row %d add up to %v, its margin is %v", p, i, sum, m)
			}
		}
	}
}

// A forest that was written to a file and read again scores with the same
// bits.
func TestSavedForestScoresTheSame(t *testing.T) {
	t.Parallel()
	in := table(bundle.Binary, 1000, 29)
	m, err := gbdt.Learner{}.Fit(context.Background(), in, learn.Params{"trees": 30})
	if err != nil {
		t.Fatal(err)
	}
	contract := data.Contract{Fields: []data.Field{{Name: "y", Kind: data.Category, Role: data.Target, Categories: []string{"no", "yes"}}}}
	for j, n := range in.Categories {
		field := data.Field{Name: fmt.Sprint("x", j), Kind: data.Number, Role: data.Feature}
		feature := step.Feature{Name: field.Name, Input: j, Op: step.Number}
		if n > 0 {
			field.Kind, feature.Op, feature.Categories = data.Category, step.Code, n
			for c := range n {
				field.Categories = append(field.Categories, fmt.Sprintf("c%02d", c))
			}
		}
		contract.Fields, m.Plan = append(contract.Fields, field), append(m.Plan, feature)
	}
	model, err := bundle.NewModel(bundle.Model{Contract: contract, Members: []bundle.Member{m},
		Calibration: bundle.Calibration{Method: "sigmoid", A: 1}, Decision: bundle.Decision{Positive: "yes", Negative: "no", Threshold: 0.5}})
	if err != nil {
		t.Fatal(err)
	}
	rows := bundle.Rows{N: in.X.Rows, Cols: in.X.Cols, Data: in.X.Data}
	b, err := bundle.New(bundle.Bundle{Manifest: bundle.Manifest{Producer: "test", Name: "laws", Task: bundle.Binary, Target: "y"}, Model: *model, Tests: model.TestRows(bundle.Rows{N: 5, Cols: 5, Data: in.X.Data[:25]})})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "laws.tandem")
	if err := bundle.WriteFile(path, b); err != nil {
		t.Fatal(err)
	}
	if b, err = bundle.Open(path); err != nil {
		t.Fatal(err)
	}
	got := make([]float64, rows.N)
	b.ScoreRows(got, make([]float64, rows.N), rows)
	for i, want := range margins(m.Trees, in.X) {
		if math.Float64bits(got[i]) != math.Float64bits(want) || math.Float64bits(b.Margin(in.X.Row(i))) != math.Float64bits(want) {
			t.Fatalf("row %d has margin %v, %v once stored", i, want, got[i])
		}
	}
}
