package workflow

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/follow"
	"github.com/tandem-ml/tandem/engineering/rollout"
	"github.com/tandem-ml/tandem/engineering/serve"
)

// A scorer elsewhere follows the champion of a project: a promotion is answered
// there too, and no request fails on the way.
func TestScorerFollowsProject(t *testing.T) {
	t.Parallel()
	dir, m, bundles := several(t)
	url, _ := up(t, dir, nil)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready, done := make(chan string, 1), make(chan error, 1)
	a := serve.Alone{Bundles: []string{url + "/v1/bundles/loans"}, Address: "127.0.0.1:0",
		Say: func(string, ...any) {}, Ready: func(url string) { ready <- url }}
	follow.Attach(&a, follow.Options{Poll: 20 * time.Millisecond})
	go func() { done <- a.Run(ctx) }()
	var scorer string
	select {
	case scorer = <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	row := after(historyRows, 1)
	if got := score(t, scorer, row...); got.Bundle != bundles["1"].ID() || got.Model != "1" {
		t.Fatalf("before: version %s, bundle %s", got.Model, got.Bundle)
	}
	var failed, asked atomic.Int64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			asked.Add(1)
			if _, err := post(scorer+"/v1/score/loans", rowsOf(row), nil); err != nil {
				failed.Add(1)
			}
		}
	}()
	if _, err := m.Change(t.Context(), rollout.Change{Kind: rollout.Promote, Version: 2, Reason: "better"}); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		got := score(t, scorer, row...)
		if got.Bundle == bundles["2"].ID() && got.Model == "2" {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("still version %s", got.Model)
		}
	}
	close(stop)
	<-stopped
	if failed.Load() > 0 || asked.Load() == 0 {
		t.Errorf("%d of %d requests failed", failed.Load(), asked.Load())
	}

	// Who has the bundle gets no other copy.
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/bundles/loans", nil)
	r.Header.Set("If-None-Match", fmt.Sprintf("%q", bundles["2"].ID()))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotModified || !strings.Contains(resp.Header.Get("ETag"), bundles["2"].ID()) {
		t.Errorf("%s, ETag %s", resp.Status, resp.Header.Get("ETag"))
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
