package hypothesis

import (
	"errors"
	"fmt"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/stats"
)

// Question names what to test: either Compare and Between, or Associate.
type Question struct {
	Question  string   // in plain words; "" makes one from the columns
	Compare   string   // a number column
	Between   string   // a column with exactly two values: the groups
	Associate []string // two columns of categories, or of few distinct numbers
}

// alpha is the level below which a corrected p-value is significant.
const alpha = 0.05

// finding is an answer whose sentence waits for the corrected p-value.
type finding struct {
	bundle.Hypothesis
	say func(significant bool, evidence string) string
}

// Test answers the questions on the rows of t, in their order.
//
// Compare is answered by the Mann-Whitney test if a group has fewer than 50
// rows, or is strongly skewed, or has far outliers, and by Welch's t-test
// otherwise. The first group, whose excess is a positive effect, is that of the
// rarer value. Associate is answered by the chi-squared test; Why says so where
// counts are too small for its p-value to be trusted. Rows with a missing value in
// either column are left out and counted in Why. P-values are corrected by Holm's
// method over the list.
//
// It returns an error naming the question and the column if a column does not
// exist (with the nearest that does), is of the wrong kind, has too many values,
// or holds too little to test: a *data.Hinted with what to do.
func Test(t *data.Table, questions []Question) ([]bundle.Hypothesis, error) {
	found := make([]finding, len(questions))
	p := make([]float64, len(questions))
	for i, q := range questions {
		f, err := answer(t, q)
		if err != nil {
			return nil, fmt.Errorf("hypothesis %d (%q): %w", i+1, q.title(), err)
		}
		f.Question = q.title()
		found[i], p[i] = f, f.P
	}
	corrected, err := stats.Holm(p)
	if err != nil {
		return nil, fmt.Errorf("hypotheses: %w", err)
	}
	out := make([]bundle.Hypothesis, len(found))
	for i, f := range found {
		f.PCorrected = corrected[i]
		f.Sentence = f.say(f.PCorrected < alpha, evidence(f.Hypothesis))
		out[i] = f.Hypothesis
	}
	return out, nil
}

func (q Question) title() string {
	switch {
	case q.Question != "":
		return q.Question
	case len(q.Associate) == 2:
		return fmt.Sprintf("Are %s and %s linked?", q.Associate[0], q.Associate[1])
	}
	return fmt.Sprintf("Does %s differ by %s?", q.Compare, q.Between)
}

func answer(t *data.Table, q Question) (finding, error) {
	const shape = "write compare: NUMBER and between: GROUPS, or associate: [A, B]"
	switch {
	case len(q.Associate) > 0 && (q.Compare != "" || q.Between != ""):
		return finding{}, data.WithHint(errors.New("both compare and associate are given"), shape)
	case len(q.Associate) == 2:
		return associate(t, q.Associate[0], q.Associate[1])
	case len(q.Associate) > 0:
		return finding{}, data.WithHint(fmt.Errorf("associate names %d columns, not two", len(q.Associate)), shape)
	case q.Compare == "" || q.Between == "":
		return finding{}, data.WithHint(errors.New("compare or between is missing"), shape)
	}
	return compare(t, q.Compare, q.Between)
}

// column returns the column of that name.
func column(t *data.Table, name string) (*data.Column, error) {
	if c := t.Column(name); c != nil {
		return c, nil
	}
	err := fmt.Errorf("there is no column %q", name)
	if near := data.Nearest(name, t.Names()); near != "" {
		return nil, data.WithHint(err, "did you mean %q?", near)
	}
	return nil, data.WithHint(err, "name a column of the table")
}

// fromResult takes over what the test found.
func fromResult(r stats.Result) bundle.Hypothesis {
	return bundle.Hypothesis{
		Test: r.Test, Rows: r.N, Statistic: r.Statistic, P: r.P,
		Effect: r.Effect, EffectName: r.EffectName, EffectLow: r.EffectLow, EffectHigh: r.EffectHigh,
	}
}
