package plain

import (
	"net"
	"net/http"
	"net/url"
	"time"
)

// Parsed is what a head says, for tests.
type Parsed struct {
	Path, Host   string
	URL          *url.URL
	Header       http.Header
	Close        bool
	Size, Length int
}

// Parse reads a head; after is nil or the bytes of a request before on the same
// connection. State is "whole", "partial" or "unusual".
func Parse(src, after []byte, route string) (p Parsed, state string) {
	var last *head
	if after != nil {
		if m, v := parse(after, route, nil); v == whole {
			last = m.head
		}
	}
	m, v := parse(src, route, last)
	switch v {
	case partial:
		return p, "partial"
	case unusual:
		return p, "unusual"
	}
	return Parsed{m.path, m.host, (&conn{Conn: noAddr{}}).newRequest(m.head).URL, m.header, m.close, m.size, m.length}, "whole"
}

// noAddr is a connection of which only the remote address is asked.
type noAddr struct{ net.Conn }

func (noAddr) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// SetGrace sets for how long a draining listener lets connections wait.
func (l *Listener) SetGrace(d time.Duration) { l.grace = d }
