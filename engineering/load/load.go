package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandem-ml/tandem/data"
)

// Limits of a run.
const (
	MaxConnections = 10_000
	MaxRate        = 1e6            // requests a second
	MaxDuration    = 24 * time.Hour // warming up included
	MaxTimeout     = 10 * time.Minute
)

// Options say what is sent and when.
type Options struct {
	// URL is where requests go: http or https, with the path and the query.
	URL string
	// Connections is how many requests are under way at once at most, 1 to
	// MaxConnections; each has its own connection, which is kept.
	Connections int
	// Rate is how many requests are due a second, up to MaxRate; 0 is a closed
	// loop, in which each connection sends again as soon as it is answered.
	Rate float64
	// Poisson draws the times between two requests of an open loop from Seed, as
	// they come from people who do not know of each other; by default all are equal.
	Poisson bool
	Seed    uint64
	// Duration is how long requests become due, after Warmup, of which nothing is
	// counted. What is under way then is waited for.
	Duration, Warmup time.Duration
	// Timeout is how long an answer may take, from when its request was sent, and
	// how long after the end requests that are due are still sent; up to MaxTimeout.
	Timeout time.Duration
	// Bodies are sent with POST, in turn; nil sends GET.
	Bodies *Bodies
	// ContentType is that of the bodies.
	ContentType string
	// Key is sent as a bearer token; "": none.
	Key string
	// TLS are the settings of https; nil are the usual ones.
	TLS *tls.Config
	// Progress is called twice a second, from one goroutine; may be nil.
	Progress func(Progress)

	// dial opens a connection in place of a network, by who waits with the
	// runtime's timers: for tests whose clock is not the kernel's. Nil: none.
	dial func(ctx context.Context) (net.Conn, error)
}

func (o *Options) pacer() (pacer, error) {
	if o.dial != nil {
		return newSleeper(), nil
	}
	return newPacer()
}

func (o *Options) method() string {
	if o.Bodies == nil {
		return "GET"
	}
	return "POST"
}

// Check returns all that is wrong with the options.
func (o *Options) Check() error {
	var errs []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	_, err := parseURL(o.URL)
	need(err == nil, "%w", err)
	need(o.Connections >= 1 && o.Connections <= MaxConnections, "connections must be 1 to %d, not %d", MaxConnections, o.Connections)
	need(o.Rate == 0 || o.Rate >= 0.001 && o.Rate <= MaxRate, "the rate must be 0.001 to %.0f requests a second, not %g", float64(MaxRate), o.Rate)
	need(o.Duration > 0 && o.Warmup >= 0 && o.Duration <= MaxDuration && o.Warmup <= MaxDuration, "the duration must be above 0 and at most %v, the warm-up 0 or more", MaxDuration)
	need(o.Timeout > 0 && o.Timeout <= MaxTimeout, "the timeout must be above 0 and at most %v", MaxTimeout)
	need(o.Bodies == nil || len(o.Bodies.Of) > 0, "there are no bodies to send")
	for _, text := range []string{o.Key, o.ContentType} {
		need(!strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }), "the key and the content type are sent in a header field and may only hold ASCII characters")
	}
	return errors.Join(errs...)
}

func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not a URL", text)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "" {
		return nil, fmt.Errorf("%q is not a URL such as http://127.0.0.1:8080", text)
	}
	if u.User != nil {
		return nil, fmt.Errorf("the URL holds a name or a password; give a key instead")
	}
	return u, nil
}

// Run sends requests until the duration is over or ctx ends, and returns what
// was measured until then; requests under way get half a second more when ctx ends. It
// returns an error if the options are wrong or if the server cannot be reached
// at the start. All that goes wrong later is counted in the result.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	u, _ := parseURL(o.URL)
	r := &run{o: &o, rec: newRecorder(o.Warmup, o.Warmup+o.Duration, o.Rate > 0), end: o.Warmup + o.Duration}
	if o.Rate > 0 {
		r.schedule = newSchedule(o.Rate, o.Poisson, o.Seed)
	}
	to := newTarget(u, &o)
	first := &connection{target: to}
	if err := first.dial(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, data.WithHint(fmt.Errorf("connect to %s: %w", to.address, err), "start the server first, or correct the URL")
	}
	r.connections = append(r.connections, first)
	for len(r.connections) < o.Connections {
		r.connections = append(r.connections, &connection{target: to})
	}
	return r.run(ctx)
}

// run is a run under way.
type run struct {
	o           *Options
	rec         *recorder
	schedule    *schedule // nil: closed loop
	end         time.Duration
	connections []*connection
	number      atomic.Int64 // of the next request of a closed loop
	start       time.Time
	stopped     atomic.Int64 // when ctx ended, from the start; 0: it has not
}

// grace is how long requests under way may go on when a run is stopped.
const grace = 500 * time.Millisecond

func (r *run) now() time.Duration { return time.Since(r.start) }

func (r *run) run(ctx context.Context) (*Result, error) {
	pacers := make([]pacer, len(r.connections))
	for i := range pacers {
		p, err := r.o.pacer()
		if err != nil {
			return nil, fmt.Errorf("a timer for connection %d: %w", i+1, err)
		}
		defer p.close()
		pacers[i] = p
	}
	hurry, cancel := context.WithCancel(context.Background()) // ends requests under way
	defer cancel()
	r.connect(ctx, hurry)
	r.start = time.Now()
	defer context.AfterFunc(ctx, func() {
		r.stopped.Store(max(int64(r.now()), 1))
		for _, p := range pacers {
			p.stop()
		}
		time.AfterFunc(grace, func() {
			cancel()
			for _, c := range r.connections {
				c.cut()
			}
		})
	})()
	var workers, reporter sync.WaitGroup
	for i, c := range r.connections {
		workers.Go(func() {
			defer c.close()
			if r.schedule != nil {
				r.openLoop(hurry, c, pacers[i])
			} else {
				r.closedLoop(hurry, c, pacers[i])
			}
		})
	}
	done := make(chan struct{})
	if r.o.Progress != nil {
		reporter.Go(func() {
			tick := time.NewTicker(500 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					r.o.Progress(r.rec.progress(r.now()))
				case <-done:
					return
				}
			}
		})
	}
	workers.Wait()
	elapsed := r.now()
	close(done)
	reporter.Wait()
	res := r.rec.result(elapsed)
	res.URL, res.Method, res.Connections, res.Interrupted = r.o.URL, r.o.method(), r.o.Connections, r.stopped.Load() != 0
	if r.schedule != nil {
		res.Rate, res.Arrivals = r.o.Rate, "constant"
		if r.o.Poisson {
			res.Arrivals = "poisson"
		}
	}
	for _, c := range r.connections {
		res.Opened += c.opened
	}
	return res, nil
}

// connect opens all connections before the clock starts, a few at a time. What
// cannot be opened is tried again, and counted, when it is needed.
func (r *run) connect(ctx, hurry context.Context) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(r.connections) {
					return
				}
				r.connections[i].dial(ctx)
			}
		})
	}
	wg.Wait()
}

// closedLoop sends a request when the one before is answered.
func (r *run) closedLoop(ctx context.Context, c *connection, p pacer) {
	pause := time.Duration(0)
	for r.stopped.Load() == 0 {
		now := r.now()
		if now >= r.end {
			return
		}
		o := r.send(ctx, c, r.number.Add(1)-1, outcome{due: now, free: now})
		if o.kind != kindRefused && o.kind != kindConnect && o.kind != kindTLS {
			pause = 0
			continue
		}
		// Nobody is there. To knock a million times would measure nothing.
		pause = min(max(2*pause, 10*time.Millisecond), time.Second)
		p.wait(min(pause, r.end-r.now()))
	}
}

// openLoop takes the next request that is due, waits until it is and sends it.
// While others wait for theirs or are answered, the requests that are due stay in
// the schedule, and the clock of each runs.
func (r *run) openLoop(ctx context.Context, c *connection, p pacer) {
	free := time.Duration(0)
	for {
		k, due := r.schedule.next()
		if due >= r.end {
			return
		}
		now := r.now()
		o := outcome{due: due, free: free}
		if r.stopped.Load() == 0 && due > now {
			p.wait(due - now)
			now = r.now()
		}
		cut := r.end + r.o.Timeout
		if s := time.Duration(r.stopped.Load()); s != 0 {
			if due >= s {
				return
			}
			cut = s
		}
		if now >= cut {
			o.kind, o.sent, o.done = kindUnsent, cut, cut
			r.rec.add(o)
			continue
		}
		free = r.send(ctx, c, k, o).done
	}
}

// send sends request k and counts what becomes of it.
func (r *run) send(ctx context.Context, c *connection, k int64, o outcome) outcome {
	var body []byte
	if b := r.o.Bodies; b != nil {
		body, o.rows = b.Of[k%int64(len(b.Of))], b.Rows
	}
	o.sent = r.now()
	o.answer, o.err = c.do(ctx, body)
	o.done = r.now()
	if o.err != nil {
		o.kind = kindOf(o.err)
		if ctx.Err() != nil {
			o.kind = kindInterrupted
		}
	}
	r.rec.add(o)
	return o
}
