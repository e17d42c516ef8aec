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
// rows behind it. Where a way has few features what each set B gets is worked
// out beforehand, as in Yang, "Fast TreeSHAP", 2021.
type Interventional struct {
	paths *paths
	base  float64
	trees [][]gathered // per leaf
	order []float64    // W(a, b) at a*(longest+1) + b
	pool  sync.Pool    // of *gatheredScratch
}

// gathered is the background at a leaf: its rows in groups of one set A each,
// or what comes of them.
type gathered struct {
	differ []uint64  // per group: A
	weight []float64 // per group: the leaf's value times the share of the background rows
	parts  []float64 // per set B: the contribution of each feature of the way; nil if there are too many
}

type gatheredScratch struct {
	off  []uint64
	part []float64 // per feature of a way
}

// maxTabled is up to how many features of a way parts are kept: 16 KB a leaf.
const maxTabled = 8

// NewInterventional prepares the explanation of a forest that has passed
// [Forest.Check], against a background of rows of Features values each, one
// after the other. The forest may not be changed afterwards; the background is
// not kept.
//
// It returns an error if the background has no rows or needs more than so many
// bytes of memory beside the trees, and ctx's error soon after a cancellation.
// Time and memory grow with (background rows x leaves) at most. Up to half of
// the memory is taken to make rows faster.
func NewInterventional(ctx context.Context, f *Forest, rows int, background []float64, memory int) (*Interventional, error) {
	if rows < 1 || len(background) != rows*f.Features {
		return nil, fmt.Errorf("background of %d rows and %d values for %d features", rows, len(background), f.Features)
	}
	p, err := newPaths(f)
	if err != nil {
		return nil, err
	}
	e := &Interventional{paths: p, base: f.Base, order: orders(p.longest)}
	g := gatherer{ctx: ctx, e: e, rows: rows, background: background, limit: memory / 8}
	for t := range p.trees {
		leaves, mean, err := g.gather(t)
		if err != nil {
			return nil, err
		}
		e.trees = append(e.trees, leaves)
		e.base += mean
	}
	e.pool.New = func() any {
		return &gatheredScratch{off: make([]uint64, p.size), part: make([]float64, p.longest)}
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
	e          *Interventional
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

// gather returns the background at the leaves of tree t, and the mean value of
// those that it reaches.
func (g *gatherer) gather(t int) (leaves []gathered, mean float64, err error) {
	p := g.e.paths
	f, words := p.forest, p.trees[t].words
	leaves = make([]gathered, len(p.trees[t].leaves))
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
		leaf := gathered{differ: here.differ, weight: make([]float64, len(here.count))}
		for k, count := range here.count {
			leaf.weight[k] = float64(f.Value[i]*float64(count)) / float64(g.rows)
			if size(here.differ[k*words:][:words]) == 0 {
				mean += leaf.weight[k]
			}
		}
		if d := int(p.end[i]); d <= maxTabled && g.used+d<<d <= g.limit/2 {
			leaf = gathered{parts: g.e.tabled(&leaf, d, words)}
		}
		if g.used += len(leaf.differ) + len(leaf.weight) + len(leaf.parts); g.used > g.limit {
			return fmt.Errorf("a background of %d rows needs more than %d MB beside these trees", g.rows, g.limit>>17)
		}
		leaves[p.leaf[i]] = leaf
		return nil
	}
	root := &groups{differ: make([]uint64, words), count: []int32{int32(g.rows)}, of: make([]int32, g.rows)}
	err = below(f.Root[t], root)
	return leaves, mean, err
}

// split sends the groups of inner node i to both of its children.
func (g *gatherer) split(here *groups, i int32, words int) (left, right *groups) {
	p := g.e.paths
	f := p.forest
	goesLeft := make([]bool, g.rows)
	for r := range goesLeft {
		goesLeft[r] = f.goesLeft(i, g.background[r*f.Features+int(f.Feature[i])])
	}
	bit := p.bit[i]
	known := bit < p.end[i] // the way has the feature already: groups can meet
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

// Contributions sets dst[i*Features+j] to the contribution of feature j to the
// margin of row i, for rows of Features values each, one after the other, and
// returns the base, the mean margin of the background. The base plus the sum of
// a row's contributions is its margin, up to rounding. Some dozens of rows at a
// time take much less than one by one, as a tree's parts then stay in the
// cache; the bits are the same. It does not allocate.
func (e *Interventional) Contributions(dst, rows []float64) (base float64) {
	p := e.paths
	n := p.forest.Features
	clear(dst[:len(rows)])
	s := e.pool.Get().(*gatheredScratch)
	for t := range p.trees {
		tree, leaves := &p.trees[t], e.trees[t]
		for from := 0; from < len(rows); from += n {
			p.follow(s.off, tree, rows[from:][:n])
			to := dst[from:][:n]
			for k := range tree.leaves {
				leaf, at := &tree.leaves[k], &leaves[k]
				way := leaf.way
				var part []float64
				if at.parts != nil {
					part = at.parts[int(s.off[leaf.slot])*len(way):][:len(way)]
				} else {
					part = s.part[:len(way)]
					e.compare(part, at, s.off[leaf.slot:][:tree.words])
				}
				for i, j := range way {
					to[j] += part[i]
				}
			}
		}
	}
	e.pool.Put(s)
	return e.base
}

// tabled returns the parts of a leaf whose way has d features.
func (e *Interventional) tabled(at *gathered, d, words int) []float64 {
	parts, off := make([]float64, d<<d), make([]uint64, words)
	for off[0] = range uint64(1) << d {
		e.compare(parts[int(off[0])*d:][:d], at, off)
	}
	return parts
}

// compare sets part to the contributions, at a leaf, of the features of its
// way for a row which the features in off lead off it: B.
func (e *Interventional) compare(part []float64, at *gathered, off []uint64) {
	clear(part)
	stride, words, b := e.paths.longest+1, len(off), size(off)
	lost := 0.0
	for k, weight := range at.weight {
		if at.differ[k*words]&off[0] != 0 { // most end here
			continue
		}
		differ := at.differ[k*words:][:words]
		if meet(differ, off) {
			continue
		}
		a := size(differ)
		if a > 0 {
			gain := float64(weight * e.order[a*stride+b])
			for w, word := range differ {
				for ; word != 0; word &= word - 1 {
					part[64*w+bits.TrailingZeros64(word)] += gain
				}
			}
		}
		if b > 0 {
			lost += float64(weight * e.order[b*stride+a])
		}
	}
	for w, word := range off {
		for ; word != 0; word &= word - 1 {
			part[64*w+bits.TrailingZeros64(word)] = -lost
		}
	}
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
