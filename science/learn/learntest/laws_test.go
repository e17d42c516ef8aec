package learntest

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	blinear "github.com/tandem-ml/tandem/bundle/linear"
	"github.com/tandem-ml/tandem/science/learn"
)

// sound is a learner that passes: least squares on the first feature alone,
// told where the signal is. Breaking one thing at a time shows that each law
// is able to fail.
type sound struct{ fault string }

func (sound) Name() string       { return "sound" }
func (sound) Input() learn.Input { return learn.Dense }

func (s sound) Fit(ctx context.Context, t learn.Train, p learn.Params) (bundle.Member, error) {
	none := bundle.Member{}
	if err := ctx.Err(); err != nil && s.fault != "ignores cancel" {
		return none, err
	}
	if t.Task == bundle.Multiclass && s.fault != "takes any task" {
		return none, errors.New("several classes")
	}
	for name := range p {
		if s.fault != "takes any setting" {
			return none, errors.New("unknown setting " + name)
		}
	}
	n := t.X.Rows
	if s.fault != "takes any table" {
		if n == 0 || len(t.Y) != n || t.W != nil && len(t.W) != n {
			return none, errors.New("broken table")
		}
		for _, y := range t.Y {
			if !(math.Abs(y) < 1e300) || t.Task == bundle.Binary && y != 0 && y != 1 {
				return none, errors.New("broken label")
			}
		}
	}
	var w, x, y, xx, xy float64
	for i := range min(n, len(t.Y)) {
		u := 1.0
		if i < len(t.W) && s.fault != "ignores weights" {
			u = t.W[i]
		}
		if s.fault == "looks at the order" {
			u *= 1 + float64(i%7)
		}
		a, b := t.X.Row(i)[0], t.Y[i]
		w, x, y, xx, xy = w+u, x+u*a, y+u*b, xx+u*a*a, xy+u*a*b
	}
	if s.fault == "looks at the workers" {
		xy += float64(t.Workers)
	}
	if s.fault == "writes into its input" {
		t.Y[0] = 1 - t.Y[0]
	}
	slope := (xy - x*y/w) / (xx - x*x/w)
	if s.fault == "finds nothing" {
		slope = 0
	}
	if !(math.Abs(slope) < 1e9) && s.fault != "gives infinite weights" || w == 0 {
		return none, errors.New("nothing to learn from")
	}
	weights := make([]float64, t.X.Cols)
	weights[0] = slope
	m := bundle.Member{Learner: "sound", Weight: 1, Linear: &blinear.Model{
		Intercept: y/w - slope*x/w, Weight: weights, Mean: make([]float64, t.X.Cols)}}
	if s.fault == "forgets its name" {
		m.Learner = ""
	}
	return m, nil
}

// FitClasses fits each class against the others.
func (s sound) FitClasses(ctx context.Context, t learn.Train, p learn.Params) ([]bundle.Member, error) {
	if t.Task != bundle.Multiclass && s.fault != "takes any task" {
		return nil, errors.New("one output")
	}
	var members []bundle.Member
	for k := range t.Classes {
		one := t
		one.Task, one.Y = bundle.Regression, make([]float64, len(t.Y))
		for i, y := range t.Y {
			if !(y >= 0 && y < float64(t.Classes) && y == math.Trunc(y)) && s.fault != "takes any table" {
				return nil, errors.New("broken label")
			}
			if y == float64(k) {
				one.Y[i] = 1
			}
		}
		m, err := s.Fit(ctx, one, p)
		if err != nil {
			return nil, err
		}
		if m.Output = k; s.fault == "mixes up its outputs" {
			m.Output = 0
		}
		if k == 0 && s.fault == "looks at the order" {
			m.Linear.Intercept++
		}
		members = append(members, m)
	}
	if s.fault == "writes into its input" {
		t.Y[0] = 1 - t.Y[0]
	}
	return members, nil
}

func TestLawsCanFail(t *testing.T) {
	t.Parallel()
	both := []bundle.Task{bundle.Regression, bundle.Multiclass}
	for _, c := range []struct {
		fault, law string
		tasks      []bundle.Task
	}{
		{"finds nothing", "a linear signal is found", both},
		{"forgets its name", "the members are well formed", both},
		{"mixes up its outputs", "the members are well formed", both[1:]},
		{"ignores weights", "a weight of two is two rows", both},
		{"looks at the order", "the order of the rows matters little", both},
		{"looks at the order", "the order of the classes matters little", both[1:]},
		{"looks at the workers", "any number of workers, the same bytes", both},
		{"writes into its input", "the input is left alone", both},
		{"ignores cancel", "a cancelled fit returns the context's error", both},
		{"takes any setting", "unknown settings are refused by name", both},
		{"takes any table", "broken tables are refused", both},
		{"takes any task", "other tasks are refused", both},
		{"gives infinite weights", "hard tables give finite margins or an error", both},
	} {
		for _, law := range laws() {
			if law.name != c.law {
				continue
			}
			for _, task := range c.tasks {
				o := Options{WeightTolerance: 1e-6, OrderTolerance: 1e-6}
				if err := law.check(sound{}, task, o); c.law != "a linear signal is found" && err != nil {
					t.Errorf("%s, %s: the sound learner breaks it: %v", c.law, task, err)
				}
				if err := law.check(sound{c.fault}, task, o); err == nil {
					t.Errorf("%s, %s: not noticed that the learner %s", c.law, task, c.fault)
				}
			}
		}
	}
}

// The measures of the suite, on numbers small enough for the hand.
func TestQuality(t *testing.T) {
	t.Parallel()
	// By hand: of the pairs (0.4, 0.3), (0.4, 0.5), (0.5, 0.3), (0.5, 0.5) of a
	// positive and a negative, two are in order and one is tied.
	if got := quality(bundle.Binary, []float64{1, 1, 0, 0}, [][]float64{{0.4, 0.5, 0.3, 0.5}}); got != 2.5/4 {
		t.Errorf("AUC with a tie is %g, want 0.625", got)
	}
	// By hand: residuals 1, 0, 1 and deviations 1, 0, 1 of the labels.
	if got := quality(bundle.Regression, []float64{1, 2, 3}, [][]float64{{2, 2, 2}}); math.Abs(got) > 1e-15 {
		t.Errorf("R² of the mean is %g, want 0", got)
	}
	// By hand: one row of each class; the first two have equal probabilities,
	// those of class 0 higher, and the third one's of class 2 is higher. Against
	// the others class 0 has one pair in order and one tied, class 1 two tied,
	// class 2 two in order.
	margins := [][]float64{{1, 1, 0}, {0, 0, 0}, {0, 0, 1}}
	if got := quality(bundle.Multiclass, []float64{0, 1, 2}, margins); math.Abs(got-(0.75+0.5+1)/3) > 1e-15 {
		t.Errorf("mean AUC of three classes is %g", got)
	}
	if got := distance([]float64{1, 2, 4}, []float64{1, 2, 3}); math.Abs(got-math.Sqrt(0.5)) > 1e-15 {
		t.Errorf("distance is %g, want sqrt(1/2)", got)
	}
}
