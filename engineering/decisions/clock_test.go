package decisions_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/decisions"
)

// Whatever the clock does, every id is its own and the log keeps its order. Ids
// sort by the order they were made in as long as the clock is not set back by a
// minute or more; then they follow the clock.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := open(t, dir, decisions.Options{SegmentSize: 4096})
	other := open(t, t.TempDir(), decisions.Options{})
	now := start
	var ids []string
	sorted := true
	for n, jump := range []time.Duration{0, time.Second, -time.Second, -50 * time.Second, 0, time.Hour, -30 * time.Second, 100 * 365 * day,
		-50 * 365 * day, time.Second, -60 * 365 * day} {
		now = now.Add(jump)
		for range 5000 { // more than the counter of a millisecond has room for
			ids = append(ids, log.NewID(now))
		}
		if n < 8 {
			sorted = sorted && slices.IsSorted(ids)
		}
		d := application(other, n) // whose clock is its own
		d.ID, d.Time = log.NewID(now), now
		ids = append(ids, d.ID)
		if err := log.Append(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if _, err := log.AppendOutcomes(t.Context(), decisions.Outcome{Decision: d.ID, Value: "good", At: now}); err != nil {
			t.Fatal(err)
		}
	}
	if !sorted {
		t.Error("ids do not sort by the order they were made in")
	}
	slices.Sort(ids)
	if n := len(slices.Compact(ids)); n != 11*5001 {
		t.Errorf("%d different ids of %d", n, 11*5001)
	}
	log.Close()
	mustVerify(t, dir)
	log = open(t, dir, decisions.Options{Now: func() time.Time { return now }})
	n := 0
	if _, err := log.Scan(t.Context(), decisions.Position{}, func(r decisions.Record) error {
		if r.Decision != nil {
			if want := fmt.Sprint(4000 + n); r.Decision.Key != want {
				t.Errorf("decision %d is %s", n, r.Decision.Key)
			}
			n++
		}
		return nil
	}); err != nil || n != 11 {
		t.Errorf("%d decisions, %v", n, err)
	}
	// A decision of the far future keeps its segment, and all after it, until then.
	if done, err := log.Retain(t.Context(), decisions.Retention{Records: day}); err != nil || done.Removed != 0 {
		t.Errorf("retention by a clock that went wrong: %+v, %v", done, err)
	}
}
