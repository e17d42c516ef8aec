package data

import (
	"fmt"
	"strings"
)

// CellError says that one value, or one row, cannot be used: where it stands,
// what is wrong and what to do. Row counts data rows from 1; Line is the line
// in the file (0 when unknown), counted the way an editor shows it.
type CellError struct {
	File   string
	Line   int
	Row    int
	Column string // "" when the whole row is meant
	Value  string // "" when unknown or when it must not be shown
	Err    string // what is wrong: `is not a number`
	Hint   string // what to do; may be ""
}

// Error returns the place and the problem on one line, without the hint.
func (e *CellError) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
		}
		b.WriteString(": ")
	}
	if e.Row > 0 {
		fmt.Fprintf(&b, "row %d: ", e.Row)
	}
	if e.Column != "" {
		fmt.Fprintf(&b, "column %q: ", e.Column)
	}
	if e.Value != "" {
		fmt.Fprintf(&b, "%q ", clip(e.Value, 60))
	}
	b.WriteString(e.Err)
	return b.String()
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

// Hinted is an error that carries its cure in a second sentence, which the
// command line prints on a line of its own.
type Hinted struct {
	Err  error
	Hint string
}

// Error returns the cause alone.
func (e *Hinted) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Hinted) Unwrap() error { return e.Err }

// WithHint wraps err with what the reader can do about it.
func WithHint(err error, format string, args ...any) error {
	return &Hinted{Err: err, Hint: fmt.Sprintf(format, args...)}
}

// Snapshot identifies one reading of a source: the same bytes read the same
// way have the same hash.
type Snapshot struct {
	Source  string `json:"source"`  // as the user wrote it
	SHA256  string `json:"sha256"`  // of the source's bytes, hex; several files: of their hashes in name order
	Rows    int    `json:"rows"`    // rows in the table
	Columns int    `json:"columns"` // columns in the table
	Rejects int    `json:"rejects"` // rows that could not be read

	// Read is how the source's cells were read, as far as rows to come must be
	// read so too: the marks, the order of days and what means no value. Part of
	// it was told from the source, the rest was set. How the source was packed
	// (its encoding, separator, sheet) is not in it.
	Read Dialect `json:"read,omitzero"`
}
