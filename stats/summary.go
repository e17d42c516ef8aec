package stats

import (
	"fmt"
	"math"
	"slices"
)

// Summary describes one column of numbers. What does not exist (the spread of
// one value, the skewness of a constant) is NaN.
type Summary struct {
	N, Missing       int // values used; NaNs left out
	Mean, SD         float64
	Min, Max         float64
	Quantiles        [7]float64 // at SummaryQuantiles
	IQR              float64    // 0.75 less 0.25 quantile
	MAD              float64    // median distance from the median, not scaled
	Skew             float64    // m3/m2^1.5, biased
	SkewAdjusted     float64    // the same corrected for the sample's size (G1)
	Kurtosis         float64    // excess, m4/m2^2 - 3, biased
	KurtosisAdjusted float64    // the same corrected (G2)
	TrimmedMean      float64    // mean without 10% at each end
	CV               float64    // SD over mean
	SEM              float64    // standard error of the mean
	Distinct, Zeros  int
	Outliers         int // beyond 1.5 IQR from the quartiles
}

// SummaryQuantiles are the shares of [Summary.Quantiles], of type 7 as
// [Quantile].
var SummaryQuantiles = [7]float64{0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99}

// Describe summarises x; NaN is a missing value, left out and counted. It
// returns ErrTooFew if no value is left and ErrValue for an infinity.
//
// Method: Joanes and Gill, The Statistician 47, 1998, for the corrected moments;
// Tukey, Exploratory Data Analysis, 1977, for the outliers.
func Describe(x []float64) (Summary, error) {
	values := make([]float64, 0, len(x))
	for _, v := range x {
		if !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	if err := checkSample("x", values, 1, true); err != nil {
		return Summary{}, err
	}
	slices.Sort(values)
	n, nan := float64(len(values)), math.NaN()
	s := Summary{
		N: len(values), Missing: len(x) - len(values), Min: values[0], Max: values[len(values)-1],
		Mean: values[0], SD: nan, Skew: nan, SkewAdjusted: nan, Kurtosis: nan, KurtosisAdjusted: nan, CV: nan, SEM: nan,
	}
	for i, q := range SummaryQuantiles {
		s.Quantiles[i] = sortedQuantile(values, q)
	}
	s.IQR = s.Quantiles[4] - s.Quantiles[2]
	distances := make([]float64, len(values))
	for i, v := range values {
		distances[i] = math.Abs(v - s.Quantiles[3])
		if i == 0 || v != values[i-1] {
			s.Distinct++
		}
		if v == 0 {
			s.Zeros++
		}
		if v < s.Quantiles[2]-1.5*s.IQR || v > s.Quantiles[4]+1.5*s.IQR {
			s.Outliers++
		}
	}
	slices.Sort(distances)
	s.MAD = sortedQuantile(distances, 0.5)
	cut := int(0.1 * n)
	s.TrimmedMean = values[0]
	if inner := values[cut : len(values)-cut]; len(inner) > 1 {
		s.TrimmedMean, _ = meanVar(inner)
	} else if len(inner) == 1 {
		s.TrimmedMean = inner[0]
	}
	if len(values) < 2 {
		return s, nil
	}
	var variance float64
	s.Mean, variance = meanVar(values)
	s.SD = math.Sqrt(variance)
	s.SEM = s.SD / math.Sqrt(n)
	if s.Mean != 0 {
		s.CV = s.SD / s.Mean
	}
	if variance > 0 {
		scaledValues, _ := scaled(values, nil)
		skew, kurtosis := moments(scaledValues)
		s.Skew, s.Kurtosis = skew, kurtosis-3
		if n > 2 {
			s.SkewAdjusted = skew * math.Sqrt(n*(n-1)) / (n - 2)
		}
		if n > 3 {
			s.KurtosisAdjusted = (n - 1) / ((n - 2) * (n - 3)) * ((n+1)*s.Kurtosis + 6)
		}
	}
	return s, nil
}

// Information is what two categories tell about each other, in nats; see
// [MutualInformation].
type Information struct {
	Mutual float64 // 0 if independent
	// RowEntropy and ColEntropy are the uncertainty about each alone.
	RowEntropy, ColEntropy float64
	// RowGivenCol is Theil's U of the rows given the columns, in [0, 1]: the share
	// of the rows' entropy that the columns remove. ColGivenRow is the reverse.
	RowGivenCol, ColGivenRow float64
}

// MutualInformation returns the mutual information of the rows and the columns
// of a table of counts, as they were seen: without a correction, it is positive
// by chance alone. The table is checked as at [ChiSquared], with its errors.
//
// Method: Shannon, Bell System Technical J. 27, 1948; Theil, American J.
// Sociology 76, 1970.
func MutualInformation(table [][]float64) (Information, error) {
	if _, err := Expected(table); err != nil {
		return Information{}, err
	}
	rows, cols, n := make([]float64, len(table)), make([]float64, len(table[0])), 0.0
	for i, row := range table {
		for j, v := range row {
			rows[i] += v
			cols[j] += v
			n += v
		}
	}
	var r Information
	for i, row := range table {
		for j, v := range row {
			if v > 0 {
				r.Mutual += v / n * math.Log(v/rows[i]*(n/cols[j]))
			}
		}
	}
	r.Mutual = math.Max(0, r.Mutual)
	r.RowEntropy, r.ColEntropy = entropy(rows, n), entropy(cols, n)
	r.RowGivenCol, r.ColGivenRow = math.Min(1, r.Mutual/r.RowEntropy), math.Min(1, r.Mutual/r.ColEntropy)
	return r, nil
}

func entropy(counts []float64, n float64) float64 {
	h := 0.0
	for _, c := range counts {
		if c > 0 {
			h -= c / n * math.Log(c/n)
		}
	}
	return h
}

// CorrelationRatio returns eta in [0, 1]: the square root of the share of the
// variance of a number that a category explains, its values being given group
// by group. Groups are not empty and there are two or more (ErrTooFew), the
// values finite (ErrValue) and not all equal (ErrConstant).
//
// Method: Pearson, Drapers' Company Research Memoirs 2, 1905.
func CorrelationRatio(groups [][]float64) (float64, error) {
	if _, err := checkSamples(groups, 1); err != nil {
		return 0, err
	}
	between, within := splitSquares(scaledGroups(groups))
	if !(between+within > 0) {
		return 0, fmt.Errorf("all groups hold one value only: %w", ErrConstant)
	}
	return math.Sqrt(between / (between + within)), nil
}
