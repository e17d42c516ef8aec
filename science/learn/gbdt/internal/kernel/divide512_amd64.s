#include "textflag.h"

// Eight tokens at a time: their cells and the table make a mask, and the mask
// sorts the tokens into two registers. The loops of divide_amd64.s take twice
// the instructions. Cells are not asked for ahead: the processor itself looks
// some 30 tokens ahead here, and asking made nothing faster.

// SIDE moves the side of the token at SI+offset into BX from below: 1 if it
// goes right, for then its entry of the table is below 1.
#define SIDE(offset) \
	MOVL (offset+4)(SI), CX    \
	MOVBLZX (R10)(CX*1), CX    \
	CMPB (R11)(CX*1), $1       \
	ADCL BX, BX

// SIDES makes BX the mask of the eight tokens from SI+first on; the last comes
// first, to be the highest bit.
#define SIDES(first) \
	XORL BX, BX                \
	SIDE(first+56)             \
	SIDE(first+48)             \
	SIDE(first+40)             \
	SIDE(first+32)             \
	SIDE(first+24)             \
	SIDE(first+16)             \
	SIDE(first+8)              \
	SIDE(first)

// SORT puts those of the eight tokens that go left into Z2, the others into Z1,
// from the first lane on, and makes BX the number of the others.
#define SORT(first) \
	KMOVB BX, K1               \
	KNOTB K1, K2               \
	VMOVDQU64 first(SI), Z0    \
	VPCOMPRESSQ.Z Z0, K1, Z1   \
	VPCOMPRESSQ.Z Z0, K2, Z2   \
	POPCNTL BX, BX

#define ARGUMENTS \
	MOVQ left+0(FP), R8        \
	MOVQ right+8(FP), R9       \
	MOVQ tokens+16(FP), SI     \
	MOVQ n+24(FP), R12         \
	MOVQ cells+32(FP), R10     \
	MOVQ goesLeft+40(FP), R11  \
	MOVQ R8, DI

// Whole registers are stored: what is too much lies behind the side's end, and
// no further than the tokens just read, so it is written over or unspecified.
#define UP \
	SIDES(0)                   \
	SORT(0)                    \
	VMOVDQU64 Z2, (R8)         \
	VMOVDQU64 Z1, (R9)         \
	LEAQ (R9)(BX*8), R9        \
	NEGQ BX                    \
	LEAQ 64(R8)(BX*8), R8      \
	ADDQ $64, SI

// func divideUp512(left, right, tokens *uint64, n int, cells *uint8, goesLeft *[256]uint8) int
//
// n is a multiple of 8, and not 0.
TEXT ·divideUp512(SB), NOSPLIT, $0-56
	ARGUMENTS
	LEAQ (SI)(R12*8), R12
next:
	UP
	CMPQ SI, R12
	JLO next
	VZEROUPPER
	SUBQ DI, R8
	SHRQ $3, R8
	MOVQ R8, ret+48(FP)
	RET

// DOWN has its sides' last free places at R8 and R9. Here too much would lie on
// the tokens stored before, so only the lanes in use are stored.
#define DOWN \
	SIDES(-56)                 \
	SORT(-56)                  \
	BZHIL BX, R14, DX          \
	KMOVB DX, K1               \
	NEGQ BX                    \
	LEAQ (R9)(BX*8), R9        \
	VMOVDQU64 Z1, K1, 8(R9)    \
	ADDQ $8, BX                \
	BZHIL BX, R14, DX          \
	KMOVB DX, K2               \
	NEGQ BX                    \
	LEAQ (R8)(BX*8), R8        \
	VMOVDQU64 Z2, K2, 8(R8)    \
	SUBQ $64, SI

// func divideDown512(left, right, tokens *uint64, n int, cells *uint8, goesLeft *[256]uint8) int
//
// n is a multiple of 8, and not 0. The pointers are to the last elements.
TEXT ·divideDown512(SB), NOSPLIT, $0-56
	ARGUMENTS
	MOVL $0xff, R14
	NEGQ R12
	LEAQ (SI)(R12*8), R12
next:
	DOWN
	CMPQ SI, R12
	JHI next
	VZEROUPPER
	SUBQ R8, DI
	SHRQ $3, DI
	MOVQ DI, ret+48(FP)
	RET
