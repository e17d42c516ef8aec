package load

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Kinds of errors, as they are counted.
const (
	kindRefused     = "refused"     // nobody listens there
	kindConnect     = "connect"     // no connection for another reason: name, route, descriptors
	kindTLS         = "tls"         // no TLS: certificate, protocol
	kindTimeout     = "timeout"     // no whole answer in time
	kindClosed      = "closed"      // closed before the whole answer
	kindReset       = "reset"       // reset by the other side
	kindMalformed   = "malformed"   // no HTTP
	kindUnsent      = "unsent"      // due, but no connection became free in time
	kindInterrupted = "interrupted" // under way when the run was stopped
	kindOther       = "other"
)

// waited reports whether a request of that kind of error waited at least as
// long as was counted for it.
func waited(kind string) bool {
	return kind == kindTimeout || kind == kindUnsent || kind == kindInterrupted
}

// kindOf names the kind of an error.
func kindOf(err error) string {
	var (
		bad    malformed
		dial   *dialError
		certs  *tls.CertificateVerificationError
		record tls.RecordHeaderError
		alert  tls.AlertError
		host   x509.HostnameError
		net    net.Error
	)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return kindRefused
	case errors.As(err, &certs), errors.As(err, &record), errors.As(err, &alert), errors.As(err, &host):
		return kindTLS
	case errors.As(err, &net) && net.Timeout(), errors.Is(err, os.ErrDeadlineExceeded):
		return kindTimeout
	case errors.As(err, &dial):
		return kindConnect
	case errors.As(err, &bad):
		return kindMalformed
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return kindReset
	case errors.Is(err, errNoAnswer), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return kindClosed
	}
	return kindOther
}

// dialError is an error of connecting.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// target says where requests go and what all of them have in common.
type target struct {
	address string
	tls     *tls.Config // nil: none
	head    []byte      // request line and header fields without the last
	body    bool        // requests have one
	timeout time.Duration
	dialer  func(ctx context.Context) (net.Conn, error)
}

func newTarget(u *url.URL, o *Options) *target {
	t := &target{address: u.Host, timeout: o.Timeout, body: o.Bodies != nil}
	t.dialer = o.dial
	if u.Port() == "" {
		t.address = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	if t.dialer == nil {
		t.dialer = func(ctx context.Context) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, "tcp", t.address) }
	}
	if u.Scheme == "https" {
		t.tls = &tls.Config{MinVersion: tls.VersionTLS12}
		if o.TLS != nil {
			t.tls = o.TLS.Clone()
		}
		if t.tls.ServerName == "" {
			t.tls.ServerName = u.Hostname()
		}
		t.tls.NextProtos = []string{"http/1.1"}
	}
	var h strings.Builder
	h.WriteString(o.method() + " " + u.RequestURI() + " HTTP/1.1\r\nHost: " + u.Host + "\r\nUser-Agent: tandem-bench\r\nAccept: */*\r\n")
	if o.Key != "" {
		h.WriteString("Authorization: Bearer " + o.Key + "\r\n")
	}
	if t.body {
		h.WriteString("Content-Type: " + o.ContentType + "\r\nContent-Length: ")
	}
	t.head = []byte(h.String())
	return t
}

// connection is one connection to the target, opened again when it must be. It
// is not safe for concurrent use but for cut.
type connection struct {
	*target
	mu     sync.Mutex // of conn, between the worker that sets it and cut
	conn   net.Conn
	in     *answers
	out    []byte    // the request being written
	used   time.Time // when the last answer ended; zero for a fresh connection
	opened int64     // how often it was opened
}

// idle is how long a connection must have been unused for its end to be an
// ordinary one: the request is then sent once more, on a fresh connection. A
// connection that ends sooner has swallowed a request, and that is an error.
const idle = time.Second

// dial opens the connection if there is none.
func (c *connection) dial(ctx context.Context) error {
	if c.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	conn, err := c.dialer(ctx)
	if err != nil {
		return &dialError{err}
	}
	if c.tls != nil {
		secure := tls.Client(conn, c.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return &dialError{err}
		}
		conn = secure
	}
	c.mu.Lock()
	c.conn = conn
	c.mu.Unlock()
	c.in, c.used = newAnswers(conn), time.Time{}
	c.opened++
	return nil
}

func (c *connection) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// cut ends the request under way, from another goroutine.
func (c *connection) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		c.conn.SetDeadline(time.Unix(1, 0))
	}
}

// do sends one request and reads its answer, within the timeout.
func (c *connection) do(ctx context.Context, body []byte) (answer, error) {
	began := time.Now()
	wasIdle := c.conn != nil && !c.used.IsZero() && began.Sub(c.used) > idle
	ans, err := c.once(ctx, began, body)
	if err != nil && wasIdle && (errors.Is(err, errNoAnswer) || kindOf(err) == kindReset) {
		ans, err = c.once(ctx, began, body)
	}
	return ans, err
}

func (c *connection) once(ctx context.Context, began time.Time, body []byte) (answer, error) {
	if err := c.dial(ctx); err != nil {
		return answer{}, err
	}
	// cut is called after ctx has ended: asking for that after the deadline was
	// set means that one of the two is seen.
	c.conn.SetDeadline(began.Add(c.timeout))
	if ctx.Err() != nil {
		c.cut()
	}
	sent := c.send(body)
	ans, err := answer{}, sent
	if sent == nil || kindOf(sent) == kindReset {
		// A server that refuses a body before it has read it answers, and closes.
		if ans, err = c.in.next(); err != nil && sent != nil {
			err = sent
		}
	}
	if err != nil || ans.last || sent != nil {
		c.close()
		return ans, err
	}
	c.used = time.Now()
	return ans, nil
}

func (c *connection) send(body []byte) error {
	c.out = append(c.out[:0], c.head...)
	if c.body {
		c.out = strconv.AppendInt(c.out, int64(len(body)), 10)
		c.out = append(c.out, "\r\n"...)
	}
	c.out = append(c.out, "\r\n"...)
	if len(body) <= 32<<10 { // small ones leave in one packet, large ones are not copied
		c.out = append(c.out, body...)
		body = nil
	}
	_, err := c.conn.Write(c.out)
	if err == nil && len(body) > 0 {
		_, err = c.conn.Write(body)
	}
	return err
}
