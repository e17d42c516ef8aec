package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tandem-ml/tandem/bench/live"
)

// disk puts the project's state on a small disk of its own and fills it under
// load: what cannot be logged is refused and not answered, the process lives, and
// answers again when there is room. Then the same with kill -9 in the middle.
func (f *faults) disk(ctx context.Context, dir string) (string, error) {
	if os.Getuid() != 0 {
		return "", skipped("only root may mount a small disk; TestDiskFull of workflow has it with a limit on file sizes")
	}
	state := filepath.Join(dir, ".tandem", "state")
	saved := state + ".saved"
	if err := os.Rename(state, saved); err != nil {
		return "", err
	}
	if err := os.Mkdir(state, 0o700); err != nil {
		return "", err
	}
	if err := syscall.Mount("tmpfs", state, "tmpfs", 0, "size=24m"); err != nil {
		return "", skipped(fmt.Sprintf("mount a small disk: %v", err))
	}
	defer syscall.Unmount(state, syscall.MNT_DETACH)
	if err := os.CopyFS(state, os.DirFS(saved)); err != nil {
		return "", err
	}
	filler := filepath.Join(state, "filler")
	var answered []live.Answer
	var refused atomic.Int64
	var other atomic.Pointer[error]
	for round := range 4 {
		s, err := f.tandem.Up(ctx, dir, nil)
		if err != nil {
			return "", err
		}
		defer s.Kill()
		before := refused.Load()
		load := f.load(s, 8, func(_, status int, err error) bool {
			if status == http.StatusInsufficientStorage || status == http.StatusServiceUnavailable {
				refused.Add(1)
				time.Sleep(time.Millisecond)
				return true
			}
			if round%2 == 0 {
				other.Store(&err)
			}
			return false
		})
		if err := more(load, 200); err != nil {
			return "", err
		}
		if err := fill(filler); err != nil {
			return "", err
		}
		if err := live.Within(time.Minute, "a full disk refuses nobody", func() bool { return refused.Load() > before+100 }); err != nil {
			return "", err
		}
		if !s.Alive() {
			return "", fmt.Errorf("with a full disk the process ends: %s", s.Said())
		}
		r, err := http.Get(s.URL + "/health/live")
		if err != nil {
			return "", err
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			return "", fmt.Errorf("with a full disk /health/live is %s", r.Status)
		}
		if round%2 == 1 {
			s.Kill()
		}
		if err := os.Remove(filler); err != nil {
			return "", err
		}
		if round%2 == 0 {
			if err := more(load, 200); err != nil {
				return "", fmt.Errorf("there is room again: %w", err)
			}
		}
		told, err := load.Stop()
		if err != nil {
			return "", err
		}
		if e := other.Load(); e != nil {
			return "", fmt.Errorf("a full disk was answered with %w", *e)
		}
		answered = append(answered, told...)
		if round%2 == 0 {
			if err := s.Stop(); err != nil {
				return "", err
			}
		}
		if _, err := f.tandem.Do(ctx, "verify", dir); err != nil {
			return "", err
		}
	}
	untold, err := live.Logged(ctx, dir, answered)
	return fmt.Sprintf("full four times, twice killed while it was: %d requests refused, %d answered, all of these in the log, and %d that nobody was told", refused.Load(), len(answered), untold), err
}

// fill writes a file until there is no room, to the last byte.
func fill(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for size := 1 << 20; size > 0; {
		if _, err = file.Write(make([]byte, size)); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				return err
			}
			size /= 2
		}
	}
	return nil
}

// slow opens connections that make a server wait in every way there is, while
// others are answered.
func (f *faults) slow(ctx context.Context, dir string) (string, error) {
	s, err := f.tandem.Up(ctx, dir, nil)
	if err != nil {
		return "", err
	}
	defer s.Kill()
	before, err := metric(s, "process_resident_memory_bytes")
	if err != nil {
		return "", err
	}
	body := f.bodies(1)
	head := fmt.Sprintf("POST /v1/score/credit HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", s.Address, len(body))
	// More answers than the buffers of both ends hold.
	const each, blind, unread = 100, 10, 10_000
	kinds := []struct {
		name    string
		whole   []byte        // what is sent at once
		dribble string        // and what then comes a byte every
		pause   time.Duration // so long
		half    bool          // the client shuts its side
		unread  bool          // the client does not look at answers until the server must have lost patience
		n       int           // connections
	}{
		{name: "a head that never ends", whole: []byte("POST /v1/score/credit HTTP/1.1\r\n"), dribble: "X-A: " + strings.Repeat("a", 1<<16), pause: 300 * time.Millisecond},
		{name: "half a body", whole: append([]byte(head), body[:len(body)/2]...)},
		{name: "half a body, byte by byte", whole: []byte(head), dribble: string(body[:len(body)-1]), pause: 500 * time.Millisecond},
		{name: "half a request, and the client's side shut", whole: []byte(head[:len(head)/2]), half: true},
		{name: "requests without a look at the answers", whole: []byte(strings.Repeat(head+string(body), unread)), unread: true, n: blind},
		{name: "nothing after TLS's first bytes", whole: []byte{22, 3, 1, 2, 0, 1}},
	}
	var open [6]atomic.Int64 // by kind
	opened := 0
	for k, kind := range kinds {
		for range cmp.Or(kind.n, each) {
			c, err := net.Dial("tcp", s.Address)
			if err != nil {
				return "", err
			}
			defer c.Close()
			if kind.unread {
				c.(*net.TCPConn).SetReadBuffer(4 << 10)
			}
			opened++
			open[k].Add(1)
			go func() {
				// Writes may hang: that is the point.
				c.Write(kind.whole)
				for i := range len(kind.dribble) {
					if _, err := io.WriteString(c, kind.dribble[i:i+1]); err != nil {
						return
					}
					time.Sleep(kind.pause)
				}
				if kind.half {
					c.(*net.TCPConn).CloseWrite()
				}
			}()
			go func() {
				defer open[k].Add(-1)
				if kind.unread {
					time.Sleep(90 * time.Second)
				}
				io.Copy(io.Discard, c)
			}()
		}
	}
	load := f.load(s, 8, nil)
	begin := time.Now()
	for time.Since(begin) < 30*time.Second {
		if err := more(load, 50); err != nil {
			return "", err
		}
	}
	during, err := metric(s, "process_resident_memory_bytes")
	if err != nil {
		return "", err
	}
	told, err := load.Stop()
	if err != nil {
		return "", err
	}
	for k, kind := range kinds {
		if err := live.Within(4*time.Minute, "connections are still open: "+kind.name, func() bool { return open[k].Load() == 0 }); err != nil {
			return "", err
		}
	}
	// What those asked who did not look is in the log, as told to nobody, up to
	// where the server had no more room for their answers.
	untold, err := f.kept(ctx, s, told)
	if err == nil && (untold == 0 || untold >= blind*unread) {
		err = fmt.Errorf("of %d requests of those that did not look %d were decided", blind*unread, untold)
	}
	return fmt.Sprintf("%d connections of %d kinds, memory %.0f to %.0f MB; %d others answered meanwhile, none failed; all of the slow were closed by the server; of %d requests of those that did not look %d were decided, and are logged",
		opened, len(kinds), before/(1<<20), during/(1<<20), len(told), blind*unread, untold), err
}

// idles opens connections that ask nothing.
func (f *faults) idles(ctx context.Context, dir string) (string, error) {
	var most syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &most); err != nil {
		return "", err
	}
	n := min(f.idle, int(most.Cur)-500)
	s, err := f.tandem.Up(ctx, dir, nil)
	if err != nil {
		return "", err
	}
	defer s.Kill()
	before, err := metric(s, "process_resident_memory_bytes")
	if err != nil {
		return "", err
	}
	load := f.load(s, 8, nil)
	conns := make([]net.Conn, 0, n)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	begin := time.Now()
	for range n {
		c, err := net.Dial("tcp", s.Address)
		if err != nil {
			return "", fmt.Errorf("connection %d: %w", len(conns), err)
		}
		conns = append(conns, c)
	}
	took := time.Since(begin)
	if err := more(load, 1000); err != nil {
		return "", err
	}
	during, err := metric(s, "process_resident_memory_bytes")
	if err != nil {
		return "", err
	}
	// The newest were opened just now, and are answered when they ask at last.
	for i := range 100 {
		c := conns[n-1-i*n/1000]
		c.SetDeadline(time.Now().Add(30 * time.Second))
		fmt.Fprintf(c, "GET /health/live HTTP/1.1\r\nHost: %s\r\n\r\n", s.Address)
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return "", fmt.Errorf("idle connection %d: %w", i, err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			return "", fmt.Errorf("idle connection %d: %s", i, r.Status)
		}
	}
	told, err := load.Stop()
	if err != nil {
		return "", err
	}
	untold, err := f.kept(ctx, s, told)
	if err == nil && untold != 0 {
		err = fmt.Errorf("%d decisions were not answered", untold)
	}
	return fmt.Sprintf("%d connections opened in %.1f s, memory %.0f to %.0f MB (%.1f kB each); %d answers meanwhile, none failed; asked at last, the newest answer",
		n, took.Seconds(), before/(1<<20), during/(1<<20), (during-before)/1024/float64(n), len(told)), err
}

// metric reads one number of /metrics.
func metric(s *live.Server, name string) (float64, error) {
	r, err := http.Get(s.URL + "/metrics")
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	for in := bufio.NewScanner(r.Body); in.Scan(); {
		if value, ok := strings.CutPrefix(in.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("/metrics has no %s", name)
}
