package serve_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/serve"
)

// Everything that was answered is computed again, to the bit, with the bundles
// that made it; what was not made by a bundle is told.
func TestReplayAll(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	s := newServer(t, serve.Options{Log: log})
	old, next := lender(t, 0), lender(t, 0.25)
	for from := 0; from < 3000; from += 1000 {
		score(t, s.Handler(), rowsOf(1000)...)
	}
	s.Swap(serve.Model{Project: "credit", Version: "4", Bundle: next})
	ids := score(t, s.Handler(), rowsOf(500)...).Results
	bundles := map[string]*bundle.Bundle{old.ID(): old, next.ID(): next}
	opened := 0
	of := func(id string) (*bundle.Bundle, error) {
		opened++
		if bundles[id] == nil {
			return nil, errors.New("no such bundle")
		}
		return bundles[id], nil
	}
	ctx := t.Context()
	r, err := log.ReplayAll(ctx, of, nil)
	if err != nil || r.Decisions != 3500 || r.Equal != 3500 || r.Failed != 0 || opened != 2 {
		t.Errorf("%+v, %v, %d bundles", r, err, opened)
	}
	if r, err := log.ReplayAll(ctx, of, conditions(t, "model=4", "score>=0.5")); err != nil || r.Equal == 0 || r.Equal >= 500 || r.Equal != r.Decisions {
		t.Errorf("%+v, %v", r, err)
	}
	// Decisions of another bundle than the log says.
	bundles[next.ID()] = old
	if r, err = log.ReplayAll(ctx, of, conditions(t, "model=4")); err != nil || r.Failed != 500 || len(r.Different) != 20 {
		t.Errorf("%+v, %v", r, err)
	}
	delete(bundles, next.ID())
	if _, err = log.ReplayAll(ctx, of, nil); err == nil || !strings.Contains(err.Error(), "no such bundle") {
		t.Errorf("without a bundle: %v", err)
	}
	bundles[next.ID()] = next
	if err := log.Erase(ctx, ids[0].ID, ids[1].ID); err != nil {
		t.Fatal(err)
	}
	if r, err = log.ReplayAll(ctx, of, nil); err != nil || r.Equal != 3498 || r.Erased != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := log.ReplayAll(cancelled, of, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func conditions(t *testing.T, texts ...string) []decisions.Condition {
	t.Helper()
	var out []decisions.Condition
	for _, text := range texts {
		c, err := decisions.ParseCondition(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

func TestConditions(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	now := noon
	s := newServer(t, serve.Options{Log: log, Now: func() time.Time { now = now.Add(time.Hour); return now }})
	first := score(t, s.Handler(), `{"application":4711,"Income":80,"Job":"fixed","Records":"yes","Age":44}`).Results[0] // bad, 13:00
	second := score(t, s.Handler(), `{"application":9,"Income":200,"Records":"no"}`).Results[0]                          // good, 14:00
	if _, err := log.AppendOutcomes(t.Context(), decisions.Outcome{Decision: first.ID, Value: "good", At: now}); err != nil {
		t.Fatal(err)
	}
	name := map[string]string{first.ID: "1", second.ID: "2"}
	for text, want := range map[string]string{
		"decision=bad": "1", "decision!=bad": "2", "score>0.5": "1", "score <= 0.5": "2", "margin<0": "2", "margin>=-10": "12", "model=3": "12", "model=3.0": "12",
		"key=4711": "1", "key<100": "2", "outcome=good": "1", "outcome!=good": "2", "outcome!=bad": "12", "outcome=": "", "id=" + second.ID: "2", "project=credit": "12",
		"Income<100": "1", "Income=80.0": "1", "Income>=80": "12", "Job=fixed": "1", "Job!=fixed": "2", "Age>40": "1", "Age!=1": "12", "nothing=1": "", "nothing!=1": "12",
		"inputs.score=1": "", "application=4711": "1", "time>=2026-03-04T13:30": "2", "time<2026-03-04T14:00:00Z": "1", "time>=2026-03-04T14:00:00Z": "2", "time>2026": "12", "time<2026-03-04": "",
		"request_id=x": "", "bundle=" + lender(t, 0).ID(): "12",
	} {
		got := ""
		if err := log.Select(t.Context(), conditions(t, text), func(e decisions.Entry) error {
			got += name[e.ID]
			return nil
		}); err != nil || got != want {
			t.Errorf("%s: %q, want %q (%v)", text, got, want, err)
		}
	}
	both := ""
	if err := log.Select(t.Context(), nil, func(e decisions.Entry) error {
		both += fmt.Sprint(name[e.ID], e.Outcome != nil, " ")
		return nil
	}); err != nil || both != "1true 2false " {
		t.Errorf("all: %q, %v", both, err)
	}
	if err := log.Select(t.Context(), conditions(t, "score>0", "decision=good", "Income=200"), func(e decisions.Entry) error {
		return errors.New(name[e.ID])
	}); err == nil || !strings.HasSuffix(err.Error(), ": 2") {
		t.Errorf("the caller's error: %v", err)
	}
	for _, text := range []string{"", "score", "=5", "score!5", " "} {
		if c, err := decisions.ParseCondition(text); err == nil {
			t.Errorf("%q is taken: %+v", text, c)
		}
	}
}
