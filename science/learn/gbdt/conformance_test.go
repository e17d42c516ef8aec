package gbdt_test

import (
	"testing"

	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt"
	"github.com/tandem-ml/tandem/science/learn/learntest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	// Gradients are rounded at random by row number, so that repeating or
	// reordering rows changes near ties between splits.
	learntest.Run(t, gbdt.Learner{}, learntest.Options{WeightTolerance: 0.2, OrderTolerance: 0.2})
}

func TestConformanceExact(t *testing.T) {
	t.Parallel()
	learntest.Run(t, gbdt.Learner{}, learntest.Options{Params: learn.Params{"rounding": "nearest"}}) // order and repetition change nothing
}

func TestConformanceSampling(t *testing.T) {
	t.Parallel()
	// Which rows are drawn depends on their number: order and repetition
	// change every tree.
	learntest.Run(t, gbdt.Learner{}, learntest.Options{
		Params:          learn.Params{"row_fraction": 0.7, "feature_fraction": 0.7, "trees": 60, "lambda": 1},
		WeightTolerance: 0.3, OrderTolerance: 0.3,
	})
}
