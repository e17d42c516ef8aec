package serve

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/tandem-ml/tandem/engineering/trace"
)

// watchedEvery says which requests are measured by stages: one in so many, the
// first included. It makes the clock, which a stage asks once, cost nothing that
// could be measured.
const watchedEvery = 8

// watched returns the watch of a request that began at start, nil for most:
// those that nobody traces or notes, and whose turn it is not to be measured.
// origin is only called if somebody traces. measured says that the stages belong
// into the metrics.
func (s *Server) watched(start time.Time, origin func() trace.Origin) (w *trace.Watch, measured, noted bool) {
	n := s.seen.Add(1) - 1
	measured = n%watchedEvery == 0
	noted = s.noteEvery > 0 && n%s.noteEvery == 0
	if !measured && !noted && s.opt.Tracer == nil {
		return nil, false, false
	}
	w = trace.New(start)
	if s.opt.Tracer != nil {
		w.Span = s.opt.Tracer.Begin(start, origin())
	}
	return w, measured, noted
}

// originOf reads where a request comes from.
func originOf(h http.Header) trace.Origin {
	one := func(name string) string {
		if v := h[name]; len(v) == 1 && len(v[0]) <= 512 {
			return v[0]
		}
		return ""
	}
	return trace.Origin{Traceparent: one("Traceparent"), Tracestate: one("Tracestate")}
}

// ended is told of every request that is answered, and tells the metrics, the
// trace and the access log.
func (s *Server) ended(w *trace.Watch, measured, noted bool, route, id string, status int, took time.Duration) {
	s.metrics.request(route, status, took)
	if w == nil {
		return
	}
	if measured {
		s.metrics.staged(route, w)
	}
	if w.Span != nil {
		// Not the request's id: callers choose it, and may choose a person's.
		w.End(route, took, status >= 500, trace.Attribute{Key: "http.route", Value: route},
			trace.Attribute{Key: "http.response.status_code", Value: status})
	}
	if noted {
		s.note(w, route, id, status, took)
	}
}

// note writes a request's line of the access log. Who asked, and for whom, is
// not in it.
func (s *Server) note(w *trace.Watch, route, id string, status int, took time.Duration) {
	about := make([]slog.Attr, 0, 10)
	about = append(about, slog.String("request_id", id), slog.String("route", route), slog.Int("status", status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000))
	if w.Span != nil {
		about = append(about, slog.String("trace_id", trace.ID(w.Span.Traceparent())))
	}
	if w.Rows > 0 {
		about = append(about, slog.String("project", w.Project), slog.String("version", w.Version), slog.Int("rows", w.Rows))
	}
	s.opt.AccessLog.LogAttrs(context.Background(), slog.LevelInfo, "request", about...)
}

// every turns a share into one in so many; 0: none.
func every(share float64) uint64 {
	if !(share > 0) {
		return 0
	}
	return uint64(max(1, 1/min(share, 1)+0.5))
}

// watchOf returns the watch of the request that ctx belongs to, nil if it has
// none.
func watchOf(ctx context.Context) *trace.Watch {
	w, _ := ctx.Value(watchKey{}).(*trace.Watch)
	return w
}

type watchKey struct{}

// watchIn returns the watch of the request that is answered by w.
func watchIn(w http.ResponseWriter) *trace.Watch {
	if r, ok := w.(*recorder); ok {
		return r.watch
	}
	return nil
}

// streamRoute is the name of what comes by [Server.Block] in the metrics, where
// it has stages and no requests.
const streamRoute = "stream"

// watchedBlock watches a block of messages. Its span is a new trace, as those
// that the messages belong to may be many: it is linked with them, and what is
// answered goes on in it. The function returned is to be called at the end.
func (s *Server) watchedBlock(ctx context.Context, messages []Message) (context.Context, func([]Reply, error)) {
	start := time.Now()
	w, measured, _ := s.watched(start, func() trace.Origin {
		const most = 128 // links of a span, as OpenTelemetry bounds them
		var from trace.Origin
		for i := range messages {
			if t := messages[i].Trace; t != "" && len(from.Links) < most {
				from.Links = append(from.Links, t)
			}
		}
		return from
	})
	if w == nil {
		return ctx, func([]Reply, error) {}
	}
	return context.WithValue(ctx, watchKey{}, w), func(replies []Reply, err error) {
		w.Done(trace.Answer)
		if measured {
			s.metrics.staged(streamRoute, w)
		}
		if w.Span == nil {
			return
		}
		for i, name := 0, w.Span.Traceparent(); i < len(replies); i++ {
			replies[i].Trace = name
		}
		w.End(streamRoute, time.Since(start), err != nil, trace.Attribute{Key: "tandem.messages", Value: len(messages)})
	}
}
