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

func ExampleMannWhitney() {
	bad := []float64{80, 95, 100, 100, 120, 60}
	good := []float64{130, 110, 150, 100, 200, 90}
	r, err := stats.MannWhitney(bad, good)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s: U = %.0f, p = %.3f\n", r.Test, r.Statistic, r.P)
	fmt.Printf("%s %.2f, 95%% interval %.2f to %.2f\n", r.EffectName, r.Effect, r.EffectLow, r.EffectHigh)
	// Output:
	// Mann-Whitney U: U = 7, p = 0.090
	// rank-biserial correlation -0.61, 95% interval -0.89 to 0.07
}

func near(t *testing.T, name string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol*math.Max(1, math.Abs(want))) && got != want {
		t.Errorf("%s = %.12g, want %.12g", name, got, want)
	}
}

// The values were computed with R 4.2 (t.test, wilcox.test, chisq.test); the
// data are R's own data sets.
func TestAgainstR(t *testing.T) {
	t.Parallel()
	group1 := []float64{0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0}
	group2 := []float64{1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4}
	r, err := stats.Welch(group1, group2) // sleep: extra ~ group
	if err != nil {
		t.Fatal(err)
	}
	near(t, "sleep: t", r.Statistic, -1.8608135, 1e-7)
	near(t, "sleep: df", r.DF, 17.776474, 1e-7)
	near(t, "sleep: p", r.P, 0.07939414, 1e-7)

	automatic := []float64{21.4, 18.7, 18.1, 14.3, 24.4, 22.8, 19.2, 17.8, 16.4, 17.3, 15.2, 10.4, 10.4, 14.7, 21.5, 15.5, 15.2, 13.3, 19.2}
	manual := []float64{21, 21, 22.8, 32.4, 30.4, 33.9, 27.3, 26, 30.4, 15.8, 19.7, 15, 21.4}
	r, err = stats.MannWhitney(automatic, manual) // mtcars: mpg ~ am, exact = FALSE
	if err != nil {
		t.Fatal(err)
	}
	near(t, "mtcars: U", r.Statistic, 42, 0)
	near(t, "mtcars: p", r.P, 0.0018713913, 1e-8)

	// UCBAdmissions: Admit x Gender.
	admissions := [][]float64{{1198, 557}, {1493, 1278}}
	r, err = stats.ChiSquaredYates(admissions)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "UCB, Yates: chi-squared", r.Statistic, 91.609598, 1e-7)
	if math.Abs(r.P/1.0557968e-21-1) > 1e-6 {
		t.Errorf("UCB, Yates: p = %g, want 1.0557968e-21", r.P)
	}
	r, err = stats.ChiSquared(admissions)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "UCB: chi-squared", r.Statistic, 92.20528, 1e-7)
	if math.Abs(r.P/7.8136004e-22-1) > 1e-6 {
		t.Errorf("UCB: p = %g, want 7.8136004e-22", r.P)
	}
}

func TestPValueFunctions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ stat, df, want float64 }{
		{3.841458820694124, 1, 0.05}, // the textbook's critical values
		{5.991464547107979, 2, 0.05},
		{18.307038053275146, 10, 0.05},
		{0, 3, 1}, {-1, 3, 1}, {0, 0, 1}, {1, 0, 0}, {math.Inf(1), 5, 0},
	} {
		near(t, fmt.Sprintf("ChiSquaredPValue(%v, %v)", c.stat, c.df), stats.ChiSquaredPValue(c.stat, c.df), c.want, 1e-12)
	}
	// Critical values of the Kolmogorov distribution: 1.3581 at 0.05, 1.6276 at
	// 0.01 (Smirnov's table, Annals of Mathematical Statistics 19, 1948), and its
	// median 0.8276.
	for lambda, want := range map[float64]float64{1.3581: 0.05, 1.6276: 0.01, 0.82757: 0.5, 0: 1, 0.05: 1} {
		got := stats.KSPValue(lambda/math.Sqrt(5000), 1e4, 1e4)
		if math.Abs(got-want) > 2e-5 {
			t.Errorf("KSPValue at lambda %v = %v, want %v", lambda, got, want)
		}
	}
	// Far out the series is its first term, to all digits.
	if got, want := stats.KSPValue(3/math.Sqrt(5000), 1e4, 1e4), 2*math.Exp(-18); math.Abs(got/want-1) > 1e-9 {
		t.Errorf("KSPValue at lambda 3 = %v, want %v", got, want)
	}
	// Its two series meet without a step.
	if below, above := stats.KSPValue(0.99999999, 2, 2), stats.KSPValue(1, 2, 2); math.Abs(below-above) > 1e-7 {
		t.Errorf("KSPValue jumps at lambda 1: %v and %v", below, above)
	}
}

// Far in the tail a p-value keeps its digits, also with many degrees of freedom:
// SciPy 1.17.1,
// 2*t.sf(20, 9998) and 2*f.sf(9, 499, 499).
func TestFarTails(t *testing.T) {
	t.Parallel()
	x, y := make([]float64, 5000), make([]float64, 5000)
	for i := range x { // two values a standard deviation to either side
		x[i] = float64(2*(i%2)-1) * math.Sqrt(4999.0/5000)
		y[i] = x[i] + 0.4
	}
	r, err := stats.StudentT(y, x, stats.Ask{})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "t", r.Statistic, 20, 1e-9)
	near(t, "p of t", r.P/2.7667632769779673e-87, 1, 1e-6)
	v, err := stats.VarianceF(apply(x[:500], func(v float64) float64 { return 3 * v }), x[:500], stats.Ask{})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "F", v.Statistic, 9, 1e-9)
	near(t, "p of F", v.P/8.842394960180962e-113, 1, 1e-6)
}

// Under the null, p-values are uniform: P(p <= alpha) = alpha. 4,000 draws with
// a fixed seed; the tolerance of four standard errors fails one seed in about
// two thousand, and this one passes.
func TestPValuesAreUniform(t *testing.T) {
	t.Parallel()
	const draws = 4000
	sample := func(rng *rand.Rand, n int, f func() float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = f()
		}
		return x
	}
	// slack is for what is known not to be exact: limits used at finite sizes,
	// and a statistic with few values.
	tests := []struct {
		name  string
		slack float64
		draw  func(rng *rand.Rand) (stats.Result, error)
	}{
		{"welch, unequal variances", 0, func(rng *rand.Rand) (stats.Result, error) {
			return stats.Welch(sample(rng, 30, rng.NormFloat64), sample(rng, 50, func() float64 { return 3 * rng.NormFloat64() }))
		}},
		{"mann-whitney, exact", 0.005, func(rng *rand.Rand) (stats.Result, error) {
			return stats.MannWhitney(sample(rng, 20, rng.ExpFloat64), sample(rng, 24, rng.ExpFloat64))
		}},
		{"mann-whitney, normal with ties", 0.005, func(rng *rand.Rand) (stats.Result, error) {
			coarse := func() float64 { return math.Floor(10 * rng.ExpFloat64()) }
			return stats.MannWhitney(sample(rng, 60, coarse), sample(rng, 80, coarse))
		}},
		{"chi-squared", 0.01, func(rng *rand.Rand) (stats.Result, error) {
			table := [][]float64{make([]float64, 4), make([]float64, 4), make([]float64, 4)}
			for range 400 {
				table[rng.IntN(3)][rng.IntN(4)]++
			}
			return stats.ChiSquared(table)
		}},
		{"kolmogorov-smirnov, exact", 0.03, func(rng *rand.Rand) (stats.Result, error) {
			return stats.KolmogorovSmirnov(sample(rng, 23, rng.NormFloat64), sample(rng, 25, rng.NormFloat64))
		}},
		{"kolmogorov-smirnov, approximate", 0.03, func(rng *rand.Rand) (stats.Result, error) {
			return stats.KolmogorovSmirnov(sample(rng, 59, rng.NormFloat64), sample(rng, 71, rng.NormFloat64))
		}},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rng := seed.Stream(20261123, c.name, 0)
			p := make([]float64, draws)
			for i := range p {
				r, err := c.draw(rng)
				if err != nil {
					t.Fatal(err)
				}
				p[i] = r.P
			}
			for _, alpha := range []float64{0.01, 0.05, 0.1, 0.5, 0.9} {
				hits := 0
				for _, v := range p {
					if v <= alpha {
						hits++
					}
				}
				got := float64(hits) / draws
				se := math.Sqrt(alpha * (1 - alpha) / draws)
				if math.Abs(got-alpha) > 4*se+c.slack*math.Sqrt(alpha) {
					t.Errorf("P(p <= %v) = %.4f (standard error %.4f)", alpha, got, se)
				}
			}
		})
	}
}

// The 95% intervals of the effects hold the true effect in 95% of samples.
func TestIntervalsCover(t *testing.T) {
	t.Parallel()
	const draws = 2000
	tests := []struct {
		name string
		draw func(rng *rand.Rand) (stats.Result, error)
		// truth is the population's effect.
		truth float64
	}{
		{"hedges g of 2", func(rng *rand.Rand) (stats.Result, error) {
			a, b := make([]float64, 40), make([]float64, 60)
			for i := range a {
				a[i] = 2 + rng.NormFloat64()
			}
			for i := range b {
				b[i] = rng.NormFloat64()
			}
			return stats.Welch(a, b)
		}, 2},
		// For normal samples a standard deviation apart, P(a > b) = Phi(1/sqrt 2).
		{"rank-biserial of 0.52", func(rng *rand.Rand) (stats.Result, error) {
			a, b := make([]float64, 40), make([]float64, 60)
			for i := range a {
				a[i] = 1 + rng.NormFloat64()
			}
			for i := range b {
				b[i] = rng.NormFloat64()
			}
			return stats.MannWhitney(a, b)
		}, math.Erf(0.5)},
		// Cells 0.4, 0.1, 0.1, 0.4: phi = 0.16 - 0.01 over 0.25 = 0.6.
		{"cramer's v of 0.6", func(rng *rand.Rand) (stats.Result, error) {
			table := [][]float64{{0, 0}, {0, 0}}
			for range 100 {
				row, same := rng.IntN(2), rng.Float64() < 0.8
				col := row
				if !same {
					col = 1 - row
				}
				table[row][col]++
			}
			return stats.ChiSquared(table)
		}, 0.6},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rng := seed.Stream(7, c.name, 0)
			held := 0
			for range draws {
				r, err := c.draw(rng)
				if err != nil {
					t.Fatal(err)
				}
				if !(r.EffectLow <= r.Effect && r.Effect <= r.EffectHigh) {
					t.Fatalf("interval [%v, %v] does not hold the effect %v", r.EffectLow, r.EffectHigh, r.Effect)
				}
				if r.EffectLow <= c.truth && c.truth <= r.EffectHigh {
					held++
				}
			}
			if share := float64(held) / draws; share < 0.93 || share > 0.985 {
				t.Errorf("the interval held %v in %.3f of samples, want about 0.95", c.truth, share)
			}
		})
	}
}

func TestExchangingTheSamples(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(3, "exchange", 0)
	for range 50 {
		a, b := make([]float64, 2+rng.IntN(40)), make([]float64, 2+rng.IntN(40))
		for i := range a {
			a[i] = math.Round(10 * rng.NormFloat64())
		}
		for i := range b {
			b[i] = math.Round(10*rng.NormFloat64()) + 3
		}
		for name, test := range map[string]func(a, b []float64) (stats.Result, error){
			"welch": stats.Welch, "mann-whitney": stats.MannWhitney, "ks": stats.KolmogorovSmirnov,
		} {
			x, err := test(a, b)
			if errors.Is(err, stats.ErrConstant) {
				continue
			}
			y, err2 := test(b, a)
			if err != nil || err2 != nil {
				t.Fatal(name, err, err2)
			}
			near(t, name+": p", y.P, x.P, 1e-12)
			if name != "ks" {
				near(t, name+": effect", y.Effect, -x.Effect, 1e-12)
				near(t, name+": low", y.EffectLow, -x.EffectHigh, 1e-9)
			}
		}
	}
}

func TestUnitsDoNotMatter(t *testing.T) {
	t.Parallel()
	a, b := []float64{1, 2, 3, 5}, []float64{4, 9, 6}
	want, err := stats.Welch(a, b)
	if err != nil {
		t.Fatal(err)
	}
	for _, exp := range []int{-1040, -600, 10, 1000} { // units so odd that squares overflow or vanish
		x, y := slices.Clone(a), slices.Clone(b)
		for i := range x {
			x[i] = math.Ldexp(x[i], exp)
		}
		for i := range y {
			y[i] = math.Ldexp(y[i], exp)
		}
		got, err := stats.Welch(x, y)
		if err != nil || got != want {
			t.Errorf("times 2^%d: %+v, %v; want %+v", exp, got, err, want)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	nan, inf := math.NaN(), math.Inf(1)
	ok := []float64{1, 2, 3}
	first := func(r stats.Result, err error) error { return err }
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"welch: one value", first(stats.Welch([]float64{1}, ok)), stats.ErrTooFew},
		{"welch: NaN", first(stats.Welch(ok, []float64{1, nan})), stats.ErrValue},
		{"welch: infinity", first(stats.Welch(ok, []float64{1, inf})), stats.ErrValue},
		{"welch: constants", first(stats.Welch([]float64{0.1, 0.1, 0.1}, []float64{0.3, 0.3, 0.3})), stats.ErrConstant},
		{"mann-whitney: empty", first(stats.MannWhitney(nil, ok)), stats.ErrTooFew},
		{"mann-whitney: NaN", first(stats.MannWhitney([]float64{nan}, ok)), stats.ErrValue},
		{"mann-whitney: constant", first(stats.MannWhitney([]float64{1, 1}, []float64{1})), stats.ErrConstant},
		{"ks: empty", first(stats.KolmogorovSmirnov(ok, nil)), stats.ErrTooFew},
		{"ks: NaN", first(stats.KolmogorovSmirnov(ok, []float64{nan})), stats.ErrValue},
		{"ks: constant", first(stats.KolmogorovSmirnov([]float64{1, 1}, []float64{1})), stats.ErrConstant},
		{"chi-squared: one row", first(stats.ChiSquared([][]float64{{1, 2}})), stats.ErrTooFew},
		{"chi-squared: nothing", first(stats.ChiSquared(nil)), stats.ErrTooFew},
		{"chi-squared: empty column", first(stats.ChiSquared([][]float64{{1, 0}, {2, 0}})), stats.ErrTooFew},
		{"chi-squared: empty row", first(stats.ChiSquared([][]float64{{0, 0}, {2, 1}})), stats.ErrTooFew},
		{"chi-squared: negative", first(stats.ChiSquared([][]float64{{1, -1}, {2, 1}})), stats.ErrValue},
		{"chi-squared: NaN", first(stats.ChiSquared([][]float64{{1, nan}, {2, 1}})), stats.ErrValue},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, c.err, c.want)
		}
	}
	if err := first(stats.ChiSquared([][]float64{{1, 2}, {3}})); err == nil {
		t.Error("chi-squared: a ragged table is accepted")
	}
	if err := first(stats.ChiSquaredYates([][]float64{{1, 2, 3}, {3, 4, 5}})); err == nil {
		t.Error("chi-squared: Yates is applied to a table of three columns")
	}
	if _, err := stats.Holm([]float64{0.5, nan}); !errors.Is(err, stats.ErrValue) {
		t.Errorf("holm: NaN gives %v", err)
	}
	if _, err := stats.Quantile(nil, 0.5); !errors.Is(err, stats.ErrTooFew) {
		t.Errorf("quantile of nothing: %v", err)
	}
	if _, err := stats.Quantile(ok, 1.5); !errors.Is(err, stats.ErrValue) {
		t.Errorf("quantile 1.5: %v", err)
	}
	if _, _, err := stats.MeanVar([]float64{1e200, -1e200}); !errors.Is(err, stats.ErrValue) {
		t.Errorf("variance beyond float64: %v", err)
	}
}

// Infinities are ranks like any other, and separation that is complete does not
// collapse the interval.
func TestRanksOfInfinities(t *testing.T) {
	t.Parallel()
	a, b := []float64{math.Inf(1), 7, 8}, []float64{math.Inf(-1), 1, 2, 3}
	r, err := stats.MannWhitney(a, b)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "U", r.Statistic, 12, 0)
	near(t, "p", r.P, 2.0/35, 1e-12) // two of choose(7, 3) orders
	near(t, "effect", r.Effect, 1, 0)
	if r.EffectHigh != 1 || r.EffectLow > 0.9 || r.EffectLow < -1 {
		t.Errorf("interval [%v, %v]", r.EffectLow, r.EffectHigh)
	}
	r, err = stats.KolmogorovSmirnov(a, b)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "D", r.Statistic, 1, 0)
	near(t, "p", r.P, 2.0/35, 1e-12)
}

// The interval of V for the golden table of three rows and columns, from the
// noncentral chi-squared distribution summed and inverted with mpmath in 25 digits:
// the square root of the parameter over 2 n.
func TestCramersVInterval(t *testing.T) {
	t.Parallel()
	r, err := stats.ChiSquared([][]float64{{30, 14, 34}, {25, 40, 11}, {9, 22, 17}})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "low", r.EffectLow, 0.148153368962, 1e-9)
	near(t, "high", r.EffectHigh, 0.349595096307, 1e-9)
	// Exact independence: the interval is widened to hold V = 0.
	r, err = stats.ChiSquared([][]float64{{10, 20}, {20, 40}})
	if err != nil || r.Effect != 0 || r.EffectLow != 0 || r.P != 1 {
		t.Errorf("independence: %+v, %v", r, err)
	}
}

// The two ways to the interval of Cramer's V meet where one takes over.
func TestCramersVInLargeTables(t *testing.T) {
	t.Parallel()
	table := func(n float64) [][]float64 { return [][]float64{{0.35 * n, 0.15 * n}, {0.15 * n, 0.35 * n}} }
	just, err := stats.ChiSquared(table(62400)) // V = 0.4, chi-squared 9,984
	if err != nil {
		t.Fatal(err)
	}
	over, err := stats.ChiSquared(table(62600)) // 10,016
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(just.EffectLow-over.EffectLow) > 1e-4 || math.Abs(just.EffectHigh-over.EffectHigh) > 1e-4 {
		t.Errorf("intervals [%v, %v] and [%v, %v]", just.EffectLow, just.EffectHigh, over.EffectLow, over.EffectHigh)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	mean, variance, err := stats.MeanVar([]float64{1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16})
	if err != nil || mean != 1e9+10 || variance != 30 {
		t.Errorf("mean %v, variance %v, %v; want 1e9+10 and 30", mean, variance, err)
	}
	// R: quantile(c(15, 20, 35, 40, 50), c(0, .05, .3, .4, 1)), type 7.
	for q, want := range map[float64]float64{0: 15, 0.05: 16, 0.3: 23, 0.4: 29, 0.5: 35, 1: 50} {
		got, err := stats.Quantile([]float64{40, 15, 50, 35, 20}, q)
		if err != nil || math.Abs(got-want) > 1e-12 {
			t.Errorf("quantile %v = %v, %v; want %v", q, got, err, want)
		}
	}
	if got, err := stats.Quantile([]float64{0, 100}, 0.02); err != nil || math.Abs(got-2) > 1e-12 {
		t.Errorf("quantile 0.02 of 0 and 100 = %v, %v", got, err)
	}
	got, err := stats.Quantile([]float64{math.Inf(1), 1, math.Inf(-1), 2}, 0.9)
	if err != nil || !math.IsInf(got, 1) {
		t.Errorf("quantile near an infinity = %v, %v", got, err)
	}
}

func TestBootstrap(t *testing.T) {
	t.Parallel()
	// The mean of n values has standard error sd/sqrt(n); its percentile interval
	// is 1.96 of them to each side.
	rng := seed.Stream(5, "bootstrap", 0)
	x := make([]float64, 400)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	mean, variance, _ := stats.MeanVar(x)
	f := func(rows []int) float64 {
		s := 0.0
		for _, r := range rows {
			s += x[r]
		}
		return s / float64(len(rows))
	}
	low, high := stats.Bootstrap(len(x), 2000, seed.Stream(1, "b", 0), f)
	half := 1.96 * math.Sqrt(variance/float64(len(x)))
	if math.Abs(low-(mean-half)) > 0.12*half || math.Abs(high-(mean+half)) > 0.12*half {
		t.Errorf("interval [%v, %v], want about [%v, %v]", low, high, mean-half, mean+half)
	}
	again, _ := stats.Bootstrap(len(x), 2000, seed.Stream(1, "b", 0), f)
	if again != low {
		t.Errorf("the same stream gave %v and %v", low, again)
	}
	if low, high := stats.Bootstrap(3, 10, seed.Stream(1, "b", 0), func([]int) float64 { return math.NaN() }); !math.IsNaN(low) || !math.IsNaN(high) {
		t.Errorf("a statistic that never exists has interval [%v, %v]", low, high)
	}
}
