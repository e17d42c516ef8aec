package ingest

import (
	"bytes"

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
	instants int64 // typed as times by the file
	beyond   int64 // whole numbers beyond 2^53
	broken   int64 // numbers with a fraction
	padded   int64 // digits with a leading zero
	booleans int64
	times    [layouts]int64 // texts that are a time in that layout
	bytes    int64
}

func (s *survey) see(c *cell) {
	switch c.form {
	case absent:
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
	case whole:
		s.numbers++
	case beyond:
		s.numbers++
		s.beyond++
	case padded:
		s.padded++
	default:
		for l := ymd; l < layouts; l++ {
			if _, ok := parseTime(b, l); ok {
				s.times[l]++
			}
		}
		if isBoolean(b) {
			s.booleans++
		}
	}
}

func isBoolean(b []byte) bool {
	b = trim(b)
	return len(b) == 4 && bytes.EqualFold(b, []byte("true")) || len(b) == 5 && bytes.EqualFold(b, []byte("false"))
}

// plan is how a column's cells are to be read; the second pass.
type plan struct {
	name    string
	kind    data.Kind
	layout  layout // of the texts of a Time column
	boolean bool   // true and false are written so, whatever their case
	decided bool   // Category is asked for: do not make it Text however many values

	// values and agreeing count what the column held and how much of it was of
	// its kind; for messages, and 0 when the kind was given.
	values, agreeing int64
}

// decide chooses the kind that the survey speaks for. Category may still become
// Text, when its values have been counted.
func (s *survey) decide(name string) plan {
	p := plan{name: name, kind: data.Category, values: s.values}
	best := ymd
	for l := dmy; l < layouts; l++ {
		if s.times[l] > s.times[best] {
			best = l
		}
	}
	ambiguous := best == dmy && s.times[dmy] == s.times[mdy]
	need := most * float64(s.values)
	switch {
	case s.values == 0:
		p.kind = data.Number
	case s.booleans == s.values:
		p.boolean, p.decided = true, true
	case float64(s.numbers) >= need && s.beyond > 0 && s.broken == 0:
		p.kind = data.Text
	case float64(s.numbers) >= need && s.padded == 0:
		p.kind, p.agreeing = data.Number, s.numbers
	case s.instants == s.values:
		p.kind, p.layout, p.agreeing = data.Time, ymd, s.instants
	case float64(s.times[best]) >= need && !ambiguous:
		p.kind, p.layout, p.agreeing = data.Time, best, s.times[best]
	case s.bytes > 64*s.values:
		p.kind = data.Text
	}
	return p
}
