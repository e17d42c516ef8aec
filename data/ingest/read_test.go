package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/ingest"
)

// write puts files into a fresh folder and returns it.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// read reads one file of the given name and content.
func read(t testing.TB, name, content string, opt ingest.Options) (*ingest.Result, error) {
	t.Helper()
	opt.Dir = write(t, map[string]string{name: content})
	return ingest.Read(context.Background(), name, opt)
}

// show writes a table one column a line: name, kind, values; a missing value is _.
func show(tab *data.Table) string {
	var b strings.Builder
	for _, c := range tab.Columns {
		fmt.Fprintf(&b, "%s %s:", c.Name, c.Kind)
		for i := range c.Len() {
			if c.Missing(i) {
				b.WriteString(" _")
				continue
			}
			b.WriteString(" " + c.Format(i))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func compress(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func hint(err error) string {
	var h *data.Hinted
	if errors.As(err, &h) {
		return h.Hint
	}
	return ""
}

// Each case is a file and the table it holds.
func TestReadTypes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, in, want string }{
		"numbers": {"a.csv", "x\n1\n-2.5\n1e3\n.5\n5.\n+7\n 8 \n",
			"x number: 1 -2.5 1000 0.5 5 7 8\n"},
		"missing markers": {"a.csv", "x,y\n,a\nNA,N/A\nN/A,NULL\nNULL,b\nnull,nan\nNaN,?\nnan,NaN\n?,\n1,null\n  ,NA\n",
			"x number: _ _ _ _ _ _ _ _ 1 _\ny category: a _ _ b _ _ _ _ _ _\n"},
		"infinities": {"a.csv", "x\ninf\n-inf\nInfinity\n-Infinity\nINF\n1\n",
			"x number: +Inf -Inf +Inf -Inf +Inf 1\n"},
		"yes and no stay words":  {"a.csv", "x,y\nyes,0\nno,1\n", "x category: yes no\ny number: 0 1\n"},
		"booleans in any case":   {"a.csv", "x\nTRUE\nfalse\nTrue\n\"\"\n", "x category: true false true _\n"},
		"true among others":      {"a.csv", "x\nTRUE\nfalse\nmaybe\n", "x category: TRUE false maybe\n"},
		"leading zeros":          {"a.csv", "x\n007\n12\n13\n", "x category: 007 12 13\n"},
		"zero itself":            {"a.csv", "x\n0\n0.5\n-0\n", "x number: 0 0.5 0\n"},
		"beyond 2^53":            {"a.csv", "x\n9007199254740993\n1\n", "x text: 9007199254740993 1\n"},
		"2^53 itself":            {"a.csv", "x\n9007199254740992\n1\n", "x number: 9.007199254740992e+15 1\n"},
		"large with a fraction":  {"a.csv", "x\n9007199254740993\n1.5\n", "x number: 9.007199254740992e+15 1.5\n"},
		"all missing":            {"a.csv", "x,y\n,1\nNA,2\n", "x number: _ _\ny number: 1 2\n"},
		"days":                   {"a.csv", "x\n2026-01-31\n2024/02/29\n\"\"\n", "x time: 2026-01-31T00:00:00Z 2024-02-29T00:00:00Z _\n"},
		"times":                  {"a.csv", "x\n2026-01-31 08:30\n2026-01-31T08:30:15.25Z\n2026-01-31T08:30:00+02:00\n", "x time: 2026-01-31T08:30:00Z 2026-01-31T08:30:15.25Z 2026-01-31T06:30:00Z\n"},
		"day first":              {"a.csv", "x\n01/02/2026\n31/01/2026\n", "x time: 2026-02-01T00:00:00Z 2026-01-31T00:00:00Z\n"},
		"month first":            {"a.csv", "x\n01/02/2026\n01/31/2026\n", "x time: 2026-01-02T00:00:00Z 2026-01-31T00:00:00Z\n"},
		"day or month first":     {"a.csv", "x\n01/02/2026\n03/04/2026\n", "x category: 01/02/2026 03/04/2026\n"},
		"a day that is not":      {"a.csv", "x\n2026-02-30\n2026-01-01\n", "x category: 2026-02-30 2026-01-01\n"},
		"types need all rows":    {"a.csv", "x\n" + strings.Repeat("1\n", 3) + "word\n", "x category: 1 1 1 word\n"},
		"words as written":       {"a.csv", "x,y\n a b ,\"q\"\"uo,te\"\nA B,\"two\nlines\"\n", "x category:  a b  A B\ny category: q\"uo,te two\nlines\n"},
		"long words are text":    {"a.csv", "x\n" + strings.Repeat("w", 65) + "\n" + strings.Repeat("v", 65) + "\n", "x text: " + strings.Repeat("w", 65) + " " + strings.Repeat("v", 65) + "\n"},
		"order of the file":      {"a.csv", "b,a\n2,x\n1,y\n", "b number: 2 1\na category: x y\n"},
		"semicolons":             {"a.csv", "x;y\n1,5;a\n2,5;b\n", "x number: 1.5 2.5\ny category: a b\n"},
		"tabs":                   {"a.tsv", "x\ty\n1\ta,b\n", "x number: 1\ny category: a,b\n"},
		"bars, no known name":    {"a.dat", "x|y\n1|a\n", "x number: 1\ny category: a\n"},
		"byte order mark":        {"a.csv", "\xef\xbb\xbfx,y\n1,2\n", "x number: 1\ny number: 2\n"},
		"windows line ends":      {"a.csv", "x,y\r\n1,2\r\n\r\n3,4\r\n", "x number: 1 3\ny number: 2 4\n"},
		"old mac line ends":      {"a.csv", "x,y\r1,2\r3,4", "x number: 1 3\ny number: 2 4\n"},
		"no last line end":       {"a.csv", "x,y\n1,2\n3,", "x number: 1 3\ny number: 2 _\n"},
		"one column":             {"a.csv", "x\n1\n\n2\n\"\"\n", "x number: 1 2 _\n"},
		"names are trimmed":      {"a.csv", " x , \"y\"\n1,2\n", "x number: 1\ny number: 2\n"},
		"column without a name":  {"a.csv", ",x,\n1,2,3\n", "column_1 number: 1\nx number: 2\ncolumn_3 number: 3\n"},
		"quote in unquoted cell": {"a.csv", "x,y\n5'7\",a\n6'\",b\n", "x category: 5'7\" 6'\"\ny category: a b\n"},
		"blank before quote":     {"a.csv", "x,y\n1, \"a, b\"\n", "x number: 1\ny category: a, b\n"},
		"gzip":                   {"a.csv.gz", compress(t, "x\n1\n"), "x number: 1\n"},
		"gzip without the name":  {"a.csv", compress(t, "x\n1\n"), "x number: 1\n"},
		"names in other scripts": {"a.csv", "年齢,naïve\n1,é\n", "年齢 number: 1\nnaïve category: é\n"},

		"json lines": {"a.jsonl", `{"x":1,"y":"a","z":true}` + "\n\n" + `{"y":null,"x":2.5,"w":[1, 2]}` + "\n",
			"x number: 1 2.5\ny category: a _\nz category: true _\nw category: _ [1, 2]\n"},
		"json strings":          {"a.ndjson", `{"x":"12"}` + "\n" + `{"x":"a\"\u00e9\n"}` + "\n" + `{"x":""}` + "\n" + `{"x":"NA"}`, "x category: 12 a\"é\n _ NA\n"},
		"json quoted numbers":   {"a.ndjson", `{"x":"12"}` + "\n" + `{"x":13}`, "x number: 12 13\n"},
		"json beyond 2^53":      {"a.jsonl", `{"x":9007199254740993}`, "x text: 9007199254740993\n"},
		"json times":            {"a.jsonl", `{"x":"2026-01-31T08:30:00Z"}`, "x time: 2026-01-31T08:30:00Z\n"},
		"json array":            {"a.json", " [\n {\"x\": 1, \"y\": {\"deep\": [\"]\", 2]}},\n {\"x\": 2}\n]\n", "x number: 1 2\ny.deep category: [\"]\", 2] _\n"},
		"json objects within":   {"a.jsonl", `{"a":{"b":1,"c":{"d":"x"}},"e":{}}` + "\n" + `{"e":2,"a":{"c":{"d":null}}}`, "a.b number: 1 _\na.c.d category: x _\ne number: _ 2\n"},
		"json objects in a row": {"a.json", `{"x":1} {"x":2}` + "\n" + `{"x":3}`, "x number: 1 2 3\n"},
		"json of no known name": {"a.data", `[{"x":1}]`, "x number: 1\n"},
		"json compressed":       {"a.jsonl.gz", compress(t, `{"x":1}`), "x number: 1\n"},
	} {
		r, err := read(t, c.file, c.in, ingest.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := show(r.Table); got != c.want || len(r.Rejects) > 0 {
			t.Errorf("%s:\n%q\nread as\n%swant\n%srejects %v", name, c.in, got, c.want, r.Rejects)
		}
	}
}

func TestReadManyWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		distinct, rows int
		want           data.Kind
	}{{1000, 1000, data.Category}, {1001, 1001, data.Text}, {1500, 2999, data.Text}, {1500, 3000, data.Category}, {1501, 3000, data.Text}} {
		var b strings.Builder
		b.WriteString("x\n")
		for i := range c.rows {
			fmt.Fprintf(&b, "w%d\n", i%c.distinct)
		}
		r, err := read(t, "a.csv", b.String(), ingest.Options{})
		if err != nil {
			t.Fatal(err)
		}
		x := r.Table.Columns[0]
		if x.Kind != c.want || x.Len() != c.rows || x.Format(c.rows-1) != fmt.Sprintf("w%d", (c.rows-1)%c.distinct) {
			t.Errorf("%d distinct of %d: %s, last %q, want %s", c.distinct, c.rows, x.Kind, x.Format(c.rows-1), c.want)
		}
		if !slices.IsSorted(x.Dict) {
			t.Errorf("%d distinct: the dictionary is not sorted", c.distinct)
		}
	}
}

// numbersWith returns a CSV of 100 rows: Amount counts up, but for the cells given.
func numbersWith(cells map[int]string) string {
	var b strings.Builder
	b.WriteString("Amount,Home\n")
	for i := 1; i <= 100; i++ {
		cell, given := cells[i]
		if !given {
			cell = fmt.Sprint(i)
		}
		fmt.Fprintf(&b, "%s,rent\n", cell)
	}
	return b.String()
}

func TestRejectsOfCells(t *testing.T) {
	t.Parallel()
	r, err := read(t, "loans.csv", numbersWith(map[int]string{1: `"12,5oo"`, 40: "", 99: "n.a."}), ingest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	amount := r.Table.Column("Amount")
	if amount.Kind != data.Number || r.Table.Rows() != 98 || amount.Numbers[0] != 2 || amount.Numbers[97] != 100 || !math.IsNaN(amount.Numbers[38]) {
		t.Errorf("Amount is %s with %d rows, from %v to %v", amount.Kind, r.Table.Rows(), amount.Numbers[0], amount.Numbers[97])
	}
	want := []ingest.Reject{
		{File: "loans.csv", Line: 2, Row: 1, Column: "Amount", Value: "12,5oo", Raw: `"12,5oo",rent`,
			Reason: "is not a number, 97 of the column's 99 values are; write numbers as 1234.5, without thousands marks, units or a decimal comma, or leave the cell empty"},
		{File: "loans.csv", Line: 100, Row: 99, Column: "Amount", Value: "n.a.", Raw: `n.a.,rent`,
			Reason: "is not a number, 97 of the column's 99 values are; write numbers as 1234.5, without thousands marks, units or a decimal comma, or leave the cell empty"},
	}
	if !slices.Equal(r.Rejects, want) {
		t.Errorf("rejects\n%+v\nwant\n%+v", r.Rejects, want)
	}
	if r.Snapshot.Rows != 98 || r.Snapshot.Rejects != 2 || r.Snapshot.Columns != 2 || r.Bad != nil {
		t.Errorf("snapshot %+v, bad %v", r.Snapshot, r.Bad)
	}
}

// A sixth bad cell in a hundred makes the column words.
func TestRejectsStopAtFivePercent(t *testing.T) {
	t.Parallel()
	for bad, want := range map[int]data.Kind{5: data.Number, 6: data.Category} {
		cells := map[int]string{}
		for i := range bad {
			cells[10*i+3] = "unknown"
		}
		r, err := read(t, "a.csv", numbersWith(cells), ingest.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Table.Columns[0].Kind; got != want {
			t.Errorf("%d bad cells of 100: %s, want %s", bad, got, want)
		}
	}
}

// A word that only a rejected row has is not in the dictionary.
func TestRejectedRowsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	in := "Home,Amount\n"
	for i := range 50 {
		in += fmt.Sprintf("rent,%d\n", i)
	}
	r, err := read(t, "a.csv", in+"castle,much\n", ingest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Table.Column("Home").Dict; !slices.Equal(got, []string{"rent"}) || r.Table.Rows() != 50 || len(r.Rejects) != 1 {
		t.Errorf("dictionary %v, %d rows, rejects %v", got, r.Table.Rows(), r.Rejects)
	}
}

// Each case is a file, its rows that can be read, and line and reason of those
// that cannot.
func TestRejectsOfRows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want, rejects string }{
		"ragged": {"x,y\n1,2\n3\n4,5,6\n7,8\n9,10\n", "x number: 1 7 9\ny number: 2 8 10\n",
			`3 2 "3" has 1 cell, the header has 2; 4 3 "4,5,6" has 3 cells, the header has 2`},
		"never closed": {"x,y\n1,a\n2,\"b\n3,c\n4,d\n", "x number: 1 3 4\ny category: a c d\n",
			`3 2 "2,\"b" has a quote that is never closed`},
		"closed by a later cell": {"x,y\n1,\"a\n2,\"b\"\n3,c\n4,d\n", "x number: 2 3 4\ny category: b c d\n",
			`2 1 "1,\"a" has text after a closing quote`},
		"text after a quote": {"x,y\n1,\"a\"b\n2,c\n3,d\n", "x number: 2 3\ny category: c d\n",
			`2 1 "1,\"a\"b" has text after a closing quote`},
		"line breaks inside quotes before": {"x,y\n1,\"a\nb\r\nc\"\n2\n3,d\n4,e\n", "x number: 1 3 4\ny category: a\nb\r\nc d e\n",
			`5 2 "2" has 1 cell, the header has 2`},
		"empty lines before": {"x,y\n\n1,a\n   \n2\n3,d\n4,e\n", "x number: 1 3 4\ny category: a d e\n",
			`5 2 "2" has 1 cell, the header has 2`},
		"last line": {"x,y\n1,a\n2,\"b", "x number: 1\ny category: a\n", `3 2 "2,\"b" has a quote that is never closed`},
	} {
		r, err := read(t, "a.csv", c.in, ingest.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var rejects []string
		for _, x := range r.Rejects {
			rejects = append(rejects, fmt.Sprintf("%d %d %q %s", x.Line, x.Row, x.Raw, strings.TrimPrefix(x.Reason, "the row ")))
		}
		if got := show(r.Table); got != c.want || strings.Join(rejects, "; ") != c.rejects {
			t.Errorf("%s: read as\n%swant\n%srejects %s\nwant    %s", name, got, c.want, strings.Join(rejects, "; "), c.rejects)
		}
	}
}

func TestRejectsOfJSON(t *testing.T) {
	t.Parallel()
	r, err := read(t, "a.jsonl", `{"x":1}
{"x":2
[3]
{"x":4,"x":5}
{"x":6}
{"x":7}
{"x":8}
`, ingest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range r.Rejects {
		got = append(got, fmt.Sprintf("%d %s", x.Line, x.Reason))
	}
	want := "2 the row is not valid JSON|3 the row is not a JSON object|4 the row names a key twice"
	if strings.Join(got, "|") != want || show(r.Table) != "x number: 1 6 7 8\n" {
		t.Errorf("rejects %v, table\n%s", got, show(r.Table))
	}
}

func TestWriteRejects(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "rejects.csv")
	rejects := []ingest.Reject{{File: "a.csv", Line: 7, Row: 5, Column: "x", Value: "1,5", Reason: "is not a number", Raw: "\"1,5\"\nb"}}
	if err := ingest.WriteRejects(path, rejects); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := "file,line,row,column,value,reason,raw\na.csv,7,5,x,\"1,5\",is not a number,\"\"\"1,5\"\"\nb\"\n"; string(got) != want {
		t.Errorf("written\n%s\nwant\n%s", got, want)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d files left, want 1", len(entries))
	}
	if err := ingest.WriteRejects(filepath.Join(dir, "none", "rejects.csv"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into a folder that is not there: %v", err)
	}
}

func ExampleRead() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	in := "Status,Income,Home\ngood,129,rent\nbad,,owner\ngood,131,owner\n"
	_ = os.WriteFile(filepath.Join(dir, "credit.csv"), []byte(in), 0o600)

	r, err := ingest.Read(context.Background(), "credit.csv", ingest.Options{Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range r.Table.Columns {
		fmt.Println(c.Name, c.Kind, c.Format(0), c.Missing(1))
	}
	fmt.Println(r.Snapshot.Rows, "rows", r.Snapshot.SHA256[:8])
	// Output:
	// Status category good false
	// Income number 129 true
	// Home category rent false
	// 3 rows beaea638
}
