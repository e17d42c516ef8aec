package ingest_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/ingest"
)

// book writes a workbook of two sheets: one with a title, dates in three formats,
// booleans, numbers that are shown rounded, and empty cells; one plain.
func book(t testing.TB) string {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	day := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	rows := [][]any{{"Loans of January"}, {}, {"id", "day", "at", "own", "amount", "ok", "note"},
		{1, day, day.Add(30 * time.Minute), 46053, 1234.5678, true, "a, \"b\""},
		{2, day.AddDate(0, 0, 1), day.Add(time.Hour), 46054, 2, false, nil},
		{3, nil, day, 46055, nil, true, "é"}}
	for i, row := range rows {
		for k, v := range row {
			if v == nil {
				continue
			}
			cell, err := excelize.CoordinatesToCellName(k+1, i+1)
			check(err)
			check(f.SetCellValue("Sheet1", cell, v))
		}
	}
	own := "dd.mm.yyyy"
	style, err := f.NewStyle(&excelize.Style{CustomNumFmt: &own})
	check(err)
	check(f.SetCellStyle("Sheet1", "D4", "D6", style))
	round, err := f.NewStyle(&excelize.Style{NumFmt: 3}) // #,##0
	check(err)
	check(f.SetCellStyle("Sheet1", "E4", "E6", round))
	_, err = f.NewSheet("other")
	check(err)
	for cell, v := range map[string]any{"B2": "x", "C2": "y", "B3": 1, "C3": "a", "B4": 2, "C4": "b", "E9": "far"} {
		check(f.SetCellValue("other", cell, v))
	}
	path := filepath.Join(t.TempDir(), "a.xlsx")
	check(f.SaveAs(path))
	return path
}

func TestReadWorkbook(t *testing.T) {
	t.Parallel()
	path := book(t)
	r, err := ingest.Read(context.Background(), path, ingest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := `id number: 1 2 3
day time: 2026-01-31T00:00:00Z 2026-02-01T00:00:00Z _
at time: 2026-01-31T00:30:00Z 2026-01-31T01:00:00Z 2026-01-31T00:00:00Z
own time: 2026-01-31T00:00:00Z 2026-02-01T00:00:00Z 2026-02-02T00:00:00Z
amount number: 1234.5678 2 _
ok category: true false true
note category: a, "b" _ é
`
	if got := show(r.Table); got != want {
		t.Errorf("read as\n%swant\n%s", got, want)
	}
	if got := told(r); !strings.Contains(got, "of 2 sheets the first, Sheet1, is read") || !strings.Contains(got, "Loans of January") {
		t.Errorf("told\n%s", got)
	}
	r, err = ingest.Read(context.Background(), path, ingest.Options{Dialect: data.Dialect{Sheet: "other", Range: "B2:C4"}, Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := show(r.Table), "x number: 1 2\ny category: a b\n"; got != want {
		t.Errorf("read as\n%swant\n%s", got, want)
	}
	for _, c := range []struct{ sheet, cells, want, cure string }{
		{"othr", "", `has no sheet "othr"`, `did you mean "other"`}, {"", "3B", `"3B" is no range`, "B3:F200"}, {"", "C3:B4", "is no range", "B3:F200"},
	} {
		_, err := ingest.Read(context.Background(), path, ingest.Options{Dialect: data.Dialect{Sheet: c.sheet, Range: c.cells}})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(hint(err), c.cure) {
			t.Errorf("sheet %q, range %q: %v; %s", c.sheet, c.cells, err, hint(err))
		}
	}
	_, err = read(t, "a.xlsx", zipped(t, "xl/workbook.xml", "<workbook><sheets/></workbook>"), ingest.Options{})
	if err == nil || hint(err) == "" {
		t.Errorf("half a workbook: %v", err)
	}
}
