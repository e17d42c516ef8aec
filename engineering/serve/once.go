package serve

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/once"
)

// A caller who did not hear an answer cannot know whether there are decisions.
// With the header Idempotency-Key it can ask again: the ids of the decisions are
// then made of the key, and the log takes no id twice. So the log itself knows,
// for as long as it is kept and whatever became of the process, whether they
// were made; a memory of the newest answers holds those apart who ask at the
// same moment, and serves where there is no log.

// The answers that are remembered.
const (
	mostAnswers = 10_000
	answerBytes = 32 << 20
	answerAge   = 24 * time.Hour
)

// ticket stands for one Idempotency-Key of one caller and project. A crash can
// leave the first decisions of a request in the log without the others: it was
// not answered, and is decided anew as the next try.
type ticket struct {
	seed once.Hash
	try  int
}

const mostTries = 8

type ticketKey struct{}

// newTicket makes a ticket; caller is "" without keys, version "" where the route
// names none.
func newTicket(caller, project, version, key string) *ticket {
	return &ticket{seed: sha256.Sum256(fmt.Appendf(nil, "tandem idempotency 1\x00%q%q%q%q", caller, project, version, key))}
}

// id returns the id of the decision about a row: a UUID of version 8.
func (t *ticket) id(row int) string {
	u := sha256.Sum256(fmt.Appendf(t.seed[:], "%d,%d", t.try, row))
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	h := hex.EncodeToString(u[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// newID returns the id of a decision about a row.
func (s *Server) newID(req request, now time.Time, row int) string {
	if req.once != nil {
		return req.once.id(row)
	}
	return s.opt.Log.NewID(now)
}

// ticketOf returns the ticket of the request that ctx belongs to, nil if it has
// none.
func ticketOf(ctx context.Context) *ticket {
	t, _ := ctx.Value(ticketKey{}).(*ticket)
	return t
}

// written is an answer as it went out.
type written struct {
	body  []byte
	again bool
}

func (a written) write(w http.ResponseWriter) {
	w.Header()["Content-Type"] = typeJSON
	if a.again {
		w.Header().Set("Idempotent-Replayed", "true")
	}
	w.WriteHeader(http.StatusOK)
	w.Write(a.body) // the client may be gone; nothing is left to do then
}

// once answers a request with an Idempotency-Key as it was answered before.
func (s *Server) once(h func(*http.Request, []byte) (any, error)) func(*http.Request, []byte) (any, error) {
	return func(r *http.Request, body []byte) (any, error) {
		values := r.Header["Idempotency-Key"]
		if len(values) == 0 {
			return h(r, body)
		}
		key := values[0]
		if len(values) > 1 || key == "" || len(key) > 255 || !printable(key, 255) {
			return nil, refuse(http.StatusBadRequest, "idempotency_key", "Idempotency-Key must be 1 to 255 printable characters, once")
		}
		caller, _ := r.Context().Value(callerKey{}).(string)
		t := newTicket(caller, r.PathValue("project"), r.PathValue("version"), key)
		answer, again, err := s.answers.Do(r.Context(), t.seed, sha256.Sum256(body), time.Now(), func() (written, int, error) {
			a, err := s.earlier(r.Context(), t, body)
			if a == nil && err == nil {
				var answer any
				answer, err = h(r.WithContext(context.WithValue(r.Context(), ticketKey{}, t)), body)
				if a, _ = answer.(*scoreAnswer); errors.Is(err, decisions.ErrExists) { // a request that was given up was logged after all
					a, err = s.earlier(r.Context(), t, body)
				}
			}
			if err != nil {
				return written{}, 0, err
			}
			text := append(a.appendTo(nil), '\n')
			return written{body: text, again: a.again}, len(text), nil
		})
		switch {
		case errors.Is(err, once.ErrOther):
			return nil, errOtherBody
		case err != nil:
			return nil, err
		}
		answer.again = answer.again || again
		return answer, nil
	}
}

var errOtherBody = refuse(http.StatusUnprocessableEntity, "idempotency_key", "this Idempotency-Key was sent before with another body; a new request needs a new one")

// earlier returns the answer of decisions that the log has under a ticket. Nil:
// there are none under its next try.
func (s *Server) earlier(ctx context.Context, t *ticket, body []byte) (*scoreAnswer, error) {
	if _, none := s.opt.Log.(noLog); none {
		return nil, nil
	}
	if err := s.enter(ctx); err != nil { // to read many decisions is work, too
		return nil, err
	}
	defer s.gate.Leave()
	for t.try = 0; t.try < mostTries; t.try++ {
		first, err := s.logged(t, 0)
		if first == nil {
			return nil, err
		}
		if err := checkBody(body); err != nil {
			return nil, err
		}
		req, err := decodeScore(body, s.opt.Limits.Rows)
		if err != nil {
			return nil, err
		}
		if a, err := s.answerOf(t, first, req); a != nil || err != nil {
			return a, err
		}
	}
	return nil, errOtherBody
}

// answerOf puts the answer of a request together from its decisions, of which
// first is the first. Nil: there are not as many as rows.
func (s *Server) answerOf(t *ticket, first *decisions.Decision, req *scoreRequest) (*scoreAnswer, error) {
	b, err := s.bundleOf(*first)
	if err != nil {
		return nil, noBundle(err)
	}
	out := &scoreAnswer{Model: first.Model, Bundle: first.Bundle, again: true}
	row := make([]float64, b.Layout().Cols())
	for i, raw := range req.rows {
		d, err := s.logged(t, i)
		if d == nil {
			return nil, err
		}
		if !sameJSON(d.Inputs, raw) || req.id != "" && req.id != d.RequestID || req.silent && len(d.Reasons) > 0 {
			return nil, errOtherBody
		}
		res := result{ID: d.ID, Score: d.Score, Decision: d.Decision, Reasons: d.Reasons}
		if d.Bundle != out.Bundle { // of a canary beside the champion, or the other way round
			res.Model, res.Bundle = d.Model, d.Bundle
			if b, err = s.bundleOf(*d); err != nil {
				return nil, noBundle(err)
			}
			row = make([]float64, b.Layout().Cols())
		}
		if !req.silent && res.Reasons == nil {
			res.Reasons = []bundle.Reason{}
		}
		if b.Manifest.Task == bundle.Multiclass { // the log has the winner's only
			if _, err := b.Layout().DecodeJSON(row, raw, false); err != nil {
				return nil, err
			}
			res.Scores = classScores(b, b.Answer(row).Scores)
		}
		out.Results = append(out.Results, res)
	}
	if d, err := s.logged(t, len(req.rows)); err != nil {
		return nil, err
	} else if d != nil {
		return nil, errOtherBody
	}
	return out, nil
}

func noBundle(err error) *refusal {
	e := refuse(http.StatusConflict, "no_bundle", "this request was decided before by a bundle that is not at hand, so its answer cannot be given again")
	e.cause = err
	return e
}

// logged returns the decision about a row under a ticket, nil if there is none.
func (s *Server) logged(t *ticket, row int) (*decisions.Decision, error) {
	d, _, err := s.opt.Log.Get(t.id(row))
	switch {
	case errors.Is(err, decisions.ErrUnknown):
		return nil, nil
	case errors.Is(err, decisions.ErrErased):
		return nil, refuse(http.StatusGone, "erased", "this request was decided before, and the decision was erased")
	case err != nil:
		return nil, err
	}
	return &d, nil
}

// sameJSON compares JSON but for white space.
func sameJSON(a, b json.RawMessage) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}
