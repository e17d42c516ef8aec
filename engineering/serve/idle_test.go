//go:build unix

package serve_test

import (
	"bufio"
	"flag"
	"fmt"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/serve"
)

var idle = flag.Int("idle", 2000, "how many idle connections TestIdleConnections opens, as far as the process may")

// Thousands of connections that ask nothing keep nobody out. The test is not
// parallel, since it takes most of the files that the process may open.
func TestIdleConnections(t *testing.T) {
	var most syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &most); err != nil {
		t.Skip(err)
	}
	n := max(100, min(*idle, (int(most.Cur)-1000)/2)) // both ends are ours
	url, _ := running(t, newServer(t, serve.Options{}))
	address := strings.TrimPrefix(url, "http://")
	memory := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before, goroutines := memory(), runtime.NumGoroutine()
	conns := make([]net.Conn, 0, n)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for range n {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatalf("connection %d: %v", len(conns), err)
		}
		conns = append(conns, c)
	}
	for _, i := range []int{0, n / 2, n - 1} { // all are taken by now: the last one is
		if code, body, err := post(url+"/v1/score/credit", `{"rows":[`+applicant+`]}`); err != nil || code != 200 {
			t.Fatalf("beside idle connections: %d %s %v", code, body, err)
		}
		fmt.Fprintf(conns[i], "GET /health/live HTTP/1.1\r\nHost: %s\r\n\r\n", address)
		conns[i].SetReadDeadline(time.Now().Add(30 * time.Second))
		if code, body := readStatus(t, bufio.NewReader(conns[i])); code != 200 {
			t.Fatalf("on idle connection %d: %d %s", i, code, body)
		}
	}
	each := (int64(memory()) - int64(before)) / int64(n)
	t.Logf("%d connections: %d goroutines and %d bytes each, both ends", n, (runtime.NumGoroutine()-goroutines)/n, each)
	if each > 64<<10 {
		t.Errorf("an idle connection takes %d bytes", each)
	}
}
