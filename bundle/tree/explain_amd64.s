#include "go_asm.h"
#include "textflag.h"

// The repeats. R13 is where nodes look up, DX the bytes of a state.
#define REPEATS \
	MOVQ explainTile_repeats(SI), R8   \
	MOVQ explainTile_repeats+8(SI), CX \
	TESTQ CX, CX                       \
	JZ   done                          \
	ADDL DX, DX                        \
repeat:                                \
	MOVL repeat_before(R8), AX         \
	MOVL repeat_node(R8), DI           \
	MOVL (R13)(AX*4), AX               \
	MOVL (R13)(DI*4), BX               \
	CMPL AX, repeat_hot(R8)            \
	CMOVLNE DX, BX                     \
	ADDL repeat_base(R8), BX           \
	MOVL BX, (R13)(DI*4)               \
	ADDQ $repeat__size, R8             \
	DECQ CX                            \
	JNZ  repeat                        \
done:                                  \
	VZEROUPPER                         \
	RET

#define WAYS \
	MOVQ s+0(FP), AX                   \
	MOVQ t+8(FP), SI                   \
	MOVQ explainScratch_ways(AX), R13  \
	MOVQ explainScratch_answers(AX), R12 \
	MOVQ explainTile_questions(SI), R8 \
	MOVQ explainTile_limits(SI), R9    \
	MOVQ explainTile_limits+8(SI), CX  \
	MOVL explainTile_points(SI), DX    \
	SHLL $4, DX                        \
	VMOVD DX, X7                       \
	VPCMPEQD Y5, Y5, Y5                \
	VPSRLD $16, Y5, Y5                 \
	XORL R15, R15

// func waysAVX2(s *explainScratch, t *explainTile)
TEXT ·waysAVX2(SB), NOSPLIT, $0-16
	WAYS
	VPBROADCASTD X7, Y7

way:
	VPCMPEQD Y6, Y6, Y6
	VMOVDQU (R8)(R15*4), Y0
	VPMOVZXWD (R9)(R15*2), Y1
	VPGATHERDD Y6, (R12)(Y0*2), Y2
	VPAND   Y5, Y2, Y2
	VPCMPGTD Y1, Y2, Y2
	VPAND   Y7, Y2, Y2
	VMOVDQU Y2, (R13)(R15*4)
	ADDQ $8, R15
	CMPQ R15, CX
	JNE  way
	REPEATS

// func waysAVX512(s *explainScratch, t *explainTile)
TEXT ·waysAVX512(SB), NOSPLIT, $0-16
	WAYS
	MOVQ explainTile_few(SI), R8
	VPBROADCASTD X7, Z7
	VMOVDQU32 (R12), Z0
	VMOVDQU32 64(R12), Z1

way:
	VPMOVZXBW (R8)(R15*1), Z2
	VPERMI2W Z1, Z0, Z2
	VPCMPUW $6, (R9)(R15*2), Z2, K1
	KSHIFTRD $16, K1, K2
	VMOVDQA32.Z Z7, K1, Z3
	VMOVDQA32.Z Z7, K2, Z4
	VMOVDQU32 Z3, (R13)(R15*4)
	VMOVDQU32 Z4, 64(R13)(R15*4)
	ADDQ $32, R15
	CMPQ R15, CX
	JNE  way
	REPEATS

// In all of these, R8 is the nodes, R9 D and later U, R11 what is looked up, R12
// the sums, R13 where nodes look up, R14 the node's pair; next is the bytes of a
// vector. R15 counts nodes in fours.

// D of the children left and right.
#define DOWN(next, u, left, right) \
	MOVL  (R13)(R15*1), BX             \
	MOVL  explainNode_from(R8)(R15*4), AX \
	VBROADCASTSD explainNode_share(R8)(R15*4), right \
	VFMADD213PD (R11)(BX*1), u, right  \
	VMOVUPD (R9)(AX*1), left           \
	VMULPD  left, right, right         \
	VSUBPD  right, left, left          \
	VMOVUPD left, (R14)                \
	VMOVUPD right, next(R14)

// U of a twig, and its part of the sum: the feature was not split on above. CX
// turns bytes of states into bytes of cases.
#define PLAIN(u, v, cc, dd) \
	MOVL  (R13), BX                    \
	MOVQ  plainTwig_from(R8), AX       \
	SHRL  CX, BX                       \
	MOVQ  AX, DX                       \
	MOVL  AX, AX                       \
	SHRQ  $32, DX                      \
	VBROADCASTSD plainTwig_cases(R8)(BX*1), v \
	VBROADCASTSD plainTwig_cases+8(R8)(BX*1), cc \
	VMOVUPD (R9)(AX*1), dd             \
	VFMADD213PD (R12)(DX*1), cc, dd    \
	VFNMADD231PD u, cc, v              \
	VMOVUPD v, (R9)(AX*1)              \
	VMOVUPD dd, (R12)(DX*1)

// A chain: a node with a leaf and such a twig. U of the node, the parts of both
// in the sums.
#define CHAIN(u, z, gg, cc, v, leaf, dd) \
	MOVQ  (R13), BX                    \
	MOVQ  explainChain_features(R8), DX \
	MOVL  explainChain_from(R8), AX    \
	MOVQ  BX, R10                      \
	MOVL  DX, DI                       \
	SHRQ  $32, R10                     \
	SHRQ  $32, DX                      \
	SHRL  CX, BX                       \
	SHRL  CX, R10                      \
	VBROADCASTSD explainChain_cases(R8)(BX*1), gg \
	VBROADCASTSD explainChain_cases+8(R8)(BX*1), z \
	VBROADCASTSD explainChain_twig(R8)(R10*1), v \
	VBROADCASTSD explainChain_twig+8(R8)(R10*1), cc \
	VBROADCASTSD explainChain_leaf(R8), leaf \
	VMOVUPD (R9)(AX*1), dd             \
	VFNMADD231PD u, z, gg              \
	VFNMADD231PD u, cc, v              \
	VMULPD  dd, z, z                   \
	VSUBPD  leaf, v, v                 \
	VMULPD  dd, gg, dd                 \
	VFMADD213PD (R12)(DI*1), v, z      \
	VFMADD213PD leaf, v, gg            \
	VFMADD213PD (R12)(DX*1), cc, dd    \
	VMOVUPD z, (R12)(DI*1)             \
	VMOVUPD gg, (R9)(AX*1)             \
	VMOVUPD dd, (R12)(DX*1)

// What the three ways of a fork or a stalk are: BX, DI, R10 from R8, for cases.
// Then DI, DX, BX are where its sums are, in the order of its nodes, AX its D.
#define THREEWAYS \
	MOVQ  (R13), BX                    \
	MOVL  8(R13), R10                  \
	MOVQ  BX, DI                       \
	SHRQ  $32, DI                      \
	SHRL  CX, BX                       \
	SHRL  CX, DI                       \
	SHRL  CX, R10

#define THREEPLACES(places) \
	MOVQ  places(R8), DX               \
	MOVQ  places+8(R8), AX             \
	MOVL  DX, DI                       \
	MOVL  AX, BX                       \
	SHRQ  $32, DX                      \
	SHRQ  $32, AX

// A fork: a node with two such twigs. They may have a feature in common, so
// that one sum is stored before the other is loaded.
#define FORK(u, z, gg, v, cc, w, dd, left, right) \
	THREEWAYS                          \
	VBROADCASTSD explainFork_cases(R8)(BX*1), gg \
	VBROADCASTSD explainFork_cases+8(R8)(BX*1), z \
	VBROADCASTSD explainFork_left(R8)(DI*1), v \
	VBROADCASTSD explainFork_left+8(R8)(DI*1), cc \
	VBROADCASTSD explainFork_right(R8)(R10*1), w \
	VBROADCASTSD explainFork_right+8(R8)(R10*1), dd \
	THREEPLACES(explainFork_features)  \
	VMOVUPD (R9)(AX*1), left           \
	VFNMADD231PD u, z, gg              \
	VFNMADD231PD u, cc, v              \
	VFNMADD231PD u, dd, w              \
	VMULPD  left, z, z                 \
	VMULPD  left, gg, right            \
	VSUBPD  v, w, w                    \
	VSUBPD  right, left, left          \
	VFMADD213PD (R12)(DI*1), w, z      \
	VFMADD213PD v, w, gg               \
	VFMADD213PD (R12)(DX*1), cc, left  \
	VMOVUPD z, (R12)(DI*1)             \
	VMOVUPD gg, (R9)(AX*1)             \
	VMOVUPD left, (R12)(DX*1)          \
	VFMADD213PD (R12)(BX*1), dd, right \
	VMOVUPD right, (R12)(BX*1)

// A stalk: a node with a leaf and a chain.
#define STALK(u, z, gg, y, hh, cc, v, leaf, low, dd) \
	THREEWAYS                          \
	VBROADCASTSD explainStalk_cases(R8)(BX*1), gg \
	VBROADCASTSD explainStalk_cases+8(R8)(BX*1), z \
	VBROADCASTSD explainStalk_chain(R8)(DI*1), hh \
	VBROADCASTSD explainStalk_chain+8(R8)(DI*1), y \
	VBROADCASTSD explainStalk_twig(R8)(R10*1), v \
	VBROADCASTSD explainStalk_twig+8(R8)(R10*1), cc \
	VBROADCASTSD explainStalk_leaf(R8), leaf \
	VBROADCASTSD explainStalk_low(R8), low \
	THREEPLACES(explainStalk_features) \
	VMOVUPD (R9)(AX*1), dd             \
	VFNMADD231PD u, z, gg              \
	VFNMADD231PD u, y, hh              \
	VFNMADD231PD u, cc, v              \
	VMULPD  dd, z, z                   \
	VMULPD  dd, gg, dd                 \
	VSUBPD  low, v, v                  \
	VMULPD  dd, y, y                   \
	VMULPD  dd, hh, dd                 \
	VFMADD213PD (R12)(DX*1), v, y      \
	VFMADD213PD low, v, hh             \
	VFMADD213PD (R12)(BX*1), cc, dd    \
	VSUBPD  leaf, hh, hh               \
	VMOVUPD y, (R12)(DX*1)             \
	VFMADD213PD (R12)(DI*1), hh, z     \
	VFMADD213PD leaf, hh, gg           \
	VMOVUPD dd, (R12)(BX*1)            \
	VMOVUPD z, (R12)(DI*1)             \
	VMOVUPD gg, (R9)(AX*1)

// A twig whose feature was split on above.
#define TWIG(next, u, share, gg, y, delta) \
	MOVL  (R13), BX                    \
	MOVL  explainNode_from(R8), AX     \
	MOVL  explainNode_feature(R8), DX  \
	VBROADCASTSD explainNode_share(R8), share \
	VBROADCASTSD explainTwig_delta(R8), delta \
	VMOVUPD (R11)(BX*1), gg            \
	VMOVUPD next(R11)(BX*1), y         \
	VFMADD231PD u, share, gg           \
	VSUBPD  share, y, y                \
	VBROADCASTSD explainTwig_low(R8), share \
	VMULPD  (R9)(AX*1), y, y           \
	VFMADD213PD share, delta, gg       \
	VFMADD213PD (R12)(DX*1), delta, y  \
	VMOVUPD gg, (R9)(AX*1)             \
	VMOVUPD y, (R12)(DX*1)

// U of the node before R15, and its part of the sum.
#define UP(next, u, share, gg, y, delta, left) \
	MOVL  -4(R13)(R15*1), BX           \
	MOVQ  explainNode_from-explainNode__size(R8)(R15*4), AX \
	MOVQ  AX, DX                       \
	MOVL  AX, AX                       \
	SHRQ  $32, DX                      \
	VBROADCASTSD explainNode_share-explainNode__size(R8)(R15*4), share \
	VMOVUPD (R14), left                \
	VMOVUPD next(R14), delta           \
	VMOVUPD (R11)(BX*1), gg            \
	VMOVUPD next(R11)(BX*1), y         \
	VSUBPD  left, delta, delta         \
	VFMADD231PD u, share, gg           \
	VSUBPD  share, y, y                \
	VMULPD  (R9)(AX*1), y, y           \
	VFMADD213PD left, delta, gg        \
	VFMADD213PD (R12)(DX*1), delta, y  \
	VMOVUPD gg, (R9)(AX*1)             \
	VMOVUPD y, (R12)(DX*1)

// What the arguments point to; R11 is set already.
#define TILE \
	MOVQ s+0(FP), AX                   \
	MOVQ t+8(FP), SI                   \
	MOVQ explainScratch_down(AX), R9   \
	MOVQ explainScratch_sums(AX), R12  \
	MOVQ explainScratch_ways(AX), R13

// The work, with registers u, a to i; a is the weights.
#define EXPLAIN(next, u, a, b, c, d, e, f, g, h, i) \
	MOVQ explainTile_roots(SI), R15    \
	MOVQ R9, R14                       \
root:                                  \
	VMOVUPD a, (R14)                   \
	ADDQ $next, R14                    \
	DECQ R15                           \
	JNZ  root                          \
	MOVQ explainTile_pairs(SI), R14    \
	ADDQ R9, R14                       \
	MOVQ explainTile_nodes(SI), R8     \
	MOVQ explainTile_nodes+8(SI), R15  \
	SHLQ $2, R15                       \
	JZ   forks                         \
	ADDQ R15, R13                      \
	LEAQ (R8)(R15*4), R8               \
	NEGQ R15                           \
down:                                  \
	DOWN(next, u, a, b)                \
	LEAQ 2*next(R14), R14              \
	ADDQ $4, R15                       \
	JNZ  down                          \
forks:                                 \
	MOVL $(next/32), CX                \
	INCL CX                            \
	MOVQ explainTile_forks(SI), R8     \
	MOVQ explainTile_forks+8(SI), R15  \
	TESTQ R15, R15                     \
	JZ   stalks                        \
fork:                                  \
	FORK(u, a, b, c, d, e, f, g, h)    \
	ADDQ $12, R13                      \
	ADDQ $explainFork__size, R8        \
	DECQ R15                           \
	JNZ  fork                          \
stalks:                                \
	MOVQ explainTile_stalks(SI), R8    \
	MOVQ explainTile_stalks+8(SI), R15 \
	TESTQ R15, R15                     \
	JZ   chains                        \
stalk:                                 \
	STALK(u, a, b, c, d, e, f, g, h, i) \
	ADDQ $12, R13                      \
	ADDQ $explainStalk__size, R8       \
	DECQ R15                           \
	JNZ  stalk                         \
chains:                                \
	MOVQ explainTile_chains(SI), R8    \
	MOVQ explainTile_chains+8(SI), R15 \
	TESTQ R15, R15                     \
	JZ   plains                        \
chain:                                 \
	CHAIN(u, a, b, c, d, e, f)         \
	ADDQ $8, R13                       \
	ADDQ $explainChain__size, R8       \
	DECQ R15                           \
	JNZ  chain                         \
plains:                                \
	MOVQ explainTile_plain(SI), R8     \
	MOVQ explainTile_plain+8(SI), R15  \
	TESTQ R15, R15                     \
	JZ   twigs                         \
plain:                                 \
	PLAIN(u, a, b, c)                  \
	ADDQ $4, R13                       \
	ADDQ $plainTwig__size, R8          \
	DECQ R15                           \
	JNZ  plain                         \
twigs:                                 \
	MOVQ explainTile_twigs(SI), R8     \
	MOVQ explainTile_twigs+8(SI), R15  \
	TESTQ R15, R15                     \
	JZ   leaves                        \
twig:                                  \
	TWIG(next, u, a, b, c, d)          \
	ADDQ $4, R13                       \
	ADDQ $explainTwig__size, R8        \
	DECQ R15                           \
	JNZ  twig                          \
leaves:                                \
	MOVQ explainTile_leaves(SI), R8    \
	MOVQ explainTile_leaves+8(SI), R15 \
	TESTQ R15, R15                     \
	JZ   back                          \
leaf:                                  \
	VBROADCASTSD explainLeaf_value(R8), a \
	MOVQ explainLeaf_at(R8), AX        \
	VMOVUPD a, (R9)(AX*1)              \
	ADDQ $explainLeaf__size, R8        \
	DECQ R15                           \
	JNZ  leaf                          \
back:                                  \
	MOVQ explainTile_nodes(SI), R8     \
	MOVQ explainTile_nodes+8(SI), R15  \
	SHLQ $2, R15                       \
	JZ   done                          \
	MOVQ s+0(FP), R13                  \
	MOVQ explainScratch_ways(R13), R13 \
up:                                    \
	LEAQ -2*next(R14), R14             \
	UP(next, u, a, b, c, d, e)         \
	SUBQ $4, R15                       \
	JNZ  up                            \
done:                                  \
	VZEROUPPER                         \
	RET

// Half of the points of a vector, from byte AX on.
#define HALF \
	ADDQ AX, R9                        \
	ADDQ AX, R11                       \
	ADDQ AX, R12                       \
	VMOVUPD rule_w(BX)(AX*1), Y1       \
	VMOVUPD rule_u(BX)(AX*1), Y0

// func explainFour(s *explainScratch, t *explainTile, r *rule, states *float64)
TEXT ·explainFour(SB), NOSPLIT, $0-32
	MOVQ r+16(FP), BX
	MOVQ states+24(FP), R11
	TILE
	XORL AX, AX
	HALF
	EXPLAIN(32, Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9)

// func explainTwice(s *explainScratch, t *explainTile, r *rule, states *float64, first int)
TEXT ·explainTwice(SB), NOSPLIT, $0-40
	MOVQ r+16(FP), BX
	MOVQ states+24(FP), R11
	TILE
	MOVQ first+32(FP), AX
	HALF
	EXPLAIN(64, Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9)

// func explainEight(s *explainScratch, t *explainTile, r *rule, states *float64)
TEXT ·explainEight(SB), NOSPLIT, $0-32
	MOVQ r+16(FP), BX
	MOVQ states+24(FP), R11
	TILE
	VMOVUPD rule_w(BX), Z1
	VMOVUPD rule_u(BX), Z0
	EXPLAIN(64, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9)
