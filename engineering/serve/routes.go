package serve

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/tandem-ml/tandem/data"
)

// route is one path of this package's own.
type route struct {
	method string // GET, which allows HEAD, or POST
	path   string // as net/http.ServeMux writes it; also its name in /metrics
	serve  http.HandlerFunc
}

func (s *Server) table() []route {
	return []route{
		{http.MethodPost, "/v1/score/{project}", s.post(s.score, s.fail)},
		{http.MethodPost, "/v1/outcomes/{project}", s.post(s.outcomes, s.fail)},
		{http.MethodGet, "/v1/decisions/{id}", s.get(s.decision)},
		{http.MethodPost, "/invocations", s.post(s.invocations, s.failMLflow)},
		{http.MethodGet, "/ping", s.ping},
		{http.MethodGet, "/health", s.ping},
		{http.MethodGet, "/version", version},
		{http.MethodGet, "/health/live", live},
		{http.MethodGet, "/health/ready", s.ready},
		{http.MethodGet, "/metrics", s.metrics.handler().ServeHTTP},
	}
}

// mux makes the routes. A wrong method on a known path is 405; an unknown path
// is 404 below the folders of this package, and the pages' affair elsewhere.
func (s *Server) mux() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.table() {
		mux.Handle(r.path, s.only(r.method, r.serve))
	}
	noRoute := func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, refuse(http.StatusNotFound, "not_found", "there is nothing at this path"))
	}
	mux.HandleFunc("/v1/", noRoute)
	mux.HandleFunc("/health/", noRoute)
	if s.opt.Pages != nil {
		mux.Handle("/", s.only(http.MethodGet, s.opt.Pages))
	} else {
		mux.HandleFunc("/", noRoute)
	}
	return mux
}

// only lets one method pass; HEAD is a GET whose body net/http leaves out.
func (s *Server) only(method string, next http.Handler) http.Handler {
	allow := method
	if method == http.MethodGet {
		allow = "GET, HEAD"
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method && !(method == http.MethodGet && r.Method == http.MethodHead) {
			w.Header().Set("Allow", allow)
			s.fail(w, r, refuse(http.StatusMethodNotAllowed, "method", "this route takes "+allow))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// get answers with what h returns.
func (s *Server) get(h func(r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		answer, err := h(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		writeJSON(w, http.StatusOK, answer)
	}
}

// post reads a JSON body within the limits and answers with what h makes of it
// in the time allowed.
func (s *Server) post(h func(r *http.Request, body []byte) (any, error), fail func(http.ResponseWriter, *http.Request, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		body, err := s.body(w, r)
		if err != nil {
			fail(w, r, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), s.opt.Limits.Work)
		defer cancel()
		answer, err := h(r.WithContext(ctx), body)
		if err != nil {
			fail(w, r, err)
			return
		}
		writeJSON(w, http.StatusOK, answer)
	}
}

// body reads a request's body and checks that it is JSON.
func (s *Server) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return nil, refuse(http.StatusUnsupportedMediaType, "content_type", "the body must be JSON, declared as Content-Type: application/json")
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, refuse(http.StatusUnsupportedMediaType, "content_encoding", "compressed bodies are not taken")
	}
	most := s.opt.Limits.Body
	tooLarge := func() error {
		return refuse(http.StatusRequestEntityTooLarge, "too_large",
			"the body is larger than "+data.FormatNumber(float64(most))+" bytes; send fewer rows at a time")
	}
	if r.ContentLength > most {
		return nil, tooLarge() // before the client is told to go on with sending it
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		return nil, tooLarge()
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "body", "the body could not be read to its end in time")
	}
	if err := checkJSON(b); err != nil {
		return nil, refuse(http.StatusBadRequest, "json", "the body "+err.Error())
	}
	return b, nil
}

// Handler returns the routes with everything but the check of the Host header
// and the origin, which needs a bound address: [Server.Guard]. It is for tests
// and for programs that have a server of their own.
func (s *Server) Handler() http.Handler { return s.outer(s.routes) }

// outer counts requests, sets the headers that every answer carries, and turns
// a panic into a 500, so that the process lives.
func (s *Server) outer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(plain http.ResponseWriter, r *http.Request) {
		start := time.Now()
		w := &recorder{ResponseWriter: plain}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		s.metrics.inFlight.Inc()
		defer func() {
			p := recover()
			s.metrics.inFlight.Dec()
			begun := w.status != 0
			if p != nil && p != http.ErrAbortHandler && !begun {
				s.fail(w, r, &panicked{p, stack()})
			}
			s.metrics.request(routeName(r.Pattern), max(w.status, http.StatusOK), time.Since(start))
			switch {
			case p == http.ErrAbortHandler:
				panic(p)
			case p != nil && begun:
				// Half an answer is out: cut the connection, so that nobody takes it for whole.
				s.refusal(r, &panicked{p, stack()})
				panic(http.ErrAbortHandler)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// routeName returns a route's name in /metrics. There are as many as routes,
// whatever paths are asked for.
func routeName(pattern string) string {
	switch {
	case pattern == "/":
		return "pages"
	case pattern == "" || strings.HasSuffix(pattern, "/"):
		return "none"
	}
	return pattern
}

// recorder keeps the status of an answer, 0 until it has begun.
type recorder struct {
	http.ResponseWriter
	status int
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
