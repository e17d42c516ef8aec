package data_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
)

func numbers(values ...float64) *data.ColumnProfile {
	p := data.NewProfiler([]data.Field{{Name: "x", Kind: data.Number}})
	for _, v := range values {
		p.AddNumber(0, v)
	}
	return &p.Profile().Columns[0]
}

func categories(counts map[string]int) *data.ColumnProfile {
	p := data.NewProfiler([]data.Field{{Name: "x", Kind: data.Category}})
	for v, n := range counts {
		for range n {
			p.AddCategory(0, v)
		}
	}
	return &p.Profile().Columns[0]
}

// TestCompareGolden holds the distances to SciPy's and NumPy's on small inputs.
func TestCompareGolden(t *testing.T) {
	t.Parallel()
	var file struct {
		Cases []struct {
			ID         string
			Inputs     json.RawMessage
			Expected   map[string]any
			RTol, ATol float64
		}
	}
	raw, err := os.ReadFile("testdata/golden/drift.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, c := range file.Cases {
		var d data.Distance
		var got map[string]float64
		switch c.ID {
		case "drift.psi_counts":
			var in struct{ Expected, Actual []int }
			if err := json.Unmarshal(c.Inputs, &in); err != nil {
				t.Fatal(err)
			}
			byIndex := func(v []int) map[string]int {
				out := map[string]int{}
				for i, n := range v {
					out[strconv.Itoa(i)] = n
				}
				return out
			}
			d = data.Compare(categories(byIndex(in.Expected)), categories(byIndex(in.Actual)))
			got = map[string]float64{"psi": d.PSI}
		case "drift.numeric":
			var in struct{ Reference, Current []float64 }
			if err := json.Unmarshal(c.Inputs, &in); err != nil {
				t.Fatal(err)
			}
			d = data.Compare(numbers(in.Reference...), numbers(in.Current...))
			got = map[string]float64{"ks": d.KS, "wasserstein_normed": d.Wasserstein,
				"psi_deciles": d.PSI, "js_distance_deciles_base2": d.JS}
		case "drift.categorical":
			var in struct{ Reference, Current map[string]int }
			if err := json.Unmarshal(c.Inputs, &in); err != nil {
				t.Fatal(err)
			}
			d = data.Compare(categories(in.Reference), categories(in.Current))
			got = map[string]float64{"chi2": d.ChiSquared, "psi": d.PSI, "js_distance_base2": d.JS}
			if d.DF != 3 || d.Unseen != 0.05 {
				t.Errorf("%s: df %v, unseen %v, want 3 and 0.05", c.ID, d.DF, d.Unseen)
			}
		default:
			t.Errorf("%s is not tested", c.ID)
		}
		for name, g := range got {
			want := c.Expected[name].(float64)
			if math.Abs(g-want) > c.ATol+c.RTol*math.Abs(want) {
				t.Errorf("%s: %s = %v, want %v", c.ID, name, g, want)
			}
			ran++
		}
	}
	if ran != 8 {
		t.Errorf("%d values compared, want 8", ran)
	}
}

func TestCompareLaws(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(1, "compare", 0)
	a, b := make([]float64, 3000), make([]float64, 2000)
	for i := range a {
		a[i] = rng.NormFloat64()
	}
	for i := range b {
		b[i] = rng.NormFloat64()*1.5 + 0.3
	}
	d := data.Compare(numbers(a...), numbers(b...))

	if same := data.Compare(numbers(a...), numbers(a...)); same.KS != 0 || same.PSI != 0 || same.JS != 0 || same.Wasserstein != 0 {
		t.Errorf("a column differs from itself: %+v", same)
	}
	if back := data.Compare(numbers(b...), numbers(a...)); back.KS != d.KS {
		t.Errorf("KS is %v one way and %v the other", d.KS, back.KS)
	}
	// A change of unit changes nothing; a power of two is exact.
	scale := func(v []float64) []float64 {
		out := slices.Clone(v)
		for i := range out {
			out[i] *= 1024
		}
		return out
	}
	scaled := data.Compare(numbers(scale(a)...), numbers(scale(b)...))
	if math.Abs(scaled.Wasserstein-d.Wasserstein) > 1e-9 || scaled.KS != d.KS || scaled.PSI != d.PSI {
		t.Errorf("in another unit %+v, want %+v", scaled, d)
	}
	// A shift by one standard deviation is a normed Wasserstein distance of 1.
	moved := slices.Clone(a)
	for i := range moved {
		moved[i] += math.Sqrt(numbers(a...).M2 / float64(len(a)))
	}
	if w := data.Compare(numbers(a...), numbers(moved...)).Wasserstein; math.Abs(w-1) > 0.01 {
		t.Errorf("moved by one sd: Wasserstein %v, want 1", w)
	}
}

func TestCompareBoundaries(t *testing.T) {
	t.Parallel()
	inf, nan := math.Inf(1), math.NaN()
	many := map[string]int{}
	for i := range 3000 {
		many[fmt.Sprintf("v%04d", i)] = 2
	}
	for name, c := range map[string]struct {
		base, now *data.ColumnProfile
		check     func(d data.Distance) bool
	}{
		"nothing now":           {numbers(1, 2), numbers(), func(d data.Distance) bool { return d.KS == 0 && d.N == 2 && d.M == 0 }},
		"all missing now":       {numbers(1, 2), numbers(nan, nan), func(d data.Distance) bool { return d.MissingNow == 1 && d.M == 0 }},
		"both constant":         {numbers(5, 5), numbers(5), func(d data.Distance) bool { return d.KS == 0 && d.PSI == 0 && d.Wasserstein == 0 }},
		"constant moved":        {numbers(5, 5), numbers(7), func(d data.Distance) bool { return d.KS == 1 && d.Wasserstein == 2 && d.PSI > 1 }},
		"infinities appear":     {numbers(1, 2, 3, 4), numbers(1, 2, inf, inf), func(d data.Distance) bool { return d.KS == 0.5 && d.Wasserstein < 1 }},
		"low infinities":        {numbers(1, 2), numbers(-inf, -inf), func(d data.Distance) bool { return d.KS == 1 }},
		"only infinities":       {numbers(inf), numbers(inf, 1), func(d data.Distance) bool { return d.KS == 0.5 }},
		"extremes":              {numbers(-math.MaxFloat64, math.MaxFloat64), numbers(0, math.MaxFloat64), func(d data.Distance) bool { return !math.IsInf(d.Wasserstein, 0) }},
		"all categories new":    {categories(map[string]int{"a": 5}), categories(map[string]int{"b": 5}), func(d data.Distance) bool { return d.Unseen == 1 && d.JS == 1 && d.ChiSquared == 10 && d.DF == 1 }},
		"one category":          {categories(map[string]int{"a": 5}), categories(map[string]int{"a": 9}), func(d data.Distance) bool { return d.ChiSquared == 0 && d.DF == 0 && d.PSI == 0 }},
		"too many to list":      {categories(many), categories(map[string]int{"v0001": 3, "new": 3}), func(d data.Distance) bool { return d.Unseen == 0 && d.PSI > 0 }},
		"rare ones are pooled":  {categories(map[string]int{"a": 1000, "b": 1, "c": 1}), categories(map[string]int{"a": 100}), func(d data.Distance) bool { return d.DF == 1 && d.ChiSquared < 1 }},
		"two-valued indicators": {numbers(0, 0, 0, 1), numbers(0, 1, 1, 1), func(d data.Distance) bool { return d.KS == 0.5 && d.PSI > 0.5 }},
	} {
		d := data.Compare(c.base, c.now)
		if !c.check(d) {
			t.Errorf("%s: %+v", name, d)
		}
		if _, err := json.Marshal(d); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Beyond the exact range the distances of sketches stay near those of all
// values: here KS, whose error is at most the two rank errors.
func TestCompareOfSketchesIsNearExact(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(1, "compare", 1)
	var a, b []float64
	for range 100_000 {
		a = append(a, rng.NormFloat64())
		b = append(b, rng.NormFloat64()+0.1)
	}
	d := data.Compare(numbers(a...), numbers(b...))
	// For normal populations a shift of s gives KS = 2 Phi(s/2) - 1.
	if want := 0.0399; math.Abs(d.KS-want) > 0.012 {
		t.Errorf("KS = %v, want about %v", d.KS, want)
	}
	if math.Abs(d.Wasserstein-0.1) > 0.02 {
		t.Errorf("Wasserstein = %v, want about 0.1", d.Wasserstein)
	}
}

func ExampleCompare() {
	base := categories(map[string]int{"owner": 60, "rent": 40})
	now := categories(map[string]int{"owner": 40, "rent": 55, "priv": 5})
	d := data.Compare(base, now)
	fmt.Printf("PSI %.2f, unseen %.2f\n", d.PSI, d.Unseen)
	// Output: PSI 0.44, unseen 0.05
}
