package chart

import (
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// Frame says what a chart is called, what it shows and how large it is.
type Frame struct {
	// Title is the chart's name; screen readers announce it.
	Title string
	// Desc says in a sentence what the chart shows. "": each chart writes one
	// from its data.
	Desc string
	// X and Y name the axes, with units. "": no name is drawn.
	X, Y string
	// Width and Height are in CSS pixels, clamped to [16, 1600]; 0 is the
	// chart's own default. A chart shrinks with the page, keeping its shape.
	Width, Height int
}

func (f Frame) size(width, height int) (w, h float64) {
	pick := func(v, def int) float64 {
		if v == 0 {
			v = def
		}
		return float64(min(max(v, 16), 1600))
	}
	return pick(f.Width, width), pick(f.Height, height)
}

// canvas writes one SVG document. Coordinates are rounded to a tenth of a
// pixel, which keeps files small and their bytes equal on every machine.
type canvas struct {
	b    strings.Builder
	w, h float64
}

func newCanvas(f Frame, desc string, w, h float64) *canvas {
	c := &canvas{w: w, h: h}
	if f.Desc != "" {
		desc = f.Desc
	}
	title := f.Title
	if title == "" {
		title = "chart"
	}
	c.b.WriteString(`<svg class="chart" role="img" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 `)
	c.b.WriteString(px(w) + " " + px(h) + `" width="` + px(w) + `" height="` + px(h) + `"><title>`)
	c.b.WriteString(escape(title, 200))
	c.b.WriteString("</title><desc>")
	c.b.WriteString(escape(desc, 600))
	c.b.WriteString("</desc>")
	return c
}

func (c *canvas) done() template.HTML {
	c.b.WriteString("</svg>")
	return template.HTML(c.b.String()) // every text went through escape, every number through px
}

// px writes a coordinate. A value that is not finite is a bug of ours, since
// scales only return finite ones; it is drawn at 0 rather than breaking a page.
func px(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	s := strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
	if s == "-0" {
		return "0"
	}
	return s
}

func (c *canvas) attrs(pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		c.b.WriteString(" " + pairs[i] + `="` + pairs[i+1] + `"`)
	}
}

// end closes an element, with a tooltip if tip is not empty.
func (c *canvas) end(name, tip string) {
	if tip == "" {
		c.b.WriteString("/>")
		return
	}
	c.b.WriteString("><title>" + escape(tip, 200) + "</title></" + name + ">")
}

func (c *canvas) rect(class string, x, y, w, h float64, tip string) {
	c.b.WriteString("<rect")
	c.attrs("class", class, "x", px(x), "y", px(y), "width", px(max(w, 0)), "height", px(max(h, 0)))
	c.end("rect", tip)
}

func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	c.b.WriteString("<path")
	c.attrs("class", class, "d", "M"+px(x1)+" "+px(y1)+"L"+px(x2)+" "+px(y2))
	c.end("path", "")
}

func (c *canvas) circle(class string, x, y, r float64, tip string) {
	c.b.WriteString("<circle")
	c.attrs("class", class, "cx", px(x), "cy", px(y), "r", px(r))
	c.end("circle", tip)
}

// path draws straight lines through the points; closed joins the ends.
func (c *canvas) path(class string, points [][2]float64, closed bool) {
	if len(points) == 0 {
		return
	}
	var d strings.Builder
	for i, p := range points {
		if i == 0 {
			d.WriteByte('M')
		} else {
			d.WriteByte('L')
		}
		d.WriteString(px(p[0]) + " " + px(p[1]))
	}
	if closed {
		d.WriteByte('Z')
	}
	c.b.WriteString("<path")
	c.attrs("class", class, "d", d.String())
	c.end("path", "")
}

// text writes s with its baseline at y. The class's letters e and m end or
// centre it at x.
func (c *canvas) text(class string, x, y float64, s, tip string) {
	if s == "" {
		return
	}
	c.b.WriteString("<text")
	if class != "" {
		c.attrs("class", class)
	}
	c.attrs("x", px(x), "y", px(y))
	c.b.WriteString(">")
	if tip != "" && tip != s {
		c.b.WriteString("<title>" + escape(tip, 200) + "</title>")
	}
	c.b.WriteString(escape(s, 200) + "</text>")
}

// glyph is the mean width of a character of chart text (12 px sans serif) in
// pixels, measured generously: SVG cannot ask for the width of a text.
const glyph = 6.4

// clip cuts s to what fits in the given width.
func clip(s string, width float64) string {
	return clipRunes(s, max(int(width/glyph), 3))
}

func clipRunes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	count := 0
	for i := range s {
		if count == n-1 {
			cut := s[:i]
			if len([]rune(s[i:])) <= 1 {
				return s
			}
			return strings.TrimRight(cut, " ") + "…"
		}
		count++
	}
	return s
}

// Clean makes a text from outside fit to be shown: at most n characters,
// invalid UTF-8, control characters and characters that change the direction
// of the text around them replaced by U+FFFD. It does not escape HTML, which
// html/template does for its callers.
func Clean(s string, n int) string {
	s = clipRunes(strings.ToValidUTF8(s, "\uFFFD"), max(n, 2))
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', r == '\r':
			return ' '
		case r < 0x20, r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x2028, r == 0x2029, r == 0xfeff:
			return '\uFFFD'
		}
		return r
	}, s)
}

func escape(s string, n int) string { return html.EscapeString(Clean(s, n)) }
