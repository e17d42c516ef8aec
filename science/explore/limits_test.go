package explore_test

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/explore"
)

func TestBoundaries(t *testing.T) {
	t.Parallel()
	inf, nan := math.Inf(1), math.NaN()
	times := func(v ...int64) *data.Column { return &data.Column{Name: "t", Kind: data.Time, Times: v} }
	texts := func(v ...string) *data.Column { return &data.Column{Name: "s", Kind: data.Text, Texts: v} }
	for name, tab := range map[string]*data.Table{
		"no columns":  table(t),
		"no rows":     table(t, number("a"), category("b"), times(), texts(), category("y")),
		"one row":     table(t, number("a", 1), category("b", "x"), times(0), texts("long"), category("y", "q")),
		"two rows":    table(t, number("a", 1, 2), category("b", "x", "z"), times(0, 1), texts("long", ""), category("y", "q", "r")),
		"all missing": table(t, number("a", nan, nan), category("b", "", ""), times(data.MissingTime, data.MissingTime), texts("", ""), category("y", "", "")),
		"infinite":    table(t, number("a", inf, -inf, inf), number("y", inf, -inf, 1)),
		"huge":        table(t, number("a", math.MaxFloat64, -math.MaxFloat64, 0, 1), number("y", math.MaxFloat64, -math.MaxFloat64, 1, 2)),
		"tiny":        table(t, number("a", 5e-324, 0, -5e-324), number("y", 5e-324, 0, -5e-324)),
		"far times":   table(t, times(math.MinInt64+1, math.MaxInt64, 0), number("y", 1, 2, 3)),
		"constant":    table(t, number("a", 3, 3, 3), category("y", "a", "b", "a")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, target := range []string{"", "y"} {
				if tab.Column(target) == nil && target != "" {
					continue
				}
				p := build(t, tab, explore.Options{Target: target})
				page := withoutScript(t, render(t, p.HTML))
				for _, bad := range []string{"NaN", "Inf", "%!"} {
					if strings.Contains(page, bad) {
						t.Errorf("the page contains %q", bad)
					}
				}
				if !json.Valid([]byte(render(t, p.JSON))) {
					t.Error("the JSON form is not JSON")
				}
			}
		})
	}
}

// withoutScript takes the page's own script out, which is the only one.
func withoutScript(t *testing.T, page string) string {
	t.Helper()
	before, rest, ok := strings.Cut(page, "<script>")
	_, after, closed := strings.Cut(rest, "</script>")
	if !ok || !closed {
		t.Fatal("the page has no script of its own")
	}
	return before + after
}

func TestUnknownTarget(t *testing.T) {
	t.Parallel()
	_, err := explore.Build(table(t, number("Status", 1)), nil, nil, explore.Options{Target: "Statsu"})
	var hint *data.Hinted
	if err == nil || !strings.Contains(err.Error(), `"Statsu"`) {
		t.Fatalf("error %v", err)
	}
	if h, ok := err.(*data.Hinted); ok {
		hint = h
	}
	if hint == nil || !strings.Contains(hint.Hint, `"Status"`) {
		t.Errorf("the error has no cure: %v", err)
	}
}

func TestNothingFromTheDataIsObeyed(t *testing.T) {
	t.Parallel()
	const evil = `</title></style><script>alert(1)</script><img src=x onerror=alert(1)>"'&` + "\x00\u202e\xff"
	tab := table(t, number(evil, 1, 2, 3, 4), category("c", evil, evil, "b", ""), &data.Column{Name: "s", Kind: data.Text, Texts: []string{evil, "", "a", "b"}}, category("y"+evil, evil, "no", evil, "no"))
	contract := &data.Contract{Fields: []data.Field{{Name: evil, Kind: data.Number, Role: data.Excluded, Why: evil}}}
	p, err := explore.Build(tab, nil, contract, explore.Options{Title: evil, Target: "y" + evil, Positive: evil})
	if err != nil {
		t.Fatal(err)
	}
	page := withoutScript(t, render(t, p.HTML))
	if m := regexp.MustCompile(`<(script|img)|onerror=alert\(1\)>|\x00|\x{202e}`).FindString(page); m != "" {
		t.Errorf("%q got into the page", m)
	}
	if strings.Count(page, "</style>") != 1 || strings.Count(page, "</main>") != 1 {
		t.Error("the page's own structure is broken")
	}
}

func TestPageIsBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ cols, rows, name int }{{40, 300, 10}, {41, 300, 10}, {100, 300, 20}, {101, 300, 20}, {5000, 30, 12}, {90, 40, 3000}, {1000, 2, 3000}} {
		var cols []*data.Column
		rng := seed.Stream(1, "wide", c.cols)
		for j := range c.cols {
			name := fmt.Sprintf("%d %s", j, strings.Repeat("\"<&", c.name/3))
			if j%3 == 0 {
				cols = append(cols, category(name, fill(c.rows, func(int) string { return strings.Repeat("<\"", c.name/2) + strconv.Itoa(rng.IntN(30)) })...))
			} else {
				cols = append(cols, number(name, fill(c.rows, func(int) float64 { return math.Exp(3 * rng.NormFloat64()) })...))
			}
		}
		cols = append(cols, category("y", fill(c.rows, func(i int) string { return strconv.Itoa(i % 2) })...))
		p := build(t, table(t, cols...), explore.Options{Target: "y"})
		page := render(t, p.HTML)
		if len(page) >= explore.MaxPage {
			t.Errorf("%+v: the page has %d bytes", c, len(page))
		}
		if len(p.Columns) != c.cols+1 {
			t.Errorf("%+v: the JSON form has %d columns", c, len(p.Columns))
		}
		page = withoutScript(t, page)
		if m := regexp.MustCompile(`(?i)<script|<link|<img|@import|url\(|src=`).FindString(page); m != "" {
			t.Errorf("the page is not self-contained: %q", m)
		}
	}
}
