package serve

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/decisions"
)

// scoreRequest is the body of POST /v1/score/{project}.
type scoreRequest struct {
	rows   []json.RawMessage
	id     string
	silent bool // no reasons are asked for
}

// scoreAnswer is its answer; results stand in the order of the rows.
type scoreAnswer struct {
	Results []result `json:"results"`
	Model   string   `json:"model"`
	Bundle  string   `json:"bundle"`

	again bool // it was given before
}

type result struct {
	ID       string             `json:"id"`
	Score    float64            `json:"score"`
	Decision string             `json:"decision,omitempty"`
	Scores   map[string]float64 `json:"scores,omitempty"` // of several classes
	Reasons  []bundle.Reason    `json:"reasons,omitzero"` // not nil if they were asked for
	Model    string             `json:"model,omitempty"`  // of a canary's answer among a champion's
	Bundle   string             `json:"bundle,omitempty"`
}

func (s *Server) score(r *http.Request, body []byte) (any, error) {
	m, lost := s.versioned(r.PathValue("project"), r.PathValue("version"))
	var req scoreRequest
	var rows bundle.Rows
	var inputs []input
	quick := false
	if lost == nil {
		req, rows, inputs, quick = quickScore(m, body, s.opt.Limits.Rows)
	}
	if !quick {
		if err := checkBody(body); err != nil {
			return nil, err
		}
		if lost != nil {
			return nil, lost
		}
		strict, err := decodeScore(body, s.opt.Limits.Rows)
		if err != nil {
			return nil, err
		}
		if rows, inputs, err = decodeRows(m, strict.rows, true); err != nil {
			return nil, err
		}
		req = *strict
	}
	ds, answers, err := s.decide(r.Context(), m, rows, inputs, request{id: req.id, silent: req.silent, once: ticketOf(r.Context())})
	if err != nil {
		return nil, err
	}
	return newAnswer(m, ds, answers), nil
}

// newAnswer says what was decided.
func newAnswer(m *Model, ds []decisions.Decision, answers []bundle.Answer) *scoreAnswer {
	out := &scoreAnswer{Results: make([]result, len(ds))}
	out.Model, out.Bundle = answeredBy(m, ds)
	for i := range ds {
		d := &ds[i]
		out.Results[i] = result{ID: d.ID, Score: d.Score, Decision: d.Decision, Scores: classScores(m.Bundle, answers[i].Scores), Reasons: d.Reasons}
		if d.Bundle != out.Bundle {
			out.Results[i].Model, out.Results[i].Bundle = d.Model, d.Bundle
		}
	}
	return out
}

// answeredBy returns version and bundle of the one model that made all
// decisions, or else of the model that was asked.
func answeredBy(m *Model, ds []decisions.Decision) (version, bundle string) {
	for i := range ds {
		if ds[i].Bundle != ds[0].Bundle {
			return m.Version, m.Bundle.ID()
		}
	}
	return ds[0].Model, ds[0].Bundle
}

// write answers in a buffer that is used again, but for large ones.
func (a *scoreAnswer) write(w http.ResponseWriter) {
	b := buffers.Get().(*[]byte)
	*b = append(a.appendTo(slices.Grow((*b)[:0], 128*len(a.Results))), '\n')
	w.Header()["Content-Type"] = typeJSON
	w.WriteHeader(http.StatusOK)
	w.Write(*b) // the client may be gone; nothing is left to do then
	if cap(*b) <= 64<<10 {
		buffers.Put(b)
	}
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// decodeScore reads the frame of a score request; the rows stay raw and alias
// the body.
func decodeScore(body []byte, most int) (*scoreRequest, error) {
	form, err := object(body, "rows", "request_id", "reasons")
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "json", `the body must be {"rows": [{"column": value, ...}, ...], "request_id": "..."}: `+frameError(err))
	}
	var req scoreRequest
	if !absent(form["rows"]) {
		if req.rows, err = list(form["rows"], most); err != nil && !errors.Is(err, errTooMany) {
			return nil, refuse(http.StatusBadRequest, "json", `"rows" `+err.Error())
		}
	}
	switch {
	case errors.Is(err, errTooMany):
		return nil, refuseRows(most)
	case len(req.rows) == 0:
		return nil, refuse(http.StatusBadRequest, "no_rows", `"rows" must hold at least one row`)
	}
	if raw := form["request_id"]; !absent(raw) {
		var ok bool
		if req.id, ok = text(raw); !ok || !printable(req.id, 128) {
			return nil, refuse(http.StatusBadRequest, "request_id", `"request_id" must be a string of at most 128 printable characters`)
		}
	}
	if raw := form["reasons"]; !absent(raw) {
		switch string(raw) {
		case "true":
		case "false":
			req.silent = true
		default:
			return nil, refuse(http.StatusBadRequest, "reasons", `"reasons" must be true or false`)
		}
	}
	return &req, nil
}

// frameError returns what is wrong with a request's frame in words.
func frameError(err error) string {
	var e *bundle.FieldError
	if errors.As(err, &e) && e.Field == "" {
		return "it " + e.Rule
	}
	return err.Error()
}

func refuseRows(most int) error {
	return refuse(http.StatusRequestEntityTooLarge, "too_many_rows", "a request takes at most "+data.FormatNumber(float64(most))+" rows")
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
