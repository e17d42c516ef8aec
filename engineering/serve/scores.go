package serve

import (
	"math"
	"slices"
	"sync/atomic"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
)

// scores is the distribution of a version's scores. There are as many buckets
// as a bundle has from its beginning, at most 20.
type scores struct {
	bounds []float64 // upper ones, rising; above the last there is one bucket more
	counts []atomic.Uint64
	sum    atomic.Uint64 // the bits of a float64
}

func newScores(b *bundle.Bundle) *scores {
	s := &scores{}
	for k := 1; k < 20; k++ {
		q := float64(k) / 20
		if b.Manifest.Task == bundle.Regression {
			if b.Scores.Sketch == nil {
				break
			}
			q = b.Scores.Sketch.Quantile(q)
		}
		if !math.IsNaN(q) && !math.IsInf(q, 0) && (len(s.bounds) == 0 || q > s.bounds[len(s.bounds)-1]) {
			s.bounds = append(s.bounds, q)
		}
	}
	s.counts = make([]atomic.Uint64, len(s.bounds)+1)
	return s
}

func (s *scores) add(ds []decisions.Decision) {
	sum := 0.0
	for i := range ds {
		at, _ := slices.BinarySearch(s.bounds, ds[i].Score) // a bound is in the bucket below it
		s.counts[at].Add(1)
		sum += ds[i].Score
	}
	for {
		was := s.sum.Load()
		if s.sum.CompareAndSwap(was, math.Float64bits(math.Float64frombits(was)+sum)) {
			return
		}
	}
}

// cumulative returns the distribution as Prometheus counts.
func (s *scores) cumulative() (count uint64, sum float64, buckets map[float64]uint64) {
	buckets = make(map[float64]uint64, len(s.bounds))
	for i := range s.counts {
		count += s.counts[i].Load()
		if i < len(s.bounds) {
			buckets[s.bounds[i]] = count
		}
	}
	return count, math.Float64frombits(s.sum.Load()), buckets
}
