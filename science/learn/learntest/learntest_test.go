package learntest_test

import (
	"fmt"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	blinear "github.com/tandem-ml/tandem/bundle/linear"
	"github.com/tandem-ml/tandem/science/learn/learntest"
	"github.com/tandem-ml/tandem/science/learn/linear"
	"github.com/tandem-ml/tandem/science/learn/majority"
)

func TestBaselinePasses(t *testing.T) {
	t.Parallel()
	learntest.Run(t, majority.Learner{}, learntest.Options{NoSignal: true})
}

func TestLinearPasses(t *testing.T) {
	t.Parallel()
	learntest.Run(t, linear.Logistic{}, learntest.Options{Tasks: []bundle.Task{bundle.Binary}})
	learntest.Run(t, linear.Regression{}, learntest.Options{Tasks: []bundle.Task{bundle.Regression}})
}

// A member's margin for a row of features, without steps and calibration.
func ExampleMargin() {
	m := bundle.Member{Linear: &blinear.Model{Intercept: 1, Weight: []float64{2, -1}, Mean: []float64{0, 0}}}
	fmt.Println(learntest.Margin(m, []float64{3, 4}))
	// Output: 3
}
