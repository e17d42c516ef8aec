package stats

import (
	"fmt"
	"math"
)

// Difference is an estimated effect of a treatment with its test.
type Difference struct {
	Effect    float64 // treated less control, in the unit of the outcome
	SE        float64
	Statistic float64 // t
	DF        float64
	P         float64
	Low, High float64 // 95% interval
}

func differenceOf(effect, se, df float64) Difference {
	reach := t95(df) * se
	return Difference{Effect: effect, SE: se, Statistic: effect / se, DF: df, P: tailOfT(effect/se, df), Low: effect - reach, High: effect + reach}
}

// AdjustedDifference is the outcome of [CUPED].
type AdjustedDifference struct {
	Difference
	Theta             float64 // slope of the outcome on the value before
	VarianceReduction float64 // share of the variance within the groups that it takes away
}

// CUPED compares the means of two groups after taking from each outcome what the
// same subject's value before the experiment predicts, which narrows the interval
// without bias. Values before must not depend on the treatment. The test is
// Welch's on y - theta (x - mean of x), theta being the pooled slope.
//
// controlX[i] and controlY[i] are one subject's value before and outcome, as are
// treatX and treatY; three or more in each group (ErrTooFew), finite (ErrValue).
// It returns ErrConstant if x does not vary, or the adjusted outcome does not.
//
// Method: Deng, Xu, Kohavi and Walker, WSDM 2013.
func CUPED(controlX, controlY, treatX, treatY []float64) (AdjustedDifference, error) {
	if len(controlX) != len(controlY) || len(treatX) != len(treatY) {
		return AdjustedDifference{}, fmt.Errorf("control has %d values before and %d outcomes, treatment %d and %d: %w",
			len(controlX), len(controlY), len(treatX), len(treatY), ErrValue)
	}
	for _, s := range []struct {
		name string
		x    []float64
	}{{"control x", controlX}, {"control y", controlY}, {"treatment x", treatX}, {"treatment y", treatY}} {
		if err := checkModest(s.name, s.x, 3); err != nil {
			return AdjustedDifference{}, err
		}
	}
	x := append(append([]float64(nil), controlX...), treatX...)
	y := append(append([]float64(nil), controlY...), treatY...)
	meanX, varX := meanVar(x)
	meanY, _ := meanVar(y)
	if varX == 0 {
		return AdjustedDifference{}, fmt.Errorf("the value before does not vary: %w", ErrConstant)
	}
	var theta float64
	for i := range x {
		theta += float64((x[i] - meanX) * (y[i] - meanY))
	}
	theta /= varX * float64(len(x)-1)
	adjust := func(x, y []float64) []float64 {
		out := make([]float64, len(x))
		for i := range x {
			out[i] = y[i] - float64(theta*(x[i]-meanX))
		}
		return out
	}
	control, treat := adjust(controlX, controlY), adjust(treatX, treatY)
	test, err := Welch(treat, control)
	if err != nil {
		return AdjustedDifference{}, fmt.Errorf("adjusted outcomes: %w", err)
	}
	meanC, varC := meanVar(control)
	meanT, varT := meanVar(treat)
	_, before := meanVar(controlY)
	_, beforeT := meanVar(treatY)
	nc, nt := float64(len(control)-1), float64(len(treat)-1)
	return AdjustedDifference{
		Difference:        differenceOf(meanT-meanC, math.Sqrt(varC/(nc+1)+varT/(nt+1)), test.DF),
		Theta:             theta,
		VarianceReduction: 1 - (nc*varC+nt*varT)/(nc*before+nt*beforeT),
	}, nil
}

// RatioDifference compares a ratio of sums, such as clicks per view, between two
// groups, when subjects (not views) were assigned: the views of one subject are
// not independent. The test is normal with the variance of the delta method.
//
// controlNum[i] and controlDen[i] are one subject's sums, as are treatNum and
// treatDen; ten or more subjects in each group (ErrTooFew), finite, with a
// positive sum of denominators (ErrValue). ErrConstant if neither ratio varies.
//
// Method: Deng, Knoblich and Lu, KDD 2018.
func RatioDifference(controlNum, controlDen, treatNum, treatDen []float64) (Difference, error) {
	ratio := func(name string, num, den []float64) (r, variance float64, err error) {
		if len(num) != len(den) {
			return 0, 0, fmt.Errorf("%s has %d numerators and %d denominators: %w", name, len(num), len(den), ErrValue)
		}
		if err := checkModest(name+" numerator", num, 10); err != nil {
			return 0, 0, err
		}
		if err := checkModest(name+" denominator", den, 10); err != nil {
			return 0, 0, err
		}
		top, _ := meanVar(num)
		bottom, _ := meanVar(den)
		if !(bottom > 0) {
			return 0, 0, fmt.Errorf("%s: denominators of mean %v: %w", name, bottom, ErrValue)
		}
		r = top / bottom
		e := make([]float64, len(num))
		for i := range num {
			e[i] = num[i] - float64(r*den[i])
		}
		_, v := meanVar(e)
		return r, v / float64(len(num)) / (bottom * bottom), nil
	}
	control, varC, err := ratio("control", controlNum, controlDen)
	if err != nil {
		return Difference{}, err
	}
	treat, varT, err := ratio("treatment", treatNum, treatDen)
	if err != nil {
		return Difference{}, err
	}
	se := math.Sqrt(varC + varT)
	if se == 0 {
		return Difference{}, fmt.Errorf("neither ratio varies between subjects: %w", ErrConstant)
	}
	d := treat - control
	return Difference{Effect: d, SE: se, Statistic: d / se, DF: math.Inf(1), P: 2 * normalTail(math.Abs(d/se)), Low: d - z95*se, High: d + z95*se}, nil
}

// SequentialP returns, for the looks at a running experiment, the likelihood
// ratio and the p-value that holds however often one looks and whenever one
// stops: the share of experiments without effect in which it ever falls below
// alpha is at most alpha.
//
// n[k] is the number of subjects in each of the two groups at look k, not
// falling; diff[k] the difference of the means then; sigma2 the variance of one
// outcome; tau2 the variance of the effects that the test is most sensitive to.
// All are finite, the variances positive (ErrValue); ErrTooFew without looks.
//
// Method: mixture sequential probability ratio test; Johari, Koomen, Pekelis and
// Walsh, Operations Research 70, 2022.
func SequentialP(n, diff []float64, sigma2, tau2 float64) (ratio, p []float64, err error) {
	switch {
	case len(n) != len(diff):
		return nil, nil, fmt.Errorf("%d sizes and %d differences: %w", len(n), len(diff), ErrValue)
	case !(sigma2 > 0) || math.IsInf(sigma2, 0) || !(tau2 > 0) || math.IsInf(tau2, 0):
		return nil, nil, fmt.Errorf("variances %v and %v: %w", sigma2, tau2, ErrValue)
	}
	if err := checkModest("n", n, 1); err != nil {
		return nil, nil, err
	}
	if err := checkModest("diff", diff, 1); err != nil {
		return nil, nil, err
	}
	least := 1.0
	for k, d := range diff {
		if !(n[k] > 0) || k > 0 && n[k] < n[k-1] {
			return nil, nil, fmt.Errorf("look %d has %v subjects a group: %w", k+1, n[k], ErrValue)
		}
		v := 2 * sigma2 / n[k]
		log := math.Log(v/(v+tau2))/2 + tau2*d*d/(2*v*(v+tau2))
		least = math.Min(least, math.Exp(-log))
		ratio, p = append(ratio, math.Exp(log)), append(p, least)
	}
	return ratio, p, nil
}

// Spending names how [GroupSequential] divides the error among the looks.
type Spending int

const (
	// OBrienFleming asks much at early looks and hardly more than one test at
	// the last.
	OBrienFleming Spending = iota
	// Pocock asks the same at each look.
	Pocock
)

// GroupSequential returns the bounds for |z| at each of several equally spaced
// looks at an experiment which together reject with probability alpha if there
// is no effect, and the two-sided p-values they stand for.
//
// looks is from 1 to 50, alpha in [1e-6, 0.5] (ErrValue).
//
// Method: Armitage, McPherson and Rowe, J. Royal Statistical Society A 132, 1969
// (the recursion); Pocock, Biometrika 64, 1977; O'Brien and Fleming, Biometrics
// 35, 1979.
func GroupSequential(looks int, alpha float64, spending Spending) (bounds, nominal []float64, err error) {
	if looks < 1 || looks > 50 || !(alpha >= 1e-6 && alpha <= 0.5) || spending != OBrienFleming && spending != Pocock {
		return nil, nil, fmt.Errorf("%d looks, alpha %v, spending %d: %w", looks, alpha, spending, ErrValue)
	}
	// In the scale of the sum S_k = z_k sqrt(k), whose steps are standard normal.
	limit := func(c float64, k int) float64 {
		if spending == Pocock {
			return c * math.Sqrt(float64(k))
		}
		return c * math.Sqrt(float64(looks))
	}
	c := root(0, 8, func(c float64) float64 {
		return math.Log((1 - withinBounds(looks, func(k int) float64 { return limit(c, k) })) / alpha)
	})
	for k := 1; k <= looks; k++ {
		z := limit(c, k) / math.Sqrt(float64(k))
		bounds, nominal = append(bounds, z), append(nominal, 2*normalTail(z))
	}
	return bounds, nominal, nil
}

// withinBounds returns the probability that a walk with standard normal steps
// has |S_k| < limit(k) at all of the looks.
func withinBounds(looks int, limit func(k int) float64) float64 {
	// at and mass are the nodes of the last look and density times weight there;
	// the walk is symmetric, but the whole line keeps this readable.
	at, mass := []float64{0}, []float64{1}
	for k := 1; k < looks; k++ {
		var nextAt, nextMass []float64
		b := limit(k)
		panels := math.Ceil(2 * b)
		half := b / panels
		for j := 0.0; j < panels; j++ {
			mid := -b + (2*j+1)*half
			for _, node := range gauss8 {
				for _, s := range []float64{mid - half*node[0], mid + half*node[0]} {
					density := 0.0
					for i, u := range at {
						density += float64(mass[i] * math.Exp(-(s-u)*(s-u)/2))
					}
					nextAt = append(nextAt, s)
					nextMass = append(nextMass, density*half*node[1]/math.Sqrt(2*math.Pi))
				}
			}
		}
		at, mass = nextAt, nextMass
	}
	b, sum := limit(looks), 0.0
	for i, u := range at {
		sum += mass[i] * (1 - normalTail(b-u) - normalTail(b+u))
	}
	return sum
}

// SampleRatio tests whether the sizes of the groups of an experiment are what
// the assignment should give. A small p-value (below 0.001 is the custom) means
// that subjects were lost or counted unevenly, and that no result of the
// experiment can be trusted. The Result's effect is Cohen's w, without interval.
//
// counts are the sizes of two or more groups, share the intended parts of each,
// positive in any unit; ErrTooFew for fewer groups or no subject, ErrValue for
// anything else.
//
// Method: Pearson's chi-squared, Philosophical Magazine 50, 1900; Fabijan et
// al., KDD 2019.
func SampleRatio(counts, share []float64) (Result, error) {
	if len(counts) != len(share) {
		return Result{}, fmt.Errorf("%d counts and %d shares: %w", len(counts), len(share), ErrValue)
	}
	var n, parts float64
	for i, c := range counts {
		if !(c >= 0) || math.IsInf(c, 0) || !(share[i] > 0) || math.IsInf(share[i], 0) {
			return Result{}, fmt.Errorf("group %d: count %v, share %v: %w", i+1, c, share[i], ErrValue)
		}
		n += c
		parts += share[i]
	}
	if len(counts) < 2 || n == 0 {
		return Result{}, fmt.Errorf("%v subjects in %d groups: %w", n, len(counts), ErrTooFew)
	}
	chi2 := 0.0
	for i, c := range counts {
		want := n * share[i] / parts
		chi2 += (c - want) * (c - want) / want
	}
	df := float64(len(counts) - 1)
	w := math.Sqrt(chi2 / n)
	return Result{Test: "sample-ratio test", Statistic: chi2, DF: df, P: tailOfChiSquared(chi2, df),
		Effect: w, EffectName: "Cohen's w", EffectLow: w, EffectHigh: w, N: int(n)}, nil
}
