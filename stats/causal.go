package stats

import (
	"fmt"
	"math"
)

// DifferenceInDifferences estimates what a treatment changed as the change of the
// treated less the change of the others, which would have been the same without
// it: the interaction in a regression of y on treated, post and both. The standard
// error is HC1, so that the four cells may vary differently; rows are independent
// (several of one subject are not).
//
// treated[i] and post[i] say in which cell row i is. Each of the four cells has
// rows (ErrTooFew), five or more in all; y is finite (ErrValue) and varies within
// a cell (ErrConstant).
//
// Method: Card and Krueger, American Economic Review 84, 1994.
func DifferenceInDifferences(y []float64, treated, post []bool) (Difference, error) {
	if len(treated) != len(y) || len(post) != len(y) {
		return Difference{}, fmt.Errorf("%d values, %d and %d cells: %w", len(y), len(treated), len(post), ErrValue)
	}
	x := make([][]float64, len(y))
	var rows [2][2]int
	for i := range y {
		a, b := indicator(treated[i]), indicator(post[i])
		x[i] = []float64{a, b, a * b}
		rows[int(a)][int(b)]++
	}
	for a := range rows {
		for b, n := range rows[a] {
			if n == 0 {
				return Difference{}, fmt.Errorf("no row with treated %v and post %v: %w", a == 1, b == 1, ErrTooFew)
			}
		}
	}
	m, err := OLS(x, y)
	if err != nil {
		return Difference{}, err
	}
	robust, err := m.Robust(HC1)
	if err != nil {
		return Difference{}, err
	}
	return differenceOf(robust[3].Estimate, robust[3].SE, float64(m.DF)), nil
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// TreatmentEffect holds several estimates of the average effect of a treatment
// that was not assigned by chance, from the same data.
type TreatmentEffect struct {
	Naive float64 // difference of the means, whatever else differs
	HT    float64 // Horvitz-Thompson: weighted by 1/propensity
	Hajek float64 // the same with weights that sum to one, steadier
	// AIPW corrects a regression within each arm by weighted residuals: right if
	// either the propensity or the regressions are (doubly robust).
	AIPW              float64
	AIPWLow, AIPWHigh float64 // 95% interval of AIPW, from its influence function
	Propensity        GeneralModel
	Smallest, Largest float64 // propensity; near 0 or 1 a few rows decide
	// Balance of each column: difference of the means in standard deviations,
	// as it is and after weighting. Above 0.1 is worth a look.
	Before, After []float64
	EffectiveN    float64 // of the weights: (sum w)^2 / sum w^2
}

// InversePropensity estimates the average effect of a treatment on y by
// weighting each row by the inverse of the probability of what it got, which a
// logistic regression on the columns x tells. It assumes that x holds everything
// that drives both treatment and outcome, and that no row was certain of either.
//
// x has one slice per row as in [OLS], treated and y one value each. Errors are
// those of [Logit], and ErrTooFew and ErrCollinear in each arm; ErrSeparated means that x tells who is
// treated: there is nothing to compare.
//
// Method: Rosenbaum and Rubin, Biometrika 70, 1983; Horvitz and Thompson, J.
// American Statistical Association 47, 1952; Robins, Rotnitzky and Zhao, same 89,
// 1994.
func InversePropensity(x [][]float64, treated []bool, y []float64) (TreatmentEffect, error) {
	if len(treated) != len(y) || len(x) != len(y) {
		return TreatmentEffect{}, fmt.Errorf("%d rows, %d treatments, %d outcomes: %w", len(x), len(treated), len(y), ErrValue)
	}
	t := make([]float64, len(y))
	var rows [2][][]float64
	var outcome [2][]float64
	for i := range y {
		t[i] = indicator(treated[i])
		arm := int(t[i])
		rows[arm], outcome[arm] = append(rows[arm], x[i]), append(outcome[arm], y[i])
	}
	if err := checkModest("y", y, 1); err != nil {
		return TreatmentEffect{}, err
	}
	p, err := Logit(x, t)
	if err != nil {
		return TreatmentEffect{}, fmt.Errorf("propensity: %w", err)
	}
	var arm [2][]float64
	for a, name := range []string{"control", "treated"} {
		columns, err := designOf(rows[a], outcome[a], 0)
		if err != nil {
			return TreatmentEffect{}, fmt.Errorf("outcome of the %s: %w", name, err)
		}
		design, err := factor(columns)
		if err != nil {
			return TreatmentEffect{}, fmt.Errorf("outcome of the %s: %w", name, err)
		}
		arm[a], _, _ = design.solve(outcome[a])
	}
	n := float64(len(y))
	e := TreatmentEffect{Propensity: p, Smallest: 1}
	e.Naive = mean(outcome[1]) - mean(outcome[0])
	var sum, weight, squares [2]float64
	influence := make([]float64, len(y))
	w := make([]float64, len(y))
	for i, q := range p.Fitted {
		e.Smallest, e.Largest = math.Min(e.Smallest, q), math.Max(e.Largest, q)
		predicted := [2]float64{arm[0][0], arm[1][0]}
		for j, v := range x[i] {
			predicted[0] += float64(arm[0][j+1] * v)
			predicted[1] += float64(arm[1][j+1] * v)
		}
		influence[i] = predicted[1] - predicted[0]
		a, sign := 0, -1.0
		w[i] = 1 / (1 - q)
		if treated[i] {
			a, sign, w[i] = 1, 1, 1/q
		}
		sum[a] += w[i] * y[i]
		weight[a] += w[i]
		squares[a] += w[i] * w[i]
		influence[i] += sign * w[i] * (y[i] - predicted[a])
	}
	e.HT = sum[1]/n - sum[0]/n
	e.Hajek = sum[1]/weight[1] - sum[0]/weight[0]
	e.EffectiveN = (weight[0] + weight[1]) * (weight[0] + weight[1]) / (squares[0] + squares[1])
	var variance float64
	e.AIPW, variance = meanVar(influence)
	reach := z95 * math.Sqrt(variance/n)
	e.AIPWLow, e.AIPWHigh = e.AIPW-reach, e.AIPW+reach
	for j := range x[0] {
		var of [2][]float64
		var weighted [2]float64
		for i := range x {
			a := int(t[i])
			of[a] = append(of[a], x[i][j])
			weighted[a] += w[i] * x[i][j] / weight[a]
		}
		m0, v0 := meanVar(of[0])
		m1, v1 := meanVar(of[1])
		sd := math.Sqrt((v0 + v1) / 2)
		e.Before = append(e.Before, (m1-m0)/sd)
		e.After = append(e.After, (weighted[1]-weighted[0])/sd)
	}
	return e, nil
}

func mean(x []float64) float64 {
	m, _ := meanVar(x)
	return m
}
