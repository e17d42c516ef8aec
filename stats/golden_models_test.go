package stats_test

import (
	"math"
	"slices"
	"testing"

	"github.com/tandem-ml/tandem/stats"
)

// column takes one number of each line of a regression table.
func column[T any](lines []T, of func(T) float64) []float64 {
	out := make([]float64, len(lines))
	for i, l := range lines {
		out[i] = of(l)
	}
	return out
}

func coefficientTable(c []stats.Coefficient) map[string]any {
	statistic := column(c, func(c stats.Coefficient) float64 { return c.Statistic })
	ci := make([][]float64, len(c))
	for i := range c {
		ci[i] = []float64{c[i].Low, c[i].High}
	}
	return map[string]any{
		"coef":    column(c, func(c stats.Coefficient) float64 { return c.Estimate }),
		"se":      column(c, func(c stats.Coefficient) float64 { return c.SE }),
		"p_value": column(c, func(c stats.Coefficient) float64 { return c.P }),
		"t":       statistic, "z": statistic, "ci": ci,
	}
}

func bools(x []float64) []bool {
	out := make([]bool, len(x))
	for i, v := range x {
		out[i] = v == 1
	}
	return out
}

func general(fit func(x [][]float64, y []float64) (stats.GeneralModel, error)) func(t *testing.T, c goldenCase) {
	return func(t *testing.T, c goldenCase) {
		m, err := fit(c.table(t, "X"), c.floats(t, "y"))
		got := coefficientTable(m.Coefficients)
		got["loglik"], got["loglik_null"], got["mcfadden_r2"] = m.LogLik, m.LogLikNull, m.McFadden
		got["lr"], got["lr_p"], got["aic"], got["bic"] = m.LR, m.LRP, m.AIC, m.BIC
		got["deviance"], got["pearson_chi2"] = m.Deviance, m.PearsonChi2
		c.check(t, err, got)
	}
}

// firstNumber is the first input or parameter of these names, or otherwise.
func (c goldenCase) firstNumber(t *testing.T, otherwise float64, names ...string) float64 {
	for _, name := range names {
		if c.has(name) {
			return c.number(t, name, otherwise)
		}
	}
	return otherwise
}

func (c goldenCase) trend(t *testing.T) stats.Trend {
	if c.text(t, "regression", "c") == "ct" {
		return stats.Linear
	}
	return stats.Level
}

func init() {
	goldenKinds["anova_oneway"] = func(t *testing.T, c goldenCase) {
		r, err := stats.OneWayANOVA(c.table(t, "groups"))
		c.check(t, err, map[string]any{"statistic": r.F, "df": []float64{r.DF, r.DFErr}, "p_value": r.P,
			"eta_squared": r.EtaSquared, "omega_squared": r.OmegaSquared})
	}
	goldenKinds["anova_welch"] = func(t *testing.T, c goldenCase) {
		r, err := stats.WelchANOVA(c.table(t, "groups"))
		c.check(t, err, map[string]any{"statistic": r.F, "df": []float64{r.DF, r.DFErr}, "p_value": r.P})
	}
	goldenKinds["anova_twoway_type2"] = func(t *testing.T, c goldenCase) {
		r, err := stats.TwoWayANOVA(c.floats(t, "y"), c.texts(t, "a"), c.texts(t, "b"))
		effects := []stats.ANOVA{r.A, r.B, r.AB}
		c.check(t, err, map[string]any{
			"sum_sq":              append(column(effects, func(a stats.ANOVA) float64 { return a.SumSq }), r.ErrorSumSq),
			"df":                  append(column(effects, func(a stats.ANOVA) float64 { return a.DF }), r.A.DFErr),
			"F":                   column(effects, func(a stats.ANOVA) float64 { return a.F }),
			"p_value":             column(effects, func(a stats.ANOVA) float64 { return a.P }),
			"partial_eta_squared": column(effects, func(a stats.ANOVA) float64 { return a.EtaSquared }),
		})
	}
	for kind, compare := range map[string]func([][]float64) ([]stats.Comparison, error){"tukey_hsd": stats.TukeyHSD, "games_howell": stats.GamesHowell} {
		goldenKinds[kind] = func(t *testing.T, c goldenCase) {
			r, err := compare(c.table(t, "groups"))
			pairs := make([][]float64, len(r))
			for i := range r {
				pairs[i] = []float64{float64(r[i].A), float64(r[i].B)}
			}
			c.check(t, err, map[string]any{
				"pairs":   pairs,
				"diff":    column(r, func(c stats.Comparison) float64 { return c.Diff }),
				"se":      column(r, func(c stats.Comparison) float64 { return c.SE }),
				"t":       column(r, func(c stats.Comparison) float64 { return c.T }),
				"df":      column(r, func(c stats.Comparison) float64 { return c.DF }),
				"p_value": column(r, func(c stats.Comparison) float64 { return c.P }),
				"ci_low":  column(r, func(c stats.Comparison) float64 { return c.Low }),
				"ci_high": column(r, func(c stats.Comparison) float64 { return c.High }),
			})
		}
	}
	goldenKinds["ols"] = func(t *testing.T, c goldenCase) {
		m, err := stats.OLS(c.table(t, "X"), c.floats(t, "y"))
		if err != nil {
			c.check(t, err, nil)
			return
		}
		got := coefficientTable(m.Coefficients)
		for i, name := range []string{"se_hc0", "se_hc1", "se_hc2", "se_hc3"} {
			robust, err := m.Robust(stats.HC(i))
			if err != nil {
				t.Fatal(err)
			}
			got[name] = column(robust, func(c stats.Coefficient) float64 { return c.SE })
		}
		got["r2"], got["adj_r2"], got["f"], got["f_p"], got["aic"], got["bic"] = m.R2, m.AdjR2, m.F, m.FP, m.AIC, m.BIC
		got["durbin_watson"], got["breusch_pagan_lm"], got["breusch_pagan_p"] = m.DurbinWatson, m.BreuschPagan, m.BreuschPaganP
		got["vif"], got["loglik"] = m.VIF, m.LogLik
		largest := 0.0
		for _, d := range m.Cook {
			largest = math.Max(largest, d)
		}
		got["cooks_d_max"] = largest
		c.check(t, nil, got)
	}
	goldenKinds["logit"] = general(stats.Logit)
	goldenKinds["poisson_glm"] = general(stats.Poisson)
	goldenKinds["adf"] = func(t *testing.T, c goldenCase) {
		// The file's "fixed lag" is 2: its critical values are those of 57 rows of 60.
		lags := int(c.firstNumber(t, 2, "lag", "lags", "maxlag", "nlags"))
		r, err := stats.ADF(c.floats(t, "x"), lags, c.trend(t))
		c.check(t, err, map[string]any{"statistic": r.Statistic, "p_value": r.P, "crit": r.Critical[:]})
	}
	goldenKinds["kpss"] = func(t *testing.T, c goldenCase) {
		r, err := stats.KPSS(c.floats(t, "x"), int(c.firstNumber(t, 3, "nlags", "lags", "lag")), c.trend(t))
		c.check(t, err, map[string]any{"statistic": r.Statistic, "p_value": r.P})
	}
	goldenKinds["ljung_box"] = func(t *testing.T, c goldenCase) {
		r, err := stats.LjungBox(c.floats(t, "x"), int(c.firstNumber(t, 10, "lag", "lags", "nlags")), int(c.number(t, "model_df", 0)))
		c.check(t, err, map[string]any{"statistic": r.Statistic, "p_value": r.P})
	}
	goldenKinds["acf_pacf"] = func(t *testing.T, c goldenCase) {
		lags := int(c.firstNumber(t, 6, "nlags", "lags", "lag"))
		acf, err := stats.Autocorrelation(c.floats(t, "x"), lags)
		pacf, _ := stats.PartialAutocorrelation(c.floats(t, "x"), lags)
		c.check(t, err, map[string]any{"acf": acf, "pacf_ywm": pacf})
	}
	goldenKinds["granger"] = func(t *testing.T, c goldenCase) {
		r, err := stats.Granger(c.floats(t, "x"), c.floats(t, "y"), int(c.firstNumber(t, 1, "lag", "lags", "maxlag")))
		c.check(t, err, map[string]any{"f": r.F, "p_value": r.P, "df_num": r.DF, "df_denom": r.DFErr})
	}
	goldenKinds["cuped"] = func(t *testing.T, c goldenCase) {
		r, err := stats.CUPED(c.floats(t, "control_x"), c.floats(t, "control_y"), c.floats(t, "treat_x"), c.floats(t, "treat_y"))
		c.check(t, err, map[string]any{"theta": r.Theta, "effect": r.Effect, "statistic": r.Statistic, "df": r.DF, "p_value": r.P,
			"ci": []float64{r.Low, r.High}, "variance_reduction": r.VarianceReduction})
	}
	goldenKinds["msprt_always_valid"] = func(t *testing.T, c goldenCase) {
		ratio, p, err := stats.SequentialP(c.floats(t, "n"), c.floats(t, "diff"), c.number(t, "sigma2", 0), c.number(t, "tau2", 0))
		c.check(t, err, map[string]any{"lambda_": ratio, "always_valid_p": p})
	}
	goldenKinds["group_sequential_bounds"] = func(t *testing.T, c goldenCase) {
		spending := stats.OBrienFleming
		if c.text(t, "method", "obf") == "pocock" {
			spending = stats.Pocock
		}
		bounds, nominal, err := stats.GroupSequential(int(c.number(t, "looks", 0)), c.number(t, "alpha", 0.05), spending)
		if err != nil {
			c.check(t, err, nil)
			return
		}
		// Of both shapes, the last bound is the constant.
		c.check(t, err, map[string]any{"constant": bounds[len(bounds)-1], "z_bounds": bounds, "nominal_p": nominal})
	}
	goldenKinds["bayes_ab_beta"] = func(t *testing.T, c goldenCase) {
		success, n := c.floats(t, "success"), c.floats(t, "n")
		if len(success) != 2 || len(n) != 2 {
			t.Fatalf("%d and %d groups, want 2", len(success), len(n))
		}
		prior := []float64{1, 1}
		if c.has("prior") {
			prior = c.floats(t, "prior")
		}
		r, err := stats.BetaAB([2]float64(success), [2]float64(n), prior[0], prior[1])
		c.check(t, err, map[string]any{"prob_b_beats_a": r.ProbBBeatsA, "expected_loss_choose_b": r.LossB, "expected_loss_choose_a": r.LossA,
			"post_mean": []float64{r.MeanA, r.MeanB}, "cred_a": []float64{r.LowA, r.HighA}, "cred_b": []float64{r.LowB, r.HighB}})
	}
	goldenKinds["bayes_factor_ttest"] = func(t *testing.T, c goldenCase) {
		ny := int(c.number(t, "ny", 0))
		if c.flag(t, "paired", false) {
			ny = 0
		}
		bf, err := stats.BayesFactorT(c.number(t, "t", 0), int(c.number(t, "nx", 0)), ny, c.number(t, "r", 0.707))
		c.check(t, err, map[string]any{"bf10": bf})
	}
	goldenKinds["diff_in_diff"] = func(t *testing.T, c goldenCase) {
		r, err := stats.DifferenceInDifferences(c.floats(t, "y"), bools(c.floats(t, "treated")), bools(c.floats(t, "post")))
		c.check(t, err, map[string]any{"effect": r.Effect, "se_hc1": r.SE, "t": r.Statistic, "p_value": r.P, "ci": []float64{r.Low, r.High}})
	}
	goldenKinds["ipw_ate"] = func(t *testing.T, c goldenCase) {
		treated := c.floats(t, "treated")
		if !c.has("treated") {
			treated = c.floats(t, "t")
		}
		r, err := stats.InversePropensity(c.table(t, "X"), bools(treated), c.floats(t, "y"))
		c.check(t, err, map[string]any{"propensity_coef": coefficientTable(r.Propensity.Coefficients)["coef"],
			"ate_naive": r.Naive, "ate_ht": r.HT, "ate_hajek": r.Hajek, "ate_aipw": r.AIPW, "smd_before": r.Before, "smd_after": r.After})
	}
	goldenKinds["kaplan_meier"] = func(t *testing.T, c goldenCase) {
		r, err := stats.KaplanMeier(c.floats(t, "time"), bools(c.floats(t, "event")))
		c.check(t, err, map[string]any{
			"time": column(r, func(s stats.Survival) float64 { return s.Time }),
			"surv": column(r, func(s stats.Survival) float64 { return s.Share }),
			"se":   column(r, func(s stats.Survival) float64 { return s.SE }),
		})
	}
	goldenKinds["logrank"] = func(t *testing.T, c goldenCase) {
		names := c.texts(t, "group")
		distinct := slices.Compact(slices.Sorted(slices.Values(names)))
		group := make([]int, len(names))
		for i, name := range names {
			group[i] = slices.Index(distinct, name)
		}
		r, err := stats.LogRank(c.floats(t, "time"), bools(c.floats(t, "event")), group)
		c.check(t, err, map[string]any{"statistic": r.Statistic, "df": r.DF, "p_value": r.P})
	}
	goldenKinds["cox"] = func(t *testing.T, c goldenCase) {
		m, err := stats.Cox(c.floats(t, "time"), bools(c.floats(t, "event")), c.table(t, "X"))
		got := coefficientTable(m.Coefficients)
		got["se_robust"] = column(m.Robust(), func(c stats.Coefficient) float64 { return c.SE })
		got["loglik"], got["lr"], got["lr_p"], got["concordance"] = m.LogLik, m.LR, m.LRP, m.Concordance
		got["schoenfeld"] = column(m.Proportional, func(r stats.Result) float64 { return r.Statistic })
		got["schoenfeld_p"] = column(m.Proportional, func(r stats.Result) float64 { return r.P })
		c.check(t, err, got)
	}
	goldenKinds["anova_rm"] = func(t *testing.T, c goldenCase) {
		r, err := stats.RepeatedANOVA(c.table(t, "blocks"))
		c.check(t, err, map[string]any{"statistic": r.F, "df": []float64{r.DF, r.DFErr}, "p_value": r.P, "sum_sq": []float64{r.SumSq, r.ErrorSumSq},
			"eps_gg": r.GreenhouseGeisser, "eps_hf": r.HuynhFeldt, "p_gg": r.PGreenhouse, "p_hf": r.PHuynhFeldt,
			"ng2": r.GeneralizedEta, "mauchly_w": r.MauchlyW, "mauchly_p": r.MauchlyP})
	}
	goldenKinds["ancova"] = func(t *testing.T, c goldenCase) {
		r, err := stats.ANCOVA(c.floats(t, "y"), c.texts(t, "group"), c.table(t, "X"))
		effects := append([]stats.ANOVA{r.Groups}, r.Covariates...)
		c.check(t, err, map[string]any{
			"F":                   column(effects, func(a stats.ANOVA) float64 { return a.F }),
			"p_value":             column(effects, func(a stats.ANOVA) float64 { return a.P }),
			"sum_sq":              column(effects, func(a stats.ANOVA) float64 { return a.SumSq }),
			"partial_eta_squared": column(effects, func(a stats.ANOVA) float64 { return a.EtaSquared }),
			"error_sum_sq":        r.ErrorSumSq,
			"means":               column(r.Means, func(c stats.Coefficient) float64 { return c.Estimate }),
			"means_se":            column(r.Means, func(c stats.Coefficient) float64 { return c.SE }),
			"slopes_f":            r.Slopes.F, "slopes_p": r.Slopes.P,
		})
	}
	goldenKinds["theil_sen"] = func(t *testing.T, c goldenCase) {
		x, y := c.xy(t)
		r, err := stats.TheilSen(x, y, c.ask(t, stats.Auto))
		c.check(t, err, map[string]any{"slope": r.Estimate, "ci": ends(r.Low, r.High)})
	}
	goldenKinds["newey_west"] = func(t *testing.T, c goldenCase) {
		m, err := stats.OLS(c.table(t, "X"), c.floats(t, "y"))
		var table []stats.Coefficient
		if err == nil {
			table, err = m.NeweyWest(int(c.number(t, "lags", 0)))
		}
		c.check(t, err, coefficientTable(table))
	}
	goldenKinds["glm_robust"] = func(t *testing.T, c goldenCase) {
		fit := map[string]func([][]float64, []float64) (stats.GeneralModel, error){"logit": stats.Logit, "poisson": stats.Poisson}[c.text(t, "family", "")]
		if fit == nil {
			t.Fatal("unknown family")
		}
		m, err := fit(c.table(t, "X"), c.floats(t, "y"))
		c.check(t, err, coefficientTable(m.Robust()))
	}
	goldenKinds["power_corr"] = func(t *testing.T, c goldenCase) {
		c.check(t, nil, map[string]any{"power": stats.PowerCorrelation(c.number(t, "r", 0), c.number(t, "n", 0), c.number(t, "alpha", 0.05), c.ask(t, stats.Auto).Alternative)})
	}
}
