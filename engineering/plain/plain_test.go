package plain_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/plain"
)

const plainHead = "POST /v1/score/credit HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n"

// heads are requests, whole or not, and whose they are. The body is "hello" if the
// head is whole.
var heads = []struct{ name, text, state string }{
	{"plain", plainHead, "whole"},
	{"curl", "POST /v1/score/a-b_c.9 HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n", "whole"},
	{"lower case", "POST /v1/score/credit HTTP/1.1\r\nhost: a\r\ncontent-type:application/json\r\ncontent-length:  5 \r\nconnection: Keep-Alive\r\n\r\n", "whole"},
	{"a key, a proxy's fields", "POST /v1/score/credit HTTP/1.1\r\nHost: [::1]:80\r\nAuthorization: Bearer abc\r\nX-Forwarded-For: 10.0.0.1\r\nx-request-ID: 7\r\ntraceparent: 00-1-2-01\r\nContent-Length: 5\r\n\r\n", "whole"},
	{"last", "POST /v1/score/credit HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\n", "whole"},

	{"nothing", "", "partial"},
	{"a letter", "P", "partial"},
	{"half a line", "POST /v1/sco", "partial"},
	{"half a head", plainHead[:60], "partial"},
	{"all but the end", plainHead[:len(plainHead)-1], "partial"},

	{"method", "GET /v1/score/credit HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"method in small letters", "post /v1/score/credit HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"path", "POST /v1/outcomes/credit HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"no name", "POST /v1/score/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"a folder up", "POST /v1/score/.. HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"another segment", "POST /v1/score/a/b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"escapes", "POST /v1/score/a%2Fb HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"query", "POST /v1/score/a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"absolute", "POST http://a/v1/score/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"two spaces", "POST  /v1/score/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"HTTP/1.0", "POST /v1/score/a HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "unusual"},
	{"TLS", "\x16\x03\x01\x02\x00", "unusual"},
	{"no host", "POST /v1/score/a HTTP/1.1\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"two hosts", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"an odd host", "POST /v1/score/a HTTP/1.1\r\nHost: a@b\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"no length", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\n\r\n", "unusual"},
	{"chunks", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "unusual"},
	{"length and chunks", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "unusual"},
	{"two lengths", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "unusual"},
	{"the same length twice", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"a list of lengths", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", "unusual"},
	{"a sign", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", "unusual"},
	{"a nought before", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nContent-Length: 05\r\n\r\n", "unusual"},
	{"a huge length", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", "unusual"},
	{"a space before the colon", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n", "unusual"},
	{"a folded line", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"a bare line feed", "POST /v1/score/a HTTP/1.1\r\nHost: a\nContent-Length: 5\r\n\r\n", "unusual"},
	{"bare line feeds", "POST /v1/score/a HTTP/1.1\nHost: a\nContent-Length: 5\n\n", "unusual"},
	{"a bare carriage return", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nX-A: b\rc\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"a NUL", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nX-A: b\x00c\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"a tab", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nX-A: b\tc\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"letters beyond ASCII", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nX-A: \xc3\xa4\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"an underscore", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nContent_Length: 6\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"Expect", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"Upgrade", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"a field that goes no further", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nConnection: close, authorization\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"Content-Encoding", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"a browser", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nOrigin: http://evil\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"a browser's own", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nSec-Fetch-Site: cross-site\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"two keys", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\nContent-Length: 5\r\n\r\n", "unusual"},
	{"a long head", "POST /v1/score/a HTTP/1.1\r\nHost: a\r\nX-A: " + strings.Repeat("a", 9<<10) + "\r\nContent-Length: 5\r\n\r\n", "unusual"},
}

func TestHeads(t *testing.T) {
	t.Parallel()
	for _, c := range heads {
		if _, state := plain.Parse([]byte(c.text), nil, route); state != c.state {
			t.Errorf("%s: %s, want %s", c.name, state, c.state)
		}
	}
}

// echo answers with what it was asked, and by whom.
func echo(w http.ResponseWriter, r *http.Request) {
	by := "plain"
	if r.Context().Value(http.ServerContextKey) != nil {
		by = "net/http"
	}
	body, err := io.ReadAll(r.Body)
	w.Header().Set("X-By", by)
	switch {
	case err != nil:
		http.Error(w, "cut off", http.StatusBadRequest)
	case string(body) == "panic":
		panic(http.ErrAbortHandler)
	default:
		fmt.Fprintf(w, "%s %s %s %d %q", r.Method, r.URL.Path, r.Host, r.ContentLength, body)
	}
}

// serve answers with the handler until the test ends, and returns the listener.
func serve(t *testing.T, change func(*plain.Options)) *plain.Listener {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := plain.Options{
		Route: route, Handler: http.HandlerFunc(echo), ErrorLog: log.New(io.Discard, "", 0),
		Header: time.Minute, Read: time.Minute, Write: time.Minute, Idle: time.Minute, Work: time.Minute,
	}
	if change != nil {
		change(&o)
	}
	l := plain.Listen(inner, o)
	server := &http.Server{Handler: o.Handler, ErrorLog: o.ErrorLog}
	var wg sync.WaitGroup
	wg.Go(func() { server.Serve(l) })
	t.Cleanup(func() {
		server.Close()
		wg.Wait()
	})
	return l
}

func dial(t *testing.T, l net.Listener) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	return c, bufio.NewReader(c)
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// answered reads an answer and checks its status, whose it is and its body.
func answered(t *testing.T, in *bufio.Reader, status int, by, body string) *http.Response {
	t.Helper()
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status || resp.Header.Get("X-By") != by || !strings.Contains(string(got), body) {
		t.Fatalf("%s by %q: %s %v; want %d by %q: %s", resp.Status, resp.Header.Get("X-By"), got, err, status, by, body)
	}
	return resp
}

// TestWhose asks for every head with a body, in one piece and in small ones: what is plain is
// answered here and what is not by net/http, as it is without us, and so is what
// comes after it.
func TestWhose(t *testing.T) {
	t.Parallel()
	l := serve(t, nil)
	alone := &http.Server{Handler: http.HandlerFunc(echo), ErrorLog: log.New(io.Discard, "", 0)}
	reference, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go alone.Serve(reference)
	t.Cleanup(func() { alone.Close() })
	ask := func(l net.Listener, text string, pieces bool) string {
		c, _ := dial(t, l)
		if pieces {
			for piece := range slices.Chunk([]byte(text), 7) {
				if _, err := c.Write(piece); err != nil {
					break // refused already
				}
			}
		} else {
			io.WriteString(c, text)
		}
		c.(*net.TCPConn).CloseWrite()
		out, _ := io.ReadAll(c)
		lines := strings.Split(string(out), "\r\n")
		return strings.Join(slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "Date: ") }), "\r\n")
	}
	for _, c := range heads {
		text := c.text
		if strings.HasSuffix(text, "\r\n\r\n") {
			text += "hello"
		}
		text += plainHead + "later"
		if c.state == "partial" {
			text = c.text
		}
		by := "net/http"
		if c.state == "whole" {
			by = "plain"
		}
		want := ask(reference, text, false)
		for _, pieces := range []bool{false, len(text) < 300} {
			got := ask(l, text, pieces)
			if c.state == "whole" && !strings.Contains(got, "X-By: plain") {
				t.Errorf("%s: not answered here: %s", c.name, got)
			}
			// What net/http refuses it says before the client has said all, so that
			// a reset may overtake the answer: then there is nothing to compare.
			if same := strings.ReplaceAll(got, "X-By: "+by, "X-By: net/http"); same != want && same != "" && want != "" {
				t.Errorf("%s:\n%s\nnet/http alone:\n%s", c.name, got, want)
			}
		}
	}
}

// TestKept sends requests of changing lengths and heads on one connection, some
// before the answer to the one before; then something unusual, and plain ones again.
func TestKept(t *testing.T) {
	t.Parallel()
	c, in := dial(t, serve(t, nil))
	for i := range 300 {
		body := strings.Repeat("x", i*37%9000)
		request := fmt.Sprintf("POST /v1/score/p%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", i/50, len(body), body)
		send(t, c, request+request)
		for range 2 {
			answered(t, in, 200, "plain", fmt.Sprintf("POST /v1/score/p%d a %d %q", i/50, len(body), body))
		}
	}
	send(t, c, plainHead+"first"+"GET / HTTP/1.1\r\nHost: a\r\n\r\n"+plainHead+"third")
	answered(t, in, 200, "plain", `"first"`)
	answered(t, in, 200, "net/http", "GET / a")
	answered(t, in, 200, "net/http", `"third"`)
}

func TestLargeBodiesAreNotPlain(t *testing.T) {
	t.Parallel()
	l := serve(t, nil)
	for _, n := range []int{plain.MaxBody, plain.MaxBody + 1} {
		c, in := dial(t, l)
		by := "plain"
		if n > plain.MaxBody {
			by = "net/http"
		}
		send(t, c, fmt.Sprintf("POST /v1/score/a HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", n, strings.Repeat("x", n)))
		answered(t, in, 200, by, fmt.Sprintf("a %d ", n))
	}
}

func TestLast(t *testing.T) {
	t.Parallel()
	c, in := dial(t, serve(t, nil))
	send(t, c, strings.Replace(plainHead, "Content-Type: application/json", "Connection: close", 1)+"hello")
	if resp := answered(t, in, 200, "plain", "hello"); !resp.Close {
		t.Error("the answer does not say that it is the last")
	}
	if _, err := in.ReadByte(); err != io.EOF {
		t.Errorf("after the last answer: %v", err)
	}
}

// TestSlow begins a head, and a body, and sends no more.
func TestSlow(t *testing.T) {
	t.Parallel()
	short := 20 * time.Millisecond
	for _, c := range []struct {
		name   string
		change func(*plain.Options)
		text   string
		status int
	}{
		{"no head", func(o *plain.Options) { o.Header = short }, "", 0},
		{"head", func(o *plain.Options) { o.Header = short }, plainHead[:40], 0},
		{"second head", func(o *plain.Options) { o.Header = short }, plainHead + "hello" + plainHead[:40], 200},
		{"no second head", func(o *plain.Options) { o.Idle = short }, plainHead + "hello", 200},
		{"body", func(o *plain.Options) { o.Read = short }, plainHead + "hell", 400},
	} {
		l := serve(t, c.change)
		conn, in := dial(t, l)
		for io.WriteString(conn, c.text); c.status != 0; io.WriteString(conn, c.text) {
			if _, err := in.Peek(1); err == nil {
				answered(t, in, c.status, "plain", "")
				break
			}
			conn, in = dial(t, l) // on a busy machine the first head may be late
		}
		if _, err := in.ReadByte(); err != io.EOF && !isReset(err) {
			t.Errorf("%s: %v, want the connection closed", c.name, err)
		}
	}
}

func isReset(err error) bool {
	var e *net.OpError
	return errors.As(err, &e) && !errors.Is(err, os.ErrDeadlineExceeded)
}

// TestWork holds that a request's context ends by itself.
func TestWork(t *testing.T) {
	t.Parallel()
	c, in := dial(t, serve(t, func(o *plain.Options) {
		o.Work = time.Millisecond
		o.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			fmt.Fprint(w, r.Context().Err())
		})
	}))
	for range 3 {
		send(t, c, plainHead+"hello")
		answered(t, in, 200, "", context.DeadlineExceeded.Error())
	}
}

func TestAbort(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	l := serve(t, func(o *plain.Options) { o.ErrorLog = log.New(&logged, "", 0) })
	c, in := dial(t, l)
	send(t, c, plainHead+"panic")
	if _, err := in.ReadByte(); err != io.EOF && !isReset(err) {
		t.Errorf("%v, want the connection closed", err)
	}
	c, in = dial(t, l)
	send(t, c, plainHead+"hello")
	answered(t, in, 200, "plain", "hello")
}

// TestDrain stops under load: every request has its answer, and the last one on
// each connection says so.
func TestDrain(t *testing.T) {
	t.Parallel()
	l := serve(t, nil)
	l.SetGrace(time.Minute)
	var started, clients sync.WaitGroup
	for range 8 {
		c, in := dial(t, l)
		started.Add(1)
		clients.Go(func() {
			for i := 0; ; i++ {
				if i == 10 {
					started.Done()
				}
				if _, err := io.WriteString(c, plainHead+"hello"); err != nil {
					t.Errorf("request %d: %v", i, err)
					return
				}
				resp, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Errorf("request %d: %v", i, err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				if resp.Close {
					return
				}
			}
		})
	}
	started.Wait()
	if err := l.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	clients.Wait()
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("a drained listener takes connections")
	}
}

// TestDrainIdle has connections that send nothing more, or never did.
func TestDrainIdle(t *testing.T) {
	t.Parallel()
	l := serve(t, nil)
	used, usedIn := dial(t, l)
	send(t, used, plainHead+"hello")
	answered(t, usedIn, 200, "plain", "hello")
	_, freshIn := dial(t, l)
	if err := l.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	for _, in := range []*bufio.Reader{usedIn, freshIn} {
		if _, err := in.ReadByte(); err != io.EOF && !isReset(err) {
			t.Errorf("a connection without a request: %v, want it closed", err)
		}
	}
}

// TestDrainGivesUp has a handler that does not return.
func TestDrainGivesUp(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	l := serve(t, func(o *plain.Options) {
		o.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(entered); <-leave })
	})
	defer close(leave)
	c, _ := dial(t, l)
	send(t, c, plainHead+"hello")
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Drain(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("drained with %v", err)
	}
}
