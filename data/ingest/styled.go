package ingest

import (
	"bytes"
	"unicode/utf8"
)

// Numbers as people write them: 1,234.56, 1.234,56 €, $ 5, (1 234), 12%, CHF
// 1'234.50, 12-. A column decides which mark is the decimal one; a cell alone
// cannot: 1,234 is one thousand to some and one and a bit to others.

// style is how the numbers of a column are written.
type style uint8

const (
	plain  style = iota // as parseNumber reads them
	points              // decimal point; commas, blanks or apostrophes between thousands
	commas              // decimal comma; points, blanks or apostrophes between thousands
)

// written is what a cell that parseNumber refuses looks like.
type written struct {
	points, commas bool // it is a number in that style
	percent        bool
	unit           string // currency: a symbol or an ISO code
}

// symbols of currencies, and the codes that stand for them in messages.
var symbols = [...]string{"$", "€", "£", "¥", "₹", "₽", "₺", "₩", "zł", "Kč", "kr"}

var codes = map[string]bool{"USD": true, "EUR": true, "GBP": true, "CHF": true, "JPY": true, "CNY": true, "INR": true, "CAD": true, "AUD": true,
	"NZD": true, "SEK": true, "NOK": true, "DKK": true, "PLN": true, "CZK": true, "HUF": true, "RON": true, "BGN": true, "RUB": true, "UAH": true,
	"TRY": true, "ILS": true, "ZAR": true, "BRL": true, "MXN": true, "ARS": true, "CLP": true, "COP": true, "KRW": true, "HKD": true, "SGD": true,
	"TWD": true, "THB": true, "IDR": true, "MYR": true, "PHP": true, "VND": true, "AED": true, "SAR": true, "EGP": true, "NGN": true, "KES": true}

// mayBeUnit holds the first and the last bytes of symbols and codes: most words
// need not be compared with each of them.
var mayBeUnit = func() (at [256]bool) {
	mark := func(s string) { at[s[0]], at[s[len(s)-1]] = true, true }
	for _, s := range symbols {
		mark(s)
	}
	for code := range codes {
		mark(code)
	}
	return at
}()

// longestNumber is the longest cell that is looked at: no number is longer.
const longestNumber = 64

// look tells how a cell that is no plain number writes one; the zero value if
// it does not.
func look(b []byte) (w written) {
	core, w, _, ok := strip(b)
	if !ok {
		return written{}
	}
	if c := core[0] | ' '; c >= 'a' && c <= 'z' {
		return written{}
	}
	w.points, w.commas = grouped(core, '.'), grouped(core, ',')
	if !w.points && !w.commas {
		return written{}
	}
	return w
}

// parseStyled reads a number in a style.
func parseStyled(b []byte, s style) (float64, bool) {
	core, _, negative, ok := strip(b)
	decimal := byte('.')
	if s == commas {
		decimal = ','
	}
	if !ok || !grouped(core, decimal) {
		return 0, false
	}
	var digits [longestNumber + 1]byte
	n := 0
	for i := 0; i < len(core); i++ {
		switch c := core[i]; {
		case c >= '0' && c <= '9':
			digits[n] = c
			n++
		case c == decimal:
			digits[n] = '.'
			n++
		}
	}
	x, shape := parseNumber(digits[:n])
	if negative && x != 0 {
		x = -x
	}
	return x, shape != notNumber
}

// strip takes the sign, the brackets of a negative amount, the currency and the
// percent sign off a cell. What is left begins and ends with a digit or a mark.
func strip(b []byte) (core []byte, w written, negative, ok bool) {
	b = trimWide(b)
	if len(b) == 0 || len(b) > longestNumber {
		return nil, w, false, false
	}
	if n := len(b); b[0] == '(' && b[n-1] == ')' {
		negative = true
		b = trimWide(b[1 : n-1])
	}
	signed := negative
	sign := func() bool {
		if len(b) == 0 || b[0] != '-' && b[0] != '+' && b[0] < 0x80 {
			return true
		}
		for _, minus := range [...]string{"-", "+", "−"} {
			if rest, found := bytes.CutPrefix(b, []byte(minus)); found {
				if signed {
					return false
				}
				signed, negative, b = true, minus != "+", trimWide(rest)
				return true
			}
		}
		return true
	}
	if !sign() {
		return nil, w, false, false
	}
	if u, n := unitBefore(b); n > 0 {
		w.unit, b = u, trimWide(b[n:])
		if !sign() {
			return nil, w, false, false
		}
	}
	if n := len(b); n > 0 && b[n-1] == '-' && !signed {
		signed, negative, b = true, true, trimWide(b[:n-1])
	}
	if n := len(b); n > 0 && b[n-1] == '%' {
		w.percent, b = true, trimWide(b[:n-1])
	} else if u, n := unitAfter(b); n > 0 && w.unit == "" {
		w.unit, b = u, trimWide(b[:len(b)-n])
	}
	if n := len(b); n > 0 && b[n-1] == '-' && !signed {
		negative, b = true, trimWide(b[:n-1])
	}
	return b, w, negative, len(b) > 0
}

func unitBefore(b []byte) (string, int) {
	if len(b) == 0 || !mayBeUnit[b[0]] {
		return "", 0
	}
	for _, s := range symbols {
		if bytes.HasPrefix(b, []byte(s)) {
			return s, len(s)
		}
	}
	if len(b) > 3 && codes[string(b[:3])] {
		return string(b[:3]), 3
	}
	return "", 0
}

func unitAfter(b []byte) (string, int) {
	if len(b) == 0 || !mayBeUnit[b[len(b)-1]] {
		return "", 0
	}
	for _, s := range symbols {
		if bytes.HasSuffix(b, []byte(s)) {
			return s, len(s)
		}
	}
	if n := len(b); n > 3 && codes[string(b[n-3:])] {
		return string(b[n-3:]), 3
	}
	return "", 0
}

// grouped reports whether b is digits, perhaps in groups of three with one mark
// between them, perhaps with the decimal mark and digits after it.
func grouped(b []byte, decimal byte) bool {
	i, run, groups := 0, 0, 0
	var mark string
	for i < len(b) {
		c := b[i]
		if c >= '0' && c <= '9' {
			run++
			i++
			continue
		}
		if c == decimal {
			break
		}
		m, n := groupMark(b[i:])
		if n == 0 || mark != "" && m != mark || groups == 0 && (run < 1 || run > 3) || groups > 0 && run != 3 {
			return false
		}
		mark, run = m, 0
		groups++
		i += n
	}
	if groups > 0 && run != 3 {
		return false
	}
	if i == len(b) {
		return run > 0
	}
	fraction := b[i+1:]
	for _, c := range fraction {
		if c < '0' || c > '9' {
			return false
		}
	}
	return run+len(fraction) > 0
}

// groupMark returns the mark between thousands that b begins with.
func groupMark(b []byte) (string, int) {
	switch b[0] {
	case ',', '.', ' ', '\'':
		return string(b[:1]), 1
	}
	switch r, n := utf8.DecodeRune(b); r {
	case '\u00a0', '\u202f', '\u2009': // blanks that do not break the line
		return " ", n
	case '’':
		return "'", n
	}
	return "", 0
}

// trimWide cuts blanks off both ends, those that do not break the line too.
func trimWide(b []byte) []byte {
	for {
		b = trim(b)
		n := len(b)
		if n == 0 || b[0] < 0x80 && b[n-1] < 0x80 {
			return b
		}
		for _, blank := range [...]string{"\u00a0", "\u202f", "\u2009"} {
			b = bytes.TrimSuffix(bytes.TrimPrefix(b, []byte(blank)), []byte(blank))
		}
		if len(b) == n {
			return b
		}
	}
}
