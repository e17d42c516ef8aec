package registry_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tandem-ml/tandem/engineering/registry"
)

// TestMain turns this test binary into another process at work on a registry
// when a test asks for it.
func TestMain(m *testing.M) {
	if dir := os.Getenv("REGISTRY_TEST_WRITE_IN"); dir != "" {
		if err := writer(dir, os.Getenv("REGISTRY_TEST_NAME")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	m.Run()
}

const perWriter = 10

// writer adds versions, moves the champion, and prints the number of each
// version when it is safely kept. With REGISTRY_TEST_FOREVER it does not stop.
func writer(dir, name string) error {
	ctx := context.Background()
	r, err := registry.Open(ctx, dir)
	if err != nil {
		return err
	}
	defer r.Close()
	for i := 0; i < perWriter || os.Getenv("REGISTRY_TEST_FOREVER") != ""; i++ {
		model := fmt.Sprintf("%s %d", name, i)
		v, err := r.AddVersion(ctx, "credit", idOf(model), []byte(model), "")
		if err != nil {
			return err
		}
		if err := r.SetAlias(ctx, "credit", registry.Champion, v.Number, "writer "+name); err != nil {
			return err
		}
		fmt.Println(v.Number)
	}
	return nil
}

func process(t *testing.T, dir, name string, env ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), "REGISTRY_TEST_WRITE_IN="+dir, "REGISTRY_TEST_NAME="+name), env...)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestProcessesAtOnce has three processes, and two goroutines here, open one
// new registry at the same moment and write to it.
func TestProcessesAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var all sync.WaitGroup
	for i := range 3 {
		cmd := process(t, dir, strconv.Itoa(i))
		all.Go(func() {
			if err := cmd.Run(); err != nil {
				t.Errorf("writer %d: %v", i, err)
			}
		})
	}
	for i := range 2 {
		all.Go(func() {
			r, err := registry.Open(t.Context(), dir)
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			for k := range perWriter {
				if err := r.Audit(t.Context(), "credit", "note", map[string]int{"goroutine": i, "round": k}); err != nil {
					t.Error(err)
				}
				if err := r.VerifyAudit(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	r := open(t, dir)
	vs, err := r.Versions(t.Context(), "credit")
	if err != nil || len(vs) != 3*perWriter {
		t.Fatalf("%d versions, %v; want %d", len(vs), err, 3*perWriter)
	}
	for i, v := range vs {
		if v.Number != i+1 {
			t.Errorf("version %d has number %d", i+1, v.Number)
		}
	}
	if n, err := r.Revision(t.Context()); err != nil || n != 3*perWriter {
		t.Errorf("revision %d, %v; want %d", n, err, 3*perWriter)
	}
	if es, err := r.Events(t.Context(), "", 0); err != nil || len(es) != 3*perWriter*2+2*perWriter {
		t.Errorf("%d events, %v", len(es), err)
	}
	if err := r.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestKilled kills a writing process after some versions, again and again, and
// looks whether what it had acknowledged is there and whole.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	acknowledged := 0
	for round := range 8 {
		cmd := process(t, dir, fmt.Sprintf("round %d", round), "REGISTRY_TEST_FOREVER=1")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range round + 1 {
			if !lines.Scan() {
				t.Fatal("the writer ended by itself")
			}
			if acknowledged, err = strconv.Atoi(lines.Text()); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it still said before it died
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				acknowledged = n
			}
		}
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err == nil {
			t.Fatal("the writer was meant to be killed")
		}
		inspect(t, dir, acknowledged)
	}
}

func inspect(t *testing.T, dir string, acknowledged int) {
	t.Helper()
	r, err := registry.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	vs, err := r.Versions(t.Context(), "credit")
	if err != nil {
		t.Fatal(err)
	}
	if len(vs) < acknowledged {
		t.Errorf("%d versions, and %d were acknowledged", len(vs), acknowledged)
	}
	for _, v := range vs {
		path, err := r.BundlePath(v.Bundle)
		if err != nil {
			t.Errorf("version %d has no bundle: %v", v.Number, err)
			continue
		}
		if b, err := os.ReadFile(path); err != nil || idOf(string(b)) != v.Bundle {
			t.Errorf("version %d: the bundle is not whole: %v", v.Number, err)
		}
	}
	if v, ok, err := r.Alias(t.Context(), "credit", registry.Champion); err != nil || !ok || v.Number < acknowledged {
		t.Errorf("champion %d, %v, %v; %d was acknowledged", v.Number, ok, err, acknowledged)
	}
	if err := r.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestDiedBeforeCommit has a bundle's file, and half of another, without a
// version: what a process leaves that dies between the write and the commit.
func TestDiedBeforeCommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir)
	for name, content := range map[string]string{idOf("a") + ".tandem": "a", idOf("b") + ".tandem": "ha", "new.tmp": "longer than a bundle"} {
		if err := os.WriteFile(filepath.Join(dir, "bundles", name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if vs, err := r.Versions(t.Context(), "credit"); err != nil || len(vs) != 0 {
		t.Errorf("a file alone made a version: %v, %v", vs, err)
	}
	for i, m := range []string{"a", "b"} {
		if v := add(t, r, "credit", m); v.Number != i+1 {
			t.Errorf("got version %d, want %d", v.Number, i+1)
		}
	}
	for _, m := range []string{"a", "b"} {
		path, err := r.BundlePath(idOf(m))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != m {
			t.Errorf("bundle %s holds %q, %v", m, b, err)
		}
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "bundles")); err != nil || len(entries) != 2 {
		t.Errorf("left in bundles: %v, %v; want two files", entries, err)
	}
}

// TestWriteFails has a folder in the place of the bundle's file, so that the
// file cannot be written: no version may come of it.
func TestWriteFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir)
	if err := os.MkdirAll(filepath.Join(dir, "bundles", idOf("a")+".tandem", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := r.AddVersion(t.Context(), "credit", idOf("a"), []byte("a"), "")
	if err == nil || !strings.Contains(err.Error(), `project "credit"`) {
		t.Errorf("got %v", err)
	}
	if vs, err := r.Versions(t.Context(), "credit"); err != nil || len(vs) != 0 {
		t.Errorf("a version without a file: %v, %v", vs, err)
	}
	if es, err := r.Events(t.Context(), "", 0); err != nil || len(es) != 0 {
		t.Errorf("an event of what did not happen: %v, %v", es, err)
	}
	if _, err := r.Version(t.Context(), "credit", 1); !errors.Is(err, registry.ErrNotFound) {
		t.Error(err)
	}
}
