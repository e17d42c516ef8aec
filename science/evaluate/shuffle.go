package evaluate

import (
	"fmt"
	"math"
	"slices"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
)

// classes returns the given rows by class, each in row order: negative and
// positive for binary tasks, all in one otherwise.
func (in Input) classes(rows []int) [][]int {
	if in.Task != bundle.Binary {
		return [][]int{slices.Clone(rows)}
	}
	out := make([][]int, 2)
	for _, r := range rows {
		c := int(in.Y[r])
		out[c] = append(out[c], r)
	}
	return out
}

// cutShuffled shuffles the rows of each class and cuts them by the shares; each
// part gets at least one row of each class.
func cutShuffled(in Input, shares []float64) ([][]int, error) {
	parts := make([][]int, len(shares))
	for c, rows := range in.classes(all(len(in.Y))) {
		n := len(rows)
		if n < len(shares) {
			kind := "rows"
			if in.Task == bundle.Binary {
				kind = []string{"negative rows", "positive rows"}[c]
			}
			return nil, data.WithHint(fmt.Errorf("%w: there are %d %s, a division into %d parts needs at least %d",
				ErrTooSmall, n, kind, len(shares), len(shares)), "add rows of that kind")
		}
		rng := seed.Stream(in.Seed, "divide", c)
		rng.Shuffle(n, func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		// The last parts take their share, at least a row; the first takes the rest.
		for k := len(shares) - 1; k > 0; k-- {
			take := max(1, int(math.Round(shares[k]*float64(n))))
			parts[k] = append(parts[k], rows[len(rows)-take:]...)
			rows = rows[:len(rows)-take]
		}
		parts[0] = append(parts[0], rows...)
	}
	for _, p := range parts {
		slices.Sort(p)
	}
	return parts, nil
}

// dealGroups deals whole groups of the given rows to the parts, the largest
// first (equal ones in shuffled order), each to the part where it brings the
// rows of every class nearest to the shares.
func dealGroups(in Input, rows []int, shares []float64, stream string) [][]int {
	type group struct {
		rows  []int
		count [2]float64 // rows of each class
	}
	var groups []*group
	byCode := map[int32]*group{}
	var total [2]float64
	for _, r := range rows {
		code := in.Group[r]
		g := byCode[code]
		if g == nil || code < 0 {
			g = &group{}
			groups = append(groups, g)
			byCode[code] = g
		}
		g.rows = append(g.rows, r)
		c := 0
		if in.Task == bundle.Binary {
			c = int(in.Y[r])
		}
		g.count[c]++
		total[c]++
	}
	rng := seed.Stream(in.Seed, stream, 0)
	rng.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
	slices.SortStableFunc(groups, func(a, b *group) int { return len(b.rows) - len(a.rows) })

	parts := make([][]int, len(shares))
	have := make([][2]float64, len(shares)) // share of each class dealt so far
	for _, g := range groups {
		best, bestCost := 0, math.Inf(1)
		for k := range parts {
			// How much the squared distance to the shares grows with the group.
			cost := 0.0
			for c := range total {
				if total[c] > 0 {
					d := g.count[c] / total[c]
					cost += float64(d * (2*(have[k][c]-shares[k]) + d))
				}
			}
			if cost < bestCost {
				best, bestCost = k, cost
			}
		}
		parts[best] = append(parts[best], g.rows...)
		for c := range total {
			if total[c] > 0 {
				have[best][c] += g.count[c] / total[c]
			}
		}
	}
	for _, p := range parts {
		slices.Sort(p)
	}
	return parts
}

// Folds divides the given rows of an input that [Divide] accepts into k folds for
// cross-validation and returns the row numbers held out in each, increasing:
// every given row is held out once. rows are distinct, in any order.
//
// The method is that of [Divide]: contiguous blocks of time that never cut
// between rows of equal time, whole groups, the same share of positive rows in
// every fold, or shuffled. Folds that would be empty, because there are fewer
// rows, times or groups than k, are left out; k below 2 gives one fold of all
// rows. A fold can lack a class where time, groups or few rows leave no choice.
// The same input gives the same folds.
func Folds(in Input, rows []int, k int) [][]int {
	k = min(max(k, 1), len(rows))
	if k == 0 {
		return nil
	}
	var folds [][]int
	switch in.method() {
	case "out-of-time":
		blocks := in.timeBlocks(rows)
		// There are as many blocks as shares, so there is nothing to go wrong.
		folds, _ = cutByTime(blocks, len(rows), evenShares(min(k, len(blocks))))
	case "grouped":
		sorted := slices.Sorted(slices.Values(rows))
		folds = dealGroups(in, sorted, evenShares(k), "fold")
	default:
		folds = make([][]int, k)
		next := 0
		sorted := slices.Sorted(slices.Values(rows))
		for c, class := range in.classes(sorted) {
			rng := seed.Stream(in.Seed, "fold", c)
			rng.Shuffle(len(class), func(i, j int) { class[i], class[j] = class[j], class[i] })
			// Dealing goes on where the last class ended, so sizes differ by one at most.
			for _, r := range class {
				folds[next%k] = append(folds[next%k], r)
				next++
			}
		}
	}
	for _, f := range folds {
		slices.Sort(f)
	}
	return slices.DeleteFunc(folds, func(f []int) bool { return len(f) == 0 })
}

func evenShares(k int) []float64 {
	out := make([]float64, k)
	for i := range out {
		out[i] = 1 / float64(k)
	}
	return out
}
