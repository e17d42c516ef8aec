package gbdt

import (
	"context"
	"slices"
)

// sumRows is how many rows' gradients are added before they join a leaf's sum.
// It fixes the order of these floating-point sums, so it may not depend on the
// workers.
const sumRows = 1 << 17

// pair is a sum of gradients and one of hessians.
type pair struct{ g, h float64 }

// settle computes the leaves' values from the unrounded gradients of their
// rows and moves the rows' margins by them.
//
// The tokens of a leaf lie together but its rows do not. So the tokens tell
// each row its leaf first, one byte pair a row, and the rest is done row by
// row in the order of memory.
//
// An objective that is a leveller sets values by level instead.
func (g *grower) settle(ctx context.Context, nodes []node, o objective, grad, hess, margin, y, w []float64) {
	var leaves []*node
	for i := range nodes {
		if nodes[i].left == 0 {
			leaves = append(leaves, &nodes[i])
		}
	}
	slices.SortFunc(leaves, func(a, b *node) int { return a.begin - b.begin })
	n := len(margin)
	none := uint16(len(leaves)) // of rows that the tree was not fitted to
	if len(g.tokens) < n {
		for i := range g.leafOf {
			g.leafOf[i] = none
		}
	}
	g.crew.blocks(len(g.tokens), func(begin, end int) {
		for k, leaf := range leaves {
			for at := max(begin, leaf.begin); at < min(end, leaf.end); at++ {
				g.leafOf[g.tokens[at]>>32] = uint16(k)
			}
		}
	})
	parts := make([][]pair, (n+sumRows-1)/sumRows)
	g.crew.each(len(parts), func(p int) {
		sum := make([]pair, len(leaves)+1)
		begin, end := p*sumRows, min((p+1)*sumRows, n)
		grad, hess := grad[begin:end], hess[begin:end]
		for i, leaf := range g.leafOf[begin:end] {
			s := &sum[leaf]
			s.g += grad[i]
			s.h += hess[i]
		}
		parts[p] = sum
	})
	values := make([]float64, len(leaves)+1)
	for k, leaf := range leaves {
		sum := pair{}
		for _, part := range parts {
			sum.g += part[k].g
			sum.h += part[k].h
		}
		if d := sum.h + g.s.lambda + leaf.lambda; d > 0 {
			leaf.value = float64(leaf.within(-shrink(sum.g, g.s.alpha)/d) * g.s.learningRate)
		}
	}
	if q, ok := o.(leveller); ok {
		g.level(ctx, leaves, q.level(), margin, y, w)
	}
	for k, leaf := range leaves {
		values[k] = leaf.value
	}
	g.crew.blocks(n, func(begin, end int) {
		margin := margin[begin:end]
		for i, leaf := range g.leafOf[begin:end] {
			margin[i] += values[leaf]
		}
	})
}
