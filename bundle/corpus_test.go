package bundle_test

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
)

var update = flag.Bool("update", false, "write the corpus file anew; only when a format version begins")

// Bundles of released versions load forever, with the same id and scores. The
// file was written by `go test ./bundle -run Corpus -update` when version 1 of
// the format began. Never write it anew: if this test fails after a change of a
// type that a bundle stores, make the new field optional (omitempty).
const corpusID = "c23347c89d053217ad5770d8499fd4d97a0d62794c2886a41f00272f4b5b76c7"

func TestCorpus(t *testing.T) {
	t.Parallel()
	const path = "testdata/v1.tandem"
	if *update {
		p := full(t)
		b, err := bundle.New(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := bundle.WriteFile(path, b); err != nil {
			t.Fatal(err)
		}
	}
	b, err := bundle.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.ID() != corpusID {
		t.Errorf("id %s, want %s", b.ID(), corpusID)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw, encode(t, b)) {
		t.Error("storing it again gives other bytes")
	}
}

// full is a bundle in which every field of every part says something.
func full(t *testing.T) bundle.Bundle {
	p := parts(t, 1)
	p.Manifest.Data.Rejects = 3
	rng := rand.New(rand.NewPCG(1, 9))
	amounts, jobs := make([]float64, 1500), make([]string, 1500)
	for i := range amounts {
		amounts[i], jobs[i] = rng.NormFloat64(), []string{"fixed", "others", ""}[rng.IntN(3)]
	}
	amounts[0], amounts[1], amounts[2] = nan, inf, -inf
	p.Profile = data.NewProfile(table(t, numberColumn("Ratio", amounts...), categoryColumn("Job", jobs...),
		&data.Column{Name: "employed_since", Kind: data.Time, Times: make([]int64, 1500)}))
	p.Scores = *p.Profile.Column("Ratio")
	p.Scores.Name = "score"
	x := 0.5
	p.Card = bundle.Card{
		Name: "credit", Task: bundle.Binary, Metric: "auc", Target: "Status", Positive: "bad", Negative: "good",
		Intended: "to decide on loans", Limits: []string{"one bank, one year"}, FalsePositive: 1, FalseNegative: 5,
		Split:    bundle.Split{Method: "out-of-time", Train: 600, Calibration: 150, Holdout: 200, Folds: 5},
		Baseline: map[string]float64{"accuracy": 0.72, "log_loss": 0.6},
		Holdout:  map[string]bundle.Measure{"auc": {Value: 0.83, Low: 0.8, High: 0.86}}, Threshold: 0.25,
		Confusion: &bundle.Confusion{TP: 1, FP: 2, FN: 3, TN: 4},
		Leaderboard: []bundle.LeaderboardRow{{Learner: "gbdt/shallow", Params: map[string]any{"trees": 100.0, "names": []any{"a", nil, true}},
			AUC: &x, AUCSD: &x, LogLoss: &x, RMSE: &x, RMSESD: &x, MAE: &x}},
		Chosen: "gbdt/shallow", Reliability: []bundle.ReliabilityBin{{Rows: 20, Score: 0.1, Observed: 0.12}},
		ROC: [][2]float64{{0, 0}, {1, 1}}, Cost: []bundle.CostPoint{{Threshold: 0.5, Cost: 0.4}},
		Importance: []bundle.Importance{{Column: "Income", Drop: 0.1, SD: 0.01, MeanAbs: 0.3}},
		Hypotheses: []bundle.Hypothesis{{Question: "q", Test: "t", Rows: 9, Statistic: 1, P: 0.1, PCorrected: 0.2, Effect: 0.3,
			EffectName: "g", EffectLow: 0.1, EffectHigh: 0.5, Sentence: "s", Why: "w"}},
		Gates:  []bundle.Gate{{Metric: "auc", Rule: ">= 0.80", Value: 0.83, Held: true}},
		Alerts: []string{"Ratio holds infinities"}, Protected: []string{"Age"},
	}
	p.Signature = []byte("signature")
	return p
}
