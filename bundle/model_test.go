package bundle_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/linear"
	"github.com/tandem-ml/tandem/bundle/num"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/bundle/tree/treetest"
)

func sameBits(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }

func TestScoreIsTheWeightedSumOfMembers(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 0))
	m := blend(t, rng)
	rows := applicants(rng, 200)
	for i := range rows.N {
		row := rows.Row(i)
		var want float64
		for _, b := range m.Members {
			x := make([]float64, len(b.Plan))
			b.Plan.Apply(x, row)
			if b.Trees != nil {
				want += b.Weight * b.Trees.Margin(x)
			} else {
				want += b.Weight * b.Linear.Margin(x)
			}
		}
		margin, score := m.Score(row)
		if math.Abs(margin-want) > 1e-12 {
			t.Fatalf("row %d: margin %v, want %v", i, margin, want)
		}
		if p := 1 / (1 + math.Exp(0.2-0.9*margin)); math.Abs(score-p) > 1e-14 {
			t.Fatalf("row %d: score %v, want %v", i, score, p)
		}
		if !sameBits(margin, m.Margin(row)) {
			t.Fatalf("row %d: Score and Margin differ", i)
		}
		want2 := "good"
		if score >= 0.25 {
			want2 = "bad"
		}
		if got := m.Decide(score); got != want2 {
			t.Fatalf("Decide(%v) = %q, want %q", score, got, want2)
		}
	}
	if got := m.Decide(0.25); got != "bad" {
		t.Errorf("a score at the threshold is %q, want the positive label", got)
	}
	if got := m.Decide(math.NaN()); got != "" {
		t.Errorf("a NaN score is decided as %q", got)
	}
}

func TestScoreRowsHasTheBitsOfScore(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(2, 0))
	m := blend(t, rng)
	for _, n := range []int{0, 1, 63, 64, 65, 1000} {
		rows := applicants(rng, n)
		margin, score, alone := make([]float64, n), make([]float64, n), make([]float64, n)
		m.ScoreRows(margin, score, rows)
		m.ScoreRows(alone, nil, rows)
		for i := range n {
			a, b := m.Score(rows.Row(i))
			if !sameBits(a, margin[i]) || !sameBits(b, score[i]) || !sameBits(a, alone[i]) {
				t.Fatalf("%d rows, row %d: (%v, %v), alone (%v, %v)", n, i, margin[i], score[i], a, b)
			}
		}
	}
}

func TestContributionsAddUp(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(3, seed))
		m := blend(t, rng)
		rows := applicants(rng, 20)
		part := make([]float64, inputs)
		for i := range rows.N {
			base, margin := m.Contributions(part, rows.Row(i))
			sum := base
			for _, p := range part {
				sum += p
			}
			if !sameBits(margin, m.Margin(rows.Row(i))) || math.Abs(sum-margin) > 1e-9 {
				t.Fatalf("seed %d: base + contributions = %v, margin %v (%v)", seed, sum, margin, m.Margin(rows.Row(i)))
			}
		}
	}
}

// The contribution of an input of a linear member is its weight times the
// distance from the mean, summed over its features and times the member's
// weight: Income has two features here.
func TestContributionsAreSummedToInputs(t *testing.T) {
	t.Parallel()
	m, err := bundle.NewModel(bundle.Model{
		Contract: lender(),
		Members: []bundle.Member{{
			Learner: "linear", Weight: 0.5,
			Plan: step.Plan{
				{Name: "Income", Input: income, Op: step.Standard, Mean: 100, Scale: 50, High: 1000},
				{Name: "Income missing", Input: income, Op: step.Missing},
				{Name: "Job = others", Input: job, Op: step.OneHot, Index: 2},
			},
			Linear: &linear.Model{Intercept: 1, Weight: []float64{2, 4, 8}, Mean: []float64{0, 0.25, 0.5}},
		}},
		Calibration: bundle.Calibration{Method: "identity"},
	})
	if err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	part := make([]float64, inputs)
	base, margin := m.Contributions(part, []float64{150, 2, nan, nan, nan, nan})
	// base 0.5*(1 + 4*0.25 + 8*0.5) = 3; Income 0.5*(2*1 + 4*(0-0.25)) = 0.5; Job 0.5*8*(1-0.5) = 2
	if base != 3 || margin != 5.5 || !slices.Equal(part, []float64{0.5, 2, 0, 0, 0, 0}) {
		t.Errorf("base %v, margin %v, contributions %v", base, margin, part)
	}
	if _, score := m.Score([]float64{150, 2, nan, nan, nan, nan}); score != 5.5 {
		t.Errorf("score %v of a regression, want the margin", score)
	}
	if got := m.Decide(5.5); got != "" {
		t.Errorf("a regression decided %q", got)
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	// Weights make the contributions of Income, Job, Owner and Ratio -3, 2, 2 and 1.
	nan := math.NaN()
	plan := step.Plan{
		{Name: "a", Input: income, Op: step.Standard, Scale: 1, High: 1000},
		{Name: "b", Input: job, Op: step.OneHot, Index: 1},
		{Name: "c", Input: owner, Op: step.Missing},
		{Name: "d", Input: ratio, Op: step.Standard, Scale: 1, Low: -1, High: 1},
	}
	m, err := bundle.NewModel(bundle.Model{
		Contract:    lender(),
		Members:     []bundle.Member{{Learner: "logistic", Weight: 1, Plan: plan, Linear: &linear.Model{Weight: []float64{-0.03, 2, 2, 1}, Mean: make([]float64, 4)}}},
		Calibration: bundle.Calibration{Method: "sigmoid", A: 1},
		Decision:    bundle.Decision{Positive: "bad", Negative: "good", Threshold: 0.5},
	})
	if err != nil {
		t.Fatal(err)
	}
	row := []float64{100, 1, nan, nan, nan, math.Inf(1)}
	texts := map[string]string{"Job": "The kind of employment"}
	show := func(rs []bundle.Reason) string {
		var out []string
		for _, r := range rs {
			out = append(out, r.Text)
		}
		return strings.Join(out, "; ")
	}
	for _, c := range []struct {
		limit    int
		positive bool
		want     string
	}{
		{4, true, "The kind of employment; Owner is missing; Ratio: +Inf"},
		{2, true, "The kind of employment; Owner is missing"},
		{0, true, ""},
		{-1, true, ""},
		{4, false, "Income: 100"},
	} {
		rs := m.Reasons(row, c.limit, c.positive, texts)
		if got := show(rs); got != c.want {
			t.Errorf("limit %d, positive %v: %q, want %q", c.limit, c.positive, got, c.want)
		}
		for _, r := range rs {
			if (r.Contribution > 0) != c.positive {
				t.Errorf("reason %q pushed the other way: %v", r.Text, r.Contribution)
			}
		}
	}
	if r := m.Reasons(row, 1, true, nil)[0]; r.Column != "Job" || r.Value != "freelance" || r.Contribution != 2 {
		t.Errorf("reason %+v", r)
	}
	// A reason names only what the model reads: never Records, never Age.
	for _, r := range m.Reasons(row, 100, true, nil) {
		if r.Column == "Age" || r.Column == "Records" {
			t.Errorf("reason of unread column %q", r.Column)
		}
	}
}

func TestReasonsOfUnseenCategories(t *testing.T) {
	t.Parallel()
	m, err := bundle.NewModel(bundle.Model{
		Contract: lender(),
		Members: []bundle.Member{{
			Learner: "logistic", Weight: 1,
			Plan:   step.Plan{{Name: "Job = fixed", Input: job, Op: step.OneHot}},
			Linear: &linear.Model{Weight: []float64{-1}, Mean: []float64{0.5}},
		}},
		Calibration: bundle.Calibration{Method: "sigmoid", A: 1},
		Decision:    bundle.Decision{Positive: "bad", Negative: "good"},
	})
	if err != nil {
		t.Fatal(err)
	}
	row := make([]float64, inputs)
	extras, err := m.Layout().DecodeJSON(row, []byte(`{"Income": 1, "Job": "pirate"}`), true)
	if err != nil {
		t.Fatal(err)
	}
	reasons := m.Reasons(row, 1, true, nil)
	if reasons[0].Value != bundle.Unseen || reasons[0].Text != "Job: "+bundle.Unseen {
		t.Errorf("before Restore: %+v", reasons[0])
	}
	if extras.Restore(m.Layout(), reasons); reasons[0].Value != "pirate" || reasons[0].Text != "Job: pirate" {
		t.Errorf("after Restore: %+v", reasons[0])
	}
}

func TestScoringFromManyGoroutines(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(4, 0))
	m := blend(t, rng)
	rows := applicants(rng, 50)
	want := make([]float64, rows.N)
	m.ScoreRows(want, nil, rows)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			part := make([]float64, inputs)
			for i := range rows.N {
				if _, margin := m.Contributions(part, rows.Row(i)); !sameBits(margin, want[i]) || !sameBits(m.Margin(rows.Row(i)), want[i]) {
					t.Errorf("row %d: another margin", i)
				}
			}
		})
	}
	wg.Wait()
}

func TestScoreDoesNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes sync.Pool allocate: allocations are counted without -race only")
	}
	rng := rand.New(rand.NewPCG(5, 0))
	m := blend(t, rng)
	row := applicants(rng, 1).Row(0)
	part := make([]float64, inputs)
	if n := testing.AllocsPerRun(200, func() { m.Score(row) }); n >= 1 {
		t.Errorf("Score allocates %v times", n)
	}
	if n := testing.AllocsPerRun(200, func() { m.Contributions(part, row) }); n >= 1 {
		t.Errorf("Contributions allocates %v times", n)
	}
}

// A calibrated score keeps the order of margins.
func TestCalibrationKeepsOrder(t *testing.T) {
	t.Parallel()
	c := bundle.Calibration{Method: "sigmoid", A: 1.3, B: -0.4}
	last := 0.0
	for x := -50.0; x <= 50; x += 0.01 {
		s := c.Score(x)
		if s < last || s < 0 || s > 1 {
			t.Fatalf("score %v at margin %v after %v", s, x, last)
		}
		last = s
	}
	plain := bundle.Calibration{Method: "sigmoid", A: 1}
	if got := plain.Score(0.7); got != num.Sigmoid(0.7) {
		t.Errorf("the plain link gives %v, want %v", got, num.Sigmoid(0.7))
	}
}

// The exponential link is exact where exp is, and never leaves the numbers.
func TestExpLink(t *testing.T) {
	t.Parallel()
	c := bundle.Calibration{Method: "exp"}
	for _, x := range []float64{0, 1, -3.5, 700, -800} {
		if got := c.Score(x); got != num.Exp(x) {
			t.Errorf("score %v at margin %v, want %v", got, x, num.Exp(x))
		}
	}
	if got := c.Score(1e6); got != math.MaxFloat64 {
		t.Errorf("score %v at margin 1e6, want the largest number", got)
	}
}

func TestNewModelRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want string
		harm       func(m *bundle.Model)
	}{
		{"no members", "no members", func(m *bundle.Model) { m.Members = nil }},
		{"neither", "either trees or linear", func(m *bundle.Model) { m.Members[0].Trees = nil }},
		{"both", "either trees or linear", func(m *bundle.Model) { m.Members[0].Linear = m.Members[1].Linear }},
		{"weight", "weight", func(m *bundle.Model) { m.Members[0].Weight = math.NaN() }},
		{"plan input", "input 6", func(m *bundle.Model) { m.Members[0].Plan[0].Input = inputs }},
		{"plan length", "features", func(m *bundle.Model) { m.Members[0].Plan = m.Members[0].Plan[1:] }},
		{"linear length", "weights", func(m *bundle.Model) { m.Members[1].Plan = m.Members[1].Plan[1:] }},
		{"linear reads missing", "may be missing", func(m *bundle.Model) { m.Members[1].Plan[0].Op = step.Number }},
		{"values for fewer categories", "2 categories, and column \"Job\" (category) has 3", func(m *bundle.Model) {
			m.Members[0].Plan[1] = step.Feature{Name: "Job target mean", Input: job, Op: step.TargetMean, Categories: 2, Values: []float64{1, 2}}
		}},
		{"values for a number", "column \"Income\" (number) has 0", func(m *bundle.Model) {
			m.Members[0].Plan[0] = step.Feature{Name: "Income target mean", Input: income, Op: step.TargetMean, Categories: 2, Values: []float64{1, 2}}
		}},
		{"values for a number, but none", "column \"Income\" (number) has 0", func(m *bundle.Model) {
			m.Members[0].Plan[0] = step.Feature{Name: "Income target mean", Input: income, Op: step.TargetMean}
		}},
		{"values lost", "1 values for 3 categories", func(m *bundle.Model) {
			m.Members[0].Plan[1] = step.Feature{Name: "Job target mean", Input: job, Op: step.TargetMean, Categories: 3, Values: []float64{1}}
		}},
		{"forest", "forest", func(m *bundle.Model) { m.Members[0].Trees.Root[1] = 0; m.Members[0].Trees.Root[0] = 3 }},
		{"slope", "slope", func(m *bundle.Model) { m.Calibration.A = 0 }},
		{"calibration", "unknown method", func(m *bundle.Model) { m.Calibration.Method = "isotonic" }},
		{"one label", "labels", func(m *bundle.Model) { m.Decision.Negative = "" }},
		{"same labels", "labels", func(m *bundle.Model) { m.Decision.Negative = "bad" }},
		{"threshold", "threshold", func(m *bundle.Model) { m.Decision.Threshold = math.Inf(1) }},
		{"regression decides", "regression", func(m *bundle.Model) { m.Calibration = bundle.Calibration{Method: "identity"} }},
		{"contract", "twice", func(m *bundle.Model) { m.Contract.Fields[1].Name = "Age" }},
	} {
		m := blend(t, rand.New(rand.NewPCG(6, 0)))
		bad := bundle.Model{Contract: m.Contract, Members: m.Members, Calibration: m.Calibration, Decision: m.Decision}
		c.harm(&bad)
		if _, err := bundle.NewModel(bad); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one about %q", c.name, err, c.want)
		}
	}
}

func BenchmarkScore(b *testing.B) {
	rng := rand.New(rand.NewPCG(7, 0))
	m := blend(b, rng)
	row := applicants(rng, 1).Row(0)
	b.ReportAllocs()
	for b.Loop() {
		m.Score(row)
	}
}

// Scores and contributions do not depend on the kernel.
func TestKernels(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(6, 6))
	m := blend(t, rng)
	const n = 700
	rows := bundle.Rows{N: n, Cols: inputs}
	for range n {
		rows.Data = append(rows.Data, treetest.Row(rng, categories)...)
	}
	want, got := make([]float64, n), make([]float64, n)
	m.ScoreRows(want, nil, rows)
	part, other := make([]float64, inputs), make([]float64, inputs)
	for _, k := range tree.Kernels() {
		km, err := m.WithKernel(k)
		if err != nil {
			t.Fatal(err)
		}
		km.ScoreRows(got, nil, rows)
		for i := range n {
			one := km.Margin(rows.Row(i))
			if math.Float64bits(got[i]) != math.Float64bits(want[i]) || math.Float64bits(one) != math.Float64bits(want[i]) {
				t.Fatalf("%s: row %d: %v in a block, %v alone, want %v", k, i, got[i], one, want[i])
			}
			m.Contributions(part, rows.Row(i))
			km.Contributions(other, rows.Row(i))
			if !slices.Equal(part, other) {
				t.Fatalf("%s: row %d: contributions %v, want %v", k, i, other, part)
			}
		}
	}
	if _, err := m.WithKernel("abacus"); err == nil {
		t.Error("a kernel that does not exist was accepted")
	}
}
