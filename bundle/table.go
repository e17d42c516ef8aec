package bundle

import (
	"fmt"
	"maps"
	"math"
	"strings"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/clean"
)

// EncodeTable encodes the rows of a table. Columns are found by name; columns
// that are not inputs are ignored, an optional one that is absent is missing
// everywhere.
//
// A row that breaks the contract (a required value is missing, a number lies
// outside the bounds or is infinite where training held none, a text is not a
// number or a time) has its first such cell in bad, keyed by row from 0; its
// encoded values are not to be scored. bad is nil if all rows are good.
//
// The error is about the whole table: required columns that are absent, or a
// column of a kind that cannot be read as the contract's.
//
// A category column may come as numbers, and a number column as categories or
// text: both convert by value ("1" = 1 = 1.0).
func (l *Layout) EncodeTable(t *data.Table) (rows Rows, bad map[int]*data.CellError, err error) {
	if err := l.checkColumns(t); err != nil {
		return Rows{}, nil, err
	}
	rows = Rows{N: t.Rows(), Cols: l.Cols()}
	rows.Data = make([]float64, rows.N*rows.Cols)
	columns := make([]func(i int) (float64, string), len(l.fields))
	for j := range l.fields {
		columns[j] = l.reader(j, t.Column(l.fields[j].Name))
	}
	blocks := (rows.N + encodeRows - 1) / encodeRows
	found := make([]map[int]*data.CellError, blocks)
	inParallel(blocks, func(block int) {
		begin := block * encodeRows
		found[block] = l.encodeBlock(rows, t, columns, begin, min(begin+encodeRows, rows.N))
	})
	for _, some := range found {
		if bad == nil {
			bad = some
			continue
		}
		maps.Copy(bad, some)
	}
	return rows, bad, nil
}

// encodeRows is how many rows are encoded column by column at a time: few
// enough for what is written to stay in the cache.
const encodeRows = 512

// encodeBlock encodes the rows begin..end-1 and returns what is wrong with
// them, nil if nothing is.
func (l *Layout) encodeBlock(rows Rows, t *data.Table, columns []func(i int) (float64, string), begin, end int) (bad map[int]*data.CellError) {
	for j, value := range columns {
		f := &l.fields[j]
		for i := begin; i < end; i++ {
			x, problem := value(i)
			if problem == "" && f.Kind == data.Number {
				problem = numberRule(f, x)
			}
			if problem == "" && f.Closed && f.Kind == data.Category && x == l.dicts[j].unseen {
				problem = notListed
			}
			if problem == "" && x != x && f.Required {
				problem = "is missing, and the model requires it"
			}
			if problem != "" {
				x = math.NaN()
				if bad[i] == nil {
					if bad == nil {
						bad = make(map[int]*data.CellError)
					}
					bad[i] = &data.CellError{
						Row: i + 1, Column: f.Name, Value: t.Column(f.Name).Format(i), Err: problem,
						Hint: fmt.Sprintf("correct the cell, or change the contract of column %q and train again", f.Name),
					}
				}
			}
			rows.Data[i*rows.Cols+j] = x
		}
	}
	return bad
}

// checkColumns looks for what makes every row unusable.
func (l *Layout) checkColumns(t *data.Table) error {
	var absent []string
	for j := range l.fields {
		f := &l.fields[j]
		c := t.Column(f.Name)
		if c == nil {
			if f.Required {
				absent = append(absent, fmt.Sprintf("%q", f.Name))
			}
			continue
		}
		if !readable(f.Kind, c.Kind) && !allMissing(c) {
			return data.WithHint(
				fmt.Errorf("column %q holds values of kind %s, and the model was trained on kind %s", f.Name, c.Kind, f.Kind),
				"give the column as in training, or train again on the new data")
		}
	}
	if len(absent) > 0 {
		word := "column"
		if len(absent) > 1 {
			word = "columns"
		}
		return data.WithHint(
			fmt.Errorf("the table has no %s %s, which the model requires", word, strings.Join(absent, ", ")),
			"the table has the columns %s", strings.Join(t.Names(), ", "))
	}
	return nil
}

// readable reports whether a column of kind have can be read as kind want.
func readable(want, have data.Kind) bool {
	switch want {
	case data.Category:
		return have != data.Time
	case data.Time:
		return have != data.Number
	default:
		return have != data.Time
	}
}

func allMissing(c *data.Column) bool {
	for i := range c.Len() {
		if !c.Missing(i) {
			return false
		}
	}
	return true
}

// reader returns a function that encodes row i of c as input j, or says what
// is wrong with it.
func (l *Layout) reader(j int, c *data.Column) func(i int) (float64, string) {
	missing := func(int) (float64, string) { return math.NaN(), "" }
	if c == nil {
		return missing
	}
	if r := l.repairs[l.names[l.fields[j].Name]]; r != nil && readable(l.fields[j].Kind, c.Kind) {
		return l.repairing(j, r, c)
	}
	text, problem := l.textReader(j)
	if !readable(l.fields[j].Kind, c.Kind) { // all missing: checkColumns saw to it
		return missing
	}
	switch c.Kind {
	case data.Number:
		if l.fields[j].Kind == data.Number {
			return func(i int) (float64, string) { return c.Numbers[i], "" }
		}
		d := &l.dicts[j]
		return func(i int) (float64, string) {
			if x := c.Numbers[i]; x == x {
				return d.codeOfNumber(x), ""
			}
			return math.NaN(), ""
		}
	case data.Time:
		return func(i int) (float64, string) {
			if us := c.Times[i]; us != data.MissingTime {
				return float64(us), ""
			}
			return math.NaN(), ""
		}
	case data.Category: // read each distinct value once
		codes := make([]float64, len(c.Dict))
		ok := make([]bool, len(c.Dict))
		for k, s := range c.Dict {
			codes[k], ok[k] = text(s)
		}
		return func(i int) (float64, string) {
			switch k := c.Codes[i]; {
			case k < 0:
				return math.NaN(), ""
			case !ok[k]:
				return math.NaN(), problem
			default:
				return codes[k], ""
			}
		}
	default:
		return func(i int) (float64, string) {
			if c.Texts[i] == "" {
				return math.NaN(), ""
			}
			x, ok := text(c.Texts[i])
			if !ok {
				return math.NaN(), problem
			}
			return x, ""
		}
	}
}

// repairing is reader for a field whose values go through repairs.
func (l *Layout) repairing(j int, r *clean.Repairer, c *data.Column) func(i int) (float64, string) {
	encode := func(cell clean.Cell, rule string) (float64, string) {
		switch {
		case rule != "" || cell.Missing:
			return math.NaN(), rule
		case l.fields[j].Kind == data.Category:
			return l.dicts[j].code(cell.Text), ""
		}
		return cell.X, ""
	}
	missing := func() (float64, string) { return math.NaN(), "" }
	switch c.Kind {
	case data.Number:
		return func(i int) (float64, string) { return encode(r.Number(c.Numbers[i])) }
	case data.Time:
		return func(i int) (float64, string) {
			if us := c.Times[i]; us != data.MissingTime {
				return float64(us), ""
			}
			return missing()
		}
	case data.Category: // repair each distinct value once
		codes, rules := make([]float64, len(c.Dict)), make([]string, len(c.Dict))
		for k, s := range c.Dict {
			codes[k], rules[k] = encode(r.Text(s))
		}
		return func(i int) (float64, string) {
			if k := c.Codes[i]; k >= 0 {
				return codes[k], rules[k]
			}
			return missing()
		}
	}
	return func(i int) (float64, string) {
		if c.Texts[i] == "" {
			return missing()
		}
		return encode(r.Text(c.Texts[i]))
	}
}

// textReader returns how a text is read as input j, and what to say if it
// cannot be.
func (l *Layout) textReader(j int) (read func(string) (float64, bool), problem string) {
	switch l.fields[j].Kind {
	case data.Category:
		d := &l.dicts[j]
		return func(s string) (float64, bool) { return d.code(s), true }, ""
	case data.Time:
		return func(s string) (float64, bool) {
			us, ok := data.ParseTime(s)
			return float64(us), ok
		}, "is not a time"
	default:
		return data.ParseNumber, "is not a number"
	}
}
