package kernel

// Scan is a search for the edge that divides a node best, by one feature. Left
// of an edge are Start and the bins up to it, right is what Total has more. An
// edge's gain is
//
//	G(left)²/(H(left)+Lambda) + G(right)²/(H(right)+Lambda) - Parent
//
// Both sides must have a hessian of MinHessian, which is at least 1.
type Scan struct {
	Start, Total               int64 // sums
	Lambda, MinHessian, Parent float64
	Gain                       float64 // to exceed; then what was found
	Left                       int64   // sums left of what was found

	gains [8]float64 // the best of each lane
	edges [8]int64
}

// scan is the twin of the assembly.
func scan(h *[256]int64, edges int, q *Scan) int {
	left, best := q.Start, -1
	g, hess := float64(q.Total>>32), float64(uint32(q.Total))
	for b := range edges {
		if h[b] == 0 {
			continue
		}
		left += h[b]
		hl := float64(uint32(left))
		if hl < q.MinHessian || left == q.Start {
			continue
		}
		hr := hess - hl
		if hr < q.MinHessian {
			break
		}
		gl := float64(left >> 32)
		gr := g - gl
		gain := float64(gl*gl)/(hl+q.Lambda) + float64(gr*gr)/(hr+q.Lambda) - q.Parent
		if gain > q.Gain {
			best, q.Gain, q.Left = b, gain, left
		}
	}
	return best
}
