package data

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Kind is the type of a column. The zero value is invalid.
type Kind uint8

// The four kinds of column; see the package comment.
const (
	Number Kind = iota + 1
	Category
	Text
	Time
)

var kindNames = [...]string{"", "number", "category", "text", "time"}

// String returns "number", "category", "text" or "time".
func (k Kind) String() string {
	if int(k) < len(kindNames) && k > 0 {
		return kindNames[k]
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// MarshalText writes the kind's name.
func (k Kind) MarshalText() ([]byte, error) {
	if k == 0 || int(k) >= len(kindNames) {
		return nil, fmt.Errorf("kind %d has no name", k)
	}
	return []byte(kindNames[k]), nil
}

// UnmarshalText reads a kind's name; anything else is an error.
func (k *Kind) UnmarshalText(b []byte) error {
	for i, name := range kindNames {
		if i > 0 && name == string(b) {
			*k = Kind(i)
			return nil
		}
	}
	return fmt.Errorf("%q is not a kind of column (number, category, text or time)", b)
}

// MissingTime marks a missing value in a Time column.
const MissingTime int64 = math.MinInt64

// Column is one named, typed column. Exactly the slice of its kind is set.
// Columns are treated as immutable once they are in a table.
type Column struct {
	Name string
	Kind Kind

	Numbers []float64 // Number; NaN is missing
	Codes   []int32   // Category: index into Dict; -1 is missing
	Dict    []string  // Category: the distinct values, sorted, without duplicates
	Texts   []string  // Text; "" is missing
	Times   []int64   // Time: microseconds since 1970, UTC; MissingTime is missing
}

// Len returns the number of values.
func (c *Column) Len() int {
	switch c.Kind {
	case Number:
		return len(c.Numbers)
	case Category:
		return len(c.Codes)
	case Text:
		return len(c.Texts)
	case Time:
		return len(c.Times)
	}
	return 0
}

// Missing reports whether value i is missing.
func (c *Column) Missing(i int) bool {
	switch c.Kind {
	case Number:
		return math.IsNaN(c.Numbers[i])
	case Category:
		return c.Codes[i] < 0
	case Text:
		return c.Texts[i] == ""
	case Time:
		return c.Times[i] == MissingTime
	}
	return true
}

// Format returns value i as text: numbers in their shortest exact form, times
// as RFC 3339, "" when missing.
func (c *Column) Format(i int) string {
	if c.Missing(i) {
		return ""
	}
	switch c.Kind {
	case Number:
		return FormatNumber(c.Numbers[i])
	case Category:
		return c.Dict[c.Codes[i]]
	case Text:
		return c.Texts[i]
	default:
		return FormatTime(c.Times[i])
	}
}

// Gather returns a new column holding the values at the given rows, in that
// order. The dictionary of a category column is shared.
func (c *Column) Gather(rows []int) *Column {
	out := &Column{Name: c.Name, Kind: c.Kind, Dict: c.Dict}
	switch c.Kind {
	case Number:
		out.Numbers = gather(c.Numbers, rows)
	case Category:
		out.Codes = gather(c.Codes, rows)
	case Text:
		out.Texts = gather(c.Texts, rows)
	case Time:
		out.Times = gather(c.Times, rows)
	}
	return out
}

func gather[T any](v []T, rows []int) []T {
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = v[r]
	}
	return out
}

// Table is a list of equally long columns with distinct names.
type Table struct {
	Columns []*Column

	// Findings say what reading the source guessed, repaired and left out; nil
	// for a table that was not read, or as clean as it gets.
	Findings []Finding

	index map[string]int
}

// NewTable returns a table of the given columns. It returns an error naming
// the column if a name is empty or occurs twice, or if lengths differ.
func NewTable(columns ...*Column) (*Table, error) {
	t := &Table{Columns: columns, index: make(map[string]int, len(columns))}
	for i, c := range columns {
		if c.Name == "" {
			return nil, fmt.Errorf("column %d has no name", i+1)
		}
		if j, dup := t.index[c.Name]; dup {
			return nil, fmt.Errorf("columns %d and %d are both named %q", j+1, i+1, c.Name)
		}
		t.index[c.Name] = i
		if c.Len() != columns[0].Len() {
			return nil, fmt.Errorf("column %q has %d values, column %q has %d",
				c.Name, c.Len(), columns[0].Name, columns[0].Len())
		}
	}
	return t, nil
}

// Rows returns the number of rows.
func (t *Table) Rows() int {
	if len(t.Columns) == 0 {
		return 0
	}
	return t.Columns[0].Len()
}

// Column returns the column of that name, or nil.
func (t *Table) Column(name string) *Column {
	if i, ok := t.index[name]; ok {
		return t.Columns[i]
	}
	return nil
}

// Names returns the column names in order.
func (t *Table) Names() []string {
	out := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		out[i] = c.Name
	}
	return out
}

// Gather returns a new table holding the given rows, in that order.
func (t *Table) Gather(rows []int) *Table {
	out := &Table{Columns: make([]*Column, len(t.Columns)), Findings: t.Findings, index: t.index}
	for i, c := range t.Columns {
		out.Columns[i] = c.Gather(rows)
	}
	return out
}

// FormatNumber returns the shortest decimal text that reads back as v, without
// an exponent for ordinary magnitudes: 1, 0.25, 1e+300.
func FormatNumber(v float64) string {
	if a := math.Abs(v); a >= 1e-6 && a < 1e15 || v == 0 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// FormatTime returns microseconds since 1970 as RFC 3339 in UTC.
func FormatTime(us int64) string {
	return time.UnixMicro(us).UTC().Format(time.RFC3339Nano)
}

// SameValue reports whether two texts name the same value: equal as text, or
// both numbers and equal as numbers ("1" = "1.0" = "1e0").
func SameValue(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}
