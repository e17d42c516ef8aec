package explore

import (
	"math"
	"slices"
	"strconv"
	"sync"

	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/data"
)

// Target describes the column to be predicted.
type Target struct {
	Name string `json:"name"`
	// Task is "binary" (two values, or one against the rest), "regression"
	// (numbers), or "none" when neither fits: one value, or several categories
	// without a positive one. Relations are measured for the first two.
	Task     string  `json:"task"`
	Positive string  `json:"positive,omitempty"`
	Rate     Num     `json:"rate"`  // binary: share of positives; regression: mean
	Known    int     `json:"known"` // rows whose target is not missing
	Missing  int64   `json:"missing"`
	Values   []Value `json:"values,omitempty"` // the most frequent values of a category
}

// maxRelation is how many rows relations are measured on: an AUC is then known
// to about 0.002, and sorting forty columns takes well under a second.
const maxRelation = 100_000

// labels is the target as numbers.
type labels struct {
	task     string
	positive string
	y        []float64 // per row of the table: 1 or 0, or the value; NaN is missing. nil without a task
	base     float64   // mean of y
	known    int
	rows     []int // rows with known y that relations are measured on

	once   sync.Once // makes class; see classes
	class  []int
	nClass int
}

func (l *labels) sampled() bool { return len(l.rows) < l.known }

// readLabels decides what is predicted and reads it from the column.
func readLabels(col *data.Column, positive string) *labels {
	l := &labels{task: "none", base: math.NaN()}
	values, counts := frequent(col)
	switch {
	case positive != "":
		l.positive = positive
		for _, v := range values {
			if data.SameValue(v, positive) {
				l.task, l.positive = "binary", v
			}
		}
	case len(values) == 2:
		l.task, l.positive = "binary", values[0]
		if counts[1] <= counts[0] {
			l.positive = values[1]
		}
	case col.Kind == data.Number && len(values) > 2:
		l.task = "regression"
	}
	n := col.Len()
	for i := range n {
		if !unusable(col, i, l.task) {
			l.known++
		}
	}
	if l.task == "none" || l.known == 0 {
		return l
	}
	l.y = make([]float64, n)
	sum, scaled := 0.0, 0.0
	for i := range n {
		switch {
		case unusable(col, i, l.task):
			l.y[i] = math.NaN()
			continue
		case l.task == "regression":
			l.y[i] = col.Numbers[i]
		case col.Format(i) == l.positive:
			l.y[i] = 1
		}
		sum += l.y[i]
		scaled += l.y[i] / float64(l.known)
	}
	l.base = sum / float64(l.known)
	if math.IsInf(l.base, 0) || math.IsNaN(l.base) { // the sum of huge targets overflows
		l.base = scaled
	}
	step := max(float64(l.known)/maxRelation, 1)
	k, next := 0, 0.0
	for i, v := range l.y {
		if math.IsNaN(v) {
			continue
		}
		if float64(k) >= next {
			l.rows = append(l.rows, i)
			next += step
		}
		k++
	}
	return l
}

// unusable reports whether row i has no target: missing, or infinite where the
// value itself is predicted.
func unusable(col *data.Column, i int, task string) bool {
	return col.Missing(i) || task == "regression" && math.IsInf(col.Numbers[i], 0)
}

// frequent returns the column's distinct values as text, sorted, with their
// counts. It stops beyond 1,000 values: no two-valued target has so many.
func frequent(col *data.Column) (values []string, counts []int) {
	at := map[string]int{}
	count := func(v string) bool {
		i, ok := at[v]
		if !ok {
			if i = len(values); i > 1000 {
				return false
			}
			at[v] = i
			values, counts = append(values, v), append(counts, 0)
		}
		counts[i]++
		return true
	}
	if col.Kind == data.Category { // by code: no text is made per row
		n := make([]int, len(col.Dict))
		for _, c := range col.Codes {
			if c >= 0 {
				n[c]++
			}
		}
		for c, k := range n {
			if k > 0 {
				values, counts = append(values, col.Dict[c]), append(counts, k)
			}
		}
		return values, counts
	}
	for i := range col.Len() {
		if !col.Missing(i) && !count(col.Format(i)) {
			break
		}
	}
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if values[a] < values[b] {
			return -1
		}
		return 1
	})
	sortedValues, sortedCounts := make([]string, len(values)), make([]int, len(values))
	for i, k := range order {
		sortedValues[i], sortedCounts[i] = values[k], counts[k]
	}
	return sortedValues, sortedCounts
}

func describeTarget(col *data.Column, p *data.ColumnProfile, l *labels, secret *secrets) *Target {
	t := &Target{Name: col.Name, Task: l.task, Positive: l.positive, Rate: Num(l.base), Known: l.known}
	if p != nil {
		t.Missing = p.Missing
	}
	values, counts := frequent(col)
	if len(values) > 12 && col.Kind == data.Number {
		return t
	}
	total := 0
	for _, n := range counts {
		total += n
	}
	for i, v := range values {
		if x, err := strconv.ParseFloat(v, 64); col.Kind == data.Number && err == nil && math.IsInf(x, 0) {
			v = chart.Short(x)
		}
		t.Values = append(t.Values, Value{Value: chart.Clean(secret.show(col.Name, v), maxValue), Count: int64(counts[i]), Share: Num(float64(counts[i]) / float64(total)), Rate: Num(math.NaN())})
	}
	slices.SortStableFunc(t.Values, func(a, b Value) int { return int(b.Count - a.Count) })
	t.Values = t.Values[:min(len(t.Values), topValues)]
	return t
}
