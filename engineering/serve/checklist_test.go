package serve_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/tandem-ml/tandem/engineering/serve"
)

// What a serving container is accepted by: one test a point.
//
//	1 every route answers in an empty environment   TestContainer1Doors
//	2 the variables of Vertex AI                    TestVertexContainer
//	3 training images                               not this package's
//	4 SIGTERM while requests run                    TestStopsWithNotice, and of the process: cmd/tandem
//	5 lines of CSV in their order                   TestContainer5Lines
//	6 all protocols agree                           TestContainer6Agree

func TestContainer1Doors(t *testing.T) {
	t.Parallel()
	h := newServer(t, serve.Options{}).Handler()
	for _, c := range []struct{ method, path, kind, body, want string }{
		{"GET", "/ping", "", "", "\n"}, {"GET", "/health", "", "", "\n"}, {"GET", "/version", "", "", "tandem "}, {"GET", "/v2", "", "", `"name"`}, {"GET", "/v2/health/ready", "", "", ""},
		{"GET", "/v2/models/credit", "", "", `"inputs"`}, {"GET", "/v1/models", "", "", `["credit"]`}, {"GET", "/v1/models/credit", "", "", `true`}, {"GET", "/execution-parameters", "", "", "MaxPayloadInMB"},
		{"POST", "/invocations", "text/csv", "80,fixed,yes\n", "0.7685247834990175\n"}, {"POST", "/invocations", "application/json", `{"instances":[[80,"fixed","yes"]]}`, "0.7685247834990175"},
		{"POST", "/invocations", "application/jsonlines", `{"features":[80,"fixed","yes"]}`, "0.7685247834990175"},
		{"POST", "/v1/models/credit:predict", "application/json", `{"instances":[[80,"fixed","yes"]]}`, "0.7685247834990175"},
	} {
		header := []string{}
		if c.kind != "" {
			header = append(header, "Content-Type", c.kind)
		}
		if a := ask(t, h, c.method, c.path, c.body, header...); a.status != 200 || !strings.Contains(a.body, c.want) {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.kind, a.status, a.body)
		}
	}
	a := ask(t, h, "POST", "/invocations", "PAR1", "Content-Type", "application/vnd.apache.parquet")
	if a.status != http.StatusUnsupportedMediaType || !strings.Contains(a.body, "Arrow stream") {
		t.Errorf("Parquet: %d %s", a.status, a.body)
	}
}

func TestContainer5Lines(t *testing.T) {
	t.Parallel()
	h := newServer(t, serve.Options{}).Handler()
	want := score(t, h, rowsOf(100)...)
	line := func(i int) string {
		return fmt.Sprintf("%d,%s,%s\n", i%300, []string{"fixed", "freelance", "astronaut"}[i%3], []string{"no", "yes"}[i/3%2])
	}
	var body strings.Builder
	for i := range 100 {
		body.WriteString(line(i))
	}
	a := ask(t, h, "POST", "/invocations", body.String(), "Content-Type", "text/csv")
	got := strings.Split(strings.TrimSuffix(a.body, "\n"), "\n")
	if a.status != 200 || len(got) != 100 {
		t.Fatalf("%d, %d lines", a.status, len(got))
	}
	for i, text := range got {
		if x, err := strconv.ParseFloat(text, 64); err != nil || math.Float64bits(x) != math.Float64bits(want.Results[i].Score) {
			t.Errorf("line %d: %s, want %v", i, text, want.Results[i].Score)
		}
	}
	a = ask(t, h, "POST", "/invocations", line(0)+line(1)+"80,fixed\n"+line(2), "Content-Type", "text/csv")
	if a.status != 400 || !strings.Contains(a.body, "line 3") {
		t.Errorf("a bad line: %d %s", a.status, a.body)
	}
}

// The same rows have the same scores, bit for bit, whatever the door.
func TestContainer6Agree(t *testing.T) {
	t.Parallel()
	s := newServer(t, serve.Options{Now: func() time.Time { return noon }})
	h := s.Handler()
	const n = 60
	rows := rowsOf(n)
	var csv, lines, nd strings.Builder
	var incomes, jobs, records, instances []string
	for _, row := range rows {
		var r struct {
			Income       int
			Job, Records string
		}
		if err := json.Unmarshal([]byte(row), &r); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&csv, "%d,%s,%s\n", r.Income, r.Job, r.Records)
		fmt.Fprintf(&lines, "%s\n", row)
		fmt.Fprintf(&nd, "[%d,%q,%q]\n", r.Income, r.Job, r.Records)
		incomes, jobs, records = append(incomes, strconv.Itoa(r.Income)), append(jobs, strconv.Quote(r.Job)), append(records, strconv.Quote(r.Records))
		instances = append(instances, fmt.Sprintf("[%d,%q,%q]", r.Income, r.Job, r.Records))
	}
	join := func(s []string) string { return strings.Join(s, ",") }
	predictions := func(a answer) []float64 {
		return read[struct{ Predictions []float64 }](t, a, 200).Predictions
	}
	own := func(a answer) (out []float64) {
		for _, r := range read[scored](t, a, 200).Results {
			out = append(out, r.Score)
		}
		return out
	}
	perLine := func(a answer) (out []float64) {
		for _, l := range linesOf(t, a.body) {
			out = append(out, l.Score)
		}
		return out
	}
	b := lender(t, 0)
	var want []float64
	for _, row := range rows {
		dst := make([]float64, 3)
		if _, err := b.Layout().DecodeJSON(dst, []byte(row), true); err != nil {
			t.Fatal(err)
		}
		_, x := b.Score(dst)
		want = append(want, x)
	}
	tensor := func(name, kind string, values []string) string {
		return fmt.Sprintf(`{"name":%q,"datatype":%q,"shape":[%d],"data":[%s]}`, name, kind, n, join(values))
	}
	infer := read[struct {
		Outputs []struct {
			Name string
			Data []any
		}
	}](t, ask(t, h, "POST", "/v2/models/credit/infer", `{"inputs":[`+tensor("Income", "FP64", incomes)+","+tensor("Job", "BYTES", jobs)+","+tensor("Records", "BYTES", records)+`]}`), 200)
	var tensors []float64
	for _, x := range infer.Outputs[0].Data {
		tensors = append(tensors, x.(float64))
	}
	var byCSV, byArrow []float64
	for line := range strings.Lines(ask(t, h, "POST", "/invocations", csv.String(), "Content-Type", "text/csv").body) {
		x, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
		if err != nil {
			t.Fatal(err)
		}
		byCSV = append(byCSV, x)
	}
	in, err := ipc.NewReader(strings.NewReader(ask(t, h, "POST", "/v1/score/credit", string(arrowRows(t, n, 25)), "Content-Type", arrowStream).body))
	if err != nil {
		t.Fatal(err)
	}
	for in.Next() {
		byArrow = append(byArrow, in.RecordBatch().Column(1).(*array.Float64).Float64Values()...)
	}
	for name, got := range map[string][]float64{
		"own": own(ask(t, h, "POST", "/v1/score/credit", `{"rows":[`+join(rows)+`]}`)), "lines": perLine(ask(t, h, "POST", "/v1/score/credit", lines.String(), "Content-Type", ndjson)), "arrow": byArrow,
		"kserve": predictions(ask(t, h, "POST", "/v1/models/credit:predict", `{"instances":[`+join(instances)+`]}`)), "tensors": tensors, "csv": byCSV,
		"dataframe_split":   predictions(ask(t, h, "POST", "/invocations", `{"dataframe_split":{"columns":["Income","Job","Records"],"data":[`+join(instances)+`]}}`)),
		"dataframe_records": predictions(ask(t, h, "POST", "/invocations", `{"dataframe_records":[`+join(rows)+`]}`)),
		"instances":         predictions(ask(t, h, "POST", "/invocations", `{"instances":[`+join(instances)+`]}`)),
		"inputs":            predictions(ask(t, h, "POST", "/invocations", `{"inputs":{"Income":[`+join(incomes)+`],"Job":[`+join(jobs)+`],"Records":[`+join(records)+`]}}`)),
		"json lines":        perLine(ask(t, h, "POST", "/invocations", nd.String(), "Content-Type", "application/jsonlines")),
	} {
		if len(got) != n {
			t.Errorf("%s: %d scores", name, len(got))
			continue
		}
		for i, x := range got {
			if math.Float64bits(x) != math.Float64bits(want[i]) {
				t.Errorf("%s: row %d has %v, want %v", name, i, x, want[i])
				break
			}
		}
	}
}

// The KServe SDK names the model in the body of its tensors, too.
func TestInferNamesModel(t *testing.T) {
	t.Parallel()
	a := ask(t, newServer(t, serve.Options{}).Handler(), "POST", "/v2/models/credit/infer",
		`{"id":"1","model_name":"credit","inputs":[{"name":"Income","datatype":"FP64","shape":[1],"data":[80]},{"name":"Records","datatype":"BYTES","shape":[1],"data":["yes"]}]}`)
	if a.status != 200 || !strings.Contains(a.body, `"score"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}
