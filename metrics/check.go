package metrics

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Causes a caller can act upon. Test for them with errors.Is.
var (
	// ErrOneClass says that the rows, or those with a weight above 0, are all of
	// one class, so that the metric is undefined.
	ErrOneClass = errors.New("all labels are of one class")
	// ErrEmpty says that there are no rows, or too few for the metric.
	ErrEmpty = errors.New("too few rows")
	// ErrConstant says that the true values do not vary.
	ErrConstant = errors.New("all true values are equal")
	// ErrValue says that a score, weight or prediction is not a usable number.
	ErrValue = errors.New("not a usable number")
)

func checkLengths(rows int, scores, weights int) error {
	switch {
	case rows != scores:
		return fmt.Errorf("%d labels and %d scores", rows, scores)
	case weights != 0 && weights != rows:
		return fmt.Errorf("%d labels and %d weights", rows, weights)
	case rows == 0:
		return fmt.Errorf("no rows: %w", ErrEmpty)
	}
	return nil
}

// checkScores accepts any order-able score: infinite, but not NaN.
func checkScores(label []bool, score, weight []float64) error {
	if err := checkLengths(len(label), len(score), len(weight)); err != nil {
		return err
	}
	for i, s := range score {
		if math.IsNaN(s) {
			return fmt.Errorf("score %d is NaN: %w", i+1, ErrValue)
		}
	}
	return checkWeights(weight)
}

// checkProbabilities accepts scores in [0, 1].
func checkProbabilities(label []bool, score, weight []float64) error {
	if err := checkLengths(len(label), len(score), len(weight)); err != nil {
		return err
	}
	for i, s := range score {
		if !(s >= 0 && s <= 1) {
			return fmt.Errorf("score %d is %v, not a probability: %w", i+1, s, ErrValue)
		}
	}
	return checkWeights(weight)
}

func checkWeights(weight []float64) error {
	sum := 0.0
	for i, w := range weight {
		if !(w >= 0) || math.IsInf(w, 0) {
			return fmt.Errorf("weight %d is %v: %w", i+1, w, ErrValue)
		}
		sum += w
	}
	if weight != nil && sum == 0 {
		return fmt.Errorf("all weights are 0: %w", ErrEmpty)
	}
	return nil
}

// group is the weight of each class among the rows of one score.
type group struct {
	score              float64
	positive, negative float64
}

// groups returns the rows by increasing score, rows of equal score as one, with
// the total weight of each class. Rows of weight 0 are left out.
func groups(label []bool, score, weight []float64) (out []group, positive, negative float64, err error) {
	if err := checkScores(label, score, weight); err != nil {
		return nil, 0, 0, err
	}
	for _, row := range byScore(score) {
		w := 1.0
		if weight != nil {
			if w = weight[row]; w == 0 {
				continue
			}
		}
		if len(out) == 0 || out[len(out)-1].score != score[row] {
			out = append(out, group{score: score[row]})
		}
		if g := &out[len(out)-1]; label[row] {
			g.positive += w
			positive += w
		} else {
			g.negative += w
			negative += w
		}
	}
	if positive == 0 || negative == 0 {
		return nil, 0, 0, ErrOneClass
	}
	return out, positive, negative, nil
}

// byScore returns the rows by increasing score, equal scores in row order.
func byScore(score []float64) []int {
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		if c := cmp.Compare(score[i], score[j]); c != 0 {
			return c
		}
		return i - j
	})
	return order
}
