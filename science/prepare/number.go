package prepare

import (
	"math"
	"slices"

	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/data"
)

// widest bounds the numbers that linear models see: beyond it differences
// would overflow.
const widest = 1e300

// number returns the dense features of a number column, with a hinge at each
// of so many quantiles.
func (f fitter) number(knots int) step.Plan {
	var finite []float64
	missing := 0
	for _, v := range f.values {
		switch {
		case math.IsNaN(v):
			missing++
		case math.Abs(v) <= widest:
			finite = append(finite, v)
		}
	}
	var plan step.Plan
	if len(finite) > 0 {
		slices.Sort(finite)
		s := step.Feature{
			Name: f.field.Name, Input: f.input, Op: step.Standard,
			Fill: median(finite), Low: finite[0], High: finite[len(finite)-1],
		}
		plan = f.add(plan, s)
		if len(plan) > 0 {
			for _, knot := range bends(finite, knots) {
				s.Name, s.Op, s.Knot = f.field.Name+" above "+data.FormatNumber(knot), step.Hinge, knot
				plan = f.add(plan, s)
			}
		}
	}
	if missing > 0 && missing < len(f.values) {
		plan = append(plan, step.Feature{Name: f.field.Name + " missing", Input: f.input, Op: step.Missing})
	}
	return plan
}

// add appends s with its mean and scale, unless it is constant. Both are
// computed as shares of the range, whose square may not be a number.
func (f fitter) add(plan step.Plan, s step.Feature) step.Plan {
	if !(s.High > s.Low) {
		return plan
	}
	// With mean 0 and scale 1 the operation gives the value itself.
	s.Mean, s.Scale = 0, 1
	value := step.Plan{s}
	value[0].Input = 0
	out := make([]float64, len(f.values))
	for i := range f.values {
		value.Apply(out[i:i+1], f.values[i:i+1])
	}
	unit, n := s.High-s.Low, float64(len(out))
	var mean, ss float64
	for _, v := range out {
		mean += v / unit
	}
	mean /= n
	for _, v := range out {
		d := v/unit - mean
		ss += float64(d * d)
	}
	s.Mean, s.Scale = mean*unit, math.Sqrt(ss/n)*unit
	if !(s.Scale > 0) {
		return plan
	}
	return append(plan, s)
}

// median returns the middle of sorted values, or the mean of the two in the
// middle.
func median(v []float64) float64 {
	k := len(v) / 2
	if len(v)%2 == 1 {
		return v[k]
	}
	return v[k-1]/2 + v[k]/2
}

// bends returns up to n knots that split the sorted values strictly between
// the smallest and the largest into parts of equal size. The ends are left
// out since amounts often have a spike there: where nine in ten debts are 0,
// the knots belong to those who have one.
func bends(sorted []float64, n int) []float64 {
	low, high := sorted[0], sorted[len(sorted)-1]
	for len(sorted) > 0 && sorted[0] == low {
		sorted = sorted[1:]
	}
	for len(sorted) > 0 && sorted[len(sorted)-1] == high {
		sorted = sorted[:len(sorted)-1]
	}
	if len(sorted) == 0 {
		return nil
	}
	var out []float64
	for k := 1; k <= n; k++ {
		if v := sorted[k*len(sorted)/(n+1)]; len(out) == 0 || v > out[len(out)-1] {
			out = append(out, v)
		}
	}
	return out
}
