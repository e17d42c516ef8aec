package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// Ask says how a test is asked. The zero value is the usual question: against
// both sides, intervals at 95%, an exact p-value where the samples are small
// enough.
type Ask struct {
	Alternative  Alternative
	Level        float64 // of the estimate's interval, in (0, 1); 0 means 0.95
	Method       Method  // how the p-value of ranks is found
	NoCorrection bool    // leaves out the continuity correction of a normal p-value of ranks
}

// Alternative is the side that a test looks at. A one-sided question has to be
// asked before the data are seen; it then has a one-sided interval.
type Alternative int

const (
	TwoSided Alternative = iota // the first sample differs
	Less                        // the first sample is smaller
	Greater                     // the first sample is larger
)

// Method is how a p-value is found.
type Method int

const (
	Auto   Method = iota // exact for small samples, as each test says
	Exact                // from all orders of the values
	Approx               // from the limit of large samples
)

// level returns the level of the interval, checked.
func (ask Ask) level() (float64, error) {
	if ask.Level == 0 {
		return 0.95, nil
	}
	if !(ask.Level > 0 && ask.Level < 1) {
		return 0, fmt.Errorf("level %v of the interval is outside (0, 1): %w", ask.Level, ErrValue)
	}
	return ask.Level, nil
}

// p returns the p-value from the probabilities of a statistic at most and at
// least as large as the one seen.
func (ask Ask) p(atMost, atLeast float64) float64 {
	switch ask.Alternative {
	case Less:
		return math.Min(1, atMost)
	case Greater:
		return math.Min(1, atLeast)
	}
	return math.Min(1, 2*math.Min(atMost, atLeast))
}

// share returns the probability that the interval leaves out on each side that
// it has.
func (ask Ask) share(level float64) float64 {
	if ask.Alternative == TwoSided {
		return (1 - level) / 2
	}
	return 1 - level
}

// open moves the end of an interval that a one-sided alternative leaves open to
// the end of the estimate's range.
func (ask Ask) open(low, high, least, most float64) (float64, float64) {
	switch ask.Alternative {
	case Less:
		return least, high
	case Greater:
		return low, most
	}
	return low, high
}

// studentTail returns P(T >= t) of Student's t.
func studentTail(t, df float64) float64 {
	if math.IsInf(t, 0) {
		if t > 0 {
			return 0
		}
		return 1
	}
	// Near the middle the first form keeps the digits, in the tail the second:
	// 1 less what is nearly 1 has none.
	square := t * t
	beyond := 1 - mathext.RegIncBeta(0.5, df/2, 1/(1+df/square))
	if beyond < 0.01 {
		beyond = mathext.RegIncBeta(df/2, 0.5, df/(df+square))
	}
	if t < 0 {
		return 1 - beyond/2
	}
	return beyond / 2
}

// studentQuantile returns the t that Student's t exceeds with probability
// share, which is at most one half.
func studentQuantile(share, df float64) float64 {
	t := -distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Quantile(share)
	density := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}
	for range 3 { // Newton's steps mend the last digits
		step := (studentTail(t, df) - share) / density.Prob(t)
		if math.IsNaN(step) || math.IsInf(step, 0) || math.Abs(step) > 0.01*math.Abs(t) {
			break
		}
		t += step
	}
	return t
}

// normalQuantile returns the z that a standard normal exceeds with probability
// share.
func normalQuantile(share float64) float64 {
	if share == 0.025 {
		return z95
	}
	return math.Sqrt2 * math.Erfcinv(2*share)
}

// fTail returns P(F >= f) with df1 and df2 degrees of freedom.
func fTail(f, df1, df2 float64) float64 {
	switch {
	case f <= 0:
		return 1
	case math.IsInf(f, 1):
		return 0
	}
	if above := 1 - mathext.RegIncBeta(df1/2, df2/2, 1/(1+df2/df1/f)); above >= 0.01 {
		return above
	}
	return mathext.RegIncBeta(df2/2, df1/2, df2/(df2+df1*f))
}

// fBelow returns P(F <= f).
func fBelow(f, df1, df2 float64) float64 {
	if f <= 0 {
		return 0
	}
	return fTail(1/f, df2, df1)
}

// crossing returns the x in [low, high] at which f, which rises, passes 0. If it
// does not, the nearer end is returned.
func crossing(low, high float64, f func(x float64) float64) float64 {
	for range 200 {
		middle := low + (high-low)/2
		if middle <= low || middle >= high {
			break
		}
		if f(middle) < 0 {
			low = middle
		} else {
			high = middle
		}
		if high-low <= 1e-15*math.Abs(high) {
			break
		}
	}
	return low + (high-low)/2
}

// crossingAbove is crossing on [low, infinity), from a first step.
func crossingAbove(low, step float64, f func(x float64) float64) float64 {
	for ; f(low+step) < 0; step *= 2 {
		if math.IsInf(step, 1) {
			return step
		}
	}
	return crossing(low, low+step, f)
}

// noncentralTInterval returns the 95% interval of the noncentrality of a t that
// was seen once: those under which it is the 0.975 and the 0.025 quantile.
func noncentralTInterval(t, df float64) (low, high float64) {
	spread := math.Sqrt(1 + t*t/(2*df))
	bound := func(z float64) float64 {
		// The normal score of the distribution function is nearly a straight line
		// over the noncentrality, falling by about 1/spread, so secants run home.
		score := func(delta float64) float64 { return -normalQuantile(noncentralTCDF(t, df, delta)) - z }
		a, b := t-z*spread, t-0.9*z*spread
		fa, fb := score(a), score(b)
		for range 30 {
			if math.Abs(fb) < 1e-9 || fa == fb {
				break
			}
			next := b - fb*(b-a)/(fb-fa)
			next = math.Max(b-2*spread, math.Min(b+2*spread, next))
			a, fa = b, fb
			b, fb = next, score(next)
		}
		return b
	}
	return bound(z95), bound(-z95)
}

// noncentralTCDF is P(T <= t) of the noncentral t with mean shift delta.
//
// It is the mean of the normal distribution function over the scale: T <= t
// where Z <= t S - delta, S^2 being chi-squared over its degrees of freedom.
// The integral is over log S, whose density falls fast to both sides, so that
// the trapezoid rule converges faster than any power of the step.
func noncentralTCDF(t, df, delta float64) float64 {
	if math.IsInf(t, 0) {
		return (1 + math.Copysign(1, t)) / 2
	}
	logGamma, _ := math.Lgamma(df / 2)
	c := math.Ln2 + df/2*math.Log(df/2) - logGamma
	// The log density is c + df (u - exp(2u)/2), with its mode at 0 and a spread
	// of 1/sqrt(2 df); to the left it falls as exp(df u) only.
	spread := 1 / math.Sqrt(2*df)
	from := -9*spread - 40/df
	to := math.Min(9*spread, 2.5)
	steps := math.Min(5000, math.Ceil((to-from)/(0.25*math.Min(spread, 1/(1+math.Abs(t))))))
	h := (to - from) / steps
	sum := 0.0
	for i := 0.0; i <= steps; i++ {
		u := from + i*h
		scale := math.Exp(u)
		if w := c + df*(u-scale*scale/2); w > -45 {
			sum += math.Exp(w) * normalTail(delta-t*scale)
		}
	}
	return math.Min(1, math.Max(0, sum*h))
}
