package tree

import (
	"slices"
	"sync"
)

// Explainer computes the exact contribution of every feature to the margin of
// a row: the Shapley values of the path-dependent game of Lundberg et al.,
// "From local explanations to global understanding with explainable AI for
// trees", Nature Machine Intelligence 2, 2020 (TreeSHAP). In that game a
// feature that is not in the coalition sends the row down both branches,
// weighed by their cover.
//
// An explainer is immutable and safe for concurrent use. The bits of its
// results are the same on every processor.
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
// rule with d/2 points (rounded up) gives the integral exactly. As in Yu et
// al., "Linear TreeShap", NeurIPS 2022, the products are built on the way down
// and the leaves' values are added up on the way back, so that a tree costs
// (nodes x points), not (leaves x depth x depth).
//
// # A node
//
// Write u = 1-t, and F = t*hot + u*share for the factor of the feature of a
// node n above the node (1 if it was not split on there), where hot and share
// are those of the edge b that splits on it last. Below, let D be the product
// of all factors above n, and U the sum, over the leaves below a node, of their
// values times the factors that change between the node and the leaf.
//
// If hot = 1, one child keeps it (h) and the other loses it (c). Their factors
// t + u*share[h] and u*share[c] add up to F, as their shares add up to share.
// So if g is the right child's factor divided by F,
//
//	D[right] = D*g      D[left] = D - D[right]      U[n] = U[left] + g*(U[right] - U[left])
//
// The leaves' coefficients (hot-share)/F differ from those at edge b by
// share[c]/F/F/(D[h]/D) below h and by -share[c]/F/F/(D[c]/D) below c, hence
// the node's share in phi of its feature is
//
//	D*share[c]/F/F * (U[h] - U[c])  =  D[c] / (u*F) * (U[h] - U[c])
//
// If hot = 0, the factor changes from u*share to u*share*p, p being the cover
// share of a child: g is that of the right one, and nothing is added to phi,
// for the coefficient -1/u does not change.
//
// Points are taken eight at a time.
type Explainer struct {
	forest   *Forest
	base     float64
	features int
	trees    []explainTree
	nodes    []explainNode // inner nodes of all trees
	values   []float64     // leaf values of all trees
	inverse  []vector      // 1/F, of the trees with one rule
	rankings []ranking
	single   []int32 // nodes whose question is asked of the forest; question 2*Features+k is that of single[k]
	inner    int     // nodes of the largest tree
	slots    int     // of the largest tree
	kernel   *kernel
	pool     sync.Pool // of *explainScratch
}

// explainTree is a tree: its inner nodes have the slots from 0, parents first;
// those with two leaves, the twigs, come last. The slots behind are of the
// leaves that are not on twigs.
type explainTree struct {
	nodes, values, inverse int // where its own begin
	inner, twigs           int
	leaves                 int       // not on twigs
	shares                 []float64 // of features above nodes that split on them again
	rules                  []rule    // one for every eight points
}

// explainNode is an inner node.
type explainNode struct {
	question    uint32
	answer      int32  // the row goes right if the question's value is greater
	before      uint32 // slot that the last edge above of the node's feature leads to; 0 if none
	left, right uint32 // slots
	from        uint32 // where D is: number of a vector in explainScratch.down
	inverse     uint32 // number of 1/F if the feature is hot above; 0 if it was not split on there
	feature     uint32

	share [2]float64 // of the right child: among its parent's rows; in its factor
}

// explainScratch is the working memory of one row.
type explainScratch struct {
	ranks   []uint16
	answers []int32  // per question
	sums    []vector // per feature
	down    []explainDown
	up      []vector // per slot: U
	hot     []uint32 // per slot: 1 if the row goes the way to here at all nodes of the parent's feature
	inverse []vector
}

// explainDown is what an inner node leaves behind on the way down; that of the
// node in slot k is number k+1, and number 0 has the weights of the points in
// left.
type explainDown struct {
	left, right vector // D of the children
	phi         vector // what U[right] - U[left] counts in phi
	g           vector
}

const downVectors = 4 // of an explainDown

// NewExplainer prepares the explanation of a forest that has passed
// [Forest.Check]. The forest may not be changed afterwards.
func NewExplainer(f *Forest) *Explainer {
	e, err := NewExplainerFor(f, Kernels()[0])
	if err != nil {
		panic(err) // a kernel of this processor
	}
	return e
}

// NewExplainerFor is [NewExplainer] for a given kernel. It returns an error if
// this processor does not run it.
func NewExplainerFor(f *Forest, k Kernel) (*Explainer, error) {
	if err := checkKernel(k); err != nil {
		return nil, err
	}
	e := &Explainer{forest: f, base: f.Base, features: f.Features, kernel: kernelNamed(k)}
	questions := e.ask()
	b := explainBuilder{e: e, parent: make([]int32, len(f.Feature)), share: make([]float64, len(f.Feature))}
	longest := 0
	for t := range len(f.Root) - 1 {
		b.addTree(t, questions)
		tree := &e.trees[t]
		e.inner, e.slots = max(e.inner, tree.inner), max(e.slots, tree.inner+tree.leaves)
		longest = max(longest, 1+len(tree.shares))
	}
	e.pool.New = func() any {
		return &explainScratch{
			ranks:   make([]uint16, len(e.rankings)),
			answers: make([]int32, 2*f.Features+len(e.single)),
			sums:    make([]vector, f.Features),
			down:    make([]explainDown, e.inner+1),
			up:      make([]vector, e.slots),
			hot:     make([]uint32, e.slots),
			inverse: make([]vector, longest),
		}
	}
	return e, nil
}

// question says how the answer of a node is found.
type question struct {
	slot   uint32
	answer int32
}

// ask makes the rankings and returns each inner node's question: the rank of
// its feature among the thresholds, missing values first (question 2j) or last
// (2j+1), or what the forest says.
func (e *Explainer) ask() []question {
	f := e.forest
	thresholds := make([][]float64, f.Features)
	for n, j := range f.Feature {
		if f.Left[n] >= 0 && f.Set[n] < 0 {
			thresholds[j] = append(thresholds[j], f.Threshold[n])
		}
	}
	for j, t := range thresholds {
		slices.Sort(t)
		thresholds[j] = slices.Compact(t)
		if n := len(thresholds[j]); n > 0 && n <= maxRanks {
			e.rankings = append(e.rankings, newRanking(j, thresholds[j]))
		}
	}
	out := make([]question, len(f.Feature))
	for n, j := range f.Feature {
		switch {
		case f.Left[n] < 0:
		case f.Set[n] < 0 && len(thresholds[j]) <= maxRanks:
			i, _ := slices.BinarySearch(thresholds[j], f.Threshold[n])
			out[n] = question{slot: uint32(2 * j), answer: int32(i)}
			if !f.MissingLeft[n] {
				out[n].slot++
			}
		default:
			out[n] = question{slot: uint32(2*f.Features + len(e.single))}
			e.single = append(e.single, int32(n))
		}
	}
	return out
}

// explainBuilder holds what is known of the nodes while trees are added.
type explainBuilder struct {
	e      *Explainer
	parent []int32
	share  []float64 // product of cover shares over the edges of the node's edge's feature, from the root to the node
	reach  []float64 // per node of the tree: share of the cover that reaches it
	above  []int32   // per node of the tree: distinct features above
	slot   []uint32  // per node of the tree
	from   []uint32  // per node of the tree: where its D is
	value  []int     // per leaf of the tree: where its value is
}

// number gives the nodes of a tree their slots and the leaves' values, those of
// twigs first, their places.
func (b *explainBuilder) number(tree *explainTree, lo, hi int32) {
	f := b.e.forest
	twig := func(n int32) bool { return f.Left[f.Left[n]] < 0 && f.Left[f.Right[n]] < 0 }
	for n := lo; n < hi; n++ {
		if f.Left[n] >= 0 {
			tree.inner++
			if twig(n) {
				tree.twigs++
			}
		}
	}
	next := [2]uint32{0, uint32(tree.inner - tree.twigs)}
	tree.leaves = tree.inner + 1 - 2*tree.twigs
	twigs, leaves := 0, 0
	for n := lo; n < hi; n++ {
		if f.Left[n] < 0 {
			continue
		}
		k := 0
		if twig(n) {
			k = 1
			b.value[f.Left[n]-lo], b.value[f.Right[n]-lo] = 2*twigs, 2*twigs+1
			twigs++
		} else {
			for _, c := range [...]int32{f.Left[n], f.Right[n]} {
				if f.Left[c] < 0 {
					b.slot[c-lo], b.value[c-lo] = uint32(tree.inner+leaves), 2*tree.twigs+leaves
					leaves++
				}
			}
		}
		b.slot[n-lo] = next[k]
		next[k]++
	}
}

func (b *explainBuilder) addTree(t int, questions []question) {
	e, f := b.e, b.e.forest
	lo, hi := f.Root[t], f.Root[t+1]
	size := int(hi - lo)
	b.reach, b.above = make([]float64, size), make([]int32, size)
	b.slot, b.from, b.value = make([]uint32, size), make([]uint32, size), make([]int, size)
	tree := explainTree{nodes: len(e.nodes), values: len(e.values), inverse: len(e.inverse)}
	b.number(&tree, lo, hi)
	e.nodes = append(e.nodes, make([]explainNode, tree.inner)...)
	e.values = append(e.values, make([]float64, 2*tree.twigs+tree.leaves)...)
	nodes, values := e.nodes[tree.nodes:], e.values[tree.values:]
	b.reach[0], b.parent[lo], b.share[lo] = 1, -1, 1
	deepest := int32(0)
	for n := lo; n < hi; n++ {
		deepest = max(deepest, b.above[n-lo])
		if f.Left[n] < 0 {
			e.base += float64(f.Value[n] * b.reach[n-lo])
			values[b.value[n-lo]] = f.Value[n]
			continue
		}
		left, right := f.Left[n], f.Right[n]
		toLeft := coverShare(f.Cover[left], f.Cover[right])
		before, shareAbove, above := b.edgeAbove(n), 1.0, b.above[n-lo]+1
		if before >= 0 {
			shareAbove, above = b.share[before], b.above[n-lo]
		}
		b.parent[left], b.parent[right] = n, n
		b.above[left-lo], b.above[right-lo] = above, above
		b.reach[left-lo], b.reach[right-lo] = float64(b.reach[n-lo]*toLeft), float64(b.reach[n-lo]*(1-toLeft))
		b.share[left], b.share[right] = float64(shareAbove*toLeft), float64(shareAbove*(1-toLeft))
		slot := b.slot[n-lo]
		x := explainNode{
			question: questions[n].slot, answer: questions[n].answer, feature: uint32(f.Feature[n]),
			left: b.slot[left-lo], right: b.slot[right-lo], from: b.from[n-lo],
			share: [2]float64{1 - toLeft, b.share[right]},
		}
		b.from[left-lo], b.from[right-lo] = downVectors*(slot+1), downVectors*(slot+1)+1
		if before >= 0 {
			x.before, x.inverse = b.slot[before-lo], uint32(1+len(tree.shares))
			tree.shares = append(tree.shares, shareAbove)
		}
		nodes[slot] = x
	}
	tree.rules = legendre(max(1, int(deepest+1)/2))
	if len(tree.rules) == 1 {
		e.inverse = append(e.inverse, make([]vector, 1+len(tree.shares))...)
		tree.rules[0].fill(e.inverse[tree.inverse:], tree.shares)
	}
	e.trees = append(e.trees, tree)
}

// coverShare returns the share of the left branch; half if no row ever came.
func coverShare(left, right float64) float64 {
	if left+right > 0 {
		return left / (left + right)
	}
	return 0.5
}

// edgeAbove returns the lowest node on the way from the root to n, n included,
// whose edge splits on the feature of node n; -1 if there is none.
func (b *explainBuilder) edgeAbove(n int32) int32 {
	feature := b.e.forest.Feature
	for k := n; b.parent[k] >= 0; k = b.parent[k] {
		if feature[b.parent[k]] == feature[n] {
			return k
		}
	}
	return -1
}

// Contributions sets dst[j] to the contribution of feature j to the margin of
// the row and returns the base, the mean margin of the training rows as the
// covers tell it. The base plus the sum of dst is the margin, up to rounding.
// dst and row have one value per feature. It does not allocate.
func (e *Explainer) Contributions(dst, row []float64) (base float64) {
	s := e.pool.Get().(*explainScratch)
	e.answer(s, row)
	clear(s.sums)
	for t := range e.trees {
		tree := &e.trees[t]
		if tree.inner == 0 {
			continue
		}
		nodes, values := e.nodes[tree.nodes:][:tree.inner], e.values[tree.values:][:tree.inner+1]
		for k := range tree.rules {
			inverse := s.inverse
			if len(tree.rules) == 1 {
				inverse = e.inverse[tree.inverse:]
			} else {
				tree.rules[k].fill(inverse, tree.shares)
			}
			e.kernel.explain(s, nodes, tree.twigs, values, inverse, &tree.rules[k])
		}
	}
	for j := range dst[:e.features] {
		v := &s.sums[j]
		dst[j] = ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]))
	}
	e.pool.Put(s)
	return e.base
}

// answer answers the questions of all nodes.
func (e *Explainer) answer(s *explainScratch, row []float64) {
	f := e.forest
	if len(e.rankings) > 0 {
		e.kernel.rankRow(s.ranks, row, e.rankings)
	}
	for i := range e.rankings {
		j, rank := e.rankings[i].feature, int32(s.ranks[i])
		s.answers[2*j], s.answers[2*j+1] = rank, rank
		if rank == missingRank {
			s.answers[2*j] = 0
		}
	}
	for k, n := range e.single {
		s.answers[2*f.Features+k] = 1
		if f.goesLeft(n, row[f.Feature[n]]) {
			s.answers[2*f.Features+k] = 0
		}
	}
}

// Contributions is [Explainer.Contributions] for a single row; for more, make
// one [Explainer] and keep it.
func (f *Forest) Contributions(dst, row []float64) (base float64) {
	return NewExplainer(f).Contributions(dst, row)
}
