package columns

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The description of a message is a FlatBuffers table. Its parts refer to each
// other by offsets, so that a short text can describe a tree without end, or a
// thousand columns of one long name. This looks at what package arrow would follow
// or copy, and no further. The numbers are those of the format's definition:
// Schema.fbs and Message.fbs of Apache Arrow.

// The kinds of message.
const (
	messageSchema     = 1
	messageDictionary = 2
	messageBatch      = 3
)

// types are the types of columns that are taken, by their numbers.
var types = map[byte]bool{1: true /* null */, 2: true /* int */, 3: true /* float */, 5: true /* utf8 */, 6: true, /* bool */
	8: true /* date */, typeTimestamp: true, 20: true /* large utf8 */}

const typeTimestamp = 10

// check looks at a message's description and returns the size of its body. It
// panics on what is damaged.
func check(meta []byte) (size int64, err error) {
	root := table{meta, int(binary.LittleEndian.Uint32(meta))}
	if at := root.slot(3); at > 0 {
		size = int64(binary.LittleEndian.Uint64(meta[at:]))
	}
	kind := root.byte(1)
	header, ok := root.table(2)
	if !ok {
		return 0, errDamaged
	}
	switch kind {
	case messageSchema:
		return size, checkSchema(header)
	case messageDictionary:
		if header.byte(2) != 0 {
			return 0, errors.New("dictionaries that grow by deltas are not taken: write whole ones")
		}
		if header, ok = header.table(1); !ok {
			return 0, errDamaged
		}
		fallthrough
	case messageBatch:
		if _, packed := header.table(3); packed {
			return 0, errors.New("compressed record batches are not taken: write them without compression")
		}
		return size, nil
	}
	return 0, errDamaged
}

func checkSchema(s table) error {
	texts := s.pairs(2)
	at, n := s.vector(1)
	for i := range n {
		f := s.follow(at + 4*i)
		name := f.text(0)
		texts += len(name) + f.pairs(6)
		if _, children := f.vector(5); children > 0 || !types[f.byte(2)] {
			return fmt.Errorf("column %q is of a type that is not taken: make it a number, a text, a dictionary of texts, a boolean, a timestamp or a date", clip(string(name)))
		}
		if of, ok := f.table(3); ok && f.byte(2) == typeTimestamp {
			texts += len(of.text(1))
		}
		if texts > 2*len(s.b) { // far more than was sent
			return errDamaged
		}
	}
	return nil
}

// table is a table of a FlatBuffers text, as its place in it. The methods panic
// on offsets that lead out of it.
type table struct {
	b  []byte
	at int
}

// slot returns where the n-th member stands, 0 if it is left out.
func (t table) slot(n int) int {
	index := t.at - int(int32(binary.LittleEndian.Uint32(t.b[t.at:])))
	if size := int(binary.LittleEndian.Uint16(t.b[index:])); 4+2*n >= size { // as the library has it, also of odd sizes
		return 0
	}
	at := int(binary.LittleEndian.Uint16(t.b[index+4+2*n:]))
	if at == 0 {
		return 0
	}
	return t.at + at
}

// follow returns the table that the offset at a place leads to.
func (t table) follow(at int) table {
	return table{t.b, at + int(binary.LittleEndian.Uint32(t.b[at:]))}
}

func (t table) table(n int) (table, bool) {
	at := t.slot(n)
	if at == 0 {
		return table{}, false
	}
	return t.follow(at), true
}

func (t table) byte(n int) byte {
	if at := t.slot(n); at > 0 {
		return t.b[at]
	}
	return 0
}

// vector returns where a vector's elements begin, and how many there are. There
// is room for their offsets.
func (t table) vector(n int) (at, length int) {
	v, ok := t.table(n)
	if !ok {
		return 0, 0
	}
	length = int(binary.LittleEndian.Uint32(v.b[v.at:]))
	if length > len(v.b)/4 {
		panic(errDamaged)
	}
	return v.at + 4, length
}

func (t table) text(n int) []byte {
	s, ok := t.table(n)
	if !ok {
		return nil
	}
	length := int(binary.LittleEndian.Uint32(s.b[s.at:]))
	return s.b[s.at+4:][:length]
}

// pairs returns the length of all texts of a vector of keys and values.
func (t table) pairs(n int) (size int) {
	at, length := t.vector(n)
	for i := range length {
		p := t.follow(at + 4*i)
		if size += len(p.text(0)) + len(p.text(1)); size > 2*len(t.b) {
			panic(errDamaged)
		}
	}
	return size
}

// clip shortens a name that a caller chose.
func clip(name string) string {
	const most = 64
	if len(name) <= most {
		return name
	}
	return name[:most] + "…"
}
