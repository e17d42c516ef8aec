package project

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// hypotheses reads the list of questions.
func (r *reader) hypotheses(n ast.Node, into *[]Hypothesis) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		r.fail(at(n), "hypotheses must be a list, each line beginning with '- '")
		return
	}
	for _, item := range s.Values {
		if h, ok := r.hypothesis(item); ok {
			*into = append(*into, h)
		}
	}
}

// askable lists what a hypothesis may ask, with the keys it needs and those it may
// have.
var askable = []struct {
	verb    string
	columns int // in its list; 0 is one column, -1 two or more
	needs   []string
	may     []string
	example string
}{
	{"compare", 0, []string{"between"}, []string{"within", "given"}, "{compare: Income, between: Status}"},
	{"associate", 2, nil, nil, "{associate: [Records, Status]}"},
	{"correlate", 2, nil, []string{"given"}, "{correlate: [Income, Debt]}"},
	{"trend", 0, []string{"over"}, nil, "{trend: Income, over: applied_at}"},
	{"spread", 0, []string{"between"}, nil, "{spread: Income, between: Status}"},
	{"normal", 0, nil, nil, "{normal: Income}"},
	{"proportion", 0, []string{"is"}, []string{"of"}, "{proportion: Status, is: bad, of: 0.3}"},
	{"paired", -1, nil, nil, "{paired: [Before, After]}"},
	{"ab", 0, []string{"arm"}, []string{"control", "per", "pre", "share"}, "{ab: Revenue, arm: Variant}"},
	{"survival", 0, []string{"event", "between"}, nil, "{survival: Months, event: Left, between: Plan}"},
}

func (r *reader) hypothesis(n ast.Node) (h Hypothesis, ok bool) {
	if !r.isMap(n, "a hypothesis") {
		return h, false
	}
	one := map[string]*string{
		"compare": &h.Compare, "between": &h.Between, "trend": &h.Trend, "over": &h.Over, "spread": &h.Spread, "normal": &h.Normal,
		"proportion": &h.Proportion, "ab": &h.AB, "arm": &h.Arm, "per": &h.Per, "pre": &h.Pre, "survival": &h.Survival, "event": &h.Event,
	}
	lists := map[string]*[]string{"given": &h.Given, "associate": &h.Associate, "correlate": &h.Correlate, "paired": &h.Paired}
	before := len(r.problems)
	given := map[string]ast.Node{}
	r.pairs(n, func(word string, where place, value ast.Node) {
		given[word] = value
		switch {
		case word == "question":
			r.text(value, &h.Question)
		case one[word] != nil:
			r.column(value, "hypotheses", one[word])
		case lists[word] != nil:
			r.columnList(value, "hypotheses", lists[word])
		case word == "is":
			r.text(value, &h.Is)
		case word == "control":
			r.text(value, &h.Control)
		case word == "within":
			r.number(value, &h.Within, 1e-300, 1e300)
		case word == "of":
			r.number(value, &h.Of, 0.0001, 0.9999)
		case word == "share":
			r.number(value, &h.Share, 0.0001, 0.9999)
		default:
			words := []string{"question"}
			for _, a := range askable {
				words = append(words, a.verb)
			}
			for _, a := range askable {
				for _, w := range append(a.needs, a.may...) {
					if !slices.Contains(words, w) {
						words = append(words, w)
					}
				}
			}
			r.unknown(word, where, words)
		}
	})
	if len(r.problems) > before {
		return h, false
	}
	chosen := -1
	for i, a := range askable {
		if given[a.verb] == nil {
			continue
		}
		if chosen >= 0 {
			r.fail(at(n), "a hypothesis asks one thing: either %s or %s", askable[chosen].verb, a.verb)
			return h, false
		}
		chosen = i
	}
	if chosen < 0 {
		r.fail(at(n), "a hypothesis needs one of compare, associate, correlate, trend, spread, normal, proportion, paired, ab and survival, as in %s", askable[0].example)
		return h, false
	}
	a := askable[chosen]
	if list := lists[a.verb]; list != nil {
		switch {
		case a.columns == 2 && len(*list) != 2:
			r.fail(at(given[a.verb]), "%s takes two columns, as in %s", a.verb, a.example)
			return h, false
		case a.columns == -1 && len(*list) < 2:
			r.fail(at(given[a.verb]), "%s takes two columns or more, as in %s", a.verb, a.example)
			return h, false
		}
	}
	for _, w := range a.needs {
		if given[w] == nil {
			r.fail(at(n), "%s needs %s, as in %s", a.verb, list(a.needs), a.example)
			return h, false
		}
	}
	for _, w := range slices.Sorted(maps.Keys(given)) {
		if w != "question" && w != a.verb && !slices.Contains(a.needs, w) && !slices.Contains(a.may, w) {
			r.fail(at(given[w]), "%s does not go with %s", w, a.verb)
			return h, false
		}
	}
	if h.Compare != "" && h.Compare == h.Between {
		r.fail(at(n), "a column cannot be compared between its own values")
		return h, false
	}
	if h.Question == "" {
		switch {
		case a.verb == "compare" && h.Within == 0 && h.Given == nil:
			h.Question = "Does " + h.Compare + " differ between the values of " + h.Between + "?"
		case a.verb == "associate":
			h.Question = "Are " + h.Associate[0] + " and " + h.Associate[1] + " linked?"
		}
	}
	return h, true
}

func (r *reader) unknown(word string, where place, words []string) {
	hint := didYouMean(word, words)
	if hint == "" {
		hint = "; it may have " + list(words)
	}
	r.fail(where, "unknown key %q%s", word, hint)
}

func (r *reader) reasonTexts(n ast.Node, into *map[string]string) {
	if !r.isMap(n, "decision.reason_texts") {
		return
	}
	out := map[string]string{}
	r.pairs(n, func(word string, where place, value ast.Node) {
		var s string
		if r.text(value, &s) {
			out[word] = strings.TrimSpace(s)
		}
		r.project.columns = append(r.project.columns, mention{where, "decision.reason_texts", word})
	})
	*into = out
}

// gates reads rules such as ">= 0.80".
func (r *reader) gates(n ast.Node, into *[]Gate) {
	if !r.isMap(n, "gates") {
		return
	}
	r.pairs(n, func(word string, where place, value ast.Node) {
		if !contains(gateMetrics, word) {
			r.unknown(word, where, gateMetrics)
			return
		}
		var rule string
		if !r.text(value, &rule) {
			return
		}
		g, ok := parseRule(rule)
		if !ok {
			r.fail(at(value), "%q is not a rule such as \">= 0.80\": one of >=, >, <=, < and a number, in quotes", rule)
			return
		}
		g.Metric = word
		r.places["gates."+word] = where
		*into = append(*into, g)
	})
}

func parseRule(s string) (Gate, bool) {
	s = strings.TrimSpace(s)
	for _, op := range []string{">=", "<=", ">", "<"} {
		if rest, ok := strings.CutPrefix(s, op); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			return Gate{Op: op, Limit: v}, err == nil && finite(v)
		}
	}
	return Gate{}, false
}

var editKeys = []string{"min", "max", "required"}

// edits reads changes to the contract.
func (r *reader) edits(n ast.Node, into *[]Edit) {
	if !r.isMap(n, "contract") {
		return
	}
	r.pairs(n, func(column string, where place, value ast.Node) {
		r.project.columns = append(r.project.columns, mention{where, "contract", column})
		if !r.isMap(value, "contract."+column) {
			return
		}
		e := Edit{Column: column}
		r.pairs(value, func(word string, at place, v ast.Node) {
			switch word {
			case "min":
				e.Min = r.optional(v)
			case "max":
				e.Max = r.optional(v)
			case "required":
				e.Required = new(bool)
				r.boolean(v, e.Required)
			default:
				r.unknown(word, at, editKeys)
			}
		})
		if e.Min != nil && e.Max != nil && *e.Min > *e.Max {
			r.fail(at(value), "contract.%s: min %v is above max %v", column, *e.Min, *e.Max)
		}
		*into = append(*into, e)
	})
}

func (r *reader) optional(n ast.Node) *float64 {
	var v float64
	if !r.number(n, &v, -math.MaxFloat64, math.MaxFloat64) {
		return nil
	}
	return &v
}

func contains(words []string, w string) bool {
	for _, v := range words {
		if v == w {
			return true
		}
	}
	return false
}

// check finds contradictions between keys. A key that is itself wrong has its
// default here, so nothing is reported twice.
func (r *reader) check() {
	p := r.project
	part := map[string]mention{}
	for _, m := range p.columns {
		switch m.key {
		case "data.target", "data.time", "data.id", "data.group", "data.exclude", "data.protected":
			if old, twice := part[m.column]; twice && old.key != m.key {
				r.fail(m.place, "column %q is already %s on line %d; a column has one part", m.column, old.key, old.line)
				continue
			}
			part[m.column] = m
		}
	}
	for _, m := range p.columns {
		if role := part[m.column]; m.key == "decision.reason_texts" && role.key != "" {
			r.fail(m.place, "column %q is %s and is never a reason; remove its text", m.column, role.key)
		}
	}
	server := strings.HasPrefix(p.Data.Source, "postgres") || strings.HasPrefix(p.Data.Source, "env:")
	switch where, files := r.places["data.sql"], p.Data.Files != nil; {
	case files && p.Data.SQL == "":
		r.fail(r.places["data.files"], "data.files are the tables of a query; give it as data.sql")
	case files && p.Data.Source != "":
		r.fail(r.places["data.files"], "the rows come from data.source or from a query over data.files; remove one of them")
	case p.Data.SQL != "" && !files && !server:
		r.fail(where, "the query has no tables; name them in data.files, or a PostgreSQL server in data.source")
	}
	if p.Model.Task == "regression" {
		if p.Data.Positive != "" {
			r.fail(r.places["data.positive"], "data.positive has no meaning with model.task: regression; remove one of them")
		}
		if p.Model.Metric == "auc" || p.Model.Metric == "log_loss" {
			r.fail(r.places["model.metric"], "model.metric: %s needs a binary task; use rmse", p.Model.Metric)
		}
	}
	if p.Model.Task == "binary" && p.Model.Metric == "rmse" {
		r.fail(r.places["model.metric"], "model.metric: rmse needs model.task: regression; use auc or log_loss")
	}
	for _, g := range p.Gates {
		if p.Model.Task == "binary" && contains(regressionMetrics, g.Metric) {
			r.fail(r.places["gates."+g.Metric], "gates.%s is a metric of regression, and model.task is binary", g.Metric)
		}
		if p.Model.Task == "regression" && contains(binaryMetrics, g.Metric) {
			r.fail(r.places["gates."+g.Metric], "gates.%s is a metric of binary tasks, and model.task is regression", g.Metric)
		}
	}
	for _, k := range []struct {
		path string
		age  time.Duration
	}{{"decisions.keep", p.Decisions.Keep}, {"decisions.keep_inputs", p.Decisions.KeepInputs}} {
		if k.age > 0 && k.age < p.Monitor.Maturity {
			r.fail(r.places[k.path], "%s is shorter than monitor.maturity, %s: decisions would go before their outcome is known", k.path, FormatDuration(p.Monitor.Maturity))
		}
	}
	if d := p.Decisions; d.Keep > 0 && d.KeepInputs > d.Keep {
		r.fail(r.places["decisions.keep_inputs"], "decisions.keep_inputs is longer than decisions.keep; what is removed keeps nothing")
	}
	if c := p.Decision.Cost; c.FalsePositive == 0 && c.FalseNegative == 0 {
		r.fail(r.places["decision.cost"], "decision.cost: both costs are 0, so every decision would be as good as any other; give at least one")
	}
}
