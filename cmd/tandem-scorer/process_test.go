package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/bundle/tree/treetest"
	"github.com/tandem-ml/tandem/data"
)

// TestMain lets the test's binary be the program, for tests of the real process.
func TestMain(m *testing.M) {
	if os.Getenv("TANDEM_SCORER_BE") != "" {
		main()
	}
	os.Exit(m.Run())
}

// process is a running scorer.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	said *output
	done chan error
}

// start runs the program until it serves. env are further variables, NAME=VALUE.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, said: new(output), done: make(chan error, 1)}
	p.cmd = exec.Command(os.Args[0], args...)
	p.cmd.Env = append(os.Environ(), append([]string{"TANDEM_SCORER_BE=1"}, env...)...)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	serving := make(chan string, 1)
	go func() {
		at := regexp.MustCompile(`^serving .* on (http://\S+);`)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			fmt.Fprintln(p.said, lines.Text())
			if m := at.FindStringSubmatch(lines.Text()); m != nil {
				serving <- m[1]
			}
		}
		p.done <- p.cmd.Wait()
	}()
	t.Cleanup(func() { p.cmd.Process.Kill() })
	select {
	case p.url = <-serving:
	case err := <-p.done:
		t.Fatalf("ended with %v: %s", err, p.said.String())
	}
	return p
}

// stop sends SIGTERM and waits for a good end.
func (p *process) stop() {
	p.t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	if err := <-p.done; err != nil {
		p.t.Errorf("ended with %v: %s", err, p.said.String())
	}
}

// score asks for one row and returns the bundle's id.
func (p *process) score(name string) (id string, err error) {
	resp, err := http.Post(p.url+"/v1/score/"+name, "application/json", strings.NewReader(`{"rows":[{"a":0.5,"b":-1}],"reasons":false}`))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	m := regexp.MustCompile(`"bundle":\s*"([0-9a-f]{64})"`).FindSubmatch(body)
	if err != nil || resp.StatusCode != 200 || m == nil {
		return "", fmt.Errorf("%d %s %v", resp.StatusCode, body, err)
	}
	return string(m[1]), nil
}

// until waits until ok, which must become true.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// forest is a bundle of random trees; each kind is another.
func forest(t *testing.T, kind, trees int) (id string, content []byte) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, uint64(kind)))
	c := data.Contract{Fields: []data.Field{
		{Name: "a", Kind: data.Number, Role: data.Feature}, {Name: "b", Kind: data.Number, Role: data.Feature},
		{Name: "y", Kind: data.Category, Role: data.Target, Categories: []string{"bad", "good"}}}}
	m, err := bundle.NewModel(bundle.Model{
		Contract:    c,
		Members:     []bundle.Member{{Learner: "gbdt", Weight: 0.01, Trees: treetest.Random(rng, make([]int, 2), trees, 31), Plan: step.Plan{{Name: "a", Op: step.Number}, {Name: "b", Input: 1, Op: step.Number}}}},
		Calibration: bundle.Calibration{Method: "sigmoid", A: 1}, Decision: bundle.Decision{Positive: "bad", Negative: "good", Threshold: 0.5},
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.New(bundle.Bundle{Manifest: bundle.Manifest{Producer: "test", Name: "test", Task: bundle.Binary, Target: "y", Reasons: 1},
		Model: *m, Tests: m.TestRows(bundle.Rows{N: 2, Cols: 2, Data: []float64{0, 1, -0.5, 0.25}})})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := bundle.Encode(b)
	if err != nil {
		t.Fatal(err)
	}
	return b.ID(), raw
}

// place puts a file there as a careful deployment does: whole.
func place(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path+".part", content, 0o644), os.Rename(path+".part", path)); err != nil {
		t.Fatal(err)
	}
}

// Under load bundles of a watched folder are replaced, damaged, added and removed;
// no request fails, and what was replaced is let go.
func TestFolderUnderLoad(t *testing.T) {
	dir := t.TempDir()
	var ids [2]string
	var contents [2][]byte
	for k := range ids {
		ids[k], contents[k] = forest(t, k, 500)
	}
	file := filepath.Join(dir, "credit.tandem")
	place(t, file, contents[0])
	p := start(t, nil, "--bundle", dir, "--address", "127.0.0.1:0", "--poll", "5ms")
	var wg sync.WaitGroup
	quit := make(chan struct{})
	var answered atomic.Int64
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-quit:
					return
				default:
				}
				if _, err := p.score("credit"); err != nil {
					t.Error(err)
					return
				}
				answered.Add(1)
			}
		})
	}
	serves := func(name, id string) func() bool {
		return func() bool { got, _ := p.score(name); return got == id }
	}
	const swaps = 30
	for n := 1; n <= swaps; n++ {
		place(t, file, contents[n%2])
		until(t, fmt.Sprintf("swap %d", n), serves("credit", ids[n%2]))
	}
	last := ids[swaps%2]

	place(t, file, contents[1-swaps%2][:len(contents[0])/2])
	until(t, "a damaged bundle is refused", func() bool { return strings.Contains(p.said.String(), "bundle "+last[:12]+" goes on answering") })
	if got, err := p.score("credit"); got != last {
		t.Errorf("%s answers after a damaged one came, %v", got, err)
	}
	_, small := forest(t, 7, 1)
	place(t, filepath.Join(dir, "fraud.tandem"), small)
	until(t, "a new one", func() bool { _, err := p.score("fraud"); return err == nil })
	if err := os.Remove(filepath.Join(dir, "fraud.tandem")); err != nil {
		t.Fatal(err)
	}
	until(t, "it is unloaded", func() bool {
		_, err := p.score("fraud")
		return err != nil && strings.Contains(err.Error(), "unknown_project")
	})
	close(quit)
	wg.Wait()
	if answered.Load() == 0 {
		t.Error("there was no load")
	}

	// Thirty of these models take far more than a few.
	resp, err := http.Get(p.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	var heap, count float64
	fmt.Sscanf(string(body[bytes.Index(body, []byte("\ngo_memstats_heap_alloc_bytes "))+1:]), "go_memstats_heap_alloc_bytes %g", &heap)
	fmt.Sscanf(string(body[bytes.Index(body, []byte("\ntandem_model_swaps_total{"))+1:]), "tandem_model_swaps_total{project=\"credit\"} %g", &count)
	if most := float64(15 * len(contents[0])); heap == 0 || heap > max(most, 60e6) {
		t.Errorf("%.0f bytes on the heap after %d swaps of a bundle of %d", heap, swaps, len(contents[0]))
	}
	t.Logf("heap %.0f bytes, bundle %d bytes, %.0f swaps, %d answers", heap, len(contents[0]), count, answered.Load())
	p.stop()
}

// SIGTERM under load: probes are told, callers go elsewhere when they see it, and
// no request that was made fails.
func TestDrain(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "--bundle", corpusForest(t), "--address", "127.0.0.1:0", "--notice", "2s")
	var wg sync.WaitGroup
	var answered, told atomic.Int64
	for range 4 {
		wg.Go(func() {
			for {
				// As what stands in front does: whoever is not ready is not asked.
				resp, err := http.Get(p.url + "/health/ready")
				if err != nil {
					t.Errorf("a probe: %v", err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode == http.StatusServiceUnavailable {
					told.Add(1)
					return
				}
				if _, err := p.score("credit"); err != nil {
					t.Error(err)
					return
				}
				answered.Add(1)
			}
		})
	}
	until(t, "there is load", func() bool { return answered.Load() > 50 })
	p.stop()
	wg.Wait()
	if told.Load() != 4 {
		t.Errorf("%d of 4 callers were told", told.Load())
	}
}

func corpusForest(t *testing.T) string {
	t.Helper()
	_, content := forest(t, 1, 20)
	path := filepath.Join(t.TempDir(), "credit.tandem")
	place(t, path, content)
	return path
}

// What came over a network serves a restart without it, if it is what the address
// asks for; tokens appear nowhere.
func TestCache(t *testing.T) {
	t.Parallel()
	id, content := forest(t, 1, 20)
	var away atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() || r.Header.Get("Authorization") != "Bearer s3cret7" {
			w.WriteHeader(503)
			return
		}
		w.Write(content)
	}))
	defer server.Close()
	cache := filepath.Join(t.TempDir(), "cache")
	env := []string{"TANDEM_FETCH_TOKEN=s3cret7", "TANDEM_CACHE=" + cache}
	args := []string{"--bundle", server.URL + "/credit.tandem#bundle=" + id, "--address", "127.0.0.1:0", "--poll", "5ms"}
	p := start(t, env, args...)
	if got, err := p.score("credit"); got != id {
		t.Errorf("%s answers, %v", got, err)
	}
	p.stop()
	away.Store(true)
	again := start(t, env, args...)
	if got, err := again.score("credit"); got != id || !strings.Contains(again.said.String(), "serving what was kept of it") {
		t.Errorf("%s answers, %v: %s", got, err, again.said.String())
	}
	away.Store(false)
	until(t, "the place is read again", func() bool { return strings.Contains(again.said.String(), "can be read again") })
	again.stop()
	if said := p.said.String() + again.said.String(); strings.Contains(said, "s3cret7") {
		t.Errorf("the token is in the log: %s", said)
	}
	// Kept, and damaged since.
	kept, _ := filepath.Glob(filepath.Join(cache, "*", "credit.tandem"))
	if len(kept) != 1 {
		t.Fatal(kept)
	}
	if err := os.WriteFile(kept[0], content[:len(content)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	away.Store(true)
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), append(env, "TANDEM_SCORER_BE=1")...)
	if said, err := cmd.CombinedOutput(); err == nil || !bytes.Contains(said, []byte("503")) {
		t.Errorf("a damaged one of the cache: %v %s", err, said)
	}
}

// In a container of a platform it listens on all interfaces, and says so.
func TestContainers(t *testing.T) {
	t.Parallel()
	folder := filepath.Dir(corpusForest(t))
	objects := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, _ := os.ReadFile(filepath.Join(folder, "credit.tandem"))
		switch {
		case r.URL.Query().Get("alt") == "media":
			w.Write(content)
		default:
			fmt.Fprintf(w, `{"items": [{"name": "m/credit.tandem", "generation": "1", "size": "%d"}]}`, len(content))
		}
	}))
	defer objects.Close()
	for name, env := range map[string][]string{
		"Vertex AI":              {"AIP_HTTP_PORT=0", "AIP_STORAGE_URI=" + folder},
		"Vertex AI with buckets": {"AIP_HTTP_PORT=0", "AIP_STORAGE_URI=gs://models/m", "STORAGE_EMULATOR_HOST=" + objects.URL},
	} {
		p := start(t, env, "serve")
		if _, err := p.score("credit"); err != nil || !strings.Contains(p.said.String(), "Vertex AI: listening on all interfaces") {
			t.Errorf("%s: %v: %s", name, err, p.said.String())
		}
		p.cmd.Process.Kill()
	}
}
