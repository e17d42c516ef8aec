package linear_test

import (
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/learntest"
	"github.com/tandem-ml/tandem/science/learn/linear"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, p := range []learn.Params{nil, {"lambda": 1e-3, "l1_ratio": 0.9}} {
		learntest.Run(t, linear.Logistic{}, learntest.Options{Tasks: []bundle.Task{bundle.Binary}, Params: p})
		learntest.Run(t, linear.Regression{}, learntest.Options{Tasks: []bundle.Task{bundle.Regression}, Params: p})
	}
}
