package decisions_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/decisions"
)

func TestConditions(t *testing.T) {
	t.Parallel()
	log := open(t, t.TempDir(), decisions.Options{})
	at := time.Date(2026, 3, 4, 12, 30, 0, 250_000_000, time.UTC)
	d := decisions.Decision{ID: log.NewID(at), Time: at.In(time.FixedZone("east", 3*3600)), Project: "credit", Bundle: "ab", Model: "12", Key: "4711", RequestID: "r-1",
		Score: 0.25, Margin: math.Inf(-1), Decision: "bad",
		Inputs: json.RawMessage(`{"Income":100,"score":7,"Job":"fixed","Owner":true,"Gone":null,"Big":12345678901234567890,"a=b":1,"time":"noon"}`)}
	if err := log.Append(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if _, err := log.AppendOutcomes(t.Context(), decisions.Outcome{Decision: d.ID, Value: "good", At: at}); err != nil {
		t.Fatal(err)
	}
	other := decisions.Decision{ID: log.NewID(at), Time: at, Project: "other", Bundle: "ab"} // which meets only what says "not"
	if err := log.Append(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"time>=2026": true, "time>=2026-03": true, "time<2026-03-04": false, "time>=2026-03-04": true, "time<2026-03-05": true,
		"time>2026-03-04T12:30:00": true, "time<2026-03-04T12:30:01Z": true, "time<2026-03-04T13": true, "time=2026-03-04": false,
		"score=0.25": true, "score>=.25": true, "score<2.5e-1": false, "score<1": true, "margin<-1e300": true, "margin<=-Inf": true,
		"model=12": true, "model>9": true, "model=12.0": true, "key=4711": true, "key<10000": true, "request_id=r-1": true, "bundle=ab": true,
		"decision=bad": true, "decision!=bad": false, "outcome=good": true, "outcome!=good": false,
		"Income<100": false, "Income<=100": true, "Income=1e2": true, "inputs.score=7": true, "inputs.score>7": false, "inputs.time=noon": true,
		"Job=fixed": true, "Job>=a": true, "Owner=true": true, "Gone=1": false, "Gone!=1": true, "Nothing=": false, "Nothing!=1": true,
		"Big>1e19": true, " Job = fixed ": true, "id=" + d.ID: true, "project=credit": true,
	} {
		c, err := decisions.ParseCondition(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		mine, err := decisions.ParseCondition("project=credit")
		if err != nil {
			t.Fatal(err)
		}
		met := false
		if err := log.Select(t.Context(), []decisions.Condition{mine, c}, func(decisions.Entry) error { met = true; return nil }); err != nil {
			t.Fatal(err)
		}
		if met != want {
			t.Errorf("%q is %v", text, met)
		}
	}
	for _, text := range []string{"", "score", "=1", "!x", "score!5", ">"} {
		if _, err := decisions.ParseCondition(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
