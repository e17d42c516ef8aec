package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
)

// Limits of an answer. A server under test is not trusted to be one.
const (
	maxHead    = 64 << 10 // bytes of status line and header fields
	maxAnswer  = 1 << 30  // bytes of a body
	maxInterim = 16       // answers of status 1xx before the one that counts
	maxSample  = 512      // bytes of a body that are kept to be shown
)

// answer is what is known of one answer.
type answer struct {
	status int
	bytes  int64  // of the body, without its framing
	last   bool   // the connection cannot be used again
	sample []byte // how the body of an answer that is no success begins
}

// malformed says what is wrong with an answer.
type malformed string

func (m malformed) Error() string { return "malformed answer: " + string(m) }

// errNoAnswer is returned when the connection ended before the answer began.
var errNoAnswer = errors.New("the connection was closed before an answer began")

// answers reads one answer of HTTP/1.1 after the other from a connection (RFC
// 9112). It holds one buffer, which grows to no more than maxHead.
type answers struct {
	src      io.Reader
	buf      []byte
	from, to int // buf[from:to] is read and not used
}

func newAnswers(src io.Reader) *answers {
	return &answers{src: src, buf: make([]byte, 4<<10)}
}

// fill reads more behind what is there.
func (a *answers) fill() error {
	switch {
	case a.from == a.to:
		a.from, a.to = 0, 0
	case a.to < len(a.buf):
	case a.from > 0:
		a.to = copy(a.buf, a.buf[a.from:a.to])
		a.from = 0
	case len(a.buf) >= maxHead:
		return malformed(fmt.Sprintf("a line has more than %d bytes", maxHead))
	default:
		a.buf = append(a.buf, make([]byte, len(a.buf))...)
	}
	for range 100 {
		n, err := a.src.Read(a.buf[a.to:])
		a.to += n
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// line returns the next line without its end, valid until the next call, and
// takes its length from left.
func (a *answers) line(left *int) ([]byte, error) {
	seen := 0
	for {
		if i := bytes.IndexByte(a.buf[a.from+seen:a.to], '\n'); i >= 0 {
			n := seen + i
			if *left -= n + 1; *left < 0 {
				return nil, malformed(fmt.Sprintf("its head has more than %d bytes", maxHead))
			}
			line := a.buf[a.from : a.from+n]
			a.from += n + 1
			if n > 0 && line[n-1] == '\r' {
				line = line[:n-1]
			}
			return line, nil
		}
		seen = a.to - a.from
		if seen > *left {
			return nil, malformed(fmt.Sprintf("its head has more than %d bytes", maxHead))
		}
		if err := a.fill(); err != nil {
			return nil, err
		}
	}
}

// next reads a whole answer. It returns errNoAnswer if the connection ends
// before its first byte, io.ErrUnexpectedEOF if it ends within, a malformed error
// for what is no answer, and the connection's errors as they are.
func (a *answers) next() (answer, error) {
	if a.from == a.to {
		if err := a.fill(); err == io.EOF {
			return answer{}, errNoAnswer
		} else if err != nil {
			return answer{}, err
		}
	}
	ans, err := a.whole()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return ans, err
}

func (a *answers) whole() (answer, error) {
	for range maxInterim {
		ans, f, err := a.head()
		if err != nil {
			return ans, err
		}
		if ans.status == 101 {
			return ans, malformed("the server switches to another protocol")
		}
		if ans.status >= 200 {
			return ans, a.body(&ans, f)
		}
	}
	return answer{}, malformed("only interim answers (1xx)")
}

// framing says how long a body is.
type framing struct {
	length  int64 // -1: not said
	chunked bool
}

func (a *answers) head() (ans answer, f framing, err error) {
	left := maxHead
	line, err := a.line(&left)
	if err != nil {
		return ans, f, err
	}
	// HTTP/1.1 200 OK; the reason may be missing.
	if len(line) < 12 || string(line[:7]) != "HTTP/1." || line[7] != '0' && line[7] != '1' || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return ans, f, malformed("it does not begin with HTTP/1.1 and a status")
	}
	ans.last = line[7] == '0'
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return ans, f, malformed("its status is not a number")
		}
		ans.status = ans.status*10 + int(c-'0')
	}
	if ans.status < 100 || ans.status > 599 {
		return ans, f, malformed(fmt.Sprintf("there is no status %d", ans.status))
	}
	f.length = -1
	old := ans.last // HTTP/1.0
	for {
		if line, err = a.line(&left); err != nil {
			return ans, f, err
		}
		if len(line) == 0 {
			break
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(name) == 0 {
			return ans, f, malformed("a header field has no name")
		}
		value = bytes.Trim(value, " \t")
		switch len(name) { // most fields are told apart by this
		case len("content-length"):
			if bytes.EqualFold(name, []byte("content-length")) {
				n, ok := decimal(value)
				if !ok || f.length >= 0 && f.length != n {
					return ans, f, malformed("its Content-Length is not one number")
				}
				f.length = n
			}
		case len("transfer-encoding"):
			if bytes.EqualFold(name, []byte("transfer-encoding")) {
				if !bytes.EqualFold(value, []byte("chunked")) || f.chunked {
					return ans, f, malformed("its Transfer-Encoding is not chunked")
				}
				if old {
					// RFC 9112, section 6.1: its framing is faulty, and readers differ.
					return ans, f, malformed("HTTP/1.0 has no Transfer-Encoding")
				}
				f.chunked = true
			}
		case len("connection"):
			if bytes.EqualFold(name, []byte("connection")) {
				if bytes.EqualFold(value, []byte("close")) {
					ans.last = true
				} else if bytes.EqualFold(value, []byte("keep-alive")) {
					ans.last = false
				}
			}
		}
	}
	if f.chunked && f.length >= 0 {
		// Two lengths are how requests are smuggled; nothing after it can be trusted.
		return ans, f, malformed("it has both a Content-Length and a Transfer-Encoding")
	}
	return ans, f, nil
}

// body reads the body and throws it away, but for the sample.
func (a *answers) body(ans *answer, f framing) error {
	switch {
	case ans.status == 204 || ans.status == 304:
		return nil
	case f.chunked:
		return a.chunks(ans)
	case f.length >= 0:
		return a.take(ans, f.length)
	}
	// Neither: the body ends with the connection.
	ans.last = true
	err := a.take(ans, math.MaxInt64)
	if err == io.EOF {
		return nil
	}
	return err
}

func (a *answers) chunks(ans *answer) error {
	for {
		left := maxHead
		line, err := a.line(&left)
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, ok := hexadecimal(bytes.TrimRight(size, " \t"))
		if !ok {
			return malformed("the size of a chunk is not a hexadecimal number")
		}
		if n == 0 {
			break
		}
		if err := a.take(ans, n); err != nil {
			return err
		}
		left = 2
		if line, err = a.line(&left); err != nil {
			return err
		}
		if len(line) != 0 {
			return malformed("a chunk is longer than it says")
		}
	}
	for left := maxHead; ; { // trailer fields
		line, err := a.line(&left)
		if err != nil || len(line) == 0 {
			return err
		}
	}
}

// take reads n bytes of the body.
func (a *answers) take(ans *answer, n int64) error {
	for {
		have := min(int64(a.to-a.from), n)
		if room := maxSample - len(ans.sample); ans.status >= 300 && room > 0 {
			ans.sample = append(ans.sample, a.buf[a.from:a.from+min(int(have), room)]...)
		}
		a.from += int(have)
		ans.bytes += have
		if n -= have; n == 0 {
			return nil
		}
		if ans.bytes > maxAnswer {
			return malformed(fmt.Sprintf("its body has more than %d bytes", int64(maxAnswer)))
		}
		if len(a.buf) < 32<<10 && n > int64(len(a.buf)) {
			a.buf, a.from, a.to = make([]byte, 32<<10), 0, 0 // all that was there is used
		}
		if err := a.fill(); err != nil {
			return err
		}
	}
}

func decimal(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	n := int64(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

func hexadecimal(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 15 {
		return 0, false
	}
	n := int64(0)
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		n = n<<4 | int64(c)
	}
	return n, true
}
