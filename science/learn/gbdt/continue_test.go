package gbdt_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt"
)

// patchy is a table with what makes it hard to meet the same bits again:
// missing values, categories, columns of which one at a time is not 0, infinite
// values, rows of weight 0; and as many wrong labels that many trees do harm.
func patchy(task bundle.Task, n int, root uint64) learn.Train {
	rng := seed.Stream(root, "patchy", 0)
	in := learn.Train{Task: task, Seed: 5, Categories: []int{0, 0, 40, 0, 0, 0}}
	in.X = learn.Matrix{Rows: n, Cols: 6}
	for range n {
		x := []float64{float64(rng.IntN(300)-150) / 64, rng.Float64(), float64(rng.IntN(40)), 0, 0, 0}
		x[3+rng.IntN(3)] = float64(1 + rng.IntN(3))
		m := x[0] + float64(int(x[2])%3) - x[4]
		switch rng.IntN(12) {
		case 0:
			x[0] = nan
		case 1:
			x[0] = inf
		case 2:
			x[2] = nan
		}
		m += float64(rng.IntN(256)-128) / 48
		switch task {
		case bundle.Binary:
			m = min(1, max(0, math.Floor(m)))
		case bundle.Multiclass:
			in.Classes = 3
			m = min(2, max(0, math.Floor(m)))
		}
		in.X.Data, in.Y, in.W = append(in.X.Data, x...), append(in.Y, m), append(in.W, float64(rng.IntN(4)))
	}
	return in
}

// fitAny is Fit or FitClasses.
func fitAny(t *testing.T, in learn.Train, p learn.Params) []*tree.Forest {
	t.Helper()
	if in.Task != bundle.Multiclass {
		return []*tree.Forest{mustFit(t, in, p)}
	}
	return forestsOf(t, fitClasses(t, in, p), nil)
}

func forestsOf(t *testing.T, members []bundle.Member, err error) []*tree.Forest {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var forests []*tree.Forest
	for _, m := range members {
		forests = append(forests, m.Trees)
	}
	return forests
}

func fingerprints(t *testing.T, forests []*tree.Forest) string {
	t.Helper()
	var all []string
	for _, f := range forests {
		all = append(all, fmt.Sprintf("%d trees %s", len(f.Root)-1, fingerprint(t, f)))
	}
	return strings.Join(all, ", ")
}

// longest returns the number of trees of the largest of the forests.
func longest(forests []*tree.Forest) int {
	n := 0
	for _, f := range forests {
		n = max(n, len(f.Root)-1)
	}
	return n
}

// long are fits that are interrupted.
var long = []struct {
	name   string
	task   bundle.Task
	valid  bool
	params learn.Params
}{
	{"plain", bundle.Binary, false, nil},
	{"rows, features and nodes drawn", bundle.Binary, false, learn.Params{"row_fraction": 0.6, "feature_fraction": 0.5, "node_fraction": 0.7}},
	{"rows drawn by gradient", bundle.Regression, true, learn.Params{"gradient_fraction": 0.4}},
	{"edges drawn", bundle.Regression, false, learn.Params{"extra_random": 1, "growth": "depth"}},
	{"most draws have no split", bundle.Regression, false, learn.Params{"feature_fraction": 0.17, "min_gain": 60}},
	{"quantile", bundle.Regression, true, learn.Params{"objective": "quantile", "quantile": 0.3, "row_fraction": 0.8}},
	{"stops early", bundle.Binary, true, learn.Params{"early_stopping_rounds": 3, "learning_rate": 0.2, "feature_fraction": 0.2, "row_fraction": 0.5}},
	{"classes", bundle.Multiclass, false, learn.Params{"row_fraction": 0.6, "feature_fraction": 0.5}},
	{"classes of which some have no split", bundle.Multiclass, false, learn.Params{"min_gain": 8, "feature_fraction": 0.34, "class_weights": "balanced"}},
	{"classes stop early", bundle.Multiclass, true, learn.Params{"early_stopping_rounds": 6, "learning_rate": 0.15}},
}

func longTable(task bundle.Task, valid bool) learn.Train {
	in := patchy(task, 900, 20)
	if valid {
		other := patchy(task, 600, 21)
		in.Valid = &other.Data
	}
	return in
}

func with(p learn.Params, name string, v any) learn.Params {
	p = maps.Clone(p)
	if p == nil {
		p = learn.Params{}
	}
	p[name] = v
	return p
}

// n trees continued by m are the n+m trees of one fit, and what is continued
// stays as it is.
func TestContinue(t *testing.T) {
	t.Parallel()
	for _, c := range long {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := longTable(c.task, c.valid)
			for _, first := range []int{1, 9, 25} {
				in.Workers = 1
				half := fitAny(t, in, with(c.params, "trees", first))
				before := fingerprints(t, half)
				in.Workers = 2
				members, err := gbdt.Continue(context.Background(), in, with(c.params, "trees", 12), half)
				got := fingerprints(t, forestsOf(t, members, err))
				n := first
				if c.valid {
					n = longest(half) // that were kept
				} else if c.task != bundle.Multiclass && longest(half) != n {
					t.Errorf("%d trees, asked for were %d", longest(half), n)
				}
				if want := fingerprints(t, fitAny(t, in, with(c.params, "trees", n+12))); got != want {
					t.Errorf("%d and 12 trees are %s, at once they are %s", n, got, want)
				}
				if fingerprints(t, half) != before {
					t.Error("the forest to continue was changed")
				}
			}
		})
	}
}

// A fit that stopped early is over: to continue it is to grow and drop the same
// trees again.
func TestContinueStopped(t *testing.T) {
	t.Parallel()
	for _, c := range long {
		if !strings.Contains(c.name, "early") {
			continue
		}
		in := longTable(c.task, c.valid)
		stopped := fitAny(t, in, with(c.params, "trees", 200))
		if n := longest(stopped); n == 0 || n > 100 {
			t.Fatalf("%s: %d trees, the test wants a fit that stops early", c.name, n)
		}
		members, err := gbdt.Continue(context.Background(), in, with(c.params, "trees", 200), stopped)
		if got, want := fingerprints(t, forestsOf(t, members, err)), fingerprints(t, stopped); got != want {
			t.Errorf("%s: continued to %s, was %s", c.name, got, want)
		}
	}
}

// Other rows teach a continued forest something new, and do not change what it
// has.
func TestContinueWithOtherRows(t *testing.T) {
	t.Parallel()
	old, fresh := patchy(bundle.Regression, 900, 1), patchy(bundle.Regression, 900, 2)
	for i := range fresh.Y {
		fresh.Y[i] += 10
	}
	f := mustFit(t, old, learn.Params{"trees": 20})
	members, err := gbdt.Continue(context.Background(), fresh, learn.Params{"trees": 60}, []*tree.Forest{f})
	g := forestsOf(t, members, err)[0]
	first := *g
	first.Root = g.Root[:21]
	for i := range 50 {
		x := fresh.X.Row(i)
		if got, want := first.Margin(x), f.Margin(x); got != want {
			t.Fatalf("the first 20 trees give %g, they gave %g", got, want)
		}
		if rise := g.Margin(x) - f.Margin(x); rise < 5 {
			t.Errorf("row %d rose by %g; the labels rose by 10", i, rise)
		}
	}
}

func TestContinueRefuses(t *testing.T) {
	t.Parallel()
	stump := func(features int) *tree.Forest { return &tree.Forest{Features: features, Root: []int32{0}} }
	broken := stump(6)
	broken.Root = []int32{0, 3}
	for _, c := range []struct {
		task bundle.Task
		from []*tree.Forest
		want string
	}{
		{bundle.Binary, nil, "0 forests to continue, the task has 1"},
		{bundle.Binary, []*tree.Forest{nil}, "is nil"},
		{bundle.Binary, []*tree.Forest{stump(2)}, "has 2 features, the table 6"},
		{bundle.Binary, []*tree.Forest{broken}, "roots"},
		{bundle.Multiclass, []*tree.Forest{stump(6)}, "1 forests to continue, the task has 3"},
	} {
		_, err := gbdt.Continue(context.Background(), patchy(c.task, 100, 3), nil, c.from)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}

// A fit that is cancelled at random, again and again, and resumed with any
// number of workers, is the fit that was not interrupted.
func TestCheckpoint(t *testing.T) {
	t.Parallel()
	for k, c := range long {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in, p := longTable(c.task, c.valid), with(c.params, "trees", 30)
			want := fingerprints(t, fitAny(t, in, p))
			rng := seed.Stream(1, "interruptions", k)
			keep := gbdt.Checkpoint{Path: filepath.Join(t.TempDir(), "state"), Due: func(int) bool { return rng.IntN(3) > 0 }}
			stops := 0
			for {
				ctx, cancel := context.WithCancel(context.Background())
				left, began := 1+rng.IntN(5), 0
				in.Workers = 1 + rng.IntN(3)
				in.Progress = func(done, total int) {
					if began++; began == 1 && stops > 3 && done == 0 {
						t.Errorf("nothing was kept in %d runs", stops)
					}
					if left--; left == 0 {
						cancel()
					}
				}
				members, err := keep.Fit(ctx, in, p)
				cancel()
				if err == nil {
					if got := fingerprints(t, forestsOf(t, members, nil)); got != want {
						t.Errorf("after %d interruptions %s, without %s", stops, got, want)
					}
					break
				}
				if !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				stops++
			}
			if stops < 2 {
				t.Errorf("only %d interruptions", stops)
			}
			if err := errors.Join(keep.Remove(), keep.Remove()); err != nil {
				t.Error(err)
			}
			if left, _ := os.ReadDir(filepath.Dir(keep.Path)); len(left) > 0 {
				t.Errorf("%s is left", left[0].Name())
			}
		})
	}
}

// kept returns the bytes of a state that a fit wrote after 3 trees, the fit and
// its settings.
func kept(t *testing.T, task bundle.Task) ([]byte, learn.Train, learn.Params) {
	t.Helper()
	in, p := longTable(task, true), learn.Params{"trees": 5, "leaves": 6}
	keep := gbdt.Checkpoint{Path: filepath.Join(t.TempDir(), "state"), Due: func(rounds int) bool { return rounds == 3 }}
	if _, err := keep.Fit(context.Background(), in, p); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(keep.Path)
	if err != nil {
		t.Fatal(err)
	}
	return raw, in, p
}

func TestCheckpointRefusesAnotherFit(t *testing.T) {
	t.Parallel()
	raw, _, params := kept(t, bundle.Binary)
	keep := gbdt.Checkpoint{Path: filepath.Join(t.TempDir(), "state")}
	for what, change := range map[string]func(in *learn.Train, p learn.Params){
		"":                         func(in *learn.Train, p learn.Params) { in.Workers = 3 },
		"other data: value":        func(in *learn.Train, _ learn.Params) { in.X.Data[600] = 0.125 },
		"other data: label":        func(in *learn.Train, _ learn.Params) { in.Y[899] = 1 - in.Y[899] },
		"other data: weight":       func(in *learn.Train, _ learn.Params) { in.W[7]++ },
		"other data: no weights":   func(in *learn.Train, _ learn.Params) { in.W = nil },
		"other data: categories":   func(in *learn.Train, _ learn.Params) { in.Categories = []int{0, 0, 41, 0, 0, 0} },
		"other data: validation":   func(in *learn.Train, _ learn.Params) { in.Valid.Y[0] = 1 - in.Valid.Y[0] },
		"other data: none":         func(in *learn.Train, _ learn.Params) { in.Valid = nil },
		"other data: another task": func(in *learn.Train, _ learn.Params) { in.Task = bundle.Regression },
		"another seed":             func(in *learn.Train, _ learn.Params) { in.Seed++ },
		"other settings: a number": func(_ *learn.Train, p learn.Params) { p["lambda"] = 1e-9 },
		"other settings: trees":    func(_ *learn.Train, p learn.Params) { p["trees"] = 6 },
		"other settings: a list":   func(_ *learn.Train, p learn.Params) { p["monotone"] = []int{1, 0, 0, 0, 0, 0} },
		"other settings: lists":    func(_ *learn.Train, p learn.Params) { p["interactions"] = [][]int{{0, 1}} },
	} {
		if err := os.WriteFile(keep.Path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		in := longTable(bundle.Binary, true)
		p := maps.Clone(params)
		change(&in, p)
		_, err := keep.Fit(context.Background(), in, p)
		want, _, _ := strings.Cut(what, ":")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), keep.Path)) {
			t.Errorf("%q: error %v", what, err)
		}
	}
}

// Whatever happened to the file, the fit is refused.
func TestCheckpointRefusesDamage(t *testing.T) {
	t.Parallel()
	for _, task := range []bundle.Task{bundle.Binary, bundle.Multiclass} {
		raw, in, p := kept(t, task)
		rng := seed.Stream(1, "damage", 0)
		path := filepath.Join(t.TempDir(), "state")
		refused := func(what string, src []byte) {
			t.Helper()
			if err := os.WriteFile(path, src, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := (gbdt.Checkpoint{Path: path}).Fit(context.Background(), in, p); err == nil {
				t.Errorf("%s, %s of %d bytes: no error", task, what, len(raw))
			}
		}
		refused("nothing", nil)
		refused("one byte more", append(raw[:len(raw):len(raw)], 0))
		for range 40 {
			n := rng.IntN(len(raw))
			refused(fmt.Sprintf("the first %d bytes", n), raw[:n])
			flipped := append([]byte(nil), raw...)
			flipped[n] ^= 1 << rng.IntN(8)
			refused(fmt.Sprintf("bit flipped in byte %d", n), flipped)
		}
	}
	in := patchy(bundle.Binary, 100, 1)
	for path, want := range map[string]string{
		t.TempDir(): "is not a file",
		filepath.Join(t.TempDir(), "no", "state"): "no such file",
	} {
		if _, err := (gbdt.Checkpoint{Path: path}).Fit(context.Background(), in, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", path, err, want)
		}
	}
}

// A file of a fit that has ended gives the same members again.
func TestCheckpointOfLastRound(t *testing.T) {
	t.Parallel()
	in, p := longTable(bundle.Binary, true), learn.Params{"trees": 7, "early_stopping_rounds": 3}
	keep := gbdt.Checkpoint{Path: filepath.Join(t.TempDir(), "state")}
	var got [2]string
	for i := range got {
		members, err := keep.Fit(context.Background(), in, p)
		got[i] = fingerprints(t, forestsOf(t, members, err))
	}
	if want := fingerprints(t, fitAny(t, in, p)); got[0] != want || got[1] != want {
		t.Errorf("%s and again %s, want %s", got[0], got[1], want)
	}
}
