package explore

import (
	"fmt"
	"math"

	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/data"
)

// nearCopy says that two columns tell almost the same.
type nearCopy struct {
	column, of string
	evidence   string
}

const (
	copyRows      = 5000 // rows that pairs are compared on
	copyColumns   = 400  // columns that are compared with each other
	copyRank      = 0.995
	copyMapping   = 0.98
	copyDistinct  = 200 // categories beyond so many values are not compared
	copyFewValues = 50  // numbers of at most so many values are also compared as categories
)

// nearCopies finds columns that tell the same as an earlier one: numbers whose
// ranks agree (one is a rising or falling function of the other), and columns
// of few values that map to each other one to one. The target is left out: a
// copy of it is leakage. note says what was not compared.
func nearCopies(t *data.Table, target string) (found []nearCopy, note string) {
	var cols []*data.Column
	for _, c := range t.Columns {
		if c.Name != target && c.Kind != data.Text {
			cols = append(cols, c)
		}
	}
	if len(cols) > copyColumns {
		note = fmt.Sprintf("Only the first %d of %s columns were compared with each other for near-copies.", copyColumns, chart.Count(int64(len(cols))))
		cols = cols[:copyColumns]
	}
	limit := copyRows
	if len(cols) > 100 {
		limit = 2000
	}
	rows := spread(t.Rows(), limit)
	if len(rows) < 30 {
		return nil, note
	}
	ranks, codes := make([][]float64, len(cols)), make([]coded, len(cols))
	each(len(cols), func(i int) { ranks[i], codes[i] = views(cols[i], rows) })
	first := make([]nearCopy, len(cols))
	each(len(cols), func(j int) {
		for i := range j {
			if ranks[i] != nil && ranks[j] != nil {
				if r := rankCorrelation(ranks[i], ranks[j]); math.Abs(r) >= copyRank {
					first[j] = nearCopy{cols[j].Name, cols[i].Name, "rank correlation " + precise(r)}
					return
				}
			}
			if codes[i].values > 1 && codes[j].values > 1 {
				if a := mapping(codes[i], codes[j]); a >= copyMapping {
					first[j] = nearCopy{cols[j].Name, cols[i].Name, "the values of one determine those of the other in " + chart.Percent(a) + " of the cases where that is not trivial"}
					return
				}
			}
		}
	})
	for _, c := range first {
		if c.column != "" {
			found = append(found, c)
		}
	}
	return found, note
}

// precise writes a correlation so that 0.9996 is not shown as 1.
func precise(r float64) string {
	if a := math.Abs(r); a > 0.9995 && a < 1 {
		return fmt.Sprintf("%.4f", math.Copysign(min(a, 0.9999), r))
	}
	return chart.Fixed(r)
}

// spread returns at most limit evenly spaced rows of n.
func spread(n, limit int) []int {
	k := min(n, limit)
	out := make([]int, k)
	for i := range out {
		out[i] = i * n / k
	}
	return out
}

// coded is a column of few values as numbers 0 .. values-1, missing among them.
type coded struct {
	code   []int
	values int
}

// code gives equal keys equal numbers in order of appearance; beyond limit
// values the result is empty.
func code[K comparable](keys []K, limit int) coded {
	c := coded{code: make([]int, len(keys))}
	seen := map[K]int{}
	for i, k := range keys {
		n, ok := seen[k]
		if !ok {
			if n = len(seen); n == limit {
				return coded{}
			}
			seen[k] = n
		}
		c.code[i] = n
	}
	c.values = len(seen)
	return c
}

// views returns the column's ranks (numbers and times, NaN missing; nil if all
// are equal) and its codes (columns of few values).
func views(c *data.Column, rows []int) (ranks []float64, codes coded) {
	if c.Kind == data.Category {
		keys := make([]int32, len(rows))
		for k, i := range rows {
			keys[k] = c.Codes[i]
		}
		return nil, code(keys, copyDistinct)
	}
	x, keys := make([]float64, len(rows)), make([]uint64, len(rows))
	lo, hi := math.Inf(1), math.Inf(-1)
	for k, i := range rows {
		switch {
		case c.Missing(i):
			x[k] = math.NaN()
			keys[k] = math.MaxUint64
			continue
		case c.Kind == data.Number:
			x[k] = c.Numbers[i] + 0 // -0 becomes 0
		default:
			x[k] = float64(c.Times[i])
		}
		lo, hi = min(lo, x[k]), max(hi, x[k])
		keys[k] = math.Float64bits(x[k])
	}
	if lo < hi {
		ranks = midRanks(x)
	}
	return ranks, code(keys, copyFewValues)
}

// rankCorrelation returns the correlation of ranks where both are present, 0 if
// that is less than nine tenths of where either is, or fewer than 30 rows.
func rankCorrelation(a, b []float64) float64 {
	both, either := 0, 0
	for k := range a {
		x, y := !math.IsNaN(a[k]), !math.IsNaN(b[k])
		if x && y {
			both++
		}
		if x || y {
			either++
		}
	}
	if both < 30 || both*10 < either*9 {
		return 0
	}
	if r := pearson(a, b); !math.IsNaN(r) {
		return r
	}
	return 0
}

// mapping returns how much two columns determine each other beyond what their
// most frequent values give, the lesser of the two directions: Goodman and
// Kruskal's lambda, JASA 49, 1954. It is 0 if fewer than ten rows hold another
// value than the most frequent one, since that is too few to say.
func mapping(a, b coded) float64 {
	joint := make([]int, a.values*b.values)
	for k := range a.code {
		joint[a.code[k]*b.values+b.code[k]]++
	}
	rowBest, rowSum := make([]int, a.values), make([]int, a.values)
	colBest, colSum := make([]int, b.values), make([]int, b.values)
	for i := range a.values {
		for j := range b.values {
			n := joint[i*b.values+j]
			rowBest[i], colBest[j] = max(rowBest[i], n), max(colBest[j], n)
			rowSum[i] += n
			colSum[j] += n
		}
	}
	return min(lambda(rowBest, colSum, len(a.code)), lambda(colBest, rowSum, len(a.code)))
}

func lambda(best, marginal []int, n int) float64 {
	right, most := 0, 0
	for _, v := range best {
		right += v
	}
	for _, v := range marginal {
		most = max(most, v)
	}
	if n-most < 10 {
		return 0
	}
	return float64(right-most) / float64(n-most)
}
