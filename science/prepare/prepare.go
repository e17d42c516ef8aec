// Package prepare decides from the training rows how columns become features.
//
// A fitted [step.Plan] is all that is left of that decision: the constants are
// in it, and the bundle applies it to every row ever scored, so what a model
// was trained on and what it sees in production are computed by the same code.
// Only the rows named as training rows are looked at: a plan fitted on four
// folds knows nothing of the fifth. Only [FitTarget] looks at the target.
//
// Learners ask for one of two forms. Raw, for trees:
//
//	number    Number    as it is, missing and infinite values too
//	category  Code      the code in the contract's dictionary; with [FitTarget]
//	          TargetMean where there are many levels
//	time      Month, Weekday, Hour
//
// Dense, for linear models:
//
//	number    Standard  missing becomes the median, values beyond the observed
//	                    finite range become its ends, then (x-mean)/sd
//	          Missing   1 where the value was missing, if any was
//	category  OneHot    one feature for each level that is not rare; missing,
//	                    rare and unseen levels are all zeros
//	time      MonthIs, WeekdayIs, HourIs: the same for the parts of a time
//
// Dense with curves, for linear models that follow bends, has for each number
// also a Hinge at each of five quantiles: max(0, x-knot), standardised. A
// weighted sum of them is a curve of six straight pieces, and still one
// column's part in the sum, so it can be drawn and given as a reason (linear
// splines; Hastie, Tibshirani and Friedman, The Elements of Statistical
// Learning, 2nd edition, section 5.2).
//
// Either form has for a number that the contract flags also Outside, 1 where the
// value lies beyond the training rows' fences (clean.Fence), if any of them does.
//
// A level is rare if fewer than five rows, or fewer than 0.2% of them, have it.
// Features that are constant in the training rows are left out, since nothing
// can be learned from them: an income of 100 in every row, the hour of dates
// without a time of day.
//
// For example, the incomes 10, 20, missing, 60 have the median 20. Filled with
// it they have the mean 27.5 and the standard deviation 19.2, so 60 becomes
// 1.69, and missing becomes -0.39 with "Income missing" = 1.
//
// No level of a category is dropped as the reference: linear models here have
// a penalty, which makes the weights unique, and each level gets a weight of
// its own to be read.
package prepare

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/clean"
	"github.com/tandem-ml/tandem/science/learn"
)

// Fit returns the plan for the contract's inputs in the form that a learner
// asks for, and for each of its features the number of categories if it is a
// code, else 0.
//
// rows are encoded in the layout of c.Inputs; train lists the rows that may be
// looked at. No training rows, or features that are all constant, give an
// empty plan. rows is not modified.
func Fit(c *data.Contract, rows bundle.Rows, train []int, form learn.Input) (step.Plan, []int) {
	return fit(c, rows, train, form, 0)
}

// FitCurves is [Fit] for learners of dense features, with hinges.
func FitCurves(c *data.Contract, rows bundle.Rows, train []int) (step.Plan, []int) {
	return fit(c, rows, train, learn.Dense, 5)
}

func fit(c *data.Contract, rows bundle.Rows, train []int, form learn.Input, knots int) (step.Plan, []int) {
	var plan step.Plan
	values := make([]float64, len(train)) // one column, in the order of train
	for input, field := range c.Inputs() {
		if form == learn.Raw && (field.Kind == data.Number || field.Kind == data.Category) { // as it is, so there is nothing to learn
			if feature := raw(field, input); varies(rows, train, input) {
				plan = append(plan, feature)
				plan = append(plan, flag(field, input, rows, train)...)
			}
			continue
		}
		for i, r := range train {
			values[i] = rows.Data[r*rows.Cols+input]
		}
		f := fitter{field: field, input: input, values: values}
		switch {
		case form == learn.Raw && field.Kind == data.Time:
			plan = append(plan, f.parts()...)
		case field.Kind == data.Number:
			plan = append(plan, f.number(knots)...)
			plan = append(plan, flag(field, input, rows, train)...)
		case field.Kind == data.Category:
			plan = append(plan, f.levels()...)
		case field.Kind == data.Time:
			plan = append(plan, f.partLevels()...)
		}
	}
	categories := make([]int, len(plan))
	for i, f := range plan {
		categories[i] = f.Categories
	}
	return plan, categories
}

// Apply computes the features of the rows listed in idx, in that order, with
// one matrix row each. The input is not modified. If the features are the
// inputs and the rows lie together, the matrix is a part of rows, not a copy.
func Apply(plan step.Plan, rows bundle.Rows, idx []int) learn.Matrix {
	if n := len(idx); n > 0 && same(plan, rows.Cols) && inOrder(idx) {
		return learn.Matrix{Rows: n, Cols: len(plan), Data: rows.Data[idx[0]*rows.Cols : (idx[0]+n)*rows.Cols]}
	}
	m := learn.Matrix{Rows: len(idx), Cols: len(plan), Data: make([]float64, len(idx)*len(plan))}
	var next atomic.Int64
	work := func() {
		for {
			begin := int(next.Add(applyRows)) - applyRows
			if begin >= len(idx) {
				return
			}
			for i := begin; i < min(begin+applyRows, len(idx)); i++ {
				plan.Apply(m.Row(i), rows.Row(idx[i]))
			}
		}
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (len(idx)+applyRows-1)/applyRows) {
		wg.Go(work)
	}
	wg.Wait()
	return m
}

// applyRows is how many rows are computed at a time.
const applyRows = 4096

// same reports whether the features of a plan are its inputs.
func same(plan step.Plan, inputs int) bool {
	for i, f := range plan {
		if f.Input != i || f.Op != step.Number && f.Op != step.Code {
			return false
		}
	}
	return len(plan) == inputs
}

// inOrder reports whether each row follows the one before it.
func inOrder(idx []int) bool {
	for i, r := range idx {
		if r != idx[0]+i {
			return false
		}
	}
	return true
}

// fitter fits the features of one column.
type fitter struct {
	field  data.Field
	input  int
	values []float64 // of the training rows
}

// raw returns the feature of a number or a category as it is.
func raw(field data.Field, input int) step.Feature {
	f := step.Feature{Name: field.Name, Input: input, Op: step.Number}
	if field.Kind == data.Category {
		f.Op, f.Categories = step.Code, len(field.Categories)
	}
	return f
}

// flag returns the feature that tells an outlier, if the contract asks for one,
// with bounds from the training rows; none where no training row is one.
func flag(field data.Field, input int, rows bundle.Rows, train []int) step.Plan {
	if field.Flag == "" || field.Kind != data.Number {
		return nil
	}
	values := make([]float64, len(train))
	for i, r := range train {
		values[i] = rows.Data[r*rows.Cols+input]
	}
	low, high, ok := clean.Fence(values, field.Flag)
	f := step.Feature{Name: field.Name + " outlying", Input: input, Op: step.Outside, Low: low, High: high}
	if !ok || !slices.ContainsFunc(values, func(x float64) bool { return x < low || x > high }) {
		return nil
	}
	return step.Plan{f}
}

// varies reports whether an input has more than one value in the training
// rows.
func varies(rows bundle.Rows, train []int, input int) bool {
	first := math.NaN()
	for i, r := range train {
		x := rows.Data[r*rows.Cols+input]
		if i == 0 {
			first = x
		}
		if x != first && !(x != x && first != first) {
			return true
		}
	}
	return false
}

// part is a part of a time: its value, and whether it is a given one.
type part struct {
	name   string
	of, is step.Op
	first  int
	label  []string // of first, first+1, ...
}

func parts() []part {
	hours := make([]string, 24)
	for h := range hours {
		hours[h] = fmt.Sprintf("%02d", h)
	}
	return []part{
		{"month", step.Month, step.MonthIs, 1, []string{"January", "February", "March", "April", "May", "June",
			"July", "August", "September", "October", "November", "December"}},
		{"weekday", step.Weekday, step.WeekdayIs, 0, []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}},
		{"hour", step.Hour, step.HourIs, 0, hours},
	}
}

// valuesOf returns the values of one part, computed by the operation itself.
func (p part) valuesOf(times []float64) []float64 {
	out := make([]float64, len(times))
	plan := step.Plan{{Op: p.of}}
	for i := range times {
		plan.Apply(out[i:i+1], times[i:i+1])
	}
	return out
}

func (f fitter) parts() step.Plan {
	var plan step.Plan
	for _, p := range parts() {
		if !constant(p.valuesOf(f.values)) {
			plan = append(plan, step.Feature{Name: f.field.Name + " " + p.name, Input: f.input, Op: p.of})
		}
	}
	return plan
}

func (f fitter) partLevels() step.Plan {
	var plan step.Plan
	for _, p := range parts() {
		values := p.valuesOf(f.values)
		if constant(values) {
			continue
		}
		for _, level := range common(values, p.first, len(p.label)) {
			plan = append(plan, step.Feature{
				Name:  fmt.Sprintf("%s %s = %s", f.field.Name, p.name, p.label[level-p.first]),
				Input: f.input, Op: p.is, Index: level,
			})
		}
	}
	return plan
}

func (f fitter) levels() step.Plan {
	var plan step.Plan
	for _, level := range common(f.values, 0, len(f.field.Categories)) {
		plan = append(plan, step.Feature{
			Name:  f.field.Name + " = " + f.field.Categories[level],
			Input: f.input, Op: step.OneHot, Index: level,
		})
	}
	return plan
}

// common returns the levels from first to first+n-1 that are neither rare nor
// in every row.
func common(values []float64, first, n int) []int {
	counts := make([]int, n)
	for _, v := range values {
		if i := v - float64(first); i >= 0 && i < float64(n) {
			counts[int(i)]++
		}
	}
	least := max(5, int(math.Ceil(float64(len(values))/500)))
	var out []int
	for i, count := range counts {
		if count >= least && count < len(values) {
			out = append(out, first+i)
		}
	}
	return out
}

// constant reports whether all values are the same, missing counting as one.
func constant(values []float64) bool {
	for _, v := range values {
		if v != values[0] && !(math.IsNaN(v) && math.IsNaN(values[0])) {
			return false
		}
	}
	return true
}
