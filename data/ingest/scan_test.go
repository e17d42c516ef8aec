package ingest_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/tandem-ml/tandem/data/ingest"
)

// Records do not depend on how the file arrives.
func TestScanInPieces(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"x,y\n1,2\n", "x,y\r\n1,2\r\n3,4", "x,y\r1,2\r\r3,4\r", "x\n\"a\"\"b\"\n\"c\nd\"  \n e\n", "x,y\n1,\"a\n2,\"b\"\n3,\"c",
		"\xef\xbb\xbfx,y\n,\n \n1,\n", "x,y\n1,\"a\"b\r\n2,c\r\n", "x,y\n 1 , \"2\" \n",
	} {
		h1, c1, l1, b1, err1 := ingest.Cells(strings.NewReader(in), ',')
		h2, c2, l2, b2, err2 := ingest.Cells(iotest.OneByteReader(strings.NewReader(in)), ',')
		a, b := fmt.Sprint(h1, c1, l1, b1, err1), fmt.Sprint(h2, c2, l2, b2, err2)
		if a != b {
			t.Errorf("%q\nwhole      %s\nin pieces  %s", in, a, b)
		}
	}
}

func TestScanLineNumbers(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]int{
		"x\n1\n2\n3":                 {2, 3, 4},
		"x\r\n1\r\n\r\n2\r\n":        {2, 4},
		"x\r1\r2":                    {2, 3},
		"x\n\"a\nb\r\nc\"\n2\n":      {2, 5},
		"\n\nx\n1\n":                 {4},
		"x,y\n1,\"a\"b\n2,c\n":       {2, 3},
		"x,y\n1,\"open\n2,\"c\"\n3,": {2, 3, 4},
	} {
		_, _, at, _, err := ingest.Cells(strings.NewReader(in), ',')
		if err != nil || !slices.Equal(at, want) {
			t.Errorf("%q: records on lines %v, %v, want %v", in, at, err, want)
		}
	}
}

// A line beyond the longest record is one reject, and the rest is read.
func TestScanOverlongLine(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 9<<20)
	for name, in := range map[string]string{"plain": "x,y\n1," + long + "\n2,b\n", "quoted": "x,y\n1,\"" + long + "\"\n2,b\n"} {
		_, cells, at, bad, err := ingest.Cells(strings.NewReader(in), ',')
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(cells) != "[[] [2 b]]" || !slices.Equal(at, []int{2, 3}) || !strings.Contains(bad[0], "longer than 4 MB") {
			t.Errorf("%s: %.100v on lines %v, %v", name, cells, at, bad)
		}
	}
	// A quote that is never closed costs its own line, however much follows.
	in := "x,y\n1,\"a\n" + strings.Repeat("2,b\n", 2<<20)
	_, cells, _, bad, err := ingest.Cells(strings.NewReader(in), ',')
	if err != nil || len(cells) != 2<<20+1 || bad[0] == "" || bad[1] != "" {
		t.Errorf("%d records, %q, %v", len(cells), bad[:2], err)
	}
}

func TestSniff(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a,b\n1,2\n": ",", "a;b\n1,5;2,5\n": ";", "a\tb\n1\t2\n": "\t", "a|b\n": "|", "a\n1\n": ",", "": ",",
		"name;note\nx;\"a,b,c\"\n": ";", "a,b;c\n1,2\n3,4\n": ",", "a,b\n1,2\n\"x;y\",3\n4\n": ",", "x y\n1 2\n": ",",
	} {
		if got := ingest.Sniff(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, order, want string }{
		{"2026-01-31", "ymd", "2026-01-31T00:00:00Z"},
		{"2026-1-5", "ymd", "2026-01-05T00:00:00Z"},
		{"2026/01/31 08:30", "ymd", "2026-01-31T08:30:00Z"},
		{"2026-01-31T23:59:59.999999999Z", "ymd", "2026-01-31T23:59:59.999999Z"},
		{"2026-01-31T08:30:00+0530", "ymd", "2026-01-31T03:00:00Z"},
		{"2026-01-31 08:30:00-08", "ymd", "2026-01-31T16:30:00Z"},
		{"2026-01-31 08:30:00 UTC", "ymd", "2026-01-31T08:30:00Z"},
		{"1815-12-10", "ymd", "1815-12-10T00:00:00Z"},
		{"2000-02-29", "ymd", "2000-02-29T00:00:00Z"},
		{"31.01.2026", "dmy", "2026-01-31T00:00:00Z"},
		{"1/2/2026 08:30:15", "dmy", "2026-02-01T08:30:15Z"},
		{"1/2/2026", "mdy", "2026-01-02T00:00:00Z"},
		{"1900-02-29", "ymd", ""}, {"2026-13-01", "ymd", ""}, {"2026-00-01", "ymd", ""}, {"2026-01-00", "ymd", ""},
		{"2026-01/31", "ymd", ""}, {"20260131", "ymd", ""}, {"2026-01-31T", "ymd", ""}, {"2026-01-31 24:00", "ymd", ""},
		{"2026-01-31 08:60", "ymd", ""}, {"2026-01-31 08:30:60", "ymd", ""}, {"2026-01-31 08:30 PM", "ymd", "2026-01-31T20:30:00Z"},
		{"2026-01-31 08:30+1", "ymd", ""}, {"2026-01-31 08:30+01:0", "ymd", ""}, {"01.31.2026", "mdy", ""}, {"31/12/26", "dmy", ""},
		{"0000-01-01", "ymd", ""}, {"", "ymd", ""}, {"2026-01-31x", "ymd", ""}, {"12345678", "dmy", ""},
	} {
		us, ok := ingest.ParseTime(c.in, c.order)
		got := ""
		if ok {
			got = time.UnixMicro(us).UTC().Format(time.RFC3339Nano)
		}
		if got != c.want {
			t.Errorf("%q (%s) = %q, want %q", c.in, c.order, got, c.want)
		}
	}
}

// The short way to a number gives the bits of strconv, and accepts no more.
func FuzzParseNumber(f *testing.F) {
	for _, s := range []string{"1", "-0.5", "1e22", "1e23", "9007199254740993", "123456789012345678901234567890", "0.1", ".5", "5.", ".", "+", "e5", "1e", "1e+",
		"0x10", "1_000", "inf", "-Infinity", "nan", "1e400", "1e-400", "0.000000000000000000000001", "1.7976931348623157e308", "00", "1.2.3", "4.35", "0e999999999999", "1e-5e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := ingest.ParseNumber([]byte(s))
		trimmed := strings.Trim(s, " \t\r\n")
		want, err := strconv.ParseFloat(trimmed, 64)
		other := strings.ContainsAny(trimmed, "xX_pPnN") && !strings.Contains(strings.ToLower(trimmed), "inf")
		if wantOK := err == nil && !other && !math.IsNaN(want); ok != wantOK {
			t.Fatalf("%q is a number: %v, want %v", s, ok, wantOK)
		}
		if ok && got != want {
			t.Fatalf("%q = %v, want %v", s, got, want)
		}
	})
}

// What encoding/csv reads without complaint is read here with the same cells.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a\n\"x\"\"y\"\n", "a,b\n\"1\n2\",3\n", "a,b\n1\n", "a\n\"", "a,b\r\n\r\n1,2", "a\n\"x\" y\n", "a\n \"x\"\n", "a,b\n1,\"2\n3,4\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, cells, at, bad, err := ingest.Cells(strings.NewReader(s), ',')
		if err != nil {
			return
		}
		if len(cells) != len(at) || !slices.IsSorted(at) {
			t.Fatalf("%q: records on lines %v", s, at)
		}
		_, pieces, at2, bad2, err := ingest.Cells(iotest.HalfReader(strings.NewReader(s)), ',')
		if fmt.Sprint(cells, at, bad) != fmt.Sprint(pieces, at2, bad2) || err != nil {
			t.Fatalf("%q\nwhole     %q\nin pieces %q", s, cells, pieces)
		}
		// Where the dialects differ on purpose there is nothing to compare.
		if strings.ContainsAny(s, "\r ") || strings.Contains(s, "\x00") || strings.HasPrefix(s, "\ufeff") {
			return
		}
		r := csv.NewReader(strings.NewReader(s))
		all, err := r.ReadAll()
		if err != nil || len(all) == 0 {
			return
		}
		if len(cells) != len(all)-1 {
			t.Fatalf("%q: %d records, want %d", s, len(cells), len(all)-1)
		}
		for i, row := range all[1:] {
			for j, want := range row {
				if bad[i] == "" && strings.TrimLeft(cells[i][j], " ") != strings.TrimLeft(want, " ") && cells[i][j] != "∅" {
					t.Fatalf("%q: cell %d of record %d is %q, want %q", s, j, i, cells[i][j], want)
				}
			}
		}
	})
}

// flatten puts the keys of objects within objects behind their own key.
func flatten(into map[string]json.RawMessage, prefix string, from map[string]json.RawMessage, depth int) {
	for key, raw := range from {
		var inner map[string]json.RawMessage
		if depth < 8 && json.Unmarshal(raw, &inner) == nil && inner != nil {
			flatten(into, prefix+key+".", inner, depth+1)
			continue
		}
		into[prefix+key] = raw
	}
}

// What encoding/json reads as flat objects is read here with the same values.
func FuzzJSONLines(f *testing.F) {
	for _, s := range []string{`{"x":1}`, `{"x":"a\"b","y":null}`, `{"x":{"y":[1,"}"]}}`, `{}`, `[1]`, `{"x":1,"x":2}`, "{\"x\":1}\n\n{\"y\":true}", `{"":0}`, `{"x" : 1 , "y" : [ ] }`,
		`{"a.b":1,"a":{"b":2}}`, `{"a":{"b":2},"a.b":1}`, `{"a":{"":1},"a.":2}`, `{"x":"\ud800","X":"\u0000"}`, "{\"x\":\"\xff\"}", `{"x":{"a":1},"x":{"a":2}}`, `{"x":1}{"x":2}`, `{"x":{}}`, `{"x":{"x":{"x":{"x":{"x":{"x":{"x":{"x":{"x":{"x":1}}}}}}}}}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		names, cells, _, bad, err := ingest.Cells(strings.NewReader(s), 0)
		if err != nil {
			return
		}
		record := 0
		for line := range bytes.Lines([]byte(s)) {
			if len(bytes.Trim(line, " \t\r\n")) == 0 || record == len(cells) {
				continue
			}
			var want map[string]json.RawMessage
			d := json.NewDecoder(bytes.NewReader(line))
			if err := d.Decode(&want); bad[record] != "" || err != nil || !d.More() && want == nil {
				if bad[record] == "" {
					t.Fatalf("%q: record %d is fine, but %v", s, record, err)
				}
				record++
				continue
			}
			if _, err := d.Token(); err != io.EOF {
				t.Fatalf("%q: record %d is fine, but something follows it", s, record)
			}
			flat := map[string]json.RawMessage{}
			flatten(flat, "", want, 0)
			want = flat
			for i, name := range names {
				if i >= len(cells[record]) {
					break
				}
				raw, present := want[name]
				var text string
				if json.Unmarshal(raw, &text) != nil {
					text = string(raw)
				}
				if got := cells[record][i]; got != "∅" && got != text || got == "∅" && present && len(strings.Trim(text, " \t\r\n")) > 0 && string(raw) != "null" {
					t.Fatalf("%q: %q of record %d is %q, want %q", s, name, record, got, text)
				}
			}
			record++
		}
	})
}
