package decisions

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// request is one call's records, written together or not at all.
type request struct {
	drafts []draft
	size   int
	rotate bool       // what comes next begins a new segment
	wait   bool       // somebody does, for what comes from done
	done   chan error // of one element
	buf    []byte     // what the drafts are made of
}

// requests are used again when they are answered. One whose caller did not wait
// for that is left to the collector.
var requests = sync.Pool{New: func() any { return &request{done: make(chan error, 1)} }}

// free gives a request back that nobody else holds.
func (r *request) free() {
	const most = 1 << 20 // a block of a stream has its place
	if cap(r.buf) > most || cap(r.drafts) > 1024 {
		return
	}
	clear(r.drafts)
	r.drafts, r.buf, r.size, r.rotate = r.drafts[:0], r.buf[:0], 0, false
	requests.Put(r)
}

const (
	batchSize  = 4 << 20   // bytes after which a batch is written without looking for more
	few        = 64        // batches of one request in a row after which a caller counts as alone
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
// get written; with durability OS, a caller that found nobody writing is as long
// as its own write. With durability Async an error of the write itself is returned
// by a later Append, Flush or Close.
func (l *Log) Append(ctx context.Context, ds ...Decision) error {
	if len(ds) == 0 {
		return nil
	}
	r := requests.Get().(*request)
	size := 0
	for i := range ds {
		size += saltLen + recMin + 256 + len(ds[i].Inputs) + 128*len(ds[i].Reasons)
	}
	r.buf, r.drafts = slices.Grow(r.buf, size), slices.Grow(r.drafts, len(ds)) // at once, not row by row
	for i := range ds {
		d := &ds[i]
		if err := d.check(); err != nil {
			return fmt.Errorf("append to decision log: %w", err)
		}
		u, err := parseID(d.ID)
		if err != nil {
			return fmt.Errorf("append to decision log: %w", err)
		}
		// Where the buffer moves, the drafts before keep the one they are in.
		from := len(r.buf)
		r.buf = slices.Grow(r.buf, recMin+256+len(d.Inputs)+128*len(d.Reasons))[:from+saltLen]
		if r.buf, err = appendDecision(r.buf, d); err != nil {
			return fmt.Errorf("append to decision log: %w", err)
		}
		if n := len(r.buf) - from - saltLen; n > maxPayload {
			return fmt.Errorf("append to decision log: decision %s has %d bytes; at most %d can be logged", d.ID, n, maxPayload)
		}
		r.buf = slices.Grow(r.buf, recTail)
		dr := newDraft(kindDecision, u, d.Time.UnixMicro(), r.buf[from:])
		r.buf = r.buf[:from+len(dr.body)]
		dr.project, dr.key = d.Project, d.Key
		r.drafts = append(r.drafts, dr)
	}
	if err := l.takeLost(); err != nil {
		return fmt.Errorf("an earlier append to the decision log: %w", err)
	}
	if err := l.submitRequest(ctx, r, l.opt.Durability != Async); err != nil {
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

// submit has drafts written and, if wait, waits until they are.
func (l *Log) submit(ctx context.Context, drafts []draft, wait bool) error {
	return l.submitRequest(ctx, &request{drafts: drafts, done: make(chan error, 1)}, wait)
}

func (l *Log) submitRequest(ctx context.Context, r *request, wait bool) error {
	if l.lock == nil {
		return ErrReadOnly
	}
	r.wait, r.size = wait, 0
	for i := range r.drafts {
		r.size += r.drafts[i].size()
	}
	if r.size > maxRequest {
		return fmt.Errorf("one append of %d MB; at most %d MB are written together", r.size>>20, maxRequest>>20)
	}
	mine, err := l.send(ctx, r)
	switch {
	case err != nil:
		return err
	case mine && wait && l.opt.Durability == OS:
		l.writeNow()
	case mine:
		go l.writeOn()
	}
	if !wait {
		return nil
	}
	select {
	case err := <-r.done: // as it is after a write of our own
		r.free()
		return err
	default:
	}
	select {
	case err := <-r.done:
		r.free()
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// send puts a request into the queue. If nobody is writing, it is the caller's
// turn to.
func (l *Log) send(ctx context.Context, r *request) (mine bool, err error) {
	l.sending.RLock()
	defer l.sending.RUnlock()
	if l.closed {
		return false, ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	select {
	case l.requests <- r:
		return l.turn.TryLock(), nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// writeNow writes what is in the queue, by who has the turn, and gives the turn
// up. What others put there meanwhile is for another goroutine, so that nobody
// waits for more than its own. Without a goroutine between, a caller who is alone
// is answered sooner.
func (l *Log) writeNow() {
	if l.alone < few {
		runtime.Gosched()
	}
	l.writeBatch()
	l.giveUp()
}

// writeOn writes until the queue is empty, by who has the turn, and gives the
// turn up. It lets those that are about to append do so first: two writes for
// many decisions cost what they cost for one.
func (l *Log) writeOn() {
	for {
		runtime.Gosched()
		l.writeBatch()
		if len(l.requests) == 0 {
			l.giveUp()
			return
		}
	}
}

// giveUp ends the turn. Who put a request into the queue before could not have it.
func (l *Log) giveUp() {
	l.turn.Unlock()
	if len(l.requests) > 0 && l.turn.TryLock() {
		go l.writeOn()
	}
}

// writeBatch writes all requests that wait, together.
func (l *Log) writeBatch() {
	batch, size := l.batch[:0], 0
	for more := true; more && size < batchSize; {
		select {
		case r := <-l.requests:
			batch = append(batch, r)
			size += r.size
		default:
			more = false
		}
	}
	l.batch = batch
	if l.alone++; len(batch) > 1 {
		l.alone = 0
	}
	l.commit(batch)
	clear(batch)
}

// commit writes a batch and answers its requests.
func (l *Log) commit(batch []*request) {
	accepted := batch[:0]
	clear(l.inBatch)
	for _, r := range batch {
		if err := l.fresh(r.drafts, l.inBatch); err != nil {
			l.answer(r, err)
			continue
		}
		accepted = append(accepted, r)
		l.drafts = append(l.drafts, r.drafts...)
	}
	for _, r := range accepted {
		l.full = l.full || r.rotate
	}
	start := time.Now()
	err := l.write(l.drafts)
	l.counts.writing.Add(uint64(time.Since(start)))
	if err == nil && len(l.drafts) > 0 {
		l.counts.batches.Add(1)
		l.counts.appends.Add(uint64(len(accepted)))
	}
	for _, r := range accepted {
		l.answer(r, err)
	}
	clear(l.drafts)
	if l.drafts = l.drafts[:0]; cap(l.drafts) > 1<<12 { // a large request's
		l.drafts, l.places, l.inBatch = nil, nil, make(map[id]bool)
	}
}

func (l *Log) answer(r *request, err error) {
	switch {
	case r.wait:
		r.done <- err // from here on it is the caller's
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
	l.mu.RLock()
	newest := l.index.newest // what is written meanwhile we would write
	l.mu.RUnlock()
	for i := range drafts {
		d := &drafts[i]
		if d.kind != kindDecision {
			continue
		}
		err := ErrExists
		switch {
		case inBatch[d.id]:
		case d.id.age() > newest:
			err = ErrUnknown
		default:
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
// who has the turn calls it, and start before there is one.
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
	at := l.at // only who has the turn changes it, so no lock to read
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
	places := l.places[:0]
	for i := range drafts {
		places = append(places, place{at.seg, uint32(start.end + int64(len(l.buf)))})
		at.Records++
		l.buf, at.Link = appendRecord(l.buf, &drafts[i], at.Records, at.Link)
	}
	l.places = places
	at.end += int64(len(l.buf))
	if err := l.persist(l.buf, start.end, &at); err != nil {
		if back := l.seg.Truncate(start.end); back != nil && l.broken == nil {
			l.broken = fmt.Errorf("the decision log cannot be continued until it is opened anew: %w", errors.Join(err, back))
		}
		return err
	}
	l.counts.written.Add(uint64(len(l.buf)))
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
