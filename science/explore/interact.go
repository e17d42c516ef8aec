package explore

import (
	"cmp"
	"math"
	"slices"

	"github.com/tandem-ml/tandem/data"
)

// Interaction is a pair of columns that say more of the target together than
// one by one.
type Interaction struct {
	A string `json:"a"`
	B string `json:"b"`
	// Gain is the share of the target's variance that the cells of both columns
	// explain beyond the sum of what each explains; Both is what they explain
	// together. Each is learned on one half of the sampled rows and measured on the other.
	Gain Num `json:"gain"`
	Both Num `json:"both"`
}

const (
	interactRows    = 20_000
	interactColumns = 30
	interactParts   = 5
	leastGain       = 0.005
)

// interact screens the pairs of the strongest columns, and of some others,
// since two that say nothing alone may say all together.
func (p *Page) interact(t *data.Table, y *labels) {
	p.Interactions = []Interaction{}
	if y == nil || y.y == nil || len(y.rows) < 500 {
		return
	}
	var order []int
	for i, c := range p.Columns {
		if c.Relation != nil && c.Distinct >= 2 && c.Kind != data.Text && c.Role != data.ID && !math.IsNaN(float64(c.Relation.Strength)) &&
			!(c.Kind == data.Category && c.Distinct > 100) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(p.Columns[b].Relation.Strength, p.Columns[a].Relation.Strength)
	})
	order = order[:min(len(order), interactColumns)]
	rows := make([]int, 0, interactRows)
	for _, k := range spread(len(y.rows), interactRows) {
		rows = append(rows, y.rows[k])
	}
	target := make([]float64, len(rows))
	mean, total := 0.0, 0.0
	for k, i := range rows {
		target[k] = y.y[i]
		mean += target[k] / float64(len(rows))
	}
	for k := range target {
		target[k] -= mean
		total += float64(target[k] * target[k])
	}
	if !(total > 0) || math.IsInf(total, 0) {
		return
	}
	cells := make([][]int, len(order))
	each(len(order), func(k int) { cells[k] = cut(t.Columns[order[k]], rows) })
	found := make([][]Interaction, len(order))
	each(len(order), func(a int) {
		for b := range a {
			gain, both := crossed(cells[a], cells[b], target, total)
			// By chance the gain is about minus the number of cells over the rows.
			if gain >= leastGain && gain*float64(len(rows)) > 30 {
				found[a] = append(found[a], Interaction{p.Columns[order[b]].Name, p.Columns[order[a]].Name, Num(gain), Num(both)})
			}
		}
	})
	p.Interactions = append(p.Interactions, slices.Concat(found...)...)
	slices.SortStableFunc(p.Interactions, func(a, b Interaction) int { return cmp.Compare(b.Gain, a.Gain) })
	p.Interactions = p.Interactions[:min(len(p.Interactions), 20)]
}

// cut gives each row the number of its part: fifths of a number, the four most
// frequent values of a category; missing is a part of its own.
func cut(col *data.Column, rows []int) []int {
	group, missing, ordered := grouped(col, rows)
	counts := make([]int, slices.Max(group)+1)
	for _, g := range group {
		counts[g]++
	}
	to := make([]int, len(counts))
	if ordered {
		present := len(rows)
		if missing == 0 {
			present -= counts[0]
		}
		seen := 0
		for g, c := range counts {
			if g == missing {
				continue
			}
			to[g] = 1 + min(seen*interactParts/max(present, 1), interactParts-1)
			seen += c
		}
	} else {
		order := make([]int, len(counts))
		for g := range order {
			order[g] = g
		}
		slices.SortStableFunc(order, func(a, b int) int { return counts[b] - counts[a] })
		for place, g := range order {
			to[g] = min(place, interactParts)
		}
	}
	out := make([]int, len(rows))
	for k, g := range group {
		out[k] = to[g]
	}
	return out
}

// crossed fits, on each half of the rows, the mean of every cell, and the sum of
// the effects of either column, and measures both on the other half.
func crossed(a, b []int, y []float64, total float64) (gain, both float64) {
	const k = interactParts + 1
	var n, sum [2][k * k]float64
	for r := range y {
		h, c := half(r), a[r]*k+b[r]
		n[h][c]++
		sum[h][c] += y[r]
	}
	var joint, added [2][k * k]float64
	for h := range 2 {
		for c := range k * k {
			joint[h][c] = sum[h][c] / (n[h][c] + 10) // drawn to 0 as if by ten more rows
		}
		// Effects by turns, until they settle (Friedman and Stuetzle, 1981).
		var ea, eb [k]float64
		for range 5 {
			for side := range 2 {
				for i := range k {
					var rows, left float64
					for j := range k {
						c := i*k + j
						other := eb[j]
						if side == 1 {
							c, other = j*k+i, ea[j]
						}
						rows += n[h][c]
						left += sum[h][c] - float64(n[h][c]*other)
					}
					if side == 0 {
						ea[i] = left / (rows + 10)
					} else {
						eb[i] = left / (rows + 10)
					}
				}
			}
		}
		for i := range k {
			for j := range k {
				added[h][i*k+j] = ea[i] + eb[j]
			}
		}
	}
	var withJoint, withAdded float64
	for r, v := range y {
		h, c := 1-half(r), a[r]*k+b[r]
		withJoint += float64((v - joint[h][c]) * (v - joint[h][c]))
		withAdded += float64((v - added[h][c]) * (v - added[h][c]))
	}
	return (withAdded - withJoint) / total, max(0, 1-withJoint/total)
}
