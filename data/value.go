package data

import (
	"strconv"
	"time"
)

// timeLayouts are the forms in which a time is accepted as one value; those
// without a zone are UTC. A fraction of a second may follow the seconds.
var timeLayouts = [...]string{time.RFC3339, "2006-01-02", "2006-01-02 15:04:05"}

// ParseTime reads a time as RFC 3339, "2006-01-02" or "2006-01-02 15:04:05",
// the last two in UTC, into microseconds since 1970; ok is false for any other
// text.
func ParseTime(s string) (us int64, ok bool) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UnixMicro(), true
		}
	}
	return MissingTime, false
}

// ParseNumber reads a decimal number, infinities among them; ok is false for
// any other text, "nan" among them.
func ParseNumber(s string) (x float64, ok bool) {
	x, err := strconv.ParseFloat(s, 64)
	return x, err == nil && x == x
}
