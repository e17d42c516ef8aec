package ingest

import (
	"bytes"
	"slices"
)

// truths are the words for true and false, in small letters. A column of them
// alone holds truth values; whether they are read as such is up to [leaning].
var truths = map[string]bool{"true": true, "false": false, "yes": true, "no": false, "y": true, "n": false, "t": true, "f": false,
	"ja": true, "nein": false, "oui": true, "non": false}

var truthWords = map[bool][]byte{true: []byte("true"), false: []byte("false")}

// truth tells what a word for true or false says.
func truth(b []byte) (value, known bool) {
	if b = trim(b); len(b) == 0 || len(b) > 5 {
		return false, false
	}
	value, known = truths[string(b)]
	if !known {
		value, known = truths[string(bytes.ToLower(b))]
	}
	return value, known
}

// spelling is how a column writes truth values.
type spelling struct {
	plain bool        // all are true and false, in letters of any size
	words [2][]string // the spellings of false and of true, a few of them
}

func (s *spelling) see(b []byte, value bool) {
	b = trim(b)
	at := &s.words[0]
	if value {
		at = &s.words[1]
	}
	if slices.Contains(*at, string(b)) {
		return
	}
	first := len(s.words[0])+len(s.words[1]) == 0
	s.plain = (first || s.plain) && (bytes.EqualFold(b, truthWords[true]) || bytes.EqualFold(b, truthWords[false]))
	if len(*at) < 3 {
		*at = append(*at, string(b))
	}
}

// booleans reports whether a column of truth values, spelled so, is read as true
// and false. Unless it is asked for, other words than these must be spelled in
// more than two ways: two words are two categories as they are, and whoever
// sends rows sends those. Both values must occur.
func (l leaning) booleans(s *spelling) bool {
	no, yes := len(s.words[0]), len(s.words[1])
	switch {
	case l.truths != nil && !*l.truths:
		return false
	case s.plain:
		return true
	}
	return no > 0 && yes > 0 && (l.truths != nil || no+yes > 2)
}
