package monitor

import (
	"fmt"
	"math"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/stats"
)

// compare fills the report from the window's profile, and remembers what
// drifted for the next one.
func (m *Monitor) compare(r *Report, now *data.Profile) {
	columns := make([]ColumnReport, len(m.fields))
	parts := make([][2]float64, len(m.fields)) // p of the values, p of the missing share
	var tested []int
	var p []float64
	for j := range m.fields {
		c := &columns[j]
		c.Name, c.Kind = m.fields[j].Name, m.fields[j].Kind
		c.MissingNow = now.Columns[j].MissingRate()
		if j < len(m.importance) {
			c.Importance = m.importance[j]
		}
		if m.base[j] == nil {
			if base := m.bundle.Profile.Column(c.Name); base != nil && j < len(m.importance) {
				c.MissingBase = base.MissingRate()
			}
			c.P, c.PCorrected = 1, 1
			continue
		}
		parts[j] = c.test(m.base[j], &now.Columns[j])
		tested = append(tested, j)
		p = append(p, c.P)
	}
	corrected, err := stats.Holm(p)
	if err != nil {
		panic(fmt.Sprintf("monitor: %v", err)) // a p-value of ours outside [0, 1]
	}
	drifted := make([]bool, len(columns))
	sure := make([]bool, len(columns))
	for i, j := range tested {
		c := &columns[j]
		c.PCorrected = corrected[i]
		c.judge(parts[j], m.opt)
		drifted[j] = c.Drifted
		sure[j] = c.Drifted && (m.last[j] || c.PCorrected < m.opt.Certain)
		if c.Drifted {
			c.Sentence = sentence(c, m.base[j], &now.Columns[j])
		}
	}
	m.last = drifted

	score := len(columns) - 1
	r.Columns = columns[:score:score]
	if m.base[score] != nil {
		r.Score = &columns[score]
	}
	if len(tested) == 0 {
		r.Sentences = []string{fmt.Sprintf("The bundle has no profile of its training data, so there is nothing to compare these %d decisions with.", r.Decisions)}
		return
	}
	r.conclude(columns, sure)
}

// test compares the column with its baseline and returns both p-values.
func (c *ColumnReport) test(base, now *data.ColumnProfile) (p [2]float64) {
	d := data.Compare(base, now)
	c.PSI, c.Unseen = d.PSI, d.Unseen
	c.MissingBase, c.MissingNow = d.MissingBase, d.MissingNow
	p = [2]float64{1, 1}
	if c.Kind == data.Number {
		c.Test, c.Statistic = "Kolmogorov-Smirnov", d.KS
		c.EffectName, c.Effect = "normed Wasserstein", d.Wasserstein
		if d.N > 0 && d.M > 0 {
			p[0] = stats.KSPValue(d.KS, float64(d.N), float64(d.M))
		}
	} else {
		c.Test, c.Statistic = "chi-squared", d.ChiSquared
		c.EffectName, c.Effect = "Jensen-Shannon", d.JS
		if d.N > 0 && d.M > 0 && d.DF > 0 {
			p[0] = max(stats.ChiSquaredPValue(d.ChiSquared, d.DF), likelihoodRatio(categoryCounts(base, now)))
		}
	}
	if base.Missing+now.Missing == 0 {
		c.P = p[0]
		return p
	}
	p[1] = sharesDiffer(base, now)
	c.P = min(1, 2*min(p[0], p[1]))
	return p
}

// judge decides whether the column drifted: by its values or by its missing
// share, each with its own floor.
func (c *ColumnReport) judge(parts [2]float64, opt Options) {
	// Holm's factor for this column carries over to both of its parts.
	factor := 1.0
	if c.P > 0 {
		factor = c.PCorrected / c.P
	}
	if c.MissingBase+c.MissingNow > 0 {
		factor *= 2
	}
	floor := opt.Floors.Wasserstein
	if c.Kind == data.Category {
		floor = opt.Floors.JS
	}
	byValue := parts[0]*factor < opt.P && c.Effect >= floor
	c.byMissing = parts[1]*factor < opt.P && math.Abs(c.MissingNow-c.MissingBase) >= opt.Floors.Missing
	c.Drifted = byValue || c.byMissing
}

// sharesDiffer returns the p-value of the difference of two missing shares.
func sharesDiffer(base, now *data.ColumnProfile) float64 {
	a := []float64{float64(base.Missing), float64(base.Count)}
	b := []float64{float64(now.Missing), float64(now.Count)}
	n, m := a[0]+a[1], b[0]+b[1]
	if n == 0 || m == 0 || a[0]+b[0] == 0 || a[1]+b[1] == 0 {
		return 1
	}
	statistic := 0.0
	for i := range a {
		ea, eb := (a[i]+b[i])*n/(n+m), (a[i]+b[i])*m/(n+m)
		statistic += (a[i]-ea)*(a[i]-ea)/ea + (b[i]-eb)*(b[i]-eb)/eb
	}
	return max(stats.ChiSquaredPValue(statistic, 1), likelihoodRatio(a, b))
}

// categoryCounts returns how often each value occurred in the baseline and in
// the window. What a profile did not list is one value, and if the baseline did
// not list all, what is new in the window belongs to it.
func categoryCounts(base, now *data.ColumnProfile) (a, b []float64) {
	inNow := make(map[string]int64, len(now.Top))
	for _, v := range now.Top {
		inNow[v.Value] = v.Count
	}
	otherA, otherB := base.Other, now.Other
	for _, v := range base.Top {
		a = append(a, float64(v.Count))
		b = append(b, float64(inNow[v.Value]))
		delete(inNow, v.Value)
	}
	for _, v := range now.Top {
		if _, isNew := inNow[v.Value]; !isNew {
			continue
		}
		if base.Other > 0 {
			otherB += v.Count
		} else {
			a, b = append(a, 0), append(b, float64(v.Count))
		}
	}
	return append(a, float64(otherA)), append(b, float64(otherB))
}

// likelihoodRatio returns the p-value of the likelihood-ratio test (G-test) of
// two rows of counts. Pearson's statistic, which the report shows, exaggerates
// far out in the tail when a value is rare: 9 of 3000 against 11 of 500 gives p
// 2e-7 where the exact p (Fisher) is 2e-5, as this one is. This one in turn
// exaggerates when many values are rare. The monitor takes the larger of
// both. Values expected less than once in either row are pooled.
func likelihoodRatio(a, b []float64) float64 {
	var n, m float64
	for i := range a {
		n += a[i]
		m += b[i]
	}
	g, used := 0.0, 0
	add := func(x, y float64) {
		sum := x + y
		if sum == 0 {
			return
		}
		used++
		for _, c := range [...][2]float64{{x, n}, {y, m}} {
			if c[0] > 0 {
				g += 2 * c[0] * math.Log(c[0]/sum*(n+m)/c[1])
			}
		}
	}
	var rareA, rareB float64
	for i := range a {
		if (a[i]+b[i])*min(n, m) < n+m {
			rareA, rareB = rareA+a[i], rareB+b[i]
			continue
		}
		add(a[i], b[i])
	}
	add(rareA, rareB)
	if used < 2 {
		return 1
	}
	return stats.ChiSquaredPValue(max(0, g), float64(used-1))
}
