package foreign

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Universal Binary JSON, draft 12 (ubjson.org): a value is a marker and its
// bytes, numbers big-endian; a container may say its elements' type ($) and
// number (#) at its head. XGBoost writes texts, numbers, objects, counted arrays
// and typed arrays of numbers.

// maxNesting is how deep a UBJSON document may nest.
const maxNesting = 32

// isUBJ reports whether a document that begins with { is UBJSON: a name follows
// as a length, where JSON has a quotation mark.
func isUBJ(src []byte) bool {
	if len(src) < 2 || src[0] != '{' {
		return false
	}
	switch src[1] {
	case 'i', 'U', 'I', 'l', 'L', '$', '#':
		return true
	}
	return false
}

var errCut = fmt.Errorf("is cut off")

// sizeUBJ returns the bytes of a number of that type; 0 if it is none.
func sizeUBJ(marker byte) int {
	switch marker {
	case 'i', 'U', 'C':
		return 1
	case 'I':
		return 2
	case 'l', 'd':
		return 4
	case 'L', 'D':
		return 8
	}
	return 0
}

// numberUBJ reads a number of that type, and returns its length.
func numberUBJ(marker byte, src []byte) (float64, int, error) {
	n := sizeUBJ(marker)
	switch {
	case marker == 'T':
		return 1, 0, nil
	case marker == 'F':
		return 0, 0, nil
	case n == 0 || marker == 'C':
		return 0, 0, fmt.Errorf("is not a number (type %q)", marker)
	case len(src) < n:
		return 0, 0, errCut
	}
	var x float64
	switch be := binary.BigEndian; marker {
	case 'i':
		x = float64(int8(src[0]))
	case 'U':
		x = float64(src[0])
	case 'I':
		x = float64(int16(be.Uint16(src)))
	case 'l':
		x = float64(int32(be.Uint32(src)))
	case 'L':
		x = float64(int64(be.Uint64(src)))
	case 'd':
		x = float64(math.Float32frombits(be.Uint32(src)))
	case 'D':
		x = math.Float64frombits(be.Uint64(src))
	}
	if x != x {
		return 0, 0, fmt.Errorf("is NaN, not a number")
	}
	return x, n, nil
}

// countUBJ reads a length: a number type and a number that the rest of the
// file could hold as so many bytes.
func countUBJ(src []byte) (count, n int, err error) {
	if len(src) == 0 {
		return 0, 0, errCut
	}
	if m := src[0]; m == 'd' || m == 'D' {
		return 0, 0, fmt.Errorf("a length is of type %q", m)
	}
	x, n, err := numberUBJ(src[0], src[1:])
	switch {
	case err != nil:
		return 0, 0, err
	case x < 0 || x > float64(len(src)-1-n):
		return 0, 0, fmt.Errorf("a length of %g, where %d bytes are left", x, len(src)-1-n)
	}
	return int(x), 1 + n, nil
}

// headInfo is the head of a container.
type headInfo struct {
	kind  byte // { or [
	typed byte // type of the elements; 0: each has its own
	count int  // -1: up to the closing bracket
	size  int  // of the head
}

func headUBJ(src []byte) (headInfo, error) {
	h := headInfo{count: -1, size: 1}
	if len(src) == 0 {
		return h, errCut
	}
	if h.kind = src[0]; h.kind != '{' && h.kind != '[' {
		return h, fmt.Errorf("is neither object nor array")
	}
	rest := src[1:]
	if len(rest) > 1 && rest[0] == '$' {
		h.typed = rest[1]
		if sizeUBJ(h.typed) == 0 {
			return h, fmt.Errorf("elements of type %q are not known", h.typed)
		}
		rest = rest[2:]
		h.size += 2
		if len(rest) == 0 || rest[0] != '#' {
			return h, fmt.Errorf("a typed container has no count")
		}
	}
	if len(rest) > 0 && rest[0] == '#' {
		count, n, err := countUBJ(rest[1:])
		if err != nil {
			return h, err
		}
		h.count = count
		h.size += 1 + n
		if h.typed != 0 && count > (len(src)-h.size)/sizeUBJ(h.typed) {
			return h, errCut
		}
	}
	return h, nil
}

// skipUBJ returns the length of the value at the beginning of src.
func skipUBJ(src []byte, depth int) (int, error) {
	if len(src) == 0 {
		return 0, errCut
	}
	switch m := src[0]; m {
	case 'Z', 'T', 'F', 'N':
		return 1, nil
	case 'S', 'H':
		count, n, err := countUBJ(src[1:])
		return 1 + n + count, err
	case '{', '[':
		if depth >= maxNesting {
			return 0, fmt.Errorf("nests deeper than %d", maxNesting)
		}
		n := 0
		err := walkUBJ(src, func(_ string, at []byte, typed byte) (int, error) {
			if typed != 0 {
				return sizeUBJ(typed), nil
			}
			return skipUBJ(at, depth+1)
		}, &n)
		return n, err
	default:
		size := sizeUBJ(m)
		if size == 0 {
			return 0, fmt.Errorf("type %q is not known", m)
		}
		if len(src) < 1+size {
			return 0, errCut
		}
		return 1 + size, nil
	}
}

// walkUBJ calls f with every member of the container at the beginning of src:
// its name in an object, the bytes from its value on, and its type if the head
// says it. f returns the length of the value. The container's length is left in
// size, if it is not nil.
func walkUBJ(src []byte, f func(name string, at []byte, typed byte) (int, error), size *int) error {
	h, err := headUBJ(src)
	if err != nil {
		return err
	}
	at := h.size
	closing := byte(']')
	if h.kind == '{' {
		closing = '}'
	}
	if h.kind == '[' && h.typed != 0 && size != nil { // numbers need no walk to be skipped
		*size = at + h.count*sizeUBJ(h.typed)
		return nil
	}
	for i := 0; h.count < 0 || i < h.count; i++ {
		if at >= len(src) {
			return errCut
		}
		if h.count < 0 && src[at] == closing {
			at++
			break
		}
		name := ""
		if h.kind == '{' {
			count, n, err := countUBJ(src[at:])
			if err != nil {
				return err
			}
			if at += n; size == nil {
				name = string(src[at : at+count])
			}
			at += count
		}
		n, err := f(name, src[at:], h.typed)
		if err != nil {
			return err
		}
		if at += n; at > len(src) {
			return errCut
		}
	}
	if size != nil {
		*size = at
	}
	return nil
}

func (v value) objectUBJ(f func(name string, v value) error) error {
	if v.src[0] != '{' {
		return fmt.Errorf("is not an object")
	}
	return walkUBJ(v.src, func(name string, at []byte, typed byte) (int, error) {
		if typed != 0 {
			return 0, fmt.Errorf("%s: an object of typed values is not known", clip(name))
		}
		if err := f(name, value{at, true}); err != nil {
			return 0, fmt.Errorf("%s: %w", clip(name), err)
		}
		return skipUBJ(at, 0)
	}, nil)
}

func (v value) arrayUBJ(f func(i int, v value) error) error {
	if v.src[0] != '[' {
		return fmt.Errorf("is not an array")
	}
	i := 0
	return walkUBJ(v.src, func(_ string, at []byte, typed byte) (int, error) {
		if typed != 0 {
			return 0, fmt.Errorf("an array of numbers, where others are needed")
		}
		if err := f(i, value{at, true}); err != nil {
			return 0, fmt.Errorf("element %d: %w", i, err)
		}
		i++
		return skipUBJ(at, 0)
	}, nil)
}

func (v value) numbersUBJ(f func(i int, x float64) error) error {
	if v.src[0] != '[' {
		return fmt.Errorf("is not an array")
	}
	i := 0
	return walkUBJ(v.src, func(_ string, at []byte, typed byte) (int, error) {
		head := 0
		if typed == 0 {
			if len(at) == 0 {
				return 0, errCut
			}
			typed, head = at[0], 1
		}
		x, n, err := numberUBJ(typed, at[head:])
		if err == nil {
			err = f(i, x)
		}
		if err != nil {
			return 0, fmt.Errorf("element %d: %w", i, err)
		}
		i++
		return head + n, nil
	}, nil)
}

func (v value) textUBJ() (string, error) {
	if v.src[0] != 'S' {
		return "", fmt.Errorf("is not a text")
	}
	count, n, err := countUBJ(v.src[1:])
	if err != nil {
		return "", err
	}
	return string(v.src[1+n : 1+n+count]), nil
}
