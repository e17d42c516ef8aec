package serve

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/columns"
)

// arrowSource reads rows from Arrow record batches.
type arrowSource struct {
	s     *Server
	m     *Model
	body  io.Reader
	in    *columns.Reader
	rows  *columns.Decoder
	from  int // of the batch
	left  int
	held  int64
	row   int // of the stream
	texts []byte
	ends  []int
}

// texts are used again when their stream has ended, but for large ones.
var texts = sync.Pool{New: func() any { return new([]byte) }}

func (a *arrowSource) close() {
	a.s.held.Give(a.held)
	if n := cap(a.texts); n > 0 && n <= 1<<20 {
		texts.Put(&a.texts)
	}
}

func (a *arrowSource) next() (*block, error) {
	if a.in == nil {
		if err := a.open(); err != nil {
			return nil, refuseArrow(err)
		}
	}
	for a.left == 0 {
		batch, err := a.in.Next()
		if err == io.EOF {
			return nil, err
		}
		if err == nil {
			err = a.rows.SetBatch(batch)
		}
		if err != nil {
			return nil, refuseArrow(err)
		}
		a.from, a.left = 0, int(batch.NumRows())
		a.s.held.Give(a.held)
		a.held = a.in.Bytes()
		if !a.s.held.Take(a.held) {
			a.held = 0
			return nil, a.s.fullMemory()
		}
	}
	n := min(a.left, blockRows)
	rows, err := a.rows.Decode(a.from, n)
	if err != nil {
		return nil, refuseArrow(err)
	}
	b := &block{first: a.row, rows: rows.Rows, inputs: make([]input, n), bad: make([]*refusal, n)}
	keeps := a.s.keepsInputs(a.m)
	if keeps && a.texts == nil {
		a.texts = *texts.Get().(*[]byte)
	}
	a.texts, a.ends = a.texts[:0], a.ends[:0]
	for i := range n {
		b.inputs[i].extras = rows.Extras[i]
		if rows.Bad[i] != nil {
			b.bad[i] = refuseRow(a.row+i, rows.Bad[i])
		} else if keeps {
			begin := len(a.texts)
			a.texts = a.rows.AppendJSON(a.texts, a.from+i)
			if len(a.texts)-begin > maxLine {
				b.bad[i] = refuse(http.StatusRequestEntityTooLarge, "too_large", "the row has more than a megabyte")
				a.texts = a.texts[:begin]
			}
		}
		a.ends = append(a.ends, len(a.texts))
	}
	begin := 0
	for i, end := range a.ends { // not before: the texts move while they grow
		if end > begin {
			b.inputs[i].raw = a.texts[begin:end:end]
		}
		begin = end
	}
	a.from, a.left, a.row = a.from+n, a.left-n, a.row+n
	return b, nil
}

func (a *arrowSource) open() (err error) {
	if a.in, err = columns.NewReader(a.body, a.s.opt.Limits.Body); err != nil {
		return err
	}
	a.rows, err = columns.NewDecoder(a.m.Bundle.Layout(), &a.m.Bundle.Contract, a.in.Schema())
	return err
}

func refuseArrow(err error) error {
	var field *bundle.FieldError
	switch {
	case errors.As(err, &field):
		e := refuse(http.StatusBadRequest, "contract", "the columns break the contract: "+field.Error())
		e.Fields = []fieldError{{Field: clip(field.Field), Rule: field.Rule}}
		return e
	case errors.Is(err, columns.ErrRead):
		return refuse(http.StatusBadRequest, "body", "the rows could not be read to their end in time")
	case errors.Is(err, columns.ErrTooLarge):
		return refuse(http.StatusRequestEntityTooLarge, "too_large", err.Error())
	}
	return refuse(http.StatusBadRequest, "arrow", err.Error())
}

// arrowSink answers in record batches.
type arrowSink struct {
	w       *columns.Writer
	m       *Model
	results []columns.Result
}

func newArrowSink(w io.Writer, m *Model, reasons bool) *arrowSink {
	return &arrowSink{w: columns.NewWriter(w, m.Bundle, m.Version, reasons), m: m}
}

func (a *arrowSink) write(results []result, bad []*refusal) error {
	a.results = slices.Grow(a.results[:0], len(results))[:len(results)]
	for i := range results {
		r, to := &results[i], &a.results[i]
		*to = columns.Result{ID: r.ID, Score: r.Score, Decision: r.Decision, Reasons: r.Reasons, Model: a.m.Version}
		if r.Bundle != "" {
			to.Model = r.Model
		}
		if bad[i] != nil {
			*to = columns.Result{Error: bad[i].Message}
		}
		for _, class := range a.m.Bundle.Decision.Classes {
			to.Scores = append(to.Scores, r.Scores[class])
		}
	}
	return a.w.Write(a.results)
}

func (a *arrowSink) end(why *refusal) error {
	if why != nil {
		return nil // without its end, the stream is not whole
	}
	return a.w.Close()
}
