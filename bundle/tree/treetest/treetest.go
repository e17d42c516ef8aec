// Package treetest makes random forests for tests of what reads forests:
// numeric and categorical splits, missing values in both directions,
// thresholds on the values that [Row] draws, features used twice on a path,
// nodes that no training row passed.
package treetest

import (
	"math"
	"math/rand/v2"

	"github.com/tandem-ml/tandem/bundle/tree"
)

// Random returns a forest of that many trees with at most leaves leaves each.
// Feature j is a number if categories[j] is 0, else a code below categories[j].
func Random(rng *rand.Rand, categories []int, trees, leaves int) *tree.Forest {
	f := &tree.Forest{Features: len(categories), Base: 4*rng.Float64() - 2, Root: []int32{0}}
	for range trees {
		g := grower{f: f, rng: rng, categories: categories}
		root := g.leaf(1 + rng.Float64()*1000)
		open := []int32{root}
		for n := 1; n < leaves && len(categories) > 0; n++ {
			k := rng.IntN(len(open))
			left, right := g.split(open[k])
			open[k] = left
			open = append(open, right)
		}
		f.Root = append(f.Root, int32(len(f.Feature)))
	}
	return f
}

type grower struct {
	f          *tree.Forest
	rng        *rand.Rand
	categories []int
}

func (g *grower) leaf(cover float64) int32 {
	f := g.f
	f.Feature = append(f.Feature, 0)
	f.Threshold = append(f.Threshold, 0)
	f.Left = append(f.Left, -1)
	f.Right = append(f.Right, -1)
	f.MissingLeft = append(f.MissingLeft, false)
	f.Set = append(f.Set, -1)
	f.Value = append(f.Value, 4*g.rng.Float64()-2)
	f.Cover = append(f.Cover, math.Floor(cover))
	return int32(len(f.Feature) - 1)
}

func (g *grower) split(n int32) (left, right int32) {
	f, rng := g.f, g.rng
	share := rng.Float64()
	if rng.IntN(20) == 0 {
		share = 0
	}
	left = g.leaf(f.Cover[n] * share)
	right = g.leaf(f.Cover[n] - f.Cover[left])
	f.Left[n], f.Right[n], f.Value[n] = left, right, 0
	f.MissingLeft[n] = rng.IntN(2) == 0
	j := rng.IntN(f.Features)
	f.Feature[n] = int32(j)
	if c := g.categories[j]; c > 0 {
		set := make([]uint64, (c+63)/64)
		for code := range c {
			if rng.IntN(2) == 0 {
				set[code/64] |= 1 << (code % 64)
			}
		}
		f.Set[n] = int32(len(f.Sets))
		f.Sets = append(f.Sets, set)
	} else {
		f.Threshold[n] = number(rng)
	}
	return left, right
}

// Row draws a row: numbers among which are exact thresholds and infinities,
// codes among which is the unseen one, missing values.
func Row(rng *rand.Rand, categories []int) []float64 {
	row := make([]float64, len(categories))
	for j, c := range categories {
		switch {
		case rng.IntN(6) == 0:
			row[j] = math.NaN()
		case c > 0:
			row[j] = float64(rng.IntN(c + 1))
		case rng.IntN(15) == 0:
			row[j] = math.Inf(rng.IntN(2)*2 - 1)
		default:
			row[j] = number(rng)
		}
	}
	return row
}

// number draws from few values, so that rows hit thresholds exactly.
func number(rng *rand.Rand) float64 { return float64(rng.IntN(21)-10) / 4 }
