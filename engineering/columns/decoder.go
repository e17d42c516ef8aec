package columns

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
)

// Decoder encodes the rows of record batches of one schema under one contract.
// It is not safe for concurrent use.
type Decoder struct {
	layout  *bundle.Layout
	schema  *arrow.Schema
	fields  []*data.Field // per column of the schema
	inputs  []int         // per column: its place in an encoded row, or -1
	names   []string      // per column: as JSON writes it, between a comma and a colon
	columns []column      // of the batch
	text    []byte
}

// column is how the values of a batch's column are taken.
type column struct {
	absent func(i int) bool
	json   func(b []byte, i int) []byte
	fill   func(block *Block, from int)

	doubles []float64      // of a column of float64: its values, for which absent and json need no call
	nulls   *array.Float64 // where doubles has nulls, else nil
}

// NewDecoder returns a decoder, or an error that names a column of the schema
// that the contract does not know, or that occurs twice.
func NewDecoder(l *bundle.Layout, c *data.Contract, s *arrow.Schema) (*Decoder, error) {
	d := &Decoder{layout: l, schema: s}
	seen := make(map[string]bool)
	for _, f := range s.Fields() {
		switch {
		case seen[f.Name]:
			return nil, &bundle.FieldError{Field: f.Name, Rule: "occurs twice"}
		case c.Field(f.Name) == nil:
			return nil, &bundle.FieldError{Field: f.Name, Rule: "is not a field of this model"}
		}
		seen[f.Name] = true
		quoted, err := json.Marshal(f.Name)
		if err != nil {
			return nil, err
		}
		d.fields, d.inputs, d.names = append(d.fields, c.Field(f.Name)), append(d.inputs, l.Input(f.Name)), append(d.names, ","+string(quoted)+":")
	}
	d.columns = make([]column, len(d.fields))
	return d, nil
}

// Block is rows of a batch.
type Block struct {
	Rows   bundle.Rows
	Extras []bundle.Extras // per row
	Bad    []error         // per row: what [bundle.Layout.DecodeJSON] says of it, else nil

	slow []bool // rows that DecodeJSON has to look at
}

// SetBatch says whose rows are decoded. The error says what is wrong with the
// batch as a whole.
func (d *Decoder) SetBatch(batch arrow.RecordBatch) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errDamaged
		}
	}()
	if int(batch.NumCols()) != len(d.fields) {
		return errDamaged
	}
	for k := range d.columns {
		c, ok := d.column(batch.Column(k), d.fields[k], d.inputs[k])
		if !ok {
			return fmt.Errorf("column %q is of a type that is not taken: %s", clip(d.fields[k].Name), batch.Column(k).DataType().Name())
		}
		d.columns[k] = c
	}
	return nil
}

// Decode encodes n rows of the batch from one on. With strict extras and errors
// it does what [bundle.Layout.DecodeJSON] does of each row's JSON.
func (d *Decoder) Decode(from, n int) (b *Block, err error) {
	defer func() {
		if p := recover(); p != nil { // values that point out of their column
			b, err = nil, errDamaged
		}
	}()
	cols := d.layout.Cols()
	b = &Block{Rows: bundle.Rows{N: n, Cols: cols, Data: make([]float64, n*cols)}, Extras: make([]bundle.Extras, n), Bad: make([]error, n), slow: make([]bool, n)}
	for i := range b.Rows.Data {
		b.Rows.Data[i] = math.NaN()
	}
	for k := range d.columns {
		d.columns[k].fill(b, from)
	}
	for j, f := range d.layout.Fields() {
		if !f.Required {
			continue
		}
		for i := range n {
			if x := b.Rows.Data[i*cols+j]; x != x {
				b.slow[i] = true
			}
		}
	}
	for i, slow := range b.slow {
		if !slow {
			continue
		}
		d.text = d.AppendJSON(d.text[:0], from+i)
		b.Extras[i], b.Bad[i] = d.layout.DecodeJSON(b.Rows.Row(i), d.text, true)
	}
	return b, nil
}

// AppendJSON appends a row of the batch as a JSON object, without what is
// missing. Of a row that Decode has found bad it may be none.
func (d *Decoder) AppendJSON(b []byte, i int) []byte {
	begin := len(b)
	for k := range d.columns {
		c := &d.columns[k]
		if c.doubles != nil {
			if x := c.doubles[i]; x == x && (c.nulls == nil || c.nulls.IsValid(i)) {
				b = appendNumber(append(b, d.names[k]...), x)
			}
		} else if !c.absent(i) {
			b = c.json(append(b, d.names[k]...), i)
		}
	}
	if len(b) == begin {
		return append(b, "{}"...)
	}
	b[begin] = '{' // in place of the first name's comma
	return append(b, '}')
}

// column makes an array ready to be read as a field of the contract. What a field's kind
// is not made for is left to DecodeJSON, which has the words for it.
func (d *Decoder) column(a arrow.Array, f *data.Field, input int) (column, bool) {
	switch a := a.(type) {
	case *array.Float64:
		c := floats(a.Float64Values(), a, f, d.layout, input)
		if c.doubles = a.Float64Values(); a.NullN() > 0 {
			c.nulls = a
		}
		return c, true
	case *array.Float32:
		return floats(a.Float32Values(), a, f, d.layout, input), true
	case *array.Int64:
		return integers(a.Int64Values(), a, f, d.layout, input), true
	case *array.Int32:
		return integers(a.Int32Values(), a, f, d.layout, input), true
	case *array.Int16:
		return integers(a.Int16Values(), a, f, d.layout, input), true
	case *array.Int8:
		return integers(a.Int8Values(), a, f, d.layout, input), true
	case *array.Uint64:
		return integers(a.Uint64Values(), a, f, d.layout, input), true
	case *array.Uint32:
		return integers(a.Uint32Values(), a, f, d.layout, input), true
	case *array.Uint16:
		return integers(a.Uint16Values(), a, f, d.layout, input), true
	case *array.Uint8:
		return integers(a.Uint8Values(), a, f, d.layout, input), true
	case *array.String:
		return words(a.IsNull, a.Value, nil, f, d.layout, input), true
	case *array.LargeString:
		return words(a.IsNull, a.Value, nil, f, d.layout, input), true
	case *array.Dictionary:
		return dictionary(a, f, d.layout, input)
	case *array.Boolean:
		return strange(a.IsNull, func(b []byte, i int) []byte { return strconv.AppendBool(b, a.Value(i)) }), true
	case *array.Timestamp:
		unit := a.DataType().(*arrow.TimestampType).Unit
		return instants(a.IsNull, func(i int) time.Time { return a.Value(i).ToTime(unit) }, f, input), true
	case *array.Date32:
		return instants(a.IsNull, func(i int) time.Time { return a.Value(i).ToTime() }, f, input), true
	case *array.Date64:
		return instants(a.IsNull, func(i int) time.Time { return a.Value(i).ToTime() }, f, input), true
	case *array.Null:
		return column{absent: func(int) bool { return true }, fill: func(*Block, int) {}}, true
	}
	return column{}, false
}

// strange is a column that DecodeJSON reads whenever there is a value.
func strange(absent func(int) bool, text func([]byte, int) []byte) column {
	return column{absent: absent, json: text, fill: func(b *Block, from int) {
		for i := range b.slow {
			if !absent(from + i) {
				b.slow[i] = true
			}
		}
	}}
}

func floats[T float32 | float64](values []T, a arrow.Array, f *data.Field, l *bundle.Layout, input int) column {
	nulls := a.NullN() > 0
	absent := func(i int) bool { return values[i] != values[i] || nulls && a.IsNull(i) }
	c := numbers(absent, func(i int) float64 { return float64(values[i]) },
		func(b []byte, i int) []byte { return appendNumber(b, float64(values[i])) }, f, l, input)
	if !nulls && f.Role == data.Feature && f.Kind == data.Number {
		// As numbers has it, without calls: most tables are this.
		low, high := bounds(f)
		c.fill = func(b *Block, from int) {
			to, at := b.Rows.Data, input
			for i, v := range values[from:][:len(b.slow)] {
				x := float64(v)
				if x == x {
					to[at] = x
				}
				at += b.Rows.Cols
				if x < low || x > high {
					b.slow[i] = true
				}
			}
		}
	}
	return c
}

// bounds returns between which numbers a field's values are.
func bounds(f *data.Field) (low, high float64) {
	low, high = -math.MaxFloat64, math.MaxFloat64
	if f.Min != nil {
		low = max(low, *f.Min)
	}
	if f.Max != nil {
		high = min(high, *f.Max)
	}
	return low, high
}

func integers[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](values []T, a arrow.Array, f *data.Field, l *bundle.Layout, input int) column {
	nulls := a.NullN() > 0
	absent := func(i int) bool { return nulls && a.IsNull(i) }
	return numbers(absent, func(i int) float64 { return float64(values[i]) },
		func(b []byte, i int) []byte {
			if v := values[i]; v < 0 {
				return strconv.AppendInt(b, int64(v), 10)
			} else {
				return strconv.AppendUint(b, uint64(v), 10)
			}
		}, f, l, input)
}

// numbers is a column of numbers, whose text is that of value.
func numbers(absent func(int) bool, value func(int) float64, text func([]byte, int) []byte, f *data.Field, l *bundle.Layout, input int) column {
	c := strange(absent, text)
	switch {
	case f.Role == data.Target || f.Role == data.Excluded:
		c.fill = func(b *Block, from int) {
			for i := range b.slow {
				if !absent(from+i) && math.IsInf(value(from+i), 0) {
					b.slow[i] = true // JSON has no such number
				}
			}
		}
	case f.Role == data.Feature && f.Kind == data.Number:
		low, high := bounds(f)
		c.fill = func(b *Block, from int) {
			for i := range b.slow {
				if absent(from + i) {
					continue
				}
				x := value(from + i)
				b.Rows.Data[i*b.Rows.Cols+input] = x
				if !(x >= low && x <= high) {
					b.slow[i] = true
				}
			}
		}
	case f.Role == data.Feature && f.Kind == data.Category:
		c.fill = func(b *Block, from int) {
			for i := range b.slow {
				if absent(from + i) {
					continue
				}
				code, err := l.ParseValue(input, value(from+i))
				b.Rows.Data[i*b.Rows.Cols+input] = code
				if err != nil || code == float64(len(f.Categories)) { // of no number, or unseen
					b.slow[i] = true
				}
			}
		}
	case f.Role == data.ID || f.Role == data.Group:
		c.fill = func(b *Block, from int) {
			for i := range b.slow {
				if absent(from + i) {
					continue
				}
				if math.IsInf(value(from+i), 0) {
					b.slow[i] = true
				}
				b.Extras[i].Values = append(b.Extras[i].Values, bundle.Extra{Name: f.Name, Role: f.Role, Value: string(text(nil, from+i))})
			}
		}
	}
	return c.ordered(f)
}

// ordered leaves the order of a row's extras to DecodeJSON where there are
// several.
func (c column) ordered(f *data.Field) column {
	if f.Role != data.ID && f.Role != data.Group {
		return c
	}
	fill := c.fill
	c.fill = func(b *Block, from int) {
		fill(b, from)
		for i := range b.slow {
			if len(b.Extras[i].Values) > 1 {
				b.slow[i] = true
			}
		}
	}
	return c
}

// words is a column of texts; code gives the category of a text's row, nil: the
// text has to be looked up.
func words(absent func(int) bool, value func(int) string, code func(i int) (float64, bool), f *data.Field, l *bundle.Layout, input int) column {
	c := strange(absent, func(b []byte, i int) []byte { return appendText(b, value(i)) })
	switch {
	case f.Role == data.Feature && f.Kind == data.Category:
		if code == nil {
			code = func(i int) (float64, bool) { return category(l, f, input, value(i)) }
		}
		c.fill = func(b *Block, from int) {
			for i := range b.slow {
				if absent(from + i) {
					continue
				}
				x, plain := code(from + i)
				b.Rows.Data[i*b.Rows.Cols+input] = x
				if !plain {
					b.slow[i] = true
				}
			}
		}
	case f.Role == data.ID || f.Role == data.Group:
		c.fill = func(b *Block, from int) {
			for i := range b.slow {
				if absent(from + i) {
					continue
				}
				v := value(from + i)
				if !utf8.ValidString(v) {
					b.slow[i] = true
				}
				b.Extras[i].Values = append(b.Extras[i].Values, bundle.Extra{Name: f.Name, Role: f.Role, Value: string([]byte(v))}) // outlives the batch
			}
		}
	case f.Role == data.Target || f.Role == data.Excluded:
		c.fill = func(b *Block, from int) {
			for i := range b.slow {
				if !absent(from+i) && !utf8.ValidString(value(from+i)) {
					b.slow[i] = true
				}
			}
		}
	}
	return c.ordered(f)
}

// category returns the code of a text; plain is false if there is more to say
// about it: it is empty, or training has not seen it.
func category(l *bundle.Layout, f *data.Field, input int, text string) (code float64, plain bool) {
	if text == "" {
		return 0, false
	}
	code, err := l.ParseValue(input, text)
	return code, err == nil && code != float64(len(f.Categories))
}

// dictionary is a column of texts that are each written once. They are looked up once,
// too.
func dictionary(a *array.Dictionary, f *data.Field, l *bundle.Layout, input int) (column, bool) {
	var value func(int) string
	switch of := a.Dictionary().(type) {
	case *array.String:
		value = of.Value
	case *array.LargeString:
		value = of.Value
	default:
		return column{}, false
	}
	null := a.Dictionary().IsNull
	absent := func(i int) bool { return a.IsNull(i) || null(a.GetValueIndex(i)) }
	var code func(int) (float64, bool)
	if n := a.Dictionary().Len(); f.Role == data.Feature && f.Kind == data.Category && n <= a.Len() {
		codes, plain := make([]float64, n), make([]bool, n)
		for k := range n {
			if !null(k) {
				codes[k], plain[k] = category(l, f, input, value(k))
			}
		}
		code = func(i int) (float64, bool) {
			k := a.GetValueIndex(i)
			return codes[k], plain[k]
		}
	}
	return words(absent, func(i int) string { return value(a.GetValueIndex(i)) }, code, f, l, input), true
}

// instants is a column of times.
func instants(absent func(int) bool, value func(int) time.Time, f *data.Field, input int) column {
	c := strange(absent, func(b []byte, i int) []byte {
		return appendText(b, data.FormatTime(value(i).UnixMicro()))
	})
	if f.Role == data.Feature && f.Kind == data.Time {
		c.fill = func(b *Block, from int) {
			for i := range b.slow {
				if absent(from + i) {
					continue
				}
				t := value(from + i)
				b.Rows.Data[i*b.Rows.Cols+input] = float64(t.UnixMicro())
				if year := t.UTC().Year(); year < 1 || year > 9999 { // what a text can say
					b.slow[i] = true
				}
			}
		}
	}
	return c
}

// appendNumber appends a number so that it is read as the same; an infinity as what
// no reader takes.
func appendNumber(b []byte, x float64) []byte {
	// Most numbers of tables have few decimals. If n over ten thousand is x after one
	// rounding, so is what a reader makes of its digits.
	if n := int64(math.RoundToEven(x * 1e4)); n > -1e15 && n < 1e15 && n != 0 && float64(n)/1e4 == x {
		if n < 0 {
			b, n = append(b, '-'), -n
		}
		whole, part := uint64(n)/1e4, uint64(n)%1e4
		if whole < 10 {
			b = append(b, byte('0'+whole))
		} else {
			b = strconv.AppendUint(b, whole, 10)
		}
		if part == 0 {
			return b
		}
		high, low := part/100, part%100
		b = append(b, '.', byte('0'+high/10), byte('0'+high%10))
		if low > 0 {
			b = append(b, byte('0'+low/10), byte('0'+low%10))
		}
		if b[len(b)-1] == '0' { // the only one: high and low are not both 0
			b = b[:len(b)-1]
		}
		return b
	}
	return strconv.AppendFloat(b, x, 'g', -1, 64)
}

// appendText appends a JSON string. Bytes that are no UTF-8 stay as they are, for
// DecodeJSON to find.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		if c == '"' || c == '\\' {
			b = append(b, '\\', c)
		} else {
			const hex = "0123456789abcdef"
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(b, s[from:]...), '"')
}
