package load_test

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/tandem-ml/tandem/engineering/load"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		status     int
		body       int64
		last       bool
		err        string // part of it; "": none
	}{
		{"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, 5, false, ""},
		{"no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, 0, false, ""},
		{"bare line feeds", "HTTP/1.1 200 OK\ncontent-length:2\n\nhi", 200, 2, false, ""},
		{"same length twice", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi", 200, 2, false, ""},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", 200, 15, false, ""},
		{"close", "HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 503, 0, true, ""},
		{"until the end", "HTTP/1.1 200 OK\r\n\r\nhello", 200, 5, true, ""},
		{"old", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, 0, true, ""},
		{"old, kept", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n", 200, 0, false, ""},
		{"interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 204, 0, false, ""},
		{"not modified has no body", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, 0, false, ""},

		{"nothing", "", 0, 0, false, "before an answer began"},
		{"cut in the head", "HTTP/1.1 200 OK\r\nContent-Le", 0, 0, false, "unexpected EOF"},
		{"cut in the body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", 200, 3, false, "unexpected EOF"},
		{"cut in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", 200, 3, false, "unexpected EOF"},
		{"not HTTP", "SSH-2.0-OpenSSH_9.6\r\n", 0, 0, false, "does not begin with HTTP"},
		{"HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", 0, 0, false, "does not begin with HTTP"},
		{"status of letters", "HTTP/1.1 2OO OK\r\n\r\n", 0, 0, false, "not a number"},
		{"status 999", "HTTP/1.1 999 OK\r\n\r\n", 0, 0, false, "no status 999"},
		{"upgrade", "HTTP/1.1 101 Switching\r\n\r\n", 0, 0, false, "another protocol"},
		{"interim for ever", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100), 0, 0, false, "only interim"},
		{"negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 0, 0, false, "Content-Length"},
		{"huge length", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", 0, 0, false, "Content-Length"},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 0, 0, false, "Content-Length"},
		{"length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, 0, false, "both"},
		{"gzip framing", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 0, 0, false, "not chunked"},
		{"size of a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n", 0, 0, false, "hexadecimal"},
		{"too long a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n", 0, 0, false, "malformed"},
		{"no colon", "HTTP/1.1 200 OK\r\nwhat\r\n\r\n", 0, 0, false, "no name"},
		{"endless line", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<17), 0, 0, false, "65536 bytes"},
		{"endless head", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 1<<15), 0, 0, false, "65536 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, src := range map[string]io.Reader{"whole": strings.NewReader(c.text), "byte by byte": iotest.OneByteReader(strings.NewReader(c.text))} {
				status, body, last, err := load.ReadAnswer(src)
				if c.err != "" {
					if err == nil || !strings.Contains(err.Error(), c.err) {
						t.Errorf("%s: error %v, want %q", name, err, c.err)
					}
					continue
				}
				if err != nil || status != c.status || body != c.body || last != c.last {
					t.Errorf("%s: status %d, %d bytes, last %v, %v", name, status, body, last, err)
				}
			}
		})
	}
}

// TestAnswersFollowEachOther reads a connection of many answers of all framings.
func TestAnswersFollowEachOther(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdef", 5000)
	one := "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" +
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n13880\r\n" + long + "\r\n0\r\n\r\n" +
		"HTTP/1.1 204 No Content\r\n\r\n" +
		"HTTP/1.1 404 Not Found\r\nContent-Length: 80000\r\n\r\n" + long
	n, body, err := load.ReadAnswers(iotest.HalfReader(strings.NewReader(strings.Repeat(one, 20))))
	if n != 80 || body != 20*160005 || !errors.Is(err, load.ErrNoAnswer) {
		t.Errorf("%d answers, %d bytes, %v", n, body, err)
	}
}

// FuzzAnswer compares with net/http: what both read must have the same status
// and length, and reading never depends on how the bytes arrive.
func FuzzAnswer(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
	f.Add("HTTP/1.0 503 Busy\r\nConnection: close\r\n\r\nno")
	f.Add("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\n\n")
	f.Add("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 x\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		status, body, last, err := load.ReadAnswer(strings.NewReader(text))
		s2, b2, l2, err2 := load.ReadAnswer(iotest.OneByteReader(strings.NewReader(text)))
		if status != s2 || body != b2 || last != l2 || (err == nil) != (err2 == nil) {
			t.Fatalf("in one: %d %d %v %v; byte by byte: %d %d %v %v", status, body, last, err, s2, b2, l2, err2)
		}
		if err != nil {
			return
		}
		if status < 200 || status > 599 || body < 0 || body > int64(len(text)) {
			t.Fatalf("status %d, %d bytes of %d", status, body, len(text))
		}
		if strings.HasPrefix(text[9:], "1") {
			return // net/http gives back interim answers
		}
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), &http.Request{Method: "GET"})
		if err != nil {
			return
		}
		n, err := io.Copy(io.Discard, resp.Body)
		if err == nil && (resp.StatusCode != status || n != body) {
			t.Fatalf("status %d, %d bytes; net/http: %d, %d", status, body, resp.StatusCode, n)
		}
	})
}
