package gbdt

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt/internal/kernel"
)

// blockWidth is how many features' bins lie side by side in a block.
const blockWidth = kernel.Width

// matrix holds the training rows as bins, twice: by lane, for moving rows to
// the sides of a split, and by block, for filling histograms.
type matrix struct {
	rows     int
	features []feature
	lanes    []lane
	blocks   []block
	perBlock int
}

// feature is one column of the table. Those in which no training rows differ
// are left out.
type feature struct {
	bins
	column int // in the table
	lane   int
	seat   *seat // in a lane that it shares; nil: it has the lane to itself
}

// block has the cells of several lanes side by side.
type block struct {
	cells    []uint8 // cells[row*blockWidth+k] is that of lane b*perBlock+k
	width    int     // how many lanes
	features []int   // that are in these, in the matrix' order
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
	found, rare := make([]bins, t.X.Cols), make([]*sparse, t.X.Cols)
	groups := (t.X.Cols + groupWidth - 1) / groupWidth
	var spaces sync.Pool // of what a worker needs: garbage would be several times the table
	c.each(groups, func(group int) {
		space, ok := spaces.Get().(*space)
		if !ok {
			space = newSpace(len(sample))
		}
		defer spaces.Put(space)
		first := group * groupWidth
		space.ctx = ctx
		for k, values := range space.gather(t.X, sample, first, min(first+groupWidth, t.X.Cols)) {
			if ctx.Err() != nil {
				return
			}
			if categories := categoriesOf(t, first+k); categories > 0 {
				found[first+k] = categoryBins(values, weights, categories)
			} else {
				found[first+k] = numericBins(&space.sorter, values, weights, int(s.bins))
			}
			if !s.apart {
				rare[first+k] = sparseOf(&found[first+k], values)
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
	m.features = arrange(m.features, evenly(len(m.features), func(k int) int { return m.features[k].cost() }))
	exclusive := make([]*sparse, len(m.features))
	for k := range m.features {
		exclusive[k] = rare[m.features[k].column]
	}
	m.share(ctx, c, t.X, row, exclusive, len(sample))
	m.shape(c)
	return m, m.fill(ctx, c, t.X, row)
}

// cost is how long a feature's categories take to search, the longer the more
// there are; 0: not longer than a number.
func (f *feature) cost() int {
	if f.categorical() {
		return f.count
	}
	return 0
}

// cost is that of a lane's features together.
func (m *matrix) cost(l *lane) int {
	if len(l.features) == 1 {
		return m.features[l.features[0]].cost()
	}
	sum := len(l.features)
	for _, k := range l.features {
		sum += m.features[k].cost()
	}
	return sum
}

// evenly returns an order of n things in which any stretch of them is about as
// much work as any other: the costliest goes to the middle, the next two to the
// quarters, and so on (van der Corput's sequence), among those that cost
// nothing in their order.
func evenly(n int, cost func(i int) int) []int {
	var costly []int
	for i := range n {
		if cost(i) > 0 {
			costly = append(costly, i)
		}
	}
	place := make([]float64, n)
	number := 0
	for i := range n {
		if cost(i) == 0 {
			place[i] = (float64(number) + 0.5) / float64(n-len(costly))
			number++
		}
	}
	slices.SortStableFunc(costly, func(a, b int) int { return cost(b) - cost(a) })
	for rank, i := range costly {
		for bit, n := 0.5, rank+1; n > 0; bit, n = bit/2, n/2 {
			place[i] += bit * float64(n%2)
		}
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(place[a], place[b]) })
	return order
}

// arrange returns the items in an order.
func arrange[T any](items []T, order []int) []T {
	list := make([]T, len(order))
	for to, from := range order {
		list[to] = items[from]
	}
	return list
}

// groupWidth is how many features' values are collected at a time: as many as
// lie in a cache line or two of a row.
const groupWidth = 8

// space is what choosing the bins of a group of features needs.
type space struct {
	sorter
	columns [groupWidth][]float64
}

func newSpace(rows int) *space {
	var s space
	for k := range s.columns {
		s.columns[k] = make([]float64, rows)
	}
	return &s
}

// gather returns the columns first..end-1 of the given rows, until the next
// call.
func (s *space) gather(x learn.Matrix, row []int, first, end int) [][]float64 {
	columns := s.columns[:end-first]
	if len(columns) == groupWidth { // nearly always, and twice as fast written out
		a, b, c, d := columns[0][:len(row)], columns[1][:len(row)], columns[2][:len(row)], columns[3][:len(row)]
		e, f, g, h := columns[4][:len(row)], columns[5][:len(row)], columns[6][:len(row)], columns[7][:len(row)]
		for i, r := range row {
			v := (*[groupWidth]float64)(x.Data[r*x.Cols+first:])
			a[i], b[i], c[i], d[i], e[i], f[i], g[i], h[i] = v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]
		}
		return columns
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

// shape gives a lane to each feature that has none, and divides the lanes into
// blocks of nearly equal width, as many for each worker where that leaves six
// lanes or more to a block; three if some are shared, for then searching takes
// longer than counting.
func (m *matrix) shape(c *crew) {
	shared := m.lanes
	taken := make([]bool, len(m.features))
	for _, l := range shared {
		for _, k := range l.features {
			taken[k] = true
		}
	}
	m.lanes = nil
	least := 6
	for k := range m.features {
		if !taken[k] {
			m.lanes = append(m.lanes, lane{features: []int{k}})
		}
	}
	cells := large[uint8](len(m.lanes) * m.rows) // in one piece, which has large pages where a lane is too short
	for i := range m.lanes {
		m.lanes[i].cells = cells[i*m.rows : (i+1)*m.rows : (i+1)*m.rows]
	}
	if len(shared) > 0 {
		least = 3
		m.lanes = append(m.lanes, shared...)
		m.lanes = arrange(m.lanes, evenly(len(m.lanes), func(i int) int { return m.cost(&m.lanes[i]) }))
	}
	n := len(m.lanes)
	if n == 0 {
		return
	}
	count := max((n+blockWidth-1)/blockWidth, min(c.workers, n/least))
	if even := (count + c.workers - 1) / c.workers * c.workers; n/even >= least {
		count = even
	}
	m.perBlock = (n + count - 1) / count
	for begin := 0; begin < n; begin += m.perBlock {
		b := block{cells: large[uint8](m.rows * blockWidth), width: min(m.perBlock, n-begin)}
		for i, l := range m.lanes[begin : begin+b.width] {
			for _, k := range l.features {
				m.features[k].lane = begin + i
			}
			b.features = append(b.features, l.features...)
		}
		slices.Sort(b.features)
		m.blocks = append(m.blocks, b)
	}
}

// fill computes the cells of all rows, and notes missing and other values.
func (m *matrix) fill(ctx context.Context, c *crew, x learn.Matrix, row []int) error {
	tasks := (m.rows + blockRows - 1) / blockRows
	special := make([][][2]bool, tasks) // per task and lane: missing seen, other seen
	c.blocks(m.rows, func(begin, end int) {
		seen := make([][2]bool, len(m.lanes))
		for step := rowsInCache(x.Cols); begin < end; begin += step {
			if ctx.Err() != nil {
				return
			}
			for at := range m.lanes {
				m.fillLane(at, x, row, begin, min(begin+step, end), &seen[at])
			}
		}
		special[(end-1)/blockRows] = seen
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, seen := range special {
		for at := range seen {
			f := &m.features[m.lanes[at].features[0]] // of a shared lane, what the sample had is all there is
			f.hasMissing = f.hasMissing || seen[at][0]
			f.hasOther = f.hasOther || seen[at][1]
		}
	}
	return nil
}

// fillRows is how many rows are binned feature by feature at a time: few
// enough for their values to stay in the cache.
const fillRows = 512

// rowsInCache is fillRows, or fewer if there are many columns.
func rowsInCache(columns int) int {
	return min(fillRows, max(8, fillRows*64/max(1, columns)))
}

// fillLane computes the cells of a lane, if a feature has it to itself, in the
// rows begin..end-1, and copies them to its block.
func (m *matrix) fillLane(at int, x learn.Matrix, row []int, begin, end int, seen *[2]bool) {
	l := &m.lanes[at]
	cells, slot := m.blocks[at/m.perBlock].cells, at%m.perBlock
	f := &m.features[l.features[0]]
	if f.seat != nil {
		for i := begin; i < end; i++ {
			cells[i*blockWidth+slot] = l.cells[i]
		}
		return
	}
	for i := begin; i < end; i++ {
		bin := f.bin(x.Data[row[i]*x.Cols+f.column])
		l.cells[i] = bin
		cells[i*blockWidth+slot] = bin
		switch {
		case bin == missingBin:
			seen[0] = true
		case bin == otherBin && f.categorical():
			seen[1] = true
		}
	}
}

// otherRows are rows that trees are not fitted to, cut into the bins of m: each
// column when a split first asks for it.
type otherRows struct {
	m       *matrix
	x       learn.Matrix
	columns [][]uint8 // of the features; nil: not asked for yet
}

func (m *matrix) like(x learn.Matrix) *otherRows {
	return &otherRows{m, x, make([][]uint8, len(m.features))}
}

// routes returns those of the rows at a tree's nodes; leaves have none.
func (o *otherRows) routes(ctx context.Context, c *crew, nodes []node) []route {
	var asked []int
	for i := range nodes {
		if n := &nodes[i]; n.left != 0 && o.columns[n.split.feature] == nil {
			o.columns[n.split.feature] = make([]uint8, o.x.Rows)
			asked = append(asked, n.split.feature)
		}
	}
	c.each(len(asked), func(task int) {
		f, cells := &o.m.features[asked[task]], o.columns[asked[task]]
		for i := range cells {
			if i%blockRows == 0 && ctx.Err() != nil {
				return
			}
			cells[i] = f.bin(o.x.Data[i*o.x.Cols+f.column])
		}
	})
	list := make([]route, len(nodes))
	for i := range nodes {
		if n := &nodes[i]; n.left != 0 {
			list[i] = route{o.columns[n.split.feature], n.split.left}
		}
	}
	return list
}
