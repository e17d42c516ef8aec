package gbdt

import (
	"math"
	"slices"

	"github.com/tandem-ml/tandem/bundle/tree"
)

// builder collects grown trees in prediction form.
type builder struct {
	forest tree.Forest
	sets   []int // how many sets there were after each tree
}

// newBuilder returns a builder that holds the trees of a forest; the forest
// stays as it is.
func newBuilder(from *tree.Forest) *builder {
	f := *from
	f.Root, f.Feature, f.Threshold = slices.Clone(f.Root), slices.Clone(f.Feature), slices.Clone(f.Threshold)
	f.Left, f.Right, f.MissingLeft = slices.Clone(f.Left), slices.Clone(f.Right), slices.Clone(f.MissingLeft)
	f.Set, f.Value, f.Cover = slices.Clone(f.Set), slices.Clone(f.Value), slices.Clone(f.Cover)
	f.Sets = slices.Clone(f.Sets)
	b := &builder{forest: f}
	sets := 0
	for t := range len(f.Root) - 1 {
		for n := f.Root[t]; n < f.Root[t+1]; n++ {
			if f.Left[n] >= 0 { // the set of a leaf has no meaning
				sets = max(sets, int(f.Set[n])+1)
			}
		}
		b.sets = append(b.sets, sets)
	}
	return b
}

// trees returns how many trees there are.
func (b *builder) trees() int { return len(b.forest.Root) - 1 }

// add appends a tree.
func (b *builder) add(nodes []node, m *matrix) {
	b.place(nodes, 0, m)
	b.forest.Root = append(b.forest.Root, int32(len(b.forest.Feature)))
	b.sets = append(b.sets, len(b.forest.Sets))
}

// place appends a node, then its left and its right subtree, and returns where
// it stands and the weight of its rows.
func (b *builder) place(nodes []node, i int, m *matrix) (at int32, cover float64) {
	f, n := &b.forest, &nodes[i]
	at = int32(len(f.Feature))
	f.Feature = append(f.Feature, 0)
	f.Threshold = append(f.Threshold, 0)
	f.Left = append(f.Left, -1)
	f.Right = append(f.Right, -1)
	f.MissingLeft = append(f.MissingLeft, false)
	f.Set = append(f.Set, -1)
	f.Value = append(f.Value, 0)
	f.Cover = append(f.Cover, n.weight)
	if n.left == 0 {
		f.Value[at] = n.value
		return at, n.weight
	}
	feature := &m.features[n.split.feature]
	f.Feature[at] = int32(feature.column)
	f.MissingLeft[at] = n.missingLeft
	if feature.categorical() {
		f.Set[at] = int32(len(f.Sets))
		f.Sets = append(f.Sets, feature.codes(&n.split.left))
	} else {
		f.Threshold[at] = feature.edge(n.split.bin)
	}
	left, leftCover := b.place(nodes, n.left, m)
	right, rightCover := b.place(nodes, n.right, m)
	f.Left[at], f.Right[at] = left, right
	f.Cover[at] = leftCover + rightCover // the children's, whatever order the rows were added in
	return at, f.Cover[at]
}

// edge is the largest value of a bin; nothing is above the last one's.
func (b *bins) edge(bin int) float64 {
	if bin < len(b.edges) {
		return b.edges[bin]
	}
	return math.Inf(1)
}

// codes turns a set of bins into a bit set of categories. It has at least one
// word, even if only missing values go left.
func (b *bins) codes(s *set) []uint64 {
	bits := make([]uint64, 1)
	for bin, code := range b.category {
		if !s.has(uint8(bin)) {
			continue
		}
		for len(bits) <= code/64 {
			bits = append(bits, 0)
		}
		bits[code/64] |= 1 << (code % 64)
	}
	return bits
}

// first returns the forest of the first trees only.
func (b *builder) first(trees int) *tree.Forest {
	f := b.forest
	n, sets := f.Root[trees], 0
	if trees > 0 {
		sets = b.sets[trees-1]
	}
	f.Root = f.Root[:trees+1]
	f.Feature, f.Threshold = f.Feature[:n], f.Threshold[:n]
	f.Left, f.Right = f.Left[:n], f.Right[:n]
	f.MissingLeft, f.Set = f.MissingLeft[:n], f.Set[:n]
	f.Value, f.Cover = f.Value[:n], f.Cover[:n]
	f.Sets = f.Sets[:sets]
	return &f
}
