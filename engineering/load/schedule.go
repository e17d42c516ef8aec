package load

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/tandem-ml/tandem/data/seed"
)

// schedule says when requests are due, from the start of the run. It is safe
// for concurrent use.
type schedule struct {
	mu     sync.Mutex
	number int64
	every  float64    // seconds between two requests, on average
	rng    *rand.Rand // nil: at equal distances
	at     float64    // seconds, of the last Poisson arrival
}

// newSchedule has rate requests a second: at equal distances, or with the
// exponential gaps of people who do not know of each other (a Poisson process).
func newSchedule(rate float64, poisson bool, root uint64) *schedule {
	s := &schedule{every: 1 / rate}
	if poisson {
		s.rng = seed.Stream(root, "arrivals", 0)
	}
	return s
}

// next returns the number of the next request and when it is due.
func (s *schedule) next() (int64, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.number
	s.number++
	if s.rng == nil {
		return k, time.Duration(float64(k) * s.every * float64(time.Second))
	}
	s.at += s.rng.ExpFloat64() * s.every
	return k, time.Duration(s.at * float64(time.Second))
}
