#include "textflag.h"

// COUNT(k) adds the sums in AX to the histogram of feature k of the row whose
// cells begin at CX. A histogram has 256 words of 8 bytes.
#define COUNT(k) MOVBLZX k(CX), BX; ADDQ AX, (k*2048)(DI)(BX*8)

#define COUNT2 COUNT(0); COUNT(1)
#define COUNT4 COUNT2; COUNT(2); COUNT(3)
#define COUNT6 COUNT4; COUNT(4); COUNT(5)
#define COUNT8 COUNT6; COUNT(6); COUNT(7)
#define COUNT10 COUNT8; COUNT(8); COUNT(9)
#define COUNT12 COUNT10; COUNT(10); COUNT(11)
#define COUNT14 COUNT12; COUNT(12); COUNT(13)
#define COUNT16 COUNT14; COUNT(14); COUNT(15)

// TOKEN reads the token at SI: its sums into AX, the place of its cells into CX.
#define TOKEN \
	MOVQ (SI), AX      \
	MOVQ AX, CX        \
	SHRQ $32, CX       \
	SHLQ $4, CX        \
	ADDQ R8, CX        \
	MOVWLZX AX, DX     \
	SHLQ $32, AX       \
	SARQ $48, AX       \
	SHLQ $32, AX       \
	ADDQ DX, AX

// AHEAD is how many tokens ahead cells are asked for: 16 tokens take about 100
// ns to count, as long as memory takes to answer.
#define AHEAD 16

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
