package metrics

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/tandem-ml/tandem/stats"
)

// emptyShare stands for a share of 0 in the population stability index, which
// would be infinite.
const emptyShare = 1e-4

// PSI returns the population stability index between two histograms with the same
// bins: the sum of (actual-expected) log(actual/expected) over the shares. Below
// 0.1 is called stable, above 0.25 a shift; of n rows in k bins chance alone gives
// about 2k/n. A share of 0 counts as 0.0001, the others staying as they are.
//
// The numbers are finite and not negative (ErrValue), with a positive sum on each
// side (ErrEmpty), and of equal length. Method: Lewis, An Introduction to Credit
// Scoring, 1992; Yurdakul, 2018, for its distribution.
func PSI(expected, actual []float64) (float64, error) {
	p, q, err := shares(expected, actual)
	if err != nil {
		return 0, err
	}
	return psi(p, q), nil
}

func psi(p, q []float64) float64 {
	sum := 0.0
	for i := range p {
		e, a := p[i], q[i]
		if e == 0 {
			e = emptyShare
		}
		if a == 0 {
			a = emptyShare
		}
		sum += (a - e) * math.Log(a/e)
	}
	return sum
}

// JensenShannon returns the distance of Jensen and Shannon to the base 2 between
// two histograms with the same bins: 0 if they are alike, 1 if they share no bin.
// Arguments and errors are those of [PSI]. Method: Endres and Schindelin, IEEE
// Trans. Information Theory 49, 2003.
func JensenShannon(expected, actual []float64) (float64, error) {
	p, q, err := shares(expected, actual)
	if err != nil {
		return 0, err
	}
	return jensenShannon(p, q), nil
}

func jensenShannon(p, q []float64) float64 {
	sum := 0.0
	for i := range p {
		mean := (p[i] + q[i]) / 2
		for _, v := range []float64{p[i], q[i]} {
			if v > 0 {
				sum += v * math.Log2(v/mean) / 2
			}
		}
	}
	return math.Sqrt(math.Max(0, sum))
}

// Hellinger returns the distance of Hellinger between two histograms with the same
// bins, in [0, 1]. Arguments and errors are those of [PSI].
func Hellinger(expected, actual []float64) (float64, error) {
	p, q, err := shares(expected, actual)
	if err != nil {
		return 0, err
	}
	return hellinger(p, q), nil
}

func hellinger(p, q []float64) float64 {
	sum := 0.0
	for i := range p {
		d := math.Sqrt(p[i]) - math.Sqrt(q[i])
		sum += float64(d * d)
	}
	return math.Sqrt(sum / 2)
}

func shares(expected, actual []float64) (p, q []float64, err error) {
	if len(expected) != len(actual) {
		return nil, nil, fmt.Errorf("histograms of %d and %d bins: %w", len(expected), len(actual), ErrValue)
	}
	share := func(name string, counts []float64) ([]float64, error) {
		sum := 0.0
		for i, v := range counts {
			if !(v >= 0) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("%s, bin %d is %v: %w", name, i+1, v, ErrValue)
			}
			sum += v
		}
		if sum == 0 {
			return nil, fmt.Errorf("%s is empty: %w", name, ErrEmpty)
		}
		out := make([]float64, len(counts))
		for i, v := range counts {
			out[i] = v / sum
		}
		return out, nil
	}
	if p, err = share("expected", expected); err == nil {
		q, err = share("actual", actual)
	}
	return p, q, err
}

// NumberDrift holds distances between two samples of a number.
type NumberDrift struct {
	KS, KSP float64 // largest distance of the distribution functions, and its p-value
	// Wasserstein is the area between the distribution functions, in the variable's
	// unit; Normed is over the standard deviation (divisor n) of the reference.
	Wasserstein, WassersteinNormed float64
	// The next three are over the tenths of the reference.
	PSI, JensenShannon, Hellinger float64
	Energy                        float64 // energy distance, in the root of the unit
	// MeanShift is the difference of the means in standard deviations (divisor n-1)
	// of the reference.
	MeanShift float64
}

// CompareNumbers measures how far current is from reference. Both are finite
// (ErrValue), two values or more (ErrEmpty); ErrConstant if the reference does not
// vary. The p-value is that of large samples. Time O(n log n).
//
// Method: Szekely and Rizzo, J. Statistical Planning and Inference 143, 2013, for
// the energy distance.
func CompareNumbers(reference, current []float64) (NumberDrift, error) {
	for k, x := range [][]float64{reference, current} {
		name := [2]string{"reference", "current"}[k]
		if len(x) < 2 {
			return NumberDrift{}, fmt.Errorf("%s has %d values: %w", name, len(x), ErrEmpty)
		}
		for i, v := range x {
			if !(math.Abs(v) <= 1e150) { // the square of more overflows
				return NumberDrift{}, fmt.Errorf("%s, value %d is %v: %w", name, i+1, v, ErrValue)
			}
		}
	}
	mean, variance, err := stats.MeanVar(reference)
	if err != nil {
		return NumberDrift{}, fmt.Errorf("reference: %w: %w", err, ErrValue)
	}
	if variance == 0 {
		return NumberDrift{}, fmt.Errorf("the reference does not vary: %w", ErrConstant)
	}
	meanNow, _, err := stats.MeanVar(current)
	if err != nil {
		return NumberDrift{}, fmt.Errorf("current: %w: %w", err, ErrValue)
	}
	a, b := slices.Clone(reference), slices.Clone(current)
	slices.Sort(a)
	slices.Sort(b)
	n, m := float64(len(a)), float64(len(b))
	var d NumberDrift
	d.MeanShift = (meanNow - mean) / math.Sqrt(variance)
	at := math.Min(a[0], b[0])
	for i, j := 0, 0; i < len(a) || j < len(b); {
		next := math.Inf(1)
		if i < len(a) {
			next = a[i]
		}
		if j < len(b) {
			next = math.Min(next, b[j])
		}
		gap := float64(i)/n - float64(j)/m
		d.Wasserstein += math.Abs(gap) * (next - at)
		d.Energy += gap * gap * (next - at)
		for i < len(a) && a[i] == next {
			i++
		}
		for j < len(b) && b[j] == next {
			j++
		}
		at = next
	}
	d.WassersteinNormed = d.Wasserstein / math.Sqrt(variance*(n-1)/n)
	d.Energy = math.Sqrt(2 * d.Energy)
	ks, err := stats.KolmogorovSmirnovAsk(a, b, stats.Ask{Method: stats.Approx})
	if err != nil {
		return NumberDrift{}, fmt.Errorf("Kolmogorov-Smirnov: %w", err)
	}
	d.KS, d.KSP = ks.Statistic, ks.P
	edges := make([]float64, 9)
	for k := range edges {
		if edges[k], err = stats.Quantile(a, float64(k+1)/10); err != nil {
			return NumberDrift{}, err
		}
	}
	binned := func(x []float64) []float64 {
		out := make([]float64, len(edges)+1)
		for _, v := range x { // bins [edge, next edge)
			out[sort.Search(len(edges), func(k int) bool { return edges[k] > v })] += 1 / float64(len(x))
		}
		return out
	}
	p, q := binned(a), binned(b)
	d.PSI, d.JensenShannon, d.Hellinger = psi(p, q), jensenShannon(p, q), hellinger(p, q)
	return d, nil
}

// CategoryDrift holds distances between two samples of a category.
type CategoryDrift struct {
	Chi2, Chi2P                   float64 // test that both have the same shares
	PSI, JensenShannon, Hellinger float64
	LargestChange                 float64  // of a share
	New, Vanished                 []string // categories of one side only, sorted
}

// CompareCategories measures how far the numbers of rows of each category are from
// those of reference. The numbers are finite and not negative (ErrValue), with a
// positive sum on each side (ErrEmpty). With one category in all, Chi2 is 0 and
// Chi2P 1.
func CompareCategories(reference, current map[string]float64) (CategoryDrift, error) {
	var names []string
	for name := range reference {
		names = append(names, name)
	}
	for name := range current {
		names = append(names, name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	var d CategoryDrift
	var before, now []float64
	for _, name := range names {
		r, c := reference[name], current[name]
		if r == 0 && c == 0 {
			continue
		}
		if r == 0 {
			d.New = append(d.New, name)
		}
		if c == 0 {
			d.Vanished = append(d.Vanished, name)
		}
		before, now = append(before, r), append(now, c)
	}
	p, q, err := shares(before, now)
	if err != nil {
		return CategoryDrift{}, err
	}
	d.PSI, d.JensenShannon, d.Hellinger = psi(p, q), jensenShannon(p, q), hellinger(p, q)
	for i := range p {
		d.LargestChange = math.Max(d.LargestChange, math.Abs(p[i]-q[i]))
	}
	if d.Chi2P = 1; len(before) > 1 {
		r, err := stats.ChiSquared([][]float64{before, now})
		if err != nil {
			return CategoryDrift{}, fmt.Errorf("chi-squared: %w", err)
		}
		d.Chi2, d.Chi2P = r.Statistic, r.P
	}
	return d, nil
}
