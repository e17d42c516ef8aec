package explore_test

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/explore"
)

var update = flag.Bool("update", false, "write the golden files of this package")

func number(name string, v ...float64) *data.Column {
	return &data.Column{Name: name, Kind: data.Number, Numbers: v}
}

// category makes a category column; "" is missing.
func category(name string, values ...string) *data.Column {
	c := &data.Column{Name: name, Kind: data.Category, Codes: make([]int32, len(values))}
	for _, v := range values {
		if v != "" && !slices.Contains(c.Dict, v) {
			c.Dict = append(c.Dict, v)
		}
	}
	slices.Sort(c.Dict)
	for i, v := range values {
		c.Codes[i] = int32(slices.Index(c.Dict, v))
	}
	return c
}

func table(t testing.TB, cols ...*data.Column) *data.Table {
	t.Helper()
	tab, err := data.NewTable(cols...)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func build(t testing.TB, tab *data.Table, opt explore.Options) *explore.Page {
	t.Helper()
	p, err := explore.Build(tab, nil, nil, opt)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func render(t testing.TB, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// credit reads the table of examples/credit.
func credit(t testing.TB) *data.Table {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "examples", "credit", "credit_data.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var cols []*data.Column
	for j, name := range rows[0] {
		texts, numbers, isNumber := []string{}, []float64{}, true
		for _, r := range rows[1:] {
			texts = append(texts, r[j])
			v, err := strconv.ParseFloat(r[j], 64)
			if r[j] == "" {
				v = math.NaN()
			} else if err != nil {
				isNumber = false
			}
			numbers = append(numbers, v)
		}
		if isNumber {
			cols = append(cols, number(name, numbers...))
		} else {
			cols = append(cols, category(name, texts...))
		}
	}
	return table(t, cols...)
}

// Counts are those of the data set's documentation (R package modeldata); the
// AUCs were computed apart in Python by counting pairs: testdata/credit.py.
func TestCredit(t *testing.T) {
	t.Parallel()
	tab := credit(t)
	profile := data.NewProfile(tab)
	contract, err := data.Learn(tab, &profile, data.Roles{Target: "Status", Protected: []string{"Age", "Marital"}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := explore.Build(tab, &profile, &contract, explore.Options{Title: "credit", Positive: "bad"})
	if err != nil {
		t.Fatal(err)
	}
	if o := p.Overview; o.Rows != 4454 || o.Columns != 14 || o.Kinds["number"] != 9 || o.Kinds["category"] != 5 || o.CompleteRows != 4039 {
		t.Errorf("overview %+v", o)
	}
	if g := p.Target; g.Task != "binary" || math.Abs(float64(g.Rate)-1254.0/4454) > 1e-12 || g.Values[0].Value != "good" || g.Values[0].Count != 3200 {
		t.Errorf("target %+v", g)
	}
	for name, want := range map[string]struct {
		missing   int64
		auc       float64
		direction string
	}{
		"Seniority": {0, 0.696665, "down"},
		"Income":    {381, 0.667397, "down"},
		"Amount":    {0, 0.594598, "up"},
		"Assets":    {47, 0.633335, "down"},
	} {
		c := column(t, p, name)
		if c.Missing != want.missing || c.Relation.Direction != want.direction || math.Abs(float64(c.Relation.Strength)-want.auc) > 5e-7 {
			t.Errorf("%s: missing %d, %+v, want %+v", name, c.Missing, *c.Relation, want)
		}
	}
	// Records = yes: 773 rows, 429 of them bad.
	for _, v := range column(t, p, "Records").Top {
		if v.Value == "yes" && (v.Count != 773 || math.Abs(float64(v.Rate)-429.0/773) > 1e-12) {
			t.Errorf("Records = yes: %+v", v)
		}
	}
	if roles := []data.Role{column(t, p, "Age").Role, column(t, p, "Status").Role, column(t, p, "Income").Role}; !slices.Equal(roles, []data.Role{data.Protected, data.Target, data.Feature}) {
		t.Errorf("roles %v", roles)
	}
	kinds := map[string]int{}
	for _, a := range p.Alerts {
		kinds[a.Kind+" "+a.Column]++
	}
	for _, want := range []string{"protected Age", "protected Marital", "missing_predicts_target Income"} {
		if kinds[want] != 1 {
			t.Errorf("no alert %q among %v", want, kinds)
		}
	}
	for k := range kinds {
		if strings.HasPrefix(k, "leakage") || strings.HasPrefix(k, "near_copy") || strings.HasPrefix(k, "identifier") {
			t.Errorf("false alert %q", k)
		}
	}
	if dir := os.Getenv("TANDEM_PAGES"); dir != "" { // to look at
		if err := os.WriteFile(filepath.Join(dir, "credit.explore.html"), []byte(render(t, p.HTML)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func column(t testing.TB, p *explore.Page, name string) explore.Column {
	t.Helper()
	for _, c := range p.Columns {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no column %q", name)
	return explore.Column{}
}

// planted is a table of n rows with a target that follows "signal" loosely.
func planted(n int) (y []string, signal, noise []float64) {
	rng := seed.Stream(5, "planted", 0)
	for range n {
		s := rng.NormFloat64()
		signal, noise = append(signal, s), append(noise, rng.NormFloat64())
		if rng.Float64() < 1/(1+math.Exp(-s)) {
			y = append(y, "yes")
		} else {
			y = append(y, "no")
		}
	}
	return y, signal, noise
}

func fill[T any](n int, f func(i int) T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = f(i)
	}
	return out
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	const n = 1000
	y, signal, noise := planted(n)
	nan := math.NaN()
	positive := func(i int) float64 {
		if y[i] == "yes" {
			return 1
		}
		return 0
	}
	for _, c := range []struct {
		want string // kind and severity; "" for none about x
		x    *data.Column
	}{
		{"", number("x", noise...)},
		{"", number("x", fill(n, func(i int) float64 { return math.Round(noise[i]*1000) * 1000 })...)}, // unique-looking whole numbers with gaps
		{"leakage high", number("x", fill(n, func(i int) float64 { return positive(i)*10 + noise[i] })...)},
		{"leakage high", category("x", fill(n, func(i int) string { return "code " + y[i] + strconv.Itoa(i%3) })...)},
		{"leakage high", number("x", fill(n, func(i int) float64 { // recorded only after the outcome, as a lifeboat's number
			if y[i] == "yes" {
				return float64(i % 16)
			}
			return nan
		})...)},
		{"missing_predicts_target medium", number("x", fill(n, func(i int) float64 {
			if y[i] == "yes" && i%3 == 0 {
				return nan
			}
			return noise[i]
		})...)},
		{"near_copy medium", number("x", fill(n, func(i int) float64 { return math.Exp(signal[i]) })...)},
		{"near_copy medium", number("x", fill(n, func(i int) float64 { return -3 * signal[i] })...)},
		{"infinite medium", number("x", append([]float64{math.Inf(1), math.Inf(-1)}, noise[2:]...)...)},
		{"mostly_missing medium", number("x", fill(n, func(i int) float64 {
			if i%3 > 0 {
				return nan
			}
			return noise[i]
		})...)},
		{"constant low", number("x", fill(n, func(int) float64 { return 7 })...)},
		{"constant low", category("x", fill(n, func(int) string { return "a" })...)},
		{"nearly_constant low", category("x", fill(n, func(i int) string { return []string{"no", "yes"}[min(i%250, 1)^1] })...)},
		{"all_missing low", number("x", fill(n, func(int) float64 { return nan })...)},
		{"identifier medium", number("x", fill(n, func(i int) float64 { return float64(100000 + i*7) })...)},
		{"identifier medium", number("x", fill(n, func(i int) float64 { return float64((i*37)%n + 1) })...)}, // a shuffled row number
		{"identifier medium", category("x", fill(n, func(i int) string { return fmt.Sprintf("k%04d", (i*37)%n) })...)},
		{"high_cardinality low", category("x", fill(n, func(i int) string { return fmt.Sprintf("town %d", (i*i)%257) })...)},
		{"spellings medium", category("x", fill(n, func(i int) string { return []string{"Rent", "rent ", "own"}[i%3] })...)},
	} {
		tab := table(t, number("signal", signal...), c.x, category("y", y...))
		p := build(t, tab, explore.Options{Target: "y", Positive: "yes"})
		var got []string
		for _, a := range p.Alerts {
			if a.Column == "x" {
				got = append(got, a.Kind+" "+a.Severity)
			}
			if a.What == "" || a.Evidence == "" || a.Do == "" {
				t.Errorf("alert without evidence or advice: %+v", a)
			}
		}
		if c.want == "" && len(got) > 0 || c.want != "" && !slices.Contains(got, c.want) {
			t.Errorf("alerts %q, want %q", got, c.want)
		}
	}
}

func TestTableAlerts(t *testing.T) {
	t.Parallel()
	const n = 2000
	_, signal, _ := planted(n)
	has := func(p *explore.Page, kind, severity string) bool {
		return slices.ContainsFunc(p.Alerts, func(a explore.Alert) bool { return a.Kind == kind && a.Severity == severity })
	}
	rare := func(every int) *data.Column {
		return category("y", fill(n, func(i int) string {
			if i%every == 0 {
				return "fraud"
			}
			return "fine"
		})...)
	}
	for _, c := range []struct {
		kind, severity string
		tab            *data.Table
	}{
		{"imbalance", "low", table(t, number("x", signal...), rare(20))},
		{"imbalance", "medium", table(t, number("x", signal...), rare(200))},
		{"target", "high", table(t, number("x", signal...), rare(1))},
		{"target", "high", table(t, number("x", signal...), number("y", fill(n, func(int) float64 { return math.NaN() })...))},
		{"target", "medium", table(t, number("x", signal...), category("y", fill(n, func(i int) string { return []string{"a", "b", ""}[i%3] })...))},
		{"target", "medium", table(t, number("x", signal...), category("y", fill(n, func(i int) string { return []string{"a", "b", "c"}[i%3] })...))},
		{"duplicates", "medium", table(t, number("x", fill(n, func(i int) float64 { return signal[i/2] })...), category("y", fill(n, func(i int) string { return strconv.Itoa(i / 2 % 2) })...))},
		{"few_rows", "medium", table(t, number("x", 1, 2, 3), category("y", "a", "b", "a"))},
	} {
		if p := build(t, c.tab, explore.Options{Target: "y"}); !has(p, c.kind, c.severity) {
			t.Errorf("no %s alert %q among %v", c.severity, c.kind, p.Alerts)
		}
	}
	p := build(t, table(t, number("x", signal...), rare(20)), explore.Options{Target: "y"})
	if p.Target.Positive != "fraud" || float64(p.Target.Rate) != 0.05 {
		t.Errorf("the rarer value is not positive: %+v", p.Target)
	}
}

func TestDuplicatesIgnoreTheID(t *testing.T) {
	t.Parallel()
	tab := table(t, number("id", 1, 2, 3, 4), number("x", 5, 5, 0, math.Copysign(0, -1)), category("c", "a", "a", "", ""))
	contract := &data.Contract{Fields: []data.Field{{Name: "id", Kind: data.Number, Role: data.ID}, {Name: "x", Kind: data.Number, Role: data.Feature}, {Name: "c", Kind: data.Category, Role: data.Feature}}}
	p, err := explore.Build(tab, nil, contract, explore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Overview.Duplicates != 2 || build(t, tab, explore.Options{}).Overview.Duplicates != 0 {
		t.Errorf("%d duplicates without the id, want 2; %d with it, want 0", p.Overview.Duplicates, build(t, tab, explore.Options{}).Overview.Duplicates)
	}
}

// Strength does not depend on which class is positive, nor on a rising
// transformation; a falling one turns the direction.
func TestStrengthLaws(t *testing.T) {
	t.Parallel()
	y, signal, _ := planted(1500)
	tab := table(t, number("a", signal...), number("b", fill(1500, func(i int) float64 { return math.Exp(signal[i]) })...),
		number("c", fill(1500, func(i int) float64 { return -signal[i] })...), category("y", y...))
	p, q := build(t, tab, explore.Options{Target: "y", Positive: "yes"}), build(t, tab, explore.Options{Target: "y", Positive: "no"})
	a, b, c := column(t, p, "a").Relation, column(t, p, "b").Relation, column(t, p, "c").Relation
	if a.Strength != b.Strength || math.Abs(float64(a.Strength-c.Strength)) > 1e-12 || a.Direction != "up" || b.Direction != "up" || c.Direction != "down" {
		t.Errorf("relations %+v %+v %+v", *a, *b, *c)
	}
	if flipped := column(t, q, "a").Relation; math.Abs(float64(flipped.Strength-a.Strength)) > 1e-12 || flipped.Direction != "down" {
		t.Errorf("with the other class positive: %+v", *flipped)
	}
}

// A column that means nothing must not look strong, least of all an identifier.
func TestNoiseHasNoStrength(t *testing.T) {
	t.Parallel()
	const n = 4000
	y, _, noise := planted(n)
	tab := table(t, number("noise", noise...), category("id", fill(n, func(i int) string { return strconv.Itoa(i) })...),
		category("groups", fill(n, func(i int) string { return strconv.Itoa(i % 500) })...), category("y", y...))
	p := build(t, tab, explore.Options{Target: "y"})
	for _, name := range []string{"noise", "id", "groups"} {
		// The standard error of an AUC of 1/2 with 2,000 rows a class is 0.009.
		if s := float64(column(t, p, name).Relation.Strength); s > 0.54 {
			t.Errorf("%s has strength %v", name, s)
		}
	}
	r := table(t, category("groups", fill(n, func(i int) string { return strconv.Itoa(i % 500) })...), category("two", fill(n, func(i int) string { return strconv.Itoa(i % 2) })...),
		number("line", fill(n, func(i int) float64 { return 3*noise[i] - 1 })...), number("y", fill(n, func(i int) float64 { return noise[i] + 10*float64(i%2) })...))
	q := build(t, r, explore.Options{Target: "y"})
	if s := float64(column(t, q, "two").Relation.Strength); s < 0.97 || s > 1 { // 25/(25+1) of the variance, its root 0.98
		t.Errorf("correlation ratio %v", s)
	}
	if q.Target.Task != "regression" || column(t, q, "line").Relation.Measure != "rank correlation" || column(t, q, "line").Relation.Direction != "up" {
		t.Errorf("regression: %+v", column(t, q, "line").Relation)
	}
}

// The same bytes on any number of processors.
func TestDeterminism(t *testing.T) {
	y, signal, noise := planted(3000)
	tab := table(t, number("a", signal...), number("b", noise...), category("c", fill(3000, func(i int) string { return strconv.Itoa(i % 7) })...), category("y", y...))
	var first string
	for _, procs := range []int{1, 2, 8} {
		old := runtime.GOMAXPROCS(procs)
		p := build(t, tab, explore.Options{Target: "y"})
		runtime.GOMAXPROCS(old)
		got := render(t, p.HTML) + render(t, p.JSON)
		if first == "" {
			first = got
		}
		if got != first {
			t.Errorf("%d processors give another page", procs)
		}
	}
}

// The schema of the JSON form: a change here breaks readers and raises Format.
func TestJSONGolden(t *testing.T) {
	t.Parallel()
	tab := table(t, number("Income", 129, 131, 200, math.NaN(), math.Inf(1), 90), category("Home", "rent", "rent", "own", "", "own", "rent"),
		&data.Column{Name: "At", Kind: data.Time, Times: []int64{0, 86400e6, 2 * 86400e6, data.MissingTime, 4 * 86400e6, 5 * 86400e6}}, category("Status", "good", "bad", "good", "good", "bad", "good"))
	got := render(t, build(t, tab, explore.Options{Title: "six rows", Target: "Status"}).JSON)
	path := filepath.Join("testdata", "six.json")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; see with git diff after go test -update", path)
	}
}

func BenchmarkBuild(b *testing.B) {
	const n, k = 100_000, 40
	rng := seed.Stream(1, "bench", 0)
	cols := []*data.Column{category("y", fill(n, func(int) string { return strconv.Itoa(rng.IntN(2)) })...)}
	for j := range k {
		if j%3 == 0 {
			cols = append(cols, category(fmt.Sprint("c", j), fill(n, func(int) string { return strconv.Itoa(rng.IntN(20)) })...))
		} else {
			cols = append(cols, number(fmt.Sprint("n", j), fill(n, func(int) float64 { return rng.NormFloat64() })...))
		}
	}
	tab := table(b, cols...)
	profile := data.NewProfile(tab)
	for b.Loop() {
		if _, err := explore.Build(tab, &profile, nil, explore.Options{Target: "y"}); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleBuild() {
	income := &data.Column{Name: "Income", Kind: data.Number, Numbers: []float64{90, 100, 129, 131, 160, 200}}
	status := &data.Column{Name: "Status", Kind: data.Category, Dict: []string{"bad", "good"}, Codes: []int32{0, 0, 1, 1, 1, 1}}
	t, err := data.NewTable(income, status)
	if err != nil {
		fmt.Println(err)
		return
	}
	page, err := explore.Build(t, nil, nil, explore.Options{Target: "Status"})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := page.Columns[0].Relation
	fmt.Printf("share of %s %.2f; Income alone: %s %.1f %s\n", page.Target.Positive, page.Target.Rate, r.Measure, r.Strength, r.Direction)
	fmt.Println(page.Alerts[0].Sentence())
	// Output:
	// share of bad 0.33; Income alone: auc 1.0 down
	// The table is small: 6 rows.
}
