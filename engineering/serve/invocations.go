package serve

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
)

// form is how rows came to /invocations, which says how they are answered where
// the caller does not.
type form uint8

const (
	formJSON  form = iota // MLflow: {"predictions": [...]}
	formAzure             // {"input_data": ...}: a bare list
	formTable             // CSV with a header: as MLflow's JSON
	formCSV               // CSV without: a line a row, as SageMaker's own models
	formLines             // JSON lines: likewise
)

// anyLines takes the media types of /invocations.
func anyLines(kind string) error {
	switch kind {
	case "application/json", "text/csv", "application/jsonlines", "application/x-jsonlines", "application/x-ndjson", "application/ndjson":
		return nil
	case "application/vnd.apache.parquet", "application/x-parquet", "application/parquet":
		return refuse(http.StatusUnsupportedMediaType, "content_type", noParquet)
	}
	return refuse(http.StatusUnsupportedMediaType, "content_type", "the body must be JSON, JSON lines or CSV, declared by Content-Type")
}

// noParquet says what to do with a Parquet file, whose readers trust their bytes too
// much for those of strangers.
const noParquet = "Parquet is not taken: send the same columns as an Arrow stream to /v1/score/MODEL (pyarrow.ipc.new_stream), or as CSV; tandem predict scores Parquet files."

// mediaType returns the declared type of a body, "" if there is none.
func mediaType(r *http.Request) string {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

// invocationRows turns a body into JSON objects, one a row, of the columns that
// the contract names.
func invocationRows(kind string, body []byte, c *data.Contract, most int) (form, []json.RawMessage, error) {
	switch kind {
	case "text/csv":
		return csvRows(body, c, most)
	case "application/json":
		if err := checkJSON(body); err != nil {
			return 0, nil, fmt.Errorf("the body %w", err)
		}
		if all, err := object(body, "input_data", "params"); err == nil && !absent(all["input_data"]) {
			raw, err := azureRows(all["input_data"], c, most)
			return formAzure, raw, err
		}
		raw, err := mlflowRows(body, c, most)
		return formJSON, raw, err
	}
	raw, err := lineRows(body, c, most)
	return formLines, raw, err
}

// azureRows reads what stands under input_data: a data frame as MLflow splits
// it, or a list of rows.
func azureRows(value json.RawMessage, c *data.Contract, most int) ([]json.RawMessage, error) {
	if begins(value, '{') {
		return splitRows("input_data", value, c, most)
	}
	return listRows(value, "input_data", c, most)
}

// lineRows reads one JSON value a line: an object, a list in the order of the
// inputs, or {"features": list}.
func lineRows(body []byte, c *data.Contract, most int) ([]json.RawMessage, error) {
	var out []json.RawMessage
	for i, line := range bytes.Split(bytes.TrimRight(body, " \t\r\n"), []byte("\n")) {
		if len(out) == most {
			return nil, errTooMany
		}
		if err := checkJSON(line); err != nil {
			return nil, fmt.Errorf("line %d %w", i+1, err)
		}
		out = append(out, line)
	}
	return anyRows(out, "the body", c)
}

// csvRows reads CSV: with a header if its first line holds known names, else
// with the values in the order of the model's inputs. An empty cell is missing.
func csvRows(body []byte, c *data.Contract, most int) (form, []json.RawMessage, error) {
	r := csv.NewReader(bytes.NewReader(body))
	r.FieldsPerRecord, r.ReuseRecord = -1, true
	names := inputNames(c)
	kind := formCSV
	var w *rowWriter
	var out []json.RawMessage
	var values []json.RawMessage
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return kind, out, nil
		}
		var wrong *csv.ParseError
		if errors.As(err, &wrong) {
			return 0, nil, fmt.Errorf("line %d is not CSV: %w", wrong.Line, wrong.Err)
		}
		if err != nil {
			return 0, nil, err
		}
		line, _ := r.FieldPos(0)
		if w == nil {
			header := isHeader(cells, c)
			if header {
				kind, names = formTable, slices.Clone(cells)
			}
			w, values = newRowWriter(names, c), make([]json.RawMessage, len(names))
			if header {
				continue
			}
		}
		if len(cells) != len(names) {
			return 0, nil, fmt.Errorf("line %d has %d values, and the %s %d", line, len(cells),
				map[form]string{formCSV: "model's inputs are", formTable: "header has"}[kind], len(names))
		}
		if len(out) == most {
			return 0, nil, errTooMany
		}
		for j, cell := range cells {
			values[j] = cellJSON(c.Field(names[j]), cell)
		}
		out = append(out, w.row(values))
	}
}

// isHeader reports whether the first line of CSV names columns: all of its
// cells are known names, or all required ones are among them.
func isHeader(cells []string, c *data.Contract) bool {
	if !slices.ContainsFunc(cells, func(cell string) bool { return c.Field(cell) == nil }) {
		return true
	}
	required := 0
	for _, f := range c.Inputs() {
		if f.Required {
			required++
			if !slices.Contains(cells, f.Name) {
				return false
			}
		}
	}
	return required > 0
}

// cellJSON is a cell of CSV as a JSON value; f is nil for an unknown column.
func cellJSON(f *data.Field, cell string) json.RawMessage {
	if f == nil || cell == "" {
		return json.RawMessage("null")
	}
	if f.Kind == data.Number {
		x, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
		switch {
		case err == nil && math.IsNaN(x):
			return json.RawMessage("null")
		case err == nil && !math.IsInf(x, 0):
			return strconv.AppendFloat(nil, x, 'g', -1, 64)
		}
	}
	b, err := json.Marshal(cell)
	if err != nil {
		panic("serve: a cell is not JSON") // it is a string
	}
	return b
}

// reply makes the answer of /invocations.
type reply func(m *Model, answers []bundle.Answer) any

// replyFor returns how a caller wants to be answered: the first type of Accept
// that there is, and without one as the rows came.
func replyFor(accept []string, as form) (reply, error) {
	usual := replyJSON
	switch as {
	case formAzure:
		usual = replyList
	case formCSV:
		usual = replyCSV
	case formLines:
		usual = replyLines
	}
	asked := false
	for _, item := range strings.Split(strings.Join(accept, ","), ",") {
		if strings.TrimSpace(item) == "" {
			continue
		}
		asked = true
		kind, params, err := mime.ParseMediaType(item)
		if q, bad := strconv.ParseFloat(params["q"], 64); err != nil || bad == nil && q == 0 {
			continue
		}
		switch kind {
		case "*/*":
			return usual, nil
		case "application/json", "application/*":
			if as == formAzure {
				return replyList, nil
			}
			return replyJSON, nil
		case "text/csv", "text/*":
			return replyCSV, nil
		case "application/jsonlines", "application/x-jsonlines", "application/x-ndjson", "application/ndjson":
			return replyLines, nil
		}
	}
	if asked {
		return nil, refuse(http.StatusNotAcceptable, "not_acceptable", "answers are application/json, application/jsonlines or text/csv; Accept names none of them")
	}
	return usual, nil
}

func replyJSON(m *Model, answers []bundle.Answer) any { return predictions{scoresOf(m, answers)} }

func replyList(m *Model, answers []bundle.Answer) any { return scoresOf(m, answers) }

// lines is an answer of one line a row.
type lines struct {
	kind string
	text []byte
}

func (l lines) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", l.kind)
	w.Write(l.text) // the client may be gone; nothing is left to do then
}

// replyCSV has the score in each line, or the probabilities of the classes.
func replyCSV(m *Model, answers []bundle.Answer) any {
	var b []byte
	for _, a := range answers {
		scores := a.Scores
		if scores == nil {
			scores = []float64{a.Score}
		}
		for k, x := range scores {
			if k > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendFloat(b, x, 'g', -1, 64)
		}
		b = append(b, '\n')
	}
	return lines{"text/csv; charset=utf-8", b}
}

// replyLines has an object in each line.
func replyLines(m *Model, answers []bundle.Answer) any {
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	for _, a := range answers {
		line := struct {
			Score  float64            `json:"score"`
			Label  string             `json:"predicted_label,omitempty"`
			Scores map[string]float64 `json:"scores,omitempty"`
		}{a.Score, a.Decision, classScores(m.Bundle, a.Scores)}
		if err := to.Encode(line); err != nil {
			panic("serve: a finite score is not JSON")
		}
	}
	return lines{"application/jsonlines", b.Bytes()}
}

// executionParameters are SageMaker's hints for a batch transform.
func (s *Server) executionParameters(*http.Request) (any, error) {
	return map[string]any{
		"MaxConcurrentTransforms": 8, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": s.opt.Limits.Body / 1_000_000,
	}, nil
}

// vertexPredict is the route that Vertex AI chose: KServe's instances, of the
// only model.
func (s *Server) vertexPredict(r *http.Request, body []byte) (any, error) {
	m, err := s.onlyModel()
	if err != nil {
		return nil, err
	}
	return s.predict(r, m, body)
}
