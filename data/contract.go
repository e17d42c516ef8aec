package data

import "fmt"

// Role says what a column is for.
type Role string

// The roles. Only features are scored. Protected, id, time and group columns
// may come in a request: they are typed and logged, never scored, never a
// reason, never required.
const (
	Feature   Role = "feature"
	Target    Role = "target"
	Protected Role = "protected"
	ID        Role = "id"
	TimeRole  Role = "time"
	Group     Role = "group"
	Excluded  Role = "excluded" // named in the project's exclude list, or unusable (constant, all missing, text)
)

// Field is what the contract says of one column.
type Field struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	Role Role   `json:"role"`

	// Required is true for a feature that was never missing in training: a row
	// without it is refused.
	Required bool `json:"required,omitempty"`

	// Integer is true if every number seen was whole. It guides display; a
	// fractional value is not refused.
	Integer bool `json:"integer,omitempty"`

	// Min and Max bound the numbers that are accepted, inclusive; nil is
	// unbounded. They are learned as the observed range widened by ten times
	// its width, so that only values of another unit or typing errors fall
	// outside, and can be edited.
	Min *float64 `json:"min,omitempty"`
	Max *float64 `json:"max,omitempty"`

	// Infinite is true if training held infinities, so scoring accepts them.
	Infinite bool `json:"infinite,omitempty"`

	// Categories are the values seen, sorted: the dictionary of codes. An
	// unseen category is accepted and scored as "none of these".
	Categories []string `json:"categories,omitempty"`

	// Closed is true if only Categories are accepted: a row with another value
	// is refused.
	Closed bool `json:"closed,omitempty"`

	// Clean are the repairs that a raw value goes through, in order, before it is
	// anything of what stands above: the columns of files and the fields of
	// requests are raw, Kind and the rest are of the repaired value.
	Clean []Repair `json:"clean,omitempty"`

	// Flag asks for a feature beside the value that is 1 where it is an outlier:
	// "iqr" (beyond the quartiles by 1.5 times their distance) or "mad" (over 3.5
	// robust standard deviations from the median), as fitted in training.
	Flag string `json:"flag,omitempty"`

	// MissingRate is the share of rows in training without a value, in [0, 1].
	MissingRate float64 `json:"missing_rate"`

	// Why says why a column is excluded; "" otherwise.
	Why string `json:"why,omitempty"`
}

// Contract says what the columns of a table or the fields of a request must
// be. It is learned from the training data (see [Learn]), can be edited, and
// is enforced in training and in serving by the same code.
type Contract struct {
	Fields []Field `json:"fields"`
}

// Field returns the field of that name, or nil.
func (c *Contract) Field(name string) *Field {
	for i := range c.Fields {
		if c.Fields[i].Name == name {
			return &c.Fields[i]
		}
	}
	return nil
}

// Inputs returns the fields that are scored, in contract order: the layout of
// an encoded row (see package bundle).
func (c *Contract) Inputs() []Field {
	var out []Field
	for _, f := range c.Fields {
		if f.Role == Feature {
			out = append(out, f)
		}
	}
	return out
}

// Target returns the target field, or nil.
func (c *Contract) Target() *Field {
	for i := range c.Fields {
		if c.Fields[i].Role == Target {
			return &c.Fields[i]
		}
	}
	return nil
}

// Check returns an error if the contract contradicts itself: an empty or
// repeated name, an unknown role or kind, bounds the wrong way round, or
// categories out of order. It is called on every contract that is loaded.
func (c *Contract) Check() error {
	seen := make(map[string]bool, len(c.Fields))
	for i, f := range c.Fields {
		switch {
		case f.Name == "":
			return fmt.Errorf("contract: field %d has no name", i+1)
		case seen[f.Name]:
			return fmt.Errorf("contract: field %q occurs twice", f.Name)
		case f.Kind < Number || f.Kind > Time:
			return fmt.Errorf("contract: field %q has no kind", f.Name)
		case f.Min != nil && f.Max != nil && *f.Min > *f.Max:
			return fmt.Errorf("contract: field %q: min %v is above max %v", f.Name, *f.Min, *f.Max)
		}
		seen[f.Name] = true
		switch f.Role {
		case Feature, Target, Protected, ID, TimeRole, Group, Excluded:
		default:
			return fmt.Errorf("contract: field %q has unknown role %q", f.Name, f.Role)
		}
		if f.Flag != "" && (f.Flag != "iqr" && f.Flag != "mad" || f.Kind != Number) {
			return fmt.Errorf("contract: field %q of kind %s cannot be flagged by %q", f.Name, f.Kind, f.Flag)
		}
		if f.Role == Feature && f.Kind == Text {
			return fmt.Errorf("contract: field %q is text and cannot be scored", f.Name)
		}
		for j := 1; j < len(f.Categories); j++ {
			if f.Categories[j-1] >= f.Categories[j] {
				return fmt.Errorf("contract: field %q: categories are not sorted and distinct at %q", f.Name, f.Categories[j])
			}
		}
	}
	return nil
}

// Roles says which columns play a part other than feature; names that do not
// occur in the table are an error of the caller's, checked by [Learn].
type Roles struct {
	Target    string
	ID        string
	Time      string
	Group     string
	Protected []string
	Exclude   []string
}
