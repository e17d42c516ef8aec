package decisions_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/tandem-ml/tandem/engineering/decisions"
)

func TestOneWriterAndManyReaders(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "decisions")
	log := open(t, dir, decisions.Options{})
	fill(t, log, 2)
	_, err := decisions.Open(dir, decisions.Options{})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprint("in use by process ", os.Getpid())) {
		t.Fatalf("a second writer: %v", err)
	}
	reader, err := decisions.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	ds := fill(t, log, 3)
	if n := reader.Counts("credit").Decisions; n != 2 {
		t.Errorf("before Refresh %d decisions, want 2", n)
	}
	if err := reader.Refresh(); err != nil {
		t.Fatal(err)
	}
	if n := reader.Counts("credit").Decisions; n != 5 {
		t.Errorf("after Refresh %d decisions, want 5", n)
	}
	if _, _, err := reader.Get(ds[2].ID); err != nil {
		t.Error(err)
	}
	if err := reader.Append(t.Context(), application(reader, 1)); !errors.Is(err, decisions.ErrReadOnly) {
		t.Errorf("append to a reader: %v", err)
	}
	if _, err := reader.AppendOutcomes(t.Context()); !errors.Is(err, decisions.ErrReadOnly) {
		t.Errorf("outcomes to a reader: %v", err)
	}
	if err := reader.Erase(t.Context(), ds[0].ID); !errors.Is(err, decisions.ErrReadOnly) {
		t.Errorf("erase with a reader: %v", err)
	}
	if reader.Head() != log.Head() {
		t.Errorf("heads differ: %s, %s", reader.Head(), log.Head())
	}
	if _, err := decisions.OpenReadOnly(filepath.Join(dir, "no")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	for name, mode := range map[string]os.FileMode{".": 0o700, "00000001.seg": 0o600, "head": 0o600, "lock": 0o600} {
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || st.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, %v; want %v", name, st.Mode().Perm(), err, mode)
		}
	}
}

func TestManyAppendersAtOnce(t *testing.T) {
	t.Parallel()
	for _, durability := range []decisions.Durability{decisions.OS, decisions.Disk, decisions.Async} {
		t.Run(string(durability), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			log := open(t, dir, decisions.Options{Durability: durability, SegmentSize: 32 << 10})
			const workers, each = 16, 40
			var all sync.WaitGroup
			for w := range workers {
				all.Go(func() {
					for i := range each {
						d := application(log, w*each+i)
						if err := log.Append(t.Context(), d); err != nil {
							t.Error(err)
							return
						}
						if i%4 == 0 {
							if _, err := log.AppendOutcomes(t.Context(), decisions.Outcome{Decision: d.ID, Value: "good", At: start}); err != nil {
								t.Error(err)
							}
						}
						if i%10 == 5 {
							if err := log.Erase(t.Context(), d.ID); err != nil {
								t.Error(err)
							}
						}
						if durability != decisions.Async {
							if got, _, err := log.Get(d.ID); err == nil && !reflect.DeepEqual(got, d) || err != nil && !errors.Is(err, decisions.ErrErased) {
								t.Errorf("read own decision: %+v, %v", got, err)
							}
						}
						if i%20 == 0 {
							if _, err := log.Recent("credit", 5); err != nil {
								t.Error(err)
							}
						}
					}
				})
			}
			all.Wait()
			if err := log.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := decisions.Counts{Decisions: workers * each * 9 / 10, Outcomes: workers * each / 4}
			if got := log.Counts("credit"); got != want || log.Erased() != workers*each/10 {
				t.Errorf("counts %+v and %d erased, want %+v", got, log.Erased(), want)
			}
			if err := log.Close(); err != nil {
				t.Fatal(err)
			}
			if r := mustVerify(t, dir); r.Decisions != workers*each || r.Erased != workers*each/10 {
				t.Errorf("report %+v", r)
			}
			if got := open(t, dir, decisions.Options{}).Counts("credit"); got != want {
				t.Errorf("opened anew: counts %+v, want %+v", got, want)
			}
		})
	}
}

// TestCloseUnderLoad closes a log that many append to, some with calls of several
// decisions and some that stop waiting: what was acknowledged is there afterwards,
// in a sound chain, and nothing is there half.
func TestCloseUnderLoad(t *testing.T) {
	t.Parallel()
	for _, durability := range []decisions.Durability{decisions.OS, decisions.Disk, decisions.Async} {
		dir := t.TempDir()
		log := open(t, dir, decisions.Options{Durability: durability, SegmentSize: 16 << 10})
		var mu sync.Mutex
		var kept [][]string // ids of acknowledged calls
		var wg, begun sync.WaitGroup
		for k := range 8 {
			begun.Add(1)
			wg.Go(func() {
				for i := 0; ; i++ {
					if i == 20 {
						begun.Done()
					}
					var ds []decisions.Decision
					var ids []string
					for range 1 + i%3 {
						ds = append(ds, application(log, k))
						ids = append(ids, ds[len(ds)-1].ID)
					}
					ctx, cancel := context.WithCancel(t.Context())
					if k == 0 && i%2 == 1 {
						go cancel() // it may or may not be kept
					}
					err := log.Append(ctx, ds...)
					cancel()
					switch {
					case err == nil:
						mu.Lock()
						kept = append(kept, ids)
						mu.Unlock()
					case errors.Is(err, context.Canceled):
					case errors.Is(err, decisions.ErrClosed):
						if i < 20 {
							begun.Done()
							t.Errorf("closed before call %d", i)
						}
						return
					default:
						t.Error(err)
						return
					}
				}
			})
		}
		begun.Wait()
		if err := log.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		again := open(t, dir, decisions.Options{})
		if r := again.Recovered(); r != (decisions.Recovery{}) {
			t.Errorf("%s: closed with %+v", durability, r)
		}
		for _, ids := range kept {
			for _, id := range ids {
				if _, _, err := again.Get(id); err != nil {
					t.Errorf("%s: acknowledged, and then %v", durability, err)
				}
			}
		}
	}
}
