package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/rollout"
	"github.com/tandem-ml/tandem/engineering/trace"
)

// share is the part of a request's rows that one model answers.
type share struct {
	m       *Model
	at      []int // where each of its rows stands in the request; nil: they are all of it
	rows    bundle.Rows
	inputs  []input // of its rows, as its own layout decoded them
	answers []bundle.Answer
}

// place returns where the share's row i stands in the request.
func (p *share) place(i int) int {
	if p.at == nil {
		return i
	}
	return p.at[i]
}

// divide says who answers the rows of a request: the model that it is for,
// and of a champion with a canary that one's share. It is the only place that
// knows of canaries, whatever the door.
//
// A row's key is what the contract's id column holds, else the request's id,
// else a draw for the request. A row that the canary cannot decode or score is the
// champion's, who has decoded it: what is tried harms nobody.
func (s *Server) divide(m *Model, rows bundle.Rows, inputs []input, req request) (champion, canary share) {
	champion = share{m: m, rows: rows, inputs: inputs}
	if m.beside == nil || m.beside.canary == nil {
		return champion, share{}
	}
	c, percent := m.beside.canary, m.beside.percent
	draw := ""
	canary = share{m: c}
	var rest []int
	for i := range rows.N {
		key := req.of(i)
		if m.serving.key != "" {
			if id, ok := inputs[i].extras.Value(m.serving.key).(string); ok && id != "" {
				key = id
			}
		}
		if key == "" {
			if draw == "" {
				draw = strconv.FormatUint(rand.Uint64(), 36)
			}
			key = draw
		}
		if !rollout.Takes(m.Project, c.Bundle.ID(), key, percent) || !canary.take(i, inputs[i].raw) {
			rest = append(rest, i)
		}
	}
	canary.rows.N = len(canary.at)
	switch {
	case canary.rows.N == 0:
		return champion, share{}
	case len(rest) == 0:
		champion.rows.N = 0
		return champion, canary
	}
	champion.at, champion.inputs = rest, make([]input, len(rest))
	champion.rows = bundle.Rows{N: len(rest), Cols: rows.Cols, Data: make([]float64, 0, len(rest)*rows.Cols)}
	for k, i := range rest {
		champion.inputs[k] = inputs[i]
		champion.rows.Data = append(champion.rows.Data, rows.Row(i)...)
	}
	return champion, canary
}

// take scores a row for a canary and adds it to its share, and reports whether
// it could.
func (p *share) take(i int, raw json.RawMessage) (taken bool) {
	defer func() {
		if !taken {
			p.m.serving.counts.passed.Add(1)
		}
	}()
	row, extras, answer, err := rescore(p.m.Bundle, raw)
	if err != nil {
		return false
	}
	p.rows.Cols, p.rows.Data = len(row), append(p.rows.Data, row...)
	p.at, p.inputs, p.answers = append(p.at, i), append(p.inputs, input{raw, extras}), append(p.answers, answer)
	return true
}

// rescore decodes and scores a row that another model's contract has taken. A
// panic is an error: the row was not meant for this model.
func rescore(b *bundle.Bundle, raw json.RawMessage) (row []float64, extras bundle.Extras, a bundle.Answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{p, stack()}
		}
	}()
	row = make([]float64, b.Layout().Cols())
	if extras, err = b.Layout().DecodeJSON(row, raw, false); err != nil {
		return nil, extras, a, err
	}
	a = b.Answer(row)
	return row, extras, a, finite([]bundle.Answer{a})
}

// score lets the share's model answer, unless it has.
func (p *share) score() error {
	switch {
	case p.answers != nil || p.rows.N == 0:
		return nil
	case p.rows.N == 1:
		p.answers = []bundle.Answer{p.m.Bundle.Answer(p.rows.Row(0))}
	default:
		p.answers = p.m.Bundle.Answers(p.rows)
	}
	return finite(p.answers)
}

// placed puts the request's rows in place of the share's into an error.
func (p *share) placed(err error) error {
	var e *refusal
	if p.at == nil || !errors.As(err, &e) {
		return err
	}
	bad := slices.Clone(e.Fields)
	for i := range bad {
		bad[i].Row = p.at[bad[i].Row]
	}
	e.Fields = bad
	return e
}

// What may wait for shadows, of all projects together.
const (
	shadowRequests = 1024
	shadowBytes    = 64 << 20
)

// shade gives what was answered to the shadow, if the model has one. It waits
// for nothing: what there is no room for is counted and forgotten.
func (s *Server) shade(m *Model, ds []decisions.Decision, watch *trace.Watch) {
	if m.beside == nil || m.beside.shadow == nil {
		return
	}
	shadow, size := m.beside.shadow, 0
	for i := range ds {
		size += len(ds[i].Inputs)
	}
	if !s.shadows.Room(size) {
		shadow.serving.counts.tally.Dropped(len(ds))
		return
	}
	// The inputs are parts of the request's body, which is no longer ours once it is answered.
	copies := make([]decisions.Decision, len(ds))
	for i := range ds {
		d := &ds[i]
		copies[i] = decisions.Decision{ID: d.ID, Time: d.Time, Key: d.Key, Inputs: bytes.Clone(d.Inputs), Score: d.Score, Decision: d.Decision}
	}
	work := func() { s.scoreShadow(shadow, copies) }
	if watch != nil && watch.Span != nil && watch.Span.Recording() {
		span := watch.Span
		work = func() {
			start := time.Now()
			s.scoreShadow(shadow, copies)
			span.Child("shadow", start, time.Now(), trace.Attribute{Key: "tandem.project", Value: shadow.Project},
				trace.Attribute{Key: "tandem.model.version", Value: shadow.Version}, trace.Attribute{Key: "tandem.rows", Value: len(copies)})
		}
	}
	if !s.shadows.Offer(size, work) {
		shadow.serving.counts.tally.Dropped(len(ds))
	}
}

// scoreShadow scores what was answered with a shadow, compares, and logs the
// shadow's decisions as such, without reasons.
func (s *Server) scoreShadow(m *Model, answered []decisions.Decision) {
	tally := &m.serving.counts.tally
	out := make([]decisions.Decision, 0, len(answered))
	at := make([]int, 0, len(answered))
	for i := range answered {
		d := &answered[i]
		_, _, a, err := rescore(m.Bundle, d.Inputs)
		if err != nil {
			tally.Failed(1)
			continue
		}
		out = append(out, decisions.Decision{
			ID: s.opt.Log.NewID(d.Time), Time: d.Time, Project: rollout.LoggedAs(m.Project), Bundle: m.Bundle.ID(), Model: m.Version,
			RequestID: d.ID, Key: d.Key, Inputs: d.Inputs, Checked: true, Margin: a.Margin, Score: a.Score, Decision: a.Decision,
		})
		at = append(at, i)
	}
	if len(out) == 0 {
		return
	}
	if err := s.opt.Log.Append(context.Background(), out...); err != nil {
		tally.Failed(len(out))
		s.opt.Logger.Error("a shadow's decisions were not logged", "project", m.Project, "version", m.Version, "cause", err)
		return
	}
	for k, i := range at {
		tally.Scored(answered[i].Score, out[k].Score, answered[i].Decision, out[k].Decision)
	}
}

// Settle waits until shadows have scored what they were given. It is called
// before the log is closed, after the server has stopped.
func (s *Server) Settle() { s.shadows.Wait() }
