package decisions

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tandem-ml/tandem/bundle"
)

// Decision is one scored request.
type Decision struct {
	ID        string          `json:"id"`   // made by [Log.NewID]: a UUID, version 7
	Time      time.Time       `json:"time"` // when it was made; kept to the microsecond, returned in UTC
	Project   string          `json:"project"`
	Bundle    string          `json:"bundle"`               // id of the bundle that scored it
	Model     string          `json:"model,omitempty"`      // the version's label, for people: "credit v3"
	RequestID string          `json:"request_id,omitempty"` // as the caller sent it
	Key       string          `json:"key,omitempty"`        // value of the project's id column, "" if there is none
	Inputs    json.RawMessage `json:"inputs,omitempty"`     // object: column -> value as it was received and typed

	Margin   float64         `json:"margin"`             // kept bit for bit
	Score    float64         `json:"score"`              // kept bit for bit
	Decision string          `json:"decision,omitempty"` // one of the bundle's two labels; "" for regression
	Reasons  []bundle.Reason `json:"reasons,omitempty"`

	// Checked says that Inputs is known to be a JSON object, as what
	// [bundle.Layout] decoded is, so that [Log.Append] need not read it again. It is not kept.
	Checked bool `json:"-"`
}

// Outcome is what turned out to be true about a decision.
type Outcome struct {
	Decision string    `json:"decision"` // the decision's id
	Value    string    `json:"value"`    // the target's value as text: "bad", "1042.5"
	At       time.Time `json:"at"`       // when it became known; kept to the microsecond, returned in UTC
}

// Entry is a decision with its newest outcome.
type Entry struct {
	Decision
	Outcome *Outcome `json:"outcome,omitempty"` // nil as long as none is known
}

// Causes that callers act upon.
var (
	ErrUnknown  = errors.New("no such decision in the log")
	ErrErased   = errors.New("the decision was erased")
	ErrExists   = errors.New("a decision of that id is in the log already")
	ErrClosed   = errors.New("the decision log is closed")
	ErrReadOnly = errors.New("the decision log is open for reading only")
	ErrInUse    = errors.New("another process writes the decision log")
)

// DamageError says that bytes of the log are not what was written.
type DamageError struct {
	File   string `json:"file"`   // the file's path
	Offset int64  `json:"offset"` // where the damaged record or header starts
	Err    string `json:"error"`  // what is wrong
}

// Error names file, offset and problem.
func (e *DamageError) Error() string {
	return fmt.Sprintf("%s: byte %d: %s", e.File, e.Offset, e.Err)
}

// The limits of one record. They keep a damaged length from asking for memory.
const (
	maxPayload = 16 << 20 // bytes of one record's payload
	maxReasons = 1000
)

// check returns an error if the decision cannot be logged.
func (d *Decision) check() error {
	switch {
	case d.Time.IsZero():
		return fmt.Errorf("decision %q has no time", d.ID)
	case d.Project == "":
		return fmt.Errorf("decision %q names no project", d.ID)
	case len(d.Reasons) > maxReasons:
		return fmt.Errorf("decision %q has %d reasons; at most %d can be logged", d.ID, len(d.Reasons), maxReasons)
	case !d.Checked && len(d.Inputs) > 0 && (d.Inputs[0] != '{' || !json.Valid(d.Inputs)):
		return fmt.Errorf("decision %q: inputs are not a JSON object", d.ID)
	}
	return nil
}
