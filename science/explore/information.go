package explore

import (
	"cmp"
	"math"
	"slices"
)

const (
	informationParts = 10 // of a number
	maxParts         = 200
	leastPart        = 20 // rows of a category that is not pooled with others
)

// parts joins the groups of a column to few parts: tenths of an ordered one,
// with equal values together and missing apart; the frequent values of a
// category, all others as one.
func parts(group []int, ordered bool) (part []int, n int) {
	counts := make([]int, slices.Max(group)+1)
	for _, g := range group {
		counts[g]++
	}
	to := make([]int, len(counts))
	if ordered {
		// Group 0 is missing only if it holds rows and others follow; treating the
		// lowest value alike costs at most one part.
		seen, last := 0, -1
		for g, c := range counts {
			if c == 0 {
				continue
			}
			if p := seen * informationParts / len(group); p != last {
				last, n = p, n+1
			}
			to[g] = n - 1
			seen += c
		}
	} else {
		order := make([]int, len(counts))
		for g := range order {
			order[g] = g
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(counts[b], counts[a]) })
		for _, g := range order {
			if counts[g] < leastPart || n == maxParts-1 {
				to[g] = -1
				continue
			}
			to[g] = n
			n++
		}
		pooled := false
		for g := range to {
			if to[g] < 0 {
				to[g] = n
				pooled = pooled || counts[g] > 0
			}
		}
		if pooled {
			n++
		}
	}
	part = make([]int, len(group))
	for k, g := range group {
		part[k] = to[g]
	}
	return part, n
}

// information sets the information value and the mutual information.
//
// The bias of the latter, (a-1)(b-1)/2n nats, is that of Miller, Note on the bias
// of information estimates, 1955; its standard error is that of the mean of the
// log ratio (the delta method).
func (r *Relation) information(group []int, ordered bool, l *labels) {
	nan := Num(math.NaN())
	r.InformationValue, r.Mutual, r.MutualLow, r.MutualHigh = nan, nan, nan, nan
	if len(group) < 50 {
		return
	}
	part, a := parts(group, ordered)
	y, b := l.classes()
	joint := make([]float64, a*b)
	for k, p := range part {
		joint[p*b+y[k]]++
	}
	row, col := make([]float64, a), make([]float64, b)
	for p := range a {
		for c := range b {
			row[p] += joint[p*b+c]
			col[c] += joint[p*b+c]
		}
	}
	n := float64(len(group))
	var mutual, square float64
	usedRows, usedCols := 0.0, 0.0
	for p := range a {
		if row[p] > 0 {
			usedRows++
		}
		for c := range b {
			if v := joint[p*b+c]; v > 0 {
				g := math.Log2(v / row[p] * (n / col[c]))
				mutual += float64(v / n * g)
				square += float64(v / n * g * g)
			}
		}
	}
	for _, v := range col {
		if v > 0 {
			usedCols++
		}
	}
	if usedCols < 2 {
		return
	}
	bias := (usedRows - 1) * (usedCols - 1) / (2 * n * math.Ln2)
	se := math.Sqrt(max(square-float64(mutual*mutual), 0) / n)
	value := max(mutual-bias, 0)
	r.Mutual, r.MutualLow, r.MutualHigh = Num(value), Num(max(mutual-bias-float64(1.96*se), 0)), Num(value+float64(1.96*se))
	if l.task != "binary" {
		return
	}
	iv := 0.0
	for p := range a {
		if row[p] == 0 {
			continue
		}
		// Half a row more of each class keeps the logarithm finite.
		q := (joint[p*b] + 0.5) / (col[0] + float64(0.5*usedRows))
		s := (joint[p*b+1] + 0.5) / (col[1] + float64(0.5*usedRows))
		iv += float64((s - q) * math.Log(s/q))
	}
	r.InformationValue = Num(iv)
}

// classes returns the target of the rows that relations are measured on as
// numbers 0 .. n-1: the class, or the tenth.
func (l *labels) classes() ([]int, int) {
	l.once.Do(func() {
		l.class = make([]int, len(l.rows))
		if l.task == "binary" {
			l.nClass = 2
			for k, i := range l.rows {
				l.class[k] = int(l.y[i])
			}
			return
		}
		v := make([]float64, len(l.rows))
		for k, i := range l.rows {
			v[k] = l.y[i]
		}
		slices.Sort(v)
		var edges []float64
		for j := 1; j < informationParts; j++ {
			if e := v[j*len(v)/informationParts]; len(edges) == 0 || e > edges[len(edges)-1] {
				edges = append(edges, e)
			}
		}
		l.nClass = len(edges) + 1
		for k, i := range l.rows {
			at, found := slices.BinarySearch(edges, l.y[i])
			if found {
				at++
			}
			l.class[k] = at
		}
	})
	return l.class, l.nClass
}
