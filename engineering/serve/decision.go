package serve

import (
	"errors"
	"net/http"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
)

// decisionAnswer is the answer of GET /v1/decisions/{id}.
type decisionAnswer struct {
	decisions.Decision
	Outcome *decisions.Outcome  `json:"outcome,omitempty"`
	Replay  *decisions.Replayed `json:"replay,omitempty"`
}

func (s *Server) decision(r *http.Request) (any, error) {
	again := false
	switch r.URL.Query().Get("replay") {
	case "", "false":
	case "true":
		again = true
	default:
		return nil, refuse(http.StatusBadRequest, "replay", `"replay" must be true or false`)
	}
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
	if again {
		if out.Replay, err = s.replay(d); err != nil {
			return nil, err
		}
		if len(d.Reasons) == 0 && out.Replay.Equal {
			if out.Reasons, err = s.reasonsOf(d); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// replay computes a decision again from its logged inputs, with the bundle
// that made it.
func (s *Server) replay(d decisions.Decision) (*decisions.Replayed, error) {
	b, err := s.bundleOf(d)
	if err != nil {
		e := refuse(http.StatusConflict, "no_bundle", "the bundle that made this decision is not at hand, so it cannot be replayed")
		e.cause = err
		return nil, e
	}
	r, err := d.Replay(b)
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// bundleOf returns the bundle that made a decision.
func (s *Server) bundleOf(d decisions.Decision) (*bundle.Bundle, error) {
	for _, m := range (*s.models.Load())[d.Project].loaded() {
		if m.Bundle.ID() == d.Bundle {
			return m.Bundle, nil
		}
	}
	if s.opt.Bundle == nil {
		return nil, errors.New("this server has no store of bundles")
	}
	return s.opt.Bundle(d.Bundle)
}
