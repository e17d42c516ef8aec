package stats

import (
	"fmt"
	"math"
)

// Comparison is one pair of groups of [TukeyHSD] or [GamesHowell].
type Comparison struct {
	A, B      int     // the groups, from 0
	Diff      float64 // mean of A less mean of B
	SE        float64 // standard error of Diff
	T         float64 // Diff/SE
	DF        float64
	P         float64 // adjusted for all pairs
	Low, High float64 // 95% intervals that hold for all pairs together
}

// TukeyHSD compares the means of all pairs of groups, with p-values and
// intervals that hold for all of them together, assuming normal values of one
// variance. Groups of unequal sizes are Kramer's, slightly cautious.
//
// Arguments and errors are those of [OneWayANOVA]; it also returns ErrConstant
// if values differ between groups only, and ErrValue for more than 60 groups. Pairs are in the order (0, 1), (0, 2) ...
//
// Method: Tukey 1953 in Collected Works VIII, 1994; Kramer, Biometrics 12, 1956.
func TukeyHSD(groups [][]float64) ([]Comparison, error) {
	anova, err := OneWayANOVA(groups)
	if err != nil {
		return nil, err
	}
	_, within, _ := sumsOfSquares(groups)
	if within == 0 {
		return nil, fmt.Errorf("no group varies: %w", ErrConstant)
	}
	noise := within / anova.DFErr
	if err := fewPairs(groups); err != nil {
		return nil, err
	}
	quantile := studentizedQuantile(0.05, len(groups), anova.DFErr)
	return pairs(groups, func(c *Comparison, x, y []float64) {
		c.SE = math.Sqrt(noise * (1/float64(len(x)) + 1/float64(len(y))))
		c.DF = anova.DFErr
		c.compare(len(groups), quantile)
	}), nil
}

// GamesHowell is [TukeyHSD] without the assumption of equal variances: each pair
// has Welch's standard error and degrees of freedom. It is somewhat liberal with
// fewer than six values in a group.
//
// Arguments and errors are those of [WelchANOVA].
//
// Method: Games and Howell, J. Educational Statistics 1, 1976.
func GamesHowell(groups [][]float64) ([]Comparison, error) {
	if _, err := WelchANOVA(groups); err != nil {
		return nil, err
	}
	if err := fewPairs(groups); err != nil {
		return nil, err
	}
	return pairs(groups, func(c *Comparison, x, y []float64) {
		_, vx := meanVar(x)
		_, vy := meanVar(y)
		ex, ey := vx/float64(len(x)), vy/float64(len(y))
		c.SE = math.Sqrt(ex + ey)
		shareX, shareY := ex/(ex+ey), ey/(ex+ey)
		c.DF = 1 / (shareX*shareX/float64(len(x)-1) + shareY*shareY/float64(len(y)-1))
		c.compare(len(groups), studentizedQuantile(0.05, len(groups), c.DF))
	}), nil
}

// fewPairs keeps the time within bounds: a pair takes some milliseconds.
func fewPairs(groups [][]float64) error {
	if len(groups) > 60 {
		return fmt.Errorf("pairs of %d groups, more than 60: %w", len(groups), ErrValue)
	}
	return nil
}

func pairs(groups [][]float64, finish func(c *Comparison, x, y []float64)) []Comparison {
	var out []Comparison
	for a := range groups {
		for b := a + 1; b < len(groups); b++ {
			c := Comparison{A: a, B: b, Diff: mean(groups[a]) - mean(groups[b])}
			finish(&c, groups[a], groups[b])
			out = append(out, c)
		}
	}
	return out
}

func (c *Comparison) compare(groups int, quantile float64) {
	c.T = c.Diff / c.SE
	c.P = studentizedTail(math.Abs(c.T)*math.Sqrt2, groups, c.DF)
	reach := quantile * c.SE / math.Sqrt2
	c.Low, c.High = c.Diff-reach, c.Diff+reach
}

// studentizedTail returns P(Q >= q), where Q is the range of k standard normal
// values over an independent root of chi-squared/df: the integral over s of the
// density of that root times the tail of the plain range at q s.
//
// The integral runs over u = log s, in which the density is close to normal for
// any df and its ends decay at least exponentially, so that one rule of Gauss and
// Legendre serves from df = 1 to thousands. Relative error about 1e-10.
//
// Method: Copenhaver and Holland, J. Statistical Computation and Simulation 30,
// 1988 (the two integrals), with the tail in place of the distribution function.
func studentizedTail(q float64, k int, df float64) float64 {
	if !(q > 0) {
		return 1
	}
	if math.IsInf(q, 1) {
		return 0
	}
	if df > 1e6 {
		return rangeTail(q, k)
	}
	// The log density is c + df (u - (e^2u - 1)/2), at its largest in u = 0.
	log := func(u float64) float64 { return df * (u - math.Expm1(2*u)/2) }
	const least = -60 // what lies below e^-60 of the peak does not count
	end := func(direction float64) float64 {
		near, far := 0.0, direction
		for log(far) > least {
			far *= 2
		}
		for range 30 {
			if mid := (near + far) / 2; log(mid) > least {
				near = mid
			} else {
				far = mid
			}
		}
		return far
	}
	width := math.Min(0.5, 1.5/math.Sqrt(2*df)) // in standard deviations of u, 1.5
	lg, _ := math.Lgamma(df / 2)
	c := math.Ln2 + df/2*math.Log(df/2) - lg - df/2
	sum := integrate(end(-1), end(1), width, func(u float64) float64 {
		density := math.Exp(c + log(u))
		if density < 1e-26 {
			return density // times a tail of at most 1
		}
		return density * rangeTail(q*math.Exp(u), k)
	})
	return math.Min(1, math.Max(0, sum))
}

// rangeTail returns P(W >= w) for the range W of k standard normal values: with
// the largest at z, the others are not all within w below it,
//
//	k integral phi(z) Phi(z)^(k-1) (1 - (1 - Phi(z-w)/Phi(z))^(k-1)) dz
func rangeTail(w float64, k int) float64 {
	others := float64(k - 1)
	// For a large w the integrand is that of phi(z) Phi(z-w), around w/2.
	low := math.Max(-8, w/2-9)
	sum := integrate(low, w/2+9, 1, func(z float64) float64 {
		below := normalTail(-z)
		share := normalTail(w-z) / below
		if share >= 1 {
			return 0
		}
		return math.Exp(-z*z/2) * math.Pow(below, others) * -math.Expm1(others*math.Log1p(-share))
	})
	return math.Min(1, float64(k)*sum/math.Sqrt(2*math.Pi))
}

// studentizedQuantile returns the q with studentizedTail(q, k, df) = tail.
func studentizedQuantile(tail float64, k int, df float64) float64 {
	low, high := 0.0, 4.0
	for studentizedTail(high, k, df) > tail {
		low, high = high, 2*high
	}
	return root(low, high, func(q float64) float64 { return math.Log(studentizedTail(q, k, df) / tail) })
}

// root returns where f, falling from positive at low to negative at high,
// crosses 0, to about 1e-10 of its size: the Illinois variant of false position
// (Dowell and Jarratt, BIT 11, 1971).
func root(low, high float64, f func(x float64) float64) float64 {
	fl, fh := f(low), f(high)
	side := 0
	x := low
	for range 200 {
		next := (low*fh - high*fl) / (fh - fl)
		if !(next > low && next < high) || math.IsInf(fl, 0) || math.IsInf(fh, 0) {
			next = (low + high) / 2
		}
		if math.Abs(next-x) <= 1e-10*math.Abs(next) {
			return next
		}
		x = next
		switch fx := f(x); {
		case fx == 0:
			return x
		case fx > 0:
			low, fl = x, fx
			if side == 1 {
				fh /= 2
			}
			side = 1
		default:
			high, fh = x, fx
			if side == -1 {
				fl /= 2
			}
			side = -1
		}
	}
	return x
}
