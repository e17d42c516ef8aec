package tune_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/tune"
)

// branches is a table of a number and a column of 50 categories. Half of the
// categories turn the number's meaning round, which no sum over columns can
// say; with shuffled labels there is nothing to learn.
func branches(n int, shuffled bool) tune.Config {
	c := tune.Config{
		Contract: &data.Contract{Fields: []data.Field{
			{Name: "amount", Kind: data.Number, Role: data.Feature},
			{Name: "branch", Kind: data.Category, Role: data.Feature},
		}},
		Task: bundle.Binary, Seed: 3, Rows: bundle.Rows{N: n, Cols: 2}, Workers: 2,
	}
	r := seed.Stream(8, "branches", n)
	chance := make([]float64, 50)
	for k := range chance {
		c.Contract.Fields[1].Categories = append(c.Contract.Fields[1].Categories, fmt.Sprintf("b%02d", k))
		chance[k] = float64(r.IntN(2)) // of this branch
	}
	for range n {
		k, amount := r.IntN(50), r.NormFloat64()
		p := 0.1 + float64(0.8*chance[k])
		if amount > 0 {
			p = 0.5
		}
		if shuffled {
			p = 0.5
		}
		y := 0.0
		if r.Float64() < p {
			y = 1
		}
		c.Rows.Data, c.Y = append(c.Rows.Data, amount, float64(k)), append(c.Y, y)
	}
	divide(&c, 5)
	return c
}

// Trees of a search read a column of many categories as means of the target,
// unless they may not, and what comes out is a model.
func TestManyCategories(t *testing.T) {
	t.Parallel()
	c := branches(900, false)
	for _, none := range []bool{false, true} {
		c.NoTargetStatistics = none
		r := search(t, c)
		m, err := bundle.NewModel(bundle.Model{Contract: *c.Contract, Members: r.Members, Calibration: bundle.Calibration{Method: "sigmoid", A: 1}})
		if err != nil {
			t.Fatal(err)
		}
		trees, means := 0, 0
		for _, b := range r.Members {
			if b.Trees == nil {
				continue
			}
			trees++
			if slices.ContainsFunc(b.Plan, func(f step.Feature) bool { return f.Op == step.TargetMean }) {
				means++
			}
		}
		if !none && trees == 0 || means != map[bool]int{false: trees, true: 0}[none] {
			t.Errorf("no statistics: %v; %d of %d members of trees have them", none, means, trees)
		}
		if margin, _ := m.Score([]float64{math.NaN(), 50}); math.IsNaN(margin) { // an unseen branch
			t.Error("an unseen category has no score")
		}
	}
}

// A fold's labels are nowhere in what its model reads: with shuffled labels
// no candidate ranks the held-out rows.
func TestNoFoldIsToldItsLabels(t *testing.T) {
	t.Parallel()
	r := search(t, branches(900, true))
	for _, row := range r.Leaderboard {
		if math.Abs(*row.AUC-0.5) > 0.075 { // four standard errors
			t.Errorf("%s: out-of-fold AUC %.3f of shuffled labels", row.Learner, *row.AUC)
		}
	}
}
