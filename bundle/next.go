package bundle

import (
	"math"
	"strings"

	"github.com/tandem-ml/tandem/data"
)

// DecodeNext decodes the JSON object that src begins with, white space aside,
// and returns how many bytes that took. It is the quick way of strict
// [Layout.DecodeJSON] for a row inside of a larger text: it gives the same row
// and the same Extras or, with ok false, nothing, and then DecodeJSON has to
// look at the row and says what is wrong with it. That may be nothing: of
// values that are arrays or objects, which excluded fields can have, DecodeNext
// knows nothing.
func (l *Layout) DecodeNext(dst []float64, src []byte) (x Extras, n int, ok bool) {
	d := decoder{layout: l, dst: dst[:l.Cols()], in: scanner{src: src}}
	for i := range d.dst {
		d.dst[i] = math.NaN()
	}
	if !d.nextObject() {
		return Extras{}, 0, false
	}
	for _, j := range l.required {
		if d.dst[j] != d.dst[j] {
			return Extras{}, 0, false
		}
	}
	if len(d.extras.Values) > 1 {
		d.sortExtras()
	}
	return d.extras, d.in.pos, true
}

func (d *decoder) nextObject() bool {
	in, l := &d.in, d.layout
	var few [4]uint64 // a bit for each known field that was seen
	seen := few[:]
	if len(l.known) > 64*len(few) {
		seen = make([]uint64, (len(l.known)+63)/64)
	}
	if in.next() != '{' {
		return false
	}
	in.pos++
	if in.next() == '}' {
		in.pos++
		return true
	}
	// Most rows come in the order of the contract: the next name is compared
	// before it is looked for.
	for expect := 0; ; {
		if in.next() != '"' {
			return false
		}
		k := expect
		if k < len(l.quoted) && l.quoted[k] != "" && in.comes(l.quoted[k]) {
			in.pos += len(l.quoted[k])
		} else {
			name, ok := in.string()
			if !ok {
				return false
			}
			if k, ok = l.names[string(name)]; !ok {
				return false
			}
		}
		expect = k + 1
		bit := uint64(1) << (k & 63)
		if seen[k>>6]&bit != 0 || in.next() != ':' {
			return false
		}
		seen[k>>6] |= bit
		in.pos++
		in.next()
		if !d.nextValue(k) {
			return false
		}
		switch in.next() {
		case ',':
			in.pos++
		case '}':
			in.pos++
			return true
		default:
			return false
		}
	}
}

// nextValue takes the value of known field k.
func (d *decoder) nextValue(k int) bool {
	f := &d.layout.known[k]
	if f.Kind == data.Number && f.Role == data.Feature {
		if x, ok := d.in.shortNumber(); ok {
			d.dst[d.layout.input[k]] = x
			return numberRule(f, x) == ""
		}
	}
	v, ok := d.in.value()
	return ok && v.kind != isArray && v.kind != isObject && d.take(k, v) == ""
}

// comes reports whether the text goes on with want.
func (s *scanner) comes(want string) bool {
	rest := s.src[s.pos:]
	return len(rest) >= len(want) && string(rest[:len(want)]) == want
}

// powersOfTen are the powers that a float64 holds exactly.
var powersOfTen = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// shortNumber reads a number without an exponent whose digits, as an integer,
// are a float64 without rounding. One division by an exact power of ten then
// rounds correctly (Clinger, How to Read Floating Point Numbers Accurately,
// PLDI 1990), so the bits are those of strconv.ParseFloat. Of any other text
// it reads nothing.
func (s *scanner) shortNumber() (float64, bool) {
	src, i := s.src, s.pos
	negative := i < len(src) && src[i] == '-'
	if negative {
		i++
	}
	start := i
	var digits uint64
	for ; i < len(src) && src[i]-'0' <= 9; i++ {
		digits = digits*10 + uint64(src[i]-'0')
	}
	whole := i - start
	if whole == 0 || whole > 1 && src[start] == '0' {
		return 0, false
	}
	decimals := 0
	if i < len(src) && src[i] == '.' {
		i++
		first := i
		for ; i < len(src) && src[i]-'0' <= 9; i++ {
			digits = digits*10 + uint64(src[i]-'0')
		}
		if decimals = i - first; decimals == 0 {
			return 0, false
		}
	}
	// Nineteen digits fit in 64 bits.
	if whole+decimals > 19 || digits > 1<<53 || i < len(src) && src[i]|0x20 == 'e' {
		return 0, false
	}
	s.pos = i
	x := float64(digits) / powersOfTen[decimals]
	if negative {
		x = -x
	}
	return x, true
}

// quoted returns a name as JSON writes it where that takes no escape, else "".
func quoted(name string) string {
	plain := func(r rune) bool { return r >= ' ' && r != '"' && r != '\\' && r != '\ufffd' }
	if strings.IndexFunc(name, func(r rune) bool { return !plain(r) }) >= 0 {
		return ""
	}
	return `"` + name + `"`
}
