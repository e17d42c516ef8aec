package tree

import "math"

func waysPortable(s *explainScratch, t *explainTile) {
	state := t.stateBytes()
	ways := s.ways[:len(t.questions)]
	for i, q := range t.questions {
		ways[i] = uint32((int32(t.limits[i])-int32(s.answers[q]))>>31) & state
	}
	for i := range t.repeats {
		r := &t.repeats[i]
		if ways[r.before] != r.hot {
			ways[r.node] = 2 * state
		}
		ways[r.node] += r.base
	}
}

func explainPortable(s *explainScratch, t *explainTile, r *rule, states []float64) {
	for first := 0; first < t.points; first += half {
		explainHalf(s, t, r, states[first:], first)
	}
}

// explainHalf takes half of the points of the vectors. A product and a sum are
// one operation, rounded once, as they are in the assembly.
func explainHalf(s *explainScratch, t *explainTile, r *rule, states []float64, first int) {
	type vector = [half]float64
	next := t.points
	down, ways := s.down[first:], s.ways
	pairs := down[t.pairs/8:]
	u := (*vector)(r.u[first:])
	for i := range t.roots {
		*(*vector)(down[next*i:]) = *(*vector)(r.w[first:])
	}
	for i := range t.nodes {
		n := &t.nodes[i]
		d, g := (*vector)(down[n.from/8:]), (*vector)(states[ways[i]/8:])
		left, right := (*vector)(pairs[2*next*i:]), (*vector)(pairs[2*next*i+next:])
		for k := range d {
			right[k] = float64(math.FMA(n.share, u[k], g[k]) * d[k])
			left[k] = d[k] - right[k]
		}
	}
	ways = ways[len(t.nodes):]
	shift := 2
	if next == width {
		shift = 3
	}
	sumOf := func(feature uint32) *vector { return (*vector)(s.sums[feature/64][first:]) }
	for i := range t.forks {
		n := &t.forks[i]
		x, left, right := &n.cases[ways[3*i]>>shift/16], &n.left[ways[3*i+1]>>shift/16], &n.right[ways[3*i+2]>>shift/16]
		d, sum, leftSum, rightSum := (*vector)(down[n.from/8:]), sumOf(n.features[0]), sumOf(n.features[1]), sumOf(n.features[2])
		for k := range d {
			g := math.FMA(-u[k], x.lost, x.hot)
			low := math.FMA(-u[k], left.lost, left.value)
			delta := math.FMA(-u[k], right.lost, right.value) - low
			dRight := float64(d[k] * g)
			sum[k] = math.FMA(float64(d[k]*x.lost), delta, sum[k])
			leftSum[k] = math.FMA(d[k]-dRight, left.lost, leftSum[k])
			rightSum[k] = math.FMA(dRight, right.lost, rightSum[k])
			d[k] = math.FMA(g, delta, low)
		}
	}
	ways = ways[3*len(t.forks):]
	for i := range t.stalks {
		n := &t.stalks[i]
		x, chain, twig := &n.cases[ways[3*i]>>shift/16], &n.chain[ways[3*i+1]>>shift/16], &n.twig[ways[3*i+2]>>shift/16]
		d, sum, chainSum, twigSum := (*vector)(down[n.from/8:]), sumOf(n.features[0]), sumOf(n.features[1]), sumOf(n.features[2])
		for k := range d {
			g, h := math.FMA(-u[k], x.lost, x.hot), math.FMA(-u[k], chain.lost, chain.hot)
			delta := math.FMA(-u[k], twig.lost, twig.value) - n.low
			dChain := float64(d[k] * g)
			chainSum[k] = math.FMA(float64(dChain*chain.lost), delta, chainSum[k])
			twigSum[k] = math.FMA(float64(dChain*h), twig.lost, twigSum[k])
			delta = math.FMA(h, delta, n.low) - n.leaf
			sum[k] = math.FMA(float64(d[k]*x.lost), delta, sum[k])
			d[k] = math.FMA(g, delta, n.leaf)
		}
	}
	ways = ways[3*len(t.stalks):]
	for i := range t.chains {
		n := &t.chains[i]
		x, twig := &n.cases[ways[2*i]>>shift/16], &n.twig[ways[2*i+1]>>shift/16]
		d := (*vector)(down[n.from/8:])
		sum, twigSum := sumOf(n.features[0]), sumOf(n.features[1])
		for k := range d {
			g := math.FMA(-u[k], x.lost, x.hot)
			delta := math.FMA(-u[k], twig.lost, twig.value) - n.leaf
			sum[k] = math.FMA(float64(d[k]*x.lost), delta, sum[k])
			twigSum[k] = math.FMA(float64(d[k]*g), twig.lost, twigSum[k])
			d[k] = math.FMA(g, delta, n.leaf)
		}
	}
	ways = ways[2*len(t.chains):]
	for i := range t.plain {
		n := &t.plain[i]
		x := &n.cases[ways[i]>>shift/16]
		d, sum := (*vector)(down[n.from/8:]), sumOf(n.feature)
		for k := range d {
			sum[k] = math.FMA(d[k], x.lost, sum[k])
			d[k] = math.FMA(-u[k], x.lost, x.value)
		}
	}
	ways = ways[len(t.plain):]
	for i := range t.twigs {
		n := &t.twigs[i]
		state := states[ways[i]/8:]
		d, g, y := (*vector)(down[n.from/8:]), (*vector)(state), (*vector)(state[next:])
		sum := sumOf(n.feature)
		for k := range d {
			sum[k] = math.FMA(float64((y[k]-n.share)*d[k]), n.delta, sum[k])
			d[k] = math.FMA(math.FMA(n.share, u[k], g[k]), n.delta, n.low)
		}
	}
	for i := range t.leaves {
		l := &t.leaves[i]
		*(*vector)(down[l.at/8:]) = vector{l.value, l.value, l.value, l.value}
	}
	ways = s.ways
	for i := len(t.nodes) - 1; i >= 0; i-- {
		n := &t.nodes[i]
		state := states[ways[i]/8:]
		d, g, y := (*vector)(down[n.from/8:]), (*vector)(state), (*vector)(state[next:])
		left, right := (*vector)(pairs[2*next*i:]), (*vector)(pairs[2*next*i+next:])
		sum := sumOf(n.feature)
		for k := range d {
			delta := right[k] - left[k]
			sum[k] = math.FMA(float64((y[k]-n.share)*d[k]), delta, sum[k])
			d[k] = math.FMA(delta, math.FMA(n.share, u[k], g[k]), left[k])
		}
	}
}

// addTails adds what the rule lacks where a path has one feature too many. Of
// the two leaves of a tail, the leading coefficients differ in sign, and are the
// same for all features. They go where no vector of four points is, since
// loading what was just stored in parts is slow.
func (s *explainScratch) addTails(t *explainTile) {
	ways := s.ways
	for i := range t.tails {
		x := &t.tails[i]
		lack := x.scale
		for k := range x.edges {
			e := &x.edges[k]
			hot := 0
			if ways[e.node] == e.hot {
				hot = 1
			}
			lack = float64(lack * (float64(hot) - e.share))
		}
		for k := range x.edges {
			s.sums[x.edges[k].feature][half] += lack
		}
	}
}
