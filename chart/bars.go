package chart

import (
	"fmt"
	"html/template"
	"math"
)

// MaxBars is how many bars one chart draws; a line of text says how many more
// there were.
const MaxBars = 60

// Bar is one row of a bar chart.
type Bar struct {
	Label string
	Value float64 // not finite: the row is drawn without a bar
	// Text stands at the bar's end; "" is Short(Value).
	Text string
	// Low and High are an interval around Value, drawn as a whisker; both 0 is none.
	Low, High float64
	// Tip is the tooltip; "" is the label with the text.
	Tip string
}

func (b Bar) text() string {
	if b.Text != "" {
		return b.Text
	}
	return Short(b.Value)
}

func (b Bar) tip() string {
	if b.Tip != "" {
		return b.Tip
	}
	return b.Label + ": " + b.text()
}

const (
	barPitch  = 22.0 // from one bar to the next
	barHeight = 14.0
)

// Bars draws horizontal bars from zero, in the order given, each with its
// label and its value as text. Negative values get no bar: draw them with
// [Diverging]. The height follows the number of bars.
func Bars(f Frame, bars []Bar) template.HTML {
	w, _ := f.size(480, 0)
	shown := bars[:min(len(bars), MaxBars)]
	left, right := labelWidth(shown, w), textWidth(shown)+10
	top := 4.0
	if f.X != "" {
		top = 20
	}
	h := top + barPitch*float64(max(len(shown), 1)) + 4
	if len(bars) > len(shown) {
		h += 18
	}
	c := newCanvas(f, barsDesc(bars), w, h)
	hi := 0.0
	for _, b := range shown {
		for _, v := range []float64{b.Value, b.High} {
			if finite(v) {
				hi = max(hi, v)
			}
		}
	}
	if hi == 0 {
		hi = 1
	}
	s := newScale(0, hi, left, w-right)
	c.text("", left, 12, f.X, "")
	for i, b := range shown {
		y := top + barPitch*float64(i)
		mid := y + barPitch/2
		c.text("e ink", left-8, mid+4, clip(b.Label, left-8), b.Label)
		end := s.at(0)
		if finite(b.Value) && b.Value > 0 {
			end = s.at(b.Value)
			class := "bar"
			if b.whisker() {
				class = "bar soft" // so that the whisker is seen on it
			}
			c.rect(class, left, mid-barHeight/2, max(end-left, 1), barHeight, b.tip())
		}
		if b.whisker() {
			lo, high := s.at(b.Low), s.at(b.High)
			c.whisker(lo, high, mid)
			end = max(end, high)
		}
		c.text("ink", end+6, mid+4, b.text(), "")
	}
	c.line("axis", left, top, left, top+barPitch*float64(max(len(shown), 1)))
	c.more(len(bars)-len(shown), left, h-6)
	if len(bars) == 0 {
		c.text("", left+8, top+barPitch/2+4, "nothing to show", "")
	}
	return c.done()
}

// Diverging draws bars to both sides of zero, to the right for what pushes up
// and to the left for what pushes down, each with its sign written. It is the
// picture of contributions to one score, or of correlations.
func Diverging(f Frame, bars []Bar) template.HTML {
	w, _ := f.size(480, 0)
	shown := bars[:min(len(bars), MaxBars)]
	left := labelWidth(shown, w)
	pad := textWidth(shown) + 10
	top := 4.0
	if f.X != "" {
		top = 20
	}
	h := top + barPitch*float64(max(len(shown), 1)) + 4
	if len(bars) > len(shown) {
		h += 18
	}
	c := newCanvas(f, barsDesc(bars), w, h)
	hi := 0.0
	for _, b := range shown {
		if finite(b.Value) {
			hi = max(hi, math.Abs(b.Value))
		}
	}
	if hi == 0 {
		hi = 1
	}
	s := newScale(-hi, hi, left+pad, w-pad)
	zero := s.at(0)
	c.text("m", zero, 12, f.X, "")
	for i, b := range shown {
		mid := top + barPitch*float64(i) + barPitch/2
		c.text("e ink", left-8, mid+4, clip(b.Label, left-8), b.Label)
		switch {
		case !finite(b.Value):
			c.text("", zero+6, mid+4, b.text(), "")
		case b.Value < 0:
			x := s.at(b.Value)
			c.rect("down", x, mid-barHeight/2, zero-x, barHeight, b.tip())
			c.text("e ink", x-5, mid+4, signed(b), "")
		default:
			x := s.at(b.Value)
			c.rect("up", zero, mid-barHeight/2, x-zero, barHeight, b.tip())
			c.text("ink", x+5, mid+4, signed(b), "")
		}
	}
	c.line("axis", zero, top, zero, top+barPitch*float64(max(len(shown), 1)))
	c.more(len(bars)-len(shown), left, h-6)
	if len(bars) == 0 {
		c.text("", zero+8, top+barPitch/2+4, "nothing to show", "")
	}
	return c.done()
}

func signed(b Bar) string {
	if b.Text == "" && b.Value > 0 {
		return "+" + Short(b.Value)
	}
	return b.text()
}

func (b Bar) whisker() bool {
	return finite(b.Low) && finite(b.High) && (b.Low != 0 || b.High != 0)
}

// whisker draws an interval with end strokes, so that it is seen on any bar.
func (c *canvas) whisker(lo, hi, y float64) {
	c.line("whisker", lo, y, hi, y)
	c.line("whisker", lo, y-3, lo, y+3)
	c.line("whisker", hi, y-3, hi, y+3)
}

func (c *canvas) more(n int, x, y float64) {
	if n > 0 {
		c.text("", x, y, "and "+Count(int64(n))+" more", "")
	}
}

// labelWidth gives labels what they need, at most two fifths of the chart.
func labelWidth(bars []Bar, w float64) float64 {
	need := 30.0
	for _, b := range bars {
		need = max(need, float64(len([]rune(b.Label)))*glyph+12)
	}
	return math.Round(min(need, w*0.4))
}

func textWidth(bars []Bar) float64 {
	need := 24.0
	for _, b := range bars {
		need = max(need, float64(len([]rune(b.text()))+1)*glyph)
	}
	return math.Round(min(need, 180))
}

func barsDesc(bars []Bar) string {
	if len(bars) == 0 {
		return "no bars"
	}
	s := fmt.Sprintf("%d bars", len(bars))
	for i, b := range bars[:min(len(bars), 5)] {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		s += sep + clipRunes(b.Label, 40) + " " + b.text()
	}
	return s
}
