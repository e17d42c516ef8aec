package evaluate

import (
	"cmp"
	"math"
	"slices"
)

// Threshold returns the threshold at which deciding positive for score >=
// threshold costs least on the given rows, when a false positive costs costFP
// and a false negative costFN.
//
// score[i] is a probability in [0, 1], y[i] is 0 or 1, the costs are not
// negative. The threshold lies midway between two neighbouring distinct scores,
// so that a new score next to one of them is decided like it; 0 and 1 count as
// neighbours of the smallest and the largest score. Where several thresholds cost
// the same it is the lowest. If deciding all rows negative is cheapest and a
// score is 1 already, it is the next number after 1. Without rows it is costFP /
// (costFP + costFN), which is best for calibrated scores, and 0.5 if both costs
// are 0. Time O(n log n).
func Threshold(score []float64, y []float64, costFP, costFN float64) float64 {
	if len(score) == 0 {
		if costFP+costFN == 0 {
			return 0.5
		}
		return costFP / (costFP + costFN)
	}
	order := all(len(score))
	slices.SortFunc(order, func(i, j int) int {
		if c := cmp.Compare(score[i], score[j]); c != 0 {
			return c
		}
		return i - j
	})
	// Costs are sums of counts times costs, so that equal costs compare equal
	// whatever the order of the rows.
	var fp, fn int
	for _, v := range y {
		if v == 0 {
			fp++ // at the lowest threshold all rows are decided positive
		}
	}
	cost := func() float64 { return float64(float64(fp)*costFP) + float64(float64(fn)*costFN) }
	best, least := midway(0, score[order[0]]), cost()
	for i, row := range order {
		// Raise the threshold above this row.
		if y[row] == 0 {
			fp--
		} else {
			fn++
		}
		above := math.Nextafter(1, 2)
		if i+1 < len(order) {
			if above = score[order[i+1]]; above == score[row] {
				continue
			}
			above = midway(score[row], above)
		} else if score[row] < 1 {
			above = midway(score[row], 1)
		}
		if c := cost(); c < least {
			best, least = above, c
		}
	}
	return best
}

// midway returns a number in (low, high], or low if they are equal: the middle,
// unless rounding would make it low.
func midway(low, high float64) float64 {
	if m := low + (high-low)/2; m > low {
		return m
	}
	return high
}
