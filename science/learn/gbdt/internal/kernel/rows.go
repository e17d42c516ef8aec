package kernel

import (
	"math"

	"github.com/tandem-ml/tandem/bundle/num"
)

// Extent measures gradients and hessians in eight lanes; row i of a call goes
// to lane i mod 8. Lanes have one order of adding for all sets. Use
// [NewExtent].
type Extent struct {
	SumG, MaxG       [8]float64 // of absolute values
	SumH, MaxH, MinH [8]float64
}

// NewExtent returns the extent of no rows.
func NewExtent() Extent {
	var e Extent
	for lane := range e.MinH {
		e.MinH[lane] = math.Inf(1)
	}
	return e
}

// Rounding says how gradients and hessians become fixed point.
type Rounding struct {
	G, H     float64 // scales; 0 for a hessian that is the same for all rows
	Keys     uint64  // added to a row's noise: for the gradient in the upper and for the hessian in the lower 32 bits
	Constant uint64  // the hessian of all rows, if H is 0
}

// Token returns the token of a row. Its values become floor(x*scale + u), with
// u in [0, 1) from the row's noise and the keys: right on average, where
// rounding to the nearest would drop every value below half a unit, and with
// it what a large majority of confident rows have to say.
func (r *Rounding) Token(row uint32, g, h float64, noise uint64) uint64 {
	ug, uh := uint32(noise>>32)+uint32(r.Keys>>32), uint32(noise)+uint32(r.Keys)
	gradient := floor(float64(g*r.G), ug)
	hessian := floor(float64(h*r.H), uh) + int32(r.Constant)
	return uint64(row)<<32 | uint64(uint16(gradient))<<16 | uint64(hessian)
}

// floor returns floor(x + u/2³²) for |x| < 2¹⁶.
func floor(x float64, u uint32) int32 {
	const shift = 1 << 17 // conversion cuts off towards 0, which is floor from 0 on
	return int32(x+float64(float64(u)*0x1p-32)+shift) - shift
}

// Sums returns a token's gradient and hessian as sums.
func Sums(token uint64) int64 { return unpack(token) }

func logistic(g, h, margin, y []float64) {
	for i, m := range margin {
		p := num.Sigmoid(m)
		g[i] = p - y[i]
		h[i] = float64(p * (1 - p))
	}
}

func measure(e *Extent, g, h []float64) {
	for i := range g {
		lane := i & 7
		a, b := math.Abs(g[i]), h[i]
		e.SumG[lane] += a
		e.SumH[lane] += b
		e.MaxG[lane] = max(e.MaxG[lane], a)
		e.MaxH[lane] = max(e.MaxH[lane], b)
		e.MinH[lane] = min(e.MinH[lane], b)
	}
}

func round(tokens []uint64, first uint32, g, h []float64, noise []uint64, r *Rounding) int64 {
	sum := int64(0)
	for i := range tokens {
		t := r.Token(first+uint32(i), g[i], h[i], noise[i])
		tokens[i] = t
		sum += unpack(t)
	}
	return sum
}
