package decisions_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/decisions"
)

const day = 24 * time.Hour

// years makes a log of one decision a day from start on, of which every third
// has an outcome a month later, in segments of about ten days. The clock shows
// what now says.
func years(t testing.TB, dir string, days int, now *time.Time) (*decisions.Log, []decisions.Decision) {
	t.Helper()
	log := open(t, dir, decisions.Options{SegmentSize: 4096, Now: func() time.Time { return *now }})
	var ds []decisions.Decision
	for i := range days {
		d := application(log, i)
		d.Time, d.Bundle = start.Add(time.Duration(i)*day), "b1"
		ds = append(ds, d)
		if err := log.Append(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if i >= 30 && i%3 == 0 {
			if _, err := log.AppendOutcomes(t.Context(), decisions.Outcome{Decision: ds[i-30].ID, Value: "good", At: d.Time}); err != nil {
				t.Fatal(err)
			}
		}
	}
	*now = start.Add(time.Duration(days) * day)
	return log, ds
}

func segmentNames(t testing.TB, dir string) []string {
	t.Helper()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(files(t, dir))), func(name string) bool { return !strings.HasSuffix(name, ".seg") })
}

func TestRetain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var now time.Time
	log, ds := years(t, dir, 200, &now)
	reader, err := decisions.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Erase(t.Context(), ds[130].ID, ds[195].ID); err != nil {
		t.Fatal(err)
	}
	before := segmentNames(t, dir)
	rule := decisions.Retention{Content: 60 * day, Records: 120 * day}
	done, err := log.Retain(t.Context(), rule)
	if err != nil || done.Removed < 5 || done.Erased < 3 {
		t.Fatalf("retain: %+v, %v", done, err)
	}
	if names := segmentNames(t, dir); len(names) != len(before)-done.Removed+1 || names[0] != before[done.Removed] {
		t.Fatalf("of %v there are %v after %+v", before, names, done)
	}

	// expect holds a log to the rule: nothing that is young enough is gone, and
	// nothing old is there but what shares a segment with what is younger.
	expect := func(log *decisions.Log, stale bool) {
		t.Helper()
		kinds := ""
		for i, d := range ds {
			_, o, err := log.Get(d.ID)
			kind := "k"
			switch {
			case errors.Is(err, decisions.ErrUnknown):
				kind = "u"
			case errors.Is(err, decisions.ErrErased):
				kind = "e"
			case err != nil:
				t.Fatal(err)
			case i%3 == 0 && i < 170 && (o == nil || o.Value != "good"):
				t.Errorf("decision of day %d lost its outcome: %v", i, o)
			}
			kinds += kind
		}
		gone, kept := strings.LastIndex(kinds, "u")+1, strings.Index(kinds, "k")
		if strings.Trim(kinds[:gone], "u") != "" || gone > 80 || gone < 60 {
			t.Errorf("the first %d days are gone: %s", gone, kinds)
		}
		if strings.Trim(kinds[gone:kept], "e") != "" || kept > 140 || kept < 120 || strings.Count(kinds[kept:], "e") != 1 {
			t.Errorf("content is there from day %d on: %s", kept, kinds)
		}
		if stale {
			return
		}
		counted := int64(0)
		if _, err := log.Scan(t.Context(), decisions.Position{}, func(r decisions.Record) error {
			if r.Decision != nil {
				counted++
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		if n := log.Counts("credit").Decisions; n != counted || n != int64(strings.Count(kinds, "k")) {
			t.Errorf("%d decisions are counted, %d scanned, %d found", n, counted, strings.Count(kinds, "k"))
		}
		if got := log.Erased(); got != int64(strings.Count(kinds, "e")) {
			t.Errorf("%d are erased, want %d", got, strings.Count(kinds, "e"))
		}
		if found, err := log.ByKey("credit", ds[3].Key); err != nil || len(found) > 0 {
			t.Errorf("a removed decision is found by its key: %v, %v", found, err)
		}
		if found, err := log.ByKey("credit", ds[199].Key); err != nil || len(found) != 1 || found[0].ID != ds[199].ID {
			t.Errorf("a kept decision by its key: %v, %v", found, err)
		}
		settled, err := log.Settled("credit")
		if err != nil || len(settled) == 0 || settled[0].Time.Before(ds[kept].Time) {
			t.Errorf("settled: %d, %v", len(settled), err)
		}
	}
	expect(log, false)
	r := mustVerify(t, dir)
	if r.Removed == nil || !r.Removed.At.Equal(now) || int64(r.Removed.Records)+r.Decisions+r.Outcomes+4 != int64(r.Head.Records) {
		t.Errorf("report %+v, removed %+v", r, r.Removed)
	}
	again, err := log.Retain(t.Context(), rule)
	if err != nil || again != (decisions.Retained{}) {
		t.Errorf("nothing has grown older: %+v, %v", again, err)
	}
	expect(reader, true)
	if err := reader.Refresh(); err != nil {
		t.Fatal(err)
	}
	expect(reader, false)

	// The log goes on, and is the same when it is opened anew.
	d := application(log, 4)
	if err := log.Append(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if _, err := log.AppendOutcomes(t.Context(), decisions.Outcome{Decision: ds[2].ID, Value: "good", At: now}); !errors.Is(err, decisions.ErrUnknown) {
		t.Errorf("outcome of a removed decision: %v", err)
	}
	if err := log.Erase(t.Context(), ds[2].ID); !errors.Is(err, decisions.ErrUnknown) {
		t.Errorf("erasure of a removed decision: %v", err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if log = open(t, dir, decisions.Options{}); log.Recovered() != (decisions.Recovery{}) {
		t.Errorf("recovered %+v", log.Recovered())
	}
	expectOpened := log.Counts("credit").Decisions
	if n := reader.Counts("credit").Decisions; expectOpened != n+1 {
		t.Errorf("%d decisions after opening anew, there were %d and one more", expectOpened, n)
	}
	mustVerify(t, dir)
}

// A sink that has not sent a segment keeps it.
func TestRetainWaitsForReaders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var now time.Time
	log, _ := years(t, dir, 100, &now)
	rule := decisions.Retention{Content: day, Records: 2 * day, Before: func() decisions.Position { return decisions.Position{} }}
	if done, err := log.Retain(t.Context(), rule); err != nil || done != (decisions.Retained{}) {
		t.Fatalf("nothing was sent: %+v, %v", done, err)
	}
	rule.Before = func() decisions.Position { return decisions.Position{Segment: 3, Offset: 64} }
	if done, err := log.Retain(t.Context(), rule); err != nil || done.Removed != 2 || done.Erased != 0 {
		t.Fatalf("two segments were sent: %+v, %v", done, err)
	}
	if names := segmentNames(t, dir); names[0] != "00000003.seg" {
		t.Errorf("the first segment is %s", names[0])
	}
	mustVerify(t, dir)
	if _, err := log.Retain(t.Context(), decisions.Retention{Records: -1}); err == nil {
		t.Error("a negative age")
	}
}

// A log of few decisions gets a new segment when the one it writes is old.
func TestRetainClosesByAge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := start
	log := open(t, dir, decisions.Options{Now: func() time.Time { return now }})
	for i := range 48 {
		d := application(log, i)
		d.Time = now
		if err := log.Append(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if _, err := log.Retain(t.Context(), decisions.Retention{Records: 24 * day}); err != nil {
			t.Fatal(err)
		}
		now = now.Add(day)
	}
	r := mustVerify(t, dir)
	if r.Removed == nil || r.Decisions < 24 || r.Decisions > 27 {
		t.Errorf("after 48 days %d decisions are there: %+v", r.Decisions, r.Removed)
	}
}

// A process that ends in the middle of what it declared leaves a log that the
// next opening brings to the same end; a reader sees it as done.
func TestRetainIsFinished(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var now time.Time
	log, _ := years(t, dir, 100, &now)
	before := files(t, dir)
	if _, err := log.Retain(t.Context(), decisions.Retention{Content: 30 * day, Records: 60 * day}); err != nil {
		t.Fatal(err)
	}
	log.Close()
	after := files(t, dir)
	kept, decided := segmentNames(t, dir), len(segmentNames(t, dir))
	for left := range 3 { // the last so many removed segments, and the first emptied ones, are as before
		t.Run(fmt.Sprint(left), func(t *testing.T) {
			dir := t.TempDir()
			lay(t, dir, after)
			first := 0
			fmt.Sscanf(kept[0], "%d", &first)
			for n := range left {
				name := fmt.Sprintf("%08d.seg", first-1-n)
				lay(t, dir, map[string][]byte{name: before[name]})
				name = fmt.Sprintf("%08d.seg", first+n)
				half := bytes.Clone(after[name])
				copy(half[len(half)/2:], before[name][len(half)/2:])
				lay(t, dir, map[string][]byte{name: half})
			}
			if left > 0 {
				if r := verify(t, dir); r.OK() {
					t.Error("verify finds nothing unfinished")
				}
			}
			reader, err := decisions.OpenReadOnly(dir)
			if err != nil {
				t.Fatal(err)
			}
			counts := reader.Counts("credit")
			log := open(t, dir, decisions.Options{})
			if log.Counts("credit") != counts || counts.Decisions == 0 {
				t.Errorf("%+v, the reader saw %+v", log.Counts("credit"), counts)
			}
			log.Close()
			if r := mustVerify(t, dir); r.Segments != decided {
				t.Errorf("%d segments, want %d", r.Segments, decided)
			}
			for name, b := range files(t, dir) {
				if name != "head" && !bytes.Equal(b, after[name]) {
					t.Errorf("%s is not as it would have been", name)
				}
			}
		})
	}
}

// What somebody else removes is found, and a removed part cannot be extended.
func TestRemovedByHand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var now time.Time
	log, _ := years(t, dir, 60, &now)
	log.Close()
	if err := os.Remove(filepath.Join(dir, "00000001.seg")); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, dir); r.OK() || !strings.Contains(r.Problems[0].Error(), "missing") {
		t.Errorf("problems %v", r.Problems)
	}
	if _, err := decisions.Open(dir, decisions.Options{}); err == nil || !strings.Contains(err.Error(), "00000001.seg") {
		t.Errorf("open: %v", err)
	}

	dir = t.TempDir()
	log, _ = years(t, dir, 100, &now)
	if _, err := log.Retain(t.Context(), decisions.Retention{Records: 60 * day}); err != nil {
		t.Fatal(err)
	}
	log.Close()
	first := segmentNames(t, dir)[0]
	if err := os.Remove(filepath.Join(dir, first)); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, dir); r.OK() || !strings.Contains(r.Problems[0].Error(), first) {
		t.Errorf("problems %v", r.Problems)
	}
	if _, err := decisions.Open(dir, decisions.Options{}); err == nil || !strings.Contains(err.Error(), first) {
		t.Errorf("open: %v", err)
	}
}

// Retention goes on while others append, look and read along.
func TestRetainUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var now time.Time
	log, ds := years(t, dir, 150, &now)
	stop := make(chan struct{})
	failed := make(chan error, 3)
	work := func(f func(n int) error) {
		go func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					failed <- nil
					return
				default:
				}
				if err := f(n); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	work(func(n int) error {
		d := application(log, n)
		d.Time = now
		if err := log.Append(t.Context(), d); err != nil {
			return err
		}
		_, err := log.AppendOutcomes(t.Context(), decisions.Outcome{Decision: d.ID, Value: "bad", At: now})
		return err
	})
	work(func(n int) error {
		_, _, err := log.Get(ds[n%len(ds)].ID)
		if errors.Is(err, decisions.ErrUnknown) || errors.Is(err, decisions.ErrErased) {
			return nil
		}
		return err
	})
	work(func(int) error {
		if _, err := log.Settled("credit"); err != nil {
			return err
		}
		reader, err := decisions.OpenReadOnly(dir)
		if err != nil {
			return err
		}
		_, err = reader.Scan(t.Context(), decisions.Position{}, func(decisions.Record) error { return nil })
		return err
	})
	for age := 140; age > 0; age -= 10 {
		if _, err := log.Retain(t.Context(), decisions.Retention{Records: time.Duration(age) * day, Content: time.Duration(age) * day / 2}); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	for range 3 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	log.Close()
	mustVerify(t, dir)
}

// An erasure right after a removal: the segment before the last is gone.
func TestEraseAfterRemoval(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := start
	log := open(t, dir, decisions.Options{Now: func() time.Time { return now }})
	fill(t, log, 3)
	now = now.Add(100 * day)
	if _, err := log.Retain(t.Context(), decisions.Retention{Records: day}); err != nil { // closes the only segment
		t.Fatal(err)
	}
	d := application(log, 1)
	d.Time = now
	if err := log.Append(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if done, err := log.Retain(t.Context(), decisions.Retention{Records: day}); err != nil || done.Removed != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	if err := log.Erase(t.Context(), d.ID); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, dir)
}
