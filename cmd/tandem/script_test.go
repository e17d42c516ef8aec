package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// TestScripts runs the stories in testdata/script: what a person types, and
// what comes back. Each begins in an empty folder with the files that follow
// its commands in txtar form ("-- name --" and then the text), beside
// loans.csv and loans.tandem (see [loans]). A line of a script is one of
//
//	# words                     a comment
//	tandem ARGS                 runs the program in this process; it must exit with 0
//	N tandem ARGS               ... with N
//	from NAME tandem ARGS       ... with the file as its stdin; N goes before from
//	stdout RE, stderr RE        what the last tandem wrote there matches
//	file NAME RE                what stands in the file matches
//	json PATH RE                of stdout as JSON, the value at PATH (a.b.0) matches; an object
//	                            is written as its sorted keys {a b}, a list as its length [3]
//	exists NAME...              each is there
//	lines NAME N                the file has N lines
//	same A B                    the files are the same bytes
//	table NAME ROWS             writes a table of loans
//	keep NAME                   writes the last stdout to a file
//	edit NAME OLD NEW           replaces the first OLD in the file
//	cut NAME N                  keeps the first N bytes
//	flip NAME N                 flips the lowest bit of byte N
//	mkdir NAME, rm NAME, cp A B
//
// With ! before stdout, stderr, file, json, exists or same the opposite must
// hold. Words are separated by spaces; quotes keep a word together, as in Go:
// "a b", `a "b"`. RE is a regular expression in which . does not match a line's
// end and ^ and $ are those of a line.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob(filepath.Join("testdata", "script", "*.txt"))
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, path := range scripts {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			table, bundle := loans(t)
			t.Chdir(t.TempDir())
			s := &script{t: t}
			s.write("loans.csv", table)
			s.write("loans.tandem", bundle)
			commands := s.unpack(string(src))
			for i, line := range strings.Split(commands, "\n") {
				if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
					s.at = fmt.Sprintf("%s:%d: %s", path, i+1, line)
					s.do(words(t, line))
				}
			}
		})
	}
}

// script is a story being told.
type script struct {
	t              *testing.T
	at             string // the line, for messages
	stdout, stderr string // of the last tandem
}

func (s *script) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s\n%s\nstdout:\n%s\nstderr:\n%s", s.at, fmt.Sprintf(format, args...), s.stdout, s.stderr)
}

func (s *script) do(w []string) {
	s.t.Helper()
	want := w[0] != "!"
	if !want {
		w = w[1:]
	}
	code, err := strconv.Atoi(w[0])
	if err == nil {
		w = w[1:]
	}
	stdin := ""
	if w[0] == "from" {
		stdin, w = string(s.read(w[1])), w[2:]
	}
	switch w[0] {
	case "tandem":
		var got int
		if got, s.stdout, s.stderr = piped(s.t.Context(), stdin, w[1:]...); got != code {
			s.fail("exit code %d, want %d", got, code)
		}
	case "stdout":
		s.match(want, s.stdout, w[1])
	case "stderr":
		s.match(want, s.stderr, w[1])
	case "file":
		s.match(want, string(s.read(w[1])), w[2])
	case "json":
		s.match(want, s.value(w[1]), w[2])
	case "exists":
		for _, name := range w[1:] {
			if _, err := os.Lstat(name); (err == nil) != want {
				s.fail("%s: %v", name, err)
			}
		}
	case "lines":
		if n := strconv.Itoa(bytes.Count(s.read(w[1]), []byte("\n"))); n != w[2] {
			s.fail("%s lines, want %s", n, w[2])
		}
	case "same":
		if bytes.Equal(s.read(w[1]), s.read(w[2])) != want {
			s.fail("the files are the same: %v", !want)
		}
	case "table":
		s.write(w[1], loansTable(s.number(w[2])))
	case "keep":
		s.write(w[1], []byte(s.stdout))
	case "edit":
		s.write(w[1], bytes.Replace(s.contains(w[1], w[2]), []byte(w[2]), []byte(w[3]), 1))
	case "cut":
		s.write(w[1], s.read(w[1])[:s.number(w[2])])
	case "flip":
		b := s.read(w[1])
		b[s.number(w[2])] ^= 1
		s.write(w[1], b)
	case "mkdir":
		s.must(os.MkdirAll(w[1], 0o755))
	case "rm":
		s.must(os.RemoveAll(w[1]))
	case "cp":
		s.write(w[2], s.read(w[1]))
	default:
		s.fail("no such command")
	}
}

func (s *script) match(want bool, text, pattern string) {
	s.t.Helper()
	re, err := regexp.Compile("(?m)" + pattern)
	s.must(err)
	if re.MatchString(text) != want {
		s.fail("%q matches: %v", clip(text), !want)
	}
}

// value returns the value at a path of the last stdout.
func (s *script) value(path string) string {
	s.t.Helper()
	var v any
	if err := json.Unmarshal([]byte(s.stdout), &v); err != nil {
		s.fail("stdout is not JSON: %v", err)
	}
	for _, key := range strings.Split(strings.Trim(path, "."), ".") {
		switch x := v.(type) {
		case map[string]any:
			if key != "" {
				v = x[key]
			}
		case []any:
			if key != "" {
				v = x[s.number(key)]
			}
		default:
			s.fail("%s: there is no %q", path, key)
		}
	}
	switch x := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(x))
		for k := range x {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		return "{" + strings.Join(keys, " ") + "}"
	case []any:
		return fmt.Sprintf("[%d]", len(x))
	}
	return fmt.Sprint(v)
}

func (s *script) number(text string) int {
	n, err := strconv.Atoi(text)
	s.must(err)
	return n
}

func (s *script) read(name string) []byte {
	s.t.Helper()
	b, err := os.ReadFile(name)
	s.must(err)
	return b
}

func (s *script) contains(name, text string) []byte {
	s.t.Helper()
	b := s.read(name)
	if !bytes.Contains(b, []byte(text)) {
		s.fail("%s does not contain %q", name, text)
	}
	return b
}

func (s *script) write(name string, b []byte) {
	s.t.Helper()
	s.must(os.MkdirAll(filepath.Dir(name), 0o755))
	s.must(os.WriteFile(name, b, 0o644))
}

func (s *script) must(err error) {
	s.t.Helper()
	if err != nil {
		s.fail("%v", err)
	}
}

// unpack writes a script's files and returns its commands.
func (s *script) unpack(src string) string {
	parts := regexp.MustCompile(`(?m)^-- (\S+) --\n`).FindAllStringSubmatchIndex(src, -1)
	end := len(src)
	for _, p := range slices.Backward(parts) {
		s.write(src[p[2]:p[3]], []byte(src[p[1]:end]))
		end = p[0]
	}
	return src[:end]
}

// words splits a line at spaces outside quotes.
func words(t *testing.T, line string) []string {
	t.Helper()
	var out []string
	for _, w := range regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`|\\S+").FindAllString(line, -1) {
		if w[0] == '"' || w[0] == '`' {
			text, err := strconv.Unquote(w)
			if err != nil {
				t.Fatalf("%s: %v", w, err)
			}
			w = text
		}
		out = append(out, w)
	}
	return out
}

func clip(s string) string { return s[:min(len(s), 2000)] }

// command runs one command line in this process.
func command(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	return piped(ctx, "", args...)
}

// piped is command with something to read on stdin.
func piped(ctx context.Context, stdin string, args ...string) (code int, stdout, stderr string) {
	var out, talk bytes.Buffer
	code = run(ctx, args, strings.NewReader(stdin), &out, &talk)
	return code, out.String(), talk.String()
}

// loans returns a table of 400 loans and the bundle that train makes of it,
// both made once for all tests: id names a row, status is good or bad.
func loans(t *testing.T) (table, bundle []byte) {
	t.Helper()
	made.once.Do(func() {
		dir := t.TempDir()
		made.table = loansTable(400)
		csv, out := filepath.Join(dir, "loans.csv"), filepath.Join(dir, "loans.tandem")
		if made.err = os.WriteFile(csv, made.table, 0o644); made.err != nil {
			return
		}
		if code, _, stderr := command(context.Background(), trainLoans(csv, out)...); code != 0 {
			made.err = fmt.Errorf("exit code %d: %s", code, stderr)
			return
		}
		made.bundle, made.err = os.ReadFile(out)
	})
	if made.err != nil {
		t.Fatal(made.err)
	}
	return slices.Clone(made.table), slices.Clone(made.bundle)
}

var made struct {
	once          sync.Once
	table, bundle []byte
	err           error
}

// trainLoans is the command line that makes a bundle of loans.
func trainLoans(csv, out string, more ...string) []string {
	return append([]string{"train", csv, "--target", "status", "--positive", "bad", "--id", "id",
		"--budget", "10m", "-o", out}, more...)
}

// loansTable writes loans whose risk grows with debt and falls with income; a
// tenth of the incomes is missing.
func loansTable(rows int) []byte {
	var b bytes.Buffer
	b.WriteString("id,income,debt,home,status\n")
	state := uint32(7)
	next := func(n int) int { // a plain congruential generator: the same table for ever
		state = state*1664525 + 1013904223
		return int((state >> 8) % uint32(n))
	}
	for i := range rows {
		income, debt, home := 20+next(80), next(50), []string{"own", "rent", "other"}[next(3)]
		risk := debt - income/2 + next(40)
		if home == "rent" {
			risk += 10
		}
		status, pay := "good", strconv.Itoa(income)
		if risk > 20 {
			status = "bad"
		}
		if next(10) == 0 {
			pay = ""
		}
		fmt.Fprintf(&b, "loan-%04d,%s,%d,%s,%s\n", i+1, pay, debt, home, status)
	}
	return b.Bytes()
}
