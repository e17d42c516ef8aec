package linear

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tandem-ml/tandem/science/learn"
)

// Param describes one setting.
type Param struct {
	Name     string
	Default  float64
	Min, Max float64 // inclusive
	Whole    bool    // only whole numbers
	Text     string
}

// Params returns the settings of [Logistic] and [Regression]. Values may be
// float64, int or int64.
func Params() []Param {
	return []Param{
		{Name: "lambda", Default: 1e-3, Min: 1e-9, Max: 1e6, Text: "strength of the penalty, per row"},
		{Name: "l1_ratio", Default: 0, Min: 0, Max: 1, Text: "share of the penalty on absolute values: 0 ridge, 1 lasso"},
		{Name: "tolerance", Default: 1e-8, Min: 1e-12, Max: 1e-2, Text: "largest violation of the optimality conditions, for a feature of size 1"},
		{Name: "iterations", Default: 100, Min: 1, Max: 10000, Whole: true, Text: "limit of Newton steps"},
	}
}

type settings struct {
	lambda, l1Ratio, tolerance float64
	iterations                 int
}

// read checks all settings at once.
func read(p learn.Params) (settings, error) {
	table := Params()
	values := make(map[string]float64, len(table))
	var names []string
	var errs []error
	for _, q := range table {
		names = append(names, q.Name)
		v := q.Default
		if given, ok := p[q.Name]; ok {
			n, ok := number(given)
			switch {
			case !ok:
				errs = append(errs, fmt.Errorf("setting %q is %v (%T), not a number", q.Name, given, given))
				continue
			case !(n >= q.Min && n <= q.Max):
				errs = append(errs, fmt.Errorf("setting %q is %v, not in [%v, %v]", q.Name, given, q.Min, q.Max))
				continue
			case q.Whole && n != math.Trunc(n):
				errs = append(errs, fmt.Errorf("setting %q is %v, not a whole number", q.Name, given))
				continue
			}
			v = n
		}
		values[q.Name] = v
	}
	var unknown []string
	for name := range p {
		if !slices.Contains(names, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		errs = append(errs, fmt.Errorf("unknown setting %q; there are %s", name, strings.Join(names, ", ")))
	}
	return settings{
		lambda: values["lambda"], l1Ratio: values["l1_ratio"],
		tolerance: values["tolerance"], iterations: int(values["iterations"]),
	}, errors.Join(errs...)
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	}
	return 0, false
}
