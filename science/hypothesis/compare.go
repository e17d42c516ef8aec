package hypothesis

import (
	"errors"
	"fmt"
	"math"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/stats"
)

// When the means of two groups are not a fair summary of them.
const (
	fewRows    = 50 // below it the mean of a skewed sample is not yet normal
	strongSkew = 1  // of an exponential distribution it is 2, of a normal one 0
	farOut     = 3  // interquartile ranges beyond a quartile: two in a million normal values
)

// sample is one of two groups of rows.
type sample struct {
	value  string // of the grouping column
	x      []float64
	skew   float64 // of the finite values
	hasFar bool    // some value is farOut or infinite
}

// compare tests whether a number differs between the two values of a column.
func compare(t *data.Table, number, groups string) (finding, error) {
	c, err := column(t, number)
	if err != nil {
		return finding{}, err
	}
	g, err := column(t, groups)
	if err != nil {
		return finding{}, err
	}
	if c == g {
		return finding{}, data.WithHint(fmt.Errorf("column %q is compared with itself", number), "name two columns")
	}
	if c.Kind != data.Number {
		return finding{}, data.WithHint(fmt.Errorf("column %q is a %s column", number, c.Kind),
			"compare needs a number; for two categories, use associate")
	}
	l, err := levelsOf(g, 2)
	if err != nil {
		return finding{}, err
	}
	if len(l.values) < 2 {
		return finding{}, data.WithHint(fmt.Errorf("column %q has %d distinct values", groups, len(l.values)),
			"between needs a column with exactly two")
	}
	a, b := sample{value: l.values[0]}, sample{value: l.values[1]}
	left := 0
	for i, v := range c.Numbers {
		switch {
		case math.IsNaN(v) || l.of[i] < 0:
			left++
		case l.of[i] == 0:
			a.x = append(a.x, v)
		default:
			b.x = append(b.x, v)
		}
	}
	if len(b.x) < len(a.x) {
		a, b = b, a // the rarer value is the one that is asked about
	}
	if len(a.x) == 0 {
		return finding{}, data.WithHint(fmt.Errorf("column %q has no value where %s is %s", number, groups, a.value),
			"both groups need rows")
	}
	a.look()
	b.look()
	ranks, why := chooseTest(number, groups, a, b)
	test, centre, middle := stats.Welch, mean, "mean"
	if ranks {
		test, centre, middle = stats.MannWhitney, median, "median"
	}
	r, err := test(a.x, b.x)
	if errors.Is(err, stats.ErrConstant) {
		return finding{}, data.WithHint(fmt.Errorf("column %q has one value only, so nothing can differ", number), "compare a column that varies")
	}
	if err != nil {
		return finding{}, fmt.Errorf("column %q: %w", number, err)
	}
	f := finding{Hypothesis: fromResult(r)}
	f.Why = why + leftOut(left, number, groups)
	f.say = func(significant bool, evidence string) string {
		atA, atB := short(centre(a.x)), short(centre(b.x))
		if !significant {
			return fmt.Sprintf("No difference found: the %s of %s is %s where %s is %s and %s where it is %s %s.%s",
				middle, number, atA, groups, a.value, atB, b.value, evidence, doubt(r, "difference"))
		}
		direction := "higher"
		if r.Effect < 0 {
			direction = "lower"
		}
		verb := "is " + direction + " on average"
		if ranks {
			verb = "tends to be " + direction // which is what ranks can say
		}
		return fmt.Sprintf("%s %s where %s is %s than where it is %s: %s %s against %s %s.%s",
			number, verb, groups, a.value, b.value, middle, atA, atB, evidence, caution(r, "difference"))
	}
	return f, nil
}

// chooseTest reports whether to compare ranks instead of means, and why.
func chooseTest(number, groups string, a, b sample) (ranks bool, why string) {
	switch {
	case len(a.x) < fewRows:
		return true, fmt.Sprintf("Ranks are compared, not means: there are only %d rows where %s is %s.", len(a.x), groups, a.value)
	case math.Abs(a.skew) > strongSkew || math.Abs(b.skew) > strongSkew:
		s := a
		if math.Abs(b.skew) > math.Abs(a.skew) {
			s = b
		}
		return true, fmt.Sprintf("Ranks are compared, not means: %s is strongly skewed (skewness %.1f where %s is %s).", number, s.skew, groups, s.value)
	case a.hasFar || b.hasFar:
		s := a
		if !a.hasFar {
			s = b
		}
		return true, fmt.Sprintf("Ranks are compared, not means: %s has far outliers where %s is %s.", number, groups, s.value)
	}
	return false, fmt.Sprintf("Means are compared: both groups are large (%d and %d rows), without strong skew or far outliers; "+
		"the test does not need equal variances.", len(a.x), len(b.x))
}

// look fills in the shape of the sample.
func (s *sample) look() {
	finite := make([]float64, 0, len(s.x))
	for _, v := range s.x {
		if math.IsInf(v, 0) {
			s.hasFar = true
			continue
		}
		finite = append(finite, v)
	}
	q1, err1 := stats.Quantile(finite, 0.25)
	q3, err3 := stats.Quantile(finite, 0.75)
	if err1 != nil || err3 != nil {
		return // no finite value
	}
	for _, v := range finite {
		if v < q1-farOut*(q3-q1) || v > q3+farOut*(q3-q1) {
			s.hasFar = true
			break
		}
	}
	mean, variance, err := stats.MeanVar(finite)
	if err != nil || variance == 0 {
		return
	}
	sd := math.Sqrt(variance)
	for _, v := range finite {
		z := (v - mean) / sd
		s.skew += z * z * z / float64(len(finite))
	}
}

// mean is of a checked sample: finite and not empty.
func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v / float64(len(x))
	}
	return sum
}

// median is of a checked sample: not empty, without NaN.
func median(x []float64) float64 {
	m, err := stats.Quantile(x, 0.5)
	if err != nil {
		panic(fmt.Sprintf("median of a tested sample of %d: %v", len(x), err))
	}
	return m
}
