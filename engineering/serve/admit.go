package serve

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tandem-ml/tandem/engineering/keys"
	"github.com/tandem-ml/tandem/engineering/limit"
)

// Keys says whose key a text is, or why it is none; *keys.Ring is one.
type Keys interface {
	Check(text string, now time.Time) (keys.Key, error)
}

// admit lets those pass who may ask: with Options.Keys whose key has the scope,
// and nobody more often than its rate allows. Without a scope everybody may;
// metrics are looked at most when there is too much of everything else.
func (s *Server) admit(scope keys.Scope, path string, next http.Handler) http.Handler {
	counted := path != "/metrics"
	if scope == "" || s.opt.Keys == nil && !(counted && s.opt.Limits.Rate.Limited()) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, no := s.admitted(r.Header["Authorization"], r.RemoteAddr, scope, counted)
		if no != nil {
			if no.Status == http.StatusUnauthorized {
				// Programs send a bearer token; a browser asks its user for a password.
				w.Header().Add("WWW-Authenticate", `Bearer realm="tandem"`)
				w.Header().Add("WWW-Authenticate", `Basic realm="tandem: any name, and a key as the password", charset="UTF-8"`)
			}
			s.fail(w, r, no)
			return
		}
		if len(r.Header["Idempotency-Key"]) > 0 {
			r = r.WithContext(context.WithValue(r.Context(), callerKey{}, who))
		}
		next.ServeHTTP(w, r)
	})
}

// admitted says who a caller is, "" without keys, or why it is refused: by the
// values of its Authorization header, the address it comes from, and the scope
// of what it asks for. A request that is counted counts towards the caller's
// rate.
func (s *Server) admitted(authorization []string, remote string, scope keys.Scope, counted bool) (who string, no *refusal) {
	rate, caller := s.opt.Limits.Rate, ""
	if s.opt.Keys != nil {
		k, err := s.opt.Keys.Check(keyIn(authorization), s.opt.Now())
		switch {
		case errors.Is(err, keys.ErrUnavailable):
			e := refuse(http.StatusServiceUnavailable, "issuer", "whether the token is good cannot be told now; try again later")
			e.cause = err
			return "", e
		case err != nil && s.failures.another(remote, s.opt.Now()):
			return "", s.tooMany("failures", time.Minute, "too many requests without a good key came from there; try again in a minute")
		case errors.Is(err, keys.ErrExpired):
			return "", refuse(http.StatusUnauthorized, "key", "the key has expired")
		case err != nil:
			return "", refuse(http.StatusUnauthorized, "key", "send a key as Authorization: Bearer KEY")
		case !k.Has(scope):
			return "", refuse(http.StatusForbidden, "scope", "the key is good, but not for this: it lacks the scope "+string(scope))
		}
		if who, caller = k.ID, k.ID; k.Rate.Limited() {
			rate = k.Rate
		}
	}
	if counted && rate.Limited() {
		if caller == "" {
			caller = limit.Address(remote)
		}
		if wait, ok := s.rates.Allow(caller, rate, s.opt.Now()); !ok {
			return "", s.tooMany("rate", wait, "more requests came than this caller may send; Retry-After says when the next one may come")
		}
	}
	return who, nil
}

// keyIn returns the key that values of an Authorization header bring: as a
// bearer token or as the password of basic authentication, "" if there is none
// or several.
func keyIn(authorization []string) string {
	if len(authorization) != 1 {
		return ""
	}
	kind, text, _ := strings.Cut(authorization[0], " ")
	switch {
	case strings.EqualFold(kind, "Bearer"):
		return strings.TrimSpace(text)
	case strings.EqualFold(kind, "Basic"):
		plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err == nil {
			_, password, _ := strings.Cut(string(plain), ":")
			return password
		}
	}
	return ""
}

// failures counts requests without a good key by where they come from. A good
// key is taken whatever was before it: secrets of 256 bits are not guessed, so
// this only keeps the guessing from costing more than a look into a map.
type failures struct {
	mu     sync.Mutex
	counts map[string]int
	until  time.Time // when counting begins anew
}

// A minute's failures from one address that are answered in full, and the
// addresses that are remembered.
const (
	mostFailures  = 30
	mostAddresses = 10_000
)

// another counts a failure and reports whether there were too many of late.
func (f *failures) another(remote string, now time.Time) bool {
	host := limit.Address(remote)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts == nil || !now.Before(f.until) || len(f.counts) >= mostAddresses {
		f.counts, f.until = make(map[string]int), now.Add(time.Minute)
	}
	f.counts[host]++
	return f.counts[host] > mostFailures
}
