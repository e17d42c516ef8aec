package stats

import (
	"fmt"
	"math"
	"slices"
)

// Pearson tests whether two columns are linearly related. The statistic is
// Student's t, the estimate and effect the correlation r in [-1, 1] with
// Fisher's interval. It assumes normal values, or many.
//
// The columns have equal lengths (ErrValue) of three or more (ErrTooFew) finite
// values, and vary (ErrConstant). With three values the interval is [-1, 1].
//
// Method: Pearson, Phil. Trans. Royal Society A 187, 1896; Fisher, Metron 1, 1921.
func Pearson(x, y []float64, ask Ask) (Result, error) {
	if err := checkColumns(x, y, 3); err != nil {
		return Result{}, err
	}
	r, err := correlation(x, y)
	if err != nil {
		return Result{}, err
	}
	return correlationTest("Pearson correlation", "r", r, len(x), len(x)-2, 1/math.Sqrt(float64(len(x)-3)), ask)
}

// Spearman tests whether one column tends to rise or fall with the other: the
// correlation rho of the mid-ranks, with Student's t as for [Pearson]. Its
// interval is Fisher's with the standard error of Bonett and Wright,
// Psychometrika 65, 2000. Infinities are ranks like any other. Errors as for
// Pearson.
//
// Method: Spearman, American J. Psychology 15, 1904.
func Spearman(x, y []float64, ask Ask) (Result, error) {
	if err := checkColumns(x, y, 3); err != nil {
		return Result{}, err
	}
	rx, _ := midRanks(x)
	ry, _ := midRanks(y)
	rho, err := correlation(rx, ry)
	if err != nil {
		return Result{}, err
	}
	return correlationTest("Spearman correlation", "rho", rho, len(x), len(x)-2, math.Sqrt((1+rho*rho/2)/float64(len(x)-3)), ask)
}

// PartialCorrelation tests whether x and y are linearly related beyond what both
// share with the given columns: [Pearson] of what least squares on those
// leaves, with one degree of freedom less for each.
//
// It needs at least three rows more than given columns (ErrTooFew), finite, of
// equal length (ErrValue); ErrConstant if nothing of x or y is left, or if the
// given columns are constant or linearly dependent.
//
// Method: Fisher, Metron 3, 1924.
func PartialCorrelation(x, y []float64, given [][]float64, ask Ask) (Result, error) {
	if err := checkColumns(x, y, len(given)+3); err != nil {
		return Result{}, err
	}
	// sweep takes from v its mean and its share of the columns, twice, since once
	// leaves a rest where they are nearly the same. It reports whether more than
	// rounding is left.
	var basis [][]float64
	sweep := func(v []float64) ([]float64, bool) {
		mean, variance := meanVar(v)
		v = slices.Clone(v)
		for i := range v {
			v[i] -= mean
		}
		var norm float64
		for range 2 {
			for _, b := range basis {
				dot := 0.0
				for i := range v {
					dot += v[i] * b[i]
				}
				for i := range v {
					v[i] -= dot * b[i]
				}
			}
		}
		for i := range v {
			norm += v[i] * v[i]
		}
		return v, norm > 1e-24*variance*float64(len(v))
	}
	for i, z := range given {
		if err := checkColumns(x, z, 3); err != nil {
			return Result{}, fmt.Errorf("given column %d: %w", i+1, err)
		}
		z, _ = scaled(z, nil)
		rest, ok := sweep(z)
		if !ok {
			return Result{}, fmt.Errorf("given column %d is constant or follows from the others: %w", i+1, ErrConstant)
		}
		norm := 0.0
		for _, v := range rest {
			norm += v * v
		}
		for j := range rest {
			rest[j] /= math.Sqrt(norm)
		}
		basis = append(basis, rest)
	}
	x, y = scaled(x, y)
	restX, okX := sweep(x)
	restY, okY := sweep(y)
	if !okX || !okY {
		return Result{}, fmt.Errorf("the given columns leave nothing of a column: %w", ErrConstant)
	}
	r, err := correlation(restX, restY)
	if err != nil {
		return Result{}, err
	}
	k := len(given)
	return correlationTest("partial correlation", "r", r, len(x), len(x)-2-k, 1/math.Sqrt(float64(len(x)-3-k)), ask)
}

// Kendall tests whether one column tends to rise or fall with the other, by
// counting the pairs of rows that both order alike. The statistic, the
// estimate and the effect are tau-b in [-1, 1], which allows for ties.
//
// The p-value is exact without ties up to 33 rows, or if asked for (up to 170);
// otherwise normal with the variance corrected for ties. An exact one does not
// exist with ties (ErrValue). The interval is Fisher's with the standard error
// of Bonett and Wright, Psychometrika 65, 2000; below five rows it is [-1, 1].
//
// The columns have equal lengths (ErrValue) of two or more (ErrTooFew), no NaN
// (ErrValue), and vary (ErrConstant). Time O(n^2).
//
// Method: Kendall, Rank Correlation Methods, 4th ed. 1970.
func Kendall(x, y []float64, ask Ask) (Result, error) {
	if err := checkColumns(x, y, 2); err != nil {
		return Result{}, err
	}
	level, err := ask.level()
	if err != nil {
		return Result{}, err
	}
	if allEqual(x, nil) || allEqual(y, nil) {
		return Result{}, fmt.Errorf("a column holds one value only: %w", ErrConstant)
	}
	n := float64(len(x))
	var alike, against, tiedX, tiedY float64
	for i := range x {
		for j := range i {
			sx, sy := sign(x[i], x[j]), sign(y[i], y[j])
			if sx == 0 {
				tiedX++
			}
			if sy == 0 {
				tiedY++
			}
			switch sx * sy {
			case 1:
				alike++
			case -1:
				against++
			}
		}
	}
	pairs := n * (n - 1) / 2
	tau := (alike - against) / math.Sqrt(pairs-tiedX) / math.Sqrt(pairs-tiedY)
	tau = math.Max(-1, math.Min(1, tau))
	tied := tiedX+tiedY > 0
	var atMost, atLeast float64
	switch {
	case ask.Method == Exact && (tied || len(x) > 170):
		return Result{}, fmt.Errorf("an exact p-value needs different values and at most 170 rows: %w", ErrValue)
	case ask.Method == Exact || ask.Method == Auto && !tied && len(x) <= 33:
		atLeast, atMost = exactKendall(int(against), len(x)), exactKendall(int(alike), len(x))
	default:
		groups := func(x []float64) (v, pairs, triples float64) {
			sorted := slices.Clone(x)
			slices.Sort(sorted)
			for i := 0; i < len(sorted); {
				j := i + 1
				for j < len(sorted) && sorted[j] == sorted[i] {
					j++
				}
				t := float64(j - i)
				v += t * (t - 1) * (2*t + 5)
				pairs += t * (t - 1)
				triples += t * (t - 1) * (t - 2)
				i = j
			}
			return v, pairs, triples
		}
		vx, px, tx := groups(x)
		vy, py, ty := groups(y)
		variance := (n*(n-1)*(2*n+5)-vx-vy)/18 + px*py/(2*n*(n-1))
		if n > 2 {
			variance += tx * ty / (9 * n * (n - 1) * (n - 2))
		}
		z := (alike - against) / math.Sqrt(variance)
		atMost, atLeast = normalTail(-z), normalTail(z)
	}
	r := Result{
		Test: "Kendall correlation", Statistic: tau, P: ask.p(atMost, atLeast), Estimate: tau,
		Effect: tau, EffectName: "tau-b", N: len(x),
	}
	se := math.Inf(1)
	if n > 4 {
		se = math.Sqrt(0.437 / (n - 4))
	}
	r.EffectLow, r.EffectHigh = fisherInterval(tau, se, z95)
	r.Low, r.High = fisherInterval(tau, se, normalQuantile(ask.share(level)))
	r.Low, r.High = ask.open(r.Low, r.High, -1, 1)
	return r, nil
}

// exactKendall returns the probability that an order of n values has at most so
// many inversions.
func exactKendall(inversions, n int) float64 {
	prob := []float64{1}
	for i := 2; i <= n; i++ { // the i-th value adds 0 to i-1 of them
		next := make([]float64, len(prob)+i-1)
		sum := 0.0
		for s := range next {
			if s < len(prob) {
				sum += prob[s]
			}
			if s >= i {
				sum -= prob[s-i]
			}
			next[s] = math.Max(0, sum) / float64(i)
		}
		prob = next
	}
	// The shorter tail keeps the digits.
	p := 0.0
	if inversions <= len(prob)/2 {
		for _, v := range prob[:inversions+1] {
			p += v
		}
		return p
	}
	for s := inversions + 1; s < len(prob); s++ {
		p += prob[len(prob)-1-s]
	}
	return 1 - p
}

func sign(a, b float64) int {
	switch {
	case a > b:
		return 1
	case a < b:
		return -1
	}
	return 0
}

// checkColumns checks two columns of equal length without NaN.
func checkColumns(x, y []float64, least int) error {
	if len(x) != len(y) {
		return fmt.Errorf("columns of %d and %d values: %w", len(x), len(y), ErrValue)
	}
	if err := checkSample("x", x, least, false); err != nil {
		return err
	}
	return checkSample("y", y, least, false)
}

// correlation returns r of two checked columns.
func correlation(x, y []float64) (float64, error) {
	if err := checkSample("x", x, 2, true); err != nil {
		return 0, err
	}
	if err := checkSample("y", y, 2, true); err != nil {
		return 0, err
	}
	if allEqual(x, nil) || allEqual(y, nil) {
		return 0, fmt.Errorf("a column holds one value only: %w", ErrConstant)
	}
	x, _ = scaled(x, nil) // each on its own: their units need not be alike
	y, _ = scaled(y, nil)
	meanX, varX := meanVar(x)
	meanY, varY := meanVar(y)
	if !(varX > 0 && varY > 0) {
		return 0, fmt.Errorf("a column does not vary beyond rounding: %w", ErrConstant)
	}
	sum := 0.0
	for i := range x {
		sum += (x[i] - meanX) * (y[i] - meanY)
	}
	r := sum / float64(len(x)-1) / math.Sqrt(varX) / math.Sqrt(varY)
	return math.Max(-1, math.Min(1, r)), nil
}

// correlationTest is the t-test of a correlation, with Fisher's interval for the
// standard error se on his scale.
func correlationTest(test, effect string, r float64, n, df int, se float64, ask Ask) (Result, error) {
	level, err := ask.level()
	if err != nil {
		return Result{}, err
	}
	t := r * math.Sqrt(float64(df)/((1-r)*(1+r)))
	out := Result{
		Test: test, Statistic: t, DF: float64(df), P: ask.p(studentTail(-t, float64(df)), studentTail(t, float64(df))),
		Estimate: r, Effect: r, EffectName: effect, N: n,
	}
	out.EffectLow, out.EffectHigh = fisherInterval(r, se, z95)
	out.Low, out.High = fisherInterval(r, se, normalQuantile(ask.share(level)))
	out.Low, out.High = ask.open(out.Low, out.High, -1, 1)
	return out, nil
}

// fisherInterval returns tanh(atanh(r) -+ z se).
func fisherInterval(r, se, z float64) (low, high float64) {
	if math.IsInf(se, 0) || math.IsNaN(se) {
		return -1, 1
	}
	if math.Abs(r) == 1 {
		return r, r
	}
	at := math.Atanh(r)
	return math.Tanh(at - z*se), math.Tanh(at + z*se)
}
