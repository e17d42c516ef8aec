package hypothesis

import (
	"fmt"
	"math"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/stats"
)

// alpha is the level below which a corrected p-value is significant.
const alpha = 0.05

// finding is an answer whose sentence waits for the corrected p-value.
type finding struct {
	bundle.Hypothesis
	say func(significant bool, evidence string) string
	// power is the probability of p < alpha if the effect is that large, with a
	// multiple of the rows; nil where it is not known.
	power func(effect, rows float64) float64
	// sibling is the other test that fits the question, run as well to tell
	// whether the answer hangs on the choice; its P is 2 if there is none.
	sibling stats.Result
	notes   []string // what else would change the answer, or should be known
}

// Test answers the questions on the rows of t, in their order, with p-values
// corrected by Holm's method over the list.
//
// How a question's test is chosen is in the table of docs/hypotheses.md; the
// answer says why, what was looked at, which tests were not taken, and what
// would change it. The first group, whose excess is a positive effect, is that of
// the rarer value. Rows with a missing value in a column asked about are left
// out and counted in Why.
//
// It returns an error naming the question and the column if a question is not one
// ([Question]), a column does not exist (with the nearest that does), is of the
// wrong kind, has too many values, or holds too little to test: a *data.Hinted
// with what to do.
func Test(t *data.Table, questions []Question) ([]bundle.Hypothesis, error) {
	return TestCorrected(t, questions, stats.HolmStep)
}

// corrections are the names of [stats.Correction], in its order.
var corrections = []string{"Bonferroni", "Sidak", "Holm", "Holm-Sidak", "Hochberg", "Hommel", "Benjamini-Hochberg", "Benjamini-Yekutieli"}

// CorrectionOf returns the correction of that name, whatever its case: one of
// Bonferroni, Sidak, Holm, Holm-Sidak, Hochberg, Hommel, Benjamini-Hochberg and
// Benjamini-Yekutieli, or BH or BY for the last two.
func CorrectionOf(name string) (stats.Correction, error) {
	for i, c := range corrections {
		if strings.EqualFold(c, name) {
			return stats.Correction(i), nil
		}
	}
	switch strings.ToLower(name) {
	case "bh":
		return stats.BenjaminiHochberg, nil
	case "by":
		return stats.BenjaminiYekutieli, nil
	}
	err := fmt.Errorf("there is no correction %q", name)
	return 0, data.WithHint(err, "take one of %s", strings.Join(corrections, ", "))
}

// TestCorrected is [Test] with another correction for the number of questions.
func TestCorrected(t *data.Table, questions []Question, by stats.Correction) ([]bundle.Hypothesis, error) {
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
	corrected, err := stats.Adjust(p, by)
	if err != nil {
		return nil, fmt.Errorf("hypotheses: %w", err)
	}
	out := make([]bundle.Hypothesis, len(found))
	for i, f := range found {
		f.PCorrected = corrected[i]
		f.Correction, f.Family = corrections[by], len(found)
		f.Sentence = f.say(f.PCorrected < alpha, evidence(f.Hypothesis))
		f.plan()
		f.Changes = f.changes()
		for _, v := range []*float64{&f.Statistic, &f.Effect, &f.EffectLow, &f.EffectHigh} {
			*v = math.Max(-math.MaxFloat64, math.Min(math.MaxFloat64, *v)) // JSON has no infinity
		}
		out[i] = f.Hypothesis
	}
	return out, nil
}

func answer(t *data.Table, q Question) (finding, error) {
	verb, err := q.verb()
	if err != nil {
		return finding{}, err
	}
	switch verb {
	case "associate":
		return associate(t, q.Associate[0], q.Associate[1])
	case "correlate":
		return correlate(t, q.Correlate[0], q.Correlate[1], q.Given)
	case "trend":
		return trend(t, q.Trend, q.Over)
	case "spread":
		return spread(t, q.Spread, q.Between)
	case "normal":
		return normal(t, q.Normal)
	case "proportion":
		return proportion(t, q.Proportion, q.Is, q.share())
	case "paired":
		return paired(t, q.Paired)
	case "ab":
		return experiment(t, q)
	case "survival":
		return survival(t, q.Survival, q.Event, q.Between)
	}
	switch {
	case q.Within != 0:
		return equivalent(t, q.Compare, q.Between, q.Within)
	case len(q.Given) > 0:
		return compareGiven(t, q.Compare, q.Between, q.Given)
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
