package ingest_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/ingest"
)

// Whatever the bytes, reading gives a table whose rows and rejects it counts, or
// an error; the same bytes give the same table, and what is read with the
// contract of what was read is the same again.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"x;y\n1,5;a\n2,5;b\n", "# c\nx,y\n'1','it''s'\n", "x\n1.234,5 €\n", "x,y\n12/31/20,Dec 31 2020\n", "\xff\xfex\x00\n\x001\x00\n\x00",
		"a,b\n1,\"x \\\" y\"\n", "1,2\n3,4\n", "x,x,\n1,2,\nTotal,3,\n", "{\"a\":{\"b\":[1]}}\n", "[{\"a\":1}]", "x\ncaf\xe9\n", "x, y\n1, 2\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		// Compressed bytes are FuzzPacked's: a few may grow to a hundred million.
		if len(b) > 1<<13 || bytes.HasPrefix(b, []byte("\x1f\x8b")) || bytes.HasPrefix(b, []byte("\x28\xb5\x2f\xfd")) || bytes.HasPrefix(b, []byte("PAR1")) || bytes.HasPrefix(b, []byte("\xff\xff\xff\xff")) || bytes.HasPrefix(b, []byte("PK")) {
			return // read by libraries
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "a"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := ingest.Read(context.Background(), "a", ingest.Options{Dir: dir})
		if err != nil {
			return
		}
		if r.Snapshot.Rows != r.Table.Rows() || r.Snapshot.Rejects != len(r.Rejects) {
			t.Fatalf("%q: %+v", b, r.Snapshot)
		}
		again, err := ingest.Read(context.Background(), "a", ingest.Options{Dir: dir})
		if err != nil || show(again.Table) != show(r.Table) || told(again) != told(r) {
			t.Fatalf("%q is read as two tables, %v", b, err)
		}
		var c data.Contract
		for _, column := range r.Table.Columns {
			c.Fields = append(c.Fields, data.Field{Name: column.Name, Kind: column.Kind, Role: data.Feature})
		}
		if _, err := ingest.Read(context.Background(), "a", ingest.Options{Dir: dir, Contract: &c, KeepBad: true}); err != nil {
			t.Fatalf("%q cannot be read with its own contract: %v", b, err)
		}
	})
}

// What a cell says as a number or a time does not depend on who asks: a number in
// a style is told as one, and a time, written year first, is the same time.
func FuzzCell(f *testing.F) {
	for _, s := range []string{"1.234,56 €", "(1 234)", "CHF 1'234.50", "12-", "−5%", "$ -1,000", "12%", "31/12/20", "31.12.2020 08:30", "12-31-2020T23:59:59.5+02:00",
		"Friday, 26 October 2012", "Dec 31, 2020 1:05", "2026-01-31 24:00", "1\u00a0234,5", "0x1", "1_000", "١٢", "-", "1e400", "0000-00-00", "29 Feb 2023"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		saw := ingest.LookAt(b)
		for _, x := range saw.Numbers {
			if x != x {
				t.Errorf("%q is read as no number", b)
			}
		}
		if saw.Wrong != "" {
			t.Errorf("%q: %s", b, saw.Wrong)
		}
		for _, us := range saw.Times {
			if again, ok := ingest.ParseTime(data.FormatTime(us), "ymd"); !ok || again != us {
				t.Errorf("%q is %d, written as %s it is %d", b, us, data.FormatTime(us), again)
			}
		}
	})
}

// A workbook whose parts are anything gives a table or an error.
func FuzzBook(f *testing.F) {
	row := func(cells string) string {
		return `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>` + cells + `</sheetData></worksheet>`
	}
	texts := `<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" count="2" uniqueCount="2"><si><t>x</t></si><si><r><t>a</t></r><r><t>b</t></r></si></sst>`
	styles := `<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><numFmts count="1"><numFmt numFmtId="164" formatCode="dd.mm.yyyy"/></numFmts><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="164" applyNumberFormat="1"/></cellXfs></styleSheet>`
	f.Add([]byte(row(`<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row><row r="2"><c r="A2"><v>1</v></c><c r="B2" s="1"><v>46053</v></c></row>`)), []byte(texts), []byte(styles))
	f.Add([]byte(row(`<row r="1"><c r="A1" t="inlineStr"><is><t>x</t></is></c></row><row r="2"><c r="A2" t="s"><v>-1</v></c></row><row r="3"><c r="XFD3" t="e"><v>#N/A</v></c></row>`)), []byte(texts), []byte(styles))
	f.Add([]byte(row(`<row r="9"><c t="b"><f>1+1</f><v>1</v></c><c r="A9" s="99"><v>1e308</v></c></row><row r="9"><c r="1A"><v>1</v></c></row>`)), []byte(texts), []byte("<x"))
	f.Fuzz(func(t *testing.T, sheet, texts, styles []byte) {
		if len(sheet)+len(texts)+len(styles) > 1<<14 {
			return
		}
		opt := ingest.Options{Dir: write(t, map[string]string{"a.xlsx": zipped(t,
			"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>`,
			"_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
			"xl/workbook.xml", `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>`,
			"xl/_rels/workbook.xml.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/><Relationship Id="r3" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>`,
			"xl/worksheets/sheet1.xml", string(sheet), "xl/sharedStrings.xml", string(texts), "xl/styles.xml", string(styles))})}
		twice(t, "a.xlsx", opt)
	})
}

// Compressed bytes that are damaged give a table or an error; whole ones, what
// was compressed.
func FuzzPacked(f *testing.F) {
	plain := "x,y\n1,a\n2,b\n3,a\n"
	f.Add([]byte(compress(f, plain)), byte(0))
	f.Add([]byte(zstandard(f, plain)), byte(1))
	f.Add([]byte(zipped(f, "a.csv", plain)), byte(2))
	f.Add([]byte(zipped(f, "a.csv", plain, "b.csv", plain)), byte(2))
	f.Fuzz(func(t *testing.T, b []byte, kind byte) {
		if len(b) > 1<<16 {
			return
		}
		name := [...]string{"a.csv.gz", "a.csv.zst", "a.zip"}[kind%3]
		twice(t, name, ingest.Options{Dir: write(t, map[string]string{name: string(b)})})
	})
}

// twice reads a source two times: it gives one table, or errors.
func twice(t *testing.T, name string, opt ingest.Options) {
	t.Helper()
	r, err := ingest.Read(context.Background(), name, opt)
	if err != nil {
		if r != nil || err.Error() == "" {
			t.Errorf("%v beside the error %v", r, err)
		}
		return
	}
	if r.Snapshot.Rows != r.Table.Rows() {
		t.Errorf("%+v of %d rows", r.Snapshot, r.Table.Rows())
	}
	if again, err := ingest.Read(context.Background(), name, opt); err != nil || show(again.Table) != show(r.Table) || told(again) != told(r) {
		t.Errorf("read as two tables, %v", err)
	}
}
