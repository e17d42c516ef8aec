package linear_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/linear"
)

func ExampleLogistic() {
	// One feature; of the rows at -1 one in four is positive, of those at +1
	// three in four. Without a penalty the weight would be log(3) = 1.0986.
	x := learn.Matrix{Rows: 8, Cols: 1, Data: []float64{-1, -1, -1, -1, 1, 1, 1, 1}}
	y := []float64{1, 0, 0, 0, 1, 1, 1, 0}
	m, err := linear.Logistic{}.Fit(context.Background(),
		learn.Train{Task: bundle.Binary, Data: learn.Data{X: x, Y: y}},
		learn.Params{"lambda": 1e-9})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("intercept %.4f, weight %.4f\n", math.Abs(m.Linear.Intercept), m.Linear.Weight[0])
	// Output: intercept 0.0000, weight 1.0986
}

// fit is the learner of the task.
func fit(task bundle.Task, d learn.Data, p learn.Params, workers int) (bundle.Member, error) {
	t := learn.Train{Task: task, Data: d, Workers: workers}
	if task == bundle.Binary {
		return linear.Logistic{}.Fit(context.Background(), t, p)
	}
	return linear.Regression{}.Fit(context.Background(), t, p)
}

func mustFit(t *testing.T, task bundle.Task, d learn.Data, p learn.Params) bundle.Member {
	t.Helper()
	m, err := fit(task, d, p, 1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestReference compares with scikit-learn; see testdata/reference.py. Its
// solver for the logistic cases stops at a relative change of 1e-12.
func TestReference(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref struct {
		Tables []struct {
			Rows, Cols int
			X          []float64
		}
		Cases []struct {
			Table     int
			Task      bundle.Task
			Y, W      []float64
			Lambda    float64
			L1Ratio   float64 `json:"l1_ratio"`
			Intercept float64
			Weight    []float64
		}
	}
	if err := json.Unmarshal(raw, &ref); err != nil {
		t.Fatal(err)
	}
	for i, c := range ref.Cases {
		t.Run(fmt.Sprintf("%d/%s lambda %v l1 %v", i, c.Task, c.Lambda, c.L1Ratio), func(t *testing.T) {
			t.Parallel()
			tb := ref.Tables[c.Table]
			x := learn.Matrix{Rows: tb.Rows, Cols: tb.Cols, Data: tb.X}
			m := mustFit(t, c.Task, learn.Data{X: x, Y: c.Y, W: c.W}, learn.Params{"lambda": c.Lambda, "l1_ratio": c.L1Ratio})
			near := func(what string, got, want float64) {
				t.Helper()
				if math.Abs(got-want) > 2e-6*(1+math.Abs(want)) {
					t.Errorf("%s = %.9g, want %.9g", what, got, want)
				}
			}
			near("intercept", m.Linear.Intercept, c.Intercept)
			for j, w := range m.Linear.Weight {
				near(fmt.Sprintf("weight %d", j), w, c.Weight[j])
				if c.Weight[j] == 0 && w != 0 {
					t.Errorf("weight %d = %g, want exactly 0", j, w)
				}
			}
		})
	}
}

// table is n rows of p features: normal ones, and the last three one-hot.
func table(n, p int, task bundle.Task) learn.Data {
	r := seed.Stream(7, "linear-test", n*1000+p)
	d := learn.Data{X: learn.Matrix{Rows: n, Cols: p, Data: make([]float64, n*p)}, Y: make([]float64, n)}
	for i := range n {
		row := d.X.Row(i)
		for j := range p - 3 {
			row[j] = r.NormFloat64()
		}
		row[p-3+r.IntN(3)] = 1
		m := row[0] - 0.5*row[1] + row[p-1] - 1
		if task == bundle.Regression {
			d.Y[i] = 100 + 20*m + r.NormFloat64()
		} else if r.Float64() < 1/(1+math.Exp(-m)) {
			d.Y[i] = 1
		}
	}
	return d
}

var tasks = []bundle.Task{bundle.Binary, bundle.Regression}

// TestOptimal checks the optimality conditions of the objective in the package
// comment, computed here from scratch, on a table with few zeros and on one
// that is mostly one-hot.
func TestOptimal(t *testing.T) {
	t.Parallel()
	for _, task := range tasks {
		for _, p := range []struct {
			lambda, l1 float64
			cols       int
		}{
			{1e-6, 0, 12}, {1e-4, 0, 12}, {0.01, 0.5, 12}, {0.01, 1, 12}, {1e-5, 1, 12}, {5, 0.9, 12},
			{1e-4, 0, 4}, {0.01, 0.5, 4}, {1e-5, 1, 4},
		} {
			t.Run(fmt.Sprint(task, p), func(t *testing.T) {
				t.Parallel()
				d := table(4999, p.cols, task)
				m := mustFit(t, task, d, learn.Params{"lambda": p.lambda, "l1_ratio": p.l1}).Linear
				unit := 1.0
				if task == bundle.Regression {
					var sum, ss float64
					for _, y := range d.Y {
						sum += y
					}
					for _, y := range d.Y {
						ss += (y - sum/4999) * (y - sum/4999)
					}
					unit = math.Sqrt(ss / 4999)
				}
				g := make([]float64, p.cols+1)
				for i := range d.X.Rows {
					margin := m.Intercept
					for j, v := range d.X.Row(i) {
						margin += m.Weight[j] * v
					}
					e := (margin - d.Y[i]) / unit
					if task == bundle.Binary {
						e = 1/(1+math.Exp(-margin)) - d.Y[i]
					}
					g[0] += e / 4999
					for j, v := range d.X.Row(i) {
						g[j+1] += e * v / 4999
					}
				}
				if math.Abs(g[0]) > 1e-7 {
					t.Errorf("gradient of the intercept is %g", g[0])
				}
				for j, w := range m.Weight {
					b := w / unit
					s := g[j+1] + p.lambda*(1-p.l1)*b
					switch {
					case b != 0 && math.Abs(s+math.Copysign(p.lambda*p.l1, b)) > 1e-7,
						b == 0 && math.Abs(s) > p.lambda*p.l1+1e-7:
						t.Errorf("weight %d = %g: gradient %g breaks the condition", j, b, s)
					}
				}
			})
		}
	}
}

func TestSameBytesForAnyWorkers(t *testing.T) {
	t.Parallel()
	for i, task := range tasks {
		d := table(9000, []int{8, 4}[i], task)
		var first bundle.Member
		for k, workers := range []int{1, 2, 8, 0} {
			m, err := fit(task, d, learn.Params{"lambda": 1e-3, "l1_ratio": 0.5}, workers)
			if err != nil {
				t.Fatal(err)
			}
			if k == 0 {
				first = m
			} else if !reflect.DeepEqual(m, first) {
				t.Errorf("%s: %d workers: %v, 1 worker: %v", task, workers, m.Linear, first.Linear)
			}
		}
	}
}

// TestWeightsAreRepeats checks that weight 2 is the row twice and weight 0 is
// no row.
func TestWeightsAreRepeats(t *testing.T) {
	t.Parallel()
	for _, task := range tasks {
		d := table(600, 6, task)
		d.W = make([]float64, 600)
		var long learn.Data
		for i := range 600 {
			d.W[i] = float64(i % 3)
			for range i % 3 {
				long.X.Data = append(long.X.Data, d.X.Row(i)...)
				long.Y = append(long.Y, d.Y[i])
			}
		}
		long.X.Rows, long.X.Cols = len(long.Y), 6
		p := learn.Params{"lambda": 0.01, "l1_ratio": 0.3}
		a, b := mustFit(t, task, d, p).Linear, mustFit(t, task, long, p).Linear
		for j := range a.Weight {
			if math.Abs(a.Weight[j]-b.Weight[j]) > 1e-6 || math.Abs(a.Mean[j]-b.Mean[j]) > 1e-12 {
				t.Errorf("%s feature %d: weighted %v, mean %v; repeated %v, mean %v", task, j, a.Weight[j], a.Mean[j], b.Weight[j], b.Mean[j])
			}
		}
	}
}

func TestUnitOfLabelDoesNotMatter(t *testing.T) {
	t.Parallel()
	d := table(400, 6, bundle.Regression)
	e := learn.Data{X: d.X, Y: make([]float64, 400)}
	for i, y := range d.Y {
		e.Y[i] = 1000*y - 5
	}
	p := learn.Params{"lambda": 0.05, "l1_ratio": 0.5}
	a, b := mustFit(t, bundle.Regression, d, p).Linear, mustFit(t, bundle.Regression, e, p).Linear
	for j := range a.Weight {
		if math.Abs(1000*a.Weight[j]-b.Weight[j]) > 1e-4 {
			t.Errorf("feature %d: %v times 1000 is not %v", j, a.Weight[j], b.Weight[j])
		}
	}
}

func TestBoundaries(t *testing.T) {
	t.Parallel()
	separable := learn.Data{X: learn.Matrix{Rows: 6, Cols: 1, Data: []float64{-3, -2, -1, 1, 2, 3}}, Y: []float64{0, 0, 0, 1, 1, 1}}
	cases := []struct {
		name string
		task bundle.Task
		d    learn.Data
		p    learn.Params
		ok   func(intercept float64, w []float64) bool
	}{
		{"separable data get a finite weight", bundle.Binary, separable, learn.Params{"lambda": 1e-4},
			func(a float64, w []float64) bool { return math.Abs(a) < 1e-6 && w[0] > 2 && w[0] < 50 }},
		{"separable with lasso and a tiny penalty", bundle.Binary, separable, learn.Params{"lambda": 1e-6, "l1_ratio": 1},
			func(a float64, w []float64) bool { return w[0] > 5 && w[0] < 100 }},
		{"one class", bundle.Binary, learn.Data{X: separable.X, Y: make([]float64, 6)}, nil,
			func(a float64, w []float64) bool { return math.Abs(a-math.Log(0.5/6.5)) < 1e-9 && w[0] == 0 }},
		{"one row", bundle.Regression, learn.Data{X: learn.Matrix{Rows: 1, Cols: 1, Data: []float64{4}}, Y: []float64{7}}, nil,
			func(a float64, w []float64) bool { return a == 7 && w[0] == 0 }},
		{"no features", bundle.Binary, learn.Data{X: learn.Matrix{Rows: 4}, Y: []float64{0, 0, 0, 1}}, nil,
			func(a float64, w []float64) bool { return math.Abs(a-math.Log(1.0/3)) < 1e-9 && len(w) == 0 }},
		{"features that are constant, zero too", bundle.Binary,
			learn.Data{X: learn.Matrix{Rows: 4, Cols: 2, Data: []float64{0, 5, 0, 5, 0, 5, 0, 5}}, Y: []float64{0, 0, 0, 1}},
			learn.Params{"lambda": 0.1, "l1_ratio": 1},
			func(a float64, w []float64) bool { return math.Abs(a-math.Log(1.0/3)) < 1e-6 && w[0] == 0 && w[1] == 0 }},
		{"the same feature twice shares its weight", bundle.Regression,
			learn.Data{X: learn.Matrix{Rows: 3, Cols: 2, Data: []float64{-1, -1, 0, 0, 1, 1}}, Y: []float64{-2, 0, 2}},
			learn.Params{"lambda": 1e-9},
			func(a float64, w []float64) bool { return math.Abs(w[0]-1) < 1e-6 && math.Abs(w[1]-1) < 1e-6 }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := mustFit(t, c.task, c.d, c.p)
			if !c.ok(m.Linear.Intercept, m.Linear.Weight) {
				t.Errorf("intercept %v, weights %v", m.Linear.Intercept, m.Linear.Weight)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	x := learn.Matrix{Rows: 2, Cols: 1, Data: []float64{0, 1}}
	cases := []struct {
		name string
		task bundle.Task
		d    learn.Data
		p    learn.Params
		want string
	}{
		{"no rows", bundle.Binary, learn.Data{}, nil, "there are no rows"},
		{"missing feature", bundle.Binary, learn.Data{X: learn.Matrix{Rows: 2, Cols: 1, Data: []float64{0, math.NaN()}}, Y: []float64{0, 1}}, nil, "row 1, feature 0 is NaN"},
		{"infinite feature", bundle.Regression, learn.Data{X: learn.Matrix{Rows: 1, Cols: 2, Data: []float64{0, math.Inf(1)}}, Y: []float64{0}}, nil, "row 0, feature 1 is +Inf"},
		{"label", bundle.Binary, learn.Data{X: x, Y: []float64{0, 2}}, nil, "row 1: label 2 is neither 0 nor 1"},
		{"missing label", bundle.Regression, learn.Data{X: x, Y: []float64{0, math.NaN()}}, nil, "row 1: label is NaN"},
		{"negative weight", bundle.Binary, learn.Data{X: x, Y: []float64{0, 1}, W: []float64{1, -1}}, nil, "row 1: weight -1"},
		{"no weight", bundle.Binary, learn.Data{X: x, Y: []float64{0, 1}, W: []float64{0, 0}}, nil, "all weights are zero"},
		{"labels short", bundle.Binary, learn.Data{X: x, Y: []float64{0}}, nil, "1 labels for 2 rows"},
		{"lambda zero", bundle.Binary, learn.Data{X: x, Y: []float64{0, 1}}, learn.Params{"lambda": 0}, `setting "lambda" is 0, not in [1e-09, 1e+06]`},
		{"all settings at once", bundle.Binary, learn.Data{X: x, Y: []float64{0, 1}}, learn.Params{"l1_ratio": 2.0, "lambada": 1.0}, "\nunknown setting \"lambada\"; there are lambda, l1_ratio"},
		{"text", bundle.Binary, learn.Data{X: x, Y: []float64{0, 1}}, learn.Params{"lambda": "big"}, "not a number"},
		{"half an iteration", bundle.Binary, learn.Data{X: x, Y: []float64{0, 1}}, learn.Params{"iterations": 1.5}, "not a whole number"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := fit(c.task, c.d, c.p, 1); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
	if _, err := (linear.Logistic{}).Fit(context.Background(), learn.Train{Task: bundle.Regression, Data: learn.Data{X: x, Y: []float64{0, 1}}}, nil); err == nil {
		t.Error("a logistic regression of numbers: no error")
	}
}

func TestIterationLimit(t *testing.T) {
	t.Parallel()
	_, err := fit(bundle.Binary, table(500, 6, bundle.Binary), learn.Params{"iterations": 1}, 1)
	if !errors.Is(err, linear.ErrNotConverged) {
		t.Errorf("error %v, want ErrNotConverged", err)
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	calls := 0
	_, err := linear.Logistic{}.Fit(ctx, learn.Train{Task: bundle.Binary, Data: table(3000, 6, bundle.Binary),
		Progress: func(int, int) {
			if calls++; calls == 2 {
				cancel()
			}
		}}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v after cancelling in iteration 2, want context.Canceled", err)
	}
}
