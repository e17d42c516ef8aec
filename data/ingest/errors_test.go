package ingest_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/data/ingest"
)

// Each case is a file that cannot be read, with what is said and how to mend it.
func TestReadErrors(t *testing.T) {
	t.Parallel()
	good := compress(t, "x,y\n"+strings.Repeat("1,2\n", 100_000))
	for name, c := range map[string]struct{ file, in, err, cure string }{
		"empty":              {"a.csv", "", "a.csv is empty", "check the export"},
		"only line ends":     {"a.csv", "\n\r\n \n", "a.csv is empty", "check the export"},
		"only a mark":        {"a.csv", "\xef\xbb\xbf", "a.csv is empty", "check the export"},
		"header only":        {"a.csv", "x,y\n", "a.csv has a header but no rows", "check the export"},
		"NUL":                {"a.csv", "x,y\n1,2\n3,\x004\n", "a.csv:3: the line holds a NUL byte", "export it again"},
		"damaged UTF-8":      {"a.csv", "x,y\n1,é\n2,ü\n2,caf\xe9\n", "a.csv:4: the line is not valid UTF-8", "save the file as UTF-8"},
		"binary":             {"a.csv", "\x7fELF\x02\x01\x01\x00\x00\x00\x00\xff\xfe\n\x00\x01", "a.csv:1: the line holds a NUL byte", "no text file"},
		"damaged zip":        {"a.csv", "PK\x03\x04....", "a.csv is a damaged ZIP archive", "unzip -t"},
		"damaged zstd":       {"a.csv.zst", "\x28\xb5\x2f\xfd....", "a.csv.zst is cut short or damaged", "download it again"},
		"open header":        {"a.csv", "x,\"y\n1,2\n", "a.csv:1: the first line, which names the columns, has a quote that is never closed", "close the quote"},
		"gzip cut short":     {"a.csv.gz", good[:len(good)/2], "a.csv.gz is cut short or damaged", "gzip -t a.csv.gz"},
		"gzip damaged":       {"a.csv.gz", good[:200] + "garbage" + good[207:], "a.csv.gz is", "gzip -t a.csv.gz"},
		"gzip header alone":  {"a.csv.gz", good[:5], "a.csv.gz is cut short or damaged", "gzip -t a.csv.gz"},
		"gzip in name only":  {"a.csv.gz", "x\n1\n", "a.csv.gz is not compressed with gzip", "take .gz off its name"},
		"broken parquet":     {"a.parquet", "PAR1 and no more", "a.parquet is not a readable Parquet file", "export the file again"},
		"no parquet":         {"a.parquet", "x\n1\n", "a.parquet is not a readable Parquet file", "export the file again"},
		"most rows bad":      {"a.csv", "x,y\n1,2\n3\n4\n", "a.csv: 2 of 3 rows cannot be read", "line 3 has 1 cell, the header has 2, line 4 has 1 cell"},
		"empty array":        {"a.json", "[]", "a.json has no rows", "check the export"},
		"open array":         {"a.json", `[{"x":1},`, "the file ends within a value", "export or copy"},
		"open object":        {"a.json", `[{"x":1},{"x":`, "the file ends within a value", "export or copy"},
		"open text":          {"a.json", `[{"x":1},{"x":"\`, "the file ends within a value", "export or copy"},
		"more than an array": {"a.json", `[{"x":1}] {"x":2}`, "something follows the end of the array", ".jsonl"},
		"empty json":         {"a.jsonl", " \n", "a.jsonl is empty", "check the export"},
	} {
		r, err := read(t, c.file, c.in, ingest.Options{})
		if err == nil {
			t.Errorf("%s: read as\n%s", name, show(r.Table))
			continue
		}
		if !strings.Contains(err.Error(), c.err) || !strings.Contains(hint(err), c.cure) {
			t.Errorf("%s:\nerror %v\nhint  %s\nwant  %s\n      %s", name, err, hint(err), c.err, c.cure)
		}
	}
}

func TestReadSourcesThatAreNot(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"data/applications.csv": "x\n1\n", "data/other/a.csv": "x\n1\n"})
	for source, want := range map[string][2]string{
		"":                      {"no source is named", "name a file"},
		"data":                  {"data is a folder", "data/*.csv"},
		"data/aplications.csv":  {"there is no file data/aplications.csv", "did you mean data/applications.csv?"},
		"data/loans.csv":        {"there is no file data/loans.csv", "paths are relative to"},
		"nowhere/loans.csv":     {"there is no file nowhere/loans.csv", "there is no folder"},
		"data/*.parquet":        {`no file matches "data/*.parquet"`, "check the folder"},
		"data/[.csv":            {`source "data/[.csv"`, "close the bracket"},
		"ftp://host/loans.csv":  {"reading from ftp is not supported", "to a file"},
		"env:TANDEM_NO_SUCH":    {"the environment variable is not set", "set it to an address"},
		"http://host/loans.csv": {"may have been changed on its way", "use https"},
		"/dev/null":             {"/dev/null is not a regular file", "read twice"},
	} {
		_, err := ingest.Read(context.Background(), source, ingest.Options{Dir: dir})
		if err == nil || !strings.Contains(err.Error(), want[0]) || !strings.Contains(hint(err), want[1]) {
			t.Errorf("%q:\nerror %v\nhint  %s\nwant  %s\n      %s", source, err, hint(err), want[0], want[1])
		}
		if _, hashErr := ingest.Hash(context.Background(), source, dir); hashErr == nil {
			t.Errorf("%q has a hash", source)
		}
	}
	_, err := ingest.Read(context.Background(), "none.csv", ingest.Options{Dir: dir})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file is %v, want fs.ErrNotExist", err)
	}
}

func TestReadWithoutPermission(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may read everything: the message for a file without permission is not tested")
	}
	dir := write(t, map[string]string{"a.csv": "x\n1\n"})
	if err := os.Chmod(filepath.Join(dir, "a.csv"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := ingest.Read(context.Background(), "a.csv", ingest.Options{Dir: dir}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("error %v", err)
	}
}

// stopAfter cancels once it was asked n times.
type stopAfter struct {
	context.Context
	n int
}

func (s *stopAfter) Err() error {
	if s.n--; s.n < 0 {
		return context.Canceled
	}
	return nil
}

// Wherever the cancellation falls, Read returns the context's error.
func TestReadStopsWhenCancelled(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"a.csv":   "x,y\n" + strings.Repeat("1,2\n", 20_000),
		"b.jsonl": strings.Repeat("{\"x\":1}\n", 20_000)})
	if err := ingest.WriteParquet("SELECT range AS x FROM range(20000)", filepath.Join(dir, "c.parquet")); err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{"a.csv", "b.jsonl", "c.parquet"} {
		for _, n := range []int{0, 1, 2, 5, 15, 1000} {
			_, err := ingest.Read(&stopAfter{context.Background(), n}, source, ingest.Options{Dir: dir})
			if stopped := errors.Is(err, context.Canceled); stopped != (n < 1000) || !stopped && err != nil {
				t.Errorf("%s, stopped at check %d: %v", source, n, err)
			}
		}
	}
}

func TestReadWhileTheFileGrows(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"a.csv": "x\n" + strings.Repeat("1\n", 10_000)})
	grow := func(int) {
		f, err := os.OpenFile(filepath.Join(dir, "a.csv"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		if _, err := f.WriteString("2\n"); err != nil {
			t.Error(err)
		}
	}
	_, err := ingest.Read(context.Background(), "a.csv", ingest.Options{Dir: dir, Progress: grow})
	if err == nil || err.Error() != "a.csv changed while it was read" || hint(err) == "" {
		t.Errorf("error %v", err)
	}
}

// A name is a name, whatever it looks like.
func TestReadStrangeNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"it's.parquet", "a'); DROP TABLE x; --.parquet", "sales[1].parquet", "what?.parquet", "star*.parquet",
		"day=3.parquet", `back\slash.parquet`, "two\nlines.parquet", "ünï.parquet"} {
		plain := filepath.Join(dir, "plain.parquet")
		if err := ingest.WriteParquet("SELECT 7 AS x FROM range(1)", plain); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(plain, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		r, err := ingest.Read(context.Background(), name, ingest.Options{Dir: dir})
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if got := show(r.Table); got != "x number: 7\n" {
			t.Errorf("%q read as %s", name, got)
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}
