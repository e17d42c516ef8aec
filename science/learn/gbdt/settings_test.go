package gbdt_test

import (
	"math"
	"slices"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn"
)

// variants are settings that change how trees grow.
var variants = map[string]learn.Params{
	"alpha":             {"alpha": 2},
	"node_fraction":     {"node_fraction": 0.7},
	"gradient_fraction": {"gradient_fraction": 0.4},
	"extra_random":      {"extra_random": 1},
	"growth":            {"growth": "depth"},
	"monotone":          {"monotone": []int{1, -1, 0, 0, 0}},
	"interactions":      {"interactions": [][]int{{0, 1}, {1, 2, 3}}},
	"rounding":          {"rounding": "nearest"},
}

// No setting lets the number of workers be seen, and none is without effect.
func TestVariants(t *testing.T) {
	t.Parallel()
	for name, p := range variants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := table(bundle.Binary, 3000, 11)
			plain := fingerprint(t, mustFit(t, in, learn.Params{"trees": 20}))
			p["trees"] = 20
			want := ""
			for _, workers := range []int{1, 2, 8} {
				in.Workers = workers
				got := fingerprint(t, mustFit(t, in, p))
				if want == "" {
					want = got
				}
				if got != want || got == plain {
					t.Errorf("%d workers: %s, want %s as one worker and not %s as without the setting", workers, got, want, plain)
				}
			}
			f := mustFit(t, in, p)
			if before, after := float64(in.X.Rows)*math.Ln2, loss(in.Task, margins(f, in.X), in.Y); after > before*0.8 {
				t.Errorf("the loss is %g after training, %g before", after, before)
			}
		})
	}
}

// Up to 10,000 rows, by weight, a node tries half of the features by default,
// and beyond all.
func TestNodeFractionByRows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rows   int
		weight float64
		want   float64
	}{{10_000, 1, 0.5}, {10_001, 1, 1}, {5_000, 2, 0.5}, {5_001, 2, 1}} {
		in := table(bundle.Binary, c.rows, 12)
		in.W = slices.Repeat([]float64{c.weight}, c.rows)
		got := fingerprint(t, mustFit(t, in, learn.Params{"trees": 3}))
		for _, fraction := range []float64{0.5, 1} {
			same := got == fingerprint(t, mustFit(t, in, learn.Params{"trees": 3, "node_fraction": fraction}))
			if same != (fraction == c.want) {
				t.Errorf("%d rows of weight %g: by default as with node_fraction %g: %t", c.rows, c.weight, fraction, same)
			}
		}
	}
}

// paths calls visit for every split with its node and the features above it.
func paths(f *tree.Forest, visit func(n int32, above []int32)) {
	var walk func(n int32, above []int32)
	walk = func(n int32, above []int32) {
		if f.Left[n] < 0 {
			return
		}
		visit(n, above)
		above = append(slices.Clone(above), f.Feature[n])
		walk(f.Left[n], above)
		walk(f.Right[n], above)
	}
	for _, root := range f.Root[:len(f.Root)-1] {
		walk(root, nil)
	}
}

func TestInteractions(t *testing.T) {
	t.Parallel()
	in := table(bundle.Regression, 2000, 12)
	f := mustFit(t, in, learn.Params{"interactions": []any{[]any{0.0, 1.0}, []any{1, 2}}})
	together := map[[2]int32]bool{}
	paths(f, func(n int32, above []int32) {
		for _, a := range above {
			together[[2]int32{min(a, f.Feature[n]), max(a, f.Feature[n])}] = true
		}
	})
	for pair := range together {
		if a, b := pair[0], pair[1]; a != b && pair != [2]int32{0, 1} && pair != [2]int32{1, 2} {
			t.Errorf("features %d and %d are on one path", a, b)
		}
	}
	if !together[[2]int32{0, 1}] || !together[[2]int32{1, 2}] {
		t.Error("features that may meet never do")
	}
	f = mustFit(t, in, learn.Params{"interactions": [][]int{{0, 1}, {0, 2}}})
	paths(f, func(n int32, above []int32) {
		if slices.Contains(above, 1) && f.Feature[n] == 2 {
			t.Error("1 and 2 meet through 0, although they are in no list together")
		}
	})
}

// Along a constrained feature, whatever the others are, no margin moves the
// wrong way, not by the last bit.
func TestMonotone(t *testing.T) {
	t.Parallel()
	sign := []float64{1, -1, 1, 0, -1}
	for _, task := range []bundle.Task{bundle.Binary, bundle.Regression} {
		for name, p := range map[string]learn.Params{
			"plain": {}, "lambda": {"lambda": 5, "alpha": 1}, "sampled": {"gradient_fraction": 0.5, "extra_random": 1},
			"l1": {"objective": "l1"}, "quantile": {"objective": "quantile", "quantile": 0.9},
			"huber": {"objective": "huber"}, "depth": {"growth": "depth"}, "nearest": {"rounding": "nearest", "row_fraction": 0.8},
		} {
			if task == bundle.Binary && p["objective"] != nil {
				continue
			}
			in := table(task, 1500, 13)
			p["monotone"], p["learning_rate"], p["min_rows"] = sign, 0.3, 3
			scorer := tree.NewScorer(mustFit(t, in, p)) // the forest's margins, many at a time
			rng := seed.Stream(13, "monotone grid", 0)
			for range 300 {
				row := in.X.Row(rng.IntN(in.X.Rows))
				for j, s := range sign {
					if s == 0 {
						continue
					}
					grid, m := slices.Repeat(row, 60), make([]float64, 60)
					for step := range m {
						grid[step*len(row)+j] = (float64(step) - 25) / 10
					}
					scorer.Margins(m, grid)
					for step := range m[1:] {
						if s*m[step+1] < s*m[step] {
							t.Fatalf("%s, %s: margin moves from %g to %g along feature %d, direction %g", task, name, m[step], m[step+1], j, s)
						}
					}
				}
			}
		}
	}
}

func TestDepthGrowth(t *testing.T) {
	t.Parallel()
	in := table(bundle.Regression, 4000, 14)
	deepest := func(f *tree.Forest) (d int) {
		paths(f, func(_ int32, above []int32) { d = max(d, len(above)+1) })
		return d
	}
	level := mustFit(t, in, learn.Params{"growth": "depth", "leaves": 16, "trees": 10, "min_rows": 1})
	if d := deepest(level); d != 4 {
		t.Errorf("16 leaves level by level reach depth %d, want 4", d)
	}
	if d := deepest(mustFit(t, in, learn.Params{"leaves": 16, "trees": 10, "min_rows": 1})); d <= 4 {
		t.Errorf("16 leaves by gain reach depth %d only", d)
	}
}

// A feature with two values has one edge: choosing it at random is no choice.
func TestExtraRandomOfOneEdge(t *testing.T) {
	t.Parallel()
	in := table(bundle.Regression, 1000, 15)
	for i := range in.X.Rows {
		for _, j := range []int{0, 1, 2, 4} {
			if x := in.X.Row(i)[j]; x > 1 {
				in.X.Row(i)[j] = 1
			} else {
				in.X.Row(i)[j] = 0 // missing too: splitting it off would be another edge
			}
		}
	}
	a, b := mustFit(t, in, nil), mustFit(t, in, learn.Params{"extra_random": 1})
	if fingerprint(t, a) != fingerprint(t, b) {
		t.Error("the trees differ")
	}
}

// Weighing the positive class is weighing its rows.
func TestPositiveWeight(t *testing.T) {
	t.Parallel()
	in := table(bundle.Binary, 1000, 16)
	valid := table(bundle.Binary, 500, 17)
	in.Valid = &valid.Data
	a := mustFit(t, in, learn.Params{"positive_weight": 3})
	weigh := func(d *learn.Data) {
		d.W = make([]float64, len(d.Y))
		for i, y := range d.Y {
			d.W[i] = 1 + 2*y
		}
	}
	weigh(&in.Data)
	weigh(in.Valid)
	if b := mustFit(t, in, nil); fingerprint(t, a) != fingerprint(t, b) {
		t.Error("the forest is not that of rows with these weights")
	}
}

// Rows drawn by gradient stand for all rows: as many are drawn as asked for,
// and their weights add up to those of all.
func TestGradientFraction(t *testing.T) {
	t.Parallel()
	in := table(bundle.Binary, 4000, 18)
	f := mustFit(t, in, learn.Params{"gradient_fraction": 0.3, "trees": 50})
	mean := 0.0
	for _, root := range f.Root[:50] {
		mean += f.Cover[root] / 50
	}
	if math.Abs(mean-4000) > 40 {
		t.Errorf("a tree covers %g rows on average, want about 4,000", mean)
	}
	all := mustFit(t, in, learn.Params{"trees": 50})
	test := table(bundle.Binary, 4000, 19)
	if got, full := loss(in.Task, margins(f, test.X), test.Y), loss(in.Task, margins(all, test.X), test.Y); got > full*1.05 {
		t.Errorf("the loss on other rows is %g, with all rows %g", got, full)
	}
}
