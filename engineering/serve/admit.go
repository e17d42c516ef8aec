package serve

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tandem-ml/tandem/engineering/keys"
)

// Keys says whose key a text is, or why it is none; *keys.Ring is one.
type Keys interface {
	Check(text string, now time.Time) (keys.Key, error)
}

// admit lets those pass whose key has the scope; without Options.Keys, and
// without a scope, everybody.
func (s *Server) admit(scope keys.Scope, next http.Handler) http.Handler {
	if s.opt.Keys == nil || scope == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e := s.admitted(keyOf(r), r.RemoteAddr, scope); e != nil {
			switch e.Status {
			case http.StatusTooManyRequests:
				w.Header().Set("Retry-After", "60")
			case http.StatusUnauthorized:
				// Programs send a bearer token; a browser asks its user for a password.
				w.Header().Add("WWW-Authenticate", `Bearer realm="tandem"`)
				w.Header().Add("WWW-Authenticate", `Basic realm="tandem: any name, and a key as the password", charset="UTF-8"`)
			}
			s.fail(w, r, e)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// admitted returns why a caller is refused, nil if its key has the scope.
func (s *Server) admitted(key, remote string, scope keys.Scope) *refusal {
	k, err := s.opt.Keys.Check(key, s.opt.Now())
	switch {
	case err != nil && s.failures.another(remote, s.opt.Now()):
		return refuse(http.StatusTooManyRequests, "failures", "too many requests without a good key came from there; try again in a minute")
	case errors.Is(err, keys.ErrExpired):
		return refuse(http.StatusUnauthorized, "key", "the key has expired")
	case err != nil:
		return refuse(http.StatusUnauthorized, "key", "send a key as Authorization: Bearer KEY")
	case !k.Has(scope):
		return refuse(http.StatusForbidden, "scope", "the key is good, but not for this: it lacks the scope "+string(scope))
	}
	return nil
}

// keyOf returns the key that a request brings: as a bearer token or as the
// password of basic authentication, "" if there is none or several.
func keyOf(r *http.Request) string {
	if len(r.Header.Values("Authorization")) != 1 {
		return ""
	}
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	kind, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "Bearer") {
		return ""
	}
	return strings.TrimSpace(text)
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
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts == nil || !now.Before(f.until) || len(f.counts) >= mostAddresses {
		f.counts, f.until = make(map[string]int), now.Add(time.Minute)
	}
	f.counts[host]++
	return f.counts[host] > mostFailures
}
