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

	// Ignored names the columns of the source that the contract does not know,
	// in their order.
	Ignored []string
}

// Read reads a source: a file or a pattern of files (* ? [a-z]), which must have
// the same columns and are read in name order. See the package comment for
// formats and types.
//
// With a contract the table has the contract's columns, in its order, that the
// source has. A feature that the source lacks is an error if the contract
// requires it, and a column of missing values otherwise. The caller checks
// ranges and required cells.
//
// Read returns an error, with its cure, if the source cannot be found or opened,
// is damaged or no text, names two columns alike, has no rows, or if more than
// half of its rows cannot be read (never with KeepBad). It returns ctx's error
// within a few thousand rows of a cancellation.
func Read(ctx context.Context, source string, opt Options) (*Result, error) {
	files, err := resolve(source, opt.Dir)
	if err != nil {
		return nil, err
	}
	r := &reader{ctx: ctx, opt: opt, files: files, at: map[string]int{}}
	r.result.Snapshot.Source = source
	if r.result.Snapshot.SHA256, err = hash(ctx, files); err != nil {
		return nil, err
	}
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
	s, err := scan(r.ctx, one, r.names)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if _, growing := s.(*jsonScanner); !growing && !first {
		if err := sameColumns(r.files[0].name, r.names, one.name, s.names()); err != nil {
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

func sameColumns(file string, want []string, other string, got []string) error {
	var problems []string
	for _, name := range want {
		if !slices.Contains(got, name) {
			problems = append(problems, fmt.Sprintf("%s lacks %q", other, name))
		}
	}
	for _, name := range got {
		if !slices.Contains(want, name) {
			problems = append(problems, fmt.Sprintf("%s lacks %q", file, name))
		}
	}
	if problems == nil {
		return nil
	}
	return data.WithHint(fmt.Errorf("the files have different columns: %s", strings.Join(problems, ", ")),
		"name a pattern that matches files of one kind only")
}

// survey is the first pass: what do the cells of each column look like?
func (r *reader) survey() error {
	err := r.each(func(_ file, _ int, rec *record, cells []cell) error {
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
	if err != nil {
		return err
	}
	if r.rows+r.bad == 0 {
		return r.nothing()
	}
	return nil
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
	for i, name := range r.names {
		r.columns = append(r.columns, newColumn(r.surveys[i].decide(name), r.rows+r.bad))
	}
	return nil
}

// follow plans the columns that a contract names.
func (r *reader) follow(c *data.Contract) error {
	r.columns = make([]*column, len(r.names))
	var lacking, nearest []string
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
			r.columns[i] = newColumn(given(f, &r.surveys[i]), r.rows+r.bad)
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
func given(f data.Field, s *survey) plan {
	p := plan{name: f.Name, kind: f.Kind, decided: true, boolean: len(f.Categories) > 0, layout: ymd}
	for _, v := range f.Categories {
		p.boolean = p.boolean && (v == "true" || v == "false")
	}
	// The contract does not say how days are written: the file does.
	if d := s.decide(f.Name); f.Kind == data.Time && d.kind == data.Time {
		p.layout = d.layout
	}
	return p
}

// fill is the second pass.
func (r *reader) fill() error {
	if r.opt.KeepBad {
		r.result.Bad = map[int]*data.CellError{}
	}
	rows := 0
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
			columns = append(columns, c.finish())
		}
	}
	t, err := data.NewTable(columns...)
	if err != nil {
		return fmt.Errorf("%s: %w", r.result.Snapshot.Source, err)
	}
	r.result.Table = t
	r.result.Snapshot.Rows, r.result.Snapshot.Columns = rows, len(columns)
	r.result.Snapshot.Rejects = len(r.result.Rejects)
	return nil
}
