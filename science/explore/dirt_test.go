package explore_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/project"
	"github.com/tandem-ml/tandem/science/explore"
	"github.com/tandem-ml/tandem/stats"
)

// Dirt neither stops nor empties a page: beside it, the clean pair that belongs
// together is still found.
func TestDirtHidesNothing(t *testing.T) {
	t.Parallel()
	const n = 60_000
	rng := seed.Stream(9, "dirt", 0)
	a := fill(n, func(int) float64 { return rng.NormFloat64() })
	tab := table(t, number("a", a...),
		number("b", fill(n, func(i int) float64 {
			switch i % 1000 {
			case 0:
				return math.Inf(1)
			case 1:
				return math.Inf(-1)
			case 2:
				return nan
			}
			return 2*a[i] + 0.4*rng.NormFloat64()
		})...),
		number("void", fill(n, func(int) float64 { return nan })...), number("same", fill(n, func(int) float64 { return 3 })...),
		&data.Column{Name: "each", Kind: data.Category, Dict: fill(n, func(i int) string { return fmt.Sprintf("k%06d", i) }), Codes: fill(n, func(i int) int32 { return int32(i) })},
		&data.Column{Name: "long", Kind: data.Text, Texts: fill(n, func(i int) string {
			if i == 7 {
				return strings.Repeat("<b>long ", 1<<17)
			}
			return "short text " + strconv.Itoa(i%10)
		})},
		category("y", fill(n, func(i int) string { return strconv.FormatBool(rng.Float64() < 1/(1+math.Exp(-a[i]))) })...))
	p := build(t, tab, explore.Options{Target: "y"})
	found := false
	for _, q := range p.Associations.Pairs {
		if q.A == "a" && q.B == "b" {
			found = float64(q.Pearson) > 0.97 && float64(q.Spearman) > 0.97 && float64(q.Distance) > 0.9
		}
	}
	if !found {
		t.Errorf("the pair a, b is not found beside dirt: %+v", p.Associations.Pairs[:min(len(p.Associations.Pairs), 3)])
	}
	page := render(t, p.HTML)
	if len(page) >= explore.MaxPage || strings.Contains(withoutScript(t, page), "NaN") || strings.Contains(page, "<b>long") {
		t.Errorf("page of %d bytes", len(page))
	}
}

// No form of the page shows a personal value in full, wherever it stands.
func TestPersonalValuesAreMasked(t *testing.T) {
	t.Parallel()
	const n = 300
	y := fill(n, func(i int) string { return strconv.Itoa(i / 5 % 2) })
	mail := func(i int) string { return fmt.Sprintf("jane%d@example.org", i%20) }
	tab := table(t, category("contact", fill(n, mail)...), category("one", fill(n, func(int) string { return "solo@example.org" })...),
		category("twice", fill(n, func(i int) string { return []string{"Ann@example.org", "ann@example.org", "x", "y"}[i%4] })...),
		&data.Column{Name: "note", Kind: data.Text, Texts: fill(n, func(i int) string { return "please write to " + mail(i) + " or call +49 30 901820" })},
		number("card", fill(n, func(i int) float64 {
			return []float64{4111111111111111, 5500000000000004, 4012888888881881, 6011000000000004, 4242424242424242}[i%5]
		})...), category("y", y...))
	p := build(t, tab, explore.Options{Target: "y"})
	for name, write := range map[string]func(io.Writer) error{"page": p.HTML, "JSON": p.JSON, "text": p.Text, "notebook": func(w io.Writer) error { return p.Notebook(w, "x.csv") }} {
		if m := regexp.MustCompile(`(?i)(jane\d*|solo|ann)@|4111111|4\.11e|411111|4242424`).FindString(render(t, write)); m != "" {
			t.Errorf("the %s shows %q", name, m)
		}
	}
	kinds := map[string]string{}
	for _, c := range p.Columns {
		if c.Personal != nil {
			kinds[c.Name] = c.Personal.Kind
		}
	}
	if kinds["contact"] != "email" || kinds["card"] != "card" || kinds["note"] != "within" {
		t.Errorf("personal data: %v", kinds)
	}
}

// What the page tells to add to tandem.yaml is a project file that is read.
func TestStepsAreYAML(t *testing.T) {
	t.Parallel()
	const n = 400
	names := []string{"plain", "two words", "yes", `quo"te`, "colon: [x]", "#hash", "ünï", "1"}
	y := fill(n, func(i int) string { return strconv.Itoa(i * 7 % 5 / 3) })
	cols := []*data.Column{category("y", y...)}
	for j, name := range names {
		cols = append(cols, category(name, fill(n, func(i int) string { return fmt.Sprint(y[i], "-", (i*j)%3) })...))
	}
	cols = append(cols, number("key", fill(n, func(i int) float64 { return float64(i*31%n) + 1 })...))
	p := build(t, table(t, cols...), explore.Options{Target: "y"})
	text := strings.Replace(p.Steps, "data:\n", "data:\n  source: x.csv\n  target: y\n", 1)
	got, err := project.Parse("tandem.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if len(got.Data.Exclude) != len(names) || got.Data.ID != "key" {
		t.Errorf("read back: id %q, exclude %q\n%s", got.Data.ID, got.Data.Exclude, text)
	}
	for _, name := range names {
		found := false
		for _, e := range got.Data.Exclude {
			found = found || e == name
		}
		if !found {
			t.Errorf("%q is not read back from\n%s", name, text)
		}
	}
}

// The steps of cleaning that alerts name are read as well, one by one.
func TestCleaningStepsAreYAML(t *testing.T) {
	t.Parallel()
	const n = 1200
	home := fill(n, func(i int) string { return []string{"Rent", "Rent", "rent: ", `"own"`, "yes", "Yes"}[i%6] })
	pay := fill(n, func(i int) float64 {
		if i == 7 {
			return 1e9
		}
		return float64(i % 50)
	})
	p := build(t, table(t, category("home: #1", home...), number("pay", pay...)), explore.Options{})
	seen := map[string]bool{}
	for _, a := range p.Alerts {
		if a.Step == "" || !strings.Contains(a.Step, "clean:") {
			continue
		}
		got, err := project.Parse("tandem.yaml", []byte("data: {source: x.csv, target: y}\n"+a.Step))
		if err != nil {
			t.Errorf("%s: %v\n%s", a.Kind, err, a.Step)
			continue
		}
		for _, s := range got.Clean {
			seen[a.Kind+" "+s.Op] = true
		}
	}
	for _, want := range []string{"duplicates duplicates", "spellings merge", "outliers flag"} {
		if !seen[want] {
			t.Errorf("no alert gave %s; got %v", want, seen)
		}
	}
}

// Measures agree with those of package stats, and with values worked out by hand.
func TestMeasures(t *testing.T) {
	t.Parallel()
	const n = 240
	rng := seed.Stream(9, "measures", 0)
	x := fill(n, func(int) float64 { return rng.NormFloat64() })
	z := fill(n, func(i int) float64 { return x[i]*x[i] + 0.1*rng.NormFloat64() })
	c, d := fill(n, func(i int) string { return strconv.Itoa(i % 3) }), fill(n, func(i int) string { return strconv.Itoa(i % 3 / 2) })
	y := fill(n, func(i int) string { return strconv.Itoa(i % 2) })
	// In one half of the values of g, three quarters are 1; in the other, one quarter.
	g := fill(n, func(i int) string { return strconv.FormatBool((i%2 == 1) == (i/2%4 > 0)) })
	p := build(t, table(t, number("x", x...), number("z", z...), category("c", c...), category("d", d...), category("g", g...), category("y", y...)), explore.Options{Target: "y", Positive: "1"})
	pair := func(a, b string) explore.Pair {
		for _, q := range p.Associations.Pairs {
			if q.A == a && q.B == b {
				return q
			}
		}
		t.Fatalf("no pair %s, %s", a, b)
		return explore.Pair{}
	}
	xz := pair("x", "z")
	if r, err := stats.Spearman(x, z, stats.Ask{}); err != nil || math.Abs(r.Effect-float64(xz.Spearman)) > 1e-9 {
		t.Errorf("Spearman %v, want %v (%v)", xz.Spearman, r.Effect, err)
	}
	if float64(xz.Distance) < 0.3 { // a parabola has no rank correlation, and a distance correlation
		t.Errorf("distance correlation %v", xz.Distance)
	}
	if v := float64(pair("c", "d").CramersV); math.Abs(v-1) > 0.01 {
		t.Errorf("Cramér's V of a function is %v", v)
	}
	r := column(t, p, "g").Relation
	// ln 3 x (3/4 - 1/4) of either value, with half a row more in each cell.
	if want := 2 * (90.5 - 30.5) / 121 * math.Log(90.5/30.5); math.Abs(float64(r.InformationValue)-want) > 1e-9 {
		t.Errorf("information value %v, want %v", r.InformationValue, want)
	}
	// 1 - H(1/4) bits less the bias 1/(2 n ln 2).
	if want := 1 - 0.8112781244591328 - 1/(2*n*math.Ln2); math.Abs(float64(r.Mutual)-want) > 1e-9 || r.MutualLow >= r.Mutual || r.MutualHigh <= r.Mutual {
		t.Errorf("mutual information %v (%v to %v), want %v", r.Mutual, r.MutualLow, r.MutualHigh, want)
	}
}

func TestTextTermsSeparateClasses(t *testing.T) {
	t.Parallel()
	const n = 2000
	rng := seed.Stream(9, "terms", 0)
	y := fill(n, func(int) string { return strconv.FormatBool(rng.IntN(3) == 0) })
	text := &data.Column{Name: "note", Kind: data.Text, Texts: fill(n, func(i int) string {
		s := "the customer called"
		if (y[i] == "true") == (rng.IntN(5) > 0) {
			s += " Angry!"
		}
		return s + " 予約 " + strconv.Itoa(rng.IntN(1e6))
	})}
	p := build(t, table(t, text, category("y", y...)), explore.Options{Target: "y", Positive: "true"})
	c := column(t, p, "note").Text
	if len(c.Terms) != 1 || c.Terms[0].Token != "angry" || !c.Terms[0].Positive || float64(c.Terms[0].Z) < 5 {
		t.Errorf("terms %+v", c.Terms)
	}
	tokens := map[string]bool{}
	for _, k := range c.TopTokens {
		tokens[k.Token] = true
	}
	if !tokens["予"] || !tokens["customer"] || c.NearDuplicates == 0 {
		t.Errorf("tokens %v, near-duplicates %d", tokens, c.NearDuplicates)
	}
}

func TestNotebookIsOne(t *testing.T) {
	t.Parallel()
	y, signal, noise := planted(500)
	p := build(t, table(t, number("a|b", signal...), number("n", noise...), category("y", y...)), explore.Options{Target: "y"})
	var book struct {
		Nbformat int `json:"nbformat"`
		Minor    int `json:"nbformat_minor"`
		Cells    []map[string]any
	}
	if err := json.Unmarshal([]byte(render(t, func(w io.Writer) error { return p.Notebook(w, `C:\x"y.csv`) })), &book); err != nil {
		t.Fatal(err)
	}
	ids := map[any]bool{}
	for _, c := range book.Cells {
		if ids[c["id"]] || c["id"] == "" {
			t.Errorf("cell id %v is not its own", c["id"])
		}
		ids[c["id"]] = true
		_, outputs := c["outputs"]
		_, count := c["execution_count"]
		if code := c["cell_type"] == "code"; code != outputs || code != count {
			t.Errorf("cell %v lacks what nbformat 4.5 asks for", c)
		}
	}
	if book.Nbformat != 4 || book.Minor != 5 || len(book.Cells) < 6 {
		t.Errorf("nbformat %d.%d, %d cells", book.Nbformat, book.Minor, len(book.Cells))
	}
}
