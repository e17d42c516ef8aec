#include "go_asm.h"
#include "textflag.h"

// The even and the odd ones of 32 words: the lower and the upper halves of
// numbers.
DATA even<>+0(SB)/8, $0x0000000200000000
DATA even<>+8(SB)/8, $0x0000000600000004
DATA even<>+16(SB)/8, $0x0000000a00000008
DATA even<>+24(SB)/8, $0x0000000e0000000c
DATA even<>+32(SB)/8, $0x0000001200000010
DATA even<>+40(SB)/8, $0x0000001600000014
DATA even<>+48(SB)/8, $0x0000001a00000018
DATA even<>+56(SB)/8, $0x0000001e0000001c
GLOBL even<>(SB), RODATA|NOPTR, $64

DATA odd<>+0(SB)/8, $0x0000000300000001
DATA odd<>+8(SB)/8, $0x0000000700000005
DATA odd<>+16(SB)/8, $0x0000000b00000009
DATA odd<>+24(SB)/8, $0x0000000f0000000d
DATA odd<>+32(SB)/8, $0x0000001300000011
DATA odd<>+40(SB)/8, $0x0000001700000015
DATA odd<>+48(SB)/8, $0x0000001b00000019
DATA odd<>+56(SB)/8, $0x0000001f0000001d
GLOBL odd<>(SB), RODATA|NOPTR, $64

// Words of two registers in turn: the halves of eight numbers put together.
DATA zip0<>+0(SB)/8, $0x0000001000000000
DATA zip0<>+8(SB)/8, $0x0000001100000001
DATA zip0<>+16(SB)/8, $0x0000001200000002
DATA zip0<>+24(SB)/8, $0x0000001300000003
DATA zip0<>+32(SB)/8, $0x0000001400000004
DATA zip0<>+40(SB)/8, $0x0000001500000005
DATA zip0<>+48(SB)/8, $0x0000001600000006
DATA zip0<>+56(SB)/8, $0x0000001700000007
GLOBL zip0<>(SB), RODATA|NOPTR, $64

DATA zip8<>+0(SB)/8, $0x0000001800000008
DATA zip8<>+8(SB)/8, $0x0000001900000009
DATA zip8<>+16(SB)/8, $0x0000001a0000000a
DATA zip8<>+24(SB)/8, $0x0000001b0000000b
DATA zip8<>+32(SB)/8, $0x0000001c0000000c
DATA zip8<>+40(SB)/8, $0x0000001d0000000d
DATA zip8<>+48(SB)/8, $0x0000001e0000000e
DATA zip8<>+56(SB)/8, $0x0000001f0000000f
GLOBL zip8<>(SB), RODATA|NOPTR, $64

// func rankAVX512(dst *[lanes]uint16, x *float64, stride, n int, numbers *float64, start *[4]int, levels int)
TEXT ·rankAVX512(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ stride+16(FP), DX
	MOVQ n+24(FP), CX
	MOVQ numbers+32(FP), BX
	MOVQ start+40(FP), R8
	MOVQ levels+48(FP), R9
	SHLQ $3, DX
	MOVL $0xffff, R13

row:
	VBROADCASTSD (SI), Z0
	XORL R10, R10 // rank so far
	XORL R11, R11 // level

level:
	MOVQ     (R8)(R11*8), AX
	SHLQ     $4, R10
	ADDQ     R10, AX
	LEAQ     (BX)(AX*8), AX
	VCMPPD   $0x1e, (AX), Z0, K1 // value > number
	VCMPPD   $0x1e, 64(AX), Z0, K2
	KUNPCKBW K1, K2, K1
	KMOVW    K1, R12
	POPCNTL  R12, R12
	ADDQ     R12, R10
	INCQ     R11
	CMPQ     R11, R9
	JLT      level

	VUCOMISD X0, X0
	CMOVLPS  R13, R10
	MOVW     R10, (DI)
	ADDQ     $2, DI
	ADDQ     DX, SI
	DECQ     CX
	JNZ      row
	VZEROUPPER
	RET

// func spreadAVX512(dst *[words]uint64, ranks *[lanes]uint16, from int, missingLeft bool)
TEXT ·spreadAVX512(SB), NOSPLIT, $0-25
	MOVQ         dst+0(FP), DI
	MOVQ         ranks+8(FP), SI
	MOVQ         from+16(FP), AX
	MOVBLZX      missingLeft+24(FP), BX
	VPBROADCASTW AX, Z2
	VMOVDQU16    (SI), Z0
	VMOVDQU16    64(SI), Z1
	KXNORD       K1, K1, K1
	KMOVD        K1, K2
	TESTL        BX, BX
	JZ           store
	VPTERNLOGD   $0xff, Z3, Z3, Z3
	VPCMPUW      $4, Z3, Z0, K1 // not missing
	VPCMPUW      $4, Z3, Z1, K2

store:
	VPSUBUSW.Z Z2, Z0, K1, Z0
	VPSUBUSW.Z Z2, Z1, K2, Z1
	VPMOVUSWB  Z0, (DI)
	VPMOVUSWB  Z1, 32(DI)
	VZEROUPPER
	RET

// A split for 64 rows: number is the register of their leaf numbers.
#define STEP(at, number, k) \
	VPCMPUB  $2, at(SI)(AX*1), Z4, k \ // goes right
	VPCMPEQB Z5, number, k, k        \ // and came here
	VPADDB   Z6, number, k, number

// The values of the tree's leaves as halves: Z12, Z13 the lower ones of the
// first 32, Z14, Z15 the upper ones; Z16 to Z19 likewise of the next 32.
#define HALVES(at, lo, hi) \
	VMOVUPD   at(R11), Z8       \
	VMOVUPD   at+64(R11), Z9    \
	VMOVDQA64 Z26, lo           \
	VMOVDQA64 Z27, hi           \
	VPERMI2D  Z9, Z8, lo        \
	VPERMI2D  Z9, Z8, hi

// Puts the halves Z20 and Z21 of 16 values together and adds them.
#define ADD16(at) \
	VMOVDQA64 Z28, Z22          \
	VMOVDQA64 Z29, Z23          \
	VPERMI2D  Z21, Z20, Z22     \
	VPERMI2D  Z21, Z20, Z23     \
	VADDPD    at(DI), Z22, Z22  \
	VADDPD    at+64(DI), Z23, Z23 \
	VMOVUPD   Z22, at(DI)       \
	VMOVUPD   Z23, at+64(DI)

// Adds the values of 16 rows whose leaf numbers are bytes, below 32 or 64.
#define LEAVES32(numbers, at) \
	VPMOVZXBD numbers, Z20      \
	VMOVDQA64 Z20, Z21          \
	VPERMI2D  Z13, Z12, Z20     \
	VPERMI2D  Z15, Z14, Z21     \
	ADD16(at)

#define LEAVES64(numbers, at) \
	VPMOVZXBD numbers, Z20      \
	VPTESTMD  Z30, Z20, K1      \
	VMOVDQA64 Z20, Z21          \
	VMOVDQA64 Z20, Z22          \
	VMOVDQA64 Z20, Z23          \
	VPERMI2D  Z13, Z12, Z20     \
	VPERMI2D  Z15, Z14, Z21     \
	VPERMI2D  Z17, Z16, Z22     \
	VPERMI2D  Z19, Z18, Z23     \
	VMOVDQA32 Z22, K1, Z20      \
	VMOVDQA32 Z23, K1, Z21      \
	ADD16(at)

// Adds the values of 64 rows by one of the two.
#define GROUP(LEAVES, x, z, at) \
	VEXTRACTI32X4 $1, z, X7     \
	VEXTRACTI32X4 $2, z, X10    \
	VEXTRACTI32X4 $3, z, X11    \
	LEAVES(x, at)               \
	LEAVES(X7, at+128)          \
	LEAVES(X10, at+256)         \
	LEAVES(X11, at+384)

// Adds the values of 64 rows whose numbers are any bytes. It changes BX.
#define ANY(z, at, label) \
	VMOVDQU64 z, (SP)           \
	XORL      BX, BX            \
label:                          \
	MOVBLZX   (SP)(BX*1), AX    \
	MOVBLZX   1(SP)(BX*1), DX   \
	VMOVSD    (R11)(AX*8), X20  \
	VMOVHPD   (R11)(DX*8), X20, X20 \
	VADDPD    at(DI)(BX*8), X20, X20 \
	VMOVUPD   X20, at(DI)(BX*8) \
	ADDQ      $2, BX            \
	CMPQ      BX, $64           \
	JLT       label

#define CONSTANTS \
	VMOVDQU64 even<>(SB), Z26   \
	VMOVDQU64 odd<>(SB), Z27    \
	VMOVDQU64 zip0<>(SB), Z28   \
	VMOVDQU64 zip8<>(SB), Z29   \
	MOVL $32, AX                \
	VPBROADCASTD AX, Z30

#define SPLIT \
	MOVL (R10), AX              \
	VPBROADCASTB 4(R10), Z4     \
	VPBROADCASTB 5(R10), Z5     \
	VPBROADCASTB 6(R10), Z6     \
	ADDQ $8, R10

// func treesAVX512x4(acc *float64, cols *uint64, heads *head, n int, splits *split, values *float64)
//
// The four groups are independent, which hides that a split takes about eight
// cycles from one leaf number to the next.
TEXT ·treesAVX512x4(SB), NOSPLIT, $64-48
	MOVQ acc+0(FP), DI
	MOVQ cols+8(FP), SI
	MOVQ heads+16(FP), R8
	MOVQ n+24(FP), R9
	MOVQ splits+32(FP), R10
	MOVQ values+40(FP), R11
	CONSTANTS

tree:
	MOVL   (R8), CX
	VPXORQ Z0, Z0, Z0
	VPXORQ Z1, Z1, Z1
	VPXORQ Z2, Z2, Z2
	VPXORQ Z3, Z3, Z3
	TESTL  CX, CX
	JZ     leaves

split:
	SPLIT
	STEP(0, Z0, K1)
	STEP(64, Z1, K2)
	STEP(128, Z2, K3)
	STEP(192, Z3, K4)
	DECL CX
	JNZ  split

leaves:
	MOVL 4(R8), CX
	CMPL CX, $64
	JGT  any
	HALVES(0, Z12, Z14)
	HALVES(128, Z13, Z15)
	JEQ  leaves64
	GROUP(LEAVES32, X0, Z0, 0)
	GROUP(LEAVES32, X1, Z1, 512)
	GROUP(LEAVES32, X2, Z2, 1024)
	GROUP(LEAVES32, X3, Z3, 1536)
	JMP  next

leaves64:
	HALVES(256, Z16, Z18)
	HALVES(384, Z17, Z19)
	GROUP(LEAVES64, X0, Z0, 0)
	GROUP(LEAVES64, X1, Z1, 512)
	GROUP(LEAVES64, X2, Z2, 1024)
	GROUP(LEAVES64, X3, Z3, 1536)
	JMP  next

any:
	ANY(Z0, 0, any0)
	ANY(Z1, 512, any1)
	ANY(Z2, 1024, any2)
	ANY(Z3, 1536, any3)

next:
	LEAQ (R11)(CX*8), R11
	ADDQ $8, R8
	DECQ R9
	JNZ  tree
	VZEROUPPER
	RET

// func treesAVX512(acc *float64, cols *uint64, heads *head, n int, splits *split, values *float64)
TEXT ·treesAVX512(SB), NOSPLIT, $64-48
	MOVQ acc+0(FP), DI
	MOVQ cols+8(FP), SI
	MOVQ heads+16(FP), R8
	MOVQ n+24(FP), R9
	MOVQ splits+32(FP), R10
	MOVQ values+40(FP), R11
	CONSTANTS

tree:
	MOVL   (R8), CX
	VPXORQ Z0, Z0, Z0
	TESTL  CX, CX
	JZ     leaves

split:
	SPLIT
	STEP(0, Z0, K1)
	DECL CX
	JNZ  split

leaves:
	MOVL 4(R8), CX
	CMPL CX, $64
	JGT  any
	HALVES(0, Z12, Z14)
	HALVES(128, Z13, Z15)
	JEQ  leaves64
	GROUP(LEAVES32, X0, Z0, 0)
	JMP  next

leaves64:
	HALVES(256, Z16, Z18)
	HALVES(384, Z17, Z19)
	GROUP(LEAVES64, X0, Z0, 0)
	JMP  next

any:
	ANY(Z0, 0, any0)

next:
	LEAQ (R11)(CX*8), R11
	ADDQ $8, R8
	DECQ R9
	JNZ  tree
	VZEROUPPER
	RET

// func rankRowAVX512(dst *uint16, row *float64, rankings *ranking, n int)
TEXT ·rankRowAVX512(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ row+8(FP), SI
	MOVQ rankings+16(FP), R8
	MOVQ n+24(FP), CX
	MOVL $0xffff, R13

feature:
	MOVQ ranking_feature(R8), AX
	MOVQ ranking_numbers(R8), BX
	MOVQ ranking_levels(R8), R9
	VBROADCASTSD (SI)(AX*8), Z0
	XORL R10, R10 // rank so far
	XORL R11, R11 // level

level:
	MOVQ     ranking_start(R8)(R11*8), AX
	SHLQ     $4, R10
	ADDQ     R10, AX
	LEAQ     (BX)(AX*8), AX
	VCMPPD   $0x1e, (AX), Z0, K1 // value > number
	VCMPPD   $0x1e, 64(AX), Z0, K2
	KUNPCKBW K1, K2, K1
	KMOVW    K1, R12
	POPCNTL  R12, R12
	ADDQ     R12, R10
	INCQ     R11
	CMPQ     R11, R9
	JLT      level

	VUCOMISD X0, X0
	CMOVLPS  R13, R10
	MOVW     R10, (DI)
	ADDQ     $2, DI
	ADDQ     $ranking__size, R8
	DECQ     CX
	JNZ      feature
	VZEROUPPER
	RET

// func walkRowAVX512(numbers *[lanes]byte, columns *[256]byte, data *byte, right *uint64, steps int, wide bool)
TEXT ·walkRowAVX512(SB), NOSPLIT, $0-41
	MOVQ      numbers+0(FP), DI
	MOVQ      columns+8(FP), BX
	MOVQ      data+16(FP), SI
	MOVQ      right+24(FP), DX
	MOVQ      steps+32(FP), CX
	VPXORQ    Z0, Z0, Z0
	VMOVDQU64 (BX), Z16
	VMOVDQU64 64(BX), Z17
	CMPB      wide+40(FP), $0
	JNE       wide

narrowStep:
	VMOVDQU64 (SI), Z1
	VPERMI2B  Z17, Z16, Z1
	KMOVQ     (DX), K2
	VPCMPUB   $5, 64(SI), Z1, K1 // goes right
	KORQ      K2, K1, K1
	VPCMPEQB  128(SI), Z0, K1, K1 // and came here
	VPADDB    192(SI), Z0, K1, Z0
	ADDQ      $256, SI
	ADDQ      $8, DX
	DECQ      CX
	JNZ       narrowStep
	JMP       done

wide:
	VMOVDQU64 128(BX), Z18
	VMOVDQU64 192(BX), Z19

wideStep:
	VMOVDQU64 (SI), Z1
	VMOVDQA64 Z1, Z2
	VPMOVB2M  Z1, K3
	VPERMI2B  Z17, Z16, Z1
	VPERMI2B  Z19, Z18, Z2
	VMOVDQU8  Z2, K3, Z1
	KMOVQ     (DX), K2
	VPCMPUB   $5, 64(SI), Z1, K1
	KORQ      K2, K1, K1
	VPCMPEQB  128(SI), Z0, K1, K1
	VPADDB    192(SI), Z0, K1, Z0
	ADDQ      $256, SI
	ADDQ      $8, DX
	DECQ      CX
	JNZ       wideStep

done:
	VMOVDQU64 Z0, (DI)
	VZEROUPPER
	RET
