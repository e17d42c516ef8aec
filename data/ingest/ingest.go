package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/tandem-ml/tandem/data"
)

// Options say how a source is read. The zero value reads for training.
type Options struct {
	// Contract fixes the columns and their kinds, for prediction; nil decides
	// them from the data. Excluded columns are not read.
	Contract *data.Contract

	// KeepBad keeps a row that cannot be read in its place, missing what could
	// not be read (all of it, if the row could not be split into cells), and
	// lists it in Result.Bad. By default such a row is left out.
	KeepBad bool

	// Dir is the folder that a relative source starts from; "" is the current one.
	Dir string

	// Dialect answers what reading text otherwise guesses.
	Dialect data.Dialect

	// SQL is a query whose rows are read: over Tables, files or patterns by the
	// name that the query gives them, in a database that sees nothing else; or,
	// where Tables is nil, at the PostgreSQL server that the source names.
	SQL    string
	Tables map[string]string

	// Empty allows a table of columns and no rows, which is an error else.
	Empty bool

	// Strict makes every guess, repair and reject an error.
	Strict bool

	// Progress is called now and then with the number of rows in the table so
	// far, and once at the end; from one goroutine. It may be nil.
	Progress func(rows int)
}

// Result is what a source holds.
type Result struct {
	Table    *data.Table
	Snapshot data.Snapshot

	// Rejects lists every row that could not be read, in the order of the
	// source; with KeepBad, those in Bad.
	Rejects []Reject

	// Bad says what is wrong with a row of Table, counted from 0. It is nil
	// without KeepBad. Its keys are in no order.
	Bad map[int]*data.CellError

	// Findings say what was guessed, repaired and left out; Table has them, too.
	Findings []data.Finding

	// Ignored names the columns of the source that the contract does not know,
	// in their order.
	Ignored []string
}

// Read reads a source: a file or a pattern of files (* ? [a-z]), which are read
// in name order; a column that a file lacks is missing in its rows. It may be an
// address, https://, s3:// or postgres://, or env:NAME for one in an environment
// variable; what it names is copied here first. See the package comment for
// formats and types.
//
// With a contract the table has the contract's columns, in its order, that the
// source has. A feature that the source lacks is an error if the contract
// requires it, and a column of missing values otherwise. The caller checks
// ranges and required cells.
//
// Read returns an error, with its cure, if the source cannot be found or opened,
// is damaged or no text, has no rows, or if more than half of its rows cannot be
// read (never with KeepBad). It returns ctx's error
// within a few thousand rows of a cancellation.
func Read(ctx context.Context, source string, opt Options) (*Result, error) {
	files, sum, shown, found, release, err := resolveAll(ctx, source, &opt, true)
	if err != nil {
		return nil, err
	}
	defer release()
	r := &reader{ctx: ctx, opt: opt, files: files, at: map[string]int{}, found: found}
	r.result.Snapshot.Source, r.result.Snapshot.SHA256 = shown, sum
	if err := r.survey(); err != nil {
		return nil, err
	}
	if err := r.plan(); err != nil {
		return nil, err
	}
	if err := r.fill(); err != nil {
		return nil, err
	}
	if err := unchanged(files); err != nil {
		return nil, err
	}
	return &r.result, nil
}

// reader is one call of Read.
type reader struct {
	ctx   context.Context
	opt   Options
	files []file

	names   []string       // columns of the source, in order of appearance
	at      map[string]int // their places in names
	surveys []survey       // by place
	rows    int            // records that survey found, bad ones not counted
	bad     int            // records that it found to be bad

	columns []*column // by place in names; nil where a column is not read
	filling bool      // the second pass
	found   []data.Finding
	result  Result
}

// each calls f with every record of every file, and with its cells by place in
// names; row is the record's number in its file, from 1.
func (r *reader) each(f func(file file, row int, rec *record, cells []cell) error) error {
	for i, one := range r.files {
		if err := r.eachOf(one, i == 0, f); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) eachOf(one file, first bool, f func(file file, row int, rec *record, cells []cell) error) (err error) {
	s, err := scan(r.ctx, one, r.names, &r.opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if _, growing := s.(*jsonScanner); !growing && (!first || r.filling) {
		if err := r.compare(one.name, s.names()); err != nil {
			return err
		}
	}
	var place []int // of the scanner's columns in names
	var cells []cell
	for row := 1; ; row++ {
		if row%1024 == 0 {
			if err := r.ctx.Err(); err != nil {
				return err
			}
		}
		rec, err := s.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return readError(one.name, err)
		}
		if rec.spoiled && !r.opt.KeepBad {
			if rec.foreign && !one.western && !r.filling {
				return errNotUnicode
			}
			return spoiledError(one.name, rec)
		}
		for _, name := range s.names()[len(place):] {
			if _, known := r.at[name]; !known {
				r.at[name] = len(r.names)
				r.names = append(r.names, name)
				r.surveys = append(r.surveys, survey{})
			}
			place = append(place, r.at[name])
		}
		for len(cells) < len(r.names) {
			cells = append(cells, cell{})
		}
		for i := range rec.cells {
			if rec.bad == "" {
				cells[place[i]] = rec.cells[i]
			}
		}
		if err := f(one, row, rec, cells); err != nil {
			return err
		}
	}
	if n, ok := s.(noted); ok && (r.filling || r.opt.Strict && r.columns != nil) {
		for _, f := range n.findings() {
			r.note(f)
		}
	}
	// A file without rows still names its columns.
	for _, name := range s.names()[len(place):] {
		if _, known := r.at[name]; !known {
			r.at[name] = len(r.names)
			r.names = append(r.names, name)
			r.surveys = append(r.surveys, survey{})
		}
	}
	return nil
}

// compare says which columns a further file has that others lack, and the other
// way round. A file that has none of the columns is one of another kind.
func (r *reader) compare(other string, got []string) error {
	var lacks, adds []string
	for _, name := range r.names {
		if !slices.Contains(got, name) {
			lacks = append(lacks, name)
		}
	}
	for _, name := range got {
		if _, known := r.at[name]; !known {
			adds = append(adds, name)
		}
	}
	if len(adds) == len(got) && len(got) > 0 && len(r.names) > 0 {
		return data.WithHint(fmt.Errorf("%s has none of the columns of %s", other, r.files[0].name), "name a pattern that matches files of one kind only")
	}
	if len(lacks) > 0 && r.filling {
		r.note(data.Finding{Kind: "repair", About: "columns", Count: len(lacks), Example: lacks[:min(3, len(lacks))],
			Text: fmt.Sprintf("%s lacks %s of the others: missing in its rows", other, plural(len(lacks), "column"))})
	}
	return nil
}

// survey is the first pass: what do the cells of each column look like?
func (r *reader) survey() error {
	for {
		err := r.look()
		if !errors.Is(err, errNotUnicode) {
			if err == nil && r.rows+r.bad == 0 && !(r.opt.Empty && len(r.names) > 0) {
				return r.nothing()
			}
			return err
		}
		// A byte far into a file says that it is not UTF-8 after all, if nothing
		// has said that it is.
		for i := range r.files {
			r.files[i].western = true
		}
		r.names, r.at, r.surveys, r.rows, r.bad = nil, map[string]int{}, nil, 0, 0
	}
}

// errNotUnicode asks to read again as Windows-1252.
var errNotUnicode = errors.New("the text is not UTF-8")

func (r *reader) look() error {
	err := r.each(func(_ file, _ int, rec *record, cells []cell) error {
		if r.rows+r.bad+1 == early {
			r.freeze()
		}
		if rec.bad != "" {
			r.bad++
			return nil
		}
		r.rows++
		for i := range cells {
			r.surveys[i].see(&cells[i])
		}
		return nil
	})
	r.settle()
	return err
}

// settle is freeze for a source of fewer rows.
func (r *reader) settle() {
	if r.rows+r.bad < early {
		r.freeze()
	}
}

// freeze remembers which columns wrote numbers in a style of their own so far.
func (r *reader) freeze() {
	for i := range r.surveys {
		s := &r.surveys[i]
		s.early = s.styled[points]+s.styled[commas] > 0
	}
}

// nothing is the error for a source without rows.
func (r *reader) nothing() error {
	what := "has a header but no rows"
	if len(r.names) == 0 {
		what = "has no rows"
	}
	if len(r.files) > 1 {
		return data.WithHint(fmt.Errorf("none of the %d files has rows", len(r.files)), "check the export that wrote them")
	}
	return data.WithHint(fmt.Errorf("%s %s", r.files[0].name, what), "check the export that wrote it")
}

// plan decides how each column is read.
func (r *reader) plan() error {
	if r.opt.Contract != nil {
		return r.follow(r.opt.Contract)
	}
	lean := r.lean(nil)
	var idle []string
	for i, name := range r.names {
		// A separator at the end of every line makes a column of nothing.
		if s := &r.surveys[i]; r.rows > 0 && s.values == 0 && s.marked == 0 && name == fmt.Sprintf("column_%d", i+1) && len(r.names) > 1 {
			idle = append(idle, name)
			r.columns = append(r.columns, nil)
			continue
		}
		r.columns = append(r.columns, newColumn(r.surveys[i].decide(name, lean), r.rows+r.bad))
	}
	if idle != nil {
		if len(idle) == len(r.names) {
			return r.nothing()
		}
		r.note(data.Finding{Kind: "repair", About: "columns", Count: len(idle), Example: idle[:min(3, len(idle))],
			Text: plural(len(idle), "column") + " without a name and without a value " + isAre(len(idle)) + " left out"})
	}
	r.noteColumns(lean)
	return nil
}

// lean is what the columns together say, or the reader's settings. With a
// contract only its columns of the kind count.
func (r *reader) lean(c *data.Contract) (l leaning) {
	for i := range r.surveys {
		s := &r.surveys[i]
		number, timed := true, true
		if c != nil {
			f := c.Field(r.names[i])
			number, timed = f != nil && f.Kind == data.Number && s.early, f != nil && f.Kind == data.Time
		}
		p := s.decide("", leaning{})
		if st, _, open := s.styleOf(leaning{}); number && !open && p.kind == data.Number && p.style != plain && st == commas {
			l.style = commas
		}
		if best, open := s.layoutOf(noLayout); timed && !open && p.kind == data.Time && (best == dmy || best == mdy || best == dmyShort || best == mdyShort) {
			if best == dmyShort || best == mdyShort {
				best -= dmyShort - dmy
			}
			if l.layout == noLayout {
				l.layout = best
			}
		}
	}
	if l.style == plain && r.opt.Dialect.OpenDecimal == "," {
		l.style = commas
	}
	switch r.opt.Dialect.Decimal {
	case ".":
		l.style, l.fixed = points, true
	case ",":
		l.style, l.fixed = commas, true
	}
	l.truths = r.opt.Dialect.Booleans
	switch r.opt.Dialect.Dates {
	case "dmy":
		l.layout = dmy
	case "mdy":
		l.layout = mdy
	}
	return l
}

// follow plans the columns that a contract names.
func (r *reader) follow(c *data.Contract) error {
	r.columns = make([]*column, len(r.names))
	var lacking, nearest []string
	lean := r.lean(c)
	for _, f := range c.Fields {
		i, present := r.at[f.Name]
		if !present {
			if f.Role == data.Feature && f.Required {
				lacking = append(lacking, strconv.Quote(f.Name))
				if near := data.Nearest(f.Name, r.names); near != "" && c.Field(near) == nil {
					nearest = append(nearest, fmt.Sprintf("rename %q to %q", near, f.Name))
				}
			}
			continue
		}
		if f.Role != data.Excluded {
			r.columns[i] = newColumn(given(f, &r.surveys[i], lean), r.rows+r.bad)
		}
	}
	for _, name := range r.names {
		if c.Field(name) == nil {
			r.result.Ignored = append(r.result.Ignored, name)
		}
	}
	if lacking == nil {
		return nil
	}
	what := "columns"
	if len(lacking) == 1 {
		what = "the column"
	}
	hint := "the model was trained with them on every row; add them to the file"
	if nearest != nil {
		hint = strings.Join(nearest, ", ")
	}
	return data.WithHint(fmt.Errorf("%s lacks %s that the model needs: %s",
		r.files[0].name, what, strings.Join(lacking, ", ")), "%s", hint)
}

// given plans a column of a kind that is given.
func given(f data.Field, s *survey, lean leaning) plan {
	p := plan{name: f.Name, kind: f.Kind, decided: true, boolean: len(f.Categories) > 0, layout: ymd}
	for _, v := range f.Categories {
		p.boolean = p.boolean && (v == "true" || v == "false")
	}
	// The contract does not say how days and numbers are written: the file does.
	if d := s.decide(f.Name, lean); f.Kind == data.Time && d.kind == data.Time {
		p.layout = d.layout
	}
	if f.Kind == data.Number && (s.early || lean.fixed) {
		p.style, _, _ = s.styleOf(lean)
	}
	return p
}

// fill is the second pass.
func (r *reader) fill() error {
	if r.opt.KeepBad {
		r.result.Bad = map[int]*data.CellError{}
	}
	rows := 0
	r.filling = true
	err := r.each(func(f file, row int, rec *record, cells []cell) error {
		bad := r.add(f, row, rec, cells)
		if bad != nil {
			for _, c := range r.columns {
				if c != nil {
					c.cut(rows)
				}
			}
			r.reject(bad, rec)
			if !r.opt.KeepBad {
				return nil
			}
			r.result.Bad[rows] = bad
			r.keep(rows, rec, cells)
		}
		if rows++; rows%8192 == 0 && r.opt.Progress != nil {
			r.opt.Progress(rows)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if n := len(r.result.Rejects); !r.opt.KeepBad && n > rows {
		return r.tooManyRejects(rows + n)
	}
	if r.opt.Progress != nil {
		r.opt.Progress(rows)
	}
	r.blank()
	for i, c := range r.columns {
		if c != nil && c.blanked > 0 {
			r.noteBlanks(c, &r.surveys[i])
		}
	}
	r.noteRejects()
	r.sortFindings()
	if r.opt.Strict && len(r.found) > 0 {
		return strictError(r.result.Snapshot.Source, r.found)
	}
	return r.finish(rows)
}

// keep appends a record that cannot be read whole: its cells that can be read,
// so that a refused row still has its id, and the others as missing.
func (r *reader) keep(row int, rec *record, cells []cell) {
	for i, c := range r.columns {
		if c == nil || rec.bad == "" && c.add(&cells[i]) == "" {
			continue
		}
		c.cut(row)
		c.add(&cell{})
	}
}

// add appends a record to the columns, or says why it cannot: then some of them
// may be longer than others.
func (r *reader) add(f file, row int, rec *record, cells []cell) *data.CellError {
	if rec.bad != "" {
		return &data.CellError{File: f.name, Line: rec.line, Row: row, Err: "the row " + rec.bad}
	}
	for i, c := range r.columns {
		if c == nil {
			continue
		}
		if complaint := c.add(&cells[i]); complaint != "" {
			what, cure, _ := strings.Cut(complaint, "; ")
			return &data.CellError{File: f.name, Line: rec.line, Row: row, Column: c.name,
				Value: string(c.word(&cells[i])), Err: what, Hint: cure}
		}
	}
	return nil
}

func (r *reader) reject(bad *data.CellError, rec *record) {
	reason := bad.Err
	if bad.Hint != "" {
		reason += "; " + bad.Hint
	}
	r.result.Rejects = append(r.result.Rejects, Reject{File: bad.File, Line: bad.Line, Row: bad.Row,
		Column: bad.Column, Value: bad.Value, Reason: reason, Raw: string(rec.raw)})
}

func (r *reader) tooManyRejects(rows int) error {
	const shown = 3
	var first []string
	for _, x := range r.result.Rejects[:min(shown, len(r.result.Rejects))] {
		what, _, _ := strings.Cut(strings.TrimPrefix(x.Reason, "the row "), ";")
		if x.Column != "" {
			what = fmt.Sprintf("column %q: %q %s", x.Column, x.Value, what)
		}
		place := fmt.Sprintf("line %d", x.Line)
		if x.Line == 0 {
			place = fmt.Sprintf("row %d", x.Row)
		}
		first = append(first, place+" "+what)
	}
	return data.WithHint(fmt.Errorf("%s: %d of %d rows cannot be read", r.result.Snapshot.Source, len(r.result.Rejects), rows),
		"%s; is the first line the header, and one separator used throughout?", strings.Join(first, ", "))
}

// meaning is how cells were read, for files to come of the same columns: what
// is set, and what the columns told where they agree.
func (r *reader) meaning() data.Dialect {
	set := r.opt.Dialect
	d := data.Dialect{Decimal: set.Decimal, OpenDecimal: set.OpenDecimal, Dates: set.Dates, Missing: set.Missing, Booleans: set.Booleans}
	var styles [commas + 1]bool
	var orders [layouts]bool
	for _, c := range r.columns {
		if c != nil {
			styles[c.style], orders[c.layout] = true, true
		}
	}
	if d.Decimal == "" && styles[commas] && !styles[points] {
		d.OpenDecimal = ","
	}
	day, month := orders[dmy] || orders[dmyShort], orders[mdy] || orders[mdyShort]
	if d.Dates == "" && day != month {
		d.Dates = map[bool]string{true: "dmy", false: "mdy"}[day]
	}
	return d
}

func (r *reader) finish(rows int) error {
	var columns []*data.Column
	if c := r.opt.Contract; c != nil {
		for _, f := range c.Fields {
			i, present := r.at[f.Name]
			switch {
			case present && r.columns[i] != nil:
				columns = append(columns, r.columns[i].finish())
			case !present && f.Role == data.Feature:
				absentees := newColumn(plan{name: f.Name, kind: f.Kind, decided: true}, rows)
				for range rows {
					absentees.add(&cell{})
				}
				columns = append(columns, absentees.finish())
			}
		}
	} else {
		for _, c := range r.columns {
			if c != nil {
				columns = append(columns, c.finish())
			}
		}
	}
	t, err := data.NewTable(columns...)
	if err != nil {
		return fmt.Errorf("%s: %w", r.result.Snapshot.Source, err)
	}
	t.Findings = r.found
	r.result.Table, r.result.Findings = t, r.found
	r.result.Snapshot.Rows, r.result.Snapshot.Columns = rows, len(columns)
	r.result.Snapshot.Rejects = len(r.result.Rejects)
	r.result.Snapshot.Read = r.meaning()
	return nil
}
