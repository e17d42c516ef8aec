package ingest_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/klauspost/compress/zstd"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/ingest"
)

// wide writes ASCII as UTF-16.
func wide(s string, big, mark bool) string {
	var b []byte
	units := utf16.Encode([]rune(s))
	if mark {
		units = append([]uint16{0xfeff}, units...)
	}
	for _, u := range units {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return string(b)
}

func zipped(t testing.TB, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err == nil {
			_, err = f.Write([]byte(files[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstandard(t testing.TB, s string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll([]byte(s), nil))
}

func told(r *ingest.Result) string {
	var out []string
	for _, f := range r.Findings {
		out = append(out, f.String())
	}
	return strings.Join(out, "\n")
}

func yes(b bool) *bool { return &b }
func num(n int) *int   { return &n }

// Each case is a raw file, the table it holds, and what is told of the reading.
func TestReadRaw(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, in string
		dialect  data.Dialect
		want     string
		told     string
	}{
		"utf-16 little": {"a.csv", wide("x,y\n1,é\n2,日\n", false, true), data.Dialect{}, "x number: 1 2\ny category: é 日\n",
			"guess: the text is read as utf-16le (set data.read.encoding: utf-16le)"},
		"utf-16 big, no mark": {"a.csv", wide("name,y\nabc,1\ndef,2\n", true, false), data.Dialect{}, "name category: abc def\ny number: 1 2\n",
			"guess: the text is read as utf-16be (set data.read.encoding: utf-16be)"},
		"utf-16 given": {"a.csv", wide("x\n1\n", false, true), data.Dialect{Encoding: "utf-16le"}, "x number: 1\n", ""},
		"windows-1252": {"a.csv", "x,y\n1,caf\xe9\n2,\x80 5\n", data.Dialect{}, "x number: 1 2\ny category: café € 5\n",
			"guess: the text is read as windows-1252 (set data.read.encoding: windows-1252)"},
		"windows-1252, late": {"a.csv", "x,y\n" + strings.Repeat("1,a\n", 40_000) + "2,\xfc\n", data.Dialect{}, "",
			"guess: the text is read as windows-1252 (set data.read.encoding: windows-1252)"},
		"latin-1 given": {"a.csv", "x\nna\xefve\n", data.Dialect{Encoding: "latin-1"}, "x category: naïve\n", ""},

		"semicolons": {"a.csv", "x;y\n1,5;a\n2,25;b\n", data.Dialect{}, "x number: 1.5 2.25\ny category: a b\n",
			`guess: cells are separated by ";" (set data.read.delimiter: ";")` + "\n" +
				`repair: x: numbers written with a decimal comma, as in "1,5", "2,25" (set data.read.decimal: ",")`},
		"carets":        {"a.csv", "x^y\n1^a\n2^b\n", data.Dialect{}, "x number: 1 2\ny category: a b\n", `guess: cells are separated by "^" (set data.read.delimiter: "^")`},
		"colons, given": {"a.csv", "x:y\n1:a\n", data.Dialect{Delimiter: ":"}, "x number: 1\ny category: a\n", ""},
		"single quotes": {"a.csv", "x,y\n'1','a, b'\n'2','it''s'\n", data.Dialect{}, "x number: 1 2\ny category: a, b it's\n",
			`guess: cells are quoted with ' (set data.read.quote: "'")`},
		"apostrophes": {"a.csv", "x,y\n'1','Men's, all'\n'2','b'\n", data.Dialect{}, "x number: 1 2\ny category: Men's, all b\n", "-"},
		"backslashes": {"a.csv", "x,y\n1,\"a \\\"b\\\", c\"\n2,\"\\d\\\\\"\n3,z\n", data.Dialect{}, "x number: 1 2 3\ny category: a \"b\", c \\d\\ z\n",
			`guess: a quote within quotes is written \" (set data.read.escape: "\\")`},
		"no quotes, given": {"a.csv", "x,y\n1,\"a\n2,b\"\n", data.Dialect{Quote: "none"}, "x number: 1 2\ny category: \"a b\"\n", ""},
		"blanks after separators": {"a.csv", "x, y\n1, a b\n2, c\n", data.Dialect{}, "x number: 1 2\ny category: a b c\n",
			"repair: a blank follows every separator and is taken for a part of it"},
		"preamble": {"a.csv", "Report of sales\nprinted 2026-01-01\n\nid,name,x\n1,a,2\n2,b,3\n3,c,4\n4,d,5\n", data.Dialect{},
			"id number: 1 2 3 4\nname category: a b c d\nx number: 2 3 4 5\n",
			`guess: 3 lines before the header are no rows and are passed over, as in "Report of sales", "printed 2026-01-01" (set data.read.skip: 3)`},
		"comments first": {"a.csv", "# made by x\n# a,b\nx,y\n1,2\n", data.Dialect{}, "x number: 1\ny number: 2\n",
			`guess: 2 lines before the header are no rows and are passed over, as in "# made by x", "# a,b" (set data.read.skip: 2)`},
		"a header with #": {"a.csv", "#x,y\n1,2\n", data.Dialect{}, "#x number: 1\ny number: 2\n", ""},
		"skip, given":     {"a.csv", "a,b\nx,y\n1,2\n", data.Dialect{Skip: num(1)}, "x number: 1\ny number: 2\n", ""},
		"total": {"a.csv", "name,x\na,1\nb,2\nTotal,3\n", data.Dialect{}, "name category: a b\nx number: 1 2\n",
			`reject: 1 row that cannot be read is left out, as in "Total,3"`},
		"a total inside":  {"a.csv", "name,x\na,1\nTotal,2\nb,3\n", data.Dialect{}, "name category: a Total b\nx number: 1 2 3\n", ""},
		"header repeated": {"a.csv", "name,x\na,1\nname,x\nb,2\n", data.Dialect{}, "name category: a b\nx number: 1 2\n", `reject: 1 row that cannot be read is left out, as in "name,x"`},
		"no header": {"a.csv", "1,a,2026-01-01\n2,b,2026-01-02\n", data.Dialect{}, "column_1 number: 1 2\ncolumn_2 category: a b\ncolumn_3 time: 2026-01-01T00:00:00Z 2026-01-02T00:00:00Z\n",
			"guess: the first line looks like the others: the columns have no names (set data.read.header: false)"},
		"no header, given":   {"a.csv", "a,b\nc,d\n", data.Dialect{Header: yes(false)}, "column_1 category: a c\ncolumn_2 category: b d\n", ""},
		"header of years":    {"a.csv", "country,1990,1991\nx,1,2\ny,3,4\n", data.Dialect{}, "country category: x y\n1990 number: 1 3\n1991 number: 2 4\n", ""},
		"header of numbers":  {"a.csv", "1,2,3\n5,5,6\n7,7,7\n", data.Dialect{}, "1 number: 5 7\n2 number: 5 7\n3 number: 6 7\n", ""},
		"header of R":        {"a.csv", "x,y\na,1,2\nb,3,4\n", data.Dialect{}, "column_1 category: a b\nx number: 1 3\ny number: 2 4\n", `repair: 1 column without a name got one, as in "column_1"`},
		"names twice":        {"a.csv", "x,x,x_2,\n1,2,3,4\n", data.Dialect{}, "x number: 1\nx_3 number: 2\nx_2 number: 3\ncolumn_4 number: 4\n", `repair: 1 column without a name got one, as in "column_4"` + "\n" + `repair: 1 column with a name that another has got a number after it, as in "x_3"`},
		"separator at ends":  {"a.csv", "x,y,\n1,2,\n3,4,\n", data.Dialect{}, "x number: 1 3\ny number: 2 4\n", "repair: 1 column without a name and without a value is left out, as in \"column_3\"\nrepair: 1 column without a name got one, as in \"column_3\""},
		"cells beyond, none": {"a.csv", "x,y\n1,2,\n3,4\n5,6,\n", data.Dialect{}, "x number: 1 3 5\ny number: 2 4 6\n", "repair: rows have empty cells beyond the last column, which are left out, as in \"1,2,\", \"5,6,\""},

		"thousands": {"a.csv", "x\n\"1,234.5\"\n\"2,000,000\"\n7\n", data.Dialect{}, "x number: 1234.5 2000000 7\n",
			`repair: x: numbers written with a decimal point, as in "1,234.5", "2,000,000" (set data.read.decimal: ".")`},
		"points between thousands": {"a.csv", "x;y\n1.234,56;a\n1.234;b\n", data.Dialect{Delimiter: ";"}, "x number: 1234.56 1234\ny category: a b\n",
			`repair: x: numbers written with a decimal comma, as in "1.234,56" (set data.read.decimal: ",")`},
		"blanks and apostrophes": {"a.csv", "x,y,z\n1 234.5,1'234.50,1\u00a0000\n12 000,2’000,2\u202f000\n", data.Dialect{}, "x number: 1234.5 12000\ny number: 1234.5 2000\nz number: 1000 2000\n", "-"},
		"one thousand or one": {"a.csv", "x\n\"1,234\"\n\"2,345\"\n", data.Dialect{}, "x number: 1234 2345\n",
			`guess: x: the mark in the numbers is taken for one between thousands, as in "1,234", "2,345" (set data.read.decimal: ".", or ",")`},
		"another column tells": {"a.csv", "x;y\n1,234;0,5\n2,345;1,5\n", data.Dialect{Delimiter: ";"}, "x number: 1.234 2.345\ny number: 0.5 1.5\n", "-"},
		"decimal given":        {"a.csv", "x\n\"1,234\"\n1.234\n", data.Dialect{Decimal: ","}, "x number: 1.234 1234\n", ""},
		"money":                {"a.csv", "a,b,c,d\n\"$1,493,660 \",5 €,(12.50),USD 5\n-$5,€7,-3,USD -1.5\n", data.Dialect{}, "a number: 1493660 -5\nb number: 5 7\nc number: -12.5 -3\nd number: 5 -1.5\n", "-"},
		"two moneys": {"a.csv", "x\n$5\n€7\n", data.Dialect{}, "x category: $5 €7\n",
			`guess: x: the cells are amounts in more than one currency: they are read as words, as in "$5", "€7"`},
		"percents": {"a.csv", "x\n12%\n7.5 %\n", data.Dialect{}, "x number: 12 7.5\n",
			`repair: x: numbers written with a decimal point, and with %: 12% is read as 12, as in "12%", "7.5 %" (set data.read.decimal: ".")`},
		"no numbers": {"a.csv", "x,y\n\"1,23,456\",5'7\n\"1,2,3\",6'1\n", data.Dialect{}, "x category: 1,23,456 1,2,3\ny category: 5'7 6'1\n", ""},

		"short years": {"a.csv", "x\n12/31/20\n01/02/71\n", data.Dialect{}, "x time: 2020-12-31T00:00:00Z 1971-01-02T00:00:00Z\n",
			`repair: x: in dates the month comes first; years of two digits are those from 1969 to 2068 (set data.read.dates: mdy)`},
		"halves of the day": {"a.csv", "x,y,z\n12/31/2026 7:10 PM,2026-01-31 12:05:30 a.m.,5 Jan 2026 12:00 pm\n1/2/2026 12:00am,2026-01-31 7:05,6 Jan 2026 9:30\n", data.Dialect{},
			"x time: 2026-12-31T19:10:00Z 2026-01-02T00:00:00Z\ny time: 2026-01-31T00:05:30Z 2026-01-31T07:05:00Z\nz time: 2026-01-05T12:00:00Z 2026-01-06T09:30:00Z\n", "-"},
		"no halves of the day": {"a.csv", "x,y,z\n2026-01-31 13:10 PM,7:10 a.m.,1700000000\n2026-01-31 0:10 am,8:15 p.m.,1700000001\n", data.Dialect{},
			"x category: 2026-01-31 13:10 PM 2026-01-31 0:10 am\ny category: 7:10 a.m. 8:15 p.m.\nz number: 1700000000 1700000001\n", ""},
		"named months": {"a.csv", "x,y,z\n31-Dec-2020,\"Dec 31, 2020\",\"Friday, 26 October 2012\"\n1 jan 21,September 1 2021 08:30,\"26, Oct, 12\"\n", data.Dialect{},
			"x time: 2020-12-31T00:00:00Z 2021-01-01T00:00:00Z\ny time: 2020-12-31T00:00:00Z 2021-09-01T08:30:00Z\nz time: 2012-10-26T00:00:00Z 2012-10-26T00:00:00Z\n", ""},
		"day or month": {"a.csv", "x\n01/02/2026\n03/04/2026\n", data.Dialect{}, "x category: 01/02/2026 03/04/2026\n",
			`guess: x: the cells are dates, but nothing tells day from month: they are read as words (set data.read.dates: dmy, or mdy)`},
		"day or month, given": {"a.csv", "x\n01/02/2026\n03/04/2026\n", data.Dialect{Dates: "dmy"}, "x time: 2026-02-01T00:00:00Z 2026-04-03T00:00:00Z\n", ""},
		"another column's order": {"a.csv", "x,y\n01/02/2026,31/01/2026\n03/04/2026,01/02/2026\n", data.Dialect{}, "x time: 2026-02-01T00:00:00Z 2026-04-03T00:00:00Z\ny time: 2026-01-31T00:00:00Z 2026-02-01T00:00:00Z\n",
			"guess: x: in dates the day comes first, as in other columns (set data.read.dates: dmy)\nrepair: y: in dates the day comes first (set data.read.dates: dmy)"},

		"words for true and false": {"a.csv", "x,y,z,w,m\nYes,ja,y,yes,M\nno,Nein,N,no,F\nYES,Ja,Y,yes,M\nN,nein,n,no,F\n", data.Dialect{},
			"x category: true false true false\ny category: true false true false\nz category: true false true false\nw category: yes no yes no\nm category: M F M F\n",
			`guess: x: words for true and false, in several spellings, are read as true and false, as in "Yes", "YES", "no" (set data.read.booleans: true, or false)` + "\n" +
				`guess: y: words for true and false, in several spellings, are read as true and false, as in "ja", "Ja", "Nein" (set data.read.booleans: true, or false)` + "\n" +
				`guess: z: words for true and false, in several spellings, are read as true and false, as in "y", "Y", "N" (set data.read.booleans: true, or false)`},
		"true and false, asked for": {"a.csv", "x,y,z,m,a\noui,t,yes,M,TRUE\nnon,f,yes,F,False\n", data.Dialect{Booleans: yes(true)},
			"x category: true false\ny category: true false\nz category: yes yes\nm category: M F\na category: true false\n", ""},
		"true and false as written": {"a.csv", "x,y\nYes,TRUE\nno,false\nYES,true\n", data.Dialect{Booleans: yes(false)}, "x category: Yes no YES\ny category: TRUE false true\n", ""},
		"nearly true and false":     {"a.csv", "x,y,z\nYes,NO,0\nno,NO,1\nYES,SE,0\nmaybe,no,1\n", data.Dialect{}, "x category: Yes no YES maybe\ny category: NO NO SE no\nz number: 0 1 0 1\n", ""},

		"marks for none": {"a.csv", "x,y\nNA,?\n1,a\n-,-\n", data.Dialect{}, "x number: _ 1 _\ny category: _ a -\n",
			"guess: x: 1 cell that says that there is no value, as in \"NA\" (set data.read.missing: [\"NA\"])\nguess: x: 1 cell among numbers holds a mark for no value, as in \"-\" (set data.read.missing: [\"-\"])\nguess: y: 1 cell that says that there is no value, as in \"?\" (set data.read.missing: [\"?\"])"},
		"marks given": {"a.csv", "x,y\nnone,NA\n1,a\n-999,b\n", data.Dialect{Missing: []string{"none", "-999"}}, "x number: _ 1 _\ny category: NA a b\n", ""},
		"a pile far away": {"a.csv", "x,y\n" + strings.Repeat("-999,1\n", 4) + "1,2\n2,3\n3,4\n4,5\n5,6\n6,-999\n", data.Dialect{}, "x number: _ _ _ _ 1 2 3 4 5 6\ny number: 1 1 1 1 2 3 4 5 6 -999\n",
			`guess: x: 4 cells hold -999, far from all others: taken for no value, as in "-999" (set data.read.missing: [NA] keeps -999, with it in the list it is missing for certain)`},
		"a pile of its own": {"a.csv", "x\n" + strings.Repeat("-999\n", 3) + "-1000\n-998\n3\n4\n5\n", data.Dialect{}, "x number: -999 -999 -999 -1000 -998 3 4 5\n", ""},

		"zip":            {"a.zip", zipped(t, "d/", "", "__MACOSX/._b.csv", "junk", "d/b.tsv", "x\ty\n1\ta\n"), data.Dialect{}, "x number: 1\ny category: a\n", ""},
		"zstd":           {"a.csv.zst", zstandard(t, "x,y\n1,2\n"), data.Dialect{}, "x number: 1\ny number: 2\n", ""},
		"zstd, no name":  {"a.csv", zstandard(t, "x,y\n1,2\n"), data.Dialect{}, "x number: 1\ny number: 2\n", ""},
		"json in zstd":   {"a.jsonl.zst", zstandard(t, "{\"x\":1}\n"), data.Dialect{}, "x number: 1\n", ""},
		"gzip of UTF-16": {"a.csv.gz", compress(t, wide("name\nabc\ndefg\n", false, true)), data.Dialect{}, "name category: abc defg\n", "-"},
	} {
		r, err := read(t, c.file, c.in, ingest.Options{Dialect: c.dialect})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := show(r.Table); got != c.want && c.want != "" {
			t.Errorf("%s: read as\n%swant\n%s", name, got, c.want)
		}
		if got := told(r); got != c.told && c.told != "-" {
			t.Errorf("%s: told\n%s\nwant\n%s", name, got, c.told)
		}
		if c.want != "" && len(r.Findings) > 0 != (c.told != "") {
			t.Errorf("%s: %d findings", name, len(r.Findings))
		}
		_, err = read(t, c.file, c.in, ingest.Options{Dialect: c.dialect, Strict: true})
		if strict := err != nil && strings.Contains(err.Error(), "had to be guessed"); strict != (len(r.Findings) > 0) {
			t.Errorf("%s: strict says %v, findings %v", name, err, r.Findings)
		}
	}
}

// What unpacks to far more than it is, or to several files, is refused.
func TestBombs(t *testing.T) {
	t.Parallel()
	bomb := compress(t, "x\n"+strings.Repeat("1", 68<<20))
	_, err := read(t, "a.csv.gz", bomb, ingest.Options{})
	if err == nil || !strings.Contains(err.Error(), "unpacks to over 200 times its size") {
		t.Errorf("a bomb: %v", err)
	}
	_, err = read(t, "a.zip", zipped(t, "a.csv", "x\n1\n", "b.csv", "x\n1\n"), ingest.Options{})
	if err == nil || !strings.Contains(err.Error(), "a.zip is a ZIP archive of 2 files: a.csv, b.csv") || hint(err) == "" {
		t.Errorf("two files: %v", err)
	}
}

// Rows of a contract read alike whole and in blocks, however numbers and days
// are written, and as they were read in training.
func TestRawInProduction(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("id;amount;share;day;open\n")
	for i := range 9000 {
		fmt.Fprintf(&b, "%d;%d.%03d,%02d €;%d,5%%;%d/%d/2026;%d/1/2026\n", i, 1+i%9, i%1000, i%100, i%100, 1+i%28, 1+i%12, 1+i%12)
	}
	dir := write(t, map[string]string{"a.csv": b.String()})
	r, err := ingest.Read(context.Background(), "a.csv", ingest.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	var contract data.Contract
	for _, c := range r.Table.Columns {
		contract.Fields = append(contract.Fields, data.Field{Name: c.Name, Kind: c.Kind, Role: data.Feature})
	}
	if r.Table.Columns[1].Kind != data.Number || r.Table.Columns[3].Kind != data.Time || r.Table.Columns[4].Kind != data.Time {
		t.Fatalf("read as %s", show(r.Table)[:300])
	}
	again, err := ingest.Read(context.Background(), "a.csv", ingest.Options{Dir: dir, Contract: &contract, KeepBad: true})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, source := range []string{"file", "stream"} {
		opt := ingest.BlockOptions{Contract: &contract, Dir: dir}
		if source == "stream" {
			opt.Input = strings.NewReader(b.String())
		}
		var blocks strings.Builder
		_, err := ingest.Blocks(context.Background(), "a.csv", opt, func(block *ingest.Block) error {
			blocks.WriteString(show(block.Table))
			if len(block.Bad) > 0 {
				t.Errorf("%s: bad rows %v", source, block.Rejects[0])
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, blocks.String())
	}
	if want := show(r.Table); show(again.Table) != want || all[0] != want || all[1] != want {
		t.Error("training and production read the file differently")
	}
}
