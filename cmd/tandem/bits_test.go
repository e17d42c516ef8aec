package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
)

// TestScoresAreEqualToTheBit follows the rows that a training kept as proof: it
// writes them as a file, has them predicted by the program, reads the scores
// back from the text, and compares with what the training noted and with what
// the bundle says of each row alone.
func TestScoresAreEqualToTheBit(t *testing.T) {
	t.Parallel()
	table, raw := loans(t)
	dir := t.TempDir()
	path := write(t, dir, "loans.tandem", raw)
	for name, args := range map[string][]string{
		"binary":     nil,
		"other cost": {"--cost-false-negative", "5", "--seed", "3"},
		"regression": {"--target", "debt", "--positive", ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := path
			if args != nil {
				path = filepath.Join(t.TempDir(), "other.tandem")
				if code, _, stderr := command(t.Context(), trainLoans(write(t, dir, name+".csv", table), path, args...)...); code != 0 {
					t.Fatal(stderr)
				}
			}
			b, err := bundle.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(b.Tests) != 32 {
				t.Fatalf("%d proof rows, want 32", len(b.Tests))
			}
			code, stdout, stderr := command(t.Context(), "predict", path, write(t, t.TempDir(), "proof.csv", proofRows(t, b)))
			if code != 0 {
				t.Fatal(stderr)
			}
			lines, err := csv.NewReader(bytes.NewReader([]byte(stdout))).ReadAll()
			if err != nil || len(lines) != len(b.Tests)+1 {
				t.Fatal(len(lines), err)
			}
			for i, want := range b.Tests {
				got, err := strconv.ParseFloat(lines[i+1][0], 64)
				if err != nil || math.Float64bits(got) != math.Float64bits(want.Score) {
					t.Errorf("row %d: predict says %v, training said %v (%v)", i, got, want.Score, err)
				}
				if margin, score := b.Score(want.Row); margin != want.Margin || score != want.Score {
					t.Errorf("row %d: the bundle says %v, %v, training said %v, %v", i, margin, score, want.Margin, want.Score)
				}
				if got, want := lines[i+1][1], b.Decide(want.Score); got != want {
					t.Errorf("row %d: decision %q, want %q", i, got, want)
				}
			}
		})
	}
}

// proofRows writes a bundle's proof rows as CSV.
func proofRows(t *testing.T, b *bundle.Bundle) []byte {
	t.Helper()
	fields := b.Contract.Inputs()
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	line := make([]string, len(fields))
	for j, f := range fields {
		line[j] = f.Name
	}
	_ = w.Write(line) // a buffer takes everything
	for _, test := range b.Tests {
		for j, f := range fields {
			switch x := test.Row[j]; {
			case math.IsNaN(x):
				line[j] = ""
			case f.Kind == data.Category:
				line[j] = f.Categories[int(x)]
			default:
				line[j] = strconv.FormatFloat(x, 'g', -1, 64)
			}
		}
		_ = w.Write(line)
	}
	w.Flush()
	return out.Bytes()
}

func TestContributionsAddUp(t *testing.T) {
	t.Parallel()
	table, raw := loans(t)
	dir := t.TempDir()
	model, rows := write(t, dir, "loans.tandem", raw), write(t, dir, "loans.csv", table)
	code, stdout, stderr := command(t.Context(), "explain", model, rows, "--rows", "--json")
	if code != 0 {
		t.Fatal(stderr)
	}
	b, err := bundle.Open(model)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(stdout)))
	dec.DisallowUnknownFields()
	n := 0
	for ; dec.More(); n++ {
		var row struct {
			Margin, Base  float64
			Contributions map[string]float64
		}
		if err := dec.Decode(&row); err != nil {
			t.Fatal(err)
		}
		sum := row.Base
		for _, f := range b.Contract.Inputs() {
			v, ok := row.Contributions[f.Name]
			if !ok {
				t.Fatalf("row %d says nothing of %q", n+1, f.Name)
			}
			sum += v
		}
		if math.Abs(sum-row.Margin) > 1e-9 || len(row.Contributions) != 3 {
			t.Errorf("row %d: base and contributions give %v, the margin is %v", n+1, sum, row.Margin)
		}
	}
	if n != 400 {
		t.Errorf("%d objects for 400 rows", n)
	}
}

// Against a background the base is the mean margin of its rows; with
// interactions the columns alone, the pairs and the rest make the margin.
func TestBackgroundAndInteractionsAddUp(t *testing.T) {
	t.Parallel()
	table, raw := loans(t)
	dir := t.TempDir()
	model, rows := write(t, dir, "loans.tandem", raw), write(t, dir, "loans.csv", table)
	objects := func(args ...string) *json.Decoder {
		t.Helper()
		code, stdout, stderr := command(t.Context(), append([]string{"explain", model, rows, "--rows"}, args...)...)
		if code != 0 {
			t.Fatal(stderr)
		}
		dec := json.NewDecoder(strings.NewReader(stdout))
		dec.DisallowUnknownFields()
		return dec
	}
	mean, base, n := 0.0, 0.0, 0
	for dec := objects("--background", rows); dec.More(); n++ {
		var row struct {
			Margin, Base  float64
			Contributions map[string]float64
		}
		if err := dec.Decode(&row); err != nil {
			t.Fatal(err)
		}
		sum := row.Base
		for _, v := range row.Contributions {
			sum += v
		}
		if math.Abs(sum-row.Margin) > 1e-12 {
			t.Errorf("row %d: %v of the margin %v", n+1, sum, row.Margin)
		}
		mean, base = mean+row.Margin, row.Base
	}
	if mean /= float64(n); n != 400 || math.Abs(mean-base) > 1e-12 {
		t.Errorf("%d rows of mean margin %v, the base is %v", n, mean, base)
	}
	n = 0
	for dec := objects("--interactions", "--pairs", "1"); dec.More(); n++ {
		var row struct {
			Margin, Base, Rest float64
			Alone              map[string]float64
			Pairs              []struct {
				Columns [2]string
				Value   float64
			}
		}
		if err := dec.Decode(&row); err != nil {
			t.Fatal(err)
		}
		sum := row.Base + row.Rest
		for _, v := range row.Alone {
			sum += v
		}
		for _, p := range row.Pairs {
			sum += p.Value
		}
		if math.Abs(sum-row.Margin) > 1e-12 || len(row.Alone) != 3 || len(row.Pairs) > 1 {
			t.Errorf("row %d: %v of the margin %v, %d pairs", n+1, sum, row.Margin, len(row.Pairs))
		}
	}
	if n != 400 {
		t.Errorf("%d rows, want 400", n)
	}
}

// TestBudgetCutsTheSearch gives a table that would take far longer a second and
// a half: the search must have been cut, and say so. No clock is read here,
// since the machine may be busy.
func TestBudgetCutsTheSearch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := write(t, dir, "many.csv", loansTable(40_000))
	code, stdout, stderr := command(t.Context(), "train", path, "--target", "status", "--exclude", "id", "--budget", "1500ms", "--json")
	if code != 0 {
		t.Fatal(stderr)
	}
	var r struct{ Complete bool }
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || r.Complete {
		t.Errorf("complete %v, %v; want the budget to have cut the search", r.Complete, err)
	}
}

func write(t *testing.T, dir, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
