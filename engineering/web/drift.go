package web

import (
	"fmt"
	"html/template"
	"math"
	"sort"
	"strconv"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/engineering/monitor"
)

// driftView is what the watch has seen of a project's versions.
type driftView struct {
	*project
	Level, Word string
	Lead        string // the most important sentence of now
	Seen, Of    int

	Strip   []stripped
	Windows []windowRow // newest first, at most listed
	Total   int
	Shown   *windowRow // the window whose columns are shown
	Columns []columnRow

	ScoreChart, Performance template.HTML
	Metric                  string
	Judgement               []string     // of the newest window of outcomes
	Outcomes                []outcomeRow // newest first, at most listed
	Others                  []string     // keys of the further measures
	OutcomesTotal           int
}

// listed is how many windows a table shows.
const listed = 30

// windowRow is one finished window.
type windowRow struct {
	monitor.Report
	Version int // 0: the bundle has no version here
	Verdict verdict
	Names   string // what drifted
	At      int64  // names the window in an address
	Current bool
}

// verdict is a window's judgement in a word.
type verdict struct{ Level, Word string }

func verdictOf(r *monitor.Report) verdict {
	switch {
	case r.Alarm:
		return verdict{"bad", "alarm"}
	case drifted(r) > 0:
		return verdict{"warn", "drift, first time"}
	case len(r.Columns) == 0:
		return verdict{"", "too few"}
	}
	return verdict{"good", "no drift"}
}

// columnRow is one column of a window.
type columnRow struct {
	monitor.ColumnReport
	Floor   float64
	IsScore bool
}

// outcomeRow is one finished window of outcomes.
type outcomeRow struct {
	monitor.Performance
	Number, Version int
	Verdict         verdict
	Further         []string
}

// stripped is a window in the row of small marks.
type stripped struct {
	Level, Title, Link string
}

// strip makes the row of marks of the newest windows, oldest first.
func strip(project string, windows []windowRow, most int) []stripped {
	if len(windows) > most {
		windows = windows[len(windows)-most:]
	}
	var out []stripped
	for i := range windows {
		w := &windows[i]
		out = append(out, stripped{w.Verdict.Level, fmt.Sprintf("%s UTC: %s, %s decisions of version %d", w.To.Format("2 Jan 15:04"), w.Verdict.Word,
			chart.Count(int64(w.Decisions)), w.Version), driftPage(project, w.At)})
	}
	return out
}

func driftPage(project string, at int64) string {
	return to("drift", project) + "?at=" + strconv.FormatInt(at, 10) + "#window"
}

func (s *site) drift(r *request, p *project) (any, error) {
	r.head.Title = p.Name + " drift"
	v := driftView{project: p, Metric: "auc"}
	b, err := s.champion(p)
	if err != nil {
		return nil, err
	}
	switch {
	case b != nil && b.Manifest.Task == bundle.Regression:
		v.Metric = "rmse"
	case b != nil && b.Manifest.Task == bundle.Multiclass:
		v.Metric = "accuracy"
	}
	seen := s.seen(p)
	if p.Champion != nil {
		v.Seen, v.Of = seen.champion.Seen, seen.champion.Of
		var sentences []string
		v.Level, v.Word, sentences = state(p, seen.champion, false)
		v.Lead = sentences[0]
	}
	if err := v.show(r, seen.windows); err != nil {
		return nil, err
	}
	v.performance(seen.outcomes)
	return v, nil
}

// seen is what the watch has seen of all versions.
type seen struct {
	champion Watched
	windows  []windowRow  // in the order of time, since versions may take turns
	outcomes []outcomeRow // version by version
}

func (s *site) seen(p *project) seen {
	var out seen
	for i := range p.Versions {
		version := &p.Versions[len(p.Versions)-1-i] // first version first
		w := s.src.Watched(p.Name, version.Bundle)
		if version == p.Champion {
			out.champion = w
		}
		for j := range w.Windows {
			report := &w.Windows[j]
			out.windows = append(out.windows, windowRow{Report: *report, Version: version.Number, Verdict: verdictOf(report), Names: names(report), At: report.To.UnixMicro()})
		}
		for j := range w.Outcomes {
			perf := &w.Outcomes[j]
			out.outcomes = append(out.outcomes, outcomeRow{Performance: *perf, Number: len(out.outcomes) + 1, Version: version.Number, Verdict: performed(perf)})
		}
	}
	sort.SliceStable(out.windows, func(i, j int) bool { return out.windows[i].To.Before(out.windows[j].To) })
	return out
}

// names lists what drifted in a window.
func names(r *monitor.Report) string {
	var out []string
	for _, c := range r.Columns {
		if c.Drifted {
			out = append(out, c.Name)
		}
	}
	if r.Score != nil && r.Score.Drifted {
		out = append(out, "the score")
	}
	return list(out, 6)
}

// show picks the window whose columns are shown, and lists the newest.
func (v *driftView) show(r *request, windows []windowRow) error {
	v.Total = len(windows)
	if len(windows) == 0 {
		return nil
	}
	shown := len(windows) - 1
	if at := r.URL.Query().Get("at"); at != "" {
		n, err := strconv.ParseInt(at, 10, 64)
		for shown >= 0 && (err != nil || windows[shown].At != n) {
			shown--
		}
		if shown < 0 {
			return notFound("The watch remembers no window that ended then: it keeps the newest of each version.")
		}
	}
	windows[shown].Current = true
	v.Shown = &windows[shown]
	v.columns()
	v.Strip = strip(v.Name, windows, 60)
	v.ScoreChart = scoreChart(windows)
	for i := len(windows) - 1; i >= 0 && len(v.Windows) < listed; i-- {
		v.Windows = append(v.Windows, windows[i])
	}
	return nil
}

// columns orders the shown window's columns by their effect as a multiple of
// the floor, since effects of different measures do not compare.
func (v *driftView) columns() {
	floors := monitor.DefaultFloors()
	add := func(c monitor.ColumnReport, score bool) {
		row := columnRow{ColumnReport: c, Floor: floors.Wasserstein, IsScore: score}
		if c.EffectName == "Jensen-Shannon" {
			row.Floor = floors.JS
		}
		v.Columns = append(v.Columns, row)
	}
	for _, c := range v.Shown.Columns {
		add(c, false)
	}
	sort.SliceStable(v.Columns, func(i, j int) bool {
		a, b := &v.Columns[i], &v.Columns[j]
		if a.Drifted != b.Drifted {
			return a.Drifted
		}
		return a.Effect/a.Floor > b.Effect/b.Floor
	})
	if v.Shown.Score != nil {
		add(*v.Shown.Score, true)
	}
}

// scoreChart draws how far the scores are from those of the holdout, window by
// window: in equal steps, since windows may come in bursts.
func scoreChart(windows []windowRow) template.HTML {
	line, alarms := chart.Series{Name: "distance of the scores"}, chart.Series{Name: "alarm in this window"}
	var versions []chart.Mark
	for i := range windows {
		w := &windows[i]
		y, alarm := math.NaN(), math.NaN()
		if w.Score != nil {
			y = w.Score.Effect
		}
		if w.Alarm {
			alarm = y
		}
		line.X, line.Y = append(line.X, float64(i)), append(line.Y, y)
		alarms.X, alarms.Y = append(alarms.X, float64(i)), append(alarms.Y, alarm)
		if i > 0 && w.Version != windows[i-1].Version {
			versions = append(versions, chart.Mark{At: float64(i) - 0.5, Name: fmt.Sprintf("version %d", w.Version)})
		}
	}
	layout := "2 Jan"
	if windows[len(windows)-1].To.Sub(windows[0].To) < 48*time.Hour {
		layout = "15:04"
	}
	ended := func(x float64) string {
		if i := int(x); float64(i) == x && i >= 0 && i < len(windows) {
			return windows[i].To.UTC().Format(layout)
		}
		return ""
	}
	return chart.Line(chart.Frame{Title: "Distance of the scores from those of the holdout, by window", X: "end of the window, UTC", Y: "distance in standard deviations", Height: 230},
		chart.Lines{Series: []chart.Series{line, alarms}, Zero: true, Vertical: versions, XText: ended,
			Horizontal: []chart.Mark{{At: monitor.DefaultFloors().Wasserstein, Name: "floor"}}})
}

func performed(p *monitor.Performance) verdict {
	switch {
	case p.Alarm:
		return verdict{"bad", "alarm"}
	case p.Worse:
		return verdict{"warn", "worse, first time"}
	case !p.Judged:
		return verdict{"", "too few"}
	}
	return verdict{"good", "as promised"}
}

// further are the measures without an interval, in the order of their columns.
var further = []string{"accuracy", "log_loss", "ks", "mae"}

// performance draws the realised metric of each window of outcomes.
func (v *driftView) performance(rows []outcomeRow) {
	v.OutcomesTotal = len(rows)
	if len(rows) == 0 {
		return
	}
	v.Metric = rows[len(rows)-1].Metric
	for _, key := range further {
		for i := range rows {
			if _, known := rows[i].Performance.Others[key]; known {
				v.Others = append(v.Others, key)
				break
			}
		}
	}
	for i := range rows {
		row := &rows[i]
		for _, key := range v.Others {
			text := "–"
			if x, known := row.Performance.Others[key]; known {
				text = metricOf(key).text(x)
			}
			row.Further = append(row.Further, text)
		}
	}
	v.Judgement = rows[len(rows)-1].Sentences
	v.Performance = performanceChart(rows)
	for i := len(rows) - 1; i >= 0 && len(v.Outcomes) < listed; i-- {
		v.Outcomes = append(v.Outcomes, rows[i])
	}
}

// performanceChart draws the realised metric with its interval beside what the
// holdout of each version promised.
func performanceChart(rows []outcomeRow) template.HTML {
	line, promised := chart.Series{Name: "realised"}, chart.Series{Name: "promised by the holdout"}
	var versions []chart.Mark
	none := bundle.Measure{Value: math.NaN(), Low: math.NaN(), High: math.NaN()}
	point := func(x float64, realised, holdout bundle.Measure) {
		line.X, line.Y = append(line.X, x), append(line.Y, realised.Value)
		line.Low, line.High = append(line.Low, realised.Low), append(line.High, realised.High)
		promised.X, promised.Y = append(promised.X, x), append(promised.Y, holdout.Value)
	}
	for i := range rows {
		row := &rows[i]
		x := float64(row.Number)
		if i > 0 && row.Version != rows[i-1].Version {
			versions = append(versions, chart.Mark{At: x - 0.5, Name: fmt.Sprintf("version %d", row.Version)})
			point(x-0.5, none, none) // another model: the lines do not go on
		}
		if row.Judged {
			point(x, row.Realised, row.Holdout)
		} else {
			point(x, none, row.Holdout)
		}
	}
	name, text := metricOf(rows[0].Metric).name, metricOf(rows[0].Metric).text
	return chart.Line(chart.Frame{Title: "Realised " + name + " by window of outcomes", X: "window of outcomes", Y: name + " with its 95% interval", Height: 230},
		chart.Lines{Series: []chart.Series{line, promised}, Vertical: versions, XText: wholeNumber, YText: text})
}

// wholeNumber leaves the ticks between two windows without a label.
func wholeNumber(x float64) string {
	if x != math.Trunc(x) {
		return ""
	}
	return chart.Short(x)
}
