package workflow_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/workflow"
)

// A training that is cancelled leaves its checkpoint, and the same command goes
// on from there to the same numbers and removes it.
func TestBenchTrainResumes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rng := seed.Stream(1, "bench resumes", 0)
	var csv strings.Builder
	csv.WriteString("a,b,c,y\n")
	for range 2000 {
		a, b := rng.IntN(1000), rng.IntN(1000)
		fmt.Fprintf(&csv, "%d,%d,%s,%d\n", a, b, []string{"red", "green", "blue"}[rng.IntN(3)], (a+b+rng.IntN(1000))/1500)
	}
	o := workflow.BenchTrainOptions{Data: filepath.Join(dir, "t.csv"), Target: "y", Trees: 400, Leaves: 15, Threads: 2}
	if err := os.WriteFile(o.Data, []byte(csv.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	want, err := workflow.BenchTrain(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Checkpoint = filepath.Join(dir, "state")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { // cancels as soon as there is a state
		defer cancel()
		for {
			if _, err := os.Stat(o.Checkpoint); err == nil {
				return
			}
			select {
			case <-ended:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	_, err = workflow.BenchTrain(ctx, o)
	close(ended)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want that of a cancelled context", err)
	}
	o.Threads, o.Every = 1, time.Hour
	got, err := workflow.BenchTrain(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if got.Resumed == 0 || *got.LogLoss != *want.LogLoss || *got.AUC != *want.AUC {
		t.Errorf("after %d trees AUC %v and log loss %v, without an interruption %v and %v", got.Resumed, *got.AUC, *got.LogLoss, *want.AUC, *want.LogLoss)
	}
	if left, _ := filepath.Glob(o.Checkpoint + "*"); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}
