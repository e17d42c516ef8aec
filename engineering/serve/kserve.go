package serve

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
)

// KServe's first protocol, which is TensorFlow Serving's and, on routes of its
// own, Vertex AI's: instances in, as many predictions out.

// kserveModels lists the models.
func (s *Server) kserveModels(r *http.Request) (any, error) {
	names := []string{}
	for _, m := range s.Models() {
		names = append(names, m.Project)
	}
	return map[string]any{"models": names}, nil
}

// kserveModel says whether a model is ready.
func (s *Server) kserveModel(r *http.Request) (any, error) {
	m, err := s.model(r.PathValue("model"))
	if err != nil {
		return nil, err
	}
	return map[string]any{"name": m.Project, "ready": true}, nil
}

// kserveCall is POST /v1/models/{model}:predict or :explain.
func (s *Server) kserveCall(r *http.Request, body []byte) (any, error) {
	name, verb, _ := cutLast(r.PathValue("model"), ":")
	m, err := s.model(name)
	if err != nil {
		return nil, err
	}
	switch verb {
	case "predict":
		return s.predict(r, m, body)
	case "explain":
		ds, _, err := s.instances(r, m, body)
		if err != nil {
			return nil, err
		}
		out := make([]explanation, len(ds))
		for i, d := range ds {
			out[i] = explanation{d.ID, d.Score, d.Decision, d.Reasons}
		}
		return map[string]any{"explanations": out}, nil
	}
	return nil, refuse(http.StatusNotFound, "not_found", "a model is asked for :predict or :explain")
}

// explanation is a decision with its reasons.
type explanation struct {
	ID       string          `json:"id"`
	Score    float64         `json:"score"`
	Decision string          `json:"decision,omitempty"`
	Reasons  []bundle.Reason `json:"reasons"`
}

// predict answers with one prediction an instance.
func (s *Server) predict(r *http.Request, m *Model, body []byte) (any, error) {
	_, answers, err := s.instances(r, m, body)
	if err != nil {
		return nil, err
	}
	return predictions{scoresOf(m, answers)}, nil
}

// instances decides the rows of {"instances": [...]} or {"inputs": [...]};
// each is an object, or a list of values in the order of the model's inputs.
func (s *Server) instances(r *http.Request, m *Model, body []byte) ([]decisions.Decision, []bundle.Answer, error) {
	const shape = `the body must be {"instances": [...]}, each a list of the model's inputs or an object of column names and values`
	form, err := object(body)
	if err != nil {
		return nil, nil, refuse(http.StatusBadRequest, "json", shape+": "+frameError(err))
	}
	name := "instances"
	if absent(form[name]) {
		name = "inputs"
	}
	if absent(form[name]) {
		return nil, nil, refuse(http.StatusBadRequest, "json", shape)
	}
	raw, err := listRows(form[name], name, &m.Bundle.Contract, s.opt.Limits.Rows)
	if err != nil {
		return nil, nil, s.refuseForm(err)
	}
	return s.decideRaw(r.Context(), m, raw, "")
}

// decideRaw decides rows that a door has turned into JSON objects.
func (s *Server) decideRaw(ctx context.Context, m *Model, raw []json.RawMessage, requestID string) ([]decisions.Decision, []bundle.Answer, error) {
	if len(raw) == 0 {
		return nil, nil, refuse(http.StatusBadRequest, "no_rows", "The input holds no row to score")
	}
	rows, inputs, err := decodeRows(m, raw, false)
	if err != nil {
		return nil, nil, err
	}
	return s.decide(ctx, m, rows, inputs, request{id: requestID})
}

// refuseForm refuses a body whose rows could not be found.
func (s *Server) refuseForm(err error) error {
	if errors.Is(err, errTooMany) {
		return refuseRows(s.opt.Limits.Rows)
	}
	return refuse(http.StatusBadRequest, "json", err.Error())
}

// failText answers with an error as KServe's protocols have it: {"error": text}.
func (s *Server) failText(w http.ResponseWriter, r *http.Request, err error) {
	e := s.refusal(w, r, err)
	e.sayWhen(w.Header())
	message := e.Message
	if e.Status >= 500 {
		message += " (" + e.ID + ")"
	}
	writeJSON(w, e.Status, map[string]string{"error": message})
}

// cutLast is strings.Cut at the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
