package gbdt

import (
	"context"

	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn/gbdt/internal/kernel"
)

// patience is after how many rounds in a row without a tree boosting stops,
// where the next round might draw rows or features that have one. It may not
// depend on how many trees are asked for: see [Continue].
const patience = 100

// boost grows the trees, round by round, and returns a forest for each output.
func (b *booster) boost(ctx context.Context, progress func(done, total int)) ([]*tree.Forest, error) {
	trees := int(b.s.trees)
	again := b.rows != nil || b.s.featureFraction < 1 || b.s.nodeFraction < 1 || b.s.extraRandom == 1
	if progress != nil {
		progress(b.rounds, trees) // the bins are ready
	}
	for idle := 0; b.rounds < trees; {
		grown, err := b.round(ctx, idle)
		if err != nil {
			return nil, err
		}
		if !grown {
			if idle++; !again || idle == patience {
				break // the next trees would see the same gradients and choices
			}
			continue
		}
		idle = 0
		b.rounds++
		if b.valid != nil && b.valid.done(ctx, b) {
			break
		}
		if b.save != nil && b.rounds < trees {
			if err := b.save(ctx, b); err != nil {
				return nil, err
			}
		}
		if progress != nil {
			progress(b.rounds, trees)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	forests := make([]*tree.Forest, len(b.builders))
	for out, builder := range b.builders {
		n := builder.trees()
		if b.valid != nil {
			n = b.valid.bestTrees[out]
		}
		forests[out] = builder.first(n)
	}
	return forests, nil
}

// round grows a tree for each output and reports whether any found something
// to gain. idle is how many rounds before it did not.
//
// What is drawn for a tree depends on the seed, on how many trees there are and
// on idle, and on nothing else that happened before. So a forest is all that
// [Continue] has to know to draw what an uninterrupted fit draws.
func (b *booster) round(ctx context.Context, idle int) (grown bool, err error) {
	if b.joint != nil {
		b.joint.gradients(ctx, b.crew, b.grad, b.hess, b.margins, b.y, b.w)
	}
	trees := 0
	for _, builder := range b.builders {
		trees += builder.trees()
	}
	outputs := len(b.builders)
	for out, builder := range b.builders {
		nodes, err := b.tree(ctx, trees*outputs+out+idle<<40, out)
		if err != nil {
			return false, err
		}
		if len(nodes) > 1 {
			grown = true
			builder.add(nodes, b.grower.m)
			if b.valid != nil {
				walk(ctx, b.crew, nodes, b.valid.rows.routes(ctx, b.crew, nodes), b.valid.margins[out], nil)
			}
		}
	}
	return grown, ctx.Err()
}

// tree grows a tree of an output and moves the output's margins. k is the number
// of the streams that it draws from. A tree
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
	rounding := total.rounding(scale, b.seed, k)
	if b.s.exact() {
		rounding.Keys = 0
	}
	sum := tokenize(ctx, b.crew, kernels, g.tokens, rows, grad, hess, b.dither, rounding)
	nodes, err := g.grow(ctx, sum, scale, b.features(k), seed.Stream(b.seed, "gbdt/nodes", k).Uint64())
	if err != nil || len(nodes) < 2 {
		return nil, err
	}
	g.settle(ctx, nodes, b.objective, grad, hess, margin, b.y, g.weights)
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

// sample draws the rows that the tree of streams k is fitted to; nil: all. e is the extent of
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

// features draws the features that the tree of streams k may use.
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
	stopping
	rows    *otherRows
	joint   joint // as the booster's, for these rows
	y, w    []float64
	margins [][]float64 // per output
}

// stopping is how far early stopping is.
type stopping struct {
	best      float64 // the smallest loss so far
	bestTrees []int   // and how many trees each output had then
	waited    int     // rounds since
}

// loss returns what boosting makes smaller, on the validation rows.
func (v *validation) loss(ctx context.Context, b *booster) float64 {
	if v.joint != nil {
		return v.joint.mean(ctx, b.crew, v.margins, v.y, v.w)
	}
	return b.objective.mean(v.margins[0], v.y, v.w)
}

// done is called after trees were added and reports whether to stop.
func (v *validation) done(ctx context.Context, b *booster) bool {
	v.waited++
	if loss := v.loss(ctx, b); loss < v.best {
		v.best, v.waited = loss, 0
		for out, builder := range b.builders {
			v.bestTrees[out] = builder.trees()
		}
	}
	return v.waited >= int(b.s.earlyStoppingRounds)
}
