package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/engineering/settings"
)

var update = flag.Bool("update", false, "write the table of docs/scorer.md")

// printed is what --print-config says.
func printed(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	var said output
	if code := run(t.Context(), append(args, "--print-config"), &out, &said); code != 0 {
		t.Fatalf("%v: exit code %d: %s", args, code, said.String())
	}
	return out.String()
}

// A flag counts before a variable, that before the file, and that before the default.
func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "scorer.yaml")
	text := "bundle: [a.tandem, 'https://h/b.tandem?sig=s3cret7']\naddress: 127.0.0.1:1\npoll: 1m\nrate: 10/s\nfetch_token: s3cret7\nmax_queue: -1\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TANDEM_CONFIG", file)
	t.Setenv("TANDEM_POLL", "2m")
	t.Setenv("TANDEM_RATE", "20/s")
	got := printed(t, "--rate", "30/s")
	for _, want := range []string{
		`bundle: ["a.tandem", "https://h/b.tandem"]  # file`, `address: "127.0.0.1:1"  # file`, `poll: "2m"  # environment`, `rate: "30/s"  # flag`,
		`fetch_timeout: "1m"  # default`, `fetch_token: "********"  # file`, "# keys: none", `max_queue: "-1"  # file`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no line %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, "s3cret7") {
		t.Error("a secret is shown")
	}
	// What is printed is a file of settings again.
	again := filepath.Join(t.TempDir(), "again.yaml")
	if err := os.WriteFile(again, []byte(got), 0o600); err != nil {
		t.Fatal(err)
	}
	os.Unsetenv("TANDEM_POLL")
	os.Unsetenv("TANDEM_RATE")
	if back := printed(t, "--config", again); !strings.Contains(back, `rate: "30/s"  # file`) {
		t.Error(back)
	}
	if got := printed(t, "--bundle", "x", "--bundle", "y"); !strings.Contains(got, `bundle: ["x", "y"]  # flag`) {
		t.Error(got)
	}
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for text, says := range map[string]string{
		"adress: 127.0.0.1:1\n":            `:1:1: unknown key "adress"; did you mean "address"?`,
		"address: a\nbundle: {a: b}\n":     `:2:1: bundle must be a value, or a list of values`,
		"poll: soon\n":                     `:1:7: poll: "soon" is not a duration`,
		"burst: 1.5\n":                     `:1:8: burst: "1.5" is not a whole number`,
		"rate: [1/s, 2/s]\n":               "it takes one value",
		"rate: 1/s\nrate: 2/s\n":           `key "rate" occurs twice`,
		"rate: &a 1/s\n":                   "which a file of settings may not use",
		"- a\n":                            "must be a list of `key: value` lines",
		"a: [\n":                           "is not valid YAML",
		"keys:\n":                          "keys must be a value",
		"grpc-address: x\nfetch_token: 1 ": `did you mean "grpc_address"?`,
	} {
		file := filepath.Join(dir, "s.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var said output
		if code := run(t.Context(), []string{"--config", file}, io.Discard, &said); code != 2 || !strings.Contains(said.String(), says) {
			t.Errorf("%q: exit code %d: %s", text, code, said.String())
		}
	}
	var said output
	if code := run(t.Context(), []string{"--config", filepath.Join(dir, "absent")}, io.Discard, &said); code != 2 || !strings.Contains(said.String(), "absent") {
		t.Errorf("%d %s", code, said.String())
	}
}

// docs/scorer.md and the help say what the table says.
func TestDocs(t *testing.T) {
	t.Parallel()
	const page, begin, end = "../../docs/scorer.md", "<!-- settings: written by go test ./cmd/tandem-scorer -run TestDocs -update -->\n", "<!-- end of settings -->"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	was, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the settings", page)
	}
	if want := string(settings.Table()); *update {
		if err := os.WriteFile(page, []byte(head+begin+want+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if was != want {
		t.Errorf("%s is not what the table says; run: go test ./cmd/tandem-scorer -run TestDocs -update", page)
	}
	var help bytes.Buffer
	run(t.Context(), []string{"--help"}, &help, io.Discard)
	for _, s := range settings.All {
		if strings.Contains(help.String(), "--"+s.Name+" ") == s.Secret {
			t.Errorf("help and --%s do not agree", s.Name)
		}
	}
}
