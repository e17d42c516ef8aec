package gbdt

import (
	"context"
	"slices"

	"github.com/tandem-ml/tandem/bundle/num"
)

// sortRows is how many rows are sorted between two looks at the context.
const sortRows = 1 << 15

// ranking is a group in the order of its margins, and memory for it.
type ranking struct {
	order, another []place
	rows           []ranked              // by label, those of a label in order
	at             []int                 // by place, where in rows
	next, end      [maxRelevance + 1]int // by label, its rows behind the current place
}

// ranked is a row of a group.
type ranked struct {
	row              int // in its group
	margin, discount float64
	odds             float64 // exp(margin), as a part of that of another row
	g, h             float64
}

// part puts the rows that are in order by their labels: pairs of one label have
// nothing to say, and those of a row and all rows of another label have one gain.
func (r *ranking) part(y, discount []float64) {
	n := len(r.order)
	r.rows, r.at = slices.Grow(r.rows[:0], n)[:n], slices.Grow(r.at[:0], n)[:n]
	var count [maxRelevance + 1]int
	for _, p := range r.order {
		count[int(y[p.row])]++
	}
	begin := 0
	for label, rows := range count {
		r.next[label], r.end[label] = begin, begin
		begin += rows
	}
	top := 0.0
	if n > 0 {
		top = r.order[0].margin
	}
	for i, p := range r.order {
		end := &r.end[int(y[p.row])]
		r.rows[*end] = ranked{row: int(p.row), margin: p.margin, discount: discount[i], odds: num.Exp(p.margin - top)}
		r.at[i] = *end
		*end++
	}
}

// relative sets the odds as parts of those at a margin.
func (r *ranking) relative(margin float64) {
	for i := range r.rows {
		r.rows[i].odds = num.Exp(max(-wide, min(wide, r.rows[i].margin-margin)))
	}
}

// place is what is sorted.
type place struct {
	margin float64
	row    int32
}

// before says which of two places comes first.
func before(a, b place) int {
	switch {
	case a.margin > b.margin:
		return -1
	case a.margin < b.margin:
		return 1
	}
	return int(a.row - b.row)
}

// sort puts the rows with weight in order: it sorts stretches and merges them,
// looking at ctx between. When ctx is done the order is of no use.
func (r *ranking) sort(ctx context.Context, margin, w []float64) {
	r.order = r.order[:0]
	for i, m := range margin {
		if weight(w, i) > 0 {
			r.order = append(r.order, place{m, int32(i)})
		}
	}
	n := len(r.order)
	for begin := 0; begin < n && ctx.Err() == nil; begin += sortRows {
		slices.SortFunc(r.order[begin:min(begin+sortRows, n)], before)
	}
	for width := sortRows; width < n; width *= 2 {
		r.another = r.another[:0]
		for begin := 0; begin < n; begin += 2 * width {
			if ctx.Err() != nil {
				return
			}
			middle := min(begin+width, n)
			r.another = merge(r.another, r.order[begin:middle], r.order[middle:min(begin+2*width, n)])
		}
		r.order, r.another = r.another, r.order
	}
}

// merge appends a and b, which are sorted, in order.
func merge(dst, a, b []place) []place {
	for len(a) > 0 && len(b) > 0 {
		if before(a[0], b[0]) < 0 {
			dst, a = append(dst, a[0]), a[1:]
		} else {
			dst, b = append(dst, b[0]), b[1:]
		}
	}
	return append(append(dst, a...), b...)
}

// dcg returns the discounted gains of the first rows. Rows with equal margins
// share their places: the result is the mean over all their orders (McSherry
// and Najork, ECIR 2008), so that it does not depend on the order of the table.
func (r *ranking) dcg(y, discount []float64, first int) float64 {
	sum := 0.0
	for begin := 0; begin < min(first, len(r.order)); {
		end, gain, places := begin, 0.0, 0.0
		for ; end < len(r.order) && r.order[end].margin == r.order[begin].margin; end++ {
			gain += relevance(int(y[r.order[end].row]))
			if end < first {
				places += discount[end]
			}
		}
		sum += float64(gain / float64(end-begin) * places)
		begin = end
	}
	return sum
}
