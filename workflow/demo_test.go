package workflow

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// A short demo tells the whole story: no alarm before the drift, one soon
// after, a shuffled challenger refused, an honest one promoted, and better.
func TestDemo(t *testing.T) {
	t.Parallel()
	budget := 2 * time.Second
	if raceDetector {
		budget = 20 * time.Second // the search must get beyond the baseline
	}
	play(t, 1, course{history: 2000, drift: 1000, more: 3000, after: 1000, most: 12_000, budget: budget})
}

// The demo as people see it, on two seeds.
func TestDemoInFull(t *testing.T) {
	if testing.Short() || os.Getenv("TANDEM_LONG") == "" {
		t.Skip("two full demos take a minute; set TANDEM_LONG=1 to play them")
	}
	for seed := range uint64(2) {
		play(t, 11+seed, fullCourse)
	}
}

func play(t *testing.T, seed uint64, c course) {
	t.Helper()
	var story strings.Builder
	r, err := Demo(t.Context(), DemoOptions{Address: "127.0.0.1:0", Seed: seed, course: c,
		Event: func(at time.Duration, what string) { fmt.Fprintf(&story, "%5.1f s  %s\n", at.Seconds(), what) }})
	t.Logf("seed %d:\n%s", seed, &story)
	if err != nil {
		t.Fatal(err)
	}
	if r.FalseAlarms != 0 {
		t.Errorf("%d false alarms", r.FalseAlarms)
	}
	if r.WindowsToAlarm < 1 || r.WindowsToAlarm > 2 {
		t.Errorf("the alarm came after %d windows of outcomes, want 1 or 2", r.WindowsToAlarm)
	}
	if !r.ShuffledKept || !r.Promoted || !r.AuditVerified {
		t.Errorf("shuffled refused %v, promoted %v, verified %v; want all", r.ShuffledKept, r.Promoted, r.AuditVerified)
	}
	if r.Accuracy <= r.FrozenAccuracy || r.Accuracy > r.BestAccuracy+0.02 {
		t.Errorf("accuracy %.3f, of the frozen model %.3f, of the truth %.3f", r.Accuracy, r.FrozenAccuracy, r.BestAccuracy)
	}
	told := story.String()
	last := 0
	for _, want := range []string{"version 1 answers", "THE WORLD CHANGES", "ALARM performance drop", "shuffled outcomes", "gate: kept",
		"gate: promoted", "accuracy on the", "the audit trail", "retrain.judged", "verify"} {
		at := strings.Index(told[last:], want)
		if at < 0 {
			t.Fatalf("the time-line does not tell %q after what came before it", want)
		}
		last += at
	}
}
