package serve

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/tandem-ml/tandem/bundle"
)

// Error is a refusal or failure as the caller sees it. Its text names fields
// and rules, never values.
type Error struct {
	Status  int          `json:"-"`
	Code    string       `json:"code"`    // stable, for programs: "contract", "unknown_project"
	Message string       `json:"message"` // for people
	ID      string       `json:"id"`      // also in the server's log
	Fields  []FieldError `json:"fields,omitempty"`
	cause   error        // logged, not shown
}

// FieldError says which field of which row breaks which rule.
type FieldError struct {
	Row   int    `json:"row"` // from 0, as in the request's array
	Field string `json:"field,omitempty"`
	Rule  string `json:"rule"`
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }
func (e *Error) Unwrap() error { return e.cause }

func refuse(status int, code, message string) *Error {
	return &Error{Status: status, Code: code, Message: message}
}

// maxFieldErrors bounds how much of a bad request is spelt out.
const maxFieldErrors = 10

// fieldErrors returns what is wrong with one row.
func fieldErrors(row int, err error) []FieldError {
	var many bundle.FieldErrors
	if errors.As(err, &many) {
		out := make([]FieldError, len(many))
		for i, e := range many {
			out[i] = FieldError{row, e.Field, e.Rule}
		}
		return out
	}
	var one *bundle.FieldError
	if errors.As(err, &one) {
		return []FieldError{{row, one.Field, one.Rule}}
	}
	return []FieldError{{Row: row, Rule: "is not a JSON object of column names and values"}}
}

// fail answers with an error. Failures of ours are logged with their cause;
// the id stands in both.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Status: http.StatusInternalServerError, Code: "internal", Message: "the server failed; its log has the cause under this id", cause: err}
	}
	shown := *e
	shown.ID = errorID()
	if e.Status >= 500 {
		s.opt.Logger.Error("request failed", "error_id", shown.ID, "method", r.Method, "route", r.Pattern, "status", e.Status, "code", e.Code, "cause", e.cause)
	}
	writeJSON(w, e.Status, map[string]any{"error": shown})
}

func errorID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"the answer cannot be written as JSON"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(b, '\n')) // the client may be gone; nothing is left to do then
}
