package otlp_test

import (
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	v1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/tandem-ml/tandem/engineering/trace"
	"github.com/tandem-ml/tandem/engineering/trace/otlp"
)

var start = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// collecting returns the address of a collector and the spans that it got, to be
// read when the exporter is closed.
func collecting(t *testing.T) (url string, resource *string, spans *[]*v1.Span) {
	t.Helper()
	resource, spans = new(string), new([]*v1.Span)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(r.Body)
		}
		b, err := io.ReadAll(body)
		var req collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(b, &req) != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		for _, rs := range req.ResourceSpans {
			for _, a := range rs.Resource.Attributes {
				*resource += a.Key + "=" + a.Value.GetStringValue() + "\n"
			}
			for _, ss := range rs.ScopeSpans {
				*spans = append(*spans, ss.Spans...)
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, resource, spans
}

// quiet takes the variables of a surrounding program out of the way.
func quiet(t *testing.T) {
	t.Helper()
	for _, name := range []string{"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
		"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"} {
		t.Setenv(name, "")
	}
}

const (
	caller    = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	unsampled = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
)

func TestSpansArrive(t *testing.T) {
	quiet(t)
	url, resource, spans := collecting(t)
	t.Setenv("OTEL_SERVICE_NAME", "credit-scores")
	o := otlp.Options{Endpoint: url, Version: "1.2"}
	if !o.On() {
		t.Fatal("an endpoint does not ask for traces")
	}
	e, err := otlp.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	w := trace.New(time.Now())
	w.Span = e.Begin(time.Now(), trace.Origin{Traceparent: caller, Links: []string{unsampled, "nonsense"}})
	if got := w.Span.Traceparent(); trace.ID(got) != "0af7651916cd43dd8448eb211c80319c" || !strings.HasSuffix(got, "-01") || !w.Span.Recording() {
		t.Errorf("%s", got)
	}
	w.Done(trace.Read)
	w.Done(trace.Score)
	w.Decided("credit", "3", "abc", 7)
	w.End("/v1/score/{project}", time.Second, true)
	if s := e.Begin(start, trace.Origin{Traceparent: unsampled}); s.Recording() || trace.ID(s.Traceparent()) != "1af7651916cd43dd8448eb211c80319c" {
		t.Errorf("a caller that is not followed: %s", s.Traceparent())
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(*spans) != 3 || !strings.Contains(*resource, "service.name=credit-scores\n") || !strings.Contains(*resource, "service.version=1.2\n") {
		t.Fatalf("%d spans of %s", len(*spans), *resource)
	}
	read, score, root := (*spans)[0], (*spans)[1], (*spans)[2]
	if read.Name != "read" || score.Name != "score" || root.Name != "/v1/score/{project}" || root.Kind != v1.Span_SPAN_KIND_SERVER || root.Status.Code != v1.Status_STATUS_CODE_ERROR {
		t.Errorf("%v", *spans)
	}
	if string(read.ParentSpanId) != string(root.SpanId) || read.EndTimeUnixNano != score.StartTimeUnixNano || root.EndTimeUnixNano-root.StartTimeUnixNano < 900_000_000 {
		t.Errorf("%v", *spans)
	}
	if len(root.Links) != 1 || root.Links[0].TraceId[0] != 0x1a {
		t.Errorf("links %v", root.Links)
	}
	rows := false
	for _, a := range root.Attributes {
		rows = rows || a.Key == "tandem.rows" && a.Value.GetIntValue() == 7
	}
	if !rows {
		t.Errorf("%v", root.Attributes)
	}
}

// TestShare follows the caller, and draws where it says nothing. A trace's id says
// whether it is drawn, so that all who use the share agree.
func TestShare(t *testing.T) {
	quiet(t)
	url, _, _ := collecting(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	for _, share := range []float64{1e-9, 1} {
		e, err := otlp.Open(t.Context(), otlp.Options{Share: share})
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Begin(start, trace.Origin{}).Recording(); got != (share == 1) {
			t.Errorf("share %g: recording %v", share, got)
		}
		if !e.Begin(start, trace.Origin{Traceparent: caller}).Recording() {
			t.Errorf("share %g: the caller is not followed", share)
		}
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSettings(t *testing.T) {
	quiet(t)
	if (otlp.Options{}).On() {
		t.Error("traces are on without being asked for")
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
	if !(otlp.Options{}).On() {
		t.Error("the environment does not turn traces on")
	}
	t.Setenv("OTEL_SDK_DISABLED", "true")
	if (otlp.Options{}).On() {
		t.Error("the environment does not turn traces off")
	}
	for _, o := range []otlp.Options{{Share: 2}, {Share: -1}, {Endpoint: "127.0.0.1:4318"}, {Endpoint: "grpc://x:4317"}, {Endpoint: "http://"}} {
		if o.Check() == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	if err := (otlp.Options{}).Check(); err == nil || !strings.Contains(err.Error(), "http/protobuf") {
		t.Errorf("%v", err)
	}
}

// TestNobodyListens expects a collector that is away to be told of and to stop
// nothing.
func TestNobodyListens(t *testing.T) {
	quiet(t)
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "50")
	var out strings.Builder
	e, err := otlp.Open(t.Context(), otlp.Options{Endpoint: s.URL, Logger: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	span := e.Begin(start, trace.Origin{})
	span.End("x", start, false)
	if err := e.Close(t.Context()); err == nil && !strings.Contains(out.String(), "traces were not sent") {
		t.Errorf("nobody is told: %v %q", err, out.String())
	}
}
