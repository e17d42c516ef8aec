package gbdt_test

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"os"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt"
)

// TestSameAsLightGBM compares margins with those of LightGBM under the same
// settings (testdata/golden/make.py). Both grow the same trees, split for
// split, as long as no two splits are so nearly equal that 15 bits of gradient
// here and 24 there order them differently; leaf values then agree to the
// single precision of LightGBM's gradients.
func TestSameAsLightGBM(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/golden/lightgbm.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Rows   [][]*float64
		Labels map[string][]float64
		Cases  []struct {
			ID         string
			Task       bundle.Task
			Labels     string // which ones
			Categories []int
			Params     learn.Params
			Margins    []float64
		}
	}
	if err := json.Unmarshal(raw, &golden); err != nil {
		t.Fatal(err)
	}
	x := learn.Matrix{Rows: len(golden.Rows), Cols: 4}
	for _, row := range golden.Rows {
		for _, v := range row {
			if v == nil {
				x.Data = append(x.Data, math.NaN())
				continue
			}
			x.Data = append(x.Data, *v)
		}
	}
	for _, c := range golden.Cases {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			in := learn.Train{Task: c.Task, Data: learn.Data{X: x, Y: golden.Labels[c.Labels]}, Categories: c.Categories}
			params := learn.Params{"lambda": 0, "node_fraction": 1, "cat_single": 0} // LightGBM's defaults
			maps.Copy(params, c.Params)
			members := make([]bundle.Member, 1)
			var err error
			if c.Task == bundle.Multiclass {
				in.Classes = 3
				members, err = gbdt.Learner{}.FitClasses(context.Background(), in, params)
			} else {
				members[0], err = gbdt.Learner{}.Fit(context.Background(), in, params)
			}
			if err != nil {
				t.Fatal(err)
			}
			limit := 1e-6
			if c.Params["monotone"] != nil {
				limit = 1e-5 // bounds are the middle of values in fixed point
			}
			for i, want := range c.Margins {
				row, out := i/len(members), i%len(members)
				if got := members[out].Trees.Margin(x.Row(row)); !(math.Abs(got-want) <= limit) {
					t.Fatalf("row %d, output %d: margin %.9g, LightGBM has %.9g", row, out, got, want)
				}
			}
		})
	}
}
