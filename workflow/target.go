package workflow

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
)

// Target is what is predicted: the column, for a binary task which of its two
// values is the positive class, and for a multiclass one all values.
type Target struct {
	Task     bundle.Task `json:"task"`
	Column   string      `json:"column"`
	Positive string      `json:"positive,omitempty"`
	Negative string      `json:"negative,omitempty"`
	Classes  []string    `json:"classes,omitempty"` // of a multiclass task, in the order of their numbers
	Why      string      `json:"why,omitempty"`     // why this value is the positive one, when it was guessed
}

// positiveWords are values that name the event of interest in two-valued
// columns, in order of preference.
var positiveWords = []string{"1", "true", "yes", "y", "bad", "default", "defaulted", "churn", "churned", "fraud", "positive", "spam", "up"}

// resolveTarget decides the task and the positive class. task is "auto",
// "binary" or "regression"; positive may be "". Rows without a target have
// been left out before.
func resolveTarget(c *data.Column, task, positive string) (Target, error) {
	t := Target{Column: c.Name}
	values := distinct(c, 3)
	if len(values) == 0 {
		return t, data.WithHint(fmt.Errorf("column %q, the target, has no values", c.Name),
			"name another target, or give rows whose outcome is known")
	}
	if task == "" || task == "auto" {
		switch {
		case len(values) <= 2:
			task = "binary"
		case c.Kind == data.Number && positive == "":
			task = "regression"
		case positive != "":
			return t, Usagef("column %q, the target, has more than two values (%s, ...); a positive class needs a target of two",
				c.Name, strings.Join(values, ", "))
		default:
			return t, data.WithHint(Usagef("column %q, the target, has more than two values (%s, ...): this is a multiclass task, and tandem trains binary and regression",
				c.Name, strings.Join(values, ", ")), "choose a target of two values, or a number")
		}
	}
	switch bundle.Task(task) {
	case bundle.Regression:
		t.Task = bundle.Regression
		if c.Kind != data.Number {
			return t, Usagef("task regression needs a number, but column %q, the target, is a %s", c.Name, c.Kind)
		}
		if len(values) == 1 {
			return t, oneValue(c.Name, values[0])
		}
		return t, nil
	case bundle.Binary:
		t.Task = bundle.Binary
	default:
		return t, Usagef("task %q does not exist; tandem trains binary and regression", task)
	}
	if len(values) > 2 {
		return t, Usagef("task binary needs a target of two values, but column %q has more (%s, ...)", c.Name, strings.Join(values, ", "))
	}
	if len(values) == 1 {
		return t, oneValue(c.Name, values[0])
	}
	if positive != "" {
		for i, v := range values {
			if data.SameValue(v, positive) {
				t.Positive, t.Negative = v, values[1-i]
				return t, nil
			}
		}
		return t, data.WithHint(fmt.Errorf("column %q, the target, has no value %q", c.Name, positive),
			"its values are %q and %q", values[0], values[1])
	}
	t.Positive, t.Negative, t.Why = guessPositive(c, values)
	return t, nil
}

func oneValue(column, value string) error {
	return data.WithHint(fmt.Errorf("column %q, the target, has one value only (%q): there is nothing to learn", column, value),
		"give rows of both classes")
}

// guessPositive picks the event of interest: by name, else the rarer value.
func guessPositive(c *data.Column, values []string) (positive, negative, why string) {
	for _, w := range positiveWords {
		for i, v := range values {
			if strings.EqualFold(v, w) {
				return v, values[1-i], "by its name"
			}
		}
	}
	count := 0
	for i := range c.Len() {
		if c.Format(i) == values[0] {
			count++
		}
	}
	if 2*count <= c.Len() {
		return values[0], values[1], "as the rarer value"
	}
	return values[1], values[0], "as the rarer value"
}

// distinct returns up to limit distinct values of a column, sorted.
func distinct(c *data.Column, limit int) []string {
	seen := make(map[string]bool)
	for i := 0; i < c.Len() && len(seen) < limit; i++ {
		if !c.Missing(i) {
			seen[c.Format(i)] = true
		}
	}
	out := make([]string, 0, len(seen))
	for v := range seen {
		out = append(out, v)
	}
	sort.Strings(out)
	return out
}

// labels returns the target as numbers: 1 for the positive class and 0 for the
// other, or the value itself. A value that is neither class, or missing, is an
// error naming its row.
func (t Target) labels(c *data.Column) ([]float64, error) {
	y := make([]float64, c.Len())
	if t.Task == bundle.Regression {
		if c.Kind != data.Number {
			return nil, fmt.Errorf("column %q, the target, is a %s here; it was a number in training", c.Name, c.Kind)
		}
		copy(y, c.Numbers)
		return y, nil
	}
	if t.Task == bundle.Multiclass {
		return t.classes(c)
	}
	code := make(map[string]float64)
	for i := range y {
		v := c.Format(i)
		label, known := code[v]
		if !known {
			switch {
			case data.SameValue(v, t.Positive):
				label = 1
			case data.SameValue(v, t.Negative):
				label = 0
			default:
				return nil, &data.CellError{Row: i + 1, Column: c.Name, Value: v,
					Err: fmt.Sprintf("is neither %q nor %q", t.Positive, t.Negative)}
			}
			code[v] = label
		}
		y[i] = label
	}
	return y, nil
}

// classTarget takes every value of the target for a class, in order of value if
// they are numbers and else of bytes.
func classTarget(c *data.Column) (Target, error) {
	const most = 1000
	t := Target{Task: bundle.Multiclass, Column: c.Name, Classes: distinct(c, most+1)}
	switch n := len(t.Classes); {
	case n < 2:
		return t, data.WithHint(fmt.Errorf("column %q, the target, has %d values: there is nothing to learn", c.Name, n), "give rows of several classes")
	case n > most:
		return t, data.WithHint(Usagef("column %q, the target, has more than %d values", c.Name, most), "use --task regression for a number")
	}
	sortClasses(t.Classes)
	return t, nil
}

// sortClasses puts numbers in order of value, then texts in order of bytes.
func sortClasses(labels []string) {
	value := func(s string) float64 {
		if x, ok := data.ParseNumber(s); ok {
			return x
		}
		return math.Inf(1)
	}
	slices.SortFunc(labels, func(a, b string) int { return cmp.Or(cmp.Compare(value(a), value(b)), cmp.Compare(a, b)) })
}

// classes returns the numbers of the rows' classes.
func (t Target) classes(c *data.Column) ([]float64, error) {
	y, code := make([]float64, c.Len()), make(map[string]float64)
	for k, class := range t.Classes {
		code[class] = float64(k)
	}
	for i := range y {
		label, known := code[c.Format(i)]
		if !known {
			return nil, &data.CellError{Row: i + 1, Column: c.Name, Value: c.Format(i), Err: "is none of the classes that were learned"}
		}
		y[i] = label
	}
	return y, nil
}
