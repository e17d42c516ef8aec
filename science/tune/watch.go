package tune

import (
	"context"
	"math"
	"time"

	"github.com/tandem-ml/tandem/science/learn"
)

// watch knows how much of the budget is left.
type watch struct {
	clock  func() time.Time
	start  time.Time
	budget time.Duration // 0: no limit
}

func newWatch(clock func() time.Time, budget, spent time.Duration) watch {
	if clock == nil {
		clock = func() time.Time { return time.Time{} }
	}
	return watch{clock: clock, start: clock().Add(-spent), budget: budget}
}

func (w watch) now() time.Time { return w.clock() }

const forever = time.Duration(math.MaxInt64) / 4

// left returns what is left of the budget; it can be negative.
func (w watch) left() time.Duration {
	if w.budget == 0 {
		return forever
	}
	return w.budget - w.now().Sub(w.start)
}

// limit returns a context that ends when only the reserve is left.
func (w watch) limit(ctx context.Context, reserve time.Duration, unlimited bool) (context.Context, context.CancelFunc) {
	if w.budget == 0 || unlimited {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, w.left()-reserve)
}

// refitTime returns how long the fit of an outcome on all training rows will
// take, from its slowest fold. A fold's fit may have had fewer workers; they
// help once there are enough rows for each.
func (s *search) refitTime(o *outcome) time.Duration {
	if o == nil {
		return 0
	}
	ratio := float64(len(s.Train)) / float64(s.foldRows())
	if len(s.Train) > 20_000 {
		ratio /= math.Pow(float64(s.workers())/float64(s.foldWorkers()), 0.7)
	}
	return time.Duration(ratio * float64(o.slowest))
}

// foldRows returns how many rows the models of the first fold are fitted to.
func (s *search) foldRows() int { return max(1, len(s.sample)-len(s.folds[0])) }

// reserve returns the time to keep for the final fit: what the best candidate
// so far needs and a fifth more, but not more than a third of the budget.
func (s *search) reserve() time.Duration {
	return min(s.refitTime(s.best())*6/5, s.watch.budget/3)
}

// forecast returns how long a candidate will take in all folds, by comparison
// with the last outcome of the same learner; zero if there is none.
func (s *search) forecast(c Candidate) time.Duration {
	if s.watch.budget == 0 {
		return 0
	}
	for i := len(s.done) - 1; i >= 0; i-- {
		if o := s.done[i]; o.Learner.Name() == c.Learner.Name() {
			return time.Duration(s.work(c) / s.work(o.Candidate) * o.seconds * 1e9)
		}
	}
	return 0
}

// work is proportional to the time a fit takes, for candidates of one learner.
// A linear fit is dominated by the products of all pairs of features, boosting
// by the number of trees, which grows as the steps get smaller, and by their
// depth.
func (s *search) work(c Candidate) float64 {
	if c.Learner.Input() == learn.Dense {
		p := float64(len(s.plan(c, 0).plan) + 4)
		return p * p
	}
	get := func(name string, otherwise float64) float64 {
		switch v := c.Params[name].(type) {
		case float64:
			return v
		case int:
			return float64(v)
		}
		return otherwise
	}
	return math.Log2(get("leaves", 31)) * (0.3 + get("feature_fraction", 1)) / get("learning_rate", 0.1)
}
