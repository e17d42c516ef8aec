package ingest

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/tandem-ml/tandem/data"
)

// csvScanner reads RFC 4180 as it is found in the wild: any line end, blanks
// before a quote, quotes inside unquoted cells as plain text. A record whose
// quotes do not close spoils its own first line only: reading resumes on the
// next, since the alternative is to lose the rest of the file.
type csvScanner struct {
	dialect
	w       *window
	release func() error
	columns []string
	none    []string // cells that mean no value; nil: the built-in ones
	rec     record
	unquote []byte   // cells that held doubled or escaped quotes, without them
	count   *padding // for telling the dialect; nil else
	stop    stops

	found  []data.Finding
	cut    data.Finding // rows with empty cells beyond the header's
	beyond bool         // most rows have such cells
}

// newCSVScanner tells the dialect and reads the header. comma is the separator
// of cells, or 0 to tell it from the first lines; columns are names that the
// header may hold, nil if nothing is expected of it.
func newCSVScanner(name string, in *input, comma byte, given data.Dialect, columns []string) (*csvScanner, error) {
	s := &csvScanner{w: newWindow(in.r), release: in.close, none: given.Missing}
	if err := s.w.skipBOM(); err != nil {
		return nil, readError(name, err)
	}
	for s.w.end-s.w.pos < sampleSize {
		if ok, err := s.w.more(); err != nil {
			return nil, readError(name, err)
		} else if !ok {
			break
		}
	}
	s.dialect, s.found = detect(s.w.rest(), s.w.done, comma, given, columns)
	s.found = append(in.found, s.found...)
	s.w.use(s.dialect.skip)
	if !s.dialect.header {
		return s, s.unnamed(name)
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
	var cells []string
	for _, c := range header.cells {
		cells = append(cells, string(trim(c.text)))
	}
	if n := s.unnamedIndex(len(cells)); n > 0 {
		cells = append([]string{""}, cells...)
	}
	s.beyond = s.dialect.fit(s.w.rest(), s.w.done).width > len(cells)
	var found []data.Finding
	s.columns, found = nameColumns(cells)
	s.found = append(s.found, found...)
	return s, nil
}

// unnamed makes names for the columns of a file without a header.
func (s *csvScanner) unnamed(name string) error {
	n, bad := 0, ""
	for rest := s.w.rest(); len(rest) > 0; rest = rest[-n:] {
		if n, bad = s.parse(rest, s.w.done); n >= 0 {
			break
		}
	}
	if n <= 0 || bad != "" {
		return data.WithHint(fmt.Errorf("%s: the first line cannot be split into cells", name), "set data.read.header, or close the quote")
	}
	s.columns, _ = nameColumns(make([]string, len(s.rec.cells)))
	return nil
}

// unnamedIndex reports whether the header lacks the name of the first column,
// as tables that R writes do: every row of the sample has one cell more, not an
// empty one at its end, and the first ones, the names of the rows, all differ.
func (s *csvScanner) unnamedIndex(width int) int {
	sample, records, rows := s.w.rest(), 0, map[string]bool{}
	for len(sample) > 0 && width > 1 && records < 200 {
		n, bad := s.parse(sample, s.w.done)
		if n == 0 {
			break
		}
		sample = sample[max(n, -n):]
		if n < 0 {
			continue
		}
		if records++; bad != "" || len(s.rec.cells) != width+1 || s.rec.cells[width].form == absent {
			return 0
		}
		rows[string(s.rec.cells[0].text)] = true
	}
	if records < 2 || len(rows) < records {
		return 0
	}
	return 1
}

func (s *csvScanner) findings() []data.Finding {
	if s.cut.Count > 0 {
		return append(s.found, s.cut)
	}
	return s.found
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
		r.line, r.raw, r.bad, r.spoiled, r.foreign = s.w.line, trimEnd(s.w.rest()[:n]), bad, false, false
		s.w.use(n)
		if bad != "" {
			r.cells = r.cells[:0]
		} else if s.columns != nil {
			s.check(r)
		}
		r.checkText()
		return r, nil
	}
}

// check compares a record with the header.
func (s *csvScanner) check(r *record) {
	width := len(s.columns)
	if n := len(r.cells); n != width {
		// One row with a cell too many has most likely shifted the others.
		if n < width || !s.beyond || slices.ContainsFunc(r.cells[width:], func(c cell) bool { return c.form != absent }) {
			r.bad = fmt.Sprintf("has %s, the header has %d", plural(n, "cell"), width)
			return
		}
		r.cells = r.cells[:width]
		s.cut.Kind, s.cut.About, s.cut.Text = "repair", "rows", "rows have empty cells beyond the last column, which are left out"
		s.cut.Count++
		s.cut.Example = sample(s.cut.Example, r.raw)
	}
	if width < 2 {
		return
	}
	if first := r.cells[0].text; string(trim(first)) == s.columns[0] && s.repeats(r) {
		r.bad = "names the columns again"
	} else if isTotal(first) && s.last() {
		r.bad = "is a total of the others and no row of its own"
	}
}

// repeats reports whether a record says what the header says.
func (s *csvScanner) repeats(r *record) bool {
	if !s.dialect.header {
		return false
	}
	for i, c := range r.cells {
		if string(trim(c.text)) != s.columns[i] {
			return false
		}
	}
	return true
}

// last reports whether nothing but blanks follows. Reading on moves the window,
// so the record is copied before.
func (s *csvScanner) last() bool {
	if len(trim(s.w.rest())) > 0 {
		return false
	}
	r := &s.rec
	r.raw = bytes.Clone(r.raw)
	for i := range r.cells {
		r.cells[i].text = bytes.Clone(r.cells[i].text)
	}
	for {
		if len(trim(s.w.rest())) > 0 {
			return false
		}
		if ok, err := s.w.more(); err != nil || !ok {
			return err == nil && s.w.done // an error is met again by whoever reads on
		}
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
	comma, quote, padded := s.comma, s.quote, s.padded
	stop := s.stop.at(comma)
	cells := s.rec.cells[:0]
	i := 0
	for {
		if s.count != nil && len(cells) > 0 {
			s.count.see(b[i:])
		}
		for i < len(b) && b[i] == ' ' {
			i++ // a blank before a quote does not count; before text it does
		}
		start := i
		quoted := i < len(b) && b[i] == quote && quote != 0
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
			for !padded && start > 0 && b[start-1] == ' ' {
				start--
			}
			for i < len(b) && !stop[b[i]] {
				i++
			}
			value = b[start:i]
		}
		if i == len(b) && !last || i == len(b)-1 && b[i] == '\r' && !last {
			return 0, ""
		}
		var c cell
		c.form, c.text = text, value
		if s.none != nil {
			if b := trim(value); len(b) == 0 || slices.Contains(s.none, string(b)) {
				c.form = absent
			}
		} else if len(value) == 0 || (value[0] < '0' || value[0] > '9') && (len(value) <= 4 || value[0] == ' ' || value[len(value)-1] == ' ') && marksMissing(value) {
			c.form = absent
		}
		cells = append(cells, c)
		s.rec.cells = cells
		switch {
		case i == len(b):
			return i, ""
		case b[i] == comma:
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

// stops are the bytes that end a cell without quotes: one look at a table for
// each byte is less than three comparisons.
type stops struct {
	comma byte // that the table is made for; 0: none yet
	table [256]bool
}

func (s *stops) at(comma byte) *[256]bool {
	if s.comma != comma {
		*s = stops{comma: comma}
		s.table[comma], s.table['\n'], s.table['\r'] = true, true, true
	}
	return &s.table
}

// quoted reads the quoted cell whose opening quote is at b[i]. end is where the
// cell's separator or line end stands, or 0 if b ends before.
func (s *csvScanner) quoted(b []byte, i int, last bool) (value []byte, end int, bad string) {
	if s.escape != 0 {
		return s.escaped(b, i, last)
	}
	from := i + 1
	doubled := false
	for i = from; ; i++ {
		j := bytes.IndexByte(b[i:], s.quote)
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
		if i+1 < len(b) && b[i+1] == s.quote {
			doubled = true
			i++
			continue
		}
		if s.quote == '\'' && i+1 < len(b) && b[i+1] != s.comma && b[i+1] != ' ' && b[i+1] != '\r' && b[i+1] != '\n' {
			continue // an apostrophe
		}
		break
	}
	value = b[from:i]
	if doubled {
		at := len(s.unquote)
		for k := 0; k < len(value); k++ {
			s.unquote = append(s.unquote, value[k])
			if value[k] == s.quote {
				k++
			}
		}
		value = s.unquote[at:]
	}
	return s.after(b, i, last, value)
}

// escaped is quoted where a backslash stands before a quote that is part of the
// cell. Doubled quotes are understood, too; other backslashes are text.
func (s *csvScanner) escaped(b []byte, i int, last bool) (value []byte, end int, bad string) {
	at := len(s.unquote)
	for i++; ; i++ {
		switch {
		case i == len(b) && last:
			return nil, 1, "has a quote that is never closed"
		case i >= len(b) || i+1 == len(b) && !last:
			return nil, 0, ""
		case b[i] == s.escape && i+1 < len(b) && (b[i+1] == s.quote || b[i+1] == s.escape), b[i] == s.quote && i+1 < len(b) && b[i+1] == s.quote:
			i++
		case b[i] == s.quote:
			return s.after(b, i, last, s.unquote[at:])
		}
		s.unquote = append(s.unquote, b[i])
	}
}

// after finds the end of a quoted cell whose closing quote is at b[i].
func (s *csvScanner) after(b []byte, i int, last bool, value []byte) (_ []byte, end int, bad string) {
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

// see counts the separator that b follows.
func (p *padding) see(b []byte) {
	if len(b) == 0 || b[0] == '\n' || b[0] == '\r' {
		return
	}
	p.cells++
	if b[0] == ' ' {
		p.padded++
	}
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
