package limit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/limit"
)

func TestGate(t *testing.T) {
	t.Parallel()
	g := limit.NewGate(2, 3)
	for range 2 {
		if waited, err := g.Enter(t.Context()); err != nil || waited != 0 {
			t.Fatalf("%v %v", waited, err)
		}
	}
	order := make(chan int, 3)
	for i := range 3 {
		go func() {
			_, err := g.Enter(context.Background())
			if err != nil {
				t.Error(err)
			}
			order <- i
		}()
		for g.Waiting() != i+1 {
			time.Sleep(time.Millisecond)
		}
	}
	if _, err := g.Enter(t.Context()); !errors.Is(err, limit.ErrFull) {
		t.Errorf("the fourth to wait: %v", err)
	}
	if d := g.RetryAfter(); d < time.Second || d > time.Minute || d%time.Second != 0 {
		t.Errorf("Retry-After %s", d)
	}
	for range 3 {
		g.Leave()
		<-order
	}
	if g.Waiting() != 0 {
		t.Errorf("%d wait", g.Waiting())
	}
	// Who does not wait any longer takes no place.
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := g.Enter(ctx)
		left <- err
	}()
	for g.Waiting() != 1 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) || g.Waiting() != 0 {
		t.Errorf("%v, %d wait", err, g.Waiting())
	}
	g.Leave()
	g.Leave()
	if _, err := g.Enter(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("too late, with a free place: %v", err)
	}
	for range 2 {
		if _, err := g.Enter(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// However many come at once, no more than may are in.
func TestGateHolds(t *testing.T) {
	t.Parallel()
	g := limit.NewGate(3, 1000)
	var in, most atomic.Int64
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			if _, err := g.Enter(context.Background()); err != nil {
				t.Error(err)
				return
			}
			defer g.Leave()
			n := in.Add(1)
			for was := most.Load(); n > was && !most.CompareAndSwap(was, n); was = most.Load() {
			}
			time.Sleep(10 * time.Microsecond)
			in.Add(-1)
		})
	}
	all.Wait()
	if most.Load() > 3 || g.Waiting() != 0 {
		t.Errorf("%d at once, %d wait", most.Load(), g.Waiting())
	}
}

func TestBudget(t *testing.T) {
	t.Parallel()
	b := limit.NewBudget(10)
	if !b.Take(10) || b.Take(1) || b.Held() != 10 {
		t.Error("ten of ten")
	}
	if b.Give(4); b.Take(5) || !b.Take(4) {
		t.Error("four of four")
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	var r limit.Rates
	rate := limit.Rate{PerSecond: 10, Burst: 3}
	allowed := func(who string) (n int) {
		for range 100 {
			if _, ok := r.Allow(who, rate, now); ok {
				n++
			}
		}
		return n
	}
	if n := allowed("a"); n != 3 {
		t.Errorf("a burst of %d, want 3", n)
	}
	if n := allowed("b"); n != 3 {
		t.Errorf("another caller: %d, want 3", n)
	}
	if wait, ok := r.Allow("a", rate, now); ok || wait != 100*time.Millisecond {
		t.Errorf("%s %v, want 100ms", wait, ok)
	}
	now = now.Add(time.Second / 10)
	if n := allowed("a"); n != 1 {
		t.Errorf("after a tenth of a second: %d, want 1", n)
	}
	now = now.Add(time.Hour)
	if n := allowed("a"); n != 3 {
		t.Errorf("after an hour: %d, want 3", n)
	}
	// In the long run it is the rate, however often is asked.
	total := 0
	for range 1000 {
		if now = now.Add(10 * time.Millisecond); true {
			if _, ok := r.Allow("c", rate, now); ok {
				total++
			}
		}
	}
	if total < 100 || total > 103 {
		t.Errorf("%d in ten seconds, want 100 and the burst", total)
	}
	if _, ok := r.Allow("a", limit.Rate{}, now); !ok {
		t.Error("no limit refuses")
	}
	for i := range 100_000 { // many callers cost no more than some
		if _, ok := r.Allow(fmt.Sprint(i), rate, now); !ok {
			t.Fatal("a new caller is refused")
		}
	}
}

func TestParseRate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]float64{"100/s": 100, "600/m": 10, "1800/h": 0.5, "0.5/s": 0.5, "1e6/s": 1e6} {
		if r, err := limit.ParseRate(text, 7); err != nil || r.PerSecond != want || r.Burst != 7 {
			t.Errorf("%s: %v %v", text, r, err)
		}
	}
	for _, text := range []string{"100", "/s", "x/s", "-1/s", "0/s", "NaN/s", "Inf/s", "1e7/s", "1/d", "1/s/s", " 1/s"} {
		if r, err := limit.ParseRate(text, 0); err == nil {
			t.Errorf("%q is %v", text, r)
		}
	}
	if _, err := limit.ParseRate("1/s", -1); err == nil {
		t.Error("a negative burst")
	}
	if _, err := limit.ParseRate("", 1); err == nil {
		t.Error("a burst without a rate")
	}
	for rate, want := range map[limit.Rate]string{{}: "no limit", {PerSecond: 100}: "100/s, 100 at once", {PerSecond: 0.5, Burst: 4}: "30/m, 4 at once"} {
		if rate.String() != want {
			t.Errorf("%q, want %q", rate.String(), want)
		}
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1", "[::ffff:192.0.2.1]:80": "192.0.2.1", "[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80": "fe80::/64", "[::1]:80": "::1", "@": "@", "": "",
	} {
		if got := limit.Address(remote); got != want {
			t.Errorf("%s is %s, want %s", remote, got, want)
		}
	}
}
