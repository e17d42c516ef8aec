// Package num holds the elementary functions that scoring and training need,
// with the same bits on every machine.
//
// The functions of package math are not fit for that: math.Exp is assembly on
// some processors and Go on others, and the compiler may fuse x*y + z into one
// rounding where the instruction exists (arm64, or amd64 with GOAMD64=v3). The
// functions here are plain Go in which every product is rounded by an explicit
// conversion, float64(x*y), which the language forbids to fuse. Only +, -, *, /
// and operations on bits are used; IEEE 754 fixes the result of each.
//
// The errors are below one unit in the last place (ulp) for [Exp] and [Log],
// and below two for the others; the tests measure them against 200-bit
// arithmetic.
//
//	num.Exp(1)      2.718281828459045
//	num.Sigmoid(0)  0.5
//
// The package has no trigonometry and no special functions.
package num

import "math"

// ln2Hi + ln2Lo is the natural logarithm of 2. ln2Hi has 32 significant bits,
// so k*ln2Hi is exact for every exponent k of a float64 (W. J. Cody and W.
// Waite, Software Manual for the Elementary Functions, 1980).
const (
	ln2Hi = 0x1.62e42feep-1
	ln2Lo = math.Ln2 - ln2Hi
)

// Outside of these bounds Exp overflows to +Inf or rounds to 0.
const (
	expMax = 7.09782712893383973096e+02  // log of the largest float64
	expMin = -7.45133219101941108420e+02 // log of half the smallest one
)

// Exp returns e**x, with an error below 1 ulp.
//
// Exp(+Inf) = +Inf, Exp(-Inf) = 0, Exp(NaN) = NaN; large x overflows to +Inf,
// very small x underflows through subnormal numbers to 0.
//
// Method: x = k*ln2 + r with |r| <= ln2/2, where r is kept as hi - lo; exp(r)
// is its Taylor polynomial of degree 13 (remainder below 2**-57), added from
// the small end; the result is scaled by 2**k.
func Exp(x float64) float64 {
	switch {
	case x != x || x > math.MaxFloat64:
		return x
	case x > expMax:
		return math.Inf(1)
	case x < expMin:
		return 0
	}
	half := 0.5
	if x < 0 {
		half = -0.5
	}
	k := int(float64(x*math.Log2E) + half) // x*log2(e) rounded to nearest
	hi := x - float64(float64(k)*ln2Hi)
	lo := float64(float64(k) * ln2Lo)
	r := hi - lo

	p := 1.0 / 6227020800 // 1/13!
	p = float64(p*r) + 1.0/479001600
	p = float64(p*r) + 1.0/39916800
	p = float64(p*r) + 1.0/3628800
	p = float64(p*r) + 1.0/362880
	p = float64(p*r) + 1.0/40320
	p = float64(p*r) + 1.0/5040
	p = float64(p*r) + 1.0/720
	p = float64(p*r) + 1.0/120
	p = float64(p*r) + 1.0/24
	p = float64(p*r) + 1.0/6
	p = float64(p*r) + 1.0/2
	// hi - r recovers what the rounding of r lost, so that lo counts in full;
	// likewise (1 - sum) + r for the rounding of 1 + r.
	tail := float64(p*float64(r*r)) + ((hi - r) - lo)
	sum := 1 + r
	return scale(sum+(((1-sum)+r)+tail), k)
}

// scale returns y * 2**k with one rounding, for y in [0.5, 2) and k in
// [-1076, 1024].
func scale(y float64, k int) float64 {
	switch {
	case k > 1023:
		return float64(y*0x1p1023) * 2
	case k < -1022:
		// y * 2**(k+64) is normal and exact; the last product rounds once.
		return float64(y*pow2(k+64)) * 0x1p-64
	}
	return y * pow2(k)
}

// pow2 returns 2**k for k in [-1022, 1023].
func pow2(k int) float64 { return math.Float64frombits(uint64(k+1023) << 52) }

// Log returns the natural logarithm of x, with an error below 1 ulp.
//
// Log(0) = -Inf, Log(+Inf) = +Inf; Log of a negative number or NaN is NaN.
//
// Method: x = 2**k * (1+f) with 1+f in [sqrt(1/2), sqrt(2)); with s = f/(2+f),
// log(1+f) = 2*atanh(s) = 2s + 2s**3/3 + ... up to s**25 (remainder below
// 2**-60), arranged as f - (f*f/2 - s*(f*f/2 + R)) so that the leading term f
// is exact (the arrangement of FDLIBM's e_log.c, Sun Microsystems 1993).
func Log(x float64) float64 {
	switch {
	case x != x || x > math.MaxFloat64:
		return x
	case x < 0:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	}
	k := 0
	if x < 0x1p-1022 { // subnormal
		x *= 0x1p54
		k = -54
	}
	bits := math.Float64bits(x)
	k += int(bits>>52) - 1023
	m := math.Float64frombits(bits&(1<<52-1) | 1023<<52) // in [1, 2)
	if m >= math.Sqrt2 {
		m /= 2
		k++
	}
	f := m - 1
	s := f / (2 + f)
	z := float64(s * s)

	p := 2.0 / 25
	p = float64(p*z) + 2.0/23
	p = float64(p*z) + 2.0/21
	p = float64(p*z) + 2.0/19
	p = float64(p*z) + 2.0/17
	p = float64(p*z) + 2.0/15
	p = float64(p*z) + 2.0/13
	p = float64(p*z) + 2.0/11
	p = float64(p*z) + 2.0/9
	p = float64(p*z) + 2.0/7
	p = float64(p*z) + 2.0/5
	p = float64(p*z) + 2.0/3
	r := float64(p * z) // log(1+f) = s*(2 + r)

	h := float64(0.5 * float64(f*f))
	e := float64(k)
	small := float64(s*(h+r)) + float64(e*ln2Lo)
	return float64(e*ln2Hi) - ((h - small) - f)
}

// Log1p returns log(1+x), exact for small x too, with an error below 2 ulp.
//
// Log1p(-1) = -Inf, Log1p(+Inf) = +Inf; Log1p of less than -1 or NaN is NaN.
//
// Method: u = 1+x rounded; log(1+x) = log(u) + ((x-(u-1))/u), the second term
// being what the rounding of u lost, to first order.
func Log1p(x float64) float64 {
	u := 1 + x
	if u > math.MaxFloat64 || !(u > 0) {
		return Log(u)
	}
	if a := math.Abs(x); a < 0x1p-54 {
		return x // keeps the sign of zero
	}
	var lost float64
	if x < 1 {
		lost = x - (u - 1)
	} else {
		lost = 1 - (u - x)
	}
	return Log(u) + lost/u
}

// Sigmoid returns 1/(1+exp(-x)), the logistic function, with an error below
// 2 ulp. It is in [0, 1]; Sigmoid(-Inf) = 0, Sigmoid(+Inf) = 1, Sigmoid(NaN) =
// NaN.
func Sigmoid(x float64) float64 {
	if x < 0 {
		e := Exp(x)
		return e / (1 + e)
	}
	return 1 / (1 + Exp(-x))
}

// Softplus returns log(1+exp(x)), the loss of the margin -x, with an error
// below 2 ulp. Softplus(-Inf) = 0, Softplus(+Inf) = +Inf, Softplus(NaN) = NaN.
func Softplus(x float64) float64 {
	if x > 0 {
		return x + Log1p(Exp(-x))
	}
	return Log1p(Exp(x))
}

// Softmax replaces the margins in x by exp(x[k]-max) over the sum of these
// terms, added from the first to the last, max being the largest margin: the
// probabilities of classes. Margins are finite.
func Softmax(x []float64) {
	top := x[0]
	for _, v := range x {
		top = max(top, v)
	}
	sum := 0.0
	for k, v := range x {
		x[k] = Exp(v - top)
		sum += x[k]
	}
	for k := range x {
		x[k] /= sum
	}
}
