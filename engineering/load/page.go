package load

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/tandem-ml/tandem/chart"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("load").Funcs(template.FuncMap{
	"clean": func(s string) string { return chart.Clean(s, 600) },
	"count": chart.Count,
	"short": chart.Short,
	"ms":    Milliseconds,
}).Parse(pageText))

// Milliseconds writes a number of milliseconds with the digits that matter.
func Milliseconds(v float64) string {
	switch {
	case v < 10:
		return strconv.FormatFloat(v, 'f', 3, 64)
	case v < 100:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 10_000:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return chart.Count(int64(math.Round(v)))
}

// view is what the page's template reads.
type view struct {
	*Result
	CSS                           template.CSS
	Distributed, Over, Sent, Back template.HTML
	Figures                       []figure
	Times                         []named
}

type figure struct{ Name, Text, Beside string }

type named struct {
	Name string
	Times
}

// HTML writes the result as one self-contained page: style and charts inside,
// no script, light and dark after the reader's system, fit to be printed.
func (r *Result) HTML(w io.Writer) error {
	v := view{Result: r, CSS: chart.CSS, Distributed: r.distributionChart(), Over: r.latencyChart(), Sent: r.throughputChart(), Back: r.answersChart()}
	v.Figures = []figure{
		{"Requests/s", chart.Short(r.RequestsPerSecond), "that were answered"},
		{"Median", Milliseconds(r.Latency.P50) + " ms", "half waited no longer"},
		{"p99", Milliseconds(r.Latency.P99) + " ms", "one in a hundred waited longer"},
		{"p99.9", Milliseconds(r.Latency.P999) + " ms", "one in a thousand"},
		{"Longest", Milliseconds(r.Latency.Max) + " ms", ""},
	}
	if r.RowsPerSecond > 0 {
		v.Figures = append(v.Figures, figure{"Rows/s", chart.Short(r.RowsPerSecond), "in answers with success"})
	}
	v.Times = []named{{"latency: from due to answered", r.Latency}, {"service time: from sent to answered", r.Service}}
	if r.Lag != nil {
		v.Times = append(v.Times, named{"lag: how late the generator was", *r.Lag})
	}
	if err := page.Execute(w, v); err != nil {
		return fmt.Errorf("write the page of %s: %w", r.URL, err)
	}
	return nil
}

// Sentences say in words what to know before the numbers are believed; each
// stands alone.
func (r *Result) Sentences() []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if r.OnTime != nil && !*r.OnTime {
		say("The generator could not keep its own schedule: it sent half of the requests %s ms late or more, and one in a hundred %s ms, with a connection free. "+
			"These numbers are of the generator, not of the server: lower the rate, or run it on another machine.", Milliseconds(r.Lag.P50), Milliseconds(r.Lag.P99))
	}
	if n := r.Errors[kindUnsent]; n > 0 {
		say("%s of %s requests could not be sent by the end, as all connections were busy: the server takes fewer than %s requests a second, or needs more connections.",
			chart.Count(n), chart.Count(r.Requests), chart.Short(r.Rate))
	} else if r.Loop == "open" && r.RequestsPerSecond < 0.95*r.Rate && !r.Interrupted {
		say("%s requests a second were due and %s were answered: this is more than the server takes, and the longer the run, the longer the wait.", chart.Short(r.Rate), chart.Short(r.RequestsPerSecond))
	} else if r.Waited > 0 && 10*r.Waited >= r.Requests {
		say("%s of %s requests were due when all connections were busy, and waited for one; their latency holds that.", chart.Count(r.Waited), chart.Count(r.Requests))
	}
	if r.Loop == "closed" {
		say("In a closed loop requests wait for each other: percentiles hide how long people wait when the server pauses. Measure latency with a fixed rate.")
	}
	if r.Interrupted {
		say("The run was stopped after %.1f s; this is what was measured until then.", r.Seconds)
	}
	if r.FirstBad != "" {
		say("The first answer or connection that was no success: %s", chart.Clean(r.FirstBad, 600))
	}
	return out
}

// distributionChart draws latency over the share of requests, on a scale in
// which each further nine has the same width.
func (r *Result) distributionChart() template.HTML {
	s := chart.Series{Name: "latency"}
	for _, p := range r.Distribution {
		s.X, s.Y = append(s.X, -math.Log10(1-p.Share)), append(s.Y, p.MS)
	}
	return chart.Line(chart.Frame{Title: "Latency by percentile", Desc: describe(r.Latency), X: "percentile of requests", Y: "ms", Width: 620, Height: 260},
		chart.Lines{Series: []chart.Series{s}, Zero: true, XText: nines})
}

func describe(t Times) string {
	return fmt.Sprintf("Half of the requests took %s ms at most, 99%% %s ms, 99.9%% %s ms, the longest %s ms.",
		Milliseconds(t.P50), Milliseconds(t.P99), Milliseconds(t.P999), Milliseconds(t.Max))
}

// nines writes the percentile that has x nines: 2 is 99%.
func nines(x float64) string {
	miss := 100 * math.Pow(10, -x)
	digits := max(int(math.Ceil(x-1.99)), 0)
	text := strconv.FormatFloat(100-miss, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text + "%"
}

// over makes a line for each of several values of an interval.
func (r *Result) over(names []string, values func(Interval) []float64) []chart.Series {
	series := make([]chart.Series, len(names))
	for i := range series {
		series[i].Name = names[i]
	}
	for _, in := range r.Intervals {
		for i, v := range values(in) {
			series[i].X, series[i].Y = append(series[i].X, in.At), append(series[i].Y, v)
		}
	}
	return series
}

func (r *Result) latencyChart() template.HTML {
	s := r.over([]string{"median", "p99", "longest"}, func(in Interval) []float64 {
		if in.Requests == in.Failed && in.Max == 0 {
			return []float64{math.NaN(), math.NaN(), math.NaN()} // nothing was measured
		}
		return []float64{in.P50, in.P99, in.Max}
	})
	return chart.Line(chart.Frame{Title: "Latency over time", X: "seconds; where a request was due", Y: "ms", Width: 620, Height: 260}, chart.Lines{Series: s, Zero: true})
}

func (r *Result) throughputChart() template.HTML {
	width := r.Seconds
	if len(r.Intervals) > 1 {
		width = r.Intervals[1].At
	}
	if width <= 0 {
		return ""
	}
	s := r.over([]string{"due", "answered", "failed"}, func(in Interval) []float64 {
		return []float64{float64(in.Requests) / width, float64(in.Answers) / width, float64(in.Failed) / width}
	})
	return chart.Line(chart.Frame{Title: "Requests over time", X: "seconds", Y: "requests/s", Width: 620, Height: 260}, chart.Lines{Series: s, Zero: true})
}

func (r *Result) answersChart() template.HTML {
	var bars []chart.Bar
	for _, k := range Kinds(r.Status) {
		bars = append(bars, chart.Bar{Label: "status " + k, Value: float64(r.Status[k]), Text: chart.Count(r.Status[k])})
	}
	for _, k := range Kinds(r.Errors) {
		bars = append(bars, chart.Bar{Label: "error: " + k, Value: float64(r.Errors[k]), Text: chart.Count(r.Errors[k])})
	}
	if len(bars) == 0 {
		return ""
	}
	return chart.Bars(chart.Frame{Title: "What came back", X: "requests", Width: 620}, bars)
}
