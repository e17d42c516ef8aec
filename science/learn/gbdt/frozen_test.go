package gbdt_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/science/learn"
)

// The bits of a model are the same on every machine: amd64 with GOAMD64=v1 and
// v3, arm64. The hashes change only when what is learned is meant to change;
// then the changelog says so, and learned in state.go is raised.
func TestFrozen(t *testing.T) {
	t.Parallel()
	for task, want := range map[bundle.Task]string{
		bundle.Binary:     "2028d3e7f12e7e66",
		bundle.Regression: "c39c7d129f2a26b9",
	} {
		in := table(task, 3000, 9)
		valid := table(task, 1000, 10)
		in.Valid = &valid.Data
		f := mustFit(t, in, learn.Params{"row_fraction": 0.8, "feature_fraction": 0.8, "lambda": 1})
		if got := fingerprint(t, f); got != want {
			t.Errorf("%s: hash %s, want %s", task, got, want)
		}
	}
}

func fingerprint(t *testing.T, f *tree.Forest) string {
	t.Helper()
	h := sha256.New()
	for _, part := range []any{f.Base, f.Root, f.Feature, f.Threshold, f.Left, f.Right, f.MissingLeft, f.Set, f.Value, f.Cover} {
		if err := binary.Write(h, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Fprint(h, f.Sets)
	return hex.EncodeToString(h.Sum(nil)[:8])
}
