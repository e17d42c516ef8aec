package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/tandem-ml/tandem/data"
)

// jsonScanner reads objects, one a line or one after the other, in an array or
// not. A column is a key; its place is where it first appeared. The keys of an
// object inside an object come with its own key and a point before them; arrays
// are words, as they are written.
type jsonScanner struct {
	w       *window
	release func() error
	byLine  bool
	inArray bool
	closed  bool // the array's end was read
	columns []string
	at      map[string]int
	whole   map[string]bool // keys whose objects are not taken apart
	rec     record
}

// errCutShort is met when the file ends within a value.
var errCutShort = data.WithHint(errors.New("the file ends within a value"), "export or copy the file again")

func newJSONScanner(name string, in *input, known, whole []string) (*jsonScanner, error) {
	s := &jsonScanner{w: newWindow(in.r), release: in.close, byLine: in.format == formatLines, at: map[string]int{}, whole: map[string]bool{}}
	for _, column := range whole {
		s.whole[column] = true
	}
	for _, column := range known {
		s.column([]byte(column))
	}
	err := s.w.skipBOM()
	if err == nil && !s.byLine {
		err = s.skipBlanks()
		if b := s.w.rest(); len(b) > 0 && b[0] == '[' {
			s.inArray = true
			s.w.use(1)
		}
	}
	if err != nil {
		return nil, readError(name, err)
	}
	if s.w.done && len(trim(s.w.rest())) == 0 {
		return nil, empty(name)
	}
	return s, nil
}

func (s *jsonScanner) names() []string { return s.columns }

func (s *jsonScanner) close() error { return s.release() }

func (s *jsonScanner) next() (*record, error) {
	find := s.value
	if s.byLine {
		find = s.nextLine
	}
	n, err := find()
	if err != nil {
		return nil, err
	}
	r := &s.rec
	r.line, r.raw, r.bad, r.spoiled, r.foreign = s.w.line, s.w.rest()[:n], "", false, false
	s.w.use(n)
	r.raw = trim(r.raw)
	if r.checkText(); r.bad == "" {
		s.object(r)
	}
	return r, nil
}

// nextLine returns the length of the next line that is not empty.
func (s *jsonScanner) nextLine() (int, error) {
	for {
		n := bytes.IndexByte(s.w.rest(), '\n') + 1
		if n == 0 {
			if ok, err := s.w.more(); err != nil {
				return 0, err
			} else if ok {
				continue
			}
			if n = len(s.w.rest()); !s.w.done {
				return 0, errTooLong
			}
			if n == 0 {
				return 0, io.EOF
			}
		}
		if len(trim(s.w.rest()[:n])) > 0 {
			return n, nil
		}
		s.w.use(n)
	}
}

var errTooLong = data.WithHint(errors.New("a record is longer than 4 MB"), "split it; a record is one row of a table")

// value returns the length of the next value of an array or of a sequence,
// which is then where the window begins.
func (s *jsonScanner) value() (int, error) {
	if err := s.skipBlanks(); err != nil {
		return 0, err
	}
	b := s.w.rest()
	switch {
	case len(b) == 0 && s.inArray && !s.closed:
		return 0, errCutShort
	case len(b) == 0:
		return 0, io.EOF
	case s.closed:
		return 0, data.WithHint(errors.New("something follows the end of the array"), "a JSON file holds one array of objects; JSON lines end in .jsonl")
	case s.inArray && b[0] == ']':
		s.closed = true
		s.w.use(1)
		return s.value()
	}
	depth, quoted := 0, false
	for i := 0; ; i++ {
		if i == len(b) {
			ok, err := s.w.more()
			if err != nil {
				return 0, err
			}
			if b = s.w.rest(); !ok && i == len(b) {
				if !s.w.done {
					return 0, errTooLong
				}
				if depth > 0 || quoted {
					return 0, errCutShort
				}
				return i, nil
			}
		}
		switch c := b[i]; {
		case quoted:
			if c == '\\' {
				i++ // whatever is escaped does not end the text
				if i == len(b) {
					i-- // not there yet: look at the backslash again
					if ok, err := s.w.more(); err != nil || !ok {
						return 0, errors.Join(err, errCutShort)
					}
					b = s.w.rest()
					i++
				}
			} else if c == '"' {
				quoted = false
			}
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth < 0 {
				return max(i, 1), nil // the array's own end, or one too many
			}
			if depth == 0 {
				return i + 1, nil
			}
		case depth == 0 && (c == ',' || c == '\n'):
			return i, nil // a bare number or word
		}
	}
}

// skipBlanks moves to the next byte that is neither blank nor a comma.
func (s *jsonScanner) skipBlanks() error {
	for {
		b := s.w.rest()
		n := len(b) - len(bytes.TrimLeft(b, " \t\r\n,"))
		s.w.use(n)
		if n < len(b) {
			return nil
		}
		if ok, err := s.w.more(); err != nil || !ok {
			return err
		}
	}
}

// object reads r.raw into r.cells.
func (s *jsonScanner) object(r *record) {
	for i := range r.cells {
		r.cells[i] = cell{}
	}
	b := r.raw
	switch {
	case !json.Valid(b):
		r.bad = "is not valid JSON"
		return
	case b[0] != '{':
		r.bad = "is not a JSON object"
		return
	}
	// From here on b is well-formed: nothing below runs past its end.
	if !s.fields(r, b, nil, 0) {
		r.bad = "names a key twice"
		return
	}
	for len(r.cells) < len(s.columns) {
		r.cells = append(r.cells, cell{})
	}
}

// deepest is how deep objects within objects are taken apart; what is deeper is
// words, as it is written.
const deepest = 8

// fields reads the keys of the object that b begins with; prefix is what its own
// key was, with a point behind. It reports false if a key occurs twice.
func (s *jsonScanner) fields(r *record, b, prefix []byte, depth int) bool {
	b = trim(b[1:])
	for b[0] != '}' {
		n := jsonText(b)
		key := unquoteJSON(b[:n])
		if depth > 0 {
			key = append(prefix[:len(prefix):len(prefix)], key...)
		}
		b = trim(b[n:])
		b = trim(b[1:]) // the colon
		n = jsonValue(b)
		value := b[:n]
		if value[0] == '{' && depth < deepest && !s.whole[string(key)] {
			if !s.fields(r, value, append(key[:len(key):len(key)], '.'), depth+1) {
				return false
			}
		} else {
			i := s.column(key)
			for len(r.cells) < len(s.columns) {
				r.cells = append(r.cells, cell{})
			}
			if r.cells[i].text != nil {
				return false
			}
			setJSON(&r.cells[i], value)
		}
		if b = trim(b[n:]); b[0] == ',' {
			b = trim(b[1:])
		}
	}
	return true
}

// column returns the place of a key, a new one for a new key.
func (s *jsonScanner) column(key []byte) int {
	if i, known := s.at[string(key)]; known {
		return i
	}
	name := string(key)
	s.at[name] = len(s.columns)
	s.columns = append(s.columns, name)
	return len(s.columns) - 1
}

// setJSON makes v the value that b spells; null is absent.
func setJSON(v *cell, b []byte) {
	if b[0] == '"' {
		v.setText(unquoteJSON(b))
		return
	}
	v.setText(b)
	if string(b) == "null" {
		v.form, v.text = absent, b[:0] // there is a value, and it says nothing
	}
}

// jsonText returns the length of the quoted text that b begins with.
func jsonText(b []byte) int {
	for i := 1; ; i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// jsonValue returns the length of the value that b begins with.
func jsonValue(b []byte) int {
	depth := 0
	for i := 0; ; i++ {
		switch b[i] {
		case '"':
			i += jsonText(b[i:]) - 1
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // the end of the object around it
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
}

// unquoteJSON returns what a quoted text says.
func unquoteJSON(b []byte) []byte {
	if bytes.IndexByte(b, '\\') < 0 {
		return b[1 : len(b)-1]
	}
	var out string
	if err := json.Unmarshal(b, &out); err != nil {
		panic("ingest: valid JSON text was refused: " + err.Error())
	}
	return []byte(out)
}
