package evaluate

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/metrics"
	"github.com/tandem-ml/tandem/stats"
)

// resamples returns how often n rows are resampled; see [Holdout].
func resamples(n int) int { return max(200, min(1000, 100_000_000/n)) }

// resample draws n rows with replacement, again and again, and hands visit how
// often each row was drawn. All metrics of a holdout share the draws: drawing
// costs more than measuring.
func resample(n int, root uint64, visit func(drawn []int32)) {
	rng := seed.Stream(root, "holdout", 0)
	drawn := make([]int32, n)
	for range resamples(n) {
		clear(drawn)
		for range n {
			drawn[rng.IntN(n)]++
		}
		visit(drawn)
	}
}

// measures gathers the values of each metric over the resamples.
type measures map[string][]float64

// add leaves out what float64 cannot hold: the square of an error of 1e154,
// drawn three times.
func (m measures) add(name string, v float64) {
	if !math.IsNaN(v) && !math.IsInf(v, 0) {
		m[name] = append(m[name], v)
	}
}

// interval returns value with the percentile interval of the gathered ones,
// widened to hold it.
func (m measures) interval(name string, value float64) (bundle.Measure, error) {
	if len(m[name]) == 0 {
		return bundle.Measure{Value: value, Low: value, High: value}, nil
	}
	low, err := stats.Quantile(m[name], 0.025)
	if err != nil {
		return bundle.Measure{}, fmt.Errorf("interval of %s: %w", name, err)
	}
	high, err := stats.Quantile(m[name], 0.975)
	if err != nil {
		return bundle.Measure{}, fmt.Errorf("interval of %s: %w", name, err)
	}
	return bundle.Measure{Value: value, Low: math.Min(low, value), High: math.Max(high, value)}, nil
}

// scored is a row of a binary holdout with what the metrics need of it.
type scored struct {
	score, logLoss, brier float64
	positive, right       bool
	last                  bool // the next row has a higher score
}

// resampleBinary returns accuracy, log_loss, brier, ks and calibration_error.
func resampleBinary(label []bool, score []float64, threshold float64, root uint64) (map[string]bundle.Measure, error) {
	n := len(label)
	rows := make([]scored, n)
	order := all(n)
	slices.SortFunc(order, func(i, j int) int {
		if c := cmp.Compare(score[i], score[j]); c != 0 {
			return c
		}
		return i - j
	})
	for k, i := range order {
		one, s := label[i:i+1], score[i:i+1]
		logLoss, err := metrics.LogLoss(one, s, nil)
		if err != nil {
			return nil, err
		}
		brier, err := metrics.Brier(one, s, nil)
		if err != nil {
			return nil, err
		}
		rows[k] = scored{
			score: score[i], logLoss: logLoss, brier: brier, positive: label[i],
			right: (score[i] >= threshold) == label[i],
			last:  k == n-1 || score[order[k+1]] != score[i],
		}
	}
	m := measures{}
	resample(n, root, func(drawn []int32) { measureBinary(rows, drawn, m) })

	value := measures{} // of the rows themselves, each drawn once
	once := make([]int32, n)
	for i := range once {
		once[i] = 1
	}
	measureBinary(rows, once, value)
	out := map[string]bundle.Measure{}
	for _, name := range []string{"accuracy", "log_loss", "brier", "ks", "calibration_error"} {
		var err error
		if out[name], err = m.interval(name, value[name][0]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// measureBinary adds the metrics of one resample to m: row k of rows, which are
// by increasing score, occurs drawn[k] times. It is package metrics in one pass;
// a test holds the two together. A resample of one class has no ks.
func measureBinary(rows []scored, drawn []int32, m measures) {
	n, positive := 0, 0
	for k := range rows {
		n += int(drawn[k])
		if rows[k].positive {
			positive += int(drawn[k])
		}
	}
	negative := n - positive

	var logLoss, brier, ks, calibration float64
	var right, positiveBelow, negativeBelow int
	// The bins of metrics.Reliability: equal sizes, the first ones a row larger.
	bins := min(metrics.Bins, n)
	bin, room, inBin, positiveInBin, scoreInBin := 0, n/bins, 0, 0, 0.0
	if n%bins > 0 {
		room++
	}
	for k := range rows {
		r, times := &rows[k], int(drawn[k])
		if times > 0 {
			w := float64(times)
			logLoss += float64(w * r.logLoss)
			brier += float64(w * r.brier)
			if r.right {
				right += times
			}
			if r.positive {
				positiveBelow += times
			} else {
				negativeBelow += times
			}
			for times > 0 { // a row drawn often may fill a bin and go on in the next
				here := min(times, room-inBin)
				times -= here
				inBin += here
				scoreInBin += float64(float64(here) * r.score)
				if r.positive {
					positiveInBin += here
				}
				if inBin == room {
					calibration += math.Abs(float64(positiveInBin) - scoreInBin)
					bin, inBin, positiveInBin, scoreInBin = bin+1, 0, 0, 0
					room = n / bins
					if bin < n%bins {
						room++
					}
				}
			}
		}
		if r.last {
			ks = math.Max(ks, float64(negativeBelow)/float64(negative)-float64(positiveBelow)/float64(positive))
		}
	}
	size := float64(n)
	m.add("accuracy", float64(right)/size)
	m.add("log_loss", logLoss/size)
	m.add("brier", brier/size)
	m.add("calibration_error", calibration/size)
	if positive > 0 && negative > 0 {
		m.add("ks", math.Min(1, ks))
	}
}

// regressionFacts returns rmse, mae and r2.
func regressionFacts(y, score []float64, root uint64) (Facts, error) {
	value := map[string]float64{}
	for _, metric := range []struct {
		name string
		of   func(y, predicted []float64) (float64, error)
	}{{"rmse", metrics.RMSE}, {"mae", metrics.MAE}, {"r2", metrics.R2}} {
		v, err := metric.of(y, score)
		if metric.name == "r2" && err != nil {
			continue // the truth does not vary; what else can be wrong, rmse has found
		}
		if err != nil {
			return Facts{}, err
		}
		value[metric.name] = v
	}
	n := len(y)
	mean := 0.0
	for _, v := range y {
		mean += v / float64(n)
	}
	m := measures{}
	resample(n, root, func(drawn []int32) {
		var absolute, squares, sum, around float64 // around: squares about the mean of all rows
		for i, times := range drawn {
			w, d, c := float64(times), y[i]-score[i], y[i]-mean
			absolute += float64(w * math.Abs(d))
			squares += float64(w * float64(d*d))
			sum += float64(w * c)
			around += float64(w * float64(c*c))
		}
		m.add("rmse", math.Sqrt(squares/float64(n)))
		m.add("mae", absolute/float64(n))
		if total := around - float64(sum*sum)/float64(n); total > 0 {
			m.add("r2", 1-squares/total)
		}
	})
	f := Facts{Measures: map[string]bundle.Measure{}}
	for name, v := range value { // a map to a map: no order
		var err error
		if f.Measures[name], err = m.interval(name, v); err != nil {
			return Facts{}, err
		}
	}
	return f, nil
}
