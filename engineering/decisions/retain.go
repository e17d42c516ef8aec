package decisions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Retention says how long a log keeps what it holds. Ages count from the time
// of a decision; zero is for ever.
type Retention struct {
	// Content is the age from which inputs, scores, reasons and outcomes are
	// erased, as [Log.Erase] does. Ids, times and the chain stay.
	Content time.Duration

	// Records is the age from which the records themselves are removed.
	Records time.Duration

	// Before, if it is not nil, returns the position of the first record that
	// somebody still has to read, such as what copies the log to elsewhere. Its
	// segment and those after it are left alone.
	Before func() Position
}

// Retained says what [Log.Retain] did, in segments.
type Retained struct {
	Erased  int `json:"erased"`  // whose content was erased
	Removed int `json:"removed"` // that were removed
}

// ageShare is the part of the shorter age that one segment may span. It bounds
// how much later than its age something goes.
const ageShare = 24

// Retain erases and removes what is older than it is kept. It does so by whole
// segments, of which every decision is old enough and which nobody has to read
// any more, from the oldest on and never the one that is being written. A segment
// that has been written for more than a twenty-fourth of the shorter age is
// closed, so that in a log of few decisions something ever gets old.
//
// What was done the chain says, before it is done: where the content begins that
// is kept, and with which record and link what was removed ended. So [Verify]
// checks what is left to the last byte, and a segment that somebody else removed
// is found missing. If the process ends half-way, the rest is done when the log
// is opened next.
//
// A decision is removed together with all records before it; of outcomes that
// came later the values stay until their own segment's time has come.
func (l *Log) Retain(ctx context.Context, r Retention) (done Retained, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("retention of the decision log: %w", err)
		}
	}()
	switch {
	case l.lock == nil:
		return done, ErrReadOnly
	case r.Content < 0 || r.Records < 0:
		return done, errors.New("an age is negative")
	}
	bound := ^uint32(0)
	if r.Before != nil {
		bound = r.Before().Segment // which only grows: what was true a moment ago is on the safe side
	}
	l.changes.Lock()
	defer l.changes.Unlock()
	if err := l.Flush(ctx); err != nil {
		return done, err
	}
	now := l.opt.Now()
	if err := l.closeOld(ctx, now, r); err != nil {
		return done, err
	}
	l.mu.RLock()
	content := l.olderThan(now, r.Content, bound)
	records := l.olderThan(now, r.Records, bound)
	before := l.first
	l.mu.RUnlock()

	if records.segment > before {
		if err := l.declare(ctx, kindRemoval, now, records); err != nil {
			return done, err
		}
		if err := l.remove(records.segment); err != nil {
			return done, err
		}
		done.Removed = int(records.segment - before)
		before = records.segment
	}
	if from := max(l.emptied, before); content.segment > from {
		if err := l.declare(ctx, kindExpiry, now, content); err != nil {
			return done, err
		}
		for number := from; number < content.segment; number++ {
			if err := l.empty(number); err != nil {
				return done, err
			}
			l.emptied = number + 1
			done.Erased++
		}
	}
	return done, nil
}

// closeOld makes the next record begin a new segment if the one that is being
// written holds decisions of too long a time.
func (l *Log) closeOld(ctx context.Context, now time.Time, r Retention) error {
	age := r.Records
	if age == 0 || r.Content > 0 && r.Content < age {
		age = r.Content
	}
	limit := now.Add(-age / ageShare).UnixMicro()
	l.mu.RLock()
	s := l.index.spans[l.at.seg]
	old := s != nil && s.oldest <= limit
	l.mu.RUnlock()
	if age == 0 || !old {
		return nil
	}
	return l.submitRequest(ctx, &request{rotate: true, done: make(chan error, 1)}, true)
}

// olderThan returns the boundary behind the segments of which all decisions are
// older than the age; zero if there are none. The caller holds mu.
func (l *Log) olderThan(now time.Time, age time.Duration, bound uint32) boundary {
	if age == 0 {
		return boundary{}
	}
	limit := now.Add(-age).UnixMicro()
	number := l.first
	for number < min(l.at.seg, bound) {
		if s := l.index.spans[number]; s != nil && s.newest > limit {
			break
		}
		number++
	}
	if number == l.first {
		return boundary{}
	}
	return boundary{number, l.heads[number]}
}

// declare writes into the chain what is going to be done, and makes that durable.
func (l *Log) declare(ctx context.Context, k kind, now time.Time, at boundary) error {
	buf := appendBoundary(make([]byte, saltLen, recMin+64), at)
	if err := l.submit(ctx, []draft{newDraft(k, id{}, now.UnixMicro(), buf)}, true); err != nil {
		return err
	}
	l.mu.RLock()
	last := l.at.seg
	l.mu.RUnlock()
	return l.syncTo(last)
}

// remove removes the segments before one. The index forgets them first. The
// caller holds changes, or is alone.
func (l *Log) remove(before uint32) error {
	// The new index is built beside the old one: answers do not wait. Meanwhile
	// only decisions can be added, since changes is held.
	l.mu.RLock()
	old := l.index
	entries, outcomes, projects := old.entries, old.outcomes, old.projects
	l.mu.RUnlock()
	fresh := old.since(before, entries, outcomes, projects)

	l.mu.Lock()
	for _, e := range old.entries[len(entries):] {
		fresh.take(e, old.outcomes, old.projects)
	}
	first := l.first
	l.index, l.first = fresh, before
	l.forget(old)
	l.mu.Unlock()

	for number := min(first, before); number < before; number++ { // the oldest first: no hole, whenever it ends
		if err := os.Remove(segmentPath(l.dir, number)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return syncDir(l.dir)
}

// forget takes from an old index what the new one still lacks: what is known of
// whole segments, but for those that are removed. The caller holds mu.
func (l *Log) forget(old *index) {
	l.index.newest = old.newest
	for number, s := range old.spans {
		if number >= l.first {
			l.index.spans[number] = s
		}
	}
	for number := range l.heads {
		if number < l.first {
			delete(l.heads, number)
		}
	}
}

// empty erases the content of all decisions and outcomes of a segment. That is
// in the chain already.
func (l *Log) empty(number uint32) error {
	l.mu.Lock()
	l.index.expire(number + 1)
	l.mu.Unlock()
	s, in, err := openSegment(segmentPath(l.dir, number), 0, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(segmentPath(l.dir, number), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer out.Close()
	var rec record
	for {
		err := s.next(&rec)
		if err == io.EOF {
			return l.fsync(out)
		}
		if err != nil {
			return fmt.Errorf("%s: byte %d: %w", segmentPath(l.dir, number), s.off, err)
		}
		if rec.kind != kindDecision && rec.kind != kindOutcome || rec.erased() {
			continue
		}
		clear(rec.body)
		if _, err := out.WriteAt(rec.body, rec.at+recHead); err != nil {
			return err
		}
	}
}

// finishRetention does what the chain says was going to be done when the
// process ended.
func (l *Log) finishRetention(end ending) error {
	l.emptied = end.expiry.segment
	lowest, _, err := segments(l.dir)
	if err != nil {
		return err
	}
	todo := lowest < end.removal.segment
	for number := range end.expired {
		todo = todo || number < end.expiry.segment
	}
	if !todo {
		return nil
	}
	if err := l.syncTo(l.at.seg); err != nil {
		return err
	}
	if lowest < end.removal.segment {
		l.first = lowest
		if err := l.remove(end.removal.segment); err != nil {
			return err
		}
	}
	for number := range end.expired {
		if number >= l.first && number < end.expiry.segment {
			if err := l.empty(number); err != nil {
				return err
			}
		}
	}
	return nil
}

// removed reports whether a segment was removed, as far as this log or, of a
// reader, its folder can tell.
func (l *Log) removed(number uint32) bool {
	l.mu.RLock()
	first := l.first
	l.mu.RUnlock()
	if l.lock == nil {
		if lowest, _, err := segments(l.dir); err == nil {
			first = max(first, lowest)
		}
	}
	return number < first
}
