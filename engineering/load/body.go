package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"

	"github.com/tandem-ml/tandem/data"
)

// Bodies are what requests carry, in turn.
type Bodies struct {
	Of   [][]byte
	Rows int // in each; 0: not known
}

// maxBodies bounds the memory that bodies take.
const maxBodies = 512 << 20

// Form is how rows are written.
type Form string

// The forms, each with the protocol that it belongs to.
const (
	Rows      Form = "rows"      // {"rows": [{"Income": 80}]}, Tandem's own
	Instances Form = "instances" // {"instances": [{"Income": 80}]}, KServe's first and Vertex AI's
	Infer     Form = "infer"     // {"inputs": [{"name": "Income", ...}]}, Open Inference
)

// Path returns the route of a model that takes the form.
func (f Form) Path(model string) string {
	model = url.PathEscape(model)
	switch f {
	case Instances:
		return "/v1/models/" + model + ":predict"
	case Infer:
		return "/v2/models/" + model + "/infer"
	}
	return "/v1/score/" + model
}

// FromTable writes the rows of a table as bodies of n rows each, n from 1: body
// i has the rows from n*i on, and the last goes on with the first rows. Missing
// values are null, times RFC 3339.
//
// It returns an error for an unknown form, for an infinite number, which JSON
// does not have, and if the bodies would take more than 512 MB.
func FromTable(t *data.Table, form Form, n int) (*Bodies, error) {
	return fromTable(t, form, n, maxBodies)
}

func fromTable(t *data.Table, form Form, n, most int) (*Bodies, error) {
	if !slices.Contains([]Form{Rows, Instances, Infer}, form) {
		return nil, fmt.Errorf("the form %q is none of rows, instances and infer", form)
	}
	if n < 1 || t.Rows() == 0 || len(t.Columns) == 0 {
		return nil, fmt.Errorf("a table of %d rows and %d columns gives no bodies of %d rows", t.Rows(), len(t.Columns), n)
	}
	names := make([][]byte, len(t.Columns))
	for i, c := range t.Columns {
		names[i], _ = json.Marshal(c.Name) // a text always has a JSON form
	}
	b := &Bodies{Rows: n}
	size := 0
	var buf []byte
	for from := 0; from < t.Rows(); from += n {
		var err error
		if buf, err = appendBody(buf[:0], t, names, form, from, n, most-size); err != nil {
			return nil, err
		}
		size += len(buf)
		b.Of = append(b.Of, slices.Clone(buf))
	}
	return b, nil
}

func appendBody(buf []byte, t *data.Table, names [][]byte, form Form, from, n, most int) ([]byte, error) {
	var err error
	full := func() error {
		if len(buf) > most {
			return data.WithHint(errors.New("the rows take more than 512 MB as requests"), "give a file with fewer rows")
		}
		return nil
	}
	if form == Infer {
		buf = append(buf, `{"inputs":[`...)
		for i, c := range t.Columns {
			kind := "BYTES"
			if c.Kind == data.Number {
				kind = "FP64"
			}
			buf = append(buf, `{"name":`...)
			buf = append(buf, names[i]...)
			buf = append(buf, fmt.Sprintf(`,"shape":[%d],"datatype":%q,"data":[`, n, kind)...)
			for k := range n {
				if buf, err = appendValue(buf, c, (from+k)%t.Rows()); err != nil {
					return nil, err
				}
				buf = append(buf, ',')
				if err := full(); err != nil {
					return nil, err
				}
			}
			buf = append(buf[:len(buf)-1], "]},"...)
		}
		return append(buf[:len(buf)-1], "]}"...), nil
	}
	buf = append(buf, `{"`+string(form)+`":[`...)
	for k := range n {
		for i, c := range t.Columns {
			sep := byte(',')
			if i == 0 {
				sep = '{'
			}
			buf = append(append(append(buf, sep), names[i]...), ':')
			if buf, err = appendValue(buf, c, (from+k)%t.Rows()); err != nil {
				return nil, err
			}
		}
		buf = append(buf, "},"...)
		if err := full(); err != nil {
			return nil, err
		}
	}
	return append(buf[:len(buf)-1], "]}"...), nil
}

func appendValue(buf []byte, c *data.Column, row int) ([]byte, error) {
	switch {
	case c.Missing(row):
		return append(buf, "null"...), nil
	case c.Kind == data.Number:
		v := c.Numbers[row]
		if math.IsInf(v, 0) {
			err := &data.CellError{Row: row + 1, Column: c.Name, Err: "is infinite, which JSON cannot say"}
			return nil, data.WithHint(err, "leave the column or the row out")
		}
		return strconv.AppendFloat(buf, v, 'g', -1, 64), nil
	}
	text, err := json.Marshal(c.Format(row))
	return append(buf, text...), err
}
