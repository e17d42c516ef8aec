//go:build !race

package gbdt_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt"
)

// stopwatch is a context that notes the longest time between two looks at it,
// which is how late a cancellation is noticed at worst. It takes the time of
// the thread, so that other work on the machine is not counted.
type stopwatch struct {
	context.Context
	last, longest time.Duration
	after         string // where the longest ended
}

func (s *stopwatch) Err() error {
	now := threadTime()
	if gap := now - s.last; gap > s.longest {
		var calls [6]uintptr
		frames := runtime.CallersFrames(calls[:runtime.Callers(2, calls[:])])
		s.longest, s.after = gap, ""
		for range calls {
			f, _ := frames.Next()
			s.after += fmt.Sprintf("\n\t%s:%d", filepath.Base(f.File), f.Line)
		}
	}
	s.last = threadTime()
	return nil
}

func threadTime() time.Duration {
	const thread = 1 // RUSAGE_THREAD, see getrusage(2)
	var u syscall.Rusage
	if err := syscall.Getrusage(thread, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// One worker with 500,000 rows looks at its context every 50 ms, from the check
// of the labels to the last tree: with a million, every 100.
func TestCancelledSoon(t *testing.T) {
	runtime.LockOSThread() // and not in parallel: the garbage of others would be collected here
	defer runtime.UnlockOSThread()
	const rows, cols = 500_000, 4
	rng := seed.Stream(1, "soon", 0)
	in := learn.Train{Categories: []int{0, 500, 0, 4}, Workers: 1}
	in.X = learn.Matrix{Rows: rows, Cols: cols, Data: make([]float64, rows*cols)}
	in.Y, in.W = make([]float64, rows), make([]float64, rows)
	for i := range rows {
		x := in.X.Row(i)
		x[0], x[1], x[2], x[3] = rng.NormFloat64(), float64(rng.IntN(500)), float64(i), float64(rng.IntN(4))
		in.Y[i], in.W[i] = float64(rng.IntN(4)), float64(i%5)
	}
	small := in
	small.Task, small.X.Rows, small.X.Data, small.Y, small.W = bundle.Regression, 2000, in.X.Data[:2000*cols], in.Y[:2000], nil
	begin := mustFit(t, small, learn.Params{"trees": 50}) // gives margins to add up
	in.Valid = &learn.Data{X: in.X, Y: in.Y, W: in.W}
	p := learn.Params{"trees": 1, "leaves": 4}
	for what, fit := range map[string]func(ctx context.Context) error{
		"l1": func(ctx context.Context) error {
			in := in
			in.Task = bundle.Regression
			_, err := gbdt.Continue(ctx, in, with(with(p, "objective", "l1"), "row_fraction", 0.9), []*tree.Forest{begin})
			return err
		},
		"classes": func(ctx context.Context) error {
			in := in
			in.Task, in.Classes = bundle.Multiclass, 4
			_, err := gbdt.Checkpoint{Path: filepath.Join(t.TempDir(), "state")}.Fit(ctx, in, with(with(p, "gradient_fraction", 0.9), "class_weights", "balanced"))
			return err
		},
	} {
		watch := &stopwatch{Context: context.Background(), last: threadTime()}
		if err := fit(watch); err != nil {
			t.Fatal(err)
		}
		_ = watch.Err() // the way out
		t.Log(what, watch.longest)
		if watch.longest > 50*time.Millisecond {
			t.Errorf("%s: not looked at the context for %v until%s", what, watch.longest, watch.after)
		}
	}
}
