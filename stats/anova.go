package stats

import (
	"fmt"
	"math"
	"slices"
)

// ANOVA is one F-test of an analysis of variance.
type ANOVA struct {
	Test      string
	SumSq     float64 // of the effect; 0 in Welch's, which has none
	F         float64
	DF, DFErr float64 // of the effect and of the error
	P         float64
	// EtaSquared is the share of the variance that the effect explains, partial
	// (of what the other effects leave) where there are several; OmegaSquared
	// corrects it for chance and can be slightly negative. Both are 0 in Welch's.
	EtaSquared, OmegaSquared float64
	N                        int
}

// OneWayANOVA tests whether several groups have one mean, assuming normal values
// of one variance; where the variances differ use [WelchANOVA].
//
// There are two or more groups, none empty, with more values than groups
// (ErrTooFew); NaN or an infinity is ErrValue; ErrConstant if no value differs.
// If values differ between groups only, F is infinite and P is 0.
//
// Method: Fisher, Statistical Methods for Research Workers, 1925; omega squared:
// Hays, Statistics, 1963.
func OneWayANOVA(groups [][]float64) (ANOVA, error) {
	n, err := checkGroups(groups, 1)
	if err != nil {
		return ANOVA{}, err
	}
	k := len(groups)
	if n <= k {
		return ANOVA{}, fmt.Errorf("%d values in %d groups: %w", n, k, ErrTooFew)
	}
	between, within, varies := sumsOfSquares(groups)
	if !varies {
		return ANOVA{}, fmt.Errorf("no value differs: %w", ErrConstant)
	}
	r := ANOVA{Test: "one-way ANOVA", SumSq: between, DF: float64(k - 1), DFErr: float64(n - k), N: n}
	noise := within / r.DFErr
	r.F = between / r.DF / noise
	r.P = tailOfF(r.F, r.DF, r.DFErr)
	r.EtaSquared = between / (between + within)
	r.OmegaSquared = (between - r.DF*noise) / (between + within + noise)
	return r, nil
}

// WelchANOVA tests whether several groups have one mean without assuming equal
// variances. With two groups it is Welch's t-test, F being t squared.
//
// There are two or more groups of two or more values (ErrTooFew), finite
// (ErrValue), each group varying (ErrConstant).
//
// Method: Welch, Biometrika 38, 1951.
func WelchANOVA(groups [][]float64) (ANOVA, error) {
	n, err := checkGroups(groups, 2)
	if err != nil {
		return ANOVA{}, err
	}
	k := float64(len(groups))
	mean, weight := make([]float64, len(groups)), make([]float64, len(groups))
	var sum, grand float64
	for g, x := range groups {
		m, v := meanVar(x)
		if v == 0 {
			return ANOVA{}, fmt.Errorf("group %d does not vary: %w", g+1, ErrConstant)
		}
		mean[g], weight[g] = m, float64(len(x))/v
		sum += weight[g]
		grand += weight[g] * m
	}
	grand /= sum
	var between, lambda float64
	for g, x := range groups {
		d, share := mean[g]-grand, 1-weight[g]/sum
		between += weight[g] * d * d / (k - 1)
		lambda += share * share / float64(len(x)-1)
	}
	r := ANOVA{Test: "Welch's ANOVA", DF: k - 1, DFErr: (k*k - 1) / (3 * lambda), N: n}
	r.F = between / (1 + 2*(k-2)/(k*k-1)*lambda)
	r.P = tailOfF(r.F, r.DF, r.DFErr)
	return r, nil
}

// TwoWay is an analysis of variance with two factors and their interaction.
type TwoWay struct {
	A, B, AB      ANOVA
	ErrorSumSq    float64
	LevelsA       []string // sorted
	LevelsB       []string
	SmallestGroup int // rows of the smallest combination of levels
}

// TwoWayANOVA tests two factors and their interaction on y with sums of squares
// of type II: each factor beyond the other, and the interaction beyond both.
// The combinations need not have equal sizes. Values are normal of one variance.
//
// a and b name the level of each row; each has two or more, every combination of
// them occurs, and some occurs twice (ErrTooFew otherwise). y is finite
// (ErrValue); ErrConstant if it does not vary within any combination.
//
// Method: Yates, J. American Statistical Association 29, 1934; type II as in
// Langsrud, Statistics and Computing 13, 2003.
func TwoWayANOVA(y []float64, a, b []string) (TwoWay, error) {
	if len(a) != len(y) || len(b) != len(y) {
		return TwoWay{}, fmt.Errorf("%d values, %d and %d levels: %w", len(y), len(a), len(b), ErrValue)
	}
	if err := checkModest("y", y, 1); err != nil {
		return TwoWay{}, err
	}
	levelsA, codeA := levels(a)
	levelsB, codeB := levels(b)
	na, nb := len(levelsA), len(levelsB)
	switch {
	case na < 2 || nb < 2:
		return TwoWay{}, fmt.Errorf("factors of %d and %d levels, which take two each: %w", na, nb, ErrTooFew)
	case na+nb > 1000:
		return TwoWay{}, fmt.Errorf("%d levels, more than 1000: %w", na+nb, ErrValue)
	}
	byA, byB, cells := make([][]float64, na), make([][]float64, nb), make([][]float64, na*nb)
	columns := make([][]float64, na+nb-1)
	for j := range columns {
		columns[j] = make([]float64, len(y))
	}
	for i, v := range y {
		byA[codeA[i]] = append(byA[codeA[i]], v)
		byB[codeB[i]] = append(byB[codeB[i]], v)
		cell := codeA[i]*nb + codeB[i]
		cells[cell] = append(cells[cell], v)
		columns[0][i] = 1
		if codeA[i] > 0 {
			columns[codeA[i]][i] = 1
		}
		if codeB[i] > 0 {
			columns[na-1+codeB[i]][i] = 1
		}
	}
	t := TwoWay{LevelsA: levelsA, LevelsB: levelsB, SmallestGroup: len(y)}
	for cell, x := range cells {
		if len(x) == 0 {
			return TwoWay{}, fmt.Errorf("no row with %q and %q: %w", levelsA[cell/nb], levelsB[cell%nb], ErrTooFew)
		}
		t.SmallestGroup = min(t.SmallestGroup, len(x))
	}
	dfErr := float64(len(y) - na*nb)
	if dfErr == 0 {
		return TwoWay{}, fmt.Errorf("one row for each combination leaves none to measure the error: %w", ErrTooFew)
	}
	design, err := factor(columns)
	if err != nil {
		return TwoWay{}, err
	}
	_, _, both := design.solve(y)
	_, onlyA, _ := sumsOfSquares(byA)
	_, onlyB, _ := sumsOfSquares(byB)
	_, full, _ := sumsOfSquares(cells)
	if full == 0 {
		return TwoWay{}, fmt.Errorf("y does not vary within any combination: %w", ErrConstant)
	}
	t.ErrorSumSq = full
	effect := func(name string, sum float64, df int) ANOVA {
		sum = math.Max(0, sum)
		r := ANOVA{Test: "two-way ANOVA, " + name, SumSq: sum, DF: float64(df), DFErr: dfErr, N: len(y)}
		noise := full / dfErr
		r.F = sum / r.DF / noise
		r.P = tailOfF(r.F, r.DF, dfErr)
		r.EtaSquared = sum / (sum + full)
		r.OmegaSquared = (sum - r.DF*noise) / (sum + float64(len(y)-df)*noise)
		return r
	}
	t.A = effect("first factor", onlyB-both, na-1)
	t.B = effect("second factor", onlyA-both, nb-1)
	t.AB = effect("interaction", both-full, (na-1)*(nb-1))
	return t, nil
}

// levels returns the distinct names, sorted, and the place of each row's.
func levels(names []string) (distinct []string, code []int) {
	distinct = slices.Clone(names)
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	code = make([]int, len(names))
	for i, name := range names {
		code[i], _ = slices.BinarySearch(distinct, name)
	}
	return distinct, code
}

// checkGroups returns the number of values of two or more groups, each of which
// holds at least least.
func checkGroups(groups [][]float64, least int) (n int, err error) {
	if len(groups) < 2 {
		return 0, fmt.Errorf("%d of at least 2 groups: %w", len(groups), ErrTooFew)
	}
	for g, x := range groups {
		if err := checkModest(fmt.Sprintf("%d", g+1), x, least); err != nil {
			return 0, err
		}
		n += len(x)
	}
	return n, nil
}

// sumsOfSquares splits the squared distances from the mean into those between
// and within groups, and reports whether any two values differ.
func sumsOfSquares(groups [][]float64) (between, within float64, varies bool) {
	var n, grand float64
	means := make([]float64, len(groups))
	for g, x := range groups {
		m, v := x[0], 0.0
		if len(x) > 1 {
			m, v = meanVar(x)
		}
		means[g] = m
		within += v * float64(len(x)-1)
		n += float64(len(x))
		varies = varies || v > 0 || m != means[0]
	}
	for g, x := range groups {
		grand += float64(len(x)) / n * means[g]
	}
	for g, x := range groups {
		d := means[g] - grand
		between += float64(len(x)) * d * d
	}
	return between, within, varies
}
