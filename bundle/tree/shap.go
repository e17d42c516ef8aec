package tree

import "sync"

// Explainer computes the exact contribution of every feature to the margin of
// a row: the Shapley values of the path-dependent game of Lundberg et al.,
// "From local explanations to global understanding with explainable AI for
// trees", Nature Machine Intelligence 2, 2020 (TreeSHAP). In that game a
// feature that is not in the coalition sends the row down both branches,
// weighed by their cover.
//
// An explainer is immutable and safe for concurrent use.
//
// # Method
//
// Take one leaf of value v. Let feature j of the d distinct features on its
// path have hot[j] = 1 if the row goes the path's way at all nodes of j, else
// 0, and share[j], the product of the cover shares of the branches taken there.
// The leaf's game is v * prod over j of (hot[j] if j is known, else share[j]).
// By Owen ("Multilinear Extensions of Games", Management Science 18, 1972) the
// Shapley value of feature i is an integral over the diagonal,
//
//	phi[i] = integral from 0 to 1 of  v * (hot[i] - share[i]) * prod over j != i of (t*hot[j] + (1-t)*share[j])  dt
//
// The integrand is a polynomial in t of degree d-1, so Gauss and Legendre's
// rule with d/2 points (rounded up) gives the integral exactly; all factors
// and weights are positive, so nothing cancels, however deep the tree. As in
// Yu et al., "Linear TreeShap", NeurIPS 2022, the products are built along the
// edges on the way down and the leaves' values are added up on the way back,
// so that a tree costs (nodes x points), not (leaves x depth x depth).
type Explainer struct {
	forest *Forest
	base   float64
	parent []int32   // per node; -1 for a root
	before []int32   // per node: the nearest node above whose edge splits on the same feature, -1 if none. A node's edge leads to it from its parent
	share  []float64 // per node: product of cover shares over the edges of its edge's feature, from the root to the node
	rules  []*rule   // per tree
	pool   sync.Pool // of *explainScratch
}

type explainScratch struct {
	path []float64 // per node of a tree and point: product of factors on the way down, then sum of leaf values on the way up
	hot  []bool    // per node of a tree
}

// NewExplainer prepares the explanation of a forest that has passed
// [Forest.Check]. The forest may not be changed afterwards.
func NewExplainer(f *Forest) *Explainer {
	n := len(f.Feature)
	e := &Explainer{
		forest: f, base: f.Base,
		parent: make([]int32, n), before: make([]int32, n), share: make([]float64, n),
	}
	reach := make([]float64, n)  // share of the cover that reaches the node
	distinct := make([]int32, n) // distinct features above the node
	rules := map[int]*rule{}
	values, nodes := 0, 0
	for t := range len(f.Root) - 1 {
		lo, hi := f.Root[t], f.Root[t+1]
		e.parent[lo], e.before[lo], e.share[lo], reach[lo] = -1, -1, 1, 1
		deepest := int32(0)
		for i := lo; i < hi; i++ {
			deepest = max(deepest, distinct[i])
			if f.Left[i] < 0 {
				e.base += float64(f.Value[i] * reach[i])
				continue
			}
			left, right := f.Left[i], f.Right[i]
			toLeft := coverShare(f.Cover[left], f.Cover[right])
			before := e.edgeAbove(i)
			for _, c := range [...]struct {
				node  int32
				share float64
			}{{left, toLeft}, {right, 1 - toLeft}} {
				e.parent[c.node], e.before[c.node] = i, before
				reach[c.node] = float64(reach[i] * c.share)
				e.share[c.node] = c.share
				distinct[c.node] = distinct[i] + 1
				if before >= 0 {
					e.share[c.node] = float64(e.share[before] * c.share)
					distinct[c.node] = distinct[i]
				}
			}
		}
		points := max(1, int(deepest+1)/2)
		if rules[points] == nil {
			rules[points] = legendre(points)
		}
		e.rules = append(e.rules, rules[points])
		values = max(values, int(hi-lo)*points)
		nodes = max(nodes, int(hi-lo))
	}
	e.pool.New = func() any {
		return &explainScratch{path: make([]float64, values), hot: make([]bool, nodes)}
	}
	return e
}

// coverShare returns the share of the left branch; half if no row ever came.
func coverShare(left, right float64) float64 {
	if left+right > 0 {
		return left / (left + right)
	}
	return 0.5
}

// edgeAbove returns the lowest node on the way from the root to i, i included,
// whose edge splits on the feature of node i; -1 if there is none.
func (e *Explainer) edgeAbove(i int32) int32 {
	feature := e.forest.Feature[i]
	for n := i; e.parent[n] >= 0; n = e.parent[n] {
		if e.forest.Feature[e.parent[n]] == feature {
			return n
		}
	}
	return -1
}

// Contributions sets dst[j] to the contribution of feature j to the margin of
// the row and returns the base, the mean margin of the training rows as the
// covers tell it. The base plus the sum of dst is the margin, up to rounding.
// dst and row have one value per feature. It does not allocate.
func (e *Explainer) Contributions(dst, row []float64) (base float64) {
	clear(dst[:e.forest.Features])
	s := e.pool.Get().(*explainScratch)
	for t := range e.rules {
		e.explainTree(t, dst, row, s)
	}
	e.pool.Put(s)
	return e.base
}

// Contributions is [Explainer.Contributions] for a single row; for more, make
// one [Explainer] and keep it.
func (f *Forest) Contributions(dst, row []float64) (base float64) {
	return NewExplainer(f).Contributions(dst, row)
}

// explainTree adds the contributions of tree t to dst. Since children stand
// behind their parents, going down is counting up and going back is counting
// down.
func (e *Explainer) explainTree(t int, dst, row []float64, s *explainScratch) {
	f, r := e.forest, e.rules[t]
	lo, hi := f.Root[t], f.Root[t+1]
	q := len(r.t)
	path := s.path[:int(hi-lo)*q]
	copy(path, r.w)
	for i := lo; i < hi; i++ {
		own := path[int(i-lo)*q:][:q]
		if f.Left[i] < 0 {
			for k := range own {
				own[k] *= f.Value[i]
			}
			continue
		}
		goesLeft := f.goesLeft(i, row[f.Feature[i]])
		before := e.before[f.Left[i]]
		hotSoFar := before < 0 || s.hot[before-lo]
		for _, c := range [...]int32{f.Left[i], f.Right[i]} {
			hot := hotSoFar && (c == f.Left[i]) == goesLeft
			s.hot[c-lo] = hot
			r.descend(path[int(c-lo)*q:][:q], own, e.share[c], hot)
			if before >= 0 {
				r.undo(path[int(c-lo)*q:][:q], e.share[before], hotSoFar)
			}
		}
		clear(own)
	}
	for i := hi - 1; i > lo; i-- {
		own, above := path[int(i-lo)*q:][:q], path[int(e.parent[i]-lo)*q:][:q]
		j := f.Feature[e.parent[i]]
		dst[j] += r.part(own, e.share[i], s.hot[i-lo])
		if b := e.before[i]; b >= 0 {
			// The sum over everything below edge b counts these leaves with
			// b's factor; theirs is the one of the lower edge.
			dst[j] -= r.part(own, e.share[b], s.hot[b-lo])
		}
		for k := range own {
			above[k] += own[k]
		}
	}
}
