package ingest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/tandem-ml/tandem/data"
)

// BlockRows is how many rows a block of [Blocks] has at most.
const BlockRows = 16384

// maxBlock is the text a block may hold before it is handed over with fewer
// rows: 16384 rows of 4 MB each would be no bound on memory.
const maxBlock = 8 << 20

// Block is a stretch of a source's rows, in the order of the source.
type Block struct {
	First int         // how many rows of the source stand before this block
	Table *data.Table // the contract's columns, the same ones in every block

	// Bad says why rows of Table, counted from 0, cannot be read, as
	// [Result.Bad] does; Rejects lists the same rows in their order.
	Bad     map[int]*data.CellError
	Rejects []Reject

	// Ignored names the columns that the contract does not know, as far as they
	// have been seen: those of JSON come as rows are read.
	Ignored []string
}

// BlockOptions say how [Blocks] reads.
type BlockOptions struct {
	Contract *data.Contract // the columns; required

	// Input is read instead of a file, once and from where it stands; the source
	// is then only its name in messages. It may be compressed with gzip.
	Input io.Reader

	// Format is csv, tsv, ndjson, json, parquet or arrow; "" tells it from the
	// name and the first bytes.
	Format string

	// Skip is how many rows of the source to pass over: the first block begins
	// with the row after them.
	Skip int

	Dialect data.Dialect // answers what reading text otherwise guesses

	// Strict makes every guess, repair and reject an error, at the end: blocks
	// have been handed over by then.
	Strict bool

	Dir string // the folder that a relative source starts from; "" is the current one
}

// Formats are the names of the formats that [BlockOptions] can name.
func Formats() []string { return []string{"csv", "tsv", "ndjson", "json", "parquet", "arrow"} }

func formatOf(name string) (format, error) {
	if name == "" {
		return 0, nil
	}
	i := slices.Index(Formats(), name)
	if i < 0 {
		return 0, data.WithHint(fmt.Errorf("there is no format %q", name), "the formats are csv, tsv, ndjson, json, parquet and arrow")
	}
	return [...]format{formatCSV, formatTSV, formatLines, formatJSON, formatParquet, formatArrow}[i], nil
}

// Blocks reads a source as [Read] does with a contract and KeepBad, row by row
// the same, but hands it over in blocks, so that memory does not grow with the
// source. do owns the block it is given; its error ends the reading and is
// returned. Blocks returns how many rows the source holds, those skipped
// counted.
//
// It returns the errors of Read, those of the content when it comes to them:
// blocks may have been handed over before.
//
// Two things depend on all rows of a source, the order of day and month in its
// times and the keys of its JSON objects. A file in which they matter is read
// through once beforehand. Of Input they are told from its first five
// megabytes: a time written another way after them makes its row a bad one, and
// a column other than a feature that comes up after them is not read.
func Blocks(ctx context.Context, source string, opt BlockOptions, do func(*Block) error) (rows int, err error) {
	s := &stream{do: do, skip: opt.Skip}
	s.opt = Options{Contract: opt.Contract, KeepBad: true, Dialect: opt.Dialect, Dir: opt.Dir, Strict: opt.Strict}
	s.ctx, s.at = ctx, map[string]int{}
	as, err := formatOf(opt.Format)
	if err != nil {
		return 0, err
	}
	if opt.Input != nil {
		sample, release, err := s.take(source, opt.Input, as)
		if err != nil {
			return 0, err
		}
		defer release()
		if err := s.prepare(sample, true); err != nil {
			return 0, err
		}
	} else {
		var release func()
		if s.files, _, _, _, release, err = resolveAll(ctx, source, &s.opt, true); err != nil {
			return 0, err
		}
		defer release()
		for i := range s.files {
			s.files[i].as = as
		}
		if err := s.prepare(s.files, false); err != nil {
			return 0, err
		}
	}
	if err := s.run(); err != nil {
		return 0, err
	}
	if s.first == 0 {
		return 0, s.nothing()
	}
	if opt.Strict {
		s.noteColumns(s.lean(opt.Contract))
		if s.left > 0 {
			s.note(data.Finding{Kind: "reject", About: "rows", Count: s.left, Text: plural(s.left, "row") + " that cannot be read"})
		}
		if len(s.found) > 0 {
			return 0, strictError(source, s.found)
		}
	}
	if opt.Input == nil {
		if err := unchanged(s.files); err != nil {
			return 0, err
		}
	}
	return s.first, nil
}

// stream is one call of Blocks.
type stream struct {
	reader
	do    func(*Block) error
	skip  int
	first int // rows before the block that is being filled
	n     int // rows in it
	bytes int // text in it
	left  int // rows that could not be read, of all blocks
}

// take makes the one file of an input, and what there is of it to look at
// beforehand.
func (s *stream) take(name string, input io.Reader, as format) (sample []file, release func(), err error) {
	head, r, err := peek(&stoppable{s.ctx, input})
	if err != nil {
		return nil, nil, readError(name, err)
	}
	unpacked, _, release, err := unpack(r, head, "", 0)
	if err == nil {
		head, r, err = peek(unpacked)
	}
	if err != nil {
		return nil, nil, readError(name, err)
	}
	if len(head) == 0 {
		return nil, nil, empty(name)
	}
	if bytes.HasPrefix(head, []byte(magicZip)) {
		return nil, nil, data.WithHint(fmt.Errorf("%s is a ZIP archive or a workbook", name), "name it as a file: it cannot be read from a stream")
	}
	if err := known(name, head); err != nil {
		return nil, nil, err
	}
	if as == 0 {
		as = detectFormat("", head)
	}
	switch as {
	case formatParquet: // its directory is at its end
		f, release, err := spool(name, r)
		if err != nil {
			return nil, nil, err
		}
		f.as = as
		s.files = []file{f}
		return s.files, release, nil
	case formatArrow:
		s.files = []file{{name: name, stream: r, as: as}}
		return nil, release, nil
	}
	text, _, err := decode(r, s.opt.Dialect.Encoding, false)
	if err != nil {
		return nil, nil, readError(name, err)
	}
	whole := bufio.NewReaderSize(text, maxRecord+1<<20)
	first, err := whole.Peek(maxRecord + 1<<20)
	if err != nil && err != io.EOF {
		return nil, nil, readError(name, err)
	}
	if end := bytes.LastIndexByte(first, '\n') + 1; err == nil && end > 0 {
		first = first[:end] // what follows is not whole
	}
	s.files = []file{{name: name, stream: whole, as: as}}
	return []file{{name: name, stream: bytes.NewReader(bytes.Clone(first)), as: as}}, release, nil
}

// spool writes an input to a file that can be read from any place.
func spool(name string, r io.Reader) (file, func(), error) {
	f, err := os.CreateTemp("", "tandem-*.parquet")
	if err != nil {
		return file{}, nil, fmt.Errorf("keep %s: %w", name, err)
	}
	release := func() { os.Remove(f.Name()) }
	n, err := io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err != nil {
		release()
		return file{}, nil, fmt.Errorf("keep %s: %w", name, err)
	}
	return file{name: name, path: f.Name(), size: n}, release, nil
}

// prepare plans the columns. sample is what may be looked at beforehand, nil if
// nothing is: then the names of the columns are all that is known.
func (s *stream) prepare(sample []file, input bool) error {
	look := &reader{ctx: s.ctx, opt: s.opt, files: sample, at: map[string]int{}}
	json, err := s.look(look, input)
	if err != nil {
		return err
	}
	s.names, s.at, s.surveys = look.names, look.at, look.surveys
	s.rows = BlockRows // what a column makes room for
	if sample == nil {
		return nil // planned when the names are known
	}
	if json && look.rows == 0 {
		return look.nothing()
	}
	if err := s.follow(s.opt.Contract); err != nil {
		return err
	}
	if json {
		s.expect()
	}
	return nil
}

// look reads the sample as far as the plan needs it. It reports whether the
// source is JSON.
func (s *stream) look(look *reader, input bool) (json bool, err error) {
	if len(look.files) == 0 {
		return false, nil
	}
	one, err := scan(s.ctx, look.files[0], nil, &s.opt)
	if err != nil {
		return false, err
	}
	_, json = one.(*jsonScanner)
	names := one.names()
	if err := one.close(); err != nil {
		return json, readError(look.files[0].name, err)
	}
	if err := rewind(look.files[0]); err != nil {
		return json, err
	}
	for _, f := range look.files[1:] { // their columns may be others
		if json {
			break
		}
		more, err := scan(s.ctx, f, nil, &s.opt)
		if err != nil {
			return false, err
		}
		for _, name := range more.names() {
			if !slices.Contains(names, name) {
				names = append(slices.Clip(names), name)
			}
		}
		if err := more.close(); err != nil {
			return false, readError(f.name, err)
		}
	}
	times := false
	for _, f := range s.opt.Contract.Fields {
		times = times || f.Kind == data.Time && (json || slices.Contains(names, f.Name))
	}
	var asked []int // places of the columns of times and numbers
	placed := 0     // columns that were asked
	limit := 0
	see := func(_ file, _ int, rec *record, cells []cell) error {
		if look.rows++; look.rows == early {
			look.freeze()
		}
		for ; placed < len(look.names); placed++ {
			if f := s.opt.Contract.Field(look.names[placed]); f != nil && (f.Kind == data.Time || f.Kind == data.Number) {
				asked = append(asked, placed)
			}
		}
		if rec.bad == "" {
			for _, i := range asked {
				look.surveys[i].see(&cells[i])
			}
		}
		if look.rows == limit {
			return errEnough
		}
		return nil
	}
	if !json && !times {
		// Are numbers written in a style of their own? The first rows tell.
		limit = early
		files := look.files
		if err = look.each(see); err != nil && !errors.Is(err, errEnough) && !input {
			return json, err
		}
		look.settle()
		if !slices.ContainsFunc(look.surveys, func(s survey) bool { return s.early }) {
			for _, name := range names[len(look.names):] {
				look.at[name] = len(look.names)
				look.names = append(look.names, name)
				look.surveys = append(look.surveys, survey{})
			}
			return json, nil
		}
		look.files, limit = files, 0
		if err := rewind(look.files[0]); err != nil {
			return json, err
		}
		look.names, look.at, look.surveys, look.rows = nil, map[string]int{}, nil, 0
		asked, placed = nil, 0
	}
	err = look.each(see)
	look.settle()
	if err != nil && input && look.rows > 0 && s.ctx.Err() == nil {
		err = nil // reading comes to it
	}
	return json, err
}

// errEnough ends the look at the first rows.
var errEnough = errors.New("enough was seen")

// rewind lets a sample be read again.
func rewind(f file) error {
	if f.stream == nil {
		return nil
	}
	_, err := f.stream.(*bytes.Reader).Seek(0, io.SeekStart)
	return err
}

// expect plans the features that no object had so far.
func (s *stream) expect() {
	for _, f := range s.opt.Contract.Fields {
		if _, seen := s.at[f.Name]; !seen && f.Role == data.Feature {
			s.at[f.Name] = len(s.names)
			s.names = append(s.names, f.Name)
			var none survey
			s.surveys = append(s.surveys, none)
			s.columns = append(s.columns, newColumn(given(f, &none, s.lean(s.opt.Contract)), s.rows))
		}
	}
}

// run reads all records.
func (s *stream) run() error {
	s.begin()
	err := s.each(func(f file, row int, rec *record, cells []cell) error {
		if s.skip > 0 {
			s.skip--
			s.first++
			return nil
		}
		if s.columns == nil {
			if err := s.follow(s.opt.Contract); err != nil {
				return err
			}
		}
		if bad := s.add(f, row, rec, cells); bad != nil {
			for _, c := range s.columns {
				if c != nil {
					c.cut(s.n)
				}
			}
			s.reject(bad, rec)
			s.left++
			s.result.Bad[s.n] = bad
			s.keep(s.n, rec, cells)
		}
		s.n++
		s.bytes += len(rec.raw)
		if rec.raw == nil {
			for i := range cells {
				s.bytes += len(cells[i].text)
			}
		}
		if s.n < BlockRows && s.bytes < maxBlock {
			return nil
		}
		return s.hand()
	})
	if err != nil || s.n == 0 {
		return err
	}
	return s.hand()
}

// begin begins a block.
func (s *stream) begin() {
	s.result = Result{Bad: map[int]*data.CellError{}, Ignored: s.result.Ignored}
	s.n, s.bytes = 0, 0
	for i, c := range s.columns {
		if c != nil {
			s.columns[i] = newColumn(c.plan, s.rows)
		}
	}
}

// hand hands the block over.
func (s *stream) hand() error {
	for _, name := range s.names[len(s.columns):] { // keys that came up late
		if s.opt.Contract.Field(name) == nil {
			s.result.Ignored = append(slices.Clip(s.result.Ignored), name)
		}
		s.columns = append(s.columns, nil)
	}
	if err := s.finish(s.n); err != nil {
		return err
	}
	b := &Block{First: s.first, Table: s.result.Table, Bad: s.result.Bad, Rejects: s.result.Rejects, Ignored: s.result.Ignored}
	s.first += s.n
	s.begin()
	return s.do(b)
}

// openStream is open for what can be read only once.
func openStream(ctx context.Context, f file, _ *Options) (*input, error) {
	return &input{format: f.as, r: &stoppable{ctx, f.stream}, close: func() error { return nil }}, nil
}
