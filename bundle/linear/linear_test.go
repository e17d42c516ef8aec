package linear_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle/linear"
)

func Example() {
	m := &linear.Model{Intercept: -1, Weight: []float64{0.5, -2}, Mean: []float64{1, 0.25}}
	if err := m.Check(2); err != nil {
		panic(err)
	}
	part := make([]float64, 2)
	base := m.Contributions(part, []float64{3, 0})
	fmt.Println(m.Margin([]float64{3, 0}), "=", base, part)
	// Output: 0.5 = -1 [1 0.5]
}

func TestContributionsAddUp(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		m := &linear.Model{Intercept: rng.NormFloat64()}
		var x []float64
		for range rng.IntN(30) {
			m.Weight, m.Mean, x = append(m.Weight, rng.NormFloat64()), append(m.Mean, rng.NormFloat64()), append(x, rng.NormFloat64())
		}
		part := make([]float64, len(x))
		sum := m.Contributions(part, x)
		for _, p := range part {
			sum += p
		}
		if want := m.Margin(x); math.Abs(sum-want) > 1e-12 {
			t.Errorf("seed %d: base + contributions = %v, margin %v", seed, sum, want)
		}
	}
	if got := (&linear.Model{Intercept: 2}).Margin(nil); got != 2 {
		t.Errorf("a model without features: margin %v, want its intercept", got)
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want string
		m    linear.Model
	}{
		{"for 1 features", linear.Model{}},
		{"for 1 features", linear.Model{Weight: []float64{1}}},
		{"intercept", linear.Model{Intercept: math.NaN(), Weight: []float64{1}, Mean: []float64{1}}},
		{"weight", linear.Model{Weight: []float64{math.Inf(1)}, Mean: []float64{1}}},
		{"mean", linear.Model{Weight: []float64{1}, Mean: []float64{math.NaN()}}},
	} {
		if err := c.m.Check(1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one about %q", c.m, err, c.want)
		}
	}
}
