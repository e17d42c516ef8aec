package majority_test

import (
	"testing"

	"github.com/tandem-ml/tandem/science/learn/learntest"
	"github.com/tandem-ml/tandem/science/learn/majority"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	learntest.Run(t, majority.Learner{}, learntest.Options{NoSignal: true})
}
