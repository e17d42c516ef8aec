package tree_test

import (
	"context"
	"encoding/json"
	"errors"
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

// shapReasons is testdata/golden/reasons.json, see reasons.py.
type shapReasons struct {
	Rows, Background [][]*float64    // of reasons.txt alone
	Raw              []float64       // likewise
	Exact            json.RawMessage // [row][feature], of several classes [row][feature][class]
	Whole            []int           // the rows that TreeExplainer has; nil: all
	Interventional   [][]float64     // by TreeExplainer
	Interactions     [][][]float64   // by TreeExplainer
}

// shapCase is a model with the rows and the background that reasons.json is of.
type shapCase struct {
	shapReasons
	rows, background [][]float64
	classes          int
}

func readShapCases(t *testing.T) map[string]shapCase {
	t.Helper()
	read := func(name string, into any) {
		t.Helper()
		src, err := os.ReadFile("testdata/golden/" + name + ".json")
		if err == nil {
			err = json.Unmarshal(src, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var golden map[string]shapReasons
	read("reasons", &golden)
	out := map[string]shapCase{}
	for name, classes := range map[string]int{"binary": 1, "multiclass": 3, "regression": 1, "reasons": 1} {
		of := golden[name]
		if name != "reasons" {
			var model struct{ Rows, Background [][]*float64 }
			read(name, &model)
			of.Rows, of.Background = model.Rows[:12], model.Background
		}
		out[name] = shapCase{of, filled(of.Rows), filled(of.Background), classes}
	}
	return out
}

// filled returns rows with NaN in place of null.
func filled(rows [][]*float64) [][]float64 {
	out := make([][]float64, len(rows))
	for i, row := range rows {
		for _, cell := range row {
			if cell == nil {
				out[i] = append(out[i], math.NaN())
			} else {
				out[i] = append(out[i], *cell)
			}
		}
	}
	return out
}

func against(t *testing.T, f *tree.Forest, background [][]float64) *tree.Interventional {
	t.Helper()
	e, err := tree.NewInterventional(context.Background(), f, len(background), slices.Concat(background...), 1<<29)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Contributions against a background are those of the shap package: of its
// enumeration of all coalitions, and, to its single precision, of its
// TreeExplainer.
func TestInterventionalLikeSHAP(t *testing.T) {
	t.Parallel()
	for name, c := range readShapCases(t) {
		exact := make([][][]float64, c.classes) // [class][row][feature]
		if c.classes == 1 {
			if err := json.Unmarshal(c.Exact, &exact[0]); err != nil {
				t.Fatal(err)
			}
		} else {
			var byRow [][][]float64 // [row][feature][class]
			if err := json.Unmarshal(c.Exact, &byRow); err != nil {
				t.Fatal(err)
			}
			for class := range exact {
				exact[class] = make([][]float64, len(byRow))
				for i, features := range byRow {
					for _, v := range features {
						exact[class][i] = append(exact[class][i], v[class])
					}
				}
			}
		}
		for class := range exact {
			f := readLightGBM(t, "testdata/golden/"+name+".txt", class, c.classes)
			e := against(t, f, c.background)
			part := make([]float64, f.Features)
			for i, row := range c.rows {
				e.Contributions(part, row)
				for j, got := range part {
					if err := near(got, exact[class][i][j], 1e-9, "%s: class %d row %d feature %d", name, class, i, j); err != nil {
						t.Error(err)
					}
				}
			}
			for k, want := range c.Interventional {
				i := k
				if c.Whole != nil {
					i = c.Whole[k]
				}
				e.Contributions(part, c.rows[i])
				for j, got := range part {
					if math.Abs(got-want[j]) > 1e-7 {
						t.Errorf("%s: row %d feature %d: %v, TreeExplainer %v", name, i, j, got, want[j])
					}
				}
			}
		}
	}
}

// randomCase draws a small forest, a background and what its features are.
func randomCase(rng *rand.Rand) (f *tree.Forest, background [][]float64, categories []int) {
	categories = []int{0, 3, 0, 70, 0, 0, 5}[:1+rng.IntN(7)]
	f = treetest.Random(rng, categories, 1+rng.IntN(4), 1+rng.IntN(16))
	for range 1 + rng.IntN(12) {
		background = append(background, treetest.Row(rng, categories))
	}
	return f, background, categories
}

func TestInterventionalContributionsAreShapleyValues(t *testing.T) {
	t.Parallel()
	for k := range 150 {
		rng := rand.New(rand.NewPCG(11, uint64(k)))
		f, background, categories := randomCase(rng)
		e := against(t, f, background)
		part, mixed := make([]float64, f.Features), make([]float64, f.Features)
		for range 4 {
			row := treetest.Row(rng, categories)
			value := func(known uint) float64 {
				sum := 0.0
				for _, z := range background {
					for j := range mixed {
						mixed[j] = z[j]
						if known>>j&1 == 1 {
							mixed[j] = row[j]
						}
					}
					sum += f.Margin(mixed)
				}
				return sum / float64(len(background))
			}
			if err := near(e.Contributions(part, row), value(0), 1e-12, "seed 11,%d: base", k); err != nil {
				t.Fatal(err)
			}
			for j, want := range shapley(f.Features, value) {
				if err := near(part[j], want, 1e-11, "seed 11,%d: row %v: feature %d", k, row, j); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// However large the forest and deep the trees, with more than 64 features on a
// way too, contributions add up to the margin less the background's mean.
func TestInterventionalContributionsAddUp(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(12, 1))
	for name, f := range map[string]*tree.Forest{
		"wide":         treetest.Random(rng, make([]int, 28), 200, 31),
		"63 features":  chain(rng, 63, 63),
		"64 features":  chain(rng, 64, 64),
		"65 features":  chain(rng, 150, 65),
		"400 features": chain(rng, 400, 400),
		"3 features":   chain(rng, 1024, 3),
	} {
		draw := func() []float64 {
			row := make([]float64, f.Features)
			for j := range row {
				if row[j] = rng.NormFloat64() + 1.5; name == "wide" { // else mostly down the chain
					row[j] = rng.NormFloat64()
				}
			}
			return row
		}
		var background [][]float64
		for range 50 {
			background = append(background, draw())
		}
		mean := 0.0
		for _, z := range background {
			mean += f.Margin(z) / 50
		}
		e := against(t, f, background)
		part := make([]float64, f.Features)
		for range 5 {
			row := draw()
			base, sum := e.Contributions(part, row), 0.0
			for _, v := range part {
				sum += v
			}
			if want := f.Margin(row) - mean; math.Abs(base-mean) > 1e-12 || math.Abs(sum-want) > 1e-12 {
				t.Errorf("%s: base %v, the background's mean %v; contributions %v, want %v", name, base, mean, sum, want)
			}
		}
	}
}

// A background is a set: neither the order of its rows nor what covers say
// counts, twice the rows are the same mean, and a row of the background alone
// explains nothing of itself.
func TestBackgroundIsASet(t *testing.T) {
	t.Parallel()
	for k := range 40 {
		rng := rand.New(rand.NewPCG(13, uint64(k)))
		f, background, categories := randomCase(rng)
		row := treetest.Row(rng, categories)
		want, got := make([]float64, f.Features), make([]float64, f.Features)
		against(t, f, background).Contributions(want, row)
		twice := append(slices.Clone(background), background...)
		rng.Shuffle(len(twice), func(a, b int) { twice[a], twice[b] = twice[b], twice[a] })
		other := *f
		other.Cover = make([]float64, len(f.Cover))
		against(t, &other, twice).Contributions(got, row)
		for j := range want {
			if math.Abs(got[j]-want[j]) > 1e-13 {
				t.Errorf("seed 13,%d: feature %d: %v, with the rows twice in another order %v", k, j, want[j], got[j])
			}
		}
		if base := against(t, f, [][]float64{row}).Contributions(got, row); math.Abs(base-f.Margin(row)) > 1e-14 || slices.ContainsFunc(got, func(v float64) bool { return v != 0 }) {
			t.Errorf("seed 13,%d: a row against itself: %v from %v", k, got, base)
		}
	}
}

func TestInterventionalRefuses(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(14, 1))
	f := treetest.Random(rng, []int{0, 3}, 20, 31)
	for rows, values := range map[int]int{0: 0, 2: 3, -1: -2} {
		if _, err := tree.NewInterventional(t.Context(), f, rows, make([]float64, max(0, values)), 1<<29); err == nil {
			t.Errorf("a background of %d rows and %d values was accepted", rows, values)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tree.NewInterventional(ctx, f, 1, []float64{1, 2}, 1<<29); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := tree.NewInterventional(t.Context(), chain(rng, 9, 1), 3, []float64{-1, 0, 1}, 1<<20); err != nil {
		t.Errorf("a megabyte is enough: %v", err)
	}
	wide := make([]float64, 500*200)
	for i := range wide {
		wide[i] = rng.NormFloat64()
	}
	if _, err := tree.NewInterventional(t.Context(), chain(rng, 200, 200), 500, wide, 1<<20); err == nil || !strings.Contains(err.Error(), "500 rows needs more than 1 MB") {
		t.Errorf("a background that takes more than a megabyte: %v", err)
	}
}

// pairs enumerates all coalitions: the mean over orders of what i and j do
// together beyond what each does alone, half of it on either side; on the
// diagonal what is left of the Shapley value.
func pairs(features int, value func(known uint) float64) [][]float64 {
	factorial := func(n int) float64 { return math.Gamma(float64(n + 1)) }
	out := make([][]float64, features)
	for i, phi := range shapley(features, value) {
		out[i] = make([]float64, features)
		out[i][i] = phi
		for j := range features {
			if i == j {
				continue
			}
			for s := range uint(1) << features {
				if s>>i&1 == 1 || s>>j&1 == 1 {
					continue
				}
				size := bits.OnesCount(s)
				weight := factorial(size) * factorial(features-size-2) / (2 * factorial(features-1))
				out[i][j] += weight * (value(s|1<<i|1<<j) - value(s|1<<i) - value(s|1<<j) + value(s))
			}
			out[i][i] -= out[i][j]
		}
	}
	return out
}

// Little memory costs time, and changes no bit.
func TestInterventionalInLittleMemory(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(27, 1))
	f, rows := treetest.Random(rng, make([]int, 28), 20, 31), randomRows(rng, 40)
	much, err := tree.NewInterventional(t.Context(), f, 40, rows, 1<<29)
	if err != nil {
		t.Fatal(err)
	}
	for memory := 1 << 29; ; memory /= 2 {
		little, err := tree.NewInterventional(t.Context(), f, 40, rows, memory)
		if err != nil {
			if memory > 1<<18 {
				t.Errorf("%d bytes are not enough: %v", memory, err)
			}
			return
		}
		want, got := make([]float64, len(rows)), make([]float64, len(rows))
		much.Contributions(want, rows)
		if little.Contributions(got, rows); !slices.Equal(got, want) {
			t.Errorf("with %d bytes come other contributions", memory)
		}
	}
}

// Rows together have the bits of each alone, the margin's base too.
func TestInterventionalOfManyRows(t *testing.T) {
	t.Parallel()
	for k := range 20 {
		rng := rand.New(rand.NewPCG(20, uint64(k)))
		f, background, categories := randomCase(rng)
		e := against(t, f, background)
		var rows []float64
		for range 9 {
			rows = append(rows, treetest.Row(rng, categories)...)
		}
		all, one := make([]float64, len(rows)), make([]float64, f.Features)
		base := e.Contributions(all, rows)
		for i := range 9 {
			if b := e.Contributions(one, rows[i*f.Features:][:f.Features]); b != base || !slices.Equal(one, all[i*f.Features:][:f.Features]) {
				t.Fatalf("seed 20,%d: row %d alone: %v from %v, among others %v from %v", k, i, one, b, all[i*f.Features:][:f.Features], base)
			}
		}
	}
}

func BenchmarkInterventional(b *testing.B) {
	const n = 32
	f, rows, part := forest500(rand.New(rand.NewPCG(1, 1))), randomRows(rand.New(rand.NewPCG(2, 2)), n), make([]float64, n*28)
	for _, size := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			e, err := tree.NewInterventional(b.Context(), f, size, randomRows(rand.New(rand.NewPCG(3, 3)), size), 1<<29)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				e.Contributions(part, rows)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
		})
	}
}

func BenchmarkNewInterventional(b *testing.B) {
	f, background := forest500(rand.New(rand.NewPCG(1, 1))), randomRows(rand.New(rand.NewPCG(3, 3)), 1000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tree.NewInterventional(b.Context(), f, 1000, background, 1<<29); err != nil {
			b.Fatal(err)
		}
	}
}

// One tree: 4 if income and debt are both above 0, else 0. Compared with a row
// that lacks both, and one that lacks income alone.
func ExampleNewInterventional() {
	f := &tree.Forest{
		Features: 2, Root: []int32{0, 5},
		Feature: []int32{0, 0, 1, 0, 0}, Threshold: make([]float64, 5),
		Left: []int32{1, -1, 3, -1, -1}, Right: []int32{2, -1, 4, -1, -1},
		MissingLeft: make([]bool, 5), Set: []int32{-1, -1, -1, -1, -1},
		Value: []float64{0, 0, 0, 0, 4}, Cover: []float64{8, 4, 4, 2, 2},
	}
	part := make([]float64, 2)
	for _, other := range [][]float64{{-1, -1}, {-1, 1}} {
		e, err := tree.NewInterventional(context.Background(), f, 1, other, 1<<20)
		if err != nil {
			panic(err)
		}
		base := e.Contributions(part, []float64{1, 1})
		fmt.Printf("4 = %v %v\n", base, part)
	}
	// Output:
	// 4 = 0 [2 2]
	// 4 = 0 [4 0]
}
