package workflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/monitor"
	"github.com/tandem-ml/tandem/engineering/retrain"
	"github.com/tandem-ml/tandem/engineering/serve"
	"github.com/tandem-ml/tandem/project"
	"github.com/tandem-ml/tandem/workflow/applications"
)

// course is how a demo runs, in applications.
type course struct {
	history int // known before the start
	drift   int // live ones until the concept changes; a multiple of demoWindow
	more    int // outcomes of the new concept that are gathered before a retraining
	after   int // decisions on which the new champion is compared with the frozen one
	most    int // live ones after which the demo gives up
	budget  time.Duration
}

// fullCourse is that of tandem demo.
var fullCourse = course{history: 4000, drift: 3000, more: 6000, after: 3000, most: 40_000, budget: 8 * time.Second}

const (
	demoLate   = 500 // after so many more applications an outcome arrives
	demoBatch  = 50  // rows a request
	demoWindow = 500 // decisions, and outcomes, that the watch judges together
)

// DemoOptions are the settings of [Demo].
type DemoOptions struct {
	Options
	Address string
	Dir     string // where the project is made; "": a temporary folder
	Seed    uint64
	Stay    bool                                // go on serving the pages until ctx ends
	Event   func(at time.Duration, what string) // one line of the time-line

	course course // zero: fullCourse
}

// DemoResult is what a demo showed.
type DemoResult struct {
	FalseAlarms    int     `json:"false_alarms"`     // of outcomes before the drift, or of inputs, which never drift here
	WindowsToAlarm int     `json:"windows_to_alarm"` // windows of outcomes from the drift to the alarm; 0: there was none
	ShuffledKept   bool    `json:"shuffled_challenger_refused"`
	Promoted       bool    `json:"promoted"`
	FrozenAccuracy float64 `json:"accuracy_frozen"` // of the first champion on the decisions after the promotion
	Accuracy       float64 `json:"accuracy"`        // of the champion on the same decisions
	BestAccuracy   float64 `json:"accuracy_best"`   // of deciding by the true probability, on the same decisions
	Decisions      int     `json:"decisions"`
	AuditVerified  bool    `json:"audit_verified"`
	Seconds        float64 `json:"seconds"`
}

const demoProject = `name: loans
data:
  source: applications.csv
  target: defaulted
  positive: "yes"
  time: applied_at
  id: application_id
  protected: [age]
model: {budget: %s}
seed: %d
gates: {auc: ">= 0.85"}
monitor: {window: %d}
`

// Demo plays a lender's year in about a minute, in one process: a model is
// trained on past applications and serves new ones over HTTP; outcomes come
// late; the world changes in the middle; the watch raises an alarm; a
// challenger trained on shuffled labels is refused by the gate and an honest
// one passes; the server swaps; everything stands in the audit trail.
func Demo(ctx context.Context, opt DemoOptions) (*DemoResult, error) {
	start := time.Now()
	if opt.course == (course{}) {
		opt.course = fullCourse
	}
	plan, dir := opt.course, opt.Dir
	if dir == "" {
		tmp, err := os.MkdirTemp("", "tandem-demo-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(tmp)
		dir = tmp
	}
	stream := applications.New(opt.Seed, plan.history+plan.drift)
	err := errors.Join(
		writeFile(filepath.Join(dir, "applications.csv"), func(w io.Writer) error { return applications.WriteCSV(w, stream, plan.history) }),
		writeBytes(filepath.Join(dir, project.FileName), fmt.Appendf(nil, demoProject, plan.budget, opt.Seed, demoWindow)))
	if err != nil {
		return nil, err
	}
	d := &demo{opt: opt, course: plan, start: start, stream: stream}
	p, err := project.Load(dir)
	if err != nil {
		return nil, err
	}
	l, err := serve.Listen(opt.Address)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	if d.service, err = openService(ctx, p, opt.Talk, serve.Options{}, nil); err != nil {
		return nil, err
	}
	defer d.service.close()
	d.say("%d past applications with known outcome are in %s", plan.history, filepath.Join(dir, "applications.csv"))
	run, err := RunProject(ctx, dir, opt.Options)
	if err != nil {
		return nil, err
	}
	if err := d.service.enter(ctx, run); err != nil {
		return nil, err
	}
	d.frozen = run.Bundle
	d.say("trained: %s, AUC %.3f, accuracy %.3f against %.3f of the majority, on %d newer applications", run.Bundle.Card.Chosen,
		run.Bundle.Card.Holdout["auc"].Value, run.Bundle.Card.Holdout["accuracy"].Value, run.Bundle.Card.Baseline["accuracy"], run.Bundle.Card.Split.Holdout)

	serving, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- d.service.serve(serving, l, nil, nil) }()
	d.url = "http://" + l.Addr().String()
	d.say("version 1 answers on %s, where the pages are; an outcome arrives %d applications after its decision", d.url, demoLate)
	err = d.play(ctx)
	if err == nil && opt.Stay {
		d.say("the pages stay on %s until Ctrl-C", d.url)
		<-ctx.Done()
	}
	stop()
	return d.finish(), errors.Join(err, <-done)
}

// demo is one playing.
type demo struct {
	opt     DemoOptions
	course  course
	start   time.Time
	service *service
	stream  *applications.Stream
	url     string
	frozen  *bundle.Bundle // the first champion
	result  DemoResult

	live      int       // applications scored
	waiting   []pending // outcomes on their way
	windows   int       // windows of outcomes seen
	inputs    int       // windows of decisions seen
	settled   int       // outcomes that arrived
	retrainAt int       // settled outcomes at which a challenger is trained; 0: there was no alarm yet
	compared  tally     // after the promotion
}

type pending struct {
	id    string
	label string
}

type tally struct{ rows, frozen, champion, best int }

func (d *demo) say(format string, args ...any) {
	if d.opt.Event != nil {
		d.opt.Event(time.Since(d.start), fmt.Sprintf(format, args...))
	}
}

// play drives the stream through the server until the new champion was
// compared with the frozen one.
func (d *demo) play(ctx context.Context) error {
	for d.compared.rows < d.course.after {
		if d.live >= d.course.most {
			return fmt.Errorf("after %d applications no challenger had passed the gate", d.live)
		}
		if err := d.batch(ctx); err != nil {
			return err
		}
		if d.live == d.course.drift {
			d.say("THE WORLD CHANGES: from application %d on the same people apply, and default for other reasons", d.live+1)
		}
		if err := d.look(ctx); err != nil {
			return err
		}
		if d.retrainAt > 0 && !d.result.Promoted && d.settled >= d.retrainAt {
			if err := d.renew(ctx); err != nil {
				return err
			}
			d.retrainAt = d.settled + d.course.more // the next attempt, if this one was refused
		}
	}
	return nil
}

// batch scores the next applications and sends the outcomes that are due.
func (d *demo) batch(ctx context.Context) error {
	apps := make([]applications.Application, demoBatch)
	rows := make([]json.RawMessage, demoBatch)
	for i := range apps {
		apps[i] = d.stream.Next()
		rows[i] = apps[i].JSON()
	}
	var answer struct {
		Results []struct {
			ID       string  `json:"id"`
			Score    float64 `json:"score"`
			Decision string  `json:"decision"`
		} `json:"results"`
	}
	if err := d.post(ctx, "/v1/score/loans", map[string]any{"rows": rows}, &answer); err != nil {
		return err
	}
	layout := d.frozen.Layout()
	row := make([]float64, layout.Cols())
	for i, r := range answer.Results {
		label := apps[i].Label()
		d.waiting = append(d.waiting, pending{r.ID, label})
		if !d.result.Promoted {
			continue
		}
		if _, err := layout.DecodeJSON(row, rows[i], true); err != nil {
			return err
		}
		_, frozen := d.frozen.Score(row)
		d.compared.rows++
		d.compared.frozen += is((frozen >= .5) == apps[i].Defaulted)
		d.compared.champion += is((r.Score >= .5) == apps[i].Defaulted)
		d.compared.best += is((apps[i].DefaultProbability >= .5) == apps[i].Defaulted)
	}
	d.live += len(apps)
	if len(d.waiting) <= demoLate {
		return nil
	}
	due := d.waiting[:len(d.waiting)-demoLate]
	d.waiting = d.waiting[len(due):]
	outcomes := make([]map[string]string, len(due))
	for i, p := range due {
		outcomes[i] = map[string]string{"decision": p.id, "value": p.label}
	}
	d.settled += len(due)
	return d.post(ctx, "/v1/outcomes/loans", map[string]any{"outcomes": outcomes}, nil)
}

func is(b bool) int {
	if b {
		return 1
	}
	return 0
}

// look tells what the watch has seen since the last look.
func (d *demo) look(ctx context.Context) error {
	if err := d.service.watch.catchUp(ctx); err != nil {
		return err
	}
	if d.result.Promoted {
		return nil
	}
	seen := d.service.watch.seen(d.frozen.ID())
	for _, w := range seen.Windows[d.inputs:] {
		d.inputs++
		if w.Alarm { // the applicants look as before all through the demo
			d.result.FalseAlarms++
			d.alarm(w.Alarms)
		}
	}
	for _, w := range seen.Outcomes[d.windows:] {
		d.windows++
		last := d.windows * w.Outcomes
		if d.retrainAt == 0 || w.Alarm && last%(4*demoWindow) == 0 { // it goes on like this for a while
			d.say("outcomes %4d to %5d: AUC %.3f (%.3f to %.3f), accuracy %.3f%s", last-w.Outcomes+1, last,
				w.Realised.Value, w.Realised.Low, w.Realised.High, w.Others["accuracy"], stands(d.retrainAt > 0))
		}
		switch {
		case !w.Alarm || d.retrainAt > 0:
		case last <= d.course.drift:
			d.result.FalseAlarms++
			d.alarm(w.Alarms)
		default:
			d.alarm(w.Alarms)
			d.result.WindowsToAlarm = (last - d.course.drift) / w.Outcomes
			d.retrainAt = d.course.drift + d.course.more
			d.say("a model of the new world needs outcomes of the new world: the lender waits until %d are known", d.course.more)
		}
	}
	return nil
}

func stands(alarm bool) string {
	if alarm {
		return "; the alarm stands"
	}
	return ""
}

func (d *demo) alarm(alarms []monitor.Alarm) {
	for _, a := range alarms {
		d.say("ALARM %s: %s", a.Kind, a.Text)
	}
}

// renew trains challengers: one from shuffled labels, which the gate must
// refuse, and an honest one.
func (d *demo) renew(ctx context.Context) error {
	if !d.result.ShuffledKept {
		d.say("a first challenger is trained on shuffled outcomes, as a broken pipeline would: the gate should refuse it")
		r, err := d.retrain(ctx, func(entries []decisions.Entry) {
			shuffleOutcomes(entries, seed.Stream(d.opt.Seed, "demo/shuffle", 0))
		})
		if err != nil {
			return err
		}
		d.result.ShuffledKept = r.Outcome == retrain.Kept
		d.say("gate: %s: %s", r.Outcome, r.Reason)
	}
	d.say("a challenger is trained on the %d past applications and the older part of the %d decisions whose outcome is known; the newest part judges",
		d.course.history, d.settled)
	r, err := d.retrain(ctx, nil)
	if err != nil {
		return err
	}
	d.say("gate: %s: %s", r.Outcome, r.Reason)
	if r.Outcome != retrain.Promoted {
		return nil
	}
	d.result.Promoted = true
	return d.service.follow(ctx)
}

// shuffleOutcomes gives each decision the outcome of another.
func shuffleOutcomes(entries []decisions.Entry, rng *rand.Rand) {
	rng.Shuffle(len(entries), func(i, j int) {
		a, b := *entries[i].Outcome, *entries[j].Outcome
		a.Value, b.Value = b.Value, a.Value
		entries[i].Outcome, entries[j].Outcome = &a, &b
	})
}

func (d *demo) retrain(ctx context.Context, spoil func([]decisions.Entry)) (retrain.Result, error) {
	return renew(ctx, d.service.project, d.service.registry, d.service.log, RetrainOptions{Options: d.opt.Options, spoil: spoil})
}

// finish prints the figures and the audit trail.
func (d *demo) finish() *DemoResult {
	r := &d.result
	r.Decisions = d.live
	if n := float64(d.compared.rows); n > 0 {
		r.FrozenAccuracy, r.Accuracy, r.BestAccuracy = float64(d.compared.frozen)/n, float64(d.compared.champion)/n, float64(d.compared.best)/n
		d.say("accuracy on the %d applications after the promotion: %.3f; version 1 would have had %.3f, who knows the true probabilities %.3f",
			d.compared.rows, r.Accuracy, r.FrozenAccuracy, r.BestAccuracy)
	}
	ctx := context.Background() // short reads of what is on this disk
	events, err := d.service.registry.Events(ctx, d.service.project.Name, 100)
	if err == nil {
		d.say("the audit trail:")
		for i := len(events) - 1; i >= 0; i-- {
			d.say("  %3d  %s  %-16s %.12s", events[i].Seq, events[i].At.Local().Format("15:04:05"), events[i].Kind, events[i].Hash)
		}
	}
	report, err := decisions.Verify(decisionsDir(d.service.project.Dir))
	r.AuditVerified = err == nil && report.OK() && d.service.registry.VerifyAudit(ctx) == nil
	if r.AuditVerified {
		d.say("the trail and the log of %d decisions verify", report.Decisions)
	}
	r.Seconds = time.Since(d.start).Seconds()
	return r
}

// post sends JSON to the demo's own server.
func (d *demo) post(ctx context.Context, path string, body, answer any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("POST %s: %s: %s", path, resp.Status, content)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(content, answer)
}
