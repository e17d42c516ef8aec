package explore

import (
	"cmp"
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
	// InformationValue is the sum of (p-q) ln(p/q) over tenths of a number, or the
	// values of a category with 20 rows or more; binary targets only, else null.
	InformationValue Num `json:"information_value"`
	// Mutual is the mutual information with the target (in tenths if it is a
	// number) in bits, over the same parts, less its bias by chance; Low and High
	// its interval of 95%. All null if it cannot be measured.
	Mutual     Num `json:"mutual_information"`
	MutualLow  Num `json:"mutual_information_low"`
	MutualHigh Num `json:"mutual_information_high"`
}

func relate(col *data.Column, l *labels) *Relation {
	r := &Relation{Strength: Num(math.NaN())}
	r.missing(col, l)
	groups, missing, ordered := grouped(col, l.rows)
	r.information(groups, ordered, l)
	switch {
	case l.task == "binary" && ordered:
		r.Measure = "auc"
		r.rank(groups, missing, l)
	case l.task == "binary":
		r.Measure = "auc"
		if auc, ok := crossFit(groups, l).auc(groups, l); ok {
			r.Strength = Num(max(auc, 0.5))
		}
	case ordered:
		r.Measure = "rank correlation"
		r.correlate(groups, missing, l)
	default:
		r.Measure = "correlation ratio"
		r.Strength = Num(crossFit(groups, l).explained(groups, l))
	}
	return r
}

// grouped gives each of the rows the number of its group of equal values. For
// numbers and times (ordered) groups ascend by value, with those that are
// missing as group 0; missing is then 0, and -1 if there are none.
func grouped(col *data.Column, rows []int) (group []int, missing int, ordered bool) {
	group = make([]int, len(rows))
	missing = -1
	switch col.Kind {
	case data.Number, data.Time:
		x := make([]float64, len(rows))
		for k, i := range rows {
			switch {
			case col.Kind == data.Number:
				x[k] = col.Numbers[i]
			case col.Times[i] == data.MissingTime:
				x[k] = math.NaN()
			default:
				x[k] = float64(col.Times[i])
			}
		}
		keys, at := ascending(x)
		if len(at) < len(x) {
			missing = 0 // its group comes before all others
		}
		g := missing // so that the first value's group is the next
		for j, k := range at {
			if j == 0 || keys[j] != keys[j-1] {
				g++
			}
			group[k] = g
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
	groups := tally(group, l)
	best, ok := aucOf(groups)
	if !ok {
		return
	}
	if missing == 0 {
		if above, _ := aucOf(append(groups[1:len(groups):len(groups)], groups[0])); math.Abs(above-0.5) > math.Abs(best-0.5) {
			best = above
		}
	}
	r.Strength, r.Direction = Num(max(best, 1-best)), direction(best-0.5)
}

// classes counts the rows of a group by their label.
type classes struct{ positive, negative float64 }

func tally(group []int, l *labels) []classes {
	out := make([]classes, slices.Max(group)+1)
	for k, g := range group {
		if l.y[l.rows[k]] == 1 {
			out[g].positive++
		} else {
			out[g].negative++
		}
	}
	return out
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

// aucOf returns the area under the ROC curve of a score that rises from group
// to group, ties within a group counting half; false if one class is absent.
func aucOf(groups []classes) (float64, bool) {
	var wins, below, positives float64 // below: negatives under the group at hand
	for _, g := range groups {
		wins += float64(g.positive * (below + g.negative/2))
		below += g.negative
		positives += g.positive
	}
	if positives == 0 || below == 0 {
		return 0, false
	}
	return wins / positives / below, true
}

// fitted holds the mean target of each group as learned from each half of the
// rows, to be used on the other half.
type fitted [2][]float64

// half says in which half row k is: not even and odd, since files alternate.
func half(k int) int { return int(scramble(uint64(k)) & 1) }

// crossFit learns the mean target of each group on either half of the rows,
// drawn towards the half's own mean as if by ten more rows, so that a rare
// value promises little.
func crossFit(group []int, l *labels) fitted {
	const weight = 10
	groups := slices.Max(group) + 1
	var n, sum fitted
	var base, rows [2]float64
	for h := range 2 {
		n[h], sum[h] = make([]float64, groups), make([]float64, groups)
	}
	for k, g := range group {
		h, v := half(k), l.y[l.rows[k]]
		n[h][g]++
		sum[h][g] += v
		base[h] += v
		rows[h]++
	}
	for h := range 2 {
		mean := l.base
		if rows[h] > 0 {
			mean = base[h] / rows[h]
		}
		for g := range groups {
			sum[h][g] = (sum[h][g] + float64(weight*mean)) / (n[h][g] + weight)
		}
	}
	return sum
}

// auc returns how well the means learned on the other half rank the rows.
func (f fitted) auc(group []int, l *labels) (float64, bool) {
	type bucket struct {
		mean float64
		classes
	}
	groups := len(f[0])
	buckets := make([]bucket, 2*groups)
	for h := range 2 {
		for g := range groups {
			buckets[h*groups+g].mean = f[1-h][g]
		}
	}
	for k, g := range group {
		b := &buckets[half(k)*groups+g]
		if l.y[l.rows[k]] == 1 {
			b.positive++
		} else {
			b.negative++
		}
	}
	slices.SortStableFunc(buckets, func(a, b bucket) int { return cmp.Compare(a.mean, b.mean) })
	var ranked []classes
	for i, b := range buckets {
		if i > 0 && b.mean == buckets[i-1].mean {
			last := &ranked[len(ranked)-1]
			last.positive += b.positive
			last.negative += b.negative
			continue
		}
		ranked = append(ranked, b.classes)
	}
	return aucOf(ranked)
}

// explained returns the square root of the share of the target's variance that
// the means learned on the other half explain, 0 if they are worse than the mean.
func (f fitted) explained(group []int, l *labels) float64 {
	var left, total float64
	for k, g := range group {
		v, p := l.y[l.rows[k]], f[1-half(k)][g]
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
	keys, order := ascending(x)
	out := make([]float64, len(x))
	for k := range out {
		out[k] = math.NaN()
	}
	for a := 0; a < len(order); {
		b := a
		for b < len(order) && keys[b] == keys[a] {
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
