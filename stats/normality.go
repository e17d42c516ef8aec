package stats

import (
	"fmt"
	"math"
	"slices"
)

// ShapiroWilk tests whether a sample is normal: the most powerful test of that
// for most alternatives. The statistic is W in (0, 1], small if not normal.
//
// x needs three to 5,000 finite values (ErrTooFew, ErrValue), not all equal
// (ErrConstant). In large samples it finds departures too small to matter.
//
// Method: Shapiro and Wilk, Biometrika 52, 1965; Royston's algorithm AS R94,
// Applied Statistics 44, 1995, for weights and p-value, which is exact for n = 3.
func ShapiroWilk(x []float64) (Result, error) {
	sorted, err := normalitySample(x, 3)
	if err != nil {
		return Result{}, err
	}
	n := len(x)
	if n > 5000 {
		return Result{}, fmt.Errorf("sample x has %d values, the approximation is for at most 5000: %w", n, ErrValue)
	}
	// Weights of the upper half; the lower is their negative.
	half := n / 2
	a := make([]float64, half)
	fn := float64(n)
	if n == 3 {
		a[0] = math.Sqrt(0.5)
	} else {
		m := make([]float64, half) // expected order statistics, positive
		var squares float64
		for i := range m {
			m[i] = normalQuantile((float64(i) + 1 - 0.375) / (fn + 0.25))
			squares += 2 * m[i] * m[i]
		}
		root, u := math.Sqrt(squares), 1/math.Sqrt(fn)
		a[0] = m[0]/root + poly(u, 0, 0.221157, -0.147981, -2.07119, 4.434685, -2.706056)
		from, rest, weight := 1, squares-2*m[0]*m[0], 1-2*a[0]*a[0]
		if n > 5 {
			a[1] = m[1]/root + poly(u, 0, 0.042981, -0.293762, -1.752461, 5.682633, -3.582633)
			from, rest, weight = 2, rest-2*m[1]*m[1], weight-2*a[1]*a[1]
		}
		for i := from; i < half; i++ {
			a[i] = m[i] / math.Sqrt(rest/weight)
		}
	}
	mean, variance := meanVar(sorted)
	var sum, norm float64
	for i, weight := range a {
		sum += weight * (sorted[n-1-i] - sorted[i])
		norm += 2 * weight * weight
	}
	ss := variance * (fn - 1)
	// 1 - W as a sum of squares, so that a W near 1 keeps its digits.
	slope := sum / norm
	var rest float64
	for i, v := range sorted {
		fit := 0.0
		if i < half {
			fit = -a[i] * slope
		} else if j := n - 1 - i; j < half {
			fit = a[j] * slope
		}
		rest += (v - mean - fit) * (v - mean - fit)
	}
	short := math.Min(1, rest/ss)
	r := Result{Test: "Shapiro-Wilk", Statistic: 1 - short, N: n}
	if n == 3 {
		r.P = math.Min(1, math.Max(0, 6/math.Pi*(math.Asin(math.Sqrt(r.Statistic))-math.Asin(math.Sqrt(0.75)))))
		return r, nil
	}
	y, log := math.Log(short), math.Log(fn)
	var m, s float64
	if n <= 11 {
		gamma := -2.273 + 0.459*fn
		if y >= gamma {
			return r, nil // p is 0 to all digits
		}
		y = -math.Log(gamma - y)
		m = poly(fn, 0.544, -0.39978, 0.025054, -6.714e-4)
		s = math.Exp(poly(fn, 1.3822, -0.77857, 0.062767, -0.0020322))
	} else {
		m = poly(log, -1.5861, -0.31082, -0.083751, 0.0038915)
		s = math.Exp(poly(log, -0.4803, -0.082676, 0.0030302))
	}
	r.P = normalTail((y - m) / s)
	return r, nil
}

// poly returns c[0] + c[1] x + c[2] x^2 + ...
func poly(x float64, c ...float64) float64 {
	v := 0.0
	for i := len(c) - 1; i >= 0; i-- {
		v = v*x + c[i]
	}
	return v
}

// normalitySample checks a sample and returns it sorted and scaled by a power of
// two.
func normalitySample(x []float64, least int) ([]float64, error) {
	if err := checkSample("x", x, least, true); err != nil {
		return nil, err
	}
	if allEqual(x, nil) {
		return nil, fmt.Errorf("sample x holds one value only: %w", ErrConstant)
	}
	sorted, _ := scaled(x, nil)
	slices.Sort(sorted)
	return sorted, nil
}

// moments returns the biased skewness m3/m2^1.5 and kurtosis m4/m2^2 of a
// checked sample that varies.
func moments(x []float64) (skew, kurtosis float64) {
	mean, _ := meanVar(x)
	var m2, m3, m4 float64
	for _, v := range x {
		d := v - mean
		m2 += d * d
		m3 += d * d * d
		m4 += d * d * d * d
	}
	n := float64(len(x))
	m2, m3, m4 = m2/n, m3/n, m4/n
	return m3 / (m2 * math.Sqrt(m2)), m4 / (m2 * m2)
}

// JarqueBera tests whether a sample is normal by its skewness and kurtosis. The
// p-value is from chi-squared with two degrees of freedom, which needs
// thousands of values: in smaller samples it rejects too seldom.
// [DAgostinoPearson] is the better one.
//
// x needs two or more finite values (ErrTooFew, ErrValue), not all equal
// (ErrConstant).
//
// Method: Jarque and Bera, Economics Letters 6, 1980.
func JarqueBera(x []float64) (Result, error) {
	sorted, err := normalitySample(x, 2)
	if err != nil {
		return Result{}, err
	}
	skew, kurtosis := moments(sorted)
	jb := float64(len(x)) / 6 * (skew*skew + (kurtosis-3)*(kurtosis-3)/4)
	return Result{Test: "Jarque-Bera", Statistic: jb, DF: 2, P: ChiSquaredPValue(jb, 2), N: len(x)}, nil
}

// DAgostinoPearson tests whether a sample is normal by its skewness and
// kurtosis, each turned into a normal score first, which makes it good from
// about 20 values. The statistic is the sum of the squared scores.
//
// x needs eight or more finite values (ErrTooFew, ErrValue), not all equal
// (ErrConstant).
//
// Method: D'Agostino and Pearson, Biometrika 60, 1973; D'Agostino, Biometrika 57,
// 1970, for the skewness; Anscombe and Glynn, Biometrika 70, 1983, for the
// kurtosis.
func DAgostinoPearson(x []float64) (Result, error) {
	sorted, err := normalitySample(x, 8)
	if err != nil {
		return Result{}, err
	}
	skew, kurtosis := moments(sorted)
	n := float64(len(x))

	y := skew * math.Sqrt((n+1)*(n+3)/(6*(n-2)))
	beta := 3 * (n*n + 27*n - 70) * (n + 1) * (n + 3) / ((n - 2) * (n + 5) * (n + 7) * (n + 9))
	w2 := math.Sqrt(2*(beta-1)) - 1
	zSkew := math.Asinh(y*math.Sqrt((w2-1)/2)) / math.Sqrt(0.5*math.Log(w2))

	mean := 3 * (n - 1) / (n + 1)
	variance := 24 * n * (n - 2) * (n - 3) / ((n + 1) * (n + 1) * (n + 3) * (n + 5))
	score := (kurtosis - mean) / math.Sqrt(variance)
	root := 6 * (n*n - 5*n + 2) / ((n + 7) * (n + 9)) * math.Sqrt(6*(n+3)*(n+5)/(n*(n-2)*(n-3)))
	a := 6 + 8/root*(2/root+math.Sqrt(1+4/(root*root)))
	zKurtosis := (1 - 2/(9*a) - math.Cbrt((1-2/a)/(1+score*math.Sqrt(2/(a-4))))) / math.Sqrt(2/(9*a))

	k2 := zSkew*zSkew + zKurtosis*zKurtosis
	return Result{Test: "D'Agostino-Pearson", Statistic: k2, DF: 2, P: ChiSquaredPValue(k2, 2), N: len(x)}, nil
}

// AndersonDarling tests whether a sample is normal, mean and variance being
// estimated. It weighs the tails more than Kolmogorov-Smirnov does. The
// statistic is A squared; the p-value is from Stephens' approximation for it,
// corrected for the sample's size.
//
// x needs eight or more finite values (ErrTooFew, ErrValue), not all equal
// (ErrConstant).
//
// Method: Anderson and Darling, J. American Statistical Association 49, 1954;
// Stephens in D'Agostino and Stephens, Goodness-of-Fit Techniques, 1986, table 4.9.
func AndersonDarling(x []float64) (Result, error) {
	sorted, err := normalitySample(x, 8)
	if err != nil {
		return Result{}, err
	}
	mean, variance := meanVar(sorted)
	sd, n := math.Sqrt(variance), float64(len(x))
	sum := 0.0
	for i, v := range sorted {
		below := normalTail(-(v - mean) / sd)
		above := normalTail((sorted[len(sorted)-1-i] - mean) / sd)
		sum += float64(2*i+1) * (math.Log(below) + math.Log(above))
	}
	a2 := -n - sum/n
	a := a2 * (1 + 0.75/n + 2.25/(n*n))
	var p float64
	switch {
	case a < 0.2:
		p = 1 - math.Exp(-13.436+101.14*a-223.73*a*a)
	case a < 0.34:
		p = 1 - math.Exp(-8.318+42.796*a-59.938*a*a)
	case a < 0.6:
		p = math.Exp(0.9177 - 4.279*a - 1.38*a*a)
	case a <= 13:
		p = math.Exp(1.2937 - 5.709*a + 0.0186*a*a)
	}
	return Result{Test: "Anderson-Darling", Statistic: a2, P: p, N: len(x)}, nil
}
