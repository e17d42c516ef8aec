package explore

import (
	"math"
	"slices"

	"github.com/tandem-ml/tandem/data"
)

// Outliers counts the finite numbers that lie far from the others. They are
// told, never cut: the largest loans are not errors.
type Outliers struct {
	// Robust counts values over 3.5 robust standard deviations from the median
	// (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993); null if half of
	// the values are equal.
	Robust Num `json:"robust"`
	// Fences counts values beyond the quartiles by more than 1.5 times their
	// distance (Tukey, Exploratory Data Analysis, 1977).
	Fences int64 `json:"fences"`
	Low    Num   `json:"low"` // the fences
	High   Num   `json:"high"`
	// Least and Greatest are the outermost values, at most five each.
	Least    []Num `json:"least"`
	Greatest []Num `json:"greatest"`
}

// outliers is nil for columns of fewer than 20 finite or three distinct values.
func outliers(values []float64, p *data.ColumnProfile) *Outliers {
	if p.Finite() < 20 || p.Distinct < 3 || p.Sketch == nil {
		return nil
	}
	at := p.Sketch.Quantiles()
	q1, median, q3 := at(0.25), at(0.5), at(0.75)
	reach := 1.5 * (q3 - q1)
	o := &Outliers{Low: Num(q1 - reach), High: Num(q3 + reach), Robust: Num(math.NaN())}
	var away []float64 // distances from the median, of evenly spaced rows
	for _, i := range spread(len(values), 20_000) {
		if d := math.Abs(values[i] - median); !math.IsNaN(d) && !math.IsInf(d, 0) {
			away = append(away, d)
		}
	}
	slices.Sort(away)
	limit := math.Inf(1)
	if len(away) > 0 {
		if mad := away[len(away)/2]; mad > 0 {
			limit = 3.5 * 1.4826 * mad
		}
	}
	low, high := float64(o.Low), float64(o.High)
	var least, greatest []float64
	keep := func(list []float64, v float64, before func(a, b float64) bool) []float64 {
		at := len(list)
		for at > 0 && before(v, list[at-1]) {
			at--
		}
		if at == 5 {
			return list
		}
		list = slices.Insert(list, at, v)
		return list[:min(len(list), 5)]
	}
	robust := 0.0
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		if math.Abs(v-median) > limit {
			robust++
		}
		if v < low || v > high {
			o.Fences++
		}
		if len(least) < 5 || v < least[4] {
			least = keep(least, v, func(a, b float64) bool { return a < b })
		}
		if len(greatest) < 5 || v > greatest[4] {
			greatest = keep(greatest, v, func(a, b float64) bool { return a > b })
		}
	}
	if !math.IsInf(limit, 0) {
		o.Robust = Num(robust)
	}
	for _, v := range least {
		o.Least = append(o.Least, Num(v))
	}
	for _, v := range greatest {
		o.Greatest = append(o.Greatest, Num(v))
	}
	return o
}

// rare returns the least frequent values of a column whose values were all
// counted, beyond the shown most frequent ones.
func rare(p *data.ColumnProfile, shown int) []Value {
	if p.Kind != data.Category || p.Other > 0 || len(p.Top) <= shown {
		return nil
	}
	var out []Value
	for k := len(p.Top) - 1; k >= shown && len(out) < 5; k-- {
		v := p.Top[k]
		out = append(out, Value{Value: v.Value, Count: v.Count, Share: Num(float64(v.Count) / float64(max(p.Count, 1))), Rate: Num(math.NaN())})
	}
	return out
}
