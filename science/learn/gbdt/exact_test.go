package gbdt

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	nan, zero := math.NaN(), math.Copysign(0, -1)
	d := learn.Data{
		X: learn.Matrix{Rows: 9, Cols: 2, Data: []float64{
			2, 1,
			nan, 5,
			0, nan,
			math.Inf(1), 0,
			zero, nan,
			2, 1,
			2, 1,
			-3, 8,
			nan, 5,
		}},
		Y: []float64{0, 1, 0, 1, zero, 1, 0, 1, 1},
		W: []float64{1, 0.5, 2, 1, 3, 7, 1, 0, 0.25},
	}
	got, err := canonical(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	same := func(a, b float64) bool { return a == b || a != a && b != b }
	if want := []float64{0, nan, 2, 1, 2, 1, math.Inf(1), 0, nan, 5}; got.X.Rows != 5 || got.X.Cols != 2 || !slices.EqualFunc(got.X.Data, want, same) {
		t.Errorf("%d rows %v, want %v", got.X.Rows, got.X.Data, want)
	}
	if !slices.Equal(got.Y, []float64{0, 0, 1, 1, 1}) || math.Signbit(got.Y[0]) || !slices.Equal(got.W, []float64{5, 2, 7, 1, 0.75}) {
		t.Errorf("labels %v, weights %v", got.Y, got.W)
	}
	d.W = slices.Repeat([]float64{0}, 9)
	d.W[3] = 1
	if got, err = canonical(context.Background(), d); err != nil || got.X.Rows != 1 || got.W != nil {
		t.Errorf("the only row has weights %v, %v", got.W, err)
	}
	many := learn.Data{X: learn.Matrix{Rows: 3 * pieceRows, Cols: 1, Data: make([]float64, 3*pieceRows)}, Y: make([]float64, 3*pieceRows)}
	if got, err = canonical(context.Background(), many); err != nil || !slices.Equal(got.W, []float64{3 * pieceRows}) {
		t.Errorf("equal rows have the weights %v, %v", got.W, err)
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err = canonical(cancelled, many); err == nil {
		t.Error("a cancelled sort gives no error")
	}
}

// Exact mode meets every table in its canonical form, in which it cannot be
// seen whether the learner itself takes a row of weight k for k rows. So here
// it is given others: the forests have the same shape, and the same values up
// to the last bits of sums in another order. Not so for l1 and quantile: where
// gradients have two values many splits are equally good, and last bits decide.
func TestWeightsAreCopiesWithoutCanonicalForm(t *testing.T) {
	t.Parallel()
	all := regression(700)
	rng := seed.Stream(1, "copies", 0)
	for i := range all.X.Rows {
		x := all.X.Row(i)
		x[0], x[1], x[2] = math.Trunc(x[0]*100), math.Trunc(x[1]*9), math.Trunc(x[2]*20)
		if rng.IntN(7) == 0 {
			x[rng.IntN(3)] = math.NaN()
		}
		all.W = append(all.W, float64(rng.IntN(4)))
	}
	all.Categories = []int{0, 0, 20}
	for name, p := range map[string]learn.Params{
		"binary": {}, "l2": {}, "huber": {"objective": "huber"}, "poisson": {"objective": "poisson", "lambda": 2},
	} {
		in := all
		if name == "binary" {
			in.Task, in.Y = bundle.Binary, slices.Clone(all.Y)
			for i, y := range in.Y {
				in.Y[i] = min(1, y)
			}
		}
		repeated := in
		repeated.Data = learn.Data{X: learn.Matrix{Cols: 3}}
		for _, i := range rng.Perm(in.X.Rows) {
			for range int(in.W[i]) {
				repeated.X.Rows++
				repeated.X.Data, repeated.Y = append(repeated.X.Data, in.X.Row(i)...), append(repeated.Y, in.Y[i])
			}
		}
		p["rounding"], p["node_fraction"], p["trees"], p["leaves"], p["cat_min_rows"] = "nearest", 1, 12, 8, 20
		a, b := fitAsItIs(t, in, p), fitAsItIs(t, repeated, p)
		if len(a.Root) < 10 || !slices.Equal(a.Feature, b.Feature) || !slices.Equal(a.Threshold, b.Threshold) ||
			!slices.Equal(a.Left, b.Left) || !slices.Equal(a.MissingLeft, b.MissingLeft) || !slices.EqualFunc(a.Sets, b.Sets, slices.Equal) {
			t.Errorf("%s: the forests of %d and %d trees have other shapes", name, len(a.Root)-1, len(b.Root)-1)
			continue
		}
		for n, v := range a.Value {
			if math.Abs(v-b.Value[n]) > 1e-9*(1+math.Abs(v)) || a.Cover[n] != b.Cover[n] {
				t.Errorf("%s: node %d has value %v and cover %g with weights, %v and %g with copies", name, n, v, a.Cover[n], b.Value[n], b.Cover[n])
			}
		}
	}
}

// fitAsItIs is Fit without the canonical form.
func fitAsItIs(t *testing.T, in learn.Train, p learn.Params) *tree.Forest {
	t.Helper()
	s, err := parse(p)
	if err != nil {
		t.Fatal(err)
	}
	c := newCrew(2)
	defer c.close()
	b, err := newBooster(context.Background(), c, in, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	forests, err := b.boost(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return forests[0]
}
