// Package majority learns nothing from the features: its margin is the same
// for every row, the log odds of the training base rate for binary tasks and
// the mean of the labels for regression.
//
// It stands on every leaderboard as "baseline". A model is worth its trouble
// by what it gains over this one: 97% accuracy means nothing where 97% of the
// rows are of one class.
//
// If all labels of a binary task are equal the log odds are infinite; half a
// row of each class is then added, so that the margin is finite and the score
// close to, but not at, 0 or 1.
package majority

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sort"

	"github.com/tandem-ml/tandem/bundle"
	blinear "github.com/tandem-ml/tandem/bundle/linear"
	"github.com/tandem-ml/tandem/bundle/num"
	"github.com/tandem-ml/tandem/science/learn"
)

// Learner is the baseline. It has no settings.
type Learner struct{}

var _ learn.Learner = Learner{}

// Name returns "baseline".
func (Learner) Name() string { return "baseline" }

// Input returns learn.Dense; no feature is read.
func (Learner) Input() learn.Input { return learn.Dense }

// Fit returns a linear model with an intercept and a weight of zero for each
// feature of t.X, which may have none. Weights of rows count. Errors: any
// setting, no rows, rows of no weight, labels other than 0 and 1 in a binary
// task or not finite, ctx's error.
func (l Learner) Fit(ctx context.Context, t learn.Train, p learn.Params) (bundle.Member, error) {
	intercept, err := margin(ctx, t, p)
	if err != nil {
		return bundle.Member{}, fmt.Errorf("%s: %w", l.Name(), err)
	}
	return bundle.Member{Learner: l.Name(), Weight: 1, Linear: &blinear.Model{
		Intercept: intercept,
		Weight:    make([]float64, t.X.Cols),
		Mean:      make([]float64, t.X.Cols),
	}}, nil
}

func margin(ctx context.Context, t learn.Train, p learn.Params) (float64, error) {
	if len(p) > 0 {
		names := make([]string, 0, len(p))
		for name := range p {
			names = append(names, name)
		}
		sort.Strings(names)
		return 0, fmt.Errorf("unknown setting %q: the baseline has none", names[0])
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if len(t.Y) != t.X.Rows || t.W != nil && len(t.W) != t.X.Rows {
		return 0, fmt.Errorf("%d labels and %d weights for %d rows", len(t.Y), len(t.W), t.X.Rows)
	}
	var sum, total float64
	for i, y := range t.Y {
		if math.IsNaN(y) || math.IsInf(y, 0) || t.Task == bundle.Binary && y != 0 && y != 1 {
			return 0, fmt.Errorf("row %d: label %v cannot be used for a %s task", i, y, t.Task)
		}
		w := 1.0
		if t.W != nil {
			w = t.W[i]
		}
		sum += float64(w * y)
		total += w
	}
	if !(total > 0) {
		return 0, errors.New("there are no rows")
	}
	switch {
	case t.Task != bundle.Binary:
		return sum / total, nil
	case sum == 0 || sum == total:
		return num.Log((sum + 0.5) / (total - sum + 0.5)), nil
	}
	return num.Log(sum / (total - sum)), nil
}
