package gbdt

import (
	"context"
	"math"

	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/science/learn/gbdt/internal/kernel"
)

// node is a node of a growing tree: the rows in it and what is known about
// splitting it. Nodes live as long as one tree grows.
type node struct {
	begin, end  int // its rows are tokens[begin:end], in rising order
	number      int // its position
	depth       int
	sums        sums
	features    []bool  // of the matrix: which its split may use
	path        []int   // features its ancestors were split by, if interactions are constrained
	lower       float64 // bounds on the value before shrinking
	upper       float64
	weight      float64 // of its rows
	lambda      float64 // penalty on its value on top of settings.lambda
	histogram   histogram
	split       split // the best one; no gain: the node cannot be split
	missingLeft bool
	left, right int // positions of the children; 0: a leaf
	value       float64
}

// grower grows one tree after another over the same rows.
type grower struct {
	s       settings
	m       *matrix
	crew    *crew
	kernel  kernel.Set
	weights []float64 // nil: all ones
	tokens  []token
	scratch []token
	spare   []token  // further scratch for more than two workers; else nil
	leafOf  []uint16 // of each row, while a tree is settled
	pool    pool
	spaces  [][256]sums // per block: for histograms of features that share a lane
	nodes   []node

	monotone []float64 // per feature of the matrix; nil: no constraints
	groups   [][]bool  // sets of features that may meet on a path; nil: any
	allowed  []bool    // features of the tree that is growing
	scale    scales
	key      uint64 // of what is drawn per node of the tree
}

// grow makes a tree over the tokens, whose sums are total. allowed says which
// features of the matrix it may use; key is the seed of what is drawn per node.
// The nodes are valid until the next call; node 0 is the root, and children
// stand behind their parents.
func (g *grower) grow(ctx context.Context, total sums, scale scales, allowed []bool, key uint64) ([]node, error) {
	g.scale, g.allowed, g.key = scale, allowed, key
	if g.spaces == nil {
		g.spaces = make([][256]sums, len(g.m.blocks))
	}
	for _, n := range g.nodes {
		g.pool.give(n.histogram)
	}
	g.nodes = append(g.nodes[:0], node{end: len(g.tokens), sums: total, lower: math.Inf(-1), upper: math.Inf(1)})
	root := &g.nodes[0]
	root.weight = g.weightOf(root)
	root.features = g.featuresOf(root)
	g.examine(ctx, root, nil, nil)
	for leaves := 1; leaves < int(g.s.leaves); leaves++ {
		at := g.richest()
		if at < 0 {
			break
		}
		left, right := g.divide(at)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if leaves+1 == int(g.s.leaves) {
			break // the last two leaves will not be split
		}
		small, large := &g.nodes[left], &g.nodes[right]
		if small.end-small.begin > large.end-large.begin {
			small, large = large, small
		}
		inherited := g.nodes[at].histogram
		g.nodes[at].histogram = nil
		g.examine(ctx, small, large, inherited)
	}
	return g.nodes, ctx.Err()
}

// richest returns the position of the leaf whose split gains most, the first
// of equals; if trees grow by depth, of the leaves nearest to the root. -1:
// none can be split.
func (g *grower) richest() int {
	best := -1
	for i := range g.nodes {
		n := &g.nodes[i]
		if n.left != 0 || n.split.gain == 0 {
			continue
		}
		if best < 0 || g.s.growth == "depth" && n.depth < g.nodes[best].depth {
			best = i
			continue
		}
		if b := &g.nodes[best]; n.split.gain > b.split.gain && (g.s.growth != "depth" || n.depth == b.depth) {
			best = i
		}
	}
	return best
}

// examine finds the best splits of one or two nodes. For the root, large is
// nil. Otherwise they are siblings and inherited is their parent's histogram,
// which examine takes over; only small is counted.
func (g *grower) examine(ctx context.Context, small, large *node, inherited histogram) {
	nodes := [2]*node{small, large}
	searches := [2]search{}
	wanted := [2]bool{}
	for i, n := range nodes {
		if n != nil {
			searches[i] = g.newSearch(n)
			wanted[i] = g.divisible(n, &searches[i])
		}
	}
	if !wanted[0] && !wanted[1] {
		g.pool.give(inherited)
		return
	}
	small.histogram = g.pool.take()
	if large != nil {
		large.histogram = inherited
	}
	found := make([][2]search, len(g.m.blocks))
	tokens := g.tokens[small.begin:small.end]
	work := len(tokens)*len(g.m.lanes) + 1024*len(g.m.features)
	g.crew.eachOf(work, len(g.m.blocks), func(b int) {
		block := &g.m.blocks[b]
		count(ctx, g.kernel, &small.histogram[b], block.cells, tokens, block.width)
		if wanted[1] {
			subtract(&large.histogram[b], &small.histogram[b], block.width)
		}
		found[b] = searches
		for i, n := range nodes {
			if !wanted[i] {
				continue
			}
			for _, k := range block.features {
				if !n.features[k] {
					continue
				}
				f, q := &g.m.features[k], &found[b][i]
				if h := f.byBin(&n.histogram[b][f.lane-b*g.m.perBlock], n.sums, q.minHessian, &g.spaces[b]); h != nil {
					q.try(k, f, h)
				}
			}
		}
	})
	for i, n := range nodes {
		if n == nil {
			continue
		}
		for b := range found {
			if s := found[b][i].found(); wanted[i] && s.before(&n.split) {
				n.split = s
			}
		}
		if n.split.gain == 0 {
			g.pool.give(n.histogram)
			n.histogram = nil
		}
	}
}

// divisible reports whether a node could have two children at all.
func (g *grower) divisible(n *node, q *search) bool {
	deepest := int(g.s.maxDepth)
	if deepest == 0 {
		deepest = tree.MaxDepth
	}
	if n.depth >= deepest {
		return false
	}
	return n.end-n.begin >= 2 && hessianOf(n.sums) >= 2*q.minHessian
}

// divide splits node at and returns the positions of its children.
func (g *grower) divide(at int) (left, right int) {
	n := &g.nodes[at]
	way := g.m.route(&n.split)
	var goesLeft [256]uint8
	for cell := range goesLeft {
		if way.left.has(uint8(cell)) {
			goesLeft[cell] = 1
		}
	}
	leftSmaller := hessianOf(n.split.leftSums) < hessianOf(n.sums)/2
	middle := n.begin + g.partition(n.begin, n.end, way.cells, &goesLeft, leftSmaller)
	l := node{begin: n.begin, end: middle, number: len(g.nodes), depth: n.depth + 1, sums: n.split.leftSums, lower: n.lower, upper: n.upper}
	r := node{begin: middle, end: n.end, number: len(g.nodes) + 1, depth: n.depth + 1, sums: n.sums - n.split.leftSums, lower: n.lower, upper: n.upper}
	l.weight, r.weight = g.weightOf(&l), g.weightOf(&r)
	g.constrain(n, &l, &r)
	if n.split.subset {
		l.lambda, r.lambda = g.s.catLambda, g.s.catLambda
	}
	n.missingLeft = n.split.left.has(missingBin)
	if !n.split.missingSeen && !g.anyMissing(n) {
		n.missingLeft = l.weight >= r.weight
		if n.missingLeft {
			n.split.left.add(missingBin)
		} else {
			n.split.left.remove(missingBin)
		}
	}
	left = len(g.nodes)
	right = left + 1
	n.left, n.right = left, right
	g.nodes = append(g.nodes, l, r)
	return left, right
}

// anyMissing reports whether a node has rows with a missing value: they leave
// no trace in a histogram if their gradients and hessians round to zero.
func (g *grower) anyMissing(n *node) bool {
	f := &g.m.features[n.split.feature]
	if !f.hasMissing {
		return false
	}
	var missing set
	missing.add(missingBin)
	cells, missing := g.m.lanes[f.lane].cells, f.cellsOf(missing)
	for _, t := range g.tokens[n.begin:n.end] {
		if missing.has(cells[t>>32]) {
			return true
		}
	}
	return false
}

func (g *grower) weightOf(n *node) float64 {
	if g.weights == nil {
		return float64(n.end - n.begin)
	}
	sum := 0.0
	for _, t := range g.tokens[n.begin:n.end] {
		sum += g.weights[t>>32]
	}
	return sum
}

// walk adds the values of the leaves that rows fall into to their margins;
// routes are those of the nodes. skip[r] leaves row r out; nil: none.
func walk(ctx context.Context, c *crew, nodes []node, routes []route, margin []float64, skip []bool) {
	c.blocks(len(margin), func(begin, end int) {
		if ctx.Err() != nil {
			return
		}
		for r := begin; r < end; r++ {
			if skip != nil && skip[r] {
				continue
			}
			at := 0
			for nodes[at].left != 0 {
				if way := &routes[at]; way.left.has(way.cells[r]) {
					at = nodes[at].left
				} else {
					at = nodes[at].right
				}
			}
			margin[r] += nodes[at].value
		}
	})
}
