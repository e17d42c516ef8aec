package serve

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/decisions"
)

// Replay is a logged decision computed again.
type Replay struct {
	Margin float64 `json:"margin"`
	Score  float64 `json:"score"`
	Equal  bool    `json:"equal"` // margin and score have the logged bits
}

type decisionAnswer struct {
	decisions.Decision
	Outcome *decisions.Outcome `json:"outcome,omitempty"`
	Replay  *Replay            `json:"replay,omitempty"`
}

func (s *Server) decision(r *http.Request) (any, error) {
	d, outcome, err := s.opt.Log.Get(r.PathValue("id"))
	switch {
	case errors.Is(err, decisions.ErrErased):
		return nil, refuse(http.StatusGone, "erased", "this decision was erased; that it was made is still in the log's chain")
	case errors.Is(err, decisions.ErrUnknown):
		return nil, refuse(http.StatusNotFound, "unknown_decision", "there is no decision of this id")
	case err != nil:
		return nil, err
	}
	out := decisionAnswer{Decision: d, Outcome: outcome}
	switch r.URL.Query().Get("replay") {
	case "", "false":
	case "true":
		if out.Replay, err = s.replay(d); err != nil {
			return nil, err
		}
	default:
		return nil, refuse(http.StatusBadRequest, "replay", `"replay" must be true or false`)
	}
	return out, nil
}

// replay computes a decision again from its logged inputs, with the bundle
// that made it.
func (s *Server) replay(d decisions.Decision) (*Replay, error) {
	b, err := s.bundleOf(d)
	if err != nil {
		e := refuse(http.StatusConflict, "no_bundle", "the bundle that made this decision is not at hand, so it cannot be replayed")
		e.cause = err
		return nil, e
	}
	row := make([]float64, b.Layout().Cols())
	if _, err := b.Layout().DecodeJSON(row, d.Inputs, false); err != nil {
		return nil, err
	}
	margin, score := b.Score(row)
	return &Replay{margin, score,
		math.Float64bits(margin) == math.Float64bits(d.Margin) && math.Float64bits(score) == math.Float64bits(d.Score)}, nil
}

func (s *Server) bundleOf(d decisions.Decision) (*bundle.Bundle, error) {
	if m := (*s.models.Load())[d.Project]; m != nil && m.Bundle.ID() == d.Bundle {
		return m.Bundle, nil
	}
	if s.opt.Bundle == nil {
		return nil, errors.New("no store of bundles")
	}
	return s.opt.Bundle(d.Bundle)
}

// outcomesRequest is the body of POST /v1/outcomes/{project}.
type outcomesRequest struct {
	Outcomes []struct {
		Decision string     `json:"decision"` // a decision's id, or
		ID       string     `json:"id"`       // the project's id of the applicant
		Value    any        `json:"value"`
		At       *time.Time `json:"at"` // when it became known; default: now
	} `json:"outcomes"`
}

type outcomesAnswer struct {
	Accepted  int `json:"accepted"`
	Unchanged int `json:"unchanged"` // known already, with the same value
}

func (s *Server) outcomes(r *http.Request) (any, error) {
	m, err := s.model(r.PathValue("project"))
	if err != nil {
		return nil, err
	}
	body, err := s.body(r)
	if err != nil {
		return nil, err
	}
	var req outcomesRequest
	if err := decodeStrict(body, &req); err != nil {
		return nil, refuse(http.StatusBadRequest, "json", `the body must be {"outcomes": [{"decision": "..." or "id": "...", "value": ..., "at": "..."}]}: `+err.Error())
	}
	switch {
	case len(req.Outcomes) == 0:
		return nil, refuse(http.StatusBadRequest, "no_outcomes", `"outcomes" must hold at least one outcome`)
	case len(req.Outcomes) > s.opt.Limits.Rows:
		return nil, refuse(http.StatusRequestEntityTooLarge, "too_many_rows", "a request takes at most "+data.FormatNumber(float64(s.opt.Limits.Rows))+" outcomes")
	}
	var bad []FieldError
	out := make([]decisions.Outcome, 0, len(req.Outcomes))
	for i, o := range req.Outcomes {
		value, rule := outcomeValue(m.Bundle, o.Value)
		if rule != "" {
			bad = append(bad, FieldError{i, "value", rule})
			continue
		}
		id, field, rule, err := s.decisionOf(m.Project, o.Decision, o.ID)
		if err != nil {
			return nil, err
		}
		if rule != "" {
			bad = append(bad, FieldError{i, field, rule})
			continue
		}
		at := s.opt.Now()
		if o.At != nil {
			at = *o.At
		}
		out = append(out, decisions.Outcome{Decision: id, Value: value, At: at})
	}
	if len(bad) > 0 {
		e := refuse(http.StatusBadRequest, "outcomes", "no outcome was taken: "+describe(bad[0]))
		e.Fields = bad[:min(len(bad), maxFieldErrors)]
		return nil, e
	}
	added, err := s.opt.Log.AppendOutcomes(r.Context(), out...)
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			return nil, err
		}
		s.metrics.logErrors.Inc()
		e = refuse(http.StatusServiceUnavailable, "log", "the decision log cannot be written, so no outcome was taken; try again")
		e.cause = err
		return nil, e
	}
	s.metrics.outcomes.WithLabelValues(m.Project).Add(float64(added))
	if s.opt.Learned != nil {
		s.opt.Learned(m.Project, out)
	}
	return outcomesAnswer{added, len(out) - added}, nil
}

// decisionOf finds the decision an outcome belongs to. By the project's id it
// is the newest decision about it. rule is what is wrong with which field.
func (s *Server) decisionOf(project, decision, key string) (id, field, rule string, err error) {
	switch {
	case decision == "" && key == "":
		return "", "decision", "is required, or id", nil
	case decision != "" && key != "":
		return "", "decision", "and id exclude each other", nil
	case decision != "":
		d, _, err := s.opt.Log.Get(decision)
		switch {
		case errors.Is(err, decisions.ErrUnknown), err == nil && d.Project != project:
			return "", "decision", "is not a decision of this project", nil
		case errors.Is(err, decisions.ErrErased):
			return "", "decision", "was erased", nil
		}
		return decision, "", "", err
	}
	entries, err := s.opt.Log.ByKey(project, key)
	if err != nil {
		return "", "", "", err
	}
	if len(entries) == 0 {
		return "", "id", "has no decision in this project", nil
	}
	newest := entries[0]
	for _, e := range entries[1:] {
		if e.Time.After(newest.Time) || e.Time.Equal(newest.Time) && e.ID > newest.ID {
			newest = e
		}
	}
	return newest.ID, "", "", nil
}

// outcomeValue returns an outcome as the bundle writes its classes, or for a
// regression as a number; rule says what is wrong.
func outcomeValue(b *bundle.Bundle, v any) (value, rule string) {
	switch v := v.(type) {
	case string:
		value = v
	case bool:
		value = strconv.FormatBool(v)
	case float64:
		value = data.FormatNumber(v)
	case nil:
		return "", "is required"
	case json.Number:
		value = v.String()
	default:
		return "", "must be a string, a number, or true or false"
	}
	if b.Manifest.Task == bundle.Regression {
		x, err := strconv.ParseFloat(value, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return "", "must be a number"
		}
		return data.FormatNumber(x), ""
	}
	for _, class := range []string{b.Decision.Positive, b.Decision.Negative} {
		if data.SameValue(value, class) {
			return class, ""
		}
	}
	return "", "must be one of the target's two values"
}
