package serve_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/tandem-ml/tandem/engineering/keys"
	"github.com/tandem-ml/tandem/engineering/oidc"
	"github.com/tandem-ml/tandem/engineering/serve"
	"github.com/tandem-ml/tandem/engineering/serve/oip"
)

// Attacks, each through the public door. Others stand where the thing that they
// attack is tested: guard_test.go, admit_test.go, doors_test.go, score_test.go,
// ../oidc. docs/security.md lists them all.

// talk sends bytes to a server and returns the statuses of all its answers; it
// fails if the server does not end the connection, as the text must make it do.
func talk(t testing.TB, address, text string) (statuses []int, last string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, text) // the server may end the connection meanwhile
	for in := bufio.NewReader(conn); ; {
		code, body := readStatus(t, in)
		if code == 0 {
			if strings.Contains(body, "timeout") {
				t.Errorf("the connection is still open after %.80q", text)
			}
			return statuses, last
		}
		statuses, last = append(statuses, code), body
	}
}

// Behind a request whose end two readers could see at different places, nothing
// is answered.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	url, _ := running(t, newServer(t, serve.Options{}))
	address := strings.TrimPrefix(url, "http://")
	body := `{"rows":[` + applicant + `]}`
	n := len(body)
	hidden := "GET /health/live HTTP/1.1\r\nHost: " + address + "\r\nConnection: close\r\n\r\n"
	head := "POST /v1/score/credit HTTP/1.1\r\nHost: " + address + "\r\nContent-Type: application/json\r\n"
	get := "GET /health/live HTTP/1.1\r\nHost: " + address + "\r\n"
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", n, body)
	plain := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", n, body)
	for _, tt := range []struct {
		name, text string
		want       string // the statuses of all answers
	}{
		{"nothing hidden", head + plain, "[200 200]"},
		{"folded, which means a space", head + "X: a\r\n b\r\n" + plain, "[200 200]"},
		{"line ends of LF, which mean the same", strings.ReplaceAll(head, "\r\n", "\n") + fmt.Sprintf("Content-Length: %d\n\n%s", n, body), "[200 200]"},
		{"one length, said twice", head + fmt.Sprintf("Content-Length: %d\r\n", n) + plain, "[200 200]"},
		{"chunked", head + "Transfer-Encoding: chunked\r\n\r\n" + chunk, "[200]"},
		{"length and chunked", head + fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n%s", n, chunk), "[200]"},
		{"chunked and length", head + fmt.Sprintf("Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n%s", len(chunk)+len(hidden), chunk), "[200]"},
		{"chunked, folded, and length", head + fmt.Sprintf("Transfer-Encoding:\r\n chunked\r\nContent-Length: %d\r\n\r\n%s", n, chunk), "[200]"},
		{"two lengths", head + fmt.Sprintf("Content-Length: %d\r\nContent-Length: %d\r\n\r\n%s", n, n+len(hidden), body), "[400]"},
		{"a list of lengths", head + fmt.Sprintf("Content-Length: %d, %d\r\n\r\n%s", n, n, body), "[400]"},
		{"a signed length", head + fmt.Sprintf("Content-Length: +%d\r\n\r\n%s", n, body), "[400]"},
		{"a negative length", head + "Content-Length: -1\r\n\r\n", "[400]"},
		{"a length in hex", head + fmt.Sprintf("Content-Length: 0x%x\r\n\r\n%s", n, body), "[400]"},
		{"a huge length", head + "Content-Length: 99999999999999999999\r\n\r\n", "[400]"},
		{"an unknown coding", head + "Transfer-Encoding: xchunked\r\n\r\n" + chunk, "[501]"},
		{"two codings", head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + chunk, "[501]"},
		{"a list of codings", head + "Transfer-Encoding: gzip, chunked\r\n\r\n" + chunk, "[501]"},
		{"a space before the colon", head + "Transfer-Encoding : chunked\r\n\r\n" + chunk, "[400]"},
		{"a vertical tab", head + "Transfer-Encoding: \vchunked\r\n\r\n" + chunk, "[400]"},
		{"chunked in HTTP/1.0", strings.Replace(head, "1.1", "1.0", 1) + "Transfer-Encoding: chunked\r\n\r\n" + chunk, "[400]"},
		{"a chunk's size ended by LF", head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\n%s\r\n0\r\n\r\n", n, body), "[400]"},
		{"a chunk of negative size", head + "Transfer-Encoding: chunked\r\n\r\n-1\r\n" + body + "\r\n0\r\n\r\n", "[400]"},
		{"a chunk of huge size", head + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + body + "\r\n0\r\n\r\n", "[400]"},
		{"a chunk longer than it says", head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%sxx\r\n0\r\n\r\n", n, body), "[400]"},
		{"a bare CR", head + "X: a\rContent-Length: 0\r\n" + plain, "[400]"},
		{"a NUL", head + "X: a\x00b\r\n" + plain, "[400]"},
		{"a folded first line", "POST /v1/score/credit HTTP/1.1\r\n Host: x\r\n\r\n", "[400]"},
		{"a name with a space", get + "X Y: 1\r\n\r\n", "[400]"},
		{"two hosts", get + "Host: evil.example\r\n\r\n", "[400]"},
		{"no host", "GET /health/live HTTP/1.1\r\n\r\n", "[400]"},
		{"another host in the first line", "GET http://evil.example/health/live HTTP/1.1\r\nHost: " + address + "\r\n\r\n", "[421 200]"},
		{"HTTP/0.9", "GET /health/live\r\n\r\n", "[400]"},
		{"HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "[421]"},
	} {
		if got, last := talk(t, address, tt.text+hidden); fmt.Sprint(got) != tt.want {
			t.Errorf("%s: %v, want %s: %s", tt.name, got, tt.want, last)
		}
	}
}

func TestOversizedHeaders(t *testing.T) {
	t.Parallel()
	url, _ := running(t, newServer(t, serve.Options{}))
	address := strings.TrimPrefix(url, "http://")
	head := "GET /health/live HTTP/1.1\r\nHost: " + address + "\r\n"
	for name, text := range map[string]string{
		"one":          head + "X: " + strings.Repeat("a", 100_000) + "\r\n\r\n",
		"many":         head + strings.Repeat("X: aaaaaaaaaaaaaaaaaaaa\r\n", 5000) + "\r\n",
		"a long path":  "GET /" + strings.Repeat("a", 100_000) + " HTTP/1.1\r\nHost: " + address + "\r\n\r\n",
		"a long name":  head + strings.Repeat("X", 100_000) + ": a\r\n\r\n",
		"never ending": head + "X: " + strings.Repeat("a", 1_000_000),
	} {
		if got, body := talk(t, address, text); fmt.Sprint(got) != "[431]" && len(got) != 0 { // none: reset while we were sending
			t.Errorf("%s: %v %s", name, got, body)
		}
	}
	if got, _ := talk(t, address, head+"Connection: close\r\n\r\n"); fmt.Sprint(got) != "[200]" {
		t.Errorf("afterwards: %v", got)
	}
}

// A model's name is looked up among those that are served, and nowhere else.
func TestPathTraversal(t *testing.T) {
	t.Parallel()
	url, _ := running(t, newServer(t, serve.Options{}))
	address := strings.TrimPrefix(url, "http://")
	for _, name := range []string{
		"../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%252f..%252fetc%252fpasswd", "..%5c..%5cetc%5cpasswd",
		"%00", "credit%00", "credit%2f..%2fcredit", "credit%20", "credit%0d%0aX:%20y", "credit.tandem", "%c0%ae%c0%ae%c0%afetc", "..;", "~root", "file:%2f%2f%2fetc%2fpasswd",
		"*", "%25", "-", "CREDIT", "credit:", ":predict", strings.Repeat("a", 10_000),
	} {
		for _, route := range []string{"GET /v2/models/%s", "GET /v1/models/%s", "POST /v1/score/%s", "POST /v1/models/%s:predict", "POST /v2/models/%s/infer", "GET /v2/models/%s/versions/%[1]s", "GET /v1/decisions/%s", "POST /v1/outcomes/%s", "GET /%s"} {
			text := fmt.Sprintf(route, name) + " HTTP/1.1\r\nHost: " + address + "\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
			got, body := talk(t, address, text)
			if len(got) != 1 || got[0] < 300 || got[0] >= 500 || strings.Contains(body, "root:") || strings.Contains(body, "no such file") {
				t.Errorf(route+": %v %s", name, got, body)
			}
		}
	}
}

// What a stranger gets to see says nothing of models and columns, and what
// anybody sends does not get into the program's log.
func TestErrorsKeepQuiet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key := "Bearer " + keyFor(t, dir, 0, keys.Scopes...)
	ring, err := keys.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var said lines
	s := newServer(t, serve.Options{Keys: ring, Logger: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	h := s.Handler()
	const name = "Erika Mustermann"
	bodies := []string{
		`{"rows":[{"Income":"` + name + `","Records":"` + name + `","` + name + `":1}]}`, `{"` + name + `":1}`, `{"rows":["` + name + `"]}`, `"` + name, name,
		`{"instances":[["` + name + `",1]]}`, `{"inputs":[{"name":"` + name + `","shape":[1],"datatype":"BYTES","data":["` + name + `"]}]}`,
		`{"inputs":[{"name":"Income","shape":[1],"datatype":"FP64","data":["` + name + `"]}]}`, `{"outcomes":[{"id":"` + name + `","value":"` + name + `"}]}`,
		`{"outcomes":[{"decision":"` + name + `","value":"bad"}]}`, `{"dataframe_split":{"columns":["Income","` + name + `"],"data":[["` + name + `"]]}}`,
	}
	for _, path := range []string{"/v1/score/credit", "/invocations", "/score", "/v1/models/credit:predict", "/v1/models/credit:explain", "/v2/models/credit/infer", "/v1/outcomes/credit", "/v2/repository/index"} {
		for _, body := range bodies {
			for _, kind := range []string{jsonType, "text/csv", "application/jsonlines"} {
				header := []string{"Content-Type", kind, "Idempotency-Key", name, "X-Request-Id", name, "X-Request-Timeout", "9s", "Accept", "application/json"}
				stranger := ask(t, h, "POST", path, body, append(header, "Authorization", "Bearer "+name)...)
				if stranger.status != 401 && stranger.status != 429 {
					t.Errorf("a stranger at %s: %d", path, stranger.status)
				}
				for _, word := range []string{"Income", "Records", "Job", "application", "credit", name} {
					if strings.Contains(stranger.body, word) {
						t.Errorf("%s tells a stranger of %s: %s", path, word, stranger.body)
					}
				}
				ask(t, h, "POST", path, body, append(header, "Authorization", key)...)
			}
		}
	}
	if strings.Contains(said.String(), "Mustermann") || strings.Contains(said.String(), "tandem_") || said.String() == "" {
		t.Errorf("the log:\n%.3000s", said.String())
	}
}

// A bomb is stopped at the limit, whatever it would unpack to; the memory that it
// took is given back.
func TestBombs(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.Copy(z, io.LimitReader(blanks{}, 20_000_000))
	z.Close()
	s := newServer(t, serve.Options{Limits: serve.Limits{Body: 1_000_000, Held: 1_500_000}})
	for _, path := range []string{"/v1/models/credit:predict", "/v2/models/credit/infer"} {
		for range 2 {
			if a := ask(t, s.Handler(), "POST", path, packed.String(), "Content-Encoding", "gzip"); a.status != 413 {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
		}
		// One in another is one bomb: codings do not nest.
		if a := ask(t, s.Handler(), "POST", path, packed.String(), "Content-Encoding", "gzip, gzip"); a.status != 415 {
			t.Errorf("%s, nested: %d %s", path, a.status, a.body)
		}
	}
	if n := metric(t, s, "tandem_body_bytes"); n != 0 {
		t.Errorf("%v bytes are held", n)
	}
}

// A body that does not come is given up, and an answer that is not read.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	s := newServer(t, serve.Options{Limits: serve.Limits{Read: 50 * time.Millisecond}})
	url, _ := running(t, s)
	address := strings.TrimPrefix(url, "http://")
	for _, more := range []string{"Content-Length: 1000\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n3e8\r\n{", "Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n"} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(30 * time.Second))
		fmt.Fprintf(conn, "POST /v1/score/credit HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n%s", address, more)
		b, err := io.ReadAll(conn) // until the server has ended it
		if n, ok := err.(net.Error); ok && n.Timeout() {
			t.Errorf("%q: still open", more)
		}
		if len(b) > 0 && !strings.Contains(string(b), " 400 ") {
			t.Errorf("%q: %s", more, b)
		}
	}
	until(t, s, "tandem_body_bytes", 0)
	if n := metric(t, s, "tandem_requests_in_flight"); n != 1 { // that of the metrics
		t.Errorf("%v requests in flight", n)
	}
}

// h2 is a connection of HTTP/2 on which a test can send any frame.
type h2 struct {
	conn net.Conn
	*http2.Framer
	enc *hpack.Encoder
	buf bytes.Buffer
}

func newH2(t *testing.T, address string) *h2 {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	io.WriteString(conn, http2.ClientPreface)
	c := &h2{conn: conn, Framer: http2.NewFramer(conn, conn)}
	c.enc = hpack.NewEncoder(&c.buf)
	if err := c.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return c
}

// header returns the block of a GET.
func (c *h2) header(address, path string) []byte {
	c.buf.Reset()
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", address}, {":path", path}} {
		c.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	return bytes.Clone(c.buf.Bytes())
}

// ends reads frames until the server says that it ends the connection, or does.
func (c *h2) ends() string {
	for {
		f, err := c.ReadFrame()
		if n, ok := err.(net.Error); ok && n.Timeout() {
			return "nothing: the server goes on with it"
		}
		if err != nil {
			return "closed"
		}
		if g, ok := f.(*http2.GoAwayFrame); ok {
			return g.ErrCode.String()
		}
	}
}

// overTLS starts a server with pages that speaks TLS.
func overTLS(t *testing.T, pages http.Handler) (address string) {
	t.Helper()
	certFile, keyFile := newCertificate(t, t.TempDir(), 1)
	c, err := serve.LoadCertificate(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	url, _ := running(t, newServer(t, serve.Options{Certificate: c, Pages: pages, Limits: serve.Limits{Drain: time.Second}}))
	return strings.TrimPrefix(url, "http://")
}

// Rapid reset (CVE-2023-44487): streams that are opened and given up at once start
// no more work than streams may be open, and end the connection.
func TestRapidReset(t *testing.T) {
	t.Parallel()
	var begun atomic.Int64
	release := make(chan struct{})
	address := overTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun.Add(1)
		<-release // work that does not notice that nobody waits for it
	}))
	c := newH2(t, address)
	over := make(chan string)
	go func() { over <- c.ends() }()
	var why string
	for id := uint32(1); why == "" && id < 200_000; id += 2 {
		err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.header(address, "/"), EndHeaders: true, EndStream: true})
		if err == nil {
			err = c.WriteRSTStream(id, http2.ErrCodeCancel)
		}
		if err != nil {
			break
		}
		select {
		case why = <-over:
		default:
		}
	}
	if why == "" {
		why = <-over
	}
	if why != "ENHANCE_YOUR_CALM" && why != "closed" {
		t.Errorf("the connection ended with %s", why)
	}
	if n := begun.Load(); n > 100 {
		t.Errorf("%d requests at once of one connection", n)
	}
	close(release)
	other := newH2(t, address)
	other.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: other.header(address, "/health/live"), EndHeaders: true, EndStream: true})
	for {
		f, err := other.ReadFrame()
		if err != nil {
			t.Fatalf("afterwards: %v", err)
		}
		if f.Header().StreamID == 1 {
			break
		}
	}
}

// Headers that never end (CVE-2023-45288) end the connection.
func TestContinuationFlood(t *testing.T) {
	t.Parallel()
	address := overTLS(t, nil)
	c := newH2(t, address)
	over := make(chan string, 1)
	go func() { over <- c.ends() }()
	if err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.header(address, "/health/live")}); err != nil {
		t.Fatal(err)
	}
	c.buf.Reset()
	c.enc.WriteField(hpack.HeaderField{Name: "x", Value: strings.Repeat("\x01~", 8000), Sensitive: true}) // Huffman makes it longer, not shorter
	for range 10_000 {
		if c.WriteContinuation(1, false, c.buf.Bytes()) != nil {
			break
		}
		select {
		case why := <-over:
			over <- why
		default:
			continue
		}
		break
	}
	if why := <-over; why == "NO_ERROR" || strings.HasPrefix(why, "nothing") {
		t.Errorf("the connection ended with %s", why)
	}
}

// Forged tokens meet 401 at every kind of door, and a good one the scopes of its
// roles. Package oidc tests many more forgeries.
func TestTokensAtTheDoors(t *testing.T) {
	t.Parallel()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var issuer *httptest.Server
	issuer = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: private.Public(), KeyID: "1", Use: "sig", Algorithm: "ES256"}}})
			return
		}
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, issuer.URL, issuer.URL+"/keys")
	}))
	defer issuer.Close()
	tokens, err := oidc.New(oidc.Options{Issuer: issuer.URL, Audience: "tandem"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	key := keyFor(t, dir, 0, keys.Operate)
	ring, err := keys.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, serve.Options{Keys: oidc.Keys{Ring: ring, Tokens: tokens}})
	conn, _ := dial(t, s)
	client := oip.NewGRPCInferenceServiceClient(conn)
	claims := func(issuer string, expires time.Time, roles string) []byte {
		return fmt.Appendf(nil, `{"iss":%q,"aud":"tandem","sub":"erika","exp":%d,"roles":%q}`, issuer, expires.Unix(), roles)
	}
	sign := func(claims []byte) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: "1"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := signer.Sign(claims)
		if err != nil {
			t.Fatal(err)
		}
		text, err := sig.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	unsigned := func(header string, secret []byte) string {
		text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(claims(issuer.URL, noon.Add(time.Hour), "score operate"))
		if secret == nil {
			return text + "."
		}
		m := hmac.New(sha256.New, secret)
		m.Write([]byte(text))
		return text + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, token    string
		score, outcome int
		grpc           codes.Code
	}{
		{"a scorer", sign(claims(issuer.URL, noon.Add(time.Hour), "score")), 200, 403, codes.OK},
		{"an operator", sign(claims(issuer.URL, noon.Add(time.Hour), "tandem:operate")), 403, 404, codes.PermissionDenied},
		{"no role", sign(claims(issuer.URL, noon.Add(time.Hour), "admin")), 403, 403, codes.PermissionDenied},
		{"an API key", key, 403, 404, codes.PermissionDenied},
		{"expired", sign(claims(issuer.URL, noon.Add(-time.Hour), "score operate")), 401, 401, codes.Unauthenticated},
		{"another issuer", sign(claims("https://evil.example", noon.Add(time.Hour), "score operate")), 401, 401, codes.Unauthenticated},
		{"alg none", unsigned(`{"alg":"none","kid":"1"}`, nil), 401, 401, codes.Unauthenticated},
		{"HS256 with the public key", unsigned(`{"alg":"HS256","kid":"1"}`, der), 401, 401, codes.Unauthenticated},
		{"an unknown key", unsigned(`{"alg":"ES256","kid":"../../etc/passwd"}`, der), 401, 401, codes.Unauthenticated},
	} {
		bearer := "Bearer " + tt.token
		if a := ask(t, s.Handler(), "POST", "/v1/score/credit", `{"rows":[`+applicant+`]}`, "Authorization", bearer); a.status != tt.score || strings.Contains(a.body, "erika") {
			t.Errorf("%s: score %d, want %d: %s", tt.name, a.status, tt.score, a.body)
		}
		if a := ask(t, s.Handler(), "POST", "/v1/outcomes/credit", `{"outcomes":[{"decision":"x","value":"bad"}]}`, "Authorization", bearer); a.status != tt.outcome {
			t.Errorf("%s: outcome %d, want %d: %s", tt.name, a.status, tt.outcome, a.body)
		}
		if _, err := client.ModelInfer(metadata.AppendToOutgoingContext(t.Context(), "authorization", bearer), lenderCall(true)); status.Code(err) != tt.grpc {
			t.Errorf("%s: gRPC %v, want %s", tt.name, err, tt.grpc)
		}
	}
	// Nobody who may not ask gets a large message read.
	call := lenderCall(true)
	call.RawInputContents[0] = make([]byte, 20<<20)
	if _, err := client.ModelInfer(t.Context(), call); status.Code(err) != codes.Unauthenticated {
		t.Errorf("a large message of a stranger: %v", err)
	}
	// While the issuer has never been reached, tokens are neither good nor bad; keys go on.
	issuer.Close()
	if tokens, err = oidc.New(oidc.Options{Issuer: issuer.URL, Audience: "tandem"}); err != nil {
		t.Fatal(err)
	}
	s = newServer(t, serve.Options{Keys: oidc.Keys{Ring: ring, Tokens: tokens}})
	a := ask(t, s.Handler(), "POST", "/v1/score/credit", `{}`, "Authorization", "Bearer "+sign(claims(issuer.URL, noon.Add(time.Hour), "score")))
	if a.status != 503 || !strings.Contains(a.body, `"code":"issuer"`) || a.header.Get("Retry-After") == "" {
		t.Errorf("no issuer: %d %s", a.status, a.body)
	}
	if a := ask(t, s.Handler(), "POST", "/v1/outcomes/credit", `{"outcomes":[{"decision":"x","value":"bad"}]}`, "Authorization", "Bearer "+key); a.status != 404 {
		t.Errorf("a key without an issuer: %d %s", a.status, a.body)
	}
}

// Keys are guessed by many at once, and the server goes on for those who have one.
func TestBruteForceTogether(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := keyFor(t, dir, 0, keys.Score)
	ring, err := keys.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	url, _ := running(t, newServer(t, serve.Options{Keys: ring}))
	var refused, taken atomic.Int64
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for k := range 50 {
				key := fmt.Sprintf("tandem_%016x_%064x", i, k)
				if k == 25 {
					key = good
				}
				r, err := http.NewRequest("POST", url+"/v1/score/credit", strings.NewReader(`{"rows":[`+applicant+`]}`))
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Authorization", "Bearer "+key)
				resp, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				switch resp.Body.Close(); resp.StatusCode {
				case 200:
					taken.Add(1)
				case 429:
					refused.Add(1)
				}
			}
		})
	}
	all.Wait()
	if taken.Load() != 8 || refused.Load() != 8*49-30 {
		t.Errorf("%d taken, want 8; %d told to wait, want %d", taken.Load(), refused.Load(), 8*49-30)
	}
}
