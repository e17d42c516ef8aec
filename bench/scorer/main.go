// Command scorer measures the static scorer as a process: how long it takes from
// its start to the first answer of /v1/score, how much memory it holds when
// nobody asks, and whether memory and requests survive many swaps of a bundle
// through a watched folder, under load.
//
//	go run ./bench/scorer [-starts 21] [-swaps 1000] [-program FILE]
//
// The model is a random forest of 500 trees of 31 leaves that reads 30 numbers.
// Without a program it is built as releases are: static, stripped.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tandem-ml/tandem/bench/forest"
	"github.com/tandem-ml/tandem/bundle"
)

func main() {
	starts := flag.Int("starts", 21, "how often the program is started")
	swaps := flag.Int("swaps", 1000, "how often the bundle is replaced under load; 0: never")
	program := flag.String("program", "", "the scorer; none: it is built")
	flag.Parse()
	if err := measure(*program, *starts, *swaps); err != nil {
		fmt.Fprintln(os.Stderr, "scorer:", err)
		os.Exit(1)
	}
}

var row = func() string {
	var b strings.Builder
	for j := range forest.Columns {
		fmt.Fprintf(&b, `,"column_%d":%d.5`, j, j%5-2)
	}
	return `{"rows":[{` + b.String()[1:] + `}],"reasons":false}`
}()

// model is a bundle of 500 trees; each kind is another.
func model(kind uint64) (id string, content []byte, err error) {
	b, err := forest.Bundle(kind)
	if err != nil {
		return "", nil, err
	}
	content, err = bundle.Encode(b)
	return b.ID(), content, err
}

func measure(program string, starts, swaps int) error {
	dir, err := os.MkdirTemp("", "scorer")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if program == "" {
		program = filepath.Join(dir, "tandem-scorer")
		fmt.Println("| architecture | bytes of the program |\n|---|--:|")
		for _, arch := range []string{"arm64", "amd64"} {
			build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program+"-"+arch, "./cmd/tandem-scorer")
			build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
			if out, err := build.CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			info, err := os.Stat(program + "-" + arch)
			if err != nil {
				return err
			}
			fmt.Printf("| %s | %d |\n", arch, info.Size())
			if arch == "amd64" {
				program += "-amd64"
				break
			}
		}
	}
	var ids [2]string
	var contents [2][]byte
	for k := range ids {
		if ids[k], contents[k], err = model(uint64(k)); err != nil {
			return err
		}
	}
	models := filepath.Join(dir, "models")
	file := filepath.Join(models, "bench.tandem")
	if err := errors.Join(os.Mkdir(models, 0o755), os.WriteFile(file, contents[0], 0o644)); err != nil {
		return err
	}
	var cold, cpu []time.Duration
	var idle []int
	for range starts {
		s, took, err := start(program, models, "5s")
		if err != nil {
			return err
		}
		cold, cpu = append(cold, took), append(cpu, s.used())
		time.Sleep(500 * time.Millisecond)
		idle = append(idle, s.memory())
		s.stop()
	}
	for _, x := range [][]time.Duration{cold, cpu} {
		slices.Sort(x)
	}
	slices.Sort(idle)
	fmt.Printf("\n| %d starts, bundle of %d bytes | median | least | most |\n|---|--:|--:|--:|\n", starts, len(contents[0]))
	fmt.Printf("| start to first answer, ms | %s | %s | %s |\n", ms(cold[starts/2]), ms(cold[0]), ms(cold[starts-1]))
	fmt.Printf("| processor time until then, ms | %s | %s | %s |\n", ms(cpu[starts/2]), ms(cpu[0]), ms(cpu[starts-1]))
	fmt.Printf("| idle memory (RSS), MB | %.1f | %.1f | %.1f |\n", float64(idle[starts/2])/1e6, float64(idle[0])/1e6, float64(idle[starts-1])/1e6)
	if swaps == 0 {
		return nil
	}
	return swap(program, models, file, ids, contents, swaps)
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }

// scorer is a running one.
type scorer struct {
	cmd     *exec.Cmd
	address string
}

// start runs the program until it has answered, and returns how long that took.
func start(program, models, poll string) (*scorer, time.Duration, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // a free port
	if err != nil {
		return nil, 0, err
	}
	s := &scorer{address: l.Addr().String()}
	l.Close()
	s.cmd = exec.Command(program, "--bundle", models, "--address", s.address, "--poll", poll)
	var said bytes.Buffer
	s.cmd.Stderr = &said
	request := fmt.Sprintf("POST /v1/score/bench HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", s.address, len(row), row)
	begin := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, 0, err
	}
	for time.Since(begin) < 10*time.Second {
		if status(s.address, request) == "200" {
			return s, time.Since(begin), nil
		}
		time.Sleep(200 * time.Microsecond)
	}
	s.stop()
	return nil, 0, fmt.Errorf("it does not answer: %s", said.String())
}

// status asks once and returns the status, "" if nobody answers.
func status(address, request string) string {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return ""
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		return ""
	}
	line, _ := bufio.NewReader(c).ReadString('\n')
	if f := strings.Fields(line); len(f) > 1 {
		return f[1]
	}
	return ""
}

func (s *scorer) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	s.cmd.Wait()
}

// memory returns the resident set in bytes, 0 where the system does not say.
func (s *scorer) memory() int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	m := regexp.MustCompile(`VmRSS:\s+([0-9]+) kB`).FindSubmatch(text)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n * 1024
}

// used returns the processor time so far, of all threads, 0 where the system does not say.
func (s *scorer) used() (sum time.Duration) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.cmd.Process.Pid))
	for _, file := range threads {
		text, _ := os.ReadFile(file)
		if f := strings.Fields(string(text)); len(f) > 0 {
			ns, _ := strconv.ParseInt(f[0], 10, 64)
			sum += time.Duration(ns)
		}
	}
	return sum
}

var bundleID = regexp.MustCompile(`"bundle":\s*"([0-9a-f]{64})"`)

// swap replaces the bundle again and again while two callers ask.
func swap(program, models, file string, ids [2]string, contents [2][]byte, swaps int) error {
	s, _, err := start(program, models, "5ms")
	if err != nil {
		return err
	}
	defer s.stop()
	ask := func(c *http.Client) (string, error) {
		resp, err := c.Post("http://"+s.address+"/v1/score/bench", "application/json", strings.NewReader(row))
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		m := bundleID.FindSubmatch(body)
		if err != nil || resp.StatusCode != 200 || m == nil {
			return "", fmt.Errorf("%s: %s %v", resp.Status, body, err)
		}
		return string(m[1]), nil
	}
	var answered, failed atomic.Int64
	var callers sync.WaitGroup
	quit := make(chan struct{})
	for range 2 {
		callers.Go(func() {
			c := &http.Client{Transport: &http.Transport{}}
			for {
				select {
				case <-quit:
					return
				default:
				}
				if _, err := ask(c); err != nil {
					failed.Add(1)
					fmt.Fprintln(os.Stderr, err)
				} else {
					answered.Add(1)
				}
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	fmt.Printf("\n| swaps | RSS, MB | answered | failed |\n|--:|--:|--:|--:|\n")
	say := func(n int) {
		fmt.Printf("| %d | %.1f | %d | %d |\n", n, float64(s.memory())/1e6, answered.Load(), failed.Load())
	}
	begin := time.Now()
	for n := 1; n <= swaps; n++ {
		if err := errors.Join(os.WriteFile(file+".part", contents[n%2], 0o644), os.Rename(file+".part", file)); err != nil {
			return err
		}
		for wait := time.Now(); ; time.Sleep(time.Millisecond) {
			id, err := ask(http.DefaultClient)
			if err != nil {
				return err
			}
			if id == ids[n%2] {
				break
			}
			if time.Since(wait) > time.Minute {
				return fmt.Errorf("swap %d is not in service after a minute", n)
			}
		}
		if n == 1 || n == 10 || n%max(1, swaps/10) == 0 {
			say(n)
		}
	}
	took := time.Since(begin)
	close(quit)
	callers.Wait()
	time.Sleep(5 * time.Second)
	fmt.Printf("| and 5 s later | %.1f | %d | %d |\n\n%d swaps in %s\n", float64(s.memory())/1e6, answered.Load(), failed.Load(), swaps, took.Round(time.Second))
	if failed.Load() > 0 {
		return fmt.Errorf("%d requests failed", failed.Load())
	}
	return nil
}
