package bundle_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/bundle/tree"
)

// means is a bundle of one tree that reads the mean of the target in each of
// three jobs: 0.1, 0.3 and 0.7, 0.5 where the job is missing, and the overall
// mean 0.2 where it is unseen. Below 0.25 the leaf is -1, then 0 up to 0.6, then 2.
func means(t testing.TB) *bundle.Bundle {
	t.Helper()
	p := parts(t, 1)
	m, err := bundle.NewModel(bundle.Model{
		Contract: p.Contract,
		Members: []bundle.Member{{Learner: "gbdt", Weight: 1,
			Plan: step.Plan{
				{Name: "Job target mean", Input: job, Op: step.TargetMean, Categories: 3, Values: []float64{0.1, 0.3, 0.7}, Fill: 0.5, Mean: 0.2},
				{Name: "Income", Input: income, Op: step.Number},
			},
			Trees: &tree.Forest{
				Features: 2, Root: []int32{0, 5}, Feature: []int32{0, 0, 0, 0, 0}, Threshold: []float64{0.25, 0, 0.6, 0, 0},
				Left: []int32{1, -1, 3, -1, -1}, Right: []int32{2, -1, 4, -1, -1}, MissingLeft: make([]bool, 5), Set: []int32{-1, -1, -1, -1, -1},
				Value: []float64{0, -1, 0, 0, 2}, Cover: []float64{10, 4, 6, 3, 3},
			}}},
		Calibration: p.Calibration, Decision: p.Decision,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Manifest.Members, p.Model = nil, *m
	p.Tests = m.TestRows(applicants(rand.New(rand.NewPCG(3, 3)), 3))
	b, err := bundle.New(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Known, missing and unseen jobs reach their leaves, also once the bundle is
// stored, and what the mean contributes is the job's.
func TestTargetMeans(t *testing.T) {
	t.Parallel()
	b := means(t)
	raw := encode(t, b)
	again, err := bundle.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw, encode(t, again)) {
		t.Error("bytes differ after a round trip")
	}
	row := applicants(rand.New(rand.NewPCG(1, 1)), 1).Row(0)
	for _, c := range []struct {
		value any
		want  float64
	}{{"fixed", -1}, {"freelance", 0}, {"others", 2}, {nil, 0}, {"astronaut", -1}} {
		x, err := b.Layout().ParseValue(job, c.value)
		if err != nil {
			t.Fatal(err)
		}
		row[job] = x
		for _, b := range []*bundle.Bundle{b, again} {
			if margin, _ := b.Score(row); margin != c.want {
				t.Errorf("job %v: margin %v, want %v", c.value, margin, c.want)
			}
			part := make([]float64, len(row))
			base, _ := b.Contributions(part, row)
			if want := c.want - base; math.Abs(part[job]-want) > 1e-12 || part[income] != 0 {
				t.Errorf("job %v: contributions %v, want %v of the job", c.value, part, want)
			}
		}
	}
	row[job] = 2 // others
	if r := b.Reasons(row, 4, true, nil); len(r) != 1 || r[0].Column != "Job" || r[0].Value != "others" {
		t.Errorf("reasons %v, want the job", r)
	}
}
