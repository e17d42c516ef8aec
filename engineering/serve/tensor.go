package serve

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/tandem-ml/tandem/data"
)

// maxTensors bounds the inputs and outputs of a request.
const maxTensors = 20_000

// tensor is an input: values as JSON, in row-major order.
type tensor struct {
	name   string
	shape  []int
	values []json.RawMessage
}

// datatypes are the sizes of the elements of each type, and what reads one;
// BYTES, which has no fixed size, apart.
var datatypes = map[string]struct {
	size int
	read func(b []byte) json.RawMessage
}{
	"BOOL":  {1, func(b []byte) json.RawMessage { return strconv.AppendBool(nil, b[0] != 0) }},
	"UINT8": {1, func(b []byte) json.RawMessage { return strconv.AppendUint(nil, uint64(b[0]), 10) }},
	"UINT16": {2, func(b []byte) json.RawMessage {
		return strconv.AppendUint(nil, uint64(binary.LittleEndian.Uint16(b)), 10)
	}},
	"UINT32": {4, func(b []byte) json.RawMessage {
		return strconv.AppendUint(nil, uint64(binary.LittleEndian.Uint32(b)), 10)
	}},
	"UINT64": {8, func(b []byte) json.RawMessage { return strconv.AppendUint(nil, binary.LittleEndian.Uint64(b), 10) }},
	"INT8":   {1, func(b []byte) json.RawMessage { return strconv.AppendInt(nil, int64(int8(b[0])), 10) }},
	"INT16": {2, func(b []byte) json.RawMessage {
		return strconv.AppendInt(nil, int64(int16(binary.LittleEndian.Uint16(b))), 10)
	}},
	"INT32": {4, func(b []byte) json.RawMessage {
		return strconv.AppendInt(nil, int64(int32(binary.LittleEndian.Uint32(b))), 10)
	}},
	"INT64": {8, func(b []byte) json.RawMessage {
		return strconv.AppendInt(nil, int64(binary.LittleEndian.Uint64(b)), 10)
	}},
	"FP16": {2, func(b []byte) json.RawMessage { return numberJSON(half(binary.LittleEndian.Uint16(b))) }},
	"BF16": {2, func(b []byte) json.RawMessage {
		return numberJSON(float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16)))
	}},
	"FP32": {4, func(b []byte) json.RawMessage {
		return numberJSON(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
	}},
	"FP64": {8, func(b []byte) json.RawMessage { return numberJSON(math.Float64frombits(binary.LittleEndian.Uint64(b))) }},
}

// numberJSON writes a number; NaN is missing. JSON has no infinities: they
// become texts, which the contract refuses by the field's name.
func numberJSON(x float64) json.RawMessage {
	switch {
	case math.IsNaN(x):
		return json.RawMessage("null")
	case math.IsInf(x, 0):
		return json.RawMessage(`"infinite"`)
	}
	return strconv.AppendFloat(nil, x, 'g', -1, 64)
}

// half returns the value of an IEEE 754 half-precision number.
func half(b uint16) float64 {
	sign, exponent, fraction := 1.0, int(b>>10&31), float64(b&1023)
	if b>>15 == 1 {
		sign = -1
	}
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

// decodeTensor reads input i, of most elements at the most, and returns what is
// left of rest.
func decodeTensor(i int, raw json.RawMessage, rest []byte, most int) (tensor, []byte, error) {
	form, err := object(raw, "name", "shape", "datatype", "parameters", "data")
	if err != nil {
		return tensor{}, nil, fmt.Errorf("input %d %s", i, frameError(err))
	}
	var t tensor
	var ok bool
	if t.name, ok = text(form["name"]); !ok {
		return tensor{}, nil, fmt.Errorf("input %d has no name", i)
	}
	fail := func(format string, args ...any) (tensor, []byte, error) {
		return tensor{}, nil, fmt.Errorf("input %q %s", clip(t.name), fmt.Sprintf(format, args...))
	}
	if absent(form["shape"]) || json.Unmarshal(form["shape"], &t.shape) != nil {
		return fail("has no shape, a list of whole numbers")
	}
	n, err := elements(t.shape, most)
	if errors.Is(err, errTooMany) {
		return tensor{}, nil, err
	}
	if err != nil {
		return fail("%s", err)
	}
	datatype, _ := text(form["datatype"])
	if _, known := datatypes[datatype]; !known && datatype != "BYTES" {
		return fail("has a datatype that is none of BOOL, UINT8 to UINT64, INT8 to INT64, FP16, FP32, FP64 and BYTES")
	}
	parameters, err := object(orEmpty(form["parameters"]))
	if err != nil {
		return fail("has parameters that are not an object")
	}
	if size := parameters["binary_data_size"]; !absent(size) {
		var bytes int
		if json.Unmarshal(size, &bytes) != nil || bytes < 0 || bytes > len(rest) {
			return fail("has a binary_data_size beyond the body")
		}
		if !absent(form["data"]) {
			return fail("has both data and binary_data_size")
		}
		if t.values, err = readTensor(datatype, n, rest[:bytes]); err != nil {
			return fail("%s", err)
		}
		return t, rest[bytes:], nil
	}
	if absent(form["data"]) || !begins(form["data"], '[') {
		return fail("has no data, a list")
	}
	if t.values, err = flatten(nil, form["data"], n); err != nil {
		return fail("%s", err)
	}
	if len(t.values) != n {
		return fail("has %d elements, and its shape %d", len(t.values), n)
	}
	kind, _ := text(parameters["content_type"])
	if err := checkElements(datatype, kind, t.values); err != nil {
		return fail("%s", err)
	}
	return t, rest, nil
}

// elements returns how many elements a shape has.
func elements(shape []int, most int) (int, error) {
	if len(shape) == 0 || len(shape) > 8 {
		return 0, errors.New("must have 1 to 8 dimensions")
	}
	n := 1
	for _, d := range shape {
		if d < 0 {
			return 0, errors.New("has a negative dimension")
		}
		if d > 0 && n > most/d {
			return 0, errTooMany
		}
		n *= d
	}
	return n, nil
}

// flatten appends the values of nested lists, at most n of them and one.
func flatten(values []json.RawMessage, raw json.RawMessage, n int) ([]json.RawMessage, error) {
	err := each(raw, func(_, element []byte) error {
		if begins(element, '[') {
			var err error
			values, err = flatten(values, element, n)
			return err
		}
		if len(values) > n {
			return errors.New("has more elements than its shape")
		}
		values = append(values, element)
		return nil
	})
	return values, err
}

// checkElements checks that JSON values are of a datatype, and turns the
// numbers of a BOOL and texts in base64 into what they mean.
func checkElements(datatype, contentType string, values []json.RawMessage) error {
	for i, v := range values {
		ok := false
		switch {
		case absent(v): // a missing value: no datatype has one, and data frames do
			ok = true
		case datatype == "BYTES":
			var s string
			if s, ok = text(v); ok && contentType == "base64" {
				plain, err := base64.StdEncoding.DecodeString(s)
				if err != nil {
					return fmt.Errorf("element %d is not base64", i)
				}
				values[i] = textJSON(string(plain))
			}
		case datatype == "BOOL":
			ok = begins(v, 't') || begins(v, 'f')
			switch string(v) {
			case "0":
				values[i], ok = json.RawMessage("false"), true
			case "1":
				values[i], ok = json.RawMessage("true"), true
			}
		default:
			ok = v[0] == '-' || v[0] >= '0' && v[0] <= '9'
		}
		if !ok {
			return fmt.Errorf("element %d is not of its datatype %s", i, datatype)
		}
	}
	return nil
}

func textJSON(s string) json.RawMessage {
	b, err := json.Marshal(s)
	if err != nil {
		panic("serve: a text is not JSON") // it is a string
	}
	return b
}

// readTensor reads n elements from bytes, which must be all of them.
func readTensor(datatype string, n int, b []byte) ([]json.RawMessage, error) {
	if datatype == "BYTES" {
		if n > len(b)/4 {
			return nil, errors.New("has fewer bytes than its shape needs")
		}
		values := make([]json.RawMessage, n)
		for i := range values {
			if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
				return nil, fmt.Errorf("is cut short at element %d", i)
			}
			size := int(binary.LittleEndian.Uint32(b))
			values[i] = textJSON(string(b[4 : 4+size]))
			b = b[4+size:]
		}
		if len(b) > 0 {
			return nil, fmt.Errorf("has %d bytes more than its shape needs", len(b))
		}
		return values, nil
	}
	d := datatypes[datatype]
	if len(b)%d.size != 0 || len(b)/d.size != n {
		return nil, fmt.Errorf("has %d bytes, and its shape needs %d", len(b), n*d.size)
	}
	values := make([]json.RawMessage, n)
	for i := range values {
		values[i] = d.read(b[i*d.size:])
	}
	return values, nil
}

// tensorRows turns tensors into JSON objects, one a row: a tensor for each
// column, [n] or [n, 1]; or a single one [n, inputs] with the inputs in order.
func tensorRows(inputs []tensor, c *data.Contract, most int) ([]json.RawMessage, error) {
	if len(inputs) == 0 {
		return nil, errors.New("the request has no inputs")
	}
	names := inputNames(c)
	if t := inputs[0]; len(inputs) == 1 && c.Field(t.name) == nil {
		return matrixRows(t, names, c, most)
	}
	n := -1
	columns := make([]string, len(inputs))
	seen := make(map[string]bool, len(inputs))
	for j, t := range inputs {
		switch {
		case c.Field(t.name) == nil:
			return nil, fmt.Errorf("the model has no input %q", clip(t.name))
		case seen[t.name]:
			return nil, fmt.Errorf("input %q occurs twice", clip(t.name))
		case len(t.shape) > 2 || len(t.shape) == 2 && t.shape[1] != 1:
			return nil, fmt.Errorf("input %q must have the shape [n] or [n, 1]", clip(t.name))
		case n >= 0 && t.shape[0] != n:
			return nil, fmt.Errorf("input %q is not as long as input %q", clip(t.name), clip(inputs[0].name))
		}
		n, columns[j], seen[t.name] = t.shape[0], t.name, true
	}
	if n > most {
		return nil, errTooMany
	}
	w := newRowWriter(columns, c)
	out := make([]json.RawMessage, n)
	row := make([]json.RawMessage, len(inputs))
	for i := range out {
		for j, t := range inputs {
			row[j] = t.values[i]
		}
		out[i] = w.row(row)
	}
	return out, nil
}

// matrixRows reads one tensor with a row for each row.
func matrixRows(t tensor, names []string, c *data.Contract, most int) ([]json.RawMessage, error) {
	for _, f := range c.Inputs() {
		if f.Kind != data.Number {
			return nil, fmt.Errorf("the model has no input %q, and takes no matrix since its input %q is not a number: send one tensor for each input", clip(t.name), f.Name)
		}
	}
	if len(t.shape) != 2 || t.shape[1] != len(names) {
		return nil, fmt.Errorf("the model has no input %q; a matrix of all inputs has the shape [n, %d]", clip(t.name), len(names))
	}
	if t.shape[0] > most {
		return nil, errTooMany
	}
	w := newRowWriter(names, c)
	out := make([]json.RawMessage, t.shape[0])
	for i := range out {
		out[i] = w.row(t.values[i*len(names) : (i+1)*len(names)])
	}
	return out, nil
}

// inferAnswer is the answer to an inference request.
type inferAnswer struct {
	Model   string   `json:"model_name"`
	Version string   `json:"model_version"`
	ID      string   `json:"id,omitempty"`
	Outputs []output `json:"outputs"`
}

// output is a tensor of an answer: numbers or texts.
type output struct {
	Name       string         `json:"name"`
	Datatype   string         `json:"datatype"`
	Shape      []int          `json:"shape"`
	Parameters map[string]int `json:"parameters,omitempty"`
	Data       any            `json:"data,omitempty"`

	numbers []float64
	texts   []string
	binary  bool
}

// bytes returns the tensor as bytes: little-endian, texts after their lengths.
func (o *output) bytes() []byte {
	var b []byte
	for _, x := range o.numbers {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	for _, s := range o.texts {
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
	}
	return b
}

func (a *inferAnswer) write(w http.ResponseWriter) {
	var tail []byte
	any := false
	for i := range a.Outputs {
		o := &a.Outputs[i]
		switch {
		case o.binary:
			b := o.bytes()
			o.Parameters, any = map[string]int{"binary_data_size": len(b)}, true
			tail = append(tail, b...)
		case o.texts != nil:
			o.Data = o.texts
		default:
			o.Data = o.numbers
		}
	}
	if !any {
		writeJSON(w, http.StatusOK, a)
		return
	}
	frame, err := json.Marshal(a)
	if err != nil {
		panic("serve: an answer is not JSON") // its numbers are finite
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set(headerLength, strconv.Itoa(len(frame)))
	w.Header().Set("Content-Length", strconv.Itoa(len(frame)+len(tail)))
	w.WriteHeader(http.StatusOK)
	w.Write(append(frame, tail...)) // the client may be gone; nothing is left to do then
}
