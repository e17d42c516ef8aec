package gbdt

import (
	"math"
	"math/rand/v2"
)

// draw returns n of the items, chosen without replacement with equal chances
// and in their order.
//
// Method: selection sampling; Knuth, The Art of Computer Programming 2, 3.4.2,
// algorithm S.
func draw[T any](items []T, n int, rng *rand.Rand) []T {
	chosen := make([]T, 0, n)
	for i, item := range items {
		if rng.Uint64N(uint64(len(items)-i)) < uint64(n-len(chosen)) {
			chosen = append(chosen, item)
		}
	}
	return chosen
}

// share returns how many of n items a fraction is: rounded, at least one.
func share(n int, fraction float64) int {
	return min(n, max(1, int(math.Round(float64(n)*fraction))))
}
