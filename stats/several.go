package stats

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Holm corrects p-values for having asked several questions: below alpha in the
// result means significant with at most a probability alpha of any false claim
// among all of them, whatever their dependence.
//
// p[i] is in [0, 1], in any order, and is not modified; the result has the same
// order. It returns ErrValue naming the first p that is not a probability.
//
// Method: Holm, Scandinavian Journal of Statistics 6, 1979.
func Holm(p []float64) ([]float64, error) {
	order := make([]int, len(p))
	for i, v := range p {
		if !(v >= 0 && v <= 1) {
			return nil, fmt.Errorf("p-value %d is %v, outside [0, 1]: %w", i+1, v, ErrValue)
		}
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(p[i], p[j]) })
	out := make([]float64, len(p))
	largest := 0.0
	for k, i := range order {
		largest = math.Max(largest, float64(len(p)-k)*p[i])
		out[i] = math.Min(1, largest)
	}
	return out, nil
}

// Bootstrap returns the 95% percentile interval of a statistic f of n rows: the
// 0.025 and 0.975 quantiles of f over reps resamples of the rows with
// replacement. f gets n row numbers in [0, n), valid during the call only.
//
// Resamples for which f returns NaN (a statistic that does not exist, such as
// an AUC of one class) are left out; if it returns NaN for all of them, or n or
// reps is not positive, both bounds are NaN. The same generator state gives the
// same interval. Time reps times that of f.
//
// Method: Efron, Annals of Statistics 7(1), 1979.
func Bootstrap(n, reps int, rng *rand.Rand, f func(rows []int) float64) (low, high float64) {
	if n <= 0 || reps <= 0 {
		return math.NaN(), math.NaN()
	}
	rows := make([]int, n)
	values := make([]float64, 0, reps)
	for range reps {
		for i := range rows {
			rows[i] = rng.IntN(n)
		}
		if v := f(rows); !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return math.NaN(), math.NaN()
	}
	slices.Sort(values)
	return sortedQuantile(values, 0.025), sortedQuantile(values, 0.975)
}
