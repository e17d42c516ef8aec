package clean_test

import (
	"fmt"
	"math"
	"math/rand"
	"reflect"
	"strings"
	"testing"
	"testing/quick"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/clean"
)

func at(x float64) *float64 { return &x }

// What each repair makes of a text: "!" is a refused row, "" is missing.
func TestRepairs(t *testing.T) {
	t.Parallel()
	number := data.Repair{Op: "number"}
	kg, oz := data.Repair{Op: "units", To: "kg"}, data.Repair{Op: "units", To: "fl oz"}
	celsius := data.Repair{Op: "units", To: "°C"}
	dmy := data.Repair{Op: "time", Form: "dmy"}
	boolean := data.Repair{Op: "boolean"}
	age := data.Repair{Op: "bounds", Min: at(0), Max: at(120), Otherwise: "reject"}
	merge := data.Repair{Op: "merge", Into: map[string][]string{"NYC": {"New York", "new york "}}}
	for _, c := range []struct {
		r          data.Repair
		from, want string
	}{
		{number, "12", "12"}, {number, " $1,234.50 ", "1234.5"}, {number, "(12)", "-12"}, {number, "12%", "12"}, {number, "1e3", "1000"}, {number, "€ -3", "-3"}, {number, "-€-3", ""},
		{number, "-€3", "-3"}, {number, "1,23", ""}, {number, "12 x", ""}, {number, "n/a", ""}, {number, "1 234 567", "1234567"}, {number, "1,2345", ""}, {number, "Inf", ""},
		{number, "--1", ""}, {number, ".5", "0.5"}, {number, "5.", "5"}, {number, ".", ""}, {number, "1e999", ""}, {number, "0x10", ""},
		{data.Repair{Op: "number", Decimal: ","}, "1.234,5", "1234.5"}, {data.Repair{Op: "number", Otherwise: "reject"}, "soon", "!"},
		{kg, "1500 g", "1.5"}, {kg, "2.5kg", "2.5"}, {kg, "3", "3"}, {kg, "1 lb.", "0.45359237"}, {kg, "3 km", ""}, {kg, "kg", ""},
		{oz, "12 oz", "12"}, {oz, "12.0 Ounce", "12"}, {oz, "16 oz. can", ""},
		{celsius, "21 °C", "21"}, {celsius, "0 K", "-273.15"},
		{dmy, "31/12/2025", "2025-12-31T00:00:00Z"}, {dmy, "1.2.99 08:30", "1999-02-01T08:30:00Z"}, {dmy, "12/31/2025", ""}, {dmy, "30/02/2025", ""},
		{dmy, "2025-12-31", "2025-12-31T00:00:00Z"}, {dmy, "1/2", ""}, {data.Repair{Op: "time", Form: "mdy"}, "12/31/2025", "2025-12-31T00:00:00Z"},
		{boolean, "Yes", "true"}, {boolean, " n", "false"}, {boolean, "maybe", ""},
		{age, "120", "120"}, {age, "121", "!"}, {age, "-1", "!"}, {age, "old", "!"}, {data.Repair{Op: "bounds", Max: at(9)}, "10", ""},
		{merge, "New York", "NYC"}, {merge, "new york ", "NYC"}, {merge, "NYC", "NYC"}, {merge, "Boston", "Boston"},
		{data.Repair{Op: "trim"}, "  a \t b ", "a b"}, {number, "  ", ""},
	} {
		kind := clean.KindOf(c.r)
		if kind == 0 {
			kind = data.Category
		}
		r, err := clean.Compile([]data.Repair{c.r}, kind)
		if err != nil {
			t.Fatal(err)
		}
		got := r.Format(c.from)
		if _, rule := r.Text(c.from); rule != "" {
			got = "!"
		}
		if got != c.want {
			t.Errorf("%s of %q = %q, want %q", c.r.Op, c.from, got, c.want)
		}
	}
	f, err := clean.Compile([]data.Repair{{Op: "units", To: "°C"}}, data.Number)
	if err != nil {
		t.Fatal(err)
	}
	if c, _ := f.Text("70 °F"); math.Abs(c.X-190.0/9) > 1e-9 {
		t.Errorf("70 °F is %v °C", c.X)
	}
}

// Repairing twice is repairing once, whatever the text: a cleaned table goes
// through the same contract as raw requests.
func TestRepairingTwiceIsRepairingOnce(t *testing.T) {
	t.Parallel()
	var all []*clean.Repairer
	for _, c := range []struct {
		kind data.Kind
		r    []data.Repair
	}{
		{data.Number, []data.Repair{{Op: "number"}}}, {data.Number, []data.Repair{{Op: "units", To: "lb"}, {Op: "bounds", Min: at(-5), Max: at(50)}}},
		{data.Time, []data.Repair{{Op: "time", Form: "mdy"}}},
		{data.Category, []data.Repair{{Op: "trim"}, {Op: "merge", Into: map[string][]string{"a": {"b", "1"}, "yes": {"c"}}}}},
		{data.Category, []data.Repair{{Op: "merge", Into: map[string][]string{"t": {"ok"}}}, {Op: "boolean"}}},
	} {
		r, err := clean.Compile(c.r, c.kind)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	pieces := []string{"a", "b", " ", "1", "2", ".", ",", "-", "/", "lb", "kg", "oz", "ok", "yes", "c", "%", "$", "(", ")", "e", "10", "2024", "€"}
	twice := func(seed []uint8) bool {
		var s strings.Builder
		for _, k := range seed[:min(len(seed), 8)] {
			s.WriteString(pieces[int(k)%len(pieces)])
		}
		for _, r := range all {
			once := r.Format(s.String())
			if r.Format(once) != once {
				t.Logf("%q -> %q -> %q", s.String(), once, r.Format(once))
				return false
			}
		}
		return true
	}
	if err := quick.Check(twice, &quick.Config{MaxCount: 3000, Rand: rand.New(rand.NewSource(1))}); err != nil {
		t.Error(err)
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	merge := func(m map[string][]string) data.Repair { return data.Repair{Op: "merge", Into: m} }
	for _, c := range []struct {
		want string
		kind data.Kind
		r    []data.Repair
	}{
		{"no repair", data.Number, []data.Repair{{Op: "sqrt"}}},
		{"gives a number", data.Category, []data.Repair{{Op: "number"}}},
		{"not a unit", data.Number, []data.Repair{{Op: "units", To: "furlong"}}},
		{"form is", data.Time, []data.Repair{{Op: "time"}}},
		{"otherwise is", data.Number, []data.Repair{{Op: "number", Otherwise: "zero"}}},
		{"decimal is", data.Number, []data.Repair{{Op: "number", Decimal: ";"}}},
		{"give min", data.Number, []data.Repair{{Op: "bounds"}}},
		{"above max", data.Number, []data.Repair{{Op: "bounds", Min: at(2), Max: at(1)}}},
		{"finite", data.Number, []data.Repair{{Op: "bounds", Min: at(math.Inf(-1))}}},
		{"no spellings", data.Category, []data.Repair{{Op: "merge"}}},
		{"is empty", data.Category, []data.Repair{merge(map[string][]string{"": {"a"}})}},
		{"both a spelling", data.Category, []data.Repair{merge(map[string][]string{"a": {"b"}, "b": {"c"}})}},
		{"become both", data.Category, []data.Repair{merge(map[string][]string{"a": {"c"}, "b": {"c"}})}},
		{"undo one another", data.Category, []data.Repair{merge(map[string][]string{"b": {"a"}}), merge(map[string][]string{"a": {"c"}})}},
		{"undo one another", data.Category, []data.Repair{merge(map[string][]string{"a b": {"x"}}), {Op: "trim"}}},
	} {
		if _, err := clean.Compile(c.r, c.kind); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one about %q", c.r, err, c.want)
		}
	}
}

func words(name string, values ...string) *data.Column { return data.CategoryColumn(name, values) }

func table(t *testing.T, columns ...*data.Column) *data.Table {
	t.Helper()
	out, err := data.NewTable(columns...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTable(t *testing.T) {
	t.Parallel()
	raw := table(t,
		words("id", "1", "2", "2", "3", "4"),
		words("Weight", "1 kg", "500 g", "500 g", "heavy", ""),
		&data.Column{Name: "Age", Kind: data.Number, Numbers: []float64{30, 40, 40, 50, 999}})
	got, err := clean.Table(raw, []clean.Step{
		{Repair: data.Repair{Op: "duplicates"}, By: []string{"id"}},
		{Column: "Weight", Repair: data.Repair{Op: "units", To: "kg"}},
		{Column: "Age", Repair: data.Repair{Op: "bounds", Max: at(120), Otherwise: "reject"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Rows, []int{0, 1, 3}) || len(got.Bad) != 1 || got.Bad[4].Row != 5 || got.Bad[4].Column != "Age" {
		t.Errorf("rows %v, bad %v", got.Rows, got.Bad)
	}
	if w := got.Table.Column("Weight"); w.Kind != data.Number || w.Format(1) != "0.5" || !w.Missing(2) {
		t.Errorf("weights: %v", w.Numbers)
	}
	var said []string
	for _, d := range got.Done {
		said = append(said, d.Sentence())
	}
	want := []string{"duplicates of rows: 1 rows dropped", "units of Weight: 3 cells changed, 1 cells made missing", "bounds of Age: 1 rows refused"}
	if !reflect.DeepEqual(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
	if raw.Rows() != 5 || raw.Column("Weight").Format(0) != "1 kg" {
		t.Error("the raw table was changed")
	}
	if _, err := clean.Table(raw, []clean.Step{{Column: "Hight", Repair: data.Repair{Op: "trim"}}}); err == nil {
		t.Error("an unknown column was taken")
	}
}

func TestFence(t *testing.T) {
	t.Parallel()
	var v []float64
	for i := range 101 {
		v = append(v, float64(100-i))
	}
	v = append(v, math.NaN(), math.Inf(1))
	if low, high, ok := clean.Fence(v, "iqr"); low != -50 || high != 150 || !ok {
		t.Errorf("iqr: %v %v %v", low, high, ok)
	}
	if low, high, ok := clean.Fence(v, "mad"); math.Abs(low+79.7275) > 1e-9 || math.Abs(high-179.7275) > 1e-9 || !ok {
		t.Errorf("mad: %v %v %v", low, high, ok)
	}
	if _, _, ok := clean.Fence(make([]float64, 50), "iqr"); ok {
		t.Error("a constant has fences")
	}
}

func TestPropose(t *testing.T) {
	t.Parallel()
	var city, size, price, plan, unit []string
	for i := range 300 {
		city = append(city, []string{"Birmingham", "Sheffield", "Leeds"}[i%3])
		size = append(size, fmt.Sprintf("%d oz", 8+i%9))
		price = append(price, fmt.Sprint(i))
		plan = append(plan, []string{"gold", "silver"}[i%2])
		unit = append(unit, fmt.Sprintf("Unit %d", 1+i%2))
	}
	city[3], city[7], size[4], price[9] = "Birmingxam", "sheffield ", "12 Ounce", "soon"
	for i := range 30 {
		price[10+i] = "later"
	}
	unit[5] = "Unit 3" // another unit, not a slip
	got := clean.Propose(table(t, words("City", city...), words("Size", size...), words("Price", price...), words("Plan", plan...), words("Unit", unit...)))
	var lines []string
	for _, p := range got {
		lines = append(lines, fmt.Sprint(p.Step.Line(), p.Safe))
	}
	want := []string{
		`{merge: City, into: {Birmingham: [Birmingxam], Sheffield: ["sheffield "]}}false`,
		`{units: Size, to: oz}true`, `{number: Price}true`, `{duplicates: drop}false`}
	if !reflect.DeepEqual(lines, want) {
		t.Errorf("proposed\n%s", strings.Join(lines, "\n"))
	}
}
