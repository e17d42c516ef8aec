package serve

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
)

// predictions is MLflow's answer: one score a row, or for several classes the
// list of their probabilities.
type predictions struct {
	Predictions any `json:"predictions"`
}

// invocations is MLflow's scoring route: exactly one of four forms of rows,
// for the only model. Columns that the model does not know are dropped and not
// logged; a list of bare values is read in the order of the contract's inputs.
func (s *Server) invocations(r *http.Request, body []byte) (any, error) {
	m, err := s.onlyModel()
	if err != nil {
		return nil, err
	}
	raw, err := mlflowRows(body, &m.Bundle.Contract, s.opt.Limits.Rows)
	switch {
	case errors.Is(err, errTooMany):
		return nil, refuseRows(s.opt.Limits.Rows)
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "json", err.Error())
	case len(raw) == 0:
		return nil, refuse(http.StatusBadRequest, "no_rows", "The input holds no row to score")
	}
	rows, inputs, err := decodeRows(m, raw, false)
	if err != nil {
		return nil, missingInputs(err)
	}
	_, answers, err := s.decide(r.Context(), m, rows, inputs, "")
	if err != nil {
		return nil, err
	}
	if m.Bundle.Manifest.Task == bundle.Multiclass {
		out := make([][]float64, len(answers))
		for i, a := range answers {
			out[i] = a.Scores
		}
		return predictions{out}, nil
	}
	out := make([]float64, len(answers))
	for i, a := range answers {
		out[i] = a.Score
	}
	return predictions{out}, nil
}

// missingInputs puts required columns that were not given into MLflow's words.
func missingInputs(err error) error {
	var e *refusal
	if !errors.As(err, &e) || len(e.Fields) == 0 {
		return err
	}
	var names []string
	for _, f := range e.Fields {
		if f.Row == e.Fields[0].Row && f.Rule == "is required" {
			names = append(names, "'"+f.Field+"'")
		}
	}
	if len(names) == 0 {
		return err
	}
	return refuse(e.Status, "missing", "Model is missing inputs ["+strings.Join(names, ", ")+"].")
}

// failMLflow answers with an error in the form that MLflow's clients read:
// text for a type of body that is not taken, else error_code and message.
func (s *Server) failMLflow(w http.ResponseWriter, r *http.Request, err error) {
	e := s.refusal(r, err)
	if e.Status == http.StatusUnsupportedMediaType {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(e.Status)
		io.WriteString(w, "This predictor only supports the following content types: Types: ['application/json'].\n")
		return
	}
	code, message := "BAD_REQUEST", e.Message
	switch {
	case e.Status == http.StatusServiceUnavailable:
		code = "TEMPORARILY_UNAVAILABLE"
		w.Header().Set("Retry-After", "1")
	case e.Status >= 500:
		code = "INTERNAL_ERROR"
		message += " (" + e.ID + ")"
	case e.Code == "contract" || e.Code == "not_finite":
		code = "INVALID_PARAMETER_VALUE"
	}
	writeJSON(w, e.Status, map[string]string{"error_code": code, "message": message})
}
