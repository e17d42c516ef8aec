package bundle_test

import (
	"context"
	"errors"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/linear"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/bundle/tree/treetest"
	"github.com/tandem-ml/tandem/data"
)

// Against a background, the contribution of a column of a blend is its Shapley
// value in the game that scores the row with the columns outside of the
// coalition taken from a background row: here by trying all 64 coalitions. In
// blend the trees have one feature for each column, and the linear member is
// additive, so that it is no matter that its Income has two.
func TestBackgroundContributionsAreShapleyValues(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(21, 1))
	m := blend(t, rng)
	background := applicants(rng, 7)
	b, err := m.Against(t.Context(), background)
	if err != nil {
		t.Fatal(err)
	}
	rows := applicants(rng, 6)
	part, mixed := make([]float64, inputs), make([]float64, inputs)
	for i := range rows.N {
		row := rows.Row(i)
		var value [1 << inputs]float64
		for known := range value {
			for k := range background.N {
				copy(mixed, background.Row(k))
				for j := range mixed {
					if known>>j&1 == 1 {
						mixed[j] = row[j]
					}
				}
				value[known] += m.Margin(mixed) / float64(background.N)
			}
		}
		base, margin := b.Contributions(part, row)
		if !sameBits(margin, m.Margin(row)) || math.Abs(base-value[0]) > 1e-12 {
			t.Errorf("row %d: base %v, want the background's mean %v; margin %v, want %v", i, base, value[0], margin, m.Margin(row))
		}
		for j, got := range part {
			want := 0.0
			for s := range value {
				if s>>j&1 == 0 {
					size := bits.OnesCount(uint(s))
					weight := math.Gamma(float64(size+1)) * math.Gamma(float64(inputs-size)) / math.Gamma(inputs+1)
					want += weight * (value[s|1<<j] - value[s])
				}
			}
			if math.Abs(got-want) > 1e-12 {
				t.Errorf("row %d column %d: %v, want %v", i, j, got, want)
			}
		}
	}
}

func TestBackgroundOfClasses(t *testing.T) {
	t.Parallel()
	m := mustModel(t, threeClasses("softmax"))
	b, err := m.Against(t.Context(), bundle.Rows{N: 2, Cols: 2, Data: []float64{0, 1, 2, 2}})
	if err != nil {
		t.Fatal(err)
	}
	x, err := m.Interactor()
	if err != nil {
		t.Fatal(err)
	}
	part, matrix := make([]float64, 2), make([]float64, 4)
	// The margins are x, 2y and 1; the background's means are x = 1 and y = 1.5, those of training 0.5 and 0.25.
	for _, c := range []struct{ row, part, own []float64 }{
		{[]float64{3, 0.5}, []float64{2, 0}, []float64{2.5, 0}},
		{[]float64{0, 2}, []float64{0, 1}, []float64{0, 3.5}},
		{[]float64{-1, -1}, []float64{0, 0}, []float64{0, 0}},
	} {
		base, margin := b.Contributions(part, c.row)
		if want, _ := m.Score(c.row); margin != want || !slices.Equal(part, c.part) || base+part[0]+part[1] != margin {
			t.Errorf("row %v: %v = %v + %v, want %v and %v", c.row, margin, base, part, want, c.part)
		}
		base, margin = x.Interactions(matrix, c.row)
		if want, _ := m.Score(c.row); margin != want || !slices.Equal(matrix, []float64{c.own[0], 0, 0, c.own[1]}) || base+matrix[0]+matrix[3] != margin {
			t.Errorf("row %v: %v = %v + %v, want %v and %v alone", c.row, margin, base, matrix, want, c.own)
		}
	}
}

// Rows together have the bits of each alone, of one class and of several.
func TestBackgroundOfManyRows(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(26, 1))
	for name, c := range map[string]struct {
		m    *bundle.Model
		rows bundle.Rows
	}{
		"blend":   {blend(t, rng), applicants(rng, 50)},
		"classes": {mustModel(t, threeClasses("softmax")), bundle.Rows{N: 4, Cols: 2, Data: []float64{3, 0.5, -1, -1, 0, 2, 1, 4}}},
	} {
		b, err := c.m.Against(t.Context(), c.rows)
		if err != nil {
			t.Fatal(err)
		}
		n, cols := c.rows.N, c.rows.Cols
		all, base, margin, one := make([]float64, n*cols), make([]float64, n), make([]float64, n), make([]float64, cols)
		b.ContributionRows(all, base, margin, c.rows)
		for i := range n {
			alone, m := b.Contributions(one, c.rows.Row(i))
			if alone != base[i] || m != margin[i] || !slices.Equal(one, all[i*cols:][:cols]) {
				t.Errorf("%s: row %d alone: %v = %v + %v, among others %v = %v + %v", name, i, m, alone, one, margin[i], base[i], all[i*cols:][:cols])
			}
		}
	}
}

func TestAgainstRefuses(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(22, 1))
	m := blend(t, rng)
	most := applicants(rng, bundle.MaxBackground)
	if _, err := m.Against(t.Context(), most); err != nil {
		t.Errorf("%d rows: %v", most.N, err)
	}
	for want, rows := range map[string]bundle.Rows{
		"no rows":                          {Cols: inputs},
		"rows have 5 columns, the model":   {N: 1, Cols: 5, Data: make([]float64, 5)},
		"1001 rows are more than the 1000": {N: 1001, Cols: inputs, Data: append(slices.Clone(most.Data), most.Row(0)...)},
	} {
		if _, err := m.Against(t.Context(), rows); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Against(ctx, most); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestInteractionsOfABlend(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(23, seed))
		m := blend(t, rng)
		x, err := m.Interactor()
		if err != nil {
			t.Fatal(err)
		}
		rows := applicants(rng, 10)
		matrix, part := make([]float64, inputs*inputs), make([]float64, inputs)
		for i := range rows.N {
			base, margin := x.Interactions(matrix, rows.Row(i))
			wantBase, wantMargin := m.Contributions(part, rows.Row(i))
			if !sameBits(base, wantBase) || !sameBits(margin, wantMargin) {
				t.Errorf("seed %d: base %v and margin %v, of the contributions %v and %v", seed, base, margin, wantBase, wantMargin)
			}
			for a := range inputs {
				sum := 0.0
				for b := range inputs {
					sum += matrix[a*inputs+b]
					if matrix[a*inputs+b] != matrix[b*inputs+a] {
						t.Errorf("seed %d: columns %d and %d differ from each other's side", seed, a, b)
					}
				}
				if math.Abs(sum-part[a]) > 1e-12 {
					t.Errorf("seed %d: column %d: interactions add up to %v, the contribution is %v", seed, a, sum, part[a])
				}
			}
		}
	}
}

// Two features of one column interact on the diagonal: with both trees' splits
// on the month and the hour of one time there is no pair of columns.
func TestInteractionsAreSummedToInputs(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(24, 1))
	m := mustModel(t, bundle.Model{
		Contract: data.Contract{Fields: []data.Field{
			{Name: "at", Kind: data.Time, Role: data.Feature}, {Name: "x", Kind: data.Number, Role: data.Feature},
		}},
		Members: []bundle.Member{
			{Learner: "gbdt", Weight: 0.5, Trees: treetest.Random(rng, []int{0, 0}, 8, 12), Plan: step.Plan{
				{Name: "month", Input: 0, Op: step.Month}, {Name: "hour", Input: 0, Op: step.Hour}}},
			{Learner: "linear", Weight: 2, Linear: &linear.Model{Weight: []float64{3}, Mean: []float64{1}},
				Plan: step.Plan{{Name: "x", Input: 1, Op: step.Standard, Scale: 1, Low: -9, High: 9}}},
		},
		Calibration: bundle.Calibration{Method: "identity"},
	})
	x, err := m.Interactor()
	if err != nil {
		t.Fatal(err)
	}
	row, matrix, part := []float64{1e15, 2}, make([]float64, 4), make([]float64, 2)
	x.Interactions(matrix, row)
	m.Contributions(part, row)
	if math.Abs(matrix[0]-part[0]) > 1e-12 || part[0] == 0 || matrix[1] != 0 || matrix[2] != 0 || matrix[3] != 6 {
		t.Errorf("interactions %v, contributions %v", matrix, part)
	}
}

func TestInteractorRefuses(t *testing.T) {
	t.Parallel()
	m := bundle.Model{Calibration: bundle.Calibration{Method: "identity"}}
	for range bundle.MaxInteracting + 1 {
		m.Contract.Fields = append(m.Contract.Fields, data.Field{Name: "x" + strings.Repeat("x", len(m.Contract.Fields)), Kind: data.Number, Role: data.Feature})
	}
	m.Members = []bundle.Member{{Learner: "linear", Weight: 1, Linear: &linear.Model{}}}
	if _, err := mustModel(t, m).Interactor(); err == nil || !strings.Contains(err.Error(), "2001 columns") {
		t.Errorf("too many columns: %v", err)
	}
}

func TestReasonsOfPairsAndBackgroundsAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	rng := rand.New(rand.NewPCG(25, 1))
	m := blend(t, rng)
	b, err := m.Against(t.Context(), applicants(rng, 5))
	if err != nil {
		t.Fatal(err)
	}
	x, err := m.Interactor()
	if err != nil {
		t.Fatal(err)
	}
	row, dst := applicants(rng, 1).Data, make([]float64, inputs*inputs)
	if n := testing.AllocsPerRun(100, func() { b.Contributions(dst, row); x.Interactions(dst, row) }); n >= 1 {
		t.Errorf("%v allocations a row", n)
	}
}
