package decisions

import (
	"context"
	"errors"
	"fmt"
)

// request is one call's records, written together or not at all.
type request struct {
	drafts []draft
	size   int
	rotate bool       // what comes next begins a new segment
	done   chan error // nil: nobody waits
}

const (
	batchSize  = 4 << 20   // bytes after which a batch is written without looking for more
	maxRequest = 512 << 20 // bytes of one append
)

// Append logs decisions, all of them or none. It returns when they are written
// as the log's durability says; decisions of concurrent callers share one
// write.
//
// Every decision needs an ID made by [Log.NewID], a Time and a Project. Inputs
// are empty or a JSON object. Reason values are float64, string, bool or nil.
// An id that is in the log already is ErrExists. If the disk is full the error
// says so, nothing of the call stays in the log, and a later Append works again
// when there is space.
//
// When ctx ends first its error is returned, and the decisions may or may not
// get written. With durability Async an error of the write itself is returned
// by a later Append, Flush or Close.
func (l *Log) Append(ctx context.Context, ds ...Decision) error {
	if len(ds) == 0 {
		return nil
	}
	drafts := make([]draft, len(ds))
	for i := range ds {
		d := &ds[i]
		if err := d.check(); err != nil {
			return fmt.Errorf("append to decision log: %w", err)
		}
		u, err := parseID(d.ID)
		if err != nil {
			return fmt.Errorf("append to decision log: %w", err)
		}
		buf := make([]byte, saltLen, recMin+256+len(d.Inputs)+128*len(d.Reasons))
		if buf, err = appendDecision(buf, d); err != nil {
			return fmt.Errorf("append to decision log: %w", err)
		}
		if len(buf)-saltLen > maxPayload {
			return fmt.Errorf("append to decision log: decision %s has %d bytes; at most %d can be logged", d.ID, len(buf)-saltLen, maxPayload)
		}
		drafts[i] = newDraft(kindDecision, u, d.Time.UnixMicro(), buf)
		drafts[i].project, drafts[i].key = d.Project, d.Key
	}
	if err := l.takeLost(); err != nil {
		return fmt.Errorf("an earlier append to the decision log: %w", err)
	}
	if err := l.submit(ctx, drafts, l.opt.Durability != Async); err != nil {
		return fmt.Errorf("append to decision log: %w", err)
	}
	return nil
}

// AppendOutcomes logs outcomes, all of them or none, and returns how many were
// new. An outcome whose value equals the newest known one of its decision is
// not written again, whatever its time, so that a sender can repeat itself; one of
// another value corrects the earlier one, and both stay in the log. A decision
// that is not in the log is ErrUnknown, an erased one ErrErased; every such id
// is named.
func (l *Log) AppendOutcomes(ctx context.Context, outcomes ...Outcome) (added int, err error) {
	defer func() {
		if err != nil {
			added, err = 0, fmt.Errorf("append outcomes to decision log: %w", err)
		}
	}()
	if l.lock == nil {
		return 0, ErrReadOnly
	}
	l.changes.Lock()
	defer l.changes.Unlock()
	if l.opt.Durability == Async {
		if err := l.Flush(ctx); err != nil {
			return 0, err
		}
	}
	var drafts []draft
	var errs []error
	newest := make(map[id]string) // within this call
	for i := range outcomes {
		o := &outcomes[i]
		u, err := parseID(o.Decision)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		value, known := newest[u]
		if !known {
			e, err := l.find(u)
			if err != nil {
				errs = append(errs, fmt.Errorf("decision %s: %w", o.Decision, err))
				continue
			}
			if now, err := l.outcome(e); err != nil {
				errs = append(errs, err)
				continue
			} else if now != nil {
				value, known = now.Value, true
			}
		}
		if len(o.Value) > maxPayload/2 {
			errs = append(errs, fmt.Errorf("decision %s: the outcome has %d bytes", o.Decision, len(o.Value)))
			continue
		}
		newest[u] = o.Value
		if known && value == o.Value {
			continue
		}
		buf := appendOutcome(make([]byte, saltLen, recMin+len(o.Value)+8), o)
		drafts = append(drafts, newDraft(kindOutcome, u, o.At.UnixMicro(), buf))
	}
	if len(errs) > 0 {
		return 0, errors.Join(errs...)
	}
	if len(drafts) == 0 {
		return 0, nil
	}
	return len(drafts), l.submit(ctx, drafts, true)
}

// submit hands drafts to the writer and, if wait, waits until they are
// written.
func (l *Log) submit(ctx context.Context, drafts []draft, wait bool) error {
	if l.lock == nil {
		return ErrReadOnly
	}
	return l.hand(ctx, &request{drafts: drafts}, wait)
}

// hand is submit for a request.
func (l *Log) hand(ctx context.Context, r *request, wait bool) error {
	for i := range r.drafts {
		r.size += r.drafts[i].size()
	}
	if r.size > maxRequest {
		return fmt.Errorf("one append of %d MB; at most %d MB are written together", r.size>>20, maxRequest>>20)
	}
	if wait {
		r.done = make(chan error, 1)
	}
	if err := l.send(ctx, r); err != nil || !wait {
		return err
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Log) send(ctx context.Context, r *request) error {
	l.sending.RLock()
	defer l.sending.RUnlock()
	if l.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case l.requests <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// writer writes requests until the log is closed: all that wait, together.
func (l *Log) writer() {
	defer close(l.done)
	for first := range l.requests {
		batch, size := []*request{first}, first.size
		for more := true; more && size < batchSize; {
			select {
			case r, open := <-l.requests:
				if more = open; open {
					batch = append(batch, r)
					size += r.size
				}
			default:
				more = false
			}
		}
		l.commit(batch)
	}
}

// commit writes a batch and answers its requests.
func (l *Log) commit(batch []*request) {
	var drafts []draft
	accepted := batch[:0]
	inBatch := make(map[id]bool, len(batch))
	for _, r := range batch {
		if err := l.fresh(r.drafts, inBatch); err != nil {
			l.answer(r, err)
			continue
		}
		accepted = append(accepted, r)
		drafts = append(drafts, r.drafts...)
	}
	for _, r := range accepted {
		l.full = l.full || r.rotate
	}
	err := l.write(drafts)
	for _, r := range accepted {
		l.answer(r, err)
	}
}

func (l *Log) answer(r *request, err error) {
	switch {
	case r.done != nil:
		r.done <- err
	case err != nil:
		l.failed.Lock()
		l.lost = err // the newest says what holds now
		l.failed.Unlock()
	}
}

// takeLost returns, once, what befell an append that nobody waited for.
func (l *Log) takeLost() error {
	l.failed.Lock()
	defer l.failed.Unlock()
	err := l.lost
	l.lost = nil
	return err
}

// fresh returns ErrExists if a decision's id is in the log or in the batch.
// Otherwise the ids are added to the batch.
func (l *Log) fresh(drafts []draft, inBatch map[id]bool) error {
	for i := range drafts {
		d := &drafts[i]
		if d.kind != kindDecision {
			continue
		}
		err := ErrExists
		if !inBatch[d.id] {
			if _, err = l.find(d.id); err == nil || errors.Is(err, ErrErased) {
				err = ErrExists
			}
		}
		if !errors.Is(err, ErrUnknown) {
			for j := range drafts[:i] {
				delete(inBatch, drafts[j].id)
			}
			return fmt.Errorf("decision %s: %w", d.id, err)
		}
		inBatch[d.id] = true
	}
	return nil
}

// write puts drafts at the end of the log, all or none, and indexes them. Only
// the writer calls it, and start before there is one.
func (l *Log) write(drafts []draft) error {
	if len(drafts) == 0 {
		return nil
	}
	if l.broken != nil {
		return l.broken
	}
	size := int64(0)
	for i := range drafts {
		size += int64(drafts[i].size())
	}
	at := l.at // only this goroutine changes it, so no lock to read
	if at.end > segHead && (l.full || at.end+size > l.opt.SegmentSize) {
		// Whatever the durability: only the last segment may end half-way after a
		// loss of power.
		if err := l.fsync(l.seg); err != nil {
			l.broken = fmt.Errorf("the decision log cannot be continued until it is opened anew: %w", err)
			return l.broken
		}
		f, err := createSegment(l.dir, segmentHeader{number: at.seg + 1, first: at.Records + 1, start: at.Link})
		if err != nil {
			return fmt.Errorf("begin a new segment: %w", err)
		}
		l.seg.Close()
		l.seg, l.full = f, false
		at.seg, at.end = at.seg+1, segHead
		l.mu.Lock()
		l.at = at
		l.heads[at.seg] = at.Head
		l.mu.Unlock()
	}

	start := at
	l.buf = l.buf[:0]
	places := make([]place, len(drafts))
	for i := range drafts {
		places[i] = place{at.seg, uint32(start.end + int64(len(l.buf)))}
		at.Records++
		l.buf, at.Link = appendRecord(l.buf, &drafts[i], at.Records, at.Link)
	}
	at.end += int64(len(l.buf))
	if err := l.persist(l.buf, start.end, &at); err != nil {
		if back := l.seg.Truncate(start.end); back != nil && l.broken == nil {
			l.broken = fmt.Errorf("the decision log cannot be continued until it is opened anew: %w", errors.Join(err, back))
		}
		return err
	}
	if cap(l.buf) > 2*batchSize {
		l.buf = nil
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = at
	for i := range drafts {
		d := &drafts[i]
		switch d.kind {
		case kindDecision:
			l.index.addDecision(places[i], d.id, d.time, d.project, d.key, false)
		case kindOutcome, kindErasure:
			n, err := l.locate(d.id)
			if err != nil {
				return err
			}
			if d.kind == kindOutcome {
				l.index.setOutcome(n, places[i])
			} else {
				l.index.erase(n)
			}
		}
	}
	return nil
}

// persist writes the batch and then the head that covers it.
func (l *Log) persist(b []byte, off int64, at *headFile) error {
	if _, err := l.seg.WriteAt(b, off); err != nil {
		return err
	}
	if l.opt.Durability == Disk {
		if err := l.fsync(l.seg); err != nil {
			// After a failed fsync the kernel may hold pages as clean that
			// never reached the disk: only reading them again tells.
			l.broken = fmt.Errorf("the decision log cannot be continued until it is opened anew: %w", err)
			return err
		}
	}
	_, err := l.headF.WriteAt(at.encode(), 0)
	return err
}
