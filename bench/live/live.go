// Package live runs the real program for the benches: it makes a project in a
// folder, starts tandem up on it as a process of its own, sends it rows on many
// connections, remembers every answer, and holds the decision log against them.
//
// The programs in bench/day, bench/faults and bench/soak are made of it.
package live

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tandem-ml/tandem/engineering/decisions"
)

// Program is the binary under test, as go build ./cmd/tandem makes it.
type Program string

// Do runs a command to its end and returns what it wrote.
func (p Program) Do(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, string(p), args...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("tandem %s: %w\n%s", strings.Join(args, " "), err, tail(out))
	}
	return string(out), nil
}

// tail is the end of what a program said, which says why it failed.
func tail(text []byte) []byte { return text[max(0, len(text)-2000):] }

// Credit copies the lender's example to a folder, which must not be there, and
// trains it.
func (p Program) Credit(ctx context.Context, from, dir string) error {
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		return err
	}
	_, err := p.Do(ctx, "run", dir)
	return err
}

// TwoVersions brings a trained copy of the example into service twice, the second
// time with another cost of a mistake, so that it has two versions, of which the
// second is the champion.
func (p Program) TwoVersions(ctx context.Context, dir string) error {
	file := filepath.Join(dir, "tandem.yaml")
	for round := range 2 {
		s, err := p.Up(ctx, dir, nil)
		if err != nil {
			return err
		}
		if err := s.Stop(); err != nil {
			return err
		}
		if round == 1 {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, bytes.Replace(text, []byte("false_negative: 5"), []byte("false_negative: 4"), 1), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Promote makes a version the champion of a running server, and returns when it
// answers.
func Promote(url, project string, version int) error {
	body := fmt.Sprintf(`{"champion":%d,"reason":"bench"}`, version)
	r, err := http.Post(url+"/v1/rollout/"+project, "application/json", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	content, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("promote version %d: %s: %s", version, r.Status, content)
	}
	return err
}

// Server is one process of tandem up.
type Server struct {
	URL, Address string // http://HOST:PORT and HOST:PORT
	Dir          string
	PID          int

	cmd  *exec.Cmd
	said said
	done chan struct{}
	err  error // of the process, once done is closed
}

// said keeps what a process says, and tells the first address in it.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
	url  chan string // nil once it was told
}

var address = regexp.MustCompile(`serving .* on (https?://[0-9a-z.:]+)\s`)

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(b)
	if s.url != nil {
		if m := address.FindSubmatch(s.text.Bytes()); m != nil {
			s.url <- string(m[1])
			s.url = nil
		}
	}
	return len(b), nil
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// Up starts tandem up on a project and waits until it serves. env is added to the
// environment. The error holds what the process said if it ended instead.
func (p Program) Up(ctx context.Context, dir string, env []string, args ...string) (*Server, error) {
	s := &Server{Dir: dir, done: make(chan struct{})}
	url := make(chan string, 1)
	s.said.url = url
	s.cmd = exec.Command(string(p), append([]string{"up", dir, "--address", "127.0.0.1:0"}, args...)...)
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.Stdout, s.cmd.Stderr = &s.said, &s.said
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.PID = s.cmd.Process.Pid
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	select {
	case s.URL = <-url:
		s.Address = strings.TrimPrefix(s.URL, "http://")
		return s, nil
	case <-s.done:
		return nil, fmt.Errorf("tandem up ended before it served: %w\n%s", errors.Join(s.err), tail([]byte(s.Said())))
	case <-ctx.Done():
		s.Kill()
		return nil, fmt.Errorf("tandem up does not serve: %w\n%s", context.Cause(ctx), tail([]byte(s.Said())))
	}
}

// Said is what the process has written so far.
func (s *Server) Said() string { return s.said.String() }

// Alive reports whether the process still runs.
func (s *Server) Alive() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// Kill ends the process as kill -9 does. It may be called again.
func (s *Server) Kill() {
	s.cmd.Process.Kill()
	<-s.done
}

// Terminate tells the process to stop, and does not wait.
func (s *Server) Terminate() error { return s.cmd.Process.Signal(syscall.SIGTERM) }

// Wait waits until the process has ended, and returns how.
func (s *Server) Wait() error {
	<-s.done
	if s.err != nil {
		return fmt.Errorf("tandem up: %w\n%s", s.err, tail([]byte(s.Said())))
	}
	return nil
}

// Stop stops the process as an administrator does.
func (s *Server) Stop() error {
	if err := s.Terminate(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return s.Wait()
}

// LogDir is where a project's decision log lies.
func LogDir(dir string) string { return filepath.Join(dir, ".tandem", "state", "decisions") }

// Logged holds a decision log against what was answered: every answer is in it
// once, with the bits of its score. It returns how many decisions the log has
// that nobody was told, as those have that were written when the process died.
func Logged(ctx context.Context, dir string, answered []Answer) (untold int, err error) {
	log, err := decisions.OpenReadOnly(LogDir(dir))
	if err != nil {
		return 0, err
	}
	defer log.Close()
	scores := make(map[string]float64, len(answered))
	for _, a := range answered {
		if _, twice := scores[a.ID]; twice {
			return 0, fmt.Errorf("the id %s was answered twice", a.ID)
		}
		scores[a.ID] = a.Score
	}
	seen := make(map[string]bool, len(answered))
	if _, err = log.Scan(ctx, decisions.Position{}, func(r decisions.Record) error {
		if r.Decision == nil {
			return nil
		}
		id := r.Decision.ID
		if seen[id] {
			return fmt.Errorf("decision %s is in the log twice", id)
		}
		seen[id] = true
		score, told := scores[id]
		if told && score != r.Decision.Score {
			return fmt.Errorf("decision %s was answered with %v and logged with %v", id, score, r.Decision.Score)
		}
		if !told {
			untold++
		}
		return nil
	}); err != nil {
		return 0, err
	}
	if missing := len(answered) + untold - len(seen); missing != 0 {
		return 0, fmt.Errorf("%d of %d answered decisions are not in the log", missing, len(answered))
	}
	return untold, nil
}

// Within polls until f is true.
func Within(d time.Duration, what string, f func() bool) error {
	for start := time.Now(); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > d {
			return fmt.Errorf("after %v: %s", d, what)
		}
	}
	return nil
}
