package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/tandem-ml/tandem"
	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/decisions"
)

// The Open Inference Protocol (KServe's second, Triton's and MLServer's), over
// REST: https://github.com/kserve/open-inference-protocol. A model takes one
// tensor for each of its columns, or a matrix where all inputs are numbers.

// tensorMeta describes a tensor; a dimension of -1 may be any.
type tensorMeta struct {
	Name     string `json:"name"`
	Datatype string `json:"datatype"`
	Shape    []int  `json:"shape"`
}

func (s *Server) inferServer(*http.Request) (any, error) {
	return map[string]any{"name": "tandem", "version": tandem.Version, "extensions": []string{"binary_tensor_data"}}, nil
}

func (s *Server) inferReady(r *http.Request) (any, error) {
	m, err := s.versioned(r.PathValue("model"), r.PathValue("version"))
	if err != nil {
		return nil, err
	}
	return map[string]any{"name": m.Project, "ready": true}, nil
}

func (s *Server) inferModel(r *http.Request) (any, error) {
	m, err := s.versioned(r.PathValue("model"), r.PathValue("version"))
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"name": m.Project, "versions": s.versionsOf(m), "platform": "tandem", "inputs": inputsOf(m), "outputs": outputsOf(m),
	}, nil
}

// inputsOf lists the tensors that a model takes, one a column.
func inputsOf(m *Model) []tensorMeta {
	inputs := []tensorMeta{}
	for _, f := range m.Bundle.Contract.Inputs() {
		inputs = append(inputs, tensorMeta{f.Name, datatypeOf(f), []int{-1}})
	}
	return inputs
}

// datatypeOf returns the type of tensor that carries a field without loss.
func datatypeOf(f data.Field) string {
	if f.Kind == data.Number {
		return "FP64"
	}
	return "BYTES"
}

// outputsOf lists what infer can answer, in the order in which it does.
func outputsOf(m *Model) []tensorMeta {
	out := []tensorMeta{{"score", "FP64", []int{-1}}}
	switch m.Bundle.Manifest.Task {
	case bundle.Binary:
		out = append(out, tensorMeta{"decision", "BYTES", []int{-1}})
	case bundle.Multiclass:
		out = append(out, tensorMeta{"decision", "BYTES", []int{-1}}, tensorMeta{"scores", "FP64", []int{-1, len(m.Bundle.Decision.Classes)}})
	}
	return append(out, tensorMeta{"id", "BYTES", []int{-1}}, tensorMeta{"reasons", "BYTES", []int{-1}})
}

// inferIndex lists the models as Triton's repository does.
func (s *Server) inferIndex(*http.Request, []byte) (any, error) {
	type entry struct {
		Name    string `json:"name"`
		Version string `json:"version"`
		State   string `json:"state"`
		Reason  string `json:"reason"`
	}
	index := []entry{}
	for _, m := range s.Models() {
		index = append(index, entry{m.Project, versionOf(&m), "READY", ""})
	}
	return index, nil
}

// inferRequest is the frame of an inference request.
type inferRequest struct {
	id      string
	inputs  []tensor
	outputs []wanted // nil: the usual ones
	binary  bool     // outputs come as bytes unless they say otherwise
}

// wanted is an output that was asked for.
type wanted struct {
	name   string
	binary bool
}

// infer is POST /v2/models/{model}/infer.
func (s *Server) infer(r *http.Request, body []byte) (any, error) {
	m, err := s.versioned(r.PathValue("model"), r.PathValue("version"))
	if err != nil {
		return nil, err
	}
	frame, rest := body, []byte(nil)
	if h := r.Header.Get(headerLength); h != "" {
		n, err := strconv.Atoi(h)
		if err != nil || n < 0 || n > len(body) {
			return nil, refuse(http.StatusBadRequest, "json", headerLength+" is not the length of the JSON that the body begins with")
		}
		frame, rest = body[:n], body[n:]
	}
	if err := checkJSON(frame); err != nil {
		return nil, refuse(http.StatusBadRequest, "json", "the body "+err.Error())
	}
	req, err := decodeInfer(frame, rest, s.opt.Limits.Rows*max(1, len(m.Bundle.Contract.Fields)))
	if err != nil {
		return nil, s.refuseForm(err)
	}
	return s.inferTensors(r.Context(), m, req)
}

// headerLength is the header that says how much of a body is JSON; tensors as
// bytes follow.
const headerLength = "Inference-Header-Content-Length"

// inferTensors decides the rows that tensors hold.
func (s *Server) inferTensors(ctx context.Context, m *Model, req *inferRequest) (*inferAnswer, error) {
	available := outputsOf(m)
	if req.outputs == nil {
		for _, o := range available {
			if o.Name != "reasons" {
				req.outputs = append(req.outputs, wanted{o.Name, req.binary})
			}
		}
	}
	for _, w := range req.outputs {
		if !slices.ContainsFunc(available, func(o tensorMeta) bool { return o.Name == w.name }) {
			return nil, refuse(http.StatusBadRequest, "output", "the model has no output "+strconv.Quote(clip(w.name)))
		}
	}
	raw, err := tensorRows(req.inputs, &m.Bundle.Contract, s.opt.Limits.Rows)
	if err != nil {
		return nil, s.refuseForm(err)
	}
	ds, answers, err := s.decideRaw(ctx, m, raw, req.id)
	if err != nil {
		return nil, err
	}
	out := &inferAnswer{Model: m.Project, ID: req.id}
	if out.Version, _ = answeredBy(m, ds); out.Version == "" {
		out.Version = versionOf(m)
	}
	for _, w := range req.outputs {
		out.Outputs = append(out.Outputs, newOutput(w, ds, answers))
	}
	return out, nil
}

// newOutput fills an output.
func newOutput(w wanted, ds []decisions.Decision, answers []bundle.Answer) output {
	o := output{Name: w.name, Datatype: "BYTES", Shape: []int{len(ds)}, binary: w.binary}
	switch w.name {
	case "score":
		o.Datatype = "FP64"
		for _, a := range answers {
			o.numbers = append(o.numbers, a.Score)
		}
	case "scores":
		o.Datatype, o.Shape = "FP64", []int{len(ds), len(answers[0].Scores)}
		for _, a := range answers {
			o.numbers = append(o.numbers, a.Scores...)
		}
	case "decision":
		for i := range ds {
			o.texts = append(o.texts, ds[i].Decision)
		}
	case "id":
		for i := range ds {
			o.texts = append(o.texts, ds[i].ID)
		}
	case "reasons":
		for i := range ds {
			b, err := json.Marshal(ds[i].Reasons)
			if err != nil {
				panic("serve: reasons are not JSON")
			}
			o.texts = append(o.texts, string(b))
		}
	}
	return o
}

// decodeInfer reads the frame of a request; tensors as bytes are in rest. None
// may have more elements than most.
func decodeInfer(frame, rest []byte, most int) (*inferRequest, error) {
	// The KServe SDK names the model in the body, too; the path says which one it is.
	form, err := object(frame, "id", "parameters", "inputs", "outputs", "model_name", "model_version")
	if err != nil {
		return nil, fmt.Errorf("the request: %s", frameError(err))
	}
	req := &inferRequest{}
	if raw := form["id"]; !absent(raw) {
		var ok bool
		if req.id, ok = text(raw); !ok || !printable(req.id, 128) {
			return nil, fmt.Errorf("id must be a string of at most 128 printable characters")
		}
	}
	if req.binary, err = flag(form["parameters"], "binary_data_output"); err != nil {
		return nil, err
	}
	if absent(form["inputs"]) {
		return nil, fmt.Errorf("the request has no inputs")
	}
	inputs, err := list(form["inputs"], maxTensors)
	if err != nil {
		return nil, fmt.Errorf("inputs %s", err)
	}
	for i, raw := range inputs {
		var t tensor
		if t, rest, err = decodeTensor(i, raw, rest, most); err != nil {
			return nil, err
		}
		req.inputs = append(req.inputs, t)
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes follow the last tensor", len(rest))
	}
	if absent(form["outputs"]) {
		return req, nil
	}
	outputs, err := list(form["outputs"], maxTensors)
	if err != nil {
		return nil, fmt.Errorf("outputs %s", err)
	}
	for i, raw := range outputs {
		o, err := object(raw, "name", "parameters", "datatype", "shape", "data")
		if err != nil {
			return nil, fmt.Errorf("output %d %s", i, frameError(err))
		}
		name, ok := text(o["name"])
		if !ok {
			return nil, fmt.Errorf("output %d has no name", i)
		}
		w := wanted{name, req.binary}
		if p, err := object(orEmpty(o["parameters"])); err == nil && !absent(p["binary_data"]) {
			if w.binary, err = flag(o["parameters"], "binary_data"); err != nil {
				return nil, err
			}
		}
		req.outputs = append(req.outputs, w)
	}
	return req, nil
}

// orEmpty returns an object for parameters that are not there.
func orEmpty(raw json.RawMessage) json.RawMessage {
	if absent(raw) {
		return json.RawMessage("{}")
	}
	return raw
}

// flag reads true or false from parameters; false if it is not there.
func flag(parameters json.RawMessage, name string) (bool, error) {
	all, err := object(orEmpty(parameters))
	if err != nil {
		return false, fmt.Errorf("parameters: %s", frameError(err))
	}
	var on bool
	if raw := all[name]; !absent(raw) && json.Unmarshal(raw, &on) != nil {
		return false, fmt.Errorf("parameters: %s must be true or false", name)
	}
	return on, nil
}
