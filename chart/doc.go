// Package chart draws the small charts of Tandem's pages as inline SVG, and
// holds the style sheet that gives all of them one look.
//
// It answers: how do I show this on a page that must be readable with scripts
// off, in light and dark, on a narrow screen, on paper, and by a screen
// reader? Every function here is pure: figures in, a [template.HTML] fragment
// out, the same bytes every time.
//
// # What every chart keeps to
//
//   - It has role="img", a <title> (its name) and a <desc> (what it shows in
//     words), so that nothing is said by the picture alone.
//   - Colour never stands alone: bars carry their value as text, lines differ
//     in dash as well as hue, signs are written.
//   - Colours are custom properties of [CSS] (--ink, --accent, --good, --bad,
//     --grid, ...), reached through classes, so one style sheet serves light
//     and dark, and a page with a strict content policy needs no inline style.
//   - Text is escaped, control and direction-changing characters are replaced,
//     long labels are cut with their full text as tooltip.
//   - No coordinate is ever NaN or infinite: values that are not finite are
//     left out, and ranges as wide as float64 itself are drawn.
//   - Size is bounded whatever the data: at most [MaxBars] bars, and lines are
//     thinned to what the width in pixels can show.
//
// # Example
//
//	chart.Bars(chart.Frame{Title: "Importance", X: "drop in AUC when shuffled"},
//		[]chart.Bar{{Label: "Records", Value: 0.081}, {Label: "Income", Value: 0.054}})
//
// Figures beside a chart are written with [Short], [Count] and [Percent], so
// that a number looks the same on an axis, in a table and in a sentence.
//
// The package does not compute statistics: bins, rates and intervals come from
// the caller. It does not animate or react; served pages that want more than a
// tooltip use a script of their own.
package chart
