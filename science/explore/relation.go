package explore

import (
	"math"
	"slices"

	"github.com/tandem-ml/tandem/data"
)

// Relation is how strongly a column alone goes with the target; see the
// package comment for how it is measured.
type Relation struct {
	Measure   string `json:"measure"`   // "auc", "rank correlation" or "correlation ratio"
	Strength  Num    `json:"strength"`  // auc: 0.5 to 1; others: 0 to 1; null if the target has one value
	Direction string `json:"direction"` // "up": higher values go with more; "down"; "" for categories
	// RateMissing and RatePresent are the target's rate (or mean) among the rows
	// where the column is missing and where it is not; null where there are none.
	RateMissing Num `json:"rate_missing"`
	RatePresent Num `json:"rate_present"`
	// MissingZ is the difference of the two in standard errors; 0 if either has
	// fewer than 20 rows.
	MissingZ Num `json:"missing_z"`
}

func relate(col *data.Column, l *labels) *Relation {
	r := &Relation{Strength: Num(math.NaN())}
	r.missing(col, l)
	groups, missing, ordered := grouped(col, l.rows)
	switch {
	case l.task == "binary" && ordered:
		r.Measure = "auc"
		r.rank(groups, missing, l)
	case l.task == "binary":
		r.Measure = "auc"
		if auc, ok := aucOf(crossFit(groups, l), l); ok {
			r.Strength = Num(max(auc, 0.5))
		}
	case ordered:
		r.Measure = "rank correlation"
		r.correlate(groups, missing, l)
	default:
		r.Measure = "correlation ratio"
		r.Strength = Num(explained(crossFit(groups, l), l))
	}
	return r
}

// grouped gives each of the rows the number of its group of equal values. For
// numbers and times (ordered) groups ascend by value; missing values are the
// group named by missing, -1 if there are none.
func grouped(col *data.Column, rows []int) (group []int, missing int, ordered bool) {
	group = make([]int, len(rows))
	missing = -1
	switch col.Kind {
	case data.Number, data.Time:
		value := func(i int) float64 {
			if col.Kind == data.Number {
				return col.Numbers[i]
			}
			if col.Times[i] == data.MissingTime {
				return math.NaN()
			}
			return float64(col.Times[i])
		}
		type place struct {
			v float64
			k int
		}
		order := make([]place, len(rows))
		for k, i := range rows {
			order[k] = place{value(i), k}
		}
		slices.SortFunc(order, func(a, b place) int { // NaN sorts first
			switch {
			case a.v < b.v || math.IsNaN(a.v) && !math.IsNaN(b.v):
				return -1
			case a.v > b.v || math.IsNaN(b.v) && !math.IsNaN(a.v):
				return 1
			}
			return a.k - b.k
		})
		g := 0
		for j, o := range order {
			if j > 0 && o.v != order[j-1].v && !(math.IsNaN(o.v) && math.IsNaN(order[j-1].v)) {
				g++
			}
			group[o.k] = g
			if math.IsNaN(o.v) {
				missing = g
			}
		}
		return group, missing, true
	case data.Category:
		for k, i := range rows {
			group[k] = int(col.Codes[i]) + 1 // missing is a value of its own
		}
	default: // free text: all it says here is whether there is any
		for k, i := range rows {
			if !col.Missing(i) {
				group[k] = 1
			}
		}
	}
	return group, missing, false
}

// rank sets the AUC of an ordered column, with missing values below all others
// or above, whichever ranks better.
func (r *Relation) rank(group []int, missing int, l *labels) {
	x := make([]float64, len(group))
	for k, g := range group {
		x[k] = float64(g)
	}
	best, ok := aucOf(x, l)
	if !ok {
		return
	}
	if missing >= 0 {
		for k, g := range group {
			if g == missing {
				x[k] = math.MaxFloat64
			}
		}
		if above, _ := aucOf(x, l); math.Abs(above-0.5) > math.Abs(best-0.5) {
			best = above
		}
	}
	r.Strength, r.Direction = Num(max(best, 1-best)), direction(best-0.5)
}

func direction(v float64) string {
	switch {
	case v > 0:
		return "up"
	case v < 0:
		return "down"
	}
	return ""
}

// aucOf returns the area under the ROC curve of x over the labels' rows, ties
// counting half; false if one class is absent.
func aucOf(x []float64, l *labels) (float64, bool) {
	order := make([]int, len(x))
	for k := range order {
		order[k] = k
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case x[a] < x[b]:
			return -1
		case x[a] > x[b]:
			return 1
		}
		return a - b
	})
	var wins, below, positives float64 // below: negatives under the group at hand
	for a := 0; a < len(order); {
		b := a
		var pos, neg float64
		for ; b < len(order) && x[order[b]] == x[order[a]]; b++ {
			if l.y[l.rows[order[b]]] == 1 {
				pos++
			} else {
				neg++
			}
		}
		wins += float64(pos * (below + neg/2))
		below += neg
		positives += pos
		a = b
	}
	if positives == 0 || below == 0 {
		return 0, false
	}
	return wins / positives / below, true
}

// crossFit returns for each row the mean target of its group, learned on the
// other half of the rows (every second one) and drawn towards the overall mean
// as if by ten more rows, so that a rare value promises little.
func crossFit(group []int, l *labels) []float64 {
	most := 0
	for _, g := range group {
		most = max(most, g)
	}
	const weight = 10
	n, sum := [2][]float64{}, [2][]float64{}
	base, rows := [2]float64{}, [2]float64{}
	for h := range 2 {
		n[h], sum[h] = make([]float64, most+1), make([]float64, most+1)
	}
	half := func(k int) int { return int(scramble(uint64(k)) & 1) } // not even and odd: files alternate
	for k, g := range group {
		h, v := half(k), l.y[l.rows[k]]
		n[h][g]++
		sum[h][g] += v
		base[h] += v
		rows[h]++
	}
	out := make([]float64, len(group))
	for k, g := range group {
		o := 1 - half(k)
		mean := l.base
		if rows[o] > 0 {
			mean = base[o] / rows[o]
		}
		out[k] = (sum[o][g] + float64(weight*mean)) / (n[o][g] + weight)
	}
	return out
}

// explained returns the square root of the share of the target's variance that
// the predictions explain, 0 if they are worse than the mean.
func explained(predicted []float64, l *labels) float64 {
	var left, total float64
	for k, p := range predicted {
		v := l.y[l.rows[k]]
		left += float64((v - p) * (v - p))
		total += float64((v - l.base) * (v - l.base))
	}
	if total == 0 || math.IsInf(total, 0) {
		return math.NaN()
	}
	return math.Sqrt(max(1-left/total, 0))
}

// correlate sets Spearman's rank correlation over the rows where the column is
// not missing.
func (r *Relation) correlate(group []int, missing int, l *labels) {
	var rows []int
	var x []float64
	for k, g := range group {
		if g != missing {
			rows = append(rows, l.rows[k])
			x = append(x, float64(g))
		}
	}
	y := make([]float64, len(rows))
	for k, i := range rows {
		y[k] = l.y[i]
	}
	rho := pearson(midRanks(x), midRanks(y))
	r.Strength, r.Direction = Num(math.Abs(rho)), direction(rho)
}

// midRanks returns the ranks of x from 1, equal values sharing their mean rank.
// NaN stays NaN and is not counted.
func midRanks(x []float64) []float64 {
	var order []int
	for k, v := range x {
		if !math.IsNaN(v) {
			order = append(order, k)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case x[a] < x[b]:
			return -1
		case x[a] > x[b]:
			return 1
		}
		return a - b
	})
	out := make([]float64, len(x))
	for k := range out {
		out[k] = math.NaN()
	}
	for a := 0; a < len(order); {
		b := a
		for b < len(order) && x[order[b]] == x[order[a]] {
			b++
		}
		for k := a; k < b; k++ {
			out[order[k]] = float64(a+b+1) / 2
		}
		a = b
	}
	return out
}

// pearson returns the correlation over the places where both are numbers, NaN
// with fewer than three of them or if either is constant there.
func pearson(x, y []float64) float64 {
	var n, mx, my float64
	for k := range x {
		if !math.IsNaN(x[k]) && !math.IsNaN(y[k]) {
			n++
			mx += x[k]
			my += y[k]
		}
	}
	if n < 3 {
		return math.NaN()
	}
	mx, my = mx/n, my/n
	var xx, yy, xy float64
	for k := range x {
		if !math.IsNaN(x[k]) && !math.IsNaN(y[k]) {
			xx += float64((x[k] - mx) * (x[k] - mx))
			yy += float64((y[k] - my) * (y[k] - my))
			xy += float64((x[k] - mx) * (y[k] - my))
		}
	}
	if xx == 0 || yy == 0 {
		return math.NaN()
	}
	return min(max(xy/math.Sqrt(xx)/math.Sqrt(yy), -1), 1)
}

// missing compares the target where the column is missing and where it is not.
func (r *Relation) missing(col *data.Column, l *labels) {
	var n, sum, square [2]float64
	for i, v := range l.y {
		if math.IsNaN(v) {
			continue
		}
		k := 0
		if col.Missing(i) {
			k = 1
		}
		d := v - l.base // around the mean, so that large targets keep their digits
		n[k]++
		sum[k] += d
		square[k] += float64(d * d)
	}
	mean := func(k int) Num {
		if n[k] == 0 {
			return Num(math.NaN())
		}
		return Num(l.base + sum[k]/n[k])
	}
	r.RatePresent, r.RateMissing = mean(0), mean(1)
	if n[0] < 20 || n[1] < 20 {
		return
	}
	all := n[0] + n[1]
	m := (sum[0] + sum[1]) / all
	variance := (square[0]+square[1])/all - float64(m*m)
	if variance <= 0 || math.IsInf(variance, 0) || math.IsNaN(variance) {
		return
	}
	r.MissingZ = Num((sum[1]/n[1] - sum[0]/n[0]) / math.Sqrt(variance*(1/n[0]+1/n[1])))
}
