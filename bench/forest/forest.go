// Package forest makes the model that the benchmarks of servers ask: random trees
// of the size that is told of peers.
package forest

import (
	"fmt"
	"math/rand/v2"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/bundle/tree/treetest"
	"github.com/tandem-ml/tandem/data"
)

// Columns is how many numbers the model reads: column_0, column_1 and so on.
const Columns = 30

// Bundle returns a bundle of 500 trees of 31 leaves with 64 proof rows; each kind
// has other trees.
func Bundle(kind uint64) (*bundle.Bundle, error) {
	rng := rand.New(rand.NewPCG(1, kind))
	var c data.Contract
	var plan step.Plan
	for j := range Columns {
		name := fmt.Sprintf("column_%d", j)
		c.Fields = append(c.Fields, data.Field{Name: name, Kind: data.Number, Role: data.Feature})
		plan = append(plan, step.Feature{Name: name, Input: j, Op: step.Number})
	}
	c.Fields = append(c.Fields, data.Field{Name: "outcome", Kind: data.Category, Role: data.Target, Categories: []string{"bad", "good"}})
	m, err := bundle.NewModel(bundle.Model{
		Contract: c, Members: []bundle.Member{{Learner: "gbdt", Weight: 0.01, Plan: plan, Trees: treetest.Random(rng, make([]int, Columns), 500, 31)}},
		Calibration: bundle.Calibration{Method: "sigmoid", A: 1},
		Decision:    bundle.Decision{Positive: "bad", Negative: "good", Threshold: 0.5},
	})
	if err != nil {
		return nil, err
	}
	rows := bundle.Rows{N: 64, Cols: Columns}
	for range rows.N * Columns {
		rows.Data = append(rows.Data, float64(rng.IntN(50_000)-25_000)/10_000)
	}
	return bundle.New(bundle.Bundle{
		Manifest: bundle.Manifest{Producer: "bench", Name: "bench", Task: bundle.Binary, Target: "outcome", Reasons: 4},
		Model:    *m, Tests: m.TestRows(rows),
	})
}
