// Package learn defines what a learner is. The learners themselves are in the
// packages below it; [github.com/tandem-ml/tandem/science/tune] lists them in
// one table.
//
// A learner is told everything about its training in [Train] and returns the
// prediction form: growing is not predicting, so what it needed on the way is
// gone when it returns. Package learntest holds the conformance suite that
// every learner passes.
package learn

import (
	"context"

	"github.com/tandem-ml/tandem/bundle"
)

// Matrix is a dense row-major block: the value of feature j of row i is
// Data[i*Cols+j]. NaN is missing, where the learner's [Input] allows it.
type Matrix struct {
	Rows, Cols int
	Data       []float64
}

// Row returns row i, aliasing the matrix.
func (m Matrix) Row(i int) []float64 { return m.Data[i*m.Cols : (i+1)*m.Cols : (i+1)*m.Cols] }

// Input says in what form a learner wants its features.
type Input uint8

const (
	// Raw features: numbers with missing values, categories as codes.
	Raw Input = iota + 1
	// Dense features: filled, standardised, one-hot.
	Dense
)

// Data is a set of rows with their labels.
type Data struct {
	X Matrix
	Y []float64 // 0 or 1 for binary tasks; the number of the class, from 0, for multiclass ones
	W []float64 // weights, non-negative; nil: all ones
	// Groups are the sizes of the groups, such as queries, within which rows are
	// put in order: the rows of the first group, then those of the second, and so
	// on. They are for a loss that ranks; nil: none.
	Groups []int
}

// Train is the input of one fit. It is read only.
type Train struct {
	Task bundle.Task
	Data
	Classes    int   // how many, for multiclass tasks; else 0
	Categories []int // per feature: number of categories if the feature is a code, else 0
	Valid      *Data // for early stopping; nil: none
	Seed       uint64
	Workers    int                   // 0: GOMAXPROCS. The result does not depend on it
	Progress   func(done, total int) // may be nil; called from one goroutine
}

// Params are a learner's settings by name; the learner documents names,
// defaults and ranges, and refuses unknown ones.
type Params map[string]any

// Learner fits models of one family. It holds no data and is safe for
// concurrent use.
type Learner interface {
	Name() string
	Input() Input
	// Fit trains and returns a member in prediction form with Weight 1 and an
	// empty Plan; the caller sets both. For binary tasks the margin is the log
	// odds. It returns ctx's error within 100 ms of a cancellation, an error
	// naming the setting if Params are wrong, and never a half-fitted model.
	Fit(ctx context.Context, t Train, p Params) (bundle.Member, error)
}

// Classifier is a learner that can tell more than two classes apart.
type Classifier interface {
	Learner
	// FitClasses is Fit for multiclass tasks: it returns one member for each of
	// the t.Classes classes, in their order, with Output set. Of a row's
	// margins, [num.Softmax] makes the probabilities of the classes.
	FitClasses(ctx context.Context, t Train, p Params) ([]bundle.Member, error)
}
