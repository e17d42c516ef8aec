//go:build unix

package load_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/load"
)

// TestMain is an empty server when a benchmark has started this program again
// as one, so that the processor time of the two can be told apart.
func TestMain(m *testing.M) {
	if os.Getenv("LOAD_EMPTY_SERVER") == "" {
		os.Exit(m.Run())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `{"results":[{"score":0.5}]}`)
	}))
	io.Copy(io.Discard, os.Stdin) // until the benchmark ends
}

func emptyServer(b *testing.B) string {
	b.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "LOAD_EMPTY_SERVER=1")
	in, err := c.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); c.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return "http://" + strings.TrimSpace(address) + "/"
}

func processorTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkClients measures what a request costs the generator beside what it
// would cost with net/http's client: 16 connections in a closed loop at an empty
// net/http handler in a process of its own. An operation is one second of load.
//
//	go test -run ^$ -bench Clients -benchtime 3x ./engineering/load
func BenchmarkClients(b *testing.B) {
	body := []byte(`{"rows":[{` + strings.Repeat(`"Income":107,"Home":"rent",`, 15) + `"Job":"fixed"}]}`)
	measure := func(b *testing.B, second func(url string) int64) {
		url := emptyServer(b)
		second(url)
		var n int64
		cpu := processorTime()
		for b.Loop() {
			n += second(url)
		}
		b.ReportMetric(float64((processorTime()-cpu).Microseconds())/float64(n), "cpu-us/request")
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "requests/s")
	}
	b.Run("own", func(b *testing.B) {
		measure(b, func(url string) int64 {
			r, err := load.Run(context.Background(), load.Options{URL: url, Connections: 16, Duration: time.Second, Timeout: 10 * time.Second,
				Bodies: &load.Bodies{Of: [][]byte{body}, Rows: 1}, ContentType: "application/json"})
			if err != nil || len(r.Errors) > 0 {
				b.Fatal(r, err)
			}
			return r.Answers
		})
	})
	b.Run("net_http", func(b *testing.B) {
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: 10 * time.Second}
		measure(b, func(url string) int64 {
			var n atomic.Int64
			var wg sync.WaitGroup
			end := time.Now().Add(time.Second)
			for range 16 {
				wg.Go(func() {
					for time.Now().Before(end) {
						resp, err := client.Post(url, "application/json", bytes.NewReader(body))
						if err != nil {
							b.Error(err)
							return
						}
						io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
						n.Add(1)
					}
				})
			}
			wg.Wait()
			return n.Load()
		})
	})
}
