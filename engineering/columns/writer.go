package columns

import (
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
	w       *ipc.Writer
	schema  *arrow.Schema
	classes int
	decides bool
	reasons bool
}

// NewWriter returns a writer of what a bundle answers. Its id and the model's version
// stand in the schema's metadata. The schema is written with the first results, or by Close.
func NewWriter(w io.Writer, b *bundle.Bundle, model string, reasons bool) *Writer {
	out := &Writer{decides: b.Manifest.Task != bundle.Regression, classes: len(b.Decision.Classes), reasons: reasons}
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
	out.w = ipc.NewWriter(w, ipc.WithSchema(out.schema))
	return out
}

// Write writes results as one record batch.
func (w *Writer) Write(results []Result) error {
	b := array.NewRecordBuilder(memory.DefaultAllocator, w.schema)
	defer b.Release()
	b.Reserve(len(results))
	next := 0
	column := func() array.Builder {
		next++
		return b.Field(next - 1)
	}
	nullable := func(bad bool, of func(r *Result) string) {
		c := column().(*array.StringBuilder)
		for i := range results {
			if r := &results[i]; (r.Error != "") == bad {
				c.Append(of(r))
			} else {
				c.AppendNull()
			}
		}
	}
	numbers := func(of func(r *Result) float64) {
		c := column().(*array.Float64Builder)
		for i := range results {
			if r := &results[i]; r.Error == "" {
				c.UnsafeAppend(of(r))
			} else {
				c.UnsafeAppendBoolToBitmap(false)
			}
		}
	}
	nullable(false, func(r *Result) string { return r.ID })
	numbers(func(r *Result) float64 { return r.Score })
	if w.decides {
		nullable(false, func(r *Result) string { return r.Decision })
	}
	for k := range w.classes {
		numbers(func(r *Result) float64 { return r.Scores[k] })
	}
	if w.reasons {
		appendReasons(column().(*array.ListBuilder), results)
	}
	nullable(false, func(r *Result) string { return r.Model })
	nullable(true, func(r *Result) string { return r.Error })
	batch := b.NewRecordBatch()
	defer batch.Release()
	return w.w.Write(batch)
}

// Close writes the end of the stream.
func (w *Writer) Close() error { return w.w.Close() }

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
