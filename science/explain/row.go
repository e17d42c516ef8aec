package explain

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/tandem-ml/tandem/bundle"
)

// RowExplanation is how the margin of one row came about: Base plus the sum of
// Contributions is Margin, up to rounding.
type RowExplanation struct {
	Margin        float64
	Base          float64   // the margin of no knowledge: the mean over training, or over a background
	Columns       []string  // the contract's inputs, in order; shared, not to be modified
	Contributions []float64 // in margin units, one per column
}

// MarshalJSON writes {"margin", "base", "contributions": {column: value}} with
// the columns in contract order.
func (e RowExplanation) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	if err := putMargin(&b, e.Margin, e.Base); err != nil {
		return nil, err
	}
	if err := putColumns(&b, "contributions", e.Columns, e.Contributions); err != nil {
		return nil, err
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func putMargin(b *bytes.Buffer, margin, base float64) error {
	b.WriteString(`{"margin":`)
	if err := put(b, margin); err != nil {
		return err
	}
	b.WriteString(`,"base":`)
	return put(b, base)
}

// putColumns writes ,"key":{column: value} in the order of the columns.
func putColumns(b *bytes.Buffer, key string, columns []string, values []float64) error {
	b.WriteString(`,"` + key + `":{`)
	for i, name := range columns {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := put(b, name); err != nil {
			return err
		}
		b.WriteByte(':')
		if err := put(b, values[i]); err != nil {
			return fmt.Errorf("contribution of %q: %w", name, err)
		}
	}
	b.WriteByte('}')
	return nil
}

func put(b *bytes.Buffer, v any) error {
	text, err := json.Marshal(v)
	b.Write(text)
	return err
}

// Contributor explains margins: a [bundle.Model] by what its columns do as
// compared with training, a [bundle.Background] as compared with given rows.
type Contributor interface {
	Contributions(dst, row []float64) (base, margin float64)
	Layout() *bundle.Layout
}

// Row explains the margin of one encoded row, which has one value per input of
// the model's contract.
func Row(m Contributor, row []float64) RowExplanation {
	return explain(m, row, columns(m.Layout()))
}

// Rows explains every row, in order, on all processors, with the bits of [Row].
// It returns ctx's error soon after a cancellation, and an error if the rows do
// not fit the model.
func Rows(ctx context.Context, m Contributor, rows bundle.Rows) ([]RowExplanation, error) {
	if err := fits(m.Layout(), rows); err != nil {
		return nil, err
	}
	names := columns(m.Layout())
	out := make([]RowExplanation, rows.N)
	blocks := (rows.N + blockRows - 1) / blockRows
	err := inParallel(ctx, blocks, func(block int) {
		from := block * blockRows
		some := out[from:min(from+blockRows, rows.N)]
		if m, ok := m.(*bundle.Background); ok { // faster together than one by one
			explainBlock(m, some, bundle.Rows{N: len(some), Cols: rows.Cols, Data: rows.Data[from*rows.Cols:][:len(some)*rows.Cols]}, names)
			return
		}
		for k := range some {
			some[k] = explain(m, rows.Row(from+k), names)
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func explainBlock(m *bundle.Background, out []RowExplanation, rows bundle.Rows, names []string) {
	n := len(names)
	part, base, margin := make([]float64, rows.N*n), make([]float64, rows.N), make([]float64, rows.N)
	m.ContributionRows(part, base, margin, rows)
	for i := range out {
		out[i] = RowExplanation{Margin: margin[i], Base: base[i], Columns: names, Contributions: part[i*n : (i+1)*n : (i+1)*n]}
	}
}

func fits(l *bundle.Layout, rows bundle.Rows) error {
	if cols := l.Cols(); rows.Cols != cols {
		return fmt.Errorf("explain rows: rows have %d columns, the model has %d inputs", rows.Cols, cols)
	}
	return nil
}

func explain(m Contributor, row []float64, names []string) RowExplanation {
	e := RowExplanation{Columns: names, Contributions: make([]float64, len(names))}
	e.Base, e.Margin = m.Contributions(e.Contributions, row)
	return e
}

func columns(l *bundle.Layout) []string {
	names := make([]string, l.Cols())
	for i, f := range l.Fields() {
		names[i] = f.Name
	}
	return names
}

// inParallel runs do(0) .. do(n-1) on all processors and returns when all are
// done, or ctx's error soon after a cancellation.
func inParallel(ctx context.Context, n int, do func(i int)) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1) - 1)
				if i >= n {
					return
				}
				do(i)
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}
