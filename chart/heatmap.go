package chart

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// MaxHeat is how many rows and columns a heat map draws at most.
const MaxHeat = 60

// HeatMap draws a square table of strengths in [-1, 1] as shaded cells, labels
// to the left and numbers of the rows along the top. The hue tells the sign;
// where there is room (20 columns or fewer) each cell also holds its figure in
// hundredths, and the caller's table holds all of them. Values that are not
// finite leave their cell empty. Beyond [MaxHeat] the first are drawn.
func HeatMap(f Frame, labels []string, values [][]float64) template.HTML {
	n := min(len(labels), len(values), MaxHeat)
	w, _ := f.size(640, 0)
	left := 30.0
	for _, l := range labels[:n] {
		left = max(left, float64(len([]rune(l))+4)*glyph)
	}
	left = math.Round(min(left, w*0.32))
	if n == 0 {
		c := newCanvas(f, "no values", w, 40)
		c.text("", 8, 24, "nothing to show", "")
		return c.done()
	}
	cell := math.Floor(min((w-left)/float64(n), 34)*10) / 10
	top := 20.0
	c := newCanvas(f, heatDesc(labels[:n], values), w, top+cell*float64(n)+26)
	// One path for each shade keeps a map of thousands of cells small.
	var paths [2][11]strings.Builder
	for i := range n {
		for j := range min(n, len(values[i])) {
			v := values[i][j]
			if !finite(v) {
				continue
			}
			sign := 0
			if v < 0 {
				sign = 1
			}
			shade := int(math.Round(min(math.Abs(v), 1) * 10))
			if shade > 0 {
				fmt.Fprintf(&paths[sign][shade], "M%s %sh%sv%sh-%sz", px(left+cell*float64(j)), px(top+cell*float64(i)), px(cell-1), px(cell-1), px(cell-1))
			}
		}
	}
	for sign, hue := range []string{"pos", "neg"} {
		for shade := range paths[sign] {
			if d := paths[sign][shade].String(); d != "" {
				c.b.WriteString("<path")
				c.attrs("class", fmt.Sprintf("heat %s h%d", hue, shade), "d", d)
				c.end("path", "")
			}
		}
	}
	for i := range n {
		mid := top + cell*(float64(i)+0.5) + 4
		if cell >= 9 || n <= 20 {
			c.text("e ink", left-6, mid, clip(fmt.Sprintf("%s  %d", labels[i], i+1), left-6), labels[i])
		}
		if cell >= 16 || i%5 == 4 {
			c.text("m", left+cell*(float64(i)+0.5), top-6, fmt.Sprint(i+1), labels[i])
		}
		if n > 20 || cell < 22 {
			continue
		}
		for j := range min(n, len(values[i])) {
			if v := values[i][j]; finite(v) && i != j {
				class := "m cell"
				if math.Abs(v) >= 0.55 {
					class = "m cell on"
				}
				c.text(class, left+cell*(float64(j)+0.5), mid, fmt.Sprintf("%.0f", math.Round(v*100)+0), "")
			}
		}
	}
	y := top + cell*float64(n) + 8
	for k := 1; k <= 10; k++ {
		c.rect(fmt.Sprintf("heat pos h%d", k), left+100+float64(k)*10, y, 9, 9, "")
		c.rect(fmt.Sprintf("heat neg h%d", k), left+100-float64(k)*10, y, 9, 9, "")
	}
	c.text("e", left-4, y+9, "-1", "")
	c.text("", left+214, y+9, "1", "")
	return c.done()
}

func heatDesc(labels []string, values [][]float64) string {
	best, a, b := 0.0, -1, -1
	for i := range labels {
		for j := range min(i, len(values[i])) {
			if v := values[i][j]; finite(v) && math.Abs(v) > math.Abs(best) {
				best, a, b = v, i, j
			}
		}
	}
	s := fmt.Sprintf("strengths between %d columns", len(labels))
	if a >= 0 {
		s += fmt.Sprintf("; the greatest, %s, is that of %s and %s", Fixed(best), clipRunes(labels[a], 40), clipRunes(labels[b], 40))
	}
	return s
}
