package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mount gives a folder on a file system of its own, of 64 kB.
func mount(t *testing.T, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root may mount a small disk: what happens when it is full is not tested")
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("mount a small disk: %v: what happens when it is full is not tested", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// TestFullDisk runs all that writes against a disk with room for half of it,
// and then against one that may only be read.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	table, raw := loans(t)
	dir := t.TempDir()
	csv, model := write(t, dir, "loans.csv", table), write(t, dir, "loans.tandem", raw)
	small := filepath.Join(dir, "small")
	if err := os.Mkdir(small, 0o755); err != nil {
		t.Fatal(err)
	}
	mount(t, small)
	write(t, small, "tandem.yaml", []byte("data: {source: ../loans.csv, target: status, positive: bad}\n"))
	write(t, small, "filler", make([]byte, 48<<10)) // leaves a page or two
	before := names(t, small)

	out := filepath.Join(small, "out")
	commands := [][]string{
		trainLoans(csv, out),
		{"predict", model, csv, "-o", out},
		{"explore", csv, "-o", out},
		{"report", model, "-o", small},
		{"run", small},
	}
	for _, args := range commands {
		code, _, stderr := command(t.Context(), args...)
		if code != exitFailed || !strings.Contains(stderr, "no space left") && !strings.Contains(stderr, "is full") {
			t.Errorf("%s on a full disk: exit code %d: %s", args[0], code, stderr)
		}
		os.RemoveAll(filepath.Join(small, ".tandem")) // what was whole is kept there
		if after := names(t, small); after != before {
			t.Errorf("%s on a full disk left %s, before there were %s", args[0], after, before)
		}
	}

	if err := syscall.Mount("tmpfs", small, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("remount: %v: a disk that may only be read is not tested", err)
	}
	commands = append(commands, []string{"init", csv, "-o", out})
	for _, args := range commands {
		code, _, stderr := command(t.Context(), args...)
		if code != exitFailed || !strings.Contains(stderr, "read-only") || !strings.Contains(stderr, "\n  ") {
			t.Errorf("%s on a read-only disk: exit code %d: %s", args[0], code, stderr)
		}
		if args[0] == "train" && strings.Contains(stderr, "ingest") {
			t.Errorf("train found out after its work: %s", stderr)
		}
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}
