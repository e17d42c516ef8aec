package tandem

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestREADME does what the README says, to the letter but for the port: its
// `up` command on a copy of the example, and then every command of its console
// blocks, whose answers must be as printed ("..." stands for anything).
func TestREADME(t *testing.T) {
	if testing.Short() {
		t.Skip("trains the example model, about half a minute")
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "go run ./cmd/tandem up examples/credit ") || !strings.Contains(string(readme), "\ngo test ./... ") {
		t.Fatal("README.md does not name its two commands")
	}
	dir := t.TempDir()
	project := filepath.Join(dir, "credit")
	for _, f := range []string{"tandem.yaml", "credit_data.csv"} {
		b, err := os.ReadFile(filepath.Join("examples/credit", f))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(project, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(project, f), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "tandem")
	if out, err := exec.Command("go", "build", "-o", program, "./cmd/tandem").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	port := freePort(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	up := exec.CommandContext(ctx, program, "up", project, "--address", "127.0.0.1:"+port)
	up.Cancel = func() error { return up.Process.Signal(os.Interrupt) }
	stderr, err := up.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	var told strings.Builder
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		told.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "serving   credit version 1") {
			break
		}
	}
	if !strings.Contains(told.String(), "serving") {
		t.Fatalf("up did not serve:\n%s", told.String())
	}
	for _, want := range []string{"4454 rows, 14 columns from credit_data.csv", "Income tends to be lower where Status is bad", "Records and Status are linked"} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("up does not say %q as the README does:\n%s", want, told.String())
		}
	}
	for _, c := range console(string(readme)) {
		cmd := exec.CommandContext(ctx, "sh", "-c", strings.ReplaceAll(c.command, "127.0.0.1:8080", "127.0.0.1:"+port))
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v", c.command, err)
		}
		if !matches(c.answer, strings.TrimSpace(string(out))) {
			t.Errorf("%s\nanswers %s\nREADME  %s", c.command, out, c.answer)
		}
	}
	cancel()
	for lines.Scan() { // the pipe must be drained before Wait
	}
	if err := up.Wait(); err != nil && up.ProcessState.ExitCode() != 0 {
		t.Errorf("up ended with %v after Ctrl-C", err)
	}
}

type example struct{ command, answer string }

// console returns the commands of the README's console blocks with what they
// print.
func console(readme string) []example {
	var out []example
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(readme, -1) {
		for _, line := range strings.Split(strings.TrimSpace(block[1]), "\n") {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				out = append(out, example{command: command})
			} else if len(out) > 0 {
				out[len(out)-1].answer = strings.TrimSpace(out[len(out)-1].answer + "\n" + line)
			}
		}
	}
	return out
}

func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "...")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile("(?s)^" + strings.Join(parts, ".*") + "$").MatchString(text)
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
