package chart

import (
	"math"
)

// plot is the rectangle between the axes of a chart with two scales.
type plot struct {
	*canvas
	x, y scale
	f    Frame
}

// newPlot lays out a chart of the given ranges, draws its grid and ticks, and
// returns it. right is the space kept for a second axis, head the space above
// the name of the vertical axis (a legend), neck the space below it (names of
// vertical marks).
func newPlot(f Frame, desc string, w, h float64, xlo, xhi, ylo, yhi, right, head, neck float64, xText, yText func(float64) string) *plot {
	c := newCanvas(f, desc, w, h)
	top, bottom := 10+head+neck, 22.0
	if f.Y != "" {
		top += 14
	}
	if f.X != "" {
		bottom += 16
	}
	y := newScale(ylo, yhi, h-bottom, top)
	yTicks := y.ticks(max(int((h-top-bottom)/40), 2))
	left := 24.0
	for _, t := range yTicks {
		left = max(left, float64(len([]rune(yText(t))))*glyph+10)
	}
	left = min(left, w/3)
	p := &plot{c, newScale(xlo, xhi, left, max(w-12-right, left+20)), y, f}
	for _, t := range yTicks {
		py := y.at(t)
		c.line("grid", left, py, p.x.b, py)
		c.text("e", left-6, py+4, yText(t), "")
	}
	p.ticksX(xText)
	c.line("axis", left, y.a, p.x.b, y.a)
	c.text("", 4, 10+head, f.Y, "")
	c.text("m", (left+p.x.b)/2, h-5, f.X, "")
	return p
}

// ticksX writes as many tick labels under the axis as fit without touching.
func (p *plot) ticksX(text func(float64) string) {
	width := p.x.b - p.x.a
	ticks := p.x.ticks(max(int(width/60), 2))
	widest := 0
	for _, t := range ticks {
		widest = max(widest, len([]rune(text(t))))
	}
	every := 1
	for float64(len(ticks)/every)*float64(widest+2)*glyph > width+20 && every < len(ticks) {
		every++
	}
	for i, t := range ticks {
		px := p.x.at(t)
		p.line("axis", px, p.y.a, px, p.y.a+4)
		if i%every != 0 {
			continue
		}
		s := text(t)
		half := float64(len([]rune(s))) * glyph / 2
		switch { // keep the outermost labels inside the picture
		case px+half > p.w:
			p.text("e", p.w-2, p.y.a+16, s, "")
		case px-half < 0:
			p.text("", 2, p.y.a+16, s, "")
		default:
			p.text("m", px, p.y.a+16, s, "")
		}
	}
}

// polyline draws a series as line segments, broken where a value is not
// finite, thinned so that no pixel column holds more than a few points.
func (p *plot) polyline(class string, xs, ys []float64) {
	var run [][2]float64
	flush := func() {
		switch len(run) {
		case 0:
		case 1:
			p.circle(class+" dot", run[0][0], run[0][1], 2.5, "")
		default:
			p.path(class, thin(run), false)
		}
		run = run[:0]
	}
	for i := range min(len(xs), len(ys)) {
		if !finite(xs[i]) || !finite(ys[i]) {
			flush()
			continue
		}
		run = append(run, [2]float64{p.x.at(xs[i]), p.y.at(ys[i])})
	}
	flush()
}

// thin keeps, of the points that fall in one pixel column, the first, lowest,
// highest and last: the picture of the line stays the same. Points are taken
// in order; a line that runs back and forth is thinned to its first 4,000.
func thin(points [][2]float64) [][2]float64 {
	if len(points) <= 400 {
		return points
	}
	var out [][2]float64
	for i := 0; i < len(points) && len(out) < 4000; {
		column := math.Floor(points[i][0])
		j, low, high := i, i, i
		for ; j < len(points) && math.Floor(points[j][0]) == column; j++ {
			if points[j][1] < points[low][1] {
				low = j
			}
			if points[j][1] > points[high][1] {
				high = j
			}
		}
		last := -1
		for _, k := range []int{i, min(low, high), max(low, high), j - 1} {
			if k != last {
				out = append(out, points[k])
				last = k
			}
		}
		i = j
	}
	return out
}
