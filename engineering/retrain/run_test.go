package retrain_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/linear"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/retrain"
)

var start = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// model makes a bundle with the score sigmoid(wa a + wb b - 1). The name makes
// bundles of equal weights different ones.
func model(t testing.TB, name string, wa, wb float64) *bundle.Bundle {
	t.Helper()
	m, err := bundle.NewModel(
		bundle.Model{
			Contract: data.Contract{Fields: []data.Field{
				{Name: "a", Kind: data.Number, Role: data.Feature}, {Name: "b", Kind: data.Number, Role: data.Feature},
				{Name: "status", Kind: data.Category, Role: data.Target, Categories: []string{"bad", "good"}},
			}},
			Members: []bundle.Member{{
				Learner: "logistic", Weight: 1,
				Plan: step.Plan{
					{Name: "a", Input: 0, Op: step.Standard, Scale: 1, Low: -100, High: 100},
					{Name: "b", Input: 1, Op: step.Standard, Scale: 1, Low: -100, High: 100},
				},
				Linear: &linear.Model{Intercept: -1, Weight: []float64{wa, wb}, Mean: []float64{0, 0}},
			}},
			Calibration: bundle.Calibration{Method: "sigmoid", A: 1},
			Decision:    bundle.Decision{Positive: "bad", Negative: "good", Threshold: 0.5},
		})
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.New(bundle.Bundle{
		Manifest: bundle.Manifest{Producer: "test", Name: name, Task: bundle.Binary, Target: "status"},
		Model:    *m,
		Tests:    m.TestRows(bundle.Rows{N: 1, Cols: 2, Data: []float64{1, 2}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// history makes n decisions of the champion, an hour apart, whose outcomes
// follow sigmoid(a + b - 1).
func history(t testing.TB, champion *bundle.Bundle, n int) []decisions.Entry {
	t.Helper()
	rng := seed.Stream(1, "history", n)
	out := make([]decisions.Entry, n)
	for i := range out {
		a, b := rng.NormFloat64(), rng.NormFloat64()
		e := &out[i]
		e.ID, e.Time, e.Project, e.Bundle = fmt.Sprintf("%08d", i), start.Add(time.Duration(i)*time.Hour), "credit", champion.ID()
		e.Inputs = json.RawMessage(fmt.Sprintf(`{"a":%v,"b":%v}`, a, b))
		e.Margin, e.Score = champion.Score([]float64{a, b})
		value := "good"
		if rng.Float64() < 1/(1+math.Exp(1-a-b)) {
			value = "bad"
		}
		e.Outcome = &decisions.Outcome{Decision: e.ID, Value: value, At: e.Time.Add(time.Hour)}
	}
	return out
}

// registry is a registry in memory.
type registry struct {
	versions []retrain.Version
	champion int
	events   []string // kinds, and "promoted N"
	facts    []any
	fail     string // the kind of event, or "add" or "promote", that fails
	damage   bool   // Add keeps something else
}

var errDisk = errors.New("no space left on device")

func newRegistry(champion *bundle.Bundle) *registry {
	return &registry{versions: []retrain.Version{{Number: 1, Bundle: champion.ID()}}, champion: 1}
}

func (r *registry) Champion(context.Context, string) (retrain.Version, error) {
	return r.versions[r.champion-1], nil
}

func (r *registry) Add(_ context.Context, _ string, b *bundle.Bundle, _ string) (retrain.Version, error) {
	if r.fail == "add" {
		return retrain.Version{}, errDisk
	}
	id := b.ID()
	if r.damage {
		id = strings.Repeat("0", 64)
	}
	for _, v := range r.versions {
		if v.Bundle == id {
			return v, nil
		}
	}
	r.versions = append(r.versions, retrain.Version{Number: len(r.versions) + 1, Bundle: id})
	return r.versions[len(r.versions)-1], nil
}

func (r *registry) Audit(_ context.Context, _, kind string, facts any) error {
	if r.fail == kind {
		return errDisk
	}
	if _, err := json.Marshal(facts); err != nil {
		return err
	}
	r.events, r.facts = append(r.events, kind), append(r.facts, facts)
	return nil
}

func (r *registry) Promote(_ context.Context, _ string, from, to retrain.Version, reason string, evidence retrain.Evidence) error {
	if r.fail == "promote" {
		return errDisk
	}
	if r.champion != from.Number {
		return retrain.ErrChampionMoved
	}
	r.champion = to.Number
	r.events, r.facts = append(r.events, fmt.Sprint("promoted ", to.Number)), append(r.facts, evidence)
	return nil
}

// plan is a retraining from a champion that looks at a alone to the challenger.
func plan(t testing.TB, challenger *bundle.Bundle) (retrain.Plan, *registry) {
	t.Helper()
	champion := model(t, "champion", 1, 0)
	reg := newRegistry(champion)
	entries := history(t, champion, 1500)
	return retrain.Plan{
		Project: "credit", Entries: entries, Champion: champion, Now: start.AddDate(1, 0, 0),
		Registry: reg, Gate: retrain.DefaultGate(),
		Train: func(_ context.Context, train []decisions.Entry) (*bundle.Bundle, error) {
			if len(train) != 1050 || train[0].ID != entries[0].ID || train[1049].ID != entries[1049].ID {
				return nil, fmt.Errorf("the trainer was given %d decisions", len(train))
			}
			return challenger, nil
		},
	}, reg
}

func TestABetterChallengerIsPromotedWithItsEvidence(t *testing.T) {
	t.Parallel()
	challenger := model(t, "challenger", 1, 1)
	p, reg := plan(t, challenger)
	var steps []retrain.Step
	p.AtStep = func(s retrain.Step) error { steps = append(steps, s); return nil }
	result, err := retrain.Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if result.Outcome != retrain.Promoted || reg.champion != 2 || reg.versions[1].Bundle != challenger.ID() || result.Challenger != reg.versions[1] {
		t.Errorf("result %+v, champion %d", result, reg.champion)
	}
	if want := []string{retrain.EventStarted, retrain.EventJudged, "promoted 2"}; !reflect.DeepEqual(reg.events, want) {
		t.Errorf("audit trail %q, want %q", reg.events, want)
	}
	if !reflect.DeepEqual(reg.facts[1], reg.facts[2]) {
		t.Errorf("promoted on other evidence than was recorded:\n%+v\n%+v", reg.facts[1], reg.facts[2])
	}
	if want := []retrain.Step{retrain.StepSelected, retrain.StepTrained, retrain.StepRegistered, retrain.StepJudged, retrain.StepRecorded, retrain.StepPromoted}; !reflect.DeepEqual(steps, want) {
		t.Errorf("steps %q", steps)
	}
	e := result.Evidence
	if e.Train != 1050 || e.Judge != 450 || e.Verdict.Rows != 450 || !e.Verdict.Promote || e.Verdict.Challenger < e.Verdict.Champion+0.05 ||
		!e.From.Equal(p.Entries[1050].Time) || !e.To.Equal(p.Entries[1499].Time) {
		t.Errorf("evidence %+v, verdict %+v", e, e.Verdict)
	}
}

func TestTheChampionStays(t *testing.T) {
	t.Parallel()
	better := model(t, "challenger", 1, 1)
	for name, c := range map[string]struct {
		challenger *bundle.Bundle
		change     func(*retrain.Plan, *registry)
		outcome    string
		reason     string
	}{
		"worse":    {model(t, "challenger", 0, -1), nil, retrain.Kept, "cannot be ruled out"},
		"the same": {model(t, "champion", 1, 0), nil, retrain.Kept, "bit for bit"},
		"the project's own gates": {better, func(p *retrain.Plan, _ *registry) {
			p.Check = func(b *bundle.Bundle) error {
				if b != better {
					t.Error("another bundle than the challenger was checked")
				}
				return errors.New("gate auc >= 0.99 did not hold")
			}
		}, retrain.Kept, "gate auc >= 0.99 did not hold"},
		"dry run": {better, func(p *retrain.Plan, _ *registry) { p.DryRun = true }, retrain.WouldPass, "AUC"},
		"few":     {better, func(p *retrain.Plan, _ *registry) { p.Entries = p.Entries[:199] }, retrain.TooFew, "199 mature decisions"},
		"none":    {better, func(p *retrain.Plan, _ *registry) { p.Entries = nil }, retrain.TooFew, "0 mature decisions"},
		"young":   {better, func(p *retrain.Plan, _ *registry) { p.Maturity = 364 * 24 * time.Hour }, retrain.TooFew, "mature decisions"},
		"another's": {better, func(p *retrain.Plan, _ *registry) {
			for i := range p.Entries {
				p.Entries[i].Bundle = "one before"
			}
		}, retrain.TooFew, "0 mature decisions of the champion"},
		"contract": {better, func(p *retrain.Plan, _ *registry) {
			for i := range 20 {
				p.Entries[1400+i].Inputs = json.RawMessage(`{"a":"much","b":1}`)
			}
		}, retrain.Kept, "refuses 20 of 450"},
	} {
		p, reg := plan(t, c.challenger)
		if c.change != nil {
			c.change(&p, reg)
		}
		result, err := retrain.Run(t.Context(), p)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if result.Outcome != c.outcome || !strings.Contains(result.Reason, c.reason) || reg.champion != 1 {
			t.Errorf("%s: %s (%s), champion %d; want %s (%s)", name, result.Outcome, result.Reason, reg.champion, c.outcome, c.reason)
		}
		if last := reg.events[len(reg.events)-1]; last != retrain.EventEnded {
			t.Errorf("%s: the audit trail ends with %q", name, last)
		}
	}
}

// TestKilledAtEveryStep ends the run at each step by an error, a cancelled
// context and a panic, which stands for the end of the process.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	challenger := model(t, "challenger", 1, 1)
	broken := errors.New("broken")
	for _, at := range []retrain.Step{retrain.StepSelected, retrain.StepTrained, retrain.StepRegistered, retrain.StepJudged, retrain.StepRecorded, retrain.StepPromoted} {
		for _, how := range []string{"error", "cancel", "panic"} {
			p, reg := plan(t, challenger)
			ctx, cancel := context.WithCancel(t.Context())
			p.AtStep = func(s retrain.Step) error {
				if s != at {
					return nil
				}
				switch how {
				case "cancel":
					cancel()
					return nil
				case "panic":
					panic(broken)
				}
				return broken
			}
			result, err := func() (result retrain.Result, err error) {
				defer func() {
					if r := recover(); r != nil {
						err = broken
					}
				}()
				return retrain.Run(ctx, p)
			}()
			cancel()
			if at == retrain.StepPromoted { // the change is made; nothing undoes it
				if reg.champion != 2 || how != "panic" && (err != nil || result.Outcome != retrain.Promoted) {
					t.Errorf("%s at %s: champion %d, %v", how, at, reg.champion, err)
				}
				continue
			}
			want := broken
			if how == "cancel" {
				want = context.Canceled
			}
			if !errors.Is(err, want) || reg.champion != 1 {
				t.Errorf("%s at %s: error %v, champion %d", how, at, err, reg.champion)
			}
			if how != "panic" && reg.events[len(reg.events)-1] != retrain.EventFailed {
				t.Errorf("%s at %s: audit trail %q", how, at, reg.events)
			}
			// Running it again, without the fault, comes through.
			p.AtStep = nil
			if result, err := retrain.Run(t.Context(), p); err != nil || result.Outcome != retrain.Promoted || reg.champion != 2 || len(reg.versions) != 2 {
				t.Errorf("after %s at %s: %+v, %v, %d versions", how, at, result, err, len(reg.versions))
			}
		}
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	better := model(t, "challenger", 1, 1)
	for name, c := range map[string]struct {
		change func(*retrain.Plan, *registry)
		want   string
	}{
		"no audit at the start": {func(_ *retrain.Plan, r *registry) { r.fail = retrain.EventStarted }, "no space"},
		"no audit of evidence":  {func(_ *retrain.Plan, r *registry) { r.fail = retrain.EventJudged }, "no space"},
		"cannot be kept":        {func(_ *retrain.Plan, r *registry) { r.fail = "add" }, "keep the challenger: no space"},
		"cannot be promoted":    {func(_ *retrain.Plan, r *registry) { r.fail = "promote" }, "promote version 2: no space"},
		"another was kept":      {func(_ *retrain.Plan, r *registry) { r.damage = true }, "kept bundle 000000000000 where"},
		"training fails": {func(p *retrain.Plan, _ *registry) {
			p.Train = func(context.Context, []decisions.Entry) (*bundle.Bundle, error) { return nil, errDisk }
		}, "train the challenger: no space"},
		"champion is another": {func(p *retrain.Plan, _ *registry) { p.Champion = better }, "champion has changed"},
		"champion moves": {func(p *retrain.Plan, r *registry) {
			p.AtStep = func(s retrain.Step) error {
				if s == retrain.StepJudged {
					r.versions = append(r.versions, retrain.Version{Number: 3, Bundle: "x"})
					r.champion = 3
				}
				return nil
			}
		}, "champion has changed"},
		"outcome of no class": {func(p *retrain.Plan, _ *registry) { p.Entries[1450].Outcome.Value = "Unknown Person" }, `decision 00001450: its outcome is neither "bad" nor "good"`},
		"other target": {func(p *retrain.Plan, _ *registry) {
			other := *better
			other.Manifest.Target = "paid"
			p.Train = func(context.Context, []decisions.Entry) (*bundle.Bundle, error) { return &other, nil }
		}, "cannot be compared"},
		"gate": {func(p *retrain.Plan, _ *registry) { p.Gate = retrain.Gate{} }, "gate:"},
	} {
		p, reg := plan(t, better)
		c.change(&p, reg)
		_, err := retrain.Run(t.Context(), p)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "Unknown Person") {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
		if reg.champion == 2 {
			t.Errorf("%s: the challenger was promoted", name)
		}
	}
}

func TestHoldback(t *testing.T) {
	t.Parallel()
	champion := model(t, "champion", 1, 0)
	all := history(t, champion, 1000)
	now := start.Add(2000 * time.Hour)
	ids := func(es []decisions.Entry) string {
		if len(es) == 0 {
			return "none"
		}
		return fmt.Sprintf("%d from %s to %s", len(es), strings.TrimLeft(es[0].ID[:7], "0")+es[0].ID[7:], strings.TrimLeft(es[len(es)-1].ID, "0"))
	}
	for name, c := range map[string]struct {
		change       func(es []decisions.Entry) []decisions.Entry
		maturity     time.Duration
		train, judge string
		young, other int
	}{
		"30 percent": {nil, 0, "700 from 0 to 699", "300 from 700 to 999", 0, 0},
		"at least 200": {func(es []decisions.Entry) []decisions.Entry { return es[:400] },
			0, "200 from 0 to 199", "200 from 200 to 399", 0, 0},
		"all judge": {func(es []decisions.Entry) []decisions.Entry { return es[:150] }, 0, "none", "150 from 0 to 149", 0, 0},
		"maturity":  {nil, 1100 * time.Hour, "631 from 0 to 630", "270 from 631 to 900", 99, 0},
		"any order": {func(es []decisions.Entry) []decisions.Entry {
			for i := range len(es) / 2 {
				es[i], es[len(es)-1-i] = es[len(es)-1-i], es[i]
			}
			return es
		}, 0, "700 from 0 to 699", "300 from 700 to 999", 0, 0},
		"no outcome": {func(es []decisions.Entry) []decisions.Entry {
			for i := range 500 {
				es[i].Outcome = nil
			}
			return es
		}, 0, "300 from 500 to 799", "200 from 800 to 999", 0, 0},
		"one moment": {func(es []decisions.Entry) []decisions.Entry {
			for i := 650; i < 720; i++ {
				es[i].Time = es[650].Time
			}
			return es
		}, 0, "650 from 0 to 649", "350 from 650 to 999", 0, 0},
		"another bundle's": {func(es []decisions.Entry) []decisions.Entry {
			for i := range 800 {
				es[i].Bundle = "one before"
			}
			return es
		}, 0, "700 from 0 to 699", "200 from 800 to 999", 0, 100},
		"none": {func([]decisions.Entry) []decisions.Entry { return nil }, 0, "none", "none", 0, 0},
	} {
		es := append([]decisions.Entry(nil), all...)
		if c.change != nil {
			es = c.change(es)
		}
		p := retrain.Holdback(es, champion.ID(), now, c.maturity)
		if ids(p.Train) != c.train || ids(p.Judge) != c.judge || p.Young != c.young || p.Other != c.other {
			t.Errorf("%s: train %s, judge %s, %d young, %d other; want %s, %s, %d, %d", name,
				ids(p.Train), ids(p.Judge), p.Young, p.Other, c.train, c.judge, c.young, c.other)
		}
	}
}
