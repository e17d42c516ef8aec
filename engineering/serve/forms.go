package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tandem-ml/tandem/data"
)

// mlflowForms is MLflow's own sentence.
const mlflowForms = "The input must be a JSON dictionary with exactly one of the input fields {'dataframe_split', 'dataframe_records', 'instances', 'inputs'}"

// mlflowRows turns any of MLflow's four forms into JSON objects, one a row, of
// the columns that the contract names. The others are dropped here, so that
// long names of unknown columns are not repeated in memory for every row.
func mlflowRows(body []byte, c *data.Contract, most int) ([]json.RawMessage, error) {
	form, err := object(body, "dataframe_split", "dataframe_records", "instances", "inputs", "params")
	if err != nil {
		return nil, fmt.Errorf("%s; %s", mlflowForms, frameError(err))
	}
	if p, given := form["params"]; given && !absent(p) && !begins(p, '{') {
		return nil, errors.New("params must be a JSON dictionary")
	}
	delete(form, "params")
	if len(form) != 1 {
		return nil, fmt.Errorf("%s; it has %d of them", mlflowForms, len(form))
	}
	for name, value := range form { // the only one
		switch {
		case name == "dataframe_split":
			return splitRows(name, value, c, most)
		case name == "dataframe_records":
			return recordRows(value, name, c, most)
		case name == "inputs" && begins(value, '{'):
			return columnRows(value, c, most)
		default:
			return listRows(value, name, c, most)
		}
	}
	return nil, nil
}

// namedList is list with the name of the form in its error.
func namedList(value json.RawMessage, name string, most int) ([]json.RawMessage, error) {
	out, err := list(value, most)
	if err != nil && !errors.Is(err, errTooMany) {
		return nil, fmt.Errorf("%s %w", name, err)
	}
	return out, err
}

// recordRows reads [{column: value}].
func recordRows(value json.RawMessage, name string, c *data.Contract, most int) ([]json.RawMessage, error) {
	out, err := namedList(value, name, most)
	if err != nil {
		return nil, err
	}
	for i := range out {
		out[i] = known(c, out[i])
	}
	return out, nil
}

// listRows reads a list of objects, or of lists in the order of the inputs.
func listRows(value json.RawMessage, name string, c *data.Contract, most int) ([]json.RawMessage, error) {
	out, err := namedList(value, name, most)
	if err != nil {
		return nil, err
	}
	return anyRows(out, name, c)
}

// anyRows makes objects of objects, of lists in the order of the inputs, and of
// {"features": list}.
func anyRows(out []json.RawMessage, name string, c *data.Contract) ([]json.RawMessage, error) {
	names := inputNames(c)
	w := newRowWriter(names, c)
	for i, row := range out {
		row = features(row, c)
		if !begins(row, '[') {
			out[i] = known(c, row)
			continue
		}
		values, err := list(row, len(names)+1)
		if err != nil || len(values) != len(names) {
			return nil, fmt.Errorf("%s: row %d is a list of another length than the model's %d inputs", name, i, len(names))
		}
		out[i] = w.row(values)
	}
	return out, nil
}

// inputNames returns the names of the inputs in their order.
func inputNames(c *data.Contract) []string {
	var names []string
	for _, f := range c.Inputs() {
		names = append(names, f.Name)
	}
	return names
}

// features returns the list of {"features": list}, and any other row as it is.
func features(row json.RawMessage, c *data.Contract) json.RawMessage {
	form, err := object(row, "features")
	if err == nil && begins(form["features"], '[') && c.Field("features") == nil {
		return form["features"]
	}
	return row
}

// splitRows reads key's {"columns": [names], "data": [[values]]}.
func splitRows(key string, value json.RawMessage, c *data.Contract, most int) ([]json.RawMessage, error) {
	shape := key + ` must be {"columns": [names], "data": [[values]]}`
	form, err := object(value, "columns", "data", "index")
	if err != nil {
		return nil, fmt.Errorf("%s; %s", shape, frameError(err))
	}
	if absent(form["columns"]) || absent(form["data"]) {
		return nil, errors.New(shape)
	}
	columns, err := list(form["columns"], len(value))
	if err != nil {
		return nil, fmt.Errorf("%s: columns %w", key, err)
	}
	names := make([]string, len(columns))
	for j, raw := range columns {
		var ok bool
		if names[j], ok = text(raw); !ok {
			return nil, errors.New(key + ": columns must be names")
		}
	}
	out, err := list(form["data"], most)
	switch {
	case errors.Is(err, errTooMany):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%s: data %w", key, err)
	}
	w := newRowWriter(names, c)
	for i, row := range out {
		values, err := list(row, len(names)+1)
		if err != nil || len(values) != len(names) {
			return nil, fmt.Errorf("%s: row %d is not a list of as many values as there are columns", key, i)
		}
		out[i] = w.row(values)
	}
	return out, nil
}

// columnRows reads {column: [values]}, all of one length.
func columnRows(value json.RawMessage, c *data.Contract, most int) ([]json.RawMessage, error) {
	columns, err := object(value)
	if err != nil {
		return nil, fmt.Errorf("inputs: %w", err)
	}
	var names []string
	var values [][]json.RawMessage
	for _, f := range c.Fields {
		raw, given := columns[f.Name]
		if !given {
			continue
		}
		column, err := list(raw, most)
		switch {
		case errors.Is(err, errTooMany):
			return nil, err
		case err != nil:
			return nil, fmt.Errorf("inputs: column %q %w", f.Name, err)
		case len(values) > 0 && len(column) != len(values[0]):
			return nil, fmt.Errorf("inputs: column %q is not as long as column %q", f.Name, names[0])
		}
		names, values = append(names, f.Name), append(values, column)
	}
	if len(names) == 0 {
		return nil, errors.New("inputs has no column that the model knows")
	}
	w := newRowWriter(names, c)
	out := make([]json.RawMessage, len(values[0]))
	row := make([]json.RawMessage, len(names))
	for i := range out {
		for j := range names {
			row[j] = values[j][i]
		}
		out[i] = w.row(row)
	}
	return out, nil
}

// known returns a row with the columns that the contract names, in its order.
// What is not an object or repeats a name is returned as it is, for the
// decoder to refuse.
func known(c *data.Contract, row json.RawMessage) json.RawMessage {
	all, err := object(row)
	if err != nil {
		return row
	}
	var names []string
	var values []json.RawMessage
	for _, f := range c.Fields {
		if v, given := all[f.Name]; given {
			names, values = append(names, f.Name), append(values, v)
		}
	}
	if len(names) == len(all) {
		return row
	}
	return newRowWriter(names, c).row(values)
}

// rowWriter joins values to JSON objects.
type rowWriter struct {
	name []string // quoted, with a colon; "" for a column that is dropped
}

func newRowWriter(names []string, c *data.Contract) *rowWriter {
	w := &rowWriter{make([]string, len(names))}
	known := make(map[string]bool, len(c.Fields))
	for i := range c.Fields {
		known[c.Fields[i].Name] = true
	}
	for j, name := range names {
		if known[name] {
			quoted, err := json.Marshal(name)
			if err != nil {
				panic("serve: a column's name is not JSON") // it is a string
			}
			w.name[j] = string(quoted) + ":"
		}
	}
	return w
}

func (w *rowWriter) row(values []json.RawMessage) json.RawMessage {
	var b strings.Builder
	for j, name := range w.name {
		if name == "" {
			continue
		}
		sep := byte(',')
		if b.Len() == 0 {
			sep = '{'
		}
		b.WriteByte(sep)
		b.WriteString(name)
		b.Write(values[j])
	}
	if b.Len() == 0 {
		return json.RawMessage("{}")
	}
	b.WriteByte('}')
	return json.RawMessage(b.String())
}
