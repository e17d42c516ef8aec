package hypothesis

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
)

// What an effect must be to be worth a second look, and to matter: the field's
// conventions for small and medium effects (Cohen, Statistical Power Analysis for
// the Behavioral Sciences, 1988). Correlations and V share a scale. Of ratios it is
// their logarithm that is meant.
func worth(effectName string) (small, medium float64) {
	switch effectName {
	case "Hedges' g", "Cohen's d", "Cohen's d_z", "change in standard deviations":
		return 0.2, 0.5
	case "omega squared", "epsilon squared", "partial eta squared":
		return 0.01, 0.06
	case "hazard ratio", "ratio of mean deviations":
		return math.Log(1.2), math.Log(1.6)
	case "difference of shares":
		return 0.05, 0.15
	case "skewness":
		return 0.5, 1
	}
	return 0.1, 0.3
}

// size is how large an effect is on the scale of worth.
func size(name string, effect float64) float64 {
	if name == "hazard ratio" || name == "ratio of mean deviations" {
		return math.Abs(math.Log(effect))
	}
	return math.Abs(effect)
}

// caution warns of what is significant only because there are many rows.
func caution(h bundle.Hypothesis, what string) string {
	if small, _ := worth(h.EffectName); size(h.EffectName, h.Effect) < small {
		return fmt.Sprintf(" With %d rows even a %s as small as this one shows.", h.Rows, what)
	}
	return ""
}

// doubt says when too few rows are the reason for finding nothing.
func doubt(h bundle.Hypothesis, what string) string {
	if _, medium := worth(h.EffectName); math.Max(size(h.EffectName, h.EffectLow), size(h.EffectName, h.EffectHigh)) > medium {
		return fmt.Sprintf(" With %d rows a considerable %s cannot be ruled out.", h.Rows, what)
	}
	return ""
}

// evidence is the bracket of most sentences: effect, interval, corrected p.
func evidence(h bundle.Hypothesis) string {
	return fmt.Sprintf("(%s %s, 95%% interval %s to %s, corrected p %s)",
		h.EffectName, hundredths(h.Effect), hundredths(h.EffectLow), hundredths(h.EffectHigh), pValue(h.PCorrected))
}

func pValue(p float64) string {
	switch {
	case p < 0.001:
		return "< 0.001"
	case p < alpha && p >= 0.0495: // three digits would show it as 0.050
		return fmt.Sprintf("= %.4f", p)
	}
	return fmt.Sprintf("= %.3f", p)
}

// hundredths is two decimals, without a minus sign before zero.
func hundredths(v float64) string {
	s := strconv.FormatFloat(v, 'f', 2, 64)
	if s == "-0.00" {
		return "0.00"
	}
	return s
}

// short is a number with four significant digits, or all of its whole part.
func short(v float64) string {
	if math.Abs(v) >= 1000 {
		return data.FormatNumber(math.Round(v))
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
	if err != nil {
		return data.FormatNumber(v)
	}
	return data.FormatNumber(rounded)
}

// percent is a share in whole percent, or one decimal below 10%.
func percent(share float64) string {
	if share > 0 && share < 0.0995 {
		return strconv.FormatFloat(100*share, 'f', 1, 64) + "%"
	}
	return strconv.FormatFloat(100*share, 'f', 0, 64) + "%"
}

func leftOut(rows int, columns ...string) string {
	names := columns[0]
	if len(columns) > 1 {
		names = strings.Join(columns[:len(columns)-1], ", ") + " or " + columns[len(columns)-1]
	}
	switch rows {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(" 1 row without %s is left out.", names)
	}
	return fmt.Sprintf(" %d rows without %s are left out.", rows, names)
}

// and joins names as a sentence does.
func and(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}
