package project

import (
	"github.com/goccy/go-yaml/ast"
)

// Pair is one line `key: value` of a flat file, or `key: [value, value]`.
type Pair struct {
	Key    string
	Values []string // as the file writes them, without quotes; one but for a list
	List   bool     // it was written as a list
}

// ParseFlat reads the text of a file that is a list of `key: value`, such as the
// settings of a program that has no project, and gives each pair to set in the
// file's order. It is as strict as [Parse]. file is its name and kind what it
// should be, for messages; a key that is none of keys is refused, with the
// nearest of them as a hint. The error joins all problems, what set says of a
// value among them; each is a [*Problem].
func ParseFlat(file, kind string, src []byte, keys []string, set func(Pair) error) error {
	r := &reader{file: file, kind: kind}
	root, ok := r.syntax(src)
	if !ok || root == nil || !r.isMap(root, "the file") {
		return r.err()
	}
	known := map[string]bool{}
	for _, k := range keys {
		known[k] = true
	}
	r.pairs(root, func(word string, where place, value ast.Node) {
		if !known[word] {
			hint := didYouMean(word, keys)
			if hint == "" {
				hint = "; the keys are " + list(keys)
			}
			r.fail(where, "unknown key %q%s", word, hint)
			return
		}
		p := Pair{Key: word}
		nodes := []ast.Node{value}
		if l, is := value.(*ast.SequenceNode); is {
			nodes, p.List = l.Values, true
		}
		at := where
		for _, n := range nodes {
			text, place, ok := scalar(n)
			if !ok {
				r.fail(where, "%s must be a value, or a list of values", word)
				return
			}
			p.Values, at = append(p.Values, text), place
		}
		if err := set(p); err != nil {
			r.fail(at, "%s: %v", word, err)
		}
	})
	return r.err()
}
