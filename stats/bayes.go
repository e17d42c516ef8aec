package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// Posterior compares two success rates after the data.
type Posterior struct {
	ProbBBeatsA           float64 // probability that B's rate is the larger
	LossA, LossB          float64 // expected loss of rate by choosing A, or B, if the other is better
	MeanA, MeanB          float64
	LowA, HighA           float64 // central 95% credible interval
	LowB, HighB           float64
	PriorAlpha, PriorBeta float64
}

// BetaAB compares the success rates of two groups by Bayes' rule, with one Beta
// prior for both: alpha = beta = 1 knows nothing. The figures are integrals, not
// simulated.
//
// success and n are those of A and B: whole numbers, 0 <= success <= n and n > 0
// (ErrTooFew if 0). alpha and beta are finite and at least 0.5 (ErrValue).
//
// Method: conjugate posteriors; the loss as in Stucchio, Bayesian A/B Testing at
// VWO, 2015.
func BetaAB(success, n [2]float64, alpha, beta float64) (Posterior, error) {
	if !(alpha >= 0.5 && beta >= 0.5) || math.IsInf(alpha, 0) || math.IsInf(beta, 0) {
		return Posterior{}, fmt.Errorf("prior Beta(%v, %v): %w", alpha, beta, ErrValue)
	}
	var a, b [2]float64
	for g := range n {
		if n[g] == 0 {
			return Posterior{}, fmt.Errorf("group %d is empty: %w", g+1, ErrTooFew)
		}
		if !(success[g] >= 0 && success[g] <= n[g]) || success[g] != math.Floor(success[g]) || n[g] != math.Floor(n[g]) || math.IsInf(n[g], 0) {
			return Posterior{}, fmt.Errorf("group %d: %v of %v: %w", g+1, success[g], n[g], ErrValue)
		}
		a[g], b[g] = alpha+success[g], beta+n[g]-success[g]
	}
	// The angle t with rate = sin^2 t has a standard deviation of 1/(2 sqrt n)
	// whatever the rate, and no poles at 0 and 1 for parameters of 0.5 and more.
	low, high, width := math.Pi/2, 0.0, math.Pi/2
	for g := range n {
		total := a[g] + b[g]
		center, sd := math.Asin(math.Sqrt(a[g]/total)), 0.5/math.Sqrt(total)
		low, high = math.Min(low, center-14*sd), math.Max(high, center+14*sd)
		width = math.Min(width, sd)
	}
	low, high = math.Max(0, low), math.Min(math.Pi/2, high)
	below := func(g int, t float64) float64 {
		s := math.Sin(t)
		return mathext.RegIncBeta(a[g], b[g], math.Min(1, s*s))
	}
	above := func(g int, t float64) float64 {
		c := math.Cos(t)
		return mathext.RegIncBeta(b[g], a[g], math.Min(1, c*c))
	}
	lgB := mathext.Lbeta(a[1], b[1])
	p := Posterior{PriorAlpha: alpha, PriorBeta: beta}
	width = math.Max(width, (high-low)/4000)
	p.ProbBBeatsA = math.Min(1, integrate(low, high, width, func(t float64) float64 {
		log := (2*a[1]-1)*math.Log(math.Sin(t)) + (2*b[1]-1)*math.Log(math.Cos(t)) - lgB
		return 2 * math.Exp(log) * below(0, t)
	}))
	// E max(A-B, 0) is the integral over x of P(B < x < A).
	p.LossB = integrate(low, high, width, func(t float64) float64 { return math.Sin(2*t) * below(1, t) * above(0, t) })
	p.LossA = integrate(low, high, width, func(t float64) float64 { return math.Sin(2*t) * below(0, t) * above(1, t) })
	p.MeanA, p.MeanB = a[0]/(a[0]+b[0]), a[1]/(a[1]+b[1])
	da, db := distuv.Beta{Alpha: a[0], Beta: b[0]}, distuv.Beta{Alpha: a[1], Beta: b[1]}
	p.LowA, p.HighA = da.Quantile(0.025), da.Quantile(0.975)
	p.LowB, p.HighB = db.Quantile(0.025), db.Quantile(0.975)
	return p, nil
}

// BayesFactorT returns how many times more likely t is under the alternative
// that the means differ, the effect having a Cauchy prior of the given scale
// (0.707 is customary), than under the hypothesis that they do not. Above 3 is
// some evidence for a difference, below 1/3 for none.
//
// nx and ny are the sizes of the samples, ny = 0 for one sample or pairs; there
// are at least two degrees of freedom (ErrTooFew). t is finite, the scale positive
// (ErrValue). The result can be +Inf for an enormous t.
//
// Method: Rouder, Speckman, Sun, Morey and Iverson, Psychonomic Bulletin and
// Review 16, 2009.
func BayesFactorT(t float64, nx, ny int, scale float64) (float64, error) {
	if !(math.Abs(t) <= largestValue) || !(scale > 0) || math.IsInf(scale, 0) || nx < 0 || ny < 0 {
		return 0, fmt.Errorf("t %v, sizes %d and %d, scale %v: %w", t, nx, ny, scale, ErrValue)
	}
	n, df := float64(nx), float64(nx-1)
	if ny > 0 {
		n, df = float64(nx)*float64(ny)/float64(nx+ny), float64(nx+ny-2)
	}
	if df < 2 {
		return 0, fmt.Errorf("%v degrees of freedom: %w", df, ErrTooFew)
	}
	// The prior's variance g is 1/z^2 of a half-normal z; over u = log z the
	// integrand is smooth and decays at both ends.
	null := -(df + 1) / 2 * math.Log1p(t*t/df)
	bf := integrate(-25, 2.5, 0.125, func(u float64) float64 {
		z := math.Exp(u)
		v := 1 + n*scale*scale/(z*z)
		log := -z*z/2 + u - math.Log(v)/2 - (df+1)/2*math.Log1p(t*t/(v*df)) - null
		return math.Exp(log)
	})
	return bf * math.Sqrt(2/math.Pi), nil
}
