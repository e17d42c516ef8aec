package clean

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/tandem-ml/tandem/data"
)

// Step is one line of a project file's clean section: a repair of a column, or
// one of
//
//	flag        a feature that is 1 where Column is an outlier by Outliers, "iqr" or "mad"
//	duplicates  of the rows that are equal in the columns By, or in all, the first is kept
type Step struct {
	Column string `json:"column,omitempty"` // "" for duplicates
	data.Repair
	Outliers string   `json:"outliers,omitempty"`
	By       []string `json:"by,omitempty"`
}

// RowWise reports whether the step looks at one cell at a time, so that
// production takes it as well.
func (s Step) RowWise() bool { return s.Op != "flag" && s.Op != "duplicates" }

// Check returns what is wrong with the step by itself.
func (s Step) Check() error {
	switch s.Op {
	case "duplicates":
		return nil
	case "flag":
		if s.Outliers != "iqr" && s.Outliers != "mad" {
			return fmt.Errorf("flag: outliers is %q, and may be iqr or mad", s.Outliers)
		}
		return nil
	}
	_, err := compile(s.Repair)
	return err
}

// Reason says why such a step is taken, for people.
func (s Step) Reason() string {
	switch s.Op {
	case "trim":
		return "blanks around and between words are no part of a value"
	case "merge":
		return "spellings of one value are not several values"
	case "number":
		return "the column holds numbers written as words"
	case "units":
		return "the column holds numbers with units; all get one"
	case "time":
		return "the column holds times written as words"
	case "boolean":
		return "the column says yes or no in several words"
	case "bounds":
		return "values outside of the bounds cannot be true"
	case "flag":
		return "outliers are told to the model, and not cut"
	}
	return "repeated rows make a model look better than it is"
}

// Done is a step after it was taken on a table.
type Done struct {
	Step    Step     `json:"step"`
	Reason  string   `json:"reason"`
	Changed int      `json:"changed"` // cells that have another value, or another form, now
	Missing int      `json:"missing"` // cells that are missing now
	Refused int      `json:"refused"` // rows that are refused
	Flagged int      `json:"flagged"` // cells that are outliers
	Dropped int      `json:"dropped"` // rows that equal an earlier one
	Example []Change `json:"examples,omitempty"`
	Note    string   `json:"note,omitempty"` // why nothing was to be done
}

// Count is the number of cells or rows that the step is about.
func (d Done) Count() int { return d.Changed + d.Missing + d.Refused + d.Flagged + d.Dropped }

// Sentence says in one line what the step did.
func (d Done) Sentence() string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{d.Changed, "cells changed"}, {d.Missing, "cells made missing"}, {d.Refused, "rows refused"},
		{d.Flagged, "outliers flagged"}, {d.Dropped, "rows dropped"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	what := d.Note
	if len(parts) > 0 {
		what = strings.Join(parts, ", ")
	} else if what == "" {
		what = "nothing to do"
	}
	subject := d.Step.Column
	if d.Step.Op == "duplicates" {
		subject = "rows"
	}
	return fmt.Sprintf("%s of %s: %s", d.Step.Op, subject, what)
}

// Change is a cell before and after.
type Change struct {
	From string `json:"from"`
	To   string `json:"to"` // "" if it is missing or refused now
}

// examples is how many changes of a step are shown.
const examples = 3

// Cleaned is a table after its steps.
type Cleaned struct {
	Table *data.Table
	Done  []Done
	// Rows are the rows of the raw table that are left, in order; nil if all are.
	Rows []int
	// Bad says which rows of the raw table a rule refused, by row from 0.
	Bad map[int]*data.CellError
}

// Table takes the steps in order: first those of columns, then duplicates, then
// flags, whose bounds here are those of the whole table. The table is not
// modified. It returns an error for a step that is wrong by itself, or whose
// column the table does not have or cannot be so repaired.
func Table(t *data.Table, steps []Step) (*Cleaned, error) {
	out := &Cleaned{Bad: map[int]*data.CellError{}}
	columns := slices.Clone(t.Columns)
	at := make(map[string]int, len(columns))
	for i, c := range columns {
		at[c.Name] = i
	}
	var problems []error
	for _, s := range steps {
		d := Done{Step: s, Reason: s.Reason()}
		if err := s.Check(); err != nil {
			problems = append(problems, fmt.Errorf("clean: column %q: %w", s.Column, err))
			continue
		}
		if i, known := at[s.Column]; s.RowWise() && !known {
			problems = append(problems, fmt.Errorf("clean: the data has no column %q", s.Column))
			continue
		} else if s.RowWise() {
			c, err := out.repair(columns[i], s, &d)
			if err != nil {
				problems = append(problems, fmt.Errorf("clean: column %q: %w", s.Column, err))
				continue
			}
			columns[i] = c
		}
		out.Done = append(out.Done, d)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	var err error
	if out.Table, err = data.NewTable(columns...); err != nil {
		return nil, err
	}
	out.Table.Findings = t.Findings
	if len(out.Bad) > 0 {
		out.keep(func(row int) bool { return out.Bad[row] == nil })
	}
	for i := range out.Done {
		if d := &out.Done[i]; d.Step.Op == "duplicates" {
			if err := out.duplicates(d); err != nil {
				return nil, err
			}
		}
	}
	for i := range out.Done {
		d := &out.Done[i]
		if d.Step.Op != "flag" {
			continue
		}
		c := out.Table.Column(d.Step.Column)
		if c == nil || c.Kind != data.Number {
			return nil, fmt.Errorf("clean: column %q: flag needs a number column", d.Step.Column)
		}
		low, high, ok := Fence(c.Numbers, d.Step.Outliers)
		if !ok {
			d.Note = "too few values, or half of them are equal"
			continue
		}
		for row, x := range c.Numbers {
			if x < low || x > high {
				d.Flagged++
				if len(d.Example) < examples {
					d.Example = append(d.Example, Change{c.Format(row), c.Format(row)})
				}
			}
		}
	}
	return out, nil
}

// keep leaves the rows of the cleaned table for which f, of its row number, is
// true, and notes which of the raw table they are.
func (o *Cleaned) keep(f func(row int) bool) {
	rows := []int{} // never nil, which says that all are left
	for i := range o.Table.Rows() {
		if f(i) {
			rows = append(rows, i)
		}
	}
	o.Table = o.Table.Gather(rows)
	if o.Rows == nil {
		o.Rows = rows
		return
	}
	for i, r := range rows {
		rows[i] = o.Rows[r]
	}
	o.Rows = rows
}

// repair returns a repaired column; bad cells are noted by row.
func (o *Cleaned) repair(c *data.Column, s Step, d *Done) (*data.Column, error) {
	kind := c.Kind
	if k := KindOf(s.Repair); k != 0 && !(k == data.Category && kind == data.Text) {
		kind = k
	}
	if c.Kind == data.Time && kind != data.Time || c.Kind == data.Number && kind == data.Time {
		return nil, fmt.Errorf("%s cannot be done on a column of kind %s", s.Op, c.Kind)
	}
	if c.Kind == kind && (kind == data.Time || kind == data.Number && s.Op != "bounds") {
		d.Note = "the column is read as " + kind.String() + "s already"
		return c, nil
	}
	r, err := Compile([]data.Repair{s.Repair}, kind)
	if err != nil {
		return nil, err
	}
	cells, rules := make([]Cell, 0), make([]string, 0) // by code of a category column, else by row
	index := func(row int) int { return row }
	switch c.Kind {
	case data.Category:
		for _, v := range c.Dict {
			cell, rule := r.Text(v)
			cells, rules = append(cells, cell), append(rules, rule)
		}
		index = func(row int) int { return int(c.Codes[row]) }
	case data.Text:
		for _, v := range c.Texts {
			cell, rule := r.Text(v)
			cells, rules = append(cells, cell), append(rules, rule)
		}
	default:
		for _, x := range c.Numbers {
			cell, rule := r.Number(x)
			cells, rules = append(cells, cell), append(rules, rule)
		}
	}
	n := c.Len()
	out := &data.Column{Name: c.Name, Kind: kind}
	var texts []string
	switch kind {
	case data.Number:
		out.Numbers = make([]float64, n)
	case data.Time:
		out.Times = make([]int64, n)
	default:
		texts = make([]string, n)
	}
	seen := map[string]bool{}
	for row := range n {
		cell, rule := Cell{Missing: true}, ""
		was := !c.Missing(row)
		if was {
			cell, rule = cells[index(row)], rules[index(row)]
		}
		switch {
		case kind == data.Number && cell.Missing:
			out.Numbers[row] = math.NaN()
		case kind == data.Number:
			out.Numbers[row] = cell.X
		case kind == data.Time && cell.Missing:
			out.Times[row] = data.MissingTime
		case kind == data.Time:
			out.Times[row] = int64(cell.X)
		case !cell.Missing:
			texts[row] = cell.Text
		}
		if !was || rule == "" && kind == data.Number && c.Kind == data.Number && cell.X == c.Numbers[row] && !cell.Missing {
			continue
		}
		from, to := c.Format(row), ""
		switch {
		case rule != "":
			d.Refused++
			if o.Bad[row] == nil {
				o.Bad[row] = &data.CellError{Row: row + 1, Column: c.Name, Value: from, Err: rule,
					Hint: "correct the cell, or let the clean section of tandem.yaml make it missing"}
			}
		case cell.Missing:
			d.Missing++
		default:
			switch kind {
			case data.Number:
				to = data.FormatNumber(cell.X)
			case data.Time:
				to = data.FormatTime(int64(cell.X))
			default:
				to = cell.Text
			}
			if to == from {
				continue
			}
			d.Changed++
		}
		if len(d.Example) < examples && !seen[from] {
			seen[from] = true
			d.Example = append(d.Example, Change{from, to})
		}
	}
	switch kind {
	case data.Text:
		out.Texts = texts
	case data.Category:
		return data.CategoryColumn(c.Name, texts), nil
	}
	return out, nil
}

// duplicates drops the rows that equal an earlier one.
func (o *Cleaned) duplicates(d *Done) error {
	by := o.Table.Columns
	if d.Step.By != nil {
		by = nil
		for _, name := range d.Step.By {
			c := o.Table.Column(name)
			if c == nil {
				return fmt.Errorf("clean: the data has no column %q", name)
			}
			by = append(by, c)
		}
	}
	first := make(map[string]bool, o.Table.Rows())
	var key strings.Builder
	o.keep(func(row int) bool {
		key.Reset()
		known := false
		for _, c := range by {
			v := c.Format(row)
			known = known || v != ""
			fmt.Fprintf(&key, "%d:%s", len(v), v)
		}
		k := key.String()
		if known && first[k] { // rows without any key are not known to be equal
			d.Dropped++
			if len(d.Example) < examples && len(by) > 0 {
				d.Example = append(d.Example, Change{by[0].Format(row), ""})
			}
			return false
		}
		first[k] = true
		return true
	})
	return nil
}

// leastFenced is how many finite numbers tell what is usual.
const leastFenced = 20

// Fence returns the bounds beyond which a number is an outlier, from the finite
// ones of values: for "iqr" 1.5 times the distance of the quartiles beyond them
// (Tukey, Exploratory Data Analysis, 1977), for "mad" 3.5 times 1.4826 times the
// median distance from the median (Iglewicz and Hoaglin, How to Detect and Handle
// Outliers, 1993). ok is false for fewer than 20, and where that distance is 0.
// Quantiles are order statistics: of n values number floor(q*(n-1)).
func Fence(values []float64, method string) (low, high float64, ok bool) {
	var v []float64
	for _, x := range values {
		if finite(x) {
			v = append(v, x)
		}
	}
	if len(v) < leastFenced {
		return 0, 0, false
	}
	slices.Sort(v)
	at := func(v []float64, quarter int) float64 { return v[(len(v)-1)*quarter/4] }
	reach, from, to := 0.0, 0.0, 0.0
	if method == "mad" {
		median := at(v, 2)
		away := make([]float64, len(v))
		for i, x := range v {
			away[i] = math.Abs(x - median)
		}
		slices.Sort(away)
		from, to, reach = median, median, float64(3.5*1.4826*at(away, 2))
	} else {
		from, to = at(v, 1), at(v, 3)
		reach = float64(1.5 * (to - from))
	}
	low, high = from-reach, to+reach
	return low, high, reach > 0 && finite(low) && finite(high)
}

// Fields puts the row-wise steps and flags into a contract that was learned from
// the cleaned table, so that production takes them. raw is the table before:
// where it held numbers or times already, a repair that reads them is left out.
// A field whose values may become missing is no longer required.
func Fields(c *data.Contract, steps []Step) error {
	for _, s := range steps {
		f := c.Field(s.Column)
		if f == nil {
			continue
		}
		switch {
		case s.Op == "flag":
			f.Flag = s.Outliers
		case s.RowWise():
			f.Clean = append(f.Clean, s.Repair)
		}
	}
	for i := range c.Fields {
		f := &c.Fields[i]
		r, err := Compile(f.Clean, f.Kind)
		if err != nil {
			return fmt.Errorf("clean: column %q: %w", f.Name, err)
		}
		if r.Forgets() {
			f.Required = false
		}
	}
	return nil
}

// Needed returns the steps that have something to do on raw: a repair that reads
// words as numbers or times is left out where the source is read so already.
func Needed(raw *data.Table, steps []Step) []Step {
	var out []Step
	for _, s := range steps {
		c := raw.Column(s.Column)
		if c != nil && (s.Op == "number" && c.Kind == data.Number || s.Op == "time" && c.Kind == data.Time) {
			continue
		}
		out = append(out, s)
	}
	return out
}

// Raw returns the contract by which a file's raw cells are read: what a repair
// reads as text is text there.
func Raw(c data.Contract) data.Contract {
	out := data.Contract{Fields: slices.Clone(c.Fields)}
	for i := range out.Fields {
		f := &out.Fields[i]
		if r, err := Compile(f.Clean, f.Kind); err == nil && r.ReadsText() {
			f.Kind, f.Categories = data.Text, nil
		}
	}
	return out
}

// Column repairs a raw column by a field's repairs; it is returned as it is if
// there are none. A value that would be refused is missing.
func Column(c *data.Column, f *data.Field) (*data.Column, error) {
	if c == nil || len(f.Clean) == 0 {
		return c, nil
	}
	var o Cleaned
	o.Bad = map[int]*data.CellError{}
	for _, r := range f.Clean {
		var err error
		if c, err = o.repair(c, Step{Column: c.Name, Repair: r}, &Done{}); err != nil {
			return nil, fmt.Errorf("column %q: %w", c.Name, err)
		}
	}
	return c, nil
}

// sortedKeys returns a map's keys in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
