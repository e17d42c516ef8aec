// Package learntest is the conformance suite of learners: whoever writes the
// tenth learner runs the same checks as the first nine.
//
//	func TestConformance(t *testing.T) {
//		learntest.Run(t, gbdt.Learner{}, learntest.Options{WeightTolerance: 0.2, OrderTolerance: 0.2})
//	}
//
// The suite makes its own small tables from fixed seeds, with a signal whose
// best possible result is known, fits the learner through [learn.Learner]
// alone, or [learn.Classifier] for multiclass tasks, and judges the members that
// come back. A check is a law that holds for
// every learner: a row of weight two is two rows, the number of workers cannot
// be seen in the result, shuffled labels teach nothing. Whether the learner is
// a good one is for its own tests and for benchmarks to say.
package learntest

import (
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/science/learn"
)

// Options say what the suite may expect of a learner.
type Options struct {
	// Params are used in every fit; nil: the learner's defaults. They should
	// suit tables of 2,000 rows and fit one in less than a second.
	Params learn.Params
	// Tasks are what the learner can do; nil: binary and regression, and
	// multiclass too if it is a [learn.Classifier].
	Tasks []bundle.Task
	// NoSignal says that the learner does not look at the features, like a
	// baseline: it need not find any signal.
	NoSignal bool
	// WeightTolerance is how far the margins of a fit with weights may be from
	// those of a fit with rows repeated instead: the root of the mean squared
	// difference over the standard deviation of the latter. 0: 1e-6.
	WeightTolerance float64
	// OrderTolerance is the same for a fit to the rows, or with the classes, in
	// another order.
	OrderTolerance float64
}

const defaultTolerance = 1e-6

func (o Options) tasks(l learn.Learner) []bundle.Task {
	if o.Tasks != nil {
		return o.Tasks
	}
	tasks := []bundle.Task{bundle.Binary, bundle.Regression}
	if _, ok := l.(learn.Classifier); ok {
		tasks = append(tasks, bundle.Multiclass)
	}
	return tasks
}

// law is one check for one task; it returns what is wrong, or nil.
type law struct {
	name  string
	check func(l learn.Learner, task bundle.Task, o Options) error
}

// laws lists the whole suite.
func laws() []law {
	return []law{
		{"a linear signal is found", findsLinear},
		{"interactions, categories and missing values are found", findsRaw},
		{"shuffled labels teach nothing", learnsNothingFromNoise},
		{"the members are well formed", wellFormed},
		{"a weight of two is two rows", weightsAreRows},
		{"a weight of zero is no row", zeroIsNoRow},
		{"the order of the rows matters little", orderMattersLittle},
		{"the order of the classes matters little", classesHaveNoOrder},
		{"any number of workers, the same bytes", workersCannotBeSeen},
		{"fits at the same time do not disturb each other", concurrent},
		{"the input is left alone", inputIsLeftAlone},
		{"a cancelled fit returns the context's error", obeysCancel},
		{"unknown settings are refused by name", refusesUnknown},
		{"broken tables are refused", refusesBroken},
		{"other tasks are refused", refusesOtherTasks},
		{"hard tables give finite margins or an error", survivesHard},
	}
}

// Run runs the suite as parallel subtests of t.
func Run(t *testing.T, l learn.Learner, o Options) {
	t.Helper()
	if o.WeightTolerance == 0 {
		o.WeightTolerance = defaultTolerance
	}
	if o.OrderTolerance == 0 {
		o.OrderTolerance = defaultTolerance
	}
	for _, task := range o.tasks(l) {
		for _, law := range laws() {
			t.Run(string(task)+"/"+law.name, func(t *testing.T) {
				t.Parallel()
				if err := law.check(l, task, o); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// Margin returns the margin of one row of features under a member that has no
// plan: row holds the features themselves, as they were in [learn.Train].
func Margin(m bundle.Member, row []float64) float64 {
	if m.Trees != nil {
		return m.Trees.Margin(row)
	}
	return m.Linear.Margin(row)
}

// Margins returns the margins of all rows of x.
func Margins(m bundle.Member, x learn.Matrix) []float64 {
	out := make([]float64, x.Rows)
	for i := range out {
		out[i] = Margin(m, x.Row(i))
	}
	return out
}
