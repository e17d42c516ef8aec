package decisions

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Report is what Verify found.
type Report struct {
	Segments  int   `json:"segments"`
	Bytes     int64 `json:"bytes"`
	Decisions int64 `json:"decisions"` // erased ones among them
	Outcomes  int64 `json:"outcomes"`  // outcome records, erased ones among them
	Erased    int64 `json:"erased"`    // decisions

	// Removed is what the log removed by age, as the chain itself records it: the
	// log is kept from the record after it on. Nil: nothing was.
	Removed *Removed `json:"removed,omitempty"`

	// Head is that of the newest record. It equals a head that was kept
	// elsewhere, or descends from it, only if nothing up to there was rewritten.
	Head Head `json:"head"`

	// Losses are the ends that were found missing when the log was opened, as
	// the chain itself records them.
	Losses []Loss `json:"losses,omitempty"`

	// Torn is the number of bytes at the end that were being written, or are
	// left from a process that ended while it wrote: no acknowledged record.
	Torn int64 `json:"torn,omitempty"`

	// Problems are the places where the log is not what was written.
	Problems []DamageError `json:"problems,omitempty"`
}

// Removed says with which record the removed part of a log ended.
type Removed struct {
	Head           // records that were removed, and the link of the last of them
	At   time.Time `json:"at"` // when it was removed
}

// Loss says that acknowledged records were missing when the log was opened.
type Loss struct {
	Number uint64 `json:"number"` // of the record that says so; the lost ones stood before it
	Lost   uint64 `json:"lost"`   // how many are missing
	Was    Head   `json:"was"`    // the head that had been acknowledged
}

// OK reports whether the log is what was written: no problems. Losses that the
// chain records are no problems of the log, but its reader should know them.
func (r *Report) OK() bool { return len(r.Problems) == 0 }

// Verify reads the whole log in dir and checks every checksum, every
// commitment and every link, that erased content was erased by the log, and
// that the end is the one that was acknowledged. It changes nothing, needs no
// lock and can run beside a writer.
//
// What is wrong with the log is in the report; the error is for a folder that
// cannot be read. See the package comment for what a chain cannot show.
func Verify(dir string) (*Report, error) {
	for again := 0; ; again++ {
		before, _, _ := readHead(dir) // verify says what is wrong with it
		r, err := verify(dir)
		// What a writer erases or removes meanwhile looks like damage until the
		// record is read that says so.
		if again == 3 || err == nil && r.OK() || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return r, err
		}
		if after, _, _ := readHead(dir); after == before {
			return r, err
		}
	}
}

func verify(dir string) (*Report, error) {
	v := &verifier{dir: dir, report: new(Report)}
	var err error
	v.ack, v.known, err = readHead(dir)
	if damage := (*DamageError)(nil); errors.As(err, &damage) {
		v.report.Problems = append(v.report.Problems, *damage)
	} else if err != nil {
		return nil, fmt.Errorf("verify decision log: %w", err)
	}
	numbers, err := listSegments(dir)
	if err != nil {
		return nil, fmt.Errorf("verify decision log: %w", err)
	}
	if len(numbers) == 0 && !v.known {
		return nil, fmt.Errorf("verify decision log: there is no decision log in %s", dir)
	}
	if !v.known && len(v.report.Problems) == 0 {
		v.report.Problems = append(v.report.Problems, DamageError{File: filepath.Join(dir, headName), Err: "the head file is missing"})
	}
	if err := v.erasures(numbers); err != nil {
		return nil, fmt.Errorf("verify decision log: %w", err)
	}
	if len(numbers) > 0 {
		v.kept(numbers[0])
	}
	for i, number := range numbers {
		if err := v.segment(number, i == len(numbers)-1); err != nil {
			return nil, fmt.Errorf("verify decision log: %w", err)
		}
	}
	v.end()
	return v.report, nil
}

type verifier struct {
	dir    string
	ack    headFile
	known  bool
	report *Report

	erasedBy map[id]uint64 // number of the newest erasure record of each erased id
	expiry   boundary      // the newest that is in the log
	removal  boundary      // likewise
	segs     uint32        // segments expected so far
	current  uint32        // the segment that is read
	at       Head
	lostWay  bool // the segment before could not be read to its end
	acked    bool // the acknowledged head was met, and agrees
}

func listSegments(dir string) ([]uint32, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []uint32
	for _, f := range files {
		var n uint32
		if name, ok := strings.CutSuffix(f.Name(), segSuffix); ok {
			if _, err := fmt.Sscanf(name, "%d", &n); err == nil && f.Name() == filepath.Base(segmentPath(dir, n)) {
				out = append(out, n)
			}
		}
	}
	return out, nil
}

func (v *verifier) problem(file string, off int64, format string, args ...any) {
	v.report.Problems = append(v.report.Problems, DamageError{File: file, Offset: off, Err: fmt.Sprintf(format, args...)})
}

// erasures finds the erasure records: whether a body should be zeros is known
// only from a record that comes later.
func (v *verifier) erasures(numbers []uint32) error {
	v.erasedBy = make(map[id]uint64)
	for _, number := range numbers {
		s, f, err := openSegment(segmentPath(v.dir, number), 0, 0)
		if damage := (*DamageError)(nil); errors.As(err, &damage) {
			continue // the second reading reports it
		} else if err != nil {
			return err
		}
		var rec record
		for err = s.next(&rec); err == nil; err = s.next(&rec) {
			switch rec.kind {
			case kindErasure:
				v.erasedBy[rec.id] = rec.seq
			case kindExpiry, kindRemoval:
				at, err := decodeBoundary(rec.content())
				if err != nil {
					continue // the second reading reports it
				}
				if rec.kind == kindExpiry {
					v.expiry = at
				} else {
					v.removal = at
					v.report.Removed = &Removed{at.Head, fromMicro(rec.time)}
				}
			}
		}
		f.Close()
	}
	return nil
}

// kept says where the log begins: with the first segment that is there, if the
// chain says that those before it were removed.
func (v *verifier) kept(first uint32) {
	switch {
	case first < v.removal.segment:
		v.problem(segmentPath(v.dir, first), 0, "the segment is there although the log says that it was removed: open the log for writing to finish it")
		fallthrough
	case first == v.removal.segment:
		v.segs = first - 1
	default:
		v.segs = max(v.removal.segment, 1) - 1 // the gap is found by segment
	}
}

func (v *verifier) segment(number uint32, isLast bool) error {
	v.report.Segments++
	path := segmentPath(v.dir, number)
	beginning := v.segs+1 == number && v.report.Segments == 1
	v.segs++
	for n := 0; v.segs < number; v.segs++ {
		if n++; n == 100 { // a foreign number must not take all memory
			v.problem(segmentPath(v.dir, v.segs), 0, "the segment is missing, and so are all up to %d", number-1)
			v.segs = number - 1
		} else {
			v.problem(segmentPath(v.dir, v.segs), 0, "the segment is missing")
		}
		v.lostWay = true
	}
	s, f, err := openSegment(path, 0, 0)
	if damage := (*DamageError)(nil); errors.As(err, &damage) {
		v.report.Problems = append(v.report.Problems, *damage)
		v.lostWay = true
		return nil
	} else if err != nil {
		return err
	}
	defer f.Close()
	v.report.Bytes += s.end

	follows := s.head.first == v.at.Records+1 && s.head.start == v.at.Link
	switch {
	case number == 1:
		follows = s.head.first == 1
	case number == v.removal.segment:
		follows = s.head.first == v.removal.Records+1 && s.head.start == v.removal.Link && (beginning || follows)
	case beginning: // what it should follow is to be removed as well
		follows = true
	}
	v.current = number
	if s.head.number != number || !follows && !v.lostWay {
		v.problem(path, 0, "the segment does not follow the one before")
	}
	v.at = Head{Records: s.head.first - 1, Link: s.head.start}
	v.lostWay = false

	var rec record
	for {
		err := s.next(&rec)
		behind := v.known && (number > v.ack.seg || number == v.ack.seg && s.off >= v.ack.end)
		damage := (*DamageError)(nil)
		switch {
		case err == io.EOF:
			return nil
		case isLast && behind && (errors.Is(err, errTorn) || errors.As(err, &damage)):
			v.report.Torn = s.end - s.off
			return nil
		case errors.Is(err, errTorn):
			v.problem(path, s.off, "%v", errTorn)
			v.lostWay = true
			return nil
		case errors.As(err, &damage):
			v.report.Problems = append(v.report.Problems, *damage)
			v.lostWay = true
			return nil
		case err != nil:
			return err
		}
		if wrong := v.record(&rec); wrong != "" {
			if isLast && v.known && (number > v.ack.seg || rec.at >= v.ack.end && number == v.ack.seg) {
				v.report.Torn = s.end - rec.at
				return nil
			}
			v.problem(path, rec.at, "%s", wrong)
		}
		v.at = Head{Records: rec.seq, Link: rec.link}
		v.count(&rec)
	}
}

// record returns what is wrong with a record, or "".
func (v *verifier) record(rec *record) string {
	if wrong := rec.follows(v.at); wrong != "" {
		return wrong
	}
	if v.known && rec.seq == v.ack.Records {
		if rec.link != v.ack.Link {
			return "the record is not the one that was acknowledged: the log was rewritten"
		}
		v.acked = true
	}
	by, shouldBeErased := v.erasedBy[rec.id]
	shouldBeErased = shouldBeErased && rec.seq < by && (rec.kind == kindDecision || rec.kind == kindOutcome)
	shouldBeErased = shouldBeErased || v.current < v.expiry.segment && (rec.kind == kindDecision || rec.kind == kindOutcome)
	switch gone := rec.erased(); {
	case gone && !shouldBeErased:
		return "the record's content was overwritten, but no erasure is in the log"
	case !gone && shouldBeErased:
		return "the record's content is there although an erasure is in the log: open the log for writing to finish it"
	case gone:
		return ""
	case !rec.intact():
		return "the record's content does not match its checksum"
	case !rec.committed():
		return "the record's content is not what the chain committed to: it was replaced"
	}
	return ""
}

func (v *verifier) count(rec *record) {
	switch rec.kind {
	case kindDecision:
		v.report.Decisions++
		if rec.erased() {
			v.report.Erased++
		}
	case kindOutcome:
		v.report.Outcomes++
	case kindLoss:
		if lost, was, err := decodeLoss(rec.content()); err == nil {
			v.report.Losses = append(v.report.Losses, Loss{Number: rec.seq, Lost: lost, Was: was})
		}
	}
}

// end compares the end of the log with the acknowledged one.
func (v *verifier) end() {
	v.report.Head = v.at
	if !v.known {
		return
	}
	head := filepath.Join(v.dir, headName)
	switch {
	case v.at.Records < v.ack.Records:
		v.problem(head, 0, "%d acknowledged records are missing at the end of the log", v.ack.Records-v.at.Records)
	case v.ack.Records > 0 && !v.acked && v.report.OK():
		v.problem(head, 0, "the acknowledged head is not in the log")
	}
}
