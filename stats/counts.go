package stats

import (
	"fmt"
	"math"
)

// GoodnessOfFit tests whether counts come from categories with the given
// probabilities, by Pearson's chi-squared. It is also the test of a
// sample-ratio mismatch. The effect is Cohen's w, the square root of
// chi-squared over the number counted, with the interval of the noncentral
// chi-squared.
//
// There are two or more categories (ErrTooFew); counts are finite and not
// negative, with a positive sum; probabilities are positive and sum to one
// within 1e-8; the slices have equal lengths (ErrValue otherwise). The p-value
// is unreliable if many expected counts are below 5.
//
// Method: Pearson, Philosophical Magazine 50, 1900.
func GoodnessOfFit(counts, probs []float64) (Result, error) {
	if len(counts) < 2 {
		return Result{}, fmt.Errorf("%d of at least 2 categories: %w", len(counts), ErrTooFew)
	}
	if len(counts) != len(probs) {
		return Result{}, fmt.Errorf("%d counts and %d probabilities: %w", len(counts), len(probs), ErrValue)
	}
	var n, sum float64
	for i, c := range counts {
		if !(c >= 0) || math.IsInf(c, 0) {
			return Result{}, fmt.Errorf("count %d is %v: %w", i+1, c, ErrValue)
		}
		if !(probs[i] > 0) {
			return Result{}, fmt.Errorf("probability %d is %v: %w", i+1, probs[i], ErrValue)
		}
		n += c
		sum += probs[i]
	}
	if !(math.Abs(sum-1) <= 1e-8) {
		return Result{}, fmt.Errorf("the probabilities sum to %v, not to 1: %w", sum, ErrValue)
	}
	if n == 0 {
		return Result{}, fmt.Errorf("the counts are all 0: %w", ErrTooFew)
	}
	if n > 1<<53 {
		return Result{}, fmt.Errorf("the counts sum to %v, more than can be counted: %w", n, ErrValue)
	}
	stat := 0.0
	for i, c := range counts {
		e := n * probs[i]
		if e == 0 {
			return Result{}, fmt.Errorf("probability %d is too small: %w", i+1, ErrValue)
		}
		stat += (c - e) * (c - e) / e
	}
	df := float64(len(counts) - 1)
	low, high := noncentrality(stat, df)
	w := math.Sqrt(stat / n)
	return Result{
		Test: "chi-squared, goodness of fit", Statistic: stat, DF: df, P: ChiSquaredPValue(stat, df),
		Effect: w, EffectName: "Cohen's w",
		EffectLow: math.Min(w, math.Sqrt(low/n)), EffectHigh: math.Max(w, math.Sqrt(high/n)), N: int(math.Round(n)),
	}, nil
}

// GTest is [ChiSquared] with the likelihood ratio in place of Pearson's
// statistic: G = 2 sum count ln(count/expected). The effect is Cramer's V of
// Pearson's. The errors are those of ChiSquared.
//
// Method: Wilks, Annals of Mathematical Statistics 9, 1938; Woolf, Annals of
// Human Genetics 21, 1957.
func GTest(table [][]float64) (Result, error) {
	r, err := ChiSquared(table)
	if err != nil {
		return Result{}, err
	}
	expected, err := Expected(table)
	if err != nil {
		return Result{}, err
	}
	g := 0.0
	for i, row := range table {
		for j, count := range row {
			if count > 0 {
				g += 2 * count * math.Log(count/expected[i][j])
			}
		}
	}
	r.Test, r.Statistic = "G-test", math.Max(0, g)
	r.P = ChiSquaredPValue(r.Statistic, r.DF)
	return r, nil
}

// CramersVCorrected returns Cramer's V of a table of counts corrected for its
// bias: V of an independent table is positive by chance alone, the more so the
// more categories; corrected, it is 0 in most of them. The errors are those of
// [ChiSquared].
//
// Method: Bergsma, J. Korean Statistical Society 42, 2013.
func CramersVCorrected(table [][]float64) (float64, error) {
	r, err := ChiSquared(table)
	if err != nil {
		return 0, err
	}
	var n float64
	for _, row := range table {
		for _, count := range row {
			n += count
		}
	}
	if !(n > 1) {
		return 0, fmt.Errorf("the table counts %v: %w", n, ErrTooFew)
	}
	rows, cols := float64(len(table)), float64(len(table[0]))
	phi := math.Max(0, r.Statistic/n-(rows-1)*(cols-1)/(n-1))
	least := math.Min(rows-(rows-1)*(rows-1)/(n-1), cols-(cols-1)*(cols-1)/(n-1)) - 1
	if phi == 0 || !(least > 0) {
		return 0, nil
	}
	return math.Min(1, math.Sqrt(phi/least)), nil
}

// OddsRatio is the outcome of [Fisher].
type OddsRatio struct {
	P           float64
	Sample      float64 // ad/bc; may be infinite, NaN if it is 0/0
	Conditional float64 // the maximum likelihood estimate given the sums, in [0, infinity]
	Low, High   float64 // exact interval of the conditional odds ratio
	N           int
}

// Fisher tests whether rows and columns of a table of two rows and two columns
// are independent, exactly, given its sums: for counts too small for
// [ChiSquared]. Two-sided, p is the probability of all tables that are no more
// probable than the one seen.
//
// The counts are whole, not negative, and at most a million together (ErrValue);
// ErrTooFew unless each row and each column counts something. Greater asks
// whether the odds ratio is above 1.
//
// Method: Fisher, Statistical Methods for Research Workers, 5th ed. 1934; Cornfield, Proc.
// Third Berkeley Symposium, 1956, for the interval.
func Fisher(table [][]float64, ask Ask) (OddsRatio, error) {
	level, err := ask.level()
	if err != nil {
		return OddsRatio{}, err
	}
	if err := checkTwoByTwo(table); err != nil {
		return OddsRatio{}, err
	}
	a, b, c, d := table[0][0], table[0][1], table[1][0], table[1][1]
	n := a + b + c + d
	if n > 1e6 {
		return OddsRatio{}, fmt.Errorf("%v counts are more than a million: %w", n, ErrValue)
	}
	// Given the sums, the first count x is in [least, most], and has the
	// probability weight(x) odds^x over the sum of those.
	row, other, col := a+b, c+d, a+c
	least, most := math.Max(0, col-other), math.Min(row, col)
	if least == most {
		return OddsRatio{}, fmt.Errorf("a row or a column counts nothing: %w", ErrTooFew)
	}
	size := int(most-least) + 1
	logs := make([]float64, size)
	choose := func(n, k float64) float64 {
		x, _ := math.Lgamma(n + 1)
		y, _ := math.Lgamma(k + 1)
		z, _ := math.Lgamma(n - k + 1)
		return x - y - z
	}
	for i := range logs {
		logs[i] = choose(row, least+float64(i)) + choose(other, col-least-float64(i))
	}
	probs := make([]float64, size)
	at := func(logOdds float64) []float64 {
		largest, sum := math.Inf(-1), 0.0
		for i, v := range logs {
			probs[i] = v + float64(i)*logOdds
			largest = math.Max(largest, probs[i])
		}
		for i := range probs {
			probs[i] = math.Exp(probs[i] - largest)
			sum += probs[i]
		}
		for i := range probs {
			probs[i] /= sum
		}
		return probs
	}
	seen := int(a - least)
	total := func(p []float64) (s float64) {
		for _, v := range p {
			s += v
		}
		return s
	}

	r := OddsRatio{N: int(n), Sample: a * d / (b * c), High: math.Inf(1)}
	p := at(0)
	if ask.Alternative == TwoSided {
		for _, v := range p {
			if v <= p[seen]*(1+1e-7) { // equal but for rounding
				r.P += v
			}
		}
		r.P = math.Min(1, r.P)
	} else {
		r.P = ask.p(total(p[:seen+1]), total(p[seen:]))
	}
	solve := func(f func(logOdds float64) float64) float64 { return math.Exp(crossing(-700, 700, f)) }
	switch seen {
	case 0:
	case size - 1:
		r.Conditional = math.Inf(1)
	default:
		r.Conditional = solve(func(logOdds float64) float64 {
			mean := 0.0
			for i, v := range at(logOdds) {
				mean += float64(i) * v
			}
			return mean - float64(seen)
		})
	}
	share := ask.share(level)
	if seen > 0 {
		r.Low = solve(func(logOdds float64) float64 { return total(at(logOdds)[seen:]) - share })
	}
	if seen < size-1 {
		r.High = solve(func(logOdds float64) float64 { return share - total(at(logOdds)[:seen+1]) })
	}
	r.Low, r.High = ask.open(r.Low, r.High, 0, math.Inf(1))
	return r, nil
}

// checkTwoByTwo checks a table of two rows and two columns of whole counts.
func checkTwoByTwo(table [][]float64) error {
	if len(table) != 2 || len(table[0]) != 2 || len(table[1]) != 2 {
		return fmt.Errorf("a table of two rows and two columns is needed: %w", ErrValue)
	}
	for i, row := range table {
		for j, count := range row {
			if !(count >= 0 && count <= 1<<50) || count != math.Floor(count) {
				return fmt.Errorf("row %d, column %d: the count is %v: %w", i+1, j+1, count, ErrValue)
			}
		}
	}
	return nil
}

// McNemar tests whether a yes/no answer changed between two occasions.
// table[i][j] counts the pairs with answer i first and j then; only the pairs
// that changed, b = table[0][1] and c = table[1][0], count.
//
// Exact, which Auto is too, the statistic is the smaller of b and c, and p from
// the binomial distribution. Approx gives chi-squared (|b-c|-1)^2/(b+c), the
// correction of 1 left out on request. The effect is the odds ratio b/c of a
// change, with the exact interval.
//
// The counts are whole and not negative, in two rows and two columns
// (ErrValue); ErrTooFew if nothing changed.
//
// Method: McNemar, Psychometrika 12, 1947.
func McNemar(table [][]float64, ask Ask) (Result, error) {
	if err := checkTwoByTwo(table); err != nil {
		return Result{}, err
	}
	b, c := table[0][1], table[1][0]
	n := b + c
	if n == 0 {
		return Result{}, fmt.Errorf("no pair changed: %w", ErrTooFew)
	}
	r := Result{Test: "McNemar", Statistic: math.Min(b, c), EffectName: "odds ratio", Effect: b / c}
	for _, row := range table {
		r.N += int(row[0] + row[1])
	}
	low, high := clopperPearson(b, n, 0.025)
	r.EffectLow, r.EffectHigh = low/(1-low), high/(1-high)
	if ask.Method == Approx {
		away := math.Abs(b - c)
		if !ask.NoCorrection {
			away = math.Max(0, away-1)
		}
		r.Statistic, r.DF = away*away/n, 1
		r.P = ChiSquaredPValue(r.Statistic, 1)
		return r, nil
	}
	r.P = ask.p(binomialAtMost(b, n, 0.5), binomialAtLeast(b, n, 0.5))
	return r, nil
}

// CochranQ tests whether yes/no answers differ between treatments when each
// block has received all of them: [McNemar] for two or more. blocks[i][j] is 0
// or 1 (ErrValue otherwise). The p-value is from chi-squared.
//
// It needs two blocks of two treatments (ErrTooFew), of equal lengths
// (ErrValue), one at least answering differently (ErrConstant).
//
// Method: Cochran, Biometrika 37, 1950.
func CochranQ(blocks [][]float64) (Result, error) {
	n, k, err := checkBlocks(blocks, 2)
	if err != nil {
		return Result{}, err
	}
	cols := make([]float64, k)
	var total, rowSquares, colSquares float64
	for i, row := range blocks {
		sum := 0.0
		for j, v := range row {
			if v != 0 && v != 1 {
				return Result{}, fmt.Errorf("block %d: value %d is %v, not 0 or 1: %w", i+1, j+1, v, ErrValue)
			}
			sum += v
			cols[j] += v
		}
		total += sum
		rowSquares += sum * sum
	}
	for _, c := range cols {
		colSquares += c * c
	}
	fk := float64(k)
	if !(fk*total-rowSquares > 0) {
		return Result{}, fmt.Errorf("no block answers differently: %w", ErrConstant)
	}
	q := (fk - 1) * (fk*colSquares - total*total) / (fk*total - rowSquares)
	return Result{Test: "Cochran's Q", Statistic: q, DF: fk - 1, P: ChiSquaredPValue(q, fk-1), N: n * k}, nil
}

// Ratios are the odds ratio and the risk ratio of [OddsRiskRatio].
type Ratios struct {
	OddsRatio         float64
	OddsLow, OddsHigh float64
	RiskRatio         float64
	RiskLow, RiskHigh float64
}

// OddsRiskRatio returns, for a table of two groups (rows) with counts of yes and
// no (columns), the odds ratio and the ratio of the shares of yes, the first
// group's over the second's, with normal intervals on the scale of the
// logarithm. If a count is 0, one half is added to all four. [Fisher] has the
// exact interval for small counts.
//
// level is that of the intervals, in (0, 1), 0 meaning 0.95. The counts are not
// negative (ErrValue); ErrTooFew if a group counts nothing.
//
// Method: Woolf, Annals of Human Genetics 19, 1955; Katz and others, Biometrics
// 34, 1978; Haldane, Annals of Human Genetics 20, 1956, for the half.
func OddsRiskRatio(table [][]float64, level float64) (Ratios, error) {
	if err := checkTwoByTwo(table); err != nil {
		return Ratios{}, err
	}
	level, err := Ask{Level: level}.level()
	if err != nil {
		return Ratios{}, err
	}
	a, b, c, d := table[0][0], table[0][1], table[1][0], table[1][1]
	if a+b == 0 || c+d == 0 {
		return Ratios{}, fmt.Errorf("a group counts nothing: %w", ErrTooFew)
	}
	if a*b*c*d == 0 {
		a, b, c, d = a+0.5, b+0.5, c+0.5, d+0.5
	}
	z := normalQuantile((1 - level) / 2)
	odds := z * math.Sqrt(1/a+1/b+1/c+1/d)
	risk := z * math.Sqrt(1/a-1/(a+b)+1/c-1/(c+d))
	r := Ratios{OddsRatio: a / b / (c / d), RiskRatio: a / (a + b) / (c / (c + d))}
	r.OddsLow, r.OddsHigh = r.OddsRatio*math.Exp(-odds), r.OddsRatio*math.Exp(odds)
	r.RiskLow, r.RiskHigh = r.RiskRatio*math.Exp(-risk), r.RiskRatio*math.Exp(risk)
	return r, nil
}

// Agreement is the outcome of [CohenKappa].
type Agreement struct {
	Kappa     float64
	SE        float64 // for the interval, not for a test against 0
	Low, High float64
}

// CohenKappa returns how far two raters agree beyond chance: 1 is full
// agreement, 0 what chance gives, negative less. table[i][j] counts the items
// that the first put in category i and the second in j. The interval is normal.
//
// The table is square, with two or more categories (ErrTooFew) and counts that
// are not negative (ErrValue). If both raters used one category only, the same,
// kappa does not exist: ErrConstant.
//
// Method: Cohen, Educational and Psychological Measurement 20, 1960; Fleiss,
// Cohen and Everitt, Psychological Bulletin 72, 1969, for the standard error.
func CohenKappa(table [][]float64, level float64) (Agreement, error) {
	level, err := Ask{Level: level}.level()
	if err != nil {
		return Agreement{}, err
	}
	k := len(table)
	if k < 2 {
		return Agreement{}, fmt.Errorf("%d of at least 2 categories: %w", k, ErrTooFew)
	}
	rows, cols, n := make([]float64, k), make([]float64, k), 0.0
	for i, row := range table {
		if len(row) != k {
			return Agreement{}, fmt.Errorf("row %d has %d counts of %d: %w", i+1, len(row), k, ErrValue)
		}
		for j, v := range row {
			if !(v >= 0) || math.IsInf(v, 0) {
				return Agreement{}, fmt.Errorf("row %d, column %d: the count is %v: %w", i+1, j+1, v, ErrValue)
			}
			rows[i] += v
			cols[j] += v
			n += v
		}
	}
	if n > 1<<53 {
		return Agreement{}, fmt.Errorf("the counts sum to %v, more than can be counted: %w", n, ErrValue)
	}
	if n == 0 {
		return Agreement{}, fmt.Errorf("the table counts nothing: %w", ErrTooFew)
	}
	var agreed, chance float64
	for i := range k {
		agreed += table[i][i] / n
		chance += rows[i] / n * cols[i] / n
	}
	if !(chance < 1) {
		return Agreement{}, fmt.Errorf("both raters used one category only: %w", ErrConstant)
	}
	kappa := (agreed - chance) / (1 - chance)
	var diagonal, off float64
	for i := range k {
		for j := range k {
			p := table[i][j] / n
			if i == j {
				d := 1 - (rows[i]+cols[i])/n*(1-kappa)
				diagonal += p * d * d
			} else {
				d := (cols[i] + rows[j]) / n
				off += p * d * d
			}
		}
	}
	c := kappa - chance*(1-kappa)
	variance := (diagonal + (1-kappa)*(1-kappa)*off - c*c) / ((1 - chance) * (1 - chance) * n)
	r := Agreement{Kappa: kappa, SE: math.Sqrt(math.Max(0, variance))}
	half := normalQuantile((1-level)/2) * r.SE
	r.Low, r.High = kappa-half, kappa+half
	return r, nil
}
