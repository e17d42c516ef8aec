package explain

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/tandem-ml/tandem/bundle"
)

// RowPairs is how the margin of one row came about, with what columns do
// together set apart: Base, Alone, the values of Pairs and Rest add up to
// Margin, up to rounding. It is the exact interaction of every pair
// ([bundle.Interactor]), both halves of it in one value.
type RowPairs struct {
	Margin  float64
	Base    float64   // the margin of no knowledge: the mean over training
	Columns []string  // the contract's inputs, in order; shared, not to be modified
	Alone   []float64 // per column: what it does by itself
	Pairs   []Pair    // the strongest first, ties in contract order; none that is 0
	Rest    float64   // the sum of the pairs that are not listed
}

// Pair is what two columns do together beyond what each does by itself, in
// margin units. The columns are in contract order.
type Pair struct {
	Columns [2]string `json:"columns"`
	Value   float64   `json:"value"`
}

// MarshalJSON writes {"margin", "base", "alone": {column: value}, "pairs":
// [{"columns": [a, b], "value"}], "rest"}.
func (e RowPairs) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	if err := putMargin(&b, e.Margin, e.Base); err != nil {
		return nil, err
	}
	if err := putColumns(&b, "alone", e.Columns, e.Alone); err != nil {
		return nil, err
	}
	b.WriteString(`,"pairs":`)
	pairs := e.Pairs
	if pairs == nil {
		pairs = []Pair{}
	}
	if err := put(&b, pairs); err != nil {
		return nil, err
	}
	b.WriteString(`,"rest":`)
	if err := put(&b, e.Rest); err != nil {
		return nil, err
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Pairs explains every row by its strongest top pairs of columns, or all if top
// is 0, in order and on all processors; the bits do not depend on how many
// those are. It returns ctx's error soon after a cancellation, and an error if
// the rows do not fit the model.
func Pairs(ctx context.Context, x *bundle.Interactor, rows bundle.Rows, top int) ([]RowPairs, error) {
	if err := fits(x.Layout(), rows); err != nil {
		return nil, err
	}
	names := columns(x.Layout())
	n := len(names)
	matrices := sync.Pool{New: func() any {
		m := make([]float64, n*n)
		return &m
	}}
	out := make([]RowPairs, rows.N)
	err := inParallel(ctx, rows.N, func(i int) {
		m := matrices.Get().(*[]float64)
		e := RowPairs{Columns: names, Alone: make([]float64, n)}
		e.Base, e.Margin = x.Interactions(*m, rows.Row(i))
		for j := range e.Alone {
			e.Alone[j] = (*m)[j*(n+1)]
		}
		found := strongest(*m, n, 2)
		if top > 0 && len(found) > top {
			for _, p := range found[top:] {
				e.Rest += p.value
			}
			found = found[:top]
		}
		for _, p := range found {
			e.Pairs = append(e.Pairs, Pair{[2]string{names[p.a], names[p.b]}, p.value})
		}
		out[i] = e
		matrices.Put(m)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// pair is the scaled value of two columns, a < b.
type pair struct {
	a, b  int
	value float64
}

// strongest returns scale times the values above the diagonal that are not 0,
// the largest magnitude first, ties in order.
func strongest(matrix []float64, n int, scale float64) []pair {
	var out []pair
	for a := range n {
		for b := a + 1; b < n; b++ {
			if v := matrix[a*n+b]; v != 0 {
				out = append(out, pair{a, b, float64(scale * v)})
			}
		}
	}
	slices.SortStableFunc(out, func(p, q pair) int { return cmp.Compare(math.Abs(q.value), math.Abs(p.value)) })
	return out
}

// PairImportance is how much two columns do together over many rows.
type PairImportance struct {
	Columns [2]string `json:"columns"`  // in contract order
	MeanAbs float64   `json:"mean_abs"` // mean absolute value of the pair, in margin units
}

// blockRows is how many rows one processor takes at a time. What is summed over
// rows is summed within a block, and then over the blocks in their order, so
// that the bits do not depend on the processors.
const blockRows = 32

// MeanPairs returns the mean absolute value of every pair of columns over the
// rows, as [Pairs] has them, largest first, ties in contract order; pairs that
// do nothing together are left out. Errors are those of Pairs.
func MeanPairs(ctx context.Context, x *bundle.Interactor, rows bundle.Rows) ([]PairImportance, error) {
	if err := fits(x.Layout(), rows); err != nil {
		return nil, err
	}
	names := columns(x.Layout())
	n := len(names)
	type sums struct{ one, all []float64 }
	wave := make([]sums, runtime.GOMAXPROCS(0))
	total := make([]float64, n*n)
	blocks := (rows.N + blockRows - 1) / blockRows
	for first := 0; first < blocks; first += len(wave) {
		now := min(len(wave), blocks-first)
		err := inParallel(ctx, now, func(k int) {
			s := &wave[k]
			if s.one == nil {
				s.one, s.all = make([]float64, n*n), make([]float64, n*n)
			}
			clear(s.all)
			from := (first + k) * blockRows
			for i := from; i < min(from+blockRows, rows.N) && ctx.Err() == nil; i++ {
				x.Interactions(s.one, rows.Row(i))
				for j, v := range s.one {
					s.all[j] += math.Abs(v)
				}
			}
		})
		if err != nil {
			return nil, err
		}
		for _, s := range wave[:now] {
			for j, v := range s.all {
				total[j] += v
			}
		}
	}
	out := []PairImportance{}
	for _, p := range strongest(total, n, 2/float64(max(1, rows.N))) {
		out = append(out, PairImportance{[2]string{names[p.a], names[p.b]}, p.value})
	}
	return out, nil
}
