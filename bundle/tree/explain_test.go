package tree_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/bundle/tree/treetest"
)

// Reasons have the same bits under every kernel, and add up.
func TestKernelsExplainWithTheSameBits(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		explainCase(t, seed, seed)
	}
}

func FuzzKernelsExplain(f *testing.F) {
	f.Add(uint64(1), uint64(0))
	f.Add(uint64(2), uint64(1))
	f.Fuzz(explainCase)
}

func explainCase(t *testing.T, seed, shape uint64) {
	rng := rand.New(rand.NewPCG(seed, shape))
	categories := []int{0, 3, 0, 70, 0, 0, 900, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}[:1+rng.IntN(20)]
	trees := 1 + rng.IntN(4)
	switch shape % 10 {
	case 0: // several tiles
		trees = 60
	case 1: // more questions than registers hold
		categories = append(categories, make([]int, 70)...)
	}
	leaves := []int{1, 2, 31, 64, 300}[rng.IntN(5)]
	if trees == 60 {
		leaves = min(leaves, 31) // deep trees as many take seconds, and the fuzzer gives a case ten
	}
	f := treetest.Random(rng, categories, trees, leaves)
	if rng.IntN(2) == 0 {
		reshape(rng, f)
	}
	want, got := make([]float64, f.Features), make([]float64, f.Features)
	portable, err := tree.NewExplainerFor(f, tree.Portable)
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		row := treetest.Row(rng, categories)
		row[rng.IntN(len(row))] = wild(rng, f)
		sum := portable.Contributions(want, row)
		for _, p := range want {
			sum += p
		}
		if err := near(sum, f.Margin(row), 1e-9, "seed %d, %d: base + contributions", seed, shape); err != nil {
			t.Fatal(err)
		}
		for _, k := range tree.Kernels() {
			e, err := tree.NewExplainerFor(f, k)
			if err != nil {
				t.Fatal(err)
			}
			e.Contributions(got, row)
			for j := range want {
				if math.Float64bits(got[j]) != math.Float64bits(want[j]) {
					t.Fatalf("seed %d, %d: %s: feature %d: %v, want %v", seed, shape, k, j, got[j], want[j])
				}
			}
		}
	}
}

// leafwise returns the Shapley values from the leaves one by one. In a leaf's
// game each feature on its path counts 1 or its share of the cover; c[k] is what
// the coalitions of k other features give.
func leafwise(f *tree.Forest, row []float64) []float64 {
	phi := make([]float64, f.Features)
	var features []int32
	var hot, share []float64
	var walk func(n int32)
	walk = func(n int32) {
		if f.Left[n] < 0 {
			for i, j := range features {
				c := []float64{1}
				for k := range features {
					if k == i {
						continue
					}
					next := make([]float64, len(c)+1)
					for size, x := range c {
						next[size] += x * share[k]
						next[size+1] += x * hot[k]
					}
					c = next
				}
				// Of d orders in which i comes after k others, each is as likely.
				d, choose, sum := float64(len(features)), 1.0, 0.0
				for size, x := range c {
					sum += x / choose / d
					choose *= (d - 1 - float64(size)) / float64(size+1)
				}
				phi[j] += f.Value[n] * (hot[i] - share[i]) * sum
			}
			return
		}
		at := slices.Index(features, f.Feature[n])
		if at < 0 {
			at = len(features)
			features, hot, share = append(features, f.Feature[n]), append(hot, 1), append(share, 1)
			defer func() { features, hot, share = features[:at], hot[:at], share[:at] }()
		}
		wasHot, wasShare := hot[at], share[at]
		toLeft := 0.5
		if sum := f.Cover[f.Left[n]] + f.Cover[f.Right[n]]; sum > 0 {
			toLeft = f.Cover[f.Left[n]] / sum
		}
		goes := step(f, n, row[f.Feature[n]])
		for c, to := range map[int32]float64{f.Left[n]: toLeft, f.Right[n]: 1 - toLeft} {
			hot[at], share[at] = 0, wasShare*to
			if c == goes {
				hot[at] = wasHot
			}
			walk(c)
		}
		hot[at], share[at] = wasHot, wasShare
	}
	for _, root := range f.Root[:len(f.Root)-1] {
		walk(root)
	}
	return phi
}

// However many features are on a path, which decides how many points are taken,
// and however many questions there are.
func TestContributionsLeafByLeaf(t *testing.T) {
	t.Parallel()
	check := func(f *tree.Forest, row []float64, what string, args ...any) {
		t.Helper()
		if err := f.Check(); err != nil {
			t.Fatal(err)
		}
		want, got := leafwise(f, row), make([]float64, f.Features)
		for _, k := range tree.Kernels() {
			e, err := tree.NewExplainerFor(f, k)
			if err != nil {
				t.Fatal(err)
			}
			e.Contributions(got, row)
			for j := range want {
				if err := near(got[j], want[j], 1e-9, what+": %s: feature %d", append(args, k, j)...); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for features := 1; features <= 34; features++ {
		rng := rand.New(rand.NewPCG(11, uint64(features)))
		f := chain(rng, features+rng.IntN(5), features)
		row := make([]float64, features)
		for j := range row {
			row[j] = rng.NormFloat64() + 1
		}
		check(f, row, "chain of %d features", features)
		if features == 10 { // which are just too many, with one that comes twice before the last
			again := chain(rng, 11, 10)
			for i := range 11 {
				again.Feature[2*i] = int32([...]int{0, 1, 2, 1, 3, 4, 5, 6, 7, 8, 9}[i])
			}
			check(again, row, "chain of 10 features, one of them twice")
			row[4] = -1
			check(again, row, "chain of 10 features, one of them twice, left early")
			row[4] = 1
		}
		f.Set[0], f.Sets = 0, [][]uint64{{rng.Uint64()}}
		row[0] = float64(rng.IntN(64))
		check(f, row, "chain of %d features, one of categories", features)
	}
	for seed := range uint64(24) {
		rng := rand.New(rand.NewPCG(12, seed))
		categories := make([]int, 1+rng.IntN(120))
		if seed%3 == 0 {
			categories[0] = 7
		}
		f := treetest.Random(rng, categories, 1+rng.IntN(40), []int{2, 3, 15, 31, 64}[rng.IntN(5)])
		check(f, treetest.Row(rng, categories), "seed %d", seed)
	}
}

func TestContributionsOfUnknownKernel(t *testing.T) {
	t.Parallel()
	if _, err := tree.NewExplainerFor(treetest.Random(rand.New(rand.NewPCG(1, 1)), nil, 1, 1), "abacus"); err == nil {
		t.Error("a kernel that does not exist was accepted")
	}
}
