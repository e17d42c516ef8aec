package columns

import (
	"bytes"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tandem-ml/tandem/bundle"
)

// Result is what is answered about a row.
type Result struct {
	ID       string
	Score    float64
	Decision string
	Scores   []float64 // of several classes
	Reasons  []bundle.Reason
	Model    string
	Error    string // not "": the row was not scored, and the rest is empty
}

// Writer writes results as an Arrow IPC stream: the columns id, score, decision
// (but of a regression), score_CLASS for each of several classes, reasons (if they
// were asked for), model and error. Of a row that was not scored all but error are
// null.
type Writer struct {
	w       io.Writer
	buf     bytes.Buffer // what is written at once
	stream  *ipc.Writer  // into buf
	schema  *arrow.Schema
	classes int
	decides bool
	reasons bool
}

// NewWriter returns a writer of what a bundle answers. Its id and the model's version
// stand in the schema's metadata. The schema is written with the first results, or by Close.
func NewWriter(w io.Writer, b *bundle.Bundle, model string, reasons bool) *Writer {
	out := &Writer{w: w, decides: b.Manifest.Task != bundle.Regression, classes: len(b.Decision.Classes), reasons: reasons}
	field := func(name string, t arrow.DataType) arrow.Field {
		return arrow.Field{Name: name, Type: t, Nullable: true}
	}
	fields := []arrow.Field{field("id", arrow.BinaryTypes.String), field("score", arrow.PrimitiveTypes.Float64)}
	if out.decides {
		fields = append(fields, field("decision", arrow.BinaryTypes.String))
	}
	for _, class := range b.Decision.Classes {
		fields = append(fields, field("score_"+class, arrow.PrimitiveTypes.Float64))
	}
	if reasons {
		fields = append(fields, field("reasons", arrow.ListOf(arrow.StructOf(
			field("column", arrow.BinaryTypes.String), field("value", arrow.BinaryTypes.String),
			field("contribution", arrow.PrimitiveTypes.Float64), field("text", arrow.BinaryTypes.String)))))
	}
	fields = append(fields, field("model", arrow.BinaryTypes.String), field("error", arrow.BinaryTypes.String))
	about := arrow.NewMetadata([]string{"tandem.bundle", "tandem.model"}, []string{b.ID(), model})
	out.schema = arrow.NewSchema(fields, &about)
	out.stream = ipc.NewWriter(&out.buf, ipc.WithSchema(out.schema))
	return out
}

// Write writes results as one record batch, and that in one piece.
func (w *Writer) Write(results []Result) error {
	n, bad := len(results), 0
	for i := range results {
		if results[i].Error != "" {
			bad++
		}
	}
	// The columns are made here, as the format has them: builders grow and check
	// value by value.
	scored, refused := bits(results, false), bits(results, true)
	var all []arrow.Array
	defer func() {
		for _, a := range all {
			a.Release()
		}
	}()
	add := func(t arrow.DataType, nulls int, buffers ...[]byte) {
		held := make([]*memory.Buffer, len(buffers))
		for k, b := range buffers {
			held[k] = memory.NewBufferBytes(b)
		}
		d := array.NewData(t, n, held, nil, nulls, 0)
		defer d.Release()
		all = append(all, array.MakeFromData(d))
	}
	words := func(of func(r *Result) string) {
		ends, text := make([]int32, 1, n+1), make([]byte, 0, n*len(of(&results[0])))
		for i := range results {
			text = append(text, of(&results[i])...)
			ends = append(ends, int32(len(text)))
		}
		add(arrow.BinaryTypes.String, bad, scored, arrow.Int32Traits.CastToBytes(ends), text)
	}
	numbers := func(of func(r *Result) float64) {
		values := make([]float64, n)
		for i := range results {
			if r := &results[i]; r.Error == "" {
				values[i] = of(r)
			}
		}
		add(arrow.PrimitiveTypes.Float64, bad, scored, arrow.Float64Traits.CastToBytes(values))
	}
	words(func(r *Result) string { return r.ID })
	numbers(func(r *Result) float64 { return r.Score })
	if w.decides {
		words(func(r *Result) string { return r.Decision })
	}
	for k := range w.classes {
		numbers(func(r *Result) float64 { return r.Scores[k] })
	}
	if w.reasons {
		list := array.NewBuilder(memory.DefaultAllocator, w.schema.Field(len(all)).Type).(*array.ListBuilder)
		defer list.Release()
		list.Reserve(len(results))
		appendReasons(list, results)
		all = append(all, list.NewArray())
	}
	words(func(r *Result) string { return r.Model })
	scored, bad = refused, n-bad // from here on it is the refused that have a value
	words(func(r *Result) string { return r.Error })
	batch := array.NewRecordBatch(w.schema, all, int64(len(results)))
	defer batch.Release()
	if err := w.stream.Write(batch); err != nil {
		return err
	}
	return w.flush()
}

// Close writes the end of the stream.
func (w *Writer) Close() error {
	if err := w.stream.Close(); err != nil {
		return err
	}
	return w.flush()
}

func (w *Writer) flush() error {
	_, err := w.buf.WriteTo(w.w)
	return err
}

// bits returns which rows were refused, or else which were scored, one bit a row.
func bits(results []Result, refused bool) []byte {
	out := make([]byte, (len(results)+7)/8)
	for i := range results {
		if (results[i].Error != "") == refused {
			out[i/8] |= 1 << (i % 8)
		}
	}
	return out
}

func appendReasons(list *array.ListBuilder, results []Result) {
	of := list.ValueBuilder().(*array.StructBuilder)
	for i := range results {
		r := &results[i]
		if r.Error != "" {
			list.AppendNull()
			continue
		}
		list.Append(true)
		for j := range r.Reasons {
			reason := &r.Reasons[j]
			of.Append(true)
			of.FieldBuilder(0).(*array.StringBuilder).Append(reason.Column)
			if value := of.FieldBuilder(1).(*array.StringBuilder); reason.Value == nil {
				value.AppendNull()
			} else if x, number := reason.Value.(float64); number {
				value.Append(string(appendNumber(nil, x)))
			} else {
				value.Append(fmt.Sprint(reason.Value))
			}
			of.FieldBuilder(2).(*array.Float64Builder).Append(reason.Contribution)
			of.FieldBuilder(3).(*array.StringBuilder).Append(reason.Text)
		}
	}
}
