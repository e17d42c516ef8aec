package kernel_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn/gbdt/internal/kernel"
)

// rows draws n tokens over a table of rows in rising order, and its cells.
func rows(rng *rand.Rand, n int) (cells []uint8, tokens []uint64) {
	total := n + rng.IntN(n+1)
	cells = make([]uint8, total*kernel.Width)
	for i := range cells {
		cells[i] = uint8(rng.Uint32())
	}
	for r := range total {
		if left := total - r; rng.IntN(left) < n-len(tokens) {
			tokens = append(tokens, uint64(r)<<32|uint64(rng.Uint32()))
		}
	}
	return cells, tokens
}

// compare checks that every set does what the plain Go one does.
func compare(t *testing.T, root uint64, n int) {
	t.Helper()
	rng := seed.Stream(root, "kernel", 0)
	cells, tokens := rows(rng, n)
	var goesLeft [256]uint8
	for b := range goesLeft {
		goesLeft[b] = uint8(rng.IntN(2))
	}
	if rng.IntN(4) == 0 {
		clear(goesLeft[:rng.IntN(257)])
	}
	width := 1 + rng.IntN(kernel.Width)
	var want kernel.Histogram
	var wantUp, wantDown [2][]uint64
	for i, set := range kernel.All() {
		var h kernel.Histogram
		set.Count(&h, cells, tokens, width)
		clear(h[width:])
		sides := func(divide func(left, right, tokens []uint64, cells []uint8, goesLeft *[256]uint8) int, inPlace int) (s [2][]uint64, n int) {
			s = [2][]uint64{make([]uint64, len(tokens)), make([]uint64, len(tokens))}
			source := slices.Clone(tokens)
			if rng.IntN(2) == 0 {
				s[inPlace] = source
			}
			return s, divide(s[0], s[1], source, cells, &goesLeft)
		}
		u, l := sides(set.Up, 0)
		d, m := sides(set.Down, 1)
		if l != m {
			t.Fatalf("%s, seed %d: %d of %d tokens went left upwards and %d downwards", set.Name, root, l, n, m)
		}
		u[0], u[1], d[0], d[1] = u[0][:l], u[1][:n-l], d[0][n-l:], d[1][l:]
		if i == 0 {
			want, wantUp, wantDown = h, u, d
			checkDivided(t, u, tokens, cells, &goesLeft)
		}
		if h != want {
			t.Fatalf("%s, seed %d: the histogram of %d rows and %d features is another one", set.Name, root, n, width)
		}
		for side := range 2 {
			if !slices.Equal(u[side], wantUp[side]) || !slices.Equal(d[side], wantDown[side]) || !slices.Equal(u[side], d[side]) {
				t.Fatalf("%s, seed %d: %d tokens are divided in another way", set.Name, root, n)
			}
		}
	}
}

func checkDivided(t *testing.T, got [2][]uint64, tokens []uint64, cells []uint8, goesLeft *[256]uint8) {
	t.Helper()
	var want [2][]uint64
	for _, token := range tokens {
		side := 1 - goesLeft[cells[token>>32]]
		want[side] = append(want[side], token)
	}
	if !slices.Equal(got[0], want[0]) || !slices.Equal(got[1], want[1]) {
		t.Fatal("tokens are lost, doubled or out of order")
	}
}

// margins draws margins, some of them beyond what the vector kernels do.
func margins(rng *rand.Rand, n int) []float64 {
	special := []float64{0, math.Copysign(0, -1), 699.9, -699.9, 700, -700, 745, -746, math.Inf(1), math.Inf(-1), 1e-300, -5e-324}
	size := math.Exp(rng.NormFloat64() * 2)
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64() * size
		if rng.IntN(20) == 0 {
			x[i] = special[rng.IntN(len(special))]
		}
	}
	return x
}

// compareRows is compare for the kernels that go through the rows.
func compareRows(t *testing.T, root uint64, n int) {
	t.Helper()
	type result struct {
		g, h   []float64
		extent kernel.Extent
		tokens []uint64
		sum    int64
	}
	rng := seed.Stream(root, "kernel rows", 0)
	margin, y, noise := margins(rng, n), make([]float64, n), make([]uint64, n)
	for i := range y {
		y[i], noise[i] = float64(rng.IntN(2)), rng.Uint64()
	}
	r := kernel.Rounding{G: rng.Float64() * 32766, H: rng.Float64() * 65534 * 4, Keys: rng.Uint64()}
	if rng.IntN(3) == 0 {
		r.H, r.Constant = 0, uint64(rng.IntN(65534))
	}
	var want result
	for i, set := range kernel.All() {
		got := result{make([]float64, n), make([]float64, n), kernel.NewExtent(), make([]uint64, n), 0}
		set.Logistic(got.g, got.h, margin, y)
		set.Measure(&got.extent, got.g, got.h)
		set.Measure(&got.extent, got.g[:n/2], got.h[:n/2])
		got.sum = set.Round(got.tokens, uint32(root), got.g, got.h, noise, &r)
		if i == 0 {
			want = got
		}
		if !slices.Equal(got.g, want.g) || !slices.Equal(got.h, want.h) {
			t.Fatalf("%s, seed %d, %d rows: other gradients", set.Name, root, n)
		}
		if got.extent != want.extent {
			t.Fatalf("%s, seed %d, %d rows: extent %v, want %v", set.Name, root, n, got.extent, want.extent)
		}
		if !slices.Equal(got.tokens, want.tokens) || got.sum != want.sum {
			t.Fatalf("%s, seed %d, %d rows: other tokens", set.Name, root, n)
		}
	}
}

// compareScan is compare for the search for an edge.
func compareScan(t *testing.T, root uint64) {
	t.Helper()
	rng := seed.Stream(root, "kernel scan", 0)
	var h [256]int64
	edges := rng.IntN(257)
	full := rng.IntN(4)
	q := kernel.Scan{Lambda: float64(rng.IntN(3)) * 1.5, MinHessian: 1 + float64(rng.IntN(2)*rng.IntN(10000)), Gain: rng.Float64() * 10}
	sums := func() int64 { return int64(rng.IntN(2001)-1000)<<32 + int64(rng.IntN(1000)) }
	if rng.IntN(2) == 0 {
		q.Start = sums()
	}
	q.Total = q.Start + sums()
	for b := range h {
		if rng.IntN(4) <= full {
			h[b] = sums()
		}
		if b > 0 && rng.IntN(8) == 0 {
			h[b] = -h[b-1] & -(1 << 32) // gradients that cancel, and so equal gains
		}
		q.Total += h[b]
	}
	q.Parent = float64(rng.IntN(100))
	wantEdge, want := 0, kernel.Scan{}
	for i, set := range kernel.All() {
		s := q
		edge := set.Scan(&h, edges, &s)
		if i == 0 {
			wantEdge, want = edge, s
		}
		if edge != wantEdge || s.Gain != want.Gain || edge >= 0 && s.Left != want.Left {
			t.Fatalf("%s, seed %d: edge %d with gain %g, want %d with %g", set.Name, root, edge, s.Gain, wantEdge, want.Gain)
		}
	}
}

// Rounding is floor(x+u), and right on average over all u to 2⁻³².
func TestToken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		x    float64
		u    uint32
		want int16
	}{
		{0, 0, 0}, {0, math.MaxUint32, 0}, {3, math.MaxUint32, 3}, {-3, math.MaxUint32, -3},
		{2.5, 1<<31 - 1, 2}, {2.5, 1 << 31, 3}, {-2.5, 1<<31 - 1, -3}, {-2.5, 1 << 31, -2},
		{32766, 0, 32766}, {-32766.9, 0, -32767},
	} {
		r := kernel.Rounding{G: 1, H: 1, Keys: 5<<32 | 7}
		token := r.Token(9, c.x, 2, uint64(c.u-5)<<32)
		if got := int16(token >> 16); got != c.want || token>>32 != 9 || token&0xffff != 2 {
			t.Errorf("floor(%g + %d/2³²) = %d, want %d; row %d, hessian %d", c.x, c.u, got, c.want, token>>32, token&0xffff)
		}
	}
}

func TestKernels(t *testing.T) {
	t.Parallel()
	for root := range uint64(300) {
		compare(t, root, 1+int(root)%90)
		compareRows(t, root, 1+int(root)%90)
		compareScan(t, root)
	}
	compare(t, 1, 40_000)
}

func FuzzKernels(f *testing.F) {
	f.Add(uint64(1), uint16(100))
	f.Add(uint64(2), uint16(1))
	f.Fuzz(func(t *testing.T, root uint64, n uint16) {
		compare(t, root, 1+int(n)%5000)
		compareRows(t, root, 1+int(n)%5000)
		compareScan(t, root)
	})
}

// One feature and three rows: two of the bins get a gradient of 2 and a
// hessian of 1 each, the third one both.
func ExampleSet() {
	token := func(row, gradient, hessian uint64) uint64 { return row<<32 | gradient<<16 | hessian }
	cells := make([]uint8, 3*kernel.Width)
	cells[0], cells[kernel.Width], cells[2*kernel.Width] = 7, 9, 7
	var h kernel.Histogram
	kernel.Best().Count(&h, cells, []uint64{token(0, 2, 1), token(1, 2, 1), token(2, 5, 3)}, 1)
	fmt.Println(h[0][7]>>32, uint32(h[0][7]), h[0][9]>>32, uint32(h[0][9]))
	// Output: 7 4 2 1
}

func BenchmarkCount(b *testing.B) {
	const n, width = 1 << 20, 14
	rng := seed.Stream(1, "kernel bench", 0)
	cells := make([]uint8, n*kernel.Width)
	for i := range cells {
		cells[i] = uint8(rng.Uint32())
	}
	var h kernel.Histogram
	for _, every := range []int{1, 8, 32} {
		var tokens []uint64
		for r := range n {
			if rng.IntN(every) == 0 {
				tokens = append(tokens, uint64(r)<<32|uint64(rng.Uint32()))
			}
		}
		for _, set := range kernel.All() {
			b.Run(fmt.Sprintf("%s/every=%d", set.Name, every), func(b *testing.B) {
				for b.Loop() {
					set.Count(&h, cells, tokens, width)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(tokens))/width, "ns/cell")
			})
		}
	}
}

func BenchmarkDivide(b *testing.B) {
	const n = 1 << 20
	rng := seed.Stream(1, "kernel bench", 1)
	cells := make([]uint8, n)
	for i := range cells {
		cells[i] = uint8(rng.Uint32())
	}
	var goesLeft [256]uint8
	for i := range 100 {
		goesLeft[i] = 1
	}
	for _, every := range []int{1, 8, 32} {
		var tokens []uint64
		for r := range n {
			if rng.IntN(every) == 0 {
				tokens = append(tokens, uint64(r)<<32|uint64(rng.Uint32()))
			}
		}
		left, right := make([]uint64, len(tokens)), make([]uint64, len(tokens))
		for _, set := range kernel.All() {
			b.Run(fmt.Sprintf("%s/every=%d", set.Name, every), func(b *testing.B) {
				for b.Loop() {
					set.Up(left, right, tokens, cells, &goesLeft)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(tokens)), "ns/row")
			})
		}
	}
}
