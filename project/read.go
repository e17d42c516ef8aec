package project

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// reader walks the syntax tree of a project file along the table of keys. It
// never stops at a problem: it notes it and reads on.
type reader struct {
	file     string
	kind     string // what the file is, "" for a project file
	project  *Project
	problems []*Problem
	places   map[string]place // of the keys that the file gives, by path
}

// Limits that no project file comes near. The syntax library takes time that
// grows with the square of the number of keys, and stack that grows with the
// nesting; both are counted on the flat token list before it is let loose.
const (
	maxKeys  = 10000
	maxDepth = 16
)

// document reads a whole file.
func (r *reader) document(src []byte) {
	root, ok := r.syntax(src)
	if !ok {
		return
	}
	if root == nil {
		r.required("data.source")
		r.required("data.target")
		return
	}
	if r.isMap(root, "the file") {
		r.section("", root)
	}
}

// syntax returns the tree of the only document in src: nil, true if there is
// none, and false after noting a problem.
func (r *reader) syntax(src []byte) (ast.Node, bool) {
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	switch {
	case len(src) > MaxSize:
		r.fail(place{}, "is larger than 1 MB, which no %s is", r.what())
		return nil, false
	case !utf8.Valid(src):
		r.fail(lineOf(src, firstInvalid(src)), "is not UTF-8 text; save the file as UTF-8")
		return nil, false
	case bytes.IndexByte(src, 0) >= 0:
		r.fail(lineOf(src, bytes.IndexByte(src, 0)), "holds a zero byte; it is not a text file")
		return nil, false
	}
	tokens := lexer.Tokenize(string(src))
	if !r.tame(tokens) {
		return nil, false
	}
	tree, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.syntaxError(err, src)
		return nil, false
	}
	var root ast.Node
	for _, d := range tree.Docs {
		if d.Body == nil {
			continue
		}
		if root != nil {
			r.fail(at(d.Body), "a second document begins here; a %s is one", r.what())
			return nil, false
		}
		root = d.Body
	}
	return root, true
}

// tame refuses what would make a small file large (anchors, aliases, merge
// keys), what would change a value's type (tags), and nesting or numbers of
// keys beyond reason. It is called before the tree is built.
func (r *reader) tame(tokens token.Tokens) bool {
	before := len(r.problems)
	depth, pairs, dashes, dashLine := 0, 0, 0, 0
	for _, t := range tokens {
		switch t.Type {
		case token.AnchorType, token.AliasType, token.TagType:
			r.fail(atToken(t), "%q begins an anchor, an alias or a tag here, which a %s may not use; put the value in quotes, or write it out", t.Value, r.what())
		case token.MergeKeyType:
			r.fail(atToken(t), "merge keys are not allowed in a %s; write the values out", r.what())
		case token.MappingKeyType, token.DirectiveType:
			r.fail(atToken(t), "%q has a meaning of its own here in YAML, which a %s may not use; put the value in quotes", t.Value, r.what())
		case token.MappingStartType, token.SequenceStartType:
			depth++
		case token.MappingEndType, token.SequenceEndType:
			depth--
		case token.MappingValueType:
			pairs++
		case token.SequenceEntryType:
			if t.Position.Line != dashLine {
				dashes, dashLine = 0, t.Position.Line
			}
			dashes++
		}
		if depth > maxDepth || dashes > maxDepth {
			r.fail(atToken(t), "values are nested more than %d deep", maxDepth)
			return false
		}
		if pairs > maxKeys {
			r.fail(atToken(t), "the file has more than %d keys", maxKeys)
			return false
		}
		if len(r.problems) > maxProblems {
			return false
		}
	}
	return len(r.problems) == before
}

func (r *reader) what() string { return cmp.Or(r.kind, "project file") }

func (r *reader) syntaxError(err error, src []byte) {
	var s *yaml.SyntaxError
	if !errors.As(err, &s) || s.GetToken() == nil || s.GetToken().Position == nil {
		r.fail(place{}, "is not valid YAML: %v", err)
		return
	}
	p := atToken(s.GetToken())
	message := strings.TrimSuffix(s.GetMessage(), ".")
	lines := strings.Split(string(src), "\n")
	for _, n := range []int{p.line, p.line - 1} {
		if n >= 1 && n <= len(lines) {
			if _, value, ok := strings.Cut(lines[n-1], ":"); ok && strings.HasPrefix(strings.TrimSpace(value), ">") {
				message += "; a rule stands in quotes: \"" + strings.TrimSpace(value) + "\""
				break
			}
		}
	}
	r.fail(p, "is not valid YAML here: %s", message)
}

// section reads the pairs of a mapping whose keys are those below path.
func (r *reader) section(path string, n ast.Node) {
	seen := map[string]bool{}
	r.pairs(n, func(word string, where place, value ast.Node) {
		full := strings.TrimPrefix(path+"."+word, ".")
		seen[word] = true
		r.places[full] = where
		k := lookup(full)
		switch {
		case k != nil && !k.Supported:
			r.fail(where, "%q (%s) is not supported by this version; %s", full, k.Doc, sectionHint(path))
		case k != nil:
			k.read(r, value, r.project)
		case len(children(full)) > 0:
			if r.isMap(value, full) {
				r.section(full, value)
			}
		case allLater(full):
			r.fail(where, "%q is not supported by this version; %s", full, sectionHint(path))
		default:
			r.fail(where, "unknown key %q%s", word, r.unknownHint(path, word))
		}
	})
	if path == "" && !seen["data"] {
		r.required("data.source")
		r.required("data.target")
	}
	if path == "data" {
		for _, word := range []string{"source", "target"} {
			if !seen[word] && !(word == "source" && seen["files"]) {
				r.fail(at(n), "%q is missing: %s", "data."+word, firstSentence(lookup("data."+word).Doc))
			}
		}
	}
}

func (r *reader) required(path string) {
	r.fail(place{1, 1}, "%q is missing: %s", path, firstSentence(lookup(path).Doc))
}

func firstSentence(doc string) string {
	s, _, _ := strings.Cut(doc, ". ")
	return strings.ToLower(s[:1]) + strings.TrimSuffix(s[1:], ".")
}

// allLater reports whether path is a section of which nothing is supported.
func allLater(path string) bool {
	for _, k := range keys {
		if strings.HasPrefix(k.Path, path+".") {
			return !k.Supported
		}
	}
	return false
}

func sectionHint(path string) string {
	if path == "" {
		return "the sections are " + list(children(""))
	}
	return path + " may have " + list(children(path))
}

// unknownHint names the nearest word of the section, or the section where the
// word belongs, or all words of the section.
func (r *reader) unknownHint(path, word string) string {
	if s := didYouMean(word, children(path)); s != "" {
		return s
	}
	for _, k := range keys {
		if k.Supported && strings.HasSuffix(k.Path, "."+word) {
			return fmt.Sprintf("; it belongs under %q", strings.TrimSuffix(k.Path, "."+word))
		}
	}
	return "; " + sectionHint(path)
}

func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// pairs calls f for each pair of a mapping whose key is plain text and new.
func (r *reader) pairs(n ast.Node, f func(word string, where place, value ast.Node)) {
	first := map[string]place{}
	m, ok := n.(ast.MapNode)
	if !ok {
		return
	}
	for it := m.MapRange(); it.Next(); {
		word, where, ok := scalar(it.Key())
		if !ok {
			r.fail(where, "a key must be plain text")
			continue
		}
		if old, twice := first[word]; twice {
			r.fail(where, "key %q occurs twice; the first is on line %d", word, old.line)
			continue
		}
		first[word] = where
		f(word, where, it.Value())
	}
}

// isMap notes a problem unless n is a mapping.
func (r *reader) isMap(n ast.Node, what string) bool {
	if _, ok := n.(ast.MapNode); ok {
		return true
	}
	if _, empty := n.(*ast.NullNode); empty {
		r.fail(at(n), "%s is empty; give it a value or remove it", what)
		return false
	}
	r.fail(at(n), "%s must be a list of `key: value` lines", what)
	return false
}

// scalar returns a single value as the file writes it, without quotes. It is
// false for lists, mappings and nothing.
func scalar(n ast.Node) (string, place, bool) {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value, at(n), true
	case *ast.LiteralNode:
		return v.Value.Value, at(n), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, at(n), true
	}
	return "", at(n), false
}

// at returns where a node begins. A mapping without braces begins at its first
// key; the library's token is the colon.
func at(n ast.Node) place {
	if n == nil {
		return place{}
	}
	switch m := n.(type) {
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			return at(m.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return at(m.Key)
	}
	return atToken(n.GetToken())
}

func atToken(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{}
	}
	return place{t.Position.Line, t.Position.Column}
}

// lineOf returns the place of a byte offset.
func lineOf(src []byte, offset int) place {
	before := src[:offset]
	start := bytes.LastIndexByte(before, '\n') + 1
	return place{bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[start:]) + 1}
}

func firstInvalid(src []byte) int {
	for i := 0; i < len(src); {
		c, n := utf8.DecodeRune(src[i:])
		if c == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return 0
}
