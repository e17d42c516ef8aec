package ingest

import (
	"bytes"
	"io"
)

// maxRecord is the longest record that is read. Without a bound, one quote that
// is never closed would take the rest of the file into memory.
const maxRecord = 4 << 20

// window is a stretch of a text file that slides forward: buf[pos:end] is
// what was read and not yet used.
type window struct {
	r        io.Reader
	buf      []byte
	pos, end int
	done     bool // nothing is left to read
	line     int  // line of buf[pos], from 1
}

func newWindow(r io.Reader) *window { return &window{r: r, buf: make([]byte, 1<<18), line: 1} }

// rest returns what was read and not yet used; valid until more is called.
func (w *window) rest() []byte { return w.buf[w.pos:w.end] }

// more reads on, moving and enlarging the buffer as needed. It reports false
// when it cannot: done is set, or the stretch is as long as a record may be.
func (w *window) more() (bool, error) {
	if w.done {
		return false, nil
	}
	if w.pos > 0 {
		w.end = copy(w.buf, w.rest())
		w.pos = 0
	}
	if w.end == len(w.buf) {
		if w.end >= maxRecord {
			return false, nil
		}
		w.buf = append(w.buf, make([]byte, len(w.buf))...)
	}
	for {
		n, err := w.r.Read(w.buf[w.end:])
		w.end += n
		if err == io.EOF {
			w.done = true
			return n > 0, nil
		}
		if err != nil {
			return false, err
		}
		if n > 0 {
			return true, nil
		}
	}
}

// use moves past the next n bytes, counting their lines.
func (w *window) use(n int) {
	w.line += lines(w.buf[w.pos : w.pos+n])
	w.pos += n
}

// lines counts the line ends in b: \n, \r\n, or \r alone.
func lines(b []byte) int {
	n := bytes.Count(b, []byte{'\n'})
	for {
		i := bytes.IndexByte(b, '\r')
		if i < 0 {
			return n
		}
		if i+1 == len(b) || b[i+1] != '\n' {
			n++
		}
		b = b[i+1:]
	}
}

// skipBOM moves past a byte order mark.
func (w *window) skipBOM() error {
	for w.end-w.pos < len(bom) {
		if ok, err := w.more(); err != nil {
			return err
		} else if !ok {
			break
		}
	}
	if bytes.HasPrefix(w.rest(), bom) {
		w.pos += len(bom)
	}
	return nil
}

// skipLine moves past the next \n, however far it is.
func (w *window) skipLine() error {
	for {
		if i := bytes.IndexByte(w.rest(), '\n'); i >= 0 {
			w.use(i + 1)
			return nil
		}
		w.use(w.end - w.pos)
		if ok, err := w.more(); err != nil || !ok {
			return err
		}
	}
}
