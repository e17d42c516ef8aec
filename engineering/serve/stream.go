package serve

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandem-ml/tandem/bundle"
)

// A stream is a request without an end that is known: rows come, one a line or in Arrow
// record batches, and each is answered while others are still sent. What is held is
// a block of them; who does not read its answers is not read from. Every row
// stands for itself: one that breaks the contract is answered with what is wrong
// with it, in its place, and hinders no other.

const (
	typeLines = "application/x-ndjson"
	typeArrow = "application/vnd.apache.arrow.stream"
)

const (
	blockRows = 512     // rows that are decided together
	maxLine   = 1 << 20 // bytes of a row
)

// streamed answers streams of rows, and leaves other bodies to next.
func (s *Server) streamed(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if kinds := r.Header["Content-Type"]; len(kinds) != 1 || kinds[0] != "application/json" { // which needs no taking apart
			switch kind := mediaType(r); kind {
			case typeLines, "application/ndjson", "application/jsonlines", "application/x-jsonlines":
				s.stream(w, r, typeLines)
				return
			case typeArrow:
				s.stream(w, r, typeArrow)
				return
			}
		}
		next(w, r)
	}
}

// block is rows of a stream on their way to their answers.
type block struct {
	first  int // the place of its first row in the stream, from 0
	rows   bundle.Rows
	inputs []input
	bad    []*refusal // per row, nil: it is decided
}

// source gives the rows of a stream, io.EOF at its end. A block is valid until
// the next.
type source interface {
	next() (*block, error)
	close()
}

// sink takes answers in the order of the rows: bad[i] is why a row has none.
type sink interface {
	write(results []result, bad []*refusal) error
	end(why *refusal) error // why: nil, or what the stream ends with before its time
}

func (s *Server) stream(w http.ResponseWriter, r *http.Request, kind string) {
	w.Header()["Cache-Control"] = noStore
	if s.streams.count.Add(1) > int64(s.opt.Limits.Streams) {
		s.streams.count.Add(-1)
		s.fail(w, r, s.tooMany("streams", time.Second, "as many streams are open as may be; nothing was decided"))
		return
	}
	defer s.streams.count.Add(-1)
	m, answers, silent, err := s.beginStream(r, kind)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	until, err := s.deadline(r.Header["X-Request-Timeout"])
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if until.IsZero() {
		until = time.Now().Add(s.opt.Limits.Stream)
	}
	ctx, cancel := context.WithDeadline(withID(r.Context(), nameOf(w, r), watchIn(w)), until)
	defer cancel()

	control := http.NewResponseController(w)
	control.EnableFullDuplex() // where there is no such thing, the body is here already, or HTTP/2 does it
	defer s.streams.add(control)()
	out := &streamWriter{w: w, kind: answers, model: m}
	fail := func(err error) {
		if !out.begun {
			s.fail(w, r, err)
			return
		}
		to := out.sink
		to.end(s.refusal(w, r, err))
		if control.Flush() == nil {
			control.SetReadDeadline(time.Now()) // what still comes is not waited for
			panic(http.ErrAbortHandler)         // so that nobody takes it for whole
		}
	}
	in := s.openSource(r, m, kind)
	defer in.close()
	out.open(silent)
	for {
		control.SetReadDeadline(time.Now().Add(s.opt.Limits.Read))
		if s.streams.ended.Load() {
			fail(refuse(http.StatusServiceUnavailable, "stopping", "the server is about to stop; send the rows without an answer again"))
			return
		}
		b, err := in.next()
		switch {
		case err == io.EOF:
			if !out.begun {
				fail(refuse(http.StatusBadRequest, "no_rows", "the stream holds no row to score"))
				return
			}
			out.sink.end(nil)
			return
		case err != nil && s.streams.ended.Load():
			continue
		case err != nil && ctx.Err() != nil:
			fail(ctx.Err())
			return
		case err != nil:
			fail(err)
			return
		}
		results, err := s.decideBlock(ctx, m, b, request{silent: silent})
		if err != nil {
			fail(err)
			return
		}
		control.SetWriteDeadline(time.Now().Add(s.opt.Limits.Write))
		if out.sink.write(results, b.bad) != nil {
			return // the client has gone
		}
		control.Flush()
	}
}

// beginStream reads what a stream's request says before its rows.
func (s *Server) beginStream(r *http.Request, kind string) (m *Model, answers string, silent bool, err error) {
	if coding := r.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return nil, "", false, refuse(http.StatusUnsupportedMediaType, "content_encoding", "streams are not taken compressed")
	}
	if len(r.Header["Idempotency-Key"]) > 0 {
		return nil, "", false, refuse(http.StatusBadRequest, "idempotency_key", "a stream has no Idempotency-Key; send what may be sent twice as requests")
	}
	silent = kind == typeArrow
	for name, values := range r.URL.Query() {
		switch {
		case name == "reasons" && len(values) == 1 && values[0] == "true":
			silent = false
		case name == "reasons" && len(values) == 1 && values[0] == "false":
			silent = true
		default:
			return nil, "", false, refuse(http.StatusBadRequest, "query", "a stream takes ?reasons=true or false, and nothing else")
		}
	}
	if answers, err = streamType(r.Header["Accept"], kind); err != nil {
		return nil, "", false, err
	}
	m, err = s.versioned(r.PathValue("project"), r.PathValue("version"))
	return m, answers, silent, err
}

// streamType returns how a stream is answered: the first type of Accept that there is,
// and without one as the rows come.
func streamType(accept []string, kind string) (string, error) {
	asked := false
	for item := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		if strings.TrimSpace(item) == "" {
			continue
		}
		asked = true
		switch t, _, _ := mime.ParseMediaType(item); t {
		case "*/*", "application/*":
			return kind, nil
		case typeArrow:
			return typeArrow, nil
		case typeLines, "application/ndjson", "application/jsonlines", "application/x-jsonlines":
			return typeLines, nil
		}
	}
	if asked {
		return "", refuse(http.StatusNotAcceptable, "not_acceptable", "streams are answered as "+typeLines+" or "+typeArrow+"; Accept names neither")
	}
	return kind, nil
}

// decideBlock decides the rows of a block that are good; what no score is found for
// becomes bad. The results stand in the order of the block.
func (s *Server) decideBlock(ctx context.Context, m *Model, b *block, req request) ([]result, error) {
	for {
		rows, inputs, at := b.good()
		whole := rows.N == b.rows.N
		if rows.N == 0 {
			return make([]result, b.rows.N), ctx.Err()
		}
		if err := s.enter(ctx); err != nil {
			return nil, err
		}
		ds, answers, err := s.decide(ctx, m, rows, inputs, req)
		s.gate.Leave()
		var e *refusal
		switch {
		case errors.As(err, &e) && e.Code == "not_finite":
			for _, f := range e.Fields {
				i := at(f.Row)
				b.bad[i] = refuseFields(e.Status, e.Code, "nothing was decided", []fieldError{{b.first + i, f.Field, f.Rule}})
			}
			continue
		case err != nil:
			return nil, err
		}
		results := newAnswer(m, ds, answers).resultsOf(m)
		if whole {
			return results, nil
		}
		out := make([]result, b.rows.N)
		for k, r := range results {
			out[at(k)] = r
		}
		return out, nil
	}
}

// resultsOf returns results that each say who made them, but where the model
// that was asked did.
func (a *scoreAnswer) resultsOf(m *Model) []result {
	if a.Bundle != m.Bundle.ID() {
		for i := range a.Results {
			if r := &a.Results[i]; r.Bundle == "" {
				r.Model, r.Bundle = a.Model, a.Bundle
			}
		}
	}
	return a.Results
}

// good returns the rows that are not bad, and where each stands in the block.
func (b *block) good() (bundle.Rows, []input, func(int) int) {
	if !slices.ContainsFunc(b.bad, func(e *refusal) bool { return e != nil }) {
		return b.rows, b.inputs, func(k int) int { return k }
	}
	rows := bundle.Rows{Cols: b.rows.Cols}
	var inputs []input
	var at []int
	for i, e := range b.bad {
		if e == nil {
			rows.N, rows.Data = rows.N+1, append(rows.Data, b.rows.Row(i)...)
			inputs, at = append(inputs, b.inputs[i]), append(at, i)
		}
	}
	return rows, inputs, func(k int) int { return at[k] }
}

// refuseRow is what is wrong with one row of a stream.
func refuseRow(row int, err error) *refusal {
	return refuseFields(http.StatusBadRequest, "contract", "the row breaks the contract", fieldErrors(row, err))
}

// openSource returns the rows of a stream.
func (s *Server) openSource(r *http.Request, m *Model, kind string) source {
	if kind == typeArrow {
		return &arrowSource{s: s, m: m, body: r.Body}
	}
	return &lineSource{s: s, layout: m.Bundle.Layout(), body: r.Body}
}

// lineSource reads one row a line. Empty lines are nothing.
type lineSource struct {
	s      *Server
	layout *bundle.Layout
	body   io.Reader
	buf    []byte // what was read and is not answered: buf[from:]
	from   int
	over   bool  // the line at from is too long, and skipped
	err    error // what reading ended with
	row    int   // of the next line
}

const lineBuffer = 64 << 10

func (l *lineSource) close() { l.s.held.Give(int64(cap(l.buf))) }

func (l *lineSource) next() (*block, error) {
	for {
		if b := l.lines(); b.rows.N > 0 {
			return b, nil
		}
		if l.err != nil {
			if l.err == io.EOF {
				return nil, io.EOF
			}
			return nil, refuse(http.StatusBadRequest, "body", "the rows could not be read to their end in time")
		}
		if err := l.read(); err != nil {
			return nil, err
		}
	}
}

// read reads what there is.
func (l *lineSource) read() error {
	l.buf = l.buf[:copy(l.buf, l.buf[l.from:])]
	l.from = 0
	if len(l.buf) > maxLine {
		l.buf, l.over = l.buf[:0], true
	}
	if len(l.buf) == cap(l.buf) {
		size := max(lineBuffer, min(2*cap(l.buf), maxLine+lineBuffer))
		if !l.s.held.Take(int64(size)) {
			return l.s.fullMemory()
		}
		bigger := append(make([]byte, 0, size), l.buf...)
		l.s.held.Give(int64(cap(l.buf)))
		l.buf = bigger
	}
	n, err := l.body.Read(l.buf[len(l.buf):cap(l.buf)])
	l.buf, l.err = l.buf[:len(l.buf)+n], err
	return nil
}

// lines takes whole lines, as many as a block has; at the end what is left is
// one.
func (l *lineSource) lines() *block {
	b := &block{first: l.row, rows: bundle.Rows{Cols: l.layout.Cols()}}
	for b.rows.N < blockRows {
		line := l.buf[l.from:]
		end := bytes.IndexByte(line, '\n')
		switch {
		case end >= 0:
			line, l.from = line[:end], l.from+end+1
		case l.err == io.EOF && (len(line) > 0 || l.over):
			l.from = len(l.buf)
		default:
			return b
		}
		if !l.over && blank(line, 0) == len(line) {
			continue
		}
		l.take(b, line)
		l.over = false
	}
	return b
}

func (l *lineSource) take(b *block, line []byte) {
	row := l.row
	l.row++
	b.rows.N++
	b.rows.Data = slices.Grow(b.rows.Data, b.rows.Cols)[:len(b.rows.Data)+b.rows.Cols]
	dst := b.rows.Row(b.rows.N - 1)
	in, bad := input{}, (*refusal)(nil)
	switch extras, n, ok := l.layout.DecodeNext(dst, line); {
	case l.over || len(line) > maxLine:
		bad = refuse(http.StatusRequestEntityTooLarge, "too_large", "the row has more than a megabyte")
	case ok && blank(line, n) == len(line):
		in = input{line[blank(line, 0):n], extras}
	default:
		if err := checkJSON(line); err != nil {
			bad = refuse(http.StatusBadRequest, "json", "the row "+err.Error())
		} else if extras, err := l.layout.DecodeJSON(dst, line, true); err != nil {
			bad = refuseRow(row, err)
		} else {
			in = input{bytes.TrimSpace(line), extras}
		}
	}
	b.inputs, b.bad = append(b.inputs, in), append(b.bad, bad)
}

// streamWriter begins an answer when its first part is written, so that what
// fails before is an error with a status of its own.
type streamWriter struct {
	w     http.ResponseWriter
	kind  string
	model *Model
	begun bool
	sink  sink
}

func (w *streamWriter) Write(b []byte) (int, error) {
	if !w.begun {
		w.begun = true
		h := w.w.Header()
		h["Content-Type"] = []string{w.kind}
		h["X-Model"], h["X-Bundle"] = []string{w.model.Version}, []string{w.model.Bundle.ID()}
		w.w.WriteHeader(http.StatusOK)
	}
	return w.w.Write(b)
}

func (w *streamWriter) open(silent bool) {
	if w.kind == typeArrow {
		w.sink = newArrowSink(w, w.model, !silent)
		return
	}
	w.sink = &lineSink{w: w}
}

// lineSink answers one line a row.
type lineSink struct {
	w   io.Writer
	buf []byte
	row int
}

func (l *lineSink) write(results []result, bad []*refusal) error {
	l.buf = l.buf[:0]
	for i := range results {
		if e := bad[i]; e != nil {
			l.error(e, l.row)
		} else {
			l.buf = append(results[i].appendTo(l.buf), '\n')
		}
		l.row++
	}
	_, err := l.w.Write(l.buf)
	return err
}

// error appends the line of a row that is bad, or of the end of the stream: row
// is then -1.
func (l *lineSink) error(e *refusal, row int) {
	line := struct {
		Row *int     `json:"row,omitempty"`
		E   *refusal `json:"error"`
	}{E: e}
	if row >= 0 {
		line.Row = &row
	}
	l.buf = append(appendAny(l.buf, line), '\n')
}

func (l *lineSink) end(why *refusal) error {
	if why == nil {
		return nil
	}
	l.buf = l.buf[:0]
	l.error(why, -1)
	_, err := l.w.Write(l.buf)
	return err
}

// keepsInputs reports whether somebody wants the rows' own texts.
func (s *Server) keepsInputs(m *Model) bool {
	forgets, none := s.opt.Log.(noLog)
	return !none || forgets.append != nil || s.opt.Decided != nil ||
		m.beside != nil && (m.beside.canary != nil || m.beside.shadow != nil)
}

// streams are those that are open.
type streams struct {
	count   atomic.Int64
	ended   atomic.Bool // the server stops
	mu      sync.Mutex
	waiting map[*http.ResponseController]bool
}

// add notes a stream until what it returns is called.
func (s *streams) add(c *http.ResponseController) (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == nil {
		s.waiting = make(map[*http.ResponseController]bool)
	}
	s.waiting[c] = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.waiting, c)
	}
}

// wake ends the waiting for rows, so that streams see that the server stops.
func (s *streams) wake() {
	s.ended.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.waiting {
		c.SetReadDeadline(time.Now())
	}
}
