package serve_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/engineering/keys"
	"github.com/tandem-ml/tandem/engineering/serve"
)

// What differs between two answers to the same request.
var passing = regexp.MustCompile(`Date: [^\r]*|X-Request-Id: [0-9a-f]{16}|"id":"[^"]*"`)

// TestBothDoorsAnswerAlike sends requests plainly, so that package plain reads
// them, and with a cookie, which makes them net/http's: the answers are the same,
// head and body.
func TestBothDoorsAnswerAlike(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good, weak := keyFor(t, dir, 0, keys.Score), keyFor(t, dir, 0, keys.Read)
	ring, err := keys.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, guarded := range []bool{false, true} {
		o := serve.Options{Limits: serve.Limits{Body: 5000, Rows: 5}}
		if guarded {
			o.Keys = ring
		}
		url, _ := running(t, newServer(t, o))
		address := strings.TrimPrefix(url, "http://")
		rows := func(n int) string { return `{"rows":[` + strings.Join(rowsOf(n), ",") + `]}` }
		for _, c := range []struct{ name, path, head, body, status string }{
			{"one row", "credit", "", rows(1), "200"},
			{"five rows", "credit", "", rows(5), "200"},
			{"an id, no reasons", "credit", "", `{"request_id":"r","reasons":false,"rows":[` + applicant + `]}`, "200"},
			{"for the strict reader", "credit", "", `{"\u0072ows":[` + applicant + `]}`, "200"},
			{"the last one", "credit", "Connection: close\r\n", rows(1), "200"},
			{"another host", "credit", "Host: evil.example\r\n", rows(1), "421"},
			{"another type", "credit", "Content-Type: text/plain\r\n", rows(1), "415"},
			{"a type with a parameter", "credit", "Content-Type: application/json; charset=utf-8\r\n", rows(1), "200"},
			{"no such project", "debit", "", rows(1), "404"},
			{"nothing", "credit", "", "", "400"},
			{"not JSON", "credit", "", "{", "400"},
			{"no rows", "credit", "", `{"rows":[]}`, "400"},
			{"against the contract", "credit", "", `{"rows":[{"Income":"much","Records":"no"}]}`, "400"},
			{"too many rows", "credit", "", rows(6), "413"},
			{"too large", "credit", "", `{"rows":[` + strings.Repeat(" ", 5000) + applicant + `]}`, "413"},
		} {
			if guarded {
				c.head += "Authorization: Bearer " + good + "\r\n"
			}
			alike(t, address, fmt.Sprintf("%s, guarded %v", c.name, guarded), c.path, c.head, c.body, c.status)
		}
		if guarded {
			alike(t, address, "no key", "credit", "", rows(1), "401")
			alike(t, address, "another's key", "credit", "Authorization: Bearer "+weak+"\r\n", rows(1), "403")
			alike(t, address, "the key as a password", "credit", "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("anybody:"+good))+"\r\n", rows(1), "200")
		}
	}
}

func alike(t *testing.T, address, name, path, head, body, status string) {
	t.Helper()
	if !strings.Contains(head, "Host: ") {
		head += "Host: " + address + "\r\n"
	}
	if !strings.Contains(head, "Content-Type: ") {
		head += "Content-Type: application/json\r\n"
	}
	var answers [2]string
	for i, cookie := range []string{"", "Cookie: a=b\r\n"} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		// Twice: an answer must leave the connection to the next.
		request := fmt.Sprintf("POST /v1/score/%s HTTP/1.1\r\n%s%sContent-Length: %d\r\n", path, head, cookie, len(body))
		if !strings.Contains(head, "Connection: ") {
			request += "\r\n" + body + request + "Connection: close\r\n"
		}
		if _, err := io.WriteString(c, request+"\r\n"+body); err != nil {
			t.Fatal(err)
		}
		out, err := io.ReadAll(c)
		if err != nil && len(out) == 0 {
			t.Fatalf("%s: %v", name, err)
		}
		c.Close()
		answers[i] = passing.ReplaceAllString(string(out), "")
	}
	if answers[0] != answers[1] || !strings.HasPrefix(answers[0], "HTTP/1.1 "+status) {
		t.Errorf("%s: want %s, plainly\n%s\nby net/http\n%s", name, status, answers[0], answers[1])
	}
}
