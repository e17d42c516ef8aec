package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
)

// PowerTwoSampleT returns the power of Student's t-test of two samples: the
// probability of p <= alpha if the means differ by effect pooled standard
// deviations (Cohen's d). The second sample is ratio times as large as the
// first; n need not be whole. It is NaN unless n > 1, n ratio > 1, and alpha is
// in (0, 1). Solve it for a size or an effect with [SampleSize] and
// [DetectableEffect].
//
// Method: noncentral t; Cohen, Statistical Power Analysis, 2nd ed. 1988.
func PowerTwoSampleT(effect, n, ratio, alpha float64, side Alternative) float64 {
	if !(n > 1 && n*ratio > 1) {
		return math.NaN()
	}
	return powerT(effect*math.Sqrt(n*ratio/(1+ratio)), n+n*ratio-2, alpha, side)
}

// PowerPairedT returns the power of the paired or the one-sample t-test with n
// differences whose mean is effect standard deviations from 0. It is NaN unless
// n > 1 and alpha is in (0, 1).
func PowerPairedT(effect, n, alpha float64, side Alternative) float64 {
	if !(n > 1) {
		return math.NaN()
	}
	return powerT(effect*math.Sqrt(n), n-1, alpha, side)
}

func powerT(shift, df, alpha float64, side Alternative) float64 {
	if !(alpha > 0 && alpha < 1) || math.IsNaN(shift) {
		return math.NaN()
	}
	critical := func(share float64) float64 {
		if share > 0.5 {
			return -studentQuantile(1-share, df)
		}
		return studentQuantile(share, df)
	}
	switch side {
	case Less:
		return noncentralTCDF(-critical(alpha), df, shift)
	case Greater:
		return noncentralTCDF(-critical(alpha), df, -shift)
	}
	c := critical(alpha / 2)
	return math.Min(1, noncentralTCDF(-c, df, shift)+noncentralTCDF(-c, df, -shift))
}

// PowerTwoProportions returns the power of the z-test of two proportions that
// are effect apart by Cohen's h ([CohenH]); sizes as for [PowerTwoSampleT].
func PowerTwoProportions(effect, n, ratio, alpha float64, side Alternative) float64 {
	if !(n > 0 && ratio > 0 && alpha > 0 && alpha < 1) {
		return math.NaN()
	}
	shift := effect * math.Sqrt(n*ratio/(1+ratio))
	switch side {
	case Less:
		return normalTail(normalQuantile(alpha) + shift)
	case Greater:
		return normalTail(normalQuantile(alpha) - shift)
	}
	z := normalQuantile(alpha / 2)
	return normalTail(z-shift) + normalTail(z+shift)
}

// PowerAnova returns the power of one-way analysis of variance of k groups with
// n values altogether, for Cohen's f: the standard deviation of the groups'
// means over that within groups. It is NaN unless n > k >= 2 and alpha is in
// (0, 1).
//
// Method: noncentral F; Cohen, Statistical Power Analysis, 2nd ed. 1988.
func PowerAnova(f, n float64, k int, alpha float64) float64 {
	df1, df2 := float64(k-1), n-float64(k)
	if !(df1 > 0 && df2 > 0 && alpha > 0 && alpha < 1) || math.IsNaN(f) {
		return math.NaN()
	}
	critical := math.Exp(crossing(-700, 700, func(u float64) float64 { return alpha - fTail(math.Exp(u), df1, df2) }))
	x := df1 * critical / (df1*critical + df2)
	return 1 - poissonMixture(f*f*n/2, func(j float64) float64 { return mathext.RegIncBeta(df1/2+j, df2/2, x) })
}

// PowerChiSquared returns the power of a chi-squared test with df degrees of
// freedom and n counts for Cohen's w: the square root of the chi-squared that
// one count would have. It is NaN unless n and df are positive and alpha is in
// (0, 1).
//
// Method: noncentral chi-squared; Cohen, Statistical Power Analysis, 2nd ed. 1988.
func PowerChiSquared(w, n, df, alpha float64) float64 {
	if !(n > 0 && df > 0 && alpha > 0 && alpha < 1) || math.IsNaN(w) {
		return math.NaN()
	}
	critical := crossingAbove(0, 1, func(x float64) float64 { return alpha - ChiSquaredPValue(x, df) })
	return 1 - poissonMixture(w*w*n/2, func(j float64) float64 { return mathext.GammaIncReg(df/2+j, critical/2) })
}

// PowerCorrelation returns the power of the test of [Pearson] with n rows if the
// correlation is r. It is NaN unless n > 3, r is in (-1, 1), and alpha in (0, 1).
//
// Method: Fisher's transform with its bias, against the critical value of
// Student's t; Cohen, Statistical Power Analysis, 2nd ed. 1988.
func PowerCorrelation(r, n, alpha float64, side Alternative) float64 {
	if !(n > 3 && r > -1 && r < 1 && alpha > 0 && alpha < 1) {
		return math.NaN()
	}
	if side == Less {
		r = -r
	}
	share := alpha
	if side == TwoSided {
		share = alpha / 2
	}
	t := studentQuantile(min(share, 1-share), n-2)
	if share > 0.5 {
		t = -t
	}
	critical := math.Atanh(t / math.Sqrt(t*t+n-2))
	shift := math.Atanh(r) + r/(2*(n-1))
	power := normalTail((critical - shift) * math.Sqrt(n-3))
	if side == TwoSided {
		power += normalTail((critical + shift) * math.Sqrt(n-3))
	}
	return power
}

// PowerLogRank returns the power of the two-sided [LogRank] test of two groups
// with that many events in both, of which the second group, with a hazard ratio
// times as high, has the share of rows given. It is NaN unless ratio and events
// are positive, and share and alpha in (0, 1).
//
// Method: Schoenfeld, Biometrics 39, 1983.
func PowerLogRank(ratio, events, share, alpha float64) float64 {
	if !(ratio > 0 && events > 0 && share > 0 && share < 1 && alpha > 0 && alpha < 1) {
		return math.NaN()
	}
	shift := math.Log(ratio) * math.Sqrt(events*share*(1-share))
	z := normalQuantile(alpha / 2)
	return normalTail(z-shift) + normalTail(z+shift)
}

// poissonMixture returns the mean of f over a Poisson variable, f in [0, 1].
func poissonMixture(mean float64, f func(j float64) float64) float64 {
	if mean == 0 {
		return f(0)
	}
	mode := math.Floor(mean)
	weight := func(j float64) float64 {
		logGamma, _ := math.Lgamma(j + 1)
		return math.Exp(j*math.Log(mean) - mean - logGamma)
	}
	sum := 0.0
	for j := mode; j >= 0; j-- {
		w := weight(j)
		if w < 1e-17 {
			break
		}
		sum += w * f(j)
	}
	for j := mode + 1; ; j++ {
		w := weight(j)
		if w < 1e-17 {
			return sum
		}
		sum += w * f(j)
	}
}

// SampleSize returns the least n, not rounded, for which power(n) is the one
// wanted, which has to be in (0, 1). power rises with n; where it is NaN, n is
// too small. It returns ErrValue if the power is not reached by n = 1e12: then
// there is no effect.
//
//	n, err := SampleSize(0.8, func(n float64) float64 {
//		return PowerTwoSampleT(0.5, n, 1, 0.05, TwoSided)
//	})
func SampleSize(wanted float64, power func(n float64) float64) (float64, error) {
	return solvePower("sample size", wanted, 1e12, power)
}

// DetectableEffect returns the least positive effect for which power(effect) is
// the one wanted, in (0, 1). It returns ErrValue if an effect of 1e12 does not
// reach it, or if every effect does.
func DetectableEffect(wanted float64, power func(effect float64) float64) (float64, error) {
	return solvePower("effect", wanted, 1e12, power)
}

func solvePower(what string, wanted, most float64, power func(v float64) float64) (float64, error) {
	if !(wanted > 0 && wanted < 1) {
		return 0, fmt.Errorf("a power of %v is outside (0, 1): %w", wanted, ErrValue)
	}
	short := func(v float64) float64 {
		p := power(v)
		if math.IsNaN(p) {
			return -1
		}
		return p - wanted
	}
	high := 1.0
	for short(high) < 0 {
		if high *= 2; high > most {
			return 0, fmt.Errorf("no %s up to %g has a power of %v: %w", what, most, wanted, ErrValue)
		}
	}
	low := high / 2
	if high == 1 {
		low = 0
	}
	for range 60 {
		middle := (low + high) / 2
		if high-low <= 1e-12*high {
			break
		}
		if short(middle) < 0 {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2, nil
}
