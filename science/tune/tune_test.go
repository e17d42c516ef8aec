package tune_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/metrics"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/tune"
)

func ExampleSearch() {
	// 500 loans: the odds of default fall with income and double for students.
	c := &data.Contract{Fields: []data.Field{
		{Name: "Income", Kind: data.Number, Role: data.Feature},
		{Name: "Job", Kind: data.Category, Role: data.Feature, Categories: []string{"fixed", "student"}},
	}}
	r := seed.Stream(1, "example", 0)
	cfg := tune.Config{Contract: c, Task: bundle.Binary, Rows: bundle.Rows{N: 500, Cols: 2}, Folds: make([][]int, 5), Seed: 1}
	for i := range 500 {
		income, job := 20+80*r.Float64(), float64(r.IntN(2))
		y := 0.0
		if r.Float64() < 1/(1+math.Exp((income-50)/10-job*math.Ln2)) {
			y = 1
		}
		cfg.Rows.Data, cfg.Y = append(cfg.Rows.Data, income, job), append(cfg.Y, y)
		cfg.Train, cfg.Folds[i%5] = append(cfg.Train, i), append(cfg.Folds[i%5], i)
	}
	result, err := tune.Search(context.Background(), cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	best, last := result.Leaderboard[0], result.Leaderboard[len(result.Leaderboard)-1]
	fmt.Printf("%d candidates; %s is last with AUC %.1f\n", len(result.Leaderboard), last.Learner, *last.AUC)
	fmt.Printf("the best has AUC %.1f, with every row scored by a model that has not seen it\n", *best.AUC)
	// Output:
	// 10 candidates; baseline is last with AUC 0.5
	// the best has AUC 0.9, with every row scored by a model that has not seen it
}

// table makes n rows with a number, a curve, a number with missing values and
// a category; extra rows that are not for training hold what must not be read.
func table(task bundle.Task, n, extra int) tune.Config {
	c := tune.Config{
		Contract: &data.Contract{Fields: []data.Field{
			{Name: "a", Kind: data.Number, Role: data.Feature},
			{Name: "b", Kind: data.Number, Role: data.Feature},
			{Name: "c", Kind: data.Number, Role: data.Feature},
			{Name: "d", Kind: data.Category, Role: data.Feature, Categories: []string{"p", "q", "r"}},
			{Name: "id", Kind: data.Text, Role: data.ID},
		}},
		Task: task, Seed: 11, Rows: bundle.Rows{N: n + extra, Cols: 4}, Workers: 2,
	}
	r := seed.Stream(5, "tune-test", n)
	for range n {
		a, b, m, d := r.NormFloat64(), r.NormFloat64(), r.NormFloat64(), float64(r.IntN(3))
		z := a + math.Abs(b) + float64(0.7*(d-1)) - 0.8
		if r.IntN(5) == 0 {
			m = math.NaN()
		}
		c.Rows.Data = append(c.Rows.Data, a, b, m, d)
		y := 10 + float64(3*z) + r.NormFloat64()
		if task == bundle.Binary {
			y = 0
			if r.Float64() < 1/(1+math.Exp(-2*z)) {
				y = 1
			}
		}
		c.Y = append(c.Y, y)
	}
	c.Rows.N = n
	divide(&c, 5)
	c.Rows.N = n + extra
	for range extra {
		c.Rows.Data = append(c.Rows.Data, 1e200, math.NaN(), math.Inf(-1), 9)
		c.Y = append(c.Y, math.NaN())
	}
	return c
}

func search(t *testing.T, c tune.Config) *tune.Result {
	t.Helper()
	r, err := tune.Search(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Failed {
		t.Errorf("%s failed: %v", f.Candidate, f.Err)
	}
	return r
}

// timeless returns a result without its durations.
func timeless(r *tune.Result) tune.Result {
	out := *r
	out.Leaderboard = slices.Clone(r.Leaderboard)
	for i := range out.Leaderboard {
		out.Leaderboard[i].Seconds = 0
	}
	return out
}

func labels(y []float64) []bool {
	out := make([]bool, len(y))
	for i, v := range y {
		out[i] = v == 1
	}
	return out
}

func TestBinary(t *testing.T) {
	t.Parallel()
	c := table(bundle.Binary, 800, 0)
	r := search(t, c)
	if !r.Complete || r.Metric != "auc" {
		t.Errorf("complete %v, metric %q", r.Complete, r.Metric)
	}
	names := map[string]bool{}
	for i, row := range r.Leaderboard {
		names[row.Learner] = true
		if i > 0 && *row.AUC > *r.Leaderboard[i-1].AUC {
			t.Errorf("%s with AUC %v stands below %s with %v", row.Learner, *row.AUC, r.Leaderboard[i-1].Learner, *r.Leaderboard[i-1].AUC)
		}
		if row.RMSE != nil || row.Rows != 800 || len(row.OOF) != 800 {
			t.Errorf("%s: rmse %v, %d rows, %d margins", row.Learner, row.RMSE, row.Rows, len(row.OOF))
		}
		if row.Learner == "baseline" {
			if *row.AUC != 0.5 || *row.AUCSD != 0 {
				t.Errorf("baseline: AUC %v, sd %v; it ranks nothing", *row.AUC, *row.AUCSD)
			}
			continue
		}
		// From outside: the package's numbers against package metrics.
		auc, err := metrics.AUC(labels(c.Y), row.OOF, nil)
		if err != nil || auc != *row.AUC {
			t.Errorf("%s: AUC %v, of its margins %v (%v)", row.Learner, *row.AUC, auc, err)
		}
		p := make([]float64, len(row.OOF))
		for i, m := range row.OOF {
			p[i] = 1 / (1 + math.Exp(-m))
		}
		loss, err := metrics.LogLoss(labels(c.Y), p, nil)
		if err != nil || math.Abs(loss-*row.LogLoss) > 1e-9 {
			t.Errorf("%s: log loss %v, of its margins %v (%v)", row.Learner, *row.LogLoss, loss, err)
		}
	}
	for _, want := range []string{"baseline", "logistic", "logistic/curves", "gbdt/shallow", "blend"} {
		if !names[want] {
			t.Errorf("no %q on the leaderboard", want)
		}
	}
	// The signal has a bend: the curve must be found and the plain line not.
	if best := *r.Leaderboard[0].AUC; best < 0.85 {
		t.Errorf("best AUC %v, want at least 0.85", best)
	}
	usable(t, c, r)
}

// usable checks that the members make a model that ranks its training rows.
func usable(t *testing.T, c tune.Config, r *tune.Result) {
	t.Helper()
	sum := 0.0
	for _, m := range r.Members {
		sum += m.Weight
	}
	if math.Abs(sum-1) > 1e-12 {
		t.Errorf("weights add up to %v", sum)
	}
	calibration := bundle.Calibration{Method: "sigmoid", A: 1}
	if c.Task == bundle.Regression {
		calibration = bundle.Calibration{Method: "identity"}
	}
	m, err := bundle.NewModel(bundle.Model{Contract: *c.Contract, Members: r.Members, Calibration: calibration})
	if err != nil {
		t.Fatal(err)
	}
	margin, score := make([]float64, c.Rows.N), make([]float64, c.Rows.N)
	m.ScoreRows(margin, score, c.Rows)
	chosen := r.Leaderboard[r.Chosen]
	if c.Task == bundle.Binary {
		auc, err := metrics.AUC(labels(c.Y), margin, nil)
		if err != nil || auc < *chosen.AUC-0.01 {
			t.Errorf("AUC on the training rows is %v (%v), out of fold %v", auc, err, *chosen.AUC)
		}
	} else if rmse, err := metrics.RMSE(c.Y, margin); err != nil || rmse > *chosen.RMSE*1.02 {
		t.Errorf("RMSE on the training rows is %v (%v), out of fold %v", rmse, err, *chosen.RMSE)
	}
}

func TestRegression(t *testing.T) {
	t.Parallel()
	c := table(bundle.Regression, 800, 0)
	r := search(t, c)
	if r.Metric != "rmse" {
		t.Errorf("metric %q, want rmse", r.Metric)
	}
	for _, row := range r.Leaderboard {
		rmse, _ := metrics.RMSE(c.Y, row.OOF)
		mae, _ := metrics.MAE(c.Y, row.OOF)
		if math.Abs(rmse-*row.RMSE) > 1e-9 || math.Abs(mae-*row.MAE) > 1e-9 || row.AUC != nil {
			t.Errorf("%s: rmse %v, mae %v; of its margins %v, %v", row.Learner, *row.RMSE, *row.MAE, rmse, mae)
		}
	}
	// The noise has standard deviation 1; no model can be better, and the line
	// misses the bend by more.
	if best := *r.Leaderboard[0].RMSE; best < 0.9 || best > 1.3 {
		t.Errorf("best RMSE %v, want about 1", best)
	}
	usable(t, c, r)
}

func TestLogLossRanks(t *testing.T) {
	t.Parallel()
	c := table(bundle.Binary, 400, 0)
	c.Metric = "log_loss"
	r := search(t, c)
	for i := 1; i < len(r.Leaderboard); i++ {
		if *r.Leaderboard[i].LogLoss < *r.Leaderboard[i-1].LogLoss {
			t.Errorf("%s stands below %s with a larger log loss", r.Leaderboard[i].Learner, r.Leaderboard[i-1].Learner)
		}
	}
}

func TestSameBytesForAnyWorkers(t *testing.T) {
	t.Parallel()
	for _, task := range []bundle.Task{bundle.Binary, bundle.Regression} {
		c := table(task, 400, 0)
		c.Workers = 1
		first := timeless(search(t, c))
		for _, workers := range []int{2, 8} {
			c.Workers = workers
			if got := timeless(search(t, c)); !reflect.DeepEqual(got, first) {
				t.Errorf("%s: %d workers choose %s, 1 worker %s; members or leaderboard differ",
					task, workers, got.Leaderboard[got.Chosen].Learner, first.Leaderboard[first.Chosen].Learner)
			}
		}
	}
}

// TestOnlyTrainingRowsAreRead has rows outside Train that would break a fit.
func TestOnlyTrainingRowsAreRead(t *testing.T) {
	t.Parallel()
	clean, poisoned := timeless(search(t, table(bundle.Binary, 400, 0))), timeless(search(t, table(bundle.Binary, 400, 50)))
	if !reflect.DeepEqual(clean, poisoned) {
		t.Error("rows outside Train change the result")
	}
}

// TestNothingIsLearnedFromNoise shuffles the labels. The standard error of an
// AUC of 1,000 rows is 0.018; four of them are a false alarm in 10,000.
func TestNothingIsLearnedFromNoise(t *testing.T) {
	t.Parallel()
	c := table(bundle.Binary, 1000, 0)
	seed.Stream(9, "shuffle", 0).Shuffle(len(c.Y), func(i, j int) { c.Y[i], c.Y[j] = c.Y[j], c.Y[i] })
	divide(&c, 5)
	for _, row := range search(t, c).Leaderboard {
		if math.Abs(*row.AUC-0.5) > 4*0.018 {
			t.Errorf("%s has AUC %v on shuffled labels", row.Learner, *row.AUC)
		}
	}
}

// TestTreesDoNotPeek checks that the number of trees of a fold's model does not
// come from the fold itself, by the mean AUC over 16 tables of shuffled labels:
// its standard error is 0.008, while a fold's own best number of trees gives
// some 0.05 too much. The blend is left out: its weights are chosen on the same
// rows.
func TestTreesDoNotPeek(t *testing.T) {
	t.Parallel()
	const tables = 16
	sum := map[string]float64{}
	for k := range tables {
		c := table(bundle.Binary, 300, 0)
		seed.Stream(10, "shuffle", k).Shuffle(len(c.Y), func(i, j int) { c.Y[i], c.Y[j] = c.Y[j], c.Y[i] })
		divide(&c, 5)
		for _, row := range search(t, c).Leaderboard {
			sum[row.Learner] += *row.AUC / tables
		}
	}
	delete(sum, "blend")
	for name, auc := range sum {
		if math.Abs(auc-0.5) > 0.025 {
			t.Errorf("%s has a mean AUC of %.4f on shuffled labels", name, auc)
		}
	}
}

func TestInterpretable(t *testing.T) {
	t.Parallel()
	c := table(bundle.Binary, 400, 0)
	c.Interpretable = true
	r := search(t, c)
	for _, row := range r.Leaderboard {
		if strings.HasPrefix(row.Learner, "gbdt") || row.Learner == "blend" {
			t.Errorf("%s is on the leaderboard of interpretable models", row.Learner)
		}
	}
	if len(r.Members) != 1 || r.Members[0].Linear == nil {
		t.Errorf("members %v, want one linear", r.Members)
	}
}

func TestPortfolio(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, l := range tune.Learners() {
		known[l.Name()] = true
	}
	for _, task := range []bundle.Task{bundle.Binary, bundle.Regression} {
		names := map[string]bool{}
		for i, c := range tune.Portfolio(task, 1000, false) {
			if names[c.Name] || !strings.HasPrefix(c.Name, c.Learner.Name()) || !known[c.Learner.Name()] {
				t.Errorf("%s: candidate %q of learner %q: the name is taken, of another learner, or the learner unknown", task, c.Name, c.Learner.Name())
			}
			names[c.Name] = true
			if i < 2 && c.Learner.Input() != learn.Dense {
				t.Errorf("%s: candidate %d is %s; the baseline and a linear model come first", task, i, c.Name)
			}
		}
	}
}

func TestBoundaries(t *testing.T) {
	t.Parallel()
	t.Run("no features", func(t *testing.T) {
		t.Parallel()
		c := table(bundle.Binary, 60, 0)
		c.Contract, c.Rows.Cols, c.Rows.Data = &data.Contract{}, 0, nil
		r, err := tune.Search(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Leaderboard[r.Chosen].Learner; got != "baseline" {
			t.Errorf("chosen %s, want the baseline: the simplest of equals", got)
		}
	})
	t.Run("all missing and constant", func(t *testing.T) {
		t.Parallel()
		c := table(bundle.Binary, 60, 0)
		for i := range c.Rows.Data {
			c.Rows.Data[i] = []float64{math.NaN(), 7, math.NaN(), 1}[i%4]
		}
		r, err := tune.Search(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Leaderboard[r.Chosen].Learner; got != "baseline" {
			t.Errorf("chosen %s, want the baseline", got)
		}
	})
	t.Run("one positive row", func(t *testing.T) {
		t.Parallel()
		c := table(bundle.Binary, 40, 0)
		for i := range c.Y {
			c.Y[i] = 0
		}
		c.Y[3] = 1
		divide(&c, 5)
		r, err := tune.Search(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range r.Leaderboard {
			for i, m := range row.OOF {
				if math.IsNaN(m) || math.IsInf(m, 0) {
					t.Fatalf("%s: margin of row %d is %v", row.Learner, i, m)
				}
			}
		}
		if len(r.Members) == 0 {
			t.Error("no members")
		}
	})
	t.Run("two rows", func(t *testing.T) {
		t.Parallel()
		c := table(bundle.Regression, 2, 0)
		divide(&c, 2)
		if r, err := tune.Search(context.Background(), c); err != nil || len(r.Members) == 0 {
			t.Errorf("result %v, error %v", r, err)
		}
	})
}

func TestErrors(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		spoil func(*tune.Config)
		want  string
	}{
		{"task", func(c *tune.Config) { c.Task = "forecast" }, `task "forecast"`},
		{"metric", func(c *tune.Config) { c.Metric = "rmse" }, `metric "rmse" does not fit a binary task`},
		{"contract", func(c *tune.Config) { c.Contract = nil }, "there is no contract"},
		{"columns", func(c *tune.Config) { c.Contract = &data.Contract{} }, "rows have 4 columns, the contract 0 inputs"},
		{"budget without clock", func(c *tune.Config) { c.Budget = 1 }, "a clock"},
		{"labels", func(c *tune.Config) { c.Y = c.Y[:3] }, "3 labels for 40 rows"},
		{"one class", func(c *tune.Config) { clear(c.Y) }, "the label is 0 in every training row"},
		{"label", func(c *tune.Config) { c.Y[7] = 2 }, "row 7: label 2"},
		{"folds", func(c *tune.Config) { c.Folds = c.Folds[:1] }, "1 folds"},
		{"fold missing", func(c *tune.Config) { c.Folds = c.Folds[:4] }, "the folds hold 32 of 40 training rows"},
		{"fold twice", func(c *tune.Config) { c.Folds[1] = c.Folds[0] }, "is not a training row or is in two folds"},
		{"empty fold", func(c *tune.Config) { c.Folds[2] = nil }, "fold 2 holds out 0 of 40"},
		{"row twice", func(c *tune.Config) { c.Train[1] = c.Train[0] }, "listed twice"},
		{"all at once", func(c *tune.Config) { c.Task = "x"; c.Y = nil }, "\n0 labels"},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			c := table(bundle.Binary, 40, 0)
			k.spoil(&c)
			if _, err := tune.Search(context.Background(), c); err == nil || !strings.Contains(err.Error(), k.want) {
				t.Errorf("error %v, want %q in it", err, k.want)
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	c := table(bundle.Binary, 200, 0)
	c.Progress = func(e tune.Event) {
		if e.Done == 2 {
			cancel()
		}
	}
	if _, err := tune.Search(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}
