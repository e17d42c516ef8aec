package tune

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
)

// check reports everything that is wrong with the configuration.
func (c *Config) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch {
	case c.Task != bundle.Binary && c.Task != bundle.Regression:
		bad("task %q is neither binary nor regression", c.Task)
	case measureOf(c.Task, c.Metric).name == "":
		bad("metric %q does not fit a %s task", c.Metric, c.Task)
	}
	switch {
	case c.Contract == nil:
		bad("there is no contract")
	case len(c.Contract.Inputs()) != c.Rows.Cols:
		bad("rows have %d columns, the contract %d inputs", c.Rows.Cols, len(c.Contract.Inputs()))
	}
	if c.Budget < 0 || c.Budget > 0 && c.Now == nil {
		bad("budget %v needs to be positive and a clock", c.Budget)
	}
	if len(c.Y) != c.Rows.N {
		bad("%d labels for %d rows", len(c.Y), c.Rows.N)
	}
	if len(errs) == 0 {
		errs = append(errs, c.checkRows()...)
	}
	return errors.Join(errs...)
}

// checkRows checks that the folds are a partition of the training rows, whose
// labels can be learned from.
func (c *Config) checkRows() []error {
	if len(c.Folds) < 2 {
		return []error{fmt.Errorf("%d folds: at least 2 are needed", len(c.Folds))}
	}
	const unknown, train, held = 0, 1, 2
	state := make([]uint8, c.Rows.N)
	for _, r := range c.Train {
		if r < 0 || r >= c.Rows.N || state[r] != unknown {
			return []error{fmt.Errorf("training row %d is out of range or listed twice", r)}
		}
		state[r] = train
		if y := c.Y[r]; math.IsNaN(y) || math.IsInf(y, 0) || c.Task == bundle.Binary && y != 0 && y != 1 {
			return []error{fmt.Errorf("row %d: label %v cannot be used for a %s task", r, y, c.Task)}
		}
	}
	count := 0
	for k, fold := range c.Folds {
		if len(fold) == 0 || len(fold) == len(c.Train) {
			return []error{fmt.Errorf("fold %d holds out %d of %d training rows", k, len(fold), len(c.Train))}
		}
		for _, r := range fold {
			if r < 0 || r >= c.Rows.N || state[r] != train {
				return []error{fmt.Errorf("fold %d: row %d is not a training row or is in two folds", k, r)}
			}
			state[r] = held
			count++
		}
	}
	if count != len(c.Train) {
		return []error{fmt.Errorf("the folds hold %d of %d training rows", count, len(c.Train))}
	}
	for _, r := range c.Train {
		if c.Y[r] != c.Y[c.Train[0]] {
			return nil
		}
	}
	return []error{data.WithHint(fmt.Errorf("the label is %v in every training row, so there is nothing to learn", c.Y[c.Train[0]]),
		"check the target column and, for two classes, which one is positive")}
}

// A budget of a second allows for cellsPerSecond cells of the table, however
// little that is for leastRows rows. On two cores the whole portfolio takes a
// second for some 20,000 to 50,000 cells.
const (
	cellsPerSecond = 25_000
	leastRows      = 10_000
)

// choose returns the positions in Train of the rows that the choice is made
// on, in ascending order, and the folds as positions in that list.
func (c *Config) choose() (sample []int, folds [][]int) {
	keep := len(c.Train)
	if c.Budget > 0 && c.Rows.Cols > 0 {
		cells := c.Budget.Seconds() * cellsPerSecond
		keep = min(keep, max(leastRows, int(cells/float64(c.Rows.Cols))))
	}
	sample = draw(len(c.Train), keep, c.Seed, "tune/sample")
	position := make(map[int]int, len(sample))
	for i, p := range sample {
		position[c.Train[p]] = i
	}
	for _, fold := range c.Folds {
		var held []int
		for _, r := range fold {
			if i, ok := position[r]; ok {
				held = append(held, i)
			}
		}
		if len(held) > 0 {
			folds = append(folds, held)
		}
	}
	return sample, folds
}

// draw returns k of the numbers 0 to n-1, in ascending order.
func draw(n, k int, root uint64, stream string) []int {
	var out []int
	if k < n {
		out = seed.Stream(root, stream, 0).Perm(n)[:k]
		slices.Sort(out)
		return out
	}
	for i := range n {
		out = append(out, i)
	}
	return out
}
