package stats

import (
	"fmt"
	"math"
	"slices"
)

// RankPair is the comparison of two groups by [Dunn].
type RankPair struct {
	A, B     int     // the groups' indices, A < B
	Z        float64 // positive if A tends to larger values
	P        float64 // two-sided, of this pair alone
	Adjusted float64 // corrected for the number of pairs
}

// Dunn compares every two groups after [KruskalWallis], by their mean ranks among
// all values, with the variance corrected for ties. The p-values are normal, and
// corrected for the number of pairs by the given correction. The pairs are in
// order: 0 and 1, 0 and 2, and so on. The errors are those of KruskalWallis.
//
// Method: Dunn, Technometrics 6, 1964.
func Dunn(groups [][]float64, by Correction) ([]RankPair, error) {
	if _, err := KruskalWallis(groups); err != nil {
		return nil, err
	}
	ranks, ties := midRanks(slices.Concat(groups...))
	n := float64(len(ranks))
	means := make([]float64, len(groups))
	at := 0
	for i, x := range groups {
		for range x {
			means[i] += ranks[at]
			at++
		}
		means[i] /= float64(len(x))
	}
	variance := n*(n+1)/12 - ties/(12*(n-1))
	var pairs []RankPair
	var p []float64
	for i := range groups {
		for j := i + 1; j < len(groups); j++ {
			z := (means[i] - means[j]) / math.Sqrt(variance*(1/float64(len(groups[i]))+1/float64(len(groups[j]))))
			pairs = append(pairs, RankPair{A: i, B: j, Z: z, P: math.Min(1, 2*normalTail(math.Abs(z)))})
			p = append(p, pairs[len(pairs)-1].P)
		}
	}
	adjusted, err := Adjust(p, by)
	if err != nil {
		return nil, err
	}
	for i := range pairs {
		pairs[i].Adjusted = adjusted[i]
	}
	return pairs, nil
}

// MantelHaenszel tests whether rows and columns are independent within strata:
// tables of two rows and two columns, one for each value of something that is
// linked with both and would confound them in one table.
//
// The statistic is chi-squared with one degree of freedom and a continuity
// correction of one half, left out on request. The estimate and the effect are
// the common odds ratio, with the interval of Robins, Breslow and Greenland. The
// alternative has to be two-sided.
//
// Counts are whole and not negative (ErrValue). Strata with fewer than two
// counts say nothing and are left out; ErrTooFew if no stratum varies in both
// rows and columns.
//
// Method: Mantel and Haenszel, J. National Cancer Institute 22, 1959; Robins and
// others, Biometrics 42, 1986.
func MantelHaenszel(strata [][][]float64, ask Ask) (Result, error) {
	level, err := ask.level()
	if err != nil {
		return Result{}, err
	}
	if ask.Alternative != TwoSided {
		return Result{}, fmt.Errorf("the Mantel-Haenszel test is two-sided: %w", ErrValue)
	}
	var away, variance, up, down, rr, rs, ss, count float64
	for i, table := range strata {
		if err := checkTwoByTwo(table); err != nil {
			return Result{}, fmt.Errorf("stratum %d: %w", i+1, err)
		}
		a, b, c, d := table[0][0], table[0][1], table[1][0], table[1][1]
		n := a + b + c + d
		if n < 2 {
			continue
		}
		count += n
		away += a - (a+b)/n*(a+c)
		variance += (a + b) / n * (c + d) / n * (a + c) * (b + d) / (n - 1)
		r, s, p := a*d/n, b*c/n, (a+d)/n
		up += r
		down += s
		rr += p * r
		rs += p*s + (1-p)*r
		ss += (1 - p) * s
	}
	if !(variance > 0) {
		return Result{}, fmt.Errorf("no stratum varies in both rows and columns: %w", ErrTooFew)
	}
	size := math.Abs(away)
	if !ask.NoCorrection {
		size -= math.Min(0.5, size)
	}
	r := Result{
		Test: "Mantel-Haenszel", Statistic: size * size / variance, DF: 1, EffectName: "common odds ratio",
		Estimate: up / down, Effect: up / down, N: int(count),
	}
	r.P = ChiSquaredPValue(r.Statistic, 1)
	r.EffectHigh, r.High = math.Inf(1), math.Inf(1) // as far as is known without both sums
	if up > 0 && down > 0 {
		se := math.Sqrt(rr/(2*up*up) + rs/(2*up*down) + ss/(2*down*down))
		z := normalQuantile((1 - level) / 2)
		r.EffectLow, r.EffectHigh = r.Effect*math.Exp(-z95*se), r.Effect*math.Exp(z95*se)
		r.Low, r.High = r.Effect*math.Exp(-z*se), r.Effect*math.Exp(z*se)
	}
	return r, nil
}
