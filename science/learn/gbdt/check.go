package gbdt

import (
	"errors"
	"fmt"
	"math"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/science/learn"
)

// ErrOneClass says that all labels of a binary task are equal: there is
// nothing to tell apart, and the log odds are infinite.
var ErrOneClass = errors.New("all labels are equal")

const (
	maxRows = 1 << 30 // sums over rows have 32 bits
	// Labels and weights beyond this could overflow when squared and added.
	maxMagnitude = 1e100
)

// check refuses what Fit cannot learn from. Rows and features are counted
// from 1 in messages.
func check(t learn.Train) error {
	if t.Task != bundle.Binary && t.Task != bundle.Regression {
		return data.WithHint(fmt.Errorf("gbdt: task is %q", t.Task), "gbdt learns %q and %q", bundle.Binary, bundle.Regression)
	}
	if t.Categories != nil && len(t.Categories) != t.X.Cols {
		return fmt.Errorf("gbdt: %d counts of categories for %d features", len(t.Categories), t.X.Cols)
	}
	if err := checkData(t.Task, t.Data, t.Categories, "training"); err != nil {
		return err
	}
	if t.Valid != nil {
		if t.Valid.X.Cols != t.X.Cols {
			return fmt.Errorf("gbdt: %d features in validation, %d in training", t.Valid.X.Cols, t.X.Cols)
		}
		if err := checkData(t.Task, *t.Valid, t.Categories, "validation"); err != nil {
			return err
		}
	}
	if t.Task == bundle.Binary {
		return checkClasses(t.Y, t.W)
	}
	return nil
}

func checkData(task bundle.Task, d learn.Data, categories []int, which string) error {
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
	for i, y := range d.Y {
		if task == bundle.Binary && y != 0 && y != 1 {
			return fmt.Errorf("gbdt: label of %s row %d is %g, must be 0 or 1", which, i+1, y)
		}
		if !(math.Abs(y) <= maxMagnitude) {
			return data.WithHint(fmt.Errorf("gbdt: label of %s row %d is %g", which, i+1, y),
				"labels are finite and at most %g; leave the row out or rescale the target", maxMagnitude)
		}
	}
	total := 0.0
	for i, w := range d.W {
		if !(w >= 0 && w <= maxMagnitude) {
			return data.WithHint(fmt.Errorf("gbdt: weight of %s row %d is %g", which, i+1, w),
				"weights are from 0 to %g; 0 leaves the row out", maxMagnitude)
		}
		total += w
	}
	if d.W != nil && total == 0 {
		return fmt.Errorf("gbdt: all %s weights are 0", which)
	}
	for j, n := range categories {
		for i := 0; n > 0 && i < x.Rows; i++ {
			if code := x.Data[i*x.Cols+j]; code < 0 || code == code && code != math.Trunc(code) || math.IsInf(code, 0) {
				return data.WithHint(fmt.Errorf("gbdt: category code of %s row %d, feature %d, is %g", which, i+1, j+1, code),
					"codes are whole numbers from 0, or NaN where the category is missing")
			}
		}
	}
	return nil
}

func checkClasses(y, w []float64) error {
	var seen [2]bool
	for i, label := range y {
		if weight(w, i) > 0 {
			seen[int(label)] = true
		}
	}
	if seen[0] && seen[1] {
		return nil
	}
	return data.WithHint(fmt.Errorf("gbdt: %w", ErrOneClass), "give training rows of both classes")
}
