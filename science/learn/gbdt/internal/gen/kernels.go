package main

import (
	"fmt"
	"math"
)

const (
	ln2Hi = 0x1.62e42feep-1
	ln2Lo = math.Ln2 - ln2Hi
)

// logistic is num.Sigmoid, whose comments say why, for rows of which no margin
// is beyond 700; there exponents stay normal.
func (m machine) logistic(machine) string {
	var factorials []float64
	for n, f := 2, 2.0; n <= 13; n++ {
		factorials = append([]float64{1 / f}, factorials...)
		f *= float64(n + 1)
	}
	guard := `
	VCMPPD $0x11, V13, V1, K1 // |x| < 700
	KMOVB K1, AX
	CMPB AX, $0xff
	JNE done`
	pick := `
	VPXOR X6, X6, X6
	VCMPPD $0x11, V6, V0, K1
	VMOVUPD ` + c(1) + `, V6
	VMOVAPD V4, K1, V6`
	if m.lanes == 4 {
		guard = `
	VCMPPD $0x11, V13, V1, V2 // |x| < 700
	VMOVMSKPD V2, AX
	CMPL AX, $0xf
	JNE done`
		pick = `
	VMOVUPD ` + c(1) + `, V6
	VBLENDVPD V0, V4, V6, V6 // by the sign; x is not -0 where that mattered: e is 1 there`
	}
	return fmt.Sprintf(`
// func logistic%s(dg, dh, margin, y *float64, n int) int
//
// It returns how many rows, a multiple of %d, were done: all but a rest below
// that, or up to the first beyond the range.
TEXT ·logistic%s(SB), NOSPLIT, $0-48
	MOVQ dg+0(FP), DI
	MOVQ dh+8(FP), SI
	MOVQ margin+16(FP), R8
	MOVQ y+24(FP), R9
	MOVQ n+32(FP), R10
	VMOVUPD %s, V13
	XORQ CX, CX
next:
	LEAQ %d(CX), DX
	CMPQ DX, R10
	JHI done
	VMOVUPD (R8)(CX*8), V0
	AND %s, V0, V1
%s
	OR %s, V0, V1      // a = -|x|
	VMULPD %s, V1, V2
	VADDPD %s, V2, V2
	TRUNCATE V2, V2
	VADDPD %s, V2, V2  // k, of which -0 becomes 0
	VMULPD %s, V2, V3
	VSUBPD V3, V1, V3  // hi
	VMULPD %s, V2, V5  // lo
	VSUBPD V5, V3, V1  // r
%s	VMULPD V1, V1, V6
	VMULPD V6, V4, V4
	VSUBPD V1, V3, V3
	VSUBPD V5, V3, V3
	VADDPD V3, V4, V4  // tail
	VMOVUPD %s, V6
	VADDPD V1, V6, V5  // sum
	VSUBPD V5, V6, V6
	VADDPD V1, V6, V6
	VADDPD V4, V6, V6
	VADDPD V6, V5, V4
	VADDPD %s, V2, V2
	VPADDQ %s, V2, V2
	VPSLLQ $52, V2, V2
	VMULPD V2, V4, V4  // e = exp(a)
%s
	VADDPD %s, V4, V4
	VDIVPD V4, V6, V6  // p
	VMOVUPD %s, V5
	VSUBPD V6, V5, V5
	VMULPD V5, V6, V5
	VMOVUPD V5, (SI)(CX*8)
	VSUBPD (R9)(CX*8), V6, V6
	VMOVUPD V6, (DI)(CX*8)
	MOVQ DX, CX
	JMP next
done:
	VZEROUPPER
	MOVQ CX, ret+40(FP)
	RET
`, m.name, m.lanes, m.name, c(700), m.lanes, bits(1<<63-1), guard, bits(1<<63), c(math.Log2E), c(-0.5), c(0),
		c(ln2Hi), c(ln2Lo), horner("V4", "V1", factorials...), c(1), c(magic), bits(1023), pick, c(1), c(1))
}

// measure keeps eight sums, smallest and largest values, a lane each.
func (m machine) measure(machine) string {
	s := fmt.Sprintf(`
// func measure%s(e *Extent, dg, dh *float64, n int)
//
// n is a multiple of 8.
TEXT ·measure%s(SB), NOSPLIT, $0-32
	MOVQ e+0(FP), DI
	MOVQ dg+8(FP), SI
	MOVQ dh+16(FP), R8
	MOVQ n+24(FP), R10
	VMOVUPD %s, V15
	XORQ CX, CX
`, m.name, m.name, bits(1<<63-1))
	parts := 8 / m.lanes
	each := func(format string, fields int) {
		for p := range parts {
			for f := range fields {
				s += fmt.Sprintf(format, f*64+p*m.lanes*8, p*5+f)
			}
		}
	}
	each("\tVMOVUPD %d(DI), V%d\n", 5)
	s += "next:\n\tCMPQ CX, R10\n\tJHS done\n"
	for p := range parts {
		at := p * m.lanes * 8
		s += fmt.Sprintf(`	VMOVUPD %d(SI)(CX*8), V14
	AND V15, V14, V14
	VADDPD V14, V%d, V%d
	VMAXPD V14, V%d, V%d
	VMOVUPD %d(R8)(CX*8), V14
	VADDPD V14, V%d, V%d
	VMAXPD V14, V%d, V%d
	VMINPD V14, V%d, V%d
`, at, p*5, p*5, p*5+1, p*5+1, at, p*5+2, p*5+2, p*5+3, p*5+3, p*5+4, p*5+4)
	}
	s += "\tADDQ $8, CX\n\tJMP next\ndone:\n"
	for p := range parts {
		for f := range 5 {
			s += fmt.Sprintf("\tVMOVUPD V%d, %d(DI)\n", p*5+f, f*64+p*m.lanes*8)
		}
	}
	return s + "\tVZEROUPPER\n\tRET\n"
}

// round keeps 64-bit lanes throughout. Whole numbers pass between integers and
// floats through the low bits of larger floats: 2**52 + u is exact.
func (m machine) round(machine) string {
	two52 := uint64(0x4330000000000000)
	rounded := func(values, noise, scale, out string) string {
		return fmt.Sprintf(`	VMOVUPD (%s)(CX*8), %s
	VMULPD %s, %s, %s
	OR %s, %s, V5
	VSUBPD %s, V5, V5
	VMULPD %s, V5, V5
	VADDPD V5, %s, %s
	VADDPD %s, %s, %s
	TRUNCATE %s, %s
	VADDPD %s, %s, %s
	VPSUBQ %s, %s, %s
`, values, out, scale, out, out, bits(two52), noise, bits(two52), c(0x1p-32), out, out,
			c(1<<17), out, out, out, out, bits(two52), out, out, bits(two52+1<<17), out, out)
	}
	return fmt.Sprintf(`
// func round%s(tokens *uint64, first uint64, dg, dh *float64, noise *uint64, n int, r *Rounding) int64
//
// n is a multiple of %d.
TEXT ·round%s(SB), NOSPLIT, $64-64
	MOVQ tokens+0(FP), DI
	MOVQ first+8(FP), AX
	MOVQ dg+16(FP), SI
	MOVQ dh+24(FP), R8
	MOVQ noise+32(FP), R9
	MOVQ n+40(FP), R10
	MOVQ r+48(FP), R11
	VBROADCASTSD 0(R11), V8   // scale of g
	VBROADCASTSD 8(R11), V9   // scale of h
	VPBROADCASTQ 16(R11), V10 // keys
	VPBROADCASTQ 24(R11), V11 // constant hessian
	VMOVQ AX, X12
	VPBROADCASTQ X12, V12
	VPADDQ %s, V12, V12
	VPSLLQ $32, V12, V12      // rows
	VPXOR X7, X7, X7
	XORQ CX, CX
next:
	CMPQ CX, R10
	JHS done
	VMOVUPD (R9)(CX*8), V2
	VPADDD V10, V2, V2
	VPSRLQ $32, V2, V3
	AND %s, V2, V2
%s%s	VPADDQ V11, V1, V1
	VPSLLQ $32, V0, V4
	VPADDQ V1, V4, V4
	VPADDQ V4, V7, V7         // sums
	AND %s, V0, V0
	VPSLLQ $16, V0, V0
	OR V1, V0, V0
	OR V12, V0, V0
	VMOVUPD V0, (DI)(CX*8)
	VPADDQ %s, V12, V12
	ADDQ $%d, CX
	JMP next
done:
%s	VZEROUPPER
	MOVQ AX, ret+56(FP)
	RET
`, m.name, m.lanes, m.name, numbers(), bits(1<<32-1),
		rounded("SI", "V3", "V8", "V0"), rounded("R8", "V2", "V9", "V1"), bits(0xffff), bits(uint64(m.lanes)<<32), m.lanes, m.total())
}

// total adds the lanes of V7 into AX.
func (m machine) total() string {
	s := "\tVMOVUPD V7, sum-64(SP)\n\tXORQ AX, AX\n"
	for lane := range m.lanes {
		s += fmt.Sprintf("\tADDQ sum-%d(SP), AX\n", 64-8*lane)
	}
	return s
}
