// Command soak keeps tandem up under load while its champion changes every few
// seconds, asks for its pages and metrics as people and Prometheus do, and shows
// what the process holds over time: resident memory, live heap, goroutines, open
// files. In the end it fits a line to each and says whether it is flat.
//
//	go run ./bench/soak -tandem FILE [-for 1h] [-swaps 1000] [-connections 8] [-rate 500]
//
// Every answered decision is then looked for in the log, and the project is
// verified. What grows by its nature is shown beside: the log's index takes about
// 50 bytes a decision, which is taken off before memory is judged. The live heap is
// what the last garbage collection left.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tandem-ml/tandem/bench/live"
)

func main() {
	var s soak
	tandem := flag.String("tandem", "", "the program, as built by go build ./cmd/tandem")
	flag.StringVar(&s.example, "project", "examples/credit", "the lender's example")
	flag.DurationVar(&s.length, "for", time.Hour, "how long")
	flag.IntVar(&s.swaps, "swaps", 1000, "how often the champion changes")
	flag.IntVar(&s.connections, "connections", 8, "connections")
	flag.Float64Var(&s.rate, "rate", 500, "requests a second; 0: as many as it can")
	flag.Parse()
	s.tandem = live.Program(*tandem)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := s.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

type soak struct {
	tandem      live.Program
	example     string
	length      time.Duration
	swaps       int
	connections int
	rate        float64

	samples []sample
}

func (s *soak) run(ctx context.Context) (err error) {
	parent, err := os.MkdirTemp("", "tandem-bench-soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(parent)
	dir := filepath.Join(parent, "credit")
	if err := s.tandem.Credit(ctx, s.example, dir); err != nil {
		return err
	}
	if err := s.tandem.TwoVersions(ctx, dir); err != nil {
		return err
	}
	server, err := s.tandem.Up(ctx, dir, nil)
	if err != nil {
		return err
	}
	defer server.Kill()
	bodies, err := live.Rows(filepath.Join(s.example, "credit_data.csv"), "Amount", "", "Status")
	if err != nil {
		return err
	}
	begin := time.Now()
	load := &live.Load{Connections: s.connections, Bodies: func(i int) []byte {
		if s.rate > 0 {
			time.Sleep(time.Until(begin.Add(time.Duration(float64(i) / s.rate * float64(time.Second)))))
		}
		return bodies(i)
	}}
	load.Start(server.Address, "credit", true)
	fmt.Printf("%d swaps in %v, %d connections, %.0f requests/s; version 1 and 2 take turns\n\n", s.swaps, s.length, s.connections, s.rate)
	fmt.Println("| s | swaps | answers | RSS MB | live heap MB | goroutines | open files |\n|--:|--:|--:|--:|--:|--:|--:|")
	every := s.length / time.Duration(s.swaps)
	for n := range s.swaps {
		if err := live.Promote(server.URL, "credit", 1+n%2); err != nil {
			return fmt.Errorf("swap %d: %w\n%s", n, err, server.Said())
		}
		if err := look(server.URL + pages[n%len(pages)]); err != nil {
			return err
		}
		if n%max(1, s.swaps/40) == 0 || n == s.swaps-1 {
			if err := s.sample(server, time.Since(begin), n+1, load.Answers()); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(begin.Add(time.Duration(n+1) * every))):
		}
	}
	answers, err := load.Stop()
	if err != nil {
		return fmt.Errorf("a request failed: %w", err)
	}
	if err := server.Stop(); err != nil {
		return err
	}
	flat := s.judge()
	by := map[string]int{}
	for _, a := range answers {
		by[a.Model]++
	}
	untold, err := live.Logged(ctx, dir, answers)
	if err != nil {
		return err
	}
	if _, err := s.tandem.Do(ctx, "verify", dir); err != nil {
		return err
	}
	fmt.Printf("\n%d answers, none failed, %d by version 1 and %d by version 2; each is in the log once, %d more are; the project verifies\n",
		len(answers), by["1"], by["2"], untold)
	if by["1"] == 0 || by["2"] == 0 || untold != 0 {
		return errors.New("both versions answer, and nothing is decided that was not answered")
	}
	if !flat {
		return errors.New("it is not flat")
	}
	return nil
}

// pages are what people and Prometheus look at meanwhile.
var pages = []string{"/", "/metrics", "/v1/rollout/credit", "/health/ready"}

func look(url string) error {
	r, err := http.Get(url)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	_, err = io.Copy(io.Discard, r.Body)
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, r.Status)
	}
	return err
}

// sample is what the process holds at one moment.
type sample struct {
	at      time.Duration
	answers int
	values  [4]float64 // as in held
}

// held are what is sampled, and what a slope over the second half may amount to: a share
// of the mean, or so much by itself if that is more.
var held = [...]struct {
	name   string
	share  float64
	amount float64
}{
	{"RSS MB", 0.05, 5}, {"live heap MB", 0.10, 5}, {"goroutines", 0.05, 3}, {"open files", 0.05, 3},
}

// ofIndex is what the log's index takes at most for a decision, in MB; resident it
// is twice that, since the collector lets the heap grow to twice what is live.
const ofIndex = 53e-6

func (s *soak) sample(server *live.Server, at time.Duration, swaps, answers int) error {
	r, err := http.Get(server.URL + "/metrics")
	if err != nil {
		return err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	one := sample{at: at, answers: answers}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		x, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "process_resident_memory_bytes":
			one.values[0] = x / (1 << 20)
		case "go_memstats_next_gc_bytes": // twice what the last collection left
			one.values[1] = x / (2 << 20)
		case "go_goroutines":
			one.values[2] = x
		case "process_open_fds":
			one.values[3] = x
		}
	}
	s.samples = append(s.samples, one)
	fmt.Printf("| %.0f | %d | %d | %.0f | %.1f | %.0f | %.0f |\n", at.Seconds(), swaps, answers, one.values[0], one.values[1], one.values[2], one.values[3])
	return nil
}

// judge fits a line to the samples of the second half, when all that is filled
// once is full, and says for each number how far the line rises over that time.
func (s *soak) judge() bool {
	half := s.samples[len(s.samples)/2:]
	flat := true
	fmt.Printf("\nLines fitted to the second half, %.0f s:\n\n| | mean | rises by | of which the log's index | verdict |\n|---|--:|--:|--:|---|\n", (half[len(half)-1].at - half[0].at).Seconds())
	for k, h := range held {
		var n, sx, sy, sxx, sxy float64
		for _, one := range half {
			x, y := one.at.Seconds(), one.values[k]
			n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
		}
		rise := 0.0
		if d := n*sxx - sx*sx; d > 0 {
			rise = (n*sxy - sx*sy) / d * (half[len(half)-1].at - half[0].at).Seconds()
		}
		index := 0.0
		if k < 2 {
			index = ofIndex * float64(half[len(half)-1].answers-half[0].answers) * float64(2-k)
		}
		verdict := "flat"
		if rise-index > max(h.share*sy/n, h.amount) {
			verdict, flat = "RISES", false
		}
		fmt.Printf("| %s | %.1f | %+.1f | %.1f | %s |\n", h.name, sy/n, rise, index, verdict)
	}
	return flat
}
