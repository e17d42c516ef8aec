package hypothesis

import (
	"fmt"
	"math"
	"strconv"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/stats"
)

// wanted is the power that plans are made for.
const wanted = 0.8

// rankEfficiency is how many rows a test of means needs for each that a test of
// ranks does, if values are normal: 3/pi (Hodges and Lehmann, Annals of
// Mathematical Statistics 27, 1956). Otherwise ranks need fewer.
const rankEfficiency = 3 / math.Pi

// plan finds what the rows could show, and what the effect seen would take.
func (f *finding) plan() {
	if f.power == nil {
		return
	}
	f.Detectable = least(func(e float64) float64 { return f.power(e, 1) }, 1e9)
	if f.Effect != 0 {
		f.RowsNeeded = math.Ceil(least(func(rows float64) float64 { return f.power(math.Abs(f.Effect), rows/float64(f.Rows)) }, 1e12))
	}
}

// least returns the smallest v for which the power is the one wanted, to three
// digits, or 0 if none up to most has it. NaN is no power. [stats.SampleSize]
// finds it to twelve, at four times the cost.
func least(power func(v float64) float64, most float64) float64 {
	enough := func(v float64) bool { return power(v) >= wanted }
	low, high := 0.0, 1.0
	for !enough(high) {
		if low, high = high, 2*high; high > most {
			return 0
		}
	}
	for high-low > 1e-4*high {
		if middle := (low + high) / 2; enough(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(high, 'g', 3, 64), 64)
	if err != nil {
		return high
	}
	return rounded
}

// powerMeans is the power of a two-sided t-test of two groups: from some hundred
// rows on it is the normal one to three digits.
func powerMeans(effect, n, ratio float64) float64 {
	if n > 100 && n*ratio > 100 {
		return shifted(effect * math.Sqrt(n*ratio/(1+ratio)))
	}
	return stats.PowerTwoSampleT(effect, n, ratio, alpha, stats.TwoSided)
}

// powerChange is the same for pairs.
func powerChange(effect, n float64) float64 {
	if n > 200 {
		return shifted(effect * math.Sqrt(n))
	}
	return stats.PowerPairedT(effect, n, alpha, stats.TwoSided)
}

// powerShare is the power of an F-test of k groups for the share of variance
// between them. The sums behind it are long where it is 1 anyway.
func powerShare(share, n float64, k int) float64 {
	f2 := share / (1 - share)
	if f2*n > 1000+100*float64(k) {
		return 1
	}
	return stats.PowerAnova(math.Sqrt(f2), n, k, alpha)
}

// changes says what would change the answer.
func (f *finding) changes() []string {
	var out []string
	significant := f.PCorrected < alpha
	if f.P < alpha && !significant {
		out = append(out, fmt.Sprintf("Asked alone, the question would have p %s: that %d were asked is what makes it no finding.", pValue(f.P), f.Family))
	}
	if f.sibling.Test != "" {
		same := (f.P < alpha) == (f.sibling.P < alpha)
		said := "the answer does not hang on the choice of the test"
		if !same {
			said = "the answer hangs on the choice of the test, so take it with care"
		}
		out = append(out, fmt.Sprintf("%s would give p %s against %s, both before correction: %s.", f.sibling.Test, pValue(f.sibling.P), pValue(f.P), said))
	}
	if f.Detectable > 0 {
		said := fmt.Sprintf("These %d rows show an effect of %s (%s) or more with a probability of 80%%", f.Rows, short(f.Detectable), f.EffectName)
		if !significant && f.RowsNeeded > float64(f.Rows) {
			said += fmt.Sprintf("; to show one as small as seen takes some %s", roundedUp(f.RowsNeeded))
		}
		out = append(out, said+".")
	}
	return append(out, f.notes...)
}

// roundedUp is a number of rows with two significant digits.
func roundedUp(v float64) string {
	unit := math.Pow(10, math.Max(0, math.Floor(math.Log10(v))-1))
	return short(math.Ceil(v/unit) * unit)
}

// shifted is the power of a two-sided normal test of a statistic that the effect
// moves by shift standard errors.
func shifted(shift float64) float64 {
	const z = 1.959963984540054
	tail := func(z float64) float64 { return math.Erfc(z/math.Sqrt2) / 2 }
	return tail(z-shift) + tail(z+shift)
}

// upToOne is the power of an effect that is at most 1: beyond there is none.
func upToOne(power func(effect, rows float64) float64) func(effect, rows float64) float64 {
	return func(effect, rows float64) float64 {
		if effect > 1 {
			return math.NaN()
		}
		return power(math.Min(effect, 1-1e-9), rows)
	}
}

// check notes an assumption.
func (f *finding) check(name, found string, holds bool) {
	f.Checks = append(f.Checks, bundle.Assumption{Name: name, Found: found, Holds: holds})
}

// reject notes a test that was not taken.
func (f *finding) reject(test, why string) {
	f.NotTaken = append(f.NotTaken, bundle.Alternative{Test: test, Why: why})
}

// try runs a test that was not taken, as the sibling of the one that was. Where it
// cannot be run, only the reason is noted.
func (f *finding) try(why string, r stats.Result, err error) {
	if err != nil || math.IsNaN(r.P) {
		return
	}
	p := r.P
	f.NotTaken = append(f.NotTaken, bundle.Alternative{Test: r.Test, Why: why, P: &p})
	f.sibling = r
}

// estimate notes a quantity in the units of the data, unless it is not finite.
func (f *finding) estimate(name string, value, low, high float64) {
	for _, v := range [3]float64{value, low, high} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return
		}
	}
	f.Estimates = append(f.Estimates, bundle.Estimate{Name: name, Value: value, Low: low, High: high})
}
