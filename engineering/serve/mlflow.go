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

// scoresOf returns what stands in predictions.
func scoresOf(m *Model, answers []bundle.Answer) any {
	if m.Bundle.Manifest.Task == bundle.Multiclass {
		out := make([][]float64, len(answers))
		for i, a := range answers {
			out[i] = a.Scores
		}
		return out
	}
	out := make([]float64, len(answers))
	for i, a := range answers {
		out[i] = a.Score
	}
	return out
}

// invocations is the scoring route of MLflow, SageMaker and Azure, for the only
// model. Columns that the model does not know are dropped and not logged; a
// list of bare values is read in the order of the contract's inputs.
func (s *Server) invocations(r *http.Request, body []byte) (any, error) {
	m, err := s.onlyModel()
	if err != nil {
		return nil, err
	}
	form, raw, err := invocationRows(mediaType(r), body, &m.Bundle.Contract, s.opt.Limits.Rows)
	if err != nil {
		return nil, s.refuseForm(err)
	}
	reply, err := replyFor(r.Header.Values("Accept"), form)
	if err != nil {
		return nil, err
	}
	_, answers, err := s.decideRaw(r.Context(), m, raw, "")
	if err != nil {
		return nil, missingInputs(err)
	}
	return reply(m, answers), nil
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
	e := s.refusal(w, r, err)
	if e.Code == "content_type" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(e.Status)
		io.WriteString(w, "This predictor only supports the following content types: Types: ['application/json', 'application/jsonlines', 'text/csv'].\n")
		if e.Message == noParquet {
			io.WriteString(w, noParquet+"\n")
		}
		return
	}
	e.sayWhen(w.Header())
	code, message := "BAD_REQUEST", e.Message
	switch {
	case e.Status == http.StatusServiceUnavailable:
		code = "TEMPORARILY_UNAVAILABLE"
	case e.Status == http.StatusTooManyRequests:
		code = "REQUEST_LIMIT_EXCEEDED"
	case e.Status >= 500:
		code = "INTERNAL_ERROR"
		message += " (" + e.ID + ")"
	case e.Code == "contract" || e.Code == "not_finite":
		code = "INVALID_PARAMETER_VALUE"
	}
	writeJSON(w, e.Status, map[string]string{"error_code": code, "message": message})
}
