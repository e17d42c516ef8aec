package tune

import (
	"math"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/num"
	"github.com/tandem-ml/tandem/metrics"
)

// measure is the metric that ranks.
type measure struct {
	name  string
	sign  float64 // +1 if larger is better
	value func(y, margin []float64) float64
	se    func(y, margin []float64) float64 // standard error of value over samples of rows; 0 if unknown
}

// measureOf returns the measure of that name, or of the task's default; its
// name is "" if the metric does not fit the task.
func measureOf(task bundle.Task, name string) measure {
	if name == "" || name == "auto" {
		name = map[bundle.Task]string{bundle.Binary: "auc", bundle.Regression: "rmse"}[task]
	}
	switch {
	case task == bundle.Binary && name == "auc":
		return measure{name, 1, auc, func(y, margin []float64) float64 {
			_, se, err := metrics.DeLong(positive(y), margin)
			if err != nil {
				return 0
			}
			return se
		}}
	case task == bundle.Binary && name == "log_loss":
		return measure{name, -1, logLoss, func(y, margin []float64) float64 {
			return spread(y, margin, rowLoss) / math.Sqrt(float64(len(y)))
		}}
	case task == bundle.Regression && name == "rmse":
		// By the delta method: the variance of the mean of e², over (2 rmse)².
		return measure{name, -1, rmse, func(y, margin []float64) float64 {
			r := rmse(y, margin)
			if r == 0 {
				return 0
			}
			return spread(y, margin, squaredError) / math.Sqrt(float64(len(y))) / (2 * r)
		}}
	}
	return measure{}
}

// better reports whether a beats b. A metric that is not a number beats
// nothing.
func (m measure) better(a, b float64) bool {
	return m.sign*a > m.sign*b || math.IsNaN(b) && !math.IsNaN(a)
}

func positive(y []float64) []bool {
	out := make([]bool, len(y))
	for i, v := range y {
		out[i] = v == 1
	}
	return out
}

// auc is NaN if one class is absent.
func auc(y, margin []float64) float64 {
	v, err := metrics.AUC(positive(y), margin, nil)
	if err != nil {
		return math.NaN()
	}
	return v
}

// rowLoss is the log loss of one row, from its margin: exact where the
// probability would round to 0 or 1.
func rowLoss(y, margin float64) float64 { return num.Softplus(margin) - float64(y*margin) }

func squaredError(y, margin float64) float64 { return float64((y - margin) * (y - margin)) }

func absoluteError(y, margin float64) float64 { return math.Abs(y - margin) }

func logLoss(y, margin []float64) float64 { return mean(y, margin, rowLoss) }

func rmse(y, margin []float64) float64 { return math.Sqrt(mean(y, margin, squaredError)) }

func mae(y, margin []float64) float64 { return mean(y, margin, absoluteError) }

func mean(y, margin []float64, loss func(y, margin float64) float64) float64 {
	var sum float64
	for i := range y {
		sum += loss(y[i], margin[i])
	}
	return sum / float64(len(y))
}

// spread is the standard deviation of the rows' losses.
func spread(y, margin []float64, loss func(y, margin float64) float64) float64 {
	m := mean(y, margin, loss)
	return math.Sqrt(mean(y, margin, func(y, margin float64) float64 {
		d := loss(y, margin) - m
		return float64(d * d)
	}))
}

// pooledAUC returns the AUC of out-of-fold margins. Where each fold has one
// margin for all its rows, as the baseline's have, nothing is ranked and the
// AUC is one half; pooled, the folds' small differences would be taken for an
// order, and the wrong one, since a fold with more positive rows leaves
// fewer to learn from.
func (s *search) pooledAUC(margin []float64) float64 {
	if s.flat(margin) {
		return 0.5
	}
	return auc(s.labels(), margin)
}

// value returns the ranking metric of out-of-fold margins.
func (s *search) value(margin []float64) float64 {
	if s.measure.name == "auc" {
		return s.pooledAUC(margin)
	}
	return s.measure.value(s.labels(), margin)
}

func (s *search) flat(margin []float64) bool {
	for _, fold := range s.folds {
		for _, i := range fold {
			if margin[i] != margin[fold[0]] {
				return false
			}
		}
	}
	return true
}

// row fills in the task's metrics: of all rows pooled, and the standard
// deviation over the folds in which they exist.
func (s *search) row(name string, params map[string]any, margin []float64) Row {
	y := s.labels()
	out := Row{Rows: len(margin)}
	out.Learner, out.Params = name, params
	if s.Task == bundle.Binary {
		out.AUC, out.LogLoss = number(s.pooledAUC(margin)), number(logLoss(y, margin))
		out.AUCSD = s.overFolds(y, margin, auc)
	} else {
		out.RMSE, out.MAE = number(rmse(y, margin)), number(mae(y, margin))
		out.RMSESD = s.overFolds(y, margin, rmse)
	}
	return out
}

func (s *search) overFolds(y, margin []float64, value func(y, margin []float64) float64) *float64 {
	var values []float64
	for _, fold := range s.folds {
		if v := value(at(y, fold), at(margin, fold)); !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	if len(values) < 2 {
		return nil
	}
	var mean, ss float64
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		ss += float64((v - mean) * (v - mean))
	}
	return number(math.Sqrt(ss / float64(len(values)-1)))
}

// number is nil for what is not finite: it does not exist, and JSON could not
// hold it.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func at[T any](v []T, index []int) []T {
	out := make([]T, len(index))
	for i, j := range index {
		out[i] = v[j]
	}
	return out
}
