package tree

// rule is the Gauss-Legendre rule on [0, 1]: the integral of a polynomial of
// degree below twice the number of points is the sum of w[k] times its value
// at t[k]. The points lie strictly inside.
type rule struct {
	t, w    []float64
	u       []float64 // 1 - t
	inverse []float64 // 1 / u
}

// The factor of an edge at point t is t*hot + (1-t)*share. The methods below
// leave out a factor that is 0 everywhere (a branch that neither the row nor
// any row of training took): all products below it are 0 already.

// descend sets dst to src times the factor of an edge.
func (r *rule) descend(dst, src []float64, share float64, hot bool) {
	u := r.u[:len(dst)]
	if !hot {
		for k := range dst {
			dst[k] = float64(src[k] * float64(u[k]*share))
		}
		return
	}
	t := r.t[:len(dst)]
	for k := range dst {
		dst[k] = float64(src[k] * (t[k] + float64(u[k]*share)))
	}
}

// undo divides dst by the factor of an edge further up, whose place the edge
// just descended takes.
func (r *rule) undo(dst []float64, share float64, hot bool) {
	if !hot && share == 0 {
		return
	}
	t, u := r.t[:len(dst)], r.u[:len(dst)]
	for k := range dst {
		factor := float64(u[k] * share)
		if hot {
			factor += t[k]
		}
		dst[k] /= factor
	}
}

// part integrates leaf values, weights included, with the factor of one edge
// replaced by its derivative hot - share.
func (r *rule) part(leaves []float64, share float64, hot bool) float64 {
	sum := 0.0
	switch {
	case hot:
		t, u := r.t[:len(leaves)], r.u[:len(leaves)]
		for k, v := range leaves {
			sum += v / (t[k] + float64(u[k]*share))
		}
		return float64(sum * (1 - share))
	case share == 0:
		return 0
	default: // -share / ((1-t)*share)
		inverse := r.inverse[:len(leaves)]
		for k, v := range leaves {
			sum -= float64(v * inverse[k])
		}
		return sum
	}
}

// legendre returns the rule with n points. The bits are the same everywhere.
//
// The points are the roots of the Legendre polynomial P_n, found by Newton's
// method from cos(pi*(k+3/4)/(n+1/2)); the weights on [-1, 1] are
// 2/((1-x*x)*P_n'(x)**2) (Abramowitz and Stegun 25.4.29).
func legendre(n int) *rule {
	r := &rule{t: make([]float64, n), w: make([]float64, n), u: make([]float64, n), inverse: make([]float64, n)}
	for k := range (n + 1) / 2 {
		const pi = 3.14159265358979323846
		x := cosine(float64(pi*(float64(k)+0.75)) / (float64(n) + 0.5))
		var slope float64
		for range 8 { // converges quadratically; three suffice
			var p float64
			p, slope = legendreAt(n, x)
			x -= p / slope
		}
		if 2*k+1 == n {
			x = 0
		}
		_, slope = legendreAt(n, x)
		w := 1 / float64((1-float64(x*x))*float64(slope*slope))
		// Points come in pairs around 1/2; 1-x is not computed as 1-t, which
		// would round twice.
		r.t[k], r.u[k], r.w[k] = (1-x)/2, (1+x)/2, w
		r.t[n-1-k], r.u[n-1-k], r.w[n-1-k] = (1+x)/2, (1-x)/2, w
	}
	for k, u := range r.u {
		r.inverse[k] = 1 / u
	}
	return r
}

// legendreAt returns P_n(x) and its derivative, by the three-term recurrence.
func legendreAt(n int, x float64) (p, slope float64) {
	before, p := 0.0, 1.0
	for j := range n {
		next := (float64(float64(float64(2*j+1)*x)*p) - float64(float64(j)*before)) / float64(j+1)
		before, p = p, next
	}
	slope = float64(float64(n)*(float64(x*p)-before)) / (float64(x*x) - 1)
	return p, slope
}

// cosine returns cos(x) for x in [0, pi] to about 1e-13, as minus the Taylor
// series of the sine at x - pi/2.
func cosine(x float64) float64 {
	y := x - 1.57079632679489661923
	z := float64(y * y)
	sum, term := y, y
	for j := 1; j <= 11; j++ {
		term = -float64(term*z) / float64(2*j*(2*j+1))
		sum += term
	}
	return -sum
}
