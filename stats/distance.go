package stats

import (
	"fmt"
	"math"
)

// DistanceCorrelation tests whether two columns depend on each other in any way,
// also one that neither rises nor falls. The effect and the estimate are the
// distance correlation in [0, 1], 0 in a population only if independent; in
// samples it is positive by chance. The statistic is its bias-corrected square,
// which is about 0 for independent columns.
//
// The p-value comes from a bound on the null distribution, a chi-squared variable
// less its mean: it holds its level for all distributions, and is too large
// above 0.05. The interval is not known: it is [0, 1].
//
// The columns have equal lengths (ErrValue) of four or more (ErrTooFew) finite
// values, and vary (ErrConstant). Time and memory O(n^2): take a sample of some
// thousand rows.
//
// Method: Szekely, Rizzo and Bakirov, Annals of Statistics 35, 2007; Szekely and
// Rizzo, the same 42, 2014, for the correction; Shen, Panda and Vogelstein, J.
// Computational and Graphical Statistics 31, 2022, for the p-value.
func DistanceCorrelation(x, y []float64) (Result, error) {
	if len(x) != len(y) {
		return Result{}, fmt.Errorf("columns of %d and %d values: %w", len(x), len(y), ErrValue)
	}
	if err := checkSample("x", x, 4, true); err != nil {
		return Result{}, err
	}
	if err := checkSample("y", y, 4, true); err != nil {
		return Result{}, err
	}
	if allEqual(x, nil) || allEqual(y, nil) {
		return Result{}, fmt.Errorf("a column holds one value only: %w", ErrConstant)
	}
	x, _ = scaled(x, nil)
	y, _ = scaled(y, nil)
	n := len(x)
	fn := float64(n)
	// Distances less the means of their row and column, plus that of all: with
	// plain means for the correlation, and unbiased ones for its correction.
	distances := func(v []float64) (d, rows []float64, all float64) {
		d, rows = make([]float64, n*n), make([]float64, n)
		for i := range n {
			for j := range n {
				d[i*n+j] = math.Abs(v[i] - v[j])
				rows[i] += d[i*n+j]
			}
			all += rows[i]
		}
		return d, rows, all
	}
	dx, rx, allX := distances(x)
	dy, ry, allY := distances(y)
	var xy, xx, yy, uxy, uxx, uyy float64
	for i := range n {
		for j := range n {
			a := dx[i*n+j] - (rx[i]+rx[j])/fn + allX/(fn*fn)
			b := dy[i*n+j] - (ry[i]+ry[j])/fn + allY/(fn*fn)
			xy, xx, yy = xy+float64(a*b), xx+float64(a*a), yy+float64(b*b)
			if i != j {
				a = dx[i*n+j] - (rx[i]+rx[j])/(fn-2) + allX/((fn-1)*(fn-2))
				b = dy[i*n+j] - (ry[i]+ry[j])/(fn-2) + allY/((fn-1)*(fn-2))
				uxy, uxx, uyy = uxy+float64(a*b), uxx+float64(a*a), uyy+float64(b*b)
			}
		}
	}
	if !(xx > 0 && yy > 0) {
		return Result{}, fmt.Errorf("a column does not vary beyond rounding: %w", ErrConstant)
	}
	effect := math.Min(1, math.Sqrt(math.Max(0, xy)/math.Sqrt(xx)/math.Sqrt(yy)))
	corrected := 0.0
	if uxx > 0 && uyy > 0 {
		corrected = math.Max(-1, math.Min(1, uxy/math.Sqrt(uxx)/math.Sqrt(uyy)))
	}
	return Result{
		Test: "distance correlation", Statistic: corrected, DF: 1, P: ChiSquaredPValue(fn*corrected+1, 1),
		Estimate: effect, Low: 0, High: 1, Effect: effect, EffectName: "distance correlation", EffectLow: 0, EffectHigh: 1, N: n,
	}, nil
}
