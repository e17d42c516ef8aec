package leak

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/data"
)

// opinions are words that name what somebody, or some model, thought of the
// same outcome before.
var opinions = []string{"rate", "grade", "subgrade", "score", "scorecard", "rating", "risk", "tier", "pred", "predicted", "prediction", "prob", "probability",
	"pd", "likelihood", "propensity", "apr", "interest", "premium", "pricing", "decile", "triage"}

// judged looks for opinions of others on the same outcome: columns named like
// a grade, rate or score that are among the strongest, and those that one of
// them almost determines, as a price list does prices by class.
func (s *search) judged() []Finding {
	if !s.Binary {
		return nil
	}
	var order []int
	for i, c := range s.Columns {
		if !math.IsNaN(c.Strength) && c.Role != data.Protected && c.Role != data.ID && c.Profile.Distinct > 3 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s.Columns[b].Strength, s.Columns[a].Strength) })
	asked := map[int]string{}
	var asking []int
	for place, i := range order[:min(len(order), max(3, len(order)/5))] {
		c := &s.Columns[i]
		if c.Strength < 0.6 || s.known(c) || place > 9 {
			continue
		}
		for _, w := range data.NameWords(c.Name) {
			if slices.Contains(opinions, w) {
				asked[i] = fmt.Sprintf("it is called a %s, and alone it has an AUC of %s, number %d of %d columns", w, chart.Fixed(c.Strength), place+1, len(order))
				asking = append(asking, i)
				break
			}
		}
	}
	for _, i := range asking[:len(asking):len(asking)] {
		for _, j := range order {
			if asked[j] != "" || s.Columns[j].Strength < 0.6 || s.known(&s.Columns[j]) {
				continue
			}
			if r := s.determines(&s.Columns[i], &s.Columns[j]); r >= 0.9 {
				asked[j] = fmt.Sprintf("%s, which is one too, goes with it (correlation ratio %s), and alone it has an AUC of %s", name(s.Columns[i].Name), chart.Fixed(r), chart.Fixed(s.Columns[j].Strength))
				asking = append(asking, j)
			}
		}
	}
	// The tie between two opinions is evidence for both.
	if len(asking) > 1 {
		for k, i := range asking {
			for _, j := range asking[k+1:] {
				if r := s.determines(&s.Columns[i], &s.Columns[j]); r >= 0.9 && !strings.Contains(asked[i]+asked[j], "correlation ratio") {
					tie := "; one of it and %s nearly determines the other (correlation ratio " + chart.Fixed(r) + "), as a price list does"
					asked[i] += fmt.Sprintf(tie, name(s.Columns[j].Name))
					asked[j] += fmt.Sprintf(tie, name(s.Columns[i].Name))
				}
			}
		}
	}
	var out []Finding
	for _, i := range asking {
		c := s.Columns[i]
		out = append(out, Finding{Kind: "judged_before", Column: c.Name, Exclude: c.Name, What: name(c.Name) + " may be another model's opinion of the same outcome",
			Evidence: asked[i], Do: "ask who sets it, from what, and when: if it is set after the decision that your model is to make, or by the model that yours replaces, leave it out; a model that copies it learns nothing and fails when it changes"})
	}
	return out
}

// determines returns the correlation ratio of the number among the two given
// the other's values, or given its twenty slices; 0 if neither is a number.
func (s *search) determines(a, b *Column) float64 {
	if a.Kind == data.Number && b.Kind != data.Number {
		a, b = b, a
	}
	if b.Kind != data.Number {
		return 0
	}
	var codes []int
	if a.Kind == data.Number {
		codes = s.slices(a, 20)
	} else {
		codes, _ = s.coded(a, 200)
	}
	if codes == nil {
		return 0
	}
	k := slices.Max(codes) + 1
	n, sum := make([]float64, k), make([]float64, k)
	var all, total, square float64
	for r, i := range s.rows {
		v := b.Numbers[i] - b.Profile.Mean
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		n[codes[r]]++
		sum[codes[r]] += v
		all++
		total += v
		square += float64(v * v)
	}
	between := 0.0
	for c := range n {
		if n[c] > 0 {
			between += sum[c] / n[c] * sum[c]
		}
	}
	correct := total / max(all, 1) * total
	if square-correct <= 0 {
		return 0
	}
	return math.Sqrt(max(0, (between-correct)/(square-correct)))
}

// slices cuts a number column into k parts of equal count.
func (s *search) slices(c *Column, k int) []int {
	var v []float64
	for _, i := range s.rows {
		if !math.IsNaN(c.Numbers[i]) {
			v = append(v, c.Numbers[i])
		}
	}
	if len(v) == 0 {
		return nil
	}
	slices.Sort(v)
	var edges []float64
	for j := 1; j < k; j++ {
		edges = append(edges, v[j*len(v)/k])
	}
	out := make([]int, len(s.rows))
	for r, i := range s.rows {
		if math.IsNaN(c.Numbers[i]) {
			continue
		}
		out[r], _ = slices.BinarySearch(edges, c.Numbers[i])
		out[r]++
	}
	return out
}

// times asks of each time column whether it lies after the row's own moment,
// and of pairs of them whether the time between tells the outcome.
func (s *search) times() []Finding {
	var cols []*Column
	var moment *Column
	for i := range s.Columns {
		if c := &s.Columns[i]; c.Kind == data.Time && c.Profile.Count > 0 {
			cols = append(cols, c)
			if c.Role == data.TimeRole {
				moment = c
			}
		}
	}
	var out []Finding
	for _, c := range cols[:min(len(cols), 20)] {
		for _, from := range cols[:min(len(cols), 20)] {
			if from == c || moment != nil && from != moment {
				continue
			}
			gap := make([]float64, len(s.rows))
			both, later := 0, 0
			for k, i := range s.rows {
				if c.Missing(i) || from.Missing(i) {
					gap[k] = math.NaN()
					continue
				}
				gap[k] = float64(c.Times[i] - from.Times[i])
				both++
				if c.Times[i] > from.Times[i] {
					later++
				}
			}
			if both < 50 || float64(later) < 0.95*float64(both) {
				continue
			}
			area, z := s.auc(gap, s.y)
			tells := math.Abs(area-0.5) >= 0.12 && math.Abs(z) >= 6
			switch {
			case tells:
				out = append(out, Finding{Kind: "time_travel", High: moment != nil, Column: c.Name, Exclude: c.Name, What: name(c.Name) + " is known only later",
					Evidence: fmt.Sprintf("it lies after %s in %s of the rows, and the time between the two alone has an AUC of %s", name(from.Name), chart.Percent(float64(later)/float64(both)), chart.Fixed(max(area, 1-area))),
					Do:       "a time after the moment of decision is not known at that moment; leave it out, with all that is computed from it"})
			case moment != nil:
				out = append(out, Finding{Kind: "time_travel", Column: c.Name, Exclude: c.Name, What: name(c.Name) + " lies after the row's own time",
					Evidence: fmt.Sprintf("it is later than %s in %s of the rows", name(from.Name), chart.Percent(float64(later)/float64(both))),
					Do:       "make sure that it is planned rather than recorded, or leave it out"})
			}
		}
	}
	return out
}

// parts asks whether two numbers add up to the target, or differ by it.
func (s *search) parts() []Finding {
	var cols []*Column
	for i := range s.Columns {
		if c := &s.Columns[i]; c.Kind == data.Number && c.Profile.Distinct > 2 && c.Profile.Missing*2 < c.Profile.Count && !(s.Binary && s.known(c)) && c.Role != data.ID {
			cols = append(cols, c)
		}
	}
	// The strongest first, since half of a sum is seldom weak.
	slices.SortStableFunc(cols, func(a, b *Column) int { return cmp.Compare(b.Strength, a.Strength) })
	cols = cols[:min(len(cols), 40)]
	step := max(len(s.rows)/1500, 1)
	var rows []int
	var y []float64
	for k := 0; k < len(s.rows); k += step {
		rows, y = append(rows, s.rows[k]), append(y, s.y[k])
	}
	values := make([][]float64, len(cols))
	for j, c := range cols {
		values[j] = make([]float64, len(rows))
		for k, i := range rows {
			if values[j][k] = c.Numbers[i]; math.IsInf(values[j][k], 0) {
				values[j][k] = math.NaN()
			}
		}
	}
	report := func(a, b *Column, how, evidence string) Finding {
		return Finding{Kind: "parts", High: true, Column: a.Name, Exclude: a.Name, What: name(a.Name) + " and " + name(b.Name) + " together give the target",
			Evidence: how + " " + evidence, Do: "leave both out if they are counted or measured together with the target"}
	}
	var out []Finding
	d := make([]float64, len(rows))
	for i := range cols {
		for j := range i {
			if s.Binary {
				if cols[i].Strength > 0.98 || cols[j].Strength > 0.98 {
					continue
				}
				for k := range d {
					d[k] = values[i][k] - values[j][k]
				}
				if area, z := s.auc(d, y); max(area, 1-area) > 0.985 && math.Abs(z) > 8 {
					out = append(out, report(cols[j], cols[i], "their difference", "has an AUC of "+chart.Fixed(max(area, 1-area))))
				}
				continue
			}
			if r := explained(values[j], values[i], y); r > 0.9995 && max(alone(values[i], y), alone(values[j], y)) < 0.9995 {
				out = append(out, report(cols[j], cols[i], "a weighted sum of them", "explains "+chart.Percent(min(r, 0.9999))+" of its variance"))
			}
		}
	}
	return out[:min(len(out), 5)]
}

// alone returns the squared correlation of a and y.
func alone(a, y []float64) float64 { r := correlation(a, y); return r * r }

// explained returns the share of y's variance that a linear function of a and b
// explains.
func explained(a, b, y []float64) float64 {
	ra, rb, ab := correlation(a, y), correlation(b, y), correlation(a, b)
	if math.IsNaN(ra+rb+ab) || 1-float64(ab*ab) < 1e-9 {
		return 0
	}
	return (float64(ra*ra) + float64(rb*rb) - float64(2*ra*rb*ab)) / (1 - float64(ab*ab))
}

func correlation(a, b []float64) float64 {
	var n, ma, mb float64
	for k := range a {
		if !math.IsNaN(a[k]) && !math.IsNaN(b[k]) {
			n, ma, mb = n+1, ma+a[k], mb+b[k]
		}
	}
	if n < 50 {
		return math.NaN()
	}
	ma, mb = ma/n, mb/n
	var aa, bb, ab float64
	for k := range a {
		if !math.IsNaN(a[k]) && !math.IsNaN(b[k]) {
			x, y := a[k]-ma, b[k]-mb
			aa, bb, ab = aa+float64(x*x), bb+float64(y*y), ab+float64(x*y)
		}
	}
	if !(aa > 0 && bb > 0) {
		return math.NaN()
	}
	return ab / math.Sqrt(aa) / math.Sqrt(bb)
}
