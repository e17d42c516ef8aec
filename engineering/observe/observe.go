// Package observe makes of settings what tells the world about a server: its log,
// its access log and its traces. All programs that serve have the same ones.
package observe

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"github.com/tandem-ml/tandem"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/trace"
	"github.com/tandem-ml/tandem/engineering/trace/otlp"
)

// Settings are what a person says. The zero value is good: warnings as text, no
// access log, and traces only if the environment asks for them (see
// [otlp.Options]).
type Settings struct {
	Format string  // of lines: "text", which is also "", or "json"
	Level  string  // from which on: "debug", "info", "warn", which is also "", or "error"
	Access float64 // the share of requests that have a line in the access log, from 0 to 1

	Endpoint string  // of the collector of traces; "": the environment's
	Share    float64 // of requests that are traced where the caller does not say; 0: the environment's
}

// Seen is what a server is given.
type Seen struct {
	Logger *slog.Logger
	Access *slog.Logger // nil: no access log
	Tracer trace.Tracer // nil: no traces

	close func(context.Context) error
}

// Check returns what is wrong with the settings or with the environment.
func (s Settings) Check() error {
	if _, err := s.level(); err != nil {
		return err
	}
	if s.Format != "" && s.Format != "text" && s.Format != "json" {
		return data.WithHint(fmt.Errorf("--log-format %q is neither text nor json", s.Format), "json is for programs that collect logs")
	}
	if !(s.Access >= 0 && s.Access <= 1) {
		return errors.New("--access-log is a share of the requests from 0 to 1")
	}
	if t := s.traces(nil); t.On() || t.Share != 0 {
		return t.Check()
	}
	return nil
}

func (s Settings) level() (slog.Level, error) {
	switch s.Level {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "", "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("--log-level %q is none of debug, info, warn, error", s.Level)
}

func (s Settings) traces(logger *slog.Logger) otlp.Options {
	return otlp.Options{Endpoint: s.Endpoint, Share: s.Share, Version: tandem.Version, Logger: logger}
}

// Open returns what the settings ask for; lines go to w. It waits for nobody.
// [Seen.Close] is to be called when the server has stopped.
func (s Settings) Open(ctx context.Context, w io.Writer) (*Seen, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	level, _ := s.level()
	handler := func(level slog.Level) slog.Handler {
		opt := &slog.HandlerOptions{Level: level}
		if s.Format == "json" {
			return slog.NewJSONHandler(w, opt)
		}
		return slog.NewTextHandler(w, opt)
	}
	out := &Seen{Logger: slog.New(handler(level))}
	if s.Access > 0 {
		out.Access = slog.New(handler(slog.LevelInfo)) // who asks for it means it, whatever the level
	}
	if t := s.traces(out.Logger); t.On() {
		e, err := otlp.Open(ctx, t)
		if err != nil {
			return nil, err
		}
		out.Tracer, out.close = e, e.Close
	}
	return out, nil
}

// closeWithin is how long a collector may take for what it has not got yet.
const closeWithin = 5 * time.Second

// Close sends the last traces.
func (s *Seen) Close() {
	if s.close == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	if err := s.close(ctx); err != nil {
		s.Logger.Warn("the last traces were not sent", "cause", err)
	}
}

// Flag is one of the settings as a flag of a command line.
type Flag struct{ Name, Help string }

// The flags, in the order of a help text.
var (
	FlagFormat   = Flag{"log-format", "how the server's own log is written on stderr: text or json"}
	FlagLevel    = Flag{"log-level", "from which level on: debug, info, warn or error"}
	FlagAccess   = Flag{"access-log", "share of the requests that have a line in the log, from 0 (none) to 1 (all)"}
	FlagEndpoint = Flag{"otlp-endpoint", "http(s)://HOST:PORT of a collector that traces are sent to by OTLP over HTTP (default: OTEL_EXPORTER_OTLP_ENDPOINT, or none)"}
	FlagShare    = Flag{"trace-share", "share of the requests that are traced where the caller does not say, above 0 and at most 1 (default: OTEL_TRACES_SAMPLER, or all)"}
)

// Flags adds the settings to the flags of package flag, with the values of the environment
// variables TANDEM_LOG_FORMAT, TANDEM_LOG_LEVEL, TANDEM_ACCESS_LOG,
// TANDEM_OTLP_ENDPOINT and TANDEM_TRACE_SHARE as defaults.
func (s *Settings) Flags(set *flag.FlagSet, getenv func(string) string) {
	set.StringVar(&s.Format, FlagFormat.Name, getenv("TANDEM_LOG_FORMAT"), FlagFormat.Help)
	set.StringVar(&s.Level, FlagLevel.Name, getenv("TANDEM_LOG_LEVEL"), FlagLevel.Help)
	set.Float64Var(&s.Access, FlagAccess.Name, share(getenv("TANDEM_ACCESS_LOG")), FlagAccess.Help)
	set.StringVar(&s.Endpoint, FlagEndpoint.Name, getenv("TANDEM_OTLP_ENDPOINT"), FlagEndpoint.Help)
	set.Float64Var(&s.Share, FlagShare.Name, share(getenv("TANDEM_TRACE_SHARE")), FlagShare.Help)
}

// share reads a number of the environment. What is none is a share that there
// cannot be.
func share(text string) float64 {
	if text == "" {
		return 0
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return -1
	}
	return x
}
