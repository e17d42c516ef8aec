package ingest

import (
	"bytes"
	"fmt"
	"io"

	"github.com/tandem-ml/tandem/data"
)

// WriteParquet writes the result of a query as a Parquet file.
func WriteParquet(query, path string) error {
	db, err := openDatabase()
	if err != nil {
		return err
	}
	defer db.close()
	q, err := db.query("COPY ("+query+" WHERE ? <> '') TO '"+path+"' (FORMAT parquet)", "-")
	if err != nil {
		return err
	}
	defer q.close()
	_, err = q.next()
	return err
}

// Cells reads all records of a text, CSV or JSON lines, and returns the cells'
// texts, the lines on which records begin, and the complaints. A missing cell is
// "∅". comma is 0 for JSON lines.
func Cells(r io.Reader, comma byte) (header []string, cells [][]string, at []int, bad []string, err error) {
	in := &input{r: r, format: formatLines, close: func() error { return nil }}
	var s scanner
	if comma != 0 {
		s, err = newCSVScanner("test", in, comma, data.Dialect{Header: new(true), Skip: new(int), Quote: `"`, Escape: "none"}, nil)
	} else {
		s, err = newJSONScanner("test", in, nil, nil)
	}
	if err != nil {
		return nil, nil, nil, nil, err
	}
	for {
		rec, err := s.next()
		if err == io.EOF {
			return s.names(), cells, at, bad, nil
		}
		if err != nil {
			return nil, nil, nil, nil, err
		}
		var row []string
		for _, c := range rec.cells {
			if c.form == absent {
				row = append(row, "∅")
				continue
			}
			row = append(row, string(bytes.Clone(c.text)))
		}
		if rec.bad != "" {
			row = nil
		}
		cells, at, bad = append(cells, row), append(at, rec.line), append(bad, rec.bad)
	}
}

// ParseNumber reads a number; ok is false if b is none.
func ParseNumber(b []byte) (x float64, ok bool) {
	x, shape := parseNumber(b)
	return x, shape != notNumber
}

// ParseTime reads a time written year first ("ymd"), "dmy" or "mdy".
func ParseTime(s, order string) (us int64, ok bool) {
	return parseTime([]byte(s), map[string]layout{"ymd": ymd, "dmy": dmy, "mdy": mdy}[order])
}

// Sniff tells the separator of a sample.
func Sniff(s string) string { return string(sniff([]byte(s), true)) }

// Looked is what a cell is read as.
type Looked struct {
	Numbers []float64
	Times   []int64
	Wrong   string // what the parsers do not agree on
}

// LookAt reads a cell in every style and layout.
func LookAt(b []byte) (saw Looked) {
	w := look(b)
	for s, is := range map[style]bool{points: w.points, commas: w.commas} {
		x, ok := parseStyled(b, s)
		if ok != is {
			saw.Wrong = fmt.Sprintf("told as a number of style %d: %v, read as one: %v", s, is, ok)
		}
		if ok {
			saw.Numbers = append(saw.Numbers, x)
		}
	}
	for l := ymd; l < layouts; l++ {
		if us, ok := parseTime(b, l); ok {
			saw.Times = append(saw.Times, us)
		}
	}
	return saw
}
