package retrain

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/metrics"
)

// Gate is the test that a challenger must pass.
type Gate struct {
	// NonInferior is the largest loss that still counts as "not worse": of AUC,
	// or of RMSE as a share of the champion's. At least 0.
	NonInferior float64

	// Confidence is that of the one-sided lower bound, in [0.5, 1).
	Confidence float64

	// MinRows and MinClass are the numbers of rows, and of rows of each class,
	// below which nothing is promoted.
	MinRows, MinClass int

	// Seed is the root of the bootstrap's random numbers.
	Seed uint64
}

// DefaultGate returns the gate of a project that sets nothing.
func DefaultGate() Gate {
	return Gate{NonInferior: 0.005, Confidence: 0.95, MinRows: 200, MinClass: 30, Seed: 1}
}

func (g Gate) check() error {
	var errs []error
	if !(g.NonInferior >= 0 && g.NonInferior < 1) {
		errs = append(errs, fmt.Errorf("gate: non_inferior %v is outside [0, 1)", g.NonInferior))
	}
	if !(g.Confidence >= 0.5 && g.Confidence < 1) {
		errs = append(errs, fmt.Errorf("gate: confidence %v is outside [0.5, 1)", g.Confidence))
	}
	if g.MinRows < 2 || g.MinClass < 1 {
		errs = append(errs, fmt.Errorf("gate: at least 2 rows and 1 of each class are needed, not %d and %d", g.MinRows, g.MinClass))
	}
	return errors.Join(errs...)
}

// Verdict is what the comparison of two models on the same rows showed.
type Verdict struct {
	Promote bool `json:"promote"`

	Metric     string  `json:"metric"` // "auc" or "rmse"
	Champion   float64 `json:"champion"`
	Challenger float64 `json:"challenger"`

	// Difference is what the challenger is better by; negative if it is worse.
	// For auc it is the difference, for rmse the saving as a share of the
	// champion's. Low and High are its one-sided bounds, each at the
	// confidence.
	Difference float64 `json:"difference"`
	Low        float64 `json:"low"`
	High       float64 `json:"high"`

	// LogLoss is what the challenger's mean log loss is better by, with the
	// same bounds; binary only. A challenger that ranks as well but whose
	// probabilities are surely worse, High below 0 and the loss above two
	// percent of the champion's, is not promoted.
	LogLoss *Difference `json:"log_loss,omitempty"`

	Rows        int     `json:"rows"`
	Positives   int     `json:"positives"` // rows of the positive class; binary only
	Confidence  float64 `json:"confidence"`
	NonInferior float64 `json:"non_inferior"`

	Reasons []string `json:"reasons"` // why, in plain sentences
}

// Difference is an improvement with its one-sided bounds.
type Difference struct {
	Champion   float64 `json:"champion"`
	Challenger float64 `json:"challenger"`
	Value      float64 `json:"value"` // positive: the challenger is better
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
}

const (
	resamples      = 2000
	logLossAllowed = 0.02 // of the champion's
)

// Judge compares two models by their scores of the same rows. y is 1 for the
// positive class and 0 for the other; for regression it is the value. The
// slices have equal length and are not modified.
//
// The bounds are percentiles of 2000 paired bootstrap resamples (Efron, Annals
// of Statistics 7(1), 1979), drawn within each class so that every resample has
// an AUC. The same gate and rows give the same verdict. Time 2000 n.
//
// It returns an error if lengths differ, a score or a value is not finite, y
// is not 0 or 1 in a binary task, or the gate makes no sense. Too few rows are
// a verdict, not an error.
func Judge(task bundle.Task, champion, challenger, y []float64, gate Gate) (Verdict, error) {
	if err := gate.check(); err != nil {
		return Verdict{}, err
	}
	if len(champion) != len(y) || len(challenger) != len(y) {
		return Verdict{}, fmt.Errorf("%d scores of the champion, %d of the challenger, %d outcomes: they must be of the same rows", len(champion), len(challenger), len(y))
	}
	for i := range y {
		for _, x := range [...]float64{champion[i], challenger[i], y[i]} {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return Verdict{}, fmt.Errorf("row %d: score or outcome is not finite", i+1)
			}
		}
		if task == bundle.Binary && y[i] != 0 && y[i] != 1 {
			return Verdict{}, fmt.Errorf("row %d: outcome %v is neither 0 nor 1", i+1, y[i])
		}
	}
	v := Verdict{Rows: len(y), Confidence: gate.Confidence, NonInferior: gate.NonInferior}
	switch task {
	case bundle.Binary:
		return v, v.binary(champion, challenger, y, gate)
	case bundle.Regression:
		v.regression(champion, challenger, y, gate)
		return v, nil
	}
	return Verdict{}, fmt.Errorf("task %q cannot be judged", task)
}

func (v *Verdict) refuse(format string, args ...any) {
	v.Promote = false
	v.Reasons = append(v.Reasons, fmt.Sprintf(format, args...))
}

func (v *Verdict) binary(champion, challenger, y []float64, gate Gate) error {
	v.Metric = "auc"
	label := make([]bool, len(y))
	var class [2][]int
	for i := range y {
		label[i] = y[i] == 1
		class[int(y[i])] = append(class[int(y[i])], i)
	}
	v.Positives = len(class[1])
	if len(y) < gate.MinRows {
		v.refuse("only %d decisions with outcomes can judge; at least %d are needed", len(y), gate.MinRows)
	}
	if least := min(len(class[0]), len(class[1])); least < gate.MinClass {
		v.refuse("only %d of them are of the rarer class; at least %d are needed", least, gate.MinClass)
	}
	if len(class[0]) == 0 || len(class[1]) == 0 {
		return nil // no AUC
	}
	var err error
	if v.Champion, err = metrics.AUC(label, champion, nil); err != nil {
		return fmt.Errorf("champion: %w", err)
	}
	if v.Challenger, err = metrics.AUC(label, challenger, nil); err != nil {
		return fmt.Errorf("challenger: %w", err)
	}
	v.Difference = v.Challenger - v.Champion

	rankA, rankB := newRanking(champion, label), newRanking(challenger, label)
	lossA, lossB := logLosses(champion, y), logLosses(challenger, y)
	saved := make([]float64, len(y))
	for i := range y {
		saved[i] = lossA[i] - lossB[i]
	}
	count := make([]float64, len(y))
	auc, loss := make([]float64, resamples), make([]float64, resamples)
	for rep := range resamples {
		rng := seed.Stream(gate.Seed, "retrain/bootstrap", rep)
		clear(count)
		draw(count, class[0], rng)
		draw(count, class[1], rng)
		auc[rep] = rankB.auc(count) - rankA.auc(count)
		loss[rep] = dot(saved, count) / float64(len(y))
	}
	v.Low, v.High = bounds(auc, gate.Confidence)
	v.LogLoss = &Difference{Champion: mean(lossA), Challenger: mean(lossB), Value: mean(saved)}
	v.LogLoss.Low, v.LogLoss.High = bounds(loss, gate.Confidence)

	v.decide("AUC", gate)
	if l := v.LogLoss; l.High < 0 && -l.Value > logLossAllowed*l.Champion {
		v.refuse("its probabilities are worse: log loss %.4f against %.4f", l.Challenger, l.Champion)
	}
	return nil
}

func (v *Verdict) regression(champion, challenger, y []float64, gate Gate) {
	v.Metric = "rmse"
	if len(y) < gate.MinRows {
		v.refuse("only %d decisions with outcomes can judge; at least %d are needed", len(y), gate.MinRows)
	}
	if len(y) == 0 {
		return
	}
	all := make([]int, len(y))
	a, b := make([]float64, len(y)), make([]float64, len(y))
	// Errors are squared in units of the largest, so that no square overflows.
	largest := 0.0
	for i := range y {
		all[i] = i
		a[i], b[i] = champion[i]-y[i], challenger[i]-y[i]
		largest = max(largest, math.Abs(a[i]), math.Abs(b[i]))
	}
	if largest == 0 {
		largest = 1
	}
	for i := range y {
		a[i], b[i] = square(a[i]/largest), square(b[i]/largest)
	}
	saving := func(sumA, sumB float64) float64 {
		rootA, rootB := math.Sqrt(sumA), math.Sqrt(sumB)
		switch {
		case rootA > 0:
			return (rootA - rootB) / rootA
		case rootB > 0:
			return -1 // the champion makes no error at all
		}
		return 0
	}
	count := make([]float64, len(y))
	savings := make([]float64, resamples)
	for rep := range resamples {
		clear(count)
		draw(count, all, seed.Stream(gate.Seed, "retrain/bootstrap", rep))
		savings[rep] = saving(dot(a, count), dot(b, count))
	}
	n := float64(len(y))
	for i := range count {
		count[i] = 1
	}
	sumA, sumB := dot(a, count), dot(b, count)
	v.Champion, v.Challenger = largest*math.Sqrt(sumA/n), largest*math.Sqrt(sumB/n)
	v.Difference = saving(sumA, sumB)
	v.Low, v.High = bounds(savings, gate.Confidence)
	v.decide("RMSE", gate)
}

// decide compares the lower bound with the margin and says why.
func (v *Verdict) decide(name string, gate Gate) {
	tooFew := len(v.Reasons) > 0
	figures := fmt.Sprintf("%s %.4f against the champion's %.4f on the same %d decisions: better by %+.4f, at %g%% confidence by at least %+.4f",
		name, v.Challenger, v.Champion, v.Rows, v.Difference, 100*gate.Confidence, v.Low)
	if v.Metric == "rmse" {
		figures = fmt.Sprintf("%s %.6g against the champion's %.6g on the same %d decisions: smaller by %+.2f%%, at %g%% confidence by at least %+.2f%%",
			name, v.Challenger, v.Champion, v.Rows, 100*v.Difference, 100*gate.Confidence, 100*v.Low)
	}
	if v.Low > -gate.NonInferior {
		v.Promote = !tooFew
		v.Reasons = append(v.Reasons, figures+fmt.Sprintf("; a loss of %g was allowed", gate.NonInferior))
		return
	}
	v.refuse("%s; a loss of more than %g cannot be ruled out", figures, gate.NonInferior)
}

// draw counts as many draws with replacement from rows as there are rows.
func draw(count []float64, rows []int, rng *rand.Rand) {
	for range rows {
		count[rows[rng.IntN(len(rows))]]++
	}
}

// ranking holds rows in order of their score, so that a resample needs no
// sorting.
type ranking struct {
	order []int
	ends  []int // of runs of equal scores, in order
	label []bool
}

func newRanking(score []float64, label []bool) ranking {
	r := ranking{order: make([]int, len(score)), label: label}
	for i := range r.order {
		r.order[i] = i
	}
	sort.SliceStable(r.order, func(a, b int) bool { return score[r.order[a]] < score[r.order[b]] })
	for k := 1; k <= len(r.order); k++ {
		if k == len(r.order) || score[r.order[k]] != score[r.order[k-1]] {
			r.ends = append(r.ends, k)
		}
	}
	return r
}

// auc returns the AUC when row i occurs count[i] times. Both classes occur.
func (r *ranking) auc(count []float64) float64 {
	var wins, positives, negatives float64
	start := 0
	for _, end := range r.ends {
		var p, n float64
		for _, i := range r.order[start:end] {
			if r.label[i] {
				p += count[i]
			} else {
				n += count[i]
			}
		}
		wins += float64(p * (negatives + n/2))
		positives, negatives = positives+p, negatives+n
		start = end
	}
	return wins / (positives * negatives)
}

// logLosses returns each row's log loss; probabilities are kept 1e-15 away from
// 0 and 1, where one row would be infinitely bad.
func logLosses(score, y []float64) []float64 {
	out := make([]float64, len(y))
	for i, s := range score {
		p := min(max(s, 1e-15), 1-1e-15)
		if y[i] == 1 {
			out[i] = -math.Log(p)
		} else {
			out[i] = -math.Log1p(-p)
		}
	}
	return out
}

func square(x float64) float64 { return x * x }

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

func dot(x, count []float64) float64 {
	sum := 0.0
	for i, v := range x {
		sum += float64(v * count[i])
	}
	return sum
}

// bounds returns the one-sided percentile bounds of resampled values.
func bounds(values []float64, confidence float64) (low, high float64) {
	slices.Sort(values)
	at := func(q float64) float64 {
		h := q * float64(len(values)-1)
		i := int(h)
		if i+1 >= len(values) {
			return values[len(values)-1]
		}
		return values[i] + float64((h-float64(i))*(values[i+1]-values[i]))
	}
	return at(1 - confidence), at(confidence)
}
