package data

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"unicode/utf8"
)

// Profiler builds a [Profile] one value at a time, in constant memory: the
// monitor feeds it every decision. Each Add names the column by its position in
// the fields given to [NewProfiler]; adding to a column of another kind is a
// bug of the caller's and panics. It is not safe for concurrent use.
type Profiler struct {
	columns []columnProfiler
}

// columnProfiler is a column's profile in the making.
type columnProfiler struct {
	p      ColumnProfile
	hashes Cardinality

	// seen holds the hashes of a number or time column's distinct values until
	// there are more than MaxTop; then it is nil and overflowed is true.
	seen map[uint64]struct{}

	// counts holds the values of a category or text column; see count.
	counts map[string]int64

	overflowed bool
}

// NewProfiler returns a profiler of columns with the names and kinds of fields.
func NewProfiler(fields []Field) *Profiler {
	p := &Profiler{columns: make([]columnProfiler, len(fields))}
	for i, f := range fields {
		c := &p.columns[i]
		c.p = ColumnProfile{Name: f.Name, Kind: f.Kind}
		switch f.Kind {
		case Number, Time:
			c.p.Sketch = &Sketch{}
			c.seen = map[uint64]struct{}{}
		default:
			c.counts = map[string]int64{}
		}
	}
	return p
}

// NewProfile returns the profile of a table. Columns are worked on in parallel;
// the result does not depend on how many workers there are.
func NewProfile(t *Table) Profile {
	fields := make([]Field, len(t.Columns))
	for i, c := range t.Columns {
		fields[i] = Field{Name: c.Name, Kind: c.Kind}
	}
	p := NewProfiler(fields)
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range p.columns {
		wg.Go(func() {
			slots <- struct{}{}
			p.columns[i].addColumn(t.Columns[i])
			<-slots
		})
	}
	wg.Wait()
	out := p.Profile()
	out.Rows = int64(t.Rows())
	return out
}

// AddNumber adds a value to a number column; NaN is missing.
func (p *Profiler) AddNumber(col int, x float64) { p.column(col, Number).addNumber(x) }

// AddTime adds a time in microseconds since 1970 to a time column;
// [MissingTime] is missing.
func (p *Profiler) AddTime(col int, us int64) { p.column(col, Time).addTime(us) }

// AddCategory adds a value to a category or text column; "" is missing.
func (p *Profiler) AddCategory(col int, value string) {
	c := &p.columns[col]
	if c.counts == nil {
		panic(fmt.Sprintf("data: category added to %s column %q", c.p.Kind, c.p.Name))
	}
	c.addValue(value, 1)
}

// AddMissing adds a missing value to a column of any kind.
func (p *Profiler) AddMissing(col int) { p.columns[col].p.Missing++ }

func (p *Profiler) column(col int, k Kind) *columnProfiler {
	c := &p.columns[col]
	if c.p.Kind != k {
		panic(fmt.Sprintf("data: %s added to %s column %q", k, c.p.Kind, c.p.Name))
	}
	return c
}

// Profile returns the profile of what was added so far. Rows is the largest
// number of values, missing ones included, that any column has had. Later
// additions do not change it.
func (p *Profiler) Profile() Profile {
	out := Profile{Columns: make([]ColumnProfile, len(p.columns))}
	for i := range p.columns {
		out.Columns[i] = p.columns[i].profile()
		out.Rows = max(out.Rows, out.Columns[i].Count+out.Columns[i].Missing)
	}
	return out
}

func (c *columnProfiler) profile() ColumnProfile {
	p := c.p
	if p.Sketch != nil {
		p.Sketch = p.Sketch.Clone()
		p.Distinct = int64(len(c.seen))
	} else {
		p.Top, p.Other = top(c.counts, p.Count)
		p.Distinct = int64(len(c.counts))
	}
	if c.overflowed {
		p.Distinct = max(MaxTop+1, c.hashes.Estimate())
	}
	if p.Sketch != nil || p.Other > 0 {
		p.Hashes = c.hashes.Clone()
	}
	return p
}

func (c *columnProfiler) addColumn(col *Column) {
	switch col.Kind {
	case Number:
		for _, x := range col.Numbers {
			c.addNumber(x)
		}
	case Time:
		for _, us := range col.Times {
			c.addTime(us)
		}
	case Text:
		for _, s := range col.Texts {
			c.addValue(s, 1)
		}
	case Category:
		c.addCodes(col)
	}
}

// addCodes counts codes before values: a million rows touch the map of values
// once per category.
func (c *columnProfiler) addCodes(col *Column) {
	counts := make([]int64, len(col.Dict))
	for _, code := range col.Codes {
		if code < 0 {
			c.p.Missing++
			continue
		}
		counts[code]++
	}
	// The most frequent first: they are the ones to keep when there are too
	// many, and then nothing is taken from their counts.
	order := make([]int, len(counts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(counts[b], counts[a]) })
	for _, code := range order {
		switch n := counts[code]; {
		case n == 0:
		case len(c.counts) < 2*MaxTop-1:
			c.addValue(col.Dict[code], n)
		default:
			c.p.Count += n
			c.hashes.add(hashText(clipValue(col.Dict[code])))
		}
	}
}

func (c *columnProfiler) addNumber(x float64) {
	p := &c.p
	switch {
	case math.IsNaN(x):
		p.Missing++
		return
	case math.IsInf(x, 1):
		p.PosInf++
		p.Count++
	case math.IsInf(x, -1):
		p.NegInf++
		p.Count++
	default:
		c.addFinite(x)
		whole := x == math.Trunc(x)
		p.Whole = whole && (p.Whole || p.Finite() == 1)
		if x == 0 {
			p.Zeros++
		} else if x < 0 {
			p.Negative++
		}
	}
	c.addHash(hashNumber(x))
}

func (c *columnProfiler) addTime(us int64) {
	if us == MissingTime {
		c.p.Missing++
		return
	}
	c.addFinite(float64(us))
	c.addHash(mix(uint64(us)))
}

// addFinite updates count, moments, extremes and sketch. Method: Welford, 1962.
func (c *columnProfiler) addFinite(x float64) {
	p := &c.p
	p.Count++
	n := float64(p.Finite())
	if n == 1 {
		p.Min, p.Max = x, x
	} else {
		p.Min, p.Max = min(p.Min, x), max(p.Max, x)
	}
	d := x - p.Mean
	if math.IsInf(d, 0) { // both near the largest number, of opposite signs
		p.Mean += x/n - p.Mean/n
		p.M2 = math.MaxFloat64
	} else {
		p.Mean += d / n
		p.M2 = min(p.M2+float64(d*(x-p.Mean)), math.MaxFloat64)
	}
	p.Sketch.Add(x)
}

func (c *columnProfiler) addHash(h uint64) {
	c.hashes.add(h)
	if c.overflowed {
		return
	}
	c.seen[h] = struct{}{}
	if len(c.seen) > MaxTop {
		c.seen, c.overflowed = nil, true
	}
}

// addValue counts n occurrences of a value. When there are twice MaxTop values,
// the count of the (MaxTop+1)-th most frequent is taken from every count and
// those left with nothing are forgotten: no count is ever too high, and none
// too low by more than the number of values seen divided by MaxTop.
//
// Method: Misra and Gries, "Finding Repeated Elements", 1982, in batches.
func (c *columnProfiler) addValue(value string, n int64) {
	if value == "" {
		c.p.Missing += n
		return
	}
	c.p.Count += n
	value = clipValue(value)
	c.hashes.add(hashText(value))
	c.counts[value] += n
	if len(c.counts) <= MaxTop {
		return
	}
	c.overflowed = true
	if len(c.counts) < 2*MaxTop {
		return
	}
	counts := make([]int64, 0, len(c.counts))
	for _, n := range c.counts {
		counts = append(counts, n)
	}
	slices.Sort(counts)
	least := counts[len(counts)-1-MaxTop]
	for v, n := range c.counts {
		if n <= least {
			delete(c.counts, v)
		} else {
			c.counts[v] = n - least
		}
	}
}

// clipValue shortens a value to at most 256 bytes of whole characters.
func clipValue(s string) string {
	const most = 256
	if len(s) <= most {
		return s
	}
	n := most
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
