package serve

import (
	"net"
	"net/http"
	"strings"
)

// Guard refuses what a browser could be tricked into sending: a request whose
// Host is neither the bound address nor localhost, 127.0.0.1 or [::1] with the
// bound port (421; a name of another site that resolves to this machine), and
// one that may change something and comes from another origin (403). The
// routes themselves take no body that a form of another site could send: it
// must be declared as a type that no form has (415). [Server.Serve] puts it in front of
// everything; next may be any handler. A server bound to all interfaces goes by
// names that it cannot know, so it takes any Host.
func (s *Server) Guard(bound net.Addr, next http.Handler) http.Handler {
	hosts := allowedHosts(bound)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := strings.ToLower(r.Host)
		if hosts != nil && !hosts[host] {
			s.fail(w, r, refuse(http.StatusMisdirectedRequest, "host", "the Host header does not name this server; use the address it is bound to, or localhost"))
			return
		}
		switch r.Method {
		case http.MethodGet, http.MethodHead, http.MethodOptions:
		default:
			if !sameOrigin(r, host) {
				s.fail(w, r, refuse(http.StatusForbidden, "origin", "requests that change something must come from this server's own pages or from a program"))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// allowedHosts lists the Host headers that mean this server, in lower case;
// nil: any.
func allowedHosts(bound net.Addr) map[string]bool {
	if t, ok := bound.(*net.TCPAddr); ok && t.IP.IsUnspecified() {
		return nil
	}
	host, port, err := net.SplitHostPort(bound.String())
	if err != nil {
		return map[string]bool{}
	}
	out := make(map[string]bool)
	for _, h := range []string{host, "localhost", "127.0.0.1", "::1"} {
		full := strings.ToLower(net.JoinHostPort(h, port))
		out[full] = true
		if port == "80" { // which clients leave out
			out[strings.TrimSuffix(full, ":80")] = true
		}
	}
	return out
}

func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https://"
	}
	return "http://"
}

// sameOrigin reports whether a request comes from a page of this host or, as
// browsers always send one of these headers, from no browser at all.
func sameOrigin(r *http.Request, host string) bool {
	h := r.Header
	for _, site := range h.Values("Sec-Fetch-Site") {
		if site != "same-origin" {
			return false
		}
	}
	for _, origin := range h.Values("Origin") {
		if origin != schemeOf(r)+host {
			return false
		}
	}
	return true
}
