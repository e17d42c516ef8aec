package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/limit"
	"github.com/tandem-ml/tandem/engineering/trace"
)

// refusal is a refusal or a failure as the caller sees it. Its text names
// fields and rules, never values.
type refusal struct {
	Status  int          `json:"-"`
	Code    string       `json:"code"`    // stable, for programs: "contract", "unknown_project"
	Message string       `json:"message"` // for people
	ID      string       `json:"id"`      // the request's, also in the server's log
	Fields  []fieldError `json:"fields,omitempty"`
	cause   error        // logged, not shown
	retry   time.Duration
}

// fieldError says which field of which row breaks which rule.
type fieldError struct {
	Row   int    `json:"row"` // from 0, as in the request's array
	Field string `json:"field,omitempty"`
	Rule  string `json:"rule"`
}

func (e *refusal) Error() string { return e.Code + ": " + e.Message }
func (e *refusal) Unwrap() error { return e.cause }

func refuse(status int, code, message string) *refusal {
	return &refusal{Status: status, Code: code, Message: message}
}

// statusGone is nginx's 499: the client left before its answer. Nobody reads
// it; it keeps such requests apart in /metrics.
const statusGone = 499

// refuseLog is a decision log that cannot be written: nothing is answered that
// would not be found again.
func refuseLog(cause error) *refusal {
	return &refusal{Status: http.StatusServiceUnavailable, Code: "log", cause: cause,
		Message: "the decision log cannot be written, so nothing was decided or taken; try again later"}
}

// maxFieldErrors bounds how much of a bad request is spelt out.
const maxFieldErrors = 10

// refuseFields spells out the first of what is wrong with a request's rows.
func refuseFields(status int, code, message string, bad []fieldError) *refusal {
	e := refuse(status, code, message+": "+bad[0].String())
	e.Fields = bad[:min(len(bad), maxFieldErrors)]
	return e
}

func (f fieldError) String() string {
	if f.Field == "" {
		return fmt.Sprintf("row %d %s", f.Row, f.Rule)
	}
	return fmt.Sprintf("row %d: field %q %s", f.Row, f.Field, f.Rule)
}

// fieldErrors returns what is wrong with one row.
func fieldErrors(row int, err error) []fieldError {
	var many bundle.FieldErrors
	var one *bundle.FieldError
	switch {
	case errors.As(err, &many):
	case errors.As(err, &one):
		many = bundle.FieldErrors{one}
	default:
		return []fieldError{{Row: row, Rule: "is not a JSON object of column names and values"}}
	}
	out := make([]fieldError, len(many))
	for i, e := range many {
		out[i] = fieldError{row, clip(e.Field), e.Rule}
	}
	return out
}

// clip shortens a name that a caller chose.
func clip(name string) string {
	const most = 64
	n := 0
	for i := range name {
		if n == most {
			return name[:i] + "…"
		}
		n++
	}
	return name
}

// refusal returns err as it is shown and notes it in the log under the same
// id, with its cause if the fault is ours.
func (s *Server) refusal(w http.ResponseWriter, r *http.Request, err error) *refusal {
	var about []any
	if t := w.Header()["Traceresponse"]; len(t) == 1 {
		about = []any{"trace_id", trace.ID(t[0])}
	}
	return s.refusalOf(routeName(r.Pattern), nameOf(w, r), err, about...)
}

// refusalOf is refusal for those that have no ResponseWriter; about goes into the
// log as well.
func (s *Server) refusalOf(route, id string, err error, about ...any) *refusal {
	var e *refusal
	switch {
	case errors.As(err, &e):
		shown := *e
		e = &shown
	case errors.Is(err, context.DeadlineExceeded):
		e = refuse(http.StatusGatewayTimeout, "timeout", "the answer took too long; what was asked for may still be in the decision log")
		e.cause = err
	case errors.Is(err, context.Canceled):
		e = refuse(statusGone, "gone", "the client went away")
	default:
		e = refuse(http.StatusInternalServerError, "internal", "the server failed; its log has the cause under this id")
		e.cause = err
	}
	e.ID = id
	if e.retry == 0 && e.Status == http.StatusServiceUnavailable {
		e.retry = time.Second
	}
	if e.Status >= 500 {
		s.opt.Logger.Error("request failed", append([]any{"request_id", e.ID, "route", route, "status", e.Status, "code", e.Code, "cause", e.cause}, about...)...)
	} else if s.opt.Logger.Enabled(context.Background(), slog.LevelInfo) {
		s.opt.Logger.Info("request refused", append([]any{"request_id", e.ID, "route", route, "status", e.Status, "code", e.Code}, about...)...)
	}
	return e
}

// fail answers with an error.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := s.refusal(w, r, err)
	e.sayWhen(w.Header())
	writeJSON(w, e.Status, map[string]any{"error": e})
}

// sayWhen sets what a refusal says about trying again.
func (e *refusal) sayWhen(h http.Header) {
	if e.retry > 0 {
		h.Set("Retry-After", limit.RetryAfter(e.retry))
	}
}

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("serve: an answer of type %T is not JSON", v)) // the values are checked before
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(b, '\n')) // the client may be gone; nothing is left to do then
}

// panicked is a panic of a handler as the log shows it: a bug of ours. Only
// the runtime's own texts are shown, since another value might hold an input.
type panicked struct {
	value any
	stack string
}

func (p *panicked) Error() string {
	if err, ok := p.value.(runtime.Error); ok {
		return "panic: " + err.Error() + p.stack
	}
	return fmt.Sprintf("panic with a value of type %T%s", p.value, p.stack)
}

// stack returns the functions that led to a panic, without their arguments.
func stack() string {
	pc := make([]uintptr, 24)
	frames := runtime.CallersFrames(pc[:runtime.Callers(3, pc)])
	var b strings.Builder
	for {
		f, more := frames.Next()
		if f.Function != "" && !strings.HasPrefix(f.Function, "runtime.") {
			fmt.Fprintf(&b, " < %s:%d", f.Function, f.Line)
		}
		if !more {
			return b.String()
		}
	}
}
