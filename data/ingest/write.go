package ingest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/tandem-ml/tandem/data"
)

// ArrowWriter writes tables as an Arrow IPC stream: Number columns as float64,
// Text columns as utf8, missing values as nulls.
type ArrowWriter struct {
	w      io.Writer
	stream *ipc.Writer
	schema *arrow.Schema
}

// NewArrowWriter returns a writer to w. The schema is that of the first table.
func NewArrowWriter(w io.Writer) *ArrowWriter { return &ArrowWriter{w: w} }

// Write writes a table as one record batch. Its columns are Numbers and Texts,
// named and ordered as in the first table; anything else is an error.
func (a *ArrowWriter) Write(t *data.Table) error {
	if a.stream == nil {
		fields := make([]arrow.Field, len(t.Columns))
		for i, c := range t.Columns {
			fields[i] = arrow.Field{Name: c.Name, Type: arrow.PrimitiveTypes.Float64, Nullable: true}
			if c.Kind == data.Text {
				fields[i].Type = arrow.BinaryTypes.String
			}
		}
		a.schema = arrow.NewSchema(fields, nil)
		a.stream = ipc.NewWriter(a.w, ipc.WithSchema(a.schema))
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, a.schema)
	defer b.Release()
	for i, c := range t.Columns {
		var into any
		if i < a.schema.NumFields() && a.schema.Field(i).Name == c.Name {
			into = b.Field(i)
		}
		switch into := into.(type) {
		case *array.Float64Builder:
			valid := make([]bool, len(c.Numbers))
			for k, x := range c.Numbers {
				valid[k] = x == x
			}
			into.AppendValues(c.Numbers, valid)
		case *array.StringBuilder:
			valid := make([]bool, len(c.Texts))
			for k, s := range c.Texts {
				valid[k] = s != ""
			}
			into.AppendValues(c.Texts, valid)
		default:
			return fmt.Errorf("column %q is not one of the stream's", c.Name)
		}
	}
	batch := b.NewRecordBatch()
	defer batch.Release()
	return a.stream.Write(batch)
}

// Close ends the stream; a stream that was never written to has no bytes.
func (a *ArrowWriter) Close() error {
	if a.stream == nil {
		return nil
	}
	return a.stream.Close()
}

// parquetFromCSV writes the rows of a CSV file with a header as a Parquet file,
// in their order and without taking them all into memory. numbers says of each
// column whether it holds float64 numbers; the others hold text. An empty cell
// is a null.
//
// The CSV is one that this program wrote (RFC 4180, lines ending in \n): of
// files from elsewhere DuckDB guesses too much.
func parquetFromCSV(csv, parquet string, names []string, numbers []bool) (err error) {
	db, err := openDatabase()
	if err != nil {
		return err
	}
	defer db.close()
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	columns := make([]string, len(names))
	for i, name := range names {
		kind := "'VARCHAR'"
		if numbers[i] {
			kind = "'DOUBLE'"
		}
		columns[i] = quote(name) + ": " + kind
	}
	return db.run(fmt.Sprintf(`COPY (SELECT * FROM read_csv(%s, columns = {%s}, header = true, auto_detect = false,
		delim = ',', quote = '"', escape = '"', nullstr = '', new_line = '\n', parallel = false, max_line_size = %d))
		TO %s (FORMAT parquet)`, quote(literally(csv)), strings.Join(columns, ", "), 4*maxRecord, quote(parquet)))
}

// run runs a statement without a result.
func (d *database) run(sql string) error {
	var result duckdb.Result
	defer duckdb.DestroyResult(&result)
	if duckdb.Query(d.conn, sql, &result) != duckdb.StateSuccess {
		return cause(duckdb.ResultError(&result))
	}
	return nil
}

// ParquetWriter writes a Parquet file of rows that come as CSV; see
// parquetFromCSV. The rows wait in a temporary file until Close.
type ParquetWriter struct {
	w      io.Writer
	folder string
	rows   *os.File
}

// NewParquetWriter returns a writer of a Parquet file to w. It returns an error
// if there is no temporary file to be had.
func NewParquetWriter(w io.Writer) (*ParquetWriter, error) {
	folder, err := os.MkdirTemp("", "tandem-*")
	if err != nil {
		return nil, err
	}
	rows, err := os.Create(filepath.Join(folder, "rows.csv"))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	return &ParquetWriter{w, folder, rows}, nil
}

// Write takes the next bytes of the CSV, whose first line is the header.
func (p *ParquetWriter) Write(b []byte) (int, error) { return p.rows.Write(b) }

// Close writes the Parquet file and removes what is temporary. Without names
// nothing is written.
func (p *ParquetWriter) Close(names []string, numbers []bool) (err error) {
	defer func() { err = errors.Join(err, os.RemoveAll(p.folder)) }()
	if err := p.rows.Close(); err != nil || names == nil {
		return err
	}
	made := filepath.Join(p.folder, "rows.parquet")
	if err := parquetFromCSV(p.rows.Name(), made, names, numbers); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	f, err := os.Open(made)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(p.w, f)
	return err
}
