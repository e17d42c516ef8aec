package tree

import (
	"math"
	"sync"
)

// Scorer scores the rows of a forest fast. It is immutable and safe for
// concurrent use.
//
// # Method
//
// All that a tree asks of a number is on which side of a threshold it lies, so
// a number is replaced by its rank among the thresholds of its feature, in
// bytes: a column of bytes tells 255 thresholds apart, and a feature with more
// has several columns. A value lies beyond a threshold exactly if its rank
// does, whatever its size, so that nothing is rounded. Splits where missing
// values go left and those where they go right read different columns. A
// categorical split gets a column of its own, 0 for left and 255 for right,
// just before its tree.
//
// Then one comparison of bytes takes 64 rows through a split. The leaves of a
// tree are numbered from left to right, and each row starts at leaf 0. Splits
// are taken parents first. A row has come to the split if the number it
// carries is that of the leftmost leaf below; if it also goes right, the
// number of leaves on the left is added. (QuickScorer, Lucchese et al., SIGIR
// 2015, and its vector form, RapidScorer, Ye et al., KDD 2018, evaluate all
// splits as well, but keep a bit per leaf and row, four times as much to
// change at 31 leaves.) At last the leaf values are looked up by number and
// added in float64, in tree order, as [Forest.Margin] does.
//
// Trees of more than 256 leaves are walked row by row.
type Scorer struct {
	f      *Forest
	name   Kernel
	kernel *kernel
	p      *program
	row    *rowProgram // nil if a row is walked
	pool   sync.Pool   // of *block
	rows   sync.Pool   // of *rowScratch
}

// block is the working memory of up to blockRows rows.
type block struct {
	ranks [lanes]uint16
	acc   [blockRows]float64
	cols  []uint64 // byte columns
}

// NewScorer prepares a forest that has passed [Forest.Check] for the fastest
// kernel of this processor. The forest may not be changed afterwards.
func NewScorer(f *Forest) *Scorer {
	s, err := NewScorerFor(f, Kernels()[0])
	if err != nil {
		panic(err) // a kernel of this processor
	}
	return s
}

// NewScorerFor is [NewScorer] for a given kernel. It returns an error if this
// processor does not run it.
func NewScorerFor(f *Forest, k Kernel) (*Scorer, error) {
	if err := checkKernel(k); err != nil {
		return nil, err
	}
	s := &Scorer{f: f, name: k, kernel: kernelNamed(k)}
	s.p = compile(f)
	if s.p != nil {
		s.row = s.p.row
	}
	s.rows.New = s.newRowScratch
	s.pool.New = func() any {
		return &block{cols: make([]uint64, s.p.columns*blockWords)}
	}
	return s, nil
}

// Kernel returns the kernel that the scorer uses.
func (s *Scorer) Kernel() Kernel { return s.name }

// Margin returns the margin of one row, with the bits of [Forest.Margin]. It
// does not allocate.
func (s *Scorer) Margin(row []float64) float64 {
	if s.row == nil {
		return s.f.Margin(row)
	}
	return s.scoreRow(row)
}

// fewRows is below how many rows a block does not pay.
const fewRows = 8

// Margins sets dst[i] to the margin of row i, for len(dst) rows of Features
// values each, one after the other in rows. The bits are those of
// [Forest.Margin]. It does not allocate.
func (s *Scorer) Margins(dst, rows []float64) {
	width := s.f.Features
	if s.p == nil || len(dst) < fewRows {
		for i := range dst {
			dst[i] = s.Margin(rows[i*width:][:width])
		}
		return
	}
	b := s.pool.Get().(*block)
	for len(dst) > 0 {
		n := min(len(dst), blockRows)
		s.score(b, dst[:n], rows[:n*width])
		dst, rows = dst[n:], rows[n*width:]
	}
	s.pool.Put(b)
}

// score scores the rows of one block. What stands in the last group's bytes
// beyond the rows is of no consequence.
func (s *Scorer) score(b *block, dst, rows []float64) {
	width := s.f.Features
	groups := (len(dst) + lanes - 1) / lanes
	for g := range groups {
		first := g * lanes
		s.shareColumns(b, g, rows[first*width:], min(lanes, len(dst)-first))
	}
	for i := range b.acc {
		b.acc[i] = s.f.Base
	}
	for i := range s.p.segments {
		seg := &s.p.segments[i]
		if seg.root >= 0 {
			for r := range dst {
				b.acc[r] += s.f.Value[s.f.leaf(seg.root, rows[r*width:][:width])]
			}
			continue
		}
		for g := range groups {
			if len(seg.sets) > 0 {
				s.kernel.sets(b.cols[g*words:], seg.sets)
			}
			for _, wide := range seg.wide {
				s.splitWide(b.cols, g, wide, rows, len(dst))
			}
		}
		s.kernel.trees(&b.acc, b.cols, seg.heads, seg.splits, seg.values, groups)
	}
	copy(dst, b.acc[:len(dst)])
}

// shareColumns makes a group's bytes of the columns that all trees read.
func (s *Scorer) shareColumns(b *block, g int, rows []float64, n int) {
	width := s.f.Features
	for i := range s.p.rankings {
		r := &s.p.rankings[i]
		s.kernel.rank(&b.ranks, rows[r.feature:], width, n, r)
		for k := range r.columns {
			c := &r.columns[k]
			s.kernel.spread(groupColumn(b.cols, c.at*blockWords, g), &b.ranks, c)
		}
	}
	for _, c := range s.p.codings {
		dst := groupColumn(b.cols, c.at*blockWords, g)
		clear(dst[:])
		for i := range n {
			dst[i/8] |= uint64(byteCode(rows[i*width+c.feature])) << (i % 8 * 8)
		}
	}
}

// groupColumn returns group g's part of the column that begins at a word.
func groupColumn(cols []uint64, word, g int) *[words]uint64 {
	return (*[words]uint64)(cols[word+g*words:])
}

// byteCode returns the byte for a category code.
func byteCode(x float64) byte {
	switch {
	case math.IsNaN(x):
		return missingCode
	case x >= 0 && x < knownCodes:
		return byte(x)
	default:
		return unseenCode
	}
}

// splitWide makes a group's bytes of the column of a set split on codes that
// bytes cannot tell apart.
func (s *Scorer) splitWide(cols []uint64, g int, op wideSplit, rows []float64, n int) {
	f := s.f
	dst := groupColumn(cols, int(op.to)/8, g)
	clear(dst[:])
	for i := g * lanes; i < min(n, (g+1)*lanes); i++ {
		if !f.goesLeft(op.node, rows[i*f.Features+int(f.Feature[op.node])]) {
			dst[i%lanes/8] |= 255 << (i % 8 * 8)
		}
	}
}
