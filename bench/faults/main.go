// Command faults does to tandem up what happens to a process in production, while
// it is asked, and says of each what became of it:
//
//	kill         kill -9 at random, many times, between promotions
//	disk         the disk is full, and then it is not (root only)
//	log          segments and head of the stopped log are cut or have a bit turned
//	slow         clients that dribble, stop half-way, or do not read
//	idle         10,000 connections that ask nothing
//	clock        the clock was a year ahead when the process stopped, or behind
//	bundle       a damaged bundle is to be promoted
//	term         SIGTERM under load
//
//	go run ./bench/faults -tandem FILE [-only kill,disk,...] [-rounds 50] [-seed 1]
//
// In all of them the same must hold: what was answered is in the log, once and with
// the same score, or the start says how many records are missing; the version
// that answers is the one that the registry names; and the process goes on. A
// broker that dies is in bench/stream. Each fault's verdict is a line; with one
// that is bad the exit code is 1.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tandem-ml/tandem/bench/live"
)

func main() {
	f := &faults{}
	tandem := flag.String("tandem", "", "the program, as built by go build ./cmd/tandem")
	example := flag.String("project", "examples/credit", "the lender's example")
	only := flag.String("only", "", "some of the faults, separated by commas")
	seed := flag.Uint64("seed", 1, "of what is done at random")
	flag.IntVar(&f.rounds, "rounds", 50, "how often the process is killed, the log damaged")
	flag.IntVar(&f.idle, "idle", 10_000, "idle connections")
	flag.Parse()
	f.tandem, f.rng = live.Program(*tandem), rand.New(rand.NewPCG(*seed, 7))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	good, err := f.run(ctx, *example, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
	}
	if err != nil || !good {
		os.Exit(1)
	}
}

type faults struct {
	tandem       live.Program
	rng          *rand.Rand
	rounds, idle int
	trained      string // a project with two versions, of which 2 is the champion
	dir          string // for copies of it
	bodies       func(i int) []byte
}

// skipped is the reason why a fault cannot be had here.
type skipped string

func (s skipped) Error() string { return string(s) }

func (f *faults) run(ctx context.Context, example, only string) (good bool, err error) {
	if f.dir, err = os.MkdirTemp("", "tandem-bench-faults-"); err != nil {
		return false, err
	}
	defer os.RemoveAll(f.dir)
	f.trained = filepath.Join(f.dir, "trained")
	if err := f.tandem.Credit(ctx, example, f.trained); err != nil {
		return false, err
	}
	if err := f.tandem.TwoVersions(ctx, f.trained); err != nil {
		return false, err
	}
	if f.bodies, err = live.Rows(filepath.Join(example, "credit_data.csv"), "Amount", "", "Status"); err != nil {
		return false, err
	}
	good = true
	fmt.Println("| fault | s | verdict | |\n|---|--:|---|---|")
	for _, one := range []struct {
		name string
		do   func(ctx context.Context, dir string) (string, error)
	}{
		{"kill", f.kill}, {"disk", f.disk}, {"log", f.log}, {"slow", f.slow}, {"idle", f.idles},
		{"clock", f.clock}, {"bundle", f.bundle}, {"term", f.term},
	} {
		if only != "" && !slices.Contains(strings.Split(only, ","), one.name) {
			continue
		}
		dir := filepath.Join(f.dir, one.name)
		if err := os.CopyFS(dir, os.DirFS(f.trained)); err != nil {
			return false, err
		}
		begin := time.Now()
		limited, cancel := context.WithTimeout(ctx, 10*time.Minute)
		text, err := one.do(limited, dir)
		cancel()
		verdict := "good"
		if reason, skip := err.(skipped); skip {
			verdict, text = "skipped", string(reason)
		} else if err != nil {
			verdict, text, good = "BAD", strings.ReplaceAll(err.Error(), "\n", " / "), false
		}
		fmt.Printf("| %s | %.1f | %s | %s |\n", one.name, time.Since(begin).Seconds(), verdict, text)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
	}
	return good, nil
}

// load begins one on so many connections. Each failure is given to failed, which
// says whether its connection goes on; nil: a failure ends the load.
func (f *faults) load(s *live.Server, connections int, failed func(i, status int, err error) bool) *live.Load {
	l := &live.Load{Bodies: f.bodies, Connections: connections, Failed: failed}
	l.Start(s.Address, "credit", true)
	return l
}

// answers waits until there are so many more.
func more(l *live.Load, n int) error {
	before := l.Answers()
	return live.Within(time.Minute, fmt.Sprintf("not %d more answers", n), func() bool { return l.Answers() >= before+n })
}

// kept stops a server that runs, and holds its log against all that was answered.
func (f *faults) kept(ctx context.Context, s *live.Server, answered []live.Answer) (untold int, err error) {
	if err := s.Stop(); err != nil {
		return 0, err
	}
	if _, err := f.tandem.Do(ctx, "verify", s.Dir); err != nil {
		return 0, err
	}
	return live.Logged(ctx, s.Dir, answered)
}

// kill kills the process at random moments. Before each a version is promoted, and the next
// start must answer with it.
func (f *faults) kill(ctx context.Context, dir string) (string, error) {
	var answered []live.Answer
	champion := "2"
	for round := range f.rounds {
		s, err := f.tandem.Up(ctx, dir, nil)
		if err != nil {
			return "", fmt.Errorf("round %d: %w", round, err)
		}
		defer s.Kill()
		client := live.NewClient(s.Address, "credit")
		first, _, err := client.Score(f.bodies(round))
		client.Close()
		if err != nil {
			return "", fmt.Errorf("round %d: %w", round, err)
		}
		if first.Model != champion {
			return "", fmt.Errorf("round %d: version %s answers, and %s is the champion", round, first.Model, champion)
		}
		answered = append(answered, first)
		load := f.load(s, 8, func(int, int, error) bool { return false }) // it is dead
		if err := more(load, 1+f.rng.IntN(100)); err != nil {
			return "", err
		}
		champion = fmt.Sprint(1 + round%2)
		if err := live.Promote(s.URL, "credit", 1+round%2); err != nil {
			return "", fmt.Errorf("round %d: %w", round, err)
		}
		if err := more(load, 1+f.rng.IntN(500)); err != nil {
			return "", err
		}
		time.Sleep(time.Duration(f.rng.IntN(20_000)) * time.Microsecond)
		s.Kill()
		told, err := load.Wait()
		if err != nil {
			return "", err
		}
		answered = append(answered, told...)
		if out, err := f.tandem.Do(ctx, "verify", dir); err != nil {
			return "", fmt.Errorf("round %d: %w %s", round, err, out)
		}
	}
	untold, err := live.Logged(ctx, dir, answered)
	return fmt.Sprintf("killed %d times; %d answered decisions are all in the log, %d more are that nobody was told; verified after each", f.rounds, len(answered), untold), err
}

// term stops the process as a new version of it is rolled out, while clients ask
// on connections that they keep. A connection that is told to close, and a
// server that takes no new one, are no failures; a request without an answer is. Half
// of the clients are plain, the others of a kind that net/http reads.
func (f *faults) term(ctx context.Context, dir string) (string, error) {
	var answered []live.Answer
	rounds := max(1, f.rounds/2)
	refused := 0
	for round := range rounds {
		s, err := f.tandem.Up(ctx, dir, nil)
		if err != nil {
			return "", err
		}
		defer s.Kill()
		bad := make(chan error, 1000)
		load := &live.Load{Bodies: f.bodies, Connections: 16, Pause: time.Duration(round%3) * time.Millisecond,
			Header: func(k int) string {
				return []string{"", "Pragma: no-cache\r\n"}[k%2] // with it they are net/http's
			},
			Failed: func(_, _ int, err error) bool {
				if !strings.Contains(err.Error(), "connection refused") {
					select {
					case bad <- err:
					default:
					}
				}
				return false
			}}
		load.Start(s.Address, "credit", true)
		if err := more(load, 50+f.rng.IntN(200)); err != nil {
			return "", err
		}
		if err := s.Stop(); err != nil {
			return "", err
		}
		told, err := load.Wait()
		if err != nil {
			return "", err
		}
		answered = append(answered, told...)
		refused += 16
		close(bad)
		for err := range bad {
			return "", fmt.Errorf("round %d: a request failed: %w", round, err)
		}
	}
	untold, err := live.Logged(ctx, dir, answered)
	if err == nil && untold > 0 {
		err = fmt.Errorf("%d decisions were logged and not answered", untold)
	}
	return fmt.Sprintf("%d times; %d requests, none failed: each of %d kept connections was told to close with its last answer", rounds, len(answered), refused), err
}
