package gbdt

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
)

// Word is a setting whose value is one of a few words, the first of which is
// the default.
type Word struct {
	Name  string
	Words []string
	Text  string
}

// wordEntry ties a word to the field that holds it.
type wordEntry struct {
	Word
	field func(*settings) *string
}

func words() []wordEntry {
	return []wordEntry{
		{Word{"objective", []string{"auto", "l2", "l1", "huber", "quantile", "poisson", "tweedie", "lambdarank"},
			"the loss; auto is log loss for binary tasks and l2 for regression; with poisson and tweedie the margin is the logarithm of the mean; lambdarank puts the rows of each group in order"},
			func(s *settings) *string { return &s.objective }},
		{Word{"growth", []string{"leaf", "depth"},
			"leaf: the split that gains most anywhere comes next; depth: level by level"},
			func(s *settings) *string { return &s.growth }},
		{Word{"class_weights", []string{"none", "balanced"},
			"binary and multiclass: balanced gives each class the same total weight; or a list of factors above 0 on the weights of rows, one for each class from 0 on; probabilities are then those of the weighted rows"},
			func(s *settings) *string { return &s.classWeights }},
		{Word{"rounding", []string{"stochastic", "nearest"},
			"of gradients to integers; stochastic: at random and right on average; nearest: exact mode, in which the model does not depend on the order of the rows, nor on whether a row comes twice or weighs two, nor, where nothing is drawn, on the seed; takes longer and the memory of the table again"},
			func(s *settings) *string { return &s.rounding }},
	}
}

// Words returns the settings of Fit that are one of a few words.
func Words() []Word {
	var list []Word
	for _, w := range words() {
		list = append(list, w.Word)
	}
	return list
}

// List is a setting whose value is a list, empty by default.
type List struct{ Name, Text string }

// Lists returns the settings of Fit that are lists.
func Lists() []List {
	return []List{
		{"monotone", "a number per feature: 1 if the margin may not fall as the feature rises, -1 if it may not rise, 0 for no constraint; 0 for categories"},
		{"interactions", "lists of features, counted from 0, that may be used together on a path; features in no list are used alone"},
	}
}

// special sets the setting of that name if it is a word or a list, and reports
// whether it is.
func (s *settings) special(name string, v any) (bool, error) {
	for _, w := range words() {
		if w.Name != name {
			continue
		}
		if list, ok := numbers(v); ok && v != nil && name == "class_weights" {
			s.perClass = append([]float64{}, list...) // not nil: it was given
			return true, nil
		}
		word, ok := v.(string)
		if !ok || !slices.Contains(w.Words, word) {
			return true, data.WithHint(fmt.Errorf("gbdt: setting %q is %v, must be one of %s", name, v, strings.Join(w.Words, ", ")), "%s: %s", name, w.Text)
		}
		*w.field(s) = word
		return true, nil
	}
	switch name {
	case "monotone":
		list, ok := numbers(v)
		if !ok || slices.ContainsFunc(list, func(x float64) bool { return x != -1 && x != 0 && x != 1 }) {
			return true, fmt.Errorf("gbdt: setting %q is %v, must be a list of -1, 0 or 1", name, v)
		}
		s.monotone = list
		return true, nil
	case "interactions":
		groups, ok := lists(v)
		if !ok {
			return true, fmt.Errorf("gbdt: setting %q is %v, must be a list of lists of features, counted from 0", name, v)
		}
		s.interactions = groups
		return true, nil
	}
	return false, nil
}

// numbers reads a list as Go, YAML and JSON callers write it.
func numbers(v any) ([]float64, bool) {
	var list []float64
	switch v := v.(type) {
	case nil:
		return nil, true
	case []float64:
		return v, true
	case []int:
		for _, x := range v {
			list = append(list, float64(x))
		}
		return list, true
	case []any:
		for _, item := range v {
			x, ok := number(item)
			if !ok {
				return nil, false
			}
			list = append(list, x)
		}
		return list, true
	}
	return nil, false
}

func lists(v any) ([][]int, bool) {
	var items []any
	switch v := v.(type) {
	case nil:
		return nil, true
	case []any:
		items = v
	case [][]int:
		for _, x := range v {
			items = append(items, x)
		}
	default:
		return nil, false
	}
	var groups [][]int
	for _, item := range items {
		list, ok := numbers(item)
		if !ok {
			return nil, false
		}
		group := []int{}
		for _, x := range list {
			if !(x >= 0 && x <= math.MaxInt32 && x == math.Trunc(x)) {
				return nil, false
			}
			group = append(group, int(x))
		}
		groups = append(groups, group)
	}
	return groups, true
}

// maxFactor is how much class_weights may multiply a weight by.
const maxFactor = unbounded

// fitClasses reports what of class_weights does not suit the task.
func (s *settings) fitClasses(task bundle.Task, classes int) error {
	if task == bundle.Binary {
		classes = 2
	}
	weighed := s.perClass != nil || s.classWeights != "none"
	switch {
	case weighed && task != bundle.Binary && task != bundle.Multiclass:
		return data.WithHint(fmt.Errorf("gbdt: setting %q for a task %q, which has no classes", "class_weights", task), "leave it out")
	case weighed && s.positiveWeight != 1:
		return errors.New("gbdt: class_weights and positive_weight are both set; use one")
	case s.perClass != nil && len(s.perClass) != classes:
		return fmt.Errorf("gbdt: setting %q has %d numbers for %d classes", "class_weights", len(s.perClass), classes)
	}
	for k, x := range s.perClass {
		if !(x > 0 && x <= maxFactor) {
			return data.WithHint(fmt.Errorf("gbdt: setting %q is %g for class %d, must be a number above 0 to %g", "class_weights", x, k, maxFactor),
				"to leave a class out, leave out its rows")
		}
	}
	return nil
}

// fits reports what of the settings does not suit the task or the features.
func (s *settings) fits(task bundle.Task, features int, categories []int) error {
	var problems []error
	if task == bundle.Binary && s.objective != "auto" {
		problems = append(problems, data.WithHint(fmt.Errorf("gbdt: objective is %q for a binary task", s.objective), "leave it out, or set the task to regression"))
	}
	if task == bundle.Multiclass && (s.objective != "auto" || s.monotone != nil || s.positiveWeight != 1) {
		problems = append(problems, data.WithHint(errors.New("gbdt: objective, monotone and positive_weight do not go with a multiclass task"), "leave them out"))
	}
	if s.monotone != nil && len(s.monotone) != features {
		problems = append(problems, fmt.Errorf("gbdt: setting %q has %d numbers for %d features", "monotone", len(s.monotone), features))
	}
	for j, m := range s.monotone {
		if m != 0 && j < len(categories) && categories[j] > 0 {
			problems = append(problems, fmt.Errorf("gbdt: setting %q constrains feature %d, whose values are categories and have no order", "monotone", j))
		}
	}
	for _, group := range s.interactions {
		for _, j := range group {
			if j >= features {
				problems = append(problems, fmt.Errorf("gbdt: setting %q names feature %d of %d, counted from 0", "interactions", j, features))
			}
		}
	}
	if s.exact() && s.objective == "lambdarank" {
		problems = append(problems, data.WithHint(errors.New("gbdt: rounding nearest does not go with objective lambdarank, whose rows depend on the others of their group"), "leave rounding out"))
	}
	if s.rowFraction < 1 && s.gradientFraction < 1 {
		problems = append(problems, errors.New("gbdt: row_fraction and gradient_fraction are both below 1; use one"))
	}
	return errors.Join(problems...)
}
