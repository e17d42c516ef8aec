package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/pipeline"
)

func ExampleCache_Do() {
	dir, err := os.MkdirTemp("", "cache")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	cache, err := pipeline.Open(dir, pipeline.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	train := pipeline.Stage{Name: "train", Version: 1}
	fit := func(ctx context.Context, dir string) error {
		fmt.Println("training")
		return os.WriteFile(filepath.Join(dir, "model.bin"), []byte("model"), 0o600)
	}
	for _, table := range []string{"hash of monday's table", "hash of monday's table", "hash of tuesday's table"} {
		out, err := cache.Do(context.Background(), train, map[string]string{"table": table}, nil, fit)
		fmt.Println(out.Cached, err)
	}
	// Output:
	// training
	// false <nil>
	// true <nil>
	// training
	// false <nil>
}

var stage = pipeline.Stage{Name: "train", Version: 1}

func open(t *testing.T, dir string, opt pipeline.Options) *pipeline.Cache {
	t.Helper()
	c, err := pipeline.Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// write returns work that writes the given files and counts its runs.
func write(runs *atomic.Int32, files map[string]string) func(context.Context, string) error {
	return func(_ context.Context, dir string) error {
		runs.Add(1)
		for name, text := range files {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				return err
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				return err
			}
		}
		return nil
	}
}

func do(t *testing.T, c *pipeline.Cache, params any, work func(context.Context, string) error) pipeline.Output {
	t.Helper()
	out, err := c.Do(t.Context(), stage, map[string]string{"table": "t"}, params, work)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// left lists what is in the stage's folder.
func left(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, stage.Name))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestKeyIsOfEverythingThatMatters(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir(), pipeline.Options{Keep: 100})
	type ordered struct{ A, B int }
	type reversed struct{ B, A int }
	calls := []struct {
		name   string
		stage  pipeline.Stage
		inputs map[string]string
		params any
		fresh  bool
	}{
		{"first", stage, map[string]string{"a": "1", "b": "2"}, ordered{1, 2}, true},
		{"again", stage, map[string]string{"b": "2", "a": "1"}, ordered{1, 2}, false},
		{"fields in another order", stage, map[string]string{"a": "1", "b": "2"}, reversed{2, 1}, false},
		{"as a map", stage, map[string]string{"a": "1", "b": "2"}, map[string]int{"B": 2, "A": 1}, false},
		{"other parameter", stage, map[string]string{"a": "1", "b": "2"}, ordered{1, 3}, true},
		{"other version", pipeline.Stage{Name: "train", Version: 2}, map[string]string{"a": "1", "b": "2"}, ordered{1, 2}, true},
		{"other stage", pipeline.Stage{Name: "tune", Version: 1}, map[string]string{"a": "1", "b": "2"}, ordered{1, 2}, true},
		{"inputs swapped", stage, map[string]string{"a": "2", "b": "1"}, ordered{1, 2}, true},
		{"inputs run together", stage, map[string]string{"a": "1b2"}, ordered{1, 2}, true},
		{"no inputs", stage, nil, nil, true},
		{"empty inputs", stage, map[string]string{}, nil, false},
		{"large integers are kept apart", stage, nil, []int64{1 << 53}, true},
		{"by one", stage, nil, []int64{1<<53 + 1}, true},
	}
	for _, call := range calls {
		var runs atomic.Int32
		out, err := c.Do(t.Context(), call.stage, call.inputs, call.params, write(&runs, map[string]string{"f": "x"}))
		if err != nil {
			t.Fatalf("%s: %v", call.name, err)
		}
		if fresh := runs.Load() == 1; fresh != call.fresh || out.Cached == fresh {
			t.Errorf("%s: ran %v, cached %v; want ran %v", call.name, fresh, out.Cached, call.fresh)
		}
	}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir(), pipeline.Options{})
	var runs atomic.Int32
	files := map[string]string{"a.txt": "one", "sub/b.txt": "two", "empty": ""}
	first := do(t, c, 1, write(&runs, files))
	second := do(t, c, 1, write(&runs, files))
	other := do(t, c, 2, write(&runs, files))
	for name, want := range files {
		for _, out := range []pipeline.Output{first, second, other} {
			if b, err := os.ReadFile(filepath.Join(out.Dir, name)); err != nil || string(b) != want {
				t.Errorf("%s: got %q, %v; want %q", name, b, err, want)
			}
		}
	}
	if first.Dir != second.Dir || first.Key != second.Key || first.Seconds != second.Seconds {
		t.Errorf("the cached output %+v differs from the first %+v", second, first)
	}
	if len(first.Hash()) != 64 || first.Hash() != second.Hash() || first.Hash() != other.Hash() {
		t.Errorf("equal files hash to %q, %q and %q", first.Hash(), second.Hash(), other.Hash())
	}
	for name, changed := range map[string]map[string]string{
		"content":  {"a.txt": "One", "sub/b.txt": "two", "empty": ""},
		"name":     {"A.txt": "one", "sub/b.txt": "two", "empty": ""},
		"one less": {"a.txt": "one", "sub/b.txt": "two"},
		"boundary": {"a.txt": "onetwo", "sub/b.txt": "", "empty": ""},
		"nothing":  {},
	} {
		if out := do(t, c, name, write(&runs, changed)); out.Hash() == first.Hash() {
			t.Errorf("%s: changed files have the same hash", name)
		}
	}
}

func TestFailureLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := open(t, dir, pipeline.Options{})
	cause := errors.New("no convergence")
	ctx, cancel := context.WithCancel(t.Context())
	for name, call := range map[string]struct {
		ctx  context.Context
		work func(context.Context, string) error
		want error
	}{
		"error":         {t.Context(), func(context.Context, string) error { return cause }, cause},
		"interrupted":   {ctx, func(context.Context, string) error { cancel(); return nil }, context.Canceled},
		"full disk":     {t.Context(), func(context.Context, string) error { return &os.PathError{Op: "write", Path: "f", Err: syscall.ENOSPC} }, syscall.ENOSPC},
		"symbolic link": {t.Context(), func(_ context.Context, dir string) error { return os.Symlink("/etc", filepath.Join(dir, "l")) }, nil},
	} {
		_, err := c.Do(call.ctx, stage, nil, name, func(ctx context.Context, dir string) error {
			if err := os.WriteFile(filepath.Join(dir, "half"), []byte("x"), 0o600); err != nil {
				return err
			}
			return call.work(ctx, dir)
		})
		if err == nil || call.want != nil && !errors.Is(err, call.want) || !strings.Contains(err.Error(), `stage "train"`) {
			t.Errorf("%s: got %v, want %v with the stage's name", name, err, call.want)
		}
		var hint *data.Hinted
		if name == "full disk" && (!errors.As(err, &hint) || !strings.Contains(err.Error(), dir)) {
			t.Errorf("%s: %v names no folder or has no hint", name, err)
		}
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a panic was swallowed")
			}
		}()
		_, _ = c.Do(t.Context(), stage, nil, "panic", func(context.Context, string) error { panic("bug") })
	}()
	if names := left(t, dir); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
	var runs atomic.Int32
	if _, err := c.Do(t.Context(), stage, nil, "panic", write(&runs, nil)); err != nil || runs.Load() != 1 {
		t.Errorf("after a failure: %v, %d runs", err, runs.Load())
	}
}

func TestWrongCalls(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir(), pipeline.Options{})
	never := func(context.Context, string) error { t.Error("work was run"); return nil }
	for _, name := range []string{"", "../up", "a b", "Train", "a/b", "."} {
		if _, err := c.Do(t.Context(), pipeline.Stage{Name: name}, nil, nil, never); err == nil {
			t.Errorf("name %q: no error", name)
		}
	}
	if _, err := c.Do(t.Context(), stage, nil, math.NaN(), never); err == nil {
		t.Error("parameters that are not JSON: no error")
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Do(done, stage, nil, nil, never); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: got %v", err)
	}
	if _, err := pipeline.Open(t.TempDir(), pipeline.Options{Keep: -1}); err == nil {
		t.Error("negative keep: no error")
	}
}

func TestDamageIsFoundAndMended(t *testing.T) {
	t.Parallel()
	files := map[string]string{"a": "one", "b": "two"}
	for _, c := range []struct {
		name    string
		verify  bool
		damage  func(dir string) error
		noticed bool
	}{
		{"untouched", true, func(string) error { return nil }, false},
		{"a byte, verified", true, func(dir string) error { return os.WriteFile(filepath.Join(dir, "a"), []byte("onE"), 0o600) }, true},
		{"a byte, not verified", false, func(dir string) error { return os.WriteFile(filepath.Join(dir, "a"), []byte("onE"), 0o600) }, false},
		{"shorter", false, func(dir string) error { return os.Truncate(filepath.Join(dir, "a"), 1) }, true},
		{"file gone", false, func(dir string) error { return os.Remove(filepath.Join(dir, "a")) }, true},
		{"file added", false, func(dir string) error { return os.WriteFile(filepath.Join(dir, "c"), nil, 0o600) }, true},
		{"files gone", false, os.RemoveAll, true},
		{"record gone", false, func(dir string) error { return os.Remove(filepath.Join(dir, "../output.json")) }, true},
		{"record cut", false, func(dir string) error { return os.Truncate(filepath.Join(dir, "../output.json"), 40) }, true},
		{"record edited", false, func(dir string) error {
			path := filepath.Join(dir, "../output.json")
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, []byte(strings.Replace(string(b), `"path": "a"`, `"path": "z"`, 1)), 0o600)
		}, true},
		{"a file in its place", false, func(dir string) error {
			if err := os.RemoveAll(filepath.Dir(dir)); err != nil {
				return err
			}
			return os.WriteFile(filepath.Dir(dir), nil, 0o600)
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var said []string
			cache := open(t, t.TempDir(), pipeline.Options{Verify: c.verify, Notify: func(s string) { said = append(said, s) }})
			var runs atomic.Int32
			first := do(t, cache, nil, write(&runs, files))
			if err := c.damage(first.Dir); err != nil {
				t.Fatal(err)
			}
			second := do(t, cache, nil, write(&runs, files))
			if rerun := runs.Load() == 2; rerun != c.noticed || second.Cached == rerun || (len(said) == 1) != c.noticed {
				t.Fatalf("ran again: %v, want %v; said %q", rerun, c.noticed, said)
			}
			if c.noticed && second.Hash() != first.Hash() {
				t.Error("the mended output has another hash")
			}
			if third := do(t, cache, nil, write(&runs, files)); !third.Cached {
				t.Error("the mended output was not used")
			}
		})
	}
}

func TestOldResultsGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := open(t, dir, pipeline.Options{Keep: 3})
	var runs atomic.Int32
	age := func(out pipeline.Output, hours int) {
		at := time.Now().Add(-time.Duration(hours) * time.Hour)
		if err := os.Chtimes(filepath.Dir(out.Dir), at, at); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		age(do(t, c, i, write(&runs, nil)), 10-i)
	}
	do(t, c, 0, write(&runs, nil)) // the oldest is used again
	do(t, c, 3, write(&runs, nil))
	if n := len(left(t, dir)); n != 3 {
		t.Errorf("%d results left, want 3: %v", n, left(t, dir))
	}
	before := runs.Load()
	for _, kept := range []int{0, 2, 3} {
		do(t, c, kept, write(&runs, nil))
	}
	if runs.Load() != before {
		t.Error("a result in use was removed")
	}
	if out := do(t, c, 1, write(&runs, nil)); out.Cached {
		t.Error("the least recently used result was kept")
	}
}

func TestFolderThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pipeline.Open(filepath.Join(path, "cache"), pipeline.Options{}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error naming %s", err, path)
	}
}

func TestReadOnlyFolder(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere: the message for a read-only folder is not checked")
	}
	dir := t.TempDir()
	c := open(t, dir, pipeline.Options{})
	var runs atomic.Int32
	do(t, c, 1, write(&runs, nil))
	if err := os.Chmod(filepath.Join(dir, stage.Name), 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(dir, stage.Name), 0o700)
	if out := do(t, c, 1, write(&runs, nil)); !out.Cached {
		t.Error("a result in a read-only cache was not used")
	}
	_, err := c.Do(t.Context(), stage, nil, 2, write(&runs, nil))
	var hint *data.Hinted
	if !errors.As(err, &hint) || !strings.Contains(hint.Hint, dir) {
		t.Errorf("got %v, want a hint naming %s", err, dir)
	}
}

func TestOneMakesTheOthersWait(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var runs, cached atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		c := open(t, dir, pipeline.Options{})
		all.Go(func() {
			for i := range 5 {
				out, err := c.Do(t.Context(), stage, nil, i, write(&runs, map[string]string{"f": "x"}))
				if err != nil {
					t.Error(err)
				}
				if out.Cached {
					cached.Add(1)
				}
			}
		})
	}
	all.Wait()
	if runs.Load() != 5 || cached.Load() != 35 {
		t.Errorf("%d runs and %d taken from the cache, want 5 and 35", runs.Load(), cached.Load())
	}
	if n := len(left(t, dir)); n != 5 {
		t.Errorf("left: %v, want 5 results and no lock", left(t, dir))
	}
}

func TestWaitingIsToldAndCanBeGivenUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	started, release := make(chan bool), make(chan bool)
	var first sync.WaitGroup
	first.Go(func() {
		c := open(t, dir, pipeline.Options{})
		if _, err := c.Do(t.Context(), stage, nil, nil, func(context.Context, string) error {
			close(started)
			<-release
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	<-started
	ctx, cancel := context.WithCancel(t.Context())
	said := ""
	c := open(t, dir, pipeline.Options{Notify: func(s string) { said = s; cancel() }})
	_, err := c.Do(ctx, stage, nil, nil, func(context.Context, string) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the waiting to end with the context", err)
	}
	if want := fmt.Sprintf("stage train is already at work (pid %d); waiting for it", os.Getpid()); said != want {
		t.Errorf("said %q, want %q", said, want)
	}
	close(release)
	first.Wait()
}

// TestKilledHalfWay runs this test binary again as a process that dies while a
// stage is at work, and looks at what it leaves.
func TestKilledHalfWay(t *testing.T) {
	if dir := os.Getenv("PIPELINE_TEST_DIE_IN"); dir != "" {
		c := open(t, dir, pipeline.Options{})
		_, _ = c.Do(t.Context(), stage, nil, os.Getenv("PIPELINE_TEST_PARAM"), func(_ context.Context, dir string) error {
			if err := os.WriteFile(filepath.Join(dir, "half"), []byte("x"), 0o600); err != nil {
				return err
			}
			return syscall.Kill(os.Getpid(), syscall.SIGKILL)
		})
		select {} // the kill is on its way
	}
	t.Parallel()
	dir := t.TempDir()
	for _, param := range []string{"same", "other"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledHalfWay$")
		cmd.Env = append(os.Environ(), "PIPELINE_TEST_DIE_IN="+dir, "PIPELINE_TEST_PARAM="+param)
		if err := cmd.Run(); err == nil {
			t.Fatal("the process was meant to die")
		}
	}
	if n := len(left(t, dir)); n != 4 {
		t.Fatalf("the dead left %v, want two folders and two locks", left(t, dir))
	}
	c := open(t, dir, pipeline.Options{})
	var runs atomic.Int32
	out, err := c.Do(t.Context(), stage, nil, "same", write(&runs, map[string]string{"whole": "y"}))
	if err != nil || out.Cached {
		t.Fatalf("got %+v, %v; want a fresh result", out, err)
	}
	if _, err := os.Stat(filepath.Join(out.Dir, "half")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the result holds a file of the dead process")
	}
	if names := left(t, dir); len(names) != 1 || names[0] != out.Key {
		t.Errorf("left: %v, want the result alone", names)
	}
}
