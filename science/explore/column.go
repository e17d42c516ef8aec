package explore

import (
	"math"

	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/science/explore/privacy"
)

// Column is what the page says of one column.
type Column struct {
	Name        string    `json:"name"`
	Kind        data.Kind `json:"kind"`
	Role        data.Role `json:"role"` // "feature" without a contract
	Why         string    `json:"why,omitempty"`
	Count       int64     `json:"count"` // values that are not missing
	Missing     int64     `json:"missing"`
	MissingRate Num       `json:"missing_rate"`
	Distinct    int64     `json:"distinct"`

	Number    *Number          `json:"number,omitempty"` // numbers only
	Span      *Span            `json:"span,omitempty"`   // times only
	Histogram *Histogram       `json:"histogram,omitempty"`
	Top       []Value          `json:"top,omitempty"`      // categories and texts: the most frequent values
	Other     int64            `json:"other,omitempty"`    // values not in Top
	Rare      []Value          `json:"rare,omitempty"`     // categories: the least frequent values, if not in Top
	Outliers  *Outliers        `json:"outliers,omitempty"` // numbers that vary
	Text      *Text            `json:"text,omitempty"`     // texts
	Personal  *privacy.Finding `json:"personal,omitempty"` // personal data: values are then masked or not shown
	Drift     *Drift           `json:"drift,omitempty"`    // first part of the rows against the last; see Timeline
	Relation  *Relation        `json:"relation,omitempty"`
	Alerts    []string         `json:"alerts,omitempty"` // kinds of the alerts about it
}

// Number holds the statistics of the finite values of a number column; null
// where there are none.
type Number struct {
	Mean      Num        `json:"mean"`
	SD        Num        `json:"sd"`
	Skew      Num        `json:"skew"` // third standardised moment; 0 is symmetric
	Min       Num        `json:"min"`
	Max       Num        `json:"max"`
	Quantiles []Quantile `json:"quantiles"`
	Zeros     int64      `json:"zeros"`
	Negative  int64      `json:"negative"`
	PosInf    int64      `json:"pos_inf"`
	NegInf    int64      `json:"neg_inf"`
	Whole     bool       `json:"whole"`
}

// Quantile is the value below which the share P lies.
type Quantile struct {
	P     float64 `json:"p"`
	Value Num     `json:"value"`
}

// Span holds the statistics of a time column, RFC 3339 in UTC.
type Span struct {
	First  string `json:"first"`
	Median string `json:"median"`
	Last   string `json:"last"`
}

// Histogram counts finite values in bins of equal width. If Clipped, the range
// is that of the middle 99% of values and the outer ones are counted in the
// end bins: a few outliers would otherwise squeeze all others into one bin.
type Histogram struct {
	Edges   []Num `json:"edges"` // one more than counts; times in microseconds since 1970
	Counts  []int `json:"counts"`
	Rate    []Num `json:"rate,omitempty"` // the target's rate or mean per bin; null below 10 rows
	Clipped bool  `json:"clipped,omitempty"`
}

// Value is a value with its count, its share of the values that are not
// missing, and the target's rate or mean among its rows (null below 10 rows or
// without a target).
type Value struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
	Share Num    `json:"share"`
	Rate  Num    `json:"rate"`
}

const (
	bins      = 24
	topValues = 10
	maxValue  = 120 // characters of a value that are kept
	minRate   = 10  // rows below which a rate is not shown
)

var quantiles = []float64{0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99}

func describe(col *data.Column, p *data.ColumnProfile, f *data.Field, y *labels, target string, secret *secrets) Column {
	c := Column{Name: col.Name, Kind: col.Kind, Role: data.Feature, Count: p.Count, Missing: p.Missing,
		MissingRate: Num(p.MissingRate()), Distinct: min(p.Distinct, p.Count)} // an estimate beyond 1,000 may exceed what there is
	if f != nil {
		c.Role, c.Why = f.Role, f.Why
	}
	if col.Name == target {
		c.Role = data.Target
	}
	c.Personal = secret.of[col.Name]
	related := y
	if y == nil || y.y == nil || col.Name == target {
		related = nil
	}
	switch col.Kind {
	case data.Number:
		if c.Personal != nil { // the least and greatest of such numbers are numbers of persons
			break
		}
		c.Number = describeNumber(col.Numbers, p)
		c.Outliers = outliers(col.Numbers, p)
		c.Histogram = histogram(col.Len(), func(i int) (float64, bool) { v := col.Numbers[i]; return v, !math.IsNaN(v) && !math.IsInf(v, 0) }, p, related)
	case data.Time:
		if p.Count > 0 {
			c.Span = &Span{data.FormatTime(int64(p.Min)), data.FormatTime(int64(p.Sketch.Quantile(0.5))), data.FormatTime(int64(p.Max))}
		}
		c.Histogram = histogram(col.Len(), func(i int) (float64, bool) { v := col.Times[i]; return float64(v), v != data.MissingTime }, p, related)
	default:
		c.Top, c.Other = topOf(col, p, related)
		c.Rare = rare(p, len(c.Top))
		for _, list := range [][]Value{c.Top, c.Rare} {
			for k := range list {
				list[k].Value = chart.Clean(secret.show(col.Name, list[k].Value), maxValue)
			}
		}
		if col.Kind == data.Text {
			c.Text = describeText(col, related, c.Personal != nil && !c.Personal.Within)
		}
	}
	if related != nil {
		c.Relation = relate(col, related)
	}
	return c
}

func describeNumber(values []float64, p *data.ColumnProfile) *Number {
	n := &Number{Zeros: p.Zeros, Negative: p.Negative, PosInf: p.PosInf, NegInf: p.NegInf, Whole: p.Whole && p.Finite() > 0}
	nan := Num(math.NaN())
	n.Mean, n.SD, n.Skew, n.Min, n.Max = nan, nan, nan, nan, nan
	if p.Finite() > 0 {
		n.Mean, n.Min, n.Max = Num(p.Mean), Num(p.Min), Num(p.Max)
	}
	if p.Finite() > 1 {
		n.SD = Num(p.SD())
		n.Skew = skew(values, p.Mean, p.SD())
	}
	at := p.Sketch.Quantiles()
	for _, q := range quantiles {
		v := nan
		if p.Finite() > 0 {
			v = Num(at(q))
		}
		n.Quantiles = append(n.Quantiles, Quantile{q, v})
	}
	return n
}

// skew returns the mean cubed deviation in standard deviations, NaN if they are 0.
func skew(values []float64, mean, sd float64) Num {
	if sd == 0 || math.IsInf(sd, 0) || math.IsNaN(sd) {
		return Num(math.NaN())
	}
	sum, n := 0.0, 0.0
	for _, v := range values {
		if z := (v - mean) / sd; !math.IsNaN(z) && !math.IsInf(z, 0) {
			sum += float64(float64(z*z) * z)
			n++
		}
	}
	return Num(sum / n)
}

// histogram counts the values that at returns as present and finite.
func histogram(n int, at func(i int) (float64, bool), p *data.ColumnProfile, y *labels) *Histogram {
	if p.Finite() == 0 || p.Sketch == nil {
		return nil
	}
	h := &Histogram{}
	lo, hi, k := p.Min, p.Max, bins
	switch {
	case lo == hi:
		pad := max(0.5, math.Abs(lo)*1e-3)
		lo, hi, k = max(lo-pad, -math.MaxFloat64), min(hi+pad, math.MaxFloat64), 1
	case p.Whole && hi-lo < 30: // one bin per whole number
		k = int(hi-lo) + 1
		lo, hi = lo-0.5, hi+0.5
	default:
		at := p.Sketch.Quantiles()
		if a, b := at(0.005), at(0.995); a < b && (hi/2-lo/2) > 4*(b/2-a/2) {
			lo, hi, h.Clipped = a, b, true
		}
	}
	half := hi/2 - lo/2 // hi-lo may overflow
	if half == 0 {
		k = 1
	}
	for i := range k + 1 {
		share := float64(i) / float64(k)
		h.Edges = append(h.Edges, Num(float64(lo*(1-share))+float64(hi*share)))
	}
	h.Counts = make([]int, k)
	known, sum := make([]float64, k), make([]float64, k)
	for i := range n {
		v, ok := at(i)
		if !ok {
			continue
		}
		bin := 0
		if k > 1 {
			bin = min(max(int((v/2-lo/2)/half*float64(k)), 0), k-1)
		}
		h.Counts[bin]++
		if y != nil && !math.IsNaN(y.y[i]) {
			known[bin]++
			sum[bin] += y.y[i]
		}
	}
	if y != nil {
		h.Rate = rates(known, sum)
	}
	return h
}

// rates divides sums by counts; below minRate rows a rate says nothing.
func rates(known, sum []float64) []Num {
	out := make([]Num, len(known))
	for i := range out {
		out[i] = Num(math.NaN())
		if known[i] >= minRate {
			out[i] = Num(sum[i] / known[i])
		}
	}
	return out
}

// topOf returns the most frequent values with the target's rate.
func topOf(col *data.Column, p *data.ColumnProfile, y *labels) (top []Value, other int64) {
	at := map[string]int{}
	for _, v := range p.Top[:min(len(p.Top), topValues)] {
		at[v.Value] = len(top)
		top = append(top, Value{Value: v.Value, Count: v.Count, Share: Num(float64(v.Count) / float64(max(p.Count, 1))), Rate: Num(math.NaN())})
	}
	other = p.Count
	for _, v := range top {
		other -= v.Count
	}
	if y == nil || len(top) == 0 {
		return top, other
	}
	known, sum := make([]float64, len(top)), make([]float64, len(top))
	add := func(i, k int) {
		if !math.IsNaN(y.y[i]) {
			known[k]++
			sum[k] += y.y[i]
		}
	}
	if col.Kind == data.Category {
		place := make([]int, len(col.Dict))
		for c, v := range col.Dict {
			place[c] = -1
			if k, ok := at[v]; ok {
				place[c] = k
			}
		}
		for i, c := range col.Codes {
			if c >= 0 && place[c] >= 0 {
				add(i, place[c])
			}
		}
	} else {
		for i, v := range col.Texts {
			if k, ok := at[v]; ok && v != "" {
				add(i, k)
			}
		}
	}
	for k, r := range rates(known, sum) {
		top[k].Rate = r
	}
	return top, other
}
