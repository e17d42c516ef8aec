package gbdt_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt"
)

var nan, inf = math.NaN(), math.Inf(1)

// train makes the input of a fit from rows written out.
func train(task bundle.Task, rows [][]float64, y ...float64) learn.Train {
	t := learn.Train{Task: task, Data: learn.Data{X: learn.Matrix{Rows: len(rows), Cols: len(rows[0])}, Y: y}, Workers: 1}
	for _, r := range rows {
		t.X.Data = append(t.X.Data, r...)
	}
	return t
}

// column makes rows of one feature.
func column(x ...float64) [][]float64 {
	var rows [][]float64
	for _, v := range x {
		rows = append(rows, []float64{v})
	}
	return rows
}

func mustFit(t testing.TB, in learn.Train, p learn.Params) *tree.Forest {
	t.Helper()
	m, err := gbdt.Learner{}.Fit(context.Background(), in, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Trees.Check(); err != nil {
		t.Fatal(err)
	}
	return m.Trees
}

// stump is the setting of one tree of two leaves without any caution.
func stump(more learn.Params) learn.Params {
	p := learn.Params{"trees": 1, "learning_rate": 1, "leaves": 2, "min_rows": 1, "lambda": 0,
		"cat_smooth": 0, "cat_lambda": 0, "cat_min_rows": 0}
	for name, v := range more {
		p[name] = v
	}
	return p
}

func near(got, want float64) bool { return math.Abs(got-want) <= 1e-12*max(1, math.Abs(want)) }

// TestByHand compares single trees of two leaves with values worked out by
// hand from the formulas in the package comment.
func TestByHand(t *testing.T) {
	t.Parallel()
	log3 := math.Log(3)
	for _, c := range []struct {
		name       string
		in         learn.Train
		categories []int
		weights    []float64
		params     learn.Params
		base       float64
		threshold  float64 // of the root, if it is numeric
		left       float64 // leaf values
		right      float64
		cover      [2]float64
		missing    bool // goes left
		set        []uint64
	}{
		{
			name: "squared error: residuals 5 5 -5 -5 split in the middle",
			in:   train(bundle.Regression, column(1, 2, 3, 4), 0, 0, 10, 10),
			base: 5, threshold: 2.5, left: -5, right: 5, cover: [2]float64{2, 2}, missing: true,
		}, {
			name:   "lambda 2 halves -G/H = -10/2, the learning rate halves again",
			in:     train(bundle.Regression, column(1, 2, 3, 4), 0, 0, 10, 10),
			params: learn.Params{"lambda": 2, "learning_rate": 0.5},
			base:   5, threshold: 2.5, left: -1.25, right: 1.25, cover: [2]float64{2, 2}, missing: true,
		}, {
			// p = 1/4: g = 1/4, 1/4, 1/4, -3/4 and h = 3/16. Left: -(3/4)/(9/16+1);
			// right: (3/4)/(3/16+1).
			name:   "log loss with lambda 1",
			in:     train(bundle.Binary, column(1, 2, 3, 4), 0, 0, 0, 1),
			params: learn.Params{"lambda": 1},
			base:   -log3, threshold: 3.5, left: -0.48, right: 12.0 / 19, cover: [2]float64{3, 1}, missing: true,
		}, {
			// The mean is (0+0+10*2)/4 = 5; the rows weigh 1, 1, 2.
			name:    "weights count in base, sums and cover",
			in:      train(bundle.Regression, column(1, 2, 3), 0, 0, 10),
			weights: []float64{1, 1, 2},
			params:  learn.Params{"lambda": 2},
			base:    5, threshold: 2.5, left: -2.5, right: 2.5, cover: [2]float64{2, 2}, missing: true,
		}, {
			name: "missing goes with the large values",
			in:   train(bundle.Regression, column(1, 2, nan, 4), 0, 0, 10, 10),
			base: 5, threshold: 3, left: -5, right: 5, cover: [2]float64{2, 2},
		}, {
			name: "missing goes with the small values",
			in:   train(bundle.Regression, column(1, nan, 3, 4), 0, 0, 10, 10),
			base: 5, threshold: 2, left: -5, right: 5, cover: [2]float64{2, 2}, missing: true,
		}, {
			name: "missing against all values, however large",
			in:   train(bundle.Regression, column(1, 2, nan, nan), 0, 0, 10, 10),
			base: 5, threshold: inf, left: -5, right: 5, cover: [2]float64{2, 2},
		}, {
			name: "no missing in training: to the heavier side",
			in:   train(bundle.Regression, column(1, 2, 3, 4), 0, 12, 12, 12),
			base: 9, threshold: 1.5, left: -9, right: 3, cover: [2]float64{1, 3},
		}, {
			name: "infinities are the ends of the order",
			in:   train(bundle.Regression, column(-inf, -inf, 5, inf), 0, 0, 10, 10),
			base: 5, threshold: -math.MaxFloat64, left: -5, right: 5, cover: [2]float64{2, 2}, missing: true,
		}, {
			name: "one category against the rest",
			in:   train(bundle.Regression, column(0, 1, 2, 1), 0, 8, 0, 8), categories: []int{3},
			base: 4, left: 4, right: -4, cover: [2]float64{2, 2}, missing: true, set: []uint64{1 << 1},
		}, {
			// Residuals by category 0..5: 5 -5 5 -5 5 -5. The order by gradient
			// is 1 3 5 0 2 4; the first half goes left, and cat_lambda 3 halves
			// the values 15/3.
			name: "a set of categories",
			in:   train(bundle.Regression, column(0, 1, 2, 3, 4, 5), 0, 10, 0, 10, 0, 10), categories: []int{6},
			params: learn.Params{"cat_lambda": 3, "cat_single": 0},
			base:   5, left: 2.5, right: -2.5, cover: [2]float64{3, 3}, missing: true, set: []uint64{1<<1 | 1<<3 | 1<<5},
		}, {
			name: "a missing category is a category",
			in:   train(bundle.Regression, column(0, 1, 2, 3, 4, nan, nan), 0, 0, 0, 0, 0, 7, 7), categories: []int{5},
			base: 2, left: 5, right: -2, cover: [2]float64{2, 5}, missing: true, set: []uint64{0},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.in.Categories, c.in.W = c.categories, c.weights
			f := mustFit(t, c.in, stump(c.params))
			if len(f.Left) != 3 {
				t.Fatalf("%d nodes, want a root and two leaves", len(f.Left))
			}
			l, r := f.Left[0], f.Right[0]
			if !near(f.Base, c.base) || !near(f.Value[l], c.left) || !near(f.Value[r], c.right) {
				t.Errorf("base %v, leaves %v and %v, want %v, %v, %v", f.Base, f.Value[l], f.Value[r], c.base, c.left, c.right)
			}
			if got := [2]float64{f.Cover[l], f.Cover[r]}; got != c.cover || f.Cover[0] != c.cover[0]+c.cover[1] {
				t.Errorf("cover %v of %v, want %v", got, f.Cover[0], c.cover)
			}
			if f.MissingLeft[0] != c.missing {
				t.Errorf("missing goes left: %v, want %v", f.MissingLeft[0], c.missing)
			}
			if c.set == nil && f.Threshold[0] != c.threshold {
				t.Errorf("threshold %v, want %v", f.Threshold[0], c.threshold)
			}
			if c.set != nil && !slices.Equal(f.Sets[f.Set[0]], c.set) {
				t.Errorf("left set %b, want %b", f.Sets[f.Set[0]], c.set)
			}
		})
	}
}

// table makes n rows with numbers that repeat and do not, missing values, a
// category, and a number without meaning.
func table(task bundle.Task, n int, root uint64) learn.Train {
	rng := seed.Stream(root, "gbdt test", 0)
	var rows [][]float64
	var y []float64
	for range n {
		// Binary fractions, so that no machine rounds them otherwise.
		x := []float64{float64(rng.IntN(1000)-500) / 256, float64(rng.IntN(9)), float64(rng.IntN(700)) / 256, float64(rng.IntN(20)), rng.Float64()}
		m := x[0]*2 - x[1]/4 + math.Sin(x[2]*3) + float64(int(x[3])%3)
		if rng.IntN(5) == 0 {
			x[2] = nan
		}
		if task == bundle.Binary {
			m = min(1, max(0, math.Round(m/4+2*rng.Float64()-1)))
		}
		m = math.Round(m*64) / 64 // the same on machines that fuse m's sum
		rows, y = append(rows, x), append(y, m)
	}
	t := train(task, rows, y...)
	t.Categories = []int{0, 0, 0, 20, 0}
	return t
}

func margins(f *tree.Forest, x learn.Matrix) []float64 {
	out := make([]float64, x.Rows)
	f.Margins(out, x.Data)
	return out
}

// A strictly increasing transform moves thresholds but no row: nothing else in
// the forest changes, and the margins stay the same to the last bit.
func TestIncreasingTransform(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(float64) float64{
		"exp":    math.Exp,
		"cube":   func(x float64) float64 { return x * x * x },
		"affine": func(x float64) float64 { return 3*x - 1000 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, rounding := range []string{"stochastic", "nearest"} {
				p := learn.Params{"rounding": rounding, "trees": 50}
				in := table(bundle.Binary, 1500, 1)
				f := mustFit(t, in, p)
				want := margins(f, in.X)
				for i := range in.X.Rows {
					for _, j := range []int{0, 1, 2, 4} {
						in.X.Row(i)[j] = change(in.X.Row(i)[j])
					}
				}
				g := mustFit(t, in, p)
				if got := margins(g, in.X); !slices.Equal(got, want) {
					t.Errorf("%s: margins of the training rows changed", rounding)
				}
				g.Threshold = f.Threshold
				if fingerprint(t, f) != fingerprint(t, g) {
					t.Errorf("%s: more than thresholds changed", rounding)
				}
			}
		})
	}
}

// Every tree lowers the training loss: a leaf's value is the Newton step or
// less, and with a learning rate up to 0.3 that does not overshoot.
func TestTrainingLossFalls(t *testing.T) {
	t.Parallel()
	for _, task := range []bundle.Task{bundle.Binary, bundle.Regression} {
		for _, rate := range []float64{0.05, 0.3} {
			in := table(task, 1500, 2)
			f := mustFit(t, in, learn.Params{"learning_rate": rate, "trees": 40})
			last := inf
			for k := range len(f.Root) {
				part := *f
				part.Root = f.Root[:k+1]
				now := loss(task, margins(&part, in.X), in.Y)
				if now >= last {
					t.Fatalf("%s, learning rate %g: loss %g after %d trees, %g before", task, rate, now, k, last)
				}
				last = now
			}
		}
	}
}

// loss is the summed log loss or squared error.
func loss(task bundle.Task, margin, y []float64) float64 {
	sum := 0.0
	for i, m := range margin {
		if task == bundle.Regression {
			sum += (m - y[i]) * (m - y[i])
			continue
		}
		if y[i] == 1 {
			m = -m
		}
		sum += math.Log1p(math.Exp(m))
	}
	return sum
}

// Trees keep to the limits of their settings.
func TestLimits(t *testing.T) {
	t.Parallel()
	for root := range uint64(20) {
		rng := seed.Stream(root, "gbdt limits", 0)
		leaves, depth, rows := 2+rng.IntN(30), 1+rng.IntN(6), 1+rng.IntN(60)
		in := table(bundle.Regression, 50+rng.IntN(1000), root)
		f := mustFit(t, in, learn.Params{"trees": 5, "leaves": leaves, "max_depth": depth, "min_rows": rows})
		for k := range len(f.Root) - 1 {
			deep, count := make(map[int32]int), 0
			for n := f.Root[k]; n < f.Root[k+1]; n++ {
				if f.Left[n] >= 0 {
					deep[f.Left[n]], deep[f.Right[n]] = deep[n]+1, deep[n]+1
					if f.Cover[n] != f.Cover[f.Left[n]]+f.Cover[f.Right[n]] {
						t.Errorf("seed %d: cover %g of node %d is not that of its children", root, f.Cover[n], n)
					}
					continue
				}
				count++
				if deep[n] > depth || f.Cover[n] < float64(rows) {
					t.Errorf("seed %d: a leaf at depth %d with %g rows; limits %d and %d", root, deep[n], f.Cover[n], depth, rows)
				}
			}
			if count > leaves {
				t.Errorf("seed %d: %d leaves, limit %d", root, count, leaves)
			}
			if f.Cover[f.Root[k]] != float64(in.X.Rows) {
				t.Errorf("seed %d: the root covers %g of %d rows", root, f.Cover[f.Root[k]], in.X.Rows)
			}
		}
	}
}

func TestSampling(t *testing.T) {
	t.Parallel()
	in := table(bundle.Regression, 1000, 3)
	f := mustFit(t, in, learn.Params{"trees": 30, "row_fraction": 0.25, "feature_fraction": 0.2})
	used := make(map[int32]bool)
	for k := range len(f.Root) - 1 {
		if got := f.Cover[f.Root[k]]; got != 250 {
			t.Errorf("tree %d was fitted to %g rows, want a quarter of 1,000", k, got)
		}
		var first int32 = -1
		for n := f.Root[k]; n < f.Root[k+1]; n++ {
			if f.Left[n] < 0 {
				continue
			}
			if first >= 0 && f.Feature[n] != first {
				t.Errorf("tree %d uses features %d and %d, but may use one of five", k, first, f.Feature[n])
			}
			first = f.Feature[n]
		}
		used[first] = true
	}
	if len(used) < 4 {
		t.Errorf("30 trees drew only %d features", len(used))
	}
}

// With validation rows the forest is the beginning of the forest without,
// up to the tree after which the validation loss was lowest.
func TestEarlyStopping(t *testing.T) {
	t.Parallel()
	for _, task := range []bundle.Task{bundle.Binary, bundle.Regression} {
		in, valid := table(task, 400, 4), table(task, 400, 5)
		for i := range in.Y { // enough noise to make many trees harmful
			if i%3 == 0 {
				in.Y[i] = in.Y[(i*7+1)%400]
			}
		}
		full := mustFit(t, in, learn.Params{"trees": 200})
		in.Valid = &valid.Data
		stopped := mustFit(t, in, learn.Params{"trees": 200, "early_stopping_rounds": 20})
		best, lowest := 0, inf
		for k := range len(full.Root) {
			part := *full
			part.Root = full.Root[:k+1]
			now := loss(task, margins(&part, valid.X), valid.Y)
			if now < lowest {
				best, lowest = k, now
			} else if k-best == 20 {
				break
			}
		}
		if got := len(stopped.Root) - 1; got != best || best == 0 || best > 150 {
			t.Errorf("%s: %d trees kept, the validation loss is lowest after %d", task, got, best)
		}
		if !slices.Equal(stopped.Value, full.Value[:len(stopped.Value)]) {
			t.Errorf("%s: the trees kept are not the first of those without validation", task)
		}
	}
}

func TestUnseenCategoryGoesRight(t *testing.T) {
	t.Parallel()
	in := train(bundle.Regression, column(0, 1, 2, 3, 4, 5), 0, 10, 0, 10, 0, 10)
	in.Categories = []int{6}
	f := mustFit(t, in, stump(learn.Params{"cat_single": 0}))
	for _, code := range []float64{6, 63, 64, 1e6} {
		if got := f.Margin([]float64{code}); got != 0 {
			t.Errorf("category %g has margin %g, want that of the right leaf, 0", code, got)
		}
	}
}

// More categories than bins: the most frequent keep a bin, the others go right
// together.
func TestManyCategories(t *testing.T) {
	t.Parallel()
	var codes, y []float64
	for c := range 400 {
		for range 1 + c%2 {
			codes, y = append(codes, float64(c)), append(y, float64(c%4))
		}
	}
	in := train(bundle.Regression, column(codes...), y...)
	in.Categories = []int{400}
	f := mustFit(t, in, learn.Params{"trees": 60, "cat_smooth": 1, "cat_min_rows": 1, "min_rows": 1, "cat_max": 100, "learning_rate": 0.3})
	// Odd codes occur twice and have bins; 1 and 3 modulo 4 can be told apart.
	if a, b := f.Margin([]float64{101}), f.Margin([]float64{103}); math.Abs(a-1) > 0.3 || math.Abs(b-3) > 0.3 {
		t.Errorf("margins %g and %g, want about 1 and 3", a, b)
	}
}

func TestNothingToLearn(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]learn.Train{
		"constant labels":   train(bundle.Regression, column(1, 2, 3, 4), 7, 7, 7, 7),
		"constant feature":  train(bundle.Regression, column(1, 1, 1, 1), 5, 9, 7, 7),
		"missing feature":   train(bundle.Regression, column(nan, nan), 6, 8),
		"one row":           train(bundle.Regression, column(1), 7),
		"too few for leaf":  train(bundle.Regression, column(1, 2), 6, 8),
		"no features":       {Task: bundle.Regression, Data: learn.Data{X: learn.Matrix{Rows: 2}, Y: []float64{6, 8}}},
		"zero-weight noise": {Task: bundle.Regression, Data: learn.Data{X: learn.Matrix{Rows: 2, Cols: 1, Data: []float64{1, 2}}, Y: []float64{7, 100}, W: []float64{1, 0}}},
	} {
		f := mustFit(t, in, nil)
		if len(f.Root) != 1 || f.Base != 7 {
			t.Errorf("%s: %d trees on base %g, want none on 7", name, len(f.Root)-1, f.Base)
		}
	}
	_, err := gbdt.Learner{}.Fit(context.Background(), train(bundle.Binary, column(1, 2), 1, 1), nil)
	if !errors.Is(err, gbdt.ErrOneClass) {
		t.Errorf("one class: error %v, want ErrOneClass", err)
	}
}

// countdown is a context that is cancelled when it is asked for the n-th time:
// unlike a timer it reaches every place that looks.
type countdown struct {
	context.Context
	left chan struct{}
}

func (c countdown) Err() error {
	select {
	case <-c.left:
		return nil
	default:
		return context.Canceled
	}
}

func TestCancelledAnywhere(t *testing.T) {
	t.Parallel()
	in := table(bundle.Binary, 300, 6)
	valid := table(bundle.Binary, 100, 7)
	in.Valid = &valid.Data
	in.Workers = 2
	for _, rounding := range []string{"stochastic", "nearest"} {
		cancelAnywhere(t, in, learn.Params{"trees": 3, "row_fraction": 0.8, "rounding": rounding})
	}
}

func cancelAnywhere(t *testing.T, in learn.Train, p learn.Params) {
	t.Helper()
	for n := 0; ; n++ {
		c := countdown{context.Background(), make(chan struct{}, n)}
		for range n {
			c.left <- struct{}{}
		}
		m, err := gbdt.Learner{}.Fit(c, in, p)
		if err == nil {
			if n < 20 {
				t.Errorf("the fit looked at its context only %d times", n)
			}
			return
		}
		if !errors.Is(err, context.Canceled) || m.Trees != nil {
			t.Fatalf("cancelled at look %d: error %v, member %v", n, err, m)
		}
	}
}

// Four loans of 1 to 4 yearly incomes; the two large ones lost ten thousand each.
func ExampleLearner_Fit() {
	t := train(bundle.Regression, column(1, 2, 3, 4), 0, 0, 10, 10)
	m, err := gbdt.Learner{}.Fit(context.Background(), t, learn.Params{
		"trees": 1, "leaves": 2, "min_rows": 1, "learning_rate": 1, "lambda": 0,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("base", m.Trees.Base, "edge", m.Trees.Threshold[0])
	fmt.Println(m.Trees.Margin([]float64{1.9}), m.Trees.Margin([]float64{100}))
	// Output:
	// base 5 edge 2.5
	// 0 10
}
