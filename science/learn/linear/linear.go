package linear

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/tandem-ml/tandem/bundle"
	blinear "github.com/tandem-ml/tandem/bundle/linear"
	"github.com/tandem-ml/tandem/bundle/num"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/science/learn"
)

// Logistic is penalised logistic regression, for binary tasks. Its settings
// are those of [Params]. If all labels are equal the weights are zero and the
// intercept is finite: the log odds with half a row of each class added.
type Logistic struct{}

// Regression is elastic-net linear regression. Its settings are those of
// [Params].
type Regression struct{}

var (
	_ learn.Learner = Logistic{}
	_ learn.Learner = Regression{}
)

// ErrNotConverged says that the iteration limit was reached before the
// optimality conditions held.
var ErrNotConverged = errors.New("the weights did not converge")

// Name returns "logistic".
func (Logistic) Name() string { return "logistic" }

// Input returns learn.Dense.
func (Logistic) Input() learn.Input { return learn.Dense }

// Fit implements [learn.Learner]. Errors: a wrong setting, another task than
// binary, labels other than 0 and 1, features that are not finite (naming the
// row and feature, both from 0), ctx's error, and ErrNotConverged with a hint.
func (l Logistic) Fit(ctx context.Context, t learn.Train, p learn.Params) (bundle.Member, error) {
	return fit(ctx, t, p, bundle.Binary, l.Name())
}

// Name returns "linear".
func (Regression) Name() string { return "linear" }

// Input returns learn.Dense.
func (Regression) Input() learn.Input { return learn.Dense }

// Fit implements [learn.Learner]. Errors are those of [Logistic], with finite
// labels in place of 0 and 1.
func (l Regression) Fit(ctx context.Context, t learn.Train, p learn.Params) (bundle.Member, error) {
	return fit(ctx, t, p, bundle.Regression, l.Name())
}

func fit(ctx context.Context, t learn.Train, p learn.Params, task bundle.Task, name string) (bundle.Member, error) {
	s, err := read(p)
	if err == nil && t.Task != task {
		err = fmt.Errorf("task %q, want %q", t.Task, task)
	}
	if err == nil {
		err = check(t)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return bundle.Member{}, fmt.Errorf("%s: %w", name, err)
	}
	f := newProblem(t, s)
	theta, err := f.start()
	if err == nil && !f.degenerate {
		theta, err = f.minimise(ctx, theta, t.Progress)
	}
	if err != nil {
		return bundle.Member{}, fmt.Errorf("%s: %w", name, err)
	}
	m := &blinear.Model{Intercept: theta[0], Weight: theta[1:], Mean: f.mean}
	if task == bundle.Regression {
		m.Intercept = float64(theta[0]*f.unit) + f.centre
		for j := range m.Weight {
			m.Weight[j] *= f.unit
		}
	}
	return bundle.Member{Learner: name, Weight: 1, Linear: m}, nil
}

// check refuses what the method has no answer for.
func check(t learn.Train) error {
	x := t.X
	switch {
	case x.Rows == 0:
		return errors.New("there are no rows")
	case len(x.Data) != x.Rows*x.Cols:
		return fmt.Errorf("%d values for %d rows of %d features", len(x.Data), x.Rows, x.Cols)
	case len(t.Y) != x.Rows:
		return fmt.Errorf("%d labels for %d rows", len(t.Y), x.Rows)
	case t.W != nil && len(t.W) != x.Rows:
		return fmt.Errorf("%d weights for %d rows", len(t.W), x.Rows)
	}
	for i, v := range x.Data {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("row %d, feature %d is %v: linear models need finite features", i/x.Cols, i%x.Cols, v)
		}
	}
	for i, y := range t.Y {
		if t.Task == bundle.Binary && y != 0 && y != 1 {
			return fmt.Errorf("row %d: label %v is neither 0 nor 1", i, y)
		}
		if math.IsNaN(y) || math.IsInf(y, 0) {
			return fmt.Errorf("row %d: label is %v", i, y)
		}
	}
	var sum float64
	for i, w := range t.W {
		if !(w >= 0) || math.IsInf(w, 0) {
			return fmt.Errorf("row %d: weight %v is not a finite non-negative number", i, w)
		}
		sum += w
	}
	if t.W != nil && sum == 0 {
		return errors.New("all weights are zero")
	}
	return nil
}

// newProblem takes the means of the features and, for regression, the centre
// and unit of the labels. All sums are in row order.
func newProblem(t learn.Train, s settings) *problem {
	x := t.X
	f := &problem{
		x: x, y: t.Y, w: t.W, binary: t.Task == bundle.Binary, unit: 1, workers: t.Workers,
		settings: s, l1: s.lambda * s.l1Ratio, l2: s.lambda * (1 - s.l1Ratio),
		mean: make([]float64, x.Cols), size: make([]float64, x.Cols+1),
	}
	var sumY float64
	nonzero := 0
	for i := range x.Rows {
		w := f.weight(i)
		f.total += w
		sumY += float64(w * t.Y[i])
		for j, v := range x.Row(i) {
			if v != 0 {
				nonzero++
			}
			f.mean[j] += float64(w * v)
			f.size[j+1] += float64(float64(w*v) * v)
		}
	}
	f.dense = 2*nonzero > len(x.Data)
	f.size[0] = 1
	for j := range f.mean {
		f.mean[j] /= f.total
		f.size[j+1] = max(1, math.Sqrt(f.size[j+1]/f.total))
	}
	f.rate = sumY / f.total
	if f.binary {
		f.degenerate = f.rate == 0 || f.rate == 1
		return f
	}
	f.centre = f.rate
	var ss float64
	for i, y := range t.Y {
		d := y - f.centre
		ss += float64(float64(f.weight(i)*d) * d)
	}
	if f.unit = math.Sqrt(ss / f.total); !(f.unit > 0) {
		f.unit, f.degenerate = 1, true
	}
	return f
}

// start returns the best parameters with all weights zero.
func (f *problem) start() ([]float64, error) {
	theta := make([]float64, f.x.Cols+1)
	switch {
	case f.binary && f.degenerate:
		pos := float64(f.rate * f.total)
		theta[0] = num.Log((pos + 0.5) / (f.total - pos + 0.5))
	case f.binary:
		theta[0] = num.Log(f.rate / (1 - f.rate))
	}
	if v := theta[0]; math.IsNaN(v) || math.IsInf(v, 0) {
		return nil, data.WithHint(fmt.Errorf("the share of positive rows is %v", f.rate), "check the row weights")
	}
	return theta, nil
}
