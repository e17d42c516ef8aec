package gbdt

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt/internal/kernel"
)

var objectives = map[string]settings{
	"l2": {}, "l1": {objective: "l1"}, "huber": {objective: "huber", huberDelta: 1.5},
	"quantile": {objective: "quantile", quantile: 0.8}, "poisson": {objective: "poisson"},
	"tweedie": {objective: "tweedie", tweediePower: 1.3}, "binary": {objective: "binary"},
}

func lossOf(name string) objective {
	s := objectives[name]
	if name == "binary" {
		return s.loss(bundle.Binary)
	}
	return s.loss(bundle.Regression)
}

// A gradient is the slope of the reported loss, and the base is where the mean
// slope is zero or changes its sign.
func TestObjectives(t *testing.T) {
	t.Parallel()
	for name := range objectives {
		o := lossOf(name)
		rng := seed.Stream(1, name, 0)
		const n = 200
		y, w, m, g, h := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
		for i := range y {
			y[i], w[i], m[i] = float64(rng.IntN(2)*rng.IntN(5)), 1+rng.Float64(), rng.NormFloat64()
			if name == "binary" {
				y[i] = min(1, y[i])
			}
		}
		o.gradients(kernel.Best(), g, h, m, y, w)
		for i := range y {
			const step = 1e-5
			up, down := o.mean([]float64{m[i] + step}, y[i:i+1], nil), o.mean([]float64{m[i] - step}, y[i:i+1], nil)
			slope := (up - down) / (2 * step)
			if name == "l2" {
				slope = (up*up - down*down) / (4 * step) // half the square of what is reported
			}
			if math.Abs(slope*w[i]-g[i]) > 1e-4*(1+math.Abs(g[i])) || h[i] <= 0 {
				t.Fatalf("%s: row of label %g at margin %g: gradient %g, slope %g, hessian %g", name, y[i], m[i], g[i], slope*w[i], h[i])
			}
		}
		base := o.base(context.Background(), y, w)
		if name == "huber" {
			continue // starts from the mean, which is nearly its minimum
		}
		at := func(margin float64) float64 {
			return o.mean(slices.Repeat([]float64{margin}, n), y, w)
		}
		if low := at(base); at(base-0.01) < low || at(base+0.01) < low {
			t.Errorf("%s: base %g has loss %g, its neighbours %g and %g", name, base, low, at(base-0.01), at(base+0.01))
		}
	}
}

func TestQuantileOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values, weights []float64
		q, want         float64
	}{
		{[]float64{7}, nil, 0.5, 7},
		{[]float64{3, 1, 2}, nil, 0.5, 2},
		{[]float64{4, 1, 3, 2}, nil, 0.5, 2.5},
		{[]float64{1, 2, 3, 4}, nil, 0.9, 4},
		{[]float64{1, 2, 3, 4}, nil, 1, 4},
		{[]float64{1, 2}, []float64{3, 1}, 0.5, 1},
		{[]float64{1, 2, 3}, []float64{1, 2, 1}, 0.75, 2.5},
	} {
		var list []residual
		for i, v := range c.values {
			list = append(list, residual{v, weight(c.weights, i)})
		}
		if got := quantileOf(context.Background(), list, c.q); got != c.want {
			t.Errorf("%g-quantile of %v with weights %v is %g, want %g", c.q, c.values, c.weights, got, c.want)
		}
	}
}

// regression makes rows with counts whose logarithm depends on the features.
func regression(n int) learn.Train {
	rng := seed.Stream(3, "counts", 0)
	in := learn.Train{Task: bundle.Regression, Workers: 2, Data: learn.Data{X: learn.Matrix{Rows: n, Cols: 3}}}
	for range n {
		a, b, c := rng.Float64(), rng.Float64(), rng.Float64()
		in.X.Data = append(in.X.Data, a, b, c)
		y := 0.0
		for limit, p := math.Exp(-math.Exp(2*a-b)), rng.Float64(); p > limit; p *= rng.Float64() {
			y++ // Knuth's way to draw a Poisson number
		}
		in.Y = append(in.Y, y)
	}
	return in
}

// Every objective lowers its own loss on new rows, and more than the others do.
func TestObjectivesTrain(t *testing.T) {
	t.Parallel()
	all := regression(6000)
	in, test := all, all
	in.X.Rows, in.X.Data, in.Y = 4000, all.X.Data[:12000], all.Y[:4000]
	test.X.Rows, test.X.Data, test.Y = 2000, all.X.Data[12000:], all.Y[4000:]
	for _, name := range []string{"l2", "l1", "huber", "quantile", "poisson", "tweedie"} {
		o := lossOf(name)
		m, err := Learner{}.Fit(context.Background(), in, learn.Params{"objective": name, "quantile": 0.8, "huber_delta": 1.5, "tweedie_power": 1.3, "trees": 60, "leaves": 8})
		if err != nil {
			t.Fatal(err)
		}
		margin := make([]float64, 2000)
		m.Trees.Margins(margin, test.X.Data)
		before, after := o.mean(slices.Repeat([]float64{m.Trees.Base}, 2000), test.Y, nil), o.mean(margin, test.Y, nil)
		if after >= before-0.02*math.Abs(before) {
			t.Errorf("%s: loss %g after training, %g before", name, after, before)
		}
		below, mean := 0.0, 0.0
		for i, v := range margin {
			if test.Y[i] <= v {
				below += 1.0 / 2000
			}
			mean += math.Exp(v) / 2000
		}
		if name == "quantile" && math.Abs(below-0.8) > 0.06 {
			t.Errorf("%g of the labels are at or below their 0.8-quantile", below)
		}
		if want := (squared{}).base(context.Background(), test.Y, nil); (name == "poisson" || name == "tweedie") && math.Abs(mean/want-1) > 0.05 {
			t.Errorf("%s: mean prediction %g, mean label %g", name, mean, want)
		}
	}
	in.Y = append([]float64{-1}, in.Y[1:]...)
	if _, err := (Learner{}).Fit(context.Background(), in, learn.Params{"objective": "poisson"}); err == nil {
		t.Error("a negative count is learned")
	}
}

// All kernels grow the same forest.
func TestKernelsGrowTheSame(t *testing.T) {
	t.Parallel()
	in := regression(40_000)
	for i := range in.Y {
		in.Y[i] = min(1, in.Y[i])
	}
	in.Task = bundle.Binary
	s, err := parse(learn.Params{"trees": 5})
	if err != nil {
		t.Fatal(err)
	}
	var want []float64
	for _, set := range kernel.All() {
		c := newCrew(2)
		b, err := newBooster(context.Background(), c, in, s, nil)
		if err != nil {
			t.Fatal(err)
		}
		b.grower.kernel = set
		forests, err := b.boost(context.Background(), nil)
		c.close()
		if err != nil {
			t.Fatal(err)
		}
		f := forests[0]
		if want == nil {
			want = f.Value
		}
		if !slices.Equal(f.Value, want) || len(f.Root) != 6 {
			t.Errorf("%s: another forest", set.Name)
		}
	}
}
