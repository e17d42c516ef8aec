package tree

// The portable kernel holds eight rows in a word, a byte each, and works on
// all eight at once with ordinary integer instructions.

var portable = kernel{rank: rankPortable, spread: spreadPortable, sets: setsPortable, trees: treesPortable, rankRow: rankRowPortable, explain: explainPortable}

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
	lows  = 0x7f * ones
)

func rankPortable(dst *[lanes]uint16, x []float64, stride, n int, r *ranking) {
	for i := range n {
		v := x[i*stride]
		if v != v {
			dst[i] = missingRank
			continue
		}
		g := 0
		for _, start := range r.start[:r.levels] {
			group := (*[16]float64)(r.numbers[start+16*g:])
			// Four comparisons instead of sixteen: the group is sorted.
			at := 0
			for step := 8; step > 0; step /= 2 {
				k := 0
				if group[(at+step-1)&15] < v {
					k = step
				}
				at += k
			}
			if group[at&15] < v {
				at++
			}
			g = 16*g + at
		}
		dst[i] = uint16(g)
	}
}

func rankRowPortable(dst []uint16, row []float64, rankings []ranking) {
	var rank [lanes]uint16
	for i := range rankings {
		r := &rankings[i]
		rankPortable(&rank, row[r.feature:], 0, 1, r)
		dst[i] = rank[0]
	}
}

func spreadPortable(dst *[words]uint64, ranks *[lanes]uint16, c *column) {
	from := int(c.from)
	for w := range dst {
		var word uint64
		for b := range 8 {
			rank := int(ranks[8*w+b])
			v := min(max(rank-from, 0), chunk)
			if c.missingLeft && rank == missingRank {
				v = 0
			}
			word |= uint64(v) << (8 * b)
		}
		dst[w] = word
	}
}

func setsPortable(cols []uint64, ops []setSplit) {
	for i := range ops {
		op := &ops[i]
		dst, codes := (*[words]uint64)(cols[op.to/8:]), (*[words]uint64)(cols[op.codes/8:])
		for w, eight := range codes {
			var right uint64
			for b := range 8 {
				code := byte(eight >> (8 * b))
				right |= uint64(^op.left[code/8]>>(code%8)&1) << (8 * b)
			}
			dst[w] = right * 255
		}
	}
}

func treesPortable(acc *[blockRows]float64, cols []uint64, heads []head, splits []split, values []float64, groups int) {
	for g := range groups {
		sums := (*[lanes]float64)(acc[g*lanes:])
		own, leaf := splits, values
		for _, h := range heads {
			var at [words]uint64 // leaf numbers so far
			for _, s := range own[:h.splits] {
				x := (*[words]uint64)(cols[int(s.column)/8+g*words:])
				// A byte of x is at least s.at if adding 256-s.at carries. The
				// carry is the high bit of the mean, which cannot overflow.
				add := uint64(256-int(s.at)) * ones
				first, skip := uint64(s.first)*ones, uint64(s.skip)
				for w := range at {
					mean := (x[w] & add) + ((x[w]^add)>>1)&lows
					other := at[w] ^ first
					other |= (other & lows) + lows // high bit: came to another leaf
					goes := mean &^ other & highs >> 7
					at[w] += goes * skip
				}
			}
			value := leaf[:h.values]
			for w, word := range at {
				for b := range 8 {
					sums[8*w+b] += value[byte(word>>(8*b))]
				}
			}
			own, leaf = own[h.splits:], leaf[h.values:]
		}
	}
}
