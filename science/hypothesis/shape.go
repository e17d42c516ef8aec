package hypothesis

import (
	"fmt"
	"math"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/stats"
)

// spread tests whether a number varies alike in the groups of a column.
func spread(t *data.Table, number, groups string) (finding, error) {
	samples, left, err := grouped(t, "spread", number, groups)
	if err != nil {
		return finding{}, err
	}
	values := make([][]float64, len(samples))
	far := ""
	wide, narrow := -1, -1
	log, logError := make([]float64, len(samples)), make([]float64, len(samples))
	for i, s := range samples {
		values[i] = s.x
		if err := finite(number, s.x); err != nil {
			return finding{}, err
		}
		if s.hasFar && far == "" {
			far = s.value
		}
		if len(s.x) < 3 {
			return finding{}, data.WithHint(fmt.Errorf("column %q has %d values where %s is %s", number, len(s.x), groups, s.value), "a spread takes three rows or more in each group")
		}
		log[i], logError[i] = logSpread(s.x)
		if math.IsInf(log[i], 0) {
			return finding{}, data.WithHint(fmt.Errorf("column %q has one value only where %s is %s", number, groups, s.value), "leave that group out: it does not vary")
		}
		if wide < 0 || log[i] > log[wide] {
			wide = i
		}
		if narrow < 0 || log[i] < log[narrow] {
			narrow = i
		}
	}
	levene, err := stats.Levene(values, stats.Median)
	if err != nil {
		return finding{}, constant(number, err)
	}
	fligner, err := stats.Fligner(values)
	if err != nil {
		return finding{}, constant(number, err)
	}
	r, other, why := levene, fligner, "distances from the median are compared, which hold their level whatever the shape of the values."
	notOther := "ranks tell less than distances where no value is far out"
	if far != "" {
		r, other, why = fligner, levene, fmt.Sprintf("ranks of the distances from the median are compared: %s has far outliers where %s is %s.", number, groups, far)
		notOther = "far outliers would decide"
	}
	f := finding{Hypothesis: fromResult(r)}
	f.EffectName = "ratio of mean deviations"
	d, se := log[wide]-log[narrow], math.Hypot(logError[wide], logError[narrow])
	f.Effect, f.EffectLow, f.EffectHigh = math.Exp(d), math.Exp(d-1.959963984540054*se), math.Exp(d+1.959963984540054*se)
	f.Why = "To see whether the groups vary alike, " + why + leftOut(left, number, groups)
	out := "none"
	if far != "" {
		out = "where " + far
	}
	f.check("far outliers", out, far == "")
	f.try(notOther, other, nil)
	f.reject("Bartlett's test", "it takes values that are not normal for unequal variances")
	f.say = func(significant bool, evidence string) string {
		ends := fmt.Sprintf("mean deviation from the median %s where it is %s, %s where it is %s", short(math.Exp(log[wide])), samples[wide].value, short(math.Exp(log[narrow])), samples[narrow].value)
		if significant {
			return fmt.Sprintf("The spread of %s differs by %s: %s %s.%s", number, groups, ends, evidence, caution(f.Hypothesis, "difference"))
		}
		return fmt.Sprintf("No difference in the spread of %s by %s found: %s %s.%s", number, groups, ends, evidence, doubt(f.Hypothesis, "difference"))
	}
	return f, nil
}

// logSpread returns the logarithm of the mean distance from the median, which is
// what Levene's test compares, and its standard error. x has three values or more.
func logSpread(x []float64) (log, se float64) {
	middle := median(x)
	d := make([]float64, len(x))
	for i, v := range x {
		d[i] = math.Abs(v - middle)
	}
	m, v, err := stats.MeanVar(d)
	if err != nil || m == 0 {
		return math.Inf(-1), 0
	}
	return math.Log(m), math.Sqrt(v/float64(len(x))) / m
}

// mostShapiro bounds the rows of the Shapiro-Wilk test.
const mostShapiro = 5000

// normal tests whether a number is normal.
func normal(t *data.Table, number string) (finding, error) {
	c, err := numbers(t, "normal", number)
	if err != nil {
		return finding{}, err
	}
	values, left, err := complete(c)
	if err != nil {
		return finding{}, err
	}
	x := values[0]
	wrong := func(err error) error {
		return data.WithHint(fmt.Errorf("column %q: %w", number, err), "it needs three different values or more")
	}
	var r stats.Result
	f := finding{}
	if len(x) <= mostShapiro {
		if r, err = stats.ShapiroWilk(x); err != nil {
			return finding{}, wrong(err)
		}
		f.Why = "Shapiro and Wilk's is the most powerful test of it for most alternatives, up to 5,000 rows."
		if other, err := stats.AndersonDarling(x); err == nil {
			f.try("Shapiro-Wilk finds more", other, nil)
		}
	} else {
		if r, err = stats.AndersonDarling(x); err != nil {
			return finding{}, wrong(err)
		}
		f.Why = "Anderson and Darling's test takes any number of rows."
		f.reject("Shapiro-Wilk", "it is made for up to 5,000 rows")
		if other, err := stats.DAgostinoPearson(x); err == nil {
			f.try("it sees skewness and heavy tails only", other, nil)
		}
	}
	f.reject("Kolmogorov-Smirnov", "it needs a mean and a standard deviation that do not come from the data")
	f.Why += leftOut(left, number)
	f.Hypothesis = bundle.Hypothesis{Test: r.Test, Rows: r.N, Statistic: r.Statistic, P: r.P, Why: f.Why, NotTaken: f.NotTaken}
	f.EffectName = "skewness"
	f.Effect, f.EffectLow, f.EffectHigh = skewness(x)
	if d, err := stats.Describe(x); err == nil {
		f.check("excess kurtosis (0 if normal)", hundredths(d.Kurtosis), math.Abs(d.Kurtosis) < 1)
	}
	f.check("skewness (0 if normal)", hundredths(f.Effect), math.Abs(f.Effect) < 0.5)
	f.say = func(significant bool, evidence string) string {
		if !significant {
			few := ""
			if r.N < fewRows {
				few = fmt.Sprintf(" With %d rows much can go unseen.", r.N)
			}
			return fmt.Sprintf("Nothing speaks against %s being normal %s.%s", number, evidence, few)
		}
		much := ""
		if math.Abs(f.Effect) < 0.5 && r.N > 1000 {
			much = fmt.Sprintf(" With %d rows even a departure that does not matter shows: means of %s are as good as normal.", r.N, number)
		}
		return fmt.Sprintf("%s is not normal %s.%s", number, evidence, much)
	}
	return f, nil
}

// skewness returns the skewness of values that vary and its 95% interval by the
// jackknife, which holds whatever their distribution.
func skewness(x []float64) (g, low, high float64) {
	m, v, err := stats.MeanVar(x)
	if err != nil || v == 0 {
		return 0, 0, 0
	}
	n := float64(len(x))
	var s1, s2, s3 float64
	for _, w := range x {
		z := (w - m) / math.Sqrt(v)
		s1, s2, s3 = s1+z, s2+z*z, s3+z*z*z
	}
	of := func(n, s1, s2, s3 float64) float64 {
		a := s1 / n
		m2, m3 := s2/n-a*a, s3/n-3*a*s2/n+2*a*a*a
		if !(m2 > 0) {
			return 0
		}
		return m3 / math.Pow(m2, 1.5)
	}
	g = of(n, s1, s2, s3)
	var sum, squares float64
	for _, w := range x {
		z := (w - m) / math.Sqrt(v)
		d := of(n-1, s1-z, s2-z*z, s3-z*z*z) - g
		sum, squares = sum+d, squares+d*d
	}
	reach := 1.959963984540054 * math.Sqrt(math.Max(0, (squares-sum*sum/n)*(n-1)/n))
	return g, g - reach, g + reach
}
