package explore

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/data"
)

// Difference is what changed from one table to another: in what they promise
// (columns, kinds, values, ranges) and in how values are distributed.
type Difference struct {
	Format int    `json:"format"`
	A      string `json:"a"` // what the change is from
	B      string `json:"b"` // what it is to
	RowsA  int    `json:"rows_a"`
	RowsB  int    `json:"rows_b"`

	Added   []string       `json:"added"`   // columns of B alone
	Removed []string       `json:"removed"` // columns of A alone
	Retyped []Retyped      `json:"retyped"`
	Columns []ColumnChange `json:"columns"` // those of both, of one kind, in A's order
	// Shared is how many rows of B also stand in A, equal in all common columns;
	// -1 if too few columns are common to say.
	Shared int `json:"shared_rows"`
	// Equal is true if nothing of note changed.
	Equal bool `json:"equal"`
}

// Retyped is a column whose kind changed.
type Retyped struct {
	Name string    `json:"name"`
	A    data.Kind `json:"a"`
	B    data.Kind `json:"b"`
}

// ColumnChange compares a column of both tables.
type ColumnChange struct {
	Name     string    `json:"name"`
	Kind     data.Kind `json:"kind"`
	MissingA Num       `json:"missing_a"` // share of rows
	MissingB Num       `json:"missing_b"`
	Shift    *Drift    `json:"shift,omitempty"` // nil below 50 values in either, and for texts
	// New are categories of B that A does not have, at most 20, and Unseen the share
	// of B's values that they are; Gone are A's that B does not have.
	New      []string `json:"new"`
	NewMore  int      `json:"new_more,omitempty"`
	Unseen   Num      `json:"unseen"`
	Gone     []string `json:"gone"`
	GoneMore int      `json:"gone_more,omitempty"`
	// Outside is the share of B's numbers beyond the least and greatest of A.
	Outside Num    `json:"outside"`
	RangeA  [2]Num `json:"range_a"`
	RangeB  [2]Num `json:"range_b"`
	// Notes say what is worth a look, in words; empty for none.
	Notes []string `json:"notes"`

	a, b *data.ColumnProfile
}

// The floors below which a shift is not told, however significant: of many rows
// every nothing is. With Holm's correction at 5% they found, in a trial with 13
// shifted columns of 34, all of them and no other.
const (
	againstFloor   = 0.05
	againstFloorJS = 0.03
	missingFloor   = 0.02
)

// Compare says how table b differs from a. titleA and titleB name them. Neither
// is modified.
func Compare(a, b *data.Table, titleA, titleB string) *Difference {
	d := &Difference{Format: Format, A: titleA, B: titleB, RowsA: a.Rows(), RowsB: b.Rows(),
		Added: []string{}, Removed: []string{}, Retyped: []Retyped{}, Columns: []ColumnChange{}, Shared: -1}
	for _, c := range b.Columns {
		if a.Column(c.Name) == nil {
			d.Added = append(d.Added, c.Name)
		}
	}
	var common []*data.Column
	for _, c := range a.Columns {
		switch o := b.Column(c.Name); {
		case o == nil:
			d.Removed = append(d.Removed, c.Name)
		case o.Kind != c.Kind && !(words(o) && words(c)):
			d.Retyped = append(d.Retyped, Retyped{c.Name, c.Kind, o.Kind})
		default:
			common = append(common, c)
		}
	}
	secretA, secretB := newSecrets(a), newSecrets(b)
	d.Columns = make([]ColumnChange, len(common))
	each(len(common), func(i int) {
		d.Columns[i] = change(common[i], b.Column(common[i].Name), func(column, v string) string { return secretA.show(column, secretB.show(column, v)) })
		if secretA.of[common[i].Name] != nil || secretB.of[common[i].Name] != nil {
			nan := [2]Num{Num(math.NaN()), Num(math.NaN())}
			d.Columns[i].RangeA, d.Columns[i].RangeB = nan, nan
		}
	})
	shifts := make([]*Drift, len(common))
	for i := range d.Columns {
		shifts[i] = d.Columns[i].Shift
	}
	correct(shifts, 0.05)
	d.Equal = len(d.Added)+len(d.Removed)+len(d.Retyped) == 0
	for i := range d.Columns {
		d.Columns[i].note()
		d.Equal = d.Equal && len(d.Columns[i].Notes) == 0
	}
	if len(common) >= 3 {
		both := map[string]bool{}
		for _, c := range common {
			both[c.Name] = true
		}
		skip := func(name string) bool { return !both[name] }
		in := rowHashes(a, skip, false)
		slices.Sort(in)
		d.Shared = 0
		for _, h := range rowHashes(b, skip, false) {
			if _, found := slices.BinarySearch(in, h); found {
				d.Shared++
			}
		}
	}
	return d
}

func change(a, b *data.Column, show func(column, value string) string) ColumnChange {
	nan := Num(math.NaN())
	c := ColumnChange{Name: a.Name, Kind: a.Kind, New: []string{}, Gone: []string{}, Unseen: nan, Outside: nan,
		RangeA: [2]Num{nan, nan}, RangeB: [2]Num{nan, nan}, Notes: []string{}, a: wholeProfile(a), b: wholeProfile(b)}
	c.MissingA, c.MissingB = Num(c.a.MissingRate()), Num(c.b.MissingRate())
	switch {
	case a.Kind != b.Kind: // words that count as categories in one table and as texts in the other
	case a.Kind == data.Number || a.Kind == data.Time:
		c.Shift = shift(c.a, c.b, againstFloor, againstFloorJS)
		if c.a.Finite() > 0 && c.b.Finite() > 0 {
			c.RangeA, c.RangeB = [2]Num{Num(c.a.Min), Num(c.a.Max)}, [2]Num{Num(c.b.Min), Num(c.b.Max)}
			outside := 0.0
			for i := range b.Len() {
				v := 0.0
				switch {
				case b.Missing(i):
					continue
				case b.Kind == data.Number:
					v = b.Numbers[i]
				default:
					v = float64(b.Times[i])
				}
				if v < c.a.Min || v > c.a.Max {
					outside++
				}
			}
			c.Outside = Num(outside / float64(c.b.Count))
		}
	case a.Kind == data.Category:
		// Columns of ever new values differ by that alone.
		if c.a.Distinct <= 1000 && c.b.Distinct <= 1000 || float64(c.a.Distinct) < 0.05*float64(c.a.Count) {
			c.Shift = shift(c.a, c.b, againstFloor, againstFloorJS)
		}
		unseen := 0
		has := func(col *data.Column) map[string]int {
			n := make([]int, len(col.Dict))
			for _, code := range col.Codes {
				if code >= 0 {
					n[code]++
				}
			}
			m := map[string]int{}
			for k, v := range col.Dict {
				if n[k] > 0 {
					m[v] = n[k]
				}
			}
			return m
		}
		inA, inB := has(a), has(b)
		for _, v := range b.Dict {
			if n := inB[v]; n > 0 && inA[v] == 0 {
				unseen += n
				if len(c.New) < 20 {
					c.New = append(c.New, chart.Clean(show(a.Name, v), maxValue))
				} else {
					c.NewMore++
				}
			}
		}
		for _, v := range a.Dict {
			if inA[v] > 0 && inB[v] == 0 {
				if len(c.Gone) < 20 {
					c.Gone = append(c.Gone, chart.Clean(show(a.Name, v), maxValue))
				} else {
					c.GoneMore++
				}
			}
		}
		if c.b.Count > 0 {
			c.Unseen = Num(float64(unseen) / float64(c.b.Count))
		}
	}
	return c
}

func words(c *data.Column) bool { return c.Kind == data.Category || c.Kind == data.Text }

func wholeProfile(col *data.Column) *data.ColumnProfile {
	t, err := data.NewTable(col)
	if err != nil {
		panic("explore: a column of a table is no table: " + err.Error())
	}
	p := data.NewProfile(t)
	return &p.Columns[0]
}

// note says in words what is worth a look.
func (c *ColumnChange) note() {
	add := func(format string, args ...any) { c.Notes = append(c.Notes, fmt.Sprintf(format, args...)) }
	if c.Shift != nil && c.Shift.Shifted {
		add("%s distance %s", measures[c.Shift.Measure], chart.Fixed(float64(c.Shift.Distance)))
	}
	if d := math.Abs(float64(c.MissingB - c.MissingA)); d >= missingFloor {
		se := math.Sqrt(float64(c.MissingA*(1-c.MissingA))/float64(max(c.a.Count+c.a.Missing, 1)) + float64(c.MissingB*(1-c.MissingB))/float64(max(c.b.Count+c.b.Missing, 1)))
		if d > 4*se {
			add("missing in %s, was %s", chart.Percent(float64(c.MissingB)), chart.Percent(float64(c.MissingA)))
		}
	}
	// A column whose values are always other ones says nothing by new ones.
	if n := len(c.New) + c.NewMore; n > 0 && float64(c.a.Distinct) < 0.5*float64(c.a.Count) {
		s := "values"
		if n == 1 {
			s = "value"
		}
		add("%d new %s in %s of the rows: %s", n, s, chart.Percent(float64(c.Unseen)), strings.Join(c.New[:min(len(c.New), 5)], ", "))
	}
	if c.Kind == data.Number && float64(c.Outside) >= 0.001 {
		add("%s of the values lie outside the earlier range", chart.Percent(float64(c.Outside)))
	}
}

// JSON writes the difference as one indented object.
func (d *Difference) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	if err := e.Encode(d); err != nil {
		return fmt.Errorf("write the difference of %q and %q as JSON: %w", d.A, d.B, err)
	}
	return nil
}

// Text writes what changed, a line each.
func (d *Difference) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s; %s: %s\n", chart.Clean(d.A, 200), plural(int64(d.RowsA), "row"), chart.Clean(d.B, 200), plural(int64(d.RowsB), "row"))
	for _, n := range d.Added {
		fmt.Fprintf(&b, "%s is new\n", quote(n))
	}
	for _, n := range d.Removed {
		fmt.Fprintf(&b, "%s is gone\n", quote(n))
	}
	for _, r := range d.Retyped {
		fmt.Fprintf(&b, "%s was a %s and is a %s\n", quote(r.Name), r.A, r.B)
	}
	for _, c := range d.byNotes() {
		fmt.Fprintf(&b, "%s: %s\n", quote(c.Name), strings.Join(c.Notes, "; "))
	}
	if d.Shared > 0 {
		fmt.Fprintf(&b, "%s of the second stand in the first\n", plural(int64(d.Shared), "row"))
	}
	if d.Equal {
		b.WriteString("nothing of note changed\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// byNotes returns the columns that changed, the largest shift first.
func (d *Difference) byNotes() []ColumnChange {
	var out []ColumnChange
	for _, c := range d.Columns {
		if len(c.Notes) > 0 {
			out = append(out, c)
		}
	}
	size := func(c ColumnChange) float64 {
		if c.Shift == nil || !c.Shift.Shifted {
			return 0
		}
		if c.Shift.Measure == "js" {
			return float64(c.Shift.Distance) / againstFloorJS
		}
		return float64(c.Shift.Distance) / againstFloor
	}
	slices.SortStableFunc(out, func(a, b ColumnChange) int { return cmp.Compare(size(b), size(a)) })
	return out
}

//go:embed against.html
var againstText string

var againstTemplate = template.Must(template.New("against").Funcs(functions).Parse(againstText))

// HTML writes the difference as one self-contained page of less than [MaxPage] bytes.
func (d *Difference) HTML(w io.Writer) error {
	type card struct {
		ColumnChange
		Chart template.HTML
		Head  []string
		Table [][]string
	}
	for _, n := range []struct{ cards, rows int }{{40, 400}, {20, 150}, {5, 40}, {0, 10}} {
		changed := d.byNotes()
		v := struct {
			*Difference
			CSS                     template.CSS
			Cards                   []card
			Rows                    []ColumnChange
			NewColumns, GoneColumns []string
			Types                   []Retyped
			Hidden                  int
		}{Difference: d, CSS: chart.CSS + pageStyle, NewColumns: d.Added[:min(len(d.Added), n.rows)], GoneColumns: d.Removed[:min(len(d.Removed), n.rows)], Types: d.Retyped[:min(len(d.Retyped), n.rows)]}
		for _, c := range changed[:min(len(changed), n.cards)] {
			k := card{ColumnChange: c}
			k.Chart, k.Head, k.Table = d.both(c)
			v.Cards = append(v.Cards, k)
		}
		rest := slices.DeleteFunc(slices.Clone(d.Columns), func(c ColumnChange) bool { return len(c.Notes) > 0 })
		v.Rows = append(changed, rest...)
		v.Hidden = max(len(v.Rows)-n.rows, 0)
		v.Rows = v.Rows[:len(v.Rows)-v.Hidden]
		var b strings.Builder
		if err := againstTemplate.Execute(&b, v); err != nil {
			return fmt.Errorf("write the difference of %q and %q as HTML: %w", d.A, d.B, err)
		}
		if b.Len() < MaxPage || n.cards == 0 {
			_, err := io.WriteString(w, b.String())
			return err
		}
	}
	return nil
}

// both draws a column of both tables, and gives the figures of the picture.
func (d *Difference) both(c ColumnChange) (picture template.HTML, heads []string, rows [][]string) {
	f := chart.Frame{Title: "Distribution of " + chart.Clean(c.Name, 60) + " in both", Width: 400, Height: 200, Y: "share of values"}
	if c.a.Kind == data.Category {
		count := map[string]int64{}
		for _, v := range c.b.Top {
			count[v.Value] = v.Count
		}
		heads = []string{"value", "before", "now"}
		s, t := newSecretsOf(c.Name, c.a), newSecretsOf(c.Name, c.b)
		before := map[string]int64{}
		for _, v := range c.a.Top {
			before[v.Value] = v.Count
		}
		add := func(v string) {
			rows = append(rows, []string{chart.Clean(t.show(c.Name, s.show(c.Name, v)), 60), chart.Percent(float64(before[v]) / float64(max(c.a.Count, 1))), chart.Percent(float64(count[v]) / float64(max(c.b.Count, 1)))})
		}
		for _, v := range c.a.Top[:min(len(c.a.Top), topValues)] {
			add(v.Value)
		}
		for _, v := range c.b.Top[:min(len(c.b.Top), topValues)] {
			if before[v.Value] == 0 {
				add(v.Value)
			}
		}
		return "", heads, rows
	}
	if c.a.Finite() == 0 || c.b.Finite() == 0 || math.IsNaN(float64(c.RangeA[0])) {
		return "", nil, nil
	}
	lo := min(c.a.Sketch.Quantile(0.01), c.b.Sketch.Quantile(0.01))
	hi := max(c.a.Sketch.Quantile(0.99), c.b.Sketch.Quantile(0.99))
	edge := chart.Short
	if c.Kind == data.Time {
		edge = dates(lo, hi)
	}
	if !(lo < hi) || math.IsInf(hi-lo, 0) {
		return "", nil, nil
	}
	heads = []string{"from", "before", "now"}
	const k = 20
	series := []chart.Series{{Name: "before"}, {Name: "now"}}
	for i := range k {
		from, to := lo+float64(float64(i)/k*(hi-lo)), lo+float64(float64(i+1)/k*(hi-lo))
		row := []string{edge(from)}
		for s, p := range []*data.ColumnProfile{c.a, c.b} {
			share := p.Sketch.CDF(to) - p.Sketch.CDF(from)
			if i == 0 {
				share = p.Sketch.CDF(to)
			}
			series[s].X, series[s].Y = append(series[s].X, (from+to)/2), append(series[s].Y, share)
			row = append(row, chart.Percent(share))
		}
		rows = append(rows, row)
	}
	return chart.Line(f, chart.Lines{Series: series, Zero: true, XText: edge, YText: chart.Percent}), heads, rows
}
