package stats

import (
	"fmt"
	"math"
	"slices"
)

// KolmogorovSmirnov tests whether two samples come from one distribution. The
// statistic, which is also the effect, is D: the largest distance between the
// two empirical distribution functions, in [0, 1].
//
// The interval of the effect follows from the inequality of Dvoretzky, Kiefer
// and Wolfowitz (with Massart's constant) for both samples; it is wide, and
// holds for every distribution. The p-value is exact if no two values are equal
// and neither sample has more than 25; otherwise it is that of one sample of
// nm/(n+m) values against its distribution, nearer than the limit [KSPValue].
// With many equal values it is too large.
//
// Neither sample may be empty (ErrTooFew) or hold NaN (ErrValue). Infinities
// are ordered like numbers. If all values are equal it returns ErrConstant.
// Time O(n log n).
//
// Method: Smirnov, Bulletin Moscow University 2, 1939; the exact distribution by
// counting lattice paths, Hodges, Arkiv foer Matematik 3, 1958.
func KolmogorovSmirnov(a, b []float64) (Result, error) {
	if err := checkSample("a", a, 1, false); err != nil {
		return Result{}, err
	}
	if err := checkSample("b", b, 1, false); err != nil {
		return Result{}, err
	}
	if allEqual(a, b) {
		return Result{}, fmt.Errorf("both samples hold one value only: %w", ErrConstant)
	}
	steps, tied := largestGap(a, b)
	n, m := float64(len(a)), float64(len(b))
	d := float64(steps) / (n * m)
	var p float64
	if !tied && len(a) <= exactUpTo && len(b) <= exactUpTo {
		p = exactKS(steps, len(a), len(b))
	} else {
		p = twoSampleTail(d, len(a), len(b))
	}
	// Each function is within its band with probability 0.975, so both are with
	// at least 0.95.
	band := math.Sqrt(math.Log(2/0.025)/2) * (1/math.Sqrt(n) + 1/math.Sqrt(m))
	return Result{
		Test: "Kolmogorov-Smirnov", Statistic: d, P: p, Effect: d, EffectName: "D",
		EffectLow: math.Max(0, d-band), EffectHigh: math.Min(1, d+band), N: len(a) + len(b),
	}, nil
}

// largestGap returns D times len(a) times len(b), a whole number, and whether
// any two values of the pooled sample are equal.
func largestGap(a, b []float64) (steps int, tied bool) {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	for i, j := 0, 0; i < len(a) && j < len(b); {
		v := math.Min(a[i], b[j])
		start := i + j
		for i < len(a) && a[i] == v {
			i++
		}
		for j < len(b) && b[j] == v {
			j++
		}
		tied = tied || i+j > start+1
		gap := i*len(b) - j*len(a)
		steps = max(steps, gap, -gap)
	}
	return steps, tied || hasRepeat(a) || hasRepeat(b)
}

func hasRepeat(sorted []float64) bool {
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			return true
		}
	}
	return false
}

// exactKS returns P(D n m >= steps) when all orders are equally likely. An
// order is a path from (0, 0) to (n, m); reached[j] is the probability that a
// path through (i, j) has been that far from the diagonal. It is a mean of
// positive numbers throughout, so small probabilities keep their digits.
func exactKS(steps, n, m int) float64 {
	reached := make([]float64, m+1)
	for i := 0; i <= n; i++ {
		for j := 0; j <= m; j++ {
			switch gap := i*m - j*n; {
			case gap >= steps || -gap >= steps:
				reached[j] = 1
			case i == 0 && j == 0:
				reached[j] = 0
			default:
				// Of the paths to (i, j), i/(i+j) came from (i-1, j).
				v := reached[j] * float64(i) / float64(i+j)
				if j > 0 {
					v += reached[j-1] * float64(j) / float64(i+j)
				}
				reached[j] = v
			}
		}
	}
	return reached[m]
}

// KSPValue returns the probability that two samples of n and m values from one
// continuous distribution have a largest distance of at least d, in the limit
// of large samples. n and m are positive and need not be whole: a sketch or a
// weighted sample has an effective size. d is in [0, 1]; none may be NaN.
//
// Method: Kolmogorov, Giornale dell'Istituto Italiano degli Attuari 4, 1933; of
// the two series for the limit, the one that converges at once.
func KSPValue(d, n, m float64) float64 {
	lambda := d * math.Sqrt(n/(n+m)*m)
	if lambda <= 0 {
		return 1
	}
	if lambda < 1 {
		// Theta transform: 1 - sqrt(2 pi)/lambda sum exp(-(2k-1)^2 pi^2/(8 lambda^2)).
		sum := 0.0
		for k := 1.0; k <= 9; k += 2 {
			sum += math.Exp(-k * k * math.Pi * math.Pi / (8 * lambda * lambda))
		}
		return math.Min(1, math.Max(0, 1-math.Sqrt(2*math.Pi)/lambda*sum))
	}
	sum, sign := 0.0, 1.0
	for k := 1.0; k <= 8; k++ {
		sum += sign * math.Exp(-2*k*k*lambda*lambda)
		sign = -sign
	}
	return math.Min(1, math.Max(0, 2*sum))
}
