package data_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
)

func table(t testing.TB, columns ...*data.Column) *data.Table {
	t.Helper()
	tab, err := data.NewTable(columns...)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func num(name string, values ...float64) *data.Column {
	return &data.Column{Name: name, Kind: data.Number, Numbers: values}
}

// cat makes a category column; "" is missing.
func cat(name string, values ...string) *data.Column {
	c := &data.Column{Name: name, Kind: data.Category}
	for _, v := range values {
		if v != "" {
			c.Dict = append(c.Dict, v)
		}
	}
	slices.Sort(c.Dict)
	c.Dict = slices.Compact(c.Dict)
	for _, v := range values {
		code, found := slices.BinarySearch(c.Dict, v)
		if !found {
			code = -1
		}
		c.Codes = append(c.Codes, int32(code))
	}
	return c
}

var nan, inf = math.NaN(), math.Inf(1)

func TestProfileOfNumbers(t *testing.T) {
	t.Parallel()
	p := data.NewProfile(table(t, num("x", 2, 4, 4, 4, 5, 5, 7, 9, nan, inf, -inf, math.Copysign(0, -1))))
	c := p.Column("x")
	// The first eight have mean 5 and squared deviations 32 (the textbook
	// example of a population standard deviation of 2); then a zero.
	if c.Count != 11 || c.Missing != 1 || c.PosInf != 1 || c.NegInf != 1 || c.Zeros != 1 || c.Negative != 0 || !c.Whole {
		t.Errorf("counts: %+v", c)
	}
	if math.Abs(c.Mean-40.0/9) > 1e-14 || math.Abs(c.M2-(32+25*8.0/9)) > 1e-12 {
		t.Errorf("mean %v, M2 %v, want %v, %v", c.Mean, c.M2, 40.0/9, 32+25*8.0/9)
	}
	if c.Min != 0 || c.Max != 9 || c.Distinct != 8 || c.Sketch.Quantile(0.5) != 4 {
		t.Errorf("min %v, max %v, distinct %d, median %v, want 0, 9, 8, 4", c.Min, c.Max, c.Distinct, c.Sketch.Quantile(0.5))
	}
	if p.Rows != 12 || p.Column("y") != nil {
		t.Errorf("rows %d, want 12", p.Rows)
	}
}

func TestProfileBoundaries(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		col   *data.Column
		check func(c data.ColumnProfile) bool
	}{
		"no rows":        {num("x"), func(c data.ColumnProfile) bool { return c.Count == 0 && c.MissingRate() == 0 && !c.Whole }},
		"all missing":    {num("x", nan, nan), func(c data.ColumnProfile) bool { return c.MissingRate() == 1 && c.Distinct == 0 && c.SD() == 0 }},
		"one value":      {num("x", 3.5), func(c data.ColumnProfile) bool { return c.Mean == 3.5 && c.SD() == 0 && !c.Whole && c.Distinct == 1 }},
		"only infinite":  {num("x", inf, -inf), func(c data.ColumnProfile) bool { return c.Finite() == 0 && c.Distinct == 2 && c.Min == 0 && c.Max == 0 }},
		"largest":        {num("x", math.MaxFloat64, -math.MaxFloat64, math.MaxFloat64), func(c data.ColumnProfile) bool { return c.M2 == math.MaxFloat64 && !math.IsInf(c.Mean, 0) }},
		"a fraction":     {num("x", 1, 2, 2.5, 3), func(c data.ColumnProfile) bool { return !c.Whole }},
		"fraction first": {num("x", 2.5, 3), func(c data.ColumnProfile) bool { return !c.Whole }},
		"infinity first": {num("x", inf, 3, 4), func(c data.ColumnProfile) bool { return c.Whole && c.Min == 3 }},
		"category": {cat("x", "b", "a", "b", "", "c"), func(c data.ColumnProfile) bool {
			want := []data.ValueCount{{Value: "b", Count: 2}, {Value: "a", Count: 1}, {Value: "c", Count: 1}}
			return c.Count == 4 && c.Missing == 1 && c.Distinct == 3 && c.Other == 0 && slices.Equal(c.Top, want)
		}},
		"time": {&data.Column{Name: "x", Kind: data.Time, Times: []int64{0, 2_000_000, data.MissingTime}}, func(c data.ColumnProfile) bool {
			return c.Count == 2 && c.Missing == 1 && c.Mean == 1e6 && c.Distinct == 2 && c.Zeros == 0
		}},
		"text": {&data.Column{Name: "x", Kind: data.Text, Texts: []string{"one", "", "two"}}, func(c data.ColumnProfile) bool {
			return c.Count == 2 && c.Missing == 1 && c.Distinct == 2
		}},
		"long text": {&data.Column{Name: "x", Kind: data.Text, Texts: []string{strings.Repeat("é", 1000)}}, func(c data.ColumnProfile) bool {
			return c.Top[0].Value == strings.Repeat("é", 128)
		}},
	} {
		p := data.NewProfile(table(t, c.col))
		if !c.check(p.Columns[0]) {
			t.Errorf("%s: %+v", name, p.Columns[0])
		}
		if _, err := json.Marshal(p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Heavy hitters among many rare values: none lost, no count too high, and too
// low by at most the bound.
func TestProfileOfManyValues(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(1, "many values", 0)
	truth := map[string]int64{}
	texts := make([]string, 200_000)
	for i := range texts {
		if texts[i] = fmt.Sprintf("rare %d", i); i%4 == 0 {
			texts[i] = fmt.Sprintf("hit %d", int(rng.ExpFloat64()*3))
		}
		truth[texts[i]]++
	}
	p := data.NewProfile(table(t, &data.Column{Name: "x", Kind: data.Text, Texts: texts})).Columns[0]
	slack := int64(len(texts) / data.MaxTop)
	counted := p.Other
	for _, v := range p.Top {
		counted += v.Count
		if v.Count > truth[v.Value] || v.Count < truth[v.Value]-slack {
			t.Errorf("%s: count %d, true %d, may be lower by %d", v.Value, v.Count, truth[v.Value], slack)
		}
	}
	if p.Top[0].Value != "hit 0" || len(p.Top) > data.MaxTop || counted != p.Count {
		t.Errorf("first %v of %d, %d counted of %d", p.Top[0], len(p.Top), counted, p.Count)
	}
	if off := math.Abs(float64(p.Distinct)/float64(len(truth)) - 1); off > 0.07 { // three standard errors
		t.Errorf("distinct %d, true %d", p.Distinct, len(truth))
	}
}

func TestDistinctIsExactUpToMaxTop(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 999, 1000, 1001, 1999, 2000, 2001, 30_000} {
		numbers, texts := make([]float64, 2*n), make([]string, 2*n)
		for i := range numbers {
			numbers[i] = float64(i%n) / 8
			texts[i] = fmt.Sprint(i % n)
		}
		p := data.NewProfile(table(t, num("n", numbers...), &data.Column{Name: "t", Kind: data.Text, Texts: texts}, cat("c", texts...)))
		for _, c := range p.Columns {
			off := math.Abs(float64(c.Distinct) - float64(n))
			if n <= data.MaxTop && off != 0 || off > 0.07*float64(n) {
				t.Errorf("%s: distinct %d, want %d", c.Name, c.Distinct, n)
			}
			if c.Name == "c" && c.Top[0].Count != 2 {
				t.Errorf("category counts were lowered: %v of 2", c.Top[0])
			}
		}
	}
}

// A profile made of parts agrees with that of the whole.
func TestProfileMerge(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(1, "merge", 0)
	x, v := make([]float64, 10_000), make([]string, 10_000)
	for i := range x {
		x[i] = math.Exp(rng.NormFloat64())
		v[i] = fmt.Sprint("v", rng.IntN(40))
		if i%17 == 0 {
			x[i], v[i] = nan, ""
		}
		if i%1000 == 1 {
			x[i] = inf
		}
	}
	whole := data.NewProfile(table(t, num("x", x...), cat("v", v...)))
	var merged data.Profile
	for lo := 0; lo < len(x); lo += 777 {
		hi := min(lo+777, len(x))
		part := data.NewProfile(table(t, num("x", x[lo:hi]...), cat("v", v[lo:hi]...)))
		if lo == 0 {
			merged = part
			continue
		}
		// Through JSON, as when the parts were stored.
		b, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		var stored data.Profile
		if err := json.Unmarshal(b, &stored); err != nil {
			t.Fatal(err)
		}
		if err := merged.Merge(&stored); err != nil {
			t.Fatal(err)
		}
	}
	a, b := whole.Columns[0], merged.Columns[0]
	if merged.Rows != 10_000 || a.Count != b.Count || a.Missing != b.Missing || a.PosInf != b.PosInf || a.Min != b.Min || a.Max != b.Max {
		t.Errorf("merged %+v, whole %+v", b, a)
	}
	if math.Abs(a.Mean/b.Mean-1) > 1e-12 || math.Abs(a.M2/b.M2-1) > 1e-10 {
		t.Errorf("mean %v, M2 %v, want %v, %v", b.Mean, b.M2, a.Mean, a.M2)
	}
	if d := data.Compare(&a, &b); d.KS > 0.02 {
		t.Errorf("KS %v between the whole and its parts", d.KS)
	}
	if off := math.Abs(float64(b.Distinct)/float64(a.Distinct) - 1); off > 0.07 {
		t.Errorf("distinct %d, whole %d", b.Distinct, a.Distinct)
	}
	if !reflect.DeepEqual(whole.Columns[1], merged.Columns[1]) {
		t.Errorf("merged %+v, whole %+v", merged.Columns[1], whole.Columns[1])
	}
}

func TestProfileMergeOfManyValues(t *testing.T) {
	t.Parallel()
	part := func(from, n int) data.Profile {
		texts := make([]string, n)
		for i := range texts {
			texts[i] = fmt.Sprint(from + i)
		}
		return data.NewProfile(table(t, &data.Column{Name: "x", Kind: data.Text, Texts: texts}))
	}
	for _, c := range []struct{ from, n, distinct int }{{0, 900, 900}, {500, 900, 1400}, {5000, 900, 1800}, {5000, 9000, 9900}} {
		p, q := part(0, 900), part(c.from, c.n)
		if err := p.Merge(&q); err != nil {
			t.Fatal(err)
		}
		got := p.Columns[0]
		if off := math.Abs(float64(got.Distinct)/float64(c.distinct) - 1); off > 0.07 || got.Count != int64(900+c.n) || len(got.Top) > data.MaxTop {
			t.Errorf("%v: distinct %d, count %d, %d listed", c, got.Distinct, got.Count, len(got.Top))
		}
	}
}

func TestProfileMergeRefusesOtherColumns(t *testing.T) {
	t.Parallel()
	p := data.NewProfile(table(t, num("x", 1)))
	for want, other := range map[string]data.Profile{
		`"x" (number) in one and "y" (number)`:   data.NewProfile(table(t, num("y", 1))),
		`"x" (number) in one and "x" (category)`: data.NewProfile(table(t, cat("x", "a"))),
		`of 1 and 2 columns`:                     data.NewProfile(table(t, num("x", 1), num("y", 1))),
	} {
		if err := p.Merge(&other); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %s", err, want)
		}
	}
	if p.Rows != 1 {
		t.Errorf("a refused merge changed the profile: %d rows", p.Rows)
	}
}

// One value at a time gives the same profile as a table.
func TestProfilerEqualsNewProfile(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(1, "profiler", 0)
	const rows = 5000
	x, us, v := make([]float64, rows), make([]int64, rows), make([]string, rows)
	for i := range rows {
		x[i], us[i], v[i] = rng.NormFloat64(), rng.Int64N(1e15), fmt.Sprint(rng.IntN(30))
		if i%10 == 0 {
			x[i], us[i], v[i] = nan, data.MissingTime, ""
		}
	}
	want := data.NewProfile(table(t, num("x", x...), &data.Column{Name: "t", Kind: data.Time, Times: us}, cat("v", v...)))
	p := data.NewProfiler([]data.Field{{Name: "x", Kind: data.Number}, {Name: "t", Kind: data.Time}, {Name: "v", Kind: data.Category}})
	for i := range rows {
		if i%20 == 0 {
			p.AddMissing(0)
		} else {
			p.AddNumber(0, x[i])
		}
		p.AddTime(1, us[i])
		p.AddCategory(2, v[i])
	}
	got := p.Profile()
	a, _ := json.Marshal(want)
	b, _ := json.Marshal(got)
	if string(a) != string(b) {
		t.Errorf("one by one\n%s\nas a table\n%s", b, a)
	}
	p.AddNumber(0, 1e9)
	if c, _ := json.Marshal(got); string(c) != string(b) {
		t.Error("a later value changed a profile that was taken before")
	}
}

func TestProfileDoesNotDependOnWorkers(t *testing.T) {
	rng := seed.Stream(1, "workers", 0)
	var columns []*data.Column
	for j := range 9 {
		v := make([]float64, 3000)
		for i := range v {
			v[i] = rng.Float64()
		}
		columns = append(columns, num(fmt.Sprint(j), v...))
	}
	tab := table(t, columns...)
	var first []byte
	for _, workers := range []int{1, 2, 8} {
		before := runtime.GOMAXPROCS(workers)
		b, err := json.Marshal(data.NewProfile(tab))
		runtime.GOMAXPROCS(before)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b
		}
		if string(first) != string(b) {
			t.Errorf("%d workers give another profile", workers)
		}
	}
}

func TestCardinalityRefusesDamage(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"AAAA", "%", strings.Repeat("/", 2731) + "="} {
		var c data.Cardinality
		if c.UnmarshalText([]byte(in)) == nil {
			t.Errorf("%.10s was read", in)
		}
	}
}

func ExampleNewProfile() {
	t, _ := data.NewTable(
		&data.Column{Name: "Income", Kind: data.Number, Numbers: []float64{129, 131, math.NaN(), 200}},
		&data.Column{Name: "Home", Kind: data.Category, Codes: []int32{1, 0, 1, 1}, Dict: []string{"owner", "rent"}},
	)
	p := data.NewProfile(t)
	income, home := p.Column("Income"), p.Column("Home")
	fmt.Println(income.Count, income.Missing, income.Sketch.Quantile(0.5), income.Max)
	fmt.Println(home.Top)
	// Output:
	// 3 1 131 200
	// [{rent 3} {owner 1}]
}
