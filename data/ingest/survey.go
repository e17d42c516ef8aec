package ingest

import (
	"slices"

	"github.com/tandem-ml/tandem/data"
)

// most is the share of a column's values that must agree on being numbers or
// times. The others are then errors to report, not a reason to call the column
// words.
const most = 0.95

// survey counts what the cells of one column look like; the first pass.
type survey struct {
	values   int64 // not missing
	numbers  int64
	instants int64          // typed as times by the file
	beyond   int64          // whole numbers beyond 2^53
	broken   int64          // numbers with a fraction
	padded   int64          // digits with a leading zero
	booleans int64          // words for true and false
	spelled  spelling       // of those words
	times    [layouts]int64 // texts that are a time in that layout
	bytes    int64

	// Of the texts that are no plain number: how many are a number in each
	// style, and in what money. Of the plain ones: how many could be grouped,
	// as 1.234 can.
	styled   [commas + 1]int64
	grouped  int64
	percents int64
	unit     string
	units    bool // more than one
	early    bool // one came among the first rows

	marked int64 // cells whose text says that there is no value
	weak   int64 // cells that say so among numbers, but may be words among words
	shown  samples
}

// early is how many rows of a source tell whether a column of a given kind
// writes its numbers in a style of its own; see [Blocks].
const early = 4096

// samples are the first three cells that a finding is about.
type samples struct{ styled, marked, weak []string }

func sample(list []string, b []byte) []string {
	if len(list) < 3 && !slices.Contains(list, string(b)) {
		list = append(list, string(b))
	}
	return list
}

func (s *survey) see(c *cell) {
	switch c.form {
	case absent:
		if len(c.text) > 0 {
			s.mark(c.text)
		}
		return
	case number:
		s.numbers++
		s.broken++ // what the file types as a number is one, whatever its size
	case instant:
		s.instants++
	case text:
		s.seeText(c.text)
	}
	s.values++
}

func (s *survey) seeText(b []byte) {
	s.bytes += int64(len(b))
	switch _, shape := parseNumber(b); shape {
	case fraction:
		s.numbers++
		s.broken++
		if n := len(b); n > 4 && n < 9 && b[n-4] == '.' {
			s.grouped++
		}
	case whole:
		s.numbers++
	case beyond:
		s.numbers++
		s.beyond++
	case padded:
		s.padded++
	default:
		s.seeWords(b)
	}
}

// seeWords looks at a text that is no plain number.
func (s *survey) seeWords(b []byte) {
	if len(b) > longestNumber || !hasDigit(b) {
		if value, known := truth(b); known {
			s.booleans++
			s.spelled.see(b, value)
		} else if isWeak(b) {
			s.weak++
			s.shown.weak = sample(s.shown.weak, b)
		}
		return
	}
	if b[0] == '#' && isWeak(b) { // #DIV/0!
		s.weak++
		s.shown.weak = sample(s.shown.weak, b)
		return
	}
	first := ymd
	if c := b[0] | ' '; c >= 'a' && c <= 'z' {
		first = named // the others begin with a digit
	}
	for l := first; l < layouts; l++ {
		if _, ok := parseTime(b, l); ok {
			s.times[l]++
		}
	}
	w := look(b)
	if !w.points && !w.commas {
		return
	}
	if w.points {
		s.styled[points]++
	}
	if w.commas {
		s.styled[commas]++
	}
	if w.percent {
		s.percents++
	}
	if w.unit != "" {
		s.units = s.units || s.unit != "" && s.unit != w.unit
		s.unit = w.unit
	}
	s.shown.styled = sample(s.shown.styled, b)
}

func hasDigit(b []byte) bool {
	for _, c := range b {
		if c >= '0' && c <= '9' {
			return true
		}
	}
	return false
}

// isWeak reports whether a cell among numbers or times says that there is no
// value, which among words may be a word.
func isWeak(b []byte) bool {
	if b = trim(b); len(b) == 0 || len(b) > 7 || b[0] > '.' && b[0] < 0x80 {
		return false
	}
	switch string(b) {
	case "-", "--", "---", "–", "—", ".", "..", "#N/A", "#VALUE!", "#REF!", "#DIV/0!", "#NUM!":
		return true
	}
	return false
}

func (s *survey) mark(b []byte) {
	if len(trim(b)) > 0 {
		s.marked++
		s.shown.marked = sample(s.shown.marked, b)
	}
}

// plan is how a column's cells are to be read; the second pass.
type plan struct {
	name    string
	kind    data.Kind
	layout  layout // of the texts of a Time column
	boolean bool   // true and false are written so, whatever their case
	decided bool   // Category is asked for: do not make it Text however many values

	style style // of the texts of a Number column

	// values and agreeing count what the column held and how much of it was of
	// its kind; for messages, and 0 when the kind was given.
	values, agreeing int64
}

// leaning is what the other columns of a source, or its reader, say of the
// marks and the order of days that a column leaves open.
type leaning struct {
	style  style  // plain: nothing is known
	layout layout // noLayout: nothing is known
	fixed  bool   // the style is set, whatever the cells say
	truths *bool  // data.Dialect.Booleans
}

// styleOf returns how the numbers are written, how many are numbers then, and
// whether the cells leave it open.
func (s *survey) styleOf(lean leaning) (st style, agreeing int64, open bool) {
	if s.units || s.styled[points] == 0 && s.styled[commas] == 0 && !(lean.fixed && lean.style == commas && s.grouped > 0) {
		return plain, s.numbers, false
	}
	asPoints := s.numbers + s.styled[points]
	asCommas := s.numbers - s.broken + s.grouped + s.styled[commas]
	if lean.fixed {
		if lean.style == commas {
			return commas, asCommas, false
		}
		return points, asPoints, false
	}
	switch {
	case asPoints > asCommas:
		return points, asPoints, false
	case asCommas > asPoints:
		return commas, asCommas, false
	case lean.style == commas:
		return commas, asCommas, true
	}
	return points, asPoints, true
}

// layoutOf returns the order of day and month that most texts are times in, and
// whether they leave it open.
func (s *survey) layoutOf(lean layout) (best layout, open bool) {
	best = ymd
	for l := dmy; l < layouts; l++ {
		if s.times[l] > s.times[best] {
			best = l
		}
	}
	if (best == dmy || best == dmyShort) && s.times[best] == s.times[best+1] {
		if lean == mdy {
			best++
		}
		return best, true
	}
	return best, false
}

// decide chooses the kind that the survey speaks for. Category may still become
// Text, when its values have been counted.
func (s *survey) decide(name string, lean leaning) plan {
	p := plan{name: name, kind: data.Category, values: s.values}
	best, open := s.layoutOf(lean.layout)
	st, numbers, _ := s.styleOf(lean)
	need := most * float64(s.values-s.weak)
	switch {
	case s.values == 0:
		p.kind = data.Number
	case s.booleans == s.values && lean.booleans(&s.spelled):
		p.boolean, p.decided = true, true
	case float64(s.numbers) >= need && s.beyond > 0 && s.broken == 0:
		p.kind = data.Text
	case float64(numbers) >= need && s.padded == 0 && numbers > 0:
		p.kind, p.agreeing, p.style = data.Number, numbers, st
	case s.instants == s.values:
		p.kind, p.layout, p.agreeing = data.Time, ymd, s.instants
	case float64(s.times[best]) >= need && s.times[best] > 0 && !(open && lean.layout == noLayout):
		p.kind, p.layout, p.agreeing = data.Time, best, s.times[best]
	case s.bytes > 64*s.values:
		p.kind = data.Text
	}
	return p
}
