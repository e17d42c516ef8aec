package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/plain"
)

// ErrNotLoopback says that an address is reachable from other machines, where a
// server that knows no keys must not listen.
var ErrNotLoopback = errors.New("the address is not a loopback address")

// Listen binds a TCP address of this machine's loopback interface: host:port
// with host 127.0.0.1, [::1] or localhost; port 0 takes a free one. Any other
// host, the empty one included, is [ErrNotLoopback]. The errors carry hints.
func Listen(address string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, data.WithHint(fmt.Errorf("address %q is not host:port", address), "write it as 127.0.0.1:8080 or [::1]:8080")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return nil, data.WithHint(fmt.Errorf("address %q: %q is not a port", address, port), "a port is a number from 0 to 65535")
	}
	notLoopback := func() error {
		return data.WithHint(fmt.Errorf("listen on %q: %w", address, ErrNotLoopback),
			"a server without keys answers this machine only: use 127.0.0.1:%s, or make keys with tandem keys create and name their folder with --keys", port)
	}
	if ip := net.ParseIP(host); !strings.EqualFold(host, "localhost") && (ip == nil || !ip.IsLoopback()) {
		return nil, notLoopback()
	}
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, data.WithHint(fmt.Errorf("listen on %s: the port is in use by another program", address), "stop it, or choose another port with --address")
	case errors.Is(err, syscall.EACCES):
		return nil, data.WithHint(fmt.Errorf("listen on %s: %w", address, err), "ports below 1024 belong to the system; choose another with --address")
	case err != nil:
		return nil, err
	}
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() { // localhost can be made to mean anything
		l.Close()
		return nil, notLoopback()
	}
	return l, nil
}

// mostHeader bounds a request's header, in bytes.
const mostHeader = 64 << 10

// Serve answers on l, which it closes, until ctx ends; then it tells probes for
// [Limits].Notice that it is about to stop, takes no new connection, lets requests under way finish, and returns nil. Requests that
// are not done within [Limits].Drain are cut off, which is an error. The
// listener's address is what the Host header must name.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if a, ok := l.Addr().(*net.TCPAddr); s.opt.Keys != nil && s.opt.Certificate == nil && ok && !a.IP.IsLoopback() {
		s.opt.Logger.Warn("keys and rows cross the network in the clear unless something in front of this server speaks TLS; --tls-cert and --tls-key make it do so itself")
	}
	lim := s.opt.Limits
	handler := s.outer(s.Guard(l.Addr(), s.routes))
	errorLog := slog.NewLogLogger(s.opt.Logger.Handler(), slog.LevelWarn)
	var last lastAnswers
	server := &http.Server{
		Handler: last.on(handler), ConnState: last.count,
		ReadHeaderTimeout: lim.Header, ReadTimeout: lim.Read, WriteTimeout: lim.Write, IdleTimeout: lim.Idle,
		MaxHeaderBytes: mostHeader,
		ErrorLog:       errorLog,
	}
	var front *plain.Listener
	if s.opt.Certificate == nil {
		front = plain.Listen(l, plain.Options{
			Route: "/v1/score/", Handler: handler, ErrorLog: errorLog,
			Header: lim.Header, Read: lim.Read, Work: lim.Work, Write: lim.Write, Idle: lim.Idle,
		})
		l = front
	}
	done := make(chan error, 1)
	go func() {
		if c := s.opt.Certificate; c != nil {
			server.TLSConfig = c.config()
			server.HTTP2 = &http.HTTP2Config{
				MaxConcurrentStreams: 100, MaxReceiveBufferPerConnection: 1 << 20, MaxReceiveBufferPerStream: 256 << 10,
				SendPingTimeout: lim.Idle / 2, PingTimeout: 15 * time.Second, WriteByteTimeout: lim.Write,
			}
			done <- server.ServeTLS(l, "", "")
			return
		}
		done <- server.Serve(l)
	}()
	select {
	case err := <-done:
		return fmt.Errorf("serve on %s: %w", l.Addr(), err)
	case <-ctx.Done():
		s.stopping.Store(true)
	}
	select {
	case err := <-done:
		return fmt.Errorf("serve on %s: %w", l.Addr(), err)
	case <-s.after(lim.Notice):
	}
	s.streams.wake()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), lim.Drain)
	defer cancel()
	var err error
	until := time.Now().Add(s.grace)
	last.begin.Store(true)
	if front != nil {
		err = front.Drain(drain) // into the server, if need be
	}
	last.wait(drain, until)
	if err = errors.Join(err, server.Shutdown(drain)); err != nil {
		err = errors.Join(fmt.Errorf("requests were not done after %s and were cut off", lim.Drain), server.Close())
	}
	<-done
	return err
}

// grace is for how long connections that are kept may have a last request
// when the server stops; package plain has the same.
const grace = 250 * time.Millisecond

// lastAnswers lets an http.Server's connections end with an answer. Shutdown
// closes those at once that wait for a request, and one that is on its way there is lost.
type lastAnswers struct {
	begin atomic.Bool  // the next answer on each connection is its last
	open  atomic.Int64 // connections
}

func (a *lastAnswers) on(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.begin.Load() {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}

func (a *lastAnswers) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		a.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		a.open.Add(-1)
	}
}

// wait returns when no connection is left, or at a time.
func (a *lastAnswers) wait(ctx context.Context, until time.Time) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for a.open.Load() > 0 && time.Now().Before(until) && ctx.Err() == nil {
		<-tick.C
	}
}
