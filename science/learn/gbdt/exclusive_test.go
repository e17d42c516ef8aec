package gbdt

import (
	"context"
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn"
)

// sparseTable makes rows of many columns that are mostly one value: indicators
// of three categories, exact and with slips (a row in slips has several ones),
// counts, amounts that are mostly missing, codes that are mostly one category,
// a constant, beside a number and a code as anywhere else. All columns but the
// last two stand in random order.
func sparseTable(rng *rand.Rand, rows, slips int) learn.Train {
	const indicators, counts, amounts = 30, 8, 4
	const cols = indicators + counts + amounts + 5
	t := learn.Train{Task: bundle.Regression, Categories: make([]int, cols), Workers: 1,
		Data: learn.Data{X: learn.Matrix{Rows: rows, Cols: cols, Data: make([]float64, rows*cols)}, Y: make([]float64, rows)}}
	order := rng.Perm(cols - 2)
	common, code := order[indicators+counts+amounts], order[indicators+counts+amounts+1]
	t.Categories[code], t.Categories[cols-1] = 9, 6
	for i := range rows {
		x := t.X.Row(i)
		for _, j := range order[indicators+counts : indicators+counts+amounts] {
			x[j] = math.NaN()
		}
		x[common] = 7
		for c := range 3 {
			at := 10*c + min(rng.IntN(10), rng.IntN(10))
			x[order[at]] = 1
			t.Y[i] += float64(at % 7)
		}
		switch k := indicators + rng.IntN(4*(counts+amounts)); {
		case k < indicators+counts:
			x[order[k]] = float64(1 + rng.IntN(300))
			t.Y[i] += float64(k % 3)
		case k < indicators+counts+amounts:
			x[order[k]] = float64(rng.IntN(5) - 2)
			t.Y[i] += 2 * x[order[k]]
		case k == indicators+counts+amounts:
			x[code] = float64(rng.IntN(9))
			if rng.IntN(9) == 0 {
				x[code] = math.NaN()
			}
			t.Y[i] += x[code]
			if x[code] != x[code] {
				t.Y[i] = -4
			}
		}
		x[cols-2], x[cols-1] = float64(rng.IntN(500))/64, float64(rng.IntN(6))
		t.Y[i] += math.Abs(x[cols-2]-4) + float64(int(x[cols-1])%2) + float64(rng.IntN(16))/16
	}
	for range slips {
		x := t.X.Row(rng.IntN(rows))
		for c := range 3 {
			for range 2 {
				x[order[10*c+rng.IntN(10)]] = 1
			}
		}
	}
	return t
}

// head leaves the first rows of t and returns the others, the first column set
// in all of them.
func head(t *learn.Train, rows int) learn.Data {
	rest := learn.Data{X: learn.Matrix{Rows: t.X.Rows - rows, Cols: t.X.Cols, Data: t.X.Data[rows*t.X.Cols:]}, Y: t.Y[rows:]}
	for i := range rest.X.Rows {
		rest.X.Row(i)[0] = 1
	}
	t.X.Rows, t.X.Data, t.Y = rows, t.X.Data[:rows*t.X.Cols], t.Y[:rows]
	return rest
}

// grown returns the forests of a fit, with or without shared lanes, and how
// many lanes and features there are.
func grown(t *testing.T, in learn.Train, p learn.Params, workers int, apart bool) (forests []*tree.Forest, lanes, features int) {
	t.Helper()
	s, err := parse(p)
	if err != nil {
		t.Fatal(err)
	}
	s.apart = apart
	c := newCrew(workers)
	defer c.close()
	b, err := newBooster(context.Background(), c, in, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if forests, err = b.boost(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	return forests, len(b.grower.m.lanes), len(b.grower.m.features)
}

// Sharing lanes cannot be seen in the trees, whatever the settings and the
// number of workers.
func TestSharedLanesGrowTheSameTrees(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]learn.Params{
		"default":           {},
		"row_fraction":      {"row_fraction": 0.5, "feature_fraction": 0.5},
		"gradient_fraction": {"gradient_fraction": 0.4},
		"node_fraction":     {"node_fraction": 0.3},
		"extra_random":      {"extra_random": 1},
		"depth, alpha":      {"growth": "depth", "alpha": 1, "lambda": 1},
		"few rows":          {"min_rows": 1, "leaves": 200, "cat_smooth": 0, "cat_min_rows": 1},
		"few bins":          {"bins": 5, "cat_one_vs_rest": 20},
		"monotone":          {"monotone": []any{}},
		"interactions":      {"interactions": [][]int{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 45, 46}}},
		"l1":                {"objective": "l1"},
		"binary":            {},
		"classes":           {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rng := seed.Stream(1, "shared lanes/"+name, 0)
			in := sparseTable(rng, 3000, 3)
			valid := head(&in, 2500)
			in.Seed, in.Valid = rng.Uint64(), &valid
			p := maps.Clone(p)
			p["trees"], p["early_stopping_rounds"] = 12, 3
			switch name {
			case "monotone":
				directions := make([]float64, in.X.Cols)
				for j := range directions {
					if in.Categories[j] == 0 {
						directions[j] = float64(j%3 - 1)
					}
				}
				p["monotone"] = directions
			case "binary", "classes":
				in.Task = bundle.Binary
				for _, y := range [][]float64{in.Y, valid.Y} {
					for i := range y {
						y[i] = min(1, max(0, math.Round(y[i]/10)))
					}
				}
				if name == "classes" {
					in.Task, in.Classes = bundle.Multiclass, 2
				}
				in.W = make([]float64, in.X.Rows)
				for i := range in.W {
					in.W[i] = float64(rng.IntN(4))
				}
			}
			want, apart, features := grown(t, in, p, 1, true)
			if apart != features || len(want[0].Value) < 40 {
				t.Fatalf("without sharing: %d lanes for %d features, %d nodes", apart, features, len(want[0].Value))
			}
			for _, workers := range []int{1, 2, 5} {
				got, lanes, _ := grown(t, in, p, workers, false)
				if lanes > features/2 {
					t.Errorf("%d workers: %d lanes for %d features", workers, lanes, features)
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%d workers: the trees differ from those without sharing", workers)
				}
			}
		})
	}
}

// lanesOf returns which columns share lanes.
func lanesOf(t *testing.T, in learn.Train, workers int) (*matrix, [][]int) {
	t.Helper()
	s, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := newCrew(workers)
	defer c.close()
	m, err := newMatrix(context.Background(), c, in, upTo(in.X.Rows), s)
	if err != nil {
		t.Fatal(err)
	}
	var lists [][]int
	for _, l := range m.lanes {
		var columns []int
		for _, k := range l.features {
			columns = append(columns, m.features[k].column)
		}
		lists = append(lists, columns)
	}
	slices.SortFunc(lists, slices.Compare)
	return m, lists
}

func upTo(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// What the sample did not show expels a feature from its lane: a row in which
// an earlier one is away too, and a bin that has no cell.
func TestExpelledFromLanes(t *testing.T) {
	t.Parallel()
	const rows, cols = sampledRows + 5000, 9
	rng := seed.Stream(3, "expelled", 0)
	in := learn.Train{Task: bundle.Regression, Seed: 5,
		Data: learn.Data{X: learn.Matrix{Rows: rows, Cols: cols, Data: make([]float64, rows*cols)}, Y: make([]float64, rows)}}
	for i := range rows {
		k := rng.IntN(cols - 1) // the last column is constant
		in.X.Row(i)[k] = 1
		in.Y[i] = float64(k%5) + rng.Float64()
	}
	sample := draw(upTo(rows), sampledRows, seed.Stream(in.Seed, "gbdt/bins", 0))
	var unseen [][]float64
	for i := range rows {
		if _, ok := slices.BinarySearch(sample, i); !ok {
			unseen = append(unseen, in.X.Row(i))
		}
	}
	for i, away := range [][]int{{0, 1}, {2, 3}, {3, 6}} {
		clear(unseen[i])
		for _, k := range away {
			unseen[i][k] = 1
		}
	}
	clear(unseen[3])
	unseen[3][4] = math.NaN() // expelled from the second lane as well
	for _, workers := range []int{1, 2} {
		if _, lanes := lanesOf(t, in, workers); !reflect.DeepEqual(lanes, [][]int{{0, 2, 5, 7, 8}, {1, 3}, {4}, {6}}) {
			t.Errorf("%d workers: lanes are shared by %v", workers, lanes)
		}
	}
	p := learn.Params{"trees": 2}
	want, _, _ := grown(t, in, p, 2, true)
	if got, _, _ := grown(t, in, p, 2, false); !reflect.DeepEqual(got, want) {
		t.Error("the trees differ from those without sharing")
	}
}

// countdown is a context that is cancelled when it is asked for the n-th time.
type countdown struct {
	context.Context
	left *atomic.Int64
}

func (c countdown) Err() error {
	if c.left.Add(-1) >= 0 {
		return nil
	}
	return context.Canceled
}

func TestLanesCancelled(t *testing.T) {
	t.Parallel()
	in := sparseTable(seed.Stream(2, "cancelled", 0), 300, 2)
	in.Workers = 2
	for n := int64(0); ; n++ {
		c := countdown{context.Background(), new(atomic.Int64)}
		c.left.Store(n)
		m, err := Learner{}.Fit(c, in, learn.Params{"trees": 1})
		if err == nil {
			if n < int64(in.X.Cols) {
				t.Errorf("the fit looked at its context only %d times", n)
			}
			return
		}
		if !errors.Is(err, context.Canceled) || m.Trees != nil {
			t.Fatalf("cancelled at look %d: error %v, member %v", n, err, m)
		}
	}
}

// Every row's bin can be read back from its lane.
func TestLanesKeepBins(t *testing.T) {
	t.Parallel()
	for root := range uint64(10) {
		rng := seed.Stream(root, "lanes", 0)
		in := sparseTable(rng, 300, int(root))
		m, _ := lanesOf(t, in, 1+int(root)%3)
		for k := range m.features {
			f := &m.features[k]
			for i := range in.X.Rows {
				bin := f.bin(in.X.Row(i)[f.column])
				cell := m.lanes[f.lane].cells[i]
				if block := m.blocks[f.lane/m.perBlock]; block.cells[i*blockWidth+f.lane%m.perBlock] != cell || !slices.Contains(block.features, k) {
					t.Fatalf("seed %d: row %d of feature %d has another cell in its block", root, i, k)
				}
				var only set
				only.add(bin)
				if in := f.cellsOf(only); !in.has(cell) {
					t.Fatalf("seed %d: row %d of feature %d has bin %d, but cell %d is not of it", root, i, k, bin, cell)
				}
				rest := only
				for w := range rest {
					rest[w] = ^rest[w]
				}
				if in := f.cellsOf(rest); in.has(cell) {
					t.Fatalf("seed %d: cell %d of feature %d is of several bins", root, cell, k)
				}
			}
		}
	}
}
