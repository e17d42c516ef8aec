// Package otlp sends traces to a collector by OTLP over HTTP. It is the only
// package that knows OpenTelemetry.
//
// A collector that is slow or away costs memory for 2,048 spans and nothing
// else: what there is no room for is dropped.
package otlp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/trace"
)

// Options say where traces go. What they leave open, the environment says in the
// variables of the OpenTelemetry specification: OTEL_EXPORTER_OTLP_ENDPOINT and
// all others of the exporter, OTEL_TRACES_SAMPLER and its _ARG,
// OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, those of the batch processor, and
// OTEL_SDK_DISABLED.
type Options struct {
	Endpoint string       // http(s)://HOST:PORT of the collector, to which /v1/traces is added; "": the environment's
	Share    float64      // of the requests whose caller does not say whether to follow them, in (0, 1]; 0: the environment's, or all
	Service  string       // what the server calls itself where the environment does not say
	Version  string       // of the program
	Logger   *slog.Logger // told when traces cannot be sent, once a minute at most; nil: silent
}

// On reports whether traces are asked for: by the options or by the environment.
func (o Options) On() bool {
	switch {
	case strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true"), os.Getenv("OTEL_TRACES_EXPORTER") == "none":
		return false
	}
	return o.Endpoint != "" || os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// Check returns what is wrong with the options, or with the environment.
func (o Options) Check() error {
	if !(o.Share >= 0 && o.Share <= 1) {
		return errors.New("--trace-share is a share of the requests from 0 to 1")
	}
	for name, text := range map[string]string{"--otlp-endpoint": o.Endpoint,
		"OTEL_EXPORTER_OTLP_ENDPOINT": os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")} {
		if text == "" {
			continue
		}
		if u, err := url.Parse(text); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
			return data.WithHint(fmt.Errorf("%s is not the URL of a collector", name), "write it as http://127.0.0.1:4318: OTLP over HTTP")
		}
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"} {
		if p := os.Getenv(name); p != "" && p != "http/protobuf" {
			return data.WithHint(fmt.Errorf("%s is %q, and only http/protobuf is spoken here", name, p), "leave it out, and name the collector's HTTP port, as a rule 4318")
		}
	}
	return nil
}

// Exporter makes spans and sends them. It is a [trace.Tracer].
type Exporter struct {
	provider *sdk.TracerProvider
	tracer   api.Tracer
}

// Open returns an exporter. It does not wait for the collector.
func Open(ctx context.Context, o Options) (*Exporter, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	var to []otlptracehttp.Option
	if o.Endpoint != "" {
		to = append(to, otlptracehttp.WithEndpointURL(strings.TrimSuffix(o.Endpoint, "/")+"/v1/traces"))
	}
	sender, err := otlptracehttp.New(ctx, to...)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	return open(ctx, o, sdk.NewBatchSpanProcessor(sender))
}

func open(ctx context.Context, o Options, to sdk.SpanProcessor) (*Exporter, error) {
	name := o.Service
	if name == "" {
		name = "tandem"
	}
	// In this order: the environment's word counts more than ours.
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", name), attribute.String("service.version", o.Version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	opts := []sdk.TracerProviderOption{sdk.WithResource(about), sdk.WithSpanProcessor(to)}
	if o.Share > 0 {
		opts = append(opts, sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(o.Share))))
	}
	otel.SetErrorHandler(&teller{logger: o.Logger})
	p := sdk.NewTracerProvider(opts...)
	return &Exporter{provider: p, tracer: p.Tracer("github.com/tandem-ml/tandem", api.WithInstrumentationVersion(o.Version))}, nil
}

// Close sends what is not sent yet, as long as ctx lasts.
func (e *Exporter) Close(ctx context.Context) error { return e.provider.Shutdown(ctx) }

// teller tells that spans cannot be sent, in few words: what a collector answers
// is not ours.
type teller struct {
	logger *slog.Logger
	mu     sync.Mutex
	last   time.Time
}

func (t *teller) Handle(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); t.logger != nil && now.Sub(t.last) >= time.Minute {
		t.last = now
		t.logger.Warn("traces were not sent", "cause", err)
	}
}

// Begin implements [trace.Tracer].
func (e *Exporter) Begin(start time.Time, from trace.Origin) trace.Span {
	opts := []api.SpanStartOption{api.WithTimestamp(start), api.WithSpanKind(api.SpanKindServer)}
	for _, text := range from.Links {
		if c := contextOf(text, ""); c.IsValid() {
			opts = append(opts, api.WithLinks(api.Link{SpanContext: c}))
		}
	}
	ctx := context.Background()
	if c := contextOf(from.Traceparent, from.Tracestate); c.IsValid() {
		ctx = api.ContextWithRemoteSpanContext(ctx, c)
	}
	ctx, s := e.tracer.Start(ctx, "request", opts...)
	return &span{e, ctx, s}
}

// contextOf reads what W3C Trace Context says; its zero value is not valid.
func contextOf(traceparent, tracestate string) api.SpanContext {
	if traceparent == "" {
		return api.SpanContext{}
	}
	carrier := propagation.MapCarrier{"traceparent": traceparent, "tracestate": tracestate}
	return api.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
}

type span struct {
	exporter *Exporter
	ctx      context.Context // in which it is the current one
	span     api.Span
}

func (s *span) Recording() bool { return s.span.SpanContext().IsSampled() }

func (s *span) Traceparent() string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(s.ctx, carrier)
	return carrier["traceparent"]
}

func (s *span) Child(name string, from, to time.Time, about ...trace.Attribute) {
	_, child := s.exporter.tracer.Start(s.ctx, name, api.WithTimestamp(from), api.WithAttributes(attributes(about)...))
	child.End(api.WithTimestamp(to))
}

func (s *span) End(name string, to time.Time, failed bool, about ...trace.Attribute) {
	s.span.SetName(name)
	s.span.SetAttributes(attributes(about)...)
	if failed {
		s.span.SetStatus(codes.Error, "")
	}
	s.span.End(api.WithTimestamp(to))
}

func attributes(about []trace.Attribute) []attribute.KeyValue {
	out := make([]attribute.KeyValue, 0, len(about))
	for _, a := range about {
		switch v := a.Value.(type) {
		case string:
			out = append(out, attribute.String(a.Key, v))
		case int:
			out = append(out, attribute.Int(a.Key, v))
		}
	}
	return out
}
