package step_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/bundle/step"
)

// A row of income and job code becomes what a linear model reads.
func ExamplePlan_Apply() {
	plan := step.Plan{
		{Name: "Income", Input: 0, Op: step.Standard, Mean: 120, Scale: 40, Fill: 110, Low: 0, High: 500},
		{Name: "Income missing", Input: 0, Op: step.Missing},
		{Name: "Job = fixed", Input: 1, Op: step.OneHot, Index: 0},
	}
	if err := plan.Check(2); err != nil {
		panic(err)
	}
	x := make([]float64, len(plan))
	for _, row := range [][]float64{{100, 0}, {9000, 2}, {math.NaN(), math.NaN()}} {
		plan.Apply(x, row)
		fmt.Println(x)
	}
	// Output:
	// [-0.5 0 1]
	// [9.5 0 0]
	// [-0.25 1 0]
}

func TestOperations(t *testing.T) {
	t.Parallel()
	nan, inf := math.NaN(), math.Inf(1)
	at := func(s string) float64 {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return float64(v.UnixMicro())
	}
	std := step.Feature{Op: step.Standard, Mean: 10, Scale: 4, Fill: 14, Low: 2, High: 30}
	fence := step.Feature{Op: step.Outside, Low: 1, High: 3}
	means := step.Feature{Op: step.TargetMean, Categories: 2, Values: []float64{0.5, -2}, Fill: 0.75, Mean: 0.25}
	wednesday := at("2024-02-28T23:59:59Z")
	for _, c := range []struct {
		f       step.Feature
		x, want float64
	}{
		{step.Feature{Op: step.Number}, 3.5, 3.5}, {step.Feature{Op: step.Number}, nan, nan}, {step.Feature{Op: step.Number}, -inf, -inf},
		{step.Feature{Op: step.Code, Categories: 3}, 2, 2}, {step.Feature{Op: step.Code, Categories: 3}, 3, 3}, {step.Feature{Op: step.Code}, nan, nan},
		{step.Feature{Op: step.ZeroMissing}, 0, nan}, {step.Feature{Op: step.ZeroMissing}, nan, nan}, {step.Feature{Op: step.ZeroMissing}, -inf, -inf},
		{step.Feature{Op: step.ZeroMissing}, float64(float32(1e-35)), nan}, {step.Feature{Op: step.ZeroMissing}, -float64(float32(1e-35)), nan},
		{step.Feature{Op: step.ZeroMissing}, math.Nextafter(float64(float32(1e-35)), 1), math.Nextafter(float64(float32(1e-35)), 1)},
		{step.Feature{Op: step.Float32}, 0.1, float64(float32(0.1))}, {step.Feature{Op: step.Float32}, nan, nan}, {step.Feature{Op: step.Float32}, 1e39, inf},
		{step.Feature{Op: step.Float32}, 1<<24 + 1, 1 << 24}, {step.Feature{Op: step.Float32}, -1e-60, 0},
		{std, 18, 2}, {std, nan, 1}, {std, 1, -2}, {std, 31, 5}, {std, inf, 5}, {std, -inf, -2},
		{step.Feature{Op: step.Missing}, nan, 1}, {step.Feature{Op: step.Missing}, 0, 0}, {step.Feature{Op: step.Missing}, inf, 0},
		{step.Feature{Op: step.OneHot, Index: 2}, 2, 1}, {step.Feature{Op: step.OneHot, Index: 2}, 3, 0}, {step.Feature{Op: step.OneHot}, nan, 0},
		{fence, 3, 0}, {fence, 1, 0}, {fence, 0.5, 1}, {fence, inf, 1}, {fence, nan, 0},
		{means, 0, 0.5}, {means, 1, -2}, {means, 2, 0.25}, {means, 1e300, 0.25}, {means, -1, 0.25}, {means, inf, 0.25}, {means, nan, 0.75},
		{step.Feature{Op: step.TargetMean, Mean: 3}, 0, 3}, // no category is known
		{step.Feature{Op: step.Month}, wednesday, 2}, {step.Feature{Op: step.Weekday}, wednesday, 3}, {step.Feature{Op: step.Hour}, wednesday, 23},
		{step.Feature{Op: step.Month}, 0, 1}, {step.Feature{Op: step.Weekday}, 0, 4}, {step.Feature{Op: step.Hour}, -1, 23}, // 1970 began on a Thursday
		{step.Feature{Op: step.Weekday}, at("2024-03-03T00:00:00Z"), 0}, // a Sunday
		{step.Feature{Op: step.Month}, nan, nan}, {step.Feature{Op: step.Hour}, inf, nan}, {step.Feature{Op: step.Hour}, 1e300, nan}, {step.Feature{Op: step.Hour}, -1e19, nan},
		{step.Feature{Op: step.MonthIs, Index: 2}, wednesday, 1}, {step.Feature{Op: step.MonthIs, Index: 3}, wednesday, 0}, {step.Feature{Op: step.MonthIs, Index: 3}, nan, 0},
		{step.Feature{Op: step.WeekdayIs, Index: 3}, wednesday, 1}, {step.Feature{Op: step.HourIs, Index: 23}, wednesday, 1}, {step.Feature{Op: step.HourIs}, nan, 0},
	} {
		got := []float64{0}
		plan := step.Plan{c.f}
		if err := plan.Check(1); err != nil {
			t.Fatal(err)
		}
		plan.Apply(got, []float64{c.x})
		if got[0] != c.want && !(math.IsNaN(got[0]) && math.IsNaN(c.want)) {
			t.Errorf("%s of %v = %v, want %v", c.f.Op, c.x, got[0], c.want)
		}
		if math.IsNaN(c.x) && math.IsNaN(got[0]) != c.f.Op.CanBeMissing() {
			t.Errorf("%s of a missing value is %v, CanBeMissing says %v", c.f.Op, got[0], c.f.Op.CanBeMissing())
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want string
		f    step.Feature
	}{
		{"input 2", step.Feature{Op: step.Number, Input: 2}},
		{"input -1", step.Feature{Op: step.Number, Input: -1}},
		{"unknown operation", step.Feature{Op: "sqrt"}},
		{"unknown operation", step.Feature{}},
		{"not finite", step.Feature{Op: step.Standard, Scale: 1, Mean: math.NaN()}},
		{"not finite", step.Feature{Op: step.Standard, Scale: 1, High: math.Inf(1)}},
		{"not positive", step.Feature{Op: step.Standard}},
		{"not positive", step.Feature{Op: step.Standard, Scale: -1}},
		{"above high", step.Feature{Op: step.Standard, Scale: 1, Low: 1}},
		{"above high", step.Feature{Op: step.Outside, Low: 1}},
		{"negative", step.Feature{Op: step.OneHot, Index: -1}},
		{"negative", step.Feature{Op: step.Code, Categories: -1}},
		{"1 values for 2 categories", step.Feature{Op: step.TargetMean, Categories: 2, Values: []float64{1}}},
		{"2 values for 0 categories", step.Feature{Op: step.TargetMean, Values: []float64{1, 2}}},
		{"value NaN is not finite", step.Feature{Op: step.TargetMean, Categories: 1, Values: []float64{math.NaN()}}},
		{"value +Inf is not finite", step.Feature{Op: step.TargetMean, Categories: 1, Values: []float64{math.Inf(1)}}},
		{"constant NaN is not finite", step.Feature{Op: step.TargetMean, Fill: math.NaN()}},
		{"1 values, and \"code\" has none", step.Feature{Op: step.Code, Values: []float64{1}}},
	} {
		err := step.Plan{{Op: step.Number}, c.f}.Check(2)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "feature 1") {
			t.Errorf("%+v: error %v, want one about %q", c.f, err, c.want)
		}
	}
	if err := (step.Plan{}).Check(0); err != nil {
		t.Errorf("an empty plan: %v", err)
	}
}
