package kernel

// All returns every set that runs on this processor, the fastest last.
func All() []Set {
	fast := Set{Name: "amd64", Count: countAsm, Up: upAsm, Down: downAsm}
	return []Set{plain, fast}
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
