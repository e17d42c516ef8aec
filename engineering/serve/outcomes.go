package serve

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/decisions"
)

// outcomesAnswer is the answer of POST /v1/outcomes/{project}.
type outcomesAnswer struct {
	Accepted  int `json:"accepted"`  // new or corrected
	Unchanged int `json:"unchanged"` // known already, with the same value
}

func (s *Server) outcomes(r *http.Request, body []byte) (any, error) {
	m, err := s.model(r.PathValue("project"))
	if err != nil {
		return nil, err
	}
	raw, err := decodeOutcomes(body, s.opt.Limits.Rows)
	if err != nil {
		return nil, err
	}
	var bad []fieldError
	lost := true // all that is wrong is that decisions are not there
	out := make([]decisions.Outcome, 0, len(raw))
	for i, element := range raw {
		o, field, err := s.outcome(m, element)
		if err != nil {
			return nil, err
		}
		if field.Rule != "" {
			field.Row = i
			bad = append(bad, field.fieldError)
			lost = lost && field.lost
		}
		out = append(out, o)
		if len(bad) == maxFieldErrors {
			break
		}
	}
	switch {
	case len(bad) > 0 && lost:
		return nil, refuseFields(http.StatusNotFound, "unknown_decision", "no outcome was taken", bad)
	case len(bad) > 0:
		return nil, refuseFields(http.StatusBadRequest, "outcomes", "no outcome was taken", bad)
	}
	added, err := s.opt.Log.AppendOutcomes(r.Context(), out...)
	switch {
	case err == nil:
	case r.Context().Err() != nil:
		return nil, r.Context().Err()
	case errors.Is(err, decisions.ErrErased): // since it was looked up
		return nil, refuse(http.StatusNotFound, "unknown_decision", "no outcome was taken: a decision has just been erased")
	default:
		s.metrics.logErrors.Inc()
		return nil, refuseLog(err)
	}
	s.metrics.outcomes.WithLabelValues(m.Project).Add(float64(added))
	if s.opt.Learned != nil {
		s.opt.Learned(m.Project, out)
	}
	return outcomesAnswer{added, len(out) - added}, nil
}

// decodeOutcomes reads the frame of the request.
func decodeOutcomes(body []byte, most int) ([]json.RawMessage, error) {
	form, err := object(body, "outcomes")
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "json",
			`the body must be {"outcomes": [{"decision": "..." or "id": "...", "value": ..., "at": "..."}]}: `+frameError(err))
	}
	var raw []json.RawMessage
	if !absent(form["outcomes"]) {
		raw, err = list(form["outcomes"], most)
	}
	switch {
	case errors.Is(err, errTooMany):
		return nil, refuse(http.StatusRequestEntityTooLarge, "too_many_rows", "a request takes at most "+data.FormatNumber(float64(most))+" outcomes")
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "json", `"outcomes" `+err.Error())
	case len(raw) == 0:
		return nil, refuse(http.StatusBadRequest, "no_outcomes", `"outcomes" must hold at least one outcome`)
	}
	return raw, nil
}

// outcomeError is what is wrong with one outcome.
type outcomeError struct {
	fieldError
	lost bool // its decision is not there
}

func wrong(field, rule string) outcomeError {
	return outcomeError{fieldError: fieldError{Field: field, Rule: rule}}
}

func missing(field, rule string) outcomeError {
	return outcomeError{fieldError{Field: field, Rule: rule}, true}
}

// outcome reads one outcome: what is wrong with it is in the outcomeError, and
// err is for a log that cannot be read.
func (s *Server) outcome(m *Model, element json.RawMessage) (o decisions.Outcome, bad outcomeError, err error) {
	form, err := object(element, "decision", "id", "value", "at")
	if err != nil {
		return o, outcomeError{fieldError: fieldErrors(0, err)[0]}, nil
	}
	value, rule := outcomeValue(m.Bundle, form["value"])
	if rule != "" {
		return o, wrong("value", rule), nil
	}
	o.Value, o.At = value, s.opt.Now()
	if raw := form["at"]; !absent(raw) {
		at, _ := text(raw)
		if o.At, err = time.Parse(time.RFC3339, at); err != nil {
			return o, wrong("at", `must be a time such as "2006-01-02T15:04:05Z"`), nil
		}
	}
	decision, id := form["decision"], form["id"]
	switch {
	case absent(decision) && absent(id):
		return o, wrong("decision", "is required, or else id"), nil
	case !absent(decision) && !absent(id):
		return o, wrong("decision", "cannot be given beside id"), nil
	case !absent(decision):
		o.Decision, bad, err = s.byDecision(m.Project, decision)
	default:
		o.Decision, bad, err = s.byKey(m.Project, id)
	}
	return o, bad, err
}

// byDecision checks that a decision is there.
func (s *Server) byDecision(project string, raw json.RawMessage) (string, outcomeError, error) {
	id, ok := text(raw)
	if !ok {
		return "", wrong("decision", "must be a string"), nil
	}
	d, _, err := s.opt.Log.Get(id)
	switch {
	case errors.Is(err, decisions.ErrUnknown), err == nil && d.Project != project:
		return "", missing("decision", "is not a decision of this project"), nil
	case errors.Is(err, decisions.ErrErased):
		return "", missing("decision", "was erased"), nil
	}
	return id, outcomeError{}, err
}

// byKey finds the newest decision about what the project's id names.
func (s *Server) byKey(project string, raw json.RawMessage) (string, outcomeError, error) {
	key, ok := text(raw)
	if !ok {
		if key = string(raw); begins(raw, '{') || begins(raw, '[') || key == "true" || key == "false" {
			return "", wrong("id", "must be a string or a number"), nil
		}
	}
	entries, err := s.opt.Log.ByKey(project, key)
	if err != nil {
		return "", outcomeError{}, err
	}
	if len(entries) == 0 {
		return "", missing("id", "has no decision in this project"), nil
	}
	return entries[0].ID, outcomeError{}, nil
}

// outcomeValue returns an outcome as the bundle writes its classes, or for a
// regression as a number; rule says what is wrong.
func outcomeValue(b *bundle.Bundle, raw json.RawMessage) (value, rule string) {
	value, ok := text(raw)
	switch {
	case absent(raw):
		return "", "is required"
	case begins(raw, '{'), begins(raw, '['):
		return "", "must be a string, a number, or true or false"
	case !ok: // as it is written, so that no digit is lost
		value = string(raw)
	}
	if b.Manifest.Task == bundle.Regression {
		x, ok := data.ParseNumber(value)
		if !ok || math.IsInf(x, 0) {
			return "", "must be a number"
		}
		return data.FormatNumber(x), ""
	}
	classes := b.Decision.Classes
	if classes == nil {
		classes = []string{b.Decision.Positive, b.Decision.Negative}
	}
	for _, class := range classes {
		if data.SameValue(value, class) {
			return class, ""
		}
	}
	return "", "must be one of the target's values"
}
