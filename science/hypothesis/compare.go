package hypothesis

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/stats"
)

// When the means of two groups are not a fair summary of them.
const (
	fewRows    = 50 // below it the mean of a skewed sample is not yet normal
	strongSkew = 1  // of an exponential distribution it is 2, of a normal one 0
	farOut     = 3  // interquartile ranges beyond a quartile: two in a million normal values
)

// sample is a group of rows.
type sample struct {
	value  string // of the grouping column
	x      []float64
	skew   float64 // of the finite values
	hasFar bool    // some value is farOut or infinite
}

// mostGroups bounds the groups whose number is compared.
const mostGroups = 20

// grouped returns the values of a number column in each group, in the order of
// the groups' values, with their shapes, and how many rows a missing value leaves
// out. verb is the question's, for messages.
func grouped(t *data.Table, verb, number, groups string) (out []sample, left int, err error) {
	c, err := column(t, number)
	if err != nil {
		return nil, 0, err
	}
	g, err := column(t, groups)
	if err != nil {
		return nil, 0, err
	}
	if c == g {
		return nil, 0, data.WithHint(fmt.Errorf("column %q is compared with itself", number), "name two columns")
	}
	if c.Kind != data.Number {
		return nil, 0, data.WithHint(fmt.Errorf("column %q is a %s column", number, c.Kind),
			"%s needs a number; for two categories, use associate", verb)
	}
	l, err := levelsOf(g, mostGroups)
	if err != nil {
		return nil, 0, err
	}
	if len(l.values) < 2 {
		return nil, 0, data.WithHint(fmt.Errorf("column %q has %d distinct values", groups, len(l.values)),
			"between needs a column with two values or more")
	}
	out = make([]sample, len(l.values))
	for i, v := range l.values {
		out[i].value = v
	}
	for i, v := range c.Numbers {
		if math.IsNaN(v) || l.of[i] < 0 {
			left++
			continue
		}
		s := &out[l.of[i]]
		s.x = append(s.x, v)
	}
	for i := range out {
		if len(out[i].x) == 0 {
			return nil, 0, data.WithHint(fmt.Errorf("column %q has no value where %s is %s", number, groups, out[i].value),
				"every group needs rows")
		}
		out[i].look()
	}
	return out, left, nil
}

// two orders two groups: the rarer value is the one that is asked about.
func two(groups []sample) (a, b sample) {
	if len(groups[1].x) < len(groups[0].x) {
		return groups[1], groups[0]
	}
	return groups[0], groups[1]
}

// constant explains that nothing varies.
func constant(number string, err error) error {
	if errors.Is(err, stats.ErrConstant) {
		return data.WithHint(fmt.Errorf("column %q has one value only, so nothing can differ", number), "compare a column that varies")
	}
	return fmt.Errorf("column %q: %w", number, err)
}

// compare tests whether a number differs between the values of a column.
func compare(t *data.Table, number, groups string) (finding, error) {
	samples, left, err := grouped(t, "compare", number, groups)
	if err != nil {
		return finding{}, err
	}
	if len(samples) > 2 {
		return compareSeveral(number, groups, samples, left)
	}
	a, b := two(samples)
	ranks, why := chooseTest(number, groups, a, b)
	test, centre, middle := stats.Welch, mean, "mean"
	if ranks {
		test, centre, middle = stats.MannWhitney, median, "median"
	}
	r, err := test(a.x, b.x)
	if err != nil {
		return finding{}, constant(number, err)
	}
	f := finding{Hypothesis: fromResult(r)}
	f.Why = why + leftOut(left, number, groups)
	f.shape("group", a, b)
	na, ratio := float64(len(a.x)), float64(len(b.x))/float64(len(a.x))
	if ranks {
		f.power = upToOne(func(e, rows float64) float64 { // of normal values that far apart
			return powerMeans(2*math.Erfinv(e), na*rows*rankEfficiency, ratio)
		})
		r, err := stats.Welch(a.x, b.x)
		f.try("means are no fair summary here", r, err)
		f.reject("Brunner-Munzel", "it is for groups of very different spread, and less known")
	} else {
		f.power = func(e, rows float64) float64 { return powerMeans(e, na*rows, ratio) }
		r, err := stats.MannWhitney(a.x, b.x)
		f.try("means can be trusted here, and are what totals are made of", r, err)
		f.reject("Student's t-test", "it needs equal variances, and Welch's hardly loses by not needing them")
		if r, err := stats.WelchAsk(a.x, b.x, stats.Ask{}); err == nil {
			f.estimate("difference of means", r.Estimate, r.Low, r.High)
		}
	}
	f.say = func(significant bool, evidence string) string {
		atA, atB := short(centre(a.x)), short(centre(b.x))
		if !significant {
			return fmt.Sprintf("No difference found: the %s of %s is %s where %s is %s and %s where it is %s %s.%s",
				middle, number, atA, groups, a.value, atB, b.value, evidence, doubt(f.Hypothesis, "difference"))
		}
		direction := "higher"
		if r.Effect < 0 {
			direction = "lower"
		}
		verb := "is " + direction + " on average"
		if ranks {
			verb = "tends to be " + direction // which is what ranks can say
		}
		return fmt.Sprintf("%s %s where %s is %s than where it is %s: %s %s against %s %s.%s",
			number, verb, groups, a.value, b.value, middle, atA, atB, evidence, caution(f.Hypothesis, "difference"))
	}
	return f, nil
}

// shape notes what decides between means and ranks, of each group or column.
func (f *finding) shape(each string, groups ...sample) {
	fewest, skew, far := math.MaxInt, 0.0, ""
	for _, s := range groups {
		fewest = min(fewest, len(s.x))
		if math.Abs(s.skew) > math.Abs(skew) {
			skew = s.skew
		}
		if s.hasFar && far == "" {
			far = s.value
		}
	}
	if each == "group" {
		f.check("rows in the smallest group", fmt.Sprint(fewest), fewest >= fewRows)
	}
	f.check("largest skewness of a "+each, hundredths(skew), math.Abs(skew) <= strongSkew)
	if far == "" {
		far = "none"
	} else {
		far = "in " + far
	}
	f.check("far outliers", far, far == "none")
}

// compareSeveral compares three groups or more.
func compareSeveral(number, groups string, samples []sample, left int) (finding, error) {
	values := make([][]float64, len(samples))
	fewest := 0
	var fit *sample // the reason for ranks
	for i := range samples {
		values[i] = samples[i].x
		if len(samples[i].x) < len(samples[fewest].x) {
			fewest = i
		}
		if s := &samples[i]; fit == nil && (math.Abs(s.skew) > strongSkew || s.hasFar) {
			fit = s
		}
	}
	few := len(samples[fewest].x) < fewRows
	ranks := few || fit != nil
	anova, errANOVA := stats.WelchANOVA(values)
	if errANOVA != nil && !ranks {
		return finding{}, constant(number, errANOVA)
	}
	kruskal, err := stats.KruskalWallis(values)
	if err != nil {
		return finding{}, constant(number, err)
	}
	n, k := kruskal.N, len(samples)
	var f finding
	var pairs []stats.RankPair
	if ranks {
		f.Hypothesis = fromResult(kruskal)
		switch {
		case few:
			f.Why = fmt.Sprintf("Ranks are compared, not means: there are only %d rows where %s is %s.", len(samples[fewest].x), groups, samples[fewest].value)
		case fit.hasFar:
			f.Why = fmt.Sprintf("Ranks are compared, not means: %s has far outliers where %s is %s.", number, groups, fit.value)
		default:
			f.Why = fmt.Sprintf("Ranks are compared, not means: %s is strongly skewed (skewness %.1f where %s is %s).", number, fit.skew, groups, fit.value)
		}
		f.try("means are no fair summary here", stats.Result{Test: anova.Test, P: anova.P}, errANOVA)
		f.power = upToOne(func(e, rows float64) float64 {
			return powerShare(e, float64(n)*rows*rankEfficiency, k)
		})
	} else {
		one, err := stats.OneWayANOVA(values)
		if err != nil {
			return finding{}, constant(number, err)
		}
		f.Hypothesis = bundle.Hypothesis{Test: anova.Test, Rows: n, Statistic: anova.F, P: anova.P, EffectName: "omega squared", Effect: math.Max(0, one.OmegaSquared)}
		f.EffectLow, f.EffectHigh = etaInterval(one)
		f.EffectLow, f.EffectHigh = math.Min(f.EffectLow, f.Effect), math.Max(f.EffectHigh, f.Effect)
		f.Why = fmt.Sprintf("Means are compared: all %d groups are large, without strong skew or far outliers; the test does not need equal variances.", k)
		f.try("means can be trusted here, and are what totals are made of", kruskal, nil)
		f.reject("one-way ANOVA", "it needs equal variances, and Welch's hardly loses by not needing them")
		f.power = upToOne(func(e, rows float64) float64 { return powerShare(e, float64(n)*rows, k) })
	}
	if pairs, err = stats.Dunn(values, stats.HolmStep); err != nil {
		return finding{}, constant(number, err)
	}
	f.Why += leftOut(left, number, groups)
	f.shape("group", samples...)
	differ := differing(samples, values, pairs, ranks)
	centre, middle := mean, "mean"
	if ranks {
		centre, middle = median, "median"
	}
	high, low := 0, 0
	for i := range samples {
		if centre(values[i]) > centre(values[high]) {
			high = i
		}
		if centre(values[i]) < centre(values[low]) {
			low = i
		}
	}
	f.say = func(significant bool, evidence string) string {
		ends := fmt.Sprintf("%s %s where it is %s, %s where it is %s", middle, short(centre(values[high])), samples[high].value, short(centre(values[low])), samples[low].value)
		if high == low {
			ends = fmt.Sprintf("%s %s everywhere", middle, short(centre(values[high])))
		}
		if !significant {
			return fmt.Sprintf("No difference of %s found between the %d values of %s: %s %s.%s", number, k, groups, ends, evidence, doubt(f.Hypothesis, "difference"))
		}
		which := " No two of them can be told apart."
		if len(differ) > 0 {
			which = fmt.Sprintf(" Corrected for all %d pairs, these differ: %s.", len(pairs), listed(differ))
		}
		return fmt.Sprintf("%s differs by %s: %s %s.%s%s", number, groups, ends, evidence, caution(f.Hypothesis, "difference"), which)
	}
	return f, nil
}

// differing names the pairs of groups that differ, corrected for their number:
// by Welch's test of each pair with Holm's correction, or by Dunn's of ranks.
func differing(samples []sample, values [][]float64, pairs []stats.RankPair, ranks bool) (out []string) {
	p := make([]float64, len(pairs))
	for i, pair := range pairs {
		p[i] = pair.P
		if ranks {
			continue
		}
		p[i] = 1
		if r, err := stats.Welch(values[pair.A], values[pair.B]); err == nil {
			p[i] = r.P
		}
	}
	corrected, err := stats.Holm(p)
	if err != nil {
		return nil
	}
	for i, pair := range pairs {
		if corrected[i] < alpha {
			out = append(out, samples[pair.A].value+" and "+samples[pair.B].value)
		}
	}
	return out
}

// listed joins names, the first five of them.
func listed(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s, and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// etaInterval is the 95% interval of the share of variance that an F-test's effect
// explains in the population: the noncentralities under which F is the 0.975 and
// the 0.025 quantile, by the power of the F-test (Steiger, Psychological Methods
// 9, 2004). Far from none, where their sums are long, it is Fisher's of the
// multiple correlation.
func etaInterval(a stats.ANOVA) (low, high float64) {
	n := a.DF + a.DFErr + 1
	if a.F*a.DF > 300 {
		share := a.F * a.DF / (a.F*a.DF + a.DFErr)
		if math.IsInf(a.F, 1) {
			return 1, 1
		}
		z, reach := math.Atanh(math.Sqrt(share)), 1.959963984540054/math.Sqrt(math.Max(1, a.DFErr-1))
		low, high = math.Tanh(math.Max(0, z-reach)), math.Tanh(z+reach)
		return low * low, high * high
	}
	// P(F' >= the F seen) is the power at the level of its p-value.
	above := func(f2 float64) float64 {
		return stats.PowerAnova(math.Sqrt(f2), n, int(a.DF)+1, math.Max(1e-300, math.Min(1-1e-12, a.P)))
	}
	at := func(share float64) float64 {
		if above(0) >= share {
			return 0
		}
		low, high := 0.0, 10/n
		for high < 1e6 && above(high) < share {
			high *= 2
		}
		for high-low > 1e-4*high {
			if middle := (low + high) / 2; above(middle) < share {
				low = middle
			} else {
				high = middle
			}
		}
		return low / (1 + low)
	}
	return at(0.025), at(0.975)
}

// equivalent tests whether the means of two groups are within a margin of each
// other.
func equivalent(t *data.Table, number, groups string, margin float64) (finding, error) {
	samples, left, err := grouped(t, "compare", number, groups)
	if err != nil {
		return finding{}, err
	}
	if len(samples) != 2 {
		return finding{}, data.WithHint(fmt.Errorf("column %q has more than two values", groups), "within compares two groups")
	}
	a, b := two(samples)
	e, err := stats.TOST(a.x, b.x, -margin, margin)
	if err != nil {
		return finding{}, constant(number, err)
	}
	difference, err := stats.WelchAsk(a.x, b.x, stats.Ask{Level: 1 - 2*alpha})
	if err != nil {
		return finding{}, constant(number, err)
	}
	f := finding{Hypothesis: fromResult(difference)}
	f.Test, f.P, f.Statistic = "two one-sided t-tests", e.P, e.TLower
	if e.PUpper > e.PLower {
		f.Statistic = e.TUpper
	}
	if r, err := stats.WelchAsk(a.x, b.x, stats.Ask{}); err == nil {
		f.estimate("difference of means", r.Estimate, r.Low, r.High)
	}
	f.Why = fmt.Sprintf("Not finding a difference is no proof of none: two tests ask whether the means are less than %s apart on either side.", short(margin)) +
		leftOut(left, number, groups)
	f.shape("group", a, b)
	f.reject("Welch's t-test", "it can show that means differ, never that they do not")
	f.notes = append(f.notes, fmt.Sprintf("The answer would be yes from a margin of %s on.", short(math.Max(math.Abs(difference.Low), math.Abs(difference.High)))))
	f.say = func(significant bool, evidence string) string {
		d := fmt.Sprintf("the mean is %s where %s is %s and %s where it is %s, and the difference is between %s and %s",
			short(mean(a.x)), groups, a.value, short(mean(b.x)), b.value, short(difference.Low), short(difference.High))
		if significant {
			return fmt.Sprintf("%s is the same by %s within %s: %s %s.", number, groups, short(margin), d, evidence)
		}
		return fmt.Sprintf("That %s is the same by %s within %s is not shown: %s %s.", number, groups, short(margin), d, evidence)
	}
	return f, nil
}

// compareGiven compares groups with other numbers held equal.
func compareGiven(t *data.Table, number, groups string, given []string) (finding, error) {
	y, err := numbers(t, "compare", number)
	if err != nil {
		return finding{}, err
	}
	g, err := column(t, groups)
	if err != nil {
		return finding{}, err
	}
	l, err := levelsOf(g, mostGroups)
	if err != nil {
		return finding{}, err
	}
	names := append([]string{number, groups}, given...)
	var columns []*data.Column
	for _, name := range given {
		c, err := numbers(t, "given", name)
		if err != nil {
			return finding{}, err
		}
		columns = append(columns, c)
	}
	var values []float64
	var group []string
	var rows [][]float64
	left := 0
	for i, v := range y.Numbers {
		row := make([]float64, len(columns))
		missing := math.IsNaN(v) || l.of[i] < 0
		for j, c := range columns {
			row[j] = c.Numbers[i]
			missing = missing || math.IsNaN(row[j])
		}
		if missing {
			left++
			continue
		}
		values, group, rows = append(values, v), append(group, l.values[l.of[i]]), append(rows, row)
	}
	r, err := stats.ANCOVA(values, group, rows)
	switch {
	case errors.Is(err, stats.ErrConstant):
		return finding{}, data.WithHint(fmt.Errorf("column %q does not vary beyond %s and %s", number, groups, and(given)), "compare a column that varies")
	case errors.Is(err, stats.ErrCollinear):
		return finding{}, data.WithHint(fmt.Errorf("columns %s: %w", and(names), err), "leave out of given what is constant, or follows from the groups or the others")
	case err != nil:
		return finding{}, data.WithHint(fmt.Errorf("columns %s: %w", and(names), err), "both groups need rows without missing or infinite values")
	}
	f := finding{Hypothesis: bundle.Hypothesis{Test: "ANCOVA", Rows: len(values), Statistic: r.Groups.F, P: r.Groups.P,
		EffectName: "partial eta squared", Effect: r.Groups.EtaSquared}}
	f.EffectLow, f.EffectHigh = etaInterval(r.Groups)
	f.EffectLow, f.EffectHigh = math.Min(f.EffectLow, f.Effect), math.Max(f.EffectHigh, f.Effect)
	f.Why = fmt.Sprintf("The groups are compared where %s %s equal, by a regression with one slope for all groups.", and(given), isAre(given)) + leftOut(left, names...)
	parallel := math.IsNaN(r.Slopes.P) || r.Slopes.P >= alpha
	slopes := "p " + pValue(r.Slopes.P)
	if math.IsNaN(r.Slopes.P) {
		slopes = "cannot be told"
	}
	f.check("equal slopes in all groups", slopes, parallel)
	if !parallel {
		f.notes = append(f.notes, fmt.Sprintf("The groups differ by an amount that changes with %s: the answer holds at its mean only.", and(given)))
	}
	k, n := len(r.Levels), float64(len(values))
	f.power = upToOne(func(e, rows float64) float64 {
		return powerShare(e, n*rows-float64(len(given)), k)
	})
	byGroup := make([][]float64, k)
	for i, v := range values {
		at := slices.Index(r.Levels, group[i])
		byGroup[at] = append(byGroup[at], v)
	}
	if plain, err := stats.WelchANOVA(byGroup); err == nil {
		f.try("it would not hold "+and(given)+" equal", stats.Result{Test: plain.Test + " without " + and(given), P: plain.P}, nil)
	}
	high, low := 0, 0
	for i, m := range r.Means {
		f.estimate("mean where "+groups+" is "+r.Levels[i]+", adjusted", m.Estimate, m.Low, m.High)
		if m.Estimate > r.Means[high].Estimate {
			high = i
		}
		if m.Estimate < r.Means[low].Estimate {
			low = i
		}
	}
	f.say = func(significant bool, evidence string) string {
		ends := fmt.Sprintf("adjusted mean %s where it is %s, %s where it is %s", short(r.Means[high].Estimate), r.Levels[high], short(r.Means[low].Estimate), r.Levels[low])
		if !significant {
			return fmt.Sprintf("No difference of %s by %s found at equal %s: %s %s.%s", number, groups, and(given), ends, evidence, doubt(f.Hypothesis, "difference"))
		}
		return fmt.Sprintf("At equal %s, %s differs by %s: %s %s.%s", and(given), number, groups, ends, evidence, caution(f.Hypothesis, "difference"))
	}
	return f, nil
}

func isAre(names []string) string {
	if len(names) == 1 {
		return "is"
	}
	return "are"
}

// chooseTest reports whether to compare ranks instead of means, and why.
func chooseTest(number, groups string, a, b sample) (ranks bool, why string) {
	switch {
	case len(a.x) < fewRows:
		return true, fmt.Sprintf("Ranks are compared, not means: there are only %d rows where %s is %s.", len(a.x), groups, a.value)
	case math.Abs(a.skew) > strongSkew || math.Abs(b.skew) > strongSkew:
		s := a
		if math.Abs(b.skew) > math.Abs(a.skew) {
			s = b
		}
		return true, fmt.Sprintf("Ranks are compared, not means: %s is strongly skewed (skewness %.1f where %s is %s).", number, s.skew, groups, s.value)
	case a.hasFar || b.hasFar:
		s := a
		if !a.hasFar {
			s = b
		}
		return true, fmt.Sprintf("Ranks are compared, not means: %s has far outliers where %s is %s.", number, groups, s.value)
	}
	return false, fmt.Sprintf("Means are compared: both groups are large (%d and %d rows), without strong skew or far outliers; "+
		"the test does not need equal variances.", len(a.x), len(b.x))
}

// look fills in the shape of the sample.
func (s *sample) look() {
	finite := make([]float64, 0, len(s.x))
	for _, v := range s.x {
		if math.IsInf(v, 0) {
			s.hasFar = true
			continue
		}
		finite = append(finite, v)
	}
	q1, err1 := stats.Quantile(finite, 0.25)
	q3, err3 := stats.Quantile(finite, 0.75)
	if err1 != nil || err3 != nil {
		return // no finite value
	}
	for _, v := range finite {
		if v < q1-farOut*(q3-q1) || v > q3+farOut*(q3-q1) {
			s.hasFar = true
			break
		}
	}
	mean, variance, err := stats.MeanVar(finite)
	if err != nil || variance == 0 {
		return
	}
	sd := math.Sqrt(variance)
	for _, v := range finite {
		z := (v - mean) / sd
		s.skew += z * z * z / float64(len(finite))
	}
}

// mean is of a checked sample: finite and not empty.
func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v / float64(len(x))
	}
	return sum
}

// median is of a checked sample: not empty, without NaN.
func median(x []float64) float64 {
	m, err := stats.Quantile(x, 0.5)
	if err != nil {
		panic(fmt.Sprintf("median of a tested sample of %d: %v", len(x), err))
	}
	return m
}
