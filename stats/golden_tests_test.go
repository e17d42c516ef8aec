package stats_test

import (
	"slices"
	"testing"

	"github.com/tandem-ml/tandem/stats"
)

// ask reads how a case asks. An approximate method is the reference's default
// where it does not choose by the sample's size.
func (c goldenCase) ask(t *testing.T, method stats.Method) stats.Ask {
	t.Helper()
	ask := stats.Ask{Level: c.number(t, "conf", 0), Method: method}
	switch v := c.text(t, "alternative", "two-sided"); v {
	case "less", "smaller":
		ask.Alternative = stats.Less
	case "greater", "larger":
		ask.Alternative = stats.Greater
	case "two-sided", "two_sided":
	default:
		t.Fatalf("unknown alternative %s", v)
	}
	if c.has("method") {
		switch v := c.text(t, "method", ""); v {
		case "exact", "exact-cond":
			ask.Method = stats.Exact
		case "asymptotic", "asymp", "approx", "score", "normal":
			ask.Method = stats.Approx
		case "auto":
		default:
			t.Fatalf("unknown method %s", v)
		}
	}
	return ask
}

func (c goldenCase) xy(t *testing.T) (x, y []float64) {
	t.Helper()
	return c.floats(t, "x"), c.floats(t, "y")
}

func ends(low, high float64) []float64 { return []float64{low, high} }

func both(i stats.Interval) []float64 { return []float64{i.Low, i.High} }

// tested gives what nearly every case expects of a test.
func tested(r stats.Result) map[string]any {
	return map[string]any{
		"statistic": r.Statistic, "df": r.DF, "p_value": r.P,
		"estimate": r.Estimate, "ci": ends(r.Low, r.High),
	}
}

// groupTest is a case of a test of groups.
func groupTest(input string, f func(groups [][]float64) (stats.Result, error)) func(t *testing.T, c goldenCase) {
	return func(t *testing.T, c goldenCase) {
		r, err := f(c.table(t, input))
		c.check(t, err, tested(r))
	}
}

// sampleTest is a case of a test of one sample.
func sampleTest(f func(x []float64) (stats.Result, error)) func(t *testing.T, c goldenCase) {
	return func(t *testing.T, c goldenCase) {
		r, err := f(c.floats(t, "x"))
		c.check(t, err, tested(r))
	}
}

// pairTest is a case of a test of x and y, with more names.
func pairTest(f func(x, y []float64, ask stats.Ask) (stats.Result, error), more func(r stats.Result, got map[string]any)) func(t *testing.T, c goldenCase) {
	return func(t *testing.T, c goldenCase) {
		x, y := c.xy(t)
		r, err := f(x, y, c.ask(t, stats.Auto))
		got := tested(r)
		if more != nil {
			more(r, got)
		}
		c.check(t, err, got)
	}
}

func effectAs(name string) func(r stats.Result, got map[string]any) {
	return func(r stats.Result, got map[string]any) { got[name] = r.Effect }
}

func meansTest(f func(x, y []float64, ask stats.Ask) (stats.Result, error)) func(t *testing.T, c goldenCase) {
	return func(t *testing.T, c goldenCase) {
		x, y := c.xy(t)
		r, err := f(x, y, c.ask(t, stats.Auto))
		got := tested(r)
		got["hedges_g"] = r.Effect
		if err == nil {
			got["cohen_d"], err = stats.CohenD(x, y)
		}
		c.check(t, err, got)
	}
}

func init() {
	kinds := map[string]func(t *testing.T, c goldenCase){
		"t_one_sample": func(t *testing.T, c goldenCase) {
			r, err := stats.OneSampleT(c.floats(t, "x"), c.number(t, "mu", 0), c.ask(t, stats.Auto))
			got := tested(r)
			got["cohen_d"] = r.Effect
			c.check(t, err, got)
		},
		"t_student": meansTest(stats.StudentT),
		"t_welch":   meansTest(stats.WelchAsk),
		"t_paired":  pairTest(stats.PairedT, effectAs("cohen_dz")),
		"tost_ind": func(t *testing.T, c goldenCase) {
			x, y := c.xy(t)
			r, err := stats.TOST(x, y, c.number(t, "low", 0), c.number(t, "high", 0))
			c.check(t, err, map[string]any{
				"p_value": r.P, "t_lower": r.TLower, "p_lower": r.PLower, "t_upper": r.TUpper, "p_upper": r.PUpper, "df": r.DF,
			})
		},
		"yuen_trimmed_t": func(t *testing.T, c goldenCase) {
			x, y := c.xy(t)
			r, err := stats.Yuen(x, y, c.number(t, "trim", 0.2), c.ask(t, stats.Auto))
			c.check(t, err, tested(r))
		},
		"variance_f": pairTest(stats.VarianceF, func(r stats.Result, got map[string]any) { got["df"] = ends(r.DF, r.DF2) }),
		"mann_whitney": func(t *testing.T, c goldenCase) {
			x, y := c.xy(t)
			// SciPy counts orders up to eight values only.
			ask := c.ask(t, stats.Approx)
			if !c.has("method") && min(len(x), len(y)) <= 8 {
				ask.Method = stats.Auto
			}
			ask.NoCorrection = !c.flag(t, "correction", true)
			r, err := stats.MannWhitneyAsk(x, y, ask)
			got := tested(r)
			got["rank_biserial"], got["cles"] = r.Effect, (r.Effect+1)/2
			c.check(t, err, got)
		},
		"wilcoxon_signed_rank": func(t *testing.T, c goldenCase) {
			x, y := c.xy(t)
			if y == nil {
				y = make([]float64, len(x))
			}
			ask := c.ask(t, stats.Auto)
			ask.NoCorrection = !c.flag(t, "correction", false)
			r, err := stats.Wilcoxon(x, y, ask)
			got := tested(r.Result)
			got["w_plus"], got["w_minus"], got["rank_biserial"] = r.WPlus, r.WMinus, r.Effect
			if ask.Alternative == stats.TwoSided {
				got["statistic"] = min(r.WPlus, r.WMinus)
			}
			c.check(t, err, got)
		},
		"kruskal": func(t *testing.T, c goldenCase) {
			groups := c.table(t, "groups")
			r, err := stats.KruskalWallis(groups)
			got := tested(r)
			got["epsilon_squared"] = r.Effect
			got["eta_squared_h"] = (r.Statistic - r.DF) / float64(r.N-len(groups))
			c.check(t, err, got)
		},
		"friedman": func(t *testing.T, c goldenCase) {
			r, err := stats.Friedman(c.table(t, "blocks"))
			got := tested(r)
			got["kendall_w"] = r.Effect
			c.check(t, err, got)
		},
		"brunner_munzel":              pairTest(stats.BrunnerMunzel, nil),
		"permutation_mean_diff_exact": pairTest(stats.PermutationMeans, nil),
		"shapiro_wilk":                sampleTest(stats.ShapiroWilk),
		"jarque_bera":                 sampleTest(stats.JarqueBera),
		"dagostino_k2":                sampleTest(stats.DAgostinoPearson),
		"anderson_darling_normal":     sampleTest(stats.AndersonDarling),
		"anderson_ksamp":              groupTest("groups", stats.AndersonKSamples),
		"levene": func(t *testing.T, c goldenCase) {
			center, ok := map[string]stats.Center{"median": stats.Median, "mean": stats.Mean, "trimmed": stats.Trimmed}[c.text(t, "center", "median")]
			if !ok {
				t.Fatal("unknown center")
			}
			r, err := stats.Levene(c.table(t, "groups"), center)
			got := tested(r)
			c.check(t, err, got)
		},
		"bartlett": groupTest("groups", stats.Bartlett),
		"fligner":  groupTest("groups", stats.Fligner),
		"ks_two_sample": func(t *testing.T, c goldenCase) {
			x, y := c.xy(t)
			r, err := stats.KolmogorovSmirnovAsk(x, y, c.ask(t, stats.Approx))
			c.check(t, err, tested(r))
		},
		"ks_one_sample_normal": func(t *testing.T, c goldenCase) {
			mean, sd := c.number(t, "mean", c.number(t, "mu", 0)), c.number(t, "sd", c.number(t, "sigma", 1))
			r, err := stats.KolmogorovSmirnovNormal(c.floats(t, "x"), mean, sd)
			c.check(t, err, tested(r))
		},
		"cramer_von_mises_2samp": pairTest(stats.CramerVonMises, nil),

		"chi2_independence": func(t *testing.T, c goldenCase) {
			table := c.table(t, "table")
			test := stats.ChiSquared
			if c.flag(t, "correction", false) && len(table) == 2 && len(table[0]) == 2 {
				test = stats.ChiSquaredYates
			}
			r, err := test(table)
			got := tested(r)
			got["cramers_v"] = r.Effect
			if err == nil {
				if got["expected"], err = stats.Expected(table); err == nil {
					got["cramers_v_bias_corrected"], err = stats.CramersVCorrected(table)
				}
			}
			c.check(t, err, got)
		},
		"chi2_gof": func(t *testing.T, c goldenCase) {
			observed, probs := c.floats(t, "observed"), c.floats(t, "probs")
			if probs == nil {
				probs = slices.Repeat([]float64{1 / float64(len(observed))}, len(observed))
			}
			r, err := stats.GoodnessOfFit(observed, probs)
			got := tested(r)
			got["cohen_w"] = r.Effect
			c.check(t, err, got)
		},
		"g_test_independence": groupTest("table", stats.GTest),
		"fisher_exact": func(t *testing.T, c goldenCase) {
			r, err := stats.Fisher(c.table(t, "table"), c.ask(t, stats.Auto))
			c.check(t, err, map[string]any{
				"p_value": r.P, "odds_ratio_sample": r.Sample, "odds_ratio_conditional": r.Conditional, "ci": ends(r.Low, r.High),
			})
		},
		"mcnemar": func(t *testing.T, c goldenCase) {
			ask := c.ask(t, stats.Exact)
			if !c.flag(t, "exact", true) {
				ask.Method, ask.NoCorrection = stats.Approx, !c.flag(t, "correction", true)
			}
			r, err := stats.McNemar(c.table(t, "table"), ask)
			got := tested(r)
			got["odds_ratio"] = r.Effect
			c.check(t, err, got)
		},
		"cochran_q": groupTest("blocks", stats.CochranQ),
		"binomial_exact": func(t *testing.T, c goldenCase) {
			r, err := stats.Binomial(int(c.number(t, "k", -1)), int(c.number(t, "n", 0)), c.number(t, "p", 0.5), c.ask(t, stats.Auto))
			c.check(t, err, map[string]any{
				"p_value": r.P, "estimate": r.Estimate,
				"ci_clopper_pearson": both(r.ClopperPearson), "ci_wilson": both(r.Wilson), "ci_wilson_cc": both(r.WilsonCorrected),
			})
		},
		"odds_risk_ratio": func(t *testing.T, c goldenCase) {
			r, err := stats.OddsRiskRatio(c.table(t, "table"), c.number(t, "conf", 0))
			c.check(t, err, map[string]any{
				"odds_ratio": r.OddsRatio, "or_ci": ends(r.OddsLow, r.OddsHigh),
				"risk_ratio": r.RiskRatio, "rr_ci": ends(r.RiskLow, r.RiskHigh),
			})
		},
		"cohen_kappa": func(t *testing.T, c goldenCase) {
			r, err := stats.CohenKappa(c.table(t, "table"), c.number(t, "conf", 0))
			c.check(t, err, map[string]any{"kappa": r.Kappa, "se": r.SE, "ci": ends(r.Low, r.High)})
		},
		"two_proportion_z": func(t *testing.T, c goldenCase) {
			k, n := c.floats(t, "success"), c.floats(t, "n")
			if len(k) != 2 || len(n) != 2 {
				t.Fatal("two groups are needed")
			}
			r, err := stats.ProportionsZ(int(k[0]), int(n[0]), int(k[1]), int(n[1]), c.ask(t, stats.Auto))
			c.check(t, err, map[string]any{
				"statistic": r.Z, "p_value": r.P, "diff": r.Diff, "ci_wald": both(r.Wald), "ci_newcombe": both(r.Newcombe),
				"cohen_h": r.CohenH, "risk_ratio": r.RiskRatio, "risk_ratio_ci_log": both(r.RiskLog),
			})
		},
		"poisson_two_rates": func(t *testing.T, c goldenCase) {
			r, err := stats.PoissonRates(int(c.number(t, "count1", -1)), c.number(t, "exposure1", 0),
				int(c.number(t, "count2", -1)), c.number(t, "exposure2", 0), c.ask(t, stats.Approx))
			got := tested(r)
			got["ratio"] = r.Estimate
			c.check(t, err, got)
		},

		"pearson":  pairTest(stats.Pearson, effectAs("r")),
		"spearman": pairTest(stats.Spearman, effectAs("rho")),
		"kendall":  pairTest(stats.Kendall, effectAs("tau_b")),
		"partial_corr": func(t *testing.T, c goldenCase) {
			x, y := c.xy(t)
			var given [][]float64
			if list, ok := c.value(t, "z").([]any); ok && len(list) > 0 {
				if _, nested := list[0].([]any); nested {
					given = c.table(t, "z")
				} else {
					given = [][]float64{c.floats(t, "z")}
				}
			}
			r, err := stats.PartialCorrelation(x, y, given, c.ask(t, stats.Auto))
			got := tested(r)
			got["r"] = r.Effect
			c.check(t, err, got)
		},

		"p_adjust": func(t *testing.T, c goldenCase) {
			got := map[string]any{}
			var err error
			for name, by := range map[string]stats.Correction{
				"bonferroni": stats.Bonferroni, "sidak": stats.Sidak, "holm": stats.HolmStep, "holm_sidak": stats.HolmSidak,
				"hochberg": stats.Hochberg, "hommel": stats.Hommel, "bh": stats.BenjaminiHochberg, "by": stats.BenjaminiYekutieli,
			} {
				var p []float64
				if p, err = stats.Adjust(c.floats(t, "p"), by); err != nil {
					break
				}
				got[name] = p
			}
			c.check(t, err, got)
		},

		"power_t_two_sample": func(t *testing.T, c goldenCase) {
			side := c.ask(t, stats.Auto).Alternative
			c.power(t, "n1", "effect_size", func(effect, n float64) float64 {
				return stats.PowerTwoSampleT(effect, n, c.number(t, "ratio", 1), c.number(t, "alpha", 0.05), side)
			}, nil)
		},
		"power_t_paired": func(t *testing.T, c goldenCase) {
			side := c.ask(t, stats.Auto).Alternative
			c.power(t, "n", "effect_size", func(effect, n float64) float64 {
				return stats.PowerPairedT(effect, n, c.number(t, "alpha", 0.05), side)
			}, nil)
		},
		"power_two_proportions": func(t *testing.T, c goldenCase) {
			side := c.ask(t, stats.Auto).Alternative
			h := stats.CohenH(c.number(t, "p1", 0), c.number(t, "p2", 0))
			c.power(t, "n1", "effect_size", func(_, n float64) float64 {
				return stats.PowerTwoProportions(h, n, c.number(t, "ratio", 1), c.number(t, "alpha", 0.05), side)
			}, map[string]any{"cohen_h": h})
		},
		"power_anova": func(t *testing.T, c goldenCase) {
			c.power(t, "n_total", "f", func(f, n float64) float64 {
				return stats.PowerAnova(f, n, int(c.number(t, "k", 0)), c.number(t, "alpha", 0.05))
			}, nil)
		},
		"power_chi2": func(t *testing.T, c goldenCase) {
			c.power(t, "n", "w", func(w, n float64) float64 {
				return stats.PowerChiSquared(w, n, c.number(t, "df", 0), c.number(t, "alpha", 0.05))
			}, nil)
		},

		"describe": func(t *testing.T, c goldenCase) {
			s, err := stats.Describe(c.floats(t, "x"))
			c.check(t, err, map[string]any{
				"n": s.N, "n_missing": s.Missing, "mean": s.Mean, "sd": s.SD, "min": s.Min, "max": s.Max,
				"quantiles_type7": s.Quantiles[:], "median": s.Quantiles[3], "iqr": s.IQR, "mad_raw": s.MAD,
				"skew_biased": s.Skew, "skew_adjusted": s.SkewAdjusted,
				"kurtosis_excess_biased": s.Kurtosis, "kurtosis_excess_adjusted": s.KurtosisAdjusted,
				"trimmed_mean_10": s.TrimmedMean, "cv": s.CV, "sem": s.SEM,
				"n_distinct": s.Distinct, "n_zero": s.Zeros, "iqr_outliers": s.Outliers,
			})
		},
		"association_matrix": func(t *testing.T, c goldenCase) {
			a, b, y := c.texts(t, "a"), c.texts(t, "b"), c.floats(t, "y")
			namesA, namesB := slices.Clone(a), slices.Clone(b)
			slices.Sort(namesA)
			slices.Sort(namesB)
			namesA, namesB = slices.Compact(namesA), slices.Compact(namesB)
			table, groups := make([][]float64, len(namesA)), make([][]float64, len(namesA))
			for i := range table {
				table[i] = make([]float64, len(namesB))
			}
			for i := range a {
				at, _ := slices.BinarySearch(namesA, a[i])
				to, _ := slices.BinarySearch(namesB, b[i])
				table[at][to]++
				groups[at] = append(groups[at], y[i])
			}
			v, err := stats.ChiSquared(table)
			got := map[string]any{"cramers_v": v.Effect}
			if err == nil {
				var m stats.Information
				m, err = stats.MutualInformation(table)
				got["mutual_info_nats"], got["theils_u_a_given_b"], got["theils_u_b_given_a"] = m.Mutual, m.RowGivenCol, m.ColGivenRow
				got["entropy_a_nats"], got["entropy_b_nats"] = m.RowEntropy, m.ColEntropy
			}
			if err == nil {
				got["correlation_ratio_eta"], err = stats.CorrelationRatio(groups)
			}
			c.check(t, err, got)
		},
	}
	for kind, f := range kinds {
		goldenKinds[kind] = f
	}
}

// power is a case of a power analysis: of size, effect and power, the one that
// is expected is found from the others.
func (c goldenCase) power(t *testing.T, size, effect string, power func(effect, n float64) float64, got map[string]any) {
	t.Helper()
	if got == nil {
		got = map[string]any{}
	}
	var err error
	e, n, wanted := c.number(t, effect, 0), c.number(t, size, 0), c.number(t, "power", 0.8)
	switch {
	case c.Expected["power"] != nil:
		got["power"] = power(e, n)
	case c.Expected[effect] != nil:
		got[effect], err = stats.DetectableEffect(wanted, func(e float64) float64 { return power(e, n) })
	default:
		got[size], err = stats.SampleSize(wanted, func(n float64) float64 { return power(e, n) })
	}
	c.check(t, err, got)
}
