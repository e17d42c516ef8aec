package tune_test

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/science/tune"
)

// clock is a clock that goes on by one step each time somebody looks.
type clock struct {
	at   chan time.Time
	step time.Duration
}

func newClock(step time.Duration) *clock {
	c := &clock{at: make(chan time.Time, 1), step: step}
	c.at <- time.Unix(0, 0)
	return c
}

func (c *clock) now() time.Time {
	t := <-c.at
	c.at <- t.Add(c.step)
	return t
}

// TestTightBudget gives a search, by whose clock a candidate takes minutes,
// less than it needs for all.
func TestTightBudget(t *testing.T) {
	t.Parallel()
	c := table(bundle.Binary, 300, 0)
	c.Workers = 1
	c.Now, c.Budget = newClock(10*time.Second).now, 10*time.Minute
	r := search(t, c)
	if r.Complete {
		t.Error("the search says it is complete")
	}
	if n := len(r.Leaderboard); n < 2 || n > 8 {
		t.Errorf("%d candidates were tried, want some and not all", n)
	}
	if got := c.Now().Sub(time.Unix(0, 0)); got > c.Budget+time.Minute {
		t.Errorf("the search took %v of a budget of %v", got, c.Budget)
	}
	usable(t, c, r)
}

// TestNoTimeForAllRows has a clock that jumps before the final fit.
func TestNoTimeForAllRows(t *testing.T) {
	t.Parallel()
	for _, k := range []struct {
		name string
		left time.Duration // of an hour
		note string
	}{
		{"none", 0, "fitted on 240 of 300 training rows: there was no time for all"},
		{"ample", time.Hour, ""},
	} {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			c := table(bundle.Binary, 300, 0)
			var late time.Duration
			c.Workers = 1
			steps := newClock(time.Second)
			c.Now, c.Budget = func() time.Time { return steps.now().Add(late) }, time.Hour
			c.Progress = func(e tune.Event) {
				if e.Done == e.Total-1 {
					late = time.Hour - k.left
				}
			}
			r := search(t, c)
			chosen := r.Leaderboard[r.Chosen]
			if chosen.Note != k.note || r.Complete != (k.note == "") || chosen.Learner == "baseline" {
				t.Errorf("chosen %s, note %q, complete %v; want %q", chosen.Learner, chosen.Note, r.Complete, k.note)
			}
			usable(t, c, r)
		})
	}
}

// TestHopelessBudget has no time for anything: the baseline remains.
func TestHopelessBudget(t *testing.T) {
	t.Parallel()
	c := table(bundle.Binary, 300, 0)
	c.Now, c.Budget = newClock(time.Hour).now, time.Second
	r := search(t, c)
	if r.Complete || len(r.Members) != 1 || r.Members[0].Learner != "baseline" {
		t.Errorf("complete %v, members %v; want the baseline alone", r.Complete, r.Members)
	}
}

// TestAmpleBudgetDoesNotShow compares with no budget.
func TestAmpleBudgetDoesNotShow(t *testing.T) {
	t.Parallel()
	c := table(bundle.Binary, 300, 0)
	without := timeless(search(t, c))
	c.Now, c.Budget = newClock(time.Millisecond).now, time.Hour
	if with := timeless(search(t, c)); !reflect.DeepEqual(with, without) {
		t.Error("an ample budget changes the result")
	}
}

func TestRealClockIsObeyed(t *testing.T) {
	t.Parallel()
	c := table(bundle.Binary, 20_000, 0)
	c.Now, c.Budget = time.Now, time.Second
	start := time.Now()
	r := search(t, c)
	// The machine may be busy: it is told by the clock, not by the work.
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("took %v of a budget of 1s", took)
	}
	if len(r.Members) == 0 {
		t.Error("no members")
	}
}

// TestSampleOfALargeTable has a budget for less than a quarter of the cells.
func TestSampleOfALargeTable(t *testing.T) {
	t.Parallel()
	c := table(bundle.Binary, 30_000, 0)
	c.Interpretable = true
	c.Now, c.Budget = newClock(0).now, 100*time.Millisecond
	r := search(t, c)
	for _, row := range r.Leaderboard {
		known := 0
		for _, m := range row.OOF {
			if !math.IsNaN(m) {
				known++
			}
		}
		if row.Rows != 10_000 || known != 10_000 || len(row.OOF) != 30_000 {
			t.Errorf("%s rests on %d rows, with %d of %d margins; want 10,000 of 30,000", row.Learner, row.Rows, known, len(row.OOF))
		}
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	c := table(bundle.Binary, 200, 0)
	c.Interpretable = true
	var lines []string
	c.Progress = func(e tune.Event) { lines = append(lines, e.String()) }
	r := search(t, c)
	if lines[0] != "baseline (1 of 4)" {
		t.Errorf("first line %q", lines[0])
	}
	if want := "logistic (2 of 4), best so far baseline with auc 0.5"; lines[1] != want {
		t.Errorf("second line %q, want %q", lines[1], want)
	}
	if last := lines[len(lines)-1]; last != "final fit of "+r.Leaderboard[r.Chosen].Learner || strings.Contains(last, "best") {
		t.Errorf("last line %q", last)
	}
}

// TestRealTables holds the search to what was measured for the catalogue of
// real tables: LightGBM's defaults and logistic regression, each five folds.
func TestRealTables(t *testing.T) {
	t.Parallel()
	for _, r := range []struct {
		realTable
		least float64
	}{
		{realTable{file: "credit/credit_data.csv", target: "Status", positive: "bad", drop: "Age,Marital"}, 0.845},
		{realTable{file: "credit/german_credit.csv", target: "class", positive: "2"}, 0.79},
		{realTable{file: "general/titanic.csv", target: "Survived", positive: "1", drop: "PassengerId,Name,Ticket,Cabin"}, 0.865},
	} {
		t.Run(r.file, func(t *testing.T) {
			t.Parallel()
			c := r.load(t)
			c.Now, c.Budget = time.Now, time.Minute
			start := time.Now()
			result := search(t, c)
			best := result.Leaderboard[result.Chosen]
			t.Logf("%s: AUC %.4f (sd %.4f) in %v", best.Learner, *best.AUC, *best.AUCSD, time.Since(start))
			if *best.AUC < r.least {
				t.Errorf("AUC %.4f, want at least %v", *best.AUC, r.least)
			}
		})
	}
}
