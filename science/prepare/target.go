package prepare

import (
	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn"
)

// Which categories become statistics of the target; docs/decisions has the
// tables on which the numbers were found.
const (
	manyCategories  = 50 // fewer are better told apart one by one
	rowsPerCategory = 10 // on average; with fewer there is nothing to average
	manyClasses     = 10 // of a multiclass target; more would widen the table too much
	smoothing       = 10 // rows of the overall mean that are added to each category's
)

// Labels are what statistics of the target are taken from.
type Labels struct {
	Y       []float64 // one per row of the table, also of rows that are not for training; see learn.Data
	Classes int       // how many, for multiclass tasks; else 0
	Seed    uint64    // of the order in which training rows are seen
}

// value is what is averaged: the label, or whether it is the class.
func (l Labels) value(class, row int) float64 {
	if l.Classes == 0 {
		return l.Y[row]
	}
	if l.Y[row] == float64(class) {
		return 1
	}
	return 0
}

// FitTarget is [Fit] in the Raw form, except that categories with many levels
// become TargetMean: for each level the mean of the target over the training
// rows that have it, drawn towards the overall mean where these are few:
//
//	(sum of y + 10 * overall mean) / (rows + 10)
//
// Missing counts as a level, a level that no training row has gets the overall
// mean. A target of several classes gives one such feature for each class, up
// to ten classes. A category has many levels if the training rows show 50 or
// more of them, and each ten times on average; the others stay codes.
//
// A training row's own label is in these means, so a learner that was shown
// them would trust them far too much: training rows are encoded by
// [ApplyOrdered], all others by [Apply]. (Prokhorenkova et al., CatBoost:
// unbiased boosting with categorical features, NeurIPS 2018, section 3.2.)
func FitTarget(c *data.Contract, rows bundle.Rows, train []int, l Labels) (step.Plan, []int) {
	plan, _ := Fit(c, rows, train, learn.Raw)
	counts := l.count(plan, rows, train)
	var out step.Plan
	for k := range plan {
		if of := counts[k]; of != nil && manyLevels(of[0][:plan[k].Categories]) {
			out = append(out, means(plan[k], of)...)
		} else {
			out = append(out, plan[k])
		}
	}
	return out, categoriesOf(out)
}

// categoriesOf returns the number of categories of each feature that is a
// code, 0 of the others.
func categoriesOf(plan step.Plan) []int {
	categories := make([]int, len(plan))
	for i, f := range plan {
		if f.Op == step.Code {
			categories[i] = f.Categories
		}
	}
	return categories
}

// count returns, for each feature that may have many levels, a tally of each
// level (see the function of that name) for each class; nil for the others.
func (l Labels) count(plan step.Plan, rows bundle.Rows, train []int) [][][]tally {
	counts := make([][][]tally, len(plan))
	var many []int
	for k, f := range plan {
		if f.Op != step.Code || f.Categories < manyCategories || l.Classes > manyClasses {
			continue
		}
		many = append(many, k)
		for range max(1, l.Classes) {
			counts[k] = append(counts[k], make([]tally, f.Categories+2))
		}
	}
	if len(many) == 0 {
		return counts
	}
	for _, r := range train {
		row := rows.Row(r)
		for _, k := range many {
			at := level(row[plan[k].Input], plan[k].Categories)
			for class, of := range counts[k] {
				of[at].add(l.value(class, r))
			}
		}
	}
	return counts
}

// manyLevels reports whether means of these categories are worth more than
// their codes.
func manyLevels(of []tally) bool {
	levels, known := 0, 0.0
	for _, t := range of {
		if t.rows > 0 {
			levels++
		}
		known += t.rows
	}
	return levels >= manyCategories && known >= float64(rowsPerCategory*levels)
}

// means returns the statistics that take the place of the code f.
func means(f step.Feature, counts [][]tally) step.Plan {
	f.Op, f.Name = step.TargetMean, f.Name+" target mean"
	var plan step.Plan
	for class, of := range counts {
		var all tally
		for _, t := range of {
			all.sum += t.sum
			all.rows += t.rows
		}
		f.Index, f.Mean, f.Values = class, all.mean(), make([]float64, f.Categories)
		for k := range f.Values {
			f.Values[k] = of[k].smooth(f.Mean)
		}
		f.Fill = of[f.Categories].smooth(f.Mean)
		plan = append(plan, f)
	}
	return plan
}

// ApplyOrdered computes the features of the rows that the plan was fitted to,
// as a learner may see them: as [Apply] does, except that the training rows
// come one after the other in a random order, and a TargetMean counts only the
// rows that came before. What a row is told is then independent of its own
// label. The overall mean, too, is of the rows before; it begins with 0.
//
// train and l are those of [FitTarget]. The order depends on l.Seed and the
// number of rows alone.
func ApplyOrdered(plan step.Plan, rows bundle.Rows, train []int, l Labels) learn.Matrix {
	m := Apply(plan, rows, train)
	var running []ordered
	for k := range plan {
		if f := &plan[k]; f.Op == step.TargetMean {
			running = append(running, ordered{Feature: f, column: k, of: make([]tally, f.Categories+2)})
		}
	}
	if len(running) == 0 {
		return m // may be a part of rows: not to be written to
	}
	for _, i := range seed.Stream(l.Seed, "prepare/order", 0).Perm(len(train)) {
		row, features := rows.Row(train[i]), m.Row(i)
		for k := range running {
			s := &running[k]
			of := &s.of[level(row[s.Input], s.Categories)]
			features[s.column] = of.smooth(s.all.mean())
			y := l.value(s.Index, train[i])
			of.add(y)
			s.all.add(y)
		}
	}
	return m
}

// ordered is a TargetMean on its way through the training rows.
type ordered struct {
	*step.Feature
	column int
	of     []tally // per level
	all    tally
}

// level is the place of a code among the tallies: those of the categories, of
// missing and of unseen ones.
func level(code float64, categories int) int {
	switch {
	case code != code:
		return categories
	case code >= 0 && code < float64(categories):
		return int(code)
	}
	return categories + 1
}

// tally is a sum over rows.
type tally struct{ sum, rows float64 }

func (t *tally) add(y float64) {
	t.sum += y
	t.rows++
}

// mean is 0 without rows.
func (t *tally) mean() float64 { return t.sum / max(t.rows, 1) }

// smooth is the mean of the rows and of so many rows more with the value prior.
func (t *tally) smooth(prior float64) float64 {
	return (t.sum + float64(smoothing*prior)) / (t.rows + smoothing)
}
