package evaluate

import (
	"errors"
	"fmt"
	"math"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/metrics"
	"github.com/tandem-ml/tandem/stats"
)

// Facts is what the holdout says of a model.
type Facts struct {
	// Measures holds each metric with its 95% interval: auc, accuracy (at the
	// decision's threshold), log_loss, brier, ks and calibration_error for binary
	// tasks; rmse, mae and r2 for regression. r2 is left out if the truth does not
	// vary.
	Measures map[string]bundle.Measure `json:"measures"`

	Confusion   *bundle.Confusion       `json:"confusion,omitempty"`   // at the threshold; nil for regression
	Reliability []bundle.ReliabilityBin `json:"reliability,omitempty"` // ten bins of equal size, by increasing score
	ROC         [][2]float64            `json:"roc,omitempty"`         // (false, true positive rate), at most 101 points from (0, 0) to (1, 1)
	Cost        []bundle.CostPoint      `json:"cost,omitempty"`        // mean cost of a row at thresholds 0, 0.01, ... 1; nil without costs
}

// Holdout measures scores against the truth on rows that nothing was chosen on.
//
// y[i] is the truth (0 or 1 for binary tasks) and score[i] the model's answer: a
// probability, or the predicted value for regression. Both have equal length and
// are not modified. The interval of the AUC is DeLong's, cut to [0, 1] (where
// the classes do not overlap, and that has no width, the one of
// stats.MannWhitney); the others are percentile intervals of 1,000 bootstrap
// resamples of the rows, widened if need be to hold the value. Metrics that
// chance can only raise (ks, calibration_error) have intervals that lean upwards.
// Beyond 100,000 rows, where intervals are narrow, there are fewer resamples:
// 100 million over the number of rows, at least 200.
//
// A binary holdout with one class is an error that wraps metrics.ErrOneClass; a
// score that is not a probability, or any number that is not finite, wraps
// metrics.ErrValue. The same arguments give the same facts. Time O(n) for each
// resample: about 0.2 s for 10,000 rows.
func Holdout(task bundle.Task, y, score []float64, d bundle.Decision, seed uint64) (Facts, error) {
	switch task {
	case bundle.Binary:
		f, err := binaryFacts(y, score, d, seed)
		if errors.Is(err, metrics.ErrOneClass) {
			return f, data.WithHint(fmt.Errorf("all %d rows of the holdout are of one class: %w", len(y), err),
				"the model can only be judged on rows of both classes: add rows, or divide them otherwise")
		}
		if err != nil {
			return f, fmt.Errorf("holdout: %w", err)
		}
		return f, nil
	case bundle.Regression:
		f, err := regressionFacts(y, score, seed)
		if err != nil {
			return f, fmt.Errorf("holdout: %w", err)
		}
		return f, nil
	}
	return Facts{}, fmt.Errorf("holdout: unknown task %q", task)
}

func binaryFacts(y, score []float64, d bundle.Decision, seed uint64) (Facts, error) {
	label, err := labels(y)
	if err != nil {
		return Facts{}, err
	}
	auc, err := measureAUC(label, score)
	if err != nil {
		return Facts{}, err
	}
	bins, err := metrics.Reliability(label, score)
	if err != nil {
		return Facts{}, err
	}
	curve, err := metrics.ROC(label, score)
	if err != nil {
		return Facts{}, err
	}
	count, err := metrics.Count(label, score, d.Threshold)
	if err != nil {
		return Facts{}, err
	}
	measures, err := resampleBinary(label, score, d.Threshold, seed)
	if err != nil {
		return Facts{}, err
	}
	measures["auc"] = auc
	confusion := bundle.Confusion(count)
	f := Facts{Measures: measures, Confusion: &confusion, ROC: thin(curve)}
	for _, b := range bins {
		f.Reliability = append(f.Reliability, bundle.ReliabilityBin(b))
	}
	f.Cost, err = costCurve(label, score, d)
	return f, err
}

func labels(y []float64) ([]bool, error) {
	out := make([]bool, len(y))
	for i, v := range y {
		if v != 0 && v != 1 {
			return nil, fmt.Errorf("row %d: the label is %v, not 0 or 1: %w", i+1, v, metrics.ErrValue)
		}
		out[i] = v == 1
	}
	return out, nil
}

// measureAUC returns the AUC with DeLong's interval. Where that has no width or
// does not exist (one row of a class), the interval is Newcombe's, which
// MannWhitney gives for the same quantity on the scale from -1 to 1.
func measureAUC(label []bool, score []float64) (bundle.Measure, error) {
	auc, se, err := metrics.DeLong(label, score)
	if err == nil && se > 0 {
		return bundle.Measure{Value: auc, Low: math.Max(0, auc-1.96*se), High: math.Min(1, auc+1.96*se)}, nil
	}
	if err != nil && !errors.Is(err, metrics.ErrEmpty) {
		return bundle.Measure{}, err
	}
	var positive, negative []float64
	for i, s := range score {
		if label[i] {
			positive = append(positive, s)
		} else {
			negative = append(negative, s)
		}
	}
	r, err := stats.MannWhitney(positive, negative)
	if errors.Is(err, stats.ErrConstant) { // one score for all: nothing is ranked
		return bundle.Measure{Value: 0.5, Low: 0.5, High: 0.5}, nil
	}
	if err != nil {
		return bundle.Measure{}, fmt.Errorf("%w: %w", metrics.ErrEmpty, err)
	}
	return bundle.Measure{Value: (r.Effect + 1) / 2, Low: (r.EffectLow + 1) / 2, High: (r.EffectHigh + 1) / 2}, nil
}

// curvePoints is the largest number of points of a curve that is drawn.
const curvePoints = 101

// thin keeps at most curvePoints points of a ROC curve, evenly spaced along it
// (both rates together grow from 0 to 2), the first and the last among them.
func thin(curve [][2]float64) [][2]float64 {
	if len(curve) <= curvePoints {
		return curve
	}
	out := curve[:0:0]
	for _, p := range curve {
		if p[0]+p[1] >= 2*float64(len(out))/(curvePoints-1) && len(out) < curvePoints-1 {
			out = append(out, p)
		}
	}
	return append(out, curve[len(curve)-1])
}

// costCurve returns the mean cost of a row over a grid of thresholds, or nil if
// the decision has no costs.
func costCurve(label []bool, score []float64, d bundle.Decision) ([]bundle.CostPoint, error) {
	if d.FalsePositive == 0 && d.FalseNegative == 0 {
		return nil, nil
	}
	out := make([]bundle.CostPoint, curvePoints)
	for k := range out {
		t := float64(k) / (curvePoints - 1)
		c, err := metrics.Count(label, score, t)
		if err != nil {
			return nil, err
		}
		cost := float64(float64(c.FP)*d.FalsePositive) + float64(float64(c.FN)*d.FalseNegative)
		out[k] = bundle.CostPoint{Threshold: t, Cost: cost / float64(len(label))}
	}
	return out, nil
}

// Baseline returns what guessing reaches on the holdout: for binary tasks the
// accuracy of always deciding for the larger class of the training part (the
// negative one if they are equal) and the log_loss of always scoring its share
// of positive rows; for regression the rmse and mae of always predicting its
// mean. A figure that does not exist, because a part is empty or a number is not
// finite, is left out.
func Baseline(task bundle.Task, yTrain, yHoldout []float64) map[string]float64 {
	out := map[string]float64{}
	if len(yTrain) == 0 || len(yHoldout) == 0 {
		return out
	}
	mean := 0.0
	for _, v := range yTrain {
		mean += v
	}
	mean /= float64(len(yTrain))
	guess := make([]float64, len(yHoldout))
	for i := range guess {
		guess[i] = mean
	}
	put := func(name string, v float64, err error) {
		if err == nil {
			out[name] = v
		}
	}
	if task == bundle.Regression {
		v, err := metrics.RMSE(yHoldout, guess)
		put("rmse", v, err)
		v, err = metrics.MAE(yHoldout, guess)
		put("mae", v, err)
		return out
	}
	label, err := labels(yHoldout)
	if err != nil {
		return out
	}
	v, err := metrics.LogLoss(label, guess, nil)
	put("log_loss", v, err)
	v, err = metrics.Accuracy(label, guess, math.Nextafter(0.5, 1))
	put("accuracy", v, err)
	return out
}
