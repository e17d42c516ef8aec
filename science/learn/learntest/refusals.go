package learntest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/science/learn"
)

// obeysCancel cancels before the fit and, if the learner reports progress, at
// its first report.
func obeysCancel(l learn.Learner, task bundle.Task, o Options) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	t := tableFor(l, task)
	if _, err := fitTask(ctx, l, t.Train, o.Params); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("cancelled before the fit: error is %v, want context.Canceled", err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	defer cancel()
	reports, total := 0, 0
	t.Progress = func(done, of int) {
		reports++
		total = of - done
		cancel()
	}
	_, err := fitTask(ctx, l, t.Train, o.Params)
	if reports == 0 || total == 0 {
		return nil // nothing was left to cancel
	}
	if !errors.Is(err, context.Canceled) {
		return fmt.Errorf("cancelled at the first report of progress: error is %v, want context.Canceled", err)
	}
	if reports > 1 {
		return fmt.Errorf("%d reports of progress after the fit was cancelled", reports-1)
	}
	return nil
}

func refusesUnknown(l learn.Learner, task bundle.Task, o Options) error {
	const name = "no_such_setting"
	p := learn.Params{name: 1}
	maps.Copy(p, o.Params)
	_, err := fitTask(context.Background(), l, tableFor(l, task).Train, p)
	if err == nil || !strings.Contains(err.Error(), name) {
		return fmt.Errorf("setting %q: error is %v, want one that names it", name, err)
	}
	return nil
}

// refusesBroken: each table must be an error.
func refusesBroken(l learn.Learner, task bundle.Task, o Options) error {
	for _, c := range []struct {
		name  string
		spoil func(*table)
	}{
		{"no rows", func(t *table) { *t = t.pick(nil) }},
		{"a label missing", func(t *table) { t.Y = t.Y[1:] }},
		{"a label that is NaN", func(t *table) { t.Y[3] = math.NaN() }},
		{"a label that is infinite", func(t *table) { t.Y[3] = math.Inf(1) }},
		{"a weight missing", func(t *table) { t.W = make([]float64, t.X.Rows-1) }},
		{"all weights zero", func(t *table) { t.W = make([]float64, t.X.Rows) }},
	} {
		t := tableFor(l, task)
		c.spoil(&t)
		if _, err := fitTask(context.Background(), l, t.Train, o.Params); err == nil {
			return fmt.Errorf("%s: no error", c.name)
		}
	}
	wrong := map[bundle.Task][]float64{bundle.Binary: {0.5}, bundle.Multiclass: {0.5, -1, classes}}
	for _, label := range wrong[task] {
		t := tableFor(l, task)
		t.Y[3] = label
		if _, err := fitTask(context.Background(), l, t.Train, o.Params); err == nil {
			return fmt.Errorf("a label of %g: no error", label)
		}
	}
	return nil
}

// refusesOtherTasks holds Fit to tasks with one output and FitClasses to those
// with several: a learner that took the other's would return too little.
func refusesOtherTasks(l learn.Learner, task bundle.Task, o Options) error {
	c, ok := l.(learn.Classifier)
	if !ok {
		return nil
	}
	t := tableFor(l, task)
	var err error
	if task == bundle.Multiclass {
		_, err = l.Fit(context.Background(), t.Train, o.Params)
	} else {
		_, err = c.FitClasses(context.Background(), t.Train, o.Params)
	}
	if err == nil {
		return fmt.Errorf("no error for the task %s", task)
	}
	return nil
}

// survivesHard: each table may be an error; if not, the member must be well
// formed and give finite margins to the table's rows.
func survivesHard(l learn.Learner, task bundle.Task, o Options) error {
	fill := func(column int, x ...float64) func(*table) {
		return func(t *table) {
			for i := range t.X.Rows {
				t.X.Row(i)[column] = x[i%len(x)]
			}
		}
	}
	type hard struct {
		name  string
		spoil func(*table)
	}
	cases := []hard{
		{"all labels equal", func(t *table) {
			for i := range t.Y {
				t.Y[i] = 1
			}
		}},
		{"one row", func(t *table) { *t = t.pick([]int{0}) }},
		{"two rows", func(t *table) { *t = t.pick([]int{0, 1}); t.Y = []float64{0, 1} }},
		{"a constant feature", fill(0, 3)},
		{"only constant features", func(t *table) {
			for j := range t.X.Cols {
				fill(j, 1)(t)
			}
		}},
		{"two equal features", func(t *table) {
			for i := range t.X.Rows {
				t.X.Row(i)[1] = t.X.Row(i)[0]
			}
		}},
		{"huge and tiny numbers", fill(0, 1e300, -1e300, 1e-300, 0)},
		{"tiny weights", func(t *table) {
			t.W = make([]float64, t.X.Rows)
			for i := range t.W {
				t.W[i] = 1e-12
			}
		}},
		{"a feature that is the label", func(t *table) {
			for i, y := range t.Y {
				t.X.Row(i)[0] = y
			}
		}},
	}
	if l.Input() == learn.Raw {
		cases = append(cases,
			hard{"a feature that is always missing", fill(0, math.NaN())},
			hard{"infinities", fill(0, math.Inf(1), 1, math.Inf(-1), 2, math.NaN(), 3)},
			hard{"only infinities", fill(0, math.Inf(1), math.Inf(-1))},
			hard{"a category that is always missing", fill(2, math.NaN())},
		)
	}
	for _, c := range cases {
		t := tableFor(l, task)
		c.spoil(&t)
		members, err := fitTask(context.Background(), l, t.Train, o.Params)
		if err != nil {
			continue
		}
		for _, m := range members {
			if err := check(m, t.X.Cols); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			for i, v := range Margins(m, t.X) {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					return fmt.Errorf("%s: the margin of row %d is %v", c.name, i, v)
				}
			}
		}
	}
	return nil
}
