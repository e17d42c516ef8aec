package serve

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/decisions"
)

// erasedAnswer is the answer of POST /v1/erasures/{project}.
type erasedAnswer struct {
	Erased int `json:"erased"` // decisions that were erased now
}

// maxReason bounds the text that the audit trail keeps.
const maxReason = 500

func (s *Server) erase(r *http.Request, body []byte) (any, error) {
	if _, err := s.model(r.PathValue("project")); err != nil {
		return nil, err
	}
	form, err := object(body, "id", "decisions", "reason")
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "json",
			`the body must be {"id": ...} or {"decisions": ["...", ...]}, and may have a "reason": `+frameError(err))
	}
	var reason, key string
	if raw := form["reason"]; !absent(raw) {
		var ok bool
		if reason, ok = text(raw); !ok || len(reason) > maxReason {
			return nil, refuse(http.StatusBadRequest, "reason", `"reason" must be a text of at most `+data.FormatNumber(maxReason)+" bytes")
		}
	}
	var ids []string
	switch id, list := form["id"], form["decisions"]; {
	case absent(id) == absent(list):
		return nil, refuse(http.StatusBadRequest, "erasure", `give either "id", whose decisions to erase, or "decisions"`)
	case !absent(id):
		var ok bool
		if key, ok = text(id); !ok {
			key = string(id) // a number, as it is written
		}
		if key == "" || begins(id, '{') || begins(id, '[') || key == "true" || key == "false" {
			return nil, refuse(http.StatusBadRequest, "id", `"id" must be a string or a number`)
		}
	default:
		if json.Unmarshal(list, &ids) != nil || len(ids) == 0 || len(ids) > s.opt.Limits.Rows {
			return nil, refuse(http.StatusBadRequest, "decisions", `"decisions" must be a list of 1 to `+data.FormatNumber(float64(s.opt.Limits.Rows))+" ids")
		}
	}
	n, err := s.opt.Erase(r.Context(), ids, key, reason)
	switch {
	case err == nil:
		return erasedAnswer{n}, nil
	case r.Context().Err() != nil:
		return nil, r.Context().Err()
	case errors.Is(err, decisions.ErrUnknown):
		return nil, refuse(http.StatusNotFound, "unknown_decision", "nothing was erased: not all of these are decisions of this project")
	}
	s.metrics.logErrors.Inc()
	return nil, refuseLog(err)
}
