package metrics

import (
	"fmt"
	"math"
)

// RMSE returns the root of the mean squared distance between truth and
// prediction, in the target's unit; large errors weigh more than in [MAE].
//
// Both slices are finite, of equal length and not empty; otherwise ErrValue or
// ErrEmpty. It also returns ErrValue if a square exceeds float64.
func RMSE(y, predicted []float64) (float64, error) {
	squares, err := squaredErrors(y, predicted)
	if err != nil {
		return 0, err
	}
	return math.Sqrt(squares / float64(len(y))), nil
}

// MAE returns the mean absolute distance between truth and prediction, in the
// target's unit. Arguments and errors are those of [RMSE].
func MAE(y, predicted []float64) (float64, error) {
	if err := checkNumbers(y, predicted); err != nil {
		return 0, err
	}
	sum := 0.0
	for i := range y {
		sum += math.Abs(y[i] - predicted[i])
	}
	if math.IsInf(sum, 0) {
		return 0, fmt.Errorf("the errors add up to more than float64 holds: %w", ErrValue)
	}
	return sum / float64(len(y)), nil
}

// R2 returns the share of the truth's variance that the predictions explain: 1
// is perfect, 0 is as good as predicting the mean of y always, and there is no
// lower bound. Arguments and errors are those of [RMSE]; it also returns
// ErrConstant if y does not vary.
func R2(y, predicted []float64) (float64, error) {
	squares, err := squaredErrors(y, predicted)
	if err != nil {
		return 0, err
	}
	varies := false
	mean := 0.0
	for _, v := range y {
		varies = varies || v != y[0]
		mean += v / float64(len(y))
	}
	total := 0.0
	for _, v := range y {
		total += float64((v - mean) * (v - mean))
	}
	switch {
	case !varies || total == 0:
		return 0, ErrConstant
	case math.IsInf(total, 0):
		return 0, fmt.Errorf("the variance of the truth exceeds float64: %w", ErrValue)
	}
	return 1 - squares/total, nil
}

func squaredErrors(y, predicted []float64) (float64, error) {
	if err := checkNumbers(y, predicted); err != nil {
		return 0, err
	}
	sum := 0.0
	for i := range y {
		d := y[i] - predicted[i]
		sum += float64(d * d)
	}
	if math.IsInf(sum, 0) {
		return 0, fmt.Errorf("the squared errors add up to more than float64 holds: %w", ErrValue)
	}
	return sum, nil
}

func checkNumbers(y, predicted []float64) error {
	switch {
	case len(y) != len(predicted):
		return fmt.Errorf("%d true values and %d predictions", len(y), len(predicted))
	case len(y) == 0:
		return fmt.Errorf("no rows: %w", ErrEmpty)
	}
	for i := range y {
		if d := y[i] - predicted[i]; math.IsNaN(d) || math.IsInf(y[i], 0) || math.IsInf(predicted[i], 0) {
			return fmt.Errorf("row %d: truth %v, prediction %v: %w", i+1, y[i], predicted[i], ErrValue)
		}
	}
	return nil
}
