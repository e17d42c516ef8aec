package hypothesis_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/hypothesis"
	"github.com/tandem-ml/tandem/stats"
)

func ExampleParse() {
	q, err := hypothesis.Parse(`correlate "Monthly debt", Income given Age`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%q at equal %q\n", q.Correlate, q.Given)
	// Output:
	// ["Monthly debt" "Income"] at equal ["Age"]
}

// one column of a population: z is normal, u uniform.
type drawn func(i int, z, u float64) float64

func column(name string, n int, f drawn) *data.Column {
	rng := seed.Stream(25, name, n)
	x := make([]float64, n)
	for i := range x {
		x[i] = f(i, rng.NormFloat64(), rng.Float64())
	}
	return number(name, x...)
}

func labels(name string, n int, of func(i int) string) *data.Column {
	v := make([]string, n)
	for i := range v {
		v[i] = of(i)
	}
	return category(name, v...)
}

func alternating(values ...string) func(i int) string {
	return func(i int) string { return values[i%len(values)] }
}

// Which test answers a question, and what it says: the table of docs/hypotheses.md
// in small. Each case has a table made for it.
func TestWhichTestForWhichQuestion(t *testing.T) {
	t.Parallel()
	const n = 400
	plain := func(_ int, z, _ float64) float64 { return z }
	moment := make([]int64, n)
	for i := range moment {
		moment[i] = int64(i) * 24 * 3600 * 1e6
	}
	when := &data.Column{Name: "day", Kind: data.Time, Times: moment}
	wave := column("swell", n, plain)
	for i := 1; i < n; i++ {
		wave.Numbers[i] = 0.95*wave.Numbers[i-1] + 0.3*wave.Numbers[i]
	}
	tab := table(t,
		column("x", n, plain), column("other", n, plain),
		column("rises", n, func(i int, z, _ float64) float64 { return 3 + 0.01*float64(i) + z }),
		column("index", n, func(i int, _, _ float64) float64 { return float64(i) }),
		column("skewed", n, func(_ int, z, _ float64) float64 { return math.Exp(1.5 * z) }),
		column("byGroup", n, func(i int, z, _ float64) float64 { return 10 + float64(i%3) + z }),
		column("byGroupSkewed", n, func(i int, z, _ float64) float64 { return math.Exp(float64(i%3) + z) }),
		column("wide", n, func(i int, z, _ float64) float64 { return z * float64(1+i%2) }),
		column("after", n, func(i int, z, _ float64) float64 { return 0.5 + z }),
		column("later", n, func(i int, z, _ float64) float64 { return 1 + z }),
		column("uniform", n, func(_ int, _, u float64) float64 { return u }),
		column("revenue", n, func(i int, z, u float64) float64 { return 20 + 2*float64(i%2) + 3*z }),
		column("clicks", n, func(i int, z, u float64) float64 { return math.Floor(5*u) + float64(i%2) }),
		column("views", n, func(i int, z, u float64) float64 { return 10 + math.Floor(5*u) }),
		column("months", n, func(i int, _, u float64) float64 { return -math.Log(1-u) * (1 + 2*float64(i%2)) }),
		column("left", n, func(i int, _, u float64) float64 { return map[bool]float64{true: 1, false: 0}[u < 0.7] }),
		labels("two", n, alternating("a", "b")), labels("three", n, alternating("p", "q", "r")),
		labels("variant", n, alternating("control", "new")),
		labels("rare", n, func(i int) string { return map[bool]string{true: "yes", false: "no"}[i%50 == 0] }),
		labels("first", n, func(i int) string { return map[bool]string{true: "yes", false: "no"}[i%5 == 0] }),
		labels("second", n, func(i int) string { return map[bool]string{true: "yes", false: "no"}[i%3 == 0] }),
		labels("third", n, func(i int) string { return map[bool]string{true: "yes", false: "no"}[i%2 == 0] }),
		labels("few", n, func(i int) string {
			return map[bool]string{true: "yes", false: "no"}[i < 8]
		}),
		wave, when)
	before := column("before", n, func(i int, z, _ float64) float64 { return z })
	before.Numbers = slices.Clone(before.Numbers)
	for i, v := range tab.Column("revenue").Numbers {
		before.Numbers[i] = v - 2*float64(i%2) + 0.3*before.Numbers[i]
	}
	tab = table(t, append(slices.Clone(columnsOf(tab)), before)...)
	for _, c := range []struct {
		line, test, say, why string
	}{
		{"compare byGroup by three", "Welch's ANOVA", "byGroup differs by three: mean 11.95 where it is r", "all 3 groups are large"},
		{"compare x by three", "Welch's ANOVA", "No difference of x found between the 3 values of three", "Means are compared"},
		{"compare byGroupSkewed by three", "Kruskal-Wallis", "byGroupSkewed differs by three: median ", "Ranks are compared"},
		{"compare rises by two given index", "ANCOVA", "No difference of rises by two found at equal index", "where index is equal"},
		{"compare revenue by variant given before, index", "ANCOVA", "At equal before and index, revenue differs by variant", "before and index are equal"},
		{"compare x by two within 0.5", "two one-sided t-tests", "x is the same by two within 0.5", "no proof of none"},
		{"compare revenue by variant within 0.5", "two one-sided t-tests", "That revenue is the same by variant within 0.5 is not shown", ""},
		{"associate first, three", "chi-squared", "No link found", "6 combinations"},
		{"associate rare, few", "Fisher's exact test", "No link found", "counted from all tables"},
		{"correlate rises, index", "Pearson correlation", "index rises as rises rises", "without strong skew"},
		{"correlate skewed, index", "Spearman correlation", "No correlation of skewed and index found", "Ranks are correlated"},
		{"correlate rises, x given index", "partial correlation", "No correlation of rises and x found at equal index", "regression on index"},
		{"trend rises over day", "Mann-Kendall trend test", "rises rises over day, by about 0.01", "neighbouring rows are independent"},
		{"trend x over index", "Mann-Kendall trend test", "No trend of x over index found", ""},
		{"trend swell over day", "regression with Newey-West errors", "No trend of swell over day found", "make a trend out of a wave"},
		{"trend left over index", "Mann-Kendall trend test", "No trend of the share of rows where left is 1 over index", ""},
		{"spread wide by two", "Levene's test", "The spread of wide differs by two: mean deviation from the median ", "distances from the median"},
		{"spread x by three", "Levene's test", "No difference in the spread of x by three found", ""},
		{"spread skewed by two", "Fligner-Killeen test", "No difference in the spread", "far outliers"},
		{"normal x", "Shapiro-Wilk", "Nothing speaks against x being normal", "most powerful"},
		{"normal skewed", "Shapiro-Wilk", "skewed is not normal", ""},
		{"proportion first = yes of 0.3", "exact binomial test", "first is yes in 20% of rows, less than 30%", "exact"},
		{"proportion two is a", "exact binomial test", "two is a in 50% of rows, which does not speak against 50%", ""},
		{"paired x, after", "paired t-test", "after is higher than x: mean change ", "measured twice"},
		{"paired x, other", "paired t-test", "No change from x to other found", ""},
		{"paired skewed, byGroupSkewed", "Wilcoxon signed-rank", "byGroupSkewed is higher than skewed", "Ranks of the changes"},
		{"paired x, after, later", "repeated measures ANOVA", "x, after and later differ: mean ", "Huynh and Feldt's"},
		{"paired x, skewed, byGroupSkewed", "Friedman", "x, skewed and byGroupSkewed differ: median ", "Ranks within each row"},
		{"paired first, second", "McNemar", "The share of yes has changed: 20% in first, 34% in second", "rows that changed"},
		{"paired first, second, third", "Cochran's Q", "The share of yes differs: 50% in third, 20% in first", "compared between 3"},
		{"ab revenue by variant", "Welch's t-test", "new raises revenue: mean of revenue 2", "about the mean"},
		{"ab x by variant control new", "Welch's t-test", "No effect of control found", ""},
		{"ab revenue by variant pre before", "CUPED", "new raises revenue", "of its variance"},
		{"ab clicks by variant per views", "ratio by the delta method", "new raises clicks per views", "not each views"},
		{"ab third by variant", "z-test of two proportions", "new lowers third yes: share of third yes 0 against 1", "yes or no"},
		{"ab left by variant", "z-test of two proportions", "No effect of new found: share of left ", ""},
		{"survival months event left by two", "log-rank test", "left comes later where two is b than where it is a: median ", "still at risk"},
		{"survival months event left by three", "log-rank test", "No difference of months until left by three found", ""},
		{"survival months event left by index", "Cox regression", "The time until left is not found to change with index", "many values"},
	} {
		t.Run(c.line, func(t *testing.T) {
			t.Parallel()
			q, err := hypothesis.Parse(c.line)
			if err != nil {
				t.Fatal(err)
			}
			got, err := hypothesis.Test(tab, []hypothesis.Question{q})
			if err != nil {
				t.Fatal(err)
			}
			h := got[0]
			if h.Test != c.test || !strings.Contains(h.Sentence, c.say) || !strings.Contains(h.Why, c.why) {
				t.Errorf("%s\n%s\n%s\nwant %s, %q, %q", h.Test, h.Sentence, h.Why, c.test, c.say, c.why)
			}
			sound(t, h)
		})
	}
}

func columnsOf(t *data.Table) []*data.Column {
	var out []*data.Column
	for _, name := range t.Names() {
		out = append(out, t.Column(name))
	}
	return out
}

// sound checks what holds for every answer.
func sound(t *testing.T, h bundle.Hypothesis) {
	t.Helper()
	if !(h.P >= 0 && h.P <= 1) || h.PCorrected < h.P || h.Rows <= 0 || h.Question == "" || h.EffectName == "" || h.Correction == "" {
		t.Errorf("%+v", h)
	}
	if !(h.EffectLow <= h.Effect && h.Effect <= h.EffectHigh) {
		t.Errorf("effect %v outside [%v, %v]", h.Effect, h.EffectLow, h.EffectHigh)
	}
	for _, e := range h.Estimates {
		if !(e.Low <= e.Value && e.Value <= e.High) {
			t.Errorf("%s %v outside [%v, %v]", e.Name, e.Value, e.Low, e.High)
		}
	}
	if len(h.NotTaken) == 0 && h.Test != "Cochran's Q" {
		t.Error("no test was rejected")
	}
	if h.RowsNeeded > 0 && h.Detectable > 0 && h.EffectName != "hazard ratio" && (h.RowsNeeded > float64(h.Rows)) != (math.Abs(h.Effect) < h.Detectable) {
		if ratio := h.RowsNeeded / float64(h.Rows); ratio < 0.97 || ratio > 1.03 {
			t.Errorf("%v rows for an effect of %v, but %d show %v", h.RowsNeeded, h.Effect, h.Rows, h.Detectable)
		}
	}
	raw, err := json.Marshal(h)
	if err != nil {
		t.Error(err)
	}
	if s := string(raw); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") || strings.Contains(s, "%!") {
		t.Error(s)
	}
}

// The corrected p-value is that of the correction asked for, over the family.
func TestCorrections(t *testing.T) {
	t.Parallel()
	const n = 120
	tab := table(t, column("x", n, func(i int, z, _ float64) float64 { return z + 0.4*float64(i%2) }), column("y", n, func(_ int, z, _ float64) float64 { return z }),
		labels("g", n, alternating("a", "b")))
	q := []hypothesis.Question{{Compare: "x", Between: "g"}, {Correlate: []string{"x", "y"}}, {Normal: "y"}}
	for _, name := range []string{"Holm", "bonferroni", "BH", "Benjamini-Yekutieli"} {
		by, err := hypothesis.CorrectionOf(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := hypothesis.TestCorrected(tab, q, by)
		if err != nil {
			t.Fatal(err)
		}
		p := make([]float64, len(got))
		for i, h := range got {
			p[i] = h.P
			if h.Family != 3 || !strings.EqualFold(h.Correction[:1], name[:1]) {
				t.Errorf("%s of %d", h.Correction, h.Family)
			}
		}
		want, err := stats.Adjust(p, by)
		if err != nil {
			t.Fatal(err)
		}
		for i, h := range got {
			if h.PCorrected != want[i] {
				t.Errorf("%s: corrected p %v, want %v", name, h.PCorrected, want[i])
			}
		}
	}
	if _, err := hypothesis.CorrectionOf("Hlm"); err == nil {
		t.Error("an unknown correction is taken")
	}
}

// An experiment whose arms are not split as meant is not believed, however clear
// its effect; meant so, it is. So is one whose arms differed before.
func TestBrokenExperiments(t *testing.T) {
	t.Parallel()
	const n = 900
	tab := table(t, column("y", n, func(i int, z, _ float64) float64 { return z + 2*float64(min(1, i%3)) }),
		column("was", n, func(i int, z, _ float64) float64 { return z + float64(min(1, i%3)) }),
		labels("arm", n, alternating("old", "new", "new")))
	for _, c := range []struct {
		line, say string
		holds     bool
	}{
		{"ab y by arm", "Do not believe this experiment yet: the arms hold 300 and 600 rows", false},
		{"ab y by arm share 0.6667", "new raises y", true},
		{"ab y by arm share 0.6667 pre was", "Do not believe this experiment yet: was differed between the arms before it began", true},
	} {
		q, err := hypothesis.Parse(c.line)
		if err != nil {
			t.Fatal(err)
		}
		got, err := hypothesis.Test(tab, []hypothesis.Question{q})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(got[0].Sentence, c.say) || got[0].Checks[0].Holds != c.holds {
			t.Errorf("%s: %s\n%+v", c.line, got[0].Sentence, got[0].Checks)
		}
		if last := got[0].Changes[len(got[0].Changes)-1]; !strings.Contains(last, "looking at any time") {
			t.Errorf("%s: the last word is %q", c.line, last)
		}
	}
}

// Whichever test is chosen, by looking at the data first, an answer about nothing
// is significant in one of twenty tables at most: choosing does not cost the level.
func TestChoosingKeepsTheLevel(t *testing.T) {
	t.Parallel()
	const n = 60
	shapes := []func(rng *rand.Rand) float64{
		(*rand.Rand).NormFloat64, (*rand.Rand).ExpFloat64, (*rand.Rand).Float64,
		func(rng *rand.Rand) float64 { return math.Pow(rng.NormFloat64(), 3) },
		func(rng *rand.Rand) float64 { return float64(rng.IntN(4)) },
	}
	const draws = 150
	for _, line := range []string{
		"compare x by g", "compare x by h", "compare x by g given y", "correlate x, y", "correlate x, y given z", "spread x by g",
		"paired x, w", "paired x, w, v", "ab x by g", "trend x over y", "associate g, h", "survival t event e by g",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			q, err := hypothesis.Parse(line)
			if err != nil {
				t.Fatal(err)
			}
			rng := seed.Stream(25, line, 0)
			wrong := 0.0
			for i := range draws {
				shape := shapes[i%len(shapes)]
				numbers := func(name string) *data.Column {
					x := make([]float64, n)
					for i := range x {
						x[i] = shape(rng)
					}
					return number(name, x...)
				}
				group := func(name string, values ...string) *data.Column {
					v := make([]string, n)
					for i := range v {
						v[i] = values[rng.IntN(len(values))]
					}
					return category(name, v...)
				}
				wait := numbers("t")
				for i, v := range wait.Numbers {
					wait.Numbers[i] = math.Abs(v)
				}
				tab := table(t, numbers("x"), numbers("y"), numbers("z"), numbers("w"), numbers("v"), wait,
					group("g", "a", "b"), group("h", "p", "q", "r"), group("e", "yes", "no"))
				got, err := hypothesis.Test(tab, []hypothesis.Question{q})
				if err != nil {
					t.Fatal(err)
				}
				if got[0].PCorrected < 0.05 {
					wrong++
				}
			}
			if share := wrong / float64(draws); share > 0.05+4*math.Sqrt(0.05*0.95/float64(draws)) {
				t.Errorf("%.3f of answers about nothing are significant", share)
			}
		})
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]hypothesis.Question{
		"compare Income by Status":                   {Compare: "Income", Between: "Status"},
		"COMPARE Income BETWEEN Status":              {Compare: "Income", Between: "Status"},
		"compare a by b given c, d":                  {Compare: "a", Between: "b", Given: []string{"c", "d"}},
		"compare a by b within 1e3":                  {Compare: "a", Between: "b", Within: 1000},
		"associate 'is, by', b":                      {Associate: []string{"is, by", "b"}},
		`associate "by",b`:                           {Associate: []string{"by", "b"}},
		"proportion Status=bad of 0.3":               {Proportion: "Status", Is: "bad", Of: 0.3},
		"ab m by v control old pre w share 0.1":      {AB: "m", Arm: "v", Control: "old", Pre: "w", Share: 0.1},
		"ab m by v per w":                            {AB: "m", Arm: "v", Per: "w"},
		"survival Monate event 'gekündigt?' by Plan": {Survival: "Monate", Event: "gekündigt?", Between: "Plan"},
		"trend y over t":                             {Trend: "y", Over: "t"},
		"paired a, b, c":                             {Paired: []string{"a", "b", "c"}},
		"normal within":                              {Normal: "within"}, // no key of this question
		"spread a by b":                              {Spread: "a", Between: "b"},
		"correlate a, b given c":                     {Correlate: []string{"a", "b"}, Given: []string{"c"}},
	} {
		got, err := hypothesis.Parse(line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("%s: %+v", line, got)
		}
	}
	for line, want := range map[string]string{
		"":                                `is empty`,
		"comprae a by b":                  `did you mean "compare"?`,
		"what is it":                      `does not begin with "what"`,
		"compare a b":                     `"b" stands where a comma or a key word should`,
		"compare a":                       `between is missing`,
		"compare by b":                    `compare is not followed by a column`,
		"compare a by":                    `between is missing`,
		"compare a, c by b":               `compare takes one name, not 2`,
		"compare a by b by c":             `"by" occurs twice`,
		"compare a by b within five":      `not by a positive number`,
		"compare a by b within 1 given c": `both within and given`,
		"associate a":                     `names 1 columns, not two`,
		"associate a, b, c":               `names 3 columns, not two`,
		"correlate 'a, b":                 `a quote is not closed`,
		"normal ''":                       `a name is empty`,
		"proportion a":                    `is is missing`,
		"proportion a is b of 30":         `of is 30`,
		"ab m by v per w pre u":           `both per and pre`,
		"ab m by v share 2":               `share is 2`,
		"paired a":                        `names one column`,
		"survival a by b":                 `event is missing`,
	} {
		_, err := hypothesis.Parse(line)
		var hint *data.Hinted
		if !errors.As(err, &hint) {
			t.Errorf("%q: error %v, want one with a hint", line, err)
			continue
		}
		if said := err.Error() + "\n" + hint.Hint; !strings.Contains(said, want) {
			t.Errorf("%q: %s\nwant %q in it", line, said, want)
		}
	}
}

// No line makes it panic, and what it accepts is a question that can be asked.
func FuzzParse(f *testing.F) {
	for _, u := range hypothesis.Usages() {
		f.Add(u)
	}
	f.Add(`compare "a b" by 'c' given d , e within 3`)
	f.Fuzz(func(t *testing.T, line string) {
		q, err := hypothesis.Parse(line)
		var hint *data.Hinted
		if err != nil && !errors.As(err, &hint) {
			t.Errorf("%q: error %v has no hint", line, err)
		}
		if err != nil {
			return
		}
		empty, err := data.NewTable(number("only", 1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := hypothesis.Test(empty, []hypothesis.Question{q}); err == nil || !errors.As(err, &hint) {
			t.Errorf("%q of a table of one row: %v", line, err)
		}
	})
}

func TestQuestionErrors(t *testing.T) {
	t.Parallel()
	const n = 12
	tab := table(t,
		column("x", n, func(_ int, z, _ float64) float64 { return z }), number("flat", slices.Repeat([]float64{3}, n)...),
		column("inf", n, func(i int, z, _ float64) float64 { return z / float64(i%5) }),
		column("id", n, func(i int, _, _ float64) float64 { return float64(i) }),
		number("none", slices.Repeat([]float64{math.NaN()}, n)...),
		labels("g", n, alternating("a", "b")), labels("h", n, alternating("p", "q", "r")), labels("same", n, alternating("s")),
		&data.Column{Name: "note", Kind: data.Text, Texts: make([]string, n)})
	for _, c := range []struct{ line, want string }{
		{"compare note by g", `column "note" is a text column`},
		{"compare x by g given flat", `constant`},
		{"compare x by g given x2", `did you mean "x"?`},
		{"compare x by h within 1", `more than two values`},
		{"correlate x, flat", `vary`},
		{"correlate x, x", `"x" is named twice`},
		{"correlate x, none", `missing`},
		{"correlate x, inf given id", `"inf" is infinite`},
		{"trend h over x", `more than two values`},
		{"trend x over g", `over needs a column of times or numbers`},
		{"trend x over flat", `vary`},
		{"trend x over x", `itself`},
		{"trend inf over x", `"inf" is infinite`},
		{"spread x by id", `where id is 0`},
		{"spread flat by g", `one value only`},
		{"normal flat", `"flat"`},
		{"normal g", `needs a number column`},
		{"normal none", `three different values`},
		{"proportion g is c", `its values are a, b`},
		{"paired x, g", `different kinds`},
		{"paired x, flat, none", `missing`},
		{"paired g, h", `more than two values`},
		{"paired g, same", `same two values`},
		{"paired x, inf", `"inf" is infinite`},
		{"ab x by h", `has 3 arms: p, q, r`},
		{"ab x by g control c", `its arms are a, b`},
		{"ab x by g", `ten rows or more`},
		{"ab x by g pre x", `named twice`},
		{"survival x event g by h", `times are 0 or more`},
		{"survival id event h by g", `more than two values`},
		{"survival id event x by g", `two values`},
		{"survival id event g by same", `1 distinct`},
	} {
		q, err := hypothesis.Parse(c.line)
		if err != nil {
			t.Fatal(err)
		}
		_, err = hypothesis.Test(tab, []hypothesis.Question{q})
		var hint *data.Hinted
		if !errors.As(err, &hint) {
			t.Errorf("%s: error %v, want one with a hint", c.line, err)
			continue
		}
		if said := err.Error() + "\n" + hint.Hint; !strings.Contains(said, c.want) {
			t.Errorf("%s: %s\nwant %q in it", c.line, said, c.want)
		}
	}
}
