package tree

import (
	"fmt"
	"math"
)

// Limits of a forest that [Forest.Check] enforces, so that a hostile file can
// neither exhaust memory nor stall an explanation.
const (
	MaxDepth    = 1024    // edges from a root to its deepest leaf
	MaxSetWords = 1024    // 64-bit words of one category set
	maxLeaf     = 1e300   // absolute leaf value: sums stay finite
	maxExplain  = 1 << 26 // nodes of a tree times points of its explanation: 512 MB
)

// Check returns an error if the forest is not well formed: arrays of unequal
// length, roots out of order, a child before its parent, outside its tree or
// with two parents, a feature or set out of range, a threshold that is NaN, a
// value or cover that is not finite, a tree too deep. Every forest that is
// loaded passes it; the other methods rely on it.
func (f *Forest) Check() error {
	n := len(f.Feature)
	for _, other := range [...]int{len(f.Threshold), len(f.Left), len(f.Right), len(f.MissingLeft), len(f.Set), len(f.Value), len(f.Cover)} {
		if other != n {
			return fmt.Errorf("forest: arrays of %d and %d nodes", n, other)
		}
	}
	switch {
	case n > math.MaxInt32:
		return fmt.Errorf("forest: %d nodes are too many", n)
	case f.Features < 0:
		return fmt.Errorf("forest: %d features", f.Features)
	case !(math.Abs(f.Base) <= maxLeaf):
		return fmt.Errorf("forest: base %v is not finite", f.Base)
	case len(f.Root) == 0 || f.Root[0] != 0 || int(f.Root[len(f.Root)-1]) != n:
		return fmt.Errorf("forest: the roots do not cover the %d nodes", n)
	}
	for s, set := range f.Sets {
		if len(set) == 0 || len(set) > MaxSetWords {
			return fmt.Errorf("forest: category set %d has %d words, want 1 to %d", s, len(set), MaxSetWords)
		}
	}
	depth := make([]int32, n) // 1-based; 0 until a parent was seen
	for t := range len(f.Root) - 1 {
		lo, hi := f.Root[t], f.Root[t+1]
		if lo < 0 || lo >= hi || int(hi) > n {
			return fmt.Errorf("tree %d: nodes %d to %d", t, lo, hi)
		}
		depth[lo] = 1
		deepest := 1
		for i := lo; i < hi; i++ {
			if err := f.checkNode(i, hi, depth); err != nil {
				return fmt.Errorf("tree %d: node %d: %w", t, i, err)
			}
			deepest = max(deepest, int(depth[i]))
		}
		if points := min(deepest, f.Features+1) / 2; int(hi-lo) > maxExplain/max(1, points) {
			return fmt.Errorf("tree %d: %d nodes at depths up to %d are too many to explain", t, hi-lo, deepest-1)
		}
	}
	return nil
}

// checkNode checks node i of a tree that ends before hi. As parents come
// first, a node that has no depth yet is below no parent.
func (f *Forest) checkNode(i, hi int32, depth []int32) error {
	left, right := f.Left[i], f.Right[i]
	switch {
	case depth[i] == 0:
		return fmt.Errorf("has no parent")
	case !(f.Cover[i] >= 0 && f.Cover[i] <= math.MaxFloat64):
		return fmt.Errorf("cover %v is not a count", f.Cover[i])
	case !(math.Abs(f.Value[i]) <= maxLeaf):
		return fmt.Errorf("value %v is not finite", f.Value[i])
	case left < 0:
		if left != -1 || right != -1 {
			return fmt.Errorf("a leaf's children are %d and %d, want -1", left, right)
		}
		return nil
	case left <= i || left >= hi || right <= i || right >= hi || left == right:
		return fmt.Errorf("children %d and %d are not two later nodes of the tree", left, right)
	case depth[left] != 0 || depth[right] != 0:
		return fmt.Errorf("a child already has a parent")
	case depth[i] > MaxDepth:
		return fmt.Errorf("is deeper than %d", MaxDepth)
	case f.Feature[i] < 0 || int(f.Feature[i]) >= f.Features:
		return fmt.Errorf("feature %d is not among the %d features", f.Feature[i], f.Features)
	case f.Set[i] < -1 || int(f.Set[i]) >= len(f.Sets):
		return fmt.Errorf("category set %d is not among the %d sets", f.Set[i], len(f.Sets))
	case math.IsNaN(f.Threshold[i]):
		return fmt.Errorf("threshold is not a number")
	}
	depth[left], depth[right] = depth[i]+1, depth[i]+1
	return nil
}
