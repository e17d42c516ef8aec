package serve_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/serve"
)

// Under load a hundred swaps fail no request, and every answer is one model's
// whole: version, bundle and scores agree.
func TestSwapsUnderLoad(t *testing.T) {
	t.Parallel()
	type served struct {
		bundle string
		score  float64
	}
	b := map[string]served{}
	models := []serve.Model{{Project: "credit", Version: "1", Bundle: lender(t, 0)}, {Project: "credit", Version: "2", Bundle: lender(t, 1)}}
	for _, m := range models {
		row := make([]float64, m.Bundle.Layout().Cols())
		if _, err := m.Bundle.Layout().DecodeJSON(row, []byte(applicant), true); err != nil {
			t.Fatal(err)
		}
		_, score := m.Bundle.Score(row)
		b[m.Version] = served{m.Bundle.ID(), score}
	}
	log := openLog(t)
	s := serve.New(serve.Options{Log: log})
	s.Swap(models[0])
	url, stop := running(t, s)
	var done atomic.Bool
	var answered atomic.Int64
	var wait sync.WaitGroup
	seen := make([]map[string]bool, 4)
	for i := range seen {
		seen[i] = map[string]bool{}
		wait.Go(func() {
			for !done.Load() {
				status, body, err := post(url+"/v1/score/credit", `{"rows":[`+applicant+`,`+applicant+`,`+applicant+`]}`)
				if err != nil || status != 200 {
					t.Errorf("%d %s %v", status, body, err)
					return
				}
				var got scored
				if err := json.Unmarshal([]byte(body), &got); err != nil {
					t.Error(err)
					return
				}
				answered.Add(int64(len(got.Results)))
				seen[i][got.Model] = true
				want := b[got.Model]
				for _, r := range got.Results {
					if r.Score != want.score || got.Bundle != want.bundle {
						t.Errorf("version %s answers %v with bundle %s", got.Model, r.Score, got.Bundle)
						return
					}
				}
			}
		})
	}
	for i := range 100 {
		before := answered.Load()
		s.Swap(models[(i+1)%2])
		for deadline := time.Now().Add(5 * time.Second); answered.Load() == before && !t.Failed(); {
			if time.Now().After(deadline) {
				t.Fatal("no answers")
			}
			runtime.Gosched()
		}
	}
	done.Store(true)
	wait.Wait()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if n := log.Counts("credit").Decisions; n != answered.Load() {
		t.Errorf("%d rows were answered, %d are logged", answered.Load(), n)
	}
	versions := map[string]bool{}
	for i := range seen {
		maps.Copy(versions, seen[i])
	}
	if len(versions) != 2 {
		t.Errorf("the clients saw versions %v", versions)
	}
	m := ask(t, s.Handler(), "GET", "/metrics", "").body
	if !strings.Contains(m, `tandem_model_swaps_total{project="credit"} 101`) || strings.Count(m, "tandem_model_info{") != 1 ||
		!strings.Contains(m, `tandem_model_info{bundle="`+b["1"].bundle+`",project="credit",version="1"} 1`) {
		t.Errorf("metrics:\n%s", m)
	}
}

// Concurrent swaps of many projects lose none.
func TestSwapsTogether(t *testing.T) {
	t.Parallel()
	s := serve.New(serve.Options{})
	bundle := lender(t, 0)
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() { s.Swap(serve.Model{Project: fmt.Sprintf("p%02d", i), Bundle: bundle}) })
	}
	wait.Wait()
	models := s.Models()
	for i, m := range models {
		if m.Project != fmt.Sprintf("p%02d", i) {
			t.Errorf("model %d is %s", i, m.Project)
		}
	}
	if len(models) != 20 {
		t.Errorf("%d models", len(models))
	}
}

// slowLog holds every append until it is let go.
type slowLog struct {
	serve.Log
	arrived, leave chan struct{}
}

func (l slowLog) Append(ctx context.Context, ds ...decisions.Decision) error {
	l.arrived <- struct{}{}
	select {
	case <-l.leave:
	case <-ctx.Done():
		return ctx.Err()
	}
	return l.Log.Append(ctx, ds...)
}

func TestDrain(t *testing.T) {
	t.Parallel()
	inner := openLog(t)
	log := slowLog{inner, make(chan struct{}), make(chan struct{})}
	url, stop := running(t, newServer(t, serve.Options{Log: log}))
	type result struct {
		status int
		body   string
		err    error
	}
	results := make(chan result)
	go func() {
		status, body, err := post(url+"/v1/score/credit", `{"rows":[`+applicant+`]}`)
		results <- result{status, body, err}
	}()
	<-log.arrived
	stopped := make(chan error)
	go func() { stopped <- stop() }()
	for deadline := time.Now().Add(5 * time.Second); ; { // until no connection is taken
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			break
		}
		conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("the server goes on taking connections")
		}
	}
	select {
	case err := <-stopped:
		t.Fatalf("stopped (%v) before the request under way was answered", err)
	default:
	}
	close(log.leave)
	if r := <-results; r.err != nil || r.status != 200 {
		t.Errorf("the request under way: %+v", r)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if n := inner.Counts("credit").Decisions; n != 1 {
		t.Errorf("%d decisions logged", n)
	}
}

// A request that does not end is cut off, so that stopping does.
func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	log := slowLog{openLog(t), make(chan struct{}), make(chan struct{})}
	url, stop := running(t, newServer(t, serve.Options{Log: log, Limits: serve.Limits{Drain: 10 * time.Millisecond}}))
	failed := make(chan error)
	go func() {
		_, _, err := post(url+"/v1/score/credit", `{"rows":[`+applicant+`]}`)
		failed <- err
	}()
	<-log.arrived
	if err := stop(); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("stopped with %v", err)
	}
	if err := <-failed; err == nil {
		t.Error("the request was answered")
	}
}

// A body over the limit is refused before it is sent, if the client waits to
// be told, and when it is not declared.
func TestLargeBodiesOverTheNetwork(t *testing.T) {
	t.Parallel()
	url, _ := running(t, newServer(t, serve.Options{}))
	address := strings.TrimPrefix(url, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/score/credit HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 20000000\r\nExpect: 100-continue\r\n\r\n", address)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(line, " 413 ") {
		t.Errorf("got %q, %v", line, err)
	}
	chunked, err := http.NewRequest("POST", url+"/v1/score/credit", io.LimitReader(blanks{}, 20_000_000))
	if err != nil {
		t.Fatal(err)
	}
	chunked.Header.Set("Content-Type", "application/json")
	if resp, err := http.DefaultClient.Do(chunked); err == nil { // else the connection was cut while we wrote
		if resp.Body.Close(); resp.StatusCode != 413 {
			t.Errorf("chunked: %d", resp.StatusCode)
		}
	}
	if status, body, err := post(url+"/v1/score/credit", `{"rows":[`+applicant+`]}`); err != nil || status != 200 {
		t.Errorf("afterwards: %d %s %v", status, body, err)
	}
}

// blanks is an endless white space.
type blanks struct{}

func (blanks) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

// A client that is slow to say what it wants is let go.
func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	url, _ := running(t, newServer(t, serve.Options{Limits: serve.Limits{Header: 20 * time.Millisecond}}))
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /health/live HTTP/1.1\r\nHost:")
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(conn); err != nil && !errors.Is(err, syscall.ECONNRESET) { // reset: closed with bytes unread
		t.Errorf("the connection is still open: %v", err)
	}
}

func TestServedHost(t *testing.T) {
	t.Parallel()
	url, _ := running(t, newServer(t, serve.Options{}))
	for host, want := range map[string]int{"": 200, "evil.example": 421} {
		r, err := http.NewRequest("GET", url+"/health/live", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != want || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("Host %q: %d, want %d", host, resp.StatusCode, want)
		}
	}
}

// Whatever is asked for, the number of series stays that of routes, statuses
// and models.
func TestMetrics(t *testing.T) {
	t.Parallel()
	s := newServer(t, serve.Options{})
	h := s.Handler()
	score(t, h, rowsOf(6)...)
	ask(t, h, "POST", "/invocations", `{"instances":[[80,"fixed","yes"]]}`)
	for i := range 50 {
		ask(t, h, "GET", fmt.Sprintf("/v1/decisions/%d", i), "")
		ask(t, h, "GET", fmt.Sprintf("/page/%d", i), "")
		ask(t, h, "GET", fmt.Sprintf("/v1/%d", i), "")
		ask(t, h, fmt.Sprintf("M%d", i), "/v1/score/credit", "")
		ask(t, h, "POST", fmt.Sprintf("/v1/score/p%d", i), `{"rows":[{}]}`)
	}
	a := ask(t, h, "GET", "/metrics", "")
	if !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
		t.Errorf("Content-Type %q", a.header.Get("Content-Type"))
	}
	for _, want := range []string{
		`tandem_rows_total{project="credit"} 7`,
		`tandem_decisions_total{decision="bad",project="credit"}`,
		`tandem_decisions_total{decision="good",project="credit"}`,
		`tandem_requests_total{route="/v1/score/{project}",status="200"} 1`,
		`tandem_requests_total{route="/v1/score/{project}",status="404"} 50`,
		`tandem_requests_total{route="/v1/score/{project}",status="405"} 50`,
		`tandem_requests_total{route="/v1/decisions/{id}",status="404"} 50`,
		`tandem_requests_total{route="/invocations",status="200"} 1`,
		`tandem_requests_total{route="none",status="404"} 50`,
		`tandem_requests_total{route="pages",status="404"} 50`,
		`tandem_request_seconds_count{route="/invocations"} 1`,
		`tandem_requests_in_flight 1`,
		`tandem_log_errors_total 0`,
		`tandem_model_info{bundle="`,
		`go_goroutines `,
	} {
		if !strings.Contains(a.body, want) {
			t.Errorf("no %s in\n%s", want, a.body)
		}
	}
	if n := strings.Count(a.body, "tandem_requests_total{"); n != 7 {
		t.Errorf("%d series of requests", n)
	}
}
