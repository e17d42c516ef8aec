package serve

import (
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"strconv"
	"syscall"

	"github.com/tandem-ml/tandem/data"
)

// ErrNotLoopback says that an address is reachable from other machines, where
// this server, which knows no keys, must not listen.
var ErrNotLoopback = errors.New("the address is not a loopback address")

// Listen binds a TCP address of this machine's loopback interface: host:port
// with host 127.0.0.1, [::1] or localhost. Any other host, the empty one
// included, is ErrNotLoopback.
func Listen(address string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, data.WithHint(fmt.Errorf("address %q: %w", address, err), "write it as 127.0.0.1:8080")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return nil, data.WithHint(fmt.Errorf("address %q: %q is not a port", address, port), "a port is a number from 0 to 65535")
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, data.WithHint(fmt.Errorf("listen on %q: %w", address, ErrNotLoopback),
			"the server has no keys, so it answers this machine only: use 127.0.0.1:%s, and a proxy with authentication in front of it for others", port)
	}
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, data.WithHint(fmt.Errorf("listen on %s: the port is in use by another program", address), "stop it, or choose another with --address")
	}
	return l, err
}

// Guard refuses what a browser could be tricked into sending: a request whose
// Host is not the bound address or localhost (421, DNS rebinding), and one that
// changes state from another origin (403) or without a JSON body (415), which
// a form of another site cannot send.
func (s *Server) Guard(bound net.Addr, next http.Handler) http.Handler {
	hosts := allowedHosts(bound)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("X-Frame-Options", "DENY")
		if !hosts[r.Host] {
			s.fail(w, r, refuse(http.StatusMisdirectedRequest, "host", "the Host header does not name this server; use the address it is bound to, or localhost"))
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions {
			if !sameOrigin(r) {
				s.fail(w, r, refuse(http.StatusForbidden, "origin", "requests that change state must come from this server's own pages or from a program"))
				return
			}
			if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
				s.fail(w, r, refuse(http.StatusUnsupportedMediaType, "content_type", "the body must be JSON, declared as Content-Type: application/json"))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// allowedHosts lists the Host headers that mean this server.
func allowedHosts(bound net.Addr) map[string]bool {
	host, port, err := net.SplitHostPort(bound.String())
	if err != nil {
		return nil
	}
	out := make(map[string]bool)
	for _, h := range []string{host, "localhost", "127.0.0.1", "::1"} {
		out[net.JoinHostPort(h, port)] = true
		if port == "80" {
			out[h] = true
		}
	}
	return out
}

func sameOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	origin := r.Header.Get("Origin")
	return origin == "" || origin == "http://"+r.Host
}
