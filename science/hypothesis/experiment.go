package hypothesis

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/stats"
)

// ratioMismatch is the p-value of the split of the arms below which an experiment
// is not believed: so small since every experiment is checked (Fabijan and others,
// KDD 2019).
const ratioMismatch = 0.001

// sensitivity is the effect, in standard deviations, that the p-value for looking
// at any time is most sensitive to: it has to be fixed before the data are seen.
const sensitivity = 0.1

// arms are the rows of an experiment, control first.
type arms struct {
	value  [2]string
	rows   [2]int // of each arm, also those without a metric
	y, per [2][]float64
	pre    [2][]float64
	share  string // of the metric's value that is counted, "" for a number
	left   int
}

// experiment tests what a randomised experiment changed.
func experiment(t *data.Table, q Question) (finding, error) {
	e, err := readArms(t, q)
	if err != nil {
		return finding{}, err
	}
	share := q.Share
	if share == 0 {
		share = 0.5
	}
	ratio, err := stats.SampleRatio([]float64{float64(e.rows[0]), float64(e.rows[1])}, []float64{1 - share, share})
	if err != nil {
		return finding{}, fmt.Errorf("column %q: %w", q.Arm, err)
	}
	broken := ratio.P < ratioMismatch
	for arm := range e.y {
		if len(e.y[arm]) < 10 {
			return finding{}, data.WithHint(fmt.Errorf("column %q has %d usable rows where %s is %s", q.AB, len(e.y[arm]), q.Arm, e.value[arm]), "an experiment takes ten rows or more in each arm")
		}
	}
	var f finding
	var d stats.Difference
	wrong := func(err error) error {
		return data.WithHint(fmt.Errorf("column %q by %q: %w", q.AB, q.Arm, err), "the metric has to vary within the arms")
	}
	control, treated := mean(e.y[0]), mean(e.y[1])
	metric, level := q.AB, "mean"
	switch {
	case q.Per != "":
		if d, err = stats.RatioDifference(e.y[0], e.per[0], e.y[1], e.per[1]); err != nil {
			return finding{}, wrong(err)
		}
		control, treated = mean(e.y[0])/mean(e.per[0]), mean(e.y[1])/mean(e.per[1])
		metric, level = q.AB+" per "+q.Per, "ratio"
		f.Test = "ratio by the delta method"
		f.Why = fmt.Sprintf("Rows were assigned, not each %s: those of one row are not independent, which the delta method allows for.", q.Per)
		f.reject("z-test of two proportions", fmt.Sprintf("it would count each %s as if it had been assigned by itself", q.Per))
	case q.Pre != "":
		r, err := stats.CUPED(e.pre[0], e.y[0], e.pre[1], e.y[1])
		if err != nil {
			return finding{}, wrong(err)
		}
		d = r.Difference
		f.Test = "CUPED"
		f.Why = fmt.Sprintf("What %s before the experiment tells of the metric is taken out: %s of its variance.", q.Pre, percent(math.Max(0, r.VarianceReduction)))
		plain, err := stats.Welch(e.y[1], e.y[0])
		f.try("it would leave that variance in", plain, err)
		if r.VarianceReduction < 0.05 {
			f.notes = append(f.notes, fmt.Sprintf("%s tells little of the metric: another value from before would narrow the interval more.", q.Pre))
		}
		balance, err := stats.Welch(e.pre[1], e.pre[0])
		if err == nil {
			f.check(q.Pre+" alike in both arms", "p "+pValue(balance.P), balance.P >= ratioMismatch)
			broken = broken || balance.P < ratioMismatch
		}
	case e.share != "":
		k := [2]int{count(e.y[0]), count(e.y[1])}
		z, err := stats.ProportionsZ(k[1], len(e.y[1]), k[0], len(e.y[0]), stats.Ask{})
		if err != nil {
			return finding{}, wrong(err)
		}
		metric, level = q.AB+" "+e.share, "share"
		if e.share == "1" {
			metric = q.AB
		}
		d = stats.Difference{Effect: z.Diff, Statistic: z.Z, P: z.P, Low: z.Newcombe.Low, High: z.Newcombe.High, SE: math.Abs(z.Diff / z.Z)}
		if z.Z == 0 {
			p := (treated*float64(len(e.y[1])) + control*float64(len(e.y[0]))) / float64(len(e.y[0])+len(e.y[1]))
			d.SE = math.Sqrt(p * (1 - p) * (1/float64(len(e.y[0])) + 1/float64(len(e.y[1]))))
		}
		f.Test = "z-test of two proportions"
		f.Why = fmt.Sprintf("The metric is yes or no: the share of %s is compared, with Newcombe's interval of the difference.", e.share)
		table := [][]float64{{float64(k[1]), float64(len(e.y[1]) - k[1])}, {float64(k[0]), float64(len(e.y[0]) - k[0])}}
		if len(e.y[0])+len(e.y[1]) <= 20000 {
			if exact, err := stats.Fisher(table, stats.Ask{}); err == nil {
				f.try("it is more careful than the level asks for", stats.Result{Test: "Fisher's exact test", P: exact.P}, nil)
			}
		}
		fewest := min(k[0], k[1], len(e.y[0])-k[0], len(e.y[1])-k[1])
		f.check("fewest rows of one outcome in one arm", fmt.Sprint(fewest), fewest >= 5)
		post, err := stats.BetaAB([2]float64{float64(k[0]), float64(k[1])}, [2]float64{float64(len(e.y[0])), float64(len(e.y[1]))}, 1, 1)
		if err == nil {
			f.notes = append(f.notes, fmt.Sprintf("Knowing nothing before (a flat prior), %s has the higher share with a probability of %s.", e.value[1], probability(post.ProbBBeatsA)))
		}
	default:
		w, err := stats.WelchAsk(e.y[1], e.y[0], stats.Ask{})
		if err != nil {
			return finding{}, wrong(err)
		}
		d = stats.Difference{Effect: w.Estimate, Statistic: w.Statistic, P: w.P, Low: w.Low, High: w.High, SE: math.Abs(w.Estimate / w.Statistic), DF: w.DF}
		if w.Statistic == 0 {
			d.SE = (w.High - w.Low) / 2 / 1.96
		}
		f.Test = "Welch's t-test"
		f.Why = "The mean is compared whatever the shape of the values, since a decision about everyone is one about the mean; the arms need not vary alike."
		ranks, err := stats.MannWhitney(e.y[1], e.y[0])
		f.try("it does not compare means, which the decision is about", ranks, err)
		fewest := min(len(e.y[0]), len(e.y[1]))
		control, treated := sample{x: e.y[0]}, sample{x: e.y[1]}
		control.look()
		treated.look()
		skew := math.Max(math.Abs(control.skew), math.Abs(treated.skew))
		// Kohavi and others, KDD 2014: the mean is normal from 355 skewness^2 rows on.
		least := 355 * skew * skew
		f.check("rows for the mean to be normal, by its skewness", fmt.Sprintf("%d of %s", fewest, short(math.Ceil(least))), float64(fewest) >= least || skew < 0.5)
		f.notes = append(f.notes, "A value of the metric from before the experiment (pre) would narrow the interval.")
	}
	n := len(e.y[0]) + len(e.y[1])
	f.Rows, f.Statistic, f.P = n, d.Statistic, d.P
	f.estimate("difference of the "+level+"s", d.Effect, d.Low, d.High)
	f.EffectName, f.Effect, f.EffectLow, f.EffectHigh = "difference of "+level+"s", d.Effect, d.Low, d.High
	if math.IsInf(d.SE, 0) || math.IsNaN(d.SE) || d.SE == 0 {
		return finding{}, wrong(stats.ErrConstant)
	}
	if control != 0 {
		f.estimate("relative difference", d.Effect/math.Abs(control), d.Low/math.Abs(control), d.High/math.Abs(control))
	}
	split := fmt.Sprintf("%d to %d, p %s", e.rows[0], e.rows[1], pValue(ratio.P))
	checks := []bundle.Assumption{{Name: fmt.Sprintf("rows in the arms, %s of them meant for %s", percent(share), e.value[1]), Found: split, Holds: ratio.P >= ratioMismatch}}
	f.Checks = append(checks, f.Checks...)
	f.Why += leftOut(e.left, names(q)...)
	f.power = func(effect, rows float64) float64 { return shifted(effect * math.Sqrt(rows) / d.SE) }
	if p, err := sequential(e, d); err == nil {
		f.notes = append(f.notes, fmt.Sprintf("The p-value holds for one look, at an end planned before. For looking at any time and stopping when one likes it is %s.", strings.TrimPrefix(pValue(p), "= ")))
	}
	f.say = func(significant bool, _ string) string {
		lift := ""
		if control != 0 {
			lift = fmt.Sprintf(", %s%%", signed(100*d.Effect/math.Abs(control)))
		}
		ends := fmt.Sprintf("%s of %s %s against %s, a difference of %s (95%% interval %s to %s%s, corrected p %s)", level, metric, short(treated), short(control), short(d.Effect), short(d.Low), short(d.High), lift, pValue(f.PCorrected))
		if ratio.P < ratioMismatch {
			return fmt.Sprintf("Do not believe this experiment yet: the arms hold %d and %d rows, which chance does not do (p %s); rows were lost or counted unevenly. As they are: %s.", e.rows[0], e.rows[1], pValue(ratio.P), ends)
		}
		if broken {
			return fmt.Sprintf("Do not believe this experiment yet: %s differed between the arms before it began. As they are: %s.", q.Pre, ends)
		}
		if !significant {
			return fmt.Sprintf("No effect of %s found: %s.", e.value[1], ends)
		}
		direction := "raises"
		if d.Effect < 0 {
			direction = "lowers"
		}
		return fmt.Sprintf("%s %s %s: %s.", e.value[1], direction, metric, ends)
	}
	return f, nil
}

// sequential returns the p-value of [stats.SequentialP] for one
// look at the difference d, whose variance is that of two equal arms.
func sequential(e arms, d stats.Difference) (p float64, err error) {
	n := 2 / (1/float64(len(e.y[0])) + 1/float64(len(e.y[1])))
	sigma2 := d.SE * d.SE * n / 2
	_, ps, err := stats.SequentialP([]float64{n}, []float64{d.Effect}, sigma2, sensitivity*sensitivity*sigma2)
	if err != nil {
		return 0, err
	}
	return ps[0], nil
}

func names(q Question) []string {
	out := []string{q.AB, q.Arm}
	for _, name := range []string{q.Per, q.Pre} {
		if name != "" {
			out = append(out, name)
		}
	}
	return out
}

// readArms reads the columns of an experiment.
func readArms(t *data.Table, q Question) (e arms, err error) {
	g, err := column(t, q.Arm)
	if err != nil {
		return e, err
	}
	l, err := levelsOf(g, mostGroups)
	if err != nil {
		return e, err
	}
	if len(l.values) != 2 {
		return e, data.WithHint(fmt.Errorf("column %q has %d arms: %s", q.Arm, len(l.values), listed(l.values)), "ab compares two; leave the rows of the others out, or use compare")
	}
	control := controlOf(l.values)
	if q.Control != "" {
		if control = levelAt(l.values, q.Control); control < 0 {
			return e, data.WithHint(fmt.Errorf("column %q has no arm %q", q.Arm, q.Control), "its arms are %s", listed(l.values))
		}
	}
	y, one, err := binaryOrNumber(t, "ab", q.AB)
	if err != nil {
		return e, err
	}
	if q.Pre == "" && q.Per == "" {
		e.share = one
	} else if c := t.Column(q.AB); c.Kind != data.Number && q.Per != "" {
		return e, data.WithHint(fmt.Errorf("column %q is a %s column", q.AB, c.Kind), "a ratio needs a number above and below")
	}
	var per, pre []float64
	for _, with := range []struct {
		name string
		into *[]float64
	}{{q.Per, &per}, {q.Pre, &pre}} {
		if with.name == "" {
			continue
		}
		c, err := numbers(t, "ab", with.name)
		if err != nil {
			return e, err
		}
		*with.into = c.Numbers
	}
	if list := names(q); len(slices.Compact(slices.Sorted(slices.Values(list)))) < len(list) {
		return e, data.WithHint(fmt.Errorf("a column is named twice among %s", and(list)), "name different columns")
	}
	e.value = [2]string{l.values[control], l.values[1-control]}
	for i, level := range l.of {
		if level < 0 {
			e.left++
			continue
		}
		arm := 0
		if level != control {
			arm = 1
		}
		e.rows[arm]++
		if math.IsNaN(y[i]) || per != nil && math.IsNaN(per[i]) || pre != nil && math.IsNaN(pre[i]) {
			e.left++
			continue
		}
		e.y[arm] = append(e.y[arm], y[i])
		if per != nil {
			e.per[arm] = append(e.per[arm], per[i])
		}
		if pre != nil {
			e.pre[arm] = append(e.pre[arm], pre[i])
		}
	}
	for arm := range e.y {
		for _, with := range []struct {
			name string
			x    []float64
		}{{q.AB, e.y[arm]}, {q.Per, e.per[arm]}, {q.Pre, e.pre[arm]}} {
			if err := finite(with.name, with.x); err != nil {
				return e, err
			}
		}
	}
	return e, nil
}

// controlOf guesses which of two arms is the control: by its name, or the first.
func controlOf(values []string) int {
	at := slices.IndexFunc(values, func(v string) bool {
		return slices.Contains([]string{"control", "a", "old", "off", "no", "false", "0", "baseline", "placebo"}, strings.ToLower(v))
	})
	return max(0, at)
}

func count(x []float64) (n int) {
	for _, v := range x {
		if v == 1 {
			n++
		}
	}
	return n
}

// probability is a share in percent that is never said to be all or nothing.
func probability(p float64) string {
	switch {
	case p > 0.999:
		return "over 99.9%"
	case p < 0.001:
		return "under 0.1%"
	}
	return fmt.Sprintf("%.1f%%", 100*p)
}

// signed is a number with its sign.
func signed(v float64) string {
	if v > 0 {
		return "+" + short(v)
	}
	return short(v)
}
