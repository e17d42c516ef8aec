package gbdt

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn/gbdt/internal/kernel"
)

// values draws n numbers of the kinds that make binning hard.
func values(rng *rand.Rand, n int) []float64 {
	special := []float64{math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), math.MaxFloat64, -math.MaxFloat64,
		math.SmallestNonzeroFloat64, math.NaN(), 1, math.Nextafter(1, 2)}
	distinct := 1 + rng.IntN(2*n)
	x := make([]float64, n)
	for i := range x {
		switch rng.IntN(4) {
		case 0:
			x[i] = special[rng.IntN(len(special))]
		case 1:
			x[i] = math.Float64frombits(rng.Uint64())
		default:
			x[i] = float64(rng.IntN(distinct))
		}
	}
	return x
}

// checkBins checks the promise on which everything rests: the bin of a value
// is at most b exactly if the value is at most the edge of b.
func checkBins(t *testing.T, x, w []float64, limit int) {
	t.Helper()
	b := numericBins(&sorter{}, x, w, limit)
	distinct, _, missing := (&sorter{}).tally(x, w)
	if b.hasMissing != missing || b.count > limit || b.count != min(len(distinct), 1)+len(b.edges) {
		t.Fatalf("%d bins with %d edges, limit %d, missing %v", b.count, len(b.edges), limit, b.hasMissing)
	}
	if len(distinct) <= limit && b.count != len(distinct) {
		t.Fatalf("%d bins for %d distinct values, limit %d", b.count, len(distinct), limit)
	}
	for k := 1; k < len(b.edges); k++ {
		if !(b.edges[k-1] < b.edges[k]) {
			t.Fatalf("edges %g and %g do not rise", b.edges[k-1], b.edges[k])
		}
	}
	for _, v := range x {
		bin := b.bin(v)
		if math.IsNaN(v) {
			if bin != missingBin {
				t.Fatalf("missing has bin %d", bin)
			}
			continue
		}
		for k := range b.count {
			if (v <= b.edge(k)) != (int(bin) <= k) {
				t.Fatalf("value %g has bin %d, edge %d is %g", v, bin, k, b.edge(k))
			}
		}
	}
}

func TestBins(t *testing.T) {
	t.Parallel()
	for root := range uint64(300) {
		rng := seed.Stream(root, "bins", 0)
		x := values(rng, 1+rng.IntN(600))
		if root%3 == 0 { // many neighbours with the same leading bits
			for i := range x {
				x[i] = 1e15 - x[i]
			}
		}
		var w []float64
		if rng.IntN(2) == 0 {
			w = make([]float64, len(x))
			for i := range w {
				w[i] = rng.ExpFloat64()
			}
		}
		checkBins(t, x, w, 2+rng.IntN(254))
	}
}

func FuzzBins(f *testing.F) {
	f.Add(1.0, math.Inf(-1), 2.0, math.NaN(), 3)
	f.Fuzz(func(t *testing.T, a, b, c, d float64, limit int) {
		if limit < 2 || limit > maxBins {
			return
		}
		checkBins(t, []float64{a, b, c, d, b, b}, nil, limit)
	})
}

// A value as heavy as a bin stays alone, and the others share the rest evenly.
func TestHeavyValue(t *testing.T) {
	t.Parallel()
	var x []float64
	for i := range 1000 {
		x = append(x, 500, float64(i)+0.25)
	}
	b := numericBins(&sorter{}, x, nil, 50)
	if low, high := b.bin(499.25), b.bin(500.25); b.bin(500) != low+1 || high != low+2 {
		t.Errorf("500 has bin %d between %d and %d", b.bin(500), low, high)
	}
	rows := make([]int, b.count)
	for i := range 1000 {
		rows[b.bin(float64(i)+0.25)]++
	}
	if b.count < 48 || slices.Max(rows) > 24 { // 1,000 rows in 49 bins: 20 or 21 each
		t.Errorf("%d bins; the fullest has %d of 1,000 light rows", b.count, slices.Max(rows))
	}
}

// No bin has values of both signs, however few have one of them.
func TestBinsEndAtZero(t *testing.T) {
	t.Parallel()
	for _, share := range []float64{0.002, 0.02, 0.31, 0.5, 0.96, 0.999} {
		rng := seed.Stream(7, "zero", 0)
		values := make([]float64, 5000)
		for i := range values {
			values[i] = -rng.Float64()
			if rng.Float64() < share {
				values[i] = rng.Float64()
			}
		}
		b := numericBins(&sorter{}, values, nil, 64)
		if b.count != 64 {
			t.Errorf("share %g: %d bins, want 64", share, b.count)
		}
		var signs [256][2]bool
		for _, x := range values {
			signs[b.bin(x)][int(1+math.Copysign(1, x))/2] = true
		}
		for bin, s := range signs {
			if s[0] && s[1] {
				t.Errorf("share %g: bin %d has both signs", share, bin)
			}
		}
	}
}

// Tokens keep gradients and hessians to within one unit, sums never run over
// into each other, and the sum over many rows is right to chance.
func TestTokens(t *testing.T) {
	t.Parallel()
	for root := range uint64(20) {
		rng := seed.Stream(root, "tokens", 0)
		n := 1 + rng.IntN(70_000)
		grad, hess := make([]float64, n), make([]float64, n)
		size := math.Exp(rng.NormFloat64() * 50)
		for i := range grad {
			grad[i], hess[i] = size*(rng.Float64()-0.9), size*rng.ExpFloat64()
			if root%4 == 0 {
				hess[i] = size
			}
		}
		k := kernel.Best()
		parts := []kernel.Extent{kernel.NewExtent()}
		k.Measure(&parts[0], grad, hess)
		e := fold(parts)
		s := e.scales(n)
		tokens := make([]token, n)
		var rows []uint32 // nil: all
		if root%2 == 0 {
			for i := range n {
				rows = append(rows, uint32(i))
			}
		}
		c := newCrew(2)
		sum := tokenize(context.Background(), c, k, tokens, rows, grad, hess, drawNoise(c, n, root), e.rounding(s, root, 3))
		c.close()
		var g, h, exactG, exactH int64
		for i, t0 := range tokens {
			v := kernel.Sums(t0)
			if int(t0>>32) != i || math.Abs(gradientOf(v)-grad[i]*s.g) > 1 || math.Abs(hessianOf(v)-hess[i]*s.h) > 1 {
				t.Fatalf("seed %d: token of row %d holds %g and %g, want %g and %g", root, t0>>32, gradientOf(v), hessianOf(v), grad[i]*s.g, hess[i]*s.h)
			}
			g, h = g+v>>32, h+v&math.MaxUint32
			exactG += int64(math.Round(grad[i] * s.g * 1024))
			exactH += int64(math.Round(hess[i] * s.h * 1024))
		}
		if sum>>32 != g || sum&math.MaxUint32 != h {
			t.Errorf("seed %d: packed sums %d and %d, want %d and %d", root, sum>>32, sum&math.MaxUint32, g, h)
		}
		// Rounding one row has variance 1/4 at most: six standard deviations.
		bound := 3*math.Sqrt(float64(n)) + 1
		if dg, dh := float64(g)-float64(exactG)/1024, float64(h)-float64(exactH)/1024; math.Abs(dg) > bound || math.Abs(dh) > bound {
			t.Errorf("seed %d: sums are off by %g and %g, bound %g", root, dg, dh, bound)
		}
	}
}

// Parent minus left is right, in every bin, and the sums over the bins of any
// feature are those of the node.
func TestHistogramSubtraction(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, width := range []int{1, 3, 8, 9, 16} {
		rng := seed.Stream(uint64(width), "histogram", 0)
		const rows = 5000
		cells := make([]uint8, rows*blockWidth)
		tokens := make([]token, rows)
		total := sums(0)
		for i := range rows {
			for k := range width {
				cells[i*blockWidth+k] = uint8(rng.IntN(256))
			}
			tokens[i] = token(i)<<32 | token(rng.Uint32())
			total += kernel.Sums(tokens[i])
		}
		var parent, left, right blockHistogram
		cut := rng.IntN(rows)
		best := kernel.Best()
		count(ctx, best, &parent, cells, tokens, width)
		count(ctx, best, &left, cells, tokens[:cut], width)
		count(ctx, best, &right, cells, tokens[cut:], width)
		subtract(&parent, &left, width)
		for k := range width {
			sum := sums(0)
			for b := range 256 {
				if parent[k][b] != right[k][b] {
					t.Fatalf("width %d: feature %d, bin %d: parent minus left is %d, right is %d", width, k, b, parent[k][b], right[k][b])
				}
				sum += left[k][b] + right[k][b]
			}
			if sum != total {
				t.Fatalf("width %d: feature %d sums to %d, want %d", width, k, sum, total)
			}
		}
	}
}

// Partition keeps the order on both sides, for any number of workers and
// whichever side is taken to be the smaller.
func TestPartition(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 1000, parallelRows, 3*parallelRows + 17} {
		for _, workers := range []int{1, 2, 3, 8} {
			for _, leftSmaller := range []bool{true, false} {
				rng := seed.Stream(uint64(n), "partition", workers)
				cells := make([]uint8, n)
				g := grower{crew: newCrew(workers), kernel: kernel.Best(), tokens: make([]token, n), scratch: make([]token, n)}
				if workers > 2 {
					g.spare = make([]token, n)
				}
				var goesLeft [256]uint8
				for b := range goesLeft {
					goesLeft[b] = uint8(rng.IntN(2))
				}
				var want [2][]token
				for i := range n {
					cells[i] = uint8(rng.IntN(256))
					g.tokens[i] = token(i)<<32 | token(rng.Uint32())
					side := 1 - goesLeft[cells[i]]
					want[side] = append(want[side], g.tokens[i])
				}
				defer g.crew.close()
				left := g.partition(0, n, cells, &goesLeft, leftSmaller)
				if left != len(want[0]) || !slices.Equal(g.tokens, append(want[0], want[1]...)) {
					t.Errorf("%d rows, %d workers: %d went left, want %d in order", n, workers, left, len(want[0]))
				}
			}
		}
	}
}

// A crew does every task once, whatever the number of tasks and workers, also
// after it has been left alone long enough to sleep, and close ends it.
func TestCrew(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2, 3, 8} {
		c := newCrew(workers)
		for round := range 2000 {
			times := make([]int, round%17)
			c.each(len(times), func(task int) { times[task]++ })
			for task, n := range times {
				if n != 1 {
					t.Fatalf("%d workers: task %d of %d ran %d times", workers, task, len(times), n)
				}
			}
			for round%100 == 0 && int(c.sleeping.Load()) < min(workers, runtime.GOMAXPROCS(0))-1 {
				runtime.Gosched()
			}
		}
		c.close()
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"trees", "tree", 1}, {"kitten", "sitting", 3}, {"abc", "", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
