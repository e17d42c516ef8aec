package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/registry"
	"github.com/tandem-ml/tandem/engineering/retrain"
)

// auditView is the trail of a project.
type auditView struct {
	*project
	Events   []event
	More     bool   // older events are not shown
	Broken   string // what does not hold; "" if the chain verifies
	LogHead  string // the decision log's head
	Records  int64  // in the decision log
	Newest   event  // of all projects: its hash stands for the whole trail
	HasTrail bool
}

// newestEvents is how many events the page shows unless all are asked for.
const newestEvents = 100

func (s *site) audit(r *request, p *project) (any, error) {
	r.head.Title = p.Name + " audit trail"
	v := auditView{project: p}
	ctx := r.Context()
	if err := s.src.Registry.VerifyAudit(ctx); errors.Is(err, registry.ErrTampered) {
		v.Broken = sentence(err.Error())
	} else if err != nil {
		return nil, err
	}
	all, err := s.src.Registry.Events(ctx, "", 1)
	if err != nil {
		return nil, err
	}
	if len(all) > 0 {
		v.HasTrail, v.Newest = true, describe(all[0], s.opt.Now())
	}
	limit := newestEvents + 1
	if r.URL.Query().Get("all") == "true" {
		limit = 0
	}
	events, err := s.src.Registry.Events(ctx, p.Name, limit)
	if err != nil {
		return nil, err
	}
	if v.More = limit > 0 && len(events) == limit; v.More {
		events = events[:newestEvents]
	}
	for _, e := range events {
		v.Events = append(v.Events, describe(e, s.opt.Now()))
	}
	head := s.src.Log.Head()
	v.LogHead, v.Records = head.String(), int64(head.Records)
	return v, nil
}

// event is one event in words, with its evidence.
type event struct {
	registry.Event
	Ago         string
	Level, Word string // Level is "good", "warn", "bad" or ""
	Text        string
	Facts       []fact
	Gates       []bundle.Gate
	JSON        string
}

// eventFacts are the facts of all kinds of event that are told in words; what
// a kind does not have is zero.
type eventFacts struct {
	Version  int             `json:"version"`
	Bundle   string          `json:"bundle"`
	Alias    string          `json:"alias"`
	Before   int             `json:"before"`
	Percent  float64         `json:"percent"`
	Note     string          `json:"note"`
	Reason   string          `json:"reason"`
	Outcome  string          `json:"outcome"`
	After    string          `json:"after"`
	Gates    []bundle.Gate   `json:"gates"`
	Evidence json.RawMessage `json:"evidence"`
}

// describe says an event in words. A kind that is not known here, or facts
// that cannot be read, are shown as they are.
func describe(e registry.Event, now time.Time) event {
	out := event{Event: e, Ago: ago(e.At, now), Word: chart.Clean(e.Kind, 24), JSON: indented(e.Facts)}
	var f eventFacts
	if json.Unmarshal(e.Facts, &f) != nil {
		return out
	}
	out.Gates = f.Gates
	switch e.Kind {
	case registry.EventVersion:
		out.Word, out.Text = "added", fmt.Sprintf("Version %d was added", f.Version)
		if f.Note != "" && f.Note != "run" {
			out.Text += ": " + f.Note
		}
	case registry.EventAlias:
		out.alias(f)
	case registry.EventNotServed:
		out.Level, out.Word, out.Text = "bad", "not served", fmt.Sprintf("Version %d could not be put into service as %s: %s", f.Version, f.Alias, f.Reason)
	case "refused":
		out.Level, out.Word, out.Text = "bad", "refused", "The bundle of a run was refused: "+f.Reason
	case retrain.EventStarted:
		out.Word, out.Text = "retraining", "A retraining began"
		out.evidence(e.Facts)
	case retrain.EventJudged:
		out.Word, out.Text = "judged", "A challenger was compared with the champion"
		if ev := out.evidence(e.Facts); ev != nil && ev.Verdict != nil {
			out.Text = fmt.Sprintf("Version %d was compared with version %d", ev.Challenger.Number, ev.Champion.Number)
			v := ev.Verdict
			if m := metricOf(v.Metric); v.Metric != "" {
				out.Text += fmt.Sprintf(": %s %s against %s on %s decisions", m.name, m.text(v.Challenger), m.text(v.Champion), chart.Count(int64(v.Rows)))
			}
		}
	case retrain.EventEnded:
		out.Word, out.Text = "kept", "The champion stays: "+f.Reason
		switch f.Outcome {
		case retrain.Kept:
			out.Level, out.Word = "warn", "refused"
		case retrain.TooFew:
			out.Word = "too few"
		case retrain.WouldPass:
			out.Word, out.Text = "would pass", "A trial: the challenger would pass: "+f.Reason
		}
		out.evidence(f.Evidence)
	case retrain.EventFailed:
		out.Level, out.Word, out.Text = "bad", "failed", "A retraining could not be carried to its end after the step "+f.After
		out.evidence(f.Evidence)
	}
	out.Text = sentence(out.Text)
	return out
}

func (out *event) alias(f eventFacts) {
	out.Word = f.Alias
	as := f.Alias
	if f.Percent > 0 {
		as += " for " + data.FormatNumber(f.Percent) + "% of the requests"
	}
	switch {
	case f.Version == 0:
		out.Text = fmt.Sprintf("The alias %s was taken from version %d", f.Alias, f.Before)
	case f.Before == f.Version:
		out.Text = fmt.Sprintf("Version %d is %s", f.Version, as)
	case f.Before == 0:
		out.Text = fmt.Sprintf("Version %d became %s", f.Version, as)
	default:
		out.Text = fmt.Sprintf("Version %d became %s in place of version %d", f.Version, as, f.Before)
	}
	if f.Alias == registry.Champion && f.Version != 0 {
		out.Level = "good"
	}
	if f.Reason != "" {
		out.Text += ": " + f.Reason
	}
	if json.Unmarshal(f.Evidence, &out.Gates) != nil { // a run's gates, or a retraining's comparison
		out.Gates = nil
		out.evidence(f.Evidence)
	}
}

// evidence adds what a retraining rests on as facts. It returns nil if raw is
// not that.
func (out *event) evidence(raw json.RawMessage) *retrain.Evidence {
	var ev retrain.Evidence
	if len(raw) == 0 || json.Unmarshal(raw, &ev) != nil || ev.Champion.Number == 0 {
		return nil
	}
	n := func(i int) string { return chart.Count(int64(i)) }
	add := func(name, text string) { out.Facts = append(out.Facts, fact{name, text}) }
	add("Champion", fmt.Sprintf("version %d, bundle %s", ev.Champion.Number, short(ev.Champion.Bundle)))
	if ev.Challenger.Number != 0 {
		add("Challenger", fmt.Sprintf("version %d, bundle %s", ev.Challenger.Number, short(ev.Challenger.Bundle)))
	}
	add("Decisions with an outcome", fmt.Sprintf("%s to learn from, %s held back to judge by", n(ev.Train), n(ev.Judge)))
	if left := leftOut(ev); left != "" {
		add("Left out", left)
	}
	if !ev.From.IsZero() {
		add("Judged by", fmt.Sprintf("decisions from %s to %s UTC", ev.From.Format("2 Jan 2006 15:04"), ev.To.Format("2 Jan 2006 15:04")))
	}
	v := ev.Verdict
	if v == nil {
		return &ev
	}
	if m := metricOf(v.Metric); v.Metric != "" {
		difference := chart.Fixed
		if v.Metric == "rmse" {
			difference = chart.Percent
		}
		add(m.name, fmt.Sprintf("challenger %s, champion %s, on %s decisions", m.text(v.Challenger), m.text(v.Champion), n(v.Rows)))
		add("Better by", fmt.Sprintf("%s, at least %s and at most %s, each with %s confidence; a loss of %s is allowed", difference(v.Difference), difference(v.Low), difference(v.High),
			chart.Percent(v.Confidence), difference(v.NonInferior)))
	}
	if l := v.LogLoss; l != nil {
		add("Log loss", fmt.Sprintf("challenger %s, champion %s; better by %s (%s to %s)", chart.Fixed(l.Challenger), chart.Fixed(l.Champion), chart.Fixed(l.Value), chart.Fixed(l.Low), chart.Fixed(l.High)))
	}
	if len(v.Reasons) > 0 {
		add("Verdict", strings.Join(v.Reasons, "; "))
	}
	return &ev
}

func leftOut(ev retrain.Evidence) string {
	var parts []string
	for _, p := range []struct {
		n   int
		why string
	}{
		{ev.Young, "too young"}, {ev.Other, "made by another version"}, {ev.Refused, "refused by the challenger's contract"},
	} {
		if p.n > 0 {
			parts = append(parts, chart.Count(int64(p.n))+" "+p.why)
		}
	}
	return strings.Join(parts, ", ")
}
