package decisions

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// This file is inside the package: whether a file was made durable can be seen
// from outside only by cutting the power.

// counted opens a log whose fsyncs are counted, or fail as fail says.
func counted(t *testing.T, d Durability, fail *atomic.Pointer[error]) (*Log, *atomic.Int64) {
	t.Helper()
	l, err := Open(t.TempDir(), Options{Durability: d, SegmentSize: 4096})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	syncs := new(atomic.Int64)
	// Nothing was appended yet, so the writer waits and reads this only later.
	l.fsync = func(f *os.File) error {
		syncs.Add(1)
		if e := fail.Load(); e != nil {
			return *e
		}
		return f.Sync()
	}
	return l, syncs
}

func decided(l *Log, n int) Decision {
	at := time.Date(2026, 3, 1, 9, 0, n, 0, time.UTC)
	return Decision{ID: l.NewID(at), Time: at, Project: "credit", Key: fmt.Sprint(n), Inputs: []byte(`{"a":1}`)}
}

// With Disk an answer comes after an fsync; with OS and Async only a segment
// that is full is made durable.
func TestDurability(t *testing.T) {
	t.Parallel()
	for _, d := range []Durability{OS, Disk, Async} {
		l, syncs := counted(t, d, new(atomic.Pointer[error]))
		for n := range 5 {
			if err := l.Append(t.Context(), decided(l, n)); err != nil {
				t.Fatal(err)
			}
			if want := int64(n + 1); d == Disk && syncs.Load() != want {
				t.Errorf("%s: %d fsyncs before answer %d", d, syncs.Load(), want)
			}
		}
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d != Disk && syncs.Load() != 0 {
			t.Errorf("%s: %d fsyncs", d, syncs.Load())
		}
		syncs.Store(0)
		for n := range 30 { // which fill a segment
			if err := l.Append(t.Context(), decided(l, 10+n)); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		segments := int64(l.at.seg - 1)
		want := segments
		if d == Disk {
			want += 30
		}
		if segments < 1 || syncs.Load() != want {
			t.Errorf("%s: %d fsyncs for 30 decisions and %d full segments, want %d", d, syncs.Load(), segments, want)
		}
	}
}

// After an fsync that failed nothing is known of what is on the disk: nothing
// more is answered until the log was read anew.
func TestFailedSync(t *testing.T) {
	t.Parallel()
	var fail atomic.Pointer[error]
	l, _ := counted(t, Disk, &fail)
	if err := l.Append(t.Context(), decided(l, 1)); err != nil {
		t.Fatal(err)
	}
	bad := errors.New("the disk has gone")
	fail.Store(&bad)
	if err := l.Append(t.Context(), decided(l, 2)); !errors.Is(err, bad) {
		t.Errorf("append: %v", err)
	}
	fail.Store(nil)
	if err := l.Append(t.Context(), decided(l, 3)); !errors.Is(err, bad) {
		t.Errorf("append after it: %v", err)
	}
	if n := l.Counts("credit").Decisions; n != 1 {
		t.Errorf("%d decisions, want 1", n)
	}
}
