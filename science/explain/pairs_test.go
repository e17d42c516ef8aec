package explain_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/bundle/tree/treetest"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/science/explain"
)

// trees is a model of random trees on four numbers, and rows for it.
func trees(t *testing.T, n int) (*bundle.Model, bundle.Rows) {
	t.Helper()
	rng := rand.New(rand.NewPCG(31, 1))
	m := bundle.Model{Calibration: bundle.Calibration{Method: "identity"}}
	var plan step.Plan
	rows := bundle.Rows{N: n, Cols: 4}
	for i, name := range []string{"d", "b", "c", "a"} {
		m.Contract.Fields = append(m.Contract.Fields, data.Field{Name: name, Kind: data.Number, Role: data.Feature})
		plan = append(plan, step.Feature{Name: name, Input: i, Op: step.Number})
	}
	for range n {
		rows.Data = append(rows.Data, treetest.Row(rng, make([]int, 4))...)
	}
	m.Members = []bundle.Member{{Learner: "gbdt", Weight: 1, Plan: plan, Trees: treetest.Random(rng, make([]int, 4), 9, 12)}}
	out, err := bundle.NewModel(m)
	if err != nil {
		t.Fatal(err)
	}
	return out, rows
}

func TestPairsAddUp(t *testing.T) {
	t.Parallel()
	m, rows := trees(t, 40)
	x, err := m.Interactor()
	if err != nil {
		t.Fatal(err)
	}
	all, err := explain.Pairs(t.Context(), x, rows, 0)
	if err != nil {
		t.Fatal(err)
	}
	two, err := explain.Pairs(t.Context(), x, rows, 2)
	if err != nil {
		t.Fatal(err)
	}
	matrix := make([]float64, 16)
	for i, e := range all {
		sum := e.Base
		x.Interactions(matrix, rows.Row(i))
		for j, v := range e.Alone {
			if sum += v; v != matrix[5*j] {
				t.Errorf("row %d: %s alone is %v, want %v", i, e.Columns[j], v, matrix[5*j])
			}
		}
		before := math.Inf(1)
		for _, p := range e.Pairs {
			a, b := slices.Index(e.Columns, p.Columns[0]), slices.Index(e.Columns, p.Columns[1])
			if a >= b || p.Value != 2*matrix[4*a+b] || math.Abs(p.Value) > before {
				t.Errorf("row %d: %v after %v, want twice %v", i, p, before, matrix[4*a+b])
			}
			sum, before = sum+p.Value, math.Abs(p.Value)
		}
		if math.Abs(sum-m.Margin(rows.Row(i))) > 1e-12 || e.Margin != m.Margin(rows.Row(i)) || e.Rest != 0 {
			t.Errorf("row %d: %v of the margin %v, rest %v", i, sum, m.Margin(rows.Row(i)), e.Rest)
		}
		rest := 0.0
		for _, p := range e.Pairs[2:] {
			rest += p.Value
		}
		if got := two[i]; !slices.Equal(got.Pairs, e.Pairs[:2]) || got.Rest != rest {
			t.Errorf("row %d: the first two pairs are %v and %v, of all %v", i, got.Pairs, got.Rest, e.Pairs)
		}
	}
	mean, err := explain.MeanPairs(t.Context(), x, rows)
	if err != nil {
		t.Fatal(err)
	}
	if len(mean) != 6 || !slices.IsSortedFunc(mean, func(a, b explain.PairImportance) int { return int(math.Copysign(1, b.MeanAbs-a.MeanAbs)) }) {
		t.Errorf("%d pairs of 4 columns: %v", len(mean), mean)
	}
	for _, p := range mean {
		want := 0.0
		for _, e := range all {
			for _, q := range e.Pairs {
				if q.Columns == p.Columns {
					want += math.Abs(q.Value) / float64(rows.N)
				}
			}
		}
		if math.Abs(p.MeanAbs-want) > 1e-13 {
			t.Errorf("%v: mean %v, want %v", p.Columns, p.MeanAbs, want)
		}
	}
}

// Whatever the number of processors, the bits are the same.
func TestReasonsOnAnyNumberOfProcessors(t *testing.T) {
	m, rows := trees(t, 150)
	with, err := m.Against(t.Context(), bundle.Rows{N: 20, Cols: 4, Data: rows.Data[:80]})
	if err != nil {
		t.Fatal(err)
	}
	x, err := m.Interactor()
	if err != nil {
		t.Fatal(err)
	}
	all := func() (out [4]any) {
		for k, f := range []func() (any, error){
			func() (any, error) { return explain.Rows(t.Context(), m, rows) },
			func() (any, error) { return explain.Rows(t.Context(), with, rows) },
			func() (any, error) { return explain.Pairs(t.Context(), x, rows, 0) },
			func() (any, error) { return explain.MeanPairs(t.Context(), x, rows) },
		} {
			if out[k], err = f(); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	want := all()
	if row := explain.Row(with, rows.Row(7)); !reflect.DeepEqual(row, want[1].([]explain.RowExplanation)[7]) {
		t.Errorf("a row alone: %v, among others %v", row, want[1].([]explain.RowExplanation)[7])
	}
	for _, n := range []int{2, 8} {
		runtime.GOMAXPROCS(n)
		if got := all(); !reflect.DeepEqual(got, want) {
			t.Errorf("%d processors give other figures than one", n)
		}
	}
}

func TestPairsErrors(t *testing.T) {
	t.Parallel()
	m, rows := trees(t, 3)
	x, err := m.Interactor()
	if err != nil {
		t.Fatal(err)
	}
	narrow := bundle.Rows{N: 1, Cols: 3, Data: make([]float64, 3)}
	if _, err := explain.Pairs(t.Context(), x, narrow, 1); err == nil {
		t.Error("pairs of rows of another width")
	}
	if _, err := explain.MeanPairs(t.Context(), x, narrow); err == nil {
		t.Error("mean pairs of rows of another width")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := explain.Pairs(ctx, x, rows, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("pairs cancelled: %v", err)
	}
	if _, err := explain.MeanPairs(ctx, x, rows); !errors.Is(err, context.Canceled) {
		t.Errorf("mean pairs cancelled: %v", err)
	}
	if none, err := explain.MeanPairs(t.Context(), x, bundle.Rows{Cols: 4}); err != nil || len(none) != 0 {
		t.Errorf("no rows: %v, %v", none, err)
	}
}

// One tree that asks for both columns, worked out by hand; and a linear model,
// whose columns do nothing together.
func TestPairsByHand(t *testing.T) {
	t.Parallel()
	m := bundle.Model{Calibration: bundle.Calibration{Method: "identity"}}
	for _, name := range []string{"Income", "Debt"} {
		m.Contract.Fields = append(m.Contract.Fields, data.Field{Name: name, Kind: data.Number, Role: data.Feature})
	}
	// 4 if both are above 0, else 0; half of the training rows go each way, at either node.
	both := &tree.Forest{
		Features: 2, Root: []int32{0, 5},
		Feature: []int32{0, 0, 1, 0, 0}, Threshold: make([]float64, 5),
		Left: []int32{1, -1, 3, -1, -1}, Right: []int32{2, -1, 4, -1, -1},
		MissingLeft: make([]bool, 5), Set: []int32{-1, -1, -1, -1, -1},
		Value: []float64{0, 0, 0, 0, 4}, Cover: []float64{8, 4, 4, 2, 2},
	}
	m.Members = []bundle.Member{{Learner: "gbdt", Weight: 1, Trees: both, Plan: step.Plan{
		{Name: "Income", Input: 0, Op: step.Number}, {Name: "Debt", Input: 1, Op: step.Number}}}}
	ready, err := bundle.NewModel(m)
	if err != nil {
		t.Fatal(err)
	}
	x, err := ready.Interactor()
	if err != nil {
		t.Fatal(err)
	}
	// With nothing known 1, one of the two 2, both 4: together they do 4-2-2+1 = 1, and each 1.5 in all.
	got, err := explain.Pairs(t.Context(), x, bundle.Rows{N: 1, Cols: 2, Data: []float64{1, 1}}, 3)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(got)
	if want := `[{"margin":4,"base":1,"alone":{"Income":1,"Debt":1},"pairs":[{"columns":["Income","Debt"],"value":1}],"rest":0}]`; err != nil || string(b) != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, b, want)
	}
	linear := model(t, bundle.Regression, []string{"p", "q"}, 1, 2)
	if x, err = linear.Interactor(); err != nil {
		t.Fatal(err)
	}
	none, err := explain.Pairs(t.Context(), x, bundle.Rows{N: 1, Cols: 2, Data: []float64{1, 1}}, 3)
	if err != nil {
		t.Fatal(err)
	}
	b, err = json.Marshal(none)
	if want := `[{"margin":3.5,"base":0.5,"alone":{"p":1,"q":2},"pairs":[],"rest":0}]`; err != nil || string(b) != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, b, want)
	}
}
