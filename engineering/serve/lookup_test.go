package serve_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/serve"
)

type logged struct {
	ID, Project, Bundle, Model, Key, Decision string
	Time                                      time.Time
	Inputs                                    map[string]any
	Margin, Score                             float64
	Reasons                                   []reason
	Outcome                                   *struct {
		Value string
		At    time.Time
	}
	Replay *struct {
		Margin, Score float64
		Equal         bool
	}
}

func TestDecisionAndReplay(t *testing.T) {
	t.Parallel()
	first, second := lender(t, 0), lender(t, 1)
	s := newServer(t, serve.Options{Bundle: func(id string) (*bundle.Bundle, error) {
		if id == first.ID() {
			return first, nil
		}
		return nil, errors.New("no such bundle")
	}})
	got := score(t, s.Handler(), applicant, `{"Income":200,"Records":"never seen"}`)
	for round, m := range []*bundle.Bundle{first, second} { // also after another model came
		s.Swap(serve.Model{Project: "credit", Version: fmt.Sprint(round), Bundle: m})
		for i, r := range got.Results {
			a := ask(t, s.Handler(), "GET", "/v1/decisions/"+r.ID+"?replay=true", "")
			d := read[logged](t, a, 200)
			if d.ID != r.ID || d.Project != "credit" || d.Model != "3" || d.Bundle != first.ID() || d.Decision != r.Decision || d.Score != r.Score || !d.Time.Equal(noon) {
				t.Errorf("got %s", a.body)
			}
			if d.Replay == nil || !d.Replay.Equal || math.Float64bits(d.Replay.Score) != math.Float64bits(r.Score) || d.Replay.Margin != d.Margin {
				t.Errorf("round %d: row %d replays as %s", round, i, a.body)
			}
			if a.header.Get("Cache-Control") != "no-store" {
				t.Error("a decision may be kept by caches")
			}
		}
	}
	d := read[logged](t, ask(t, s.Handler(), "GET", "/v1/decisions/"+got.Results[0].ID, ""), 200)
	if d.Replay != nil || d.Outcome != nil || d.Inputs["Age"] != 44.0 || d.Key != "4711" || len(d.Reasons) != 3 {
		t.Errorf("got %+v", d)
	}
}

// A replay does not agree by being asked: it notices a bundle that scores
// otherwise, and a bundle that is not there.
func TestReplayTells(t *testing.T) {
	t.Parallel()
	other := lender(t, 1)
	bundles := map[string]*bundle.Bundle{}
	s := newServer(t, serve.Options{Bundle: func(id string) (*bundle.Bundle, error) {
		if b := bundles[id]; b != nil {
			return b, nil
		}
		return nil, errors.New("no such bundle")
	}})
	got := score(t, s.Handler(), applicant)
	s.Swap(serve.Model{Project: "credit", Version: "4", Bundle: other})
	path := "/v1/decisions/" + got.Results[0].ID + "?replay=true"
	if e := read[failure](t, ask(t, s.Handler(), "GET", path, ""), 409).Error; e.Code != "no_bundle" {
		t.Errorf("got %+v", e)
	}
	bundles[got.Bundle] = other // a store that mixes bundles up
	if d := read[logged](t, ask(t, s.Handler(), "GET", path, ""), 200); d.Replay.Equal || d.Replay.Score == d.Score {
		t.Errorf("replay %+v of %v", d.Replay, d.Score)
	}
	if e := read[failure](t, ask(t, s.Handler(), "GET", path+"x", ""), 400).Error; e.Code != "replay" {
		t.Errorf("got %+v", e)
	}
}

func TestDecisionNotThere(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	h := newServer(t, serve.Options{Log: log}).Handler()
	id := score(t, h, applicant).Results[0].ID
	if err := log.Erase(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		id     string
		status int
		code   string
	}{
		{id, 410, "erased"},
		{"0192f0c1-7a3e-7c55-8f6b-2d9a4e1b7c30", 404, "unknown_decision"},
		{"nonsense", 404, "unknown_decision"},
		{strings.ToUpper(id), 404, "unknown_decision"},
		{"%2e%2e%2fhead", 404, "unknown_decision"},
	} {
		for _, query := range []string{"", "?replay=true"} {
			if e := read[failure](t, ask(t, h, "GET", "/v1/decisions/"+tt.id+query, ""), tt.status).Error; e.Code != tt.code {
				t.Errorf("%s: %+v", tt.id, e)
			}
		}
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	var learned []string
	s := newServer(t, serve.Options{Learned: func(project string, outcomes []decisions.Outcome) {
		for _, o := range outcomes {
			learned = append(learned, project+" "+o.Value)
		}
	}})
	h := s.Handler()
	old := score(t, h, applicant).Results[0].ID
	ids := []string{old, score(t, h, applicant).Results[0].ID, score(t, h, `{"application":"B 7","Income":1,"Records":"no"}`).Results[0].ID}
	type taken struct{ Accepted, Unchanged int }
	send := func(outcomes string) taken {
		t.Helper()
		return read[taken](t, ask(t, h, "POST", "/v1/outcomes/credit", `{"outcomes":[`+outcomes+`]}`), 200)
	}
	outcome := func(id string) string {
		t.Helper()
		d := read[logged](t, ask(t, h, "GET", "/v1/decisions/"+id, ""), 200)
		if d.Outcome == nil {
			return ""
		}
		return d.Outcome.Value + " " + d.Outcome.At.Format(time.RFC3339)
	}
	first := `{"decision":"` + ids[0] + `","value":"bad","at":"2026-06-01T02:00:00+02:00"},{"id":"B 7","value":"good"}`
	if got := send(first); got != (taken{2, 0}) {
		t.Errorf("first: %+v", got)
	}
	if got := send(first); got != (taken{0, 2}) {
		t.Errorf("again: %+v", got)
	}
	if got := send(`{"decision":"` + ids[0] + `","value":"good"},{"id":"B 7","value":"good"}`); got != (taken{1, 1}) {
		t.Errorf("corrected: %+v", got)
	}
	// By the project's id, as a number too, the newest decision is meant.
	if got := send(`{"id":4711,"value":"bad","at":null}`); got != (taken{1, 0}) {
		t.Errorf("by id: %+v", got)
	}
	at := noon.Format(time.RFC3339)
	for i, want := range []string{"good " + at, "bad " + at, "good " + at} {
		if got := outcome(ids[i]); got != want {
			t.Errorf("decision %d: %q, want %q", i, got, want)
		}
	}
	if len(learned) != 7 || learned[0] != "credit bad" {
		t.Errorf("learned %v", learned)
	}
}

func TestOutcomeRefusals(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	s := newServer(t, serve.Options{Log: log})
	s.Swap(serve.Model{Project: "other", Bundle: lender(t, 0)})
	h := s.Handler()
	ids := score(t, h, applicant, applicant, applicant).Results
	good, erased := `{"decision":"`+ids[0].ID+`","value":"bad"}`, ids[1].ID
	if err := log.Erase(context.Background(), erased); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, body string
		status     int
		code, says string
	}{
		{"malformed", `{`, 400, "json", "not valid JSON"},
		{"none", `{"outcomes":[]}`, 400, "no_outcomes", "at least one"},
		{"not given", `{}`, 400, "no_outcomes", "at least one"},
		{"another kind", `{"outcomes":{}}`, 400, "json", "not a list"},
		{"another key", `{"outcomes":[` + good + `],"rows":[]}`, 400, "json", `field "rows" is not known here`},
		{"10,001", `{"outcomes":[` + strings.Repeat("{},", 10_000) + `{}]}`, 413, "too_many_rows", "at most 10000 outcomes"},
		{"not an object", `{"outcomes":[` + good + `,7]}`, 400, "outcomes", "row 1 is not a JSON object"},
		{"another field", `{"outcomes":[{"decision":"` + ids[0].ID + `","valeu":"bad"}]}`, 400, "outcomes", `row 0: field "valeu" is not known here`},
		{"no value", `{"outcomes":[{"decision":"` + ids[0].ID + `"}]}`, 400, "outcomes", `field "value" is required`},
		{"another value", `{"outcomes":[{"decision":"` + ids[0].ID + `","value":"Bad"}]}`, 400, "outcomes", `field "value" must be one of the target's values`},
		{"value of another kind", `{"outcomes":[{"decision":"` + ids[0].ID + `","value":["bad"]}]}`, 400, "outcomes", `field "value" must be a string`},
		{"no decision", `{"outcomes":[{"value":"bad"}]}`, 400, "outcomes", `field "decision" is required`},
		{"both", `{"outcomes":[{"decision":"` + ids[0].ID + `","id":"4711","value":"bad"}]}`, 400, "outcomes", `cannot be given beside id`},
		{"decision of another kind", `{"outcomes":[{"decision":7,"value":"bad"}]}`, 400, "outcomes", `field "decision" must be a string`},
		{"id of another kind", `{"outcomes":[{"id":true,"value":"bad"}]}`, 400, "outcomes", `field "id" must be a string or a number`},
		{"no time", `{"outcomes":[{"decision":"` + ids[0].ID + `","value":"bad","at":"yesterday"}]}`, 400, "outcomes", `field "at" must be a time`},
		{"unknown decision", `{"outcomes":[` + good + `,{"decision":"0192f0c1-7a3e-7c55-8f6b-2d9a4e1b7c30","value":"bad"}]}`, 404, "unknown_decision", `row 1: field "decision" is not a decision of this project`},
		{"no id at all", `{"outcomes":[{"decision":"nonsense","value":"bad"}]}`, 404, "unknown_decision", `field "decision" is not a decision`},
		{"unknown key", `{"outcomes":[` + good + `,{"id":"4712","value":"bad"}]}`, 404, "unknown_decision", `row 1: field "id" has no decision in this project`},
		{"empty key", `{"outcomes":[{"id":"","value":"bad"}]}`, 404, "unknown_decision", `has no decision`},
		{"erased", `{"outcomes":[{"decision":"` + erased + `","value":"bad"}]}`, 404, "unknown_decision", `field "decision" was erased`},
		{"unknown and wrong", `{"outcomes":[{"id":"4712","value":"bad"},{"id":"4711","value":1}]}`, 400, "outcomes", "no outcome was taken"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := ask(t, h, "POST", "/v1/outcomes/credit", tt.body)
			if e := read[failure](t, a, tt.status).Error; e.Code != tt.code || !strings.Contains(e.Message, tt.says) {
				t.Errorf("got %s\nwant %s with %q", a.body, tt.code, tt.says)
			}
		})
	}
	if e := read[failure](t, ask(t, h, "POST", "/v1/outcomes/other", `{"outcomes":[`+good+`]}`), 404).Error; e.Code != "unknown_decision" {
		t.Errorf("a decision of another project: %+v", e)
	}
	if e := read[failure](t, ask(t, h, "POST", "/v1/outcomes/nobody", `{"outcomes":[`+good+`]}`), 404).Error; e.Code != "unknown_project" {
		t.Errorf("an unknown project: %+v", e)
	}
	if n := log.Counts("credit").Outcomes; n != 0 {
		t.Errorf("%d outcomes were taken by refused requests", n)
	}
	broken := newServer(t, serve.Options{Log: brokenLog{log}}).Handler()
	if e := read[failure](t, ask(t, broken, "POST", "/v1/outcomes/credit", `{"outcomes":[`+good+`]}`), 503).Error; e.Code != "log" {
		t.Errorf("a full disk: %+v", e)
	}
}

// A regression's outcomes are numbers, written as they are read.
func TestRegressionOutcomes(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	s := serve.New(serve.Options{Log: log})
	s.Swap(serve.Model{Project: "loss", Bundle: losses(t)})
	a := ask(t, s.Handler(), "POST", "/v1/score/loss", `{"rows":[{"x":1}]}`)
	id := read[scored](t, a, 200).Results[0].ID
	for _, tt := range []struct {
		value  string
		status int
		want   string
	}{{"1042.50", 200, "1042.5"}, {`"1e3"`, 200, "1000"}, {"true", 400, ""}, {`"inf"`, 400, ""}, {`"nan"`, 400, ""}, {"1e999", 400, ""}} {
		a := ask(t, s.Handler(), "POST", "/v1/outcomes/loss", `{"outcomes":[{"decision":"`+id+`","value":`+tt.value+`}]}`)
		if a.status != tt.status {
			t.Errorf("%s: %d %s", tt.value, a.status, a.body)
		}
		if _, o, err := log.Get(id); err != nil || tt.status == 200 && o.Value != tt.want {
			t.Errorf("%s is kept as %v, %v", tt.value, o, err)
		}
	}
}
