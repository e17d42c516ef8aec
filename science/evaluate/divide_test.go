package evaluate_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/evaluate"
)

func ExampleDivide() {
	// Ten loans, one a month; the last is not dated.
	time := []int64{9, 2, 3, 4, 5, 6, 7, 8, 1, data.MissingTime}
	defaulted := []float64{0, 1, 0, 0, 1, 0, 0, 1, 0, 1}
	s, err := evaluate.Divide(evaluate.Input{Task: bundle.Regression, Y: defaulted, Time: time})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Method)
	fmt.Println(s.Train, s.Calibration, s.Holdout)
	// Output:
	// out-of-time
	// [1 2 3 4 8 9] [5 6] [0 7]
}

// table draws n rows: a binary target that is positive in one of five rows,
// times with many ties and some missing, groups of very different size.
func table(name string, n int) evaluate.Input {
	rng := seed.Stream(17, name, n)
	in := evaluate.Input{Task: bundle.Binary, Seed: 99, Y: make([]float64, n), Time: make([]int64, n), Group: make([]int32, n)}
	for i := range n {
		if rng.Float64() < 0.2 {
			in.Y[i] = 1
		}
		in.Time[i] = int64(rng.IntN(60))
		if rng.IntN(50) == 0 {
			in.Time[i] = data.MissingTime
		}
		in.Group[i] = int32(rng.ExpFloat64()*float64(n)/20) - 1
	}
	return in
}

func checkPartition(t *testing.T, name string, want []int, parts ...[]int) {
	t.Helper()
	var got []int
	for _, p := range parts {
		if !slices.IsSorted(p) {
			t.Errorf("%s: a part is not in increasing order", name)
		}
		got = append(got, p...)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%s: the parts are not a partition of the rows (%d rows, want %d)", name, len(got), len(want))
	}
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func TestDivide(t *testing.T) {
	t.Parallel()
	const n = 2000
	base := table("divide", n)
	regression := base
	regression.Task = bundle.Regression
	tests := []struct {
		name   string
		in     evaluate.Input
		method string
		slack  float64 // how far a share of rows may be off
	}{
		{"time", evaluate.Input{Task: base.Task, Y: base.Y, Time: base.Time}, "out-of-time", 0.02},
		{"time and group", base, "out-of-time", 0.05},
		{"group", evaluate.Input{Task: base.Task, Y: base.Y, Group: base.Group, Seed: 1}, "grouped", 0.02},
		{"group, regression", evaluate.Input{Task: bundle.Regression, Y: base.Y, Group: base.Group, Seed: 1}, "grouped", 0.02},
		{"binary", evaluate.Input{Task: base.Task, Y: base.Y, Seed: 1}, "stratified", 0.001},
		{"regression", evaluate.Input{Task: bundle.Regression, Y: base.Y, Seed: 1}, "random", 0.001},
	}
	for _, c := range tests {
		for _, noHoldout := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/noHoldout=%v", c.name, noHoldout), func(t *testing.T) {
				t.Parallel()
				in := c.in
				in.NoHoldout = noHoldout
				s, err := evaluate.Divide(in)
				if err != nil {
					t.Fatal(err)
				}
				if s.Method != c.method {
					t.Errorf("method %q, want %q", s.Method, c.method)
				}
				parts := [][]int{s.Train, s.Calibration, s.Holdout}
				checkPartition(t, c.name, upTo(n), parts...)
				shares := []float64{0.65, 0.15, 0.20}
				if noHoldout {
					shares = []float64{0.85, 0.15, 0}
				}
				for k, want := range shares {
					if got := float64(len(parts[k])) / n; math.Abs(got-want) > c.slack {
						t.Errorf("part %d has a share of %.3f, want %.2f", k, got, want)
					}
				}
				partOf := make([]int, n)
				for k, rows := range parts {
					for _, r := range rows {
						partOf[r] = k
					}
				}
				checkGroups(t, in, partOf)
				if in.Time != nil && in.Group == nil {
					for i := range n {
						for j := range i {
							if (in.Time[i] < in.Time[j]) != (partOf[i] < partOf[j]) && partOf[i] != partOf[j] {
								t.Fatalf("row %d of time %d is in part %d, row %d of time %d in part %d", i, in.Time[i], partOf[i], j, in.Time[j], partOf[j])
							}
						}
					}
				}
				if in.Time != nil { // no training row is newer than the newest of a later part
					newest := [3]int64{data.MissingTime, data.MissingTime, data.MissingTime}
					for i, k := range partOf {
						newest[k] = max(newest[k], in.Time[i])
					}
					if newest[0] >= newest[1] || !noHoldout && newest[1] >= newest[2] {
						t.Errorf("newest rows of the parts: %v", newest)
					}
				}
				if c.method == "stratified" {
					for k, rows := range parts {
						positive := 0.0
						for _, r := range rows {
							positive += in.Y[r]
						}
						if len(rows) > 0 && math.Abs(positive/float64(len(rows))-0.2) > 0.02 {
							t.Errorf("part %d has a share of positive rows of %.3f", k, positive/float64(len(rows)))
						}
					}
				}
				again, err := evaluate.Divide(in)
				if err != nil || !slices.Equal(again.Train, s.Train) || !slices.Equal(again.Holdout, s.Holdout) {
					t.Error("the same input is divided differently")
				}
				if in.Seed++; c.method != "out-of-time" {
					other, err := evaluate.Divide(in)
					if err != nil || slices.Equal(other.Train, s.Train) {
						t.Errorf("another seed gives the same division (%v)", err)
					}
				}
			})
		}
	}
}

func checkGroups(t *testing.T, in evaluate.Input, partOf []int) {
	t.Helper()
	if in.Group == nil {
		return
	}
	of := map[int32]int{}
	for i, g := range in.Group {
		if g < 0 {
			continue
		}
		if k, ok := of[g]; ok && k != partOf[i] {
			t.Fatalf("group %d is in parts %d and %d", g, k, partOf[i])
		}
		of[g] = partOf[i]
	}
}

func TestFolds(t *testing.T) {
	t.Parallel()
	const n = 1200
	base := table("folds", n)
	rows := upTo(n)[100:1100]
	for _, c := range []struct {
		name string
		in   evaluate.Input
		k    int
		want int // folds
		size int // largest distance of a fold's size from the mean
	}{
		{"time", evaluate.Input{Task: base.Task, Y: base.Y, Time: base.Time}, 5, 5, 25},
		{"group", evaluate.Input{Task: base.Task, Y: base.Y, Group: base.Group}, 5, 5, 10},
		{"binary", evaluate.Input{Task: base.Task, Y: base.Y}, 7, 7, 1},
		{"regression", evaluate.Input{Task: bundle.Regression, Y: base.Y}, 3, 3, 1},
		{"one fold", evaluate.Input{Task: base.Task, Y: base.Y}, 1, 1, 0},
		{"more folds than times", evaluate.Input{Task: base.Task, Y: base.Y, Time: constant(n, 5)}, 4, 1, 0},
		{"more folds than groups", evaluate.Input{Task: base.Task, Y: base.Y, Group: halves(n)}, 4, 2, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			folds := evaluate.Folds(c.in, rows, c.k)
			checkPartition(t, c.name, rows, folds...)
			if len(folds) != c.want {
				t.Fatalf("%d folds, want %d", len(folds), c.want)
			}
			foldOf := slices.Repeat([]int{-1}, n)
			for k, rows := range folds {
				if off := len(rows) - 1000/len(folds); off < -c.size || off > c.size+1 {
					t.Errorf("fold %d has %d rows", k, len(rows))
				}
				for _, r := range rows {
					foldOf[r] = k
				}
			}
			in := c.in
			if in.Group != nil {
				in.Group = slices.Clone(in.Group)
				for i := range in.Group {
					if foldOf[i] < 0 {
						in.Group[i] = -1
					}
				}
				checkGroups(t, in, foldOf)
			}
			if in.Time != nil {
				for _, i := range rows {
					for _, j := range rows {
						if in.Time[i] < in.Time[j] && foldOf[i] > foldOf[j] || in.Time[i] == in.Time[j] && foldOf[i] != foldOf[j] {
							t.Fatalf("times %d and %d are in folds %d and %d", in.Time[i], in.Time[j], foldOf[i], foldOf[j])
						}
					}
				}
			}
			reversed := slices.Clone(rows)
			slices.Reverse(reversed)
			for k, f := range evaluate.Folds(c.in, reversed, c.k) {
				if !slices.Equal(f, folds[k]) {
					t.Errorf("fold %d depends on the order of the rows", k)
				}
			}
		})
	}
	if folds := evaluate.Folds(base, nil, 5); folds != nil {
		t.Errorf("folds of no rows: %v", folds)
	}
}

func constant(n int, v int64) []int64 { return slices.Repeat([]int64{v}, n) }

func halves(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i % 2)
	}
	return out
}

// The smallest tables that can be divided are.
func TestDivideFewRows(t *testing.T) {
	t.Parallel()
	y := make([]float64, 40)
	y[3], y[20], y[30] = 1, 1, 1
	eight := make([]float64, 40)
	for i := range 8 {
		eight[5*i] = 1
	}
	for _, in := range []evaluate.Input{
		{Task: bundle.Binary, Y: y},
		{Task: bundle.Binary, Y: eight, Group: slices.Repeat([]int32{-1}, 40)}, // no group is known: rows go alone
		{Task: bundle.Binary, Y: y, Time: append(constant(18, 1), append(constant(10, 2), constant(12, 3)...)...)},
		{Task: bundle.Regression, Y: y[:3]},
	} {
		s, err := evaluate.Divide(in)
		if err != nil {
			t.Errorf("%d rows: %v", len(in.Y), err)
			continue
		}
		checkPartition(t, s.Method, upTo(len(in.Y)), s.Train, s.Calibration, s.Holdout)
	}
}

func TestDivideRefuses(t *testing.T) {
	t.Parallel()
	y := []float64{0, 1, 0, 1, 0, 1, 0, 1, 0, 0}
	late := []float64{0, 0, 0, 0, 0, 0, 1, 0, 1, 0} // every default is recent
	clock := []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for _, c := range []struct {
		name string
		in   evaluate.Input
		want string // in the message
	}{
		{"no rows", evaluate.Input{Task: bundle.Regression}, "0 rows"},
		{"two rows", evaluate.Input{Task: bundle.Regression, Y: y[:2]}, "at least 3"},
		{"two positive rows", evaluate.Input{Task: bundle.Binary, Y: late}, "2 positive rows"},
		{"one class", evaluate.Input{Task: bundle.Binary, Y: make([]float64, 50)}, "0 positive rows"},
		{"two times", evaluate.Input{Task: bundle.Binary, Y: y, Time: []int64{1, 1, 1, 1, 1, 2, 2, 2, 2, 2}}, "2 distinct times"},
		{"no positive row at first", evaluate.Input{Task: bundle.Binary, Y: late, Time: clock}, "training part (out-of-time, 6 rows) has no positive row"},
		{"two groups", evaluate.Input{Task: bundle.Binary, Y: y, Group: []int32{0, 0, 0, 0, 0, 1, 1, 1, 1, 1}}, "part empty"},
	} {
		_, err := evaluate.Divide(c.in)
		var hint *data.Hinted
		if !errors.Is(err, evaluate.ErrTooSmall) || !strings.Contains(err.Error(), c.want) || !errors.As(err, &hint) {
			t.Errorf("%s: error %v, want ErrTooSmall with %q and a hint", c.name, err, c.want)
		}
	}
	for _, c := range []struct {
		name string
		in   evaluate.Input
	}{
		{"label 2", evaluate.Input{Task: bundle.Binary, Y: []float64{0, 1, 2}}},
		{"NaN", evaluate.Input{Task: bundle.Regression, Y: []float64{0, 1, math.NaN(), 4}}},
		{"infinite target", evaluate.Input{Task: bundle.Regression, Y: []float64{0, 1, math.Inf(1), 4}}},
		{"short times", evaluate.Input{Task: bundle.Binary, Y: y, Time: clock[:3]}},
		{"short groups", evaluate.Input{Task: bundle.Binary, Y: y, Group: []int32{1}}},
		{"no task", evaluate.Input{Y: y}},
	} {
		if _, err := evaluate.Divide(c.in); err == nil {
			t.Errorf("%s: accepted", c.name)
		}
	}
}
