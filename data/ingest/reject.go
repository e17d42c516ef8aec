package ingest

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"github.com/tandem-ml/tandem/data/durable"
)

// Reject is one row that could not be read.
type Reject struct {
	File   string // as the user named it
	Line   int    // where the row begins, from 1; 0 in Parquet, which has no lines
	Row    int    // data row of the file, from 1, the header not counted
	Column string // "" when the row as a whole cannot be read
	Value  string // the cell's text; "" when the row as a whole cannot be read
	Reason string // "is not a number, ...": what is wrong and how to mend it
	Raw    string // the row as the file has it; "" in Parquet
}

// RejectColumns are the columns of a file of rejects.
var RejectColumns = [...]string{"file", "line", "row", "column", "value", "reason", "raw"}

// Record returns the reject as a record of a file of rejects, in the order of
// RejectColumns.
func (r Reject) Record() []string {
	return []string{r.File, strconv.Itoa(r.Line), strconv.Itoa(r.Row), r.Column, r.Value, r.Reason, r.Raw}
}

// WriteRejects writes rejects as CSV with the columns file, line, row, column,
// value, reason and raw. The file is written beside path and then renamed, so
// that path is never half a file; what was at path is replaced.
func WriteRejects(path string, rejects []Reject) error {
	err := durable.Write(path, 0o600, func(f io.Writer) error {
		w := csv.NewWriter(f)
		rows := [][]string{RejectColumns[:]}
		for _, r := range rejects {
			rows = append(rows, r.Record())
		}
		return w.WriteAll(rows)
	})
	if err != nil {
		return fmt.Errorf("write rejects: %w", err)
	}
	return nil
}
