package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// The upper tails below are taken from the incomplete beta and gamma functions
// directly, not as 1 - CDF, so that a p-value of 1e-12 keeps its digits.

// tailOfF returns P(F >= f) for F with d1 and d2 degrees of freedom.
func tailOfF(f, d1, d2 float64) float64 {
	switch {
	case !(f > 0):
		return 1
	case math.IsInf(f, 1):
		return 0
	}
	return mathext.RegIncBeta(d2/2, d1/2, d2/(d2+d1*f))
}

// tailOfT returns P(|T| >= |t|) for Student's T.
func tailOfT(t, df float64) float64 {
	if t == 0 {
		return 1
	}
	return tailOfF(t*t, 1, df)
}

// tailOfChiSquared returns P(X >= x) for chi-squared X.
func tailOfChiSquared(x, df float64) float64 {
	switch {
	case !(x > 0):
		return 1
	case math.IsInf(x, 1):
		return 0
	}
	return mathext.GammaIncRegComp(df/2, x/2)
}

// t95 returns the 0.975 quantile of Student's t.
func t95(df float64) float64 { return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Quantile(0.975) }

// gauss8 holds the positive nodes and the weights of the 8-point Gauss-Legendre
// rule on [-1, 1]; Abramowitz and Stegun, table 25.4.
var gauss8 = [4][2]float64{
	{0.1834346424956498, 0.3626837833783620},
	{0.5255324099163290, 0.3137066458778873},
	{0.7966664774136267, 0.2223810344533745},
	{0.9602898564975363, 0.1012285362903763},
}

// integrate returns the integral of f from low to high by 8-point rules on
// panels no wider than width, in a fixed order.
func integrate(low, high, width float64, f func(x float64) float64) float64 {
	if !(high > low) {
		return 0
	}
	panels := math.Ceil((high - low) / width)
	half := (high - low) / panels / 2
	sum := 0.0
	for k := 0.0; k < panels; k++ {
		mid := low + float64((2*k+1)*half)
		for _, node := range gauss8 {
			d := half * node[0]
			sum += float64(node[1] * (f(mid-d) + f(mid+d)))
		}
	}
	return sum * half
}
