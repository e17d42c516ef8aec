package serve

import (
	"encoding/json"
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/tandem-ml/tandem/bundle"
)

// A request's frame, everything around the rows, is taken apart here. Package
// encoding/json would match names without regard to case, let a repeated name
// win, and copy every row; this does neither. checkJSON comes first, the other
// functions rely on it.

// maxDepth is how deep the arrays and objects of a body may nest.
const maxDepth = 64

// checkJSON returns an error if body is not one JSON value in valid UTF-8.
func checkJSON(body []byte) error {
	if !utf8.Valid(body) || !json.Valid(body) {
		return errors.New("is not valid JSON in UTF-8")
	}
	depth, inText := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			inText = !inText
		case inText:
			if c == '\\' {
				i++
			}
		case c == '{', c == '[':
			if depth++; depth > maxDepth {
				return errors.New("is nested too deeply")
			}
		case c == '}', c == ']':
			depth--
		}
	}
	return nil
}

// valueEnd returns where the value ends that begins at src[i].
func valueEnd(src []byte, i int) int {
	switch src[i] {
	case '"':
		return textEnd(src, i)
	case '{', '[':
	default: // a number or a word
		for i < len(src) && !delimits(src[i]) {
			i++
		}
		return i
	}
	for depth := 0; ; i++ {
		switch src[i] {
		case '"':
			i = textEnd(src, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

// textEnd returns where the string ends whose quote is src[i].
func textEnd(src []byte, i int) int {
	for i++; src[i] != '"'; i++ {
		if src[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func delimits(c byte) bool {
	switch c {
	case ',', '}', ']', ' ', '\t', '\n', '\r':
		return true
	}
	return false
}

// blank returns the position of the first byte from i on that is not white
// space.
func blank(src []byte, i int) int {
	for i < len(src) && (src[i] == ' ' || src[i] == '\t' || src[i] == '\n' || src[i] == '\r') {
		i++
	}
	return i
}

// begins reports whether a value is of the kind that begins with c.
func begins(value []byte, c byte) bool {
	i := blank(value, 0)
	return i < len(value) && value[i] == c
}

// absent reports whether a member was left out or is null.
func absent(value []byte) bool { return len(value) == 0 || begins(value, 'n') }

// each calls f with the pieces of an object or array: name is the raw name of
// a member, nil in an array. It stops when f returns an error.
func each(value []byte, f func(name, value []byte) error) error {
	i := blank(value, 0)
	object := value[i] == '{'
	i = blank(value, i+1)
	for value[i] != '}' && value[i] != ']' {
		var name []byte
		if object {
			end := valueEnd(value, i)
			name = value[i:end]
			i = blank(value, blank(value, end)+1) // over the colon
		}
		end := valueEnd(value, i)
		if err := f(name, value[i:end]); err != nil {
			return err
		}
		if i = blank(value, end); value[i] == ',' {
			i = blank(value, i+1)
		}
	}
	return nil
}

// object returns the members of a JSON object. An error is a
// *bundle.FieldError: another kind of value, a name that occurs twice or, if
// any names are given as known, one that is not among them.
func object(value []byte, known ...string) (map[string]json.RawMessage, error) {
	if !begins(value, '{') {
		return nil, &bundle.FieldError{Rule: "is not a JSON object"}
	}
	out := make(map[string]json.RawMessage, len(known))
	err := each(value, func(quoted, value []byte) error {
		name, _ := text(quoted)
		if known != nil && !slices.Contains(known, name) {
			return &bundle.FieldError{Field: name, Rule: "is not known here"}
		}
		if _, twice := out[name]; twice {
			return &bundle.FieldError{Field: name, Rule: "occurs twice"}
		}
		out[name] = value
		return nil
	})
	return out, err
}

var errTooMany = errors.New("the list is too long")

// list returns the elements of a JSON array, errTooMany beyond most of them.
func list(value []byte, most int) ([]json.RawMessage, error) {
	if !begins(value, '[') {
		return nil, errors.New("is not a list")
	}
	var out []json.RawMessage
	err := each(value, func(_, element []byte) error {
		if len(out) == most {
			return errTooMany
		}
		out = append(out, element)
		return nil
	})
	return out, err
}

// text returns a JSON string; ok is false for another kind of value.
func text(value []byte) (s string, ok bool) {
	if !begins(value, '"') {
		return "", false
	}
	return s, json.Unmarshal(value, &s) == nil
}
