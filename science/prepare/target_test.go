package prepare_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/metrics"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt"
	"github.com/tandem-ml/tandem/science/prepare"
)

// shops is a table of a number and a column of so many levels, drawn at random,
// with a value missing here and there; the last level of the dictionary never
// occurs. y is 0 or 1, drawn with a chance of its own for each level, or with
// one half if the labels are shuffled.
func shops(n, levels int, shuffled bool) (*data.Contract, bundle.Rows, []float64) {
	c := &data.Contract{Fields: []data.Field{{Name: "Size", Kind: data.Number, Role: data.Feature}, {Name: "Shop", Kind: data.Category, Role: data.Feature}}}
	for k := range levels + 1 {
		c.Fields[1].Categories = append(c.Fields[1].Categories, fmt.Sprintf("s%04d", k))
	}
	r := seed.Stream(5, "shops", n)
	chance := make([]float64, levels)
	for k := range chance {
		chance[k] = 0.5
		if !shuffled {
			chance[k] = r.Float64()
		}
	}
	rows, y := bundle.Rows{N: n, Cols: 2}, make([]float64, n)
	for i := range y {
		k := r.IntN(levels)
		code := float64(k)
		if i%40 == 7 {
			code = nan
		}
		rows.Data = append(rows.Data, r.NormFloat64(), code)
		if r.Float64() < chance[k] {
			y[i] = 1
		}
	}
	return c, rows, y
}

func TestTargetMeansByHand(t *testing.T) {
	t.Parallel()
	c, rows, y := shops(1500, 60, false)
	train := sequence(0, 1200)
	plan, categories := prepare.FitTarget(c, rows, train, prepare.Labels{Y: y})
	if got := fmt.Sprint(names(plan), categories); got != "[Size Shop target mean] [0 0]" {
		t.Fatal(got)
	}
	sum, count, all := make(map[float64]float64), make(map[float64]float64), 0.0
	for _, r := range train {
		code := rows.Data[2*r+1]
		if code != code {
			code = -1 // a map finds no NaN
		}
		sum[code] += y[r]
		count[code]++
		all += y[r]
	}
	prior := all / 1200
	mean := func(code float64) float64 { return (sum[code] + 10*prior) / (count[code] + 10) }
	for code := range 60 {
		if got, want := plan[1].Values[code], mean(float64(code)); math.Abs(got-want) > 1e-15 {
			t.Errorf("level %d: %v, want %v", code, got, want)
		}
	}
	x := prepare.Apply(plan, bundle.Rows{N: 3, Cols: 2, Data: []float64{1, nan, 2, 60, 3, 61}}, []int{0, 1, 2})
	for i, want := range []float64{mean(-1), prior, prior} { // missing, never seen in training, not in the dictionary
		if got := x.Row(i)[1]; math.Abs(got-want) > 1e-15 {
			t.Errorf("row %d: %v, want %v", i, got, want)
		}
	}
	harmed := slices.Clone(y)
	for i := 1200; i < 1500; i++ {
		harmed[i] = nan
	}
	again, _ := prepare.FitTarget(c, rows, train, prepare.Labels{Y: harmed})
	if !slices.Equal(plan[1].Values, again[1].Values) {
		t.Error("labels of rows that are not for training are in the means")
	}
}

func TestWhichColumnsBecomeMeans(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rows, levels, classes int
		want                  string
	}{
		{1000, 50, 0, "[Size Shop target mean]"},
		{1000, 49, 0, "[Size Shop]"},
		{900, 100, 0, "[Size Shop]"}, // nine rows a level
		{1000, 50, 3, "[Size Shop target mean Shop target mean Shop target mean]"},
		{1000, 50, 11, "[Size Shop]"},
	} {
		contract, rows, y := shops(c.rows, c.levels, false)
		plan, categories := prepare.FitTarget(contract, rows, sequence(0, c.rows), prepare.Labels{Y: y, Classes: c.classes})
		if got := fmt.Sprint(names(plan)); got != c.want || len(categories) != len(plan) {
			t.Errorf("%+v: got %s", c, got)
		}
		if err := plan.Check(2); err != nil {
			t.Error(err)
		}
	}
	contract, rows, y := shops(100, 10, false)
	train := sequence(0, 100)
	plan, _ := prepare.FitTarget(contract, rows, train, prepare.Labels{Y: y})
	if x := prepare.ApplyOrdered(plan, rows, train, prepare.Labels{Y: y}); &x.Data[0] != &rows.Data[0] {
		t.Error("a table without means was copied")
	}
}

// The law of ordered statistics: of two rows of a level exactly one is told the
// other's label, and none its own. So the rows stand in an order, and each
// knows those before it.
func TestNoRowIsToldItsOwnLabel(t *testing.T) {
	t.Parallel()
	c, rows, y := shops(1000, 50, false)
	train := sequence(100, 1000)
	for _, classes := range []int{0, 2} {
		l := prepare.Labels{Y: y, Classes: classes, Seed: 4}
		plan, _ := prepare.FitTarget(c, rows, train, l)
		before := prepare.ApplyOrdered(plan, rows, train, l)
		// told[j] are the rows of level 0 that know the label of the j-th.
		var level []int
		for i, r := range train {
			if rows.Data[2*r+1] == 0 {
				level = append(level, i)
			}
		}
		told := make([][]bool, len(level))
		for j, i := range level {
			changed := l
			changed.Y = slices.Clone(y)
			changed.Y[train[i]] = 1 - y[train[i]]
			after := prepare.ApplyOrdered(plan, rows, train, changed)
			for _, k := range level {
				told[j] = append(told[j], !slices.Equal(before.Row(k)[1:], after.Row(k)[1:]))
			}
			if before.Row(i)[0] != after.Row(i)[0] {
				t.Error("a number changed with a label")
			}
		}
		for j := range level {
			for k := range level {
				if j == k && told[j][k] {
					t.Errorf("classes %d: row %d is told its own label", classes, level[j])
				}
				if j != k && told[j][k] == told[k][j] {
					t.Errorf("classes %d: rows %d and %d know each other's label: %v, %v", classes, level[j], level[k], told[j][k], told[k][j])
				}
			}
		}
	}
}

// The feature of the last row of a level is the mean of all others, the first
// one's is the overall mean of the rows before it.
func TestOrderedMeansByHand(t *testing.T) {
	t.Parallel()
	c, rows, _ := shops(600, 50, false)
	train, y := sequence(0, 600), make([]float64, 600)
	for i := range y {
		y[i] = 3 // so that every mean of rows is 3, and only the first row has none before it
	}
	l := prepare.Labels{Y: y, Seed: 9}
	plan, _ := prepare.FitTarget(c, rows, train, l)
	x := prepare.ApplyOrdered(plan, rows, train, l)
	other := prepare.ApplyOrdered(plan, rows, train, prepare.Labels{Y: y, Seed: 10})
	if slices.Equal(x.Data, other.Data) {
		t.Error("the order does not depend on the seed")
	}
	first := 0
	for i := range train {
		if v := x.Row(i)[1]; v == 0 {
			first++
		} else if math.Abs(v-3) > 1e-12 {
			t.Errorf("row %d: %v, want 3", i, v)
		}
	}
	if first != 1 {
		t.Errorf("%d rows have nothing before them", first)
	}
}

// Where labels are drawn without regard to a column of many levels, nothing can
// be learned from it. Means that hold a row's own label make trees believe that
// there is: the training rows look well told apart, and new rows get scores
// that are worse than none. Ordered means do not.
func TestNothingIsLearnedFromShuffledLabels(t *testing.T) {
	t.Parallel()
	c, rows, y := shops(9000, 300, true)
	train, held := sequence(0, 4500), sequence(4500, 9000)
	l := prepare.Labels{Y: y, Seed: 1}
	plan, categories := prepare.FitTarget(c, rows, train, l)
	unseen := prepare.Apply(plan, rows, held)
	fit := func(x learn.Matrix) (onTrain, onHeld, loss float64) {
		m, err := gbdt.Learner{}.Fit(t.Context(), learn.Train{Task: bundle.Binary, Categories: categories, Workers: 1,
			Data: learn.Data{X: x, Y: y[:4500]}}, learn.Params{"trees": 20, "leaves": 4})
		if err != nil {
			t.Fatal(err)
		}
		onTrain, _ = judge(t, m, x, y[:4500])
		onHeld, loss = judge(t, m, unseen, y[4500:])
		return onTrain, onHeld, loss
	}
	naiveTrain, _, naiveLoss := fit(prepare.Apply(plan, rows, train))
	orderedTrain, orderedHeld, orderedLoss := fit(prepare.ApplyOrdered(plan, rows, train, l))
	// Trees of 4500 rows find a little in noise, whatever they are shown.
	if naiveTrain < 0.63 || orderedTrain > 0.59 {
		t.Errorf("training AUC %.3f with means that leak and %.3f without", naiveTrain, orderedTrain)
	}
	if math.Abs(orderedHeld-0.5) > 0.03 { // 3.5 standard errors
		t.Errorf("AUC of new rows is %.3f where nothing can be learned", orderedHeld)
	}
	if naiveLoss < math.Ln2+0.01 || orderedLoss > math.Ln2+0.005 {
		t.Errorf("log loss of new rows %.4f with means that leak and %.4f without; knowing nothing has %.4f", naiveLoss, orderedLoss, math.Ln2)
	}
	t.Logf("training AUC %.3f and %.3f, new rows' log loss %.4f and %.4f", naiveTrain, orderedTrain, naiveLoss, orderedLoss)
}

// Where levels do differ, the means tell it.
func TestManyLevelsAreLearned(t *testing.T) {
	t.Parallel()
	c, rows, y := shops(9000, 300, false)
	train, held := sequence(0, 4500), sequence(4500, 9000)
	l := prepare.Labels{Y: y, Seed: 1}
	auc := func(plan step.Plan, categories []int, x learn.Matrix) float64 {
		m, err := gbdt.Learner{}.Fit(t.Context(), learn.Train{Task: bundle.Binary, Categories: categories, Workers: 1,
			Data: learn.Data{X: x, Y: y[:4500]}}, learn.Params{"trees": 30, "leaves": 8})
		if err != nil {
			t.Fatal(err)
		}
		a, _ := judge(t, m, prepare.Apply(plan, rows, held), y[4500:])
		return a
	}
	plan, categories := prepare.FitTarget(c, rows, train, l)
	means := auc(plan, categories, prepare.ApplyOrdered(plan, rows, train, l))
	plan, categories = prepare.Fit(c, rows, train, learn.Raw)
	codes := auc(plan, categories, prepare.Apply(plan, rows, train))
	if means < 0.7 || means < codes {
		t.Errorf("AUC %.3f with means, %.3f with codes", means, codes)
	}
}

// judge returns the AUC and the log loss of a member.
func judge(t *testing.T, m bundle.Member, x learn.Matrix, y []float64) (auc, loss float64) {
	t.Helper()
	score, label := make([]float64, len(y)), make([]bool, len(y))
	m.Trees.Margins(score, x.Data)
	for i := range y {
		score[i], label[i] = 1/(1+math.Exp(-score[i])), y[i] == 1
	}
	auc, err := metrics.AUC(label, score, nil)
	if err != nil {
		t.Fatal(err)
	}
	if loss, err = metrics.LogLoss(label, score, nil); err != nil {
		t.Fatal(err)
	}
	return auc, loss
}
