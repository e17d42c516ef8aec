package metrics

import (
	"fmt"
	"math"
	"slices"
)

// GroupRates are the rates of one group. A rate without rows, such as the TPR of a
// group without a positive row, is 0 and named in Undefined.
type GroupRates struct {
	Group     string
	Rows      int
	Selected  float64 // share decided positive
	TPR, FPR  float64
	Undefined []string
}

// Disparity compares the groups, sorted by name; differences are between the
// largest and the smallest rate, ratios of the smallest to the largest.
type Disparity struct {
	Groups            []GroupRates
	ParityDifference  float64 // of the shares decided positive (demographic parity)
	ParityRatio       float64 // below 0.8 fails the four-fifths rule; 1 if nobody is selected
	OpportunityGap    float64 // difference of the TPR (equal opportunity)
	EqualizedOddsGap  float64 // the larger of the differences of TPR and FPR
	SmallestGroupRows int
}

// Fairness compares decisions between groups. label and decided are the truth and
// the decision of each row, group its group's name; equal lengths, not empty
// (ErrEmpty), two or more groups (ErrOneClass). Small groups differ by chance:
// look at SmallestGroupRows.
//
// Method: Hardt, Price and Srebro, NIPS 2016; the four-fifths rule is that of the
// Uniform Guidelines on Employee Selection Procedures, 1978.
func Fairness(label, decided []bool, group []string) (Disparity, error) {
	if err := checkLengths(len(label), len(decided), len(group)); err != nil {
		return Disparity{}, err
	}
	if len(group) == 0 {
		return Disparity{}, fmt.Errorf("%d labels and no groups", len(label))
	}
	names := slices.Compact(slices.Sorted(slices.Values(group)))
	if len(names) < 2 {
		return Disparity{}, fmt.Errorf("one group only: %w", ErrOneClass)
	}
	counts := make([]Confusion, len(names))
	for i := range label {
		g, _ := slices.BinarySearch(names, group[i])
		switch c := &counts[g]; {
		case decided[i] && label[i]:
			c.TP++
		case decided[i]:
			c.FP++
		case label[i]:
			c.FN++
		default:
			c.TN++
		}
	}
	d := Disparity{SmallestGroupRows: len(label)}
	for g, c := range counts {
		r := GroupRates{Group: names[g], Rows: c.TP + c.FP + c.FN + c.TN}
		r.Selected = float64(c.TP+c.FP) / float64(r.Rows)
		if c.TP+c.FN > 0 {
			r.TPR = float64(c.TP) / float64(c.TP+c.FN)
		} else {
			r.Undefined = append(r.Undefined, "TPR")
		}
		if c.FP+c.TN > 0 {
			r.FPR = float64(c.FP) / float64(c.FP+c.TN)
		} else {
			r.Undefined = append(r.Undefined, "FPR")
		}
		d.Groups = append(d.Groups, r)
		d.SmallestGroupRows = min(d.SmallestGroupRows, r.Rows)
	}
	span := func(of func(GroupRates) float64) (low, high float64) {
		low, high = math.Inf(1), math.Inf(-1)
		for _, r := range d.Groups {
			low, high = math.Min(low, of(r)), math.Max(high, of(r))
		}
		return low, high
	}
	low, high := span(func(r GroupRates) float64 { return r.Selected })
	d.ParityDifference, d.ParityRatio = high-low, 1
	if high > 0 {
		d.ParityRatio = low / high
	}
	low, high = span(func(r GroupRates) float64 { return r.TPR })
	d.OpportunityGap = high - low
	low, high = span(func(r GroupRates) float64 { return r.FPR })
	d.EqualizedOddsGap = math.Max(d.OpportunityGap, high-low)
	return d, nil
}
