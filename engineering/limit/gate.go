package limit

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// ErrFull says that as much is done and waits as may.
var ErrFull = errors.New("too much is waiting already")

// Gate lets a bounded number in at once, and a bounded number wait for it in
// the order in which they came. Its methods are safe for concurrent use.
type Gate struct {
	places  *semaphore.Weighted
	most    int64 // that wait
	waiting atomic.Int64
	lately  atomic.Int64 // nanoseconds that those who waited have waited, of late
}

// NewGate returns a gate that lets running in, at least one, while waiting more
// wait.
func NewGate(running, waiting int) *Gate {
	return &Gate{places: semaphore.NewWeighted(int64(max(1, running))), most: int64(max(0, waiting))}
}

// Enter returns when there is a place, and how long that took: 0 if there was
// one. Who has entered must call [Gate.Leave].
//
// Errors: [ErrFull] at once, if too many wait; that of ctx if it ends first,
// also where there is a place.
func (g *Gate) Enter(ctx context.Context) (waited time.Duration, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if g.places.TryAcquire(1) { // refused while anybody waits, so that nobody is overtaken
		return 0, nil
	}
	if g.waiting.Add(1) > g.most {
		g.waiting.Add(-1)
		return 0, ErrFull
	}
	defer g.waiting.Add(-1)
	start := time.Now()
	err = g.places.Acquire(ctx, 1)
	waited = time.Since(start)
	was := g.lately.Load()
	g.lately.CompareAndSwap(was, was+(int64(waited)-was)/8) // one of two at once will do
	return waited, err
}

// Leave gives the place back.
func (g *Gate) Leave() { g.places.Release(1) }

// Waiting returns how many wait now.
func (g *Gate) Waiting() int { return int(g.waiting.Load()) }

// RetryAfter estimates how long a full queue takes to become free: as long as
// those who waited have waited of late; from 1 s to 1 minute, in whole seconds.
func (g *Gate) RetryAfter() time.Duration {
	return wholeSeconds(time.Duration(g.lately.Load()), time.Minute)
}

// wholeSeconds rounds up to a second from 1 to most.
func wholeSeconds(d, most time.Duration) time.Duration {
	return min(max((d+time.Second-1).Truncate(time.Second), time.Second), most)
}

// Budget bounds how much is held at once, such as bytes. Its methods are safe
// for concurrent use; the zero value holds nothing.
type Budget struct {
	most int64
	held atomic.Int64
}

// NewBudget returns a budget of most.
func NewBudget(most int64) *Budget { return &Budget{most: most} }

// Take reports whether n more may be held; if so, they are.
func (b *Budget) Take(n int64) bool {
	if b.held.Add(n) > b.most {
		b.held.Add(-n)
		return false
	}
	return true
}

// Give takes n back.
func (b *Budget) Give(n int64) { b.held.Add(-n) }

// Held returns how much is held now.
func (b *Budget) Held() int64 { return b.held.Load() }
