package serve_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/serve"
)

const applicant = `{"application":4711,"Income":80,"Job":"astronaut","Records":"yes","Age":44,"applied_at":"2026-03-04","customer":"c 9"}`

// The expected figures are computed by hand from lender's comment: the margin
// is -0.2 + 0.5 + 0.9 = 1.2, the score 1/(1+exp(-1.2)). Income's mean effect is
// 0.4*0.5 - 0.6*0.5 = -0.1, so its part here is 0.6. With Records and Job out
// of the game the second tree is worth 0.2*0.9 + 0.5*-0.6 + 0.3*0.3 = -0.03;
// an unseen Job goes to the right (0.3), so it alone is worth 0.42, Records
// alone 0.9, both 0.9. Shapley: Records (0.93 + 0.48)/2, Job (0.45 + 0)/2.
func TestScore(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	s := newServer(t, serve.Options{Log: log})
	a := ask(t, s.Handler(), "POST", "/v1/score/credit", `{"rows":[`+applicant+`,{"Records":"no","Income":200,"Job":"fixed"}],"request_id":"r 1"}`)
	got := read[scored](t, a, 200)
	if len(got.Results) != 2 || got.Model != "3" || got.Bundle != lender(t, 0).ID() {
		t.Fatalf("got %s", a.body)
	}
	if ct, cc := a.header.Get("Content-Type"), a.header.Get("Cache-Control"); ct != "application/json" || cc != "no-store" {
		t.Errorf("Content-Type %q, Cache-Control %q", ct, cc)
	}
	first, second := got.Results[0], got.Results[1]
	if first.Decision != "bad" || math.Abs(first.Score-0.7685247834990178) > 1e-12 {
		t.Errorf("first: %+v", first)
	}
	want := []reason{
		{"Records", "yes", 0.705, "Record of earlier loans"},
		{"Income", 80.0, 0.6, "Income: 80"},
		{"Job", "astronaut", 0.225, "Job: astronaut"},
	}
	if len(first.Reasons) != len(want) {
		t.Fatalf("reasons: %+v", first.Reasons)
	}
	for i, r := range first.Reasons {
		if d := r.Contribution - want[i].Contribution; math.Abs(d) > 1e-9 {
			t.Errorf("reason %d: contribution %v, want %v", i, r.Contribution, want[i].Contribution)
		}
		if r.Contribution = want[i].Contribution; r != want[i] {
			t.Errorf("reason %d: %+v, want %+v", i, r, want[i])
		}
	}
	// Margin -0.2 - 0.5 - 0.6 = -1.3: good, and every reason pushes down.
	if second.Decision != "good" || math.Abs(second.Score-1/(1+math.Exp(1.3))) > 1e-12 || len(second.Reasons) != 3 {
		t.Errorf("second: %+v", second)
	}
	for _, r := range second.Reasons {
		if r.Contribution >= 0 {
			t.Errorf("a reason for good pushes the other way: %+v", r)
		}
	}

	d, outcome, err := log.Get(first.ID)
	if err != nil || outcome != nil {
		t.Fatal(err, outcome)
	}
	if string(d.Inputs) != applicant || d.Key != "4711" || d.RequestID != "r 1" || d.Project != "credit" || d.Model != "3" ||
		d.Bundle != got.Bundle || d.Decision != "bad" || len(d.Reasons) != 3 || !d.Time.Equal(noon) {
		t.Errorf("logged: %+v", d)
	}
	if first.ID >= second.ID {
		t.Errorf("ids are not in the order of the rows: %s, %s", first.ID, second.ID)
	}
}

// A caller who asks for no reasons gets none, and none are logged; everything
// else is, and the replay has them.
func TestScoreWithoutReasons(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	h := newServer(t, serve.Options{Log: log}).Handler()
	want := score(t, h, applicant)
	for _, body := range []string{
		`{"rows":[` + applicant + `],"request_id":"r 1","reasons":false}`,
		`{"reasons" : false, "request_id":"\u0072 1", "rows":[` + applicant + `]}`, // the strict reader's
	} {
		a := ask(t, h, "POST", "/v1/score/credit", body)
		got := read[scored](t, a, 200)
		if strings.Contains(a.body, "reasons") || len(got.Results) != 1 || got.Results[0].Score != want.Results[0].Score || got.Results[0].Decision != "bad" {
			t.Errorf("%s: got %s", body, a.body)
		}
		d, _, err := log.Get(got.Results[0].ID)
		if err != nil || len(d.Reasons) != 0 || string(d.Inputs) != applicant || d.Key != "4711" || d.RequestID != "r 1" || d.Score != want.Results[0].Score {
			t.Errorf("logged: %+v, %v", d, err)
		}
		a = ask(t, h, "GET", "/v1/decisions/"+d.ID+"?replay=true", "")
		replay := read[struct {
			Replay  struct{ Equal bool }
			Reasons []reason
		}](t, a, 200)
		if !replay.Replay.Equal || fmt.Sprint(replay.Reasons) != fmt.Sprint(want.Results[0].Reasons) {
			t.Errorf("replay: %s, want %v", a.body, want.Results[0].Reasons)
		}
	}
	if a := ask(t, h, "POST", "/v1/score/credit", `{"rows":[`+applicant+`],"reasons":true}`); fmt.Sprint(read[scored](t, a, 200).Results[0].Reasons) != fmt.Sprint(want.Results[0].Reasons) {
		t.Errorf("reasons: true gives %s", a.body)
	}
}

// Usual requests are read in one pass, and read likewise as by the strict
// reader.
func TestQuickReader(t *testing.T) {
	t.Parallel()
	b := lender(t, 0)
	for _, tt := range []struct {
		body string
		most int
		want bool
	}{
		{`{"rows":[` + applicant + `]}`, 10, true},
		{`{"rows":[` + strings.Join(rowsOf(7), " ,\n") + `],"request_id":"web-17","reasons":true}`, 7, true},
		{" {\t\"reasons\" : false , \"rows\" : [ " + applicant + " ] } \n", 10, true},
		{`{"rows":[` + strings.Join(rowsOf(7), ",") + `]}`, 6, false},
		{`{"rows":[` + applicant + `],"request_id":"\u00e4"}`, 10, false},
		{`{"rows":[` + applicant + `],"request_id":"` + strings.Repeat("a", 129) + `"}`, 10, false},
		{`{"rows":[{"Income":1,"Records":"no","notes":{}}]}`, 10, false},
		{`{"rows":[` + applicant + `]} x`, 10, false},
		{`{"rows":[` + applicant + `],}`, 10, false},
		{`{"rows":[` + applicant + `,]}`, 10, false},
		{`{"rows":[` + applicant + `]`, 10, false},
		{`{"rows":[` + applicant + `],"reasons":falsey}`, 10, false},
		{`{"rows":[` + applicant + `],"rows":[` + applicant + `]}`, 10, false},
		{`{"request_id":"r"}`, 10, false},
		{`{"rows":`, 10, false}, {`{"rows"`, 10, false}, {`{"request_id":"r`, 10, false}, {`{"reasons":`, 10, false}, {`{`, 10, false}, {``, 10, false}, {`{"rows":[`, 10, false},
	} {
		if quick, difference := serve.CompareReaders(b, []byte(tt.body), tt.most); quick != tt.want || difference != "" {
			t.Errorf("%s: quick %v, want %v; %s", tt.body, quick, tt.want, difference)
		}
	}
}

// What a usual request allocates on the way from the routes to the log and
// back is bounded: when this was written 26 pieces, half of them the log's and
// the deadline's.
func TestScoreAllocatesLittle(t *testing.T) {
	h := newServer(t, serve.Options{}).Handler()
	const body = `{"rows":[{"Income":80,"Job":"fixed","Records":"yes"}],"reasons":false}`
	r := httptest.NewRequest("POST", "/v1/score/credit", nil)
	r.Header.Set("Content-Type", "application/json")
	r.ContentLength = int64(len(body))
	w := &discarded{header: make(http.Header)}
	n := testing.AllocsPerRun(200, func() {
		r.Body = io.NopCloser(strings.NewReader(body))
		clear(w.header)
		h.ServeHTTP(w, r)
	})
	if w.status != 200 || n > 40 {
		t.Errorf("status %d, %v allocations", w.status, n)
	}
}

// discarded is an answer that nobody reads.
type discarded struct {
	header http.Header
	status int
}

func (w *discarded) Header() http.Header         { return w.header }
func (w *discarded) Write(b []byte) (int, error) { return len(b), nil }
func (w *discarded) WriteHeader(status int)      { w.status = status }

// The figure that is answered, logged and computed by the bundle is one.
func TestScoresAreTheBundlesBits(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	s := newServer(t, serve.Options{Log: log})
	b := lender(t, 0)
	rows := rowsOf(200)
	all := score(t, s.Handler(), rows...)
	records := read[struct{ Predictions []float64 }](t,
		ask(t, s.Handler(), "POST", "/invocations", `{"dataframe_records":[`+strings.Join(rows, ",")+`]}`), 200)
	for i, raw := range rows {
		row := make([]float64, b.Layout().Cols())
		if _, err := b.Layout().DecodeJSON(row, []byte(raw), true); err != nil {
			t.Fatal(err)
		}
		margin, want := b.Score(row)
		d, _, err := log.Get(all.Results[i].ID)
		if err != nil {
			t.Fatal(err)
		}
		one := score(t, s.Handler(), raw)
		for _, got := range []float64{all.Results[i].Score, records.Predictions[i], d.Score, one.Results[0].Score} {
			if math.Float64bits(got) != math.Float64bits(want) {
				t.Fatalf("row %d: %v, want %v", i, got, want)
			}
		}
		if math.Float64bits(d.Margin) != math.Float64bits(margin) {
			t.Errorf("row %d: margin %v, want %v", i, d.Margin, margin)
		}
	}
}

func TestScoreRefusals(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	h := newServer(t, serve.Options{Log: log}).Handler()
	row := `{"Income":80,"Records":"no"}`
	long := strings.Repeat("a", 129)
	for _, tt := range []struct {
		name, body string
		status     int
		code       string
		says       string // part of the message, or of a field's rule
	}{
		{"empty body", ` `, 400, "json", "not valid JSON"},
		{"malformed", `{"rows":[`, 400, "json", "not valid JSON"},
		{"two values", `{"rows":[` + row + `]} {}`, 400, "json", "not valid JSON"},
		{"not UTF-8", "{\"rows\":[{\"Income\":80,\"Records\":\"\xff\"}]}", 400, "json", "UTF-8"},
		{"NaN", `{"rows":[{"Income":NaN,"Records":"no"}]}`, 400, "json", "not valid JSON"},
		{"a list", `[` + row + `]`, 400, "json", "it is not a JSON object"},
		{"a number", `7`, 400, "json", "it is not a JSON object"},
		{"null", `null`, 400, "json", "it is not a JSON object"},
		{"no rows", `{}`, 400, "no_rows", "at least one row"},
		{"empty rows", `{"rows":[]}`, 400, "no_rows", "at least one row"},
		{"null rows", `{"rows":null}`, 400, "no_rows", "at least one row"},
		{"rows of another kind", `{"rows":{"Income":80}}`, 400, "json", `"rows" is not a list`},
		{"unknown key", `{"rows":[` + row + `],"model":"2"}`, 400, "json", `field "model" is not known here`},
		{"other case", `{"Rows":[` + row + `]}`, 400, "json", `field "Rows" is not known here`},
		{"repeated key", `{"rows":[` + row + `],"rows":[]}`, 400, "json", `field "rows" occurs twice`},
		{"escaped repetition", `{"rows":[` + row + `],"row\u0073":[]}`, 400, "json", `field "rows" occurs twice`},
		{"long request id", `{"rows":[` + row + `],"request_id":"` + long + `"}`, 400, "request_id", "128 printable"},
		{"request id with a line", `{"rows":[` + row + `],"request_id":"a\nb"}`, 400, "request_id", "128 printable"},
		{"request id of another kind", `{"rows":[` + row + `],"request_id":7}`, 400, "request_id", "must be a string"},
		{"reasons of another kind", `{"rows":[` + row + `],"reasons":"no"}`, 400, "reasons", "must be true or false"},
		{"repeated reasons", `{"rows":[` + row + `],"reasons":false,"reasons":false}`, 400, "json", `field "reasons" occurs twice`},
		{"row of another kind", `{"rows":[7]}`, 400, "contract", "row 0 is not a JSON object"},
		{"null row", `{"rows":[` + row + `,null]}`, 400, "contract", "row 1 is not a JSON object"},
		{"unknown field", `{"rows":[{"Income":80,"Records":"no","Incme":1}]}`, 400, "contract", `row 0: field "Incme" is not a field of this model`},
		{"repeated field", `{"rows":[{"Income":80,"Records":"no","Income":1}]}`, 400, "contract", `field "Income" occurs twice`},
		{"text for a number", `{"rows":[{"Income":"80","Records":"no"}]}`, 400, "contract", `field "Income" must be a number`},
		{"number for a text", `{"rows":[{"Income":80,"Records":1}]}`, 400, "contract", `field "Records" must be a string`},
		{"missing required", `{"rows":[` + row + `,{"Records":"no"}]}`, 400, "contract", `row 1: field "Income" is required`},
		{"null required", `{"rows":[{"Income":null,"Records":"no"}]}`, 400, "contract", `field "Income" is required`},
		{"out of bounds", `{"rows":[{"Income":-1,"Records":"no"}]}`, 400, "contract", `field "Income" must be`},
		{"too large a number", `{"rows":[{"Income":1e999,"Records":"no"}]}`, 400, "contract", `field "Income" is too large a number`},
		{"protected of another kind", `{"rows":[{"Income":80,"Records":"no","Age":"old"}]}`, 400, "contract", `field "Age" must be a number`},
		{"deep value", `{"rows":[{"Income":80,"Records":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}]}`, 400, "contract", `field "Records" must be a string`},
		{"too deep", `{"rows":` + strings.Repeat("[", 80) + strings.Repeat("]", 80) + `}`, 400, "json", "nested too deeply"},
		{"much too deep", strings.Repeat(`{"rows":[`, 500_000), 400, "json", "JSON"},
		{"10,001 rows", `{"rows":[` + strings.Repeat("{},", 10_000) + `{}]}`, 413, "too_many_rows", "at most 10000 rows"},
		{"20 MB", `{"rows":["` + strings.Repeat("x", 20_000_000) + `"]}`, 413, "too_large", "10000000 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := ask(t, h, "POST", "/v1/score/credit", tt.body)
			e := read[failure](t, a, tt.status).Error
			if e.Code != tt.code || !strings.Contains(e.Message, tt.says) || len(e.ID) != 16 {
				t.Errorf("got %s\nwant code %q and a message with %q", a.body, tt.code, tt.says)
			}
			if (e.Code == "contract") != (len(e.Fields) > 0) {
				t.Errorf("fields: %s", a.body)
			}
		})
	}
	if n := log.Counts("credit").Decisions; n != 0 {
		t.Errorf("%d decisions were logged by refused requests", n)
	}
	if e := read[failure](t, ask(t, h, "POST", "/v1/score/nobody", `{"rows":[{}]}`), 404).Error; e.Code != "unknown_project" {
		t.Errorf("unknown project: %+v", e)
	}
}

// What is wrong with all rows comes together, ten at most, and no name that a
// caller made up is given back at length.
func TestScoreReportsFields(t *testing.T) {
	t.Parallel()
	h := newServer(t, serve.Options{}).Handler()
	a := ask(t, h, "POST", "/v1/score/credit", `{"rows":[{"Records":"no"},{"Income":1,"Records":"no"},{"Income":"x","Records":7}]}`)
	e := read[failure](t, a, 400).Error
	got := fmt.Sprint(e.Fields)
	if want := "[{0 Income is required} {2 Income must be a number} {2 Records must be a string}]"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	e = read[failure](t, ask(t, h, "POST", "/v1/score/credit", `{"rows":[`+strings.Repeat(`{},`, 50)+`{}]}`), 400).Error
	if len(e.Fields) != 10 {
		t.Errorf("%d fields, want 10", len(e.Fields))
	}
	a = ask(t, h, "POST", "/v1/score/credit", `{"rows":[{"`+strings.Repeat("n", 100_000)+`":1}],"`+strings.Repeat("m", 100_000)+`":1}`)
	if len(a.body) > 1000 {
		t.Errorf("an answer of %d bytes repeats the request", len(a.body))
	}
	a = ask(t, h, "POST", "/v1/score/credit", `{"rows":[{"`+strings.Repeat("n", 100_000)+`":1}]}`)
	if len(a.body) > 1000 {
		t.Errorf("an answer of %d bytes repeats the request", len(a.body))
	}
}

func TestScoreAcceptsAllOptionalParts(t *testing.T) {
	t.Parallel()
	h := newServer(t, serve.Options{}).Handler()
	for _, body := range []string{
		`{"rows":[{"Income":80,"Records":"no"}],"request_id":null}`,
		"\t{ \"rows\" : [ { \"Income\" : 8e1 , \"Records\" : \"no\" } ] , \"request_id\" : \"\u00fc \\u00e9\\\"]}\" }\r\n",
		`{"rows":[{"Income":0,"Records":"no","Job":null,"Age":null,"Status":"bad","notes":{"a":[1]}}]}`,
		`{"rows":[{"Income":1000,"Records":"never seen"}]}`,
		`{"rows":[` + strings.Repeat(`{"Income":80,"Records":"no"},`, 9_999) + `{"Income":80,"Records":"no"}]}`,
	} {
		if a := ask(t, h, "POST", "/v1/score/credit", body, "Content-Type", "Application/JSON; charset=utf-8"); a.status != 200 {
			t.Errorf("%.80q: %d %.300s", body, a.status, a.body)
		}
	}
}

// Protected columns and ids change neither the score nor the reasons.
func TestUnscoredColumnsDoNotCount(t *testing.T) {
	t.Parallel()
	h := newServer(t, serve.Options{}).Handler()
	got := score(t, h, applicant, `{"Income":80,"Job":"astronaut","Records":"yes"}`)
	if got.Results[0].Score != got.Results[1].Score || fmt.Sprint(got.Results[0].Reasons) != fmt.Sprint(got.Results[1].Reasons) {
		t.Errorf("got %+v", got.Results)
	}
}

func TestRegression(t *testing.T) {
	t.Parallel()
	s := serve.New(serve.Options{Log: openLog(t)})
	b := losses(t)
	s.Swap(serve.Model{Project: "loss", Version: "1", Bundle: b})
	a := ask(t, s.Handler(), "POST", "/v1/score/loss", `{"rows":[{"x":-1,"y":-1,"z":0},{"x":1,"y":-1},{"x":-1,"y":1}]}`)
	got := read[scored](t, a, 200)
	// x moves by 3 and y by 10 from a mean of 0, either way.
	for i, want := range []struct{ score, y, x float64 }{{-7, -10, 3}, {-13, -10, -3}, {13, 10, 3}} {
		r := got.Results[i]
		if r.Score != want.score || r.Decision != "" || len(r.Reasons) != 2 ||
			r.Reasons[0].Column != "y" || r.Reasons[0].Contribution != want.y || r.Reasons[1].Column != "x" || r.Reasons[1].Contribution != want.x {
			t.Errorf("row %d: %+v, want %+v", i, r, want)
		}
	}
	if strings.Contains(a.body, `"decision"`) {
		t.Errorf("a regression decides: %s", a.body)
	}

	// A value that the model's own arithmetic cannot hold is refused by every
	// door, before the log.
	a = ask(t, s.Handler(), "POST", "/v1/score/loss", `{"rows":[{"x":1},{"z":1e200}]}`)
	if e := read[failure](t, a, 422).Error; e.Code != "not_finite" || len(e.Fields) != 1 || e.Fields[0].Row != 1 {
		t.Errorf("got %s", a.body)
	}
	if a = ask(t, s.Handler(), "POST", "/invocations", `{"inputs":[{"z":1e200}]}`); a.status != 422 || !strings.Contains(a.body, "INVALID_PARAMETER_VALUE") {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

// Nothing is answered that is not in the log.
func TestLogFailure(t *testing.T) {
	t.Parallel()
	var said lines
	s := newServer(t, serve.Options{Log: brokenLog{openLog(t)}, Logger: slog.New(slog.NewTextHandler(&said, nil))})
	a := ask(t, s.Handler(), "POST", "/v1/score/credit", `{"rows":[`+applicant+`]}`)
	e := read[failure](t, a, 503).Error
	if e.Code != "log" || strings.Contains(a.body, "score\":") || a.header.Get("Retry-After") == "" || strings.Contains(a.body, "space left") {
		t.Errorf("got %s", a.body)
	}
	if !strings.Contains(said.String(), e.ID) || !strings.Contains(said.String(), "no space left on device") {
		t.Errorf("the log does not have the cause under the id %s: %s", e.ID, &said)
	}
	if a := ask(t, s.Handler(), "POST", "/invocations", `{"instances":[`+applicant+`]}`); a.status != 503 || !strings.Contains(a.body, "TEMPORARILY_UNAVAILABLE") {
		t.Errorf("invocations: %d %s", a.status, a.body)
	}
	if m := ask(t, s.Handler(), "GET", "/metrics", "").body; !strings.Contains(m, "tandem_log_errors_total 2\n") || strings.Contains(m, "tandem_rows_total{") {
		t.Errorf("metrics:\n%s", m)
	}
}

// hangingLog never comes back before the request's context ends.
type hangingLog struct{ serve.Log }

func (hangingLog) Append(ctx context.Context, _ ...decisions.Decision) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestRequestDeadline(t *testing.T) {
	t.Parallel()
	s := newServer(t, serve.Options{Log: hangingLog{openLog(t)}, Limits: serve.Limits{Work: 500 * time.Millisecond}})
	if e := read[failure](t, ask(t, s.Handler(), "POST", "/v1/score/credit", `{"rows":[`+applicant+`]}`), http.StatusGatewayTimeout).Error; e.Code != "timeout" {
		t.Errorf("got %+v", e)
	}
}

// Without a log a server scores and forgets, and says so.
func TestNoLog(t *testing.T) {
	t.Parallel()
	s := serve.New(serve.Options{})
	s.Swap(serve.Model{Project: "credit", Bundle: lender(t, 0)})
	got := score(t, s.Handler(), applicant, applicant)
	if a, b := got.Results[0].ID, got.Results[1].ID; len(a) != 32 || a == b {
		t.Errorf("ids %q, %q", a, b)
	}
	for _, a := range []answer{
		ask(t, s.Handler(), "GET", "/v1/decisions/"+got.Results[0].ID, ""),
		ask(t, s.Handler(), "POST", "/v1/outcomes/credit", `{"outcomes":[{"decision":"`+got.Results[0].ID+`","value":"bad"}]}`),
		ask(t, s.Handler(), "POST", "/v1/outcomes/credit", `{"outcomes":[{"id":"4711","value":"bad"}]}`),
	} {
		if e := read[failure](t, a, 404).Error; e.Code != "no_log" {
			t.Errorf("got %s", a.body)
		}
	}
}

// The hook sees what was logged, with the encoded rows, before the answer.
func TestDecidedHook(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	var ids []string
	s := newServer(t, serve.Options{Log: log, Decided: func(m serve.Model, ds []decisions.Decision, rows bundle.Rows) {
		for i, d := range ds {
			if _, _, err := log.Get(d.ID); err != nil {
				t.Errorf("%s is not in the log yet: %v", d.ID, err)
			}
			if _, want := m.Bundle.Score(rows.Row(i)); want != d.Score {
				t.Errorf("row %d: score %v, want %v", i, d.Score, want)
			}
			ids = append(ids, d.ID)
		}
	}})
	got := score(t, s.Handler(), rowsOf(3)...)
	if len(ids) != 3 || ids[2] != got.Results[2].ID {
		t.Errorf("hook saw %v", ids)
	}
}

// No value of a request comes back in an error, shows in the metrics, or
// stands in the program's log.
func TestInputsStayInTheDecisionLog(t *testing.T) {
	t.Parallel()
	var said lines
	s := newServer(t, serve.Options{
		Log:     brokenLog{openLog(t)},
		Pages:   http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("s3cret") }),
		Logger:  slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Decided: nil,
	})
	h := s.Handler()
	var bodies []string
	for _, body := range []string{
		`{"rows":[{"Income":80,"Records":"s3cret"}]}`, `{"rows":[{"Income":"s3cret","Records":"no"}]}`, `{"rows":["s3cret"]}`,
		`{"rows":[{"Income":80,"Records":"no","applied_at":"s3cret"}]}`, `{"rows":"s3cret"}`, `"s3cret"`, `{"rows":[],"request_id":"s3cret"}`, `s3cret`,
		`{"outcomes":[{"decision":"s3cret","value":"bad"}]}`, `{"outcomes":[{"id":"s3cret","value":"s3cret"}]}`, `{"outcomes":[{"id":"s3cret","value":"bad","at":"s3cret"}]}`,
		`{"instances":[["s3cret"]]}`, `{"inputs":{"Income":"s3cret"}}`, `{"dataframe_split":{"columns":"s3cret","data":"s3cret"}}`, `{"inputs":[{"Income":"s3cret"}]}`,
	} {
		for _, path := range []string{"/v1/score/credit", "/v1/outcomes/credit", "/invocations", "/v1/score/s3cret"} {
			bodies = append(bodies, ask(t, h, "POST", path, body).body)
		}
	}
	for _, path := range []string{"/v1/decisions/s3cret", "/v1/s3cret", "/s3cret?s3cret", "/metrics"} {
		bodies = append(bodies, ask(t, h, "GET", path, "").body)
	}
	for _, b := range append(bodies, said.String()) {
		if strings.Contains(b, "s3cret") {
			t.Errorf("shown: %s", b)
		}
		if !json.Valid([]byte(b)) && strings.HasPrefix(b, "{") {
			t.Errorf("not JSON: %s", b)
		}
	}
	if !strings.Contains(said.String(), "request failed") {
		t.Errorf("the panic is not in the log: %s", &said)
	}
}
