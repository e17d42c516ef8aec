package leak

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/data"
)

// Column is a column with what the caller has measured of it.
type Column struct {
	*data.Column
	Profile *data.ColumnProfile
	Role    data.Role
	// Strength is its AUC alone, in [0.5, 1], for a two-valued target; its
	// absolute correlation in [0, 1] for a number; NaN if not measured.
	Strength float64
}

// Input is a table with its target.
type Input struct {
	Columns []Column // without the target
	Target  string
	// Y is the target per row: 1 or 0, or its value; NaN is not known.
	Y      []float64
	Binary bool
	// Positive names class 1, for sentences.
	Positive, Negative string
	// Strong is the strength from which on the caller asks about a column
	// anyway; the weaker traces are then not reported as well.
	Strong float64
	// Show makes a value of a column fit to be read.
	Show func(column, value string) string
}

// Finding is a suspicion with its evidence.
type Finding struct {
	Kind     string // see the package comment
	High     bool   // leakage beyond reasonable doubt, rather than a question
	Column   string // "" for the whole table
	What     string
	Evidence string
	Do       string
	// Exclude, Group and Time name the columns that tandem.yaml's data.exclude,
	// data.group or data.time should hold, if that is the cure.
	Exclude, Group, Time string
}

// maxRows is how many evenly spaced rows most checks look at.
const maxRows = 20_000

// search is an input with its sample.
type search struct {
	Input
	rows []int     // evenly spaced, Y known
	y    []float64 // of those rows
	base float64   // mean of y
	ones int       // rows of class 1
}

// Find returns what it suspects, in the order of the columns and the table's own
// findings last. With fewer than 100 known targets or one class it says nothing.
func Find(in Input) []Finding {
	s := &search{Input: in}
	var known []int
	for i, v := range in.Y {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			known = append(known, i)
		}
	}
	n := min(len(known), maxRows)
	for k := range n {
		i := known[int(int64(k)*int64(len(known))/int64(n))]
		s.rows = append(s.rows, i)
		s.y = append(s.y, in.Y[i])
		s.base += in.Y[i] / float64(n)
		if in.Y[i] == 1 {
			s.ones++
		}
	}
	if n < 100 || in.Binary && min(s.ones, n-s.ones) < 20 {
		return nil
	}
	var out []Finding
	for i := range s.Columns {
		c := &s.Columns[i]
		if c.Role == data.Protected || c.Role == data.Excluded && c.Profile.Distinct <= 1 {
			continue
		}
		for _, check := range []func(*Column) *Finding{s.afterOutcome, s.noisyCopy, s.valueTells, s.encoded, s.nextRow, s.identifierTells, s.entity} {
			if f := check(c); f != nil {
				f.Column = c.Name
				out = append(out, *f)
				break // one trace is enough to ask
			}
		}
	}
	out = append(out, s.judged()...)
	out = append(out, s.times()...)
	out = append(out, s.parts()...)
	if f := s.order(known); f != nil {
		out = append(out, *f)
	}
	return unique(out)
}

// unique keeps the first finding about each column and kind.
func unique(found []Finding) []Finding {
	seen := map[[2]string]bool{}
	return slices.DeleteFunc(found, func(f Finding) bool {
		key := [2]string{f.Kind, f.Column}
		dup := seen[key]
		seen[key] = true
		return dup
	})
}

func name(s string) string { return chart.Clean(s, 60) }

// known reports whether the caller asks about the column anyway.
func (s *search) known(c *Column) bool { return c.Strength > s.Strong }

// class returns the name of class k.
func (s *search) class(k int) string {
	if k == 1 {
		return name(s.Positive)
	}
	if s.Negative != "" {
		return name(s.Negative)
	}
	return "not " + name(s.Positive)
}

// share of class k among all rows looked at.
func (s *search) share(k int) float64 {
	if k == 1 {
		return s.base
	}
	return 1 - s.base
}

// pure says whether n rows, ones of them of class 1, are nearly all of one
// class, and hold a fair part of all of it. The class must not be so common
// that this means little.
func (s *search) pure(n, ones int, purity, coverage float64) (class int, ok bool) {
	if n < 30 {
		return 0, false
	}
	for class, k := range []int{n - ones, ones} {
		all := float64(len(s.rows)) * s.share(class)
		if float64(k) >= purity*float64(n) && float64(k) >= coverage*all && s.share(class) <= 0.9 && k >= 20 {
			return class, true
		}
	}
	return 0, false
}

// afterOutcome compares rows with a value and without; for numbers that are
// often 0, those with another value and the others.
func (s *search) afterOutcome(c *Column) *Finding {
	if !s.Binary || s.known(c) && c.Profile.Missing == 0 {
		return nil
	}
	try := func(has func(i int) bool, with, without string) *Finding {
		var n, ones [2]int // 1: with a value
		for k, i := range s.rows {
			h := 0
			if has(i) {
				h = 1
			}
			n[h]++
			if s.y[k] == 1 {
				ones[h]++
			}
		}
		for _, h := range []int{1, 0} {
			class, ok := s.pure(n[h], ones[h], 0.97, 0.25)
			if !ok || n[1-h] < 30 {
				continue
			}
			of := ones[h]
			if class == 0 {
				of = n[h] - of
			}
			side := with
			if h == 0 {
				side = without
			}
			return &Finding{Kind: "after_outcome", High: true, Exclude: c.Name,
				What: name(c.Name) + " looks recorded after the outcome",
				Evidence: fmt.Sprintf("of the rows %s, %s are %s, and of all rows %s; %s of all %s are such rows", side,
					chart.Percent(float64(of)/float64(n[h])), s.class(class), chart.Percent(s.share(class)),
					chart.Percent(float64(of)/(s.share(class)*float64(len(s.rows)))), s.class(class)),
				Do: "find out who fills it in and when; if only after the outcome, leave it out"}
		}
		return nil
	}
	if rate := c.Profile.MissingRate(); rate > 0.01 && rate < 0.999 {
		if f := try(func(i int) bool { return !c.Missing(i) }, "where it has a value", "where it is missing"); f != nil {
			return f
		}
	}
	if c.Kind == data.Number && float64(c.Profile.Zeros) > 0.3*float64(c.Profile.Count) && c.Profile.Distinct > 2 {
		return try(func(i int) bool { return !c.Missing(i) && c.Numbers[i] != 0 }, "where it is not 0", "where it is 0 or missing")
	}
	return nil
}

// coded gives the values of the sample small numbers; nil if there are more
// than limit. Missing is a value.
func (s *search) coded(c *Column, limit int) (codes []int, values []int) {
	if c.Profile.Distinct > int64(limit) {
		return nil, nil
	}
	at := map[uint64]int{}
	codes = make([]int, len(s.rows))
	for k, i := range s.rows {
		key := c.key(i)
		v, ok := at[key]
		if !ok {
			if v = len(values); v > limit {
				return nil, nil
			}
			at[key] = v
			values = append(values, i) // a row that holds it
		}
		codes[k] = v
	}
	return codes, values
}

// key identifies value i of the column among its values.
func (c *Column) key(i int) uint64 {
	switch c.Kind {
	case data.Number:
		if math.IsNaN(c.Numbers[i]) {
			return math.MaxUint64
		}
		return math.Float64bits(c.Numbers[i] + 0)
	case data.Category:
		return uint64(int64(c.Codes[i]))
	case data.Time:
		return uint64(c.Times[i])
	}
	h := uint64(14695981039346656037)
	for _, b := range []byte(c.Texts[i]) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

// noisyCopy asks whether a column of few values maps to the target one to one,
// with errors: Goodman and Kruskal's lambda both ways, JASA 49, 1954.
func (s *search) noisyCopy(c *Column) *Finding {
	if !s.Binary || s.known(c) || c.Profile.Distinct < 2 || c.Profile.Distinct > 3 {
		return nil
	}
	codes, values := s.coded(c, 4)
	if codes == nil {
		return nil
	}
	joint := make([][2]int, len(values))
	for k, v := range codes {
		joint[v][int(s.y[k])]++
	}
	right, most := 0, 0
	var best, sum [2]int
	for _, j := range joint {
		right += max(j[0], j[1])
		most = max(most, j[0]+j[1])
		for k := range 2 {
			best[k] = max(best[k], j[k])
			sum[k] += j[k]
		}
	}
	n := len(s.rows)
	toY := 1 - float64(n-right)/float64(min(sum[0], sum[1]))
	toC := 1 - float64(n-best[0]-best[1])/float64(max(n-most, 1))
	if l := min(toY, toC); l >= 0.7 && n-most >= 20 {
		return &Finding{Kind: "noisy_copy", Exclude: c.Name, What: name(c.Name) + " is nearly a copy of the target",
			Evidence: fmt.Sprintf("its values and the target's determine each other; guessing one from the other goes wrong in %s of the rows", chart.Percent(float64(n-right)/float64(n))),
			Do:       "find out whether it is written down from the outcome; if so, leave it out"}
	}
	return nil
}

// valueTells looks for values that go with one class almost without exception.
func (s *search) valueTells(c *Column) *Finding {
	if !s.Binary || s.known(c) || c.Kind == data.Time || c.Kind == data.Number && c.Profile.Distinct > 20 {
		return nil
	}
	codes, values := s.coded(c, 200)
	if codes == nil || len(values) < 2 {
		return nil
	}
	joint := make([][2]int, len(values))
	for k, v := range codes {
		joint[v][int(s.y[k])]++
	}
	for class := range 2 {
		n, of, best := 0, 0, -1
		for v, j := range joint {
			all := j[0] + j[1]
			if all >= 30 && float64(j[class]) >= 0.98*float64(all) && !c.Missing(values[v]) {
				n, of = n+all, of+j[class]
				if best < 0 || j[class] > joint[best][class] {
					best = v
				}
			}
		}
		if float64(of) >= 0.4*s.share(class)*float64(len(s.rows)) && s.share(class) <= 0.7 && best >= 0 {
			return &Finding{Kind: "value_tells", Exclude: c.Name, What: "A value of " + name(c.Name) + " gives the target away",
				Evidence: fmt.Sprintf("where it is %s, %s are %s, and of all rows %s; such values hold %s of all %s", s.Show(c.Name, c.Format(values[best])),
					chart.Percent(float64(of)/float64(n)), s.class(class), chart.Percent(s.share(class)),
					chart.Percent(float64(of)/(s.share(class)*float64(len(s.rows)))), s.class(class)),
				Do: "find out whether that value is set once the outcome is known"}
		}
	}
	return nil
}

// encoded asks whether numbers are the rate of the target among their own rows.
func (s *search) encoded(c *Column) *Finding {
	if !s.Binary || c.Kind != data.Number || c.Profile.Finite() < 500 || c.Profile.Min < 0 || c.Profile.Max > 1 || c.Profile.Distinct < 5 {
		return nil
	}
	type pair struct{ v, y float64 }
	var pairs []pair
	for k, i := range s.rows {
		if v := c.Numbers[i]; !math.IsNaN(v) && !math.IsInf(v, 0) {
			pairs = append(pairs, pair{v, s.y[k]})
		}
	}
	if len(pairs) < 500 {
		return nil
	}
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Compare(a.v, b.v) })
	const parts = 10
	var chi, lo, hi float64
	lo = 1
	for from := 0; from < len(pairs); {
		to := min(from+len(pairs)/parts, len(pairs))
		for to < len(pairs) && (pairs[to].v == pairs[to-1].v || len(pairs)-to < len(pairs)/(2*parts)) {
			to++
		}
		var v, y float64
		for _, p := range pairs[from:to] {
			v, y = v+p.v, y+p.y
		}
		n := float64(to - from)
		from = to
		v, y = v/n, y/n
		lo, hi = min(lo, y), max(hi, y)
		chi += float64((v-y)*(v-y)) * n / max(float64(v*(1-v)), 1/n)
	}
	// Under a calibrated prediction chi has about 10 degrees of freedom, fewer
	// for an encoding, which has seen these very rows. A number in [0, 1] that
	// measures anything else is off by far more.
	if chi > 25 || hi-lo < 0.06 {
		return nil
	}
	return &Finding{Kind: "target_encoded", Exclude: c.Name, What: name(c.Name) + " is itself the share of " + s.class(1),
		Evidence: fmt.Sprintf("over tenths of its values it agrees with the share of %s, from %s to %s", s.class(1), chart.Percent(lo), chart.Percent(hi)),
		Do:       "if it was computed from the target (an encoding, a mean), compute it on training rows only; if it is another model's prediction, decide whether yours may use it"}
}

// nextRow asks whether the column holds the target of the row after.
func (s *search) nextRow(c *Column) *Finding {
	if c.Kind != data.Number && !(s.Binary && c.Kind == data.Category) || c.Profile.Distinct < 2 || s.Binary && c.Profile.Distinct > 3 {
		return nil
	}
	n := min(len(s.Y), maxRows)
	value := func(i int) float64 {
		if c.Missing(i) {
			return math.NaN()
		}
		if c.Kind == data.Category {
			if c.Dict[c.Codes[i]] == s.Positive {
				return 1
			}
			return 0
		}
		return c.Numbers[i]
	}
	agree := func(shift int) float64 { // Cohen's kappa against chance
		same, all := 0, 0
		counts := map[float64][2]float64{}
		for i := max(0, -shift); i < n && i+shift < n; i++ {
			a, b := value(i), s.Y[i+shift]
			if math.IsNaN(a) || math.IsNaN(b) {
				continue
			}
			all++
			if a == b {
				same++
			}
			x := counts[a]
			x[0]++
			counts[a] = x
			x = counts[b]
			x[1]++
			counts[b] = x
		}
		chance := 0.0
		for _, x := range sorted(counts) {
			chance += float64(x[0] / float64(max(all, 1)) * (x[1] / float64(max(all, 1))))
		}
		if all < 100 || chance > 0.999 {
			return 0
		}
		return (float64(same)/float64(all) - chance) / (1 - chance)
	}
	if agree(0) > 0.5 {
		return nil // a copy, or rows that hardly change
	}
	if k := agree(1); k > 0.9 {
		return &Finding{Kind: "time_travel", High: true, Exclude: c.Name, What: name(c.Name) + " holds the target of the next row",
			Evidence: "it equals the next row's target in all but a few rows", Do: "leave it out: it is not known yet"}
	}
	return nil
}

func sorted(m map[float64][2]float64) [][2]float64 {
	keys := make([]float64, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	out := make([][2]float64, len(keys))
	for i, k := range keys {
		out[i] = m[k]
	}
	return out
}
