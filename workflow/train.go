package workflow

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/tandem-ml/tandem"
	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/project"
	"github.com/tandem-ml/tandem/science/evaluate"
	"github.com/tandem-ml/tandem/science/tune"
)

// folds is how many parts the training rows are cut into for the
// out-of-fold choice between candidates.
const folds = 5

// testRows is how many rows a bundle carries to prove that it scores as it did
// in training.
const testRows = 32

// Options are settings of one execution that do not change its result, but for
// NoHoldout.
type Options struct {
	Workers   int   // 0: GOMAXPROCS
	NoHoldout bool  // all rows are for training and calibration: the caller evaluates on rows of its own
	Talk      *Talk // nil: silent
	Strict    bool  // a guess, a repair or a reject in reading the source is an error

	spent time.Duration // part of the budget that the search may not have: gone already, or kept for what follows
}

// Trained is the outcome of a training: a model in a bundle whose card is
// still empty, and what the search saw on the way.
type Trained struct {
	Bundle      *bundle.Bundle
	Split       evaluate.Split
	Leaderboard []LeaderboardLine
	Chosen      string
	Metric      string
	Complete    bool
	Seconds     float64
}

// prepared is a table seen by a learner: encoded rows and their labels.
type prepared struct {
	rows bundle.Rows
	y    []float64
}

// prepare encodes a table by a contract. Rows that break the contract are an
// error: the contract was learned from this table, or edited on purpose.
func prepare(t *data.Table, c *data.Contract, target Target) (prepared, error) {
	layout, err := bundle.NewLayout(c)
	if err != nil {
		return prepared{}, err
	}
	rows, bad, err := layout.EncodeTable(t)
	if err != nil {
		return prepared{}, err
	}
	if len(bad) > 0 {
		return prepared{}, data.WithHint(fmt.Errorf("%d rows break the contract, the first is %w", len(bad), firstBad(bad)),
			"mend the rows, or change the contract section of tandem.yaml")
	}
	col := t.Column(target.Column)
	if col == nil {
		return prepared{}, fmt.Errorf("column %q, the target, is not in the table", target.Column)
	}
	y, err := target.labels(col)
	if err != nil {
		return prepared{}, err
	}
	return prepared{rows, y}, nil
}

func firstBad(bad map[int]*data.CellError) *data.CellError {
	first := -1
	for r := range bad {
		if first < 0 || r < first {
			first = r
		}
	}
	return bad[first]
}

// train searches for the best model of an ingested table and calibrates it.
func train(ctx context.Context, in *Ingested, spec *project.Project, opt Options) (*Trained, error) {
	start := time.Now()
	p, err := prepare(in.Table, &in.Contract, in.Target)
	if err != nil {
		return nil, err
	}
	if p.rows.Cols == 0 {
		return nil, data.WithHint(fmt.Errorf("no column is left to learn from"),
			"every column but the target is excluded, protected, an identifier, text, or constant; see the contract")
	}
	division := evaluate.Input{Task: in.Target.Task, Y: p.y, Seed: spec.Seed, NoHoldout: opt.NoHoldout}
	if spec.Data.Time != "" {
		division.Time = in.Table.Column(spec.Data.Time).Times
	}
	if spec.Data.Group != "" {
		division.Group = codes(in.Table.Column(spec.Data.Group))
	}
	split, err := evaluate.Divide(division)
	if err != nil {
		return nil, err
	}
	search, err := tune.Search(ctx, tune.Config{
		Contract: &in.Contract, Rows: p.rows, Y: p.y,
		Train: split.Train, Folds: evaluate.Folds(division, split.Train, folds),
		Task: in.Target.Task, Metric: spec.Model.Metric, Budget: spec.Model.Budget, Spent: opt.spent, Seed: spec.Seed,
		Workers: opt.Workers, Interpretable: spec.Model.Interpretable, NoTargetStatistics: !spec.Model.TargetStatistics, Now: time.Now,
		Progress: func(e tune.Event) { opt.Talk.Progress("  train   %v", e) },
	})
	if err != nil {
		return nil, err
	}
	b, err := assemble(in, spec, p, split, search)
	if err != nil {
		return nil, err
	}
	return &Trained{
		Bundle: b, Split: split, Leaderboard: lines(search.Leaderboard),
		Chosen: search.Leaderboard[search.Chosen].Learner, Metric: search.Metric,
		Complete: search.Complete, Seconds: time.Since(start).Seconds(),
	}, nil
}

// assemble calibrates the found members, sets the threshold and packs both
// with the contract and with rows that prove the scores.
func assemble(in *Ingested, spec *project.Project, p prepared, split evaluate.Split, search *tune.Result) (*bundle.Bundle, error) {
	snapshot := in.Snapshot
	if spec.Dir == "" || filepath.IsAbs(snapshot.Source) {
		// Where the file lay on this machine is nobody's business, and equal
		// trainings have equal ids. Its hash says which file it was.
		snapshot.Source = filepath.Base(snapshot.Source)
	}
	b := &bundle.Bundle{
		Manifest: bundle.Manifest{
			Format: bundle.FormatVersion, Producer: "tandem " + tandem.Version, Name: spec.Name,
			Task: in.Target.Task, Target: in.Target.Column, Data: snapshot, Seed: spec.Seed,
			Complete: search.Complete, Reasons: spec.Decision.Reasons, Texts: spec.Decision.ReasonTexts,
		},
		Profile: ofInputs(in.Profile, &in.Contract),
	}
	model := bundle.Model{Contract: in.Contract, Members: search.Members,
		Calibration: bundle.Calibration{Method: "identity"}}
	for _, m := range search.Members {
		b.Manifest.Members = append(b.Manifest.Members, bundle.MemberInfo{Learner: m.Learner, Weight: m.Weight})
	}
	ready, err := calibrated(model, in.Target, spec, p, split.Calibration)
	if err != nil {
		return nil, err
	}
	b.Model = *ready
	proof := split.Holdout
	if len(proof) == 0 {
		proof = split.Calibration
	}
	for i := range min(testRows, len(proof)) {
		row := slices.Clone(p.rows.Row(proof[i*len(proof)/min(testRows, len(proof))]))
		margin, score := b.Score(row)
		b.Tests = append(b.Tests, bundle.TestRow{Row: row, Margin: margin, Score: score})
	}
	return b, nil
}

// ofInputs returns the profile of the columns that are scored. The values of
// others, such as names and identifiers, have no business in a bundle.
func ofInputs(p *data.Profile, c *data.Contract) data.Profile {
	out := data.Profile{Rows: p.Rows}
	for _, f := range c.Inputs() {
		if col := p.Column(f.Name); col != nil {
			out.Columns = append(out.Columns, *col)
		}
	}
	return out
}

// calibrated returns the model with its link from margin to score. For a
// binary task the link and the threshold are fitted on rows that the members
// have not seen.
func calibrated(model bundle.Model, target Target, spec *project.Project, p prepared, rows []int) (*bundle.Model, error) {
	if target.Task == bundle.Regression {
		return bundle.NewModel(model)
	}
	model.Decision = bundle.Decision{
		Positive: target.Positive, Negative: target.Negative, Threshold: 0.5,
		FalsePositive: spec.Decision.Cost.FalsePositive, FalseNegative: spec.Decision.Cost.FalseNegative,
	}
	model.Calibration = bundle.Calibration{Method: "sigmoid", A: 1}
	raw, err := bundle.NewModel(model)
	if err != nil {
		return nil, err
	}
	part := take(p, rows)
	margin, score := make([]float64, part.rows.N), make([]float64, part.rows.N)
	raw.ScoreRows(margin, score, part.rows)
	if model.Calibration, err = evaluate.Calibrate(margin, part.y); err != nil {
		return nil, err
	}
	for i, m := range margin {
		score[i] = model.Calibration.Score(m)
	}
	model.Decision.Threshold = evaluate.Threshold(score, part.y, spec.Decision.Cost.FalsePositive, spec.Decision.Cost.FalseNegative)
	return bundle.NewModel(model)
}

// take returns the given rows of p, copied.
func take(p prepared, rows []int) prepared {
	out := prepared{rows: bundle.Rows{N: len(rows), Cols: p.rows.Cols, Data: make([]float64, 0, len(rows)*p.rows.Cols)}}
	for _, r := range rows {
		out.rows.Data = append(out.rows.Data, p.rows.Row(r)...)
		out.y = append(out.y, p.y[r])
	}
	return out
}

// codes gives each distinct value of a column a number, in order of first
// appearance; every missing value is a group of its own.
func codes(c *data.Column) []int32 {
	seen := make(map[string]int32)
	out := make([]int32, c.Len())
	next := int32(0)
	for i := range out {
		if c.Missing(i) {
			out[i] = next
			next++
			continue
		}
		v := c.Format(i)
		code, ok := seen[v]
		if !ok {
			code = next
			seen[v] = code
			next++
		}
		out[i] = code
	}
	return out
}
