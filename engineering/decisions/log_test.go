package decisions_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
)

var start = time.Date(2026, 3, 1, 9, 0, 0, 123456000, time.UTC)

// open opens a log that is closed when the test ends.
func open(t testing.TB, dir string, opt decisions.Options) *decisions.Log {
	t.Helper()
	log, err := decisions.Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return log
}

// application makes the n-th decision of a lender.
func application(log *decisions.Log, n int) decisions.Decision {
	at := start.Add(time.Duration(n) * time.Second)
	return decisions.Decision{
		ID: log.NewID(at), Time: at, Project: "credit", Bundle: strings.Repeat("ab", 32), Model: "credit v1",
		RequestID: fmt.Sprint("r", n), Key: fmt.Sprint(4000 + n),
		Inputs: json.RawMessage(fmt.Sprintf(`{"Income":%d,"Records":"no"}`, 100+n)),
		Margin: math.Sin(float64(n)), Score: 1 / (2 + float64(n)), Decision: "bad",
		Reasons: []bundle.Reason{{Column: "Income", Value: float64(100 + n), Contribution: 0.25, Text: "Income: 100"}},
	}
}

// fill appends n decisions in one call and returns them.
func fill(t testing.TB, log *decisions.Log, n int) []decisions.Decision {
	t.Helper()
	ds := make([]decisions.Decision, n)
	for i := range ds {
		ds[i] = application(log, i)
	}
	if err := log.Append(t.Context(), ds...); err != nil {
		t.Fatal(err)
	}
	return ds
}

func verify(t testing.TB, dir string) *decisions.Report {
	t.Helper()
	r, err := decisions.Verify(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustVerify(t testing.TB, dir string) *decisions.Report {
	t.Helper()
	r := verify(t, dir)
	if !r.OK() {
		t.Fatalf("the log does not verify: %v", r.Problems)
	}
	return r
}

func TestWhatIsWrittenIsReadBackBitForBit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := open(t, dir, decisions.Options{})
	odd := application(log, 1)
	odd.Margin, odd.Score = math.Copysign(0, -1), 5e-324
	odd.Reasons = []bundle.Reason{
		{Column: "Größe", Value: "Zürich\x00", Contribution: math.Inf(-1), Text: "a \"quoted\" text"},
		{Column: "Home", Value: nil, Contribution: 0.1},
		{Column: "Married", Value: true}, {Column: "Old", Value: false},
		{Column: "Income", Value: math.MaxFloat64},
	}
	bare := decisions.Decision{ID: log.NewID(start), Time: start, Project: "p"}
	want := []decisions.Decision{application(log, 0), odd, bare}
	if err := log.Append(t.Context(), want...); err != nil {
		t.Fatal(err)
	}
	for again := range 2 { // as written, and after opening anew
		for _, w := range want {
			got, outcome, err := log.Get(w.ID)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, w) || outcome != nil {
				t.Errorf("opened %d times:\n got %+v\nwant %+v", again+1, got, w)
			}
			if math.Float64bits(got.Margin) != math.Float64bits(w.Margin) {
				t.Errorf("margin %v is not bit-equal to %v", got.Margin, w.Margin)
			}
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		log = open(t, dir, decisions.Options{})
	}
	if r := log.Recovered(); r != (decisions.Recovery{}) {
		t.Errorf("a cleanly closed log had to be recovered: %+v", r)
	}
}

func TestOutcomesCorrectAndRepeat(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := open(t, dir, decisions.Options{})
	d := fill(t, log, 3)[1]
	add := func(value string, day int) int {
		t.Helper()
		n, err := log.AppendOutcomes(t.Context(), decisions.Outcome{Decision: d.ID, Value: value, At: start.AddDate(0, 0, day)})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for i, step := range []struct {
		value string
		added int
	}{{"good", 1}, {"good", 0}, {"bad", 1}, {"bad", 0}, {"good", 1}} {
		if got := add(step.value, i); got != step.added {
			t.Errorf("step %d: %d outcomes added, want %d", i, got, step.added)
		}
		_, o, err := log.Get(d.ID)
		if err != nil || o == nil || o.Value != step.value {
			t.Errorf("step %d: outcome %+v, %v; want %s", i, o, err, step.value)
		}
	}
	if got, want := log.Counts("credit"), (decisions.Counts{Decisions: 3, Outcomes: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	if r := mustVerify(t, dir); r.Outcomes != 3 {
		t.Errorf("%d outcome records, want all 3 that differ", r.Outcomes)
	}
	twice := []decisions.Outcome{{Decision: d.ID, Value: "x"}, {Decision: d.ID, Value: "x"}, {Decision: d.ID, Value: "y"}}
	if n, err := log.AppendOutcomes(t.Context(), twice...); n != 2 || err != nil {
		t.Errorf("within one call: %d, %v; want 2 added", n, err)
	}

	unknown := log.NewID(start)
	n, err := log.AppendOutcomes(t.Context(), decisions.Outcome{Decision: d.ID, Value: "z"}, decisions.Outcome{Decision: unknown, Value: "z"})
	if n != 0 || !errors.Is(err, decisions.ErrUnknown) || !strings.Contains(err.Error(), unknown) {
		t.Errorf("an unknown decision: %d, %v", n, err)
	}
	if _, o, _ := log.Get(d.ID); o.Value != "y" {
		t.Errorf("a refused call left outcome %q", o.Value)
	}
	log.Close()
	log = open(t, dir, decisions.Options{})
	if _, o, err := log.Get(d.ID); err != nil || o == nil || o.Value != "y" {
		t.Errorf("opened anew: %+v, %v", o, err)
	}
}

func TestByKeyAndRecent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := open(t, dir, decisions.Options{SegmentSize: 4096})
	var ds []decisions.Decision
	for i := range 200 {
		d := application(log, i)
		d.Key = fmt.Sprint(i % 50)
		if i%2 == 1 {
			d.Project = "churn"
		}
		if i == 8 {
			d.Key = ""
		}
		ds = append(ds, d)
		if err := log.Append(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	check := func(log *decisions.Log) {
		t.Helper()
		ids := func(es []decisions.Entry, err error) []string {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, e := range es {
				out = append(out, e.ID)
			}
			return out
		}
		if got, want := ids(log.ByKey("credit", "8")), []string{ds[158].ID, ds[108].ID, ds[58].ID}; !reflect.DeepEqual(got, want) {
			t.Errorf("ByKey: %v, want %v", got, want)
		}
		for _, none := range [][2]string{{"churn", "8"}, {"credit", ""}, {"credit", "77"}, {"other", "8"}} {
			if got := ids(log.ByKey(none[0], none[1])); got != nil {
				t.Errorf("ByKey(%v) = %v, want none", none, got)
			}
		}
		if got, want := ids(log.Recent("churn", 3)), []string{ds[199].ID, ds[197].ID, ds[195].ID}; !reflect.DeepEqual(got, want) {
			t.Errorf("Recent: %v, want %v", got, want)
		}
		if got := ids(log.Recent("churn", 1000)); len(got) != 100 {
			t.Errorf("Recent(1000) has %d, want 100", len(got))
		}
		if got := log.Projects(); !reflect.DeepEqual(got, []string{"churn", "credit"}) {
			t.Errorf("projects %v", got)
		}
	}
	check(log)
	reader, err := decisions.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	check(reader)
	if r := mustVerify(t, dir); r.Segments < 10 || r.Decisions != 200 {
		t.Errorf("report %+v, want many segments and 200 decisions", r)
	}
}

func TestSettled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := open(t, dir, decisions.Options{})
	ds := fill(t, log, 6)
	for _, i := range []int{4, 1, 3, 1} {
		if _, err := log.AppendOutcomes(t.Context(), decisions.Outcome{Decision: ds[i].ID, Value: fmt.Sprint("v", i), At: start}); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Erase(t.Context(), ds[3].ID); err != nil {
		t.Fatal(err)
	}
	got, err := log.Settled("credit")
	if err != nil || len(got) != 2 || got[0].ID != ds[1].ID || got[1].ID != ds[4].ID || got[1].Outcome.Value != "v4" {
		t.Errorf("settled %+v, %v; want decisions 1 and 4", got, err)
	}
	if got, err := log.Settled("churn"); err != nil || got != nil {
		t.Errorf("another project: %+v, %v", got, err)
	}
}

func TestScanGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := open(t, dir, decisions.Options{SegmentSize: 4096})
	ds := fill(t, log, 1)
	for i := 1; i < 60; i++ {
		d := application(log, i)
		ds = append(ds, d)
		if err := log.Append(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := log.AppendOutcomes(t.Context(), decisions.Outcome{Decision: ds[3].ID, Value: "good", At: start}); err != nil {
		t.Fatal(err)
	}
	var at decisions.Position
	var seen []string
	enough := errors.New("enough")
	for len(seen) < 61 {
		n := 0
		next, err := log.Scan(t.Context(), at, func(r decisions.Record) error {
			if n++; n > 7 {
				return enough
			}
			switch {
			case r.Decision != nil:
				seen = append(seen, r.Decision.ID)
			case r.Outcome != nil:
				seen = append(seen, r.Outcome.Decision+r.Outcome.Value)
			}
			return nil
		})
		if err != nil && !errors.Is(err, enough) {
			t.Fatal(err)
		}
		if next == at {
			t.Fatal("no progress")
		}
		at = next
	}
	for i, d := range ds {
		if seen[i] != d.ID {
			t.Fatalf("record %d is %s, want %s", i, seen[i], d.ID)
		}
	}
	if seen[60] != ds[3].ID+"good" {
		t.Errorf("the outcome was scanned as %s", seen[60])
	}
	// From the end on there is nothing, then what is new.
	count := 0
	scan := func() {
		next, err := log.Scan(t.Context(), at, func(decisions.Record) error { count++; return nil })
		if err != nil {
			t.Fatal(err)
		}
		at = next
	}
	if scan(); count != 0 {
		t.Errorf("%d records after the end", count)
	}
	fill(t, log, 2)
	if scan(); count != 2 {
		t.Errorf("%d records after two more, want 2", count)
	}
	if _, err := log.Scan(t.Context(), decisions.Position{Segment: 99, Offset: 64}, nil); err == nil {
		t.Error("a position beyond the end is accepted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := log.Scan(ctx, decisions.Position{}, func(decisions.Record) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled scan: %v", err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	log := open(t, t.TempDir(), decisions.Options{})
	logged := fill(t, log, 1)[0]
	for name, c := range map[string]struct {
		change func(*decisions.Decision)
		want   string
	}{
		"no time":       {func(d *decisions.Decision) { d.Time = time.Time{} }, "has no time"},
		"no project":    {func(d *decisions.Decision) { d.Project = "" }, "names no project"},
		"no id":         {func(d *decisions.Decision) { d.ID = "" }, `"" is not the id`},
		"upper-case id": {func(d *decisions.Decision) { d.ID = strings.ToUpper(d.ID) }, "is not the id"},
		"no hex":        {func(d *decisions.Decision) { d.ID = d.ID[:30] + "g" + d.ID[31:] }, "is not the id"},
		"dashes":        {func(d *decisions.Decision) { d.ID = d.ID[:34] + "-" + d.ID[35:] }, "is not the id"},
		"all zeros":     {func(d *decisions.Decision) { d.ID = "00000000-0000-0000-0000-000000000000" }, "is not the id"},
		"array":         {func(d *decisions.Decision) { d.Inputs = json.RawMessage(`[1]`) }, "not a JSON object"},
		"broken JSON":   {func(d *decisions.Decision) { d.Inputs = json.RawMessage(`{"a":`) }, "not a JSON object"},
		"odd reason":    {func(d *decisions.Decision) { d.Reasons = []bundle.Reason{{Column: "c", Value: 1}} }, "value of type int"},
		"same id":       {func(d *decisions.Decision) { d.ID = logged.ID }, "in the log already"},
		"too large": {func(d *decisions.Decision) {
			d.Inputs = json.RawMessage(`{"a":"` + strings.Repeat("x", 17<<20) + `"}`)
		}, "at most"},
	} {
		d := application(log, 7)
		c.change(&d)
		fine := application(log, 8)
		err := log.Append(t.Context(), fine, d)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
		if _, _, err := log.Get(fine.ID); !errors.Is(err, decisions.ErrUnknown) {
			t.Errorf("%s: the other decision of the call was logged: %v", name, err)
		}
	}
	d := application(log, 9)
	if err := log.Append(t.Context(), d, d); !errors.Is(err, decisions.ErrExists) {
		t.Errorf("the same id twice in a call: %v", err)
	}
	if err := log.Append(t.Context(), d); err != nil {
		t.Errorf("after the refusal: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := log.Append(ctx, application(log, 10)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	log.Close()
	if err := log.Append(t.Context(), application(log, 11)); !errors.Is(err, decisions.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if err := log.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	_, err := decisions.Open(t.TempDir(), decisions.Options{Durability: "sometimes", SegmentSize: 1})
	if err == nil || !strings.Contains(err.Error(), "sometimes") || !strings.Contains(err.Error(), "segment size") {
		t.Errorf("bad options: %v, want both problems", err)
	}
}

func TestIDsSort(t *testing.T) {
	t.Parallel()
	log := open(t, t.TempDir(), decisions.Options{})
	last := ""
	for i := range 10_000 {
		now := log.NewID(start.Add(time.Duration(i/100) * time.Millisecond))
		if now <= last {
			t.Fatalf("id %d %s does not sort after %s", i, now, last)
		}
		if now[14] != '7' || !strings.ContainsRune("89ab", rune(now[19])) {
			t.Fatalf("%s is not a UUID of version 7", now)
		}
		last = now
	}
}
