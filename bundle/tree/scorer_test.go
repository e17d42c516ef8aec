package tree_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/bundle/tree/treetest"
)

// wild returns a value that a kernel might treat wrongly.
func wild(rng *rand.Rand, f *tree.Forest) float64 {
	threshold := f.Threshold[rng.IntN(len(f.Threshold))]
	switch rng.IntN(16) {
	case 0:
		return math.NaN()
	case 1:
		return math.Float64frombits(0xfff8000000000123) // a NaN with sign and payload
	case 2:
		return math.Inf(1)
	case 3:
		return math.Inf(-1)
	case 4:
		return math.Copysign(0, -1)
	case 5:
		return math.SmallestNonzeroFloat64
	case 6:
		return -math.SmallestNonzeroFloat64
	case 7:
		return math.MaxFloat64
	case 8:
		return math.Nextafter(threshold, math.Inf(1))
	case 9:
		return math.Nextafter(threshold, math.Inf(-1))
	case 10, 11:
		return threshold
	case 12:
		return float64(rng.IntN(300)) + 0.5*float64(rng.IntN(2)) // codes, half codes
	case 13:
		return 1e19
	case 14:
		return float64(rng.IntN(70000) - 1000)
	default:
		return rng.NormFloat64()
	}
}

// sameBits compares the kernels with Forest.Margin, the definition.
func sameBits(t *testing.T, f *tree.Forest, rows []float64, n int) {
	t.Helper()
	want := make([]float64, n)
	for i := range want {
		want[i] = f.Margin(rows[i*f.Features:][:f.Features])
	}
	for _, k := range tree.Kernels() {
		s, err := tree.NewScorerFor(f, k)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float64, n)
		s.Margins(got, rows)
		for i := range want {
			if math.Float64bits(got[i]) != math.Float64bits(want[i]) {
				t.Fatalf("%s: row %d of %d: margin %v, want %v", k, i, n, got[i], want[i])
			}
			if one := s.Margin(rows[i*f.Features:][:f.Features]); math.Float64bits(one) != math.Float64bits(want[i]) {
				t.Fatalf("%s: row %d alone: margin %v, want %v", k, i, one, want[i])
			}
		}
	}
}

// reshape makes thresholds that ranks might get wrong: as many as there are
// splits, extremes, pairs of neighbours, infinities and both zeros.
func reshape(rng *rand.Rand, f *tree.Forest) {
	for n := range f.Threshold {
		if f.Left[n] < 0 || f.Set[n] >= 0 {
			continue
		}
		switch rng.IntN(8) {
		case 0:
			f.Threshold[n] = []float64{math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), math.MaxFloat64, -math.SmallestNonzeroFloat64}[rng.IntN(6)]
		case 1:
			f.Threshold[n] = math.Nextafter(f.Threshold[rng.IntN(n+1)], math.Inf(1))
		case 2:
		default:
			f.Threshold[n] = rng.NormFloat64()
		}
	}
}

func kernelCase(t *testing.T, seed, shape uint64) {
	rng := rand.New(rand.NewPCG(seed, shape))
	categories := make([]int, 1+rng.IntN(12))
	for j := range categories {
		if rng.IntN(3) == 0 {
			categories[j] = []int{2, 5, 64, 65, 130, 254, 255, 256, 700, 5000}[rng.IntN(10)]
		}
	}
	leaves := []int{1, 2, 3, 16, 31, 32, 33, 63, 64, 65, 128, 255, 256, 257, 400}[rng.IntN(15)]
	trees := 1 + rng.IntN(1+2000/leaves)
	f := treetest.Random(rng, categories, trees, leaves)
	if rng.IntN(4) > 0 {
		reshape(rng, f)
	}
	if err := f.Check(); err != nil {
		t.Fatal(err)
	}
	n := []int{0, 1, 7, 8, 9, 63, 64, 65, 128, 255, 256, 257, 300}[rng.IntN(13)]
	var rows []float64
	for range n {
		row := treetest.Row(rng, categories)
		for j := range row {
			if rng.IntN(2) == 0 {
				row[j] = wild(rng, f)
			}
		}
		rows = append(rows, row...)
	}
	sameBits(t, f, rows, n)
}

func TestKernelsGiveTheSameBits(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		kernelCase(t, seed, 77)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzKernels(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, seed, shape uint64) { kernelCase(t, seed, shape) })
}

// A feature with tens of thousands of thresholds takes four levels of search
// and hundreds of columns.
func TestManyThresholds(t *testing.T) {
	t.Parallel()
	for _, leaves := range []int{15, 255} {
		rng := rand.New(rand.NewPCG(3, uint64(leaves)))
		categories := []int{0, 0}
		f := treetest.Random(rng, categories, 20000/leaves, leaves)
		for n := range f.Threshold {
			if f.Left[n] >= 0 {
				f.Threshold[n] = rng.NormFloat64()
			}
		}
		const n = 300
		rows := make([]float64, n*2)
		for i := range rows {
			if rows[i] = rng.NormFloat64(); i%3 == 0 {
				rows[i] = wild(rng, f)
			}
		}
		sameBits(t, f, rows, n)
	}
}

// Every number of thresholds around the sizes at which a search tree grows.
func TestRankSizes(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 5))
	for _, size := range []int{1, 14, 15, 16, 17, 31, 32, 254, 255, 256, 257, 271, 272, 510, 511, 4095, 4096, 4097} {
		f := treetest.Random(rng, []int{0}, size, 2) // stumps
		for i := range size {
			f.Threshold[3*i] = float64(i)
		}
		rows := []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, float64(size), float64(size) - 1, 0, -0.5}
		for range 100 {
			rows = append(rows, float64(rng.IntN(2*size+2))/2-0.5)
		}
		sameBits(t, f, rows, len(rows))
	}
}

func TestUnknownKernel(t *testing.T) {
	t.Parallel()
	f := treetest.Random(rand.New(rand.NewPCG(1, 1)), []int{0}, 1, 2)
	if _, err := tree.NewScorerFor(f, "abacus"); err == nil {
		t.Error("a kernel that does not exist was accepted")
	}
	k := tree.Kernels()
	if k[len(k)-1] != tree.Portable {
		t.Errorf("kernels %v do not end with the portable one", k)
	}
}
