package evaluate

import (
	"fmt"
	"math"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/num"
	"github.com/tandem-ml/tandem/metrics"
)

// Calibrate fits the map from margins to probabilities on rows that the model
// has not learned from: score = 1 / (1 + exp(-(A*margin + B))).
//
// margin[i] is finite and y[i] is 0 or 1; both are of equal length and not
// modified. A is positive, so the order of rows is kept. Where the best slope
// would not be positive, because the margins rank the rows no better than chance
// or are all equal, nothing can be learned about them and the plain logistic
// link A = 1, B = 0 is returned. It returns metrics.ErrOneClass if y has one
// class only, and metrics.ErrEmpty without rows. The result is the same to the
// last bit on every machine.
//
// Method: Platt, Advances in Large Margin Classifiers, 1999, with his smoothed
// targets (n+ + 1)/(n+ + 2) and 1/(n- + 2), which keep the slope finite when the
// margins separate the classes; Newton's method with halved steps as in Lin, Lin
// and Weng, Machine Learning 68, 2007, on standardised margins.
func Calibrate(margin, y []float64) (bundle.Calibration, error) {
	plain := bundle.Calibration{Method: "sigmoid", A: 1}
	if len(margin) != len(y) {
		return plain, fmt.Errorf("calibrate: %d margins and %d labels", len(margin), len(y))
	}
	if len(y) == 0 {
		return plain, fmt.Errorf("calibrate: no rows: %w", metrics.ErrEmpty)
	}
	var positive, sum float64
	equal := true
	for i, m := range margin {
		if math.IsNaN(m) || math.IsInf(m, 0) {
			return plain, fmt.Errorf("calibrate: row %d: the margin is %v, not a finite number", i+1, m)
		}
		if y[i] != 0 && y[i] != 1 {
			return plain, fmt.Errorf("calibrate: row %d: the label is %v, not 0 or 1", i+1, y[i])
		}
		positive += y[i]
		sum += m
		equal = equal && m == margin[0]
	}
	n := float64(len(y))
	if positive == 0 || positive == n {
		return plain, fmt.Errorf("calibrate: %w", metrics.ErrOneClass)
	}
	mean := sum / n
	squares := 0.0
	for _, m := range margin {
		squares += float64((m - mean) * (m - mean))
	}
	sd := math.Sqrt(squares / n)
	if equal || !(sd > 0) || math.IsInf(sd, 0) {
		return plain, nil
	}
	z := make([]float64, len(margin))
	for i, m := range margin {
		z[i] = (m - mean) / sd
	}
	slope, offset := platt(z, y, positive)
	a := slope / sd
	b := offset - float64(a*mean)
	if !(a > 0) || math.IsInf(a, 0) || math.IsInf(b, 0) || math.IsNaN(b) {
		return plain, nil
	}
	return bundle.Calibration{Method: "sigmoid", A: a, B: b}, nil
}

// platt minimises the cross-entropy of the smoothed targets over slope and
// offset. The loss is strictly convex in them since z varies. It is the method
// of metrics.FitPlatt in the arithmetic of bundles: what it finds becomes part
// of one, and must have the same bits on every processor.
func platt(z, y []float64, positive float64) (slope, offset float64) {
	n := float64(len(y))
	hit, miss := (positive+1)/(positive+2), 1/(n-positive+2)
	target := make([]float64, len(y))
	for i := range y {
		target[i] = miss
		if y[i] == 1 {
			target[i] = hit
		}
	}
	loss := func(slope, offset float64) float64 {
		sum := 0.0
		for i, v := range z {
			m := float64(slope*v) + offset
			sum += num.Softplus(m) - float64(target[i]*m)
		}
		return sum
	}
	offset = num.Log((positive + 1) / (n - positive + 1))
	now := loss(slope, offset)
	for range 100 {
		// Gradient and Hessian of the loss.
		var g0, g1, h00, h01, h11 float64
		for i, v := range z {
			p := num.Sigmoid(float64(slope*v) + offset)
			d, w := p-target[i], float64(p*(1-p))
			g0 += d
			g1 += float64(d * v)
			h00 += w
			wv := float64(w * v)
			h01 += wv
			h11 += float64(wv * v)
		}
		if math.Abs(g0) <= 1e-12*n && math.Abs(g1) <= 1e-12*n {
			break
		}
		det := float64(h00*h11) - float64(h01*h01)
		if !(det > 0) {
			break
		}
		stepOffset := (float64(h11*g0) - float64(h01*g1)) / det
		stepSlope := (float64(h00*g1) - float64(h01*g0)) / det
		step := 1.0
		for ; step > 1e-10; step /= 2 {
			s, o := slope-float64(step*stepSlope), offset-float64(step*stepOffset)
			if next := loss(s, o); next < now {
				slope, offset, now = s, o, next
				break
			}
		}
		if step <= 1e-10 {
			break // no step makes it better: rounding is all that is left
		}
	}
	return slope, offset
}
