package workflow

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/ingest"
)

// answered is a block of rows with what is said of each.
type answered struct {
	answers []bundle.Answer
	bad     map[int]*data.CellError
	id      *data.Column // nil without
	classes []string     // nil unless there are several
}

// columns are the names of what is written of a row, in order.
func (s *answered) columns() []string {
	names := []string{"score", "decision"}
	if s.id != nil {
		names = append(names, "id")
	}
	for _, class := range s.classes {
		names = append(names, "score_"+class)
	}
	return append(names, "error")
}

// sink writes scores in one format.
type sink interface {
	// make prepares a block for write; first is how many rows stand before it.
	// It is called from several goroutines.
	make(first int, s *answered) (any, error)
	// write writes what make returned, in the order of the rows.
	write(made any) error
	// close ends the output; whole is false when it is given up.
	close(whole bool) error
}

// newSink returns the sink of a format.
func newSink(to string, w io.Writer) (sink, error) {
	switch to {
	case "", "csv":
		return textSink{w, csvLines}, nil
	case "ndjson":
		return textSink{w, jsonLines}, nil
	case "arrow":
		return &arrowSink{w: ingest.NewArrowWriter(w)}, nil
	case "parquet":
		return newParquetSink(w)
	}
	err := Usagef("scores cannot be written as %q", to)
	return nil, data.WithHint(err, "the formats are csv, ndjson, parquet and arrow")
}

// textSink writes lines.
type textSink struct {
	w     io.Writer
	lines func(out *bytes.Buffer, first int, s *answered) error
}

func (t textSink) make(first int, s *answered) (any, error) {
	var out bytes.Buffer
	out.Grow(40 * len(s.answers))
	err := t.lines(&out, first, s)
	return out.Bytes(), err
}

func (t textSink) write(made any) error {
	_, err := t.w.Write(made.([]byte))
	return err
}

func (t textSink) close(bool) error { return nil }

func csvLines(out *bytes.Buffer, first int, s *answered) error {
	w := csv.NewWriter(out)
	if first == 0 {
		if err := w.Write(s.columns()); err != nil {
			return err
		}
	}
	line := make([]string, 0, 4+len(s.classes))
	for i := range s.answers {
		line = line[:0]
		problem := s.bad[i]
		if problem == nil {
			line = append(line, strconv.FormatFloat(s.answers[i].Score, 'g', -1, 64), s.answers[i].Decision)
		} else {
			line = append(line, "", "")
		}
		if s.id != nil {
			line = append(line, s.id.Format(i))
		}
		for k := range s.classes {
			text := ""
			if problem == nil {
				text = strconv.FormatFloat(s.answers[i].Scores[k], 'g', -1, 64)
			}
			line = append(line, text)
		}
		if problem == nil {
			line = append(line, "")
		} else {
			line = append(line, problem.Error())
		}
		if err := w.Write(line); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// jsonLines writes one object a row, always with the same keys; what CSV leaves
// empty is null.
func jsonLines(out *bytes.Buffer, _ int, s *answered) error {
	var keys [][]byte
	for i, name := range s.columns() {
		key, err := plainJSON(name)
		if err != nil {
			return err
		}
		lead := byte(',')
		if i == 0 {
			lead = '{'
		}
		keys = append(keys, append(append([]byte{lead}, key...), ':'))
	}
	var b []byte
	text := func(v string) error {
		if v == "" {
			b = append(b, "null"...)
			return nil
		}
		quoted, err := plainJSON(v)
		b = append(b, quoted...)
		return err
	}
	number := func(x float64) {
		if math.IsInf(x, 0) || x != x {
			b = append(strconv.AppendFloat(append(b, '"'), x, 'g', -1, 64), '"') // JSON has no word for it
			return
		}
		b = strconv.AppendFloat(b, x, 'g', -1, 64)
	}
	for i := range s.answers {
		a, k, problem := &s.answers[i], 0, s.bad[i]
		key := func() { b = append(b, keys[k]...); k++ }
		key()
		if problem == nil {
			number(a.Score)
			key()
			if err := text(a.Decision); err != nil {
				return err
			}
		} else {
			b = append(b, "null"...)
			key()
			b = append(b, "null"...)
		}
		if s.id != nil {
			key()
			if err := text(s.id.Format(i)); err != nil {
				return err
			}
		}
		for c := range s.classes {
			key()
			if problem == nil {
				number(a.Scores[c])
			} else {
				b = append(b, "null"...)
			}
		}
		key()
		reason := ""
		if problem != nil {
			reason = problem.Error()
		}
		if err := text(reason); err != nil {
			return err
		}
		b = append(b, '}', '\n')
		out.Write(b)
		b = b[:0]
	}
	return nil
}

// plainJSON is a JSON text in which <, > and & stand for themselves.
func plainJSON(s string) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(s)
	return bytes.TrimRight(out.Bytes(), "\n"), err
}

// table returns the scores as columns that a binary format writes: numbers are
// NaN and texts empty where there is nothing.
func (s *answered) table() *data.Table {
	n := len(s.answers)
	number := func(of func(a *bundle.Answer) float64) []float64 {
		out := make([]float64, n)
		for i := range out {
			if out[i] = math.NaN(); s.bad[i] == nil {
				out[i] = of(&s.answers[i])
			}
		}
		return out
	}
	text := func(of func(i int) string) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = of(i)
		}
		return out
	}
	t := &data.Table{}
	add := func(c data.Column) { t.Columns = append(t.Columns, &c) }
	add(data.Column{Name: "score", Kind: data.Number, Numbers: number(func(a *bundle.Answer) float64 { return a.Score })})
	add(data.Column{Name: "decision", Kind: data.Text, Texts: text(func(i int) string {
		if s.bad[i] != nil {
			return ""
		}
		return s.answers[i].Decision
	})})
	if s.id != nil {
		add(data.Column{Name: "id", Kind: data.Text, Texts: text(s.id.Format)})
	}
	for k, class := range s.classes {
		add(data.Column{Name: "score_" + class, Kind: data.Number, Numbers: number(func(a *bundle.Answer) float64 { return a.Scores[k] })})
	}
	add(data.Column{Name: "error", Kind: data.Text, Texts: text(func(i int) string {
		if e := s.bad[i]; e != nil {
			return e.Error()
		}
		return ""
	})})
	return t
}

// arrowSink writes an Arrow IPC stream, one record batch a block.
type arrowSink struct{ w *ingest.ArrowWriter }

func (a *arrowSink) make(_ int, s *answered) (any, error) { return s.table(), nil }

func (a *arrowSink) write(made any) error { return a.w.Write(made.(*data.Table)) }

func (a *arrowSink) close(whole bool) error {
	if !whole {
		return nil
	}
	return a.w.Close()
}

// rejected returns the rows of a block that could not be scored as records of a
// file of rejects: what could not be read as the file has it, and what breaks
// the contract by its row in the source.
func rejected(in *ingest.Block, s *answered, source string) ([]byte, error) {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	if in.First == 0 {
		if err := w.Write(ingest.RejectColumns[:]); err != nil {
			return nil, err
		}
	}
	unread := in.Rejects
	rows := make([]int, 0, len(s.bad))
	for i := range s.bad {
		rows = append(rows, i)
	}
	slices.Sort(rows)
	for _, i := range rows {
		var r ingest.Reject
		if in.Bad[i] != nil {
			if len(unread) == 0 {
				return nil, fmt.Errorf("%s: row %d is refused and not among the rejects", source, in.First+i+1)
			}
			r, unread = unread[0], unread[1:]
		} else {
			e := s.bad[i]
			r = ingest.Reject{File: source, Row: e.Row, Column: e.Column, Value: e.Value, Reason: e.Err}
		}
		if err := w.Write(r.Record()); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return out.Bytes(), w.Error()
}

// parquetSink writes CSV, of which a Parquet file is made in the end.
type parquetSink struct {
	textSink
	file    *ingest.ParquetWriter
	mu      sync.Mutex
	columns []string
}

func newParquetSink(w io.Writer) (*parquetSink, error) {
	file, err := ingest.NewParquetWriter(w)
	if err != nil {
		return nil, fmt.Errorf("keep rows for Parquet: %w", err)
	}
	return &parquetSink{textSink: textSink{file, csvLines}, file: file}, nil
}

func (p *parquetSink) make(first int, s *answered) (any, error) {
	p.mu.Lock()
	p.columns = s.columns()
	p.mu.Unlock()
	return p.textSink.make(first, s)
}

func (p *parquetSink) close(whole bool) error {
	if !whole {
		return p.file.Close(nil, nil)
	}
	numbers := make([]bool, len(p.columns))
	for i, name := range p.columns {
		numbers[i] = strings.HasPrefix(name, "score") // score and score_CLASS
	}
	return p.file.Close(p.columns, numbers)
}
