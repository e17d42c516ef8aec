package hypothesis

import (
	"fmt"
	"math"
	"strconv"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/stats"
)

// What an effect must be to be worth a second look, and to matter: the field's
// conventions for small and medium effects (Cohen, Statistical Power Analysis for
// the Behavioral Sciences, 1988). Correlations and V share a scale.
func worth(effectName string) (small, medium float64) {
	if effectName == "Hedges' g" {
		return 0.2, 0.5
	}
	return 0.1, 0.3
}

// caution warns of what is significant only because there are many rows.
func caution(r stats.Result, what string) string {
	if small, _ := worth(r.EffectName); math.Abs(r.Effect) < small {
		return fmt.Sprintf(" With %d rows even a %s as small as this one shows.", r.N, what)
	}
	return ""
}

// doubt says when too few rows are the reason for finding nothing.
func doubt(r stats.Result, what string) string {
	if _, medium := worth(r.EffectName); math.Max(math.Abs(r.EffectLow), math.Abs(r.EffectHigh)) > medium {
		return fmt.Sprintf(" With %d rows a considerable %s cannot be ruled out.", r.N, what)
	}
	return ""
}

// evidence is the bracket of every sentence: effect, interval, corrected p.
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

func leftOut(rows int, a, b string) string {
	switch rows {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(" 1 row without %s or %s is left out.", a, b)
	}
	return fmt.Sprintf(" %d rows without %s or %s are left out.", rows, a, b)
}
