package workflow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"
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
	Task          string // "multiclass", "ranking"; "" or "auto": by the target's values
	Group         string // ranking: the column whose equal values, in rows after each other, are a group
	Trees, Leaves int
	Defaults      bool         // the booster's own defaults in place of Trees, Leaves and what BenchTrain fixes
	Settings      learn.Params // further settings of the booster, which win over the others
	Threads       int
	Seed          uint64

	// Checkpoint is a file for the state of the training, which goes on from it
	// if it is there, and removes it when it has ended; "": none.
	Checkpoint string
	Every      time.Duration // between two writes of Checkpoint at least
}

// BenchTrained is what one training took, in seconds of wall time, and how good
// it is: auc and logloss for two classes, logloss and accuracy for several, rmse
// for a number, ndcg (of the first ten) for an order.
type BenchTrained struct {
	Read    float64  `json:"read_s"`  // until plain columns are in memory
	Bin     float64  `json:"bin_s"`   // encoding, steps, quantiles, compaction: all that looks at values
	Boost   float64  `json:"boost_s"` // growing the trees
	Total   float64  `json:"total_s"`
	AUC     *float64 `json:"auc,omitempty"`
	LogLoss *float64 `json:"logloss,omitempty"`
	Right   *float64 `json:"accuracy,omitempty"` // share of rows whose most probable class is theirs
	RMSE    *float64 `json:"rmse,omitempty"`
	NDCG    *float64 `json:"ndcg,omitempty"`
	PeakMB  float64  `json:"peak_rss_mb"` // of the process; 0 where the system does not tell
	Threads int      `json:"threads"`
	Rows    int      `json:"rows"`                    // of Data
	Cols    int      `json:"cols"`                    // without the target and the group
	Resumed int      `json:"resumed_trees,omitempty"` // trees that a checkpoint had; the times are of the others
}

// benchPart is one of the two tables of a measured training.
type benchPart struct {
	table  *data.Table
	target *data.Column
	groups benchGroups // of a ranking
}

// BenchTrain trains one booster, with a learning rate of 0.1, 255 bins, 20 rows
// in a leaf at least and no penalty if o does not say otherwise, and measures it
// on rows that it has not seen.
func BenchTrain(ctx context.Context, o BenchTrainOptions) (*BenchTrained, error) {
	start := time.Now()
	train, err := readBench(ctx, o.Data, o.Target, o.Group)
	if err != nil {
		return nil, err
	}
	out := &BenchTrained{Threads: o.Threads, Rows: train.table.Rows(), Cols: len(train.table.Columns) - 1}
	if o.Group != "" {
		out.Cols--
	}
	var test *benchPart
	if o.Test != "" {
		if test, err = readBench(ctx, o.Test, o.Target, o.Group); err != nil {
			return nil, err
		}
	}
	out.Read = time.Since(start).Seconds()

	from := time.Now()
	target, err := o.target(train.target)
	if err != nil {
		return nil, err
	}
	contract := benchContract(train.table, o.Target, o.Group)
	known, err := benchRows(train, &contract, target)
	if err != nil {
		return nil, err
	}
	groups, err := train.groups.sizes()
	if err != nil {
		return nil, err
	}
	train = nil
	runtime.GC() // growing trees needs less than the columns took
	var unseen prepared
	rows := make([]int, known.rows.N)
	for i := range rows {
		rows[i] = i
	}
	var unseenGroups []int
	if test == nil {
		cut := len(rows) * 4 / 5
		if o.Group != "" {
			if groups, unseenGroups, cut, err = cutGroups(groups, cut); err != nil {
				return nil, err
			}
		}
		unseen = prepared{bundle.Rows{N: len(rows) - cut, Cols: known.rows.Cols, Data: known.rows.Data[cut*known.rows.Cols:]}, known.y[cut:]}
		rows = rows[:cut]
	} else if unseen, err = benchRows(test, &contract, target); err != nil {
		return nil, err
	} else if unseenGroups, err = test.groups.sizes(); err != nil {
		return nil, err
	}
	labels := plans.Labels{Y: known.y, Classes: len(target.Classes), Seed: o.Seed}
	plan, categories := plans.FitTarget(&contract, known.rows, rows, labels)
	fit := learn.Train{Task: target.Task, Categories: categories, Seed: o.Seed, Workers: o.Threads,
		Data: learn.Data{X: plans.ApplyOrdered(plan, known.rows, rows, labels), Y: known.y[:len(rows)], Groups: groups}}
	var binned time.Time
	fit.Progress = func(done, _ int) {
		if binned.IsZero() { // the first report comes when the bins are ready
			binned, out.Resumed = time.Now(), done
		}
	}
	params := learn.Params{}
	if !o.Defaults {
		// What the defaults have for accuracy is left out: this measures speed, beside boosters that do not have it.
		params = learn.Params{"trees": o.Trees, "leaves": o.Leaves, "learning_rate": 0.1, "bins": 255, "min_rows": 20,
			"lambda": 0, "node_fraction": 1, "cat_single": 0}
	}
	if o.Group != "" {
		params["objective"] = "lambdarank"
	}
	maps.Copy(params, o.Settings)
	var members []bundle.Member
	if target.Task == bundle.Multiclass {
		fit.Classes = labels.Classes
	}
	keep := o.checkpoint()
	switch {
	case o.Checkpoint != "":
		members, err = keep.Fit(ctx, fit, params)
	case target.Task == bundle.Multiclass:
		members, err = gbdt.Learner{}.FitClasses(ctx, fit, params)
	default:
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
	if err := out.measure(contract, members, target, unseen, unseenGroups); err != nil {
		return nil, err
	}
	out.PeakMB = peakMB()
	out.Total = time.Since(start).Seconds()
	if o.Checkpoint != "" {
		if err := keep.Remove(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// checkpoint writes no more often than every o.Every, by the clock.
func (o *BenchTrainOptions) checkpoint() gbdt.Checkpoint {
	last := time.Now()
	return gbdt.Checkpoint{Path: o.Checkpoint, Due: func(int) bool {
		due := time.Since(last) >= o.Every
		if due {
			last = time.Now()
		}
		return due
	}}
}

// target takes the values for two classes, a number, several classes, or how
// much a row is worth in an order.
func (o *BenchTrainOptions) target(c *data.Column) (Target, error) {
	switch {
	case o.Task == "ranking":
		if c.Kind != data.Number {
			return Target{}, Usagef("task ranking needs numbers, but column %q, the target, is a %s", c.Name, c.Kind)
		}
		return resolveTarget(c, string(bundle.Regression), "")
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

// readBench reads a table and leaves out the rows without a target. group may
// be "".
func readBench(ctx context.Context, source, target, group string) (*benchPart, error) {
	res, err := ingest.Read(ctx, source, ingest.Options{})
	if err != nil {
		return nil, err
	}
	for _, name := range []string{target, group} {
		if name != "" && res.Table.Column(name) == nil {
			return nil, noColumn(res.Table, name)
		}
	}
	t, _ := withTarget(res.Table, target)
	p := &benchPart{table: t, target: t.Column(target)}
	if group != "" {
		p.groups = benchGroups{res.Table.Column(group), res.Table.Column(target)}
	}
	return p, nil
}

// benchGroups are the columns of a table with all its rows that say which rows
// are in a group, and which have a target.
type benchGroups struct{ group, target *data.Column }

// sizes returns how many rows with a target each group has, nil without a group
// column. It refuses rows without a group, groups whose rows do not follow each
// other, and targets that are not degrees of relevance.
func (b benchGroups) sizes() ([]int, error) {
	if b.group == nil {
		return nil, nil
	}
	sizes, seen, last := []int{}, make(map[string]bool), ""
	for i := range b.group.Len() {
		v := b.group.Format(i)
		switch {
		case b.group.Missing(i):
			return nil, data.WithHint(&data.CellError{Row: i + 1, Column: b.group.Name, Err: "has no value, so that the row is in no group"},
				"fill it in or leave the row out")
		case len(sizes) > 0 && v == last:
		case seen[v]:
			return nil, data.WithHint(&data.CellError{Row: i + 1, Column: b.group.Name, Value: v, Err: "comes back after other groups"},
				"sort the table by the column: the rows of a group must follow each other")
		default:
			seen[v], last = true, v
			sizes = append(sizes, 0)
		}
		if hasTarget(b.target, i) {
			if y := b.target.Numbers[i]; !(y >= 0 && y <= 31 && y == math.Trunc(y)) {
				return nil, data.WithHint(&data.CellError{Row: i + 1, Column: b.target.Name, Value: b.target.Format(i), Err: "is not a whole number from 0 to 31"},
					"the target of a ranking says how much a row is worth, 0 being nothing")
			}
			sizes[len(sizes)-1]++
		}
	}
	return slices.DeleteFunc(sizes, func(n int) bool { return n == 0 }), nil
}

// cutGroups divides groups at the last boundary at or before row cut, but leaves
// one on each side. It returns the boundary too.
func cutGroups(sizes []int, cut int) (before, after []int, at int, err error) {
	if len(sizes) < 2 {
		return nil, nil, 0, data.WithHint(errors.New("the table has one group only that has a target: none is left to measure on"), "give another table with --test")
	}
	n, at := 1, sizes[0]
	for n < len(sizes)-1 && at+sizes[n] <= cut {
		at += sizes[n]
		n++
	}
	return sizes[:n], sizes[n:], at, nil
}

// benchContract takes every column as it is: nothing is looked for, nothing is
// refused.
func benchContract(t *data.Table, target, group string) data.Contract {
	var c data.Contract
	for _, col := range t.Columns {
		f := data.Field{Name: col.Name, Kind: col.Kind, Role: data.Feature, Infinite: col.Kind == data.Number}
		switch {
		case col.Name == target:
			f.Role = data.Target
		case col.Name == group:
			f.Role = data.Group
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

// measure scores the unseen rows; groups are those of a ranking, else nil.
func (o *BenchTrained) measure(contract data.Contract, members []bundle.Member, target Target, unseen prepared, groups []int) error {
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
	if groups != nil {
		return put(&o.NDCG)(metrics.NDCG(unseen.y, margin, groups, 10))
	}
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
