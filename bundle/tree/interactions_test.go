package tree_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/bundle/tree/treetest"
)

func interactor(t *testing.T, f *tree.Forest) *tree.Interactor {
	t.Helper()
	x, err := tree.NewInteractor(f)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestInteractionsLikeSHAP(t *testing.T) {
	t.Parallel()
	compared := 0
	for name, c := range readShapCases(t) {
		if c.Interactions == nil { // categorical splits, which shap does not read
			continue
		}
		f := readLightGBM(t, "testdata/golden/"+name+".txt", 0, 1)
		x, got := interactor(t, f), make([]float64, f.Features*f.Features)
		for k, want := range c.Interactions {
			i := k
			if c.Whole != nil {
				i = c.Whole[k]
			}
			x.Interactions(got, c.rows[i])
			for a := range want {
				for b := range want[a] {
					compared++
					if err := near(got[a*f.Features+b], want[a][b], 1e-9, "%s: row %d features %d and %d", name, i, a, b); err != nil {
						t.Error(err)
					}
				}
			}
		}
	}
	if compared < 400 {
		t.Errorf("only %d values were compared", compared)
	}
}

func TestInteractionsAreThoseOfAllCoalitions(t *testing.T) {
	t.Parallel()
	for k := range 120 {
		rng := rand.New(rand.NewPCG(15, uint64(k)))
		f, _, categories := randomCase(rng)
		x, got := interactor(t, f), make([]float64, f.Features*f.Features)
		for range 3 {
			row := treetest.Row(rng, categories)
			value := func(known uint) float64 {
				sum := f.Base
				for _, root := range f.Root[:len(f.Root)-1] {
					sum += game(f, root, row, known)
				}
				return sum
			}
			if err := near(x.Interactions(got, row), value(0), 1e-12, "seed 15,%d: base", k); err != nil {
				t.Fatal(err)
			}
			for i, line := range pairs(f.Features, value) {
				for j, want := range line {
					if err := near(got[i*f.Features+j], want, 1e-10, "seed 15,%d: row %v: features %d and %d", k, row, i, j); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
}

// However large the forest and deep the trees, the matrix is symmetric and its
// rows add up to the contributions.
func TestInteractionsAddUp(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(16, 1))
	for name, f := range map[string]*tree.Forest{
		"wide":        treetest.Random(rng, make([]int, 28), 200, 31),
		"70 features": chain(rng, 100, 70),
		"3 features":  chain(rng, 1024, 3),
	} {
		x, e, n := interactor(t, f), tree.NewExplainer(f), f.Features
		got, part := make([]float64, n*n), make([]float64, n)
		for range 3 {
			row := make([]float64, n)
			for j := range row {
				row[j] = rng.NormFloat64() + 1
			}
			base, want := x.Interactions(got, row), e.Contributions(part, row)
			if base != want {
				t.Errorf("%s: base %v, want %v", name, base, want)
			}
			for i := range n {
				sum := 0.0
				for j := range n {
					sum += got[i*n+j]
					if got[i*n+j] != got[j*n+i] {
						t.Errorf("%s: features %d and %d: %v one way, %v the other", name, i, j, got[i*n+j], got[j*n+i])
					}
				}
				if math.Abs(sum-part[i]) > 1e-12 {
					t.Errorf("%s: feature %d: interactions add up to %v, the contribution is %v", name, i, sum, part[i])
				}
			}
		}
	}
}

func TestInteractionsOfTooDeepTrees(t *testing.T) {
	t.Parallel()
	if _, err := tree.NewInteractor(chain(rand.New(rand.NewPCG(17, 1)), 1000, 1000)); err == nil || !strings.Contains(err.Error(), "too deep") {
		t.Errorf("a thousand features on one way: %v", err)
	}
}

// The bits of both are the same on every processor. The hash is what
// GOAMD64=v1 and v3 both give. The diagonal has the bits of contributions,
// which have their own hash.
func TestGoldenBitsOfPairsAndBackgrounds(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(18, 18))
	categories := []int{0, 4, 0, 0, 9, 0, 0, 0, 0, 0}
	f := treetest.Random(rng, categories, 30, 31)
	var background [][]float64
	for range 40 {
		background = append(background, treetest.Row(rng, categories))
	}
	x, e := interactor(t, f), against(t, f, background)
	matrix, part := make([]float64, f.Features*f.Features), make([]float64, f.Features)
	h := sha256.New()
	for range 30 {
		row := treetest.Row(rng, categories)
		x.Interactions(matrix, row)
		for j := range f.Features {
			matrix[j*(f.Features+1)] = 0
		}
		_ = binary.Write(h, binary.LittleEndian, e.Contributions(part, row))
		_ = binary.Write(h, binary.LittleEndian, matrix)
		_ = binary.Write(h, binary.LittleEndian, part)
	}
	const want = "946ee0d8ac29162f9bc08c23983b8ca5bcb0254b1a1e9759f55909afff0a43c4"
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("bits differ: hash %s, want %s", got, want)
	}
}

func BenchmarkInteractions(b *testing.B) {
	const n = 16
	f, rows, matrix := forest500(rand.New(rand.NewPCG(1, 1))), randomRows(rand.New(rand.NewPCG(2, 2)), n), make([]float64, 28*28)
	x, err := tree.NewInteractor(f)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for i := range n {
			x.Interactions(matrix, rows[i*28:][:28])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
}
