package gbdt

import (
	"bytes"
	"context"
	"math"
	"math/bits"
	"slices"
	"sync"

	"github.com/tandem-ml/tandem/science/learn"
)

// lane is a byte per training row, its cell. A feature that has a lane to
// itself has its bins there. Features that are never away from their usual bins
// in the same row share one: a cell then says which of them is away, and in
// which bin it is; 0 says that none is.
//
// Method: exclusive feature bundling, Ke et al., LightGBM, NeurIPS 2017,
// algorithms 3 and 4, without conflicts. So nothing is lost, and the trees are
// those that would grow without sharing, to the last bit: the sums of the usual
// bin are the node's less those of the feature's cells, and sums are integers.
type lane struct {
	cells    []uint8
	features []int // of the matrix, in rising order
}

// seat is a feature's part of a lane that it shares.
type seat struct {
	usual uint8   // the bin of the rows with any other cell
	bins  []uint8 // bins[i] has the cell first+i
	first int
}

// mostShared is how many cells the features of a lane may have together.
const mostShared = 255

// cellsOf returns the cells of the rows whose bins are in s.
func (f *feature) cellsOf(s set) set {
	if f.seat == nil {
		return s
	}
	var cells set
	if s.has(f.seat.usual) {
		for i := range cells {
			cells[i] = ^uint64(0)
		}
	}
	for i, bin := range f.seat.bins {
		cell := uint8(f.seat.first + i)
		cells.remove(cell)
		if s.has(bin) {
			cells.add(cell)
		}
	}
	return cells
}

// byBin returns the sums of a node by the bins of f; h has them by the cells of
// its lane, total is the node's. The result is h or space; nil: fewer rows are
// away from the usual bin than one side of a split must have.
func (f *feature) byBin(h *[256]sums, total sums, minHessian float64, space *[256]sums) *[256]sums {
	s := f.seat
	if s == nil {
		return h
	}
	cells := h[s.first : s.first+len(s.bins)]
	away := sums(0)
	for _, v := range cells {
		away += v
	}
	if hessianOf(away) < minHessian {
		return nil
	}
	space[missingBin] = 0 // the others that are looked at have cells or are the usual one
	for i, v := range cells {
		space[s.bins[i]] = v
	}
	space[s.usual] = total - away
	return space
}

// route is how a node sends rows on: by their cells, those in left to the left.
type route struct {
	cells []uint8
	left  set
}

// route returns the one of a split.
func (m *matrix) route(s *split) route {
	f := &m.features[s.feature]
	return route{m.lanes[f.lane].cells, f.cellsOf(s.left)}
}

// routes returns those of a tree's nodes; leaves have none.
func (m *matrix) routes(nodes []node) []route {
	list := make([]route, len(nodes))
	for i := range nodes {
		if nodes[i].left != 0 {
			list[i] = m.route(&nodes[i].split)
		}
	}
	return list
}

// sparse is a feature that is in one bin in most rows of the sample.
type sparse struct {
	usual uint8
	bins  []uint8 // the others
	away  []word  // which rows are in these
	rows  int     // how many
}

// word is one of a bit set that is not zero: bits at*64 .. at*64+63.
type word struct {
	at   int
	bits uint64
}

// glances is how many rows tell that a feature is not sparse.
const glances = 1 << 12

// sparseOf returns nil for a feature that is less than half of the time in one
// bin: then there is hardly another that is away only when it is not.
func sparseOf(b *bins, values []float64) *sparse {
	var rows [256]int
	usual, seen := 0, 0
	for i := 0; i < len(values); i += 1 + len(values)/glances {
		rows[b.bin(values[i])]++
		seen++
	}
	for bin, n := range rows {
		if n > rows[usual] {
			usual = bin
		}
	}
	if rows[usual]*2 < seen {
		return nil
	}
	s := &sparse{usual: uint8(usual)}
	for bin := range b.count {
		s.bins = append(s.bins, uint8(bin))
	}
	if b.hasOther {
		s.bins = append(s.bins, otherBin)
	}
	if b.hasMissing {
		s.bins = append(s.bins, missingBin)
	}
	s.bins = slices.DeleteFunc(s.bins, func(bin uint8) bool { return bin == s.usual })
	low, high := b.valuesOf(s.usual)
	for begin := 0; begin < len(values); begin += 64 {
		w := word{at: begin / 64}
		for i, x := range values[begin:min(begin+64, len(values))] {
			if !(x > low && x <= high) && b.bin(x) != s.usual {
				w.bits |= 1 << i
			}
		}
		if w.bits != 0 {
			s.away = append(s.away, w)
			s.rows += bits.OnesCount64(w.bits)
		}
	}
	return s
}

// mostTries is how many lanes are tried for a feature before it gets a new one.
const mostTries = 1000

// exclusive divides features into few lists of such that are exclusive in the
// sample of so many rows. It is a greedy colouring, of the features as they
// stand, since columns made of one category mostly stand side by side, or of
// those that are away most often first: whichever takes fewer lists.
func exclusive(ctx context.Context, features []int, found []*sparse, rows int) [][]int {
	lists := greedy(ctx, features, found, rows)
	often := slices.Clone(features)
	slices.SortStableFunc(often, func(a, b int) int { return found[b].rows - found[a].rows })
	if other := greedy(ctx, often, found, rows); len(other) < len(lists) {
		lists = other
	}
	for _, list := range lists {
		slices.Sort(list)
	}
	return lists
}

// greedy takes the features in their order; each joins the youngest list where
// it fits.
func greedy(ctx context.Context, features []int, found []*sparse, rows int) [][]int {
	var lists [][]int
	var cells []int     // per list: in use
	var away [][]uint64 // per list: bit set of rows
	for _, k := range features {
		if ctx.Err() != nil {
			break
		}
		s := found[k]
		to := len(lists) - 1
		for oldest := max(0, len(lists)-mostTries); to >= oldest; to-- {
			taken := away[to]
			if cells[to]+len(s.bins) <= mostShared &&
				!slices.ContainsFunc(s.away, func(w word) bool { return taken[w.at]&w.bits != 0 }) {
				break
			}
		}
		if to < 0 || to < len(lists)-mostTries {
			to = len(lists)
			lists, cells, away = append(lists, nil), append(cells, 0), append(away, make([]uint64, (rows+63)/64))
		}
		lists[to] = append(lists[to], k)
		cells[to] += len(s.bins)
		for _, w := range s.away {
			away[to][w.at] |= w.bits
		}
	}
	return lists
}

// mostRounds is how often features that were not exclusive in all rows are
// divided anew, before they stay alone.
const mostRounds = 5

// share lets exclusive features share lanes. found says of each feature
// whether it is sparse, else nil, in a sample of so many of the rows.
func (m *matrix) share(ctx context.Context, c *crew, x learn.Matrix, row []int, found []*sparse, sampled int) {
	var open []int
	for k, s := range found {
		if s != nil {
			open = append(open, k)
		}
	}
	for round := 0; round < mostRounds && len(open) > 1; round++ {
		var lanes []lane
		for _, list := range exclusive(ctx, open, found, sampled) {
			if len(list) == 1 {
				continue
			}
			lanes = append(lanes, lane{features: list})
			first := 1
			for _, k := range list {
				m.features[k].seat = &seat{usual: found[k].usual, bins: found[k].bins, first: first}
				first += len(found[k].bins)
			}
		}
		expelled := m.fillShared(ctx, c, x, row, lanes)
		if ctx.Err() != nil {
			return
		}
		for i := range lanes {
			l := &lanes[i]
			l.features = slices.DeleteFunc(l.features, func(k int) bool { return expelled[k] })
		}
		m.lanes = append(m.lanes, slices.DeleteFunc(lanes, func(l lane) bool { return len(l.features) == 0 })...)
		open = slices.DeleteFunc(open, func(k int) bool { return !expelled[k] })
		for _, k := range open {
			m.features[k].seat = nil
		}
	}
}

// fillShared computes the cells of shared lanes and returns the features that
// cannot stay in theirs: because they were away in a row in which one before
// them was, or in a bin that the sample did not have. Cells that these have got
// do not mislead the others: for them it is one cell more in which they are in
// their usual bins.
func (m *matrix) fillShared(ctx context.Context, c *crew, x learn.Matrix, row []int, lanes []lane) []bool {
	cells := large[uint8](len(lanes) * m.rows)
	for i := range lanes {
		lanes[i].cells = cells[i*m.rows : (i+1)*m.rows : (i+1)*m.rows]
	}
	expelled := make([]bool, len(m.features))
	var mu sync.Mutex
	c.blocks(m.rows, func(begin, end int) {
		var out []int
		for step := rowsInCache(x.Cols); begin < end && ctx.Err() == nil; begin += step {
			for _, l := range lanes {
				for _, k := range l.features {
					if !m.features[k].claim(l.cells, x, row, begin, min(begin+step, end)) {
						out = append(out, k)
					}
				}
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for _, k := range out {
			expelled[k] = true
		}
	})
	return expelled
}

// claim sets the cells of the rows begin..end-1 in which f is not in its usual
// bin, and reports whether all of them were free and f has cells for its bins.
func (f *feature) claim(cells []uint8, x learn.Matrix, row []int, begin, end int) bool {
	s, ok := f.seat, true
	low, high := f.valuesOf(s.usual)
	for i := begin; i < end; i++ {
		v := x.Data[row[i]*x.Cols+f.column]
		if v > low && v <= high {
			continue
		}
		bin := f.bin(v)
		if bin == s.usual {
			continue
		}
		at := bytes.IndexByte(s.bins, bin)
		if at < 0 || cells[i] != 0 {
			ok = false
			continue
		}
		cells[i] = uint8(s.first + at)
	}
	return ok
}

// valuesOf returns bounds with low < x <= high only for values x of a bin; for
// most bins of numbers these are all of its values.
func (b *bins) valuesOf(bin uint8) (low, high float64) {
	if b.categorical() || int(bin) >= b.count {
		return 0, 0
	}
	low = math.Inf(-1)
	if bin > 0 {
		low = b.edges[bin-1]
	}
	return low, b.edge(int(bin))
}
