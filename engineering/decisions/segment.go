package decisions

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A segment is a header of segHead bytes and then records, back to back.
const (
	segMagic   = "TANDEMDL"
	segFormat  = 1
	segHead    = 64
	segSuffix  = ".seg"
	newSuffix  = ".new" // a segment whose header is being written
	maxSegment = 1 << 31
)

// segmentHeader says where a segment stands in the chain.
type segmentHeader struct {
	number uint32
	first  uint64 // sequence number of its first record
	start  Link   // the link before its first record
}

func (h *segmentHeader) encode() []byte {
	b := make([]byte, segHead)
	copy(b, segMagic)
	binary.LittleEndian.PutUint32(b[8:], segFormat)
	binary.LittleEndian.PutUint32(b[12:], h.number)
	binary.LittleEndian.PutUint64(b[16:], h.first)
	copy(b[24:], h.start[:])
	binary.LittleEndian.PutUint32(b[60:], checksum(b[:60]))
	return b
}

// parse returns what is wrong with the header, or "".
func (h *segmentHeader) parse(b []byte) string {
	switch {
	case string(b[:8]) != segMagic:
		return "this is not a segment of a decision log"
	case binary.LittleEndian.Uint32(b[60:]) != checksum(b[:60]):
		return "the segment's header does not match its checksum"
	case binary.LittleEndian.Uint32(b[8:]) != segFormat:
		return fmt.Sprintf("the segment has format %d; this version of Tandem reads format %d",
			binary.LittleEndian.Uint32(b[8:]), segFormat)
	case !allZero(b[56:60]):
		return "the segment's header has bits set that mean nothing"
	}
	h.number = binary.LittleEndian.Uint32(b[12:])
	h.first = binary.LittleEndian.Uint64(b[16:])
	copy(h.start[:], b[24:56])
	return ""
}

func segmentPath(dir string, number uint32) string {
	return filepath.Join(dir, fmt.Sprintf("%08d%s", number, segSuffix))
}

// createSegment makes the file of a segment with its header. The file gets its
// name only when the header is whole and on the disk.
func createSegment(dir string, h segmentHeader) (*os.File, error) {
	path := segmentPath(dir, h.number)
	f, err := os.OpenFile(path+newSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(h.encode())
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		f.Close()
		os.Remove(path + newSuffix)
		return nil, err
	}
	return f, nil
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// errTorn marks the end of a segment whose last record is not whole: less than
// a record is left, or nothing but zeros, as a crash leaves it.
var errTorn = errors.New("the last record is not whole")

// scanner reads the records of one segment in order and checks what can be
// checked one record at a time: checksums and lengths.
type scanner struct {
	path string
	head segmentHeader

	r    *bufio.Reader
	off  int64 // of the next record
	end  int64 // bytes there are
	body []byte
}

// newScanner reads the header of a segment of size bytes. File and header
// problems are *DamageError.
func newScanner(path string, src io.Reader, size int64) (*scanner, error) {
	s := &scanner{path: path, r: bufio.NewReaderSize(src, 1<<16), end: size}
	var b [segHead]byte
	if size < segHead {
		return nil, s.damage("the segment is shorter than its header")
	}
	if _, err := io.ReadFull(s.r, b[:]); err != nil {
		return nil, err
	}
	if wrong := s.head.parse(b[:]); wrong != "" {
		return nil, s.damage(wrong)
	}
	s.off = segHead
	return s, nil
}

func (s *scanner) damage(wrong string) *DamageError {
	return &DamageError{File: s.path, Offset: s.off, Err: wrong}
}

// next reads one record into rec. It returns io.EOF at the end, errTorn if
// what is left is the start of a record or all zeros, and a *DamageError if
// the head cannot be trusted, so that nothing behind it can be read. Whether
// the body is intact is for the caller to ask.
func (s *scanner) next(rec *record) error {
	left := s.end - s.off
	if left == 0 {
		return io.EOF
	}
	if left < recMin {
		return errTorn
	}
	h, err := s.r.Peek(recHead)
	if err != nil {
		return err
	}
	*rec = record{at: s.off}
	if wrong := rec.parseHead(h); wrong != "" {
		if allZero(h) && s.onlyZeros() {
			return errTorn
		}
		return s.damage(wrong)
	}
	if rec.size() > left {
		return errTorn
	}
	if _, err := s.r.Discard(recHead); err != nil {
		return err
	}
	n := int(rec.size()) - recHead
	if cap(s.body) < n {
		s.body = make([]byte, n+n/2)
	}
	rec.body = s.body[:n]
	if _, err := io.ReadFull(s.r, rec.body); err != nil {
		return err
	}
	s.off += rec.size()
	return nil
}

// onlyZeros reads the rest of the segment and reports whether it is all zeros.
// The scanner cannot be used after it.
func (s *scanner) onlyZeros() bool {
	var b [4096]byte
	rest := io.LimitReader(s.r, s.end-s.off)
	for {
		n, err := rest.Read(b[:])
		if !allZero(b[:n]) {
			return false
		}
		if err != nil {
			return err == io.EOF
		}
	}
}

// openSegment opens a segment for reading up to end bytes (0: all there are),
// starting at the record at offset from (0: the first).
func openSegment(path string, from, end int64) (*scanner, io.Closer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	if end == 0 {
		st, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, nil, err
		}
		end = st.Size()
	}
	s, err := newScanner(path, f, end)
	if err == nil && from > segHead {
		if _, err = f.Seek(from, io.SeekStart); err == nil {
			s.r.Reset(f)
			s.off = from
		}
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return s, f, nil
}

// place is where a record starts.
type place struct{ seg, off uint32 }

// record reads the one record at p. One whose segment was removed is ErrUnknown.
func (l *Log) record(p place) (*record, error) {
	rec, err := readRecord(l.dir, p)
	if errors.Is(err, fs.ErrNotExist) && l.removed(p.seg) {
		return nil, ErrUnknown
	}
	return rec, err
}

// readRecord reads the one record at p.
func readRecord(dir string, p place) (*record, error) {
	path := segmentPath(dir, p.seg)
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := make([]byte, recHead)
	if _, err := f.ReadAt(h, int64(p.off)); err != nil {
		return nil, fmt.Errorf("%s: byte %d: %w", path, p.off, err)
	}
	rec := &record{at: int64(p.off)}
	if wrong := rec.parseHead(h); wrong != "" {
		return nil, &DamageError{File: path, Offset: rec.at, Err: wrong}
	}
	rec.body = make([]byte, rec.size()-recHead)
	if _, err := f.ReadAt(rec.body, rec.at+recHead); err != nil {
		return nil, fmt.Errorf("%s: byte %d: %w", path, p.off, err)
	}
	return rec, nil
}
