package columns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// ErrTooLarge says that a message of a stream is larger than may be.
var ErrTooLarge = errors.New("a record batch is too large")

// ErrRead wraps what the source of a stream failed with, to keep it apart from
// what is wrong with the stream.
var ErrRead = errors.New("the stream could not be read")

// maxMeta bounds what stands around the values of a message: of a schema, names
// and types.
const maxMeta = 1 << 20

// MaxRows bounds the rows of a record batch.
const MaxRows = 1 << 20

// Reader reads the record batches of an Arrow IPC stream from a stranger.
type Reader struct {
	in     messages
	stream *ipc.Reader
}

// NewReader reads a stream's schema. No message's body may have more than most
// bytes. The errors are ErrRead, ErrTooLarge, or say what is wrong with the
// stream, in words for its sender.
func NewReader(r io.Reader, most int64) (*Reader, error) {
	out := &Reader{in: messages{r: r, most: most}}
	var err error
	if out.stream, err = ipc.NewReaderFromMessageReader(&out.in); err != nil {
		return nil, out.in.problem(err)
	}
	return out, nil
}

// Schema returns the stream's schema. Its columns are flat.
func (r *Reader) Schema() *arrow.Schema { return r.stream.Schema() }

// Next returns the next record batch, which is valid until the next call. The
// error is io.EOF at the end of the stream; others are as of [NewReader].
func (r *Reader) Next() (batch arrow.RecordBatch, err error) {
	defer func() {
		if p := recover(); p != nil { // the format is foreign; its reader trusts it here and there
			batch, err = nil, errDamaged
		}
	}()
	if !r.stream.Next() {
		if err := r.in.problem(r.stream.Err()); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	batch = r.stream.RecordBatch()
	if n := batch.NumRows(); n < 0 || n > MaxRows {
		return nil, fmt.Errorf("%w: it has %d rows, and at most %d are taken; write smaller ones", ErrTooLarge, n, MaxRows)
	}
	for _, c := range batch.Columns() {
		if int64(c.Len()) != batch.NumRows() {
			return nil, errDamaged
		}
	}
	return batch, nil
}

// Bytes returns the size of the newest message's body.
func (r *Reader) Bytes() int64 { return int64(len(r.in.body)) }

var errDamaged = errors.New("the Arrow stream is damaged")

// messages takes a stream apart.
type messages struct {
	r     io.Reader
	most  int64
	err   error // the first that is ours
	body  []byte
	began bool
}

func (m *messages) Retain()  {}
func (m *messages) Release() {}

// problem is err in words that name what this package found, or damaged.
func (m *messages) problem(err error) error {
	switch {
	case m.err != nil && m.err != io.EOF:
		return m.err
	case err != nil:
		return errDamaged
	}
	return nil
}

// Message is [ipc.MessageReader]'s.
func (m *messages) Message() (*ipc.Message, error) {
	msg, err := m.next()
	if err != nil && m.err == nil {
		m.err = err
	}
	return msg, err
}

func (m *messages) next() (msg *ipc.Message, err error) {
	defer func() {
		if p := recover(); p != nil {
			msg, err = nil, errDamaged
		}
	}()
	var prefix [4]byte
	if _, err := io.ReadFull(m.r, prefix[:]); err == io.EOF && m.began {
		return nil, io.EOF // without a word at the end, as old writers do
	} else if err != nil {
		return nil, m.cut(err)
	}
	m.began = true
	length := binary.LittleEndian.Uint32(prefix[:])
	if length == 0xffffffff {
		if _, err := io.ReadFull(m.r, prefix[:]); err != nil {
			return nil, m.cut(err)
		}
		length = binary.LittleEndian.Uint32(prefix[:])
	}
	switch {
	case length == 0:
		return nil, io.EOF
	case string(prefix[:]) == "ARRO":
		return nil, errors.New("this is an Arrow file, and a stream is taken: write it with pyarrow.ipc.new_stream or the like")
	case length > maxMeta:
		return nil, errors.New("the body is not an Arrow stream")
	}
	meta, err := read(m.r, nil, int64(length))
	if err != nil {
		return nil, m.cut(err)
	}
	size, err := check(meta)
	switch {
	case err != nil:
		return nil, err
	case size < 0:
		return nil, errDamaged
	case size > m.most:
		return nil, fmt.Errorf("%w: it has %d bytes, and at most %d are taken; write smaller ones (pyarrow: max_chunksize)", ErrTooLarge, size, m.most)
	}
	// A body is not used again: dictionaries outlive the batches that follow them.
	if m.body, err = read(m.r, nil, size); err != nil {
		return nil, m.cut(err)
	}
	return ipc.NewMessage(memory.NewBufferBytes(meta), memory.NewBufferBytes(m.body)), nil
}

// cut is a stream that ended in a message, or whose source failed.
func (m *messages) cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF && !errors.Is(err, ErrRead) {
		return errors.New("the Arrow stream ends in the middle of a message")
	}
	return fmt.Errorf("%w: %w", ErrRead, err)
}

// read reads n bytes; what is announced costs no memory before it comes.
func read(r io.Reader, b []byte, n int64) ([]byte, error) {
	b = slices.Grow(b[:0], int(min(n, 1<<20)))
	for int64(len(b)) < n {
		if len(b) == cap(b) {
			b = slices.Grow(b, int(min(n-int64(len(b)), int64(len(b)))))
		}
		to := b[len(b):int(min(int64(cap(b)), n))]
		k, err := io.ReadFull(r, to)
		b = b[:len(b)+k]
		if err != nil {
			if err == io.EOF && len(b) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return b, nil
}
