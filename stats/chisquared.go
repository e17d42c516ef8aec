package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
)

// ChiSquared tests whether the rows and the columns of a table of counts are
// independent, without a continuity correction.
//
// table[i][j] is how often row category i came with column category j: finite,
// not negative, at least two rows and two columns of equal length, none of them
// all zero (leave such a category out). The statistic has (r-1)(c-1) degrees of
// freedom. The effect is Cramer's V in [0, 1]; its interval inverts the
// noncentral chi-squared distribution and is widened, if need be, to hold V. The
// p-value is unreliable if many expected counts are below 5; see [Expected].
//
// It returns ErrTooFew if a row or column is missing or all zero, and ErrValue
// if a count cannot be one.
//
// Method: Pearson, Philosophical Magazine 50, 1900; Smithson, Confidence
// Intervals, 2003, for the interval.
func ChiSquared(table [][]float64) (Result, error) {
	return chiSquared(table, 0)
}

// ChiSquaredYates is [ChiSquared] with the continuity correction of Yates
// (J. Royal Statistical Society Supplement 1, 1934) for tables of two rows and
// two columns; any other table is an error. The effect is that of the
// uncorrected statistic.
func ChiSquaredYates(table [][]float64) (Result, error) {
	if len(table) != 2 || len(table[0]) != 2 {
		return Result{}, fmt.Errorf("the correction of Yates is for tables of two rows and two columns")
	}
	return chiSquared(table, 0.5)
}

// chiSquared moves every count towards its expectation by at most correction.
func chiSquared(table [][]float64, correction float64) (Result, error) {
	expected, err := Expected(table)
	if err != nil {
		return Result{}, err
	}
	var stat, plain, n float64
	for i, row := range table {
		for j, count := range row {
			e := expected[i][j]
			d := math.Abs(count - e)
			plain += d * d / e
			d -= math.Min(d, correction)
			stat += d * d / e
			n += count
		}
	}
	rows, cols := float64(len(table)), float64(len(table[0]))
	df := (rows - 1) * (cols - 1)
	most := n * math.Min(rows-1, cols-1) // the statistic of a perfect association
	v := math.Min(1, math.Sqrt(plain/most))
	low, high := noncentrality(plain, df)
	return Result{
		Test: "chi-squared", Statistic: stat, DF: df, P: ChiSquaredPValue(stat, df),
		Effect: v, EffectName: "Cramer's V",
		EffectLow:  math.Min(v, math.Sqrt(low/most)),
		EffectHigh: math.Max(v, math.Min(1, math.Sqrt(high/most))),
		N:          int(math.Round(n)),
	}, nil
}

// Expected returns the counts that independence of rows and columns expects:
// row sum times column sum over the total. It checks the table as described at
// [ChiSquared] and returns the same errors.
func Expected(table [][]float64) ([][]float64, error) {
	if len(table) < 2 || len(table[0]) < 2 {
		return nil, fmt.Errorf("a table of counts needs two rows and two columns: %w", ErrTooFew)
	}
	rowSum, colSum := make([]float64, len(table)), make([]float64, len(table[0]))
	var n float64
	for i, row := range table {
		if len(row) != len(colSum) {
			return nil, fmt.Errorf("row %d has %d counts, row 1 has %d", i+1, len(row), len(colSum))
		}
		for j, count := range row {
			if !(count >= 0) || math.IsInf(count, 0) {
				return nil, fmt.Errorf("row %d, column %d: the count is %v: %w", i+1, j+1, count, ErrValue)
			}
			rowSum[i] += count
			colSum[j] += count
			n += count
		}
	}
	if n > 1<<53 {
		return nil, fmt.Errorf("the counts sum to %v, more than can be counted: %w", n, ErrValue)
	}
	for i, s := range rowSum {
		if s == 0 {
			return nil, fmt.Errorf("row %d counts nothing: %w", i+1, ErrTooFew)
		}
	}
	for j, s := range colSum {
		if s == 0 {
			return nil, fmt.Errorf("column %d counts nothing: %w", j+1, ErrTooFew)
		}
	}
	expected := make([][]float64, len(table))
	for i := range table {
		expected[i] = make([]float64, len(colSum))
		for j := range colSum {
			if expected[i][j] = rowSum[i] / n * colSum[j]; expected[i][j] == 0 {
				return nil, fmt.Errorf("row %d, column %d: the expected count is too small: %w", i+1, j+1, ErrValue)
			}
		}
	}
	return expected, nil
}

// ChiSquaredPValue returns the probability that a chi-squared variable with df
// degrees of freedom is at least stat. Neither may be NaN. Without a degree of
// freedom the variable is always 0, so the probability of 0 is 1.
func ChiSquaredPValue(stat, df float64) float64 {
	switch {
	case stat <= 0:
		return 1
	case df <= 0 || math.IsInf(stat, 1):
		return 0
	}
	return mathext.GammaIncRegComp(df/2, stat/2)
}

// noncentrality returns the 95% interval of the noncentrality parameter of a
// chi-squared variable seen once, at stat: the parameters under which stat is
// the 0.975 and the 0.025 quantile, or 0 if even 0 is too large.
func noncentrality(stat, df float64) (low, high float64) {
	if stat > 1e4 && stat > 100*df {
		// The square root is then normal with standard deviation 1 to four digits.
		root := math.Sqrt(stat - df)
		return (root - z95) * (root - z95), (root + z95) * (root + z95)
	}
	bound := func(prob float64) float64 {
		// The distribution function falls as the parameter grows; at 0 it is central.
		if 1-ChiSquaredPValue(stat, df) <= prob {
			return 0
		}
		inside, outside := 0.0, stat+1
		for noncentralCDF(stat, df, outside) > prob {
			outside *= 2
		}
		for outside-inside > 1e-10*outside {
			middle := (inside + outside) / 2
			if noncentralCDF(stat, df, middle) > prob {
				inside = middle
			} else {
				outside = middle
			}
		}
		return inside
	}
	return bound(0.975), bound(0.025)
}

// noncentralCDF is P(X <= x) of the noncentral chi-squared distribution, lambda
// above 0: the central ones with df + 2j degrees of freedom, weighed by the
// Poisson probabilities of j with mean lambda/2. The sum starts at the largest
// weight and goes both ways until weights no longer count. From one central
// distribution to the next it takes P(a+1, x) = P(a, x) - x^a e^-x / gamma(a+1).
func noncentralCDF(x, df, lambda float64) float64 {
	if x <= 0 {
		return 0
	}
	mean, half := lambda/2, x/2
	mode := math.Floor(mean)
	poisson := func(k, mean float64) float64 { // e^-mean mean^k / gamma(k+1), k not whole as well
		logGamma, _ := math.Lgamma(k + 1)
		return math.Exp(k*math.Log(mean) - mean - logGamma)
	}
	weight := poisson(mode, mean)
	a := df/2 + mode
	central, step := mathext.GammaIncReg(a, half), poisson(a, half)

	sum := 0.0
	w, c, s := weight, central, step
	for j := 0.0; w > 1e-16; j++ {
		sum += w * c
		c -= s
		s *= half / (a + j + 1)
		w *= mean / (mode + j + 1)
	}
	w, c, s = weight, central, step
	for j := 0.0; j < mode; j++ {
		s *= (a - j) / half
		c += s
		if w *= (mode - j) / mean; w < 1e-16 {
			break
		}
		sum += w * c
	}
	return sum
}
