package tune

// mixture is a weighted sum of outcomes' margins.
type mixture struct {
	parts  []*outcome // in portfolio order
	weight []float64  // add up to 1
	margin []float64
	value  float64
}

// Greedy selection stops after so many picks, and takes no more than maxParts
// different candidates. Beyond blendRows rows every second, third, ... is
// looked at, which is plenty for so few weights.
const (
	picks     = 20
	maxParts  = 3
	blendRows = 50_000
)

// blend finds the mixture of the given outcomes with the smallest log loss or
// squared error, adding one outcome at a time to the average, the same one
// more than once if that is best, and keeps the best average on the way. It
// returns nil if that is a single outcome. The metric itself is not used to
// search: the losses are finer and overfit less than ranks.
func (s *search) blend(pool []*outcome) *mixture {
	stride := 1 + (len(s.sample)-1)/blendRows
	loss := squaredError
	if s.measure.name != "rmse" {
		loss = rowLoss
	}
	y := s.labels()
	sum := make([]float64, len(y)) // of the picks so far
	count := make([]int, len(pool))
	best, bestCount := 0.0, []int(nil)
	for n := 1; n <= picks; n++ {
		pick, lowest := -1, 0.0
		for k, o := range pool {
			if count[k] == 0 && different(count) == maxParts {
				continue
			}
			var total float64
			for i := 0; i < len(y); i += stride {
				total += loss(y[i], (sum[i]+o.margin[i])/float64(n))
			}
			if pick < 0 || total < lowest {
				pick, lowest = k, total
			}
		}
		if pick < 0 {
			return nil
		}
		count[pick]++
		for i, v := range pool[pick].margin {
			sum[i] += v
		}
		if bestCount == nil || lowest < best {
			best, bestCount = lowest, append([]int(nil), count...)
		}
	}
	if different(bestCount) < 2 {
		return nil
	}
	total := 0
	for _, n := range bestCount {
		total += n
	}
	m := &mixture{margin: make([]float64, len(y))}
	for k, n := range bestCount {
		if n == 0 {
			continue
		}
		w := float64(n) / float64(total)
		m.parts, m.weight = append(m.parts, pool[k]), append(m.weight, w)
		for i, v := range pool[k].margin {
			m.margin[i] += float64(w * v)
		}
	}
	m.value = s.value(m.margin)
	return m
}

// different returns how many counts are not zero.
func different(count []int) int {
	n := 0
	for _, c := range count {
		if c > 0 {
			n++
		}
	}
	return n
}
