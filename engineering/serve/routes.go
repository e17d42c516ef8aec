package serve

import (
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/keys"
	"github.com/tandem-ml/tandem/engineering/limit"
	"github.com/tandem-ml/tandem/engineering/trace"
)

// route is one path of this package's own.
type route struct {
	method string // GET, which allows HEAD, or POST
	path   string // as net/http.ServeMux writes it; also its name in /metrics
	serve  http.HandlerFunc
	scope  keys.Scope // what a key must be good for; "": everybody may ask
}

func (s *Server) table() []route {
	own := door{fail: s.fail, takes: onlyJSON, json: true}
	scores := door{fail: s.fail, takes: onlyJSON} // score checks the body while it reads it
	kserve := door{fail: s.failText, takes: onlyJSON, json: true, compressed: true}
	infer := door{fail: s.failText, takes: noForm, compressed: true}
	lines := door{fail: s.failMLflow, takes: anyLines}
	routes := []route{
		{http.MethodPost, "/v1/score/{project}", s.streamed(s.post(scores, s.once(s.scored(s.score)))), keys.Score},
		{http.MethodPost, "/v1/score/{project}/versions/{version}", s.streamed(s.post(scores, s.once(s.scored(s.score)))), keys.Score},
		{http.MethodPost, "/v1/explain/{project}", s.post(own, s.scored(s.explain)), keys.Score},
		{http.MethodPost, "/v1/explain/{project}/versions/{version}", s.post(own, s.scored(s.explain)), keys.Score},
		{http.MethodGet, "/openapi.json", s.get(own, s.openAPI), keys.Score},
		{http.MethodGet, "/v1/rollout/{project}", s.get(own, s.rollout), keys.Read},
		{http.MethodPost, "/v1/rollout/{project}", s.operators(s.post(own, s.changeRollout)), ""}, // asks for a key itself
		{http.MethodPost, "/v1/outcomes/{project}", s.post(own, s.outcomes), keys.Operate},
		{http.MethodGet, "/v1/decisions/{id}", s.get(own, s.decision), keys.Read},
		{http.MethodPost, "/invocations", s.post(lines, s.scored(s.invocations)), keys.Score},
		{http.MethodGet, "/execution-parameters", s.get(own, s.executionParameters), ""},
		{http.MethodPost, "/score", s.post(lines, s.scored(s.invocations)), keys.Score},
		{http.MethodGet, "/v1/models", s.get(kserve, s.kserveModels), keys.Score},
		{http.MethodGet, "/v1/models/{model}", s.get(kserve, s.kserveModel), keys.Score},
		{http.MethodPost, "/v1/models/{model}", s.post(kserve, s.scored(s.kserveCall)), keys.Score},
		{http.MethodGet, "/v2", s.get(infer, s.inferServer), ""},
		{http.MethodGet, "/v2/health/live", live, ""},
		{http.MethodGet, "/v2/health/ready", s.ready, ""},
		{http.MethodPost, "/v2/repository/index", s.post(infer, s.inferIndex), keys.Score},
		{http.MethodGet, "/v2/models/{model}", s.get(infer, s.inferModel), keys.Score},
		{http.MethodGet, "/v2/models/{model}/ready", s.get(infer, s.inferReady), keys.Score},
		{http.MethodPost, "/v2/models/{model}/infer", s.post(infer, s.scored(s.infer)), keys.Score},
		{http.MethodGet, "/v2/models/{model}/versions/{version}", s.get(infer, s.inferModel), keys.Score},
		{http.MethodGet, "/v2/models/{model}/versions/{version}/ready", s.get(infer, s.inferReady), keys.Score},
		{http.MethodPost, "/v2/models/{model}/versions/{version}/infer", s.post(infer, s.scored(s.infer)), keys.Score},
		{http.MethodGet, "/ping", s.ping, ""},
		{http.MethodGet, "/health", s.ping, ""},
		{http.MethodGet, "/version", version, ""},
		{http.MethodGet, "/health/live", live, ""},
		{http.MethodGet, "/health/ready", s.ready, ""},
		{http.MethodGet, "/metrics", s.metrics.handler().ServeHTTP, keys.Read},
	}
	if s.opt.Erase != nil {
		routes = append(routes, route{http.MethodPost, "/v1/erasures/{project}", s.post(own, s.erase), keys.Operate})
	}
	if s.opt.File != nil {
		routes = append(routes, route{http.MethodGet, "/v1/bundles/{project}", s.championFile, keys.Read})
	}
	if s.opt.Predict != "" {
		routes = append(routes, route{http.MethodPost, s.opt.Predict, s.post(kserve, s.scored(s.vertexPredict)), keys.Score})
	}
	if s.opt.Health != "" {
		routes = append(routes, route{http.MethodGet, s.opt.Health, s.ready, ""})
	}
	return routes
}

// mux makes the routes. A wrong method on a known path is 405; an unknown path
// is 404 below the folders of this package, and the pages' affair elsewhere.
func (s *Server) mux() http.Handler {
	mux := http.NewServeMux()
	byPath := make(map[string]map[string]http.Handler)
	for _, r := range s.table() {
		if byPath[r.path] == nil {
			byPath[r.path] = make(map[string]http.Handler)
		}
		byPath[r.path][r.method] = s.admit(r.scope, r.path, r.serve)
	}
	for path, methods := range byPath {
		mux.Handle(path, s.only(methods))
	}
	noRoute := func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, refuse(http.StatusNotFound, "not_found", "there is nothing at this path"))
	}
	mux.HandleFunc("/v1/", noRoute)
	mux.HandleFunc("/v2/", noRoute)
	mux.HandleFunc("/health/", noRoute)
	if s.opt.Pages != nil {
		mux.Handle("/", s.only(map[string]http.Handler{http.MethodGet: s.admit(keys.Read, "/", s.opt.Pages)}))
	} else {
		mux.Handle("/{$}", s.only(map[string]http.Handler{http.MethodGet: http.HandlerFunc(alive)}))
		mux.HandleFunc("/", noRoute)
	}
	return mux
}

// only lets the methods pass that a path has; HEAD is a GET whose body
// net/http leaves out.
func (s *Server) only(methods map[string]http.Handler) http.Handler {
	var names []string
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if methods[method] != nil {
			names = append(names, method)
			if method == http.MethodGet {
				names = append(names, http.MethodHead)
			}
		}
	}
	allow := strings.Join(names, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		next := methods[method]
		if next == nil {
			w.Header().Set("Allow", allow)
			s.fail(w, r, refuse(http.StatusMethodNotAllowed, "method", "this route takes "+allow))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// get answers with what h returns.
func (s *Server) get(d door, h func(r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Cache-Control"] = noStore
		answer, err := h(r)
		if err != nil {
			d.fail(w, r, err)
			return
		}
		write(w, answer)
	}
}

// post reads a body within the limits and answers with what h makes of it in
// the time allowed.
func (s *Server) post(d door, h func(r *http.Request, body []byte) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Cache-Control"] = noStore
		until, err := s.deadline(r.Header["X-Request-Timeout"])
		if err != nil {
			d.fail(w, r, err)
			return
		}
		body, err := s.body(w, r, d)
		if err != nil {
			d.fail(w, r, err)
			return
		}
		defer s.held.Give(int64(len(body)))
		watch := watchIn(w)
		watch.Done(trace.Read)
		ctx, cancel := s.until(withID(r.Context(), nameOf(w, r), watch), until)
		defer cancel()
		answer, err := h(r.WithContext(ctx), body)
		if err != nil {
			d.fail(w, r, err)
			return
		}
		write(w, answer)
	}
}

// write answers with JSON, or with what an answer makes of itself.
func write(w http.ResponseWriter, answer any) {
	if own, ok := answer.(interface{ write(http.ResponseWriter) }); ok {
		own.write(w)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// door is how a protocol takes bodies and says that it refuses.
type door struct {
	fail       func(http.ResponseWriter, *http.Request, error)
	takes      func(kind string) error // a body of that media type, "" if none is declared
	json       bool                    // the body is one JSON value
	compressed bool                    // and may come compressed
}

// onlyJSON takes what is declared as JSON, which a form of another site cannot
// be.
func onlyJSON(kind string) error {
	if kind != "application/json" {
		return refuse(http.StatusUnsupportedMediaType, "content_type", "the body must be JSON, declared as Content-Type: application/json")
	}
	return nil
}

// noForm takes any type but those that a form of another site can send: the
// clients of the Open Inference Protocol declare JSON, or bytes, or nothing.
func noForm(kind string) error {
	switch kind {
	case "text/plain", "multipart/form-data", "application/x-www-form-urlencoded":
		return refuse(http.StatusUnsupportedMediaType, "content_type", "the body must be JSON, declared as Content-Type: application/json")
	}
	return nil
}

// body reads a request's body as the door takes it. Who has it gives its length
// back to s.held.
func (s *Server) body(w http.ResponseWriter, r *http.Request, d door) ([]byte, error) {
	kind := r.Header.Get("Content-Type")
	if kind != "application/json" { // which needs no taking apart
		var err error
		if kind, _, err = mime.ParseMediaType(kind); err != nil {
			kind = ""
		}
	}
	if err := d.takes(kind); err != nil {
		return nil, err
	}
	b, err := s.bytes(w, r, d.compressed)
	if err != nil {
		return nil, err
	}
	if d.json {
		if err := checkBody(b); err != nil {
			s.held.Give(int64(len(b)))
			return nil, err
		}
	}
	return b, nil
}

// checkBody refuses a body that is not one JSON value.
func checkBody(b []byte) error {
	if err := checkJSON(b); err != nil {
		return refuse(http.StatusBadRequest, "json", "the body "+err.Error())
	}
	return nil
}

// bytes reads a request's body. What a compressed one unpacks to is bounded as
// one that is not.
func (s *Server) bytes(w http.ResponseWriter, r *http.Request, compressed bool) (_ []byte, err error) {
	coding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding")))
	packed := coding != "" && coding != "identity"
	if packed && !(compressed && (coding == "gzip" || coding == "deflate")) {
		return nil, refuse(http.StatusUnsupportedMediaType, "content_encoding", "bodies compressed this way are not taken")
	}
	most := s.opt.Limits.Body
	tooLarge := func() error {
		return refuse(http.StatusRequestEntityTooLarge, "too_large",
			"the body is larger than "+data.FormatNumber(float64(most))+" bytes; send fewer rows at a time")
	}
	if r.ContentLength > most {
		return nil, tooLarge() // before the client is told to go on with sending it
	}
	if whole, can := r.Body.(interface{ Whole() ([]byte, bool) }); can && !packed {
		if b, ok := whole.Whole(); ok {
			if !s.held.Take(int64(len(b))) {
				return nil, s.fullMemory()
			}
			return b, nil
		}
	}
	var body io.Reader = http.MaxBytesReader(w, r.Body, most)
	if packed {
		plain, err := unpack(coding, body)
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "content_encoding", "the body is not what its Content-Encoding says")
		}
		body = io.LimitReader(plain, most+1)
	}
	b, err := readAll(body, r.ContentLength, s.held)
	defer func() {
		if err != nil {
			s.held.Give(int64(len(b)))
		}
	}()
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big) || int64(len(b)) > most:
		return nil, tooLarge()
	case errors.Is(err, errHeld):
		return nil, s.fullMemory()
	case err != nil && packed:
		return nil, refuse(http.StatusBadRequest, "content_encoding", "the body is not what its Content-Encoding says, or could not be read to its end in time")
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "body", "the body could not be read to its end in time")
	}
	return b, nil
}

// readAll is io.ReadAll for a body of a declared length, -1: unknown. What is
// declared is believed up to a bound, so that a caller who sends nothing costs
// little. What is read is taken from held, also what comes with an error.
func readAll(r io.Reader, length int64, held *limit.Budget) ([]byte, error) {
	if length < 0 {
		length = 512
	}
	b := make([]byte, 0, min(length, 4<<10)+1) // one more, in which the end is found
	for {
		n, err := r.Read(b[len(b):cap(b)])
		if !held.Take(int64(n)) {
			return b, errHeld
		}
		b = b[:len(b)+n]
		switch {
		case err == io.EOF:
			return b, nil
		case err != nil:
			return b, err
		case len(b) == cap(b):
			b = slices.Grow(b, int(max(1, min(length+1-int64(len(b)), int64(len(b))))))
		}
	}
}

// unpack undoes a coding. HTTP's deflate is zlib's format.
func unpack(coding string, r io.Reader) (io.Reader, error) {
	if coding == "deflate" {
		return zlib.NewReader(r)
	}
	return gzip.NewReader(r)
}

// Handler returns the routes with everything but the check of the Host header
// and the origin, which needs a bound address: [Server.Guard]. It is for tests
// and for programs that have a server of their own.
func (s *Server) Handler() http.Handler { return s.outer(s.routes) }

// The values of headers that nearly every answer has, made once. Nobody
// changes them: http.Header replaces values, and to add to these would copy.
var (
	noStore    = []string{"no-store"}
	noSniff    = []string{"nosniff"}
	noReferrer = []string{"no-referrer"}
	deny       = []string{"DENY"}
	sameSite   = []string{"same-origin"}
	typeJSON   = []string{"application/json"}
	lastOne    = []string{"close"}
)

// outer counts requests, sets the headers that every answer carries, and turns
// a panic into a 500, so that the process lives.
func (s *Server) outer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(plain http.ResponseWriter, r *http.Request) {
		start := time.Now()
		w := &recorder{ResponseWriter: plain}
		watch, measured, noted := s.watched(start, func() trace.Origin { return originOf(r.Header) })
		w.watch = watch
		h := w.Header()
		id := requestID(r.Header["X-Request-Id"])
		h["X-Request-Id"] = []string{id}
		if watch != nil && watch.Span != nil {
			h["Traceresponse"] = []string{watch.Span.Traceparent()}
		}
		h["X-Content-Type-Options"] = noSniff
		h["Referrer-Policy"] = noReferrer
		h["X-Frame-Options"] = deny
		h["Cross-Origin-Resource-Policy"] = sameSite
		if len(r.TransferEncoding) > 0 {
			// Package net/http says nothing of a Content-Length beside it. Where something
			// in front has believed that one, what follows is not what it seems.
			h["Connection"] = lastOne
		}
		s.metrics.inFlight.Inc()
		defer func() {
			p := recover()
			s.metrics.inFlight.Dec()
			begun := w.status != 0
			if p != nil && p != http.ErrAbortHandler && !begun {
				s.fail(w, r, &panicked{p, stack()})
			}
			watch.Done(trace.Answer)
			s.ended(watch, measured, noted, routeName(r.Pattern), id, max(w.status, http.StatusOK), time.Since(start))
			switch {
			case p == http.ErrAbortHandler:
				panic(p)
			case p != nil && begun:
				// Half an answer is out: cut the connection, so that nobody takes it for whole.
				s.refusal(w, r, &panicked{p, stack()})
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
	watch  *trace.Watch // nil for most
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
