package durable_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/data/durable"
)

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for name, write := range map[string]func(func(io.Writer) error) error{
		"under a name of its own": func(w func(io.Writer) error) error { return durable.Write(path, 0o600, w) },
		"beside":                  func(w func(io.Writer) error) error { return durable.WriteBeside(path, path+".tmp", 0o600, w) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, text := range []string{"one", "", "three"} {
				if err := write(durable.Bytes([]byte(text))); err != nil {
					t.Fatal(err)
				}
				if got, err := os.ReadFile(path); err != nil || string(got) != text {
					t.Fatalf("%q, %v", got, err)
				}
			}
			stop := errors.New("stop")
			err := write(func(w io.Writer) error {
				io.WriteString(w, "half")
				return stop
			})
			if !errors.Is(err, stop) {
				t.Errorf("%v, want the error of the func", err)
			}
			if got, _ := os.ReadFile(path); string(got) != "three" {
				t.Errorf("after a failed write: %q", got)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
			if got := names(t, dir); got != "a" {
				t.Errorf("left behind: %s", got)
			}
		})
	}
}

// TestWriteBesideTakesOver starts where a process died in the middle.
func TestWriteBesideTakesOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := os.WriteFile(path+".tmp", []byte("a longer half that was left"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteBeside(path, path+".tmp", 0o600, durable.Bytes([]byte("new"))); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "new" || names(t, dir) != "a" {
		t.Errorf("%q, %v, %s", got, err, names(t, dir))
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	err := durable.Write(filepath.Join(t.TempDir(), "no", "a"), 0o600, durable.Bytes(nil))
	if !errors.Is(err, fs.ErrNotExist) || strings.Contains(durable.Plain(err).Error(), "no") && strings.Contains(durable.Plain(err).Error(), "/") {
		t.Errorf("%v", durable.Plain(err))
	}
	if err := errors.New("other"); durable.Plain(err) != err {
		t.Error("an error of another package was changed")
	}
}
