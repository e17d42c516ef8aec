package kernel

// up and down write every token to both sides and let the table say which of
// the two ends moves on: a branch would be mispredicted half the time.

func up(left, right, tokens []uint64, cells []uint8, goesLeft *[256]uint8) int {
	l, r := 0, 0
	for _, t := range tokens {
		one := int(goesLeft[cells[t>>32]])
		right[r] = t
		left[l] = t
		l += one
		r += 1 - one
	}
	return l
}

func down(left, right, tokens []uint64, cells []uint8, goesLeft *[256]uint8) int {
	l, r := len(tokens)-1, len(tokens)-1
	for i := len(tokens) - 1; i >= 0; i-- {
		t := tokens[i]
		one := int(goesLeft[cells[t>>32]])
		left[l] = t
		right[r] = t
		l -= one
		r -= 1 - one
	}
	return len(tokens) - 1 - l
}
