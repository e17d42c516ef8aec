package serve

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
)

// Message is one message of a stream that asks for scores.
type Message struct {
	Body   []byte // a row as a JSON object, or a body of POST /v1/score
	Source string // where it stands in its stream: its decisions' request id, unless Body has one
	Trace  string // the traceparent that came with it, or ""
}

// Reply is what a message is answered with.
type Reply struct {
	Body    []byte // JSON, as POST /v1/score answers it, a refusal included
	Code    string // of a refusal: "contract", "json", ...; "" for scores
	Message string // of a refusal, for people; names fields, never values
	Trace   string // the traceparent for who reads it, "" if nobody traces
}

// Block answers messages that came together, in their order. Each is all or
// nothing, by the rules of POST /v1/score, and none hinders another. With
// reasons false none are found, whatever the messages say.
//
// The error is for what more patience may mend: there is no such model, the
// decision log cannot be written, ctx has ended. Then some of the decisions may be in the
// log, and no reply is given.
func (s *Server) Block(ctx context.Context, project string, messages []Message, reasons bool) (replies []Reply, err error) {
	m, err := s.model(project)
	if err != nil {
		return nil, err
	}
	ctx, seen := s.watchedBlock(ctx, messages)
	defer func() { seen(replies, err) }()
	replies = make([]Reply, len(messages))
	parts := make([]part, 0, len(messages))
	for i := range messages {
		p, err := s.part(m, messages[i])
		if err != nil {
			replies[i] = s.replyRefusal(err)
			continue
		}
		p.at, p.silent = i, p.silent || !reasons
		parts = append(parts, p)
	}
	for len(parts) > 0 {
		n := 1
		for n < len(parts) && parts[n].silent == parts[0].silent {
			n++
		}
		if err := s.decideParts(ctx, m, parts[:n], replies); err != nil {
			return nil, err
		}
		parts = parts[n:]
	}
	return replies, nil
}

// part is a message that keeps the contract.
type part struct {
	at     int // in the block
	rows   bundle.Rows
	inputs []input
	id     string
	silent bool
}

// part reads a message. One that is plainly written takes one pass; of all
// others the strict readers have the last word.
func (s *Server) part(m *Model, msg Message) (part, error) {
	layout, body := m.Bundle.Layout(), msg.Body
	row := bundle.Rows{N: 1, Cols: layout.Cols(), Data: make([]float64, layout.Cols())}
	if extras, n, ok := layout.DecodeNext(row.Data, body); ok && blank(body, n) == len(body) {
		return part{rows: row, inputs: []input{{body[blank(body, 0):n], extras}}, id: msg.Source}, nil
	}
	if err := checkJSON(body); err != nil {
		return part{}, refuse(http.StatusBadRequest, "json", "the message "+err.Error())
	}
	members, err := object(body)
	if _, framed := members["rows"]; err != nil || !framed || m.Bundle.Contract.Field("rows") != nil {
		rows, inputs, err := decodeRows(m, []json.RawMessage{body}, true)
		return part{rows: rows, inputs: inputs, id: msg.Source}, err
	}
	req, err := decodeScore(body, s.opt.Limits.Rows)
	if err != nil {
		return part{}, err
	}
	rows, inputs, err := decodeRows(m, req.rows, true)
	p := part{rows: rows, inputs: inputs, id: msg.Source, silent: req.silent}
	if req.id != "" {
		p.id = req.id
	}
	return p, err
}

// decideParts decides parts that are alike together and, where that is refused,
// one by one, so that only those are refused who gave the cause.
func (s *Server) decideParts(ctx context.Context, m *Model, parts []part, replies []Reply) error {
	all := parts[0]
	req := request{silent: all.silent, ids: make([]string, 0, len(parts))}
	if len(parts) > 1 {
		all.rows.N, all.rows.Data, all.inputs = 0, nil, nil
	}
	for _, p := range parts {
		if len(parts) > 1 {
			all.rows.N += p.rows.N
			all.rows.Data = append(all.rows.Data, p.rows.Data...)
			all.inputs = append(all.inputs, p.inputs...)
		}
		for range p.rows.N {
			req.ids = append(req.ids, p.id)
		}
	}
	ds, answers, err := s.decideSafely(ctx, m, all.rows, all.inputs, req)
	switch {
	case err == nil:
		for _, p := range parts {
			n := p.rows.N
			replies[p.at] = Reply{Body: newAnswer(m, ds[:n], answers[:n]).appendTo(nil)}
			ds, answers = ds[n:], answers[n:]
		}
		return nil
	case lasting(err):
		return err
	case len(parts) == 1:
		replies[parts[0].at] = s.replyRefusal(err)
		return nil
	}
	for i := range parts {
		if err := s.decideParts(ctx, m, parts[i:i+1], replies); err != nil {
			return err
		}
	}
	return nil
}

// decideSafely makes an error of a panic, as the HTTP doors do.
func (s *Server) decideSafely(ctx context.Context, m *Model, rows bundle.Rows, inputs []input, req request) (ds []decisions.Decision, a []bundle.Answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{p, stack()}
		}
	}()
	return s.decide(ctx, m, rows, inputs, req)
}

// lasting reports whether an error is no fault of the rows: others would get it
// as well.
func lasting(err error) bool {
	var e *refusal
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &e) && e.Status == http.StatusServiceUnavailable
}

func (s *Server) replyRefusal(err error) Reply {
	e := s.refusalOf("stream", requestID(nil), err)
	body, err := json.Marshal(map[string]any{"error": e})
	if err != nil {
		panic("serve: a refusal is not JSON") // it is texts and numbers
	}
	return Reply{Body: body, Code: e.Code, Message: e.Message}
}
