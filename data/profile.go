package data

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// MaxTop is the number of distinct values up to which a profile counts each
// value exactly.
const MaxTop = 1000

// Profile is a small summary of a table: about ten kilobytes a column whatever
// the number of rows (more for a category of many long values), mergeable, made
// in one pass by [NewProfile] or [Profiler].
type Profile struct {
	Rows    int64           `json:"rows"`
	Columns []ColumnProfile `json:"columns"`
}

// ColumnProfile summarises one column. Moments and quantiles are over finite
// values; a statistic of no values is 0.
type ColumnProfile struct {
	Name     string `json:"name"`
	Kind     Kind   `json:"kind"`
	Count    int64  `json:"count"` // values that are not missing
	Missing  int64  `json:"missing"`
	PosInf   int64  `json:"pos_inf,omitempty"`
	NegInf   int64  `json:"neg_inf,omitempty"`
	Zeros    int64  `json:"zeros,omitempty"`
	Negative int64  `json:"negative,omitempty"` // below 0, -Inf not among them
	Whole    bool   `json:"whole,omitempty"`    // every finite number was an integer

	Mean float64 `json:"mean,omitempty"`
	M2   float64 `json:"m2,omitempty"` // sum of squared deviations; sample variance = M2/(finite-1)
	Min  float64 `json:"min,omitempty"`
	Max  float64 `json:"max,omitempty"`

	// Sketch answers quantiles and ranks of numbers and times (microseconds).
	Sketch *Sketch `json:"sketch,omitempty"`

	// Top counts the values of categories and texts, most frequent first, ties
	// by value; exact as long as there were at most MaxTop distinct values.
	// Beyond, a count is never too high and too low by at most Count/MaxTop.
	// Values longer than 256 bytes are counted under their first 256.
	Top   []ValueCount `json:"top,omitempty"`
	Other int64        `json:"other,omitempty"` // values not in Top

	// Distinct is the number of distinct values, infinities included: exact up
	// to MaxTop, an estimate beyond, and an estimate for numbers and times once
	// profiles were merged.
	Distinct int64 `json:"distinct"`

	// Hashes is what Distinct is estimated from when profiles are merged; nil
	// as long as Top holds every value.
	Hashes *Cardinality `json:"hashes,omitempty"`
}

// ValueCount is a value and how often it occurred.
type ValueCount struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

// Column returns the profile of that column, or nil.
func (p *Profile) Column(name string) *ColumnProfile {
	for i := range p.Columns {
		if p.Columns[i].Name == name {
			return &p.Columns[i]
		}
	}
	return nil
}

// Merge adds all that o has seen to p; o is not changed. Both must have the
// same columns of the same kinds in the same order, otherwise p is not changed
// and the error names the column.
func (p *Profile) Merge(o *Profile) error {
	if len(p.Columns) != len(o.Columns) {
		return fmt.Errorf("profiles of %d and %d columns cannot be merged", len(p.Columns), len(o.Columns))
	}
	for i := range p.Columns {
		a, b := &p.Columns[i], &o.Columns[i]
		if a.Name != b.Name || a.Kind != b.Kind {
			return fmt.Errorf("profiles cannot be merged: column %d is %q (%s) in one and %q (%s) in the other",
				i+1, a.Name, a.Kind, b.Name, b.Kind)
		}
	}
	p.Rows += o.Rows
	for i := range p.Columns {
		p.Columns[i].merge(&o.Columns[i])
	}
	return nil
}

// Finite returns the number of values that are neither missing nor infinite.
func (c *ColumnProfile) Finite() int64 { return c.Count - c.PosInf - c.NegInf }

// SD returns the sample standard deviation of the finite numbers; 0 when there
// are fewer than two.
func (c *ColumnProfile) SD() float64 {
	n := c.Finite()
	if n < 2 {
		return 0
	}
	return math.Sqrt(c.M2 / float64(n-1))
}

// MissingRate returns the share of rows without a value, in [0, 1]; 0 when
// there are no rows.
func (c *ColumnProfile) MissingRate() float64 {
	if c.Count+c.Missing == 0 {
		return 0
	}
	return float64(c.Missing) / float64(c.Count+c.Missing)
}

func (c *ColumnProfile) merge(o *ColumnProfile) {
	n, m := c.Finite(), o.Finite()
	c.mergeDistinct(o)
	if m > 0 {
		if n == 0 {
			c.Mean, c.M2, c.Min, c.Max, c.Whole = o.Mean, o.M2, o.Min, o.Max, o.Whole
		} else {
			c.mergeMoments(o, float64(n), float64(m))
			c.Min, c.Max = min(c.Min, o.Min), max(c.Max, o.Max)
			c.Whole = c.Whole && o.Whole
		}
	}
	c.Count += o.Count
	c.Missing += o.Missing
	c.PosInf += o.PosInf
	c.NegInf += o.NegInf
	c.Zeros += o.Zeros
	c.Negative += o.Negative
	if o.Sketch.N() > 0 {
		if c.Sketch == nil {
			c.Sketch = &Sketch{}
		} else {
			c.Sketch = c.Sketch.Clone()
		}
		c.Sketch.Merge(o.Sketch)
	}
}

// mergeMoments adds o's mean and squared deviations. Method: Chan, Golub and
// LeVeque, 1979.
func (c *ColumnProfile) mergeMoments(o *ColumnProfile, n, m float64) {
	d := o.Mean - c.Mean
	if math.IsInf(d, 0) {
		c.Mean = float64(c.Mean*(n/(n+m))) + float64(o.Mean*(m/(n+m)))
		c.M2 = math.MaxFloat64
		return
	}
	c.Mean += float64(d * (m / (n + m)))
	c.M2 = min(c.M2+o.M2+float64(float64(d*d)*(n*m/(n+m))), math.MaxFloat64)
}

// mergeDistinct merges Top, Other, Distinct and Hashes.
func (c *ColumnProfile) mergeDistinct(o *ColumnProfile) {
	// Top is complete, and its length the exact answer, if nothing is outside.
	complete := c.counted() && c.Other == 0 && o.Other == 0
	hashes := c.hashes()
	hashes.Merge(o.hashes())
	if c.counted() {
		counts := make(map[string]int64, len(c.Top)+len(o.Top))
		for _, v := range c.Top {
			counts[v.Value] += v.Count
		}
		for _, v := range o.Top {
			counts[v.Value] += v.Count
		}
		c.Top, c.Other = top(counts, c.Count+o.Count)
		if complete {
			c.Distinct = int64(len(counts))
		}
	}
	if !complete {
		c.Distinct = max(c.Distinct, o.Distinct, hashes.Estimate())
	}
	c.Hashes = hashes
	if c.counted() && c.Other == 0 {
		c.Hashes = nil
	}
}

// counted reports whether the column's values are counted one by one.
func (c *ColumnProfile) counted() bool { return c.Kind == Category || c.Kind == Text }

// hashes returns a copy of Hashes, made from Top if that holds every value.
func (c *ColumnProfile) hashes() *Cardinality {
	if c.Hashes != nil {
		return c.Hashes.Clone()
	}
	h := &Cardinality{}
	for _, v := range c.Top {
		h.add(hashText(v.Value))
	}
	return h
}

// top returns the MaxTop most frequent of the counts, most frequent first and
// ties by value, and how many of total values are not among them.
func top(counts map[string]int64, total int64) ([]ValueCount, int64) {
	all := make([]ValueCount, 0, len(counts))
	for v, n := range counts {
		all = append(all, ValueCount{v, n})
	}
	slices.SortFunc(all, func(a, b ValueCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	all = slices.Clip(all[:min(len(all), MaxTop)])
	for _, v := range all {
		total -= v.Count
	}
	return all, total
}
