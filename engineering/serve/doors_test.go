package serve_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/linear"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/serve"
)

const jsonType = "application/json"

// Two rows, as every door takes them, with the score that the own API gives.
func twoScores(t *testing.T, s *serve.Server) []float64 {
	t.Helper()
	got := score(t, s.Handler(), `{"Income":80.5,"Job":"fixed","Records":"yes"}`, `{"Income":200,"Records":"no"}`)
	return []float64{got.Results[0].Score, got.Results[1].Score}
}

// Every door gives the same scores, to the bit, and logs the same inputs.
func TestDoorsAgree(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	s := newServer(t, serve.Options{Log: log, Predict: "/p", Health: "/h"})
	h := s.Handler()
	want := twoScores(t, s)
	bits := func(name string, got []float64) {
		t.Helper()
		if len(got) != 2 || math.Float64bits(got[0]) != math.Float64bits(want[0]) || math.Float64bits(got[1]) != math.Float64bits(want[1]) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	lines := func(body string) (out []float64) {
		for _, line := range strings.Split(strings.TrimSuffix(body, "\n"), "\n") {
			x, err := strconv.ParseFloat(line, 64)
			if err != nil {
				t.Errorf("%q is not a number", line)
			}
			out = append(out, x)
		}
		return out
	}
	predictions := func(a answer) []float64 {
		t.Helper()
		return read[struct{ Predictions []float64 }](t, a, 200).Predictions
	}
	const rows = `{"instances":[[80.5,"fixed","yes"],{"Income":200,"Records":"no","extra":1}]}`
	n := 2
	count := func() { n += 2 }
	for _, path := range []string{"/v1/models/credit:predict", "/p", "/invocations"} {
		bits(path, predictions(ask(t, h, "POST", path, rows)))
		count()
	}
	bits("inputs", predictions(ask(t, h, "POST", "/v1/models/credit:predict", `{"inputs":[[80.5,"fixed","yes"],[200,null,"no"]],"signature_name":"x"}`)))
	count()
	bits("features", predictions(ask(t, h, "POST", "/invocations", `{"instances":[{"features":[80.5,"fixed","yes"]},{"features":[200,null,"no"]}]}`)))
	count()
	for _, path := range []string{"/score", "/invocations"} {
		for _, body := range []string{
			`{"input_data":{"columns":["Records","Income","Job"],"index":[0,1],"data":[["yes",80.5,"fixed"],["no",200,null]]}}`,
			`{"input_data":[[80.5,"fixed","yes"],[200,null,"no"]],"params":{}}`,
		} {
			bits(path+body, read[[]float64](t, ask(t, h, "POST", path, body), 200))
			count()
		}
	}
	bits("CSV with a header", predictions(ask(t, h, "POST", "/invocations", "Records,extra,Income,Job\nyes,,80.5,fixed\nno,x,200,\n", "Content-Type", "text/csv; charset=utf-8", "Accept", "*/*")))
	count()
	bits("CSV", lines(ask(t, h, "POST", "/invocations", "80.5,fixed,yes\n200,,no\n", "Content-Type", "text/csv").body))
	count()
	bits("CSV, as asked", lines(ask(t, h, "POST", "/invocations", rows, "Accept", "text/csv;q=0.9, application/xml").body))
	count()
	a := ask(t, h, "POST", "/invocations", `{"Income":80.5,"Job":"fixed","Records":"yes"}`+"\n"+`{"features":[200,null,"no"]}`+"\n\n", "Content-Type", "application/jsonlines")
	var first, second struct {
		Score float64
		Label string `json:"predicted_label"`
	}
	if parts := strings.Split(a.body, "\n"); len(parts) != 3 || json.Unmarshal([]byte(parts[0]), &first) != nil || json.Unmarshal([]byte(parts[1]), &second) != nil || first.Label != "bad" || second.Label != "good" {
		t.Errorf("JSON lines: %s", a.body)
	}
	bits("JSON lines", []float64{first.Score, second.Score})
	count()

	type tensor struct {
		Name, Datatype string
		Shape          []int
		Data           json.RawMessage
		Parameters     map[string]int
	}
	type inferred struct {
		Model   string `json:"model_name"`
		Version string `json:"model_version"`
		ID      string
		Outputs []tensor
	}
	columns := `{"name":"Income","shape":[2],"datatype":"FP64","data":[80.5,200]},{"name":"Job","shape":[2,1],"datatype":"BYTES","data":[["fixed"],[null]]},{"name":"Records","shape":[2],"datatype":"BYTES","data":["yes","no"]}`
	for _, path := range []string{"/v2/models/credit/infer", "/v2/models/credit/versions/3/infer"} {
		got := read[inferred](t, ask(t, h, "POST", path, `{"id":"r-1","parameters":{"content_type":"pd"},"inputs":[`+columns+`]}`, "Content-Type", ""), 200)
		var names []string
		for _, o := range got.Outputs {
			names = append(names, o.Name+" "+o.Datatype+fmt.Sprint(o.Shape))
		}
		var scores []float64
		json.Unmarshal(got.Outputs[0].Data, &scores)
		bits(path, scores)
		count()
		if fmt.Sprint(names) != "[score FP64[2] decision BYTES[2] id BYTES[2]]" || string(got.Outputs[1].Data) != `["bad","good"]` || got.Model != "credit" || got.Version != "3" || got.ID != "r-1" {
			t.Errorf("%+v", got)
		}
	}
	// Bytes in, of 32-bit floats and texts, and bytes out.
	var raw []byte
	for _, x := range []float32{80.5, 200} {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	for _, text := range []string{"yes", "no"} {
		raw = append(binary.LittleEndian.AppendUint32(raw, uint32(len(text))), text...)
	}
	frame := `{"inputs":[{"name":"Income","shape":[2],"datatype":"FP32","parameters":{"binary_data_size":8}},{"name":"Job","shape":[2],"datatype":"BYTES","data":["fixed",null]},` +
		`{"name":"Records","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":13}}],"outputs":[{"name":"decision","parameters":{"binary_data":false}},{"name":"score","parameters":{"binary_data":true}}]}`
	a = ask(t, h, "POST", "/v2/models/credit/infer", frame+string(raw), "Content-Type", "application/octet-stream", "Inference-Header-Content-Length", strconv.Itoa(len(frame)))
	size, _ := strconv.Atoi(a.header.Get("Inference-Header-Content-Length"))
	if a.status != 200 || size == 0 || a.header.Get("Content-Type") != "application/octet-stream" {
		t.Fatalf("%d %v %q", a.status, a.header, a.body)
	}
	got := read[inferred](t, answer{status: 200, body: a.body[:size]}, 200)
	tail := []byte(a.body[size:])
	if len(tail) != 16 || got.Outputs[1].Parameters["binary_data_size"] != 16 || got.Outputs[0].Name != "decision" {
		t.Fatalf("%+v and %d bytes", got, len(tail))
	}
	bits("bytes", []float64{math.Float64frombits(binary.LittleEndian.Uint64(tail)), math.Float64frombits(binary.LittleEndian.Uint64(tail[8:]))})
	count()

	if got := log.Counts("credit").Decisions; got != int64(n) {
		t.Errorf("%d decisions are logged, want %d", got, n)
	}
	recent, err := log.Recent("credit", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range recent {
		row := make([]float64, 3)
		if _, err := lender(t, 0).Layout().DecodeJSON(row, d.Inputs, true); err != nil || row[0] != 80.5 && row[0] != 200 {
			t.Errorf("logged %s: %v", d.Inputs, err)
		}
	}
	if a := ask(t, h, "GET", "/h", ""); a.status != 200 {
		t.Errorf("the platform's probe: %d", a.status)
	}
}

// sums is a model whose inputs are all numbers: 2a - b.
func sums(t testing.TB) *bundle.Bundle {
	t.Helper()
	c := data.Contract{Fields: []data.Field{
		{Name: "a", Kind: data.Number, Role: data.Feature, Required: true}, {Name: "b", Kind: data.Number, Role: data.Feature},
		{Name: "y", Kind: data.Number, Role: data.Target},
	}}
	plan := step.Plan{{Name: "a", Op: step.Standard, Scale: 1, Low: -1e300, High: 1e300}, {Name: "b", Input: 1, Op: step.Standard, Scale: 1, Low: -1e300, High: 1e300}}
	b, err := newBundle(bundle.Regression, c, bundle.Member{Learner: "linear", Weight: 1, Plan: plan,
		Linear: &linear.Model{Weight: []float64{2, -1}, Mean: []float64{0, 0}}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// All element types, in JSON and as bytes, and a matrix of all inputs.
func TestInferTensors(t *testing.T) {
	t.Parallel()
	s := serve.New(serve.Options{})
	s.Swap(serve.Model{Project: "sums", Bundle: sums(t)})
	h := s.Handler()
	scores := func(body, frame string) string {
		header := []string{"Content-Type", ""}
		if frame != "" {
			header = append(header, "Inference-Header-Content-Length", strconv.Itoa(len(frame)))
		}
		a := ask(t, h, "POST", "/v2/models/sums/infer", frame+body, header...)
		var got struct {
			Outputs []struct{ Data json.RawMessage }
		}
		if json.Unmarshal([]byte(a.body), &got) != nil || len(got.Outputs) == 0 {
			return a.body
		}
		return string(got.Outputs[0].Data)
	}
	const ask = `"outputs":[{"name":"score"}]`
	for _, body := range []string{
		`{"inputs":[{"name":"input-0","shape":[2,2],"datatype":"FP64","data":[1,2,3,4]}],` + ask + `}`,
		`{"inputs":[{"name":"input-0","shape":[2,2],"datatype":"FP64","data":[[1,2],[3,4]]}],` + ask + `}`,
		`{"inputs":[{"name":"a","shape":[2],"datatype":"INT64","data":[1,3]},{"name":"b","shape":[2,1],"datatype":"UINT8","data":[2,4]}],` + ask + `}`,
	} {
		if got := scores(body, ""); got != "[0,2]" {
			t.Errorf("%s gives %s", body, got)
		}
	}
	var le = binary.LittleEndian
	for _, tt := range []struct {
		datatype string
		bytes    []byte
	}{
		{"BOOL", nil}, {"UINT8", []byte{1, 3}}, {"INT8", []byte{1, 3}}, {"UINT16", []byte{1, 0, 3, 0}}, {"INT16", []byte{1, 0, 3, 0}},
		{"UINT32", le.AppendUint32(le.AppendUint32(nil, 1), 3)}, {"INT32", le.AppendUint32(le.AppendUint32(nil, 1), 3)},
		{"UINT64", le.AppendUint64(le.AppendUint64(nil, 1), 3)}, {"INT64", le.AppendUint64(le.AppendUint64(nil, 1), 3)},
		{"FP16", []byte{0x00, 0x3c, 0x00, 0x42}}, {"BF16", []byte{0x80, 0x3f, 0x40, 0x40}},
		{"FP32", le.AppendUint32(le.AppendUint32(nil, math.Float32bits(1)), math.Float32bits(3))},
		{"FP64", le.AppendUint64(le.AppendUint64(nil, math.Float64bits(1)), math.Float64bits(3))},
	} {
		if tt.bytes == nil {
			continue
		}
		frame := fmt.Sprintf(`{"inputs":[{"name":"a","shape":[2],"datatype":%q,"parameters":{"binary_data_size":%d}},{"name":"b","shape":[2],"datatype":"FP64","data":[2,4]}],%s}`, tt.datatype, len(tt.bytes), ask)
		if got := scores(string(tt.bytes), frame); got != "[0,2]" {
			t.Errorf("%s: %s", tt.datatype, got)
		}
	}
	// NaN is a missing value: the mean, 0, stands in for it.
	nan := le.AppendUint64(le.AppendUint64(nil, math.Float64bits(math.NaN())), math.Float64bits(4))
	frame := `{"inputs":[{"name":"b","shape":[2],"datatype":"FP64","parameters":{"binary_data_size":16}},{"name":"a","shape":[2],"datatype":"FP64","data":[1,3]}],` + ask + `}`
	if got := scores(string(nan), frame); got != "[2,2]" {
		t.Errorf("NaN: %s", got)
	}
	// Half-precision, the small, the large and the signed.
	for bits, want := range map[uint16]string{0x0001: "5.960464477539063e-8", 0xc000: "-2", 0x7bff: "65504", 0x3555: "0.333251953125"} {
		frame := `{"inputs":[{"name":"a","shape":[1],"datatype":"FP16","parameters":{"binary_data_size":2}},{"name":"b","shape":[1],"datatype":"FP64","data":[0]}],` + ask + `}`
		x, _ := strconv.ParseFloat(want, 64)
		half, _ := json.Marshal([]float64{2 * x})
		if got := scores(string(le.AppendUint16(nil, bits)), frame); got != string(half) {
			t.Errorf("%04x: %s, want %s", bits, got, half)
		}
	}
}

func TestInferMetadata(t *testing.T) {
	t.Parallel()
	h := newServer(t, serve.Options{}).Handler()
	for _, tt := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"GET", "/v2", 200, `"extensions":["binary_tensor_data"]`},
		{"GET", "/v2/health/live", 200, `{"status":"live"}`},
		{"GET", "/v2/health/ready", 200, `"status":"ready"`},
		{"GET", "/v2/models/credit/ready", 200, `"ready":true`},
		{"GET", "/v2/models/credit/versions/3/ready", 200, `"ready":true`},
		{"GET", "/v2/models/credit/versions/2/ready", 404, `{"error":"this version of the model is not in service"}`},
		{"GET", "/v2/models/other/ready", 404, `{"error":"no model answers for this project"}`},
		{"GET", "/v2/models/credit", 200, `{"inputs":[{"name":"Income","datatype":"FP64","shape":[-1]},{"name":"Job","datatype":"BYTES","shape":[-1]},{"name":"Records","datatype":"BYTES","shape":[-1]}],"name":"credit",` +
			`"outputs":[{"name":"score","datatype":"FP64","shape":[-1]},{"name":"decision","datatype":"BYTES","shape":[-1]},{"name":"id","datatype":"BYTES","shape":[-1]},{"name":"reasons","datatype":"BYTES","shape":[-1]}],"platform":"tandem","versions":["3"]}`},
		{"POST", "/v2/repository/index", 200, `[{"name":"credit","version":"3","state":"READY","reason":""}]`},
		{"GET", "/v1/models", 200, `{"models":["credit"]}`},
		{"GET", "/v1/models/credit", 200, `{"name":"credit","ready":true}`},
		{"GET", "/v1/models/other", 404, `{"error":"no model answers for this project"}`},
		{"POST", "/v1/models/credit:frobnicate", 404, `:predict or :explain`},
		{"GET", "/", 200, `{"status":"alive"}`},
		{"GET", "/execution-parameters", 200, `"BatchStrategy":"MULTI_RECORD"`},
	} {
		body := ""
		if tt.method == "POST" {
			body = "{}"
		}
		if a := ask(t, h, tt.method, tt.path, body); a.status != tt.status || !strings.Contains(a.body, tt.want) {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, a.status, a.body)
		}
	}
	empty := serve.New(serve.Options{}).Handler()
	if a := ask(t, empty, "GET", "/v2/health/ready", ""); a.status != 503 {
		t.Errorf("ready without a model: %d", a.status)
	}
}

func TestExplainDoors(t *testing.T) {
	t.Parallel()
	h := newServer(t, serve.Options{}).Handler()
	own := score(t, h, applicant).Results[0]
	got := read[struct{ Explanations []struct{ Reasons []reason } }](t, ask(t, h, "POST", "/v1/models/credit:explain", `{"instances":[`+applicant+`]}`), 200)
	if fmt.Sprint(got.Explanations[0].Reasons) != fmt.Sprint(own.Reasons) {
		t.Errorf("%v, want %v", got, own.Reasons)
	}
	a := ask(t, h, "POST", "/v2/models/credit/infer", `{"inputs":[{"name":"Income","shape":[1],"datatype":"INT32","data":[80]},{"name":"Records","shape":[1],"datatype":"BYTES","data":["yes"]}],"outputs":[{"name":"reasons"}]}`)
	if !strings.Contains(a.body, `"data":["[{\"column\":\"Records\"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestSeveralClassesThroughDoors(t *testing.T) {
	t.Parallel()
	s := serve.New(serve.Options{})
	s.Swap(serve.Model{Project: "grades", Bundle: grades(t)})
	a := ask(t, s.Handler(), "POST", "/v2/models/grades/infer", `{"inputs":[{"name":"m","shape":[2,2],"datatype":"FP32","data":[3,0.5,0,-1]}],"outputs":[{"name":"scores"},{"name":"decision"}]}`)
	if !strings.Contains(a.body, `"shape":[2,3]`) || !strings.Contains(a.body, `["high","middle"]`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	for path, body := range map[string]string{"/v1/models/grades:predict": `{"instances":[[3,0.5]]}`, "/invocations": `{"inputs":[[3,0.5]]}`} {
		if got := read[struct{ Predictions [][]float64 }](t, ask(t, s.Handler(), "POST", path, body), 200); len(got.Predictions[0]) != 3 {
			t.Errorf("%s: %v", path, got)
		}
	}
	if a := ask(t, s.Handler(), "POST", "/invocations", "3,0.5\n0,-1\n", "Content-Type", "text/csv"); strings.Count(a.body, ",") != 4 || strings.Count(a.body, "\n") != 2 {
		t.Errorf("%q", a.body)
	}
}

func TestDoorsRefuse(t *testing.T) {
	t.Parallel()
	h := newServer(t, serve.Options{Limits: serve.Limits{Rows: 3, Body: 5000}}).Handler()
	infer := func(inputs string) string { return `{"inputs":[` + inputs + `]}` }
	const income = `{"name":"Income","shape":[1],"datatype":"FP64","data":[80]}`
	const records = `,{"name":"Records","shape":[1],"datatype":"BYTES","data":["no"]}`
	for _, tt := range []struct {
		name, path, kind, body string
		status                 int
		says                   string
	}{
		{"not JSON", "/v2/models/credit/infer", "", "{", 400, "not valid JSON"},
		{"no inputs", "/v2/models/credit/infer", "", "{}", 400, "no inputs"},
		{"an empty list", "/v2/models/credit/infer", "", `{"inputs":[]}`, 400, "no inputs"},
		{"a form of another site", "/v2/models/credit/infer", "text/plain", "{}", 415, "JSON"},
		{"unknown model", "/v2/models/x/infer", "", infer(income), 404, "no model"},
		{"unknown input", "/v2/models/credit/infer", "", infer(income + records + `,{"name":"x","shape":[1],"datatype":"FP64","data":[1]}`), 400, `no input \"x\"`},
		{"missing input", "/v2/models/credit/infer", "", infer(income), 400, `\"Records\" is required`},
		{"twice", "/v2/models/credit/infer", "", infer(income + "," + income), 400, "occurs twice"},
		{"matrix with texts", "/v2/models/credit/infer", "", infer(`{"name":"m","shape":[1,3],"datatype":"FP64","data":[1,2,3]}`), 400, `\"Job\" is not a number`},
		{"another length", "/v2/models/credit/infer", "", infer(income + `,{"name":"Records","shape":[2],"datatype":"BYTES","data":["no","no"]}`), 400, "not as long"},
		{"shape and data differ", "/v2/models/credit/infer", "", infer(`{"name":"Income","shape":[2],"datatype":"FP64","data":[80]}` + records), 400, "has 1 elements, and its shape 2"},
		{"more data", "/v2/models/credit/infer", "", infer(`{"name":"Income","shape":[1],"datatype":"FP64","data":[80,1,2,3]}` + records), 400, "more elements"},
		{"negative", "/v2/models/credit/infer", "", infer(`{"name":"Income","shape":[-1],"datatype":"FP64","data":[80]}`), 400, "negative"},
		{"no shape", "/v2/models/credit/infer", "", infer(`{"name":"Income","datatype":"FP64","data":[80]}`), 400, "no shape"},
		{"huge", "/v2/models/credit/infer", "", infer(`{"name":"Income","shape":[9223372036854775807,9223372036854775807],"datatype":"FP64","data":[80]}`), 413, "at most 3 rows"},
		{"four rows", "/v2/models/credit/infer", "", infer(`{"name":"Income","shape":[4],"datatype":"FP64","data":[1,2,3,4]},{"name":"Records","shape":[4],"datatype":"BYTES","data":["no","no","no","no"]}`), 413, "at most 3 rows"},
		{"datatype", "/v2/models/credit/infer", "", infer(`{"name":"Income","shape":[1],"datatype":"FP8","data":[80]}`), 400, "datatype that is none of"},
		{"text in numbers", "/v2/models/credit/infer", "", infer(`{"name":"Income","shape":[1],"datatype":"FP64","data":["80"]}` + records), 400, "element 0 is not of its datatype FP64"},
		{"a number in texts", "/v2/models/credit/infer", "", infer(income + `,{"name":"Records","shape":[1],"datatype":"BYTES","data":[1]}`), 400, "not of its datatype BYTES"},
		{"output", "/v2/models/credit/infer", "", `{"inputs":[` + income + records + `],"outputs":[{"name":"y"}]}`, 400, `no output \"y\"`},
		{"id", "/v2/models/credit/infer", "", `{"id":7,"inputs":[` + income + records + `]}`, 400, "id must be"},
		{"unknown member", "/v2/models/credit/infer", "", `{"inputs":[],"x":1}`, 400, `\"x\" is not known`},
		{"size beyond the body", "/v2/models/credit/infer", "", infer(`{"name":"Income","shape":[1],"datatype":"FP64","parameters":{"binary_data_size":8}}`), 400, "beyond the body"},
		{"flag", "/v2/models/credit/infer", "", `{"parameters":{"binary_data_output":1},"inputs":[` + income + `]}`, 400, "true or false"},
		{"infinite", "/v2/models/credit/infer", "", infer(`{"name":"Income","shape":[1],"datatype":"FP64","data":[1e999]}` + records), 400, "Income"},
		{"kserve without instances", "/v1/models/credit:predict", jsonType, `{}`, 400, "instances"},
		{"kserve of no object", "/v1/models/credit:predict", jsonType, `[]`, 400, "instances"},
		{"kserve without rows", "/v1/models/credit:predict", jsonType, `{"instances":[]}`, 400, "no row"},
		{"kserve of many rows", "/v1/models/credit:predict", jsonType, `{"instances":[[],[],[],[]]}`, 413, "at most 3 rows"},
		{"kserve of an unknown model", "/v1/models/x:predict", jsonType, `{}`, 404, "no model"},
		{"kserve of the wrong type", "/v1/models/credit:predict", jsonType, `{"instances":[["80","fixed","no"]]}`, 400, `"Income\" must be a number`},
		{"kserve in a form", "/v1/models/credit:predict", "text/plain", `{}`, 415, "JSON"},
		{"a bad line of CSV", "/invocations", "text/csv", "80,fixed,no\n90,fixed\n", 400, "line 2 has 2 values"},
		{"a bad cell of CSV", "/invocations", "text/csv", "80,fixed,no\nlots,fixed,no\n", 400, `row 1: field \"Income\" must be a number`},
		{"broken CSV", "/invocations", "text/csv", "80,\"fixed,no\n", 400, "not CSV"},
		{"CSV of nothing", "/invocations", "text/csv", "", 400, "no row"},
		{"CSV of a header", "/invocations", "text/csv", "Income,Records\n", 400, "no row"},
		{"CSV of many rows", "/invocations", "text/csv", strings.Repeat("80,fixed,no\n", 4), 413, "at most 3 rows"},
		{"a bad line of JSON lines", "/invocations", "application/jsonlines", `{"Income":1,"Records":"no"}` + "\n{\n", 400, "line 2 is not valid JSON"},
		{"a large body", "/invocations", "text/csv", strings.Repeat("x", 5001), 413, "5000 bytes"},
	} {
		a := ask(t, h, "POST", tt.path, tt.body, "Content-Type", tt.kind)
		if a.status != tt.status || !strings.Contains(a.body, tt.says) || !json.Valid([]byte(a.body)) {
			if tt.status != 415 || a.status != 415 {
				t.Errorf("%s: %d %s", tt.name, a.status, a.body)
			}
		}
	}
	if a := ask(t, h, "POST", "/invocations", `{"instances":[[80,"fixed","no"]]}`, "Accept", "image/png, text/csv;q=0"); a.status != 406 {
		t.Errorf("Accept: %d %s", a.status, a.body)
	}
	for _, length := range []string{"-1", "x", "100000"} {
		if a := ask(t, h, "POST", "/v2/models/credit/infer", infer(income), "Inference-Header-Content-Length", length); a.status != 400 {
			t.Errorf("length %s: %d %s", length, a.status, a.body)
		}
	}
}

// Compressed bodies are taken where protocols have them, and are bounded by
// what they unpack to.
func TestCompressedBodies(t *testing.T) {
	t.Parallel()
	h := newServer(t, serve.Options{Limits: serve.Limits{Body: 100_000}}).Handler()
	pack := func(coding, body string) string {
		var b bytes.Buffer
		var w io.WriteCloser = gzip.NewWriter(&b)
		if coding == "deflate" {
			w = zlib.NewWriter(&b)
		}
		io.WriteString(w, body)
		w.Close()
		return b.String()
	}
	const body = `{"instances":[[80,"fixed","no"]]}`
	for _, coding := range []string{"gzip", "deflate"} {
		if a := ask(t, h, "POST", "/v1/models/credit:predict", pack(coding, body), "Content-Encoding", coding); a.status != 200 {
			t.Errorf("%s: %d %s", coding, a.status, a.body)
		}
		bomb := pack(coding, strings.Repeat(" ", 3_000_000)+body)
		if a := ask(t, h, "POST", "/v1/models/credit:predict", bomb, "Content-Encoding", coding); a.status != 413 {
			t.Errorf("a bomb of %d bytes of %s: %d %s", len(bomb), coding, a.status, a.body)
		}
		for _, broken := range []string{body, pack(coding, body)[:20]} {
			if a := ask(t, h, "POST", "/v1/models/credit:predict", broken, "Content-Encoding", coding); a.status != 400 {
				t.Errorf("broken %s: %d %s", coding, a.status, a.body)
			}
		}
	}
	if a := ask(t, h, "POST", "/v1/models/credit:predict", body, "Content-Encoding", "br"); a.status != 415 {
		t.Errorf("br: %d", a.status)
	}
}

// FuzzInfer sends any frame and any bytes after it.
func FuzzInfer(f *testing.F) {
	f.Add(`{"inputs":[{"name":"Income","shape":[1],"datatype":"FP64","parameters":{"binary_data_size":8}},{"name":"Records","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":6}}]}`, []byte("\x00\x00\x00\x00\x00\x00T@\x02\x00\x00\x00no"))
	f.Add(`{"inputs":[{"name":"a","shape":[1,2],"datatype":"FP16","parameters":{"binary_data_size":4}}],"parameters":{"binary_data_output":true}}`, []byte{0, 0x3c, 0, 0x7e})
	s := serve.New(serve.Options{})
	s.Swap(serve.Model{Project: "credit", Bundle: lender(f, 0)})
	s.Swap(serve.Model{Project: "sums", Bundle: sums(f)})
	h := s.Handler()
	f.Fuzz(func(t *testing.T, frame string, tail []byte) {
		for _, path := range []string{"/v2/models/credit/infer", "/v2/models/sums/infer"} {
			r := httptest.NewRequest("POST", path, strings.NewReader(frame+string(tail)))
			r.Header.Set("Inference-Header-Content-Length", strconv.Itoa(len(frame)))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			size := w.Body.Len()
			if n := w.Header().Get("Inference-Header-Content-Length"); n != "" {
				size, _ = strconv.Atoi(n)
			}
			if w.Code >= 500 || !json.Valid(w.Body.Bytes()[:size]) {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
	})
}
