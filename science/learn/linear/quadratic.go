package linear

import (
	"context"
	"math"
)

// quadratic is g·d + d·H·d/2 + l1*|theta+d|₁ with d = the step from theta, the
// intercept not counted in the last term. H is symmetric and, but for columns
// of zeros, positive definite.
type quadratic struct {
	h         []float64
	l1        float64
	size      []float64
	tolerance float64
}

// Coordinate descent makes sweepsPerRound sweeps, then the weights that are
// not zero are solved for exactly; after maxRounds the place reached is good
// enough, since the line search accepts any descent.
const (
	sweepsPerRound = 5
	maxRounds      = 100
)

// solve returns the minimum, as a place and not as a step. g is the gradient
// at theta; neither is changed.
func (q *quadratic) solve(ctx context.Context, theta, g []float64) ([]float64, error) {
	at := append([]float64(nil), theta...)
	r := append([]float64(nil), g...) // gradient of the smooth part at at
	for range maxRounds {
		if q.l1 > 0 {
			for range sweepsPerRound {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				q.sweep(at, r)
			}
		}
		if q.violation(at, r) <= q.tolerance {
			break
		}
		if err := q.jump(ctx, at, r); err != nil {
			return nil, err
		}
		if q.violation(at, r) <= q.tolerance {
			break
		}
	}
	return at, nil
}

func (q *quadratic) penalty(j int) float64 {
	if j == 0 {
		return 0
	}
	return q.l1
}

func (q *quadratic) violation(at, r []float64) float64 {
	worst := 0.0
	for j := range at {
		if q.h[j*len(at)+j] > 0 {
			worst = max(worst, distance(r[j], at[j], q.penalty(j))/q.size[j])
		}
	}
	return worst
}

// sweep minimises over each coordinate in turn.
func (q *quadratic) sweep(at, r []float64) {
	m := len(at)
	for j := range at {
		row := q.h[j*m : (j+1)*m]
		if !(row[j] > 0) {
			continue
		}
		to := soften(float64(row[j]*at[j])-r[j], q.penalty(j)) / row[j]
		if d := to - at[j]; d != 0 {
			at[j] = to
			for k, h := range row {
				r[k] += float64(d * h)
			}
		}
	}
}

// soften moves z towards zero by l1, and not beyond.
func soften(z, l1 float64) float64 {
	switch {
	case z > l1:
		return z - l1
	case z < -l1:
		return z + l1
	}
	return 0
}

// jump goes towards the exact minimum over the coordinates that are not zero,
// up to the first that would change its sign, which becomes zero.
func (q *quadratic) jump(ctx context.Context, at, r []float64) error {
	m := len(at)
	var active []int
	for j := range at {
		if q.h[j*m+j] > 0 && (j == 0 || q.l1 == 0 || at[j] != 0) {
			active = append(active, j)
		}
	}
	n := len(active)
	a := make([]float64, n*n)
	d := make([]float64, n)
	for i, j := range active {
		for k := range i + 1 {
			a[i*n+k] = q.h[j*m+active[k]]
		}
		d[i] = -r[j]
		if at[j] != 0 {
			d[i] -= math.Copysign(q.penalty(j), at[j])
		}
	}
	if err := cholesky(ctx, a, n); err != nil {
		return err
	}
	substitute(a, d)
	step, stop := 1.0, -1
	for i, j := range active {
		if q.penalty(j) > 0 && at[j] != 0 && (at[j]+d[i] > 0) != (at[j] > 0) {
			if s := -at[j] / d[i]; s < step {
				step, stop = s, j
			}
		}
	}
	for i, j := range active {
		move := float64(step * d[i])
		if j == stop {
			move = -at[j]
		}
		if move == 0 {
			continue
		}
		at[j] += move
		for k, h := range q.h[j*m : (j+1)*m] {
			r[k] += float64(move * h)
		}
	}
	return nil
}

// cholesky replaces the lower triangle of a, n by n, by L with L·Lᵀ = a. A
// pivot that rounding has made too small is raised: the result is then the
// factor of a slightly larger matrix, whose solution is still a descent.
func cholesky(ctx context.Context, a []float64, n int) error {
	var largest float64
	for i := range n {
		largest = max(largest, a[i*n+i])
	}
	floor := 1e-13 * largest
	for i := range n {
		if i%16 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		ri := a[i*n : i*n+i+1]
		for j := range i + 1 {
			rj := a[j*n : j*n+j+1]
			s := ri[j]
			for k := range j {
				s -= float64(ri[k] * rj[k])
			}
			if j < i {
				ri[j] = s / rj[j]
			} else {
				ri[i] = math.Sqrt(max(s, floor))
			}
		}
	}
	return nil
}

// substitute replaces d by the solution of L·Lᵀ·x = d.
func substitute(l, d []float64) {
	n := len(d)
	for i := range n {
		for k := range i {
			d[i] -= float64(l[i*n+k] * d[k])
		}
		d[i] /= l[i*n+i]
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			d[i] -= float64(l[k*n+i] * d[k])
		}
		d[i] /= l[i*n+i]
	}
}
