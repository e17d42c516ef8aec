package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"unicode"
	"unicode/utf8"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/decisions"
)

// scoreRequest is the body of POST /v1/score/{project}.
type scoreRequest struct {
	Rows      []json.RawMessage `json:"rows"`
	RequestID string            `json:"request_id"`
}

// scoreAnswer is its answer; results stand in the order of the rows.
type scoreAnswer struct {
	Results []result `json:"results"`
	Model   string   `json:"model"`
	Bundle  string   `json:"bundle"`
}

type result struct {
	ID       string          `json:"id"`
	Score    float64         `json:"score"`
	Decision string          `json:"decision,omitempty"`
	Reasons  []bundle.Reason `json:"reasons"`
}

// input is one row on its way to a decision.
type input struct {
	raw    json.RawMessage // as it came, for the log
	extras bundle.Extras
}

func (s *Server) score(r *http.Request) (any, error) {
	m, err := s.model(r.PathValue("project"))
	if err != nil {
		return nil, err
	}
	body, err := s.body(r)
	if err != nil {
		return nil, err
	}
	req, err := s.decodeScore(body)
	if err != nil {
		return nil, err
	}
	rows, inputs, err := decodeRows(m, req.Rows, true)
	if err != nil {
		return nil, err
	}
	ds, err := s.decide(r.Context(), m, rows, inputs, req.RequestID)
	if err != nil {
		return nil, err
	}
	out := scoreAnswer{Results: make([]result, len(ds)), Model: m.Version, Bundle: m.Bundle.ID()}
	for i, d := range ds {
		out.Results[i] = result{d.ID, d.Score, d.Decision, d.Reasons}
		if d.Reasons == nil {
			out.Results[i].Reasons = []bundle.Reason{}
		}
	}
	return out, nil
}

// body reads a request's body within the limit.
func (s *Server) body(r *http.Request) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "" && r.Header.Get("Content-Encoding") != "identity" {
		return nil, refuse(http.StatusUnsupportedMediaType, "content_encoding", "compressed bodies are not taken")
	}
	b, err := io.ReadAll(r.Body)
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return nil, refuse(http.StatusRequestEntityTooLarge, "too_large", "the body is larger than "+data.FormatNumber(float64(s.opt.Limits.Body))+" bytes; send fewer rows at a time")
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "body", "the body could not be read")
	}
	return b, nil
}

// decodeScore reads the envelope of a score request; the rows stay raw.
func (s *Server) decodeScore(body []byte) (*scoreRequest, error) {
	var req scoreRequest
	if err := decodeStrict(body, &req); err != nil {
		return nil, refuse(http.StatusBadRequest, "json", `the body must be {"rows": [{"column": value, ...}, ...], "request_id": "..."}: `+err.Error())
	}
	switch {
	case len(req.Rows) == 0:
		return nil, refuse(http.StatusBadRequest, "no_rows", `"rows" must hold at least one row`)
	case len(req.Rows) > s.opt.Limits.Rows:
		return nil, refuse(http.StatusRequestEntityTooLarge, "too_many_rows", "a request takes at most "+data.FormatNumber(float64(s.opt.Limits.Rows))+" rows")
	case !printable(req.RequestID, 128):
		return nil, refuse(http.StatusBadRequest, "request_id", `"request_id" must be at most 128 printable characters`)
	}
	return &req, nil
}

// decodeStrict reads one JSON value without unknown keys and nothing behind
// it. Its errors do not show values.
func decodeStrict(body []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		var kind *json.UnmarshalTypeError
		var syntax *json.SyntaxError
		switch {
		case errors.As(err, &kind):
			return errors.New("field \"" + kind.Field + "\" has the wrong type")
		case errors.As(err, &syntax), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return errors.New("it is not valid JSON")
		}
		return errors.New("it has a field that is not known here")
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("something follows the JSON value")
	}
	return nil
}

func printable(s string, most int) bool {
	if utf8.RuneCountInString(s) > most {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// decodeRows encodes raw JSON rows. All field errors of all rows come
// together, at most maxFieldErrors of them.
func decodeRows(m *Model, raw []json.RawMessage, strict bool) (bundle.Rows, []input, error) {
	layout := m.Bundle.Layout()
	rows := bundle.Rows{N: len(raw), Cols: layout.Cols(), Data: make([]float64, len(raw)*layout.Cols())}
	inputs := make([]input, len(raw))
	var bad []FieldError
	for i, b := range raw {
		extras, err := layout.DecodeJSON(rows.Row(i), b, strict)
		if err != nil {
			if bad = append(bad, fieldErrors(i, err)...); len(bad) >= maxFieldErrors {
				bad = bad[:maxFieldErrors]
				break
			}
			continue
		}
		inputs[i] = input{b, extras}
	}
	if len(bad) > 0 {
		e := refuse(http.StatusBadRequest, "contract", "the rows break the contract: "+describe(bad[0]))
		e.Fields = bad
		return bundle.Rows{}, nil, e
	}
	return rows, inputs, nil
}

func describe(f FieldError) string {
	if f.Field == "" {
		return "the row " + f.Rule
	}
	return "field \"" + f.Field + "\" " + f.Rule
}

// decide scores encoded rows, finds the reasons, and logs all of it. When it
// returns without an error the decisions are in the log.
func (s *Server) decide(ctx context.Context, m *Model, rows bundle.Rows, inputs []input, requestID string) ([]decisions.Decision, error) {
	b := m.Bundle
	margin, score := make([]float64, rows.N), make([]float64, rows.N)
	b.ScoreRows(margin, score, rows)
	now := s.opt.Now()
	ds := make([]decisions.Decision, rows.N)
	key := idField(b)
	for i := range ds {
		if i%256 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		row := rows.Row(i)
		d := decisions.Decision{
			ID: s.opt.Log.NewID(now), Time: now, Project: m.Project, Bundle: b.ID(), Model: m.Version, RequestID: requestID,
			Inputs: inputs[i].raw, Margin: margin[i], Score: score[i], Decision: b.Decide(score[i]),
		}
		// A regression decides nothing: what pushed its prediction up counts.
		positive := d.Decision == b.Decision.Positive
		d.Reasons = b.Reasons(row, b.Manifest.Reasons, positive, b.Manifest.Texts)
		inputs[i].extras.Restore(b.Layout(), d.Reasons)
		if key != "" {
			d.Key, _ = inputs[i].extras.Value(key).(string)
		}
		ds[i] = d
	}
	if err := s.opt.Log.Append(ctx, ds...); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		s.metrics.logErrors.Inc()
		e := refuse(http.StatusServiceUnavailable, "log", "the decision log cannot be written, so nothing was decided; try again")
		e.cause = err
		return nil, e
	}
	for _, d := range ds {
		s.metrics.decisions.WithLabelValues(m.Project, d.Decision).Inc()
	}
	if s.opt.Decided != nil {
		s.opt.Decided(*m, ds, rows)
	}
	return ds, nil
}

// idField returns the name of the contract's id column, or "".
func idField(b *bundle.Bundle) string {
	for _, f := range b.Contract.Fields {
		if f.Role == data.ID {
			return f.Name
		}
	}
	return ""
}
