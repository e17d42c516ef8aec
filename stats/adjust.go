package stats

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Correction is a way to correct p-values for having asked several questions.
//
// The first six bound the probability of any false claim, the last two the
// expected share of false claims among all claims (the false discovery rate).
type Correction int

const (
	Bonferroni         Correction = iota // any dependence; HolmStep is never worse
	Sidak                                // independent tests
	HolmStep                             // any dependence; the default choice
	HolmSidak                            // independent tests
	Hochberg                             // independent or positively dependent tests
	Hommel                               // as Hochberg, with a little more power
	BenjaminiHochberg                    // discovery rate, independent or positively dependent tests
	BenjaminiYekutieli                   // discovery rate, any dependence
)

// Adjust returns the p-values corrected for their number, in the order given:
// claims are those at or below the level wanted.
//
// p[i] is in [0, 1], in any order, and is not modified. It returns ErrValue
// naming the first p that is not a probability, or for an unknown correction.
//
// Method: Dunn, J. American Statistical Association 56, 1961 (Bonferroni); Sidak,
// the same 62, 1967; Holm, Scandinavian J. Statistics 6, 1979; Hochberg,
// Biometrika 75, 1988; Hommel, the same 75, 1988; Benjamini and Hochberg, J.
// Royal Statistical Society B 57, 1995; Benjamini and Yekutieli, Annals of
// Statistics 29, 2001.
func Adjust(p []float64, by Correction) ([]float64, error) {
	if by == HolmStep {
		return Holm(p)
	}
	if by < Bonferroni || by > BenjaminiYekutieli {
		return nil, fmt.Errorf("correction %d is not known: %w", by, ErrValue)
	}
	order := make([]int, len(p))
	for i, v := range p {
		if !(v >= 0 && v <= 1) {
			return nil, fmt.Errorf("p-value %d is %v, outside [0, 1]: %w", i+1, v, ErrValue)
		}
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(p[i], p[j]) })
	n := float64(len(p))
	sorted := make([]float64, len(p))
	for k, i := range order {
		sorted[k] = p[i]
	}
	if by == Hommel {
		sorted = hommel(sorted)
	} else {
		harmonic := 0.0
		for k := range sorted {
			harmonic += 1 / float64(k+1)
		}
		for k, v := range sorted {
			rank := float64(k + 1)
			switch by {
			case Bonferroni:
				v *= n
			case Sidak:
				v = -math.Expm1(n * math.Log1p(-v))
			case HolmSidak:
				v = -math.Expm1((n - rank + 1) * math.Log1p(-v))
			case Hochberg:
				v *= n - rank + 1
			case BenjaminiHochberg:
				v *= n / rank
			case BenjaminiYekutieli:
				v *= n / rank * harmonic
			}
			sorted[k] = math.Min(1, v)
		}
		switch by {
		case HolmSidak: // steps up from the smallest
			for k := 1; k < len(sorted); k++ {
				sorted[k] = math.Max(sorted[k], sorted[k-1])
			}
		case Hochberg, BenjaminiHochberg, BenjaminiYekutieli: // down from the largest
			for k := len(sorted) - 2; k >= 0; k-- {
				sorted[k] = math.Min(sorted[k], sorted[k+1])
			}
		}
	}
	out := make([]float64, len(p))
	for k, i := range order {
		out[i] = sorted[k]
	}
	return out, nil
}

// hommel corrects sorted p-values: each becomes the least level at which the
// closed test with Simes' test of every subset would reject it. Time O(n^2);
// the algorithm is Wright's, Biometrics 48, 1992.
func hommel(p []float64) []float64 {
	n := len(p)
	out := slices.Clone(p)
	for m := n; m > 1; m-- {
		// Of every m hypotheses, Simes' test of the worst m-1 others.
		c := math.Inf(1)
		for i := n - m + 1; i < n; i++ {
			c = math.Min(c, float64(m)*p[i]/float64(m-n+i+1))
		}
		for i := range n {
			if i > n-m {
				out[i] = math.Max(out[i], c)
			} else {
				out[i] = math.Max(out[i], math.Min(c, float64(m)*p[i]))
			}
		}
	}
	return out
}
