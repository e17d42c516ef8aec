package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTinyTables holds that a table of any size gives a model that predicts,
// or an error that says how many rows are needed.
func TestTinyTables(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for rows := 1; rows <= 60; rows++ {
		if rows > 15 && rows%5 != 0 {
			continue
		}
		table := loansTable(rows)
		path, out := write(t, dir, fmt.Sprint(rows, ".csv"), table), filepath.Join(dir, fmt.Sprint(rows, ".tandem"))
		for _, target := range []string{"status", "debt"} {
			code, _, stderr := command(t.Context(), "train", path, "--target", target, "--id", "id", "--budget", "10m", "-o", out)
			switch {
			case code == 0:
				if code, _, stderr := command(t.Context(), "predict", out, path); code != 0 && code != 3 {
					t.Errorf("%d rows, %s: predict exits %d: %s", rows, target, code, stderr)
				}
				os.Remove(out)
			case code != 1 || !regexp.MustCompile(`(?m)(at least|needs?) \d+|one value only|no column is left`).MatchString(stderr):
				t.Errorf("%d rows, %s: exit code %d: %s", rows, target, code, stderr)
			case rows >= 20 && bytes.Count(table, []byte("bad")) >= 3:
				t.Errorf("%d rows, %s: no model: %s", rows, target, stderr)
			default:
				if _, err := os.Stat(out); err == nil {
					t.Errorf("%d rows, %s: a bundle in spite of %s", rows, target, stderr)
				}
			}
		}
	}
}

// TestInterrupted cancels commands before and in the middle of their work.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	table, raw := loans(t)
	dir := t.TempDir()
	csv, model := write(t, dir, "loans.csv", table), write(t, dir, "loans.tandem", raw)
	if err := os.Mkdir(filepath.Join(dir, "credit"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "credit/tandem.yaml", []byte("data: {source: ../loans.csv, target: status, positive: bad}\n"))
	out := filepath.Join(dir, "out")
	for _, args := range [][]string{
		trainLoans(csv, out),
		{"predict", model, csv, "-o", out},
		{"explain", model, csv, "--rows"},
		{"evaluate", model, csv},
		{"explore", csv, "-o", out},
		{"init", csv, "-o", out},
		{"test", csv, "--compare", "debt", "--between", "status"},
		{"run", filepath.Join(dir, "credit")},
	} {
		for _, looks := range []int{0, 1, 4} {
			// Cancelled before the start, or where it has spoken so often.
			ctx, cancel := context.WithCancel(t.Context())
			var stdout bytes.Buffer
			stderr := &canceller{after: looks, cancel: cancel}
			if looks == 0 {
				cancel()
			} else if args[0] != "run" && (args[0] != "train" || looks > 1) {
				continue
			}
			code := run(ctx, args, strings.NewReader(""), &stdout, stderr)
			cancel()
			if code != exitInterrupted || !strings.HasSuffix(stderr.text.String(), "tandem: interrupted; nothing half done was kept\n") {
				t.Errorf("%s after %d lines: exit code %d, want 130: %s", args[0], looks, code, &stderr.text)
			}
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	hidden, _ := filepath.Glob(filepath.Join(dir, ".*"))
	tmp, _ := filepath.Glob(filepath.Join(dir, "credit", ".tandem", "cache", "*", "*.tmp"))
	if err != nil || len(left) != 3 || len(hidden)+len(tmp) != 0 {
		t.Errorf("left behind: %v %v %v %v", left, hidden, tmp, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "credit", "out")); err == nil {
		t.Error("an interrupted run has an out folder")
	}
}

// canceller cancels when it has been written to so often.
type canceller struct {
	after  int
	cancel func()
	text   bytes.Buffer
}

func (c *canceller) Write(b []byte) (int, error) {
	if c.after--; c.after == 0 {
		c.cancel()
	}
	return c.text.Write(b)
}

// hostile are archives that no program of ours has written.
func hostile(t *testing.T, good []byte) map[string][]byte {
	t.Helper()
	type entry struct {
		name string
		body []byte
	}
	var entries []entry
	r, err := zip.NewReader(bytes.NewReader(good), int64(len(good)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.File {
		part, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry{f.Name, body})
	}
	archive := func(method uint16, entries ...entry) []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for _, e := range entries {
			stored := e.body
			if method == zip.Deflate {
				var small bytes.Buffer
				z, _ := flate.NewWriter(&small, 9) // 9 is a level
				_, _ = z.Write(e.body)             // a buffer takes everything
				_ = z.Close()
				stored = small.Bytes()
			}
			part, err := w.CreateRaw(&zip.FileHeader{Name: e.name, Method: method, CRC32: crc32.ChecksumIEEE(e.body),
				CreatorVersion: 10, ReaderVersion: 10, // version 1.0, as our writer
				//lint:ignore SA1019 the field that replaces it is not written by CreateRaw
				ModifiedDate:     0x21, // 1 January 1980
				CompressedSize64: uint64(len(stored)), UncompressedSize64: uint64(len(e.body))})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := part.Write(stored); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	plus := func(e entry) []byte { return archive(zip.Store, append(entries[:len(entries):len(entries)], e)...) }
	newer := append([]entry(nil), entries...)
	newer[0].body = bytes.Replace(newer[0].body, []byte(`"format":1`), []byte(`"format":9`), 1)
	huge := bytes.Clone(good)
	end := bytes.LastIndex(huge, []byte("PK\x05\x06"))
	binary.LittleEndian.PutUint16(huge[end+10:], 0xfffe) // so many entries
	return map[string][]byte{
		"climbs out":    plus(entry{"../../evil", []byte("x")}),
		"absolute":      plus(entry{"/etc/evil", []byte("x")}),
		"twice":         plus(entries[0]),
		"unknown part":  plus(entry{"run.sh", []byte("x")}),
		"bomb":          archive(zip.Deflate, entry{"manifest.json", make([]byte, 50<<20)}),
		"many entries":  huge,
		"trailing":      append(bytes.Clone(good), "more"...),
		"no parts":      archive(zip.Store),
		"half":          archive(zip.Store, entries[:3]...),
		"newer":         archive(zip.Store, newer...),
		"only zip tail": good[end:],
		"control":       archive(zip.Store, entries...),
	}
}

func TestHostileArchives(t *testing.T) {
	t.Parallel()
	table, raw := loans(t)
	dir := t.TempDir()
	csv := write(t, dir, "loans.csv", table)
	for name, b := range hostile(t, raw) {
		path := write(t, dir, "hostile.tandem", b)
		code, _, stderr := command(t.Context(), "verify", path)
		if name == "control" {
			if code != exitDone {
				t.Errorf("an archive written like ours is refused, so the others prove nothing: %s", stderr)
			}
			continue
		}
		if code != exitNotHeld || strings.Contains(stderr, "panic") || strings.Count(stderr, "\n") > 3 {
			t.Errorf("%s: verify exits %d: %s", name, code, stderr)
		}
		if name == "newer" && !strings.Contains(stderr, "newer") {
			t.Errorf("a newer format is not named as such: %s", stderr)
		}
		out := filepath.Join(dir, "out.csv")
		if code, _, stderr := command(t.Context(), "predict", path, csv, "-o", out); code != exitFailed {
			t.Errorf("%s: predict exits %d: %s", name, code, stderr)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: predict wrote a file", name)
		}
	}
}
