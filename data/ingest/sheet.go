package ingest

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"github.com/tandem-ml/tandem/data"
)

// largestBook is the largest workbook that is read, in bytes: the library holds
// it in memory.
const largestBook = 256 << 20

// largestLook is the largest workbook whose merged cells are told.
const largestLook = 4 << 20

// openSheet reads one sheet of a workbook as CSV, so that titles above the table,
// headers and kinds are told as in any text. Dates are written as ISO dates, and
// numbers as they are stored, not as they are shown.
func openSheet(ctx context.Context, f file, d data.Dialect) (in *input, err error) {
	if f.size > largestBook {
		return nil, data.WithHint(fmt.Errorf("%s is a workbook of more than %d MB", f.name, largestBook>>20), "export the sheet as CSV")
	}
	defer func() {
		if p := recover(); p != nil {
			in, err = nil, data.WithHint(fmt.Errorf("%s is a damaged workbook: %v", f.name, p), "open and save it again, or export the sheet as CSV")
		}
	}()
	book, err := excelize.OpenFile(f.path, excelize.Options{UnzipSizeLimit: max(freeGrowth, f.size*mostGrowth), UnzipXMLSizeLimit: 16 << 20,
		ShortDatePattern: "yyyy-mm-dd", LongDatePattern: "yyyy-mm-dd", LongTimePattern: "hh:mm:ss"})
	if err != nil {
		return nil, data.WithHint(fmt.Errorf("%s cannot be read as a workbook: %w", f.name, err), "open and save it again, or export the sheet as CSV")
	}
	defer book.Close()
	s := &sheet{ctx: ctx, book: book}
	if props, err := book.GetWorkbookProps(); err == nil && props.Date1904 != nil {
		s.from1904 = *props.Date1904
	}
	var found []data.Finding
	names := book.GetSheetList()
	if s.name = d.Sheet; s.name == "" && len(names) > 0 {
		s.name = names[0]
		if len(names) > 1 {
			found = append(found, data.Finding{Kind: "guess", About: "dialect", Count: len(names) - 1, Example: names[1:min(4, len(names))],
				Text: fmt.Sprintf("of %d sheets the first, %s, is read", len(names), s.name), Setting: "data.read.sheet: " + s.name})
		}
	}
	if i, err := book.GetSheetIndex(s.name); err != nil || i < 0 {
		err := fmt.Errorf("%s has no sheet %q", f.name, s.name)
		if near := data.Nearest(s.name, names); near != "" {
			return nil, data.WithHint(err, "did you mean %q?", near)
		}
		return nil, data.WithHint(err, "its sheets are %s", strings.Join(names, ", "))
	}
	if d.Range != "" {
		if err := s.within(d.Range); err != nil {
			return nil, data.WithHint(fmt.Errorf("%s: %w", f.name, err), "write it as B3:F200")
		}
	}
	if merged := s.merged(f.size); len(merged) > 0 {
		told := data.Finding{Kind: "repair", About: "rows", Count: len(merged), Text: plural(len(merged), "range") + " of merged cells: the first cell has the value, the others have none"}
		for _, m := range merged[:min(3, len(merged))] {
			told.Example = append(told.Example, m.GetStartAxis()+":"+m.GetEndAxis())
		}
		found = append(found, told)
	}
	spooled, err := os.CreateTemp("", "tandem-*.csv")
	if err != nil {
		return nil, fmt.Errorf("keep the sheet of %s: %w", f.name, err)
	}
	release := func() error { return errors.Join(spooled.Close(), os.Remove(spooled.Name())) }
	if err = s.write(spooled); err == nil {
		_, err = spooled.Seek(0, io.SeekStart)
	}
	if err != nil {
		release()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, data.WithHint(fmt.Errorf("%s, sheet %s: %w", filepath.Base(f.name), s.name, err), "open and save it again, or export the sheet as CSV")
	}
	return &input{format: formatSheet, r: &stoppable{ctx, spooled}, close: release, found: found}, nil
}

// sheet is a sheet of a workbook, or a part of one.
type sheet struct {
	ctx                      context.Context
	book                     *excelize.File
	name                     string
	from1904                 bool
	left, top, right, bottom int // from 1, inclusive; 0: no bound
}

// merged returns the merged ranges of a workbook that is not too large: to tell
// them the library reads all of the sheet into memory.
func (s *sheet) merged(size int64) []excelize.MergeCell {
	if size > largestLook {
		return nil
	}
	merged, err := s.book.GetMergeCells(s.name, true)
	if err != nil {
		return nil // whoever reads the rows meets it
	}
	return merged
}

func (s *sheet) within(r string) error {
	from, to, _ := strings.Cut(r, ":")
	var err, also error
	s.left, s.top, err = excelize.CellNameToCoordinates(from)
	if to != "" {
		s.right, s.bottom, also = excelize.CellNameToCoordinates(to)
	}
	if err != nil || also != nil || to != "" && (s.right < s.left || s.bottom < s.top) {
		return fmt.Errorf("%q is no range of cells", r)
	}
	return nil
}

// write writes the sheet's rows as CSV. From the first row on that looks like
// the table's, rows are as wide as the sheet; those before are as wide as they
// are, so that they can be told from the table.
func (s *sheet) write(w io.Writer) error {
	width := 0
	if err := s.rows(func(cells []string) error { width = max(width, len(cells)); return nil }); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	table := false
	err := s.rows(func(cells []string) error {
		full := 0
		for i, c := range cells {
			if c != "" {
				full++
			}
			cells[i] = strings.ReplaceAll(c, "\r\n", "\n")
		}
		if full == 0 {
			return nil
		}
		if table = table || 2*full >= width; table {
			for len(cells) < width {
				cells = append(cells, "")
			}
		}
		return out.Write(cells)
	})
	if err != nil {
		return err
	}
	out.Flush()
	return out.Error()
}

// rows calls f with the cells of every row, the last ones that are empty left
// out. It reads what is stored and what is shown side by side: only what is
// shown tells a date from a number.
func (s *sheet) rows(f func(cells []string) error) (err error) {
	stored, err := s.book.Rows(s.name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stored.Close()) }()
	shown, err := s.book.Rows(s.name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shown.Close()) }()
	for row := 1; stored.Next() && shown.Next(); row++ {
		if row%256 == 0 && s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		raw, err := stored.Columns(excelize.Options{RawCellValue: true})
		if err != nil {
			return err
		}
		seen, err := shown.Columns()
		if err != nil {
			return err
		}
		if row < s.top || s.bottom > 0 && row > s.bottom {
			continue
		}
		var cells []string
		for i := max(s.left-1, 0); i < len(raw) && (s.right == 0 || i < s.right); i++ {
			text := ""
			if i < len(seen) {
				text = seen[i]
			}
			cells = append(cells, s.cell(raw[i], text))
		}
		for len(cells) > 0 && cells[len(cells)-1] == "" {
			cells = cells[:len(cells)-1]
		}
		if err := f(cells); err != nil {
			return err
		}
	}
	return errors.Join(stored.Error(), shown.Error())
}

// cell returns what a cell says, given what is stored and what is shown.
func (s *sheet) cell(stored, shown string) string {
	if !utf8.ValidString(stored) {
		stored = strings.ToValidUTF8(stored, "\ufffd")
	}
	if stored == shown {
		return stored
	}
	if shown == "TRUE" || shown == "FALSE" {
		return shown
	}
	x, shape := parseNumber([]byte(stored))
	if shape == notNumber || x < 0 || x > 2958466 || !dated(shown) {
		return stored
	}
	at, err := excelize.ExcelDateToTime(x, s.from1904)
	if err != nil {
		return stored
	}
	if x == float64(int(x)) {
		return at.Format("2006-01-02")
	}
	return at.Format("2006-01-02 15:04:05.999")
}

// dated reports whether what a cell shows is a date: it has the name of a month,
// or marks between numbers as dates have them.
func dated(s string) bool {
	b, between := []byte(s), 0
	for i := 0; i < len(b); {
		if word, n := letters(b[i:]); n > 0 {
			if months[word] > 0 {
				return true
			}
			i += n
			continue
		}
		if (b[i] == '-' || b[i] == '/' || b[i] == '.') && i > 0 && i+1 < len(b) && b[i-1] >= '0' && b[i-1] <= '9' && b[i+1] >= '0' && b[i+1] <= '9' {
			between++
		}
		i++
	}
	return between >= 2
}
