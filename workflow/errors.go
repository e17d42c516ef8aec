package workflow

import (
	"errors"
	"fmt"
)

// UsageError says that what was asked is not possible, whatever the data: an
// unknown task, a flag that contradicts another. The program exits with 2.
type UsageError struct{ Err error }

// Error returns the cause's text.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UsageError) Unwrap() error { return e.Err }

// Usagef returns a *UsageError.
func Usagef(format string, args ...any) error {
	return &UsageError{fmt.Errorf(format, args...)}
}

// ErrNotHeld says that the work was done and a check did not hold: a gate
// failed, a row was refused, a bundle or log does not verify. The program
// exits with 3.
var ErrNotHeld = errors.New("a check did not hold")

// NotHeld returns an error with ErrNotHeld in it.
func NotHeld(format string, args ...any) error {
	return &notHeld{fmt.Errorf(format, args...)}
}

// notHeld is both its cause and ErrNotHeld.
type notHeld struct{ cause error }

func (e *notHeld) Error() string   { return e.cause.Error() }
func (e *notHeld) Unwrap() []error { return []error{e.cause, ErrNotHeld} }
