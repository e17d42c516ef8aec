package chart

import (
	"fmt"
	"html/template"
	"math"
)

// ROC draws the curve of (false positive rate, true positive rate) pairs with
// the diagonal of guessing. at is the operating point, nil for none. The area
// belongs in the caller's title or text: the curve is drawn, not measured.
func ROC(f Frame, points [][2]float64, at *[2]float64) template.HTML {
	w, h := f.size(320, 320)
	if f.X == "" {
		f.X = "false positive rate"
	}
	if f.Y == "" {
		f.Y = "true positive rate"
	}
	desc := fmt.Sprintf("ROC curve of %d points above the diagonal of guessing", len(points))
	if at != nil {
		desc += fmt.Sprintf("; at the threshold %s of positives are found at %s false alarms", Percent(at[1]), Percent(at[0]))
	}
	p := newPlot(f, desc, w, h, 0, 1, 0, 1, 0, 0, 0, Short, Short)
	p.line("base", p.x.at(0), p.y.at(0), p.x.at(1), p.y.at(1))
	xs, ys := make([]float64, len(points)), make([]float64, len(points))
	for i, q := range points {
		xs[i], ys[i] = q[0], q[1]
	}
	p.polyline("line s1", xs, ys)
	if at != nil && finite(at[0]) && finite(at[1]) {
		x, y := p.x.at(at[0]), p.y.at(at[1])
		p.circle("dot s2", x, y, 5, "operating point")
		p.text("ink", x+9, y+14, "threshold", "")
	}
	return p.done()
}

// Observed compares a predicted with an observed frequency.
type Observed struct {
	Score    float64 // mean predicted probability
	Observed float64 // share of positives
	Rows     int
	// Low and High are the interval of Observed; both 0: none.
	Low, High float64
}

// Reliability draws observed frequency against predicted probability, with the
// diagonal of a perfectly calibrated model; the size of a point follows its
// rows. When all scores lie below one half the axes end sooner, so that rare
// events can be read. Of more than 100 bins the first 100 are drawn.
func Reliability(f Frame, bins []Observed) template.HTML {
	bins = bins[:min(len(bins), 100)]
	w, h := f.size(320, 320)
	if f.X == "" {
		f.X = "predicted probability"
	}
	if f.Y == "" {
		f.Y = "observed share"
	}
	top, most, gap := 0.0, 0, 0.0
	for _, b := range bins {
		for _, v := range []float64{b.Score, b.Observed, b.High} {
			if finite(v) {
				top = max(top, v)
			}
		}
		most = max(most, b.Rows)
		if g := math.Abs(b.Score - b.Observed); finite(g) {
			gap = max(gap, g)
		}
	}
	if top = niceMax(top, 5); top > 0.8 {
		top = 1
	}
	desc := fmt.Sprintf("observed against predicted frequency in %d bins; the largest gap is %s", len(bins), Fixed(gap))
	p := newPlot(f, desc, w, h, 0, top, 0, top, 0, 0, 0, Short, Short)
	p.line("base", p.x.at(0), p.y.at(0), p.x.at(top), p.y.at(top))
	xs, ys := make([]float64, len(bins)), make([]float64, len(bins))
	for i, b := range bins {
		xs[i], ys[i] = b.Score, b.Observed
		if finite(b.Score) && finite(b.Low) && finite(b.High) && (b.Low != 0 || b.High != 0) {
			p.line("whisker", p.x.at(b.Score), p.y.at(b.Low), p.x.at(b.Score), p.y.at(b.High))
		}
	}
	p.polyline("line s1 thin", xs, ys)
	for _, b := range bins {
		if !finite(b.Score) || !finite(b.Observed) {
			continue
		}
		r := 2.0
		if most > 0 {
			r += 3 * math.Sqrt(float64(max(b.Rows, 0))/float64(most))
		}
		tip := fmt.Sprintf("predicted %s, observed %s, %s rows", Fixed(b.Score), Fixed(b.Observed), Count(int64(b.Rows)))
		p.circle("dot s1", p.x.at(b.Score), p.y.at(b.Observed), r, tip)
	}
	return p.done()
}
