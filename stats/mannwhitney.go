package stats

import (
	"fmt"
	"math"
	"slices"
)

// exactUpTo is the largest sample for which the null distribution of a rank
// statistic is counted out. Up to it every count is below 2^53, so the
// distribution is exact in float64 (choose(50, 25) = 1.3e14), and beyond it the
// normal approximation is right to three digits.
const exactUpTo = 25

// MannWhitney tests whether values of one sample tend to be larger than those
// of the other. It looks at the order of the values only, so outliers, skew and
// infinities do no harm.
//
// The statistic is U of a: the number of pairs (x of a, y of b) with x > y,
// ties counting half. The effect is the rank-biserial correlation
// 2U/(na nb) - 1 in [-1, 1], positive if a tends to be larger, with Newcombe's
// interval. The p-value is exact if no two values are equal and neither sample
// has more than 25; otherwise it is normal with the variance corrected for ties
// and a continuity correction of one half.
//
// Neither sample may be empty (ErrTooFew) or hold NaN (ErrValue); if all values
// are equal it returns ErrConstant. Time O(n log n).
//
// Method: Mann and Whitney, Annals of Mathematical Statistics 18, 1947.
func MannWhitney(a, b []float64) (Result, error) {
	return MannWhitneyAsk(a, b, Ask{})
}

// MannWhitneyAsk is [MannWhitney] for a one-sided question, or with the method
// of the p-value chosen. An exact one does not exist with equal values, nor is
// it counted for samples of more than 200 (ErrValue).
func MannWhitneyAsk(a, b []float64, ask Ask) (Result, error) {
	if err := checkSample("a", a, 1, false); err != nil {
		return Result{}, err
	}
	if err := checkSample("b", b, 1, false); err != nil {
		return Result{}, err
	}
	if allEqual(a, b) {
		return Result{}, fmt.Errorf("both samples hold one value only: %w", ErrConstant)
	}
	na, nb := float64(len(a)), float64(len(b))
	u, ties := countU(a, b)

	var atMost, atLeast float64
	switch larger := max(len(a), len(b)); {
	case ask.Method == Exact && (ties > 0 || larger > 200):
		return Result{}, fmt.Errorf("an exact p-value needs different values and samples of at most 200: %w", ErrValue)
	case ask.Method == Exact || ask.Method == Auto && ties == 0 && larger <= exactUpTo:
		atMost, atLeast = exactU(int(u), len(a), len(b))
	default:
		n := na + nb
		sd := math.Sqrt(na * nb / 12 * (n + 1 - ties/(n*(n-1))))
		correction := 0.5
		if ask.NoCorrection {
			correction = 0
		}
		away := u - na*nb/2
		atMost, atLeast = normalTail(-(away+correction)/sd), normalTail((away-correction)/sd)
	}
	low, high := newcombe(u/(na*nb), na, nb)
	return Result{
		Test: "Mann-Whitney U", Statistic: u, P: ask.p(atMost, atLeast),
		Effect: 2*u/(na*nb) - 1, EffectName: "rank-biserial correlation",
		EffectLow: 2*low - 1, EffectHigh: 2*high - 1, N: len(a) + len(b),
	}, nil
}

// countU returns U of a, and the sum of t^3-t over groups of t equal values of
// the pooled sample.
func countU(a, b []float64) (u, ties float64) {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	for i, j := 0, 0; i < len(a) || j < len(b); {
		v := math.Inf(1)
		if i < len(a) {
			v = a[i]
		}
		if j < len(b) {
			v = math.Min(v, b[j])
		}
		below := float64(j)
		startA, startB := i, j
		for i < len(a) && a[i] == v {
			i++
		}
		for j < len(b) && b[j] == v {
			j++
		}
		inA, inB := float64(i-startA), float64(j-startB)
		u += inA * (below + inB/2)
		t := inA + inB
		ties += t*t*t - t
	}
	return u, ties
}

// exactU returns the probabilities of a U at most and at least as large when all
// orders of the pooled values are equally likely and none are equal.
func exactU(seen, na, nb int) (atMost, atLeast float64) {
	// ways[u] is the number of orders with that U: the coefficients of the
	// Gaussian binomial, the product over i = 1..na of (1-q^(nb+i))/(1-q^i).
	ways := make([]float64, na*nb+1)
	ways[0] = 1
	for i := 1; i <= na; i++ {
		for u := len(ways) - 1; u >= nb+i; u-- {
			ways[u] -= ways[u-nb-i]
		}
		for u := i; u < len(ways); u++ {
			ways[u] += ways[u-i]
		}
	}
	var all float64
	for u, w := range ways {
		all += w
		if u <= seen {
			atMost += w
		}
		// By symmetry the lower tail: its counts carry no rounding of larger ones.
		if u <= na*nb-seen {
			atLeast += w
		}
	}
	return atMost / all, atLeast / all
}

// newcombe returns the 95% interval of the probability theta that a value of
// one sample exceeds one of the other, given its estimate. It holds the
// estimate, stays in [0, 1], and does not shrink to a point when the samples do
// not overlap, as intervals from a standard error do.
//
// Method 5 of Newcombe, Statistics in Medicine 25(4), 2006: the bounds are the
// theta whose own standard error puts the estimate z95 away.
func newcombe(estimate, na, nb float64) (low, high float64) {
	half := (na+nb)/2 - 1
	within := func(theta float64) bool {
		v := theta * (1 - theta) / (na * nb) * (1 + half*(1-theta)/(2-theta) + half*theta/(1+theta))
		return math.Abs(estimate-theta) <= z95*math.Sqrt(v)
	}
	bound := func(outside float64) float64 {
		inside := estimate
		for range 60 {
			middle := (inside + outside) / 2
			if within(middle) {
				inside = middle
			} else {
				outside = middle
			}
		}
		return inside
	}
	return bound(0), bound(1)
}
