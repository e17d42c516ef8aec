package hypothesis

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/stats"
)

// proportion tests whether a value's share of the rows is the one given.
func proportion(t *data.Table, name, value string, of float64) (finding, error) {
	c, err := column(t, name)
	if err != nil {
		return finding{}, err
	}
	most := 1 << 20
	if c.Kind == data.Number {
		most = mostLevels
	}
	l, err := levelsOf(c, most)
	if err != nil {
		return finding{}, err
	}
	at := levelAt(l.values, value)
	if at < 0 {
		err := fmt.Errorf("column %q has no value %q", name, value)
		if near := data.Nearest(value, l.values); near != "" {
			return finding{}, data.WithHint(err, "did you mean %q?", near)
		}
		return finding{}, data.WithHint(err, "its values are %s", listed(l.values))
	}
	k, n, left := 0, 0, 0
	for _, v := range l.of {
		switch {
		case v < 0:
			left++
		default:
			n++
			if v == at {
				k++
			}
		}
	}
	r, err := stats.Binomial(k, n, of, stats.Ask{})
	if err != nil {
		return finding{}, fmt.Errorf("column %q: %w", name, err)
	}
	f := finding{Hypothesis: bundle.Hypothesis{Test: "exact binomial test", Rows: n, Statistic: float64(k), P: r.P, EffectName: "difference of shares",
		Effect: r.Estimate - of, EffectLow: r.Wilson.Low - of, EffectHigh: r.Wilson.High - of}}
	f.estimate("share of rows", r.Estimate, r.Wilson.Low, r.Wilson.High)
	f.Why = fmt.Sprintf("The count is compared with that of %d independent draws; the p-value is exact, the interval Wilson's.", n) + leftOut(left, name)
	expected := float64(n) * math.Min(of, 1-of)
	f.check("rows expected of the rarer kind", short(expected), expected >= 5)
	f.reject("z-test of a proportion", "it is the limit of the exact one, which any table is small enough for")
	f.power = upToOne(func(e, rows float64) float64 {
		p := of + e
		if p >= 1 {
			if p = of - e; p <= 0 {
				return math.NaN()
			}
		}
		return shifted(math.Abs(stats.CohenH(p, of)) * math.Sqrt(float64(n)*rows))
	})
	f.say = func(significant bool, evidence string) string {
		if !significant {
			return fmt.Sprintf("%s is %s in %s of rows, which does not speak against %s %s.%s", name, l.values[at], percent(r.Estimate), percent(of), evidence, doubt(f.Hypothesis, "difference"))
		}
		side := "more"
		if r.Estimate < of {
			side = "less"
		}
		return fmt.Sprintf("%s is %s in %s of rows, %s than %s %s.%s", name, l.values[at], percent(r.Estimate), side, percent(of), evidence, caution(f.Hypothesis, "difference"))
	}
	return f, nil
}

// levelAt finds a value as written, or as a number, or but for case; -1 if none.
func levelAt(values []string, wanted string) int {
	if at := slices.Index(values, wanted); at >= 0 {
		return at
	}
	return slices.IndexFunc(values, func(v string) bool { return strings.EqualFold(v, wanted) || sameNumber(v, wanted) })
}

// positive finds which of two values says that something is so: -1 if neither
// does by its name.
func positive(values []string) int {
	return slices.IndexFunc(values, func(v string) bool {
		return slices.Contains([]string{"1", "yes", "y", "true", "t"}, strings.ToLower(v))
	})
}

func sameNumber(a, b string) bool {
	x, errX := parse(a)
	y, errY := parse(b)
	return errX == nil && errY == nil && x == y
}
