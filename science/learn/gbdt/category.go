package gbdt

import "slices"

// oneVsRest tries every category, missing among them, alone on the left.
func (q *search) oneVsRest(k int, f *feature, h *[256]sums) {
	g, hess := gradientOf(q.total), hessianOf(q.total)
	for _, bin := range present(f, h) {
		hl, gl := hessianOf(h[bin]), gradientOf(h[bin])
		if hl < q.minHessian || hess-hl < q.minHessian {
			continue
		}
		gain := q.side(gl, hl+q.lambda) + q.side(g-gl, hess-hl+q.lambda) - q.parent
		if gain > q.best.gain {
			q.keep(k, h, []uint8{bin}, gain, false)
		}
	}
}

// subsets puts the categories, missing among them, in the order of their
// smoothed mean gradient and tries the stretches at either end as the left
// side. The side's size, its steps and its penalty are limited, because among
// so many ways to divide some look good by chance.
func (q *search) subsets(k int, f *feature, h *[256]sums) {
	smooth := float64(q.s.catSmooth * q.hessian)
	least := q.s.catSmooth * (1 - roundedRows)
	var space [256]uint64
	keys := space[:0] // the mean gradient, and in its last, meaningless bits the bin
	for _, bin := range present(f, h) {
		if hess := hessianOf(h[bin]); float64(hess*q.rowsPer) >= least {
			keys = append(keys, keyOf(gradientOf(h[bin])/(hess+smooth)+0)&^0xff|uint64(bin))
		}
	}
	slices.Sort(keys)
	var bins [256]uint8
	order := bins[:len(keys)]
	for i, key := range keys {
		order[i] = uint8(key)
	}
	q.stretches(k, order, h)
	slices.Reverse(order)
	q.stretches(k, order, h)
}

// stretches tries the first categories of the order as the left side.
func (q *search) stretches(k int, order []uint8, h *[256]sums) {
	g, hess := gradientOf(q.total), hessianOf(q.total)
	lambda := q.lambda + float64(q.s.catLambda*q.hessian)
	minStep := float64(q.s.catMinRows*(1-roundedRows)) / q.rowsPer
	left, step := sums(0), 0.0
	for i := range min(len(order), int(q.s.catSide), (len(order)+1)/2) {
		left += h[order[i]]
		step += hessianOf(h[order[i]])
		hl := hessianOf(left)
		hr := hess - hl
		if hr < q.minHessian || hr < minStep {
			return
		}
		if hl < q.minHessian || step < minStep {
			continue
		}
		step = 0
		gl := gradientOf(left)
		gain := q.side(gl, hl+lambda) + q.side(g-gl, hr+lambda) - q.parent
		if gain > q.best.gain {
			q.keep(k, h, order[:i+1], gain, true)
		}
	}
}

// keep makes the split by the given bins the best one.
func (q *search) keep(k int, h *[256]sums, bins []uint8, gain float64, subset bool) {
	q.best = split{gain: gain, feature: k, subset: subset, missingSeen: h[missingBin] != 0}
	for _, bin := range bins {
		q.best.left.add(bin)
		q.best.leftSums += h[bin]
	}
	if !q.best.missingSeen && hessianOf(q.best.leftSums) >= hessianOf(q.total)/2 {
		q.best.left.add(missingBin)
	}
}

// present returns the bins of f's categories that occur in the node, missing
// last. otherBin is not among them: it always goes right, as the categories
// that were never seen do.
func present(f *feature, h *[256]sums) []uint8 {
	bins := make([]uint8, 0, f.count+1)
	for b := range f.count {
		if h[b] != 0 {
			bins = append(bins, uint8(b))
		}
	}
	if h[missingBin] != 0 {
		bins = append(bins, missingBin)
	}
	return bins
}
