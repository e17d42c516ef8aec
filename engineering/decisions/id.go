package decisions

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/tandem-ml/tandem/data"
)

type id [16]byte

// ids makes UUIDs of version 7 (RFC 9562): 48 bits of milliseconds, a counter
// of 12 bits, 62 random bits. Within one process they never go backwards as
// long as the time does not.
type ids struct {
	mu   sync.Mutex
	last uint64 // milliseconds<<12 | counter of the newest id
}

func (g *ids) make(t time.Time) id {
	now := uint64(max(t.UnixMilli(), 0)) << 12
	g.mu.Lock()
	// A clock that stands still, or was set back by less than a minute, counts
	// on. One that was set back further, as by a simulation that starts anew,
	// is believed.
	const minute = 60_000 << 12
	if now <= g.last && g.last-now < minute {
		now = g.last + 1
	}
	g.last = now
	g.mu.Unlock()

	var u id
	rand.Read(u[8:]) // never fails: see crypto/rand.Read
	binary.BigEndian.PutUint64(u[:8], now>>12<<16|0x7000|now&0xfff)
	u[8] = u[8]&0x3f | 0x80
	return u
}

// age returns the beginning of an id that NewID made, which for those that are made
// later is larger, but for clocks that are set back; 0 of any other id.
func (u id) age() uint64 {
	if u[6]>>4 != 7 {
		return 0
	}
	return binary.BigEndian.Uint64(u[:8])
}

// String returns the usual text of a UUID.
func (u id) String() string {
	var b [36]byte
	hex.Encode(b[:8], u[:4])
	hex.Encode(b[9:13], u[4:6])
	hex.Encode(b[14:18], u[6:8])
	hex.Encode(b[19:23], u[8:10])
	hex.Encode(b[24:], u[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// parseID reads the text that String writes, and nothing else: two texts must
// never mean the same decision.
func parseID(s string) (id, error) {
	if u, ok := idOf(s); ok {
		return u, nil
	}
	return id{}, data.WithHint(fmt.Errorf("%q is not the id of a decision", clip(s)),
		"an id looks like 0192f0c1-7a3e-7c55-8f6b-2d9a4e1b7c30 and stands in the answer to a scoring request")
}

func idOf(s string) (u id, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id{}, false
	}
	at := 0
	for i := range u {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			at++ // of a dash
		}
		high, low := digits[s[at]], digits[s[at+1]]
		if high|low > 15 {
			return id{}, false
		}
		u[i], at = high<<4|low, at+2
	}
	return u, u != id{}
}

// digits are the values of hex digits, small ones only; of all else, 255.
var digits = func() (out [256]byte) {
	for c := range out {
		out[c] = 255
	}
	for v, c := range []byte("0123456789abcdef") {
		out[c] = byte(v)
	}
	return out
}()

// clip keeps a text that came from outside short enough for a message.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "..."
	}
	return s
}

// NewID returns a fresh id for a decision made at t. Ids sort by t, and by the
// order of the calls within a millisecond; they contain 62 random bits, so they
// cannot be guessed. Safe for concurrent use.
func (l *Log) NewID(t time.Time) string { return l.ids.make(t).String() }
