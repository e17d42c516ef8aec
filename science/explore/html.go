package explore

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/data"
)

//go:embed page.html
var pageText string

//go:embed page.js
var pageScript string

// pageStyle is what this page needs beyond the style of all pages.
const pageStyle = `.card.wide{max-width:none}.card.zoomed{grid-column:1/-1}.card.zoomed>svg{width:100%}
.sort{font:inherit;color:inherit;background:none;border:0;padding:0;text-align:inherit}.sort:hover{text-decoration:underline}
th[aria-sort=descending] .sort::after{content:" \2193"}th[aria-sort=ascending] .sort::after{content:" \2191"}
.zoom,.copy{font-size:12px;padding:1px 8px;margin:0 0 8px;color:var(--muted)}
@media (max-width:700px){.map>svg{max-width:none;width:640px}}
pre.step{margin:6px 0;white-space:pre-wrap;overflow-wrap:anywhere}label.filter{display:block;margin:0 0 8px}details{margin:0 0 8px}
@media print{.zoom,.copy,label.filter{display:none}}
`

// contentPolicy lets the page run its own script and nothing else, whatever a table's
// names and values are.
func contentPolicy() string {
	sum := sha256.Sum256([]byte(pageScript))
	return "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}

// functions are those of the templates.
var functions = template.FuncMap{
	"policy":   contentPolicy,
	"script":   func() template.JS { return template.JS(pageScript) },
	"clean":    func(s string) string { return chart.Clean(s, 80) },
	"text":     func(s string) string { return chart.Clean(s, 400) },
	"sentence": sentence,
	"steps":    shownStep,
	"short":    func(n Num) string { return chart.Short(float64(n)) },
	"fixed":    func(n Num) string { return chart.Fixed(float64(n)) },
	"pvalue":   pText,
	"measure":  func(s string) string { return measures[s] },
	"percent":  func(n Num) string { return chart.Percent(float64(n)) },
	"share":    chart.Percent,
	"count":    chart.Count,
	"int":      func(n int) string { return chart.Count(int64(n)) },
}

var pageTemplate = template.Must(template.New("explore").Funcs(functions).Parse(pageText))

// measures names what the JSON form calls by a word.
var measures = map[string]string{"spearman": "Spearman", "cramers_v": "Cramér's V", "correlation_ratio": "correlation ratio",
	"wasserstein": "Wasserstein", "js": "Jensen-Shannon"}

func pText(n Num) string {
	if float64(n) < 0.001 {
		return "<0.001"
	}
	return chart.Fixed(float64(n))
}

// MaxPage is the size in bytes that a page never exceeds.
const MaxPage = 600_000

// detail says how much the page shows of each column.
type detail struct {
	cards   int // columns with a card of their own
	rows    int // columns in the table
	bins    int // of a card's histogram
	values  int // of a card's most frequent values
	alerts  int
	heat    int    // columns of the heat map
	pairs   int    // of the table beside it
	others  int    // rows of the other tables
	explain string // what was left out, "" for nothing
}

// details go from everything to little; a page is drawn with the first that
// its columns allow and, if names and values are so long that it would still
// exceed MaxPage, with the next.
var details = []detail{
	{40, 40, bins, topValues, 200, 40, 60, 60, ""},
	{100, 100, 12, 5, 150, 40, 40, 40, "Each column is shown in less detail, since there are more than 40."},
	{0, 300, 12, 0, 100, 30, 30, 30, "Columns are shown as one table, since there are more than 100."},
	{0, 60, 12, 0, 30, 12, 10, 10, "Only some columns are shown, since their names and values are very long."},
	{0, 0, 0, 0, 5, 0, 0, 0, "No column is shown, since their names and values are very long."},
}

// HTML writes the page as one self-contained file of less than [MaxPage]
// bytes: style and charts inside, light and dark after the reader's system. All
// of it can be read with scripts off; a small script of its own sorts, filters
// and enlarges, and a content policy keeps every other from running.
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
	CSS          template.CSS
	Kinds        string
	MissingShare string
	Shown        []Alert // that need a decision
	Low          []Alert
	Hidden       int // alerts not shown
	StepsText    string
	Read         []string
	TargetChart  template.HTML
	TimeCharts   []tabled
	Strongest    template.HTML
	Strengths    []Column
	Heat         template.HTML
	Pairs        []Pair
	Crossed      []Interaction
	Patterns     []patternView
	Tells        []Column // whose being missing was compared
	Drifts       []Column
	Shifted      []Column
	Personal     []Column
	Rows         []rowView
	Cards        []cardView
	HiddenRows   int
	Detail       string
	Strength     string // heading of the strength
	RateName     string
}

// tabled is a chart with the table of its figures.
type tabled struct {
	Title string
	Chart template.HTML
	Note  string
	Head  []head
	Rows  [][]string
}

type head struct {
	Text string
	Num  bool
}

type patternView struct {
	Columns string
	Rows    int
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
	Anchor       string
	Chart        template.HTML
	Facts        []fact
	RelationText string
	About        []Alert
	Terms        string
	Table        []cell // the figures of the chart
	TableHead    string
	TableRates   bool
}

type cell struct{ Label, Count, Rate string }

type fact struct{ Name, Text string }

// Rate writes the target's rate.
func (v view) Rate(n Num) string { return v.rateText(n) }

func (p *Page) view(d detail) view {
	v := view{Page: p, CSS: chart.CSS + pageStyle, Kinds: p.kinds(), Detail: d.explain, Strength: "AUC alone", StepsText: shownStep(p.Steps)}
	if cells := int64(p.Overview.Rows) * int64(p.Overview.Columns); cells > 0 {
		v.MissingShare = chart.Percent(float64(p.Overview.MissingCells) / float64(cells))
	}
	for _, a := range p.Alerts[:min(len(p.Alerts), d.alerts)] {
		if a.Severity == "low" {
			v.Low = append(v.Low, a)
		} else {
			v.Shown = append(v.Shown, a)
		}
	}
	v.Hidden = len(p.Alerts) - len(v.Shown) - len(v.Low)
	v.Read = p.Ingest[:min(len(p.Ingest), d.others)]
	if t := p.Target; t != nil {
		if t.Task == "regression" {
			v.Strength, v.RateName = "correlation", "mean of "+chart.Clean(t.Name, 30)
		} else if t.Task == "binary" {
			v.RateName = "share of " + chart.Clean(t.Positive, 30)
		}
		v.TargetChart = p.targetChart()
		v.Strongest = p.strongest()
		v.TimeCharts = p.timeCharts(v.RateName)
		if v.RateName != "" {
			v.Strengths = p.byStrength(d.others)
			for _, c := range p.Columns {
				if c.Relation != nil && float64(c.Relation.MissingZ) != 0 && len(v.Tells) < d.others {
					v.Tells = append(v.Tells, c)
				}
			}
		}
	}
	v.Heat = p.heat(d.heat)
	v.Pairs = p.Associations.Pairs[:min(len(p.Associations.Pairs), d.pairs)]
	v.Crossed = p.Interactions[:min(len(p.Interactions), d.others)]
	for _, q := range p.Missing.Patterns[:min(len(p.Missing.Patterns), d.others)] {
		v.Patterns = append(v.Patterns, patternView{q.text(), q.Rows})
	}
	for _, c := range p.Columns {
		if c.Drift != nil {
			v.Drifts = append(v.Drifts, c)
		}
		if c.Personal != nil && len(v.Personal) < d.others {
			v.Personal = append(v.Personal, c)
		}
	}
	slices.SortStableFunc(v.Drifts, func(a, b Column) int {
		if a.Drift.Shifted != b.Drift.Shifted {
			if a.Drift.Shifted {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.Drift.Distance, a.Drift.Distance)
	})
	v.Drifts = v.Drifts[:min(len(v.Drifts), d.others)]
	for _, c := range v.Drifts {
		if c.Drift.Shifted {
			v.Shifted = append(v.Shifted, c)
		}
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

// shownStep is a step fit for the page: long lists are cut, lines stay lines.
func shownStep(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = chart.Clean(l, 2000)
	}
	return strings.Join(lines, "\n")
}

// text names the columns of a pattern.
func (q Pattern) text() string {
	if len(q.Columns) == 0 {
		return "nothing"
	}
	var names []string
	for _, n := range q.Columns[:min(len(q.Columns), 12)] {
		names = append(names, chart.Clean(n, 40))
	}
	s := strings.Join(names, ", ")
	if more := len(q.Columns) - len(names) + q.More; more > 0 {
		s += fmt.Sprintf(" and %s", plural(int64(more), "other"))
	}
	return s
}

// heat draws the associations of the first n columns that belong together.
func (p *Page) heat(n int) template.HTML {
	a := p.Associations
	if n == 0 || len(a.Columns) < 2 {
		return ""
	}
	// Of too many, those with the strongest ties are kept, in their order.
	keep := make([]int, len(a.Columns))
	best := make([]float64, len(a.Columns))
	for i := range keep {
		keep[i] = i
		for j := range keep {
			if s := math.Abs(float64(a.Strength[i][j])); i != j && s > best[i] {
				best[i] = s
			}
		}
	}
	if len(keep) > n {
		slices.SortStableFunc(keep, func(i, j int) int { return cmp.Compare(best[j], best[i]) })
		keep = keep[:n]
		slices.Sort(keep)
	}
	var labels []string
	var values [][]float64
	for _, i := range keep {
		labels = append(labels, chart.Clean(a.Columns[i], 40))
		row := make([]float64, len(keep))
		for k, j := range keep {
			row[k] = float64(a.Strength[i][j])
		}
		values = append(values, row)
	}
	return chart.HeatMap(chart.Frame{Title: "Associations of the columns", Width: 860}, labels, values)
}

// timeCharts draws the target over time, and over the parts of day, week and year.
func (p *Page) timeCharts(rate string) []tabled {
	if p.Time == nil || rate == "" {
		return nil
	}
	draw := func(title, first string, moments []Moment, note string) tabled {
		t := tabled{Title: title, Note: note, Head: []head{{first, false}, {"rows", true}, {rate, true}, {"95%", true}}}
		l := chart.Lines{Zero: p.Target.Task == "binary", YText: func(v float64) string { return p.rateText(Num(v)) },
			XText: func(v float64) string {
				if k := int(math.Round(v)); k >= 0 && k < len(moments) && math.Abs(v-float64(k)) < 1e-9 {
					return momentName(moments[k].From)
				}
				return ""
			}}
		s := chart.Series{Name: rate}
		for k, m := range moments {
			s.X, s.Y = append(s.X, float64(k)), append(s.Y, float64(m.Rate))
			s.Low, s.High = append(s.Low, float64(m.Low)), append(s.High, float64(m.High))
			t.Rows = append(t.Rows, []string{momentName(m.From), chart.Count(int64(m.Rows)), p.rateText(m.Rate), p.rateText(m.Low) + " to " + p.rateText(m.High)})
		}
		l.Series = []chart.Series{s}
		l.Horizontal = []chart.Mark{{At: float64(p.Target.Rate), Name: "all rows"}}
		t.Chart = chart.Line(chart.Frame{Title: title, Y: rate, Width: 400, Height: 200}, l)
		return t
	}
	var out []tabled
	if len(p.Time.Rate) > 1 {
		title, first := "Over the rows of the file", "from row"
		if p.Time.Column != "" {
			title, first = "Over "+p.Time.Column, "from"
		}
		out = append(out, draw(title, first, p.Time.Rate, "Twenty parts of equal count; the band is the interval of 95%."))
	}
	for _, s := range p.Time.Seasons {
		if float64(s.P) < 0.001 {
			out = append(out, draw("By "+s.Of, s.Of, s.Parts, "The parts differ: p "+pText(s.P)+"."))
		}
	}
	return out
}

// momentName shortens a time to its day where it has no other.
func momentName(s string) string {
	if len(s) >= 20 && s[4] == '-' && s[10] == 'T' {
		if strings.HasSuffix(s, "T00:00:00Z") {
			return s[:10]
		}
		return s[:10] + " " + s[11:16]
	}
	return s
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

// byStrength returns the n columns that say most of the target, strongest first.
func (p *Page) byStrength(n int) []Column {
	var cols []Column
	for _, c := range p.Columns {
		if c.Relation != nil && float64(c.Relation.Strength) > 0 && c.Name != p.Target.Name {
			cols = append(cols, c)
		}
	}
	slices.SortStableFunc(cols, func(a, b Column) int { return cmp.Compare(b.Relation.Strength, a.Relation.Strength) })
	return cols[:min(len(cols), n)]
}

// strongest draws the columns that say most about the target on their own.
func (p *Page) strongest() template.HTML {
	cols := p.byStrength(len(p.Columns))
	if len(cols) == 0 {
		return ""
	}
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

// sentence begins s with a capital, unless it begins with the column's name.
func sentence(s, column string) string {
	s = chart.Clean(s, 400)
	if column != "" && strings.HasPrefix(strings.TrimLeft(s, `"`), column) {
		return s
	}
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}
