package decisions

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
)

// Segment is what a log knows of one of its files.
type Segment struct {
	Number    uint32
	Start     Link // of the record before its first one: no other log has it
	Closed    bool // nothing is added to it any more
	Decisions int  // erased ones among them

	// State is another one when an outcome of one of its decisions has come, when
	// one was erased or, in the segment that is written, added.
	State uint64
}

// Row is a decision of a segment, with its newest outcome.
type Row struct {
	Entry         // of an erased one only ID and Time
	Number uint64 // of its record
	Erased bool
}

// Segments returns the segments that are not removed, oldest first.
func (l *Log) Segments() []Segment {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var out []Segment
	x, i := l.index, 0
	for number := l.first; number <= l.at.seg; number++ {
		s := Segment{Number: number, Start: l.heads[number].Link, Closed: number < l.at.seg}
		h := fnv.New64a()
		for ; i < len(x.entries) && x.entries[i].seg <= number; i++ {
			e := x.at(uint32(i))
			var b [9]byte
			if e.project != 0 {
				b[0] = 1
				binary.LittleEndian.PutUint32(b[1:], e.newest.seg)
				binary.LittleEndian.PutUint32(b[5:], e.newest.off)
			}
			h.Write(b[:])
			s.Decisions++
		}
		s.State = h.Sum64()
		out = append(out, s)
	}
	return out
}

// errEnough ends a scan at the end of its segment.
var errEnough = errors.New("the segment is read")

// Rows calls f with every decision of a segment, in log order. It stops at the
// first error of f or when ctx ends. A segment that is not there is ErrUnknown.
func (l *Log) Rows(ctx context.Context, segment uint32, f func(Row) error) error {
	l.mu.RLock()
	there := segment >= l.first && segment <= l.at.seg
	l.mu.RUnlock()
	if !there {
		return fmt.Errorf("segment %d of the decision log: %w", segment, ErrUnknown)
	}
	_, err := l.Scan(ctx, Position{Segment: segment, Offset: segHead}, func(r Record) error {
		switch {
		case r.Next.Segment > segment:
			return errEnough
		case r.Outcome != nil || r.Decision == nil && !r.decision:
			return nil
		}
		row := Row{Number: r.Number, Erased: r.Erased}
		row.ID, row.Time = r.ID, r.Time
		if r.Decision != nil {
			row.Decision = *r.Decision
			o, err := l.newest(r.ID)
			switch {
			case errors.Is(err, ErrErased) || errors.Is(err, ErrUnknown): // in between
				row = Row{Number: r.Number, Erased: true}
				row.ID, row.Time = r.ID, r.Time
			case err != nil:
				return err
			default:
				row.Outcome = o
			}
		}
		return f(row)
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// newest returns the newest outcome of a decision that was just read, nil if
// none is known.
func (l *Log) newest(decision string) (*Outcome, error) {
	u, err := parseID(decision)
	if err != nil {
		return nil, err
	}
	l.mu.RLock()
	n, err := l.locate(u)
	var e located
	if err == nil {
		e = l.index.at(n)
	}
	l.mu.RUnlock()
	switch {
	case err != nil:
		return nil, err
	case e.project == 0:
		return nil, ErrErased
	}
	return l.outcome(e)
}
