package tree_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/bundle/tree/treetest"
)

// Reasons have the same bits under every kernel, and add up.
func TestKernelsExplainWithTheSameBits(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 5))
		categories := []int{0, 3, 0, 70, 0, 0, 900, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}[:1+rng.IntN(20)]
		f := treetest.Random(rng, categories, 1+rng.IntN(4), []int{1, 2, 31, 64, 300}[rng.IntN(5)])
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
			if err := near(sum, f.Margin(row), 1e-9, "seed %d: base + contributions", seed); err != nil {
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
						t.Fatalf("seed %d: %s: feature %d: %v, want %v", seed, k, j, got[j], want[j])
					}
				}
			}
		}
	}
}

func TestContributionsOfUnknownKernel(t *testing.T) {
	t.Parallel()
	if _, err := tree.NewExplainerFor(treetest.Random(rand.New(rand.NewPCG(1, 1)), nil, 1, 1), "abacus"); err == nil {
		t.Error("a kernel that does not exist was accepted")
	}
}
