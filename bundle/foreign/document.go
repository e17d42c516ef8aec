package foreign

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// value is a value of a JSON or UBJSON document that has not been read yet:
// the bytes where it stands. Reading on demand keeps what a hostile file can ask
// for down to what the reader wants to know.
type value struct {
	src []byte // from the value's first byte on; JSON: to its last
	ubj bool
}

// document returns the document in src, which is as a whole what it says to
// be: valid JSON, or UBJSON with all counts within the file.
func document(src []byte) (value, error) {
	src = bytes.TrimSpace(src)
	if isUBJ(src) {
		n, err := skipUBJ(src, 0)
		if err == nil && n < len(src) {
			err = fmt.Errorf("%d bytes follow the document", len(src)-n)
		}
		if err != nil {
			return value{}, fmt.Errorf("is not valid UBJSON: %w", err)
		}
		return value{src, true}, nil
	}
	if !json.Valid(src) {
		var v json.RawMessage
		return value{}, fmt.Errorf("is not valid JSON: %w", json.Unmarshal(src, &v))
	}
	return value{src, false}, nil
}

// object calls f with every name and value of an object.
func (v value) object(f func(name string, v value) error) error {
	if v.ubj {
		return v.objectUBJ(f)
	}
	if v.src[0] != '{' {
		return fmt.Errorf("is not an object")
	}
	return v.each(func(at []byte) ([]byte, error) {
		n := skipJSON(at)
		var name string
		if err := json.Unmarshal(at[:n], &name); err != nil {
			return nil, err
		}
		at = trim(trim(at[n:])[1:]) // the colon
		n = skipJSON(at)
		if err := f(name, value{src: at[:n]}); err != nil {
			return nil, fmt.Errorf("%s: %w", clip(name), err)
		}
		return at[n:], nil
	})
}

// array calls f with every element of an array.
func (v value) array(f func(i int, v value) error) error {
	if v.ubj {
		return v.arrayUBJ(f)
	}
	if v.src[0] != '[' {
		return fmt.Errorf("is not an array")
	}
	i := 0
	return v.each(func(at []byte) ([]byte, error) {
		n := skipJSON(at)
		if err := f(i, value{src: at[:n]}); err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		i++
		return at[n:], nil
	})
}

// each walks over the members of a JSON object or array: f is given the bytes
// from a member on, and returns those behind it.
func (v value) each(f func(at []byte) ([]byte, error)) error {
	at := trim(v.src[1:])
	for at[0] != ']' && at[0] != '}' {
		rest, err := f(at)
		if err != nil {
			return err
		}
		if at = trim(rest); at[0] == ',' {
			at = trim(at[1:])
		}
	}
	return nil
}

// has reports whether an object has the name.
func (v value) has(name string) bool {
	found := false
	err := v.object(func(n string, _ value) error {
		found = found || n == name
		return nil
	})
	return err == nil && found
}

// count returns the number of elements of an array.
func (v value) count() (int, error) {
	n := 0
	if v.ubj {
		h, err := headUBJ(v.src)
		if err == nil && h.kind == '[' && h.count >= 0 {
			return h.count, nil
		}
	}
	err := v.array(func(int, value) error { n++; return nil })
	return n, err
}

// numbers calls f with every number of an array, rounded to bits (32 or 64).
func (v value) numbers(bits int, f func(i int, x float64) error) error {
	if v.ubj {
		return v.numbersUBJ(f)
	}
	return v.array(func(i int, e value) error {
		x, err := e.number(bits)
		if err != nil {
			return err
		}
		return f(i, x)
	})
}

// number returns a number, rounded to bits (32 or 64). A text or an array that
// holds a single number is that number: XGBoost writes its settings so.
func (v value) number(bits int) (float64, error) {
	if v.ubj && v.src[0] != 'S' && v.src[0] != '[' {
		x, _, err := numberUBJ(v.src[0], v.src[1:])
		return x, err
	}
	word := v.src
	switch { // XGBoost has written truths as such and as numbers
	case word[0] == 't':
		return 1, nil
	case word[0] == 'f':
		return 0, nil
	}
	if v.ubj || word[0] == '"' {
		s, err := v.text()
		if err != nil {
			return 0, err
		}
		word = bytes.TrimSuffix(bytes.TrimPrefix([]byte(s), []byte("[")), []byte("]"))
	}
	x, err := strconv.ParseFloat(string(word), bits)
	if err != nil || x != x {
		return 0, fmt.Errorf("%q is not a number", clip(string(word)))
	}
	return x, nil
}

// text returns a text.
func (v value) text() (string, error) {
	if v.ubj {
		return v.textUBJ()
	}
	if v.src[0] != '"' {
		return "", fmt.Errorf("is not a text")
	}
	var s string
	err := json.Unmarshal(v.src, &s)
	return s, err
}

// raw returns the bytes of a JSON value.
func (v value) raw() []byte { return v.src }

// skipJSON returns the length of the JSON value at the beginning of src, which
// is known to be valid.
func skipJSON(src []byte) int {
	depth := 0
	for i := 0; i < len(src); i++ {
		switch src[i] {
		case '"':
			for i++; src[i] != '"'; i++ {
				if src[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			depth--
		case ',', ':', ' ', '\n', '\r', '\t':
			if depth == 0 {
				return i
			}
			continue
		default:
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(src)
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\n' || b[0] == '\r' || b[0] == '\t') {
		b = b[1:]
	}
	return b
}

// clip shortens what a hostile file may have made long.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "..."
	}
	return s
}
