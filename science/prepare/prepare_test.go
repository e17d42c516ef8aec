package prepare_test

import (
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/prepare"
)

var nan = math.NaN()

func Example() {
	c := &data.Contract{Fields: []data.Field{{Name: "Income", Kind: data.Number, Role: data.Feature}}}
	rows := bundle.Rows{N: 4, Cols: 1, Data: []float64{10, 20, nan, 60}}
	plan, _ := prepare.Fit(c, rows, []int{0, 1, 2, 3}, learn.Dense)
	x := prepare.Apply(plan, rows, []int{3, 2})
	for j, f := range plan {
		fmt.Printf("%-15s %5.2f %5.2f\n", f.Name, x.Row(0)[j], x.Row(1)[j])
	}
	// Output:
	// Income           1.69 -0.39
	// Income missing   0.00  1.00
}

// contract has one field of each kind.
func contract() *data.Contract {
	return &data.Contract{Fields: []data.Field{
		{Name: "y", Kind: data.Category, Role: data.Target, Categories: []string{"no", "yes"}},
		{Name: "Income", Kind: data.Number, Role: data.Feature},
		{Name: "Job", Kind: data.Category, Role: data.Feature, Categories: []string{"fixed", "freelance", "other"}},
		{Name: "At", Kind: data.Time, Role: data.Feature},
	}}
}

// rows returns n rows for contract; Income has missing values and infinities,
// one Job in n/50 is "other", At is one of a few hours of January 2024.
func rows(n int) bundle.Rows {
	r := seed.Stream(3, "prepare-test", n)
	out := bundle.Rows{N: n, Cols: 3}
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		income := math.Exp(r.NormFloat64())
		if i%10 == 3 {
			income = nan
		}
		if i%97 == 5 {
			income = math.Inf(1)
		}
		job := float64(r.IntN(2))
		if i%50 == 7 {
			job = 2
		}
		at := start.Add(time.Duration(r.IntN(30)*24+9+r.IntN(3)) * time.Hour)
		out.Data = append(out.Data, income, job, float64(at.UnixMicro()))
	}
	return out
}

func sequence(lo, hi int) []int {
	var out []int
	for i := lo; i < hi; i++ {
		out = append(out, i)
	}
	return out
}

func names(p step.Plan) []string {
	var out []string
	for _, f := range p {
		out = append(out, f.Name)
	}
	return out
}

func TestForms(t *testing.T) {
	t.Parallel()
	r := rows(1000)
	raw, categories := prepare.Fit(contract(), r, sequence(0, 1000), learn.Raw)
	if got, want := names(raw), []string{"Income", "Job", "At weekday", "At hour"}; !reflect.DeepEqual(got, want) {
		t.Errorf("raw features %q, want %q: the month is always January", got, want)
	}
	if want := []int{0, 3, 0, 0}; !reflect.DeepEqual(categories, want) {
		t.Errorf("categories %v, want %v", categories, want)
	}
	dense, categories := prepare.Fit(contract(), r, sequence(0, 1000), learn.Dense)
	want := []string{
		"Income", "Income missing", "Job = fixed", "Job = freelance", "Job = other",
		"At weekday = Sunday", "At weekday = Monday", "At weekday = Tuesday", "At weekday = Wednesday",
		"At weekday = Thursday", "At weekday = Friday", "At weekday = Saturday",
		"At hour = 09", "At hour = 10", "At hour = 11",
	}
	if got := names(dense); !reflect.DeepEqual(got, want) {
		t.Errorf("dense features %q, want %q", got, want)
	}
	if !reflect.DeepEqual(categories, make([]int, len(want))) {
		t.Errorf("categories %v, want zeros", categories)
	}
	curves, _ := prepare.FitCurves(contract(), r, sequence(0, 1000))
	if got := len(curves) - len(dense); got != 5 {
		t.Errorf("%d hinges, want 5: %q", got, names(curves))
	}
	for _, p := range []step.Plan{raw, dense, curves} {
		if err := p.Check(3); err != nil {
			t.Error(err)
		}
	}
}

// TestDenseIsStandard checks what linear models rely on: no missing value, no
// infinity, mean 0 and standard deviation 1 of every scaled feature, hinges
// among them, and 0 or 1 elsewhere.
func TestDenseIsStandard(t *testing.T) {
	t.Parallel()
	r := rows(1000)
	plan, _ := prepare.FitCurves(contract(), r, sequence(0, 1000))
	x := prepare.Apply(plan, r, sequence(0, 1000))
	for j, f := range plan {
		var mean, ss float64
		for i := range x.Rows {
			v := x.Row(i)[j]
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("%s: row %d is %v", f.Name, i, v)
			}
			if f.Op != step.Standard && f.Op != step.Hinge && v != 0 && v != 1 {
				t.Fatalf("%s: row %d is %v, want 0 or 1", f.Name, i, v)
			}
			mean += v / 1000
			ss += v * v / 1000
		}
		if (f.Op == step.Standard || f.Op == step.Hinge) && (math.Abs(mean) > 1e-12 || math.Abs(ss-1) > 1e-12) {
			t.Errorf("%s: mean %v, mean square %v, want 0 and 1", f.Name, mean, ss)
		}
	}
}

// TestOnlyTrainingRowsAreSeen poisons all other rows.
func TestOnlyTrainingRowsAreSeen(t *testing.T) {
	t.Parallel()
	clean, poisoned := rows(600), rows(600)
	for i := 400; i < 600; i++ {
		copy(poisoned.Row(i), [][]float64{{1e200, 9, nan}, {nan, nan, 1e300}, {math.Inf(-1), -4, 0}}[i%3])
	}
	train := sequence(0, 400)
	for _, fit := range []func(bundle.Rows) (step.Plan, []int){
		func(r bundle.Rows) (step.Plan, []int) { return prepare.Fit(contract(), r, train, learn.Raw) },
		func(r bundle.Rows) (step.Plan, []int) { return prepare.Fit(contract(), r, train, learn.Dense) },
		func(r bundle.Rows) (step.Plan, []int) { return prepare.FitCurves(contract(), r, train) },
	} {
		a, na := fit(clean)
		b, nb := fit(poisoned)
		if !reflect.DeepEqual(a, b) || !reflect.DeepEqual(na, nb) {
			t.Errorf("plan with other rows poisoned: %v, clean: %v", b, a)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	inf := math.Inf(1)
	cases := []struct {
		name   string
		values []float64
		want   []string
		first  step.Feature // compared in Fill, Low, High, Mean, Scale
	}{
		{"median of an even count", []float64{4, 1, 3, 2}, []string{"x"}, step.Feature{Fill: 2.5, Low: 1, High: 4, Mean: 2.5, Scale: math.Sqrt(1.25)}},
		{"missing is filled before the mean", []float64{0, nan, 6, 6}, []string{"x", "x missing"}, step.Feature{Fill: 6, Low: 0, High: 6, Mean: 4.5, Scale: math.Sqrt(6.75)}},
		{"infinities become the ends", []float64{1, 3, inf, -inf}, []string{"x"}, step.Feature{Fill: 2, Low: 1, High: 3, Mean: 2, Scale: 1}},
		{"constant", []float64{7, 7, 7}, nil, step.Feature{}},
		{"constant or missing", []float64{7, nan, 7}, []string{"x missing"}, step.Feature{}},
		{"all missing", []float64{nan, nan}, nil, step.Feature{}},
		{"all infinite", []float64{inf, inf}, nil, step.Feature{}},
		{"one row", []float64{5}, nil, step.Feature{}},
		{"no row", nil, nil, step.Feature{}},
		{"large numbers do not overflow", []float64{-1e300, 1e300}, []string{"x"}, step.Feature{Low: -1e300, High: 1e300, Scale: 1e300}},
		{"small ones do not underflow", []float64{1e-300, 3e-300}, []string{"x"}, step.Feature{Fill: 2e-300, Low: 1e-300, High: 3e-300, Mean: 2e-300, Scale: 1e-300}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			one := &data.Contract{Fields: []data.Field{{Name: "x", Kind: data.Number, Role: data.Feature}}}
			plan, _ := prepare.Fit(one, bundle.Rows{N: len(c.values), Cols: 1, Data: c.values}, sequence(0, len(c.values)), learn.Dense)
			if got := names(plan); !reflect.DeepEqual(got, c.want) {
				t.Fatalf("features %q, want %q", got, c.want)
			}
			if c.first.Scale == 0 {
				return
			}
			f := plan[0]
			for _, v := range [][2]float64{{f.Fill, c.first.Fill}, {f.Low, c.first.Low}, {f.High, c.first.High}, {f.Mean, c.first.Mean}, {f.Scale, c.first.Scale}} {
				if math.Abs(v[0]-v[1]) > 1e-14*c.first.Scale {
					t.Errorf("got %+v, want %+v", f, c.first)
				}
			}
		})
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	c := &data.Contract{Fields: []data.Field{{Name: "x", Kind: data.Category, Role: data.Feature, Categories: []string{"a", "b", "c", "d"}}}}
	codes := func(counts ...int) bundle.Rows {
		r := bundle.Rows{Cols: 1}
		for code, n := range counts {
			for range n {
				v := float64(code)
				if code == 4 {
					v = nan
				}
				r.Data = append(r.Data, v)
				r.N++
			}
		}
		return r
	}
	cases := []struct {
		name string
		rows bundle.Rows
		want []string
	}{
		{"five rows are enough in a small table", codes(20, 5, 4, 0), []string{"x = a", "x = b"}},
		{"0.2% in a large one", codes(4000, 980, 10, 9), []string{"x = a", "x = b", "x = c"}},
		{"one level is constant", codes(20), nil},
		{"one level or missing", codes(20, 0, 0, 0, 5), []string{"x = a"}},
		{"all missing", codes(0, 0, 0, 0, 9), nil},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			plan, _ := prepare.Fit(c, k.rows, sequence(0, k.rows.N), learn.Dense)
			if got := names(plan); !reflect.DeepEqual(got, k.want) {
				t.Errorf("features %q, want %q", got, k.want)
			}
		})
	}
}

// TestKnotsBelongToThoseWhoHaveOne has nine debts in ten at zero.
func TestKnotsBelongToThoseWhoHaveOne(t *testing.T) {
	t.Parallel()
	c := &data.Contract{Fields: []data.Field{{Name: "Debt", Kind: data.Number, Role: data.Feature}}}
	r := bundle.Rows{N: 700, Cols: 1, Data: make([]float64, 700)}
	for i := range 70 {
		r.Data[i*10] = float64(i + 1)
	}
	plan, _ := prepare.FitCurves(c, r, sequence(0, 700))
	// 69 values lie strictly between 0 and 70; the knots are at their sixths.
	want := []string{"Debt", "Debt above 12", "Debt above 24", "Debt above 35", "Debt above 47", "Debt above 58"}
	if got := names(plan); !reflect.DeepEqual(got, want) {
		t.Errorf("features %q, want %q", got, want)
	}
}

// TestHinges computes a curve by hand: of 0, 1, ..., 6 and a missing value the
// values between the ends are 1 to 5, so the knots are 1, 2, 3, 4 and 5, and the
// hinge at 3 is 0, 0, 0, 0, 1, 2, 3, and 0 for missing, which is filled with 3:
// mean 6/8, mean square 14/8.
func TestHinges(t *testing.T) {
	t.Parallel()
	c := &data.Contract{Fields: []data.Field{{Name: "x", Kind: data.Number, Role: data.Feature}}}
	r := bundle.Rows{N: 8, Cols: 1, Data: []float64{0, 1, 2, 3, 4, 5, 6, nan}}
	plan, _ := prepare.FitCurves(c, r, sequence(0, 8))
	want := []string{"x", "x above 1", "x above 2", "x above 3", "x above 4", "x above 5", "x missing"}
	if got := names(plan); !reflect.DeepEqual(got, want) {
		t.Fatalf("features %q, want %q", got, want)
	}
	sd := math.Sqrt(14.0/8 - 0.75*0.75)
	more := bundle.Rows{N: 4, Cols: 1, Data: []float64{6, 2, nan, 100}}
	x := prepare.Apply(plan, more, sequence(0, 4))
	for i, hinge := range []float64{3, 0, 0, 3} { // 100 is beyond the range and counts as 6
		if got := x.Row(i)[3]; math.Abs(got-(hinge-0.75)/sd) > 1e-14 {
			t.Errorf("hinge at 3 of %v is %v, want %v", more.Data[i], got, (hinge-0.75)/sd)
		}
	}
}
