package bundle

import (
	"fmt"

	"github.com/tandem-ml/tandem/bundle/num"
)

// Answer is what a model says of one row.
type Answer struct {
	Margin   float64
	Score    float64
	Decision string // the label; "" for regression

	// Scores are the probabilities of all classes of a multiclass model, in the
	// order of Decision.Classes; Margin and Score are then those of the class
	// decided for. Else nil.
	Scores []float64
}

// Answer scores one encoded row and decides. It allocates for multiclass
// models only.
func (m *Model) Answer(row []float64) Answer {
	c := m.state()
	if c.classes == nil {
		margin, score := m.Score(row)
		return Answer{Margin: margin, Score: score, Decision: m.Decide(score)}
	}
	a := Answer{Scores: make([]float64, len(c.classes))}
	class, margin := m.classify(a.Scores, row)
	a.Margin, a.Score, a.Decision = margin, a.Scores[class], m.Decision.Classes[class]
	return a
}

// Answers is [Model.Answer] for every row, on all processors.
func (m *Model) Answers(rows Rows) []Answer {
	out := make([]Answer, rows.N)
	if m.state().classes == nil {
		margin, score := make([]float64, rows.N), make([]float64, rows.N)
		m.ScoreRows(margin, score, rows)
		for i := range out {
			out[i] = Answer{Margin: margin[i], Score: score[i], Decision: m.Decide(score[i])}
		}
		return out
	}
	m.eachClassified(rows, func(i, class int, margin float64, scores []float64) {
		out[i] = Answer{Margin: margin, Score: scores[class], Decision: m.Decision.Classes[class], Scores: scores}
	})
	return out
}

// Class returns the model of one class of a multiclass model: a regression
// whose score is the margin of the class, to explain it. It panics for other
// models.
func (m *Model) Class(class int) *Model { return m.state().classes[class] }

// classify sets scores to the probabilities of all classes of an encoded row,
// and returns the class with the largest margin, the first of equals, and that
// margin.
func (m *Model) classify(scores, row []float64) (class int, margin float64) {
	for k, of := range m.c.classes {
		scores[k] = of.Margin(row)
	}
	return m.fromMargins(scores)
}

// fromMargins replaces the margins of a row's classes by their scores.
func (m *Model) fromMargins(x []float64) (class int, margin float64) {
	for k, v := range x {
		if v > x[class] {
			class = k
		}
	}
	margin = x[class]
	if m.Calibration.Method == "softmax" {
		num.Softmax(x)
		return class, margin
	}
	for k, v := range x {
		x[k] = num.Sigmoid(float64(m.Calibration.A*v) + m.Calibration.B)
	}
	return class, margin
}

// eachClassified calls do for every row, with scores that do may keep.
func (m *Model) eachClassified(rows Rows, do func(i, class int, margin float64, scores []float64)) {
	classes := len(m.c.classes)
	margins := make([][]float64, classes)
	for k, of := range m.c.classes {
		margins[k] = make([]float64, rows.N)
		of.ScoreRows(margins[k], nil, rows)
	}
	all := make([]float64, rows.N*classes)
	for i := range rows.N {
		scores := all[i*classes : (i+1)*classes : (i+1)*classes]
		for k := range scores {
			scores[k] = margins[k][i]
		}
		class, margin := m.fromMargins(scores)
		do(i, class, margin, scores)
	}
}

// scoreClasses is ScoreRows of a multiclass model.
func (m *Model) scoreClasses(margin, score []float64, rows Rows) {
	m.eachClassified(rows, func(i, class int, top float64, scores []float64) {
		margin[i] = top
		if score != nil {
			score[i] = scores[class]
		}
	})
}

// maxClasses bounds what a file can make a reader prepare.
const maxClasses = 10_000

func (d *Decision) checkClasses() error {
	switch {
	case d.Positive != "" || d.Negative != "":
		return fmt.Errorf("decision: the labels %q and %q do not go with several classes", d.Positive, d.Negative)
	case len(d.Classes) < 2 || len(d.Classes) > maxClasses:
		return fmt.Errorf("decision: %d classes, from 2 to %d are possible", len(d.Classes), maxClasses)
	}
	seen := make(map[string]bool)
	for _, label := range d.Classes {
		if label == "" || seen[label] {
			return fmt.Errorf("decision: class %q is empty or there twice", label)
		}
		seen[label] = true
	}
	return nil
}

// checkOutputs makes sure that every output has a member, and no other has.
func (m *Model) checkOutputs() error {
	outputs := max(1, len(m.Decision.Classes))
	has := make([]bool, outputs)
	for i, b := range m.Members {
		if b.Output < 0 || b.Output >= outputs {
			return fmt.Errorf("member %d (%s) belongs to output %d of %d, counted from 0", i, b.Learner, b.Output, outputs)
		}
		has[b.Output] = true
	}
	for k, ok := range has {
		if !ok {
			return fmt.Errorf("class %q has no members", m.Decision.Classes[k])
		}
	}
	return nil
}
