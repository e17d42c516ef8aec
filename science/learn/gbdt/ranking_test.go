package gbdt_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/metrics"
	"github.com/tandem-ml/tandem/science/learn"
	"github.com/tandem-ml/tandem/science/learn/gbdt"
)

// TestSameOrderAsLightGBM compares margins with those of LightGBM's lambdarank
// under the same settings (testdata/golden/make_lambdarank.py). Until the first
// tree all margins are equal and so are the gradients. After it, LightGBM takes
// the logistic function from a table with steps of 5e-5, which is what margins
// of ten trees differ by.
func TestSameOrderAsLightGBM(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/golden/lambdarank.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Rows            [][]*float64
		Labels, Weights []float64
		Groups          []int
		Cases           []struct {
			ID       string
			Weighted bool
			Params   learn.Params
			Margins  []float64
		}
	}
	if err := json.Unmarshal(raw, &golden); err != nil {
		t.Fatal(err)
	}
	x := learn.Matrix{Rows: len(golden.Rows), Cols: 4}
	for _, row := range golden.Rows {
		for _, v := range row {
			if v == nil {
				x.Data = append(x.Data, math.NaN())
				continue
			}
			x.Data = append(x.Data, *v)
		}
	}
	if len(golden.Cases) != 8 {
		t.Fatalf("%d cases", len(golden.Cases))
	}
	for _, c := range golden.Cases {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			in := learn.Train{Task: bundle.Regression, Data: learn.Data{X: x, Y: golden.Labels, Groups: golden.Groups}}
			if c.Weighted {
				in.W = golden.Weights
			}
			limit := 1e-7
			if c.Params["trees"] != 1.0 {
				limit = 5e-5
			}
			p := learn.Params{"lambda": 0, "node_fraction": 1, "cat_single": 0} // LightGBM's defaults
			maps.Copy(p, c.Params)
			f := mustFit(t, in, p)
			for i, want := range c.Margins {
				if got := f.Margin(x.Row(i)); !(math.Abs(got-want) <= limit) {
					t.Fatalf("row %d: margin %.9g, LightGBM has %.9g", i, got, want)
				}
			}
		})
	}
}

// queries draws the results of searches. What a result is worth is a matter of
// its features against those of the others of its search: a search has an
// offset on the first feature.
func queries(n int, root uint64) learn.Train {
	rng := seed.Stream(root, "queries", 0)
	t := learn.Train{Task: bundle.Regression, Seed: root, Data: learn.Data{X: learn.Matrix{Cols: 3}}}
	for range n {
		size, offset := 2+rng.IntN(40), 3*rng.NormFloat64()
		for range size {
			a, b := rng.NormFloat64(), rng.NormFloat64()
			t.X.Data = append(t.X.Data, a+offset, b, offset+0.5*rng.NormFloat64())
			t.Y = append(t.Y, math.Floor(max(0, min(4, 1.5*a+math.Abs(b)+0.3*rng.NormFloat64()))))
		}
		t.X.Rows += size
		t.Groups = append(t.Groups, size)
	}
	return t
}

// ndcg returns the NDCG of the first ten.
func ndcg(t *testing.T, f *tree.Forest, d learn.Data) float64 {
	t.Helper()
	margins := make([]float64, d.X.Rows)
	f.Margins(margins, d.X.Data)
	v, err := metrics.NDCG(d.Y, margins, d.Groups, 10)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestRanking compares with what squared error learns of the same rows: the
// levels of searches, which are of no use in an order within them.
func TestRanking(t *testing.T) {
	t.Parallel()
	in, unseen := queries(300, 1), queries(200, 2)
	got := ndcg(t, mustFit(t, in, learn.Params{"objective": "lambdarank", "leaves": 15, "trees": 60}), unseen.Data)
	in.Groups = nil
	level := ndcg(t, mustFit(t, in, learn.Params{"leaves": 15, "trees": 60}), unseen.Data)
	if got < 0.9 || got < level+0.005 {
		t.Errorf("NDCG %.4f of unseen searches, %.4f by squared error", got, level)
	}
}

// TestRankingStopsEarly follows the NDCG by hand: no earlier number of trees has
// a better one.
func TestRankingStopsEarly(t *testing.T) {
	t.Parallel()
	in, valid := queries(30, 3), queries(60, 4)
	in.Valid = &valid.Data
	p := learn.Params{"objective": "lambdarank", "trees": 300, "early_stopping_rounds": 10, "leaves": 7}
	stopped := mustFit(t, in, p)
	n := len(stopped.Root) - 1
	if n < 3 || n > 250 {
		t.Fatalf("stopped after %d trees", n)
	}
	want := ndcg(t, stopped, valid.Data)
	in.Valid = nil
	for other := max(1, n-6); other <= n+9; other += 3 {
		p["trees"] = other
		if got := ndcg(t, mustFit(t, in, p), valid.Data); got > want+1e-12 {
			t.Errorf("%d trees have an NDCG of %.9f, the %d kept %.9f", other, got, n, want)
		}
	}
}

func encode(t *testing.T, f *tree.Forest) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, part := range []any{f.Base, f.Root, f.Feature, f.Threshold, f.Value, f.Cover} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestRankingByAnyNumberOfWorkers(t *testing.T) {
	t.Parallel()
	in, valid := queries(400, 5), queries(100, 6)
	in.Valid = &valid.Data
	var want []byte
	for _, workers := range []int{1, 2, 8} {
		in.Workers = workers
		got := encode(t, mustFit(t, in, learn.Params{"objective": "lambdarank", "trees": 10, "row_fraction": 0.7, "feature_fraction": 0.7}))
		if want == nil {
			want = got
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d workers: another model", workers)
		}
	}
}

func TestRankingContinues(t *testing.T) {
	t.Parallel()
	in := queries(50, 12)
	p := learn.Params{"objective": "lambdarank", "trees": 12}
	want := mustFit(t, in, p)
	p["trees"] = 5
	from := mustFit(t, in, p)
	p["trees"] = 7
	m, err := gbdt.Continue(context.Background(), in, p, []*tree.Forest{from})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encode(t, m[0].Trees), encode(t, want)) {
		t.Error("5 trees continued by 7 are not 12 trees")
	}
}

// TestRankingOfWeightlessRows puts rows of weight 0 among the others, and groups
// of them, in training and validation.
func TestRankingOfWeightlessRows(t *testing.T) {
	t.Parallel()
	p := learn.Params{"objective": "lambdarank", "trees": 30, "early_stopping_rounds": 5, "min_rows": 5}
	in, valid := queries(60, 7), queries(60, 8)
	clean := in
	clean.Data, clean.Valid = weighted(in.Data), new(weighted(valid.Data))
	in.Data, in.Valid = withWeightless(clean.Data), new(withWeightless(*clean.Valid))
	a, b := mustFit(t, clean, p), mustFit(t, in, p)
	if len(a.Root) < 3 {
		t.Fatalf("%d trees", len(a.Root)-1)
	}
	if !bytes.Equal(encode(t, a), encode(t, b)) {
		t.Error("rows of weight 0 change the model")
	}
}

// weighted gives the rows weights from 0.5 to 2.
func weighted(d learn.Data) learn.Data {
	rng := seed.Stream(9, "weights", len(d.Y))
	for range d.Y {
		d.W = append(d.W, 0.5+1.5*rng.Float64())
	}
	return d
}

// withWeightless puts a row of weight 0 before each third row, and a group of
// three of them before each fourth group.
func withWeightless(d learn.Data) learn.Data {
	out := learn.Data{X: learn.Matrix{Cols: d.X.Cols}}
	row := func(x []float64, y, w float64) {
		out.X.Data, out.Y, out.W = append(out.X.Data, x...), append(out.Y, y), append(out.W, w)
		out.X.Rows++
	}
	junk := []float64{99, -99, 0}
	begin := 0
	for k, size := range d.Groups {
		if k%4 == 0 {
			for range 3 {
				row(junk, 31, 0)
			}
			out.Groups = append(out.Groups, 3)
		}
		more := 0
		for i := begin; i < begin+size; i++ {
			if i%3 == 0 {
				row(junk, 7, 0)
				more++
			}
			row(d.X.Row(i), d.Y[i], d.W[i])
		}
		out.Groups = append(out.Groups, size+more)
		begin += size
	}
	return out
}

func TestRankingRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want   string
		change func(in *learn.Train)
	}{
		{"label of training row 8 is 1.5, must be a whole number from 0 to 31", func(in *learn.Train) { in.Y[7] = 1.5 }},
		{"label of training row 8 is 32", func(in *learn.Train) { in.Y[7] = 32 }},
		{"label of training row 8 is -1", func(in *learn.Train) { in.Y[7] = -1 }},
		{"label of validation row 8 is 32", func(in *learn.Train) { in.Valid.Y[7] = 32 }},
		{"the last 5 of", func(in *learn.Train) { in.Groups[0] -= 5 }},
		{"training group 10 has", func(in *learn.Train) { in.Groups[0]++ }},
		{"training group 2 has 0 rows", func(in *learn.Train) { in.Groups[1] = 0 }},
		{"training group 1 has -1 rows", func(in *learn.Train) { in.Groups[0] = -1 }},
		{"training group 3 has 9223372036854775807 rows", func(in *learn.Train) { in.Groups[2] = math.MaxInt }},
		{"needs the groups of the training rows", func(in *learn.Train) { in.Groups = nil }},
		{"needs the groups of the validation rows", func(in *learn.Train) { in.Valid.Groups = nil }},
		{"no order to learn", func(in *learn.Train) { clear(in.Y) }},
		{"no validation row has a label above 0", func(in *learn.Train) { clear(in.Valid.Y) }},
		{"for a binary task", func(in *learn.Train) {
			in.Task, in.Valid = bundle.Binary, nil
			for i, y := range in.Y {
				in.Y[i] = min(1, y)
			}
		}},
	} {
		in, valid := queries(10, 9), queries(10, 10)
		in.Valid = &valid.Data
		c.change(&in)
		if _, err := (gbdt.Learner{}).Fit(context.Background(), in, learn.Params{"objective": "lambdarank"}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want an error with %q, got %v", c.want, err)
		}
	}
	if _, err := (gbdt.Learner{}).Fit(context.Background(), queries(10, 9), nil); err == nil || !strings.Contains(err.Error(), "rows are in groups") {
		t.Errorf("squared error of groups: error %v", err)
	}
}

// TestRankingIsCancelledAnywhere has one group that is sorted in parts, so that
// the context is looked at within it.
func TestRankingIsCancelledAnywhere(t *testing.T) {
	t.Parallel()
	in := queries(3000, 11)
	in.Groups = []int{in.X.Rows}
	if in.X.Rows < 1<<15 {
		t.Fatalf("%d rows", in.X.Rows)
	}
	in.Valid = &in.Data
	in.Workers = 2
	p := learn.Params{"objective": "lambdarank", "trees": 1, "leaves": 2}
	looks := 0
	for n := 0; ; n += 1 + n/2 {
		c := countdown{context.Background(), make(chan struct{}, n)}
		for range n {
			c.left <- struct{}{}
		}
		m, err := gbdt.Learner{}.Fit(c, in, p)
		if err == nil {
			break
		}
		looks = n
		if !errors.Is(err, context.Canceled) || m.Trees != nil {
			t.Fatalf("cancelled at look %d: error %v, member %v", n, err, m)
		}
	}
	if looks < 60 {
		t.Errorf("the fit looked at its context only %d times", looks)
	}
}

// Two searches of three results each; the label says which one was of use.
func ExampleLearner_Fit_ranking() {
	t := train(bundle.Regression, column(0.9, 0.5, 0.1, 0.4, 0.6, 0.2), 1, 0, 0, 0, 1, 0)
	t.Groups = []int{3, 3}
	m, err := gbdt.Learner{}.Fit(context.Background(), t, learn.Params{
		"objective": "lambdarank", "trees": 1, "leaves": 2, "min_rows": 1,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("edge", m.Trees.Threshold[0], m.Trees.Margin([]float64{0.8}) > m.Trees.Margin([]float64{0.3}))
	// Output:
	// edge 0.55 true
}
