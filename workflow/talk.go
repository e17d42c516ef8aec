package workflow

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// Talk is how long work speaks to a person: whole lines, and on a terminal one
// line of progress that is rewritten in place. All of it goes to stderr; data
// goes to stdout. The zero value and nil are silent. It is safe for concurrent
// use.
type Talk struct {
	W        io.Writer
	Terminal bool // W is a terminal: progress may rewrite its line

	mu       sync.Mutex
	progress int // length of the progress line that stands on the terminal
}

// Line prints one line.
func (t *Talk) Line(format string, args ...any) {
	if t == nil || t.W == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clear()
	fmt.Fprintf(t.W, format+"\n", args...)
}

// Progress shows how far a piece of work is; it prints nothing where the
// output is not a terminal.
func (t *Talk) Progress(format string, args ...any) {
	if t == nil || t.W == nil || !t.Terminal {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clear()
	s := fmt.Sprintf(format, args...)
	if r := []rune(s); len(r) > 79 {
		s = string(r[:79])
	}
	fmt.Fprint(t.W, s)
	t.progress = len(s)
}

func (t *Talk) clear() {
	if t.progress > 0 {
		fmt.Fprint(t.W, "\r"+strings.Repeat(" ", t.progress)+"\r")
		t.progress = 0
	}
}
