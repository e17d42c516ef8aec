package plain

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// answer is the ResponseWriter of a connection: it keeps what the handler
// writes, and sends it in one piece, as net/http does with an answer that is
// not large.
type answer struct {
	header http.Header
	status int // 0: not begun
	body   []byte
	out    []byte
	names  []string // of the header's fields, sorted
}

// keep is how large a buffer may be that waits for the next answer, which may
// never come: there can be ten thousand such connections.
const keep = 8 << 10

func (a *answer) reset() {
	clear(a.header)
	a.status, a.body, a.out = 0, a.body[:0], a.out[:0]
	if cap(a.body) > keep {
		a.body = nil
	}
	if cap(a.out) > keep {
		a.out = nil
	}
}

func (a *answer) Header() http.Header { return a.header }

// WriteHeader begins the answer. What the handler changes in the header
// afterwards is not sent.
func (a *answer) WriteHeader(status int) {
	if a.status != 0 || status < 200 { // an interim answer is of no use where the body is there
		return
	}
	a.status = status
	if !a.sameNames() {
		a.names = slices.AppendSeq(a.names[:0], maps.Keys(a.header))
		slices.Sort(a.names)
	}
	a.out = append(a.out[:0], "HTTP/1.1 "...)
	a.out = strconv.AppendInt(a.out, int64(status), 10)
	text := http.StatusText(status)
	if text == "" {
		text = "status code " + strconv.Itoa(status)
	}
	a.out = append(append(append(a.out, ' '), text...), "\r\n"...)
	for _, name := range a.names {
		switch name {
		case "Connection", "Content-Length", "Date", "Transfer-Encoding": // ours
			continue
		}
		for _, value := range a.header[name] {
			a.out = append(append(a.out, name...), ": "...)
			at := len(a.out)
			a.out = append(a.out, value...)
			for i, c := range a.out[at:] {
				if c == '\r' || c == '\n' {
					a.out[at+i] = ' '
				}
			}
			a.out = append(a.out, "\r\n"...)
		}
	}
}

// sameNames reports whether the header has the fields of the answer before.
func (a *answer) sameNames() bool {
	for _, name := range a.names {
		if a.header[name] == nil {
			return false
		}
	}
	return len(a.names) == len(a.header)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if !hasBody(a.status) {
		return 0, http.ErrBodyNotAllowed
	}
	a.body = append(a.body, b...)
	return len(b), nil
}

// bytes returns the answer, and whether the connection is closed after it.
func (a *answer) bytes(date string, last bool) (out []byte, closes bool) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if strings.EqualFold(a.header.Get("Connection"), "close") {
		last = true
	}
	out = a.out
	out = append(append(append(out, "Date: "...), date...), "\r\n"...)
	if hasBody(a.status) {
		out = append(out, "Content-Length: "...)
		out = append(strconv.AppendInt(out, int64(len(a.body)), 10), "\r\n"...)
	}
	if _, typed := a.header["Content-Type"]; !typed && len(a.body) > 0 {
		out = append(append(append(out, "Content-Type: "...), http.DetectContentType(a.body)...), "\r\n"...)
	}
	if last {
		out = append(out, "Connection: close\r\n"...)
	}
	out = append(append(out, "\r\n"...), a.body...)
	a.out = out
	return out, last
}

func hasBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}
