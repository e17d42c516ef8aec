package gbdt_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt"
)

func TestParams(t *testing.T) {
	t.Parallel()
	in := table(bundle.Binary, 100, 8)
	for _, c := range []struct {
		name string
		p    learn.Params
		want []string
	}{
		{"unknown", learn.Params{"num_leaves": 31}, []string{`"num_leaves"`, `"leaves"`}},
		{"typing error", learn.Params{"learning_rat": 0.1}, []string{`"learning_rate"`}},
		{"not a number", learn.Params{"trees": "many"}, []string{`"trees"`, "many"}},
		{"not whole", learn.Params{"trees": 1.5}, []string{`"trees"`, "whole number from 1 to 100000"}},
		{"below", learn.Params{"leaves": 1}, []string{`"leaves" is 1`, "from 2 to 4096"}},
		{"open end", learn.Params{"learning_rate": 0}, []string{"above 0 to 1"}},
		{"NaN", learn.Params{"lambda": nan}, []string{`"lambda" is NaN`}},
		{"not a word", learn.Params{"objective": "l3"}, []string{`"objective" is l3`, "l1, huber"}},
		{"not a direction", learn.Params{"monotone": []float64{0, 2, 0, 0, 0}}, []string{`"monotone"`, "-1, 0 or 1"}},
		{"too few directions", learn.Params{"monotone": []any{1, 0}}, []string{`"monotone"`, "2 numbers for 5 features"}},
		{"no such feature", learn.Params{"interactions": [][]int{{0, 5}}}, []string{`"interactions"`, "feature 5"}},
		{"objective of regression", learn.Params{"objective": "huber"}, []string{`"huber"`, "binary"}},
		{"two ways to sample rows", learn.Params{"row_fraction": 0.5, "gradient_fraction": 0.5}, []string{"row_fraction", "gradient_fraction"}},
		{"all at once", learn.Params{"bins": 256, "trees": 0, "lambda": -1}, []string{`"bins"`, `"trees"`, `"lambda"`}},
	} {
		_, err := gbdt.Learner{}.Fit(context.Background(), in, c.p)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v does not contain %s", c.name, err, want)
			}
		}
	}
	all := learn.Params{}
	for _, p := range gbdt.Params() {
		all[p.Name] = p.Default
		if p.Text == "" || p.Default < p.Min || p.Default > p.Max || p.Open && p.Default == p.Min {
			t.Errorf("%s: the default %g is not %s", p.Name, p.Default, p.Range())
		}
		_, err := gbdt.Learner{}.Fit(context.Background(), in, learn.Params{p.Name: p.Max + 1})
		if err == nil || !strings.Contains(err.Error(), p.Name) {
			t.Errorf("%s above its range: error %v", p.Name, err)
		}
	}
	if a, b := mustFit(t, in, nil), mustFit(t, in, all); !slices.Equal(a.Value, b.Value) {
		t.Error("the defaults written out give another model")
	}
}

func ExampleParams() {
	for _, p := range gbdt.Params()[:3] {
		fmt.Printf("%s: %s; %s; default %g\n", p.Name, p.Text, p.Range(), p.Default)
	}
	// Output:
	// trees: how many trees at most; a whole number from 1 to 100000; default 100
	// learning_rate: by what each tree is shrunk; smaller needs more trees; a number above 0 to 1; default 0.1
	// leaves: leaves of a tree at most; a whole number from 2 to 4096; default 31
}
