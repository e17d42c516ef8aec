package tree

import "golang.org/x/sys/cpu"

func machineKernels() []Kernel {
	var out []Kernel
	x := &cpu.X86
	if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512VBMI && x.HasAVX2 && x.HasFMA && x.HasPOPCNT {
		out = append(out, AVX512)
	}
	if x.HasAVX2 && x.HasFMA && x.HasPOPCNT {
		out = append(out, AVX2)
	}
	return out
}

func kernelNamed(k Kernel) *kernel {
	switch k {
	case AVX512:
		return &avx512
	case AVX2:
		return &avx2
	default:
		return &portable
	}
}

var avx512 = kernel{
	rank: func(dst *[lanes]uint16, x []float64, stride, n int, r *ranking) {
		rankAVX512(dst, &x[0], stride, n, &r.numbers[0], &r.start, r.levels)
	},
	spread: func(dst *[words]uint64, ranks *[lanes]uint16, c *column) {
		spreadAVX512(dst, ranks, int(c.from), c.missingLeft)
	},
	sets: setsVector,
	trees: func(acc *[blockRows]float64, cols []uint64, heads []head, splits []split, values []float64, groups int) {
		if groups == blockGroups {
			treesAVX512x4(&acc[0], colsAt(cols, 0), &heads[0], len(heads), first(splits), &values[0])
			return
		}
		for g := range groups {
			treesAVX512(&acc[g*lanes], colsAt(cols, g), &heads[0], len(heads), first(splits), &values[0])
		}
	},
	rankRow: func(dst []uint16, row []float64, rankings []ranking) {
		rankRowAVX512(&dst[0], &row[0], &rankings[0], len(rankings))
	},
	ways: func(s *explainScratch, t *explainTile) {
		if len(t.few) > 0 {
			waysAVX512(s, t)
			return
		}
		waysAVX2(s, t)
	},
	explain: func(s *explainScratch, t *explainTile, r *rule, states []float64) {
		if t.points == width {
			explainEight(s, t, r, &states[0])
			return
		}
		explainFour(s, t, r, &states[0])
	},
	walkRow: func(numbers *[lanes]byte, columns *[256]byte, data []byte, right []uint64, steps, used int) {
		walkRowAVX512(numbers, columns, &data[0], &right[0], steps, used > 128)
	},
}

var avx2 = kernel{
	rank: func(dst *[lanes]uint16, x []float64, stride, n int, r *ranking) {
		rankAVX2(dst, &x[0], stride, n, &r.numbers[0], &r.start, r.levels)
	},
	spread: func(dst *[words]uint64, ranks *[lanes]uint16, c *column) {
		spreadAVX2(dst, ranks, int(c.from), c.missingLeft)
	},
	sets: setsVector,
	trees: func(acc *[blockRows]float64, cols []uint64, heads []head, splits []split, values []float64, groups int) {
		for g := range groups {
			treesAVX2(&acc[g*lanes], colsAt(cols, g), &heads[0], len(heads), first(splits), &values[0])
		}
	},
	rankRow: func(dst []uint16, row []float64, rankings []ranking) {
		var rank [lanes]uint16
		for i := range rankings {
			r := &rankings[i]
			rankAVX2(&rank, &row[r.feature], 0, 1, &r.numbers[0], &r.start, r.levels)
			dst[i] = rank[0]
		}
	},
	walkRow: func(numbers *[lanes]byte, columns *[256]byte, data []byte, right []uint64, steps, used int) {
		walkRowAVX2(numbers, columns, &data[0], &right[0], steps, (used+15)/16)
	},
	ways: waysAVX2,
	explain: func(s *explainScratch, t *explainTile, r *rule, states []float64) {
		if t.points == half {
			explainFour(s, t, r, &states[0])
			return
		}
		explainTwice(s, t, r, &states[0], 0)
		explainTwice(s, t, r, &states[0], half*8)
	},
}

// setsVector is the same for AVX-512, where it is a small part of the work.
func setsVector(cols []uint64, ops []setSplit) { setsAVX2(&cols[0], &ops[0], len(ops)) }

// first returns where splits begin: nowhere if all trees are single leaves.
func first(splits []split) *split {
	if len(splits) == 0 {
		return nil
	}
	return &splits[0]
}

// colsAt returns where a group's columns begin: nowhere if there are none.
func colsAt(cols []uint64, g int) *uint64 {
	if len(cols) == 0 {
		return nil
	}
	return &cols[g*words]
}

// The assembly reads what portable.go reads and writes the same bits.

//go:noescape
func rankAVX512(dst *[lanes]uint16, x *float64, stride, n int, numbers *float64, start *[4]int, levels int)

//go:noescape
func rankRowAVX512(dst *uint16, row *float64, rankings *ranking, n int)

//go:noescape
func walkRowAVX512(numbers *[lanes]byte, columns *[256]byte, data *byte, right *uint64, steps int, wide bool)

//go:noescape
func rankAVX2(dst *[lanes]uint16, x *float64, stride, n int, numbers *float64, start *[4]int, levels int)

//go:noescape
func spreadAVX512(dst *[words]uint64, ranks *[lanes]uint16, from int, missingLeft bool)

//go:noescape
func spreadAVX2(dst *[words]uint64, ranks *[lanes]uint16, from int, missingLeft bool)

// walkRowAVX2 reads columns in pages of 16.
//
//go:noescape
func walkRowAVX2(numbers *[lanes]byte, columns *[256]byte, data *byte, right *uint64, steps, pages int)

//go:noescape
func setsAVX2(cols *uint64, ops *setSplit, n int)

// treesAVX512x4 adds the trees to the four groups of a block, treesAVX512 and
// treesAVX2 to one.
//
//go:noescape
func treesAVX512x4(acc *float64, cols *uint64, heads *head, n int, splits *split, values *float64)

//go:noescape
func treesAVX512(acc *float64, cols *uint64, heads *head, n int, splits *split, values *float64)

//go:noescape
func treesAVX2(acc *float64, cols *uint64, heads *head, n int, splits *split, values *float64)

//go:noescape
func waysAVX2(s *explainScratch, t *explainTile)

// waysAVX512 holds all answers in registers.
//
//go:noescape
func waysAVX512(s *explainScratch, t *explainTile)

// explainFour takes vectors of four points.
//
//go:noescape
func explainFour(s *explainScratch, t *explainTile, r *rule, states *float64)

// explainTwice takes half of vectors of eight points, from a byte on.
//
//go:noescape
func explainTwice(s *explainScratch, t *explainTile, r *rule, states *float64, first int)

// explainEight takes vectors of eight points, by AVX-512.
//
//go:noescape
func explainEight(s *explainScratch, t *explainTile, r *rule, states *float64)
