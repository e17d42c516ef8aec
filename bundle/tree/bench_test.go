package tree_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/bundle/tree/treetest"
)

// forest500 is the forest of the benchmarks: 500 trees of 31 leaves on 28
// numbers, about 250 thresholds each, as trainers with 255 bins leave them.
func forest500(rng *rand.Rand) *tree.Forest {
	f := treetest.Random(rng, make([]int, 28), 500, 31)
	bins := make([][]float64, 28)
	for j := range bins {
		for range 254 {
			bins[j] = append(bins[j], rng.NormFloat64())
		}
	}
	for n := range f.Threshold {
		if f.Left[n] >= 0 {
			f.Threshold[n] = bins[f.Feature[n]][rng.IntN(254)]
		}
	}
	return f
}

func randomRows(rng *rand.Rand, n int) []float64 {
	rows := make([]float64, n*28)
	for i := range rows {
		if rows[i] = rng.NormFloat64(); rng.IntN(10) == 0 {
			rows[i] = math.NaN()
		}
	}
	return rows
}

// benchmarkKernels runs a benchmark under each kernel and reports the time of
// one of rows rows.
func benchmarkKernels(b *testing.B, rows int, prepare func(f *tree.Forest, k tree.Kernel) (run func(), err error)) {
	f := forest500(rand.New(rand.NewPCG(1, 1)))
	for _, k := range tree.Kernels() {
		b.Run(string(k), func(b *testing.B) {
			run, err := prepare(f, k)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
		})
	}
}

func BenchmarkMargins(b *testing.B) {
	const n = 4096
	rows, dst := randomRows(rand.New(rand.NewPCG(2, 2)), n), make([]float64, n)
	benchmarkKernels(b, n, func(f *tree.Forest, k tree.Kernel) (func(), error) {
		s, err := tree.NewScorerFor(f, k)
		return func() { s.Margins(dst, rows) }, err
	})
}

func BenchmarkMargin(b *testing.B) {
	const n = 1024 // so many that branches cannot be learned by heart
	rows := randomRows(rand.New(rand.NewPCG(2, 2)), n)
	benchmarkKernels(b, n, func(f *tree.Forest, k tree.Kernel) (func(), error) {
		s, err := tree.NewScorerFor(f, k)
		return func() {
			for i := range n {
				s.Margin(rows[i*28:][:28])
			}
		}, err
	})
}

// BenchmarkMarginDefinition walks each tree, as the format's page says it.
func BenchmarkMarginDefinition(b *testing.B) {
	const n = 1024
	rows := randomRows(rand.New(rand.NewPCG(2, 2)), n)
	f := forest500(rand.New(rand.NewPCG(1, 1)))
	for b.Loop() {
		for i := range n {
			f.Margin(rows[i*28:][:28])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
}

func BenchmarkContributions(b *testing.B) {
	const n = 64
	rows, part := randomRows(rand.New(rand.NewPCG(2, 2)), n), make([]float64, 28)
	benchmarkKernels(b, n, func(f *tree.Forest, k tree.Kernel) (func(), error) {
		e, err := tree.NewExplainerFor(f, k)
		return func() {
			for i := range n {
				e.Contributions(part, rows[i*28:][:28])
			}
		}, err
	})
}
