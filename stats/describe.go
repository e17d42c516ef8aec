package stats

import (
	"fmt"
	"math"
	"slices"
)

// MeanVar returns the mean and the sample variance (divisor n-1) of x. The
// variance of equal values is exactly 0.
//
// It returns ErrTooFew for fewer than two values and ErrValue if a value is
// NaN or infinite, or if the variance is beyond float64.
//
// Method: two passes with the correction of Chan, Golub and LeVeque, American
// Statistician 37(3), 1983, which keeps small variances beside large means.
func MeanVar(x []float64) (mean, variance float64, err error) {
	if err := checkSample("x", x, 2, true); err != nil {
		return 0, 0, err
	}
	mean, variance = meanVar(x)
	if math.IsInf(variance, 0) || math.IsInf(mean, 0) {
		return 0, 0, fmt.Errorf("sample x: the variance exceeds float64: %w", ErrValue)
	}
	return mean, variance, nil
}

// meanVar is MeanVar for a checked sample.
func meanVar(x []float64) (mean, variance float64) {
	if allEqual(x, nil) {
		return x[0], 0
	}
	n := float64(len(x))
	for _, v := range x {
		mean += v
	}
	mean /= n
	var squares, rest float64 // rest would be 0 without rounding
	for _, v := range x {
		d := v - mean
		squares += float64(d * d)
		rest += d
	}
	return mean, (squares - float64(rest*rest)/n) / (n - 1)
}

// Quantile returns the q-quantile of x: the value below which a share q of x
// lies, linear between neighbouring values (type 7 of Hyndman and Fan,
// American Statistician 50(4), 1996, the default of R and NumPy).
//
// x need not be sorted and is not modified. q is in [0, 1]; 0 gives the
// smallest value, 1 the largest. Infinities are ordered like numbers; between
// a finite and an infinite neighbour, or two infinite ones, the nearer counts.
// It returns ErrTooFew for an empty x and ErrValue if x holds NaN or q is
// outside [0, 1].
func Quantile(x []float64, q float64) (float64, error) {
	if err := checkSample("x", x, 1, false); err != nil {
		return 0, err
	}
	if !(q >= 0 && q <= 1) {
		return 0, fmt.Errorf("quantile %v is outside [0, 1]: %w", q, ErrValue)
	}
	sorted := slices.Clone(x)
	slices.Sort(sorted)
	return sortedQuantile(sorted, q), nil
}

func sortedQuantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	share := at - float64(i)
	low := sorted[i]
	if share == 0 {
		return low
	}
	high := sorted[i+1]
	if math.IsInf(low, 0) || math.IsInf(high, 0) {
		if share < 0.5 {
			return low
		}
		return high
	}
	// Not low + share*(high-low): the difference can overflow.
	return float64((1-share)*low) + float64(share*high)
}
