package stats_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"testing"

	"github.com/tandem-ml/tandem/stats"
)

// goldenCase is one reference result of testdata/golden/stats.json: made with
// SciPy 1.17.1 and statsmodels 0.15.0, checked against R 4.2.2; each case names
// its source.
type goldenCase struct {
	ID     string
	Kind   string
	Inputs struct {
		X, Y  []float64
		Table [][]float64
		P     []float64
	}
	Params struct {
		Alternative string
		Correction  bool
	}
	Expected      map[string]json.RawMessage
	ExpectedError string `json:"expected_error"`
	RTol, ATol    float64
	R             struct {
		Differs map[string]float64
	}
}

// want compares a result with the expected number of that name; an answer of
// R's that the file lists as different is accepted as well.
func (c goldenCase) want(t *testing.T, name string, got float64) {
	t.Helper()
	raw, ok := c.Expected[name]
	if !ok {
		t.Fatalf("the case has no %s", name)
	}
	var want float64
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if c.near(got, want) {
		return
	}
	if r, ok := c.R.Differs[name]; ok && c.near(got, r) {
		return
	}
	t.Errorf("%s = %.17g, want %.17g", name, got, want)
}

func (c goldenCase) near(got, want float64) bool {
	return math.Abs(got-want) <= c.ATol+c.RTol*math.Abs(want)
}

// run holds one function for every kind of case that the package implements.
var run = map[string]func(t *testing.T, c goldenCase) error{
	"t_welch": func(t *testing.T, c goldenCase) error {
		r, err := stats.Welch(c.Inputs.X, c.Inputs.Y)
		if err != nil {
			return err
		}
		c.want(t, "statistic", r.Statistic)
		c.want(t, "df", r.DF)
		c.want(t, "hedges_g", r.Effect)
		p := r.P
		if c.Params.Alternative == "less" {
			// Welch is two-sided; t is symmetric, so the other is half of it.
			if p /= 2; r.Statistic > 0 {
				p = 1 - p
			}
		}
		c.want(t, "p_value", p)
		return nil
	},
	"mann_whitney": func(t *testing.T, c goldenCase) error {
		r, err := stats.MannWhitney(c.Inputs.X, c.Inputs.Y)
		if err != nil {
			return err
		}
		c.want(t, "statistic", r.Statistic)
		c.want(t, "rank_biserial", r.Effect)
		c.want(t, "cles", (r.Effect+1)/2)
		// One-sided p-values are not offered: a question in a project file
		// never names a direction.
		if c.Params.Alternative == "" {
			c.want(t, "p_value", r.P)
		}
		return nil
	},
	"chi2_independence": func(t *testing.T, c goldenCase) error {
		test := stats.ChiSquared
		if c.Params.Correction {
			test = stats.ChiSquaredYates
		}
		r, err := test(c.Inputs.Table)
		if err != nil {
			return err
		}
		c.want(t, "statistic", r.Statistic)
		c.want(t, "df", r.DF)
		c.want(t, "p_value", r.P)
		c.want(t, "cramers_v", r.Effect)
		expected, err := stats.Expected(c.Inputs.Table)
		if err != nil {
			return err
		}
		var want [][]float64
		if err := json.Unmarshal(c.Expected["expected"], &want); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			for j := range want[i] {
				if !c.near(expected[i][j], want[i][j]) {
					t.Errorf("expected[%d][%d] = %v, want %v", i, j, expected[i][j], want[i][j])
				}
			}
		}
		return nil
	},
	"ks_two_sample": func(t *testing.T, c goldenCase) error {
		r, err := stats.KolmogorovSmirnov(c.Inputs.X, c.Inputs.Y)
		if err != nil {
			return err
		}
		c.want(t, "statistic", r.Statistic)
		c.want(t, "p_value", r.P)
		return nil
	},
	"p_adjust": func(t *testing.T, c goldenCase) error { // of its methods, Holm's
		got, err := stats.Holm(c.Inputs.P)
		if err != nil {
			return err
		}
		var want []float64
		if err := json.Unmarshal(c.Expected["holm"], &want); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if !c.near(got[i], want[i]) {
				t.Errorf("holm[%d] = %v, want %v", i, got[i], want[i])
			}
		}
		return nil
	},
}

func TestGolden(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/golden/stats.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []goldenCase }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	ran := map[string]int{}
	for _, c := range file.Cases {
		f := run[c.Kind]
		if f == nil {
			t.Errorf("case %s is of kind %s, which is not implemented", c.ID, c.Kind)
			continue
		}
		ran[c.Kind]++
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			err := f(t, c)
			switch {
			case c.ExpectedError == "" && err != nil:
				t.Errorf("error %v", err)
			case c.ExpectedError != "" && !errors.Is(err, stats.ErrTooFew):
				t.Errorf("error %v, want ErrTooFew (%s)", err, c.ExpectedError)
			}
		})
	}
	for kind := range run {
		if ran[kind] == 0 {
			t.Errorf("no case of kind %s ran", kind)
		}
	}
}
