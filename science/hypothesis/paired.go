package hypothesis

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/stats"
)

func parse(s string) (float64, error) { return strconv.ParseFloat(strings.TrimSpace(s), 64) }

// paired tests whether something differs between columns measured on the same
// rows: numbers, or the same two categories.
func paired(t *data.Table, names []string) (finding, error) {
	var columns []*data.Column
	categories := 0
	for i, name := range names {
		c, err := column(t, name)
		if err != nil {
			return finding{}, err
		}
		if slices.Contains(names[:i], name) {
			return finding{}, data.WithHint(fmt.Errorf("column %q is named twice", name), "name different columns")
		}
		switch c.Kind {
		case data.Category:
			categories++
		case data.Number:
		default:
			return finding{}, data.WithHint(fmt.Errorf("column %q is a %s column", name, c.Kind), "paired needs numbers, or categories of the same two values")
		}
		columns = append(columns, c)
	}
	switch {
	case categories == len(names):
		return pairedCategories(columns, names)
	case categories > 0:
		return finding{}, data.WithHint(fmt.Errorf("columns %s are of different kinds", and(names)), "paired needs numbers only, or categories only")
	}
	values, left, err := complete(columns...)
	if err != nil {
		return finding{}, err
	}
	if len(names) > 2 {
		return pairedSeveral(names, values, left)
	}
	before, after := values[0], values[1]
	change := sample{value: "the change", x: make([]float64, len(before))}
	for i := range before {
		change.x[i] = after[i] - before[i]
	}
	change.look()
	wrong := func(err error) error {
		return data.WithHint(fmt.Errorf("columns %s: %w", and(names), err), "the change has to vary over some rows without missing values")
	}
	signed, err := stats.Wilcoxon(after, before, stats.Ask{})
	if err != nil {
		return finding{}, wrong(err)
	}
	signed.Test = "Wilcoxon signed-rank"
	student, errT := stats.PairedT(after, before, stats.Ask{})
	n := float64(len(before))
	var f finding
	ranks := true
	switch {
	case len(change.x) < fewRows/2 && !looksNormal(change.x):
		f.Why = fmt.Sprintf("Ranks of the changes are compared, not means: there are only %d rows, and their changes do not look normal.", len(change.x))
	case change.hasFar:
		f.Why = "Ranks of the changes are compared, not means: some changes are far outliers."
	case math.Abs(change.skew) > strongSkew:
		f.Why = fmt.Sprintf("Ranks of the changes are compared, not means: the changes are strongly skewed (skewness %.1f).", change.skew)
	case errT != nil:
		return finding{}, wrong(errT)
	default:
		ranks = false
		f.Why = "The mean change is compared with none: the same rows were measured twice, and the changes are without strong skew or far outliers."
	}
	checks := finding{}
	checks.shape("change", change)
	if ranks {
		f.Hypothesis = merge(fromResult(signed.Result), f.Why)
		f.try("the mean change is no fair summary here", student, errT)
		f.power = upToOne(func(e, rows float64) float64 {
			return powerChange(math.Erfinv(e), n*rows*rankEfficiency)
		})
	} else {
		f.Hypothesis = merge(fromResult(student), f.Why)
		f.try("the mean change can be trusted here", signed.Result, nil)
		f.estimate("mean change", student.Estimate, student.Low, student.High)
		f.power = func(e, rows float64) float64 { return powerChange(e, n*rows) }
	}
	f.Checks = checks.Checks
	f.reject("a test of two groups", "the rows are the same in both, which says more than two groups of them")
	f.Why += leftOut(left, names...)
	centre, middle := mean, "mean"
	if ranks {
		centre, middle = median, "median"
	}
	f.say = func(significant bool, evidence string) string {
		ends := fmt.Sprintf("%s change %s, from %s to %s", middle, short(centre(change.x)), short(centre(before)), short(centre(after)))
		if !significant {
			return fmt.Sprintf("No change from %s to %s found: %s %s.%s", names[0], names[1], ends, evidence, doubt(f.Hypothesis, "change"))
		}
		direction := "higher"
		if f.Effect < 0 {
			direction = "lower"
		}
		return fmt.Sprintf("%s is %s than %s: %s %s.%s", names[1], direction, names[0], ends, evidence, caution(f.Hypothesis, "change"))
	}
	return f, nil
}

// merge puts why into an answer.
func merge(h bundle.Hypothesis, why string) bundle.Hypothesis {
	h.Why = why
	return h
}

// looksNormal reports whether nothing speaks against a small sample being normal.
func looksNormal(x []float64) bool {
	r, err := stats.ShapiroWilk(x)
	return err == nil && r.P >= 0.1
}

// pairedSeveral compares three numbers or more of the same rows.
func pairedSeveral(names []string, values [][]float64, left int) (finding, error) {
	blocks := make([][]float64, len(values[0]))
	for i := range blocks {
		for _, v := range values {
			blocks[i] = append(blocks[i], v[i])
		}
	}
	wrong := func(err error) error {
		return data.WithHint(fmt.Errorf("columns %s: %w", and(names), err), "they need two rows or more without missing values, and have to differ")
	}
	friedman, err := stats.Friedman(blocks)
	if err != nil {
		return finding{}, wrong(err)
	}
	repeated, errR := stats.RepeatedANOVA(blocks)
	shapes := make([]sample, 0, len(values))
	for j := range values { // of what is left of each row's mean, since that is what is tested
		s := sample{value: names[j], x: make([]float64, len(blocks))}
		for i, b := range blocks {
			s.x[i] = values[j][i] - mean(b)
		}
		s.look()
		shapes = append(shapes, s)
	}
	fit := skewed(shapes...)
	few := len(blocks) < fewRows/2
	n := len(blocks)
	var f finding
	ranks := few || fit != nil
	corrected := stats.Result{Test: "repeated measures ANOVA", P: repeated.PHuynhFeldt}
	how := "Huynh and Feldt's"
	if repeated.GreenhouseGeisser < 0.75 {
		corrected.P, how = repeated.PGreenhouse, "Greenhouse and Geisser's"
	}
	switch {
	case few:
		f.Hypothesis = merge(fromResult(friedman), fmt.Sprintf("Ranks within each row are compared, not means: there are only %d rows.", n))
	case fit != nil:
		f.Hypothesis = merge(fromResult(friedman), fmt.Sprintf("Ranks within each row are compared, not means: %s is strongly skewed or has far outliers.", fit.value))
	case errR != nil:
		return finding{}, wrong(errR)
	default:
		f.Hypothesis = bundle.Hypothesis{Test: corrected.Test, Rows: n, Statistic: repeated.F, P: corrected.P, EffectName: "partial eta squared", Effect: repeated.EtaSquared}
		shrunk := repeated.ANOVA
		f.EffectLow, f.EffectHigh = etaInterval(shrunk)
		f.EffectLow, f.EffectHigh = math.Min(f.EffectLow, f.Effect), math.Max(f.EffectHigh, f.Effect)
		f.Why = fmt.Sprintf("Means are compared, the differences between rows taken out; %s correction makes up for changes that do not all vary alike.", how)
	}
	if errR == nil && !math.IsNaN(repeated.MauchlyP) {
		f.check("all changes vary alike (Mauchly)", "p "+pValue(repeated.MauchlyP), repeated.MauchlyP >= alpha)
	}
	f.Rows = n
	f.shape("column", shapes...)
	if ranks {
		f.try("means are no fair summary here", corrected, errR)
	} else {
		f.try("means can be trusted here", friedman, nil)
	}
	f.Why += leftOut(left, names...)
	centre, middle := mean, "mean"
	if ranks {
		centre, middle = median, "median"
	}
	high, low := 0, 0
	for j := range values {
		if centre(values[j]) > centre(values[high]) {
			high = j
		}
		if centre(values[j]) < centre(values[low]) {
			low = j
		}
	}
	f.say = func(significant bool, evidence string) string {
		ends := fmt.Sprintf("%s %s of %s, %s of %s", middle, short(centre(values[high])), names[high], short(centre(values[low])), names[low])
		if high == low {
			ends = fmt.Sprintf("%s %s of all", middle, short(centre(values[high])))
		}
		if !significant {
			return fmt.Sprintf("No difference between %s found: %s %s.%s", and(names), ends, evidence, doubt(f.Hypothesis, "difference"))
		}
		return fmt.Sprintf("%s differ: %s %s.%s", and(names), ends, evidence, caution(f.Hypothesis, "difference"))
	}
	return f, nil
}

// pairedCategories compares yes and no before and after, or under several
// conditions.
func pairedCategories(columns []*data.Column, names []string) (finding, error) {
	var values []string
	var all []levels
	for _, c := range columns {
		l, err := levelsOf(c, 2)
		if err != nil {
			return finding{}, err
		}
		all = append(all, l)
		values = append(values, l.values...)
	}
	slices.Sort(values)
	values = slices.Compact(values)
	if len(values) != 2 {
		return finding{}, data.WithHint(fmt.Errorf("columns %s have %d values together: %s", and(names), len(values), listed(values)), "paired categories need the same two values in each")
	}
	yes := max(0, positive(values))
	var blocks [][]float64
	left := 0
	for i := range columns[0].Len() {
		row := make([]float64, len(all))
		missing := false
		for j, l := range all {
			if l.of[i] < 0 {
				missing = true
			} else if l.values[l.of[i]] == values[yes] {
				row[j] = 1
			}
		}
		if missing {
			left++
			continue
		}
		blocks = append(blocks, row)
	}
	wrong := func(err error) error {
		return data.WithHint(fmt.Errorf("columns %s: %w", and(names), err), "some row has to differ between them")
	}
	share := make([]float64, len(names))
	for _, b := range blocks {
		for j, v := range b {
			share[j] += v / float64(len(blocks))
		}
	}
	said := func(j int) string { return fmt.Sprintf("%s in %s", percent(share[j]), names[j]) }
	var f finding
	n := float64(len(blocks))
	if len(names) > 2 {
		q, err := stats.CochranQ(blocks)
		if err != nil {
			return finding{}, wrong(err)
		}
		f.Hypothesis = merge(fromResult(q), fmt.Sprintf("The share of %s is compared between %d columns of the same rows.", values[yes], len(names)))
		high, low := 0, 0
		for j := range share {
			if share[j] > share[high] {
				high = j
			}
			if share[j] < share[low] {
				low = j
			}
		}
		d := share[high] - share[low]
		se := changeError(blocks, high, low)
		f.EffectName, f.Effect, f.EffectLow, f.EffectHigh = "difference of shares", d, math.Max(-1, d-1.959963984540054*se), math.Min(1, d+1.959963984540054*se)
		f.Why += leftOut(left, names...)
		f.notes = append(f.notes, "The effect is that of the two columns furthest apart, chosen for it: it is too large if nothing is going on.")
		f.say = func(significant bool, evidence string) string {
			if !significant {
				return fmt.Sprintf("No difference in the share of %s found: %s, %s %s.%s", values[yes], said(high), said(low), evidence, doubt(f.Hypothesis, "difference"))
			}
			return fmt.Sprintf("The share of %s differs: %s, %s %s.%s", values[yes], said(high), said(low), evidence, caution(f.Hypothesis, "difference"))
		}
		return f, nil
	}
	table := [][]float64{{0, 0}, {0, 0}}
	for _, b := range blocks {
		table[int(b[0])][int(b[1])]++
	}
	r, err := stats.McNemar(table, stats.Ask{Method: stats.Exact})
	if err != nil {
		return finding{}, wrong(err)
	}
	moved := table[0][1] + table[1][0]
	f.Hypothesis = merge(fromResult(r), fmt.Sprintf("Only the %d rows that changed say something: as many of them one way as the other, if nothing is going on.", int(moved)))
	f.Rows = len(blocks)
	// With half a change added to either side the interval holds its level in small
	// tables (Agresti and Min, Statistics in Medicine 24, 2005).
	d := share[1] - share[0]
	b, c, m := table[0][1]+0.5, table[1][0]+0.5, n+2
	center, se := (b-c)/m, math.Sqrt((b+c)-(b-c)*(b-c)/m)/m
	f.EffectName, f.Effect = "difference of shares", d
	f.EffectLow, f.EffectHigh = math.Max(-1, math.Min(d, center-1.959963984540054*se)), math.Min(1, math.Max(d, center+1.959963984540054*se))
	f.check("rows that changed", fmt.Sprint(int(moved)), moved >= 10)
	f.reject("chi-squared", "it is for two groups of rows, not for the same rows twice")
	f.Why += leftOut(left, names...)
	f.power = upToOne(func(e, rows float64) float64 { return shifted(e * math.Sqrt(n*rows) / math.Sqrt(moved/n)) })
	f.say = func(significant bool, evidence string) string {
		ends := fmt.Sprintf("%s, %s", said(0), said(1))
		if !significant {
			return fmt.Sprintf("No change in the share of %s found: %s %s.%s", values[yes], ends, evidence, doubt(f.Hypothesis, "change"))
		}
		return fmt.Sprintf("The share of %s has changed: %s %s.%s", values[yes], ends, evidence, caution(f.Hypothesis, "change"))
	}
	return f, nil
}

// changeError is the standard error of the difference of two shares of the same
// rows.
func changeError(blocks [][]float64, a, b int) float64 {
	d := make([]float64, len(blocks))
	for i, row := range blocks {
		d[i] = row[a] - row[b]
	}
	_, v, err := stats.MeanVar(d)
	if err != nil {
		return 0
	}
	return math.Sqrt(v / float64(len(blocks)))
}
