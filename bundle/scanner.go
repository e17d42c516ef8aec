package bundle

import (
	"bytes"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads JSON (RFC 8259) strictly and without allocating for ordinary
// values: no invalid UTF-8, no lone surrogates, no deep nesting. Package
// encoding/json is laxer in the first two and slower.
type scanner struct {
	src []byte
	pos int
}

// valueKind is the kind of a JSON value.
type valueKind uint8

const (
	isNull valueKind = iota + 1
	isTrue
	isFalse
	isNumber
	isString
	isArray
	isObject
)

// value is one JSON value. text is the unquoted string, or the literal of a
// number or word; nil for arrays and objects. It aliases the source unless the
// string had escapes.
type value struct {
	kind valueKind
	text []byte
}

// maxNesting is how deep arrays and objects inside a request may nest.
const maxNesting = 64

// problem names the place where reading stopped; the text there is not shown.
func (s *scanner) problem(what string) string {
	return fmt.Sprintf("%s (at byte %d)", what, s.pos)
}

// next skips white space and returns the byte that follows, 0 at the end.
func (s *scanner) next() byte {
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// value reads any value.
func (s *scanner) value() (value, bool) {
	switch c := s.next(); c {
	case '"':
		text, ok := s.string()
		return value{isString, text}, ok
	case '{', '[':
		kind := isObject
		if c == '[' {
			kind = isArray
		}
		return value{kind: kind}, s.skip(1)
	case 'n':
		return s.word("null", isNull)
	case 't':
		return s.word("true", isTrue)
	case 'f':
		return s.word("false", isFalse)
	default:
		text, ok := s.number()
		return value{isNumber, text}, ok
	}
}

func (s *scanner) word(w string, kind valueKind) (value, bool) {
	if !bytes.HasPrefix(s.src[s.pos:], []byte(w)) {
		return value{}, false
	}
	v := value{kind, s.src[s.pos : s.pos+len(w)]}
	s.pos += len(w)
	return v, true
}

// number reads -? int frac? exp? and returns its text.
func (s *scanner) number() ([]byte, bool) {
	start := s.pos
	if s.at('-') {
		s.pos++
	}
	switch {
	case s.at('0'):
		s.pos++
	case !s.digits():
		return nil, false
	}
	if s.at('.') {
		s.pos++
		if !s.digits() {
			return nil, false
		}
	}
	if s.at('e') || s.at('E') {
		s.pos++
		if s.at('+') || s.at('-') {
			s.pos++
		}
		if !s.digits() {
			return nil, false
		}
	}
	return s.src[start:s.pos], true
}

// at reports whether the next byte is c.
func (s *scanner) at(c byte) bool { return s.pos < len(s.src) && s.src[s.pos] == c }

// digits skips digits and reports whether there was one.
func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.src) && '0' <= s.src[s.pos] && s.src[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}

// skip reads over an array or object, at whose bracket it stands.
func (s *scanner) skip(depth int) bool {
	if depth > maxNesting {
		return false
	}
	object := s.src[s.pos] == '{'
	end := byte(']')
	if object {
		end = '}'
	}
	s.pos++
	if s.next() == end {
		s.pos++
		return true
	}
	for {
		if object {
			if s.next() != '"' {
				return false
			}
			if _, ok := s.string(); !ok || s.next() != ':' {
				return false
			}
			s.pos++
		}
		if c := s.next(); c == '{' || c == '[' {
			if !s.skip(depth + 1) {
				return false
			}
		} else if _, ok := s.value(); !ok {
			return false
		}
		switch s.next() {
		case ',':
			s.pos++
		case end:
			s.pos++
			return true
		default:
			return false
		}
	}
}

// string reads a string, at whose opening quote it stands, and returns it
// unquoted.
func (s *scanner) string() ([]byte, bool) {
	s.pos++
	start := s.pos
	for ; s.pos < len(s.src); s.pos++ {
		switch c := s.src[s.pos]; {
		case c == '"':
			text := s.src[start:s.pos]
			s.pos++
			return text, utf8.Valid(text)
		case c == '\\':
			return s.escaped(start)
		case c < ' ':
			return nil, false
		}
	}
	return nil, false
}

// escaped goes on with a string in which the first backslash has come.
func (s *scanner) escaped(start int) ([]byte, bool) {
	out := append([]byte(nil), s.src[start:s.pos]...)
	for s.pos < len(s.src) {
		c := s.src[s.pos]
		s.pos++
		switch {
		case c == '"':
			return out, utf8.Valid(out)
		case c < ' ':
			return nil, false
		case c != '\\':
			out = append(out, c)
			continue
		}
		if s.pos == len(s.src) {
			return nil, false
		}
		c = s.src[s.pos]
		s.pos++
		switch c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, ok := s.hex4()
			if !ok {
				return nil, false
			}
			if utf16.IsSurrogate(r) {
				if !s.at('\\') {
					return nil, false
				}
				s.pos++
				if !s.at('u') {
					return nil, false
				}
				s.pos++
				low, ok := s.hex4()
				if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
					return nil, false
				}
			}
			out = utf8.AppendRune(out, r)
		default:
			return nil, false
		}
	}
	return nil, false
}

// hex4 reads four hexadecimal digits.
func (s *scanner) hex4() (rune, bool) {
	if len(s.src)-s.pos < 4 {
		return 0, false
	}
	var r rune
	for _, c := range s.src[s.pos : s.pos+4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 + rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 + rune(c|0x20-'a') + 10
		default:
			return 0, false
		}
	}
	s.pos += 4
	return r, true
}
