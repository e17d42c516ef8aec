package stats

import "math"

// KSExactPValue is [KSPValue] without the limit: the probability over all orders
// of n and m distinct values, for a d that the two samples can have. With equal
// values among them it is too large, never too small. n and m are positive. Time
// O(nm): a second for 10,000 each.
//
// Method: Hodges, Arkiv foer Matematik 3, 1958.
func KSExactPValue(d float64, n, m int) float64 {
	return exactKS(int(math.Round(d*float64(n)*float64(m))), n, m)
}
