package data

import (
	"fmt"
	"math"
	"slices"
)

// Distance says how far one profile of a column is from another, in the
// measures that monitors use. All are 0 for equal distributions. Those of the
// other kind of column are 0, and all are 0 if either profile has no values:
// look at N and M first.
type Distance struct {
	N int64 `json:"n"` // values in base that are not missing
	M int64 `json:"m"` // values in now that are not missing

	// KS is the largest difference of the two distribution functions, in
	// [0, 1]; numbers and times. Infinities take part at the ends.
	KS float64 `json:"ks,omitempty"`

	// Wasserstein is the area between the two distribution functions of the
	// finite values, divided by the population standard deviation of base (by
	// 1 if base is constant); numbers and times.
	Wasserstein float64 `json:"wasserstein,omitempty"`

	// PSI is the population stability index, sum of (q-p) ln(q/p), over the
	// bins between base's deciles or over the categories. A share of 0 counts as 0.0001
	// there, without renormalising.
	PSI float64 `json:"psi,omitempty"`

	// JS is the Jensen-Shannon distance with base-2 logarithms, in [0, 1], over
	// the same bins; zeros need no care here.
	JS float64 `json:"js,omitempty"`

	// ChiSquared tests both rows of category counts for the same shares, with
	// DF degrees of freedom. Categories expected less than once in either
	// profile are pooled, since the chi-squared distribution does not hold for
	// them (Cochran, 1954).
	ChiSquared float64 `json:"chi_squared,omitempty"`
	DF         float64 `json:"df,omitempty"`

	MissingBase float64 `json:"missing_base"` // share of rows without a value, in [0, 1]
	MissingNow  float64 `json:"missing_now"`

	// Unseen is the share of now's values that never occurred in base, in
	// [0, 1]; categories only, and 0 if base had too many values to list.
	Unseen float64 `json:"unseen,omitempty"`
}

// leastShare stands for a share of 0 in the PSI, where the logarithm of 0 would
// make a single new value infinitely far.
const leastShare = 0.0001

// Compare returns the distance of now from base. Both are profiles of the same
// column; two kinds are a bug of the caller's and panic. Neither is changed. The
// result is exact as long as both sketches are, and as their ranks beyond.
func Compare(base, now *ColumnProfile) Distance {
	if base.Kind != now.Kind {
		panic(fmt.Sprintf("data: column %q compared as %s and %s", base.Name, base.Kind, now.Kind))
	}
	d := Distance{N: base.Count, M: now.Count, MissingBase: base.MissingRate(), MissingNow: now.MissingRate()}
	if d.N == 0 || d.M == 0 {
		return d
	}
	if base.counted() {
		d.compareCounts(base, now)
	} else {
		d.compareOrdered(base, now)
	}
	return d
}

// ordered is the distribution function of a number or time column, infinities
// at the ends.
type ordered struct {
	steps
	negInf, finite, count float64
}

func newOrdered(c *ColumnProfile) ordered {
	o := ordered{negInf: float64(c.NegInf), finite: float64(c.Finite()), count: float64(c.Count)}
	if c.Finite() > 0 {
		o.steps = c.Sketch.steps()
	}
	return o
}

// upTo returns the share of values at most x, finite or not.
func (o ordered) upTo(x float64) float64 {
	if o.finite == 0 {
		return o.negInf / o.count
	}
	return (o.negInf + float64(o.atMost(x)*o.finite)) / o.count
}

// below returns the share of values under x.
func (o ordered) below(x float64) float64 { return o.upTo(math.Nextafter(x, math.Inf(-1))) }

func (d *Distance) compareOrdered(base, now *ColumnProfile) {
	a, b := newOrdered(base), newOrdered(now)
	points := slices.Concat(a.x, b.x)
	slices.Sort(points)
	points = slices.Compact(points)

	d.KS = math.Abs(a.negInf/a.count - b.negInf/b.count)
	area := 0.0
	for i, x := range points {
		d.KS = max(d.KS, math.Abs(a.upTo(x)-b.upTo(x)))
		if i+1 < len(points) && a.finite > 0 && b.finite > 0 {
			area += float64(math.Abs(a.atMost(x)-b.atMost(x)) * (points[i+1] - x))
		}
	}
	if sd := math.Sqrt(base.M2 / max(1, a.finite)); sd > 0 {
		area /= sd
	}
	d.Wasserstein = min(area, math.MaxFloat64)

	if a.finite == 0 {
		return // no deciles
	}
	p, q := decileShares(a, b)
	d.PSI, d.JS = psi(p, q), jensenShannon(p, q)
}

// decileShares returns the shares of base and now in the bins that base's
// deciles cut, lower edges included. A value that is more than one decile at
// once is a bin of its own: else a column that is mostly zero would lie in one
// bin, whatever became of it.
func decileShares(base, now ordered) (p, q []float64) {
	lowP, lowQ := 0.0, 0.0
	cut := func(highP, highQ float64) {
		p, q = append(p, highP-lowP), append(q, highQ-lowQ)
		lowP, lowQ = highP, highQ
	}
	for i := 1; i < 10; {
		edge := base.quantile(float64(i) / 10)
		first := i
		for i < 10 && base.quantile(float64(i)/10) == edge {
			i++
		}
		cut(base.below(edge), now.below(edge))
		if i-first > 1 {
			cut(base.upTo(edge), now.upTo(edge))
		}
	}
	cut(1, 1)
	return p, q
}

func (d *Distance) compareCounts(base, now *ColumnProfile) {
	nowCount := make(map[string]int64, len(now.Top))
	for _, v := range now.Top {
		nowCount[v.Value] = v.Count
	}
	listed := make(map[string]bool, len(base.Top))
	var a, b []float64
	for _, v := range base.Top {
		listed[v.Value] = true
		a = append(a, float64(v.Count))
		b = append(b, float64(nowCount[v.Value]))
	}
	// What base does not list is unseen, unless base had more than it could
	// list: then it may be any of them.
	otherA, otherB := base.Other, now.Other
	var unseen int64
	for _, v := range now.Top {
		switch {
		case listed[v.Value]:
		case base.Other > 0:
			otherB += v.Count
		default:
			unseen += v.Count
			a = append(a, 0)
			b = append(b, float64(v.Count))
		}
	}
	if otherA+otherB > 0 {
		a, b = append(a, float64(otherA)), append(b, float64(otherB))
	}
	d.Unseen = float64(unseen) / float64(d.M)
	d.chiSquared(a, b)
	for i := range a {
		a[i] /= float64(d.N)
		b[i] /= float64(d.M)
	}
	d.PSI, d.JS = psi(a, b), jensenShannon(a, b)
}

// chiSquared sets ChiSquared and DF from two rows of counts.
func (d *Distance) chiSquared(a, b []float64) {
	n, m := float64(d.N), float64(d.M)
	buckets := 0
	one := func(x, y float64) {
		ex, ey := (x+y)*n/(n+m), (x+y)*m/(n+m)
		d.ChiSquared += (x-ex)*(x-ex)/ex + (y-ey)*(y-ey)/ey
		buckets++
	}
	var rareA, rareB float64
	for i := range a {
		if (a[i]+b[i])*min(n, m) < n+m {
			rareA += a[i]
			rareB += b[i]
			continue
		}
		one(a[i], b[i])
	}
	if rareA+rareB > 0 {
		one(rareA, rareB)
	}
	d.DF = float64(buckets - 1)
}

func psi(p, q []float64) float64 {
	sum := 0.0
	for i := range p {
		x, y := p[i], q[i]
		if x <= 0 {
			x = leastShare
		}
		if y <= 0 {
			y = leastShare
		}
		sum += float64((y - x) * math.Log(y/x))
	}
	return sum
}

func jensenShannon(p, q []float64) float64 {
	sum := 0.0
	for i := range p {
		mid := (p[i] + q[i]) / 2
		if p[i] > 0 {
			sum += float64(p[i]*math.Log2(p[i]/mid)) / 2
		}
		if q[i] > 0 {
			sum += float64(q[i]*math.Log2(q[i]/mid)) / 2
		}
	}
	return math.Sqrt(max(0, sum))
}
