package data

import "fmt"

// A Finding is one thing that reading a source guessed, repaired or left out.
// A list of them says all that stands between the file's text and the table.
type Finding struct {
	Kind    string   `json:"kind"`               // "guess", "repair" or "reject"
	About   string   `json:"about"`              // "encoding", "dialect", "header", "lines", "columns", "number", "time", "boolean", "missing" or "rows"
	Column  string   `json:"column,omitempty"`   // "" when it is about the file
	Count   int      `json:"count"`              // cells, rows, lines or columns that it is about
	Text    string   `json:"text"`               // what was done, as a sentence without a final period
	Example []string `json:"examples,omitempty"` // at most 3 cells or lines, as the file has them
	Setting string   `json:"setting,omitempty"`  // what in the project file settles it: `data.read.dates: dmy`
}

// String returns the finding on one line.
func (f Finding) String() string {
	s := f.Kind + ": "
	if f.Column != "" {
		s += f.Column + ": "
	}
	s += f.Text
	for i, e := range f.Example {
		if i == 0 {
			s += ", as in "
		} else {
			s += ", "
		}
		s += fmt.Sprintf("%q", clip(e, 60))
	}
	if f.Setting != "" {
		s += " (set " + f.Setting + ")"
	}
	return s
}

// Dialect answers what reading a text file otherwise guesses. The zero value
// leaves everything to be guessed.
type Dialect struct {
	Encoding  string   `json:"encoding,omitempty"`  // "utf-8", "utf-16le", "utf-16be", "windows-1252" or "latin-1"
	Delimiter string   `json:"delimiter,omitempty"` // one byte
	Quote     string   `json:"quote,omitempty"`     // `"`, `'`, or "none"
	Escape    string   `json:"escape,omitempty"`    // `\` or "none"
	Header    *bool    `json:"header,omitempty"`    // whether the first line names the columns
	Skip      *int     `json:"skip,omitempty"`      // lines before the header
	Decimal   string   `json:"decimal,omitempty"`   // "." or ","
	Dates     string   `json:"dates,omitempty"`     // "dmy", "mdy" or "ymd": the order in dates of digits
	Missing   []string `json:"missing,omitzero"`    // cells that mean no value, instead of the built-in ones and of guesses
	Sheet     string   `json:"sheet,omitempty"`     // of a workbook; "" is the first
	Range     string   `json:"range,omitempty"`     // of a sheet: "B3:F200"

	// Booleans says whether a column whose cells all are words for true and false
	// (yes and no, ja and nein, oui and non, y and n, t and f) holds true and
	// false. Left out, it does where they are spelled in more than two ways:
	// two words are two categories as they are.
	Booleans *bool `json:"booleans,omitempty"`

	// OpenDecimal is the decimal mark where nothing in a file tells it, as in
	// 1,234 alone. It is what reading an earlier file told, and gives way to the
	// cells; Decimal does not.
	OpenDecimal string `json:"open_decimal,omitempty"`
}
