package rollout_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/rollout"
)

// Positions are those of every release: a canary goes on where it was after an
// update. The values are FNV-1a and MurmurHash3's finalizer, computed apart.
func TestPositions(t *testing.T) {
	for _, tt := range []struct {
		project, salt, key string
		want               float64
	}{
		{"credit", "abc", "4711", 4.209032610382401},
		{"credit", "abc", "4712", 9.003951820742417},
		{"credit", "abd", "4711", 72.72325881348546},
		{"", "", "", 24.110352051652995},
	} {
		if got := rollout.Position(tt.project, tt.salt, tt.key); got != tt.want {
			t.Errorf("Position(%q, %q, %q) = %v, want %v", tt.project, tt.salt, tt.key, got, tt.want)
		}
	}
}

// A share of the keys is what was asked for, also of keys that hardly differ;
// keys only go over as it grows; and another salt takes other keys.
func TestShares(t *testing.T) {
	const n = 20_000
	for _, form := range []string{"%d", "%08d", "customer-%d", "%d-0000-0000-0000"} {
		taken := make([]bool, n)
		for _, percent := range []float64{0, 0.5, 1, 10, 50, 99, 100} {
			count, both := 0, 0
			for i := range n {
				key := fmt.Sprintf(form, i)
				now := rollout.Takes("credit", "salt", key, percent)
				if taken[i] && !now {
					t.Fatalf("%s: key %s went back at %v%%", form, key, percent)
				}
				if taken[i] = now; now {
					count++
					if rollout.Takes("credit", "pepper", key, percent) {
						both++
					}
				}
			}
			p := percent / 100
			if sd := math.Sqrt(n * p * (1 - p)); math.Abs(float64(count)-n*p) > 4*sd {
				t.Errorf("%s: %v%% of %d keys are %d", form, percent, n, count)
			}
			if sd := math.Sqrt(n * p * p * (1 - p*p)); math.Abs(float64(both)-n*p*p) > 4*sd+1 {
				t.Errorf("%s: %v%% of %d keys by one salt and by another are %d", form, percent, n, both)
			}
		}
	}
}

func model(task bundle.Task, d bundle.Decision, fields ...data.Field) *bundle.Bundle {
	return &bundle.Bundle{Manifest: bundle.Manifest{Task: task}, Model: bundle.Model{Contract: data.Contract{Fields: fields}, Decision: d}}
}

func TestCompatible(t *testing.T) {
	d := bundle.Decision{Positive: "bad", Negative: "good", Threshold: 0.5}
	income := data.Field{Name: "Income", Kind: data.Number, Role: data.Feature, Required: true}
	job := data.Field{Name: "Job", Kind: data.Category, Role: data.Feature, Categories: []string{"fixed"}}
	id := data.Field{Name: "id", Kind: data.Number, Role: data.ID}
	status := data.Field{Name: "Status", Kind: data.Category, Role: data.Target}
	notes := data.Field{Name: "notes", Kind: data.Text, Role: data.Excluded}
	change := func(f data.Field, how func(*data.Field)) data.Field { how(&f); return f }
	now := model(bundle.Binary, d, income, job, id, status, notes)
	for name, tt := range map[string]struct {
		next *bundle.Bundle
		want []string // parts of the error; none: it is compatible
	}{
		"the same":            {now, nil},
		"wider":               {model(bundle.Binary, d, change(income, func(f *data.Field) { f.Required = false }), job, id, status), nil},
		"another threshold":   {model(bundle.Binary, bundle.Decision{Positive: "bad", Negative: "good", Threshold: 0.3}, income, job, id, status), nil},
		"more categories":     {model(bundle.Binary, d, income, change(job, func(f *data.Field) { f.Categories = []string{"fixed", "none"} }), id), nil},
		"a new optional one":  {model(bundle.Binary, d, income, job, id, data.Field{Name: "Age", Kind: data.Number, Role: data.Feature}), nil},
		"excluded":            {model(bundle.Binary, d, change(income, func(f *data.Field) { f.Role, f.Kind, f.Required = data.Excluded, data.Text, false }), job, id), nil},
		"required gone":       {model(bundle.Binary, d, job, id), []string{`the required column "Income" is gone`}},
		"optional gone":       {model(bundle.Binary, d, income, id), []string{`column "Job" is gone`}},
		"id gone":             {model(bundle.Binary, d, income, job), []string{`column "id" is gone`}},
		"retyped":             {model(bundle.Binary, d, change(income, func(f *data.Field) { f.Kind = data.Category }), job, id), []string{`column "Income" was number and is category`}},
		"must come now":       {model(bundle.Binary, d, income, change(job, func(f *data.Field) { f.Required = true }), id), []string{`column "Job" is required and was not`}},
		"a new required one":  {model(bundle.Binary, d, income, job, id, data.Field{Name: "Age", Kind: data.Number, Role: data.Feature, Required: true}), []string{`column "Age" is required and was not`}},
		"another task":        {model(bundle.Regression, bundle.Decision{}, income, job, id), []string{"the task was binary and is regression"}},
		"labels swapped":      {model(bundle.Binary, bundle.Decision{Positive: "good", Negative: "bad"}, income, job, id), []string{"other names"}},
		"two things at once":  {model(bundle.Binary, d, change(income, func(f *data.Field) { f.Kind = data.Time }), id), []string{`"Income" was number`, `"Job" is gone`}},
		"excluded comes back": {model(bundle.Binary, d, income, job, id, data.Field{Name: "notes", Kind: data.Category, Role: data.Feature, Required: true}), []string{`"notes" is required`}},
	} {
		err := rollout.Compatible(now, tt.next)
		if (err == nil) != (len(tt.want) == 0) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, part := range tt.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v, want %s", name, err, part)
			}
		}
	}
}

// A queue does what it takes in order, takes no more than there is room for,
// and gives the room back.
func TestQueue(t *testing.T) {
	q := rollout.NewQueue(3, 100)
	q.Wait() // nothing is there to wait for
	var mu sync.Mutex
	var done []int
	gate, begun := make(chan struct{}), make(chan struct{})
	if !q.Offer(90, func() { close(begun); <-gate }) {
		t.Fatal("an empty queue has no room")
	}
	<-begun // what is being done does not take room from what waits
	for i, tt := range []struct {
		size int
		want bool
	}{{50, true}, {51, false}, {50, true}, {1, false}, {0, true}, {0, false}} {
		if got := q.Offer(tt.size, func() { mu.Lock(); done = append(done, i); mu.Unlock() }); got != tt.want {
			t.Errorf("offer %d of %d bytes: %v", i, tt.size, got)
		}
	}
	if q.Room(0) {
		t.Error("a full queue has room")
	}
	close(gate)
	q.Wait()
	if fmt.Sprint(done) != "[0 2 4]" {
		t.Errorf("done: %v", done)
	}
	if !q.Room(100) || q.Room(101) {
		t.Error("the room was not given back")
	}
}

// Whoever offers together, what was taken is done once.
func TestQueueTogether(t *testing.T) {
	q := rollout.NewQueue(10, 1000)
	var taken, done [8]int
	var mu sync.Mutex
	var wait sync.WaitGroup
	for g := range taken {
		wait.Go(func() {
			for range 1000 {
				if q.Offer(1, func() { mu.Lock(); done[g]++; mu.Unlock() }) {
					taken[g]++
				}
			}
		})
	}
	wait.Wait()
	q.Wait()
	if taken != done {
		t.Errorf("taken %v, done %v", taken, done)
	}
}

func TestTally(t *testing.T) {
	var tally rollout.Tally
	if _, ok := tally.Comparison().Agreement(); ok {
		t.Error("nothing agrees with nothing")
	}
	tally.Scored(0.5, 0.25, "bad", "bad")
	tally.Scored(0.5, 1, "bad", "good")
	tally.Scored(0.5, 0.5, "good", "good")
	tally.Failed(2)
	tally.Dropped(3)
	c := tally.Comparison()
	agreement, _ := c.Agreement()
	mean, _ := c.MeanDifference()
	if c.Rows != 3 || c.Agreed != 2 || c.Differed != 1 || c.Failed != 2 || c.Dropped != 3 || agreement != 2./3 || mean != 0.25 {
		t.Errorf("%+v, agreement %v, difference %v", c, agreement, mean)
	}
}

func TestChanges(t *testing.T) {
	for _, tt := range []struct {
		c    rollout.Change
		want string // part of the error; "": none
	}{
		{rollout.Change{Kind: rollout.Promote, Version: 1, Reason: "r"}, ""},
		{rollout.Change{Kind: rollout.Rollback, Reason: "r"}, ""},
		{rollout.Change{Kind: rollout.StopCanary, Reason: "r"}, ""},
		{rollout.Change{Kind: rollout.Canary, Version: 2, Percent: 100, Reason: "r"}, ""},
		{rollout.Change{Kind: rollout.Canary, Version: 2, Percent: 0, Reason: "r"}, "percentage"},
		{rollout.Change{Kind: rollout.Canary, Version: 2, Percent: math.NaN(), Reason: "r"}, "percentage"},
		{rollout.Change{Kind: rollout.Canary, Version: 2, Percent: 100.1, Reason: "r"}, "percentage"},
		{rollout.Change{Kind: rollout.Shadow, Version: 0, Reason: "r"}, "from 1"},
		{rollout.Change{Kind: rollout.Promote, Version: 2, Reason: " "}, "reason"},
		{rollout.Change{Kind: "", Reason: "r"}, "no change"},
	} {
		err := tt.c.Check()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.c, err, tt.want)
		}
	}
	for kind, want := range map[string]bool{rollout.Promote: true, rollout.Canary: true, rollout.Rollback: false, rollout.Shadow: false, rollout.StopCanary: false, rollout.StopShadow: false} {
		if (rollout.Change{Kind: kind}).Approved() != want {
			t.Errorf("%s: approval %v", kind, !want)
		}
	}
	cause := errors.New("gone")
	if r := (&rollout.Refusal{Err: cause}); !errors.Is(r, cause) {
		t.Error("the cause is lost")
	}
}
