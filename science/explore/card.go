package explore

import (
	"fmt"
	"html/template"
	"math"
	"time"

	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/data"
)

// card gathers what the page shows of one column.
func (p *Page) card(c Column, anchor string, d detail, rate string) cardView {
	v := cardView{Column: c, Anchor: anchor, Chart: p.columnChart(c, d, rate), Facts: facts(c)}
	if p.Target != nil && c.Relation != nil {
		v.Relation = p.relation(c.Relation)
	}
	for _, a := range p.Alerts {
		if a.Column == c.Name && a.Kind != "protected" && a.Kind != "constant" && a.Kind != "all_missing" { // the card shows those by itself
			v.Notes = append(v.Notes, a)
		}
	}
	return v
}

func (p *Page) columnChart(c Column, d detail, rate string) template.HTML {
	f := chart.Frame{Title: "Distribution of " + chart.Clean(c.Name, 60), Width: 400, Height: 170}
	switch {
	case c.Histogram != nil:
		var edge func(float64) string
		if c.Kind == data.Time {
			edge = dates(float64(c.Histogram.Edges[0]), float64(c.Histogram.Edges[len(c.Histogram.Edges)-1]))
		}
		h := c.Histogram.draw(d.bins, edge, rate)
		if h.Rate != nil {
			h.Base, h.RateText = float64(p.Target.Rate), func(v float64) string { return p.rateText(Num(v)) }
		}
		return chart.Histogram(f, h)
	case len(c.Top) > 0:
		var text func(Num) string
		if rate != "" && c.Name != p.Target.Name {
			text = p.rateText
			f.X = "share of rows · " + rate
		}
		return chart.Bars(f, valueBars(c.Top, c.Count, d.values, true, text))
	}
	return ""
}

// dates writes microseconds as a day, or as a time when the span is short.
func dates(lo, hi float64) func(float64) string {
	layout := "2006-01-02"
	switch span := hi - lo; {
	case span < 3*86400e6:
		layout = "01-02 15:04"
	case span > 6*365*86400e6:
		layout = "2006"
	}
	return func(v float64) string {
		if math.Abs(v) > 9e18 {
			return chart.Short(v)
		}
		return time.UnixMicro(int64(v)).UTC().Format(layout)
	}
}

func facts(c Column) []fact {
	out := []fact{
		{"missing", fmt.Sprintf("%s (%s)", chart.Count(c.Missing), chart.Percent(float64(c.MissingRate)))},
		{"distinct", chart.Count(c.Distinct)},
	}
	add := func(name, text string) { out = append(out, fact{name, text}) }
	if n := c.Number; n != nil && !math.IsNaN(float64(n.Mean)) {
		s := func(v Num) string { return chart.Short(float64(v)) }
		add("mean, SD", s(n.Mean)+", "+s(n.SD))
		add("min to max", s(n.Min)+" to "+s(n.Max))
		q := n.Quantiles
		add("quartiles", s(q[2].Value)+", "+s(q[3].Value)+", "+s(q[4].Value))
		add("1% to 99%", s(q[0].Value)+" to "+s(q[6].Value))
		if math.Abs(float64(n.Skew)) >= 1 {
			add("skewness", s(n.Skew))
		}
		if n.Zeros > 0 {
			add("zeros", chart.Count(n.Zeros))
		}
		if n.Negative > 0 {
			add("negative", chart.Count(n.Negative))
		}
	}
	if n := c.Number; n != nil && n.PosInf+n.NegInf > 0 {
		add("infinite", chart.Count(n.PosInf+n.NegInf))
	}
	if c.Span != nil {
		add("first", c.Span.First)
		add("median", c.Span.Median)
		add("last", c.Span.Last)
	}
	return out
}

// relation says in a sentence how the column goes with the target.
func (p *Page) relation(r *Relation) string {
	s := float64(r.Strength)
	if math.IsNaN(s) {
		return ""
	}
	var out string
	switch r.Measure {
	case "auc":
		out = "Alone it has an AUC of " + chart.Fixed(s)
	default:
		out = "It has a " + r.Measure + " with the target of " + chart.Fixed(s)
	}
	less, more := "lower values of the target", "higher values of the target"
	if p.Target.Task == "binary" {
		share := "share of " + chart.Clean(p.Target.Positive, 40)
		less, more = "a lower "+share, "a higher "+share
	}
	switch {
	case r.weak():
		out += ": next to nothing"
	case r.Direction == "up":
		out += "; higher values go with " + more
	case r.Direction == "down":
		out += "; higher values go with " + less
	}
	return out + "."
}

// weak reports whether the relation is too small for its direction to matter.
func (r *Relation) weak() bool {
	return r.Measure == "auc" && r.Strength < 0.52 || r.Measure != "auc" && r.Strength < 0.04
}
