package workflow

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// scrape returns the names of the series that /metrics shows, and its text.
func scrape(t *testing.T, url string) (names map[string]bool, text string) {
	t.Helper()
	resp, err := http.Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%d %v", resp.StatusCode, err)
	}
	names = make(map[string]bool)
	for line := range strings.Lines(string(b)) {
		if name := regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*`).FindString(line); name != "" {
			names[name] = true
		}
	}
	return names, string(b)
}

var (
	quoted    = regexp.MustCompile(`"[^"]*"`)
	braces    = regexp.MustCompile(`\{[^}]*\}|\[[^\]]*\]`)
	grouping  = regexp.MustCompile(`\b(by|ignoring|on|without)\s*\([^)]*\)`)
	identify  = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*(\s*\()?`)
	operators = []string{"and", "or", "unless", "offset", "group_left", "group_right", "bool", "d", "m", "h"}
)

// metricsOf returns the metrics that an expression of PromQL names.
func metricsOf(expr string) (names []string) {
	expr = grouping.ReplaceAllString(braces.ReplaceAllString(quoted.ReplaceAllString(expr, ""), ""), "")
	for _, id := range identify.FindAllString(expr, -1) {
		switch {
		case strings.HasSuffix(id, "("), id == "sum", id == "max": // functions; of aggregations the grouping is gone
		case slices.Contains(operators, id):
		default:
			names = append(names, id)
		}
	}
	return names
}

func TestMetricsOf(t *testing.T) {
	got := metricsOf(`histogram_quantile(0.99, sum by (le, b) (rate(a_bucket{x=~"c|d",y="e}"}[5m]))) / ignoring (x) group_left sum (rate(f{}[5m] offset 1d)) > 0 and max by (z) (g) == 0`)
	if !slices.Equal(got, []string{"a_bucket", "f", "g"}) {
		t.Errorf("%v", got)
	}
}

// dashboards returns the expressions in docs/grafana by where they stand.
func dashboards(t *testing.T) map[string]string {
	t.Helper()
	out := make(map[string]string)
	var board struct {
		Templating struct {
			List []struct{ Name, Definition string }
		}
		Annotations struct{ List []struct{ Name, Expr string } }
		Panels      []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	text, err := os.ReadFile("../docs/grafana/tandem.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	for _, v := range board.Templating.List {
		if v.Definition != "" {
			name, _, _ := strings.Cut(strings.TrimPrefix(v.Definition, "label_values("), ",")
			out["variable "+v.Name] = name
		}
	}
	for _, a := range board.Annotations.List {
		out["annotation "+a.Name] = a.Expr
	}
	for _, p := range board.Panels {
		for _, x := range p.Targets {
			out["panel "+p.Title+": "+x.Expr] = x.Expr
		}
	}
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if text, err = os.ReadFile("../docs/grafana/alerts.yaml"); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &rules); err != nil {
		t.Fatal(err)
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			out["alert "+r.Alert] = r.Expr
		}
	}
	if len(out) < 50 {
		t.Fatalf("%d expressions were found", len(out))
	}
	return out
}

// TestDashboard holds docs/grafana against what a server that has lived shows.
func TestDashboard(t *testing.T) {
	t.Parallel()
	url, _ := up(t, lived(t), nil)
	answered := score(t, url, after(historyRows, 3)...)
	if _, err := post(url+"/v1/outcomes/loans", map[string]any{"outcomes": []any{map[string]any{"decision": answered.Results[0].ID, "value": "no"}}}, nil); err != nil {
		t.Fatal(err)
	}
	names, text := scrape(t, url)
	for !names["tandem_performance"] { // until the watch has read the log
		names, text = scrape(t, url)
		if t.Context().Err() != nil {
			t.Fatal("the watch sees nothing")
		}
	}
	for where, expr := range dashboards(t) {
		found := metricsOf(expr)
		if len(found) == 0 {
			t.Errorf("%s names no metric", where)
		}
		for _, name := range found {
			if !names[name] && name != "up" { // that one is Prometheus's own
				t.Errorf("%s: there is no %s", where, name)
			}
		}
	}
	for _, want := range []string{`tandem_drift_psi{of="score",project="loans"}`, `tandem_performance{metric="auc",of="outcomes",project="loans"}`, "tandem_log_segments 1"} {
		if !strings.Contains(text, want) {
			t.Errorf("/metrics has no %s", want)
		}
	}
}
