package serve_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/keys"
	"github.com/tandem-ml/tandem/engineering/limit"
	"github.com/tandem-ml/tandem/engineering/serve"
	"github.com/tandem-ml/tandem/engineering/serve/oip"
)

// busy is a server with one request that is scored and does not end before
// release is called.
func busy(t *testing.T, lim serve.Limits) (s *serve.Server, url string, release func(), log *decisions.Log) {
	t.Helper()
	log = openLog(t)
	slow := slowLog{log, make(chan struct{}), make(chan struct{})}
	s = newServer(t, serve.Options{Log: slow, Limits: lim})
	url, _ = running(t, s)
	done := make(chan error, 1)
	go func() {
		code, body, err := post(url+"/v1/score/credit", `{"rows":[`+applicant+`]}`)
		if err == nil && code != 200 {
			err = fmt.Errorf("%d %s", code, body)
		}
		done <- err
	}()
	<-slow.arrived
	var once sync.Once
	release = func() {
		once.Do(func() {
			close(slow.leave)
			go func() { // those that come after are let through
				for range slow.arrived {
				}
			}()
			if err := <-done; err != nil {
				t.Errorf("the request under way: %v", err)
			}
		})
	}
	t.Cleanup(release)
	return s, url, release, log
}

// metric returns the value of a series.
func metric(t testing.TB, s *serve.Server, name string) float64 {
	t.Helper()
	for line := range strings.Lines(ask(t, s.Handler(), "GET", "/metrics", "").body) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			x, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				t.Fatal(err)
			}
			return x
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// until waits for a metric to have a value.
func until(t testing.TB, s *serve.Server, name string, want float64) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); metric(t, s, name) != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s is %v, not %v", name, metric(t, s, name), want)
		}
	}
}

// What is too much is refused at once by every scoring door, and by no other.
func TestFullQueue(t *testing.T) {
	t.Parallel()
	s, url, release, log := busy(t, serve.Limits{Running: 1, Waiting: 1})
	conn, _ := dial(t, s)
	client := oip.NewGRPCInferenceServiceClient(conn)
	waited := make(chan int, 1)
	go func() {
		code, _, _ := post(url+"/v1/score/credit", `{"rows":[`+applicant+`]}`)
		waited <- code
	}()
	until(t, s, "tandem_queue_length", 1)
	for path, says := range map[string]string{
		"/v1/score/credit":          `"code":"queue"`,
		"/invocations":              "REQUEST_LIMIT_EXCEEDED",
		"/v1/models/credit:predict": "more requests wait than may",
		"/v2/models/credit/infer":   "more requests wait than may",
		"/score":                    "more requests wait than may",
		"/v1/models/credit:explain": "more requests wait than may",
	} {
		a := ask(t, s.Handler(), "POST", path, `{"rows":[`+applicant+`]}`)
		n, err := strconv.Atoi(a.header.Get("Retry-After"))
		if a.status != 429 || !strings.Contains(a.body, says) || err != nil || n < 1 || n > 60 {
			t.Errorf("%s: %d %s, Retry-After %q", path, a.status, a.body, a.header.Get("Retry-After"))
		}
	}
	if _, err := client.ModelInfer(t.Context(), lenderCall(true)); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("gRPC: %v", err)
	}
	for _, path := range []string{"/health/ready", "/health/live", "/ping", "/metrics", "/v2/models/credit"} {
		if a := ask(t, s.Handler(), "GET", path, ""); a.status != 200 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if a := ask(t, s.Handler(), "POST", "/v1/outcomes/credit", `{"outcomes":[{"id":"1","value":"bad"}]}`); a.status != 404 {
		t.Errorf("outcomes: %d %s", a.status, a.body)
	}
	if n := metric(t, s, `tandem_refusals_total{reason="queue"}`); n != 7 {
		t.Errorf("%v refusals", n)
	}
	release()
	if code := <-waited; code != 200 {
		t.Errorf("the request that waited: %d", code)
	}
	until(t, s, "tandem_queue_length", 0)
	if n := metric(t, s, "tandem_queue_seconds_count"); n != 1 {
		t.Errorf("%v requests waited", n)
	}
	if n := log.Counts("credit").Decisions; n != 2 {
		t.Errorf("%d decisions, want those of the two answers", n)
	}
}

// Who does not wait any longer is dropped before it is scored.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	s, url, release, log := busy(t, serve.Limits{Running: 1, Waiting: 10})
	a := ask(t, s.Handler(), "POST", "/v1/score/credit", `{"rows":[`+applicant+`]}`, "X-Request-Timeout", "5ms")
	if e := read[failure](t, a, 504).Error; e.Code != "deadline" {
		t.Errorf("%+v", e)
	}
	if a := ask(t, s.Handler(), "POST", "/v2/models/credit/infer", `{}`, "X-Request-Timeout", "5ms"); a.status != 504 || !strings.Contains(a.body, "nothing was decided") {
		t.Errorf("%d %s", a.status, a.body)
	}
	conn, _ := dial(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := oip.NewGRPCInferenceServiceClient(conn).ModelInfer(ctx, lenderCall(true)); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("gRPC: %v", err)
	}
	// A client that leaves is dropped, too.
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "POST", url+"/v1/score/credit", io.MultiReader(strings.NewReader(`{"rows":[`+applicant+`]}`))) // of unknown length: chunked
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	gone := make(chan error, 1)
	go func() {
		_, err := http.DefaultClient.Do(r)
		gone <- err
	}()
	until(t, s, "tandem_queue_length", 1)
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	until(t, s, "tandem_queue_length", 0)
	release()
	if n := log.Counts("credit").Decisions; n != 1 {
		t.Errorf("%d decisions, want the one that was answered", n)
	}
	for _, bad := range []string{"", "250", "-1s", "0s", "soon", "1h1h1h1h1h1h1h1h1h1h1h", "9999999999999999999h"} {
		a := ask(t, s.Handler(), "POST", "/v1/score/credit", `{"rows":[`+applicant+`]}`, "X-Request-Timeout", bad)
		if e := read[failure](t, a, 400).Error; e.Code != "deadline" {
			t.Errorf("%q: %+v", bad, e)
		}
	}
	for _, good := range []string{"25s", "1000h", "1m"} {
		if a := ask(t, s.Handler(), "POST", "/v1/score/credit", `{"rows":[`+applicant+`]}`, "X-Request-Timeout", good); a.status != 200 {
			t.Errorf("%q: %d %s", good, a.status, a.body)
		}
	}
}

// Bodies of all requests together take bounded memory; what is announced and not
// sent takes none.
func TestBodiesInMemory(t *testing.T) {
	t.Parallel()
	body := `{"rows":[` + applicant + `]}`
	pad := strings.Repeat(" ", 1000-len(body))
	s, url, release, _ := busy(t, serve.Limits{Body: 1000, Held: 1000})
	address := strings.TrimPrefix(url, "http://")
	for range 5 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /v1/score/credit HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n", address)
	}
	a := ask(t, s.Handler(), "POST", "/v1/score/credit", body+pad)
	if e := read[failure](t, a, 429).Error; e.Code != "memory" || a.header.Get("Retry-After") != "1" {
		t.Errorf("%+v %v", e, a.header)
	}
	if held := metric(t, s, "tandem_body_bytes"); held != float64(len(body)) {
		t.Errorf("%v bytes are held, want %d", held, len(body))
	}
	release()
	for _, bad := range []string{body + pad, "{", `{"rows":[]}`, strings.Repeat("x", 1001)} {
		for _, path := range []string{"/v1/score/credit", "/v1/outcomes/credit", "/v1/models/credit:predict", "/invocations", "/v2/models/credit/infer"} {
			ask(t, s.Handler(), "POST", path, bad)
		}
	}
	until(t, s, "tandem_body_bytes", 0)
}

func TestRates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mint := func(rate limit.Rate) string {
		text, _, err := keys.CreateLimited(dir, "test", []keys.Scope{keys.Score, keys.Read}, 0, rate, noon)
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + text
	}
	own, other, free := mint(limit.Rate{PerSecond: 0.5, Burst: 3}), mint(limit.Rate{}), mint(limit.Rate{PerSecond: 1e6, Burst: 1e6})
	ring, err := keys.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var clock atomic.Int64
	now := func() time.Time { return noon.Add(time.Duration(clock.Load())) }
	s := newServer(t, serve.Options{Keys: ring, Now: now, Limits: serve.Limits{Rate: limit.Rate{PerSecond: 1, Burst: 5}}})
	count := func(key string) (ok int) {
		for range 20 {
			a := ask(t, s.Handler(), "POST", "/v1/score/credit", `{"rows":[`+applicant+`]}`, "Authorization", key)
			switch a.status {
			case 200:
				ok++
			case 429:
				if e := read[failure](t, a, 429).Error; e.Code != "rate" || a.header.Get("Retry-After") == "" {
					t.Errorf("%s %v", a.body, a.header)
				}
			default:
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		return ok
	}
	for range 2 {
		if a, b, c := count(own), count(other), count(free); a != 3 || b != 5 || c != 20 {
			t.Errorf("%d, %d and %d of 20 passed, want 3, 5 and 20", a, b, c)
		}
		clock.Add(int64(time.Hour))
	}
	count(own)
	for range 20 {
		if a := ask(t, s.Handler(), "GET", "/metrics", "", "Authorization", own); a.status != 200 {
			t.Fatalf("metrics: %d", a.status)
		}
	}
	if a := ask(t, s.Handler(), "GET", "/v1/decisions/x", "", "Authorization", own); a.status != 429 || a.header.Get("Retry-After") != "2" {
		t.Errorf("%d, Retry-After %q", a.status, a.header.Get("Retry-After"))
	}
	conn, _ := dial(t, s)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", own)
	if _, err := oip.NewGRPCInferenceServiceClient(conn).ModelInfer(ctx, lenderCall(true)); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("gRPC: %v", err)
	}

	// Without keys a caller is an address.
	anonymous := newServer(t, serve.Options{Limits: serve.Limits{Rate: limit.Rate{PerSecond: 0.001, Burst: 2}}}).Handler()
	from := func(remote string) int {
		r, err := http.NewRequest("GET", "http://localhost/v1/models", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.RemoteAddr = remote
		return serveOne(anonymous, r).status
	}
	for i, want := range []int{200, 200, 429, 429} {
		for _, host := range []string{"192.0.2.1", "192.0.2.2", fmt.Sprintf("[2001:db8::%d]", i)} {
			if got := from(fmt.Sprintf("%s:%d", host, 1000+i)); got != want {
				t.Errorf("request %d from %s: %d, want %d", i, host, got, want)
			}
		}
	}
	if a := ask(t, anonymous, "GET", "/health/ready", ""); a.status != 200 {
		t.Errorf("health: %d", a.status)
	}
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	var said lines
	log := openLog(t)
	s := newServer(t, serve.Options{Log: log, Logger: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	h := s.Handler()
	kept := func(id string) string {
		d, _, err := log.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		return d.RequestID
	}
	for _, tt := range []struct {
		sent []string
		body string
		id   string // of the answer; "": a new one
		kept string // in the decision; "": as the answer's
	}{
		{nil, "", "", ""},
		{[]string{"web-17"}, "", "web-17", ""},
		{[]string{"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, "", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", ""},
		{[]string{"web-18"}, `,"request_id":"mine"`, "web-18", "mine"},
		{[]string{strings.Repeat("a", 128)}, "", strings.Repeat("a", 128), ""},
		{[]string{strings.Repeat("a", 129)}, "", "", ""},
		{[]string{"a b"}, "", "", ""},
		{[]string{"a\r\nSet-Cookie: x"}, "", "", ""},
		{[]string{"<script>"}, "", "", ""},
		{[]string{"ü"}, "", "", ""},
		{[]string{""}, "", "", ""},
		{[]string{"a", "b"}, "", "", ""},
	} {
		r, err := http.NewRequest("POST", "http://localhost/v1/score/credit", strings.NewReader(`{"rows":[`+applicant+`]`+tt.body+`}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header["Content-Type"], r.Header["X-Request-Id"] = []string{"application/json"}, tt.sent
		a := serveOne(h, r)
		id := a.header.Get("X-Request-Id")
		if tt.id == "" && (len(id) != 16 || len(tt.sent) > 0 && id == tt.sent[0]) || tt.id != "" && id != tt.id {
			t.Errorf("%q: the answer is named %q", tt.sent, id)
		}
		want := tt.kept
		if want == "" {
			want = id
		}
		if got := kept(read[scored](t, a, 200).Results[0].ID); got != want {
			t.Errorf("%q: the decision is named %q, want %q", tt.sent, got, want)
		}
	}
	for _, path := range []string{"/v1/score/credit", "/invocations", "/nowhere", "/v1/nowhere"} {
		a := ask(t, h, "POST", path, `{`, "X-Request-Id", "trace-me")
		if a.header.Get("X-Request-Id") != "trace-me" || path != "/invocations" && !strings.Contains(a.body, `"id":"trace-me"`) {
			t.Errorf("%s: %v %s", path, a.header, a.body)
		}
	}
	if !strings.Contains(said.String(), "request_id=trace-me") {
		t.Errorf("log: %s", &said)
	}
	conn, _ := dial(t, s)
	var header metadata.MD
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-request-id", "call-1")
	call := lenderCall(true)
	call.Id = ""
	answer, err := oip.NewGRPCInferenceServiceClient(conn).ModelInfer(ctx, call, grpc.Header(&header))
	if err != nil || answer.Id != "" || strings.Join(header.Get("x-request-id"), " ") != "call-1" {
		t.Errorf("%v %v %v", answer, header, err)
	}
	newest, err := log.Recent("credit", 1)
	if err != nil || newest[0].RequestID != "call-1" {
		t.Errorf("%v %v", newest, err)
	}
}

// The same key and body get the same decisions, once, in one process, in the
// next, and at the same time.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	body := `{"rows":[` + applicant + `,{"Income":200,"Records":"no"}],"request_id":"r-1"}`
	start := func(opt serve.Options) (*decisions.Log, http.Handler) {
		log, err := decisions.Open(dir, decisions.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { log.Close() })
		opt.Log = log
		return log, newServer(t, opt).Handler()
	}
	send := func(h http.Handler, key, body string) answer {
		return ask(t, h, "POST", "/v1/score/credit", body, "Idempotency-Key", key)
	}
	log, h := start(serve.Options{})
	first := send(h, "k", body)
	read[scored](t, first, 200)
	if first.header.Get("Idempotent-Replayed") != "" {
		t.Error("the first answer is said to be an earlier one")
	}
	longer := `{"rows":[` + applicant + `,{"Income":200,"Records":"no"},` + applicant + `],"request_id":"r-1"}`
	check := func(name string, h http.Handler) {
		t.Helper()
		if a := send(h, "k", body); a.status != 200 || a.body != first.body || a.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s: %d %s, want %s", name, a.status, a.body, first.body)
		}
		for _, other := range []string{
			`{"rows":[` + applicant + `]}`,
			`{"rows":[` + applicant + `,{"Income":201,"Records":"no"}],"request_id":"r-1"}`,
			strings.Replace(body, "r-1", "r-2", 1),
		} {
			if e := read[failure](t, send(h, "k", other), 422).Error; e.Code != "idempotency_key" {
				t.Errorf("%s: %s: %+v", name, other, e)
			}
		}
		if n := log.Counts("credit").Decisions; n != 2 {
			t.Errorf("%s: %d decisions, want 2", name, n)
		}
	}
	check("in one process", h)
	if a := send(h, "k", longer); a.status != 422 {
		t.Errorf("more rows: %d %s", a.status, a.body)
	}
	for _, bad := range []string{"", strings.Repeat("k", 256), "a\tb", "\x00"} {
		if e := read[failure](t, send(h, bad, body), 400).Error; e.Code != "idempotency_key" {
			t.Errorf("%q: %+v", bad, e)
		}
	}
	log.Close()
	log, h = start(serve.Options{})
	check("after a restart", h)
	// Another key, or none, decides anew; what was refused can be mended.
	if a := send(h, "k2", body); a.status != 200 || a.body == first.body {
		t.Errorf("another key: %d %s", a.status, a.body)
	}
	if a := send(h, "k3", `{"rows":[{}]}`); a.status != 400 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := send(h, "k3", body); a.status != 200 {
		t.Errorf("a mended request: %d %s", a.status, a.body)
	}
	before := log.Counts("credit").Decisions
	var all sync.WaitGroup
	bodies := make([]string, 20)
	for i := range bodies {
		all.Go(func() { bodies[i] = send(h, "together", body).body })
	}
	all.Wait()
	for _, b := range bodies {
		if b != bodies[0] || !strings.Contains(b, `"results"`) {
			t.Errorf("%s, want %s", b, bodies[0])
		}
	}
	if n := log.Counts("credit").Decisions - before; n != 2 {
		t.Errorf("20 at once made %d decisions, want 2", n)
	}
	// A decision that was erased does not come back.
	var got scored
	if err := json.Unmarshal([]byte(first.body), &got); err != nil {
		t.Fatal(err)
	}
	log.Close()
	log, h = start(serve.Options{})
	if err := log.Erase(t.Context(), got.Results[0].ID); err != nil {
		t.Fatal(err)
	}
	if e := read[failure](t, send(h, "k", body), 410).Error; e.Code != "erased" {
		t.Errorf("%+v", e)
	}
}

// tornLog keeps the first decision of a request and fails, as a crash may.
type tornLog struct {
	serve.Log
	whole bool
}

func (l *tornLog) Append(ctx context.Context, ds ...decisions.Decision) error {
	if !l.whole {
		l.whole = true
		return errors.Join(l.Log.Append(ctx, ds[0]), errors.New("the process was killed"))
	}
	return l.Log.Append(ctx, ds...)
}

// A request of which a crash has left a part is decided when it comes again; one
// that was logged although its caller was told of a failure is found.
func TestIdempotencyAfterFailures(t *testing.T) {
	t.Parallel()
	body := `{"rows":[` + applicant + `,{"Income":200,"Records":"no"}]}`
	for name, failing := range map[string]func(serve.Log) serve.Log{
		"torn": func(l serve.Log) serve.Log { return &tornLog{Log: l} },
		"late": func(l serve.Log) serve.Log { return &lateLog{Log: l} },
	} {
		log := openLog(t)
		h := newServer(t, serve.Options{Log: failing(log)}).Handler()
		if a := ask(t, h, "POST", "/v1/score/credit", body, "Idempotency-Key", "k"); a.status != 503 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		a := ask(t, h, "POST", "/v1/score/credit", body, "Idempotency-Key", "k")
		if got := read[scored](t, a, 200); len(got.Results) != 2 {
			t.Errorf("%s: %s", name, a.body)
		}
		if again := ask(t, h, "POST", "/v1/score/credit", body, "Idempotency-Key", "k"); again.body != a.body {
			t.Errorf("%s: %s, then %s", name, a.body, again.body)
		}
		// And with nothing in memory.
		if again := ask(t, newServer(t, serve.Options{Log: log}).Handler(), "POST", "/v1/score/credit", body, "Idempotency-Key", "k"); again.body != a.body {
			t.Errorf("%s: %s, then from the log %s", name, a.body, again.body)
		}
		want := int64(2)
		if name == "torn" {
			want = 3 // with the one that nobody was told of
		}
		if n := log.Counts("credit").Decisions; n != want {
			t.Errorf("%s: %d decisions, want %d", name, n, want)
		}
	}
}

// lateLog keeps decisions only when they come a second time: before it looks for
// them, they are not there.
type lateLog struct {
	serve.Log
	late []decisions.Decision
	done bool
}

func (l *lateLog) Append(ctx context.Context, ds ...decisions.Decision) error {
	if l.late == nil {
		l.late = ds
		return errors.New("given up")
	}
	if !l.done {
		l.done = true
		if err := l.Log.Append(ctx, l.late...); err != nil {
			return err
		}
	}
	return l.Log.Append(ctx, ds...)
}

// The answer to one caller's key is not given to another, and a server without a
// log remembers the newest.
func TestIdempotencyOfCallers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := "Bearer "+keyFor(t, dir, 0, keys.Score), "Bearer "+keyFor(t, dir, 0, keys.Score)
	ring, err := keys.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := serve.New(serve.Options{Keys: ring, Now: func() time.Time { return noon }})
	s.Swap(serve.Model{Project: "credit", Bundle: lender(t, 0)})
	s.Swap(serve.Model{Project: "loans", Bundle: lender(t, 0)})
	id := func(key, path string) string {
		return read[scored](t, ask(t, s.Handler(), "POST", path, `{"rows":[`+applicant+`]}`, "Authorization", key, "Idempotency-Key", "k"), 200).Results[0].ID
	}
	seen := map[string]bool{}
	for _, key := range []string{a, b} {
		for _, path := range []string{"/v1/score/credit", "/v1/score/loans"} {
			seen[id(key, path)] = true
			if first, second := id(key, path), id(key, path); first != second || !seen[first] {
				t.Errorf("%s and %s", first, second)
			}
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d decisions of two callers and two projects", len(seen))
	}
}

// readStatus reads one answer from a connection: its status, 0 at the end.
func readStatus(t testing.TB, in *bufio.Reader) (int, string) {
	t.Helper()
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, err.Error()
	}
	return resp.StatusCode, string(b)
}
