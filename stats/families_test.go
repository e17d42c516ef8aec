package stats_test

import (
	"errors"
	"fmt"
	"math"
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
		"theil-sen": two(stats.TheilSen),
		"cox": func(x, y []float64) (stats.Result, error) {
			event, rows := make([]bool, len(x)), make([][]float64, len(y))
			for i := range event {
				event[i] = i%3 > 0
			}
			for i, v := range y {
				rows[i] = []float64{v}
			}
			m, err := stats.Cox(x, event, rows)
			return just(m.LRP, err)
		},
		"repeated": func(x, y []float64) (stats.Result, error) {
			r, err := stats.RepeatedANOVA([][]float64{x, y, []float64{3, 1, 4, 1, 5, 9, 2, 6, 5}[:len(x)]})
			return just(r.P, err)
		},
		"ancova": func(x, y []float64) (stats.Result, error) {
			rows := make([][]float64, len(y))
			for i, v := range y {
				rows[i] = []float64{v}
			}
			r, err := stats.ANCOVA(x, []string{"a", "b", "a", "b", "b", "a", "b", "a", "a"}[:len(x)], rows)
			return just(r.Groups.P, err)
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
