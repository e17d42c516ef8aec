package gbdt_test

import (
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt"
	"github.com/tandem-ml/tandem/science/learn/learntest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	// Gradients are rounded at random by row number, so that repeating or
	// reordering rows changes near ties between splits.
	o := learntest.Options{Tasks: []bundle.Task{bundle.Binary, bundle.Regression}, WeightTolerance: 0.2, OrderTolerance: 0.2}
	learntest.Run(t, gbdt.Learner{}, o)
	// Three classes have three trees a round, so they get fewer and smaller ones.
	// Nothing is drawn, which each class would do for itself.
	o.Tasks, o.Params = []bundle.Task{bundle.Multiclass}, learn.Params{"trees": 50, "leaves": 12, "node_fraction": 1}
	learntest.Run(t, gbdt.Learner{}, o)
}

func TestConformanceExact(t *testing.T) {
	t.Parallel()
	learntest.Run(t, gbdt.Learner{}, learntest.Options{Params: learn.Params{"rounding": "nearest"}}) // order and repetition change nothing
}

func TestConformanceSampling(t *testing.T) {
	t.Parallel()
	// Which rows are drawn depends on their number: order and repetition
	// change every tree.
	o := learntest.Options{
		Tasks:           []bundle.Task{bundle.Binary, bundle.Regression},
		Params:          learn.Params{"row_fraction": 0.7, "feature_fraction": 0.7, "trees": 60, "lambda": 1},
		WeightTolerance: 0.3, OrderTolerance: 0.3,
	}
	learntest.Run(t, gbdt.Learner{}, o)
	// Every class draws rows of its own, so that names change trees as well.
	o.WeightTolerance, o.OrderTolerance = 0.4, 0.4
	o.Tasks, o.Params = []bundle.Task{bundle.Multiclass}, learn.Params{"row_fraction": 0.7, "feature_fraction": 0.7, "trees": 50, "leaves": 12, "lambda": 1}
	learntest.Run(t, gbdt.Learner{}, o)
}
