package decisions

import (
	"errors"
	"io"

	"github.com/tandem-ml/tandem/data"
)

// ending is what load found beside the records.
type ending struct {
	torn     int64  // bytes after the last whole record
	lost     uint64 // acknowledged records that are missing
	erasures []id   // ids of all erasure records that were read

	expired map[uint32]bool // segments with content that is to be erased if an expiry says so
	expiry  boundary        // newest expiry that was read
	removal boundary        // newest removal that was read
}

// boundary is what an expiry or a removal speaks of: all before a segment. The
// head is the log's before that segment. The zero value speaks of nothing.
type boundary struct {
	segment uint32
	Head
}

// unsound is a body that is neither intact nor zero: an erasure that was cut
// short, if one follows; damage otherwise.
type unsound struct {
	id     id
	seg    uint32
	damage *DamageError
}

// load reads on from where the log was read to and adds what it finds to the
// index. ack is the acknowledged end, if it is known: what is damaged before it is an
// error, what is half written behind it is only torn.
//
// The caller holds mu, or is alone.
func (l *Log) load(ack headFile, known bool) (ending, error) {
	end := ending{expired: make(map[uint32]bool)}
	first, last, err := segments(l.dir)
	if err != nil {
		return end, err
	}
	if known && ack.seg > last {
		return end, missing(l.dir, last+1)
	}

	if l.at.seg != 0 && l.at.seg < first { // removed since this reader looked
		l.index, l.at, l.heads = newIndex(), headFile{}, make(map[uint32]Head)
	}
	fresh := l.at.seg == 0
	if !fresh {
		first = l.at.seg
	}
	var broken []unsound
	for number := max(first, 1); number <= last; number++ {
		from := int64(0)
		if number == l.at.seg {
			from = l.at.end
		}
		s, f, err := openSegment(segmentPath(l.dir, number), from, 0)
		if err != nil {
			return end, err
		}
		err = l.loadSegment(s, number, number == last, ack, known, &end, &broken)
		f.Close()
		if err != nil {
			return end, err
		}
	}
	if fresh && first > 1 && end.removal.segment < first {
		return end, missing(l.dir, max(end.removal.segment, 1))
	}
	if r := end.removal; r.segment > 0 {
		if h, here := l.heads[r.segment]; here && h != r.Head {
			return end, damaged(&DamageError{File: segmentPath(l.dir, r.segment), Err: "the segment does not follow those that were removed"})
		}
		l.first = max(l.first, r.segment)
		if x := l.index; len(x.entries) > 0 && x.entries[0].seg < l.first {
			l.index = x.since(l.first, x.entries, x.outcomes, x.projects)
			l.forget(x)
		}
	}
	if len(broken) > 0 {
		erased := make(map[id]bool, len(end.erasures))
		for _, u := range end.erasures {
			erased[u] = true
		}
		for _, u := range broken { // in log order
			if !erased[u.id] && u.seg >= end.expiry.segment {
				return end, damaged(u.damage)
			}
		}
	}
	l.index.expire(end.expiry.segment)
	if known && l.at.Records < ack.Records {
		end.lost = ack.Records - l.at.Records
	}
	return end, nil
}

func (l *Log) loadSegment(s *scanner, number uint32, isLast bool, ack headFile, known bool, end *ending, broken *[]unsound) error {
	if number != l.at.seg {
		if l.at.seg == 0 { // the first there is: where the chain starts
			l.at.Link = s.head.start
			if number > 1 {
				l.at.Records = s.head.first - 1
			}
		}
		if s.head.number != number || s.head.first != l.at.Records+1 || s.head.start != l.at.Link {
			s.off = 0
			return damaged(s.damage("the segment does not follow the one before"))
		}
		l.at.seg, l.at.end = number, segHead
		l.heads[number] = l.at.Head
	}
	// Behind the acknowledged end nothing was promised: a record there that is
	// not whole was being written when the process ended.
	promised := func() bool { return !known || number < ack.seg || number == ack.seg && s.off < ack.end }

	var rec record
	for {
		err := s.next(&rec)
		damage := (*DamageError)(nil)
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, errTorn) && isLast, errors.As(err, &damage) && isLast && !promised():
			end.torn = s.end - s.off
			return nil
		case errors.Is(err, errTorn):
			return damaged(s.damage("the segment ends within a record, and is not the last"))
		case damage != nil:
			return damaged(damage)
		case err != nil:
			return err
		}

		next := s.off
		s.off = rec.at // for promised and damage
		if wrong := rec.follows(l.at.Head); wrong != "" {
			return damaged(s.damage(wrong))
		}
		gone := rec.erased()
		if !gone && !rec.intact() {
			if isLast && !promised() {
				end.torn = s.end - s.off
				return nil
			}
			gone = true
			*broken = append(*broken, unsound{rec.id, number, s.damage("the record's content does not match its checksum")})
		}
		if content := rec.kind == kindDecision || rec.kind == kindOutcome; content && !rec.erased() {
			end.expired[number] = true
		} else if !content && gone && rec.kind != kindErasure {
			return damaged(s.damage("the record's content is gone"))
		}
		if known && rec.seq == ack.Records && rec.link != ack.Link {
			return damaged(s.damage("the record is not the one that was acknowledged: the log was rewritten"))
		}
		if err := l.indexRecord(&rec, place{number, uint32(rec.at)}, gone, end); err != nil {
			return damaged(s.damage(err.Error()))
		}
		s.off = next
		l.at.Head = Head{Records: rec.seq, Link: rec.link}
		l.at.end = next
	}
}

// indexRecord adds one record that was read to the index.
func (l *Log) indexRecord(rec *record, p place, gone bool, end *ending) error {
	switch rec.kind {
	case kindDecision:
		if gone {
			l.index.addDecision(p, rec.id, rec.time, "", "", true)
			return nil
		}
		project, key, err := decodeNames(rec.content())
		if err != nil {
			return err
		}
		l.index.addDecision(p, rec.id, rec.time, string(project), string(key), false)
	case kindOutcome:
		n, err := l.locate(rec.id)
		if errors.Is(err, ErrUnknown) && l.partial() {
			return nil // its decision went with its segment
		}
		if err != nil {
			return err
		}
		l.index.setOutcome(n, p)
	case kindErasure:
		end.erasures = append(end.erasures, rec.id)
		n, err := l.locate(rec.id)
		if errors.Is(err, ErrUnknown) && l.partial() {
			return nil
		}
		if err != nil {
			return err
		}
		l.index.erase(n)
	case kindExpiry, kindRemoval:
		if gone {
			return errPayload
		}
		at, err := decodeBoundary(rec.content())
		if err != nil || at.segment <= 1 || at.segment > p.seg {
			return errPayload
		}
		if rec.kind == kindExpiry {
			end.expiry = at
		} else {
			end.removal = at
		}
	}
	return nil
}

// partial reports whether the log was not read from its first segment on. The
// caller holds mu.
func (l *Log) partial() bool { return l.heads[1] == (Head{}) }

// locate returns the entry of a decision that is in the log, erased or not, or
// ErrUnknown. Only when hashes collide does it read the disk; a single
// candidate is confirmed by whoever reads its record. The caller holds mu.
func (l *Log) locate(u id) (uint32, error) {
	candidates := l.index.withID(u)
	if len(candidates) == 1 {
		return candidates[0], nil
	}
	for _, n := range candidates {
		rec, err := readRecord(l.dir, l.index.entries[n].place)
		if err != nil {
			return 0, err
		}
		if rec.id == u {
			return n, nil
		}
	}
	return 0, ErrUnknown
}

func damaged(d *DamageError) error {
	return data.WithHint(d, "restore the file from a backup; `tandem verify` lists every damaged place")
}
