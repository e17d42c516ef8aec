package plain

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strings"
)

// head is the head of a plain request.
type head struct {
	path   string
	host   string
	header http.Header // without Host and Content-Length; never changed
	close  bool        // the client wants no more answers after this one

	// The head's text around the digits of its length: nearly always the next
	// request on a connection has the same.
	before, after []byte
}

// verdict is what is known of the bytes that a request begins with.
type verdict int

const (
	whole   verdict = iota // a plain request's head
	partial                // the beginning of what may become one
	unusual                // net/http's
)

const (
	maxHead = 8 << 10 // bytes of a head
	version = " HTTP/1.1\r\n"
)

// message is a head that was read: which, its own size in bytes, and the length
// of the body behind it.
type message struct {
	*head
	size, length int
}

// parse reads a head from the front of src; where the verdict is whole, there is
// a message. last is the head of the request before on the same connection, or
// nil; the message has it if it is the same.
func parse(src []byte, route string, last *head) (message, verdict) {
	if last != nil {
		if m, ok := last.again(src); ok {
			return m, whole
		}
	}
	if n := min(len(src), len("POST ")); string(src[:n]) != "POST "[:n] {
		return message{}, unusual
	} else if n < len("POST ") {
		return message{}, partial
	}
	path := src[len("POST "):]
	if n := min(len(path), len(route)); string(path[:n]) != route[:n] {
		return message{}, unusual
	}
	end := bytes.Index(src[:min(len(src), maxHead)], []byte("\r\n\r\n"))
	switch {
	case end >= 0:
		if m, ok := parseWhole(src[:end+len("\r\n\r\n")], route); ok {
			return m, whole
		}
		return message{}, unusual
	case len(src) >= maxHead || bare(src):
		return message{}, unusual
	}
	return message{}, partial
}

// bare reports whether a line feed stands without a carriage return: for
// net/http, two of them end a head.
func bare(src []byte) bool {
	return bytes.Count(src, []byte("\n")) != bytes.Count(src, []byte("\r\n"))
}

// again reads a head that differs from h in the digits of the length at most.
func (h *head) again(src []byte) (message, bool) {
	if !bytes.HasPrefix(src, h.before) {
		return message{}, false
	}
	rest := src[len(h.before):]
	digits := 0
	for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
		digits++
	}
	n, ok := length(rest[:digits])
	if !ok || !bytes.HasPrefix(rest[digits:], h.after) {
		return message{}, false
	}
	size := len(h.before) + digits + len(h.after)
	return message{h, size, n}, size <= maxHead
}

// parseWhole reads a head that ends with the first empty line in it.
func parseWhole(src []byte, route string) (message, bool) {
	h := message{&head{header: make(http.Header, 8)}, len(src), -1}
	none := message{}
	line, rest, _ := bytes.Cut(src, []byte("\r\n"))
	path, ok := bytes.CutSuffix(line[len("POST "):], []byte(version[:len(version)-2]))
	if !ok || !segment(path[len(route):]) {
		return none, false
	}
	h.path = string(path)
	for len(rest) > len("\r\n") {
		at := len(src) - len(rest)
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || !visible(value) {
			return none, false
		}
		text := strings.Trim(string(value), " ")
		key := known(name)
		switch key {
		case "":
			return none, false
		case "Host":
			if h.host != "" || !hostname(text) {
				return none, false
			}
			h.host = text
			continue
		case "Content-Length":
			n, ok := length([]byte(text))
			if !ok || h.length >= 0 {
				return none, false
			}
			h.length = n
			digits := at + bytes.Index(line, []byte(text)) // no name has any
			h.before, h.after = bytes.Clone(src[:digits]), bytes.Clone(src[digits+len(text):])
			continue
		case "Connection":
			switch {
			case strings.EqualFold(text, "close"):
				h.close = true
			case !strings.EqualFold(text, "keep-alive"):
				return none, false
			}
		}
		if h.header[key] != nil {
			return none, false
		}
		h.header[key] = []string{text}
	}
	return h, h.host != "" && h.length >= 0
}

// fields are the names that a plain request may have, beside those that begin
// with X-: none of them changes how the message is read but the two that are read
// here, and none is a browser's.
var fields = func() map[string]string {
	byName := make(map[string]string)
	for _, name := range []string{
		"Host", "Content-Length", "Content-Type", "Connection", "Authorization", "User-Agent",
		"Accept", "Accept-Encoding", "Accept-Language", "Accept-Charset", "Cache-Control", "Date", "From", "Via", "Forwarded",
		"Traceparent", "Tracestate", "Baggage", "B3", "Request-Id", "Correlation-Id", "Idempotency-Key",
	} {
		byName[name], byName[strings.ToLower(name)] = name, name
	}
	return byName
}()

// known returns the canonical form of a field's name, "" if it is not one of a
// plain request.
func known(name []byte) string {
	if key := fields[string(name)]; key != "" {
		return key
	}
	for _, c := range name {
		if !alphanumeric(c) && c != '-' {
			return ""
		}
	}
	if len(name) > 2 && (name[0] == 'X' || name[0] == 'x') && name[1] == '-' {
		// Named so by net/http as by us.
		return textproto.CanonicalMIMEHeaderKey(string(name))
	}
	return fields[strings.ToLower(string(name))]
}

// length reads the decimal number of a body's length, written in its only way.
func length(digits []byte) (int, bool) {
	if len(digits) == 0 || len(digits) > 8 || digits[0] == '0' && len(digits) > 1 {
		return 0, false
	}
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}

// visible reports whether a value is of ASCII letters, digits, signs and
// spaces.
func visible(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// segment reports whether b is one segment of a path that means itself.
func segment(b []byte) bool {
	for _, c := range b {
		if !alphanumeric(c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return len(b) > 0 && string(b) != "." && string(b) != ".."
}

func hostname(s string) bool {
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && c != '-' && c != '.' && c != ':' && c != '[' && c != ']' {
			return false
		}
	}
	return s != ""
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
