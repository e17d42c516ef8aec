package explain

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/metrics"
)

// Config is the input of [Permutation]. Rows and Y are not modified.
type Config struct {
	// Model is scored, and its contract names the columns. Required.
	Model *bundle.Model
	// Score returns one value per row, higher meaning more likely positive (or
	// the predicted value for regression). nil: the model's margin.
	Score func(rows bundle.Rows) []float64

	Rows bundle.Rows // encoded rows that the model was not trained on
	Y    []float64   // 0 or 1 for binary tasks
	Task bundle.Task

	Repeats int    // shuffles of each column; 0: 5
	Seed    uint64 // of the shuffles and of the sample
	MaxRows int    // a random sample of so many rows is used when there are more; 0: 10,000
}

// contributionRows is of how many rows MeanAbs is the mean: exact contributions
// cost far more than a score, and the mean over so many is known to about 3%.
const contributionRows = 1000

// Permutation returns the importance of each input column, the most important
// first, ties in contract order. Drop is the mean over repeats of the fall of
// AUC (of the rise of RMSE for regression) when the column's values are
// shuffled among the rows; it can be slightly negative for a column that does
// not matter. SD is the standard deviation over repeats (0 for one repeat).
// MeanAbs is the mean absolute contribution to the margin, over at most 1,000
// of the rows.
//
// The result depends on the seed and the names of the columns, not on their
// order, the number of processors or the clock. It returns an error if the
// lengths do not fit, if there are no rows, if a binary Y holds one class only
// or a score is not a number, and ctx's error soon after a cancellation.
func Permutation(ctx context.Context, c Config) ([]bundle.Importance, error) {
	return permutation(ctx, c, func(column string, repeat, n int) []int {
		return seed.Stream(c.Seed, "explain/permutation/"+column, repeat).Perm(n)
	})
}

// permutation is Permutation with the shuffles given: order returns which row's
// value each row gets.
func permutation(ctx context.Context, c Config, order func(column string, repeat, n int) []int) ([]bundle.Importance, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("permutation importance: %w", err)
	}
	if c.Repeats == 0 {
		c.Repeats = 5
	}
	if c.MaxRows == 0 {
		c.MaxRows = 10_000
	}
	score := c.Score
	if score == nil {
		score = func(rows bundle.Rows) []float64 {
			margin := make([]float64, rows.N)
			c.Model.ScoreRows(margin, nil, rows)
			return margin
		}
	}
	rows, y := sample(c)
	loss := lossOf(c.Task, y)
	base, err := loss(score(rows))
	if err != nil {
		return nil, fmt.Errorf("permutation importance: %w", err)
	}
	fields := c.Model.Layout().Fields()
	out := make([]bundle.Importance, len(fields))
	shuffled := bundle.Rows{N: rows.N, Cols: rows.Cols, Data: slices.Clone(rows.Data)}
	losses := make([]float64, c.Repeats)
	for j, f := range fields {
		for k := range losses {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			for i, from := range order(f.Name, k, rows.N) {
				shuffled.Row(i)[j] = rows.Row(from)[j]
			}
			l, err := loss(score(shuffled))
			if err != nil {
				return nil, fmt.Errorf("permutation importance of %q: %w", f.Name, err)
			}
			losses[k] = l - base
		}
		for i := range rows.N {
			shuffled.Row(i)[j] = rows.Row(i)[j]
		}
		mean, sd := moments(losses)
		out[j] = bundle.Importance{Column: f.Name, Drop: mean, SD: sd}
	}
	if err := meanAbs(ctx, c.Model, rows, out); err != nil {
		return nil, err
	}
	sort.SliceStable(out, func(a, b int) bool { return out[a].Drop > out[b].Drop })
	return out, nil
}

func (c *Config) check() error {
	switch {
	case c.Model == nil:
		return errors.New("no model")
	case c.Rows.N == 0:
		return errors.New("no rows")
	case len(c.Y) != c.Rows.N:
		return fmt.Errorf("%d rows with %d labels", c.Rows.N, len(c.Y))
	case c.Rows.Cols != c.Model.Layout().Cols():
		return fmt.Errorf("rows have %d columns, the model has %d inputs", c.Rows.Cols, c.Model.Layout().Cols())
	case c.Repeats < 0 || c.MaxRows < 0:
		return fmt.Errorf("repeats %d and max rows %d must not be negative", c.Repeats, c.MaxRows)
	case c.Task != bundle.Binary && c.Task != bundle.Regression:
		return fmt.Errorf("task %q is neither binary nor regression", c.Task)
	}
	return nil
}

// sample returns the rows that are used, in their order.
func sample(c Config) (bundle.Rows, []float64) {
	if c.Rows.N <= c.MaxRows {
		return c.Rows, c.Y
	}
	take := choose(c.Rows.N, c.MaxRows, seed.Stream(c.Seed, "explain/rows", 0))
	rows := bundle.Rows{N: len(take), Cols: c.Rows.Cols, Data: make([]float64, 0, len(take)*c.Rows.Cols)}
	y := make([]float64, 0, len(take))
	for _, i := range take {
		rows.Data = append(rows.Data, c.Rows.Row(i)...)
		y = append(y, c.Y[i])
	}
	return rows, y
}

// choose returns k of 0..n-1 at random, ascending.
func choose(n, k int, rng *rand.Rand) []int {
	take := rng.Perm(n)[:k]
	slices.Sort(take)
	return take
}

// lossOf returns what is measured: minus AUC, or RMSE.
func lossOf(task bundle.Task, y []float64) func(score []float64) (float64, error) {
	if task == bundle.Regression {
		return func(score []float64) (float64, error) { return metrics.RMSE(y, score) }
	}
	label := make([]bool, len(y))
	for i, v := range y {
		label[i] = v == 1
	}
	return func(score []float64) (float64, error) {
		auc, err := metrics.AUC(label, score, nil)
		return -auc, err
	}
}

// meanAbs sets MeanAbs of out, which is in contract order, over evenly spaced rows.
func meanAbs(ctx context.Context, m *bundle.Model, rows bundle.Rows, out []bundle.Importance) error {
	n := min(rows.N, contributionRows)
	part := make([]float64, rows.Cols)
	for k := range n {
		if k%64 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		m.Contributions(part, rows.Row(k*rows.N/n))
		for j, v := range part {
			out[j].MeanAbs += math.Abs(v)
		}
	}
	for j := range out {
		out[j].MeanAbs /= float64(n)
	}
	return nil
}

// moments returns the mean and the sample standard deviation, 0 for one value.
func moments(v []float64) (mean, sd float64) {
	for _, x := range v {
		mean += x
	}
	mean /= float64(len(v))
	if len(v) < 2 {
		return mean, 0
	}
	for _, x := range v {
		sd += float64((x - mean) * (x - mean))
	}
	return mean, math.Sqrt(sd / float64(len(v)-1))
}
