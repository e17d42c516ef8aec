package project_test

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/project"
)

func category(name string, values ...string) *data.Column {
	dict := slices.Compact(slices.Sorted(slices.Values(values)))
	c := &data.Column{Name: name, Kind: data.Category, Dict: dict}
	for _, v := range values {
		i, _ := slices.BinarySearch(dict, v)
		c.Codes = append(c.Codes, int32(i))
	}
	return c
}

func number(name string, values ...float64) *data.Column {
	return &data.Column{Name: name, Kind: data.Number, Numbers: values}
}

func times(name string, values ...int64) *data.Column {
	return &data.Column{Name: name, Kind: data.Time, Times: values}
}

func initialise(t *testing.T, source string, columns ...*data.Column) (*project.Project, string, []string) {
	t.Helper()
	table, err := data.NewTable(columns...)
	if err != nil {
		t.Fatal(err)
	}
	profile := data.NewProfile(table)
	src, notes := project.Init(table, &profile, source)
	p, err := project.Parse("x/tandem.yaml", src)
	if err != nil {
		t.Fatalf("what Init wrote is refused: %v\n%s", err, src)
	}
	if p.Data.Source != source {
		t.Errorf("source is %q, want %q", p.Data.Source, source)
	}
	if len(columns) > 0 {
		if err := p.CheckColumns(table.Names()); err != nil {
			t.Errorf("Init names columns that do not exist: %v", err)
		}
	}
	return p, string(src), notes
}

func ExampleInit() {
	table, err := data.NewTable(
		number("application_id", 101, 102, 103, 104),
		number("Income", 2000, 1500, 1800, 900),
		number("Age", 40, 31, 55, 28),
		category("Status", "good", "good", "good", "bad"),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	profile := data.NewProfile(table)
	src, _ := project.Init(table, &profile, "loans.csv")
	fmt.Print(string(src))
	// Output:
	// # Written by tandem init from loans.csv: 4 rows, 4 columns.
	// # Read it through: what follows a # says why each line is there. All keys are in docs/project-file.md.
	// name: loans
	//
	// data:
	//   source: loans.csv
	//
	//   # Its name means an outcome, and it has two values.
	//   target: Status
	//
	//   # The value that means the event: good in 3 rows, bad in 1.
	//   positive: bad
	//
	//   # It is named like an identifier and never repeats.
	//   id: application_id
	//
	//   # The names suggest a protected characteristic: never scored and never a reason. Remove what is not one.
	//   protected: [Age]
	//
	// model:
	//   budget: 60s # wall time for the search
	//
	// decision:
	//   # What each kind of wrong decision costs; only the ratio matters. Equal costs are rarely true: edit them.
	//   cost: {false_positive: 1, false_negative: 1}
	//
	// # Conditions that a model must meet on rows it has not seen.
	// # gates:
	// #   auc: ">= 0.75"
	// #   calibration_error: "<= 0.05"
}

func TestInitGuesses(t *testing.T) {
	t.Parallel()
	ids := func(n int) (v []float64) {
		for i := range 60 {
			v = append(v, float64(i%n))
		}
		return v
	}
	two := func(name string) *data.Column { return number(name, ids(2)...) }
	many := func(name string) *data.Column { return number(name, ids(60)...) }
	stamps := make([]int64, 60)
	for i := range stamps {
		stamps[i] = int64(i) * 1e6
	}
	nan := make([]float64, 60)
	for i := range nan {
		nan[i] = math.NaN()
	}
	for _, c := range []struct {
		name    string
		columns []*data.Column
		want    project.Data
	}{
		{"name before place", []*data.Column{two("a"), two("loan_default"), two("b")}, project.Data{Target: "loan_default", Positive: "1"}},
		{"camel case", []*data.Column{two("LoanStatus"), two("b")}, project.Data{Target: "LoanStatus", Positive: "1"}},
		{"a part of a word is no word", []*data.Column{two("baden"), many("package"), two("b")}, project.Data{Target: "b", Positive: "1"}},
		{"last of two values", []*data.Column{two("a"), many("b"), two("c")}, project.Data{Target: "c", Positive: "1"}},
		{"first of two values", []*data.Column{two("a"), many("b"), many("c")}, project.Data{Target: "a", Positive: "1"}},
		{"only one of two values", []*data.Column{many("a"), two("b"), many("c")}, project.Data{Target: "b", Positive: "1"}},
		{"regression", []*data.Column{many("a"), many("price")}, project.Data{Target: "price"}},
		{"named number", []*data.Column{many("target"), many("price")}, project.Data{Target: "target"}},
		{"never an empty column by name", []*data.Column{number("label", nan...), two("b")}, project.Data{Target: "b", Positive: "1"}},
		{"time", []*data.Column{times("updated", stamps...), times("applied_at", stamps...), two("b")},
			project.Data{Target: "b", Positive: "1", Time: "applied_at"}},
		{"id and group", []*data.Column{many("application_id"), number("customerID", ids(30)...), two("b")},
			project.Data{Target: "b", Positive: "1", ID: "application_id", Group: "customerID"}},
		{"a customer in each row is the id", []*data.Column{many("customer_id"), two("b")}, project.Data{Target: "b", Positive: "1", ID: "customer_id"}},
		{"protected", []*data.Column{many("age"), many("Marital"), many("personal_status_sex"), many("wage"), two("b")},
			project.Data{Target: "b", Positive: "1", Protected: []string{"age", "Marital", "personal_status_sex"}}},
		{"names that need quotes", []*data.Column{two("yes"), two(`it's: "x" # {no}`)}, project.Data{Target: `it's: "x" # {no}`, Positive: "1"}},
		{"one column", []*data.Column{two("b")}, project.Data{Target: "b", Positive: "1"}},
		{"no rows", []*data.Column{number("a"), number("b")}, project.Data{Target: "b"}},
		{"no columns", nil, project.Data{Target: "target"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, src, notes := initialise(t, "a.csv", c.columns...)
			c.want.Source = "a.csv"
			if !reflect.DeepEqual(p.Data, c.want) {
				t.Errorf("got %+v\nwant %+v\n%s", p.Data, c.want, src)
			}
			if len(notes) == 0 {
				t.Error("no notes")
			}
		})
	}
}

func TestInitPositive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []string
		want   string
	}{
		{[]string{"good", "bad", "bad"}, "bad"},
		{[]string{"No", "Yes", "Yes"}, "Yes"},
		{[]string{"red", "blue", "red"}, "blue"},
		{[]string{"false", "true", "true"}, "true"},
	} {
		if p, _, _ := initialise(t, "a.csv", category("y", c.values...)); p.Data.Positive != c.want {
			t.Errorf("%v: got %q, want %q", c.values, p.Data.Positive, c.want)
		}
	}
}

// TestInitOfHostileNames has names that would end a comment, a quote or a list
// if they were written as they are.
func TestInitOfHostileNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"a\nseed: 7", "a\r\nb", "\t", " lead", "trail ", "'", `"`, `\`, `\u0041`, "- x", "? x", "&a", "*a", "!a", "%a", "@a", "`a`",
		"{a}", "[a]", "a: b", "a:", ":", "#", "a #b", "null", "~", "1", "1.0", "0x1", "1e3", ".inf", "---", "...", "<<", "é", "日本", "😀",
		"\u2028", "\u00a0", "\x7f", "\x01", strings.Repeat("long ", 100), "=", "yes", "2026-01-01", "\ufeff", "</script>",
	} {
		p, src, notes := initialise(t, "data/"+strings.ReplaceAll(name, "/", "")+".csv", number("age "+name, 1, 2, 3), category(name, "u"+name, "v"+name, "v"+name))
		if p.Data.Target != name || p.Data.Positive != "u"+name || !reflect.DeepEqual(p.Data.Protected, []string{"age " + name}) || p.Seed != 1 {
			t.Errorf("%q: got %+v from\n%s", name, p.Data, src)
		}
		for _, n := range notes {
			if strings.ContainsAny(n, "\n\r") {
				t.Errorf("%q: a note of several lines: %q", name, n)
			}
		}
	}
}

// TestInitOfRealTables holds the guesses against what a person would say of
// well-known tables.
func TestInitOfRealTables(t *testing.T) {
	t.Parallel()
	root := os.Getenv("TANDEM_DATA")
	if root == "" {
		t.Skip("TANDEM_DATA is not set: the guesses for real tables are not checked")
	}
	for file, want := range map[string]project.Data{
		"credit/credit_data.csv":   {Target: "Status", Positive: "bad", Protected: []string{"Age", "Marital"}},
		"credit/german_credit.csv": {Target: "class", Positive: "2", Protected: []string{"personal_status_sex", "age", "foreign_worker"}},
		"credit/hmda_boston.csv":   {Target: "deny", Positive: "yes"},
	} {
		p, src, _ := initialise(t, file, readCSV(t, filepath.Join(root, file))...)
		want.Source = file
		if !reflect.DeepEqual(p.Data, want) {
			t.Errorf("%s: got %+v, want %+v from\n%s", file, p.Data, want, src)
		}
	}
}

func readCSV(t *testing.T, path string) []*data.Column {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var columns []*data.Column
	for j, name := range rows[0] {
		var numbers []float64
		var texts []string
		for _, row := range rows[1:] {
			v, err := strconv.ParseFloat(row[j], 64)
			switch {
			case err == nil:
				numbers = append(numbers, v)
			case row[j] == "" || row[j] == "NA":
				numbers = append(numbers, math.NaN())
			}
			texts = append(texts, row[j])
		}
		if len(numbers) == len(rows)-1 {
			columns = append(columns, number(name, numbers...))
		} else {
			columns = append(columns, category(name, texts...))
		}
	}
	return columns
}
