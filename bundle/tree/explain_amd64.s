#include "go_asm.h"
#include "textflag.h"

// The node's part that is not arithmetic. R8 is the node, R9 what nodes leave
// behind, R10 where the row is hot, R11 the 1/F, R12 the answers, R13 the rule.
//
// Afterwards BX is 1 if the right child is hot, DX 1 if it or the left one is,
// DI is where D is, SI is 1/F, both in bytes.
#define WAY \
	MOVL  explainNode_question(R8), AX \
	MOVL  explainNode_answer(R8), BX   \
	SUBL  (R12)(AX*4), BX              \
	SHRL  $31, BX                      \
	MOVL  explainNode_before(R8), DX   \
	MOVL  (R10)(DX*4), DX              \
	ANDL  DX, BX                       \
	MOVL  explainNode_inverse(R8), SI  \
	IMULL DX, SI                       \
	MOVL  explainNode_from(R8), DI     \
	SHLQ  $6, SI                       \
	SHLQ  $6, DI

#define CHILDREN \
	MOVL explainNode_left(R8), AX      \
	MOVL explainNode_right(R8), CX     \
	MOVL BX, (R10)(CX*4)               \
	MOVL DX, CX                        \
	SUBL BX, CX                        \
	MOVL CX, (R10)(AX*4)

// Numbers of vectors in the rule: DX by whether the feature is hot, CX by where.
#define PLACES \
	LEAL (DX)(BX*1), CX                \
	SHLL $6, DX                        \
	SHLL $6, CX                        \
	NEGL BX

// g is gg, D of the children left and right, 1/F inv.
#define DOWN(at, share, gg, inv, left, right) \
	VMOVUPD at(R11)(SI*1), inv         \
	VMULPD  rule_u+at(R13)(DX*1), share, gg \
	VADDPD  rule_t+at(R13)(CX*1), gg, gg \
	VMULPD  inv, gg, gg                \
	VMOVUPD at(R9)(DI*1), left         \
	VMULPD  gg, left, right            \
	VSUBPD  right, left, left

#define STORE(at, gg, left, right) \
	VMOVUPD gg, explainDown_g+at(R14)  \
	VMOVUPD left, explainDown_left+at(R14) \
	VMOVUPD right, explainDown_right+at(R14)

// lost is D of the child that is not hot, and becomes what counts in phi.
#define PHI(at, inv, lost) \
	VMULPD  inv, lost, lost            \
	VMULPD  rule_phi+at(R13)(CX*1), lost, lost

// A twig: the node's U goes to where DI is, gg and phi are changed.
#define TWIG(at, gg, phi, left, delta) \
	VMULPD  delta, gg, gg              \
	VADDPD  left, gg, gg               \
	VMOVUPD gg, at(DI)                 \
	VMULPD  delta, phi, phi            \
	VADDPD  at(R9)(AX*1), phi, phi     \
	VMOVUPD phi, at(R9)(AX*1)

#define UP(at, left, delta, product) \
	VMOVUPD at(R11)(SI*1), left        \
	VMOVUPD at(R11)(DI*1), delta       \
	VSUBPD  left, delta, delta         \
	VMULPD  explainDown_g+at(R14), delta, product \
	VADDPD  product, left, left        \
	VMOVUPD left, at(R10)              \
	VMULPD  explainDown_phi+at(R14), delta, delta \
	VADDPD  at(R12)(AX*1), delta, delta \
	VMOVUPD delta, at(R12)(AX*1)

// func explainAVX2(down *explainDown, up *vector, hot *uint32, nodes *explainNode, branches, twigs int, values *float64, leaves int, inverse *vector, r *rule, answers *int32, sums *vector)
TEXT ·explainAVX2(SB), NOSPLIT, $16-96
	MOVQ down+0(FP), R9
	MOVQ hot+16(FP), R10
	MOVQ nodes+24(FP), R8
	MOVQ branches+32(FP), CX
	MOVQ inverse+64(FP), R11
	MOVQ r+72(FP), R13
	MOVQ answers+80(FP), R12
	MOVL $1, (R10)
	VMOVUPD rule_w(R13), Y0
	VMOVUPD rule_w+32(R13), Y1
	VMOVUPD Y0, (R9)
	VMOVUPD Y1, 32(R9)
	LEAQ explainDown__size(R9), R14
	MOVQ CX, R15
	TESTQ CX, CX
	JZ   twigs

branch:
	WAY
	CHILDREN
	VBROADCASTSD explainNode_share(R8)(DX*8), Y0
	PLACES
	DOWN(0, Y0, Y1, Y2, Y3, Y4)
	DOWN(32, Y0, Y5, Y6, Y7, Y8)
	VMOVD BX, X9
	VPBROADCASTD X9, Y9
	STORE(0, Y1, Y3, Y4)
	STORE(32, Y5, Y7, Y8)
	VBLENDVPD Y9, Y3, Y4, Y4
	VBLENDVPD Y9, Y7, Y8, Y8
	PHI(0, Y2, Y4)
	PHI(32, Y6, Y8)
	VMOVUPD Y4, explainDown_phi(R14)
	VMOVUPD Y8, explainDown_phi+32(R14)
	ADDQ $explainDown__size, R14
	ADDQ $explainNode__size, R8
	DECQ R15
	JNZ  branch

twigs:
	MOVQ branches+32(FP), AX
	SHLQ $6, AX
	ADDQ up+8(FP), AX
	MOVQ AX, own-8(SP) // the U of the twig
	MOVQ twigs+40(FP), AX
	MOVQ AX, left-16(SP)
	MOVQ values+48(FP), R15

twig:
	WAY
	VBROADCASTSD explainNode_share(R8)(DX*8), Y0
	PLACES
	DOWN(0, Y0, Y1, Y2, Y3, Y4)
	DOWN(32, Y0, Y5, Y6, Y7, Y8)
	VMOVD BX, X9
	VPBROADCASTD X9, Y9
	VBLENDVPD Y9, Y3, Y4, Y4
	VBLENDVPD Y9, Y7, Y8, Y8
	PHI(0, Y2, Y4)
	PHI(32, Y6, Y8)
	VBROADCASTSD (R15), Y10
	VBROADCASTSD 8(R15), Y11
	VSUBPD  Y10, Y11, Y11
	MOVL explainNode_feature(R8), AX
	SHLQ $6, AX
	MOVQ own-8(SP), DI
	MOVQ R9, R14
	MOVQ sums+88(FP), R9
	TWIG(0, Y1, Y4, Y10, Y11)
	TWIG(32, Y5, Y8, Y10, Y11)
	MOVQ R14, R9
	ADDQ $64, DI
	MOVQ DI, own-8(SP)
	ADDQ $16, R15
	ADDQ $explainNode__size, R8
	DECQ left-16(SP)
	JNZ  twig

	MOVQ leaves+56(FP), CX
	TESTQ CX, CX
	JZ   back
	MOVQ own-8(SP), R14

leaf:
	VBROADCASTSD (R15), Y0
	VMOVUPD Y0, (R14)
	VMOVUPD Y0, 32(R14)
	ADDQ $8, R15
	ADDQ $64, R14
	DECQ CX
	JNZ  leaf

back:
	MOVQ branches+32(FP), CX
	TESTQ CX, CX
	JZ   done
	MOVQ up+8(FP), R11
	MOVQ sums+88(FP), R12
	MOVQ CX, R10
	SHLQ $6, R10
	MOVQ R10, R14
	SHLQ $2, R14
	ADDQ R11, R10
	ADDQ R9, R14 // what the last branch left behind
	IMUL3Q $explainNode__size, CX, R8
	ADDQ nodes+24(FP), R8

up:
	SUBQ $explainNode__size, R8
	SUBQ $64, R10
	MOVL explainNode_left(R8), SI
	MOVL explainNode_right(R8), DI
	MOVL explainNode_feature(R8), AX
	SHLQ $6, SI
	SHLQ $6, DI
	SHLQ $6, AX
	UP(0, Y0, Y1, Y2)
	UP(32, Y0, Y1, Y2)
	SUBQ $explainDown__size, R14
	CMPQ R14, R9
	JNE  up

done:
	VZEROUPPER
	RET
