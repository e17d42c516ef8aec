package stats

import (
	"fmt"
	"math"
	"slices"
)

// OneSampleT tests whether the mean of a sample is mu. It assumes values from a
// normal distribution; beyond about 30 values the mean of almost any will do.
//
// x needs two or more finite values. The estimate is the mean. The effect is
// Cohen's d, (mean - mu)/sd; its interval is exact for normal values.
//
// It returns ErrTooFew, ErrValue for NaN or an infinity, and ErrConstant if all
// values are equal.
//
// Method: Student, Biometrika 6, 1908; Steiger and Fouladi, What If There Were No
// Significance Tests, 1997, for the interval from the noncentral t.
func OneSampleT(x []float64, mu float64, ask Ask) (Result, error) {
	if err := checkSample("x", x, 2, true); err != nil {
		return Result{}, err
	}
	if math.IsNaN(mu) || math.IsInf(mu, 0) {
		return Result{}, fmt.Errorf("the mean to compare with is %v: %w", mu, ErrValue)
	}
	mean, variance := meanVar(x)
	r, err := tTest(ask, mean-mu, math.Sqrt(variance/float64(len(x))), float64(len(x)-1))
	if err != nil {
		return Result{}, err
	}
	r.Test, r.EffectName, r.N = "one-sample t-test", "Cohen's d", len(x)
	r.Estimate, r.Low, r.High = mean, r.Low+mu, r.High+mu
	standardise(&r, 1/math.Sqrt(float64(len(x))))
	return r, nil
}

// PairedT tests whether the mean of the differences a[i] - b[i] is 0: two
// measurements of the same things. It is [OneSampleT] of the differences, so
// the effect is Cohen's d_z, and the estimate the mean difference.
//
// The samples have equal lengths (ErrValue otherwise).
func PairedT(a, b []float64, ask Ask) (Result, error) {
	d, err := differences(a, b, 2)
	if err != nil {
		return Result{}, err
	}
	r, err := OneSampleT(d, 0, ask)
	if err != nil {
		return Result{}, fmt.Errorf("differences: %w", err)
	}
	r.Test, r.EffectName = "paired t-test", "Cohen's d_z"
	return r, nil
}

// StudentT tests whether the means of two samples differ, assuming normal
// values of equal variance. [Welch] does without the second assumption and
// loses almost nothing where it holds.
//
// The estimate is the difference of the means, a less b. The effect is Hedges'
// g; its interval, from the noncentral t, is exact for normal values of equal
// variance. The errors are those of Welch.
//
// Method: Student, Biometrika 6, 1908; Hedges, J. Educational Statistics 6, 1981.
func StudentT(a, b []float64, ask Ask) (Result, error) {
	if err := checkTwo(a, b, 2, true); err != nil {
		return Result{}, err
	}
	na, nb := float64(len(a)), float64(len(b))
	meanA, varA := meanVar(a)
	meanB, varB := meanVar(b)
	pooled := math.Sqrt(((na-1)*varA + (nb-1)*varB) / (na + nb - 2))
	root := math.Sqrt(1/na + 1/nb)
	r, err := tTest(ask, meanA-meanB, pooled*root, na+nb-2)
	if err != nil {
		return Result{}, err
	}
	r.Test, r.EffectName, r.N = "Student's t-test", "Hedges' g", len(a)+len(b)
	standardise(&r, root*hedgesCorrection(na+nb-2))
	return r, nil
}

// WelchAsk is [Welch] for a one-sided question or an interval of another level.
// The estimate is the difference of the means, a less b.
func WelchAsk(a, b []float64, ask Ask) (Result, error) {
	r, err := Welch(a, b)
	if err != nil {
		return Result{}, err
	}
	meanA, varA := meanVar(a)
	meanB, varB := meanVar(b)
	se := math.Sqrt(varA/float64(len(a)) + varB/float64(len(b)))
	t, err := tTest(ask, meanA-meanB, se, r.DF)
	if err != nil {
		return Result{}, err
	}
	r.P, r.Estimate, r.Low, r.High = t.P, t.Estimate, t.Low, t.High
	return r, nil
}

// CohenD returns the difference of the means of two samples, a less b, in
// pooled standard deviations. It overstates the population's difference in
// small samples; Hedges' g of [StudentT] does not. The errors are those of Welch.
//
// Method: Cohen, Statistical Power Analysis, 2nd ed. 1988.
func CohenD(a, b []float64) (float64, error) {
	r, err := StudentT(a, b, Ask{})
	if err != nil {
		return 0, err
	}
	return r.Effect / hedgesCorrection(r.DF), nil
}

// Equivalence is the outcome of two one-sided tests.
type Equivalence struct {
	P              float64 // the larger of the two: small means equivalent
	TLower, PLower float64 // against a difference at or below low
	TUpper, PUpper float64 // against a difference at or above high
	DF             float64
	Estimate       float64 // difference of the means, a less b
	Low, High      float64 // its 90% interval, within the bounds if P < 0.05
	N              int
}

// TOST tests whether the means of two samples are equivalent: whether their
// difference, a less b, lies between low and high, which are in the units of
// the data. Unlike a test that finds no difference, a small p-value here is
// evidence that there is none that matters. The variances need not be equal.
//
// It returns the errors of [Welch], and ErrValue unless low < high.
//
// Method: Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987, with
// Welch's t.
func TOST(a, b []float64, low, high float64) (Equivalence, error) {
	if !(low < high) {
		return Equivalence{}, fmt.Errorf("the bounds of equivalence are %v and %v: %w", low, high, ErrValue)
	}
	r, err := WelchAsk(a, b, Ask{Level: 0.9})
	if err != nil {
		return Equivalence{}, err
	}
	_, varA := meanVar(a)
	_, varB := meanVar(b)
	se := math.Sqrt(varA/float64(len(a)) + varB/float64(len(b)))
	e := Equivalence{DF: r.DF, Estimate: r.Estimate, Low: r.Low, High: r.High, N: r.N}
	e.TLower, e.TUpper = (r.Estimate-low)/se, (r.Estimate-high)/se
	e.PLower, e.PUpper = studentTail(e.TLower, e.DF), studentTail(-e.TUpper, e.DF)
	e.P = math.Max(e.PLower, e.PUpper)
	return e, nil
}

// Yuen tests whether the trimmed means of two samples differ: of each, the
// share trim (0.2 is usual) of values is left out at both ends, so that a few
// wild ones do not decide. Equal variances are not assumed.
//
// The estimate is the difference of the trimmed means, a less b. The effect is
// the robust d of Algina, Keselman and Penfield: that difference in winsorised
// standard deviations, scaled to be Cohen's d for normal values; its interval
// is from the noncentral t and approximate.
//
// trim is in [0, 0.5) (ErrValue); after trimming, each sample has two or more
// values (ErrTooFew); ErrConstant if the winsorised samples do not vary.
//
// Method: Yuen, Biometrika 61, 1974; Algina and others, Psychological Methods
// 10(3), 2005.
func Yuen(a, b []float64, trim float64, ask Ask) (Result, error) {
	if !(trim >= 0 && trim < 0.5) {
		return Result{}, fmt.Errorf("a share %v to trim is outside [0, 0.5): %w", trim, ErrValue)
	}
	if err := checkTwo(a, b, 2, true); err != nil {
		return Result{}, err
	}
	a, b = slices.Clone(a), slices.Clone(b)
	var means, vars, kept, errs [2]float64
	for i, x := range [][]float64{a, b} {
		slices.Sort(x)
		cut := int(trim * float64(len(x)))
		inner := x[cut : len(x)-cut]
		if len(inner) < 2 {
			return Result{}, fmt.Errorf("sample %c keeps %d of %d values: %w", "ab"[i], len(inner), len(x), ErrTooFew)
		}
		means[i], _ = meanVar(inner)
		for j := range cut { // winsorise
			x[j], x[len(x)-1-j] = inner[0], inner[len(inner)-1]
		}
		_, vars[i] = meanVar(x)
		kept[i] = float64(len(inner))
		errs[i] = float64(len(x)-1) * vars[i] / (kept[i] * (kept[i] - 1))
	}
	se2 := errs[0] + errs[1]
	if !(se2 > 0) {
		return Result{}, fmt.Errorf("neither trimmed sample varies: %w", ErrConstant)
	}
	shareA, shareB := errs[0]/se2, errs[1]/se2
	df := 1 / (shareA*shareA/(kept[0]-1) + shareB*shareB/(kept[1]-1))
	r, err := tTest(ask, means[0]-means[1], math.Sqrt(se2), df)
	if err != nil {
		return Result{}, err
	}
	na, nb := float64(len(a)), float64(len(b))
	scale := math.Sqrt(((na-1)*vars[0] + (nb-1)*vars[1]) / (na + nb - 2))
	r.Test, r.EffectName, r.N = "Yuen's trimmed t-test", "robust d", len(a)+len(b)
	standardise(&r, math.Sqrt(se2)/scale*math.Sqrt(winsorisedVariance(trim)))
	return r, nil
}

// winsorisedVariance is the variance of a standard normal that is winsorised by
// the share trim at both ends.
func winsorisedVariance(trim float64) float64 {
	if trim == 0 {
		return 1
	}
	z := normalQuantile(trim)
	density := math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
	return 1 - 2*trim - 2*z*density + 2*trim*z*z
}

// tTest returns statistic, p-value and interval of an estimate with a standard
// error of so many degrees of freedom, against 0.
func tTest(ask Ask, estimate, se, df float64) (Result, error) {
	level, err := ask.level()
	if err != nil {
		return Result{}, err
	}
	if !(se > 0) {
		return Result{}, fmt.Errorf("the values do not vary: %w", ErrConstant)
	}
	if math.IsInf(se, 0) || math.IsInf(estimate, 0) {
		return Result{}, fmt.Errorf("the variance exceeds float64: %w", ErrValue)
	}
	t := estimate / se
	half := studentQuantile(ask.share(level), df) * se
	low, high := ask.open(estimate-half, estimate+half, math.Inf(-1), math.Inf(1))
	return Result{
		Statistic: t, DF: df, P: ask.p(studentTail(-t, df), studentTail(t, df)),
		Estimate: estimate, Low: low, High: high,
	}, nil
}

// standardise sets the effect to the statistic times unit, with the interval of
// its noncentrality.
func standardise(r *Result, unit float64) {
	low, high := noncentralTInterval(r.Statistic, r.DF)
	r.Effect = r.Statistic * unit
	r.EffectLow, r.EffectHigh = math.Min(r.Effect, low*unit), math.Max(r.Effect, high*unit)
}

// differences returns a[i] - b[i] of at least least checked pairs.
func differences(a, b []float64, least int) ([]float64, error) {
	if len(a) != len(b) {
		return nil, fmt.Errorf("pairs of %d and %d values: %w", len(a), len(b), ErrValue)
	}
	if err := checkTwo(a, b, least, true); err != nil {
		return nil, err
	}
	d := make([]float64, len(a))
	for i := range d {
		d[i] = a[i] - b[i]
	}
	return d, nil
}

// checkTwo is checkSample for the samples a and b.
func checkTwo(a, b []float64, least int, finite bool) error {
	if err := checkSample("a", a, least, finite); err != nil {
		return err
	}
	return checkSample("b", b, least, finite)
}
