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

// fewRows is the weight of rows up to which nodes try half of the features if
// the settings do not say otherwise. Below it trees that differ help on nearly
// every table (bench/accuracy), since single splits are largely chance; beyond
// it the best split is worth more.
const fewRows = 10_000

// nodeShare returns the share of features that a node tries where that is left
// to the rows. Exact mode draws nothing that it is not told to.
func (s *settings) nodeShare(rows int, w []float64) float64 {
	if s.exact() {
		return 1
	}
	total := 0.0
	for i := range rows {
		total += weight(w, i)
	}
	if total <= fewRows {
		return 0.5
	}
	return 1
}

// gradientSample draws rows with chances that grow with their gradients, and
// divides the gradients, hessians and weights of those drawn by the chance, so
// that sums over the rows drawn are right on average.
//
// Method: minimal variance sampling (Ibragimov and Gusev, NeurIPS 2019): the
// chance is min(1, s/m), m being such that as many rows are drawn as wanted.
// The paper has s = sqrt(g² + c·h²) so that rows with a tiny gradient are not
// drawn once in a blue moon with an enormous weight; here s = |g| + a tenth of
// the mean of |g|, which does not change when the target is measured in other
// units.
//
// The chances are compared with a hash of each row's noise and key. e is the
// extent of all rows. weights are the rows' own, nil for all ones; scaled are
// set for the rows drawn.
func gradientSample(rows []uint32, share float64, e extent, grad, hess, weights, scaled []float64, noise []uint64, key uint64) []uint32 {
	n := len(grad)
	floor := e.sumG / float64(n) / 10
	// How many rows have about the same s: buckets a 128th of an octave wide.
	var count [1 << 12]int
	low := math.Float64bits(floor)
	bucket := func(s float64) int {
		return int(min((math.Float64bits(s)-low)>>45, uint64(len(count)-1)))
	}
	for _, g := range grad {
		count[bucket(math.Abs(g)+floor)]++
	}
	// Rows with s above m are drawn for sure. If these are the ones above bucket
	// b, the others, whose s add up to total, have to make up what is wanted:
	// total/m. Descend until that m is in b.
	value := func(b int) float64 { return math.Float64frombits(low + uint64(b)<<45) }
	total := 0.0
	for b, c := range count {
		total += float64(value(b) * float64(c))
	}
	above, m := 0, floor
	for b := len(count) - 1; b >= 0; b-- {
		wanted := max(1, share*float64(n)-float64(above))
		if total >= float64(wanted*value(b)) {
			m = total / wanted
			break
		}
		above += count[b]
		total -= float64(value(b) * float64(count[b]))
	}
	rows = rows[:0]
	for r, g := range grad {
		p := min(1, (math.Abs(g)+floor)/m)
		if u := float64(mix(noise[r]^key)>>11) * 0x1p-53; u >= p {
			continue
		}
		rows = append(rows, uint32(r))
		grad[r], hess[r], scaled[r] = g/p, hess[r]/p, weight(weights, r)/p
	}
	return rows
}
