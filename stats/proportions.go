package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Interval is a confidence interval.
type Interval struct{ Low, High float64 }

// Proportion is the outcome of [Binomial].
type Proportion struct {
	P               float64
	Estimate        float64
	ClopperPearson  Interval // exact: covers at its level or more
	Wilson          Interval // score: covers at its level on average
	WilsonCorrected Interval // Wilson with a continuity correction
	N               int
}

// Binomial tests whether the share of successes is p, exactly: k of n were
// successes. Two-sided, the p-value is the probability of all numbers that are
// no more probable than k.
//
// n is positive (ErrTooFew), k in [0, n], p in [0, 1] (ErrValue).
//
// Method: Clopper and Pearson, Biometrika 26, 1934; Wilson, J. American
// Statistical Association 22, 1927; Newcombe, Statistics in Medicine 17, 1998,
// for the correction.
func Binomial(k, n int, p float64, ask Ask) (Proportion, error) {
	level, err := ask.level()
	if err != nil {
		return Proportion{}, err
	}
	if n < 1 {
		return Proportion{}, fmt.Errorf("%d of at least 1 trial: %w", n, ErrTooFew)
	}
	if k < 0 || k > n {
		return Proportion{}, fmt.Errorf("%d successes of %d trials: %w", k, n, ErrValue)
	}
	if !(p >= 0 && p <= 1) {
		return Proportion{}, fmt.Errorf("probability %v is outside [0, 1]: %w", p, ErrValue)
	}
	fk, fn := float64(k), float64(n)
	r := Proportion{Estimate: fk / fn, N: n}
	if ask.Alternative == TwoSided {
		r.P = binomialTwoSided(k, n, p)
	} else {
		r.P = ask.p(binomialAtMost(fk, fn, p), binomialAtLeast(fk, fn, p))
	}
	share := ask.share(level)
	set := func(i *Interval, low, high float64) {
		i.Low, i.High = ask.open(math.Max(0, low), math.Min(1, high), 0, 1)
	}
	low, high := clopperPearson(fk, fn, share)
	set(&r.ClopperPearson, low, high)
	z := normalQuantile(share)
	low, high = wilson(fk, fn, z)
	set(&r.Wilson, low, high)
	e := r.Estimate
	low, high = 0, 1
	if k > 0 {
		low = (2*fk + z*z - 1 - z*math.Sqrt(z*z-2-1/fn+4*e*(fn*(1-e)+1))) / (2 * (fn + z*z))
	}
	if k < n {
		high = (2*fk + z*z + 1 + z*math.Sqrt(z*z+2-1/fn+4*e*(fn*(1-e)-1))) / (2 * (fn + z*z))
	}
	set(&r.WilsonCorrected, low, high)
	return r, nil
}

// wilson returns Wilson's interval for k of n, z standard errors to each side.
func wilson(k, n, z float64) (low, high float64) {
	p := k / n
	middle := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	low, high = middle-half, middle+half
	if k == 0 {
		low = 0
	}
	if k == n {
		high = 1
	}
	return low, high
}

// clopperPearson returns the exact interval for k of n with the given
// probability left out on each side.
func clopperPearson(k, n, share float64) (low, high float64) {
	high = 1
	if k > 0 {
		low = crossing(0, 1, func(p float64) float64 { return binomialAtLeast(k, n, p) - share })
	}
	if k < n {
		high = crossing(0, 1, func(p float64) float64 { return share - binomialAtMost(k, n, p) })
	}
	return low, high
}

// binomialAtMost returns P(X <= k) for n trials of probability p.
func binomialAtMost(k, n, p float64) float64 {
	switch {
	case k >= n:
		return 1
	case p <= 0:
		return 1
	case p >= 1:
		return 0
	}
	return mathext.RegIncBeta(n-k, k+1, 1-p)
}

// binomialAtLeast returns P(X >= k).
func binomialAtLeast(k, n, p float64) float64 {
	switch {
	case k <= 0:
		return 1
	case p <= 0:
		return 0
	case p >= 1:
		return 1
	}
	return mathext.RegIncBeta(k, n-k+1, p)
}

// binomialTwoSided returns the probability of all numbers of successes that are
// no more probable than k, but for rounding.
func binomialTwoSided(k, n int, p float64) float64 {
	if p == 0 || p == 1 {
		if float64(k) == p*float64(n) {
			return 1
		}
		return 0
	}
	fn := float64(n)
	all, _ := math.Lgamma(fn + 1)
	logProb := func(i int) float64 {
		x := float64(i)
		a, _ := math.Lgamma(x + 1)
		b, _ := math.Lgamma(fn - x + 1)
		return all - a - b + x*math.Log(p) + (fn-x)*math.Log1p(-p)
	}
	limit := logProb(k) + 1e-7
	mode := int(math.Floor((fn + 1) * p))
	// The probabilities rise to the mode and fall from it: on the other side of
	// it, find the first that is no more probable.
	if k < mode {
		low, high := mode, n+1
		for low < high {
			if i := (low + high) / 2; logProb(i) <= limit {
				high = i
			} else {
				low = i + 1
			}
		}
		p := binomialAtMost(float64(k), fn, p) + otherwise(low <= n, func() float64 { return binomialAtLeast(float64(low), fn, p) })
		return math.Min(1, p)
	}
	low, high := -1, min(mode, n) // the last on the left
	if k == mode {
		return 1
	}
	for low < high {
		if i := (low + high + 1) / 2; logProb(i) <= limit {
			low = i
		} else {
			high = i - 1
		}
	}
	p = binomialAtLeast(float64(k), fn, p) + otherwise(low >= 0, func() float64 { return binomialAtMost(float64(low), fn, p) })
	return math.Min(1, p)
}

func otherwise(ok bool, f func() float64) float64 {
	if ok {
		return f()
	}
	return 0
}

// TwoProportions is the outcome of [ProportionsZ].
type TwoProportions struct {
	Z, P      float64
	Diff      float64  // first share less the second
	Wald      Interval // of the difference, from its standard error
	Newcombe  Interval // of the difference, from Wilson's intervals: better for small counts
	CohenH    float64  // difference of the arcsines: an effect free of the level
	RiskRatio float64  // first share over the second; NaN if both are 0
	RiskLog   Interval // of the risk ratio, on the scale of the logarithm; [0, infinity] if a count is 0
	N         int
}

// ProportionsZ tests whether the share of successes differs between two groups:
// kA of nA against kB of nB. The statistic is normal, with the standard error of
// equal shares; it needs about five successes and five failures a group, and
// [Fisher] does without.
//
// Both n are positive (ErrTooFew), and the k in [0, n] (ErrValue). ErrConstant if
// all are successes or none.
//
// Method: Newcombe, Statistics in Medicine 17, 1998, method 10; Katz and others,
// Biometrics 34, 1978; Cohen, Statistical Power Analysis, 1988.
func ProportionsZ(kA, nA, kB, nB int, ask Ask) (TwoProportions, error) {
	level, err := ask.level()
	if err != nil {
		return TwoProportions{}, err
	}
	if nA < 1 || nB < 1 {
		return TwoProportions{}, fmt.Errorf("groups of %d and %d trials: %w", nA, nB, ErrTooFew)
	}
	if kA < 0 || kA > nA || kB < 0 || kB > nB {
		return TwoProportions{}, fmt.Errorf("%d of %d and %d of %d successes: %w", kA, nA, kB, nB, ErrValue)
	}
	a, b, na, nb := float64(kA), float64(kB), float64(nA), float64(nB)
	if a+b == 0 || a+b == na+nb {
		return TwoProportions{}, fmt.Errorf("all trials have one outcome: %w", ErrConstant)
	}
	pa, pb := a/na, b/nb
	pool := (a + b) / (na + nb)
	r := TwoProportions{Diff: pa - pb, N: nA + nB}
	r.Z = r.Diff / math.Sqrt(pool*(1-pool)*(1/na+1/nb))
	r.P = ask.p(normalTail(-r.Z), normalTail(r.Z))
	z := normalQuantile(ask.share(level))
	half := z * math.Sqrt(pa*(1-pa)/na+pb*(1-pb)/nb)
	r.Wald.Low, r.Wald.High = ask.open(r.Diff-half, r.Diff+half, -1, 1)
	lowA, highA := wilson(a, na, z)
	lowB, highB := wilson(b, nb, z)
	r.Newcombe.Low, r.Newcombe.High = ask.open(r.Diff-math.Hypot(pa-lowA, highB-pb), r.Diff+math.Hypot(highA-pa, pb-lowB), -1, 1)
	r.CohenH = CohenH(pa, pb)
	r.RiskRatio, r.RiskLog = pa/pb, Interval{0, math.Inf(1)}
	if a > 0 && b > 0 {
		half = z * math.Sqrt(1/a-1/na+1/b-1/nb)
		r.RiskLog.Low, r.RiskLog.High = ask.open(r.RiskRatio*math.Exp(-half), r.RiskRatio*math.Exp(half), 0, math.Inf(1))
	}
	return r, nil
}

// CohenH returns the difference of two proportions on the scale of the arcsine,
// 2 asin(sqrt(a)) - 2 asin(sqrt(b)), where a given distance is as hard to see
// anywhere in [0, 1]. It is NaN for anything that is no proportion.
func CohenH(a, b float64) float64 {
	return 2*math.Asin(math.Sqrt(a)) - 2*math.Asin(math.Sqrt(b))
}

// PoissonRates tests whether events happen at equal rates: countA in an exposure
// (time, area, persons) of exposureA against countB in exposureB. The estimate
// and effect is the ratio of the rates, first over second, with the exact
// interval given the sum of the counts.
//
// By Auto and Approx, the statistic is the score, which is normal from about
// five events a group. Exact takes the binomial distribution of the first count
// given the sum, with the first count as the statistic; two-sided, its p-value
// is the probability of all counts that are no more probable.
//
// Counts are not negative and exposures positive and finite (ErrValue); ErrTooFew
// if there are no events.
//
// Method: Gu, Ng, Tang and Schucany, Biometrical J. 50, 2008, the score;
// Przyborowski and Wilenski, Biometrika 31, 1940, the exact.
func PoissonRates(countA int, exposureA float64, countB int, exposureB float64, ask Ask) (Result, error) {
	level, err := ask.level()
	if err != nil {
		return Result{}, err
	}
	if countA < 0 || countB < 0 {
		return Result{}, fmt.Errorf("counts %d and %d: %w", countA, countB, ErrValue)
	}
	if !(exposureA > 0 && exposureB > 0) || math.IsInf(exposureA, 0) || math.IsInf(exposureB, 0) {
		return Result{}, fmt.Errorf("exposures %v and %v: %w", exposureA, exposureB, ErrValue)
	}
	n := countA + countB
	if n == 0 {
		return Result{}, fmt.Errorf("no events: %w", ErrTooFew)
	}
	a, b, d := float64(countA), float64(countB), exposureA/exposureB
	r := Result{Test: "Poisson rates", Estimate: a / b / d, EffectName: "rate ratio", N: n}
	r.Effect = r.Estimate
	ratio := func(p float64) float64 { return p / (1 - p) / d }
	low, high := clopperPearson(a, float64(n), 0.025)
	r.EffectLow, r.EffectHigh = ratio(low), ratio(high)
	low, high = clopperPearson(a, float64(n), ask.share(level))
	r.Low, r.High = ask.open(ratio(low), ratio(high), 0, math.Inf(1))
	if ask.Method == Exact {
		p := d / (1 + d)
		r.Statistic = a
		if ask.Alternative == TwoSided {
			r.P = binomialTwoSided(countA, n, p)
		} else {
			r.P = ask.p(binomialAtMost(a, float64(n), p), binomialAtLeast(a, float64(n), p))
		}
		return r, nil
	}
	r.Statistic = (a - b*d) / math.Sqrt((a+b)*d)
	r.P = ask.p(normalTail(-r.Statistic), normalTail(r.Statistic))
	return r, nil
}
