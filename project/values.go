package project

import (
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"

	"github.com/tandem-ml/tandem/data"
)

// value reads text as the value of key k: how defaults get in.
func (r *reader) value(k key, text string) {
	tree, err := parser.Parse(lexer.Tokenize(text), 0)
	if err != nil || len(tree.Docs) != 1 {
		r.fail(place{}, "%q is not a value: %v", text, err)
		return
	}
	k.read(r, tree.Docs[0].Body, r.project)
}

// text reads a single value, whatever its type, as it is written.
func (r *reader) text(n ast.Node, into *string) bool {
	s, where, ok := scalar(n)
	if _, empty := n.(*ast.NullNode); empty || ok && s == "" {
		r.fail(where, "there is no value here; give one or remove the key")
		return false
	}
	if !ok {
		r.fail(where, "one value must stand here, not a list or a map")
		return false
	}
	*into = s
	return true
}

func (r *reader) name(n ast.Node, into *string) {
	var s string
	if !r.text(n, &s) {
		return
	}
	bad := strings.IndexFunc(s, func(c rune) bool { return !nameRune(c) })
	if bad >= 0 || len(s) > maxName || strings.Trim(s, ".") == "" {
		r.fail(at(n), "%q cannot be a project's name: use letters, digits, '-', '_' and '.', at most %d", s, maxName)
		return
	}
	*into = s
}

func (r *reader) source(n ast.Node, into *string) {
	if r.isSQL(n) {
		r.fail(at(n), "a query stands under data.sql, and its tables under data.files")
		return
	}
	var s string
	if !r.text(n, &s) {
		return
	}
	if scheme, _, ok := strings.Cut(s, "://"); ok && !contains(Schemes, scheme) {
		r.fail(at(n), "a source of %q is not supported by this version; copy the data to a file and name that", scheme+"://")
		return
	}
	*into = s
}

// Schemes are what a source that is no file may begin with, before "://".
var Schemes = []string{"https", "http", "s3", "postgres", "postgresql"}

// files reads the tables of a query.
func (r *reader) files(n ast.Node, into *map[string]string) {
	if !r.isMap(n, "data.files") {
		return
	}
	out := map[string]string{}
	r.pairs(n, func(word string, where place, value ast.Node) {
		if !isTable(word) {
			r.fail(where, "%q cannot be a table's name: use letters, digits and '_', and begin with a letter", word)
			return
		}
		var s string
		if r.text(value, &s) {
			out[word] = s
		}
	})
	*into = out
}

func isTable(s string) bool {
	for i, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 63
}

// character reads one ASCII character.
func (r *reader) character(n ast.Node, into *string) {
	var s string
	if !r.text(n, &s) {
		return
	}
	if len(s) != 1 || s[0] >= 0x80 || s == "\n" || s == "\r" || s == `"` {
		r.fail(at(n), "one character must stand here, such as ';', \"\\t\" or '|'")
		return
	}
	*into = s
}

// texts reads a list of texts; it may be empty.
func (r *reader) texts(n ast.Node, into *[]string) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		r.fail(at(n), "a list must stand here, such as [NA, \"-999\"]")
		return
	}
	out := []string{}
	for _, item := range s.Values {
		var one string
		if r.text(item, &one) {
			out = append(out, one)
		}
	}
	*into = out
}

func (r *reader) isSQL(n ast.Node) bool {
	m, ok := n.(ast.MapNode)
	if !ok {
		return false
	}
	for it := m.MapRange(); it.Next(); {
		if word, _, _ := scalar(it.Key()); word == "sql" {
			return true
		}
	}
	return false
}

// column reads the name of a column and remembers where it was mentioned.
func (r *reader) column(n ast.Node, key string, into *string) bool {
	if !r.text(n, into) {
		return false
	}
	r.project.columns = append(r.project.columns, mention{at(n), key, *into})
	return true
}

// columnList reads a list of columns without repetition. One column alone need
// not stand in a list.
func (r *reader) columnList(n ast.Node, key string, into *[]string) {
	items := []ast.Node{n}
	if s, ok := n.(*ast.SequenceNode); ok {
		items = s.Values
	}
	var out []string
	seen := map[string]bool{}
	for _, item := range items {
		var c string
		if !r.column(item, key, &c) {
			continue
		}
		if seen[c] {
			r.fail(at(item), "%s names %q twice", key, c)
			continue
		}
		seen[c] = true
		out = append(out, c)
	}
	*into = out
}

// oneOf reads a word of a closed list; later are words of other versions.
func (r *reader) oneOf(n ast.Node, into *string, words, later []string) {
	var s string
	if !r.text(n, &s) {
		return
	}
	for _, w := range words {
		if s == w {
			*into = s
			return
		}
	}
	for _, w := range later {
		if s == w {
			r.fail(at(n), "%q is not supported by this version; use %s", s, list(words))
			return
		}
	}
	hint := didYouMean(s, words)
	if hint == "" {
		hint = "; use one of " + list(words)
	}
	r.fail(at(n), "%q is not known here%s", s, hint)
}

func (r *reader) boolean(n ast.Node, into *bool) {
	b, ok := n.(*ast.BoolNode)
	if !ok {
		r.fail(at(n), "true or false must stand here")
		return
	}
	*into = b.Value
}

// number reads a finite number in [low, high].
func (r *reader) number(n ast.Node, into *float64, low, high float64) bool {
	s, where, _ := scalar(n)
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !finite(v) {
		r.fail(where, "a number must stand here")
		return false
	}
	if v < low || v > high {
		r.fail(where, "%s is out of range: it must be %s", s, interval(low, high))
		return false
	}
	*into = v
	return true
}

func interval(low, high float64) string {
	switch {
	case high == math.MaxFloat64:
		return "at least " + data.FormatNumber(low)
	case high == below1:
		return "at least " + data.FormatNumber(low) + " and below 1"
	}
	return "from " + data.FormatNumber(low) + " to " + data.FormatNumber(high)
}

func (r *reader) whole(n ast.Node, into *int, low, high int) bool {
	s, where, _ := scalar(n)
	v, err := strconv.Atoi(s)
	if err != nil || v < low || v > high {
		if high == math.MaxInt32 {
			r.fail(where, "a whole number of at least %d must stand here", low)
		} else {
			r.fail(where, "a whole number from %d to %d must stand here", low, high)
		}
		return false
	}
	*into = v
	return true
}

func (r *reader) seed(n ast.Node, into *uint64) {
	s, where, _ := scalar(n)
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		r.fail(where, "a whole number from 0 to %d must stand here", uint64(math.MaxUint64))
		return
	}
	*into = v
}

func (r *reader) duration(n ast.Node, into *time.Duration, low time.Duration) bool {
	var s string
	if !r.text(n, &s) {
		return false
	}
	d, err := ParseDuration(s)
	if err != nil {
		r.fail(at(n), "%v", err)
		return false
	}
	if d < low {
		r.fail(at(n), "%s is too short: at least %s", s, FormatDuration(low))
		return false
	}
	*into = d
	return true
}

// window reads a whole number of decisions or a duration.
func (r *reader) window(n ast.Node, into *Window) {
	s, _, _ := scalar(n)
	if s != "" && strings.Trim(s, "0123456789") == "" {
		var w Window
		if r.whole(n, &w.Decisions, 10, math.MaxInt32) {
			*into = w
		}
		return
	}
	var w Window
	if r.duration(n, &w.Every, time.Second) {
		*into = w
	}
}

func (r *reader) address(n ast.Node, into *string) {
	var s string
	if !r.text(n, &s) {
		return
	}
	_, port, err := net.SplitHostPort(s)
	if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil {
		r.fail(at(n), "%q is not an address of the form host:port, such as 127.0.0.1:8080", s)
		return
	}
	*into = s
}
