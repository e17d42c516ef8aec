package bundle_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
)

func layout(t testing.TB) *bundle.Layout {
	t.Helper()
	c := lender()
	l, err := bundle.NewLayout(&c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func table(t *testing.T, columns ...*data.Column) *data.Table {
	t.Helper()
	out, err := data.NewTable(columns...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var nan, inf = math.NaN(), math.Inf(1)

func numberColumn(name string, v ...float64) *data.Column {
	return &data.Column{Name: name, Kind: data.Number, Numbers: v}
}

// categoryColumn makes a column of the given values, "" missing.
func categoryColumn(name string, v ...string) *data.Column {
	dict := slices.Compact(slices.Sorted(slices.Values(v)))
	dict = slices.DeleteFunc(dict, func(s string) bool { return s == "" })
	c := &data.Column{Name: name, Kind: data.Category, Dict: dict}
	for _, s := range v {
		c.Codes = append(c.Codes, int32(slices.Index(dict, s)))
	}
	return c
}

func textColumn(name string, v ...string) *data.Column {
	return &data.Column{Name: name, Kind: data.Text, Texts: v}
}

func timeColumn(name string, v ...int64) *data.Column {
	return &data.Column{Name: name, Kind: data.Time, Times: v}
}

func sameValues(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return x == y || x != x && y != y })
}

func TestEncodeTable(t *testing.T) {
	t.Parallel()
	good := numberColumn("Income", 1, 1, 1, 1) // the required column
	for _, c := range []struct {
		name string
		col  *data.Column
		at   int
		want []float64
	}{
		{"number", numberColumn("Ratio", 1.5, nan, inf, -inf), ratio, []float64{1.5, nan, inf, -inf}},
		{"number as category", categoryColumn("Ratio", "1.0", "", "1e3", "-2"), ratio, []float64{1, nan, 1000, -2}},
		{"number as text", textColumn("Ratio", "0.5", "", "+Inf", "1"), ratio, []float64{0.5, nan, inf, 1}},
		{"category", categoryColumn("Job", "others", "fixed", "", "pirate"), job, []float64{2, 0, nan, 3}},
		{"category as text", textColumn("Job", "others", "fixed", "", "pirate"), job, []float64{2, 0, nan, 3}},
		{"category of other dictionary", categoryColumn("Job", "aaa", "freelance", "zzz", "fixed"), job, []float64{3, 1, 3, 0}},
		{"text categories as numbers", numberColumn("Job", 1, nan, 2, 3), job, []float64{3, nan, 3, 3}},
		{"numeric categories as numbers", numberColumn("Records", 2, nan, 0, 0.5), records, []float64{2, nan, 0, 3}},
		{"numeric categories by value", categoryColumn("Records", "1.0", "2e0", "x", "00"), records, []float64{1, 2, 3, 0}},
		{"time", timeColumn("employed_since", 5, data.MissingTime, 0, -7), since, []float64{5, nan, 0, -7}},
		{"time as text", textColumn("employed_since", "1970-01-02", "", "1970-01-01 00:00:01", "1970-01-01T01:00:00.5+01:00"), since,
			[]float64{86400e6, nan, 1e6, 5e5}},
		{"all missing of another kind", timeColumn("Ratio", data.MissingTime, data.MissingTime, data.MissingTime, data.MissingTime), ratio,
			[]float64{nan, nan, nan, nan}},
		{"absent", numberColumn("unknown", 1, 2, 3, 4), ratio, []float64{nan, nan, nan, nan}},
	} {
		rows, bad, err := layout(t).EncodeTable(table(t, good, c.col))
		if err != nil || bad != nil {
			t.Errorf("%s: error %v, bad rows %v", c.name, err, bad)
			continue
		}
		if rows.N != 4 || rows.Cols != inputs {
			t.Fatalf("%s: %d x %d values", c.name, rows.N, rows.Cols)
		}
		var got []float64
		for i := range rows.N {
			got = append(got, rows.Row(i)[c.at])
		}
		if !sameValues(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestEncodeTableReportsCells(t *testing.T) {
	t.Parallel()
	rows, bad, err := layout(t).EncodeTable(table(t,
		categoryColumn("Income", "5", "1001", "-0.5", "x", "", "inf", "7", "1000", "0"),
		textColumn("employed_since", "", "", "", "", "", "", "yesterday", "", ""),
	))
	if err != nil {
		t.Fatal(err)
	}
	want := map[int]string{
		1: `row 2: column "Income": "1001" must be at most 1000`,
		2: `row 3: column "Income": "-0.5" must be at least 0`,
		3: `row 4: column "Income": "x" is not a number`,
		4: `row 5: column "Income": is missing, and the model requires it`,
		5: `row 6: column "Income": "inf" must be finite`,
		6: `row 7: column "employed_since": "yesterday" is not a time`,
	}
	for i := range rows.N {
		got := ""
		if bad[i] != nil {
			got = bad[i].Error()
		}
		if got != want[i] {
			t.Errorf("row %d: %q, want %q", i, got, want[i])
		}
	}
	if rows.Row(0)[income] != 5 || rows.Row(7)[income] != 1000 || rows.Row(8)[income] != 0 {
		t.Error("good rows beside bad ones are wrong")
	}
}

func TestEncodeTableRefusesTables(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want string
		t          *data.Table
	}{
		{"required column absent", `no column "Income"`, table(t, numberColumn("Ratio", 1))},
		{"time for a number", `column "Ratio" holds values of kind time`, table(t, numberColumn("Income", 1), timeColumn("Ratio", 1))},
		{"number for a time", `column "employed_since" holds values of kind number`, table(t, numberColumn("Income", 1), numberColumn("employed_since", 1))},
		{"time for a category", `column "Job" holds values of kind time`, table(t, numberColumn("Income", 1), timeColumn("Job", 1))},
	} {
		_, _, err := layout(t).EncodeTable(c.t)
		var hinted *data.Hinted
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		} else if !errorsAs(err, &hinted) {
			t.Errorf("%s: error %v has no hint", c.name, err)
		}
	}
	empty, bad, err := layout(t).EncodeTable(table(t, numberColumn("Income")))
	if empty.N != 0 || bad != nil || err != nil {
		t.Errorf("a table without rows: %d rows, %v, %v", empty.N, bad, err)
	}
}

func TestValuesFormatAndParse(t *testing.T) {
	t.Parallel()
	l := layout(t)
	for _, c := range []struct {
		col  int
		x    float64
		want any
	}{
		{income, 129, 129.0}, {income, nan, nil}, {ratio, inf, "+Inf"}, {ratio, -inf, "-Inf"}, {ratio, 0.1, 0.1},
		{job, 1, "freelance"}, {job, 3, bundle.Unseen}, {job, nan, nil}, {owner, 1, "true"}, {records, 2, "2"},
		{since, 0, "1970-01-01T00:00:00Z"}, {since, 1.5e6, "1970-01-01T00:00:01.5Z"}, {since, nan, nil},
	} {
		got := l.FormatValue(c.col, c.x)
		if got != c.want {
			t.Errorf("FormatValue(%d, %v) = %v, want %v", c.col, c.x, got, c.want)
		}
		back, err := l.ParseValue(c.col, got)
		if err != nil || !sameValues([]float64{back}, []float64{c.x}) {
			t.Errorf("ParseValue(%d, %v) = %v, %v, want %v", c.col, got, back, err, c.x)
		}
	}
	for _, c := range []struct {
		col int
		v   any
	}{{income, true}, {income, "abc"}, {since, 5.0}, {since, "noon"}, {job, []string{"fixed"}}} {
		if x, err := l.ParseValue(c.col, c.v); err == nil {
			t.Errorf("ParseValue(%d, %v) = %v, want an error", c.col, c.v, x)
		}
	}
	if x, err := l.ParseValue(records, 1.0); x != 1 || err != nil {
		t.Errorf("a numeric category by value: %v, %v", x, err)
	}
}

func TestLayoutNames(t *testing.T) {
	t.Parallel()
	l := layout(t)
	for name, want := range map[string]int{"Income": income, "Ratio": ratio, "Age": -1, "Status": -1, "nobody": -1} {
		if got := l.Input(name); got != want {
			t.Errorf("Input(%q) = %d, want %d", name, got, want)
		}
	}
	if l.Cols() != inputs || len(l.Fields()) != inputs || l.Fields()[records].Name != "Records" {
		t.Errorf("%d columns: %v", l.Cols(), l.Fields())
	}
}
