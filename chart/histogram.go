package chart

import (
	"fmt"
	"html/template"
	"math"
)

// Hist is a histogram: Counts[i] values lie between Edges[i] and Edges[i+1].
type Hist struct {
	Edges  []float64 // one more than Counts, ascending, finite
	Counts []float64
	// Rate[i] is the target's rate (or mean) in bin i, drawn as a line over the
	// bars on an axis of its own; NaN leaves a gap. nil: no line.
	Rate []float64
	// RateName names that line: "share of bad".
	RateName string
	// Base is the rate over all rows, drawn as a dashed line; NaN or 0: none.
	Base float64
	// EdgeText and RateText write the values of the two; nil: Short, Percent.
	EdgeText, RateText func(float64) string
}

// maxBins is how many bins are drawn: beyond it, neighbours are joined.
const maxBins = 120

// Histogram draws a distribution, optionally with the target's rate over it.
// A histogram of more than 120 bins is drawn with neighbours joined. Slices of
// lengths that do not match are drawn as far as they agree.
func Histogram(f Frame, d Hist) template.HTML {
	w, h := f.size(480, 190)
	d = d.fit()
	n := len(d.Counts)
	if n == 0 {
		c := newCanvas(f, "no values", w, 40)
		c.text("", 8, 24, "no values to show", "")
		return c.done()
	}
	hi := 0.0
	for _, v := range d.Counts {
		hi = max(hi, v)
	}
	right, head := 0.0, 0.0
	rates := scale{}
	if d.Rate != nil {
		_, top, ok := extent(d.Rate, []float64{d.Base})
		low, _, _ := extent(d.Rate, []float64{d.Base, 0})
		if !ok {
			top = 1
		}
		rates = newScale(min(low, 0), niceMax(max(top, 0), 3), 0, 1)
		right, head = 44, 16
	}
	p := newPlot(f, d.desc(), w, h, d.Edges[0], d.Edges[n], 0, niceMax(hi, 4), right, head, 0, d.EdgeText, Short)
	for i, v := range d.Counts {
		a, b := p.x.at(d.Edges[i]), p.x.at(d.Edges[i+1])
		if v <= 0 {
			continue
		}
		y := p.y.at(v)
		tip := d.EdgeText(d.Edges[i]) + " to " + d.EdgeText(d.Edges[i+1]) + ": " + Short(v)
		if d.Rate != nil && finite(d.Rate[i]) {
			tip += ", " + d.RateName + " " + d.RateText(d.Rate[i])
		}
		p.rect("bar soft", a+0.5, min(y, p.y.a-1), max(b-a-1, 0.6), max(p.y.a-y, 1), tip)
	}
	if d.Rate != nil {
		p.rateLine(d, rates)
	}
	return p.done()
}

// rateLine draws the second axis at the right and the line that belongs to it.
func (p *plot) rateLine(d Hist, rates scale) {
	rates.a, rates.b = p.y.a, p.y.b
	for _, t := range rates.ticks(3) {
		p.text("s2", p.x.b+6, rates.at(t)+4, d.RateText(t), "")
	}
	if finite(d.Base) && d.Base != 0 {
		y := rates.at(d.Base)
		p.line("base", p.x.a, y, p.x.b, y)
	}
	over := &plot{p.canvas, p.x, rates, p.f}
	mids := make([]float64, len(d.Counts))
	for i := range mids {
		mids[i] = d.Edges[i]/2 + d.Edges[i+1]/2
	}
	over.polyline("line rate", mids, d.Rate)
	for i, r := range d.Rate {
		if finite(r) && len(d.Counts) <= 40 {
			p.circle("dot s2", p.x.at(mids[i]), rates.at(r), 2.2, "")
		}
	}
	legend := d.RateName
	if finite(d.Base) && d.Base != 0 {
		legend += " (dashed: all rows, " + d.RateText(d.Base) + ")"
	}
	p.line("line rate", p.x.a, 10, p.x.a+18, 10)
	p.text("s2", p.x.a+24, 14, clip(legend, p.w-p.x.a-30), legend)
}

// fit returns d with equal lengths, finite ascending edges, its text functions
// set and at most maxBins bins. Counts that are not finite become 0.
func (d Hist) fit() Hist {
	if d.EdgeText == nil {
		d.EdgeText = Short
	}
	if d.RateText == nil {
		d.RateText = Percent
	}
	if d.RateName == "" {
		d.RateName = "rate"
	}
	n := min(len(d.Counts), max(len(d.Edges)-1, 0))
	if d.Rate != nil {
		n = min(n, len(d.Rate))
	}
	for i := range n + 1 {
		if n > 0 && (!finite(d.Edges[i]) || i > 0 && d.Edges[i] < d.Edges[i-1]) {
			n = max(i-1, 0)
			break
		}
	}
	join := (n + maxBins - 1) / maxBins
	out := d
	out.Edges, out.Counts, out.Rate = nil, nil, nil
	for i := 0; i < n; i += join {
		end := min(i+join, n)
		count, weighted, known := 0.0, 0.0, 0.0
		for j := i; j < end; j++ {
			v := d.Counts[j]
			if !finite(v) || v < 0 {
				v = 0
			}
			count += v
			if d.Rate != nil && finite(d.Rate[j]) {
				weighted += float64(d.Rate[j] * max(v, 1e-300))
				known += max(v, 1e-300)
			}
		}
		out.Edges = append(out.Edges, d.Edges[i])
		out.Counts = append(out.Counts, min(count, math.MaxFloat64))
		if d.Rate != nil {
			rate := math.NaN()
			if known > 0 {
				rate = weighted / known
			}
			out.Rate = append(out.Rate, rate)
		}
	}
	if n > 0 {
		out.Edges = append(out.Edges, d.Edges[n])
	}
	return out
}

func (d Hist) desc() string {
	n := len(d.Counts)
	top := 0
	for i, v := range d.Counts {
		if v > d.Counts[top] {
			top = i
		}
	}
	s := fmt.Sprintf("histogram of %d bins from %s to %s; most values, %s, lie between %s and %s", n,
		d.EdgeText(d.Edges[0]), d.EdgeText(d.Edges[n]), Short(d.Counts[top]), d.EdgeText(d.Edges[top]), d.EdgeText(d.Edges[top+1]))
	if lo, hi, ok := extent(d.Rate); ok {
		s += "; " + d.RateName + " between " + d.RateText(lo) + " and " + d.RateText(hi)
	}
	return s
}
