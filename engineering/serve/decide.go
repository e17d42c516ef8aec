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
	"github.com/tandem-ml/tandem/engineering/trace"
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
	ids    []string // one a row, in place of id, where the rows are of several messages; or nil
	silent bool     // no reasons: the decisions are logged without them
	once   *ticket  // nil: the decisions get new ids
}

func (r *request) of(row int) string {
	if r.ids != nil {
		return r.ids[row]
	}
	return r.id
}

// decide is the scoring core: it scores encoded rows, finds the reasons, and
// logs all of it. When it returns without an error the decisions are in the
// log. The answers are what the models said, in the order of the rows; a decision
// names the model that made it, which is m but for a canary's (see divide).
func (s *Server) decide(ctx context.Context, m *Model, rows bundle.Rows, inputs []input, req request) ([]decisions.Decision, []bundle.Answer, error) {
	watch := watchOf(ctx)
	watch.Done(trace.Decode) // whatever the door did since it was let in
	champion, canary := s.divide(m, rows, inputs, req)
	if err := champion.score(); err != nil {
		return nil, nil, champion.placed(err)
	}
	watch.Done(trace.Score)
	if req.id == "" {
		req.id = idOf(ctx) // not earlier: a name that we made is no reason to give a row to a canary
	}
	ds := make([]decisions.Decision, rows.N)
	for _, p := range [...]*share{&champion, &canary} {
		if err := s.fill(ctx, ds, p, req); err != nil {
			return nil, nil, err
		}
	}
	watch.Done(trace.Reasons)
	err := s.opt.Log.Append(ctx, ds...)
	watch.Done(trace.Log)
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		s.metrics.logErrors.Inc()
		return nil, nil, refuseLog(err)
	}
	watch.Decided(m.Project, m.Version, m.Bundle.ID(), rows.N)
	if champion.at == nil && canary.rows.N == 0 { // as nearly always
		s.decided(&champion, ds)
		s.shade(m, ds, watch)
		return ds, champion.answers, nil
	}
	answers := make([]bundle.Answer, rows.N)
	for _, p := range [...]*share{&champion, &canary} {
		own := make([]decisions.Decision, p.rows.N)
		for k := range own {
			own[k], answers[p.place(k)] = ds[p.place(k)], p.answers[k]
		}
		s.decided(p, own)
	}
	s.shade(m, ds, watch)
	return ds, answers, nil
}

// fill makes the decisions of a share's rows, in their places.
func (s *Server) fill(ctx context.Context, ds []decisions.Decision, p *share, req request) error {
	if p.rows.N == 0 {
		return nil
	}
	b, now, key := p.m.Bundle, s.opt.Now(), p.m.serving.key
	for i := range p.rows.N {
		// Reasons cost the most: a caller who left stops them.
		if i%64 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		in, a := &p.inputs[i], &p.answers[i]
		d := decisions.Decision{
			ID: s.newID(req, now, p.place(i)), Time: now, Project: p.m.Project, Bundle: b.ID(), Model: p.m.Version, RequestID: req.of(p.place(i)),
			Inputs: in.raw, Checked: true, Margin: a.Margin, Score: a.Score, Decision: a.Decision,
		}
		if !req.silent {
			d.Reasons = reasons(b, p.rows.Row(i), a.Decision)
			in.extras.Restore(b.Layout(), d.Reasons)
		}
		if key != "" {
			d.Key, _ = in.extras.Value(key).(string)
		}
		ds[p.place(i)] = d
	}
	return nil
}

// decided counts and tells what a share's model has decided.
func (s *Server) decided(p *share, ds []decisions.Decision) {
	if len(ds) == 0 {
		return
	}
	p.m.serving.decided(ds)
	if s.opt.Decided != nil {
		s.opt.Decided(*p.m, ds, p.rows)
	}
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
