package stats_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/stats"
)

func ExampleOLS() {
	// Rent in hundreds a month by size in square meters and distance in km.
	x := [][]float64{{30, 1}, {45, 4}, {60, 2}, {75, 6}, {80, 3}, {100, 7}, {110, 5}}
	rent := []float64{7.1, 7.9, 11.2, 11.0, 13.6, 14.1, 17.2}
	m, err := stats.OLS(x, rent)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, name := range []string{"intercept", "size", "distance"} {
		c := m.Coefficients[i]
		fmt.Printf("%-9s %6.3f [%6.3f, %6.3f] p = %.4f\n", name, c.Estimate, c.Low, c.High, c.P)
	}
	fmt.Printf("R2 %.3f, VIF %.2f\n", m.R2, m.VIF)
	// Output:
	// intercept  3.230 [ 2.693,  3.766] p = 0.0001
	// size       0.153 [ 0.143,  0.164] p = 0.0000
	// distance  -0.615 [-0.751, -0.479] p = 0.0002
	// R2 0.998, VIF [2.12 2.12]
}

func ExampleTukeyHSD() {
	// The p-values are those of SciPy 1.17.1, tukey_hsd.
	yields := [][]float64{{4.2, 4.6, 4.4, 4.5}, {4.3, 4.7, 4.6, 4.4}, {5.1, 5.4, 5.0, 5.3}}
	pairs, err := stats.TukeyHSD(yields)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range pairs {
		fmt.Printf("%d-%d: %.2f [%.2f, %.2f] p = %.4f\n", c.A, c.B, c.Diff, c.Low, c.High, c.P)
	}
	// Output:
	// 0-1: -0.07 [-0.43, 0.28] p = 0.8270
	// 0-2: -0.77 [-1.13, -0.42] p = 0.0005
	// 1-2: -0.70 [-1.05, -0.35] p = 0.0009
}

func ExampleGroupSequential() {
	bounds, _, err := stats.GroupSequential(3, 0.05, stats.OBrienFleming)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.3f\n", bounds)
	// Output:
	// [3.471 2.454 2.004]
}

func ExampleKaplanMeier() {
	weeks := []float64{2, 3, 3, 5, 8}
	churned := []bool{true, true, false, true, false} // the others are still here
	curve, err := stats.KaplanMeier(weeks, churned)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range curve {
		fmt.Printf("after week %v of %d at risk: %.2f\n", s.Time, s.AtRisk, s.Share)
	}
	// Output:
	// after week 2 of 5 at risk: 0.80
	// after week 3 of 4 at risk: 0.60
	// after week 5 of 2 at risk: 0.30
}

func ExampleCox() {
	weeks := []float64{3, 5, 6, 8, 9, 12, 14, 15, 20, 22}
	left := []bool{true, true, true, true, false, true, true, false, true, false}
	monthly := [][]float64{{1}, {1}, {1}, {0}, {1}, {1}, {0}, {0}, {0}, {0}} // or a yearly contract
	m, err := stats.Cox(weeks, left, monthly)
	if err != nil {
		fmt.Println(err)
		return
	}
	c := m.Coefficients[0]
	fmt.Printf("hazard ratio %.1f, 95%% interval %.1f to %.1f, p = %.3f\n", math.Exp(c.Estimate), math.Exp(c.Low), math.Exp(c.High), c.P)
	fmt.Printf("concordance %.2f, proportional hazards p = %.2f\n", m.Concordance, m.ProportionalP)
	// Output:
	// hazard ratio 7.9, 95% interval 0.8 to 74.0, p = 0.070
	// concordance 0.72, proportional hazards p = 0.80
}

func ExampleRepeatedANOVA() {
	tasters := [][]float64{{4, 6, 7}, {3, 5, 8}, {5, 5, 9}, {2, 4, 4}, {4, 7, 7}} // three wines each
	r, err := stats.RepeatedANOVA(tasters)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("F = %.1f with %.0f and %.0f degrees of freedom, p = %.4f\n", r.F, r.DF, r.DFErr, r.P)
	fmt.Printf("epsilon %.2f, p = %.4f\n", r.GreenhouseGeisser, r.PGreenhouse)
	// Output:
	// F = 15.0 with 2 and 8 degrees of freedom, p = 0.0020
	// epsilon 0.67, p = 0.0085
}

func ExampleANCOVA() {
	after := []float64{12, 15, 14, 19, 16, 21, 20, 24}
	group := []string{"old", "old", "old", "old", "new", "new", "new", "new"}
	before := [][]float64{{10}, {13}, {12}, {16}, {10}, {14}, {13}, {17}}
	r, err := stats.ANCOVA(after, group, before)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, m := range r.Means {
		fmt.Printf("%s: %.1f at equal values before\n", r.Levels[i], m.Estimate)
	}
	fmt.Printf("p < 0.0001: %v, slopes p = %.2f\n", r.Groups.P < 1e-4, r.Slopes.P)
	// Output:
	// new: 19.8 at equal values before
	// old: 15.4 at equal values before
	// p < 0.0001: true, slopes p = 0.76
}

// Under the null the p-values of these are uniform too; slack is what a limit is
// known to be off by at that size.
func TestModelsNullIsUniform(t *testing.T) {
	t.Parallel()
	table := func(rng *rand.Rand, n, p int) [][]float64 {
		x := make([][]float64, n)
		for i := range x {
			x[i] = normals(rng, p)
		}
		return x
	}
	coins := func(rng *rand.Rand, n int) []bool {
		out := make([]bool, n)
		for i := range out {
			out[i] = rng.IntN(2) == 1
		}
		return out
	}
	for _, c := range []struct {
		name  string
		draws int
		slack float64
		draw  func(rng *rand.Rand) (float64, error)
	}{
		{"ols slope", 400, 0, func(rng *rand.Rand) (float64, error) {
			m, err := stats.OLS(table(rng, 9, 2), normals(rng, 9))
			return m.Coefficients[1].P, err
		}},
		{"ols f", 400, 0, func(rng *rand.Rand) (float64, error) {
			m, err := stats.OLS(table(rng, 9, 3), normals(rng, 9))
			return m.FP, err
		}},
		{"breusch-pagan", 300, 0.04, func(rng *rand.Rand) (float64, error) {
			m, err := stats.OLS(table(rng, 120, 2), normals(rng, 120))
			return m.BreuschPaganP, err
		}},
		{"hc3 of unequal variances", 300, 0.03, func(rng *rand.Rand) (float64, error) {
			x, y := table(rng, 150, 1), normals(rng, 150)
			for i := range y {
				y[i] *= 0.5 + math.Abs(x[i][0])
			}
			m, err := stats.OLS(x, y)
			if err != nil {
				return 0, err
			}
			robust, err := m.Robust(stats.HC3)
			return robust[1].P, err
		}},
		{"logit", 200, 0.03, func(rng *rand.Rand) (float64, error) {
			m, err := stats.Logit(table(rng, 120, 2), draw(rng, 120, func() float64 { return float64(rng.IntN(2)) }))
			return m.LRP, err
		}},
		{"poisson", 200, 0.03, func(rng *rand.Rand) (float64, error) {
			m, err := stats.Poisson(table(rng, 100, 2), draw(rng, 100, func() float64 { return float64(successes(rng, 100, 0.03)) }))
			return m.LRP, err
		}},
		{"one-way", 400, 0, func(rng *rand.Rand) (float64, error) {
			r, err := stats.OneWayANOVA(normalGroups(rng, 3, 5, 4))
			return r.P, err
		}},
		{"welch anova", 400, 0.02, func(rng *rand.Rand) (float64, error) {
			groups := normalGroups(rng, 12, 20, 15)
			for i := range groups[1] {
				groups[1][i] *= 4
			}
			r, err := stats.WelchANOVA(groups)
			return r.P, err
		}},
		{"two-way interaction", 300, 0, func(rng *rand.Rand) (float64, error) {
			a, b := []string{}, []string{}
			for i := range 14 {
				a, b = append(a, fmt.Sprint(i%2)), append(b, fmt.Sprint(i/2%3))
			}
			r, err := stats.TwoWayANOVA(normals(rng, 14), a, b)
			return r.AB.P, err
		}},
		{"two-way factor", 300, 0, func(rng *rand.Rand) (float64, error) {
			a, b := []string{}, []string{}
			for i := range 14 {
				a, b = append(a, fmt.Sprint(i%2)), append(b, fmt.Sprint(i/2%3))
			}
			r, err := stats.TwoWayANOVA(normals(rng, 14), a, b)
			return r.B.P, err
		}},
		{"ljung-box", 400, 0.04, func(rng *rand.Rand) (float64, error) { return justP(stats.LjungBox(normals(rng, 150), 5, 0)) }},
		{"granger", 300, 0.02, func(rng *rand.Rand) (float64, error) {
			r, err := stats.Granger(normals(rng, 60), normals(rng, 60), 2)
			return r.P, err
		}},
		{"adf of a walk", 300, 0.04, func(rng *rand.Rand) (float64, error) {
			x, at := normals(rng, 200), 0.0
			for i := range x {
				at += x[i]
				x[i] = at
			}
			r, err := stats.ADF(x, 1, stats.Level)
			return r.P, err
		}},
		{"cuped", 300, 0.02, func(rng *rand.Rand) (float64, error) {
			x := normals(rng, 60)
			y := normals(rng, 60)
			for i := range y {
				y[i] += 2 * x[i]
			}
			r, err := stats.CUPED(x[:25], y[:25], x[25:], y[25:])
			return r.P, err
		}},
		{"ratios", 300, 0.03, func(rng *rand.Rand) (float64, error) {
			den := draw(rng, 200, func() float64 { return 1 + float64(rng.IntN(9)) })
			num := make([]float64, 200)
			for i, d := range den {
				num[i] = d * (0.3 + 0.1*rng.NormFloat64())
			}
			r, err := stats.RatioDifference(num[:90], den[:90], num[90:], den[90:])
			return r.P, err
		}},
		{"sample ratio", 500, 0.03, func(rng *rand.Rand) (float64, error) {
			k := float64(successes(rng, 3000, 0.25))
			return justP(stats.SampleRatio([]float64{k, 3000 - k}, []float64{1, 3}))
		}},
		{"differences in differences", 150, 0.02, func(rng *rand.Rand) (float64, error) {
			r, err := stats.DifferenceInDifferences(normals(rng, 120), coins(rng, 120), coins(rng, 120))
			return r.P, err
		}},
		{"two-way, the other factor", 300, 0, func(rng *rand.Rand) (float64, error) {
			a, b := []string{}, []string{}
			for i := range 14 {
				a, b = append(a, fmt.Sprint(i%2)), append(b, fmt.Sprint(i/2%3))
			}
			r, err := stats.TwoWayANOVA(normals(rng, 14), a, b)
			return r.A.P, err
		}},
		{"newey-west of correlated errors", 300, 0.06, func(rng *rand.Rand) (float64, error) {
			x, y := correlated(rng, 300, 0.5), correlated(rng, 300, 0.5)
			rows := make([][]float64, len(x))
			for i := range x {
				rows[i] = []float64{x[i]}
			}
			m, err := stats.OLS(rows, y)
			if err != nil {
				return 0, err
			}
			c, err := m.NeweyWest(6)
			return c[1].P, err
		}},
		{"robust poisson of overdispersed counts", 200, 0.05, func(rng *rand.Rand) (float64, error) {
			y := draw(rng, 200, func() float64 { return float64(successes(rng, 60, 0.1*rng.ExpFloat64())) })
			m, err := stats.Poisson(table(rng, 200, 1), y)
			return m.Robust()[1].P, err
		}},
		{"robust logit", 200, 0.03, func(rng *rand.Rand) (float64, error) {
			m, err := stats.Logit(table(rng, 150, 1), draw(rng, 150, func() float64 { return float64(rng.IntN(2)) }))
			return m.Robust()[1].P, err
		}},
		{"cox", 300, 0.03, func(rng *rand.Rand) (float64, error) {
			m, err := survival(rng, 80, 0, table(rng, 80, 2))
			return m.LRP, err
		}},
		{"cox, score and ties", 300, 0.03, func(rng *rand.Rand) (float64, error) {
			event := coins(rng, 100)
			m, err := stats.Cox(draw(rng, 100, func() float64 { return math.Ceil(5 * rng.ExpFloat64()) }), event, table(rng, 100, 1))
			return m.ScoreP, err
		}},
		{"cox, one column", 300, 0.03, func(rng *rand.Rand) (float64, error) {
			x := table(rng, 100, 2)
			m, err := survival(rng, 100, 0.7, x)
			return m.Coefficients[1].P, err
		}},
		{"cox, robust", 300, 0.05, func(rng *rand.Rand) (float64, error) {
			m, err := survival(rng, 120, 0.7, table(rng, 120, 2))
			return m.Robust()[1].P, err
		}},
		{"cox, proportional hazards", 300, 0.03, func(rng *rand.Rand) (float64, error) {
			m, err := survival(rng, 100, 0.7, table(rng, 100, 1))
			return m.Proportional[0].P, err
		}},
		{"cox, proportional hazards of both", 300, 0.03, func(rng *rand.Rand) (float64, error) {
			m, err := survival(rng, 100, 0.7, table(rng, 100, 2))
			return m.ProportionalP, err
		}},
		{"log-rank", 400, 0.02, func(rng *rand.Rand) (float64, error) {
			event, group := make([]bool, 90), make([]int, 90)
			for i := range event {
				event[i], group[i] = rng.IntN(4) > 0, i%3
			}
			return justP(stats.LogRank(draw(rng, 90, rng.ExpFloat64), event, group))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			uniform(t, seed.Stream(20261127, "models "+c.name, 0), c.draws, c.slack, c.draw)
		})
	}
}

// correlated draws a series each of whose values keeps the share r of the last.
func correlated(rng *rand.Rand, n int, r float64) []float64 {
	x := normals(rng, n)
	for i := 1; i < n; i++ {
		x[i] = r*x[i-1] + math.Sqrt(1-r*r)*x[i]
	}
	return x
}

// survival fits Cox's model to times whose hazard rises with the first column of
// x, a third or so of them censored.
func survival(rng *rand.Rand, n int, slope float64, x [][]float64) (stats.CoxModel, error) {
	time, event := make([]float64, n), make([]bool, n)
	for i := range time {
		came, lost := rng.ExpFloat64()*math.Exp(-slope*x[i][0]), 2*rng.ExpFloat64()
		time[i], event[i] = min(came, lost), came <= lost
	}
	return stats.Cox(time, event, x)
}

// Intervals hold the truth as often as they say, within four standard errors of
// the number of draws and the slack of a limit.
func TestModelsIntervalsCover(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		draws int
		slack float64
		holds func(rng *rand.Rand) (bool, error)
	}{
		{"ols", 600, 0, func(rng *rand.Rand) (bool, error) {
			x, y := make([][]float64, 10), normals(rng, 10)
			for i := range x {
				x[i] = normals(rng, 2)
				y[i] += 1 + 2*x[i][0] - x[i][1]
			}
			m, err := stats.OLS(x, y)
			return m.Coefficients[1].Low <= 2 && 2 <= m.Coefficients[1].High, err
		}},
		{"logit", 100, 0.02, func(rng *rand.Rand) (bool, error) {
			x, y := make([][]float64, 150), make([]float64, 150)
			for i := range x {
				x[i] = normals(rng, 1)
				if rng.Float64() < 1/(1+math.Exp(-0.7*x[i][0])) {
					y[i] = 1
				}
			}
			m, err := stats.Logit(x, y)
			return m.Coefficients[1].Low <= 0.7 && 0.7 <= m.Coefficients[1].High, err
		}},
		{"cuped", 400, 0.01, func(rng *rand.Rand) (bool, error) {
			x, y := normals(rng, 80), normals(rng, 80)
			for i := range y {
				y[i] += 2 * x[i]
				if i >= 40 {
					y[i] += 0.5
				}
			}
			r, err := stats.CUPED(x[:40], y[:40], x[40:], y[40:])
			return r.Low <= 0.5 && 0.5 <= r.High, err
		}},
		{"cox", 200, 0.02, func(rng *rand.Rand) (bool, error) {
			x := make([][]float64, 100)
			for i := range x {
				x[i] = normals(rng, 1)
			}
			m, err := survival(rng, 100, 0.7, x)
			c := m.Coefficients[0]
			return c.Low <= 0.7 && 0.7 <= c.High, err
		}},
		{"adjusted mean", 600, 0, func(rng *rand.Rand) (bool, error) {
			y, x, group := normals(rng, 20), make([][]float64, 20), make([]string, 20)
			truth := 0.0 // of the first group where the covariate has the sample's mean
			for i := range y {
				x[i] = []float64{float64(i%2) + rng.NormFloat64()}
				y[i] += 2 * x[i][0]
				truth += 2 * x[i][0] / 20
				group[i] = fmt.Sprint(i % 2)
			}
			r, err := stats.ANCOVA(y, group, x)
			return r.Means[0].Low <= truth && truth <= r.Means[0].High, err
		}},
		{"difference in differences", 200, 0.02, func(rng *rand.Rand) (bool, error) {
			y, treated, post := normals(rng, 120), make([]bool, 120), make([]bool, 120)
			for i := range y {
				treated[i], post[i] = i%2 == 0, i%4 < 2
				if treated[i] && post[i] {
					y[i] += 2
				}
			}
			r, err := stats.DifferenceInDifferences(y, treated, post)
			return r.Low <= 2 && 2 <= r.High, err
		}},
		{"ratios", 300, 0.02, func(rng *rand.Rand) (bool, error) {
			den := draw(rng, 200, func() float64 { return 1 + float64(rng.IntN(9)) })
			num := make([]float64, 200)
			for i, d := range den {
				num[i] = d * (0.3 + 0.1*rng.NormFloat64())
				if i >= 90 {
					num[i] += 0.1 * d
				}
			}
			r, err := stats.RatioDifference(num[:90], den[:90], num[90:], den[90:])
			return r.Low <= 0.1 && 0.1 <= r.High, err
		}},
		{"kaplan-meier", 300, 0.02, func(rng *rand.Rand) (bool, error) {
			time, event := make([]float64, 80), make([]bool, 80)
			for i := range time {
				a, b := rng.ExpFloat64(), 2*rng.ExpFloat64()
				time[i], event[i] = min(a, b), a <= b
			}
			curve, err := stats.KaplanMeier(time, event)
			if err != nil {
				return false, err
			}
			at := curve[0]
			for _, s := range curve {
				if s.Time <= 0.7 {
					at = s
				}
			}
			truth := math.Exp(-0.7)
			return at.Low <= truth && truth <= at.High, nil
		}},
		{"aipw", 120, 0.03, func(rng *rand.Rand) (bool, error) {
			x, y, treated := make([][]float64, 150), normals(rng, 150), make([]bool, 150)
			for i := range x {
				x[i] = normals(rng, 1)
				treated[i] = rng.Float64() < 1/(1+math.Exp(-0.5*x[i][0]))
				y[i] += x[i][0]
				if treated[i] {
					y[i] += 1
				}
			}
			r, err := stats.InversePropensity(x, treated, y)
			return r.AIPWLow <= 1 && 1 <= r.AIPWHigh, err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rng := seed.Stream(20261127, "cover "+c.name, 0)
			held := 0.0
			for range c.draws {
				ok, err := c.holds(rng)
				if err != nil {
					t.Fatal(err)
				}
				if ok {
					held++
				}
			}
			share := held / float64(c.draws)
			if limit := 4*math.Sqrt(0.95*0.05/float64(c.draws)) + c.slack; math.Abs(share-0.95) > limit {
				t.Errorf("the intervals hold the truth in %.3f of the draws", share)
			}
		})
	}
}

// In one of twenty samples without effect some pair of Tukey's, or of Games and
// Howell's, has a p-value below 0.05 and an interval without 0. Both have one
// critical value of the statistic for a design (of Games-Howell, in large groups,
// nearly), so that it is found once: the studentised range takes long.
func TestPairsTogether(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rows, draws int
		spread      float64 // of the second group
		compare     func([][]float64) ([]stats.Comparison, error)
	}{
		"tukey":        {10, 4000, 1, stats.TukeyHSD},
		"games-howell": {120, 2000, 3, stats.GamesHowell},
	} {
		rng := seed.Stream(20261127, "pairs "+name, 0)
		sample := func() [][]float64 {
			groups := normalGroups(rng, c.rows, c.rows, c.rows)
			for i := range groups[1] {
				groups[1][i] *= c.spread
			}
			return groups
		}
		pairs, err := c.compare(sample())
		if err != nil {
			t.Fatal(err)
		}
		found := 0.0
		for range c.draws {
			var mean, variance [3]float64
			for i, x := range sample() {
				if mean[i], variance[i], err = stats.MeanVar(x); err != nil {
					t.Fatal(err)
				}
			}
			if name == "tukey" {
				pooled := (variance[0] + variance[1] + variance[2]) / 3
				variance = [3]float64{pooled, pooled, pooled}
			}
			for _, p := range pairs {
				critical := (p.High - p.Diff) / p.SE
				if math.Abs(mean[p.A]-mean[p.B])/math.Sqrt((variance[p.A]+variance[p.B])/float64(c.rows)) > critical {
					found++
					break
				}
			}
		}
		if share := found / float64(c.draws); math.Abs(share-0.05) > 4*math.Sqrt(0.05*0.95/float64(c.draws))+0.003 {
			t.Errorf("%s: some pair differs in %.4f of the samples without effect", name, share)
		}
	}
}

// The p-value for looking at any time is rarely ever below 0.05 without effect,
// and nor does a walk cross the bounds of a group sequential test.
func TestLookingOften(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(20261127, "looking", 0)
	bounds, _, err := stats.GroupSequential(4, 0.1, stats.Pocock)
	if err != nil {
		t.Fatal(err)
	}
	const draws = 3000
	var fooled, crossed float64
	for range draws {
		var n, diff []float64
		sum, out := 0.0, false
		for k := 1.0; k <= 20; k++ {
			sum += rng.NormFloat64()
			// 10 subjects a group and look, variance 1: the difference of means.
			n, diff = append(n, 10*k), append(diff, sum*math.Sqrt(0.2)/k)
			if k <= 4 && math.Abs(sum)/math.Sqrt(k) >= bounds[int(k)-1] {
				out = true
			}
		}
		_, p, err := stats.SequentialP(n, diff, 1, 0.1)
		if err != nil {
			t.Fatal(err)
		}
		if p[len(p)-1] < 0.05 {
			fooled++
		}
		if out {
			crossed++
		}
	}
	if share := fooled / draws; share > 0.05 || share < 0.005 {
		t.Errorf("%.4f of the experiments without effect fall below 0.05", share)
	}
	if share := crossed / draws; math.Abs(share-0.1) > 4*math.Sqrt(0.1*0.9/draws) {
		t.Errorf("%.4f cross the bounds of 0.1", share)
	}
}

// What has one answer by two ways.
func TestModelsAgree(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(20261127, "agree", 0)
	groups := normalGroups(rng, 9, 14)
	welch, err := stats.Welch(groups[0], groups[1])
	if err != nil {
		t.Fatal(err)
	}
	anova, err := stats.WelchANOVA(groups)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "Welch's ANOVA of two groups", anova.P, welch.P, 1e-12)
	games, err := stats.GamesHowell(groups)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "Games-Howell of two groups", games[0].P, welch.P, 1e-8)

	// Two groups as a regression on a 0/1 column.
	var x [][]float64
	var y []float64
	for g, group := range groups {
		for _, v := range group {
			x, y = append(x, []float64{float64(g)}), append(y, v)
		}
	}
	m, err := stats.OLS(x, y)
	if err != nil {
		t.Fatal(err)
	}
	one, err := stats.OneWayANOVA(groups)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "slope of two groups", m.Coefficients[1].P, one.P, 1e-12)
	tukey, err := stats.TukeyHSD(groups)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "Tukey of two groups", tukey[0].P, one.P, 1e-8)
	near(t, "end of Tukey's interval of two groups", tukey[0].High, -m.Coefficients[1].Low, 1e-8)

	// Without censoring the curve is the share above, and Greenwood's error binomial.
	time := []float64{1, 2, 3, 4, 5}
	curve, err := stats.KaplanMeier(time, []bool{true, true, true, true, true})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "curve", curve[1].Share, 0.6, 1e-15)
	near(t, "Greenwood", curve[1].SE, math.Sqrt(0.6*0.4/5), 1e-15)
	if last := curve[4]; last.Share != 0 || !math.IsNaN(last.SE) {
		t.Errorf("the last step is %+v", last)
	}

	// Cox's score test of one 0/1 column without ties is the log-rank test, two
	// conditions are pairs, and robust errors are near the others in a true model.
	event, group2 := make([]bool, 60), make([]int, 60)
	var arm [][]float64
	for i := range event {
		event[i], group2[i] = i%4 > 0, i%2
		arm = append(arm, []float64{float64(i % 2)})
	}
	times := draw(rng, 60, rng.ExpFloat64)
	cox, err := stats.Cox(times, event, arm)
	if err != nil {
		t.Fatal(err)
	}
	logrank, err := stats.LogRank(times, event, group2)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "score test", cox.Score, logrank.Statistic, 1e-9)
	near(t, "robust error", cox.Robust()[0].SE, cox.Coefficients[0].SE, 0.15*cox.Coefficients[0].SE)
	// Another unit and origin of the column changes nothing but its scale.
	for i := range arm {
		arm[i][0] = 1e6 + 100*arm[i][0]
	}
	moved, err := stats.Cox(times, event, arm)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "coefficient in other units", 100*moved.Coefficients[0].Estimate, cox.Coefficients[0].Estimate, 1e-6)
	near(t, "robust error in other units", 100*moved.Robust()[0].SE, cox.Robust()[0].SE, 1e-6)
	blocks := subjects(rng, 9, 1, 1)
	var before, after []float64
	for _, b := range blocks {
		before, after = append(before, b[0]), append(after, b[1])
	}
	pairs, err := stats.PairedT(before, after, stats.Ask{})
	if err != nil {
		t.Fatal(err)
	}
	repeated, err := stats.RepeatedANOVA(blocks)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "repeated measures of two conditions", repeated.P, pairs.P, 1e-10)
	hc1, err := m.Robust(stats.HC1)
	if err != nil {
		t.Fatal(err)
	}
	white, err := m.NeweyWest(0)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "no lags", white[1].SE, hc1[1].SE, 1e-12)
	near(t, "no effect on hazards", stats.PowerLogRank(1, 50, 0.5, 0.05), 0.05, 1e-12)
	near(t, "no correlation", stats.PowerCorrelation(0, 50, 0.05, stats.TwoSided), 0.05, 2e-3)

	// A beats B as often as B does not beat A, and equals are even.
	p, err := stats.BetaAB([2]float64{30, 41}, [2]float64{200, 210}, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	q, err := stats.BetaAB([2]float64{41, 30}, [2]float64{210, 200}, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "exchanged", p.ProbBBeatsA, 1-q.ProbBBeatsA, 1e-10)
	near(t, "difference of the losses", p.LossA-p.LossB, p.MeanB-p.MeanA, 1e-10)
}

func TestModelsErrors(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	x := [][]float64{{1, 2}, {2, 4}, {3, 6}, {4, 8}, {5, 10}}
	one := [][]float64{{1}, {2}, {3}, {4}, {5}}
	y := []float64{1, 3, 2, 5, 4}
	yes := []bool{true, true, false, false, true}
	line, err := stats.OLS(one, y)
	if err != nil {
		t.Fatal(err)
	}
	second := func(_ any, err error) error { return err }
	third := func(_, _ any, err error) error { return err }
	for _, c := range []struct {
		name string
		got  error
		want error
	}{
		{"collinear", second(stats.OLS(x, y)), stats.ErrCollinear},
		{"constant column", second(stats.OLS([][]float64{{1}, {1}, {1}, {1}, {1}}, y)), stats.ErrCollinear},
		{"as many coefficients as rows", second(stats.OLS(one[:2], y[:2])), stats.ErrTooFew},
		{"no rows", second(stats.OLS(nil, nil)), stats.ErrTooFew},
		{"ragged", second(stats.OLS([][]float64{{1}, {2}, {3, 3}, {4}, {5}}, y)), stats.ErrValue},
		{"nan", second(stats.OLS([][]float64{{1}, {nan}, {3}, {4}, {5}}, y)), stats.ErrValue},
		{"flat", second(stats.OLS(one, []float64{2, 2, 2, 2, 2})), stats.ErrConstant},
		{"exact", second(stats.OLS(one, []float64{1, 2, 3, 4, 5})), stats.ErrConstant},
		{"separated", second(stats.Logit(one, []float64{0, 0, 0, 1, 1})), stats.ErrSeparated},
		{"partly separated", second(stats.Logit([][]float64{{0}, {0}, {0}, {1}, {1}}, []float64{0, 1, 0, 1, 1})), stats.ErrSeparated},
		{"not 0 or 1", second(stats.Logit(one, y)), stats.ErrValue},
		{"one outcome", second(stats.Logit(one, []float64{1, 1, 1, 1, 1})), stats.ErrConstant},
		{"not counts", second(stats.Poisson(one, []float64{1, 2.5, 1, 0, 1})), stats.ErrValue},
		{"zeros of a kind", second(stats.Poisson([][]float64{{0}, {0}, {0}, {1}, {1}}, []float64{3, 1, 2, 0, 0})), stats.ErrSeparated},
		{"one group", second(stats.OneWayANOVA([][]float64{y})), stats.ErrTooFew},
		{"flat groups", second(stats.OneWayANOVA([][]float64{{1, 1}, {1, 1}})), stats.ErrConstant},
		{"flat group", second(stats.WelchANOVA([][]float64{{1, 1}, {1, 2}})), stats.ErrConstant},
		{"tukey of exact groups", second(stats.TukeyHSD([][]float64{{1, 1}, {2, 2}})), stats.ErrConstant},
		{"empty cell", second(stats.TwoWayANOVA(y, []string{"a", "a", "b", "b", "b"}, []string{"u", "v", "u", "u", "u"})), stats.ErrTooFew},
		{"flat series", second(stats.Autocorrelation([]float64{1, 1, 1}, 1)), stats.ErrConstant},
		{"short series", second(stats.ADF(y, 3, stats.Level)), stats.ErrTooFew},
		{"line", second(stats.KPSS([]float64{1, 2, 3, 4, 5, 6}, 0, stats.Linear)), stats.ErrConstant},
		{"lags", second(stats.LjungBox(y, 2, 2)), stats.ErrValue},
		{"itself", second(stats.Granger([]float64{1, 3, 2, 5, 4, 6, 1, 0}, []float64{1, 3, 2, 5, 4, 6, 1, 0}, 1)), stats.ErrCollinear},
		{"no variance before", second(stats.CUPED([]float64{1, 1, 1}, y[:3], []float64{1, 1, 1}, y[:3])), stats.ErrConstant},
		{"falling looks", third(stats.SequentialP([]float64{10, 5}, []float64{0, 0}, 1, 1)), stats.ErrValue},
		{"no looks", third(stats.GroupSequential(0, 0.05, stats.Pocock)), stats.ErrValue},
		{"nobody", second(stats.BetaAB([2]float64{0, 1}, [2]float64{0, 5}, 1, 1)), stats.ErrTooFew},
		{"more successes than trials", second(stats.BetaAB([2]float64{6, 1}, [2]float64{5, 5}, 1, 1)), stats.ErrValue},
		{"no freedom", second(stats.BayesFactorT(1, 2, 0, 0.7)), stats.ErrTooFew},
		{"cell", second(stats.DifferenceInDifferences(y, yes, yes)), stats.ErrTooFew},
		{"certain treatment", second(stats.InversePropensity(one, []bool{false, false, false, true, true}, y)), stats.ErrSeparated},
		{"no event", second(stats.KaplanMeier(y, make([]bool, 5))), stats.ErrTooFew},
		{"time", second(stats.KaplanMeier([]float64{-1}, []bool{true})), stats.ErrValue},
		{"a group alone", second(stats.LogRank(y, yes, make([]int, 5))), stats.ErrTooFew},
		{"cox without columns", second(stats.Cox(y, yes, [][]float64{{}, {}, {}, {}, {}})), stats.ErrTooFew},
		{"cox without events", second(stats.Cox(y, make([]bool, 5), one)), stats.ErrTooFew},
		{"cox, collinear", second(stats.Cox(y, yes, x)), stats.ErrCollinear},
		{"cox, ordered by the column", second(stats.Cox(y, []bool{true, true, true, true, true}, [][]float64{{5}, {3}, {4}, {1}, {2}})), stats.ErrSeparated},
		{"cox, last event alone", second(stats.Cox(y, []bool{false, false, false, true, false}, one)), stats.ErrTooFew},
		{"cox, nan", second(stats.Cox(y, yes, [][]float64{{1}, {nan}, {3}, {4}, {5}})), stats.ErrValue},
		{"cox, lengths", second(stats.Cox(y, yes[:3], one)), stats.ErrValue},
		{"one subject", second(stats.RepeatedANOVA([][]float64{y})), stats.ErrTooFew},
		{"one condition", second(stats.RepeatedANOVA(one)), stats.ErrTooFew},
		{"ragged subjects", second(stats.RepeatedANOVA([][]float64{{1, 2}, {1, 2, 3}})), stats.ErrValue},
		{"subjects without error", second(stats.RepeatedANOVA([][]float64{{1, 2}, {5, 6}, {3, 4}})), stats.ErrConstant},
		{"ancova of one group", second(stats.ANCOVA(y, []string{"a", "a", "a", "a", "a"}, one)), stats.ErrTooFew},
		{"ancova without covariate", second(stats.ANCOVA(y, []string{"a", "a", "b", "b", "b"}, [][]float64{{}, {}, {}, {}, {}})), stats.ErrTooFew},
		{"covariate that is the group", second(stats.ANCOVA(y, []string{"a", "a", "b", "b", "b"}, [][]float64{{0}, {0}, {1}, {1}, {1}})), stats.ErrCollinear},
		{"slope over nothing", second(stats.TheilSen([]float64{1, 1, 1}, y[:3], stats.Ask{})), stats.ErrConstant},
		{"slope of two", second(stats.TheilSen(y[:2], y[:2], stats.Ask{})), stats.ErrTooFew},
		{"newey-west lags", second(line.NeweyWest(5)), stats.ErrValue},
		{"share", second(stats.SampleRatio([]float64{1, 2}, []float64{1, 0})), stats.ErrValue},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, c.got, c.want)
		}
	}
}
