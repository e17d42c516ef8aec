package ingest

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/tandem-ml/tandem/data"
)

// Encodings are the names that [data.Dialect] may have for an encoding.
func Encodings() []string {
	return []string{"utf-8", "utf-16le", "utf-16be", "windows-1252", "latin-1"}
}

var encodings = map[string]encoding.Encoding{
	"utf-16le":     unicode.UTF16(unicode.LittleEndian, unicode.UseBOM),
	"utf-16be":     unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
	"windows-1252": charmap.Windows1252,
	"latin-1":      charmap.ISO8859_1,
}

// decode returns a reader of r's text in UTF-8, and what was guessed. given is
// the encoding's name, "" to tell it from the first bytes; western says that
// the text was found not to be UTF-8 further on.
func decode(r *bufio.Reader, given string, western bool) (io.Reader, []data.Finding, error) {
	name := strings.ToLower(given)
	var found []data.Finding
	if name == "" {
		head, err := r.Peek(r.Size())
		if err != nil && err != io.EOF {
			return nil, nil, err
		}
		name = encodingOf(head, err == io.EOF)
		if western && name == "utf-8" && isASCII(head) {
			name = "windows-1252"
		}
		if name != "utf-8" {
			found = append(found, data.Finding{Kind: "guess", About: "encoding", Count: 1,
				Text: "the text is read as " + name, Setting: "data.read.encoding: " + name})
		}
	}
	e := encodings[name]
	if e == nil {
		return r, found, nil
	}
	return e.NewDecoder().Reader(r), found, nil
}

// encodingOf tells the encoding of a text from its beginning: by its mark; by
// zero bytes at every other place; Windows-1252 if it is not UTF-8, unless it is
// UTF-8 with some damage.
func encodingOf(head []byte, whole bool) string {
	switch {
	case bytes.HasPrefix(head, bom):
		return "utf-8"
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return "utf-16le"
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return "utf-16be"
	}
	var zeros [2]int
	for i, c := range head {
		if c == 0 {
			zeros[i%2]++
		}
	}
	if half := len(head) / 2; half >= 4 {
		if zeros[1] > half*6/10 && zeros[0] < half/20+1 {
			return "utf-16le"
		}
		if zeros[0] > half*6/10 && zeros[1] < half/20+1 {
			return "utf-16be"
		}
	}
	if zeros[0]+zeros[1] > 0 {
		return "utf-8" // no text; whoever reads it says so
	}
	long, wrong := 0, 0
	for i := 0; i < len(head); {
		c, n := utf8.DecodeRune(head[i:])
		switch {
		case c == utf8.RuneError && n == 1:
			if !whole && len(head)-i < utf8.UTFMax && !utf8.FullRune(head[i:]) {
				return verdict(long, wrong)
			}
			wrong++
		case n > 1:
			long++
		}
		i += n
	}
	return verdict(long, wrong)
}

// isASCII reports whether nothing in a text says that it is UTF-8.
func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func verdict(long, wrong int) string {
	if wrong > long {
		return "windows-1252"
	}
	return "utf-8"
}
