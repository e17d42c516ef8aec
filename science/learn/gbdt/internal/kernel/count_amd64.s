#include "textflag.h"

// FIRST and SECOND add the sums in AX to the histograms of two features of the
// row whose cells are the low bytes of CX; NEXT brings the next two there. A
// histogram has 256 words of 8 bytes. CH can only be moved to an old register
// such as BX: the assembler takes others without complaint, and writes another
// instruction.
#define PAIR(k) \
	MOVBLZX CX, DX \
	MOVBLZX CH, BX \
	ADDQ AX, (k*2048)(DI)(DX*8) \
	ADDQ AX, (k*2048+2048)(DI)(BX*8)
#define NEXT SHRQ $16, CX

#define COUNT2 MOVQ (R11), CX; PAIR(0)
#define COUNT4 COUNT2; NEXT; PAIR(2)
#define COUNT6 COUNT4; NEXT; PAIR(4)
#define COUNT8 COUNT6; NEXT; PAIR(6)
#define COUNT10 COUNT8; MOVQ 8(R11), CX; PAIR(8)
#define COUNT12 COUNT10; NEXT; PAIR(10)
#define COUNT14 COUNT12; NEXT; PAIR(12)
#define COUNT16 COUNT14; NEXT; PAIR(14)

// TOKEN reads the token at SI: its sums into AX, the place of its cells into R11.
#define TOKEN \
	MOVQ (SI), AX      \
	MOVQ AX, R11       \
	SHRQ $32, R11      \
	SHLQ $4, R11       \
	ADDQ R8, R11       \
	MOVWLZX AX, DX     \
	SHLQ $32, AX       \
	SARQ $48, AX       \
	SHLQ $32, AX       \
	ADDQ DX, AX

// AHEAD is how many tokens ahead cells are asked for: 24 tokens take about 130
// ns to count, as long as memory takes to answer.
#define AHEAD 24

// FUNCTION counts all tokens: those that have a token AHEAD of them, asking
// for its cells, and then the others.
#define FUNCTION(BODY) \
	MOVQ h+0(FP), DI                  \
	MOVQ cells+8(FP), R8              \
	MOVQ tokens+16(FP), SI            \
	MOVQ n+24(FP), R9                 \
	LEAQ (SI)(R9*8), R9               \
	LEAQ (-AHEAD*8)(R9), R10          \
	CMPQ SI, R10                      \
	JHS rest                          \
ahead:                              \
	MOVQ (AHEAD*8)(SI), DX            \
	SHRQ $32, DX                      \
	SHLQ $4, DX                       \
	PREFETCHT0 (R8)(DX*1)             \
	TOKEN                             \
	BODY                              \
	ADDQ $8, SI                       \
	CMPQ SI, R10                      \
	JLO ahead                         \
rest:                               \
	TOKEN                             \
	BODY                              \
	ADDQ $8, SI                       \
	CMPQ SI, R9                       \
	JLO rest                          \
	RET

// func count2(h *Histogram, cells *uint8, tokens *uint64, n int)
TEXT ·count2(SB), NOSPLIT, $0-32
	FUNCTION(COUNT2)

// func count4(h *Histogram, cells *uint8, tokens *uint64, n int)
TEXT ·count4(SB), NOSPLIT, $0-32
	FUNCTION(COUNT4)

// func count6(h *Histogram, cells *uint8, tokens *uint64, n int)
TEXT ·count6(SB), NOSPLIT, $0-32
	FUNCTION(COUNT6)

// func count8a(h *Histogram, cells *uint8, tokens *uint64, n int)
TEXT ·count8a(SB), NOSPLIT, $0-32
	FUNCTION(COUNT8)

// func count10(h *Histogram, cells *uint8, tokens *uint64, n int)
TEXT ·count10(SB), NOSPLIT, $0-32
	FUNCTION(COUNT10)

// func count12(h *Histogram, cells *uint8, tokens *uint64, n int)
TEXT ·count12(SB), NOSPLIT, $0-32
	FUNCTION(COUNT12)

// func count14(h *Histogram, cells *uint8, tokens *uint64, n int)
TEXT ·count14(SB), NOSPLIT, $0-32
	FUNCTION(COUNT14)

// func count16a(h *Histogram, cells *uint8, tokens *uint64, n int)
TEXT ·count16a(SB), NOSPLIT, $0-32
	FUNCTION(COUNT16)
