package decisions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"
)

// Get returns a decision and its newest outcome, nil if none is known. The
// error is ErrUnknown, ErrErased, or says what is damaged.
func (l *Log) Get(decision string) (Decision, *Outcome, error) {
	u, err := parseID(decision)
	if err != nil {
		return Decision{}, nil, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	e, err := l.find(u)
	if err != nil {
		return Decision{}, nil, fmt.Errorf("decision %s: %w", decision, err)
	}
	entry, err := l.read(e)
	if err != nil {
		return Decision{}, nil, fmt.Errorf("decision %s: %w", decision, err)
	}
	return entry.Decision, entry.Outcome, nil
}

// ByKey returns the decisions about the thing of that key, newest first; erased
// ones are left out. None is no error. An empty key is never found.
func (l *Log) ByKey(project, key string) ([]Entry, error) {
	l.mu.RLock()
	var found []located
	for _, n := range l.index.withKey(project, key) {
		found = append(found, l.index.at(n))
	}
	l.mu.RUnlock()
	return l.readAll(found, func(e *Entry) bool { return e.Project == project && e.Key == key })
}

// Recent returns the newest n decisions of a project, newest first; erased ones
// are left out.
func (l *Log) Recent(project string, n int) ([]Entry, error) {
	l.mu.RLock()
	var found []located
	if p := l.index.project[project]; p != 0 {
		for i := len(l.index.entries) - 1; i >= 0 && len(found) < n; i-- {
			if l.index.entries[i].project == p {
				found = append(found, l.index.at(uint32(i)))
			}
		}
	}
	l.mu.RUnlock()
	return l.readAll(found, nil)
}

// Settled returns the decisions of a project that have an outcome, oldest in
// the log first; erased ones are left out. It holds them all in memory.
func (l *Log) Settled(project string) ([]Entry, error) {
	l.mu.RLock()
	var found []located
	if p := l.index.project[project]; p != 0 {
		for i := range l.index.entries {
			if e := &l.index.entries[i]; e.project == p && e.outcome != 0 {
				found = append(found, l.index.at(uint32(i)))
			}
		}
	}
	l.mu.RUnlock()
	return l.readAll(found, nil)
}

// Counts returns how many decisions of a project the log holds, zeros if none.
func (l *Log) Counts(project string) Counts {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if p := l.index.project[project]; p != 0 {
		return l.index.counts[p-1]
	}
	return Counts{}
}

// Erased returns how many decisions of the whole log are erased: what is erased
// includes the project it belonged to.
func (l *Log) Erased() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.index.erased
}

// Projects returns the names of the projects that have decisions, sorted.
func (l *Log) Projects() []string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var out []string
	for i, name := range l.index.projects {
		if l.index.counts[i].Decisions > 0 {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// find returns the entry of a decision that is there and not erased. It reads
// the record's head, since the index knows only a hash of the id.
func (l *Log) find(u id) (located, error) {
	l.mu.RLock()
	var found []located
	for _, n := range l.index.withID(u) {
		found = append(found, l.index.at(n))
	}
	l.mu.RUnlock()
	for _, e := range found {
		rec, err := l.record(e.place)
		if errors.Is(err, ErrUnknown) {
			continue
		}
		if err != nil {
			return located{}, err
		}
		if rec.id != u {
			continue
		}
		if e.project == 0 {
			return located{}, ErrErased
		}
		return e, nil
	}
	return located{}, ErrUnknown
}

func (l *Log) readAll(found []located, want func(*Entry) bool) ([]Entry, error) {
	var out []Entry
	for _, e := range found {
		got, err := l.read(e)
		if errors.Is(err, ErrErased) || errors.Is(err, ErrUnknown) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if want == nil || want(&got) {
			out = append(out, got)
		}
	}
	return out, nil
}

// read reads the decision of an entry and its newest outcome.
func (l *Log) read(e located) (Entry, error) {
	rec, err := l.readBody(e.place)
	if err != nil {
		return Entry{}, err
	}
	var out Entry
	if out.Decision, err = rec.decision(); err != nil {
		return Entry{}, l.unreadable(e.place, err)
	}
	out.Outcome, err = l.outcome(e)
	return out, err
}

// outcome reads the newest outcome of an entry, nil if it has none.
func (l *Log) outcome(e located) (*Outcome, error) {
	if e.outcome == 0 {
		return nil, nil
	}
	p := e.newest
	rec, err := l.readBody(p)
	if err != nil {
		return nil, err
	}
	o, err := rec.outcome()
	if err != nil {
		return nil, l.unreadable(p, err)
	}
	return &o, nil
}

func (l *Log) unreadable(p place, err error) error {
	return &DamageError{File: segmentPath(l.dir, p.seg), Offset: int64(p.off), Err: err.Error()}
}

// readBody reads a record whose body is wanted. A body that is being erased
// while it is read is ErrErased, not damage.
func (l *Log) readBody(p place) (*record, error) {
	for again := 0; ; again++ {
		rec, err := l.record(p)
		if err != nil {
			return nil, err
		}
		if rec.erased() {
			return nil, ErrErased
		}
		if rec.intact() {
			return rec, nil
		}
		l.mu.RLock()
		n, err := l.locate(rec.id)
		gone := err == nil && l.index.entries[n].project == 0
		l.mu.RUnlock()
		if gone {
			return nil, ErrErased
		}
		if again == 3 { // a reader beside a writer cannot see the erasure coming
			return nil, l.unreadable(p, errors.New("the record's content does not match its checksum"))
		}
	}
}

// decision decodes a decision record.
func (r *record) decision() (Decision, error) {
	d, err := decodeDecision(r.content())
	d.ID, d.Time = r.id.String(), fromMicro(r.time)
	return d, err
}

// outcome decodes an outcome record.
func (r *record) outcome() (Outcome, error) {
	o, err := decodeOutcome(r.content())
	o.Decision, o.At = r.id.String(), fromMicro(r.time)
	return o, err
}

// Position is a place in the log from which Scan can go on. The zero value is
// the beginning. It stays valid for the life of the log; if its segment was
// removed, it stands for the first that is left.
type Position struct {
	Segment uint32 `json:"segment"`
	Offset  int64  `json:"offset"`
}

// Record is one record as Scan shows it. At most one of Decision and Outcome is
// set; both are nil for one that is erased, and for the log's own records
// (erasures, losses, expiries and removals).
type Record struct {
	Next     Position  // where the record after it starts
	Number   uint64    // from 1, in log order
	Link     Link      // the chain up to this record; no two records have the same
	Time     time.Time // of the decision, the outcome or the erasure
	ID       string    // the decision it is about; "" for a loss, an expiry and a removal
	Decision *Decision
	Outcome  *Outcome
	Erased   bool // a decision or an outcome that was erased

	decision bool // it is a decision's, erased or not
}

// Scan calls f with every record that is in the log when Scan is called, from
// the given position on, in log order. It stops at the first error of f or
// when ctx ends, and returns the position to go on from: that of the first
// record f did not accept. f may keep what it is given.
func (l *Log) Scan(ctx context.Context, from Position, f func(Record) error) (Position, error) {
	l.mu.RLock()
	end, first := l.at, l.first
	l.mu.RUnlock()
	if from == (Position{}) || from.Segment < first {
		from = Position{Segment: first, Offset: segHead}
	}
	if from.Segment > end.seg || from.Segment == end.seg && from.Offset > end.end || from.Offset < segHead {
		return from, fmt.Errorf("scan decision log: there is no position %d:%d in %s", from.Segment, from.Offset, l.dir)
	}
	for from.Segment <= end.seg {
		limit := int64(0)
		if from.Segment == end.seg {
			limit = end.end
		}
		next, err := l.scanSegment(ctx, from, limit, f)
		if errors.Is(err, fs.ErrNotExist) && next == from && l.removed(from.Segment) {
			err = nil // meanwhile
		}
		if err != nil {
			return next, fmt.Errorf("scan decision log: %w", err)
		}
		if from = next; from.Segment == end.seg {
			break
		}
		from = Position{Segment: from.Segment + 1, Offset: segHead}
	}
	return from, nil
}

func (l *Log) scanSegment(ctx context.Context, from Position, limit int64, f func(Record) error) (Position, error) {
	s, file, err := openSegment(segmentPath(l.dir, from.Segment), from.Offset, limit)
	if err != nil {
		return from, err
	}
	defer file.Close()
	var rec record
	for n := 0; ; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return from, ctx.Err()
		}
		err := s.next(&rec)
		if err == io.EOF {
			return from, nil
		}
		if errors.Is(err, errTorn) {
			err = s.damage(errTorn.Error())
		}
		if err != nil {
			return from, err
		}
		out := Record{
			Next:   Position{Segment: from.Segment, Offset: s.off},
			Number: rec.seq, Link: rec.link, Time: fromMicro(rec.time), decision: rec.kind == kindDecision,
		}
		if rec.kind < kindLoss {
			out.ID = rec.id.String()
		}
		if err := l.fill(&out, &rec, place{from.Segment, uint32(rec.at)}); err != nil {
			return from, err
		}
		if err := f(out); err != nil {
			return from, err
		}
		from = out.Next
	}
}

// fill decodes what a record says.
func (l *Log) fill(out *Record, rec *record, p place) error {
	if rec.kind != kindDecision && rec.kind != kindOutcome {
		return nil
	}
	if rec.erased() || !rec.intact() {
		again, err := l.readBody(p)
		if errors.Is(err, ErrErased) || errors.Is(err, ErrUnknown) { // or removed meanwhile
			out.Erased = true
			return nil
		}
		if err != nil {
			return err
		}
		rec = again
	}
	if rec.kind == kindOutcome {
		o, err := rec.outcome()
		if err != nil {
			return l.unreadable(p, err)
		}
		out.Outcome = &o
		return nil
	}
	d, err := rec.decision()
	if err != nil {
		return l.unreadable(p, err)
	}
	out.Decision = &d
	return nil
}
