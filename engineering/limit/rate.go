package limit

import (
	"errors"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Rate says how often something may happen: PerSecond times a second in the
// long run, and Burst times at once. The zero value is no limit.
type Rate struct {
	PerSecond float64 `json:"per_second"`
	Burst     int     `json:"burst,omitempty"` // 0: a second's worth, at least 1
}

// fastest bounds rates to what a clock of nanoseconds can tell apart.
const fastest = 1e6

// ParseRate reads "100/s", "600/m" or "1000/h"; "" is no limit. A burst of 0 is
// a second's worth.
func ParseRate(text string, burst int) (Rate, error) {
	bad := errors.New("a rate is a number of requests for each second, minute or hour: 100/s, 600/m, 1000/h")
	if burst < 0 || burst > fastest {
		return Rate{}, errors.New("a burst is a number of requests, at most 1000000")
	}
	if text == "" {
		if burst != 0 {
			return Rate{}, errors.New("a burst needs a rate")
		}
		return Rate{}, nil
	}
	number, unit, _ := strings.Cut(text, "/")
	n, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return Rate{}, bad
	}
	switch unit {
	case "s":
	case "m":
		n /= 60
	case "h":
		n /= 3600
	default:
		return Rate{}, bad
	}
	r := Rate{PerSecond: n, Burst: burst}
	if !r.Valid() || !r.Limited() {
		return Rate{}, bad
	}
	return r, nil
}

// Valid reports whether a rate makes sense: none, or from one a day to a
// million a second.
func (r Rate) Valid() bool {
	return r == Rate{} || r.PerSecond >= 1./86400 && r.PerSecond <= fastest && r.Burst >= 0 && r.Burst <= fastest
}

// Limited reports whether there is a limit.
func (r Rate) Limited() bool { return r.PerSecond > 0 }

// burst returns how many may come at once.
func (r Rate) burst() int {
	if r.Burst > 0 {
		return r.Burst
	}
	return int(math.Ceil(max(1, r.PerSecond)))
}

// String writes a rate as ParseRate reads it, with its burst.
func (r Rate) String() string {
	if !r.Limited() {
		return "no limit"
	}
	n, unit := r.PerSecond, "/s"
	if n < 1 {
		if n, unit = n*60, "/m"; n < 1 {
			n, unit = n*60, "/h"
		}
	}
	return strconv.FormatFloat(n, 'g', 6, 64) + unit + ", " + strconv.Itoa(r.burst()) + " at once"
}

// Rates bounds how often each of many callers may come, by the generic cell
// rate algorithm (ITU-T I.371): of each it knows only when the next one would be
// due if all had come evenly. Its methods are safe for concurrent use; the zero
// value is ready.
//
// At most 20,000 callers are remembered. When there are more, those are
// forgotten whose limit is untouched by now; if most are touched, all of them:
// who has so many names gets past any limit by name, but costs no memory.
type Rates struct {
	mu  sync.Mutex
	due map[string]time.Time
}

const mostCallers = 20_000

// Allow counts a request of a caller and reports whether it may come at now; if
// not, it is not counted, and wait says after how long the next one may.
func (r *Rates) Allow(caller string, rate Rate, now time.Time) (wait time.Duration, ok bool) {
	if !rate.Limited() {
		return 0, true
	}
	every := time.Duration(float64(time.Second) / rate.PerSecond)
	r.mu.Lock()
	defer r.mu.Unlock()
	due, known := r.due[caller]
	if due.Before(now) {
		due = now
	}
	if ahead := due.Sub(now); ahead > time.Duration(rate.burst()-1)*every {
		return ahead - time.Duration(rate.burst()-1)*every, false
	}
	if !known && len(r.due) >= mostCallers {
		r.forget(now)
	}
	if r.due == nil {
		r.due = make(map[string]time.Time)
	}
	r.due[caller] = due.Add(every)
	return 0, true
}

// forget makes room, so much that it is rarely called.
func (r *Rates) forget(now time.Time) {
	for caller, due := range r.due {
		if !due.After(now) {
			delete(r.due, caller)
		}
	}
	if len(r.due) > mostCallers/2 {
		clear(r.due)
	}
}

// RetryAfter returns what the header Retry-After says of a wait.
func RetryAfter(wait time.Duration) string {
	return strconv.Itoa(int(wholeSeconds(wait, time.Hour) / time.Second))
}

// Address names who is at a remote address, host:port: the host, or of IPv6,
// where one caller has many, the first 64 bits.
func Address(remote string) string {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.Is6() && !ip.IsLoopback() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
