package gbdt

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/science/learn"
)

// ErrOneClass says that all labels of a binary task are equal: there is
// nothing to tell apart, and the log odds are infinite.
var ErrOneClass = errors.New("all labels are equal")

const (
	maxRows    = 1 << 30 // sums over rows have 32 bits
	maxClasses = 1000
	// Labels and weights beyond this could overflow when squared and added.
	maxMagnitude = 1e100
)

// check refuses what Fit cannot learn from. Rows and features are counted
// from 1 in messages.
func check(ctx context.Context, c *crew, t learn.Train) error {
	switch {
	case t.Task != bundle.Binary && t.Task != bundle.Regression && t.Task != bundle.Multiclass:
		return data.WithHint(fmt.Errorf("gbdt: task is %q", t.Task), "gbdt learns %q, %q and %q", bundle.Binary, bundle.Regression, bundle.Multiclass)
	case t.Task == bundle.Multiclass && (t.Classes < 2 || t.Classes > maxClasses):
		return fmt.Errorf("gbdt: %d classes, from 2 to %d can be learned", t.Classes, maxClasses)
	case t.Task != bundle.Multiclass && t.Classes != 0:
		return fmt.Errorf("gbdt: %d classes for a task %q", t.Classes, t.Task)
	}
	if t.Categories != nil && len(t.Categories) != t.X.Cols {
		return fmt.Errorf("gbdt: %d counts of categories for %d features", len(t.Categories), t.X.Cols)
	}
	if err := checkData(ctx, c, t, t.Data, "training"); err != nil {
		return err
	}
	if t.Valid != nil {
		if t.Valid.X.Cols != t.X.Cols {
			return fmt.Errorf("gbdt: %d features in validation, %d in training", t.Valid.X.Cols, t.X.Cols)
		}
		if err := checkData(ctx, c, t, *t.Valid, "validation"); err != nil {
			return err
		}
	}
	switch t.Task {
	case bundle.Binary:
		return checkClasses(t.Y, t.W, 2)
	case bundle.Multiclass:
		return checkClasses(t.Y, t.W, t.Classes)
	}
	return nil
}

func checkData(ctx context.Context, c *crew, t learn.Train, d learn.Data, which string) error {
	x := d.X
	switch {
	case x.Rows == 0:
		return fmt.Errorf("gbdt: no %s rows", which)
	case x.Rows > maxRows:
		return fmt.Errorf("gbdt: %d %s rows, at most %d can be used", x.Rows, which, maxRows)
	case len(x.Data) != x.Rows*x.Cols:
		return fmt.Errorf("gbdt: %d %s values for %d rows of %d features", len(x.Data), which, x.Rows, x.Cols)
	case len(d.Y) != x.Rows:
		return fmt.Errorf("gbdt: %d %s labels for %d rows", len(d.Y), which, x.Rows)
	case d.W != nil && len(d.W) != x.Rows:
		return fmt.Errorf("gbdt: %d %s weights for %d rows", len(d.W), which, x.Rows)
	}
	problems := make([]error, (x.Rows+blockRows-1)/blockRows)
	c.blocks(x.Rows, func(begin, end int) {
		if ctx.Err() == nil {
			problems[begin/blockRows] = checkRows(t, d, which, begin, end)
		}
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, err := range problems {
		if err != nil {
			return err // of the first row that has one
		}
	}
	if d.W != nil && !slices.ContainsFunc(d.W, func(w float64) bool { return w > 0 }) {
		return fmt.Errorf("gbdt: all %s weights are 0", which)
	}
	return nil
}

// checkRows checks the labels, weights and category codes of rows begin..end-1.
func checkRows(t learn.Train, d learn.Data, which string, begin, end int) error {
	classes := t.Classes
	if t.Task == bundle.Binary {
		classes = 2
	}
	var codes []int // columns of categories
	for j, n := range t.Categories {
		if n > 0 {
			codes = append(codes, j)
		}
	}
	for i := begin; i < end; i++ {
		y := d.Y[i]
		if classes > 0 && !(y >= 0 && y < float64(classes) && y == math.Trunc(y)) {
			return fmt.Errorf("gbdt: label of %s row %d is %g, must be a whole number from 0 to %d", which, i+1, y, classes-1)
		}
		if !(math.Abs(y) <= maxMagnitude) {
			return data.WithHint(fmt.Errorf("gbdt: label of %s row %d is %g", which, i+1, y),
				"labels are finite and at most %g; leave the row out or rescale the target", maxMagnitude)
		}
		if w := weight(d.W, i); !(w >= 0 && w <= maxMagnitude) {
			return data.WithHint(fmt.Errorf("gbdt: weight of %s row %d is %g", which, i+1, w),
				"weights are from 0 to %g; 0 leaves the row out", maxMagnitude)
		}
		row := d.X.Row(i)
		for _, j := range codes {
			if code := row[j]; code < 0 || code == code && code != math.Trunc(code) || math.IsInf(code, 0) {
				return data.WithHint(fmt.Errorf("gbdt: category code of %s row %d, feature %d, is %g", which, i+1, j+1, code),
					"codes are whole numbers from 0, or NaN where the category is missing")
			}
		}
	}
	return nil
}

func checkClasses(y, w []float64, classes int) error {
	seen := make([]bool, classes)
	for i, label := range y {
		if weight(w, i) > 0 {
			seen[int(label)] = true
		}
	}
	absent := slices.Index(seen, false)
	switch {
	case absent < 0:
		return nil
	case classes == 2:
		return data.WithHint(fmt.Errorf("gbdt: %w", ErrOneClass), "give training rows of both classes")
	}
	return data.WithHint(fmt.Errorf("gbdt: no training row is of class %d of %d, counted from 0", absent, classes), "give training rows of every class")
}
