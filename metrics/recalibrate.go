package metrics

import (
	"fmt"
	"math"
	"sort"

	"github.com/tandem-ml/tandem/stats"
)

// Isotonic maps a score to a probability by a curve that never falls: straight
// lines between points (X[i], Y[i]), level beyond the ends.
type Isotonic struct{ X, Y []float64 }

// FitIsotonic fits the curve of least squares that never falls. Scores are
// finite; one class is enough. It returns ErrEmpty without rows, ErrValue for a
// score that is not finite. With few rows it steps roughly: a thousand are good.
//
// Method: pool adjacent violators; Zadrozny and Elkan, KDD 2002.
func FitIsotonic(label []bool, score []float64) (Isotonic, error) {
	if err := checkScores(label, score, nil); err != nil {
		return Isotonic{}, err
	}
	order := byScore(score)
	if math.IsInf(score[order[0]], 0) || math.IsInf(score[order[len(order)-1]], 0) {
		return Isotonic{}, fmt.Errorf("a score is infinite: %w", ErrValue)
	}
	type block struct{ low, high, sum, rows float64 }
	var blocks []block
	for at := 0; at < len(order); {
		b := block{low: score[order[at]], high: score[order[at]]}
		for ; at < len(order) && score[order[at]] == b.low; at++ {
			b.rows++
			if label[order[at]] {
				b.sum++
			}
		}
		for len(blocks) > 0 {
			last := blocks[len(blocks)-1]
			if last.sum*b.rows < b.sum*last.rows {
				break
			}
			b = block{last.low, b.high, last.sum + b.sum, last.rows + b.rows}
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	var c Isotonic
	for _, b := range blocks {
		c.X, c.Y = append(c.X, b.low), append(c.Y, b.sum/b.rows)
		if b.high > b.low {
			c.X, c.Y = append(c.X, b.high), append(c.Y, b.sum/b.rows)
		}
	}
	return c, nil
}

// At returns the probability of a score.
func (c Isotonic) At(score float64) float64 {
	i := sort.SearchFloat64s(c.X, score)
	switch {
	case i == 0:
		return c.Y[0]
	case i == len(c.X):
		return c.Y[i-1]
	}
	share := (score - c.X[i-1]) / (c.X[i] - c.X[i-1])
	return c.Y[i-1] + share*(c.Y[i]-c.Y[i-1])
}

// Platt maps a score to the probability 1/(1+exp(A score + B)).
type Platt struct{ A, B float64 }

// At returns the probability of a score.
func (c Platt) At(score float64) float64 { return 1 / (1 + math.Exp(c.A*score+c.B)) }

// FitPlatt fits the curve by maximum likelihood, the labels drawn in a little
// (to (n1+1)/(n1+2) and 1/(n0+2)), so that it always exists. Scores are finite
// (ErrValue) and vary (ErrConstant); both classes occur (ErrOneClass).
//
// Method: Platt, Advances in Large Margin Classifiers, 1999; by Newton's method,
// as Lin, Lin and Weng, Machine Learning 68, 2007.
func FitPlatt(label []bool, score []float64) (Platt, error) {
	if err := checkScores(label, score, nil); err != nil {
		return Platt{}, err
	}
	var n1, low, high float64
	low, high = math.Inf(1), math.Inf(-1)
	for i, s := range score {
		if label[i] {
			n1++
		}
		low, high = math.Min(low, s), math.Max(high, s)
	}
	n0 := float64(len(label)) - n1
	switch {
	case n0 == 0 || n1 == 0:
		return Platt{}, ErrOneClass
	case math.IsInf(low, 0) || math.IsInf(high, 0):
		return Platt{}, fmt.Errorf("a score is infinite: %w", ErrValue)
	case low == high:
		return Platt{}, fmt.Errorf("the score does not vary: %w", ErrConstant)
	}
	// In u = (score-low)/(high-low), so that any unit converges alike.
	scale := high - low
	target := func(i int) float64 {
		if label[i] {
			return (n1 + 1) / (n1 + 2)
		}
		return 1 / (n0 + 2)
	}
	loss := func(a, b float64) float64 {
		sum := 0.0
		for i, s := range score {
			f := float64(a*((s-low)/scale)) + b // log-odds of a negative row
			sum += float64(target(i)*f) + math.Max(-f, 0) + math.Log1p(math.Exp(-math.Abs(f)))
		}
		return sum
	}
	a, b := 0.0, math.Log((n0+1)/(n1+1))
	for range 100 {
		var ga, gb, haa, hab, hbb float64
		for i, s := range score {
			u := (s - low) / scale
			p := 1 / (1 + math.Exp(float64(a*u)+b))
			d, w := target(i)-p, p*(1-p)
			ga += float64(d * u)
			gb += d
			haa += float64(w * u * u)
			hab += float64(w * u)
			hbb += w
		}
		haa, hbb = haa+1e-12, hbb+1e-12 // never singular
		det := float64(haa*hbb) - float64(hab*hab)
		da, db := -(hbb*ga-hab*gb)/det, -(haa*gb-hab*ga)/det
		now, step := loss(a, b), 1.0
		for loss(a+step*da, b+step*db) > now && step > 1e-10 {
			step /= 2
		}
		a, b = a+step*da, b+step*db
		if math.Abs(step*da)+math.Abs(step*db) < 1e-11 {
			break
		}
	}
	return Platt{A: a / scale, B: b - a*low/scale}, nil
}

// BetaCalibration maps a probability p to that with log-odds
// A log p - B log(1-p) + C; A = B = 1, C = 0 changes nothing. A and B are not
// negative, so that the order stays.
type BetaCalibration struct{ A, B, C float64 }

// At returns the recalibrated probability.
func (c BetaCalibration) At(p float64) float64 {
	p = inside(p)
	return 1 / (1 + math.Exp(-(c.A*math.Log(p) - c.B*math.Log1p(-p) + c.C)))
}

// FitBeta fits the curve by maximum likelihood; if A or B came out negative it is
// 0. score holds probabilities (ErrValue); errors of the fit are those of
// [stats.Logit].
//
// Method: Kull, Silva Filho and Flach, AISTATS 2017.
func FitBeta(label []bool, score []float64) (BetaCalibration, error) {
	if err := checkProbabilities(label, score, nil); err != nil {
		return BetaCalibration{}, err
	}
	y := make([]float64, len(label))
	for i := range y {
		if label[i] {
			y[i] = 1
		}
	}
	fit := func(useA, useB bool) (BetaCalibration, error) {
		x := make([][]float64, len(score))
		for i, p := range score {
			p = inside(p)
			if useA {
				x[i] = append(x[i], math.Log(p))
			}
			if useB {
				x[i] = append(x[i], -math.Log1p(-p))
			}
		}
		m, err := stats.Logit(x, y)
		if err != nil {
			return BetaCalibration{}, fmt.Errorf("beta calibration: %w", err)
		}
		c := BetaCalibration{C: m.Coefficients[0].Estimate}
		next := 1
		if useA {
			c.A = m.Coefficients[next].Estimate
			next++
		}
		if useB {
			c.B = m.Coefficients[next].Estimate
		}
		return c, nil
	}
	c, err := fit(true, true)
	switch {
	case err != nil:
		return c, err
	case c.A < 0:
		c, err = fit(false, true)
	case c.B < 0:
		c, err = fit(true, false)
	}
	if err == nil && (c.A < 0 || c.B < 0) { // the scores rank the wrong way round
		c, err = fit(false, false)
	}
	return c, err
}

// FitTemperature returns the T > 0 for which the probabilities with log-odds
// logit(score)/T are most likely: above 1 the scores were too sure. score holds
// probabilities (ErrValue). ErrConstant if all are 0.5; ErrOneClass if no
// T is best: the scores tell the classes apart without error, or are no better
// than 0.5.
//
// Method: Guo, Pleiss, Sun and Weinberger, ICML 2017.
func FitTemperature(label []bool, score []float64) (float64, error) {
	if err := checkProbabilities(label, score, nil); err != nil {
		return 0, err
	}
	margin := make([]float64, len(score)) // positive if the score is on the right side
	varies := false
	for i, p := range score {
		p = inside(p)
		margin[i] = math.Log(p) - math.Log1p(-p)
		if !label[i] {
			margin[i] = -margin[i]
		}
		varies = varies || margin[i] != 0
	}
	if !varies {
		return 0, fmt.Errorf("every score is 0.5: %w", ErrConstant)
	}
	// The slope of the log-likelihood in 1/T falls all the way.
	slope := func(inverse float64) float64 {
		sum := 0.0
		for _, m := range margin {
			sum += m / (1 + math.Exp(inverse*m))
		}
		return sum
	}
	low, high := 1e-6, 1e6
	if slope(low) <= 0 || slope(high) >= 0 {
		return 0, fmt.Errorf("no temperature is best for these scores: %w", ErrOneClass)
	}
	for range 200 {
		if mid := math.Sqrt(low * high); slope(mid) > 0 {
			low = mid
		} else {
			high = mid
		}
	}
	return 1 / math.Sqrt(low*high), nil
}

// inside keeps a probability off 0 and 1, where its log-odds are infinite.
func inside(p float64) float64 { return math.Min(math.Max(p, 0x1p-52), 1-0x1p-52) }
