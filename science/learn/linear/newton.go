package linear

import (
	"context"
	"fmt"
	"math"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/tandem-ml/tandem/bundle/num"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/science/learn"
)

// problem is one fit: the rows, the penalty, and what is known of the rows
// before the first step. theta[0] is the intercept, theta[j+1] the weight of
// feature j.
type problem struct {
	settings
	x       learn.Matrix
	y, w    []float64
	binary  bool
	workers int

	l1, l2     float64
	total      float64   // sum of weights
	rate       float64   // weighted mean of y
	centre     float64   // regression: y is fitted as (y-centre)/unit
	unit       float64   //
	degenerate bool      // y is constant: nothing to learn but the intercept
	mean       []float64 // of the features, weighted
	dense      bool      // few values are zero
	size       []float64 // root mean square of the features, at least 1; size[0] = 1 for the intercept
}

func (f *problem) weight(i int) float64 {
	if f.w == nil {
		return 1
	}
	return f.w[i]
}

// block holds one block's sums; the total is made in block order.
type block struct {
	loss float64
	g    []float64 // gradient
	h    []float64 // upper triangle of the Hessian, row-major and square
}

// blockRows bounds a block from below and maxBlocks their number, since each
// holds a square matrix. Neither may depend on the number of workers.
const (
	blockRows = 2048
	maxBlocks = 16
)

// minimise runs Newton's method from theta.
func (f *problem) minimise(ctx context.Context, theta []float64, progress func(done, total int)) ([]float64, error) {
	m := len(theta)
	blocks := make([]block, min(maxBlocks, (f.x.Rows+blockRows-1)/blockRows))
	for b := range blocks {
		blocks[b] = block{g: make([]float64, m), h: make([]float64, m*m)}
	}
	now, spare := newPoint(theta), newPoint(theta) // the line search looks at the spare one
	h := make([]float64, m*m)
	if err := f.evaluate(ctx, now, nil, blocks); err != nil {
		return nil, err
	}
	before, violation := 0.0, f.violation(now)
	for iteration := 0; violation > f.tolerance && iteration < f.iterations; iteration++ {
		if progress != nil {
			progress(iteration, f.iterations)
		}
		// The Hessian costs far more than the gradient, so that of an earlier
		// point serves as long as it still brings a digit per step.
		fresh := iteration == 0 || violation > 0.1*before
		if fresh {
			if err := f.evaluate(ctx, now, h, blocks); err != nil {
				return nil, err
			}
		}
		q := quadratic{h: h, l1: f.l1, size: f.size, tolerance: max(0.1*f.tolerance, 1e-3*violation)}
		target, err := q.solve(ctx, now.theta, now.g)
		if err != nil {
			return nil, err
		}
		moved, err := f.search(ctx, now, spare, target, blocks)
		if err != nil {
			return nil, err
		}
		switch {
		case moved:
			now, spare = spare, now
			before, violation = violation, f.violation(now)
		case fresh:
			// The gain still to be had is below the rounding of the objective.
			return now.theta, nil
		default:
			before = violation // try again with the Hessian of this point
		}
	}
	if violation <= f.tolerance {
		return now.theta, nil
	}
	return nil, data.WithHint(fmt.Errorf("%w in %d iterations (violation %.2g, tolerance %.2g)",
		ErrNotConverged, f.iterations, violation, f.tolerance), "raise lambda or iterations")
}

// point is a place with what is known about F there. smooth and g, the gradient,
// are of the smooth part: the loss and the ridge penalty.
type point struct {
	theta, g []float64
	smooth   float64
}

func newPoint(theta []float64) *point {
	return &point{theta: append([]float64(nil), theta...), g: make([]float64, len(theta))}
}

// absolute returns the part of F that is not smooth.
func (f *problem) absolute(theta []float64) float64 {
	var s float64
	for _, b := range theta[1:] {
		s += math.Abs(b)
	}
	return float64(f.l1 * s)
}

// violation returns how far the optimality conditions are from holding: the
// largest distance of zero from the subgradient, relative to the feature's
// size.
func (f *problem) violation(p *point) float64 {
	worst := 0.0
	for j, g := range p.g {
		l1 := f.l1
		if j == 0 {
			l1 = 0
		}
		worst = max(worst, distance(g, p.theta[j], l1)/f.size[j])
	}
	return worst
}

// distance returns the distance of zero from g + l1*sign(theta), where the
// sign of zero is all of [-1, 1].
func distance(g, theta, l1 float64) float64 {
	switch {
	case theta > 0:
		return math.Abs(g + l1)
	case theta < 0:
		return math.Abs(g - l1)
	}
	return max(0, math.Abs(g)-l1)
}

// search looks for a point between now and target that lowers F enough
// (Tseng and Yun, A coordinate gradient descent method for nonsmooth separable
// minimization, Math. Programming 117, 2009) and leaves it in next. It reports
// false if the gain to be had is lost in rounding.
func (f *problem) search(ctx context.Context, now, next *point, target []float64, blocks []block) (bool, error) {
	before := now.smooth + f.absolute(now.theta)
	gain := f.absolute(target) - f.absolute(now.theta)
	for j, g := range now.g {
		gain += float64(g * (target[j] - now.theta[j]))
	}
	noise := float64(1e-14 * (1 + math.Abs(before)))
	if gain >= -1e-16*(1+math.Abs(before)) {
		return false, nil
	}
	for step := 1.0; step > 1e-9; step /= 2 {
		for j, a := range now.theta {
			next.theta[j] = a + float64(step*(target[j]-a))
			if target[j] == 0 && step == 1 {
				next.theta[j] = 0 // exactly, whatever the rounding above
			}
		}
		if err := f.evaluate(ctx, next, nil, blocks); err != nil {
			return false, err
		}
		if next.smooth+f.absolute(next.theta) <= before+float64(1e-4*step*gain)+noise {
			return true, nil
		}
	}
	return false, nil
}

// evaluate fills p for p.theta, and h, unless nil, with the Hessian there.
func (f *problem) evaluate(ctx context.Context, p *point, h []float64, blocks []block) error {
	workers := f.workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	n := len(blocks)
	for b := range blocks {
		group.Go(func() error {
			return f.sum(ctx, &blocks[b], p.theta, h != nil, b*f.x.Rows/n, (b+1)*f.x.Rows/n)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	p.smooth = 0
	clear(p.g)
	for b := range blocks {
		p.smooth += blocks[b].loss
		for j, v := range blocks[b].g {
			p.g[j] += v
		}
	}
	p.smooth /= f.total
	for j := range p.g {
		p.g[j] /= f.total
		if j > 0 {
			b := p.theta[j]
			p.smooth += float64(float64(0.5*f.l2*b) * b)
			p.g[j] += float64(f.l2 * b)
		}
	}
	if h != nil {
		f.addHessians(h, blocks)
	}
	return nil
}

// addHessians adds the blocks' upper triangles and the ridge penalty, and
// mirrors the result.
func (f *problem) addHessians(h []float64, blocks []block) {
	m := f.x.Cols + 1
	clear(h)
	for b := range blocks {
		for j, v := range blocks[b].h {
			h[j] += v
		}
	}
	for j := range m {
		for k := j; k < m; k++ {
			v := h[j*m+k] / f.total
			h[j*m+k], h[k*m+j] = v, v
		}
		if j > 0 {
			h[j*m+j] += f.l2
		}
	}
}

// loss returns the loss of row i at this margin and its first two derivatives.
func (f *problem) loss(i int, margin float64) (loss, g, h float64) {
	if !f.binary {
		d := margin - (f.y[i]-f.centre)/f.unit
		return float64(0.5*d) * d, d, 1
	}
	p := num.Sigmoid(margin)
	loss = num.Softplus(margin) - float64(f.y[i]*margin)
	// The floor keeps the step bounded when all rows are fitted perfectly; it
	// changes the path, not the place where the gradient is zero.
	return loss, p - f.y[i], max(float64(p*(1-p)), 1e-10)
}
