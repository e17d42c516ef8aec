package linear

import "context"

// sum adds up loss, gradient and, if asked for, Hessian over rows lo to hi-1.
func (f *problem) sum(ctx context.Context, b *block, theta []float64, hessian bool, lo, hi int) error {
	m := len(theta)
	b.loss = 0
	clear(b.g)
	if hessian {
		clear(b.h)
	}
	p := newProducts(b.h, m, f.dense)
	for i := lo; i < hi; i++ {
		if (i-lo)%256 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		row := f.x.Row(i)
		margin := theta[0]
		for j, v := range row {
			margin += float64(theta[j+1] * v)
		}
		loss, g, h := f.loss(i, margin)
		w := f.weight(i)
		b.loss += float64(w * loss)
		g, h = float64(w*g), float64(w*h)
		b.g[0] += g
		for j, v := range row {
			b.g[j+1] += float64(g * v)
		}
		if hessian {
			p.add(h, row)
		}
	}
	p.flush()
	return nil
}

// products adds h times the products of all pairs of a row's values, with a 1
// before them for the intercept, to the upper triangle of an m by m matrix. It
// is where the time of a fit goes.
//
// There are two ways. Rows of one-hot features have many zeros, and only the
// other values are multiplied. Where few are zero four rows are added at once,
// which reads and writes the matrix a quarter as often.
type products struct {
	to    []float64
	m     int
	dense bool

	at    []int     // sparse: the columns of a row's values, ascending
	value []float64 // sparse: the values

	rows [4][]float64 // dense: rows that wait
	h    [4]float64
	n    int // how many wait
}

func newProducts(to []float64, m int, dense bool) *products {
	p := &products{to: to, m: m, dense: dense}
	if dense {
		for i := range p.rows {
			p.rows[i] = make([]float64, m)
		}
	} else {
		p.at, p.value = make([]int, 0, m), make([]float64, 0, m)
	}
	return p
}

func (p *products) add(h float64, row []float64) {
	if !p.dense {
		p.addSparse(h, row)
		return
	}
	p.rows[p.n][0] = 1
	copy(p.rows[p.n][1:], row)
	p.h[p.n] = h
	if p.n++; p.n == len(p.rows) {
		p.flush()
	}
}

func (p *products) addSparse(h float64, row []float64) {
	at, value := append(p.at[:0], 0), append(p.value[:0], 1)
	for j, v := range row {
		if v != 0 {
			at, value = append(at, j+1), append(value, v)
		}
	}
	for a, j := range at {
		hv := h * value[a]
		to := p.to[j*p.m : (j+1)*p.m]
		for c := a; c < len(at); c++ {
			to[at[c]] += float64(hv * value[c])
		}
	}
}

// flush adds the rows that wait.
func (p *products) flush() {
	if p.n == 0 {
		return
	}
	for i := p.n; i < len(p.h); i++ {
		p.h[i] = 0 // what is left of earlier rows counts nothing
	}
	p.n = 0
	for j := range p.m {
		to := p.to[j*p.m+j : (j+1)*p.m]
		a, b, c, d := p.rows[0][j:], p.rows[1][j:], p.rows[2][j:], p.rows[3][j:]
		ha, hb, hc, hd := p.h[0]*a[0], p.h[1]*b[0], p.h[2]*c[0], p.h[3]*d[0]
		a, b, c, d = a[:len(to)], b[:len(to)], c[:len(to)], d[:len(to)]
		for k := range to {
			to[k] = to[k] + float64(ha*a[k]) + float64(hb*b[k]) + float64(hc*c[k]) + float64(hd*d[k])
		}
	}
}
