package tree

import "fmt"

// maxWays bounds the memory of all ways: 256 MB.
const maxWays = 1 << 26

// paths says of every node which features the way from the root to it splits
// on. The distinct features of a way are numbered from 0 in the order in which
// they come; number k is bit k%64 of word k/64 of a set of them. It is what
// [Interventional] and [Interactor] know of a forest.
type paths struct {
	forest  *Forest
	bit     []int32 // per node but roots: number of the parent's feature
	end     []int32 // per node: how many distinct features its way has
	feature []int32 // of all leaves' ways
	at      []int   // per leaf: where those of its way begin in feature; 0 in inner nodes
	words   []int   // per tree: of a set
	longest int     // distinct features of the longest way
	size    int     // words of the sets of all nodes of the largest tree
}

// newPaths returns an error if the ways are too many and too long to be kept.
func newPaths(f *Forest) (*paths, error) {
	n := len(f.Feature)
	p := &paths{forest: f, bit: make([]int32, n), end: make([]int32, n), at: make([]int, n), words: make([]int, len(f.Root)-1)}
	parent := make([]int32, n)
	way := make([]int32, 0, MaxDepth)
	for t := range p.words {
		lo, hi := f.Root[t], f.Root[t+1]
		longest := 0
		parent[lo] = -1
		for i := lo; i < hi; i++ {
			way = way[:p.end[i]]
			for k := i; parent[k] >= 0; k = parent[k] {
				way[p.bit[k]] = f.Feature[parent[k]]
			}
			if f.Left[i] < 0 {
				p.at[i] = len(p.feature)
				if p.feature = append(p.feature, way...); len(p.feature) > maxWays {
					return nil, fmt.Errorf("tree %d: its leaves are too many and too deep to be kept with the features above them", t)
				}
				longest = max(longest, len(way))
				continue
			}
			bit, end := int32(len(way)), int32(len(way)+1)
			for k, j := range way {
				if j == f.Feature[i] {
					bit, end = int32(k), int32(len(way))
				}
			}
			for _, c := range [...]int32{f.Left[i], f.Right[i]} {
				parent[c], p.bit[c], p.end[c] = i, bit, end
			}
		}
		p.words[t] = max(1, (longest+63)/64)
		p.longest = max(p.longest, longest)
		p.size = max(p.size, p.words[t]*int(hi-lo))
	}
	return p, nil
}

// way returns the distinct features on the way to a leaf.
func (p *paths) way(leaf int32) []int32 {
	return p.feature[p.at[leaf]:][:p.end[leaf]]
}

// follow sets off to the sets, one for each node of tree t, of the features
// that lead the row off the way to the node.
func (p *paths) follow(off []uint64, t int, row []float64) {
	f, words := p.forest, p.words[t]
	lo, hi := f.Root[t], f.Root[t+1]
	clear(off[:words])
	for i := lo; i < hi; i++ {
		if f.Left[i] < 0 {
			continue
		}
		on, not := f.Left[i], f.Right[i]
		if !f.goesLeft(i, row[f.Feature[i]]) {
			on, not = not, on
		}
		here, bit := off[int(i-lo)*words:][:words], p.bit[on]
		copy(off[int(on-lo)*words:][:words], here)
		there := off[int(not-lo)*words:][:words]
		copy(there, here)
		there[bit/64] |= 1 << (bit % 64)
	}
}
