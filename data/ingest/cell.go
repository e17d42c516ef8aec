package ingest

import (
	"bytes"
	"math"
	"strconv"
)

// form is what a cell holds before its column's kind is known.
type form uint8

const (
	absent  form = iota // missing
	text                // characters that may spell a number or a time
	number              // a number that the file itself types as one
	instant             // microseconds since 1970, likewise
)

// cell is one value of a record. Its text is valid until the next record.
type cell struct {
	form form
	text []byte
	num  float64
	us   int64
}

// setText makes c a text, or absent if it is blank.
func (c *cell) setText(b []byte) {
	c.form, c.text = text, b
	if len(b) == 0 || b[0] <= ' ' && len(trim(b)) == 0 {
		c.form = absent
	}
}

// marksMissing reports whether a cell of a CSV file says that it has no value.
func marksMissing(b []byte) bool {
	switch b = trim(b); len(b) {
	case 0:
		return true
	case 1:
		return b[0] == '?'
	case 2, 3, 4:
		switch string(b) {
		case "NA", "N/A", "NaN", "nan", "NULL", "null":
			return true
		}
	}
	return false
}

// trim cuts blanks off both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	for n := len(b); n > 0 && (b[n-1] == ' ' || b[n-1] == '\t' || b[n-1] == '\r' || b[n-1] == '\n'); n-- {
		b = b[:n-1]
	}
	return b
}

// shape is how a number is written.
type shape uint8

const (
	notNumber shape = iota
	fraction        // with a point, an exponent, or infinite
	whole           // digits alone, at most 2^53
	beyond          // digits alone, more than a float64 can hold exactly
	padded          // digits with a leading zero, as codes have
)

// exact powers of ten: multiplying or dividing a whole number below 2^53 by one
// of them rounds once, so the result is the nearest float64 (Clinger, 1990).
var powers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// parseNumber reads a decimal number, blanks around it allowed: 12, -0.5, .5,
// 5., 1e-3, inf, -Infinity. A number too large for a float64 is not one.
func parseNumber(b []byte) (float64, shape) {
	if x, s := parseShort(b); s != notNumber {
		return x, s
	}
	b = trim(b)
	i, negative := 0, false
	if i < len(b) && (b[i] == '-' || b[i] == '+') {
		negative = b[i] == '-'
		i++
	}
	start := i
	var mantissa uint64
	digits, power := 0, 0 // significant digits read into mantissa; power of ten it needs
	point, any := false, false
	for ; i < len(b); i++ {
		c := b[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		any = true
		if digits < 19 {
			mantissa = mantissa*10 + uint64(c-'0')
			if mantissa > 0 {
				digits++
			}
			if point {
				power--
			}
		} else {
			digits++ // too long for the short way
		}
	}
	if !any {
		return infinity(b[start:], negative)
	}
	s := fraction
	if !point && i == len(b) {
		s = whole
		switch {
		case b[start] == '0' && i-start > 1:
			s = padded
		case digits > 19 || mantissa > 1<<53:
			s = beyond
		}
	}
	if i < len(b) {
		if b[i] != 'e' && b[i] != 'E' {
			return 0, notNumber
		}
		exponent, ok := parseExponent(b[i+1:])
		if !ok {
			return 0, notNumber
		}
		power += exponent
	}
	if digits <= 19 && mantissa < 1<<53 && power >= -22 && power <= 22 {
		x := float64(mantissa)
		if power < 0 {
			x /= powers[-power]
		} else {
			x *= powers[power]
		}
		if negative && x != 0 { // there is one zero
			x = -x
		}
		return x, s
	}
	x, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return 0, notNumber
	}
	return x, s
}

// parseShort is parseNumber for what most cells hold: at most 19 digits, perhaps
// with a point, perhaps with a minus before. It says notNumber of all others.
func parseShort(b []byte) (float64, shape) {
	i, negative := 0, false
	if len(b) > 0 && b[0] == '-' {
		i, negative = 1, true
	}
	start := i
	if len(b)-start > 19 {
		return 0, notNumber
	}
	var mantissa uint64
	for ; i < len(b); i++ {
		c := b[i] - '0'
		if c > 9 {
			break
		}
		mantissa = mantissa*10 + uint64(c)
	}
	s := whole
	x := float64(mantissa)
	if i == len(b) {
		if i == start || b[start] == '0' && i-start > 1 || mantissa >= 1<<53 {
			return 0, notNumber
		}
	} else {
		if b[i] != '.' || len(b)-start == 1 {
			return 0, notNumber
		}
		point := i
		for i++; i < len(b); i++ {
			c := b[i] - '0'
			if c > 9 {
				return 0, notNumber
			}
			mantissa = mantissa*10 + uint64(c)
		}
		if mantissa >= 1<<53 {
			return 0, notNumber
		}
		s = fraction
		x = float64(mantissa) / powers[len(b)-1-point]
	}
	if negative && mantissa != 0 { // there is one zero
		x = -x
	}
	return x, s
}

func parseExponent(b []byte) (int, bool) {
	i := 0
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		i = 1
	}
	if i == len(b) {
		return 0, false
	}
	e := 0
	for _, c := range b[i:] {
		if c < '0' || c > '9' {
			return 0, false
		}
		e = min(e*10+int(c-'0'), 1_000_000)
	}
	if b[0] == '-' {
		e = -e
	}
	return e, true
}

func infinity(b []byte, negative bool) (float64, shape) {
	if len(b) != 3 && len(b) != 8 || b[0]|' ' != 'i' {
		return 0, notNumber
	}
	if !bytes.EqualFold(b, []byte("inf")) && !bytes.EqualFold(b, []byte("infinity")) {
		return 0, notNumber
	}
	if negative {
		return math.Inf(-1), fraction
	}
	return math.Inf(1), fraction
}

// layout is the order of day, month and year.
type layout uint8

const (
	noLayout layout = iota
	ymd             // 2026-01-31, 2026/01/31
	dmy             // 31/01/2026, 31.01.2026, 31-01-2026
	mdy             // 01/31/2026, 01-31-2026
	dmyShort        // 31/01/26
	mdyShort        // 01/31/26
	named           // 31-Jan-2026, January 31, 2026
	layouts
)

// shortened reports whether years have two digits.
func (l layout) shortened() bool { return l == dmyShort || l == mdyShort }

// parseTime reads a date, with a time of day and a zone or without, in UTC
// where no zone is given. Days that do not exist are refused.
func parseTime(b []byte, l layout) (us int64, ok bool) {
	if l == named {
		return parseNamed(b)
	}
	b = trim(b)
	if len(b) < 6 || b[0] < '0' || b[0] > '9' {
		return 0, false
	}
	var parts [3]int
	var separator byte
	i := 0
	for k := range parts {
		from := i
		for i < len(b) && i-from < 4 && b[i] >= '0' && b[i] <= '9' {
			parts[k] = parts[k]*10 + int(b[i]-'0')
			i++
		}
		long := l == ymd && k == 0 || (l == dmy || l == mdy) && k == 2
		if n := i - from; long && n != 4 || !long && n != 1 && n != 2 || l.shortened() && k == 2 && n != 2 {
			return 0, false
		}
		if k == 2 {
			break
		}
		if i == len(b) || k == 1 && b[i] != separator {
			return 0, false
		}
		separator = b[i]
		if separator != '-' && separator != '/' && (separator != '.' || l != dmy && l != dmyShort) {
			return 0, false
		}
		i++
	}
	year, month, day := parts[0], parts[1], parts[2]
	switch l {
	case dmy, dmyShort:
		year, month, day = parts[2], parts[1], parts[0]
	case mdy, mdyShort:
		year, month, day = parts[2], parts[0], parts[1]
	}
	if l.shortened() {
		year = century(year)
	}
	return date(year, month, day, b[i:])
}

// parseClock reads what follows a date: nothing, or "T" or a blank, hh:mm, with
// seconds and their fraction, "a.m." or "PM", and a zone or without; after a
// blank the hour may have one digit. It returns microseconds
// since midnight UTC of that date; fractions beyond microseconds are cut off.
func parseClock(b []byte) (us int64, ok bool) {
	if len(b) == 0 {
		return 0, true
	}
	if len(b) < 5 || b[0] != 'T' && b[0] != ' ' {
		return 0, false
	}
	if b[0] == ' ' && b[2] == ':' && b[1] >= '0' && b[1] <= '9' {
		var padded [40]byte // 7:10 as 07:10
		if len(b) >= len(padded) {
			return 0, false
		}
		padded[1] = '0'
		n := 2 + copy(padded[2:], b[1:])
		padded[0] = ' '
		b = padded[:n]
	}
	if len(b) < 6 {
		return 0, false
	}
	hour, ok1 := two(b[1:])
	minute, ok2 := two(b[4:])
	if !ok1 || !ok2 || b[3] != ':' || hour > 23 || minute > 59 {
		return 0, false
	}
	us = (int64(hour)*60 + int64(minute)) * 60e6
	b = b[6:]
	if len(b) >= 3 && b[0] == ':' {
		second, ok := two(b[1:])
		if !ok || second > 59 {
			return 0, false
		}
		us += int64(second) * 1e6
		b = b[3:]
		if len(b) >= 2 && b[0] == '.' {
			b = b[1:]
			for unit := int64(1e5); len(b) > 0 && b[0] >= '0' && b[0] <= '9'; unit /= 10 {
				us += int64(b[0]-'0') * unit
				b = b[1:]
			}
		}
	}
	b = trim(b)
	if half, n := halfDay(b); n > 0 {
		if hour < 1 || hour > 12 {
			return 0, false
		}
		us += (int64(hour%12+half) - int64(hour)) * 3600e6
		b = trim(b[n:])
	}
	switch {
	case len(b) == 0, string(b) == "Z", string(b) == "UTC":
		return us, true
	case b[0] != '+' && b[0] != '-':
		return 0, false
	}
	zoneHour, ok := two(b[1:])
	zoneMinute := 0
	rest := b[min(len(b), 3):]
	if len(rest) > 0 && rest[0] == ':' {
		rest = rest[1:]
	}
	if ok && len(rest) > 0 {
		zoneMinute, ok = two(rest)
		ok = ok && len(rest) == 2
	}
	if !ok || zoneHour > 15 || zoneMinute > 59 {
		return 0, false
	}
	offset := int64(zoneHour*60+zoneMinute) * 60e6
	if b[0] == '-' {
		offset = -offset
	}
	return us - offset, true
}

// halfDay returns the hours before the half of the day that b begins with, 0 or
// 12, and how long it is: AM, pm, a.m., P.M.
func halfDay(b []byte) (hours, n int) {
	if len(b) < 2 || b[0]|' ' != 'a' && b[0]|' ' != 'p' {
		return 0, 0
	}
	if b[0]|' ' == 'p' {
		hours = 12
	}
	switch {
	case b[1]|' ' == 'm':
		return hours, 2
	case len(b) >= 4 && b[1] == '.' && b[2]|' ' == 'm' && b[3] == '.':
		return hours, 4
	}
	return 0, 0
}

// two reads the two digits that b begins with.
func two(b []byte) (int, bool) {
	if len(b) < 2 || b[0] < '0' || b[0] > '9' || b[1] < '0' || b[1] > '9' {
		return 0, false
	}
	return int(b[0]-'0')*10 + int(b[1]-'0'), true
}
