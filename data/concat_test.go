package data_test

import (
	"math"
	"slices"
	"testing"

	"github.com/tandem-ml/tandem/data"
)

func TestConcatKeepsEveryValue(t *testing.T) {
	a := table(t,
		data.CategoryColumn("job", []string{"fixed", "", "partime"}),
		&data.Column{Name: "income", Kind: data.Number, Numbers: []float64{1, math.NaN(), 3}})
	b := table(t,
		&data.Column{Name: "income", Kind: data.Number, Numbers: []float64{4}},
		data.CategoryColumn("job", []string{"freelance"}))
	got, err := data.Concat(a, b)
	if err != nil {
		t.Fatal(err)
	}
	var job, income []string
	for i := range got.Rows() {
		job, income = append(job, got.Column("job").Format(i)), append(income, got.Column("income").Format(i))
	}
	if want := []string{"fixed", "", "partime", "freelance"}; !slices.Equal(job, want) {
		t.Errorf("job %q, want %q", job, want)
	}
	if want := []string{"1", "", "3", "4"}; !slices.Equal(income, want) {
		t.Errorf("income %q, want %q", income, want)
	}
	if dict := got.Column("job").Dict; !slices.IsSorted(dict) || len(dict) != 3 {
		t.Errorf("dictionary %q is not the sorted union", dict)
	}
}

func TestConcatRefusesOtherColumns(t *testing.T) {
	a := table(t, data.CategoryColumn("x", []string{"1"}))
	for name, b := range map[string]*data.Table{
		"another name": table(t, data.CategoryColumn("y", []string{"1"})),
		"another kind": table(t, &data.Column{Name: "x", Kind: data.Number, Numbers: []float64{1}}),
		"one more":     table(t, data.CategoryColumn("x", []string{"1"}), data.CategoryColumn("y", []string{"1"})),
	} {
		if _, err := data.Concat(a, b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
