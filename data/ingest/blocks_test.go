package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/ingest"
)

// whole puts blocks together again: each column's cells as text, and the rows
// that are bad.
type whole struct {
	cells   map[string][]string
	bad     map[int]string
	rejects []ingest.Reject
	ignored []string
	blocks  int
}

func (w *whole) add(first int, t *data.Table, bad map[int]*data.CellError, rejects []ingest.Reject, ignored []string) {
	if w.cells == nil {
		w.cells, w.bad = map[string][]string{}, map[int]string{}
	}
	for _, c := range t.Columns {
		name := fmt.Sprintf("%s %v", c.Name, c.Kind)
		for i := range c.Len() {
			w.cells[name] = append(w.cells[name], c.Format(i))
		}
	}
	for i, e := range bad {
		w.bad[first+i] = e.Error() + e.Hint
	}
	w.rejects, w.ignored = append(w.rejects, rejects...), ignored
	w.blocks++
}

func blocks(source string, opt ingest.BlockOptions) (*whole, int, error) {
	w := &whole{}
	rows, err := ingest.Blocks(context.Background(), source, opt, func(b *ingest.Block) error {
		if b.Table.Rows() > ingest.BlockRows {
			return fmt.Errorf("a block of %d rows", b.Table.Rows())
		}
		w.add(b.First, b.Table, b.Bad, b.Rejects, b.Ignored)
		return nil
	})
	return w, rows, err
}

// sources are texts with all that can befall a row, of more rows than a block.
func sources() map[string]string {
	long := func(line func(i int) string) string {
		var b strings.Builder
		for i := range ingest.BlockRows + 100 {
			b.WriteString(line(i))
		}
		return b.String()
	}
	return map[string]string{
		"quoted.csv": "\xef\xbb\xbfHome,Key,Income,Records,Since,note,Country\n" + long(func(i int) string {
			return fmt.Sprintf("\"ow\nner\",%07d,%d.5,TRUE,2026-01-%02d,\"say \"\"x\"\"\",ES\n", i, i, 1+i%31)
		}) + "rent,8\nrent,9,much,0,,,\n,,7,?,NA,,\n\xff,1,2,,,,\nrent,\"1,2,,,,\n",
		"days.tsv": "Income\tSince\tKey\n" + long(func(i int) string { return fmt.Sprintf("%d\t%02d/01/2026\tk%d\n", i, 1+i%12, i) }) +
			"1\t31/01/2026\tlast\n2\t01/31/2026\tother\n",
		"late.jsonl": long(func(i int) string { return fmt.Sprintf("{\"Income\":%d,\"Home\":\"h%d\"}\n", i, i%40) }) +
			`{"Income":1,"Key":"late","Since":"31/12/2026","colour":"red"}` + "\n{\"Home\":\"x\"}\n[1]\n{\"Income\":\"a\"}\n{\n",
		"array.json": `[{"Income":1,"Since":"2026-01-31"},` + "\n" + `{"Income":2,"Since":"no","Records":true},{"Income":null}]`,
		"huge.csv":   "Income,Home\n" + strings.Repeat("1,"+strings.Repeat("x", 3<<20)+"\n", 8) + "2,rent\n3,\"" + strings.Repeat("y", 5<<20) + "\"\n4,rent\n",
		"semi.csv":   "Income;Home\r\n1;rent\r\n2;\r\n\r\nx;owner\r\n",
	}
}

// What Blocks hands over is what Read reads, row by row, whatever is wrong with
// the rows.
func TestBlocksAreWhatReadReads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	names := map[string]bool{"rows.parquet": true}
	for name, text := range sources() {
		names[name] = true
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := ingest.WriteParquet(`SELECT CAST(range AS BIGINT) AS Income, CASE WHEN range % 3 = 0 THEN NULL ELSE 'rent' END AS Home,
		range % 2 = 0 AS Records, '31/12/2026' AS Since, 'k' || range AS Key, 5 AS other FROM range(40000)`, filepath.Join(dir, "rows.parquet")); err != nil {
		t.Fatal(err)
	}
	for name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := ingest.Read(context.Background(), name, ingest.Options{Dir: dir, Contract: lender(), KeepBad: true})
			if err != nil {
				t.Fatal(err)
			}
			want := &whole{}
			want.add(0, r.Table, r.Bad, r.Rejects, r.Ignored)
			got, rows, err := blocks(name, ingest.BlockOptions{Dir: dir, Contract: lender()})
			if err != nil {
				t.Fatal(err)
			}
			if rows != r.Table.Rows() {
				t.Errorf("%d rows, want %d", rows, r.Table.Rows())
			}
			if big := rows > ingest.BlockRows || name == "huge.csv"; big != (got.blocks > 1) {
				t.Errorf("%d rows came in %d blocks", rows, got.blocks)
			}
			same := func(what string, got, want any) {
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s differ:\n%.300v\nwant\n%.300v", what, got, want)
				}
			}
			same("cells", got.cells, want.cells)
			same("bad rows", got.bad, want.bad)
			same("rejects", got.rejects, want.rejects)
			same("ignored", got.ignored, want.ignored)

			skipped, rows, err := blocks(name, ingest.BlockOptions{Dir: dir, Contract: lender(), Skip: 2})
			if err != nil || rows != r.Table.Rows() {
				t.Fatalf("%d rows, %v", rows, err)
			}
			for column, cells := range want.cells {
				same("cells after those skipped of "+column, skipped.cells[column], cells[2:])
			}

			in, err := os.Open(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			if name == "late.jsonl" || name == "days.tsv" { // what comes late is not seen in time, if it comes after megabytes
				return
			}
			piped, _, err := blocks(name, ingest.BlockOptions{Input: io.MultiReader(in), Contract: lender()})
			if err != nil {
				t.Fatal(err)
			}
			same("cells of the input", piped.cells, want.cells)
			same("bad rows of the input", piped.bad, want.bad)
		})
	}
}

// An input says how its days are written in its first megabytes; what is
// written otherwise afterwards is refused and not misread. A feature may come
// up late.
func TestInputIsReadOnce(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	b.WriteString(`{"Income":1,"Since":"31/12/2026"}` + "\n")
	for range 200_000 {
		b.WriteString(`{"Income":2,"Since":"01/12/2026"}` + "\n")
	}
	b.WriteString(`{"Income":3,"Since":"12/31/2026","Home":"rent","Key":"late"}` + "\n")
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	zip.Write(b.Bytes())
	zip.Close()
	got, rows, err := blocks("stdin", ingest.BlockOptions{Input: &zipped, Contract: lender()})
	if err != nil || rows != 200_002 {
		t.Fatalf("%d rows, %v", rows, err)
	}
	if since := got.cells["Since time"]; since[1] != "2026-12-01T00:00:00Z" || since[rows-1] != "" {
		t.Errorf("times %q and %q", since[1], since[rows-1])
	}
	if len(got.bad) != 1 || !strings.Contains(got.bad[rows-1], `"12/31/2026" is not a time`) {
		t.Errorf("bad rows %v", got.bad)
	}
	if home := got.cells["Home category"]; home[0] != "" || home[rows-1] != "rent" {
		t.Errorf("homes %q and %q", home[0], home[rows-1])
	}
	if _, there := got.cells["Key text"]; there {
		t.Error("the id came up late and is there")
	}
}

func TestBlocksRefuse(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	zip.Write([]byte("Income\n" + strings.Repeat("1\n", 100_000)))
	zip.Close()
	for name, c := range map[string]struct{ in, format, want string }{
		"nothing":           {"", "", "stdin is empty"},
		"a header":          {"Income,Home\n", "", "stdin has a header but no rows"},
		"no objects":        {"[]", "json", "stdin has no rows"},
		"a lacking column":  {"Home\nrent\n", "", `stdin lacks the column that the model needs: "Income"`},
		"a lacking key":     {`{"Home":"rent"}`, "", `lacks the column that the model needs: "Income"`},
		"half a gzip":       {zipped.String()[:zipped.Len()/2], "", "cut short or damaged"},
		"an archive":        {"PK\x03\x04....", "", "ZIP archive"},
		"no such format":    {"Income\n1\n", "xml", `no format "xml"`},
		"no Parquet":        {"Income\n1\n", "parquet", "not a readable Parquet file"},
		"no Arrow":          {"Income\n1\n", "arrow", "not a readable Arrow IPC stream"},
		"an Arrow file":     {"ARROW1\x00\x00", "", "is an Arrow file"},
		"half an Arrow":     {"\xff\xff\xff\xff\x10\x00\x00\x00", "", "Arrow IPC stream"},
		"an array cut":      {`[{"Income":1},{"Inc`, "json", "ends within a value"},
		"an unclosed quote": {"\"Income\n1\n", "csv", "never closed"},
	} {
		_, _, err := blocks("stdin", ingest.BlockOptions{Input: strings.NewReader(c.in), Format: c.format, Contract: lender()})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	stop := errors.New("enough")
	_, err := ingest.Blocks(context.Background(), "stdin", ingest.BlockOptions{Input: strings.NewReader("Income\n1\n"), Contract: lender()},
		func(*ingest.Block) error { return stop })
	if err != stop {
		t.Errorf("do's error came back as %v", err)
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = ingest.Blocks(cancelled, "stdin", ingest.BlockOptions{Input: strings.NewReader("Income\n1\n"), Contract: lender()}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// What is written as Arrow or Parquet is read back as it was.
func TestWrittenIsReadBack(t *testing.T) {
	t.Parallel()
	var arrow bytes.Buffer
	w := ingest.NewArrowWriter(&arrow)
	for _, n := range []float64{1, 3} {
		if err := w.Write(&data.Table{Columns: []*data.Column{
			{Name: "Income", Kind: data.Number, Numbers: []float64{n, 0.30000000000000004}},
			{Name: "Home", Kind: data.Text, Texts: []string{"", "a\nb,\"c\""}},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Write(&data.Table{Columns: []*data.Column{{Name: "else", Kind: data.Number, Numbers: []float64{1}}}}); err == nil {
		t.Error("a table with other columns was written")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var parquet bytes.Buffer
	p, err := ingest.NewParquetWriter(&parquet)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(p, "Income,Home\n1,\n0.30000000000000004,\"a\nb,\"\"c\"\"\"\n3,\"\"\n0.30000000000000004,\"a\nb,\"\"c\"\"\"\n")
	if err := p.Close([]string{"Income", "Home"}, []bool{true, false}); err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]*bytes.Buffer{"arrow": &arrow, "parquet": &parquet} {
		got, rows, err := blocks("stdin", ingest.BlockOptions{Input: in, Contract: lender()})
		if err != nil || rows != 4 {
			t.Fatalf("%s: %d rows, %v", name, rows, err)
		}
		want := []string{"1 ", "0.30000000000000004 a\nb,\"c\"", "3 ", "0.30000000000000004 a\nb,\"c\""}
		for i := range want {
			if row := got.cells["Income number"][i] + " " + got.cells["Home category"][i]; row != want[i] {
				t.Errorf("%s: row %d is %q, want %q", name, i, row, want[i])
			}
		}
	}
}
