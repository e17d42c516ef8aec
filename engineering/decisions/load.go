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
}

// load reads on from where the log was read to and adds what it finds to the
// index. ack is the acknowledged end, if it is known: what is damaged before it is an
// error, what is half written behind it is only torn.
//
// The caller holds mu, or is alone.
func (l *Log) load(ack headFile, known bool) (ending, error) {
	var end ending
	last, err := segments(l.dir)
	if err != nil {
		return end, err
	}
	if known && ack.seg > last {
		return end, missing(l.dir, last+1)
	}

	// Bodies that are neither intact nor zero: an erasure that was cut short,
	// if an erasure record follows; damage otherwise.
	unsound := make(map[id]*DamageError)

	for number := max(l.at.seg, 1); number <= last; number++ {
		from := int64(0)
		if number == l.at.seg {
			from = l.at.end
		}
		s, f, err := openSegment(segmentPath(l.dir, number), from, 0)
		if err != nil {
			return end, err
		}
		err = l.loadSegment(s, number, number == last, ack, known, &end, unsound)
		f.Close()
		if err != nil {
			return end, err
		}
	}
	for _, u := range end.erasures {
		delete(unsound, u)
	}
	var first *DamageError
	for _, d := range unsound {
		if first == nil || d.File < first.File || d.File == first.File && d.Offset < first.Offset {
			first = d
		}
	}
	if first != nil {
		return end, damaged(first)
	}
	if known && l.at.Records < ack.Records {
		end.lost = ack.Records - l.at.Records
	}
	return end, nil
}

func (l *Log) loadSegment(s *scanner, number uint32, isLast bool, ack headFile, known bool, end *ending, unsound map[id]*DamageError) error {
	if number != l.at.seg {
		if number == 1 {
			l.at.Link = s.head.start
		}
		if s.head.number != number || s.head.first != l.at.Records+1 || s.head.start != l.at.Link {
			s.off = 0
			return damaged(s.damage("the segment does not follow the one before"))
		}
		l.at.seg, l.at.end = number, segHead
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
			if unsound[rec.id] == nil {
				unsound[rec.id] = s.damage("the record's content does not match its checksum")
			}
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
			l.index.addDecision(p, rec.id, "", "", true)
			return nil
		}
		project, key, err := decodeNames(rec.content())
		if err != nil {
			return err
		}
		l.index.addDecision(p, rec.id, string(project), string(key), false)
	case kindOutcome:
		n, err := l.locate(rec.id)
		if err != nil {
			return err
		}
		l.index.setOutcome(n, p)
	case kindErasure:
		n, err := l.locate(rec.id)
		if err != nil {
			return err
		}
		l.index.erase(n)
		end.erasures = append(end.erasures, rec.id)
	}
	return nil
}

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
