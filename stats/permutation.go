package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// permutationLimit is the number of divisions that an exact permutation test
// goes through: about a tenth of a second.
const permutationLimit = 10_000_000

// PermutationMeans tests whether two samples come from one distribution, by the
// difference of their means: the statistic and the estimate, a less b. The
// p-value is the share of all divisions of the pooled values into samples of
// these sizes with a difference at least as large; two-sided, it is twice the
// smaller tail. It needs no assumption but that the values are exchangeable.
//
// No sample may be empty (ErrTooFew) or hold NaN or an infinity (ErrValue);
// ErrConstant if all values are equal. If there are more than ten million
// divisions it returns ErrValue: draw some with [PermutationMeansSampled].
//
// Method: Fisher, The Design of Experiments, 1935; Pitman, J. Royal Statistical
// Society Supplement 4, 1937.
func PermutationMeans(a, b []float64, ask Ask) (Result, error) {
	r, pooled, sum, slack, err := permutationStart(a, b)
	if err != nil {
		return Result{}, err
	}
	divisions := 1.0
	for i := range min(len(a), len(b)) {
		divisions *= float64(len(pooled)-i) / float64(i+1)
	}
	if divisions > permutationLimit {
		return Result{}, fmt.Errorf("%.3g divisions are more than %d, draw some of them: %w", divisions, permutationLimit, ErrValue)
	}
	var all, atMost, atLeast float64
	var choose func(from, left int, s float64)
	choose = func(from, left int, s float64) {
		if left == 0 {
			all++
			if s <= sum+slack {
				atMost++
			}
			if s >= sum-slack {
				atLeast++
			}
			return
		}
		for i := from; i <= len(pooled)-left; i++ {
			choose(i+1, left-1, s+pooled[i])
		}
	}
	choose(0, len(a), 0)
	r.P = ask.p(atMost/all, atLeast/all)
	return r, nil
}

// PermutationMeansSampled is [PermutationMeans] from reps divisions drawn at
// random. The one seen counts as one more, so that p is never 0 and the test
// holds its level. reps is positive (ErrValue). Time reps times the number of
// values.
//
// Method: Phipson and Smyth, Statistical Applications in Genetics 9, 2010.
func PermutationMeansSampled(a, b []float64, reps int, rng *rand.Rand, ask Ask) (Result, error) {
	if reps <= 0 {
		return Result{}, fmt.Errorf("%d divisions to draw: %w", reps, ErrValue)
	}
	r, pooled, sum, slack, err := permutationStart(a, b)
	if err != nil {
		return Result{}, err
	}
	atMost, atLeast := 1.0, 1.0
	for range reps {
		s := 0.0
		for i := range a {
			j := i + rng.IntN(len(pooled)-i)
			pooled[i], pooled[j] = pooled[j], pooled[i]
			s += pooled[i]
		}
		if s <= sum+slack {
			atMost++
		}
		if s >= sum-slack {
			atLeast++
		}
	}
	r.P = ask.p(atMost/float64(reps+1), atLeast/float64(reps+1))
	return r, nil
}

// permutationStart checks the samples and returns the pooled values less their
// mean, a's sum of those, and what two equal sums may differ by in rounding.
func permutationStart(a, b []float64) (r Result, pooled []float64, sum, slack float64, err error) {
	if err := checkTwo(a, b, 1, true); err != nil {
		return r, nil, 0, 0, err
	}
	if allEqual(a, b) {
		return r, nil, 0, 0, fmt.Errorf("both samples hold one value only: %w", ErrConstant)
	}
	pooled = append(append(pooled, a...), b...)
	mean, _ := meanVar(pooled)
	var sumB float64
	for i := range pooled {
		pooled[i] -= mean
		slack += math.Abs(pooled[i])
		if i < len(a) {
			sum += pooled[i]
		} else {
			sumB += pooled[i]
		}
	}
	slack *= 1e-14
	diff := sum/float64(len(a)) - sumB/float64(len(b))
	if math.IsInf(slack, 0) {
		return r, nil, 0, 0, fmt.Errorf("the sum exceeds float64: %w", ErrValue)
	}
	return Result{Test: "permutation test of means", Statistic: diff, Estimate: diff, Low: math.Inf(-1), High: math.Inf(1), N: len(pooled)}, pooled, sum, slack, nil
}
