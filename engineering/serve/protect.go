package serve

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/tandem-ml/tandem/engineering/limit"
	"github.com/tandem-ml/tandem/engineering/trace"
)

// What all doors have in common that keeps the server alive whoever asks, as
// functions of plain values: a door need not be one of package net/http.

// scored lets a request to a place among those that are scored at once, or
// refuses it.
func (s *Server) scored(h func(*http.Request, []byte) (any, error)) func(*http.Request, []byte) (any, error) {
	return func(r *http.Request, body []byte) (any, error) {
		if err := s.enter(r.Context()); err != nil {
			return nil, err
		}
		defer s.gate.Leave()
		return h(r, body)
	}
}

// enter returns nil when a request may be scored; s.gate.Leave gives its place
// back. It waits no longer than ctx.
func (s *Server) enter(ctx context.Context) error {
	waited, err := s.gate.Enter(ctx)
	watchOf(ctx).Done(trace.Queue)
	if waited > 0 {
		s.metrics.queued.Observe(waited.Seconds())
	}
	switch {
	case errors.Is(err, limit.ErrFull):
		return s.tooMany("queue", s.gate.RetryAfter(), "more requests wait than may; nothing was decided")
	case errors.Is(err, context.DeadlineExceeded):
		s.metrics.refusals.WithLabelValues("deadline").Inc()
		return refuse(http.StatusGatewayTimeout, "deadline", "the time to wait passed before there was a place to be scored; nothing was decided")
	}
	return err
}

// tooMany refuses what comes too often or is too much.
func (s *Server) tooMany(reason string, wait time.Duration, message string) *refusal {
	s.metrics.refusals.WithLabelValues(reason).Inc()
	e := refuse(http.StatusTooManyRequests, reason, message)
	e.retry = wait
	return e
}

// fullMemory refuses a body for which there is no memory.
func (s *Server) fullMemory() *refusal {
	return s.tooMany("memory", time.Second, "the bodies of other requests take all memory that bodies may; nothing was decided")
}

var errHeld = errors.New("too many bytes are held")

// deadline returns when a caller stops waiting, by the values of its
// X-Request-Timeout header: a number and ms, s or m, as 250ms. Zero: it did not
// say.
func (s *Server) deadline(values []string) (time.Time, error) {
	if len(values) == 0 {
		return time.Time{}, nil
	}
	d, err := time.ParseDuration(values[0])
	if len(values) > 1 || len(values[0]) > 20 || err != nil || d <= 0 {
		return time.Time{}, refuse(http.StatusBadRequest, "deadline", "X-Request-Timeout must be a time such as 250ms or 2s, once")
	}
	return time.Now().Add(min(d, s.opt.Limits.Work)), nil
}

// until bounds work by what a caller waits and by what the server allows.
func (s *Server) until(ctx context.Context, t time.Time) (context.Context, context.CancelFunc) {
	if !t.IsZero() {
		return context.WithDeadline(ctx, t)
	}
	if _, bounded := ctx.Deadline(); bounded { // by the server that took the request
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, s.opt.Limits.Work)
}

// requestID returns the name of a request: the value of its X-Request-Id header
// if there is one and no log or header is the worse for it, else a new one.
func requestID(values []string) string {
	if len(values) == 1 && plainID(values[0]) {
		return values[0]
	}
	const digits = "0123456789abcdef"
	var b [16]byte
	for i, x := 0, rand.Uint64(); i < len(b); i, x = i+1, x>>4 { // a name, no secret
		b[i] = digits[x&15]
	}
	return string(b[:])
}

// nameOf returns the name of a request, which stands in the header of its answer
// from the beginning.
func nameOf(w http.ResponseWriter, r *http.Request) string {
	if id := w.Header()["X-Request-Id"]; len(id) == 1 {
		return id[0]
	}
	return requestID(r.Header["X-Request-Id"])
}

// plainID reports whether a text is 1 to 128 ASCII letters, digits and -_.:/+=@.
func plainID(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '-', c == '_', c == '.', c == ':', c == '/', c == '+', c == '=', c == '@':
		default:
			return false
		}
	}
	return 1 <= len(s) && len(s) <= 128
}

// identified is a context that knows the request's id, and its watch.
type identified struct {
	context.Context
	id    string
	watch *trace.Watch // may be nil
}

type idKey struct{}

func (c *identified) Value(key any) any {
	switch key {
	case idKey{}:
		return c.id
	case watchKey{}:
		return c.watch
	}
	return c.Context.Value(key)
}

func withID(ctx context.Context, id string, w *trace.Watch) context.Context {
	return &identified{ctx, id, w}
}

// idOf returns the id of the request that ctx belongs to, "" if it has none.
func idOf(ctx context.Context) string {
	id, _ := ctx.Value(idKey{}).(string)
	return id
}

// callerKey is the context's key of who asks; "" without keys.
type callerKey struct{}
