package tune

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
)

// Config is the input of a search. Nothing in it is modified.
type Config struct {
	Contract *data.Contract
	Rows     bundle.Rows // encoded in the contract's layout
	Y        []float64   // one label per row of Rows; 0 or 1 for binary tasks
	Train    []int       // the rows that may be looked at
	Folds    [][]int     // the held-out rows of each fold; together they are Train, each row once
	Task     bundle.Task
	Metric   string // "auc" (binary, the default), "log_loss" (binary), "rmse" (regression, the default); "" and "auto" are the default

	// Budget is the wall time the search may take; 0 is no limit. Beyond
	// 25,000 cells of the training table per second of budget, but never below
	// 10,000 rows, the choice is made on a random sample of the rows.
	Budget time.Duration
	// Spent is the part of the budget that the search may not have: gone
	// before it, or kept for what follows it. The sample does not depend on it,
	// so a complete search does not either.
	Spent time.Duration
	Seed  uint64
	// Workers is how many fits, or threads of a fit, run at a time; 0 is
	// GOMAXPROCS. The result does not depend on it, if the search is complete.
	Workers int
	// Interpretable leaves out trees and blends.
	Interpretable bool
	// NoTargetStatistics leaves all categories to trees as codes; see
	// [prepare.FitTarget].
	NoTargetStatistics bool
	// Now is the clock; it may be nil if there is no budget, and all durations
	// are then 0.
	Now func() time.Time
	// Progress, if not nil, is called before each candidate and before the
	// final fit, from the goroutine that called Search.
	Progress func(Event)
}

// Event says what the search is doing.
type Event struct {
	Candidate   string // what is fitted now
	Done, Total int    // candidates behind it, and all
	Final       bool   // Candidate was chosen and is fitted on all training rows
	Best        string // the best candidate so far; "" before the first
	Metric      string
	Value       float64 // Best's metric
}

// String returns one line: "gbdt/shallow (3 of 9), best so far logistic with
// auc 0.8380".
func (e Event) String() string {
	if e.Final {
		return "final fit of " + e.Candidate
	}
	s := fmt.Sprintf("%s (%d of %d)", e.Candidate, e.Done+1, e.Total)
	if e.Best != "" {
		s += fmt.Sprintf(", best so far %s with %s %.4g", e.Best, e.Metric, e.Value)
	}
	return s
}

// Result is the outcome of a search.
type Result struct {
	Leaderboard []Row // best first; the baseline is among them
	Chosen      int   // index into Leaderboard
	// Members are the chosen model, fitted on all training rows, with their
	// plans; the weights add up to 1.
	Members  []bundle.Member
	Metric   string // "auc", "log_loss" or "rmse"
	Complete bool   // false: the budget cut the search
	Failed   []Failure
}

// Row is one candidate's result.
type Row struct {
	bundle.LeaderboardRow
	Seconds float64 // wall time of all folds
	Rows    int     // rows the results rest on: fewer than the training rows if sampled
	// OOF[i] is the out-of-fold margin of row Train[i], NaN if it is not in the
	// sample.
	OOF []float64
	// Note says what a reader should know, such as a fit that was cut; or "".
	Note string
}

// Failure is a candidate that could not be fitted.
type Failure struct {
	Candidate string
	Err       error
}

// Search tries the portfolio and fits the winner.
//
// Errors: what is wrong with the configuration, all of it at once; training
// labels that are all equal; ctx's error. A candidate that fails is left out
// and listed in Failed; the baseline never fails.
func Search(ctx context.Context, c Config) (*Result, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("tune: %w", err)
	}
	s := newSearch(c)
	for i, candidate := range s.portfolio {
		s.event(Event{Candidate: candidate.Name, Done: i, Total: len(s.portfolio)})
		if err := s.try(ctx, i, candidate); err != nil {
			return nil, fmt.Errorf("tune: %w", err)
		}
	}
	result, err := s.finish(ctx)
	if err != nil {
		return nil, fmt.Errorf("tune: %w", err)
	}
	return result, nil
}

// search is the state of one search.
type search struct {
	Config
	watch     watch
	measure   measure
	portfolio []Candidate
	sample    []int   // positions in Train that the choice is made on, ascending
	folds     [][]int // positions in sample of the held-out rows
	plans     map[planKey]*planned

	done     []*outcome // in portfolio order
	failed   []Failure
	complete bool
}

func newSearch(c Config) *search {
	s := &search{
		Config: c, watch: newWatch(c.Now, c.Budget, c.Spent), measure: measureOf(c.Task, c.Metric),
		portfolio: Portfolio(c.Task, len(c.Train), c.Interpretable),
		plans:     make(map[planKey]*planned), complete: true,
	}
	s.sample, s.folds = c.choose()
	return s
}

func (s *search) event(e Event) {
	if s.Progress == nil {
		return
	}
	if best := s.best(); best != nil {
		e.Best, e.Metric, e.Value = best.Name, s.measure.name, best.value
	}
	s.Progress(e)
}

// best returns the best outcome so far, the earliest of equals; nil if none.
func (s *search) best() *outcome {
	var best *outcome
	for _, o := range s.done {
		if best == nil || s.measure.better(o.value, best.value) {
			best = o
		}
	}
	return best
}

// try runs one candidate, unless it does not fit in the budget. The error is
// ctx's.
func (s *search) try(ctx context.Context, i int, c Candidate) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// The baseline takes no time, and the first candidate after it all there
	// is: there is nothing better to keep time for.
	var reserve time.Duration
	if i > 1 {
		reserve = s.reserve()
		if s.watch.left() < s.forecast(c)+reserve {
			s.complete = false
			return nil
		}
	}
	limited, cancel := s.watch.limit(ctx, reserve, i == 0)
	defer cancel()
	o, err := s.run(limited, c)
	switch {
	case err == nil:
		s.done = append(s.done, o)
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		s.complete = false
	default:
		s.failed = append(s.failed, Failure{Candidate: c.Name, Err: err})
	}
	return nil
}
