package bundle

import (
	"fmt"
	"math"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/clean"
)

// Rows is a block of encoded rows, row-major: column j of row i is
// Data[i*Cols+j]. See [Layout] for what the numbers mean.
type Rows struct {
	N, Cols int
	Data    []float64
}

// Row returns row i, aliasing the block.
func (r Rows) Row(i int) []float64 { return r.Data[i*r.Cols : (i+1)*r.Cols : (i+1)*r.Cols] }

// Layout is a contract made ready to encode rows. An encoded row holds one
// float64 per feature field of the contract, in contract order:
//
//	number    the value
//	category  its position in the field's Categories; len(Categories) for an
//	          unseen value
//	time      microseconds since 1970, UTC
//	missing   NaN
//
// Target, protected, id, time, group and excluded fields have no place in it.
// Where a field has repairs (data.Field.Clean), values go through them first.
// A layout is immutable and safe for concurrent use.
type Layout struct {
	fields []data.Field   // the inputs
	dicts  []dict         // per input; empty unless a category
	known  []data.Field   // every field of the contract
	input  []int          // per known field: its input, or -1
	names  map[string]int // name -> known field

	repairs []*clean.Repairer // per known field; nil where its values are taken as they come

	quoted   []string // per known field: its name as JSON writes it, or ""
	required []int    // the inputs that must not be missing
}

// NewLayout compiles a contract. It returns the error of [data.Contract.Check],
// or that of repairs that contradict themselves.
func NewLayout(c *data.Contract) (*Layout, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	l := &Layout{
		known: append([]data.Field(nil), c.Fields...),
		input: make([]int, len(c.Fields)),
		names: make(map[string]int, len(c.Fields)),
	}
	for i, f := range l.known {
		l.names[f.Name] = i
		l.quoted = append(l.quoted, quoted(f.Name))
		l.input[i] = -1
		repair, err := clean.Compile(f.Clean, f.Kind)
		if err != nil {
			return nil, fmt.Errorf("contract: field %q: %w", f.Name, err)
		}
		l.repairs = append(l.repairs, repair)
		if f.Role != data.Feature {
			continue
		}
		l.input[i] = len(l.fields)
		if f.Required {
			l.required = append(l.required, l.input[i])
		}
		l.fields = append(l.fields, f)
		var d dict
		if f.Kind == data.Category {
			d = newDict(f.Categories)
		}
		l.dicts = append(l.dicts, d)
	}
	return l, nil
}

// Cols returns the width of an encoded row.
func (l *Layout) Cols() int { return len(l.fields) }

// Fields returns the fields of an encoded row in order. The slice may not be
// changed.
func (l *Layout) Fields() []data.Field { return l.fields }

// Input returns the position of the named field in an encoded row, or -1 if it
// has none.
func (l *Layout) Input(name string) int {
	if i, ok := l.names[name]; ok {
		return l.input[i]
	}
	return -1
}

// Unseen is what [Layout.FormatValue] gives for a category that the contract
// does not know, as the code keeps no trace of its text.
const Unseen = "(not seen in training)"

// FormatValue returns the value that x encodes in that column, as a person or
// a JSON reader expects it: nil if missing, a float64 for a number (the text
// "+Inf" or "-Inf" for an infinity, which JSON cannot write), the category's
// text or [Unseen], a time as RFC 3339 in UTC.
func (l *Layout) FormatValue(col int, x float64) any {
	if x != x {
		return nil
	}
	switch f := &l.fields[col]; f.Kind {
	case data.Category:
		if x >= 0 && x < float64(len(f.Categories)) {
			return f.Categories[int(x)]
		}
		return Unseen
	case data.Time:
		return data.FormatTime(int64(x))
	default:
		if math.IsInf(x, 0) {
			return data.FormatNumber(x)
		}
		return x
	}
}

// ParseValue is the inverse of [Layout.FormatValue]: it encodes nil, a float64
// or a text for that column. Rules of the contract (required, bounds) are not
// applied. It returns an error that names the column if v is of another type
// or is not a value of the column's kind.
func (l *Layout) ParseValue(col int, v any) (float64, error) {
	f, d := &l.fields[col], &l.dicts[col]
	switch v := v.(type) {
	case nil:
		return math.NaN(), nil
	case float64:
		switch f.Kind {
		case data.Number:
			return v, nil
		case data.Category:
			return d.codeOfNumber(v), nil
		}
	case string:
		switch f.Kind {
		case data.Category:
			return d.code(v), nil
		case data.Number:
			if x, ok := data.ParseNumber(v); ok {
				return x, nil
			}
		case data.Time:
			if us, ok := data.ParseTime(v); ok {
				return float64(us), nil
			}
		}
	}
	return 0, fmt.Errorf("column %q: a value of type %T is not a %s", f.Name, v, f.Kind)
}

// dict finds the code of a category. Categories that are all numbers are also
// found by value, so that "1", 1 and 1.0 are the same.
type dict struct {
	byText  map[string]int
	byValue map[float64]int // nil unless every category is a number
	unseen  float64
}

func newDict(categories []string) dict {
	d := dict{
		byText:  make(map[string]int, len(categories)),
		byValue: make(map[float64]int, len(categories)),
		unseen:  float64(len(categories)),
	}
	for i, s := range categories {
		d.byText[s] = i
		if d.byValue == nil {
			continue
		}
		x, ok := data.ParseNumber(s)
		if !ok {
			d.byValue = nil
		} else if _, dup := d.byValue[x]; !dup { // the first of "1" and "1.0"
			d.byValue[x] = i
		}
	}
	if len(categories) == 0 {
		d.byValue = nil
	}
	return d
}

// numeric reports whether every category is a number.
func (d *dict) numeric() bool { return d.byValue != nil }

// code returns the code of a category's text.
func (d *dict) code(s string) float64 {
	if i, ok := d.byText[s]; ok {
		return float64(i)
	}
	if d.numeric() {
		if x, ok := data.ParseNumber(s); ok {
			return d.codeOfNumber(x)
		}
	}
	return d.unseen
}

// codeOfNumber returns the code of the category that is the number x.
func (d *dict) codeOfNumber(x float64) float64 {
	if i, ok := d.byValue[x]; ok {
		return float64(i)
	}
	if i, ok := d.byText[data.FormatNumber(x)]; ok {
		return float64(i)
	}
	return d.unseen
}

// numberRule returns the rule of the field that the number breaks, or "".
func numberRule(f *data.Field, x float64) string {
	switch {
	case math.IsInf(x, 0):
		if !f.Infinite {
			return "must be finite"
		}
	case f.Min != nil && x < *f.Min:
		return "must be at least " + data.FormatNumber(*f.Min)
	case f.Max != nil && x > *f.Max:
		return "must be at most " + data.FormatNumber(*f.Max)
	}
	return ""
}
