package leak

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/data"
)

// auc returns the area under the ROC curve of x for the classes y, ties
// counting half, and its distance from 1/2 in standard errors under no
// relation. For a target that is a number it is (1+rho)/2 with the rank
// correlation rho. Values that are not finite are left out.
func (s *search) auc(x []float64, y []float64) (area, z float64) {
	type pair struct{ x, y float64 }
	var p []pair
	for k, v := range x {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			p = append(p, pair{v, y[k]})
		}
	}
	if len(p) < 50 {
		return 0.5, 0
	}
	if !s.Binary {
		rank := func(key func(pair) float64, set func(*pair, float64)) {
			slices.SortFunc(p, func(a, b pair) int { return cmp.Or(cmp.Compare(key(a), key(b)), cmp.Compare(a.y, b.y)) })
			for a := 0; a < len(p); {
				b, v := a, key(p[a])
				for b < len(p) && key(p[b]) == v {
					b++
				}
				for k := a; k < b; k++ {
					set(&p[k], float64(a+b+1)/2)
				}
				a = b
			}
		}
		rank(func(q pair) float64 { return q.y }, func(q *pair, r float64) { q.y = r })
		rank(func(q pair) float64 { return q.x }, func(q *pair, r float64) { q.x = r })
		m := float64(len(p)+1) / 2
		var xx, yy, xy float64
		for _, q := range p {
			xx, yy, xy = xx+float64((q.x-m)*(q.x-m)), yy+float64((q.y-m)*(q.y-m)), xy+float64((q.x-m)*(q.y-m))
		}
		if xx == 0 || yy == 0 {
			return 0.5, 0
		}
		rho := xy / math.Sqrt(xx) / math.Sqrt(yy)
		return (1 + rho) / 2, rho * math.Sqrt(float64(len(p)))
	}
	slices.SortFunc(p, func(a, b pair) int { return cmp.Compare(a.x, b.x) })
	var wins, below, ones float64
	for a := 0; a < len(p); {
		var n, pos float64
		b := a
		for ; b < len(p) && p[b].x == p[a].x; b++ {
			n++
			pos += p[b].y
		}
		wins += float64(pos * (below + (n-pos)/2))
		below += n - pos
		ones += pos
		a = b
	}
	if below < 10 || ones < 10 {
		return 0.5, 0
	}
	area = wins / ones / below
	return area, (area - 0.5) / math.Sqrt((1/ones+1/below)/12)
}

// order asks whether the place of a row in the file, or the row before, tells
// its target.
func (s *search) order(known []int) *Finding {
	for _, c := range s.Columns {
		if c.Role == data.TimeRole {
			return nil // rows are split by time, as they should be
		}
	}
	x := make([]float64, len(s.rows))
	for k, i := range s.rows {
		x[k] = float64(i)
	}
	area, z := s.auc(x, s.y)
	time := ""
	for _, c := range s.Columns {
		if c.Kind == data.Time && time == "" {
			time = c.Name
		}
	}
	do := "shuffle rows that came sorted, and find out what the order means; never use row numbers"
	if time != "" {
		do = "if the rows stand in the order of time, name the time so that models are judged on the newest rows"
	}
	if strength := max(area, 1-area); strength >= 0.6 && math.Abs(z) >= 8 {
		what, evidence := "The place of a row in the file tells its target", "the row number alone has an AUC of "+chart.Fixed(strength)
		if !s.Binary {
			evidence = "the row number has a rank correlation of " + chart.Fixed(2*area-1) + " with it"
		}
		return &Finding{Kind: "row_order", High: strength > 0.95, What: what, Evidence: evidence, Do: do, Time: time}
	}
	// Rows that follow each other.
	n := min(len(known), maxRows)
	var mean, xx, xy float64
	for _, i := range known[:n] {
		mean += s.Y[i] / float64(n)
	}
	for k := range n {
		d := s.Y[known[k]] - mean
		xx += float64(d * d)
		if k > 0 {
			xy += float64(d * (s.Y[known[k-1]] - mean))
		}
	}
	if xx == 0 {
		return nil
	}
	if r := xy / xx; r >= 0.3 && r*math.Sqrt(float64(n)) >= 8 {
		return &Finding{Kind: "row_order", What: "Neighbouring rows share their target",
			Evidence: "the target of a row correlates " + chart.Fixed(r) + " with that of the row before", Time: time,
			Do: "rows of one event or moment stand together; say what joins them (data.time or data.group), or a random split puts the answer into the training rows"}
	}
	return nil
}

// entity asks whether rows of one value share their target far beyond chance
// while the values' order says little: a customer, a machine, a household.
func (s *search) entity(c *Column) *Finding {
	n := c.Profile.Count
	if c.Kind == data.Time || c.Role == data.Group || c.Kind == data.Number && !c.Profile.Whole || c.Kind == data.Text && c.Profile.Distinct*2 > n ||
		c.Profile.Distinct < 50 || float64(c.Profile.Distinct) > 0.8*float64(n) || float64(n) > 300*float64(c.Profile.Distinct) || s.known(c) && c.Kind == data.Number {
		return nil
	}
	// Whole groups are drawn, by their hash, so that about maxRows rows are seen.
	keep := uint64(math.MaxUint64)
	if n > 2*maxRows {
		keep = uint64(float64(math.MaxUint64) / float64(n) * 2 * maxRows)
	}
	type group struct{ n, sum, square float64 }
	at := map[uint64]int{}
	var groups []group
	var all group
	for i, y := range s.Y {
		if math.IsNaN(y) || math.IsInf(y, 0) || c.Missing(i) {
			continue
		}
		key := c.key(i)
		if scramble(key) > keep {
			continue
		}
		g, ok := at[key]
		if !ok {
			g = len(groups)
			at[key] = g
			groups = append(groups, group{})
		}
		d := y - s.base
		groups[g].n++
		groups[g].sum += d
		groups[g].square += float64(d * d)
		all.n++
		all.sum += d
		all.square += float64(d * d)
	}
	// Intraclass correlation over pairs of rows of one group.
	mean := all.sum / max(all.n, 1)
	variance := all.square/max(all.n, 1) - float64(mean*mean)
	var pairs, agree float64
	several := 0
	for _, g := range groups {
		if g.n < 2 {
			continue
		}
		several++
		sum := g.sum - float64(g.n*mean)
		square := g.square - float64(2*mean*g.sum) + float64(g.n*mean*mean)
		pairs += (g.n - 1) * g.n / (g.n - 1) // each group counts by its rows
		agree += (float64(sum*sum) - square) / (g.n - 1)
	}
	if several < 50 || variance <= 0 || pairs < 200 {
		return nil
	}
	icc := agree / pairs / variance
	if icc < 0.5 || icc*math.Sqrt(float64(several)) < 5 {
		return nil
	}
	if c.Kind == data.Number { // a measure that is strong by its size is no entity
		x := make([]float64, len(s.rows))
		for k, i := range s.rows {
			x[k] = c.Numbers[i]
		}
		area, _ := s.auc(x, s.y)
		if math.Abs(area-0.5) > 0.2 {
			return nil
		}
	}
	return &Finding{Kind: "group_leakage", High: icc > 0.9, Group: c.Name, What: "Rows of one " + name(c.Name) + " share their target",
		Evidence: fmt.Sprintf("two rows with the same value agree in the target with a correlation of %s, over %s values with several rows", chart.Fixed(min(icc, 1)), chart.Count(int64(several))),
		Do:       "keep the rows of one value on one side of every split, or the model is judged on rows whose answer it has seen"}
}

// scramble is the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// identifierTells asks whether identifiers were given out by outcome: by their
// order, or by the letters they begin with.
func (s *search) identifierTells(c *Column) *Finding {
	if float64(c.Profile.Distinct) < 0.95*float64(c.Profile.Count) || c.Profile.Count < 100 {
		return nil
	}
	switch {
	case c.Kind == data.Number && c.Profile.Whole && c.Profile.PosInf+c.Profile.NegInf == 0 && c.Profile.Max-c.Profile.Min < 100*float64(c.Profile.Count):
		x := make([]float64, len(s.rows))
		for k, i := range s.rows {
			x[k] = c.Numbers[i]
		}
		area, z := s.auc(x, s.y)
		if d := math.Abs(area - 0.5); d >= 0.1 && math.Abs(z) >= 8 {
			return &Finding{Kind: "identifier_tells", Exclude: c.Name, What: name(c.Name) + " was given out by outcome",
				Evidence: "every value occurs once, and its order alone has an AUC of " + chart.Fixed(0.5+d), Do: "leave it out; new rows get numbers that say nothing"}
		}
	case s.Binary && (c.Kind == data.Category || c.Kind == data.Text):
		joint := map[string]*[2]int{}
		for k, i := range s.rows {
			if c.Missing(i) {
				continue
			}
			p := c.Format(i)
			if cut := strings.IndexFunc(p, func(r rune) bool { return !unicode.IsLetter(r) }); cut >= 0 {
				p = p[:cut]
			}
			j := joint[p]
			if j == nil {
				if len(joint) == 50 {
					return nil
				}
				j = &[2]int{}
				joint[p] = j
			}
			j[int(s.y[k])]++
		}
		right := 0
		for _, j := range joint {
			right += max(j[0], j[1])
		}
		least := min(s.ones, len(s.rows)-s.ones)
		if l := 1 - float64(len(s.rows)-right)/float64(least); l >= 0.6 && len(joint) > 1 {
			return &Finding{Kind: "identifier_tells", High: l > 0.95, Exclude: c.Name, What: name(c.Name) + " was given out by outcome",
				Evidence: fmt.Sprintf("the letters that it begins with name the class of %s of the rows", chart.Percent(float64(right)/float64(len(s.rows)))), Do: "leave it out; new rows get values that say nothing"}
		}
	}
	return nil
}
