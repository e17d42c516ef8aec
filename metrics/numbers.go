package metrics

import (
	"fmt"
	"math"
	"slices"
)

// meanOf returns the mean over rows of a loss; arguments and errors are those of
// [RMSE].
func meanOf(y, predicted []float64, loss func(y, f float64) float64) (float64, error) {
	if err := checkNumbers(y, predicted); err != nil {
		return 0, err
	}
	sum := 0.0
	for i := range y {
		sum += loss(y[i], predicted[i])
	}
	if math.IsInf(sum, 0) || math.IsNaN(sum) {
		return 0, fmt.Errorf("the losses add up to %v: %w", sum, ErrValue)
	}
	return sum / float64(len(y)), nil
}

// MSE returns the mean squared distance. Arguments and errors are those of [RMSE].
func MSE(y, predicted []float64) (float64, error) {
	squares, err := squaredErrors(y, predicted)
	return squares / math.Max(1, float64(len(y))), err
}

// Bias returns the mean of prediction less truth: above 0 for predictions that
// are too high. Arguments and errors are those of [RMSE].
func Bias(y, predicted []float64) (float64, error) {
	return meanOf(y, predicted, func(y, f float64) float64 { return f - y })
}

// MedianAE returns the median absolute distance, which a few wild rows do not
// move. Arguments and errors are those of [RMSE].
func MedianAE(y, predicted []float64) (float64, error) {
	d, err := distances(y, predicted)
	if err != nil {
		return 0, err
	}
	slices.Sort(d)
	return d[(len(d)-1)/2]/2 + d[len(d)/2]/2, nil
}

// MaxError returns the largest absolute distance. Arguments and errors are those
// of [RMSE].
func MaxError(y, predicted []float64) (float64, error) {
	d, err := distances(y, predicted)
	if err != nil {
		return 0, err
	}
	return slices.Max(d), nil
}

func distances(y, predicted []float64) ([]float64, error) {
	if err := checkNumbers(y, predicted); err != nil {
		return nil, err
	}
	d := make([]float64, len(y))
	for i := range y {
		d[i] = math.Abs(y[i] - predicted[i])
	}
	return d, nil
}

// ExplainedVariance is [R2] for predictions that are off by a constant for free:
// the difference of the two is what the [Bias] costs. Arguments and errors are
// those of R2.
func ExplainedVariance(y, predicted []float64) (float64, error) {
	bias, err := Bias(y, predicted)
	if err != nil {
		return 0, err
	}
	shifted := make([]float64, len(y))
	for i, f := range predicted {
		shifted[i] = f - bias
	}
	return R2(y, shifted)
}

// RMSLE returns the root of the mean squared distance of log(1+value), for
// targets that vary by factors. Arguments and errors are those of [RMSE]; values
// must be above -1 (ErrValue).
func RMSLE(y, predicted []float64) (float64, error) {
	v, err := meanOf(y, predicted, func(y, f float64) float64 {
		d := math.Log1p(y) - math.Log1p(f)
		return d * d
	})
	return math.Sqrt(v), err
}

// WAPE returns the sum of the absolute errors over the sum of the absolute true
// values, a share of the volume. Arguments and errors are those of [RMSE];
// ErrConstant if all true values are 0.
func WAPE(y, predicted []float64) (float64, error) {
	mae, err := MAE(y, predicted)
	if err != nil {
		return 0, err
	}
	size := 0.0
	for _, v := range y {
		size += math.Abs(v) / float64(len(y))
	}
	if size == 0 {
		return 0, fmt.Errorf("all true values are 0: %w", ErrConstant)
	}
	return mae / size, nil
}

// MAPE returns the mean absolute error in percent of the true value, over the
// rows whose true value is not 0, and how many rows that leaves out. It favours
// predictions that are too low. Arguments and errors are those of [RMSE]; ErrEmpty
// if all true values are 0.
func MAPE(y, predicted []float64) (percent float64, skipped int, err error) {
	if err := checkNumbers(y, predicted); err != nil {
		return 0, 0, err
	}
	for i, v := range y {
		if v == 0 {
			skipped++
			continue
		}
		percent += math.Abs((v - predicted[i]) / v)
	}
	if skipped == len(y) {
		return 0, skipped, fmt.Errorf("all true values are 0: %w", ErrEmpty)
	}
	return 100 * percent / float64(len(y)-skipped), skipped, nil
}

// SMAPE returns the mean of the absolute error in percent of the mean size of
// truth and prediction, in [0, 200]; a row of two zeros counts 0. Arguments and
// errors are those of [RMSE]. Method: Makridakis, Int. J. Forecasting 9, 1993.
func SMAPE(y, predicted []float64) (float64, error) {
	return meanOf(y, predicted, func(y, f float64) float64 {
		if y == 0 && f == 0 {
			return 0
		}
		return 200 * math.Abs(y-f) / (math.Abs(y) + math.Abs(f))
	})
}

// Deviance returns the mean Tweedie deviance of the given power: 1 is Poisson's
// (counts), 2 the gamma's (amounts), between them sums of a random number of
// amounts. Predictions are positive; true values are not negative, and positive
// for 2 (ErrValue). power is in [1, 2]. Arguments and errors are otherwise those of
// [RMSE]. Method: Jorgensen, The Theory of Dispersion Models, 1997.
func Deviance(y, predicted []float64, power float64) (float64, error) {
	if !(power >= 1 && power <= 2) {
		return 0, fmt.Errorf("power %v is outside [1, 2]: %w", power, ErrValue)
	}
	if err := checkNumbers(y, predicted); err != nil {
		return 0, err
	}
	for i, f := range predicted {
		if !(f > 0) || y[i] < 0 || power == 2 && y[i] == 0 {
			return 0, fmt.Errorf("row %d: truth %v, prediction %v: %w", i+1, y[i], f, ErrValue)
		}
	}
	return meanOf(y, predicted, func(y, f float64) float64 {
		switch {
		case power == 1 && y == 0:
			return 2 * f
		case power == 1:
			return 2 * (y*math.Log(y/f) - y + f)
		case power == 2:
			return 2 * (math.Log(f/y) + y/f - 1)
		}
		a, b := 1-power, 2-power
		return 2 * (math.Pow(y, b)/(a*b) - y*math.Pow(f, a)/a + math.Pow(f, b)/b)
	})
}

// Pinball returns the mean loss of predictions of the q-quantile: an error counts
// q if the prediction is too low, 1-q if too high. q is in (0, 1) (ErrValue);
// arguments and errors are otherwise those of [RMSE]. Method: Koenker and Bassett,
// Econometrica 46, 1978.
func Pinball(y, predicted []float64, q float64) (float64, error) {
	if !(q > 0 && q < 1) {
		return 0, fmt.Errorf("quantile %v is outside (0, 1): %w", q, ErrValue)
	}
	return meanOf(y, predicted, func(y, f float64) float64 { return math.Max(q*(y-f), (q-1)*(y-f)) })
}

// Huber returns the mean of half the squared distance up to delta and a line
// beyond it. delta is positive (ErrValue); arguments and errors are otherwise those
// of [RMSE]. Method: Huber, Annals of Mathematical Statistics 35, 1964.
func Huber(y, predicted []float64, delta float64) (float64, error) {
	if !(delta > 0) {
		return 0, fmt.Errorf("delta %v is not positive: %w", delta, ErrValue)
	}
	return meanOf(y, predicted, func(y, f float64) float64 {
		d := math.Abs(y - f)
		if d > delta {
			return delta * (d - delta/2)
		}
		return d * d / 2
	})
}

// MASE returns the mean absolute error of a forecast over that of repeating the
// value of season steps before (1: the last value) within the past: below 1 the
// forecast is better than that was.
//
// past is in order of time, finite, longer than season >= 1 (ErrEmpty), and not
// such that repeating makes no error (ErrConstant). Errors of y and predicted are
// those of [MAE]. Method: Hyndman and Koehler, Int. J. Forecasting 22, 2006.
func MASE(past, y, predicted []float64, season int) (float64, error) {
	naive, err := repeated(past, season, MAE)
	if err != nil {
		return 0, err
	}
	mae, err := MAE(y, predicted)
	return mae / naive, err
}

// RMSSE is [MASE] with squares: the [RMSE] over that of repeating.
// Method: Makridakis, Spiliotis and Assimakopoulos, Int. J. Forecasting 38, 2022.
func RMSSE(past, y, predicted []float64, season int) (float64, error) {
	naive, err := repeated(past, season, RMSE)
	if err != nil {
		return 0, err
	}
	rmse, err := RMSE(y, predicted)
	return rmse / naive, err
}

func repeated(past []float64, season int, loss func(y, f []float64) (float64, error)) (float64, error) {
	if season < 1 || len(past) <= season {
		return 0, fmt.Errorf("%d past values for a season of %d: %w", len(past), season, ErrEmpty)
	}
	naive, err := loss(past[season:], past[:len(past)-season])
	if err != nil {
		return 0, fmt.Errorf("past: %w", err)
	}
	if naive == 0 {
		return 0, fmt.Errorf("the past repeats exactly: %w", ErrConstant)
	}
	return naive, nil
}

// IntervalScores judge intervals meant to hold a share level of the values.
type IntervalScores struct {
	Coverage  float64 // share of values in their interval, ends included
	MeanWidth float64
	// Score is the mean width plus 2/(1-level) times what lies outside; lower is
	// better, and the true quantiles are the lowest.
	Score float64
}

// Intervals judges intervals [low, high] for y. All are finite with low <= high
// (ErrValue), of equal length, not empty (ErrEmpty); level is in (0, 1).
// Method: Winkler, J. American Statistical Association 67, 1972; Gneiting and
// Raftery, same 102, 2007.
func Intervals(y, low, high []float64, level float64) (IntervalScores, error) {
	if !(level > 0 && level < 1) {
		return IntervalScores{}, fmt.Errorf("level %v is outside (0, 1): %w", level, ErrValue)
	}
	if err := checkNumbers(y, low); err != nil {
		return IntervalScores{}, fmt.Errorf("low: %w", err)
	}
	if err := checkNumbers(y, high); err != nil {
		return IntervalScores{}, fmt.Errorf("high: %w", err)
	}
	var s IntervalScores
	n := float64(len(y))
	for i, v := range y {
		if low[i] > high[i] {
			return IntervalScores{}, fmt.Errorf("row %d: the interval is [%v, %v]: %w", i+1, low[i], high[i], ErrValue)
		}
		outside := math.Max(0, math.Max(low[i]-v, v-high[i]))
		if outside == 0 {
			s.Coverage += 1 / n
		}
		s.MeanWidth += (high[i] - low[i]) / n
		s.Score += (high[i] - low[i] + 2/(1-level)*outside) / n
	}
	s.Coverage = math.Min(1, s.Coverage)
	return s, nil
}

// ConformalQuantile returns the half-width q that intervals around predictions
// need to hold a share of at least 1-alpha of new values, from the absolute errors
// on rows the model was not trained on: the k-th smallest, k = ceil((n+1)(1-alpha)).
// It is +Inf if there are too few errors (k > n).
//
// The errors are not negative (ErrValue), in any order, at least one (ErrEmpty);
// alpha is in (0, 1). New rows must be like these, in any order (exchangeable).
// Method: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005.
func ConformalQuantile(absolute []float64, alpha float64) (q float64, k int, err error) {
	if !(alpha > 0 && alpha < 1) {
		return 0, 0, fmt.Errorf("alpha %v is outside (0, 1): %w", alpha, ErrValue)
	}
	if len(absolute) == 0 {
		return 0, 0, fmt.Errorf("no errors: %w", ErrEmpty)
	}
	for i, v := range absolute {
		if !(v >= 0) {
			return 0, 0, fmt.Errorf("error %d is %v: %w", i+1, v, ErrValue)
		}
	}
	// (n+1)(1-alpha) is 9.000000000000002 for n = 9 and alpha = 0.1: what
	// rounding adds to a whole number must not ask for one row more.
	at := float64(len(absolute)+1) * (1 - alpha)
	k = int(math.Ceil(at - 1e-9))
	if k > len(absolute) {
		return math.Inf(1), k, nil
	}
	sorted := slices.Sorted(slices.Values(absolute))
	return sorted[max(k, 1)-1], k, nil
}
