package gbdt

import (
	"cmp"
	"math"
	"slices"

	"github.com/tandem-ml/tandem/bundle/tree"
)

// A bin is one byte. Numeric features use bins 0..254 at most, categories
// 0..253; the two last bytes have fixed meanings.
const (
	maxBins    = 255 // numeric bins at most, missing not counted
	otherBin   = 254 // of a categorical feature: too rare for a bin of its own, or unseen; always goes right
	missingBin = 255
)

// bins maps the values of one feature to bins.
type bins struct {
	count      int  // bins 0..count-1 hold values; otherBin and missingBin come on top
	hasMissing bool // in training
	hasOther   bool // in training
	edges      []float64
	lookup     *lookup // of a numeric feature: where the edges are; nil: a few only
	category   []int   // of a categorical feature: the category of each bin; nil: numeric
	binOf      []uint8 // the reverse
}

// categorical tells codes from numbers.
func (b *bins) categorical() bool { return b.category != nil }

// useful reports whether the training rows fall into at least two bins.
func (b *bins) useful() bool {
	n := b.count
	if b.hasMissing {
		n++
	}
	if b.hasOther {
		n++
	}
	return n > 1
}

// bin returns the bin of a value. For numbers it is the first bin whose edge
// is not below x, so that x <= edges[k] exactly if bin(x) <= k.
func (b *bins) bin(x float64) uint8 {
	if x != x {
		return missingBin
	}
	if b.categorical() {
		if x >= 0 && x < float64(len(b.binOf)) {
			return b.binOf[int(x)]
		}
		return otherBin
	}
	if b.lookup != nil {
		return b.lookup.bin(x)
	}
	bin := uint8(0)
	for _, e := range b.edges {
		if x > e {
			bin++
		}
	}
	return bin
}

// fewEdges is up to how many edges all are compared: a lookup takes 20 kB,
// which thousands of indicators should not.
const fewEdges = 3

// numericBins cuts the values into at most limit bins: each distinct value its
// own bin if that fits, else bins of about equal weight, except that a value
// as heavy as a bin gets a bin of its own. values may hold NaN; weights is nil
// or as long as values.
func numericBins(s *sorter, values, weights []float64, limit int) bins {
	distinct, mass, missing := s.tally(values, weights)
	b := bins{count: min(len(distinct), 1), hasMissing: missing}
	if len(distinct) <= limit {
		for i := 1; i < len(distinct); i++ {
			b.edges = append(b.edges, between(distinct[i-1], distinct[i]))
		}
	} else {
		for _, i := range atSign(cuts(mass, limit), distinct, mass) {
			b.edges = append(b.edges, between(distinct[i], distinct[i+1]))
		}
	}
	b.count += len(b.edges)
	if len(b.edges) > fewEdges {
		b.lookup = newLookup(b.edges)
	}
	return b
}

// tally returns the distinct values in rising order with the weight of each,
// and whether any was missing. Negative zero counts as zero. The slices are
// valid until the next call. Zeros are not sorted: there may be little else.
func (s *sorter) tally(values, weights []float64) (distinct, mass []float64, missing bool) {
	s.keys, s.weights = s.keys[:0], s.weights[:0]
	zeros := 0.0
	for i, x := range values {
		if x != x {
			missing = true
			continue
		}
		if x == 0 {
			zeros += weight(weights, i)
			continue
		}
		s.keys = append(s.keys, keyOf(x))
		if weights != nil {
			s.weights = append(s.weights, weights[i])
		}
	}
	s.sort()
	s.distinct, s.mass = s.distinct[:0], s.mass[:0]
	for i, k := range s.keys {
		w := 1.0
		if weights != nil {
			w = s.weights[i]
		}
		if i > 0 && k == s.keys[i-1] {
			s.mass[len(s.mass)-1] += w
			continue
		}
		s.distinct, s.mass = append(s.distinct, valueOf(k)), append(s.mass, w)
	}
	if zeros > 0 {
		at, _ := slices.BinarySearch(s.distinct, 0)
		s.distinct, s.mass = slices.Insert(s.distinct, at, 0), slices.Insert(s.mass, at, zeros)
	}
	return s.distinct, s.mass, missing
}

// cuts returns the positions i after which a bin ends, at most limit-1 of
// them. Light values share what the heavy ones leave: the target weight of a
// bin is what remains over the bins that remain.
func cuts(mass []float64, limit int) []int {
	total := 0.0
	for _, m := range mass {
		total += m
	}
	heavy := make([]bool, len(mass))
	light, lightBins := total, limit
	for i, m := range mass {
		if m*float64(limit) >= total {
			heavy[i] = true
			light -= m
			lightBins--
		}
	}
	target := light / float64(max(lightBins, 1))
	var ends []int
	bin := 0.0
	for i := 0; i < len(mass)-1 && len(ends) < limit-1; i++ {
		bin += mass[i]
		if !heavy[i] {
			light -= mass[i]
		}
		// Before a heavy value a half-full bin is closed, so that the heavy
		// one stays alone without spending a bin on a few rows.
		if !heavy[i] && bin < target && !(heavy[i+1] && bin >= target/2) {
			continue
		}
		ends = append(ends, i)
		bin = 0
		if !heavy[i] {
			lightBins--
			target = light / float64(max(lightBins, 1))
		}
	}
	return ends
}

// atSign moves the end that is nearest to the last negative value, by weight,
// to it, if no bin ends there. ends is changed in place.
func atSign(ends []int, distinct, mass []float64) []int {
	last := slices.IndexFunc(distinct, func(x float64) bool { return x >= 0 }) - 1
	if last < 0 { // all or none are negative
		return ends
	}
	next, found := slices.BinarySearch(ends, last)
	if found || len(ends) == 0 {
		return ends
	}
	between := func(a, b int) float64 {
		sum := 0.0
		for _, m := range mass[a+1 : b+1] {
			sum += m
		}
		return sum
	}
	nearest := next
	if next == len(ends) || next > 0 && between(ends[next-1], last) <= between(last, ends[next]) {
		nearest = next - 1
	}
	ends[nearest] = last
	return ends
}

// between returns an edge e with a <= e < b, half way where that is possible,
// and finite unless a is -Inf and b the lowest number.
func between(a, b float64) float64 {
	switch {
	case math.IsInf(a, -1) && math.IsInf(b, 1):
		return 0
	case math.IsInf(a, -1):
		if b > -math.MaxFloat64 {
			return -math.MaxFloat64
		}
		return a
	case math.IsInf(b, 1):
		return math.MaxFloat64
	}
	e := float64(a/2) + float64(b/2) // a+b could overflow
	if e < a || e >= b {
		return a // neighbours, or so small that halving lost bits
	}
	return e
}

// maxCategories is how many codes a forest's category sets can tell apart;
// codes from there on share otherBin.
const maxCategories = tree.MaxSetWords * 64

// categoryBins gives the heaviest categories a bin each, in the order of their
// codes; what does not fit shares otherBin. codes may hold NaN and hold no
// negative or broken numbers.
func categoryBins(codes, weights []float64, categories int) bins {
	b := bins{category: []int{}, binOf: make([]uint8, min(categories, maxCategories))}
	mass := make([]float64, len(b.binOf))
	for i, x := range codes {
		switch w := 1.0; {
		case x != x:
			b.hasMissing = true
		case x >= float64(len(mass)):
			b.hasOther = true
		default:
			if weights != nil {
				w = weights[i]
			}
			mass[int(x)] += w
		}
	}
	var seen []int
	for c, m := range mass {
		b.binOf[c] = otherBin
		if m > 0 {
			seen = append(seen, c)
		}
	}
	if len(seen) > otherBin {
		b.hasOther = true
		slices.SortStableFunc(seen, func(a, c int) int { return cmp.Compare(mass[c], mass[a]) })
		seen = seen[:otherBin]
		slices.Sort(seen)
	}
	for k, c := range seen {
		b.binOf[c] = uint8(k)
	}
	b.category = append(b.category, seen...)
	b.count = len(seen)
	return b
}
