package decisions

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/tandem-ml/tandem/bundle"
)

// A payload is what a record says, without its place in the chain. Numbers are
// written as their bits, since a replayed decision must agree with the logged
// one bit for bit; texts are a length and bytes. docs/decision-log.md has the
// layout.

const payloadVersion = 1

// The kinds of value a reason can carry.
const (
	valueNil    = 0
	valueNumber = 1
	valueString = 2
	valueFalse  = 3
	valueTrue   = 4
)

var errPayload = errors.New("the record's content cannot be read")

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendFloat(b []byte, x float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
}

// appendDecision appends the payload of d. The id and the time are in the
// record's head.
func appendDecision(b []byte, d *Decision) ([]byte, error) {
	b = append(b, payloadVersion)
	for _, s := range [...]string{d.Project, d.Key, d.Bundle, d.Model, d.RequestID, d.Decision} {
		b = appendString(b, s)
	}
	b = appendFloat(b, d.Margin)
	b = appendFloat(b, d.Score)
	b = binary.AppendUvarint(b, uint64(len(d.Reasons)))
	for i := range d.Reasons {
		r := &d.Reasons[i]
		b = appendString(b, r.Column)
		switch v := r.Value.(type) {
		case nil:
			b = append(b, valueNil)
		case float64:
			b = appendFloat(append(b, valueNumber), v)
		case string:
			b = appendString(append(b, valueString), v)
		case bool:
			if v {
				b = append(b, valueTrue)
			} else {
				b = append(b, valueFalse)
			}
		default:
			return nil, fmt.Errorf("decision %q: reason %q has a value of type %T; only numbers, texts, booleans and nil can be logged", d.ID, r.Column, v)
		}
		b = appendFloat(b, r.Contribution)
		b = appendString(b, r.Text)
	}
	b = binary.AppendUvarint(b, uint64(len(d.Inputs)))
	return append(b, d.Inputs...), nil
}

// decodeDecision reads what appendDecision wrote, head fields excepted.
func decodeDecision(p []byte) (Decision, error) {
	r := payloadReader{b: p}
	r.version()
	var d Decision
	for _, s := range [...]*string{&d.Project, &d.Key, &d.Bundle, &d.Model, &d.RequestID, &d.Decision} {
		*s = r.string()
	}
	d.Margin = r.float()
	d.Score = r.float()
	n := r.uvarint()
	if n > maxReasons {
		return Decision{}, errPayload
	}
	for i := uint64(0); i < n && !r.bad; i++ {
		reason := bundle.Reason{Column: r.string()}
		switch r.byte() {
		case valueNil:
		case valueNumber:
			reason.Value = r.float()
		case valueString:
			reason.Value = r.string()
		case valueFalse:
			reason.Value = false
		case valueTrue:
			reason.Value = true
		default:
			r.bad = true
		}
		reason.Contribution = r.float()
		reason.Text = r.string()
		d.Reasons = append(d.Reasons, reason)
	}
	if in := r.string(); in != "" {
		d.Inputs = []byte(in)
	}
	return d, r.end()
}

// decodeNames reads only the project and the key of a decision's payload: all
// that the index needs.
func decodeNames(p []byte) (project, key []byte, err error) {
	r := payloadReader{b: p}
	r.version()
	project, key = r.bytes(), r.bytes()
	if r.bad {
		return nil, nil, errPayload
	}
	return project, key, nil
}

func appendOutcome(b []byte, o *Outcome) []byte {
	return appendString(append(b, payloadVersion), o.Value)
}

func decodeOutcome(p []byte) (Outcome, error) {
	r := payloadReader{b: p}
	r.version()
	return Outcome{Value: r.string()}, r.end()
}

// appendLoss writes how many acknowledged records were missing when the log
// was opened, and the head that had been acknowledged.
func appendLoss(b []byte, lost uint64, was Head) []byte {
	b = append(b, payloadVersion)
	b = binary.LittleEndian.AppendUint64(b, lost)
	b = binary.LittleEndian.AppendUint64(b, was.Records)
	return append(b, was.Link[:]...)
}

func decodeLoss(p []byte) (lost uint64, was Head, err error) {
	if len(p) != 1+8+8+32 || p[0] != payloadVersion {
		return 0, Head{}, errPayload
	}
	was.Records = binary.LittleEndian.Uint64(p[9:])
	copy(was.Link[:], p[17:])
	return binary.LittleEndian.Uint64(p[1:]), was, nil
}

// appendBoundary writes what an expiry or a removal speaks of: the first segment
// that it spares, and the head of the log before that one.
func appendBoundary(b []byte, at boundary) []byte {
	b = append(b, payloadVersion)
	b = binary.LittleEndian.AppendUint32(b, at.segment)
	b = binary.LittleEndian.AppendUint64(b, at.Records)
	return append(b, at.Link[:]...)
}

func decodeBoundary(p []byte) (boundary, error) {
	if len(p) != 1+4+8+32 || p[0] != payloadVersion {
		return boundary{}, errPayload
	}
	at := boundary{segment: binary.LittleEndian.Uint32(p[1:])}
	at.Records = binary.LittleEndian.Uint64(p[5:])
	copy(at.Link[:], p[13:])
	return at, nil
}

// payloadReader takes a payload apart. After a read beyond the end it returns
// zero values and bad is true.
type payloadReader struct {
	b   []byte
	bad bool
}

func (r *payloadReader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *payloadReader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *payloadReader) version() {
	if r.byte() != payloadVersion {
		r.bad = true
	}
}

func (r *payloadReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if r.bad || n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *payloadReader) bytes() []byte  { return r.take(r.uvarint()) }
func (r *payloadReader) string() string { return string(r.bytes()) }

func (r *payloadReader) float() float64 {
	if b := r.take(8); b != nil {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return 0
}

func (r *payloadReader) end() error {
	if r.bad || len(r.b) > 0 {
		return errPayload
	}
	return nil
}

func fromMicro(us int64) time.Time { return time.UnixMicro(us).UTC() }
