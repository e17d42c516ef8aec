package plain

import (
	"context"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Options are the parts of a [Listener].
type Options struct {
	// Route is the path up to its last segment: "/v1/score/" for requests to
	// /v1/score/NAME. NAME is of letters, digits and the signs - _ and .
	Route string

	// Handler answers, as that of an http.Server does. It must not change the
	// request's Header, nor use its ResponseWriter after it has returned.
	Handler http.Handler

	// Limits of slow clients, as those of the same name of [net/http.Server], all
	// required: until a head is read, until a body is, until an answer is written, and how
	// long a connection may be without a request. The last two are kept a
	// quarter longer at most, so that they cost nothing with every request.
	Header, Read, Write, Idle time.Duration

	// Work is after what time a request's context ends, a quarter more at most.
	// Required.
	Work time.Duration

	// ErrorLog is told of panics that the handler let through; nil: the standard
	// logger.
	ErrorLog *log.Logger
}

// MaxBody is the length in bytes of the largest body that is plain. What is larger takes so
// long to answer that net/http costs nothing beside it, and
// that somebody should look whether the client is still there.
const MaxBody = 64 << 10

// Listener reads connections first. Its Accept returns those with something
// unusual on them, from its first byte on, for an http.Server to read.
type Listener struct {
	net.Listener
	opt  Options
	work work
	date date

	unusual   chan net.Conn
	errs      chan error
	closing   chan struct{} // closed by Close
	closeOnce sync.Once
	draining  atomic.Bool
	grace     time.Duration

	mu    sync.Mutex
	conns map[*conn]struct{}
	none  chan struct{} // closed when draining and the last connection has gone; under mu
}

// Listen returns a listener that reads what l accepts. It takes l over: nobody
// else may accept from it, and Close closes it.
func Listen(l net.Listener, opt Options) *Listener {
	p := &Listener{
		Listener: l, opt: opt, work: work{limit: opt.Work},
		unusual: make(chan net.Conn), errs: make(chan error), closing: make(chan struct{}),
		conns: make(map[*conn]struct{}), grace: grace,
	}
	go p.accept()
	return p
}

// accept takes connections until the listener is closed or drained.
func (l *Listener) accept() {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			if l.draining.Load() {
				return // Accept goes on with what is unusual on those that are open
			}
			select {
			case l.errs <- err: // who waits before it accepts again makes us wait too
			case <-l.closing:
				return
			}
			continue
		}
		pc := &conn{Conn: c, l: l}
		if !l.add(pc) {
			c.Close()
			return
		}
		go pc.serve()
	}
}

// Accept returns the next connection that is not plain.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case <-l.closing:
		return nil, net.ErrClosed
	default:
	}
	select {
	case c := <-l.unusual:
		return c, nil
	case err := <-l.errs:
		return nil, err
	case <-l.closing:
		return nil, net.ErrClosed
	}
}

// Close closes the listener, and cuts the connections that Accept did not
// return.
func (l *Listener) Close() error {
	l.closeOnce.Do(func() { close(l.closing) })
	err := l.Listener.Close()
	if l.draining.Load() {
		err = nil // the second time
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.Conn.Close()
	}
	return err
}

// grace is for how long after its last request a connection waits for another
// while the listener drains.
const grace = 250 * time.Millisecond

// Drain takes no new connections and returns when those there are have been
// answered and closed, or ctx ends, whose error it returns then. What is
// unusual is still handed to Accept meanwhile.
//
// So that no request is lost, the next answer on a connection is its last one
// and says so; one without a request is closed a quarter of a second after
// the last it had.
func (l *Listener) Drain(ctx context.Context) error {
	if l.draining.Swap(true) {
		return nil
	}
	l.Listener.Close()
	l.mu.Lock()
	none := make(chan struct{})
	l.none = none
	if len(l.conns) == 0 {
		close(none)
	}
	l.mu.Unlock()
	tick := time.NewTicker(grace / 10)
	defer tick.Stop()
	for {
		select {
		case <-none:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			l.mu.Lock()
			long := time.Now().Add(-l.grace).UnixNano()
			for c := range l.conns {
				if c.since.Load() <= long && c.state.CompareAndSwap(waiting, gone) {
					c.Conn.Close()
				}
			}
			l.mu.Unlock()
		}
	}
}

// add notes a connection; false: the listener takes no more.
func (l *Listener) add(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closing:
		return false
	default:
	}
	if l.none != nil {
		return false
	}
	l.conns[c] = struct{}{}
	return true
}

func (l *Listener) remove(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	if l.none != nil && len(l.conns) == 0 {
		close(l.none)
	}
}

// work makes contexts that end after a limit. Those who ask within a quarter of
// the limit share one, so that a request costs no timer.
type work struct {
	limit   time.Duration
	current atomic.Pointer[shared]
}

type shared struct {
	context.Context
	until time.Time // when the next one is made
}

func (w *work) context(now time.Time) context.Context {
	for {
		c := w.current.Load()
		if c != nil && now.Before(c.until) {
			return c.Context
		}
		until := now.Add(w.limit / 4)
		ctx, cancel := context.WithDeadline(context.Background(), until.Add(w.limit))
		if w.current.CompareAndSwap(c, &shared{ctx, until}) {
			_ = cancel // it ends by itself, and what holds on to it ends before
			return ctx
		}
		cancel()
	}
}

// date writes the time as answers say it, once a second.
type date struct{ current atomic.Pointer[dated] }

type dated struct {
	second int64
	text   string
}

func (d *date) of(now time.Time) string {
	c := d.current.Load()
	if second := now.Unix(); c == nil || c.second != second {
		c = &dated{second, now.UTC().Format(http.TimeFormat)}
		d.current.Store(c)
	}
	return c.text
}
