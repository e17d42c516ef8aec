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
	Sentences   []string
	Seen, Of    int

	Strip   []stripped
	Windows []windowRow // newest first, at most listed
	Total   int
	Shown   *windowRow // the window whose columns are shown
	Columns []columnRow

	ScoreChart, Performance template.HTML
	Metric                  string
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
func strip(project string, windows []monitor.Report, most int) []stripped {
	if len(windows) > most {
		windows = windows[len(windows)-most:]
	}
	var out []stripped
	for i := range windows {
		w := &windows[i]
		v := verdictOf(w)
		out = append(out, stripped{v.Level, fmt.Sprintf("%s UTC: %s, %s decisions", w.To.Format("2 Jan 15:04"), v.Word, chart.Count(int64(w.Decisions))),
			driftPage(project, w.To.UnixMicro())})
	}
	return out
}

func driftPage(project string, at int64) string {
	return to("drift", project) + "?at=" + strconv.FormatInt(at, 10) + "#window"
}

func (s *site) drift(r *request, p *project) (any, error) {
	r.head.Title = p.Name + " drift"
	v := driftView{project: p, Metric: "auc"}
	var windows []windowRow
	var outcomes []outcomeRow
	for i := len(p.Versions) - 1; i >= 0; i-- { // first version first
		version := &p.Versions[i]
		w := s.src.Watched(p.Name, version.Bundle)
		for _, report := range w.Windows {
			windows = append(windows, windowRow{Report: report, Version: version.Number, Verdict: verdictOf(&report), Names: names(&report), At: report.To.UnixMicro()})
		}
		for _, perf := range w.Outcomes {
			outcomes = append(outcomes, outcomeRow{Performance: perf, Number: len(outcomes) + 1, Version: version.Number, Verdict: performed(&perf)})
		}
		if p.Champion != nil && p.Champion.Number == version.Number {
			v.Seen, v.Of = w.Seen, w.Of
			v.Level, v.Word, v.Sentences = state(p, w, false)
		}
	}
	// Versions may take turns, so windows are put in the order of time.
	sort.SliceStable(windows, func(i, j int) bool { return windows[i].To.Before(windows[j].To) })
	if err := v.show(r, windows); err != nil {
		return nil, err
	}
	v.performance(outcomes)
	return v, nil
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
	reports := make([]monitor.Report, len(windows))
	for i := range windows {
		reports[i] = windows[i].Report
	}
	v.Strip = strip(v.Name, reports, 60)
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
// window.
func scoreChart(windows []windowRow) template.HTML {
	line := chart.Series{Name: "distance of the scores"}
	var marks []chart.Mark
	version := 0
	for i := range windows {
		w := &windows[i]
		at := float64(w.To.UnixMicro())
		y := math.NaN()
		if w.Score != nil {
			y = w.Score.Effect
		}
		line.X, line.Y = append(line.X, at), append(line.Y, y)
		if w.Version != version && version != 0 {
			marks = append(marks, chart.Mark{At: at, Name: fmt.Sprintf("version %d", w.Version)})
		}
		version = w.Version
	}
	first, end := windows[0].To, windows[len(windows)-1].To
	layout := "2 Jan"
	switch span := end.Sub(first); {
	case span < 10*time.Minute:
		layout = "15:04:05"
	case span < 48*time.Hour:
		layout = "15:04"
	}
	return chart.Line(chart.Frame{Title: "Distance of the scores from those of the holdout, by window", Width: 620, Height: 210,
		X: "end of the window, UTC", Y: "distance in standard deviations"},
		chart.Lines{Series: []chart.Series{line}, Zero: true, Vertical: marks,
			Horizontal: []chart.Mark{{At: monitor.DefaultFloors().Wasserstein, Name: "floor"}},
			XText:      func(x float64) string { return time.UnixMicro(int64(x)).UTC().Format(layout) }})
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
	line := chart.Series{Name: "realised"}
	var versions []chart.Mark
	for i := range rows {
		row := &rows[i]
		for _, key := range v.Others {
			text := "–"
			if x, known := row.Performance.Others[key]; known {
				text = metricOf(key).text(x)
			}
			row.Further = append(row.Further, text)
		}
		m := row.Realised
		if !row.Judged {
			m = bundle.Measure{Value: math.NaN(), Low: math.NaN(), High: math.NaN()}
		}
		line.X, line.Y = append(line.X, float64(row.Number)), append(line.Y, m.Value)
		line.Low, line.High = append(line.Low, m.Low), append(line.High, m.High)
		if i > 0 && row.Version != rows[i-1].Version {
			versions = append(versions, chart.Mark{At: float64(row.Number) - 0.5, Name: fmt.Sprintf("version %d", row.Version)})
		}
	}
	name := metricOf(v.Metric).name
	v.Performance = chart.Line(chart.Frame{Title: "Realised " + name + " by window of outcomes", X: "window of outcomes", Y: name + " with its 95% interval", Width: 620, Height: 240},
		chart.Lines{Series: []chart.Series{line}, Vertical: versions,
			Horizontal: []chart.Mark{{At: rows[len(rows)-1].Holdout.Value, Name: "holdout " + metricOf(v.Metric).text(rows[len(rows)-1].Holdout.Value)}},
			XText:      wholeNumber, YText: metricOf(v.Metric).text})
	for i := len(rows) - 1; i >= 0 && len(v.Outcomes) < listed; i-- {
		v.Outcomes = append(v.Outcomes, rows[i])
	}
}

// wholeNumber leaves the ticks between two windows without a label.
func wholeNumber(x float64) string {
	if x != math.Trunc(x) {
		return ""
	}
	return chart.Short(x)
}
