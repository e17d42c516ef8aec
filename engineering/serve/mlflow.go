package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tandem-ml/tandem/bundle"
)

// invocations is MLflow's scoring route: exactly one of four forms of rows.
// Columns that the model does not know are dropped; a list of bare values is
// read in the order of the contract's inputs.
func (s *Server) invocations(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	r.Body = http.MaxBytesReader(w, r.Body, s.opt.Limits.Body)
	scores, err := s.invoke(r)
	status := http.StatusOK
	if err == nil {
		writeJSON(w, status, map[string]any{"predictions": scores})
	} else {
		status = statusOf(err)
		s.failMLflow(w, r, err)
	}
	s.metrics.request("invocations", status, time.Since(start))
}

// failMLflow answers in the form MLflow's clients read.
func (s *Server) failMLflow(w http.ResponseWriter, r *http.Request, err error) {
	var e *Error
	if !errors.As(err, &e) || e.Status >= 500 {
		s.fail(w, r, err)
		return
	}
	code := "BAD_REQUEST"
	if e.Code == "contract" {
		code = "INVALID_PARAMETER_VALUE"
	}
	writeJSON(w, e.Status, map[string]string{"error_code": code, "message": e.Message})
}

func (s *Server) invoke(r *http.Request) ([]float64, error) {
	m, err := s.onlyModel()
	if err != nil {
		return nil, err
	}
	body, err := s.body(r)
	if err != nil {
		return nil, err
	}
	raw, err := mlflowRows(body, m.Bundle)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "json", err.Error())
	}
	if len(raw) == 0 {
		return nil, refuse(http.StatusBadRequest, "no_rows", "there is no row to score")
	}
	if len(raw) > s.opt.Limits.Rows {
		return nil, refuse(http.StatusRequestEntityTooLarge, "too_many_rows", fmt.Sprintf("a request takes at most %d rows", s.opt.Limits.Rows))
	}
	rows, inputs, err := decodeRows(m, raw, false)
	if err != nil {
		return nil, missingInputs(err)
	}
	for i := range inputs {
		if inputs[i].raw, err = known(m.Bundle, inputs[i].raw); err != nil {
			return nil, err
		}
	}
	ds, err := s.decide(r.Context(), m, rows, inputs, "")
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(ds))
	for i, d := range ds {
		out[i] = d.Score
	}
	return out, nil
}

// known keeps the columns that the contract names, in contract order, so that
// the log holds nothing that was dropped.
func known(b *bundle.Bundle, raw json.RawMessage) (json.RawMessage, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	var names []string
	var values []json.RawMessage
	for _, f := range b.Contract.Fields {
		if v, given := all[f.Name]; given {
			names, values = append(names, f.Name), append(values, v)
		}
	}
	return object(names, values)
}

// missingInputs puts missing columns into MLflow's words.
func missingInputs(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	var names []string
	for _, f := range e.Fields {
		if f.Row == 0 && f.Rule == "is required" {
			names = append(names, "'"+f.Field+"'")
		}
	}
	if len(names) == 0 {
		return err
	}
	return refuse(e.Status, e.Code, "Model is missing inputs ["+strings.Join(names, ", ")+"]")
}

func (s *Server) onlyModel() (*Model, error) {
	models := *s.models.Load()
	if len(models) == 1 {
		for _, m := range models {
			return m, nil
		}
	}
	if len(models) == 0 {
		return nil, refuse(http.StatusServiceUnavailable, "no_model", "no model is loaded")
	}
	return nil, refuse(http.StatusBadRequest, "several_models", "this server answers for several projects; use /v1/score/{project}")
}

const mlflowForms = "The input must be a JSON dictionary with exactly one of the input fields {'dataframe_split', 'dataframe_records', 'instances', 'inputs'}"

// mlflowRows turns any of the four forms into JSON objects, one a row.
func mlflowRows(body []byte, b *bundle.Bundle) ([]json.RawMessage, error) {
	var form map[string]json.RawMessage
	if err := decodeStrict(body, &form); err != nil {
		return nil, fmt.Errorf("%s: %w", mlflowForms, err)
	}
	var given []string
	for _, k := range []string{"dataframe_split", "dataframe_records", "instances", "inputs"} {
		if _, ok := form[k]; ok {
			given = append(given, k)
		}
	}
	for k := range form {
		switch k {
		case "dataframe_split", "dataframe_records", "instances", "inputs", "params":
		default:
			return nil, fmt.Errorf("%s; it has another field", mlflowForms)
		}
	}
	if len(given) != 1 {
		return nil, fmt.Errorf("%s; it has %d", mlflowForms, len(given))
	}
	switch value := form[given[0]]; given[0] {
	case "dataframe_split":
		return splitRows(value)
	case "dataframe_records":
		return list(value, "dataframe_records")
	case "instances":
		return listRows(value, "instances", b)
	default:
		if trimmed := strings.TrimLeft(string(value), " \t\r\n"); strings.HasPrefix(trimmed, "{") {
			return columnRows(value)
		}
		return listRows(value, "inputs", b)
	}
}

func list(raw json.RawMessage, name string) ([]json.RawMessage, error) {
	var out []json.RawMessage
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("%s must be a list of rows", name)
	}
	return out, nil
}

func splitRows(raw json.RawMessage) ([]json.RawMessage, error) {
	var split struct {
		Columns []string            `json:"columns"`
		Data    [][]json.RawMessage `json:"data"`
		Index   json.RawMessage     `json:"index"`
	}
	if err := decodeStrict(raw, &split); err != nil {
		return nil, fmt.Errorf("dataframe_split must be {\"columns\": [names], \"data\": [[values]]}: %w", err)
	}
	out := make([]json.RawMessage, len(split.Data))
	for i, values := range split.Data {
		row, err := object(split.Columns, values)
		if err != nil {
			return nil, fmt.Errorf("dataframe_split: row %d: %w", i, err)
		}
		out[i] = row
	}
	return out, nil
}

// listRows reads a list of objects, or of lists in contract order.
func listRows(raw json.RawMessage, name string, b *bundle.Bundle) ([]json.RawMessage, error) {
	out, err := list(raw, name)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, b.Layout().Cols())
	for _, f := range b.Layout().Fields() {
		names = append(names, f.Name)
	}
	for i, row := range out {
		if !strings.HasPrefix(strings.TrimLeft(string(row), " \t\r\n"), "[") {
			continue
		}
		var values []json.RawMessage
		if err := json.Unmarshal(row, &values); err != nil {
			return nil, fmt.Errorf("%s: row %d is not a list of values", name, i)
		}
		if out[i], err = object(names, values); err != nil {
			return nil, fmt.Errorf("%s: row %d: %w", name, i, err)
		}
	}
	return out, nil
}

// columnRows reads an object of column -> list of values.
func columnRows(raw json.RawMessage) ([]json.RawMessage, error) {
	var columns map[string]json.RawMessage
	if err := json.Unmarshal(raw, &columns); err != nil {
		return nil, fmt.Errorf("inputs must be an object of columns or a list of rows")
	}
	names := slices.Sorted(maps.Keys(columns))
	var values [][]json.RawMessage
	for _, name := range names {
		var col []json.RawMessage
		if err := json.Unmarshal(columns[name], &col); err != nil {
			return nil, fmt.Errorf("inputs: every column must be a list of values")
		}
		if len(values) > 0 && len(col) != len(values[0]) {
			return nil, fmt.Errorf("inputs: the columns are not equally long")
		}
		values = append(values, col)
	}
	if len(values) == 0 {
		return nil, nil
	}
	out := make([]json.RawMessage, len(values[0]))
	row := make([]json.RawMessage, len(names))
	for i := range out {
		for j := range names {
			row[j] = values[j][i]
		}
		var err error
		if out[i], err = object(names, row); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// object joins names and values into a JSON object.
func object(names []string, values []json.RawMessage) (json.RawMessage, error) {
	if len(names) != len(values) {
		return nil, fmt.Errorf("it has %d values for %d columns", len(values), len(names))
	}
	var b strings.Builder
	b.WriteByte('{')
	for i, name := range names {
		if i > 0 {
			b.WriteByte(',')
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		b.Write(quoted)
		b.WriteByte(':')
		b.Write(values[i])
	}
	b.WriteByte('}')
	return json.RawMessage(b.String()), nil
}
