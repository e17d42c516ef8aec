package project

import (
	"math"
	"strconv"
	"strings"

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

var hypothesisKeys = []string{"question", "compare", "between", "associate"}

func (r *reader) hypothesis(n ast.Node) (h Hypothesis, ok bool) {
	if !r.isMap(n, "a hypothesis") {
		return h, false
	}
	before := len(r.problems)
	r.pairs(n, func(word string, where place, value ast.Node) {
		switch word {
		case "question":
			r.text(value, &h.Question)
		case "compare":
			r.column(value, "hypotheses", &h.Compare)
		case "between":
			r.column(value, "hypotheses", &h.Between)
		case "associate":
			r.columnList(value, "hypotheses", &h.Associate)
			if len(h.Associate) != 2 && len(r.problems) == before {
				r.fail(at(value), "associate takes two columns, as in [Records, Status]")
			}
		default:
			r.unknown(word, where, hypothesisKeys)
		}
	})
	if len(r.problems) > before {
		return h, false
	}
	pair := h.Compare != "" && h.Between != ""
	half := (h.Compare != "") != (h.Between != "")
	switch {
	case half || pair == (h.Associate != nil):
		r.fail(at(n), "a hypothesis needs either compare and between, or associate")
		return h, false
	case pair && h.Compare == h.Between:
		r.fail(at(n), "a column cannot be compared between its own values")
		return h, false
	}
	if h.Question == "" {
		if pair {
			h.Question = "Does " + h.Compare + " differ between the values of " + h.Between + "?"
		} else {
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
	if c := p.Decision.Cost; c.FalsePositive == 0 && c.FalseNegative == 0 {
		r.fail(r.places["decision.cost"], "decision.cost: both costs are 0, so every decision would be as good as any other; give at least one")
	}
}
