package tree

import (
	"context"
	"fmt"
	"math/bits"
	"sync"
)

// Interventional computes the exact contribution of every feature to the
// margin of a row as compared with a background, a set of other rows: the
// Shapley values of the game in which a feature that is not in the coalition
// has the value of a background row, averaged over those rows (Lundberg et
// al., "From local explanations to global understanding with explainable AI
// for trees", Nature Machine Intelligence 2, 2020). The base is the mean
// margin of the background. Covers are not read, and a feature that no split
// asks for has contribution 0.
//
// It is immutable and safe for concurrent use. The bits of its results are the
// same on every processor.
//
// # Method
//
// Take a leaf of value v, the row x and a background row z. Let B be the
// features on the way to the leaf that lead x off it, and A those that lead z
// off it. If A and B have one in common no coalition reaches the leaf; else one
// does if it holds all of A and none of B. With a = |A| and b = |B|, each
// feature of A has the Shapley value v*W(a, b) and each of B the value
// -v*W(b, a), where
//
//	W(a, b) = (a-1)! b! / (a+b)!
//
// B does not depend on z, nor A on x. So the background rows are gathered once
// at each leaf by their set A, of which there are far fewer than rows, and a
// row costs one step for each of those sets, whatever the number of background
// rows behind it.
type Interventional struct {
	paths *paths
	base  float64
	trees []gathered
	order []float64 // W(a, b) at a*(longest+1) + b
	pool  sync.Pool // of *[]uint64
}

// gathered is the background at the leaves of a tree.
type gathered struct {
	from, to []int32   // per node of the tree: its groups; none in inner nodes
	differ   []uint64  // per group: A
	weight   []float64 // per group: the leaf's value times the share of the background rows
}

// maxGathered bounds the memory of a background: 512 MB.
const maxGathered = 1 << 26

// NewInterventional prepares the explanation of a forest that has passed
// [Forest.Check], against a background of rows of Features values each, one
// after the other. The forest may not be changed afterwards; the background is
// not kept.
//
// It returns an error if the background has no rows or needs more than 512 MB
// beside the trees, and ctx's error soon after a cancellation. Time and memory
// grow with (background rows x leaves) at most.
func NewInterventional(ctx context.Context, f *Forest, rows int, background []float64) (*Interventional, error) {
	return newInterventional(ctx, f, rows, background, maxGathered)
}

func newInterventional(ctx context.Context, f *Forest, rows int, background []float64, limit int) (*Interventional, error) {
	if rows < 1 || len(background) != rows*f.Features {
		return nil, fmt.Errorf("background of %d rows and %d values for %d features", rows, len(background), f.Features)
	}
	p, err := newPaths(f)
	if err != nil {
		return nil, err
	}
	e := &Interventional{paths: p, base: f.Base, trees: make([]gathered, len(f.Root)-1)}
	g := gatherer{ctx: ctx, paths: p, rows: rows, background: background, limit: limit}
	for t := range e.trees {
		sum, err := g.gather(&e.trees[t], t)
		if err != nil {
			return nil, err
		}
		e.base += sum
	}
	e.order = orders(e.paths.longest)
	e.pool.New = func() any {
		off := make([]uint64, e.paths.size)
		return &off
	}
	return e, nil
}

// orders returns W(a, b) at a*(n+1)+b, for a from 1 to n and b up to n-a. It
// is 1/(a * binomial(a+b, a)); the binomials, sums of two each, are exact while
// they have 53 bits.
func orders(n int) []float64 {
	out := make([]float64, (n+1)*(n+1))
	binomial := make([]float64, n+1) // of the line a+b
	for sum := range n + 1 {
		binomial[sum] = 1
		for a := sum - 1; a > 0; a-- {
			binomial[a] += binomial[a-1]
		}
		for a := 1; a <= sum; a++ {
			out[a*(n+1)+sum-a] = 1 / float64(float64(a)*binomial[a])
		}
	}
	return out
}

// gatherer walks the background through the trees.
type gatherer struct {
	ctx        context.Context
	paths      *paths
	rows       int
	background []float64
	used       int // words
	limit      int
	visited    int // nodes
}

// groups are the background rows at a node, by what leads them off the way.
type groups struct {
	differ []uint64 // per group
	count  []int32
	of     []int32 // per background row: its group
}

// gather fills into with tree t and returns the mean value of the leaves that
// the background reaches.
func (g *gatherer) gather(into *gathered, t int) (mean float64, err error) {
	f, words := g.paths.forest, g.paths.words[t]
	lo, hi := f.Root[t], f.Root[t+1]
	into.from, into.to = make([]int32, hi-lo), make([]int32, hi-lo)
	var below func(i int32, here *groups) error
	below = func(i int32, here *groups) error {
		if g.visited++; g.visited%64 == 0 && g.ctx.Err() != nil {
			return g.ctx.Err()
		}
		if f.Left[i] >= 0 {
			left, right := g.split(here, i, words)
			if err := below(f.Left[i], left); err != nil {
				return err
			}
			return below(f.Right[i], right)
		}
		if g.used += len(here.differ) + len(here.count); g.used > g.limit {
			return fmt.Errorf("a background of %d rows needs more than %d MB beside these trees", g.rows, g.limit>>17)
		}
		into.from[i-lo] = int32(len(into.weight))
		for k, count := range here.count {
			weight := float64(f.Value[i]*float64(count)) / float64(g.rows)
			if size(here.differ[k*words:][:words]) == 0 {
				mean += weight
			}
			into.weight = append(into.weight, weight)
		}
		into.to[i-lo] = int32(len(into.weight))
		into.differ = append(into.differ, here.differ...)
		return nil
	}
	root := &groups{differ: make([]uint64, words), count: []int32{int32(g.rows)}, of: make([]int32, g.rows)}
	return mean, below(lo, root)
}

// split sends the groups of inner node i to both of its children.
func (g *gatherer) split(here *groups, i int32, words int) (left, right *groups) {
	f, p := g.paths.forest, g.paths
	goesLeft := make([]bool, g.rows)
	for r := range goesLeft {
		goesLeft[r] = f.goesLeft(i, g.background[r*f.Features+int(f.Feature[i])])
	}
	bit := p.bit[f.Left[i]]
	known := p.end[f.Left[i]] == p.end[i] // the way has the feature already: groups can meet
	child := func(on bool) *groups {
		out := &groups{of: make([]int32, g.rows)}
		to := make([]int32, 2*len(here.count)) // per group and whether its rows keep to the way: its new number + 1
		var bySet map[string]int32
		if known {
			bySet = make(map[string]int32)
		}
		for r, from := range here.of {
			k := 2 * from
			if goesLeft[r] == on {
				k++
			}
			if to[k] == 0 {
				set := here.differ[int(from)*words:][:words]
				n := len(out.differ)
				out.differ = append(out.differ, set...)
				if goesLeft[r] != on {
					out.differ[n+int(bit/64)] |= 1 << (bit % 64)
				}
				number := int32(len(out.count) + 1)
				if known {
					key := string(bytesOf(out.differ[n:]))
					if same, ok := bySet[key]; ok {
						number, out.differ = same, out.differ[:n]
					} else {
						bySet[key] = number
					}
				}
				if int(number) > len(out.count) {
					out.count = append(out.count, 0)
				}
				to[k] = number
			}
			out.of[r] = to[k] - 1
			out.count[to[k]-1]++
		}
		return out
	}
	return child(true), child(false)
}

// bytesOf returns the words of a set as bytes.
func bytesOf(set []uint64) []byte {
	out := make([]byte, 0, 8*len(set))
	for _, w := range set {
		for range 8 {
			out = append(out, byte(w))
			w >>= 8
		}
	}
	return out
}

// Contributions sets dst[j] to the contribution of feature j to the margin of
// the row and returns the base, the mean margin of the background. The base
// plus the sum of dst is the margin, up to rounding. dst and row have one value
// per feature. It does not allocate.
func (e *Interventional) Contributions(dst, row []float64) (base float64) {
	p := e.paths
	f, stride := p.forest, p.longest+1
	dst = dst[:f.Features]
	clear(dst)
	off := e.pool.Get().(*[]uint64)
	for t := range e.trees {
		lo, words := f.Root[t], p.words[t]
		if f.Left[lo] < 0 {
			continue
		}
		p.follow(*off, t, row)
		g := &e.trees[t]
		for i := lo; i < f.Root[t+1]; i++ {
			from, to := g.from[i-lo], g.to[i-lo]
			if from == to { // an inner node
				continue
			}
			set := (*off)[int(i-lo)*words:][:words]
			way := p.way(i)
			b := size(set)
			lost := 0.0
			for k := from; k < to; k++ {
				differ := g.differ[int(k)*words:][:words]
				if meet(differ, set) {
					continue
				}
				a := size(differ)
				if a > 0 {
					gain := float64(g.weight[k] * e.order[a*stride+b])
					for w, word := range differ {
						for ; word != 0; word &= word - 1 {
							dst[way[64*w+bits.TrailingZeros64(word)]] += gain
						}
					}
				}
				if b > 0 {
					lost += float64(g.weight[k] * e.order[b*stride+a])
				}
			}
			for w, word := range set {
				for ; word != 0; word &= word - 1 {
					dst[way[64*w+bits.TrailingZeros64(word)]] -= lost
				}
			}
		}
	}
	e.pool.Put(off)
	return e.base
}

// size returns how many members a set has.
func size(set []uint64) int {
	n := 0
	for _, w := range set {
		n += bits.OnesCount64(w)
	}
	return n
}

// meet reports whether two sets have a member in common.
func meet(a, b []uint64) bool {
	for w, word := range a {
		if word&b[w] != 0 {
			return true
		}
	}
	return false
}
