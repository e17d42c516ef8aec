package project

import (
	"errors"
	"fmt"
	"sort"

	"github.com/tandem-ml/tandem/data"
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
	if len(word) > 100 {
		return ""
	}
	if n := data.Nearest(word, names); n != "" {
		return fmt.Sprintf("; did you mean %q?", n)
	}
	return ""
}
