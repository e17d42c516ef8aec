package gbdt

import (
	"context"
	"math"
	"slices"

	"github.com/tandem-ml/tandem/science/learn"
)

// exact reports whether no bit of the model may depend on the order of the
// rows, nor on whether a row comes twice or weighs two.
//
// Floating-point sums know the order, and the sums for bases, scales, leaf
// values and losses are many; weights multiply gradients before these are
// rounded; rows draw the noise of rounding, and their place among the draws of
// a sample. Exact mode treats none of them differently. It trains on the
// canonical form of the table, which all such tables have in common, takes the
// bins from all of its rows, and rounds to the nearest, so that the seed has no
// say either.
func (s *settings) exact() bool { return s.rounding == "nearest" }

// canonical returns the rows of d in rising order, by the first feature, then
// the second and so on, and by label in the end; equal rows become one, with
// the sum of their weights, and rows without weight none. A strictly increasing
// transform of a feature leaves the order as it is.
//
// Method: multikey quicksort (Bentley and Sedgewick, Fast algorithms for
// sorting and searching strings, SODA 1997), with columns for letters.
func canonical(ctx context.Context, d learn.Data) (learn.Data, error) {
	m := merger{ctx: ctx, from: d}
	m.to.X.Cols = d.X.Cols
	m.to.X.Data = make([]float64, 0, len(d.X.Data))
	m.to.Y, m.to.W = make([]float64, 0, d.X.Rows), make([]float64, 0, d.X.Rows)
	rows := make([]keyed, d.X.Rows)
	for i := range rows {
		rows[i].row = uint32(i)
	}
	m.add(rows, 0)
	if !slices.ContainsFunc(m.to.W, func(w float64) bool { return w != 1 }) {
		m.to.W = nil // which is faster, and the same
	}
	return m.to, ctx.Err()
}

// merger makes a table of the distinct rows of another one.
type merger struct {
	ctx      context.Context
	from, to learn.Data
	weights  []float64 // of equal rows
}

// keyed is a row with its key in the column that rows are being sorted by.
type keyed struct {
	key uint64
	row uint32
}

// key has the order of the values in a column, missing ones last; the label
// is the column behind the features.
func (m *merger) key(row uint32, column int) uint64 {
	x := m.from.Y[row]
	if column < m.from.X.Cols {
		x = m.from.X.Data[int(row)*m.from.X.Cols+column]
	}
	if x != x {
		return math.MaxUint64
	}
	return keyOf(x + 0) // -0 becomes 0
}

// add appends the given rows, which agree in the columns before the given one.
func (m *merger) add(rows []keyed, column int) {
	if len(rows) <= 1 || column > m.from.X.Cols {
		m.merge(rows)
		return
	}
	for i := range rows {
		rows[i].key = m.key(rows[i].row, column)
	}
	m.sort(rows, column)
}

// sort is add for rows that have their keys.
func (m *merger) sort(rows []keyed, column int) {
	if len(rows) <= 1 {
		m.merge(rows)
		return
	}
	if len(rows) > 1<<12 && m.ctx.Err() != nil { // fewer are soon sorted, even by many columns
		return
	}
	pivot := rows[mix(uint64(len(rows)))%uint64(len(rows))].key
	below, above := 0, len(rows)
	for i := 0; i < above; {
		switch k := rows[i].key; {
		case k < pivot:
			rows[i], rows[below] = rows[below], rows[i]
			below++
			i++
		case k > pivot:
			above--
			rows[i], rows[above] = rows[above], rows[i]
		default:
			i++
		}
	}
	m.sort(rows[:below], column)
	m.add(rows[below:above], column+1)
	m.sort(rows[above:], column)
}

// merge appends equal rows as one.
func (m *merger) merge(rows []keyed) {
	m.weights = m.weights[:0]
	for _, r := range rows {
		m.weights = append(m.weights, weight(m.from.W, int(r.row)))
	}
	slices.Sort(m.weights) // fractions do not add up to the same in any order
	total := 0.0
	for _, w := range m.weights {
		total += w
	}
	if total == 0 {
		return
	}
	first := int(rows[0].row)
	m.to.X.Data = append(m.to.X.Data, m.from.X.Row(first)...)
	m.to.X.Rows++
	m.to.Y = append(m.to.Y, m.from.Y[first]+0)
	m.to.W = append(m.to.W, total)
}

// binRows is how many rows bins are chosen from at most.
func (s *settings) binRows() int {
	if s.exact() {
		return maxRows
	}
	return sampledRows
}

// oneHalf is the noise that makes rounding go to the nearest: values are rounded
// down after one half is added.
const oneHalf = 1<<63 | 1<<31
