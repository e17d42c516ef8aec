package serve

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"slices"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/decisions"
)

// input is one row on its way to a decision.
type input struct {
	raw    json.RawMessage // as it came, for the log
	extras bundle.Extras
}

// decodeRows encodes raw JSON rows; strict as in [bundle.Layout.DecodeJSON].
// All field errors of all rows come together, at most maxFieldErrors of them.
func decodeRows(m *Model, raw []json.RawMessage, strict bool) (bundle.Rows, []input, error) {
	layout := m.Bundle.Layout()
	rows := bundle.Rows{N: len(raw), Cols: layout.Cols(), Data: make([]float64, len(raw)*layout.Cols())}
	inputs := make([]input, len(raw))
	var bad []fieldError
	for i, b := range raw {
		extras, err := layout.DecodeJSON(rows.Row(i), b, strict)
		if err != nil {
			if bad = append(bad, fieldErrors(i, err)...); len(bad) >= maxFieldErrors {
				break
			}
			continue
		}
		inputs[i] = input{b, extras}
	}
	if len(bad) > 0 {
		return bundle.Rows{}, nil, refuseFields(http.StatusBadRequest, "contract", "the rows break the contract", bad)
	}
	return rows, inputs, nil
}

// request is what a caller says about all rows of a request.
type request struct {
	id     string
	silent bool    // no reasons: the decisions are logged without them
	once   *ticket // nil: the decisions get new ids
}

// decide is the scoring core: it scores encoded rows, finds the reasons, and
// logs all of it. When it returns without an error the decisions are in the
// log. The answers are what the model said, in the order of the rows.
func (s *Server) decide(ctx context.Context, m *Model, rows bundle.Rows, inputs []input, req request) ([]decisions.Decision, []bundle.Answer, error) {
	b := m.Bundle
	var answers []bundle.Answer
	if rows.N == 1 {
		answers = []bundle.Answer{b.Answer(rows.Row(0))}
	} else {
		answers = b.Answers(rows)
	}
	if err := finite(answers); err != nil {
		return nil, nil, err
	}
	now, key := s.opt.Now(), m.serving.key
	if req.id == "" {
		req.id = idOf(ctx)
	}
	ds := make([]decisions.Decision, rows.N)
	for i := range ds {
		// Reasons cost the most: a caller who left stops them.
		if i%64 == 0 && ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		d := decisions.Decision{
			ID: s.newID(req, now, i), Time: now, Project: m.Project, Bundle: b.ID(), Model: m.Version, RequestID: req.id,
			Inputs: inputs[i].raw, Checked: true, Margin: answers[i].Margin, Score: answers[i].Score, Decision: answers[i].Decision,
		}
		if !req.silent {
			d.Reasons = reasons(b, rows.Row(i), answers[i].Decision)
			inputs[i].extras.Restore(b.Layout(), d.Reasons)
		}
		if key != "" {
			d.Key, _ = inputs[i].extras.Value(key).(string)
		}
		ds[i] = d
	}
	if err := s.opt.Log.Append(ctx, ds...); err != nil {
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		s.metrics.logErrors.Inc()
		return nil, nil, refuseLog(err)
	}
	m.serving.decided(ds)
	if s.opt.Decided != nil {
		s.opt.Decided(*m, ds, rows)
	}
	return ds, answers, nil
}

// finite refuses rows for which the model has no finite score: such a score
// decides nothing, and JSON could not carry it.
func finite(answers []bundle.Answer) error {
	var bad []fieldError
	for i, a := range answers {
		// The difference is NaN if either is infinite or NaN, else 0.
		if x, y := a.Margin-a.Margin, a.Score-a.Score; x != 0 || y != 0 {
			bad = append(bad, fieldError{Row: i, Rule: "has no finite score under this model"})
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return refuseFields(http.StatusUnprocessableEntity, "not_finite", "nothing was decided", bad)
}

// classScores names the probabilities of several classes; nil for other tasks.
func classScores(b *bundle.Bundle, scores []float64) map[string]float64 {
	if scores == nil {
		return nil
	}
	out := make(map[string]float64, len(scores))
	for k, class := range b.Decision.Classes {
		out[class] = scores[k]
	}
	return out
}

// reasons returns why a row was decided as it was: the columns that pushed
// towards the decision. Where nothing is decided, in a regression, the columns
// count that moved the value most in either direction. The project's sentences
// are written for the positive class, a default or a churn: a decision for the
// other class gets column and value, since "previous defaults on record" is no
// reason to lend. Never nil.
func reasons(b *bundle.Bundle, row []float64, decision string) []bundle.Reason {
	most, texts := b.Manifest.Reasons, b.Manifest.Texts
	if most <= 0 {
		return []bundle.Reason{}
	}
	var out []bundle.Reason
	if b.Manifest.Task == bundle.Regression {
		out = append(b.Reasons(row, most, true, texts), b.Reasons(row, most, false, texts)...)
		slices.SortFunc(out, func(x, y bundle.Reason) int {
			return cmp.Or(
				cmp.Compare(math.Abs(y.Contribution), math.Abs(x.Contribution)),
				cmp.Compare(b.Layout().Input(x.Column), b.Layout().Input(y.Column)))
		})
		out = out[:min(most, len(out))]
	} else {
		positive := decision == b.Decision.Positive || b.Manifest.Task == bundle.Multiclass
		if decision != b.Decision.Positive {
			texts = nil
		}
		out = b.Reasons(row, most, positive, texts)
	}
	return slices.DeleteFunc(out, func(r bundle.Reason) bool { return math.IsInf(r.Contribution, 0) })
}

// reasonsOf finds the reasons of a decision that was logged without.
func (s *Server) reasonsOf(d decisions.Decision) ([]bundle.Reason, error) {
	b, err := s.bundleOf(d)
	if err != nil {
		return nil, err
	}
	row := make([]float64, b.Layout().Cols())
	extras, err := b.Layout().DecodeJSON(row, d.Inputs, false)
	if err != nil {
		return nil, err
	}
	out := reasons(b, row, d.Decision)
	extras.Restore(b.Layout(), out)
	return out, nil
}

// idField returns the name of the contract's id column, or "".
func idField(b *bundle.Bundle) string {
	for i := range b.Contract.Fields {
		if f := &b.Contract.Fields[i]; f.Role == data.ID {
			return f.Name
		}
	}
	return ""
}
