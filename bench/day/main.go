// Command day sends a day of applications to tandem up and holds the decision
// log against the answers: every answered decision is in it once with the same
// score, the project verifies, and every decision comes out again bit by bit.
//
//	go run ./bench/day -tandem FILE [-only lender|fraud] [-n N] [-connections 32]
//
// A lender's day is 50,000 applications of the credit example, each answered with four
// reasons. A day of fraud is 1,000,000 card payments, made by this program, without
// reasons. Each time it is single rows over HTTP on kept connections, durability os.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/tandem-ml/tandem/bench/live"
)

func main() {
	tandem := flag.String("tandem", "", "the program, as built by go build ./cmd/tandem")
	example := flag.String("project", "examples/credit", "the lender's example")
	only := flag.String("only", "", "lender or fraud; both if empty")
	n := flag.Int("n", 0, "how many; 0: 50,000 applications, 1,000,000 payments")
	connections := flag.Int("connections", 32, "connections")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := errors.New("-only is lender or fraud")
	for _, d := range []*day{lender(*example), fraud()} {
		if *only != "" && *only != d.project {
			continue
		}
		if *n > 0 {
			d.n = *n
		}
		d.tandem, d.connections = live.Program(*tandem), *connections
		if err = d.run(ctx); err != nil {
			break
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "day:", err)
		os.Exit(1)
	}
}

// day is one run from training to replay.
type day struct {
	project, what string
	n             int
	prepare       func(ctx context.Context, tandem live.Program, dir string) error
	bodies        func() (func(i int) []byte, error)

	tandem      live.Program
	connections int
}

func lender(example string) *day {
	return &day{project: "lender", what: "applications with four reasons each", n: 50_000,
		prepare: func(ctx context.Context, tandem live.Program, dir string) error {
			if err := os.CopyFS(dir, os.DirFS(example)); err != nil {
				return err
			}
			file := filepath.Join(dir, "tandem.yaml")
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			return os.WriteFile(file, bytes.Replace(text, []byte("name: credit"), []byte("name: lender"), 1), 0o600)
		},
		bodies: func() (func(i int) []byte, error) {
			return live.Rows(filepath.Join(example, "credit_data.csv"), "Amount", "", "Status")
		}}
}

func (d *day) run(ctx context.Context) error {
	parent, err := os.MkdirTemp("", "tandem-bench-day-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(parent)
	dir := filepath.Join(parent, d.project)
	fmt.Printf("\n%d %s, %d connections, %s, %d processors\n\n| stage | s | a second |\n|---|--:|--:|\n", d.n, d.what, d.connections, runtime.Version(), runtime.NumCPU())
	if err := d.prepare(ctx, d.tandem, dir); err != nil {
		return err
	}
	bodies, err := d.bodies()
	if err != nil {
		return err
	}
	begin := time.Now()
	stage := func(what string, rows int) {
		took := time.Since(begin).Seconds()
		rate := ""
		if rows > 0 {
			rate = fmt.Sprintf("%.0f", float64(rows)/took)
		}
		fmt.Printf("| %s | %.1f | %s |\n", what, took, rate)
		begin = time.Now()
	}
	if _, err := d.tandem.Do(ctx, "run", dir); err != nil {
		return err
	}
	stage("`tandem run`: read, train, evaluate, report", 0)
	server, err := d.tandem.Up(ctx, dir, nil)
	if err != nil {
		return err
	}
	defer server.Kill()
	stage("`tandem up`: until it serves", 0)
	load := &live.Load{N: d.n, Connections: d.connections, Bodies: bodies}
	load.Start(server.Address, d.project, true)
	answers, err := load.Wait()
	if err != nil {
		return err
	}
	stage("asked and answered over HTTP, logged", len(answers))
	if len(answers) != d.n {
		return fmt.Errorf("%d of %d are answered", len(answers), d.n)
	}
	if err := server.Stop(); err != nil {
		return err
	}
	stage("SIGTERM until it has ended", 0)
	if _, err := d.tandem.Do(ctx, "verify", dir); err != nil {
		return err
	}
	stage("`tandem verify`: every byte of the log", d.n)
	untold, err := live.Logged(ctx, dir, answers)
	if err != nil {
		return err
	}
	if untold != 0 {
		return fmt.Errorf("the log has %d decisions that were never answered", untold)
	}
	stage("each answer looked for in the log (by this program)", d.n)
	out, err := d.tandem.Do(ctx, "decisions", dir, "--replay")
	if err != nil {
		return err
	}
	if want := fmt.Sprintf("%d equal to the last bit, 0 not", d.n); !strings.Contains(out, want) {
		return fmt.Errorf("replay says %q, not %q", out, want)
	}
	stage("`tandem decisions --replay`: all computed again", d.n)
	server, err = d.tandem.Up(ctx, dir, nil)
	if err != nil {
		return err
	}
	stage("`tandem up` on the full log: until it serves again", d.n)
	fmt.Printf("\nEvery one of the %d answers is in the log once, with the bits of its score; the project verifies; all are replayed bit-equal. The log has %.0f MB.\n",
		d.n, float64(size(live.LogDir(dir)))/1e6)
	return server.Stop()
}

func size(dir string) (n int64) {
	filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			if i, err := e.Info(); err == nil {
				n += i.Size()
			}
		}
		return nil
	})
	return n
}
