package stats

import (
	"errors"
	"fmt"
	"math"
)

// Result is the outcome of one test.
type Result struct {
	Test       string  // the test's name: "Welch's t-test"
	Statistic  float64 // t, U of the first sample, chi-squared, D: each test says
	DF         float64 // degrees of freedom; 0 where the test has none
	DF2        float64 // those of the denominator of an F; 0 otherwise
	P          float64 // p-value in [0, 1]; two-sided unless asked otherwise
	Effect     float64 // effect size
	EffectName string  // "Hedges' g"; empty where the test has no effect size
	EffectLow  float64 // 95% interval of the effect; always holds Effect
	EffectHigh float64
	N          int // observations used, all samples together

	// Estimate is what the test is about in the units of the data (the
	// difference of the means, the ratio of the variances), with its interval
	// at the level asked for. All are 0 where the test estimates nothing, and in
	// [Welch], which leaves them to [WelchAsk].
	Estimate  float64
	Low, High float64
}

// Causes a caller can act upon. Test for them with errors.Is.
var (
	// ErrTooFew says that there are not enough observations for the test.
	ErrTooFew = errors.New("too few observations")
	// ErrConstant says that all observations are equal, so nothing can differ.
	ErrConstant = errors.New("all observations are equal")
	// ErrValue says that an observation is NaN, or infinite where only a
	// finite number makes sense.
	ErrValue = errors.New("not a usable number")
)

// z95 is the 0.975 quantile of the normal distribution: the half-width of a
// two-sided 95% interval in standard errors.
const z95 = 1.959963984540054

// checkSample returns an error naming the sample if it holds fewer than least
// values, a NaN, or an infinity when finite is wanted.
func checkSample(name string, x []float64, least int, finite bool) error {
	if len(x) < least {
		return fmt.Errorf("sample %s has %d of at least %d values: %w", name, len(x), least, ErrTooFew)
	}
	for i, v := range x {
		if math.IsNaN(v) || finite && math.IsInf(v, 0) {
			return fmt.Errorf("sample %s: value %d is %v: %w", name, i+1, v, ErrValue)
		}
	}
	return nil
}

// allEqual reports whether both samples together hold one value only.
func allEqual(a, b []float64) bool {
	for _, v := range a {
		if v != a[0] {
			return false
		}
	}
	for _, v := range b {
		if v != a[0] {
			return false
		}
	}
	return true
}

// normalTail returns P(Z >= z) for a standard normal Z, accurate in the tail.
func normalTail(z float64) float64 { return 0.5 * math.Erfc(z/math.Sqrt2) }
