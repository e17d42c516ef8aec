package decisions

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
)

// The bytes of a record; docs/decision-log.md explains them. The head is
// chained and never changes. The body can be overwritten with zeros.
const (
	recHead = 108 // bytes of a record's head
	saltLen = 16
	recTail = 4 // the body's checksum
	recMin  = recHead + saltLen + recTail

	offLength = 0 // uint32: bytes of the payload
	offKind   = 4
	offSeq    = 8
	offID     = 16
	offTime   = 32
	offCommit = 40
	offLink   = 72
	offCRC    = 104
)

// kind says what a record is.
type kind byte

const (
	kindDecision kind = 1
	kindOutcome  kind = 2
	kindErasure  kind = 3 // earlier records of the same id are erased
	kindLoss     kind = 4 // acknowledged records were missing when the log was opened
	kindExpiry   kind = 5 // the content of all segments before one is erased
	kindRemoval  kind = 6 // all segments before one are removed
)

// Link is one link of the chain, a SHA-256.
type Link [32]byte

// String returns the link in hex.
func (l Link) String() string { return hex.EncodeToString(l[:]) }

// MarshalText returns the link in hex.
func (l Link) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads 64 hex digits.
func (l *Link) UnmarshalText(b []byte) error {
	if len(b) != 2*len(l) {
		return fmt.Errorf("%q is not a link of 64 hex digits", clip(string(b)))
	}
	_, err := hex.Decode(l[:], b)
	return err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// draft is a record that has no place in the chain yet. Its commitment, the
// costly part, is computed by the goroutine that appends.
type draft struct {
	kind   kind
	id     id
	time   int64
	body   []byte // salt, payload, checksum
	commit Link

	project, key string // of a decision, for the index
}

// newDraft makes a draft from buf, which holds saltLen bytes of room and then
// the payload, and becomes part of the draft.
func newDraft(k kind, u id, us int64, buf []byte) draft {
	rand.Read(buf[:saltLen]) // never fails: see crypto/rand.Read
	d := draft{kind: k, id: u, time: us, commit: sha256.Sum256(buf)}
	d.body = binary.LittleEndian.AppendUint32(buf, checksum(buf))
	return d
}

func (d *draft) payloadLen() int { return len(d.body) - saltLen - recTail }
func (d *draft) size() int       { return recHead + len(d.body) }

// appendRecord appends the draft as record number seq after the link prev, and
// returns its own link.
func appendRecord(b []byte, d *draft, seq uint64, prev Link) ([]byte, Link) {
	from := len(b)
	b = append(b, make([]byte, recHead)...) // which makes nothing
	h := b[from:]
	binary.LittleEndian.PutUint32(h[offLength:], uint32(d.payloadLen()))
	h[offKind] = byte(d.kind)
	binary.LittleEndian.PutUint64(h[offSeq:], seq)
	copy(h[offID:], d.id[:])
	binary.LittleEndian.PutUint64(h[offTime:], uint64(d.time))
	copy(h[offCommit:], d.commit[:])
	next := nextLink(prev, h)
	copy(h[offLink:], next[:])
	binary.LittleEndian.PutUint32(h[offCRC:], checksum(h[:offCRC]))
	return append(b, d.body...), next
}

// nextLink is SHA-256 of the link before and of the head up to the link.
func nextLink(prev Link, head []byte) Link {
	var b [32 + offLink]byte
	copy(b[:], prev[:])
	copy(b[len(prev):], head[:offLink])
	return sha256.Sum256(b[:])
}

// record is a record as read from a segment.
type record struct {
	at      int64 // its offset in the segment
	kind    kind
	seq     uint64
	id      id
	time    int64
	commit  Link
	link    Link
	head    [offLink]byte // the part of the head that the link covers
	body    []byte        // salt, payload, checksum; valid until the next read
	payload int           // bytes of payload
}

func (r *record) size() int64 { return recHead + saltLen + int64(r.payload) + recTail }

// content returns the payload.
func (r *record) content() []byte { return r.body[saltLen : saltLen+r.payload] }

// parseHead reads a head of recHead bytes. It returns what is wrong with it, or
// "".
func (r *record) parseHead(h []byte) string {
	if binary.LittleEndian.Uint32(h[offCRC:]) != checksum(h[:offCRC]) {
		return "the record's head does not match its checksum"
	}
	n := binary.LittleEndian.Uint32(h[offLength:])
	r.kind = kind(h[offKind])
	switch {
	case n > maxPayload:
		return "the record is longer than a record can be"
	case r.kind < kindDecision || r.kind > kindRemoval:
		return "the record is of an unknown kind"
	case h[5]|h[6]|h[7] != 0:
		return "the record's head has bits set that mean nothing"
	}
	r.payload = int(n)
	r.seq = binary.LittleEndian.Uint64(h[offSeq:])
	copy(r.id[:], h[offID:])
	r.time = int64(binary.LittleEndian.Uint64(h[offTime:]))
	copy(r.commit[:], h[offCommit:])
	copy(r.head[:], h)
	copy(r.link[:], h[offLink:])
	return ""
}

// follows reports what is wrong with the record's place after the record of
// that number and link, or "".
func (r *record) follows(before Head) string {
	switch {
	case r.seq != before.Records+1:
		return fmt.Sprintf("this is record %d where record %d belongs", r.seq, before.Records+1)
	case r.link != nextLink(before.Link, r.head[:]):
		return "the record does not follow the one before: the chain is broken"
	}
	return ""
}

// erased reports whether the body was overwritten. A body that was not cannot
// look so: its checksum is that of something else than zeros.
func (r *record) erased() bool { return allZero(r.body) }

// intact reports whether the body matches its checksum.
func (r *record) intact() bool {
	n := len(r.body) - recTail
	return binary.LittleEndian.Uint32(r.body[n:]) == checksum(r.body[:n])
}

// committed reports whether the body is what the chain committed to.
func (r *record) committed() bool {
	return sha256.Sum256(r.body[:len(r.body)-recTail]) == r.commit
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
