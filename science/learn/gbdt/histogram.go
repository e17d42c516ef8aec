package gbdt

import "context"

// histogram holds, for one node of a growing tree, the sums of gradients and
// hessians per feature and bin, block by block.
type histogram []blockHistogram

type blockHistogram [blockWidth][256]sums

// pieceRows is how many rows are counted between two looks at the context.
const pieceRows = 1 << 16

// fill sets h to the sums over the tokens' rows. cells are the block's bins,
// of which the first width of each row are in use.
func (h *blockHistogram) fill(ctx context.Context, cells []uint8, tokens []token, width int) {
	clear(h[:width])
	for begin := 0; begin < len(tokens) && ctx.Err() == nil; begin += pieceRows {
		piece := tokens[begin:min(begin+pieceRows, len(tokens))]
		if width <= 8 {
			h.add8(cells, piece)
		} else {
			h.add16(cells, piece)
		}
	}
}

// add16 adds the rows of the tokens to all sixteen histograms; those of unused
// slots collect what nobody reads. It is the loop in which training spends its
// time: written out, with arrays indexed by bytes, it has one bounds check per
// row.
func (h *blockHistogram) add16(cells []uint8, tokens []token) {
	for _, t := range tokens {
		v := unpack(t)
		i := int(t>>32) * blockWidth
		bin := (*[16]uint8)(cells[i : i+16])
		h[0][bin[0]] += v
		h[1][bin[1]] += v
		h[2][bin[2]] += v
		h[3][bin[3]] += v
		h[4][bin[4]] += v
		h[5][bin[5]] += v
		h[6][bin[6]] += v
		h[7][bin[7]] += v
		h[8][bin[8]] += v
		h[9][bin[9]] += v
		h[10][bin[10]] += v
		h[11][bin[11]] += v
		h[12][bin[12]] += v
		h[13][bin[13]] += v
		h[14][bin[14]] += v
		h[15][bin[15]] += v
	}
}

// add8 is add16 for blocks of at most eight features.
func (h *blockHistogram) add8(cells []uint8, tokens []token) {
	for _, t := range tokens {
		v := unpack(t)
		i := int(t>>32) * blockWidth
		bin := (*[8]uint8)(cells[i : i+8])
		h[0][bin[0]] += v
		h[1][bin[1]] += v
		h[2][bin[2]] += v
		h[3][bin[3]] += v
		h[4][bin[4]] += v
		h[5][bin[5]] += v
		h[6][bin[6]] += v
		h[7][bin[7]] += v
	}
}

// subtract takes o, the histogram of one child, from h, that of the parent,
// and leaves that of the other child; exactly, since the sums are integers.
func (h *blockHistogram) subtract(o *blockHistogram, width int) {
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
