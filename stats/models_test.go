package stats_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
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
			rng := seed.Stream(20261127, "models "+c.name, 0)
			p := make([]float64, c.draws)
			for i := range p {
				var err error
				if p[i], err = c.draw(rng); err != nil {
					t.Fatal(err)
				}
			}
			slices.Sort(p)
			n, d := float64(c.draws), 0.0
			for i, v := range p {
				d = max(d, v-float64(i)/n, float64(i+1)/n-v)
			}
			if limit := 1.949/math.Sqrt(n) + c.slack; d > limit {
				t.Errorf("distance from uniform %.4f, more than %.4f", d, limit)
			}
		})
	}
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
		{"share", second(stats.SampleRatio([]float64{1, 2}, []float64{1, 0})), stats.ErrValue},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, c.got, c.want)
		}
	}
}
