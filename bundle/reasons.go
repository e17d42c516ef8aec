package bundle

import (
	"slices"

	"github.com/tandem-ml/tandem/data"
)

// Contributions sets dst[j] to the part that input column j has in the margin
// of one encoded row, and returns the base, the margin of no knowledge, and the
// margin itself. The base plus the sum of dst is the margin, up to rounding
// (1e-9 of the magnitudes at most).
//
// The contributions of the members are exact Shapley values of their features
// ([tree.Explainer], [linear.Model]), added up by input column with the
// members' weights. dst and row have one value per input. It does not
// allocate. Of a multiclass model it is the margin of the most probable class
// that is explained; [Model.Class] has the others.
func (m *Model) Contributions(dst, row []float64) (base, margin float64) {
	return m.contributions(dst, row, true)
}

// contributions leaves the margin out where nobody wants it: of trees, it is
// computed besides.
func (m *Model) contributions(dst, row []float64, wantMargin bool) (base, margin float64) {
	c := m.state()
	if c.classes != nil {
		s := c.pool.Get().(*scratch)
		class, _ := m.classify(s.classes, row)
		c.pool.Put(s)
		return c.classes[class].contributions(dst, row, wantMargin)
	}
	dst = dst[:c.layout.Cols()]
	clear(dst)
	s := c.pool.Get().(*scratch)
	for i := range m.Members {
		b := &m.Members[i]
		x, part := s.features[:len(b.Plan)], s.contributions[:len(b.Plan)]
		b.Plan.Apply(x, row)
		var memberBase float64
		if b.Trees != nil {
			memberBase = c.explainers[i].Contributions(part, x)
			if wantMargin {
				margin += float64(b.Weight * c.scorers[i].Margin(x))
			}
		} else {
			memberBase = b.Linear.Contributions(part, x)
			margin += float64(b.Weight * b.Linear.Margin(x))
		}
		base += float64(b.Weight * memberBase)
		for k := range part {
			dst[b.Plan[k].Input] += float64(b.Weight * part[k])
		}
	}
	c.pool.Put(s)
	return base, margin
}

// Reasons returns at most limit reasons for a decision on one encoded row:
// the columns that pushed towards it, the strongest first, ties in contract
// order. positive says which decision it was: true for the positive label, and
// for the class that a multiclass model decides for.
// Columns that pushed the other way, or not at all, are no reasons, so there
// may be fewer than limit, even none.
//
// texts maps a column to the sentence that explains it; a column without one
// gets its name and value, as in "Income: 129". The text of an unseen category
// is not in the row: [Extras.Restore] puts it back.
func (m *Model) Reasons(row []float64, limit int, positive bool, texts map[string]string) []Reason {
	l := m.Layout()
	part := make([]float64, l.Cols())
	m.contributions(part, row, false)
	return l.reasons(part, row, limit, positive, texts)
}

func (l *Layout) reasons(part, row []float64, limit int, positive bool, texts map[string]string) []Reason {
	push := func(col int) float64 { // towards the decision
		if positive {
			return part[col]
		}
		return -part[col]
	}
	var cols []int
	for col := range part {
		if push(col) > 0 {
			cols = append(cols, col)
		}
	}
	slices.SortStableFunc(cols, func(a, b int) int {
		switch x, y := push(a), push(b); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	out := make([]Reason, 0, max(0, min(limit, len(cols))))
	for _, col := range cols[:cap(out)] {
		name, value := l.fields[col].Name, l.FormatValue(col, row[col])
		text := texts[name]
		if text == "" {
			text = sentence(name, value)
		}
		out = append(out, Reason{Column: name, Value: value, Contribution: part[col], Text: text})
	}
	return out
}

// sentence is the reason text of a column that the project gave none.
func sentence(name string, value any) string {
	switch v := value.(type) {
	case nil:
		return name + " is missing"
	case float64:
		return name + ": " + data.FormatNumber(v)
	case string:
		return name + ": " + v
	}
	return name
}
