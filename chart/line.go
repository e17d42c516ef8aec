package chart

import (
	"fmt"
	"html/template"
)

// Series is one line: a point per index, X ascending.
type Series struct {
	Name string
	X, Y []float64 // a point that is not finite breaks the line
	// Low and High are the band around Y, one value per point; nil: none.
	Low, High []float64
}

// Mark is a reference value with a name, drawn across the chart.
type Mark struct {
	At   float64
	Name string
}

// Lines is the content of a line chart.
type Lines struct {
	Series []Series // the first four differ in hue and dash; more repeat them
	// Vertical and Horizontal are reference lines: a threshold, a baseline.
	Vertical, Horizontal []Mark
	// Zero starts the vertical axis at zero.
	Zero bool
	// XText and YText write the axes' values; nil is Short. For times give
	// microseconds and a function that writes them.
	XText, YText func(float64) string
}

// Line draws one or more series over a common axis, each with an optional
// band, and reference lines with their names.
func Line(f Frame, d Lines) template.HTML {
	w, h := f.size(480, 220)
	xText, yText := d.XText, d.YText
	if xText == nil {
		xText = Short
	}
	if yText == nil {
		yText = Short
	}
	var xs, ys [][]float64
	for _, s := range d.Series {
		xs = append(xs, s.X)
		ys = append(ys, s.Y, s.Low, s.High)
	}
	for _, m := range d.Vertical {
		xs = append(xs, []float64{m.At})
	}
	for _, m := range d.Horizontal {
		ys = append(ys, []float64{m.At})
	}
	if d.Zero {
		ys = append(ys, []float64{0})
	}
	xlo, xhi, okX := extent(xs...)
	ylo, yhi, okY := extent(ys...)
	if !okX || !okY {
		c := newCanvas(f, "no values", w, 40)
		c.text("", 8, 24, "no values to show", "")
		return c.done()
	}
	if d.Zero && ylo == 0 {
		yhi = niceMax(yhi, 4)
	} else if pad := yhi/20 - ylo/20; finite(yhi+pad) && finite(ylo-pad) {
		ylo, yhi = ylo-pad, yhi+pad
	}
	head, neck := 0.0, 0.0
	if len(d.Series) > 1 {
		head = 18
	}
	if len(d.Vertical) > 0 {
		neck = 14
	}
	p := newPlot(f, linesDesc(d, xText, yText), w, h, xlo, xhi, ylo, yhi, 0, head, neck, xText, yText)
	for i, s := range d.Series {
		p.band("band "+hue(i), s)
	}
	for i, s := range d.Series {
		p.polyline("line "+hue(i), s.X, s.Y)
	}
	for _, m := range d.Horizontal {
		if finite(m.At) {
			y := p.y.at(m.At)
			p.line("base", p.x.a, y, p.x.b, y)
			p.text("e halo", p.x.b-2, y-4, m.Name, "")
		}
	}
	for _, m := range d.Vertical {
		if finite(m.At) {
			x := p.x.at(m.At)
			p.line("base", x, p.y.b-4, x, p.y.a)
			if half := float64(len([]rune(m.Name))) * glyph / 2; x+half > w {
				p.text("e", w-2, p.y.b-8, m.Name, "")
			} else {
				p.text("m", max(x, half), p.y.b-8, m.Name, "")
			}
		}
	}
	if len(d.Series) > 1 {
		p.legend(d.Series)
	}
	return p.done()
}

// hue is the class of the i-th series: colour and dash.
func hue(i int) string { return "s" + string(rune('1'+i%4)) }

// band fills between Low and High where both are finite.
func (p *plot) band(class string, s Series) {
	n := min(len(s.X), len(s.Low), len(s.High))
	var upper, lower [][2]float64
	flush := func() {
		if len(upper) > 1 {
			up, low := thin(upper), thin(lower)
			ring := append([][2]float64{}, up...)
			for i := len(low) - 1; i >= 0; i-- {
				ring = append(ring, low[i])
			}
			p.path(class, ring, true)
		}
		upper, lower = nil, nil
	}
	for i := range n {
		if !finite(s.X[i]) || !finite(s.Low[i]) || !finite(s.High[i]) {
			flush()
			continue
		}
		upper = append(upper, [2]float64{p.x.at(s.X[i]), p.y.at(s.High[i])})
		lower = append(lower, [2]float64{p.x.at(s.X[i]), p.y.at(s.Low[i])})
	}
	flush()
}

// legend names the series on one line above the plot, as far as they fit.
func (p *plot) legend(series []Series) {
	x := p.x.a
	for i, s := range series {
		name := clipRunes(s.Name, 28)
		need := 24 + float64(len([]rune(name))+2)*glyph
		if x+need > p.w && i > 0 {
			p.text("", x, 14, fmt.Sprintf("+%d", len(series)-i), "")
			return
		}
		p.line("line "+hue(i), x, 10, x+18, 10)
		p.text("ink", x+23, 14, name, s.Name)
		x += need
	}
}

func linesDesc(d Lines, xText, yText func(float64) string) string {
	out := ""
	for i, s := range d.Series {
		if i == 4 {
			out += fmt.Sprintf("; and %d more", len(d.Series)-i)
			break
		}
		if i > 0 {
			out += "; "
		}
		name := clipRunes(s.Name, 40)
		if name == "" {
			name = "line"
		}
		xlo, xhi, ok := extent(s.X)
		ylo, yhi, okY := extent(s.Y)
		if !ok || !okY {
			out += name + " without values"
			continue
		}
		out += fmt.Sprintf("%s between %s and %s, for %s to %s", name, yText(ylo), yText(yhi), xText(xlo), xText(xhi))
	}
	return out
}

// Spark draws values as a line without axes, small enough to stand in a table
// cell or beside a figure. The default size is 120 by 28.
func Spark(f Frame, values []float64) template.HTML {
	w, h := f.size(120, 0)
	if f.Height == 0 {
		h = 28
	}
	lo, hi, ok := extent(values)
	desc := "no values"
	if ok {
		desc = fmt.Sprintf("%d values between %s and %s, the last %s", len(values), Short(lo), Short(hi), Short(values[len(values)-1]))
	}
	c := newCanvas(f, desc, w, h)
	if ok {
		xs := make([]float64, len(values))
		for i := range xs {
			xs[i] = float64(i)
		}
		p := &plot{c, newScale(0, float64(max(len(values)-1, 1)), 2, w-4), newScale(lo, hi, h-3, 3), f}
		p.polyline("line s1", xs, values)
		if last := values[len(values)-1]; finite(last) {
			c.circle("dot s1", p.x.at(float64(len(values)-1)), p.y.at(last), 2.2, "")
		}
	}
	return c.done()
}

// SparkBars draws counts as bars without axes, for a distribution in a table
// cell. The default size is 120 by 28; more than 40 counts are joined.
func SparkBars(f Frame, counts []float64) template.HTML {
	w, h := f.size(120, 0)
	if f.Height == 0 {
		h = 28
	}
	join := max((len(counts)+39)/40, 1)
	var joined []float64
	for i := 0; i < len(counts); i += join {
		sum := 0.0
		for _, v := range counts[i:min(i+join, len(counts))] {
			if finite(v) && v > 0 {
				sum += v
			}
		}
		joined = append(joined, sum)
	}
	_, hi, _ := extent(joined)
	c := newCanvas(f, fmt.Sprintf("distribution in %d bins, the largest %s", len(counts), Short(hi)), w, h)
	y := newScale(0, max(hi, 1e-300), h-1, 2)
	step := (w - 2) / float64(max(len(joined), 1))
	for i, v := range joined {
		if v > 0 {
			top := min(y.at(v), h-2)
			c.rect("bar soft", 1+float64(float64(i)*step), top, max(step-1, 0.8), h-1-top, "")
		}
	}
	c.line("axis", 0, h-0.5, w, h-0.5)
	return c.done()
}
