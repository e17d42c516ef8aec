package explain_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/linear"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/explain"
)

// model is a linear model on standardised numbers: margin = 0.5 + sum w[j]*x[j].
func model(t testing.TB, task bundle.Task, names []string, w ...float64) *bundle.Model {
	t.Helper()
	m := bundle.Model{Calibration: bundle.Calibration{Method: "sigmoid", A: 1}, Decision: bundle.Decision{Positive: "yes", Negative: "no", Threshold: 0.5}}
	if task == bundle.Regression {
		m.Calibration, m.Decision = bundle.Calibration{Method: "identity"}, bundle.Decision{}
	}
	l := &linear.Model{Intercept: 0.5, Weight: w, Mean: make([]float64, len(w))}
	var plan step.Plan
	for i, n := range names {
		m.Contract.Fields = append(m.Contract.Fields, data.Field{Name: n, Kind: data.Number, Role: data.Feature})
		plan = append(plan, step.Feature{Name: n, Input: i, Op: step.Standard, Scale: 1, Low: -100, High: 100})
	}
	m.Members = []bundle.Member{{Learner: "linear", Weight: 1, Plan: plan, Linear: l}}
	out, err := bundle.NewModel(m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// table draws n rows of standard normal columns and labels that follow the
// first column strongly and the second weakly.
func table(n, cols int, root uint64) (bundle.Rows, []float64) {
	rng := seed.Stream(root, "test", 0)
	rows := bundle.Rows{N: n, Cols: cols, Data: make([]float64, n*cols)}
	y := make([]float64, n)
	for i := range n {
		for j := range cols {
			rows.Row(i)[j] = rng.NormFloat64()
		}
		if rng.Float64() < 1/(1+math.Exp(-2*rows.Row(i)[0]-0.5*rows.Row(i)[cols-1])) {
			y[i] = 1
		}
	}
	return rows, y
}

func TestPermutationFindsWhatTheModelUses(t *testing.T) {
	t.Parallel()
	m := model(t, bundle.Binary, []string{"none", "strong", "weak"}, 0, 2, 0.5)
	raw, y := table(3000, 2, 1)
	rows := bundle.Rows{N: raw.N, Cols: 3, Data: make([]float64, raw.N*3)}
	for i := range raw.N {
		copy(rows.Row(i), []float64{float64(i % 7), raw.Row(i)[0], raw.Row(i)[1]})
	}
	before := slices.Clone(rows.Data)
	imp, err := explain.Permutation(context.Background(), explain.Config{Model: m, Rows: rows, Y: y, Task: bundle.Binary, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if imp[0].Column != "strong" || imp[1].Column != "weak" || imp[2].Column != "none" {
		t.Fatalf("order %v", imp)
	}
	if imp[2].Drop != 0 || imp[2].SD != 0 || imp[2].MeanAbs != 0 {
		t.Errorf("a column of weight 0 has importance: %+v", imp[2])
	}
	// A ranking by noise has AUC 1/2; what is left comes from the weak column.
	if imp[0].Drop < 0.25 || imp[0].Drop > 0.4 || imp[1].Drop < 0.003 {
		t.Errorf("drops %v", imp)
	}
	// The mean of |2x| for standard normal x is 2*sqrt(2/pi).
	if want := 2 * math.Sqrt(2/math.Pi); math.Abs(imp[0].MeanAbs-want) > 0.12 {
		t.Errorf("mean absolute contribution %v, want about %v", imp[0].MeanAbs, want)
	}
	if !slices.Equal(before, rows.Data) {
		t.Error("the rows were modified")
	}
}

// RMSE rises from 0 to sqrt(2)*sd when the only column of an exact model is
// shuffled: Var(x - x') = 2 Var(x).
func TestPermutationRegression(t *testing.T) {
	t.Parallel()
	m := model(t, bundle.Regression, []string{"x"}, 3)
	rows, _ := table(4000, 1, 2)
	y := make([]float64, rows.N)
	m.ScoreRows(y, nil, rows)
	imp, err := explain.Permutation(context.Background(), explain.Config{Model: m, Rows: rows, Y: y, Task: bundle.Regression, Seed: 3, Repeats: 8})
	if err != nil {
		t.Fatal(err)
	}
	if want := 3 * math.Sqrt2; math.Abs(imp[0].Drop-want) > 0.15 || imp[0].SD <= 0 || imp[0].SD > 0.1 {
		t.Errorf("importance %+v, want a drop of about %.3f", imp[0], want)
	}
}

func TestPermutationIsReproducible(t *testing.T) {
	t.Parallel()
	rows, y := table(1500, 3, 4)
	run := func(c explain.Config) []bundle.Importance {
		c.Model, c.Rows, c.Y, c.Task = model(t, bundle.Binary, []string{"a", "b", "c"}, 2, 0.5, 0.1), rows, y, bundle.Binary
		imp, err := explain.Permutation(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		return imp
	}
	a, b := run(explain.Config{Seed: 9, MaxRows: 400}), run(explain.Config{Seed: 9, MaxRows: 400})
	if !reflect.DeepEqual(a, b) {
		t.Errorf("two runs differ:\n%v\n%v", a, b)
	}
	if c := run(explain.Config{Seed: 10, MaxRows: 400}); reflect.DeepEqual(a, c) {
		t.Error("another seed gives the same figures")
	}
	if c := run(explain.Config{Seed: 9, Repeats: 1}); c[0].SD != 0 {
		t.Errorf("one repeat has SD %v", c[0].SD)
	}
}

func TestPermutationErrors(t *testing.T) {
	t.Parallel()
	m := model(t, bundle.Binary, []string{"a"}, 1)
	rows := bundle.Rows{N: 2, Cols: 1, Data: []float64{1, 2}}
	ok := explain.Config{Model: m, Rows: rows, Y: []float64{0, 1}, Task: bundle.Binary}
	if _, err := explain.Permutation(context.Background(), ok); err != nil {
		t.Fatalf("two rows: %v", err)
	}
	for name, edit := range map[string]func(*explain.Config){
		"no model":       func(c *explain.Config) { c.Model = nil },
		"no rows":        func(c *explain.Config) { c.Rows = bundle.Rows{Cols: 1}; c.Y = nil },
		"3 labels":       func(c *explain.Config) { c.Y = make([]float64, 3) },
		"has 1 inputs":   func(c *explain.Config) { c.Rows = bundle.Rows{N: 2, Cols: 2, Data: make([]float64, 4)} },
		"neither binary": func(c *explain.Config) { c.Task = "segment" },
		"must not be":    func(c *explain.Config) { c.Repeats = -1 },
		"class":          func(c *explain.Config) { c.Y = []float64{1, 1} },
	} {
		c := ok
		edit(&c)
		if _, err := explain.Permutation(context.Background(), c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want one that says %q", err, name)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := explain.Permutation(ctx, ok); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := explain.Rows(ctx, m, rows); !errors.Is(err, context.Canceled) {
		t.Errorf("rows cancelled: %v", err)
	}
	if _, err := explain.Rows(context.Background(), m, bundle.Rows{N: 1, Cols: 2, Data: make([]float64, 2)}); err == nil {
		t.Error("rows of another width are explained")
	}
}

// The reference: scikit-learn's permutation importance of a LightGBM model
// with the shuffles written down, from the golden files of shap/binary (see
// testdata/golden/README.md). Scores come from the model's text, walked below.
func TestPermutationGolden(t *testing.T) {
	t.Parallel()
	var g struct {
		Features    []string `json:"features"`
		Background  [][]any  `json:"background"`
		Rows        [][]any  `json:"rows"`
		Raw         [][]float64
		Permutation struct {
			Y            []float64   `json:"y"`
			Permutations [][]int     `json:"permutations"`
			Base         float64     `json:"base"`
			Drop         [][]float64 `json:"drop"`
		} `json:"permutation_importance"`
	}
	b, err := os.ReadFile("testdata/golden/binary.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	trees := lightgbm(t, "testdata/golden/binary.txt")
	known := encode(g.Rows)
	for i := range known.N { // the walker itself against LightGBM
		if got := trees.score(known.Row(i)); math.Abs(got-g.Raw[i][0]) > 1e-12 {
			t.Fatalf("row %d scores %v, LightGBM says %v", i, got, g.Raw[i])
		}
	}
	rows := encode(g.Background)
	c := explain.Config{
		Model: model(t, bundle.Binary, g.Features, make([]float64, len(g.Features))...),
		Rows:  rows, Y: g.Permutation.Y, Task: bundle.Binary, Repeats: 1,
		Score: func(rows bundle.Rows) []float64 {
			out := make([]float64, rows.N)
			for i := range out {
				out[i] = trees.score(rows.Row(i))
			}
			return out
		},
	}
	for k, order := range g.Permutation.Permutations {
		imp, err := explain.WithOrder(context.Background(), c, func(string, int, int) []int { return order })
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range imp {
			want := g.Permutation.Drop[slices.Index(g.Features, x.Column)][k]
			if math.Abs(x.Drop-want) > 1e-12 {
				t.Errorf("shuffle %d of %s: drop %v, want %v", k, x.Column, x.Drop, want)
			}
		}
	}
}

func encode(rows [][]any) bundle.Rows {
	out := bundle.Rows{N: len(rows), Cols: len(rows[0])}
	for _, r := range rows {
		for _, v := range r {
			x, ok := v.(float64)
			if !ok {
				x = math.NaN()
			}
			out.Data = append(out.Data, x)
		}
	}
	return out
}

// forest is a LightGBM model's text: the lists of each tree by name.
type forest []map[string][]float64

func lightgbm(t *testing.T, path string) forest {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out forest
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		key, list, _ := strings.Cut(s.Text(), "=")
		switch {
		case key == "Tree":
			out = append(out, map[string][]float64{})
		case key == "end of trees":
			return out
		case len(out) > 0 && list != "":
			for _, v := range strings.Fields(list) {
				x, err := strconv.ParseFloat(v, 64)
				if err != nil {
					t.Fatalf("%s: %v", key, err)
				}
				out[len(out)-1][key] = append(out[len(out)-1][key], x)
			}
		}
	}
	return out
}

// score walks the trees by LightGBM's rules: bit 0 of decision_type is a
// categorical split, bit 1 sends missing values left.
func (f forest) score(row []float64) float64 {
	sum := 0.0
	for _, tree := range f {
		node := 0
		for node >= 0 && tree["num_leaves"][0] > 1 {
			x, kind := row[int(tree["split_feature"][node])], int(tree["decision_type"][node])
			var left bool
			switch {
			case kind&1 != 0:
				if c := int(tree["threshold"][node]); x >= 0 {
					from, to := int(tree["cat_boundaries"][c]), int(tree["cat_boundaries"][c+1])
					word := from + int(x)/32
					left = word < to && uint32(tree["cat_threshold"][word])>>(int(x)%32)&1 == 1
				}
			case math.IsNaN(x) && kind>>2&3 == 2:
				left = kind&2 != 0
			case math.IsNaN(x):
				left = 0 <= tree["threshold"][node]
			default:
				left = x <= tree["threshold"][node]
			}
			if left {
				node = int(tree["left_child"][node])
			} else {
				node = int(tree["right_child"][node])
			}
		}
		leaf := 0
		if node < 0 {
			leaf = ^node
		}
		sum += tree["leaf_value"][leaf]
	}
	return sum
}

// Contributions of a linear model are w*(x-mean), worked out by hand.
func TestRowAddsUp(t *testing.T) {
	t.Parallel()
	m := model(t, bundle.Binary, []string{"b", "a"}, 2, -1)
	all, err := explain.Rows(context.Background(), m, bundle.Rows{N: 2, Cols: 2, Data: []float64{1, 3, 0, 0}})
	if err != nil {
		t.Fatal(err)
	}
	if e := all[0]; e.Base != 0.5 || e.Margin != -0.5 || !slices.Equal(e.Contributions, []float64{2, -3}) {
		t.Errorf("%+v", e)
	}
	if e := all[1]; e.Margin != e.Base || !slices.Equal(e.Contributions, []float64{0, 0}) {
		t.Errorf("the mean row: %+v", e)
	}
}

func TestRowJSONKeepsContractOrder(t *testing.T) {
	t.Parallel()
	e := explain.RowExplanation{Margin: 1, Base: 0.25, Columns: []string{"z", "a", `"<q>`}, Contributions: []float64{0.5, 0.25, 0}}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"margin":1,"base":0.25,"contributions":{"z":0.5,"a":0.25,"\"\u003cq\u003e":0}}`; string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
	e.Contributions[1] = math.NaN()
	if _, err := json.Marshal(e); err == nil || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("a contribution that is not a number: %v", err)
	}
}

func ExampleRow() {
	m, err := bundle.NewModel(bundle.Model{
		Contract: data.Contract{Fields: []data.Field{{Name: "Income", Kind: data.Number, Role: data.Feature}}},
		Members: []bundle.Member{{Learner: "logistic", Weight: 1,
			Plan:   step.Plan{{Name: "Income", Input: 0, Op: step.Standard, Mean: 130, Scale: 10, High: 1000}},
			Linear: &linear.Model{Intercept: -1, Weight: []float64{-0.5}, Mean: []float64{0}}}},
		Calibration: bundle.Calibration{Method: "sigmoid", A: 1},
		Decision:    bundle.Decision{Positive: "bad", Negative: "good", Threshold: 0.5},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	b, _ := json.Marshal(explain.Row(m, []float64{110}))
	fmt.Println(string(b))
	// Output: {"margin":0,"base":-1,"contributions":{"Income":1}}
}
