package gbdt_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt"
)

// doomed names the state of a fit that this process runs as the child of
// TestKilled, and is killed in.
const doomed = "TANDEM_TEST_DOOMED_FIT"

var killedParams = learn.Params{"trees": 60, "row_fraction": 0.7, "feature_fraction": 0.5}

// A process that is killed at any moment, while it writes its state too, leaves
// a state from which the next goes on to the same bytes.
func TestKilled(t *testing.T) {
	if path := os.Getenv(doomed); path != "" {
		fitUntilKilled(t, path)
		return
	}
	t.Parallel()
	want := fingerprints(t, fitAny(t, longTable(bundle.Multiclass, true), killedParams))
	path := filepath.Join(t.TempDir(), "state")
	kills := 0
	for ; ; kills++ {
		child := exec.Command(os.Args[0], "-test.run", "^TestKilled$", "-test.v")
		child.Env = append(os.Environ(), fmt.Sprintf("%s=%s", doomed, path))
		out, err := child.CombinedOutput()
		if err == nil {
			if !strings.Contains(string(out), want) {
				t.Errorf("after %d kills:\n%s\nwant %s", kills, out, want)
			}
			break
		}
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.Exited() || kills > 20 {
			t.Fatalf("after %d kills: %v\n%s", kills, err, out)
		}
	}
	if kills == 0 {
		t.Error("the fit was never killed")
	}
}

func fitUntilKilled(t *testing.T, path string) {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	rng := seed.Stream(uint64(time.Now().UnixNano()), "kill", 0)
	left, delay := 8+rng.IntN(8), time.Duration(rng.IntN(3000))*time.Microsecond
	keep := gbdt.Checkpoint{Path: path, Due: func(int) bool {
		if left--; left == 0 {
			go func() {
				time.Sleep(delay) // into whatever comes then
				self.Kill()
			}()
		}
		return true
	}}
	members, err := keep.Fit(context.Background(), longTable(bundle.Multiclass, true), killedParams)
	t.Log(fingerprints(t, forestsOf(t, members, err)))
}
