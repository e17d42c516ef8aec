package hypothesis

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/tandem-ml/tandem/data"
)

// levels is a column seen as a category: the values that occur and, for each
// row, which one it has.
type levels struct {
	name   string
	values []string // as text, in the order of the dictionary or of the numbers
	of     []int    // per row: index into values; -1 is missing
}

// levelsOf returns the levels of a category column, or of a number column with
// few distinct values. More than most levels, or another kind of column, is an
// error.
func levelsOf(c *data.Column, most int) (levels, error) {
	l := levels{name: c.Name, of: make([]int, c.Len())}
	switch c.Kind {
	case data.Category:
		level := make([]int, len(c.Dict)) // of each code; -1 does not occur
		for i := range level {
			level[i] = -1
		}
		for _, code := range c.Codes {
			if code >= 0 {
				level[code] = 0
			}
		}
		for code, occurs := range level {
			if occurs == 0 {
				level[code] = len(l.values)
				l.values = append(l.values, c.Dict[code])
			}
		}
		for i, code := range c.Codes {
			if l.of[i] = -1; code >= 0 {
				l.of[i] = level[code]
			}
		}
	case data.Number:
		seen := map[float64]int{}
		var numbers []float64
		for i, v := range c.Numbers {
			if c.Missing(i) {
				continue
			}
			if _, ok := seen[v]; !ok {
				if len(numbers) == most {
					return l, tooMany(c.Name, most)
				}
				seen[v] = 0
				numbers = append(numbers, v)
			}
		}
		slices.SortFunc(numbers, cmp.Compare)
		for i, v := range numbers {
			seen[v] = i
			l.values = append(l.values, data.FormatNumber(v))
		}
		for i, v := range c.Numbers {
			if l.of[i] = -1; !c.Missing(i) {
				l.of[i] = seen[v]
			}
		}
	default:
		return l, data.WithHint(fmt.Errorf("column %q is a %s column", c.Name, c.Kind),
			"a column of categories, or of few distinct numbers, is needed")
	}
	if len(l.values) > most {
		return l, tooMany(c.Name, most)
	}
	return l, nil
}

func tooMany(name string, most int) error {
	switch most {
	case 2:
		return data.WithHint(fmt.Errorf("column %q has more than two values", name),
			"a column with exactly two is needed; for more, use associate or compare")
	case mostGroups:
		return data.WithHint(fmt.Errorf("column %q has more than %d values", name, most),
			"groups need a column with few values; for two numbers, use correlate")
	}
	return data.WithHint(fmt.Errorf("column %q has more than %d values", name, most),
		"associate needs categories with few values; for a number, use compare")
}

// numbers returns a number column; verb is what asks for it, for messages.
func numbers(t *data.Table, verb, name string) (*data.Column, error) {
	c, err := column(t, name)
	if err != nil {
		return nil, err
	}
	if c.Kind != data.Number {
		return nil, data.WithHint(fmt.Errorf("column %q is a %s column", name, c.Kind), "%s needs a number column", verb)
	}
	return c, nil
}

// finite refuses infinities, which only ranks can take.
func finite(name string, x []float64) error {
	n, first := 0, 0.0
	for _, v := range x {
		if math.IsInf(v, 0) {
			if n++; n == 1 {
				first = v
			}
		}
	}
	if n == 0 {
		return nil
	}
	return data.WithHint(fmt.Errorf("column %q is infinite (%v) in %d rows", name, first, n), "make them missing, or leave those rows out")
}

// complete returns the rows of number columns in which none is missing, one slice
// per column, and how many rows that leaves out. Infinities are an error.
func complete(columns ...*data.Column) (out [][]float64, left int, err error) {
	out = make([][]float64, len(columns))
	for i := range columns[0].Numbers {
		missing := false
		for _, c := range columns {
			missing = missing || math.IsNaN(c.Numbers[i])
		}
		if missing {
			left++
			continue
		}
		for j, c := range columns {
			out[j] = append(out[j], c.Numbers[i])
		}
	}
	for j, c := range columns {
		if err := finite(c.Name, out[j]); err != nil {
			return nil, 0, err
		}
	}
	return out, left, nil
}
