package ingest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/data/ingest"
)

func TestReadQuery(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"loans-1.csv": "id;customer;amount;day\n1;a;1.500,50 €;31/01/2026\n2;b;10,00 €;01/02/2026\n",
		"loans-2.csv": "id;customer;amount;day\n3;a;20,25 €;02/02/2026\n",
		"people.json": `[{"customer":"a","home":{"town":"x, \"y\""}},{"customer":"b"}]`})
	opt := ingest.Options{Dir: dir, Tables: map[string]string{"loans": "loans-*.csv", "people": "people.json"}, SQL: `
		SELECT l.id, amount, day, "home.town" AS town, row_number() OVER (PARTITION BY customer ORDER BY id) AS nth, amount > 100 AS big -- a comment
		FROM loans l LEFT JOIN people p USING (customer) ORDER BY l.id DESC;`}
	r, err := ingest.Read(context.Background(), "", opt)
	if err != nil {
		t.Fatal(err)
	}
	want := `id number: 3 2 1
amount number: 20.25 10 1500.5
day time: 2026-02-02T00:00:00Z 2026-02-01T00:00:00Z 2026-01-31T00:00:00Z
town category: x, "y" _ x, "y"
nth number: 2 1 1
big category: false false true
`
	if got := show(r.Table); got != want {
		t.Errorf("read as\n%swant\n%s", got, want)
	}
	if got := told(r); !strings.Contains(got, "table loans: numbers written with a decimal comma") {
		t.Errorf("told\n%s", got)
	}
	sum, err := ingest.HashOf(context.Background(), "", opt)
	if err != nil || sum != r.Snapshot.SHA256 || len(sum) != 64 {
		t.Errorf("hash %s, %v; the snapshot's is %s", sum, err, r.Snapshot.SHA256)
	}
	opt.SQL += " "
	if other, _ := ingest.HashOf(context.Background(), "", opt); other == sum {
		t.Error("another query has the same hash")
	}
}

// A query sees its tables and nothing else of the machine.
func TestQueryIsLockedIn(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"a.csv": "x\n1\n2\n", "secret.csv": "y\n7\n"})
	for _, sql := range []string{
		"SELECT * FROM read_csv('" + dir + "/secret.csv')",
		"SELECT * FROM '" + dir + "/secret.csv'",
		"SELECT content FROM read_text('" + dir + "/secret.csv')",
		"SELECT * FROM glob('" + dir + "/*')",
		"SELECT 1); COPY (SELECT 1) TO '" + dir + "/out.csv'; SELECT (1",
		"SELECT 1); ATTACH '" + dir + "/db' AS d; SELECT (1",
		"SELECT 1); SET enable_external_access = true; SELECT (1",
		"SELECT 1); INSTALL httpfs; SELECT (1",
		"SELECT * FROM nowhere", "SELEC 1", "",
	} {
		_, err := ingest.Read(context.Background(), "", ingest.Options{Dir: dir, Tables: map[string]string{"a": "a.csv"}, SQL: sql})
		if err == nil || hint(err) != "its tables are a" {
			t.Errorf("%s: %v", sql, err)
		}
	}
	_, err := ingest.Read(context.Background(), "a.csv", ingest.Options{Dir: dir, SQL: "SELECT 1"})
	if err == nil || err.Error() != "the query has no tables" {
		t.Errorf("a query without tables: %v", err)
	}
}
