// Package oidc answers "is this bearer token good, and for what?": tokens that an
// OpenID Connect issuer signs, such as Keycloak, Entra ID, Okta or Auth0.
//
// # Main idea
//
// A token is a JWT (RFC 7519). A [Verifier] checks its signature against the
// issuer's public keys, then issuer, audience and times, and makes of it the
// [keys.Key] that an API key would be: [Keys] takes both side by side. The
// issuer is asked for its keys only, and seldom; while it is down, the keys that
// are known go on counting.
//
// # What is not believed
//
// A token says which algorithm and which key it is for. Only asymmetric
// algorithms are taken, and only keys that the issuer publishes for signing, by
// the name the token gives; keys and addresses that a token brings along (jwk,
// jku, x5c, x5u) are never looked at. Roles that are no scope are passed over.
package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/keys"
)

// Options say whose tokens are taken.
type Options struct {
	Issuer   string // its URL, as tokens have it in iss; https, but for this machine
	Audience string // the name of this service, which tokens must have in aud
	Roles    string // the claim with the roles; "": roles. A path with dots leads into objects: realm_access.roles

	Client *http.Client     // nil: one that gives up after 5 s
	Now    func() time.Time // the clock of looking for keys; nil: time.Now
}

const (
	leeway    = 30 * time.Second // that clocks may differ by
	refetch   = 10 * time.Second // between two looks for keys, whoever asks
	fresh     = 10 * time.Minute // after which keys are looked for anew, beside the requests
	mostToken = 16 << 10         // bytes
	mostBody  = 1 << 20          // bytes that the issuer may answer
	mostKeys  = 100
	mostKnown = 10_000 // tokens whose check is remembered
	leastRSA  = 2048   // bits
)

// algorithms are those that a token may be signed with.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// Verifier checks tokens of one issuer. Its methods are safe for concurrent use.
type Verifier struct {
	opt    Options
	client *http.Client

	fetching sync.Mutex // held while the issuer is asked

	mu     sync.Mutex
	keys   []jose.JSONWebKey
	looked time.Time // when the issuer was last asked; zero: never
	loaded time.Time // when it last answered
	known  map[[32]byte]verified
}

// verified is a token whose signature and claims were found good.
type verified struct {
	key     keys.Key
	expires time.Time
}

// New returns a verifier that has not yet asked the issuer for anything:
// [Verifier.Load] does, and else the first token. The errors are those of
// options.
func New(opt Options) (*Verifier, error) {
	if opt.Roles == "" {
		opt.Roles = "roles"
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Audience == "" {
		return nil, data.WithHint(errors.New("tokens need an audience"), "name this service as the issuer does, with --oidc-audience: without, tokens made for other services would be taken")
	}
	if err := secure(opt.Issuer); err != nil {
		return nil, fmt.Errorf("the issuer of tokens: %w", err)
	}
	v := &Verifier{opt: opt, known: make(map[[32]byte]verified)}
	client := http.Client{Timeout: 5 * time.Second}
	if opt.Client != nil {
		client = *opt.Client
	}
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) > 3 {
			return errors.New("too many redirects")
		}
		return secure(r.URL.String())
	}
	v.client = &client
	return v, nil
}

// secure returns an error unless nobody on the way can change what a URL
// answers.
func secure(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("it is not the URL of a server, such as https://login.example.com/realms/us")
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return errors.New("its URL must begin with https://, or else keys could be forged on the way")
}

// Load asks the issuer for its keys.
func (v *Verifier) Load(ctx context.Context) error {
	v.fetching.Lock()
	defer v.fetching.Unlock()
	return v.load(ctx)
}

// load asks the issuer, with v.fetching held.
func (v *Verifier) load(ctx context.Context) error {
	v.mu.Lock()
	v.looked = v.opt.Now()
	v.mu.Unlock()
	list, err := v.fetch(ctx)
	if err != nil {
		return fmt.Errorf("keys of the issuer %s: %w", v.opt.Issuer, err)
	}
	v.mu.Lock()
	v.keys, v.loaded = list, v.opt.Now()
	clear(v.known) // a key may have been withdrawn
	v.mu.Unlock()
	return nil
}

// fetch reads the issuer's description of itself and the keys that it names.
func (v *Verifier) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	var about struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := v.get(ctx, strings.TrimSuffix(v.opt.Issuer, "/")+"/.well-known/openid-configuration", &about); err != nil {
		return nil, err
	}
	if about.Issuer != v.opt.Issuer {
		return nil, fmt.Errorf("it calls itself %.200q", about.Issuer)
	}
	if err := secure(about.Keys); err != nil {
		return nil, fmt.Errorf("where it keeps them: %w", err)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := v.get(ctx, about.Keys, &set); err != nil {
		return nil, err
	}
	var list []jose.JSONWebKey
	for _, raw := range set.Keys[:min(len(set.Keys), mostKeys)] {
		var k jose.JSONWebKey
		if json.Unmarshal(raw, &k) == nil && signs(&k) { // others are for other purposes, or of kinds to come
			list = append(list, k)
		}
	}
	if len(list) == 0 {
		return nil, errors.New("there is none that can check a signature")
	}
	return list, nil
}

// signs reports whether a key is a public one for signatures, and long enough.
func signs(k *jose.JSONWebKey) bool {
	if k.Use != "" && k.Use != "sig" || !k.Valid() {
		return false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= leastRSA
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false // a shared secret, or a private key
}

func (v *Verifier) get(ctx context.Context, from string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json")
	resp, err := v.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers with status %d", from, resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, mostBody+1))
	if err != nil {
		return err
	}
	if len(b) > mostBody || json.Unmarshal(b, into) != nil {
		return fmt.Errorf("%s does not answer with the JSON that it should, of at most %d bytes", from, mostBody)
	}
	return nil
}

// Check returns what a token is good for: a key whose id stands for the
// subject, without its name, and whose scopes are those of its roles.
//
// Errors: [keys.ErrUnknown], with what is wrong for the log, [keys.ErrExpired],
// and [keys.ErrUnavailable] while the issuer has never answered.
func (v *Verifier) Check(text string, now time.Time) (keys.Key, error) {
	if len(text) > mostToken || strings.Count(text, ".") != 2 {
		return keys.Key{}, keys.ErrUnknown
	}
	sum := sha256.Sum256([]byte(text))
	v.mu.Lock()
	was, known := v.known[sum]
	v.mu.Unlock()
	v.refresh()
	if known {
		if !now.Before(was.expires.Add(leeway)) {
			return keys.Key{}, keys.ErrExpired
		}
		return was.key, nil
	}
	token, err := jwt.ParseSigned(text, algorithms)
	if err != nil || len(token.Headers) != 1 {
		return keys.Key{}, fmt.Errorf("%w: it is no token signed with an asymmetric algorithm", keys.ErrUnknown)
	}
	var c jwt.Claims
	var all map[string]any
	if err := v.verify(token, &c, &all); err != nil {
		return keys.Key{}, err
	}
	key, expires, err := v.read(&c, all, now)
	if err != nil {
		return keys.Key{}, err
	}
	v.mu.Lock()
	if len(v.known) >= mostKnown {
		clear(v.known)
	}
	v.known[sum] = verified{key, expires}
	v.mu.Unlock()
	return key, nil
}

// verify finds the key that signed a token and reads the claims. If no key of its
// name is known, the issuer is asked, unless it just was.
func (v *Verifier) verify(token *jwt.JSONWebToken, claims ...any) error {
	head := token.Headers[0]
	try := func() (found, ok bool) {
		v.mu.Lock()
		list := v.keys // replaced, never changed
		v.mu.Unlock()
		for i := range list {
			k := &list[i]
			if head.KeyID != "" && k.KeyID != head.KeyID || k.Algorithm != "" && k.Algorithm != head.Algorithm {
				continue
			}
			found = true
			if token.Claims(k.Key, claims...) == nil {
				return true, true
			}
		}
		return found && head.KeyID != "", false
	}
	found, ok := try()
	if !ok && !found {
		v.ask()
		_, ok = try()
	}
	switch {
	case ok:
		return nil
	case v.never():
		return keys.ErrUnavailable
	}
	return fmt.Errorf("%w: no key of the issuer has signed it, or its claims cannot be read", keys.ErrUnknown)
}

// never reports whether the issuer has never answered.
func (v *Verifier) never() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.loaded.IsZero()
}

// ask asks the issuer for new keys unless it was asked a moment ago, or waits
// for another who does.
func (v *Verifier) ask() {
	if !v.fetching.TryLock() {
		v.fetching.Lock() // until the other has its answer, which will do
		defer v.fetching.Unlock()
		return
	}
	defer v.fetching.Unlock()
	v.mu.Lock()
	due := v.looked.IsZero() || v.opt.Now().Sub(v.looked) >= refetch
	v.mu.Unlock()
	if due {
		_ = v.load(context.Background()) // bounded by the client's timeout; without an answer no key is found
	}
}

// refresh looks for new keys from time to time, beside the requests.
func (v *Verifier) refresh() {
	now := v.opt.Now()
	v.mu.Lock()
	stale := !v.loaded.IsZero() && now.Sub(v.loaded) >= fresh && now.Sub(v.looked) >= fresh/10
	v.mu.Unlock()
	if stale && v.fetching.TryLock() {
		go func() {
			defer v.fetching.Unlock()
			_ = v.load(context.Background()) // while it fails, the keys that are known count
		}()
	}
}

// read checks the claims of a token that the issuer has signed.
func (v *Verifier) read(c *jwt.Claims, all map[string]any, now time.Time) (keys.Key, time.Time, error) {
	unknown := func(what string) (keys.Key, time.Time, error) {
		return keys.Key{}, time.Time{}, fmt.Errorf("%w: %s", keys.ErrUnknown, what)
	}
	switch {
	case c.Issuer != v.opt.Issuer:
		return unknown("another issuer made it")
	case !slices.Contains(c.Audience, v.opt.Audience):
		return unknown("it is for another audience")
	case c.Subject == "" || len(c.Subject) > 255:
		return unknown("it has no subject")
	case c.Expiry == nil:
		return unknown("it never expires")
	case c.NotBefore != nil && now.Add(leeway).Before(c.NotBefore.Time()):
		return unknown("it is not valid yet")
	case !now.Before(c.Expiry.Time().Add(leeway)):
		return keys.Key{}, time.Time{}, keys.ErrExpired
	}
	sum := sha256.Sum256([]byte(c.Issuer + "\x00" + c.Subject))
	return keys.Key{ID: "oidc-" + hex.EncodeToString(sum[:8]), Scopes: scopesOf(claim(all, v.opt.Roles))}, c.Expiry.Time(), nil
}

// claim finds a claim by its name, or else by a path of names with dots.
func claim(claims map[string]any, name string) any {
	if value, ok := claims[name]; ok {
		return value
	}
	before, after, _ := strings.Cut(name, ".")
	inner, _ := claims[before].(map[string]any)
	if inner == nil || after == "" {
		return nil
	}
	return claim(inner, after)
}

// scopesOf returns the scopes among roles, a list or a text with spaces. A role
// is a scope's name, or that after "tandem:" or "tandem-".
func scopesOf(roles any) (out []keys.Scope) {
	var names []string
	switch r := roles.(type) {
	case string:
		names = strings.Fields(r)
	case []any:
		for _, role := range r {
			if name, ok := role.(string); ok {
				names = append(names, name)
			}
		}
	}
	for _, scope := range keys.Scopes {
		if slices.ContainsFunc(names, func(n string) bool {
			return n == string(scope) || n == "tandem:"+string(scope) || n == "tandem-"+string(scope)
		}) {
			out = append(out, scope)
		}
	}
	return out
}

// Keys takes the keys of a ring, which may be nil, and tokens.
type Keys struct {
	Ring   *keys.Ring
	Tokens *Verifier
}

// Check is [keys.Ring.Check] or [Verifier.Check], by what the text looks like.
func (k Keys) Check(text string, now time.Time) (keys.Key, error) {
	switch {
	case strings.Count(text, ".") == 2:
		return k.Tokens.Check(text, now)
	case k.Ring == nil:
		return keys.Key{}, keys.ErrUnknown
	}
	return k.Ring.Check(text, now)
}
