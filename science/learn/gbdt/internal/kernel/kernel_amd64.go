package kernel

import "golang.org/x/sys/cpu"

// All returns every set that runs on this processor, the fastest last.
func All() []Set {
	base := plain // counting and dividing need nothing that not every amd64 has
	base.Name, base.Count, base.Up, base.Down = "amd64", countAsm, upAsm, downAsm
	sets := []Set{plain, base}
	if cpu.X86.HasAVX2 {
		s := base
		s.Name = "avx2"
		s.Logistic = byRows(logistic256)
		s.Measure = wholeMeasure(measure256)
		s.Round = wholeRound(round256)
		sets = append(sets, s)
	}
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL {
		s := base
		s.Name = "avx512"
		s.Logistic = byRows(logistic512)
		s.Measure = wholeMeasure(measure512)
		s.Round = wholeRound(round512)
		s.Scan = scanLanes
		if cpu.X86.HasBMI2 {
			s.Up, s.Down = up512, down512
		}
		sets = append(sets, s)
	}
	return sets
}

// byRows leaves to the twin what f does not do: the rows at the end, and groups
// of rows with a margin beyond f's range.
func byRows(f func(g, h, margin, y *float64, n int) int) func(g, h, margin, y []float64) {
	return func(g, h, margin, y []float64) {
		for len(g) > 0 {
			done := f(&g[0], &h[0], &margin[0], &y[0], len(g))
			rest := min(done+8, len(g))
			logistic(g[done:rest], h[done:rest], margin[done:rest], y[done:rest])
			g, h, margin, y = g[rest:], h[rest:], margin[rest:], y[rest:]
		}
	}
}

func wholeMeasure(f func(e *Extent, g, h *float64, n int)) func(e *Extent, g, h []float64) {
	return func(e *Extent, g, h []float64) {
		n := len(g) &^ 7
		if n > 0 {
			f(e, &g[0], &h[0], n)
		}
		measure(e, g[n:], h[n:])
	}
}

type roundFunc func(tokens *uint64, first uint64, dg, dh *float64, noise *uint64, n int, r *Rounding) int64

func wholeRound(f roundFunc) func(tokens []uint64, first uint32, g, h []float64, noise []uint64, r *Rounding) int64 {
	return func(tokens []uint64, first uint32, g, h []float64, noise []uint64, r *Rounding) int64 {
		n, sum := len(tokens)&^7, int64(0)
		if n > 0 {
			sum = f(&tokens[0], uint64(first), &g[0], &h[0], &noise[0], n, r)
		}
		return sum + round(tokens[n:], first+uint32(n), g[n:], h[n:], noise[n:], r)
	}
}

// scanLanes chooses from the lanes' edges: the largest gain, of equals the
// lower edge.
func scanLanes(h *[256]int64, edges int, q *Scan) int {
	scan512(h, edges, q)
	best := -1
	for lane, edge := range q.edges {
		if edge >= 0 && (best < 0 || q.gains[lane] > q.Gain || q.gains[lane] == q.Gain && int(edge) < best) {
			best, q.Gain = int(edge), q.gains[lane]
		}
	}
	if best >= 0 {
		q.Left = q.Start
		for _, v := range h[:best+1] {
			q.Left += v
		}
	}
	return best
}

func countAsm(h *Histogram, cells []uint8, tokens []uint64, width int) {
	n := len(tokens)
	if n == 0 {
		return
	}
	// Odd widths count one feature too many, whose sums nobody reads.
	switch (width + 1) / 2 {
	case 1:
		count2(h, &cells[0], &tokens[0], n)
	case 2:
		count4(h, &cells[0], &tokens[0], n)
	case 3:
		count6(h, &cells[0], &tokens[0], n)
	case 4:
		count8a(h, &cells[0], &tokens[0], n)
	case 5:
		count10(h, &cells[0], &tokens[0], n)
	case 6:
		count12(h, &cells[0], &tokens[0], n)
	case 7:
		count14(h, &cells[0], &tokens[0], n)
	default:
		count16a(h, &cells[0], &tokens[0], n)
	}
}

func upAsm(left, right, tokens []uint64, cells []uint8, goesLeft *[256]uint8) int {
	n := len(tokens)
	if n == 0 {
		return 0
	}
	_, _ = left[n-1], right[n-1]
	return divideUp(&left[0], &right[0], &tokens[0], n, &cells[0], goesLeft)
}

func downAsm(left, right, tokens []uint64, cells []uint8, goesLeft *[256]uint8) int {
	n := len(tokens)
	if n == 0 {
		return 0
	}
	return divideDown(&left[n-1], &right[n-1], &tokens[n-1], n, &cells[0], goesLeft)
}

// up512 and down512 leave the tokens that do not fill a register to the loops
// that take one at a time.
func up512(left, right, tokens []uint64, cells []uint8, goesLeft *[256]uint8) int {
	whole := len(tokens) &^ 7
	if whole == 0 {
		return upAsm(left, right, tokens, cells, goesLeft)
	}
	_, _ = left[whole-1], right[whole-1]
	l := divideUp512(&left[0], &right[0], &tokens[0], whole, &cells[0], goesLeft)
	return l + upAsm(left[l:], right[whole-l:], tokens[whole:], cells, goesLeft)
}

func down512(left, right, tokens []uint64, cells []uint8, goesLeft *[256]uint8) int {
	n := len(tokens)
	whole := n &^ 7
	if whole == 0 {
		return downAsm(left, right, tokens, cells, goesLeft)
	}
	_, _ = left[n-1], right[n-1]
	l := divideDown512(&left[n-1], &right[n-1], &tokens[n-1], whole, &cells[0], goesLeft)
	rest := tokens[:n-whole]
	if len(rest) > 0 {
		l += divideDown(&left[n-1-l], &right[n-1-(whole-l)], &rest[len(rest)-1], len(rest), &cells[0], goesLeft)
	}
	return l
}

//go:noescape
func divideUp512(left, right, tokens *uint64, n int, cells *uint8, goesLeft *[256]uint8) int

//go:noescape
func divideDown512(left, right, tokens *uint64, n int, cells *uint8, goesLeft *[256]uint8) int

//go:noescape
func count2(h *Histogram, cells *uint8, tokens *uint64, n int)

//go:noescape
func count4(h *Histogram, cells *uint8, tokens *uint64, n int)

//go:noescape
func count6(h *Histogram, cells *uint8, tokens *uint64, n int)

//go:noescape
func count8a(h *Histogram, cells *uint8, tokens *uint64, n int)

//go:noescape
func count10(h *Histogram, cells *uint8, tokens *uint64, n int)

//go:noescape
func count12(h *Histogram, cells *uint8, tokens *uint64, n int)

//go:noescape
func count14(h *Histogram, cells *uint8, tokens *uint64, n int)

//go:noescape
func count16a(h *Histogram, cells *uint8, tokens *uint64, n int)

//go:noescape
func divideUp(left, right, tokens *uint64, n int, cells *uint8, goesLeft *[256]uint8) int

//go:noescape
func divideDown(left, right, tokens *uint64, n int, cells *uint8, goesLeft *[256]uint8) int

//go:noescape
func logistic512(dg, dh, margin, y *float64, n int) int

//go:noescape
func logistic256(dg, dh, margin, y *float64, n int) int

//go:noescape
func measure512(e *Extent, dg, dh *float64, n int)

//go:noescape
func measure256(e *Extent, dg, dh *float64, n int)

//go:noescape
func round512(tokens *uint64, first uint64, dg, dh *float64, noise *uint64, n int, r *Rounding) int64

//go:noescape
func round256(tokens *uint64, first uint64, dg, dh *float64, noise *uint64, n int, r *Rounding) int64

//go:noescape
func scan512(h *[256]int64, edges int, q *Scan)
