package ingest

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tandem-ml/tandem/data"
)

// noted is a scanner that can say what it guessed and repaired, once it is read
// to its end.
type noted interface{ findings() []data.Finding }

// note adds a finding; one of the same kind about the same thing in another
// file adds to its count.
func (r *reader) note(f data.Finding) {
	for i := range r.found {
		if g := &r.found[i]; g.Kind == f.Kind && g.About == f.About && g.Column == f.Column && g.Text == f.Text {
			g.Count += f.Count
			for _, e := range f.Example {
				g.Example = sample(g.Example, []byte(e))
			}
			return
		}
	}
	r.found = append(r.found, f)
}

// sortFindings puts those about the file first, then those about columns in their
// order, then the rows that were left out.
func (r *reader) sortFindings() {
	place := func(f data.Finding) int {
		switch i, known := r.at[f.Column]; {
		case f.Kind == "reject":
			return len(r.names)
		case f.Column == "" || !known:
			return -1
		default:
			return i
		}
	}
	slices.SortStableFunc(r.found, func(a, b data.Finding) int { return place(a) - place(b) })
}

// noteColumns says how the columns were read that were not simply read.
func (r *reader) noteColumns(lean leaning) {
	for i, c := range r.columns {
		s := &r.surveys[i]
		if c == nil {
			continue
		}
		if s.marked > 0 && r.opt.Dialect.Missing == nil {
			r.note(data.Finding{Kind: "guess", About: "missing", Column: c.name, Count: int(s.marked), Example: s.shown.marked,
				Text:    fmt.Sprintf("%s that %s no value", plural(int(s.marked), "cell"), sayIs(s.marked)),
				Setting: "data.read.missing: [" + quotedList(s.shown.marked) + "]"})
		}
		switch c.kind {
		case data.Number:
			r.noteNumbers(c, s, lean)
		case data.Time:
			r.noteTimes(c, s)
		default:
			if c.boolean && !s.spelled.plain && r.opt.Contract == nil && r.opt.Dialect.Booleans == nil {
				r.note(data.Finding{Kind: "guess", About: "boolean", Column: c.name, Count: int(s.values),
					Example: append(slices.Clip(s.spelled.words[1][:min(2, len(s.spelled.words[1]))]), s.spelled.words[0][:min(1, len(s.spelled.words[0]))]...),
					Text:    "words for true and false, in several spellings, are read as true and false", Setting: "data.read.booleans: true, or false"})
			}
			best, open := s.layoutOf(noLayout)
			if open && float64(s.times[best]) >= most*float64(s.values) {
				r.note(data.Finding{Kind: "guess", About: "time", Column: c.name, Count: int(s.times[best]),
					Text: "the cells are dates, but nothing tells day from month: they are read as words", Setting: "data.read.dates: dmy, or mdy"})
			}
			if s.units && float64(s.numbers+max(s.styled[points], s.styled[commas])) >= most*float64(s.values) {
				r.note(data.Finding{Kind: "guess", About: "number", Column: c.name, Count: int(s.values), Example: s.shown.styled,
					Text: "the cells are amounts in more than one currency: they are read as words"})
			}
		}
	}
}

func sayIs(n int64) string {
	if n == 1 {
		return "says that there is"
	}
	return "say that there is"
}

func quotedList(words []string) string {
	var out []string
	for _, w := range words {
		out = append(out, strconv.Quote(w))
	}
	return strings.Join(out, ", ")
}

func (r *reader) noteNumbers(c *column, s *survey, lean leaning) {
	if c.style == plain || r.opt.Dialect.Decimal != "" {
		return
	}
	n := max(s.styled[points], s.styled[commas])
	f := data.Finding{Kind: "repair", About: "number", Column: c.name, Count: int(n), Example: s.shown.styled,
		Text: "numbers written with a decimal point", Setting: `data.read.decimal: "."`}
	if c.style == commas {
		f.Text, f.Setting = "numbers written with a decimal comma", `data.read.decimal: ","`
	}
	if _, _, open := s.styleOf(lean); open && s.styled[points] > 0 && s.styled[commas] > 0 {
		f.Kind, f.Text = "guess", "the mark in the numbers is taken for one between thousands"
		f.Setting = `data.read.decimal: ".", or ","`
		if c.style == commas {
			f.Text = "the comma in the numbers is taken for a decimal one, as in other columns"
		}
	}
	if s.unit != "" {
		f.Text += ", and with " + s.unit
	}
	if s.percents > 0 {
		f.Text += ", and with %: 12% is read as 12"
		if s.percents < s.values {
			f.Kind = "guess"
			f.Text += fmt.Sprintf(", though only %d of %d cells have it", s.percents, s.values)
		}
	}
	r.note(f)
}

// noteBlanks says that cells of a number column hold a mark for no value.
func (r *reader) noteBlanks(c *column, s *survey) {
	r.note(data.Finding{Kind: "guess", About: "missing", Column: c.name, Count: c.blanked, Example: s.shown.weak,
		Text: plural(c.blanked, "cell") + " among numbers " + holdHolds(c.blanked) + " a mark for no value", Setting: "data.read.missing: [" + quotedList(s.shown.weak) + "]"})
}

func holdHolds(n int) string {
	if n == 1 {
		return "holds"
	}
	return "hold"
}

func (r *reader) noteTimes(c *column, s *survey) {
	switch c.layout {
	case dmy, mdy, dmyShort, mdyShort:
		f := data.Finding{Kind: "guess", About: "time", Column: c.name, Count: int(s.times[c.layout]), Text: "in dates the day comes first", Setting: "data.read.dates: dmy"}
		if c.layout == mdy || c.layout == mdyShort {
			f.Text, f.Setting = "in dates the month comes first", "data.read.dates: mdy"
		}
		if _, open := s.layoutOf(noLayout); open {
			f.Text += ", as in other columns"
		} else {
			f.Kind = "repair" // some cell can be read no other way
		}
		if c.layout.shortened() {
			f.Text += "; years of two digits are those from 1969 to 2068"
		}
		if r.opt.Dialect.Dates == "" {
			r.note(f)
		}
	}
}

// noteRejects says how many rows were left out.
func (r *reader) noteRejects() {
	if n := len(r.result.Rejects); n > 0 {
		f := data.Finding{Kind: "reject", About: "rows", Count: n, Text: plural(n, "row") + " that cannot be read " + isAre(n) + " left out"}
		for _, x := range r.result.Rejects[:min(3, n)] {
			f.Example = append(f.Example, x.Raw)
		}
		r.note(f)
	}
}

// sentinels are numbers that people write where there is none.
var sentinels = []float64{-9, -99, -999, -9999, -99999, 99, 999, 9999, 99999, 999999}

// strongest evidence only: a sentinel stands alone outside of all other values,
// at least gap times their range away, a pile of at least pile cells, among at
// least others different values.
const (
	gap    = 3
	pile   = 3
	others = 5
)

// sentinel returns a number that stands for no value in a column, and how often.
func sentinel(numbers []float64) (x float64, n int) {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range numbers {
		if v < lo {
			lo = v
		}
		if v > hi {
			hi = v
		}
	}
	for _, end := range [2]float64{lo, hi} {
		if !slices.Contains(sentinels, end) || end == lo && lo > 0 || end == hi && hi < 0 {
			continue
		}
		n, below, above, different := 0, math.Inf(1), math.Inf(-1), map[float64]bool{}
		for _, v := range numbers {
			switch {
			case v == end:
				n++
			case v == v:
				below, above = min(below, v), max(above, v)
				if len(different) < others {
					different[v] = true
				}
			}
		}
		distance := max(below-end, end-above)
		if n >= pile && len(different) >= others && distance >= gap*(above-below) ||
			n >= pile && len(different) >= others && end < 0 && below >= 0 && end <= -99 && distance >= (above-below)/2 {
			return end, n
		}
	}
	return 0, 0
}

// blank makes the sentinels of the number columns missing.
func (r *reader) blank() {
	if r.opt.Contract != nil || r.opt.Dialect.Missing != nil {
		return
	}
	for _, c := range r.columns {
		if c == nil || c.kind != data.Number {
			continue
		}
		for range 2 { // one at either end
			x, n := sentinel(c.numbers)
			if n == 0 {
				break
			}
			for i, v := range c.numbers {
				if v == x {
					c.numbers[i] = math.NaN()
				}
			}
			r.note(data.Finding{Kind: "guess", About: "missing", Column: c.name, Count: n, Example: []string{data.FormatNumber(x)},
				Text:    fmt.Sprintf("%s hold %s, far from all others: taken for no value", plural(n, "cell"), data.FormatNumber(x)),
				Setting: "data.read.missing: [NA] keeps " + data.FormatNumber(x) + ", with it in the list it is missing for certain"})
		}
	}
}

// strictError is the error for findings where there must be none.
func strictError(source string, found []data.Finding) error {
	const shown = 3
	var first []string
	for _, f := range found[:min(shown, len(found))] {
		first = append(first, f.String())
	}
	if n := len(found) - shown; n > 0 {
		first = append(first, fmt.Sprintf("and %d more", n))
	}
	what := "%d things had to be guessed, repaired or left out"
	if len(found) == 1 {
		what = "%d thing had to be guessed, repaired or left out"
	}
	return data.WithHint(fmt.Errorf("%s: "+what, source, len(found)), "%s; settle them, or read without --strict", strings.Join(first, "; "))
}
