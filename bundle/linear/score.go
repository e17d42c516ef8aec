package linear

import (
	"fmt"
	"math"
)

// Margin returns Intercept + sum of Weight[j]*x[j]. x has one finite value per
// weight.
func (m *Model) Margin(x []float64) float64 {
	sum := m.Intercept
	x = x[:len(m.Weight)]
	for j, w := range m.Weight {
		sum += float64(w * x[j])
	}
	return sum
}

// Contributions sets dst[j] to the contribution of feature j to the margin of
// x, relative to the mean row of training, and returns the margin of that mean
// row. The returned base plus the sum of dst is the margin, up to rounding.
//
// For a linear model with independent features these are the Shapley values:
// Lundberg and Lee, "A Unified Approach to Interpreting Model Predictions",
// NIPS 2017, corollary 1.
func (m *Model) Contributions(dst, x []float64) (base float64) {
	dst, x = dst[:len(m.Weight)], x[:len(m.Weight)]
	base = m.Intercept
	for j, w := range m.Weight {
		dst[j] = float64(w * (x[j] - m.Mean[j]))
		base += float64(w * m.Mean[j])
	}
	return base
}

// Check returns an error if the lengths differ or a coefficient or mean is not
// finite. features is how many numbers the model reads.
func (m *Model) Check(features int) error {
	if len(m.Weight) != features || len(m.Mean) != features {
		return fmt.Errorf("linear model: %d weights and %d means for %d features", len(m.Weight), len(m.Mean), features)
	}
	if !finite(m.Intercept) {
		return fmt.Errorf("linear model: intercept %v is not finite", m.Intercept)
	}
	for j := range m.Weight {
		if !finite(m.Weight[j]) || !finite(m.Mean[j]) {
			return fmt.Errorf("linear model: feature %d: weight %v and mean %v must be finite", j, m.Weight[j], m.Mean[j])
		}
	}
	return nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
