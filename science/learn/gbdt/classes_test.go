package gbdt_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/num"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt"
)

// rings draws points of the plane; the class is the ring around the origin
// they lie in, wrong one time in ten.
func rings(n int, root uint64) learn.Train {
	rng := seed.Stream(root, "rings", 0)
	t := learn.Train{Task: bundle.Multiclass, Classes: 3, Seed: root}
	t.X = learn.Matrix{Rows: n, Cols: 2}
	for range n {
		x, y := rng.NormFloat64(), rng.NormFloat64()
		label := min(2, math.Floor(math.Hypot(x, y)))
		if rng.IntN(10) == 0 {
			label = float64(rng.IntN(3))
		}
		t.X.Data, t.Y = append(t.X.Data, x, y), append(t.Y, label)
	}
	return t
}

func fitClasses(t *testing.T, in learn.Train, p learn.Params) []bundle.Member {
	t.Helper()
	members, err := gbdt.Learner{}.FitClasses(context.Background(), in, p)
	if err != nil {
		t.Fatal(err)
	}
	if len(members) != in.Classes {
		t.Fatalf("%d members for %d classes", len(members), in.Classes)
	}
	for k, m := range members {
		if err := m.Trees.Check(); err != nil || m.Output != k {
			t.Fatalf("member %d of output %d: %v", k, m.Output, err)
		}
	}
	return members
}

// logLoss returns the mean log loss of members on rows, and the share of rows
// whose most probable class is the right one.
func logLoss(members []bundle.Member, d learn.Data) (loss, right float64) {
	p := make([]float64, len(members))
	for i, label := range d.Y {
		best := 0
		for k, m := range members {
			if p[k] = m.Trees.Margin(d.X.Row(i)); p[k] > p[best] {
				best = k
			}
		}
		num.Softmax(p)
		loss -= math.Log(p[int(label)]) / float64(len(d.Y))
		if best == int(label) {
			right += 1 / float64(len(d.Y))
		}
	}
	return loss, right
}

// TestClasses judges by what the labels allow: 10% of them are drawn anew, a
// third of which fall on the right class, so 93.3% can be told.
func TestClasses(t *testing.T) {
	t.Parallel()
	in, unseen := rings(20_000, 1), rings(5000, 2)
	if _, right := logLoss(fitClasses(t, in, nil), unseen.Data); right < 0.91 {
		t.Errorf("%.4f of the unseen rows are told, about 0.933 could be, if steps were circles", right)
	}
}

// TestClassesStopEarly follows the validation loss by hand: no earlier number
// of iterations has a lower one.
func TestClassesStopEarly(t *testing.T) {
	t.Parallel()
	in, valid := rings(1000, 3), rings(1000, 4)
	in.Valid = &valid.Data
	p := learn.Params{"trees": 300, "early_stopping_rounds": 10}
	stopped := fitClasses(t, in, p)
	n := len(stopped[0].Trees.Root) - 1
	if n < 5 || n > 200 {
		t.Fatalf("stopped after %d iterations", n)
	}
	want, _ := logLoss(stopped, valid.Data)
	in.Valid = nil
	for _, other := range []int{n - 1, n + 1, n + 10} {
		if loss, _ := logLoss(fitClasses(t, in, learn.Params{"trees": other}), valid.Data); loss < want {
			t.Errorf("%d iterations have a log loss of %.6f, below the %.6f of the %d kept", other, loss, want, n)
		}
	}
}

func TestClassesByAnyNumberOfWorkers(t *testing.T) {
	t.Parallel()
	var want []byte
	for _, workers := range []int{1, 2, 8} {
		in := rings(20_000, 5)
		in.Workers = workers
		var got bytes.Buffer
		for _, m := range fitClasses(t, in, learn.Params{"trees": 10, "row_fraction": 0.7, "feature_fraction": 0.5}) {
			for _, part := range []any{m.Trees.Base, m.Trees.Root, m.Trees.Feature, m.Trees.Threshold, m.Trees.Value, m.Trees.Cover} {
				if err := binary.Write(&got, binary.LittleEndian, part); err != nil {
					t.Fatal(err)
				}
			}
		}
		if want == nil {
			want = got.Bytes()
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%d workers: another model", workers)
		}
	}
}

// Class weights, balanced or written out, are weights of rows.
func TestClassWeights(t *testing.T) {
	t.Parallel()
	for _, task := range []bundle.Task{bundle.Binary, bundle.Multiclass} {
		in := patchy(task, 800, 6)
		valid := patchy(task, 300, 7)
		in.Valid = &valid.Data
		var mass [3]float64
		total := 0.0
		for i, label := range in.Y {
			mass[int(label)] += in.W[i]
			total += in.W[i]
		}
		classes := max(2, in.Classes)
		balanced := make([]float64, classes)
		for k := range balanced {
			balanced[k] = total / (float64(classes) * mass[k])
		}
		for _, c := range []struct {
			setting any
			factors []float64
		}{
			{"balanced", balanced}, {balanced, balanced}, {[]any{3, 1, 0.5}[:classes], []float64{3, 1, 0.5}}, {[]int{1, 1, 1}[:classes], []float64{1, 1, 1}},
		} {
			weighed := in
			weigh := func(d learn.Data) learn.Data {
				w := make([]float64, len(d.Y))
				for i, label := range d.Y {
					w[i] = d.W[i] * c.factors[int(label)]
				}
				d.W = w
				return d
			}
			weighed.Data = weigh(in.Data)
			heavy := weigh(valid.Data)
			weighed.Valid = &heavy
			p := learn.Params{"trees": 15}
			got, want := fingerprints(t, fitAny(t, in, with(p, "class_weights", c.setting))), fingerprints(t, fitAny(t, weighed, p))
			if got != want {
				t.Errorf("%s, class_weights %v: %s, with the weights written out %s", task, c.setting, got, want)
			}
		}
	}
}

func TestClassWeightsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		task bundle.Task
		p    learn.Params
		want string
	}{
		{bundle.Binary, learn.Params{"class_weights": []float64{1}}, "1 numbers for 2 classes"},
		{bundle.Binary, learn.Params{"class_weights": []float64{}}, "0 numbers for 2 classes"},
		{bundle.Multiclass, learn.Params{"class_weights": []float64{1, 2}}, "2 numbers for 3 classes"},
		{bundle.Multiclass, learn.Params{"class_weights": []float64{1, -2, 1}}, "is -2 for class 1"},
		{bundle.Multiclass, learn.Params{"class_weights": []float64{0, 2, 1}}, "is 0 for class 0"},
		{bundle.Multiclass, learn.Params{"class_weights": []float64{1, 2, nan}}, "is NaN for class 2"},
		{bundle.Multiclass, learn.Params{"class_weights": []float64{1, 2, inf}}, "is +Inf for class 2"},
		{bundle.Multiclass, learn.Params{"class_weights": []any{1, "2", 3}}, "must be one of none, balanced"},
		{bundle.Multiclass, learn.Params{"class_weights": "even"}, "is even, must be one of none, balanced"},
		{bundle.Regression, learn.Params{"class_weights": "balanced"}, "has no classes"},
		{bundle.Regression, learn.Params{"class_weights": []float64{1, 1}}, "has no classes"},
		{bundle.Binary, learn.Params{"class_weights": "balanced", "positive_weight": 2}, "use one"},
	} {
		in := patchy(c.task, 200, 8)
		var err error
		if c.task == bundle.Multiclass {
			_, err = gbdt.Learner{}.FitClasses(context.Background(), in, c.p)
		} else {
			_, err = gbdt.Learner{}.Fit(context.Background(), in, c.p)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: error %v, want %q", c.task, c.p, err, c.want)
		}
	}
	// Weights so small that nothing of a class remains.
	in := patchy(bundle.Binary, 200, 8)
	for i := range in.W {
		in.W[i] = 5e-324
	}
	if _, err := (gbdt.Learner{}).Fit(context.Background(), in, learn.Params{"class_weights": []float64{1, 0.1}}); !errors.Is(err, gbdt.ErrOneClass) {
		t.Errorf("a class without weight: error %v", err)
	}
}

// TestBalancedClasses gives the weights of class_weights=balanced by hand.
func TestBalancedClasses(t *testing.T) {
	t.Parallel()
	in := rings(3000, 6)
	balanced := fitClasses(t, in, learn.Params{"trees": 20, "class_weights": "balanced"})
	var count [3]float64
	for _, label := range in.Y {
		count[int(label)]++
	}
	for _, label := range in.Y {
		in.W = append(in.W, float64(len(in.Y))/(3*count[int(label)]))
	}
	for k, m := range fitClasses(t, in, learn.Params{"trees": 20}) {
		if math.Abs(balanced[k].Trees.Base-math.Log(1.0/3)) > 1e-12 {
			t.Errorf("class %d has the base %g, want the logarithm of a third", k, balanced[k].Trees.Base)
		}
		for i := range 100 {
			if a, b := m.Trees.Margin(in.X.Row(i)), balanced[k].Trees.Margin(in.X.Row(i)); a != b {
				t.Fatalf("class %d, row %d: margin %g with weights, %g balanced", k, i, a, b)
			}
		}
	}
}

func TestClassesRefuse(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(in *learn.Train){
		"from 2 to":             func(in *learn.Train) { in.Classes = 1 },
		"no training row is of": func(in *learn.Train) { in.Classes = 4 },
		"a whole number from 0": func(in *learn.Train) { in.Y[7] = 1.5 },
		"FitClasses is asked":   func(in *learn.Train) { in.Task, in.Classes = bundle.Regression, 0 },
	} {
		in := rings(100, 7)
		change(&in)
		if _, err := (gbdt.Learner{}).FitClasses(context.Background(), in, nil); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("want an error with %q, got %v", what, err)
		}
	}
	if _, err := (gbdt.Learner{}).Fit(context.Background(), rings(100, 8), nil); err == nil {
		t.Error("Fit takes a multiclass task")
	}
	for _, p := range []learn.Params{{"objective": "l1"}, {"monotone": []float64{1, 0}}, {"positive_weight": 2.0}} {
		if _, err := (gbdt.Learner{}).FitClasses(context.Background(), rings(100, 9), p); err == nil {
			t.Errorf("%v goes with classes", p)
		}
	}
}
