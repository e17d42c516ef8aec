package stats

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Survival is one step of a survival curve.
type Survival struct {
	Time   float64 // at which an event happened
	AtRisk int     // rows neither over nor lost before Time
	Events int     // rows with an event at Time
	Share  float64 // estimated share without event after Time
	// SE is Greenwood's standard error of Share, NaN where Share is 0, at which
	// his formula is undefined. Low and High are the 95% interval on the scale of
	// log(-log), which stays in [0, 1]; NaN likewise.
	SE, Low, High float64
}

// KaplanMeier estimates how many survive each time at which an event happened,
// where some rows were lost before theirs (censored): the censoring must not
// depend on the time the event would have come. A row censored at the time of an
// event counts as at risk there.
//
// time[i] >= 0 is when row i's event came, or when it was last seen if event[i]
// is false. It returns ErrTooFew without rows or events, and ErrValue for a time
// that is negative, NaN or infinite.
//
// Method: Kaplan and Meier, J. American Statistical Association 53, 1958;
// Greenwood, Reports on Public Health 33, 1926.
func KaplanMeier(time []float64, event []bool) ([]Survival, error) {
	order, err := byTime(time, event)
	if err != nil {
		return nil, err
	}
	var out []Survival
	share, sum := 1.0, 0.0
	for at := 0; at < len(order); {
		end, events := at, 0
		for ; end < len(order) && time[order[end]] == time[order[at]]; end++ {
			if event[order[end]] {
				events++
			}
		}
		if risk := len(order) - at; events > 0 {
			r, d := float64(risk), float64(events)
			share *= (r - d) / r
			s := Survival{Time: time[order[at]], AtRisk: risk, Events: events, Share: share}
			s.SE, s.Low, s.High = math.NaN(), math.NaN(), math.NaN()
			if risk > events {
				sum += d / (r * (r - d))
				s.SE = share * math.Sqrt(sum)
				reach := math.Exp(z95 * math.Sqrt(sum) / math.Abs(math.Log(share)))
				s.Low, s.High = math.Pow(share, reach), math.Pow(share, 1/reach)
			}
			out = append(out, s)
		}
		at = end
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no row has an event: %w", ErrTooFew)
	}
	return out, nil
}

// LogRank tests whether the groups have one survival curve. It sees best a hazard
// that is a constant times higher, and may miss curves that cross. With two groups
// the Result's effect is the hazard ratio of the second against the first by Peto's
// estimate, exact only near 1.
//
// time and event are as in [KaplanMeier]; group[i] is from 0 up, each number up to
// the largest having rows (ErrTooFew otherwise, and for one group, or no event
// while two groups are at risk). Time O(n log n + events*groups^2).
//
// Method: Mantel, Cancer Chemotherapy Reports 50, 1966; Peto et al., British J.
// Cancer 35, 1977.
func LogRank(time []float64, event []bool, group []int) (Result, error) {
	order, err := byTime(time, event)
	if err != nil {
		return Result{}, err
	}
	if len(group) != len(time) {
		return Result{}, fmt.Errorf("%d times and %d groups: %w", len(time), len(group), ErrValue)
	}
	k := 0
	for i, g := range group {
		if g < 0 || g >= len(group) {
			return Result{}, fmt.Errorf("group of row %d is %d: %w", i+1, g, ErrValue)
		}
		k = max(k, g+1)
	}
	risk := make([]float64, k)
	for _, g := range group {
		risk[g]++
	}
	if k < 2 || slices.Contains(risk, 0) {
		return Result{}, fmt.Errorf("groups of %v rows: %w", risk, ErrTooFew)
	}
	excess := make([]float64, k) // observed less expected events
	variance := make([][]float64, k)
	for g := range variance {
		variance[g] = make([]float64, k)
	}
	for at := 0; at < len(order); {
		end, events := at, 0.0
		for ; end < len(order) && time[order[end]] == time[order[at]]; end++ {
			if event[order[end]] {
				events++
				excess[group[order[end]]]++
			}
		}
		n := float64(len(order) - at)
		if events > 0 {
			hyper := 0.0
			if n > 1 {
				hyper = events * (n - events) / (n - 1)
			}
			for g := range k {
				excess[g] -= events * risk[g] / n
				for h := range k {
					variance[g][h] -= hyper * risk[g] / n * risk[h] / n
				}
				variance[g][g] += hyper * risk[g] / n
			}
		}
		for ; at < end; at++ {
			risk[group[order[at]]]--
		}
	}
	chi2, df := quadratic(excess[1:], variance)
	if df == 0 {
		return Result{}, fmt.Errorf("no event while two groups are at risk: %w", ErrTooFew)
	}
	r := Result{Test: "log-rank test", Statistic: chi2, DF: float64(df), P: tailOfChiSquared(chi2, float64(df)), N: len(time)}
	if k == 2 {
		log, se := excess[1]/variance[1][1], 1/math.Sqrt(variance[1][1])
		r.Effect, r.EffectName = math.Exp(log), "hazard ratio"
		r.EffectLow, r.EffectHigh = math.Exp(log-z95*se), math.Exp(log+z95*se)
	}
	return r, nil
}

// quadratic returns v' V^-1 v for the covariance V of all groups but the first,
// and the rank of V, by Cholesky's factorisation; a group that was never at risk
// together with another adds nothing.
func quadratic(v []float64, all [][]float64) (sum float64, rank int) {
	n := len(v)
	l, z := make([][]float64, n), make([]float64, n)
	for i := range n {
		l[i] = make([]float64, n)
		for j := 0; j <= i; j++ {
			rest := all[i+1][j+1]
			for m := range j {
				rest -= float64(l[i][m] * l[j][m])
			}
			switch {
			case j == i && rest > 1e-10*all[i+1][i+1]:
				l[i][i] = math.Sqrt(rest)
			case j < i && l[j][j] > 0:
				l[i][j] = rest / l[j][j]
			}
		}
		if l[i][i] > 0 {
			z[i] = (v[i] - dot(l[i][:i], z[:i])) / l[i][i]
			sum += z[i] * z[i]
			rank++
		}
	}
	return sum, rank
}

// byTime checks the rows and returns them in order of time.
func byTime(time []float64, event []bool) ([]int, error) {
	if len(event) != len(time) {
		return nil, fmt.Errorf("%d times and %d events: %w", len(time), len(event), ErrValue)
	}
	if err := checkSample("time", time, 1, true); err != nil {
		return nil, err
	}
	order := make([]int, len(time))
	for i, v := range time {
		if v < 0 {
			return nil, fmt.Errorf("time of row %d is %v: %w", i+1, v, ErrValue)
		}
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(time[a], time[b]) })
	return order, nil
}
