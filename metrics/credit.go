package metrics

import (
	"fmt"
	"math"
)

// WOE returns the weight of evidence of each bin of a variable, the logarithm of
// its share of the good rows over its share of the bad ones; the part of the
// information value each bin gives; and their sum, the information value (0.1 is
// weak, 0.3 medium, above 0.5 suspicious).
//
// good[i] and bad[i] are the numbers of rows in bin i, finite and not negative
// (ErrValue), of which there are two or more (ErrEmpty); rows of both kinds occur
// (ErrOneClass). If any number is 0, 0.5 is added to all of them, the totals
// staying as they are.
//
// Method: Good, Probability and the Weighing of Evidence, 1950; Siddiqi, Credit
// Risk Scorecards, 2006.
func WOE(good, bad []float64) (woe, ivOf []float64, iv float64, err error) {
	if len(good) != len(bad) {
		return nil, nil, 0, fmt.Errorf("%d numbers of good and %d of bad rows", len(good), len(bad))
	}
	if len(good) < 2 {
		return nil, nil, 0, fmt.Errorf("%d of at least 2 bins: %w", len(good), ErrEmpty)
	}
	var goods, bads, add float64
	for i := range good {
		if !(good[i] >= 0 && bad[i] >= 0) || math.IsInf(good[i]+bad[i], 0) {
			return nil, nil, 0, fmt.Errorf("bin %d: %v good and %v bad rows: %w", i+1, good[i], bad[i], ErrValue)
		}
		goods += good[i]
		bads += bad[i]
		if good[i] == 0 || bad[i] == 0 {
			add = 0.5
		}
	}
	if goods == 0 || bads == 0 {
		return nil, nil, 0, ErrOneClass
	}
	for i := range good {
		g, b := (good[i]+add)/goods, (bad[i]+add)/bads
		w := math.Log(g / b)
		woe, ivOf = append(woe, w), append(ivOf, (g-b)*w)
		iv += (g - b) * w
	}
	return woe, ivOf, iv, nil
}

// Points is the scale of a scorecard: Score = Offset - Factor * log-odds of bad.
type Points struct{ Factor, Offset float64 }

// PointsScale returns the scale on which odds of baseOdds good to one bad have
// baseScore points and double with each pdo points more. pdo and baseOdds are
// positive, all are finite (ErrValue). Method: Siddiqi, Credit Risk Scorecards,
// 2006.
func PointsScale(pdo, baseScore, baseOdds float64) (Points, error) {
	if !(pdo > 0 && baseOdds > 0) || math.IsInf(pdo+baseOdds, 0) || math.IsNaN(baseScore) || math.IsInf(baseScore, 0) {
		return Points{}, fmt.Errorf("%v points to double, %v at odds of %v: %w", pdo, baseScore, baseOdds, ErrValue)
	}
	factor := pdo / math.Ln2
	return Points{Factor: factor, Offset: baseScore - factor*math.Log(baseOdds)}, nil
}

// Score returns the points of the log-odds of the bad outcome.
func (p Points) Score(logOddsBad float64) float64 { return p.Offset - p.Factor*logOddsBad }
