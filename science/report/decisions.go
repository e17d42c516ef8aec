package report

import (
	"fmt"
	"math"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/chart"
)

// Decisions says in words what deciding at the threshold does on the holdout.
type Decisions struct {
	Threshold float64          `json:"threshold"`
	Confusion bundle.Confusion `json:"confusion"`
	Rows      int              `json:"rows"`
	BaseRate  float64          `json:"base_rate"` // share of positives

	Caught    Share    `json:"caught"`    // recall: of the positives, those decided positive
	Alarms    Share    `json:"alarms"`    // of the negatives, those decided positive
	Precision Share    `json:"precision"` // of those decided positive, the positives
	Sentences []string `json:"sentences"`

	Costs *Costs `json:"costs,omitempty"` // nil when no costs were given
}

// Share is Hits of Of with Wilson's 95% interval.
type Share struct {
	Hits  int     `json:"hits"`
	Of    int     `json:"of"`
	Value float64 `json:"value"` // 0 when Of is 0
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Costs compares the mean cost of a holdout row under the model with the two
// rules that need no model.
type Costs struct {
	FalsePositive float64 `json:"false_positive"`
	FalseNegative float64 `json:"false_negative"`
	Model         float64 `json:"model"`
	Majority      float64 `json:"majority"` // always the larger class
	Minority      float64 `json:"minority"` // always the smaller class
	Best          float64 `json:"best"`     // the cheaper of the two rules
	// Saving is 1 - Model/Best: the share of the cheapest rule's cost that the
	// model saves; negative if it costs more, 0 if the rule costs nothing.
	Saving float64 `json:"saving"`
}

// names are the two classes and the larger of them, as sentences call them.
type names struct{ positive, negative, majority, minority string }

func namesOf(c bundle.Card) names {
	n := names{positive: c.Positive, negative: c.Negative}
	if n.positive == "" {
		n.positive = "positive"
	}
	if n.negative == "" {
		n.negative = "not " + n.positive
	}
	n.majority, n.minority = n.negative, n.positive
	if k := c.Confusion; k != nil && k.TP+k.FN > k.FP+k.TN {
		n.majority, n.minority = n.positive, n.negative
	}
	return n
}

// share returns hits of n with the interval of Wilson, "Probable inference,
// the law of succession, and statistical inference", JASA 22, 1927.
func share(hits, n int) Share {
	s := Share{Hits: hits, Of: n}
	if n == 0 {
		return s
	}
	const z = 1.959963984540054 // 97.5% quantile of the normal distribution
	size := float64(n)
	p := float64(hits) / size
	centre := (p + z*z/(2*size)) / (1 + z*z/size)
	half := z / (1 + z*z/size) * math.Sqrt(float64(p*(1-p))/size+z*z/(4*size*size))
	s.Value, s.Low, s.High = p, max(centre-half, 0), min(centre+half, 1)
	return s
}

func decisions(c bundle.Card) *Decisions {
	k := c.Confusion
	if k == nil || c.Task == bundle.Regression {
		return nil
	}
	positives, negatives := k.TP+k.FN, k.FP+k.TN
	d := &Decisions{Threshold: c.Threshold, Confusion: *k, Rows: positives + negatives,
		Caught: share(k.TP, positives), Alarms: share(k.FP, negatives), Precision: share(k.TP, k.TP+k.FP)}
	if d.Rows == 0 {
		return nil
	}
	d.BaseRate = float64(positives) / float64(d.Rows)
	d.Costs = costs(c, d.Rows, positives, negatives)
	d.Sentences = sentences(c, d)
	return d
}

func costs(c bundle.Card, rows, positives, negatives int) *Costs {
	if c.FalsePositive <= 0 && c.FalseNegative <= 0 {
		return nil
	}
	n := float64(rows)
	x := &Costs{FalsePositive: c.FalsePositive, FalseNegative: c.FalseNegative}
	x.Model = (float64(c.FalsePositive*float64(c.Confusion.FP)) + float64(c.FalseNegative*float64(c.Confusion.FN))) / n
	x.Majority = c.FalseNegative * float64(positives) / n // everyone is called negative
	x.Minority = c.FalsePositive * float64(negatives) / n // everyone is called positive
	if positives > negatives {
		x.Majority, x.Minority = x.Minority, x.Majority
	}
	x.Best = min(x.Majority, x.Minority)
	if x.Best > 0 {
		x.Saving = 1 - x.Model/x.Best
	}
	return x
}

// outOf100 rounds a share to a count of a hundred, never to none or all unless
// it is.
func outOf100(s Share) string {
	v := math.Round(s.Value * 100)
	switch {
	case s.Hits > 0 && v == 0:
		return "fewer than 1"
	case s.Hits < s.Of && v == 100:
		return "more than 99"
	}
	return fmt.Sprintf("%.0f", v)
}

func sentences(c bundle.Card, d *Decisions) []string {
	n := namesOf(c)
	var out []string
	if d.Caught.Of > 0 {
		out = append(out, fmt.Sprintf("Of 100 cases that are %s, %s are caught (%s of %s; 95%% interval %s to %s) and the others are missed.",
			n.positive, outOf100(d.Caught), chart.Count(int64(d.Caught.Hits)), chart.Count(int64(d.Caught.Of)), chart.Percent(d.Caught.Low), chart.Percent(d.Caught.High)))
	}
	if d.Alarms.Of > 0 {
		out = append(out, fmt.Sprintf("Of 100 cases that are %s, %s are called %s in error (%s of %s; %s to %s).",
			n.negative, outOf100(d.Alarms), n.positive, chart.Count(int64(d.Alarms.Hits)), chart.Count(int64(d.Alarms.Of)), chart.Percent(d.Alarms.Low), chart.Percent(d.Alarms.High)))
	}
	if d.Precision.Of == 0 {
		out = append(out, "At this threshold no case of the holdout is called "+n.positive+": the model decides like the majority rule.")
	} else {
		out = append(out, fmt.Sprintf("Of 100 cases called %s, %s are (%s of %s; %s to %s).", n.positive, outOf100(d.Precision),
			chart.Count(int64(d.Precision.Hits)), chart.Count(int64(d.Precision.Of)), chart.Percent(d.Precision.Low), chart.Percent(d.Precision.High)))
	}
	if x := d.Costs; x != nil {
		out = append(out, fmt.Sprintf("With a cost of %s for each %s case called %s and of %s for each %s case missed, deciding by the model costs %s a case; calling every case %s costs %s, calling every case %s costs %s.",
			chart.Short(x.FalsePositive), n.negative, n.positive, chart.Short(x.FalseNegative), n.positive,
			chart.Short(x.Model), n.majority, chart.Short(x.Majority), n.minority, chart.Short(x.Minority)), saving(x))
	}
	return out
}

func saving(x *Costs) string {
	switch {
	case x.Best == 0:
		return "A rule without a model costs nothing here, so there is nothing to save."
	case x.Saving > 0:
		return fmt.Sprintf("That is %s less than the cheaper of the two rules.", chart.Percent(x.Saving))
	case x.Saving < 0:
		return fmt.Sprintf("That is %s more than the cheaper of the two rules: at this threshold the model does not pay.", chart.Percent(-x.Saving))
	}
	return "That is as much as the cheaper of the two rules."
}
