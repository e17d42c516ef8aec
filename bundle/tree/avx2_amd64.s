#include "textflag.h"

// Bit b of each half's byte b and b+8.
DATA bitOf<>+0(SB)/8, $0x8040201008040201
DATA bitOf<>+8(SB)/8, $0x8040201008040201
DATA bitOf<>+16(SB)/8, $0x8040201008040201
DATA bitOf<>+24(SB)/8, $0x8040201008040201
GLOBL bitOf<>(SB), RODATA|NOPTR, $32

// func rankAVX2(dst *[lanes]uint16, x *float64, stride, n int, numbers *float64, start *[4]int, levels int)
TEXT ·rankAVX2(SB), NOSPLIT, $0-56
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
	VBROADCASTSD (SI), Y0
	XORL R10, R10 // rank so far
	XORL R11, R11 // level

level:
	MOVQ   (R8)(R11*8), AX
	MOVQ   R10, R12
	SHLQ   $4, R12
	ADDQ   R12, AX
	LEAQ   (BX)(AX*8), AX
	VCMPPD $0x1e, (AX), Y0, Y1   // value > number
	VCMPPD $0x1e, 32(AX), Y0, Y2
	VCMPPD $0x1e, 64(AX), Y0, Y3
	VCMPPD $0x1e, 96(AX), Y0, Y4
	VPACKSSDW Y2, Y1, Y1
	VPACKSSDW Y4, Y3, Y3
	VPACKSSWB Y3, Y1, Y1 // two bytes for each number
	VPMOVMSKB Y1, R10
	POPCNTL R10, R10
	SHRL   $1, R10
	ADDQ   R12, R10
	INCQ   R11
	CMPQ   R11, R9
	JLT    level

	VUCOMISD X0, X0
	CMOVLPS  R13, R10
	MOVW     R10, (DI)
	ADDQ     $2, DI
	ADDQ     DX, SI
	DECQ     CX
	JNZ      row
	VZEROUPPER
	RET

// func spreadAVX2(dst *[words]uint64, ranks *[lanes]uint16, from int, missingLeft bool)
TEXT ·spreadAVX2(SB), NOSPLIT, $0-25
	MOVQ    dst+0(FP), DI
	MOVQ    ranks+8(FP), SI
	MOVQ    from+16(FP), AX
	MOVBLZX missingLeft+24(FP), BX
	VMOVD   AX, X8
	VPBROADCASTW X8, Y8
	VPCMPEQW Y9, Y9, Y9
	VPSRLW  $8, Y9, Y10 // 255
	NEGL    BX
	VMOVD   BX, X11
	VPBROADCASTD X11, Y11 // all ones if missing goes left

#define HALF(from, to) \
	VMOVDQU  from(SI), Y0       \
	VMOVDQU  from+32(SI), Y1    \
	VPCMPEQW Y9, Y0, Y2         \
	VPCMPEQW Y9, Y1, Y3         \
	VPAND    Y11, Y2, Y2        \
	VPAND    Y11, Y3, Y3        \
	VPSUBUSW Y8, Y0, Y0         \
	VPSUBUSW Y8, Y1, Y1         \
	VPMINUW  Y10, Y0, Y0        \
	VPMINUW  Y10, Y1, Y1        \
	VPANDN   Y0, Y2, Y0         \
	VPANDN   Y1, Y3, Y1         \
	VPACKUSWB Y1, Y0, Y0        \
	VPERMQ   $0xd8, Y0, Y0      \
	VMOVDQU  Y0, to(DI)

	HALF(0, 0)
	HALF(64, 32)
	VZEROUPPER
	RET

// func setsAVX2(cols *uint64, ops *setSplit, n int)
TEXT ·setsAVX2(SB), NOSPLIT, $0-24
	MOVQ cols+0(FP), DI
	MOVQ ops+8(FP), SI
	MOVQ n+16(FP), CX
	VMOVDQU bitOf<>(SB), Y15
	VPXOR Y14, Y14, Y14
	MOVL  $0x1f, AX
	VMOVD AX, X13
	VPBROADCASTB X13, Y13
	MOVL  $7, AX
	VMOVD AX, X12
	VPBROADCASTB X12, Y12

#define SET(at) \
	VMOVDQU   at(DI)(BX*1), Y0 \ // codes
	VPSRLW    $3, Y0, Y1       \
	VPAND     Y13, Y1, Y1      \ // byte of the set
	VPAND     Y12, Y0, Y2      \ // bit of the byte
	VPSHUFB   Y1, Y10, Y3      \
	VPSHUFB   Y1, Y11, Y4      \
	VPBLENDVB Y0, Y4, Y3, Y3   \ // codes from 128 on read the upper half
	VPSHUFB   Y2, Y15, Y2      \
	VPAND     Y2, Y3, Y3       \
	VPCMPEQB  Y14, Y3, Y3      \
	VMOVDQU   Y3, at(DI)(AX*1)

op:
	MOVL (SI), AX
	MOVL 4(SI), BX
	VBROADCASTI128 8(SI), Y10
	VBROADCASTI128 24(SI), Y11
	SET(0)
	SET(32)
	ADDQ $40, SI
	DECQ CX
	JNZ  op
	VZEROUPPER
	RET

// func treesAVX2(acc *float64, cols *uint64, heads *head, n int, splits *split, values *float64)
//
// Y0, Y1: leaf numbers of 32 rows each.
TEXT ·treesAVX2(SB), NOSPLIT, $64-48
	MOVQ acc+0(FP), DI
	MOVQ cols+8(FP), SI
	MOVQ heads+16(FP), R8
	MOVQ n+24(FP), R9
	MOVQ splits+32(FP), R10
	MOVQ values+40(FP), R11

#define STEP(at, number) \
	VPMINUB  at(SI)(AX*1), Y4, Y2 \
	VPCMPEQB Y2, Y4, Y2           \ // goes right
	VPAND    Y6, Y2, Y2           \
	VPCMPEQB Y5, number, Y3       \ // came here
	VPAND    Y3, Y2, Y2           \
	VPADDB   Y2, number, number

tree:
	MOVL  (R8), CX
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	TESTL CX, CX
	JZ    leaves

split:
	MOVL (R10), AX
	VPBROADCASTB 4(R10), Y4
	VPBROADCASTB 5(R10), Y5
	VPBROADCASTB 6(R10), Y6
	STEP(0, Y0)
	STEP(32, Y1)
	ADDQ $8, R10
	DECL CX
	JNZ  split

leaves:
	VMOVDQU Y0, (SP)
	VMOVDQU Y1, 32(SP)
	XORL    BX, BX

#define PAIR(k) \
	MOVBLZX k(SP)(BX*1), AX        \
	MOVBLZX k+1(SP)(BX*1), DX      \
	VMOVSD  (R11)(AX*8), X2        \
	VMOVHPD (R11)(DX*8), X2, X2    \
	VADDPD  8*k(DI)(BX*8), X2, X2  \
	VMOVUPD X2, 8*k(DI)(BX*8)

rows:
	PAIR(0)
	PAIR(2)
	PAIR(4)
	PAIR(6)
	ADDQ $8, BX
	CMPQ BX, $64
	JLT  rows

	MOVL 4(R8), AX
	LEAQ (R11)(AX*8), R11
	ADDQ $8, R8
	DECQ R9
	JNZ  tree
	VZEROUPPER
	RET

// Byte i of a word's 32 bits, eight times.
DATA spread<>+0(SB)/8, $0x0000000000000000
DATA spread<>+8(SB)/8, $0x0101010101010101
DATA spread<>+16(SB)/8, $0x0202020202020202
DATA spread<>+24(SB)/8, $0x0303030303030303
GLOBL spread<>(SB), RODATA|NOPTR, $32

// func walkRowAVX2(numbers *[lanes]byte, columns *[256]byte, data *byte, right *uint64, steps, pages int)
//
// Y0, Y1: leaf numbers of 32 trees each.
TEXT ·walkRowAVX2(SB), NOSPLIT, $0-48
	MOVQ    numbers+0(FP), DI
	MOVQ    columns+8(FP), BX
	MOVQ    data+16(FP), SI
	MOVQ    right+24(FP), DX
	MOVQ    steps+32(FP), CX
	MOVQ    pages+40(FP), R8
	VMOVDQU bitOf<>(SB), Y15
	VMOVDQU spread<>(SB), Y14
	MOVL    $0x70, AX
	VMOVD   AX, X13
	VPBROADCASTB X13, Y13
	MOVL    $16, AX
	VMOVD   AX, X12
	VPBROADCASTB X12, Y12
	VPXOR   Y0, Y0, Y0
	VPXOR   Y1, Y1, Y1
	SHLQ    $4, R8
	ADDQ    BX, R8 // end of the pages

// The columns on this page, 0 for others: with 0x70 added, 16 and more have the
// high bit.
#define PAGE(ids, x, t) \
	VPADDUSB Y13, ids, t \
	VPSHUFB  t, Y4, t    \
	VPOR     t, x, x     \
	VPSUBB   Y12, ids, ids

#define TAKE(at, number, x, set) \
	VMOVDQU  64+at(SI), Y4        \
	VPMINUB  Y4, x, x             \
	VPCMPEQB Y4, x, x             \ // goes right
	VPOR     set, x, x            \
	VPCMPEQB 128+at(SI), number, Y5 \ // came here
	VPAND    Y5, x, x             \
	VPAND    192+at(SI), x, x     \
	VPADDB   x, number, number

step:
	VMOVDQU (SI), Y2
	VMOVDQU 32(SI), Y3
	VPXOR   Y6, Y6, Y6
	VPXOR   Y7, Y7, Y7
	MOVQ    BX, R9

page:
	VBROADCASTI128 (R9), Y4
	PAGE(Y2, Y6, Y8)
	PAGE(Y3, Y7, Y9)
	ADDQ $16, R9
	CMPQ R9, R8
	JLT  page

	VPBROADCASTD (DX), Y10
	VPBROADCASTD 4(DX), Y11
	VPSHUFB  Y14, Y10, Y10
	VPSHUFB  Y14, Y11, Y11
	VPAND    Y15, Y10, Y10
	VPAND    Y15, Y11, Y11
	VPCMPEQB Y15, Y10, Y10
	VPCMPEQB Y15, Y11, Y11
	TAKE(0, Y0, Y6, Y10)
	TAKE(32, Y1, Y7, Y11)
	ADDQ $256, SI
	ADDQ $8, DX
	DECQ CX
	JNZ  step

	VMOVDQU Y0, (DI)
	VMOVDQU Y1, 32(DI)
	VZEROUPPER
	RET
