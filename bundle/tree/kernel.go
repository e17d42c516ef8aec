package tree

import (
	"fmt"
	"slices"
)

// Kernel names a set of instructions that scoring uses. All kernels give the
// same bits; they differ in speed alone.
type Kernel string

// The kernels. Portable is plain Go and runs everywhere.
const (
	AVX512   Kernel = "avx512" // amd64 with AVX-512 F, BW, DQ, VL and VBMI
	AVX2     Kernel = "avx2"   // amd64 with AVX2 and FMA
	Portable Kernel = "portable"
)

// Kernels returns the kernels that this processor can run, the fastest first;
// the last is always [Portable].
func Kernels() []Kernel { return append(machineKernels(), Portable) }

// checkKernel returns an error unless this processor can run k.
func checkKernel(k Kernel) error {
	if can := Kernels(); !slices.Contains(can, k) {
		return fmt.Errorf("kernel %q: this processor runs %v", k, can)
	}
	return nil
}

// kernel is the work that has an assembly form. A group is lanes rows; all
// byte columns are those of one block.
type kernel struct {
	// rank sets dst[i] to the number of thresholds below the feature's value
	// in row i, for the first n rows, missingRank if that is NaN. x begins with
	// the first row's value; the next row's is stride further.
	rank func(dst *[lanes]uint16, x []float64, stride, n int, r *ranking)

	// spread makes the bytes of a column from ranks.
	spread func(dst *[words]uint64, ranks *[lanes]uint16, c *column)

	// sets makes a group's bytes of set splits' columns; cols begins with the
	// group.
	sets func(cols []uint64, ops []setSplit)

	// trees adds the leaf values of the trees to acc, for the first groups
	// groups of a block.
	trees func(acc *[blockRows]float64, cols []uint64, heads []head, splits []split, values []float64, groups int)

	// rankRow sets dst[i] to the rank of the row's value by ranking i.
	rankRow func(dst []uint16, row []float64, rankings []ranking)

	// walkRow sets the leaf numbers that the row reaches in up to 64 trees, all
	// of whose columns are among the first used columns, one that is always 0
	// included; right has a word for each step.
	walkRow func(numbers *[lanes]byte, columns *[256]byte, data []byte, right []uint64, steps, used int)

	// ways finds where the nodes of a tile look up, for the row whose answers
	// are in s.
	ways func(s *explainScratch, t *explainTile)

	// explain adds the contributions of a tile at the points of one rule to the
	// sums.
	explain func(s *explainScratch, t *explainTile, r *rule, states []float64)
}
