package serve

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/keys"
	"github.com/tandem-ml/tandem/engineering/rollout"
)

// rolloutAnswer is the answer of /v1/rollout/{project}: who answers, and who
// stands beside.
type rolloutAnswer struct {
	Project  string      `json:"project"`
	Champion *roleAnswer `json:"champion"`
	Canary   *roleAnswer `json:"canary,omitempty"`
	Shadow   *roleAnswer `json:"shadow,omitempty"`
}

// roleAnswer is a loaded model, and what it has done since it was loaded.
type roleAnswer struct {
	Version string         `json:"version"`
	Bundle  string         `json:"bundle"`
	Percent float64        `json:"percent"`          // of the keys, that it answers
	Rows    int64          `json:"rows"`             // answered
	Passed  *int64         `json:"passed,omitempty"` // rows of a canary that the champion answered, since it could not
	Shadow  *shadowsAnswer `json:"compared,omitempty"`
}

// shadowsAnswer is how a shadow compares with what was answered.
type shadowsAnswer struct {
	rollout.Comparison
	Agreement      *float64 `json:"agreement"`       // share of decisions that agree; null if there is none
	MeanDifference *float64 `json:"mean_difference"` // between the scores; null without rows
}

func (s *Server) rollout(r *http.Request) (any, error) {
	m, err := s.model(r.PathValue("project"))
	if err != nil {
		return nil, err
	}
	b := m.beside
	role := func(m *Model, percent float64) *roleAnswer {
		return &roleAnswer{Version: versionOf(m), Bundle: m.Bundle.ID(), Percent: percent, Rows: m.serving.counts.rows.Load()}
	}
	out := &rolloutAnswer{Project: m.Project, Champion: role(b.champion, 100-b.percent)}
	if b.canary != nil {
		out.Canary = role(b.canary, b.percent)
		passed := b.canary.serving.counts.passed.Load()
		out.Canary.Passed = &passed
	}
	if b.shadow != nil {
		out.Shadow = role(b.shadow, 0)
		out.Shadow.Shadow = &shadowsAnswer{Comparison: b.shadow.serving.counts.tally.Comparison()}
		if x, ok := out.Shadow.Shadow.Comparison.Agreement(); ok {
			out.Shadow.Shadow.Agreement = &x
		}
		if x, ok := out.Shadow.Shadow.Comparison.MeanDifference(); ok {
			out.Shadow.Shadow.MeanDifference = &x
		}
	}
	return out, nil
}

// operators lets those pass whose key is good for operating or for approving:
// they may be two people.
func (s *Server) operators(next http.Handler) http.HandlerFunc {
	operate, approve := s.admit(keys.Operate, "/v1/rollout/", next), s.admit(keys.Approve, "/v1/rollout/", next)
	return func(w http.ResponseWriter, r *http.Request) {
		if s.opt.Keys != nil {
			if k, err := s.opt.Keys.Check(keyIn(r.Header["Authorization"]), s.opt.Now()); err == nil && k.Has(keys.Approve) {
				approve.ServeHTTP(w, r)
				return
			}
		}
		operate.ServeHTTP(w, r)
	}
}

// changeRollout is POST /v1/rollout/{project}. Who asks for what is checked
// here: see [rollout.Change.Approved].
func (s *Server) changeRollout(r *http.Request, body []byte) (any, error) {
	c, err := decodeChange(body)
	if err != nil {
		return nil, err
	}
	if s.opt.Keys != nil {
		k, err := s.opt.Keys.Check(keyIn(r.Header["Authorization"]), s.opt.Now())
		need := keys.Operate
		if c.Approved() {
			need = keys.Approve
		}
		if err != nil || !k.Has(need) {
			return nil, refuse(http.StatusForbidden, "scope", "the key is good, but not for this: it lacks the scope "+string(need))
		}
		c.By = k.Name
	}
	if _, err := s.model(r.PathValue("project")); err != nil {
		return nil, err
	}
	if s.opt.Rollout == nil {
		return nil, refuse(http.StatusConflict, "no_registry", "this server has no registry of versions; who answers is said when it is started")
	}
	err = s.opt.Rollout(r.Context(), r.PathValue("project"), c)
	var refused *rollout.Refusal
	switch {
	case errors.As(err, &refused) && refused.Missing:
		return nil, refuse(http.StatusNotFound, "unknown_version", refused.Error())
	case errors.As(err, &refused):
		return nil, refuse(http.StatusConflict, "refused", "nothing has changed: "+refused.Error())
	case err != nil:
		return nil, err
	}
	return s.rollout(r)
}

// decodeChange reads the body of a change.
func decodeChange(body []byte) (c rollout.Change, err error) {
	const shape = `the body must be {"reason": "...", and one of "champion": 3, "shadow": 4, "canary": {"version": 4, "percent": 10}, "rollback": true, "stop": "shadow" or "canary"}`
	wrong := func(text string) (rollout.Change, error) {
		return rollout.Change{}, refuse(http.StatusBadRequest, "rollout", shape+": "+text)
	}
	form, err := object(body, "champion", "shadow", "canary", "rollback", "stop", "reason", "force")
	if err != nil {
		return wrong(frameError(err))
	}
	number := func(raw json.RawMessage) int { // 0: none, which Check refuses
		n, _ := strconv.Atoi(string(raw))
		return n
	}
	kinds := 0
	if raw := form["champion"]; !absent(raw) {
		kinds, c.Kind, c.Version = kinds+1, rollout.Promote, number(raw)
	}
	if raw := form["shadow"]; !absent(raw) {
		kinds, c.Kind, c.Version = kinds+1, rollout.Shadow, number(raw)
	}
	if raw := form["canary"]; !absent(raw) {
		canary, err := object(raw, "version", "percent")
		if err != nil {
			return wrong("canary: " + frameError(err))
		}
		kinds, c.Kind, c.Version = kinds+1, rollout.Canary, number(canary["version"])
		c.Percent, _ = strconv.ParseFloat(string(canary["percent"]), 64)
	}
	if raw := form["rollback"]; !absent(raw) {
		if string(raw) != "true" {
			return wrong("rollback can only be true")
		}
		kinds, c.Kind = kinds+1, rollout.Rollback
	}
	if raw := form["stop"]; !absent(raw) {
		what, _ := text(raw)
		switch what {
		case "shadow":
			c.Kind = rollout.StopShadow
		case "canary":
			c.Kind = rollout.StopCanary
		default:
			return wrong("stop is for shadow or canary")
		}
		kinds++
	}
	if kinds != 1 {
		return wrong("it asks for " + strconv.Itoa(kinds) + " changes")
	}
	if raw := form["force"]; !absent(raw) {
		if json.Unmarshal(raw, &c.Force) != nil {
			return wrong("force must be true or false")
		}
	}
	var ok bool
	if c.Reason, ok = text(form["reason"]); !absent(form["reason"]) && (!ok || !printable(c.Reason, 500)) {
		return wrong("reason must be a string of at most 500 printable characters")
	}
	if err := c.Check(); err != nil {
		var hint *data.Hinted
		if errors.As(err, &hint) {
			err = errors.New(err.Error() + ": " + hint.Hint)
		}
		return wrong(err.Error())
	}
	return c, nil
}
