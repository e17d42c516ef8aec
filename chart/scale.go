package chart

import "math"

// scale maps the values lo..hi to the pixels a..b, clamping what lies outside.
type scale struct{ lo, hi, a, b float64 }

// newScale returns a scale of a non-empty range: bounds that are not finite
// become 0..1, and equal bounds are widened.
func newScale(lo, hi, a, b float64) scale {
	if !finite(lo) || !finite(hi) {
		lo, hi = 0, 1
	}
	if lo > hi {
		lo, hi = hi, lo
	}
	if lo == hi {
		pad := max(math.Abs(lo)*0.1, 0.5)
		lo = max(lo-pad, -math.MaxFloat64)
		hi = min(hi+pad, math.MaxFloat64)
	}
	return scale{lo, hi, a, b}
}

// at returns the pixel of v. Halves are subtracted since hi-lo may overflow.
func (s scale) at(v float64) float64 {
	if math.IsNaN(v) {
		return s.a
	}
	v = min(max(v, s.lo), s.hi)
	span := s.hi/2 - s.lo/2
	if span == 0 {
		return s.a
	}
	return s.a + float64((v/2-s.lo/2)/span*(s.b-s.a))
}

// ticks returns about n round values inside the range, at least its two ends
// if no round value fits.
func (s scale) ticks(n int) []float64 {
	step := niceStep(s.hi/2-s.lo/2, n)
	if step <= 0 || !finite(step) {
		return []float64{s.lo, s.hi}
	}
	var out []float64
	first := math.Ceil(s.lo/step - 1e-9)
	for i := 0.0; i < 25; i++ {
		t := float64((first + i) * step)
		if t > s.hi+step*1e-9 || !finite(t) {
			break
		}
		if t == 0 {
			t = 0 // no negative zero on an axis
		}
		out = append(out, t)
	}
	if len(out) < 2 {
		return []float64{s.lo, s.hi}
	}
	return out
}

// niceStep returns 1, 2 or 5 times a power of ten that divides twice the half
// range into about n parts.
func niceStep(half float64, n int) float64 {
	raw := half / float64(max(n, 1)) * 2
	if raw <= 0 || !finite(raw) {
		return 0
	}
	mag := math.Pow(10, math.Floor(math.Log10(raw)))
	if mag == 0 || !finite(mag) {
		return 0
	}
	for _, m := range []float64{1, 2, 5} {
		if raw <= m*mag*1.0000001 {
			return m * mag
		}
	}
	return 10 * mag
}

// niceMax returns the end of an axis that starts at zero and holds v.
func niceMax(v float64, n int) float64 {
	if !finite(v) || v <= 0 {
		return 1
	}
	step := niceStep(v/2, n)
	if step <= 0 {
		return v
	}
	if top := math.Ceil(v/step-1e-9) * step; finite(top) {
		return top
	}
	return v
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// extent returns the least and greatest finite value of the given slices.
func extent(slices ...[]float64) (lo, hi float64, ok bool) {
	for _, s := range slices {
		for _, v := range s {
			if !finite(v) {
				continue
			}
			if !ok {
				lo, hi, ok = v, v, true
			}
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	return lo, hi, ok
}
