package monitor

import (
	"fmt"
	"math"
	"strings"

	"github.com/tandem-ml/tandem/data"
)

// list joins names: "a", "a and b", "a, b and c"; more than five are counted.
func list(names []string) string {
	const most = 5
	if len(names) > most {
		names = append(names[:most:most], fmt.Sprintf("%d more", len(names)-most))
	}
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// sentence says what changed in a column that drifted.
func sentence(c *ColumnReport, base, now *data.ColumnProfile) string {
	p := "corrected p " + pText(c.PCorrected)
	if c.byMissing {
		return fmt.Sprintf("%s drifted: %.1f%% are missing against %.1f%% in the baseline (%s).",
			c.Name, 100*c.MissingNow, 100*c.MissingBase, p)
	}
	effect := fmt.Sprintf("%s distance %.2f, %s", c.EffectName, c.Effect, p)
	if c.Kind == data.Number {
		return fmt.Sprintf("%s drifted: median %s against %s, mean %s against %s in the baseline (%s).", c.Name,
			short(median(now)), short(median(base)), short(now.Mean), short(base.Mean), effect)
	}
	value, before, after := largestShift(base, now)
	return fmt.Sprintf("%s drifted: %q is %.1f%% of the values against %.1f%% in the baseline (%s).",
		c.Name, value, 100*after, 100*before, effect)
}

func median(c *data.ColumnProfile) float64 {
	if c.Finite() == 0 {
		return 0
	}
	return c.Sketch.Quantile(0.5)
}

// largestShift returns the category whose share changed most, ties by its
// place in the baseline and then in the window.
func largestShift(base, now *data.ColumnProfile) (value string, before, after float64) {
	share := func(c *data.ColumnProfile) map[string]float64 {
		out := make(map[string]float64, len(c.Top))
		for _, v := range c.Top {
			out[v.Value] = float64(v.Count) / float64(c.Count)
		}
		return out
	}
	b, n := share(base), share(now)
	largest := -1.0
	for _, c := range [...]*data.ColumnProfile{base, now} {
		for _, v := range c.Top {
			if d := math.Abs(n[v.Value] - b[v.Value]); d > largest {
				largest, value = d, v.Value
			}
		}
	}
	return value, b[value], n[value]
}

// short writes a number with four digits.
func short(x float64) string { return fmt.Sprintf("%.4g", x) }

func pText(p float64) string {
	if p < 0.001 {
		return "< 0.001"
	}
	return fmt.Sprintf("%.3f", p)
}
