package gbdt

import (
	"cmp"
	"context"
	"slices"

	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt/internal/kernel"
)

// blockWidth is how many features' bins lie side by side in a block.
const blockWidth = kernel.Width

// matrix holds the training rows as bins, twice: by column, for moving rows to
// the sides of a split, and by block, for filling histograms.
type matrix struct {
	rows     int
	features []feature
	blocks   [][]uint8 // blocks[b][row*blockWidth+k] is the bin of feature b*perBlock+k
	perBlock int
}

// feature is one column of the matrix. Features in which no training rows
// differ have none.
type feature struct {
	bins
	column int // in the table
	cells  []uint8
}

// in returns the features of block b.
func (m *matrix) in(b int) []feature {
	return m.features[b*m.perBlock : min((b+1)*m.perBlock, len(m.features))]
}

// sampledRows is how many rows the bins are chosen from, but in exact mode; more
// would move the edges by less than a bin's width.
const sampledRows = 200_000

// newMatrix bins the given rows of x: the rows row[0], row[1], ... become rows
// 0, 1, ... of the matrix.
func newMatrix(ctx context.Context, c *crew, t learn.Train, row []int, s settings) (*matrix, error) {
	sample := row
	if most := s.binRows(); len(row) > most {
		sample = draw(row, most, seed.Stream(t.Seed, "gbdt/bins", 0))
	}
	var weights []float64
	if t.W != nil {
		weights = make([]float64, len(sample))
		for i, r := range sample {
			weights[i] = t.W[r]
		}
	}
	found := make([]bins, t.X.Cols)
	groups := (t.X.Cols + groupWidth - 1) / groupWidth
	c.each(groups, func(group int) {
		first := group * groupWidth
		columns := gather(t.X, sample, first, min(first+groupWidth, t.X.Cols))
		sorter := sorter{ctx: ctx}
		for k, values := range columns {
			if ctx.Err() != nil {
				return
			}
			if categories := categoriesOf(t, first+k); categories > 0 {
				found[first+k] = categoryBins(values, weights, categories)
			} else {
				found[first+k] = numericBins(&sorter, values, weights, int(s.bins))
			}
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m := &matrix{rows: len(row)}
	for j, b := range found {
		// What the sample did not show may still be in the other rows.
		if b.useful() || len(sample) < len(row) {
			m.features = append(m.features, feature{bins: b, column: j})
		}
	}
	m.spread()
	cells := large[uint8](len(m.features) * len(row)) // in one piece, which has large pages where a column is too short
	for k := range m.features {
		m.features[k].cells = cells[k*len(row) : (k+1)*len(row) : (k+1)*len(row)]
	}
	m.shape(c)
	return m, m.fill(ctx, c, t.X, row)
}

// spread brings the features into an order in which any stretch of them is
// about as much work as any other: categories take longer to search, and the
// longer the more there are, so the costliest goes to the middle, the next two
// to the quarters, and so on (van der Corput's sequence), among the numbers in
// their order.
func (m *matrix) spread() {
	var costly []int
	for i := range m.features {
		if m.features[i].categorical() {
			costly = append(costly, i)
		}
	}
	place := make([]float64, len(m.features))
	number := 0
	for i := range m.features {
		if !m.features[i].categorical() {
			place[i] = (float64(number) + 0.5) / float64(len(m.features)-len(costly))
			number++
		}
	}
	slices.SortStableFunc(costly, func(a, b int) int { return m.features[b].count - m.features[a].count })
	for rank, i := range costly {
		for bit, n := 0.5, rank+1; n > 0; bit, n = bit/2, n/2 {
			place[i] += bit * float64(n%2)
		}
	}
	order := make([]int, len(m.features))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(place[a], place[b]) })
	features := make([]feature, len(order))
	for to, from := range order {
		features[to] = m.features[from]
	}
	m.features = features
}

// groupWidth is how many features' values are collected at a time: as many as
// lie in a cache line or two of a row.
const groupWidth = 8

// gather returns the columns first..end-1 of the given rows.
func gather(x learn.Matrix, row []int, first, end int) [][]float64 {
	columns := make([][]float64, end-first)
	for k := range columns {
		columns[k] = make([]float64, len(row))
	}
	for i, r := range row {
		for k, v := range x.Data[r*x.Cols+first : r*x.Cols+end] {
			columns[k][i] = v
		}
	}
	return columns
}

func categoriesOf(t learn.Train, column int) int {
	if t.Categories == nil {
		return 0
	}
	return t.Categories[column]
}

// shape divides the features into blocks of nearly equal width, as many for
// each worker where that leaves six features or more to a block.
func (m *matrix) shape(c *crew) {
	n := len(m.features)
	if n == 0 {
		return
	}
	count := max((n+blockWidth-1)/blockWidth, min(c.workers, n/6))
	if even := (count + c.workers - 1) / c.workers * c.workers; n/even >= 6 {
		count = even
	}
	m.perBlock = (n + count - 1) / count
	for b := 0; b*m.perBlock < n; b++ {
		m.blocks = append(m.blocks, large[uint8](m.rows*blockWidth))
	}
}

// fill computes the bins of all rows, and notes missing and other values.
func (m *matrix) fill(ctx context.Context, c *crew, x learn.Matrix, row []int) error {
	tasks := (m.rows + blockRows - 1) / blockRows
	special := make([][][2]bool, tasks) // per task and feature: missing seen, other seen
	c.blocks(m.rows, func(begin, end int) {
		seen := make([][2]bool, len(m.features))
		for ; begin < end; begin += fillRows {
			if ctx.Err() != nil {
				return
			}
			for k := range m.features {
				m.fillFeature(k, x, row, begin, min(begin+fillRows, end), &seen[k])
			}
		}
		special[(end-1)/blockRows] = seen
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, seen := range special {
		for k := range seen {
			m.features[k].hasMissing = m.features[k].hasMissing || seen[k][0]
			m.features[k].hasOther = m.features[k].hasOther || seen[k][1]
		}
	}
	return nil
}

// fillRows is how many rows are binned feature by feature at a time: few
// enough for their values to stay in the cache.
const fillRows = 512

// fillFeature computes the bins of feature k in the rows begin..end-1.
func (m *matrix) fillFeature(k int, x learn.Matrix, row []int, begin, end int, seen *[2]bool) {
	f := &m.features[k]
	block, slot := m.blocks[k/m.perBlock], k%m.perBlock
	for i := begin; i < end; i++ {
		bin := f.bin(x.Data[row[i]*x.Cols+f.column])
		f.cells[i] = bin
		block[i*blockWidth+slot] = bin
		switch {
		case bin == missingBin:
			seen[0] = true
		case bin == otherBin && f.categorical():
			seen[1] = true
		}
	}
}

// like returns the columns of other rows, cut into the bins of m.
func (m *matrix) like(ctx context.Context, c *crew, x learn.Matrix) ([][]uint8, error) {
	columns := make([][]uint8, len(m.features))
	c.each(len(columns), func(k int) {
		f := &m.features[k]
		cells := make([]uint8, x.Rows)
		for i := range cells {
			if i%blockRows == 0 && ctx.Err() != nil {
				return
			}
			cells[i] = f.bin(x.Data[i*x.Cols+f.column])
		}
		columns[k] = cells
	})
	return columns, ctx.Err()
}
