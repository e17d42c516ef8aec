package explore

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/stats"
)

// Timeline says what changes from the first rows to the last, in the order of
// a time column, or of the file.
type Timeline struct {
	Column string `json:"column,omitempty"` // the time column; "" for the order of the file
	// Rate is the target over twenty parts of equal count.
	Rate []Moment `json:"rate"`
	// Seasons are the target by hour, weekday and month, where a time column
	// tells them; those of at least two values.
	Seasons []Season `json:"seasons"`
	// Part is how many rows the first and the last part hold that the columns'
	// Drift compares: a tenth, at most 10,000.
	Part int `json:"part"`
}

// Moment is the target over some consecutive rows.
type Moment struct {
	From string `json:"from"` // the first row's time, or its number from 1
	Rows int    `json:"rows"` // with a known target
	Rate Num    `json:"rate"` // or the mean
	Low  Num    `json:"low"`  // 95%: Wilson's interval of a rate, the normal one of a mean
	High Num    `json:"high"`
}

// Season is the target over the parts of a day, week or year.
type Season struct {
	Of    string   `json:"of"` // "hour", "weekday" or "month"
	Parts []Moment `json:"parts"`
	P     Num      `json:"p"` // that the parts have one rate or distribution (chi-squared, Kruskal and Wallis)
}

// Drift is how far the last part of the rows is from the first.
type Drift struct {
	// Measure names Distance: "wasserstein" (in standard deviations of the first
	// part) for numbers, "js" (Jensen-Shannon, base 2) for categories and texts.
	Measure  string `json:"measure"`
	Distance Num    `json:"distance"`
	P        Num    `json:"p"`       // KS or chi-squared, Holm-corrected over the columns
	Shifted  bool   `json:"shifted"` // p < 0.01 and the distance beyond its floor: 0.2, 0.15
}

const (
	moments        = 20
	driftFloor     = 0.2
	driftFloorJS   = 0.15
	driftPart      = 10_000
	leastDriftPart = 50
)

func timeline(t *data.Table, p *Page, c *data.Contract, y *labels) *Timeline {
	n := t.Rows()
	if n < 2*leastDriftPart {
		return nil
	}
	tl := &Timeline{Rate: []Moment{}, Seasons: []Season{}}
	var clock *data.Column
	for i, col := range t.Columns {
		if col.Kind != data.Time {
			continue
		}
		f := c.Field(col.Name)
		if f != nil && f.Role == data.TimeRole {
			clock = col
			break
		}
		// Without being named, the first time column that is known almost everywhere.
		if clock == nil && p.Columns[i].MissingRate < 0.05 && p.Columns[i].Distinct > 10 {
			clock = col
		}
	}
	order := inOrder(n, clock)
	if clock != nil {
		tl.Column = clock.Name
	}
	if y != nil && y.y != nil {
		tl.rates(order, clock, y)
		if clock != nil {
			tl.seasons(clock, y)
		}
	}
	tl.Part = min(len(order)/10, driftPart)
	if tl.Part >= leastDriftPart {
		drift(t, p, order, tl.Part, tl.Column)
	}
	return tl
}

// inOrder returns the rows by time, without those whose time is missing.
func inOrder(n int, clock *data.Column) []int32 {
	order := make([]int32, 0, n)
	for i := range n {
		if clock == nil || clock.Times[i] != data.MissingTime {
			order = append(order, int32(i))
		}
	}
	if clock != nil && !slices.IsSortedFunc(order, func(a, b int32) int { return cmp.Compare(clock.Times[a], clock.Times[b]) }) {
		slices.SortFunc(order, func(a, b int32) int { return cmp.Or(cmp.Compare(clock.Times[a], clock.Times[b]), cmp.Compare(a, b)) })
	}
	return order
}

// tally sums targets for a Moment.
type sums struct{ n, sum, square float64 }

func (s *sums) add(v float64) {
	s.n++
	s.sum += v
	s.square += float64(v * v)
}

func (s sums) moment(from, task string) Moment {
	m := Moment{From: from, Rows: int(s.n), Rate: Num(math.NaN()), Low: Num(math.NaN()), High: Num(math.NaN())}
	if s.n == 0 {
		return m
	}
	rate := s.sum / s.n
	m.Rate = Num(rate)
	if task == "binary" {
		low, high := wilson(rate, s.n)
		m.Low, m.High = Num(low), Num(high)
	} else if s.n > 1 {
		se := math.Sqrt(max(s.square/s.n-float64(rate*rate), 0) / (s.n - 1))
		m.Low, m.High = Num(rate-float64(1.96*se)), Num(rate+float64(1.96*se))
	}
	return m
}

// wilson is the score interval of Wilson, JASA 22, 1927, at 95%.
func wilson(p, n float64) (low, high float64) {
	const z = 1.959964
	mid := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(float64(p*(1-p))/n+z*z/(4*n*n))
	return max(mid-half, 0), min(mid+half, 1)
}

func (tl *Timeline) rates(order []int32, clock *data.Column, y *labels) {
	for b := range moments {
		from, to := b*len(order)/moments, (b+1)*len(order)/moments
		if from == to {
			continue
		}
		var s sums
		for _, i := range order[from:to] {
			if v := y.y[i]; !math.IsNaN(v) {
				s.add(v)
			}
		}
		label := data.FormatNumber(float64(order[from] + 1))
		if clock != nil {
			label = data.FormatTime(clock.Times[order[from]])
		}
		tl.Rate = append(tl.Rate, s.moment(label, y.task))
	}
}

var seasonParts = []struct {
	of   string
	n    int
	part func(t time.Time) int
	name func(k int) string
}{
	{"hour", 24, func(t time.Time) int { return t.Hour() }, func(k int) string { return data.FormatNumber(float64(k)) }},
	{"weekday", 7, func(t time.Time) int { return (int(t.Weekday()) + 6) % 7 }, func(k int) string { return time.Weekday((k + 1) % 7).String() }},
	{"month", 12, func(t time.Time) int { return int(t.Month()) - 1 }, func(k int) string { return time.Month(k + 1).String() }},
}

func (tl *Timeline) seasons(clock *data.Column, y *labels) {
	for _, of := range seasonParts {
		s := make([]sums, of.n)
		codes := make([]int, 0, len(y.rows))
		values := make([]float64, 0, len(y.rows))
		for _, i := range y.rows {
			if clock.Times[i] == data.MissingTime {
				continue
			}
			k := of.part(time.UnixMicro(clock.Times[i]).UTC())
			s[k].add(y.y[i])
			codes, values = append(codes, k), append(values, y.y[i])
		}
		out := Season{Of: of.of, Parts: []Moment{}}
		for k := range s {
			if s[k].n >= minRate {
				out.Parts = append(out.Parts, s[k].moment(of.name(k), y.task))
			}
		}
		if len(out.Parts) >= 2 {
			_, out.P = correlationRatio(codes, of.n, midRanks(values))
			tl.Seasons = append(tl.Seasons, out)
		}
	}
}

// drift compares the first rows with the last, column by column.
func drift(t *data.Table, p *Page, order []int32, part int, clock string) {
	first, last := make([]int, part), make([]int, part)
	for k := range part {
		first[k], last[k] = int(order[k]), int(order[len(order)-part+k])
	}
	found := make([]*Drift, len(t.Columns))
	each(len(t.Columns), func(i int) {
		col := t.Columns[i]
		if col.Name == clock || col.Kind == data.Time || p.Columns[i].Distinct < 2 || identifies(col, p.Columns[i]) || col.Kind == data.Text ||
			col.Kind == data.Category && p.Columns[i].Distinct > int64(part/20) {
			return // a time moves, and texts, identifiers and rare values are always new
		}
		found[i] = shift(subset(col, first), subset(col, last), driftFloor, driftFloorJS)
	})
	correct(found, 0.01)
	for i, d := range found {
		p.Columns[i].Drift = d
	}
}

func subset(col *data.Column, rows []int) *data.ColumnProfile {
	t, err := data.NewTable(col.Gather(rows))
	if err != nil {
		panic("explore: a column of a table is no table: " + err.Error())
	}
	p := data.NewProfile(t)
	return &p.Columns[0]
}

// shift measures the distance of two profiles; nil if either is too small.
// Shifted says, until correct has seen all, that the distance is beyond its floor.
func shift(a, b *data.ColumnProfile, floor, floorJS float64) *Drift {
	if a.Count < leastDriftPart || b.Count < leastDriftPart {
		return nil
	}
	d := data.Compare(a, b)
	if a.Kind == data.Number || a.Kind == data.Time {
		return &Drift{Measure: "wasserstein", Distance: Num(d.Wasserstein), P: Num(stats.KSPValue(d.KS, float64(d.N), float64(d.M))), Shifted: d.Wasserstein >= floor}
	}
	if d.DF < 1 {
		return &Drift{Measure: "js", Distance: Num(d.JS), P: 1}
	}
	return &Drift{Measure: "js", Distance: Num(d.JS), P: Num(stats.ChiSquaredPValue(d.ChiSquared, d.DF)), Shifted: d.JS >= floorJS}
}

// correct replaces the p-values by Holm's, and withdraws shifts that are not
// significant at the level.
func correct(found []*Drift, level float64) {
	var at []*Drift
	var ps []float64
	for _, d := range found {
		if d != nil {
			at, ps = append(at, d), append(ps, float64(d.P))
		}
	}
	if len(ps) == 0 {
		return
	}
	adjusted, err := stats.Holm(ps)
	if err != nil { // a p-value that is none: no shift is certain
		adjusted = slices.Repeat([]float64{1}, len(ps))
	}
	for k, d := range at {
		d.P = Num(adjusted[k])
		d.Shifted = d.Shifted && adjusted[k] < level
	}
}
