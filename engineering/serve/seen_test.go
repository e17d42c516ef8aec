package serve_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/serve"
	"github.com/tandem-ml/tandem/engineering/trace"
)

// tracing keeps what it is told; it samples what the caller does.
type tracing struct {
	mu    sync.Mutex
	spans []*recorded
}

type recorded struct {
	r        *tracing
	from     trace.Origin
	name     string
	failed   bool
	children []string
	about    string
	end      bool
}

func (r *tracing) Begin(_ time.Time, from trace.Origin) trace.Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &recorded{r: r, from: from}
	r.spans = append(r.spans, s)
	return s
}

func (s *recorded) Recording() bool { return !strings.HasSuffix(s.from.Traceparent, "-00") }
func (s *recorded) Traceparent() string {
	return "00-" + strings.Repeat("ab", 16) + "-" + strings.Repeat("cd", 8) + "-01"
}

func (s *recorded) Child(name string, from, to time.Time, about ...trace.Attribute) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	if to.Before(from) {
		name += " that ends before it begins"
	}
	s.children = append(s.children, name)
	s.about += fmt.Sprint(about)
}

func (s *recorded) End(name string, _ time.Time, failed bool, about ...trace.Attribute) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.name, s.failed, s.end = name, failed, true
	s.about += fmt.Sprint(about)
}

const stages = "[read queue decode score reasons log answer]"

func TestTraces(t *testing.T) {
	t.Parallel()
	rec := &tracing{}
	var out lines
	s := newServer(t, serve.Options{Tracer: rec, Logger: slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo}))})
	if err := s.Put(serve.Lineup{Champion: serve.Model{Project: "credit", Version: "3", Bundle: lender(t, 0)},
		Shadow: &serve.Model{Project: "credit", Version: "4", Bundle: lender(t, 1)}}); err != nil {
		t.Fatal(err)
	}
	const caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	h := s.Handler()
	a := ask(t, h, "POST", "/v1/score/credit", `{"rows":[`+applicant+`]}`, "Traceparent", caller, "Tracestate", "a=b", "X-Request-Id", "jane@example.com")
	s.Settle()
	span := rec.spans[0]
	if got := a.header.Get("Traceresponse"); a.status != 200 || got != span.Traceparent() {
		t.Errorf("%d, Traceresponse %q", a.status, got)
	}
	if span.from.Traceparent != caller || span.from.Tracestate != "a=b" || span.name != "/v1/score/{project}" || span.failed || !span.end {
		t.Errorf("%+v", span)
	}
	// The shadow's place among them is its own affair.
	var inOrder []string
	shadows := 0
	for _, c := range span.children {
		if c == "shadow" {
			shadows++
		} else {
			inOrder = append(inOrder, c)
		}
	}
	if fmt.Sprint(inOrder) != stages || shadows != 1 {
		t.Errorf("%v", span.children)
	}
	for _, want := range []string{"{tandem.rows 1}", "{tandem.model.version 3}", "{tandem.model.version 4}", "{http.response.status_code 200}"} {
		if !strings.Contains(span.about, want) {
			t.Errorf("no %s in %s", want, span.about)
		}
	}
	// Nothing of what came stands in a span: neither inputs nor what may be a name.
	for _, secret := range []string{"jane", "Income", "129", "freelance", "Records"} {
		if strings.Contains(span.about+fmt.Sprint(span.children), secret) {
			t.Errorf("%q stands in %s", secret, span.about)
		}
	}
	if ask(t, h, "POST", "/v1/score/credit", `{"rows":[`+applicant+`]}`, "Traceparent", caller[:len(caller)-1]+"0"); len(rec.spans[1].children) != 0 || !rec.spans[1].end {
		t.Errorf("a request that is not to be followed: %+v", rec.spans[1])
	}
	ask(t, h, "POST", "/v1/score/credit", `{"rows":[{"Income":"much"}]}`)
	if span = rec.spans[2]; fmt.Sprint(span.children) != "[read queue answer]" || span.failed {
		t.Errorf("a refusal: %+v", span)
	}
	if !strings.Contains(out.String(), `"trace_id":"`+strings.Repeat("ab", 16)+`"`) {
		t.Errorf("the log has no trace id: %s", out.String())
	}

	replies, err := s.Block(t.Context(), "credit", []serve.Message{{Body: []byte(applicant), Source: "a/0/1", Trace: caller}, {Body: []byte(applicant), Source: "a/0/2"}}, true)
	span = rec.spans[3]
	if err != nil || len(span.from.Links) != 1 || span.from.Links[0] != caller || span.name != "stream" || replies[1].Trace != span.Traceparent() {
		t.Errorf("a block: %v %+v", err, span)
	}
	s.Settle()
}

// TestStages expects the first request, and one in eight after it, to be measured by
// stages, and all of them as a whole.
func TestStages(t *testing.T) {
	t.Parallel()
	h := newServer(t, serve.Options{}).Handler()
	for range 17 {
		if a := ask(t, h, "POST", "/v1/score/credit", `{"rows":[`+applicant+`,`+applicant+`]}`); a.status != 200 {
			t.Fatal(a.body)
		}
	}
	text := ask(t, h, "GET", "/metrics", "").body
	for _, stage := range strings.Fields(strings.Trim(stages, "[]")) {
		if want := `tandem_stage_seconds_count{route="/v1/score/{project}",stage="` + stage + `"} 3`; !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, want := range []string{
		`tandem_request_seconds_count{route="/v1/score/{project}"} 17`, `tandem_score_count{project="credit",version="3"} 34`,
		`tandem_score_bucket{project="credit",version="3",le="+Inf"} 34`, "tandem_build_info{", "go_sched_pauses_total_gc_seconds_bucket", "go_sched_latencies_seconds_bucket",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
}

// TestSeriesAreBounded sends what callers can make up: there must be no series
// for it.
func TestSeriesAreBounded(t *testing.T) {
	t.Parallel()
	h := newServer(t, serve.Options{}).Handler()
	series := func() int {
		n := 0
		for line := range strings.Lines(ask(t, h, "GET", "/metrics", "").body) {
			if !strings.HasPrefix(line, "#") {
				n++
			}
		}
		return n
	}
	send := func(i int) {
		word := fmt.Sprint("word", i)
		ask(t, h, "POST", "/v1/score/credit", `{"rows":[`+applicant+`],"request_id":"`+word+`"}`, "X-Request-Id", word, "Traceparent", word, "User-Agent", word)
		ask(t, h, "POST", "/v1/score/"+word, `{"rows":[`+applicant+`]}`)
		ask(t, h, "POST", "/v1/score/credit/versions/"+word, `{"rows":[`+applicant+`]}`)
		ask(t, h, "POST", "/v1/score/credit", `{"rows":[{"`+word+`":1}]}`)
		ask(t, h, "GET", "/"+word, "")
		ask(t, h, "GET", "/v1/decisions/"+word, "")
		ask(t, h, "POST", "/v2/models/"+word+"/infer", `{}`)
		ask(t, h, "BREW", "/v1/score/"+word, "")
		ask(t, h, "GET", "/ping", "") // the ninth, so that each of them has its turn to be measured
	}
	series() // which is a route as well
	for i := range 16 {
		send(i)
	}
	before := series()
	for i := range 200 {
		send(100 + i)
	}
	if after := series(); after != before || before > 2000 {
		t.Errorf("%d series, %d after 1,800 requests that differ", before, after)
	}
}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	var out lines
	h := newServer(t, serve.Options{AccessLog: slog.New(slog.NewJSONHandler(&out, nil)), AccessShare: 0.5, Tracer: &tracing{}}).Handler()
	for i := range 10 {
		ask(t, h, "POST", "/v1/score/credit", `{"rows":[`+applicant+`]}`, "X-Request-Id", fmt.Sprint("r", i), "Authorization", "Bearer tdm_secret")
	}
	said := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(said) != 5 {
		t.Fatalf("%d lines for half of ten requests: %s", len(said), out.String())
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(said[1]), &line); err != nil {
		t.Fatal(err)
	}
	if took, ok := line["duration_ms"].(float64); !ok || took < 0 {
		t.Errorf("%v", line)
	}
	delete(line, "time")
	delete(line, "duration_ms")
	text, _ := json.Marshal(line)
	if want := `{"level":"INFO","msg":"request","project":"credit","request_id":"r2","route":"/v1/score/{project}","rows":1,"status":200,"trace_id":"` + strings.Repeat("ab", 16) + `","version":"3"}`; string(text) != want {
		t.Errorf("%s", text)
	}
	if regexp.MustCompile(`secret|Income|129`).MatchString(out.String()) {
		t.Errorf("%s", out.String())
	}
}

// TestSeeingCostsNothing: of eight requests one has a watch, and for the others
// nothing is made.
func TestSeeingCostsNothing(t *testing.T) {
	var w *trace.Watch
	if n := testing.AllocsPerRun(100, func() {
		w.Done(trace.Read)
		w.Decided("a", "b", "c", 1)
		w.End("x", 0, false)
	}); n != 0 {
		t.Errorf("a request without a watch: %v allocations", n)
	}
	s := newServer(t, serve.Options{})
	if !s.Watched() {
		t.Error("the first request is not measured")
	}
	if n := testing.AllocsPerRun(6, func() { // and once before
		if s.Watched() {
			t.Error("another one is")
		}
	}); n != 0 {
		t.Errorf("a request whose turn it is not: %v allocations", n)
	}
	if !s.Watched() {
		t.Error("the ninth is not")
	}
}
