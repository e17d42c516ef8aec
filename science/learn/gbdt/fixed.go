package gbdt

import (
	"context"
	"math"
)

// A token is one row's place in the list that a tree is grown from:
//
//	bits 63..32  the row
//	bits 31..16  its gradient in fixed point, signed
//	bits 15..0   its hessian in fixed point
//
// Moving tokens instead of row numbers keeps the gradients in the order in
// which histograms read them.
type token = uint64

// sums is a sum of gradients in the upper and of hessians in the lower 32
// bits. Hessians are not negative and the scales keep every sum within 32
// bits, so plain integer addition and subtraction act on both at once.
type sums = int64

func unpack(t token) sums { return int64(int16(t>>16))<<32 | int64(t&0xffff) }

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

func (e extent) with(o extent) extent {
	return extent{
		sumG: e.sumG + o.sumG, maxG: max(e.maxG, o.maxG),
		sumH: e.sumH + o.sumH, maxH: max(e.maxH, o.maxH), minH: min(e.minH, o.minH),
	}
}

func measure(at []pair, rows []uint32) extent {
	e := extent{minH: math.Inf(1)}
	for _, r := range rows {
		g, h := math.Abs(at[r].g), at[r].h
		e.sumG += g
		e.sumH += h
		e.maxG, e.maxH, e.minH = max(e.maxG, g), max(e.maxH, h), min(e.minH, h)
	}
	return e
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

// tokenize writes the tokens of the rows and returns the sums over them.
//
// x becomes floor(x*scale + u) with u uniform in [0, 1): right on average,
// where rounding to the nearest would drop every value below half a unit, and
// with it what a large majority of confident rows have to say. u is a hash of
// key and row, so it does not depend on which worker rounds.
func tokenize(ctx context.Context, c crew, dst []token, rows []uint32, at []pair, s scales, e extent, key uint64) sums {
	part := make([]sums, (len(rows)+blockRows-1)/blockRows)
	constant := token(math.Round(float64(e.maxH * s.h)))
	c.blocks(len(rows), func(begin, end int) {
		if ctx.Err() != nil {
			return
		}
		sum := sums(0)
		for i := begin; i < end; i++ {
			r := rows[i]
			z := mix(key + uint64(r)*0x9e3779b97f4a7c15)
			g := round(float64(at[r].g*s.g), uint32(z>>32))
			h := constant
			if e.minH != e.maxH {
				h = token(round(float64(at[r].h*s.h), uint32(z)))
			}
			t := token(r)<<32 | token(uint16(g))<<16 | h
			dst[i] = t
			sum += unpack(t)
		}
		part[begin/blockRows] = sum
	})
	total := sums(0)
	for _, sum := range part {
		total += sum
	}
	return total
}

// round returns floor(x + u/2³²) for |x| < 2¹⁶.
func round(x float64, u uint32) int32 {
	const shift = 1 << 17 // conversion cuts off towards 0, which is floor from 0 on
	return int32(x+float64(float64(u)*0x1p-32)+shift) - shift
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
