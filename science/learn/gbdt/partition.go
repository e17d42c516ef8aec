package gbdt

// parallelRows is how many rows a worker divides at least; waking one up for
// less does not pay.
const parallelRows = 1 << 12

// partition brings the tokens that go left before the others, keeping the
// order within each side, and returns how many they are. leftSmaller guesses
// which side has fewer: nearly all tokens of the other are written once only,
// to where they stay. The result does not depend on the guess.
//
// The rows are divided in as many ranges as there are workers. The first range
// is read upwards: where its left side begins is known, so it is written in
// place, and its right side to scratch. The last range is read downwards with
// the sides in exchanged roles. Ranges between them have both sides beside,
// left in spare and right in scratch. When all have been counted, what is not
// in place is copied there.
func (g *grower) partition(begin, end int, cells []uint8, goesLeft *[256]uint8, leftSmaller bool) int {
	n := end - begin
	ranges := max(1, min(g.crew.workers, n/parallelRows))
	if ranges == 1 {
		tokens, scratch := g.tokens[begin:end], g.scratch[begin:end]
		if leftSmaller {
			l := g.kernel.Down(scratch, tokens, tokens, cells, goesLeft)
			copy(tokens, scratch[n-l:])
			return l
		}
		l := g.kernel.Up(tokens, scratch, tokens, cells, goesLeft)
		copy(tokens[l:], scratch[:n-l])
		return l
	}
	edge := func(r int) int { return begin + int(int64(n)*int64(r)/int64(ranges)) }
	lefts := make([]int, ranges)
	g.crew.each(ranges, func(r int) {
		a, b := edge(r), edge(r+1)
		tokens, scratch := g.tokens[a:b], g.scratch[a:b]
		switch r {
		case 0:
			lefts[r] = g.kernel.Up(tokens, scratch, tokens, cells, goesLeft)
		case ranges - 1:
			lefts[r] = g.kernel.Down(scratch, tokens, tokens, cells, goesLeft)
		default:
			lefts[r] = g.kernel.Up(g.spare[a:b], scratch, tokens, cells, goesLeft)
		}
	})
	middle := begin
	for _, l := range lefts {
		middle += l
	}
	g.crew.each(ranges, func(r int) {
		a, b := edge(r), edge(r+1)
		left, right := begin, middle // where this range's sides belong
		for q, l := range lefts[:r] {
			left += l
			right += edge(q+1) - edge(q) - l
		}
		switch l := lefts[r]; r {
		case 0:
			copy(g.tokens[right:], g.scratch[a:b-l])
		case ranges - 1:
			copy(g.tokens[left:], g.scratch[b-l:b])
		default:
			copy(g.tokens[left:], g.spare[a:a+l])
			copy(g.tokens[right:], g.scratch[a:b-l])
		}
	})
	return middle - begin
}
