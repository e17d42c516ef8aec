package workflow

import (
	"context"
	"time"

	"github.com/tandem-ml/tandem/engineering/decisions"
)

// tendEvery is how often a running server looks whether something of the log has
// grown old, or is to be rolled into Parquet.
const tendEvery = 10 * time.Minute

// eraseEvery is how often it looks whether an erasure was asked for.
const eraseEvery = 300 * time.Millisecond

// tendLog does what tandem.yaml says of the log until ctx ends, and what is asked
// for of it by others.
func (s *service) tendLog(ctx context.Context) {
	s.every(ctx, tendEvery, "decisions", func() error { return s.tend(ctx) })
}

// tend lets go what is old, and then brings the Parquet files up to the log.
func (s *service) tend(ctx context.Context) error {
	want := s.project.Decisions
	if want.Keep > 0 || want.KeepInputs > 0 {
		before, err := s.unread()
		if err != nil {
			return err
		}
		done, err := s.log.Retain(ctx, decisions.Retention{Records: want.Keep, Content: want.KeepInputs, Before: func() decisions.Position { return before }})
		if done != (decisions.Retained{}) {
			s.talk.Line("%s  decisions: %d segments were removed, of %d the content was erased", clock(), done.Removed, done.Erased)
		}
		if err != nil {
			return err
		}
		if done != (decisions.Retained{}) {
			if err := s.registry.Audit(ctx, s.project.Name, "retention", map[string]any{"segments_removed": done.Removed,
				"segments_erased": done.Erased, "keep": want.Keep.String(), "keep_inputs": want.KeepInputs.String()}); err != nil {
				return err
			}
		}
	}
	s.erasing.Lock() // one at a time writes the files
	defer s.erasing.Unlock()
	return rollInto(ctx, s.log, s.project, want.Parquet)
}

// unread returns the first position of the log that the watch, or a topic it is
// sent to, still has to read. A topic counts also while nobody sends to it: what
// it lacks would be lost to it.
func (s *service) unread() (decisions.Position, error) {
	first := s.watch.read()
	p, ok, err := Unsent(s.project.Dir)
	if ok && (p.Segment < first.Segment || p.Segment == first.Segment && p.Offset < first.Offset) {
		first = p
	}
	return first, err
}
