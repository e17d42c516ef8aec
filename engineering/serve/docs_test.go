package serve_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/engineering/serve"
)

var update = flag.Bool("update", false, "write the answers into docs/http-api.md")

const page = "../../docs/http-api.md"

var (
	commands = regexp.MustCompile("(?s)```console\n(.*?)```\n")
	ids      = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)
	random   = regexp.MustCompile(`"(id|bundle)":\s*"([0-9a-f]{64}|[0-9a-f]{16})"`)
)

// TestDocs runs the examples of docs/http-api.md. Ids are random: those of the
// page count those of the answers in order of appearance.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	s := newServer(t, serve.Options{})
	h := s.Guard(addr, s.Handler())
	real := map[string]string{} // id of the page -> id of the answer
	shown := map[string]string{}
	ran := 0
	next := commands.ReplaceAllFunc(text, func(block []byte) []byte {
		var out strings.Builder
		out.WriteString("```console\n")
		for _, part := range strings.Split("\n"+string(commands.FindSubmatch(block)[1]), "\n$ ")[1:] {
			part = strings.TrimSuffix(part, "\n") + "\n"
			args, want := words(part)
			got := curl(t, h, args, real)
			ran++
			got = ids.ReplaceAllStringFunc(got, func(id string) string {
				if shown[id] == "" {
					shown[id] = fmt.Sprintf("019cb8b8-1e00-7000-8000-%012d", len(shown)+1)
					real[shown[id]] = id
				}
				return shown[id]
			})
			if !*update && !same(t, got, want) {
				t.Errorf("%s\nanswers\n%s\nthe page says\n%s", args, got, want)
			}
			out.WriteString("$ " + strings.TrimSuffix(part, want) + indented(got))
		}
		out.WriteString("```\n")
		return []byte(out.String())
	})
	if *update {
		if err := os.WriteFile(page, next, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if ran < 12 {
		t.Errorf("only %d examples ran", ran)
	}
}

// words splits a command line as a shell does, and returns the lines behind
// it: the answer.
func words(part string) (args []string, rest string) {
	word, begun, quoted := "", false, false
	for i, c := range part {
		switch {
		case c == '\'':
			quoted, begun = !quoted, true
		case !quoted && (c == ' ' || c == '\n'):
			if begun {
				args = append(args, word)
			}
			if word, begun = "", false; c == '\n' {
				return args, part[i+1:]
			}
		default:
			word, begun = word+string(c), true
		}
	}
	return args, ""
}

// curl does what curl would, for the options that the page uses.
func curl(t *testing.T, h http.Handler, args []string, real map[string]string) string {
	t.Helper()
	method, url, body, status, grep := "GET", "", "", false, ""
	header := http.Header{}
	for i := 1; i < len(args); i++ {
		switch args[i] {
		case "-s":
		case "-o":
			i++
		case "-w":
			i++
			status = true
		case "-H":
			i++
			name, value, _ := strings.Cut(args[i], ": ")
			header.Set(name, value)
		case "-d":
			i++
			method, body = "POST", args[i]
		case "|":
			grep = strings.TrimPrefix(args[i+2], "^")
			i += 2
		default:
			url = args[i]
		}
	}
	for was, is := range real {
		url, body = strings.ReplaceAll(url, was, is), strings.ReplaceAll(body, was, is)
	}
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	r.Header = header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	switch {
	case status:
		return strconv.Itoa(w.Code) + "\n"
	case grep == "":
		return w.Body.String()
	}
	var out strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, grep) {
			out.WriteString(line)
		}
	}
	return out.String()
}

// same compares JSON by value, but for ids of bundles and errors, and other
// text by letters.
func same(t *testing.T, got, want string) bool {
	t.Helper()
	if !json.Valid([]byte(got)) {
		return got == want
	}
	var a, b any
	if err := json.Unmarshal(random.ReplaceAll([]byte(got), []byte(`"$1":"?"`)), &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(random.ReplaceAll([]byte(want), []byte(`"$1":"?"`)), &b); err != nil {
		return false
	}
	return reflect.DeepEqual(a, b)
}

// indented breaks long JSON into lines.
func indented(s string) string {
	var out bytes.Buffer
	if len(s) < 140 || json.Indent(&out, []byte(s), "", "  ") != nil {
		return s
	}
	return out.String()
}
