package learntest

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn"
)

const tableRows = 2000

// slack is by how much AUC or R² on fresh rows may stay behind that of the
// truth: what 2,000 rows cannot teach. A learner that misses one of the
// planted effects stays behind by more.
const slack = 0.06

// fit returns a member for each output.
func fit(l learn.Learner, t table, o Options) ([]bundle.Member, error) {
	members, err := fitTask(context.Background(), l, t.Train, o.Params)
	if err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	return members, nil
}

// fitTask is FitClasses for multiclass tasks and Fit for the others.
func fitTask(ctx context.Context, l learn.Learner, t learn.Train, p learn.Params) ([]bundle.Member, error) {
	if t.Task != bundle.Multiclass {
		m, err := l.Fit(ctx, t, p)
		return []bundle.Member{m}, err
	}
	c, ok := l.(learn.Classifier)
	if !ok {
		return nil, fmt.Errorf("%s is no learn.Classifier", l.Name())
	}
	return c.FitClasses(ctx, t, p)
}

// all returns the margins of all rows, per output.
func all(members []bundle.Member, x learn.Matrix) [][]float64 {
	var margins [][]float64
	for _, m := range members {
		margins = append(margins, Margins(m, x))
	}
	return margins
}

func findsLinear(l learn.Learner, task bundle.Task, o Options) error {
	return finds(l, linear(task, tableRows, 0), linear(task, tableRows, 1), o)
}

func findsRaw(l learn.Learner, task bundle.Task, o Options) error {
	if l.Input() != learn.Raw {
		return nil
	}
	return finds(l, raw(task, tableRows, 0), raw(task, tableRows, 1), o)
}

func finds(l learn.Learner, train, fresh table, o Options) error {
	if o.NoSignal {
		return nil
	}
	m, err := fit(l, train, o)
	if err != nil {
		return err
	}
	got := quality(train.Task, fresh.Y, all(m, fresh.X))
	best := quality(train.Task, fresh.Y, fresh.truth)
	if !(got >= best-slack) {
		return fmt.Errorf("AUC or R² on fresh rows is %.4f, the truth has %.4f", got, best)
	}
	return nil
}

// learnsNothingFromNoise shuffles the labels of the fresh rows as well: noise
// points somewhere, and if that is by chance where the signal was, old labels
// would look learned.
//
// Without signal AUC on n fresh rows of each class has mean 1/2 and variance
// (2n+1)/(12n²), 0.0129² here: the bound of 0.065 is five standard deviations.
// The mean over three classes varies no more.
// R² of 2,000 rows is above 0.065 with less chance than that.
func learnsNothingFromNoise(l learn.Learner, task bundle.Task, o Options) error {
	train, fresh := linear(task, tableRows, 2), linear(task, tableRows, 3)
	for k, y := range [][]float64{train.Y, fresh.Y} {
		seed.Stream(1, "learntest/shuffle", k).Shuffle(tableRows, func(i, j int) { y[i], y[j] = y[j], y[i] })
	}
	m, err := fit(l, train, o)
	if err != nil {
		return err
	}
	got := quality(task, fresh.Y, all(m, fresh.X))
	if task != bundle.Regression && !(math.Abs(got-0.5) < 0.065) || task == bundle.Regression && !(got < 0.065) {
		return fmt.Errorf("AUC or R² on fresh rows is %.4f after learning from shuffled labels", got)
	}
	return nil
}

func wellFormed(l learn.Learner, task bundle.Task, o Options) error {
	t := tableFor(l, task)
	members, err := fit(l, t, o)
	if err != nil {
		return err
	}
	if len(members) != max(1, t.Classes) {
		return fmt.Errorf("%d members for %d classes", len(members), t.Classes)
	}
	for k, m := range members {
		if m.Output != k {
			return fmt.Errorf("member %d has the output %d", k, m.Output)
		}
		if err := formed(l, m, t.X.Cols); err != nil {
			return err
		}
	}
	return nil
}

func formed(l learn.Learner, m bundle.Member, features int) error {
	switch {
	case m.Learner != l.Name():
		return fmt.Errorf("the member's learner is %q, the learner's name %q", m.Learner, l.Name())
	case m.Weight != 1:
		return fmt.Errorf("the member's weight is %g, not 1", m.Weight)
	case len(m.Plan) != 0:
		return fmt.Errorf("the member has a plan of %d features; the caller sets it", len(m.Plan))
	}
	return check(m, features)
}

// check runs the check of the prediction form.
func check(m bundle.Member, features int) error {
	switch {
	case (m.Trees == nil) == (m.Linear == nil):
		return fmt.Errorf("exactly one of Trees and Linear must be set")
	case m.Linear != nil:
		return m.Linear.Check(features)
	case m.Trees.Features != features:
		return fmt.Errorf("the forest is for %d features, the table has %d", m.Trees.Features, features)
	}
	return m.Trees.Check()
}

// tableFor is the table for checks that are not about what is learned.
func tableFor(l learn.Learner, task bundle.Task) table {
	if l.Input() == learn.Raw {
		return raw(task, tableRows, 4)
	}
	return linear(task, tableRows, 4)
}

func weightsAreRows(l learn.Learner, task bundle.Task, o Options) error {
	t := tableFor(l, task)
	t.W = make([]float64, t.X.Rows)
	var rows []int
	for i := range t.W {
		t.W[i] = float64(1 + i%2)
		for range 1 + i%2 {
			rows = append(rows, i)
		}
	}
	repeated := t.pick(rows)
	repeated.W = nil
	return same(l, t, repeated, o, o.WeightTolerance)
}

func zeroIsNoRow(l learn.Learner, task bundle.Task, o Options) error {
	t := tableFor(l, task)
	t.W = make([]float64, t.X.Rows)
	var rows []int
	for i := range t.W {
		if i%3 > 0 {
			t.W[i] = 1
			rows = append(rows, i)
		} else if task == bundle.Regression {
			t.Y[i] = 1e6 // would be seen
		} else if task == bundle.Multiclass {
			t.Y[i] = 0 // as well
		}
	}
	absent := t.pick(rows)
	absent.W = nil
	return same(l, t, absent, o, o.WeightTolerance)
}

func orderMattersLittle(l learn.Learner, task bundle.Task, o Options) error {
	t := tableFor(l, task)
	return same(l, t, t.pick(seed.Stream(1, "learntest/order", 0).Perm(t.X.Rows)), o, o.OrderTolerance)
}

// classesHaveNoOrder numbers the classes anew.
func classesHaveNoOrder(l learn.Learner, task bundle.Task, o Options) error {
	if task != bundle.Multiclass {
		return nil
	}
	t := tableFor(l, task)
	before, err := fit(l, t, o)
	if err != nil {
		return err
	}
	renamed := t.clone()
	for i, y := range t.Y {
		renamed.Y[i] = float64((int(y) + 1) % classes)
	}
	after, err := fit(l, renamed, o)
	if err != nil {
		return err
	}
	var was, is []float64
	for k := range classes {
		was, is = append(was, Margins(before[k], t.X)...), append(is, Margins(after[(k+1)%classes], t.X)...)
	}
	if d := distance(is, was); !(d <= o.OrderTolerance) {
		return fmt.Errorf("margins differ by %.3g standard deviations, allowed are %g", d, o.OrderTolerance)
	}
	return nil
}

// same compares the margins of fits to two tables on the rows of the first.
func same(l learn.Learner, a, b table, o Options, tolerance float64) error {
	ma, err := fit(l, a, o)
	if err != nil {
		return err
	}
	mb, err := fit(l, b, o)
	if err != nil {
		return err
	}
	if d := distance(slices.Concat(all(ma, a.X)...), slices.Concat(all(mb, a.X)...)); !(d <= tolerance) {
		return fmt.Errorf("margins differ by %.3g standard deviations, allowed are %g", d, tolerance)
	}
	return nil
}

func workersCannotBeSeen(l learn.Learner, task bundle.Task, o Options) error {
	t := tableFor(l, task)
	var first []byte
	for _, workers := range []int{1, 2, 8} {
		t.Workers = workers
		m, err := fit(l, t, o)
		if err != nil {
			return err
		}
		got, err := encode(m)
		if err != nil {
			return err
		}
		if first == nil {
			first = got
		} else if !bytes.Equal(first, got) {
			return fmt.Errorf("the member of %d workers differs from that of 1", workers)
		}
	}
	return nil
}

// encode returns bytes that are equal exactly if the members' numbers are, bit
// for bit.
func encode(m []bundle.Member) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(m)
	return b.Bytes(), err
}

func concurrent(l learn.Learner, task bundle.Task, o Options) error {
	t := tableFor(l, task)
	t.Workers = 2
	var results [2][]byte
	var errs [2]error
	var wait sync.WaitGroup
	for i := range results {
		wait.Go(func() {
			m, err := fit(l, t, o)
			if err == nil {
				results[i], err = encode(m)
			}
			errs[i] = err
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	if !bytes.Equal(results[0], results[1]) {
		return fmt.Errorf("two fits at the same time give different members")
	}
	return nil
}

func inputIsLeftAlone(l learn.Learner, task bundle.Task, o Options) error {
	t := tableFor(l, task)
	t.W = make([]float64, t.X.Rows)
	for i := range t.W {
		t.W[i] = float64(i % 3)
	}
	valid := tableFor(l, task).pick([]int{1, 2, 3, 5, 8, 13, 21, 34, 55, 89})
	before, validBefore := t.clone(), valid.clone()
	t.Valid = &valid.Data
	if _, err := fit(l, t, o); err != nil {
		return err
	}
	for _, s := range []struct {
		what      string
		got, want []float64
	}{
		{"X", t.X.Data, before.X.Data}, {"Y", t.Y, before.Y}, {"W", t.W, before.W},
		{"Valid.X", valid.X.Data, validBefore.X.Data}, {"Valid.Y", valid.Y, validBefore.Y},
	} {
		for i, v := range s.got {
			if math.Float64bits(v) != math.Float64bits(s.want[i]) {
				return fmt.Errorf("%s[%d] was %v and is %v after the fit", s.what, i, s.want[i], v)
			}
		}
	}
	return nil
}
