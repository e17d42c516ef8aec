package decisions

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"github.com/tandem-ml/tandem/bundle"
)

// Replayed is a logged decision computed again.
type Replayed struct {
	Margin float64 `json:"margin"`
	Score  float64 `json:"score"`
	Equal  bool    `json:"equal"` // margin and score have the logged bits, and the decision is the logged one
}

// Replay computes a decision again from its logged inputs, with the bundle that
// made it. It returns an error if the inputs are not rows of the bundle.
func (d *Decision) Replay(b *bundle.Bundle) (Replayed, error) {
	row := make([]float64, b.Layout().Cols())
	if _, err := b.Layout().DecodeJSON(row, d.Inputs, false); err != nil {
		return Replayed{}, err
	}
	a := b.Answer(row)
	return Replayed{a.Margin, a.Score, sameBits(a.Margin, d.Margin) && sameBits(a.Score, d.Score) && a.Decision == d.Decision}, nil
}

func sameBits(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) }

// ReplayReport says how the decisions of a log came out when computed again.
type ReplayReport struct {
	Decisions int64 `json:"decisions"` // that were to be replayed
	Equal     int64 `json:"equal"`
	Erased    int64 `json:"erased"` // of the whole log; there is nothing to compute
	// Different are the ids of the first decisions that came out otherwise, or
	// could not be computed; Failed says how many there are.
	Different []string `json:"different,omitempty"`
	Failed    int64    `json:"failed"`
}

// mostDifferent bounds ReplayReport.Different.
const mostDifferent = 20

// ReplayAll computes the decisions of the log again that meet the conditions,
// on all processors. bundleOf returns a bundle by its id; it is called once for
// each. An error is one of the log, of a bundle that is not at hand, or ctx's.
func (l *Log) ReplayAll(ctx context.Context, bundleOf func(id string) (*bundle.Bundle, error), where []Condition) (ReplayReport, error) {
	const block = 1024
	type task struct {
		ds []Decision
		b  *bundle.Bundle
	}
	var report ReplayReport
	var mu sync.Mutex
	tasks := make(chan task, 4)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for t := range tasks {
				equal, different := int64(0), []string(nil)
				for i := range t.ds {
					if r, err := t.ds[i].Replay(t.b); err == nil && r.Equal {
						equal++
					} else {
						different = append(different, t.ds[i].ID)
					}
				}
				mu.Lock()
				report.Equal += equal
				report.Failed += int64(len(different))
				room := max(0, mostDifferent-len(report.Different))
				report.Different = append(report.Different, different[:min(room, len(different))]...)
				mu.Unlock()
			}
		})
	}
	bundles := make(map[string]*bundle.Bundle)
	var pending task
	var last string // the bundle of pending
	flush := func() {
		if len(pending.ds) > 0 {
			tasks <- pending
		}
		pending.ds = nil
	}
	decisions := int64(0)
	err := l.Select(ctx, where, func(e Entry) error {
		if e.Bundle != last || len(pending.ds) == block {
			flush()
		}
		if e.Bundle != last {
			b := bundles[e.Bundle]
			if b == nil {
				var err error
				if b, err = bundleOf(e.Bundle); err != nil {
					return fmt.Errorf("decision %s: its bundle is not at hand: %w", e.ID, err)
				}
				bundles[e.Bundle] = b
			}
			pending.b, last = b, e.Bundle
		}
		pending.ds = append(pending.ds, e.Decision)
		decisions++
		return nil
	})
	flush()
	close(tasks)
	workers.Wait()
	report.Decisions, report.Erased = decisions, l.Erased()
	return report, err
}

// Select calls f with the decisions that meet all conditions, in log order, each
// with its newest outcome if a condition asks for it or if there are none at all;
// erased ones are left out. It stops at the first error of f, which is in its own,
// or when ctx ends.
func (l *Log) Select(ctx context.Context, where []Condition, f func(Entry) error) error {
	outcomes := len(where) == 0
	for _, c := range where {
		outcomes = outcomes || c.field == "outcome"
	}
	_, err := l.Scan(ctx, Position{}, func(r Record) error {
		if r.Decision == nil {
			return nil
		}
		e := Entry{Decision: *r.Decision}
		if outcomes {
			o, err := l.newest(e.ID)
			if errors.Is(err, ErrErased) || errors.Is(err, ErrUnknown) { // in between
				return nil
			}
			if err != nil {
				return err
			}
			e.Outcome = o
		}
		for _, c := range where {
			if !c.meets(&e) {
				return nil
			}
		}
		return f(e)
	})
	return err
}
