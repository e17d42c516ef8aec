package gbdt

import (
	"context"
	"math"

	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn/gbdt/internal/kernel"
)

// A token is one row's place in the list that a tree is grown from: its number
// and its gradient and hessian in fixed point. Moving tokens instead of row
// numbers keeps the gradients in the order in which histograms read them.
// Package kernel has the layout.
type token = uint64

// sums is a sum of gradients in the upper and of hessians in the lower 32
// bits. Hessians are not negative and the scales keep every sum within 32
// bits, so plain integer addition and subtraction act on both at once.
type sums = int64

func gradientOf(s sums) float64 { return float64(s >> 32) }
func hessianOf(s sums) float64  { return float64(uint32(s)) }

// scales turn gradients and hessians into fixed point by multiplication.
type scales struct{ g, h float64 }

const (
	gradientLimit = 1<<15 - 2 // one is left for rounding up
	hessianLimit  = 1<<16 - 2
	gradientRange = 1<<31 - 1<<16 // of a sum
	hessianRange  = 1<<32 - 1<<16
)

// extent is what the scales are chosen from.
type extent struct {
	sumG, maxG       float64
	sumH, maxH, minH float64
}

// fold adds the lanes of all parts in their order.
func fold(parts []kernel.Extent) extent {
	e := extent{minH: math.Inf(1)}
	for i := range parts {
		p := &parts[i]
		for lane := range p.SumG {
			e.sumG += p.SumG[lane]
			e.sumH += p.SumH[lane]
			e.maxG, e.maxH, e.minH = max(e.maxG, p.MaxG[lane]), max(e.maxH, p.MaxH[lane]), min(e.minH, p.MinH[lane])
		}
	}
	return e
}

// measureRows returns the extent of the given rows.
func measureRows(k kernel.Set, grad, hess []float64, rows []uint32) extent {
	var g, h [256]float64
	e := kernel.NewExtent()
	for len(rows) > 0 {
		n := min(len(rows), len(g))
		for i, r := range rows[:n] {
			g[i], h[i] = grad[r], hess[r]
		}
		k.Measure(&e, g[:n], h[:n])
		rows = rows[n:]
	}
	return fold([]kernel.Extent{e})
}

// scales uses as many bits as fit: a row's value fits 16, and a sum over all
// rows, each rounded up at worst, fits 32. That is 15 bits for up to some
// 100,000 rows and about 12 for a million.
func (e extent) scales(rows int) scales {
	const most = 1e300 // keeps a table of tiny gradients from an infinite scale
	s := scales{
		g: min(gradientLimit/e.maxG, (gradientRange-float64(rows))/e.sumG, most),
		h: min(hessianLimit/e.maxH, (hessianRange-float64(rows))/e.sumH, most),
	}
	if e.minH == e.maxH {
		// Equal hessians become equal integers, so that they count rows exactly.
		s.h = math.Floor(min(hessianLimit, (hessianRange-float64(rows))/float64(rows))) / e.maxH
	}
	return s
}

// rounding returns how to round in one tree. A row's noise is drawn once per
// fit; adding a number drawn per tree gives every tree noise of its own, and
// costs one addition.
func (e extent) rounding(s scales, root uint64, tree int) kernel.Rounding {
	r := kernel.Rounding{G: s.g, H: s.h, Keys: seed.Stream(root, "gbdt/rounding", tree).Uint64()}
	if e.minH == e.maxH {
		r.H, r.Constant = 0, uint64(math.Round(float64(e.maxH*s.h)))
	}
	return r
}

// drawNoise draws the rows' noise, from the seed and the row's number so that it
// does not depend on who draws it.
func drawNoise(c *crew, n int, root uint64) []uint64 {
	key := seed.Stream(root, "gbdt/noise", 0).Uint64()
	noise := large[uint64](n)
	c.blocks(n, func(begin, end int) {
		for i := begin; i < end; i++ {
			noise[i] = mix(key + uint64(i)*0x9e3779b97f4a7c15)
		}
	})
	return noise
}

// tokenize writes the tokens of the rows, nil for all, and returns the sums
// over them.
func tokenize(ctx context.Context, c *crew, k kernel.Set, dst []token, rows []uint32, grad, hess []float64, noise []uint64, r kernel.Rounding) sums {
	part := make([]sums, (len(dst)+blockRows-1)/blockRows)
	c.blocks(len(dst), func(begin, end int) {
		if ctx.Err() != nil {
			return
		}
		if rows == nil {
			part[begin/blockRows] = k.Round(dst[begin:end], uint32(begin), grad[begin:end], hess[begin:end], noise[begin:end], &r)
			return
		}
		sum := sums(0)
		for i, row := range rows[begin:end] {
			t := r.Token(row, grad[row], hess[row], noise[row])
			dst[begin+i] = t
			sum += kernel.Sums(t)
		}
		part[begin/blockRows] = sum
	})
	total := sums(0)
	for _, sum := range part {
		total += sum
	}
	return total
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
