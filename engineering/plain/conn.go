package plain

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync/atomic"
	"time"
)

// The states of a connection.
const (
	busy    int32 = iota
	waiting       // for a request
	gone          // closed while it waited
)

// conn is a connection on which all requests were plain until now.
type conn struct {
	net.Conn
	l     *Listener
	state atomic.Int32
	since atomic.Int64 // when it began to wait, in nanoseconds of the epoch

	buf      []byte // what is read and not used is buf[from:to]
	from, to int
	last     *head
	request  *http.Request // what all requests with the same head share
	answer   answer

	readBy, writeBy time.Time // the deadlines that are set
}

const bufferSize = 4 << 10

func (c *conn) serve() {
	defer c.l.remove(c)
	defer func() {
		if p := recover(); p != nil {
			c.Conn.Close()
			if p != http.ErrAbortHandler {
				c.l.logf("plain: panic of type %T serving %s", p, c.RemoteAddr())
			}
		}
	}()
	c.buf = make([]byte, bufferSize)
	c.answer.header = make(http.Header, 8)
	// Until its first request a connection has as long as for a head.
	c.readUntil(time.Now().Add(c.l.opt.Header))
	for c.next() {
	}
}

// next answers one request; false: the connection is closed or handed over.
func (c *conn) next() bool {
	m, now, ok := c.head()
	if !ok {
		return false
	}
	if m.length > MaxBody {
		return c.handOver()
	}
	body, err := c.body(m, now)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return c.handOver() // it finds the connection as we do
	}
	if c.last != m.head {
		c.last, c.request = m.head, c.newRequest(m.head)
	}
	r := c.request.WithContext(c.l.work.context(now))
	r.ContentLength = int64(m.length)
	r.Body = &payload{b: body, err: err}
	a := &c.answer
	a.reset()
	c.l.opt.Handler.ServeHTTP(a, r)

	// Behind half a body there is nothing more to read.
	out, closes := a.bytes(c.l.date.of(now), m.close || err != nil || c.l.draining.Load())
	if c.writeBy.Sub(now) < c.l.opt.Write {
		c.writeBy = now.Add(c.l.opt.Write + c.l.opt.Write/4)
		c.SetWriteDeadline(c.writeBy)
	}
	if _, err := c.Write(out); err != nil || closes {
		c.Conn.Close()
		return false
	}
	return true
}

// head reads until the head of a plain request is at buf[from]; now is when its
// first bytes were there. If ok is false, the connection is closed or handed
// over.
func (c *conn) head() (m message, now time.Time, ok bool) {
	now = time.Now()
	limited := c.last == nil // the first head has its limit from the beginning
	for {
		if c.from < c.to {
			m, v := parse(c.buf[c.from:c.to], c.l.opt.Route, c.last)
			switch {
			case v == whole:
				return m, now, true
			case v == unusual:
				c.handOver()
				return m, now, false
			case !limited:
				limited = true
				c.readUntil(now.Add(c.l.opt.Header))
			}
		}
		c.room()
		idle := c.from == c.to
		if idle {
			if limit := c.l.opt.Idle; c.last != nil {
				if left := c.readBy.Sub(now); left < limit || left > limit+limit/4 {
					c.readUntil(now.Add(limit + limit/4))
				}
			}
			c.since.Store(now.UnixNano())
			c.state.Store(waiting)
		}
		n, err := c.Read(c.buf[c.to:])
		if idle {
			if !c.state.CompareAndSwap(waiting, busy) {
				return m, now, false // closed meanwhile
			}
			now = time.Now()
		}
		c.to += n
		switch {
		case n > 0: // an error comes again
		case err == io.EOF && c.from < c.to:
			c.handOver()
			return m, now, false
		case err != nil:
			c.Conn.Close()
			return m, now, false
		}
	}
}

// body reads a request's body, which is the handler's to keep, and goes on
// behind it. If it is not whole, in time or at all, what came is as well still
// in buf.
func (c *conn) body(m message, now time.Time) ([]byte, error) {
	b := make([]byte, m.length)
	have := copy(b, c.buf[c.from+m.size:c.to])
	if have == m.length {
		c.from += m.size + m.length
		return b, nil
	}
	c.readUntil(now.Add(c.l.opt.Read))
	n, err := io.ReadFull(c.Conn, b[have:])
	if err != nil {
		c.buf = append(bytes.Clone(c.buf[c.from:c.to]), b[have:have+n]...)
		c.from, c.to = 0, len(c.buf)
		return b[:have+n], err
	}
	c.from, c.to = 0, 0
	return b, nil
}

// room makes room behind what is read.
func (c *conn) room() {
	switch {
	case c.from == c.to:
		c.from, c.to = 0, 0
	case c.to < len(c.buf):
	case c.from > 0:
		c.to = copy(c.buf, c.buf[c.from:c.to])
		c.from = 0
	default:
		c.buf = append(c.buf, make([]byte, len(c.buf))...) // to maxHead at most
	}
}

func (c *conn) readUntil(t time.Time) {
	c.readBy = t
	c.SetReadDeadline(t)
}

// handOver gives the connection to net/http. It returns false: nothing is left
// to do here.
func (c *conn) handOver() bool {
	c.SetDeadline(time.Time{})
	over := &rest{Conn: c.Conn, unread: c.buf[c.from:c.to]}
	select {
	case c.l.unusual <- over:
	case <-c.l.closing:
		c.Conn.Close()
	}
	return false
}

// rest is a connection of which something is read already.
type rest struct {
	net.Conn
	unread []byte
}

func (r *rest) Read(b []byte) (int, error) {
	if len(r.unread) == 0 {
		return r.Conn.Read(b)
	}
	n := copy(b, r.unread)
	if r.unread = r.unread[n:]; len(r.unread) == 0 {
		r.unread = nil
	}
	return n, nil
}

// CloseWrite lets net/http say that an answer was the last one before it closes.
func (r *rest) CloseWrite() error {
	if c, ok := r.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// newRequest makes what the requests of a head have in common.
func (c *conn) newRequest(h *head) *http.Request {
	return &http.Request{
		Method: http.MethodPost, URL: &url.URL{Path: h.path}, RequestURI: h.path,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h.header, Host: h.host, RemoteAddr: c.RemoteAddr().String(), Close: h.close,
	}
}

// payload is a body that is in memory, and the error behind it if it is not
// whole.
type payload struct {
	b   []byte
	err error
}

func (p *payload) Read(b []byte) (int, error) {
	if len(p.b) == 0 {
		if p.err != nil {
			return 0, p.err
		}
		return 0, io.EOF
	}
	n := copy(b, p.b)
	if p.b = p.b[n:]; len(p.b) == 0 && p.err == nil {
		return n, io.EOF
	}
	return n, nil
}

func (p *payload) Close() error { return nil }

// Whole gives the rest of the body away, for a handler that would copy it
// otherwise; ok is false if the body could not be read to its end.
func (p *payload) Whole() (b []byte, ok bool) {
	if p.err != nil {
		return nil, false
	}
	b, p.b = p.b, nil
	return b, true
}

func (l *Listener) logf(format string, args ...any) {
	if l.opt.ErrorLog == nil {
		log.Printf(format, args...)
		return
	}
	l.opt.ErrorLog.Printf(format, args...)
}
