package tree

const (
	width = 8 // points that are worked on together
	half  = 4 // the same in trees with short paths
)

type vector = [width]float64

// rule is eight points of a quadrature rule on [0, 1]: the integral of a
// polynomial of low degree is the sum of w[k] times its value at t[k]. The
// points lie strictly inside; u is 1-t.
type rule struct {
	t, u, w vector
}

// radau is the Gauss-Radau rule with four points inside and one at 0, of weight
// radauStart, which is exact up to degree 8: 1+x divides P_4+P_5, whose other
// roots are the points on [-1, 1], and the weights there are
// (1-x)/(5*P_4(x))**2 (Abramowitz and Stegun 25.4.31). Computed with 60 digits.
var radau = rule{
	t: vector{0.139759864343780552152087081124880233, 0.416409567631083179943302331337082751, 0.723156986361876172319954002314374855, 0.942895803885482317806878087445884374, 0.5, 0.5, 0.5, 0.5},
	u: vector{0.860240135656219447847912918875119767, 0.583590432368916820056697668662917249, 0.276843013638123827680045997685625145, 0.057104196114517682193121192554115621, 0.5, 0.5, 0.5, 0.5},
	w: vector{0.223103901083570744402560218228589360, 0.311826522975741254081854911576640522, 0.281356015149462060192172650340659891, 0.143713560791225941323412219854110227},
}

const (
	radauStart = 1.0 / 25
	maxRadau   = 2*half + 1 // features on a path that it is exact for
	// radauLack is what it lacks of the integral of t^9, n*(n-1)!^4/(2*(2n-1)!^2)
	// with n = 5 (Abramowitz and Stegun 25.4.31): of a polynomial of degree 9, the
	// leading coefficient times this.
	radauLack = 1.0 / 158760
)

// legendre returns the rule with n points, eight in each part; what is left of
// the last part has weight 0. The bits are the same everywhere.
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

func (r *rule) set(k int, t, u, w float64) { r.t[k], r.u[k], r.w[k] = t, u, w }

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
