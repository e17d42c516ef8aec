package decisions

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tandem-ml/tandem/data"
)

// Condition is something that a decision may be: FIELD OPERATOR VALUE.
type Condition struct {
	field    string
	operator string
	text     string
	number   float64
	isNumber bool
}

// fields are those of every decision; any other name is one of the inputs.
var fields = []string{"id", "time", "project", "bundle", "model", "request_id", "key", "score", "margin", "decision", "outcome"}

// operators, the longer ones first.
var operators = []string{"!=", "<=", ">=", "=", "<", ">"}

// ParseCondition reads a condition such as score>=0.5, decision=bad,
// time>2026-03-01, outcome!=good or Income<100.
//
// The fields are id, time, project, bundle, model, request_id, key, score,
// margin, decision and outcome; any other is a column of the inputs, and
// inputs.NAME one that is named like a field. Two numbers are compared as such,
// all else as text. A time is as much of 2026-03-04T12:00:00 as is needed, in UTC,
// and stands for its beginning. What a decision does not have meets != only.
func ParseCondition(s string) (Condition, error) {
	at := strings.IndexAny(s, "!<>=")
	if at <= 0 {
		return Condition{}, data.WithHint(fmt.Errorf("%q is not a condition", s), "write FIELD OPERATOR VALUE, such as score>=0.5 or decision=bad; the operators are = != < <= > >=")
	}
	for _, op := range operators {
		if value, ok := strings.CutPrefix(s[at:], op); ok {
			c := Condition{field: strings.TrimSpace(s[:at]), operator: op, text: strings.TrimSpace(value)}
			var err error
			c.number, err = strconv.ParseFloat(c.text, 64)
			c.isNumber = err == nil
			if c.field == "time" {
				c.isNumber, c.text = false, strings.TrimSuffix(c.text, "Z") // a year alone looks like a number
			}
			return c, nil
		}
	}
	return Condition{}, data.WithHint(fmt.Errorf("%q is not a condition", s), "the operators are = != < <= > >=")
}

// Field returns what the condition is about.
func (c Condition) Field() string { return c.field }

// meets reports whether a decision is as the condition says.
func (c Condition) meets(e *Entry) bool {
	text, number, isNumber, has := c.value(e)
	if !has {
		return c.operator == "!="
	}
	order := strings.Compare(text, c.text)
	if isNumber && c.isNumber {
		order = 0
		switch {
		case number < c.number:
			order = -1
		case number > c.number:
			order = 1
		}
	}
	switch c.operator {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// value returns what a decision has in the condition's field.
func (c Condition) value(e *Entry) (text string, number float64, isNumber, has bool) {
	one := func(s string) (string, float64, bool, bool) {
		x, err := strconv.ParseFloat(s, 64)
		return s, x, err == nil, s != ""
	}
	switch c.field {
	case "id":
		return e.ID, 0, false, true
	case "time":
		return e.Time.UTC().Format("2006-01-02T15:04:05.000000"), 0, false, true
	case "project":
		return e.Project, 0, false, true
	case "bundle":
		return e.Bundle, 0, false, true
	case "model":
		return one(e.Model)
	case "request_id":
		return one(e.RequestID)
	case "key":
		return one(e.Key)
	case "score":
		return data.FormatNumber(e.Score), e.Score, true, true
	case "margin":
		return data.FormatNumber(e.Margin), e.Margin, true, true
	case "decision":
		return one(e.Decision.Decision)
	case "outcome":
		if e.Outcome == nil {
			return "", 0, false, false
		}
		return one(e.Outcome.Value)
	}
	var inputs map[string]any
	from := json.NewDecoder(bytes.NewReader(e.Inputs))
	from.UseNumber()
	if from.Decode(&inputs) != nil {
		return "", 0, false, false
	}
	name := c.field
	if rest, ok := strings.CutPrefix(name, "inputs."); ok && slices.Contains(fields, rest) {
		name = rest
	}
	v, ok := inputs[name]
	if !ok || v == nil {
		return "", 0, false, false
	}
	text = fmt.Sprint(v)
	number, err := strconv.ParseFloat(text, 64)
	return text, number, err == nil, true
}
