// Command serve measures what scoring over HTTP costs beside an empty handler
// of package net/http: requests of one row, as a JSON object, on 1 and on 32
// connections, with and without reasons, with the decision log on (durability
// os); then the same rows at a fixed rate (an open loop), and a thousand
// rows in a request. Every server is a process of its own, as in production; they
// and the load share this machine's processors. The servers take turns, round after
// round, so that what else the machine does meets all of them; of the rounds
// the median is shown.
//
//	go run ./bench/serve [-bundle FILE.tandem] [-rounds 3] [-for 2s] [-fasthttp PROGRAM] [-beside NAME=URL[=BODIES]]...
//
// An empty handler of package fasthttp is measured too if its program is given,
// which is a module of its own: go build -C bench/serve/fasthttp -o PROGRAM .
//
// Without a bundle the model is a random forest of 500 trees of 31 leaves that
// reads 30 numbers. The rows that are asked for are the bundle's test rows, or those
// of -rows, a file of one request a line. Further servers are sent the same, or
// the lines of a file of their own: peers.py starts FastAPI, MLServer and MLflow with
// the same LightGBM model and measures them so.
package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tandem-ml/tandem/bench/forest"
	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/decisions"
	"github.com/tandem-ml/tandem/engineering/load"
	"github.com/tandem-ml/tandem/engineering/plain"
	"github.com/tandem-ml/tandem/engineering/serve"
)

func main() {
	var (
		file    = flag.String("bundle", "", "the bundle to serve; none: a random forest of 500 trees")
		rounds  = flag.Int("rounds", 3, "how often the servers take turns")
		length  = flag.Duration("for", 2*time.Second, "how long a turn is")
		rows    = flag.String("rows", "", "a file of requests, one a line, in place of the bundle's test rows")
		fast    = flag.String("fasthttp", "", "the program of bench/serve/fasthttp")
		rate    = flag.Float64("rate", 5000, "requests a second of the open loop; 0: neither that nor thousands of rows")
		child   = flag.String("child", "", "be a server: empty, plain or tandem (the program calls itself so)")
		only    = flag.String("only", "", "measure the server of this name only, for a profile")
		counts  = flag.String("connections", "1,32", "numbers of connections")
		profile = flag.String("profile", "", "write the CPU profile of the scoring server to this file")
	)
	var besides []string
	flag.Func("beside", "NAME=URL of a further server, which is sent the same requests, or with =FILE the lines of the file; may be repeated",
		func(text string) error { besides = append(besides, text); return nil })
	flag.Parse()
	var err error
	if *child != "" {
		err = beServer(*child, *file, *profile)
	} else {
		err = measure(*file, *profile, *fast, *rows, *only, besides, *counts, *rate, *rounds, *length)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/serve:", err)
		os.Exit(1)
	}
}

// model returns the bundle to measure.
func model(file string) (*bundle.Bundle, error) {
	if file != "" {
		return bundle.Open(file)
	}
	return forest.Bundle(2)
}

// beServer answers until it is told to stop. The first line of its output is
// its address.
func beServer(kind, file, profile string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	l, err := serve.Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	if kind == "empty" {
		fmt.Println(l.Addr())
		go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
		<-ctx.Done()
		return nil
	}
	if kind == "plain" {
		fmt.Println(l.Addr())
		door := plain.Listen(l, plain.Options{Route: "/v1/score/", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}),
			Header: time.Minute, Read: time.Minute, Write: time.Minute, Idle: time.Minute, Work: time.Minute})
		go http.Serve(door, nil)
		<-ctx.Done()
		return nil
	}
	b, err := model(file)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench-serve-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	log, err := decisions.Open(dir, decisions.Options{Durability: decisions.OS})
	if err != nil {
		return err
	}
	defer log.Close()
	s := serve.New(serve.Options{Log: log})
	s.Swap(serve.Model{Project: "bench", Version: "1", Bundle: b})
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	fmt.Println(l.Addr())
	return s.Serve(ctx, l)
}

// start runs a program, "" is this one, as a server, and returns its address and
// the id of its process.
func start(program string, args ...string) (address string, id int, stop func(), err error) {
	if program == "" {
		if program, err = os.Executable(); err != nil {
			return "", 0, nil, err
		}
	}
	cmd := exec.Command(program, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", 0, nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", 0, nil, err
	}
	stop = func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", 0, nil, fmt.Errorf("server %v: %w", args, err)
	}
	return strings.TrimSpace(line), cmd.Process.Pid, stop, nil
}

// subject is what is measured: one kind of request to one server.
type subject struct {
	name, address string
	process       int // 0: not known
	requests      [][]byte
	rates         map[int][]float64         // by connections: requests/s of each round
	times         map[int][][]time.Duration // the percentiles
	server, load  map[int][]float64         // and the processor time of a request, in microseconds
}

// percentiles are shown in this order.
var percentiles = []float64{0.5, 0.99, 0.999}

func measure(file, profile, fast, rows, only string, besides []string, counts string, rate float64, rounds int, length time.Duration) error {
	var numbers []int
	for text := range strings.SplitSeq(counts, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is not a number of connections", text)
		}
		numbers = append(numbers, n)
	}
	b, err := model(file)
	if err != nil {
		return err
	}
	if len(b.Tests) == 0 {
		return fmt.Errorf("the bundle has no test rows to ask for")
	}
	empty, emptyID, stop, err := start("", "-child", "empty")
	if err != nil {
		return err
	}
	defer stop()
	ours, oursID, stop, err := start("", "-child", "tandem", "-bundle", file, "-profile", profile)
	if err != nil {
		return err
	}
	defer stop()
	door, doorID, stop, err := start("", "-child", "plain")
	if err != nil {
		return err
	}
	defer stop()
	bodies := [2][]string{rowBodies(b, ""), rowBodies(b, `,"reasons":false`)}
	if rows != "" {
		if bodies[0], err = lines(rows); err != nil {
			return err
		}
		bodies[1] = nil
		for _, body := range bodies[0] {
			bodies[1] = append(bodies[1], strings.TrimSuffix(body, "}")+`,"reasons":false}`)
		}
	}
	subjects := []*subject{
		{name: "empty net/http handler", address: empty, process: emptyID, requests: requests(empty, "/", bodies[0])},
		{name: "empty handler, plain door", address: door, process: doorID, requests: requests(door, "/v1/score/bench", bodies[0])},
		{name: "score, log", address: ours, process: oursID, requests: requests(ours, "/v1/score/bench", bodies[1])},
		{name: "score, reasons, log", address: ours, process: oursID, requests: requests(ours, "/v1/score/bench", bodies[0])},
	}
	if fast != "" {
		address, id, stop, err := start(fast)
		if err != nil {
			return err
		}
		defer stop()
		subjects = append(subjects, &subject{name: "empty fasthttp handler", address: address, process: id, requests: requests(address, "/", bodies[0])})
	}
	for _, beside := range besides {
		parts := strings.SplitN(beside, "=", 3)
		if len(parts) < 2 {
			return fmt.Errorf("%q is not NAME=URL", beside)
		}
		theirs := bodies[0]
		if len(parts) == 3 {
			if theirs, err = lines(parts[2]); err != nil {
				return err
			}
		}
		host, path, _ := strings.Cut(strings.TrimPrefix(parts[1], "http://"), "/")
		subjects = append(subjects, &subject{name: parts[0], address: host, requests: requests(host, "/"+path, theirs)})
	}
	if only != "" {
		subjects = slices.DeleteFunc(subjects, func(s *subject) bool { return s.name != only })
	}
	if len(subjects) == 0 {
		return fmt.Errorf("no server is named %q", only)
	}
	for _, s := range subjects {
		s.rates, s.times = make(map[int][]float64), make(map[int][][]time.Duration)
		s.server, s.load = make(map[int][]float64), make(map[int][]float64)
		if _, _, err := closedLoop(s, 4, length/4); err != nil { // warm up
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for range rounds {
		for _, connections := range numbers {
			for _, s := range subjects {
				server, mine := used(s.process), used(os.Getpid())
				measured, times, err := closedLoop(s, connections, length)
				if err != nil {
					return fmt.Errorf("%s: %w", s.name, err)
				}
				requests := measured * length.Seconds()
				s.server[connections] = append(s.server[connections], 1e6*(used(s.process)-server).Seconds()/requests)
				s.load[connections] = append(s.load[connections], 1e6*(used(os.Getpid())-mine).Seconds()/requests)
				s.rates[connections] = append(s.rates[connections], measured)
				s.times[connections] = append(s.times[connections], times)
			}
		}
	}
	fmt.Printf("%s, %d processors, %d rounds of %s, body of %d bytes\n\n", runtime.Version(), runtime.NumCPU(), rounds, length, len(bodies[0][0]))
	scoring, explaining := alone(b)
	fmt.Printf("The model alone, one row after the other on one processor: %.1f us to score, %.1f us to explain; that allows %.0f explained rows/s here.\n\n",
		1e6*scoring.Seconds(), 1e6*explaining.Seconds(), float64(runtime.NumCPU())/(scoring+explaining).Seconds())
	fmt.Println("| server | connections | requests/s, median (all) | beside the first | p50 ms | p99 ms | p99.9 ms | processor us a request: server | load |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, connections := range numbers {
		for _, s := range subjects {
			var all []string
			for _, r := range s.rates[connections] {
				all = append(all, fmt.Sprintf("%.0f", r))
			}
			rate := median(s.rates[connections])
			fmt.Printf("| %s | %d | %.0f (%s) | %.2f |", s.name, connections, rate, strings.Join(all, ", "), rate/median(subjects[0].rates[connections]))
			for p := range percentiles {
				var of []time.Duration
				for _, times := range s.times[connections] {
					of = append(of, times[p])
				}
				fmt.Printf(" %.3f |", median(of).Seconds()*1000)
			}
			fmt.Printf(" %.1f | %.1f |\n", median(s.server[connections]), median(s.load[connections]))
		}
	}
	if rate == 0 || only != "" {
		return nil
	}
	fmt.Printf("\n| requests | connections | rate, median (all) | p50 ms | p99 ms | p99.9 ms | the load was on time |\n|---|--:|--:|--:|--:|--:|---|\n")
	url := "http://" + ours + "/v1/score/bench"
	one := &load.Bodies{Of: asBytes(bodies[1]), Rows: 1}
	reasons := &load.Bodies{Of: asBytes(bodies[0]), Rows: 1}
	many := &load.Bodies{Of: [][]byte{manyRows(bodies[1], 1000)}, Rows: 1000}
	for _, c := range []struct {
		name        string
		bodies      *load.Bodies
		connections int
		rate        float64
	}{
		{fmt.Sprintf("one row, %.0f/s", rate), one, 32, rate},
		{fmt.Sprintf("one row with reasons, %.0f/s", rate), reasons, 32, rate},
		{"1,000 rows, one after the other", many, 1, 0},
		{"1,000 rows, two at a time", many, 2, 0},
	} {
		if err := paced(c.name, url, c.bodies, c.connections, c.rate, rounds, length); err != nil {
			return err
		}
	}
	return nil
}

// paced shows what tandem bench http measures: rows a second, and the latency
// of requests from when they were due.
func paced(name, url string, bodies *load.Bodies, connections int, rate float64, rounds int, length time.Duration) error {
	var rates, p50, p99, p999 []float64
	onTime := true
	for range rounds {
		r, err := load.Run(context.Background(), load.Options{
			URL: url, Connections: connections, Rate: rate, Poisson: true, Seed: 1, Bodies: bodies, ContentType: "application/json",
			Duration: length, Warmup: length / 4, Timeout: 10 * time.Second,
		})
		if err != nil {
			return err
		}
		if r.Failed() {
			return fmt.Errorf("%s: %s", name, r.FirstBad)
		}
		rates = append(rates, r.RowsPerSecond)
		p50, p99, p999 = append(p50, r.Latency.P50), append(p99, r.Latency.P99), append(p999, r.Latency.P999)
		onTime = onTime && (r.OnTime == nil || *r.OnTime)
	}
	var all []string
	for _, r := range rates {
		all = append(all, fmt.Sprintf("%.0f", r))
	}
	fmt.Printf("| %s | %d | %.0f rows/s (%s) | %.3f | %.3f | %.3f | %v |\n",
		name, connections, median(rates), strings.Join(all, ", "), median(p50), median(p99), median(p999), onTime)
	return nil
}

func asBytes(texts []string) (out [][]byte) {
	for _, text := range texts {
		out = append(out, []byte(text))
	}
	return out
}

// manyRows makes one request of n rows of requests of one.
func manyRows(bodies []string, n int) []byte {
	out := []byte(`{"rows":[`)
	for i := range n {
		row, _, _ := strings.Cut(strings.TrimPrefix(bodies[i%len(bodies)], `{"rows":[`), "]")
		out = append(append(out, row...), ',')
	}
	return append(out[:len(out)-1], `],"reasons":false}`...)
}

// alone returns how long scoring a row and finding its reasons take without a
// server.
func alone(b *bundle.Bundle) (scoring, explaining time.Duration) {
	each := func(do func(row []float64)) time.Duration {
		var times []time.Duration
		for range 5 {
			begin, n := time.Now(), 0
			for ; time.Since(begin) < 50*time.Millisecond; n += len(b.Tests) {
				for _, t := range b.Tests {
					do(t.Row)
				}
			}
			times = append(times, time.Since(begin)/time.Duration(n))
		}
		return slices.Min(times)
	}
	return each(func(row []float64) { b.Score(row) }),
		each(func(row []float64) { b.Reasons(row, b.Manifest.Reasons, true, b.Manifest.Texts) })
}

// used returns the processor time that a process has had, to a hundredth of a
// second; 0 where the system does not say.
func used(process int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", process))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

func median[T cmp.Ordered](x []T) T {
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}

// rowBodies returns requests of one row each, the bundle's test rows with
// numbers of six digits: test rows are made from thresholds and have seventeen,
// which callers rarely send.
func rowBodies(b *bundle.Bundle, more string) []string {
	var out []string
	for _, t := range b.Tests[:min(64, len(b.Tests))] {
		t.Row = slices.Clone(t.Row)
		var members []string
		for j, f := range b.Layout().Fields() {
			if f.Kind == data.Number {
				t.Row[j], _ = strconv.ParseFloat(strconv.FormatFloat(t.Row[j], 'g', 6, 64), 64)
			}
			if value := b.Layout().FormatValue(j, t.Row[j]); value != nil && !math.IsInf(t.Row[j], 0) { // JSON has none
				name, _ := json.Marshal(f.Name)
				text, _ := json.Marshal(value)
				members = append(members, string(name)+":"+string(text))
			}
		}
		out = append(out, `{"rows":[{`+strings.Join(members, ",")+`}]`+more+`}`)
	}
	return out
}

// lines are the lines of a file, each a request.
func lines(file string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	if all[0] == "" {
		return nil, fmt.Errorf("%s has no lines", file)
	}
	return all, nil
}

func requests(host, path string, bodies []string) [][]byte {
	var out [][]byte
	for _, body := range bodies {
		out = append(out, fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, host, len(body), body))
	}
	return out
}

// closedLoop asks a server on that many connections at once, each of which sends its
// next request when it has the answer to the last one. The client is a plain
// one: package net/http's would cost as much as the server.
func closedLoop(s *subject, connections int, length time.Duration) (rate float64, times []time.Duration, err error) {
	var mu sync.Mutex
	var all []time.Duration
	var wg sync.WaitGroup
	begin := time.Now()
	end := begin.Add(length)
	for k := range connections {
		wg.Go(func() {
			mine, e := ask(s, k, end)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, mine...)
			err = cmp.Or(err, e)
		})
	}
	wg.Wait()
	took := time.Since(begin)
	if err != nil {
		return 0, nil, err
	}
	slices.Sort(all)
	for _, p := range percentiles {
		times = append(times, all[int(p*float64(len(all)-1))])
	}
	return float64(len(all)) / took.Seconds(), times, nil
}

func ask(s *subject, k int, end time.Time) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	var times []time.Duration
	for now := time.Now(); now.Before(end); k++ {
		if _, err := conn.Write(s.requests[k%len(s.requests)]); err != nil {
			return nil, err
		}
		if err := readAnswer(in); err != nil {
			return nil, err
		}
		then := now
		now = time.Now()
		times = append(times, now.Sub(then))
	}
	return times, nil
}

// readAnswer reads one answer, which must be 200 and say its length.
func readAnswer(in *bufio.Reader) error {
	length := -1
	for i := 0; ; i++ {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if i == 0 && !strings.Contains(string(line), " 200 ") {
			rest, _ := io.ReadAll(io.LimitReader(in, int64(in.Buffered())))
			return fmt.Errorf("answered %s%s", line, rest)
		}
		if name, value, ok := strings.Cut(string(line), ":"); ok && strings.EqualFold(name, "Content-Length") {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return err
			}
		}
		if len(line) <= 2 {
			if length < 0 {
				return fmt.Errorf("an answer does not say its length")
			}
			_, err := in.Discard(length)
			return err
		}
	}
}
