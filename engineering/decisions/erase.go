package decisions

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Erase makes the content of decisions and of all their outcomes unreadable
// for good, without breaking the chain: salts and payloads are overwritten with
// zeros on the disk. That they were erased, and when, stays in the log, as do
// the ids and the times. Erasing an erased decision again does nothing.
//
// It returns when the zeros are on the disk. If it fails half-way, or the
// process ends, the rest is done when it is called again or when the log is
// opened next; content is never shown once the erasure is in the log. An id
// that is not in the log is ErrUnknown, and then none is erased.
//
// Copies that a file system or a disk keeps of overwritten blocks (snapshots,
// wear levelling) and backups are beyond its reach.
func (l *Log) Erase(ctx context.Context, decisions ...string) error {
	if err := l.eraseAll(ctx, decisions); err != nil {
		return fmt.Errorf("erase from decision log: %w", err)
	}
	return nil
}

func (l *Log) eraseAll(ctx context.Context, decisions []string) error {
	if l.lock == nil {
		return ErrReadOnly
	}
	l.changes.Lock()
	defer l.changes.Unlock()
	if l.opt.Durability == Async {
		if err := l.Flush(ctx); err != nil {
			return err
		}
	}
	us := l.opt.Now().UnixMicro()
	var todo []id
	var drafts []draft
	var errs []error
	for _, text := range decisions {
		u, err := parseID(text)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		switch _, err := l.find(u); {
		case err == nil:
			drafts = append(drafts, newDraft(kindErasure, u, us, make([]byte, saltLen, recMin)))
			todo = append(todo, u)
		case errors.Is(err, ErrErased):
			todo = append(todo, u)
		default:
			errs = append(errs, fmt.Errorf("decision %s: %w", text, err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if err := l.submit(ctx, drafts, true); err != nil {
		return err
	}
	return l.finishErasures(todo)
}

// finishErasures overwrites what is left of erased decisions. The erasure
// records are made durable first: zeros without them would look like an attack.
func (l *Log) finishErasures(ids []id) error {
	dirty := make(map[uint32]*os.File)
	defer func() {
		for _, f := range dirty {
			f.Close()
		}
	}()
	durable := false
	for _, u := range ids {
		l.mu.RLock()
		places, err := l.bodies(u)
		last, partial := l.at.seg, l.partial()
		l.mu.RUnlock()
		if errors.Is(err, ErrUnknown) && partial {
			continue // it went with its segment
		}
		if err != nil {
			return err
		}
		for _, p := range places {
			rec, err := readRecord(l.dir, p)
			if err != nil {
				return err
			}
			if rec.id != u {
				return fmt.Errorf("decision %s: %w", u, ErrUnknown)
			}
			if rec.erased() {
				continue
			}
			if !durable {
				if err := l.syncTo(last); err != nil {
					return err
				}
				durable = true
			}
			f := dirty[p.seg]
			if f == nil {
				if f, err = os.OpenFile(segmentPath(l.dir, p.seg), os.O_WRONLY, 0); err != nil {
					return err
				}
				dirty[p.seg] = f
			}
			if _, err := f.WriteAt(make([]byte, len(rec.body)), rec.at+recHead); err != nil {
				return err
			}
		}
	}
	var errs []error
	for _, f := range dirty {
		errs = append(errs, f.Sync())
	}
	return errors.Join(errs...)
}

// syncTo makes the segments that may hold fresh erasure records durable.
func (l *Log) syncTo(last uint32) error {
	for number := max(last, 2) - 1; number <= last; number++ {
		f, err := os.OpenFile(segmentPath(l.dir, number), os.O_WRONLY, 0)
		if errors.Is(err, os.ErrNotExist) && number < last {
			continue // removed by age
		}
		if err != nil {
			return err
		}
		err = f.Sync()
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// bodies returns the places of a decision and of all its outcomes. The caller
// holds mu.
func (l *Log) bodies(u id) ([]place, error) {
	n, err := l.locate(u)
	if err != nil {
		return nil, err
	}
	e := &l.index.entries[n]
	out := []place{e.place}
	for o := e.outcome; o != 0; o = l.index.outcomes[o-1].prev {
		out = append(out, l.index.outcomes[o-1].place)
	}
	return out, nil
}
