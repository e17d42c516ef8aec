package serve_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/keys"
	"github.com/tandem-ml/tandem/engineering/serve"
)

// keyFor makes a key for scopes that lives for a lifetime from noon on.
func keyFor(t *testing.T, dir string, lifetime time.Duration, scopes ...keys.Scope) string {
	t.Helper()
	text, _, err := keys.Create(dir, "test", scopes, lifetime, noon)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// guarded returns a server that takes keys.
func guarded(t *testing.T, dir string) http.Handler {
	t.Helper()
	ring, err := keys.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	pages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "a page") })
	return newServer(t, serve.Options{Keys: ring, Pages: pages}).Handler()
}

// Every route but the probes asks for a key, and each scope opens its own.
func TestScopes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bearer := map[keys.Scope]string{}
	for _, scope := range keys.Scopes {
		bearer[scope] = "Bearer " + keyFor(t, dir, 0, scope)
	}
	h := guarded(t, dir)
	const rows = `{"rows":[` + applicant + `]}`
	const instances = `{"instances":[[80,"fixed","yes"]]}`
	for _, tt := range []struct {
		method, path, body string
		scope              keys.Scope
		status             int // with the right key
	}{
		{"POST", "/v1/score/credit", rows, keys.Score, 200},
		{"POST", "/invocations", instances, keys.Score, 200},
		{"POST", "/score", instances, keys.Score, 200},
		{"POST", "/v1/models/credit:predict", instances, keys.Score, 200},
		{"POST", "/v1/models/credit:explain", instances, keys.Score, 200},
		{"GET", "/v1/models", "", keys.Score, 200},
		{"GET", "/v2/models/credit", "", keys.Score, 200},
		{"POST", "/v2/models/credit/infer", `{"inputs":[{"name":"Income","shape":[1],"datatype":"FP64","data":[1]},{"name":"Records","shape":[1],"datatype":"BYTES","data":["no"]}]}`, keys.Score, 200},
		{"POST", "/v2/repository/index", "{}", keys.Score, 200},
		{"POST", "/v1/outcomes/credit", `{"outcomes":[{"decision":"x","value":"bad"}]}`, keys.Operate, 404},
		{"GET", "/v1/decisions/x", "", keys.Read, 404},
		{"GET", "/metrics", "", keys.Read, 200},
		{"GET", "/", "", keys.Read, 200},
		{"GET", "/decisions/credit", "", keys.Read, 200},
		{"GET", "/health/live", "", "", 200},
		{"GET", "/health/ready", "", "", 200},
		{"GET", "/v2/health/ready", "", "", 200},
		{"GET", "/ping", "", "", 200},
	} {
		none := ask(t, h, tt.method, tt.path, tt.body)
		if tt.scope == "" {
			if none.status != tt.status || strings.Contains(none.body, "credit") {
				t.Errorf("%s %s without a key: %d %s", tt.method, tt.path, none.status, none.body)
			}
			continue
		}
		if none.status != 401 || !strings.Contains(none.body, `"code":"key"`) || len(none.header.Values("WWW-Authenticate")) != 2 {
			t.Errorf("%s %s without a key: %d %s", tt.method, tt.path, none.status, none.body)
		}
		for scope, text := range bearer {
			want := 403
			if scope == tt.scope {
				want = tt.status
			}
			if a := ask(t, h, tt.method, tt.path, tt.body, "Authorization", text); a.status != want {
				t.Errorf("%s %s with the scope %s: %d, want %d: %s", tt.method, tt.path, scope, a.status, want, a.body)
			}
		}
	}
}

func TestForgedAndExpiredKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := keyFor(t, dir, time.Hour, keys.Score, keys.Read)
	expired, _, err := keys.Create(dir, "old", []keys.Scope{keys.Score}, time.Hour, noon.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	h := guarded(t, dir)
	send := func(header ...string) answer {
		return ask(t, h, "POST", "/v1/score/credit", `{"rows":[`+applicant+`]}`, header...)
	}
	if a := send("Authorization", "Bearer "+expired); a.status != 401 || !strings.Contains(a.body, "expired") {
		t.Errorf("an expired key: %d %s", a.status, a.body)
	}
	for _, header := range []string{"", "Bearer", "Bearer ", good, "Token " + good, "Bearer " + good + "x", "Bearer " + good[:len(good)-1], "Basic " + good, "Basic !", "Bearer tandem_0123456789abcdef_" + good[24:]} {
		if a := send("Authorization", header); a.status != 401 || strings.Contains(a.body, "tandem_") {
			t.Errorf("%q: %d %s", header, a.status, a.body)
		}
	}
	for _, header := range []string{"Bearer " + good, "bearer  " + good} {
		if a := send("Authorization", header); a.status != 200 {
			t.Errorf("%q: %d %s", header, a.status, a.body)
		}
	}
	// A browser sends it as a password.
	r, err := http.NewRequest("GET", "http://localhost/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("anybody", good)
	if a := serveOne(h, r); a.status != 200 || a.body != "a page" {
		t.Errorf("%d %s", a.status, a.body)
	}
	// Two keys are none.
	r.Header.Add("Authorization", "Bearer "+good)
	if a := serveOne(h, r); a.status != 401 {
		t.Errorf("two keys: %d %s", a.status, a.body)
	}
}

// Guessing is told to wait; who has a key is not locked out by it.
func TestBruteForce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := keyFor(t, dir, 0, keys.Score)
	h := guarded(t, dir)
	late := 0
	for i := range 200 {
		a := ask(t, h, "POST", "/v1/score/credit", `{}`, "Authorization", "Bearer tandem_0123456789abcdef_"+strings.Repeat("0", i%64))
		switch a.status {
		case 401:
		case 429:
			late++
			if a.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		default:
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if late != 170 {
		t.Errorf("%d of 200 guesses were told to wait, want 170", late)
	}
	if a := ask(t, h, "POST", "/v1/score/credit", `{"rows":[`+applicant+`]}`, "Authorization", "Bearer "+good); a.status != 200 {
		t.Errorf("with the key: %d %s", a.status, a.body)
	}
}

// newCertificate writes a self-signed certificate for 127.0.0.1.
func newCertificate(t *testing.T, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// TLS with HTTP/2, and a certificate that is renewed while the server runs.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := newCertificate(t, dir, 1)
	c, err := serve.LoadCertificate(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, serve.Options{Certificate: c})
	plain, _ := running(t, s)
	url := "https" + strings.TrimPrefix(plain, "http")
	serial := func() (int64, int) {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
		defer client.CloseIdleConnections()
		resp, err := client.Get(url + "/health/live")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("status %d", resp.StatusCode)
		}
		return resp.TLS.PeerCertificates[0].SerialNumber.Int64(), resp.ProtoMajor
	}
	if n, major := serial(); n != 1 || major != 2 {
		t.Errorf("certificate %d over HTTP/%d", n, major)
	}
	if _, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	newCertificate(t, dir, 2)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if n, _ := serial(); n == 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the new certificate is not used")
		}
	}
	// A renewal that went wrong leaves the one before in force.
	if err := os.WriteFile(certFile, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond)
	if n, _ := serial(); n != 2 {
		t.Errorf("certificate %d", n)
	}
	if resp, err := http.Get(plain + "/health/live"); err == nil { // net/http answers with 400
		if resp.Body.Close(); resp.StatusCode == 200 {
			t.Error("HTTP without TLS is answered")
		}
	}
	if _, err := serve.LoadCertificate(certFile, keyFile); err == nil {
		t.Error("a broken certificate is taken")
	}
}
