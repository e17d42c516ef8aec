package gbdt

import (
	"cmp"
	"context"
	"slices"
)

// residual is what a row's label is above its margin, and the row's weight.
type residual struct{ value, weight float64 }

// quantileOf returns the q-quantile of the residuals, which it sorts: the
// smallest value with more than the share q of the weight at or below it, and
// half way to the value before where that has exactly q. The half quantile is
// the usual median, and a weight of two counts as two residuals. When ctx is
// cancelled it returns some number soon.
func quantileOf(ctx context.Context, list []residual, q float64) float64 {
	compared, cancelled := 0, false
	slices.SortFunc(list, func(a, b residual) int {
		if compared++; compared%blockRows == 0 {
			cancelled = ctx.Err() != nil
		}
		if cancelled {
			return 0 // the rest is in order, as far as sorting can tell
		}
		return cmp.Or(cmp.Compare(a.value, b.value), cmp.Compare(a.weight, b.weight))
	})
	total := 0.0
	for _, r := range list {
		total += r.weight
	}
	target, below := float64(q*total), 0.0
	for i, r := range list {
		below += r.weight
		switch {
		case below > target || i == len(list)-1:
			return r.value
		case below == target:
			return r.value/2 + list[i+1].value/2
		}
	}
	return 0
}

// level sets the leaves' values to quantiles of their rows' residuals, shrunk.
func (g *grower) level(ctx context.Context, leaves []*node, q float64, margin, y, w []float64) {
	g.crew.each(len(leaves), func(k int) {
		if ctx.Err() != nil {
			return
		}
		leaf := leaves[k]
		list := make([]residual, 0, leaf.end-leaf.begin)
		for _, t := range g.tokens[leaf.begin:leaf.end] {
			row := t >> 32
			list = append(list, residual{y[row] - margin[row], weight(w, int(row))})
		}
		leaf.value = float64(leaf.within(quantileOf(ctx, list, q)) * g.s.learningRate)
	})
}
