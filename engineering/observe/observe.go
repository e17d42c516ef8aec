// Package observe makes of settings what tells the world about a server: its log,
// its access log and its traces. All programs that serve have the same ones.
package observe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
