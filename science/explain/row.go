package explain

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/tandem-ml/tandem/bundle"
)

// RowExplanation is how the margin of one row came about: Base plus the sum of
// Contributions is Margin, up to rounding.
type RowExplanation struct {
	Margin        float64
	Base          float64   // the margin of no knowledge: the mean over training
	Columns       []string  // the contract's inputs, in order; shared, not to be modified
	Contributions []float64 // in margin units, one per column
}

// MarshalJSON writes {"margin", "base", "contributions": {column: value}} with
// the columns in contract order.
func (e RowExplanation) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(`{"margin":`)
	if err := put(&b, e.Margin); err != nil {
		return nil, err
	}
	b.WriteString(`,"base":`)
	if err := put(&b, e.Base); err != nil {
		return nil, err
	}
	b.WriteString(`,"contributions":{`)
	for i, name := range e.Columns {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := put(&b, name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := put(&b, e.Contributions[i]); err != nil {
			return nil, fmt.Errorf("contribution of %q: %w", name, err)
		}
	}
	b.WriteString("}}")
	return b.Bytes(), nil
}

func put(b *bytes.Buffer, v any) error {
	text, err := json.Marshal(v)
	b.Write(text)
	return err
}

// Row explains the margin of one encoded row, which has one value per input of
// the model's contract.
func Row(m *bundle.Model, row []float64) RowExplanation {
	return explain(m, row, columns(m))
}

// Rows explains every row, in order. It returns ctx's error soon after a
// cancellation, and an error if the rows do not fit the model.
func Rows(ctx context.Context, m *bundle.Model, rows bundle.Rows) ([]RowExplanation, error) {
	if cols := m.Layout().Cols(); rows.Cols != cols {
		return nil, fmt.Errorf("explain rows: rows have %d columns, the model has %d inputs", rows.Cols, cols)
	}
	names := columns(m)
	out := make([]RowExplanation, rows.N)
	for i := range out {
		if i%64 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		out[i] = explain(m, rows.Row(i), names)
	}
	return out, nil
}

func explain(m *bundle.Model, row []float64, names []string) RowExplanation {
	e := RowExplanation{Columns: names, Contributions: make([]float64, len(names))}
	e.Base, e.Margin = m.Contributions(e.Contributions, row)
	return e
}

func columns(m *bundle.Model) []string {
	fields := m.Layout().Fields()
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}
