package tree

// explainPortable adds the contributions of a tree at eight points to the sums.
func explainPortable(s *explainScratch, nodes []explainNode, twigs int, values []float64, inverse []vector, r *rule) {
	hots, down, up := s.hot, s.down[:len(nodes)+1], s.up
	hots[0], down[0].left = 1, r.w
	branches := len(nodes) - twigs
	for i := range nodes {
		n, own := &nodes[i], &down[i+1]
		hot, right := uint32(hots[n.before]&1), uint32(0)
		if s.answers[n.question] > n.answer {
			right = hot // the right child keeps it
		}
		share, inv, u := n.share[hot], &inverse[hot*n.inverse], &r.u[hot]
		t, phi := &r.t[hot+right], &r.phi[hot+right]
		d := &down[n.from/downVectors].left
		if n.from%downVectors == 1 {
			d = &down[n.from/downVectors].right
		}
		for k := range d {
			own.g[k] = float64((float64(share*u[k]) + t[k]) * inv[k])
			own.right[k] = float64(d[k] * own.g[k])
			own.left[k] = d[k] - own.right[k]
		}
		lost := &own.right
		if right == 1 {
			lost = &own.left
		}
		for k := range lost {
			own.phi[k] = float64(float64(lost[k]*inv[k]) * phi[k])
		}
		if i < branches {
			hots[n.left], hots[n.right] = hot-right, right
			continue
		}
		left, delta := values[0], values[1]-values[0]
		values = values[2:]
		sum := &s.sums[n.feature]
		for k := range sum {
			up[i][k] = left + float64(own.g[k]*delta)
			sum[k] += float64(own.phi[k] * delta)
		}
	}
	for i, v := range values {
		up[len(nodes)+i] = vector{v, v, v, v, v, v, v, v}
	}
	for i := branches - 1; i >= 0; i-- {
		n, own := &nodes[i], &down[i+1]
		u, left, right, sum := &up[i], &up[n.left], &up[n.right], &s.sums[n.feature]
		for k := range u {
			delta := right[k] - left[k]
			u[k] = left[k] + float64(own.g[k]*delta)
			sum[k] += float64(own.phi[k] * delta)
		}
	}
}
