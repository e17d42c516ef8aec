package chart_test

import (
	"encoding/xml"
	"fmt"
	"html/template"
	"io"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/chart"
)

const hostile = "</title><script>alert(1)</script>&\"'\x00\u202e\xff"

// all draws every kind of chart from one list of values, as labels, as points
// and as bins.
func all(values []float64, label string) map[string]template.HTML {
	f := chart.Frame{Title: label, Desc: label, X: label, Y: label}
	var bars []chart.Bar
	var obs []chart.Observed
	var roc [][2]float64
	edges := []float64{}
	for i, v := range values {
		next := values[(i+1)%len(values)]
		bars = append(bars, chart.Bar{Label: label, Value: v, Low: next, High: v})
		obs = append(obs, chart.Observed{Score: v, Observed: next, Rows: i - 1, Low: v, High: next})
		roc = append(roc, [2]float64{v, next})
		edges = append(edges, float64(i))
	}
	edges = append(edges, float64(len(values)))
	series := []chart.Series{{Name: label, X: values, Y: values, Low: values, High: values}, {Name: label, X: edges, Y: values}}
	marks := []chart.Mark{}
	for _, v := range values[:min(len(values), 3)] {
		marks = append(marks, chart.Mark{At: v, Name: label})
	}
	return map[string]template.HTML{
		"bars":        chart.Bars(f, bars),
		"diverging":   chart.Diverging(f, bars),
		"hist":        chart.Histogram(f, chart.Hist{Edges: edges, Counts: values, Rate: values, RateName: label, Base: 0.3}),
		"hist edges":  chart.Histogram(f, chart.Hist{Edges: values, Counts: values}),
		"line":        chart.Line(f, chart.Lines{Series: series, Vertical: marks, Horizontal: marks}),
		"line zero":   chart.Line(f, chart.Lines{Series: series, Zero: true}),
		"spark":       chart.Spark(f, values),
		"spark bars":  chart.SparkBars(f, values),
		"roc":         chart.ROC(f, roc, &[2]float64{0.2, 0.7}),
		"reliability": chart.Reliability(f, obs),
	}
}

var number = regexp.MustCompile(`-?[0-9.]+`)

// check parses the chart as XML and returns what makes it unfit for a page.
func check(svg string) error {
	d := xml.NewDecoder(strings.NewReader(svg))
	seen := map[string]int{}
	var w, h float64
	for first := true; ; first = false {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		e, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		seen[e.Name.Local]++
		for _, a := range e.Attr {
			if first && a.Name.Local == "role" && a.Value != "img" {
				return fmt.Errorf("role is %q", a.Value)
			}
			if a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on") {
				return fmt.Errorf("attribute %s", a.Name.Local)
			}
			if first && a.Name.Local == "viewBox" {
				fmt.Sscanf(a.Value, "0 0 %f %f", &w, &h)
			}
			if strings.Contains("x y x1 y1 x2 y2 cx cy r d width height", a.Name.Local) {
				if strings.ContainsAny(a.Value, "NIe") {
					return fmt.Errorf("%s: %s=%q is no coordinate", e.Name.Local, a.Name.Local, a.Value)
				}
				for i, m := range number.FindAllString(a.Value, -1) {
					v, err := strconv.ParseFloat(m, 64)
					if err != nil || v < -1 || v > max(w, h)+1 {
						return fmt.Errorf("%s: %s=%q: number %d is outside the picture of %g by %g", e.Name.Local, a.Name.Local, a.Value, i, w, h)
					}
				}
			}
		}
	}
	if seen["svg"] != 1 || seen["desc"] != 1 || seen["title"] < 1 {
		return fmt.Errorf("elements %v", seen)
	}
	if seen["script"] > 0 {
		return fmt.Errorf("a script got in")
	}
	return nil
}

func TestChartsSurviveAnyValues(t *testing.T) {
	t.Parallel()
	inf, nan := math.Inf(1), math.NaN()
	cases := map[string][]float64{
		"one":        {3},
		"zero":       {0},
		"same":       {5, 5, 5},
		"negative":   {-1, -2, -3},
		"nan":        {nan, nan},
		"infinities": {inf, -inf, 1},
		"mixed":      {nan, 1, inf, 2, -inf, 0, nan},
		"huge":       {math.MaxFloat64, -math.MaxFloat64, 0},
		"one huge":   {math.MaxFloat64},
		"tiny":       {math.SmallestNonzeroFloat64, 0, -math.SmallestNonzeroFloat64},
		"near":       {1e15, 1e15 + 0.125},
	}
	rng := rand.New(rand.NewPCG(7, 11))
	for i := range 40 {
		v := make([]float64, 1+rng.IntN(30))
		for j := range v {
			v[j] = math.Float64frombits(rng.Uint64())
		}
		cases[fmt.Sprintf("bits %d", i)] = v
	}
	for name, values := range cases {
		for kind, svg := range all(values, hostile) {
			if err := check(string(svg)); err != nil {
				t.Errorf("%s of %s %v: %v\n%s", kind, name, values, err, svg)
			}
		}
	}
}

func TestEmptyChartsSayNothingToShow(t *testing.T) {
	t.Parallel()
	for kind, svg := range map[string]template.HTML{
		"bars":        chart.Bars(chart.Frame{}, nil),
		"diverging":   chart.Diverging(chart.Frame{}, nil),
		"hist":        chart.Histogram(chart.Frame{}, chart.Hist{}),
		"line":        chart.Line(chart.Frame{}, chart.Lines{}),
		"roc":         chart.ROC(chart.Frame{}, nil, nil),
		"reliability": chart.Reliability(chart.Frame{}, nil),
		"spark":       chart.Spark(chart.Frame{}, nil),
		"spark bars":  chart.SparkBars(chart.Frame{}, nil),
	} {
		if err := check(string(svg)); err != nil {
			t.Errorf("%s: %v\n%s", kind, err, svg)
		}
	}
}

func TestSizeIsBounded(t *testing.T) {
	t.Parallel()
	values := make([]float64, 200_000)
	for i := range values {
		values[i] = float64((i * 7919) % 10_007)
	}
	sorted := make([]float64, len(values))
	for i := range sorted {
		sorted[i] = float64(i)
	}
	big := all(values, strings.Repeat("long label ", 10_000))
	big["long line"] = chart.Line(chart.Frame{}, chart.Lines{Series: []chart.Series{{X: sorted, Y: values, Low: values, High: sorted}}})
	for kind, svg := range big {
		if len(svg) > 150_000 {
			t.Errorf("%s has %d bytes", kind, len(svg))
		}
		if err := check(string(svg)); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestThinningKeepsThePeak(t *testing.T) {
	t.Parallel()
	x, y := make([]float64, 50_000), make([]float64, 50_000)
	for i := range x {
		x[i] = float64(i)
	}
	y[31_234] = 1 // one point in fifty thousand
	svg := string(chart.Line(chart.Frame{Height: 200}, chart.Lines{Series: []chart.Series{{X: x, Y: y}}, Zero: true}))
	if !strings.Contains(svg, " 10L") { // 10 is the top of the plot
		t.Errorf("the single peak is not drawn:\n%.600s", svg)
	}
}

// Positions worked out by hand from the layout: the bar area is what labels
// and texts leave of 480 pixels, and bars start at zero.
func TestBarsAreProportional(t *testing.T) {
	t.Parallel()
	svg := string(chart.Bars(chart.Frame{Title: "t"}, []chart.Bar{{Label: "a", Value: 4}, {Label: "b", Value: 1}, {Label: "c", Value: -1}, {Label: "d", Value: math.NaN()}}))
	m := regexp.MustCompile(`<rect class="bar" x="([0-9.]+)" y="[0-9.]+" width="([0-9.]+)"`).FindAllStringSubmatch(svg, -1)
	if len(m) != 2 {
		t.Fatalf("%d bars drawn, want those of the two positive values\n%s", len(m), svg)
	}
	long, _ := strconv.ParseFloat(m[0][2], 64)
	short, _ := strconv.ParseFloat(m[1][2], 64)
	if math.Abs(long-4*short) > 0.3 || m[0][1] != m[1][1] {
		t.Errorf("widths %g and %g, want 4 to 1 from one start", long, short)
	}
	if !strings.Contains(svg, ">–<") {
		t.Errorf("a value that does not exist is not written as –:\n%s", svg)
	}
}

func TestDivergingGoesBothWays(t *testing.T) {
	t.Parallel()
	svg := string(chart.Diverging(chart.Frame{Title: "t"}, []chart.Bar{{Label: "a", Value: 2}, {Label: "b", Value: -2}}))
	m := regexp.MustCompile(`<rect class="(up|down)" x="([0-9.]+)" y="[0-9.]+" width="([0-9.]+)"`).FindAllStringSubmatch(svg, -1)
	if len(m) != 2 || m[0][1] != "up" || m[1][1] != "down" || m[0][3] != m[1][3] {
		t.Fatalf("bars %q\n%s", m, svg)
	}
	up, _ := strconv.ParseFloat(m[0][2], 64)
	down, _ := strconv.ParseFloat(m[1][2], 64)
	width, _ := strconv.ParseFloat(m[1][3], 64)
	if math.Abs(down+width-up) > 0.15 {
		t.Errorf("the bars do not meet at zero: %g + %g, %g", down, width, up)
	}
	if !strings.Contains(svg, ">+2<") || !strings.Contains(svg, ">-2<") {
		t.Errorf("signs are not written:\n%s", svg)
	}
}

func TestHistogramJoinsBins(t *testing.T) {
	t.Parallel()
	n := 1000
	d := chart.Hist{Edges: make([]float64, n+1), Counts: make([]float64, n), Rate: make([]float64, n)}
	for i := range n {
		d.Edges[i+1], d.Counts[i], d.Rate[i] = float64(i+1), 1, 0.25
	}
	svg := string(chart.Histogram(chart.Frame{}, d))
	if got := strings.Count(svg, "<rect"); got > 120 {
		t.Errorf("%d bars drawn of 1000 bins, want at most 120", got)
	}
	if !strings.Contains(svg, "0 to 9: 9, rate 25.0%") {
		t.Errorf("nine neighbours of one row and rate 1/4 are not joined to one of nine:\n%.900s", svg)
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{
		{"Income", 20, "Income"},
		{"Income per month", 9, "Income p…"},
		{"größe", 5, "größe"},
		{"größen", 5, "größ…"},
		{"a\nb\tc", 9, "a b c"},
		{"a\x00\u202eb", 9, "a\uFFFD\uFFFDb"},
		{"\xff\xfe", 9, "\uFFFD"},
		{"<b>", 9, "<b>"},
	} {
		if got := chart.Clean(c.in, c.n); got != c.want {
			t.Errorf("Clean(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{
		0: "0", 1: "1", 0.25: "0.25", 0.30000000000000004: "0.3", -2.5: "-2.5", 123.456: "123.5", 0.00012345: "0.0001234",
		999.4: "999.4", 999.96: "1,000", 1234.5: "1,235", 9999.4: "9,999", 12345: "12.3k", 999999: "1M", 1.25e6: "1.25M",
		3e9: "3B", 4.5e12: "4.5T", 1e15: "1e15", 1.5e300: "1.5e300", 2e-7: "2e-7", -1e-9: "-1e-9",
		math.Inf(1): "∞", math.Inf(-1): "-∞",
	} {
		if got := chart.Short(v); got != want {
			t.Errorf("Short(%v) = %q, want %q", v, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -4454: "-4,454", math.MinInt64: "-9,223,372,036,854,775,808"} {
		if got := chart.Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
	for p, want := range map[float64]string{0: "0%", 1: "100%", 0.2815: "28.1%", 0.0001: "<0.1%", 0.9999: ">99.9%", 0.999: "99.9%", 2: "200.0%", -0.5: "-50.0%"} {
		if got := chart.Percent(p); got != want {
			t.Errorf("Percent(%v) = %q, want %q", p, got, want)
		}
	}
	if got := chart.Short(math.NaN()) + chart.Percent(math.NaN()) + chart.Fixed(math.NaN()); got != "–––" {
		t.Errorf("what does not exist is written %q", got)
	}
	if got := chart.Fixed(0.8421); got != "0.842" {
		t.Errorf("Fixed(0.8421) = %q", got)
	}
}

// Text must be readable on every background it stands on, in both themes:
// WCAG 2.2, success criterion 1.4.3, asks for a contrast of 4.5.
func TestContrast(t *testing.T) {
	t.Parallel()
	themes := regexp.MustCompile(`\{(--paper[^}]*?)color-scheme:(light|dark)\}`).FindAllStringSubmatch(chart.CSS, -1)
	if len(themes) < 3 {
		t.Fatalf("%d themes found in the style sheet", len(themes))
	}
	for _, theme := range themes[:3] {
		vars := map[string]string{}
		for _, decl := range strings.Split(theme[1], ";") {
			if k, v, ok := strings.Cut(decl, ":"); ok {
				vars[k] = v
			}
		}
		pairs := [][2]string{{"--good", "--good-bg"}, {"--warn", "--warn-bg"}, {"--bad", "--bad-bg"}, {"--paper", "--accent"}}
		for _, ink := range []string{"--ink", "--muted", "--accent", "--second", "--third", "--fourth", "--good", "--warn", "--bad"} {
			pairs = append(pairs, [2]string{ink, "--paper"}, [2]string{ink, "--raised"})
		}
		for _, p := range pairs {
			if c := contrast(t, vars[p[0]], vars[p[1]]); c < 4.5 {
				t.Errorf("%s: %s on %s has contrast %.2f, want 4.5", theme[2], p[0], p[1], c)
			}
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(hex string) float64 {
		v, err := strconv.ParseUint(strings.TrimPrefix(hex, "#"), 16, 32)
		if err != nil || len(hex) != 7 {
			t.Fatalf("%q is not a colour of six digits", hex)
		}
		part := func(shift int) float64 {
			c := float64(v>>shift&255) / 255
			if c <= 0.04045 {
				return c / 12.92
			}
			return math.Pow((c+0.055)/1.055, 2.4)
		}
		return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
	}
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// Every class a chart writes must have a rule, or it is drawn black.
func TestEveryClassHasARule(t *testing.T) {
	t.Parallel()
	values := []float64{0.1, 0.4, 0.2, 0.9}
	for kind, svg := range all(values, "x") {
		for _, m := range regexp.MustCompile(`class="([^"]+)"`).FindAllStringSubmatch(string(svg), -1) {
			for _, class := range strings.Fields(m[1]) {
				if !strings.Contains(chart.CSS, "."+class) {
					t.Errorf("%s uses class %q, which the style sheet does not know", kind, class)
				}
			}
		}
	}
}

func ExampleBars() {
	svg := chart.Bars(chart.Frame{Title: "Importance of columns", Width: 300},
		[]chart.Bar{{Label: "Records", Value: 0.081}, {Label: "Income", Value: 0.054}})
	title, _, _ := strings.Cut(string(svg)[strings.Index(string(svg), "<title>"):], "<text")
	fmt.Println(title)
	// Output:
	// <title>Importance of columns</title><desc>2 bars: Records 0.081; Income 0.054</desc>
}

func ExampleShort() {
	fmt.Println(chart.Short(1_234_567), chart.Short(0.30000000000000004), chart.Count(4454), chart.Percent(0.28154))
	// Output: 1.23M 0.3 4,454 28.2%
}
