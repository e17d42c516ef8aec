package hypothesis

import (
	"fmt"
	"math"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/stats"
)

// survival tests whether the time until an event differs between groups, or with
// a number.
func survival(t *data.Table, time, event, by string) (finding, error) {
	c, err := numbers(t, "survival", time)
	if err != nil {
		return finding{}, err
	}
	came, what, err := binaryOrNumber(t, "event", event)
	if err != nil {
		return finding{}, err
	}
	for i, v := range came {
		if v != 0 && v != 1 && !math.IsNaN(v) {
			return finding{}, data.WithHint(fmt.Errorf("column %q is %v in row %d", event, v, i+1), "event needs a column of two values: 1, yes or true where it came")
		}
	}
	g, err := column(t, by)
	if err != nil {
		return finding{}, err
	}
	if by == time || by == event || time == event {
		return finding{}, data.WithHint(fmt.Errorf("a column is named twice in survival of %q, %q by %q", time, event, by), "name three columns")
	}
	l, errLevels := levelsOf(g, mostGroups)
	asNumber := errLevels != nil && g.Kind == data.Number
	if errLevels != nil && !asNumber {
		return finding{}, errLevels
	}
	var at, amount []float64
	var happened []bool
	var group []int
	left, events := 0, 0
	for i, v := range c.Numbers {
		if math.IsNaN(v) || math.IsNaN(came[i]) || g.Missing(i) {
			left++
			continue
		}
		at, happened = append(at, v), append(happened, came[i] == 1)
		if came[i] == 1 {
			events++
		}
		if asNumber {
			amount = append(amount, g.Numbers[i])
		} else {
			group = append(group, l.of[i])
		}
	}
	wrong := func(err error) error {
		return data.WithHint(fmt.Errorf("columns %s: %w", and([]string{time, event, by}), err), "times are 0 or more, and there have to be events while rows of every group are still there")
	}
	if asNumber {
		return survivalNumber(time, event, by, at, happened, amount, left, events, wrong)
	}
	if len(l.values) < 2 {
		return finding{}, data.WithHint(fmt.Errorf("column %q has %d distinct values", by, len(l.values)), "by needs a column with two values or more")
	}
	r, err := stats.LogRank(at, happened, group)
	if err != nil {
		return finding{}, wrong(err)
	}
	// Hazards against the most frequent group; the effect is that of the group
	// furthest from it.
	count := make([]int, len(l.values))
	base := 0
	for _, k := range group {
		count[k]++
	}
	for k := range count {
		if count[k] > count[base] {
			base = k
		}
	}
	var others []int
	for k := range count {
		if k != base {
			others = append(others, k)
		}
	}
	rows := make([][]float64, len(at))
	for i, k := range group {
		rows[i] = make([]float64, len(others))
		for j, o := range others {
			if k == o {
				rows[i][j] = 1
			}
		}
	}
	f := finding{Hypothesis: fromResult(r)}
	f.Why = "Some times end before the event, which only a comparison of who is still at risk uses without bias." + leftOut(left, time, event, by)
	f.check("events", fmt.Sprint(events), events >= 10)
	far := others[0]
	f.EffectName = "hazard ratio"
	if cox, err := stats.Cox(at, happened, rows); err == nil {
		best := 0
		for j, c := range cox.Coefficients {
			if math.Abs(c.Estimate) > math.Abs(cox.Coefficients[best].Estimate) {
				best = j
			}
		}
		k := cox.Coefficients[best]
		far = others[best]
		f.Effect, f.EffectLow, f.EffectHigh = math.Exp(k.Estimate), math.Exp(k.Low), math.Exp(k.High)
		proportional := math.IsNaN(cox.ProportionalP) || cox.ProportionalP >= alpha
		if !math.IsNaN(cox.ProportionalP) {
			f.check("hazards in one proportion all the time (Schoenfeld)", "p "+pValue(cox.ProportionalP), proportional)
		}
		if !proportional {
			f.notes = append(f.notes, "The hazard ratio changes with time, so that one number is a mean over it, and curves that cross can hide a difference: look at the curves.")
		}
		f.try("it needs hazards in one proportion; the log-rank test holds its level without", stats.Result{Test: "Cox regression", P: cox.LRP}, nil)
	} else if len(others) == 1 { // no estimate exists by Cox: Peto's, of the second group
		f.Effect, f.EffectLow, f.EffectHigh = r.Effect, r.EffectLow, r.EffectHigh
		if base == 1 {
			f.Effect, f.EffectLow, f.EffectHigh = 1/r.Effect, 1/r.EffectHigh, 1/r.EffectLow
		}
		f.notes = append(f.notes, "One group has its events before the other has any, so that the hazard ratio is a rough one (Peto's).")
	} else {
		return finding{}, wrong(err)
	}
	f.reject("Mann-Whitney U", "it would take the time at which a row was last seen for the time of its event")
	if len(others) > 1 {
		f.notes = append(f.notes, fmt.Sprintf("The hazard ratio is that of %s against %s, the most frequent value, chosen for being furthest from it.", l.values[far], l.values[base]))
	} else {
		share := float64(count[far]) / float64(len(at))
		f.power = func(e, rows float64) float64 { return stats.PowerLogRank(e, float64(events)*rows, share, alpha) }
	}
	said := func(k int) string {
		if m, ok := medianTime(at, happened, group, k); ok {
			return short(m)
		}
		return "not reached"
	}
	f.say = func(significant bool, evidence string) string {
		ends := fmt.Sprintf("median %s where %s is %s, %s where it is %s", said(far), by, l.values[far], said(base), l.values[base])
		if !significant {
			return fmt.Sprintf("No difference of %s until %s by %s found: %s %s.%s", time, eventName(event, what), by, ends, evidence, doubt(f.Hypothesis, "difference"))
		}
		sooner := "sooner"
		if f.Effect < 1 {
			sooner = "later"
		}
		return fmt.Sprintf("%s comes %s where %s is %s than where it is %s: %s %s.%s", eventName(event, what), sooner, by, l.values[far], l.values[base], ends, evidence, caution(f.Hypothesis, "difference"))
	}
	return f, nil
}

func eventName(event, value string) string {
	if value == "" || value == "1" || positive([]string{value}) == 0 {
		return event
	}
	return event + " " + value
}

// medianTime is when half of a group have had the event, by Kaplan and Meier.
func medianTime(at []float64, happened []bool, group []int, k int) (float64, bool) {
	var own []float64
	var event []bool
	for i, g := range group {
		if g == k {
			own, event = append(own, at[i]), append(event, happened[i])
		}
	}
	curve, err := stats.KaplanMeier(own, event)
	if err != nil {
		return 0, false
	}
	for _, s := range curve {
		if s.Share <= 0.5 {
			return s.Time, true
		}
	}
	return 0, false
}

// survivalNumber asks whether the hazard changes with a number.
func survivalNumber(time, event, by string, at []float64, happened []bool, amount []float64, left, events int, wrong func(error) error) (finding, error) {
	if err := finite(by, amount); err != nil {
		return finding{}, err
	}
	m, v, err := stats.MeanVar(amount)
	if err != nil || v == 0 {
		return finding{}, data.WithHint(fmt.Errorf("column %q does not vary in the rows without missing values", by), "by needs a column that varies")
	}
	rows := make([][]float64, len(amount))
	for i, w := range amount {
		rows[i] = []float64{(w - m) / math.Sqrt(v)}
	}
	cox, err := stats.Cox(at, happened, rows)
	if err != nil {
		return finding{}, wrong(err)
	}
	k := cox.Coefficients[0]
	f := finding{}
	f.Test, f.Rows, f.Statistic, f.P = "Cox regression", cox.N, cox.LR, cox.LRP
	f.EffectName, f.Effect, f.EffectLow, f.EffectHigh = "hazard ratio", math.Exp(k.Estimate), math.Exp(k.Low), math.Exp(k.High)
	f.Why = fmt.Sprintf("%s is a number of many values: by what the hazard is multiplied with each standard deviation of it is estimated.", by) + leftOut(left, time, event, by)
	f.check("events", fmt.Sprint(events), events >= 10)
	proportional := math.IsNaN(cox.ProportionalP) || cox.ProportionalP >= alpha
	if !math.IsNaN(cox.ProportionalP) {
		f.check("hazards in one proportion all the time (Schoenfeld)", "p "+pValue(cox.ProportionalP), proportional)
	}
	if !proportional {
		f.notes = append(f.notes, "The hazard ratio changes with time, so that one number is a mean over it.")
	}
	f.try("it is the one to take where the hazards are not proportional", stats.Result{Test: "Cox regression with robust errors", P: cox.Robust()[0].P}, nil)
	f.reject("log-rank test", "it needs groups")
	// A standard deviation of a number tells as much as halves two of them apart.
	f.power = func(e, rows float64) float64 { return stats.PowerLogRank(e*e, float64(events)*rows, 0.5, alpha) }
	f.say = func(significant bool, evidence string) string {
		if !significant {
			return fmt.Sprintf("%s is not found to change with %s %s.%s", "The time until "+event, by, evidence, doubt(f.Hypothesis, "link"))
		}
		sooner := "sooner"
		if f.Effect < 1 {
			sooner = "later"
		}
		return fmt.Sprintf("%s comes %s where %s is high %s; the order is told right in %s of pairs.%s", event, sooner, by, evidence, percent(cox.Concordance), caution(f.Hypothesis, "link"))
	}
	return f, nil
}
