#include "textflag.h"

// AHEAD is how many tokens ahead cells are asked for.
#define AHEAD 32

// STEP takes the token at SI to the ends R8 and R9 of the two sides; BX becomes
// 1 if it goes left. The further end moves by the caller.
#define STEP \
	MOVQ (SI), AX              \
	MOVQ AX, CX                \
	SHRQ $32, CX               \
	MOVBLZX (R10)(CX*1), CX    \
	MOVBLZX (R11)(CX*1), BX    \
	MOVQ AX, (R8)              \
	MOVQ AX, (R9)

#define ASK(offset) \
	MOVQ (offset)(SI), DX      \
	SHRQ $32, DX               \
	PREFETCHT0 (R10)(DX*1)

#define ARGUMENTS \
	MOVQ left+0(FP), R8        \
	MOVQ right+8(FP), R9       \
	MOVQ tokens+16(FP), SI     \
	MOVQ n+24(FP), R12         \
	MOVQ cells+32(FP), R10     \
	MOVQ goesLeft+40(FP), R11  \
	MOVQ R8, DI

// UP moves the left end if BX is 1, else the right end, by one token.
#define UP \
	LEAQ (R8)(BX*8), R8        \
	XORQ $1, BX                \
	LEAQ (R9)(BX*8), R9        \
	ADDQ $8, SI

// func divideUp(left, right, tokens *uint64, n int, cells *uint8, goesLeft *[256]uint8) int
TEXT ·divideUp(SB), NOSPLIT, $0-56
	ARGUMENTS
	LEAQ (SI)(R12*8), R12
	LEAQ (-AHEAD*8)(R12), R13
	CMPQ SI, R13
	JHS rest
ahead:
	ASK(AHEAD*8)
	STEP
	UP
	CMPQ SI, R13
	JLO ahead
rest:
	STEP
	UP
	CMPQ SI, R12
	JLO rest
	SUBQ DI, R8
	SHRQ $3, R8
	MOVQ R8, ret+48(FP)
	RET

// DOWN is UP in the other direction.
#define DOWN \
	SHLQ $3, BX                \
	SUBQ BX, R8                \
	SUBQ $8, R9                \
	ADDQ BX, R9                \
	SUBQ $8, SI

// func divideDown(left, right, tokens *uint64, n int, cells *uint8, goesLeft *[256]uint8) int
//
// The pointers are to the last elements.
TEXT ·divideDown(SB), NOSPLIT, $0-56
	ARGUMENTS
	NEGQ R12
	LEAQ (SI)(R12*8), R12
	LEAQ (AHEAD*8)(R12), R13
	CMPQ SI, R13
	JLS rest
ahead:
	ASK(-AHEAD*8)
	STEP
	DOWN
	CMPQ SI, R13
	JHI ahead
rest:
	STEP
	DOWN
	CMPQ SI, R12
	JHI rest
	SUBQ R8, DI
	SHRQ $3, DI
	MOVQ DI, ret+48(FP)
	RET
