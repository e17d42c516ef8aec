package gbdt

import (
	"context"

	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn/gbdt/internal/kernel"
)

// boost grows the trees, one for each output at a time, and returns a forest
// for each.
func (b *booster) boost(ctx context.Context, progress func(done, total int)) ([]*tree.Forest, error) {
	trees, outputs := int(b.s.trees), len(b.margins)
	again := b.rows != nil || b.s.featureFraction < 1 || b.s.nodeFraction < 1 || b.s.extraRandom == 1
	if progress != nil {
		progress(0, trees) // the bins are ready
	}
	for k := range trees {
		if b.joint != nil {
			b.joint.gradients(ctx, b.crew, b.grad, b.hess, b.margins, b.y, b.w)
		}
		grown := false
		for out := range outputs {
			nodes, err := b.tree(ctx, (b.done+k)*outputs+out, out)
			if err != nil {
				return nil, err
			}
			if len(nodes) > 1 {
				grown = true
				b.builders[out].add(nodes, b.grower.m)
				if b.valid != nil {
					walk(ctx, b.crew, nodes, b.valid.rows.routes(ctx, b.crew, nodes), b.valid.margins[out], nil)
				}
			}
		}
		if grown {
			if b.valid != nil && b.valid.done(b) {
				break
			}
		} else if !again {
			break // the next trees would see the same gradients and choices
		}
		if progress != nil {
			progress(k+1, trees)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	forests := make([]*tree.Forest, outputs)
	for out, builder := range b.builders {
		n := builder.trees()
		if b.valid != nil {
			n = b.valid.bestTrees[out]
		}
		forests[out] = builder.first(n)
	}
	return forests, nil
}

// tree grows tree k, one of an output, and moves the output's margins. A tree
// of one node means that there was nothing to gain; the margins are then
// unchanged.
func (b *booster) tree(ctx context.Context, k, out int) ([]node, error) {
	margin, grad, hess := b.margins[out], b.grad[out], b.hess[out]
	n := len(margin)
	g, kernels := &b.grower, b.grower.kernel
	parts := make([]kernel.Extent, (n+blockRows-1)/blockRows)
	b.crew.blocks(n, func(begin, end int) {
		if ctx.Err() != nil {
			return
		}
		grad, hess := grad[begin:end], hess[begin:end]
		if b.joint == nil {
			b.objective.gradients(kernels, grad, hess, margin[begin:end], b.y[begin:end], part(b.w, begin, end))
		}
		e := kernel.NewExtent()
		kernels.Measure(&e, grad, hess)
		parts[begin/blockRows] = e
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	total := fold(parts)
	if total.maxG == 0 || total.maxH == 0 || len(g.m.features) == 0 {
		return nil, nil
	}
	rows := b.sample(k, total, grad, hess)
	if rows != nil {
		if n = len(rows); n == 0 {
			return nil, nil
		}
		total = measureRows(kernels, grad, hess, rows)
		if total.maxG == 0 || total.maxH == 0 {
			return nil, nil
		}
	}
	g.tokens = g.tokens[:n]
	scale := total.scales(n)
	sum := tokenize(ctx, b.crew, kernels, g.tokens, rows, grad, hess, b.noise, total.rounding(scale, b.seed, k))
	nodes, err := g.grow(ctx, sum, scale, b.features(k), seed.Stream(b.seed, "gbdt/nodes", k).Uint64())
	if err != nil || len(nodes) < 2 {
		return nil, err
	}
	g.settle(nodes, b.objective, grad, hess, margin, b.y, g.weights)
	if b.inSample != nil {
		walk(ctx, b.crew, nodes, g.m.routes(nodes), margin, b.inSample)
	}
	return nodes, ctx.Err()
}

// part returns w[begin:end], or nil for nil.
func part(w []float64, begin, end int) []float64 {
	if w == nil {
		return nil
	}
	return w[begin:end]
}

// sample draws the rows that tree k is fitted to; nil: all. e is the extent of
// all rows.
func (b *booster) sample(k int, e extent, grad, hess []float64) []uint32 {
	if b.rows == nil {
		return nil
	}
	rows := b.rows
	if b.s.gradientFraction < 1 {
		key := seed.Stream(b.seed, "gbdt/gradient rows", k).Uint64()
		rows = gradientSample(b.rows, b.s.gradientFraction, e, grad, hess, b.w, b.scaled, b.noise, key)
	} else {
		rows = draw(rows, share(len(rows), b.s.rowFraction), seed.Stream(b.seed, "gbdt/rows", k))
	}
	clear(b.inSample)
	for _, r := range rows {
		b.inSample[r] = true
	}
	return rows
}

// features draws the features that tree k may use.
func (b *booster) features(k int) []bool {
	n := len(b.grower.m.features)
	allowed, all := make([]bool, n), make([]int, n)
	for i := range all {
		all[i] = i
	}
	if b.s.featureFraction < 1 {
		all = draw(all, share(n, b.s.featureFraction), seed.Stream(b.seed, "gbdt/features", k))
	}
	for _, i := range all {
		allowed[i] = true
	}
	return allowed
}

// validation follows the loss on rows that the trees are not fitted to.
type validation struct {
	rows      *otherRows
	y, w      []float64
	margins   [][]float64 // per output
	best      float64
	bestTrees []int // per output
	waited    int   // how often trees were added since
}

// loss returns what boosting makes smaller, on the validation rows.
func (v *validation) loss(b *booster) float64 {
	if b.joint != nil {
		return b.joint.mean(v.margins, v.y, v.w)
	}
	return b.objective.mean(v.margins[0], v.y, v.w)
}

// done is called after trees were added and reports whether to stop.
func (v *validation) done(b *booster) bool {
	v.waited++
	if loss := v.loss(b); loss < v.best {
		v.best, v.waited = loss, 0
		for out, builder := range b.builders {
			v.bestTrees[out] = builder.trees()
		}
	}
	return v.waited >= int(b.s.earlyStoppingRounds)
}
