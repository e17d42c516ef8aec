package stats

import (
	"fmt"
	"math"
	"slices"
)

// mostSlopes bounds the rows of [TheilSen], which keeps a slope for every pair.
const mostSlopes = 5000

// TheilSen estimates by how much y rises with each unit of x: the median of the
// slopes of all pairs of rows, which up to 29% of outliers do not move. The
// interval is that of [Kendall]'s test turned round. It assumes independent rows
// whose errors have one distribution.
//
// The columns have equal lengths of three or more (ErrTooFew) and at most 5,000
// finite values (ErrValue); x varies (ErrConstant). The result's Estimate, Low
// and High are the slope; P, Statistic and the effect are those of [Kendall].
// Time and memory O(n^2).
//
// Method: Theil, Proceedings of the Royal Netherlands Academy of Sciences 53,
// 1950; Sen, J. American Statistical Association 63, 1968.
func TheilSen(x, y []float64, ask Ask) (Result, error) {
	level, err := ask.level()
	if err != nil {
		return Result{}, err
	}
	if len(x) > mostSlopes {
		return Result{}, fmt.Errorf("%d rows, more than %d: %w", len(x), mostSlopes, ErrValue)
	}
	for name, v := range map[string][]float64{"x": x, "y": y} {
		if err := checkModest(name, v, 3); err != nil {
			return Result{}, err
		}
	}
	r, err := Kendall(x, y, ask)
	if err != nil {
		return Result{}, err
	}
	r.Test = "Theil-Sen slope"
	var slopes []float64
	for i := range x {
		for j := range i {
			if x[i] != x[j] {
				slopes = append(slopes, (y[i]-y[j])/(x[i]-x[j]))
			}
		}
	}
	slices.Sort(slopes)
	m := len(slopes)
	r.Estimate = (slopes[(m-1)/2] + slopes[m/2]) / 2
	// The variance of Kendall's count of pairs, less for ties.
	n := float64(len(x))
	variance := n * (n - 1) * (2*n + 5)
	for _, v := range [2][]float64{x, y} {
		sorted := slices.Sorted(slices.Values(v))
		for i := 0; i < len(sorted); {
			j := i
			for j < len(sorted) && sorted[j] == sorted[i] {
				j++
			}
			t := float64(j - i)
			variance -= t * (t - 1) * (2*t + 5)
			i = j
		}
	}
	reach := normalQuantile(ask.share(level)) * math.Sqrt(math.Max(0, variance)/18)
	low := int(math.RoundToEven((float64(m)-reach)/2)) - 1
	high := min(int(math.RoundToEven((float64(m)+reach)/2)), m-1)
	r.Low, r.High = slopes[max(0, low)], slopes[high]
	r.Low, r.High = ask.open(r.Low, r.High, math.Inf(-1), math.Inf(1))
	return r, nil
}

// NeweyWest returns the table of coefficients with standard errors that allow for
// unequal error variances and for errors that are correlated with those up to
// lags rows before, the rows being in order of time; n/(n-p) corrects for small
// samples. p-values and intervals use Student's t. lags is from 0, which is HC1,
// to less than the rows (ErrValue); 4 (n/100)^(2/9) is customary.
//
// Method: Newey and West, Econometrica 55, 1987.
func (m LinearModel) NeweyWest(lags int) ([]Coefficient, error) {
	if lags < 0 || lags >= m.N {
		return nil, fmt.Errorf("%d lags of %d rows: %w", lags, m.N, ErrValue)
	}
	p := len(m.beta)
	middle := square(p)
	for a := range p {
		for b := range p {
			for lag := 0; lag <= lags; lag++ {
				sum := 0.0
				for i := lag; i < m.N; i++ {
					sum += float64(m.Residuals[i] * m.Residuals[i-lag] * m.design.q[a][i] * m.design.q[b][i-lag])
				}
				w := 1 - float64(lag)/float64(lags+1)
				middle[a][b] += w * sum
				if lag > 0 {
					middle[b][a] += w * sum
				}
			}
		}
	}
	se := make([]float64, p)
	for j := range se {
		sum := form(middle, m.design.inverse[j])
		se[j] = math.Sqrt(math.Max(0, sum) * float64(m.N) / float64(m.DF))
	}
	return table(m.beta, se, float64(m.DF)), nil
}
