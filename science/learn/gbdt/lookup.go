package gbdt

import "math"

// A key is a float64 as a whole number of the same order: of two values the
// larger has the larger key. Zero and negative zero have different keys, NaN
// has no place.
func keyOf(x float64) uint64 {
	b := math.Float64bits(x)
	return b ^ (uint64(int64(b)>>63) | 1<<63)
}

func valueOf(key uint64) float64 {
	return math.Float64frombits(key ^ (^uint64(int64(key)>>63) | 1<<63))
}

// lookup finds the bin of a number without searching. The numbers are cut into
// octaves by sign and exponent, the first twelve bits of the key, and an octave
// into equal cells by as many of the next bits as keep its edges apart. A cell
// knows how many edges are below it; what is left to compare are the edges
// inside of it, nearly always one or none.
//
// A search by halving has eight steps that wait for one another; this has two
// or three, and no branch to mispredict.
type lookup struct {
	octave [1 << 12]uint32 // the octave's first cell, shifted by 6, and by how much to shift the other 52 bits
	cell   []uint8         // how many edges are below the cell
	keys   [256]uint64     // of the edges; beyond them larger than any value's
	inside int             // edges in a cell at most; above maxInside keys are halved instead
}

const (
	fraction  = 52
	maxCells  = 10 // bits; an octave has 1024 cells at most
	maxInside = 4
)

func newLookup(edges []float64) *lookup {
	l := &lookup{}
	for i := range l.keys {
		l.keys[i] = math.MaxUint64
	}
	for i, e := range edges {
		l.keys[i] = keyOf(e + 0) // -0 becomes 0: values equal to it are not above it
	}
	below := 0
	for o := range l.octave {
		end := below
		for end < len(edges) && l.keys[end]>>fraction == uint64(o) {
			end++
		}
		bits, inside := 0, end-below
		for inside > 1 && bits < maxCells {
			bits++
			inside = l.crowd(below, end, fraction-bits)
		}
		l.inside = max(l.inside, inside)
		shift := uint(fraction - bits)
		l.octave[o] = uint32(len(l.cell))<<6 | uint32(shift)
		for c := range uint64(1) << bits {
			l.cell = append(l.cell, uint8(below))
			for below < end && l.keys[below]&(1<<fraction-1)>>shift == c {
				below++
			}
		}
	}
	return l
}

// crowd returns the largest number of the edges begin..end-1 that agree in all
// but their last bits.
func (l *lookup) crowd(begin, end, bits int) int {
	most, same := 0, 0
	for i := begin; i < end; i++ {
		if i == begin || l.keys[i]>>bits != l.keys[i-1]>>bits {
			same = 0
		}
		same++
		most = max(most, same)
	}
	return most
}

// bin returns how many edges are below x, or missingBin for NaN.
func (l *lookup) bin(x float64) uint8 {
	if x != x {
		return missingBin
	}
	k := keyOf(x)
	if l.inside > maxInside {
		return l.halve(k)
	}
	o := l.octave[k>>fraction]
	b := l.cell[uint64(o>>6)+k&(1<<fraction-1)>>(o&63)]
	for range l.inside {
		next := b + 1
		if l.keys[b] >= k {
			next = b
		}
		b = next
	}
	return b
}

// halve finds the bin of a key by halving, with a fixed number of steps.
func (l *lookup) halve(k uint64) uint8 {
	b := uint8(0)
	for step := uint8(128); step > 0; step >>= 1 {
		next := b + step
		if l.keys[next-1] >= k {
			next = b
		}
		b = next
	}
	return b
}
