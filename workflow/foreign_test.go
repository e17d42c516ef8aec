package workflow_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/foreign"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/monitor"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt"
	"github.com/tandem-ml/tandem/workflow"
)

// modelText is a LightGBM model that lends to incomes above 60.5, and less in
// branches 3 and 7.
const modelText = `tree
version=v4
num_class=1
num_tree_per_iteration=1
max_feature_idx=1
objective=binary sigmoid:1
feature_names=income branch
feature_infos=[0:100] 0:3:7

Tree=0
num_leaves=3
num_cat=1
split_feature=0 1
threshold=60.5 0
decision_type=10 1
left_child=1 -1
right_child=-2 -3
leaf_value=0.5 -0.75 0.25
leaf_count=20 40 40
internal_count=100 60
cat_boundaries=0 1
cat_threshold=136
shrinkage=1

end of trees
`

// An imported bundle is watched: by the profile of the data, or without a
// comparison where there was none.
func TestImportIsWatched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	model, table := filepath.Join(dir, "lend.txt"), filepath.Join(dir, "lend.csv")
	var rows strings.Builder
	rows.WriteString("branch,outcome,income\n")
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 300 {
		income := fmt.Sprint(rng.IntN(100))
		outcome := "good"
		if i%3 == 0 {
			outcome = "bad"
		}
		if i%10 == 0 {
			income = ""
		}
		fmt.Fprintf(&rows, "%d,%s,%s\n", []int{0, 3, 7, 9}[rng.IntN(4)], outcome, income)
	}
	for path, text := range map[string]string{model: modelText, table: rows.String()} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	bare, err := workflow.Import(t.Context(), model, workflow.ImportOptions{}, workflow.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := bare.Decision; d.Positive != "1" || d.Negative != "0" || len(bare.Tests) != 64 {
		t.Errorf("decision %+v, %d test rows", d, len(bare.Tests))
	}
	known, err := workflow.Import(t.Context(), model, workflow.ImportOptions{Data: table, Target: "outcome", Positive: "bad"}, workflow.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := known.Decision; d.Positive != "bad" || d.Negative != "good" {
		t.Errorf("decision %+v", d)
	}
	income, branch := known.Contract.Field("income"), known.Contract.Field("branch")
	if income.Required || income.Max == nil || !branch.Required || branch.Kind != data.Category || len(branch.Categories) != 3 {
		t.Errorf("contract %+v, %+v", income, branch)
	}
	if known.Scores.Count != 300 || len(known.Card.Importance) != 2 {
		t.Errorf("%d scores, importance %v", known.Scores.Count, known.Card.Importance)
	}
	for _, b := range []*bundle.Bundle{bare, known} {
		if _, err := monitor.New(b, monitor.Options{}); err != nil {
			t.Error(err)
		}
		// Branch 3 as a number, as its text, and one that was never seen.
		for value, want := range map[string]float64{"3": 0.5, `"3"`: 0.5, "0": 0.25, "12": 0.25} {
			row := make([]float64, 2)
			if _, err := b.Layout().DecodeJSON(row, []byte(`{"income": 20, "branch": `+value+`}`), true); err != nil {
				t.Fatal(err)
			}
			if got := b.Margin(row); got != want {
				t.Errorf("margin %v of branch %s, want %v", got, value, want)
			}
		}
	}
}

// Trees of our own go out and come back the same, missing values and
// categories included.
func TestExportOwnTrees(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 3))
	const rows = 2000
	x := learn.Matrix{Rows: rows, Cols: 3}
	y := make([]float64, rows)
	for i := range rows {
		a, b, c := rng.NormFloat64(), rng.NormFloat64(), float64(rng.IntN(6))
		y[i] = a*b + math.Abs(c-3) + 0.1*rng.NormFloat64()
		if rng.IntN(5) == 0 {
			a = math.NaN()
		}
		x.Data = append(x.Data, float64(float32(a)), float64(float32(b)), c)
	}
	member, err := gbdt.Learner{}.Fit(context.Background(),
		learn.Train{Task: bundle.Regression, Data: learn.Data{X: x, Y: y}, Categories: []int{0, 0, 6}, Workers: 1}, learn.Params{"trees": 20, "cat_min_rows": 20, "node_fraction": 1})
	if err != nil {
		t.Fatal(err)
	}
	member.Plan = step.Plan{{Name: "a", Op: step.Number}, {Name: "b", Input: 1, Op: step.Number}, {Name: "c d", Input: 2, Op: step.Code, Categories: 6}}
	contract := data.Contract{Fields: []data.Field{{Name: "a", Kind: data.Number, Role: data.Feature}, {Name: "b", Kind: data.Number, Role: data.Feature},
		{Name: "c d", Kind: data.Category, Role: data.Feature, Required: true, Categories: []string{"p", "q", "r", "s", "t", "u"}}}}
	m, err := bundle.NewModel(bundle.Model{Contract: contract, Members: []bundle.Member{member}, Calibration: bundle.Calibration{Method: "identity"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		write func(*bundle.Model) ([]byte, error)
		tol   float64
	}{{foreign.WriteLightGBM, 0}, {foreign.WriteXGBoost, 1e-5}} {
		out, err := c.write(m)
		if err != nil {
			t.Fatal(err)
		}
		back, err := foreign.Read(out)
		if err != nil {
			t.Fatal(err)
		}
		other, err := bundle.NewModel(bundle.Model{Contract: back.Contract(), Members: back.Members, Calibration: back.Calibration})
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			if got, want := other.Margin(x.Row(i)), m.Margin(x.Row(i)); !(math.Abs(got-want) <= c.tol) {
				t.Fatalf("%s: row %v: margin %v, want %v", back.Library, x.Row(i), got, want)
			}
		}
	}
}
