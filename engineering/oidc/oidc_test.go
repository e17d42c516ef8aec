package oidc_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tandem-ml/tandem/engineering/keys"
	"github.com/tandem-ml/tandem/engineering/oidc"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// issuer is one that tests can rotate, stop and count.
type issuer struct {
	*httptest.Server
	mu    sync.Mutex
	keys  []jose.JSONWebKey
	name  string // what it calls itself; "": its URL
	down  bool
	asked atomic.Int64
}

func newIssuer(t testing.TB, list ...jose.JSONWebKey) *issuer {
	t.Helper()
	i := &issuer{keys: list}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		switch {
		case i.down:
			w.WriteHeader(http.StatusBadGateway)
		case r.URL.Path == "/.well-known/openid-configuration":
			name := i.name
			if name == "" {
				name = i.URL
			}
			json.NewEncoder(w).Encode(map[string]string{"issuer": name, "jwks_uri": i.URL + "/keys"})
		case r.URL.Path == "/keys":
			i.asked.Add(1)
			json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: i.keys})
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) set(down bool, list ...jose.JSONWebKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
	if list != nil {
		i.keys = list
	}
}

// pair is a signing key.
type pair struct {
	id      string
	alg     jose.SignatureAlgorithm
	private crypto.Signer
}

func (p pair) public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: p.private.Public(), KeyID: p.id, Algorithm: string(p.alg), Use: "sig"}
}

// token signs claims; extra goes into the header.
func (p pair) token(t testing.TB, claims map[string]any, extra map[string]any) string {
	t.Helper()
	opt := (&jose.SignerOptions{}).WithType("JWT")
	for k, v := range extra {
		opt = opt.WithHeader(jose.HeaderKey(k), v)
	}
	var key any = p.private
	if p.id != "" {
		key = jose.JSONWebKey{Key: p.private, KeyID: p.id}
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: p.alg, Key: key}, opt)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := s.Sign(b)
	if err != nil {
		t.Fatal(err)
	}
	text, err := sig.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Making RSA keys is slow, so the tests share some.
var rsaKeys = sync.OnceValue(func() (out [3]*rsa.PrivateKey) {
	for i, bits := range []int{2048, 2048, 1024} {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			panic(err)
		}
		out[i] = k
	}
	return out
})

func ec(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func claims(i *issuer, change ...any) map[string]any {
	c := map[string]any{"iss": i.URL, "aud": "tandem", "sub": "alice@example.com", "exp": noon.Add(time.Hour).Unix(), "roles": []string{"score", "admin"}}
	for k := 0; k < len(change); k += 2 {
		if c[change[k].(string)] = change[k+1]; change[k+1] == nil {
			delete(c, change[k].(string))
		}
	}
	return c
}

func verifier(t testing.TB, i *issuer, change func(*oidc.Options)) *oidc.Verifier {
	t.Helper()
	opt := oidc.Options{Issuer: i.URL, Audience: "tandem"}
	if change != nil {
		change(&opt)
	}
	v, err := oidc.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestGoodTokens(t *testing.T) {
	t.Parallel()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pairs := []pair{{"r", jose.RS256, rsaKeys()[0]}, {"p", jose.PS512, rsaKeys()[1]}, {"e", jose.ES256, ec(t)}, {"d", jose.EdDSA, ed}}
	var list []jose.JSONWebKey
	for _, p := range pairs {
		list = append(list, p.public())
	}
	i := newIssuer(t, list...)
	v := verifier(t, i, nil)
	for _, p := range pairs {
		for range 2 {
			k, err := v.Check(p.token(t, claims(i), nil), noon)
			if err != nil || !reflect.DeepEqual(k.Scopes, []keys.Scope{keys.Score}) || !strings.HasPrefix(k.ID, "oidc-") || strings.Contains(fmt.Sprint(k), "alice") {
				t.Errorf("%s: %+v %v", p.alg, k, err)
			}
		}
		p.id = "" // a token may leave the key's name out
		if _, err := v.Check(p.token(t, claims(i), nil), noon); err != nil {
			t.Errorf("%s without a name: %v", p.alg, err)
		}
	}
	if n := i.asked.Load(); n != 1 {
		t.Errorf("the issuer was asked %d times", n)
	}
	e := pairs[2]
	a, _ := v.Check(e.token(t, claims(i), nil), noon)
	b, _ := v.Check(e.token(t, claims(i, "sub", "bob", "aud", []string{"x", "tandem"}), nil), noon)
	if a.ID == b.ID || b.ID == "" {
		t.Errorf("two subjects: %s, %s", a.ID, b.ID)
	}
	// One that was good is not for ever.
	if _, err := v.Check(e.token(t, claims(i), nil), noon.Add(time.Hour+29*time.Second)); err != nil {
		t.Errorf("within what clocks may differ: %v", err)
	}
	again := e.token(t, claims(i), nil)
	if _, err := v.Check(again, noon); err != nil {
		t.Error(err)
	}
	if _, err := v.Check(again, noon.Add(time.Hour+30*time.Second)); !errors.Is(err, keys.ErrExpired) {
		t.Errorf("a token that was remembered, and expired: %v", err)
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	p := pair{"e", jose.ES256, ec(t)}
	i := newIssuer(t, p.public())
	for _, tt := range []struct {
		claim string
		extra []any
		want  []keys.Scope
	}{
		{"", []any{"roles", []string{"read", "tandem:operate", "tandem-approve"}}, []keys.Scope{keys.Read, keys.Operate, keys.Approve}},
		{"", []any{"roles", nil}, nil},
		{"", []any{"roles", 7}, nil},
		{"", []any{"roles", []any{7, "Score", "scores", "other:score", "tandem:"}}, nil},
		{"scope", []any{"scope", "openid score read"}, []keys.Scope{keys.Score, keys.Read}},
		{"realm_access.roles", []any{"realm_access", map[string]any{"roles": []string{"approve"}}}, []keys.Scope{keys.Approve}},
		{"https://example.com/roles", []any{"https://example.com/roles", []string{"read"}}, []keys.Scope{keys.Read}},
		{"realm_access.roles", []any{"realm_access", "score"}, nil},
		{"other", nil, nil},
	} {
		v := verifier(t, i, func(o *oidc.Options) { o.Roles = tt.claim })
		if k, err := v.Check(p.token(t, claims(i, tt.extra...), nil), noon); err != nil || !reflect.DeepEqual(k.Scopes, tt.want) {
			t.Errorf("%s of %v: %v %v, want %v", tt.claim, tt.extra, k.Scopes, err, tt.want)
		}
	}
}

// encode writes a token by hand, with the signature that sign makes.
func encode(t testing.TB, header string, claims map[string]any, sign func(string) []byte) string {
	t.Helper()
	b, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	enc := base64.RawURLEncoding
	text := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString(b)
	return text + "." + enc.EncodeToString(sign(text))
}

func TestForgedTokens(t *testing.T) {
	t.Parallel()
	good, weak := pair{"r", jose.RS256, rsaKeys()[0]}, pair{"weak", jose.RS256, rsaKeys()[2]}
	mine := pair{"e", jose.ES256, ec(t)}
	enc := jose.JSONWebKey{Key: rsaKeys()[1].Public(), KeyID: "enc", Use: "enc"}
	shared := jose.JSONWebKey{Key: []byte("0123456789abcdef0123456789abcdef"), KeyID: "shared", Use: "sig"}
	i := newIssuer(t, good.public(), weak.public(), enc, shared)
	v := verifier(t, i, nil)
	if _, err := v.Check(good.token(t, claims(i), nil), noon); err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(good.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	thumb, err := json.Marshal(good.public())
	if err != nil {
		t.Fatal(err)
	}
	mac := func(secret []byte) func(string) []byte {
		return func(text string) []byte {
			m := hmac.New(sha256.New, secret)
			m.Write([]byte(text))
			return m.Sum(nil)
		}
	}
	nothing := func(string) []byte { return nil }
	visited := make(chan string, 10)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { visited <- r.URL.Path }))
	defer evil.Close()
	own, err := json.Marshal(mine.public())
	if err != nil {
		t.Fatal(err)
	}
	valid := good.token(t, claims(i), nil)
	parts := strings.Split(valid, ".")
	other := strings.Split(good.token(t, claims(i, "roles", []string{"approve"}, "iss", "x"), nil), ".")
	tests := map[string]string{
		"alg none":                       encode(t, `{"alg":"none","typ":"JWT"}`, claims(i), nothing),
		"alg None":                       encode(t, `{"alg":"None","kid":"r"}`, claims(i), nothing),
		"alg none with a signature":      encode(t, `{"alg":"none","kid":"r"}`, claims(i), func(string) []byte { return []byte("x") }),
		"no alg":                         encode(t, `{"kid":"r"}`, claims(i), nothing),
		"HS256 with the public key, PEM": encode(t, `{"alg":"HS256","kid":"r"}`, claims(i), mac(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))),
		"HS256 with the public key, DER": encode(t, `{"alg":"HS256","kid":"r"}`, claims(i), mac(der)),
		"HS256 with the public key, JWK": encode(t, `{"alg":"HS256","kid":"r"}`, claims(i), mac(thumb)),
		"HS256 with a shared key":        encode(t, `{"alg":"HS256","kid":"shared"}`, claims(i), mac(shared.Key.([]byte))),
		"HS256 with an empty key":        encode(t, `{"alg":"HS256","kid":""}`, claims(i), mac(nil)),
		"RS256 claimed, HMAC signed":     encode(t, `{"alg":"RS256","kid":"r"}`, claims(i), mac(der)),
		"another key under its name":     pair{"r", jose.RS256, rsaKeys()[1]}.token(t, claims(i), nil),
		"another kind of key":            pair{"r", jose.ES256, mine.private}.token(t, claims(i), nil),
		"another algorithm than its key": pair{"r", jose.PS256, rsaKeys()[0]}.token(t, claims(i), nil),
		"a key for encryption":           pair{"enc", jose.RS256, rsaKeys()[1]}.token(t, claims(i), nil),
		"a short key":                    weak.token(t, claims(i), nil),
		"kid as a path":                  pair{"../../../../dev/null", jose.ES256, mine.private}.token(t, claims(i), nil),
		"kid as SQL":                     pair{"x' UNION SELECT 'k", jose.ES256, mine.private}.token(t, claims(i), nil),
		"kid of a number":                encode(t, `{"alg":"RS256","kid":7}`, claims(i), nothing),
		"its own key in jwk":             encode(t, `{"alg":"ES256","jwk":`+string(own)+`}`, claims(i), nothing),
		"its own key, signed":            mine.token(t, claims(i), map[string]any{"jwk": mine.public()}),
		"its own keys by jku":            mine.token(t, claims(i), map[string]any{"jku": evil.URL + "/keys"}),
		"its own keys by x5u":            mine.token(t, claims(i), map[string]any{"x5u": evil.URL + "/cert"}),
		"an unknown crit":                encode(t, `{"alg":"RS256","kid":"r","crit":["x"],"x":1}`, claims(i), nothing),
		"wrong issuer":                   good.token(t, claims(i, "iss", "https://evil.example"), nil),
		"issuer with a slash":            good.token(t, claims(i, "iss", i.URL+"/"), nil),
		"no issuer":                      good.token(t, claims(i, "iss", nil), nil),
		"wrong audience":                 good.token(t, claims(i, "aud", "shop"), nil),
		"wrong audiences":                good.token(t, claims(i, "aud", []string{"shop", "tandem2"}), nil),
		"no audience":                    good.token(t, claims(i, "aud", nil), nil),
		"never expires":                  good.token(t, claims(i, "exp", nil), nil),
		"expires in words":               good.token(t, claims(i, "exp", "tomorrow"), nil),
		"not yet":                        good.token(t, claims(i, "nbf", noon.Add(31*time.Second).Unix()), nil),
		"no subject":                     good.token(t, claims(i, "sub", nil), nil),
		"other claims, old signature":    parts[0] + "." + other[1] + "." + parts[2],
		"no signature":                   parts[0] + "." + parts[1] + ".",
		"a changed signature":            parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
		"claims twice":                   encode2(t, good, `{"iss":"`+i.URL+`","aud":"tandem","sub":"a","exp":99999999999,"roles":["score"],"roles":["approve"]}`),
		"not JSON":                       encode2(t, good, `score`),
		"empty parts":                    "..",
		"too long":                       valid + strings.Repeat("A", 20_000),
		"a key's text":                   "tandem_0123456789abcdef_00",
		"":                               "",
	}
	for name, text := range tests {
		if k, err := v.Check(text, noon); !errors.Is(err, keys.ErrUnknown) {
			t.Errorf("%s: %+v %v", name, k, err)
		}
	}
	if k, err := v.Check(good.token(t, claims(i, "exp", noon.Add(-31*time.Second).Unix()), nil), noon); !errors.Is(err, keys.ErrExpired) {
		t.Errorf("expired: %+v %v", k, err)
	}
	select {
	case path := <-visited:
		t.Errorf("the address %s that a token named was visited", path)
	default:
	}
	if n := i.asked.Load(); n > 2 {
		t.Errorf("forged tokens made it ask the issuer %d times", n)
	}
}

// encode2 signs any payload.
func encode2(t testing.TB, p pair, payload string) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: p.alg, Key: jose.JSONWebKey{Key: p.private, KeyID: p.id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := s.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	text, err := sig.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestRotationAndOutage(t *testing.T) {
	t.Parallel()
	first, second := pair{"1", jose.ES256, ec(t)}, pair{"2", jose.ES256, ec(t)}
	i := newIssuer(t, first.public())
	i.set(true)
	var clock atomic.Int64
	v := verifier(t, i, func(o *oidc.Options) {
		o.Now = func() time.Time { return noon.Add(time.Duration(clock.Load())) }
	})
	check := func(p pair) error {
		_, err := v.Check(p.token(t, claims(i, "jti", fmt.Sprint(clock.Load())), nil), noon)
		return err
	}
	if err := check(first); !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("an issuer that never answered: %v", err)
	}
	if err := v.Load(t.Context()); err == nil || !strings.Contains(err.Error(), "502") {
		t.Errorf("load: %v", err)
	}
	i.set(false)
	if err := check(first); !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("it is asked more often than it should be: %v", err)
	}
	clock.Add(int64(10 * time.Second))
	if err := check(first); err != nil {
		t.Errorf("the issuer is back: %v", err)
	}
	// A new key is found, and a flood of unknown ones asks once in ten seconds.
	i.set(false, first.public(), second.public())
	asked := i.asked.Load()
	for range 50 {
		if err := check(pair{"3", jose.ES256, second.private}); !errors.Is(err, keys.ErrUnknown) {
			t.Errorf("unknown: %v", err)
		}
	}
	if n := i.asked.Load() - asked; n != 0 {
		t.Errorf("asked %d times within ten seconds", n)
	}
	clock.Add(int64(10 * time.Second))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := check(second); err != nil {
				t.Errorf("a new key: %v", err)
			}
		})
	}
	all.Wait()
	if n := i.asked.Load() - asked; n != 1 {
		t.Errorf("asked %d times for a new key", n)
	}
	// While the issuer is down, known keys count, for days.
	i.set(true)
	clock.Add(int64(48 * time.Hour))
	for _, p := range []pair{first, second} {
		if err := check(p); err != nil {
			t.Errorf("an outage: %v", err)
		}
	}
	// What the issuer withdraws does not, also of tokens that were remembered.
	token := first.token(t, claims(i), nil)
	if _, err := v.Check(token, noon); err != nil {
		t.Error(err)
	}
	i.set(false, second.public())
	if err := v.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Check(token, noon); !errors.Is(err, keys.ErrUnknown) {
		t.Errorf("a key that was withdrawn: %v", err)
	}
}

func TestIssuers(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "login.example.com", "http://login.example.com", "http://127.0.0.1.example.com", "ftp://login.example.com", "https://user@login.example.com", "https://", "file:///etc", "http://[::2]"} {
		if _, err := oidc.New(oidc.Options{Issuer: bad, Audience: "a"}); err == nil {
			t.Errorf("the issuer %q is taken", bad)
		}
	}
	if _, err := oidc.New(oidc.Options{Issuer: "https://login.example.com"}); err == nil {
		t.Error("no audience is taken")
	}
	for _, good := range []string{"https://login.example.com/realms/us", "http://localhost:8080", "http://[::1]:1"} {
		if _, err := oidc.New(oidc.Options{Issuer: good, Audience: "a"}); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	i := newIssuer(t)
	i.name = "https://other.example"
	if err := verifier(t, i, nil).Load(t.Context()); err == nil || !strings.Contains(err.Error(), "calls itself") {
		t.Errorf("another name: %v", err)
	}
	i.mu.Lock()
	i.name = ""
	i.mu.Unlock()
	if err := verifier(t, i, nil).Load(t.Context()); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("no keys: %v", err)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"not JSON":          func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) },
		"endless":           func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte(" "), 2<<20)) },
		"keys in the clear": nil,
		"a redirect to the clear": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://login.example.com/", http.StatusFound)
		},
	} {
		var url string
		if answer == nil {
			answer = func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":"http://keys.example.com/"}`, url)
			}
		}
		s := httptest.NewServer(answer)
		url = s.URL
		v, err := oidc.New(oidc.Options{Issuer: s.URL, Audience: "a"})
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Load(t.Context()); err == nil {
			t.Errorf("%s is taken", name)
		}
		s.Close()
	}
}

func TestKeysSideBySide(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text, _, err := keys.Create(dir, "shop", []keys.Scope{keys.Read}, 0, noon)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	p := pair{"e", jose.ES256, ec(t)}
	i := newIssuer(t, p.public())
	both, alone := oidc.Keys{Ring: ring, Tokens: verifier(t, i, nil)}, oidc.Keys{Tokens: verifier(t, i, nil)}
	for _, k := range []oidc.Keys{both, alone} {
		if got, err := k.Check(p.token(t, claims(i), nil), noon); err != nil || !got.Has(keys.Score) {
			t.Errorf("a token: %+v %v", got, err)
		}
	}
	if k, err := both.Check(text, noon); err != nil || !k.Has(keys.Read) {
		t.Errorf("a key: %+v %v", k, err)
	}
	if _, err := alone.Check(text, noon); !errors.Is(err, keys.ErrUnknown) {
		t.Errorf("a key where there are none: %v", err)
	}
}

// FuzzCheck sends any text as a token.
func FuzzCheck(f *testing.F) {
	p := pair{"e", jose.ES256, ec(f)}
	i := newIssuer(f, p.public())
	v := verifier(f, i, nil)
	f.Add(p.token(f, claims(i), nil))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	good := p.token(f, claims(i), nil)
	f.Fuzz(func(t *testing.T, text string) {
		_, err := v.Check(text, noon)
		if err == nil && text != good && !strings.HasPrefix(text, good[:strings.LastIndexByte(good, '.')]) {
			// ECDSA signs with a random number, so only seeds of ours are good.
			if strings.Count(text, ".") != 2 || strings.Split(text, ".")[1] != strings.Split(good, ".")[1] {
				t.Fatalf("%q is taken", text)
			}
		}
	})
}
