package observe_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/engineering/observe"
)

func TestLogs(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
	for _, tt := range []struct {
		s    observe.Settings
		want string // of a line of each level, and one of the access log
	}{
		{observe.Settings{}, "level=WARN msg=warn"},
		{observe.Settings{Format: "json", Level: "error", Access: 1}, `"level":"INFO","msg":"visit"`},
		{observe.Settings{Format: "text", Level: "info"}, "level=INFO msg=info"},
	} {
		var out bytes.Buffer
		seen, err := tt.s.Open(t.Context(), &out)
		if err != nil {
			t.Fatal(err)
		}
		seen.Logger.Debug("debug")
		seen.Logger.Info("info")
		seen.Logger.Warn("warn")
		if (seen.Access != nil) != (tt.s.Access > 0) || seen.Tracer != nil {
			t.Errorf("%+v: %+v", tt.s, seen)
		}
		if seen.Access != nil {
			seen.Access.Info("visit")
		}
		seen.Close()
		if !strings.Contains(out.String(), tt.want) || strings.Contains(out.String(), "debug") || tt.s.Level != "info" && strings.Contains(out.String(), "msg=info") {
			t.Errorf("%+v: %s", tt.s, out.String())
		}
	}
}

func TestSettings(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "")
	s := observe.Settings{Format: "json", Level: "debug", Access: 0.5, Endpoint: "http://127.0.0.1:4318"}
	seen, err := s.Open(t.Context(), &bytes.Buffer{})
	if err != nil || seen.Tracer == nil {
		t.Fatalf("%+v %v", seen, err)
	}
	seen.Close()

	for _, s := range []observe.Settings{{Format: "xml"}, {Level: "loud"}, {Access: 2}, {Access: -1}, {Share: 2}, {Endpoint: "127.0.0.1:4318"}} {
		if _, err := s.Open(t.Context(), &bytes.Buffer{}); err == nil {
			t.Errorf("%+v is taken", s)
		}
	}
}
