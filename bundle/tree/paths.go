package tree

import "fmt"

// paths says of every leaf which features the way from the root to it splits
// on. The distinct features of a way are numbered from 0 in the order in which
// they come; number k is bit k%64 of word k/64 of a set of them. It is what
// [Interventional] and [Interactor] know of a forest.
type paths struct {
	forest  *Forest
	trees   []pathTree
	bit     []int32 // per inner node of the forest: its feature's number; end, if the way to it does not have the feature
	end     []int32 // per node of the forest: how many distinct features the way to it has
	leaf    []int32 // per leaf of the forest: where it is among its tree's leaves
	longest int     // distinct features of the longest way
	size    int     // words of the sets of all nodes of the largest tree
}

type pathTree struct {
	nodes  []pathNode // inner ones, parents first
	leaves []pathLeaf
	ways   []int32 // of all leaves, one after the other
	words  int     // of a set
}

// pathNode is an inner node with all that tells where a row goes. What it has
// in common with the forest's arrays is together here, in half a cache line.
type pathNode struct {
	threshold   float64
	feature     int32
	set         int32
	slot        int32 // where the node's set begins
	left, right int32 // where those of its children begin
	bit         uint16
	missingLeft bool
}

type pathLeaf struct {
	value float64
	way   []int32 // the distinct features
	at    int32   // where they begin in the tree's ways
	slot  int32
	node  int32 // of the forest
}

// maxWays bounds the memory of all ways: 256 MB.
const maxWays = 1 << 26

// newPaths returns an error if the ways are too many and too long to be kept.
func newPaths(f *Forest) (*paths, error) {
	n := len(f.Feature)
	p := &paths{forest: f, trees: make([]pathTree, len(f.Root)-1), bit: make([]int32, n), end: make([]int32, n), leaf: make([]int32, n)}
	parent := make([]int32, n)
	way := make([]int32, 0, MaxDepth)
	kept := 0
	for t := range p.trees {
		tree := &p.trees[t]
		lo, hi := f.Root[t], f.Root[t+1]
		longest := 0
		parent[lo] = -1
		for i := lo; i < hi; i++ {
			way = way[:p.end[i]]
			for k := parent[i]; k >= 0; k = parent[k] {
				way[p.bit[k]] = f.Feature[k]
			}
			if f.Left[i] < 0 {
				if kept += len(way); kept > maxWays {
					return nil, fmt.Errorf("tree %d: its leaves are too many and too deep to be kept with the features above them", t)
				}
				p.leaf[i] = int32(len(tree.leaves))
				tree.leaves = append(tree.leaves, pathLeaf{value: f.Value[i], at: int32(len(tree.ways)), node: i})
				tree.ways = append(tree.ways, way...)
				longest = max(longest, len(way))
				continue
			}
			p.bit[i] = p.end[i]
			for k, j := range way {
				if j == f.Feature[i] {
					p.bit[i] = int32(k)
				}
			}
			for _, c := range [...]int32{f.Left[i], f.Right[i]} {
				parent[c], p.end[c] = i, max(p.end[i], p.bit[i]+1)
			}
			tree.nodes = append(tree.nodes, pathNode{
				threshold: f.Threshold[i], feature: f.Feature[i], set: f.Set[i], missingLeft: f.MissingLeft[i],
				slot: i - lo, left: f.Left[i] - lo, right: f.Right[i] - lo, bit: uint16(p.bit[i]),
			})
		}
		tree.words = max(1, (longest+63)/64)
		for k := range tree.nodes {
			x := &tree.nodes[k]
			x.slot, x.left, x.right = x.slot*int32(tree.words), x.left*int32(tree.words), x.right*int32(tree.words)
		}
		for k := range tree.leaves {
			x := &tree.leaves[k]
			x.slot = (x.node - lo) * int32(tree.words)
			x.way = tree.ways[x.at:][:p.end[x.node]]
		}
		p.longest = max(p.longest, longest)
		p.size = max(p.size, tree.words*int(hi-lo))
	}
	return p, nil
}

// follow sets off to the sets, one for each node of a tree, of the features
// that lead the row off the way to the node.
func (p *paths) follow(off []uint64, tree *pathTree, row []float64) {
	clear(off[:tree.words])
	for k := range tree.nodes {
		n := &tree.nodes[k]
		x := row[n.feature]
		var left bool
		switch {
		case x != x:
			left = n.missingLeft
		case n.set >= 0:
			left = inSet(p.forest.Sets[n.set], x)
		default:
			left = x <= n.threshold
		}
		not := n.left
		if left {
			not = n.right
		}
		if tree.words == 1 {
			here := off[n.slot]
			off[n.left], off[n.right] = here, here
		} else {
			here := off[n.slot:][:tree.words]
			copy(off[n.left:], here)
			copy(off[n.right:], here)
		}
		off[not+int32(n.bit/64)] |= 1 << (n.bit % 64)
	}
}
