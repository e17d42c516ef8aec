package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/tandem-ml/tandem/data"
)

// arrowScanner reads an Arrow IPC stream, record batch by record batch.
type arrowScanner struct {
	ctx     context.Context
	r       *ipc.Reader
	release func() error
	columns []string
	row     int
	rows    int // in the batch
	read    []func(c *cell, row int)
	rec     record
}

func newArrowScanner(ctx context.Context, name string, in *input) (s *arrowScanner, err error) {
	defer func() {
		if p := recover(); p != nil { // the format is foreign; its reader trusts it here and there
			err = damagedArrow(name, fmt.Errorf("%v", p))
		}
	}()
	r, err := ipc.NewReader(in.r)
	if err != nil {
		return nil, damagedArrow(name, err)
	}
	s = &arrowScanner{ctx: ctx, r: r, release: in.close}
	for _, f := range r.Schema().Fields() {
		s.columns = append(s.columns, f.Name)
	}
	s.rec.cells = make([]cell, len(s.columns))
	return s, checkNames(name, s.columns)
}

func damagedArrow(name string, err error) error {
	return data.WithHint(fmt.Errorf("%s is not a readable Arrow IPC stream: %w", name, err),
		"write it as a stream (pyarrow.ipc.new_stream), not as a file, and copy it whole")
}

func (s *arrowScanner) names() []string { return s.columns }

func (s *arrowScanner) close() error {
	s.r.Release()
	return s.release()
}

func (s *arrowScanner) next() (_ *record, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the stream is damaged: %v", p)
		}
	}()
	for s.row == s.rows {
		if err := s.ctx.Err(); err != nil {
			return nil, err
		}
		if !s.r.Next() {
			if err := s.r.Err(); err != nil && !errors.Is(err, io.EOF) {
				return nil, fmt.Errorf("the stream is damaged: %w", err)
			}
			return nil, io.EOF
		}
		batch := s.r.RecordBatch()
		s.row, s.rows, s.read = 0, int(batch.NumRows()), s.read[:0]
		for i := range s.columns {
			s.read = append(s.read, arrowCells(batch.Column(i)))
		}
	}
	s.rec.bad = ""
	for i, read := range s.read {
		c := &s.rec.cells[i]
		*c = cell{}
		read(c, s.row)
		switch {
		case c.form != text:
		case !utf8.Valid(c.text):
			s.rec.bad = fmt.Sprintf("is not valid UTF-8 in column %q", s.columns[i])
		case bytes.IndexByte(c.text, 0) >= 0:
			s.rec.bad = fmt.Sprintf("holds a NUL byte in column %q", s.columns[i])
		}
	}
	s.row++
	return &s.rec, nil
}

// arrowCells returns how the cells of a column are read. Whole numbers that a
// float64 cannot hold are read as they are written; types with no other form
// here are words.
func arrowCells(a arrow.Array) func(c *cell, row int) {
	var value func(c *cell, row int)
	float := func(c *cell, x float64) {
		if c.form, c.num = number, x; math.IsNaN(x) {
			c.form = absent
		}
	}
	switch a := a.(type) {
	case *array.Float64:
		value = func(c *cell, row int) { float(c, a.Value(row)) }
	case *array.Float32:
		value = func(c *cell, row int) { float(c, float64(a.Value(row))) }
	case *array.Int64:
		value = func(c *cell, row int) {
			if x := a.Value(row); x >= -1<<53 && x <= 1<<53 {
				float(c, float64(x))
			} else {
				c.setText([]byte(a.ValueStr(row)))
			}
		}
	case *array.Int32:
		value = func(c *cell, row int) { float(c, float64(a.Value(row))) }
	case *array.Int16:
		value = func(c *cell, row int) { float(c, float64(a.Value(row))) }
	case *array.Int8:
		value = func(c *cell, row int) { float(c, float64(a.Value(row))) }
	case *array.Uint32:
		value = func(c *cell, row int) { float(c, float64(a.Value(row))) }
	case *array.Uint16:
		value = func(c *cell, row int) { float(c, float64(a.Value(row))) }
	case *array.Uint8:
		value = func(c *cell, row int) { float(c, float64(a.Value(row))) }
	case *array.Timestamp:
		unit := a.DataType().(*arrow.TimestampType).Unit
		value = func(c *cell, row int) { c.form, c.us = instant, a.Value(row).ToTime(unit).UnixMicro() }
	case *array.Date32:
		value = func(c *cell, row int) { c.form, c.us = instant, a.Value(row).ToTime().UnixMicro() }
	case *array.Date64:
		value = func(c *cell, row int) { c.form, c.us = instant, a.Value(row).ToTime().UnixMicro() }
	case *array.Dictionary:
		of := arrowCells(a.Dictionary())
		value = func(c *cell, row int) { of(c, a.GetValueIndex(row)) }
	case *array.Null:
		value = func(*cell, int) {}
	default: // String, LargeString, StringView, Boolean, Uint64, decimals and the like
		value = func(c *cell, row int) { c.setText([]byte(a.ValueStr(row))) }
	}
	return func(c *cell, row int) {
		if !a.IsNull(row) {
			value(c, row)
		}
	}
}
