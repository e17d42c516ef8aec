#include "textflag.h"

DATA lane<>+0(SB)/8, $0
DATA lane<>+8(SB)/8, $1
DATA lane<>+16(SB)/8, $2
DATA lane<>+24(SB)/8, $3
DATA lane<>+32(SB)/8, $4
DATA lane<>+40(SB)/8, $5
DATA lane<>+48(SB)/8, $6
DATA lane<>+56(SB)/8, $7
GLOBL lane<>(SB), RODATA|NOPTR, $64

// func scan512(h *[256]int64, edges int, q *Scan)
//
// Eight edges at a time; each lane keeps the best of its edges, the first of
// equals, in q.gains and q.edges.
TEXT ·scan512(SB), NOSPLIT, $0-24
	MOVQ h+0(FP), SI
	MOVQ edges+8(FP), R8
	MOVQ q+16(FP), DI
	VPBROADCASTQ 0(DI), Z16  // start
	VPBROADCASTQ 8(DI), Z1   // total
	VBROADCASTSD 16(DI), Z17 // lambda
	VBROADCASTSD 24(DI), Z18 // smallest hessian
	VBROADCASTSD 32(DI), Z19 // parent
	VBROADCASTSD 40(DI), Z20 // best gains
	VPTERNLOGQ $255, Z21, Z21, Z21 // their edges: -1
	VPSRLQ $32, Z21, Z22     // the lower half
	VPANDQ Z22, Z1, Z23
	VCVTQQ2PD Z23, Z23       // hessian of the node
	VPSRAQ $32, Z1, Z24
	VCVTQQ2PD Z24, Z24       // gradient of the node
	VMOVDQU64 lane<>(SB), Z25 // numbers of the edges
	MOVQ $8, AX
	VPBROADCASTQ AX, Z26
	VPBROADCASTQ R8, Z27
	MOVQ $7, AX
	VPBROADCASTQ AX, Z28
	VMOVDQA64 Z16, Z29       // sums so far
	VPXORQ Z30, Z30, Z30
	XORQ CX, CX
next:
	CMPQ CX, R8
	JGE done
	VMOVDQU64 (SI)(CX*8), Z0
	VALIGNQ $7, Z30, Z0, Z1  // sums of all bins up to each: shift by 1, 2, 4 and add
	VPADDQ Z1, Z0, Z0
	VALIGNQ $6, Z30, Z0, Z1
	VPADDQ Z1, Z0, Z0
	VALIGNQ $4, Z30, Z0, Z1
	VPADDQ Z1, Z0, Z0
	VPADDQ Z29, Z0, Z0
	VPERMQ Z0, Z28, Z29
	VPCMPQ $4, Z16, Z0, K1   // more than the start
	VPCMPQ $1, Z27, Z25, K1, K1
	VPANDQ Z22, Z0, Z2
	VCVTQQ2PD Z2, Z2         // hl
	VPSRAQ $32, Z0, Z3
	VCVTQQ2PD Z3, Z3         // gl
	VSUBPD Z2, Z23, Z4       // hr
	VSUBPD Z3, Z24, Z5       // gr
	VCMPPD $0x1d, Z18, Z2, K1, K1
	VCMPPD $0x1d, Z18, Z4, K1, K1
	VADDPD Z17, Z2, Z2
	VADDPD Z17, Z4, Z4
	VMULPD Z3, Z3, Z3
	VMULPD Z5, Z5, Z5
	VDIVPD Z2, Z3, Z3
	VDIVPD Z4, Z5, Z5
	VADDPD Z5, Z3, Z3
	VSUBPD Z19, Z3, Z3
	VCMPPD $0x1e, Z20, Z3, K1, K1
	VMOVAPD Z3, K1, Z20
	VMOVDQA64 Z25, K1, Z21
	VPADDQ Z26, Z25, Z25
	ADDQ $8, CX
	JMP next
done:
	VMOVUPD Z20, 56(DI)
	VMOVDQU64 Z21, 120(DI)
	VZEROUPPER
	RET
