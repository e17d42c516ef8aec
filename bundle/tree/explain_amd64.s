#include "go_asm.h"
#include "textflag.h"

// The node's part that is not arithmetic: which child keeps the feature hot.
// R8 is the node, R9 what nodes leave behind, R10 the ways, R11 the 1/F, R12 the
// answers, R13 the rule, R14 the size of the ways before the node's: an eighth
// of the size of what they leave behind, half of the size of their U.
//
// Afterwards SI is where D is, BX is 1/F, both in bytes, CX the number of the
// share, DX 0 or the size of a vector if the feature is hot above.
#define WAY \
	MOVL  explainNode_question(R8), AX   \
	MOVL  (R12)(AX*4), AX                \
	XORL  BX, BX                         \
	CMPL  AX, explainNode_answer(R8)     \
	SETGT BX                             \
	MOVL  explainNode_before(R8), DX     \
	SHLQ  $5, DX                         \
	MOVL  explainWay_from(R10)(DX*1), DX \
	ANDL  $1, DX                         \
	ANDL  DX, BX                         \ // the right child is hot
	MOVL  BX, CX                         \
	SHLL  $6, CX                         \
	SUBL  BX, CX                         \
	LEAQ  explainDown__size(DX)(R14*8), R15 \
	ADDQ  CX, R15                        \ // h if left, and whether it is hot
	MOVL  explainNode_left(R8), SI       \
	MOVL  explainNode_right(R8), DI      \
	MOVQ  SI, AX                         \
	SHLQ  $5, AX                         \
	MOVQ  R15, explainWay_from(R10)(AX*1) \
	LEAQ  explainDown__size+64(R14*8), R15 \
	SUBQ  CX, R15                        \
	MOVQ  DI, AX                         \
	SHLQ  $5, AX                         \
	MOVQ  R15, explainWay_from(R10)(AX*1) \
	LEAQ  (DX)(BX*1), CX                 \
	MOVQ  SI, AX                         \
	TESTL BX, BX                         \
	CMOVQNE DI, SI                       \
	CMOVQNE AX, DI                       \
	SHLQ  $32, DI                        \
	ORQ   DI, SI                         \
	MOVQ  SI, explainWay_keeps(R10)(R14*1) \
	MOVQ  explainWay_from(R10)(R14*1), SI \
	ANDQ  $-2, SI                        \
	MOVL  explainNode_inverse(R8), BX    \
	MOVL  DX, AX                         \
	NEGL  AX                             \
	ANDL  AX, BX                         \
	SHLQ  $6, BX                         \
	SHLQ  $6, DX

#define BEGIN \
	MOVQ $1, explainWay_from(R10)        \
	XORL R14, R14                        \
	MOVQ CX, AX                          \
	SHLQ $5, AX                          \
	MOVQ AX, end-8(SP)

#define NEXT \
	ADDQ $explainNode__size, R8          \
	ADDQ $32, R14                        \
	CMPQ R14, end-8(SP)

#define BACK \
	SUBQ $explainNode__size, R8          \
	SUBQ $32, R14                        \
	MOVL explainWay_keeps(R10)(R14*1), SI \
	MOVL explainWay_loses(R10)(R14*1), DI \
	MOVL explainNode_feature(R8), AX     \
	SHLQ $6, SI                          \
	SHLQ $6, DI                          \
	SHLQ $6, AX

#define DOWN(at, a, b, c, d, e) \
	VMOVUPD at(R11)(BX*1), b              \
	VMOVUPD at(R9)(SI*1), c               \
	VMULPD  rule_g+at(R13)(DX*1), a, d    \
	VMULPD  b, d, d                       \ // g
	VMULPD  d, c, e                       \ // D[c]
	VSUBPD  e, c, c                       \ // D[h]
	VMULPD  b, e, b                       \
	VMULPD  rule_phi+at(R13)(DX*1), b, b  \
	VMOVUPD c, explainDown__size+explainDown_h+at(R9)(R14*8)   \
	VMOVUPD e, explainDown__size+explainDown_c+at(R9)(R14*8)   \
	VMOVUPD b, explainDown__size+explainDown_phi+at(R9)(R14*8) \
	VMOVUPD d, explainDown__size+explainDown_g+at(R9)(R14*8)

#define UP(at, a, b, c) \
	VMOVUPD at(R11)(SI*1), a              \
	VSUBPD  at(R11)(DI*1), a, b           \ // U[h] - U[c]
	VMULPD  explainDown__size+explainDown_g+at(R9)(R14*8), b, c \
	VSUBPD  c, a, a                       \
	VMOVUPD a, at(R11)(R14*2)             \
	VMULPD  explainDown__size+explainDown_phi+at(R9)(R14*8), b, b \
	VADDPD  at(R12)(AX*1), b, b           \
	VMOVUPD b, at(R12)(AX*1)

// func explainAVX512(down *explainDown, up *vector, ways *explainWay, nodes *explainNode, n int, values *float64, inverse *vector, r *rule, answers *int32, sums *vector)
TEXT ·explainAVX512(SB), NOSPLIT, $8-80
	MOVQ down+0(FP), R9
	MOVQ ways+16(FP), R10
	MOVQ nodes+24(FP), R8
	MOVQ n+32(FP), CX
	MOVQ inverse+48(FP), R11
	MOVQ r+56(FP), R13
	MOVQ answers+64(FP), R12
	BEGIN
	VMOVUPD rule_w(R13), Z0
	VMOVUPD Z0, (R9)

down:
	WAY
	VBROADCASTSD explainNode_share(R8)(CX*8), Z0
	DOWN(0, Z0, Z1, Z2, Z3, Z4)
	NEXT
	JLT  down

	MOVQ up+8(FP), R11
	MOVQ values+40(FP), SI
	MOVQ sums+72(FP), R12
	LEAQ (R11)(R14*2), DI
	MOVQ n+32(FP), CX
	INCQ CX

leaf:
	VBROADCASTSD (SI), Z0
	VMOVUPD Z0, (DI)
	ADDQ $8, SI
	ADDQ $64, DI
	DECQ CX
	JNZ  leaf

up:
	BACK
	UP(0, Z0, Z1, Z2)
	TESTQ R14, R14
	JNZ   up
	VZEROUPPER
	RET

// func explainAVX2(down *explainDown, up *vector, ways *explainWay, nodes *explainNode, n int, values *float64, inverse *vector, r *rule, answers *int32, sums *vector)
TEXT ·explainAVX2(SB), NOSPLIT, $8-80
	MOVQ down+0(FP), R9
	MOVQ ways+16(FP), R10
	MOVQ nodes+24(FP), R8
	MOVQ n+32(FP), CX
	MOVQ inverse+48(FP), R11
	MOVQ r+56(FP), R13
	MOVQ answers+64(FP), R12
	BEGIN
	VMOVUPD rule_w(R13), Y0
	VMOVUPD rule_w+32(R13), Y1
	VMOVUPD Y0, (R9)
	VMOVUPD Y1, 32(R9)

down:
	WAY
	VBROADCASTSD explainNode_share(R8)(CX*8), Y0
	DOWN(0, Y0, Y1, Y2, Y3, Y4)
	DOWN(32, Y0, Y1, Y2, Y3, Y4)
	NEXT
	JLT  down

	MOVQ up+8(FP), R11
	MOVQ values+40(FP), SI
	MOVQ sums+72(FP), R12
	LEAQ (R11)(R14*2), DI
	MOVQ n+32(FP), CX
	INCQ CX

leaf:
	VBROADCASTSD (SI), Y0
	VMOVUPD Y0, (DI)
	VMOVUPD Y0, 32(DI)
	ADDQ $8, SI
	ADDQ $64, DI
	DECQ CX
	JNZ  leaf

up:
	BACK
	UP(0, Y0, Y1, Y2)
	UP(32, Y0, Y1, Y2)
	TESTQ R14, R14
	JNZ   up
	VZEROUPPER
	RET
