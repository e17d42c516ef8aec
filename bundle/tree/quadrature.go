package tree

// width is how many points are worked on together: those of a tree with at
// most 16 features on a path.
const width = 8

type vector = [width]float64

// rule is eight points of a Gauss-Legendre rule on [0, 1]: the integral of a
// polynomial of degree below twice the number of points is the sum of w[k]
// times its value at t[k]. The points lie strictly inside.
type rule struct {
	w vector
	// What a node takes, by where its feature is hot: not above; above, and in
	// the left child; above, and in the right child. u is 1-t.
	t   [3]vector // 0; 0; t
	u   [2]vector // 1; u
	phi [3]vector // 0; -1/u; 1/u
}

// fill sets inverse[0] to 1 and inverse[1+i] to 1/F where the feature is hot
// and has the share shares[i] above.
func (r *rule) fill(inverse []vector, shares []float64) {
	for k, u := range r.u[1] {
		inverse[0][k] = 1
		for i, share := range shares {
			inverse[1+i][k] = 1 / (r.t[2][k] + float64(u*share))
		}
	}
}

// legendre returns the rule with n points, eight in each part; what is left of
// the last part has weight 0. No more points than needed: each adds its own
// rounding. The bits are the same everywhere.
//
// The points are the roots of the Legendre polynomial P_n, found by Newton's
// method from cos(pi*(k+3/4)/(n+1/2)); the weights on [-1, 1] are
// 2/((1-x*x)*P_n'(x)**2) (Abramowitz and Stegun 25.4.29).
func legendre(n int) []rule {
	rules := make([]rule, (n+width-1)/width)
	for k := n; k < width*len(rules); k++ {
		rules[k/width].set(k%width, 0.5, 0.5, 0)
	}
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
		first, last := &rules[k/width], &rules[(n-1-k)/width]
		i, j := k%width, (n-1-k)%width
		first.set(i, (1-x)/2, (1+x)/2, w)
		last.set(j, (1+x)/2, (1-x)/2, w)
	}
	return rules
}

func (r *rule) set(k int, t, u, w float64) {
	r.w[k], r.t[2][k] = w, t
	r.u[0][k], r.u[1][k] = 1, u
	r.phi[1][k], r.phi[2][k] = -1/u, 1/u
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
