package metrics

import (
	"fmt"
	"math"
	"slices"
)

// Rates are the shares one reads off a [Confusion]. Where a share is 0/0, such as
// the precision without a positive decision, it is 0 and named in Undefined.
type Rates struct {
	Precision        float64 // of the positive decisions, the share that is right
	Recall           float64 // of the positive rows, the share found: the true positive rate
	Specificity      float64 // of the negative rows, the share left alone
	F1               float64
	MCC              float64 // Matthews' correlation of decision and truth, in [-1, 1]
	BalancedAccuracy float64 // mean of recall and specificity
	Kappa            float64 // Cohen's agreement beyond chance
	Jaccard          float64 // TP/(TP+FP+FN)
	Undefined        []string
}

// Rates returns the shares of the counts. Method: Matthews, Biochimica et
// Biophysica Acta 405, 1975; Cohen, Educational and Psychological Measurement 20,
// 1960.
func (c Confusion) Rates() Rates {
	tp, fp, fn, tn := float64(c.TP), float64(c.FP), float64(c.FN), float64(c.TN)
	var r Rates
	share := func(name string, part, whole float64) float64 {
		if whole == 0 {
			r.Undefined = append(r.Undefined, name)
			return 0
		}
		return part / whole
	}
	r.Precision = share("precision", tp, tp+fp)
	r.Recall = share("recall", tp, tp+fn)
	r.Specificity = share("specificity", tn, tn+fp)
	r.F1 = c.F(1)
	r.MCC = share("mcc", tp*tn-fp*fn, math.Sqrt(tp+fp)*math.Sqrt(tp+fn)*math.Sqrt(tn+fp)*math.Sqrt(tn+fn))
	r.BalancedAccuracy = (r.Recall + r.Specificity) / 2
	r.Kappa = share("kappa", 2*(tp*tn-fp*fn), (tp+fp)*(fp+tn)+(tp+fn)*(fn+tn))
	r.Jaccard = share("jaccard", tp, tp+fp+fn)
	return r
}

// F returns the F-measure, the harmonic mean of precision and recall in which
// recall counts beta times as much; 0 if neither a row nor a decision is positive.
// Method: van Rijsbergen, Information Retrieval, 1979.
func (c Confusion) F(beta float64) float64 {
	b := beta * beta
	whole := (1+b)*float64(c.TP) + b*float64(c.FN) + float64(c.FP)
	if whole == 0 {
		return 0
	}
	return (1 + b) * float64(c.TP) / whole
}

// CheapestThreshold returns, among the distinct scores, the threshold at which
// the false positives and false negatives together cost least, and that cost; the
// smallest of equals. Deciding every row negative is not among them.
//
// The costs are finite and not negative (ErrValue). Arguments and errors are
// otherwise those of [Count]. Time O(n log n).
func CheapestThreshold(label []bool, score []float64, costFP, costFN float64) (threshold, cost float64, err error) {
	if err := checkScores(label, score, nil); err != nil {
		return 0, 0, err
	}
	if !(costFP >= 0 && costFN >= 0) || math.IsInf(costFP+costFN, 0) {
		return 0, 0, fmt.Errorf("costs %v and %v: %w", costFP, costFN, ErrValue)
	}
	order := byScore(score)
	var fp, fn float64
	for _, positive := range label {
		if !positive {
			fp++
		}
	}
	cost = math.Inf(1)
	for at := 0; at < len(order); {
		t := score[order[at]]
		if now := fp*costFP + fn*costFN; now < cost {
			threshold, cost = t, now
		}
		for ; at < len(order) && score[order[at]] == t; at++ {
			if label[order[at]] {
				fn++
			} else {
				fp--
			}
		}
	}
	return threshold, cost, nil
}

// LiftBin is one group of rows of [Lift].
type LiftBin struct {
	Rows     int
	Positive int
	Lift     float64 // share of positive rows over that of all rows
	Gain     float64 // share of all positive rows in this group and those before it
}

// Lift divides the rows, by falling score, into groups of equal size (the first
// n mod groups have one more) and says how many positive rows each holds. Rows of
// equal score keep their order.
//
// groups is at least 1 and at most the number of rows (ErrEmpty). It returns
// ErrOneClass without a positive row; other errors are those of [Count].
func Lift(label []bool, score []float64, groups int) ([]LiftBin, error) {
	if err := checkScores(label, score, nil); err != nil {
		return nil, err
	}
	if groups < 1 || groups > len(label) {
		return nil, fmt.Errorf("%d groups of %d rows: %w", groups, len(label), ErrEmpty)
	}
	order := fallingStable(score)
	total := 0
	for _, positive := range label {
		if positive {
			total++
		}
	}
	if total == 0 {
		return nil, fmt.Errorf("no row is positive: %w", ErrOneClass)
	}
	out := make([]LiftBin, groups)
	at, found := 0, 0
	for k := range out {
		b := &out[k]
		b.Rows = len(order) / groups
		if k < len(order)%groups {
			b.Rows++
		}
		for _, row := range order[at : at+b.Rows] {
			if label[row] {
				b.Positive++
			}
		}
		at += b.Rows
		found += b.Positive
		b.Lift = float64(b.Positive) / float64(b.Rows) / (float64(total) / float64(len(order)))
		b.Gain = float64(found) / float64(total)
	}
	return out, nil
}

// fallingStable returns the rows by falling score, equals in their order.
func fallingStable(score []float64) []int {
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case score[a] > score[b]:
			return -1
		case score[a] < score[b]:
			return 1
		}
		return 0
	})
	return order
}

// PRArea returns the area under the precision-recall curve joined by straight
// lines, from precision 1 at recall 0. It is there to compare with other tools:
// the lines promise what no threshold gives, and [AveragePrecision] is to be
// preferred. Arguments and errors are those of [AUC].
func PRArea(label []bool, score, weight []float64) (float64, error) {
	gs, positive, _, err := groups(label, score, weight)
	if err != nil {
		return 0, err
	}
	var area, tp, fp, recall float64
	precision := 1.0
	for k := len(gs) - 1; k >= 0; k-- {
		tp += gs[k].positive
		fp += gs[k].negative
		r, p := tp/positive, tp/(tp+fp)
		area += (r - recall) * (p + precision) / 2
		recall, precision = r, p
	}
	return area, nil
}

// CalibrationByWidth returns the mean (ECE) and the largest (MCE) distance
// between mean score and share of positive rows over bins of equal width, the
// last including 1. Where few rows fall into a bin the largest is mostly chance;
// [CalibrationError] has bins of equal size.
//
// bins is at least 1 (ErrValue); other arguments and errors are those of
// [Reliability]. Method: Naeini, Cooper and Hauskrecht, AAAI 2015.
func CalibrationByWidth(label []bool, score []float64, bins int) (ece, mce float64, err error) {
	if err := checkProbabilities(label, score, nil); err != nil {
		return 0, 0, err
	}
	if bins < 1 {
		return 0, 0, fmt.Errorf("%d bins: %w", bins, ErrValue)
	}
	rows, sum, positive := make([]float64, bins), make([]float64, bins), make([]float64, bins)
	for i, s := range score {
		b := min(bins-1, int(s*float64(bins)))
		rows[b]++
		sum[b] += s
		if label[i] {
			positive[b]++
		}
	}
	for b, n := range rows {
		if n > 0 {
			gap := math.Abs(positive[b]-sum[b]) / n
			ece += n / float64(len(label)) * gap
			mce = math.Max(mce, gap)
		}
	}
	return ece, mce, nil
}

// Estimated is what [EstimatePerformance] expects.
type Estimated struct {
	TN, FP, FN, TP                               float64 // expected numbers of rows
	Accuracy, Precision, Recall, F1, Specificity float64
	AUC                                          float64
}

// EstimatePerformance says how well a model does on rows whose outcomes are not
// yet known, from its scores alone: a row scored 0.8 is taken as eight tenths of a
// positive. It is only as true as the scores are calibrated on these rows: it sees
// a change in the rows, not a change in what the score means.
//
// score[i] is a probability (ErrValue), at least one row (ErrEmpty); rows at or
// above threshold count as decided positive. Shares that do not exist are 0; the
// AUC of scores that are all 0 or all 1 is ErrOneClass.
//
// Method: confidence-based performance estimation, as in NannyML; the AUC is that
// of each row split into a positive and a negative part.
func EstimatePerformance(score []float64, threshold float64) (Estimated, error) {
	label := make([]bool, 2*len(score))
	twice, weight := make([]float64, 2*len(score)), make([]float64, 2*len(score))
	var e Estimated
	for i, p := range score {
		label[2*i] = true
		twice[2*i], twice[2*i+1] = p, p
		weight[2*i], weight[2*i+1] = p, 1-p
		if p >= threshold {
			e.TP += p
			e.FP += 1 - p
		} else {
			e.FN += p
			e.TN += 1 - p
		}
	}
	if err := checkProbabilities(label, twice, nil); err != nil {
		return Estimated{}, err
	}
	var err error
	if e.AUC, err = AUC(label, twice, weight); err != nil {
		return Estimated{}, err
	}
	share := func(part, whole float64) float64 {
		if whole == 0 {
			return 0
		}
		return part / whole
	}
	e.Accuracy = (e.TP + e.TN) / float64(len(score))
	e.Precision = share(e.TP, e.TP+e.FP)
	e.Recall = share(e.TP, e.TP+e.FN)
	e.Specificity = share(e.TN, e.TN+e.FP)
	e.F1 = share(2*e.TP, 2*e.TP+e.FP+e.FN)
	return e, nil
}
