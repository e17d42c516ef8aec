// Package kernel holds the loops in which training trees spends its time, each
// in plain Go and, where the processor allows, in assembly.
//
// A [Set] is one implementation of all of them. [Best] returns the fastest set
// that this machine runs; [All] returns every one, the plain Go first, so that
// tests can compare them. All sets give the same bits for the same input: sums
// are of integers, and floating-point loops do the same IEEE operations in the
// same order per row, unfused. Which set runs can therefore never be seen in a
// model.
//
// # Words
//
//	cell   the bin of one feature in one row, a byte
//	block  up to 16 features whose cells lie side by side, 16 bytes a row
//	token  a row's number and its gradient and hessian in fixed point:
//	       bits 63..32 the row, 31..16 the gradient (signed), 15..0 the hessian
//	sums   a sum of gradients in the upper and of hessians in the lower 32 bits
//
// # Why assembly
//
// Rows of a deep node are scattered over the table. Asking for the cells of
// the row that comes 24 tokens later hides nearly all of the wait for memory,
// and there is no way to ask in Go. That alone makes counting several times
// faster; the loops themselves are nearly what the compiler would write.
//
// # What it does not do
//
// It checks nothing that is in its comments: rows out of range read and write
// other memory. Only package gbdt uses it.
package kernel

// Width is how many cells a row has in a block: as many features as have
// their histograms, 256 words each, together in the first-level cache.
const Width = 16

// Histogram holds the sums per feature of a block and bin.
type Histogram [Width][256]int64

// Set is one implementation of the kernels.
type Set struct {
	Name string

	// Count adds each token's gradient and hessian to the bins of its row, in
	// the first width features of h; what it leaves in the others is
	// unspecified. cells are the block's, Width bytes for each row.
	Count func(h *Histogram, cells []uint8, tokens []uint64, width int)

	// Up divides the tokens by goesLeft[cells[row]], which is 0 or 1: those
	// with 1 go to the front of left, the others to the front of right, both in
	// their order. It returns how many went left. left and right are as long as
	// tokens; left may be tokens itself, right may not. What it leaves behind
	// the tokens of each side is unspecified.
	Up func(left, right, tokens []uint64, cells []uint8, goesLeft *[256]uint8) int

	// Down is Up with both sides filled from their ends: the tokens with 1 go
	// to the end of left, the others to the end of right. right may be tokens
	// itself, left may not.
	Down func(left, right, tokens []uint64, cells []uint8, goesLeft *[256]uint8) int

	// Logistic sets g and h to the derivatives of the log loss of each row by
	// its margin: p-y and p(1-p), p being [num.Sigmoid] of the margin. The
	// slices are equally long.
	Logistic func(g, h, margin, y []float64)

	// Measure adds rows to e. g and h are equally long and finite, h is not
	// negative.
	Measure func(e *Extent, g, h []float64)

	// Round writes the tokens of the rows first, first+1, ... and returns the
	// sums over them. The slices are as long as tokens; r's scales bring
	// gradients to within ±(2¹⁵-2), hessians to within 2¹⁶-2.
	Round func(tokens []uint64, first uint32, g, h []float64, noise []uint64, r *Rounding) int64

	// Scan returns the first of the best edges after bins 0..edges-1 whose gain
	// exceeds q.Gain, and sets q.Gain and q.Left; -1: there is none. Edges to
	// the left of all bins with rows do not count.
	Scan func(h *[256]int64, edges int, q *Scan) int
}

// plain is the Go twin of every kernel.
var plain = Set{Name: "go", Count: count, Up: up, Down: down, Logistic: logistic, Measure: measure, Round: round, Scan: scan}

//go:generate sh -c "go run ../gen > rows_amd64.s"

// Best returns the fastest set for this processor.
func Best() Set {
	all := All()
	return all[len(all)-1]
}
