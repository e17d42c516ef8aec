package gbdt

import "github.com/tandem-ml/tandem/science/learn/gbdt/internal/kernel"

// set is a set of bins, one bit each.
type set [4]uint64

func (s *set) add(bin uint8)      { s[bin>>6] |= 1 << (bin & 63) }
func (s *set) remove(bin uint8)   { s[bin>>6] &^= 1 << (bin & 63) }
func (s *set) has(bin uint8) bool { return s[bin>>6]>>(bin&63)&1 != 0 }

// split is a way to divide a node. Its zero value is no split: every real one
// has a gain above zero.
type split struct {
	gain        float64 // in fixed-point units, comparable within a tree
	feature     int     // of the matrix
	bin         int     // numeric: the last bin that goes left
	left        set     // the bins that go left, missingBin among them if missing does
	leftSums    sums
	subset      bool // by a set of several categories: leaf values get the further penalty
	missingSeen bool // missing values had a say in where they go
}

// before reports whether s is a better split than o: of equal ones it is the
// one by the earlier feature.
func (s *split) before(o *split) bool {
	return s.gain > o.gain || s.gain == o.gain && s.gain > 0 && s.feature < o.feature
}

// search finds the best split of one node. Everything in it is in fixed-point
// units: the gain in real units is the gain here times scales.h/scales.g², the
// same factor for all nodes of a tree.
type search struct {
	s          *settings
	total      sums
	lambda     float64 // s.lambda in units of hessian
	hessian    float64 // one unit of real hessian
	rowsPer    float64 // weight of rows per unit of hessian, on average over the node
	minHessian float64 // smallest sum of hessians allowed in a child
	parent     float64 // what the undivided node is worth
	scan       func(h *[256]sums, edges int, q *kernel.Scan) int
	query      kernel.Scan // here, as one for each call would be garbage
	best       split

	// What only some settings need; plain says that none of them does.
	plain        bool
	alpha        float64   // s.alpha in units of gradient
	lower, upper float64   // bounds on the values of the node and all below it
	monotone     []float64 // per feature: 1 up, -1 down; nil: no constraints
	key          uint64    // of the random edges
}

// noise is the gain, in fixed-point units, that rounding alone can bring about
// in a node without signal: a stretch of n rows is off by about sqrt(n)/2
// units of gradient, and has n units of hessian times thousands.
const noise = 1e-3

// roundedRows is the share of min_rows by which the weight of a node may fall
// short because it is estimated from rounded hessians.
const roundedRows = 1e-4

func (g *grower) newSearch(n *node) search {
	s, scale := &g.s, g.scale
	q := search{s: s, scan: g.kernel.Scan, total: n.sums, hessian: scale.h, lambda: float64(s.lambda * scale.h),
		alpha: float64(s.alpha * scale.g), monotone: g.monotone,
		lower: float64(n.lower * (scale.g / scale.h)), upper: float64(n.upper * (scale.g / scale.h)),
		key: mix(g.key + uint64(n.number))}
	q.plain = s.alpha == 0 && g.monotone == nil && s.extraRandom == 0
	h := hessianOf(n.sums)
	q.rowsPer = n.weight / h
	q.minHessian = max(1, float64(s.minHessian*scale.h), float64(s.minRows*(1-roundedRows))/q.rowsPer)
	q.parent = q.side(gradientOf(n.sums), h+q.lambda)
	q.best.gain = max(noise, q.parent*1e-9)
	if s.minGain > 0 {
		q.best.gain = max(q.best.gain, float64(s.minGain*float64(scale.g*(scale.g/scale.h))))
	}
	return q
}

// worth is by how much a node's loss falls when it becomes a leaf, times two.
func worth(g, hPlusLambda float64) float64 { return float64(g*g) / hPlusLambda }

// side is worth for any settings.
func (q *search) side(g, hPlusLambda float64) float64 {
	if q.plain {
		return worth(g, hPlusLambda)
	}
	v := q.value(g, hPlusLambda)
	return -(float64(2*float64(g*v)) + float64(hPlusLambda*float64(v*v)) + float64(2*q.alpha*max(v, -v)))
}

// value is that of a leaf: the best one within the bounds.
func (q *search) value(g, hPlusLambda float64) float64 {
	return max(q.lower, min(q.upper, -shrink(g, q.alpha)/hPlusLambda))
}

// shrink brings g closer to 0 by alpha: the gradient at which the L1 penalty
// and the loss are in balance.
func shrink(g, alpha float64) float64 {
	if g > 0 {
		return max(0, g-alpha)
	}
	return min(0, g+alpha)
}

// rises reports whether two leaves side by side obey the constraint on feature
// k.
func (q *search) rises(k int, gl, hl, gr, hr float64) bool {
	if q.monotone == nil || q.monotone[k] == 0 {
		return true
	}
	return q.monotone[k]*(q.value(gr, hr)-q.value(gl, hl)) >= 0
}

// edge draws the only edge that is tried of feature k: from those between the
// node's smallest and largest value, with equal chances.
func (q *search) edge(k int, f *feature, h *[256]sums) int {
	low, high := 0, f.count-1
	for low < high && h[low] == 0 {
		low++
	}
	for high > low && h[high] == 0 {
		high--
	}
	edge := low + int(mix(q.key+uint64(k)*0x9e3779b97f4a7c15)%uint64(max(1, high-low)))
	for h[edge] == 0 && edge > low {
		edge-- // the same division: no row is between
	}
	return edge
}

// found returns the best split, or none if no split was better than noise.
func (q *search) found() split {
	if q.best.left == (set{}) {
		return split{}
	}
	return q.best
}

// try looks at all splits by feature k, whose histogram is h. Of equal gains
// the first one tried is kept: features in the matrix' order, then lower bins.
func (q *search) try(k int, f *feature, h *[256]sums) {
	switch {
	case !f.categorical():
		q.numeric(k, f, h)
	case f.count <= int(q.s.oneVsRest):
		q.oneVsRest(k, f, h)
	default:
		if f.count <= int(q.s.catSingle) {
			q.oneVsRest(k, f, h)
		}
		q.subsets(k, f, h)
	}
}

// numeric tries every edge, with the missing values right and then left.
func (q *search) numeric(k int, f *feature, h *[256]sums) {
	only := -1
	if q.s.extraRandom == 1 {
		only = q.edge(k, f, h)
	}
	missing := h[missingBin]
	if missing == 0 {
		q.sweep(k, f.count-1, only, h, 0, false)
		return
	}
	q.sweep(k, f.count, only, h, 0, true) // the last: all values against missing
	q.sweep(k, f.count-1, only, h, missing, true)
}

// sweep moves the bins 0..edges-1 one by one to the left side, which starts
// with the given sums of the missing values. If only is not negative, no other
// edge is tried.
func (q *search) sweep(k, edges, only int, h *[256]sums, missing sums, missingSeen bool) {
	best := -1
	if q.plain {
		q.query = kernel.Scan{Start: missing, Total: q.total, Lambda: q.lambda, MinHessian: q.minHessian, Parent: q.parent, Gain: q.best.gain}
		if best = q.scan(h, edges, &q.query); best >= 0 {
			q.best.gain, q.best.leftSums = q.query.Gain, q.query.Left
		}
	} else {
		best = q.careful(k, edges, only, h, missing)
	}
	if best < 0 {
		return
	}
	q.best = split{gain: q.best.gain, feature: k, bin: best, leftSums: q.best.leftSums, missingSeen: missingSeen}
	for b := range best + 1 {
		q.best.left.add(uint8(b))
	}
	if missing != 0 || !missingSeen && hessianOf(q.best.leftSums) >= hessianOf(q.total)/2 {
		q.best.left.add(missingBin)
	}
}

// careful is the kernel's scan for settings that are not plain.
func (q *search) careful(k, edges, only int, h *[256]sums, left sums) int {
	g, hess := gradientOf(q.total), hessianOf(q.total)
	best := -1
	for b := range edges {
		if h[b] == 0 {
			continue
		}
		left += h[b]
		if only >= 0 && b != only {
			continue
		}
		hl, gl := hessianOf(left), gradientOf(left)
		hr, gr := hess-hl, g-gl
		if hl < q.minHessian || hr < q.minHessian || !q.rises(k, gl, hl+q.lambda, gr, hr+q.lambda) {
			continue
		}
		if gain := q.side(gl, hl+q.lambda) + q.side(gr, hr+q.lambda) - q.parent; gain > q.best.gain {
			best, q.best.gain, q.best.leftSums = b, gain, left
		}
	}
	return best
}
