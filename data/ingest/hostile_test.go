package ingest_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode/utf16"

	"github.com/xuri/excelize/v2"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/ingest"
)

// A file of an archive is chosen by its name after #.
func TestReadMember(t *testing.T) {
	t.Parallel()
	archive := zipped(t, "a.csv", "x\n1\n", "d/b.tsv", "x\ty\n2\ta\n", "__MACOSX/c.csv", "x\n9\n")
	dir := write(t, map[string]string{"a.zip": archive, "b.ZIP": archive, "c.zip#a.csv": "x\n7\n", "plain.zip": "x\n1\n"})
	for source, want := range map[string]string{"a.zip#a.csv": "x number: 1\n", "a.zip#d/b.tsv": "x number: 2\ny category: a\n", "b.ZIP#a.csv": "x number: 1\n",
		"c.zip#a.csv": "x number: 7\n", "[ab].[zZ][iI][pP]#a.csv": ""} {
		r, err := ingest.Read(context.Background(), source, ingest.Options{Dir: dir})
		switch {
		case want == "" && err == nil:
			t.Errorf("%s is read", source)
		case want != "" && (err != nil || show(r.Table) != want || r.Snapshot.Source != source):
			t.Errorf("%s: %+v, %v", source, r, err)
		}
	}
	for source, want := range map[string][2]string{
		"a.zip":        {"a.zip is a ZIP archive of 2 files: a.csv, d/b.tsv", "name one as a.zip#a.csv"},
		"a.zip#b.tsv":  {"a.zip#b.tsv: the archive has 0 files of that name", "it holds a.csv, d/b.tsv"},
		"a.zip#z":      {"the archive has 0 files", "it holds a.csv, d/b.tsv"},
		"nosuch.zip#a": {"there is no file nosuch.zip", "paths are relative"},
		"plain.zip#a":  {"is no ZIP archive", "only archives"},
	} {
		_, err := ingest.Read(context.Background(), source, ingest.Options{Dir: dir})
		if err == nil || !strings.Contains(err.Error(), want[0]) || !strings.Contains(hint(err), want[1]) {
			t.Errorf("%s:\nerror %v\nhint  %s\nwant  %s\n      %s", source, err, hint(err), want[0], want[1])
		}
	}
}

// A header alone is a table of no rows for whoever allows that.
func TestReadNoRows(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{"a.csv": "x,y\n", "b.csv": "x,y", "c.tsv": "x\ty\n\n"} {
		r, err := read(t, name, in, ingest.Options{Empty: true})
		if err != nil || show(r.Table) != "x number:\ny number:\n" || r.Snapshot.Rows != 0 || len(r.Findings) != 0 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	if _, err := read(t, "a.csv", "", ingest.Options{Empty: true}); err == nil || err.Error() != "a.csv is empty" {
		t.Errorf("no bytes: %v", err)
	}
}

// What one file tells of its cells holds for a later one that leaves it open.
func TestMeaningIsKept(t *testing.T) {
	t.Parallel()
	first, err := read(t, "a.csv", "day;x;ok;note\n31/01/2026;1,5;Yes;-\n01/02/2026;2,25;no;none\n02/02/2026;none;YES;b\n", ingest.Options{Dialect: data.Dialect{Missing: []string{"none"}}})
	if err != nil {
		t.Fatal(err)
	}
	as := first.Snapshot.Read
	if as.Dates != "dmy" || as.OpenDecimal != "," || fmt.Sprint(as.Missing) != "[none]" || as.Delimiter != "" {
		t.Fatalf("kept %+v", as)
	}
	var c data.Contract
	for _, column := range first.Table.Columns {
		c.Fields = append(c.Fields, data.Field{Name: column.Name, Kind: column.Kind, Role: data.Feature, Categories: column.Dict})
	}
	later := "day;x;ok;note\n03/04/2026;1,234;y;NA\n"
	want := "day time: 2026-04-03T00:00:00Z\nx number: 1.234\nok category: true\nnote category: NA\n"
	dir := write(t, map[string]string{"b.csv": later})
	r, err := ingest.Read(context.Background(), "b.csv", ingest.Options{Dir: dir, Contract: &c, KeepBad: true, Dialect: as})
	if err != nil || show(r.Table) != want || len(r.Bad) > 0 {
		t.Errorf("read as\n%s%v %v\nwant\n%s", show(r.Table), r.Bad, err, want)
	}
	for _, how := range []ingest.BlockOptions{{Dir: dir}, {Input: strings.NewReader(later), Format: "csv"}} {
		how.Contract, how.Dialect = &c, as
		if _, err := ingest.Blocks(context.Background(), "b.csv", how, func(b *ingest.Block) error {
			if got := show(b.Table); got != want || len(b.Bad) > 0 {
				t.Errorf("in blocks read as\n%s%v, want\n%s", got, b.Bad, want)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
}

// In strict blocks nothing may be guessed, repaired or refused.
func TestStrictBlocks(t *testing.T) {
	t.Parallel()
	c := data.Contract{Fields: []data.Field{{Name: "x", Kind: data.Number, Role: data.Feature}}}
	for in, want := range map[string]string{"x\n1\n2\n": "", "x;y\n1;2\n": "cells are separated by", "x\n1\nz\n": "1 row that cannot be read", "x\n\"1,000.5\"\n": "numbers written with a decimal point",
		"x,x\n1,2\n": "with a name that another has", "x\n1\nNA\n": "says that there is no value"} {
		for _, input := range []bool{false, true} {
			how := ingest.BlockOptions{Contract: &c, Strict: true, Dir: write(t, map[string]string{"a.csv": in})}
			if input {
				how.Input, how.Format = strings.NewReader(in), "csv"
			}
			_, err := ingest.Blocks(context.Background(), "a.csv", how, func(*ingest.Block) error { return nil })
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(hint(err), want)) {
				t.Errorf("%q, of a stream %v: %v; %s", in, input, err, hint(err))
			}
		}
	}
}

// What strangers hand over is an error that says what to do, or a table with what
// was done to it told.
func TestReadHostile(t *testing.T) {
	t.Parallel()
	wide := func(s string) string {
		var b []byte
		for _, u := range utf16.Encode([]rune(s)) {
			b = binary.LittleEndian.AppendUint16(b, u)
		}
		return string(b)
	}
	columns := strings.TrimSuffix(strings.Repeat("1,", 5000), ",")
	var names []string
	for i := range 5000 {
		names = append(names, fmt.Sprintf("c%d", i))
	}
	big := strings.Repeat("z", 1<<20)
	for name, c := range map[string]struct {
		file, in string
		rows     int    // of the table; -1: an error
		say      string // in the error, its cure or what is told
	}{
		"lone CR":             {"a.csv", "x,y\r1,2\r3,4\r", 2, ""},
		"NUL in a cell":       {"a.csv", "x,y\n1,a\x00b\n", -1, "holds a NUL byte"},
		"a cell of a MB":      {"a.csv", "x,y\n1," + big + "\n2,b\n", 2, ""},
		"a quoted one":        {"a.csv", "x,y\n1,\"" + big + "\"\n2,b\n", 2, ""},
		"a cell too large":    {"a.csv", "x,y\n1," + strings.Repeat(big, 5) + "\n2,b\n3,c\n", 2, "1 row that cannot be read is left out"},
		"5000 columns":        {"a.csv", strings.Join(names, ",") + "\n" + columns + "\n", 1, ""},
		"ragged":              {"a.csv", "x,y\n1,2\n" + strings.Repeat("1,", 10_000) + "\n3,4\n", 2, "1 row that cannot be read is left out"},
		"mixed encodings":     {"a.csv", "x,y\n1,caf\xe9\n2,café\n3,\xe9\n4,na\xefve\n", 4, "the text is read as windows-1252"},
		"UTF-16, no mark":     {"a.csv", wide("name,y\nabc,1\ndef,2\n"), 2, "the text is read as utf-16le"},
		"a picture":           {"a.csv", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", -1, "is a PNG picture"},
		"a PDF":               {"a.csv", "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", -1, "is a PDF document"},
		"a web page":          {"a.csv", "<!DOCTYPE html>\n<html><head><title>Sign in, please</title></head>\n<body>Sign in</body></html>\n", -1, "is a web page"},
		"a web page, shorter": {"a.csv", "\n  <HTML>\n<body>403, forbidden</body></HTML>\n", -1, "is a web page"},
		"XML":                 {"a.csv", "<?xml version=\"1.0\"?>\n<rows><row/></rows>\n", -1, "is an XML file"},
		"no web page":         {"a.csv", "<html>,y\n1,2\n", 1, ""},
		"keys twice":          {"a.jsonl", "{\"x\":1,\"x\":2}\n{\"x\":3}\n{\"x\":4}\n", 2, "1 row that cannot be read is left out"},
		"deep":                {"a.jsonl", "{\"x\":" + strings.Repeat("{\"a\":", 5000) + "1" + strings.Repeat("}", 5000) + "}\n", 1, ""},
		"too deep":            {"a.jsonl", "{\"x\":" + strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000) + "}\n{\"x\":1}\n{\"x\":1}\n", 2, "1 row that cannot be read is left out"},
		"no objects":          {"a.jsonl", "1\n2\n", -1, "is not a JSON object"},
	} {
		r, err := read(t, c.file, c.in, ingest.Options{})
		switch {
		case err != nil && (c.rows >= 0 || hint(err) == "" || !strings.Contains(err.Error()+" "+hint(err), c.say)):
			t.Errorf("%s: %.300v; %.300s", name, err, hint(err))
		case err == nil && (r.Table.Rows() != c.rows || !strings.Contains(told(r), c.say) || c.say == "" && len(r.Findings) > 0):
			t.Errorf("%s: %d rows, told %.300s", name, r.Table.Rows(), told(r))
		}
	}
}

// What is no file at all.
func TestReadNoFile(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"a.csv": "x\n1\n"})
	for link, to := range map[string]string{"round": "about", "about": "round", "good.csv": "a.csv", "gone.csv": "nowhere"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Skip(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Skip(err)
	}
	for source, want := range map[string][2]string{"round": {"too many levels of symbolic links", "loop"}, "pipe": {"is not a regular file", "read twice"}, "gone.csv": {"is a link to nowhere, which is not there", "mend the link"}} {
		_, err := ingest.Read(context.Background(), source, ingest.Options{Dir: dir})
		if err == nil || !strings.Contains(err.Error(), want[0]) || !strings.Contains(hint(err), want[1]) {
			t.Errorf("%s: %v; %s", source, err, hint(err))
		}
	}
	if r, err := ingest.Read(context.Background(), "good.csv", ingest.Options{Dir: dir}); err != nil || r.Snapshot.Rows != 1 {
		t.Errorf("a link to a file: %v", err)
	}
}

// Rows that are added while a file is read belong to no table.
func TestReadGrowing(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"a.csv": "x\n" + strings.Repeat("1\n", 20_000)})
	grown := false
	_, err := ingest.Read(context.Background(), "a.csv", ingest.Options{Dir: dir, Progress: func(int) {
		if grown {
			return
		}
		grown = true
		f, err := os.OpenFile(filepath.Join(dir, "a.csv"), os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString("2\n")
			f.Close()
		}
		if err != nil {
			t.Error(err)
		}
	}})
	if err == nil || !strings.Contains(err.Error(), "a.csv changed while it was read") || hint(err) == "" {
		t.Errorf("error %v", err)
	}
}

// Formulas, errors and merged cells of a workbook.
func TestReadOddWorkbook(t *testing.T) {
	t.Parallel()
	f := excelize.NewFile()
	defer f.Close()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, row := range [][]any{{"id", "x", "group", "sum"}, {1, 2.5, "a", nil}, {2, "#N/A", nil, nil}, {3, "#DIV/0!", "b", nil}, {4, 7, "b", nil}} {
		for k, v := range row {
			if cell, err := excelize.CoordinatesToCellName(k+1, i+1); v != nil {
				check(err)
				check(f.SetCellValue("Sheet1", cell, v))
			}
		}
	}
	check(f.MergeCell("Sheet1", "C2", "C3"))
	check(f.SetCellFormula("Sheet1", "D2", "A2+B2")) // never computed: no value is stored
	path := filepath.Join(t.TempDir(), "a.xlsx")
	check(f.SaveAs(path))
	r, err := ingest.Read(context.Background(), path, ingest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := "id number: 1 2 3 4\nx number: 2.5 _ _ 7\ngroup category: a _ b b\nsum number: _ _ _ _\n"
	if got := show(r.Table); got != want {
		t.Errorf("read as\n%swant\n%s", got, want)
	}
	for _, say := range []string{"#N/A", "1 range of merged cells"} {
		if !strings.Contains(told(r), say) {
			t.Errorf("told nothing of %s:\n%s", say, told(r))
		}
	}
}

func TestReadNestedParquet(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.parquet")
	if err := ingest.WriteParquet(`SELECT * FROM (VALUES ({'a': 1, 'b': 'x'}, MAP {'k': 1}, [[1],[2]], TIME '07:10:00', INTERVAL 1 DAY, 'a'::BLOB)) t(s, m, l, t, i, b)`, path); err != nil {
		t.Fatal(err)
	}
	r, err := ingest.Read(context.Background(), path, ingest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := "s category: {'a': 1, 'b': x}\nm category: {k=1}\nl category: [[1], [2]]\nt category: 07:10:00\ni category: 1 day\nb category: a\n"
	if got := show(r.Table); got != want {
		t.Errorf("read as\n%swant\n%s", got, want)
	}
}
