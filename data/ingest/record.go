package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tandem-ml/tandem/data"
)

// scanner reads the records of one file in order.
type scanner interface {
	// next returns the next record, which is valid until the call after, or
	// io.EOF.
	next() (*record, error)
	// names returns the columns; a record's cells are in their order. Those of
	// a JSON file grow as records are read.
	names() []string
	close() error
}

// record is one row of a file, or what stands where a row should be.
type record struct {
	cells   []cell
	line    int    // on which it begins; 0 where there are no lines
	raw     []byte // as the file has it; nil where there is no text
	bad     string // why it cannot be read; "" if it can
	spoiled bool   // bad because the file is not text: no accident of one row
	foreign bool   // spoiled because it is not UTF-8
}

// checkText marks the record as bad if its bytes are not text.
func (r *record) checkText() {
	switch {
	case bytes.IndexByte(r.raw, 0) >= 0:
		r.bad, r.spoiled = "holds a NUL byte", true
	case !utf8.Valid(r.raw):
		r.bad, r.spoiled, r.foreign = "is not valid UTF-8", true, true
	}
}

// spoiledError is the error for a file that is not text.
func spoiledError(name string, r *record) error {
	err := &data.CellError{File: name, Line: r.line, Err: "the line " + r.bad}
	if strings.Contains(r.bad, "NUL") {
		return data.WithHint(err, "the file is damaged or no text file; export it again")
	}
	return data.WithHint(err, "save the file as UTF-8; if it is Western European, iconv -f WINDOWS-1252 -t UTF-8 converts it")
}

// scan opens a file's scanner. known are the columns of JSON files read before,
// so that their order does not depend on the file.
func scan(ctx context.Context, f file, known []string, opt *Options) (scanner, error) {
	if f.db != nil {
		return newParquetScanner(ctx, f)
	}
	in, err := open(ctx, f, opt)
	if err != nil {
		return nil, err
	}
	var s scanner
	switch in.format {
	case formatCSV:
		s, err = newCSVScanner(f.name, in, 0, opt.Dialect, expected(opt))
	case formatTSV:
		s, err = newCSVScanner(f.name, in, '\t', opt.Dialect, expected(opt))
	case formatSheet:
		as := opt.Dialect
		as.Encoding, as.Delimiter, as.Quote, as.Escape = "utf-8", ",", `"`, "none"
		s, err = newCSVScanner(f.name, in, ',', as, expected(opt))
	case formatLines, formatJSON:
		s, err = newJSONScanner(f.name, in, known, expected(opt))
	case formatArrow:
		s, err = newArrowScanner(ctx, f.name, in)
	default:
		in.close()
		return newParquetScanner(ctx, f)
	}
	if err != nil {
		in.close()
		return nil, err
	}
	return s, nil
}

// expected are the names that a header may hold.
func expected(opt *Options) []string {
	if opt.Contract == nil {
		return nil
	}
	var names []string
	for _, f := range opt.Contract.Fields {
		names = append(names, f.Name)
	}
	return names
}

// checkNames returns an error if two columns have one name.
func checkNames(file string, names []string) error {
	first := make(map[string]int, len(names))
	var repeated []string
	for i, name := range names {
		if j, again := first[name]; again {
			repeated = append(repeated, fmt.Sprintf("%q is the name of columns %d and %d", name, j+1, i+1))
			continue
		}
		first[name] = i
	}
	if repeated == nil {
		return nil
	}
	const most = 5
	if more := len(repeated) - most; more > 0 {
		repeated = append(repeated[:most], fmt.Sprintf("and %d more", more))
	}
	return data.WithHint(fmt.Errorf("%s: %w", file, errors.New(strings.Join(repeated, ", "))), "give every column a name of its own in the first line")
}
