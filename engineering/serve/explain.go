package serve

import (
	"net/http"

	"github.com/tandem-ml/tandem/bundle"
)

// explained is a row of the answer of POST /v1/explain: the margin is the base and
// the contributions of all inputs, added up.
type explained struct {
	Margin        float64       `json:"margin"`
	Base          float64       `json:"base"`
	Score         float64       `json:"score"`
	Decision      string        `json:"decision,omitempty"` // of several classes, the one that is explained
	Contributions contributions `json:"contributions"`
}

// contributions are written as an object in the order of the contract.
type contributions struct {
	layout *bundle.Layout
	values []float64
}

// MarshalJSON writes {column: value}.
func (c contributions) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for j, f := range c.layout.Fields() {
		if j > 0 {
			b = append(b, ',')
		}
		b = appendNumber(append(appendText(b, f.Name), ':'), c.values[j])
	}
	return append(b, '}'), nil
}

// explain is POST /v1/explain/{project}: what each input does to the margin of
// each row. It decides nothing, so it logs nothing.
func (s *Server) explain(r *http.Request, body []byte) (any, error) {
	m, err := s.versioned(r.PathValue("project"), r.PathValue("version"))
	if err != nil {
		return nil, err
	}
	req, err := decodeScore(body, s.opt.Limits.Rows)
	if err != nil {
		return nil, err
	}
	rows, _, err := decodeRows(m, req.rows, true)
	if err != nil {
		return nil, err
	}
	answers := m.Bundle.Answers(rows)
	if err := finite(answers); err != nil {
		return nil, err
	}
	layout := m.Bundle.Layout()
	out := make([]explained, rows.N)
	var bad []fieldError
	for i := range out {
		if i%64 == 0 && r.Context().Err() != nil {
			return nil, r.Context().Err()
		}
		e := explained{Score: answers[i].Score, Decision: answers[i].Decision, Contributions: contributions{layout, make([]float64, layout.Cols())}}
		e.Base, e.Margin = m.Bundle.Contributions(e.Contributions.values, rows.Row(i))
		for _, x := range append([]float64{e.Base, e.Margin}, e.Contributions.values...) {
			if x-x != 0 {
				bad = append(bad, fieldError{Row: i, Rule: "has no finite contributions under this model"})
				break
			}
		}
		out[i] = e
	}
	if len(bad) > 0 {
		return nil, refuseFields(http.StatusUnprocessableEntity, "not_finite", "nothing was explained", bad)
	}
	return map[string]any{"results": out, "model": m.Version, "bundle": m.Bundle.ID()}, nil
}
