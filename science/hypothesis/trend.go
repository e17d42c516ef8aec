package hypothesis

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/stats"
)

// mostPairs bounds the rows of a test that counts all pairs.
const mostPairs = 3000

// trend tests whether a number, or the share of a value, rises or falls over time.
func trend(t *data.Table, number, over string) (finding, error) {
	value, what, err := binaryOrNumber(t, "trend", number)
	if err != nil {
		return finding{}, err
	}
	c, err := column(t, over)
	if err != nil {
		return finding{}, err
	}
	if number == over {
		return finding{}, data.WithHint(fmt.Errorf("column %q is followed over itself", number), "name two columns")
	}
	at, unit, err := times(c)
	if err != nil {
		return finding{}, err
	}
	var order []int
	left := 0
	for i := range value {
		if math.IsNaN(value[i]) || math.IsNaN(at[i]) {
			left++
			continue
		}
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(at[a], at[b]) })
	x, y := make([]float64, len(order)), make([]float64, len(order))
	rows := make([][]float64, len(order))
	for k, i := range order {
		x[k], y[k] = at[i]-at[order[0]], value[i]
		rows[k] = []float64{x[k]}
	}
	if err := finite(number, y); err != nil {
		return finding{}, err
	}
	if err := finite(over, x); err != nil {
		return finding{}, err
	}
	wrong := func(err error) error {
		return data.WithHint(fmt.Errorf("columns %q and %q: %w", number, over, err), "both have to vary, in some rows without missing values")
	}
	line, err := stats.OLS(rows, y)
	if err != nil {
		return finding{}, wrong(err)
	}
	lags := max(1, min(10, len(y)/5))
	related := false
	if lb, err := stats.LjungBox(line.Residuals, lags, 0); err == nil {
		related = lb.P < 0.01
	}
	lag, memory := lagsFor(line.Residuals)
	hac, err := line.NeweyWest(lag)
	if err != nil {
		return finding{}, wrong(err)
	}
	span := x[len(x)-1]
	_, variance, err := stats.MeanVar(y)
	if err != nil {
		return finding{}, wrong(err)
	}
	perSpan := span / math.Sqrt(variance) // of a slope, in standard deviations over the whole time

	ranked := stats.Spearman
	if len(y) <= mostPairs {
		ranked = stats.Kendall
	}
	monotone, err := ranked(x, y, stats.Ask{})
	if err != nil {
		return finding{}, wrong(err)
	}
	monotone.Test = "Mann-Kendall trend test"
	if len(y) > mostPairs {
		monotone.Test = "Spearman trend test"
	}
	regression := stats.Result{Test: "regression with Newey-West errors", P: hac[1].P}
	var f finding
	slope := hac[1].Estimate
	if related {
		f.Rows = len(y)
		f.Test, f.P, f.Statistic = regression.Test, hac[1].P, hac[1].Statistic
		f.EffectName = "change in standard deviations"
		f.Effect, f.EffectLow, f.EffectHigh = hac[1].Estimate*perSpan, hac[1].Low*perSpan, hac[1].High*perSpan
		f.estimate("change "+unit, hac[1].Estimate, hac[1].Low, hac[1].High)
		f.Why = "A line is fitted, with errors that allow for neighbouring rows being alike, which they are: counted as independent, they would make a trend out of a wave."
		f.try("it takes the rows as independent", monotone, nil)
		if memory > 0.9 {
			f.notes = append(f.notes, "The values wander slowly, as a random walk does, so that even these errors may be too small: more time, not more rows, would settle it.")
		}
		se := hac[1].SE * perSpan
		f.power = func(e, rows float64) float64 { return shifted(e * math.Sqrt(rows) / se) }
	} else {
		f.Hypothesis = fromResult(monotone)
		f.Why = "Ranks over time are compared: neighbouring rows are independent as far as can be seen, and ranks need neither a line nor normal values."
		f.try("it sees lines only, and outliers can make one", regression, nil)
		f.estimate("change "+unit, hac[1].Estimate, hac[1].Low, hac[1].High)
		if len(y) <= 2000 {
			if r, err := stats.TheilSen(x, y, stats.Ask{}); err == nil && what == "" {
				slope = r.Estimate
				f.Estimates = nil
				f.estimate("median change "+unit, r.Estimate, r.Low, r.High)
			}
		}
		n := float64(len(y))
		f.power = upToOne(func(e, rows float64) float64 {
			r := e
			if len(y) <= mostPairs {
				r = math.Sin(math.Pi / 2 * e) // Kendall's tau of a normal correlation
			}
			return stats.PowerCorrelation(math.Min(r, 1-1e-9), 3+(n*rows-3)/1.06, alpha, stats.TwoSided)
		})
	}
	alike := "not seen"
	if related {
		alike = "seen"
	}
	f.check("neighbouring rows alike beyond the trend (Ljung-Box)", alike, !related)
	f.Why += leftOut(left, number, over)
	subject := number
	if what != "" {
		subject = "the share of rows where " + number + " is " + what
	}
	f.say = func(significant bool, evidence string) string {
		if !significant {
			return fmt.Sprintf("No trend of %s over %s found %s.%s", subject, over, evidence, doubt(f.Hypothesis, "trend"))
		}
		verb := "rises"
		if f.Effect < 0 {
			verb = "falls"
		}
		return fmt.Sprintf("%s %s over %s, by about %s %s %s.%s", subject, verb, over, short(math.Abs(slope)), unit, evidence, caution(f.Hypothesis, "trend"))
	}
	return f, nil
}

// lagsFor returns how many neighbours Newey and West's errors should reach for
// residuals of that memory, the correlation with the one before: Andrews' rule
// (Econometrica 59, 1991), and no less than the customary number.
func lagsFor(residuals []float64) (lags int, memory float64) {
	n := float64(len(residuals))
	if r, err := stats.Autocorrelation(residuals, 1); err == nil {
		memory = r[1]
	}
	lag := 4 * math.Pow(n/100, 2.0/9)
	if memory > 0 {
		rest := 1 - memory*memory
		lag = math.Max(lag, 1.1447*math.Cbrt(4*memory*memory/(rest*rest)*n))
	}
	return int(math.Min(lag, math.Min(n/4, 1+2e8/n))), memory // the last bounds the time
}

// times returns a column as numbers to follow something over, and what a step of
// one is; NaN is missing.
func times(c *data.Column) ([]float64, string, error) {
	switch c.Kind {
	case data.Number:
		return c.Numbers, "per unit of " + c.Name, nil
	case data.Time:
		first, last := int64(math.MaxInt64), int64(math.MinInt64)
		for i, v := range c.Times {
			if !c.Missing(i) {
				first, last = min(first, v), max(last, v)
			}
		}
		const day = 24 * 3600 * 1e6
		length, unit := float64(day), "per day"
		switch span := float64(last) - float64(first); {
		case span > 730*day:
			length, unit = 365.25*day, "per year"
		case span < 2*day:
			length, unit = 3600*1e6, "per hour"
		}
		out := make([]float64, len(c.Times))
		for i, v := range c.Times {
			if out[i] = math.NaN(); !c.Missing(i) {
				out[i] = float64(v-first) / length
			}
		}
		return out, unit, nil
	}
	return nil, "", data.WithHint(fmt.Errorf("column %q is a %s column", c.Name, c.Kind), "over needs a column of times or numbers")
}

// binaryOrNumber returns a number column, or a category of two values as 1 for the
// rarer and 0, whose value it names; NaN is missing. A number column of the values
// 0 and 1 is named too.
func binaryOrNumber(t *data.Table, verb, name string) (value []float64, one string, err error) {
	c, err := column(t, name)
	if err != nil {
		return nil, "", err
	}
	if c.Kind == data.Number {
		zeros, ones := 0, 0
		for _, v := range c.Numbers {
			switch {
			case v == 0:
				zeros++
			case v == 1:
				ones++
			case !math.IsNaN(v):
				return c.Numbers, "", nil
			}
		}
		if zeros > 0 && ones > 0 {
			one = "1"
		}
		return c.Numbers, one, nil
	}
	if c.Kind != data.Category {
		return nil, "", data.WithHint(fmt.Errorf("column %q is a %s column", name, c.Kind), "%s needs a number, or a category of two values", verb)
	}
	l, err := levelsOf(c, 2)
	if err != nil {
		return nil, "", err
	}
	if len(l.values) < 2 {
		return nil, "", data.WithHint(fmt.Errorf("column %q has %d distinct values", name, len(l.values)), "%s needs a number, or a category of two values", verb)
	}
	var count [2]int
	for _, v := range l.of {
		if v >= 0 {
			count[v]++
		}
	}
	rare := positive(l.values)
	if rare < 0 {
		if rare = 1; count[0] < count[1] {
			rare = 0
		}
	}
	value = make([]float64, len(l.of))
	for i, v := range l.of {
		switch {
		case v < 0:
			value[i] = math.NaN()
		case v == rare:
			value[i] = 1
		}
	}
	return value, l.values[rare], nil
}
