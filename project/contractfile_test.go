package project_test

import (
	"testing"
	"unicode/utf8"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/project"
)

// FuzzContract reads any text as a contract: an error or columns, and what is
// written of what was read is read again, with the same names.
func FuzzContract(f *testing.F) {
	f.Add([]byte("columns:\n  a b: {kind: number, role: feature, required: true, min: -1.5, max: 2e3, missing: 0.1, max_missing: 0.5}\n"))
	f.Add([]byte("columns:\n  \"x\\u00e4\": {kind: category, categories: [a, \"1\", 'yes'], other: refuse}\n  t: {kind: time}\n"))
	f.Add([]byte("columns: {}\n"))
	f.Add([]byte("columns:\n  a: &a {min: 1}\n  b: *a\n  ? [c]\n  : x\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		c, err := project.ParseContract("contract.yaml", src)
		if (c == nil) == (err == nil) {
			t.Fatalf("got %v, %v: exactly one must be nil", c, err)
		}
		if err != nil {
			return
		}
		var learned data.Contract
		for _, column := range c.Columns {
			if column.Kind == 0 {
				column.Kind = data.Number
			}
			learned.Fields = append(learned.Fields, data.Field{Name: column.Name, Kind: column.Kind, Role: data.Feature})
		}
		if c.Apply(&learned) != nil || len(c.Columns) == 0 { // a table has columns
			return
		}
		out := project.WriteContract(&learned)
		again, err := project.ParseContract("contract.yaml", out)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, out)
		}
		if len(again.Columns) != len(c.Columns) {
			t.Fatalf("%d columns became %d", len(c.Columns), len(again.Columns))
		}
		for i, column := range again.Columns {
			if want := c.Columns[i].Name; column.Name != want && utf8.ValidString(want) {
				t.Fatalf("column %q became %q", want, column.Name)
			}
		}
	})
}
