package columns_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/columns"
)

func bound(x float64) *float64 { return &x }

var contract = data.Contract{Fields: []data.Field{
	{Name: "id", Kind: data.Number, Role: data.ID, Integer: true},
	{Name: "income", Kind: data.Number, Role: data.Feature, Required: true, Min: bound(0), Max: bound(1e6)},
	{Name: "ratio", Kind: data.Number, Role: data.Feature, Infinite: true},
	{Name: "job", Kind: data.Category, Role: data.Feature, Categories: []string{"a \"quoted\" one", "fixed", "straße"}},
	{Name: "level", Kind: data.Category, Role: data.Feature, Categories: []string{"0", "1", "2.5"}},
	{Name: "owner", Kind: data.Category, Role: data.Feature, Categories: []string{"false", "true"}},
	{Name: "since", Kind: data.Time, Role: data.Feature},
	{Name: "age", Kind: data.Number, Role: data.Protected},
	{Name: "branch", Kind: data.Text, Role: data.Group},
	{Name: "notes", Kind: data.Text, Role: data.Excluded, Why: "text"},
	{Name: "status", Kind: data.Category, Role: data.Target, Categories: []string{"bad", "good"}},
}}

func layout(t testing.TB) *bundle.Layout {
	t.Helper()
	l, err := bundle.NewLayout(&contract)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// columnTypes are what a column may come as.
var columnTypes = []arrow.DataType{
	arrow.PrimitiveTypes.Float64, arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int8,
	arrow.PrimitiveTypes.Uint64, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint8, arrow.BinaryTypes.String, arrow.BinaryTypes.LargeString,
	arrow.FixedWidthTypes.Boolean, arrow.FixedWidthTypes.Timestamp_s, arrow.FixedWidthTypes.Timestamp_ns, &arrow.TimestampType{Unit: arrow.Microsecond},
	arrow.FixedWidthTypes.Date32, arrow.FixedWidthTypes.Date64, arrow.Null,
	&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String},
}

// texts are what a random text may be.
var texts = []string{"", "fixed", "a \"quoted\" one", "straße", "pirate", "0", "1.0", "2.5", "true", "2026-01-02", "2026-01-02T03:04:05.000006Z", "\x00\n\\", "bad\xff", "\u2028"}

var numbers = []float64{0, 1, -1, 2.5, 0.1, 1e-300, 1e300, 12345.6789, 0.00005, -0.5, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), 1 << 60, 999999.99}

// add appends a random value.
func add(rng *rand.Rand, b array.Builder) {
	if rng.IntN(6) == 0 {
		b.AppendNull()
		return
	}
	x, text, whole := numbers[rng.IntN(len(numbers))], texts[rng.IntN(len(texts))], rng.IntN(4)
	if rng.IntN(3) == 0 {
		x = rng.NormFloat64() * 1000
	}
	if rng.IntN(5) == 0 {
		whole = int(rng.Uint64())
	}
	switch b := b.(type) {
	case *array.Float64Builder:
		b.Append(x)
	case *array.Float32Builder:
		b.Append(float32(x))
	case *array.Int64Builder:
		b.Append(int64(whole))
	case *array.Int32Builder:
		b.Append(int32(whole))
	case *array.Int16Builder:
		b.Append(int16(whole))
	case *array.Int8Builder:
		b.Append(int8(whole))
	case *array.Uint64Builder:
		b.Append(uint64(whole))
	case *array.Uint32Builder:
		b.Append(uint32(whole))
	case *array.Uint16Builder:
		b.Append(uint16(whole))
	case *array.Uint8Builder:
		b.Append(uint8(whole))
	case *array.StringBuilder:
		b.Append(text)
	case *array.LargeStringBuilder:
		b.Append(text)
	case *array.BooleanBuilder:
		b.Append(whole%2 == 0)
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(rng.Int64N(1e15)))
	case *array.Date32Builder:
		b.Append(arrow.Date32(whole))
	case *array.Date64Builder:
		b.Append(arrow.Date64(int64(whole) / 1000))
	case *array.BinaryDictionaryBuilder:
		if err := b.AppendString(text); err != nil {
			panic(err)
		}
	case *array.NullBuilder:
		b.AppendNull()
	default:
		panic(fmt.Sprintf("%T", b))
	}
}

// stream returns a random stream of some of the contract's columns.
func stream(rng *rand.Rand, batches, rows int) []byte {
	var fields []arrow.Field
	for _, f := range contract.Fields {
		if rng.IntN(5) > 0 {
			t := columnTypes[rng.IntN(len(columnTypes))]
			if f.Name == "income" || f.Name == "ratio" { // else few rows are good
				t = columnTypes[rng.IntN(4)]
			}
			fields = append(fields, arrow.Field{Name: f.Name, Type: t, Nullable: true})
		}
	}
	rng.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	schema := arrow.NewSchema(fields, nil)
	var out bytes.Buffer
	w := ipc.NewWriter(&out, ipc.WithSchema(schema))
	for range batches {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for range rows {
			for k := range fields {
				add(rng, b.Field(k))
			}
		}
		if err := w.Write(b.NewRecordBatch()); err != nil {
			panic(err)
		}
	}
	w.Close()
	return out.Bytes()
}

// checkStream reads a stream and holds every row against what DecodeJSON makes of its
// text.
func checkStream(t *testing.T, l *bundle.Layout, body []byte) (good, bad int) {
	t.Helper()
	r, err := columns.NewReader(bytes.NewReader(body), 1<<20)
	if err != nil {
		return 0, 0
	}
	d, err := columns.NewDecoder(l, &contract, r.Schema())
	if err != nil {
		return 0, 0
	}
	for total := 0; total < 2000; {
		batch, err := r.Next()
		if err != nil || d.SetBatch(batch) != nil {
			return good, bad
		}
		n := min(int(batch.NumRows()), 200) // a short body can say many rows, of long texts each
		b, err := d.Decode(0, n)
		if err != nil {
			return good, bad
		}
		total += n + 1
		for i := range n {
			text := d.AppendJSON(nil, i)
			row := make([]float64, l.Cols())
			extras, err := l.DecodeJSON(row, text, true)
			if (err != nil) != (b.Bad[i] != nil) {
				t.Fatalf("row %d, %s: %v, and of its text %v", i, text, b.Bad[i], err)
			}
			if err != nil {
				bad++
				continue
			}
			good++
			for j, x := range row {
				if math.Float64bits(x) != math.Float64bits(b.Rows.Row(i)[j]) && !(x != x && b.Rows.Row(i)[j] != b.Rows.Row(i)[j]) {
					t.Fatalf("row %d, %s: input %d is %v, and of its text %v", i, text, j, b.Rows.Row(i)[j], x)
				}
			}
			if !reflect.DeepEqual(extras, b.Extras[i]) {
				t.Fatalf("row %d, %s: extras %v, and of its text %v", i, text, b.Extras[i], extras)
			}
		}
	}
	return good, bad
}

// A row is what its text is, whatever types its columns come as.
func TestRowsAreTheirTexts(t *testing.T) {
	t.Parallel()
	l := layout(t)
	good, bad := 0, 0
	for seed := range uint64(300) {
		g, b := checkStream(t, l, stream(rand.New(rand.NewPCG(seed, 1)), 2, 20))
		good, bad = good+g, bad+b
	}
	if good < 300 || bad < 1000 {
		t.Errorf("only %d good rows and %d bad ones", good, bad)
	}
}

func write(t *testing.T, fields []arrow.Field, opts []ipc.Option, fill func(b *array.RecordBuilder)) []byte {
	t.Helper()
	schema := arrow.NewSchema(fields, nil)
	var out bytes.Buffer
	w := ipc.NewWriter(&out, append(opts, ipc.WithSchema(schema))...)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	fill(b)
	if err := w.Write(b.NewRecordBatch()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func readAll(body []byte, most int64) error {
	r, err := columns.NewReader(bytes.NewReader(body), most)
	for err == nil {
		_, err = r.Next()
	}
	return err
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	income := []arrow.Field{{Name: "income", Type: arrow.PrimitiveTypes.Float64}}
	numbers := func(b *array.RecordBuilder) {
		b.Field(0).(*array.Float64Builder).AppendValues(make([]float64, 100), nil)
	}
	plain := write(t, income, nil, numbers)
	if err := readAll(plain, 1<<20); err != io.EOF {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		body       []byte
	}{
		{"nothing", "middle of a message", nil},
		{"JSON", "is not an Arrow stream", []byte(`{"rows":[]}`)},
		{"a file", "this is an Arrow file", []byte("ARROW1\x00\x00...")},
		{"half", "middle of a message", plain[:len(plain)/2]},
		{"compressed", "without compression", write(t, income, []ipc.Option{ipc.WithZstd()}, numbers)},
		{"nested", `column "x" is of a type`, write(t, []arrow.Field{{Name: "x", Type: arrow.ListOf(arrow.PrimitiveTypes.Int8)}}, nil, func(b *array.RecordBuilder) { b.Field(0).AppendNull() })},
		{"of bytes", `column "x" is of a type`, write(t, []arrow.Field{{Name: "x", Type: arrow.BinaryTypes.Binary}}, nil, func(b *array.RecordBuilder) { b.Field(0).AppendNull() })},
	} {
		if err := readAll(c.body, 1<<20); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if err := readAll(plain, 500); !errors.Is(err, columns.ErrTooLarge) {
		t.Errorf("a large batch: %v", err)
	}
	for _, names := range [][]string{{"income", "income"}, {"incme"}} {
		var fields []arrow.Field
		for _, n := range names {
			fields = append(fields, arrow.Field{Name: n, Type: arrow.PrimitiveTypes.Float64})
		}
		var field *bundle.FieldError
		if _, err := columns.NewDecoder(layout(t), &contract, arrow.NewSchema(fields, nil)); !errors.As(err, &field) {
			t.Errorf("%v: %v", names, err)
		}
	}
	// Any byte changed, any length: an error or rows that are their texts, and no panic.
	l := layout(t)
	body := stream(rand.New(rand.NewPCG(5, 5)), 1, 3)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range body {
		changed := bytes.Clone(body)
		changed[i] ^= byte(1 << rng.IntN(8))
		checkStream(t, l, changed)
		checkStream(t, l, body[:i])
	}
}

// The texts of numbers are read as the same numbers, with the fewest digits.
func TestNumbersAreTheirTexts(t *testing.T) {
	t.Parallel()
	values := []float64{0, math.Copysign(0, -1), 0.29, -0.29, 1.005, 0.0001, -0.0001, 0.00005, 12.5, 99.9999, -100, 123456.7891, 1e14 + 0.5, 9.99e14, 1e15, 1e21, 1.0 / 3,
		math.MaxFloat64, math.SmallestNonzeroFloat64, math.Nextafter(0.29, 1)}
	rng := rand.New(rand.NewPCG(8, 8))
	for range 20_000 {
		values = append(values, float64(rng.IntN(2e9)-1e9)/1e4, float64(rng.IntN(200)-100)/100, rng.NormFloat64())
	}
	schema := arrow.NewSchema([]arrow.Field{{Name: "income", Type: arrow.PrimitiveTypes.Float64}}, nil)
	record := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	record.Field(0).(*array.Float64Builder).AppendValues(values, nil)
	d, err := columns.NewDecoder(layout(t), &contract, schema)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.SetBatch(record.NewRecordBatch()); err != nil {
		t.Fatal(err)
	}
	for i, x := range values {
		text := strings.TrimSuffix(strings.TrimPrefix(string(d.AppendJSON(nil, i)), `{"income":`), "}")
		shortest := strconv.FormatFloat(x, 'f', -1, 64)
		if y, err := strconv.ParseFloat(text, 64); err != nil || math.Float64bits(y) != math.Float64bits(x) || !strings.ContainsRune(text, 'e') && text != shortest {
			t.Errorf("%v is written as %s (%v)", x, text, err)
		}
	}
}

func TestWriter(t *testing.T) {
	t.Parallel()
	b := &bundle.Bundle{Manifest: bundle.Manifest{Task: bundle.Multiclass}, Model: bundle.Model{Decision: bundle.Decision{Classes: []string{"hi", "lo"}}}}
	var out bytes.Buffer
	w := columns.NewWriter(&out, b, "3", true)
	reasons := []bundle.Reason{{Column: "x", Value: 1.5, Contribution: 0.25, Text: "x: 1.5"}, {Column: "y"}}
	if err := w.Write([]columns.Result{{ID: "1", Score: 0.5, Decision: "hi", Scores: []float64{0.5, 0.25}, Reasons: reasons, Model: "3"}, {Error: "row 1 is bad"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := ipc.NewReader(&out)
	if err != nil || !r.Next() {
		t.Fatal(err)
	}
	got, err := r.RecordBatch().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"decision":"hi","error":null,"id":"1","model":"3","reasons":[{"column":"x","contribution":0.25,"text":"x: 1.5","value":"1.5"},` +
		`{"column":"y","contribution":0,"text":"","value":null}],"score":0.5,"score_hi":0.5,"score_lo":0.25}
,{"decision":null,"error":"row 1 is bad","id":null,"model":null,"reasons":null,"score":null,"score_hi":null,"score_lo":null}
]`
	if string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// FuzzStream reads any bytes: no panic, and rows are their texts.
func FuzzStream(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(stream(rand.New(rand.NewPCG(seed, 2)), 2, 3))
	}
	l := layout(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		checkStream(t, l, body)
	})
}
