package hypothesis

import (
	"fmt"
	"math"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/stats"
)

// correlate tests whether two numbers go together, what is given being equal.
func correlate(t *data.Table, first, second string, given []string) (finding, error) {
	names := append([]string{first, second}, given...)
	var columns []*data.Column
	for i, name := range names {
		c, err := numbers(t, "correlate", name)
		if err != nil {
			return finding{}, err
		}
		for _, before := range names[:i] {
			if before == name {
				return finding{}, data.WithHint(fmt.Errorf("column %q is named twice", name), "name different columns")
			}
		}
		columns = append(columns, c)
	}
	var values [][]float64
	left := 0
	if len(given) == 0 {
		values = make([][]float64, 2) // ranks take infinities
		for i, v := range columns[0].Numbers {
			if w := columns[1].Numbers[i]; math.IsNaN(v) || math.IsNaN(w) {
				left++
			} else {
				values[0], values[1] = append(values[0], v), append(values[1], w)
			}
		}
	} else {
		var err error
		if values, left, err = complete(columns...); err != nil {
			return finding{}, err
		}
	}
	x, y := sample{value: first, x: values[0]}, sample{value: second, x: values[1]}
	x.look()
	y.look()
	wrong := func(err error) error {
		return data.WithHint(fmt.Errorf("columns %s: %w", and(names), err), "they need some rows without missing values, and have to vary")
	}
	var f finding
	if len(given) > 0 {
		r, err := stats.PartialCorrelation(values[0], values[1], values[2:], stats.Ask{})
		if err != nil {
			return finding{}, wrong(err)
		}
		f.Hypothesis = fromResult(r)
		f.Why = fmt.Sprintf("Both are numbers: what a regression on %s leaves of them is correlated.", and(given))
		plain, err := stats.Pearson(values[0], values[1], stats.Ask{})
		plain.Test += " without " + and(given)
		f.try("it would not hold "+and(given)+" equal", plain, err)
		f.power = upToOne(func(e, rows float64) float64 {
			return stats.PowerCorrelation(e, float64(r.N)*rows-float64(len(given)), alpha, stats.TwoSided)
		})
	} else {
		spearman, err := stats.Spearman(values[0], values[1], stats.Ask{})
		if err != nil {
			return finding{}, wrong(err)
		}
		pearson, errPearson := stats.Pearson(values[0], values[1], stats.Ask{})
		ranks, why := false, ""
		switch s := skewed(x, y); {
		case s != nil && s.hasFar:
			ranks, why = true, fmt.Sprintf("Ranks are correlated, not values: %s has far outliers, one of which can make or hide a correlation.", s.value)
		case s != nil:
			ranks, why = true, fmt.Sprintf("Ranks are correlated, not values: %s is strongly skewed (skewness %.1f).", s.value, s.skew)
		case errPearson != nil:
			return finding{}, wrong(errPearson)
		default:
			why = "Values are correlated: both columns are without strong skew or far outliers. This sees straight lines."
		}
		if ranks {
			f.Hypothesis = merge(fromResult(spearman), why)
			f.try("outliers or skew would decide", pearson, errPearson)
			f.power = upToOne(func(e, rows float64) float64 { // 1.06 as in the variance of Fisher's transform of ranks
				return stats.PowerCorrelation(e, 3+(float64(spearman.N)*rows-3)/1.06, alpha, stats.TwoSided)
			})
		} else {
			f.Hypothesis = merge(fromResult(pearson), why)
			f.try("values tell a little more than ranks here", spearman, nil)
			f.power = upToOne(func(e, rows float64) float64 {
				return stats.PowerCorrelation(e, float64(pearson.N)*rows, alpha, stats.TwoSided)
			})
		}
		f.reject("Kendall's tau", "it answers as Spearman's does, more slowly")
		f.shape("column", x, y)
		if d, ok := bent(values[0], values[1]); ok && d.P < 0.01 && math.Abs(f.Effect) < 0.1 {
			f.notes = append(f.notes, fmt.Sprintf("The two depend on each other in a way that neither rises nor falls (distance correlation %s, p %s): look at the picture.",
				hundredths(d.Effect), pValue(d.P)))
		}
	}
	f.Why += leftOut(left, names...)
	f.say = func(significant bool, evidence string) string {
		at := ""
		if len(given) > 0 {
			at = " at equal " + and(given)
		}
		if !significant {
			return fmt.Sprintf("No correlation of %s and %s found%s %s.%s", first, second, at, evidence, doubt(f.Hypothesis, "correlation"))
		}
		verb := "rises"
		if f.Effect < 0 {
			verb = "falls"
		}
		return fmt.Sprintf("%s %s as %s rises%s %s.%s", second, verb, first, at, evidence, caution(f.Hypothesis, "correlation"))
	}
	return f, nil
}

// skewed returns the sample that is no fit for a correlation of values, nil if
// both are.
func skewed(samples ...sample) *sample {
	for i := range samples {
		if samples[i].hasFar {
			return &samples[i]
		}
	}
	var worst *sample
	for i := range samples {
		if s := &samples[i]; math.Abs(s.skew) > strongSkew && (worst == nil || math.Abs(s.skew) > math.Abs(worst.skew)) {
			worst = s
		}
	}
	return worst
}

// mostDistances bounds the rows of a distance correlation, whose time goes with
// their square: more are thinned out evenly.
const mostDistances = 500

func bent(x, y []float64) (stats.Result, bool) {
	step := (len(x) + mostDistances - 1) / mostDistances
	var a, b []float64
	for i := 0; i < len(x); i += step {
		a, b = append(a, x[i]), append(b, y[i])
	}
	r, err := stats.DistanceCorrelation(a, b)
	return r, err == nil
}
