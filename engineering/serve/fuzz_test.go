package serve_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tandem-ml/tandem/engineering/serve"
)

// FuzzScoreRequest sends any body to every route that takes one. None may end
// in a failure of the server's, every answer is JSON, a scored row has the
// score that the bundle gives to what package encoding/json reads, and what the
// quick reader takes the strict one reads likewise.
func FuzzScoreRequest(f *testing.F) {
	for _, body := range []string{
		`{"rows":[` + applicant + `],"request_id":"r"}`,
		`{"reasons":false,"rows":[` + applicant + ` , {"Records":"no","Income":-0.5e1}],"request_id":"r"}`, `{"rows":[{"Income":1,"Records":"no","notes":[1]}],"reasons":true}`,
		`{"rows":[{"Income":8e1,"Records":"n\u006f"},{"Income":1000,"Job":null,"Records":"\ud83d\ude00"}]}`,
		` { "rows" : [ { "Income" : 0.5 , "Records" : "a\\\"]},b" } ] } `,
		`{"rows":[` + applicant + `],"ROWS":1}`, `{"rows":[` + applicant + `],"row\u017f":[]}`, `{"rows":[` + applicant + `]}{}`, "\ufeff" + `{"rows":[` + applicant + `]}`,
		`{"rows":[{"Income":1,"Records":"\ud800"}],"x":"\ud800"}`, `{"rows":[{"Income":1,"income":2,"Records":"no"}]}`, `{"ro\u0077s":[` + applicant + `]}`,
		`{"rows":[],"rows":[]}`, `{"rows":[{}]}`, `{"Rows":[{}]}`, `[]`, `{}`, `"`, `{"rows":[[[[[[`, "\xff", `{"":{"":[]}}`, `{"rows":[-0,1e9,true,null]}`,
		`{"outcomes":[{"id":4711,"value":"bad"}]}`, `{"outcomes":[{"decision":"x","value":true,"at":"2026-01-01T00:00:00Z"}]}`,
		`{"dataframe_split":{"columns":["Income","Records","x"],"data":[[1,"no",{}]]}}`,
		`{"dataframe_records":[{"Income":1,"Records":"no"}]}`, `{"instances":[[1,null,"no"]]}`, `{"inputs":{"Income":[1],"Records":["no"]},"params":{}}`,
		`{"inputs":[{"name":"Income","shape":[2,1],"datatype":"FP64","data":[[1],[2.5]]},{"name":"Records","shape":[2],"datatype":"BYTES","data":["no",null]}],"outputs":[{"name":"score"}]}`,
	} {
		f.Add([]byte(body))
	}
	b := lender(f, 0)
	s := serve.New(serve.Options{Now: func() time.Time { return noon }})
	s.Swap(serve.Model{Project: "credit", Version: "3", Bundle: b})
	h := s.Handler()
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, path := range []string{"/v1/outcomes/credit", "/invocations", "/v1/models/credit:predict", "/v2/models/credit/infer"} {
			if a := ask(t, h, "POST", path, string(body), "Content-Type", "application/json"); a.status >= 500 || !json.Valid([]byte(a.body)) {
				t.Fatalf("%s: %d %s", path, a.status, a.body)
			}
		}
		if _, difference := serve.CompareReaders(b, body, 10_000); difference != "" {
			t.Fatalf("the quick reader takes %q: %s", body, difference)
		}
		a := ask(t, h, "POST", "/v1/score/credit", string(body), "Content-Type", "application/json")
		if a.status != 200 {
			e := read[failure](t, a, a.status).Error
			if a.status != 400 && a.status != 413 || e.Code == "" || e.Message == "" || !utf8.ValidString(a.body) {
				t.Fatalf("%d %s", a.status, a.body)
			}
			if e.Code == "json" && strings.Contains(e.Message, "not valid JSON") && json.Valid(body) && utf8.Valid(body) {
				t.Fatalf("valid JSON is called invalid: %s", body)
			}
			return
		}
		var want struct{ Rows []json.RawMessage }
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("answered although %v", err)
		}
		got := read[scored](t, a, 200)
		if len(got.Results) != len(want.Rows) || len(want.Rows) == 0 {
			t.Fatalf("%d answers to %d rows", len(got.Results), len(want.Rows))
		}
		for i, raw := range want.Rows {
			row := make([]float64, b.Layout().Cols())
			if _, err := b.Layout().DecodeJSON(row, bytes.TrimSpace(raw), true); err != nil {
				t.Fatalf("row %d was answered although %v", i, err)
			}
			if _, score := b.Score(row); math.Float64bits(score) != math.Float64bits(got.Results[i].Score) {
				t.Fatalf("row %d: %v, want %v", i, got.Results[i].Score, score)
			}
		}
	})
}
