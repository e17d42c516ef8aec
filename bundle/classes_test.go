package bundle_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/linear"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/data"
)

// threeClasses has the margins x, 2y and 1 for the classes a, b and c.
func threeClasses(method string) bundle.Model {
	m := bundle.Model{
		Contract: data.Contract{Fields: []data.Field{
			{Name: "x", Kind: data.Number, Role: data.Feature}, {Name: "y", Kind: data.Number, Role: data.Feature},
		}},
		Calibration: bundle.Calibration{Method: method, A: 1},
		Decision:    bundle.Decision{Classes: []string{"a", "b", "c"}},
	}
	for class, weights := range [][]float64{{1, 0}, {0, 2}, {0, 0}} {
		plan := step.Plan{
			{Name: "x", Input: 0, Op: step.Standard, Scale: 1, Low: -1e9, High: 1e9},
			{Name: "y", Input: 1, Op: step.Standard, Scale: 1, Low: -1e9, High: 1e9},
		}
		linear := linear.Model{Weight: weights, Mean: []float64{0.5, 0.25}}
		if class == 2 {
			linear.Intercept = 1
		}
		m.Members = append(m.Members, bundle.Member{Learner: "logistic", Weight: 1, Output: class, Plan: plan, Linear: &linear})
	}
	return m
}

func mustModel(t *testing.T, m bundle.Model) *bundle.Model {
	t.Helper()
	out, err := bundle.NewModel(m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestClasses(t *testing.T) {
	t.Parallel()
	soft, each := mustModel(t, threeClasses("softmax")), mustModel(t, threeClasses("sigmoids"))
	for _, c := range []struct {
		x, y  float64
		class int
	}{{3, 0.5, 0}, {0, 2, 1}, {-1, -1, 2}, {1, 0.5, 0}} { // the last: three equal margins, the first class
		row := []float64{c.x, c.y}
		margins := []float64{c.x, 2 * c.y, 1}
		sum := 0.0
		for _, v := range margins {
			sum += math.Exp(v)
		}
		a, e := soft.Answer(row), each.Answer(row)
		for k, v := range margins {
			if got, want := a.Scores[k], math.Exp(v)/sum; math.Abs(got-want) > 1e-15 {
				t.Errorf("row %v: softmax gives class %d %v, want %v", row, k, got, want)
			}
			if got, want := e.Scores[k], 1/(1+math.Exp(-v)); math.Abs(got-want) > 1e-15 {
				t.Errorf("row %v: sigmoids give class %d %v, want %v", row, k, got, want)
			}
			if got := soft.Class(k).Margin(row); got != v {
				t.Errorf("row %v: class %d has margin %v, want %v", row, k, got, v)
			}
		}
		if a.Decision != soft.Decision.Classes[c.class] || a.Score != a.Scores[c.class] || a.Margin != margins[c.class] {
			t.Errorf("row %v: %+v, want class %d", row, a, c.class)
		}
		margin, score := soft.Score(row)
		part := make([]float64, 2)
		base, explained := soft.Contributions(part, row)
		if margin != a.Margin || score != a.Score || explained != margin || math.Abs(base+part[0]+part[1]-margin) > 1e-12 {
			t.Errorf("row %v: margin %v, score %v, explained %v = %v + %v", row, margin, score, explained, base, part)
		}
	}
}

// TestClassesInBlocks compares many rows at once with one at a time.
func TestClassesInBlocks(t *testing.T) {
	t.Parallel()
	m := mustModel(t, threeClasses("softmax"))
	rows := bundle.Rows{N: 1000, Cols: 2, Data: make([]float64, 2000)}
	for i := range rows.Data {
		rows.Data[i] = math.Sin(float64(i)) * 3
	}
	margin, score := make([]float64, rows.N), make([]float64, rows.N)
	m.ScoreRows(margin, score, rows)
	for i, a := range m.Answers(rows) {
		one := m.Answer(rows.Row(i))
		if a.Score != one.Score || a.Margin != margin[i] || a.Score != score[i] || a.Decision != one.Decision || a.Scores[2] != one.Scores[2] {
			t.Fatalf("row %d: %+v among others, %+v alone", i, a, one)
		}
	}
}

// TestClassesAllocate: scoring a row allocates nothing.
func TestClassesAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	m := mustModel(t, threeClasses("softmax"))
	row := []float64{1, 2}
	if n := testing.AllocsPerRun(100, func() { m.Score(row) }); n != 0 {
		t.Errorf("%v allocations a row", n)
	}
}

func TestClassesInABundle(t *testing.T) {
	t.Parallel()
	m := mustModel(t, threeClasses("softmax"))
	b := &bundle.Bundle{
		Manifest: bundle.Manifest{Format: bundle.FormatVersion, Task: bundle.Multiclass, Complete: true},
		Model:    *m,
		Tests:    m.TestRows(bundle.Rows{N: 2, Cols: 2, Data: []float64{1, 2, 3, -4}}),
	}
	for _, member := range m.Members {
		b.Manifest.Members = append(b.Manifest.Members, bundle.MemberInfo{Learner: member.Learner, Weight: member.Weight, Output: member.Output})
	}
	b, err := bundle.New(*b)
	if err != nil {
		t.Fatal(err)
	}
	file, err := bundle.Encode(b)
	if err != nil {
		t.Fatal(err)
	}
	back, err := bundle.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	again, err := bundle.Encode(back)
	if err != nil || !bytes.Equal(again, file) || back.ID() != b.ID() {
		t.Errorf("another file after reading (%v)", err)
	}
	if got, want := back.Answer([]float64{2, 0}), m.Answer([]float64{2, 0}); got.Score != want.Score || got.Decision != "a" {
		t.Errorf("%+v after reading, %+v before", got, want)
	}
}

func TestClassesRefuse(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(m *bundle.Model){
		"output 3 of 3":           func(m *bundle.Model) { m.Members[1].Output = 3 },
		"output -1 of 3":          func(m *bundle.Model) { m.Members[1].Output = -1 },
		`"b" has no members`:      func(m *bundle.Model) { m.Members[1].Output = 2 },
		"there twice":             func(m *bundle.Model) { m.Decision.Classes[1] = "a" },
		"is empty":                func(m *bundle.Model) { m.Decision.Classes[1] = "" },
		"1 classes":               func(m *bundle.Model) { m.Decision.Classes = m.Decision.Classes[:1] },
		"do not go with several":  func(m *bundle.Model) { m.Decision.Positive = "a" },
		"3 classes do not go":     func(m *bundle.Model) { m.Calibration.Method = "identity" },
		"output 1 of 1":           func(m *bundle.Model) { m.Calibration.Method, m.Decision.Classes = "identity", nil },
		"slope -1 must be positi": func(m *bundle.Model) { m.Calibration = bundle.Calibration{Method: "sigmoids", A: -1} },
	} {
		m := threeClasses("softmax")
		change(&m)
		if _, err := bundle.NewModel(m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}
