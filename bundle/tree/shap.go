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
//	D*share[c]/F/F * (U[h] - U[c])  =  D*y * (U[right] - U[left]),  y = +-share[c]/F/F
//
// If hot = 0, the factor changes from u*share to u*share*p, p being the cover
// share of a child: g is that of the right one, and y = 0, for the coefficient
// -1/u does not change.
//
// Where the feature was not split on above, F = 1, and with s the share of the
// right child, and right = 1 if the row goes there, else 0,
//
//	g = right*t + u*s      y = right - s
//
// Elsewhere g and y are looked up: there are three cases, prepared at load. To
// have one program for all nodes, s is 0 there, and what is looked up is right*t
// and right at the other nodes. So a node costs nine instructions on the way
// down and sixteen on the way back. A node with two leaves (a twig), one with
// a leaf and a twig (a chain), one with two twigs (a fork) and one with a leaf
// and a chain (a stalk) are worked out at once where the way down ends.
//
// # Points
//
// At t = 0 all features but i are unknown, so the integrand for i depends on
// the value of feature i alone: for the whole forest it is a table by the
// value's rank. The rule of Gauss and Radau with that point and four others is
// exact for trees with up to nine features on a path, so that four points of
// a node fill a vector of 256 bits; a tree with one feature is all in the table.
// A path with one feature more needs no other points if its last node is the
// first to split on that feature: for each of the ten features the integrand's
// leading coefficient is v * prod over j of (hot[j] - share[j]), and the rule lacks that
// times a constant (a tail). Other trees take eight points at a time, and those
// with categorical splits do without the table.
//
// # Tiles
//
// Several trees go together, level by level, so that a node need not wait for
// its parent, and loops are long. Where nodes look up is known beforehand, from
// the ranks of the row's values, for 32 nodes at a time.
type Explainer struct {
	forest   *Forest
	base     float64
	features int
	tiles    []explainTile
	rankings []ranking
	alone    [][]float64 // per ranking: phi from t = 0, by rank, that of missing values last
	asked    []asked
	single   []int32 // nodes whose questions, the last, are asked of the forest
	kernel   *kernel
	pool     sync.Pool // of *explainScratch
}

// explainTile is trees that are worked on together. Pair i of vectors belongs to
// the children of nodes[i]; the vectors of the roots stand before the pairs. A
// vector is D until it becomes U.
type explainTile struct {
	questions []uint32 // of all nodes, as they stand below, and some to fill up waysAtOnce
	few       []uint8  // the same; empty if there are more than fewQuestions
	limits    []uint16 // a row goes right if the answer is greater
	repeats   []repeat // parents first
	shares    []repeatShares
	nodes     []explainNode // by themselves, parents first
	forks     []explainFork
	stalks    []explainStalk
	chains    []explainChain
	plain     []plainTwig   // twigs that are no repeats
	twigs     []explainTwig // twigs that are
	leaves    []explainLeaf // not on twigs
	tails     []explainTail
	points    int // of a vector: half or width
	roots     int // trees
	pairs     int // where the pairs begin, in bytes
	rules     []rule
	states    []float64 // by rule: what nodes look up; nil if they are made for each row
}

// repeat is a node whose feature is split on above it.
type repeat struct {
	node, before uint32 // numbers among questions; before is the last node above with the feature
	hot          uint32 // what before looks up if the row goes this way at all nodes of the feature
	base         uint32 // where the three cases begin
}

// repeatShares are the products of cover shares over the feature's edges from
// the root to the node and to its children, and the right child's share among
// the node's rows.
type repeatShares struct{ above, left, right, split float64 }

// explainNode is a node that is worked on by itself.
type explainNode struct {
	share   float64 // s; 0 at a repeat
	from    uint32  // where its D and U are, in bytes
	feature uint32  // where its sum is, in bytes
}

// plainTwig is a node with two leaves whose feature is not split on above. U is
// value - u*lost, and phi D*lost.
type plainTwig struct {
	cases         [2]twigCase // the row goes left, right
	from, feature uint32
}

type twigCase struct{ value, lost float64 }

// edgeCase is of the way to one child: hot is 1 if the row goes there, else 0,
// and lost is hot less the child's share. Its factor is hot - u*lost.
type edgeCase struct{ hot, lost float64 }

// explainChain is a node, no repeat, with a leaf and a plain twig. D of the twig
// is D*(hot - u*lost), and phi of the node D*lost*(U[twig]-leaf).
type explainChain struct {
	cases    [2]edgeCase // the row goes left, right
	twig     [2]twigCase
	leaf     float64
	features [2]uint32 // of the node and the twig
	from     uint32
}

// explainFork is a node with two plain twigs, none of them repeats.
type explainFork struct {
	cases       [2]edgeCase // the row goes left, right; of the right twig
	left, right [2]twigCase
	features    [3]uint32 // of the node and the twigs
	from        uint32
}

// explainStalk is a node, no repeat, with a leaf and a chain.
type explainStalk struct {
	cases, chain [2]edgeCase // of the chain and its twig
	twig         [2]twigCase
	leaf, low    float64 // of the node and the chain
	features     [3]uint32
	from         uint32
}

// explainTwig is a node with two leaves whose feature is split on above.
type explainTwig struct {
	explainNode
	low, delta float64 // value of the left leaf; what the right one has more
}

// explainLeaf is a leaf that is not on a twig.
type explainLeaf struct {
	value float64
	at    uint64 // where its U is, in bytes
}

// explainTail is a twig, no repeat, whose feature is one more on its path than
// the rule is exact for.
type explainTail struct {
	edges [maxRadau + 1]tailEdge // to the right leaf
	scale float64                // what the right leaf's value is more than the left one's, times radauLack
}

// tailEdge is the last edge of a feature on a path.
type tailEdge struct {
	share   float64 // product of cover shares over the feature's edges
	node    uint32  // among questions
	hot     uint32  // what node looks up if the row goes the path's way at all nodes of the feature
	feature uint32
}

// explainScratch is the working memory of one row.
type explainScratch struct {
	ranks   []uint16
	answers []uint16  // per question, and a place more
	ways    []uint32  // per node of a tile: where what it looks up is, in bytes
	down    []float64 // D, then U
	states  []float64
	sums    []vector // per feature
}

const (
	fewQuestions = 64 // that a kernel may hold in registers
	waysAtOnce   = 32
)

// tilePairs bounds the vectors of a tile, so that they stay in the first cache
// (unless a single tree has more).
const tilePairs = 256

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
	b := newExplainBuilder(e, questions)
	trees := b.survey()
	for _, class := range [...]struct {
		points int
		start  bool
	}{{half, true}, {half, false}, {width, false}} {
		var tile []explainTree
		pairs := 0
		for _, t := range trees {
			if t.inner == 0 || t.points() != class.points || t.start != class.start {
				continue
			}
			if t.start && t.longest == 1 {
				// The integrand is the same at all t.
				for n := t.root; n <= t.root+int32(2*t.inner); n++ {
					if f.Left[n] < 0 {
						b.addAlone(n, 1)
					}
				}
				continue
			}
			if pairs += t.alone; len(tile) > 0 && (pairs*class.points > tilePairs*half || t.rules() != tile[0].rules()) {
				b.addTile(tile)
				tile, pairs = tile[:0], t.alone
			}
			tile = append(tile, t)
		}
		if len(tile) > 0 {
			b.addTile(tile)
		}
	}
	b.finishAlone()
	nodes, doubles, states := 0, 0, 0
	for i := range e.tiles {
		t := &e.tiles[i]
		nodes = max(nodes, len(t.questions))
		doubles = max(doubles, t.pairs/8+2*t.points*len(t.nodes))
		if t.states == nil {
			states = max(states, t.stateDoubles())
		}
	}
	e.pool.New = func() any {
		return &explainScratch{
			ranks:   make([]uint16, len(e.rankings)),
			answers: make([]uint16, max(fewQuestions, len(e.asked)+len(e.single)+1)),
			ways:    make([]uint32, nodes),
			down:    make([]float64, doubles),
			states:  make([]float64, states),
			sums:    make([]vector, f.Features),
		}
	}
	return e, nil
}

// question says how the way from a node is found: right if the answer is
// greater than the limit.
type question struct {
	number uint32 // of the answer
	limit  uint16
	ranked bool
}

// asked is a question that is answered by a rank.
type asked struct {
	ranking int32
	missing uint16 // in place of missingRank
}

// ask makes the rankings and returns each inner node's question: the rank of
// its feature among the thresholds, missing values first or last, or what the
// forest says.
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
			e.alone = append(e.alone, make([]float64, n+3))
		}
	}
	ranking := make([]int32, f.Features)
	for i := range e.rankings {
		ranking[e.rankings[i].feature] = int32(i)
	}
	out := make([]question, len(f.Feature))
	numbers := make([]uint32, 2*f.Features) // plus one
	for n, j := range f.Feature {
		if f.Left[n] < 0 || f.Set[n] >= 0 || len(thresholds[j]) > maxRanks {
			continue
		}
		a, key := asked{ranking[j], missingRank}, 2*j
		if f.MissingLeft[n] {
			a.missing, key = 0, 2*j+1
		}
		if numbers[key] == 0 {
			e.asked = append(e.asked, a)
			numbers[key] = uint32(len(e.asked))
		}
		i, _ := slices.BinarySearch(thresholds[j], f.Threshold[n])
		out[n] = question{numbers[key] - 1, uint16(i), true}
	}
	for n := range out {
		if f.Left[n] >= 0 && !out[n].ranked {
			out[n].number = uint32(len(e.asked) + len(e.single))
			e.single = append(e.single, int32(n))
		}
	}
	return out
}

// Contributions sets dst[j] to the contribution of feature j to the margin of
// the row and returns the base, the mean margin of the training rows as the
// covers tell it. The base plus the sum of dst is the margin, up to rounding.
// dst and row have one value per feature. It does not allocate.
func (e *Explainer) Contributions(dst, row []float64) (base float64) {
	s := e.pool.Get().(*explainScratch)
	e.answer(s, row)
	clear(s.sums)
	for i := range e.tiles {
		t := &e.tiles[i]
		e.kernel.ways(s, t)
		for k := range t.rules {
			states := t.states
			if states == nil {
				states = s.states
				t.fill(states, &t.rules[k])
			}
			e.kernel.explain(s, t, &t.rules[k], states)
		}
		s.addTails(t)
	}
	for j := range dst[:e.features] {
		v := &s.sums[j]
		dst[j] = ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]))
	}
	for i, table := range e.alone {
		dst[e.rankings[i].feature] += table[min(int(s.ranks[i]), len(table)-1)]
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
	for i, a := range e.asked {
		answer := s.ranks[a.ranking]
		if answer == missingRank {
			answer = a.missing
		}
		s.answers[i] = answer
	}
	for i, n := range e.single {
		answer := uint16(1)
		if f.goesLeft(n, row[f.Feature[n]]) {
			answer = 0
		}
		s.answers[len(e.asked)+i] = answer
	}
}

// Contributions is [Explainer.Contributions] for a single row; for more, make
// one [Explainer] and keep it.
func (f *Forest) Contributions(dst, row []float64) (base float64) {
	return NewExplainer(f).Contributions(dst, row)
}
