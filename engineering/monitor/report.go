package monitor

import (
	"fmt"
	"slices"
	"time"

	"github.com/tandem-ml/tandem/data"
)

// Report is what one finished window of decisions shows.
type Report struct {
	Bundle    string    `json:"bundle"` // the id of the bundle that is watched
	From      time.Time `json:"from"`   // of the first decision; of a window of a duration its start
	To        time.Time `json:"to"`     // of the last decision; of a window of a duration its end
	Decisions int       `json:"decisions"`

	Columns []ColumnReport `json:"columns,omitempty"` // the inputs in contract order; none if there were too few decisions
	Score   *ColumnReport  `json:"score,omitempty"`   // nil if the bundle has no baseline of scores

	// Alarm is true if any of Alarms speaks. A column that has Drifted for the
	// first time, and not beyond doubt, is no alarm yet.
	Alarm  bool    `json:"alarm"`
	Alarms []Alarm `json:"alarms,omitempty"`

	// Sentences say in plain words what was found, the alarms first; one says so if nothing was.
	Sentences []string `json:"sentences"`
}

// The kinds of alarm.
const (
	CovariateDrift  = "covariate drift"
	ScoreDrift      = "score drift"
	PerformanceDrop = "performance drop"
)

// Alarm is one thing that calls for a person or for a new model.
type Alarm struct {
	Kind    string   `json:"kind"`
	Columns []string `json:"columns,omitempty"` // the inputs that drifted, the most important first
	Text    string   `json:"text"`              // a plain sentence
}

// ColumnReport compares one column of the window with the baseline.
type ColumnReport struct {
	Name string    `json:"name"`
	Kind data.Kind `json:"kind"`

	// Test is "Kolmogorov-Smirnov" for numbers, "chi-squared" for categories,
	// and "" for times, which are not tested.
	Test      string  `json:"test,omitempty"`
	Statistic float64 `json:"statistic"`

	// P is the smaller of the p-values of the values and of the missing share,
	// doubled if any value is missing, since then two questions are asked.
	// PCorrected is Holm's, over all columns of the window.
	P          float64 `json:"p"`
	PCorrected float64 `json:"p_corrected"`

	PSI        float64 `json:"psi"`
	Effect     float64 `json:"effect"`                // in the measure EffectName
	EffectName string  `json:"effect_name,omitempty"` // "normed Wasserstein" or "Jensen-Shannon"

	MissingNow  float64 `json:"missing_now"`  // shares in [0, 1]
	MissingBase float64 `json:"missing_base"` // in the baseline
	Unseen      float64 `json:"unseen"`       // share of values that training did not know; categories only

	// Importance is the column's share of the model's importance, in [0, 1]; 0
	// if the card does not say.
	Importance float64 `json:"importance"`

	Drifted  bool   `json:"drifted"`
	Sentence string `json:"sentence,omitempty"` // what changed, if it drifted

	byMissing bool // the missing share drifted, or it alone is significant
}

// conclude sets alarms and sentences. sure[j] says that column j calls for an
// alarm; the score is the last column.
func (r *Report) conclude(columns []ColumnReport, sure []bool) {
	score := len(columns) - 1
	byImportance := func(pick func(j int) bool) (out []*ColumnReport) {
		for j := range columns[:score] {
			if pick(j) {
				out = append(out, &columns[j])
			}
		}
		slices.SortStableFunc(out, func(a, b *ColumnReport) int {
			switch {
			case a.Importance > b.Importance:
				return -1
			case a.Importance < b.Importance:
				return 1
			}
			return 0
		})
		return out
	}
	if found := byImportance(func(j int) bool { return sure[j] }); len(found) > 0 {
		a := Alarm{Kind: CovariateDrift}
		share := 0.0
		for _, c := range found {
			a.Columns = append(a.Columns, c.Name)
			share += c.Importance
		}
		a.Text = fmt.Sprintf("The inputs are not those of the training data: %s drifted.", list(a.Columns))
		if share > 0 {
			a.Text = fmt.Sprintf("The inputs are not those of the training data: %s drifted, with %.0f%% of the model's importance.", list(a.Columns), 100*share)
		}
		r.Alarms = append(r.Alarms, a)
	}
	if sure[score] {
		r.Alarms = append(r.Alarms, Alarm{Kind: ScoreDrift, Text: "The scores are not those of the holdout."})
	}
	r.Alarm = len(r.Alarms) > 0
	for _, a := range r.Alarms {
		r.Sentences = append(r.Sentences, a.Text)
	}
	for _, c := range byImportance(func(j int) bool { return columns[j].Drifted }) {
		r.Sentences = append(r.Sentences, c.Sentence)
	}
	if columns[score].Drifted {
		r.Sentences = append(r.Sentences, columns[score].Sentence)
	}
	if len(r.Sentences) == 0 {
		r.Sentences = []string{fmt.Sprintf("No drift: the %d decisions of this window look like the training data.", r.Decisions)}
	} else if !r.Alarm {
		r.Sentences = append(r.Sentences, "It is the first time, and chance is not ruled out: an alarm follows if the next window shows it again.")
	}
}
