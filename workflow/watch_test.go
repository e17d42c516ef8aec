package workflow

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/project"
)

// watched is a decision log of its own with the small project's model and a
// watch over it.
type watched struct {
	t       *testing.T
	dir     string
	log     *decisions.Log
	project *project.Project
	bundle  *bundle.Bundle
}

func newWatched(t *testing.T, window string) *watched {
	t.Helper()
	dir := trained(t)
	rewrite(t, dir, "window: 500", "window: "+window)
	p, err := project.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := OpenModels(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	_, b, err := m.Show(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{t: t, dir: t.TempDir(), project: p, bundle: b}
	if w.log, err = decisions.Open(w.dir, decisions.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.log.Close() })
	return w
}

func (w *watched) watch() *watch {
	return newWatch(w.log, w.project, func(string) (*bundle.Bundle, error) { return w.bundle, nil })
}

func (w *watched) catchUp(from *watch) Watched {
	w.t.Helper()
	if err := from.catchUp(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return from.seen(w.bundle.ID())
}

var morning = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// decide logs n decisions after the first skip, one every step, and returns
// them with what will turn out to be true.
func (w *watched) decide(skip, n int, from time.Time, step time.Duration) []decisions.Outcome {
	w.t.Helper()
	ds := make([]decisions.Decision, n)
	outcomes := make([]decisions.Outcome, n)
	row := make([]float64, w.bundle.Layout().Cols())
	for i, a := range after(historyRows+skip, n) {
		if _, err := w.bundle.Layout().DecodeJSON(row, a.JSON(), true); err != nil {
			w.t.Fatal(err)
		}
		at := from.Add(time.Duration(i) * step)
		ds[i] = decisions.Decision{ID: w.log.NewID(at), Time: at, Project: "loans", Bundle: w.bundle.ID(), Inputs: a.JSON()}
		ds[i].Margin, ds[i].Score = w.bundle.Score(row)
		outcomes[i] = decisions.Outcome{Decision: ds[i].ID, Value: a.Label(), At: at.Add(time.Hour)}
	}
	if err := w.log.Append(w.t.Context(), ds...); err != nil {
		w.t.Fatal(err)
	}
	return outcomes
}

func (w *watched) learn(outcomes ...decisions.Outcome) {
	w.t.Helper()
	if _, err := w.log.AppendOutcomes(w.t.Context(), outcomes...); err != nil {
		w.t.Fatal(err)
	}
}

// However often a watch looked, one that begins anew sees the same windows.
func TestWatchIsRebuilt(t *testing.T) {
	t.Parallel()
	w := newWatched(t, "500")
	first := w.watch()
	var late []decisions.Outcome
	for part := range 17 { // 1700 decisions, the outcomes 600 behind
		late = append(late, w.decide(100*part, 100, morning.Add(time.Duration(part)*time.Hour), time.Second)...)
		if len(late) > 600 {
			w.learn(late[:100]...)
			late = late[100:]
		}
		w.catchUp(first)
	}
	got := w.catchUp(first)
	if len(got.Windows) != 3 || got.Seen != 200 || got.Of != 500 || len(got.Outcomes) != 2 {
		t.Fatalf("%d windows, %d of %d in the next, %d of outcomes; want 3, 200 of 500, 2", len(got.Windows), got.Seen, got.Of, len(got.Outcomes))
	}
	for i, r := range got.Windows {
		if r.Decisions != 500 || i > 0 && r.From.Before(got.Windows[i-1].To) || r.To.Before(r.From) {
			t.Errorf("window %d has %d decisions from %v to %v", i, r.Decisions, r.From, r.To)
		}
	}
	if again := w.catchUp(w.watch()); !reflect.DeepEqual(got, again) {
		t.Errorf("rebuilt, the watch has seen\n%+v\nnot\n%+v", again, got)
	}
	if p := got.Outcomes[0]; !p.Worse || !p.Alarm {
		t.Errorf("the world changed with the first decision, and the first window of outcomes says %v", p.Sentences)
	}
}

// Outcomes count once, however often they are repeated or corrected.
func TestOutcomesCountOnce(t *testing.T) {
	t.Parallel()
	w := newWatched(t, "500")
	outcomes := w.decide(0, 500, morning, time.Second)
	first := w.watch()
	w.learn(outcomes[:400]...)
	w.catchUp(first)
	corrected := append([]decisions.Outcome(nil), outcomes[:400]...)
	for i := range corrected {
		corrected[i].Value = map[string]string{"yes": "no", "no": "yes"}[corrected[i].Value]
	}
	w.learn(corrected...)
	w.learn(outcomes[:400]...) // and back
	if got := w.catchUp(first); len(got.Outcomes) != 0 {
		t.Fatalf("400 outcomes, corrected twice, filled a window of 500: %+v", got.Outcomes)
	}
	w.learn(outcomes[400:]...)
	got := w.catchUp(first)
	if len(got.Outcomes) != 1 || got.Outcomes[0].Outcomes != 500 {
		t.Fatalf("500 outcomes made %d windows", len(got.Outcomes))
	}
	if again := w.catchUp(w.watch()); !reflect.DeepEqual(got, again) {
		t.Error("rebuilt, the watch has counted otherwise")
	}
}

// However many bundles have decided, those are watched that decided last, and a
// watch that begins anew has let go of the same ones.
func TestBundlesThatDecideNoMoreAreNotWatched(t *testing.T) {
	t.Parallel()
	w := newWatched(t, "100")
	apps := after(historyRows, 50)
	row := make([]float64, w.bundle.Layout().Cols())
	decide := func(id string) (outcomes []decisions.Outcome) {
		t.Helper()
		ds := make([]decisions.Decision, len(apps))
		for i, a := range apps {
			if _, err := w.bundle.Layout().DecodeJSON(row, a.JSON(), true); err != nil {
				t.Fatal(err)
			}
			ds[i] = decisions.Decision{ID: w.log.NewID(morning), Time: morning, Project: "loans", Bundle: id, Inputs: a.JSON()}
			ds[i].Margin, ds[i].Score = w.bundle.Score(row)
			outcomes = append(outcomes, decisions.Outcome{Decision: ds[i].ID, Value: a.Label(), At: morning})
		}
		if err := w.log.Append(t.Context(), ds...); err != nil {
			t.Fatal(err)
		}
		return outcomes
	}
	const rounds = 2 * mostWatched
	id := func(n int) string { return fmt.Sprintf("%064x", n) }
	first := w.watch()
	late := map[int][]decisions.Outcome{}
	for n := range rounds { // a canary that is never the same one beside one champion
		late[n] = decide(id(n))
		decide(w.bundle.ID())
		w.catchUp(first)
		if len(first.watched) > mostWatched {
			t.Fatalf("%d bundles are watched", len(first.watched))
		}
	}
	w.learn(late[0]...)
	w.learn(late[rounds-1]...)
	if got := w.catchUp(first); len(got.Windows) != rounds/2 || got.Seen != 0 {
		t.Errorf("the champion has %d windows and %d decisions, not %d and 0", len(got.Windows), got.Seen, rounds/2)
	}
	again := w.watch()
	w.catchUp(again)
	for n := range rounds {
		got := first.seen(id(n))
		if want := map[bool]int{true: len(apps)}[n > rounds-mostWatched]; got.Seen != want {
			t.Errorf("of bundle %d of %d %d decisions were seen, not %d", n, rounds, got.Seen, want)
		}
		if !reflect.DeepEqual(got, again.seen(id(n))) {
			t.Errorf("rebuilt, the watch has seen otherwise of bundle %d", n)
		}
	}
	decide(id(0)) // it is back
	if w.catchUp(first); first.seen(id(0)).Seen != len(apps) {
		t.Errorf("of a bundle that decides again %d decisions were seen", first.seen(id(0)).Seen)
	}
}

// A window of a duration ends although nobody comes any more; one that is
// rebuilt later ends at the same place.
func TestWindowsEndWithTheClock(t *testing.T) {
	t.Parallel()
	w := newWatched(t, "1h")
	first := w.watch()
	w.decide(0, 300, morning, 10*time.Second) // 50 minutes
	w.catchUp(first)
	first.tick(morning.Add(time.Hour + settleLag - time.Second))
	if got := w.catchUp(first); len(got.Windows) != 0 {
		t.Fatal("the window was closed while decisions could still be on their way into it")
	}
	first.tick(morning.Add(time.Hour + settleLag + time.Second))
	got := w.catchUp(first)
	if len(got.Windows) != 1 || got.Windows[0].Decisions != 300 || !got.Windows[0].To.Equal(morning.Add(time.Hour)) {
		t.Fatalf("after the hour: %+v", got.Windows)
	}
	w.decide(300, 300, morning.Add(2*time.Hour), 10*time.Second)
	got = w.catchUp(first)
	rebuilt := w.watch()
	if again := w.catchUp(rebuilt); !reflect.DeepEqual(got.Windows, again.Windows) {
		t.Errorf("rebuilt: %d windows, %d before", len(again.Windows), len(got.Windows))
	}
}

// What a bundle does not understand is passed over and counted, and does not
// stop the watch.
func TestWatchPassesOver(t *testing.T) {
	t.Parallel()
	w := newWatched(t, "500")
	w.decide(0, 250, morning, time.Second)
	at := morning.Add(time.Hour)
	odd := decisions.Decision{ID: w.log.NewID(at), Time: at, Project: "loans", Bundle: w.bundle.ID(), Inputs: []byte(`{"annual_income":"much"}`)}
	other := decisions.Decision{ID: w.log.NewID(at), Time: at, Project: "cards", Bundle: w.bundle.ID(), Inputs: []byte(`{}`)}
	if err := w.log.Append(t.Context(), odd, other); err != nil {
		t.Fatal(err)
	}
	w.learn(decisions.Outcome{Decision: odd.ID, Value: "perhaps", At: at}, decisions.Outcome{Decision: other.ID, Value: "yes", At: at})
	w.decide(250, 250, at.Add(time.Hour), time.Second)
	first := w.watch()
	if got := w.catchUp(first); len(got.Windows) != 1 || got.Windows[0].Decisions != 500 {
		t.Errorf("windows %+v, want one of 500", got.Windows)
	}
	if n := first.passedOver(w.bundle.ID()); n != 2 {
		t.Errorf("%d were passed over, want 2", n)
	}
}

// An alarm is told when it begins and when it is over; a restart tells nothing
// of what was before it.
func TestAlarmsAreToldOnce(t *testing.T) {
	t.Parallel()
	w := newWatched(t, "500")
	outcomes := w.decide(0, 2000, morning, time.Second) // all of them in the changed world
	w.learn(outcomes[:500]...)
	var told []string
	listening := func() *watch {
		watch := w.watch()
		watch.alarm = func(_, text string) { told = append(told, text) }
		w.catchUp(watch)
		return watch
	}
	first := listening()
	if got := w.catchUp(first); len(got.alarms()) == 0 || len(told) > 0 {
		t.Errorf("the past has alarms %q, told were %q; want some and none", got.alarms(), told)
	}
	w.learn(outcomes[500:1000]...)
	if w.catchUp(first); len(told) > 0 {
		t.Errorf("an alarm that goes on was told: %q", told)
	}
	right := outcomes[1000:1500]
	for i := range right { // as the model says, so that there is no drop
		d, _, err := w.log.Get(right[i].Decision)
		if err != nil {
			t.Fatal(err)
		}
		right[i].Value = w.bundle.Decide(d.Score)
	}
	w.learn(right...)
	w.catchUp(first)
	w.learn(outcomes[1500:]...)
	w.catchUp(first)
	if len(told) != 2 || told[0] != "the performance drop is over" || !strings.HasPrefix(told[1], "ALARM performance drop: ") {
		t.Errorf("told were %q, want the end of the drop and another one", told)
	}
	if told = nil; listening() == nil || len(told) > 0 {
		t.Errorf("a restart told %q", told)
	}
}

// Requests are answered while the watch reads a log that does not end.
func TestWatchIsBesideTheAnswers(t *testing.T) {
	t.Parallel()
	err := inService(lived(t), func(s *service) error {
		s.watch.reading.Lock()
		defer s.watch.reading.Unlock()
		s.watch.seen(s.champion.Bundle) // a page does not wait either
		for range 20 {
			if status := handled(s.server.Handler(), "/v1/score/loans", rowsOf(after(historyRows, 1))); status != 200 {
				t.Errorf("status %d", status)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
