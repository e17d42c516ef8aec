package project

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// Problem is one thing that is wrong in a project file. Its text says what,
// where, and how to mend it.
type Problem struct {
	File   string
	Line   int // from 1; 0 when the file as a whole is meant
	Column int // from 1, in characters
	Err    string
}

// Error returns "tandem.yaml:7:3: what is wrong; how to mend it".
func (p *Problem) Error() string {
	if p.Line == 0 {
		return p.File + ": " + p.Err
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Err)
}

// place is a position in the file, both from 1; the zero place is the file.
type place struct{ line, column int }

// mention is a column's name at its place in the file.
type mention struct {
	place
	key    string // the key under which it stands
	column string
}

// maxProblems bounds how many problems one error reports: a file that is not a
// project file at all would otherwise fill the screen.
const maxProblems = 50

// fail notes a problem and goes on, so that all are found at once.
func (r *reader) fail(at place, format string, args ...any) {
	r.problems = append(r.problems, &Problem{File: r.file, Line: at.line, Column: at.column, Err: fmt.Sprintf(format, args...)})
}

// err joins the problems in the file's order, or returns nil.
func (r *reader) err() error {
	sort.SliceStable(r.problems, func(i, j int) bool {
		a, b := r.problems[i], r.problems[j]
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
	var all []error
	for i, p := range r.problems {
		if i == maxProblems {
			all = append(all, fmt.Errorf("%s: and %d more problems", r.file, len(r.problems)-i))
			break
		}
		all = append(all, p)
	}
	return errors.Join(all...)
}

// didYouMean returns `; did you mean "x"?` for the nearest of the names, or
// "" when none is near.
func didYouMean(word string, names []string) string {
	if n := nearest(word, names); n != "" {
		return fmt.Sprintf("; did you mean %q?", n)
	}
	return ""
}

// nearest returns the name with the smallest edit distance to word, ignoring
// case, the first of equals; "" if even that needs more changes than a third
// of the word's length, or more than one for a short word.
func nearest(word string, names []string) string {
	w := []rune(strings.ToLower(word))
	if len(w) > 100 {
		return ""
	}
	best, limit := "", max(1, len(w)/3)
	for _, n := range names {
		v := []rune(strings.ToLower(n))
		if d := len(v) - len(w); d > limit || -d > limit {
			continue
		}
		if d := distance(w, v); d <= limit {
			if best, limit = n, d-1; limit < 0 {
				break
			}
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace, or swap with their
// neighbour to turn a into b (optimal string alignment).
func distance(a, b []rune) int {
	before, last, now := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last, now = last, now, before
	}
	return last[len(b)]
}
