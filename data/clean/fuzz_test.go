package clean_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/clean"
)

// FuzzTable takes any steps on a table of any cells: an error, or rows that all
// come from the raw table and are counted, twice the same, and the raw table stays
// as it is. steps are JSON, cells lie between line feeds.
func FuzzTable(f *testing.F) {
	for _, s := range []struct{ steps, cells string }{
		{`[{"column":"text","op":"number","otherwise":"reject"},{"column":"number","op":"bounds","max":9},{"op":"duplicates"}]`, "1\n$2\nno\n1\n"},
		{`[{"column":"text","op":"units","to":"kg"},{"column":"category","op":"merge","into":{"a":["b"]}},{"op":"duplicates","by":["category"]}]`, "1 g\n2 lb\n\n3"},
		{`[{"column":"text","op":"time","form":"dmy"},{"column":"category","op":"trim"},{"column":"category","op":"boolean"}]`, "1.2.99 08:30\n31/12/9999 23:59\nyes\n n "},
		{`[{"column":"number","op":"flag","outliers":"mad"},{"column":"number","op":"flag","outliers":"iqr"}]`, strings.Repeat("1\n2\n", 15) + "1e308\n-1e308"},
		{`[{"column":"text","op":"number","otherwise":"reject"}]`, "a\nb"}, // no row is left
		{`[{"column":"text","op":"time","form":"ymd"}]`, "9999-12-31T23:59:59.999999Z\n31/12/9999 23:59:59.999999"},
		{`[{"column":"time","op":"time","form":"ymd"},{"column":"time","op":"bounds","min":0},{"column":"number","op":"merge","into":{"one":["1"]}}]`, "2026-01-02\n1.0\nx"},
	} {
		f.Add([]byte(s.steps), s.cells)
	}
	f.Fuzz(func(t *testing.T, raw []byte, cells string) {
		var steps []clean.Step
		if len(raw)+len(cells) > 1<<12 || json.Unmarshal(raw, &steps) != nil || len(steps) > 20 {
			return
		}
		texts := strings.Split(cells, "\n")
		n := len(texts)
		numbers, times := make([]float64, n), make([]int64, n)
		for i, s := range texts {
			x, _ := data.ParseNumber(s)
			numbers[i] = x
			if us, ok := data.ParseTime(s); ok {
				times[i] = us
			} else {
				times[i] = data.MissingTime
			}
		}
		build := func() *data.Table {
			tab, err := data.NewTable(&data.Column{Name: "text", Kind: data.Text, Texts: slices.Clone(texts)}, data.CategoryColumn("category", texts),
				&data.Column{Name: "number", Kind: data.Number, Numbers: slices.Clone(numbers)}, &data.Column{Name: "time", Kind: data.Time, Times: slices.Clone(times)})
			if err != nil {
				t.Fatal(err)
			}
			return tab
		}
		tab := build()
		out, err := clean.Table(tab, steps)
		if !reflect.DeepEqual(cellsOf(tab), cellsOf(build())) {
			t.Fatal("the raw table is changed")
		}
		again, err2 := clean.Table(build(), steps)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("first %v, then %v", err, err2)
		}
		if err != nil {
			return
		}
		if !reflect.DeepEqual(cellsOf(out.Table), cellsOf(again.Table)) || !reflect.DeepEqual(out.Rows, again.Rows) {
			t.Fatalf("%v and %v of the same table", cellsOf(out.Table), cellsOf(again.Table))
		}
		left := n - len(out.Bad)
		for _, d := range out.Done {
			left -= d.Dropped
			if d.Sentence() == "" || d.Count() < 0 {
				t.Fatalf("%+v", d)
			}
		}
		if out.Table.Rows() != left || out.Rows != nil && len(out.Rows) != left || out.Rows == nil && left != n {
			t.Fatalf("%d rows of %d are left, %d refused, rows %v", out.Table.Rows(), n, len(out.Bad), out.Rows)
		}
		for i, r := range out.Rows {
			if r < 0 || r >= n || i > 0 && r <= out.Rows[i-1] || out.Bad[r] != nil {
				t.Fatalf("rows %v, refused %v", out.Rows, out.Bad)
			}
		}
		for _, c := range out.Table.Columns {
			for row := range c.Len() {
				if c.Kind != data.Time || c.Missing(row) {
					continue
				}
				if us, ok := data.ParseTime(c.Format(row)); !ok || us != c.Times[row] {
					t.Fatalf("column %s: the time %d is written %s", c.Name, c.Times[row], c.Format(row))
				}
			}
		}
	})
}

// cellsOf returns a table's cells as texts.
func cellsOf(t *data.Table) [][]string {
	var out [][]string
	for _, c := range t.Columns {
		column := []string{c.Name, c.Kind.String()}
		for row := range c.Len() {
			column = append(column, c.Format(row))
		}
		out = append(out, column)
	}
	return out
}
