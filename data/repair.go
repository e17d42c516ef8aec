package data

// Repair is one row-wise change of a column's raw values on their way to the
// model: the same in training and in production. A row needs no other row for
// it. Package data/clean says what each does and applies them.
//
// A value that a repair does not understand, or that is out of its bounds,
// becomes missing; with Otherwise "reject" its row is refused.
type Repair struct {
	Op        string              `json:"op"`                  // "trim", "merge", "number", "units", "time", "boolean" or "bounds"
	Into      map[string][]string `json:"into,omitempty"`      // merge: the value -> its other spellings
	To        string              `json:"to,omitempty"`        // units: the unit that all values get
	Form      string              `json:"form,omitempty"`      // time: "dmy", "mdy" or "ymd"
	Decimal   string              `json:"decimal,omitempty"`   // number, units: "." (the default) or ","
	Min       *float64            `json:"min,omitempty"`       // bounds, inclusive
	Max       *float64            `json:"max,omitempty"`       // bounds, inclusive
	Otherwise string              `json:"otherwise,omitempty"` // "missing" (the default) or "reject"
}
