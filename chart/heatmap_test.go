package chart_test

import (
	"math"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/chart"
)

func TestHeatMap(t *testing.T) {
	t.Parallel()
	got := string(chart.HeatMap(chart.Frame{Title: "ties"}, []string{"a<b", "b"}, [][]float64{{1, -0.42}, {-0.42, 1}}))
	for _, want := range []string{"a&lt;b", `heat neg h4`, `heat pos h10`, ">-42<", "the greatest, -0.420, is that of b and a&lt;b"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	nan, inf := math.NaN(), math.Inf(1)
	for _, v := range [][][]float64{nil, {{nan}}, {{inf, -inf}, {nan}}, {{5, -7}, {0, 0}, {1}}} {
		got := string(chart.HeatMap(chart.Frame{}, []string{"x", "y", "z"}, v))
		if strings.Contains(got, "NaN") || strings.Contains(got, "Inf") {
			t.Errorf("%v: %s", v, got)
		}
	}
	n := 200
	labels, values := make([]string, n), make([][]float64, n)
	for i := range n {
		labels[i], values[i] = strings.Repeat("long ", 20), make([]float64, n)
		for j := range n {
			values[i][j] = math.Sin(float64(i * j))
		}
	}
	if got := string(chart.HeatMap(chart.Frame{}, labels, values)); len(got) > 150_000 {
		t.Errorf("a large map has %d bytes", len(got))
	}
}
