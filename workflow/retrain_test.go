package workflow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/registry"
	"github.com/tandem-ml/tandem/engineering/retrain"
	"github.com/tandem-ml/tandem/project"
)

var steps = []retrain.Step{retrain.StepSelected, retrain.StepTrained, retrain.StepRegistered, retrain.StepJudged,
	retrain.StepRecorded, retrain.StepPromoted}

// childRetrain dies at the given step.
func childRetrain(dir, step string) error {
	_, err := Retrain(context.Background(), dir, RetrainOptions{AtStep: func(s retrain.Step) error {
		if string(s) == step {
			return syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		}
		return nil
	}})
	return fmt.Errorf("it did not die: %w", err)
}

// A retraining that dies leaves the champion alone, whatever it had done, and
// does not stand in the way of the next one.
func TestRetrainKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	dir := lived(t)
	steps := steps
	if raceDetector {
		steps = []retrain.Step{retrain.StepSelected, retrain.StepRecorded, retrain.StepPromoted}
	}
	for _, step := range steps {
		cmd, out := child(t, "retrain", dir, string(step))
		for out.Scan() {
			t.Errorf("killed at %s: it said %q", step, out.Text())
		}
		if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
			t.Fatalf("killed at %s: it ended with %v", step, err)
		}
		mustVerify(t, dir)
		want := 1
		if step == retrain.StepPromoted {
			want = newest(t, dir)
		}
		if v := champion(t, dir); v != want {
			t.Fatalf("killed at %s: version %d is the champion, want %d", step, v, want)
		}
	}
	// The new champion serves, and running unchanged data again does not take
	// its place.
	url, _ := up(t, dir, nil)
	if a := score(t, url, after(historyRows+livedRows, 1)...); a.Model != fmt.Sprint(newest(t, dir)) || a.Model == "1" {
		t.Errorf("version %s answers, want %d", a.Model, newest(t, dir))
	}
}

func newest(t *testing.T, dir string) int {
	t.Helper()
	m, err := OpenModels(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	lines, err := m.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return lines[0].Number
}

// renewed retrains a project with changed outcomes to learn from.
func renewed(t *testing.T, dir string, spoil func([]decisions.Entry)) retrain.Result {
	t.Helper()
	p, err := project.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	log, err := decisions.OpenReadOnly(decisionsDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	reg, err := registry.Open(t.Context(), stateDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	r, err := renew(t.Context(), p, reg, log, RetrainOptions{spoil: spoil})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A challenger that learned from shuffled outcomes is refused where one that
// learned from the true ones is promoted.
func TestShuffledChallengerIsRefused(t *testing.T) {
	t.Parallel()
	dir := lived(t)
	seeds := uint64(2)
	if raceDetector {
		seeds = 1
	}
	for root := range seeds {
		r := renewed(t, dir, func(entries []decisions.Entry) { shuffleOutcomes(entries, seed.Stream(root, "shuffle", 0)) })
		if r.Outcome != retrain.Kept || r.Evidence.Verdict == nil || r.Evidence.Verdict.Promote {
			t.Fatalf("shuffled with seed %d: %s: %s", root, r.Outcome, r.Reason)
		}
		if v := champion(t, dir); v != 1 {
			t.Fatalf("version %d is the champion", v)
		}
	}
	dry, err := Retrain(t.Context(), dir, RetrainOptions{DryRun: true})
	if err != nil || dry.Outcome != retrain.WouldPass {
		t.Fatalf("dry run: %s: %s (%v)", dry.Outcome, dry.Reason, err)
	}
	if v := champion(t, dir); v != 1 {
		t.Fatalf("after a dry run version %d is the champion", v)
	}
	r := renewed(t, dir, nil)
	if r.Outcome != retrain.Promoted {
		t.Fatalf("honest: %s: %s", r.Outcome, r.Reason)
	}
	if v := champion(t, dir); v != r.Challenger.Number {
		t.Errorf("version %d is the champion, %d was promoted", v, r.Challenger.Number)
	}
	e := r.Evidence
	if e.Train+e.Judge != livedRows || e.Judge < livedRows/4 || e.Other != 0 {
		t.Errorf("%d decisions to learn from and %d to judge by, of %d", e.Train, e.Judge, livedRows)
	}
	mustVerify(t, dir)

	// The new champion has decided nothing yet.
	again := renewed(t, dir, nil)
	if again.Outcome != retrain.TooFew || again.Evidence.Other != e.Judge {
		t.Errorf("retrained again at once: %s, %+v", again.Outcome, again.Evidence)
	}
}

func TestTooFewDecisions(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	r, err := Retrain(t.Context(), dir, RetrainOptions{})
	if err != nil || r.Outcome != retrain.TooFew || !strings.Contains(r.Reason, "0 mature decisions") {
		t.Errorf("no decision: %s: %s (%v)", r.Outcome, r.Reason, err)
	}
	url, stop := up(t, dir, nil)
	apps := after(historyRows, 199)
	for i, d := range score(t, url, apps...).Results {
		outcome := map[string]any{"outcomes": []any{map[string]string{"decision": d.ID, "value": apps[i].Label()}}}
		if _, err := post(url+"/v1/outcomes/loans", outcome, nil); err != nil {
			t.Fatal(err)
		}
	}
	r, err = Retrain(t.Context(), dir, RetrainOptions{}) // beside the server
	if err != nil || r.Outcome != retrain.TooFew || !strings.Contains(r.Reason, "199 mature decisions of the champion have an outcome; a challenger is judged by at least 200") {
		t.Errorf("199 decisions: %s: %s (%v)", r.Outcome, r.Reason, err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if v := champion(t, dir); v != 1 {
		t.Errorf("version %d is the champion", v)
	}
	if kinds := eventKinds(t, dir); !strings.Contains(kinds, retrain.EventEnded) {
		t.Errorf("the audit trail has only %s", kinds)
	}
}

// An error on the way is no promotion either, and is in the audit trail.
func TestRetrainStoppedByAnError(t *testing.T) {
	t.Parallel()
	dir := lived(t)
	stop := errors.New("out of patience")
	_, err := Retrain(t.Context(), dir, RetrainOptions{AtStep: func(retrain.Step) error { return stop }})
	if !errors.Is(err, stop) {
		t.Fatalf("retrain: %v", err)
	}
	if v := champion(t, dir); v != 1 {
		t.Errorf("version %d is the champion", v)
	}
	if kinds := eventKinds(t, dir); !strings.HasPrefix(kinds, `["`+retrain.EventFailed) {
		t.Errorf("the newest events are %s", kinds)
	}
	if _, err := Retrain(t.Context(), t.TempDir(), RetrainOptions{}); err == nil {
		t.Error("a folder without a project was retrained")
	}
}
