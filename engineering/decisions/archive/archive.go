// Package archive rolls a decision log into Parquet files, for analysis by
// whatever reads Parquet.
//
// # Main idea
//
// A folder mirrors a log: one file a segment, 00000001.parquet for 00000001.seg,
// one row a decision, with what is known by now. The log stays the truth, and
// every file can be made again from it. A file says in its metadata which segment
// it was made of and in which state that was, so [Roll] writes only what is
// missing or what has changed since by an outcome or an erasure, and goes on where
// a process that ended left off. A file is written beside and renamed; nobody sees
// half of one. Of a segment that the log has removed the file is removed as well,
// so that the folder never tells more than the log.
//
// It is a room of its own because a scorer, which links the log, should not link
// Parquet.
package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/decisions"
)

// Options are the settings of [Roll].
type Options struct {
	// Open takes in the segment that is still being written, too. Its file is
	// written anew each time something was added.
	Open bool
}

// Result says what [Roll] did.
type Result struct {
	Files   int   `json:"files"`   // that the folder holds now
	Written int   `json:"written"` // of these, new or anew
	Removed int   `json:"removed"`
	Rows    int64 `json:"rows"` // of the files written
}

// The keys of a file's metadata.
const (
	keyStart = "tandem.start" // link of the record before the segment
	keyState = "tandem.state" // of the segment when it was read
)

// schema is the form of every file.
var schema = arrow.NewSchema([]arrow.Field{
	{Name: "record", Type: arrow.PrimitiveTypes.Int64},
	{Name: "id", Type: arrow.BinaryTypes.String},
	{Name: "time", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}},
	{Name: "erased", Type: arrow.FixedWidthTypes.Boolean},
	{Name: "project", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "model", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "bundle", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "request_id", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "key", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "score", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "margin", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "decision", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "reasons", Type: arrow.BinaryTypes.String, Nullable: true}, // JSON
	{Name: "inputs", Type: arrow.BinaryTypes.String, Nullable: true},  // JSON
	{Name: "outcome", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "outcome_at", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, Nullable: true},
}, nil)

// A group of rows is written when it has this many rows or bytes of text, which
// bounds the memory.
const (
	groupRows  = 16384
	groupBytes = 32 << 20
)

// leftover is the age from which a file that nobody finished is swept away.
const leftover = time.Hour

var fileName = regexp.MustCompile(`^([0-9]{8,10})\.parquet$`)

func path(dir string, segment uint32) string {
	return filepath.Join(dir, fmt.Sprintf("%08d.parquet", segment))
}

// Roll makes the folder mirror the log. It makes the folder if there is none, and
// leaves files that are named otherwise alone. A file that was made of another
// log is an error, and then nothing is changed. It stops when ctx ends: what was
// written is whole, and the next Roll does the rest.
func Roll(ctx context.Context, log *decisions.Log, dir string, opt Options) (Result, error) {
	r, err := roll(ctx, log, dir, opt)
	if err != nil {
		err = fmt.Errorf("roll the decision log into %s: %w", dir, err)
	}
	return r, err
}

func roll(ctx context.Context, log *decisions.Log, dir string, opt Options) (Result, error) {
	var result Result
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return result, err
	}
	there, err := contents(dir)
	if err != nil {
		return result, err
	}
	segments := log.Segments()
	for _, s := range segments {
		if was, ok := there[s.Number]; ok && was.start != "" && was.start != s.Start.String() {
			return result, data.WithHint(fmt.Errorf("%s was made of another decision log", path(dir, s.Number)), "name another folder")
		}
	}
	for number := range there {
		if number >= segments[0].Number && number <= segments[len(segments)-1].Number {
			continue
		}
		if err := os.Remove(path(dir, number)); err != nil {
			return result, err
		}
		result.Removed++
	}
	for _, s := range segments {
		was, ok := there[s.Number]
		if !s.Closed && !opt.Open && !ok || s.Decisions == 0 {
			continue
		}
		if was.state != state(s) { // also of the open one, if it has a file: it must not tell what was erased
			rows, err := write(ctx, log, dir, s)
			if errors.Is(err, decisions.ErrUnknown) {
				continue // removed meanwhile
			}
			if err != nil {
				return result, err
			}
			result.Written++
			result.Rows += rows
		}
		result.Files++
	}
	if result.Written+result.Removed > 0 {
		return result, syncDir(dir)
	}
	return result, nil
}

// state is a segment's state as a file's metadata says it.
func state(s decisions.Segment) string { return fmt.Sprintf("%016x", s.State) }

// made says of what a file was made; empty if that cannot be read.
type made struct{ start, state string }

// contents returns the files of a folder by segment, and sweeps away what was
// never finished.
func contents(dir string) (map[uint32]made, error) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	out := make(map[uint32]made)
	for _, f := range names {
		if old, _ := filepath.Match("*.parquet.*.tmp", f.Name()); old {
			if info, err := f.Info(); err == nil && time.Since(info.ModTime()) > leftover {
				os.Remove(filepath.Join(dir, f.Name())) // or the next time
			}
			continue
		}
		m := fileName.FindStringSubmatch(f.Name())
		if m == nil {
			continue
		}
		number, err := strconv.ParseUint(m[1], 10, 32)
		if err != nil {
			continue
		}
		out[uint32(number)] = metadata(filepath.Join(dir, f.Name()))
	}
	return out, nil
}

// metadata reads of what a file was made. A file that is damaged is written anew.
func metadata(path string) (m made) {
	defer func() {
		if recover() != nil { // the reader trusts a foreign file here and there
			m = made{}
		}
	}()
	r, err := file.OpenParquetFile(path, false)
	if err != nil {
		return made{}
	}
	defer r.Close()
	kv := r.MetaData().KeyValueMetadata()
	value := func(key string) string {
		if v := kv.FindValue(key); v != nil {
			return *v
		}
		return ""
	}
	return made{value(keyStart), value(keyState)}
}

// write writes the file of a segment, and returns its number of rows.
func write(ctx context.Context, log *decisions.Log, dir string, s decisions.Segment) (rows int64, err error) {
	target := path(dir, s.Number)
	f, err := os.CreateTemp(dir, filepath.Base(target)+".*.tmp") // of mode 0600
	if err != nil {
		return 0, err
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	w, err := pqarrow.NewFileWriter(schema, unclosed{f}, parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd)),
		pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		return 0, err
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	n, bytes := 0, 0
	flush := func() error {
		if n == 0 {
			return nil
		}
		batch := b.NewRecordBatch()
		defer batch.Release()
		rows += int64(n)
		n, bytes = 0, 0
		return w.Write(batch)
	}
	err = log.Rows(ctx, s.Number, func(r decisions.Row) error {
		size, err := add(b, &r)
		if err != nil {
			return err
		}
		n++
		if bytes += size; n < groupRows && bytes < groupBytes {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err == nil {
		err = errors.Join(w.AppendKeyValueMetadata(keyStart, s.Start.String()), w.AppendKeyValueMetadata(keyState, state(s)))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	return rows, os.Rename(f.Name(), target)
}

// unclosed keeps the Parquet writer from closing a file that is still to be made
// durable.
type unclosed struct{ f *os.File }

func (u unclosed) Write(b []byte) (int, error) { return u.f.Write(b) }

// add adds a row and returns about how many bytes of text it has.
func add(b *array.RecordBuilder, r *decisions.Row) (int, error) {
	size, column := 0, 0
	next := func() array.Builder { column++; return b.Field(column - 1) }
	text := func(s string, there bool) {
		into := next().(*array.StringBuilder)
		size += len(s)
		if there {
			into.Append(s)
		} else {
			into.AppendNull()
		}
	}
	at := func(t time.Time) { next().(*array.TimestampBuilder).Append(arrow.Timestamp(t.UnixMicro())) }
	number := func(x float64) {
		if into := next().(*array.Float64Builder); r.Erased {
			into.AppendNull()
		} else {
			into.Append(x)
		}
	}

	next().(*array.Int64Builder).Append(int64(r.Number))
	text(r.ID, true)
	at(r.Time)
	next().(*array.BooleanBuilder).Append(r.Erased)
	for _, s := range [...]string{r.Project, r.Model, r.Bundle, r.RequestID, r.Key} {
		text(s, s != "")
	}
	number(r.Score)
	number(r.Margin)
	text(r.Decision.Decision, r.Decision.Decision != "")
	var reasons []byte
	if len(r.Reasons) > 0 {
		var err error
		if reasons, err = json.Marshal(r.Reasons); err != nil {
			return 0, fmt.Errorf("the reasons of decision %s: %w", r.ID, err)
		}
	}
	text(string(reasons), reasons != nil)
	text(string(r.Inputs), len(r.Inputs) > 0)
	if r.Outcome != nil {
		text(r.Outcome.Value, true)
		at(r.Outcome.At)
	} else {
		text("", false)
		next().AppendNull()
	}
	return size, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
