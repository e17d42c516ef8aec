package explore_test

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/explore"
)

// Two samples of 26 columns from one source, of which eight were changed: these
// are told and no other, though the tables have many rows.
func TestCompare(t *testing.T) {
	t.Parallel()
	const n = 20_000
	make := func(index int, moved bool) *data.Table {
		rng := seed.Stream(3, "compare", index)
		var cols []*data.Column
		for j := range 26 {
			name := fmt.Sprintf("c%02d", j)
			changed := moved && j < 8
			switch j % 2 {
			case 0:
				cols = append(cols, number(name, fill(n, func(int) float64 {
					v := rng.NormFloat64()
					if changed {
						v += 0.25
					}
					return v
				})...))
			default:
				cols = append(cols, category(name, fill(n, func(int) string {
					k := rng.IntN(6)
					if changed && rng.IntN(8) == 0 {
						k = 0
					}
					return fmt.Sprint("v", k)
				})...))
			}
		}
		return table(t, cols...)
	}
	a := make(0, false)
	if d := explore.Compare(a, make(1, false), "a", "b"); !d.Equal {
		t.Errorf("samples of one source differ: %s", render(t, d.Text))
	}
	d := explore.Compare(a, make(2, true), "a", "b")
	var got []string
	for _, c := range d.Columns {
		if c.Shift.Shifted {
			got = append(got, c.Name)
		}
	}
	if want := []string{"c00", "c01", "c02", "c03", "c04", "c05", "c06", "c07"}; !slices.Equal(got, want) {
		t.Errorf("shifted %v, want %v", got, want)
	}
}

func TestCompareContracts(t *testing.T) {
	t.Parallel()
	many := func(v ...string) []string { return fill(200, func(i int) string { return v[i%len(v)] }) }
	numbers := func(f func(i int) float64) []float64 { return fill(200, f) }
	a := table(t, number("age", numbers(func(i int) float64 { return float64(i % 60) })...), category("home", many("rent", "own")...), number("old", numbers(func(i int) float64 { return 1 })...), number("code", numbers(func(i int) float64 { return 1 })...),
		category("mail", fill(200, func(i int) string { return fmt.Sprintf("user%d@example.com", i%50) })...))
	b := table(t, number("age", numbers(func(i int) float64 {
		if i%4 == 0 {
			return nan
		}
		return float64(i % 80)
	})...), category("home", many("rent", "own", "squat<script>")...), number("new", numbers(func(i int) float64 { return 1 })...), category("code", many("x")...),
		category("mail", fill(200, func(i int) string { return fmt.Sprintf("other%d@example.com", i%50) })...))
	d := explore.Compare(a, b, "may", "june")
	text := render(t, d.Text)
	for _, want := range []string{"new is new", "old is gone", "code was a number and is a category", "1 new value in 33.0% of the rows", "missing in 25.0%, was 0%", "outside the earlier range"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text does not say %q:\n%s", want, text)
		}
	}
	for name, write := range map[string]func(io.Writer) error{"page": d.HTML, "JSON": d.JSON, "text": d.Text} {
		out := render(t, write)
		if strings.Contains(out, "other1@") || strings.Contains(out, "user1@") {
			t.Errorf("the %s shows a personal value", name)
		}
		if name == "page" && (strings.Contains(out, "squat<script>") || strings.Contains(withoutScript(t, out), "NaN")) {
			t.Error("the page obeys its data, or holds NaN")
		}
		if name == "JSON" && !json.Valid([]byte(out)) {
			t.Error("not JSON")
		}
	}
	same := explore.Compare(a, a, "x", "x")
	if !same.Equal || same.Shared != 200 {
		t.Errorf("a table against itself: %+v", same)
	}
	empty := table(t, number("age"), category("home"))
	for _, pair := range [][2]*data.Table{{a, empty}, {empty, a}, {empty, empty}, {table(t), a}} {
		d := explore.Compare(pair[0], pair[1], "x", "y")
		if page := withoutScript(t, render(t, d.HTML)); strings.Contains(page, "NaN") || !json.Valid([]byte(render(t, d.JSON))) {
			t.Error("an empty table breaks the page")
		}
	}
}
