package load_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ml/tandem/engineering/load"
)

// options are a short run.
func options(url string) load.Options {
	return load.Options{URL: url, Connections: 4, Duration: 300 * time.Millisecond, Timeout: 5 * time.Second, ContentType: "application/json"}
}

func run(t *testing.T, o load.Options) *load.Result {
	t.Helper()
	r, err := load.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	answered := int64(0)
	for _, n := range r.Status {
		answered += n
	}
	failed := int64(0)
	for _, n := range r.Errors {
		failed += n
	}
	if answered != r.Answers || answered+failed != r.Requests {
		t.Errorf("%d due, %d answered, %v, %v", r.Requests, r.Answers, r.Status, r.Errors)
	}
	return r
}

func server(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// inside runs a load in a world of its own, whose clock stands still while
// anybody works: a machine under load measures what an idle one does. The server
// there calls h for every request and answers when that returns.
func inside(t *testing.T, o load.Options, h func()) (r *load.Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r = run(t, o.Over(func(context.Context) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				for in := bufio.NewReader(theirs); ; {
					req, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					io.Copy(io.Discard, req.Body)
					h()
					if _, err := io.WriteString(theirs, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"); err != nil {
						return
					}
				}
			}()
			return ours, nil
		}))
	})
	return r
}

// near reports whether a percentile is what it must be, to the three digits that
// are kept.
func near(x, want float64) bool { return math.Abs(x-want) <= 0.002*want }

func TestKnownDelay(t *testing.T) {
	for _, rate := range []float64{0, 200} {
		o := options("http://inside")
		o.Rate, o.Warmup = rate, 50*time.Millisecond
		r := inside(t, o, func() { time.Sleep(10 * time.Millisecond) })
		l := r.Latency
		for _, p := range []float64{l.P50, l.P90, l.P99, l.P999, l.P9999, l.Max} {
			if !near(p, 10) {
				t.Errorf("rate %g: %+v where every answer takes 10 ms", rate, l)
				break
			}
		}
		want := int64(60) // 0.3 s at 200 a second
		if rate == 0 {
			want = 4 * 30
		}
		if r.Requests != want {
			t.Errorf("rate %g: %d requests, want %d", rate, r.Requests, want)
		}
		if rate == 0 && (r.OnTime != nil || r.Lag != nil) {
			t.Errorf("closed loop: %+v", r)
		}
		if r.Failed() || r.Status["200"] != r.Requests || r.BytesPerSecond == 0 {
			t.Errorf("%+v", r)
		}
	}
}

// TestOnePause is the reason for this package: a server that stands still once,
// for 200 ms, is felt by all who come meanwhile. A closed loop has only one
// request on each connection to feel it with.
func TestOnePause(t *testing.T) {
	pausing := func(rate float64) *load.Result {
		o := options("http://inside")
		o.Duration, o.Rate = 600*time.Millisecond, rate
		var start time.Time
		var first sync.Once
		return inside(t, o, func() {
			first.Do(func() { start = time.Now() })
			from, until := start.Add(150*time.Millisecond), start.Add(350*time.Millisecond)
			if now := time.Now(); !now.Before(from) && now.Before(until) {
				time.Sleep(until.Sub(now))
			}
			time.Sleep(time.Millisecond)
		})
	}
	closed := pausing(0)
	if !near(closed.Latency.Max, 201) || !near(closed.Latency.P90, 1) {
		t.Errorf("closed loop: %+v", closed.Latency)
	}

	// Of 300 requests 100 are due in the pause, 75 of which wait 50 ms or more.
	open := pausing(500)
	if !near(open.Latency.Max, 201) || open.Latency.P90 < 100 || open.Requests != 300 {
		t.Errorf("open loop: %d requests, %+v", open.Requests, open.Latency)
	}
	// All but the four that the connections had.
	if open.Waited < 96 {
		t.Errorf("%d requests waited for a connection", open.Waited)
	}
	// Without coordinated omission corrected, the same run looks like the closed one.
	if !near(open.Service.P90, 1) {
		t.Errorf("service time: %+v", open.Service)
	}
	peak := 0.0
	for _, in := range open.Intervals {
		if in.At > 0.05 && in.At < 0.45 {
			peak = max(peak, in.P50)
		}
	}
	if peak < 50 {
		t.Errorf("the pause is not seen in time: %+v", open.Intervals)
	}
}

// TestTooMuch asks for more than a server takes: what could not be sent in time
// has waited as well.
func TestTooMuch(t *testing.T) {
	o := options("http://inside")
	o.Connections, o.Rate, o.Duration, o.Timeout = 1, 200, 200*time.Millisecond, 400*time.Millisecond
	r := inside(t, o, func() { time.Sleep(100 * time.Millisecond) })
	if r.Requests != 40 || r.Errors["unsent"] != 34 || r.Latency.P50 < 400 || !r.Failed() {
		t.Errorf("%+v", r)
	}
	if text := strings.Join(r.Sentences(), "\n"); !strings.Contains(text, "could not be sent by the end") {
		t.Errorf("%s", text)
	}
}

func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var bodies []string
	var heads []http.Header
	url := server(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		bodies, heads = append(bodies, r.Method+" "+r.RequestURI+" "+string(b)), append(heads, r.Header)
		io.WriteString(w, strings.Repeat("x", 100_000)) // chunked
	})
	large := strings.Repeat("y", 100_000)
	o := options(url + "/a%20b?c=d")
	o.Key, o.Connections, o.Rate, o.Duration = "secret", 1, 100, 45*time.Millisecond
	o.Bodies = &load.Bodies{Of: [][]byte{[]byte("one"), []byte("two"), []byte(large)}, Rows: 7}
	r := run(t, o)
	want := []string{"POST /a%20b?c=d one", "POST /a%20b?c=d two", "POST /a%20b?c=d " + large, "POST /a%20b?c=d one", "POST /a%20b?c=d two"}
	if !slices.Equal(bodies, want) {
		t.Errorf("%d requests", len(bodies))
	}
	if h := heads[0]; h.Get("Authorization") != "Bearer secret" || h.Get("Content-Type") != "application/json" {
		t.Errorf("%v", h)
	}
	if rows := r.RowsPerSecond * r.Seconds; rows < 34.9 || rows > 35.1 || r.Opened != 1 {
		t.Errorf("%g rows, %d connections", rows, r.Opened)
	}

	bodies = nil
	o.Bodies = nil
	run(t, o)
	if bodies[0] != "GET /a%20b?c=d " {
		t.Errorf("%q", bodies[0])
	}
}

func TestStatusAndFailed(t *testing.T) {
	t.Parallel()
	for status, failed := range map[int]bool{204: false, 404: false, 429: false, 503: true} {
		o := options(server(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "because", status) }))
		r := run(t, o)
		if r.Failed() != failed || len(r.Errors) > 0 || len(r.Status) != 1 {
			t.Errorf("%d: %+v", status, r)
		}
		if status > 300 && !strings.Contains(r.FirstBad, ": because") {
			t.Errorf("%d: first %q", status, r.FirstBad)
		}
	}
}

// TestRefusedBody answers before the body was read: that is an answer, and no
// broken connection.
func TestRefusedBody(t *testing.T) {
	t.Parallel()
	o := options(server(t, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	}))
	o.Bodies = &load.Bodies{Of: [][]byte{make([]byte, 4<<20)}}
	o.Connections, o.Duration = 1, 50*time.Millisecond
	if r := run(t, o); r.Status["413"] != r.Requests {
		t.Errorf("%v, %v, %s", r.Status, r.Errors, r.FirstBad)
	}
}

// raw serves each connection with f, which reads the request itself.
func raw(t *testing.T, f func(c net.Conn, read func() bool)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				f(c, func() bool {
					var got []byte
					for b := make([]byte, 4096); !bytes.HasSuffix(got, []byte("\r\n\r\n")); {
						n, err := c.Read(b)
						if err != nil {
							return false
						}
						got = append(got, b[:n]...)
					}
					return true
				})
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

func TestKindsOfErrors(t *testing.T) {
	t.Parallel()
	for kind, f := range map[string]func(c net.Conn, read func() bool){
		"closed": func(_ net.Conn, read func() bool) { read() },
		"reset": func(c net.Conn, read func() bool) {
			read()
			c.(*net.TCPConn).SetLinger(0)
		},
		"malformed": func(c net.Conn, read func() bool) {
			read()
			io.WriteString(c, "220 mail.example ESMTP\r\n")
			read()
		},
		"timeout": func(c net.Conn, read func() bool) {
			read()
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
			read()
		},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			o := options(raw(t, f))
			if kind == "timeout" {
				o.Timeout = 100 * time.Millisecond
			}
			r := run(t, o)
			if r.Requests == 0 || r.Errors[kind] != r.Requests || !r.Failed() || r.FirstBad == "" {
				t.Errorf("%d due, %v, %q", r.Requests, r.Errors, r.FirstBad)
			}
			if counted := r.Latency.P50 >= 99; counted != (kind == "timeout") {
				t.Errorf("latency %+v", r.Latency)
			}
		})
	}
}

// TestSlowAnswer dribbles its bytes; the answer ends with its last.
func TestSlowAnswer(t *testing.T) {
	t.Parallel()
	url := raw(t, func(c net.Conn, read func() bool) {
		for read() {
			for _, part := range []string{"HTTP/1.1 2", "00 OK\r\nContent-Le", "ngth: 4\r\n\r\nab", "cd"} {
				time.Sleep(10 * time.Millisecond)
				io.WriteString(c, part)
			}
		}
	})
	o := options(url)
	o.Duration = 100 * time.Millisecond
	if r := run(t, o); r.Failed() || r.Latency.P50 < 40 || r.Opened != 4 {
		t.Errorf("%+v", r)
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := options("http://" + l.Addr().String())
	l.Close()
	if _, err := load.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v", err)
	}

	// A server that goes away is counted, and not knocked at without a pause.
	l, err = net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		c, _ := l.Accept()
		l.Close()
		c.Close()
	}()
	o.URL = "http://" + l.Addr().String()
	r := run(t, o)
	if r.Errors["refused"] < 4 || r.Errors["refused"] > 100 || !r.Failed() {
		t.Errorf("%v", r.Errors)
	}
}

// TestConnectionsEnd has a server that closes after each answer, and one that
// closes connections that were idle for a while: neither is an error.
func TestConnectionsEnd(t *testing.T) {
	t.Parallel()
	o := options(server(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }))
	r := run(t, o)
	if r.Failed() || r.Opened < r.Requests {
		t.Errorf("%+v", r)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.IdleTimeout = 200 * time.Millisecond
	s.Start()
	defer s.Close()
	o = options(s.URL)
	o.Connections, o.Rate, o.Duration = 1, 0.9, 1200*time.Millisecond
	if r := run(t, o); r.Answers != 2 || r.Opened != 2 {
		t.Errorf("%+v", r)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that is to fail
	s.StartTLS()
	defer s.Close()
	o := options(s.URL)
	if _, err := load.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("%v", err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	o.TLS = &tls.Config{RootCAs: pool}
	if r := run(t, o); r.Failed() || r.Status["200"] == 0 {
		t.Errorf("%+v", r)
	}
}

// TestStopped ends a run whose server does not answer any more.
func TestStopped(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, 100} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			url := raw(t, func(c net.Conn, read func() bool) {
				for read() && n.Add(1) <= 10 {
					io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				}
				read()
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			o := options(url)
			o.Rate, o.Duration, o.Timeout = rate, time.Hour, 10*time.Minute
			began := time.Now()
			r, err := load.Run(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > time.Minute || !r.Interrupted || r.Answers != 10 || r.Errors["interrupted"] == 0 {
				t.Errorf("after %v: %+v", took, r)
			}
			if rate > 0 && r.Errors["unsent"] < 5 {
				t.Errorf("about 30 were due, 10 were answered, 4 are under way: %v", r.Errors)
			}
		})
	}
}

func TestArrivals(t *testing.T) {
	t.Parallel()
	if got := load.Arrivals(400, false, 0, 4); !slices.Equal(got, []time.Duration{0, 2500 * time.Microsecond, 5 * time.Millisecond, 7500 * time.Microsecond}) {
		t.Errorf("%v", got)
	}
	a, again, other := load.Arrivals(1000, true, 7, 10_000), load.Arrivals(1000, true, 7, 10_000), load.Arrivals(1000, true, 8, 10_000)
	if !slices.Equal(a, again) || slices.Equal(a, other) || !slices.IsSorted(a) {
		t.Error("a seed gives the same times, another gives others, and they ascend")
	}
	// The gaps of a Poisson process are exponential: mean 1 ms, a share of
	// exp(-1) above it. The standard errors are 1% and 0.5 points.
	above, last := 0, time.Duration(0)
	for _, at := range a {
		if at-last > time.Millisecond {
			above++
		}
		last = at
	}
	if mean := last.Seconds() / 10; mean < 0.95 || mean > 1.05 || above < 3480 || above > 3880 {
		t.Errorf("mean gap %g ms, %d of 10000 above it", mean, above)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	o := load.Options{URL: "ftp://x", Connections: 0, Rate: -1, Duration: 0, Timeout: 0, Key: "a\r\nX: y", Bodies: &load.Bodies{}}
	_, err := load.Run(t.Context(), o)
	for _, want := range []string{`"ftp://x" is not a URL`, "connections", "rate", "duration", "timeout", "bodies", "header field"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// TestPage draws a run with all that can happen to it.
func TestPage(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	o := options(server(t, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%10 == 0 {
			http.Error(w, "<b>busy</b>", http.StatusServiceUnavailable)
		}
	}))
	o.Rate = 300
	r := run(t, o)
	var b bytes.Buffer
	if err := r.HTML(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{"Latency by percentile", "Latency over time", "Requests over time", "status 503", "&lt;b&gt;busy", "<svg", "99%"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not hold %q", want)
		}
	}
	for _, no := range []string{"<script", "<b>busy", "NaN", "<link", "src="} {
		if strings.Contains(page, no) {
			t.Errorf("the page holds %q", no)
		}
	}
	if len(page) > 100<<10 {
		t.Errorf("%d bytes", len(page))
	}
	text, err := json.Marshal(r)
	if err != nil || !bytes.Contains(text, []byte(`"p99_9_ms"`)) {
		t.Errorf("%s, %v", text, err)
	}
}
