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

func ExampleStudentT() {
	before := []float64{18, 21, 16, 22, 19, 24, 17, 21, 23, 18}
	after := []float64{22, 25, 17, 24, 16, 29, 20, 23, 19, 20}
	r, err := stats.StudentT(after, before, stats.Ask{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("t = %.2f with %.0f degrees of freedom, p = %.3f\n", r.Statistic, r.DF, r.P)
	fmt.Printf("difference %.2f, 95%% interval %.2f to %.2f\n", r.Estimate, r.Low, r.High)
	fmt.Printf("%s %.2f, 95%% interval %.2f to %.2f\n", r.EffectName, r.Effect, r.EffectLow, r.EffectHigh)
	// Output:
	// t = 1.06 with 18 degrees of freedom, p = 0.301
	// difference 1.60, 95% interval -1.56 to 4.76
	// Hedges' g 0.46, 95% interval -0.40 to 1.30
}

func ExamplePairedT() {
	before := []float64{18, 21, 16, 22, 19, 24, 17, 21, 23, 18}
	after := []float64{22, 25, 17, 24, 16, 29, 20, 23, 19, 20}
	r, err := stats.PairedT(after, before, stats.Ask{Alternative: stats.Greater})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("mean rise %.1f, at least %.2f, p = %.3f\n", r.Estimate, r.Low, r.P)
	// Output:
	// mean rise 1.6, at least -0.11, p = 0.060
}

func ExampleFisher() {
	tasted := [][]float64{{3, 1}, {1, 3}} // the lady tasting tea
	r, err := stats.Fisher(tasted, stats.Ask{Alternative: stats.Greater})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("p = %.3f, odds ratio %.2f\n", r.P, r.Conditional)
	// Output:
	// p = 0.243, odds ratio 6.41
}

func ExampleProportionsZ() {
	r, err := stats.ProportionsZ(120, 1000, 94, 1010, stats.Ask{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("difference %.4f, 95%% interval %.4f to %.4f, p = %.3f\n", r.Diff, r.Newcombe.Low, r.Newcombe.High, r.P)
	// Output:
	// difference 0.0269, 95% interval -0.0001 to 0.0541, p = 0.050
}

func ExampleSampleSize() {
	n, err := stats.SampleSize(0.8, func(n float64) float64 {
		return stats.PowerTwoSampleT(0.5, n, 1, 0.05, stats.TwoSided)
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.0f in each group\n", math.Ceil(n))
	// Output:
	// 64 in each group
}

func ExampleAdjust() {
	p := []float64{0.01, 0.04, 0.03}
	for _, by := range []stats.Correction{stats.Bonferroni, stats.HolmStep, stats.BenjaminiHochberg} {
		corrected, err := stats.Adjust(p, by)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%.2f\n", corrected)
	}
	// Output:
	// [0.03 0.12 0.09]
	// [0.03 0.06 0.06]
	// [0.03 0.04 0.04]
}

func draw(rng *rand.Rand, n int, f func() float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = f()
	}
	return x
}

func normals(rng *rand.Rand, n int) []float64 { return draw(rng, n, rng.NormFloat64) }

func normalGroups(rng *rand.Rand, n ...int) [][]float64 {
	groups := make([][]float64, len(n))
	for i := range n {
		groups[i] = normals(rng, n[i])
	}
	return groups
}

func justP(r stats.Result, err error) (float64, error) { return r.P, err }

// Under the null, the p-values of a continuous statistic are uniform: their
// largest distance from the uniform distribution is below the critical value at
// 0.001, which one seed in a thousand exceeds. Tests that rest on a limit get the
// slack that it is known to be off by at that size.
func TestNullIsUniform(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		draws int
		slack float64
		draw  func(rng *rand.Rand) (float64, error)
	}{
		{"one-sample t", 400, 0, func(rng *rand.Rand) (float64, error) {
			return justP(stats.OneSampleT(normals(rng, 7), 0, stats.Ask{}))
		}},
		{"paired t, greater", 400, 0, func(rng *rand.Rand) (float64, error) {
			return justP(stats.PairedT(normals(rng, 7), normals(rng, 7), stats.Ask{Alternative: stats.Greater}))
		}},
		{"student", 400, 0, func(rng *rand.Rand) (float64, error) {
			return justP(stats.StudentT(normals(rng, 5), normals(rng, 9), stats.Ask{}))
		}},
		{"welch, less", 2000, 0.01, func(rng *rand.Rand) (float64, error) {
			return justP(stats.WelchAsk(normals(rng, 15), normals(rng, 20), stats.Ask{Alternative: stats.Less}))
		}},
		{"yuen", 300, 0.02, func(rng *rand.Rand) (float64, error) {
			return justP(stats.Yuen(normals(rng, 30), normals(rng, 40), 0.2, stats.Ask{}))
		}},
		{"variance F", 200, 0, func(rng *rand.Rand) (float64, error) {
			return justP(stats.VarianceF(normals(rng, 6), normals(rng, 9), stats.Ask{}))
		}},
		{"levene", 2000, 0.03, func(rng *rand.Rand) (float64, error) {
			return justP(stats.Levene(normalGroups(rng, 40, 50, 60), stats.Median))
		}},
		{"bartlett", 2000, 0.01, func(rng *rand.Rand) (float64, error) {
			return justP(stats.Bartlett(normalGroups(rng, 20, 30, 25)))
		}},
		{"fligner", 1000, 0.03, func(rng *rand.Rand) (float64, error) {
			return justP(stats.Fligner(normalGroups(rng, 40, 50, 60)))
		}},
		{"kruskal", 1000, 0.01, func(rng *rand.Rand) (float64, error) {
			return justP(stats.KruskalWallis(normalGroups(rng, 20, 30, 25)))
		}},
		{"friedman", 1000, 0.03, func(rng *rand.Rand) (float64, error) {
			return justP(stats.Friedman(normalGroups(rng, slices.Repeat([]int{5}, 30)...)))
		}},
		{"brunner-munzel, unequal spreads", 1000, 0.02, func(rng *rand.Rand) (float64, error) {
			b := normals(rng, 40)
			for i := range b {
				b[i] *= 3
			}
			return justP(stats.BrunnerMunzel(normals(rng, 30), b, stats.Ask{}))
		}},
		{"wilcoxon", 1000, 0.02, func(rng *rand.Rand) (float64, error) {
			r, err := stats.Wilcoxon(normals(rng, 60), normals(rng, 60), stats.Ask{})
			return r.P, err
		}},
		{"permutation, sampled", 500, 0.01, func(rng *rand.Rand) (float64, error) {
			return justP(stats.PermutationMeansSampled(normals(rng, 8), normals(rng, 9), 199, rng, stats.Ask{Alternative: stats.Less}))
		}},
		{"shapiro-wilk of 10", 2000, 0.01, func(rng *rand.Rand) (float64, error) { return justP(stats.ShapiroWilk(normals(rng, 10))) }},
		{"shapiro-wilk of 60", 1000, 0.01, func(rng *rand.Rand) (float64, error) { return justP(stats.ShapiroWilk(normals(rng, 60))) }},
		{"jarque-bera of 2000", 500, 0.03, func(rng *rand.Rand) (float64, error) { return justP(stats.JarqueBera(normals(rng, 2000))) }},
		{"d'agostino-pearson", 2000, 0.02, func(rng *rand.Rand) (float64, error) {
			return justP(stats.DAgostinoPearson(normals(rng, 60)))
		}},
		{"anderson-darling", 1000, 0.02, func(rng *rand.Rand) (float64, error) {
			return justP(stats.AndersonDarling(normals(rng, 40)))
		}},
		{"anderson-darling, 3 samples", 150, 0.02, func(rng *rand.Rand) (float64, error) {
			return justP(stats.AndersonKSamples(normalGroups(rng, 20, 30, 25)))
		}},
		{"kolmogorov-smirnov, normal", 500, 0, func(rng *rand.Rand) (float64, error) {
			return justP(stats.KolmogorovSmirnovNormal(normals(rng, 12), 0, 1))
		}},
		{"kolmogorov-smirnov, normal, many", 500, 0, func(rng *rand.Rand) (float64, error) {
			return justP(stats.KolmogorovSmirnovNormal(normals(rng, 300), 0, 1))
		}},
		{"cramer-von mises, limit", 500, 0.02, func(rng *rand.Rand) (float64, error) {
			return justP(stats.CramerVonMises(normals(rng, 40), normals(rng, 30), stats.Ask{}))
		}},
		{"pearson", 2000, 0, func(rng *rand.Rand) (float64, error) {
			return justP(stats.Pearson(normals(rng, 8), normals(rng, 8), stats.Ask{}))
		}},
		{"spearman", 2000, 0.01, func(rng *rand.Rand) (float64, error) {
			return justP(stats.Spearman(normals(rng, 50), normals(rng, 50), stats.Ask{}))
		}},
		{"kendall", 1000, 0.02, func(rng *rand.Rand) (float64, error) {
			return justP(stats.Kendall(normals(rng, 50), normals(rng, 50), stats.Ask{}))
		}},
		{"partial correlation", 2000, 0, func(rng *rand.Rand) (float64, error) {
			z, w := normals(rng, 12), normals(rng, 12)
			x, y := normals(rng, 12), normals(rng, 12)
			for i := range z {
				x[i] += 3*z[i] + w[i]
				y[i] += 2*z[i] - w[i]
			}
			return justP(stats.PartialCorrelation(x, y, [][]float64{z, w}, stats.Ask{}))
		}},
		{"goodness of fit", 1000, 0.03, func(rng *rand.Rand) (float64, error) {
			counts := make([]float64, 8)
			for range 500 {
				counts[rng.IntN(8)]++
			}
			return justP(stats.GoodnessOfFit(counts, slices.Repeat([]float64{0.125}, 8)))
		}},
		{"g-test", 1000, 0.03, func(rng *rand.Rand) (float64, error) {
			table := [][]float64{make([]float64, 4), make([]float64, 4), make([]float64, 4)}
			for range 500 {
				table[rng.IntN(3)][rng.IntN(4)]++
			}
			return justP(stats.GTest(table))
		}},
		{"cochran q", 500, 0.05, func(rng *rand.Rand) (float64, error) {
			blocks := make([][]float64, 100)
			for i := range blocks {
				blocks[i] = draw(rng, 5, func() float64 { return float64(rng.IntN(2)) })
			}
			return justP(stats.CochranQ(blocks))
		}},
		{"two proportions", 2000, 0.04, func(rng *rand.Rand) (float64, error) {
			r, err := stats.ProportionsZ(successes(rng, 300, 0.3), 300, successes(rng, 400, 0.3), 400, stats.Ask{})
			return r.P, err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rng := seed.Stream(20261127, c.name, 0)
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

func successes(rng *rand.Rand, n int, p float64) (k int) {
	for range n {
		if rng.Float64() < p {
			k++
		}
	}
	return k
}

// Exact tests of a discrete statistic never claim more often than at their level.
func TestExactTestsAreConservative(t *testing.T) {
	t.Parallel()
	const draws = 1000
	for name, one := range map[string]func(rng *rand.Rand) (float64, error){
		"fisher": func(rng *rand.Rand) (float64, error) {
			a, b := 1+float64(successes(rng, 12, 0.4)), float64(successes(rng, 15, 0.4))
			r, err := stats.Fisher([][]float64{{a - 1, 13 - a}, {b, 15 - b}}, stats.Ask{})
			if errors.Is(err, stats.ErrTooFew) {
				return 1, nil
			}
			return r.P, err
		},
		"binomial": func(rng *rand.Rand) (float64, error) {
			r, err := stats.Binomial(successes(rng, 25, 0.3), 25, 0.3, stats.Ask{})
			return r.P, err
		},
		"mcnemar": func(rng *rand.Rand) (float64, error) {
			b := float64(successes(rng, 17, 0.5))
			return justP(stats.McNemar([][]float64{{5, b}, {17 - b, 3}}, stats.Ask{}))
		},
		"wilcoxon with ties": func(rng *rand.Rand) (float64, error) {
			x := draw(rng, 12, func() float64 { return float64(rng.IntN(5)) - 2 })
			x[0] = 1 - 2*float64(rng.IntN(2))
			r, err := stats.Wilcoxon(x, make([]float64, 12), stats.Ask{Method: stats.Exact})
			return r.P, err
		},
		"permutation": func(rng *rand.Rand) (float64, error) {
			return justP(stats.PermutationMeans(normals(rng, 4), normals(rng, 5), stats.Ask{}))
		},
		"kendall": func(rng *rand.Rand) (float64, error) {
			return justP(stats.Kendall(normals(rng, 9), normals(rng, 9), stats.Ask{}))
		},
		"poisson, exact": func(rng *rand.Rand) (float64, error) {
			return justP(stats.PoissonRates(1+successes(rng, 60, 0.1), 1, 1+successes(rng, 60, 0.1), 1, stats.Ask{Method: stats.Exact}))
		},
		"cramer-von mises": func(rng *rand.Rand) (float64, error) {
			return justP(stats.CramerVonMises(normals(rng, 4), normals(rng, 5), stats.Ask{}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rng := seed.Stream(4, name, 0)
			hits := map[float64]float64{}
			for range draws {
				p, err := one(rng)
				if err != nil {
					t.Fatal(err)
				}
				if !(p >= 0 && p <= 1) {
					t.Fatalf("p = %v", p)
				}
				for _, alpha := range []float64{0.01, 0.05, 0.2, 0.5} {
					if p <= alpha*(1+1e-12) {
						hits[alpha]++
					}
				}
			}
			for alpha, n := range hits {
				if share := n / draws; share > alpha+4*math.Sqrt(alpha*(1-alpha)/draws) {
					t.Errorf("P(p <= %v) = %.4f", alpha, share)
				}
			}
			if hits[0.5] < 0.2*draws {
				t.Errorf("P(p <= 0.5) = %.3f: the test claims nothing", hits[0.5]/draws)
			}
		})
	}
}

// The 95% intervals hold the population's value in 95% of samples; four standard
// errors of 1,000 draws are 2.8%, and approximate intervals get a little more.
func TestIntervalsOfFamiliesCover(t *testing.T) {
	t.Parallel()
	shifted := func(rng *rand.Rand, n int, mean float64) []float64 {
		return draw(rng, n, func() float64 { return mean + rng.NormFloat64() })
	}
	related := func(rng *rand.Rand, n int, r float64) (x, y []float64) {
		x, y = normals(rng, n), normals(rng, n)
		for i := range x {
			y[i] = r*x[i] + math.Sqrt(1-r*r)*y[i]
		}
		return x, y
	}
	effect := func(r stats.Result, err error) (float64, float64, error) { return r.EffectLow, r.EffectHigh, err }
	estimate := func(r stats.Result, err error) (float64, float64, error) { return r.Low, r.High, err }
	for _, c := range []struct {
		name        string
		draws       int
		truth       float64
		least, most float64
		draw        func(rng *rand.Rand) (low, high float64, err error)
	}{
		{"cohen's d of 0.8", 300, 0.8, 0.9, 0.99, func(rng *rand.Rand) (float64, float64, error) {
			return effect(stats.OneSampleT(shifted(rng, 12, 0.8), 0, stats.Ask{}))
		}},
		{"hedges' g of 1", 300, 1, 0.9, 0.99, func(rng *rand.Rand) (float64, float64, error) {
			return effect(stats.StudentT(shifted(rng, 12, 1), shifted(rng, 15, 0), stats.Ask{}))
		}},
		{"robust d of 1", 300, 1, 0.9, 0.99, func(rng *rand.Rand) (float64, float64, error) {
			return effect(stats.Yuen(shifted(rng, 40, 1), shifted(rng, 50, 0), 0.2, stats.Ask{}))
		}},
		{"difference of means", 1000, 0.5, 0.922, 0.978, func(rng *rand.Rand) (float64, float64, error) {
			return estimate(stats.WelchAsk(shifted(rng, 12, 0.5), shifted(rng, 15, 0), stats.Ask{}))
		}},
		{"ratio of variances", 200, 1, 0.89, 0.995, func(rng *rand.Rand) (float64, float64, error) {
			return estimate(stats.VarianceF(shifted(rng, 12, 0.5), shifted(rng, 15, 0), stats.Ask{}))
		}},
		{"P(a > b)", 1000, (1 + math.Erf(0.5)) / 2, 0.92, 0.98, func(rng *rand.Rand) (float64, float64, error) {
			return effect(stats.BrunnerMunzel(shifted(rng, 40, 1), shifted(rng, 60, 0), stats.Ask{}))
		}},
		{"pearson's r of 0.6", 1000, 0.6, 0.922, 0.978, func(rng *rand.Rand) (float64, float64, error) {
			x, y := related(rng, 40, 0.6)
			return effect(stats.Pearson(x, y, stats.Ask{}))
		}},
		{"spearman's rho of r = 0.6", 1000, 6 / math.Pi * math.Asin(0.3), 0.915, 0.985, func(rng *rand.Rand) (float64, float64, error) {
			x, y := related(rng, 60, 0.6)
			return effect(stats.Spearman(x, y, stats.Ask{}))
		}},
		{"kendall's tau of r = 0.6", 1000, 2 / math.Pi * math.Asin(0.6), 0.915, 0.99, func(rng *rand.Rand) (float64, float64, error) {
			x, y := related(rng, 60, 0.6)
			return effect(stats.Kendall(x, y, stats.Ask{}))
		}},
		{"clopper-pearson", 1000, 0.2, 0.95 - 0.028, 1, func(rng *rand.Rand) (float64, float64, error) {
			r, err := stats.Binomial(successes(rng, 40, 0.2), 40, 0.2, stats.Ask{})
			return r.ClopperPearson.Low, r.ClopperPearson.High, err
		}},
		{"wilson", 1000, 0.2, 0.91, 0.985, func(rng *rand.Rand) (float64, float64, error) {
			r, err := stats.Binomial(successes(rng, 40, 0.2), 40, 0.2, stats.Ask{})
			return r.Wilson.Low, r.Wilson.High, err
		}},
		{"newcombe", 1000, 0.1, 0.92, 0.985, func(rng *rand.Rand) (float64, float64, error) {
			r, err := stats.ProportionsZ(successes(rng, 60, 0.3), 60, successes(rng, 80, 0.2), 80, stats.Ask{})
			return r.Newcombe.Low, r.Newcombe.High, err
		}},
		{"odds ratio", 1000, 0.3 / 0.7 / (0.2 / 0.8), 0.92, 0.985, func(rng *rand.Rand) (float64, float64, error) {
			a, b := float64(successes(rng, 80, 0.3)), float64(successes(rng, 90, 0.2))
			r, err := stats.OddsRiskRatio([][]float64{{a, 80 - a}, {b, 90 - b}}, 0)
			return r.OddsLow, r.OddsHigh, err
		}},
		{"odds ratio, exact", 200, 0.3 / 0.7 / (0.2 / 0.8), 0.92, 1, func(rng *rand.Rand) (float64, float64, error) {
			a, b := float64(successes(rng, 40, 0.3)), float64(successes(rng, 45, 0.2))
			r, err := stats.Fisher([][]float64{{a, 40 - a}, {b, 45 - b}}, stats.Ask{})
			return r.Low, r.High, err
		}},
		{"kappa of 0.6", 1000, 0.6, 0.92, 0.98, func(rng *rand.Rand) (float64, float64, error) {
			table := [][]float64{{0, 0}, {0, 0}}
			for range 150 { // halves, and agreement 0.8
				i, j := rng.IntN(2), 0
				if j = i; rng.Float64() < 0.2 {
					j = 1 - i
				}
				table[i][j]++
			}
			r, err := stats.CohenKappa(table, 0)
			return r.Low, r.High, err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rng := seed.Stream(11, c.name, 0)
			held := 0
			for range c.draws {
				low, high, err := c.draw(rng)
				if err != nil {
					t.Fatal(err)
				}
				if low <= c.truth && c.truth <= high {
					held++
				}
			}
			if share := float64(held) / float64(c.draws); share < c.least || share > c.most {
				t.Errorf("the interval held %v in %.3f of samples", c.truth, share)
			}
		})
	}
}

// What must not matter does not: the order of the samples but for the sign, the
// unit and the origin, and for ranks any rising transform.
func TestInvariance(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(9, "invariance", 0)
	a, b := normals(rng, 9), draw(rng, 9, func() float64 { return 0.7 + rng.NormFloat64() })
	linear := func(x []float64) []float64 { return apply(x, func(v float64) float64 { return 40*v - 1000 }) }
	type test = func(a, b []float64) (stats.Result, error)
	with := func(f func(a, b []float64, ask stats.Ask) (stats.Result, error)) test {
		return func(a, b []float64) (stats.Result, error) { return f(a, b, stats.Ask{}) }
	}
	groups := func(f func(groups [][]float64) (stats.Result, error)) test {
		return func(a, b []float64) (stats.Result, error) { return f([][]float64{a, b}) }
	}
	for name, c := range map[string]struct {
		f     test
		ranks bool
	}{
		"student":     {with(stats.StudentT), false},
		"paired":      {with(stats.PairedT), false},
		"welch":       {with(stats.WelchAsk), false},
		"yuen":        {func(a, b []float64) (stats.Result, error) { return stats.Yuen(a, b, 0.2, stats.Ask{}) }, false},
		"variance F":  {with(stats.VarianceF), false},
		"permutation": {with(stats.PermutationMeans), false},
		"pearson":     {with(stats.Pearson), false},
		"levene":      {func(a, b []float64) (stats.Result, error) { return stats.Levene([][]float64{a, b}, stats.Median) }, false},
		"bartlett":    {groups(stats.Bartlett), false},
		"fligner":     {groups(stats.Fligner), false},
		"wilcoxon": {func(a, b []float64) (stats.Result, error) {
			r, err := stats.Wilcoxon(a, b, stats.Ask{})
			return r.Result, err
		}, false},
		"mann-whitney":     {with(stats.MannWhitneyAsk), true},
		"brunner-munzel":   {with(stats.BrunnerMunzel), true},
		"kruskal":          {groups(stats.KruskalWallis), true},
		"ks":               {with(stats.KolmogorovSmirnovAsk), true},
		"cramer-von mises": {with(stats.CramerVonMises), true},
		"anderson-darling": {groups(stats.AndersonKSamples), true},
		"spearman":         {with(stats.Spearman), true},
		"kendall":          {with(stats.Kendall), true},
	} {
		want, err := c.f(a, b)
		if err != nil {
			t.Fatal(name, err)
		}
		check := func(how string, x, y []float64) {
			t.Helper()
			got, err := c.f(x, y)
			if err != nil {
				t.Fatal(name, how, err)
			}
			near(t, name+", "+how+": p", got.P, want.P, 1e-9)
			if how != "exchanged" {
				near(t, name+", "+how+": effect", got.Effect, want.Effect, 1e-9)
			}
		}
		check("exchanged", b, a)
		check("other units", linear(a), linear(b))
		if c.ranks {
			check("exponential", apply(a, math.Exp), apply(b, math.Exp))
		}
	}
	for name, f := range map[string]func(x []float64) (stats.Result, error){
		"shapiro-wilk": stats.ShapiroWilk, "jarque-bera": stats.JarqueBera,
		"d'agostino-pearson": stats.DAgostinoPearson, "anderson-darling": stats.AndersonDarling,
	} {
		want, err := f(a)
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := f(linear(a))
		if err != nil {
			t.Fatal(name, err)
		}
		near(t, name, got.P, want.P, 1e-8)
		if got, err = f(apply(a, func(v float64) float64 { return -v })); err != nil {
			t.Fatal(name, err)
		}
		near(t, name+" mirrored", got.P, want.P, 1e-8)
	}
}

func apply(x []float64, f func(v float64) float64) []float64 {
	out := slices.Clone(x)
	for i := range out {
		out[i] = f(out[i])
	}
	return out
}

// One-sided p-values add up to one, but for what the statistic itself has.
func TestSidesAddUp(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(10, "sides", 0)
	a, b := normals(rng, 12), normals(rng, 12)
	for name, f := range map[string]func(a, b []float64, ask stats.Ask) (stats.Result, error){
		"student": stats.StudentT, "paired": stats.PairedT, "welch": stats.WelchAsk, "variance F": stats.VarianceF,
		"brunner-munzel": stats.BrunnerMunzel, "pearson": stats.Pearson, "spearman": stats.Spearman,
	} {
		less, err := f(a, b, stats.Ask{Alternative: stats.Less})
		if err != nil {
			t.Fatal(err)
		}
		greater, _ := f(a, b, stats.Ask{Alternative: stats.Greater})
		two, _ := f(a, b, stats.Ask{})
		near(t, name, less.P+greater.P, 1, 1e-12)
		near(t, name+", two-sided", two.P, 2*math.Min(less.P, greater.P), 1e-12)
	}
}

// A p-value below 5% and a 95% interval without the null are the same claim.
func TestIntervalsAgreeWithPValues(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(12, "agree", 0)
	for range 30 {
		a, b := normals(rng, 8), draw(rng, 8, func() float64 { return 1 + rng.NormFloat64() })
		for name, f := range map[string]func(a, b []float64, ask stats.Ask) (stats.Result, error){
			"student": stats.StudentT, "paired": stats.PairedT, "welch": stats.WelchAsk,
		} {
			r, err := f(a, b, stats.Ask{Level: 0.9})
			if err != nil {
				t.Fatal(err)
			}
			if (r.P < 0.1) != (r.Low > 0 || r.High < 0) {
				t.Errorf("%s: p = %v, interval [%v, %v]", name, r.P, r.Low, r.High)
			}
			if name != "welch" && (r.P < 0.05) != (r.EffectLow > 0 || r.EffectHigh < 0) {
				t.Errorf("%s: p = %v, interval of the effect [%v, %v]", name, r.P, r.EffectLow, r.EffectHigh)
			}
		}
		r, err := stats.VarianceF(a, b, stats.Ask{})
		if err != nil {
			t.Fatal(err)
		}
		if (r.P < 0.05) != (r.Low > 1 || r.High < 1) {
			t.Errorf("variance F: p = %v, interval [%v, %v]", r.P, r.Low, r.High)
		}
	}
}

// Hommel's correction is the closed test with Simes' test of every subset.
func TestHommelIsClosed(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(13, "hommel", 0)
	for range 50 {
		p := draw(rng, 1+rng.IntN(6), func() float64 { return math.Pow(rng.Float64(), 3) })
		got, err := stats.Adjust(p, stats.Hommel)
		if err != nil {
			t.Fatal(err)
		}
		for i := range p {
			want := 0.0
			for set := range 1 << len(p) {
				if set>>i&1 == 0 {
					continue
				}
				var in []float64
				for j := range p {
					if set>>j&1 == 1 {
						in = append(in, p[j])
					}
				}
				slices.Sort(in)
				simes := 1.0
				for k, v := range in {
					simes = math.Min(simes, v*float64(len(in))/float64(k+1))
				}
				want = math.Max(want, simes)
			}
			near(t, fmt.Sprintf("hommel of %v at %d", p, i), got[i], want, 1e-12)
		}
	}
}

// Laws of power.
func TestPower(t *testing.T) {
	t.Parallel()
	// Power is the level where there is no effect, and rises with it.
	near(t, "power of no effect", stats.PowerTwoSampleT(0, 20, 1, 0.05, stats.TwoSided), 0.05, 1e-9)
	near(t, "power of no effect", stats.PowerPairedT(0, 5, 0.01, stats.Less), 0.01, 1e-9)
	near(t, "power of no effect", stats.PowerAnova(0, 40, 4, 0.05), 0.05, 1e-9)
	near(t, "power of no effect", stats.PowerChiSquared(0, 40, 3, 0.1), 0.1, 1e-9)
	near(t, "power of no effect", stats.PowerTwoProportions(0, 40, 2, 0.1, stats.Greater), 0.1, 1e-9)
	// Two groups: analysis of variance is the t-test, f half of d.
	near(t, "F and t", stats.PowerAnova(0.3, 50, 2, 0.05), stats.PowerTwoSampleT(0.6, 25, 1, 0.05, stats.TwoSided), 1e-9)
}

func TestFamilyErrors(t *testing.T) {
	t.Parallel()
	nan, inf := math.NaN(), math.Inf(1)
	ok := []float64{1, 2, 4}
	same := []float64{5, 5, 5}
	first := func(r stats.Result, err error) error { return err }
	var ask stats.Ask
	_, errFisher := stats.Fisher([][]float64{{1.5, 1}, {1, 1}}, ask)
	_, errFisherSum := stats.Fisher([][]float64{{0, 0}, {3, 4}}, ask)
	_, errTOST := stats.TOST(ok, ok, 1, -1)
	_, errBinomial := stats.Binomial(3, 2, 0.5, ask)
	_, errTrials := stats.Binomial(0, 0, 0.5, ask)
	_, errZ := stats.ProportionsZ(0, 5, 0, 5, ask)
	_, errSigned := stats.Wilcoxon(ok, ok, ask)
	_, errPairs := stats.Wilcoxon(ok, ok[:2], ask)
	_, errKappa := stats.CohenKappa([][]float64{{5, 0}, {0, 0}}, 0)
	_, errOdds := stats.OddsRiskRatio([][]float64{{0, 0}, {1, 2}}, 0)
	_, errAdjust := stats.Adjust([]float64{0.5, 2}, stats.Sidak)
	_, errBy := stats.Adjust(nil, stats.Correction(99))
	_, errDescribe := stats.Describe([]float64{nan})
	_, errInf := stats.Describe([]float64{1, inf})
	_, errSize := stats.SampleSize(0.8, func(n float64) float64 { return stats.PowerPairedT(0, n, 0.05, stats.TwoSided) })
	_, errPower := stats.SampleSize(1, func(n float64) float64 { return 0.5 })
	_, errEta := stats.CorrelationRatio([][]float64{same, same})
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"one-sample t: one value", first(stats.OneSampleT(ok[:1], 0, ask)), stats.ErrTooFew},
		{"one-sample t: constant", first(stats.OneSampleT(same, 0, ask)), stats.ErrConstant},
		{"one-sample t: mu", first(stats.OneSampleT(ok, nan, ask)), stats.ErrValue},
		{"level", first(stats.OneSampleT(ok, 0, stats.Ask{Level: 1})), stats.ErrValue},
		{"student: NaN", first(stats.StudentT(ok, []float64{1, nan}, ask)), stats.ErrValue},
		{"student: constants", first(stats.StudentT(same, same, ask)), stats.ErrConstant},
		{"paired: lengths", first(stats.PairedT(ok, ok[:2], ask)), stats.ErrValue},
		{"paired: constant difference", first(stats.PairedT(ok, []float64{0, 1, 3}, ask)), stats.ErrConstant},
		{"yuen: trim", first(stats.Yuen(ok, ok, 0.5, ask)), stats.ErrValue},
		{"yuen: nothing left", first(stats.Yuen(ok, ok, 0.4, ask)), stats.ErrTooFew},
		{"tost: bounds", errTOST, stats.ErrValue},
		{"variance F: constant", first(stats.VarianceF(ok, same, ask)), stats.ErrConstant},
		{"levene: one group", first(stats.Levene([][]float64{ok}, stats.Median)), stats.ErrTooFew},
		{"levene: constants", first(stats.Levene([][]float64{same, same}, stats.Median)), stats.ErrConstant},
		{"bartlett: constant", first(stats.Bartlett([][]float64{ok, same})), stats.ErrConstant},
		{"fligner: constants", first(stats.Fligner([][]float64{same, same})), stats.ErrConstant},
		{"kruskal: empty group", first(stats.KruskalWallis([][]float64{ok, nil})), stats.ErrTooFew},
		{"friedman: two treatments", first(stats.Friedman([][]float64{{1, 2}, {2, 1}})), stats.ErrTooFew},
		{"friedman: ragged", first(stats.Friedman([][]float64{ok, {1, 2, 3, 4}})), stats.ErrValue},
		{"friedman: constants", first(stats.Friedman([][]float64{same, same})), stats.ErrConstant},
		{"brunner-munzel: apart", first(stats.BrunnerMunzel(ok, []float64{7, 8}, ask)), stats.ErrConstant},
		{"wilcoxon: equal", errSigned, stats.ErrConstant},
		{"wilcoxon: lengths", errPairs, stats.ErrValue},
		{"mann-whitney: exact with ties", first(stats.MannWhitneyAsk(ok, ok, stats.Ask{Method: stats.Exact})), stats.ErrValue},
		{"permutation: too many", first(stats.PermutationMeans(make([]float64, 40), append(make([]float64, 39), 1), ask)), stats.ErrValue},
		{"permutation: constant", first(stats.PermutationMeans(same, same, ask)), stats.ErrConstant},
		{"shapiro-wilk: constant", first(stats.ShapiroWilk(same)), stats.ErrConstant},
		{"shapiro-wilk: infinity", first(stats.ShapiroWilk([]float64{1, 2, inf})), stats.ErrValue},
		{"d'agostino-pearson: seven", first(stats.DAgostinoPearson(make([]float64, 7))), stats.ErrTooFew},
		{"ks normal: sd", first(stats.KolmogorovSmirnovNormal(ok, 0, 0)), stats.ErrValue},
		{"cramer-von mises: one-sided", first(stats.CramerVonMises(ok, ok, stats.Ask{Alternative: stats.Less})), stats.ErrValue},
		{"anderson k: three values", first(stats.AndersonKSamples([][]float64{{1}, {2, 3}})), stats.ErrTooFew},
		{"goodness of fit: sum", first(stats.GoodnessOfFit(ok, []float64{0.2, 0.2, 0.2})), stats.ErrValue},
		{"goodness of fit: one", first(stats.GoodnessOfFit(ok[:1], ok[:1])), stats.ErrTooFew},
		{"fisher: parts", errFisher, stats.ErrValue},
		{"fisher: empty row", errFisherSum, stats.ErrTooFew},
		{"mcnemar: no change", first(stats.McNemar([][]float64{{5, 0}, {0, 2}}, ask)), stats.ErrTooFew},
		{"cochran q: two", first(stats.CochranQ([][]float64{{0, 2}, {1, 0}})), stats.ErrValue},
		{"cochran q: alike", first(stats.CochranQ([][]float64{{0, 0}, {1, 1}})), stats.ErrConstant},
		{"kappa: one category", errKappa, stats.ErrConstant},
		{"odds: empty group", errOdds, stats.ErrTooFew},
		{"binomial: k > n", errBinomial, stats.ErrValue},
		{"binomial: no trials", errTrials, stats.ErrTooFew},
		{"proportions: none", errZ, stats.ErrConstant},
		{"poisson: no events", first(stats.PoissonRates(0, 1, 0, 1, ask)), stats.ErrTooFew},
		{"poisson: exposure", first(stats.PoissonRates(1, 0, 2, 1, ask)), stats.ErrValue},
		{"pearson: two rows", first(stats.Pearson(ok[:2], ok[:2], ask)), stats.ErrTooFew},
		{"pearson: constant", first(stats.Pearson(ok, same, ask)), stats.ErrConstant},
		{"pearson: infinity", first(stats.Pearson(ok, []float64{1, 2, inf}, ask)), stats.ErrValue},
		{"kendall: constant", first(stats.Kendall(same, ok, ask)), stats.ErrConstant},
		{"partial: the given is x", first(stats.PartialCorrelation([]float64{1, 2, 4, 3, 7}, []float64{2, 1, 4, 3, 1}, [][]float64{{1, 2, 4, 3, 7}}, ask)), stats.ErrConstant},
		{"adjust: p of 2", errAdjust, stats.ErrValue},
		{"adjust: unknown", errBy, stats.ErrValue},
		{"describe: all missing", errDescribe, stats.ErrTooFew},
		{"describe: infinity", errInf, stats.ErrValue},
		{"size: no effect", errSize, stats.ErrValue},
		{"size: power of 1", errPower, stats.ErrValue},
		{"correlation ratio: constant", errEta, stats.ErrConstant},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, c.err, c.want)
		}
	}
}

// Whatever the numbers, a test answers with a probability or with an error.
func TestExtremeNumbers(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(14, "extremes", 0)
	values := []float64{0, 1, -1, 2, 1e308, -1e308, 5e-324, 1e-310, 1e154, -1e-160, 1e17, 1e17 + 16, math.NaN(), math.Inf(1), math.Inf(-1)}
	just := func(p float64, err error) (stats.Result, error) { return stats.Result{P: p}, err }
	var ask stats.Ask
	type test = func(x, y []float64) (stats.Result, error)
	groups := func(f func(groups [][]float64) (stats.Result, error)) test {
		return func(x, y []float64) (stats.Result, error) { return f([][]float64{x, y}) }
	}
	one := func(f func(x []float64) (stats.Result, error)) test {
		return func(x, _ []float64) (stats.Result, error) { return f(x) }
	}
	two := func(f func(x, y []float64, ask stats.Ask) (stats.Result, error)) test {
		return func(x, y []float64) (stats.Result, error) { return f(x, y, ask) }
	}
	tests := map[string]test{
		"one-sample t": func(x, _ []float64) (stats.Result, error) { return stats.OneSampleT(x, 1, ask) },
		"student":      two(stats.StudentT), "paired": two(stats.PairedT), "welch": two(stats.WelchAsk),
		"yuen":       func(x, y []float64) (stats.Result, error) { return stats.Yuen(x, y, 0.2, ask) },
		"tost":       func(x, y []float64) (stats.Result, error) { r, err := stats.TOST(x, y, -1, 1); return just(r.P, err) },
		"variance F": two(stats.VarianceF),
		"levene":     func(x, y []float64) (stats.Result, error) { return stats.Levene([][]float64{x, y}, stats.Trimmed) },
		"bartlett":   groups(stats.Bartlett), "fligner": groups(stats.Fligner), "kruskal": groups(stats.KruskalWallis),
		"friedman": groups(stats.Friedman), "cochran q": groups(stats.CochranQ),
		"brunner-munzel": two(stats.BrunnerMunzel), "mann-whitney": two(stats.MannWhitneyAsk),
		"wilcoxon":    func(x, y []float64) (stats.Result, error) { r, err := stats.Wilcoxon(x, y, ask); return r.Result, err },
		"permutation": two(stats.PermutationMeans), "ks": two(stats.KolmogorovSmirnovAsk), "cramer-von mises": two(stats.CramerVonMises),
		"anderson k":   groups(stats.AndersonKSamples),
		"ks normal":    func(x, _ []float64) (stats.Result, error) { return stats.KolmogorovSmirnovNormal(x, 0, 1) },
		"shapiro-wilk": one(stats.ShapiroWilk), "jarque-bera": one(stats.JarqueBera),
		"d'agostino-pearson": one(stats.DAgostinoPearson), "anderson-darling": one(stats.AndersonDarling),
		"distance": func(x, y []float64) (stats.Result, error) { return stats.DistanceCorrelation(x, y) },
		"strata": func(x, y []float64) (stats.Result, error) {
			return stats.MantelHaenszel([][][]float64{{x, y}, {{3, 1}, {2, 4}}}, ask)
		},
		"pearson": two(stats.Pearson), "spearman": two(stats.Spearman), "kendall": two(stats.Kendall),
		"partial": func(x, y []float64) (stats.Result, error) {
			return stats.PartialCorrelation(x, y, [][]float64{[]float64{3, 1, 4, 1, 5, 9, 2, 6, 5}[:len(x)]}, ask)
		},
		"goodness of fit": func(x, y []float64) (stats.Result, error) { return stats.GoodnessOfFit(x, y) },
		"chi-squared":     groups(stats.ChiSquared), "g-test": groups(stats.GTest),
		"fisher": func(x, y []float64) (stats.Result, error) {
			r, err := stats.Fisher([][]float64{x, y}, ask)
			return just(r.P, err)
		},
		"mcnemar": func(x, y []float64) (stats.Result, error) { return stats.McNemar([][]float64{x, y}, ask) },
		"kappa": func(x, y []float64) (stats.Result, error) {
			_, err := stats.CohenKappa([][]float64{x, y}, 0)
			return just(0, err)
		},
		"odds": func(x, y []float64) (stats.Result, error) {
			_, err := stats.OddsRiskRatio([][]float64{x, y}, 0)
			return just(0, err)
		},
		"describe": func(x, _ []float64) (stats.Result, error) { _, err := stats.Describe(x); return just(0, err) },
		"eta": func(x, y []float64) (stats.Result, error) {
			v, err := stats.CorrelationRatio([][]float64{x, y})
			return just(v, err)
		},
		"V": func(x, y []float64) (stats.Result, error) {
			v, err := stats.CramersVCorrected([][]float64{x, y})
			return just(v, err)
		},
		"theil's u": func(x, y []float64) (stats.Result, error) {
			v, err := stats.MutualInformation([][]float64{x, y})
			return just(v.RowGivenCol, err)
		},
	}
	for range 200 {
		// Half of the time without what is refused at once.
		usable := len(values) - 3*rng.IntN(2)
		pick := func() float64 { return values[rng.IntN(usable)] }
		x := draw(rng, rng.IntN(10), pick)
		y := draw(rng, len(x), pick)
		if rng.IntN(3) == 0 {
			y = draw(rng, rng.IntN(10), pick)
		}
		for name, f := range tests {
			r, err := f(x, y)
			if err != nil {
				if err.Error() == "" {
					t.Errorf("%s of %v and %v: an error without words", name, x, y)
				}
				continue
			}
			if !(r.P >= 0 && r.P <= 1) || math.IsNaN(r.Statistic) || math.IsNaN(r.Effect) || math.IsNaN(r.EffectLow) || math.IsNaN(r.EffectHigh) {
				t.Errorf("%s of %v and %v: %+v", name, x, y, r)
			}
		}
	}
}

// Mantel-Haenszel: R 4.2, mantelhaen.test(UCBAdmissions), with sexes as columns
// in its table and as rows here. Dunn and the distance correlations: their
// definitions in NumPy.
func TestStrataPairsAndDistances(t *testing.T) {
	t.Parallel()
	admitted := [][][]float64{
		{{512, 89}, {313, 19}}, {{353, 17}, {207, 8}}, {{120, 202}, {205, 391}},
		{{138, 131}, {279, 244}}, {{53, 94}, {138, 299}}, {{22, 24}, {351, 317}},
	}
	r, err := stats.MantelHaenszel(admitted, stats.Ask{})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "UCB: chi-squared", r.Statistic, 1.4269462285866883, 1e-12)
	near(t, "UCB: p", r.P, 0.2323, 1e-3)
	near(t, "UCB: odds ratio", r.Effect, 0.9046968, 1e-7)
	near(t, "UCB: low", r.Low, 0.7719074, 1e-6)
	near(t, "UCB: high", r.High, 1.0603298, 1e-6)
	if _, err := stats.MantelHaenszel([][][]float64{{{3, 0}, {4, 0}}}, stats.Ask{}); !errors.Is(err, stats.ErrTooFew) {
		t.Errorf("a stratum of one column gives %v", err)
	}

	pairs, err := stats.Dunn([][]float64{{1, 2, 2, 5, 7}, {3, 4, 4, 8}, {6, 7, 9, 9, 10, 12}}, stats.Bonferroni)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []stats.RankPair{
		{A: 0, B: 1, Z: -0.669060450550477, P: 0.5034569172633832, Adjusted: 1},
		{A: 0, B: 2, Z: -2.748619765802643, P: 0.005984676654391186, Adjusted: 0.017954029963173558},
		{A: 1, B: 2, Z: -1.8831258772435697, P: 0.059683311095277955, Adjusted: 0.17904993328583386},
	} {
		got := pairs[i]
		near(t, "z", got.Z, want.Z, 1e-12)
		near(t, "p", got.P, want.P, 1e-12)
		near(t, "adjusted p", got.Adjusted, want.Adjusted, 1e-12)
		if got.A != want.A || got.B != want.B {
			t.Errorf("pair %d is of %d and %d", i, got.A, got.B)
		}
	}

	x, y := []float64{1, 2, 3, 4, 5, 6, 7, 8}, []float64{9, 4, 1, 0, 1, 4, 9, 17}
	if r, err = stats.DistanceCorrelation(x, y); err != nil {
		t.Fatal(err)
	}
	near(t, "distance correlation", r.Effect, 0.6380925360067098, 1e-12)
	near(t, "corrected", r.Statistic, 0.03409971697352366, 1e-10)
	// It sees what no correlation does, and holds its level where nothing is.
	rng := seed.Stream(15, "distance", 0)
	hits := 0
	for range 300 {
		if r, err = stats.DistanceCorrelation(normals(rng, 30), normals(rng, 30)); err != nil {
			t.Fatal(err)
		}
		if r.P <= 0.05 {
			hits++
		}
	}
	if share := float64(hits) / 300; share > 0.05+4*math.Sqrt(0.05*0.95/300) {
		t.Errorf("P(p <= 0.05) = %v", share)
	}
	x = normals(rng, 100)
	if r, err = stats.DistanceCorrelation(x, apply(x, func(v float64) float64 { return v * v })); err != nil || r.P > 1e-3 {
		t.Errorf("a parabola has p = %v, %v", r.P, err)
	}
}
