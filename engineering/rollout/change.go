package rollout

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tandem-ml/tandem/data"
)

// The kinds of change.
const (
	Promote    = "promote"     // a version becomes champion
	Rollback   = "rollback"    // the champion before this one is champion again
	Shadow     = "shadow"      // a version becomes the shadow
	Canary     = "canary"      // a version answers a share
	StopShadow = "stop shadow" // there is no shadow any more
	StopCanary = "stop canary" // the champion answers everybody again
)

// Change is what a person asks for.
type Change struct {
	Kind    string
	Version int     // of Promote, Shadow and Canary
	Percent float64 // of Canary, in (0, 100]
	Force   bool    // Promote and Canary: although callers would break, see [Compatible]
	Reason  string  // kept in the audit trail; required
	By      string  // the name of the key that asked, "" if it was not asked with one
}

// Approved reports whether the change needs someone who may approve: it lets
// a version answer that did not. To take that back, or to look on, does not.
func (c Change) Approved() bool { return c.Kind == Promote || c.Kind == Canary }

// Check returns what is wrong with the change as it was asked for.
func (c Change) Check() error {
	switch c.Kind {
	case Promote, Shadow, Canary:
		if c.Version < 1 {
			return errors.New("versions are numbers from 1")
		}
	case Rollback, StopShadow, StopCanary:
	default:
		return fmt.Errorf("there is no change %q", c.Kind)
	}
	if c.Kind == Canary && !(c.Percent > 0 && c.Percent <= 100) {
		return errors.New("a canary's percentage is above 0 and at most 100")
	}
	if strings.TrimSpace(c.Reason) == "" {
		return data.WithHint(errors.New("a change needs a reason"), "the audit trail keeps it")
	}
	return nil
}

// Refusal is a change that cannot be: it says why, and nothing has changed.
type Refusal struct {
	Missing bool // what it names is not there
	Err     error
}

// Error says why.
func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }
