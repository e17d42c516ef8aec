package stats

import "math"

// KSFinitePValue is [KSPValue] closer to the truth for samples of tens or hundreds:
// Kolmogorov's distribution for nm/(n+m) values, rounded, in place of its limit.
// n and m are positive.
//
// Method: as [KolmogorovSmirnovNormal]; for two samples as SciPy has it.
func KSFinitePValue(d, n, m float64) float64 {
	return kolmogorovTail(max(1, int(math.RoundToEven(n/(n+m)*m))), d)
}
