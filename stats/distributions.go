package stats

import (
	"fmt"
	"math"
	"slices"
)

// KolmogorovSmirnovAsk is [KolmogorovSmirnov] with the method of the p-value
// chosen. Exact counts all orders of the values as if none were equal, which is
// right without ties and too large with them. Only the two-sided question is
// known (ErrValue otherwise). An exact one of more than 100 million steps
// returns ErrValue.
func KolmogorovSmirnovAsk(a, b []float64, ask Ask) (Result, error) {
	if ask.Alternative != TwoSided {
		return Result{}, fmt.Errorf("the Kolmogorov-Smirnov test is two-sided: %w", ErrValue)
	}
	r, err := KolmogorovSmirnov(a, b)
	if err != nil {
		return Result{}, err
	}
	switch ask.Method {
	case Exact:
		if float64(len(a))*float64(len(b)) > 1e8 {
			return Result{}, fmt.Errorf("samples of %d and %d values are too large for an exact p-value: %w", len(a), len(b), ErrValue)
		}
		steps, _ := largestGap(a, b)
		r.P = exactKS(steps, len(a), len(b))
	case Approx:
		r.P = twoSampleTail(r.Statistic, len(a), len(b))
	}
	return r, nil
}

// twoSampleTail returns P(D >= d) for two samples, as for one of nm/(n+m) values:
// nearer to the exact one than the limit, which is too large.
func twoSampleTail(d float64, n, m int) float64 {
	one := math.Round(float64(n) / float64(n+m) * float64(m))
	return kolmogorovTail(max(1, int(one)), d)
}

// KolmogorovSmirnovNormal tests whether a sample comes from the normal
// distribution with the given mean and standard deviation, which must not have
// been estimated from it ([ShapiroWilk] asks that question). The statistic, and
// the effect, is D, the largest distance of the empirical distribution function,
// with the interval of Dvoretzky, Kiefer and Wolfowitz.
//
// The p-value is exact up to 140 values, and beyond good to five digits, from the
// expansion of Pelz and Good. x is not empty (ErrTooFew), without NaN, mean is
// finite and sd positive (ErrValue).
//
// Method: Kolmogorov, Giornale dell'Istituto Italiano degli Attuari 4, 1933;
// Marsaglia, Tsang and Wang, J. Statistical Software 8(18), 2003; Simard and
// L'Ecuyer, the same 39(11), 2011, for which of the ways where.
func KolmogorovSmirnovNormal(x []float64, mean, sd float64) (Result, error) {
	if err := checkSample("x", x, 1, false); err != nil {
		return Result{}, err
	}
	if !(sd > 0) || math.IsInf(sd, 0) || math.IsNaN(mean) || math.IsInf(mean, 0) {
		return Result{}, fmt.Errorf("a normal distribution with mean %v and standard deviation %v: %w", mean, sd, ErrValue)
	}
	sorted := slices.Clone(x)
	slices.Sort(sorted)
	n, d := float64(len(x)), 0.0
	for i, v := range sorted {
		f := normalTail(-(v - mean) / sd)
		d = math.Max(d, math.Max(f-float64(i)/n, float64(i+1)/n-f))
	}
	band := math.Sqrt(math.Log(2/0.05) / (2 * n))
	return Result{
		Test: "Kolmogorov-Smirnov, normal", Statistic: d, P: kolmogorovTail(len(x), d), Effect: d, EffectName: "D",
		EffectLow: math.Max(0, d-band), EffectHigh: math.Min(1, d+band), N: len(x),
	}, nil
}

// kolmogorovTail returns P(D >= d) for n values of a continuous distribution.
func kolmogorovTail(n int, d float64) float64 {
	fn := float64(n)
	switch square := fn * d * d; {
	case fn*d <= 0.5:
		return 1
	case d >= 1:
		return 0
	case square >= 4 || d >= 0.5 || n > 140 && square >= 2.2:
		// Both distances being that large has no weight here (none above one half).
		return math.Min(1, 2*smirnovTail(n, d))
	case n <= 140 || n <= 100_000 && fn*d*math.Sqrt(d) <= 1.4: // where the expansion is not good enough
		return 1 - marsaglia(n, d)
	}
	return 1 - pelzGood(fn, d)
}

// smirnovTail returns P(D+ >= d): d times the sum over j of choose(n, j)
// (d + j/n)^(j-1) (1 - d - j/n)^(n-j). All terms are positive.
func smirnovTail(n int, d float64) float64 {
	fn, sum := float64(n), 0.0
	all, _ := math.Lgamma(fn + 1)
	for j := 0.0; j <= fn*(1-d); j++ {
		right := 1 - d - j/fn
		if right <= 0 {
			break
		}
		up, _ := math.Lgamma(j + 1)
		down, _ := math.Lgamma(fn - j + 1)
		sum += math.Exp(all - up - down + (j-1)*math.Log(d+j/fn) + (fn-j)*math.Log(right))
	}
	return d * sum
}

// marsaglia returns P(D < d) as n!/n^n times the middle entry of the n-th power
// of Durbin's matrix.
func marsaglia(n int, d float64) float64 {
	k := int(math.Ceil(float64(n) * d))
	m := 2*k - 1
	h := float64(k) - float64(n)*d
	matrix := make([]float64, m*m)
	for i := range m {
		for j := range m {
			if i-j+1 >= 0 {
				matrix[i*m+j] = 1
			}
		}
	}
	for i := range m {
		matrix[i*m] -= math.Pow(h, float64(i+1))
		matrix[(m-1)*m+i] -= math.Pow(h, float64(m-i))
	}
	if 2*h > 1 {
		matrix[(m-1)*m] += math.Pow(2*h-1, float64(m))
	}
	for i := range m {
		for j := range m {
			for g := 1; g <= i-j+1; g++ {
				matrix[i*m+j] /= float64(g)
			}
		}
	}
	// Powers are kept with a binary exponent of their own.
	times := func(a, b []float64) []float64 {
		c := make([]float64, m*m)
		for i := range m {
			for l := range m {
				if v := a[i*m+l]; v != 0 {
					for j := range m {
						c[i*m+j] += float64(v * b[l*m+j])
					}
				}
			}
		}
		return c
	}
	shrink := func(a []float64, exp int) int {
		_, e := math.Frexp(a[(k-1)*m+k-1])
		if e < 200 {
			return exp
		}
		for i := range a {
			a[i] = math.Ldexp(a[i], -e)
		}
		return exp + e
	}
	power := make([]float64, m*m)
	for i := range m {
		power[i*m+i] = 1
	}
	exp, baseExp := 0, 0
	for e := n; e > 0; e /= 2 {
		if e%2 == 1 {
			power = times(power, matrix)
			exp = shrink(power, exp+baseExp)
		}
		if e > 1 {
			matrix = times(matrix, matrix)
			baseExp = shrink(matrix, 2*baseExp)
		}
	}
	p := power[(k-1)*m+k-1]
	for i := 1; i <= n; i++ {
		p *= float64(i) / float64(n)
		if p < 1e-200 {
			p = math.Ldexp(p, 400)
			exp -= 400
		}
	}
	return math.Ldexp(p, exp)
}

// pelzGood returns P(D < d) with the first terms in 1/sqrt(n) of its limit:
// K0(z) + K1(z)/sqrt(n) + K2(z)/n + K3(z)/n^1.5, z = d sqrt(n), in the theta
// functions that converge at once for the z below 1.5 it is used for. Pelz and
// Good, J. Royal Statistical Society B 38, 1976.
func pelzGood(n, d float64) float64 {
	z := d * math.Sqrt(n)
	z2 := z * z
	pi2 := math.Pi * math.Pi
	var k0, k1, k2, k3, extra2, extra3 float64
	for k := 0; k < 8; k++ {
		m2 := float64(2*k+1) * float64(2*k+1)
		e := math.Exp(-m2 * pi2 / (8 * z2))
		k0 += e
		k1 += (pi2/4*m2 - z2) * e
		k2 += (6*z2*z2*z2 + 2*z2*z2 + pi2*(2*z2*z2-5*z2)*m2/4 + pi2*pi2*(1-2*z2)*m2*m2/16) * e
		k3 += (pi2*pi2*pi2*(5-30*z2)*m2*m2*m2/64 + pi2*pi2*(212*z2*z2-60*z2)*m2*m2/16 +
			pi2*(135*z2*z2-96*z2*z2*z2)*m2/4 - 30*z2*z2*z2 - 90*z2*z2*z2*z2) * e
		j2 := float64(k+1) * float64(k+1)
		e = j2 * math.Exp(-pi2*j2/(2*z2))
		extra2 += e
		extra3 += (3*z2 - pi2*j2) * e
	}
	root := math.Sqrt(2 * math.Pi)
	k0 *= root / z
	k1 *= root / (6 * z2 * z2)
	k2 = k2*root/(72*z2*z2*z2*z) - extra2*pi2*root/(36*z2*z)
	k3 = k3*root/(6480*z2*z2*z2*z2*z2) + extra3*pi2*root/(216*z2*z2*z2)
	return k0 + k1/math.Sqrt(n) + k2/n + k3/(n*math.Sqrt(n))
}

// CramerVonMises tests whether two samples come from one distribution, by the
// mean squared distance of their distribution functions: more powerful than
// [KolmogorovSmirnov] against differences that are spread out. Equal values get
// their mean rank.
//
// The p-value is exact for samples of at most 20, or if asked for (at most 60 a
// sample); otherwise from the limit, corrected to the mean and variance of the
// sizes. Only the two-sided question is known (ErrValue otherwise).
//
// Each sample needs two values (ErrTooFew) without NaN (ErrValue), not all equal
// (ErrConstant).
//
// Method: Anderson, Annals of Mathematical Statistics 33, 1962; Xiao, Gordon and
// Yakovlev, J. Statistical Software 17(8), 2007, for the exact distribution.
func CramerVonMises(a, b []float64, ask Ask) (Result, error) {
	if err := checkTwo(a, b, 2, false); err != nil {
		return Result{}, err
	}
	if ask.Alternative != TwoSided {
		return Result{}, fmt.Errorf("the Cramer-von Mises test is two-sided: %w", ErrValue)
	}
	if allEqual(a, b) {
		return Result{}, fmt.Errorf("both samples hold one value only: %w", ErrConstant)
	}
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	ranks, _ := midRanks(slices.Concat(a, b))
	n, m := float64(len(a)), float64(len(b))
	var sumA, sumB float64
	for i := range a {
		d := ranks[i] - float64(i+1)
		sumA += d * d
	}
	for i := range b {
		d := ranks[len(a)+i] - float64(i+1)
		sumB += d * d
	}
	u := n*sumA + m*sumB
	t := u/(n*m*(n+m)) - (4*n*m-1)/(6*(n+m))
	r := Result{Test: "Cramer-von Mises", Statistic: t, N: len(a) + len(b)}
	larger := max(len(a), len(b))
	if ask.Method == Exact || ask.Method == Auto && larger <= 20 {
		if larger > 60 {
			return Result{}, fmt.Errorf("a sample of %d values is too large for an exact p-value: %w", larger, ErrValue)
		}
		r.P = exactCvM(t, len(a), len(b))
		return r, nil
	}
	all := n + m
	mean := (1 + 1/all) / 6
	variance := (all + 1) * (4*n*m*all - 3*(n*n+m*m) - 2*n*m) / (45 * all * all * 4 * n * m)
	r.P = cvmTail(1.0/6 + (t-mean)/math.Sqrt(45*variance))
	return r, nil
}

// exactCvM returns P(T >= t) when all orders are equally likely. An order is a
// path of (i, j) counted values; T is nm/(n+m)^2 times the sum over its points
// of (i/n - j/m)^2, so that whole numbers (i m - j n)^2 are counted.
func exactCvM(t float64, n, m int) float64 {
	divisor := gcd(n, m)
	a, b := m/divisor, n/divisor // i a - j b, in units of the least common multiple
	lcm := float64(n * a)
	all := float64(n + m)
	least := t * lcm * lcm * all * all / (float64(n) * float64(m))
	// rows[j] holds, by sum so far, the share of the paths to (i, j).
	rows := make([]map[int]float64, m+1)
	for i := 0; i <= n; i++ {
		for j := 0; j <= m; j++ {
			gap := i*a - j*b
			next := map[int]float64{}
			if i == 0 && j == 0 {
				next[0] = 1
			}
			if i > 0 {
				share := float64(i) / float64(i+j)
				for s, p := range rows[j] {
					next[s+gap*gap] += p * share
				}
			}
			if j > 0 {
				share := float64(j) / float64(i+j)
				for s, p := range rows[j-1] {
					next[s+gap*gap] += p * share
				}
			}
			rows[j] = next
		}
	}
	sums := make([]int, 0, len(rows[m]))
	for s := range rows[m] {
		sums = append(sums, s)
	}
	slices.Sort(sums)
	p := 0.0
	for _, s := range sums {
		if float64(s) >= least-1e-6 {
			p += rows[m][s]
		}
	}
	return math.Min(1, p)
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// cvmTail returns P(W2 >= x) of the limit of Cramer and von Mises, by the series
// of Anderson and Darling, Annals of Mathematical Statistics 23, 1952.
func cvmTail(x float64) float64 {
	if x < 0.003 {
		return 1
	}
	sum := 0.0
	for k := 0.0; k < 100; k++ {
		up, _ := math.Lgamma(k + 0.5)
		down, _ := math.Lgamma(k + 1)
		y := 4*k + 1
		q := y * y / (16 * x)
		term := math.Exp(up-down) / (math.Pow(math.Pi, 1.5) * math.Sqrt(x)) * math.Sqrt(y) * besselQuarter(q)
		sum += term
		if term < 1e-16 {
			break
		}
	}
	return math.Min(1, math.Max(0, 1-sum))
}

// besselQuarter returns exp(-q) K(q), K being the modified Bessel function of
// the second kind of order 1/4: the integral of exp(-q cosh u) cosh(u/4) over u
// from 0, for which the trapezoid rule converges faster than any power.
func besselQuarter(q float64) float64 {
	const h = 1.0 / 64
	sum := math.Exp(-2*q) / 2
	for u := h; ; u += h {
		term := math.Exp(-q*(1+math.Cosh(u))) * math.Cosh(u/4)
		sum += term
		if term <= 1e-18*sum {
			return sum * h
		}
	}
}

// AndersonKSamples tests whether two or more samples come from one distribution,
// with more weight on the tails than other tests of that. The statistic is the
// midrank version of A squared, less its mean and over its standard deviation.
//
// The p-value is that of the limit for the same number of samples, by inversion
// of its characteristic function; it is good from about ten values a sample.
//
// No sample is empty (ErrTooFew) or holds NaN or an infinity (ErrValue); there
// are four or more values altogether, not all equal (ErrConstant).
//
// Method: Scholz and Stephens, J. American Statistical Association 82, 1987.
func AndersonKSamples(samples [][]float64) (Result, error) {
	count, err := checkSamples(samples, 1)
	if err != nil {
		return Result{}, err
	}
	if count < 4 {
		return Result{}, fmt.Errorf("%d of at least 4 values: %w", count, ErrTooFew)
	}
	pooled := slices.Concat(samples...)
	slices.Sort(pooled)
	if pooled[0] == pooled[count-1] {
		return Result{}, fmt.Errorf("all samples hold one value only: %w", ErrConstant)
	}
	n, k := float64(count), float64(len(samples))
	a2, inverse := 0.0, 0.0
	for _, x := range samples {
		x = slices.Clone(x)
		slices.Sort(x)
		own, at, sum := float64(len(x)), 0, 0.0
		for i := 0; i < count; {
			j := i + 1
			for j < count && pooled[j] == pooled[i] {
				j++
			}
			start := at
			for at < len(x) && x[at] == pooled[i] {
				at++
			}
			tied, below, seen := float64(j-i), float64(i+j)/2, float64(start+at)/2
			d := n*seen - below*own
			sum += tied / n * d * d / (below*(n-below) - n*tied/4)
			i = j
		}
		a2 += sum / own
		inverse += 1 / own
	}
	a2 *= (n - 1) / n

	// The variance under the null, as in the paper.
	var h, g float64
	for i := 1; i < count; i++ {
		h += 1 / float64(i)
	}
	tail := 0.0
	for i := 1; i <= count-2; i++ { // g = sum over i < j of 1/((n-i) j)
		tail += 1 / float64(count-i)
		g += tail / float64(i+1)
	}
	a := (4*g-6)*(k-1) + (10-6*g)*inverse
	b := (2*g-4)*k*k + 8*h*k + (2*g-14*h-4)*inverse - 8*h + 4*g - 6
	c := (6*h+2*g-2)*k*k + (4*h-4*g+6)*k + (2*h-6)*inverse + 4*h
	d := (2*h+6)*k*k - 4*h*k
	variance := (a*n*n*n + b*n*n + c*n + d) / ((n - 1) * (n - 2) * (n - 3))
	t := (a2 - (k - 1)) / math.Sqrt(variance)

	// The limit has mean k-1 and variance (k-1) times 2 pi^2/3 - 6.
	limit := k - 1 + t*math.Sqrt((k-1)*(2*math.Pi*math.Pi/3-6))
	return Result{Test: "Anderson-Darling, k samples", Statistic: t, P: andersonTail(limit, k-1), N: count}, nil
}

// andersonTail returns P(A >= x) for the sum A over j of chi-squared variables
// with m degrees of freedom, each over j(j+1): Imhof, Biometrika 48, 1961. The
// terms beyond the first 60 vary so little that their mean stands for them.
func andersonTail(x, m float64) float64 {
	const terms = 60
	x -= m / (terms + 1)
	if x <= 0 {
		return 1
	}
	// The integrand over v = log u, which falls fast on both sides.
	const h = 1.0 / 32
	sum := 0.0
	for v := -16.0; v < 9; v += h {
		u := math.Exp(v)
		angle, size := -u*x/2, 0.0
		for j := 1.0; j <= terms; j++ {
			lu := u / (j * (j + 1))
			angle += m / 2 * math.Atan(lu)
			size += m / 4 * math.Log1p(lu*lu)
		}
		if size > 45 {
			break
		}
		sum += math.Sin(angle) * math.Exp(-size)
	}
	return math.Min(1, math.Max(0, 0.5+sum*h/math.Pi))
}
