package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/chart"
)

// functions are what the templates call. Texts from outside go through clean
// or text: they are cut, and characters that would change the direction of
// the page are replaced; html/template escapes what is left.
var functions = template.FuncMap{
	"clean":    func(s string) string { return chart.Clean(s, 120) },
	"brief":    func(s string) string { return chart.Clean(s, 150) },
	"text":     func(s string) string { return chart.Clean(s, 2000) },
	"count":    func(n int) string { return chart.Count(int64(n)) },
	"short":    chart.Short,
	"fixed":    chart.Fixed,
	"percent":  chart.Percent,
	"p":        pValue,
	"metric":   func(key string) string { return chart.Clean(metricOf(key).name, 60) },
	"value":    func(key string, v float64) string { return metricOf(key).text(v) },
	"interval": interval,
	"hash":     short,
	"day":      func(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04") },
	"second":   func(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04:05") },
	"clock":    func(t time.Time) string { return t.UTC().Format("2 Jan 15:04:05") },
	"iso":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"to":       to,
}

// to is the address of a page: to "models" "credit".
func to(page, name string) string { return "/" + page + "/" + url.PathEscape(name) }

// short is enough of an id for a person.
func short(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}

// ago says how long before now t was, in the largest unit that fits.
func ago(t, now time.Time) string {
	d := now.Sub(t)
	unit := func(n int, name string) string {
		if n == 1 {
			return "1 " + name + " ago"
		}
		return fmt.Sprintf("%d %ss ago", n, name)
	}
	switch {
	case d < 10*time.Second:
		return "just now"
	case d < time.Minute:
		return unit(int(d.Seconds()), "second")
	case d < time.Hour:
		return unit(int(d.Minutes()), "minute")
	case d < 48*time.Hour:
		return unit(int(d.Hours()), "hour")
	}
	return unit(int(d.Hours()/24), "day")
}

// pValue writes a p-value the way papers do.
func pValue(p float64) string {
	switch {
	case math.IsNaN(p):
		return "–"
	case p < 0.001:
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", p)
}

// metric says how one of the card's figures is named, written and read.
type metric struct {
	key, name string
	text      func(float64) string
	better    string
	meaning   string
}

var metrics = []metric{
	{"auc", "AUC", chart.Fixed, "higher", "chance that a random positive scores above a random negative; 0.5 is guessing"},
	{"accuracy", "Accuracy", chart.Percent, "higher", "share of decisions that are right; read it beside the baseline"},
	{"log_loss", "Log loss", chart.Fixed, "lower", "how surprised the probabilities are by the outcomes"},
	{"brier", "Brier score", chart.Fixed, "lower", "mean squared gap between probability and outcome"},
	{"ks", "KS", chart.Fixed, "higher", "largest distance between the score distributions of the two classes"},
	{"calibration_error", "Calibration error", chart.Fixed, "lower", "mean gap between predicted and observed frequency"},
	{"rmse", "RMSE", chart.Short, "lower", "root of the mean squared error, in units of the target"},
	{"mae", "MAE", chart.Short, "lower", "mean absolute error, in units of the target"},
	{"r2", "R²", chart.Fixed, "higher", "share of the target's variance that is explained; 0 is the mean alone"},
}

// metricOf returns the row of the table, or a plain one for a key it lacks.
func metricOf(key string) metric {
	for _, m := range metrics {
		if m.key == key {
			return m
		}
	}
	return metric{key: key, name: key, text: chart.Short}
}

// interval writes a measure's 95% interval in its metric's form, "" if there
// is none.
func interval(key string, m bundle.Measure) string {
	if m.Low == 0 && m.High == 0 {
		return ""
	}
	text := metricOf(key).text
	return text(m.Low) + " to " + text(m.High)
}

// measured writes a measure with its interval in one piece.
func measured(key string, m bundle.Measure) string {
	s := metricOf(key).text(m.Value)
	if i := interval(key, m); i != "" {
		s += " (" + i + ")"
	}
	return s
}

// indented writes JSON for people, a clean line each; what is not JSON stays as
// it is.
func indented(raw json.RawMessage) string {
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return chart.Clean(string(raw), 2000)
	}
	lines := strings.Split(out.String(), "\n")
	for i := range lines {
		lines[i] = chart.Clean(lines[i], 2000)
	}
	return strings.Join(lines, "\n")
}

// valueText writes a JSON value as a person expects it: a text without quotes,
// "missing" for null or nothing.
func valueText(raw json.RawMessage) string {
	var s string
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return "missing"
	case json.Unmarshal(raw, &s) == nil:
		return s
	}
	return string(raw)
}

// list joins names: "a", "a and b", "a, b and c"; more than most are counted.
func list(names []string, most int) string {
	if len(names) > most {
		names = append(names[:most:most], fmt.Sprintf("%d more", len(names)-most))
	}
	switch n := len(names); n {
	case 0:
		return ""
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}
