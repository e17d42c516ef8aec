package tree

import (
	"fmt"
	"sync"
)

// Interactor computes the exact interaction of every pair of features in the
// margin of a row: the SHAP interaction values of the path-dependent game (see
// [Explainer]), from Lundberg, Erion and Lee, "Consistent Individualized
// Feature Attribution for Tree Ensembles", 2018. They split a feature's
// contribution into what it does by itself and what it does with each other
// feature.
//
// It is immutable and safe for concurrent use. The bits of its results are the
// same on every processor.
//
// # Method
//
// With the words of [Explainer], a leaf's game has the interaction index
// (Grabisch and Roubens, "An axiomatic approach to the concept of interaction
// among players in cooperative games", 1999) of features i and j
//
//	integral from 0 to 1 of  v * (hot[i]-share[i]) * (hot[j]-share[j]) * prod over k not i, j of (t*hot[k] + (1-t)*share[k])  dt
//
// again by Owen's extension: it is the mean of the second difference over the
// diagonal. The polynomial has degree d-2, so d/2 points (rounded down) are
// exact. Only pairs of features on one way to a leaf interact, so a tree costs
// (leaves x depth x depth x points), whatever the number of features.
type Interactor struct {
	paths     *paths
	explainer *Explainer
	share     [][]float64 // per tree, as its ways: the product of the cover shares of the feature's branches
	rules     [][]point   // by number of points
	pool      sync.Pool   // of *interactScratch
}

// point is one of a Gauss-Legendre rule on [0, 1]; u is 1-t.
type point struct{ t, u, w float64 }

type interactScratch struct {
	off   []uint64
	delta []float64 // per feature of a way: (hot-share) / (t*hot + u*share)
	part  []float64 // contributions
}

// maxInteract bounds the steps of one row: some seconds.
const maxInteract int64 = 1 << 32

// NewInteractor prepares the interactions of a forest that has passed
// [Forest.Check]. The forest may not be changed afterwards. It returns an error
// if the trees are so deep that one row would take many seconds.
func NewInteractor(f *Forest) (*Interactor, error) {
	p, err := newPaths(f)
	if err != nil {
		return nil, err
	}
	x := &Interactor{paths: p, explainer: NewExplainer(f), rules: make([][]point, p.longest/2+1)}
	parent := make([]int32, len(f.Feature))
	steps := int64(0)
	for t := range p.trees {
		for i := f.Root[t]; i < f.Root[t+1]; i++ {
			if f.Left[i] >= 0 {
				parent[f.Left[i]], parent[f.Right[i]] = i, i
			}
		}
		shares := make([]float64, len(p.trees[t].ways))
		for _, leaf := range p.trees[t].leaves {
			d := len(leaf.way)
			if steps += int64(d*d) * int64(max(1, d/2)); steps > maxInteract {
				return nil, fmt.Errorf("tree %d: the trees are too many and too deep for interactions: up to %d features on the way to a leaf", t, p.longest)
			}
			share := shares[leaf.at:][:d]
			for k := range share {
				share[k] = 1
			}
			for k := leaf.node; k != f.Root[t]; k = parent[k] {
				n := parent[k]
				of := coverShare(f.Cover[f.Left[n]], f.Cover[f.Right[n]])
				if k == f.Right[n] {
					of = 1 - of
				}
				share[p.bit[n]] = float64(share[p.bit[n]] * of)
			}
			if x.rules[d/2] == nil {
				x.rules[d/2] = gauss(d / 2)
			}
		}
		x.share = append(x.share, shares)
	}
	x.pool.New = func() any {
		return &interactScratch{off: make([]uint64, p.size), delta: make([]float64, p.longest), part: make([]float64, f.Features)}
	}
	return x, nil
}

// gauss returns the rule with n points.
func gauss(n int) []point {
	parts, out := legendre(max(1, n)), make([]point, n)
	for k := range out {
		part, lane := &parts[k/width], k%width
		out[k] = point{part.t[lane], part.u[lane], part.w[lane]}
	}
	return out
}

// Interactions sets dst[i*Features+j] to the interaction of features i and j in
// the margin of the row, for i not j, and dst[i*Features+i] to what is left of
// the contribution of feature i: row i adds up to the contribution of i by
// [Explainer], up to rounding. dst is symmetric, half of what two features do
// together stands on either side. It returns the base, as the explainer does.
// It does not allocate.
func (x *Interactor) Interactions(dst, row []float64) (base float64) {
	p := x.paths
	n := p.forest.Features
	dst = dst[:n*n]
	clear(dst)
	s := x.pool.Get().(*interactScratch)
	for t := range p.trees {
		tree := &p.trees[t]
		p.follow(s.off, tree, row)
		for k := range tree.leaves {
			leaf := &tree.leaves[k]
			x.leaf(dst, s.delta[:len(leaf.way)], leaf, x.share[t][leaf.at:][:len(leaf.way)], s.off[leaf.slot:][:tree.words])
		}
	}
	base = x.explainer.Contributions(s.part, row)
	for i := range n {
		for j := range i {
			half := (dst[i*n+j] + dst[j*n+i]) / 2
			dst[i*n+j], dst[j*n+i] = half, half
		}
	}
	for i := range n {
		others := 0.0
		for j, v := range dst[i*n:][:n] {
			if j != i {
				others += v
			}
		}
		dst[i*n+i] = s.part[i] - others
	}
	x.pool.Put(s)
	return base
}

// leaf adds the interactions at a leaf, each to one of the two places of its
// pair. off is the set of features that lead the row off the way; delta is room
// for a number for each feature of it.
func (x *Interactor) leaf(dst, delta []float64, leaf *pathLeaf, share []float64, off []uint64) {
	isOff := func(k int) bool { return off[k/64]>>(k%64)&1 == 1 }
	for k := range share {
		if isOff(k) && share[k] == 0 {
			return // 0 with this feature known and unknown
		}
	}
	n := x.paths.forest.Features
	for _, at := range x.rules[len(share)/2] {
		product := float64(leaf.value * at.w)
		for k := range delta {
			if isOff(k) {
				delta[k] = -1 / at.u
				product = float64(product * float64(at.u*share[k]))
			} else {
				factor := at.t + float64(at.u*share[k])
				delta[k] = (1 - share[k]) / factor
				product = float64(product * factor)
			}
		}
		for a, i := range leaf.way {
			to, d := dst[int(i)*n:][:n], float64(product*delta[a])
			for b := a + 1; b < len(delta); b++ {
				to[leaf.way[b]] += float64(d * delta[b])
			}
		}
	}
}
