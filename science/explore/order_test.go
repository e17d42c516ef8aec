package explore

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"github.com/tandem-ml/tandem/data/seed"
)

// TestAscending holds the sort by bits against one by comparison.
func TestAscending(t *testing.T) {
	rng := seed.Stream(3, "ascending", 0)
	for _, n := range []int{0, 1, 2, 100, 5000} {
		x := make([]float64, n)
		for i := range x {
			switch rng.IntN(8) {
			case 0:
				x[i] = math.NaN()
			case 1:
				x[i] = math.Copysign(0, float64(rng.IntN(2))-0.5)
			case 2:
				x[i] = math.Inf(2*rng.IntN(2) - 1)
			case 3:
				x[i] = float64(rng.IntN(9) - 4)
			default:
				x[i] = math.Ldexp(rng.NormFloat64(), rng.IntN(2000)-1000)
			}
		}
		var want []int32
		for i, v := range x {
			if !math.IsNaN(v) {
				want = append(want, int32(i))
			}
		}
		slices.SortStableFunc(want, func(a, b int32) int { return cmp.Compare(x[a], x[b]) })
		keys, at := ascending(x)
		if !slices.Equal(at, want) {
			t.Fatalf("%d numbers are not in order", n)
		}
		for j := 1; j < len(at); j++ {
			if (keys[j] == keys[j-1]) != (x[at[j]] == x[at[j-1]]) {
				t.Fatalf("%v and %v have the keys %x and %x", x[at[j-1]], x[at[j]], keys[j-1], keys[j])
			}
		}
	}
}
