package metrics

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// DeLong returns the AUC and its standard error over samples of rows. The
// interval auc ± 1.96 se holds the true AUC in about 95% of samples; it has no
// width when the classes do not overlap at all, where se is 0.
//
// score[i] is any number but NaN (ErrValue). It returns ErrOneClass if only one
// class occurs and ErrEmpty if either has fewer than two rows. Time O(n log n).
//
// Method: DeLong, DeLong and Clarke-Pearson, Biometrics 44(3), 1988: an AUC is a
// mean over the positive rows of the share of negative rows they beat, and at
// the same time a mean over the negative rows; its variance is the sum of the
// variances of the two means.
func DeLong(label []bool, score []float64) (auc, se float64, err error) {
	positive, negative, err := placements(label, score)
	if err != nil {
		return 0, 0, err
	}
	mean, varPositive := moments(positive)
	_, varNegative := moments(negative)
	return mean, math.Sqrt(varPositive + varNegative), nil
}

// DeLongPaired returns AUC(a) - AUC(b) for two models that scored the same rows,
// and the standard error of that difference, which takes into account that both
// find the same rows hard. Arguments and errors are those of [DeLong].
func DeLongPaired(label []bool, a, b []float64) (diff, se float64, err error) {
	positiveA, negativeA, err := placements(label, a)
	if err != nil {
		return 0, 0, fmt.Errorf("first scores: %w", err)
	}
	positiveB, negativeB, err := placements(label, b)
	if err != nil {
		return 0, 0, fmt.Errorf("second scores: %w", err)
	}
	for i := range positiveA {
		positiveA[i] -= positiveB[i]
	}
	for i := range negativeA {
		negativeA[i] -= negativeB[i]
	}
	mean, varPositive := moments(positiveA)
	_, varNegative := moments(negativeA)
	return mean, math.Sqrt(varPositive + varNegative), nil
}

// placements returns, for each positive row, the share of negative rows that
// score lower, and for each negative row the share of positive rows that score
// higher; ties count half.
func placements(label []bool, score []float64) (ofPositive, ofNegative []float64, err error) {
	if err := checkScores(label, score, nil); err != nil {
		return nil, nil, err
	}
	var positive, negative []float64
	for i, s := range score {
		if label[i] {
			positive = append(positive, s)
		} else {
			negative = append(negative, s)
		}
	}
	switch {
	case len(positive) == 0 || len(negative) == 0:
		return nil, nil, ErrOneClass
	case len(positive) < 2 || len(negative) < 2:
		return nil, nil, fmt.Errorf("the standard error of an AUC needs two rows of each class, not %d positive and %d negative: %w",
			len(positive), len(negative), ErrEmpty)
	}
	// In row order, so that the placements of two models can be paired.
	ofPositive, ofNegative = shareBelow(positive, negative), shareBelow(negative, positive)
	for i := range ofNegative {
		ofNegative[i] = 1 - ofNegative[i]
	}
	return ofPositive, ofNegative, nil
}

// shareBelow returns for each x the share of others that are below it, equal
// ones counting half.
func shareBelow(x, others []float64) []float64 {
	sorted := slices.Clone(others)
	slices.Sort(sorted)
	out := make([]float64, len(x))
	for i, v := range x {
		below := sort.Search(len(sorted), func(k int) bool { return sorted[k] >= v })
		upTo := sort.Search(len(sorted), func(k int) bool { return sorted[k] > v })
		out[i] = float64(below+upTo) / 2 / float64(len(sorted))
	}
	return out
}

// moments returns the mean of x and the variance of that mean.
func moments(x []float64) (mean, variance float64) {
	n := float64(len(x))
	for _, v := range x {
		mean += v
	}
	mean /= n
	for _, v := range x {
		variance += float64((v - mean) * (v - mean))
	}
	return mean, variance / (n - 1) / n
}
