package workflow

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/serve"
	"github.com/tandem-ml/tandem/project"
	"github.com/tandem-ml/tandem/workflow/applications"
)

// roles are what the test binary can play as a process of its own: a server
// that is killed, a retraining that dies half-way.
var roles = map[string]func(dir, arg string) error{
	"up":      childUp,
	"retrain": childRetrain,
	"predict": childPredict,
}

const roleVariable = "WORKFLOW_TEST_ROLE"

var shared string // folder of the projects that tests copy

func TestMain(m *testing.M) {
	if role := roles[os.Getenv(roleVariable)]; role != nil {
		if err := role(os.Args[1], os.Args[2]); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(func() int {
		var err error
		if shared, err = os.MkdirTemp("", "workflow-test-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(shared)
		return m.Run()
	}())
}

// child starts the test binary in a role. It is killed when the test ends.
func child(t *testing.T, role, dir, arg string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, dir, arg)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	})
	return cmd, bufio.NewScanner(out)
}

// childUp serves a project on any free port and prints its address.
func childUp(dir, _ string) error {
	return Up(context.Background(), dir, UpOptions{Address: "127.0.0.1:0", Ready: func(url string) { fmt.Println("ready", url) }})
}

// serving starts a server in a process of its own and returns its address.
func serving(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	cmd, out := child(t, "up", dir, "")
	if !out.Scan() {
		t.Fatalf("the server ended before it was ready: %v", cmd.Wait())
	}
	url, ok := strings.CutPrefix(out.Text(), "ready ")
	if !ok {
		t.Fatalf("the server said %q", out.Text())
	}
	return cmd, url
}

// up serves a project in this process until the test ends or stop is called;
// stop returns what Up returned.
func up(t *testing.T, dir string, talk *Talk) (url string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- Up(ctx, dir, UpOptions{Address: "127.0.0.1:0", Options: Options{Talk: talk}, Ready: func(url string) { ready <- url }})
	}()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { stop() })
	select {
	case url = <-ready:
	case err := <-done:
		done <- err
		t.Fatalf("up %s: %v", dir, err)
	}
	return url, stop
}

// smallProject is small enough that the search ends long before its budget:
// what the tests see does not depend on the machine. TestDemo has trees.
const smallProject = `name: loans
data:
  source: applications.csv
  target: defaulted
  positive: "yes"
  time: applied_at
  id: application_id
  protected: [age]
model: {interpretable: true, budget: 1h}
gates: {auc: ">= 0.8"}
monitor: {window: 500}
`

// historyRows is how many applications the small project is trained on. Those
// that come after it live in another world, so that there is something to learn.
const historyRows = 1500

func smallStream() *applications.Stream { return applications.New(1, historyRows) }

// trained makes a copy of a small project that is trained and has a champion,
// version 1, and no decisions.
func trained(t *testing.T) string { return copied(t, trainedOnce) }

// lived makes a copy of the small project after 2400 decisions in the changed
// world, with their outcomes.
func lived(t *testing.T) string { return copied(t, livedOnce) }

const livedRows = 2400

var trainedOnce = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(shared, "trained")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	err := errors.Join(
		writeFile(filepath.Join(dir, "applications.csv"), func(w io.Writer) error {
			return applications.WriteCSV(w, smallStream(), historyRows)
		}),
		writeBytes(filepath.Join(dir, project.FileName), []byte(smallProject)))
	if err != nil {
		return "", err
	}
	return dir, inService(dir, func(*service) error { return nil })
})

var livedOnce = sync.OnceValues(func() (string, error) {
	from, err := trainedOnce()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(shared, "lived")
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		return "", err
	}
	return dir, inService(dir, func(s *service) error {
		ctx := context.Background()
		apps := after(historyRows, livedRows)
		ds := make([]decisions.Decision, len(apps))
		outcomes := make([]decisions.Outcome, len(apps))
		b, err := s.bundle(s.champion.Bundle)
		if err != nil {
			return err
		}
		row := make([]float64, b.Layout().Cols())
		now := time.Now().Add(-time.Hour).Truncate(time.Microsecond)
		for i, a := range apps {
			if _, err := b.Layout().DecodeJSON(row, a.JSON(), true); err != nil {
				return err
			}
			at := now.Add(time.Duration(i) * time.Second)
			ds[i] = decisions.Decision{ID: s.log.NewID(at), Time: at, Project: "loans", Bundle: b.ID(), Model: "1", Key: a.ID, Inputs: a.JSON()}
			ds[i].Margin, ds[i].Score = b.Score(row)
			ds[i].Decision = b.Decide(ds[i].Score)
			outcomes[i] = decisions.Outcome{Decision: ds[i].ID, Value: a.Label(), At: at.Add(time.Minute)}
		}
		if err := s.log.Append(ctx, ds...); err != nil {
			return err
		}
		_, err = s.log.AppendOutcomes(ctx, outcomes...)
		return err
	})
})

// after returns n applications of the small project's stream after the first
// skip.
func after(skip, n int) []applications.Application {
	s := smallStream()
	for range skip {
		s.Next()
	}
	out := make([]applications.Application, n)
	for i := range out {
		out[i] = s.Next()
	}
	return out
}

// inService opens a project as Up does and calls f before it is served.
func inService(dir string, f func(*service) error) (err error) {
	ctx := context.Background()
	p, err := project.Load(dir)
	if err != nil {
		return err
	}
	s, err := openService(ctx, p, nil, serve.Options{}, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	run, err := RunProject(ctx, dir, Options{})
	if err != nil {
		return err
	}
	if err := s.enter(ctx, run); err != nil {
		return err
	}
	return f(s)
}

func copied(t *testing.T, once func() (string, error)) string {
	t.Helper()
	from, err := once()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "project")
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// rewrite changes a project file.
func rewrite(t *testing.T, dir, old, new string) {
	t.Helper()
	path := filepath.Join(dir, project.FileName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), old) {
		t.Fatalf("%s has no %q", path, old)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(b, []byte(old), []byte(new)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// answer is what a score request is answered with.
type answer struct {
	Results []struct {
		ID       string  `json:"id"`
		Score    float64 `json:"score"`
		Decision string  `json:"decision"`
	} `json:"results"`
	Model  string `json:"model"`
	Bundle string `json:"bundle"`
}

// post sends JSON and decodes the answer into out, which may be nil.
func post(url string, body, out any) (status int, err error) {
	b, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	resp, err := http.Post(url, "application/json", bytes.NewReader(b))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, fmt.Errorf("%s: %s", resp.Status, content)
	}
	if out != nil {
		err = json.Unmarshal(content, out)
	}
	return resp.StatusCode, err
}

// score asks for decisions about applications and fails the test if there are
// none.
func score(t *testing.T, url string, apps ...applications.Application) answer {
	t.Helper()
	var a answer
	if _, err := post(url+"/v1/score/loans", rowsOf(apps), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func rowsOf(apps []applications.Application) map[string]any {
	rows := make([]json.RawMessage, len(apps))
	for i, a := range apps {
		rows[i] = a.JSON()
	}
	return map[string]any{"rows": rows}
}

// champion returns the version that the registry of a project names.
func champion(t *testing.T, dir string) int {
	t.Helper()
	s, err := StatusOf(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return s.Champion
}

// mustVerify checks log, audit trail and bundles of a project.
func mustVerify(t *testing.T, dir string) {
	t.Helper()
	if _, err := VerifyProject(t.Context(), dir); err != nil {
		t.Errorf("verify: %v", err)
	}
}

// said collects what a Talk says.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// within polls until f is true and fails the test after the given time.
func within(t *testing.T, d time.Duration, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for start := time.Now(); !f(); <-tick.C {
		if time.Since(start) > d {
			t.Fatalf("after %v: %s", d, what)
		}
	}
}

func get(url string, out any) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

func removeAll(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// handled sends a request to a handler without a network.
func handled(h http.Handler, path string, body any) int {
	b, err := json.Marshal(body)
	if err != nil {
		return 0
	}
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(b))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}
