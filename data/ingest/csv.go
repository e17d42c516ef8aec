package ingest

import (
	"bytes"
	"fmt"
	"io"

	"github.com/tandem-ml/tandem/data"
)

// csvScanner reads RFC 4180 as it is found in the wild: any line end, blanks
// before a quote, quotes inside unquoted cells as plain text. A record whose
// quotes do not close spoils its own first line only: reading resumes on the
// next, since the alternative is to lose the rest of the file.
type csvScanner struct {
	w       *window
	release func() error
	columns []string
	comma   byte
	rec     record
	unquote []byte // cells that held doubled quotes, without them
}

// newCSVScanner reads the header. comma is the separator of cells, or 0 to tell
// it from the first lines.
func newCSVScanner(name string, in *input, comma byte) (*csvScanner, error) {
	s := &csvScanner{w: newWindow(in.r), release: in.close, comma: comma}
	if err := s.w.skipBOM(); err != nil {
		return nil, readError(name, err)
	}
	if comma == 0 {
		// A sample of a quarter of a megabyte, or what there is.
		for s.w.end-s.w.pos < 1<<16 {
			if ok, err := s.w.more(); err != nil {
				return nil, readError(name, err)
			} else if !ok {
				break
			}
		}
		s.comma = sniff(s.w.rest(), s.w.done)
	}
	header, err := s.next()
	switch {
	case err == io.EOF:
		return nil, empty(name)
	case err != nil:
		return nil, readError(name, err)
	case header.spoiled:
		return nil, spoiledError(name, header)
	case header.bad != "":
		return nil, data.WithHint(&data.CellError{File: name, Line: header.line, Err: "the first line, which names the columns, " + header.bad}, "close the quote")
	}
	taken := map[string]bool{}
	for _, c := range header.cells {
		taken[string(trim(c.text))] = true
	}
	for i, c := range header.cells {
		column := string(trim(c.text))
		if column == "" {
			// Spreadsheets and data frames write an index without a name.
			for column = fmt.Sprintf("column_%d", i+1); taken[column]; {
				column += "_"
			}
		}
		s.columns = append(s.columns, column)
	}
	return s, checkNames(name, s.columns)
}

func (s *csvScanner) names() []string { return s.columns }

func (s *csvScanner) close() error { return s.release() }

func (s *csvScanner) next() (*record, error) {
	for {
		n, bad := s.parse(s.w.rest(), s.w.done)
		if n == 0 { // not all of the record is there
			ok, err := s.w.more()
			if err != nil {
				return nil, err
			}
			if ok || s.w.done && s.w.pos < s.w.end {
				continue
			}
			if s.w.done {
				return nil, io.EOF
			}
			n, bad = firstLine(s.w.rest()), fmt.Sprintf("is part of a record longer than %d MB", maxRecord>>20)
			if n == 0 {
				return s.overlong()
			}
		}
		if n < 0 { // an empty line
			s.w.use(-n)
			continue
		}
		r := &s.rec
		r.line, r.raw, r.bad, r.spoiled = s.w.line, trimEnd(s.w.rest()[:n]), bad, false
		s.w.use(n)
		if bad != "" {
			r.cells = r.cells[:0]
		} else if s.columns != nil && len(r.cells) != len(s.columns) {
			r.bad = fmt.Sprintf("has %s, the header has %d", plural(len(r.cells), "cell"), len(s.columns))
		}
		r.checkText()
		return r, nil
	}
}

// overlong returns the record for a line that is longer than a record may be.
func (s *csvScanner) overlong() (*record, error) {
	s.rec = record{cells: s.rec.cells[:0], line: s.w.line, raw: bytes.Clone(s.w.rest()[:1024]),
		bad: fmt.Sprintf("is longer than %d MB", maxRecord>>20)}
	return &s.rec, s.w.skipLine()
}

// parse reads the record that b begins with into s.rec.cells and returns how
// many bytes it takes, line end included: 0 if b ends before the record does and
// more may follow, negative for an empty line. bad says why it is none; then the
// bytes are those of its first line.
func (s *csvScanner) parse(b []byte, last bool) (n int, bad string) {
	if n = blankLine(b, last); n != 0 || len(b) == 0 {
		return -n, ""
	}
	s.unquote = s.unquote[:0]
	cells := s.rec.cells[:0]
	i := 0
	for {
		for i < len(b) && b[i] == ' ' {
			i++ // a blank before a quote does not count; before text it does
		}
		start := i
		quoted := i < len(b) && b[i] == '"'
		var value []byte
		if quoted {
			var end int
			if value, end, bad = s.quoted(b, i, last); end == 0 {
				return 0, ""
			} else if bad != "" {
				if n = firstLine(b); n == 0 && last {
					n = len(b)
				}
				return n, bad
			}
			i = end
		} else {
			for start > 0 && b[start-1] == ' ' {
				start--
			}
			for i < len(b) && b[i] != s.comma && b[i] != '\n' && b[i] != '\r' {
				i++
			}
			value = b[start:i]
		}
		if i == len(b) && !last || i == len(b)-1 && b[i] == '\r' && !last {
			return 0, ""
		}
		var c cell
		c.form, c.text = text, value
		if (len(value) <= 4 || value[0] == ' ' || value[len(value)-1] == ' ') && marksMissing(value) {
			c.form = absent
		}
		cells = append(cells, c)
		s.rec.cells = cells
		switch {
		case i == len(b):
			return i, ""
		case b[i] == s.comma:
			i++
			if i == len(b) && !last {
				return 0, ""
			}
		case b[i] == '\r' && i+1 < len(b) && b[i+1] == '\n':
			return i + 2, ""
		default:
			return i + 1, ""
		}
	}
}

// quoted reads the quoted cell whose opening quote is at b[i]. end is where the
// cell's separator or line end stands, or 0 if b ends before.
func (s *csvScanner) quoted(b []byte, i int, last bool) (value []byte, end int, bad string) {
	from := i + 1
	doubled := false
	for i = from; ; i++ {
		j := bytes.IndexByte(b[i:], '"')
		if j < 0 {
			if last {
				return nil, 1, "has a quote that is never closed"
			}
			return nil, 0, ""
		}
		i += j
		if i+1 == len(b) && !last {
			return nil, 0, ""
		}
		if i+1 < len(b) && b[i+1] == '"' {
			doubled = true
			i++
			continue
		}
		break
	}
	value = b[from:i]
	if doubled {
		at := len(s.unquote)
		for k := 0; k < len(value); k++ {
			s.unquote = append(s.unquote, value[k])
			if value[k] == '"' {
				k++
			}
		}
		value = s.unquote[at:]
	}
	for i++; i < len(b) && b[i] == ' '; i++ {
	}
	if i == len(b) && !last {
		return nil, 0, ""
	}
	if i < len(b) && b[i] != s.comma && b[i] != '\n' && b[i] != '\r' {
		return nil, 1, "has text after a closing quote"
	}
	return value, i, ""
}

// blankLine returns the length of the line that b begins with, line end
// included, if it holds only blanks, else 0.
func blankLine(b []byte, last bool) int {
	i := 0
	for i < len(b) && b[i] == ' ' {
		i++
	}
	switch {
	case i == len(b) && last, i < len(b) && b[i] == '\n':
		return min(i+1, len(b))
	case i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n':
		return i + 2
	case i < len(b) && b[i] == '\r' && (i+1 < len(b) || last):
		return i + 1
	}
	return 0
}

// firstLine returns the length of the first line of b, line end included, or 0
// if b may have but a part of it.
func firstLine(b []byte) int {
	i := bytes.IndexAny(b, "\r\n")
	switch {
	case i < 0, b[i] == '\r' && i+1 == len(b):
		return 0
	case b[i] == '\r' && b[i+1] == '\n':
		return i + 2
	}
	return i + 1
}

func trimEnd(b []byte) []byte { return bytes.TrimRight(b, "\r\n") }

// sniff tells which byte separates the cells of a sample: the one by which most
// lines have as many cells as the first. Ties go to more cells, then to the
// order comma, semicolon, tab, bar.
func sniff(sample []byte, whole bool) byte {
	best, bestShare, bestWidth := byte(','), 0.0, 1
	for _, comma := range []byte{',', ';', '\t', '|'} {
		s := csvScanner{comma: comma}
		width, lines, agreeing := 0, 0, 0
		for rest := sample; len(rest) > 0; {
			n, bad := s.parse(rest, whole)
			if n == 0 {
				break // the sample ends within a record
			}
			if n < 0 {
				rest = rest[-n:]
				continue
			}
			if lines++; lines == 1 {
				width = len(s.rec.cells)
			}
			if bad == "" && len(s.rec.cells) == width {
				agreeing++
			}
			rest = rest[n:]
		}
		if width < 2 {
			continue
		}
		share := float64(agreeing) / float64(lines)
		if share > bestShare || share == bestShare && width > bestWidth {
			best, bestShare, bestWidth = comma, share, width
		}
	}
	return best
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
