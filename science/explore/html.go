package explore

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"

	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/data"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("explore").Funcs(template.FuncMap{
	"clean":   func(s string) string { return chart.Clean(s, 80) },
	"text":    func(s string) string { return chart.Clean(s, 400) },
	"short":   func(n Num) string { return chart.Short(float64(n)) },
	"percent": func(n Num) string { return chart.Percent(float64(n)) },
	"count":   chart.Count,
	"int":     func(n int) string { return chart.Count(int64(n)) },
}).Parse(pageText))

// MaxPage is the size in bytes that a page never exceeds.
const MaxPage = 600_000

// detail says how much the page shows of each column.
type detail struct {
	cards   int // columns with a card of their own
	rows    int // columns in the table
	bins    int // of a card's histogram
	values  int // of a card's most frequent values
	alerts  int
	explain string // what was left out, "" for nothing
}

// details go from everything to little; a page is drawn with the first that
// its columns allow and, if names and values are so long that it would still
// exceed MaxPage, with the next.
var details = []detail{
	{40, 40, bins, topValues, 200, ""},
	{100, 100, 12, 5, 150, "Each column is shown in less detail, since there are more than 40."},
	{0, 300, 12, 0, 100, "Columns are shown as one table, since there are more than 100."},
	{0, 60, 12, 0, 30, "Only some columns are shown, since their names and values are very long."},
	{0, 0, 0, 0, 5, "No column is shown, since their names and values are very long."},
}

// HTML writes the page as one self-contained file of less than [MaxPage]
// bytes: style and charts inside, no script, light and dark after the reader's
// system.
func (p *Page) HTML(w io.Writer) error {
	for _, d := range details {
		if d.cards > 0 && len(p.Columns) > d.cards {
			continue
		}
		var b bytes.Buffer
		if err := pageTemplate.Execute(&b, p.view(d)); err != nil {
			return fmt.Errorf("write exploration of %q as HTML: %w", p.Title, err)
		}
		if b.Len() < MaxPage || d.rows == 0 {
			_, err := w.Write(b.Bytes())
			return err
		}
	}
	return nil
}

// view is what the template reads.
type view struct {
	*Page
	CSS         template.CSS
	Kinds       string
	Missing     string
	Shown       []Alert
	Hidden      int // alerts not shown
	TargetChart template.HTML
	Strongest   template.HTML
	Rows        []rowView
	Cards       []cardView
	HiddenRows  int
	Detail      string
	Strength    string // heading of the strength
	RateName    string
}

type rowView struct {
	Column
	Anchor   string // "" without a card
	Spark    template.HTML
	Strength string
	Warnings int // alerts about it that are more than notes
}

type cardView struct {
	Column
	Anchor   string
	Chart    template.HTML
	Facts    []fact
	Relation string
	Notes    []Alert
}

type fact struct{ Name, Text string }

func (p *Page) view(d detail) view {
	v := view{Page: p, CSS: chart.CSS, Kinds: p.kinds(), Detail: d.explain, Strength: "AUC alone"}
	if cells := int64(p.Overview.Rows) * int64(p.Overview.Columns); cells > 0 {
		v.Missing = chart.Percent(float64(p.Overview.MissingCells) / float64(cells))
	}
	v.Shown = p.Alerts[:min(len(p.Alerts), d.alerts)]
	v.Hidden = len(p.Alerts) - len(v.Shown)
	if t := p.Target; t != nil {
		if t.Task == "regression" {
			v.Strength, v.RateName = "correlation", "mean of "+chart.Clean(t.Name, 30)
		} else if t.Task == "binary" {
			v.RateName = "share of " + chart.Clean(t.Positive, 30)
		}
		v.TargetChart = p.targetChart()
		v.Strongest = p.strongest()
	}
	shown := p.Columns
	if len(shown) > d.rows {
		shown = p.mostTelling(d.rows)
	}
	v.HiddenRows = len(p.Columns) - len(shown)
	warnings := map[string]int{}
	for _, a := range p.Alerts {
		if a.Severity != "low" {
			warnings[a.Column]++
		}
	}
	for i, c := range shown {
		row := rowView{Column: c, Spark: spark(c), Strength: "–", Warnings: warnings[c.Name]}
		if c.Relation != nil && !math.IsNaN(float64(c.Relation.Strength)) {
			row.Strength = chart.Fixed(float64(c.Relation.Strength))
		}
		if d.cards > 0 {
			row.Anchor = fmt.Sprintf("c%d", i+1)
			v.Cards = append(v.Cards, p.card(c, row.Anchor, d, v.RateName))
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}

func (p *Page) kinds() string {
	out := ""
	for _, k := range []data.Kind{data.Number, data.Category, data.Text, data.Time} {
		if n := p.Overview.Kinds[k.String()]; n > 0 {
			if out != "" {
				out += ", "
			}
			out += fmt.Sprintf("%d %s", n, k)
		}
	}
	return out
}

// mostTelling returns n columns, those with alerts and then the strongest
// first chosen, in table order.
func (p *Page) mostTelling(n int) []Column {
	order := make([]int, len(p.Columns))
	for i := range order {
		order[i] = i
	}
	strength := func(c Column) float64 {
		if c.Relation == nil || math.IsNaN(float64(c.Relation.Strength)) {
			return 0
		}
		return float64(c.Relation.Strength)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := p.Columns[a], p.Columns[b]
		if d := min(len(y.Alerts), 1) - min(len(x.Alerts), 1); d != 0 {
			return d
		}
		switch s, t := strength(x), strength(y); {
		case s > t:
			return -1
		case s < t:
			return 1
		}
		return a - b
	})
	order = order[:n]
	slices.Sort(order)
	out := make([]Column, n)
	for k, i := range order {
		out[k] = p.Columns[i]
	}
	return out
}

func (p *Page) targetChart() template.HTML {
	t := p.Target
	f := chart.Frame{Title: "Distribution of " + t.Name}
	if len(t.Values) > 0 {
		return chart.Bars(f, valueBars(t.Values, int64(t.Known), topValues, false, nil))
	}
	for _, c := range p.Columns {
		if c.Name == t.Name && c.Histogram != nil {
			f.X, f.Y = chart.Clean(t.Name, 40), "rows"
			return chart.Histogram(f, c.Histogram.draw(bins, nil, ""))
		}
	}
	return ""
}

// strongest draws the columns that say most about the target on their own.
func (p *Page) strongest() template.HTML {
	var cols []Column
	for _, c := range p.Columns {
		if c.Relation != nil && float64(c.Relation.Strength) > 0 && c.Name != p.Target.Name {
			cols = append(cols, c)
		}
	}
	if len(cols) == 0 {
		return ""
	}
	slices.SortStableFunc(cols, func(a, b Column) int {
		switch x, y := a.Relation.Strength, b.Relation.Strength; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	f := chart.Frame{Title: "Strength of columns alone", X: "AUC above guessing (0.5)", Width: 480}
	auc := p.Target.Task == "binary"
	if !auc {
		f.X = "correlation with the target"
	}
	var bars []chart.Bar
	for _, c := range cols[:min(len(cols), 15)] {
		s := float64(c.Relation.Strength)
		b := chart.Bar{Label: c.Name, Value: s, Text: chart.Fixed(s)}
		if !c.Relation.weak() {
			b.Text += arrow(c.Relation.Direction)
		}
		if c.Role == data.Protected {
			b.Text += ", protected"
		}
		if auc {
			b.Value = s - 0.5
		}
		bars = append(bars, b)
	}
	return chart.Bars(f, bars)
}

func arrow(direction string) string {
	switch direction {
	case "up":
		return " rising"
	case "down":
		return " falling"
	}
	return ""
}

// spark is the column's distribution for a table cell.
func spark(c Column) template.HTML {
	f := chart.Frame{Title: "Distribution of " + chart.Clean(c.Name, 40), Width: 100, Height: 22}
	var counts []float64
	switch {
	case c.Histogram != nil:
		for _, n := range c.Histogram.Counts {
			counts = append(counts, float64(n))
		}
	case len(c.Top) > 0 && c.Kind == data.Category:
		for _, v := range c.Top {
			counts = append(counts, float64(v.Count))
		}
	default:
		return ""
	}
	return chart.SparkBars(f, counts)
}

// draw returns the histogram as the chart wants it, neighbours joined so that
// there are at most n bins.
func (h *Histogram) draw(n int, edge func(float64) string, rate string) chart.Hist {
	out := chart.Hist{EdgeText: edge, RateName: rate}
	join := max((len(h.Counts)+n-1)/n, 1)
	for i := 0; i < len(h.Counts); i += join {
		end := min(i+join, len(h.Counts))
		count, weight, sum := 0.0, 0.0, 0.0
		for j := i; j < end; j++ {
			k := float64(h.Counts[j])
			count += k
			if len(h.Rate) > 0 && !math.IsNaN(float64(h.Rate[j])) {
				weight += k
				sum += float64(k * float64(h.Rate[j]))
			}
		}
		out.Edges = append(out.Edges, float64(h.Edges[i]))
		out.Counts = append(out.Counts, count)
		if len(h.Rate) > 0 && rate != "" {
			r := math.NaN()
			if weight > 0 {
				r = sum / weight
			}
			out.Rate = append(out.Rate, r)
		}
	}
	out.Edges = append(out.Edges, float64(h.Edges[len(h.Edges)-1]))
	return out
}

// valueBars draws values by share; rate is how their target rate is written,
// nil for none.
func valueBars(values []Value, total int64, n int, others bool, rate func(Num) string) []chart.Bar {
	var bars []chart.Bar
	rest := total
	for _, v := range values[:min(len(values), n)] {
		b := chart.Bar{Label: v.Value, Value: float64(v.Count), Text: chart.Percent(float64(v.Share))}
		if rate != nil && !math.IsNaN(float64(v.Rate)) {
			b.Text += " · " + rate(v.Rate)
		}
		b.Tip = v.Value + ": " + chart.Count(v.Count)
		rest -= v.Count
		bars = append(bars, b)
	}
	if others && rest > 0 {
		bars = append(bars, chart.Bar{Label: "all others", Value: float64(rest), Text: chart.Percent(float64(rest) / float64(total)), Tip: "all others: " + chart.Count(rest)})
	}
	return bars
}

func (p *Page) rateText(n Num) string {
	if p.Target.Task == "regression" {
		return chart.Short(float64(n))
	}
	return chart.Percent(float64(n))
}
