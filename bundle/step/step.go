// Package step is the prediction form of fitted transformations: how the
// columns of an encoded row become the numbers a model reads.
//
// A [Plan] is a list of features; each is one operation on one input column,
// with the constants fitted in training. Package science/prepare fits plans;
// nothing else computes features, in training or in production.
package step

// Op is what a feature does with its input value x (NaN is missing).
type Op string

// The operations.
const (
	// Number is x itself; missing stays missing. For trees.
	Number Op = "number"
	// Code is the category's code; missing stays missing; a code at or beyond
	// Categories is an unseen category and stays what it is. For trees.
	Code Op = "code"
	// ZeroMissing is x, but missing if x is within 1e-35 of 0, the bound of
	// LightGBM's zero_as_missing. For trees that were trained so.
	ZeroMissing Op = "zero_missing"
	// Float32 is x rounded to the nearest float32, ties to even, too large
	// values to infinity; missing stays missing. For trees whose thresholds
	// were compared with float32 values, as XGBoost's and CatBoost's are.
	Float32 Op = "float32"
	// Standard is (clamp(x, Low, High) - Mean) / Scale, with missing replaced
	// by Fill before. For linear models.
	Standard Op = "standard"
	// Hinge is (max(0, clamp(x, Low, High) - Knot) - Mean) / Scale, with
	// missing replaced by Fill before: together with Standard a sum of hinges
	// is a curve of straight pieces that bend at the knots. For linear models.
	Hinge Op = "hinge"
	// Missing is 1 if x is missing, else 0.
	Missing Op = "missing"
	// Outside is 1 if x < Low or x > High, else 0; missing gives 0. For outliers
	// that are told and not cut.
	Outside Op = "outside"
	// OneHot is 1 if x is category Index, else 0; missing and unseen give 0.
	OneHot Op = "onehot"
	// TargetMean is Values[x], what the target was on average where the category
	// was x; Fill if x is missing, Mean if it is unseen. For trees.
	TargetMean Op = "target_mean"
	// Month (1-12), Weekday (0 Sunday - 6) and Hour (0-23) of a time in UTC;
	// missing stays missing.
	Month   Op = "month"
	Weekday Op = "weekday"
	Hour    Op = "hour"
	// MonthIs, WeekdayIs and HourIs are 1 if that part of the time is Index,
	// else 0; missing gives 0. For linear models.
	MonthIs   Op = "month_is"
	WeekdayIs Op = "weekday_is"
	HourIs    Op = "hour_is"
)

// Feature is one number computed from one input column.
type Feature struct {
	Name  string `json:"name"`  // "Income", "Job = fixed", "Income missing"
	Input int    `json:"input"` // position in the encoded row
	Op    Op     `json:"op"`

	Mean       float64 `json:"mean,omitempty"`
	Scale      float64 `json:"scale,omitempty"`
	Fill       float64 `json:"fill,omitempty"`
	Low        float64 `json:"low,omitempty"`
	High       float64 `json:"high,omitempty"`
	Knot       float64 `json:"knot,omitempty"`
	Index      int     `json:"index,omitempty"`
	Categories int     `json:"categories,omitempty"` // Code, TargetMean: how many were seen

	Values []float64 `json:"values,omitempty"` // TargetMean: one per category
}

// Plan is the list of features a model reads, in order.
type Plan []Feature
