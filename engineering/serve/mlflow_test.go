package serve_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/serve"
)

// The four forms carry one meaning: the same rows give the same scores, in
// any order of columns, with columns that the model does not know.
func TestInvocationsForms(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	h := newServer(t, serve.Options{Log: log}).Handler()
	one := score(t, h, `{"Income":80,"Job":"fixed","Records":"yes"}`, `{"Income":200,"Records":"no"}`)
	want := fmt.Sprint([]float64{one.Results[0].Score, one.Results[1].Score})
	for _, tt := range []struct{ name, body string }{
		{"split", `{"dataframe_split":{"columns":["Records","Income","Job"],"data":[["yes",80,"fixed"],["no",200,null]]}}`},
		{"split with an index and more columns", `{"dataframe_split":{"index":[0,1],"data":[[1,"yes",80,"fixed"],[{"a":[]},"no",200,null]],"columns":["extra","Records","Income","Job"]}}`},
		{"records", `{"dataframe_records":[{"Income":80,"Job":"fixed","Records":"yes"},{"Income":200.0,"Records":"no","extra":[1,2]}]}`},
		{"instances of objects", `{"instances":[{"Income":80,"Job":"fixed","Records":"yes"},{"Income":200,"Records":"no"}]}`},
		{"instances of lists, in the order of the inputs", `{"instances":[[80,"fixed","yes"],[200,null,"no"]]}`},
		{"inputs of columns", `{"inputs":{"Income":[80,200],"Job":["fixed",null],"Records":["yes","no"],"extra":1}}`},
		{"inputs of lists", `{"inputs":[[80,"fixed","yes"],[200,null,"no"]]}`},
		{"inputs of objects, with params", `{"params":{"x":1},"inputs":[{"Income":80,"Job":"fixed","Records":"yes"},{"Income":200,"Records":"no"}]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := ask(t, h, "POST", "/invocations", tt.body, "Content-Type", "application/json; charset=utf-8")
			got := read[struct{ Predictions []float64 }](t, a, 200)
			if fmt.Sprint(got.Predictions) != want {
				t.Errorf("got %s, want %s", a.body, want)
			}
		})
	}
	if n := log.Counts("credit").Decisions; n != 2+8*2 {
		t.Errorf("%d decisions are logged, want 18", n)
	}
	recent, err := log.Recent("credit", 20)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range recent {
		if strings.Contains(string(d.Inputs), "extra") || !json.Valid(d.Inputs) {
			t.Errorf("logged %s", d.Inputs)
		}
	}
}

func TestInvocationsKeepIDs(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	h := newServer(t, serve.Options{Log: log}).Handler()
	ask(t, h, "POST", "/invocations", `{"dataframe_split":{"columns":["application","Income","Records"],"data":[[4711,80,"no"]]}}`)
	if e, err := log.ByKey("credit", "4711"); err != nil || len(e) != 1 {
		t.Errorf("%v, %v", e, err)
	}
}

func TestInvocationsRefusals(t *testing.T) {
	t.Parallel()
	h := newServer(t, serve.Options{}).Handler()
	const forms = "The input must be a JSON dictionary with exactly one of the input fields"
	for _, tt := range []struct {
		name, body string
		status     int
		code, says string
	}{
		{"malformed", `{"inputs":`, 400, "BAD_REQUEST", "not valid JSON"},
		{"bare list", `[[80,"fixed","yes"]]`, 400, "BAD_REQUEST", forms},
		{"none of the forms", `{}`, 400, "BAD_REQUEST", forms},
		{"params alone", `{"params":{}}`, 400, "BAD_REQUEST", forms},
		{"two forms", `{"inputs":[[1]],"instances":[[1]]}`, 400, "BAD_REQUEST", forms},
		{"another key", `{"inputs":[[80,"fixed","yes"]],"data":1}`, 400, "BAD_REQUEST", forms},
		{"params of another kind", `{"inputs":[[80,"fixed","yes"]],"params":1}`, 400, "BAD_REQUEST", "params"},
		{"missing columns", `{"dataframe_split":{"columns":["Job"],"data":[["fixed"]]}}`, 400, "BAD_REQUEST", "Model is missing inputs ['Income', 'Records']."},
		{"missing in the second row", `{"instances":[[80,"fixed","yes"],[null,"fixed","yes"]]}`, 400, "BAD_REQUEST", "Model is missing inputs ['Income']."},
		{"missing otherwise in every row", `{"instances":[[null,"fixed","yes"],[80,"fixed",null]]}`, 400, "BAD_REQUEST", "Model is missing inputs ['Income']."},
		{"text for a number", `{"instances":[["80","fixed","yes"]]}`, 400, "INVALID_PARAMETER_VALUE", `row 0: field "Income" must be a number`},
		{"repeated column", `{"dataframe_split":{"columns":["Income","Income","Records"],"data":[[1,2,"no"]]}}`, 400, "INVALID_PARAMETER_VALUE", "occurs twice"},
		{"repeated field", `{"inputs":[{"Income":1,"Income":2,"Records":"no"}]}`, 400, "INVALID_PARAMETER_VALUE", "occurs twice"},
		{"bare values", `{"instances":[1,2]}`, 400, "INVALID_PARAMETER_VALUE", "row 0 is not a JSON object"},
		{"short list", `{"instances":[[80,"fixed"]]}`, 400, "BAD_REQUEST", "row 0 is a list of another length than the model's 3 inputs"},
		{"long list", `{"inputs":[[80,"fixed","yes",1]]}`, 400, "BAD_REQUEST", "row 0 is a list of another length"},
		{"instances of another kind", `{"instances":{"Income":[1]}}`, 400, "BAD_REQUEST", "instances is not a list"},
		{"inputs of another kind", `{"inputs":7}`, 400, "BAD_REQUEST", "inputs is not a list"},
		{"records of another kind", `{"dataframe_records":{"Income":{"0":1}}}`, 400, "BAD_REQUEST", "dataframe_records is not a list"},
		{"unequal columns", `{"inputs":{"Income":[80,1],"Records":["no"]}}`, 400, "BAD_REQUEST", `column "Records" is not as long as column "Income"`},
		{"scalar columns", `{"inputs":{"Income":80}}`, 400, "BAD_REQUEST", `column "Income" is not a list`},
		{"unknown columns alone", `{"inputs":{"a":[80]}}`, 400, "BAD_REQUEST", "no column that the model knows"},
		{"split without data", `{"dataframe_split":{"columns":["Income"]}}`, 400, "BAD_REQUEST", "dataframe_split must be"},
		{"split of another kind", `{"dataframe_split":[1]}`, 400, "BAD_REQUEST", "dataframe_split must be"},
		{"split with numbered columns", `{"dataframe_split":{"columns":[0],"data":[[1]]}}`, 400, "BAD_REQUEST", "columns must be names"},
		{"split with a short row", `{"dataframe_split":{"columns":["Income","Records"],"data":[[1,"no"],[1]]}}`, 400, "BAD_REQUEST", "row 1 is not a list of as many values"},
		{"split with rows of another kind", `{"dataframe_split":{"columns":["Income"],"data":[1]}}`, 400, "BAD_REQUEST", "row 0 is not a list"},
		{"no rows", `{"instances":[]}`, 400, "BAD_REQUEST", "no row"},
		{"no rows in columns", `{"inputs":{"Income":[]}}`, 400, "BAD_REQUEST", "no row"},
		{"10,001 rows", `{"instances":[` + strings.Repeat("[],", 10_000) + `[]]}`, 413, "BAD_REQUEST", "at most 10000 rows"},
		{"10,001 rows in columns", `{"inputs":{"Income":[` + strings.Repeat("1,", 10_000) + `1]}}`, 413, "BAD_REQUEST", "at most 10000 rows"},
		{"20 MB", `{"inputs":["` + strings.Repeat("x", 20_000_000) + `"]}`, 413, "BAD_REQUEST", "10000000 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := ask(t, h, "POST", "/invocations", tt.body)
			e := read[map[string]string](t, a, tt.status)
			if e["error_code"] != tt.code || !strings.Contains(e["message"], tt.says) || len(e) != 2 {
				t.Errorf("got %s\nwant %s with %q", a.body, tt.code, tt.says)
			}
		})
	}
	for _, kind := range []string{"application/vnd.apache.parquet", "", "text/plain"} {
		a := ask(t, h, "POST", "/invocations", "Income,Records\n80,no\n", "Content-Type", kind)
		if ct := a.header.Get("Content-Type"); a.status != 415 || !strings.HasPrefix(ct, "text/plain") || !strings.Contains(a.body, "only supports the following content types") {
			t.Errorf("%q: %d %s %s", kind, a.status, ct, a.body)
		}
	}
}

// A long name of an unknown column may not be repeated for each of many rows:
// 4 MB of it and 10,000 rows would be 40 GB.
func TestInvocationsStayWithinMemory(t *testing.T) {
	t.Parallel()
	h := newServer(t, serve.Options{}).Handler()
	name := strings.Repeat("n", 4_000_000)
	rows := strings.Repeat(`[80,"no",1],`, 9_999) + `[80,"no",1]`
	a := ask(t, h, "POST", "/invocations", `{"dataframe_split":{"columns":["Income","Records","`+name+`"],"data":[`+rows+`]}}`)
	if got := read[struct{ Predictions []float64 }](t, a, 200); len(got.Predictions) != 10_000 {
		t.Errorf("%d predictions", len(got.Predictions))
	}
}

func TestInvocationsNeedOneModel(t *testing.T) {
	t.Parallel()
	s := serve.New(serve.Options{})
	body := `{"instances":[[80,"fixed","yes"]]}`
	if a := ask(t, s.Handler(), "POST", "/invocations", body); a.status != 503 || !strings.Contains(a.body, "no model is loaded") {
		t.Errorf("without a model: %d %s", a.status, a.body)
	}
	s.Swap(serve.Model{Project: "credit", Bundle: lender(t, 0)})
	if a := ask(t, s.Handler(), "POST", "/invocations", body); a.status != 200 {
		t.Errorf("with one: %d %s", a.status, a.body)
	}
	s.Swap(serve.Model{Project: "loss", Bundle: losses(t)})
	if a := ask(t, s.Handler(), "POST", "/invocations", body); a.status != 400 || !strings.Contains(a.body, "/v1/score/{project}") {
		t.Errorf("with two: %d %s", a.status, a.body)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	s := serve.New(serve.Options{Now: func() time.Time { return noon }})
	check := func(path string, status int, body string) {
		t.Helper()
		a := ask(t, s.Handler(), "GET", path, "")
		if a.status != status || !strings.Contains(a.body, body) {
			t.Errorf("GET %s: %d %q, want %d %q", path, a.status, a.body, status, body)
		}
		head := ask(t, s.Handler(), http.MethodHead, path, "")
		if head.status != status {
			t.Errorf("HEAD %s: %d, want %d", path, head.status, status)
		}
	}
	check("/health/live", 200, `{"status":"live"}`)
	check("/health/ready", 503, `{"models":[],"status":"no model"}`)
	check("/ping", 404, "\n")
	check("/health", 404, "\n")
	check("/version", 200, "tandem ")
	b := lender(t, 0)
	s.Swap(serve.Model{Project: "credit", Version: "3", Bundle: b})
	check("/health/live", 200, `{"status":"live"}`)
	check("/health/ready", 200, `{"models":[{"project":"credit","model":"3","bundle":"`+b.ID()+`"}],"status":"ready"}`)
	check("/ping", 200, "\n")
	check("/health", 200, "\n")
}
