package tree

import "encoding/binary"

// The portable kernel holds eight rows in a word, a byte each, and works on
// all eight at once with ordinary integer instructions.

var portable = kernel{rank: rankPortable, spread: spreadPortable, sets: setsPortable, trees: treesPortable, rankRow: rankRowPortable, walkRow: walkRowPortable, ways: waysPortable, explain: explainPortable}

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
			var at [words]uint64 // leaf numbers
			for w := 0; w < words; w += 4 {
				at[w], at[w+1], at[w+2], at[w+3] = walkPortable(own[:h.splits], cols, g*words+w)
			}
			value := leaf[:h.values]
			for w, word := range at {
				eight := (*[8]float64)(sums[8*w:])
				for b := range eight {
					eight[b] += value[byte(word>>(8*b))]
				}
			}
			own, leaf = own[h.splits:], leaf[h.values:]
		}
	}
}

// walkPortable returns the leaf numbers of 32 rows from a word on: few enough for them to stay
// in registers, in a function of its own for the same reason.
//
//go:noinline
func walkPortable(splits []split, cols []uint64, word int) (a0, a1, a2, a3 uint64) {
	for i := range splits {
		s := &splits[i]
		x := (*[4]uint64)(cols[int(s.column)/8+word:])
		add, first, skip := uint64(256-int(s.at))*ones, uint64(s.first)*ones, uint64(s.skip)
		a0 += goes(x[0], add, a0^first) * skip
		a1 += goes(x[1], add, a1^first) * skip
		a2 += goes(x[2], add, a2^first) * skip
		a3 += goes(x[3], add, a3^first) * skip
	}
	return a0, a1, a2, a3
}

// goes returns 1 in each byte that goes right at a split it has come to: where
// x plus add, which is 256 less the threshold, carries, and other is 0.
func goes(x, add, other uint64) uint64 {
	mean := (x & add) + ((x^add)>>1)&lows // its high bit is the carry
	other |= (other & lows) + lows        // its high bit: not 0
	return mean &^ other & highs >> 7
}

func walkRowPortable(numbers *[lanes]byte, columns *[256]byte, data []byte, right []uint64, steps, _ int) {
	var at [words]uint64
	for k := range steps {
		d := (*[stepBytes]byte)(data[k*stepBytes:])
		set := right[k]
		for w := range at {
			ids, thresholds := binary.LittleEndian.Uint64(d[8*w:]), binary.LittleEndian.Uint64(d[lanes+8*w:])
			first, skip := binary.LittleEndian.Uint64(d[2*lanes+8*w:]), binary.LittleEndian.Uint64(d[3*lanes+8*w:])
			x := uint64(columns[byte(ids)]) | uint64(columns[byte(ids>>8)])<<8 |
				uint64(columns[byte(ids>>16)])<<16 | uint64(columns[byte(ids>>24)])<<24 |
				uint64(columns[byte(ids>>32)])<<32 | uint64(columns[byte(ids>>40)])<<40 |
				uint64(columns[byte(ids>>48)])<<48 | uint64(columns[byte(ids>>56)])<<56
			// x is at least the threshold t, which is not 0, if 255-x plus t does
			// not carry.
			x = ^x
			mean := (x & thresholds) + ((x^thresholds)>>1)&lows
			other := at[w] ^ first
			other |= (other & lows) + lows
			// Bit i of eight to byte i.
			sets := uint64(byte(set>>(8*w))) * ones & 0x8040201008040201
			sets = (sets + lows) | sets
			goes := (^mean | sets) &^ other & highs
			at[w] += (goes>>7*255 | goes) & skip
		}
	}
	for w, word := range at {
		binary.LittleEndian.PutUint64(numbers[8*w:], word)
	}
}
