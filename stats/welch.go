package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Welch tests whether the means of two samples differ, without assuming equal
// variances. The statistic is positive if a's mean is larger.
//
// Each sample needs two or more finite values, in any order. The effect is
// Hedges' g: the difference of the means in pooled standard deviations, times
// the exact small-sample correction. Its interval is normal, with a standard
// error that allows for unequal variances and reduces to the one of Hedges and
// Olkin when they are equal; it is approximate below about ten values a sample.
//
// It returns ErrTooFew, ErrValue for NaN or an infinity, and ErrConstant if
// neither sample varies. Time O(n).
//
// Method: Welch, Biometrika 34, 1947; Hedges, J. Educational Statistics 6, 1981.
func Welch(a, b []float64) (Result, error) {
	if err := checkSample("a", a, 2, true); err != nil {
		return Result{}, err
	}
	if err := checkSample("b", b, 2, true); err != nil {
		return Result{}, err
	}
	a, b = scaled(a, b)
	na, nb := float64(len(a)), float64(len(b))
	meanA, varA := meanVar(a)
	meanB, varB := meanVar(b)
	errA, errB := varA/na, varB/nb // squared standard errors of the means
	if !(errA+errB > 0) {
		return Result{}, fmt.Errorf("neither sample varies: %w", ErrConstant)
	}
	t := (meanA - meanB) / math.Sqrt(errA+errB)
	// Welch-Satterthwaite, divided through by the sum so that nothing overflows.
	shareA, shareB := errA/(errA+errB), errB/(errA+errB)
	df := 1 / (shareA*shareA/(na-1) + shareB*shareB/(nb-1))
	p := 2 * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.CDF(-math.Abs(t))

	r := Result{Test: "Welch's t-test", Statistic: t, DF: df, P: math.Min(1, p), EffectName: "Hedges' g", N: len(a) + len(b)}
	dfPool := na + nb - 2
	pooled := ((na-1)*varA + (nb-1)*varB) / dfPool
	d := (meanA - meanB) / math.Sqrt(pooled)
	j := hedgesCorrection(dfPool)
	// Delta method: the variance of the means' difference, and that of the
	// pooled variance (2 var^2/(n-1) for each sample).
	varPooled := 2 * ((na-1)*varA*varA + (nb-1)*varB*varB) / (dfPool * dfPool)
	se := j * math.Sqrt((errA+errB)/pooled+d*d*varPooled/(4*pooled*pooled))
	r.Effect = j * d
	r.EffectLow, r.EffectHigh = r.Effect-z95*se, r.Effect+z95*se
	return r, nil
}

// hedgesCorrection is J(df) = gamma(df/2) / (sqrt(df/2) gamma((df-1)/2)), which
// makes the standardised difference unbiased. For one degree of freedom, which
// two samples of two or more never have, it does not exist.
func hedgesCorrection(df float64) float64 {
	up, _ := math.Lgamma(df / 2)
	down, _ := math.Lgamma((df - 1) / 2)
	return math.Exp(up-down) / math.Sqrt(df/2)
}

// scaled returns both samples divided by one power of two, so that the largest
// magnitude is below 1. The test does not depend on the unit, the division is
// exact, and squares of values as large as 1e300 or as small as 1e-300 neither
// overflow nor vanish.
func scaled(a, b []float64) (sa, sb []float64) {
	var largest float64
	for _, x := range [][]float64{a, b} {
		for _, v := range x {
			largest = math.Max(largest, math.Abs(v))
		}
	}
	_, exp := math.Frexp(largest)
	scale := func(x []float64) []float64 {
		out := make([]float64, len(x))
		for i, v := range x {
			out[i] = math.Ldexp(v, -exp)
		}
		return out
	}
	return scale(a), scale(b)
}
