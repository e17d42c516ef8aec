package workflow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/ingest"
	"github.com/tandem-ml/tandem/metrics"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt"
	plans "github.com/tandem-ml/tandem/science/prepare"
)

// BenchTrainOptions say which booster to train and measure.
type BenchTrainOptions struct {
	Data, Target  string
	Test          string // rows to measure on; "": the last fifth of Data
	Task          string // "multiclass"; "" or "auto": by the target's values
	Trees, Leaves int
	Defaults      bool         // the booster's own defaults in place of Trees, Leaves and what BenchTrain fixes
	Settings      learn.Params // further settings of the booster, which win over the others
	Threads       int
	Seed          uint64
}

// BenchTrained is what one training took, in seconds of wall time, and how good
// it is: auc and logloss for two classes, logloss and accuracy for several, rmse
// for a number.
type BenchTrained struct {
	Read    float64  `json:"read_s"`  // until plain columns are in memory
	Bin     float64  `json:"bin_s"`   // encoding, steps, quantiles, compaction: all that looks at values
	Boost   float64  `json:"boost_s"` // growing the trees
	Total   float64  `json:"total_s"`
	AUC     *float64 `json:"auc,omitempty"`
	LogLoss *float64 `json:"logloss,omitempty"`
	Right   *float64 `json:"accuracy,omitempty"` // share of rows whose most probable class is theirs
	RMSE    *float64 `json:"rmse,omitempty"`
	PeakMB  float64  `json:"peak_rss_mb"` // of the process; 0 where the system does not tell
	Threads int      `json:"threads"`
	Rows    int      `json:"rows"` // of Data
	Cols    int      `json:"cols"` // without the target
}

// benchPart is one of the two tables of a measured training.
type benchPart struct {
	table  *data.Table
	target *data.Column
}

// BenchTrain trains one booster, with a learning rate of 0.1, 255 bins, 20 rows
// in a leaf at least and no penalty if o does not say otherwise, and measures it
// on rows that it has not seen.
func BenchTrain(ctx context.Context, o BenchTrainOptions) (*BenchTrained, error) {
	start := time.Now()
	train, err := readBench(ctx, o.Data, o.Target)
	if err != nil {
		return nil, err
	}
	out := &BenchTrained{Threads: o.Threads, Rows: train.table.Rows(), Cols: len(train.table.Columns) - 1}
	var test *benchPart
	if o.Test != "" {
		if test, err = readBench(ctx, o.Test, o.Target); err != nil {
			return nil, err
		}
	}
	out.Read = time.Since(start).Seconds()

	from := time.Now()
	target, err := o.target(train.target)
	if err != nil {
		return nil, err
	}
	contract := benchContract(train.table, o.Target)
	known, err := benchRows(train, &contract, target)
	if err != nil {
		return nil, err
	}
	var unseen prepared
	rows := make([]int, known.rows.N)
	for i := range rows {
		rows[i] = i
	}
	if test == nil {
		cut := len(rows) * 4 / 5
		unseen = take(known, rows[cut:])
		rows = rows[:cut]
	} else if unseen, err = benchRows(test, &contract, target); err != nil {
		return nil, err
	}
	plan, categories := plans.Fit(&contract, known.rows, rows, learn.Raw)
	fit := learn.Train{Task: target.Task, Categories: categories, Seed: o.Seed, Workers: o.Threads,
		Data: learn.Data{X: plans.Apply(plan, known.rows, rows), Y: known.y[:len(rows)]}}
	var binned time.Time
	fit.Progress = func(int, int) {
		if binned.IsZero() { // the first report comes when the bins are ready
			binned = time.Now()
		}
	}
	params := learn.Params{}
	if !o.Defaults {
		// What the defaults have for accuracy is left out: this measures speed, beside boosters that do not have it.
		params = learn.Params{"trees": o.Trees, "leaves": o.Leaves, "learning_rate": 0.1, "bins": 255, "min_rows": 20,
			"lambda": 0, "node_fraction": 1, "cat_single": 0}
	}
	maps.Copy(params, o.Settings)
	var members []bundle.Member
	if target.Task == bundle.Multiclass {
		fit.Classes = len(target.Classes)
		members, err = gbdt.Learner{}.FitClasses(ctx, fit, params)
	} else {
		members = make([]bundle.Member, 1)
		members[0], err = gbdt.Learner{}.Fit(ctx, fit, params)
	}
	if err != nil {
		return nil, err
	}
	out.Bin, out.Boost = binned.Sub(from).Seconds(), time.Since(binned).Seconds()
	for k := range members {
		members[k].Plan = plan
	}
	if err := out.measure(contract, members, target, unseen); err != nil {
		return nil, err
	}
	out.PeakMB = peakMB()
	out.Total = time.Since(start).Seconds()
	return out, nil
}

// target takes the values for two classes, a number, or several classes.
func (o *BenchTrainOptions) target(c *data.Column) (Target, error) {
	switch {
	case o.Task == "multiclass", (o.Task == "" || o.Task == "auto") && c.Kind == data.Category && len(distinct(c, 3)) > 2:
		return classTarget(c)
	}
	return resolveTarget(c, o.Task, "")
}

// WithKernel returns the bundle with its trees made ready for a kernel: avx512,
// avx2 or portable; "" for the fastest.
func WithKernel(b *bundle.Bundle, kernel string) (*bundle.Bundle, error) {
	if kernel == "" {
		return b, nil
	}
	m, err := b.Model.WithKernel(tree.Kernel(kernel))
	if err != nil {
		return nil, Usagef("--%v", err)
	}
	out := *b
	out.Model = *m
	return &out, nil
}

// readBench reads a table and leaves out the rows without a target.
func readBench(ctx context.Context, source, target string) (*benchPart, error) {
	res, err := ingest.Read(ctx, source, ingest.Options{})
	if err != nil {
		return nil, err
	}
	if res.Table.Column(target) == nil {
		return nil, noColumn(res.Table, target)
	}
	t, _ := withTarget(res.Table, target)
	return &benchPart{t, t.Column(target)}, nil
}

// benchContract takes every column as it is: nothing is looked for, nothing is
// refused.
func benchContract(t *data.Table, target string) data.Contract {
	var c data.Contract
	for _, col := range t.Columns {
		f := data.Field{Name: col.Name, Kind: col.Kind, Role: data.Feature, Infinite: col.Kind == data.Number}
		switch {
		case col.Name == target:
			f.Role = data.Target
		case col.Kind == data.Text:
			f.Role = data.Excluded
		case col.Kind == data.Category:
			f.Categories = col.Dict
		}
		c.Fields = append(c.Fields, f)
	}
	return c
}

func benchRows(p *benchPart, c *data.Contract, target Target) (prepared, error) {
	layout, err := bundle.NewLayout(c)
	if err != nil {
		return prepared{}, err
	}
	rows, bad, err := layout.EncodeTable(p.table)
	if err != nil {
		return prepared{}, err
	}
	if len(bad) > 0 {
		return prepared{}, firstBad(bad)
	}
	y, err := target.labels(p.target)
	return prepared{rows, y}, err
}

// measure scores the unseen rows.
func (o *BenchTrained) measure(contract data.Contract, members []bundle.Member, target Target, unseen prepared) error {
	m := bundle.Model{Contract: contract, Members: members, Calibration: bundle.Calibration{Method: "identity"}}
	switch target.Task {
	case bundle.Multiclass:
		m.Calibration, m.Decision = bundle.Calibration{Method: "softmax"}, bundle.Decision{Classes: target.Classes}
	case bundle.Binary:
		m.Calibration = bundle.Calibration{Method: "sigmoid", A: 1}
		m.Decision = bundle.Decision{Positive: target.Positive, Negative: target.Negative, Threshold: 0.5}
	}
	model, err := bundle.NewModel(m)
	if err != nil {
		return err
	}
	if target.Task == bundle.Multiclass {
		loss, right := 0.0, 0
		for i, a := range model.Answers(unseen.rows) {
			class := int(unseen.y[i])
			loss -= math.Log(max(a.Scores[class], 1e-15))
			if a.Decision == target.Classes[class] {
				right++
			}
		}
		n := float64(unseen.rows.N)
		return errors.Join(put(&o.LogLoss)(loss/n, nil), put(&o.Right)(float64(right)/n, nil))
	}
	margin, score := make([]float64, unseen.rows.N), make([]float64, unseen.rows.N)
	model.ScoreRows(margin, score, unseen.rows)
	if target.Task == bundle.Regression {
		return put(&o.RMSE)(metrics.RMSE(unseen.y, score))
	}
	label := make([]bool, len(unseen.y))
	for i, y := range unseen.y {
		label[i] = y == 1
	}
	if err := put(&o.AUC)(metrics.AUC(label, score, nil)); err != nil {
		return err
	}
	return put(&o.LogLoss)(metrics.LogLoss(label, score, nil))
}

// put stores a result that may have failed.
func put(dst **float64) func(float64, error) error {
	return func(x float64, err error) error {
		*dst = &x
		return err
	}
}

// BenchScored is how fast a bundle scores a table that is in memory as columns.
type BenchScored struct {
	Batch struct {
		RowsPerSecond float64 `json:"rows_per_s"` // encoding included; the median of several passes
	} `json:"batch"`
	Row     Latency `json:"row"`              // one encoded row to its score
	Reasons Latency `json:"row_with_reasons"` // and its reasons
	Threads int     `json:"threads"`
}

// Latency is how long single rows took, in microseconds.
type Latency struct {
	P50 float64 `json:"p50_us"`
	P99 float64 `json:"p99_us"`
}

// Passes of the measurement, and the time that each part of it takes at least.
const (
	benchPasses = 5
	benchTime   = time.Second
)

// BenchScore measures how fast b scores the rows of a source. threads is for the
// record: the caller sets how many the program has.
func BenchScore(ctx context.Context, b *bundle.Bundle, source string, threads int, opt Options) (*BenchScored, error) {
	s, err := readFor(ctx, b, source, opt)
	if err != nil {
		return nil, err
	}
	if s.rows.N == 0 {
		return nil, fmt.Errorf("%s has no rows", source)
	}
	out := &BenchScored{Threads: threads}
	var rates []float64
	margin, score := make([]float64, s.rows.N), make([]float64, s.rows.N)
	for begin := time.Now(); len(rates) < benchPasses || time.Since(begin) < benchTime; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		from := time.Now()
		rows, _, err := b.Layout().EncodeTable(s.table)
		if err != nil {
			return nil, err
		}
		b.ScoreRows(margin, score, rows)
		rates = append(rates, float64(s.rows.N)/time.Since(from).Seconds())
	}
	slices.Sort(rates)
	out.Batch.RowsPerSecond = rates[len(rates)/2]
	reasons := b.Manifest.Reasons
	if reasons == 0 {
		reasons = 4
	}
	out.Row, err = latency(ctx, s.rows, func(row []float64) { b.Score(row) })
	if err != nil {
		return nil, err
	}
	out.Reasons, err = latency(ctx, s.rows, func(row []float64) {
		_, score := b.Score(row)
		b.Model.Reasons(row, reasons, score >= b.Decision.Threshold, b.Manifest.Texts)
	})
	return out, err
}

// latency times f on the rows in turn, one by one.
func latency(ctx context.Context, rows bundle.Rows, f func(row []float64)) (Latency, error) {
	const most = 1_000_000
	var us []float64
	for begin, i := time.Now(), 0; len(us) < 100 || len(us) < most && time.Since(begin) < benchTime; i++ {
		if i%256 == 0 && ctx.Err() != nil {
			return Latency{}, ctx.Err()
		}
		row := rows.Row(i % rows.N)
		from := time.Now()
		f(row)
		us = append(us, float64(time.Since(from))/float64(time.Microsecond))
	}
	slices.Sort(us)
	return Latency{P50: us[len(us)/2], P99: us[len(us)*99/100]}, nil
}
