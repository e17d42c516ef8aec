package monitor_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/engineering/monitor"
	"github.com/tandem-ml/tandem/project"
)

var start = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// TestAYearWithoutDrift looks at daily windows of decisions that come from the
// training data's distribution. With years = 150 there were no alarms and 381
// drifted columns in 54,750 windows, where Holm at 0.01 allows 547.
func TestAYearWithoutDrift(t *testing.T) {
	t.Parallel()
	const years = 1
	alarms, drifted, windows := 0, 0, 0
	for year := range years {
		rng := seed.Stream(1, "year", year)
		cs := lender()
		m := watch(t, trained(cs, 3000, rng), monitor.Options{})
		for range 365 {
			r := observe(m, cs, 500, rng)
			windows++
			if r.Alarm {
				alarms++
				t.Logf("year %d: %s", year, r.Sentences)
			}
			for _, c := range append(r.Columns, *r.Score) {
				if c.Drifted {
					drifted++
				}
			}
		}
	}
	t.Logf("%d alarms and %d drifted columns in %d windows", alarms, drifted, windows)
	if alarms > 0 {
		t.Errorf("%d alarms in %d windows without drift", alarms, windows)
	}
	// Holm at 0.01 allows a hundredth of the windows to show any column.
	if drifted > windows/50 {
		t.Errorf("%d drifted columns in %d windows without drift", drifted, windows)
	}
}

// TestPlantedDrift changes thirteen of twenty inputs, as a real table would:
// every one must be found, in the alarm as well, and no other.
func TestPlantedDrift(t *testing.T) {
	t.Parallel()
	moved := map[string]column{
		"income":      number("", logNormal(5.25, 0.5)),
		"loan_amount": number("", logNormal(7.4, 0.8)),
		"age":         number("", normal(35, 12)),
		"rate":        number("", normal(0.08, 0.035)), // only wider
		"n_late":      number("", poisson(1.2)),
		"debt":        missing(0.1, number("", logNormal(6, 1))), // only more often given
		"mostly_zero": number("", func(r *rand.Rand) float64 { return max(0, math.Round(10*r.NormFloat64()-3)) }),
		"norm0":       number("", normal(0.5, 1)),
		"norm1":       number("", normal(-0.4, 1)),
		"records":     category("", 2, 0.6, 0.4),
		"home":        category("", 5, 0.2, 0.3, 0.15, 0.1, 0.25),
		"job":         category("", 4, 0.45, 0.27, 0.13, 0.05, 0.1), // a value that training did not know
		"marital":     missing(0.25, category("", 3, 0.6, 0.3, 0.1)),
	}
	for s := range 10 {
		rng := seed.Stream(2, "planted", s)
		before := lender()
		after := slices.Clone(before)
		var want []string
		for j, c := range after {
			if m, ok := moved[c.field.Name]; ok {
				after[j].draw = m.draw
				want = append(want, c.field.Name)
			}
		}
		if len(want) != 13 {
			t.Fatalf("%d columns moved", len(want))
		}
		m := watch(t, trained(before, 3000, rng), monitor.Options{})
		if r := observe(m, before, 500, rng); r.Alarm {
			t.Errorf("seed %d: alarm before the drift: %v", s, r.Sentences)
		}
		observe(m, after, 500, rng)
		r := observe(m, after, 500, rng) // the second window in a row
		var got []string
		for _, c := range r.Columns {
			if c.Drifted {
				got = append(got, c.Name)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("seed %d: drifted %v, want %v", s, got, want)
		}
		if len(r.Alarms) != 1 || r.Alarms[0].Kind != monitor.CovariateDrift || !slices.Equal(r.Alarms[0].Columns, want) {
			t.Errorf("seed %d: alarms %+v, want covariate drift of %v", s, r.Alarms, want)
		}
		if r.Score.Drifted {
			t.Errorf("seed %d: the score is said to drift", s)
		}
	}
}

// TestSmallChangesInLargeWindows has windows in which every difference is
// significant: only the floors keep the monitor quiet.
func TestSmallChangesInLargeWindows(t *testing.T) {
	t.Parallel()
	before := []column{number("still", normal(0, 1)), number("shifted", normal(0, 1)), category("shares", 2, 0.5, 0.5)}
	window := project.Window{Decisions: 20_000}
	for name, c := range map[string]struct {
		after []column
		want  []bool
	}{
		"below the floors": {[]column{number("", normal(0, 1)), number("", normal(0.06, 1)), category("", 2, 0.48, 0.52)}, []bool{false, false, false}},
		"above the floors": {[]column{number("", normal(0, 1)), number("", normal(0.15, 1)), category("", 2, 0.42, 0.58)}, []bool{false, true, true}},
	} {
		rng := seed.Stream(3, name, 0)
		r := observe(watch(t, trained(before, 20_000, rng), monitor.Options{Window: window}), c.after, 20_000, rng)
		for j, want := range c.want {
			if got := r.Columns[j]; got.Drifted != want {
				t.Errorf("%s: %s drifted is %v (p %v, effect %v), want %v", name, got.Name, got.Drifted, got.PCorrected, got.Effect, want)
			}
			if j > 0 && r.Columns[j].PCorrected > 0.05 {
				t.Errorf("%s: %s is not even significant: %v", name, r.Columns[j].Name, r.Columns[j].PCorrected)
			}
		}
	}
}

func TestOddColumns(t *testing.T) {
	t.Parallel()
	inf := func(*rand.Rand) float64 { return math.Inf(1) }
	clock := column{data.Field{Name: "clock", Kind: data.Time, Role: data.Feature}, func(*rand.Rand) float64 { return 1e15 }}
	later := clock
	later.draw = func(*rand.Rand) float64 { return 2e15 }
	constant := func(x float64) func(*rand.Rand) float64 { return func(*rand.Rand) float64 { return x } }
	for name, c := range map[string]struct {
		before, after column
		drifted       bool
		sentence      string
	}{
		"constant":           {number("x", constant(3)), number("x", constant(3)), false, ""},
		"constant moved":     {number("x", constant(3)), number("x", constant(4)), true, "median 4 against 3"},
		"now all missing":    {number("x", normal(0, 1)), missing(1, number("x", normal(0, 1))), true, "100.0% are missing against 0.0%"},
		"always all missing": {missing(1, number("x", normal(0, 1))), missing(1, number("x", normal(0, 1))), false, ""},
		"all infinite":       {number("x", inf), number("x", inf), false, ""},
		"now infinite":       {number("x", normal(0, 1)), number("x", inf), false, ""}, // no finite value: no distance, but see below
		"now unseen":         {category("x", 2, 0.5, 0.5), category("x", 2, 0, 0, 1), true, `"(not seen in training)" is 100.0%`},
		"one category":       {category("x", 1, 1), category("x", 1, 1), false, ""},
		"a time":             {clock, later, false, ""},
	} {
		rng := seed.Stream(4, name, 0)
		m := watch(t, trained([]column{c.before}, 1000, rng), monitor.Options{})
		r := observe(m, []column{c.after}, 500, rng)
		got := r.Columns[0]
		if name == "now infinite" {
			// Every value is infinite: the distributions have nothing in common.
			c.drifted = got.Effect >= 0.1
		}
		if got.Drifted != c.drifted || !strings.Contains(got.Sentence, c.sentence) {
			t.Errorf("%s: %+v, want drifted %v and %q", name, got, c.drifted, c.sentence)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(r.Sentences) == 0 {
			t.Errorf("%s: no sentence", name)
		}
	}
}

// A bundle without a profile, such as an imported model, is watched but has
// nothing to be compared with.
func TestNoProfile(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	b := *trained(lender(), 1000, rng)
	b.Profile, b.Scores = data.Profile{}, data.ColumnProfile{}
	m := watch(t, &b, monitor.Options{Window: project.Window{Decisions: 200}})
	r := observe(m, lender(), 200, rng)
	if r == nil || r.Alarm || r.Score != nil || r.Decisions != 200 || len(r.Sentences) != 1 || !strings.Contains(r.Sentences[0], "no profile") {
		t.Errorf("report %+v", r)
	}
}

func TestFirstTimeIsNoAlarm(t *testing.T) {
	t.Parallel()
	before := []column{number("income", normal(0, 1)), number("age", normal(0, 1))}
	// A shift that is visible in 500 decisions but not beyond doubt.
	after := []column{number("income", normal(0.25, 1)), number("age", normal(0, 1))}
	rng := seed.Stream(5, "first", 5)
	m := watch(t, trained(before, 3000, rng), monitor.Options{})
	first := observe(m, after, 500, rng)
	second := observe(m, after, 500, rng)
	if !first.Columns[0].Drifted || first.Alarm || !second.Columns[0].Drifted || !second.Alarm {
		t.Errorf("first %+v\nsecond %+v\nwant a drift without, then one with an alarm", first, second)
	}
	if last := first.Sentences[len(first.Sentences)-1]; !strings.Contains(last, "first time") {
		t.Errorf("the first report ends with %q", last)
	}
	if r := observe(m, before, 500, rng); r.Alarm {
		t.Errorf("the drift is over, yet %v", r.Sentences)
	}
}

func TestScoreDriftIsNamedSeparately(t *testing.T) {
	t.Parallel()
	cs := []column{number("income", normal(0, 1))}
	rng := seed.Stream(6, "score", 1)
	m := watch(t, trained(cs, 2000, rng), monitor.Options{})
	var r *monitor.Report
	for range 500 {
		r = m.Observe(start, []float64{rng.NormFloat64()}, 0.5*rng.Float64())
	}
	if len(r.Alarms) != 1 || r.Alarms[0].Kind != monitor.ScoreDrift || r.Columns[0].Drifted {
		t.Errorf("%v, want score drift alone", r.Sentences)
	}
	b := trained(cs, 2000, rng)
	b.Scores = data.ColumnProfile{}
	if r := observe(watch(t, b, monitor.Options{}), cs, 500, rng); r.Score != nil {
		t.Errorf("a score report %+v without a baseline", r.Score)
	}
}

func TestImportanceOrdersTheAlarm(t *testing.T) {
	t.Parallel()
	before := []column{number("a", normal(0, 1)), number("b", normal(0, 1)), number("c", normal(0, 1))}
	after := []column{number("a", normal(1, 1)), number("b", normal(1, 1)), number("c", normal(0, 1))}
	rng := seed.Stream(7, "importance", 0)
	b := trained(before, 2000, rng)
	b.Card.Importance = []bundle.Importance{{Column: "b", Drop: 0.06}, {Column: "c", Drop: 0.03}, {Column: "a", Drop: 0.01}}
	r := observe(watch(t, b, monitor.Options{}), after, 500, rng)
	if len(r.Alarms) != 1 || !slices.Equal(r.Alarms[0].Columns, []string{"b", "a"}) || !strings.Contains(r.Alarms[0].Text, "b and a drifted, with 70% of") {
		t.Errorf("alarms %+v, want b before a with 70%%", r.Alarms)
	}
}

func TestWindowsOfADuration(t *testing.T) {
	t.Parallel()
	cs := []column{number("income", normal(0, 1))}
	rng := seed.Stream(8, "duration", 0)
	m := watch(t, trained(cs, 2000, rng), monitor.Options{Window: project.Window{Every: 24 * time.Hour}})
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	see := func(at time.Time) *monitor.Report { return m.Observe(at, []float64{rng.NormFloat64()}, rng.Float64()) }
	for i := range 300 {
		if r := see(day.Add(9*time.Hour + time.Duration(i)*time.Minute)); r != nil {
			t.Fatalf("a report in the middle of the day: %+v", r)
		}
	}
	if m.Tick(day.Add(24*time.Hour-time.Microsecond)) != nil {
		t.Error("Tick ended the day too early")
	}
	r := see(day.Add(24 * time.Hour))
	if r == nil || r.Decisions != 300 || !r.From.Equal(day) || !r.To.Equal(day.Add(24*time.Hour)) {
		t.Fatalf("report %+v, want the 300 decisions of the first day", r)
	}
	if r := see(day.Add(5 * time.Hour)); r != nil { // late: counts in the present day
		t.Errorf("a late decision ended a window: %+v", r)
	}
	r = m.Tick(day.Add(60 * time.Hour))
	if r == nil || r.Decisions != 2 || !r.From.Equal(day.Add(24*time.Hour)) || r.Columns != nil || !strings.Contains(r.Sentences[0], "too few") {
		t.Errorf("report %+v, want two decisions, not judged", r)
	}
	if r := m.Tick(day.Add(100 * time.Hour)); r != nil {
		t.Errorf("a window without a decision has a report: %+v", r)
	}
	if r := see(day.Add(101 * time.Hour)); r != nil {
		t.Errorf("the first decision after a pause ended a window: %+v", r)
	}
	if n, of := m.Progress(); n != 1 || of != 0 {
		t.Errorf("progress %d of %d", n, of)
	}
}

func TestReplayGivesTheSameReports(t *testing.T) {
	t.Parallel()
	cs := lender()
	b := trained(cs, 1000, seed.Stream(9, "replay", 0))
	var texts [2]string
	for i := range texts {
		rng := seed.Stream(9, "replay", 1)
		m := watch(t, b, monitor.Options{Window: project.Window{Decisions: 200}})
		for range 3 {
			text, err := json.Marshal(observe(m, cs, 200, rng))
			if err != nil {
				t.Fatal(err)
			}
			texts[i] += string(text)
		}
	}
	if texts[0] != texts[1] {
		t.Errorf("two replays differ:\n%s\n%s", texts[0], texts[1])
	}
}

func TestObserveLoggedIsObserve(t *testing.T) {
	t.Parallel()
	cs := []column{number("income", normal(0, 1)), category("home", 2, 0.5, 0.5)}
	b := trained(cs, 1000, seed.Stream(10, "logged", 0))
	opt := monitor.Options{Window: project.Window{Decisions: 3}}
	one, two := watch(t, b, opt), watch(t, b, opt)
	nan := math.NaN()
	rows := [][]float64{{1.5, 0}, {nan, 2}, {-2, nan}}
	logged := []string{`{"income":1.5,"home":"v00"}`, `{"home":"a tent"}`, `{"income":-2,"home":null,"note":"kept"}`}
	var a, c *monitor.Report
	for i := range rows {
		var err error
		a = one.Observe(start, rows[i], 0.5)
		if c, err = two.ObserveLogged(start, []byte(logged[i]), 0.5); err != nil {
			t.Fatal(err)
		}
	}
	if a == nil || !reflect.DeepEqual(a, c) {
		t.Errorf("logged inputs give\n%+v\nrows give\n%+v", c, a)
	}
	if _, err := two.ObserveLogged(start, []byte(`{"income":"much"}`), 0.5); err == nil {
		t.Error("a text for a number is accepted")
	}
	if n, _ := two.Progress(); n != 0 {
		t.Errorf("a refused decision is counted: %d", n)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	cs := []column{number("income", normal(0, 1))}
	m := watch(t, trained(cs, 1000, seed.Stream(11, "together", 0)), monitor.Options{})
	var all sync.WaitGroup
	var mu sync.Mutex
	decisions, outcomes := 0, 0
	for w := range 4 {
		all.Go(func() {
			rng := seed.Stream(11, "together", 1+w)
			for i := range 1000 {
				r := m.Observe(start, []float64{rng.NormFloat64()}, rng.Float64())
				p, err := m.Outcome(rng.Float64(), "", []string{"good", "bad"}[i%2])
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				if r != nil {
					decisions += r.Decisions
				}
				if p != nil {
					outcomes += p.Outcomes
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if decisions != 4000 || outcomes != 4000 {
		t.Errorf("%d decisions and %d outcomes in finished windows, want 4000", decisions, outcomes)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	cs := []column{number("income", normal(0, 1))}
	fresh := func() *bundle.Bundle { return trained(cs, 100, seed.Stream(12, "refused", 0)) }
	for name, c := range map[string]struct {
		change func(*bundle.Bundle, *monitor.Options)
		want   string
	}{
		"two windows":   {func(_ *bundle.Bundle, o *monitor.Options) { o.Window = project.Window{Decisions: 1, Every: 1} }, "one of the two"},
		"few outcomes":  {func(_ *bundle.Bundle, o *monitor.Options) { o.Outcomes = 10 }, "at least 100"},
		"p":             {func(_ *bundle.Bundle, o *monitor.Options) { o.P = 2 }, "0 < certain"},
		"certain":       {func(_ *bundle.Bundle, o *monitor.Options) { o.Certain = 0.5 }, "0 < certain"},
		"floor":         {func(_ *bundle.Bundle, o *monitor.Options) { o.Floors.JS = -1 }, "is negative"},
		"other profile": {func(b *bundle.Bundle, _ *monitor.Options) { b.Profile.Columns[0].Name = "wage" }, `no column "income"`},
		"other kind":    {func(b *bundle.Bundle, _ *monitor.Options) { b.Profile.Columns[0].Kind = data.Category }, "in its profile"},
		"odd contract":  {func(b *bundle.Bundle, _ *monitor.Options) { b.Contract.Fields[0].Name = "" }, "has no name"},
		"several wrong": {func(_ *bundle.Bundle, o *monitor.Options) { o.Outcomes, o.P = 1, 9 }, "0 < certain"},
	} {
		b, opt := fresh(), monitor.Options{}
		c.change(b, &opt)
		if _, err := monitor.New(b, opt); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}
