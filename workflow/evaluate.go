package workflow

import (
	"context"
	"fmt"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/project"
	"github.com/tandem-ml/tandem/science/evaluate"
	"github.com/tandem-ml/tandem/science/explain"
)

// Evaluation is what the untouched rows say of a model.
type Evaluation struct {
	Rows     int                `json:"rows"`
	Facts    evaluate.Facts     `json:"facts"`
	Baseline map[string]float64 `json:"baseline"`
	Scores   data.ColumnProfile `json:"scores"` // profile of the scores: the monitor's baseline
}

// assess scores rows that the model was not made from and measures the result.
func assess(b *bundle.Bundle, p prepared, trainY []float64, seed uint64) (*Evaluation, error) {
	score := scores(b, p.rows)
	facts, err := evaluate.Holdout(b.Manifest.Task, p.y, score, b.Decision, seed)
	if err != nil {
		return nil, err
	}
	t, err := data.NewTable(&data.Column{Name: "score", Kind: data.Number, Numbers: score})
	if err != nil {
		return nil, err
	}
	return &Evaluation{
		Rows: p.rows.N, Facts: facts,
		Baseline: evaluate.Baseline(b.Manifest.Task, trainY, p.y),
		Scores:   data.NewProfile(t).Columns[0],
	}, nil
}

func scores(b *bundle.Bundle, rows bundle.Rows) []float64 {
	margin := make([]float64, rows.N)
	score := make([]float64, rows.N)
	b.ScoreRows(margin, score, rows)
	return score
}

// importanceRepeats is how often each column is shuffled, and importanceWork
// how many trees may be walked in all for it, so that a large model of a large
// table is known in a second or two. The number of rows follows from it, and
// depends on nothing but the model.
const (
	importanceRepeats = 5
	importanceWork    = 60_000_000
)

// importance shuffles each column of the holdout and measures what is lost.
func importance(ctx context.Context, b *bundle.Bundle, p prepared, seed uint64) ([]bundle.Importance, error) {
	const linearRow = 20 // what a row costs beside the trees, in trees
	trees := linearRow
	for _, m := range b.Members {
		if m.Trees != nil {
			trees += len(m.Trees.Root) - 1
		}
	}
	rows := importanceWork / (trees * importanceRepeats * max(p.rows.Cols, 1))
	if !b.Manifest.Complete {
		rows /= 4 // the time is up
	}
	return explain.Permutation(ctx, explain.Config{
		Model: &b.Model, Rows: p.rows, Y: p.y, Task: b.Manifest.Task, Repeats: importanceRepeats, Seed: seed,
		MaxRows: min(max(rows, 300), 10_000),
	})
}

// card puts the run's facts together.
func card(in *Ingested, p *project.Project, tr *Trained, ev *Evaluation, imp []bundle.Importance, hyp []bundle.Hypothesis, alerts []string) bundle.Card {
	c := bundle.Card{
		Name: p.Name, Task: in.Target.Task, Metric: tr.Metric, Target: in.Target.Column, Positive: in.Target.Positive,
		Negative: in.Target.Negative, FalsePositive: p.Decision.Cost.FalsePositive, FalseNegative: p.Decision.Cost.FalseNegative,
		Split: bundle.Split{Method: tr.Split.Method, Train: len(tr.Split.Train), Calibration: len(tr.Split.Calibration),
			Holdout: ev.Rows, Folds: folds},
		Baseline: ev.Baseline, Holdout: ev.Facts.Measures, Confusion: ev.Facts.Confusion,
		Threshold: tr.Bundle.Decision.Threshold, Chosen: tr.Chosen,
		Reliability: ev.Facts.Reliability, ROC: ev.Facts.ROC, Cost: ev.Facts.Cost,
		Importance: imp, Hypotheses: hyp, Alerts: alerts, Protected: p.Data.Protected,
	}
	for _, row := range tr.Leaderboard {
		c.Leaderboard = append(c.Leaderboard, row.LeaderboardRow)
	}
	for _, g := range p.Gates {
		m, measured := ev.Facts.Measures[g.Metric]
		c.Gates = append(c.Gates, bundle.Gate{Metric: g.Metric, Rule: g.Rule(), Value: m.Value, Held: measured && g.Held(m.Value)})
	}
	return c
}

// GatesHeld returns nil if every gate of the card held, else an error that
// names those that did not, with ErrNotHeld in it.
func GatesHeld(c bundle.Card) error {
	text := ""
	for _, g := range c.Gates {
		if !g.Held {
			text += fmt.Sprintf("gate %s %s did not hold: it is %.4g; ", g.Metric, g.Rule, g.Value)
		}
	}
	if text == "" {
		return nil
	}
	return NotHeld("%s", text[:len(text)-2])
}
