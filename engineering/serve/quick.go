package serve

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tandem-ml/tandem/bundle"
)

// Nearly every score request is in order and written plainly. quickScore reads
// those in one pass, from the body into the encoded rows. It has no errors: of
// anything that is unusual it says so, and the strict reader (decodeScore,
// decodeRows) reads the body from its beginning and finds the words.

// quickScore reads a body of POST /v1/score/{project}; ok is false if the
// strict reader has to. What it reads, that one reads likewise: the names in
// plain text and once, the rows as [bundle.Layout.DecodeNext] takes them, with
// nothing that nests, a request_id in printable ASCII.
func quickScore(m *Model, body []byte, most int) (req scoreRequest, rows bundle.Rows, inputs []input, ok bool) {
	fail := func() (scoreRequest, bundle.Rows, []input, bool) {
		return scoreRequest{}, bundle.Rows{}, nil, false
	}
	at := func(i int) byte {
		if i < len(body) {
			return body[i]
		}
		return 0
	}
	i := blank(body, 0)
	if at(i) != '{' {
		return fail()
	}
	for seen := 0; ; {
		i = blank(body, i+1)
		member, length := frameMember(body[min(i, len(body)):])
		if member == 0 || seen&member != 0 {
			return fail()
		}
		seen |= member
		if i = blank(body, i+length); at(i) != ':' {
			return fail()
		}
		i = blank(body, i+1)
		end := 0
		switch member {
		case memberRows:
			rows, inputs, end = quickRows(m.Bundle.Layout(), body, i, most)
		case memberID:
			req.id, end = quickText(body, i)
		case memberReasons:
			req.silent, end = quickSilent(body, i)
		}
		if end == 0 {
			return fail()
		}
		switch i = blank(body, end); {
		case at(i) == ',':
		case at(i) == '}' && blank(body, i+1) == len(body) && seen&memberRows != 0:
			return req, rows, inputs, true
		default:
			return fail()
		}
	}
}

// The members of a score request, as bits.
const (
	memberRows = 1 << iota
	memberID
	memberReasons
)

// frameMember says which member's name, in plain text, src begins with, and how
// long it is.
func frameMember(src []byte) (member, length int) {
	begins := func(name string) bool { return len(src) >= len(name) && string(src[:len(name)]) == name }
	switch {
	case begins(`"rows"`):
		return memberRows, len(`"rows"`)
	case begins(`"request_id"`):
		return memberID, len(`"request_id"`)
	case begins(`"reasons"`):
		return memberReasons, len(`"reasons"`)
	}
	return 0, 0
}

// quickRows reads a list of one to most rows at body[i] and returns where it
// ends, 0 if it is another value.
func quickRows(l *bundle.Layout, body []byte, i, most int) (rows bundle.Rows, inputs []input, end int) {
	if i == len(body) || body[i] != '[' {
		return rows, nil, 0
	}
	rows.Cols = l.Cols()
	for {
		if rows.N == most {
			return rows, nil, 0
		}
		i = blank(body, i+1)
		if rows.Data == nil {
			rows.Data, inputs = make([]float64, rows.Cols), make([]input, 1)
		} else {
			rows.Data = slices.Grow(rows.Data, rows.Cols)[:len(rows.Data)+rows.Cols]
			inputs = append(inputs, input{})
		}
		rows.N++
		extras, n, ok := l.DecodeNext(rows.Row(rows.N-1), body[i:])
		if !ok {
			return rows, nil, 0
		}
		inputs[rows.N-1] = input{body[i : i+n : i+n], extras}
		if rows.N == 1 && n > 2 { // rows are about as long as the first
			more := min((len(body)-i)/n, most)
			rows.Data, inputs = slices.Grow(rows.Data, min(more*rows.Cols, len(body))), slices.Grow(inputs, more)
		}
		if i = blank(body, i+n); i == len(body) {
			return rows, nil, 0
		}
		switch body[i] {
		case ',':
		case ']':
			return rows, inputs, i + 1
		default:
			return rows, nil, 0
		}
	}
}

// quickText reads a string of at most 128 printable ASCII characters, none
// escaped.
func quickText(body []byte, i int) (s string, end int) {
	if i == len(body) || body[i] != '"' {
		return "", 0
	}
	for end = i + 1; end < len(body); end++ {
		switch c := body[end]; {
		case c == '"' && end-i-1 <= 128:
			return string(body[i+1 : end]), end + 1
		case c < ' ' || c > '~' || c == '"' || c == '\\':
			return "", 0
		}
	}
	return "", 0
}

// quickSilent reads false, which asks for silence, or true.
func quickSilent(body []byte, i int) (silent bool, end int) {
	rest := body[i:]
	switch {
	case len(rest) > 5 && string(rest[:5]) == "false":
		return true, i + 5
	case len(rest) > 4 && string(rest[:4]) == "true":
		return false, i + 4
	}
	return false, 0
}

// appendTo appends the answer as encoding/json writes it, byte for byte.
func (a *scoreAnswer) appendTo(b []byte) []byte {
	b = append(b, `{"results":[`...)
	for i := range a.Results {
		if i > 0 {
			b = append(b, ',')
		}
		b = a.Results[i].appendTo(b)
	}
	b = appendText(append(b, `],"model":`...), a.Model)
	b = appendText(append(b, `,"bundle":`...), a.Bundle)
	return append(b, '}')
}

// appendTo appends one result of an answer, likewise.
func (r *result) appendTo(b []byte) []byte {
	b = appendText(append(b, `{"id":`...), r.ID)
	b = appendNumber(append(b, `,"score":`...), r.Score)
	if r.Decision != "" {
		b = appendText(append(b, `,"decision":`...), r.Decision)
	}
	if len(r.Scores) > 0 {
		b = appendAny(append(b, `,"scores":`...), r.Scores)
	}
	if r.Reasons != nil {
		b = appendReasons(append(b, `,"reasons":`...), r.Reasons)
	}
	if r.Model != "" {
		b = appendText(append(b, `,"model":`...), r.Model)
	}
	if r.Bundle != "" {
		b = appendText(append(b, `,"bundle":`...), r.Bundle)
	}
	return append(b, '}')
}

func appendReasons(b []byte, reasons []bundle.Reason) []byte {
	b = append(b, '[')
	for i := range reasons {
		if i > 0 {
			b = append(b, ',')
		}
		r := &reasons[i]
		b = appendText(append(b, `{"column":`...), r.Column)
		b = append(b, `,"value":`...)
		switch v := r.Value.(type) {
		case nil:
			b = append(b, "null"...)
		case float64:
			b = appendNumber(b, v)
		case string:
			b = appendText(b, v)
		default:
			b = appendAny(b, v)
		}
		b = appendNumber(append(b, `,"contribution":`...), r.Contribution)
		b = append(appendText(append(b, `,"text":`...), r.Text), '}')
	}
	return append(b, ']')
}

// appendText appends a JSON string. Package encoding/json escapes what HTML
// gives a meaning to, and two separators that old JavaScript took for line ends.
func appendText(b []byte, s string) []byte {
	ascii := true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&':
			return appendAny(b, s)
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	if !ascii && (!utf8.ValidString(s) || strings.ContainsAny(s, "\u2028\u2029")) {
		return appendAny(b, s)
	}
	return append(append(append(b, '"'), s...), '"')
}

// appendNumber appends a finite number in the fewest digits that mean it, in
// the form of encoding/json, which is JavaScript's.
func appendNumber(b []byte, x float64) []byte {
	form := byte('f')
	if a := math.Abs(x); a != 0 && (a < 1e-6 || a >= 1e21) {
		form = 'e'
	}
	b = strconv.AppendFloat(b, x, form, -1, 64)
	if n := len(b); form == 'e' && n >= 4 && b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' { // e-09
		b[n-2] = b[n-1]
		b = b[:n-1]
	}
	return b
}

// appendAny appends what is rare in its own way.
func appendAny(b []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("serve: part of an answer is not JSON") // the values are checked before
	}
	return append(b, text...)
}
