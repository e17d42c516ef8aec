package majority_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/majority"
)

func Example() {
	// Two of eight loans defaulted: odds of one to three, log(1/3).
	m, err := majority.Learner{}.Fit(context.Background(), learn.Train{
		Task: bundle.Binary,
		Data: learn.Data{X: learn.Matrix{Rows: 8}, Y: []float64{1, 0, 0, 0, 1, 0, 0, 0}},
	}, nil)
	fmt.Printf("%.4f %v\n", m.Linear.Intercept, err)
	// Output: -1.0986 <nil>
}

func TestMargin(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		task bundle.Task
		y, w []float64
		want float64
	}{
		{"even", bundle.Binary, []float64{0, 1}, nil, 0},
		{"weights count", bundle.Binary, []float64{0, 1}, []float64{1, 3}, math.Log(3)},
		{"no positive", bundle.Binary, []float64{0, 0, 0}, nil, math.Log(0.5 / 3.5)},
		{"all positive", bundle.Binary, []float64{1}, nil, math.Log(1.5 / 0.5)},
		{"mean", bundle.Regression, []float64{1, 2, 6}, nil, 3},
		{"weighted mean", bundle.Regression, []float64{1, 2}, []float64{3, 1}, 1.25},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := learn.Matrix{Rows: len(c.y), Cols: 2, Data: make([]float64, 2*len(c.y))}
			m, err := majority.Learner{}.Fit(context.Background(), learn.Train{Task: c.task, Data: learn.Data{X: x, Y: c.y, W: c.w}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(m.Linear.Intercept-c.want) > 1e-15*(1+math.Abs(c.want)) {
				t.Errorf("margin %v, want %v", m.Linear.Intercept, c.want)
			}
			if len(m.Linear.Weight) != 2 || m.Linear.Weight[0] != 0 || m.Linear.Weight[1] != 0 {
				t.Errorf("weights %v, want two zeros", m.Linear.Weight)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	done, cancel := context.WithCancel(context.Background())
	cancel()
	two := learn.Data{X: learn.Matrix{Rows: 2}, Y: []float64{0, 1}}
	cases := []struct {
		name string
		ctx  context.Context
		d    learn.Data
		p    learn.Params
		want string
	}{
		{"no rows", context.Background(), learn.Data{}, nil, "there are no rows"},
		{"no weight", context.Background(), learn.Data{X: two.X, Y: two.Y, W: []float64{0, 0}}, nil, "there are no rows"},
		{"label", context.Background(), learn.Data{X: two.X, Y: []float64{0, 3}}, nil, "row 1: label 3"},
		{"lengths", context.Background(), learn.Data{X: two.X, Y: []float64{0}}, nil, "1 labels"},
		{"setting", context.Background(), two, learn.Params{"z": 1, "a": 1}, `unknown setting "a"`},
		{"cancelled", done, two, nil, context.Canceled.Error()},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := majority.Learner{}.Fit(c.ctx, learn.Train{Task: bundle.Binary, Data: c.d}, c.p)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
	if _, err := (majority.Learner{}).Fit(done, learn.Train{Task: bundle.Binary, Data: two}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v does not wrap context.Canceled", err)
	}
}
