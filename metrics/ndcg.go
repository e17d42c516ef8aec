package metrics

import (
	"fmt"
	"math"
	"slices"
)

// NDCG returns the mean, over groups, of the normalised discounted cumulative
// gain of the first k rows of each when its rows are in order of falling score:
// the sum of (2^label-1)/log2(1+place), places counting from 1, over the same
// sum for the best order. It is in [0, 1], and 1 if no row stands behind one of
// a smaller label among the first k.
//
// label[i] is how relevant row i is, a whole number from 0 to 31, 0 being not at
// all; score[i] is any number but NaN. groups are the sizes of the groups, such
// as the results of one query, of which the rows follow each other; k is 1 or
// more. Rows with equal scores share their places: the result is the mean over
// all their orders. A group without a relevant row has no NDCG and is left out;
// LightGBM counts it as 1, scikit-learn as 0.
//
// It returns ErrEmpty without rows, ErrOneClass if no row is relevant, and
// ErrValue for a label or score that is not such a number. Time O(n log n).
//
// Method: Järvelin and Kekäläinen, ACM TOIS 20(4), 2002, with the gains of
// Burges et al., ICML 2005; ties as McSherry and Najork, ECIR 2008.
func NDCG(label, score []float64, groups []int, k int) (float64, error) {
	return ndcg(label, score, groups, k, func(label float64) float64 { return math.Exp2(label) - 1 })
}

// NDCGLinear is [NDCG] with the label itself as the gain, in place of 2^label-1,
// as scikit-learn has it: a label of 3 is worth three of 1, not seven.
//
// Method: Järvelin and Kekäläinen, ACM TOIS 20(4), 2002.
func NDCGLinear(label, score []float64, groups []int, k int) (float64, error) {
	return ndcg(label, score, groups, k, func(label float64) float64 { return label })
}

func ndcg(label, score []float64, groups []int, k int, gainOf func(label float64) float64) (float64, error) {
	if err := checkOrder(label, score, groups, k); err != nil {
		return 0, err
	}
	gains := make([]float64, len(label))
	for i, l := range label {
		gains[i] = gainOf(l)
	}
	var sum, counted float64
	begin := 0
	for _, size := range groups {
		gain, score := gains[begin:begin+size], score[begin:begin+size]
		begin += size
		if best := dcg(gain, gain, k); best > 0 {
			sum += dcg(gain, score, k) / best
			counted++
		}
	}
	if counted == 0 {
		return 0, fmt.Errorf("no row is relevant: %w", ErrOneClass)
	}
	return math.Min(1, sum/counted), nil
}

// dcg returns the discounted gain of the k rows with the largest scores, rows of
// equal score having the mean discount of their places.
func dcg(gains, score []float64, k int) float64 {
	order := byScore(score)
	slices.Reverse(order)
	sum := 0.0
	for begin := 0; begin < min(k, len(order)); {
		end, gain, discount := begin, 0.0, 0.0
		for ; end < len(order) && score[order[end]] == score[order[begin]]; end++ {
			gain += gains[order[end]]
			if end < k {
				discount += 1 / math.Log2(float64(end+2))
			}
		}
		sum += float64(gain / float64(end-begin) * discount)
		begin = end
	}
	return sum
}

func checkOrder(label, score []float64, groups []int, k int) error {
	if err := checkLengths(len(label), len(score), 0); err != nil {
		return err
	}
	const largest = 31
	for i, l := range label {
		if math.IsNaN(score[i]) {
			return fmt.Errorf("score %d is NaN: %w", i+1, ErrValue)
		}
		if !(l >= 0 && l <= largest && l == math.Trunc(l)) {
			return fmt.Errorf("label %d is %v, not a whole number from 0 to %d: %w", i+1, l, largest, ErrValue)
		}
	}
	left := len(label)
	for g, size := range groups {
		if size < 1 || size > left {
			return fmt.Errorf("group %d has %d rows of the %d that are left: %w", g+1, size, left, ErrValue)
		}
		left -= size
	}
	switch {
	case left > 0:
		return fmt.Errorf("the last %d of %d rows are in no group: %w", left, len(label), ErrValue)
	case k < 1:
		return fmt.Errorf("the first %d rows are asked for: %w", k, ErrValue)
	}
	return nil
}
