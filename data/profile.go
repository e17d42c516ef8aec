package data

// Profile is a small summary of a table: tens of kilobytes whatever the
// number of rows, mergeable, made in one pass.
type Profile struct {
	Rows    int64           `json:"rows"`
	Columns []ColumnProfile `json:"columns"`
}

// ColumnProfile summarises one column. Moments and quantiles are over finite
// values; a statistic of no values is 0.
type ColumnProfile struct {
	Name     string `json:"name"`
	Kind     Kind   `json:"kind"`
	Count    int64  `json:"count"` // values that are not missing
	Missing  int64  `json:"missing"`
	PosInf   int64  `json:"pos_inf,omitempty"`
	NegInf   int64  `json:"neg_inf,omitempty"`
	Zeros    int64  `json:"zeros,omitempty"`
	Negative int64  `json:"negative,omitempty"`
	Whole    bool   `json:"whole,omitempty"` // every finite number was an integer

	Mean float64 `json:"mean,omitempty"`
	M2   float64 `json:"m2,omitempty"` // sum of squared deviations; sample variance = M2/(finite-1)
	Min  float64 `json:"min,omitempty"`
	Max  float64 `json:"max,omitempty"`

	// Sketch answers quantiles and ranks of numbers and times (microseconds).
	Sketch *Sketch `json:"sketch,omitempty"`

	// Top counts the values of categories and texts, most frequent first, ties
	// by value; exact as long as there were at most MaxTop distinct values.
	Top   []ValueCount `json:"top,omitempty"`
	Other int64        `json:"other,omitempty"` // values not in Top

	// Distinct is the number of distinct values: exact up to MaxTop, an
	// estimate beyond.
	Distinct int64 `json:"distinct"`
}

// ValueCount is a value and how often it occurred.
type ValueCount struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

// Column returns the profile of that column, or nil.
func (p *Profile) Column(name string) *ColumnProfile {
	for i := range p.Columns {
		if p.Columns[i].Name == name {
			return &p.Columns[i]
		}
	}
	return nil
}
