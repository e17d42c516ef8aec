package tree

import "slices"

// explainBuilder holds what is known of the forest's nodes while tiles are made.
type explainBuilder struct {
	e         *Explainer
	questions []question
	parent    []int32
	level     []int32   // edges above
	above     []int32   // distinct features above
	before    []int32   // of inner nodes: the lowest node above, or itself, whose edge splits on its feature; -1
	share     []float64 // product of cover shares over the edges of the node's edge's feature, from the root to the node
	reach     []float64 // share of the cover that reaches the node
	from      []uint32  // where its D and U are
	number    []uint32  // of inner nodes, in the tile
	kinds     []kind
	ranking   []int32   // per feature; -1 if none
	always    []float64 // per ranking: what unknown features give
}

// explainTree is what decides how a tree is worked on.
type explainTree struct {
	root    int32
	inner   int
	alone   int  // inner nodes that are worked on by themselves
	longest int  // distinct features on a path
	start   bool // t = 0 is from the table
}

// points returns how many points a vector of the tree has.
func (t *explainTree) points() int {
	if t.start || t.longest <= 2*half {
		return half
	}
	return width
}

// rules returns how many vectors of points the tree needs.
func (t *explainTree) rules() int { return max(1, (t.longest+2*width-1)/(2*width)) }

func newExplainBuilder(e *Explainer, questions []question) *explainBuilder {
	n := len(e.forest.Feature)
	b := &explainBuilder{
		e: e, questions: questions,
		parent: make([]int32, n), level: make([]int32, n), above: make([]int32, n), before: make([]int32, n),
		share: make([]float64, n), reach: make([]float64, n), from: make([]uint32, n), number: make([]uint32, n), kinds: make([]kind, n),
		ranking: make([]int32, e.features), always: make([]float64, len(e.rankings)),
	}
	for j := range b.ranking {
		b.ranking[j] = -1
	}
	for i := range e.rankings {
		b.ranking[e.rankings[i].feature] = int32(i)
	}
	return b
}

// survey looks at all trees, from the roots to the leaves.
func (b *explainBuilder) survey() []explainTree {
	e, f := b.e, b.e.forest
	trees := make([]explainTree, len(f.Root)-1)
	for t := range trees {
		lo, hi := f.Root[t], f.Root[t+1]
		tree := explainTree{root: lo}
		ranked := true
		b.reach[lo], b.parent[lo], b.share[lo] = 1, -1, 1
		for n := lo; n < hi; n++ {
			tree.longest = max(tree.longest, int(b.above[n]))
			if f.Left[n] < 0 {
				e.base += float64(f.Value[n] * b.reach[n])
				continue
			}
			left, right := f.Left[n], f.Right[n]
			tree.inner++
			ranked = ranked && b.questions[n].ranked
			toLeft := coverShare(f.Cover[left], f.Cover[right])
			before, shareAbove, above := b.edgeAbove(n), 1.0, b.above[n]+1
			if before >= 0 {
				shareAbove, above = b.share[before], b.above[n]
			}
			b.before[n] = before
			for i, c := range [...]int32{left, right} {
				share := [...]float64{toLeft, 1 - toLeft}[i]
				b.parent[c], b.level[c], b.above[c] = n, b.level[n]+1, above
				b.reach[c], b.share[c] = float64(b.reach[n]*share), float64(shareAbove*share)
			}
		}
		tree.alone = b.sort(lo, hi)
		tree.start = ranked && (tree.longest <= maxRadau || tree.longest == maxRadau+1 && b.hasTailsOnly(lo, hi))
		trees[t] = tree
	}
	return trees
}

// hasTailsOnly tells whether all paths with more features than the rule is exact
// for have one more, which their last node, with two leaves, is the first to split on.
func (b *explainBuilder) hasTailsOnly(lo, hi int32) bool {
	for n := lo; n < hi; n++ {
		if p := b.parent[n]; b.above[n] > maxRadau && !(b.isTail(p) && b.before[p] < 0) {
			return false
		}
	}
	return true
}

// isTail tells whether inner node n has two leaves, with more features above
// than the rule is exact for.
func (b *explainBuilder) isTail(n int32) bool {
	f := b.e.forest
	return f.Left[n] >= 0 && f.Left[f.Left[n]] < 0 && f.Left[f.Right[n]] < 0 && b.above[f.Left[n]] > maxRadau
}

// kind says how a node is worked on.
type kind uint8

const (
	isLeaf  kind = iota
	isInner      // by itself
	isPlain      // a twig that is no repeat
	isTwig       // a twig that is one
	isChain
	isFork
	isStalk
	isPart // of a chain, a fork or a stalk
)

// sort sets the kinds of the nodes of a tree, and returns how many are worked on by themselves.
func (b *explainBuilder) sort(lo, hi int32) (inner int) {
	f := b.e.forest
	for n := hi - 1; n >= lo; n-- {
		if f.Left[n] < 0 {
			b.kinds[n] = isLeaf
			continue
		}
		k, l, r := isInner, b.kinds[f.Left[n]], b.kinds[f.Right[n]]
		switch l, r := min(l, r), max(l, r); {
		case b.before[n] >= 0:
			if r == isLeaf {
				k = isTwig
			}
		case r == isLeaf:
			k = isPlain
		case l == isLeaf && r == isPlain:
			k = isChain
		case l == isLeaf && r == isChain:
			k = isStalk
		case l == isPlain && r == isPlain:
			k = isFork
		}
		b.kinds[n] = k
	}
	for n := lo; n < hi; n++ {
		if k := b.kinds[n]; k == isInner {
			inner++
		} else if k == isChain || k == isFork || k == isStalk || k == isPart && f.Left[n] >= 0 {
			for _, c := range [...]int32{f.Left[n], f.Right[n]} {
				b.kinds[c] = isPart
			}
		}
	}
	return inner
}

// stem returns the leaf's and the other child of a node with a leaf, and
// what happens there.
func (b *explainBuilder) stem(n int32) (leaf, other int32, cases [2]edgeCase) {
	f := b.e.forest
	leaf, other = f.Left[n], f.Right[n]
	if f.Left[leaf] >= 0 {
		leaf, other = other, leaf
	}
	return leaf, other, b.edgeCases(n, other == f.Right[n])
}

// edgeCases returns what happens on the way from a node to a child if the row
// goes left and right.
func (b *explainBuilder) edgeCases(n int32, right bool) [2]edgeCase {
	f := b.e.forest
	toLeft := coverShare(f.Cover[f.Left[n]], f.Cover[f.Right[n]])
	if right {
		return [...]edgeCase{{0, toLeft - 1}, {1, toLeft}}
	}
	return [...]edgeCase{{1, 1 - toLeft}, {0, -toLeft}}
}

// sumAt returns where the sum of a node's feature is.
func (b *explainBuilder) sumAt(n int32) uint32 { return uint32(b.e.forest.Feature[n]) * 8 * width }

// twigCases returns what happens at a plain twig if the row goes left and right.
func (b *explainBuilder) twigCases(n int32) [2]twigCase {
	f := b.e.forest
	left, right := f.Left[n], f.Right[n]
	toLeft, delta := coverShare(f.Cover[left], f.Cover[right]), f.Value[right]-f.Value[left]
	return [...]twigCase{{f.Value[left], -float64((1 - toLeft) * delta)}, {f.Value[right], float64(toLeft * delta)}}
}

func (b *explainBuilder) newNode(n int32) explainNode {
	x := explainNode{from: b.from[n], feature: b.sumAt(n)}
	if f := b.e.forest; b.before[n] < 0 {
		x.share = 1 - coverShare(f.Cover[f.Left[n]], f.Cover[f.Right[n]])
	}
	return x
}

func (b *explainBuilder) newChain(n int32) explainChain {
	leaf, twig, cases := b.stem(n)
	return explainChain{
		cases: cases, twig: b.twigCases(twig), leaf: b.e.forest.Value[leaf],
		features: [...]uint32{b.sumAt(n), b.sumAt(twig)}, from: b.from[n],
	}
}

func (b *explainBuilder) newFork(n int32) explainFork {
	left, right := b.e.forest.Left[n], b.e.forest.Right[n]
	return explainFork{
		cases: b.edgeCases(n, true), left: b.twigCases(left), right: b.twigCases(right),
		features: [...]uint32{b.sumAt(n), b.sumAt(left), b.sumAt(right)}, from: b.from[n],
	}
}

func (b *explainBuilder) newStalk(n int32) explainStalk {
	leaf, chain, cases := b.stem(n)
	low, twig, chainCases := b.stem(chain)
	return explainStalk{
		cases: cases, chain: chainCases, twig: b.twigCases(twig),
		leaf: b.e.forest.Value[leaf], low: b.e.forest.Value[low],
		features: [...]uint32{b.sumAt(n), b.sumAt(chain), b.sumAt(twig)}, from: b.from[n],
	}
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

// addTile makes a tile of trees that have their points in common.
func (b *explainBuilder) addTile(trees []explainTree) {
	e, f := b.e, b.e.forest
	tile := explainTile{points: trees[0].points(), roots: len(trees)}
	vector := uint32(8 * tile.points)
	tile.pairs = (len(trees) + 1) / 2 * int(2*vector)
	var inner, forks, stalks, chains, plain, twigs, tails []int32
	for i, t := range trees {
		b.from[t.root] = uint32(i) * vector
		for n := t.root; n < t.root+int32(2*t.inner+1); n++ {
			if f.Left[n] < 0 && t.start {
				b.addAlone(n, radauStart)
			} else if t.start && b.isTail(n) {
				tails = append(tails, n)
			}
			switch b.kinds[n] {
			case isInner:
				inner = append(inner, n)
			case isFork:
				forks = append(forks, n, f.Left[n], f.Right[n])
			case isStalk:
				_, chain, _ := b.stem(n)
				_, twig, _ := b.stem(chain)
				stalks = append(stalks, n, chain, twig)
			case isChain:
				_, twig, _ := b.stem(n)
				chains = append(chains, n, twig)
			case isPlain:
				plain = append(plain, n)
			case isTwig:
				twigs = append(twigs, n)
			}
		}
	}
	slices.SortStableFunc(inner, func(m, n int32) int { return int(b.level[m] - b.level[n]) })
	for i, n := range inner {
		b.from[f.Left[n]] = uint32(tile.pairs) + uint32(i)*2*vector
		b.from[f.Right[n]] = b.from[f.Left[n]] + vector
		for _, c := range [...]int32{f.Left[n], f.Right[n]} {
			if f.Left[c] < 0 {
				tile.leaves = append(tile.leaves, explainLeaf{f.Value[c], uint64(b.from[c])})
			}
		}
	}
	for i, n := range slices.Concat(inner, forks, stalks, chains, plain, twigs) {
		b.number[n] = uint32(i)
		tile.addQuestion(b.questions[n])
		if b.before[n] >= 0 {
			tile.addRepeat(b, n)
		}
		switch b.kinds[n] {
		case isInner:
			tile.nodes = append(tile.nodes, b.newNode(n))
		case isFork:
			tile.forks = append(tile.forks, b.newFork(n))
		case isStalk:
			tile.stalks = append(tile.stalks, b.newStalk(n))
		case isChain:
			tile.chains = append(tile.chains, b.newChain(n))
		case isPlain:
			tile.plain = append(tile.plain, plainTwig{b.twigCases(n), b.from[n], b.sumAt(n)})
		case isTwig:
			low := f.Value[f.Left[n]]
			tile.twigs = append(tile.twigs, explainTwig{b.newNode(n), low, f.Value[f.Right[n]] - low})
		}
	}
	for _, n := range tails {
		tile.addTail(b, n)
	}
	for len(tile.questions)%waysAtOnce > 0 {
		tile.addQuestion(question{limit: missingRank})
	}
	if len(e.asked)+len(e.single) > fewQuestions {
		tile.few = nil
	}
	if trees[0].start {
		tile.rules = []rule{radau}
	} else if tile.points == half {
		tile.rules = legendre(half)
	} else {
		tile.rules = legendre(width * trees[0].rules())
	}
	if len(tile.rules) == 1 {
		tile.states = make([]float64, tile.stateDoubles())
		tile.fill(tile.states, &tile.rules[0])
	}
	e.tiles = append(e.tiles, tile)
}

func (t *explainTile) addQuestion(q question) {
	t.questions = append(t.questions, q.number)
	t.few = append(t.few, uint8(q.number))
	t.limits = append(t.limits, q.limit)
}

// addRepeat adds inner node n, whose feature is split on above it.
func (t *explainTile) addRepeat(b *explainBuilder, n int32) {
	f := b.e.forest
	edge := b.before[n]
	before := b.parent[edge]
	state := t.stateBytes()
	r := repeat{node: b.number[n], before: b.number[before], base: state * uint32(2+3*len(t.repeats))}
	if f.Right[before] == edge {
		r.hot = state
	}
	if b.before[before] >= 0 {
		r.hot += t.repeatOf(r.before).base
	}
	t.repeats = append(t.repeats, r)
	left, right := f.Left[n], f.Right[n]
	t.shares = append(t.shares, repeatShares{
		above: b.share[edge], left: b.share[left], right: b.share[right],
		split: 1 - coverShare(f.Cover[left], f.Cover[right]),
	})
}

// addTail adds the tail at node n.
func (t *explainTile) addTail(b *explainBuilder, n int32) {
	f := b.e.forest
	x := explainTail{scale: float64(radauLack * (f.Value[f.Right[n]] - f.Value[f.Left[n]]))}
	var edges [len(x.edges)]int32
	for i, k := range b.lastEdges(edges[:0], f.Right[n]) {
		p := b.parent[k]
		edge := tailEdge{share: b.share[k], feature: uint32(f.Feature[p]), node: b.number[p]}
		if f.Right[p] == k {
			edge.hot = t.stateBytes()
		}
		if b.before[p] >= 0 {
			edge.hot += t.repeatOf(edge.node).base
		}
		x.edges[i] = edge
	}
	t.tails = append(t.tails, x)
}

// repeatOf returns the repeat at a node of the tile.
func (t *explainTile) repeatOf(node uint32) *repeat {
	k, _ := slices.BinarySearchFunc(t.repeats, node, func(x repeat, node uint32) int { return int(x.node) - int(node) })
	return &t.repeats[k]
}

// stateBytes is the size of what a node looks up: vectors g and y.
func (t *explainTile) stateBytes() uint32 { return uint32(16 * t.points) }

func (t *explainTile) stateDoubles() int { return 2 * t.points * (2 + 3*len(t.repeats)) }

// fill sets what nodes look up: for those that are not repeats, left and right;
// for each repeat, hot and left, hot and right, not hot.
func (t *explainTile) fill(states []float64, r *rule) {
	n := t.points
	for k := range n {
		states[k], states[n+k] = 0, 0
		states[2*n+k], states[3*n+k] = r.t[k], 1
	}
	for i := range t.repeats {
		x := &t.shares[i]
		at := states[t.repeats[i].base/8:][:6*n]
		for k := range n {
			u := r.u[k]
			inv := 1 / (r.t[k] + float64(u*x.above))
			at[k] = float64(float64(u*x.right) * inv)
			at[n+k] = -float64(float64(x.right*inv) * inv)
			at[2*n+k] = float64((r.t[k] + float64(u*x.right)) * inv)
			at[3*n+k] = float64(float64(x.left*inv) * inv)
			at[4*n+k], at[5*n+k] = x.split, 0
		}
	}
}

// lastEdges appends the lowest edge of each feature on the path to leaf n, the
// lowest of all first.
func (b *explainBuilder) lastEdges(edges []int32, n int32) []int32 {
	feature := b.e.forest.Feature
	for k := n; b.parent[k] >= 0; k = b.parent[k] {
		j := feature[b.parent[k]]
		if !slices.ContainsFunc(edges, func(edge int32) bool { return feature[b.parent[edge]] == j }) {
			edges = append(edges, k)
		}
	}
	return edges
}

// addAlone adds leaf n to the tables of what a feature's value alone tells, with
// the weight of t = 0: it counts where the value is between the thresholds on
// the leaf's path.
func (b *explainBuilder) addAlone(n int32, start float64) {
	e, f := b.e, b.e.forest
	var room [maxRadau + 1]int32
	edges := b.lastEdges(room[:0], n)
	for i, edge := range edges {
		j := f.Feature[b.parent[edge]]
		weight := float64(f.Value[n] * start)
		for k, other := range edges {
			if k != i {
				weight = float64(weight * b.share[other])
			}
		}
		r := b.ranking[j]
		table := e.alone[r]
		ranks := len(table) - 2
		lo, hi, missing := 0, ranks, true
		for k := edge; b.parent[k] >= 0; k = b.parent[k] {
			p := b.parent[k]
			if f.Feature[p] != j {
				continue
			}
			at := int(b.questions[p].limit)
			if f.Left[p] == k {
				hi, missing = min(hi, at+1), missing && f.MissingLeft[p]
			} else {
				lo, missing = max(lo, at+1), missing && !f.MissingLeft[p]
			}
		}
		if lo < hi {
			table[lo] += weight
			table[hi] -= weight
		}
		if missing {
			table[ranks+1] += weight
		}
		b.always[r] += float64(weight * b.share[edge])
	}
}

// finishAlone makes the tables of sums from those of differences. These have a
// place more, for where the last interval ends.
func (b *explainBuilder) finishAlone() {
	for i, table := range b.e.alone {
		ranks, sum := len(table)-2, 0.0
		for k := range ranks {
			sum += table[k]
			table[k] = sum - b.always[i]
		}
		table[ranks] = table[ranks+1] - b.always[i]
		b.e.alone[i] = table[:ranks+1]
	}
}
