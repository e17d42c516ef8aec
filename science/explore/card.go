package explore

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"

	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/data"
)

// card gathers what the page shows of one column.
func (p *Page) card(c Column, anchor string, d detail, rate string) cardView {
	v := cardView{Column: c, Anchor: anchor, Chart: p.columnChart(c, d, rate), Facts: facts(c)}
	if p.Target != nil && c.Relation != nil {
		v.RelationText = p.relation(c.Relation)
	}
	for _, a := range p.Alerts {
		if a.Column == c.Name && a.Kind != "protected" && a.Kind != "constant" && a.Kind != "all_missing" { // the card shows those by itself
			v.About = append(v.About, a)
		}
	}
	if c.Text != nil {
		v.Terms = p.terms(c.Text)
	}
	p.cells(&v, d, rate)
	return v
}

// cells fills in the table of the card's chart.
func (p *Page) cells(v *cardView, d detail, rate string) {
	text := func(n Num) string { return "–" }
	if rate != "" && v.Name != p.Target.Name {
		v.TableRates = true
		text = func(n Num) string {
			if math.IsNaN(float64(n)) {
				return "–"
			}
			return p.rateText(n)
		}
	}
	switch {
	case v.Histogram != nil:
		v.TableHead = "from"
		edge := chart.Short
		if v.Kind == data.Time {
			edge = dates(float64(v.Histogram.Edges[0]), float64(v.Histogram.Edges[len(v.Histogram.Edges)-1]))
		}
		h := v.Histogram.draw(d.bins, edge, rate)
		for k, n := range h.Counts {
			c := cell{Label: edge(h.Edges[k]) + " to " + edge(h.Edges[k+1]), Count: chart.Count(int64(n)), Rate: "–"}
			if k < len(h.Rate) {
				c.Rate = text(Num(h.Rate[k]))
			}
			v.Table = append(v.Table, c)
		}
		v.TableRates = v.TableRates && len(h.Rate) > 0
	case len(v.Top) > 0:
		v.TableHead = "value"
		for _, list := range [][]Value{v.Top[:min(len(v.Top), d.values)], v.Rare} {
			for _, x := range list {
				v.Table = append(v.Table, cell{chart.Clean(x.Value, 60), chart.Count(x.Count), text(x.Rate)})
			}
		}
	}
}

// terms says which words go with the classes.
func (p *Page) terms(t *Text) string {
	if p.Target == nil || len(t.Terms) == 0 {
		return ""
	}
	list := func(positive bool) string {
		var out []string
		for _, w := range t.Terms {
			if w.Positive == positive && len(out) < 6 {
				out = append(out, fmt.Sprintf("%s (%s)", w.Token, p.rateText(w.Rate)))
			}
		}
		return strings.Join(out, ", ")
	}
	out := ""
	if s := list(true); s != "" {
		out = "Words that go with a higher share of " + chart.Clean(p.Target.Positive, 40) + ": " + s + ". "
	}
	if s := list(false); s != "" {
		out += "With a lower one: " + s + "."
	}
	return out
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
	if o := c.Outliers; o != nil && c.Number != nil {
		if n := float64(o.Robust); n > 0 {
			add("far from the median", chart.Count(int64(n)))
		}
		if o.Fences > 0 {
			add("beyond the fences", fmt.Sprintf("%s (under %s or over %s)", chart.Count(o.Fences), chart.Short(float64(o.Low)), chart.Short(float64(o.High))))
		}
		outer := func(v []Num) string {
			var out []string
			for _, x := range v[:min(len(v), 3)] {
				out = append(out, chart.Short(float64(x)))
			}
			return strings.Join(out, ", ")
		}
		if n := float64(o.Robust); n > 0 || o.Fences > 0 {
			add("outermost", outer(o.Least)+" and "+outer(o.Greatest))
		}
	}
	if r := c.Relation; r != nil && !math.IsNaN(float64(r.Mutual)) {
		s := chart.Fixed(float64(r.Mutual)) + " bits (" + chart.Fixed(float64(r.MutualLow)) + " to " + chart.Fixed(float64(r.MutualHigh)) + ")"
		add("mutual information", s)
		if !math.IsNaN(float64(r.InformationValue)) {
			add("information value", chart.Fixed(float64(r.InformationValue)))
		}
	}
	if t := c.Text; t != nil && len(t.Lengths) > 0 {
		add("characters", chart.Short(float64(t.Lengths[0].Value))+" to "+chart.Short(float64(t.Lengths[5].Value))+", median "+chart.Short(float64(t.Lengths[2].Value)))
		add("words", chart.Short(float64(t.Words[0].Value))+" to "+chart.Short(float64(t.Words[5].Value))+", "+chart.Count(int64(t.Tokens))+" distinct")
		if t.Duplicates+t.NearDuplicates > 0 {
			add("repeated texts", chart.Count(int64(t.Duplicates))+", nearly "+chart.Count(int64(t.NearDuplicates)))
		}
		var words []string
		for _, w := range t.TopTokens[:min(len(t.TopTokens), 10)] {
			words = append(words, w.Token)
		}
		if len(words) > 0 {
			add("frequent words", strings.Join(words, ", "))
		}
	}
	if d := c.Drift; d != nil && d.Shifted {
		add("first to last rows", measures[d.Measure]+" distance "+chart.Fixed(float64(d.Distance)))
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
