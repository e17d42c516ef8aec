package rollout

import (
	"math"
	"sync"
)

// Queue does work beside the answers, one piece after another, on one
// goroutine that lives as long as there is any. It never makes anybody wait:
// what there is no room for is not done.
type Queue struct {
	pieces, bytes int

	mu      sync.Mutex
	waiting []piece
	size    int // bytes of what waits
	working bool
	idle    sync.Cond
}

type piece struct {
	size int
	do   func()
}

// NewQueue returns a queue of at most so many pieces of work that hold at most
// so many bytes.
func NewQueue(pieces, bytes int) *Queue {
	q := &Queue{pieces: pieces, bytes: bytes}
	q.idle.L = &q.mu
	return q
}

// Room reports whether work that holds so many bytes would be taken now.
func (q *Queue) Room(size int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.room(size)
}

func (q *Queue) room(size int) bool {
	return len(q.waiting) < q.pieces && q.size+size <= q.bytes
}

// Offer takes work that holds so many bytes, and reports whether there was
// room. The work must not panic.
func (q *Queue) Offer(size int, do func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.room(size) {
		return false
	}
	q.waiting = append(q.waiting, piece{size, do})
	q.size += size
	if !q.working {
		q.working = true
		go q.work()
	}
	return true
}

func (q *Queue) work() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) > 0 {
		p := q.waiting[0]
		q.waiting[0] = piece{} // what is done is not held any longer
		q.waiting = q.waiting[1:]
		q.size -= p.size
		q.mu.Unlock()
		p.do()
		q.mu.Lock()
	}
	q.waiting = nil
	q.working = false
	q.idle.Broadcast()
}

// Wait waits until nothing is left to do.
func (q *Queue) Wait() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.working {
		q.idle.Wait()
	}
}

// Comparison is how a shadow compares with what was answered.
type Comparison struct {
	Rows     int64 `json:"rows"`     // scored
	Agreed   int64 `json:"agreed"`   // of them, with the decision that was answered; 0 for a regression
	Differed int64 `json:"differed"` // with another one; 0 for a regression
	Failed   int64 `json:"failed"`   // rows that the shadow could not score, or whose scores could not be logged
	Dropped  int64 `json:"dropped"`  // rows that it had no time for

	// Difference is the sum over the scored rows of the distance between the
	// two scores.
	Difference float64 `json:"-"`
}

// Agreement is the share of decisions that agree; false if there is none.
func (c Comparison) Agreement() (float64, bool) {
	n := c.Agreed + c.Differed
	return float64(c.Agreed) / float64(max(1, n)), n > 0
}

// MeanDifference is the mean distance between the scores; false without rows.
func (c Comparison) MeanDifference() (float64, bool) {
	return c.Difference / float64(max(1, c.Rows)), c.Rows > 0
}

// Tally counts a comparison. It is safe for concurrent use.
type Tally struct {
	mu sync.Mutex
	c  Comparison
}

// Scored counts a row by its two scores and decisions, "" for a regression.
func (t *Tally) Scored(answered, shadow float64, decided, would string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.c.Rows++
	t.c.Difference += math.Abs(answered - shadow)
	switch {
	case decided == "" && would == "":
	case decided == would:
		t.c.Agreed++
	default:
		t.c.Differed++
	}
}

// Failed counts rows that were not scored.
func (t *Tally) Failed(rows int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.c.Failed += int64(rows)
}

// Dropped counts rows that there was no room for.
func (t *Tally) Dropped(rows int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.c.Dropped += int64(rows)
}

// Comparison returns what was counted.
func (t *Tally) Comparison() Comparison {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.c
}

func sameBits(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) }
