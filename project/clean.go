package project

import (
	"slices"

	"github.com/goccy/go-yaml/ast"

	"github.com/tandem-ml/tandem/data/clean"
)

// cleaning lists the steps of the clean section, with the words that each needs
// and those it may have.
var cleaning = []struct {
	op      string
	needs   []string
	may     []string
	example string
}{
	{"trim", nil, nil, "{trim: City}"},
	{"merge", []string{"into"}, nil, `{merge: City, into: {NYC: [New York, "new york "]}}`},
	{"number", nil, []string{"decimal", "otherwise"}, "{number: Price}"},
	{"units", []string{"to"}, []string{"decimal", "otherwise"}, "{units: Weight, to: kg}"},
	{"time", []string{"form"}, []string{"otherwise"}, "{time: Date, form: dmy}"},
	{"boolean", nil, []string{"otherwise"}, "{boolean: Smoker}"},
	{"bounds", nil, []string{"min", "max", "otherwise"}, "{bounds: Age, min: 0, max: 120}"},
	{"flag", []string{"outliers"}, nil, "{flag: Income, outliers: iqr}"},
	{"duplicates", nil, []string{"by"}, "{duplicates: drop, by: [id]}"},
}

// clean reads the list of cleaning steps.
func (r *reader) clean(n ast.Node, into *[]clean.Step) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		r.fail(at(n), "clean must be a list, each line beginning with '- '")
		return
	}
	var out []clean.Step
	for _, item := range s.Values {
		if step, ok := r.cleanStep(item); ok {
			out = append(out, step)
		}
	}
	*into = out
}

func (r *reader) cleanStep(n ast.Node) (s clean.Step, ok bool) {
	if !r.isMap(n, "a step of clean") {
		return s, false
	}
	before := len(r.problems)
	given := map[string]place{}
	r.pairs(n, func(word string, where place, value ast.Node) {
		given[word] = where
		switch word {
		case "trim", "merge", "number", "units", "time", "boolean", "bounds", "flag":
			r.column(value, "clean", &s.Column)
		case "duplicates":
			var drop string
			r.oneOf(value, &drop, []string{"drop"}, nil)
		case "by":
			r.columnList(value, "clean", &s.By)
		case "into":
			r.merges(value, &s.Into)
		case "to":
			r.text(value, &s.To)
		case "form":
			r.oneOf(value, &s.Form, []string{"dmy", "mdy", "ymd"}, nil)
		case "decimal":
			r.oneOf(value, &s.Decimal, []string{".", ","}, nil)
		case "min":
			s.Min = r.optional(value)
		case "max":
			s.Max = r.optional(value)
		case "otherwise":
			r.oneOf(value, &s.Otherwise, []string{"missing", "reject"}, nil)
		case "outliers":
			r.oneOf(value, &s.Outliers, []string{"iqr", "mad"}, nil)
		default:
			var words []string
			for _, c := range cleaning {
				words = append(words, c.op)
			}
			r.unknown(word, where, append(words, "into", "to", "form", "decimal", "min", "max", "otherwise", "outliers", "by"))
		}
	})
	if len(r.problems) > before {
		return s, false
	}
	chosen := -1
	for i, c := range cleaning {
		if _, is := given[c.op]; !is {
			continue
		}
		if chosen >= 0 {
			r.fail(given[c.op], "a step does one thing: either %s or %s", cleaning[chosen].op, c.op)
			return s, false
		}
		chosen = i
	}
	if chosen < 0 {
		r.fail(at(n), "a step of clean needs one of trim, merge, number, units, time, boolean, bounds, flag and duplicates, as in %s", cleaning[0].example)
		return s, false
	}
	c := cleaning[chosen]
	s.Op = c.op
	for word, where := range given {
		if word != c.op && !slices.Contains(c.needs, word) && !slices.Contains(c.may, word) {
			r.fail(where, "%q does not go with %s; the form is %s", word, c.op, c.example)
		}
	}
	for _, word := range c.needs {
		if _, is := given[word]; !is {
			r.fail(at(n), "%s needs %q, as in %s", c.op, word, c.example)
		}
	}
	if len(r.problems) > before {
		return s, false
	}
	if err := s.Check(); err != nil {
		r.fail(at(n), "%v", err)
		return s, false
	}
	return s, true
}

// merges reads the values of a merge with their spellings.
func (r *reader) merges(n ast.Node, into *map[string][]string) {
	if !r.isMap(n, "into") {
		return
	}
	out := map[string][]string{}
	r.pairs(n, func(word string, where place, value ast.Node) {
		if word == "" {
			r.fail(where, "the value that others become is empty")
			return
		}
		var spellings []string
		if _, many := value.(*ast.SequenceNode); many {
			r.texts(value, &spellings)
		} else {
			var one string
			if !r.text(value, &one) {
				return
			}
			spellings = []string{one}
		}
		out[word] = spellings
	})
	*into = out
}
