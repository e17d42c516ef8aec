package gbdt

import (
	"context"

	"github.com/tandem-ml/tandem/science/learn/gbdt/internal/kernel"
)

// histogram holds, for one node of a growing tree, the sums of gradients and
// hessians per feature and bin, block by block.
type histogram []blockHistogram

type blockHistogram = kernel.Histogram

// pieceRows is how many rows are counted between two looks at the context.
const pieceRows = 1 << 16

// count sets h to the sums over the tokens' rows. cells are the block's bins,
// of which the first width of each row are in use.
func count(ctx context.Context, k kernel.Set, h *blockHistogram, cells []uint8, tokens []token, width int) {
	clear(h[:width])
	for begin := 0; begin < len(tokens) && ctx.Err() == nil; begin += pieceRows {
		k.Count(h, cells, tokens[begin:min(begin+pieceRows, len(tokens))], width)
	}
}

// subtract takes o, the histogram of one child, from h, that of the parent,
// and leaves that of the other child; exactly, since the sums are integers.
func subtract(h, o *blockHistogram, width int) {
	for k := range width {
		from, what := &h[k], &o[k]
		for b := range from {
			from[b] -= what[b]
		}
	}
}

// pool keeps histograms for reuse between the nodes and trees of one fit.
type pool struct {
	blocks int
	free   []histogram
}

// take returns a histogram with unspecified content.
func (p *pool) take() histogram {
	if n := len(p.free); n > 0 {
		h := p.free[n-1]
		p.free = p.free[:n-1]
		return h
	}
	return make(histogram, p.blocks)
}

// give returns h for reuse; nil is ignored.
func (p *pool) give(h histogram) {
	if h != nil {
		p.free = append(p.free, h)
	}
}
