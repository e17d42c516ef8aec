package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sort"
	"sync/atomic"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
)

// Model is what answers for a project.
type Model struct {
	Project string
	Version string // the registry's version, or ""
	Bundle  *bundle.Bundle
}

// Log is where decisions and outcomes are kept; *decisions.Log is one.
type Log interface {
	NewID(t time.Time) string
	Append(ctx context.Context, ds ...decisions.Decision) error
	AppendOutcomes(ctx context.Context, outcomes ...decisions.Outcome) (added int, err error)
	Get(id string) (decisions.Decision, *decisions.Outcome, error)
	ByKey(project, key string) ([]decisions.Entry, error)
}

// Limits bound what one caller can ask for. A zero field takes its default.
type Limits struct {
	Body   int64         // bytes of a request's body; 10 MB
	Rows   int           // rows of a request; 10,000
	Header time.Duration // until a request's header is read; 5 s
	Read   time.Duration // until its body is read; 30 s
	Write  time.Duration // until its answer is written; 60 s
	Idle   time.Duration // an open connection without a request; 60 s
	Drain  time.Duration // for requests under way when the server stops; 15 s
}

func (l Limits) withDefaults() Limits {
	def := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	if l.Body == 0 {
		l.Body = 10_000_000
	}
	if l.Rows == 0 {
		l.Rows = 10_000
	}
	def(&l.Header, 5*time.Second)
	def(&l.Read, 30*time.Second)
	def(&l.Write, 60*time.Second)
	def(&l.Idle, 60*time.Second)
	def(&l.Drain, 15*time.Second)
	return l
}

// Options are the parts a server is plugged into. All may be left out.
type Options struct {
	Log    Log                                     // nil: decisions are answered and forgotten
	Bundle func(id string) (*bundle.Bundle, error) // for replay: the bundle that made a decision
	Pages  http.Handler                            // what is served outside the routes of this package
	Logger *slog.Logger                            // nil: silent
	Now    func() time.Time                        // nil: time.Now
	Limits Limits

	// Decided is called after decisions were logged, with their encoded rows,
	// before the answer. It must be quick.
	Decided func(m Model, ds []decisions.Decision, rows bundle.Rows)
	// Learned is called after outcomes were logged.
	Learned func(project string, outcomes []decisions.Outcome)
}

// Server scores over HTTP. Its methods are safe for concurrent use.
type Server struct {
	opt     Options
	models  atomic.Pointer[map[string]*Model]
	metrics *metrics
	handler http.Handler
}

// New returns a server without a model; it is not ready until [Server.Swap].
func New(opt Options) *Server {
	if opt.Log == nil {
		opt.Log = noLog{}
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	opt.Limits = opt.Limits.withDefaults()
	s := &Server{opt: opt, metrics: newMetrics()}
	s.models.Store(&map[string]*Model{})
	s.handler = s.routes()
	return s
}

// Swap makes m the model that answers for its project. Requests under way
// finish with the model they began with.
func (s *Server) Swap(m Model) {
	for {
		old := s.models.Load()
		next := make(map[string]*Model, len(*old)+1)
		for k, v := range *old {
			next[k] = v
		}
		next[m.Project] = &m
		if s.models.CompareAndSwap(old, &next) {
			s.metrics.swapped(m)
			return
		}
	}
}

// Models returns the models that answer, by project name.
func (s *Server) Models() []Model {
	var out []Model
	for _, m := range *s.models.Load() {
		out = append(out, *m)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Project < out[j].Project })
	return out
}

func (s *Server) model(project string) (*Model, error) {
	if m := (*s.models.Load())[project]; m != nil {
		return m, nil
	}
	return nil, refuse(http.StatusNotFound, "unknown_project", "no model answers for this project")
}

// Handler returns the routes with their limits, without the check of the Host
// header, which needs a bound address: see [Guard].
func (s *Server) Handler() http.Handler { return s.handler }

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/score/{project}", s.api("score", s.score))
	mux.HandleFunc("POST /v1/outcomes/{project}", s.api("outcomes", s.outcomes))
	mux.HandleFunc("GET /v1/decisions/{id}", s.api("decision", s.decision))
	mux.HandleFunc("POST /invocations", s.invocations)
	mux.HandleFunc("GET /health/live", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "live"})
	})
	mux.HandleFunc("GET /health/ready", s.ready)
	mux.HandleFunc("GET /ping", s.ready)
	mux.Handle("GET /metrics", s.metrics.handler())
	for _, p := range []string{"/v1/", "/invocations", "/health/", "/metrics", "/ping"} {
		mux.HandleFunc(p, s.noRoute)
	}
	if s.opt.Pages != nil {
		mux.Handle("/", s.opt.Pages)
	} else {
		mux.HandleFunc("/", s.noRoute)
	}
	return s.recovered(mux)
}

// noRoute tells an unknown path from a known one with the wrong method.
func (s *Server) noRoute(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	for _, known := range []struct{ prefix, method string }{
		{"/v1/score/", "POST"}, {"/v1/outcomes/", "POST"}, {"/invocations", "POST"}, {"/v1/decisions/", "GET"},
		{"/health/live", "GET"}, {"/health/ready", "GET"}, {"/metrics", "GET"}, {"/ping", "GET"},
	} {
		if len(path) >= len(known.prefix) && path[:len(known.prefix)] == known.prefix && r.Method != known.method {
			w.Header().Set("Allow", known.method)
			s.fail(w, r, refuse(http.StatusMethodNotAllowed, "method", "this route takes "+known.method))
			return
		}
	}
	s.fail(w, r, refuse(http.StatusNotFound, "not_found", "there is nothing at this path"))
}

// api wraps a handler of JSON: limits, metrics and errors.
func (s *Server) api(route string, h func(r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		r.Body = http.MaxBytesReader(w, r.Body, s.opt.Limits.Body)
		w.Header().Set("Cache-Control", "no-store")
		answer, err := h(r)
		status := http.StatusOK
		if err != nil {
			status = statusOf(err)
			s.fail(w, r, err)
		} else {
			writeJSON(w, status, answer)
		}
		s.metrics.request(route, status, time.Since(start))
	}
}

func statusOf(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return http.StatusInternalServerError
}

// recovered answers a panic with 500 and keeps the process alive.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				s.fail(w, r, fmt.Errorf("panic: %v", p))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	models := s.Models()
	if len(models) == 0 {
		writeJSON(w, http.StatusServiceUnavailable, map[string]any{"status": "no model"})
		return
	}
	names := make([]string, len(models))
	for i, m := range models {
		names[i] = m.Project
	}
	writeJSON(w, http.StatusOK, map[string]any{"status": "ready", "models": names})
}

// Serve answers on l until ctx ends; then it takes no new connection, lets
// requests under way finish within [Limits].Drain, and returns nil. The
// listener's address is what the Host header must name.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	lim := s.opt.Limits
	server := &http.Server{
		Handler:           s.Guard(l.Addr(), s.handler),
		ReadHeaderTimeout: lim.Header, ReadTimeout: lim.Read, WriteTimeout: lim.Write, IdleTimeout: lim.Idle,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       slog.NewLogLogger(s.opt.Logger.Handler(), slog.LevelWarn),
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), lim.Drain)
	defer cancel()
	err := server.Shutdown(drain)
	<-done
	return err
}

// noLog gives decisions an identity and forgets them.
type noLog struct{}

func (noLog) NewID(time.Time) string                              { return errorID() + errorID() }
func (noLog) Append(context.Context, ...decisions.Decision) error { return nil }
func (noLog) ByKey(string, string) ([]decisions.Entry, error)     { return nil, nil }
func (noLog) Get(string) (decisions.Decision, *decisions.Outcome, error) {
	return decisions.Decision{}, nil, decisions.ErrUnknown
}

var errNoLog = refuse(http.StatusConflict, "no_log", "this server keeps no decision log, so it cannot take outcomes")

func (noLog) AppendOutcomes(context.Context, ...decisions.Outcome) (int, error) { return 0, errNoLog }
