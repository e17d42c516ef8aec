package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data"
)

// No other library's format has tables of what the target was on average:
// export says so and writes nothing.
func TestExportRefusesTargetStatistics(t *testing.T) {
	m, err := bundle.NewModel(bundle.Model{
		Contract: data.Contract{Fields: []data.Field{{Name: "branch", Kind: data.Category, Role: data.Feature, Categories: []string{"north", "south"}}}},
		Members: []bundle.Member{{Learner: "gbdt", Weight: 1,
			Plan:  step.Plan{{Name: "branch target mean", Op: step.TargetMean, Categories: 2, Values: []float64{20, 30}, Fill: 25, Mean: 25}},
			Trees: &tree.Forest{Features: 1, Root: []int32{0, 1}, Feature: []int32{0}, Threshold: []float64{0}, Left: []int32{-1}, Right: []int32{-1}, MissingLeft: []bool{false}, Set: []int32{-1}, Value: []float64{1}, Cover: []float64{9}}}},
		Calibration: bundle.Calibration{Method: "identity"},
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.New(bundle.Bundle{
		Manifest: bundle.Manifest{Producer: "test", Name: "rents", Task: bundle.Regression, Target: "rent"}, Model: *m,
		Card:  bundle.Card{Task: bundle.Regression, Target: "rent"},
		Tests: m.TestRows(bundle.Rows{N: 2, Cols: 1, Data: []float64{0, 1}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := bundle.Encode(b)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	from, to := filepath.Join(dir, "rents.tandem"), filepath.Join(dir, "rents.model")
	if err := os.WriteFile(from, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, library := range []string{"lightgbm", "xgboost"} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), []string{"export", from, "--to", library, "-o", to}, strings.NewReader(""), &stdout, &stderr)
		if want := `column "branch" is read through ordered target statistics`; code != exitFailed || !strings.Contains(stderr.String(), want) {
			t.Errorf("%s: exit %d, %s", library, code, stderr.String())
		}
		if _, err := os.Stat(to); err == nil {
			t.Errorf("%s: a file was written", library)
		}
	}
}
