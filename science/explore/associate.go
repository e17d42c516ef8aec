package explore

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/stats"
)

// Associations says which columns go together.
type Associations struct {
	// Columns are those compared, ordered so that what goes together stands
	// together: average linkage over 1 - strength.
	Columns []string `json:"columns"`
	// Strength[i][j] is in [0, 1], with a sign for two numbers; null where it
	// cannot be measured; 1 on the diagonal.
	Strength [][]Num `json:"strength"`
	// Pairs are the strongest, strongest first, at most 200.
	Pairs []Pair `json:"pairs"`
	Rows  int    `json:"rows"` // evenly spaced rows that they are measured on
}

// Pair is what two columns have in common. Fields that do not fit the kinds of
// the columns are null.
type Pair struct {
	A string `json:"a"`
	B string `json:"b"`
	// Measure names the one that Strength is: "spearman" for two numbers or
	// times, "cramers_v" for two categories, "correlation_ratio" for one of each.
	Measure  string `json:"measure"`
	Strength Num    `json:"strength"`
	Pearson  Num    `json:"pearson"`
	Spearman Num    `json:"spearman"`
	// Distance is the distance correlation of at most 250 rows; it is not 0 for
	// dependence that neither rises nor falls.
	Distance Num `json:"distance"`
	// CramersV is corrected for bias (Bergsma, 2013), the ratio for its (Kelley, 1935).
	CramersV         Num `json:"cramers_v"`
	CorrelationRatio Num `json:"correlation_ratio"`
	// P is the p-value that the two are independent, from the number of rows looked
	// at; uncorrected for the number of pairs.
	P Num `json:"p"`
}

const (
	associateRows    = 4000
	associateColumns = 60
	distanceRows     = 250
	maxPairs         = 200
)

// side is a column made ready for comparison.
type side struct {
	col      *data.Column
	x, ranks []float64 // numbers and times; NaN is missing
	codes    []int     // categories; -1 is missing
	k        int       // how many codes
	distance []float64 // centred distances of distanceRows rows
	norm     float64   // root of their mean square
}

// associate compares the columns that can tell something, the target first.
func (p *Page) associate(t *data.Table, target string) {
	p.Associations = Associations{Columns: []string{}, Strength: [][]Num{}, Pairs: []Pair{}}
	strength := func(i int) float64 {
		if p.Columns[i].Name == target {
			return 2
		}
		if r := p.Columns[i].Relation; r != nil && !math.IsNaN(float64(r.Strength)) {
			return float64(r.Strength)
		}
		return 0
	}
	var order []int
	for i, c := range p.Columns {
		if c.Distinct >= 2 && c.Kind != data.Text && !(c.Kind == data.Category && (c.Distinct > 1000 || float64(c.Distinct) > 0.9*float64(c.Count))) {
			order = append(order, i)
		}
	}
	if len(order) > associateColumns {
		p.Notes = append(p.Notes, fmt.Sprintf("Associations are shown of %d of %s columns, those that say most of the target first.", associateColumns, chart.Count(int64(len(order)))))
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(strength(b), strength(a)) })
		order = order[:associateColumns]
		slices.Sort(order)
	}
	rows := spread(t.Rows(), associateRows)
	p.Associations.Rows = len(rows)
	if len(order) < 2 || len(rows) < 10 {
		return
	}
	sides := make([]side, len(order))
	each(len(order), func(k int) { sides[k] = newSide(t.Columns[order[k]], rows) })
	n := len(sides)
	pairs := make([][]Pair, n)
	each(n, func(i int) {
		pairs[i] = make([]Pair, i)
		for j := range i {
			pairs[i][j] = sides[j].pair(&sides[i])
		}
	})
	m := make([][]float64, n)
	for i := range m {
		m[i] = make([]float64, n)
	}
	for i := range n {
		m[i][i] = 1
		for j := range i {
			s := float64(pairs[i][j].Strength)
			m[i][j], m[j][i] = s, s
			if !math.IsNaN(s) {
				p.Associations.Pairs = append(p.Associations.Pairs, pairs[i][j])
			}
		}
	}
	for _, i := range cluster(m) {
		p.Associations.Columns = append(p.Associations.Columns, sides[i].col.Name)
		row := make([]Num, 0, n)
		for _, j := range cluster(m) {
			row = append(row, Num(m[i][j]))
		}
		p.Associations.Strength = append(p.Associations.Strength, row)
	}
	rank := func(q Pair) float64 { return max(math.Abs(float64(q.Strength)), 0) }
	slices.SortStableFunc(p.Associations.Pairs, func(a, b Pair) int { return cmp.Compare(rank(b), rank(a)) })
	p.Associations.Pairs = p.Associations.Pairs[:min(len(p.Associations.Pairs), maxPairs)]
}

func newSide(col *data.Column, rows []int) side {
	s := side{col: col}
	if col.Kind == data.Category {
		counts := make([]int, len(col.Dict))
		for _, i := range rows {
			if c := col.Codes[i]; c >= 0 {
				counts[c]++
			}
		}
		// The 30 most frequent values, and all others as one.
		order := make([]int, len(counts))
		for c := range order {
			order[c] = c
		}
		slices.SortStableFunc(order, func(a, b int) int { return counts[b] - counts[a] })
		to := make([]int, len(counts))
		for place, c := range order {
			to[c] = min(place, 30)
		}
		s.k = min(len(counts), 31)
		s.codes = make([]int, len(rows))
		for r, i := range rows {
			s.codes[r] = -1
			if c := col.Codes[i]; c >= 0 {
				s.codes[r] = to[c]
			}
		}
		return s
	}
	s.x = make([]float64, len(rows))
	for r, i := range rows {
		switch {
		case col.Missing(i) || col.Kind == data.Number && math.IsInf(col.Numbers[i], 0):
			s.x[r] = math.NaN()
		case col.Kind == data.Number:
			s.x[r] = col.Numbers[i]
		default:
			s.x[r] = float64(col.Times[i])
		}
	}
	s.ranks = midRanks(s.x)
	s.centre()
	return s
}

// centre makes the distances of evenly spaced rows less the means of their row
// and column plus that of all (Szekely, Rizzo and Bakirov, 2007), of ranks, so
// that a few outliers do not decide. Missing values stand in the middle.
func (s *side) centre() {
	at := spread(len(s.ranks), distanceRows)
	n := len(at)
	v := make([]float64, n)
	for k, r := range at {
		if v[k] = s.ranks[r]; math.IsNaN(v[k]) {
			v[k] = float64(len(s.ranks)+1) / 2
		}
	}
	d, row := make([]float64, n*n), make([]float64, n)
	all := 0.0
	for i := range n {
		for j := range n {
			d[i*n+j] = math.Abs(v[i] - v[j])
			row[i] += d[i*n+j]
		}
		row[i] /= float64(n)
		all += row[i] / float64(n)
	}
	sum := 0.0
	for i := range n {
		for j := range n {
			x := d[i*n+j] - row[i] - row[j] + all
			d[i*n+j] = x
			sum += float64(x * x)
		}
	}
	s.distance, s.norm = d, math.Sqrt(sum)
}

func (a *side) pair(b *side) Pair {
	nan := Num(math.NaN())
	p := Pair{A: a.col.Name, B: b.col.Name, Strength: nan, Pearson: nan, Spearman: nan, Distance: nan, CramersV: nan, CorrelationRatio: nan, P: nan}
	switch {
	case a.x != nil && b.x != nil:
		p.Measure = "spearman"
		p.Pearson, p.Spearman = Num(pearson(a.x, b.x)), Num(pearson(a.ranks, b.ranks))
		n := 0.0
		for r := range a.ranks {
			if !math.IsNaN(a.ranks[r]) && !math.IsNaN(b.ranks[r]) {
				n++
			}
		}
		p.Strength = p.Spearman
		if rho := float64(p.Spearman); n > 10 && !math.IsNaN(rho) {
			p.P = Num(math.Erfc(math.Abs(math.Atanh(min(max(rho, -0.9999999), 0.9999999))) * math.Sqrt((n-3)/1.06) / math.Sqrt2)) // Fieller, 1957
		}
		if a.norm > 0 && b.norm > 0 {
			sum := 0.0
			for k := range a.distance {
				sum += float64(a.distance[k] * b.distance[k])
			}
			p.Distance = Num(math.Sqrt(min(max(sum/a.norm/b.norm, 0), 1)))
		}
	case a.x == nil && b.x == nil:
		p.Measure = "cramers_v"
		table := make([][]float64, a.k)
		for i := range table {
			table[i] = make([]float64, b.k)
		}
		for r := range a.codes {
			if a.codes[r] >= 0 && b.codes[r] >= 0 {
				table[a.codes[r]][b.codes[r]]++
			}
		}
		table = withoutEmpty(table)
		if v, err := stats.CramersVCorrected(table); err == nil {
			p.CramersV, p.Strength = Num(v), Num(v)
			if r, err := stats.ChiSquared(table); err == nil {
				p.P = Num(r.P)
			}
		}
	default:
		p.Measure = "correlation_ratio"
		c, x := a, b
		if a.x != nil {
			c, x = b, a
		}
		p.CorrelationRatio, p.P = correlationRatio(c.codes, c.k, x.ranks)
		p.Strength = p.CorrelationRatio
	}
	return p
}

// withoutEmpty leaves out rows and columns that count nothing.
func withoutEmpty(t [][]float64) [][]float64 {
	var rows [][]float64
	for _, r := range t {
		if slices.Max(r) > 0 {
			rows = append(rows, r)
		}
	}
	if len(rows) == 0 {
		return rows
	}
	out := make([][]float64, len(rows))
	for c := range rows[0] {
		any := false
		for _, r := range rows {
			any = any || r[c] > 0
		}
		if any {
			for i, r := range rows {
				out[i] = append(out[i], r[c])
			}
		}
	}
	return out
}

// correlationRatio returns the root of the share of the variance of ranks that
// the categories explain, corrected for chance (Kelley, An unbiased correlation
// ratio measure, 1935), and the p-value of Kruskal and Wallis.
func correlationRatio(codes []int, k int, x []float64) (Num, Num) {
	n, sum := make([]float64, k), make([]float64, k)
	var all, total, square float64
	for r, c := range codes {
		if c < 0 || math.IsNaN(x[r]) {
			continue
		}
		n[c]++
		sum[c] += x[r]
		all++
		total += x[r]
		square += float64(x[r] * x[r])
	}
	nan := Num(math.NaN())
	between, groups := 0.0, 0.0
	for c := range n {
		if n[c] > 0 {
			groups++
			between += sum[c] / n[c] * sum[c]
		}
	}
	if all < 10 || groups < 2 || groups >= all {
		return nan, nan
	}
	mean := total / all * total
	if !(square-mean > 1e-9*square) {
		return nan, nan
	}
	eta := (between - mean) / (square - mean)
	h := eta * (all - 1)
	return Num(math.Sqrt(min(max(1-float64((1-eta)*((all-1)/(all-groups))), 0), 1))), Num(stats.ChiSquaredPValue(h, groups-1))
}

// cluster returns an order in which strongly associated columns stand together:
// the leaves of the tree of average linkage.
func cluster(m [][]float64) []int {
	n := len(m)
	groups := make([][]int, n)
	d := make([][]float64, n)
	for i := range n {
		groups[i] = []int{i}
		d[i] = make([]float64, n)
		for j := range n {
			d[i][j] = 1
			if s := math.Abs(m[i][j]); !math.IsNaN(s) {
				d[i][j] = 1 - s
			}
		}
	}
	for left := n; left > 1; left-- {
		a, b := -1, -1
		for i := range n {
			for j := i + 1; j < n && groups[i] != nil; j++ {
				if groups[j] != nil && (a < 0 || d[i][j] < d[a][b]-1e-12) {
					a, b = i, j
				}
			}
		}
		x, y := float64(len(groups[a])), float64(len(groups[b]))
		for k := range n {
			d[a][k] = (float64(x*d[a][k]) + float64(y*d[b][k])) / (x + y)
			d[k][a] = d[a][k]
		}
		groups[a] = append(groups[a], groups[b]...)
		groups[b] = nil
	}
	for _, g := range groups {
		if g != nil {
			return g
		}
	}
	return nil
}
