package monitor

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/metrics"
)

// Performance is what one finished window of outcomes shows.
type Performance struct {
	Bundle   string `json:"bundle"`
	Outcomes int    `json:"outcomes"`

	Metric   string         `json:"metric"` // "auc", or "rmse" for regression
	Realised bundle.Measure `json:"realised"`
	Holdout  bundle.Measure `json:"holdout"` // what the model's card promised

	// Others are further measures of the window without an interval: accuracy,
	// log_loss and ks, or mae.
	Others map[string]float64 `json:"others,omitempty"`

	Judged    bool     `json:"judged"` // false: too few of one class; Realised is zero
	Worse     bool     `json:"worse"`  // the drop reaches the floor and is beyond chance
	Alarm     bool     `json:"alarm"`  // worse twice in a row, or beyond doubt
	Alarms    []Alarm  `json:"alarms,omitempty"`
	Sentences []string `json:"sentences"`
}

// leastClass is the number of outcomes of each class below which an AUC is not
// judged: its standard error is itself a guess there.
const leastClass = 20

// outcomes gathers the outcomes of a window.
type outcomes struct {
	score []float64
	y     []float64 // 1 for the positive class, or for a class that was foretold, or the value
	worse bool      // the window before was worse
}

// Outcome adds what turned out to be true about a decision with that score and
// label, which only counts where there are several classes. It returns the
// performance of the window that ended with it, otherwise nil.
//
// value is one of the bundle's labels (or of the target's values), or a
// number for regression; anything else is an error and is not counted. A
// correction counts like an outcome of its own: it is for the caller to leave out
// outcomes that were counted before.
func (m *Monitor) Outcome(score float64, decision, value string) (*Performance, error) {
	y, err := m.target(decision, value)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o := &m.outcome
	o.score, o.y = append(o.score, score), append(o.y, y)
	if len(o.y) < m.opt.Outcomes {
		return nil, nil
	}
	p := m.perform()
	o.score, o.y, o.worse = o.score[:0], o.y[:0], p.Worse
	return p, nil
}

// target reads an outcome.
func (m *Monitor) target(decision, value string) (float64, error) {
	d := &m.bundle.Decision
	if d.Classes != nil {
		switch known := func(class string) bool { return data.SameValue(value, class) }; {
		case !slices.ContainsFunc(d.Classes, known):
			return 0, data.WithHint(fmt.Errorf("the outcome %q is none of the %d classes", clip(value), len(d.Classes)),
				"outcomes are written as the target is in the training data")
		case data.SameValue(value, decision):
			return 1, nil
		}
		return 0, nil
	}
	if m.bundle.Manifest.Task == bundle.Regression {
		y, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || math.IsNaN(y) || math.IsInf(y, 0) {
			return 0, fmt.Errorf("the outcome %q is not a number", clip(value))
		}
		return y, nil
	}
	switch {
	case data.SameValue(value, d.Positive):
		return 1, nil
	case data.SameValue(value, d.Negative):
		return 0, nil
	}
	return 0, data.WithHint(fmt.Errorf("the outcome %q is neither %q nor %q", clip(value), d.Positive, d.Negative),
		"outcomes are written as the target is in the training data")
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "..."
	}
	return s
}

// perform judges the gathered outcomes.
func (m *Monitor) perform() *Performance {
	p := &Performance{Bundle: m.bundle.ID(), Outcomes: len(m.outcome.y)}
	var drop, se, floor float64
	switch m.bundle.Manifest.Task {
	case bundle.Regression:
		p.Metric, p.Holdout = "rmse", m.bundle.Card.Holdout["rmse"]
		drop, se = p.regression(m.outcome.score, m.outcome.y)
		floor = m.opt.Floors.RMSE * p.Holdout.Value
	case bundle.Multiclass:
		p.Metric, p.Holdout = "accuracy", m.bundle.Card.Holdout["accuracy"]
		drop, se = p.classes(m.outcome.y)
		floor = m.opt.Floors.AUC
	default:
		p.Metric, p.Holdout = "auc", m.bundle.Card.Holdout["auc"]
		drop, se = p.binary(m.outcome.score, m.outcome.y, m.bundle.Decision.Threshold)
		floor = m.opt.Floors.AUC
	}
	if !p.Judged {
		p.Sentences = []string{fmt.Sprintf("%d outcomes, but fewer than %d of one class: too few to judge the model by.", p.Outcomes, leastClass)}
		return p
	}
	if p.Holdout == (bundle.Measure{}) {
		p.Sentences = []string{p.words() + "; the model's card has nothing to compare it with."}
		return p
	}
	// The probability of such a drop, or a larger one, if the model were as
	// good as on the holdout: one-sided, both being uncertain.
	holdoutSE := (p.Holdout.High - p.Holdout.Low) / (2 * 1.959964)
	chance := 1.0
	if s := math.Hypot(se, holdoutSE); s > 0 {
		chance = 0.5 * math.Erfc(drop/s/math.Sqrt2)
	} else if drop > 0 {
		chance = 0
	}
	p.Worse = drop >= floor && chance < m.opt.P
	p.Alarm = p.Worse && (m.outcome.worse || chance < m.opt.Certain)
	against := fmt.Sprintf(", against %.3f (%.3f to %.3f) on the holdout", p.Holdout.Value, p.Holdout.Low, p.Holdout.High)
	switch {
	case p.Alarm:
		a := Alarm{Kind: PerformanceDrop, Text: "The model is worse than it was: " + p.words() + against + "."}
		p.Alarms = []Alarm{a}
		p.Sentences = []string{a.Text}
	case p.Worse:
		p.Sentences = []string{"The model may be worse than it was: " + p.words() + against +
			". It is the first time: an alarm follows if the next outcomes show it again."}
	default:
		p.Sentences = []string{"The model is about as good as on the holdout: " + p.words() + against + "."}
	}
	return p
}

func (p *Performance) words() string {
	name := map[string]string{"auc": "AUC", "rmse": "RMSE", "accuracy": "accuracy"}[p.Metric]
	return fmt.Sprintf("%s %.3f (95%% interval %.3f to %.3f) over %d outcomes", name, p.Realised.Value, p.Realised.Low, p.Realised.High, p.Outcomes)
}

// binary measures scores of two classes; drop is the loss of AUC.
func (p *Performance) binary(score, y []float64, threshold float64) (drop, se float64) {
	label := make([]bool, len(y))
	positive := 0
	for i, v := range y {
		if label[i] = v == 1; label[i] {
			positive++
		}
	}
	p.Others = make(map[string]float64)
	keep := func(name string, v float64, err error) {
		if err == nil {
			p.Others[name] = v
		}
	}
	v, err := metrics.Accuracy(label, score, threshold)
	keep("accuracy", v, err)
	v, err = metrics.LogLoss(label, score, nil)
	keep("log_loss", v, err)
	if positive < leastClass || len(y)-positive < leastClass {
		return 0, 0
	}
	v, err = metrics.KS(label, score, nil)
	keep("ks", v, err)
	auc, se, err := metrics.DeLong(label, score)
	if err != nil {
		return 0, 0
	}
	p.Judged = true
	p.Realised = bundle.Measure{Value: auc, Low: max(0, auc-1.959964*se), High: min(1, auc+1.959964*se)}
	return p.Holdout.Value - auc, se
}

// classes measures how often the class was foretold, with Wilson's interval
// (JASA 22, 1927); drop is the loss of accuracy.
func (p *Performance) classes(right []float64) (drop, se float64) {
	const z = 1.959964
	n, share := float64(len(right)), 0.0
	for _, y := range right {
		share += y
	}
	share /= n
	middle := (share + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(share*(1-share)/n+z*z/(4*n*n))
	p.Judged = true
	p.Realised = bundle.Measure{Value: share, Low: middle - half, High: middle + half}
	return p.Holdout.Value - share, math.Sqrt(share * (1 - share) / n)
}

// regression measures predictions; drop is the rise of the RMSE. Its standard
// error follows from that of the mean squared error by the delta method.
func (p *Performance) regression(score, y []float64) (drop, se float64) {
	n := float64(len(y))
	var sum, abs float64
	for i := range y {
		e := score[i] - y[i]
		sum += float64(e * e)
		abs += math.Abs(e)
	}
	mse := sum / n
	var spread float64
	for i := range y {
		e := score[i] - y[i]
		d := float64(e*e) - mse
		spread += float64(d * d)
	}
	rmse := math.Sqrt(mse)
	if math.IsNaN(rmse) || math.IsInf(rmse, 0) {
		return 0, 0
	}
	if rmse > 0 {
		se = math.Sqrt(spread/(n-1)/n) / (2 * rmse)
	}
	p.Judged = true
	p.Others = map[string]float64{"mae": abs / n}
	p.Realised = bundle.Measure{Value: rmse, Low: max(0, rmse-1.959964*se), High: rmse + 1.959964*se}
	return rmse - p.Holdout.Value, se
}
