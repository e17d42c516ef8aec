package workflow

import (
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/retrain"
	"github.com/tandem-ml/tandem/engineering/serve"
	"github.com/tandem-ml/tandem/project"
	"github.com/tandem-ml/tandem/workflow/applications"
)

// load is a loop of requests; every failed one fails the test.
type load struct {
	stop    func() // ends the loop and returns when it has ended
	answers atomic.Int64
	version atomic.Value // string: of the newest answer
}

// under loads a server with two clients. Each answer is checked to be the
// score of the very model that it names.
func under(t *testing.T, url string, apps []applications.Application, bundles *sync.Map) *load {
	t.Helper()
	l := &load{}
	l.version.Store("")
	ctx, cancel := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	for c := range 2 {
		clients.Go(func() {
			for n := c; ctx.Err() == nil; n++ {
				app := apps[n%len(apps)]
				var a answer
				if _, err := post(url+"/v1/score/loans", rowsOf([]applications.Application{app}), &a); err != nil {
					t.Errorf("a request failed: %v", err)
					return
				}
				if b, ok := bundles.Load(a.Bundle); ok {
					if want := scoreOf(b.(*bundle.Bundle), app); math.Float64bits(want) != math.Float64bits(a.Results[0].Score) {
						t.Errorf("version %s answered %v, its bundle says %v", a.Model, a.Results[0].Score, want)
						return
					}
				}
				l.version.Store(a.Model)
				l.answers.Add(1)
			}
		})
	}
	l.stop = sync.OnceFunc(func() {
		cancel()
		clients.Wait()
	})
	t.Cleanup(l.stop)
	return l
}

func scoreOf(b *bundle.Bundle, a applications.Application) float64 {
	row := make([]float64, b.Layout().Cols())
	if _, err := b.Layout().DecodeJSON(row, a.JSON(), true); err != nil {
		return math.NaN()
	}
	_, s := b.Score(row)
	return s
}

// A retraining, a promotion and a rollback beside a server of another process:
// the server follows within a second and no request fails.
func TestServerFollowsOtherProcesses(t *testing.T) {
	t.Parallel()
	dir := lived(t)
	_, url := serving(t, dir)
	l := under(t, url, after(historyRows+livedRows, 50), new(sync.Map))
	follows := func(what string, version int) {
		t.Helper()
		start := time.Now()
		within(t, time.Second, fmt.Sprintf("after %s version %v answers, want %d", what, l.version.Load(), version),
			func() bool { return l.version.Load() == fmt.Sprint(version) })
		t.Logf("%s was followed after %v", what, time.Since(start))
	}
	follows("the start", 1)
	r, err := Retrain(t.Context(), dir, RetrainOptions{})
	if err != nil || r.Outcome != retrain.Promoted {
		t.Fatalf("retrain: %s: %s (%v)", r.Outcome, r.Reason, err)
	}
	follows("a retraining", r.Challenger.Number)

	m, err := OpenModels(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if v, err := m.Rollback(t.Context(), "complaints"); err != nil || v.Number != 1 {
		t.Fatalf("rollback: version %d, %v", v.Number, err)
	}
	follows("a rollback", 1)
	if _, err := m.Rollback(t.Context(), "again"); err == nil {
		t.Error("the first champion was rolled back")
	}
	if err := m.Promote(t.Context(), 2, "it was not its fault"); err != nil {
		t.Fatal(err)
	}
	follows("a promotion", 2)

	// What cannot be served is not promoted.
	if err := m.Promote(t.Context(), 9, "a typing error"); err == nil {
		t.Error("a version that does not exist was promoted")
	}
	path, err := m.registry.BundlePath(bundleOf(t, m, 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1000); err != nil {
		t.Fatal(err)
	}
	if err := m.Promote(t.Context(), 1, "back to the roots"); err == nil {
		t.Error("a damaged bundle was promoted")
	}
	if _, err := m.Rollback(t.Context(), "back to the roots"); err == nil {
		t.Error("a rollback led to a damaged bundle")
	}
	if lines, err := m.List(t.Context()); err != nil || lines[1].Problem == "" || lines[0].Problem != "" {
		t.Errorf("the list does not show the damage: %+v, %v", lines, err)
	}
	before := l.answers.Load()
	within(t, 5*time.Second, "no more answers", func() bool { return l.answers.Load() > before+20 })
	if l.stop(); l.version.Load() != "2" {
		t.Errorf("version %v answers at last, want 2", l.version.Load())
	}
}

func bundleOf(t *testing.T, m *Models, number int) string {
	t.Helper()
	v, err := m.registry.Version(t.Context(), "loans", number)
	if err != nil {
		t.Fatal(err)
	}
	return v.Bundle
}

// A hundred swaps under load: no failed request, and each answer is that of
// one model, the one it names.
func TestHundredSwaps(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	rewrite(t, dir, ">= 0.8", ">= 0.79")
	rewrite(t, dir, "monitor:", "decision: {cost: {false_positive: 1, false_negative: 5}}\nmonitor:")
	_, stop := up(t, dir, nil) // version 2
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	p, err := project.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := openService(ctx, p, nil, serve.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.follow(ctx); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.serve(ctx, listener, nil, nil) }()

	m, err := OpenModels(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var bundles sync.Map
	for n := 1; n <= 2; n++ {
		_, b, err := m.Show(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		bundles.Store(b.ID(), b)
	}
	l := under(t, "http://"+listener.Addr().String(), after(historyRows, 50), &bundles)
	for n := range 100 {
		if err := m.Promote(ctx, 1+n%2, fmt.Sprintf("swap %d", n)); err != nil {
			t.Fatal(err)
		}
		if err := s.follow(ctx); err != nil {
			t.Fatal(err)
		}
		before := l.answers.Load()
		within(t, 5*time.Second, "no answer", func() bool { return t.Failed() || l.answers.Load() >= before+3 })
	}
	l.stop()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if l.answers.Load() < 300 {
		t.Errorf("only %d answers", l.answers.Load())
	}
}

// A champion whose bundle is damaged does not displace the one that answers.
func TestDamagedChampionIsNotServed(t *testing.T) {
	t.Parallel()
	dir := trained(t)
	_, stop := up(t, dir, nil)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(stateDir(dir), "bundles", "*.tandem"))
	if err != nil || len(files) != 1 {
		t.Fatalf("bundles %v, %v", files, err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(files[0], content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyProject(t.Context(), dir); err == nil {
		t.Error("a damaged bundle verifies")
	}
	// Up has the bundle's bytes in its cache and mends the file.
	url, _ := up(t, dir, nil)
	score(t, url, after(historyRows, 1)...)
	mustVerify(t, dir)
}
