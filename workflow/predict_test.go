package workflow

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/bundle/tree/treetest"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/ingest"
	"github.com/tandem-ml/tandem/project"
)

// batchModel is a bundle with every kind of input, and of several classes if
// there are any.
func batchModel(t testing.TB, classes ...string) *bundle.Bundle {
	t.Helper()
	most := 1e6
	contract := data.Contract{Fields: []data.Field{
		{Name: "key", Kind: data.Text, Role: data.ID},
		{Name: "income", Kind: data.Number, Role: data.Feature, Required: true, Max: &most},
		{Name: "home", Kind: data.Category, Role: data.Feature, Categories: []string{"own", "rent"}},
		{Name: "code", Kind: data.Category, Role: data.Feature, Categories: []string{"1", "2", "3"}},
		{Name: "since", Kind: data.Time, Role: data.Feature},
		{Name: "owner", Kind: data.Category, Role: data.Feature, Categories: []string{"false", "true"}},
		{Name: "note", Kind: data.Text, Role: data.Excluded},
		{Name: "status", Kind: data.Category, Role: data.Target},
	}}
	plan := step.Plan{
		{Name: "income", Input: 0, Op: step.Number},
		{Name: "home", Input: 1, Op: step.Code, Categories: 2},
		{Name: "code", Input: 2, Op: step.Code, Categories: 3},
		{Name: "month", Input: 3, Op: step.Month},
		{Name: "owner", Input: 4, Op: step.Code, Categories: 2},
	}
	rng := rand.New(rand.NewPCG(7, 8))
	m := bundle.Model{Contract: contract, Calibration: bundle.Calibration{Method: "sigmoid", A: 1},
		Decision: bundle.Decision{Positive: "bad", Negative: "good", Threshold: 0.5}}
	task := bundle.Binary
	if classes != nil {
		task, m.Calibration, m.Decision = bundle.Multiclass, bundle.Calibration{Method: "softmax"}, bundle.Decision{Classes: classes}
	}
	var infos []bundle.MemberInfo
	for k := range max(1, len(classes)) {
		m.Members = append(m.Members, bundle.Member{Learner: "gbdt", Weight: 1, Output: k, Plan: plan, Trees: treetest.Random(rng, []int{0, 2, 3, 0, 2}, 8, 9)})
		infos = append(infos, bundle.MemberInfo{Learner: "gbdt", Weight: 1, Output: k})
	}
	ready, err := bundle.NewModel(m)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.New(bundle.Bundle{
		Manifest: bundle.Manifest{Producer: "tandem", Name: "batch", Task: task, Target: "status", Members: infos},
		Model:    *ready, Tests: ready.TestRows(bundle.Rows{N: 1, Cols: 5, Data: []float64{1, 0, 1, 0, 1}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// batchCSV writes rows of which some cannot be scored, for various reasons.
func batchCSV(w io.Writer, rows int) {
	rng := rand.New(rand.NewPCG(1, 2))
	io.WriteString(w, "\xef\xbb\xbfkey,income,home,code,since,owner,note,colour\n")
	for i := range rows {
		switch i % 1000 {
		case 17:
			fmt.Fprintf(w, "short,%d\n", i)
		case 18:
			fmt.Fprintf(w, "\"k,\"\"%d\"\"\",much,own,1,,TRUE,,\n", i)
		case 19:
			fmt.Fprintf(w, "k%d,,own,1,2026-01-31,false,,\n", i)
		case 20:
			fmt.Fprintf(w, "\" k\n%d\",1e9,own,1,2026-01-31,false,,\n", i)
		case 21:
			fmt.Fprintf(w, "k%d,5,own,1,tomorrow,false,,\n", i)
		case 22:
			fmt.Fprintf(w, "k%d,5,\xff,1,,false,,\n", i)
		default:
			fmt.Fprintf(w, "k%d,%v,%s,%s,2026-%02d-%02d,%s,x,red\n", i, float64(rng.IntN(40)-20)/4, []string{"own", "rent", "castle", "NA"}[rng.IntN(4)],
				[]string{"1", "2.0", "3", ""}[rng.IntN(4)], 1+rng.IntN(12), 1+rng.IntN(28), []string{"true", "FALSE", "?"}[rng.IntN(3)])
		}
	}
}

// atOnce is what Predict has to write: the whole source read into a table and
// scored by the bundle, as explain and evaluate do it.
func atOnce(t testing.TB, b *bundle.Bundle, source string) []byte {
	t.Helper()
	s, err := readFor(t.Context(), b, source, Options{})
	if err != nil {
		t.Fatal(err)
	}
	id := idColumn(b, s.table)
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	header := []string{"score", "decision"}
	if id != nil {
		header = append(header, "id")
	}
	for _, class := range b.Decision.Classes {
		header = append(header, "score_"+class)
	}
	w.Write(append(header, "error"))
	for i, a := range b.Answers(s.rows) {
		text := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
		problem := ""
		if e := s.bad[i]; e != nil {
			problem, a.Decision = e.Error(), ""
			text = func(float64) string { return "" }
			a.Scores = make([]float64, len(b.Decision.Classes))
		}
		line := []string{text(a.Score), a.Decision}
		if id != nil {
			line = append(line, id.Format(i))
		}
		for _, x := range a.Scores {
			line = append(line, text(x))
		}
		w.Write(append(line, problem))
	}
	w.Flush()
	return out.Bytes()
}

const batchRows = 5*ingest.BlockRows + 321

func batchFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rows.csv")
	var b bytes.Buffer
	batchCSV(&b, batchRows)
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Blocks make no difference to a single byte, however many are scored at once.
func TestPredictInBlocks(t *testing.T) {
	t.Parallel()
	source := batchFile(t)
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*bundle.Bundle{"binary": batchModel(t), "multiclass": batchModel(t, "a", "b,\"c\"", "d")} {
		want := atOnce(t, b, source)
		for _, workers := range []int{1, 2, 7} {
			var got bytes.Buffer
			rows, failed, err := Predict(t.Context(), b, source, &got, Batch{}, Options{Workers: workers})
			if err != nil || rows != batchRows || failed < batchRows/1000*6 || failed > batchRows/1000*6+6 {
				t.Fatalf("%s: %d of %d rows failed: %v", name, failed, rows, err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Fatalf("%s with %d workers: other bytes than at once: %s", name, workers, difference(got.Bytes(), want))
			}
		}
		var got bytes.Buffer
		if _, _, err := Predict(t.Context(), b, source, &got, Batch{Input: bytes.NewReader(text), From: "csv"}, Options{}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Fatalf("%s from stdin: %s", name, difference(got.Bytes(), want))
		}
	}
}

func difference(got, want []byte) string {
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range min(len(g), len(w)) {
		if !bytes.Equal(g[i], w[i]) {
			return fmt.Sprintf("line %d is %q, want %q", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

// The other formats say what CSV says.
func TestPredictFormats(t *testing.T) {
	t.Parallel()
	source := batchFile(t)
	dir := t.TempDir()
	b := batchModel(t, "a", "b,\"c\"", "d")
	read := func(path string) *data.Table {
		t.Helper()
		r, err := ingest.Read(t.Context(), path, ingest.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return r.Table
	}
	var want *data.Table
	for _, to := range []string{"csv", "ndjson", "parquet", "arrow"} {
		path := filepath.Join(dir, "scores."+to)
		if _, _, err := PredictFile(t.Context(), b, source, path, Batch{To: to}, Options{}); err != nil {
			t.Fatal(to, err)
		}
		got := read(path)
		if to == "csv" {
			want = got
			continue
		}
		if strings.Join(got.Names(), "|") != strings.Join(want.Names(), "|") || got.Rows() != want.Rows() {
			t.Fatalf("%s: %d rows of %q, want %d of %q", to, got.Rows(), got.Names(), want.Rows(), want.Names())
		}
		for k, c := range got.Columns {
			for i := range got.Rows() {
				if g, w := c.Format(i), want.Columns[k].Format(i); g != w {
					t.Fatalf("%s: %s of row %d is %q, in CSV it is %q", to, c.Name, i, g, w)
				}
			}
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || left != nil {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// Rejects are the rows with an error, with the place and the row as it is.
func TestPredictRejects(t *testing.T) {
	t.Parallel()
	source := batchFile(t)
	rejects := filepath.Join(t.TempDir(), "bad.csv")
	_, failed, err := Predict(t.Context(), batchModel(t), source, io.Discard, Batch{Rejects: rejects}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(rejects)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil || len(lines) != failed+1 {
		t.Fatalf("%d lines for %d rejects, %v", len(lines), failed, err)
	}
	for i, want := range [][]string{
		{"file", "line", "row", "column", "value", "reason", "raw"},
		{source, "19", "18", "", "", "the row has 2 cells, the header has 8", "short,17"},
		{source, "20", "19", "income", "much", "is not a number; write numbers as 1234.5, without thousands marks, units or a decimal comma, or leave the cell empty", `"k,""18""",much,own,1,,TRUE,,`},
		{source, "0", "20", "income", "", "is missing, and the model requires it", ""},
		{source, "0", "21", "income", "1000000000", "must be at most 1000000", ""},
	} {
		if strings.Join(lines[i], "|") != strings.Join(want, "|") {
			t.Errorf("line %d is %q, want %q", i, lines[i], want)
		}
	}
}

// called is a writer that calls a func.
type called func(b []byte) (int, error)

func (c called) Write(b []byte) (int, error) { return c(b) }

// A run that is interrupted goes on where it was, to the same bytes.
func TestPredictResumes(t *testing.T) {
	t.Parallel()
	b := batchModel(t)
	source := batchFile(t)
	want := atOnce(t, b, source)
	dir := t.TempDir()
	out, bad := filepath.Join(dir, "scores.csv"), filepath.Join(dir, "bad.csv")
	var badWant bytes.Buffer
	if _, _, err := Predict(t.Context(), b, source, io.Discard, Batch{Rejects: bad}, Options{}); err != nil {
		t.Fatal(err)
	}
	copied, err := os.ReadFile(bad)
	if err != nil {
		t.Fatal(err)
	}
	badWant.Write(copied)
	os.Remove(bad)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// The first line said is that columns are ignored, when the first block is about to be written.
	talk := &Talk{W: called(func(b []byte) (int, error) { cancel(); return len(b), nil })}
	how := Batch{Rejects: bad, Resume: true}
	_, _, err = PredictFile(ctx, b, source, out, how, Options{Workers: 1, Talk: talk})
	var kept *Interrupted
	if !errors.As(err, &kept) || !errors.Is(err, context.Canceled) || kept.Rows < ingest.BlockRows || kept.Rows >= batchRows {
		t.Fatalf("interrupted: %v", err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Fatal("the file is there, and it is not whole")
	}

	// Another bundle, input or format is not gone on with.
	other := filepath.Join(dir, "other.csv")
	if err := os.WriteFile(other, []byte("key,income\na,1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for want, run := range map[string]func() error{
		"of another bundle": func() error {
			_, _, err := PredictFile(t.Context(), batchModel(t, "a", "b"), source, out, how, Options{})
			return err
		},
		"of another input": func() error { _, _, err := PredictFile(t.Context(), b, other, out, how, Options{}); return err },
		"in another format": func() error {
			_, _, err := PredictFile(t.Context(), b, source, out, Batch{Rejects: bad, Resume: true, To: "ndjson"}, Options{})
			return err
		},
		"another file of rejects": func() error {
			_, _, err := PredictFile(t.Context(), b, source, out, Batch{Resume: true}, Options{})
			return err
		},
		"parquet file is whole or nothing": func() error {
			_, _, err := PredictFile(t.Context(), b, source, out, Batch{Resume: true, To: "parquet"}, Options{})
			return err
		},
	} {
		if err := run(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}

	// What stands behind the journal's place, half a line perhaps, is written anew.
	f, err := os.OpenFile(out+".partial", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, "0.12345,ba")
	f.Close()
	rows, failed, err := PredictFile(t.Context(), b, source, out, how, Options{})
	if err != nil || rows != batchRows || failed == 0 {
		t.Fatalf("%d of %d rows failed, %v", failed, rows, err)
	}
	got, err := os.ReadFile(out)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%v: %s", err, difference(got, want))
	}
	if got, err := os.ReadFile(bad); err != nil || !bytes.Equal(got, badWant.Bytes()) {
		t.Fatalf("rejects: %v: %s", err, difference(got, badWant.Bytes()))
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "scores.csv.*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

// childPredict scores dir/rows.csv in a process that is about to be killed.
func childPredict(dir, bundlePath string) error {
	b, err := bundle.Open(bundlePath)
	if err != nil {
		return err
	}
	journalEvery = 0
	talk := &Talk{W: called(func(b []byte) (int, error) { return os.Stdout.Write(b) })}
	_, _, err = PredictFile(context.Background(), b, filepath.Join(dir, "rows.csv"), filepath.Join(dir, "scores.csv"), Batch{Resume: true}, Options{Talk: talk})
	return err
}

// A run that is killed at any moment goes on to the same bytes.
func TestPredictIsKilled(t *testing.T) {
	t.Parallel()
	b := batchModel(t)
	source := batchFile(t)
	dir := filepath.Dir(source)
	model := filepath.Join(dir, "m.tandem")
	if err := WriteBundle(model, b); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "scores.csv")
	for round := range 4 {
		cmd, lines := child(t, "predict", dir, model)
		lines.Scan() // columns are ignored, or going on
		time.Sleep(time.Duration(round*15) * time.Millisecond)
		cmd.Process.Kill()
		cmd.Wait()
		if _, err := os.Stat(out); err == nil {
			break
		}
	}
	if _, err := os.Stat(out); err != nil {
		if _, _, err := PredictFile(t.Context(), b, source, out, Batch{Resume: true}, Options{}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(out)
	if want := atOnce(t, b, source); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%v: %s", err, difference(got, want))
	}
}

// rowsWithoutEnd reads as CSV for ever.
type rowsWithoutEnd struct{ left []byte }

func (r *rowsWithoutEnd) Read(b []byte) (int, error) {
	if len(r.left) == 0 {
		r.left = []byte(strings.Repeat("1,own\n", 1000))
	}
	n := copy(b, r.left)
	r.left = r.left[n:]
	return n, nil
}

// When the output is closed, or the input says nothing more and the run is
// interrupted, Predict returns.
func TestPredictEnds(t *testing.T) {
	t.Parallel()
	b := batchModel(t)
	endless := func() io.Reader { return io.MultiReader(strings.NewReader("income,home\n"), &rowsWithoutEnd{}) }
	for _, to := range Outputs() {
		if to == "parquet" {
			continue // it writes nothing before its input has ended
		}
		n := 0
		closed := called(func(b []byte) (int, error) {
			if n++; n > 3 {
				return 0, syscall.EPIPE
			}
			return len(b), nil
		})
		if _, _, err := Predict(t.Context(), b, "stdin", closed, Batch{Input: endless(), To: to}, Options{}); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("%s into a closed pipe: %v", to, err)
		}
	}
	r, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := Predict(ctx, b, "stdin", io.Discard, Batch{Input: r, From: "csv"}, Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silent input: %v", err)
	}
}

// Memory is that of the blocks in flight: what lives after half a million rows
// is no more than after the first hundred thousand.
func TestPredictMemory(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector more blocks are in flight, and what lives is not ours alone")
	}
	b := batchModel(t)
	const rows = 500_000
	in := io.MultiReader(strings.NewReader("income,home\n"), io.LimitReader(&rowsWithoutEnd{}, int64(rows*len("1,own\n"))))
	n, early, most := 0, uint64(0), uint64(0)
	out := called(func(b []byte) (int, error) {
		if n++; n%5 == 0 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			if most = max(most, m.HeapAlloc); n*ingest.BlockRows <= 100_000 {
				early = most
			}
		}
		return len(b), nil
	})
	got, _, err := Predict(t.Context(), b, "stdin", out, Batch{Input: in}, Options{Workers: 2})
	if err != nil || got != rows {
		t.Fatalf("%d rows, %v", got, err)
	}
	if early == 0 || most > 2*early {
		t.Errorf("%d bytes live after the first rows, %d later", early, most)
	}
}

// A file to be scored is read as the training file was: neither its own dates nor
// its marks tell how.
func TestPredictReadsAsTrained(t *testing.T) {
	t.Parallel()
	var train strings.Builder
	train.WriteString("day;x;y\n")
	for i := range 400 {
		fmt.Fprintf(&train, "%02d/%02d/2026;%d,%02d;%s\n", 1+i%28, 1+i%12, i%50, i*7%100, []string{"a", "b"}[i%50/25])
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"train.csv": train.String(), "new.csv": "day;x\n03/04/2026;1,234\n05/06/2026;49,234\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := project.Default()
	p.Name, p.Data.Source, p.Data.Target, p.Model.Interpretable = "p", filepath.Join(dir, "train.csv"), "y", true
	p.Model.Budget = time.Minute
	tr, err := Train(context.Background(), p, "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if as := tr.Bundle.Manifest.Data.Read; as.Dates != "dmy" || as.OpenDecimal != "," {
		t.Errorf("kept %+v", as)
	}
	var out strings.Builder
	rows, failed, err := Predict(context.Background(), tr.Bundle, filepath.Join(dir, "new.csv"), &out, Batch{}, Options{})
	if err != nil || rows != 2 || failed != 0 {
		t.Errorf("%d rows, %d refused, %v\n%s", rows, failed, err, out.String())
	}
}
