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

// This file holds the laws of chance: p-values are uniform if nothing is going
// on, exact tests never claim too often, and intervals hold the truth as often as
// they say. All draws have fixed seeds.

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
		{"dunn, one pair", 1000, 0.02, func(rng *rand.Rand) (float64, error) {
			r, err := stats.Dunn(normalGroups(rng, 20, 30, 25), stats.HolmStep)
			if err != nil {
				return 0, err
			}
			return r[1].P, nil
		}},
		{"mantel-haenszel, uncorrected", 500, 0.05, func(rng *rand.Rand) (float64, error) {
			strata := make([][][]float64, 4)
			for i := range strata {
				p := 0.2 + 0.15*float64(i)
				a, b := float64(successes(rng, 60, p)), float64(successes(rng, 50, p))
				strata[i] = [][]float64{{a, 60 - a}, {b, 50 - b}}
			}
			return justP(stats.MantelHaenszel(strata, stats.Ask{NoCorrection: true}))
		}},
		{"mcnemar, uncorrected", 500, 0.06, func(rng *rand.Rand) (float64, error) {
			b := float64(successes(rng, 300, 0.5))
			return justP(stats.McNemar([][]float64{{50, b}, {300 - b, 30}}, stats.Ask{Method: stats.Approx, NoCorrection: true}))
		}},
		{"poisson rates", 500, 0.04, func(rng *rand.Rand) (float64, error) {
			return justP(stats.PoissonRates(successes(rng, 2000, 0.1), 1, successes(rng, 2000, 0.2), 2, stats.Ask{}))
		}},
		{"levene of means", 500, 0.03, func(rng *rand.Rand) (float64, error) {
			return justP(stats.Levene(normalGroups(rng, 40, 50, 60), stats.Mean))
		}},
		{"theil-sen", 300, 0.03, func(rng *rand.Rand) (float64, error) {
			return justP(stats.TheilSen(normals(rng, 40), normals(rng, 40), stats.Ask{}))
		}},
		{"repeated measures", 1000, 0, func(rng *rand.Rand) (float64, error) {
			r, err := stats.RepeatedANOVA(subjects(rng, 8, 1, 1, 1))
			return r.P, err
		}},
		{"repeated measures without sphericity", 1000, 0.04, func(rng *rand.Rand) (float64, error) {
			r, err := stats.RepeatedANOVA(subjects(rng, 30, 1, 1, 4))
			return r.PHuynhFeldt, err
		}},
		{"mauchly", 1000, 0.01, func(rng *rand.Rand) (float64, error) {
			r, err := stats.RepeatedANOVA(subjects(rng, 25, 1, 1, 1, 1))
			return r.MauchlyP, err
		}},
		{"ancova", 1000, 0, func(rng *rand.Rand) (float64, error) {
			r, err := covariance(rng)
			return r.Groups.P, err
		}},
		{"ancova, slopes", 1000, 0, func(rng *rand.Rand) (float64, error) {
			r, err := covariance(rng)
			return r.Slopes.P, err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			uniform(t, seed.Stream(20261127, c.name, 0), c.draws, c.slack, c.draw)
		})
	}
}

// uniform fails if the p-values that draw makes are further from the uniform
// distribution than one seed in a thousand puts them, and slack.
func uniform(t *testing.T, rng *rand.Rand, draws int, slack float64, draw func(rng *rand.Rand) (float64, error)) {
	t.Helper()
	p := make([]float64, draws)
	for i := range p {
		var err error
		if p[i], err = draw(rng); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(p)
	n, d := float64(draws), 0.0
	for i, v := range p {
		d = max(d, v-float64(i)/n, float64(i+1)/n-v)
	}
	if limit := 1.949/math.Sqrt(n) + slack; d > limit {
		t.Errorf("distance from uniform %.4f, more than %.4f", d, limit)
	}
}

// subjects draws one block for each of n subjects, the conditions varying by the
// standard deviations sd around the subject's own level.
func subjects(rng *rand.Rand, n int, sd ...float64) [][]float64 {
	blocks := make([][]float64, n)
	for i := range blocks {
		own := 3 * rng.NormFloat64()
		for _, s := range sd {
			blocks[i] = append(blocks[i], own+s*rng.NormFloat64())
		}
	}
	return blocks
}

// covariance draws three groups that differ in the covariate only.
func covariance(rng *rand.Rand) (stats.Covariance, error) {
	var group []string
	var x [][]float64
	y := normals(rng, 18)
	for i := range y {
		g := i % 3
		x = append(x, []float64{float64(g) + rng.NormFloat64()})
		y[i] += 2 * x[i][0]
		group = append(group, fmt.Sprint(g))
	}
	return stats.ANCOVA(y, group, x)
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
		"chi-squared, corrected": func(rng *rand.Rand) (float64, error) {
			a, b := float64(successes(rng, 40, 0.4)), float64(successes(rng, 50, 0.4))
			return justP(stats.ChiSquaredYates([][]float64{{a, 40 - a}, {b, 50 - b}}))
		},
		"mantel-haenszel": func(rng *rand.Rand) (float64, error) {
			a, b := float64(successes(rng, 40, 0.4)), float64(successes(rng, 50, 0.4))
			c, d := float64(successes(rng, 30, 0.7)), float64(successes(rng, 20, 0.7))
			return justP(stats.MantelHaenszel([][][]float64{{{a, 40 - a}, {b, 50 - b}}, {{c, 30 - c}, {d, 20 - d}}}, stats.Ask{}))
		},
		"equivalence at its bound": func(rng *rand.Rand) (float64, error) {
			r, err := stats.TOST(normals(rng, 20), draw(rng, 20, func() float64 { return rng.NormFloat64() - 1 }), -1, 1)
			return r.P, err
		},
		"mann-whitney": func(rng *rand.Rand) (float64, error) {
			return justP(stats.MannWhitneyAsk(normals(rng, 5), normals(rng, 6), stats.Ask{Method: stats.Exact}))
		},
		"kolmogorov-smirnov": func(rng *rand.Rand) (float64, error) {
			return justP(stats.KolmogorovSmirnovAsk(normals(rng, 7), normals(rng, 9), stats.Ask{Method: stats.Exact}))
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
		{"theil-sen slope of 0.5", 400, 0.5, 0.915, 0.985, func(rng *rand.Rand) (float64, float64, error) {
			x, y := normals(rng, 30), normals(rng, 30)
			for i := range y {
				y[i] += 0.5 * x[i]
			}
			return estimate(stats.TheilSen(x, y, stats.Ask{}))
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
