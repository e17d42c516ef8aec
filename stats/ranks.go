package stats

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// midRanks returns the ranks of x from 1, equal values sharing their mean rank,
// and the sum of t^3-t over groups of t equal values.
func midRanks(x []float64) (ranks []float64, ties float64) {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(x[i], x[j]) })
	ranks = make([]float64, len(x))
	for i := 0; i < len(order); {
		j := i + 1
		for j < len(order) && x[order[j]] == x[order[i]] {
			j++
		}
		for _, at := range order[i:j] {
			ranks[at] = float64(i+j+1) / 2
		}
		t := float64(j - i)
		ties += t*t*t - t
		i = j
	}
	return ranks, ties
}

// KruskalWallis tests whether values of some groups tend to be larger than
// those of others: [MannWhitney] for two or more groups. The statistic is H,
// corrected for ties; its p-value is from chi-squared, good from about five
// values a group.
//
// The effect is epsilon squared, H/(n-1) in [0, 1], the share of the variance of
// the ranks that the groups explain; its interval is from the noncentral
// chi-squared, and approximate.
//
// No group may be empty (ErrTooFew) or hold NaN or an infinity (ErrValue); if
// all values are equal it returns ErrConstant.
//
// Method: Kruskal and Wallis, J. American Statistical Association 47, 1952;
// Tomczak and Tomczak, Trends in Sport Sciences 21, 2014, for the effect.
func KruskalWallis(groups [][]float64) (Result, error) {
	count, err := checkSamples(groups, 1)
	if err != nil {
		return Result{}, err
	}
	ranks, ties := midRanks(slices.Concat(groups...))
	n := float64(count)
	if ties == n*n*n-n {
		return Result{}, fmt.Errorf("all groups hold one value only: %w", ErrConstant)
	}
	h, at := 0.0, 0
	for _, x := range groups {
		sum := 0.0
		for range x {
			sum += ranks[at] - (n+1)/2
			at++
		}
		h += sum * sum / float64(len(x))
	}
	h *= 12 / (n * (n + 1)) / (1 - ties/(n*n*n-n))
	df := float64(len(groups) - 1)
	r := Result{Test: "Kruskal-Wallis", Statistic: h, DF: df, P: ChiSquaredPValue(h, df), EffectName: "epsilon squared", N: count}
	r.Effect, r.EffectLow, r.EffectHigh = chiSquaredShare(h, df, n-1)
	return r, nil
}

// chiSquaredShare is a chi-squared statistic over the most it can be, with the
// 95% interval of its noncentrality over the same, held to [0, 1].
func chiSquaredShare(stat, df, most float64) (effect, low, high float64) {
	effect = math.Min(1, stat/most)
	low, high = noncentrality(stat, df)
	return effect, math.Min(effect, low/most), math.Max(effect, math.Min(1, high/most))
}

// Friedman tests whether treatments differ when each block (a person, a fold)
// has received all of them: blocks[i][j] is the value of treatment j in block
// i. It ranks within blocks only, and corrects for ties. The p-value is from
// chi-squared.
//
// The effect is Kendall's W in [0, 1]: 1 if all blocks order the treatments
// alike; its interval is from the noncentral chi-squared, and approximate.
//
// It needs two blocks of three or more treatments, of equal length (ErrTooFew,
// ErrValue), finite, and not all equal within all blocks (ErrConstant).
//
// Method: Friedman, J. American Statistical Association 32, 1937.
func Friedman(blocks [][]float64) (Result, error) {
	n, k, err := checkBlocks(blocks, 3)
	if err != nil {
		return Result{}, err
	}
	sums := make([]float64, k)
	var ties float64
	for _, row := range blocks {
		ranks, t := midRanks(row)
		ties += t
		for j, rank := range ranks {
			sums[j] += rank
		}
	}
	fn, fk := float64(n), float64(k)
	correction := 1 - ties/(fn*(fk*fk*fk-fk))
	if !(correction > 1e-12) {
		return Result{}, fmt.Errorf("no block tells the treatments apart: %w", ErrConstant)
	}
	q := 0.0
	for _, s := range sums {
		d := s - fn*(fk+1)/2
		q += d * d
	}
	q *= 12 / (fn * fk * (fk + 1)) / correction
	r := Result{Test: "Friedman", Statistic: q, DF: fk - 1, P: ChiSquaredPValue(q, fk-1), EffectName: "Kendall's W", N: n * k}
	r.Effect, r.EffectLow, r.EffectHigh = chiSquaredShare(q, fk-1, fn*(fk-1))
	return r, nil
}

// checkBlocks checks rows of at least least finite values and equal length.
func checkBlocks(blocks [][]float64, least int) (rows, cols int, err error) {
	if len(blocks) < 2 {
		return 0, 0, fmt.Errorf("%d of at least 2 blocks: %w", len(blocks), ErrTooFew)
	}
	for i, row := range blocks {
		if err := checkSample(fmt.Sprintf("of block %d", i+1), row, least, true); err != nil {
			return 0, 0, err
		}
		if len(row) != len(blocks[0]) {
			return 0, 0, fmt.Errorf("block %d has %d values, block 1 has %d: %w", i+1, len(row), len(blocks[0]), ErrValue)
		}
	}
	return len(blocks), len(blocks[0]), nil
}

// BrunnerMunzel tests whether values of one sample tend to be larger than those
// of the other, as [MannWhitney], but holds its level also where the
// distributions have different spreads or shapes. It needs about ten values a
// sample.
//
// The statistic is positive if b tends to be larger; its p-value is from
// Student's t. The effect is the probability that a value of a exceeds one of
// b, ties counting half, with the interval of the same t, held to [0, 1].
//
// Each sample has two or more values without NaN (ErrTooFew, ErrValue). If the
// samples do not overlap, there is no standard error and it returns
// ErrConstant: use MannWhitney.
//
// Method: Brunner and Munzel, Biometrical J. 42, 2000.
func BrunnerMunzel(a, b []float64, ask Ask) (Result, error) {
	if err := checkTwo(a, b, 2, false); err != nil {
		return Result{}, err
	}
	all, _ := midRanks(slices.Concat(a, b))
	na, nb := float64(len(a)), float64(len(b))
	// place returns the mean rank among all of a sample's values, and the
	// variance of their ranks among all less those within.
	place := func(x, among []float64) (mean, variance float64) {
		within, _ := midRanks(x)
		diff := make([]float64, len(x))
		for i := range x {
			mean += among[i]
			diff[i] = among[i] - within[i]
		}
		_, variance = meanVar(diff)
		return mean / float64(len(x)), variance
	}
	meanA, varA := place(a, all[:len(a)])
	meanB, varB := place(b, all[len(a):])
	va, vb := na*varA, nb*varB
	if !(va+vb > 0) {
		return Result{}, fmt.Errorf("the samples do not overlap: %w", ErrConstant)
	}
	se := math.Sqrt(va+vb) / (na * nb) // of the probability
	stat := (meanB - meanA) / (na + nb) / se
	shareA, shareB := va/(va+vb), vb/(va+vb)
	df := 1 / (shareA*shareA/(na-1) + shareB*shareB/(nb-1))
	effect := 0.5 - (meanB-meanA)/(na+nb)
	half := studentQuantile(0.025, df) * se
	return Result{
		Test: "Brunner-Munzel", Statistic: stat, DF: df,
		P:      ask.p(studentTail(stat, df), studentTail(-stat, df)), // a is smaller where the statistic is large
		Effect: effect, EffectName: "P(a > b)",
		EffectLow: math.Max(0, effect-half), EffectHigh: math.Min(1, effect+half), N: len(a) + len(b),
	}, nil
}

// SignedRank is the outcome of [Wilcoxon].
type SignedRank struct {
	Result
	// WPlus and WMinus are the sums of the ranks of positive and of negative
	// differences. Statistic is WPlus.
	WPlus, WMinus float64
	Zeros         int // pairs left out, being equal
}

// Wilcoxon tests whether the differences a[i] - b[i] are symmetric about 0, by
// the ranks of their sizes: the paired t-test without normal values. Pairs that
// are equal are left out, as Wilcoxon did.
//
// The p-value is exact if no two differences are equally large and there are at
// most 50, or if asked for; then ties keep their mean ranks, and the orders of
// signs are counted given those. Otherwise it is normal with the variance
// corrected for ties and a continuity correction of one half. The effect is the
// matched-pairs rank-biserial correlation (W+ - W-)/(W+ + W-) in [-1, 1]; its
// interval, on Fisher's scale, has the standard error of no effect and is
// approximate.
//
// The samples have equal lengths (ErrValue) and are finite; it returns
// ErrTooFew without a pair and ErrConstant if all pairs are equal.
//
// Method: Wilcoxon, Biometrics Bulletin 1, 1945; Kerby, Comprehensive Psychology
// 3, 2014, for the effect.
func Wilcoxon(a, b []float64, ask Ask) (SignedRank, error) {
	all, err := differences(a, b, 1)
	if err != nil {
		return SignedRank{}, err
	}
	var d, size []float64
	for _, v := range all {
		if v != 0 {
			d = append(d, v)
			size = append(size, math.Abs(v))
		}
	}
	if len(d) == 0 {
		return SignedRank{}, fmt.Errorf("all pairs are equal: %w", ErrConstant)
	}
	ranks, ties := midRanks(size)
	r := SignedRank{Zeros: len(all) - len(d)}
	for i, v := range d {
		if v > 0 {
			r.WPlus += ranks[i]
		} else {
			r.WMinus += ranks[i]
		}
	}
	n := float64(len(d))
	sd := math.Sqrt(n*(n+1)*(2*n+1)/24 - ties/48)
	var atMost, atLeast float64
	if ask.Method == Exact && len(d) <= 500 || ask.Method == Auto && ties == 0 && len(d) <= 50 {
		atMost, atLeast = exactSignedRank(ranks, r.WPlus)
	} else {
		correction := 0.5
		if ask.NoCorrection {
			correction = 0
		}
		away := r.WPlus - n*(n+1)/4
		atMost, atLeast = normalTail(-(away+correction)/sd), normalTail((away-correction)/sd)
	}
	total := r.WPlus + r.WMinus
	effect := (r.WPlus - r.WMinus) / total
	r.Result = Result{
		Test: "Wilcoxon signed-rank", Statistic: r.WPlus, P: ask.p(atMost, atLeast),
		Effect: effect, EffectName: "rank-biserial correlation", N: len(d),
	}
	r.EffectLow, r.EffectHigh = fisherInterval(effect, 2*sd/total, z95)
	return r, nil
}

// exactSignedRank returns the probabilities of a sum of positive ranks at most
// and at least w when every sign is a fair coin. Ranks are halves, so twice
// them are counted.
func exactSignedRank(ranks []float64, w float64) (atMost, atLeast float64) {
	total := 0
	for _, rank := range ranks {
		total += int(math.Round(2 * rank))
	}
	prob := make([]float64, total+1)
	prob[0] = 1
	top := 0
	for _, rank := range ranks {
		step := int(math.Round(2 * rank))
		top += step
		for s := top; s >= 0; s-- {
			prob[s] /= 2
			if s >= step {
				prob[s] += prob[s-step] / 2 // not halved yet
			}
		}
	}
	at := int(math.Round(2 * w))
	for s, p := range prob {
		if s <= at {
			atMost += p
		}
		if s >= at {
			atLeast += p
		}
	}
	return atMost, atLeast
}
