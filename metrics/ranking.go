package metrics

import "math"

// AUC returns the area under the ROC curve: the probability that a random
// positive row scores higher than a random negative one, ties counting half.
//
// label[i] is true for the positive class; score[i] is any number but NaN,
// higher meaning more likely positive; weight is nil (all ones) or finite and
// non-negative, one per row. The slices have equal length and are not modified.
// The result is in [0, 1].
//
// It returns ErrOneClass if only one class has weight, since the curve is then
// undefined, ErrEmpty without rows, and ErrValue for NaN. Time O(n log n).
//
// Method: Mann-Whitney U; Hanley and McNeil, Radiology 143(1), 1982.
func AUC(label []bool, score, weight []float64) (float64, error) {
	gs, positive, negative, err := groups(label, score, weight)
	if err != nil {
		return 0, err
	}
	var wins, below float64
	for _, g := range gs {
		wins += g.positive * (below + g.negative/2)
		below += g.negative
	}
	return math.Min(1, wins/positive/negative), nil
}

// Gini returns 2 AUC - 1, in [-1, 1]: 0 is chance, 1 a perfect ranking, below 0
// worse than chance. Arguments and errors are those of [AUC].
func Gini(label []bool, score, weight []float64) (float64, error) {
	auc, err := AUC(label, score, weight)
	if err != nil {
		return 0, err
	}
	return 2*auc - 1, nil
}

// KS returns the largest excess of the true over the false positive rate over
// all thresholds, in [0, 1]: how far apart the two classes' scores lie at the
// best cut. A ranking that is worse than chance everywhere has 0. Arguments and
// errors are those of [AUC].
func KS(label []bool, score, weight []float64) (float64, error) {
	gs, positive, negative, err := groups(label, score, weight)
	if err != nil {
		return 0, err
	}
	var best, below, goodBelow float64
	for _, g := range gs {
		below += g.positive
		goodBelow += g.negative
		// The rates above the threshold are one minus those below it.
		best = math.Max(best, goodBelow/negative-below/positive)
	}
	return math.Min(1, best), nil
}

// AveragePrecision returns the mean precision over the positive rows, each at
// the threshold that just takes it in: the area under the precision-recall
// curve as a step function, in (0, 1]. Chance is the share of positive rows, not
// one half. Arguments and errors are those of [AUC].
//
// Rows of equal score are taken in together. The area is not interpolated
// (Davis and Goadrich, ICML 2006, show why straight lines flatter).
func AveragePrecision(label []bool, score, weight []float64) (float64, error) {
	gs, positive, _, err := groups(label, score, weight)
	if err != nil {
		return 0, err
	}
	var sum, tp, fp float64
	for k := len(gs) - 1; k >= 0; k-- {
		g := gs[k]
		tp += g.positive
		fp += g.negative
		sum += g.positive / positive * (tp / (tp + fp))
	}
	return math.Min(1, sum), nil
}

// ROC returns the points (false positive rate, true positive rate) of the ROC
// curve, from (0, 0) to (1, 1): one for each distinct score, from the highest
// down, after the origin. Arguments and errors are those of [AUC] with equal
// weights.
func ROC(label []bool, score []float64) ([][2]float64, error) {
	gs, positive, negative, err := groups(label, score, nil)
	if err != nil {
		return nil, err
	}
	out := make([][2]float64, 1, len(gs)+1)
	var tp, fp float64
	for k := len(gs) - 1; k >= 0; k-- {
		tp += gs[k].positive
		fp += gs[k].negative
		out = append(out, [2]float64{fp / negative, tp / positive})
	}
	return out, nil
}
