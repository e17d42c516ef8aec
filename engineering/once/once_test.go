package once_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/once"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func give(s string) func() (string, int, error) {
	return func() (string, int, error) { return s, len(s), nil }
}

func TestOnce(t *testing.T) {
	t.Parallel()
	a := once.New[string](3, 10, time.Hour)
	do := func(name, question byte, now time.Time, s string) (string, bool) {
		t.Helper()
		v, again, err := a.Do(t.Context(), once.Hash{name}, once.Hash{question}, now, give(s))
		if err != nil {
			t.Fatal(err)
		}
		return v, again
	}
	if v, again := do(1, 1, noon, "a"); v != "a" || again {
		t.Errorf("%s %v", v, again)
	}
	if v, again := do(1, 1, noon.Add(time.Minute), "b"); v != "a" || !again {
		t.Errorf("%s %v", v, again)
	}
	if _, _, err := a.Do(t.Context(), once.Hash{1}, once.Hash{2}, noon, give("c")); !errors.Is(err, once.ErrOther) {
		t.Errorf("another question: %v", err)
	}
	if v, again := do(1, 1, noon.Add(time.Hour), "d"); v != "d" || again {
		t.Errorf("after its age: %s %v", v, again)
	}
	// The oldest are forgotten, by number and by size.
	late := noon.Add(time.Hour)
	for name := byte(2); name < 5; name++ {
		do(name, 1, late, "x")
	}
	if v, _ := do(1, 1, late, "new"); v != "new" {
		t.Errorf("the fourth was kept: %s", v)
	}
	if v, _ := do(4, 1, late, "y"); v != "x" {
		t.Errorf("the newest was forgotten: %s", v)
	}
	do(9, 1, late, "0123456789")
	if v, _ := do(4, 1, late, "z"); v != "z" {
		t.Errorf("more bytes are kept than may: %s", v)
	}
	do(10, 1, late, "01234567890") // alone larger than the whole
	if v, again := do(10, 1, late, "w"); v != "w" || again {
		t.Errorf("%s %v", v, again)
	}
}

func TestFailuresAreTriedAgain(t *testing.T) {
	t.Parallel()
	a := once.New[string](3, 100, time.Hour)
	broken := errors.New("broken")
	if _, _, err := a.Do(t.Context(), once.Hash{}, once.Hash{}, noon, func() (string, int, error) { return "", 0, broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is lost")
			}
		}()
		a.Do(t.Context(), once.Hash{}, once.Hash{}, noon, func() (string, int, error) { panic("bug") })
	}()
	if v, again, err := a.Do(t.Context(), once.Hash{}, once.Hash{}, noon, give("a")); v != "a" || again || err != nil {
		t.Errorf("%s %v %v", v, again, err)
	}
}

// Of many at once one finds; those who cannot wait leave, and a failure is
// handed on to nobody.
func TestTogether(t *testing.T) {
	t.Parallel()
	a := once.New[string](3, 100, time.Hour)
	var found, first atomic.Int64
	began, release := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			v, again, err := a.Do(context.Background(), once.Hash{}, once.Hash{}, noon, func() (string, int, error) {
				if found.Add(1) == 1 {
					close(began)
					<-release
					return "", 0, errors.New("the first fails")
				}
				return "a", 1, nil
			})
			switch {
			case err != nil:
				first.Add(1)
			case v != "a":
				t.Errorf("%s %v", v, again)
			}
		})
	}
	<-began
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := a.Do(ctx, once.Hash{}, once.Hash{}, noon, give("b")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, _, err := a.Do(t.Context(), once.Hash{}, once.Hash{1}, noon, give("b")); !errors.Is(err, once.ErrOther) {
		t.Errorf("%v", err)
	}
	close(release)
	all.Wait()
	if found.Load() != 2 || first.Load() != 1 {
		t.Errorf("%d found, %d failed", found.Load(), first.Load())
	}
}
