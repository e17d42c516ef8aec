package tune

import (
	"maps"
	"math"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt"
	"github.com/tandem-ml/tandem/science/learn/linear"
	"github.com/tandem-ml/tandem/science/learn/majority"
)

// Learners returns all learners there are.
func Learners() []learn.Learner {
	return []learn.Learner{majority.Learner{}, linear.Logistic{}, linear.Regression{}, gbdt.Learner{}}
}

// Candidate is one entry of the portfolio.
type Candidate struct {
	Name    string // "gbdt/shallow"
	Learner learn.Learner
	Params  learn.Params
	Curves  bool // dense features with hinges (see science/prepare)
}

// Portfolio returns the candidates for a task in the order in which they are
// tried. rows is the number of training rows. With interpretable there are only
// models that are sums over columns, where a column's part can be drawn as a
// curve.
//
// The settings were compared with some thirty others on 20 public tables of
// 344 to 30,000 rows. What was found: credit and churn tables want few leaves,
// or curves and no interactions at all; a fifth of all tables want deep trees;
// sampling rows and features helps small tables most; categories with many
// levels need far more smoothing than boosting libraries apply.
func Portfolio(task bundle.Task, rows int, interpretable bool) []Candidate {
	// The penalty of the plain model is that of a fixed normal prior, which
	// weighs less the more rows there are; those of the lasso-like ones follow
	// the noise of a mean.
	n := float64(max(rows, 1))
	prior, noise := 1/n, 1/math.Sqrt(n)
	var line learn.Learner = linear.Logistic{}
	if task == bundle.Regression {
		line = linear.Regression{}
	}
	// Small steps pay where rows are few; where they are many, half the time is
	// worth more.
	rate, trees := 0.05, 1000
	if rows >= 50_000 {
		rate, trees = 0.1, 500
	}
	boost := func(name string, p learn.Params) Candidate {
		all := learn.Params{"learning_rate": rate, "trees": trees, "lambda": 0.0, "node_fraction": 1.0, "cat_single": 0}
		maps.Copy(all, p)
		return Candidate{Name: "gbdt/" + name, Learner: gbdt.Learner{}, Params: all}
	}
	all := []Candidate{
		{Name: "baseline", Learner: majority.Learner{}},
		{Name: line.Name(), Learner: line, Params: learn.Params{"lambda": 10 * prior}},
		boost("shallow", learn.Params{"leaves": 8, "feature_fraction": 0.6, "row_fraction": 0.7}),
		{Name: line.Name() + "/curves", Learner: line, Curves: true, Params: learn.Params{"lambda": 0.05 * noise, "l1_ratio": 0.9}},
		boost("random", learn.Params{"leaves": 31, "feature_fraction": 0.4, "row_fraction": 0.7, "lambda": 5.0}),
		boost("smooth", learn.Params{"leaves": 16, "feature_fraction": 0.8, "lambda": 1.0, "cat_smooth": 100.0, "cat_lambda": 50.0}),
		boost("deep", learn.Params{"leaves": 63, "feature_fraction": 0.6, "row_fraction": 0.8}),
		boost("tiny", learn.Params{"leaves": 4, "feature_fraction": 0.6}),
		{Name: line.Name() + "/sparse", Learner: line, Curves: true, Params: learn.Params{"lambda": 0.2 * noise, "l1_ratio": 0.9}},
	}
	if !interpretable {
		return all
	}
	var sums []Candidate
	for _, c := range all {
		if c.Learner.Input() == learn.Dense {
			sums = append(sums, c)
		}
	}
	return sums
}
