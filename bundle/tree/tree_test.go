package tree_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/bundle/tree/treetest"
)

// One tree: income <= 100 goes left to 0.5, else right to -0.25; missing goes
// left. Of ten training rows four went left.
func Example() {
	f := &tree.Forest{
		Features: 1, Root: []int32{0, 3},
		Feature: []int32{0, 0, 0}, Threshold: []float64{100, 0, 0},
		Left: []int32{1, -1, -1}, Right: []int32{2, -1, -1},
		MissingLeft: []bool{true, false, false}, Set: []int32{-1, -1, -1},
		Value: []float64{0, 0.5, -0.25}, Cover: []float64{10, 4, 6},
	}
	if err := f.Check(); err != nil {
		panic(err)
	}
	part := make([]float64, 1)
	for _, income := range []float64{80, 120, math.NaN()} {
		base := f.Contributions(part, []float64{income})
		fmt.Printf("%v: margin %v = %.2f %+.2f\n", income, f.Margin([]float64{income}), base, part[0])
	}
	// Output:
	// 80: margin 0.5 = 0.05 +0.45
	// 120: margin -0.25 = 0.05 -0.30
	// NaN: margin 0.5 = 0.05 +0.45
}

// The models and their SHAP values were made with LightGBM 4.7.0 and shap
// 0.51.0 (testdata/golden/*.json name them).
func TestLikeLightGBMAndSHAP(t *testing.T) {
	t.Parallel()
	for name, classes := range map[string]int{"binary": 1, "regression": 1, "multiclass": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src, err := os.ReadFile("testdata/golden/" + name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			var golden struct {
				Rows     [][]*float64
				Raw      [][]float64
				Shap     json.RawMessage
				Expected json.RawMessage `json:"expected_value"`
			}
			if err := json.Unmarshal(src, &golden); err != nil {
				t.Fatal(err)
			}
			shap, expected := perClass(t, golden.Shap, golden.Expected, classes, len(golden.Rows))
			for class := range classes {
				f := readLightGBM(t, "testdata/golden/"+name+".txt", class, classes)
				e := tree.NewExplainer(f)
				part := make([]float64, f.Features)
				for i, cells := range golden.Rows {
					row := make([]float64, len(cells))
					for j, c := range cells {
						row[j] = math.NaN()
						if c != nil {
							row[j] = *c
						}
					}
					if got := f.Margin(row); got != golden.Raw[i][class] {
						t.Errorf("row %d: margin %v, LightGBM %v", i, got, golden.Raw[i][class])
					}
					if err := near(e.Contributions(part, row), expected[class], 1e-9, "base"); err != nil {
						t.Error(err)
					}
					for j := range part {
						if err := near(part[j], shap[class][i][j], 1e-9, "row %d feature %d", i, j); err != nil {
							t.Error(err)
						}
					}
				}
			}
		})
	}
}

// perClass brings SHAP values to [class][row][feature].
func perClass(t *testing.T, shap, expected json.RawMessage, classes, rows int) (out [][][]float64, base []float64) {
	t.Helper()
	if classes == 1 {
		var one [][]float64
		var b float64
		if json.Unmarshal(shap, &one) != nil || json.Unmarshal(expected, &b) != nil {
			t.Fatal("shap values of another shape")
		}
		return [][][]float64{one}, []float64{b}
	}
	if json.Unmarshal(shap, &out) != nil || json.Unmarshal(expected, &base) != nil {
		t.Fatal("shap values of another shape")
	}
	if len(out) == classes {
		return out, base
	}
	byRow := out // [row][class][feature]
	out = make([][][]float64, classes)
	for c := range out {
		for i := range rows {
			out[c] = append(out[c], byRow[i][c])
		}
	}
	return out, base
}

// game is the path-dependent value of a coalition: known features send the row
// one way, the others both ways, weighed by cover.
func game(f *tree.Forest, n int32, row []float64, known uint) float64 {
	if f.Left[n] < 0 {
		return f.Value[n]
	}
	j := f.Feature[n]
	left, right := f.Left[n], f.Right[n]
	if known>>j&1 == 1 {
		return game(f, step(f, n, row[j]), row, known)
	}
	share := 0.5
	if sum := f.Cover[left] + f.Cover[right]; sum > 0 {
		share = f.Cover[left] / sum
	}
	return share*game(f, left, row, known) + (1-share)*game(f, right, row, known)
}

// step is the decision rule of the Forest's comment, written again.
func step(f *tree.Forest, n int32, x float64) int32 {
	left := false
	switch {
	case math.IsNaN(x):
		left = f.MissingLeft[n]
	case f.Set[n] < 0:
		left = x <= f.Threshold[n]
	default:
		for w, word := range f.Sets[f.Set[n]] {
			for b := range 64 {
				left = left || word>>b&1 == 1 && x == float64(64*w+b)
			}
		}
	}
	if left {
		return f.Left[n]
	}
	return f.Right[n]
}

// shapley enumerates all coalitions: phi_j is the mean over orders of what j
// adds to those before it.
func shapley(features int, value func(known uint) float64) []float64 {
	factorial := func(n int) float64 { return math.Gamma(float64(n + 1)) }
	phi := make([]float64, features)
	for j := range phi {
		for s := range uint(1) << features {
			if s>>j&1 == 0 {
				size := bits.OnesCount(s)
				weight := factorial(size) * factorial(features-size-1) / factorial(features)
				phi[j] += weight * (value(s|1<<j) - value(s))
			}
		}
	}
	return phi
}

func TestContributionsAreShapleyValues(t *testing.T) {
	t.Parallel()
	for k := range 120 {
		rng := rand.New(rand.NewPCG(7, uint64(k)))
		categories := []int{0, 3, 0, 70, 0, 0, 5}[:1+rng.IntN(7)]
		f := treetest.Random(rng, categories, 1+rng.IntN(3), 1+rng.IntN(14))
		if err := f.Check(); err != nil {
			t.Fatalf("seed 7,%d: %v", k, err)
		}
		e := tree.NewExplainer(f)
		part := make([]float64, f.Features)
		for range 5 {
			row := treetest.Row(rng, categories)
			value := func(known uint) float64 {
				sum := f.Base
				for _, root := range f.Root[:len(f.Root)-1] {
					sum += game(f, root, row, known)
				}
				return sum
			}
			all := uint(1)<<f.Features - 1
			if err := near(f.Margin(row), value(all), 1e-12, "seed 7,%d: margin", k); err != nil {
				t.Fatal(err)
			}
			if err := near(e.Contributions(part, row), value(0), 1e-9, "seed 7,%d: base", k); err != nil {
				t.Fatal(err)
			}
			for j, want := range shapley(f.Features, value) {
				if err := near(part[j], want, 1e-9, "seed 7,%d: row %v: feature %d", k, row, j); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// chain returns a tree that is one long path, every inner node with a leaf on
// its left, node i splitting on feature i%features.
func chain(rng *rand.Rand, depth, features int) *tree.Forest {
	f := &tree.Forest{Features: features, Root: []int32{0, int32(2*depth + 1)}}
	for i := range 2*depth + 1 {
		inner := i%2 == 0 && i < 2*depth
		left, right, value := int32(-1), int32(-1), rng.NormFloat64()
		if inner {
			left, right, value = int32(i+1), int32(i+2), 0
		}
		f.Feature = append(f.Feature, int32(i/2%features))
		f.Threshold = append(f.Threshold, 0)
		f.Left, f.Right = append(f.Left, left), append(f.Right, right)
		f.MissingLeft = append(f.MissingLeft, false)
		f.Set = append(f.Set, -1)
		f.Value = append(f.Value, value)
		f.Cover = append(f.Cover, 1+math.Floor(1000*rng.Float64()))
	}
	f.Feature[2*depth] = 0
	return f
}

// However deep the tree and however many distinct features are on one path,
// base + contributions = margin.
func TestContributionsAddUpInDeepTrees(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ depth, features int }{{30, 30}, {100, 100}, {400, 400}, {1024, 3}, {1024, 1024}} {
		rng := rand.New(rand.NewPCG(8, uint64(c.depth)))
		f := chain(rng, c.depth, c.features)
		if err := f.Check(); err != nil {
			t.Fatal(err)
		}
		e := tree.NewExplainer(f)
		for range 3 {
			row := make([]float64, c.features)
			for j := range row {
				row[j] = rng.NormFloat64() + 1.5 // mostly down the chain
			}
			part := make([]float64, c.features)
			sum := e.Contributions(part, row)
			for _, p := range part {
				sum += p
			}
			if want := f.Margin(row); !(math.Abs(sum-want) <= 1e-9) {
				t.Errorf("depth %d, %d features: base + contributions = %v, margin %v", c.depth, c.features, sum, want)
			}
		}
	}
}

// Reasons are replayed years later, on other machines: their bits are fixed
// like those of margins. The hash is what GOAMD64=v1 and v3 both give.
func TestGoldenBits(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(10, 10))
	h := sha256.New()
	for _, categories := range [][]int{{0, 4, 0, 0, 9, 0, 0, 0, 0, 0}, make([]int, 16), make([]int, 40), {0}} {
		f := treetest.Random(rng, categories, 50, 31)
		e := tree.NewExplainer(f)
		part := make([]float64, f.Features)
		for range 100 {
			row := treetest.Row(rng, categories)
			base := e.Contributions(part, row)
			_ = binary.Write(h, binary.LittleEndian, append(part, base, f.Margin(row)))
		}
	}
	const want = "86518c6204c07f8853361d439aa551da9f8eaf5d11f4878fe9ead8dce60a492b"
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("bits differ: hash %s, want %s", got, want)
	}
}

func TestMarginsAreTheMarginsOfRows(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(9, 9))
	categories := []int{0, 4, 0}
	f := treetest.Random(rng, categories, 20, 15)
	var rows, want []float64
	for range 100 {
		row := treetest.Row(rng, categories)
		rows, want = append(rows, row...), append(want, f.Margin(row))
	}
	got := make([]float64, len(want))
	if f.Margins(got, rows); !slices.Equal(got, want) {
		t.Error("Margins differs from Margin")
	}
}

func TestDegenerateForests(t *testing.T) {
	t.Parallel()
	none := &tree.Forest{Base: 1.5, Root: []int32{0}}
	if err := none.Check(); err != nil {
		t.Fatal(err)
	}
	if base, m := none.Contributions(nil, nil), none.Margin(nil); base != 1.5 || m != 1.5 {
		t.Errorf("forest without trees: base %v, margin %v, want 1.5", base, m)
	}
	stump := treetest.Random(rand.New(rand.NewPCG(1, 1)), nil, 3, 1) // leaves alone, no features
	if err := stump.Check(); err != nil {
		t.Fatal(err)
	}
	if base, m := stump.Contributions(nil, nil), stump.Margin(nil); base != m {
		t.Errorf("trees of one leaf: base %v, margin %v, want the same", base, m)
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	good := func() *tree.Forest {
		return treetest.Random(rand.New(rand.NewPCG(4, 2)), []int{0, 5}, 2, 6)
	}
	if err := good().Check(); err != nil {
		t.Fatal(err)
	}
	last := func(f *tree.Forest) int { return len(f.Feature) - 1 }
	for _, c := range []struct {
		name, want string
		harm       func(f *tree.Forest)
	}{
		{"short array", "arrays of", func(f *tree.Forest) { f.Value = f.Value[1:] }},
		{"no roots", "roots", func(f *tree.Forest) { f.Root = nil }},
		{"roots end early", "roots", func(f *tree.Forest) { f.Root[2]-- }},
		{"empty tree", "tree 0", func(f *tree.Forest) { f.Root[1] = 0 }},
		{"roots backwards", "tree", func(f *tree.Forest) { f.Root = []int32{0, 2000000000, f.Root[2]} }},
		{"negative root", "tree 0", func(f *tree.Forest) { f.Root[1] = -5 }},
		{"feature too large", "feature 2", func(f *tree.Forest) { f.Feature[0] = 2 }},
		{"feature negative", "feature -1", func(f *tree.Forest) { f.Feature[0] = -1 }},
		{"NaN threshold", "threshold", func(f *tree.Forest) { f.Threshold[0] = math.NaN() }},
		{"infinite leaf", "value", func(f *tree.Forest) { f.Value[last(f)] = math.Inf(1) }},
		{"NaN base", "base", func(f *tree.Forest) { f.Base = math.NaN() }},
		{"negative cover", "cover", func(f *tree.Forest) { f.Cover[1] = -1 }},
		{"NaN cover", "cover", func(f *tree.Forest) { f.Cover[1] = math.NaN() }},
		{"loop", "children", func(f *tree.Forest) { f.Left[0] = 0 }},
		{"child before parent", "children", func(f *tree.Forest) { f.Left[f.Root[1]] = 1 }},
		{"child of another tree", "children", func(f *tree.Forest) { f.Left[0] = f.Root[1] }},
		{"child out of range", "children", func(f *tree.Forest) { f.Right[0] = math.MaxInt32 }},
		{"same child twice", "children", func(f *tree.Forest) { f.Right[0] = f.Left[0] }},
		{"half a leaf", "leaf's children", func(f *tree.Forest) { f.Left[0] = -1 }},
		{"orphan", "no parent", func(f *tree.Forest) { f.Left[0], f.Right[0] = -1, -1 }},
		{"set out of range", "category set", func(f *tree.Forest) { f.Set[0] = 99 }},
		{"set below -1", "category set", func(f *tree.Forest) { f.Set[0] = -2 }},
		{"empty set", "words", func(f *tree.Forest) { f.Sets = append(f.Sets, nil) }},
		{"negative features", "features", func(f *tree.Forest) { f.Features = -1 }},
	} {
		f := good()
		c.harm(f)
		if err := f.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one about %q", c.name, err, c.want)
		}
	}
	if err := chain(rand.New(rand.NewPCG(1, 1)), tree.MaxDepth+1, 3).Check(); err == nil {
		t.Errorf("a tree of depth %d passed", tree.MaxDepth+1)
	}
}

// A forest that passes Check can be scored and explained, whatever it is.
func FuzzCheck(f *testing.F) {
	f.Add(uint64(1), []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, seed uint64, harm []byte) {
		rng := rand.New(rand.NewPCG(seed, 0))
		categories := []int{0, 3}
		forest := treetest.Random(rng, categories, 2, 5)
		n := len(forest.Feature)
		for len(harm) >= 3 {
			at, v := int(harm[1])%n, int32(int8(harm[2]))
			switch harm[0] % 6 {
			case 0:
				forest.Left[at] = v
			case 1:
				forest.Right[at] = v
			case 2:
				forest.Feature[at] = v
			case 3:
				forest.Set[at] = v
			case 4:
				forest.Root[at%len(forest.Root)] = v
			case 5:
				forest.Cover[at] = float64(v)
			}
			harm = harm[3:]
		}
		if forest.Check() != nil {
			return
		}
		row := treetest.Row(rng, categories)
		part := make([]float64, 2)
		base := forest.Contributions(part, row)
		if sum, want := base+part[0]+part[1], forest.Margin(row); !(math.Abs(sum-want) <= 1e-9) {
			t.Errorf("base + contributions = %v, margin %v", sum, want)
		}
		other := treetest.Row(rng, categories)
		base = against(t, forest, [][]float64{other}).Contributions(part, row)
		if sum := base + part[0] + part[1]; !(math.Abs(sum-forest.Margin(row)) <= 1e-9) || base != forest.Margin(other) {
			t.Errorf("against a row of margin %v: %v + %v, margin %v", forest.Margin(other), base, part, forest.Margin(row))
		}
		four := make([]float64, 4)
		base = interactor(t, forest).Interactions(four, row)
		if sum := base + four[0] + four[1] + four[2] + four[3]; !(math.Abs(sum-forest.Margin(row)) <= 1e-9) {
			t.Errorf("base + interactions = %v, margin %v", sum, forest.Margin(row))
		}
	})
}
