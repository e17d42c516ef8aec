package foreign_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/foreign"
)

// golden is what a library predicts with its own model; testdata/golden/make.py
// makes both.
type golden struct {
	Columns       []string
	Rows          [][]any // nil: missing; a text "+Inf" in a column of numbers is one
	Margin, Score []float64
	Margins       [][]float64 // of several classes, as Scores
	Scores        [][]float64
	Exact         []float64 // XGBoost: the leaves that it reaches, added in float64
}

// models returns the golden models by name.
func models(t *testing.T, folder string) []string {
	t.Helper()
	rows, err := filepath.Glob(filepath.Join(folder, "*.rows"))
	if err != nil || len(rows) == 0 {
		t.Fatal("no golden models in "+folder, err)
	}
	for i := range rows {
		rows[i] = strings.TrimSuffix(rows[i], ".rows")
	}
	return rows
}

const goldenFolder = "testdata/golden"

// read reads a model and makes it ready to score.
func read(t *testing.T, path string) (*foreign.Model, *bundle.Model) {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := foreign.Read(src)
	if err != nil {
		t.Fatal(err)
	}
	return m, ready(t, m)
}

func ready(t *testing.T, m *foreign.Model) *bundle.Model {
	t.Helper()
	out, err := bundle.NewModel(modelOf(m))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// modelOf gives the classes labels.
func modelOf(m *foreign.Model) bundle.Model {
	b := bundle.Model{Contract: m.Contract(), Members: m.Members, Calibration: m.Calibration}
	switch m.Task {
	case bundle.Binary:
		b.Decision = bundle.Decision{Positive: "1", Negative: "0", Threshold: 0.5}
	case bundle.Multiclass:
		for k := range m.Classes {
			b.Decision.Classes = append(b.Decision.Classes, strconv.Itoa(k))
		}
	}
	return b
}

func expected(t *testing.T, path string) golden {
	t.Helper()
	src, err := os.ReadFile(path + ".rows")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(src, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// encode encodes golden row i for the model.
func (g *golden) encode(t *testing.T, m *bundle.Model, i int) []float64 {
	t.Helper()
	l := m.Layout()
	row := make([]float64, l.Cols())
	for j, name := range g.Columns {
		x, err := l.ParseValue(l.Input(name), g.Rows[i][j])
		if err != nil {
			t.Fatal(err)
		}
		row[l.Input(name)] = x
	}
	return row
}

// Every library's own predictions, missing and unseen values and values on and
// beside thresholds included. TANDEM_FOREIGN names a folder with more.
func TestGolden(t *testing.T) {
	t.Parallel()
	folders := []string{goldenFolder}
	if more := os.Getenv("TANDEM_FOREIGN"); more != "" {
		folders = append(folders, more)
	}
	for _, folder := range folders {
		for _, path := range models(t, folder) {
			t.Run(filepath.Base(path), func(t *testing.T) {
				t.Parallel()
				m, b := read(t, path)
				compare(t, m, b, expected(t, path))
			})
		}
	}
}

func compare(t *testing.T, m *foreign.Model, b *bundle.Model, g golden) {
	t.Helper()
	// Margins of LightGBM are equal to the bit, but for the mean of a random
	// forest. XGBoost adds in float32 and CatBoost in another order.
	margin, score := 0.0, 1e-15
	switch {
	case m.Library == "XGBoost":
		margin, score = 3e-6, 3e-6
	case m.Library == "CatBoost" || m.Members[0].Weight != 1:
		margin = 1e-15
	}
	far := 0
	for i := range g.Rows {
		row := g.encode(t, b, i)
		if g.Margins != nil {
			a := b.Answer(row)
			for k, want := range g.Margins[i] {
				if got := b.Class(k).Margin(row); (!near(got, want, margin) || !near(a.Scores[k], g.Scores[i][k], score)) && far < 3 {
					far++
					t.Errorf("row %d %v, class %d: margin %v, score %v, want %v, %v", i, g.Rows[i], k, got, a.Scores[k], want, g.Scores[i][k])
				}
			}
			continue
		}
		gotMargin, gotScore := b.Score(row)
		want := g.Margin[i] * m.Members[0].Weight // LightGBM's raw scores of a random forest are sums
		if !near(gotMargin, want, margin) || !near(gotScore, g.Score[i], score) {
			if far++; far <= 3 {
				t.Errorf("row %d %v: margin %v, score %v, want %v, %v", i, g.Rows[i], gotMargin, gotScore, want, g.Score[i])
			}
		}
		if g.Exact != nil && gotMargin != g.Exact[i] && far < 3 {
			t.Errorf("row %d: margin %v is not the sum %v of the leaves that XGBoost reaches", i, gotMargin, g.Exact[i])
		}
	}
	if far > 0 {
		t.Errorf("%d of %d rows differ", far, len(g.Rows))
	}
}

// near reports whether a is b up to tol, relative to the larger of |b| and 1.
func near(a, b, tol float64) bool { return math.Abs(a-b) <= tol*max(math.Abs(b), 1) }
