package tree

// Margin returns Base plus the value of the leaf that the row reaches in each
// tree, added in tree order. row has Features values. The forest must have
// passed [Forest.Check]. It does not allocate.
func (f *Forest) Margin(row []float64) float64 {
	sum := f.Base
	for _, root := range f.Root[:len(f.Root)-1] {
		sum += f.Value[f.leaf(root, row)]
	}
	return sum
}

// Margins sets dst[i] to the margin of row i, for len(dst) rows of Features
// values each, one after the other in rows. The bits are those of
// [Forest.Margin]. To score again and again, make one [Scorer] and keep it.
func (f *Forest) Margins(dst, rows []float64) {
	if len(dst) >= compileRows {
		NewScorer(f).Margins(dst, rows)
		return
	}
	for i := range dst {
		dst[i] = f.Margin(rows[i*f.Features:][:f.Features])
	}
}

// compileRows is from how many rows on it pays to prepare a forest for them:
// that costs about as much as walking 200 rows through it.
const compileRows = 512

// leaf returns the leaf below node n that the row reaches.
func (f *Forest) leaf(n int32, row []float64) int32 {
	for f.Left[n] >= 0 {
		if f.goesLeft(n, row[f.Feature[n]]) {
			n = f.Left[n]
		} else {
			n = f.Right[n]
		}
	}
	return n
}

// goesLeft decides at inner node n for the value x of the node's feature.
func (f *Forest) goesLeft(n int32, x float64) bool {
	if x != x {
		return f.MissingLeft[n]
	}
	if s := f.Set[n]; s >= 0 {
		return inSet(f.Sets[s], x)
	}
	return x <= f.Threshold[n]
}

// inSet reports whether bit x of the set is 1. The comparison comes before the
// conversion, since converting what does not fit depends on the processor.
func inSet(set []uint64, x float64) bool {
	if !(x >= 0 && x < float64(64*len(set))) {
		return false
	}
	c := uint(x)
	return set[c/64]>>(c%64)&1 == 1
}
