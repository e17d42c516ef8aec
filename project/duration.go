package project

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// units of a duration, longest first. A day is 24 hours and a week seven days,
// whatever the calendar says.
var units = []struct {
	name string
	size time.Duration
}{
	{"w", 7 * 24 * time.Hour},
	{"d", 24 * time.Hour},
	{"h", time.Hour},
	{"m", time.Minute},
	{"s", time.Second},
	{"ms", time.Millisecond},
}

// ParseDuration reads a duration such as "60s", "1d12h", "1.5h" or "2w": one
// or more decimal numbers, each with a unit of w, d, h, m, s or ms. "0" needs
// no unit. Signs, exponents and spaces are refused, as is more than about 290
// years.
func ParseDuration(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	var total time.Duration
	rest := s
	for rest != "" {
		n := len(rest) - len(strings.TrimLeft(rest, "0123456789."))
		m := n + len(rest[n:]) - len(strings.TrimLeft(rest[n:], "abcdefghijklmnopqrstuvwxyz"))
		v, err := strconv.ParseFloat(rest[:n], 64)
		size := unitSize(rest[n:m])
		switch {
		case n == 0 || err != nil:
			return 0, fmt.Errorf("%q is not a duration such as 60s, 6h, 1d or 2w", s)
		case n == len(rest):
			return 0, fmt.Errorf("%q has no unit; write %ss for seconds, or use ms, m, h, d, w", s, s)
		case size == 0:
			return 0, fmt.Errorf("%q is not a duration: the units are ms, s, m, h, d, w", s)
		}
		part := math.Round(v * float64(size))
		if part+float64(total) >= math.MaxInt64 {
			return 0, fmt.Errorf("%q is too long a duration", s)
		}
		total += time.Duration(part)
		rest = rest[m:]
	}
	if s == "" {
		return 0, fmt.Errorf("%q is not a duration such as 60s, 6h, 1d or 2w", s)
	}
	return total, nil
}

func unitSize(name string) time.Duration {
	for _, u := range units {
		if u.name == name {
			return u.size
		}
	}
	return 0
}

// FormatDuration writes a non-negative duration the way [ParseDuration] reads
// it: "1d12h", "0s". Parts below a millisecond are dropped.
func FormatDuration(d time.Duration) string {
	var b strings.Builder
	for _, u := range units {
		if n := d / u.size; n > 0 && (u.name != "w" || d%u.size == 0) {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.size
		}
	}
	if b.Len() == 0 {
		return "0s"
	}
	return b.String()
}
