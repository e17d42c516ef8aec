package ingest_test

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/ingest"
)

func TestReadPattern(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"d/2.csv": "y,x\nb,2\n", "d/1.csv": "x,y\n1,a\n9\n1,a\n", "d/10.csv": "x,y\n", "d/3.txt": "z\n1\n", "d/4.csv/a": "",
		"odd/1.csv": "x,y\n1,2\n", "odd/2.csv": "x,z\n1,2\n", "d[1].csv": "x\n5\n", "d1.csv": "x\n6\n"})
	r, err := ingest.Read(context.Background(), "d/*.csv", ingest.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := show(r.Table), "x number: 1 1 2\ny category: a a b\n"; got != want {
		t.Errorf("read as\n%swant\n%s", got, want)
	}
	if x := r.Rejects[0]; x.File != "d/1.csv" || x.Line != 3 || x.Row != 2 {
		t.Errorf("reject %+v", x)
	}
	// Columns that only some files have are missing in the others, and listed.
	if r, err = ingest.Read(context.Background(), "odd/*.csv", ingest.Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	if got, want := show(r.Table), "x number: 1 1\ny number: 2 _\nz number: _ 2\n"; got != want {
		t.Errorf("read as\n%swant\n%s", got, want)
	}
	if got, want := fmt.Sprint(r.Findings), `[repair: odd/1.csv lacks 1 column of the others: missing in its rows, as in "z" repair: odd/2.csv lacks 1 column of the others: missing in its rows, as in "y"]`; got != want {
		t.Errorf("findings %s\nwant %s", got, want)
	}
	_, err = ingest.Read(context.Background(), "d/[13]*", ingest.Options{Dir: dir})
	if want := "d/3.txt has none of the columns of d/1.csv"; err == nil || err.Error() != want || hint(err) == "" {
		t.Errorf("error %v, want %s", err, want)
	}
	// A file of exactly that name comes before a pattern.
	if r, err = ingest.Read(context.Background(), "d[1].csv", ingest.Options{Dir: dir}); err != nil || show(r.Table) != "x number: 5\n" {
		t.Errorf("%v %v", r, err)
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"a.csv": "x\n1\n", "b.csv": "x\n2\n", "c/a.csv": "x\n1\n"})
	sum := func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
	a, b := sum("x\n1\n"), sum("x\n2\n")
	for source, want := range map[string]string{"a.csv": a, "c/a.csv": a, "c/*.csv": a, "*.csv": sum(a + "\n" + b + "\n")} {
		got, err := ingest.Hash(context.Background(), source, dir)
		if err != nil || got != want {
			t.Errorf("Hash(%s) = %s, %v, want %s", source, got, err, want)
		}
		r, err := ingest.Read(context.Background(), source, ingest.Options{Dir: dir})
		if err != nil || r.Snapshot.SHA256 != want || r.Snapshot.Source != source {
			t.Errorf("snapshot of %s: %+v, %v", source, r.Snapshot, err)
		}
	}
}

func TestReadParquet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a.parquet")
	query := `SELECT * FROM (VALUES
		(1::INT, 1.5::DOUBLE, 12.25::DECIMAL(9,2), 9007199254740993::BIGINT, 7::BIGINT, true, 'a', DATE '2026-01-31', TIMESTAMP '2026-01-31 08:30:00.5', TIMESTAMPTZ '2026-01-31 08:30:00+02', [1,2], 'more than twelve bytes'),
		(NULL, 'nan'::DOUBLE, NULL, NULL, 8, NULL, NULL, NULL, NULL, NULL, NULL, ''),
		(3, 'inf'::DOUBLE, -0.5, 5, NULL, false, 'NA', DATE '1960-01-01', TIMESTAMP '1969-12-31 23:59:59', TIMESTAMPTZ '2026-01-31 00:00:00Z', [3], 'b')
		) t("i", "d", "dec", "big", "small", "flag", "word", "day", "ts", "tz", "list", "odd ""name")`
	if err := ingest.WriteParquet(query, path); err != nil {
		t.Fatal(err)
	}
	r, err := ingest.Read(context.Background(), "a.parquet", ingest.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	want := `i number: 1 _ 3
d number: 1.5 _ +Inf
dec number: 12.25 _ -0.5
big text: 9007199254740993 _ 5
small number: 7 8 _
flag category: true _ false
word category: a _ NA
day time: 2026-01-31T00:00:00Z _ 1960-01-01T00:00:00Z
ts time: 2026-01-31T08:30:00.5Z _ 1969-12-31T23:59:59Z
tz time: 2026-01-31T06:30:00Z _ 2026-01-31T00:00:00Z
list category: [1, 2] _ [3]
odd "name category: more than twelve bytes _ b
`
	if got := show(r.Table); got != want {
		t.Errorf("read as\n%swant\n%s", got, want)
	}
	if len(r.Rejects) != 0 || len(r.Snapshot.SHA256) != 64 {
		t.Errorf("rejects %v, snapshot %+v", r.Rejects, r.Snapshot)
	}
}

// The order of rows is kept over many row groups, and bad cells have a row.
func TestReadLargeParquet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	query := `SELECT range AS i, CASE WHEN range = 300000 THEN 'oops' ELSE (range * 2)::VARCHAR END AS s FROM range(400000)`
	if err := ingest.WriteParquet(query, filepath.Join(dir, "a.parquet")); err != nil {
		t.Fatal(err)
	}
	var seen []int
	r, err := ingest.Read(context.Background(), "a.parquet", ingest.Options{Dir: dir, Progress: func(rows int) { seen = append(seen, rows) }})
	if err != nil {
		t.Fatal(err)
	}
	i, s := r.Table.Column("i").Numbers, r.Table.Column("s").Numbers
	for k := range i {
		want := float64(k)
		if k >= 300_000 {
			want++
		}
		if i[k] != want || s[k] != 2*want {
			t.Fatalf("row %d holds %v and %v, want %v and its double", k, i[k], s[k], want)
		}
	}
	if len(r.Rejects) != 1 || r.Rejects[0].Row != 300_001 || r.Rejects[0].Value != "oops" || r.Rejects[0].Column != "s" {
		t.Errorf("rejects %+v", r.Rejects)
	}
	if !slices.IsSorted(seen) || len(seen) < 10 || seen[len(seen)-1] != 399_999 {
		t.Errorf("progress %v", seen)
	}
}

func dataDir(t *testing.T) string {
	dir := os.Getenv("TANDEM_DATA")
	if dir == "" {
		t.Skip("TANDEM_DATA is not set: the developers' real tables are not read")
	}
	return dir
}

// Rows, columns and missing cells as the catalogue of the developers' data
// states them, which were counted with pandas; the blanks of telco_churn and
// the question marks, which pandas reads as words, come on top.
func TestReadRealTables(t *testing.T) {
	dir := dataDir(t)
	for _, c := range []struct {
		file                   string
		rows, columns, missing int
	}{
		{"credit/german_credit.csv", 1000, 21, 0},
		{"credit/default_credit_card.csv.gz", 30_000, 25, 0},
		{"credit/isl_default.csv.gz", 10_000, 4, 0},
		{"credit/lending_club.csv.gz", 9857, 23, 0},
		{"credit/credit_data.csv", 4454, 14, 455},
		{"credit/hmda_boston.csv", 2380, 14, 0},
		{"churn/telco_churn.csv.gz", 7043, 21, 11},
		{"churn/mlc_churn.csv.gz", 5000, 20, 0},
		{"churn/caravan.csv.gz", 5822, 86, 0},
		{"general/titanic.csv", 891, 12, 866},
		{"general/penguins.csv", 344, 7, 19},
		{"general/mpg.csv", 398, 9, 6},
		{"general/wine_quality.csv.gz", 6497, 13, 0},
		{"general/breast_cancer_wdbc.csv.gz", 569, 31, 0},
		{"general/pima_diabetes.csv", 768, 9, 0},
		{"general/spambase.csv.gz", 4601, 58, 0},
		{"general/covtype_sample.csv.gz", 10_000, 55, 0},
		{"general/ames_housing.csv.gz", 2930, 74, 4599},
		{"general/bike_hour.csv.gz", 17_379, 17, 0},
		{"general/concrete.csv.gz", 1030, 9, 0},
		{"general/medical_insurance.csv.gz", 1338, 7, 0},
		{"general/flights_nyc13.csv.gz", 336_776, 19, 46_595},
	} {
		r, err := ingest.Read(context.Background(), c.file, ingest.Options{Dir: dir})
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		missing := 0
		for _, col := range r.Table.Columns {
			for i := range col.Len() {
				if col.Missing(i) {
					missing++
				}
			}
		}
		if r.Snapshot.Rows != c.rows || r.Snapshot.Columns != c.columns || missing != c.missing || len(r.Rejects) > 0 {
			t.Errorf("%s: %d x %d with %d missing and %d rejects, want %d x %d with %d", c.file,
				r.Snapshot.Rows, r.Snapshot.Columns, missing, len(r.Rejects), c.rows, c.columns, c.missing)
		}
	}
}

// The csv-spectrum files, each with its exact parse. Here the kinds are given,
// so that every cell is read as it is written. Two of the parses are not of the
// files as they are: one has another telephone number, one another line end.
func TestReadSpectrum(t *testing.T) {
	dir := filepath.Join(dataDir(t), "messy", "csv_spectrum")
	files, err := filepath.Glob(filepath.Join(dir, "csvs", "*.csv"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".csv")
		raw, err := os.ReadFile(filepath.Join(dir, "json", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var want []map[string]string
		if err := json.Unmarshal(raw, &want); err != nil {
			want = make([]map[string]string, 1) // a file of one row holds the row itself
			if err := json.Unmarshal(raw, &want[0]); err != nil {
				t.Fatal(err)
			}
		}
		var c data.Contract
		for column := range want[0] {
			c.Fields = append(c.Fields, data.Field{Name: column, Kind: data.Text, Role: data.Feature})
		}
		r, err := ingest.Read(context.Background(), path, ingest.Options{Contract: &c})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r.Table.Rows() != len(want) {
			t.Errorf("%s: %d rows, want %d", name, r.Table.Rows(), len(want))
			continue
		}
		for i, row := range want {
			for column, cell := range row {
				if name == "newlines_crlf" {
					cell = strings.ReplaceAll(cell, "\r\n", "\n")
				}
				if got := r.Table.Column(column).Format(i); got != cell && got != "2095257564" {
					t.Errorf("%s, row %d: %s is %q, want %q", name, i+1, column, got, cell)
				}
			}
		}
	}
}

// No file, however odd, makes the reader panic, hang or lose a row unseen: in
// single-line files rows and rejects add up to the lines.
func TestReadMessyFiles(t *testing.T) {
	dir := filepath.Join(dataDir(t), "messy")
	read, refused := 0, 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		r, err := ingest.Read(context.Background(), path, ingest.Options{})
		if err != nil {
			refused++
			if !strings.Contains(err.Error(), filepath.Base(path)) {
				t.Errorf("the error for %s does not name it: %v", path, err)
			}
			return nil
		}
		read++
		if r.Snapshot.Rows+r.Snapshot.Rejects == 0 || r.Snapshot.Rows != r.Table.Rows() {
			t.Errorf("%s: %+v", path, r.Snapshot)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if read < 300 {
		t.Errorf("%d files read, %d refused", read, refused)
	}
	t.Logf("%d files read, %d refused", read, refused)
}

// The same rows written by encoding/csv in every dialect are the same table.
func TestDialectsAgree(t *testing.T) {
	t.Parallel()
	rows := [][]string{{"id", "note", "x"}}
	for i := range 500 {
		rows = append(rows, []string{fmt.Sprint("k", i), fmt.Sprintf("say \"%d\"; a,b|c\n\tnext", i), fmt.Sprint(float64(i) / 8)})
	}
	var first string
	for _, comma := range []rune{',', ';', '|', '\t'} {
		var b strings.Builder
		w := csv.NewWriter(&b)
		w.Comma = comma
		if err := w.WriteAll(rows); err != nil {
			t.Fatal(err)
		}
		r, err := read(t, "a.csv", b.String(), ingest.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = show(r.Table)
		}
		if got := show(r.Table); got != first || len(r.Rejects) > 0 || r.Table.Rows() != 500 {
			t.Errorf("separated by %q: another table, %d rejects", comma, len(r.Rejects))
		}
	}
}
