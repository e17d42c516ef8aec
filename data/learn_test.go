package data_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/data"
)

// learn returns the contract of a table of the columns, a usable feature and a
// target y.
func learn(t *testing.T, columns ...*data.Column) data.Contract {
	t.Helper()
	y, z := num("y"), num("z")
	for i := range columns[0].Len() {
		y.Numbers = append(y.Numbers, float64(i%2))
		z.Numbers = append(z.Numbers, float64(i/2))
	}
	tab := table(t, append(columns, z, y)...)
	p := data.NewProfile(tab)
	c, err := data.Learn(tab, &p, data.Roles{Target: "y"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLearnField(t *testing.T) {
	t.Parallel()
	ptr := func(x float64) *float64 { return &x }
	for name, c := range map[string]struct {
		col  *data.Column
		want data.Field
	}{
		"whole numbers": {num("x", 1, 2, 3, 11), data.Field{Required: true, Integer: true, Min: ptr(-99), Max: ptr(111)}},
		"fractions":     {num("x", 1, 2.5, 3, 3), data.Field{Required: true, Min: ptr(-19), Max: ptr(23)}},
		"missing":       {num("x", 0, nan, 1, 0), data.Field{Integer: true, Min: ptr(-10), Max: ptr(11), MissingRate: 0.25}},
		"infinite":      {num("x", 0, inf, 1, 0), data.Field{Required: true, Integer: true, Min: ptr(-10), Max: ptr(11), Infinite: true}},
		"huge":          {num("x", -1e308, 1e308, 0, 0), data.Field{Required: true, Integer: true}},
		"only infinite": {num("x", inf, -inf, inf, inf), data.Field{Required: true, Infinite: true}},
		"category":      {cat("x", "b", "a", "", "b"), data.Field{Kind: data.Category, Categories: []string{"a", "b"}, MissingRate: 0.25}},
		"times": {&data.Column{Name: "x", Kind: data.Time, Times: []int64{1, 2, 3, 3}},
			data.Field{Kind: data.Time, Required: true}},

		"constant":          {num("x", 7, 7, nan, 7), data.Field{Role: data.Excluded, Why: "has one value only", MissingRate: 0.25}},
		"constant category": {cat("x", "a", "a", "a", "a"), data.Field{Kind: data.Category, Role: data.Excluded, Why: "has one value only"}},
		"all missing":       {num("x", nan, nan, nan, nan), data.Field{Role: data.Excluded, Why: "every value is missing", MissingRate: 1}},
		"text": {&data.Column{Name: "x", Kind: data.Text, Texts: []string{"it was", "so", "to speak", "fine"}},
			data.Field{Kind: data.Text, Role: data.Excluded, Why: "is free text"}},
		"identifier": {num("application_id", 4, 3, 2, 1), data.Field{Role: data.Excluded, Why: "looks like an identifier: 4 distinct values in 4 rows"}},
		"repeating":  {num("application_id", 4, 3, 2, 2), data.Field{Required: true, Integer: true, Min: ptr(-18), Max: ptr(24)}},
	} {
		got := learn(t, c.col).Fields[0]
		if c.want.Kind == 0 {
			c.want.Kind = data.Number
		}
		if c.want.Role == "" {
			c.want.Role = data.Feature
		}
		c.want.Name = c.col.Name
		if show(got) != show(c.want) {
			t.Errorf("%s:\ngot  %s\nwant %s", name, show(got), show(c.want))
		}
	}
}

func show(f data.Field) string {
	bound := func(x *float64) string {
		if x == nil {
			return "none"
		}
		return fmt.Sprint(*x)
	}
	low, high := bound(f.Min), bound(f.Max)
	f.Min, f.Max = nil, nil
	return fmt.Sprintf("%+v from %s to %s", f, low, high)
}

func TestLearnNamesOfIdentifiers(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"id": true, "ID": true, "PassengerId": true, "customerID": true, "loan_id": true, "Policy Number": true, "row.id": true,
		"uuid": true, "key": true, "customerid": true,
		"Income": false, "paid": false, "valid": false, "number_of_loans": false, "idle": false, "Amount": false,
	} {
		f := learn(t, num(name, 10, 20, 30, 40)).Fields[0]
		if got := f.Role == data.Excluded; got != want {
			t.Errorf("%q: taken for an identifier %v, want %v", name, got, want)
		}
	}
}

func TestLearnManyCategories(t *testing.T) {
	t.Parallel()
	values := make([]string, 4000)
	for i := range values {
		values[i] = fmt.Sprint("customer ", i%1500)
	}
	f := learn(t, cat("x", values...)).Fields[0]
	if want := "looks like an identifier: 1,500 distinct values in 4,000 rows"; f.Why != want || f.Role != data.Excluded || f.Categories != nil {
		t.Errorf("%s %q with %d categories, want %q", f.Role, f.Why, len(f.Categories), want)
	}
}

func TestLearnRoles(t *testing.T) {
	t.Parallel()
	tab := table(t, cat("Status", "good", "bad", "good"), num("key", 1, 2, 3), num("when", 1, 2, 3), cat("who", "a", "b", "c"),
		num("Age", 20, 30, 40), num("note", 1, 2, 4), num("Income", 5, 6, 8))
	p := data.NewProfile(tab)
	c, err := data.Learn(tab, &p, data.Roles{Target: "Status", ID: "key", Time: "when", Group: "who", Protected: []string{"Age"}, Exclude: []string{"note"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []data.Role{data.Target, data.ID, data.TimeRole, data.Group, data.Protected, data.Excluded, data.Feature}
	for i, f := range c.Fields {
		if f.Role != want[i] {
			t.Errorf("%s: %s, want %s", f.Name, f.Role, want[i])
		}
		if f.Role != data.Feature && (f.Required || f.Min != nil) {
			t.Errorf("%s: only features are required or bounded: %+v", f.Name, f)
		}
	}
	if !slices.Equal(c.Target().Categories, []string{"bad", "good"}) {
		t.Errorf("classes %v, want bad, good", c.Target().Categories)
	}
	// A table cut from another keeps the dictionary but not the categories.
	cut := tab.Gather([]int{0, 2})
	p = data.NewProfile(cut)
	if c, err = data.Learn(cut, &p, data.Roles{Target: "Income"}); err != nil {
		t.Fatal(err)
	}
	if f := c.Field("Status"); f.Why != "has one value only" {
		t.Errorf("Status after the cut: %+v", f)
	}
}

func TestLearnErrors(t *testing.T) {
	t.Parallel()
	tab := table(t, cat("Status", "good", "bad"), num("Income", 1, 2), num("same", 3, 3), num("none", nan, nan), cat("kind", "a", "a"),
		&data.Column{Name: "note", Kind: data.Text, Texts: []string{"x", "y"}},
		&data.Column{Name: "when", Kind: data.Time, Times: []int64{1, 2}})
	for name, c := range map[string]struct {
		roles     data.Roles
		err, hint string
	}{
		"misspelt target":    {data.Roles{Target: "status"}, `target "status" is not a column`, `did you mean "Status"?`},
		"unknown target":     {data.Roles{Target: "outcome"}, `target "outcome" is not a column`, `the columns are "Status", "Income"`},
		"misspelt exclude":   {data.Roles{Target: "Status", Exclude: []string{"Incmoe"}}, `excluded "Incmoe" is not a column`, `did you mean "Income"?`},
		"misspelt protected": {data.Roles{Target: "Status", Protected: []string{"knd"}}, `protected "knd" is not a column`, `did you mean "kind"?`},
		"two roles":          {data.Roles{Target: "Status", Exclude: []string{"Status"}}, `"Status" is named as target and as excluded`, "one of the two"},
		"no values":          {data.Roles{Target: "none"}, `target "none" has no values: all 2 rows are missing`, "name the column that holds the outcome"},
		"one class":          {data.Roles{Target: "kind"}, `target "kind" has one class only: every row says "a"`, "both classes"},
		"one number":         {data.Roles{Target: "same"}, `target "same" has one class only: every row says "3"`, "both classes"},
		"text target":        {data.Roles{Target: "note"}, `target "note" is free text`, "name another column"},
		"time target":        {data.Roles{Target: "when"}, `target "when" is a time`, "a number or one of a few classes"},
		"time without times": {data.Roles{Target: "Status", Time: "kind"}, `time "kind" holds no times but category`, "2026-01-31"},
		"nothing left": {data.Roles{Target: "Status", Exclude: []string{"Income", "when"}}, "no column is left to learn from",
			`"same" has one value only, "none" every value is missing`},
	} {
		p := data.NewProfile(tab)
		_, err := data.Learn(tab, &p, c.roles)
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want %s", name, err, c.err)
			continue
		}
		var hinted *data.Hinted
		if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint, c.hint) {
			t.Errorf("%s: hint of %v lacks %s", name, hinted, c.hint)
		}
	}
	p := data.NewProfile(tab)
	_, err := data.Learn(tab, &p, data.Roles{Target: "x1", ID: "x2", Exclude: []string{"x3"}})
	if got := strings.Count(fmt.Sprint(err), "is not a column"); got != 3 {
		t.Errorf("%d of 3 problems named at once: %v", got, err)
	}
	if _, err := data.Learn(tab, &p, data.Roles{}); err != nil {
		t.Errorf("without a target: %v", err)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"Income", "Expenses", "Age", "Home", "application_date"}
	for name, want := range map[string]string{
		"income": "Income", "Incoem": "Income", "Incme": "Income", "Inccome": "Income", "Ag": "Age", "aplication_dtae": "application_date",
		"application_day": "application_date", "salary": "", "x": "", "": "", "Hmoe": "Home",
	} {
		if got := data.Nearest(name, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
	if got := data.Nearest("a", nil); got != "" {
		t.Errorf("nearest of none = %q", got)
	}
}

func ExampleLearn() {
	t, _ := data.NewTable(
		&data.Column{Name: "Status", Kind: data.Category, Codes: []int32{1, 0, 1}, Dict: []string{"bad", "good"}},
		&data.Column{Name: "Income", Kind: data.Number, Numbers: []float64{129, 131, 200}},
		&data.Column{Name: "Country", Kind: data.Category, Codes: []int32{0, 0, 0}, Dict: []string{"ES"}},
	)
	p := data.NewProfile(t)
	c, err := data.Learn(t, &p, data.Roles{Target: "Status"})
	if err != nil {
		fmt.Println(err)
	}
	for _, f := range c.Fields {
		fmt.Printf("%s %s %s %q\n", f.Name, f.Kind, f.Role, f.Why)
	}
	fmt.Println("incomes from", *c.Field("Income").Min, "to", *c.Field("Income").Max)
	// Output:
	// Status category target ""
	// Income number feature ""
	// Country category excluded "has one value only"
	// incomes from -581 to 910
}
