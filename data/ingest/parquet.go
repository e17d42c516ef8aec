package ingest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/tandem-ml/tandem/data"
)

// parquetScanner reads a Parquet file through DuckDB, every column cast to one
// of three types.
type parquetScanner struct {
	ctx     context.Context
	from    string // what is read, of one parameter
	db      *database
	lent    bool // db outlives the scanner
	q       *query
	row     int // in the chunk
	columns []string
	forms   []form // text, number or instant
	rec     record
}

// newParquetScanner opens the file. Reading is by row group, so memory does not
// grow with the file.
func newParquetScanner(ctx context.Context, f file) (_ *parquetScanner, err error) {
	s := &parquetScanner{ctx: ctx, from: source, db: f.db, lent: f.db != nil}
	if s.lent {
		s.from = " FROM " + rowsOfQuery + " WHERE ? IS NOT NULL"
	} else if s.db, err = openDatabase(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	selected, err := s.describe(literally(f.path))
	if err != nil {
		return nil, data.WithHint(fmt.Errorf("%s is not a readable Parquet file: %w", f.name, err), "copy or export the file again")
	}
	if err := checkNames(f.name, s.columns); err != nil {
		return nil, err
	}
	if s.q, err = s.db.query("SELECT "+strings.Join(selected, ", ")+s.from, literally(f.path)); err != nil {
		return nil, fmt.Errorf("read %s: %w", f.name, err)
	}
	s.rec.cells = make([]cell, len(s.columns))
	return s, nil
}

// source reads the file itself and nothing into its path.
const source = " FROM read_parquet(?, hive_partitioning = false, filename = false, union_by_name = false)"

// literally writes a path so that DuckDB does not take it for a pattern.
func literally(path string) string {
	return strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]").Replace(path)
}

// describe sets columns and forms, and returns the expression that selects each
// column.
func (s *parquetScanner) describe(path string) ([]string, error) {
	q, err := s.db.query("SELECT *"+s.from+" LIMIT 0", path)
	if err != nil {
		return nil, err
	}
	defer q.close()
	var selected, large []string
	var largeAt []int
	for i := range q.vectors {
		name := duckdb.ColumnName(&q.result, duckdb.IdxT(i))
		quoted := `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		form, expression := text, "CAST(%s AS VARCHAR)"
		switch duckdb.ColumnType(&q.result, duckdb.IdxT(i)) {
		case duckdb.TypeTinyInt, duckdb.TypeSmallInt, duckdb.TypeInteger, duckdb.TypeUTinyInt, duckdb.TypeUSmallInt,
			duckdb.TypeUInteger, duckdb.TypeFloat, duckdb.TypeDouble, duckdb.TypeDecimal:
			form, expression = number, "CAST(%s AS DOUBLE)"
		case duckdb.TypeBigInt, duckdb.TypeUBigInt, duckdb.TypeHugeInt, duckdb.TypeUHugeInt:
			form, expression = number, "CAST(%s AS DOUBLE)"
			large = append(large, fmt.Sprintf("coalesce(min(%[1]s) < -9007199254740992 OR max(%[1]s) > 9007199254740992, false)", quoted))
			largeAt = append(largeAt, i)
		case duckdb.TypeDate, duckdb.TypeTimestamp, duckdb.TypeTimestampS, duckdb.TypeTimestampMS, duckdb.TypeTimestampNS:
			form, expression = instant, "epoch_us(CAST(%s AS TIMESTAMP))"
		case duckdb.TypeTimestampTZ:
			form, expression = instant, "epoch_us(%s)"
		}
		s.columns = append(s.columns, name)
		s.forms = append(s.forms, form)
		selected = append(selected, fmt.Sprintf(expression, quoted))
	}
	// Whole numbers that a float64 cannot hold are read as they are written.
	if large != nil {
		q, err := s.db.query("SELECT "+strings.Join(large, ", ")+s.from, path)
		if err != nil {
			return nil, err
		}
		defer q.close()
		if ok, err := q.next(); !ok {
			return nil, err
		}
		for k, i := range largeAt {
			if q.vectors[k].bool(0) {
				s.forms[i] = text
				selected[i] = strings.Replace(selected[i], "AS DOUBLE", "AS VARCHAR", 1)
			}
		}
	}
	return selected, nil
}

func (s *parquetScanner) names() []string { return s.columns }

func (s *parquetScanner) close() error {
	if s.q != nil {
		s.q.close()
	}
	if !s.lent {
		s.db.close()
	}
	return nil
}

func (s *parquetScanner) next() (*record, error) {
	if s.row == s.q.rows {
		if err := s.ctx.Err(); err != nil {
			return nil, err
		}
		if ok, err := s.q.next(); err != nil {
			return nil, err
		} else if !ok {
			s.row, s.q.rows = 0, 0
			return nil, io.EOF
		}
		s.row = 0
	}
	r := &s.rec
	r.bad, r.spoiled = "", false
	for i, v := range s.q.vectors {
		c := &r.cells[i]
		if v.null(s.row) {
			c.form = absent
			continue
		}
		switch c.form = s.forms[i]; c.form {
		case number:
			if c.num = v.float64(s.row); c.num != c.num {
				c.form = absent
			}
		case instant:
			c.us = v.int64(s.row)
		default:
			b := v.text(s.row)
			c.setText(b)
			if bytes.IndexByte(b, 0) >= 0 {
				r.bad = fmt.Sprintf("holds a NUL byte in column %q", s.columns[i])
			}
		}
	}
	s.row++
	return r, nil
}
