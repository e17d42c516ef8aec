package stats

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// CoxModel is a proportional-hazards regression. It is not modified after [Cox]
// returns it.
type CoxModel struct {
	// Coefficients are logarithms of hazard ratios, one per column; Statistic
	// is Wald's z. exp of an estimate is by what a step of 1 multiplies the
	// hazard.
	Coefficients []Coefficient
	N, Events    int
	LogLik       float64 // partial
	LogLikNull   float64 // of no column mattering
	LR, LRP      float64 // likelihood-ratio test of all coefficients being 0
	Wald, WaldP  float64
	Score        float64 // score test of the same; of one 0/1 column it is the log-rank test but for ties
	ScoreP       float64
	Concordance  float64 // share of comparable pairs in which the higher risk has the earlier event, ties half
	// Proportional tests for each column that its hazard ratio does not change
	// with time, ProportionalP all together: a small p-value speaks against the
	// model. They are NaN with fewer than three events.
	Proportional  []Result
	ProportionalP float64

	covariance [][]float64
	influence  [][]float64 // score residual of each row
}

// Cox fits hazard = baseline(time) * exp(b1 x1 + b2 x2 + ...) by partial
// likelihood, ties by Efron's method. It assumes that hazard ratios do not change
// with time (see Proportional), that rows are independent, and that being lost
// tells nothing of what would have come.
//
// time and event are as in [KaplanMeier]; x has one slice per row, all of one
// length of at least one. Standard errors are those of the inverse information;
// [CoxModel.Robust] drops the trust in the model.
//
// It returns ErrTooFew without events, without columns, or with fewer rows than
// columns need, ErrValue for NaN, an infinity or ragged rows, ErrCollinear,
// naming the column, if one is constant or a combination of those before it, and
// ErrSeparated if a combination of columns orders the events without error, so
// that no estimate exists. Time O(n p^2) a round and O(n log n).
//
// Method: Cox, J. Royal Statistical Society B 34, 1972; Efron, J. American
// Statistical Association 72, 1977; concordance: Harrell and others, J. American
// Medical Association 247, 1982; proportionality: Grambsch and Therneau,
// Biometrika 81, 1994, against the rank of the time, with the mean variance of
// the residuals.
func Cox(time []float64, event []bool, x [][]float64) (CoxModel, error) {
	order, err := byTime(time, event)
	if err != nil {
		return CoxModel{}, err
	}
	columns, err := designOf(x, time, 0)
	if err != nil {
		return CoxModel{}, err
	}
	p := len(columns) - 1
	if p == 0 {
		return CoxModel{}, fmt.Errorf("no columns: %w", ErrTooFew)
	}
	if _, err := factor(columns); err != nil {
		return CoxModel{}, err
	}
	c := coxRows{z: make([][]float64, len(order)), died: make([]bool, len(order)), time: make([]float64, len(order))}
	scale := make([]float64, p)
	events := 0
	for to, from := range order {
		c.z[to], c.time[to], c.died[to] = make([]float64, p), time[from], event[from]
		if event[from] {
			events++
		}
	}
	if events == 0 {
		return CoxModel{}, fmt.Errorf("no row has an event: %w", ErrTooFew)
	}
	for j := range p {
		m, v := meanVar(columns[j+1])
		scale[j] = math.Sqrt(v)
		for to, from := range order {
			c.z[to][j] = (x[from][j] - m) / scale[j]
		}
	}
	separated := fmt.Errorf("a combination of the columns orders the events without error, so that no estimate exists; leave out the column that does: %w", ErrSeparated)
	beta := make([]float64, p)
	now := c.at(beta)
	m := CoxModel{N: len(order), Events: events, LogLikNull: now.logLik}
	inverse, ok := invert(now.information)
	if !ok {
		return CoxModel{}, fmt.Errorf("no event while rows of different values are at risk: %w", ErrTooFew)
	}
	m.Score = form(inverse, now.gradient)
	for round, step := 0, math.Inf(1); step > 1e-9; round++ {
		// Of events ordered without error each round adds about 1.
		if round == 40 {
			return CoxModel{}, separated
		}
		move := times(inverse, now.gradient)
		var next coxSums
		for try := 0; ; try++ {
			moved := slices.Clone(beta)
			for j := range moved {
				moved[j] += move[j]
			}
			next = c.at(moved)
			if next.logLik >= now.logLik-1e-9*math.Abs(now.logLik) || try == 30 {
				beta = moved
				break
			}
			for j := range move {
				move[j] /= 2
			}
		}
		now = next
		step = 0
		for _, d := range move {
			step = math.Max(step, math.Abs(d))
		}
		if inverse, ok = invert(now.information); !ok || math.IsNaN(now.logLik) {
			return CoxModel{}, separated
		}
	}
	m.LogLik = now.logLik
	m.LR = math.Max(0, 2*(m.LogLik-m.LogLikNull))
	m.Wald = form(now.information, beta)
	m.LRP, m.ScoreP, m.WaldP = tailOfChiSquared(m.LR, float64(p)), tailOfChiSquared(m.Score, float64(p)), tailOfChiSquared(m.Wald, float64(p))
	risk := make([]float64, len(order))
	for i, z := range c.z {
		risk[i] = dot(beta, z)
	}
	m.Concordance = c.concordance(risk)
	m.Proportional, m.ProportionalP = c.proportional(now, inverse)
	m.influence = c.influence(now, risk)
	// Back to the units of the columns.
	se := make([]float64, p)
	for j := range p {
		beta[j] /= scale[j]
		for k := range p {
			inverse[j][k] /= scale[j] * scale[k]
		}
		se[j] = math.Sqrt(inverse[j][j])
		for i := range m.influence {
			m.influence[i][j] *= scale[j]
		}
	}
	m.covariance = inverse
	m.Coefficients = table(beta, se, math.Inf(1))
	return m, nil
}

// Robust returns the table with standard errors that hold also where the hazards
// are not proportional or a column is missing: the estimate is then a mean over
// time. They are too small below some 50 events.
//
// Method: Lin and Wei, J. American Statistical Association 84, 1989.
func (m CoxModel) Robust() []Coefficient {
	beta, se := make([]float64, len(m.Coefficients)), make([]float64, len(m.Coefficients))
	for j, c := range m.Coefficients {
		beta[j] = c.Estimate
		for _, u := range m.influence {
			d := dot(m.covariance[j], u)
			se[j] += float64(d * d)
		}
		se[j] = math.Sqrt(se[j])
	}
	return table(beta, se, math.Inf(1))
}

// coxRows are rows in order of time, with columns of mean 0 and variance 1.
type coxRows struct {
	z    [][]float64
	time []float64
	died []bool
}

// coxSums is the partial likelihood at some coefficients with its derivatives.
type coxSums struct {
	logLik      float64
	gradient    []float64
	information [][]float64 // less the second derivatives
	deaths      []coxDeaths // latest first
}

// coxDeaths are the events of one time: rows first to end-1 hold them.
type coxDeaths struct {
	first, end, count int
	// total[k] is the weight at risk for Efron's k-th of the tied events, and
	// mean[k] the weighted mean of the columns.
	total []float64
	mean  [][]float64
}

func (c coxRows) at(beta []float64) coxSums {
	n, p := len(c.z), len(beta)
	eta, most := make([]float64, n), math.Inf(-1)
	for i, z := range c.z {
		eta[i] = dot(beta, z)
		most = math.Max(most, eta[i])
	}
	out := coxSums{gradient: make([]float64, p), information: square(p)}
	// Sums over those at risk: of the weights, of the columns, of their products.
	s0, s1, s2 := 0.0, make([]float64, p), square(p)
	for end := n; end > 0; {
		first, count := end, 0
		d0, d1, d2 := 0.0, make([]float64, p), square(p)
		for first > 0 && c.time[first-1] == c.time[end-1] {
			first--
			z, w := c.z[first], math.Exp(eta[first]-most)
			s0 += w
			for j, v := range z {
				s1[j] += float64(w * v)
				for k := 0; k <= j; k++ {
					s2[j][k] += float64(w * v * z[k])
				}
			}
			if !c.died[first] {
				continue
			}
			count++
			d0 += w
			out.logLik += eta[first] - most
			for j, v := range z {
				out.gradient[j] += v
				d1[j] += float64(w * v)
				for k := 0; k <= j; k++ {
					d2[j][k] += float64(w * v * z[k])
				}
			}
		}
		if count > 0 {
			deaths := coxDeaths{first: first, end: end, count: count}
			for tie := range count {
				f := float64(tie) / float64(count)
				total, mean := s0-float64(f*d0), make([]float64, p)
				for j := range mean {
					mean[j] = (s1[j] - float64(f*d1[j])) / total
					out.gradient[j] -= mean[j]
					for k := 0; k <= j; k++ {
						out.information[j][k] += (s2[j][k]-float64(f*d2[j][k]))/total - float64(mean[j]*mean[k])
					}
				}
				out.logLik -= math.Log(total)
				deaths.total, deaths.mean = append(deaths.total, total*math.Exp(most)), append(deaths.mean, mean)
			}
			out.deaths = append(out.deaths, deaths)
		}
		end = first
	}
	for j := range p {
		for k := 0; k < j; k++ {
			out.information[k][j] = out.information[j][k]
		}
	}
	return out
}

// concordance counts, from the last time back, how the risks of those who
// outlive an event compare with that of the event, in a tree of sums over the
// risks in order. It is NaN if no two rows can be compared.
func (c coxRows) concordance(risk []float64) float64 {
	values := slices.Clone(risk)
	slices.Sort(values)
	values = slices.Compact(values)
	tree := make([]float64, len(values)+1)
	rank := func(i int) int { at, _ := slices.BinarySearch(values, risk[i]); return at }
	insert := func(at int) {
		for at++; at < len(tree); at += at & -at {
			tree[at]++
		}
	}
	below := func(at int) (sum float64) { // those of a rank under at
		for ; at > 0; at -= at & -at {
			sum += tree[at]
		}
		return sum
	}
	var right, all float64
	for end := len(risk); end > 0; {
		first := end - 1
		for first > 0 && c.time[first-1] == c.time[end-1] {
			first--
		}
		for i := first; i < end; i++ { // lost at this time means alive at it
			if !c.died[i] {
				insert(rank(i))
			}
		}
		total := below(len(values))
		for i := first; i < end; i++ {
			if c.died[i] {
				under, upto := below(rank(i)), below(rank(i)+1)
				right += under + (upto-under)/2
				all += total
			}
		}
		for i := first; i < end; i++ {
			if c.died[i] {
				insert(rank(i))
			}
		}
		end = first
	}
	return right / all
}

// proportional tests for a slope of Schoenfeld's residuals over the rank of time.
func (c coxRows) proportional(s coxSums, inverse [][]float64) (each []Result, all float64) {
	p := len(inverse)
	var residuals [][]float64
	var times1 []float64
	for _, d := range s.deaths {
		expected := make([]float64, p)
		for _, mean := range d.mean {
			for j, v := range mean {
				expected[j] += v / float64(d.count)
			}
		}
		for i := d.first; i < d.end; i++ {
			if !c.died[i] {
				continue
			}
			r := slices.Clone(c.z[i])
			for j := range r {
				r[j] -= expected[j]
			}
			residuals, times1 = append(residuals, r), append(times1, c.time[i])
		}
	}
	n := float64(len(residuals))
	g, _ := midRanks(times1)
	u, spread := make([]float64, p), 0.0
	for i, r := range residuals {
		d := g[i] - (n+1)/2
		spread += float64(d * d)
		for j, v := range r {
			u[j] += float64(d * v)
		}
	}
	each, all = make([]Result, p), math.NaN()
	for j := range each {
		each[j] = Result{Test: "Schoenfeld residuals over time", Statistic: math.NaN(), DF: 1, P: math.NaN(), N: len(residuals)}
	}
	if n < 3 || spread == 0 {
		return each, all
	}
	moved := times(inverse, u)
	for j := range each {
		each[j].Statistic = n * moved[j] * moved[j] / (inverse[j][j] * spread)
		each[j].P = tailOfChiSquared(each[j].Statistic, 1)
	}
	return each, tailOfChiSquared(n*dot(u, moved)/spread, float64(p))
}

// influence returns each row's part of the gradient: what it adds at its own
// event, less what being at risk at each event before takes.
func (c coxRows) influence(s coxSums, risk []float64) [][]float64 {
	p := len(s.gradient)
	out := make([][]float64, len(c.z))
	hazard, mean := 0.0, make([]float64, p) // sums of 1/total and mean/total so far
	take := func(i int, hazard float64, mean []float64) {
		w := math.Exp(risk[i])
		for j, v := range c.z[i] {
			out[i][j] -= w * (v*hazard - mean[j])
		}
	}
	at := 0
	for k := len(s.deaths) - 1; k >= 0; k-- {
		d := s.deaths[k]
		for ; at < d.first; at++ { // lost since the event before
			out[at] = make([]float64, p)
			take(at, hazard, mean)
		}
		dying, dyingMean := hazard, slices.Clone(mean)
		for tie, total := range d.total {
			share := 1 - float64(tie)/float64(d.count)
			hazard += 1 / total
			dying += share / total
			for j, v := range d.mean[tie] {
				mean[j] += v / total
				dyingMean[j] += share * v / total
			}
		}
		for ; at < d.end; at++ {
			out[at] = make([]float64, p)
			if !c.died[at] {
				take(at, hazard, mean)
				continue
			}
			take(at, dying, dyingMean)
			for j, v := range c.z[at] {
				out[at][j] += v
				for _, m := range d.mean {
					out[at][j] -= m[j] / float64(d.count)
				}
			}
		}
	}
	for ; at < len(out); at++ {
		out[at] = make([]float64, p)
		take(at, hazard, mean)
	}
	return out
}

func square(p int) [][]float64 {
	out := make([][]float64, p)
	for j := range out {
		out[j] = make([]float64, p)
	}
	return out
}

// times returns the matrix a times v.
func times(a [][]float64, v []float64) []float64 {
	out := make([]float64, len(v))
	for j := range out {
		out[j] = dot(a[j], v)
	}
	return out
}

// form returns v' a v.
func form(a [][]float64, v []float64) float64 { return dot(v, times(a, v)) }

// invert returns the inverse of a symmetric positive definite matrix by
// Cholesky's factorisation, and whether it is one to ten digits.
func invert(a [][]float64) ([][]float64, bool) {
	p := len(a)
	l := square(p)
	most := 0.0
	for j := range p {
		most = math.Max(most, a[j][j])
	}
	for i := range p {
		for j := 0; j <= i; j++ {
			rest := a[i][j] - dot(l[i][:j], l[j][:j])
			if j < i {
				l[i][j] = rest / l[j][j]
				continue
			}
			if !(rest > 1e-12*cmp.Or(a[i][i], 1)) || !(a[i][i] > 1e-14*most) || !(a[i][i] > 1e-12) {
				return nil, false
			}
			l[i][i] = math.Sqrt(rest)
		}
	}
	out := square(p)
	for k := range p { // solve L L' x = e_k
		y := make([]float64, p)
		for i := range p {
			e := 0.0
			if i == k {
				e = 1
			}
			y[i] = (e - dot(l[i][:i], y[:i])) / l[i][i]
		}
		for i := p - 1; i >= 0; i-- {
			sum := y[i]
			for m := i + 1; m < p; m++ {
				sum -= float64(l[m][i] * out[m][k])
			}
			out[i][k] = sum / l[i][i]
		}
	}
	return out, true
}
