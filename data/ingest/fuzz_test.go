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
		if len(b) > 1<<16 || bytes.HasPrefix(b, []byte("PAR1")) || bytes.HasPrefix(b, []byte("\xff\xff\xff\xff")) || bytes.HasPrefix(b, []byte("PK")) {
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
