package ingest_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/ingest"
)

// lender is a contract with a column of each kind and most roles.
func lender() *data.Contract {
	return &data.Contract{Fields: []data.Field{
		{Name: "Income", Kind: data.Number, Role: data.Feature, Required: true},
		{Name: "Home", Kind: data.Category, Role: data.Feature, Categories: []string{"owner", "rent"}},
		{Name: "Records", Kind: data.Category, Role: data.Feature, Categories: []string{"false", "true"}},
		{Name: "Since", Kind: data.Time, Role: data.Feature},
		{Name: "Key", Kind: data.Text, Role: data.ID},
		{Name: "Country", Kind: data.Category, Role: data.Excluded, Why: "has one value only"},
		{Name: "Status", Kind: data.Category, Role: data.Target, Categories: []string{"bad", "good"}},
	}}
}

func TestReadByContract(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, in, want, ignored string }{
		"as the contract says": {"a.csv", "Home,Key,Income,Records,Since,note,Country\n1,007,5,TRUE,2026-01-31,x,ES\nrent,8,007,0,,y,9\n",
			`Income number: 5 7
Home category: 1 rent
Records category: true 0
Since time: 2026-01-31T00:00:00Z _
Key text: 007 8
`, "note"},
		"optional columns lack": {"a.csv", "Income\n1\n2\n", `Income number: 1 2
Home category: _ _
Records category: _ _
Since time: _ _
`, ""},
		"with the target": {"a.jsonl", `{"Status":"bad","Income":1e3,"Records":false}`, `Income number: 1000
Home category: _
Records category: false
Since time: _
Status category: bad
`, ""},
		"days as the file writes them": {"a.csv", "Income,Since\n1,02/01/2026\n2,31/01/2026\n", `Income number: 1 2
Home category: _ _
Records category: _ _
Since time: 2026-01-02T00:00:00Z 2026-01-31T00:00:00Z
`, ""},
		"numbers where words belong": {"a.jsonl", `{"Income":1,"Home":1.50,"Key":12345678901234567890}`, `Income number: 1
Home category: 1.50
Records category: _
Since time: _
Key text: 12345678901234567890
`, ""},
	} {
		r, err := read(t, c.file, c.in, ingest.Options{Contract: lender()})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := show(r.Table); got != c.want || strings.Join(r.Ignored, " ") != c.ignored || len(r.Rejects) > 0 {
			t.Errorf("%s: read as\n%swant\n%signored %v, rejects %v", name, got, c.want, r.Ignored, r.Rejects)
		}
	}
}

func TestReadByContractErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, err, cure string }{
		"a required column lacks": {"Home\nrent\n", `a.csv lacks the column that the model needs: "Income"`, "add them to the file"},
		"it is misspelt":          {"Incmoe\n1\n", `a.csv lacks the column that the model needs: "Income"`, `rename "Incmoe" to "Income"`},
	} {
		_, err := read(t, "a.csv", c.in, ingest.Options{Contract: lender()})
		if err == nil || err.Error() != c.err || !strings.Contains(hint(err), c.cure) {
			t.Errorf("%s: error %v, hint %s, want %s, %s", name, err, hint(err), c.err, c.cure)
		}
	}
}

// Row i of the table is data row i of the file, whatever stands before it, and
// of a row with an unreadable cell the others, its id among them, are kept.
func TestKeepBadKeepsPlaces(t *testing.T) {
	t.Parallel()
	in := strings.Join([]string{
		`Income,Home,Since`,
		`1,"two`,
		`lines",2026-01-31`,
		`2,rent`, // ragged
		``,
		`lots,rent,2026-01-31`, // no number
		`4,"a"b,2026-01-31`,    // quotes
		`5,rent,yesterday`,     // no time
		"6,caf\xe9,2026-01-31", // no UTF-8
		"7,\x00,2026-01-31",    // NUL
		`8,rent,2026-02-30`,    // no such day
		`9,owner,2026-01-31`,
		`10,"never closed,2026-01-31`,
		`11,owner,2026-01-31`,
	}, "\n")
	r, err := read(t, "a.csv", in, ingest.Options{Contract: lender(), KeepBad: true})
	if err != nil {
		t.Fatal(err)
	}
	want := `Income number: 1 _ _ _ 5 _ _ 8 9 _ 11
Home category: two
lines _ rent _ rent _ _ rent owner _ owner
Records category: _ _ _ _ _ _ _ _ _ _ _
Since time: 2026-01-31T00:00:00Z _ 2026-01-31T00:00:00Z _ _ _ _ _ 2026-01-31T00:00:00Z _ 2026-01-31T00:00:00Z
`
	if got := show(r.Table); got != want {
		t.Errorf("read as\n%swant\n%s", got, want)
	}
	wantBad := []string{
		`1: a.csv:4: row 2: the row has 2 cells, the header has 3`,
		`2: a.csv:6: row 3: column "Income": "lots" is not a number`,
		`3: a.csv:7: row 4: the row has text after a closing quote`,
		`4: a.csv:8: row 5: column "Since": "yesterday" is not a time`,
		`5: a.csv:9: row 6: the row is not valid UTF-8`,
		`6: a.csv:10: row 7: the row holds a NUL byte`,
		`7: a.csv:11: row 8: column "Since": "2026-02-30" is not a time`,
		`9: a.csv:13: row 10: the row has a quote that is never closed`,
	}
	var got []string
	for _, i := range slices.Sorted(maps.Keys(r.Bad)) {
		got = append(got, fmt.Sprintf("%d: %v", i, r.Bad[i]))
	}
	if !slices.Equal(got, wantBad) {
		t.Errorf("bad rows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(wantBad, "\n"))
	}
	if r.Bad[2].Hint == "" || r.Snapshot.Rejects != len(wantBad) || r.Snapshot.Rows != 11 {
		t.Errorf("hint %q, snapshot %+v", r.Bad[2].Hint, r.Snapshot)
	}
}

func TestKeepBadWithNothingGood(t *testing.T) {
	t.Parallel()
	r, err := read(t, "a.csv", "Income\nlots\nmore\n", ingest.Options{Contract: lender(), KeepBad: true})
	if err != nil {
		t.Fatal(err)
	}
	if r.Table.Rows() != 2 || len(r.Bad) != 2 || !math.IsNaN(r.Table.Columns[0].Numbers[1]) {
		t.Errorf("%d rows, bad %v", r.Table.Rows(), r.Bad)
	}
}

// Reading by the contract that was learned from a table gives the table again.
func TestContractOfATableReadsItAgain(t *testing.T) {
	t.Parallel()
	in := "Status,Income,Home,Flag,When\n"
	for i := range 60 {
		in += fmt.Sprintf("%s,%g,h%d,%v,%02d/01/2026\n", []string{"good", "bad"}[i%2], float64(i)/4, i%3, i%2 == 0, i%28+1)
	}
	dir := write(t, map[string]string{"a.csv": in})
	first, err := ingest.Read(context.Background(), "a.csv", ingest.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	p := data.NewProfile(first.Table)
	c, err := data.Learn(first.Table, &p, data.Roles{Target: "Status"})
	if err != nil {
		t.Fatal(err)
	}
	again, err := ingest.Read(context.Background(), "a.csv", ingest.Options{Dir: dir, Contract: &c, KeepBad: true})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := show(first.Table), show(again.Table); a != b || len(again.Bad) > 0 || len(again.Ignored) > 0 {
		t.Errorf("at first\n%sagain\n%s", a, b)
	}
}
