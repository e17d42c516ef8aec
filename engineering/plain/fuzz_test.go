package plain_test

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/engineering/plain"
)

const route = "/v1/score/"

// FuzzHead holds the reader of heads against net/http: what is plain, net/http
// reads as the same request, of the same bytes; what may become plain is no
// request for net/http yet, so that nobody waits for an answer meanwhile; and what
// came before on a connection changes nothing.
func FuzzHead(f *testing.F) {
	for _, c := range heads {
		f.Add([]byte(c.text), []byte(nil))
	}
	f.Add([]byte(plainHead+"hello"), []byte(plainHead))
	f.Add([]byte("POST /v1/score/credit HTTP/1.1\r\nHost: a\r\nContent-Length: 77\r\n\r\n"), []byte("POST /v1/score/credit HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"))
	// A head of as many bytes as may be, and again with more digits.
	long := "POST /v1/score/credit HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-A: \r\n\r\n"
	long = strings.Replace(long, "X-A: ", "X-A: "+strings.Repeat("a", 8<<10-len(long)), 1)
	f.Add([]byte(strings.Replace(long, "th: 5", "th: 55", 1)), []byte(long))
	f.Fuzz(func(t *testing.T, src, before []byte) {
		p, state := plain.Parse(src, nil, route)
		if again, same := plain.Parse(src, before, route); same != state || !reflect.DeepEqual(again, p) {
			t.Fatalf("%s %+v; after another request %s %+v", state, p, same, again)
		}
		in := bufio.NewReader(bytes.NewReader(src))
		r, err := http.ReadRequest(in)
		switch state {
		case "unusual":
			return
		case "partial":
			if err == nil {
				t.Fatalf("waits for more of a head that net/http reads as %s %s", r.Method, r.RequestURI)
			}
			return
		}
		if err != nil {
			t.Fatalf("net/http: %v", err)
		}
		want := maps.Clone(r.Header)
		want.Del("Content-Length")
		if r.Method != "POST" || r.RequestURI != p.Path || !reflect.DeepEqual(r.URL, p.URL) || r.Proto != "HTTP/1.1" || r.Host != p.Host ||
			r.ContentLength != int64(p.Length) || r.TransferEncoding != nil || r.Close != p.Close || !reflect.DeepEqual(want, p.Header) {
			t.Fatalf("plain: %+v\nnet/http: %+v", p, r)
		}
		body, _ := io.ReadAll(r.Body)
		if here := src[p.Size:]; !bytes.Equal(body, here[:min(len(here), p.Length)]) {
			t.Fatalf("the body is %q, for net/http %q", here, body)
		}
	})
}
