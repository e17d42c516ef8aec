package metrics_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/metrics"
)

// Two searches; the second's best result stands last.
func ExampleNDCG() {
	relevance := []float64{2, 0, 1, 0, 0, 1}
	score := []float64{0.9, 0.5, 0.7, 3.1, 2.2, 1.4}
	ndcg, err := metrics.NDCG(relevance, score, []int{3, 3}, 10)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ndcg) // the mean of 1 and 1/log2(4)
	// Output: 0.75
}

func TestNDCGGolden(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/golden/ndcg.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Groups         []int
			Labels, Scores []float64
			K              int
			NDCG           map[string]float64
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != 8 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	for i, c := range file.Cases {
		got, err := metrics.NDCG(c.Labels, c.Scores, c.Groups, c.K)
		for source, want := range c.NDCG {
			near(t, fmt.Sprintf("case %d: NDCG of the first %d, as of %s", i, c.K, source), value(t, "NDCG", got, err), want)
		}
	}
}

// TestNDCGOfTies compares a tied order with the mean over all orders.
func TestNDCGOfTies(t *testing.T) {
	t.Parallel()
	label, score := []float64{3, 0, 1, 2, 0}, []float64{1, 1, 5, 1, 1}
	var sum, n float64
	var permute func(free []float64, used []float64)
	permute = func(free, used []float64) {
		if len(free) == 0 {
			s := slices.Clone(used)
			v, err := metrics.NDCG(label, []float64{s[0], s[1], 5, s[2], s[3]}, []int{5}, 3)
			sum += value(t, "NDCG", v, err)
			n++
		}
		for i := range free {
			permute(slices.Delete(slices.Clone(free), i, i+1), append(used, free[i]))
		}
	}
	permute([]float64{1, 2, 3, 4}, nil)
	got, err := metrics.NDCG(label, score, []int{5}, 3)
	near(t, "NDCG of ties", value(t, "NDCG", got, err), sum/n)
}

func TestNDCGLaws(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(4, "ndcg", 0)
	label, score := make([]float64, 60), make([]float64, 60)
	for i := range label {
		label[i], score[i] = float64(rng.IntN(32)), float64(rng.IntN(20))
	}
	groups := []int{1, 24, 5, 30}
	want, err := metrics.NDCG(label, score, groups, 7)
	value(t, "NDCG", want, err)
	stretched, best, worst := make([]float64, 60), make([]float64, 60), make([]float64, 60)
	for i := range score {
		stretched[i], best[i], worst[i] = math.Exp(score[i])-9, label[i], -label[i]
	}
	got, err := metrics.NDCG(label, stretched, groups, 7)
	near(t, "NDCG after a monotone transform", value(t, "NDCG", got, err), want)
	top, err := metrics.NDCG(label, best, groups, 7)
	near(t, "NDCG of the best order", value(t, "NDCG", top, err), 1)
	bottom, err := metrics.NDCG(label, worst, groups, 7)
	if value(t, "NDCG", bottom, err); !(bottom < want && bottom >= 0) {
		t.Errorf("NDCG %g of the worst order, %g of another", bottom, want)
	}
	back := func(x []float64) []float64 { x = slices.Clone(x); slices.Reverse(x); return x }
	got, err = metrics.NDCG(back(label), back(score), []int{30, 5, 24, 1}, 7)
	near(t, "NDCG of the table upside down", value(t, "NDCG", got, err), want)
}

func TestNDCGRefuses(t *testing.T) {
	t.Parallel()
	two := []float64{1, 0}
	for _, c := range []struct {
		name         string
		label, score []float64
		groups       []int
		k            int
		want         error
	}{
		{"empty", nil, nil, nil, 1, metrics.ErrEmpty},
		{"nothing relevant", []float64{0, 0}, two, []int{2}, 1, metrics.ErrOneClass},
		{"label", []float64{0.5, 0}, two, []int{2}, 1, metrics.ErrValue},
		{"large label", []float64{32, 0}, two, []int{2}, 1, metrics.ErrValue},
		{"NaN label", []float64{math.NaN(), 0}, two, []int{2}, 1, metrics.ErrValue},
		{"NaN score", two, []float64{1, math.NaN()}, []int{2}, 1, metrics.ErrValue},
		{"rows without a group", two, two, []int{1}, 1, metrics.ErrValue},
		{"groups without rows", two, two, []int{2, 1}, 1, metrics.ErrValue},
		{"negative size", two, two, []int{3, -1}, 1, metrics.ErrValue},
		{"no places", two, two, []int{2}, 0, metrics.ErrValue},
	} {
		if _, err := metrics.NDCG(c.label, c.score, c.groups, c.k); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := metrics.NDCG(two, two[:1], []int{2}, 1); err == nil {
		t.Error("slices of different lengths are accepted")
	}
}
