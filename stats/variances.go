package stats

import (
	"fmt"
	"math"
	"slices"
)

// VarianceF tests whether the variances of two samples differ. It assumes
// normal values and is misled by any others, which no number of values mends;
// [Levene] is not.
//
// The statistic, and the estimate, is the variance of a over that of b, with
// the interval of the population's ratio. It returns ErrTooFew below two
// values, ErrValue for NaN or an infinity, ErrConstant if a sample does not vary.
//
// Method: Fisher, Proc. International Congress of Mathematics, Toronto 1924.
func VarianceF(a, b []float64, ask Ask) (Result, error) {
	if err := checkTwo(a, b, 2, true); err != nil {
		return Result{}, err
	}
	level, err := ask.level()
	if err != nil {
		return Result{}, err
	}
	a, b = scaled(a, b)
	_, varA := meanVar(a)
	_, varB := meanVar(b)
	if !(varA > 0 && varB > 0) {
		return Result{}, fmt.Errorf("a sample does not vary: %w", ErrConstant)
	}
	f, df1, df2 := varA/varB, float64(len(a)-1), float64(len(b)-1)
	if !(f > 0) || math.IsInf(f, 0) {
		return Result{}, fmt.Errorf("the ratio of the variances exceeds float64: %w", ErrValue)
	}
	// quantile is the value that F exceeds with probability share.
	quantile := func(share float64) float64 {
		return math.Exp(crossing(-700, 700, func(u float64) float64 { return share - fTail(math.Exp(u), df1, df2) }))
	}
	share := ask.share(level)
	low, high := ask.open(f/quantile(share), f/quantile(1-share), 0, math.Inf(1))
	return Result{
		Test: "F-test of variances", Statistic: f, DF: df1, DF2: df2,
		P:        ask.p(fBelow(f, df1, df2), fTail(f, df1, df2)),
		Estimate: f, Low: low, High: high, N: len(a) + len(b),
	}, nil
}

// Center is the middle from which [Levene] measures.
type Center int

const (
	Median  Center = iota // for any distribution; Brown and Forsythe
	Mean                  // for symmetric ones without long tails; Levene
	Trimmed               // mean without 5% at each end; for long tails
)

// Levene tests whether the variances of two or more groups differ, by an F-test
// of the distances from each group's center. With the median it holds its level
// for almost any distribution.
//
// Each group has two or more finite values (ErrTooFew, ErrValue). ErrConstant
// if the distances do not vary.
//
// Method: Levene, Contributions to Probability and Statistics, 1960; Brown and
// Forsythe, J. American Statistical Association 69, 1974.
func Levene(groups [][]float64, center Center) (Result, error) {
	n, err := checkSamples(groups, 2)
	if err != nil {
		return Result{}, err
	}
	groups = scaledGroups(groups)
	distances := make([][]float64, len(groups))
	for i, x := range groups {
		sorted := slices.Clone(x)
		slices.Sort(sorted)
		var middle float64
		switch center {
		case Mean:
			middle, _ = meanVar(x)
		case Trimmed:
			cut := int(0.05 * float64(len(x)))
			middle, _ = meanVar(sorted[cut : len(x)-cut])
		default:
			middle = sortedQuantile(sorted, 0.5)
		}
		distances[i] = make([]float64, len(x))
		for j, v := range x {
			distances[i][j] = math.Abs(v - middle)
		}
	}
	between, within := splitSquares(distances)
	if !(within > 0) {
		return Result{}, fmt.Errorf("the distances from the center do not vary: %w", ErrConstant)
	}
	df1, df2 := float64(len(groups)-1), float64(n-len(groups))
	f := between / df1 / (within / df2)
	return Result{Test: "Levene's test", Statistic: f, DF: df1, DF2: df2, P: fTail(f, df1, df2), N: n}, nil
}

// Bartlett tests whether the variances of two or more groups differ, assuming
// normal values; any others mislead it ([Levene] they do not). The statistic is
// chi-squared with one degree of freedom less than there are groups.
//
// Each group has two or more finite values (ErrTooFew, ErrValue) and varies
// (ErrConstant).
//
// Method: Bartlett, Proc. Royal Society A 160, 1937.
func Bartlett(groups [][]float64) (Result, error) {
	n, err := checkSamples(groups, 2)
	if err != nil {
		return Result{}, err
	}
	groups = scaledGroups(groups)
	k := float64(len(groups))
	var pooled, logs, inverse float64
	for i, x := range groups {
		_, v := meanVar(x)
		if !(v > 0) {
			return Result{}, fmt.Errorf("group %d does not vary: %w", i+1, ErrConstant)
		}
		df := float64(len(x) - 1)
		pooled += df * v
		logs += df * math.Log(v)
		inverse += 1 / df
	}
	df := float64(n) - k
	stat := df*math.Log(pooled/df) - logs
	stat = math.Max(0, stat/(1+(inverse-1/df)/(3*(k-1))))
	return Result{Test: "Bartlett's test", Statistic: stat, DF: k - 1, P: ChiSquaredPValue(stat, k-1), N: n}, nil
}

// Fligner tests whether the variances of two or more groups differ, from normal
// scores of the ranks of the distances from each group's median: the least
// dependent on the shape of the distribution. The statistic is chi-squared with
// one degree of freedom less than there are groups.
//
// Each group has two or more finite values (ErrTooFew, ErrValue). ErrConstant
// if all distances are equal.
//
// Method: Fligner and Killeen, J. American Statistical Association 71, 1976, in
// the form of Conover, Johnson and Johnson, Technometrics 23, 1981.
func Fligner(groups [][]float64) (Result, error) {
	n, err := checkSamples(groups, 2)
	if err != nil {
		return Result{}, err
	}
	groups = scaledGroups(groups)
	var distances []float64
	for _, x := range groups {
		sorted := slices.Clone(x)
		slices.Sort(sorted)
		middle := sortedQuantile(sorted, 0.5)
		for _, v := range x {
			distances = append(distances, math.Abs(v-middle))
		}
	}
	scores, _ := midRanks(distances)
	for i, rank := range scores {
		scores[i] = normalQuantile(0.5 - rank/(2*float64(n+1)))
	}
	mean, variance := meanVar(scores)
	if !(variance > 0) {
		return Result{}, fmt.Errorf("all distances from the medians are equal: %w", ErrConstant)
	}
	stat, at := 0.0, 0
	for _, x := range groups {
		sum := 0.0
		for range x {
			sum += scores[at]
			at++
		}
		d := sum/float64(len(x)) - mean
		stat += float64(len(x)) * d * d
	}
	stat /= variance
	df := float64(len(groups) - 1)
	return Result{Test: "Fligner-Killeen test", Statistic: stat, DF: df, P: ChiSquaredPValue(stat, df), N: n}, nil
}

// scaledGroups is scaled for any number of groups.
func scaledGroups(groups [][]float64) [][]float64 {
	rest, _ := scaled(slices.Concat(groups...), nil)
	out := make([][]float64, len(groups))
	for i, x := range groups {
		out[i], rest = rest[:len(x)], rest[len(x):]
	}
	return out
}

// splitSquares splits the squares about the common mean into those between the
// groups' means and those within the groups.
func splitSquares(groups [][]float64) (between, within float64) {
	var total, n float64
	for _, x := range groups {
		for _, v := range x {
			total += v
		}
		n += float64(len(x))
	}
	grand := total / n
	for _, x := range groups {
		mean := x[0]
		if len(x) > 1 {
			var variance float64
			mean, variance = meanVar(x)
			within += variance * float64(len(x)-1)
		}
		between += float64(len(x)) * (mean - grand) * (mean - grand)
	}
	return between, within
}

// checkSamples checks two or more groups of at least least finite values and
// returns the number of all values.
func checkSamples(groups [][]float64, least int) (n int, err error) {
	if len(groups) < 2 {
		return 0, fmt.Errorf("%d of at least 2 groups: %w", len(groups), ErrTooFew)
	}
	for i, x := range groups {
		if err := checkSample(fmt.Sprint(i+1), x, least, true); err != nil {
			return 0, err
		}
		n += len(x)
	}
	return n, nil
}
